//! `cargo check-all`: everything that CI runs, step by step, stopping at the first that fails.

use std::process::{Command, ExitCode};
use std::time::Instant;

/// Arguments of `cargo`, one step each, cheapest first.
const STEPS: [&[&str]; 6] = [
    &["fmt", "--all", "--check"],
    &["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"],
    &["test", "--quiet", "--workspace"],
    &["doc", "--quiet", "--workspace", "--no-deps"],
    &["sim", "--seeds", "200"],
    // Each benchmark once: so that it cannot rot.
    &["bench", "--quiet", "-p", "bench", "--benches", "--", "--test"],
];

fn main() -> ExitCode {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    for step in STEPS {
        let name = step.join(" ");
        println!("== cargo {name}");
        let begin = Instant::now();
        let mut command = Command::new(&cargo);
        command.args(step).env("RUSTDOCFLAGS", "-D warnings");
        match command.status() {
            Ok(status) if status.success() => {
                println!("== passed in {:.0} s", begin.elapsed().as_secs_f64());
            }
            Ok(status) => {
                eprintln!("== cargo {name} failed: {status}");
                return ExitCode::FAILURE;
            }
            Err(error) => {
                eprintln!("== cargo {name} cannot be run: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("== all passed");
    ExitCode::SUCCESS
}
