//! Checkpoints and recovery of real processes: restarts from a checkpoint, damaged files, members that join a group
//! whose log is purged.

use std::collections::BTreeSet;
use std::path::PathBuf;
use tests::process::{Group, Member, Settings, Writers, wait_for};

/// The smallest settings, so that little data makes many checkpoints and purges the log.
const SMALL: &str = "quorate_checkpoint_log_bytes=65536\nquorate_log_keep_bytes=0\nmax_binlog_size=4096\n";

fn checkpoints(member: &Member) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(member.data().join("checkpoints")).into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path.extension() == Some("qckp".as_ref())).collect();
    files.sort();
    files
}

fn first_segment(member: &Member) -> String {
    let entries = std::fs::read_dir(member.data().join("group_log")).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with(".qlog"));
    names.sort();
    names.first().cloned().unwrap_or_default()
}

/// `count` rows of a kilobyte from `first` on.
fn fill(group: &Group, first: u64, count: u64) {
    for from in (first..first + count).step_by(100) {
        let rows: Vec<_> =
            (from..from + 100).map(|id| format!("({id}, '{}')", format!("{id:08}").repeat(125))).collect();
        group.write(&format!("INSERT INTO test.big VALUES {}", rows.join(",")));
    }
}

fn make_table(group: &Group) {
    group.write("CREATE DATABASE IF NOT EXISTS test");
    group.write("CREATE TABLE test.big (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, t TEXT NOT NULL)");
}

fn contents(member: &Member) -> Vec<Vec<String>> {
    member.run("SELECT COUNT(*), SUM(id), MIN(t), MAX(t) FROM test.big")
}

fn await_purged(member: &Member) {
    wait_for("checkpoints, and a log that is purged below them", || {
        let (files, first) = (checkpoints(member), first_segment(member));
        if files.len() == 2 && first.as_str() > "0000000001.qlog" { Ok(()) } else { Err(format!("{files:?} {first}")) }
    });
}

