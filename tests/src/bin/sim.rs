//! `cargo sim`: runs seeds through the simulator, with a progress line, and prints how to replay a failure.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tests::sim::{Report, Setup, run};

const USAGE: &str = "cargo sim [--seeds N=200] [--start S=1] [--json] [--trace]\n\
    Runs seeds S to S+N-1 of the simulator; exits 1 if one fails.";

struct Options {
    seeds: u64,
    start: u64,
    json: bool,
    trace: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options { seeds: 200, start: 1, json: false, trace: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let mut number = || {
            let text = value.clone().or_else(|| arguments.next()).unwrap_or_default();
            text.parse::<u64>().map_err(|_| format!("{name} takes a whole number, not '{text}'"))
        };
        match name.as_str() {
            "--seeds" => options.seeds = number()?,
            "--start" | "--seed" => options.start = number()?,
            "--json" => options.json = true,
            "--trace" => options.trace = true,
            "--help" => return Err(String::new()),
            _ => return Err(format!("unknown option {name}")),
        }
    }
    Ok(options)
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
    let (mut passed, mut failed, mut simulated_us) = (0u64, 0u64, 0u64);
    let mut total = Report::default();
    let mut shown = began;
    let terminal = std::io::stderr().is_terminal();
    for seed in options.start..options.start + options.seeds {
        let setup = Setup { trace: options.trace, ..Setup::draw(seed) };
        let result = std::panic::catch_unwind(|| run(setup.clone()));
        match result {
            Ok(Ok(report)) => {
                passed += 1;
                simulated_us += report.simulated_us;
                total.trace ^= report.trace;
                total.events += report.events;
                total.acknowledged += report.acknowledged;
                total.conflicts += report.conflicts;
                total.elections += report.elections;
                total.crashes += report.crashes;
            }
            Ok(Err(failure)) => {
                failed += 1;
                eprintln!("\nseed {seed} failed at {} us: {}\n  {setup:?}", failure.at_us, failure.rule);
                eprintln!("  replay: cargo sim --seeds 1 --start {seed} --trace");
            }
            Err(_) => {
                failed += 1;
                eprintln!("\nseed {seed} panicked (see above)\n  {setup:?}");
                eprintln!("  replay: cargo sim --seeds 1 --start {seed} --trace");
            }
        }
        if terminal && shown.elapsed() > Duration::from_millis(200) {
            shown = Instant::now();
            let done = seed - options.start + 1;
            let rate = done as f64 / began.elapsed().as_secs_f64();
            eprint!("\r{done} of {} seeds, {rate:.1} seeds/s, {failed} failed   ", options.seeds);
            let _ = std::io::stderr().flush();
        }
    }
    let wall = began.elapsed().as_secs_f64();
    if terminal {
        eprintln!();
    }
    let simulated = simulated_us as f64 / 1e6;
    if options.json {
        println!(
            "{{\"seeds\":{},\"passed\":{passed},\"failed\":{failed},\"wall_s\":{wall:.2},\"simulated_s\":{simulated:.1},\
             \"trace\":\"{:016x}\",\"events\":{},\"acknowledged\":{},\"conflicts\":{},\"elections\":{},\"crashes\":{}}}",
            options.seeds,
            total.trace,
            total.events,
            total.acknowledged,
            total.conflicts,
            total.elections,
            total.crashes
        );
    } else {
        println!(
            "simulated {simulated:.0} s in {wall:.1} s ({:.0} times), {:.1} seeds/s",
            simulated / wall,
            options.seeds as f64 / wall
        );
        println!(
            "{} events, {} commits acknowledged, {} conflicts, {} elections, {} crashes; trace {:016x}",
            total.events, total.acknowledged, total.conflicts, total.elections, total.crashes, total.trace
        );
        println!("{passed} passed, {failed} failed");
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
