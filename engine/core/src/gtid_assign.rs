//! Which GTID a certified transaction gets: numbers in blocks by member, carved from the lowest free
//! interval, so that members number independently of one another's load (`protocol.md` §5).
//!
//! A deterministic function of the delivered sequence.

use rkyv::{Archive, Deserialize, Serialize};
use std::collections::BTreeMap;
use wire::entry::Gtid;
use wire::gtid::GtidSet;
use wire::id::Uuid;

/// Last number that is given (`protocol.md` §5.4).
pub const NUMBER_MAX: u64 = 9_223_372_036_854_775_806;

/// GTIDs executed, and the blocks reserved by members.
#[derive(Clone, Debug, Default)]
pub struct Assigner {
    executed: GtidSet,
    /// By the member's server_uuid: first number that it may still use, and last.
    blocks: BTreeMap<Uuid, (u64, u64)>,
    assigned: u64,
}

/// What a checkpoint holds of an [`Assigner`].
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct AssignerImage {
    /// GTID_EXECUTED, encoded.
    executed: Vec<u8>,
    blocks: Vec<(Uuid, u64, u64)>,
    assigned: u64,
}

impl Assigner {
    /// What a checkpoint holds of it.
    #[must_use]
    pub fn image(&self) -> AssignerImage {
        let mut executed = Vec::new();
        self.executed.encode(&mut executed);
        let blocks = self.blocks.iter().map(|(&uuid, &(next, last))| (uuid, next, last)).collect();
        AssignerImage { executed, blocks, assigned: self.assigned }
    }

    /// From an image; `None` when it is none.
    #[must_use]
    pub fn restore(image: &AssignerImage) -> Option<Self> {
        let executed = GtidSet::decode(&image.executed).ok()?;
        let blocks = image.blocks.iter().map(|&(uuid, next, last)| (uuid, (next, last))).collect();
        Some(Self { executed, blocks, assigned: image.assigned })
    }

    /// GTID_EXECUTED.
    #[must_use]
    pub fn executed(&self) -> &GtidSet {
        &self.executed
    }

    /// Adds a GTID that a transaction brought with it.
    pub fn add(&mut self, gtid: Gtid) -> bool {
        self.executed.add(gtid)
    }

    /// The next GTID of `origin` under `name`; `None` when numbers are exhausted.
    pub fn assign(&mut self, name: Uuid, origin: Uuid, block_size: u64) -> Option<Gtid> {
        let number =
            if block_size <= 1 { self.add_lowest(name)? } else { self.add_in_block(name, origin, block_size)? };
        let gtid = Gtid { uuid: name, number };
        self.assigned += 1;
        if block_size > 1 && self.assigned >= block_size {
            self.drop_blocks();
        }
        Some(gtid)
    }

    /// The lowest free number: for View_change transactions.
    pub fn assign_lowest(&mut self, name: Uuid) -> Option<Gtid> {
        let number = self.add_lowest(name)?;
        Some(Gtid { uuid: name, number })
    }

    /// At each view change: blocks are carved anew, so that gaps get filled.
    pub fn drop_blocks(&mut self) {
        self.blocks.clear();
        self.assigned = 0;
    }

    fn lowest(&self, name: Uuid) -> Option<u64> {
        self.executed.lowest_free(name, 1).filter(|&number| number <= NUMBER_MAX)
    }

    fn add_lowest(&mut self, name: Uuid) -> Option<u64> {
        self.executed.add_lowest_free(name, 1, NUMBER_MAX)
    }

    fn add_in_block(&mut self, name: Uuid, origin: Uuid, size: u64) -> Option<u64> {
        if let Some((next, last)) = self.blocks.get_mut(&origin)
            && let Some(number) = self.executed.add_lowest_free(name, *next, *last)
        {
            *next = number + 1;
            return Some(number);
        }
        self.blocks.remove(&origin);
        let mut first = self.lowest(name)?;
        // Blocks of others do not overlap: go behind each that holds the candidate.
        while let Some(&(_, last)) = self.blocks.values().find(|&&(next, last)| next <= first && first <= last) {
            first = self.executed.lowest_free(name, last.checked_add(1)?)?;
        }
        let last = first.saturating_add(size - 1).min(NUMBER_MAX);
        let last = self
            .blocks
            .values()
            .map(|&(next, _)| next)
            .filter(|&next| next > first)
            .fold(last, |last, next| last.min(next - 1));
        if first > NUMBER_MAX {
            return None;
        }
        self.blocks.insert(origin, (first + 1, last));
        let new = self.executed.add(Gtid { uuid: name, number: first });
        assert!(new, "a GTID is given once");
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_writers_number_in_blocks_as_the_manual_shows() {
        let (mut assigner, name) = (Assigner::default(), Uuid([0xaa; 16]));
        let members = [1, 2, 3].map(|n| Uuid([n; 16]));
        for (member, count) in [(0, 40), (1, 30), (2, 9), (0, 7), (1, 2)] {
            for _ in 0..count {
                assigner.assign(name, members[member], 1_000_000).unwrap();
            }
        }
        assert_eq!(assigner.executed().to_string(), format!("{name}:1-47:1000001-1000032:2000001-2000009"));
        assigner.drop_blocks();
        assert_eq!(assigner.assign(name, members[2], 1_000_000).unwrap().number, 48);
        assert_eq!(assigner.assign_lowest(name).unwrap().number, 49);
        assert_eq!(assigner.assign(name, members[2], 1_000_000).unwrap().number, 50);
    }

    #[test]
    fn block_size_one_is_strictly_sequential() {
        let (mut assigner, name) = (Assigner::default(), Uuid([0xaa; 16]));
        let numbers: Vec<_> =
            [1, 2, 1, 3].map(|n| assigner.assign(name, Uuid([n; 16]), 1).unwrap().number).into_iter().collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
    }
}
