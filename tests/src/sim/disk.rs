//! A member's disk in the simulator: what was written, and how much of it would survive which crash.
//!
//! Written frames are in the page cache: they outlive the process. Durable ones outlive the machine. A
//! sync makes the one the other; with `sync_binlog=0` a flush each second does.

use super::torn;
use engine_core::effect::{CheckpointPart, CheckpointWrite, Vote};
use engine_core::paxos::tail::{Point, Tail, point_after};
use engine_core::recovery::joiner::block_hash;
use engine_core::rng::Rng;
use node::restart::Shelf;
use std::cell::RefCell;
use wire::frame::Frame;
use wire::id::{Incarnation, Index};
use wire::mutant::{Mutant, planted};
use wire::rare;

/// Frames, the vote record and the local journal of one member; survives crashes.
#[derive(Default)]
pub struct SimDisk {
    state: RefCell<State>,
    /// `sync_binlog=0`: the page cache is all that is promised.
    cached: bool,
}

/// A checkpoint and its blocks.
struct Stored {
    place: Point,
    /// From a donor: counts once the log begins behind it.
    incoming: bool,
    blocks: Vec<Vec<u8>>,
    /// The block whose checksum does not fit any more.
    damaged: Option<usize>,
}

struct State {
    /// What the last start said of the disk.
    told: Vec<String>,
    /// Before the first frame.
    base: Point,
    frames: Vec<Frame>,
    /// Rising.
    checkpoints: Vec<Stored>,
    writing: Option<Stored>,
    /// Checkpoints begun and given up: the word of an earlier one counts no more.
    writings: u64,
    /// From a donor, durable.
    incoming: Option<Stored>,
    /// Written up to here when the last sync began that came back.
    synced: Index,
    /// What a crash of the machine leaves.
    durable: Index,
    /// Cuts and resets since the process began.
    cuts: u64,
    vote: Option<Vote>,
    /// Votes written and not yet synced, each with the end of the log and the cuts at that time.
    pending: Vec<(Vote, Index, u64)>,
    journal: Vec<Vec<u8>>,
    /// Checkpoints that were written here since the log began.
    published: u64,
    /// First index of a frame whose bytes changed.
    flipped: Option<Index>,
}

/// What a crash takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing: the process ended, the page cache is there.
    Nothing,
    /// Of what was not durable all but so many frames: the machine ended.
    Unsynced(usize),
    /// Of what was not durable the sectors that did not arrive, drawn from this seed: the power went.
    Torn(u64),
}

/// How a disk is damaged, to be found at the next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Bytes of a durable frame changed.
    Flipped,
    /// Another frame was written where a durable one belongs.
    Misdirected,
    /// Bytes of the newest checkpoint changed.
    Checkpoint,
}

/// What the scan at a start found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// A whole log.
    Clean,
    /// A frame that may have been acknowledged is damaged: this log must not vote.
    Corrupt,
}

impl Default for State {
    fn default() -> Self {
        Self {
            base: Tail::empty().end(),
            frames: Vec::new(),
            told: Vec::new(),
            checkpoints: Vec::new(),
            writing: None,
            writings: 0,
            incoming: None,
            synced: Index(0),
            durable: Index(0),
            cuts: 0,
            vote: None,
            pending: Vec::new(),
            journal: Vec::new(),
            published: 0,
            flipped: None,
        }
    }
}

impl State {
    fn end(&self) -> Index {
        self.frames.last().map_or(self.base.index, |frame| frame.header().last())
    }
}

impl SimDisk {
    /// An empty disk; with `sync`, what is promised outlives the machine (`sync_binlog=1`).
    #[must_use]
    pub fn new(sync: bool) -> Self {
        Self { cached: !sync, ..Self::default() }
    }

    /// Appends a frame, as the log does.
    pub fn append(&self, frame: Frame) {
        let mut state = self.state.borrow_mut();
        assert_eq!(frame.header().first, state.end().next(), "the log on disk has no gaps");
        state.frames.push(frame);
    }

    /// Drops frames after `after`.
    pub fn cut(&self, after: Index) {
        let mut state = self.state.borrow_mut();
        state.frames.retain(|frame| frame.header().last() <= after);
        state.synced = state.synced.min(after);
        state.durable = state.durable.min(after);
        state.cuts += 1;
        state.settle_votes();
    }

    /// Drops everything but votes and journal.
    pub fn reset(&self) {
        let mut state = self.state.borrow_mut();
        state.frames.clear();
        state.base = Tail::empty().end();
        state.published = 0;
        (state.synced, state.durable) = (Index(0), Index(0));
        state.cuts = 0;
        state.settle_votes();
    }

