//! Which CSN last wrote, or shared, a key hash: open addressing in generations.
//!
//! Inserts go to the youngest generation; a lookup probes all, youngest first, and stops in each only
//! at a never-used slot. A generation is sealed at a fixed count and dropped whole once its highest
//! CSN is at most the stable CSN. Nothing is ever overwritten in place or deleted alone: either would
//! lose live entries behind it in a probe sequence. No sweep, no pause.
//!
//! Members agree on verdicts, not on this layout.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use wire::id::Csn;
use wire::mutant::{Mutant, planted};
use wire::rare;

/// Slots of a generation, a power of two. 16 bytes each. Few in the simulator, so that generations turn over.
const SLOTS: usize = if wire::mutant::AVAILABLE { 1 << 8 } else { 1 << 17 };
/// A generation is sealed at this many keys: load at most 1/2.
const KEYS_MAX: usize = SLOTS / 2;
/// Tells a sharer's entry from a writer's of the same key.
const SHARED: u64 = 0x5851_f42d_4c95_7f2d;

#[derive(Clone, Copy, Default)]
struct Slot {
    hash: u64,
    /// 0: never used.
    csn: u64,
}

/// Keys in the order of their slots, none ever removed.
#[derive(Clone)]
pub(crate) struct Generation {
    slots: Box<[Slot]>,
    keys: usize,
    highest: Csn,
}

impl Generation {
    fn new() -> Self {
        Self { slots: vec![Slot::default(); SLOTS].into_boxed_slice(), keys: 0, highest: Csn(0) }
    }

    /// Keys and their CSNs from slot `from` on, until `slots_max` slots were looked at; the slot to go on with,
    /// `None` at the end.
    pub(crate) fn keys_from(&self, from: usize, slots_max: usize, mut visit: impl FnMut(u64, Csn)) -> Option<usize> {
        let end = (from + slots_max).min(SLOTS);
        for slot in self.slots[from.min(end)..end].iter().filter(|slot| slot.csn != 0) {
            visit(slot.hash, Csn(slot.csn));
        }
        (end < SLOTS).then_some(end)
    }

    /// The slot that holds `hash`, or the never-used one where its probe sequence ends.
    fn find(&self, hash: u64) -> usize {
        let mut at = hash as usize & (SLOTS - 1);
        while self.slots[at].csn != 0 && self.slots[at].hash != hash {
            at = (at + 1) & (SLOTS - 1);
        }
        at
    }
}

/// See the module.
pub struct WriteIndex {
    /// Oldest first.
    generations: VecDeque<Rc<Generation>>,
}

impl Default for WriteIndex {
    fn default() -> Self {
        Self { generations: VecDeque::from([Rc::new(Generation::new())]) }
    }
}

impl WriteIndex {
    /// The last CSN that wrote the key, `Csn(0)` for none since the stable CSN.
    #[must_use]
    pub fn writer(&self, hash: u64) -> Csn {
        self.last(hash)
    }

    /// The last CSN that shared the key.
    #[must_use]
    pub fn sharer(&self, hash: u64) -> Csn {
        self.last(hash ^ SHARED)
    }

    /// Records that `csn` wrote the key.
    pub fn set_writer(&mut self, hash: u64, csn: Csn) {
        self.set(hash, csn);
    }

    /// Records that `csn` shared the key.
    pub fn set_sharer(&mut self, hash: u64, csn: Csn) {
        self.set(hash ^ SHARED, csn);
    }

    fn last(&self, hash: u64) -> Csn {
        let searched = if planted(Mutant::YoungestGenerationOnly) { 1 } else { self.generations.len() };
        for generation in self.generations.iter().rev().take(searched) {
            let slot = generation.slots[generation.find(hash)];
            if slot.csn != 0 {
                return Csn(slot.csn);
            }
        }
        Csn(0)
    }

    fn set(&mut self, hash: u64, csn: Csn) {
        assert!(csn.0 > 0, "CSNs begin at 1");
        if self.youngest().keys == KEYS_MAX {
            self.generations.push_back(Rc::new(Generation::new()));
        }
        let youngest = self.youngest();
        let at = youngest.find(hash);
        youngest.keys += usize::from(youngest.slots[at].csn == 0);
        youngest.slots[at] = Slot { hash, csn: csn.0 };
        youngest.highest = csn;
    }

    fn youngest(&mut self) -> &mut Generation {
        let youngest = self.generations.back_mut().expect("there is always a generation");
        Rc::get_mut(youngest).expect("a frozen generation is never the youngest")
    }

    /// Freezes what there is, for a checkpoint: inserts go to a new generation from here on.
    pub(crate) fn freeze(&mut self) -> Vec<Rc<Generation>> {
        let frozen: Vec<_> = self.generations.iter().filter(|generation| generation.keys > 0).cloned().collect();
        if self.generations.back().is_some_and(|youngest| youngest.keys > 0) {
            self.generations.push_back(Rc::new(Generation::new()));
        }
        frozen
    }

    /// Every key whose last CSN is above `stable`, in the order of hashes: what members agree on.
    #[must_use]
    pub fn live(&self, stable: Csn) -> BTreeMap<u64, Csn> {
        let mut live = BTreeMap::new();
        for generation in &self.generations {
            generation.keys_from(0, SLOTS, |hash, csn| {
                live.insert(hash, csn);
            });
        }
        live.retain(|_, csn| *csn > stable);
        live
    }

    /// Adds a key of a checkpoint: they come generation by generation, the oldest first, in the order of slots.
    pub(crate) fn restore(&mut self, hash: u64, csn: Csn) {
        if csn == Csn(0) {
            return;
        }
        if self.youngest().keys == KEYS_MAX {
            self.end_generation();
        }
        let youngest = self.youngest();
        let at = youngest.find(hash);
        youngest.keys += usize::from(youngest.slots[at].csn == 0);
        youngest.slots[at] = Slot { hash, csn: csn.0 };
        youngest.highest = youngest.highest.max(csn);
    }

    /// The generation that was restored is whole.
    pub(crate) fn end_generation(&mut self) {
        if self.youngest().keys > 0 {
            self.generations.push_back(Rc::new(Generation::new()));
        }
    }

    /// Drops generations that no transaction can conflict with any more.
    pub fn collect(&mut self, stable: Csn) {
        while self.generations.len() > 1 && self.generations.front().is_some_and(|oldest| oldest.highest <= stable) {
            rare!("a generation of last writers is dropped");
            self.generations.pop_front();
        }
    }

    /// Keys held (COUNT_TRANSACTIONS_ROWS_VALIDATING).
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.generations.iter().map(|generation| generation.keys as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Against a plain map, over several generations and collections: whatever is above the stable CSN is found.
    #[test]
    fn finds_what_a_map_finds() {
        let (mut index, mut model, mut rng) = (WriteIndex::default(), BTreeMap::new(), Rng::new(7));
        for csn in 1..=400_000 {
            let hash = rng.below(200_000).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            index.set_writer(hash, Csn(csn));
            model.insert(hash, csn);
            if csn % 50_000 == 0 {
                let stable = csn - 60_000.min(csn);
                index.collect(Csn(stable));
                for (&hash, &last) in &model {
                    if last > stable {
                        assert_eq!(index.writer(hash), Csn(last));
                        assert_eq!(index.sharer(hash), Csn(0));
                    }
                }
            }
        }
        assert!(index.generations.len() <= 4);
    }
}
