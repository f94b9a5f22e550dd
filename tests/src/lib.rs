//! What proves Quorate: the simulator, and helpers of the tests that run real processes.

pub mod model;
pub mod network;
pub mod process;
pub mod sim;
pub mod trials;
