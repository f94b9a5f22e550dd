//! Drivers.

pub mod json;
pub mod load;