fn flip(path: &PathBuf) {
    let mut bytes = std::fs::read(path).expect("a checkpoint can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).expect("a scratch directory takes files");
}

/// A server killed under way comes back from its newest checkpoint and the log after it; from the older one when the
/// newest is damaged; and says what is missing when neither is good.
#[test]
fn a_restart_begins_with_the_newest_good_checkpoint() {
    let mut group = Group::form("checkpoint", Settings { members: 1, sync: 1, more: SMALL, ..Settings::default() });
    make_table(&group);
    fill(&group, 1, 4000);
    group.write("DELETE FROM test.big WHERE id % 7 = 0");
    await_purged(&group.members[0]);
    let before = contents(&group.members[0]);
    let member = group.member(1);
    let executed = member.value("SELECT @@GLOBAL.gtid_executed");
    member.kill();
    member.start();
    member.await_log("state taken from the checkpoint");
    wait_for("the member to serve", || if contents(&group.members[0]) == before { Ok(()) } else { Err(String::new()) });
    group.await_online(&[1]);
    let after = group.members[0].value("SELECT @@GLOBAL.gtid_executed");
    assert!(after.starts_with(executed.split_once(':').expect("a GTID set").0), "{executed} and then {after}");
    // Numbers of an AUTO_INCREMENT column go on behind the greatest.
    group.write("INSERT INTO test.big (t) VALUES ('next')");
    assert_eq!(group.members[0].value("SELECT id FROM test.big WHERE t = 'next'"), "4001");

    let before = contents(&group.members[0]);
    let member = group.member(1);
    member.kill();
    let newest = checkpoints(member).pop().expect("there are checkpoints");
    flip(&newest);
    member.start();
    member.await_log("is not used");
    group.await_online(&[1]);
    assert_eq!(contents(&group.members[0]), before);

    let member = group.member(1);
    member.kill();
    checkpoints(member).iter().for_each(|path| std::fs::write(path, b"").expect("a scratch directory takes files"));
    member.spawn(&[]);
    assert!(!member.await_end().success());
    member.await_log("no good checkpoint leads to the log");
}

/// A member joins a group whose log is purged, under load, and another is killed while it recovers: the rest go on. It ends
/// with the same rows, and nothing that was acknowledged is lost. (Five members: the older life of the one that lost its
/// disk, and with it its identity, is still listed, and counts, when the other is killed.)
#[test]
fn an_empty_member_joins_a_group_whose_log_is_purged() {
    let mut group = Group::form("joining", Settings { members: 5, sync: 0, more: SMALL, ..Settings::default() });
    make_table(&group);
    Writers::prepare(&mut group.members[0].client(), 2).expect("the primary takes writes");
    fill(&group, 1, 6000);
    (0..4).for_each(|at| await_purged(&group.members[at]));
    // The fifth loses its disk.
    group.member(5).kill();
    let member = &group.members[4];
    std::fs::remove_dir_all(member.data()).expect("a scratch directory can be emptied");
    let (number, port, group_port, dir) = (member.number, member.port, member.group_port, member.dir.clone());
    std::fs::rename(dir.join("log"), dir.join("log.before")).expect("it had a log");
    group.members[4] = Member::initialize(&dir, number, port, group_port);
    // (What the others purged of their files they still have in memory: little as it is here, a checkpoint is asked for.)
    let options = group.options(&group.members[4]);
    group.members[4].write_options(&format!("{options}loose-group_replication_clone_threshold=10\n"));
    let targets: Vec<_> = group.members[..4].iter().map(Member::address).collect();
    let writers = Writers::start(&targets, 2, 1_000_000);
    writers.await_more(20);
    group.member(5).start();
    group.member(5).await_log("the state of the group at index");
    let primary = group.await_primary(&[1, 2, 3, 4]);
    let victim = primary % 4 + 1;
    group.member(victim).kill();
    writers.await_more(20);
    let rest: Vec<u16> = (1..=5).filter(|&number| number != victim).collect();
    group.await_online(&rest);
    let known = writers.finish();
    group.assert_equal(&rest, &["test.big", "test.w", "test.n"]);
    let rows = group.members[4].run("SELECT id FROM test.w");
    let found: BTreeSet<u64> = rows.iter().map(|row| row[0].parse().expect("a number")).collect();
    let missing: Vec<_> = known.committed.difference(&found).collect();
    assert!(missing.is_empty(), "member 5 lacks acknowledged rows {missing:?}");
}

/// A member that was away while the log was purged comes back through a checkpoint; one whose log is damaged in its
/// middle gets what is lost from the others.
#[test]
fn a_member_far_behind_and_one_with_a_damaged_log_come_back() {
    let mut group = Group::form("behind", Settings { members: 3, sync: 1, more: SMALL, ..Settings::default() });
    make_table(&group);
    fill(&group, 1, 200);
    let away = group.await_primary(&[1, 2, 3]) % 3 + 1;
    group.member(away).kill();
    fill(&group, 201, 5000);
    let others: Vec<u16> = (1..=3).filter(|&number| number != away).collect();
    others.iter().for_each(|&number| await_purged(&group.members[usize::from(number) - 1]));
    // What they purged of their files is in memory no more either.
    others.iter().for_each(|&number| group.member(number).kill());
    others.iter().for_each(|&number| group.member(number).start());
    group.await_online(&others);
    group.member(away).start();
    group.member(away).await_log("the state of the group at index");
    group.await_online(&[1, 2, 3]);
    group.assert_equal(&[1, 2, 3], &["test.big"]);

    fill(&group, 10_001, 100);
    group.assert_equal(&[1, 2, 3], &["test.big"]);
    let member = group.member(away);
    member.kill();
    let segment = member.data().join("group_log").join(first_segment(member));
    let mut bytes = std::fs::read(&segment).expect("a segment can be read");
    // Behind the segment's header: in the first frame's body.
    bytes[4096 + 200] ^= 1;
    std::fs::write(&segment, bytes).expect("a scratch directory takes files");
    member.start();
    member.await_log("what is lost is fetched from the group");
    group.await_online(&[1, 2, 3]);
    group.assert_equal(&[1, 2, 3], &["test.big"]);
}
