//! What clients asked for and what they were told, over the whole run, and what must hold of it.
//!
//! Every transaction and every read has a beginning and an end in one order of all such events. Cheap rules
//! are checked as reads come in; at the end the whole history is, in time near-linear in its length: lists
//! and registers for cycles (`list_append`), the bank, sets, unique names, and what every member shows.

pub mod bank;
mod cycle;
pub mod list_append;
pub mod register;
mod session;
pub mod set;
pub mod txn;
pub mod unique;
mod versions;

use super::client::Mix;
use bank::Bank;
use set::{Attempt, Sets};
use std::collections::BTreeMap;
use txn::{Fate, Key, Level, Op, Txn};
use unique::Names;

/// Lists of each kind that clients append to, a few at a time.
pub const LISTS: u64 = 96;
/// Registers that clients write.
pub const REGISTERS: u64 = 4;

/// Everything, as one member shows it at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Final {
    /// `id, balance` of each account.
    pub accounts: Vec<(u64, i64)>,
    /// Ids of transfers.
    pub transfers: Vec<u64>,
    /// Elements of the set.
    pub ids: Vec<u64>,
    /// `name, id`.
    pub names: Vec<(u64, u64)>,
    /// Items of the rows that change their keys.
    pub moved: Vec<u64>,
    /// Rows that AUTO_INCREMENT numbered, keys that come and go.
    pub others: Vec<Vec<i64>>,
    /// Every list and register, as one transaction reads them.
    pub reads: Vec<Op>,
}

/// See the module.
#[derive(Default)]
pub struct History {
    /// The tables were made, on one member.
    pub made: bool,
    /// The tables are there.
    pub ready: bool,
    /// Clients begin nothing new.
    pub stop: bool,
    /// The first rule that did not hold.
    pub violation: Option<String>,
    /// What each member shows at the end.
    pub finals: BTreeMap<usize, Final>,
    /// Money.
    pub bank: Bank,
    /// The set.
    pub sets: Sets,
    /// Unique names.
    pub names: Names,
    /// What clients do how often.
    pub mix: Mix,
    /// Whom each AUTO_INCREMENT number was given to.
    pub numbered: BTreeMap<u64, u64>,
    /// Appends asked for.
    pub appends: u64,
    /// Claims of names asked for.
    pub claims: u64,
    txns: Vec<Txn>,
    /// Beginnings and ends so far.
    place: u64,
    /// The longest state of each list that anybody read.
    longest: BTreeMap<Key, Vec<u64>>,
    next: BTreeMap<u64, u64>,
    acknowledged: u64,
    failed: u64,
}

impl History {
    /// Nothing yet; clients will do what the mix says.
    #[must_use]
    pub fn new(mix: Mix) -> Self {
        Self { mix, ..Self::default() }
    }

    /// A rule did not hold; the first one counts.
    pub fn violate(&mut self, rule: String) {
        self.violation.get_or_insert(rule);
    }

    /// An id that nobody used before.
    pub fn new_id(&mut self, client: u64) -> u64 {
        let next = self.next.entry(client).or_default();
        *next += 1;
        client * 1_000_000 + *next
    }

    /// The last id that a client used.
    #[must_use]
    pub fn last_id(&self, client: u64) -> u64 {
        client * 1_000_000 + self.next.get(&client).copied().unwrap_or_default()
    }

    /// A new place in the order of all beginnings and ends.
    pub fn new_place(&mut self) -> u64 {
        self.place += 1;
        self.place
    }

    /// Counts a transaction.
    pub fn count(&mut self, fate: Fate) {
        self.acknowledged += u64::from(fate == Fate::Acknowledged);
        self.failed += u64::from(fate == Fate::Failed);
    }

