//! Values and MySQL's rules for converting, comparing and calculating with them.
//!
//! Texts carry no collation here: which one decides is known when an expression is resolved, so it is
//! an argument of what compares. Absent on purpose: spatial values.

use crate::collate::Collation;
use crate::decimal::Decimal;
use crate::error::{SqlError, error};
use crate::json::Json;
use crate::temporal::{self, DateTime};
use std::cmp::Ordering;
use std::rc::Rc;

/// A value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// NULL.
    #[default]
    Null,
    /// A signed integer.
    Int(i64),
    /// An unsigned integer (BIGINT UNSIGNED and what comes of it).
    UInt(u64),
    /// An approximate number; never NaN.
    Double(f64),
    /// An exact number.
    Decimal(Decimal),
    /// A text in UTF-8.
    Text(Box<str>),
    /// Bytes.
    Bytes(Box<[u8]>),
    /// A date; its time is zero.
    Date(DateTime),
    /// A date and time, and how many digits of its seconds are shown.
    DateTime(DateTime, u8),
    /// A stored TIMESTAMP: microseconds since 1970 UTC (0: the zero date), and digits. Expressions see it as the
    /// date and time of the session's time zone.
    Timestamp(i64, u8),
    /// A TIME in microseconds, and digits.
    Time(i64, u8),
    /// Bits of a BIT column, and how many.
    Bit(u64, u8),
    /// What an ENUM or SET column holds: its number, and its text.
    Member(u64, Box<str>),
    /// A JSON document.
    Json(Rc<Json>),
}

/// A note about a statement that succeeded nevertheless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// `Note`, `Warning` or `Error`.
    pub level: Level,
    /// MySQL's error number.
    pub code: u16,
    /// Its text.
    pub message: String,
}

/// How grave a [`Warning`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something to know.
    Note,
    /// Something that went less well.
    Warning,
    /// The statement's error.
    Error,
}

impl Level {
    /// As SHOW WARNINGS prints it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "Note",
            Self::Warning => "Warning",
            Self::Error => "Error",
        }
    }
}

/// Number kinds that arithmetic ends up in.
enum Number {
    Int(i64),
    UInt(u64),
    Double(f64),
    Decimal(Decimal),
}

/// Arithmetic operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `DIV`
    IntDiv,
    /// `%`
    Mod,
}

/// Why arithmetic has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Division by zero: NULL, or 1365.
    ZeroDivisor,
    /// 1690: the type that it does not fit.
    OutOfRange(&'static str),
}

