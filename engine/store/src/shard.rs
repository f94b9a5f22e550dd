//! One shard: the versions of the keys of one hash partition.
//!
//! Invariants:
//! - the versions of a key are chained newest first, with strictly falling CSNs;
//! - every key with an older version or a tombstone has at least one place in `stale`, at the CSN of
//!   the version that made the older one superfluous, so that collection never has to search.

use crate::key::KeyBytes;
use crate::store::Space;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use wire::id::{Csn, TableId};
use wire::mutant::{Mutant, planted};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Rough cost of one version beside its bytes: map slot, CSN, pointers, allocator headers.
pub(crate) const VERSION_OVERHEAD_BYTES: usize = 64;

/// A key's value from one CSN on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The transaction that wrote it.
    pub csn: Csn,
    /// Stored bytes; `None` is a tombstone.
    pub row: Option<Box<[u8]>>,
    pub(crate) older: Option<Box<Version>>,
}

impl Version {
    /// The version that a snapshot at `at` sees.
    pub(crate) fn as_of(&self, at: Csn) -> Option<&Version> {
        let mut version = self;
        while version.csn > at {
            version = version.older.as_deref()?;
        }
        Some(version)
    }
}

/// The ordered map of one key space.
pub(crate) type Keys = BTreeMap<KeyBytes, Version>;

/// One hash partition of the key space.
#[derive(Debug, Default)]
pub struct Shard {
    spaces: BTreeMap<Space, Keys>,
    /// Keys with something to collect, by the CSN whose visibility to all makes it so.
    stale: VecDeque<(Csn, Space, KeyBytes)>,
    /// Dropped key spaces, freed in slices.
    graveyard: Vec<Keys>,
    bytes: usize,
    rows: u64,
}

/// What [`Shard::put`] replaced.
pub(crate) struct Replaced {
    /// Digest of the stored row before, 0 for none.
    pub removed: u64,
    /// Digest of the row as read back after storing, 0 for none.
    pub added: u64,
}

/// Digest of one row, also part of a divergence message.
pub(crate) fn row_digest(space: Space, key: &[u8], row: &[u8]) -> u64 {
    let seed = space.table.0.rotate_left(16) ^ u64::from(space.number);
    xxh3_64_with_seed(row, xxh3_64_with_seed(key, seed))
}

impl Shard {
    /// The newest version of a key, a tombstone included.
    #[must_use]
    pub fn newest(&self, space: Space, key: &[u8]) -> Option<&Version> {
        self.spaces.get(&space)?.get(key)
    }

    /// The keys of one space.
    pub(crate) fn keys(&self, space: Space) -> Option<&Keys> {
        self.spaces.get(&space)
    }

    /// The least key space at or after `from` that holds keys.
    pub(crate) fn space_from(&self, from: Space) -> Option<Space> {
        self.spaces.range(from..).find(|(_, keys)| !keys.is_empty()).map(|(&space, _)| space)
    }

    /// Changes one bit of the first row of a key space.
    pub(crate) fn damage(&mut self, space: Space) -> bool {
        let rows = self.spaces.get_mut(&space).into_iter().flat_map(BTreeMap::values_mut);
        let byte = rows.filter_map(|version| version.row.as_mut()?.last_mut()).next();
        byte.map(|byte| *byte ^= 1).is_some()
    }

    /// All key spaces, in order.
    pub(crate) fn spaces(&self) -> impl Iterator<Item = (&Space, &Keys)> {
        self.spaces.iter()
    }

