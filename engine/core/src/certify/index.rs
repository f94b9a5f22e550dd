//! Which CSN last wrote, or shared, a key hash: open addressing in generations.
//!
//! Inserts go to the youngest generation; a lookup probes, youngest first, those that hold anything above the
//! snapshot that it is for, and stops in each only at a never-used slot. A generation is sealed at a fixed
//! count and dropped whole once its highest CSN is at most the stable CSN. Nothing is ever overwritten in place
//! or deleted alone: either would lose live entries behind it in a probe sequence. No sweep, no pause.
//!
//! A key's writer and sharer have slots of their own in one probe sequence, so that one pass finds both. What is
//! slow is memory, not work: who has many keys to look up touches their slots first ([`Since::touch`]), so
//! that they are on their way together.
//!
//! Members agree on verdicts, not on this layout.
//!
//! Invariant: a generation's highest CSN is at least that of every older one.

use std::collections::BTreeMap;
use std::rc::Rc;
use wire::id::Csn;
use wire::mutant::{Mutant, planted};
use wire::rare;

/// Slots of a generation where nobody says otherwise. 16 bytes each.
pub const GENERATION_SLOTS: usize = 1 << 17;
/// Of its slots a generation fills one in so many, and is sealed.
const SLOTS_PER_KEY: usize = 2;
/// A spare generation is cleared a bit further with every so many keys.
const CLEARED_EVERY: usize = 64;
/// Tells a sharer's entry from a writer's of the same key.
const SHARED: u64 = 0x5851_f42d_4c95_7f2d;

#[derive(Clone, Copy, Default)]
struct Slot {
    hash: u64,
    /// 0: never used.
    csn: u64,
}

/// Where the probe sequence of a key begins, its sharer's as its writer's; the low bits count.
fn home(hash: u64) -> usize {
    // Of the two hashes of a key one is odd: that one is taken back to the other.
    let even = hash ^ (SHARED & 0u64.wrapping_sub(hash & 1));
    (even >> 1) as usize
}

/// Keys in the order of their slots, none ever removed.
#[derive(Clone)]
pub(crate) struct Generation {
    /// A power of two of them.
    slots: Box<[Slot]>,
    keys: usize,
    highest: Csn,
}

impl Generation {
    fn new(slots: usize) -> Self {
        assert!(slots.is_power_of_two() && slots >= CLEARED_EVERY, "a generation of {slots} slots");
        Self { slots: vec![Slot::default(); slots].into_boxed_slice(), keys: 0, highest: Csn(0) }
    }

    fn keys_max(&self) -> usize {
        self.slots.len() / SLOTS_PER_KEY
    }

    /// The slot at `at`, counted round.
    fn slot(&self, at: usize) -> Slot {
        self.slots[at & (self.slots.len() - 1)]
    }

    /// Keys and their CSNs from slot `from` on, until `slots_max` slots were looked at; the slot to go on with,
    /// `None` at the end.
    pub(crate) fn keys_from(&self, from: usize, slots_max: usize, mut visit: impl FnMut(u64, Csn)) -> Option<usize> {
        let end = from.saturating_add(slots_max).min(self.slots.len());
        for slot in self.slots[from.min(end)..end].iter().filter(|slot| slot.csn != 0) {
            visit(slot.hash, Csn(slot.csn));
        }
        (end < self.slots.len()).then_some(end)
    }

    /// The slot that holds `hash`, or the never-used one where its probe sequence ends.
    fn find(&self, hash: u64) -> usize {
        let mut at = home(hash);
        loop {
            let slot = self.slot(at);
            if slot.csn == 0 || slot.hash == hash {
                return at & (self.slots.len() - 1);
            }
            at += 1;
        }
    }

    /// Whether a key has a writer above `snapshot` here, or a sharer where those count.
    fn is_later(&self, hash: u64, sharers: bool, snapshot: Csn) -> bool {
        // Where sharers do not count there is nobody else to look for.
        let shared = if sharers { hash ^ SHARED } else { hash };
        let mut at = home(hash);
        loop {
            let slot = self.slot(at);
            if slot.csn == 0 {
                return false;
            }
            if (slot.hash == hash || slot.hash == shared) && slot.csn > snapshot.0 {
                return true;
            }
            at += 1;
        }
    }

    fn put(&mut self, hash: u64, csn: Csn) {
        let at = self.find(hash);
        self.keys += usize::from(self.slots[at].csn == 0);
        self.slots[at] = Slot { hash, csn: csn.0 };
        self.highest = self.highest.max(csn);
    }
}

