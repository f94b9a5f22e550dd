//! Rows: their stored bytes, and the conversion of values to their columns' types.
//!
//! A stored row is a bitmap of its NULL columns (one bit each, column 0 lowest) and then the others in
//! order: integers in their width, little endian; doubles as 8 bytes; decimals and strings behind a
//! length (LEB128); dates, times, years and timestamps packed in 1, 4 or 8 bytes, numbers of ENUM in 2, of SET and
//! BIT in 8; documents behind a length. The table's definition is needed to read it. Absent on purpose: versions of a
//! layout; a change of columns writes a table's rows anew.

mod special;

use crate::catalog::{Column, ColumnType, TableDefinition};
use crate::collate::Collation;
use crate::decimal::Decimal;
use crate::error::{SqlError, error};
use crate::json::Json;
use crate::temporal::{DateRules, DateTime};
use crate::value::{Level, Value, Warning, text_number};
use std::rc::Rc;

/// A stored row that its table's definition cannot explain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stored row does not fit its table: column {column} at byte {at}")]
pub struct RowError {
    /// The column.
    pub column: usize,
    /// Where its bytes should begin.
    pub at: usize,
}

fn push_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// Appends the stored form of `row`.
///
/// # Panics
/// When a value was not converted to its column's type.
pub fn encode(definition: &TableDefinition, row: &[Value], out: &mut Vec<u8>) {
    assert_eq!(row.len(), definition.columns.len(), "a row has one value for each column");
    let bitmap = out.len();
    out.resize(bitmap + row.len().div_ceil(8), 0);
    for (at, (value, column)) in row.iter().zip(&definition.columns).enumerate() {
        match (&column.kind, value) {
            (_, Value::Null) => out[bitmap + at / 8] |= 1 << (at % 8),
            (ColumnType::Int { bytes, .. }, Value::Int(value)) => {
                out.extend_from_slice(&value.to_le_bytes()[..usize::from(*bytes)]);
            }
            (ColumnType::Int { bytes, .. }, Value::UInt(value)) => {
                out.extend_from_slice(&value.to_le_bytes()[..usize::from(*bytes)]);
            }
            (ColumnType::Double { .. } | ColumnType::Fixed { .. }, Value::Double(value)) => {
                out.extend_from_slice(&value.to_le_bytes())
            }
            (ColumnType::Decimal { .. }, Value::Decimal(value)) => {
                let text = value.to_string();
                push_length(text.len(), out);
                out.extend_from_slice(text.as_bytes());
            }
            (ColumnType::Date, Value::Date(at)) => out.extend_from_slice(&packed_date(at).to_le_bytes()),
            (ColumnType::DateTime(_), Value::DateTime(at, _)) => {
                out.extend_from_slice(&packed_date_time(at).to_le_bytes());
            }
            (ColumnType::Timestamp(_), Value::Timestamp(us, _)) | (ColumnType::Time(_), Value::Time(us, _)) => {
                out.extend_from_slice(&us.to_le_bytes());
            }
            // 0000 is 0, 1901 is 1.
            (ColumnType::Year, Value::UInt(year)) => out.push(year.saturating_sub(1900) as u8),
            (ColumnType::Enum(_), Value::Member(number, _)) => {
                out.extend_from_slice(&(*number as u16).to_le_bytes());
            }
            (ColumnType::Set(_), Value::Member(bits, _)) | (ColumnType::Bit(_), Value::Bit(bits, _)) => {
                out.extend_from_slice(&bits.to_le_bytes());
            }
            (ColumnType::Json, Value::Json(json)) => {
                let mut bytes = Vec::new();
                json.encode(&mut bytes);
                push_length(bytes.len(), out);
                out.extend_from_slice(&bytes);
            }
            (_, Value::Text(text)) => {
                push_length(text.len(), out);
                out.extend_from_slice(text.as_bytes());
            }
            (_, Value::Bytes(bytes)) => {
                push_length(bytes.len(), out);
                out.extend_from_slice(bytes);
            }
            (kind, value) => unreachable!("a {kind:?} is to hold {value:?}"),
        }
    }
}

