//! Dates and times: reading them from texts and numbers, writing them, calculating with them.
//!
//! Dates are those of the proleptic Gregorian calendar from year 0 to 9999, with MySQL's zero parts
//! (`0000-00-00`, `2024-00-00`) as values that calculations refuse. Absent on purpose: named time zones.

pub use wire::client::statement::DateTime;

/// Microseconds of a second.
pub const SECOND_US: i64 = 1_000_000;
/// Microseconds of a day.
pub const DAY_US: i64 = 86_400 * SECOND_US;
/// Greatest TIME, `838:59:59`, in microseconds.
pub const TIME_MAX_US: i64 = (838 * 3600 + 59 * 60 + 59) * SECOND_US;
/// `TO_DAYS('1970-01-01')`.
pub const EPOCH_DAYS: i64 = 719_528;
/// `TO_DAYS('9999-12-31')`.
const DAYS_MAX: i64 = 3_652_424;
/// Last second of a TIMESTAMP: `2038-01-19 03:14:07` UTC.
pub const TIMESTAMP_MAX: i64 = i32::MAX as i64;

/// Days of a month; 31 for the zero month.
#[must_use]
pub const fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Whether a year has a 29 February.
#[must_use]
pub const fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Which dates a session takes, and where on Earth it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DateRules {
    /// Minutes east of UTC.
    pub zone: i32,
    /// NO_ZERO_DATE: `0000-00-00` is refused.
    pub no_zero_date: bool,
    /// NO_ZERO_IN_DATE: a zero month or day is refused.
    pub no_zero_in_date: bool,
    /// ALLOW_INVALID_DATES: any day up to 31.
    pub allow_invalid_dates: bool,
    /// The current date there.
    pub today: DateTime,
}

/// What is the matter with a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// All parts are zero.
    Zero,
    /// Month or day is zero.
    ZeroPart,
    /// There is no such day.
    NoSuchDay,
}

/// The flaw of a date, if it has one.
#[must_use]
pub fn flaw(at: &DateTime) -> Option<Flaw> {
    if (at.year, at.month, at.day) == (0, 0, 0) {
        return Some(Flaw::Zero);
    }
    if at.month > 12 || at.day > days_in_month(at.year, at.month) {
        return Some(Flaw::NoSuchDay);
    }
    (at.month == 0 || at.day == 0).then_some(Flaw::ZeroPart)
}

/// `TO_DAYS`: days since year 0 of a date without a flaw.
#[must_use]
pub fn to_days(at: &DateTime) -> i64 {
    // Years from March on, so that the leap day ends its year.
    let (year, month) = (i64::from(at.year) - i64::from(at.month <= 2), i64::from(at.month));
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + i64::from(at.day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year + 60
}

/// The date of a day number; `None` outside years 1 to 9999.
#[must_use]
pub fn from_days(days: i64) -> Option<DateTime> {
    if !(366..=DAYS_MAX).contains(&days) {
        return None;
    }
    let shifted = days - 60;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u8;
    let month = (if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 }) as u8;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some(DateTime { year: u16::try_from(year).ok()?, month, day, ..DateTime::default() })
}

/// Microseconds since midnight.
#[must_use]
pub fn time_of_day(at: &DateTime) -> i64 {
    (i64::from(at.hour) * 3600 + i64::from(at.minute) * 60 + i64::from(at.second)) * SECOND_US + i64::from(at.micros)
}

/// Microseconds since year 0.
#[must_use]
pub fn to_us(at: &DateTime) -> i64 {
    to_days(at) * DAY_US + time_of_day(at)
}

/// The date and time so many microseconds after year 0's beginning; `None` outside years 0 to 9999.
#[must_use]
pub fn from_us(us: i64) -> Option<DateTime> {
    Some(with_time(from_days(us.div_euclid(DAY_US))?, us.rem_euclid(DAY_US)))
}

/// A date with a time of less than a day.
#[must_use]
pub fn with_time(date: DateTime, us: i64) -> DateTime {
    let seconds = us / SECOND_US;
    DateTime {
        hour: (seconds / 3600) as u8,
        minute: (seconds / 60 % 60) as u8,
        second: (seconds % 60) as u8,
        micros: (us % SECOND_US) as u32,
        ..date
    }
}

/// A date without its time.
#[must_use]
pub fn date_of(at: DateTime) -> DateTime {
    DateTime { year: at.year, month: at.month, day: at.day, ..DateTime::default() }
}

