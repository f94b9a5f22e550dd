//! `cargo model`: explores every run of a small group within bounds, and says how much that was.

use std::process::ExitCode;
use tests::model::{Bounds, explore};

const USAGE: &str = "cargo model [--members N=3] [--formed 0|1=1] [--slow-disks 0|1=1] [--proposals N=2] [--stands N=2] [--crashes N=2] [--leaves N=1] \
    [--breaks N=1] [--repeats N=1] [--states-max N=5000000]\n\
    Explores, breadth first, every order of events within these bounds; exits 1 where a rule does not hold.";

fn bounds() -> Result<Bounds, String> {
    let mut bounds = Bounds { states_max: 5_000_000, ..Bounds::default() };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value: usize =
            arguments.next().and_then(|text| text.parse().ok()).ok_or(format!("{name} takes a whole number"))?;
        let few = u8::try_from(value).map_err(|_| format!("{name} takes a number up to 255"));
        match &*name {
            "--members" if (1..=5).contains(&value) => bounds.members = value,
            "--formed" => bounds.formed = value > 0,
            "--slow-disks" => bounds.slow_disks = value > 0,
            "--proposals" => bounds.proposals = few?,
            "--stands" => bounds.stands = few?,
            "--crashes" => bounds.crashes = few?,
            "--leaves" => bounds.leaves = few?,
            "--breaks" => bounds.breaks = few?,
            "--repeats" => bounds.repeats = few?,
            "--states-max" => bounds.states_max = value,
            _ => return Err(format!("unknown option {name} {value}")),
        }
    }
    Ok(bounds)
}

fn main() -> ExitCode {
    let bounds = match bounds() {
        Ok(bounds) => bounds,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    let began = std::time::Instant::now();
    match explore(bounds) {
        Ok(found) => {
            let whole = if found.complete { "all of them" } else { "stopped at the bound" };
            println!("{bounds:?}\n{found:#?}");
            println!("{} states ({whole}) in {:.1} s; every rule holds", found.states, began.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(broken) => {
            println!("{}", broken.rule);
            broken.path.iter().for_each(|act| println!("  {act:?}"));
            ExitCode::FAILURE
        }
    }
}