    /// A new data directory: only the accounts of this server are set up again.
    pub fn wipe(&self) {
        let mut state = self.state.borrow_mut();
        let journal = std::mem::take(&mut state.journal);
        *state = State { journal, ..State::default() };
    }

    /// What a sync begun now will reach, and the cuts before it.
    pub fn end(&self) -> (Index, u64) {
        let state = self.state.borrow();
        (state.end(), state.cuts)
    }

    /// Whether there is nothing to sync.
    pub fn is_synced(&self) -> bool {
        self.end().0 <= self.state.borrow().synced
    }

    /// A sync is done. False when a cut came between: it says nothing then.
    pub fn synced(&self, index: Index, cuts: u64) -> bool {
        let mut state = self.state.borrow_mut();
        let valid = state.cuts == cuts && index <= state.end();
        if valid {
            state.synced = state.synced.max(index);
            state.durable = state.durable.max(index);
        }
        valid
    }

    /// Appended is synced, as far as `sync_binlog=0` promises.
    pub fn synced_in_cache(&self) {
        let mut state = self.state.borrow_mut();
        state.synced = state.end();
    }

    /// All that is written becomes durable (`sync_binlog=0`, each second).
    pub fn flush(&self) {
        let mut state = self.state.borrow_mut();
        state.durable = state.end();
    }

    /// Whether this disk holds the frame that ends at `index` with this chain, as far as `sync_binlog` promises;
    /// what was purged below a checkpoint counts as held.
    pub fn holds(&self, index: Index, chain: u64) -> bool {
        let state = self.state.borrow();
        let at = state.frames.partition_point(|frame| frame.header().last() < index);
        let found = state.frames.get(at).map(|frame| (frame.header().last(), frame.header().chain));
        index <= state.base.index || index <= self.kept(&state) && found == Some((index, chain))
    }

    /// Ends and chains of the frames above `after` that outlive what `sync_binlog` says that they outlive.
    pub fn held_above(&self, after: Index) -> Vec<(Index, u64)> {
        let state = self.state.borrow();
        let kept = self.kept(&state);
        let ends = state.frames.iter().map(|frame| (frame.header().last(), frame.header().chain));
        ends.filter(|&(last, _)| last > after && last <= kept).collect()
    }

    /// The life that the newest record names, be it durable or not.
    pub fn life(&self) -> Option<Incarnation> {
        let state = self.state.borrow();
        state.pending.last().map(|(vote, ..)| vote).or(state.vote.as_ref()).map(|vote| vote.incarnation)
    }

    /// How far the log outlives what `sync_binlog` says that it outlives, whatever its member believes.
    pub fn synced_to(&self) -> Index {
        self.kept(&self.state.borrow())
    }

    fn kept(&self, state: &State) -> Index {
        if self.cached { state.synced } else { state.durable }
    }

    /// Writes a vote record; until [`SimDisk::vote_synced`] a crash may take it.
    pub fn store_vote(&self, vote: Vote) {
        let mut state = self.state.borrow_mut();
        let (end, cuts) = (state.end(), state.cuts);
        state.pending.push((vote, end, cuts));
    }

    /// The record of this generation is durable, and those before it.
    pub fn vote_synced(&self, generation: u64) {
        let mut state = self.state.borrow_mut();
        while state.pending.first().is_some_and(|(vote, ..)| vote.generation <= generation) {
            state.vote = Some(state.pending.remove(0).0);
        }
    }

    /// The vote record.
    pub fn vote(&self) -> Option<Vote> {
        self.state.borrow().vote
    }

    /// Appends to the local journal.
    pub fn journal(&self, record: &[u8]) {
        self.state.borrow_mut().journal.push(record.to_vec());
    }

    /// Records of the local journal.
    pub fn journal_records(&self) -> Vec<Vec<u8>> {
        self.state.borrow().journal.clone()
    }

