//! Rows of whole numbers and texts that are sorted and handed on as they were stored: their values lie one behind
//! another, their texts in one place, and only references to them are moved about.
//!
//! Absent on purpose: everything that computes something of a row ([`super::select`] sorts such rows), and a bound on
//! how much is kept, as there.
//!
//! Invariant: `values` holds `width` values for each row that was pushed, `rows` those rows that are still wanted.

use crate::collate::Collation;
use crate::row::Plain;
use std::cmp::Ordering;
use std::ops::Range;

/// Rows that equal ones are looked for among, at first.
const EQUALS_LOOKED_FOR: usize = 4096;

/// A value; of a text, where it lies.
#[derive(Clone, Debug)]
enum Kept {
    Null,
    Int(i64),
    UInt(u64),
    Text(Range<usize>),
}

/// What rows are sorted by: the place among a row's values, descending, and the collation of texts.
pub(super) type PlainKey = (usize, bool, Collation);

/// A row: a part of its first key, less than another's only if the row comes first (`None` says nothing), and its
/// number among those that were pushed.
type Row = (Option<u64>, usize);

/// See the module.
pub(super) struct PlainRows {
    keys: Vec<PlainKey>,
    width: usize,
    values: Vec<Kept>,
    texts: String,
    rows: Vec<Row>,
    /// Of equal rows only the first is wanted.
    distinct: bool,
    /// So many rows are looked through for equal ones.
    most: usize,
}

impl PlainRows {
    /// No rows yet, of `width` values each.
    pub(super) fn new(keys: Vec<PlainKey>, width: usize, distinct: bool) -> Self {
        let (values, texts, rows) = Default::default();
        Self { keys, width, values, texts, rows, distinct, most: EQUALS_LOOKED_FOR }
    }

    /// Keeps a row.
    pub(super) fn push(&mut self, row: &[Plain<'_>]) {
        assert_eq!(row.len(), self.width, "rows of one table");
        let front = self.keys.first().and_then(|&(at, descending, collation)| {
            let front = match row[at] {
                Plain::Null => None,
                // As unsigned numbers order.
                Plain::Int(value) => Some(value as u64 ^ 1 << 63),
                Plain::UInt(value) => Some(value),
                Plain::Text(text) => collation.front(text.as_bytes()),
            };
            if descending { front.map(|front| !front) } else { front }
        });
        self.rows.push((front, self.values.len() / self.width.max(1)));
        for value in row {
            self.values.push(match *value {
                Plain::Null => Kept::Null,
                Plain::Int(value) => Kept::Int(value),
                Plain::UInt(value) => Kept::UInt(value),
                Plain::Text(text) => {
                    let from = self.texts.len();
                    self.texts.push_str(text);
                    Kept::Text(from..self.texts.len())
                }
            });
        }
        if self.distinct && self.rows.len() >= self.most {
            self.sort();
            self.forget_the_others();
            self.most = (2 * self.rows.len()).max(EQUALS_LOOKED_FOR);
        }
    }

    fn value(&self, row: usize, at: usize) -> Plain<'_> {
        match &self.values[row * self.width + at] {
            Kept::Null => Plain::Null,
            Kept::Int(value) => Plain::Int(*value),
            Kept::UInt(value) => Plain::UInt(*value),
            Kept::Text(range) => Plain::Text(&self.texts[range.clone()]),
        }
    }

    fn compare(&self, left: Row, right: Row) -> Ordering {
        if let (Some(left), Some(right)) = (left.0, right.0)
            && left != right
        {
            return left.cmp(&right);
        }
        for &(at, descending, collation) in &self.keys {
            let order = order(self.value(left.1, at), self.value(right.1, at), collation);
            if order.is_ne() {
                return if descending { order.reverse() } else { order };
            }
        }
        Ordering::Equal
    }

    /// Sorts; of equal rows, where they are not wanted, the one that came first stays.
    fn sort(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_by(|&left, &right| self.compare(left, right));
        if self.distinct {
            rows.dedup_by(|later, first| self.compare(*first, *later).is_eq());
        }
        self.rows = rows;
    }

