//! The whole group in one thread: network, disks, clocks, randomness and scheduling are inputs drawn
//! from one seed. Same seed, same run, to the byte.
//!
//! Each member is whole but for sockets and files: SQL sessions over the real client protocol, locks,
//! certification, rows, order. Checked after every step: agreement (equal frames at equal places of
//! every log), equal verdict and row digests at equal places, one primary per epoch, bounded queues;
//! clients check what they read. Checked at the end: after faults stop every member comes back and
//! shows the same; what was acknowledged is there once, what was refused is not.

pub mod check;
pub mod client;
mod cluster;
mod disk;
mod fault;
mod forced;
pub mod history;
mod model;
mod network;
mod setup;
mod split;
mod tasks;
mod torn;

pub use cluster::{Cluster, Failure, Report};
pub use setup::{FAULTS, Faults, PROFILES, Profile, Setup};

use std::cell::RefCell;
use std::sync::Once;

/// Slots of a generation of last writers: few, so that they turn over.
const GENERATION_SLOTS: usize = 1 << 8;

thread_local! {
    /// Where the code under test panicked on this thread, while a run is on.
    static PANICKED: RefCell<Option<String>> = const { RefCell::new(None) };
    static RUNNING: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// A panic within a run is a finding, told once with its place; elsewhere it is shown as ever.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if RUNNING.get() {
                let place = info.location().map_or_else(String::new, |at| format!(" ({}:{})", at.file(), at.line()));
                let text = info.payload_as_str().unwrap_or("of an unknown kind");
                PANICKED.set(Some(format!("panic: {text}{place}")));
            } else {
                before(info);
            }
        }));
    });
}

/// Runs one seed to its end.
///
/// # Errors
/// [`Failure`]: which rule was broken, and where. A panic of the code under test is one too.
pub fn run(setup: Setup) -> Result<Report, Failure> {
    keep_panics();
    let (seed, mutant) = (setup.seed, setup.mutant);
    plant(mutant);
    let _ = wire::rare::take();
    RUNNING.set(true);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        if setup.is_order() {
            return walk(&setup);
        }
        let mut cluster = Cluster::new(setup);
        cluster.form()?;
        cluster.suffer()?;
        cluster.power_down()?;
        cluster.stop_alone()?;
        cluster.force()?;
        cluster.endure()?;
        cluster.heal()?;
        cluster.split()?;
        Ok(cluster.report())
    }));
    RUNNING.set(false);
    plant(None);
    let rare = wire::rare::take();
    match result {
        Ok(Ok(report)) => Ok(Report { rare, ..report }),
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(Failure { seed, at_us: 0, rule: PANICKED.take().unwrap_or_else(|| "panic".to_owned()) }),
    }
}

/// The order alone ([`crate::model::walk`]).
fn walk(setup: &Setup) -> Result<Report, Failure> {
    let mut at = 0;
    let tell = |act: &crate::model::Act| {
        at += 1;
        if setup.trace {
            eprintln!("{at:>6} {act:?}");
        }
    };
    match crate::model::walk::walk(setup.seed, tell) {
        Ok(walked) => Ok(Report {
            trace: walked.trace,
            events: walked.acts,
            acknowledged: walked.proposals,
            elections: walked.led,
            crashes: walked.crashes,
            ..Report::default()
        }),
        Err(broken) => {
            let rule = format!("{} (after {} actions)", broken.rule, broken.path.len());
            Err(Failure { seed: setup.seed, at_us: 0, rule })
        }
    }
}

#[cfg(feature = "mutants")]
fn plant(mutant: Option<wire::mutant::Mutant>) {
    wire::mutant::plant(mutant);
}

#[cfg(not(feature = "mutants"))]
fn plant(mutant: Option<wire::mutant::Mutant>) {
    assert!(mutant.is_none(), "this build has no mutants: the feature `mutants` is off");
}

/// Runs that a failure is shrunk by, at most.
const SHRINK_ATTEMPTS_MAX: usize = 24;

/// Makes a failing setup smaller while it still fails: fewer kinds of fault, a shorter time.
#[must_use]
pub fn shrink(setup: &Setup) -> Setup {
    if setup.is_order() {
        // Its faults are drawn as it walks.
        return setup.clone();
    }
    let mut smallest = setup.clone();
    // Each attempt may take as long as the failure did.
    let mut attempts = SHRINK_ATTEMPTS_MAX;
    while attempts > 0 {
        let shorter = Setup { suffer_us: smallest.suffer_us / 2, ..smallest.clone() };
        let fewer = smallest.faults.fewer().into_iter().map(|faults| Setup { faults, ..smallest.clone() });
        let candidates: Vec<_> = fewer.chain((shorter.suffer_us >= 250_000).then_some(shorter)).collect();
        let left = attempts;
        let fails = |candidate: &Setup| {
            attempts -= 1;
            run(candidate.clone()).is_err()
        };
        match candidates.into_iter().take(left).find(fails) {
            Some(smaller) => smallest = smaller,
            None => break,
        }
    }
    smallest
}