    /// The process ends at once. With `lose_votes` the votes that were being written are lost, and the frames
    /// written after them: writes go to the disk in order.
    ///
    /// # Errors
    /// What a start makes of a torn file breaks a rule.
    pub fn crash(&self, loss: Loss, lose_votes: bool) -> Result<(), String> {
        let mut state = self.state.borrow_mut();
        let mut torn = match loss {
            Loss::Torn(seed) => Some(Rng::new(seed)),
            _ => None,
        };
        let lose_votes = match &mut torn {
            Some(rng) if !state.pending.is_empty() => {
                rare!("a torn vote");
                torn::vote(rng)?
            }
            _ => lose_votes,
        };
        if let (Some(rng), Some(writing)) = (&mut torn, &state.writing) {
            rare!("a torn checkpoint");
            torn::checkpoint(writing.place, writing.incoming, &writing.blocks, rng)?;
        }
        if lose_votes
            && let Some(&(_, end, cuts)) = state.pending.first()
            && cuts == state.cuts
        {
            state.frames.retain(|frame| frame.header().last() <= end);
            state.pending.clear();
        }
        state.settle_votes();
        if let Loss::Unsynced(keep) = loss {
            let durable = state.durable;
            let safe = state.frames.partition_point(|frame| frame.header().last() <= durable);
            state.frames.truncate(safe + keep);
        }
        if let Some(rng) = &mut torn {
            let durable = state.durable;
            let safe = state.frames.partition_point(|frame| frame.header().last() <= durable);
            let begin = safe.saturating_sub(2);
            let base = begin.checked_sub(1).map_or(state.base, |at| point_after(&state.frames[at]));
            let kept = torn::log(base, &state.frames[begin..safe], &state.frames[safe..], rng)?;
            if safe + kept < state.frames.len() {
                rare!("a torn log");
            }
            state.frames.truncate(safe + kept);
        }
        let end = state.end();
        state.synced = state.synced.min(end);
        state.durable = state.durable.min(end);
        state.cuts = 0;
        (state.writing, state.incoming) = (None, None);
        Ok(())
    }

    /// Damages one durable frame, the `at`th from the end of them, or the newest checkpoint; false when there is
    /// none.
    pub fn damage(&self, damage: Damage, at: usize) -> bool {
        let mut state = self.state.borrow_mut();
        if damage == Damage::Checkpoint {
            let older = state.checkpoints.iter().rev().skip(1).any(|older| older.damaged.is_none());
            let made_up_for = state.published > 1 && older || state.base.index == Index(0);
            let Some(newest) = state.checkpoints.last_mut().filter(|_| made_up_for) else { return false };
            newest.damaged = Some(at % newest.blocks.len().max(1));
            return true;
        }
        let durable = state.durable;
        let count = state.frames.partition_point(|frame| frame.header().last() <= durable);
        if count < 2 {
            return false;
        }
        let place = count - 1 - at % (count - 1);
        if damage == Damage::Flipped {
            state.flipped = Some(state.frames[place].header().first);
        } else {
            state.frames[place] = state.frames[place - 1].clone();
        }
        true
    }

    /// Opens the log at a start: looks at each frame, and rewrites and syncs what the page cache may hold alone.
    pub fn open(&self) -> Scan {
        let mut state = self.state.borrow_mut();
        let (mut next, mut chain) = (state.base.index.next(), state.base.chain);
        let flipped = state.flipped.take();
        let good = state.frames.iter().take_while(|frame| {
            let header = frame.header();
            let fits = header.first == next && header.previous_chain == chain;
            (next, chain) = (header.last().next(), header.chain);
            fits && flipped != Some(header.first)
        });
        let good = good.count();
        if good < state.frames.len() {
            if !planted(Mutant::CorruptMiddleTruncated) {
                return Scan::Corrupt;
            }
            state.frames.truncate(good);
        }
        let end = state.end();
        state.synced = end;
        if !planted(Mutant::PageCacheTakenForDisk) {
            state.durable = end;
        }
        state.durable = state.durable.min(end);
        Scan::Clean
    }