    /// Bytes held, superseded versions included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keys that hold a row now.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Stores `after` as the newest version of `key`, where `before` lies now.
    ///
    /// # Errors
    /// Digest of what lies there instead, `None` for nothing; nothing is then changed.
    pub(crate) fn put(
        &mut self,
        csn: Csn,
        space: Space,
        key: &[u8],
        before: Option<&[u8]>,
        after: Option<&[u8]>,
    ) -> Result<Replaced, Option<u64>> {
        let digest = |row: &[u8]| row_digest(space, key, row);
        let cost = VERSION_OVERHEAD_BYTES + after.map_or(0, <[u8]>::len);
        let keys = self.spaces.entry(space).or_default();
        let mut removed = 0;
        let version = match keys.entry(KeyBytes::from(key)) {
            Entry::Vacant(_) if before.is_some() => return Err(None),
            Entry::Vacant(_) if after.is_none() => return Ok(Replaced { removed, added: 0 }),
            Entry::Vacant(vacant) => {
                self.bytes += key.len();
                vacant.insert(Version { csn, row: after.map(Box::from), older: None })
            }
            Entry::Occupied(occupied) => {
                let version = occupied.into_mut();
                if version.row.as_deref() != before {
                    return Err(version.row.as_deref().map(digest));
                }
                assert!(version.csn <= csn, "CSN {csn} is applied after {}", version.csn);
                removed = before.map_or(0, digest);
                let row = after.map(Box::from);
                if version.csn == csn {
                    // The transaction changes the key again: nobody can have a snapshot between the two.
                    self.bytes -= VERSION_OVERHEAD_BYTES + before.map_or(0, <[u8]>::len);
                    version.row = row;
                } else {
                    let older = std::mem::replace(version, Version { csn, row, older: None });
                    version.older = Some(Box::new(older));
                }
                self.stale.push_back((csn, space, KeyBytes::from(key)));
                version
            }
        };
        self.bytes += cost;
        // The digest is of what now lies there, not of what was meant.
        let stored = version.row.as_deref();
        self.rows = self.rows + u64::from(stored.is_some()) - u64::from(before.is_some());
        let added = stored.map_or(0, digest);
        Ok(Replaced { removed, added: if planted(Mutant::DigestWithoutRows) { 0 } else { added } })
    }

    /// Takes the key spaces of `table` out; their memory is freed by [`Shard::collect`].
    pub(crate) fn drop_table(&mut self, table: TableId) {
        let from = Space { table, number: 0 };
        let to = Space { table, number: u16::MAX };
        let numbers: Vec<Space> = self.spaces.range(from..=to).map(|(&space, _)| space).collect();
        for space in numbers {
            self.drop_space(space);
        }
    }

    /// Takes one key space out.
    pub(crate) fn drop_space(&mut self, space: Space) {
        if let Some(keys) = self.spaces.remove(&space) {
            self.rows -= keys.values().filter(|version| version.row.is_some()).count() as u64;
            self.graveyard.push(keys);
        }
    }

    /// Drops versions that no snapshot at or above `floor` can see; at most `budget` steps. True when
    /// nothing is left to do below that floor.
    pub(crate) fn collect(&mut self, floor: Csn, budget: &mut usize) -> bool {
        while let Some(keys) = self.graveyard.last_mut() {
            while *budget > 0 {
                let Some((key, version)) = keys.pop_first() else {
                    break;
                };
                *budget -= 1;
                self.bytes -= key.len() + chain_bytes(&version);
            }
            if !keys.is_empty() {
                return false;
            }
            self.graveyard.pop();
        }
        while self.stale.front().is_some_and(|(csn, ..)| *csn <= floor) {
            if *budget == 0 {
                return false;
            }
            *budget -= 1;
            let Some((_, space, key)) = self.stale.pop_front() else {
                break;
            };
            let Some(keys) = self.spaces.get_mut(&space) else {
                continue;
            };
            let Some(newest) = keys.get_mut(&key) else {
                continue;
            };
            let mut version = Some(&mut *newest);
            while let Some(seen) = version {
                if seen.csn <= floor || planted(Mutant::VersionsDroppedAboveFloor) {
                    if let Some(older) = seen.older.take() {
                        self.bytes -= chain_bytes(&older);
                    }
                    break;
                }
                version = seen.older.as_deref_mut();
            }
            if newest.csn <= floor && newest.row.is_none() {
                self.bytes -= key.len() + VERSION_OVERHEAD_BYTES;
                keys.remove(&key);
            }
        }
        true
    }
}

fn chain_bytes(version: &Version) -> usize {
    let mut bytes = 0;
    let mut next = Some(version);
    while let Some(version) = next {
        bytes += VERSION_OVERHEAD_BYTES + version.row.as_deref().map_or(0, <[u8]>::len);
        next = version.older.as_deref();
    }
    bytes
}
