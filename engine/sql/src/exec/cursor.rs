//! Rows of one base table in key order, in batches, with the transaction's own changes laid over them: the store's as of
//! a snapshot, as values alone ([`Cursor::next_row`]), or the newest with their places, to be locked ([`Cursor::next`]).

use super::Exec;
use crate::catalog::{Column, ColumnType, Table};
use crate::counters::Counter;
use crate::error::{SqlError, error};
use crate::expr::Env;
use crate::key::encode_part;
use crate::plan::Access;
use crate::row;
use crate::temporal;
use crate::txn::Bytes;
use crate::value::Value;
use engine_store::store::successor;
use engine_store::{Range, Space, Store};
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::Bound;
use std::rc::Rc;
use wire::id::Csn;

/// Keys taken from the store at once.
const BATCH: usize = 64;

/// A row with its place.
#[derive(Debug)]
pub(super) struct Found {
    /// Clustered key.
    pub key: Bytes,
    /// Stored bytes.
    pub bytes: Bytes,
    /// Decoded.
    pub row: Vec<Value>,
}

/// A part of a key space that is to be read.
#[derive(Clone, Debug)]
enum Stretch {
    /// One key, of a unique key's values.
    One(Vec<u8>),
    Range(Range),
}

/// A scan in progress.
pub(super) struct Cursor {
    table: Rc<Table>,
    space: Space,
    stretches: VecDeque<Stretch>,
    backward: bool,
    /// What counts its rows after the first ones.
    counter: Counter,
    /// Which columns are asked for, where not all are: the others are NULL.
    columns: Option<Rc<[bool]>>,
    /// What lies in the stretches meets the conditions that they were made of, and those are all: for rows as of the
    /// snapshot.
    exact: bool,
    /// Rows as of the snapshot.
    rows: VecDeque<Vec<Value>>,
    /// The newest rows.
    ready: VecDeque<Found>,
}

/// A value as a part of a key to look for.
enum KeyValue {
    Exact(Value),
    /// No stored value is equal to it.
    Never,
    /// Equality with it is not equality of keys.
    Unusable,
}

fn key_value(column: &Column, value: &Value) -> KeyValue {
    use KeyValue::{Exact, Never, Unusable};
    match (&column.kind, value) {
        (_, Value::Null) => Never,
        (ColumnType::Int { bytes, unsigned, .. }, value) => {
            let wide = match value {
                Value::Int(value) => i128::from(*value),
                Value::UInt(value) => i128::from(*value),
                Value::Decimal(decimal) if decimal.truncated(0) == *decimal => match decimal.to_i128() {
                    Some(wide) => wide,
                    None => return Never,
                },
                Value::Decimal(_) => return Unusable,
                Value::Double(double) if double.fract() == 0.0 && double.abs() < 9e15 => *double as i128,
                Value::Text(text) => match text.trim().parse::<i64>() {
                    // Beyond this, comparison as doubles finds neighbours equal.
                    Ok(number) if number.unsigned_abs() < 1 << 53 => i128::from(number),
                    _ => return Unusable,
                },
                _ => return Unusable,
            };
            let bits = u32::from(*bytes) * 8;
            let fits = if *unsigned {
                (0..1_i128 << bits).contains(&wide)
            } else {
                (-(1_i128 << (bits - 1))..1_i128 << (bits - 1)).contains(&wide)
            };
            match (fits, unsigned) {
                (false, _) => Never,
                (true, true) => Exact(Value::UInt(wide as u64)),
                (true, false) => Exact(Value::Int(wide as i64)),
            }
        }
        (ColumnType::Decimal { scale, .. }, Value::Int(_) | Value::UInt(_) | Value::Decimal(_)) => {
            match value.to_decimal() {
                Some(decimal) if decimal.rounded(*scale) == decimal => Exact(Value::Decimal(decimal.rounded(*scale))),
                _ => Never,
            }
        }
        (ColumnType::Double { .. } | ColumnType::Fixed { .. }, Value::Int(_) | Value::UInt(_) | Value::Double(_)) => {
            value.to_f64().map_or(Never, |double| Exact(Value::Double(double)))
        }
        (ColumnType::Enum(_) | ColumnType::Set(_), _) => Unusable,
        (ColumnType::Date, Value::Date(_)) => Exact(value.clone()),
        (ColumnType::Date, Value::DateTime(at, _)) if *at == temporal::date_of(*at) => Exact(Value::Date(*at)),
        (ColumnType::DateTime(_), Value::DateTime(at, _) | Value::Date(at)) => Exact(Value::DateTime(*at, 6)),
        (ColumnType::Date | ColumnType::DateTime(_), Value::Text(text)) => match temporal::read_date_time(text) {
            Some(read) if !read.rest && read.offset.is_none() => match &column.kind {
                ColumnType::Date if read.at == temporal::date_of(read.at) => Exact(Value::Date(read.at)),
                ColumnType::Date => Unusable,
                _ => Exact(Value::DateTime(read.at, 6)),
            },
            _ => Unusable,
        },
        (ColumnType::Time(_), Value::Time(..)) => Exact(value.clone()),
        (ColumnType::Time(_), Value::Text(text)) => match temporal::read_time(text) {
            Some(read) if !read.rest && !read.beyond => Exact(Value::Time(read.us, 6)),
            _ => Unusable,
        },
        (ColumnType::Year, Value::Int(_) | Value::UInt(_)) => match value.to_i128() {
            Some(year @ (0 | 1901..=2155)) => Exact(Value::UInt(year as u64)),
            _ => Unusable,
        },
        (ColumnType::Bit(count), Value::Int(_) | Value::UInt(_)) => match value.to_i128() {
            Some(bits) => u64::try_from(bits).map_or(Never, |bits| Exact(Value::Bit(bits, *count))),
            None => Never,
        },
        (kind, Value::Text(_)) if kind.is_text() => Exact(value.clone()),
        (kind, Value::Text(text)) if kind.is_bytes() => Exact(Value::bytes(text.as_bytes())),
        (kind, Value::Bytes(_)) if kind.is_bytes() => Exact(value.clone()),
        (kind, Value::Bit(..)) if kind.is_bytes() => Exact(Value::bytes(value.to_bytes().unwrap_or_default())),
        (ColumnType::Bit(_), Value::Bit(..)) => Exact(value.clone()),
        _ => Unusable,
    }
}