/// Microseconds since 1970 UTC of a local time, `offset` minutes east of UTC.
#[must_use]
pub fn to_unix_us(at: &DateTime, offset: i32) -> i64 {
    to_us(at) - EPOCH_DAYS * DAY_US - i64::from(offset) * 60 * SECOND_US
}

/// The local time of microseconds since 1970 UTC.
#[must_use]
pub fn from_unix_us(us: i64, offset: i32) -> Option<DateTime> {
    from_us(us.checked_add(EPOCH_DAYS * DAY_US + i64::from(offset) * 60 * SECOND_US)?)
}

/// Rounds microseconds to `digits` digits of a second, half away from zero.
#[must_use]
pub fn round_us(us: i64, digits: u8) -> i64 {
    let unit = 10_i64.pow(6 - u32::from(digits.min(6)));
    let half = if us < 0 { -(unit / 2) } else { unit / 2 };
    (us.saturating_add(half)) / unit * unit
}

/// Rounds a date and time to `digits` digits; `None` when it leaves the calendar. Dates with a zero part are cut.
#[must_use]
pub fn round(at: DateTime, digits: u8) -> Option<DateTime> {
    let unit = 10_u32.pow(6 - u32::from(digits.min(6)));
    if at.micros.is_multiple_of(unit) {
        return Some(at);
    }
    if flaw(&at).is_some() {
        return Some(DateTime { micros: at.micros / unit * unit, ..at });
    }
    from_us(round_us(to_us(&at), digits))
}

fn fraction(out: &mut String, micros: u32, digits: u8) {
    if digits > 0 {
        let text = format!("{micros:06}");
        out.push('.');
        out.push_str(&text[..usize::from(digits.min(6))]);
    }
}

/// `YYYY-MM-DD`.
#[must_use]
pub fn date_text(at: &DateTime) -> String {
    format!("{:04}-{:02}-{:02}", at.year, at.month, at.day)
}

/// `YYYY-MM-DD hh:mm:ss[.ffffff]`.
#[must_use]
pub fn date_time_text(at: &DateTime, digits: u8) -> String {
    let mut out = format!("{} {:02}:{:02}:{:02}", date_text(at), at.hour, at.minute, at.second);
    fraction(&mut out, at.micros, digits);
    out
}

/// `[-]hh:mm:ss[.ffffff]`.
#[must_use]
pub fn time_text(us: i64, digits: u8) -> String {
    let (seconds, micros) = ((us / SECOND_US).unsigned_abs(), (us % SECOND_US).unsigned_abs() as u32);
    let sign = if us < 0 { "-" } else { "" };
    let mut out = format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    fraction(&mut out, micros, digits);
    out
}

/// `YYYYMMDD` as a number.
#[must_use]
pub fn date_number(at: &DateTime) -> i64 {
    i64::from(at.year) * 10_000 + i64::from(at.month) * 100 + i64::from(at.day)
}

/// `YYYYMMDDhhmmss` as a number.
#[must_use]
pub fn date_time_number(at: &DateTime) -> i64 {
    date_number(at) * 1_000_000 + i64::from(at.hour) * 10_000 + i64::from(at.minute) * 100 + i64::from(at.second)
}

/// `hhmmss` as a number, with its sign.
#[must_use]
pub fn time_number(us: i64) -> i64 {
    let seconds = us / SECOND_US;
    seconds / 3600 * 10_000 + seconds / 60 % 60 * 100 + seconds % 60
}

/// A date, or a date and time, as read from a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// What it says; its calendar is not checked beyond two digits a part.
    pub at: DateTime,
    /// Whether it has a time.
    pub has_time: bool,
    /// Digits of a second that are written, at most 6.
    pub digits: u8,
    /// Whether something else follows it.
    pub rest: bool,
    /// Minutes east of UTC, where it says so.
    pub offset: Option<i32>,
    /// Place and sign of the first delimiter that is not the standard one.
    pub odd_delimiter: Option<(usize, char)>,
}

fn two_digit_year(year: u32) -> u32 {
    if year < 70 { year + 2000 } else { year + 1900 }
}

/// Digits behind a point: microseconds (a seventh digit rounds), how many digits, and how many bytes.
fn read_fraction(bytes: &[u8]) -> (u32, u8, usize) {
    let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut micros = 0;
    for place in 0..6 {
        micros = micros * 10 + bytes[..count].get(place).map_or(0, |digit| u32::from(digit - b'0'));
    }
    if bytes[..count].get(6).is_some_and(|digit| *digit >= b'5') {
        micros += 1;
    }
    (micros, count.min(6) as u8, count)
}

