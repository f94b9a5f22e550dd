//! One member is ill: do the clients of the others notice?
//!
//! An open loop at half of what the group can do, so that a stall shows as seconds without a commit and
//! cannot be hidden by clients that wait in it.

use super::{Plan, addresses, greatest, options};
use crate::network::{Link, Network};
use crate::process::{Group, Member, Settings, SlowDisk};
use node::json::Object;
use node::load::{self, Options};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const ALL: [u16; 3] = [1, 2, 3];
/// Writes a second of a slow disk, where a healthy one does some 5,000 synced appends.
const SLOW_WRITES: u32 = 50;

pub(super) fn stop(plan: &Plan) -> Result<(), String> {
    let mut group = Group::form("stop", settings(0));
    stages(plan, "stop", &mut group, |group, victim| {
        group.member(victim).freeze();
        Ok(Box::new(move |group| group.member(victim).thaw()))
    })
}

pub(super) fn disk(plan: &Plan) -> Result<(), String> {
    let mut group = Group::form("disk", settings(1));
    stages(plan, "disk", &mut group, |group, victim| {
        let member = group.member(victim);
        let pid = member.pid().ok_or("it runs")?;
        let slow = SlowDisk::new(&member.data(), pid, SLOW_WRITES)?;
        Ok(Box::new(move |_| drop(slow)))
    })
}

pub(super) fn loss(plan: &Plan) -> Result<(), String> {
    let network = Network::new(ALL.len())?;
    let mut group = Group::form_on(&network, "loss", settings(0));
    stages(plan, "loss", &mut group, |_, victim| {
        network.set_around(usize::from(victim), Link { loss_ppm: 50_000, ..Link::default() });
        Ok(Box::new(|_| network.heal()))
    })
}

/// Every member takes writes, so that clients of the others need not move when the ill one led.
fn settings(sync: u8) -> Settings {
    Settings {
        single_primary: false,
        sync,
        more: "loose-group_replication_enforce_update_everywhere_checks=ON",
        ..Settings::default()
    }
}

/// Ends an illness.
type Cure<'a> = Box<dyn FnOnce(&mut Group) + 'a>;

/// Healthy, then member 1 ill (which bootstrapped, and leads), then member 3.
fn stages<'a>(
    plan: &Plan,
    name: &str,
    group: &mut Group,
    fall_ill: impl Fn(&mut Group, u16) -> Result<Cure<'a>, String>,
) -> Result<(), String> {
    group.members[0].run("CREATE DATABASE IF NOT EXISTS test");
    let base = options(addresses(group), plan);
    load::prepare(&base).map_err(|error| error.to_string())?;
    let most = greatest(&base, plan.seconds)?;
    let rate = most / 2.0;
    plan.say(name, &format!("greatest load {most:.0} tx/s; offered {rate:.0}"), Object::new().number("max_tps", most));
    for victim in [1_u16, 3] {
        let others = group.members.iter().filter(|member| member.number != victim);
        let targets: Vec<_> = others.map(Member::address).collect();
        let measure = |what: &str| -> Result<(), String> {
            let measured = Some(Duration::from_secs(plan.seconds));
            let options = Options { targets: targets.clone(), rate: Some(rate), measured, ..base.clone() };
            let report =
                load::run(&options, &AtomicBool::new(false), &mut |_| ()).map_err(|error| error.to_string())?;
            let done: Vec<u64> = report.intervals.iter().map(|interval| interval.ends.done).collect();
            let (least, empty) =
                (done.iter().min().copied().unwrap_or(0), done.iter().filter(|&&done| done == 0).count());
            let share = report.ends.done as f64 / report.seconds / rate * 100.0;
            let (p50, p99) = (report.latencies.percentile_us(50.0) / 1e3, report.latencies.percentile_us(99.0) / 1e3);
            plan.say(
                name,
                &format!(
                    "member {victim} {what:<8} {share:>6.1} % of the offered load, worst second {least:>6}, \
                     seconds without a commit {empty}, latency p50 {p50:.2} ms, p99 {p99:.1} ms, lost {}",
                    report.ends.lost
                ),
                Object::new()
                    .number("victim", f64::from(victim))
                    .text("stage", what)
                    .number("share_percent", share)
                    .number("worst_second", least as f64)
                    .number("empty_seconds", empty as f64)
                    .number("p50_ms", p50)
                    .number("p99_ms", p99),
            );
            Ok(())
        };
        measure("healthy")?;
        let cure = fall_ill(group, victim)?;
        measure("ill")?;
        cure(group);
        group.await_online(&ALL);
        measure("healed")?;
    }
    Ok(())
}