    /// Acknowledged transactions, and failed ones.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.acknowledged, self.failed)
    }

    /// Begins something on a member.
    pub fn attempt(&mut self, member: usize, online: bool) -> Attempt {
        let begin = self.new_place();
        Attempt { member, level: Level::Eventual, begin, end: None, fate: Fate::Unknown, online, assured: false }
    }

    /// Begins a transaction over lists and registers; it has failed until it is asked to commit.
    pub fn begin(&mut self, client: u64, member: usize, online: bool) -> usize {
        let begin = self.new_place();
        self.begin_at(begin, client, member, online)
    }

    /// The same, of something that began at an earlier place.
    pub fn begin_at(&mut self, begin: u64, client: u64, member: usize, online: bool) -> usize {
        self.txns.push(Txn { client, member, begin, online, ..Txn::default() });
        self.txns.len() - 1
    }

    /// Its session is of this level; `assured`: its member was not cut off when it began.
    pub fn set_level(&mut self, txn: usize, level: Level, assured: bool) {
        (self.txns[txn].level, self.txns[txn].assured) = (level, assured);
    }

    /// It does something. A list that was read is checked against what was read before: all states of a list
    /// are beginnings of one another.
    ///
    /// # Errors
    /// Two states that are not.
    pub fn op(&mut self, txn: usize, op: Op) -> Result<(), String> {
        let ops = &mut self.txns[txn].ops;
        ops.push(op);
        let Some(Op::List { key, items }) = ops.last() else { return Ok(()) };
        let (key, items) = (*key, items.clone());
        // What it wrote itself may never be committed.
        let own = self.txns[txn].writes().filter(|&(wrote, _)| wrote == key).count();
        let items = &items[..items.len().saturating_sub(own)];
        let longest = self.longest.entry(key).or_default();
        if !items.starts_with(longest) && !longest.starts_with(items) {
            return Err(format!("lists: {key} was read as {longest:?}, then as {items:?}"));
        }
        if items.len() > longest.len() {
            longest.clear();
            longest.extend_from_slice(items);
        }
        Ok(())
    }

    /// It read something without locking it.
    pub fn take_snapshot(&mut self, txn: usize) {
        self.txns[txn].snapshot = true;
    }

    /// Whether it did.
    #[must_use]
    pub fn has_snapshot(&self, txn: usize) -> bool {
        self.txns[txn].snapshot
    }

    /// Whether its member was ONLINE when it began.
    #[must_use]
    pub fn began_online(&self, txn: usize) -> bool {
        self.txns[txn].online
    }

    /// It is asked to commit: from here on its outcome is unknown.
    pub fn commit(&mut self, txn: usize) {
        self.txns[txn].fate = Fate::Unknown;
    }

    /// It ended; `online`: the member is ONLINE now.
    pub fn end(&mut self, txn: usize, fate: Fate, online: bool) {
        self.count(fate);
        let end = self.new_place();
        let txn = &mut self.txns[txn];
        txn.fate = fate;
        txn.online &= online;
        // An end that says nothing bounds nothing.
        txn.end = (fate != Fate::Unknown).then_some(end);
    }

    /// Everything that must hold of the whole history, and of what members show in the end.
    ///
    /// # Errors
    /// The rule that does not.
    pub fn check(&mut self) -> Result<(), String> {
        let Some((&first, found)) = self.finals.first_key_value() else { return Err("nothing was read".into()) };
        let found = found.clone();
        for (member, other) in &self.finals {
            if *other != found {
                return Err(format!("equal data: members {first} and {member} show {found:?} and {other:?}"));
            }
        }
        self.bank.check(&found.accounts, &found.transfers)?;
        self.sets.check(&found.ids)?;
        self.names.check(&found.names)?;
        if found.moved.iter().zip(0..).any(|(item, place)| *item != place) {
            return Err(format!("moves: each item is there once, and found is {:?}", found.moved));
        }
        let registers: Vec<_> = found
            .reads
            .iter()
            .filter_map(|op| match op {
                Op::Register { key, version, .. } => Some((*key, *version)),
                _ => None,
            })
            .collect();
        register::check(&self.txns, &registers)?;
        self.check_lists(&found)?;
        let reads = self.begin(0, first, true);
        self.txns[reads].ops = found.reads;
        self.end(reads, Fate::Acknowledged, true);
        list_append::check(&self.txns, false)
    }

    /// Lists hold what was acknowledged, and not what was refused.
    fn check_lists(&self, found: &Final) -> Result<(), String> {
        let lists = found.reads.iter().filter_map(|op| match op {
            Op::List { key, items } => Some((*key, items.iter().copied().collect())),
            _ => None,
        });
        let lists: BTreeMap<Key, std::collections::BTreeSet<u64>> = lists.collect();
        for (number, txn) in self.txns.iter().enumerate() {
            let of_lists = txn.writes().filter(|(key, _)| !matches!(key, Key::Register(_)));
            for (key, item) in of_lists {
                let there = lists.get(&key).is_some_and(|items| items.contains(&item));
                match txn.fate {
                    Fate::Acknowledged if !there => {
                        let rule = "durability: what was acknowledged is lost";
                        return Err(format!("{rule}: {item} in {key}\n  {}", txn.tell(number)));
                    }
                    Fate::Failed if there => {
                        let rule = "certainty: what was refused is there";
                        return Err(format!("{rule}: {item} in {key}\n  {}", txn.tell(number)));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: Key = Key::List(0);

    /// One acknowledged append, one refused, one unknown, one that never got to its COMMIT; ended by a final
    /// state of the list.
    fn history(items: &[u64]) -> History {
        let mut history = History::default();
        for (item, fate) in
            [(4, Some(Fate::Acknowledged)), (5, Some(Fate::Failed)), (6, Some(Fate::Unknown)), (7, None)]
        {
            let txn = history.begin(1, 0, true);
            history.op(txn, Op::Write { key: LIST, item }).expect("a write says nothing");
            if let Some(fate) = fate {
                history.commit(txn);
                history.end(txn, fate, true);
            }
        }
        let accounts = (0..bank::ACCOUNTS).map(|id| (id, bank::BALANCE)).collect();
        let reads = vec![Op::List { key: LIST, items: items.to_vec() }];
        history.finals.insert(0, Final { accounts, reads, ..Final::default() });
        history
    }

    /// Each planted anomaly is found, and what is allowed is not.
    #[test]
    fn anomalies_of_the_end_are_found() {
        for (items, found) in [
            (&[4][..], ""),
            (&[4, 6][..], ""),
            // The unknown one was not asked for until the other was acknowledged.
            (&[6, 4][..], "order against real time"),
            (&[6], "durability"),
            (&[4, 5], "certainty"),
            (&[4, 7], "certainty"),
            (&[4, 4], "duplicate write"),
            (&[4, 9], "unwritten value"),
        ] {
            let rule = history(items).check().err().unwrap_or_default();
            assert!(if found.is_empty() { rule.is_empty() } else { rule.starts_with(found) }, "{items:?} {rule}");
        }
        let mut unequal = history(&[4]);
        unequal.finals.insert(1, Final { ids: vec![1], ..unequal.finals[&0].clone() });
        assert!(unequal.check().is_err_and(|rule| rule.starts_with("equal data")));
        assert!(History::default().check().is_err());
    }

    #[test]
    fn states_of_a_list_are_beginnings_of_one_another() {
        let mut history = History::default();
        let mut read = |items: &[u64], own: &[u64]| {
            let txn = history.begin(1, 0, true);
            for &item in own {
                history.op(txn, Op::Write { key: LIST, item }).expect("a write says nothing");
            }
            history.op(txn, Op::List { key: LIST, items: items.to_vec() })
        };
        assert_eq!(read(&[1, 2], &[]), Ok(()));
        assert_eq!(read(&[1], &[]), Ok(()));
        // Its own, which nobody else may ever see.
        assert_eq!(read(&[1, 2, 3], &[3]), Ok(()));
        assert_eq!(read(&[1, 2, 4], &[]), Ok(()));
        assert!(read(&[2], &[]).is_err());
        assert!(read(&[1, 3, 4], &[]).is_err());
    }
}