fn carried(at: DateTime, micros: u32) -> Option<DateTime> {
    if micros < 1_000_000 {
        return Some(DateTime { micros, ..at });
    }
    let whole = DateTime { micros: 0, ..at };
    if flaw(&whole).is_some() { Some(whole) } else { from_us(to_us(&whole) + SECOND_US) }
}

fn part(value: u32) -> Option<u8> {
    u8::try_from(value).ok().filter(|value| *value < 100)
}

/// Reads a date, or a date and time, as MySQL reads them from texts: `YYYY-MM-DD hh:mm:ss.ffffff` with any
/// punctuation, or digits alone. `None` when there is none at the front, or a part of the time is too great.
#[must_use]
pub fn read_date_time(text: &str) -> Option<Read> {
    let trimmed = text.trim_start();
    let skipped = text.len() - trimmed.len();
    let bytes = trimmed.trim_end().as_bytes();
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    let packed = digits == bytes.len() || (bytes[digits] == b'.' && digits >= 12) || digits > 5;
    let mut parts = [0_u32; 6];
    let mut count = 0;
    let mut at = 0;
    let mut odd = None;
    let mut four = false;
    if packed {
        four = digits == 4 || digits == 8 || digits >= 14;
        let mut left = digits.min(if four { 14 } else { 12 });
        for (place, value) in parts.iter_mut().enumerate() {
            let width = if place == 0 && four { 4 } else { 2 }.min(left);
            if width == 0 {
                break;
            }
            *value = std::str::from_utf8(&bytes[at..at + width]).ok()?.parse().ok()?;
            at += width;
            left -= width;
            count = place + 1;
        }
        if count == 3 && bytes.get(at) == Some(&b'T') {
            // 20240229T123456
            let rest = &bytes[at + 1..];
            let time = rest.iter().take_while(|byte| byte.is_ascii_digit()).count().min(6);
            for (place, pair) in rest[..time].chunks(2).enumerate() {
                parts[3 + place] = std::str::from_utf8(pair).ok()?.parse().ok()?;
                count = 4 + place;
            }
            at += 1 + time;
        }
    } else {
        for (place, part) in parts.iter_mut().enumerate() {
            let most = if place == 0 { 4 } else { 2 };
            let width = bytes[at..].iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
            if width == 0 {
                break;
            }
            *part = std::str::from_utf8(&bytes[at..at + width]).ok()?.parse().ok()?;
            if place == 0 {
                four = width > 2;
            }
            at += width;
            count = place + 1;
            let Some(&next) = bytes.get(at) else { break };
            if place == 2 {
                let spaces = bytes[at..].iter().take_while(|byte| **byte == b' ').count();
                let gap = if next == b'T' { 1 } else { spaces };
                if gap == 0 || !bytes.get(at + gap).is_some_and(u8::is_ascii_digit) {
                    break;
                }
                at += gap;
            } else if place < 5 {
                let standard = if place < 2 { b'-' } else { b':' };
                if !next.is_ascii_punctuation() || !bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
                    break;
                }
                if next != standard && odd.is_none() {
                    odd = Some((skipped + at, next as char));
                }
                at += 1;
            }
        }
    }
    if count < 3 {
        return None;
    }
    let year = if four { parts[0] } else { two_digit_year(parts[0]) };
    let year = if !four && parts[..3] == [0, 0, 0] { 0 } else { year };
    let mut result = DateTime {
        year: u16::try_from(year).ok()?,
        month: part(parts[1])?,
        day: part(parts[2])?,
        hour: part(parts[3])?,
        minute: part(parts[4])?,
        second: part(parts[5])?,
        micros: 0,
    };
    let mut fraction_digits = 0;
    if count == 6 && bytes.get(at) == Some(&b'.') {
        let (micros, digits, length) = read_fraction(&bytes[at + 1..]);
        at += 1 + length;
        fraction_digits = digits;
        result = carried(result, micros)?;
    }
    let mut offset = None;
    if count > 3
        && let Some(minutes) = read_offset(&bytes[at..])
    {
        offset = Some(minutes);
        at = bytes.len();
    }
    if result.hour > 23 || result.minute > 59 || result.second > 59 {
        return None;
    }
    Some(Read {
        at: result,
        has_time: count > 3,
        digits: fraction_digits,
        rest: at < bytes.len(),
        offset,
        odd_delimiter: odd,
    })
}

