//! The order of versions of each key, as reads show it, and the rules that one read alone can break:
//! dirty reads (G1a), intermediate reads (G1b), a read against the transaction's own writes, reads that
//! contradict one another, repeated items.
//!
//! A list read tells the items of all places up to its end; a register read that of one place. Lists and
//! registers so become one kind of thing: places 1, 2, ... of a key, each with the item written there.

use super::txn::{Fate, Key, Op, Txn};
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
#[derive(Debug, Default)]
pub struct Versions {
    /// Item at each known place.
    pub places: BTreeMap<Key, BTreeMap<u64, u64>>,
    /// Which transaction wrote an item.
    writers: BTreeMap<(Key, u64), usize>,
    seen: BTreeSet<(Key, u64)>,
    /// What each transaction read of others: (transaction, key, place, item there; 0 at place 0), first
    /// reads of a key only, as later ones repeat it.
    pub reads: Vec<(usize, Key, u64, u64)>,
}

impl Versions {
    /// Finds the order of versions.
    ///
    /// # Errors
    /// The anomaly, as a story.
    pub fn of(txns: &[Txn]) -> Result<Self, String> {
        let mut versions = Self::default();
        for (at, txn) in txns.iter().enumerate() {
            for (key, item) in txn.writes() {
                assert!(item != 0 && versions.writers.insert((key, item), at).is_none(), "items are unique");
            }
        }
        for (at, txn) in txns.iter().enumerate() {
            versions.read_all(at, txn, txns)?;
        }
        versions.check_repeats(txns)?;
        for (reader, key, _, item) in &versions.reads {
            versions.check_intermediate(*reader, *key, *item, txns)?;
        }
        Ok(versions)
    }

    /// Who wrote `item`.
    #[must_use]
    pub fn writer(&self, key: Key, item: u64) -> Option<usize> {
        self.writers.get(&(key, item)).copied()
    }

    /// The known place after `place`, and its item.
    #[must_use]
    pub fn next(&self, key: Key, place: u64) -> Option<(u64, u64)> {
        self.places.get(&key)?.range(place + 1..).next().map(|(&place, &item)| (place, item))
    }

    /// Whether anybody saw what was written.
    #[must_use]
    pub fn is_seen(&self, key: Key, item: u64) -> bool {
        self.seen.contains(&(key, item))
    }

    /// All known items of a key, in words.
    #[must_use]
    pub fn tell(&self, key: Key) -> String {
        let places: Vec<_> = self.places.get(&key).into_iter().flatten().collect();
        let gap_free = places.iter().enumerate().all(|(at, &(&place, _))| place == at as u64 + 1);
        let items: Vec<_> = places
            .iter()
            .map(|(place, item)| if gap_free { item.to_string() } else { format!("{item} (version {place})") })
            .collect();
        format!("{key} over time: {}", items.join(", "))
    }

