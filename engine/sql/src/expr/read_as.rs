//! Constants that are read as the type of what they are compared with: once for a statement, not for each row.
//!
//! Absent on purpose: columns. What stands in a row is compared as it is, and warns for each row.

use super::{Env, Node, Type};
use crate::decimal::Decimal;
use crate::error::{SqlError, error};
use crate::temporal::{self, DateTime, Flaw};
use crate::value::{Level, Value, Warning, text_number};
use wire::client::constant::ColumnType;

/// As what a text is read. Numbers, NULL and dates stay what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadAs {
    /// A date and time: what is none ends the statement (1525).
    DateTime(Temporal),
    /// An end of a stretch of dates: what is none is worth a warning, and is the zero date.
    DateEnd(Temporal),
    /// One of a list of dates: what is none is worth a warning, and equal to no date.
    DateItem(Temporal),
    /// A time, rounded to the digits of a second that its column has.
    Time(u8, Temporal),
    /// A year: one of two digits is between 1970 and 2069.
    Year,
    /// One of a list of integers: what is none is worth a warning.
    Number,
}

/// What a text is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Temporal {
    /// `DATE`, `DATETIME`, `TIMESTAMP` or `TIME`.
    kind: &'static str,
    /// The column, where it is one.
    column: Option<String>,
}

impl Temporal {
    fn of(kind: &Type, column: Option<&str>) -> Option<Self> {
        let name = match kind.kind {
            ColumnType::Date => "DATE",
            ColumnType::DateTime => "DATETIME",
            ColumnType::Timestamp => "TIMESTAMP",
            ColumnType::Time => "TIME",
            _ => return None,
        };
        Some(Self { kind: name, column: column.map(ToOwned::to_owned) })
    }

    /// What is said of a text that is none, or not only one.
    fn incorrect(&self, text: &str) -> String {
        let kind = match self.kind {
            "DATE" => "date",
            "TIME" => "time",
            _ => "datetime",
        };
        match &self.column {
            Some(column) => format!("Incorrect {kind} value: '{text}' for column '{column}' at row 1"),
            None => format!("Truncated incorrect {kind} value: '{text}'"),
        }
    }
}

impl ReadAs {
    /// How a text beside an expression of this type, or beside a column, is read; `None`: it is compared as it is.
    #[must_use]
    pub fn beside(kind: &Type, column: Option<&str>) -> Option<Self> {
        if kind.kind == ColumnType::Year {
            return column.map(|_| Self::Year);
        }
        let temporal = Temporal::of(kind, column)?;
        match kind.kind {
            ColumnType::Time => column.map(|_| Self::Time(kind.decimals, temporal)),
            _ => Some(Self::DateTime(temporal)),
        }
    }

    /// How the ends of a BETWEEN are read.
    #[must_use]
    pub fn around(kind: &Type, column: Option<&str>) -> Option<Self> {
        Self::beside(kind, column).map(|read_as| match read_as {
            Self::DateTime(temporal) => Self::DateEnd(temporal),
            other => other,
        })
    }

    /// How the items of a list of so many are read.
    #[must_use]
    pub fn among(kind: &Type, column: Option<&str>, items: usize) -> Option<Self> {
        match kind.kind {
            // One item is an equation.
            ColumnType::Date | ColumnType::DateTime | ColumnType::Timestamp | ColumnType::Year if items == 1 => {
                Self::beside(kind, column)
            }
            ColumnType::Date => Temporal::of(kind, None).map(Self::DateItem),
            ColumnType::DateTime | ColumnType::Timestamp => Temporal::of(kind, column).map(Self::DateItem),
            ColumnType::Tiny | ColumnType::Short | ColumnType::Int24 | ColumnType::Long | ColumnType::LongLong => {
                Some(Self::Number)
            }
            _ => None,
        }
    }

    /// Whether it is a constant that may have to be read.
    #[must_use]
    pub const fn concerns(&self, node: &Node) -> bool {
        match node {
            Node::Const(Value::Text(_)) | Node::Param(_) => true,
            Node::Const(Value::Int(_)) => matches!(self, Self::Year | Self::DateTime(_)),
            Node::Const(Value::Decimal(_)) => matches!(self, Self::Year),
            _ => false,
        }
    }