/// A date in its stored form, which orders as dates do.
#[must_use]
pub fn packed_date(at: &DateTime) -> u32 {
    u32::from(at.year) << 9 | u32::from(at.month) << 5 | u32::from(at.day)
}

/// A date and time in its stored form, which orders as they do.
#[must_use]
pub fn packed_date_time(at: &DateTime) -> u64 {
    let time = u64::from(at.hour) << 12 | u64::from(at.minute) << 6 | u64::from(at.second);
    (u64::from(packed_date(at)) << 17 | time) << 20 | u64::from(at.micros)
}

fn unpacked_date(packed: u32) -> DateTime {
    DateTime {
        year: (packed >> 9) as u16,
        month: (packed >> 5 & 15) as u8,
        day: (packed & 31) as u8,
        ..DateTime::default()
    }
}

fn unpacked_date_time(packed: u64) -> DateTime {
    let time = packed >> 20;
    DateTime {
        hour: (time >> 12 & 31) as u8,
        minute: (time >> 6 & 63) as u8,
        second: (time & 63) as u8,
        micros: (packed & 0xf_ffff) as u32,
        ..unpacked_date((time >> 17) as u32)
    }
}

/// Reads a stored row.
///
/// # Errors
/// [`RowError`] when the bytes are not a row of such a table.
pub fn decode(definition: &TableDefinition, bytes: &[u8]) -> Result<Vec<Value>, RowError> {
    decode_columns(definition, bytes, None)
}

/// Reads some columns of a stored row, `wanted` or all; the others are NULL.
///
/// # Errors
/// See [`decode`].
pub fn decode_columns(
    definition: &TableDefinition,
    bytes: &[u8],
    wanted: Option<&[bool]>,
) -> Result<Vec<Value>, RowError> {
    let columns = definition.columns.len();
    let mut row = Vec::with_capacity(columns);
    let mut at = columns.div_ceil(8);
    let bitmap = bytes.get(..at).ok_or(RowError { column: 0, at: 0 })?;
    for (number, column) in definition.columns.iter().enumerate() {
        if bitmap[number / 8] >> (number % 8) & 1 == 1 {
            row.push(Value::Null);
            continue;
        }
        let fault = RowError { column: number, at };
        let (width, from) = stored_width(&column.kind, bytes, at).ok_or(fault)?;
        let raw = bytes.get(from..).and_then(|rest| rest.get(..width)).ok_or(fault)?;
        at = from + width;
        let value = match &column.kind {
            ColumnType::Int { unsigned: true, .. } => Value::UInt(bits(raw)),
            ColumnType::Int { .. } => Value::Int(signed(raw)),
            ColumnType::Double { .. } | ColumnType::Fixed { .. } => Value::Double(f64::from_bits(bits(raw))),
            ColumnType::Date => Value::Date(unpacked_date(bits(raw) as u32)),
            ColumnType::Year => Value::UInt(if raw == [0] { 0 } else { 1900 + bits(raw) }),
            ColumnType::DateTime(digits) => Value::DateTime(unpacked_date_time(bits(raw)), *digits),
            ColumnType::Timestamp(digits) => Value::Timestamp(signed(raw), *digits),
            ColumnType::Time(digits) => Value::Time(signed(raw), *digits),
            ColumnType::Bit(count) => Value::Bit(bits(raw), *count),
            kind @ (ColumnType::Enum(_) | ColumnType::Set(_)) => {
                let number = bits(raw);
                Value::Member(number, kind.member_text(number).unwrap_or_default().into())
            }
            // The other kinds cost no memory of their own.
            _ if wanted.is_some_and(|wanted| !wanted[number]) => Value::Null,
            ColumnType::Binary(_) | ColumnType::VarBinary(_) | ColumnType::Blob(_) => Value::bytes(raw),
            ColumnType::Json => Value::Json(Rc::new(Json::decode(raw).ok_or(fault)?)),
            ColumnType::Decimal { .. } => {
                let text = std::str::from_utf8(raw).ok();
                Value::Decimal(text.and_then(Decimal::parse).ok_or(fault)?)
            }
            _ => Value::text(std::str::from_utf8(raw).map_err(|_| fault)?),
        };
        row.push(value);
    }
    if at == bytes.len() { Ok(row) } else { Err(RowError { column: columns, at }) }
}

