//! The deterministic heart of a member: order, membership, certification, recovery. No I/O, clock,
//! thread, async or unordered iteration: the same inputs give the same outputs, every run.

pub mod catalog;
pub mod certify;
pub mod checkpoint;
pub mod effect;
pub mod gtid_assign;
pub mod member;
pub mod paxos;
pub mod recovery;
pub mod rng;
pub mod sequencer;
