//! Rows: values written straight into the out buffer, as text or in binary form.

use super::answer::Column;
use super::codec::put_lenenc_bytes;
use super::constant::ColumnType;
use super::packet::{HEADER_BYTES, finish_packet};
use std::io::Write;

/// A DATE, DATETIME or TIMESTAMP as a calendar shows it. Any number is written as it is; MySQL's zero parts too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime {
    /// 0..=9999.
    pub year: u16,
    /// 0..=12.
    pub month: u8,
    /// 0..=31.
    pub day: u8,
    /// 0..=23.
    pub hour: u8,
    /// 0..=59.
    pub minute: u8,
    /// 0..=59.
    pub second: u8,
    /// Microseconds, 0..=999999.
    pub micros: u32,
}

/// A TIME.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Time {
    /// Before zero.
    pub negative: bool,
    /// 0..=838.
    pub hours: u32,
    /// 0..=59.
    pub minutes: u8,
    /// 0..=59.
    pub seconds: u8,
    /// Microseconds, 0..=999999.
    pub micros: u32,
}

/// Writes the values of one row, in the order of its columns. A row that is dropped before
/// [`RowWriter::finish`] leaves nothing behind.
///
/// In binary form the column's type says how a value is written; a value of another kind is converted: numbers
/// with saturation and rounding, text that is no number to 0.
pub struct RowWriter<'a> {
    out: &'a mut Vec<u8>,
    sequence: &'a mut u8,
    columns: &'a [Column],
    binary: bool,
    start: usize,
    next: usize,
    finished: bool,
}

/// Bits before the first column in the NULL bitmap of a binary row.
const BITMAP_OFFSET: usize = 2;

impl<'a> RowWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, sequence: &'a mut u8, columns: &'a [Column], binary: bool) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; HEADER_BYTES]);
        if binary {
            out.resize(start + HEADER_BYTES + 1 + (columns.len() + BITMAP_OFFSET).div_ceil(8), 0);
        }
        Self { out, sequence, columns, binary, start, next: 0, finished: false }
    }

    /// The next column.
    fn advance(&mut self) -> &'a Column {
        let column = self.columns.get(self.next);
        self.next += 1;
        column.expect("a row has no more values than columns")
    }

    /// NULL.
    pub fn null(&mut self) {
        self.advance();
        if self.binary {
            let bit = self.next - 1 + BITMAP_OFFSET;
            self.out[self.start + HEADER_BYTES + 1 + bit / 8] |= 1 << (bit % 8);
        } else {
            self.out.push(0xfb);
        }
    }

    /// A signed integer.
    pub fn i64(&mut self, value: i64) {
        let column = self.advance();
        if self.binary && self.number(column.kind, i128::from(value), value as f64) {
            return;
        }
        self.display(format_args!("{value}"));
    }

    /// An unsigned integer.
    pub fn u64(&mut self, value: u64) {
        let column = self.advance();
        if self.binary && self.number(column.kind, i128::from(value), value as f64) {
            return;
        }
        self.display(format_args!("{value}"));
    }

    /// A DOUBLE; `column.decimals` below 31 asks for so many digits behind the point.
    pub fn f64(&mut self, value: f64) {
        let column = self.advance();
        if self.binary && self.number(column.kind, value.round() as i128, value) {
            return;
        }
        let mut text = Vec::new();
        if column.decimals < 31 && matches!(column.kind, ColumnType::Double | ColumnType::Float) && column.decimals > 0
        {
            let _ = write!(text, "{value:.*}", usize::from(column.decimals));
        } else if column.kind == ColumnType::Float {
            put_f32(&mut text, value as f32);
        } else {
            put_f64(&mut text, value);
        }
        put_lenenc_bytes(self.out, &text);
    }

    /// Text, bytes, JSON, or a DECIMAL as text.
    pub fn bytes(&mut self, value: &[u8]) {
        let column = self.advance();
        if self.binary && is_fixed(column.kind) {
            let text = std::str::from_utf8(value).unwrap_or_default().trim();
            let double = text.parse::<f64>().unwrap_or(0.0);
            self.number(column.kind, text.parse::<i128>().unwrap_or(double.round() as i128), double);
        } else {
            put_lenenc_bytes(self.out, value);
        }
    }

    /// A DATE.
    pub fn date(&mut self, value: DateTime) {
        let column = self.advance();
        if self.binary && is_date(column.kind) {
            self.binary_date(DateTime { hour: 0, minute: 0, second: 0, micros: 0, ..value });
        } else {
            self.display(format_args!("{:04}-{:02}-{:02}", value.year, value.month, value.day));
        }
    }

    /// A DATETIME or TIMESTAMP with `column.decimals` digits of seconds (at most 6).
    pub fn date_time(&mut self, value: DateTime) {
        let column = self.advance();
        if self.binary && is_date(column.kind) {
            return self.binary_date(value);
        }
        let DateTime { year, month, day, hour, minute, second, micros } = value;
        let fraction = Fraction { micros, digits: column.decimals };
        self.display(format_args!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction}"));
    }

    /// A TIME with `column.decimals` digits of seconds (at most 6).
    pub fn time(&mut self, value: Time) {
        let column = self.advance();
        let Time { negative, hours, minutes, seconds, micros } = value;
        if self.binary && column.kind == ColumnType::Time {
            let zero = (hours, minutes, seconds, micros) == (0, 0, 0, 0);
            self.out.push(if zero {
                0
            } else if micros == 0 {
                8
            } else {
                12
            });
            if !zero {
                self.out.push(u8::from(negative));
                self.out.extend_from_slice(&(hours / 24).to_le_bytes());
                self.out.extend_from_slice(&[(hours % 24) as u8, minutes, seconds]);
                if micros != 0 {
                    self.out.extend_from_slice(&micros.to_le_bytes());
                }
            }
            return;
        }
        let sign = if negative { "-" } else { "" };
        let fraction = Fraction { micros, digits: column.decimals };
        self.display(format_args!("{sign}{hours:02}:{minutes:02}:{seconds:02}{fraction}"));
    }

    /// Ends the row.
    ///
    /// # Panics
    /// When it has fewer values than columns.
    pub fn finish(mut self) {
        assert_eq!(self.next, self.columns.len(), "a row has one value for each column");
        self.finished = true;
        finish_packet(self.out, self.start, self.sequence);
    }

    /// Writes a number into a column of fixed size; false when the column is not one.
    fn number(&mut self, kind: ColumnType, integer: i128, double: f64) -> bool {
        let bits = integer.clamp(i128::from(i64::MIN), i128::from(u64::MAX)) as u64;
        match kind {
            ColumnType::Tiny => self.out.push(bits as u8),
            ColumnType::Short | ColumnType::Year => self.out.extend_from_slice(&(bits as u16).to_le_bytes()),
            ColumnType::Long | ColumnType::Int24 => self.out.extend_from_slice(&(bits as u32).to_le_bytes()),
            ColumnType::LongLong => self.out.extend_from_slice(&bits.to_le_bytes()),
            ColumnType::Float => self.out.extend_from_slice(&(double as f32).to_le_bytes()),
            ColumnType::Double => self.out.extend_from_slice(&double.to_le_bytes()),
            _ => return false,
        }
        true
    }

    fn binary_date(&mut self, value: DateTime) {
        let DateTime { year, month, day, hour, minute, second, micros } = value;
        let length = match () {
            () if micros != 0 => 11,
            () if (hour, minute, second) != (0, 0, 0) => 7,
            () if (year, month, day) != (0, 0, 0) => 4,
            () => 0,
        };
        let mut bytes = [0; 12];
        bytes[0] = length;
        bytes[1..3].copy_from_slice(&year.to_le_bytes());
        bytes[3..8].copy_from_slice(&[month, day, hour, minute, second]);
        bytes[8..].copy_from_slice(&micros.to_le_bytes());
        self.out.extend_from_slice(&bytes[..=usize::from(length)]);
    }

    /// Writes a short text (at most 250 bytes) without allocating.
    fn display(&mut self, text: std::fmt::Arguments<'_>) {
        let at = self.out.len();
        self.out.push(0);
        let _ = self.out.write_fmt(text);
        self.out[at] = u8::try_from(self.out.len() - at - 1).expect("numbers and dates are short");
    }
}

