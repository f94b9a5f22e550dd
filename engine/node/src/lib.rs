//! Drivers.

pub mod cli;
pub mod json;
pub mod load;
