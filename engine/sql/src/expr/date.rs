//! Functions of dates and times.

use super::Type;
use super::function::Args;
use crate::collate::Collation;
use crate::decimal::Decimal;
use crate::error::{SqlError, error};
use crate::temporal::{self, DAY_US, DateRules, DateTime, Interval, SECOND_US};
use crate::value::{Level, Value, Warning};
use wire::client::constant::ColumnType;

/// Name, least and most arguments, by name.
pub(super) const FUNCTIONS: &[(&str, usize, usize)] = &[
    ("ADDDATE", 2, 3),
    ("ADDTIME", 2, 2),
    ("CONVERT_TZ", 3, 3),
    ("CURDATE", 0, 0),
    ("CURTIME", 0, 1),
    ("DATE", 1, 1),
    ("DATEDIFF", 2, 2),
    ("DATE_ADD", 3, 3),
    ("DATE_FORMAT", 2, 2),
    ("DATE_SUB", 3, 3),
    ("DAY", 1, 1),
    ("DAYNAME", 1, 1),
    ("DAYOFMONTH", 1, 1),
    ("DAYOFWEEK", 1, 1),
    ("DAYOFYEAR", 1, 1),
    ("EXTRACT", 2, 2),
    ("FROM_DAYS", 1, 1),
    ("FROM_UNIXTIME", 1, 2),
    ("GET_FORMAT", 2, 2),
    ("HOUR", 1, 1),
    ("LAST_DAY", 1, 1),
    ("MAKEDATE", 2, 2),
    ("MAKETIME", 3, 3),
    ("MICROSECOND", 1, 1),
    ("MINUTE", 1, 1),
    ("MONTH", 1, 1),
    ("MONTHNAME", 1, 1),
    ("NOW", 0, 1),
    ("PERIOD_ADD", 2, 2),
    ("PERIOD_DIFF", 2, 2),
    ("QUARTER", 1, 1),
    ("SECOND", 1, 1),
    ("SEC_TO_TIME", 1, 1),
    ("STR_TO_DATE", 2, 2),
    ("SUBDATE", 2, 3),
    ("SUBTIME", 2, 2),
    ("SYSDATE", 0, 1),
    ("TIME", 1, 1),
    ("TIMEDIFF", 2, 2),
    ("TIMESTAMP", 1, 2),
    ("TIMESTAMPADD", 3, 3),
    ("TIMESTAMPDIFF", 3, 3),
    ("TIME_FORMAT", 2, 2),
    ("TIME_TO_SEC", 1, 1),
    ("TO_DAYS", 1, 1),
    ("TO_SECONDS", 1, 1),
    ("UNIX_TIMESTAMP", 0, 1),
    ("UTC_DATE", 0, 0),
    ("UTC_TIME", 0, 1),
    ("UTC_TIMESTAMP", 0, 1),
    ("WEEK", 1, 2),
    ("WEEKDAY", 1, 1),
    ("WEEKOFYEAR", 1, 1),
    ("YEAR", 1, 1),
    ("YEARWEEK", 1, 2),
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const fn time_type(digits: u8) -> Type {
    Type::temporal(ColumnType::Time, digits)
}

const fn date_time_type(digits: u8) -> Type {
    Type::temporal(ColumnType::DateTime, digits)
}

/// The type of a function's result; `digits` is that of a literal argument.
pub(super) fn result_type(name: &str, kinds: &[Type], digits: u8, collation: Collation) -> Type {
    let first = kinds.first().cloned().unwrap_or_else(Type::null);
    let is = |kind: ColumnType| first.kind == kind;
    let text = |length| Type::text(length, collation, 4);
    match name {
        "NOW" | "SYSDATE" | "UTC_TIMESTAMP" => Type { not_null: true, ..date_time_type(digits) },
        "CURDATE" | "UTC_DATE" => Type { not_null: true, ..Type::temporal(ColumnType::Date, 0) },
        "CURTIME" | "UTC_TIME" => Type { not_null: true, ..time_type(digits) },
        "DATE" | "LAST_DAY" | "FROM_DAYS" | "MAKEDATE" => Type::temporal(ColumnType::Date, 0),
        "TIMESTAMP" => date_time_type(first.second_digits()),
        "CONVERT_TZ" => date_time_type(first.second_digits()),
        "FROM_UNIXTIME" if kinds.len() == 1 => date_time_type(if is(ColumnType::LongLong) { 0 } else { 6 }),
        "TIME" | "TIMEDIFF" | "MAKETIME" | "SEC_TO_TIME" => time_type(first.second_digits()),
        "STR_TO_DATE" => date_time_type(6),
        "DATE_ADD" | "DATE_SUB" | "ADDDATE" | "SUBDATE" | "TIMESTAMPADD" | "ADDTIME" | "SUBTIME" => match first.kind {
            ColumnType::Date | ColumnType::DateTime | ColumnType::Timestamp => date_time_type(first.second_digits()),
            ColumnType::Time => time_type(first.second_digits()),
            _ => text(29),
        },
        "DATE_FORMAT" | "TIME_FORMAT" | "FROM_UNIXTIME" => text(255),
        "DAYNAME" | "MONTHNAME" | "GET_FORMAT" => text(17),
        "UNIX_TIMESTAMP" if first.second_digits() > 0 || first.is_string() => Type::decimal(18, 6),
        _ => Type::int(21),
    }
}

fn warn(args: &Args<'_>, message: String) {
    args.env.warn(Warning { level: Level::Warning, code: 1292, message });
}

/// A date and time argument; `None`, with a warning, when it is none, or a date that does not exist.
fn moment(args: &Args<'_>, at: usize, zeros: bool, kind: &str) -> Result<Option<(DateTime, u8, bool)>, SqlError> {
    let value = args.get(at)?;
    let found = match &*value {
        Value::Null => return Ok(None),
        Value::Date(date) => Some((*date, 0, false)),
        Value::DateTime(date, digits) => Some((*date, *digits, true)),
        Value::Timestamp(us, digits) => {
            Some((crate::value::timestamp_parts(*us, args.env.date_rules().zone), *digits, true))
        }
        Value::Time(us, digits) => {
            let today = args.env.date_rules().today;
            temporal::from_us(temporal::to_us(&today) + us).map(|at| (at, *digits, true))
        }
        Value::Text(_) | Value::Bytes(_) | Value::Member(..) => {
            let text = value.to_text().unwrap_or_default();
            let read = temporal::read_date_time(&text);
            if read.is_some_and(|read| read.rest) {
                warn(args, format!("{} {kind} value: '{text}'", incorrect(kind)));
            }
            read.map(|read| (read.at, read.digits, read.has_time))
        }
        other => other.to_date_time().map(|at| (at, if at.micros == 0 { 0 } else { 6 }, false)),
    };
    let sound = |(at, ..): &(DateTime, u8, bool)| match temporal::flaw(at) {
        None => true,
        Some(temporal::Flaw::NoSuchDay) => false,
        Some(_) => zeros,
    };
    match found.filter(sound) {
        Some(found) => Ok(Some(found)),
        None => {
            let text = value.to_text().unwrap_or_default().into_owned();
            warn(args, format!("{} {kind} value: '{text}'", incorrect(kind)));
            Ok(None)
        }
    }
}

const fn incorrect(kind: &str) -> &'static str {
    if matches!(kind.as_bytes(), b"datetime") { "Incorrect" } else { "Truncated incorrect" }
}

