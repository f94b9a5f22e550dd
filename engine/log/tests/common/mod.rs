//! What the crash tests share: directories, frames, and pictures of directories to damage and restore.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use engine_log::{Log, LogOptions, Recovered, SEGMENT_BYTES_MIN};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use wire::frame::{ALIGN, BatchBuilder, ENTRY_HEADER_BYTES, Frame, Place};
use wire::id::{Ballot, Incarnation, Index};

/// A directory that goes when the test ends.
pub struct TempDir(PathBuf);

impl TempDir {
    /// On a disk.
    pub fn new() -> Self {
        Self::under(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    /// In memory where there is such a place: for tests of many thousand cases, none of which asks the disk.
    pub fn in_memory() -> Self {
        let shm = Path::new("/dev/shm");
        if shm.is_dir() { Self::under(shm) } else { Self::new() }
    }

    fn under(parent: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("quorate-log-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = parent.join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The smallest segments, so that tests are quick and segments many.
pub fn options(sync: bool) -> LogOptions {
    LogOptions { segment_bytes: SEGMENT_BYTES_MIN, sync, ..LogOptions::default() }
}

pub fn open(dir: &Path, sync: bool) -> (Log, Recovered) {
    Log::open(dir, options(sync)).unwrap()
}

/// A fixed sequence of numbers.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A frame that continues `log`, one entry for each payload.
pub fn frame(log: &Log, round: u64, payloads: &[&[u8]]) -> Frame {
    let mut batch = BatchBuilder::new();
    for payload in payloads {
        let mut raw = vec![0; (ENTRY_HEADER_BYTES + payload.len()).next_multiple_of(ALIGN)];
        raw[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        raw[ENTRY_HEADER_BYTES..ENTRY_HEADER_BYTES + payload.len()].copy_from_slice(payload);
        batch.push_raw(&raw);
    }
    let end = log.end();
    batch.frame(Place {
        first: end.index.next(),
        ballot: Ballot { round, node: Incarnation(1) },
        previous_chain: end.chain,
        decided: Index(log.synced_index().0.saturating_sub(1)),
        synced: log.synced_index(),
    })
}

/// Bytes that are never zero, and differ with `seed`.
pub fn payload(seed: u64, bytes: usize) -> Vec<u8> {
    let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    (0..bytes).map(|_| rng.next() as u8 | 1).collect()
}

/// All files of a directory, without the zeros at their ends.
#[derive(Clone)]
pub struct Picture(pub Vec<(String, Vec<u8>, u64)>);

impl Picture {
    pub fn take(dir: &Path) -> Self {
        let mut files: Vec<_> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let mut bytes = std::fs::read(entry.path()).unwrap();
                let length = bytes.len() as u64;
                bytes.truncate(bytes.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1));
                (entry.file_name().into_string().unwrap(), bytes, length)
            })
            .collect();
        files.sort();
        Self(files)
    }

    /// Makes the directory hold just this.
    pub fn restore(&self, dir: &Path) {
        for entry in std::fs::read_dir(dir).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        self.add_to(dir);
    }

    /// Puts the files beside what the directory holds.
    pub fn add_to(&self, dir: &Path) {
        for (name, bytes, length) in &self.0 {
            let file = File::create(dir.join(name)).unwrap();
            file.write_all_at(bytes, 0).unwrap();
            file.set_len(*length).unwrap();
        }
    }

    /// The bytes of a file, to be changed; as long as `until` at least.
    pub fn file(&mut self, name: &str, until: usize) -> &mut Vec<u8> {
        let (_, bytes, _) = self.0.iter_mut().find(|(found, ..)| found == name).unwrap();
        bytes.resize(bytes.len().max(until), 0);
        bytes
    }

    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, ..)| name.as_str()).collect()
    }
}

/// All frames of a log, as their bytes, by reading; checked against every other way to read.
pub fn contents(log: &Log) -> Vec<Vec<u8>> {
    let mut frames: Vec<Vec<u8>> = Vec::new();
    let mut next = log.first_index();
    while next <= log.last_index() {
        for frame in log.read(next, 10_000).unwrap() {
            assert_eq!(frame.header().first, next);
            next = frame.header().last().next();
            let end = log.frame_end(frame.header().last()).unwrap();
            assert_eq!((end.chain, end.ballot), (frame.header().chain, frame.header().ballot));
            assert_eq!(log.frame_at(frame.header().last()).unwrap().bytes(), frame.bytes());
            frames.push(frame.bytes().to_vec());
        }
    }
    frames
}
