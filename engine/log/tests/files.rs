//! The vote file, the local journal and the directory lock under every torn write and every damage.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod common;

use common::{Picture, TempDir, payload};
use engine_log::{
    Cut, DirectoryLock, Journal, LOCK_FILE, LogError, SegmentNumber, VoteFile, VoteRecord, require_empty_directory,
};
use wire::id::{Ballot, Incarnation, Index, Run};

fn record(round: u64) -> VoteRecord {
    VoteRecord {
        promised: Ballot { round, node: Incarnation(3) },
        run: Run(round << 32),
        voter: true,
        cut: Some(Cut { index: Index(round), segment: SegmentNumber(1), offset: 4096, fresh: SegmentNumber(2) }),
        ..VoteRecord::default()
    }
}

#[test]
fn what_was_stored_is_answered_after_any_harm_to_one_slot() {
    let dir = TempDir::in_memory();
    let path = dir.path().join("vote");
    let (mut votes, found) = VoteFile::open(&path).unwrap();
    assert_eq!(found, None);
    for round in 1..=3 {
        votes.store(&record(round)).unwrap();
    }
    drop(votes);
    let good = Picture::take(dir.path());
    for slot in [0, 4096] {
        // The record is short: each byte of it, and one in a hundred of the rest.
        for at in (0..200).chain((200..4096).step_by(100)) {
            let mut picture = good.clone();
            picture.file("vote", 8192)[slot + at] ^= 0x10;
            picture.restore(dir.path());
            assert_eq!(VoteFile::open(&path).unwrap().1, Some(record(3)), "byte {}", slot + at);
            // Opening has healed it: now the other slot may come to harm.
            let mut picture = Picture::take(dir.path());
            picture.file("vote", 8192)[4096 - slot + 20] ^= 1;
            picture.restore(dir.path());
            assert_eq!(VoteFile::open(&path).unwrap().1, Some(record(3)));
        }
    }
}

#[test]
fn a_torn_store_leaves_the_old_or_the_new_record() {
    let dir = TempDir::in_memory();
    let path = dir.path().join("vote");
    let (mut votes, _) = VoteFile::open(&path).unwrap();
    votes.store(&record(1)).unwrap();
    let mut old = Picture::take(dir.path());
    votes.store(&record(2)).unwrap();
    let mut new = Picture::take(dir.path());
    let (old, new) = (old.file("vote", 8192).clone(), new.file("vote", 8192).clone());
    // Stopped in the first slot, then in the second, after any byte.
    for done in 0..=8192 {
        if done % 4096 > 200 && done % 97 != 0 {
            continue;
        }
        std::fs::write(&path, [&new[..done], &old[done..]].concat()).unwrap();
        let (_, found) = VoteFile::open(&path).unwrap();
        let expected = if found == Some(record(1)) { done < 4096 } else { found == Some(record(2)) && done > 0 };
        assert!(expected, "after {done} bytes: {found:?}");
    }
}

#[test]
fn a_vote_file_without_a_good_slot_is_unsure() {
    let dir = TempDir::in_memory();
    let path = dir.path().join("vote");
    let (mut votes, _) = VoteFile::open(&path).unwrap();
    votes.store(&record(1)).unwrap();
    let good = std::fs::read(&path).unwrap();
    let mut both = good.clone();
    (both[30], both[4096 + 30]) = (!both[30], !both[4096 + 30]);
    for bad in [both, Vec::new(), vec![0; 8192], good[..4000].to_vec(), payload(1, 8192)] {
        std::fs::write(&path, &bad).unwrap();
        let error = VoteFile::open(&path).unwrap_err();
        assert!(matches!(error, LogError::Unsure { .. }), "{error}");
        assert!(error.to_string().contains("slot 0") && error.to_string().contains("slot 1"), "{error}");
    }
    std::fs::write(&path, &good[..4096]).unwrap();
    assert_eq!(VoteFile::open(&path).unwrap().1, Some(record(1)), "one slot is enough");
}

fn journal_of(dir: &TempDir, records: &[Vec<u8>]) -> Vec<usize> {
    let path = dir.path().join("journal");
    let (mut journal, found, torn) = Journal::open(&path).unwrap();
    assert!(found.is_empty() && !torn);
    let mut ends = vec![16];
    for record in records {
        journal.append(record).unwrap();
        ends.push(Picture::take(dir.path()).0[0].1.len().next_multiple_of(16));
    }
    ends
}

