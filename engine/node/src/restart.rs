//! What a member's own disk gives back at a start: the newest checkpoint that is good, and the log after it.
//!
//! Read through [`Shelf`], which files and the simulator's disk implement alike. Absent on purpose: what to do when
//! nothing leads to the end of the log; the caller is told what was lost.

use crate::engine::Engine;
use engine_core::certify::Certifier;
use engine_core::checkpoint::keeper::Keeper;
use engine_core::checkpoint::{Restore, Restored};
use engine_core::effect::Instant;
use engine_core::member::Memory;
use engine_core::paxos::tail::{Point, Tail, point_after};
use wire::frame::Frame;
use wire::id::Index;

/// Bytes of log read at once.
const READ_BYTES: usize = 8 << 20;

/// A disk at a start.
pub trait Shelf {
    /// Checkpoints, rising.
    fn checkpoints(&self) -> Vec<Index>;

    /// The place that a checkpoint is of.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn place(&self, checkpoint: Index) -> Result<Point, String>;

    /// Block `number` of a checkpoint; `None` behind the last.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn block(&self, checkpoint: Index, number: u64) -> Result<Option<Vec<u8>>, String>;

    /// What lies before the first frame of the log.
    fn base(&self) -> Point;

    /// The place at `index`, when a frame of the log ends there, or the log begins behind it.
    fn point(&self, index: Index) -> Option<Point>;

    /// Frames that begin right after `after`; none at the end.
    fn frames_after(&self, after: Index, bytes_max: usize) -> Vec<Frame>;

    /// How far the rebuilding of rows has come, and a line worth saying.
    fn note(&self, text: String);
}

/// Why the state could not be rebuilt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The log begins behind a checkpoint, and none that is good leads there.
    #[error("no good checkpoint leads to the log, which begins after index {base}")]
    NoCheckpoint {
        /// The last index that is not in the log.
        base: Index,
    },
    /// The rows cannot be rebuilt from the log.
    #[error("the rows cannot be rebuilt from the group log: {0}")]
    Replay(String),
}

/// Rebuilds the state up to `decided`. `log_bytes` is the setting of how much log makes a checkpoint. With a log that
/// is `damaged`, a checkpoint counts although the log no longer leads there: the caller begins the log behind it. The
/// certifier is made like `empty`.
///
/// # Errors
/// [`Lost`]: the engine is to be thrown away.
pub fn restart(
    engine: &Engine,
    shelf: &dyn Shelf,
    decided: Index,
    log_bytes: u64,
    damaged: bool,
    empty: &Certifier,
) -> Result<Memory, Lost> {
    let stored = shelf.checkpoints();
    let mut keeper_stored = Vec::new();
    let mut begin = None;
    for &index in stored.iter().rev() {
        match load(engine, shelf, index, damaged, empty.restore()) {
            Ok(restored) => {
                shelf.note(format!("state taken from the checkpoint at index {index}"));
                begin = Some(restored);
                keeper_stored = stored.iter().copied().filter(|&older| older <= index).collect();
                break;
            }
            Err(reason) => {
                // Whatever of it was put in is forgotten.
                engine.server().abandon_restore();
                engine.server().reset();
                shelf.note(format!("the checkpoint at index {index} is not used: {reason}"));
            }
        }
    }
    let (mut base, mut certifier) = match begin {
        Some(begin) => begin,
        None if shelf.base().index == Index(0) => (shelf.base(), empty.emptied()),
        None => return Err(Lost::NoCheckpoint { base: shelf.base().index }),
    };
    let mut keeper = Keeper::new(log_bytes, keeper_stored);
    let (target, mut undecided) = (decided.max(base.index), Vec::new());
    loop {
        let after = undecided.last().map_or(base.index, |frame: &Frame| frame.header().last());
        let frames = shelf.frames_after(after, READ_BYTES);
        if frames.is_empty() {
            break;
        }
        for frame in frames {
            if undecided.is_empty() && frame.header().last() <= target {
                let before = certifier.reports();
                engine.replay(&mut certifier, &frame).map_err(Lost::Replay)?;
                let reports = certifier.reports() - before;
                // A place that was passed long ago: the next frame is as good.
                keeper.passed(Instant(0), frame.bytes().len() as u64, reports, true);
                base = point_after(&frame);
            } else {
                undecided.push(frame);
            }
        }
        shelf.note(format!("rebuilding rows from the group log: up to index {} of {target}", base.index));
    }
    let mut log = Tail::new(base);
    for frame in undecided {
        log.append(frame);
    }
    // Opening the log rewrote and synced what was not known synced.
    log.on_synced(log.last(), log.cuts());
    Ok(Memory { log, certifier, keeper })
}

fn load(
    engine: &Engine,
    shelf: &dyn Shelf,
    index: Index,
    damaged: bool,
    mut restore: Restore,
) -> Result<(Point, Certifier), String> {
    let place = shelf.place(index)?;
    match shelf.point(index) {
        Some(found) if found.chain == place.chain => {}
        Some(_) => return Err("it is not of this log".into()),
        None if damaged => {}
        None => return Err("no frame of the log ends there".into()),
    }
    while let Some(block) = shelf.block(index, restore.blocks())? {
        match restore.block(&block).map_err(|error| error.to_string())? {
            Restored::Nothing => {}
            Restored::Head(head) => engine.begin_restore(&head),
            Restored::Rows(piece) => engine.restore_rows(piece)?,
        }
    }
    let (head, certifier) = restore.finish().map_err(|error| error.to_string())?;
    if head.point() != place {
        return Err("its head names another place than its file".into());
    }
    engine.finish_restore(certifier.csn(), certifier.executed().clone())?;
    Ok((place, certifier))
}
