//! Checkpoints and recovery of real processes: restarts from a checkpoint, damaged files, members that join a group
//! whose log is purged.

use std::path::PathBuf;
use tests::process::{Group, Member, Settings, wait_for};

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