/// A dropped generation that becomes the youngest once more.
struct Spare {
    generation: Generation,
    /// So many slots are never-used again.
    cleared: usize,
}

impl Spare {
    fn clear(&mut self, slots_max: usize) {
        let end = self.cleared.saturating_add(slots_max).min(self.generation.slots.len());
        self.generation.slots[self.cleared..end].fill(Slot::default());
        self.cleared = end;
    }
}

/// See the module.
pub struct WriteIndex {
    /// Oldest first; checkpoints may read them.
    sealed: Vec<Rc<Generation>>,
    youngest: Generation,
    spare: Option<Spare>,
}

impl Default for WriteIndex {
    fn default() -> Self {
        Self::new(GENERATION_SLOTS)
    }
}

/// What an index holds above a snapshot.
#[derive(Clone, Copy)]
pub struct Since<'a> {
    /// Those that hold anything above it.
    sealed: &'a [Rc<Generation>],
    youngest: &'a Generation,
    snapshot: Csn,
}

impl Since<'_> {
    /// Whether the key was written or shared.
    #[must_use]
    pub fn is_touched(self, hash: u64) -> bool {
        self.find(hash, true)
    }

    /// Whether the key was written.
    #[must_use]
    pub fn is_written(self, hash: u64) -> bool {
        self.find(hash, false)
    }

    fn find(self, hash: u64, sharers: bool) -> bool {
        let sealed = if planted(Mutant::YoungestGenerationOnly) { &[] } else { self.sealed };
        self.youngest.is_later(hash, sharers, self.snapshot)
            || sealed.iter().rev().any(|generation| generation.is_later(hash, sharers, self.snapshot))
    }

    /// Reads the slots where lookups of a key, and its insert, will begin. The sum is of no use but to keep the
    /// reads: none waits for another.
    #[must_use]
    pub fn touch(self, hash: u64) -> u64 {
        let at = home(hash);
        let first = self.youngest.slot(at).csn;
        self.sealed.iter().fold(first, |sum, generation| sum.wrapping_add(generation.slot(at).csn))
    }
}

impl WriteIndex {
    /// With generations of so many slots, a power of two.
    ///
    /// # Panics
    /// When it is none, or below 64.
    #[must_use]
    pub fn new(generation_slots: usize) -> Self {
        Self { sealed: Vec::new(), youngest: Generation::new(generation_slots), spare: None }
    }

    /// Slots of each generation.
    #[must_use]
    pub fn generation_slots(&self) -> usize {
        self.youngest.slots.len()
    }

