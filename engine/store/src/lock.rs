//! Row locks of local transactions. Only local: the group knows nothing of them, and an applier never
//! waits for one (`design.md` §5.5): it displaces the holder.
//!
//! A key need not exist to be locked; there are no gap locks. Waiters are served first come, first
//! served; only an upgrade by a present holder goes ahead. Absent on purpose: time-outs (the owner of a
//! wait cancels it) and waking (callers are told who was granted).
//!
//! Invariants:
//! - a transaction waits for at most one key;
//! - the first waiter of a key is never compatible with its holders;
//! - an entry without holders has no waiters and is removed.

use crate::key::{KeyBytes, KeyHasher};
use crate::store::Space;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use wire::id::TableId;
use wire::mutant::{Mutant, planted};
use wire::rare;

/// A local transaction: a number that grows, so that the greatest is the youngest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Txn(pub u64);

/// How a key is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Beside other shared holders.
    Shared,
    /// Alone.
    Exclusive,
}

/// Answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Held now (or was held already).
    Granted,
    /// Queued: a later release names the transaction when it holds the lock.
    Waiting,
    /// Waiting would close a cycle. The victims, one per cycle and each its youngest, have to be rolled
    /// back. If the requester is one of them, it was not queued; otherwise it waits.
    Deadlock {
        /// Whom to roll back.
        victims: Vec<Txn>,
    },
}

#[derive(Debug, Default)]
struct Key {
    holders: Vec<(Txn, Mode)>,
    waiters: VecDeque<(Txn, Mode)>,
}

#[derive(Debug, Default)]
struct Owner {
    held: Vec<KeyBytes>,
    waits_for: Option<KeyBytes>,
    proposed: bool,
}

/// The row locks of one member.
#[derive(Debug, Default)]
pub struct Locks {
    /// Looked up, never iterated.
    keys: HashMap<KeyBytes, Key, BuildHasherDefault<KeyHasher>>,
    owners: BTreeMap<Txn, Owner>,
    scratch: Vec<u8>,
}

fn name(into: &mut Vec<u8>, space: Space, key: &[u8]) {
    into.clear();
    into.extend_from_slice(&space.table.0.to_be_bytes());
    into.extend_from_slice(&space.number.to_be_bytes());
    into.extend_from_slice(key);
}

fn compatible(one: Mode, other: Mode) -> bool {
    one == Mode::Shared && other == Mode::Shared
}

impl Key {
    fn admits(&self, txn: Txn, mode: Mode) -> bool {
        planted(Mutant::LocksShared)
            || self.holders.iter().all(|&(holder, held)| holder == txn || compatible(held, mode))
    }

    /// Hands the lock to waiters from the front for as long as they are compatible.
    fn grant(&mut self, granted: &mut Vec<Txn>) {
        while let Some(&(txn, mode)) = self.waiters.front() {
            if !self.admits(txn, mode) {
                break;
            }
            self.waiters.pop_front();
            match self.holders.iter_mut().find(|(holder, _)| *holder == txn) {
                Some(held) => held.1 = mode,
                None => self.holders.push((txn, mode)),
            }
            granted.push(txn);
        }
    }
}

impl Locks {
    /// No locks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a lock.
    ///
    /// # Panics
    /// When `txn` is waiting already: a transaction does one thing at a time.
    pub fn lock(&mut self, txn: Txn, space: Space, key: &[u8], mode: Mode) -> Lock {
        name(&mut self.scratch, space, key);
        let owner = self.owners.entry(txn).or_default();
        assert!(owner.waits_for.is_none(), "{txn:?} asks for a lock while it waits for another");
        let name = KeyBytes::from(self.scratch.as_slice());
        let entry = match self.keys.entry(name.clone()) {
            Entry::Vacant(vacant) => {
                owner.held.push(name);
                vacant.insert(Key { holders: vec![(txn, mode)], waiters: VecDeque::new() });
                return Lock::Granted;
            }
            Entry::Occupied(occupied) => occupied.into_mut(),
        };
        let held = entry.holders.iter().position(|&(holder, _)| holder == txn);
        if let Some(at) = held
            && entry.holders[at].1 >= mode
        {
            return Lock::Granted;
        }
        // An upgrade need not queue behind those who wait for its own shared lock to go.
        if entry.admits(txn, mode) && (held.is_some() || entry.waiters.is_empty()) {
            match held {
                Some(at) => entry.holders[at].1 = mode,
                None => {
                    entry.holders.push((txn, mode));
                    owner.held.push(name);
                }
            }
            return Lock::Granted;
        }
        if held.is_some() {
            entry.waiters.push_front((txn, mode));
        } else {
            entry.waiters.push_back((txn, mode));
        }
        owner.waits_for = Some(name);
        let victims = self.victims(txn);
        if victims.is_empty() {
            return Lock::Waiting;
        }
        rare!("a deadlock of locks");
        if victims.contains(&txn) {
            let granted = self.cancel_wait(txn);
            assert!(granted.is_empty(), "a waiter that never delayed anybody let {granted:?} in");
        }
        Lock::Deadlock { victims }
    }

