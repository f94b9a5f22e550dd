//! What clients asked for and what they were told, over the whole run, and what must hold of it.

use std::collections::{BTreeMap, BTreeSet};

/// Accounts of the bank, and what each begins with.
pub const ACCOUNTS: u64 = 6;
/// Balance of an account at the beginning.
pub const BALANCE: u64 = 100;
/// Lists that clients append to.
pub const LISTS: u64 = 5;

/// What a client knows of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Asked, no answer: it may or may not be there.
    Unknown,
    /// OK: it is there, once, for ever.
    Acknowledged,
    /// An error: nothing of it is there.
    Failed,
}

/// Everything, as one member shows it at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Final {
    /// `id balance` of each account.
    pub bank: Vec<String>,
    /// Ids inserted.
    pub ids: Vec<String>,
    /// The lists.
    pub lists: Vec<String>,
}

/// See the module.
#[derive(Default)]
pub struct History {
    /// The tables are there.
    pub ready: bool,
    /// Clients begin nothing new.
    pub stop: bool,
    /// The first rule that did not hold.
    pub violation: Option<String>,
    /// What each member shows at the end.
    pub finals: BTreeMap<usize, Final>,
    inserts: BTreeMap<u64, Fate>,
    appends: BTreeMap<u64, (Vec<u64>, Fate)>,
    /// The longest state of each list that anybody read.
    longest: BTreeMap<u64, String>,
    next: BTreeMap<u64, u64>,
    acknowledged: u64,
    failed: u64,
}

impl History {
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

    /// Counts a transaction.
    pub fn count(&mut self, fate: Fate) {
        self.acknowledged += u64::from(fate == Fate::Acknowledged);
        self.failed += u64::from(fate == Fate::Failed);
    }

    /// What is known of the insertion of `id`.
    pub fn insert(&mut self, id: u64, fate: Fate) {
        self.count(fate);
        self.inserts.insert(id, fate);
    }

    /// What is known of appending `item` to each of `keys`, in one transaction.
    pub fn append(&mut self, item: u64, keys: &[u64], fate: Fate) {
        self.count(fate);
        self.appends.insert(item, (keys.to_vec(), fate));
    }