/// A stored value of a [plain](Plain) column, where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain<'a> {
    /// NULL.
    Null,
    /// A signed integer.
    Int(i64),
    /// An unsigned one.
    UInt(u64),
    /// A text.
    Text(&'a str),
}

impl From<Plain<'_>> for Value {
    fn from(plain: Plain<'_>) -> Self {
        match plain {
            Plain::Null => Self::Null,
            Plain::Int(value) => Self::Int(value),
            Plain::UInt(value) => Self::UInt(value),
            Plain::Text(text) => Self::text(text),
        }
    }
}

/// Reads some columns of a stored row in place, whole numbers and texts only, into `out` in the order of `wanted`.
///
/// # Errors
/// See [`decode`].
///
/// # Panics
/// When a wanted column is of another kind: plans say which ask for such.
pub fn read_plain<'a>(
    definition: &TableDefinition,
    bytes: &'a [u8],
    wanted: &[usize],
    out: &mut Vec<Plain<'a>>,
) -> Result<(), RowError> {
    out.clear();
    out.resize(wanted.len(), Plain::Null);
    let columns = definition.columns.len();
    let mut at = columns.div_ceil(8);
    let bitmap = bytes.get(..at).ok_or(RowError { column: 0, at: 0 })?;
    let last = wanted.iter().max().map_or(0, |last| last + 1);
    for (number, column) in definition.columns.iter().enumerate().take(last) {
        if bitmap[number / 8] >> (number % 8) & 1 == 1 {
            continue;
        }
        let fault = RowError { column: number, at };
        let (width, from) = stored_width(&column.kind, bytes, at).ok_or(fault)?;
        let raw = bytes.get(from..).and_then(|rest| rest.get(..width)).ok_or(fault)?;
        at = from + width;
        let Some(place) = wanted.iter().position(|&wanted| wanted == number) else { continue };
        out[place] = match &column.kind {
            ColumnType::Int { unsigned: true, .. } => Plain::UInt(bits(raw)),
            ColumnType::Int { .. } => Plain::Int(signed(raw)),
            ColumnType::Char(_) | ColumnType::VarChar(_) | ColumnType::Text(_) => {
                Plain::Text(std::str::from_utf8(raw).map_err(|_| fault)?)
            }
            kind => unreachable!("a {kind:?} is no plain column"),
        };
    }
    Ok(())
}

/// A stored number of up to eight bytes.
fn bits(raw: &[u8]) -> u64 {
    let mut wide = [0; 8];
    wide[..raw.len()].copy_from_slice(raw);
    u64::from_le_bytes(wide)
}

/// The same, with the sign of its last byte.
fn signed(raw: &[u8]) -> i64 {
    let shift = 64 - raw.len() * 8;
    (bits(raw) << shift) as i64 >> shift
}

/// How long the stored value of a column is that begins at `at`, and where it lies: behind its length, if it has one.
fn stored_width(kind: &ColumnType, bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    Some(match kind {
        ColumnType::Int { bytes, .. } => (usize::from(*bytes), at),
        ColumnType::Year => (1, at),
        ColumnType::Enum(_) => (2, at),
        ColumnType::Date => (4, at),
        ColumnType::Double { .. }
        | ColumnType::Fixed { .. }
        | ColumnType::DateTime(_)
        | ColumnType::Timestamp(_)
        | ColumnType::Time(_)
        | ColumnType::Set(_)
        | ColumnType::Bit(_) => (8, at),
        _ => {
            let (mut length, mut at, mut shift) = (0_usize, at, 0);
            loop {
                let byte = *bytes.get(at)?;
                at += 1;
                length |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    break (length, at);
                }
                if shift > 28 {
                    return None;
                }
            }
        }
    })
}