    /// Gives the room of rows that are not wanted back.
    fn forget_the_others(&mut self) {
        let mut fresh = Self::new(std::mem::take(&mut self.keys), self.width, false);
        let mut values = Vec::with_capacity(self.width);
        for &(_, row) in &self.rows {
            values.clear();
            values.extend((0..self.width).map(|at| self.value(row, at)));
            fresh.push(&values);
        }
        *self = Self { distinct: self.distinct, most: self.most, ..fresh };
    }

    /// Hands the first `count` values of each row to `take`, in the rows' order, until it says that it has enough.
    pub(super) fn hand_on(&mut self, count: usize, mut take: impl FnMut(&[Plain<'_>]) -> bool) {
        self.sort();
        let mut values = Vec::with_capacity(count);
        for &(_, row) in &self.rows {
            values.clear();
            values.extend((0..count).map(|at| self.value(row, at)));
            if !take(&values) {
                return;
            }
        }
    }
}

/// As [`crate::value::Value::order`]: NULL first.
fn order(left: Plain<'_>, right: Plain<'_>, collation: Collation) -> Ordering {
    match (left, right) {
        (Plain::Null, Plain::Null) => Ordering::Equal,
        (Plain::Null, _) => Ordering::Less,
        (_, Plain::Null) => Ordering::Greater,
        (Plain::Int(left), Plain::Int(right)) => left.cmp(&right),
        (Plain::UInt(left), Plain::UInt(right)) => left.cmp(&right),
        (Plain::Text(left), Plain::Text(right)) => collation.compare(left.as_bytes(), right.as_bytes()),
        (left, right) => unreachable!("{left:?} and {right:?} are of one column"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn rows() -> Vec<Vec<Plain<'static>>> {
        let texts = ["b", "B", "a", "", "aa", "ab\u{e9}", "\u{e9}", "12345678", "123456789", "a"];
        let numbers = [Plain::Null, Plain::Int(i64::MIN), Plain::Int(-1), Plain::Int(0), Plain::Int(i64::MAX)];
        let row = |at: usize| {
            let text = if at % 7 == 6 { Plain::Null } else { Plain::Text(texts[at % texts.len()]) };
            vec![text, numbers[at * 3 % numbers.len()], Plain::UInt((at / 40) as u64)]
        };
        (0..400).map(row).collect()
    }

    /// The same rows, sorted as values are, stay the same.
    #[test]
    fn rows_sort_as_their_values_do() {
        for first in 0..3 {
            for second in 0..3 {
                for flags in 0..8 {
                    let (up, other, distinct) = (flags & 1 == 0, flags & 2 == 0, flags & 4 != 0);
                    let keys = vec![(first, !up, Collation::DEFAULT), (second, !other, Collation::DEFAULT)];
                    let order = |left: &Vec<Value>, right: &Vec<Value>| {
                        let one = |&(at, down, collation): &PlainKey| {
                            let order = left[at].order(&right[at], collation);
                            if down { order.reverse() } else { order }
                        };
                        keys.iter().map(one).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
                    };
                    let value = |row: &[Plain<'_>]| row.iter().map(|&value| Value::from(value)).collect::<Vec<_>>();
                    let mut expected: Vec<Vec<Value>> = rows().iter().map(|row| value(row)).collect();
                    expected.sort_by(order);
                    if distinct {
                        expected.dedup_by(|later, first| order(first, later).is_eq());
                    }
                    let mut sorted = PlainRows::new(keys.clone(), 3, distinct);
                    // Equal rows are looked for several times.
                    sorted.most = 10;
                    for row in rows() {
                        sorted.push(&row);
                        sorted.most = sorted.most.min(sorted.rows.len() + 50);
                    }
                    let mut found = Vec::new();
                    sorted.hand_on(3, |row| {
                        found.push(value(row));
                        true
                    });
                    assert_eq!(found, expected, "{first} {second} {flags}");
                }
            }
        }
    }

    #[test]
    fn enough_is_enough() {
        let mut sorted = PlainRows::new(vec![(1, false, Collation::DEFAULT)], 2, false);
        for value in [3, 1, 2] {
            sorted.push(&[Plain::Int(-value), Plain::Int(value)]);
        }
        let mut found = Vec::new();
        sorted.hand_on(1, |row| {
            found.push(Value::from(row[0]));
            found.len() < 2
        });
        assert_eq!(found, [Value::Int(-1), Value::Int(-2)]);
    }
}
