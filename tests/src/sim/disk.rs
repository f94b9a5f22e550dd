//! A member's disk in the simulator: what was written, and how much of it would survive.

use engine_core::effect::Vote;
use std::cell::RefCell;
use wire::frame::Frame;
use wire::id::Index;

/// Frames, the vote record and the local journal of one member; survives crashes.
#[derive(Default)]
pub struct SimDisk {
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    frames: Vec<Frame>,
    synced: Index,
    /// Cuts and resets since the process began.
    cuts: u64,
    vote: Option<Vote>,
    /// Votes written and not yet synced, each with the end of the log and the cuts at that time.
    pending: Vec<(Vote, Index, u64)>,
    journal: Vec<Vec<u8>>,
}

fn end_of(frames: &[Frame]) -> Index {
    frames.last().map_or(Index(0), |frame| frame.header().last())
}

impl SimDisk {
    /// Appends a frame, as the log does.
    pub fn append(&self, frame: Frame) {
        let mut state = self.state.borrow_mut();
        assert_eq!(frame.header().first, end_of(&state.frames).next(), "the log on disk has no gaps");
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
        state.synced = Index(0);
        state.cuts = 0;
        state.settle_votes();
    }

    /// What a sync begun now will reach, and the cuts before it.
    pub fn end(&self) -> (Index, u64) {
        let state = self.state.borrow();
        (end_of(&state.frames), state.cuts)
    }

    /// Whether there is nothing to sync.
    pub fn is_synced(&self) -> bool {
        self.end().0 <= self.state.borrow().synced
    }

    /// A sync is done. False when a cut came between: it says nothing then.
    pub fn synced(&self, index: Index, cuts: u64) -> bool {
        let mut state = self.state.borrow_mut();
        let valid = state.cuts == cuts && index <= end_of(&state.frames);
        if valid {
            state.synced = state.synced.max(index);
        }
        valid
    }

    /// Writes a vote record; until [`SimDisk::vote_synced`] a crash may take it.
    pub fn store_vote(&self, vote: Vote) {
        let mut state = self.state.borrow_mut();
        let (end, cuts) = (end_of(&state.frames), state.cuts);
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
        // Opening the log rewrites and syncs what is there.
        state.synced = end_of(&state.frames);
    }

    /// All frames.
    pub fn frames(&self) -> Vec<Frame> {
        self.state.borrow().frames.clone()
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