/// A TIME argument.
fn time_of(args: &Args<'_>, at: usize) -> Result<Option<(i64, u8)>, SqlError> {
    let value = args.get(at)?;
    Ok(match &*value {
        Value::Null => None,
        Value::Time(us, digits) => Some((*us, *digits)),
        Value::DateTime(date, digits) => Some((temporal::time_of_day(date), *digits)),
        Value::Text(_) | Value::Bytes(_) => {
            let text = value.to_text().unwrap_or_default();
            let read = temporal::read_time(&text);
            if read.is_none_or(|read| read.rest || read.beyond) {
                warn(args, format!("Truncated incorrect time value: '{text}'"));
            }
            read.map(|read| (read.us, read.digits))
        }
        other => other.to_time().map(|us| (us, if us % SECOND_US == 0 { 0 } else { 6 })),
    })
}

fn digits_argument(args: &Args<'_>, name: &str) -> Result<u8, SqlError> {
    if args.nodes.is_empty() {
        return Ok(0);
    }
    match args.int(0)?.unwrap_or(0) {
        digits @ 0..=6 => Ok(digits as u8),
        digits => {
            let text = format!("Too-big precision {digits} specified for '{}'. Maximum is 6.", name.to_lowercase());
            Err(error(1426, text))
        }
    }
}

fn cut(us: i64, digits: u8) -> i64 {
    let unit = 10_i64.pow(6 - u32::from(digits));
    us.div_euclid(unit) * unit
}

fn now(args: &Args<'_>, zone: i32, digits: u8) -> DateTime {
    let us = i64::try_from(args.env.now().unix_us).unwrap_or(0);
    temporal::from_unix_us(cut(us, digits), zone).unwrap_or_default()
}

fn int(value: impl Into<i64>) -> Value {
    Value::Int(value.into())
}

/// A result that is a text where the argument was one: digits only where they say something.
fn like_text(value: &Value, at: &DateTime, has_time: bool) -> Value {
    match value {
        Value::Text(_) | Value::Bytes(_) | Value::Member(..) => Value::text(if has_time || at.micros != 0 {
            temporal::date_time_text(at, if at.micros == 0 { 0 } else { 6 })
        } else {
            temporal::date_text(at)
        }),
        Value::Date(_) if !has_time => Value::Date(*at),
        Value::DateTime(_, digits) => Value::DateTime(*at, if at.micros == 0 { *digits } else { (*digits).max(6) }),
        _ if has_time => Value::DateTime(*at, if at.micros == 0 { 0 } else { 6 }),
        _ => Value::Date(*at),
    }
}

