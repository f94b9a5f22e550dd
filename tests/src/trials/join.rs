//! An empty member joins a group with rows, under load.

use super::{Plan, addresses, greatest, options};
use crate::process::{Group, Settings, wait_for};
use node::json::Object;
use node::load::{self, Options};
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(super) fn run(plan: &Plan) -> Result<(), String> {
    let mut group = Group::prepare("join", Settings { members: 4, ..Settings::default() });
    for member in &mut group.members {
        member.spawn(&["--loose-group_replication_start_on_boot=OFF"]);
    }
    group.members.iter_mut().for_each(|member| member.await_ready());
    let joiner = group.members.pop().expect("there are four");
    group.bootstrap();
    group.members[0].run("CREATE DATABASE IF NOT EXISTS test");
    let base = options(addresses(&group), plan);
    load::prepare(&base).map_err(|error| error.to_string())?;
    let most = greatest(&base, plan.seconds)?;
    let rate = most / 2.0;
    plan.say(
        "join",
        &format!("greatest load {most:.0} tx/s; offered {rate:.0}"),
        Object::new().number("max_tps", most),
    );
    let stop = AtomicBool::new(false);
    let options = Options { rate: Some(rate), measured: Some(Duration::from_secs(600)), ..base.clone() };
    let (report, began, online) = std::thread::scope(|scope| {
        let writers = scope.spawn(|| {
            let mut seconds = Vec::new();
            let report = load::run(&options, &stop, &mut |interval| seconds.push((Instant::now(), interval.ends.done)));
            report.map(|_| seconds)
        });
        std::thread::sleep(Duration::from_secs(plan.seconds));
        let began = Instant::now();
        joiner.run("START GROUP_REPLICATION");
        let started = began.elapsed();
        wait_for("the joiner ONLINE", || {
            let states = joiner.states(group.first_port).map_err(|error| error.to_string())?;
            if states.iter().any(|(at, state, _)| *at == 3 && state == "ONLINE") {
                Ok(())
            } else {
                Err(format!("{states:?}"))
            }
        });
        let online = began.elapsed();
        std::thread::sleep(Duration::from_secs(plan.seconds));
        stop.store(true, Ordering::Relaxed);
        (writers.join().expect("the load does not panic"), began, (started, online))
    });
    let seconds = report.map_err(|error| error.to_string())?;
    let (started, online) = (online.0.as_secs_f64(), online.1.as_secs_f64());
    let mean = seconds.iter().map(|(_, done)| *done as f64).sum::<f64>() / seconds.len().max(1) as f64;
    let end = began + Duration::from_secs_f64(online + 1.0);
    let during = seconds.iter().filter(|(at, _)| *at >= began && *at <= end).map(|(_, done)| *done as f64);
    let worst = during.fold(f64::INFINITY, f64::min);
    let copy = copy(&group)?;
    group.members.push(joiner);
    group.assert_equal(&[1, 2, 3, 4], &["test.load1"]);
    plan.say(
        "join",
        &format!(
            "{} rows: START returned after {started:.2} s, ONLINE after {online:.2} s; copying a member's files takes {copy:.2} s; \
             the writers' mean second {mean:.0}, worst while it joined {worst:.0} ({:.0} %)",
            plan.rows,
            worst / mean * 100.0
        ),
        Object::new()
            .number("rows", f64::from(plan.rows))
            .number("start_s", started)
            .number("online_s", online)
            .number("copy_s", copy)
            .number("mean_second", mean)
            .number("worst_second", worst),
    );
    Ok(())
}

/// How long it takes to copy a member's files, synced.
fn copy(group: &Group) -> Result<f64, String> {
    let to = group.scratch.path().join("copy");
    std::fs::create_dir(&to).map_err(|error| error.to_string())?;
    let began = Instant::now();
    let mut waiting = vec![group.members[0].data()];
    let mut count = 0;
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(&dir).map_err(|error| error.to_string())?.flatten() {
            if entry.path().is_dir() {
                waiting.push(entry.path());
                continue;
            }
            count += 1;
            let target = to.join(count.to_string());
            std::fs::copy(entry.path(), &target).map_err(|error| error.to_string())?;
            File::open(&target).and_then(|file| file.sync_data()).map_err(|error| error.to_string())?;
        }
    }
    Ok(began.elapsed().as_secs_f64())
}