    /// What starts said of the disk since this was asked last.
    pub fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.state.borrow_mut().told)
    }

    /// The highest decided index that any frame names.
    pub fn decided(&self) -> Index {
        let state = self.state.borrow();
        state.frames.iter().map(|frame| frame.header().decided).max().unwrap_or(state.base.index)
    }

    /// Does what is asked with a checkpoint's file: the index of one that is now whole, and its number for
    /// [`SimDisk::publish`].
    pub fn write_checkpoint(&self, write: CheckpointWrite) -> Option<(Index, u64)> {
        let mut state = self.state.borrow_mut();
        if matches!(write, CheckpointWrite::Begin { .. } | CheckpointWrite::Abandon) {
            state.writings += 1;
        }
        match write {
            CheckpointWrite::Begin { point, incoming } => {
                state.writing = Some(Stored { place: point, incoming, blocks: Vec::new(), damaged: None });
            }
            CheckpointWrite::Block(block) => {
                // What was given up takes no more.
                state.writing.iter_mut().for_each(|writing| writing.blocks.push(block.clone()));
            }
            CheckpointWrite::End => {
                return state.writing.as_ref().map(|writing| (writing.place.index, state.writings));
            }
            CheckpointWrite::Abandon => state.writing = None,
        }
        None
    }

    /// The checkpoint of this number is durable, unless it was given up meanwhile.
    pub fn publish(&self, number: u64) -> bool {
        let mut state = self.state.borrow_mut();
        if number != state.writings {
            return false;
        }
        let Some(stored) = state.writing.take() else { return false };
        let index = stored.place.index;
        if stored.incoming {
            state.incoming = Some(stored);
            return true;
        }
        assert!(index <= state.synced, "a checkpoint at {index} passes the synced log, {}", state.synced);
        state.checkpoints.retain(|older| older.place.index != index);
        state.checkpoints.push(stored);
        state.published += 1;
        state.checkpoints.sort_by_key(|stored| stored.place.index);
        true
    }

    /// Drops the log and begins behind the incoming checkpoint.
    pub fn restart(&self, base: Point) {
        let mut state = self.state.borrow_mut();
        let incoming = state.incoming.take().expect("a log begins behind a checkpoint that is durable");
        assert_eq!(incoming.place, base, "a log begins behind the checkpoint that was fetched");
        state.frames.clear();
        state.checkpoints = vec![incoming];
        (state.base, state.synced, state.durable, state.cuts) = (base, base.index, base.index, 0);
        state.published = 0;
        state.settle_votes();
    }

    /// A part of a stored checkpoint.
    pub fn read_checkpoint(&self, index: Index, block: Option<u64>) -> CheckpointPart {
        let state = self.state.borrow();
        let Some(stored) = state.checkpoints.iter().find(|stored| stored.place.index == index) else {
            return CheckpointPart::Gone;
        };
        match block {
            Some(number) if stored.damaged == Some(number as usize) => CheckpointPart::Gone,
            Some(number) => {
                stored.blocks.get(number as usize).cloned().map_or(CheckpointPart::Gone, CheckpointPart::Block)
            }
            None => {
                let hashes = stored.blocks.iter().zip(0..).map(|(block, at)| block_hash(index, at, block));
                let bytes = stored.blocks.iter().map(|block| block.len() as u64).sum();
                CheckpointPart::Head { point: stored.place, bytes, hashes: hashes.collect() }
            }
        }
    }

    /// Keeps the named checkpoints, and the log above `log_after`.
    pub fn retain(&self, keep: &[Index], log_after: Index) {
        let mut state = self.state.borrow_mut();
        state.checkpoints.retain(|stored| keep.contains(&stored.place.index));
        let gone = state.frames.partition_point(|frame| frame.header().last() <= log_after);
        if let Some(last) = gone.checked_sub(1) {
            state.base = point_after(&state.frames[last]);
            state.frames.drain(..gone);
        }
    }

    /// Frames from the one that holds `from` on.
    pub fn read(&self, from: Index, bytes_max: usize) -> Vec<Frame> {
        let state = self.state.borrow();
        let at = state.frames.partition_point(|frame| frame.header().last() < from);
        let mut bytes = 0;
        let wanted = state.frames[at..].iter().take_while(|frame| {
            let first = bytes == 0;
            bytes += frame.bytes().len();
            first || bytes <= bytes_max
        });
        wanted.cloned().collect()
    }
}

impl State {
    /// What is being written counts as written.
    fn settle_votes(&mut self) {
        if let Some((vote, ..)) = self.pending.pop() {
            self.vote = Some(vote);
            self.pending.clear();
        }
    }
}

impl Shelf for SimDisk {
    fn checkpoints(&self) -> Vec<Index> {
        self.state.borrow().checkpoints.iter().map(|stored| stored.place.index).collect()
    }

    fn place(&self, checkpoint: Index) -> Result<Point, String> {
        let state = self.state.borrow();
        let stored = state.checkpoints.iter().find(|stored| stored.place.index == checkpoint);
        stored.map(|stored| stored.place).ok_or_else(|| "it is gone".into())
    }

    fn block(&self, checkpoint: Index, number: u64) -> Result<Option<Vec<u8>>, String> {
        let state = self.state.borrow();
        let stored = state.checkpoints.iter().find(|stored| stored.place.index == checkpoint);
        let stored = stored.ok_or("it is gone")?;
        if stored.damaged == Some(number as usize) {
            return Err(format!("block {number} does not fit its checksum"));
        }
        Ok(stored.blocks.get(number as usize).cloned())
    }

    fn base(&self) -> Point {
        self.state.borrow().base
    }

    fn point(&self, index: Index) -> Option<Point> {
        let state = self.state.borrow();
        if state.base.index == index {
            return Some(state.base);
        }
        state.frames.iter().map(point_after).find(|point| point.index == index)
    }

    fn frames_after(&self, after: Index, bytes_max: usize) -> Vec<Frame> {
        self.read(after.next(), bytes_max)
    }

    fn note(&self, text: String) {
        self.state.borrow_mut().told.push(text);
    }
}
