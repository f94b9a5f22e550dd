//! Checkpoint files: whole or not there; any changed byte is noticed; a full disk is named and harms nothing.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod common;

use common::TempDir;
use engine_log::{Base, CheckpointFile, Checkpoints, LogError};
use wire::id::{Ballot, Incarnation, Index};

fn base(index: u64) -> Base {
    Base { index: Index(index), chain: index * 31, ballot: Ballot { round: 3, node: Incarnation(9) } }
}

fn blocks(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|n| vec![n; 100 + usize::from(n) * 7]).collect()
}

fn write(checkpoints: &mut Checkpoints, index: u64, incoming: bool) {
    let mut writer = checkpoints.begin(base(index), incoming).unwrap();
    for block in blocks(5) {
        writer.append(&block).unwrap();
    }
    assert_eq!(writer.complete().unwrap(), Index(index));
    if !incoming {
        checkpoints.note(Index(index));
    }
}

fn read_all(file: &CheckpointFile) -> Result<Vec<Vec<u8>>, LogError> {
    let mut all = Vec::new();
    while let Some(block) = file.block(all.len() as u64)? {
        all.push(block);
    }
    Ok(all)
}

#[test]
fn what_is_written_is_read_and_survives_a_restart() {
    let dir = TempDir::new();
    let mut checkpoints = Checkpoints::open(dir.path()).unwrap();
    write(&mut checkpoints, 7, false);
    write(&mut checkpoints, 70, false);
    let again = Checkpoints::open(dir.path()).unwrap();
    assert_eq!(again.stored(), [Index(7), Index(70)]);
    let file = again.read(Index(70)).unwrap();
    assert_eq!((file.base(), file.blocks()), (base(70), 5));
    assert_eq!(read_all(&file).unwrap(), blocks(5));
    checkpoints.retain(|index| index == Index(70)).unwrap();
    assert_eq!(Checkpoints::open(dir.path()).unwrap().stored(), [Index(70)]);
}

#[test]
fn one_that_was_not_finished_is_not_there() {
    let dir = TempDir::new();
    let checkpoints = Checkpoints::open(dir.path()).unwrap();
    let mut writer = checkpoints.begin(base(7), false).unwrap();
    writer.append(b"half").unwrap();
    writer.finish().unwrap();
    // The process ends before the name is given.
    std::mem::forget(writer);
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_some());
    assert!(Checkpoints::open(dir.path()).unwrap().stored().is_empty());
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "what is left over is removed");
}

#[test]
fn one_from_a_peer_counts_once_it_is_adopted() {
    let dir = TempDir::new();
    let mut checkpoints = Checkpoints::open(dir.path()).unwrap();
    write(&mut checkpoints, 7, false);
    write(&mut checkpoints, 90, true);
    let mut again = Checkpoints::open(dir.path()).unwrap();
    assert_eq!(again.stored(), [Index(7)]);
    assert_eq!(again.read_incoming().unwrap().base(), base(90));
    again.adopt_incoming(Index(90)).unwrap();
    assert_eq!(Checkpoints::open(dir.path()).unwrap().stored(), [Index(90)]);
    assert_eq!(read_all(&again.read(Index(90)).unwrap()).unwrap(), blocks(5));
}

/// Each byte of the file changed in turn, and the file shortened: never read as good.
#[test]
fn any_changed_byte_is_noticed() {
    let dir = TempDir::in_memory();
    let mut checkpoints = Checkpoints::open(dir.path()).unwrap();
    write(&mut checkpoints, 7, false);
    let path = dir.path().join(format!("{:020}.qckp", 7));
    let good = std::fs::read(&path).unwrap();
    let verdict = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        checkpoints.read(Index(7)).and_then(|file| read_all(&file))
    };
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        match verdict(&bad) {
            Err(LogError::Checkpoint { .. } | LogError::Version { .. }) => {}
            other => panic!("byte {at} of {}: {other:?}", good.len()),
        }
    }
    for length in 0..good.len() {
        assert!(matches!(verdict(&good[..length]), Err(LogError::Checkpoint { .. })), "{length} bytes");
    }
    // Two blocks of the same length in each other's place would have each other's hash.
    assert_eq!(verdict(&good).unwrap(), blocks(5));
}

/// `/dev/full` is a disk without room.
#[test]
fn a_full_disk_is_named_and_leaves_nothing_behind() {
    let dir = TempDir::new();
    let checkpoints = Checkpoints::open(dir.path()).unwrap();
    let name = dir.path().join(format!("{:020}.qckp.0.tmp", 7));
    std::os::unix::fs::symlink("/dev/full", &name).unwrap();
    match checkpoints.begin(base(7), false) {
        Err(LogError::DiskFull { path, needed, .. }) => assert_eq!((path, needed), (name, 64)),
        other => panic!("{other:?}"),
    }
    assert!(Checkpoints::open(dir.path()).unwrap().stored().is_empty());
}
