//! The rows of a member over its shards: reads at a snapshot, scans, application in CSN order.
//!
//! Keys and rows are opaque bytes; keys compare as bytes. Absent on purpose: uncommitted rows (they live
//! in their transaction's overlay) and waiting.

use crate::key::KeyBytes;
use crate::shard::{Shard, Version, row_digest};
use std::collections::BTreeMap;
use std::ops::Bound;
use wire::id::{Csn, TableId};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A key space: 0 holds a table's rows by primary key, n its n-th secondary index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space {
    /// The table.
    pub table: TableId,
    /// Which of its key spaces.
    pub number: u16,
}

/// One change to apply: the images are stored bytes, `None` where the key does not exist.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// Where.
    pub space: Space,
    /// Memcomparable key bytes.
    pub key: &'a [u8],
    /// What its origin saw.
    pub before: Option<&'a [u8]>,
    /// What it made of it.
    pub after: Option<&'a [u8]>,
}

/// What is stored is not what the change's origin saw: this member is not equal to the origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "diverged at CSN {csn}: table {} space {}, key {key:02x?}: expected row digest {expected:?}, found {found:?}",
    space.table.0, space.number
)]
pub struct Divergence {
    /// The transaction that met it.
    pub csn: Csn,
    /// Where.
    pub space: Space,
    /// The key.
    pub key: Vec<u8>,
    /// Digest of the before image; `None` when the key should not exist.
    pub expected: Option<u64>,
    /// Digest of the stored row; `None` when there is none, or the table is unknown.
    pub found: Option<u64>,
}

/// A stretch of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Lower end.
    pub from: Bound<Vec<u8>>,
    /// Upper end.
    pub to: Bound<Vec<u8>>,
}

impl Range {
    /// Every key.
    #[must_use]
    pub const fn all() -> Self {
        Self { from: Bound::Unbounded, to: Bound::Unbounded }
    }

    /// Every key that begins with `prefix`.
    #[must_use]
    pub fn prefix(prefix: &[u8]) -> Self {
        let to = successor(prefix).map_or(Bound::Unbounded, Bound::Excluded);
        Self { from: Bound::Included(prefix.to_vec()), to }
    }

    /// What is left of the range after `key` was delivered by a scan in the given direction.
    #[must_use]
    pub fn after(&self, key: &[u8], backward: bool) -> Self {
        if backward {
            Self { from: self.from.clone(), to: Bound::Excluded(key.to_vec()) }
        } else {
            Self { from: Bound::Excluded(key.to_vec()), to: self.to.clone() }
        }
    }

    /// Whether no key can lie in it (`BTreeMap::range` panics on such bounds).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match (&self.from, &self.to) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
        }
    }

    /// Whether `key` lies in it.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        let above = match &self.from {
            Bound::Included(from) => key >= from.as_slice(),
            Bound::Excluded(from) => key > from.as_slice(),
            Bound::Unbounded => true,
        };
        let below = match &self.to {
            Bound::Included(to) => key <= to.as_slice(),
            Bound::Excluded(to) => key < to.as_slice(),
            Bound::Unbounded => true,
        };
        above && below
    }

    /// The bounds, borrowed.
    #[must_use]
    pub fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (self.from.as_ref().map(Vec::as_slice), self.to.as_ref().map(Vec::as_slice))
    }
}

/// The least byte string above every one that begins with `prefix`; `None` when there is none.
#[must_use]
pub fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != 0xff)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

/// One key of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its key bytes.
    pub key: &'a [u8],
    /// The version's CSN.
    pub csn: Csn,
    /// Its row; `None` is a tombstone (in scans of the newest versions only).
    pub row: Option<&'a [u8]>,
}

/// All rows of a member.
#[derive(Debug)]
pub struct Store {
    shards: Vec<Shard>,
    /// Digest per table that exists, so that dropping one costs nothing.
    tables: BTreeMap<TableId, u64>,
    applied: Csn,
    digest: u64,
    floor: Csn,
}

