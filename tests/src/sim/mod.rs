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
pub mod history;
mod network;
mod setup;
mod tasks;

pub use cluster::{Cluster, Failure, Report};
pub use setup::{FAULTS, Faults, Setup};

/// Runs one seed to its end.
///
/// # Errors
/// [`Failure`]: which rule was broken, and where. A panic of the code under test is one too.
pub fn run(setup: Setup) -> Result<Report, Failure> {
    let seed = setup.seed;
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut cluster = Cluster::new(setup);
        cluster.form()?;
        cluster.suffer()?;
        cluster.heal()?;
        Ok(cluster.report())
    }));
    result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(Failure { seed, at_us: 0, rule: format!("panic: {}", text.unwrap_or("of an unknown kind")) })
    })
}

/// Makes a failing setup smaller while it still fails: fewer kinds of fault, a shorter time.
#[must_use]
pub fn shrink(setup: &Setup) -> Setup {
    let mut smallest = setup.clone();
    loop {
        let shorter = Setup { suffer_us: smallest.suffer_us / 2, ..smallest.clone() };
        let fewer = smallest.faults.fewer().into_iter().map(|faults| Setup { faults, ..smallest.clone() });
        let candidates: Vec<_> = fewer.chain((shorter.suffer_us >= 250_000).then_some(shorter)).collect();
        match candidates.into_iter().find(|candidate| run(candidate.clone()).is_err()) {
            Some(smaller) => smallest = smaller,
            None => return smallest,
        }
    }
}
