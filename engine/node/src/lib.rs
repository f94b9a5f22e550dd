//! Drivers.

pub mod cli;
pub mod drive;
pub mod engine;
pub mod init;
pub mod json;
pub mod load;
pub mod oplog;
pub mod restart;
pub mod sandbox;
pub mod serve;
pub mod status;

pub use serve::serve;