    /// The transactions that `txn` waits for: conflicting holders, and conflicting waiters ahead of it.
    fn waits_for(&self, txn: Txn) -> Vec<Txn> {
        let Some(name) = self.owners.get(&txn).and_then(|owner| owner.waits_for.as_ref()) else {
            return Vec::new();
        };
        let entry = self.keys.get(name).expect("a key that is waited for has an entry");
        let ahead = entry.waiters.iter().take_while(|&&(waiter, _)| waiter != txn);
        let mode = entry.waiters.iter().find(|&&(waiter, _)| waiter == txn).map_or(Mode::Exclusive, |found| found.1);
        let others = entry.holders.iter().chain(ahead);
        others.filter(|&&(other, held)| other != txn && !compatible(held, mode)).map(|&(other, _)| other).collect()
    }

    /// The youngest of every cycle through `start`, which has just begun to wait.
    fn victims(&self, start: Txn) -> Vec<Txn> {
        let mut victims = Vec::new();
        while let Some(cycle) = self.cycle(start, &victims) {
            let victim = cycle.into_iter().max().expect("a cycle has members");
            victims.push(victim);
            if victim == start {
                break;
            }
        }
        victims
    }

    /// A cycle through `start` that avoids `without`, by depth-first search.
    fn cycle(&self, start: Txn, without: &[Txn]) -> Option<Vec<Txn>> {
        let mut seen = BTreeSet::from([start]);
        let mut path = vec![(start, self.waits_for(start))];
        while let Some((_, next)) = path.last_mut() {
            let Some(txn) = next.pop() else {
                path.pop();
                continue;
            };
            if txn == start {
                return Some(path.iter().map(|&(txn, _)| txn).collect());
            }
            if !without.contains(&txn) && seen.insert(txn) {
                let next = self.waits_for(txn);
                path.push((txn, next));
            }
        }
        None
    }

    /// The order decides about `txn` now: no applier displaces it any more.
    pub fn set_proposed(&mut self, txn: Txn) {
        self.owners.entry(txn).or_default().proposed = true;
    }

    /// Takes back a proposal that the order refused to take.
    pub fn clear_proposed(&mut self, txn: Txn) {
        if let Some(owner) = self.owners.get_mut(&txn) {
            owner.proposed = false;
        }
    }

    /// Ends `txn`: its locks and its wait are gone. Returns who holds a lock now that it waited for.
    pub fn release_all(&mut self, txn: Txn) -> Vec<Txn> {
        let mut granted = self.cancel_wait(txn);
        let Some(owner) = self.owners.remove(&txn) else {
            return granted;
        };
        for name in owner.held {
            let mut newly = Vec::new();
            if let Some(entry) = self.keys.get_mut(&name) {
                entry.holders.retain(|&(holder, _)| holder != txn);
                entry.grant(&mut newly);
                if entry.holders.is_empty() {
                    assert!(entry.waiters.is_empty(), "a free lock has waiters");
                    self.keys.remove(&name);
                }
            }
            self.note_granted(&name, &newly);
            granted.append(&mut newly);
        }
        granted
    }

    /// Gives up `txn`'s wait and keeps its locks. Returns who was queued only behind it.
    pub fn cancel_wait(&mut self, txn: Txn) -> Vec<Txn> {
        let Some(name) = self.owners.get_mut(&txn).and_then(|owner| owner.waits_for.take()) else {
            return Vec::new();
        };
        let entry = self.keys.get_mut(&name).expect("a key that is waited for has an entry");
        entry.waiters.retain(|&(waiter, _)| waiter != txn);
        let mut granted = Vec::new();
        entry.grant(&mut granted);
        self.note_granted(&name, &granted);
        granted
    }