    fn read_all(&mut self, at: usize, txn: &Txn, txns: &[Txn]) -> Result<(), String> {
        // Of each key: what was there before this transaction, if it is known, and what it wrote since.
        let mut before: BTreeMap<Key, (u64, u64)> = BTreeMap::new();
        let mut own: BTreeMap<Key, Vec<u64>> = BTreeMap::new();
        for op in &txn.ops {
            match op {
                Op::Write { key, item } => own.entry(*key).or_default().push(*item),
                Op::List { key, items } => {
                    let mine = own.get(key).map_or(&[][..], Vec::as_slice);
                    let Some(others) = items.strip_suffix(mine) else {
                        return Err(internal(at, txn, &format!("its own {mine:?} are not the end of {key}")));
                    };
                    let found = (others.len() as u64, others.last().copied().unwrap_or(0));
                    if *before.entry(*key).or_insert(found) != found {
                        return Err(internal(at, txn, &format!("{key} changed under it")));
                    }
                    for (place, &item) in others.iter().enumerate() {
                        self.place(at, *key, place as u64 + 1, item, txns)?;
                    }
                }
                Op::Register { key, version, item } => {
                    let mine = own.get(key).map_or(&[][..], Vec::as_slice);
                    let count = mine.len() as u64;
                    if mine.last().is_some_and(|last| last != item) || *version < count {
                        return Err(internal(at, txn, &format!("its own {mine:?} are not the end of {key}")));
                    }
                    // With own writes on top only the place below them is known, and what was read there earlier.
                    let known = before.get(key).copied();
                    let below = if count == 0 { *item } else { known.map_or(0, |(_, item)| item) };
                    let found = (version - count, below);
                    if known.is_some_and(|known| known != found) {
                        return Err(internal(at, txn, &format!("{key} changed under it")));
                    }
                    if count == 0 {
                        before.insert(*key, found);
                        self.place(at, *key, *version, *item, txns)?;
                    } else if txn.fate == Fate::Acknowledged {
                        for (nth, &item) in mine.iter().enumerate() {
                            self.place(at, *key, version - count + 1 + nth as u64, item, txns)?;
                        }
                    }
                }
            }
        }
        self.reads.extend(before.into_iter().map(|(key, (place, item))| (at, key, place, item)));
        Ok(())
    }

    /// A transaction saw `item` at a place.
    fn place(&mut self, reader: usize, key: Key, place: u64, item: u64, txns: &[Txn]) -> Result<(), String> {
        if place == 0 && item == 0 {
            return Ok(());
        }
        let places = self.places.entry(key).or_default();
        let known = *places.entry(place).or_insert(item);
        self.seen.insert((key, item));
        let who = |number: usize| txns[number].tell(number);
        if known != item {
            let other = self.reads.iter().rev().find(|&&(_, read, upto, _)| read == key && upto >= place);
            let other = other.map_or(String::new(), |&(number, ..)| format!("\n  {}", who(number)));
            let rule = format!("incompatible order: place {place} of {key} was read as {known} and as {item}");
            return Err(format!("{rule}{other}\n  {}", who(reader)));
        }
        let Some(&writer) = self.writers.get(&(key, item)) else {
            return Err(format!("unwritten value: nobody wrote {item}, which is in {key}\n  {}", who(reader)));
        };
        if txns[writer].fate == Fate::Failed && writer != reader {
            let rule = format!("dirty read (G1a): {item} of {key} was refused or never asked to commit, and was read");
            return Err(format!("{rule}\n  {}\n  {}", who(writer), who(reader)));
        }
        Ok(())
    }

    fn check_repeats(&self, txns: &[Txn]) -> Result<(), String> {
        for (&key, places) in &self.places {
            let mut at: BTreeMap<u64, u64> = BTreeMap::new();
            for (&place, &item) in places {
                if let Some(before) = at.insert(item, place) {
                    let writer = self.writer(key, item).expect("checked at each read");
                    let rule = format!("duplicate write: {item} is at places {before} and {place} of {key}");
                    return Err(format!("{rule}\n  {}", txns[writer].tell(writer)));
                }
            }
        }
        Ok(())
    }

    /// What a transaction wrote over again itself may be seen by nobody else.
    fn check_intermediate(&self, reader: usize, key: Key, item: u64, txns: &[Txn]) -> Result<(), String> {
        let Some(writer) = self.writer(key, item).filter(|&writer| writer != reader) else { return Ok(()) };
        match txns[writer].writes().filter(|&(wrote, _)| wrote == key).last() {
            Some((_, last)) if last != item => {
                let rule = format!("intermediate read (G1b): {key} was read after {item} and before {last}");
                Err(format!("{rule}\n  {}\n  {}", txns[writer].tell(writer), txns[reader].tell(reader)))
            }
            _ => Ok(()),
        }
    }
}

fn internal(number: usize, txn: &Txn, what: &str) -> String {
    format!("internal: within one transaction, {what}\n  {}", txn.tell(number))
}