/// How values become columns: what `sql_mode` and IGNORE say.
#[derive(Debug)]
pub struct Conversion<'a> {
    /// STRICT_TRANS_TABLES or STRICT_ALL_TABLES, and no IGNORE.
    pub strict: bool,
    /// Number of the row in its statement, from 1, for messages.
    pub row: u64,
    /// Where what is not an error is noted.
    pub warnings: &'a mut Vec<Warning>,
    /// The table's name, for messages.
    pub table: &'a str,
    /// Which dates may be stored, and the session's time zone.
    pub rules: DateRules,
}

impl Conversion<'_> {
    /// An error under strict mode, else a warning.
    ///
    /// # Errors
    /// Under strict mode.
    pub fn complain(&mut self, code: u16, message: String) -> Result<(), SqlError> {
        if self.strict {
            return Err(error(code, message));
        }
        self.warnings.push(Warning { level: Level::Warning, code, message });
        Ok(())
    }

    /// Converts `value` to the type of `column`.
    ///
    /// # Errors
    /// 1048, 1264, 1265, 1292, 1366, 1406, 3140.
    pub fn convert(&mut self, column: &Column, value: Value) -> Result<Value, SqlError> {
        if value.is_null() {
            if column.nullable {
                return Ok(Value::Null);
            }
            self.complain(1048, format!("Column '{}' cannot be null", column.name))?;
            return Ok(column.implicit_default());
        }
        match &column.kind {
            ColumnType::Int { bytes, unsigned, .. } => self.integer(column, *bytes, *unsigned, value),
            ColumnType::Fixed { unsigned, single, digits, scale } => {
                let number = self.number(column, if *single { "FLOAT" } else { "DOUBLE" }, &value)?;
                let unit = 10_f64.powi(i32::from(*scale));
                // As MySQL does it: the part behind the point is rounded by itself, and a half to the even digit.
                let whole = number.floor();
                let fraction = ((number - whole) * unit).round_ties_even() / unit;
                let mut rounded = if number.is_finite() && fraction.is_finite() { whole + fraction } else { number };
                let most = 10_f64.powi(i32::from(*digits) - i32::from(*scale)) - 1.0 / unit;
                let least = if *unsigned { 0.0 } else { -most };
                if !(least..=most).contains(&rounded) {
                    self.out_of_range(column)?;
                    rounded = if rounded < least { least } else { most };
                }
                Ok(Value::Double(if *single { f64::from(rounded as f32) } else { rounded }))
            }
            ColumnType::Double { unsigned, single } => {
                let name = if *single { "FLOAT" } else { "DOUBLE" };
                let mut number = self.number(column, name, &value)?;
                let text_beyond = matches!(value, Value::Text(_)) && number.abs() == f64::MAX;
                if *single {
                    number = f64::from(number as f32);
                }
                if (*unsigned && number < 0.0) || !number.is_finite() || text_beyond {
                    self.out_of_range(column)?;
                    let most = if *single { f64::from(f32::MAX) } else { f64::MAX };
                    number = if *unsigned && number < 0.0 { 0.0 } else { most.copysign(number) };
                }
                Ok(Value::Double(number))
            }
            ColumnType::Decimal { precision, scale, unsigned } => {
                if matches!(value, Value::Text(_) | Value::Bytes(_)) {
                    self.number(column, "decimal", &value)?;
                }
                let number = value.to_decimal().unwrap_or_else(|| Decimal::from_int(0));
                let rounded = number.rounded(*scale);
                if number.scale() > *scale && rounded != number {
                    let message = format!("Data truncated for column '{}' at row {}", column.name, self.row);
                    self.warnings.push(Warning { level: Level::Note, code: 1265, message });
                }
                if (*unsigned && rounded.is_negative())
                    || rounded.integer_digits() > u32::from(*precision) - u32::from(*scale)
                {
                    self.out_of_range(column)?;
                    let greatest =
                        format!("{}.{}", "9".repeat(usize::from(precision - scale)), "9".repeat(usize::from(*scale)));
                    let greatest = Decimal::parse(&greatest).unwrap_or_else(|| Decimal::from_int(0)).rounded(*scale);
                    return Ok(Value::Decimal(match (rounded.is_negative(), *unsigned) {
                        (true, true) => Decimal::from_int(0).rounded(*scale),
                        (true, false) => greatest.negated(),
                        _ => greatest,
                    }));
                }
                Ok(Value::Decimal(rounded))
            }
            ColumnType::Char(_) | ColumnType::VarChar(_) | ColumnType::Text(_) => self.text(column, value),
            ColumnType::Binary(_) | ColumnType::VarBinary(_) | ColumnType::Blob(_) => self.bytes(column, value),
            _ => self.special(column, value),
        }
    }

    fn out_of_range(&mut self, column: &Column) -> Result<(), SqlError> {
        self.complain(1264, format!("Out of range value for column '{}' at row {}", column.name, self.row))
    }

    /// A number from anything; texts must be numbers as a whole.
    fn number(&mut self, column: &Column, kind: &str, value: &Value) -> Result<f64, SqlError> {
        if let Some(text) = matches!(value, Value::Text(_) | Value::Bytes(_)).then(|| value.to_text()).flatten() {
            let (number, whole) = text_number(&text);
            if !whole {
                let digits = text.trim_start().starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
                let exact = kind != "integer";
                if exact || number == 0.0 && !digits || text.trim().is_empty() {
                    let shown: String = text.chars().take(64).collect();
                    self.complain(
                        1366,
                        format!("Incorrect {kind} value: '{shown}' for column '{}' at row {}", column.name, self.row),
                    )?;
                } else {
                    self.complain(1265, format!("Data truncated for column '{}' at row {}", column.name, self.row))?;
                }
            }
            return Ok(number);
        }
        Ok(value.to_f64().unwrap_or(0.0))
    }

    fn integer(&mut self, column: &Column, bytes: u8, unsigned: bool, value: Value) -> Result<Value, SqlError> {
        let wide = match &value {
            Value::Int(value) => i128::from(*value),
            Value::UInt(value) => i128::from(*value),
            Value::Text(_) | Value::Bytes(_) => {
                self.number(column, "integer", &value)?;
                let text = value.to_text().unwrap_or_default();
                let decimal = Decimal::parse_prefix(text.trim()).map_or(Decimal::from_int(0), |(decimal, _)| decimal);
                Value::Decimal(decimal).to_i128().unwrap_or(0)
            }
            other => other.to_i128().unwrap_or(0),
        };
        let bits = u32::from(bytes) * 8;
        let (least, greatest) =
            if unsigned { (0, (1_i128 << bits) - 1) } else { (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1) };
        if wide < least || wide > greatest {
            self.out_of_range(column)?;
        }
        let wide = wide.clamp(least, greatest);
        Ok(if unsigned { Value::UInt(wide as u64) } else { Value::Int(wide as i64) })
    }

    fn text(&mut self, column: &Column, value: Value) -> Result<Value, SqlError> {
        let mut text: String = match value {
            Value::Text(text) => text.into(),
            Value::Bytes(_) | Value::Bit(..) => {
                match String::from_utf8(value.to_bytes().unwrap_or_default().into_owned()) {
                    Ok(text) => text,
                    Err(fault) => {
                        let valid = fault.utf8_error().valid_up_to();
                        let bytes = fault.into_bytes();
                        let shown: String = bytes[valid..].iter().take(6).map(|byte| shown_byte(*byte)).collect();
                        self.complain(
                            1366,
                            format!(
                                "Incorrect string value: '{shown}' for column '{}' at row {}",
                                column.name, self.row
                            ),
                        )?;
                        String::from_utf8_lossy(&bytes[..valid]).into_owned()
                    }
                }
            }
            other => other.to_text().unwrap_or_default().into_owned(),
        };
        if let ColumnType::Char(_) = column.kind {
            text.truncate(text.trim_end_matches(' ').len());
        }
        let cut = match column.kind {
            ColumnType::Char(most) | ColumnType::VarChar(most) if text.len() > most as usize => {
                text.char_indices().nth(most as usize).map(|(at, _)| at)
            }
            ColumnType::Text(prefix) => {
                let most = string_bytes_max(prefix);
                (text.len() > most).then(|| (0..=most).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0))
            }
            _ => None,
        };
        if let Some(cut) = cut {
            if text[cut..].bytes().all(|byte| byte == b' ') {
                let message = format!("Data truncated for column '{}' at row {}", column.name, self.row);
                self.warnings.push(Warning { level: Level::Note, code: 1265, message });
            } else {
                self.too_long(column)?;
            }
            text.truncate(cut);
        }
        Ok(Value::text(text))
    }

    fn bytes(&mut self, column: &Column, value: Value) -> Result<Value, SqlError> {
        let mut bytes = value.to_bytes().map_or_else(Vec::new, std::borrow::Cow::into_owned);
        let most = match column.kind {
            ColumnType::Binary(most) | ColumnType::VarBinary(most) => most as usize,
            ColumnType::Blob(prefix) => string_bytes_max(prefix),
            _ => usize::MAX,
        };
        if bytes.len() > most {
            self.too_long(column)?;
            bytes.truncate(most);
        }
        if let ColumnType::Binary(length) = column.kind {
            bytes.resize(length as usize, 0);
        }
        Ok(Value::bytes(bytes))
    }

    fn too_long(&mut self, column: &Column) -> Result<(), SqlError> {
        if self.strict {
            return Err(error(1406, format!("Data too long for column '{}' at row {}", column.name, self.row)));
        }
        let message = format!("Data truncated for column '{}' at row {}", column.name, self.row);
        self.warnings.push(Warning { level: Level::Warning, code: 1265, message });
        Ok(())
    }
}