impl Fault {
    /// 1690 for the expression `text`; a zero divisor is 1365.
    #[must_use]
    pub fn error(self, text: &str) -> SqlError {
        match self {
            Self::ZeroDivisor => error(1365, "Division by 0"),
            Self::OutOfRange(kind) => error(1690, format!("{kind} value is out of range in '{text}'")),
        }
    }
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<Box<str>>) -> Self {
        Self::Text(text.into())
    }

    /// Bytes.
    pub fn bytes(bytes: impl Into<Box<[u8]>>) -> Self {
        Self::Bytes(bytes.into())
    }

    /// 1 or 0.
    #[must_use]
    pub fn bool(value: bool) -> Self {
        Self::Int(i64::from(value))
    }

    /// An integer that may be beyond `i64`.
    #[must_use]
    pub fn uint(value: u64) -> Self {
        i64::try_from(value).map_or(Self::UInt(value), Self::Int)
    }

    /// Whether it is NULL.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Appends the text that a client sees; nothing for NULL.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        use std::io::Write;
        let written = match self {
            Self::Null => Ok(()),
            Self::Int(value) => write!(out, "{value}"),
            Self::UInt(value) => write!(out, "{value}"),
            Self::Double(value) => out.write_all(double_text(*value).as_bytes()),
            Self::Decimal(value) => write!(out, "{value}"),
            Self::Text(text) => out.write_all(text.as_bytes()),
            Self::Bytes(bytes) => out.write_all(bytes),
            Self::Date(at) => out.write_all(temporal::date_text(at).as_bytes()),
            Self::DateTime(at, digits) => out.write_all(temporal::date_time_text(at, *digits).as_bytes()),
            Self::Timestamp(us, digits) => {
                out.write_all(temporal::date_time_text(&timestamp_parts(*us, 0), *digits).as_bytes())
            }
            Self::Time(us, digits) => out.write_all(temporal::time_text(*us, *digits).as_bytes()),
            Self::Bit(bits, count) => out.write_all(&bits.to_be_bytes()[8 - usize::from(count.div_ceil(8)).min(8)..]),
            Self::Member(_, text) => out.write_all(text.as_bytes()),
            Self::Json(json) => out.write_all(json.text().as_bytes()),
        };
        written.expect("writing into memory cannot fail");
    }

    /// The bytes of its text form; `None` for NULL.
    #[must_use]
    pub fn to_bytes(&self) -> Option<std::borrow::Cow<'_, [u8]>> {
        Some(match self {
            Self::Null => return None,
            Self::Text(text) => text.as_bytes().into(),
            Self::Bytes(bytes) => (&**bytes).into(),
            other => {
                let mut out = Vec::new();
                other.write_text(&mut out);
                out.into()
            }
        })
    }

    /// Its text form (bytes that are no UTF-8 are replaced); `None` for NULL.
    #[must_use]
    pub fn to_text(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            Self::Text(text) | Self::Member(_, text) => Some((&**text).into()),
            Self::Bytes(bytes) => Some(String::from_utf8_lossy(bytes)),
            Self::Null => None,
            Self::Bit(..) => Some(String::from_utf8_lossy(&self.to_bytes()?).into_owned().into()),
            other => {
                let bytes = other.to_bytes()?.into_owned();
                Some(String::from_utf8(bytes).expect("numbers, dates and documents print as UTF-8").into())
            }
        }
    }

    /// As a double; texts give the number at their front, else 0. `None` for NULL.
    #[must_use]
    pub fn to_f64(&self) -> Option<f64> {
        Some(match self {
            Self::Null => return None,
            Self::Int(value) => *value as f64,
            Self::UInt(value) => *value as f64,
            Self::Double(value) => *value,
            Self::Decimal(value) => value.to_f64(),
            Self::Text(_) | Self::Bytes(_) => text_number(&self.to_text()?).0,
            other => other.plain()?.to_f64()?,
        })
    }

    /// As an integer, rounded; texts give the integer at their front. Saturates. `None` for NULL.
    #[must_use]
    pub fn to_i128(&self) -> Option<i128> {
        Some(match self {
            Self::Null => return None,
            Self::Int(value) => i128::from(*value),
            Self::UInt(value) => i128::from(*value),
            Self::Double(value) => value.round() as i128,
            Self::Decimal(value) => value.to_i128().unwrap_or(if value.is_negative() { i128::MIN } else { i128::MAX }),
            Self::Text(_) | Self::Bytes(_) => {
                let text = self.to_text()?;
                text_integer(&text).0
            }
            // Rounded as what they are: 23:59:59.5 is the next day, not 23:59:60.
            Self::DateTime(at, digits) if *digits > 0 => {
                Self::DateTime(temporal::round(*at, 0).unwrap_or(*at), 0).plain()?.to_i128()?
            }
            Self::Time(us, digits) if *digits > 0 => Self::Time(temporal::round_us(*us, 0), 0).plain()?.to_i128()?,
            Self::Timestamp(us, digits) if *digits > 0 => {
                Self::Timestamp(temporal::round_us(*us, 0), 0).plain()?.to_i128()?
            }
            other => other.plain()?.to_i128()?,
        })
    }

    /// As an integer, wrapped into 64 bits the way bit operators and CAST take it. `None` for NULL.
    #[must_use]
    pub fn to_bits(&self) -> Option<u64> {
        let value = self.to_i128()?;
        Some(if value < 0 {
            value.max(i128::from(i64::MIN)) as i64 as u64
        } else {
            value.min(i128::from(u64::MAX)) as u64
        })
    }

    /// As an exact number. `None` for NULL.
    #[must_use]
    pub fn to_decimal(&self) -> Option<Decimal> {
        Some(match self {
            Self::Null => return None,
            Self::Int(value) => Decimal::from_int(i128::from(*value)),
            Self::UInt(value) => Decimal::from_int(i128::from(*value)),
            Self::Double(value) => Decimal::from_f64(*value).unwrap_or_else(|| Decimal::from_int(0)),
            Self::Decimal(value) => value.clone(),
            Self::Text(_) | Self::Bytes(_) => {
                Decimal::parse_prefix(self.to_text()?.trim()).map_or_else(|| Decimal::from_int(0), |(value, _)| value)
            }
            other => other.plain()?.to_decimal()?,
        })
    }

    /// Its truth; `None` for NULL.
    #[must_use]
    pub fn truth(&self) -> Option<bool> {
        match self {
            Self::Null => None,
            Self::Int(value) => Some(*value != 0),
            Self::UInt(value) => Some(*value != 0),
            Self::Decimal(value) => Some(!value.is_zero()),
            other => other.to_f64().map(|value| value != 0.0),
        }
    }

    /// Whether it counts as a number that texts are converted to.
    #[must_use]
    pub const fn is_number(&self) -> bool {
        matches!(self, Self::Int(_) | Self::UInt(_) | Self::Double(_) | Self::Decimal(_) | Self::Bit(..))
    }

    /// Whether it is a date or time.
    #[must_use]
    pub const fn is_temporal(&self) -> bool {
        matches!(self, Self::Date(_) | Self::DateTime(..) | Self::Timestamp(..) | Self::Time(..))
    }

    /// The plain value (number or text) that counts where one of a special type is calculated with.
    fn plain(&self) -> Option<Self> {
        let fraction = |whole: i64, micros: i64, digits: u8| {
            if digits == 0 {
                return Self::Int(whole);
            }
            let micros = Decimal::from_int(i128::from(whole) * 1_000_000 + i128::from(micros));
            let number = micros.divide(&Decimal::from_int(1_000_000), 6).unwrap_or(micros);
            Self::Decimal(number.truncated(digits))
        };
        Some(match self {
            Self::Date(at) => Self::Int(temporal::date_number(at)),
            Self::DateTime(at, digits) => fraction(temporal::date_time_number(at), i64::from(at.micros), *digits),
            Self::Timestamp(us, digits) => return Self::DateTime(timestamp_parts(*us, 0), *digits).plain(),
            Self::Time(us, digits) => fraction(temporal::time_number(*us), us % temporal::SECOND_US, *digits),
            Self::Bit(bits, _) | Self::Member(bits, _) => Self::UInt(*bits),
            Self::Json(json) => match &**json {
                Json::Int(value) => Self::Int(*value),
                Json::UInt(value) => Self::UInt(*value),
                Json::Double(value) => Self::Double(*value),
                Json::Decimal(value) => Self::Decimal(value.clone()),
                Json::Bool(value) => Self::bool(*value),
                Json::String(text) => Self::text(text.as_str()),
                _ => Self::Int(0),
            },
            _ => return None,
        })
    }

    /// As a date and time, where it is one, or a text or number that says one. A TIME is not.
    #[must_use]
    pub fn to_date_time(&self) -> Option<DateTime> {
        match self {
            Self::Date(at) | Self::DateTime(at, _) => Some(*at),
            Self::Timestamp(us, _) => Some(timestamp_parts(*us, 0)),
            Self::Text(_) | Self::Bytes(_) => temporal::read_date_time(&self.to_text()?).map(|read| read.at),
            Self::Int(_) | Self::UInt(_) | Self::Decimal(_) | Self::Double(_) => {
                let decimal = self.to_decimal()?;
                let whole = i64::try_from(decimal.truncated(0).to_i128()?).ok()?;
                let at = temporal::from_number(whole)?.0;
                Some(DateTime { micros: micros_of(&decimal), ..at })
            }
            Self::Json(json) => match &**json {
                Json::Temporal(_, text) | Json::String(text) => temporal::read_date_time(text).map(|read| read.at),
                _ => None,
            },
            Self::Member(_, text) => temporal::read_date_time(text).map(|read| read.at),
            _ => None,
        }
    }

    /// As a TIME in microseconds, where it is one, or says one.
    #[must_use]
    pub fn to_time(&self) -> Option<i64> {
        match self {
            Self::Time(us, _) => Some(*us),
            Self::Date(_) => Some(0),
            Self::DateTime(at, _) => Some(temporal::time_of_day(at)),
            Self::Timestamp(us, _) => Some(temporal::time_of_day(&timestamp_parts(*us, 0))),
            Self::Text(_) | Self::Bytes(_) | Self::Member(..) => {
                temporal::read_time(&self.to_text()?).map(|read| read.us)
            }
            Self::Int(_) | Self::UInt(_) | Self::Decimal(_) | Self::Double(_) => {
                let decimal = self.to_decimal()?;
                let whole = i64::try_from(decimal.truncated(0).to_i128()?).ok()?;
                let micros = i64::from(micros_of(&decimal)) * if decimal.is_negative() { -1 } else { 1 };
                temporal::time_from_number(whole, micros).map(|read| read.us)
            }
            _ => None,
        }
    }

    fn number(&self) -> Option<Number> {
        Some(match self {
            Self::Null => return None,
            Self::Int(value) => Number::Int(*value),
            Self::UInt(value) => Number::UInt(*value),
            Self::Double(value) => Number::Double(*value),
            Self::Decimal(value) => Number::Decimal(value.clone()),
            Self::Text(_) | Self::Bytes(_) => Number::Double(self.to_f64()?),
            Self::Json(_) => Number::Double(self.to_f64()?),
            other => return other.plain()?.number(),
        })
    }

    /// Compares as `=` and `<` do; `None` when either is NULL.
    #[must_use]
    pub fn compare(&self, other: &Self, collation: Collation) -> Option<Ordering> {
        Some(match (self, other) {
            (Self::Null, _) | (_, Self::Null) => return None,
            (Self::Int(left), Self::Int(right)) => left.cmp(right),
            (Self::UInt(left), Self::UInt(right)) => left.cmp(right),
            (Self::Int(left), Self::UInt(right)) => i128::from(*left).cmp(&i128::from(*right)),
            (Self::UInt(left), Self::Int(right)) => i128::from(*left).cmp(&i128::from(*right)),
            (Self::Text(left), Self::Text(right)) => collation.compare(left.as_bytes(), right.as_bytes()),
            (Self::Bytes(_), Self::Text(_) | Self::Bytes(_)) | (Self::Text(_), Self::Bytes(_)) => {
                self.to_bytes()?.as_ref().cmp(other.to_bytes()?.as_ref())
            }
            // Bits beside a text are its bytes; beside anything else a number.
            (Self::Bit(..), Self::Text(_) | Self::Bytes(_)) | (Self::Text(_) | Self::Bytes(_), Self::Bit(..)) => {
                self.to_bytes()?.as_ref().cmp(other.to_bytes()?.as_ref())
            }
            (Self::Decimal(_), Self::Decimal(_) | Self::Int(_) | Self::UInt(_))
            | (Self::Int(_) | Self::UInt(_), Self::Decimal(_)) => self.to_decimal()?.cmp(&other.to_decimal()?),
            (Self::Json(left), right) => left.compare(&right.to_json()),
            (left, Self::Json(right)) => left.to_json().compare(right),
            (Self::Time(left, _), Self::Time(right, _)) => left.cmp(right),
            (Self::Time(left, _), Self::Text(_) | Self::Bytes(_) | Self::Int(_) | Self::UInt(_) | Self::Decimal(_)) => {
                match other.to_time() {
                    Some(right) => left.cmp(&right),
                    None => self.compare_texts(other, collation)?,
                }
            }
            (left, Self::Time(..)) if !left.is_temporal() && !matches!(left, Self::Double(_)) => {
                other.compare(self, collation)?.reverse()
            }
            (left, right) if left.is_temporal() || right.is_temporal() => {
                match (left.to_date_time(), right.to_date_time()) {
                    (Some(left), Some(right)) => left.cmp(&right),
                    _ if left.is_number() || right.is_number() => {
                        self.to_f64()?.partial_cmp(&other.to_f64()?).unwrap_or(Ordering::Equal)
                    }
                    _ => self.compare_texts(other, collation)?,
                }
            }
            (Self::Member(..), Self::Text(_) | Self::Bytes(_) | Self::Member(..))
            | (Self::Text(_) | Self::Bytes(_), Self::Member(..)) => self.compare_texts(other, collation)?,
            (
                Self::Int(_) | Self::UInt(_) | Self::Bit(..) | Self::Member(..),
                Self::Int(_) | Self::UInt(_) | Self::Bit(..) | Self::Member(..),
            ) => self.to_i128()?.cmp(&other.to_i128()?),
            _ => self.to_f64()?.partial_cmp(&other.to_f64()?).unwrap_or(Ordering::Equal),
        })
    }

    fn compare_texts(&self, other: &Self, collation: Collation) -> Option<Ordering> {
        Some(collation.compare(&self.to_bytes()?, &other.to_bytes()?))
    }

    /// As a document: a text is a JSON string.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Int(value) => Json::Int(*value),
            Self::UInt(value) => i64::try_from(*value).map_or(Json::UInt(*value), Json::Int),
            Self::Double(value) => Json::Double(*value),
            Self::Decimal(value) => Json::Decimal(value.clone()),
            Self::Date(at) => Json::Temporal(crate::json::Temporal::Date, temporal::date_text(at)),
            Self::DateTime(at, _) => Json::Temporal(crate::json::Temporal::DateTime, temporal::date_time_text(at, 6)),
            Self::Timestamp(us, _) => Self::DateTime(timestamp_parts(*us, 0), 6).to_json(),
            Self::Time(us, _) => Json::Temporal(crate::json::Temporal::Time, temporal::time_text(*us, 6)),
            Self::Json(json) => (**json).clone(),
            Self::Text(_) | Self::Bytes(_) | Self::Member(..) | Self::Bit(..) => {
                Json::String(self.to_text().unwrap_or_default().into_owned())
            }
        }
    }

    /// Order of ORDER BY: NULL first.
    #[must_use]
    pub fn order(&self, other: &Self, collation: Collation) -> Ordering {
        match (self.is_null(), other.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => match (self, other) {
                (Self::Member(left, _), Self::Member(right, _)) => left.cmp(right),
                _ => self.compare(other, collation).unwrap_or(Ordering::Equal),
            },
        }
    }

    /// `self op other`; NULL when either is NULL.
    ///
    /// # Errors
    /// [`Fault`] on overflow and division by zero.
    pub fn calculate(&self, op: Arithmetic, other: &Self) -> Result<Self, Fault> {
        let (Some(left), Some(right)) = (self.number(), other.number()) else { return Ok(Self::Null) };
        use Number::{Decimal as D, Double, Int, UInt};
        match (left, right) {
            (Double(_), _) | (_, Double(_)) => {
                let (left, right) = (self.to_f64().unwrap_or(0.0), other.to_f64().unwrap_or(0.0));
                double_arithmetic(left, op, right)
            }
            (D(_), _) | (_, D(_)) => {
                let zero = || Decimal::from_int(0);
                let (left, right) = (self.to_decimal().unwrap_or_else(zero), other.to_decimal().unwrap_or_else(zero));
                decimal_arithmetic(&left, op, &right)
            }
            (left, right) => {
                let wide = |number: &Number| match number {
                    Int(value) => i128::from(*value),
                    UInt(value) => i128::from(*value),
                    _ => unreachable!("only integers are left"),
                };
                let unsigned = matches!(left, UInt(_)) || matches!(right, UInt(_));
                integer_arithmetic(wide(&left), op, wide(&right), unsigned)
            }
        }
    }

    /// `-self`.
    ///
    /// # Errors
    /// [`Fault::OutOfRange`].
    pub fn negate(&self) -> Result<Self, Fault> {
        match self.number() {
            None => Ok(Self::Null),
            Some(Number::Double(value)) => Ok(Self::Double(-value)),
            Some(Number::Decimal(value)) => Ok(Self::Decimal(value.negated())),
            Some(Number::Int(value)) => match value.checked_neg() {
                Some(value) => Ok(Self::Int(value)),
                None => Err(Fault::OutOfRange("BIGINT")),
            },
            Some(Number::UInt(value)) => match i64::try_from(-i128::from(value)) {
                Ok(value) => Ok(Self::Int(value)),
                Err(_) => Err(Fault::OutOfRange("BIGINT")),
            },
        }
    }
}

