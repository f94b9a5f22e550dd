//! `cargo check-all`: everything that CI runs, cheapest first; it goes on after a failure and ends with
//! `N passed, N failed`.
//!
//! Sized for a clean checkout on 2 cores in 30 minutes, compilation included. Therefore everything is built
//! twice only: once for the lints, once in the dev profile for all that runs: tests, simulator, benchmarks
//! (each once, so that it cannot rot). More seeds of the simulator than here: `cargo sim`, optimised.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// Seeds of the simulator, shared out over [`SIMULATORS`] processes.
const SEEDS: u64 = 80;
/// Simulators at once: CI has 2 cores.
const SIMULATORS: u64 = 2;
/// Inputs of each fuzz test, unless the environment says otherwise.
const FUZZ_RUNS: &str = "2000";

/// Arguments of `cargo`, one step each.
const LINTS: [&[&str]; 2] =
    [&["fmt", "--all", "--check"], &["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]];
/// The binaries that tests and steps run.
const BUILD: &[&str] = &["build", "--quiet", "-p", "node", "-p", "tests", "--bin", "quorate", "--bin", "sim"];
/// `--all-targets` runs each benchmark once, too.
const TESTS: &[&str] = &["test", "--quiet", "--workspace", "--all-targets", "--no-fail-fast"];
const DOCS: &[&str] = &["doc", "--quiet", "--workspace", "--no-deps"];

#[derive(Clone, Copy, Default)]
struct Count {
    passed: u64,
    failed: u64,
}

impl Count {
    fn of(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed) }
    }

    /// Reads `12 passed; 1 failed` or `12 passed, 1 failed` in a line.
    fn read(line: &str) -> Option<Self> {
        let before = |word: &str| line.split(word).next()?.split(' ').rfind(|text| !text.is_empty())?.parse().ok();
        (line.contains(" passed") && line.contains(" failed"))
            .then(|| Some(Self { passed: before(" passed")?, failed: before(" failed")? }))?
    }
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Runs commands at once, passes on what they print, and sums the results that they name. A command that
/// names none counts as one; one that fails though nothing in it did counts as a failure.
fn run(name: &str, commands: Vec<Command>) -> Count {
    println!("== {name}");
    let begin = Instant::now();
    let readers: Vec<_> = commands.into_iter().map(|command| std::thread::spawn(move || run_one(command))).collect();
    let mut count = Count::default();
    for reader in readers {
        count += reader.join().unwrap_or(Count::of(false));
    }
    println!("== {name}: {} passed, {} failed in {:.0} s", count.passed, count.failed, begin.elapsed().as_secs_f64());
    count
}

fn run_one(mut command: Command) -> Count {
    let mut child = match command.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("== {} cannot be run: {error}", command.get_program().display());
            return Count::of(false);
        }
    };
    let mut count = Count::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            println!("{line}");
            if let Some(named) = Count::read(&line) {
                count += named;
            }
        }
    }
    let passed = child.wait().is_ok_and(|status| status.success());
    if count.passed + count.failed == 0 || !passed && count.failed == 0 {
        count += Count::of(passed);
    }
    count
}

fn step(arguments: &[&str]) -> (String, Vec<Command>) {
    let mut command = Command::new(cargo());
    command.args(arguments).env("RUSTDOCFLAGS", "-D warnings");
    (format!("cargo {}", arguments.join(" ")), vec![command])
}

fn main() -> ExitCode {
    let begin = Instant::now();
    // target/<profile>/<this>: what is built stands beside it.
    let here = std::env::current_exe().ok().and_then(|path| path.parent().map(PathBuf::from)).unwrap_or_default();
    let mut count = Count::default();
    for lint in LINTS {
        let (name, commands) = step(lint);
        count += run(&name, commands);
    }
    let (name, commands) = step(BUILD);
    count += run(&name, commands);
    let (name, mut commands) = step(TESTS);
    commands[0].env("QUORATE_BINARY", here.join("quorate"));
    if std::env::var_os("FUZZ_RUNS").is_none() {
        commands[0].env("FUZZ_RUNS", FUZZ_RUNS);
    }
    count += run(&name, commands);
    let simulators = (0..SIMULATORS).map(|at| {
        let (seeds, start) = (SEEDS / SIMULATORS, at * (SEEDS / SIMULATORS) + 1);
        let mut command = Command::new(here.join("sim"));
        command.args(["--threads", "1", "--seeds", &seeds.to_string(), "--start", &start.to_string()]);
        command
    });
    count += run(&format!("simulator, {SEEDS} seeds"), simulators.collect());
    let (name, commands) = step(DOCS);
    count += run(&name, commands);
    println!("== all in {:.0} s", begin.elapsed().as_secs_f64());
    println!("{} passed, {} failed", count.passed, count.failed);
    if count.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read() {
        for (line, expected) in [
            ("test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out", Some((12, 0))),
            ("test result: FAILED. 7 passed; 6 failed; 0 ignored", Some((7, 6))),
            ("20 passed, 1 failed", Some((20, 1))),
            ("a line that failed", None),
            ("nothing passed, all failed", None),
        ] {
            let found = Count::read(line).map(|count| (count.passed, count.failed));
            assert_eq!(found, expected, "{line}");
        }
    }
}