impl Drop for RowWriter<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.out.truncate(self.start);
        }
    }
}

/// `.` and so many digits of a second, or nothing.
struct Fraction {
    micros: u32,
    digits: u8,
}

impl std::fmt::Display for Fraction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.digits.min(6) {
            0 => Ok(()),
            digits => {
                let shown = self.micros.min(999_999) / 10u32.pow(6 - u32::from(digits));
                write!(f, ".{shown:0width$}", width = usize::from(digits))
            }
        }
    }
}

fn is_fixed(kind: ColumnType) -> bool {
    use ColumnType::{Double, Float, Int24, Long, LongLong, Short, Tiny, Year};
    matches!(kind, Tiny | Short | Year | Long | Int24 | LongLong | Float | Double)
}

fn is_date(kind: ColumnType) -> bool {
    matches!(kind, ColumnType::Date | ColumnType::DateTime | ColumnType::Timestamp | ColumnType::NewDate)
}

/// Appends a DOUBLE as MySQL prints it: the shortest digits that read back the same, and an exponent when the
/// point lies more than 15 places from the first digit.
pub fn put_f64(out: &mut Vec<u8>, value: f64) {
    let digits = format!("{value:e}");
    put_scientific(out, &digits);
}

/// Appends a FLOAT as MySQL prints it: at most six digits.
pub fn put_f32(out: &mut Vec<u8>, value: f32) {
    let shortest = format!("{value:e}");
    let digits = shortest.bytes().take_while(|&byte| byte != b'e').filter(u8::is_ascii_digit).count();
    let digits = if digits > 6 { format!("{value:.5e}") } else { shortest };
    put_scientific(out, &digits);
}

/// Rewrites `d.ddde-x`.
fn put_scientific(out: &mut Vec<u8>, text: &str) {
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return out.extend_from_slice(text.as_bytes());
    };
    let exponent: i32 = exponent.parse().expect("a formatted float has a number behind its e");
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = match digits.trim_end_matches('0') {
        "" => "0",
        digits => digits,
    };
    out.extend_from_slice(sign.as_bytes());
    // Where the point stands, counted from before the first digit.
    let point = exponent + 1;
    let text = if !(-14..=15).contains(&point) {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        format!("{first}{dot}{rest}e{exponent}")
    } else if point <= 0 {
        format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize))
    } else if digits.len() <= point as usize {
        format!("{digits}{}", "0".repeat(point as usize - digits.len()))
    } else {
        let (whole, fraction) = digits.split_at(point as usize);
        format!("{whole}.{fraction}")
    };
    out.extend_from_slice(text.as_bytes());
}
