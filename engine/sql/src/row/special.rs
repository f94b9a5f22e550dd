//! Values become dates, times, years, bits, members of ENUM and SET, and documents.

use super::Conversion;
use crate::catalog::{Column, ColumnType};
use crate::error::{SqlError, error};
use crate::json;
use crate::temporal::{self, DateTime, Flaw};
use crate::value::{Level, Value, Warning, timestamp_parts};
use std::rc::Rc;

/// What a value says for a date and time column.
struct Moment {
    at: DateTime,
    /// Minutes east of UTC, where the text says so.
    offset: Option<i32>,
    /// Something follows that does not count.
    rest: bool,
}

impl Conversion<'_> {
    pub(super) fn special(&mut self, column: &Column, value: Value) -> Result<Value, SqlError> {
        match &column.kind {
            ColumnType::Date => self.date(column, &value),
            ColumnType::DateTime(digits) => self.date_time(column, *digits, &value),
            ColumnType::Timestamp(digits) => self.timestamp(column, *digits, &value),
            ColumnType::Time(digits) => self.time(column, *digits, &value),
            ColumnType::Year => self.year(column, &value),
            ColumnType::Bit(count) => self.bit(column, *count, &value),
            ColumnType::Enum(members) => self.member_of_enum(column, members, &value),
            ColumnType::Set(members) => self.members_of_set(column, members, &value),
            _ => self.json(column, value),
        }
    }

    fn incorrect(&self, column: &Column, kind: &str, value: &Value) -> String {
        let shown: String = value.to_text().unwrap_or_default().chars().take(128).collect();
        format!("Incorrect {kind} value: '{shown}' for column '{}' at row {}", column.name, self.row)
    }

    fn note(&mut self, message: String) {
        self.warnings.push(Warning { level: Level::Note, code: 1292, message });
    }

    fn truncated(&mut self, column: &Column) -> Result<(), SqlError> {
        self.complain(1265, format!("Data truncated for column '{}' at row {}", column.name, self.row))
    }

    /// 1292 under strict mode, else a warning of `code` (1264 or 1265).
    fn refuse(&mut self, column: &Column, kind: &str, value: &Value, code: u16) -> Result<(), SqlError> {
        if self.strict {
            return Err(error(1292, self.incorrect(column, kind, value)));
        }
        let (name, row) = (&column.name, self.row);
        let message = if code == 1264 {
            format!("Out of range value for column '{name}' at row {row}")
        } else {
            format!("Data truncated for column '{name}' at row {row}")
        };
        self.warnings.push(Warning { level: Level::Warning, code, message });
        Ok(())
    }

    /// What a value says; `None` after a complaint that was only a warning.
    fn moment(&mut self, column: &Column, kind: &str, value: &Value) -> Result<Option<Moment>, SqlError> {
        let found = match value {
            Value::Date(at) | Value::DateTime(at, _) => Some(Moment { at: *at, offset: None, rest: false }),
            Value::Timestamp(us, _) => {
                Some(Moment { at: timestamp_parts(*us, self.rules.zone), offset: None, rest: false })
            }
            Value::Time(us, _) => {
                let days = us.div_euclid(temporal::DAY_US);
                let date = temporal::from_days(temporal::to_days(&self.rules.today) + days);
                let at = date.map(|date| temporal::with_time(date, us.rem_euclid(temporal::DAY_US)));
                at.map(|at| Moment { at, offset: None, rest: false })
            }
            Value::Text(_) | Value::Bytes(_) | Value::Member(..) => {
                let text = value.to_text().unwrap_or_default();
                temporal::read_date_time(&text).map(|read| {
                    if let Some((place, delimiter)) = read.odd_delimiter {
                        let standard = if place < 8 { '-' } else { ':' };
                        let message = format!(
                            "Delimiter '{delimiter}' in position {place} in datetime value '{text}' at row {} is \
                             deprecated. Prefer the standard '{standard}'.",
                            self.row
                        );
                        self.warnings.push(Warning { level: Level::Warning, code: 4095, message });
                    }
                    Moment { at: read.at, offset: read.offset, rest: read.rest }
                })
            }
            other => other.to_date_time().map(|at| Moment { at, offset: None, rest: false }),
        };
        let Some(found) = found else {
            self.refuse(column, kind, value, 1265)?;
            return Ok(None);
        };
        let refused = match temporal::flaw(&found.at) {
            None => None,
            Some(Flaw::Zero) => (self.rules.no_zero_date).then_some(1264),
            Some(Flaw::ZeroPart) => (self.rules.no_zero_in_date).then_some(1264),
            Some(Flaw::NoSuchDay) if found.at.month > 12 || found.at.day > 31 => Some(1265),
            Some(Flaw::NoSuchDay) => (!self.rules.allow_invalid_dates).then_some(1264),
        };
        if let Some(code) = refused {
            self.refuse(column, kind, value, code)?;
            return Ok(None);
        }
        if found.rest {
            if self.strict {
                return Err(error(1292, self.incorrect(column, kind, value)));
            }
            self.truncated(column)?;
        }
        Ok(Some(found))
    }

    /// The same moment in the session's zone.
    fn local(&self, moment: &Moment) -> DateTime {
        match moment.offset {
            Some(offset) if temporal::flaw(&moment.at).is_none() => {
                temporal::from_unix_us(temporal::to_unix_us(&moment.at, offset), self.rules.zone).unwrap_or(moment.at)
            }
            _ => moment.at,
        }
    }

    fn date(&mut self, column: &Column, value: &Value) -> Result<Value, SqlError> {
        let Some(moment) = self.moment(column, "date", value)? else { return Ok(Value::Date(DateTime::default())) };
        let date = temporal::date_of(self.local(&moment));
        if date != moment.at && moment.offset.is_none() {
            self.note(self.incorrect(column, "date", value));
        }
        Ok(Value::Date(date))
    }

    fn date_time(&mut self, column: &Column, digits: u8, value: &Value) -> Result<Value, SqlError> {
        let zero = Value::DateTime(DateTime::default(), digits);
        let Some(moment) = self.moment(column, "datetime", value)? else { return Ok(zero) };
        match temporal::round(self.local(&moment), digits) {
            Some(at) => Ok(Value::DateTime(at, digits)),
            None => {
                self.refuse(column, "datetime", value, 1264)?;
                Ok(zero)
            }
        }
    }

    fn timestamp(&mut self, column: &Column, digits: u8, value: &Value) -> Result<Value, SqlError> {
        if let Value::Timestamp(us, _) = value {
            return Ok(Value::Timestamp(temporal::round_us(*us, digits), digits));
        }
        let zero = Value::Timestamp(0, digits);
        let Some(moment) = self.moment(column, "datetime", value)? else { return Ok(zero) };
        if temporal::flaw(&moment.at) == Some(Flaw::Zero) {
            return Ok(zero);
        }
        let offset = moment.offset.unwrap_or(self.rules.zone);
        let us = temporal::flaw(&moment.at).is_none().then(|| temporal::to_unix_us(&moment.at, offset));
        let us = us.map(|us| temporal::round_us(us, digits));
        let last = (temporal::TIMESTAMP_MAX + 1) * temporal::SECOND_US;
        match us.filter(|us| (temporal::SECOND_US..last).contains(us)) {
            Some(us) => Ok(Value::Timestamp(us, digits)),
            None => {
                self.refuse(column, "datetime", value, 1264)?;
                Ok(zero)
            }
        }
    }

    fn time(&mut self, column: &Column, digits: u8, value: &Value) -> Result<Value, SqlError> {
        let read = match value {
            Value::Text(_) | Value::Bytes(_) | Value::Member(..) => {
                let text = value.to_text().unwrap_or_default();
                if text.trim().is_empty() {
                    return Ok(Value::Time(0, digits));
                }
                match temporal::read_time(&text) {
                    Some(read) => {
                        if temporal::read_date_time(&text).is_some_and(|date| date.has_time && text.len() > 12) {
                            self.note(self.incorrect(column, "time", value));
                        }
                        read
                    }
                    None => {
                        let digits_first = text.trim_start().starts_with(|c: char| c.is_ascii_digit() || c == '-');
                        self.refuse(column, "time", value, if digits_first { 1264 } else { 1265 })?;
                        return Ok(Value::Time(0, digits));
                    }
                }
            }
            Value::Int(_) | Value::UInt(_) | Value::Decimal(_) | Value::Double(_) | Value::Bit(..) => {
                let beyond = value.to_f64().is_some_and(|number| number.abs() > 8_385_959.0);
                match value.to_time() {
                    Some(us) => temporal::ReadTime { us, digits: 0, rest: false, beyond },
                    None => {
                        self.refuse(column, "time", value, 1264)?;
                        return Ok(Value::Time(0, digits));
                    }
                }
            }
            Value::Timestamp(us, _) => temporal::ReadTime {
                us: temporal::time_of_day(&timestamp_parts(*us, self.rules.zone)),
                digits: 0,
                rest: false,
                beyond: false,
            },
            Value::Date(_) | Value::DateTime(..) => {
                self.note(self.incorrect(column, "time", value));
                let us = value.to_time().unwrap_or(0);
                temporal::ReadTime { us, digits: 0, rest: false, beyond: false }
            }
            other => temporal::ReadTime { us: other.to_time().unwrap_or(0), digits: 0, rest: false, beyond: false },
        };
        if read.beyond {
            self.refuse(column, "time", value, 1264)?;
        } else if read.rest {
            self.refuse(column, "time", value, 1265)?;
        }
        let us = temporal::round_us(read.us, digits).clamp(-temporal::TIME_MAX_US, temporal::TIME_MAX_US);
        Ok(Value::Time(us, digits))
    }

    fn year(&mut self, column: &Column, value: &Value) -> Result<Value, SqlError> {
        let text = matches!(value, Value::Text(_) | Value::Bytes(_));
        let number = match value {
            Value::Date(at) | Value::DateTime(at, _) => i128::from(at.year),
            Value::Timestamp(us, _) => i128::from(timestamp_parts(*us, self.rules.zone).year),
            Value::Time(..) => i128::from(self.rules.today.year),
            other => {
                self.number(column, "integer", other)?;
                other.to_i128().unwrap_or(0)
            }
        };
        // '0' and '00' are 2000, but 0 and '0000' are 0000.
        let short = text && value.to_text().is_some_and(|text| text.trim().len() <= 2 && text.trim().starts_with('0'));
        let year = match number {
            0 if !short => 0,
            0..=69 => number + 2000,
            70..=99 => number + 1900,
            other => other,
        };
        if year != 0 && !(1901..=2155).contains(&year) {
            self.out_of_range(column)?;
            return Ok(Value::UInt(0));
        }
        Ok(Value::UInt(year as u64))
    }

    fn bit(&mut self, column: &Column, count: u8, value: &Value) -> Result<Value, SqlError> {
        let most = if count >= 64 { u64::MAX } else { (1 << count) - 1 };
        let bits = match value {
            Value::Text(_) | Value::Bytes(_) => {
                let bytes = value.to_bytes().unwrap_or_default();
                let significant = bytes.iter().skip_while(|byte| **byte == 0);
                significant.fold(0_u128, |bits, byte| (bits << 8 | u128::from(*byte)).min(u128::from(u64::MAX) + 1))
            }
            other => match other.to_i128().unwrap_or(0) {
                negative if negative < 0 => u128::from(negative.max(i128::from(i64::MIN)) as i64 as u64),
                other => other as u128,
            },
        };
        match u64::try_from(bits).ok().filter(|bits| *bits <= most) {
            Some(bits) => Ok(Value::Bit(bits, count)),
            None => {
                self.too_long_or(column, 1264)?;
                Ok(Value::Bit(most, count))
            }
        }
    }

    fn too_long_or(&mut self, column: &Column, code: u16) -> Result<(), SqlError> {
        if self.strict {
            return Err(error(1406, format!("Data too long for column '{}' at row {}", column.name, self.row)));
        }
        let message = format!("Out of range value for column '{}' at row {}", column.name, self.row);
        self.warnings.push(Warning { level: Level::Warning, code, message });
        Ok(())
    }

    fn member_of_enum(&mut self, column: &Column, members: &[String], value: &Value) -> Result<Value, SqlError> {
        let collation = column.collation();
        let number = match value {
            Value::Text(_) | Value::Bytes(_) | Value::Member(..) | Value::Json(_) => {
                let text = value.to_text().unwrap_or_default();
                let text = text.trim_end_matches(' ');
                let same = |member: &String| collation.compare(member.as_bytes(), text.as_bytes()).is_eq();
                match members.iter().position(same) {
                    Some(at) => at as u64 + 1,
                    // What is no member but a number counts as one.
                    None => text.parse().unwrap_or(0),
                }
            }
            other => other.to_i128().and_then(|number| u64::try_from(number).ok()).unwrap_or(0),
        };
        // A number from a decimal is cut, not rounded.
        let number = match value {
            Value::Decimal(decimal) => {
                decimal.truncated(0).to_i128().and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
            }
            _ => number,
        };
        let number = if number >= 1 && number <= members.len() as u64 {
            number
        } else {
            let stored_error = matches!(value, Value::Member(0, _));
            if !stored_error {
                self.truncated(column)?;
            }
            0
        };
        Ok(Value::Member(number, column.kind.member_text(number).unwrap_or_default().into()))
    }

    fn members_of_set(&mut self, column: &Column, members: &[String], value: &Value) -> Result<Value, SqlError> {
        let collation = column.collation();
        let all = if members.len() >= 64 { u64::MAX } else { (1 << members.len()) - 1 };
        let mut unknown = false;
        let bits = match value {
            Value::Text(_) | Value::Bytes(_) | Value::Member(..) | Value::Json(_) => {
                let text = value.to_text().unwrap_or_default();
                let mut bits = 0;
                for part in text.split(',').filter(|_| !text.is_empty()) {
                    let part = part.trim_end_matches(' ');
                    let same = |member: &String| collation.compare(member.as_bytes(), part.as_bytes()).is_eq();
                    match members.iter().position(same) {
                        Some(at) => bits |= 1 << at,
                        None => unknown = true,
                    }
                }
                match text.trim().parse::<u64>() {
                    Ok(number) if unknown => {
                        unknown = number & !all != 0;
                        number & all
                    }
                    _ => bits,
                }
            }
            other => {
                let bits = other.to_bits().unwrap_or(0);
                unknown = bits & !all != 0;
                bits & all
            }
        };
        if unknown {
            self.truncated(column)?;
        }
        Ok(Value::Member(bits, column.kind.member_text(bits).unwrap_or_default().into()))
    }

    fn json(&mut self, column: &Column, value: Value) -> Result<Value, SqlError> {
        let invalid = |what: &str, at: usize| {
            let place = format!("{}.{}", self.table, column.name);
            error(3140, format!("Invalid JSON text: \"{what}\" at position {at} in value for column '{place}'."))
        };
        match &value {
            Value::Json(_) => Ok(value),
            Value::Text(text) | Value::Member(_, text) => match json::parse(text) {
                Ok(json) => Ok(Value::Json(Rc::new(json))),
                Err(fault) if fault.deep => {
                    Err(error(3157, format!("The JSON document exceeds the maximum depth of {}.", json::DEPTH_MAX)))
                }
                Err(fault) => Err(invalid(fault.what, fault.at)),
            },
            Value::Bytes(_) | Value::Bit(..) => {
                Err(error(3144, "Cannot create a JSON value from a string with CHARACTER SET 'binary'."))
            }
            _ => Err(invalid("not a JSON text, may need CAST", 0)),
        }
    }
}
