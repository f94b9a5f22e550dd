//! GTIDs and sets of them, with the text that MySQL reads and prints.
//!
//! Absent on purpose: tags (`uuid:tag:1`, MySQL 8.3 and later) are refused by name; assignment of numbers
//! belongs to the certifier.
//!
//! Invariants of a [`GtidSet`]: the intervals of a uuid are sorted, do not overlap and do not touch, each
//! within 1..=[`NUMBER_MAX`]; no uuid is kept without an interval. Equal sets are therefore equal values.

use crate::entry::Gtid;
use crate::id::Uuid;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Greatest number of a GTID: 9223372036854775806 (MySQL's `GNO_END` - 1).
pub const NUMBER_MAX: u64 = i64::MAX as u64 - 1;

/// Why a text or an encoding is not a GTID or a GTID set. MySQL answers 1772 for a set, 1774 for
/// `GTID_NEXT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GtidError {
    /// A uuid is expected at this byte.
    #[error("expected a uuid at byte {at}")]
    Uuid {
        /// Offset in the text.
        at: usize,
    },
    /// A number in 1..=9223372036854775806 is expected at this byte.
    #[error("expected a number from 1 to {NUMBER_MAX} at byte {at}")]
    Number {
        /// Offset in the text.
        at: usize,
    },
    /// A tag is at this byte.
    #[error("tags are not supported, found one at byte {at}")]
    Tag {
        /// Offset in the text.
        at: usize,
    },
    /// Something else is at this byte.
    #[error("unexpected text at byte {at}")]
    Unexpected {
        /// Offset in the text.
        at: usize,
    },
    /// A binary encoding is cut short, or its numbers do not rise.
    #[error("malformed GTID set encoding at byte {at}")]
    Encoding {
        /// Offset in the encoding.
        at: usize,
    },
}

/// Numbers `first..=last` of one uuid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    /// At least 1.
    pub first: u64,
    /// At least `first`, at most [`NUMBER_MAX`].
    pub last: u64,
}

impl Interval {
    /// How many numbers it holds.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.last - self.first + 1
    }
}

/// A set of GTIDs, kept as intervals.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct GtidSet {
    uuids: BTreeMap<Uuid, Vec<Interval>>,
}

impl GtidSet {
    /// The empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `uuid:interval[:interval]...[, ...]`, where an interval is `n` or `n-m` (dropped unless n <= m).
    /// Blanks and repeated commas are ignored; the empty text is the empty set.
    ///
    /// # Errors
    /// Any [`GtidError`] but `Encoding`, with the place.
    pub fn parse(text: &str) -> Result<Self, GtidError> {
        let mut set = Self::new();
        let mut scan = Scan { text: text.as_bytes(), at: 0 };
        loop {
            while scan.take(b',') {}
            if scan.peek().is_none() {
                return Ok(set);
            }
            let uuid = scan.uuid()?;
            if scan.peek() != Some(b':') {
                return Err(GtidError::Unexpected { at: scan.at });
            }
            while scan.take(b':') {
                let first = scan.number(1)?;
                let last = if scan.take(b'-') { scan.number(0)? } else { first };
                if first <= last {
                    set.add_interval(uuid, first, last);
                }
            }
            if !matches!(scan.peek(), None | Some(b',')) {
                return Err(GtidError::Unexpected { at: scan.at });
            }
        }
    }

    /// Adds one GTID; false when it was there. The next number of a uuid costs O(log n) and allocates nothing.
    ///
    /// # Panics
    /// When the number is outside 1..=[`NUMBER_MAX`].
    pub fn add(&mut self, gtid: Gtid) -> bool {
        assert_number(gtid.number);
        add_number(self.uuids.entry(gtid.uuid).or_default(), gtid.number)
    }

    /// Adds the number that [`GtidSet::lowest_free`] gives, if it is at most `to`, and gives it.
    pub fn add_lowest_free(&mut self, uuid: Uuid, from: u64, to: u64) -> Option<u64> {
        let (from, to) = (from.max(1), to.min(NUMBER_MAX));
        // No uuid is kept without a number.
        let Some(intervals) = self.uuids.get_mut(&uuid) else {
            return (from <= to).then(|| {
                self.add_interval(uuid, from, from);
                from
            });
        };
        let number = lowest_free_in(intervals, from);
        if number > to {
            return None;
        }
        let new = add_number(intervals, number);
        assert!(new, "what is free is not in the set");
        Some(number)
    }