/// Most bytes of a TEXT or BLOB whose length takes `prefix` bytes.
#[must_use]
pub fn string_bytes_max(prefix: u8) -> usize {
    (1_usize << (u32::from(prefix) * 8)) - 1
}

/// A collation's view of whether two stored rows are the same value by value (bytes, not letters).
#[must_use]
pub fn same(left: &[Value], right: &[Value]) -> bool {
    left.iter().zip(right).all(|(left, right)| match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Text(left), Value::Text(right)) => left == right,
        (left, right) => left.compare(right, Collation::BINARY).is_some_and(std::cmp::Ordering::is_eq),
    })
}

/// A byte of a wrong string, as warnings show it.
fn shown_byte(byte: u8) -> String {
    if byte.is_ascii_graphic() || byte == b' ' { char::from(byte).to_string() } else { format!("\\x{byte:02X}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::{column, table};

    fn int(bytes: u8, unsigned: bool) -> ColumnType {
        ColumnType::Int { bytes, unsigned, width: None, zerofill: false }
    }

    #[test]
    fn rows_read_back_and_damaged_ones_are_refused() {
        let columns = vec![
            column("a", int(4, false), false),
            column("b", int(8, true), true),
            column("c", ColumnType::VarChar(300), true),
            column("d", ColumnType::Decimal { precision: 10, scale: 2, unsigned: false }, true),
            column("e", ColumnType::Blob(2), true),
            column("f", ColumnType::Double { unsigned: false, single: false }, true),
            column("g", int(3, false), true),
            column("h", int(1, false), true),
            column("i", int(2, true), true),
            column("j", ColumnType::Fixed { unsigned: false, single: true, digits: 7, scale: 2 }, true),
        ];
        let table = table("d", "t", columns, &[("PRIMARY", true, &[0])]);
        let full = vec![
            Value::Int(-5),
            Value::UInt(u64::MAX),
            Value::text("é".repeat(100)),
            Value::Decimal(Decimal::parse("-12.50").unwrap()),
            Value::bytes(*b"\0\xff"),
            Value::Double(-1.5),
            Value::Int(-8_388_608),
            Value::Int(-1),
            Value::UInt(65535),
            Value::Double(2.25),
        ];
        let mut sparse = vec![Value::Null; 10];
        sparse[0] = Value::Int(1);
        for row in [full, sparse] {
            let mut bytes = Vec::new();
            encode(&table.definition, &row, &mut bytes);
            assert_eq!(decode(&table.definition, &bytes).unwrap(), row);
            for length in 0..bytes.len() {
                assert!(decode(&table.definition, &bytes[..length]).is_err(), "cut at {length}");
            }
            bytes.push(0);
            assert!(decode(&table.definition, &bytes).is_err());
        }
    }

    #[test]
    fn dates_members_and_documents_read_back() {
        let members = || vec!["a".to_owned(), "b".to_owned()];
        let at = DateTime { year: 2024, month: 2, day: 29, hour: 23, minute: 59, second: 58, micros: 123_456 };
        let kinds = vec![
            ColumnType::Date,
            ColumnType::Time(6),
            ColumnType::DateTime(6),
            ColumnType::Timestamp(3),
            ColumnType::Year,
            ColumnType::Bit(33),
            ColumnType::Enum(members()),
            ColumnType::Set(members()),
            ColumnType::Json,
        ];
        let columns = kinds.into_iter().enumerate().map(|(at, kind)| column(&format!("c{at}"), kind, true));
        let table = table("d", "t", columns.collect(), &[]);
        let rows = [
            vec![
                Value::Date(crate::temporal::date_of(at)),
                Value::Time(-1, 6),
                Value::DateTime(at, 6),
                Value::Timestamp(1_709_210_096_789_000, 3),
                Value::UInt(2155),
                Value::Bit(1 << 32, 33),
                Value::Member(2, "b".into()),
                Value::Member(3, "a,b".into()),
                Value::Json(Rc::new(crate::json::parse("{\"a\": [1, 2.5]}").unwrap())),
            ],
            vec![Value::Null; 9],
        ];
        for row in rows {
            let mut bytes = Vec::new();
            encode(&table.definition, &row, &mut bytes);
            assert_eq!(decode(&table.definition, &bytes).unwrap(), row);
            for length in 0..bytes.len() {
                assert!(decode(&table.definition, &bytes[..length]).is_err(), "cut at {length}");
            }
        }
    }

    #[test]
    fn values_become_columns_as_strict_mode_says() {
        let cases: Vec<(ColumnType, Value, Result<&str, u16>, &str)> = vec![
            (int(4, false), Value::text("12"), Ok("12"), "12"),
            (int(4, false), Value::text(" 12 "), Ok("12"), "12"),
            (int(4, false), Value::text("abc"), Err(1366), "0"),
            (int(4, false), Value::text("12abc"), Err(1265), "12"),
            (int(4, false), Value::Int(1 << 40), Err(1264), "2147483647"),
            (int(1, true), Value::Int(-1), Err(1264), "0"),
            (int(4, false), Value::Decimal(Decimal::parse("2.5").unwrap()), Ok("3"), "3"),
            (int(4, false), Value::Null, Err(1048), "0"),
            (ColumnType::VarChar(3), Value::text("abcd"), Err(1406), "abc"),
            (ColumnType::VarChar(3), Value::text("abc  "), Ok("abc"), "abc"),
            (ColumnType::VarChar(3), Value::Int(123), Ok("123"), "123"),
            (ColumnType::VarChar(3), Value::bytes(*b"a\xff"), Err(1366), "a"),
            (ColumnType::Char(5), Value::text("ab "), Ok("ab"), "ab"),
            (ColumnType::Binary(3), Value::text("a"), Ok("a\0\0"), "a\0\0"),
            (ColumnType::Text(1), Value::text("x".repeat(300)), Err(1406), &*Box::leak("x".repeat(255).into())),
            (
                ColumnType::Decimal { precision: 4, scale: 1, unsigned: false },
                Value::text("1234.5"),
                Err(1264),
                "999.9",
            ),
            (ColumnType::Decimal { precision: 4, scale: 1, unsigned: false }, Value::Int(7), Ok("7.0"), "7.0"),
        ];
        for (kind, value, strict, lax) in cases {
            let column = column("c", kind.clone(), false);
            let mut warnings = Vec::new();
            let rules = DateRules::default();
            let mut conversion = Conversion { strict: true, row: 1, warnings: &mut warnings, table: "t", rules };
            let result = conversion.convert(&column, value.clone());
            let shown = result.map(|value| value.to_text().unwrap().into_owned()).map_err(|error| error.code);
            assert_eq!(shown.as_deref(), strict.as_ref().map(|text| *text), "{kind:?} {value:?}");
            conversion.strict = false;
            let value = conversion.convert(&column, value).unwrap();
            assert_eq!(value.to_text().unwrap(), lax, "{kind:?}");
        }
    }
}
