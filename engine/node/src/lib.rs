//! Drivers.

pub mod cli;
pub mod drive;
pub mod engine;
pub mod init;
pub mod json;
pub mod load;
pub mod oplog;
pub mod sandbox;
pub mod status;

/// Runs a member in the foreground until it is told to stop.
#[must_use]
pub fn serve(_options: engine_sql::option_file::ServerOptions) -> std::process::ExitCode {
    eprintln!("quorate: running a member is not built yet");
    std::process::ExitCode::FAILURE
}
