//! A set whose elements are inserted once and deleted at most once: nothing acknowledged is missing,
//! nothing refused appears, nothing comes back, and no member that is ONLINE goes back in time.

use super::txn::{Fate, Level};
use std::collections::BTreeMap;

/// An insertion or a deletion, or a read, as its client saw it; places as in `txn`.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Where.
    pub member: usize,
    /// Of the session.
    pub level: Level,
    /// Place of the beginning.
    pub begin: u64,
    /// Place of the answer.
    pub end: Option<u64>,
    /// How it ended.
    pub fate: Fate,
    /// Whether the member was ONLINE all the time.
    pub online: bool,
    /// Whether it was not cut off at the beginning.
    pub assured: bool,
}

#[derive(Clone, Debug, Default)]
struct Element {
    inserted: Option<Attempt>,
    deleted: Option<Attempt>,
}

#[derive(Clone, Debug)]
struct Read {
    at: Attempt,
    from: u64,
    to: u64,
    items: Vec<u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Sets {
    elements: BTreeMap<u64, Element>,
    reads: Vec<Read>,
}

impl Sets {
    /// What is known of the insertion of `id`; a refused one may be tried again.
    pub fn insert(&mut self, id: u64, attempt: Attempt) {
        self.elements.entry(id).or_default().inserted = Some(attempt);
    }

    /// What is known of the deletion of `id`; a refused one may be tried again.
    pub fn delete(&mut self, id: u64, attempt: Attempt) {
        self.elements.entry(id).or_default().deleted = Some(attempt);
    }

    /// Whether `id` was inserted and nobody tried to delete it yet.
    #[must_use]
    pub fn may_delete(&self, id: u64) -> bool {
        let inserted = |element: &Element| element.inserted.is_some_and(|inserted| inserted.fate == Fate::Acknowledged);
        self.elements.get(&id).is_some_and(|element| inserted(element) && element.deleted.is_none())
    }

    /// Somebody read all elements from `from` to `to`.
    pub fn read(&mut self, at: Attempt, from: u64, to: u64, items: Vec<u64>) {
        self.reads.push(Read { at, from, to, items });
    }

    /// Checks every read, and what is there in the end.
    ///
    /// # Errors
    /// The rule that does not hold.
    pub fn check(&mut self, present: &[u64]) -> Result<(), String> {
        // Since which place each element was seen, or seen to be gone, on each member.
        let mut seen: BTreeMap<(usize, u64), u64> = BTreeMap::new();
        let mut gone: BTreeMap<(usize, u64), u64> = BTreeMap::new();
        self.reads.sort_by_key(|read| read.at.end);
        for read in &self.reads {
            self.check_read(read, &mut seen, &mut gone)?;
        }
        self.check_end(present)
    }

    fn check_read(
        &self,
        read: &Read,
        seen: &mut BTreeMap<(usize, u64), u64>,
        gone: &mut BTreeMap<(usize, u64), u64>,
    ) -> Result<(), String> {
        let Read { at, from, to, items } = read;
        let Some(end) = at.end else { return Ok(()) };
        let tell = |rule: &str, id: u64, element: &Element| {
            let (inserted, deleted) = (element.inserted, element.deleted);
            Err(format!("sets: {rule}: {id}\n  inserted: {inserted:?}\n  deleted: {deleted:?}\n  read: {read:?}"))
        };
        if let Some(id) = items.iter().find(|&&id| !self.elements.contains_key(&id) || !(*from..=*to).contains(&id)) {
            return tell("nobody inserted what was read", *id, &Element::default());
        }
        if let Some(pair) = items.windows(2).find(|pair| pair[0] >= pair[1]) {
            return tell("an element is read twice", pair[1], &self.elements[&pair[1]]);
        }
        for (&id, element) in self.elements.range(*from..=*to) {
            let (inserted, deleted) = (element.inserted.as_ref(), element.deleted.as_ref());
            let before = |change: Option<&Attempt>, since: Option<&u64>| {
                let acknowledged = change.is_some_and(|change| must_show(change, at));
                at.online && (acknowledged || since.is_some_and(|&since| since < at.begin))
            };
            let key = (at.member, id);
            if items.binary_search(&id).is_ok() {
                match inserted {
                    None | Some(Attempt { fate: Fate::Failed, .. }) => {
                        return tell("a refused insertion was read", id, element);
                    }
                    Some(inserted) if inserted.begin > end => return tell("a read saw the future", id, element),
                    Some(_) => {}
                }
                if before(deleted, gone.get(&key)) {
                    return tell("what was deleted came back", id, element);
                }
                if at.online {
                    seen.entry(key).or_insert(end);
                }
            } else if before(inserted, seen.get(&key)) {
                if !deleted.is_some_and(|deleted| deleted.fate != Fate::Failed && deleted.begin < end) {
                    return tell("an acknowledged insertion, or what was seen before, is missing", id, element);
                }
                gone.entry(key).or_insert(end);
            }
        }
        Ok(())
    }

