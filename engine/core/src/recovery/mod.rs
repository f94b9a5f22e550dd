//! Distributed recovery: a member that lacks what its group has decided gets it from donors, as log, or, where that
//! is purged or too long, as a checkpoint and the log after it (`design.md` §8).
//!
//! [`joiner::Joiner`] asks, [`donor::Donor`] answers; every chunk is asked for by itself, checked, and may come from
//! another donor than the last. New entries are held back meanwhile: the member is a learner, or a voter whose log
//! fell behind what its leader still holds.
//!
//! Invariants **[!]**: only decided entries travel; a voter gives its log up only for a checkpoint at or above its
//! end, so that nothing that it acknowledged is forgotten; a checkpoint that came from a donor counts only once it is
//! durable and the log begins behind it.

pub mod donor;
pub mod joiner;

pub use donor::Donor;
pub use joiner::{Joiner, Progress};
