//! Rows of one base table in key order, in batches: the store's as of a snapshot (or the newest, for
//! locking), with the transaction's own changes laid over them.

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
use engine_store::{Range, Space};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::rc::Rc;

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

/// A scan in progress.
pub(super) struct Cursor {
    table: Rc<Table>,
    space: Space,
    ranges: VecDeque<Range>,
    backward: bool,
    /// Newest versions instead of the snapshot's.
    newest: bool,
    /// What counts its rows after the first ones.
    counter: Counter,
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
        (ColumnType::Double { .. }, Value::Int(_) | Value::UInt(_) | Value::Double(_)) => {
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

/// The stretches of a key that a way to the rows means.
fn ranges(table: &Table, access: &Access, row: &[Value], env: &dyn Env) -> Result<(u16, VecDeque<Range>), SqlError> {
    let Access::Key { space, equal, among, low, high } = access else {
        let all = if matches!(access, Access::Full) { VecDeque::from([Range::all()]) } else { VecDeque::new() };
        return Ok((0, all));
    };
    let full = || Ok((0, VecDeque::from([Range::all()])));
    let Some(key) = table.definition.keys.iter().find(|key| key.space == *space) else { return full() };
    let column = |part: usize| &table.definition.columns[usize::from(key.parts[part].column)];
    let mut prefix = Vec::new();
    for (part, node) in equal.iter().enumerate() {
        match key_value(column(part), &*node.eval(row, env)?) {
            KeyValue::Exact(value) => encode_part(column(part), 0, &value, &mut prefix),
            KeyValue::Never => return Ok((*space, VecDeque::new())),
            KeyValue::Unusable if part == 0 => return full(),
            KeyValue::Unusable => return Ok((*space, VecDeque::from([Range::prefix(&prefix)]))),
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
                KeyValue::Unusable => return Ok((*space, VecDeque::from([Range::prefix(&prefix)]))),
            }
        }
        keys.sort_unstable();
        keys.dedup();
        return Ok((*space, keys.iter().map(|key| Range::prefix(key)).collect()));
    }
    let mut range = Range::prefix(&prefix);
    // A bound on a text whose weights pad is left to the filter: their bytes order equality only.
    let ordered = next < key.parts.len() && !(column(next).kind.is_text() && column(next).collation().pads());
    for (end, is_low) in [(low, true), (high, false)] {
        let Some((node, inclusive)) = end.as_ref().filter(|_| ordered) else { continue };
        let value = node.eval(row, env)?;
        if value.is_null() {
            return Ok((*space, VecDeque::new()));
        }
        let KeyValue::Exact(value) = key_value(column(next), &value) else { continue };
        let mut bytes = prefix.clone();
        encode_part(column(next), 0, &value, &mut bytes);
        let after = || successor(&bytes).map_or(Bound::Unbounded, Bound::Excluded);
        match (is_low, inclusive) {
            (true, true) => range.from = Bound::Included(bytes),
            (true, false) => match successor(&bytes) {
                Some(next) => range.from = Bound::Included(next),
                None => return Ok((*space, VecDeque::new())),
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
    Ok((*space, VecDeque::from([range])))
}

/// 1815 for a row that its table's definition cannot explain.
fn damaged(table: &Table, fault: row::RowError) -> SqlError {
    error(1815, format!("Internal error: table '{}.{}': {fault}", table.schema, table.name))
}

impl Cursor {
    /// Begins a scan. The way to the rows may depend on `row`, of the tables joined before.
    pub(super) fn new(
        exec: &Exec<'_>,
        table: &Rc<Table>,
        access: &Access,
        row: &[Value],
        backward: bool,
        newest: bool,
    ) -> Result<Self, SqlError> {
        let env: &dyn Env = exec.env;
        let (number, mut ranges) = ranges(table, access, row, env)?;
        if backward {
            ranges.make_contiguous().reverse();
        }
        let space = Space { table: table.id, number };
        let (first, counter) = match (access, backward) {
            (Access::Key { .. }, true) => (Counter::HandlerReadKey, Counter::HandlerReadPrev),
            (Access::Key { .. }, false) => (Counter::HandlerReadKey, Counter::HandlerReadNext),
            _ => (Counter::HandlerReadFirst, Counter::HandlerReadRndNext),
        };
        exec.env.count(first, ranges.len() as u64);
        Ok(Self { counter, table: table.clone(), space, ranges, backward, newest, ready: VecDeque::new() })
    }

    /// The next row.
    pub(super) async fn next(&mut self, exec: &mut Exec<'_>) -> Result<Option<Found>, SqlError> {
        exec.step().await?;
        loop {
            if let Some(found) = self.ready.pop_front() {
                return Ok(Some(found));
            }
            let Some(range) = self.ranges.pop_front() else { return Ok(None) };
            self.fill(exec, range)?;
        }
    }

    /// Reads a batch of `range`; what is left of it goes back to the front.
    fn fill(&mut self, exec: &mut Exec<'_>, range: Range) -> Result<(), SqlError> {
        let mut merged: BTreeMap<Bytes, Option<Bytes>> = BTreeMap::new();
        let mut last = None;
        {
            let at = if self.newest { wire::id::Csn(u64::MAX) } else { exec.txn.snapshot() };
            let store = exec.server.store.borrow();
            let mut count = 0;
            for entry in store.scan(self.space, &range, at, self.backward) {
                merged.insert(entry.key.into(), entry.row.map(Bytes::from));
                count += 1;
                if count == BATCH {
                    last = Some(entry.key.to_vec());
                    break;
                }
            }
        }
        exec.env.count(self.counter, merged.len() as u64);
        let part = match &last {
            None => range.clone(),
            Some(last) if self.backward => Range { from: Bound::Included(last.clone()), to: range.to.clone() },
            Some(last) => Range { from: range.from.clone(), to: Bound::Included(last.clone()) },
        };
        if let Some(own) = exec.txn.own_keys(self.space)
            && !part.is_empty()
        {
            for (key, row) in own.range::<[u8], _>(part.bounds()) {
                merged.insert(key.clone(), row.clone());
            }
        }
        if let Some(last) = last {
            self.ranges.push_front(range.after(&last, self.backward));
        }
        let mut rows: Vec<(Bytes, Bytes)> =
            merged.into_iter().filter_map(|(key, row)| row.map(|row| (key, row))).collect();
        if self.backward {
            rows.reverse();
        }
        for (key, bytes) in rows {
            let (key, bytes) = if self.space.number == 0 {
                (key, bytes)
            } else {
                // An index entry holds the row's own key.
                let rows = Space { number: 0, ..self.space };
                let row = if self.newest { newest(exec, rows, &bytes) } else { exec.txn.get(rows, &bytes) };
                let Some(row) = row else { continue };
                (bytes, row)
            };
            let row = row::decode(&self.table.definition, &bytes).map_err(|fault| damaged(&self.table, fault))?;
            self.ready.push_back(Found { key, bytes, row });
        }
        Ok(())
    }
}

/// The newest row, own changes first.
fn newest(exec: &Exec<'_>, space: Space, key: &[u8]) -> Option<Bytes> {
    if let Some(own) = exec.txn.own(space, key) {
        return own.clone();
    }
    exec.server.store.borrow().newest(space, key).and_then(|(_, row)| row.map(Bytes::from))
}

/// Decodes a stored row.
pub(super) fn decode(table: &Table, bytes: &[u8]) -> Result<Vec<Value>, SqlError> {
    row::decode(&table.definition, bytes).map_err(|fault| damaged(table, fault))
}