pub(super) fn call(name: &str, args: &Args<'_>, collation: Collation) -> Result<Value, SqlError> {
    let zone = args.env.date_rules().zone;
    Ok(match name {
        "NOW" | "SYSDATE" => {
            let digits = digits_argument(args, name)?;
            Value::DateTime(now(args, zone, digits), digits)
        }
        "UTC_TIMESTAMP" => {
            let digits = digits_argument(args, name)?;
            Value::DateTime(now(args, 0, digits), digits)
        }
        "CURDATE" => Value::Date(temporal::date_of(now(args, zone, 0))),
        "UTC_DATE" => Value::Date(temporal::date_of(now(args, 0, 0))),
        "CURTIME" | "UTC_TIME" => {
            let digits = digits_argument(args, name)?;
            let zone = if name == "CURTIME" { zone } else { 0 };
            Value::Time(temporal::time_of_day(&now(args, zone, digits)), digits)
        }
        "UNIX_TIMESTAMP" => unix_timestamp(args, zone)?,
        "FROM_UNIXTIME" => return from_unixtime(args, zone),
        "DATE_ADD" | "DATE_SUB" | "ADDDATE" | "SUBDATE" => {
            return date_add(args, 0, 1, 2, matches!(name, "DATE_SUB" | "SUBDATE"));
        }
        "TIMESTAMPADD" => return date_add(args, 2, 1, 0, false),
        "ADDTIME" | "SUBTIME" => return add_time(args, name == "SUBTIME"),
        "TIMEDIFF" => time_diff(args)?,
        "TIMESTAMPDIFF" => timestamp_diff(args)?,
        "DATEDIFF" => match (moment(args, 0, false, "datetime")?, moment(args, 1, false, "datetime")?) {
            (Some((left, ..)), Some((right, ..))) => int(temporal::to_days(&left) - temporal::to_days(&right)),
            _ => Value::Null,
        },
        "TIME" => time_of(args, 0)?.map_or(Value::Null, |(us, digits)| Value::Time(us, digits)),
        "DATE" => moment(args, 0, true, "date")?.map_or(Value::Null, |(at, ..)| Value::Date(temporal::date_of(at))),
        "TIMESTAMP" => {
            let Some((at, digits, _)) = moment(args, 0, false, "datetime")? else { return Ok(Value::Null) };
            if args.nodes.len() == 1 {
                return Ok(Value::DateTime(at, digits));
            }
            let Some((us, more)) = time_of(args, 1)? else { return Ok(Value::Null) };
            let moved = temporal::from_us(temporal::to_us(&at) + us);
            moved.map_or(Value::Null, |at| Value::DateTime(at, digits.max(more)))
        }
        "MAKEDATE" => make_date(args)?,
        "MAKETIME" => make_time(args)?,
        "SEC_TO_TIME" => sec_to_time(args)?,
        "FROM_DAYS" => {
            let Some(days) = args.int(0)? else { return Ok(Value::Null) };
            match temporal::from_days(days) {
                Some(date) if days > 365 => Value::Date(date),
                _ => {
                    let message = format!("DATE value is out of range in 'from_days({days})'");
                    args.env.warn(Warning { level: Level::Warning, code: 6527, message });
                    Value::Null
                }
            }
        }
        "PERIOD_ADD" | "PERIOD_DIFF" => period(name, args)?,
        "GET_FORMAT" => get_format(args)?,
        "CONVERT_TZ" => {
            let (from, to) = (args.text(1)?, args.text(2)?);
            let (Some(from), Some(to)) = (from, to) else { return Ok(Value::Null) };
            let Some((at, digits, _)) = moment(args, 0, false, "datetime")? else { return Ok(Value::Null) };
            let minutes = crate::sysvar::time_zone_minutes;
            let (Some(from), Some(to)) = (minutes(&from), minutes(&to)) else { return Ok(Value::Null) };
            let us = temporal::to_unix_us(&at, from);
            let within = (SECOND_US..=32_536_771_199 * SECOND_US).contains(&us);
            let moved = if within { temporal::from_unix_us(us, to) } else { Some(at) };
            moved.map_or(Value::Null, |at| Value::DateTime(at, digits))
        }
        "STR_TO_DATE" => str_to_date(args)?,
        "DATE_FORMAT" => {
            let Some(format) = args.text(1)?.filter(|format| !format.is_empty()) else { return Ok(Value::Null) };
            match moment(args, 0, true, "datetime")? {
                Some((at, ..)) => format_date(&at, None, &format).map_or(Value::Null, Value::text),
                None => Value::Null,
            }
        }
        "TIME_FORMAT" => {
            let Some(format) = args.text(1)? else { return Ok(Value::Null) };
            match time_of(args, 0)? {
                Some((us, _)) => format_date(&DateTime::default(), Some(us), &format).map_or(Value::Null, Value::text),
                None => Value::Null,
            }
        }
        "EXTRACT" => {
            let Some(unit) = args.text(0)? else { return Ok(Value::Null) };
            extract(args, 1, &unit)?
        }
        "HOUR" | "MINUTE" | "SECOND" | "MICROSECOND" => extract(args, 0, name)?,
        "TIME_TO_SEC" => time_of(args, 0)?.map_or(Value::Null, |(us, _)| int(us / SECOND_US)),
        "YEAR" | "MONTH" | "DAY" | "DAYOFMONTH" | "QUARTER" => {
            let Some((at, ..)) = moment(args, 0, true, "datetime")? else { return Ok(Value::Null) };
            int(match name {
                "YEAR" => i64::from(at.year),
                "MONTH" => i64::from(at.month),
                "QUARTER" => (i64::from(at.month) + 2) / 3,
                _ => i64::from(at.day),
            })
        }
        _ => whole_date(name, args, collation)?,
    })
}

/// Functions of a date that must exist.
fn whole_date(name: &str, args: &Args<'_>, _collation: Collation) -> Result<Value, SqlError> {
    let kind = if name == "LAST_DAY" { "date" } else { "datetime" };
    let Some((at, ..)) = moment(args, 0, false, kind)? else { return Ok(Value::Null) };
    let days = temporal::to_days(&at);
    let mode = |place: usize| -> Result<u8, SqlError> {
        if args.nodes.len() <= place {
            return Ok(0);
        }
        Ok((args.int(place)?.unwrap_or(0) & 7) as u8)
    };
    Ok(match name {
        "DAYOFWEEK" => int((temporal::weekday(days) + 1) % 7 + 1),
        "WEEKDAY" => int(temporal::weekday(days)),
        "DAYOFYEAR" => int(temporal::day_of_year(&at)),
        "DAYNAME" => Value::text(DAYS[usize::from(temporal::weekday(days))]),
        "MONTHNAME" => Value::text(MONTHS[usize::from(at.month) - 1]),
        "LAST_DAY" => {
            let day = temporal::days_in_month(at.year, at.month);
            Value::Date(DateTime { day, ..temporal::date_of(at) })
        }
        "TO_DAYS" => int(days),
        "TO_SECONDS" => int(days * 86_400 + temporal::time_of_day(&at) / SECOND_US),
        "WEEK" => int(temporal::week(&at, mode(1)?).0),
        "WEEKOFYEAR" => int(temporal::week(&at, 3).0),
        "YEARWEEK" => {
            let (week, year) = temporal::week(&at, mode(1)? | 2);
            int(i64::from(year) * 100 + i64::from(week))
        }
        other => return Err(error(1305, format!("FUNCTION {other} does not exist"))),
    })
}