    /// Adds the numbers `first..=last` of `uuid`.
    ///
    /// # Panics
    /// Unless 1 <= `first` <= `last` <= [`NUMBER_MAX`].
    pub fn add_interval(&mut self, uuid: Uuid, first: u64, last: u64) {
        assert_number(first);
        assert_number(last);
        assert!(first <= last, "an interval from {first} to {last}");
        let intervals = self.uuids.entry(uuid).or_default();
        let from = intervals.partition_point(|interval| interval.last + 1 < first);
        let to = intervals.partition_point(|interval| interval.first <= last + 1);
        if from < to {
            let merged = Interval { first: first.min(intervals[from].first), last: last.max(intervals[to - 1].last) };
            intervals[from] = merged;
            intervals.drain(from + 1..to);
        } else {
            intervals.insert(from, Interval { first, last });
        }
    }

    /// Whether `gtid` is in the set.
    #[must_use]
    pub fn contains(&self, gtid: Gtid) -> bool {
        let intervals = self.intervals(gtid.uuid);
        let at = intervals.partition_point(|interval| interval.last < gtid.number);
        intervals.get(at).is_some_and(|interval| interval.first <= gtid.number)
    }

    /// Whether every GTID of this set is in `other` (`GTID_SUBSET(self, other)`).
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.uuids.iter().all(|(uuid, intervals)| {
            let others = other.intervals(*uuid);
            intervals.iter().all(|own| {
                let at = others.partition_point(|interval| interval.last < own.first);
                others.get(at).is_some_and(|interval| interval.first <= own.first && own.last <= interval.last)
            })
        })
    }

    /// Whether the sets have a GTID in common.
    #[must_use]
    pub fn intersects(&self, other: &Self) -> bool {
        self.uuids.iter().any(|(uuid, intervals)| {
            let others = other.intervals(*uuid);
            intervals.iter().any(|own| {
                let at = others.partition_point(|interval| interval.last < own.first);
                others.get(at).is_some_and(|interval| interval.first <= own.last)
            })
        })
    }

    /// Adds every GTID of `other`.
    pub fn union(&mut self, other: &Self) {
        for (uuid, intervals) in &other.uuids {
            for interval in intervals {
                self.add_interval(*uuid, interval.first, interval.last);
            }
        }
    }

    /// Removes every GTID of `other` (`GTID_SUBTRACT(self, other)`).
    pub fn subtract(&mut self, other: &Self) {
        self.uuids.retain(|uuid, intervals| {
            let others = other.intervals(*uuid);
            if !others.is_empty() {
                *intervals = difference(intervals, others);
            }
            !intervals.is_empty()
        });
    }

    /// How many GTIDs there are.
    #[must_use]
    pub fn count(&self) -> u128 {
        self.uuids.values().flatten().map(|interval| u128::from(interval.count())).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.uuids.is_empty()
    }

    /// The lowest number of `uuid`, at or above `from` (and 1), that is not in the set; `None` when all up to
    /// [`NUMBER_MAX`] are.
    #[must_use]
    pub fn lowest_free(&self, uuid: Uuid, from: u64) -> Option<u64> {
        let free = lowest_free_in(self.intervals(uuid), from.max(1));
        (free <= NUMBER_MAX).then_some(free)
    }

    /// The intervals of `uuid`, in order; none for a uuid that is not in the set.
    #[must_use]
    pub fn intervals(&self, uuid: Uuid) -> &[Interval] {
        self.uuids.get(&uuid).map_or(&[], Vec::as_slice)
    }

    /// All uuids with their intervals, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Uuid, &[Interval])> {
        self.uuids.iter().map(|(uuid, intervals)| (*uuid, intervals.as_slice()))
    }

    /// Appends MySQL's binary form, as in COM_BINLOG_DUMP_GTID and PREVIOUS_GTIDS_LOG_EVENT: the number of
    /// uuids, then for each its 16 bytes, the number of intervals, and each interval as first, last + 1; all
    /// numbers u64, little endian.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.uuids.len() as u64).to_le_bytes());
        for (uuid, intervals) in &self.uuids {
            out.extend_from_slice(&uuid.0);
            out.extend_from_slice(&(intervals.len() as u64).to_le_bytes());
            for interval in intervals {
                out.extend_from_slice(&interval.first.to_le_bytes());
                out.extend_from_slice(&(interval.last + 1).to_le_bytes());
            }
        }
    }

    /// Reads what [`GtidSet::encode`] writes. Allocates no more than the bytes ask for.
    ///
    /// # Errors
    /// [`GtidError::Encoding`] when bytes are missing or left over, or intervals are empty, out of range or
    /// not in rising order.
    pub fn decode(bytes: &[u8]) -> Result<Self, GtidError> {
        let mut at = 0;
        let mut take = |length: usize| {
            let here = at;
            let part = bytes.get(at..).and_then(|rest| rest.get(..length)).ok_or(GtidError::Encoding { at: here })?;
            at += length;
            Ok::<_, GtidError>((here, part))
        };
        let mut number = |at_least: u64| {
            let (here, part) = take(8)?;
            let number = u64::from_le_bytes(*part.first_chunk().ok_or(GtidError::Encoding { at: here })?);
            if number < at_least { Err(GtidError::Encoding { at: here }) } else { Ok((here, number)) }
        };
        let mut set = Self::new();
        let (_, uuids) = number(0)?;
        for _ in 0..uuids {
            let (high, low) = (number(0)?.1, number(0)?.1);
            let mut uuid = Uuid::default();
            uuid.0[..8].copy_from_slice(&high.to_le_bytes());
            uuid.0[8..].copy_from_slice(&low.to_le_bytes());
            let (_, intervals) = number(0)?;
            let mut free = 1;
            for _ in 0..intervals {
                let (here, first) = number(free)?;
                if first > NUMBER_MAX {
                    return Err(GtidError::Encoding { at: here });
                }
                let (here, end) = number(first + 1)?;
                if end > NUMBER_MAX + 1 {
                    return Err(GtidError::Encoding { at: here });
                }
                set.add_interval(uuid, first, end - 1);
                free = end;
            }
        }
        let (end, rest) = (at, bytes.len());
        if end == rest { Ok(set) } else { Err(GtidError::Encoding { at: end }) }
    }
}