    fn check_end(&self, present: &[u64]) -> Result<(), String> {
        if let Some(pair) = present.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(format!("sets: {} is there twice", pair[1]));
        }
        if let Some(id) = present.iter().find(|id| !self.elements.contains_key(id)) {
            return Err(format!("sets: nobody inserted {id}"));
        }
        for (id, Element { inserted, deleted }) in &self.elements {
            let there = present.binary_search(id).is_ok();
            let (inserted, deleted) =
                (inserted.map_or(Fate::Failed, |a| a.fate), deleted.map_or(Fate::Failed, |a| a.fate));
            match (inserted, deleted) {
                (Fate::Acknowledged, Fate::Failed) if !there => {
                    return Err(format!("durability: the insertion of {id} was acknowledged and is lost"));
                }
                (Fate::Failed, _) if there => {
                    return Err(format!("certainty: the insertion of {id} was refused and is there"));
                }
                (_, Fate::Acknowledged) if there => {
                    return Err(format!("durability: the deletion of {id} was acknowledged and is lost"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether a read must show a change that was acknowledged before it.
fn must_show(change: &Attempt, read: &Attempt) -> bool {
    let before = change.fate == Fate::Acknowledged && change.end.is_some_and(|end| end < read.begin);
    let recent = read.assured || read.level.is_refused_when_cut_off();
    before && (change.member == read.member || read.level.sees_all() || recent && change.level.seen_by_all())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Fate::{Acknowledged, Failed, Unknown};

    fn at(member: usize, begin: u64, end: u64, fate: Fate) -> Attempt {
        Attempt {
            member,
            level: Level::Eventual,
            begin,
            end: (end > 0).then_some(end),
            fate,
            online: true,
            assured: true,
        }
    }

    /// Element 1: inserted on m0 from place 1 to 2, deleted on m0 from 5 to 6; 2: refused; 3: unknown.
    fn sets() -> Sets {
        let mut sets = Sets::default();
        sets.insert(1, at(0, 1, 2, Acknowledged));
        sets.delete(1, at(0, 5, 6, Acknowledged));
        sets.insert(2, at(0, 1, 2, Failed));
        sets.insert(3, at(1, 1, 0, Unknown));
        sets
    }

    /// (member, begin, end, items), and the beginning of the rule that does not hold.
    type Case = (&'static [(usize, u64, u64, &'static [u64])], &'static str);

    #[test]
    fn anomalies_of_reads_are_found() {
        let cases: &[Case] = &[
            // Before and after, on either member, with or without what is unknown.
            (&[(0, 3, 4, &[1]), (1, 3, 4, &[]), (1, 7, 8, &[1]), (0, 7, 8, &[])], ""),
            (&[(0, 3, 4, &[1, 3]), (1, 3, 4, &[]), (1, 7, 8, &[3])], ""),
            // While the insertion or the deletion is on its way, both are right; so is one after the other.
            (&[(0, 1, 3, &[]), (0, 5, 7, &[1])], ""),
            (&[(0, 1, 3, &[1]), (0, 5, 7, &[])], ""),
            (&[(0, 3, 4, &[])], "sets: an acknowledged insertion"),
            (&[(0, 7, 8, &[1])], "sets: what was deleted"),
            (&[(1, 3, 4, &[2])], "sets: a refused"),
            (&[(1, 3, 4, &[9])], "sets: nobody inserted"),
            (&[(1, 3, 4, &[1, 1])], "sets: an element is read twice"),
            (&[(1, 0, 0, &[]), (1, 0, 1, &[3])], ""),
            // The unknown one is seen and then gone, without any deletion.
            (&[(1, 3, 4, &[3]), (1, 7, 8, &[])], "sets: an acknowledged insertion"),
            // On another member it may come later.
            (&[(1, 3, 4, &[3]), (0, 7, 8, &[])], ""),
            // Gone and back on the other member.
            (&[(1, 3, 4, &[1]), (1, 7, 8, &[]), (1, 9, 10, &[1])], "sets: what was deleted"),
        ];
        for (reads, found) in cases {
            let mut sets = sets();
            for &(member, begin, end, items) in *reads {
                sets.read(at(member, begin, end, Acknowledged), 0, 31, items.to_vec());
            }
            let rule = sets.check(&[]).err().unwrap_or_default();
            assert!(if found.is_empty() { rule.is_empty() } else { rule.starts_with(found) }, "{reads:?}: {rule}");
        }
    }

    #[test]
    fn a_read_from_before_its_insertion_saw_the_future() {
        let mut sets = Sets::default();
        sets.insert(1, at(0, 5, 6, Acknowledged));
        sets.read(at(1, 1, 2, Acknowledged), 0, 31, vec![1]);
        assert!(sets.check(&[1]).is_err_and(|rule| rule.starts_with("sets: a read saw the future")));
    }

    #[test]
    fn levels_say_what_another_member_must_show() {
        for (insertion, reading, allowed) in [
            (Level::Eventual, Level::Eventual, true),
            (Level::Eventual, Level::After, true),
            (Level::Before, Level::Eventual, true),
            (Level::Eventual, Level::Before, false),
            (Level::After, Level::Eventual, false),
            (Level::BeforeAndAfter, Level::Eventual, false),
        ] {
            let mut sets = Sets::default();
            sets.insert(1, Attempt { level: insertion, ..at(0, 1, 2, Acknowledged) });
            sets.read(Attempt { level: reading, ..at(1, 3, 4, Acknowledged) }, 0, 31, vec![]);
            assert_eq!(sets.check(&[1]).is_ok(), allowed, "{insertion:?} {reading:?}");
            // A member that is not ONLINE promises nothing.
            sets.reads[0].at.online = false;
            assert_eq!(sets.check(&[1]), Ok(()));
        }
    }

    #[test]
    fn anomalies_of_the_end_are_found() {
        for (present, found) in [
            (&[][..], ""),
            (&[3][..], ""),
            (&[1], "durability: the deletion"),
            (&[2], "certainty"),
            (&[3, 3], "sets: 3 is there twice"),
            (&[9], "sets: nobody"),
        ] {
            let rule = sets().check(present).err().unwrap_or_default();
            assert!(if found.is_empty() { rule.is_empty() } else { rule.starts_with(found) }, "{present:?}: {rule}");
        }
        let mut lost = Sets::default();
        lost.insert(1, at(0, 1, 2, Acknowledged));
        assert!(lost.check(&[]).is_err_and(|rule| rule.starts_with("durability: the insertion")));
    }
}