fn unix_timestamp(args: &Args<'_>, zone: i32) -> Result<Value, SqlError> {
    if args.nodes.is_empty() {
        return Ok(Value::uint(args.env.now().unix_us / 1_000_000));
    }
    let value = args.get(0)?;
    if value.is_null() {
        return Ok(Value::Null);
    }
    let (us, digits) = match &*value {
        Value::Timestamp(us, digits) => (*us, *digits),
        _ => match moment(args, 0, false, "datetime")? {
            Some((at, digits, _)) => (temporal::to_unix_us(&at, zone), digits),
            None => (0, 6),
        },
    };
    let us = if (SECOND_US..=32_536_771_199 * SECOND_US).contains(&us) { us } else { 0 };
    if digits == 0 {
        return Ok(Value::Int(us / SECOND_US));
    }
    let exact = Decimal::from_int(i128::from(us)).divide(&Decimal::from_int(1_000_000), 6);
    Ok(exact.map_or(Value::Null, |exact| Value::Decimal(exact.truncated(digits))))
}

fn from_unixtime(args: &Args<'_>, zone: i32) -> Result<Value, SqlError> {
    let value = args.get(0)?;
    let Some(decimal) = value.to_decimal() else { return Ok(Value::Null) };
    let digits = match &*value {
        Value::Int(_) | Value::UInt(_) => 0,
        Value::Decimal(decimal) => decimal.scale().min(6),
        _ => 6,
    };
    let us = decimal.multiply(&Decimal::from_int(1_000_000)).to_i128();
    let us = us.and_then(|us| i64::try_from(us).ok()).filter(|us| (0..32_536_771_200 * SECOND_US).contains(us));
    let Some(at) = us.and_then(|us| temporal::from_unix_us(us, zone)) else { return Ok(Value::Null) };
    if args.nodes.len() == 1 {
        return Ok(Value::DateTime(at, digits));
    }
    let Some(format) = args.text(1)? else { return Ok(Value::Null) };
    Ok(format_date(&at, None, &format).map_or(Value::Null, Value::text))
}

/// Whole numbers in a text, each with its digits, and whether a minus stands in front.
fn numbers(text: &str) -> (bool, Vec<(i64, usize)>) {
    let text = text.trim_start();
    let negative = text.starts_with('-');
    let parts = text.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    (negative, parts.map(|part| (part.parse().unwrap_or(i64::MAX / 100_000), part.len())).collect())
}

/// What `INTERVAL value unit` means; `None` for NULL.
fn interval(args: &Args<'_>, value: &Value, unit: &str) -> Option<Interval> {
    if value.is_null() {
        return None;
    }
    let units: &[&str] = match unit {
        "SECOND_MICROSECOND" => &["SECOND", "MICROSECOND"],
        "MINUTE_MICROSECOND" => &["MINUTE", "SECOND", "MICROSECOND"],
        "MINUTE_SECOND" => &["MINUTE", "SECOND"],
        "HOUR_MICROSECOND" => &["HOUR", "MINUTE", "SECOND", "MICROSECOND"],
        "HOUR_SECOND" => &["HOUR", "MINUTE", "SECOND"],
        "HOUR_MINUTE" => &["HOUR", "MINUTE"],
        "DAY_MICROSECOND" => &["DAY", "HOUR", "MINUTE", "SECOND", "MICROSECOND"],
        "DAY_SECOND" => &["DAY", "HOUR", "MINUTE", "SECOND"],
        "DAY_MINUTE" => &["DAY", "HOUR", "MINUTE"],
        "DAY_HOUR" => &["DAY", "HOUR"],
        "YEAR_MONTH" => &["YEAR", "MONTH"],
        _ => &[],
    };
    let mut sum = Interval::default();
    let mut add = |unit: &str, count: i64| {
        let us = |each: i64| count.saturating_mul(each);
        match unit {
            "YEAR" => sum.months = sum.months.saturating_add(us(12)),
            "QUARTER" => sum.months = sum.months.saturating_add(us(3)),
            "MONTH" => sum.months = sum.months.saturating_add(count),
            "WEEK" => sum.days = sum.days.saturating_add(us(7)),
            "DAY" => sum.days = sum.days.saturating_add(count),
            "HOUR" => sum.us = sum.us.saturating_add(us(3600 * SECOND_US)),
            "MINUTE" => sum.us = sum.us.saturating_add(us(60 * SECOND_US)),
            "SECOND" => sum.us = sum.us.saturating_add(us(SECOND_US)),
            _ => sum.us = sum.us.saturating_add(count),
        }
    };
    if units.is_empty() {
        if unit == "SECOND" {
            let us = value.to_decimal()?.multiply(&Decimal::from_int(1_000_000)).to_i128()?;
            add("MICROSECOND", i64::try_from(us).ok()?);
        } else {
            if let Value::Text(text) = value
                && text.trim().parse::<i64>().is_err()
            {
                warn(args, format!("Truncated incorrect INTEGER value: '{text}'"));
            }
            add(unit, i64::try_from(value.to_i128()?).ok()?);
        }
        return Some(sum);
    }
    let (negative, found) = numbers(&value.to_text()?);
    // Fewer numbers than units fill the last units.
    let skipped = units.len().saturating_sub(found.len());
    for (unit, (count, digits)) in units.iter().skip(skipped).zip(&found) {
        let count = match *unit {
            // `.5` is half a second.
            "MICROSECOND" if *digits < 6 => count * 10_i64.pow(6 - *digits as u32),
            _ => *count,
        };
        add(unit, if negative { -count } else { count });
    }
    Some(sum)
}

