//! What only real processes can show: kills at any moment, a full disk, a lock held by another.
//!
//! Each test runs this binary again with `QUORATE_LOG_CHILD` set; [`child`] is what then runs.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod common;

use common::{TempDir, contents, frame, open, payload};
use engine_log::{DirectoryLock, Journal, Log, LogError, Tail, VoteFile, VoteRecord};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use wire::id::Index;

const ROLE: &str = "QUORATE_LOG_CHILD";
const DIR: &str = "QUORATE_LOG_DIR";

fn start(role: &str, dir: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// Lines that the child says, without those of the test harness.
fn said(out: impl BufRead) -> impl Iterator<Item = String> {
    out.lines().map_while(Result::ok).filter_map(|line| line.split_once("said ").map(|(_, word)| word.to_owned()))
}

fn say(word: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "said {word}").unwrap();
    out.flush().unwrap();
}

/// Not a test by itself: the other half of those below.
#[test]
fn child() {
    let (Ok(role), Ok(dir)) = (std::env::var(ROLE), std::env::var(DIR).map(PathBuf::from)) else { return };
    match role.as_str() {
        "append-synced" => append_for_ever(&dir, true),
        "append-mapped" => append_for_ever(&dir, false),
        "cut" => cut_for_ever(&dir),
        "vote" => vote_for_ever(&dir),
        "journal" => journal_for_ever(&dir),
        "lock" => {
            let _lock = DirectoryLock::acquire(&dir).unwrap();
            say("locked");
            // Until killed.
            let _ = std::io::stdin().read_line(&mut String::new());
        }
        "full" => fill(&dir),
        other => panic!("no role {other}"),
    }
}

fn append_for_ever(dir: &Path, sync: bool) {
    let (mut log, _) = open(dir, sync);
    for seed in log.last_index().0.. {
        log.append(&frame(&log, 1, &[&payload(seed, 40_000 * (seed as usize % 7 / 6) + 200)])).unwrap();
        if sync {
            log.sync_now().unwrap();
        }
        say(log.last_index());
    }
}

/// Keeps cutting its last frame and writing another, as a follower of ever new leaders would.
fn cut_for_ever(dir: &Path) {
    let (mut votes, record) = VoteFile::open(&dir.join("vote")).unwrap();
    let mut record = record.unwrap_or_default();
    let options = engine_log::LogOptions { cut: record.cut, ..common::options(false) };
    let (mut log, recovered) = Log::open(dir, options).unwrap();
    assert!(!matches!(recovered.tail, Tail::Corrupt { .. }), "{}", recovered.tail);
    if log.last_index() == Index(0) {
        log.append(&frame(&log, 1, &[&payload(0, 100)])).unwrap();
    }
    let last = log.last_index();
    if log.frame_at(last).unwrap().bytes().windows(7).any(|bytes| bytes == b"dropped") {
        // It was killed before it recorded the cut.
        let cut = log.cut_point(Index(last.0 - 1)).unwrap();
        record.cut = Some(cut);
        votes.store(&record).unwrap();
        log.cut_after(cut).unwrap();
    }
    for round in log.last_ballot().round + 1.. {
        let kept = log.last_index();
        log.append(&frame(&log, round, &[b"dropped"])).unwrap();
        let cut = log.cut_point(kept).unwrap();
        record.cut = Some(cut);
        votes.store(&record).unwrap();
        log.cut_after(cut).unwrap();
        say(format!("cut {kept}"));
        log.append(&frame(&log, round, &[&payload(round, 300)])).unwrap();
        say(log.last_index());
    }
}

fn vote_for_ever(dir: &Path) {
    let (mut votes, record) = VoteFile::open(&dir.join("vote")).unwrap();
    let mut record: VoteRecord = record.unwrap_or_default();
    loop {
        record.promised.round += 1;
        votes.store(&record).unwrap();
        say(record.promised.round);
    }
}

fn journal_for_ever(dir: &Path) {
    let (mut journal, ..) = Journal::open(&dir.join("journal")).unwrap();
    loop {
        let number = journal.len() + 1;
        journal.append(&payload(number, number as usize % 5_000 + 1)).unwrap();
        say(number);
    }
}

/// Runs `role`, kills it after some words, and hands the last word to `check`; again and again.
fn kill_often(role: &str, mut check: impl FnMut(&Path, &[String])) {
    let dir = TempDir::new();
    for turn in 0..8 {
        let (mut child, out) = start(role, dir.path());
        let mut words: Vec<String> = Vec::new();
        let mut out = said(out);
        words.extend(out.by_ref().take(1 + turn * 13 % 41));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said while it died counts as well.
        words.extend(out);
        assert!(!words.is_empty(), "turn {turn}: the child said nothing");
        check(dir.path(), &words);
    }
}

#[test]
fn all_that_was_appended_is_there_after_a_kill() {
    for (role, sync) in [("append-synced", true), ("append-mapped", false)] {
        kill_often(role, |dir, words| {
            let said: u64 = words.last().unwrap().parse().unwrap();
            let (log, recovered) = open(dir, sync);
            assert!(!matches!(recovered.tail, Tail::Corrupt { .. }), "{role}: {}", recovered.tail);
            assert!(recovered.last >= Index(said), "{role}: said {said}, found {}", recovered.last);
            assert!(recovered.last <= Index(said + 1), "{role}: it says each");
            assert_eq!(contents(&log).len() as u64, recovered.last.0);
        });
    }
}

