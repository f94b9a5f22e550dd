//! The operators' log: lines on standard error in the layout of MySQL's error log.

use engine_core::effect::{Level, Note};
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes one line.
pub fn note(note: &Note) {
    let level = match note.level {
        Level::System => "System",
        Level::Warning => "Warning",
        Level::Error => "ERROR",
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, micros) = (now.as_secs(), now.subsec_micros());
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let code = if note.code == 0 { String::new() } else { format!(" [MY-{:06}]", note.code) };
    // A log that takes no more (a full disk) is no reason to end.
    let _ = writeln!(
        std::io::stderr(),
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z 0 [{level}]{code} [Repl] {}",
        note.text
    );
}

/// Writes a line of this level.
pub fn say(level: Level, text: impl Into<String>) {
    note(&Note { level, code: 0, text: text.into() });
}

/// Year, month and day of the n-th day since 1970 (proleptic Gregorian calendar).
#[must_use]
pub fn civil(days: u64) -> (u64, u64, u64) {
    // Years begin in March, so that the leap day comes last: 400 years have 146 097 days.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        for (days, date) in [(0, (1970, 1, 1)), (59, (1970, 3, 1)), (11_016, (2000, 2, 29)), (20_778, (2026, 11, 21))] {
            assert_eq!(civil(days), date);
        }
    }
}