fn date_add(args: &Args<'_>, date: usize, amount: usize, unit: usize, minus: bool) -> Result<Value, SqlError> {
    let unit = args.text(unit)?.unwrap_or_default();
    let value = args.get(date)?;
    let amount = args.get(amount)?;
    let Some(mut by) = interval(args, &amount, &unit) else { return Ok(Value::Null) };
    if minus {
        by = Interval { months: -by.months, days: -by.days, us: -by.us };
    }
    if let Value::Time(us, digits) = &*value
        && by.months == 0
    {
        let moved = us.saturating_add(by.us).saturating_add(by.days.saturating_mul(DAY_US));
        if moved.abs() > temporal::TIME_MAX_US {
            return overflow(args);
        }
        let digits = if moved % SECOND_US == 0 { *digits } else { 6 };
        return Ok(Value::Time(moved, digits));
    }
    let Some((at, _, has_time)) = moment(args, date, false, "datetime")? else { return Ok(Value::Null) };
    let timed = has_time || ["HOUR", "MINUTE", "SECOND"].iter().any(|part| unit.contains(part));
    match temporal::add(at, by) {
        Some(moved) => Ok(like_text(&value, &moved, timed)).map(|result| match result {
            Value::Date(at) if timed => Value::DateTime(at, 0),
            other => other,
        }),
        None => overflow(args),
    }
}

fn overflow(args: &Args<'_>) -> Result<Value, SqlError> {
    let message = "Datetime function: datetime field overflow".to_owned();
    args.env.warn(Warning { level: Level::Warning, code: 1441, message });
    Ok(Value::Null)
}

fn add_time(args: &Args<'_>, minus: bool) -> Result<Value, SqlError> {
    let value = args.get(0)?;
    if value.is_null() {
        return Ok(Value::Null);
    }
    let Some((by, more)) = time_of(args, 1)? else { return Ok(Value::Null) };
    let by = if minus { -by } else { by };
    let text = matches!(&*value, Value::Text(_) | Value::Bytes(_));
    let dated = match &*value {
        Value::Date(_) | Value::DateTime(..) | Value::Timestamp(..) => true,
        // With colons and no dashes it is a time, however long.
        Value::Text(text) => {
            let is_time = text.contains(':') && !text.contains(['-', '/', ' ', 'T']);
            !is_time && temporal::read_date_time(text).is_some_and(|read| text.len() > 8 && read.at.month > 0)
        }
        _ => false,
    };
    if dated {
        let Some((at, digits, _)) = moment(args, 0, false, "datetime")? else { return Ok(Value::Null) };
        let Some(moved) = temporal::from_us(temporal::to_us(&at) + by) else { return overflow(args) };
        return Ok(if text { like_text(&value, &moved, true) } else { Value::DateTime(moved, digits.max(more)) });
    }
    let read = match &*value {
        Value::Text(text) => match temporal::read_time(text) {
            Some(read) => Some((read.us, read.digits)),
            None => {
                warn(args, format!("Incorrect datetime value: '{text}'"));
                None
            }
        },
        _ => time_of(args, 0)?,
    };
    let Some((us, digits)) = read else { return Ok(Value::Null) };
    let moved = (us + by).clamp(-temporal::TIME_MAX_US, temporal::TIME_MAX_US);
    Ok(if text {
        Value::text(temporal::time_text(moved, if moved % SECOND_US == 0 { 0 } else { 6 }))
    } else {
        Value::Time(moved, digits.max(more))
    })
}

fn time_diff(args: &Args<'_>) -> Result<Value, SqlError> {
    let dated = |value: &Value| match value {
        Value::Date(_) | Value::DateTime(..) | Value::Timestamp(..) => true,
        Value::Text(text) => text.len() > 8 && temporal::read_date_time(text).is_some_and(|read| read.at.month > 0),
        _ => false,
    };
    let (left, right) = (args.get(0)?, args.get(1)?);
    if left.is_null() || right.is_null() || dated(&left) != dated(&right) {
        return Ok(Value::Null);
    }
    let (us, digits) = if dated(&left) {
        let (left, right) = (moment(args, 0, false, "datetime")?, moment(args, 1, false, "datetime")?);
        let (Some((left, a, _)), Some((right, b, _))) = (left, right) else { return Ok(Value::Null) };
        (temporal::to_us(&left) - temporal::to_us(&right), a.max(b))
    } else {
        let (Some((left, a)), Some((right, b))) = (time_of(args, 0)?, time_of(args, 1)?) else {
            return Ok(Value::Null);
        };
        (left - right, a.max(b))
    };
    if us.abs() > temporal::TIME_MAX_US {
        warn(args, format!("Truncated incorrect time value: '{}'", temporal::time_text(us, digits)));
    }
    Ok(Value::Time(us.clamp(-temporal::TIME_MAX_US, temporal::TIME_MAX_US), digits))
}

fn timestamp_diff(args: &Args<'_>) -> Result<Value, SqlError> {
    let unit = args.text(0)?.unwrap_or_default();
    let (from, to) = (moment(args, 1, false, "datetime")?, moment(args, 2, false, "datetime")?);
    let (Some((from, ..)), Some((to, ..))) = (from, to) else { return Ok(Value::Null) };
    let us = temporal::to_us(&to) - temporal::to_us(&from);
    let months = || {
        let (early, late, sign) = if us < 0 { (&to, &from, -1) } else { (&from, &to, 1) };
        let number = |at: &DateTime| i64::from(at.year) * 12 + i64::from(at.month);
        let rest = |at: &DateTime| i64::from(at.day) * DAY_US + temporal::time_of_day(at);
        sign * (number(late) - number(early) - i64::from(rest(late) < rest(early)))
    };
    Ok(Value::Int(match unit.trim_start_matches("SQL_TSI_") {
        "YEAR" => months() / 12,
        "QUARTER" => months() / 3,
        "MONTH" => months(),
        "WEEK" => us / (7 * DAY_US),
        "DAY" => us / DAY_US,
        "HOUR" => us / (3600 * SECOND_US),
        "MINUTE" => us / (60 * SECOND_US),
        "SECOND" => us / SECOND_US,
        _ => us,
    }))
}

