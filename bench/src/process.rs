//! CPU time of processes, from `/proc`.

use std::fs;
use std::time::Duration;

/// User and system time that process `pid` has used, all its threads and none of its children; to a
/// clock tick (10 ms). `None` when there is no such process.
#[must_use]
pub fn cpu_time(pid: u32) -> Option<Duration> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(stat: &str) -> Option<Duration> {
    // The second field is the name in parentheses, and may hold spaces and parentheses itself.
    let fields: Vec<&str> = stat[stat.rfind(')')? + 1..].split_ascii_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

/// Sum of [`cpu_time`] over `pids`; those that are gone count nothing.
#[must_use]
pub fn cpu_time_of_all(pids: &[u32]) -> Duration {
    pids.iter().filter_map(|&pid| cpu_time(pid)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_is_skipped() {
        let stat = "7 (a ) (b) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 9 0 100 1 1";
        let tick = 1.0 / rustix::param::clock_ticks_per_second() as f64;
        assert_eq!(parse_stat(stat), Some(Duration::from_secs_f64(200.0 * tick)));
        assert_eq!(parse_stat("7 (a S 1"), None);
        assert_eq!(parse_stat("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_has_a_time_and_no_process_has_none() {
        assert!(cpu_time(std::process::id()).is_some());
        assert_eq!(cpu_time(u32::MAX), None);
    }
}
