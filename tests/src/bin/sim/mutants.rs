//! `cargo sim --mutants`: plants each bug in turn and runs seeds until one of them fails.

use super::options::Options;
use super::{Progress, pool};
use std::time::Instant;
use tests::sim::{Failure, Setup};
use wire::mutant::Mutant;

/// Seeds that each planted bug gets when nothing else is asked for.
const SEEDS: u64 = 1000;

struct Caught {
    mutant: Mutant,
    /// The seed that failed, how many were run until then, and the rule that it broke.
    by: Option<(u64, u64, String)>,
    wall_s: f64,
}

/// Shows the table; whether every planted bug was caught.
pub fn show(options: &Options) -> bool {
    let all = if options.names.is_empty() { Mutant::ALL.to_vec() } else { options.names.clone() };
    let width = all.iter().map(|mutant| mutant.name().len()).max().unwrap_or(0);
    let seeds = options.seeds.unwrap_or(SEEDS);
    let mut progress = Progress::new(all.len() as u64);
    let mut results = Vec::new();
    if !options.json {
        println!("{:<width$}  {:>6}  caught by", "planted bug", "seeds");
    }
    for (at, &mutant) in all.iter().enumerate() {
        let survived = results.iter().filter(|caught: &&Caught| caught.by.is_none()).count() as u64;
        let caught = catch(options, mutant, seeds, |tried| {
            progress.show(at as u64, survived, &format!("{} ({tried} seeds)", mutant.name()));
        });
        progress.clear();
        if !options.json {
            match &caught.by {
                Some((_, count, rule)) => println!("{:<width$}  {count:>6}  {}", mutant.name(), short(rule)),
                None => println!("{:<width$}  {seeds:>6}  SURVIVED", mutant.name()),
            }
        }
        results.push(caught);
    }
    let caught = results.iter().filter(|result| result.by.is_some()).count();
    if options.json {
        let rows: Vec<_> = results.iter().map(json).collect();
        println!("{{\"seeds_max\":{seeds},\"mutants\":[{}]}}", rows.join(","));
    } else {
        println!("{caught} caught, {} survived", results.len() - caught);
    }
    caught == results.len()
}

fn catch(options: &Options, mutant: Mutant, seeds: u64, mut tried: impl FnMut(u64)) -> Caught {
    let began = Instant::now();
    let (mut by, mut count) = (None, 0);
    pool::run_all(
        (options.start, seeds, options.threads),
        |seed| Setup { mutant: Some(mutant), ..options.setup(seed) },
        |_, result| {
            count += 1;
            tried(count);
            if let Err(Failure { seed, rule, .. }) = result {
                by = Some((seed, count, rule));
            }
            by.is_none()
        },
    );
    Caught { mutant, by, wall_s: began.elapsed().as_secs_f64() }
}

/// The first line of a rule, not too long.
fn short(rule: &str) -> String {
    let line = rule.lines().next().unwrap_or_default();
    let mut text: String = line.chars().take(100).collect();
    if text.len() < line.len() {
        text.push_str("..");
    }
    text
}

fn json(caught: &Caught) -> String {
    let (name, wall) = (caught.mutant.name(), caught.wall_s);
    match &caught.by {
        Some((seed, count, rule)) => {
            let rule = short(rule).replace('\\', "\\\\").replace('"', "\\\"");
            format!(
                "{{\"name\":\"{name}\",\"caught\":true,\"seed\":{seed},\"seeds\":{count},\"wall_s\":{wall:.2},\
                 \"rule\":\"{rule}\"}}"
            )
        }
        None => format!("{{\"name\":\"{name}\",\"caught\":false,\"wall_s\":{wall:.2}}}"),
    }
}