fn make_date(args: &Args<'_>) -> Result<Value, SqlError> {
    let (Some(year), Some(day)) = (args.int(0)?, args.int(1)?) else { return Ok(Value::Null) };
    let year = match year {
        0..=69 => year + 2000,
        70..=99 => year + 1900,
        other => other,
    };
    let Some(year) = u16::try_from(year).ok().filter(|year| *year <= 9999 && day > 0) else { return Ok(Value::Null) };
    let first = temporal::to_days(&DateTime { year, month: 1, day: 1, ..DateTime::default() });
    Ok(first.checked_add(day - 1).and_then(temporal::from_days).map_or(Value::Null, Value::Date))
}

fn make_time(args: &Args<'_>) -> Result<Value, SqlError> {
    let (Some(hours), Some(minutes)) = (args.int(0)?, args.int(1)?) else { return Ok(Value::Null) };
    let seconds = args.get(2)?;
    let Some(us) = seconds.to_decimal() else { return Ok(Value::Null) };
    let digits = us.scale().min(6);
    let us = us.multiply(&Decimal::from_int(1_000_000)).to_i128().unwrap_or(-1);
    if !(0..60).contains(&minutes) || !(0..60 * i128::from(SECOND_US)).contains(&us) {
        return Ok(Value::Null);
    }
    let magnitude = hours.unsigned_abs().min(1 << 20) as i64 * 3600 * SECOND_US + minutes * 60 * SECOND_US + us as i64;
    if magnitude > temporal::TIME_MAX_US {
        let seconds = us as i64 / SECOND_US;
        warn(args, format!("Truncated incorrect time value: '{hours:02}:{minutes:02}:{seconds:02}'"));
    }
    let magnitude = magnitude.min(temporal::TIME_MAX_US);
    Ok(Value::Time(if hours < 0 { -magnitude } else { magnitude }, digits))
}

fn sec_to_time(args: &Args<'_>) -> Result<Value, SqlError> {
    let value = args.get(0)?;
    let Some(decimal) = value.to_decimal() else { return Ok(Value::Null) };
    let digits = if matches!(&*value, Value::Text(_) | Value::Double(_)) { 6 } else { decimal.scale().min(6) };
    let us = decimal.multiply(&Decimal::from_int(1_000_000)).to_i128();
    let us = us.and_then(|us| i64::try_from(us).ok()).unwrap_or(i64::MAX);
    if us.unsigned_abs() > temporal::TIME_MAX_US as u64 {
        warn(args, format!("Truncated incorrect time value: '{decimal}'"));
    }
    Ok(Value::Time(us.clamp(-temporal::TIME_MAX_US, temporal::TIME_MAX_US), digits))
}

fn period(name: &str, args: &Args<'_>) -> Result<Value, SqlError> {
    let (Some(first), Some(second)) = (args.int(0)?, args.int(1)?) else { return Ok(Value::Null) };
    let months = |period: i64| {
        let (year, month) = (period / 100, period % 100);
        let year = match year {
            0..=69 => year + 2000,
            70..=99 => year + 1900,
            other => other,
        };
        let sound = (1..=12).contains(&month) && period > 0 && year < 100_000;
        sound.then_some(year * 12 + month - 1)
    };
    let wrong = || error(1210, format!("Incorrect arguments to {}", name.to_lowercase()));
    let first = months(first).ok_or_else(wrong)?;
    if name == "PERIOD_DIFF" {
        return Ok(Value::Int(first - months(second).ok_or_else(wrong)?));
    }
    let sum = first.saturating_add(second.clamp(-1_000_000, 1_000_000));
    Ok(Value::Int(sum.div_euclid(12) * 100 + sum.rem_euclid(12) + 1))
}

fn get_format(args: &Args<'_>) -> Result<Value, SqlError> {
    let (Some(kind), Some(place)) = (args.text(0)?, args.text(1)?) else { return Ok(Value::Null) };
    let place = place.to_uppercase();
    Ok(match (kind.as_str(), place.as_str()) {
        ("DATE", "USA") => Value::text("%m.%d.%Y"),
        ("DATE", "JIS" | "ISO") => Value::text("%Y-%m-%d"),
        ("DATE", "EUR") => Value::text("%d.%m.%Y"),
        ("DATE", "INTERNAL") => Value::text("%Y%m%d"),
        ("TIME", "USA") => Value::text("%h:%i:%s %p"),
        ("TIME", "JIS" | "ISO") => Value::text("%H:%i:%s"),
        ("TIME", "EUR") => Value::text("%H.%i.%s"),
        ("TIME", "INTERNAL") => Value::text("%H%i%s"),
        (_, "USA" | "EUR") => Value::text("%Y-%m-%d %H.%i.%s"),
        (_, "JIS" | "ISO") => Value::text("%Y-%m-%d %H:%i:%s"),
        (_, "INTERNAL") => Value::text("%Y%m%d%H%i%s"),
        _ => Value::Null,
    })
}

