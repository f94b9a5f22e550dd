//! `cargo sim --mutants`: plants each bug in turn and runs seeds until one of them fails.

use super::options::Options;
use super::{Progress, pool};
use std::time::Instant;
use tests::sim::{Failure, Setup};
use wire::mutant::Mutant;

/// Seeds that each planted bug gets when nothing else is asked for.
const SEEDS: u64 = 1000;

/// The first seeds of the whole member, and those of the order alone, before the rest of the whole member's.
const FIRST_SEEDS: u64 = 40;
const ORDER_SEEDS: u64 = 10_000;

struct Caught {
    mutant: Mutant,
    /// The seed that failed, by which profile, how many were run until then in all, and the rule that it broke.
    by: Option<Found>,
    /// Seeds that were run.
    seeds: u64,
    wall_s: f64,
}

struct Found {
    seed: u64,
    profile: String,
    rule: String,
}

/// Shows the table; whether every planted bug was caught.
pub fn show(options: &Options) -> bool {
    let all = if options.names.is_empty() { Mutant::ALL } else { &options.names[..] };
    let width = all.iter().map(|mutant| mutant.name().len()).max().unwrap_or(0);
    let seeds = options.seeds.unwrap_or(SEEDS);
    let mut progress = Progress::new(all.len() as u64);
    let mut results = Vec::new();
    if !options.json {
        println!("{:<width$}  {:>6}  {:<8}  caught by", "planted bug", "seeds", "profile");
    }
    for (at, &mutant) in all.iter().enumerate() {
        let survived = results.iter().filter(|caught: &&Caught| caught.by.is_none()).count() as u64;
        let caught = catch(options, mutant, seeds, |tried| {
            progress.show(at as u64, survived, &format!("{} ({tried} seeds)", mutant.name()));
        });
        progress.clear();
        if !options.json {
            let (name, seeds) = (mutant.name(), caught.seeds);
            match &caught.by {
                Some(Found { profile, rule, .. }) => {
                    println!("{name:<width$}  {seeds:>6}  {profile:<8}  {}", short(rule))
                }
                None => println!("{name:<width$}  {seeds:>6}  {:<8}  SURVIVED", ""),
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

/// Seeds of a profile that makes likely what a planted bug needs, before the rest of the mixed ones.
const DIRECTED_SEEDS: u64 = 200;

/// The profile that makes likely what a planted bug needs to show itself.
fn directed(mutant: Mutant) -> Option<(&'static str, u64)> {
    match mutant {
        mutant if mutant.is_of_the_order() => Some(("order", ORDER_SEEDS)),
        Mutant::CheckpointsDroppedFirst | Mutant::CheckpointUnchecked => Some(("begin-anew", DIRECTED_SEEDS)),
        Mutant::ExpelledWithoutAgreement => Some(("impatient", DIRECTED_SEEDS)),
        Mutant::AssuredWhenCutOff => Some(("cut-off", DIRECTED_SEEDS)),
        Mutant::JoinerKeepsTail => Some(("stop-alone", DIRECTED_SEEDS)),
        Mutant::AfterNotAwaited | Mutant::BeforeNotAwaited | Mutant::HeldNotAwaited => Some(("levels", DIRECTED_SEEDS)),
        Mutant::NewerNotAwaited => Some(("newest", DIRECTED_SEEDS)),
        Mutant::ForkIgnored | Mutant::ColdStartWithoutAll => Some(("force", DIRECTED_SEEDS)),
        Mutant::BirthBeforeVoteStored => Some(("half-forced", DIRECTED_SEEDS)),
        Mutant::AnotherBirthHeard => Some(("split", DIRECTED_SEEDS)),
        Mutant::VoteInOneSlot | Mutant::PageCacheTakenForDisk => Some(("sync", DIRECTED_SEEDS)),
        Mutant::StandstillTolerated => Some(("mute-leader", DIRECTED_SEEDS)),
        Mutant::PreVoteByOwnView => Some(("pairs", DIRECTED_SEEDS)),
        _ => None,
    }
}

/// Which seeds are run for a planted bug, in turn: profile, first seed, count.
fn stages(options: &Options, mutant: Mutant, seeds: u64) -> Vec<(String, u64, u64)> {
    let (own, start) = (options.profile.clone(), options.start);
    let Some((profile, count)) = directed(mutant).filter(|_| own == "mixed" && seeds > FIRST_SEEDS) else {
        return vec![(own, start, seeds)];
    };
    let likely = (profile.to_owned(), start, count);
    vec![(own.clone(), start, FIRST_SEEDS), likely, (own, start + FIRST_SEEDS, seeds - FIRST_SEEDS)]
}

fn catch(options: &Options, mutant: Mutant, seeds: u64, mut tried: impl FnMut(u64)) -> Caught {
    let began = Instant::now();
    let (mut by, mut count) = (None, 0);
    for (profile, start, seeds) in stages(options, mutant, seeds) {
        pool::run_all(
            (start, seeds, options.threads),
            |seed| Setup { mutant: Some(mutant), ..options.setup_by(seed, &profile) },
            |_, result| {
                count += 1;
                tried(count);
                if let Err(Failure { seed, rule, .. }) = result {
                    by = Some(Found { seed, profile: profile.clone(), rule });
                }
                by.is_none()
            },
        );
        if by.is_some() {
            break;
        }
    }
    Caught { mutant, by, seeds: count, wall_s: began.elapsed().as_secs_f64() }
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
    let (name, seeds, wall) = (caught.mutant.name(), caught.seeds, caught.wall_s);
    let found = caught.by.as_ref().map_or_else(String::new, |Found { seed, profile, rule }| {
        let rule = short(rule).replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"seed\":{seed},\"profile\":\"{profile}\",\"rule\":\"{rule}\",")
    });
    let was = caught.by.is_some();
    format!("{{\"name\":\"{name}\",\"caught\":{was},{found}\"seeds\":{seeds},\"wall_s\":{wall:.2}}}")
}
