//! Counters of AUTO_INCREMENT columns.
//!
//! What is stored is alike on every member, and a part of checkpoints. What this member has handed out beyond is its
//! own: the transaction that has it may be rolled back, and a joiner is not to go on from there.

use std::collections::BTreeMap;
use wire::id::TableId;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct AutoIncrement {
    /// Greatest value that was applied, or that a definition begins behind.
    stored: BTreeMap<TableId, u64>,
    /// Greatest value that a session here has used, committed or not.
    given: BTreeMap<TableId, u64>,
}

fn raise(counters: &mut BTreeMap<TableId, u64>, table: TableId, value: u64) {
    let counter = counters.entry(table).or_insert(0);
    *counter = (*counter).max(value);
}

impl AutoIncrement {
    /// The greatest value seen, 0 before the first.
    pub fn last(&self, table: TableId) -> u64 {
        let of = |counters: &BTreeMap<TableId, u64>| counters.get(&table).copied().unwrap_or(0);
        of(&self.stored).max(of(&self.given))
    }

    /// A value was applied.
    pub fn store(&mut self, table: TableId, value: u64) {
        raise(&mut self.stored, table, value);
    }

    /// A session uses a value.
    pub fn give(&mut self, table: TableId, value: u64) {
        raise(&mut self.given, table, value);
    }

    /// A table takes the rows of another over.
    pub fn take_over(&mut self, from: TableId, table: TableId) {
        for counters in [&mut self.stored, &mut self.given] {
            if let Some(last) = counters.get(&from).copied() {
                counters.insert(table, last);
            }
        }
    }

    /// A table is gone.
    pub fn remove(&mut self, table: TableId) {
        self.stored.remove(&table);
        self.given.remove(&table);
    }

    /// What a checkpoint holds of it.
    pub fn image(&self) -> Vec<(TableId, u64)> {
        self.stored.iter().map(|(&table, &last)| (table, last)).collect()
    }

    /// As a checkpoint has it.
    pub fn restore(image: Vec<(TableId, u64)>) -> Self {
        Self { stored: image.into_iter().collect(), given: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_out_and_not_stored_is_in_no_checkpoint() {
        let (one, other) = (TableId(1), TableId(2));
        let mut counters = AutoIncrement::default();
        counters.store(one, 5);
        counters.give(one, 9_000_000);
        counters.give(other, 3);
        assert_eq!((counters.last(one), counters.last(other)), (9_000_000, 3));
        assert_eq!(counters.image(), [(one, 5)]);
        assert_eq!(AutoIncrement::restore(counters.image()).last(one), 5);
        counters.take_over(one, other);
        assert_eq!((counters.last(other), counters.image()), (9_000_000, vec![(one, 5), (other, 5)]));
        counters.remove(one);
        assert_eq!((counters.last(one), counters.image()), (0, vec![(other, 5)]));
    }
}
