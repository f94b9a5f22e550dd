//! What must hold at every moment, over all members: kept outside them, from what they delivered.

use std::collections::BTreeMap;
use wire::frame::Frame;
use wire::id::{Csn, Index};

/// What any member has delivered or computed, by its place.
#[derive(Default)]
pub struct Truth {
    /// Chain at the end of each delivered frame.
    chains: BTreeMap<Index, u64>,
    /// Verdict digest after an index, and row digest as of a CSN.
    verdicts: BTreeMap<Index, u64>,
    rows: BTreeMap<Csn, u64>,
}

impl Truth {
    /// A member delivered `frame`.
    ///
    /// # Errors
    /// Another member delivered something else there.
    pub fn delivered(&mut self, frame: &Frame) -> Result<(), String> {
        let header = frame.header();
        let known = *self.chains.entry(header.last()).or_insert(header.chain);
        if known != header.chain {
            return Err(format!("agreement: two frames were decided at index {}", header.last()));
        }
        // No decided frame overlaps another.
        let inside = self.chains.range(header.first..header.last()).next();
        match inside {
            Some((index, _)) => Err(format!("agreement: index {index} ends a frame inside {frame:?}")),
            None => Ok(()),
        }
    }

    /// A member's digests after judging `index`, with rows as of `csn`.
    ///
    /// # Errors
    /// Another member has others there.
    pub fn digests(&mut self, index: Index, verdicts: u64, csn: Csn, rows: u64) -> Result<(), String> {
        if *self.verdicts.entry(index).or_insert(verdicts) != verdicts {
            return Err(format!("digest: verdicts differ at index {index}"));
        }
        if *self.rows.entry(csn).or_insert(rows) != rows {
            return Err(format!("digest: rows differ at CSN {csn}"));
        }
        Ok(())
    }
}
