//! Trials: what happens to a group of real processes, and to its clients, when something breaks; over and
//! over, in figures. Longer than a test may take; `cargo trials` runs them by hand.
//!
//! Absent on purpose: pass marks. A trial reports; only a lost or invented transaction makes it fail.

mod failover;
mod join;
mod lossy;
mod outage;
mod steady;

use crate::process::{Group, Member};
use node::json::Object;
use node::load::{self, Login, Options};
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What to run, how often and how long.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Trials of those kinds that repeat.
    pub trials: u32,
    /// Seconds of load at each stage, of those that measure load.
    pub seconds: u64,
    /// Rows, of those that need them.
    pub rows: u32,
    /// One JSON object a line.
    pub json: bool,
}

/// A kind of trial.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// As given on the command line.
    pub name: &'static str,
    /// What it does, for `--help`.
    pub about: &'static str,
    run: fn(&Plan) -> Result<(), String>,
}

/// All of them.
pub const KINDS: &[Kind] = &[
    Kind { name: "outage", about: "kill -9 of all three members at once, under load, durable", run: outage::run },
    Kind { name: "failover", about: "kill -9 of the primary under load", run: failover::run },
    Kind { name: "stop", about: "one member stopped (SIGSTOP) under half the greatest load", run: steady::stop },
    Kind { name: "disk", about: "one member's disk 100 times slower under half the greatest load", run: steady::disk },
    Kind { name: "loss", about: "5 % of one member's packets lost under half the greatest load", run: steady::loss },
    Kind {
        name: "join",
        about: "an empty member joins a group with rows under half the greatest load",
        run: join::run,
    },
    Kind { name: "lossy", about: "5 % loss and 200 ms jitter on every link: who is expelled?", run: lossy::run },
];

impl Kind {
    /// Runs it to its end.
    ///
    /// # Errors
    /// What failed, in words.
    pub fn run(&self, plan: &Plan) -> Result<(), String> {
        (self.run)(plan)
    }
}

impl Plan {
    /// A line for people, or an object for machines.
    fn say(&self, trial: &str, text: &str, object: Object) {
        if self.json {
            println!("{}", object.text("trial", trial));
        } else {
            println!("{trial:<9} {text}");
        }
    }
}

/// The value that `percent` of the sorted `values` do not exceed.
fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(0.0)
}

fn addresses(group: &Group) -> Vec<SocketAddr> {
    group.members.iter().map(Member::address).collect()
}

/// Updates of one row each at `targets`, as root, in `test`.
fn options(targets: Vec<SocketAddr>, plan: &Plan) -> Options {
    let login = Login { user: "root".into(), database: "test".into(), ..Login::default() };
    Options { login, rows: plan.rows, clients: 64, timeout: Duration::from_secs(20), ..Options::new(targets) }
}

/// The most that the group does: a closed loop of 64 clients.
fn greatest(options: &Options, seconds: u64) -> Result<f64, String> {
    let measured = Some(Duration::from_secs(seconds));
    let options = Options { measured, warmup: Duration::from_secs(1), rate: None, ..options.clone() };
    let report = load::run(&options, &AtomicBool::new(false), &mut |_| ()).map_err(|error| error.to_string())?;
    Ok(report.ends.done as f64 / report.seconds)
}