#[test]
fn a_torn_record_is_cut_and_every_other_harm_is_named() {
    let dir = TempDir::in_memory();
    let path = dir.path().join("journal");
    let mut last = payload(9, 700);
    last.extend([0; 600]);
    last.push(1);
    let records = vec![payload(1, 100), payload(2, 3000), payload(3, 1), last];
    let ends = journal_of(&dir, &records);
    let good = Picture::take(dir.path());
    let start = ends[3];

    for at in 0..ends[4] {
        let mut picture = good.clone();
        let bytes = picture.file("journal", ends[4]);
        bytes[at] ^= 4;
        picture.restore(dir.path());
        if (12..16).contains(&at) {
            continue;
        }
        let error = Journal::open(&path).unwrap_err();
        let begins = if at < 16 { 0 } else { ends.iter().rposition(|&end| end <= at).map_or(0, |before| ends[before]) };
        match error {
            LogError::Journal { offset, .. } => assert_eq!(offset as usize, begins, "byte {at}"),
            LogError::Version { .. } => assert!((8..12).contains(&at)),
            other => panic!("byte {at}: {other}"),
        }
    }

    let sectors: Vec<usize> = (start / 512..ends[4].div_ceil(512)).collect();
    for missing in 0..1_u32 << sectors.len() {
        let mut picture = good.clone();
        let bytes = picture.file("journal", ends[4]);
        let before = bytes.clone();
        for (_, sector) in sectors.iter().enumerate().filter(|(at, _)| missing >> at & 1 == 1) {
            bytes[(sector * 512).max(start)..(sector * 512 + 512).min(ends[4])].fill(0);
        }
        let intact = before == *bytes;
        let gone = bytes[start..].iter().all(|&byte| byte == 0);
        picture.restore(dir.path());
        let (mut journal, found, torn) = Journal::open(&path).unwrap();
        assert_eq!(torn, !intact && !gone, "missing {missing:b}");
        assert_eq!(found, records[..if intact { 4 } else { 3 }]);
        journal.append(b"more").unwrap();
        drop(journal);
        let (_, found, torn) = Journal::open(&path).unwrap();
        assert_eq!((found.last().map(Vec::as_slice), torn), (Some(&b"more"[..]), false));
    }

    // A missing sector is no excuse before another record.
    let mut picture = good.clone();
    picture.file("journal", ends[4])[1024..1536].fill(0);
    picture.restore(dir.path());
    assert!(matches!(Journal::open(&path), Err(LogError::Journal { .. })));

    for length in (0..ends[4] + 100).step_by(7) {
        let mut picture = good.clone();
        picture.0[0].1.truncate(length);
        picture.0[0].2 = length as u64;
        picture.restore(dir.path());
        assert!(matches!(Journal::open(&path), Err(LogError::Journal { .. })), "shortened to {length}");
    }
}

#[test]
fn a_journal_grows_and_keeps_its_records() {
    let dir = TempDir::in_memory();
    let path = dir.path().join("journal");
    let mut records = Vec::new();
    for turn in 0..20 {
        let (mut journal, found, torn) = Journal::open(&path).unwrap();
        assert_eq!((&found, torn), (&records, false));
        for size in [1, 16, 9_000, 70_000] {
            records.push(payload(turn, size + turn as usize));
            journal.append(&records[records.len() - 1]).unwrap();
        }
        assert_eq!(journal.len(), records.len() as u64);
    }
    let (mut journal, ..) = Journal::open(&path).unwrap();
    assert!(matches!(journal.append(&[]), Err(LogError::JournalRecordBytes { found: 0, .. })));
    assert!(matches!(journal.append(&vec![0; (16 << 20) + 1]), Err(LogError::JournalRecordBytes { .. })));
}

#[test]
fn a_directory_has_one_owner_and_must_be_one() {
    let dir = TempDir::new();
    let missing = dir.path().join("none");
    assert!(matches!(DirectoryLock::acquire(&missing), Err(LogError::MissingDirectory { .. })));
    assert!(matches!(require_empty_directory(&missing), Err(LogError::MissingDirectory { .. })));
    require_empty_directory(dir.path()).unwrap();

    let lock = DirectoryLock::acquire(dir.path()).unwrap();
    let error = DirectoryLock::acquire(dir.path()).unwrap_err();
    assert!(matches!(error, LogError::Locked { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
    assert!(error.to_string().contains(&std::process::id().to_string()));
    drop(lock);
    drop(DirectoryLock::acquire(dir.path()).unwrap());

    let error = require_empty_directory(dir.path()).unwrap_err();
    assert!(matches!(&error, LogError::NotEmpty { found, .. } if found == LOCK_FILE), "{error}");
    let file = dir.path().join(LOCK_FILE);
    assert!(matches!(DirectoryLock::acquire(&file), Err(LogError::NotDirectory { .. })));
    assert!(matches!(DirectoryLock::acquire(&file.join("x")), Err(LogError::NotDirectory { .. })));
    // Nobody, not even root, makes files there.
    let error = DirectoryLock::acquire(std::path::Path::new("/sys")).unwrap_err();
    assert!(matches!(error, LogError::Unwritable { .. }), "{error}");
}