impl Store {
    /// An empty store of `shards` partitions, at least one.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        let shards = (0..shards.max(1)).map(|_| Shard::default()).collect();
        Self { shards, tables: BTreeMap::new(), applied: Csn(0), digest: 0, floor: Csn(0) }
    }

    fn shard_of(&self, space: Space, key: &[u8]) -> usize {
        if self.shards.len() == 1 {
            return 0;
        }
        let hash = xxh3_64_with_seed(key, space.table.0.rotate_left(16) ^ u64::from(space.number));
        (hash % self.shards.len() as u64) as usize
    }

    /// Makes a table known. Idempotent.
    pub fn create_table(&mut self, table: TableId) {
        self.tables.entry(table).or_insert(0);
    }

    /// Whether the table exists.
    #[must_use]
    pub fn has_table(&self, table: TableId) -> bool {
        self.tables.contains_key(&table)
    }

    /// Forgets a table with all its rows; the memory is freed by [`Store::collect`].
    pub fn drop_table(&mut self, csn: Csn, table: TableId) {
        self.applied = self.applied.max(csn);
        if let Some(digest) = self.tables.remove(&table) {
            self.digest = self.digest.wrapping_sub(digest);
        }
        for shard in &mut self.shards {
            shard.drop_table(table);
        }
    }

    /// Forgets one key space (an index) of a table. Costs one pass over it.
    pub fn drop_space(&mut self, csn: Csn, space: Space) {
        self.applied = self.applied.max(csn);
        let mut gone = 0_u64;
        for shard in &mut self.shards {
            for (key, version) in shard.keys(space).into_iter().flatten() {
                if let Some(row) = version.row.as_deref() {
                    gone = gone.wrapping_add(row_digest(space, key, row));
                }
            }
            shard.drop_space(space);
        }
        if let Some(digest) = self.tables.get_mut(&space.table) {
            *digest = digest.wrapping_sub(gone);
            self.digest = self.digest.wrapping_sub(gone);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::new(self.shards.len());
    }

    /// The newest version of a key, whoever may see it; a tombstone has no row.
    #[must_use]
    pub fn newest(&self, space: Space, key: &[u8]) -> Option<(Csn, Option<&[u8]>)> {
        let version = self.shards[self.shard_of(space, key)].newest(space, key)?;
        Some((version.csn, version.row.as_deref()))
    }

    /// The row of a key as a snapshot at `at` sees it.
    #[must_use]
    pub fn get(&self, space: Space, key: &[u8], at: Csn) -> Option<&[u8]> {
        self.shards[self.shard_of(space, key)].newest(space, key)?.as_of(at)?.row.as_deref()
    }

    /// The rows of a range as a snapshot at `at` sees them, in key order. Resumable: [`Range::after`].
    pub fn scan<'a>(&'a self, space: Space, range: &Range, at: Csn, backward: bool) -> impl Iterator<Item = Entry<'a>> {
        self.versions(space, range, backward).filter_map(move |(key, version)| {
            let version = version.as_of(at)?;
            Some(Entry { key, csn: version.csn, row: Some(version.row.as_deref()?) })
        })
    }

    /// The newest versions of a range, tombstones included, in key order.
    pub fn scan_newest<'a>(&'a self, space: Space, range: &Range, backward: bool) -> impl Iterator<Item = Entry<'a>> {
        self.versions(space, range, backward).map(|(key, version)| Entry {
            key,
            csn: version.csn,
            row: version.row.as_deref(),
        })
    }

    /// The least key space at or after `from` that holds keys.
    pub(crate) fn space_from(&self, from: Space) -> Option<Space> {
        self.shards.iter().filter_map(|shard| shard.space_from(from)).min()
    }

    /// Stores a row of a checkpoint. False when its key is there already.
    pub(crate) fn put_loaded(&mut self, csn: Csn, space: Space, key: &[u8], row: &[u8]) -> bool {
        let at = self.shard_of(space, key);
        if self.shards[at].newest(space, key).is_some() {
            return false;
        }
        let put = self.shards[at].put(csn, space, key, None, Some(row)).expect("no version of the key was there");
        let table = self.tables.entry(space.table).or_insert(0);
        *table = table.wrapping_add(put.added);
        self.digest = self.digest.wrapping_add(put.added);
        self.applied = self.applied.max(csn);
        true
    }

    /// Changes one bit of a resident row of `table`, as failing memory does: for tests of the scrub. False when it
    /// has none.
    pub fn damage(&mut self, table: TableId) -> bool {
        self.shards.iter_mut().any(|shard| shard.damage(Space { table, number: 0 }))
    }

    pub(crate) fn versions<'a>(&'a self, space: Space, range: &Range, backward: bool) -> Merge<'a> {
        let mut merge = Merge { sources: Vec::with_capacity(self.shards.len()), backward };
        if !range.is_empty() {
            for shard in &self.shards {
                if let Some(keys) = shard.keys(space) {
                    let mut source = Source { keys: keys.range::<[u8], _>(range.bounds()), head: None };
                    source.advance(backward);
                    merge.sources.push(source);
                }
            }
        }
        merge
    }

    /// Applies one change of transaction `csn`. Transactions are applied in CSN order; the changes of
    /// one in their order.
    ///
    /// # Errors
    /// [`Divergence`] when the before image is not what is stored; the change is then not applied.
    pub fn apply(&mut self, csn: Csn, change: &Change<'_>) -> Result<(), Divergence> {
        assert!(csn >= self.applied, "CSN {csn} is applied after {}", self.applied);
        self.applied = csn;
        let at = self.shard_of(change.space, change.key);
        let replaced = match self.tables.get_mut(&change.space.table) {
            Some(table) => {
                let put = self.shards[at].put(csn, change.space, change.key, change.before, change.after);
                put.map(|replaced| (table, replaced))
            }
            None => Err(None),
        };
        let diverged = |found| Divergence {
            csn,
            space: change.space,
            key: change.key.to_vec(),
            expected: change.before.map(|row| row_digest(change.space, change.key, row)),
            found,
        };
        let (table, replaced) = replaced.map_err(diverged)?;
        *table = table.wrapping_sub(replaced.removed).wrapping_add(replaced.added);
        self.digest = self.digest.wrapping_sub(replaced.removed).wrapping_add(replaced.added);
        Ok(())
    }

    /// Notes that everything up to `csn` is applied (a transaction without changes, a view).
    pub fn advance(&mut self, csn: Csn) {
        self.applied = self.applied.max(csn);
    }

    /// CSN of the last applied transaction.
    #[must_use]
    pub fn applied(&self) -> Csn {
        self.applied
    }

    /// Digest of all rows and index entries as of [`Store::applied`]: a set hash, independent of order.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The same from a full scan: what a checker compares [`Store::digest`] with.
    #[must_use]
    pub fn recompute_digest(&self) -> u64 {
        let mut digest = 0_u64;
        for shard in &self.shards {
            for (&space, keys) in shard.spaces() {
                for (key, version) in keys {
                    if let Some(row) = version.row.as_deref() {
                        digest = digest.wrapping_add(row_digest(space, key, row));
                    }
                }
            }
        }
        digest
    }

    /// Drops versions that only snapshots below `floor` can see, in at most `budget` steps. Floors that
    /// fall are ignored. True when nothing is left to do.
    pub fn collect(&mut self, floor: Csn, budget: usize) -> bool {
        self.floor = self.floor.max(floor);
        let mut budget = budget;
        let floor = self.floor;
        let mut done = true;
        for shard in &mut self.shards {
            done &= shard.collect(floor, &mut budget);
        }
        done
    }

    /// Bytes held: keys, rows, superseded versions and an estimate of the maps.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(Shard::bytes).sum()
    }

    /// Keys that hold a row or an index entry.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.shards.iter().map(Shard::rows).sum()
    }

    /// Keys of one space, tombstones included: an estimate for the planner and TABLE_ROWS.
    #[must_use]
    pub fn space_len(&self, space: Space) -> usize {
        self.shards.iter().filter_map(|shard| shard.keys(space)).map(BTreeMap::len).sum()
    }
}

struct Source<'a> {
    keys: std::collections::btree_map::Range<'a, KeyBytes, Version>,
    head: Option<(&'a [u8], &'a Version)>,
}

impl Source<'_> {
    fn advance(&mut self, backward: bool) {
        let next = if backward { self.keys.next_back() } else { self.keys.next() };
        self.head = next.map(|(key, version)| (key.as_slice(), version));
    }
}

/// Merges the shards' keys in order. A key lives in one shard only, so heads never tie.
pub(crate) struct Merge<'a> {
    sources: Vec<Source<'a>>,
    backward: bool,
}

impl<'a> Iterator for Merge<'a> {
    type Item = (&'a [u8], &'a Version);

    fn next(&mut self) -> Option<Self::Item> {
        let mut best: Option<(usize, &[u8])> = None;
        for (at, source) in self.sources.iter().enumerate() {
            let Some((key, _)) = source.head else {
                continue;
            };
            if best.is_none_or(|(_, least)| if self.backward { key > least } else { key < least }) {
                best = Some((at, key));
            }
        }
        let source = &mut self.sources[best?.0];
        let head = source.head;
        source.advance(self.backward);
        head
    }
}

#[cfg(test)]
mod tests;
