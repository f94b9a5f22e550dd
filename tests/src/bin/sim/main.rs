//! `cargo sim`: runs seeds through the simulator, with a progress line; shrinks a failure and prints how
//! to replay it. With `--mutants` it shows that planted bugs are found.

mod mutants;
mod options;
mod pool;

use options::Options;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tests::sim::{Failure, Report, Setup, run, shrink};

/// Seeds when none are asked for.
const SEEDS: u64 = 200;
/// Failures that are shrunk and told in full; more of them say little more.
const TOLD_MAX: u64 = 5;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n\n{}", options::USAGE);
            return ExitCode::FAILURE;
        }
    };
    if options.help || options.list {
        if options.help {
            println!("{}", options::USAGE);
        }
        if options.list {
            options::list();
        }
        return ExitCode::SUCCESS;
    }
    let passed = if options.mutants { mutants::show(&options) } else { seeds(&options) };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the seeds; whether all passed.
fn seeds(options: &Options) -> bool {
    let began = Instant::now();
    let count = options.seeds.unwrap_or(SEEDS);
    let mut total = Total::default();
    let mut progress = Progress::new(count);
    pool::run_all(
        (options.start, count, options.threads),
        |seed| options.setup(seed),
        |setup, result| {
            match result {
                Ok(report) => total.add(&report),
                Err(failure) => {
                    total.failed += 1;
                    progress.clear();
                    tell(setup, &failure, total.failed <= TOLD_MAX);
                }
            }
            progress.show(total.passed + total.failed, total.failed, "");
            true
        },
    );
    progress.clear();
    total.print(options, count, began.elapsed().as_secs_f64());
    total.failed == 0
}

/// The progress line: only where somebody watches.
struct Progress {
    began: Instant,
    shown: Instant,
    terminal: bool,
    total: u64,
}

impl Progress {
    fn new(total: u64) -> Self {
        let now = Instant::now();
        Self { began: now, shown: now, terminal: std::io::stderr().is_terminal(), total: total.max(1) }
    }

    fn show(&mut self, done: u64, failed: u64, doing: &str) {
        if !self.terminal || self.shown.elapsed() < Duration::from_millis(200) {
            return;
        }
        self.shown = Instant::now();
        let rate = done as f64 / self.began.elapsed().as_secs_f64();
        let full = (done * 30 / self.total).min(30) as usize;
        let (left, total) = (self.total.saturating_sub(done) as f64 / rate.max(0.01), self.total);
        eprint!(
            "\r\x1b[K[{}{}] {done} of {total}, {rate:.1}/s, {left:.0} s left, {failed} failed {doing}",
            "=".repeat(full),
            " ".repeat(30 - full)
        );
        let _ = std::io::stderr().flush();
    }

    fn clear(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}

/// What failed, the smallest setup that still fails, and how to run it again.
fn tell(setup: &Setup, failure: &Failure, in_full: bool) {
    eprintln!("seed {} failed at {} us: {}", failure.seed, failure.at_us, failure.rule);
    if setup.trace {
        return;
    }
    if !in_full {
        eprintln!("  replay: {}", setup.command());
        return;
    }
    eprintln!("  {setup:?}");
    let smallest = shrink(setup);
    let rule = run(smallest.clone()).err().map(|failure| failure.rule).unwrap_or_default();
    eprintln!("  smallest: {rule}\n  replay: {}", smallest.command());
}

#[derive(Default)]
struct Total {
    passed: u64,
    failed: u64,
    sum: Report,
    /// Seeds that reached a rare branch.
    rare: BTreeMap<&'static str, u64>,
}

impl Total {
    fn add(&mut self, report: &Report) {
        self.passed += 1;
        let sum = &mut self.sum;
        sum.trace = sum.trace.rotate_left(1) ^ report.trace;
        sum.simulated_us += report.simulated_us;
        sum.events += report.events;
        sum.acknowledged += report.acknowledged;
        sum.failed += report.failed;
        sum.elections += report.elections;
        sum.crashes += report.crashes;
        sum.damaged += report.damaged;
        sum.diverged += report.diverged;
        sum.noticed_us = sum.noticed_us.max(report.noticed_us);
        for &name in &report.rare {
            *self.rare.entry(name).or_default() += 1;
        }
    }

    fn print(&self, options: &Options, seeds: u64, wall: f64) {
        let Self { passed, failed, sum, rare } = self;
        let simulated = sum.simulated_us as f64 / 1e6;
        let (times, rate) = (simulated / wall, seeds as f64 / wall);
        if options.json {
            let rare: Vec<_> = rare.iter().map(|(name, seeds)| format!("\"{name}\":{seeds}")).collect();
            println!(
                "{{\"seeds\":{seeds},\"start\":{},\"profile\":\"{}\",\"passed\":{passed},\"failed\":{failed},\
                 \"wall_s\":{wall:.2},\"seeds_per_s\":{rate:.2},\"simulated_s\":{simulated:.1},\
                 \"trace\":\"{:016x}\",\"events\":{},\"acknowledged\":{},\"refused\":{},\"elections\":{},\
                 \"crashes\":{},\"damaged_rows\":{},\"noticed_us_max\":{},\"rare\":{{{}}}}}",
                options.start,
                options.profile,
                sum.trace,
                sum.events,
                sum.acknowledged,
                sum.failed,
                sum.elections,
                sum.crashes,
                sum.damaged,
                sum.noticed_us,
                rare.join(",")
            );
            return;
        }
        if !rare.is_empty() {
            println!("rare branches, and seeds that reached them");
            for (name, seeds) in rare {
                println!("{seeds:>8}  {name}");
            }
        }
        println!("simulated {simulated:.0} s in {wall:.1} s ({times:.0} times), {rate:.1} seeds/s");
        println!(
            "{} events, {} transactions acknowledged, {} refused, {} elections, {} crashes; trace {:016x}",
            sum.events, sum.acknowledged, sum.failed, sum.elections, sum.crashes, sum.trace
        );
        if sum.damaged > 0 {
            let (damaged, diverged, most) = (sum.damaged, sum.diverged, sum.noticed_us as f64 / 1e6);
            println!("{damaged} rows changed by bad memory, {diverged} noticed by digests, {most:.1} s later at most");
        }
        println!("{passed} passed, {failed} failed");
    }
}
