//! What must hold at every moment, over all members: kept outside them, from what they delivered.

use std::collections::BTreeMap;
use wire::frame::Frame;
use wire::id::{Csn, Incarnation, Index};

/// What any member has delivered or computed, by its place.
#[derive(Default)]
pub struct Truth {
    /// End of each delivered frame and its chain, gap-free.
    frames: Vec<(Index, u64)>,
    /// Verdict digest after an index, and row digest as of a CSN.
    verdicts: BTreeMap<Index, u64>,
    rows: BTreeMap<Csn, u64>,
    /// Primary of each epoch.
    primaries: BTreeMap<u64, Option<Incarnation>>,
}

/// What a member's certifier and rows are at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digests {
    /// Last index judged.
    pub index: Index,
    /// Digest of the verdicts so far.
    pub verdicts: u64,
    /// Last CSN applied.
    pub csn: Csn,
    /// Digest of the rows.
    pub rows: u64,
    /// Primary epoch, and who it belongs to.
    pub epoch: u64,
    /// Primary of that epoch.
    pub primary: Option<Incarnation>,
}

impl Truth {
    /// A member delivered `frame`: the `at`th of its log, from 0.
    ///
    /// # Errors
    /// Another member delivered something else there.
    pub fn delivered(&mut self, at: usize, frame: &Frame) -> Result<(), String> {
        let header = frame.header();
        let found = (header.last(), header.chain);
        match self.frames.get(at) {
            Some(known) if *known != found => {
                Err(format!("agreement: two frames were decided at index {}: {known:?} and {frame:?}", header.first))
            }
            Some(_) => Ok(()),
            None => {
                assert_eq!(at, self.frames.len(), "frames are looked at in order");
                self.frames.push(found);
                Ok(())
            }
        }
    }

    /// A member's digests after judging an index, with rows as of a CSN.
    ///
    /// # Errors
    /// Another member has others there.
    pub fn digests(&mut self, found: &Digests) -> Result<(), String> {
        let Digests { index, verdicts, csn, rows, epoch, primary } = *found;
        if *self.verdicts.entry(index).or_insert(verdicts) != verdicts {
            return Err(format!("digest: verdicts differ at index {index}"));
        }
        if *self.rows.entry(csn).or_insert(rows) != rows {
            return Err(format!("digest: rows differ at CSN {csn}"));
        }
        let known = *self.primaries.entry(epoch).or_insert(primary);
        // A primary that left without a successor leaves its epoch empty.
        if known != primary && known.is_some() && primary.is_some() {
            return Err(format!("primary: epoch {epoch} belongs to {known:?} and to {primary:?}"));
        }
        Ok(())
    }
}