/// The stretches of a key that a way to the rows means, and whether they are exactly what its conditions say.
fn stretches(
    table: &Table,
    access: &Access,
    row: &[Value],
    env: &dyn Env,
) -> Result<(u16, VecDeque<Stretch>, bool), SqlError> {
    let all = || VecDeque::from([Stretch::Range(Range::all())]);
    let Access::Key { space, equal, among, low, high, whole } = access else {
        return Ok((0, if matches!(access, Access::Full) { all() } else { VecDeque::new() }, false));
    };
    let mut exact = *whole;
    let is_whole = |value: &Value| matches!(value, Value::Int(_) | Value::UInt(_));
    let full = || Ok((0, all(), false));
    let Some(key) = table.definition.keys.iter().find(|key| key.space == *space) else { return full() };
    let column = |part: usize| &table.definition.columns[usize::from(key.parts[part].column)];
    let prefixed = |prefix: &[u8]| VecDeque::from([Stretch::Range(Range::prefix(prefix))]);
    // Values of all parts of a unique key, none of them NULL, are one key.
    let one = |parts: usize| key.unique && parts == key.parts.len();
    let mut prefix = Vec::new();
    for (part, node) in equal.iter().enumerate() {
        let value = node.eval(row, env)?;
        exact &= is_whole(&value);
        match key_value(column(part), &value) {
            KeyValue::Exact(value) => encode_part(column(part), 0, &value, &mut prefix),
            KeyValue::Never => return Ok((*space, VecDeque::new(), exact)),
            KeyValue::Unusable if part == 0 => return full(),
            KeyValue::Unusable => return Ok((*space, prefixed(&prefix), false)),
        }
    }
    let next = equal.len();
    if let Some(list) = among {
        let mut keys = Vec::with_capacity(list.len());
        for node in list {
            match key_value(column(next), &*node.eval(row, env)?) {
                KeyValue::Exact(value) => {
                    let mut key = prefix.clone();
                    encode_part(column(next), 0, &value, &mut key);
                    keys.push(key);
                }
                KeyValue::Never => {}
                KeyValue::Unusable => return Ok((*space, prefixed(&prefix), false)),
            }
        }
        keys.sort_unstable();
        keys.dedup();
        let stretch =
            |key: Vec<u8>| if one(next + 1) { Stretch::One(key) } else { Stretch::Range(Range::prefix(&key)) };
        return Ok((*space, keys.into_iter().map(stretch).collect(), false));
    }
    if one(next) {
        return Ok((*space, VecDeque::from([Stretch::One(prefix)]), exact));
    }
    let mut range = Range::prefix(&prefix);
    // A bound on a text whose weights pad is left to the filter: their bytes order equality only.
    let ordered = next < key.parts.len() && !(column(next).kind.is_text() && column(next).collation().pads());
    for (end, is_low) in [(low, true), (high, false)] {
        let Some((node, inclusive)) = end.as_ref().filter(|_| ordered) else { continue };
        let value = node.eval(row, env)?;
        if value.is_null() {
            return Ok((*space, VecDeque::new(), exact));
        }
        exact &= is_whole(&value);
        let KeyValue::Exact(value) = key_value(column(next), &value) else {
            exact = false;
            continue;
        };
        let mut bytes = prefix.clone();
        encode_part(column(next), 0, &value, &mut bytes);
        let after = || successor(&bytes).map_or(Bound::Unbounded, Bound::Excluded);
        match (is_low, inclusive) {
            (true, true) => range.from = Bound::Included(bytes),
            (true, false) => match successor(&bytes) {
                Some(next) => range.from = Bound::Included(next),
                None => return Ok((*space, VecDeque::new(), exact)),
            },
            (false, true) => range.to = after(),
            (false, false) => range.to = Bound::Excluded(bytes),
        }
    }
    if low.is_none() && high.is_some() && ordered && column(next).nullable {
        // NULL is below everything, and in no range.
        let mut bytes = prefix;
        bytes.push(1);
        range.from = Bound::Included(bytes);
    }
    Ok((*space, VecDeque::from([Stretch::Range(range)]), exact))
}

