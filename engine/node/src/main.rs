//! The `quorate` binary: everything is in [`node::cli`].

use std::process::ExitCode;

/// Rows, plans and packets come and go by the hundred for each transaction, most of them small.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    node::cli::main(std::env::args_os().skip(1))
}