/// Microseconds behind the point.
fn micros_of(decimal: &Decimal) -> u32 {
    let fraction = decimal.add(&decimal.truncated(0).negated());
    let micros = fraction.multiply(&Decimal::from_int(1_000_000)).to_i128().unwrap_or(0);
    (micros.unsigned_abs() as u32).min(999_999)
}

/// The date and time of a stored TIMESTAMP, `offset` minutes east of UTC.
#[must_use]
pub fn timestamp_parts(us: i64, offset: i32) -> DateTime {
    if us == 0 { DateTime::default() } else { temporal::from_unix_us(us, offset).unwrap_or_default() }
}

fn integer_arithmetic(left: i128, op: Arithmetic, right: i128, unsigned: bool) -> Result<Value, Fault> {
    let result = match op {
        Arithmetic::Add => left + right,
        Arithmetic::Sub => left - right,
        Arithmetic::Mul => left.checked_mul(right).ok_or(Fault::OutOfRange("BIGINT"))?,
        Arithmetic::IntDiv | Arithmetic::Mod | Arithmetic::Div if right == 0 => return Err(Fault::ZeroDivisor),
        Arithmetic::IntDiv => left / right,
        Arithmetic::Mod => left % right,
        Arithmetic::Div => {
            let quotient = Decimal::from_int(left).divide(&Decimal::from_int(right), Decimal::DIVISION_DIGITS);
            return quotient.map(Value::Decimal).ok_or(Fault::ZeroDivisor);
        }
    };
    if op == Arithmetic::Mod && left < 0 {
        return Ok(Value::Int(result as i64));
    }
    if unsigned {
        u64::try_from(result).map(Value::UInt).map_err(|_| Fault::OutOfRange("BIGINT UNSIGNED"))
    } else {
        i64::try_from(result).map(Value::Int).map_err(|_| Fault::OutOfRange("BIGINT"))
    }
}

