//! What proves Quorate: the simulator, and helpers of the tests that run real processes.

pub mod process;
pub mod sim;
