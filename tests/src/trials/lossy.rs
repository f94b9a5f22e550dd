//! Bad links, for minutes: nobody may be expelled who lives.

use super::{Plan, addresses, options};
use crate::network::{Link, Network};
use crate::process::{Group, Settings};
use node::json::Object;
use node::load::{self, Options};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LINK: Link = Link { cut: false, loss_ppm: 50_000, delay: Duration::ZERO, jitter: Duration::from_millis(200) };

pub(super) fn run(plan: &Plan) -> Result<(), String> {
    let network = Network::new(3)?;
    let group = Group::form_on(&network, "lossy", Settings::default());
    group.members[0].run("CREATE DATABASE IF NOT EXISTS test");
    let base = Options { clients: 8, ..options(addresses(&group), plan) };
    load::prepare(&base).map_err(|error| error.to_string())?;
    let views = |group: &Group| -> Vec<String> {
        let sql = "SELECT COUNT(*), MAX(VIEW_ID) FROM performance_schema.replication_group_member_stats";
        group.members.iter().map(|member| member.run(sql)[0].join(" ")).collect()
    };
    let before = views(&group);
    (1..=3).for_each(|member| network.set_around(member, LINK));
    let stop = AtomicBool::new(false);
    let (mut looks, mut unreachable, mut changed, mut primaries) = (0_u64, 0_u64, 0_u64, 0_u64);
    let done = std::thread::scope(|scope| {
        let writers = scope.spawn(|| load::run(&base_for(&base, plan), &stop, &mut |_| ()));
        let began = Instant::now();
        let (mut last, mut primary) = (before.clone(), None);
        while began.elapsed() < Duration::from_secs(plan.seconds) {
            std::thread::sleep(Duration::from_millis(500));
            looks += 1;
            for member in &group.members {
                let states = member.states(group.first_port).unwrap_or_default();
                unreachable += states.iter().filter(|(_, state, _)| state == "UNREACHABLE").count() as u64;
                let now = states.iter().find(|(_, _, role)| role == "PRIMARY").map(|(at, ..)| *at);
                if member.number == 1 && now.is_some() && now != primary {
                    primaries += 1;
                    primary = now;
                }
            }
            let now = views(&group);
            changed += u64::from(now != last);
            last = now;
        }
        stop.store(true, Ordering::Relaxed);
        writers.join().expect("the load does not panic")
    });
    let done = done.map_err(|error| error.to_string())?.ends.done;
    let (passed, lost) = network.counts();
    let primaries = primaries.saturating_sub(1);
    plan.say(
        "lossy",
        &format!(
            "{} s: {changed} changes of the view, {primaries} of the primary, UNREACHABLE in {unreachable} of {} looks; \
             {done} commits; {passed} packets passed, {lost} lost",
            plan.seconds,
            looks * 9
        ),
        Object::new()
            .number("seconds", plan.seconds as f64)
            .number("view_changes", changed as f64)
            .number("primary_changes", primaries as f64)
            .number("unreachable_looks", unreachable as f64)
            .number("commits", done as f64),
    );
    if changed == 0 { Ok(()) } else { Err("the view changed although every member lives".to_owned()) }
}

fn base_for(base: &Options, plan: &Plan) -> Options {
    Options { measured: Some(Duration::from_secs(plan.seconds + 5)), rate: Some(50.0), ..base.clone() }
}
