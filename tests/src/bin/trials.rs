//! `cargo trials`: breaks groups of real processes over and over, and reports in figures.

use std::process::ExitCode;
use tests::trials::{KINDS, Plan};

fn usage() -> String {
    let kinds: Vec<String> = KINDS.iter().map(|kind| format!("  {:<9} {}", kind.name, kind.about)).collect();
    format!(
        "cargo trials KIND.. [--trials N=10] [--seconds S=10] [--rows N=10000] [--json]\n{}\n\
         loss and lossy make network namespaces, disk throttles by blkio: they need root.",
        kinds.join("\n")
    )
}

fn main() -> ExitCode {
    let mut plan = Plan { trials: 10, seconds: 10, rows: 10_000, json: false };
    let mut chosen = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse::<u32>().ok()).filter(|&number| number > 0);
        let taken = match argument.as_str() {
            "--trials" => number().map(|number| plan.trials = number),
            "--seconds" => number().map(|number| plan.seconds = number.into()),
            "--rows" => number().map(|number| plan.rows = number),
            "--json" => {
                plan.json = true;
                Some(())
            }
            name => KINDS.iter().find(|kind| kind.name == name).map(|kind| chosen.push(kind)),
        };
        if taken.is_none() {
            eprintln!("{argument}: not a kind or an option, or without its whole number\n{}", usage());
            return ExitCode::FAILURE;
        }
    }
    if chosen.is_empty() {
        eprintln!("{}", usage());
        return ExitCode::FAILURE;
    }
    for kind in chosen {
        eprintln!("{}: {} ...", kind.name, kind.about);
        if let Err(error) = kind.run(&plan) {
            eprintln!("{}: {error}", kind.name);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