fn decimal_arithmetic(left: &Decimal, op: Arithmetic, right: &Decimal) -> Result<Value, Fault> {
    let scale = left.scale().saturating_add(Decimal::DIVISION_DIGITS).min(Decimal::SCALE_MAX);
    Ok(Value::Decimal(match op {
        Arithmetic::Add => left.add(right),
        Arithmetic::Sub => left.add(&right.negated()),
        Arithmetic::Mul => left.multiply(right),
        Arithmetic::Div => left.divide(right, scale).ok_or(Fault::ZeroDivisor)?,
        Arithmetic::Mod => left.remainder(right).ok_or(Fault::ZeroDivisor)?,
        Arithmetic::IntDiv => {
            let quotient = left.divide(right, Decimal::SCALE_MAX).ok_or(Fault::ZeroDivisor)?.truncated(0);
            let quotient = quotient.to_i128().and_then(|value| i64::try_from(value).ok());
            return quotient.map(Value::Int).ok_or(Fault::OutOfRange("BIGINT"));
        }
    }))
}

fn double_arithmetic(left: f64, op: Arithmetic, right: f64) -> Result<Value, Fault> {
    if matches!(op, Arithmetic::Div | Arithmetic::IntDiv | Arithmetic::Mod) && right == 0.0 {
        return Err(Fault::ZeroDivisor);
    }
    let result = match op {
        Arithmetic::Add => left + right,
        Arithmetic::Sub => left - right,
        Arithmetic::Mul => left * right,
        Arithmetic::Div => left / right,
        Arithmetic::Mod => left % right,
        Arithmetic::IntDiv => {
            let quotient = (left / right).trunc();
            if quotient >= i64::MIN as f64 && quotient < -(i64::MIN as f64) {
                return Ok(Value::Int(quotient as i64));
            }
            return Err(Fault::OutOfRange("BIGINT"));
        }
    };
    if result.is_finite() { Ok(Value::Double(result)) } else { Err(Fault::OutOfRange("DOUBLE")) }
}