    fn note_granted(&mut self, name: &[u8], granted: &[Txn]) {
        for txn in granted {
            let owner = self.owners.get_mut(txn).expect("a waiter is known");
            owner.waits_for = None;
            // An upgrade is listed already; listing it twice only releases it twice.
            owner.held.push(name.into());
        }
    }

    /// Whether `txn` waits for a lock.
    #[must_use]
    pub fn is_waiting(&self, txn: Txn) -> bool {
        self.owners.get(&txn).is_some_and(|owner| owner.waits_for.is_some())
    }

    /// Local transactions that must be rolled back because a transaction of the group changed
    /// (`written`) or refers to (`shared`) what they have locked: unproposed holders of written keys,
    /// unproposed exclusive holders of shared ones. Each once, oldest first.
    pub fn displace<'a>(
        &mut self,
        written: impl IntoIterator<Item = (Space, &'a [u8])>,
        shared: impl IntoIterator<Item = (Space, &'a [u8])>,
    ) -> Vec<Txn> {
        let mut displaced = BTreeSet::new();
        if self.keys.is_empty() {
            return Vec::new();
        }
        let written = written.into_iter().map(|(space, key)| (space, key, Mode::Shared));
        let shared = shared.into_iter().map(|(space, key)| (space, key, Mode::Exclusive));
        for (space, key, least) in written.chain(shared) {
            name(&mut self.scratch, space, key);
            let Some(entry) = self.keys.get(self.scratch.as_slice()) else {
                continue;
            };
            for &(holder, mode) in &entry.holders {
                let proposed = self.owners.get(&holder).is_some_and(|owner| owner.proposed);
                if mode >= least && !proposed {
                    displaced.insert(holder);
                }
            }
        }
        displaced.into_iter().collect()
    }

    /// Unproposed transactions that hold a lock on any key of `table`, oldest first.
    #[must_use]
    pub fn holders_of_table(&self, table: TableId) -> Vec<Txn> {
        let prefix = table.0.to_be_bytes();
        let holds = |owner: &Owner| !owner.proposed && owner.held.iter().any(|name| name.starts_with(&prefix));
        self.owners.iter().filter(|(_, owner)| holds(owner)).map(|(&txn, _)| txn).collect()
    }

    /// Whether anybody holds a lock on any key of `table`, the proposed ones too.
    #[must_use]
    pub fn is_table_locked(&self, table: TableId) -> bool {
        let prefix = table.0.to_be_bytes();
        self.owners.values().any(|owner| owner.held.iter().any(|name| name.starts_with(&prefix)))
    }

    /// Keys locked or waited for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether nothing is locked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: Space = Space { table: TableId(1), number: 0 };

    fn take(locks: &mut Locks, txn: u64, key: &str, mode: Mode) -> Lock {
        locks.lock(Txn(txn), SPACE, key.as_bytes(), mode)
    }

    #[test]
    fn shared_locks_stand_beside_each_other_and_waiters_are_served_in_order() {
        let mut locks = Locks::new();
        assert_eq!(take(&mut locks, 1, "a", Mode::Shared), Lock::Granted);
        assert_eq!(take(&mut locks, 2, "a", Mode::Shared), Lock::Granted);
        assert_eq!(take(&mut locks, 3, "a", Mode::Exclusive), Lock::Waiting);
        assert_eq!(take(&mut locks, 4, "a", Mode::Shared), Lock::Waiting, "does not overtake");
        assert_eq!(locks.release_all(Txn(1)), []);
        assert_eq!(locks.release_all(Txn(2)), [Txn(3)]);
        assert_eq!(take(&mut locks, 3, "a", Mode::Shared), Lock::Granted, "exclusive covers shared");
        assert_eq!(locks.release_all(Txn(3)), [Txn(4)]);
        assert_eq!(locks.release_all(Txn(4)), []);
        assert!(locks.is_empty());
    }

    #[test]
    fn an_upgrade_goes_first_and_two_upgrades_are_a_deadlock() {
        let mut locks = Locks::new();
        take(&mut locks, 1, "a", Mode::Shared);
        assert_eq!(take(&mut locks, 1, "a", Mode::Exclusive), Lock::Granted);
        locks.release_all(Txn(1));
        take(&mut locks, 1, "a", Mode::Shared);
        take(&mut locks, 2, "a", Mode::Shared);
        assert_eq!(take(&mut locks, 1, "a", Mode::Exclusive), Lock::Waiting);
        assert_eq!(take(&mut locks, 2, "a", Mode::Exclusive), Lock::Deadlock { victims: vec![Txn(2)] });
        assert!(!locks.is_waiting(Txn(2)));
        assert_eq!(locks.release_all(Txn(2)), [Txn(1)]);
        locks.release_all(Txn(1));
        assert!(locks.is_empty());
    }

    #[test]
    fn the_youngest_of_a_cycle_is_the_victim_whoever_closes_it() {
        let mut locks = Locks::new();
        for txn in 1..=3 {
            take(&mut locks, txn, &txn.to_string(), Mode::Exclusive);
        }
        assert_eq!(take(&mut locks, 2, "3", Mode::Exclusive), Lock::Waiting);
        assert_eq!(take(&mut locks, 3, "1", Mode::Exclusive), Lock::Waiting);
        assert_eq!(take(&mut locks, 1, "2", Mode::Exclusive), Lock::Deadlock { victims: vec![Txn(3)] });
        assert_eq!(locks.release_all(Txn(3)), [Txn(2)]);
        assert!(locks.is_waiting(Txn(1)));
        assert_eq!(locks.release_all(Txn(2)), [Txn(1)]);
    }

    #[test]
    fn one_wait_may_close_several_cycles() {
        let mut locks = Locks::new();
        take(&mut locks, 1, "a", Mode::Exclusive);
        take(&mut locks, 2, "b", Mode::Shared);
        take(&mut locks, 3, "b", Mode::Shared);
        assert_eq!(take(&mut locks, 2, "a", Mode::Exclusive), Lock::Waiting);
        assert_eq!(take(&mut locks, 3, "a", Mode::Exclusive), Lock::Waiting);
        let Lock::Deadlock { victims } = take(&mut locks, 1, "b", Mode::Exclusive) else { panic!("no deadlock") };
        for victim in victims {
            assert_ne!(victim, Txn(1));
            locks.release_all(victim);
        }
        assert!(!locks.is_waiting(Txn(1)));
    }

    #[test]
    fn cancelled_waits_let_those_behind_pass() {
        let mut locks = Locks::new();
        take(&mut locks, 1, "a", Mode::Shared);
        take(&mut locks, 2, "a", Mode::Exclusive);
        take(&mut locks, 3, "a", Mode::Shared);
        assert_eq!(locks.cancel_wait(Txn(2)), [Txn(3)]);
        assert_eq!(locks.release_all(Txn(2)), []);
    }

    #[test]
    fn a_group_transaction_displaces_unproposed_holders_only() {
        let mut locks = Locks::new();
        take(&mut locks, 1, "a", Mode::Exclusive);
        take(&mut locks, 2, "b", Mode::Exclusive);
        take(&mut locks, 3, "c", Mode::Shared);
        take(&mut locks, 4, "d", Mode::Exclusive);
        locks.set_proposed(Txn(2));
        let written = [(SPACE, &b"a"[..]), (SPACE, b"b"), (SPACE, b"nobody")];
        let shared = [(SPACE, &b"c"[..]), (SPACE, b"d")];
        assert_eq!(locks.displace(written, shared), [Txn(1), Txn(4)]);
        assert_eq!(locks.displace([(SPACE, &b"c"[..])], []), [Txn(3)], "a writer displaces sharers too");
        assert_eq!(locks.holders_of_table(TableId(1)), [Txn(1), Txn(3), Txn(4)]);
    }

    #[test]
    fn locks_are_free_of_each_other_across_tables_and_spaces() {
        let mut locks = Locks::new();
        for (txn, space) in [(1, SPACE), (2, Space { number: 1, ..SPACE }), (3, Space { table: TableId(2), number: 0 })]
        {
            assert_eq!(locks.lock(Txn(txn), space, b"k", Mode::Exclusive), Lock::Granted);
        }
    }
}
