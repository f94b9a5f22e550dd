//! The primary dies under load: how long is no insert acknowledged?

use super::{Plan, addresses, percentile};
use crate::process::{Group, Settings, Writers};
use node::json::Object;
use node::load::{Client, Login};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const ALL: [u16; 3] = [1, 2, 3];
const WRITERS: u64 = 4;
/// Between two tries to connect, as an application without a router would.
const RETRY: Duration = Duration::from_millis(10);
const TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn run(plan: &Plan) -> Result<(), String> {
    let mut group = Group::form("failover", Settings::default());
    let targets = addresses(&group);
    {
        let mut client = group.members[0].client();
        Writers::prepare(&mut client, WRITERS).map_err(|error| error.to_string())?;
        client
            .execute("CREATE TABLE test.probe (id BIGINT NOT NULL PRIMARY KEY)")
            .map_err(|error| error.to_string())?;
    }
    let (mut lives, mut gaps) = (Vec::new(), Vec::new());
    for trial in 1..=plan.trials {
        let victim = group.await_primary(&ALL);
        let writers = Writers::start(&targets, WRITERS, u64::from(trial) * 1_000_000);
        writers.await_more(100);
        let (stop, count) = (AtomicBool::new(false), AtomicU64::new(0));
        let at = usize::from(victim) - 1;
        let first = u64::from(trial) * 1_000_000;
        let (acknowledged, killed) = std::thread::scope(|scope| {
            let probe = scope.spawn(|| probe(&targets, at, first, &stop, &count));
            await_count(&count, 50);
            let killed = Instant::now();
            group.member(victim).kill();
            // Acknowledged ones after the gap, not those that were on their way.
            await_count(&count, count.load(Ordering::Relaxed) + 50);
            stop.store(true, Ordering::Relaxed);
            (probe.join().expect("the probe does not panic"), killed)
        });
        let around = acknowledged.windows(2).filter(|pair| pair[1] >= killed);
        let gap = around.map(|pair| (pair[1] - pair[0]).as_secs_f64()).fold(0.0, f64::max);
        lives.push(writers.finish());
        gaps.push(gap);
        group.member(victim).start();
        group.await_online(&ALL);
        plan.say(
            "failover",
            &format!("{trial:>4}  member {victim} killed  longest gap between two acknowledged inserts {gap:>6.3} s"),
            Object::new().number("number", f64::from(trial)).number("gap_s", gap),
        );
    }
    group.assert_equal(&ALL, &["test.w", "test.n", "test.probe"]);
    group.assert_nothing_lost(&ALL, &lives);
    gaps.sort_by(f64::total_cmp);
    let (p50, p99, max) = (percentile(&gaps, 50.0), percentile(&gaps, 99.0), percentile(&gaps, 100.0));
    plan.say(
        "failover",
        &format!("{} trials: gap p50 {p50:.3} s, p99 {p99:.3} s, greatest {max:.3} s; nothing lost", plan.trials),
        Object::new()
            .number("trials", f64::from(plan.trials))
            .number("gap_p50_s", p50)
            .number("gap_p99_s", p99)
            .number("gap_max_s", max),
    );
    Ok(())
}

fn await_count(count: &AtomicU64, wanted: u64) {
    crate::process::wait_for("the probe's inserts", || {
        let found = count.load(Ordering::Relaxed);
        if found >= wanted { Ok(()) } else { Err(format!("{found} of {wanted}")) }
    });
}

/// Inserts one row after the other, at the member at `at` until that fails, then at whichever takes it.
fn probe(targets: &[SocketAddr], at: usize, first: u64, stop: &AtomicBool, count: &AtomicU64) -> Vec<Instant> {
    let (mut at, mut id, mut client) = (at, first, None);
    let mut acknowledged = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let login = Login { user: "root".into(), database: "test".into(), ..Login::default() };
        let connected = match client.take() {
            Some(client) => Ok(client),
            None => Client::connect(targets[at % targets.len()], login, TIMEOUT),
        };
        id += 1;
        let done = connected.and_then(|mut connected| {
            connected.execute(&format!("INSERT INTO probe VALUES ({id})")).map(|_| connected)
        });
        match done {
            Ok(connected) => {
                acknowledged.push(Instant::now());
                count.fetch_add(1, Ordering::Relaxed);
                client = Some(connected);
            }
            Err(_) => {
                at += 1;
                std::thread::sleep(RETRY);
            }
        }
    }
    acknowledged
}
