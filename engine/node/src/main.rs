//! The `quorate` binary: everything is in [`node::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    node::cli::main(std::env::args_os().skip(1))
}
