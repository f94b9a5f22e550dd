//! The command line of the `quorate` binary.

pub mod flags;

pub use flags::{Flags, UsageError};
