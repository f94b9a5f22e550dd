//! Power losses in the middle of writes: of what was written and not synced, some sectors reached the disk and others
//! did not, in no order.
//!
//! What is left is decided by the server's own files and its own scan: the frames, votes and checkpoint blocks that
//! the simulated disk holds are written by `engine_log`, sectors of the unsynced part are put back to what they were,
//! and `engine_log` opens the result. Whatever it makes of it must be allowed by `design.md` §3: nothing synced is lost,
//! nothing that was only torn is taken for damage, a vote that is being written costs no older one, and a checkpoint
//! that was not finished is not there.
//!
//! In memory where there is such a place; the files of one loss are gone when it has been judged.

use engine_core::paxos::tail::Point;
use engine_core::rng::Rng;
use engine_log::{Base, Checkpoints, Log, LogOptions, Recovered, SEGMENT_BYTES_MIN, Tail, VoteFile, VoteRecord};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use wire::frame::Frame;
use wire::id::{Ballot, Incarnation, Index};

/// What a disk writes at once.
const SECTOR: usize = 512;
/// Each of the two slots of the vote file.
const SLOT: usize = 4096;
/// More unsynced bytes than this are not torn but lost or kept whole: the log would begin another segment for them.
const BYTES_MAX: usize = 700 << 10;

