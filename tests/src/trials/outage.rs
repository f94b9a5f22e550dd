//! All members die at once: is anything lost that was acknowledged, and when are writes taken again?

use super::{Plan, addresses, percentile};
use crate::process::{Acknowledged, Group, Settings, Writers, query, wait_for};
use node::json::Object;
use std::collections::BTreeSet;
use std::time::Instant;

const ALL: [u16; 3] = [1, 2, 3];
const WRITERS: u64 = 8;
/// Ids of each trial begin here times its number.
const IDS: u64 = 1_000_000;

pub(super) fn run(plan: &Plan) -> Result<(), String> {
    let mut group = Group::form("outage", Settings { sync: 1, ..Settings::default() });
    Writers::prepare(&mut group.members[0].client(), WRITERS).map_err(|error| error.to_string())?;
    let targets = addresses(&group);
    let (mut lives, mut back) = (Vec::new(), Vec::new());
    let mut lost_total = 0;
    for trial in 1..=plan.trials {
        let writers = Writers::start(&targets, WRITERS, u64::from(trial) * IDS);
        writers.await_more(200);
        for member in &mut group.members {
            member.kill();
        }
        let acknowledged = writers.count();
        for member in &mut group.members {
            member.spawn(&[]);
        }
        // No command: start_on_boot, and the members find one another.
        let began = Instant::now();
        wait_for(
            "a commit after the outage",
            || if writers.count() > acknowledged { Ok(()) } else { Err("none".into()) },
        );
        let seconds = began.elapsed().as_secs_f64();
        writers.await_more(50);
        group.members.iter_mut().for_each(|member| member.await_ready());
        group.await_online(&ALL);
        let life = writers.finish();
        let lost = lost(&group, &life, u64::from(trial))?;
        lost_total += lost;
        back.push(seconds);
        plan.say(
            "outage",
            &format!(
                "{trial:>4}  acknowledged {:>6}  outcome unknown {:>3}  lost {lost:>3}  writable again after {seconds:>6.3} s",
                life.committed.len(),
                life.unknown.len()
            ),
            Object::new()
                .number("number", f64::from(trial))
                .number("acknowledged", life.committed.len() as f64)
                .number("lost", lost as f64)
                .number("writable_after_s", seconds),
        );
        lives.push(life);
    }
    group.assert_equal(&ALL, &["test.w", "test.n"]);
    group.assert_nothing_lost(&ALL, &lives);
    back.sort_by(f64::total_cmp);
    let acknowledged: usize = lives.iter().map(|life| life.committed.len()).sum();
    let (p50, p99, max) = (percentile(&back, 50.0), percentile(&back, 99.0), percentile(&back, 100.0));
    plan.say(
        "outage",
        &format!(
            "{} trials: {acknowledged} acknowledged, {lost_total} lost; writable after p50 {p50:.3} s, p99 {p99:.3} s, greatest {max:.3} s",
            plan.trials
        ),
        Object::new()
            .number("trials", f64::from(plan.trials))
            .number("acknowledged", acknowledged as f64)
            .number("lost", lost_total as f64)
            .number("writable_p50_s", p50)
            .number("writable_p99_s", p99)
            .number("writable_max_s", max),
    );
    if lost_total == 0 { Ok(()) } else { Err(format!("{lost_total} acknowledged transactions were lost")) }
}

/// Acknowledged rows of a trial that a member lacks, the most on any member.
fn lost(group: &Group, life: &Acknowledged, trial: u64) -> Result<usize, String> {
    let (first, end) = (trial * IDS, (trial + 1) * IDS);
    let mut most = 0;
    for member in &group.members {
        let lacks = || -> Result<usize, String> {
            let mut client = member.connect().map_err(|error| error.to_string())?;
            let sql = format!("SELECT id FROM test.w WHERE id >= {first} AND id < {end}");
            let rows = query(&mut client, &sql).map_err(|error| error.to_string())?;
            let found: BTreeSet<u64> = rows.iter().filter_map(|row| row[0].parse().ok()).collect();
            Ok(life.committed.difference(&found).count())
        };
        // The last ones may still be on their way to a secondary.
        let deadline = Instant::now() + std::time::Duration::from_secs(5);
        let mut lacking = lacks()?;
        while lacking > 0 && Instant::now() < deadline {
            std::thread::sleep(std::time::Duration::from_millis(20));
            lacking = lacks()?;
        }
        most = most.max(lacking);
    }
    Ok(most)
}
