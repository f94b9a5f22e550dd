//! `cargo sim`: runs seeds through the simulator, with a progress line; shrinks a failure and prints how
//! to replay it.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tests::sim::{FAULTS, Failure, Faults, Report, Setup, run, shrink};

const USAGE: &str = "cargo sim [--seeds N=200] [--start S=1] [--faults NAME,..] [--suffer-ms MS] [--json] [--trace]\n\
    Runs seeds S to S+N-1 of the simulator; exits 1 if one fails. --trace tells each event, in words.";

struct Options {
    seeds: u64,
    start: u64,
    faults: Option<Faults>,
    suffer_us: Option<u64>,
    json: bool,
    trace: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options { seeds: 200, start: 1, faults: None, suffer_us: None, json: false, trace: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let mut text = || value.clone().or_else(|| arguments.next()).unwrap_or_default();
        let number =
            |text: String| text.parse::<u64>().map_err(|_| format!("{name} takes a whole number, not '{text}'"));
        match name.as_str() {
            "--seeds" => options.seeds = number(text())?,
            "--start" | "--seed" => options.start = number(text())?,
            "--suffer-ms" => options.suffer_us = Some(number(text())?.saturating_mul(1000)),
            "--faults" => options.faults = Some(Faults::parse(&text())?),
            "--json" => options.json = true,
            "--trace" => options.trace = true,
            "--help" => return Err(format!("faults: {}", FAULTS.join(", "))),
            _ => return Err(format!("unknown option {name}")),
        }
    }
    Ok(options)
}

impl Options {
    fn setup(&self, seed: u64) -> Setup {
        let drawn = Setup::draw(seed);
        Setup {
            faults: self.faults.unwrap_or(drawn.faults),
            suffer_us: self.suffer_us.unwrap_or(drawn.suffer_us),
            trace: self.trace,
            ..drawn
        }
    }
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    let began = Instant::now();
    let mut total = Total::default();
    let mut shown = began;
    let terminal = std::io::stderr().is_terminal();
    for seed in options.start..options.start.saturating_add(options.seeds) {
        let setup = options.setup(seed);
        match run(setup.clone()) {
            Ok(report) => total.add(&report),
            Err(failure) => {
                total.failed += 1;
                tell(&setup, &failure);
            }
        }
        if terminal && shown.elapsed() > Duration::from_millis(200) {
            shown = Instant::now();
            let done = seed - options.start + 1;
            let rate = done as f64 / began.elapsed().as_secs_f64();
            eprint!("\r{done} of {} seeds, {rate:.1} seeds/s, {} failed   ", options.seeds, total.failed);
            let _ = std::io::stderr().flush();
        }
    }
    if terminal {
        eprintln!();
    }
    total.print(&options, began.elapsed().as_secs_f64());
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What failed, the smallest setup that still fails, and how to run it again.
fn tell(setup: &Setup, failure: &Failure) {
    eprintln!("\nseed {} failed at {} us: {}\n  {setup:?}", failure.seed, failure.at_us, failure.rule);
    if setup.trace {
        return;
    }
    // Panics of smaller runs say nothing new.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let smallest = shrink(setup);
    let rule = run(smallest.clone()).err().map(|failure| failure.rule).unwrap_or_default();
    std::panic::set_hook(hook);
    eprintln!("  smallest: {rule}\n  replay: {}", smallest.command());
}

#[derive(Default)]
struct Total {
    passed: u64,
    failed: u64,
    sum: Report,
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
    }

    fn print(&self, options: &Options, wall: f64) {
        let Self { passed, failed, sum } = self;
        let simulated = sum.simulated_us as f64 / 1e6;
        if options.json {
            println!(
                "{{\"seeds\":{},\"passed\":{passed},\"failed\":{failed},\"wall_s\":{wall:.2},\
                 \"simulated_s\":{simulated:.1},\"trace\":\"{:016x}\",\"events\":{},\"acknowledged\":{},\
                 \"refused\":{},\"elections\":{},\"crashes\":{}}}",
                options.seeds, sum.trace, sum.events, sum.acknowledged, sum.failed, sum.elections, sum.crashes
            );
            return;
        }
        let (times, rate) = (simulated / wall, options.seeds as f64 / wall);
        println!("simulated {simulated:.0} s in {wall:.1} s ({times:.0} times), {rate:.1} seeds/s");
        println!(
            "{} events, {} transactions acknowledged, {} refused, {} elections, {} crashes; trace {:016x}",
            sum.events, sum.acknowledged, sum.failed, sum.elections, sum.crashes, sum.trace
        );
        println!("{passed} passed, {failed} failed");
    }
}
