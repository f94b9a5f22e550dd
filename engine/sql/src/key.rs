//! Memcomparable keys: byte order of an encoding is the order of the values.
//!
//! A key of several parts is the parts one after another. Parts that may be NULL begin with a byte
//! (0 NULL, 1 a value). Strings are their collation's weights, escaped and ended (`00` becomes `00 FF`,
//! the end is `00 00`), so that no part runs into the next. The original values are in the row; a key is
//! never decoded. The *sort key* of a part, which write-set hashes are made of, is the same bytes
//! without NULL byte, escapes and end.

use crate::catalog::{Column, ColumnType, Key, Table};
use crate::collate::Collation;
use crate::decimal::Decimal;
use crate::row::{packed_date, packed_date_time};
use crate::value::Value;
use num_bigint::Sign;
use wire::mutant::{Mutant, planted};
use xxhash_rust::xxh64::xxh64;

/// What stands between the parts of a write-set item (`½`).
const SEPARATOR: &[u8] = "½".as_bytes();

/// Appends the sort key of one value of `column`; `prefix` is in characters (bytes when binary), 0 for all of it.
///
/// # Panics
/// When the value is NULL or was not converted to the column's type: stored values always are.
pub fn sort_key(column: &Column, prefix: u32, value: &Value, out: &mut Vec<u8>) {
    match (&column.kind, value) {
        (ColumnType::Int { bytes, unsigned, .. }, Value::Int(_) | Value::UInt(_)) => {
            let bits = match value {
                Value::Int(value) => *value as u64,
                Value::UInt(value) => *value,
                _ => 0,
            };
            let width = usize::from(*bytes);
            let flipped = if *unsigned { bits } else { bits ^ (1 << (width * 8 - 1)) };
            out.extend_from_slice(&flipped.to_be_bytes()[8 - width..]);
        }
        (ColumnType::Double { .. } | ColumnType::Fixed { .. }, Value::Double(value)) => {
            // -0 and 0 are one key.
            let bits = (value + 0.0).to_bits();
            let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
            out.extend_from_slice(&ordered.to_be_bytes());
        }
        (ColumnType::Decimal { scale, .. }, Value::Decimal(value)) => decimal_key(value, *scale, out),
        (ColumnType::Date, Value::Date(at)) => out.extend_from_slice(&packed_date(at).to_be_bytes()),
        (ColumnType::DateTime(_), Value::DateTime(at, _)) => {
            out.extend_from_slice(&packed_date_time(at).to_be_bytes());
        }
        (ColumnType::Timestamp(_), Value::Timestamp(us, _)) | (ColumnType::Time(_), Value::Time(us, _)) => {
            out.extend_from_slice(&(*us as u64 ^ 1 << 63).to_be_bytes());
        }
        (ColumnType::Year, Value::UInt(year)) => out.extend_from_slice(&(*year as u16).to_be_bytes()),
        (ColumnType::Enum(_), Value::Member(number, _)) => out.extend_from_slice(&(*number as u16).to_be_bytes()),
        (ColumnType::Set(_), Value::Member(bits, _)) | (ColumnType::Bit(_), Value::Bit(bits, _)) => {
            out.extend_from_slice(&bits.to_be_bytes());
        }
        (_, Value::Text(text)) => {
            let text = text_prefix(text, prefix);
            column.collation().weigh(text.as_bytes(), out);
        }
        (_, Value::Bytes(bytes)) => {
            let length = if prefix == 0 { bytes.len() } else { bytes.len().min(prefix as usize) };
            out.extend_from_slice(&bytes[..length]);
        }
        (kind, value) => unreachable!("a stored {kind:?} holds {value:?}"),
    }
}

