//! A load for any MySQL server: many clients on one thread, over epoll, with an own small client.
//!
//! Closed loop: each client gives its next transaction when the last one has ended. Open loop
//! ([`Options::rate`]): transactions fall due at a fixed rate whatever the server does, and a latency
//! counts from the time at which its transaction *should* have been sent, so that a stall is not
//! hidden by the clients that wait in it (coordinated omission).
//!
//! A client whose server dies, or refuses writes, goes on at the next target. Transactions that the
//! server rolled back for a conflict (1213, 3101) are given again and counted; their latency includes
//! the tries before. A transaction whose connection is lost has an unknown outcome: it is counted as
//! lost and not given again.
//!
//! Absent on purpose: transactions of several statements, think time, TLS.

mod auth;
mod client;
mod prepare;
mod protocol;
#[cfg(test)]
mod protocol_tests;
mod run;
mod session;
mod stats;

pub use client::{Client, ClientError};
pub use prepare::prepare;
pub use protocol::{Connection, Event, Login, Parameter, ProtocolError, Reply, Rows, ServerError};
pub use run::run;
pub use stats::{Ends, Interval, Latencies, Report};

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

/// The table that a load uses, in the login's database.
pub const TABLE: &str = "load1";

/// What a transaction of the load does. Each is one autocommitted statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// `UPDATE load1 SET k = k + 1 WHERE id = ?`, uniformly over the rows.
    Update,
    /// `INSERT` of a fresh key, about 190 bytes a row.
    Insert,
    /// `SELECT c FROM load1 WHERE id = ?`, uniformly over the rows.
    Read,
}

impl Mix {
    /// Whether it changes rows.
    #[must_use]
    pub fn writes(self) -> bool {
        self != Self::Read
    }
}

impl FromStr for Mix {
    type Err = LoadError;

    fn from_str(text: &str) -> Result<Self, LoadError> {
        match text {
            "update" => Ok(Self::Update),
            "insert" => Ok(Self::Insert),
            "read" => Ok(Self::Read),
            _ => Err(LoadError::Mix(text.to_owned())),
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Update => "update",
            Self::Insert => "insert",
            Self::Read => "read",
        })
    }
}

