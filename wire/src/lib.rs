//! Bytes <-> types: what members say to one another, what the group log holds, and the MySQL client
//! protocol. No I/O, no clock; every parser of outside bytes returns a typed error and is fuzzed.

pub mod client;
pub mod entry;
pub mod frame;
pub mod gtid;
pub mod id;
pub mod message;
pub mod mutant;
pub mod rare;