/// `+hh:mm` or `-hh:mm`, the whole of it, in minutes.
fn read_offset(bytes: &[u8]) -> Option<i32> {
    let [sign @ (b'+' | b'-'), a, b, b':', c, d] = bytes else { return None };
    if ![a, b, c, d].iter().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number = |tens: &u8, ones: &u8| i32::from(tens - b'0') * 10 + i32::from(ones - b'0');
    let (hours, minutes) = (number(a, b), number(c, d));
    let total = hours * 60 + minutes;
    let total = if *sign == b'-' { -total } else { total };
    (minutes < 60 && (-839..=840).contains(&total)).then_some(total)
}

/// A TIME as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadTime {
    /// Microseconds, within `838:59:59`.
    pub us: i64,
    /// Digits of a second that are written, at most 6.
    pub digits: u8,
    /// Whether something else follows it.
    pub rest: bool,
    /// Whether it was beyond the limits, and is the limit now.
    pub beyond: bool,
}

fn limited(us: i64, digits: u8, rest: bool) -> ReadTime {
    ReadTime { us: us.clamp(-TIME_MAX_US, TIME_MAX_US), digits, rest, beyond: us.abs() > TIME_MAX_US }
}

/// Reads a TIME: `[-][D ]hh:mm[:ss[.ffffff]]`, digits alone, or the time of a date and time. `None` when there is
/// none at the front, or minutes or seconds are beyond 59.
#[must_use]
pub fn read_time(text: &str) -> Option<ReadTime> {
    let text = text.trim();
    if text.len() >= 12
        && let Some(read) = read_date_time(text)
        && read.has_time
    {
        return Some(ReadTime { us: time_of_day(&read.at), digits: read.digits, rest: read.rest, beyond: false });
    }
    let (negative, body) = match text.strip_prefix('-') {
        Some(body) => (true, body),
        None => (false, text),
    };
    let bytes = body.as_bytes();
    let mut at = 0;
    let number = |at: &mut usize| -> Option<i64> {
        let count = bytes[*at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let value = body[*at..*at + count].parse::<i64>();
        *at += count;
        if count == 0 { None } else { Some(value.unwrap_or(i64::MAX / DAY_US / 4)) }
    };
    let first = number(&mut at)?;
    let mut days = 0;
    let (hours, minutes, seconds);
    match bytes.get(at) {
        Some(b' ') if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => {
            days = first;
            at += 1;
            hours = number(&mut at)?;
            (minutes, seconds) = rest_of_time(bytes, &mut at, &number);
        }
        Some(b':') => {
            hours = first;
            (minutes, seconds) = rest_of_time(bytes, &mut at, &number);
        }
        _ => {
            (hours, minutes, seconds) = (first / 10_000, first / 100 % 100, first % 100);
        }
    }
    if minutes > 59 || seconds > 59 {
        return None;
    }
    let (mut micros, mut digits) = (0, 0);
    if bytes.get(at) == Some(&b'.') {
        let (us, count, length) = read_fraction(&bytes[at + 1..]);
        (micros, digits) = (i64::from(us), count);
        at += 1 + length;
    }
    let hours = hours.saturating_add(days.saturating_mul(24)).min(1 << 30);
    let us = ((hours * 60 + minutes) * 60 + seconds) * SECOND_US + micros;
    Some(limited(if negative { -us } else { us }, digits, at < bytes.len()))
}

fn rest_of_time(bytes: &[u8], at: &mut usize, number: &dyn Fn(&mut usize) -> Option<i64>) -> (i64, i64) {
    let mut part = || {
        if bytes.get(*at) == Some(&b':') && bytes.get(*at + 1).is_some_and(u8::is_ascii_digit) {
            *at += 1;
            number(at).unwrap_or(0)
        } else {
            0
        }
    };
    (part(), part())
}

/// A number `YYMMDD`, `YYYYMMDD`, `YYMMDDhhmmss` or `YYYYMMDDhhmmss` as a date and time, and whether it has a time.
#[must_use]
pub fn from_number(number: i64) -> Option<(DateTime, bool)> {
    if number == 0 {
        return Some((DateTime::default(), false));
    }
    let (date, time, has_time) = match number {
        ..=100 => return None,
        101..=691_231 => (number + 20_000_000, 0, false),
        691_232..=700_100 => return None,
        700_101..=991_231 => (number + 19_000_000, 0, false),
        991_232..=10_000_100 => return None,
        10_000_101..=99_991_231 => (number, 0, false),
        99_991_232..=100_999_999 => return None,
        101_000_000..=691_231_235_959 => (number / 1_000_000 + 20_000_000, number % 1_000_000, true),
        691_231_235_960..=700_100_999_999 => return None,
        700_101_000_000..=991_231_235_959 => (number / 1_000_000 + 19_000_000, number % 1_000_000, true),
        _ => (number / 1_000_000, number % 1_000_000, true),
    };
    let at = DateTime {
        year: u16::try_from(date / 10_000).ok().filter(|year| *year <= 9999)?,
        month: part((date / 100 % 100) as u32)?,
        day: part((date % 100) as u32)?,
        hour: part((time / 10_000) as u32).filter(|hour| *hour < 24)?,
        minute: part((time / 100 % 100) as u32).filter(|minute| *minute < 60)?,
        second: part((time % 100) as u32).filter(|second| *second < 60)?,
        micros: 0,
    };
    Some((at, has_time))
}

/// A number `hhmmss` (or `YYYYMMDDhhmmss`) as a TIME.
#[must_use]
pub fn time_from_number(number: i64, micros: i64) -> Option<ReadTime> {
    if number.abs() > 8_385_959 {
        if number >= 10_000_000_000
            && let Some((at, true)) = from_number(number)
        {
            return Some(ReadTime { us: time_of_day(&at) + micros, digits: 0, rest: false, beyond: false });
        }
        return Some(ReadTime { us: TIME_MAX_US * number.signum(), digits: 0, rest: false, beyond: true });
    }
    let absolute = number.abs();
    let (hours, minutes, seconds) = (absolute / 10_000, absolute / 100 % 100, absolute % 100);
    if minutes > 59 || seconds > 59 {
        return None;
    }
    let us = ((hours * 60 + minutes) * 60 + seconds) * SECOND_US + micros;
    Some(limited(if number < 0 { -us } else { us }, 0, false))
}

/// An amount of time of `DATE_ADD` and the like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// Calendar months.
    pub months: i64,
    /// Days.
    pub days: i64,
    /// Microseconds.
    pub us: i64,
}

