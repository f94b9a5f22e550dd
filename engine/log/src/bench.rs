//! A log that a benchmark can append to without end. For `bench/` only.

use crate::error::LogError;
use crate::log::{Log, LogOptions};
use std::path::Path;
use wire::entry::{Body, Entry, Stamp};
use wire::frame::{BatchBuilder, Frame, HEADER_BYTES, Place};
use wire::id::{Ballot, Incarnation, Index};

/// Appends frames of a given size; segments that are full are prepared for and purged outside what is timed.
#[derive(Debug)]
pub struct AppendBench {
    log: Log,
    batch: BatchBuilder,
    /// The last frame made, which the next one continues.
    chain: u64,
    next: Index,
    synced: Index,
}

impl AppendBench {
    /// A log in the empty directory `dir`, with frames of about `frame_bytes` (at least one small entry).
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn new(dir: &Path, sync: bool, frame_bytes: usize) -> Result<Self, LogError> {
        let (log, _) = Log::open(dir, LogOptions { sync, ..LogOptions::default() })?;
        let mut batch = BatchBuilder::new();
        let entry = Entry { stamp: Stamp::default(), body: Body::Marker };
        batch.push(&entry);
        // Padding belongs to an entry in no way that the log looks at: more entries fill the frame.
        while HEADER_BYTES + batch.byte_len() * (batch.len() as usize + 1) / (batch.len() as usize) <= frame_bytes {
            batch.push(&entry);
        }
        let end = log.end();
        let mut bench = Self { log, batch, chain: end.chain, next: end.index.next(), synced: Index(0) };
        bench.log.prepare_next()?;
        Ok(bench)
    }

    /// The next `count` frames, to be appended in this order. Not to be timed.
    ///
    /// # Errors
    /// [`LogError::DiskFull`], [`LogError::Io`] from making room.
    pub fn frames(&mut self, count: usize) -> Result<Vec<Frame>, LogError> {
        assert_eq!(self.next, self.log.last_index().next(), "frames are appended before more are made");
        self.log.purge_before(self.log.last_index())?;
        self.log.prepare_next()?;
        self.synced = self.log.synced_index();
        let frames = (0..count).map(|_| self.frame());
        Ok(frames.collect())
    }

    fn frame(&mut self) -> Frame {
        let frame = self.batch.frame(Place {
            first: self.next,
            ballot: Ballot { round: 1, node: Incarnation(1) },
            previous_chain: self.chain,
            decided: Index(self.next.0 - 1),
            synced: self.synced,
        });
        self.chain = frame.header().chain;
        self.next = frame.header().last().next();
        frame
    }

    /// Appends one frame: what is to be timed.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn append(&mut self, frame: &Frame) -> Result<(), LogError> {
        self.log.append(frame)
    }

    /// Syncs: what is to be timed with `sync`.
    ///
    /// # Errors
    /// [`LogError::SyncFailed`].
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.log.sync_now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_benchmark_can_append_for_ever() {
        for sync in [true, false] {
            let dir = std::env::temp_dir().join(format!("quorate-bench-{}-{sync}", std::process::id()));
            std::fs::create_dir_all(&dir).unwrap();
            let mut bench = AppendBench::new(&dir, sync, 256).unwrap();
            for _ in 0..3 {
                for frame in bench.frames(100).unwrap() {
                    assert!((160..=256).contains(&frame.bytes().len()), "{}", frame.bytes().len());
                    bench.append(&frame).unwrap();
                }
                bench.sync().unwrap();
            }
            assert_eq!(bench.log.synced_index(), bench.log.last_index());
            std::fs::remove_dir_all(&dir).unwrap();
        }
    }
}