/// A directory of one loss.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, String> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("quorate-sim-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(told("make a directory"))?;
        Ok(Self(path))
    }

    fn files(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>, String> {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(&self.0).map_err(told("list files"))? {
            let path = entry.map_err(told("list files"))?.path();
            if path.is_file() {
                let bytes = std::fs::read(&path).map_err(told("read a file"))?;
                files.insert(path, bytes);
            }
        }
        Ok(files)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn told<E: Display>(what: &'static str) -> impl Fn(E) -> String {
    move |error| format!("torn: cannot {what}: {error}")
}

/// Of `new`, each sector by chance; `old` where it did not arrive.
fn mix(old: &[u8], new: &[u8], percent: u64, rng: &mut Rng) -> Vec<u8> {
    let mut mixed = old.to_vec();
    mixed.resize(old.len().max(new.len()), 0);
    for (at, sector) in new.chunks(SECTOR).enumerate() {
        if rng.percent(percent) {
            mixed[at * SECTOR..][..sector.len()].copy_from_slice(sector);
        }
    }
    mixed
}

fn arrival(rng: &mut Rng) -> u64 {
    [50, 10, 90, 98][rng.below(4) as usize]
}

fn open(dir: &Path) -> Result<(Log, Recovered), String> {
    let options = LogOptions { segment_bytes: SEGMENT_BYTES_MIN, sync: true, ..LogOptions::default() };
    Log::open(dir, options).map_err(told("open the log"))
}

/// The power goes while `unsynced` are being written behind `durable`, which follow `base`: how many of them a start
/// finds.
///
/// # Errors
/// The rule that the start broke.
pub fn log(base: Point, durable: &[Frame], unsynced: &[Frame], rng: &mut Rng) -> Result<usize, String> {
    let bytes = |frames: &[Frame]| frames.iter().map(|frame| frame.bytes().len()).sum::<usize>();
    if unsynced.is_empty() || bytes(durable) + bytes(unsynced) > BYTES_MAX {
        return Ok(if rng.percent(50) { unsynced.len() } else { 0 });
    }
    let scratch = Scratch::new()?;
    let (mut log, _) = open(&scratch.0)?;
    if base.index > Index(0) {
        let base = Base { index: base.index, chain: base.chain, ballot: base.ballot };
        log.restart_at(base, 1).map_err(told("begin the log"))?;
    }
    for frame in durable {
        log.append(frame).map_err(told("append"))?;
        // What follows it may say that it is synced.
        log.sync_now().map_err(told("sync"))?;
    }
    let before = scratch.files()?;
    for frame in unsynced {
        log.append(frame).map_err(told("append"))?;
    }
    let after = scratch.files()?;
    drop(log);
    let percent = arrival(rng);
    for (path, new) in &after {
        let Some(old) = before.get(path) else { return Ok(unsynced.len()) };
        std::fs::write(path, mix(old, new, percent, rng)).map_err(told("write a file"))?;
    }
    let (log, recovered) = open(&scratch.0)?;
    if let Tail::Corrupt { .. } = recovered.tail {
        return Err(format!("torn: what was never synced is taken for damage: {}", recovered.tail));
    }
    let synced = durable.last().map_or(base.index, |frame| frame.header().last());
    if recovered.last < synced {
        return Err(format!("torn: a start finds a log up to {}; it was synced up to {synced}", recovered.last));
    }
    let kept = unsynced.iter().take_while(|frame| frame.header().last() <= recovered.last).count();
    let last = kept.checked_sub(1).map(|at| &unsynced[at]).or(durable.last());
    if let Some(last) = last {
        let (index, chain) = (last.header().last(), last.header().chain);
        let found = log.frame_end(index).map_err(told("read the log"))?;
        if index != recovered.last || found.chain != chain {
            return Err(format!("torn: a start finds another log than was written, up to {}", recovered.last));
        }
    }
    Ok(kept)
}

/// The power goes while a vote is being written: whether a start finds the older one.
///
/// # Errors
/// The rule that the start broke.
pub fn vote(rng: &mut Rng) -> Result<bool, String> {
    let scratch = Scratch::new()?;
    let path = scratch.0.join("vote");
    let record = |round: u64| VoteRecord {
        incarnation: Incarnation(7),
        promised: Ballot { round, node: Incarnation(round) },
        ..VoteRecord::default()
    };
    let (mut votes, _) = VoteFile::open(&path).map_err(told("open the vote file"))?;
    for round in 1..=2 {
        votes.store(&record(round)).map_err(told("store a vote"))?;
    }
    let old = std::fs::read(&path).map_err(told("read the vote file"))?;
    votes.store(&record(3)).map_err(told("store a vote"))?;
    let new = std::fs::read(&path).map_err(told("read the vote file"))?;
    drop(votes);
    // One slot after the other, the first synced before the second is begun. What is being written is unreadable,
    // or arrived in part.
    let second = rng.percent(50);
    let begin = if second { SLOT } else { 0 };
    let mut left = if second { new.clone() } else { old.clone() };
    left[SLOT..].copy_from_slice(&old[SLOT..]);
    let written = if rng.percent(30) {
        (0..SLOT).map(|_| rng.next_u64() as u8).collect()
    } else {
        mix(&old[begin..begin + SLOT], &new[begin..begin + SLOT], 50, rng)
    };
    left[begin..begin + SLOT].copy_from_slice(&written);
    std::fs::write(&path, left).map_err(told("write the vote file"))?;
    let found = VoteFile::open(&path).map_err(told("open the vote file after a torn write"))?.1;
    let round = found.map(|record| record.promised.round);
    match (round, second) {
        (Some(2), false) => Ok(true),
        (Some(3), _) => Ok(false),
        _ => Err(format!("torn: of vote 3 over 2 in both slots (slot {}) a start finds {round:?}", u8::from(second))),
    }
}

/// The power goes while a checkpoint is being written.
///
/// # Errors
/// A start takes it for one.
pub fn checkpoint(place: Point, incoming: bool, blocks: &[Vec<u8>], rng: &mut Rng) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let base = Base { index: place.index, chain: place.chain, ballot: place.ballot };
    let checkpoints = Checkpoints::open(&scratch.0).map_err(told("open the checkpoints"))?;
    let mut writer = checkpoints.begin(base, incoming).map_err(told("begin a checkpoint"))?;
    for block in blocks {
        writer.append(block).map_err(told("write a block"))?;
    }
    if rng.percent(50) {
        // All is written, and not synced: it has no name yet.
        writer.finish().map_err(told("finish a checkpoint"))?;
    }
    let files = scratch.files()?;
    drop(writer);
    let percent = arrival(rng);
    for (path, bytes) in &files {
        let zeros = vec![0; bytes.len()];
        std::fs::write(path, mix(&zeros, bytes, percent, rng)).map_err(told("write a file"))?;
    }
    let checkpoints = Checkpoints::open(&scratch.0).map_err(told("open the checkpoints after a torn write"))?;
    let (stored, named) = (checkpoints.stored().to_vec(), checkpoints.read_incoming().is_ok());
    if stored.is_empty() && !named {
        Ok(())
    } else {
        Err(format!("torn: an unfinished checkpoint is there: {stored:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine_core::paxos::tail::{Tail as End, point_after};
    use wire::frame::{ALIGN, BatchBuilder, ENTRY_HEADER_BYTES, Place};

    fn frames(count: u64, bytes: usize) -> Vec<Frame> {
        let mut end = End::empty().end();
        (0..count)
            .map(|at| {
                let mut raw = vec![at as u8 | 1; (ENTRY_HEADER_BYTES + bytes).next_multiple_of(ALIGN)];
                raw[..ENTRY_HEADER_BYTES].fill(0);
                raw[..4].copy_from_slice(&(bytes as u32).to_le_bytes());
                let mut batch = BatchBuilder::new();
                batch.push_raw(&raw);
                let ballot = Ballot { round: 1, node: Incarnation(1) };
                let (decided, synced) = (Index(0), Index(end.index.0.min(2)));
                let place = Place { first: end.index.next(), ballot, previous_chain: end.chain, decided, synced };
                let frame = batch.frame(place);
                end = point_after(&frame);
                frame
            })
            .collect()
    }

    /// A log that loses sectors loses a tail, of every length in the end; never what was synced.
    #[test]
    fn a_torn_log_ends_with_a_whole_frame() {
        let all = frames(8, 900);
        let mut seen = std::collections::BTreeSet::new();
        for seed in 1..=60 {
            let kept = log(End::empty().end(), &all[..3], &all[3..], &mut Rng::new(seed)).expect("a rule is broken");
            seen.insert(kept);
        }
        assert!(seen.len() >= 4, "{seen:?}");
        let base = point_after(&all[2]);
        assert!(log(base, &[], &all[3..], &mut Rng::new(1)).is_ok(), "behind a checkpoint");
    }

    #[test]
    fn a_torn_vote_is_the_old_one_or_the_new_one() {
        let found: std::collections::BTreeSet<_> =
            (1..=40).map(|seed| vote(&mut Rng::new(seed)).expect("a rule is broken")).collect();
        assert_eq!(found.len(), 2, "both happen");
    }

    #[test]
    fn a_torn_checkpoint_is_none() {
        let place = point_after(&frames(1, 10)[0]);
        for seed in 1..=20 {
            for incoming in [false, true] {
                assert_eq!(checkpoint(place, incoming, &[vec![7; 3000], vec![8; 10]], &mut Rng::new(seed)), Ok(()));
            }
        }
    }
}