/// Moves a date and time; `None` when it leaves the calendar.
#[must_use]
pub fn add(at: DateTime, interval: Interval) -> Option<DateTime> {
    let mut at = at;
    if interval.months != 0 {
        let months = (i64::from(at.year) * 12 + i64::from(at.month) - 1).checked_add(interval.months)?;
        at.year = u16::try_from(months.div_euclid(12)).ok().filter(|year| *year <= 9999)?;
        at.month = (months.rem_euclid(12) + 1) as u8;
        at.day = at.day.min(days_in_month(at.year, at.month));
        if interval.days == 0 && interval.us == 0 {
            return Some(at);
        }
    }
    from_us(to_us(&at).checked_add(interval.days.checked_mul(DAY_US)?)?.checked_add(interval.us)?)
}

/// 0 for Monday to 6 for Sunday.
#[must_use]
pub fn weekday(days: i64) -> u8 {
    (days + 5).rem_euclid(7) as u8
}

/// Day of its year, from 1.
#[must_use]
pub fn day_of_year(at: &DateTime) -> u16 {
    (to_days(at) - to_days(&DateTime { year: at.year, month: 1, day: 1, ..DateTime::default() }) + 1) as u16
}

/// The week of a date by `WEEK()`'s mode (0 to 7), and the year that it belongs to.
#[must_use]
pub fn week(at: &DateTime, mode: u8) -> (u8, u16) {
    let monday_first = mode & 1 != 0;
    let mut week_year = mode & 2 != 0;
    // Without bit 4, weeks with Monday first have 4 or more days in their year, those with Sunday first begin with
    // a Sunday; bit 4 turns it round.
    let first_weekday = (mode & 4 != 0) ^ monday_first;
    let first_weekday = !first_weekday;
    let days = to_days(at);
    let mut year = at.year;
    let first = |year: u16| to_days(&DateTime { year, month: 1, day: 1, ..DateTime::default() });
    let start = |day: i64| i64::from(if monday_first { weekday(day) } else { (weekday(day) + 1) % 7 });
    let mut first_day = first(year);
    let mut offset = start(first_day);
    if at.month == 1 && i64::from(at.day) <= 7 - offset {
        if !week_year && (first_weekday && offset != 0 || !first_weekday && offset >= 4) {
            return (0, year);
        }
        if first_weekday && offset != 0 || !first_weekday && offset >= 4 {
            week_year = true;
            let Some(before) = year.checked_sub(1) else { return (0, year) };
            year = before;
            first_day = first(year);
            offset = start(first_day);
        }
    }
    let passed = if first_weekday && offset != 0 || !first_weekday && offset >= 4 {
        days - (first_day + (7 - offset))
    } else {
        days - (first_day - offset)
    };
    if week_year && passed >= 52 * 7 {
        let in_year = if is_leap(year) { 366 } else { 365 };
        let next = (offset + in_year) % 7;
        if !first_weekday && next < 4 || first_weekday && next == 0 {
            return (1, year + 1);
        }
    }
    ((passed / 7 + 1) as u8, year)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match read_date_time(text) {
            None => "none".into(),
            Some(read) => {
                let rest = if read.rest { " rest" } else { "" };
                if read.has_time { date_time_text(&read.at, read.digits) + rest } else { date_text(&read.at) + rest }
            }
        }
    }

    #[test]
    fn texts_are_read_as_dates() {
        for (text, shown) in [
            ("2024-02-29", "2024-02-29"),
            ("24-2-9", "2024-02-09"),
            ("99-2-9", "1999-02-09"),
            ("20240229", "2024-02-29"),
            ("240229", "2024-02-29"),
            ("20240229123456", "2024-02-29 12:34:56"),
            ("20240229123456.5", "2024-02-29 12:34:56.5"),
            ("2024-02-29 12:34", "2024-02-29 12:34:00"),
            ("2024-02-29T12:34:56.7891234", "2024-02-29 12:34:56.789123"),
            ("2024-12-31 23:59:59.9999999", "2025-01-01 00:00:00.000000"),
            ("2024/02/29 12^34^56", "2024-02-29 12:34:56"),
            ("2024-02-29x", "2024-02-29 rest"),
            ("0000-00-00", "0000-00-00"),
            ("2024-02-29 24:00:00", "none"),
            ("x", "none"),
            ("", "none"),
            ("12", "none"),
        ] {
            assert_eq!(read(text), shown, "{text}");
        }
        assert_eq!(read_date_time("2024-02-29 12:00:00+05:30").unwrap().offset, Some(330));
        assert_eq!(read_date_time("2024-02-29 12:00:00-00:30").unwrap().offset, Some(-30));
    }

    #[test]
    fn texts_are_read_as_times() {
        for (text, shown) in [
            ("12:34:56", "12:34:56"),
            ("-12:34:56.7", "-12:34:56.7"),
            ("12:34", "12:34:00"),
            ("1 2:3:4", "26:03:04"),
            ("123456", "12:34:56"),
            ("56", "00:00:56"),
            ("839:00:00", "838:59:59"),
            ("2024-02-29 12:34:56", "12:34:56"),
        ] {
            let read = read_time(text).unwrap();
            assert_eq!(time_text(read.us, read.digits), shown, "{text}");
        }
        for text in ["12:60:00", "x", "", "99999999999999999999999:1"] {
            assert!(read_time(text).is_none_or(|read| read.beyond), "{text}");
        }
    }

    #[test]
    fn days_and_dates_agree() {
        for (days, text) in [(366, "0001-01-01"), (719_528, "1970-01-01"), (739_310, "2024-02-29")] {
            let at = from_days(days).unwrap();
            assert_eq!(date_text(&at), text);
            assert_eq!(to_days(&at), days);
        }
        assert_eq!(from_days(365), None);
        assert_eq!(from_days(DAYS_MAX + 1), None);
        assert_eq!(date_text(&from_days(DAYS_MAX).unwrap()), "9999-12-31");
        assert_eq!(weekday(739_310), 3);
    }

    #[test]
    fn numbers_are_read() {
        for (number, shown) in [
            (20_240_229, "2024-02-29 00:00:00"),
            (240_229, "2024-02-29 00:00:00"),
            (990_229, "1999-02-29 00:00:00"),
            (20_240_229_123_456, "2024-02-29 12:34:56"),
        ] {
            assert_eq!(date_time_text(&from_number(number).unwrap().0, 0), shown);
        }
        for number in [1, 100, 20_240_229_250_000, i64::MAX] {
            assert_eq!(from_number(number), None, "{number}");
        }
        assert_eq!(time_from_number(-123_456, 0).unwrap().us, -45_296 * SECOND_US);
    }
}
