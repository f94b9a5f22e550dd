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
    cuts: u64,
    vote: Option<Vote>,
    journal: Vec<Vec<u8>>,
}

impl SimDisk {
    /// Appends a frame, as the log does.
    pub fn append(&self, frame: Frame) {
        let mut state = self.state.borrow_mut();
        let last = state.frames.last().map_or(Index(0), |frame| frame.header().last());
        assert_eq!(frame.header().first, last.next(), "the log on disk has no gaps");
        state.frames.push(frame);
    }

    /// Drops frames after `after`.
    pub fn cut(&self, after: Index) {
        let mut state = self.state.borrow_mut();
        state.frames.retain(|frame| frame.header().last() <= after);
        state.synced = state.synced.min(after);
        state.cuts += 1;
    }

    /// Drops everything but votes and journal.
    pub fn reset(&self) {
        let mut state = self.state.borrow_mut();
        state.frames.clear();
        state.synced = Index(0);
        state.cuts = 0;
    }

    /// What a sync begun now will reach, and the cuts before it.
    pub fn end(&self) -> (Index, u64) {
        let state = self.state.borrow();
        (state.frames.last().map_or(Index(0), |frame| frame.header().last()), state.cuts)
    }

    /// Whether there is nothing to sync.
    pub fn is_synced(&self) -> bool {
        self.end().0 <= self.state.borrow().synced
    }

    /// A sync is done. False when a cut came between: it says nothing then.
    pub fn synced(&self, index: Index, cuts: u64) -> bool {
        let mut state = self.state.borrow_mut();
        let valid = state.cuts == cuts;
        if valid {
            state.synced = state.synced.max(index);
        }
        valid
    }

    /// Stores a vote record.
    pub fn store_vote(&self, vote: Vote) {
        self.state.borrow_mut().vote = Some(vote);
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

    /// The process ends at once: of what was not synced, `keep` frames at most survive (all of them when
    /// only the process dies).
    pub fn crash(&self, keep: Option<usize>) {
        let mut state = self.state.borrow_mut();
        if let Some(keep) = keep {
            let synced = state.synced;
            let safe = state.frames.iter().filter(|frame| frame.header().last() <= synced).count();
            state.frames.truncate(safe + keep);
        }
        state.cuts = 0;
        // Opening the log rewrites and syncs what is there.
        state.synced = state.frames.last().map_or(Index(0), |frame| frame.header().last());
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