#[test]
fn a_cut_survives_a_kill_and_old_frames_do_not() {
    kill_often("cut", |dir, words| {
        let (_, record) = VoteFile::open(&dir.join("vote")).unwrap();
        let options = engine_log::LogOptions { cut: record.unwrap().cut, ..common::options(false) };
        let (log, recovered) = Log::open(dir, options).unwrap();
        assert!(!matches!(recovered.tail, Tail::Corrupt { .. }), "{}", recovered.tail);
        let said: Vec<u64> = words.iter().filter_map(|word| word.parse().ok()).collect();
        assert!(said.last().is_none_or(|&said| recovered.last >= Index(said)), "{words:?}, found {}", recovered.last);
        for frame in contents(&log).iter().rev().skip(1) {
            assert!(!frame.windows(7).any(|bytes| bytes == b"dropped"), "a dropped frame is back");
        }
    });
}

#[test]
fn votes_and_journal_survive_kills() {
    kill_often("vote", |dir, words| {
        let said: u64 = words.last().unwrap().parse().unwrap();
        let (_, record) = VoteFile::open(&dir.join("vote")).unwrap();
        let found = record.unwrap().promised.round;
        assert!(found == said || found == said + 1, "said {said}, found {found}");
    });
    kill_often("journal", |dir, words| {
        let said: u64 = words.last().unwrap().parse().unwrap();
        let (_, records, _) = Journal::open(&dir.join("journal")).unwrap();
        assert!(records.len() as u64 == said || records.len() as u64 == said + 1);
        for (number, record) in (1..).zip(&records) {
            assert_eq!(*record, payload(number, number as usize % 5_000 + 1));
        }
    });
}

#[test]
fn a_lock_ends_with_its_process() {
    let dir = TempDir::new();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]).env(ROLE, "lock").env(DIR, dir.path());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    assert_eq!(said(out).next().as_deref(), Some("locked"));
    let error = DirectoryLock::acquire(dir.path()).unwrap_err();
    assert!(matches!(error, LogError::Locked { pid: Some(pid), .. } if pid == child.id()), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    DirectoryLock::acquire(dir.path()).unwrap();
}

/// Runs out of room, which a limit on the size of files stands for.
fn fill(dir: &Path) {
    let limit = |bytes: Option<u64>| {
        let maximum = getrlimit(Resource::Fsize).maximum;
        setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
    };
    let full = |result: Result<(), LogError>| {
        let error = result.expect_err("no room");
        assert!(matches!(error, LogError::DiskFull { .. }), "{error}");
        assert!(error.to_string().contains("no room for"), "{error}");
    };
    limit(Some(300_000));
    full(Log::open(dir, common::options(true)).map(drop));
    limit(None);
    for sync in [true, false] {
        let (mut log, _) = open(dir, sync);
        limit(Some(1 << 20));
        let mut held = contents(&log);
        loop {
            // Larger than a segment: that needs one of its own size, which is above the limit.
            let small = frame(&log, 1, &[&payload(held.len() as u64, 200_000)]);
            if held.len() % 4 == 3 {
                let large = frame(&log, 1, &[&payload(1, 2 << 20)]);
                full(log.append(&large));
                full(log.append(&large));
            }
            log.append(&small).unwrap();
            held.push(small.bytes().to_vec());
            if held.len().is_multiple_of(8) {
                break;
            }
        }
        assert_eq!(contents(&log), held);
        limit(Some(4096));
        full(log.prepare_next());
        let cut = log.cut_point(Index(2)).unwrap();
        full(log.cut_after(cut));
        assert_eq!(contents(&log), held, "nothing has changed");
        limit(None);
        let large = frame(&log, 1, &[&payload(1, 2 << 20)]);
        log.append(&large).unwrap();
        held.push(large.bytes().to_vec());
        drop(log);
        let (log, recovered) = open(dir, sync);
        assert_eq!((recovered.tail, contents(&log)), (Tail::Clean, held));
    }
    let path = dir.join("journal");
    limit(Some(10_000));
    full(Journal::open(&path).map(drop));
    limit(Some(100_000));
    let (mut journal, ..) = Journal::open(&path).unwrap();
    journal.append(&[1; 60_000]).unwrap();
    full(journal.append(&[2; 60_000]));
    journal.append(&[3; 1_000]).unwrap();
    drop(journal);
    let (_, records, torn) = Journal::open(&path).unwrap();
    assert_eq!((records.len(), torn), (2, false));
    limit(Some(100));
    full(VoteFile::open(&dir.join("vote")).unwrap().0.store(&VoteRecord::default()));
    limit(None);
    say("done");
}

#[test]
fn a_full_disk_is_said_and_survived() {
    let dir = TempDir::new();
    let (mut child, out) = start("full", dir.path());
    let words: Vec<_> = said(out).collect();
    assert!(child.wait().unwrap().success());
    assert_eq!(words, ["done"]);
}