/// The integer at the front of a text, saturated, and whether it is all of it (but for blanks).
#[must_use]
pub fn text_integer(text: &str) -> (i128, bool) {
    let trimmed = text.trim();
    let (sign, digits) = match trimmed.as_bytes().first() {
        Some(b'-') => (-1, &trimmed[1..]),
        Some(b'+') => (1, &trimmed[1..]),
        _ => (1, trimmed),
    };
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    // More digits than any integer has saturate.
    let number = digits[..count].parse::<i128>().unwrap_or(if count == 0 { 0 } else { i128::MAX });
    (sign * number, count > 0 && count == digits.len())
}

/// A text as a double, and whether all of it (but for blanks) was a number.
#[must_use]
pub fn text_number(text: &str) -> (f64, bool) {
    let trimmed = text.trim();
    let Some((_, read)) = Decimal::parse_prefix(trimmed) else { return (0.0, false) };
    let value: f64 = trimmed[..read].parse().unwrap_or(0.0);
    (if value.is_finite() { value } else { f64::MAX.copysign(value) }, read == trimmed.len())
}

/// A double as MySQL prints it: shortest form that reads back, with an exponent beyond 15 digits.
#[must_use]
pub fn double_text(value: f64) -> String {
    if value == 0.0 {
        return if value.is_sign_negative() { "-0".into() } else { "0".into() };
    }
    let magnitude = value.abs();
    if (1e-15..1e15).contains(&magnitude) {
        return format!("{value}");
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if !exponent.starts_with('-') => format!("{mantissa}e{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(text: &str) -> Value {
        Value::Decimal(Decimal::parse(text).unwrap())
    }

    fn shown(value: &Value) -> String {
        value.to_text().map_or_else(|| "NULL".into(), |text| text.into_owned())
    }

    #[test]
    fn arithmetic_as_mysql_does_it() {
        use Arithmetic::{Add, Div, IntDiv, Mod, Mul, Sub};
        use Value::{Double, Int, Null, UInt};
        let cases = [
            (Int(5), Div, Int(2), "2.5000"),
            (Int(5), IntDiv, Int(2), "2"),
            (Int(-5), Mod, Int(3), "-2"),
            (Int(1), Add, Null, "NULL"),
            (Int(1), Add, Value::text("2.5x"), "3.5"),
            (Value::text("3"), Mul, Value::text("4"), "12"),
            (dec("1.10"), Add, Int(1), "2.10"),
            (dec("1.10"), Mul, dec("2.0"), "2.200"),
            (Int(1), Sub, UInt(1), "0"),
            (Double(0.1), Add, Double(0.2), "0.30000000000000004"),
        ];
        for (left, op, right, result) in cases {
            assert_eq!(shown(&left.calculate(op, &right).unwrap()), result, "{left:?} {op:?} {right:?}");
        }
        let faults = [
            (Int(i64::MAX), Add, Int(1), Fault::OutOfRange("BIGINT")),
            (Int(0), Sub, UInt(1), Fault::OutOfRange("BIGINT UNSIGNED")),
            (Int(1), Div, Int(0), Fault::ZeroDivisor),
            (Double(1e308), Mul, Int(10), Fault::OutOfRange("DOUBLE")),
            (Double(1.0), Mod, Int(0), Fault::ZeroDivisor),
        ];
        for (left, op, right, fault) in faults {
            assert_eq!(left.calculate(op, &right), Err(fault), "{left:?} {op:?} {right:?}");
        }
    }

    #[test]
    fn comparison_as_mysql_does_it() {
        use Ordering::{Equal, Greater, Less};
        use Value::{Double, Int, Null, UInt};
        let cases = [
            (Int(-1), UInt(u64::MAX), Some(Less)),
            (Int(1), Value::text("1abc"), Some(Equal)),
            (Int(0), Value::text("abc"), Some(Equal)),
            (Value::text("10"), Value::text("9"), Some(Less)),
            (Value::text("A"), Value::text("a"), Some(Equal)),
            (Value::bytes(*b"A"), Value::text("a"), Some(Less)),
            (dec("1.50"), dec("1.5"), Some(Equal)),
            (dec("1.5"), Int(1), Some(Greater)),
            (Double(1.5), dec("1.5"), Some(Equal)),
            (Null, Int(1), None),
        ];
        for (left, right, order) in cases {
            assert_eq!(left.compare(&right, Collation::DEFAULT), order, "{left:?} {right:?}");
        }
    }

    #[test]
    fn doubles_print_as_mysql_prints_them() {
        for (value, text) in [(1.5, "1.5"), (1e20, "1e20"), (1e-20, "1e-20"), (100.0, "100"), (-0.5, "-0.5")] {
            assert_eq!(double_text(value), text);
        }
    }
}
