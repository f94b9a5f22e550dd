//! The end of the log in memory: every frame that is not yet decided, and some decided ones, so that
//! peers a little behind are served without a disk read.
//!
//! Invariants, asserted at each change: frames are gap-free and chained; nothing decided is cut;
//! `synced <= last`, `decided <= last`.

use std::collections::VecDeque;
use wire::frame::{CHAIN_START, Frame};
use wire::id::{Ballot, Index};

/// A place between two frames, and what the log is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// Last index before the place; 0 at the start.
    pub index: Index,
    /// Ballot of the frame that ends there.
    pub ballot: Ballot,
    /// Chain there.
    pub chain: u64,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Tail {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// The place before the first frame in memory.
    base: Point,
    decided: Index,
    synced: Index,
    cuts: u64,
}

/// Decided frames are kept in memory up to this many bytes.
const CACHE_BYTES: usize = 16 << 20;

impl Tail {
    /// A log whose last decided frame ends at `base`, followed by nothing yet.
    #[must_use]
    pub fn new(base: Point) -> Self {
        Self { frames: VecDeque::new(), bytes: 0, base, decided: base.index, synced: base.index, cuts: 0 }
    }

    /// The empty log.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(Point { index: Index(0), ballot: Ballot::ZERO, chain: CHAIN_START })
    }

    /// The end of the log.
    #[must_use]
    pub fn end(&self) -> Point {
        self.frames.back().map_or(self.base, point_after)
    }

    /// Highest index.
    #[must_use]
    pub fn last(&self) -> Index {
        self.end().index
    }

    /// The place before the first frame in memory.
    #[must_use]
    pub fn oldest(&self) -> Index {
        self.base.index
    }

    /// Highest decided index.
    #[must_use]
    pub fn decided(&self) -> Index {
        self.decided
    }

    /// Highest index synced here.
    #[must_use]
    pub fn synced(&self) -> Index {
        self.synced
    }

    /// How often the log was cut since the start.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.cuts
    }

    /// The place at `index`, when a frame ends there and is still in memory.
    #[must_use]
    pub fn point(&self, index: Index) -> Option<Point> {
        let end = self.end();
        if index == end.index {
            return Some(end);
        }
        if index == self.base.index {
            return Some(self.base);
        }
        let found = point_after(self.frames.get(self.ending_before(index))?);
        (found.index == index).then_some(found)
    }

    /// How many frames end before `index`. Mostly it is one of the last that is asked for: from the end, in growing
    /// steps, to a frame that ends before it, then by halves.
    fn ending_before(&self, index: Index) -> usize {
        let before = |at: usize| self.frames[at].header().last() < index;
        let (mut low, mut high, mut step) = (0, self.frames.len(), 1);
        while high > 0 && step <= high {
            if before(high - step) {
                low = high - step + 1;
                break;
            }
            high -= step;
            step *= 2;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            (low, high) = if before(middle) { (middle + 1, high) } else { (low, middle) };
        }
        low
    }

    /// Frames after `index` (a frame boundary in memory), up to about `bytes_max`, at least one if there is any.
    #[must_use]
    pub fn frames_after(&self, index: Index, bytes_max: usize) -> Option<Vec<Frame>> {
        if index > self.last() {
            return None;
        }
        let from = self.ending_before(index.next());
        let boundary = self.frames.get(from).map_or(self.last(), |frame| Index(frame.header().first.0 - 1));
        if boundary != index {
            return None;
        }
        let mut bytes = 0;
        let wanted = self.frames.range(from..).take_while(|frame| {
            let first = bytes == 0;
            bytes += frame.bytes().len();
            first || bytes <= bytes_max
        });
        Some(wanted.cloned().collect())
    }

    /// Every frame in memory, in order.
    pub fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter()
    }

    /// Every frame that is not decided, in order.
    pub fn undecided(&self) -> impl DoubleEndedIterator<Item = &Frame> {
        self.frames.range(self.ending_before(self.decided.next())..)
    }

    /// Bytes and frames that are not decided.
    #[must_use]
    pub fn undecided_size(&self) -> (usize, usize) {
        self.undecided().fold((0, 0), |(bytes, frames), frame| (bytes + frame.bytes().len(), frames + 1))
    }

    /// Adds a frame at the end.
    pub fn append(&mut self, frame: Frame) {
        let end = self.end();
        assert_eq!(frame.header().first, end.index.next(), "a log has no gaps");
        assert_eq!(frame.header().previous_chain, end.chain, "a frame continues the chain");
        assert!(frame.header().ballot >= end.ballot, "ballots do not fall along a log");
        self.bytes += frame.bytes().len();
        self.frames.push_back(frame);
    }

    /// Drops every frame after `index`, a frame boundary.
    pub fn cut_after(&mut self, index: Index) {
        assert!(index >= self.decided, "cut after {index}, but {} is decided", self.decided);
        assert!(self.point(index).is_some(), "a cut falls between frames");
        while self.frames.back().is_some_and(|frame| frame.header().last() > index) {
            let frame = self.frames.pop_back().expect("just seen");
            self.bytes -= frame.bytes().len();
        }
        self.synced = self.synced.min(index);
        self.cuts += 1;
    }

    /// The log is synced up to `index`, if no cut came between.
    pub fn on_synced(&mut self, index: Index, cuts: u64) {
        if cuts == self.cuts {
            assert!(index <= self.last(), "synced {index} of {}", self.last());
            self.synced = self.synced.max(index);
        }
    }

    /// The next frame that becomes decided when everything up to `index` is, `None` when all have.
    pub fn decide_next(&mut self, index: Index) -> Option<Frame> {
        assert!(index >= self.decided, "decided never falls");
        assert!(index <= self.last(), "decided {index} is beyond the log's end {}", self.last());
        if self.decided == index {
            return None;
        }
        let next = self.undecided().next().filter(|frame| frame.header().last() <= index)?.clone();
        self.decided = next.header().last();
        while self.bytes > CACHE_BYTES && self.frames.front().is_some_and(|f| f.header().last() <= self.decided) {
            let frame = self.frames.pop_front().expect("just seen");
            self.bytes -= frame.bytes().len();
            self.base = point_after(&frame);
        }
        Some(next)
    }
}

/// The place where `frame` ends.
#[must_use]
pub fn point_after(frame: &Frame) -> Point {
    let header = frame.header();
    Point { index: header.last(), ballot: header.ballot, chain: header.chain }
}