fn text_prefix(text: &str, prefix: u32) -> &str {
    match (prefix > 0).then(|| text.char_indices().nth(prefix as usize)).flatten() {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// Sign and length, then the magnitude; for negative numbers all of it complemented.
fn decimal_key(value: &Decimal, scale: u8, out: &mut Vec<u8>) {
    let (sign, magnitude) = value.unscaled_at(scale).to_bytes_be();
    // At most 65 digits: 27 bytes.
    let length = magnitude.len() as u8;
    match sign {
        Sign::NoSign => out.push(0x80),
        Sign::Plus => {
            out.push(0x80 + length);
            out.extend_from_slice(&magnitude);
        }
        Sign::Minus => {
            out.push(0x80 - length);
            out.extend(magnitude.iter().map(|byte| !byte));
        }
    }
}

/// Whether keys of such columns have a length of their own in every value.
fn is_string(kind: &ColumnType) -> bool {
    matches!(
        kind,
        ColumnType::Char(_)
            | ColumnType::VarChar(_)
            | ColumnType::Text(_)
            | ColumnType::Binary(_)
            | ColumnType::VarBinary(_)
            | ColumnType::Blob(_)
    )
}

/// Appends one part of a key; NULL allowed where `nullable`.
pub fn encode_part(column: &Column, prefix: u32, value: &Value, out: &mut Vec<u8>) {
    if column.nullable {
        out.push(u8::from(!value.is_null()));
        if value.is_null() {
            return;
        }
    }
    if !is_string(&column.kind) {
        sort_key(column, prefix, value, out);
        return;
    }
    let from = out.len();
    sort_key(column, prefix, value, out);
    if out[from..].contains(&0) {
        let plain = out.split_off(from);
        for byte in plain {
            out.push(byte);
            if byte == 0 {
                out.push(0xff);
            }
        }
    }
    out.extend_from_slice(&[0, 0]);
}

/// The key of `row` in the table's clustered key: where the row lies.
#[must_use]
pub fn row_key(table: &Table, row: &[Value]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    if let Some(key) = table.clustered() {
        for part in &key.parts {
            let at = usize::from(part.column);
            encode_part(&table.definition.columns[at], part.prefix, &row[at], &mut out);
        }
    }
    out
}

/// The key of `row` in a secondary index. A unique one without a NULL is its parts alone, so that equal
/// values meet at one key; every other one ends with the row's own key.
#[must_use]
pub fn index_key(table: &Table, key: &Key, row: &[Value], row_key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(row_key.len() + 16);
    let mut has_null = false;
    for part in &key.parts {
        let at = usize::from(part.column);
        has_null |= row[at].is_null();
        encode_part(&table.definition.columns[at], part.prefix, &row[at], &mut out);
    }
    if !key.unique || has_null {
        out.extend_from_slice(row_key);
    }
    out
}

/// The constant front of a unique key's write-set items: `index ½ db ½ len table ½ len`.
#[must_use]
pub fn write_set_front(index: &str, schema: &str, table: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(index.len() + schema.len() + table.len() + 12);
    out.extend_from_slice(index.as_bytes());
    out.extend_from_slice(SEPARATOR);
    for name in [schema, table] {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(SEPARATOR);
        push_length(name.len(), &mut out);
    }
    out
}

fn push_length(length: usize, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = length;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends the write-set hashes of one row image: one for every unique key without a NULL part
/// (protocol.md §4.1). `scratch` is memory that is used again.
pub fn write_set(table: &Table, row: &[Value], scratch: &mut Vec<u8>, hashes: &mut Vec<u64>) {
    for (key, front) in table.definition.keys.iter().zip(&table.write_set_fronts) {
        if planted(Mutant::UniqueKeyNotHashed) && !hashes.is_empty() {
            break;
        }
        if !key.unique || key.parts.iter().any(|part| row[usize::from(part.column)].is_null()) {
            continue;
        }
        scratch.clear();
        scratch.extend_from_slice(front);
        for part in &key.parts {
            let at = usize::from(part.column);
            let from = scratch.len();
            sort_key(&table.definition.columns[at], part.prefix, &row[at], scratch);
            let length = scratch.len() - from;
            scratch.extend_from_slice(SEPARATOR);
            push_length(length, scratch);
        }
        hashes.push(xxh64(scratch, 0));
    }
}

/// The write-set hash of the row that has `values` in the unique key `number` of `table`, none of them NULL.
#[must_use]
pub fn parent_hash(table: &Table, number: usize, values: &[&Value]) -> u64 {
    let (key, mut item) = (&table.definition.keys[number], table.write_set_fronts[number].clone());
    for (part, value) in key.parts.iter().zip(values) {
        let from = item.len();
        sort_key(&table.definition.columns[usize::from(part.column)], part.prefix, value, &mut item);
        let length = item.len() - from;
        item.extend_from_slice(SEPARATOR);
        push_length(length, &mut item);
    }
    xxh64(&item, 0)
}

/// The key bytes of some columns of a table; `None` when one of them is NULL.
#[must_use]
pub fn columns_key(table: &Table, columns: impl Iterator<Item = u16>, values: &[&Value]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for (column, value) in columns.zip(values) {
        if value.is_null() {
            return None;
        }
        encode_part(&table.definition.columns[usize::from(column)], 0, value, &mut bytes);
    }
    Some(bytes)
}

/// A key part made of a text's weights under `collation`, for groups and DISTINCT.
pub fn weigh_value(value: &Value, collation: Collation, out: &mut Vec<u8>) {
    let from = out.len();
    match value {
        Value::Null => out.push(0),
        Value::Text(text) => {
            out.push(2);
            collation.weigh(text.as_bytes(), out);
        }
        Value::Bytes(bytes) => {
            out.push(2);
            out.extend_from_slice(bytes);
        }
        // Dates group with dates and times; what they print as differs by their digits only.
        Value::Date(at) | Value::DateTime(at, _) => {
            out.push(3);
            out.extend_from_slice(&packed_date_time(at).to_be_bytes());
        }
        Value::Timestamp(us, _) | Value::Time(us, _) => {
            out.push(4);
            out.extend_from_slice(&(*us as u64 ^ 1 << 63).to_be_bytes());
        }
        Value::Member(number, text) => {
            out.push(2);
            collation.weigh(text.as_bytes(), out);
            // The empty text may be a member, or what stands for a wrong value.
            out.push(u8::from(*number == 0));
        }
        Value::Bit(bits, _) => weigh_value(&Value::uint(*bits), collation, out),
        number => {
            out.push(1);
            // Equal numbers of different kinds are one group: without trailing zeros they print alike.
            let text = number.to_text().unwrap_or_default();
            let trimmed = if text.contains('.') && !text.contains('e') {
                text.trim_end_matches('0').trim_end_matches('.')
            } else {
                &text
            };
            out.extend_from_slice(if trimmed == "-0" { b"0" } else { trimmed.as_bytes() });
        }
    }
    let length = (out.len() - from) as u32;
    out.extend_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::{column, table};

    #[test]
    fn the_hash_of_the_specifications_example() {
        // `PRIMARY½test½4t1½21½1`: the value is the text "1" under a collation that weighs it as itself.
        let text = Column { collation: Collation::BINARY.id(), ..column("c", ColumnType::VarBinary(8), false) };
        let table = table("test", "t1", vec![text], &[("PRIMARY", true, &[0])]);
        let mut hashes = Vec::new();
        write_set(&table, &[Value::bytes(*b"1")], &mut Vec::new(), &mut hashes);
        assert_eq!(hashes, [340_395_741_608_101_502]);
    }

    #[test]
    fn keys_with_null_parts_and_plain_keys_have_no_hash() {
        let int = || ColumnType::Int { bytes: 4, unsigned: false, width: None, zerofill: false };
        let columns = vec![column("a", int(), false), column("b", int(), true)];
        let table = table("d", "t", columns, &[("PRIMARY", true, &[0]), ("u", true, &[1]), ("k", false, &[1])]);
        for (b, count) in [(Value::Null, 1), (Value::Int(1), 2)] {
            let mut hashes = Vec::new();
            write_set(&table, &[Value::Int(1), b], &mut Vec::new(), &mut hashes);
            assert_eq!(hashes.len(), count);
        }
    }

    #[test]
    fn byte_order_of_keys_is_the_order_of_values() {
        let int = |bytes, unsigned| ColumnType::Int { bytes, unsigned, width: None, zerofill: false };
        let dec = |text: &str| Value::Decimal(Decimal::parse(text).unwrap());
        let text = Value::text;
        let cases: Vec<(ColumnType, Vec<Value>)> = vec![
            (int(1, false), [-128, -1, 0, 1, 127].map(Value::Int).to_vec()),
            (int(4, false), [i64::from(i32::MIN), -7, 0, 300, i64::from(i32::MAX)].map(Value::Int).to_vec()),
            (int(8, false), [i64::MIN, -1, 0, 1, i64::MAX].map(Value::Int).to_vec()),
            (int(8, true), vec![Value::Int(0), Value::Int(i64::MAX), Value::UInt(1 << 63), Value::UInt(u64::MAX)]),
            (
                ColumnType::Double { unsigned: false, single: false },
                [f64::MIN, -1.5, -0.0, 1e-300, 2.0, f64::MAX].map(Value::Double).to_vec(),
            ),
            (
                ColumnType::Decimal { precision: 20, scale: 2, unsigned: false },
                ["-1000", "-255.00", "-2.56", "-0.01", "0", "0.01", "2.55", "2.56", "99999"].map(dec).to_vec(),
            ),
            (ColumnType::VarChar(20), ["", "!", "0", "a", "ab", "B", "é", "f", "α"].map(text).to_vec()),
            (
                ColumnType::VarBinary(20),
                [&b""[..], b"\0", b"\0\0", b"\0\x01", b"\x01", b"a", b"a\0", b"\xff"].map(Value::bytes).to_vec(),
            ),
        ];
        let days = [Value::text("0000-00-00"), Value::text("1999-12-31"), Value::text("2000-01-01")];
        let dates = days.iter().map(|day| Value::Date(day.to_date_time().unwrap()));
        let moments = days.iter().map(|day| Value::DateTime(day.to_date_time().unwrap(), 0));
        let cases = cases.into_iter().chain([
            (ColumnType::Date, dates.collect()),
            (ColumnType::DateTime(0), moments.collect()),
            (ColumnType::Time(0), [-5, 0, 7].map(|us| Value::Time(us, 0)).to_vec()),
            (ColumnType::Timestamp(0), [0, 1, 1 << 50].map(|us| Value::Timestamp(us, 0)).to_vec()),
            (ColumnType::Bit(64), [0, 1, u64::MAX].map(|bits| Value::Bit(bits, 64)).to_vec()),
            (ColumnType::Enum(vec!["b".into(), "a".into()]), [0, 1, 2].map(|at| Value::Member(at, "".into())).to_vec()),
        ]);
        for (kind, values) in cases {
            let column = column("c", kind, true);
            let mut keys = vec![vec![0_u8]];
            for value in std::iter::once(&Value::Null).chain(&values) {
                let mut key = Vec::new();
                encode_part(&column, 0, value, &mut key);
                // Followed by anything, the order must not change.
                key.push(0x7f);
                keys.push(key);
            }
            assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{column:?} {keys:02x?}");
        }
    }

    #[test]
    fn prefix_keys_use_characters() {
        let column = column("c", ColumnType::VarChar(20), false);
        let key = |text: &str| {
            let mut key = Vec::new();
            encode_part(&column, 2, &Value::text(text), &mut key);
            key
        };
        assert_eq!(key("éab"), key("EAC"));
        assert_ne!(key("é"), key("ea"));
    }
}