/// The lowest number from `from` on that is in none of them; above [`NUMBER_MAX`] when all are.
fn lowest_free_in(intervals: &[Interval], from: u64) -> u64 {
    let at = intervals.partition_point(|interval| interval.last < from);
    match intervals.get(at) {
        Some(interval) if interval.first <= from => interval.last + 1,
        _ => from,
    }
}

/// Adds a number; false when it was there.
fn add_number(intervals: &mut Vec<Interval>, number: u64) -> bool {
    // The first interval that ends at or after the number's predecessor: it holds, touches or follows it.
    let at = intervals.partition_point(|interval| interval.last + 1 < number);
    match intervals.get_mut(at) {
        Some(interval) if interval.first <= number && number <= interval.last => return false,
        Some(interval) if interval.last + 1 == number => {
            interval.last = number;
            if let Some(&next) = intervals.get(at + 1)
                && next.first == number + 1
            {
                intervals[at].last = next.last;
                intervals.remove(at + 1);
            }
        }
        Some(interval) if number + 1 == interval.first => interval.first = number,
        _ => intervals.insert(at, Interval { first: number, last: number }),
    }
    true
}

/// What is in `left` and not in `right`; both are sorted and disjoint, and so is the result.
fn difference(left: &[Interval], right: &[Interval]) -> Vec<Interval> {
    let mut result = Vec::with_capacity(left.len());
    let mut cuts = right.iter().copied().peekable();
    for &interval in left {
        let mut first = interval.first;
        while let Some(&cut) = cuts.peek() {
            if cut.last < first {
                cuts.next();
                continue;
            }
            if cut.first > interval.last {
                break;
            }
            if cut.first > first {
                result.push(Interval { first, last: cut.first - 1 });
            }
            first = cut.last + 1;
            if first > interval.last {
                // The cut may reach into the next interval: keep it.
                break;
            }
            cuts.next();
        }
        if first <= interval.last {
            result.push(Interval { first, last: interval.last });
        }
    }
    result
}

fn assert_number(number: u64) {
    assert!((1..=NUMBER_MAX).contains(&number), "GTID number {number} is out of range");
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (uuid, intervals)) in self.uuids.iter().enumerate() {
            if at > 0 {
                f.write_str(",\n")?;
            }
            fmt::Display::fmt(uuid, f)?;
            for interval in intervals {
                write!(f, ":{}", interval.first)?;
                if interval.last > interval.first {
                    write!(f, "-{}", interval.last)?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_string().replace('\n', " "))
    }
}

impl FromStr for GtidSet {
    type Err = GtidError;

    fn from_str(text: &str) -> Result<Self, GtidError> {
        Self::parse(text)
    }
}

impl Extend<Gtid> for GtidSet {
    fn extend<I: IntoIterator<Item = Gtid>>(&mut self, gtids: I) {
        for gtid in gtids {
            self.add(gtid);
        }
    }
}