/// 1815 for a row that its table's definition cannot explain.
fn damaged(table: &Table, fault: row::RowError) -> SqlError {
    error(1815, format!("Internal error: table '{}.{}': {fault}", table.schema, table.name))
}

/// A key and what lies there; `None` is "deleted here".
type Entry<'a> = (&'a [u8], Option<&'a [u8]>);

/// The entries of two ordered sequences in their order. Where both have a key, `own` counts.
fn merge<'a>(
    stored: impl Iterator<Item = Entry<'a>>,
    own: impl Iterator<Item = Entry<'a>>,
    backward: bool,
) -> impl Iterator<Item = Entry<'a>> {
    let (mut stored, mut own) = (stored.peekable(), own.peekable());
    std::iter::from_fn(move || {
        let (Some((theirs, _)), Some((ours, _))) = (stored.peek(), own.peek()) else {
            return stored.next().or_else(|| own.next());
        };
        let order = if backward { ours.cmp(theirs) } else { theirs.cmp(ours) };
        match order {
            Ordering::Less => stored.next(),
            Ordering::Equal => {
                stored.next();
                own.next()
            }
            Ordering::Greater => own.next(),
        }
    })
}

impl Cursor {
    /// Begins a scan. The way to the rows may depend on `row`, of the tables joined before.
    pub(super) fn new(
        exec: &Exec<'_>,
        table: &Rc<Table>,
        access: &Access,
        row: &[Value],
        backward: bool,
    ) -> Result<Self, SqlError> {
        let env: &dyn Env = exec.env;
        let (number, mut stretches, exact) = stretches(table, access, row, env)?;
        if backward {
            stretches.make_contiguous().reverse();
        }
        let space = Space { table: table.id, number };
        let (first, counter) = match (access, backward) {
            (Access::Key { .. }, true) => (Counter::HandlerReadKey, Counter::HandlerReadPrev),
            (Access::Key { .. }, false) => (Counter::HandlerReadKey, Counter::HandlerReadNext),
            _ => (Counter::HandlerReadFirst, Counter::HandlerReadRndNext),
        };
        exec.env.count(first, stretches.len() as u64);
        Ok(Self {
            counter,
            table: table.clone(),
            space,
            stretches,
            backward,
            columns: None,
            exact,
            rows: VecDeque::new(),
            ready: VecDeque::new(),
        })
    }

    /// Has [`Cursor::next_row`] read these columns only.
    pub(super) fn read_only(&mut self, columns: Option<Rc<[bool]>>) {
        self.columns = columns;
    }

    /// Whether rows as of the snapshot meet the statement's conditions without being asked.
    pub(super) fn is_exact(&self) -> bool {
        self.exact
    }

    /// Whether it reads the clustered key.
    pub(super) fn is_clustered(&self) -> bool {
        self.space.number == 0
    }

    /// A row that is there without looking for more.
    pub(super) fn ready_row(&mut self) -> Option<Vec<Value>> {
        self.rows.pop_front()
    }

    /// The next row as of the transaction's snapshot.
    pub(super) async fn next_row(&mut self, exec: &mut Exec<'_>) -> Result<Option<Vec<Value>>, SqlError> {
        exec.step().await?;
        loop {
            if let Some(row) = self.rows.pop_front() {
                return Ok(Some(row));
            }
            let more = self.pass_rows(exec, |cursor, row| {
                let decoded = row::decode_columns(&cursor.table.definition, row, cursor.columns.as_deref());
                cursor.rows.push_back(decoded.map_err(|fault| damaged(&cursor.table, fault))?);
                Ok(())
            })?;
            if !more {
                return Ok(None);
            }
        }
    }