    /// Acknowledged transactions, and failed ones.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.acknowledged, self.failed)
    }

    /// Somebody read a list: all states of a list are beginnings of one another.
    ///
    /// # Errors
    /// Two states that are not.
    pub fn read_list(&mut self, key: u64, items: &str) -> Result<(), String> {
        let longest = self.longest.entry(key).or_default();
        if items.len() > longest.len() {
            if !items.starts_with(longest.as_str()) {
                return Err(format!("lists: list {key} was read as {longest}, then as {items}"));
            }
            items.clone_into(longest);
        } else if !longest.starts_with(items) {
            return Err(format!("lists: list {key} was read as {longest}, then as {items}"));
        }
        Ok(())
    }

    /// Everything that must hold of what members show in the end.
    ///
    /// # Errors
    /// The rule that does not.
    pub fn check(&self) -> Result<(), String> {
        let Some((first, found)) = self.finals.first_key_value() else { return Err("nothing was read".into()) };
        for (member, other) in &self.finals {
            if other != found {
                return Err(format!("equal data: members {first} and {member} show {found:?} and {other:?}"));
            }
        }
        self.check_inserts(&found.ids)?;
        self.check_lists(&found.lists)?;
        let balances = found.bank.iter().filter_map(|row| row.split_once(' ')?.1.parse::<i64>().ok());
        let sum = balances.sum::<i64>();
        if sum != (ACCOUNTS * BALANCE) as i64 {
            return Err(format!("bank: the sum is {sum} at the end: {:?}", found.bank));
        }
        Ok(())
    }

    fn check_inserts(&self, ids: &[String]) -> Result<(), String> {
        let present: BTreeSet<u64> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        if present.len() != ids.len() {
            return Err("inserts: an id is there twice".into());
        }
        for (id, fate) in &self.inserts {
            match fate {
                Fate::Acknowledged if !present.contains(id) => {
                    return Err(format!("durability: the insertion of {id} was acknowledged and is lost"));
                }
                Fate::Failed if present.contains(id) => {
                    return Err(format!("certainty: the insertion of {id} was refused and is there"));
                }
                _ => {}
            }
        }
        match present.iter().find(|id| !self.inserts.contains_key(id)) {
            Some(id) => Err(format!("inserts: nobody inserted {id}")),
            None => Ok(()),
        }
    }

    fn check_lists(&self, lists: &[String]) -> Result<(), String> {
        let mut at: BTreeMap<(u64, u64), u64> = BTreeMap::new();
        for (key, items) in lists.iter().enumerate() {
            let key = key as u64;
            if let Some(longest) = self.longest.get(&key)
                && !items.starts_with(longest.as_str())
            {
                return Err(format!("lists: list {key} was read as {longest}, and is {items} in the end"));
            }
            for item in items.split(',').filter(|item| !item.is_empty()) {
                let item = item.parse().map_err(|_| format!("lists: list {key} holds '{item}'"))?;
                if !self.appends.get(&item).is_some_and(|(keys, _)| keys.contains(&key)) {
                    return Err(format!("lists: nobody appended {item} to list {key}"));
                }
                *at.entry((item, key)).or_default() += 1;
            }
        }
        for (&item, (keys, fate)) in &self.appends {
            let counts: BTreeSet<u64> = keys.iter().map(|&key| at.get(&(item, key)).copied().unwrap_or(0)).collect();
            let expected: &[u64] = match fate {
                Fate::Acknowledged => &[1],
                Fate::Failed => &[0],
                Fate::Unknown => &[0, 1],
            };
            if counts.len() != 1 || !counts.iter().all(|count| expected.contains(count)) {
                return Err(format!("lists: {item} was appended to {keys:?}, {fate:?}, and is there {counts:?} times"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(ids: &[&str], lists: &[&str]) -> History {
        let mut history = History::default();
        history.insert(1, Fate::Acknowledged);
        history.insert(2, Fate::Failed);
        history.insert(3, Fate::Unknown);
        history.append(4, &[0, 1], Fate::Acknowledged);
        history.append(5, &[1], Fate::Unknown);
        let texts = |list: &[&str]| list.iter().map(|&item| item.to_owned()).collect();
        let bank = vec![format!("0 {}", ACCOUNTS * BALANCE)];
        history.finals.insert(0, Final { bank, ids: texts(ids), lists: texts(lists) });
        history
    }

    /// Each planted anomaly is found, and what is allowed is not.
    #[test]
    fn anomalies_are_found() {
        for (ids, lists, found) in [
            (&["1"][..], &[",4", ",4"][..], ""),
            (&["1", "3"], &[",4", ",5,4"], ""),
            (&["3"], &[",4", ",4"], "durability"),
            (&["1", "2"], &[",4", ",4"], "certainty"),
            (&["1", "1"], &[",4", ",4"], "inserts"),
            (&["1", "9"], &[",4", ",4"], "inserts"),
            (&["1"], &[",4", ""], "lists"),
            (&["1"], &[",4", ",4,4"], "lists"),
            (&["1"], &[",4", ",4,9"], "lists"),
            (&["1"], &["", ""], "lists"),
        ] {
            let rule = history(ids, lists).check().err().unwrap_or_default();
            assert!(
                if found.is_empty() { rule.is_empty() } else { rule.starts_with(found) },
                "{ids:?} {lists:?} {rule}"
            );
        }
        let mut read = History::default();
        assert_eq!(read.read_list(0, ",1,2"), Ok(()));
        assert_eq!(read.read_list(0, ",1"), Ok(()));
        assert!(read.read_list(0, ",2").is_err());
        assert!(read.read_list(0, ",1,3,4").is_err());
    }
}