impl Gtid {
    /// Reads `uuid:number`, blanks around the parts ignored.
    ///
    /// # Errors
    /// Any [`GtidError`] but `Encoding`, with the place.
    pub fn parse(text: &str) -> Result<Self, GtidError> {
        let mut scan = Scan { text: text.as_bytes(), at: 0 };
        let uuid = scan.uuid()?;
        if !scan.take(b':') {
            return Err(GtidError::Unexpected { at: scan.at });
        }
        let number = scan.number(1)?;
        if scan.peek().is_some() {
            return Err(GtidError::Unexpected { at: scan.at });
        }
        Ok(Self { uuid, number })
    }
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uuid, self.number)
    }
}

impl FromStr for Gtid {
    type Err = GtidError;

    fn from_str(text: &str) -> Result<Self, GtidError> {
        Self::parse(text)
    }
}

/// Reads tokens, skipping the blanks before each.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(|byte| byte.is_ascii_whitespace() || *byte == 0x0b) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn uuid(&mut self) -> Result<Uuid, GtidError> {
        self.peek();
        let at = self.at;
        let text = self.text.get(at..at + 36).and_then(|text| std::str::from_utf8(text).ok());
        let uuid = text.and_then(|text| Uuid::parse(text).ok()).ok_or(GtidError::Uuid { at })?;
        self.at += 36;
        Ok(uuid)
    }

    /// A number in `least..=NUMBER_MAX`.
    fn number(&mut self, least: u64) -> Result<u64, GtidError> {
        let first = self.peek();
        let at = self.at;
        if first.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_') {
            return Err(GtidError::Tag { at });
        }
        let digits = self.text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = self.text[at..at + digits].iter().try_fold(0u64, |number, digit| {
            let number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            (number <= NUMBER_MAX).then_some(number)
        });
        match number {
            Some(number) if digits > 0 && number >= least => {
                self.at += digits;
                Ok(number)
            }
            _ => Err(GtidError::Number { at }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const B: &str = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa";

    fn set(text: &str) -> GtidSet {
        GtidSet::parse(&text.replace('A', A).replace('B', B)).unwrap()
    }

    fn gtid(uuid: &str, number: u64) -> Gtid {
        Gtid { uuid: Uuid::parse(uuid).unwrap(), number }
    }

    #[test]
    fn text_is_read_leniently_and_printed_canonically() {
        for (text, printed) in [
            ("", ""),
            (" , ,, \n", ""),
            ("A:1", "A:1"),
            ("A:1-5", "A:1-5"),
            ("A:5-5", "A:5"),
            ("A:3-2:7", "A:7"),
            ("A:9-0", ""),
            ("B:1,A:7:1-3:4", "A:1-4:7,\nB:1"),
            ("A : 1 - 3 : 5 ,\n A:4", "A:1-5"),
            ("A:1:1:1", "A:1"),
            ("A:9223372036854775806", "A:9223372036854775806"),
        ] {
            assert_eq!(set(text).to_string(), printed.replace('A', A).replace('B', B), "{text}");
        }
        assert_eq!(GtidSet::parse(&format!("{}:1", A.to_uppercase())).unwrap().to_string(), format!("{A}:1"));
    }

    #[test]
    fn other_text_is_refused_with_its_place() {
        use GtidError::{Number, Tag, Unexpected, Uuid};
        for (text, error) in [
            ("x", Uuid { at: 0 }),
            ("A", Unexpected { at: 36 }),
            ("A:", Number { at: 37 }),
            ("A:0", Number { at: 37 }),
            ("A:-1", Number { at: 37 }),
            ("A:1-", Number { at: 39 }),
            ("A:1x", Unexpected { at: 38 }),
            ("A:9223372036854775807", Number { at: 37 }),
            ("A:99999999999999999999999", Number { at: 37 }),
            ("A:tag:1", Tag { at: 37 }),
            ("A:1 B:1", Unexpected { at: 39 }),
            ("A:1,é", Uuid { at: 39 }),
        ] {
            assert_eq!(GtidSet::parse(&text.replace('A', A).replace('B', B)), Err(error), "{text}");
        }
        assert_eq!(Gtid::parse(&format!("{A}:1:2")), Err(Unexpected { at: 38 }));
        assert_eq!(Gtid::parse(&format!(" {A}:12 ")).unwrap(), gtid(A, 12));
        assert_eq!(gtid(A, 12).to_string(), format!("{A}:12"));
    }

    /// Adding the lowest free number is finding and adding it.
    #[test]
    fn the_lowest_free_number_is_added() {
        for text in ["", "A:1", "A:2-5", "A:1-3:5-7:9223372036854775806", "B:1-9223372036854775806"] {
            for (uuid, from, to) in
                [A, B].into_iter().flat_map(|uuid| (0..9).flat_map(move |from| (0..10).map(move |to| (uuid, from, to))))
            {
                for (from, to) in [(from, to), (from, u64::MAX), (NUMBER_MAX - from, NUMBER_MAX - 1 + to)] {
                    let (mut one, mut two, uuid) = (set(text), set(text), Uuid::parse(uuid).unwrap());
                    let free = two.lowest_free(uuid, from).filter(|&number| number <= to);
                    assert!(free.is_none_or(|number| two.add(Gtid { uuid, number })));
                    assert_eq!(one.add_lowest_free(uuid, from, to), free, "{text} from {from} to {to}");
                    assert_eq!(one, two);
                }
            }
        }
    }

    #[test]
    fn adding_numbers_joins_neighbours() {
        let mut numbers = GtidSet::new();
        for (number, printed) in
            [(5, "A:5"), (7, "A:5:7"), (6, "A:5-7"), (4, "A:4-7"), (1, "A:1:4-7"), (8, "A:1:4-8"), (9, "A:1:4-9")]
        {
            assert!(numbers.add(gtid(A, number)));
            assert!(!numbers.add(gtid(A, number)));
            assert_eq!(numbers, set(printed));
        }
        assert_eq!(numbers.count(), 7);
    }

    #[test]
    fn set_operations_agree_with_a_naive_model() {
        let uuid = Uuid::parse(A).unwrap();
        let mut seed = 1u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..2000 {
            let mut sets = [GtidSet::new(), GtidSet::new()];
            let mut models = [[false; 34]; 2];
            for (set, model) in sets.iter_mut().zip(&mut models) {
                for _ in 0..random(8) {
                    let first = 1 + random(30);
                    let last = (first + random(6)).min(32);
                    set.add_interval(uuid, first, last);
                    (first..=last).for_each(|number| model[number as usize] = true);
                }
            }
            let [left, right] = &sets;
            let (mut both, mut rest) = (left.clone(), left.clone());
            both.union(right);
            rest.subtract(right);
            let (mut subset, mut common) = (true, false);
            for number in 1..33 {
                let (l, r) = (models[0][number], models[1][number]);
                let g = Gtid { uuid, number: number as u64 };
                assert_eq!(left.contains(g), l);
                assert_eq!(both.contains(g), l || r);
                assert_eq!(rest.contains(g), l && !r);
                subset &= !l || r;
                common |= l && r;
                let free = (number..34).find(|&n| !models[0][n]).unwrap() as u64;
                assert_eq!(left.lowest_free(uuid, number as u64), Some(free));
            }
            assert_eq!(left.is_subset(right), subset);
            assert_eq!(left.intersects(right), common);
            assert_eq!(GtidSet::parse(&both.to_string()).unwrap(), both);
            let mut bytes = Vec::new();
            rest.encode(&mut bytes);
            assert_eq!(GtidSet::decode(&bytes).unwrap(), rest);
            for cut in 0..bytes.len() {
                assert!(GtidSet::decode(&bytes[..cut]).is_err());
            }
        }
    }

    /// A client may send any number; one behind the greatest has no end.
    #[test]
    fn encoded_intervals_beyond_the_last_number_are_refused() {
        let encoded = |first: u64, end: u64| {
            let mut bytes = 1_u64.to_le_bytes().to_vec();
            bytes.extend_from_slice(&Uuid::parse(A).unwrap().0);
            [1, first, end].iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
            GtidSet::decode(&bytes)
        };
        assert_eq!(encoded(NUMBER_MAX, NUMBER_MAX + 1).unwrap(), set(&format!("A:{NUMBER_MAX}")));
        for (first, end) in [(u64::MAX, 0), (u64::MAX, u64::MAX), (NUMBER_MAX + 1, NUMBER_MAX + 2), (1, NUMBER_MAX + 2)]
        {
            assert!(encoded(first, end).is_err(), "{first}..{end}");
        }
    }

    #[test]
    fn the_last_number_is_free_until_taken() {
        let uuid = Uuid::parse(A).unwrap();
        let mut full = set(&format!("A:1-{}", NUMBER_MAX - 1));
        assert_eq!(full.lowest_free(uuid, 0), Some(NUMBER_MAX));
        full.add(gtid(A, NUMBER_MAX));
        assert_eq!(full.lowest_free(uuid, 0), None);
        full.subtract(&set("A:2"));
        assert_eq!(full, set(&format!("A:1:3-{NUMBER_MAX}")));
    }
}
