//! What a load measures: latencies in histograms, ends of transactions in counters.

use crate::json::Object;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest latency told apart, in nanoseconds: one hour.
const LATENCY_NS_MAX: u64 = 3_600_000_000_000;

/// Latencies, to three digits.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("fixed bounds that the histogram allows"))
    }
}

impl Latencies {
    /// Adds one.
    pub fn record(&mut self, latency: Duration) {
        self.record_many(latency, 1);
    }

    /// Adds `count` that are equal.
    pub fn record_many(&mut self, latency: Duration, count: u64) {
        let ns = u64::try_from(latency.as_nanos()).unwrap_or(LATENCY_NS_MAX);
        self.0.saturating_record_n(ns.clamp(1, LATENCY_NS_MAX), count);
    }

    /// The latency that `percent` of all do not exceed, in microseconds; 0 when there is none.
    #[must_use]
    pub fn percentile_us(&self, percent: f64) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.value_at_percentile(percent) as f64 / 1e3 }
    }

    /// The greatest, in microseconds.
    #[must_use]
    pub fn max_us(&self) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.max() as f64 / 1e3 }
    }

    /// The mean, in microseconds.
    #[must_use]
    pub fn mean_us(&self) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.mean() / 1e3 }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// How transactions ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Acknowledged.
    pub done: u64,
    /// Ended with 1213 or 3101 and tried again.
    pub retries: u64,
    /// Other errors of the server, by number.
    pub errors: BTreeMap<u16, u64>,
    /// In flight when their connection was lost: outcome unknown.
    pub lost: u64,
    /// Reads and updates that found no row: not acknowledged work.
    pub missed: u64,
    /// Connections that had to be made again.
    pub reconnects: u64,
}

impl Ends {
    /// All errors of the server but those tried again.
    #[must_use]
    pub fn errors_total(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.retries += other.retries;
        self.lost += other.lost;
        self.missed += other.missed;
        self.reconnects += other.reconnects;
        for (&code, &count) in &other.errors {
            *self.errors.entry(code).or_default() += count;
        }
    }

    /// `code: count` pairs as a JSON object.
    #[must_use]
    pub fn errors_json(&self) -> Object {
        self.errors.iter().fold(Object::new(), |object, (code, &count)| object.number(&code.to_string(), count as f64))
    }
}

/// One interval of a load, for views that follow it.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    /// End of the interval, in seconds since the measured time began.
    pub at_seconds: f64,
    /// Length of the interval, in seconds.
    pub seconds: f64,
    /// What ended in it.
    pub ends: Ends,
    /// Median latency in microseconds.
    pub p50_us: f64,
    /// 99th percentile in microseconds.
    pub p99_us: f64,
    /// 99.9th percentile in microseconds.
    pub p999_us: f64,
    /// Clients logged in at its end.
    pub connected: usize,
    /// Open loop: due, but not yet sent, at its end.
    pub backlog: u64,
}

impl Interval {
    /// Transactions a second.
    #[must_use]
    pub fn tps(&self) -> f64 {
        if self.seconds > 0.0 { self.ends.done as f64 / self.seconds } else { 0.0 }
    }

    /// The interval as a JSON object.
    #[must_use]
    pub fn json(&self) -> Object {
        Object::new()
            .number("at_s", self.at_seconds)
            .number("tps", self.tps())
            .number("p50_us", self.p50_us)
            .number("p99_us", self.p99_us)
            .number("p999_us", self.p999_us)
            .number("retries", self.ends.retries as f64)
            .object("errors", &self.ends.errors_json())
            .number("lost", self.ends.lost as f64)
            .number("missed", self.ends.missed as f64)
            .number("reconnects", self.ends.reconnects as f64)
            .number("connected", self.connected as f64)
            .number("backlog", self.backlog as f64)
    }
}

/// A whole load.
#[derive(Clone, Debug)]
pub struct Report {
    /// Measured time, in seconds.
    pub seconds: f64,
    /// What ended in it.
    pub ends: Ends,
    /// Latencies of acknowledged transactions; in an open loop from the time at which each should
    /// have been sent, and with what was still waiting at the end counted at its age then.
    pub latencies: Latencies,
    /// Open loop: due at the end, but not acknowledged.
    pub unfinished: u64,
    /// One after another.
    pub intervals: Vec<Interval>,
}

impl Report {
    /// Transactions a second.
    #[must_use]
    pub fn tps(&self) -> f64 {
        if self.seconds > 0.0 { self.ends.done as f64 / self.seconds } else { 0.0 }
    }
}