/// Why there is no load.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Not a mix.
    #[error("'{0}' is not a mix: update, insert or read")]
    Mix(String),
    /// Not a `HOST:PORT`, or a name that does not resolve.
    #[error("target '{target}': {reason}")]
    Target {
        /// As given.
        target: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Options that make no load.
    #[error("a load needs at least one {0}")]
    Nothing(&'static str),
    /// The table could not be made.
    #[error("preparing table {TABLE} at {target}: {source}")]
    Prepare {
        /// Where it was tried last.
        target: SocketAddr,
        /// What came back.
        source: ClientError,
    },
    /// A target did not come to hold the rows in time.
    #[error("{target} does not have the {rows} rows of {TABLE} after {seconds} s")]
    NotCopied {
        /// Which target.
        target: SocketAddr,
        /// Rows awaited.
        rows: u32,
        /// How long they were awaited.
        seconds: u64,
    },
    /// No client could log in anywhere.
    #[error("no target lets a client in: {0}")]
    NoServer(String),
    /// The system refused what any load needs.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// What load to make.
#[derive(Clone, Debug)]
pub struct Options {
    /// Servers; a client goes on at the next one when its own fails.
    pub targets: Vec<SocketAddr>,
    /// Clients begin spread over the targets; otherwise all at the first.
    pub spread: bool,
    /// Who logs in; the database must exist.
    pub login: Login,
    /// Connections, at least 1.
    pub clients: usize,
    /// How long to measure; `None` until stopped.
    pub measured: Option<Duration>,
    /// How long to run before measuring.
    pub warmup: Duration,
    /// What a transaction does.
    pub mix: Mix,
    /// Transactions a second that fall due (open loop); `None`: closed loop.
    pub rate: Option<f64>,
    /// Rows of the table, at least 1.
    pub rows: u32,
    /// Prepared statements; otherwise text.
    pub prepared: bool,
    /// Time between snapshots.
    pub interval: Duration,
    /// How long one transaction may take before its connection is given up.
    pub timeout: Duration,
    /// Seed of the keys chosen.
    pub seed: u64,
}

impl Options {
    /// A closed loop of one client's updates of 10 000 rows for 10 s, as user `sb` of a sandbox.
    #[must_use]
    pub fn new(targets: Vec<SocketAddr>) -> Self {
        Self {
            targets,
            spread: true,
            login: Login { user: "sb".into(), password: "sb".into(), database: "sbtest".into() },
            clients: 1,
            measured: Some(Duration::from_secs(10)),
            warmup: Duration::ZERO,
            mix: Mix::Update,
            rate: None,
            rows: 10_000,
            prepared: true,
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(10),
            seed: 42,
        }
    }

    fn check(&self) -> Result<(), LoadError> {
        if self.targets.is_empty() {
            return Err(LoadError::Nothing("target"));
        }
        if self.clients == 0 {
            return Err(LoadError::Nothing("client"));
        }
        if self.rows == 0 {
            return Err(LoadError::Nothing("row"));
        }
        if self.rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
            return Err(LoadError::Nothing("transaction a second (rate)"));
        }
        Ok(())
    }
}

/// Reads `HOST:PORT[,HOST:PORT..]`; names are resolved, the first address of each counts.
///
/// # Errors
/// [`LoadError::Target`] names the first that is wrong.
pub fn parse_targets(text: &str) -> Result<Vec<SocketAddr>, LoadError> {
    let parse = |target: &str| {
        let wrong = |reason: &str| LoadError::Target { target: target.to_owned(), reason: reason.to_owned() };
        if !target.contains(':') {
            return Err(wrong("expected HOST:PORT"));
        }
        let mut addresses = target.to_socket_addrs().map_err(|error| wrong(&error.to_string()))?;
        addresses.next().ok_or_else(|| wrong("the name has no address"))
    };
    text.split(',').map(|target| parse(target.trim())).collect()
}

/// Digits in groups, as sysbench fills its texts; the same for the same `seed`.
fn filler(seed: u64, length: usize) -> String {
    let mut random = Random(seed);
    (0..length).map(|at| if at % 12 == 11 { '-' } else { char::from(b'0' + (random.next() % 10) as u8) }).collect()
}

/// SplitMix64: keys need to be spread, not secret.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Uniform over `1..=count`.
    fn row(&mut self, count: u32) -> i64 {
        ((u128::from(self.next()) * u128::from(count)) >> 64) as i64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_or_named() {
        let targets = parse_targets("127.0.0.1:3306, 127.0.0.1:3307").expect("both are addresses");
        let texts: Vec<String> = targets.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["127.0.0.1:3306", "127.0.0.1:3307"]);
        for wrong in ["", "127.0.0.1", "127.0.0.1:3306,,", "127.0.0.1:99999", "127.0.0.1:x"] {
            assert!(matches!(parse_targets(wrong), Err(LoadError::Target { .. })), "{wrong:?}");
        }
    }

    #[test]
    fn keys_stay_within_the_rows() {
        let mut random = Random(1);
        let keys: Vec<i64> = (0..1000).map(|_| random.row(10)).collect();
        assert!(keys.iter().all(|key| (1..=10).contains(key)));
        assert!((1..=10).all(|key| keys.contains(&key)));
        assert_eq!(Random(7).row(1), 1);
    }

    #[test]
    fn filler_is_repeatable_and_long_enough() {
        assert_eq!(filler(3, 120), filler(3, 120));
        assert_ne!(filler(3, 60), filler(4, 60));
        assert_eq!(filler(3, 120).len(), 120);
    }
}
