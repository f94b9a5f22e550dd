//! What must hold at every moment, over all members: kept outside them, from what they delivered.

use super::GENERATION_SLOTS;
use super::model::Model;
use engine_core::certify::Certifier;
use engine_core::member::replay;
use std::collections::BTreeMap;
use wire::frame::Frame;
use wire::id::{Csn, Incarnation, Index};

/// What any member has delivered or computed, by its place.
#[derive(Clone, Default)]
pub struct Truth {
    /// Certification, the naive way.
    pub model: Model,
    /// Delivered frames by the index where they end, gap-free.
    frames: BTreeMap<Index, Frame>,
    /// Verdict digest after an index, and row digest as of a CSN.
    verdicts: BTreeMap<Index, u64>,
    rows: BTreeMap<Csn, u64>,
    /// Primary of each epoch, and when a member first delivered it.
    primaries: BTreeMap<u64, (Option<Incarnation>, u64)>,
}

/// A group that names more primaries than this within a second does nothing else.
const EPOCHS_PER_SECOND_MAX: u64 = 12;

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
    /// The last place that anybody delivered, and the chain there.
    pub fn end(&self) -> Option<(Index, u64)> {
        self.frames.last_key_value().map(|(&index, frame)| (index, frame.header().chain))
    }

    /// A member delivered `frame`. True when nobody did so before.
    ///
    /// # Errors
    /// Another member delivered something else there.
    pub fn delivered(&mut self, frame: &Frame) -> Result<bool, String> {
        // The chain covers place, ballot, bytes and all that came before.
        let (last, chain) = (frame.header().last(), frame.header().chain);
        let end = self.frames.last_key_value().map_or(Index(0), |(&end, _)| end);
        match self.frames.get(&last) {
            Some(known) if known.header().chain == chain => Ok(false),
            None if last > end && frame.header().first != end.next() => {
                Err(format!("agreement: {frame:?} was delivered by who never delivered what is before, after {end}"))
            }
            None if last > end => {
                self.frames.insert(last, frame.clone());
                Ok(true)
            }
            known => Err(format!("agreement: two frames were decided at index {last}: {known:?} and {frame:?}")),
        }
    }

    /// The fingerprint of a certifier that has judged everything up to `index` and never restarted; `None` when
    /// nobody has delivered so far.
    pub fn fingerprint(&self, index: Index) -> Option<u64> {
        let mut certifier = Certifier::new(GENERATION_SLOTS);
        for frame in self.frames.values().take_while(|frame| frame.header().last() <= index) {
            replay(&mut certifier, frame);
        }
        (certifier.index() == index).then(|| certifier.fingerprint())
    }

    /// A member's digests after judging an index, with rows as of a CSN, in microseconds of the run.
    ///
    /// # Errors
    /// Another member has others there.
    pub fn digests(&mut self, found: &Digests, now: u64) -> Result<(), String> {
        let Digests { index, verdicts, csn, rows, epoch, primary } = *found;
        if *self.verdicts.entry(index).or_insert(verdicts) != verdicts {
            return Err(format!("digest: verdicts differ at index {index}"));
        }
        if *self.rows.entry(csn).or_insert(rows) != rows {
            return Err(format!("digest: rows differ at CSN {csn}"));
        }
        let (known, first) = *self.primaries.entry(epoch).or_insert((primary, now));
        let before = epoch.checked_sub(EPOCHS_PER_SECOND_MAX).and_then(|before| self.primaries.get(&before));
        if let Some(&(_, before)) = before.filter(|&&(_, before)| first < before + 1_000_000) {
            let took = first - before;
            return Err(format!("primary: {EPOCHS_PER_SECOND_MAX} epochs up to {epoch} took {took} us"));
        }
        // A primary that left without a successor leaves its epoch empty.
        if known != primary && known.is_some() && primary.is_some() {
            return Err(format!("primary: epoch {epoch} belongs to {known:?} and to {primary:?}"));
        }
        Ok(())
    }
}