    /// Hands the next stored rows as of the transaction's snapshot to `take`, at most [`BATCH`] of them; false at the end.
    pub(super) fn pass_rows(
        &mut self,
        exec: &mut Exec<'_>,
        mut take: impl FnMut(&mut Self, &[u8]) -> Result<(), SqlError>,
    ) -> Result<bool, SqlError> {
        let Some(stretch) = self.stretches.pop_front() else { return Ok(false) };
        let at = exec.txn.snapshot();
        self.fill(exec, stretch, at, |cursor, exec, store, _, row| {
            let row = if cursor.space.number == 0 {
                Some(row)
            } else {
                // An index entry holds the row's own key.
                let rows = cursor.rows_space();
                match exec.txn.own(rows, row) {
                    Some(own) => own.as_deref(),
                    None => store.get(rows, row, at),
                }
            };
            match row {
                Some(row) => take(cursor, row),
                None => Ok(()),
            }
        })?;
        Ok(true)
    }

    /// 1815 for a row that the table's definition cannot explain.
    pub(super) fn damaged(&self, fault: row::RowError) -> SqlError {
        damaged(&self.table, fault)
    }

    /// The table.
    pub(super) fn table(&self) -> &Rc<Table> {
        &self.table
    }

    /// The newest row that comes next.
    pub(super) async fn next(&mut self, exec: &mut Exec<'_>) -> Result<Option<Found>, SqlError> {
        exec.step().await?;
        loop {
            if let Some(found) = self.ready.pop_front() {
                return Ok(Some(found));
            }
            let Some(stretch) = self.stretches.pop_front() else { return Ok(None) };
            self.fill(exec, stretch, Csn(u64::MAX), |cursor, exec, store, key, row| {
                let (key, bytes) = if cursor.space.number == 0 {
                    (Bytes::from(key), Bytes::from(row))
                } else {
                    let rows = cursor.rows_space();
                    let newest = match exec.txn.own(rows, row) {
                        Some(own) => own.clone(),
                        None => store.newest(rows, row).and_then(|(_, row)| row.map(Bytes::from)),
                    };
                    let Some(newest) = newest else { return Ok(()) };
                    (Bytes::from(row), newest)
                };
                let row = decode(&cursor.table, &bytes)?;
                cursor.ready.push_back(Found { key, bytes, row });
                Ok(())
            })?;
        }
    }

    /// Where the rows lie that an index's entries name.
    fn rows_space(&self) -> Space {
        Space { number: 0, ..self.space }
    }

    /// Hands a batch of `stretch`, as of `at`, to `take`; what is left of it goes back to the front.
    fn fill(
        &mut self,
        exec: &Exec<'_>,
        stretch: Stretch,
        at: Csn,
        mut take: impl FnMut(&mut Self, &Exec<'_>, &Store, &[u8], &[u8]) -> Result<(), SqlError>,
    ) -> Result<(), SqlError> {
        let store = exec.server.store.borrow();
        let own = exec.txn.own_keys(self.space);
        let range = match stretch {
            Stretch::Range(range) if range.is_empty() => return Ok(()),
            Stretch::Range(range) => range,
            Stretch::One(key) => {
                let row = match own.and_then(|own| own.get(key.as_slice())) {
                    Some(own) => own.as_deref(),
                    None => store.get(self.space, &key, at),
                };
                let Some(row) = row else { return Ok(()) };
                exec.env.count(self.counter, 1);
                return take(self, exec, &store, &key, row);
            }
        };
        let backward = self.backward;
        let stored = store.scan(self.space, &range, at, backward).map(|entry| (entry.key, entry.row));
        let mut own = own.map(|own| own.range::<[u8], _>(range.bounds()));
        let own = std::iter::from_fn(|| {
            let own = own.as_mut()?;
            let (key, row) = if backward { own.next_back() } else { own.next() }?;
            Some((&**key, row.as_deref()))
        });
        let (mut count, mut last) = (0, None);
        for (key, row) in merge(stored, own, backward) {
            count += 1;
            if let Some(row) = row {
                take(self, exec, &store, key, row)?;
            }
            if count == BATCH {
                last = Some(key);
                break;
            }
        }
        exec.env.count(self.counter, count as u64);
        if let Some(last) = last {
            self.stretches.push_front(Stretch::Range(range.after(last, backward)));
        }
        Ok(())
    }
}

/// Decodes a stored row.
pub(super) fn decode(table: &Table, bytes: &[u8]) -> Result<Vec<Value>, SqlError> {
    row::decode(&table.definition, bytes).map_err(|fault| damaged(table, fault))
}