fn extract(args: &Args<'_>, place: usize, unit: &str) -> Result<Value, SqlError> {
    let timely = matches!(unit, "HOUR" | "MINUTE" | "SECOND" | "MICROSECOND")
        || unit.starts_with("HOUR_")
        || unit.starts_with("MINUTE_")
        || unit.starts_with("SECOND_");
    if timely {
        let Some((us, _)) = time_of(args, place)? else { return Ok(Value::Null) };
        let sign = us.signum();
        let us = us.abs();
        let (hour, minute, second, micros) =
            (us / SECOND_US / 3600, us / SECOND_US / 60 % 60, us / SECOND_US % 60, us % SECOND_US);
        let number = match unit {
            "HOUR" => hour,
            "MINUTE" => minute,
            "SECOND" => second,
            "MICROSECOND" => micros,
            "HOUR_MINUTE" => hour * 100 + minute,
            "HOUR_SECOND" => hour * 10_000 + minute * 100 + second,
            "HOUR_MICROSECOND" => (hour * 10_000 + minute * 100 + second) * SECOND_US + micros,
            "MINUTE_SECOND" => minute * 100 + second,
            "MINUTE_MICROSECOND" => (minute * 100 + second) * SECOND_US + micros,
            _ => second * SECOND_US + micros,
        };
        return Ok(Value::Int(if place == 1 { sign * number } else { number }));
    }
    let Some((at, ..)) = moment(args, place, true, "datetime")? else { return Ok(Value::Null) };
    let (day, hour, minute, second) =
        (i64::from(at.day), i64::from(at.hour), i64::from(at.minute), i64::from(at.second));
    Ok(Value::Int(match unit {
        "YEAR" => i64::from(at.year),
        "QUARTER" => (i64::from(at.month) + 2) / 3,
        "MONTH" => i64::from(at.month),
        "WEEK" => i64::from(temporal::week(&at, 0).0),
        "DAY" => day,
        "YEAR_MONTH" => i64::from(at.year) * 100 + i64::from(at.month),
        "DAY_HOUR" => day * 100 + hour,
        "DAY_MINUTE" => day * 10_000 + hour * 100 + minute,
        "DAY_SECOND" => day * 1_000_000 + hour * 10_000 + minute * 100 + second,
        _ => (day * 1_000_000 + hour * 10_000 + minute * 100 + second) * SECOND_US + i64::from(at.micros),
    }))
}

/// DATE_FORMAT and TIME_FORMAT (with the time as `time`); `None` where a part does not exist.
fn format_date(at: &DateTime, time: Option<i64>, format: &str) -> Option<String> {
    use std::fmt::Write as _;
    let us = time.unwrap_or_else(|| temporal::time_of_day(at));
    let hours = us.abs() / SECOND_US / 3600;
    let (minute, second, micros) = (us.abs() / SECOND_US / 60 % 60, us.abs() / SECOND_US % 60, us.abs() % SECOND_US);
    let hour12 = (hours % 24 + 11) % 12 + 1;
    let half = if hours % 24 < 12 { "AM" } else { "PM" };
    let exists = temporal::flaw(at).is_none();
    let week = |mode: u8| exists.then(|| temporal::week(at, mode));
    let weekday = || exists.then(|| usize::from(temporal::weekday(temporal::to_days(at))));
    let mut out = String::new();
    if us < 0 {
        out.push('-');
    }
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        let Some(code) = letters.next() else { break };
        let _ = match code {
            'a' => write!(out, "{}", &DAYS[weekday()?][..3]),
            'b' => write!(out, "{}", &MONTHS.get(usize::from(at.month).checked_sub(1)?)?[..3]),
            'c' => write!(out, "{}", at.month),
            'D' => {
                let ending = match (at.day / 10, at.day % 10) {
                    (1, _) => "th",
                    (_, 1) => "st",
                    (_, 2) => "nd",
                    (_, 3) => "rd",
                    _ => "th",
                };
                write!(out, "{}{ending}", at.day)
            }
            'd' => write!(out, "{:02}", at.day),
            'e' => write!(out, "{}", at.day),
            'f' => write!(out, "{micros:06}"),
            'H' => write!(out, "{hours:02}"),
            'h' | 'I' => write!(out, "{hour12:02}"),
            'i' => write!(out, "{minute:02}"),
            'j' => write!(out, "{:03}", exists.then(|| temporal::day_of_year(at))?),
            'k' => write!(out, "{hours}"),
            'l' => write!(out, "{hour12}"),
            'M' => write!(out, "{}", MONTHS.get(usize::from(at.month).checked_sub(1)?)?),
            'm' => write!(out, "{:02}", at.month),
            'p' => write!(out, "{half}"),
            'r' => write!(out, "{hour12:02}:{minute:02}:{second:02} {half}"),
            'S' | 's' => write!(out, "{second:02}"),
            'T' => write!(out, "{hours:02}:{minute:02}:{second:02}"),
            'U' => write!(out, "{:02}", week(0)?.0),
            'u' => write!(out, "{:02}", week(1)?.0),
            'V' => write!(out, "{:02}", week(2)?.0),
            'v' => write!(out, "{:02}", week(3)?.0),
            'W' => write!(out, "{}", DAYS[weekday()?]),
            'w' => write!(out, "{}", (weekday()? + 1) % 7),
            'X' => write!(out, "{:04}", week(2)?.1),
            'x' => write!(out, "{:04}", week(3)?.1),
            'Y' => write!(out, "{:04}", at.year),
            'y' => write!(out, "{:02}", at.year % 100),
            other => write!(out, "{other}"),
        };
    }
    Some(out)
}