    /// What a text says; `None` for a value that stays what it is.
    ///
    /// # Errors
    /// 1525, after a warning that strict mode puts in its place.
    pub fn read(&self, value: &Value, env: &dyn Env) -> Result<Option<Value>, SqlError> {
        let warn = |message: String| env.warn(Warning { level: Level::Warning, code: 1292, message });
        let text = match (value, self) {
            (Value::Text(text), _) => text,
            (Value::Int(number), Self::Year) => return Ok(year(*number).map(Value::Int)),
            (Value::Decimal(number), Self::Year) => {
                let whole = number.to_i128().filter(|whole| Decimal::from_int(*whole).cmp(number).is_eq());
                let whole = whole.and_then(|whole| i64::try_from(whole).ok());
                return Ok(whole.and_then(year).map(Value::Int));
            }
            (Value::Int(number), Self::DateTime(temporal)) => {
                if temporal::from_number(*number).is_none() {
                    warn(temporal.incorrect(&number.to_string()));
                }
                return Ok(None);
            }
            _ => return Ok(None),
        };
        Ok(Some(match self {
            Self::DateTime(temporal) | Self::DateEnd(temporal) | Self::DateItem(temporal) => {
                let found = date_time(text, env);
                if found.is_none_or(|(_, _, rest)| rest) {
                    warn(temporal.incorrect(text));
                }
                match (found, self) {
                    (Some((at, digits, _)), _) => Value::DateTime(at, digits),
                    (None, Self::DateTime(temporal)) => {
                        return Err(error(1525, format!("Incorrect {} value: '{text}'", temporal.kind)));
                    }
                    (None, Self::DateEnd(_)) => Value::DateTime(DateTime::default(), 0),
                    // No stored date is beyond the last one.
                    (None, _) => Value::DateTime(DateTime { year: 9999, month: 99, ..DateTime::default() }, 0),
                }
            }
            Self::Time(digits, temporal) => match temporal::read_time(text) {
                Some(read) if !read.rest && !read.beyond => Value::Time(temporal::round_us(read.us, *digits), *digits),
                _ => {
                    warn(temporal.incorrect(text));
                    return Ok(None);
                }
            },
            Self::Year => match text_number(text) {
                // As a text, 0 is 2000.
                (0.0, true) if text.trim().len() <= 2 => Value::Int(2000),
                (number, true) => match year(number as i64).filter(|_| number.fract() == 0.0) {
                    Some(year) => Value::Int(year),
                    None => return Ok(None),
                },
                (number, false) => {
                    warn(format!("Truncated incorrect DOUBLE value: '{text}'"));
                    Value::Double(number)
                }
            },
            Self::Number => {
                let trimmed = text.trim();
                match (trimmed.parse(), trimmed.parse()) {
                    (Ok(number), _) => Value::Int(number),
                    (_, Ok(number)) => Value::UInt(number),
                    _ => {
                        let (number, whole) = text_number(text);
                        if !whole {
                            warn(format!("Truncated incorrect DOUBLE value: '{text}'"));
                        }
                        Value::Double(number)
                    }
                }
            }
        }))
    }
}

/// The year that one of two digits stands for.
const fn year(digits: i64) -> Option<i64> {
    match digits {
        1..=69 => Some(digits + 2000),
        70..=99 => Some(digits + 1900),
        _ => None,
    }
}

/// The date and time that a text holds, its digits of a second, and whether something follows it; `None` when it holds
/// none that the modes take.
fn date_time(text: &str, env: &dyn Env) -> Option<(DateTime, u8, bool)> {
    let rules = env.date_rules();
    let read = temporal::read_date_time(text)?;
    let sound = match temporal::flaw(&read.at) {
        None => true,
        Some(Flaw::NoSuchDay) => rules.allow_invalid_dates && read.at.month <= 12 && read.at.day <= 31,
        Some(Flaw::Zero) => !rules.no_zero_date,
        Some(Flaw::ZeroPart) => !rules.no_zero_in_date,
    };
    let at = match read.offset {
        Some(offset) if temporal::flaw(&read.at).is_none() => {
            temporal::from_unix_us(temporal::to_unix_us(&read.at, offset), rules.zone).unwrap_or(read.at)
        }
        _ => read.at,
    };
    sound.then_some((at, read.digits, read.rest))
}
