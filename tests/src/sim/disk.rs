//! A member's disk in the simulator: what was written, and how much of it would survive.

use engine_core::effect::{CheckpointWrite, Vote};
use engine_core::paxos::tail::{Point, Tail, point_after};
use node::restart::Shelf;
use std::cell::RefCell;
use wire::frame::Frame;
use wire::id::Index;

/// Frames, the vote record and the local journal of one member; survives crashes.
#[derive(Default)]
pub struct SimDisk {
    state: RefCell<State>,
}

/// A checkpoint and its blocks.
struct Stored {
    place: Point,
    blocks: Vec<Vec<u8>>,
}

struct State {
    /// Before the first frame.
    base: Point,
    frames: Vec<Frame>,
    /// Rising.
    checkpoints: Vec<Stored>,
    writing: Option<Stored>,
    synced: Index,
    /// Cuts and resets since the process began.
    cuts: u64,
    vote: Option<Vote>,
    /// Votes written and not yet synced, each with the end of the log and the cuts at that time.
    pending: Vec<(Vote, Index, u64)>,
    journal: Vec<Vec<u8>>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            base: Tail::empty().end(),
            frames: Vec::new(),
            checkpoints: Vec::new(),
            writing: None,
            synced: Index(0),
            cuts: 0,
            vote: None,
            pending: Vec::new(),
            journal: Vec::new(),
        }
    }
}

impl State {
    fn end(&self) -> Index {
        self.frames.last().map_or(self.base.index, |frame| frame.header().last())
    }
}

impl SimDisk {
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
        state.cuts += 1;
        state.settle_votes();
    }

    /// Drops everything but votes and journal.
    pub fn reset(&self) {
        let mut state = self.state.borrow_mut();
        state.frames.clear();
        state.base = Tail::empty().end();
        state.synced = Index(0);
        state.cuts = 0;
        state.settle_votes();
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
        }
        valid
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

    /// The process ends at once. Of the frames that were not synced, `keep` at most survive (all of them
    /// when only the process dies); with `lose_votes`, so do none of the votes that were being written, nor
    /// the frames written after them: writes go to the disk in order.
    pub fn crash(&self, keep: Option<usize>, lose_votes: bool) {
        let mut state = self.state.borrow_mut();
        if lose_votes
            && let Some(&(_, end, cuts)) = state.pending.first()
            && cuts == state.cuts
        {
            state.frames.retain(|frame| frame.header().last() <= end);
            state.synced = state.synced.min(end);
            state.pending.clear();
        }
        state.settle_votes();
        if let Some(keep) = keep {
            let synced = state.synced;
            let safe = state.frames.partition_point(|frame| frame.header().last() <= synced);
            state.frames.truncate(safe + keep);
        }
        state.cuts = 0;
        state.writing = None;
        // Opening the log rewrites and syncs what is there.
        state.synced = state.end();
    }

    /// The highest decided index that any frame names.
    pub fn decided(&self) -> Index {
        let state = self.state.borrow();
        state.frames.iter().map(|frame| frame.header().decided).max().unwrap_or(state.base.index)
    }

    /// Does what is asked with a checkpoint's file: the index of one that is now whole, for [`SimDisk::publish`].
    pub fn write_checkpoint(&self, write: CheckpointWrite) -> Option<Index> {
        let mut state = self.state.borrow_mut();
        match write {
            CheckpointWrite::Begin { point, .. } => state.writing = Some(Stored { place: point, blocks: Vec::new() }),
            CheckpointWrite::Block(block) => {
                state.writing.as_mut().expect("blocks follow a beginning").blocks.push(block);
            }
            CheckpointWrite::End => return state.writing.as_ref().map(|writing| writing.place.index),
            CheckpointWrite::Abandon => state.writing = None,
        }
        None
    }

    /// The checkpoint of this index is durable, unless it was given up meanwhile.
    pub fn publish(&self, index: Index) -> bool {
        let mut state = self.state.borrow_mut();
        let Some(stored) = state.writing.take_if(|writing| writing.place.index == index) else { return false };
        assert!(index <= state.synced, "a checkpoint at {index} passes the synced log, {}", state.synced);
        state.checkpoints.retain(|older| older.place.index != index);
        state.checkpoints.push(stored);
        state.checkpoints.sort_by_key(|stored| stored.place.index);
        true
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
        Ok(stored.ok_or("it is gone")?.blocks.get(number as usize).cloned())
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

    fn note(&self, _text: String) {}
}