fn str_to_date(args: &Args<'_>) -> Result<Value, SqlError> {
    let (Some(text), Some(format)) = (args.text(0)?, args.text(1)?) else { return Ok(Value::Null) };
    let rules: DateRules = args.env.date_rules();
    let wanted = |letters: &str| format.split('%').skip(1).any(|part| part.starts_with(|c| letters.contains(c)));
    let (dated, timed) = (wanted("abcdDejmMuUvVwWxXyY"), wanted("fHhIiklprsST"));
    let digits = if wanted("f") { 6 } else { 0 };
    let read = read_by_format(&text, &format);
    let sound = |(at, us, _): &(DateTime, i64, bool)| {
        let refused = match temporal::flaw(at) {
            None => false,
            Some(temporal::Flaw::NoSuchDay) => true,
            Some(temporal::Flaw::Zero) => dated && rules.no_zero_date,
            Some(temporal::Flaw::ZeroPart) => rules.no_zero_in_date,
        };
        !refused && *us < DAY_US
    };
    let Some((at, us, rest)) = read.filter(sound) else {
        let message = format!("Incorrect datetime value: '{text}' for function str_to_date");
        args.env.warn(Warning { level: Level::Warning, code: 1411, message });
        return Ok(Value::Null);
    };
    if rest {
        let kind = if timed && dated {
            "datetime"
        } else if timed {
            "time"
        } else {
            "date"
        };
        warn(args, format!("Truncated incorrect {kind} value: '{text}'"));
    }
    Ok(match (dated, timed) {
        (true, true) => Value::DateTime(temporal::with_time(at, us), digits),
        (false, true) => Value::Time(us, digits),
        _ => Value::Date(at),
    })
}

/// Date, time of day, and whether something follows that the format does not name.
fn read_by_format(text: &str, format: &str) -> Option<(DateTime, i64, bool)> {
    let mut rest = text;
    let mut at = DateTime::default();
    let (mut hour, mut minute, mut second, mut micros) = (0_i64, 0_i64, 0_i64, 0_i64);
    let (mut afternoon, mut twelve, mut day_of_year) = (None, false, None);
    let number = |rest: &mut &str, most: usize| -> Option<i64> {
        let count = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, after) = rest.split_at(count);
        *rest = after;
        digits.parse().ok()
    };
    let name = |rest: &mut &str, names: &[&str], short: bool| -> Option<usize> {
        let lower = rest.to_lowercase();
        let at = names.iter().position(|name| {
            let name = name.to_lowercase();
            lower.starts_with(if short { &name[..3] } else { &name })
        })?;
        let length = if short { 3 } else { names[at].len() };
        *rest = rest.get(length..)?;
        Some(at)
    };
    let mut letters = format.chars().peekable();
    let clock = |rest: &mut &str, twelve: bool| -> Option<(i64, i64, i64)> {
        let hour = number(rest, 2)?;
        *rest = rest.strip_prefix(':')?;
        let minute = number(rest, 2)?;
        *rest = rest.strip_prefix(':')?;
        let second = number(rest, 2)?;
        (!twelve || (1..=12).contains(&hour)).then_some((hour, minute, second))
    };
    while let Some(letter) = letters.next() {
        if letter.is_whitespace() {
            rest = rest.trim_start();
            continue;
        }
        if rest.is_empty() {
            break;
        }
        if letter != '%' {
            rest = rest.strip_prefix(letter)?;
            continue;
        }
        rest = rest.trim_start();
        match letters.next()? {
            'Y' => at.year = number(&mut rest, 4)? as u16,
            'y' => {
                let year = number(&mut rest, 2)? as u16;
                at.year = if year < 70 { 2000 + year } else { 1900 + year };
            }
            'm' | 'c' => at.month = number(&mut rest, 2)? as u8,
            'd' | 'e' => at.day = number(&mut rest, 2)? as u8,
            'D' => {
                at.day = number(&mut rest, 2)? as u8;
                rest = rest.get(2..)?;
            }
            'b' => at.month = name(&mut rest, &MONTHS, true)? as u8 + 1,
            'M' => at.month = name(&mut rest, &MONTHS, false)? as u8 + 1,
            'a' => drop(name(&mut rest, &DAYS, true)?),
            'W' => drop(name(&mut rest, &DAYS, false)?),
            'j' => day_of_year = Some(number(&mut rest, 3)?),
            'H' | 'k' => hour = number(&mut rest, 2)?,
            'h' | 'I' | 'l' => {
                hour = number(&mut rest, 2)?;
                twelve = true;
                if !(1..=12).contains(&hour) {
                    return None;
                }
            }
            'i' => minute = number(&mut rest, 2)?,
            's' | 'S' => second = number(&mut rest, 2)?,
            'f' => {
                let count = rest.bytes().take(6).take_while(u8::is_ascii_digit).count();
                micros = number(&mut rest, 6)? * 10_i64.pow(6 - count as u32);
            }
            'p' => {
                let half = rest.get(..2)?.to_uppercase();
                afternoon = Some(match half.as_str() {
                    "AM" => false,
                    "PM" => true,
                    _ => return None,
                });
                rest = &rest[2..];
            }
            'T' => (hour, minute, second) = clock(&mut rest, false)?,
            'r' => {
                (hour, minute, second) = clock(&mut rest, true)?;
                twelve = true;
                rest = rest.trim_start();
                afternoon = Some(rest.get(..2)?.eq_ignore_ascii_case("PM"));
                rest = &rest[2..];
            }
            '%' => rest = rest.strip_prefix('%')?,
            _ => return None,
        }
    }
    if twelve {
        hour = hour % 12 + if afternoon == Some(true) { 12 } else { 0 };
    }
    if minute > 59 || second > 59 || at.month > 12 || at.day > 31 {
        return None;
    }
    if let Some(day) = day_of_year.filter(|day| (1..=366).contains(day)) {
        let first = temporal::to_days(&DateTime { year: at.year, month: 1, day: 1, ..DateTime::default() });
        at = temporal::from_days(first + day - 1)?;
    }
    let us = ((hour * 60 + minute) * 60 + second) * SECOND_US + micros;
    Some((at, us, !rest.trim().is_empty()))
}