    /// What lies above `snapshot`, which is not below the stable CSN.
    #[must_use]
    pub fn since(&self, snapshot: Csn) -> Since<'_> {
        let mut from = self.sealed.len();
        while from > 0 && self.sealed[from - 1].highest > snapshot {
            from -= 1;
        }
        Since { sealed: &self.sealed[from..], youngest: &self.youngest, snapshot }
    }

    /// Records that `csn` wrote the key.
    pub fn set_writer(&mut self, hash: u64, csn: Csn) {
        self.set(hash, csn);
    }

    /// Records that `csn` shared the key.
    pub fn set_sharer(&mut self, hash: u64, csn: Csn) {
        self.set(hash ^ SHARED, csn);
    }

    fn set(&mut self, hash: u64, csn: Csn) {
        assert!(csn.0 > 0, "CSNs begin at 1");
        if self.youngest.keys == self.youngest.keys_max() {
            self.seal();
        }
        self.youngest.put(hash, csn);
        // A bit with every few keys, so that no insert waits for all of it.
        if self.youngest.keys.is_multiple_of(CLEARED_EVERY)
            && let Some(spare) = &mut self.spare
        {
            spare.clear(CLEARED_EVERY * SLOTS_PER_KEY);
        }
    }

    /// Inserts go to a new generation from here on.
    fn seal(&mut self) {
        let mut next = match self.spare.take() {
            Some(mut spare) => {
                spare.clear(usize::MAX);
                spare.generation
            }
            None => Generation::new(self.youngest.slots.len()),
        };
        (next.keys, next.highest) = (0, self.youngest.highest);
        self.sealed.push(Rc::new(std::mem::replace(&mut self.youngest, next)));
    }

    /// Freezes what there is, for a checkpoint: inserts go to a new generation from here on.
    pub(crate) fn freeze(&mut self) -> Vec<Rc<Generation>> {
        self.end_generation();
        self.sealed.clone()
    }

    /// Every key whose last CSN is above `stable`, in the order of hashes: what members agree on.
    #[must_use]
    pub fn live(&self, stable: Csn) -> BTreeMap<u64, Csn> {
        let mut live = BTreeMap::new();
        for generation in self.sealed.iter().map(Rc::as_ref).chain([&self.youngest]) {
            generation.keys_from(0, usize::MAX, |hash, csn| {
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
        if self.youngest.keys == self.youngest.keys_max() {
            self.seal();
        }
        self.youngest.put(hash, csn);
    }

    /// The generation that was restored is whole.
    pub(crate) fn end_generation(&mut self) {
        if self.youngest.keys > 0 {
            self.seal();
        }
    }

    /// Drops generations that no transaction can conflict with any more.
    pub fn collect(&mut self, stable: Csn) {
        while self.sealed.first().is_some_and(|oldest| oldest.highest <= stable) {
            rare!("a generation of last writers is dropped");
            // Its memory is used again, unless a checkpoint still reads it.
            let oldest = Rc::into_inner(self.sealed.remove(0));
            self.spare = self.spare.take().or(oldest.map(|generation| Spare { generation, cleared: 0 }));
        }
    }

    /// Keys held (COUNT_TRANSACTIONS_ROWS_VALIDATING).
    #[must_use]
    pub fn keys(&self) -> u64 {
        let sealed: usize = self.sealed.iter().map(|generation| generation.keys).sum();
        (sealed + self.youngest.keys) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Against plain maps, over several generations, collections and checkpoints: whatever is above the stable CSN
    /// is found, for every snapshot from there on.
    #[test]
    fn finds_what_a_map_finds() {
        let mut index = WriteIndex::default();
        let (mut writers, mut sharers, mut rng) = (BTreeMap::new(), BTreeMap::new(), Rng::new(7));
        let mut frozen = Vec::new();
        for csn in 1..=400_000 {
            let hash = rng.below(200_000).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            if rng.percent(20) {
                index.set_sharer(hash, Csn(csn));
                sharers.insert(hash, csn);
            } else {
                index.set_writer(hash, Csn(csn));
                writers.insert(hash, csn);
            }
            if csn % 70_000 == 0 {
                frozen = index.freeze();
            }
            if csn % 50_000 == 0 {
                let stable = csn - 60_000.min(csn);
                index.collect(Csn(stable));
                for hash in (0..200_000u64).map(|key| key.wrapping_mul(0x9e37_79b9_7f4a_7c15)) {
                    let last = |map: &BTreeMap<u64, u64>| map.get(&hash).copied().unwrap_or_default();
                    let snapshot = stable + rng.below(csn - stable + 1);
                    let (written, shared) = (last(&writers) > snapshot, last(&sharers) > snapshot);
                    let since = index.since(Csn(snapshot));
                    let _ = since.touch(hash);
                    assert_eq!(since.is_written(hash), written);
                    assert_eq!(since.is_touched(hash), written || shared);
                }
            }
        }
        assert!(frozen.iter().all(|generation| generation.keys > 0));
        assert!(index.sealed.len() <= 5, "{} generations", index.sealed.len());
    }

    /// A dropped generation comes back empty, whether or not there was time to clear it.
    #[test]
    fn a_generation_that_is_used_again_holds_nothing() {
        const KEYS_MAX: usize = GENERATION_SLOTS / SLOTS_PER_KEY;
        for between in [1, KEYS_MAX / 2, KEYS_MAX - 1] {
            let (mut index, mut csn) = (WriteIndex::default(), 0);
            let mut fill = |index: &mut WriteIndex, keys: usize| {
                for _ in 0..keys {
                    csn += 1;
                    index.set_writer(csn * 2, Csn(csn));
                }
                Csn(csn)
            };
            let last = fill(&mut index, KEYS_MAX + 1);
            index.collect(last);
            assert!(index.spare.is_some(), "the first generation was dropped");
            fill(&mut index, between);
            index.freeze();
            assert!(index.spare.is_none(), "and is the youngest now");
            index.youngest.keys_from(0, usize::MAX, |hash, _| panic!("{hash} is still there after {between} inserts"));
            assert_eq!(index.keys(), 1 + between as u64);
        }
    }
}
