//! The whole group in one thread: network, disks, clocks, randomness and scheduling are inputs drawn
//! from one seed. Same seed, same run, to the byte.
//!
//! Checked after every step: agreement (equal entries at equal indexes on every disk and in every
//! delivery), order, at most once, equal verdict and row digests at equal CSN. Checked at the end:
//! after faults stop, every member is ONLINE with equal data, and nothing acknowledged is lost.

pub mod check;
pub mod client;
pub mod cluster;
pub mod disk;

pub use cluster::{Cluster, Failure, Report, Setup};

/// Runs one seed to its end.
///
/// # Errors
/// [`Failure`]: which rule was broken, and where.
pub fn run(setup: Setup) -> Result<Report, Failure> {
    let mut cluster = Cluster::new(setup);
    cluster.form()?;
    cluster.suffer()?;
    cluster.heal()?;
    Ok(cluster.report())
}
