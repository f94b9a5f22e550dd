//! What the load generators and benchmarks share: tables and plots of results, CPU time of processes.
//!
//! Absent on purpose: anything measured. That is in `src/bin` and `benches`.

pub mod consensus;
pub mod plot;
pub mod process;
pub mod table;
