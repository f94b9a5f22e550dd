//! Cuts, rotation, purging and restarts: what was dropped never comes back, and what was not stays.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod common;

use common::{Picture, Rng, TempDir, contents, frame, open, options, payload};
use engine_log::{Base, Log, LogError, LogOptions, SegmentNumber, Tail};
use std::collections::BTreeSet;
use wire::id::{Ballot, Incarnation, Index};

fn append(log: &mut Log, round: u64, seed: u64, bytes: usize) -> Vec<u8> {
    let frame = frame(log, round, &[&payload(seed, bytes)]);
    log.append(&frame).unwrap();
    frame.bytes().to_vec()
}

#[test]
fn a_cut_is_done_once_whenever_the_process_ends() {
    for (frames, cut_at, bytes) in
        [(6, 3, 500), (6, 0, 500), (6, 6, 500), (9, 5, 300_000), (9, 3, 300_000), (9, 0, 300_000)]
    {
        let dir = TempDir::in_memory();
        let (mut log, _) = open(dir.path(), true);
        let old: Vec<_> = (0..frames).map(|seed| append(&mut log, 1, seed, bytes)).collect();
        log.sync_now().unwrap();
        let kept = &old[..cut_at as usize];
        let before = Picture::take(dir.path());
        let cut = log.cut_point(Index(cut_at)).unwrap();
        log.cut_after(cut).unwrap();
        assert_eq!((contents(&log), log.last_index()), (kept.to_vec(), Index(cut_at)));
        let after = Picture::take(dir.path());
        let new = append(&mut log, 2, 77, 200);
        drop(log);
        let written = Picture::take(dir.path());
        let with_new = [kept, &[new]].concat();
        let recorded = LogOptions { cut: Some(cut), ..options(true) };
        let check = |picture: &[&Picture], options: LogOptions, expected: &[Vec<u8>], done: bool| {
            picture[0].restore(dir.path());
            picture[1..].iter().for_each(|more| more.add_to(dir.path()));
            let (mut log, recovered) = Log::open(dir.path(), options).unwrap();
            assert_eq!((recovered.tail, recovered.cut_done), (Tail::Clean, done));
            assert_eq!(contents(&log), expected, "{frames} frames cut after {cut_at}");
            // And again, with the record still there, after going on.
            let more = append(&mut log, 3, 78, 1000);
            drop(log);
            let (log, recovered) = Log::open(dir.path(), options).unwrap();
            assert_eq!((recovered.tail, recovered.cut_done), (Tail::Clean, false));
            assert_eq!(contents(&log), [expected, &[more]].concat());
        };
        // Recorded, not begun.
        check(&[&before], recorded, kept, true);
        // Begun; none, or all, of the old segments removed.
        check(&[&after], recorded, kept, false);
        check(&[&before, &after], recorded, kept, false);
        check(&[&before, &after], options(true), kept, false);
        // Long done.
        check(&[&written], recorded, &with_new, false);
        check(&[&before, &written], options(true), &with_new, false);
    }
}

#[test]
fn a_recorded_cut_outranks_what_old_frames_call_synced() {
    // The cut frames are damaged: they are dead, whatever they say.
    let dir = TempDir::in_memory();
    let (mut log, _) = open(dir.path(), true);
    let old: Vec<_> = (0..9)
        .map(|seed| {
            let bytes = append(&mut log, 1, seed, 300_000);
            log.sync_now().unwrap();
            bytes
        })
        .collect();
    let cut = log.cut_point(Index(4)).unwrap();
    drop(log);
    let mut picture = Picture::take(dir.path());
    picture.file("0000000002.qlog", 0)[500_000..].fill(0);
    picture.file("0000000003.qlog", 0)[5_000] ^= 1;
    picture.restore(dir.path());
    let (log, recovered) = Log::open(dir.path(), LogOptions { cut: Some(cut), ..options(true) }).unwrap();
    assert_eq!((recovered.tail, recovered.cut_done), (Tail::Clean, true));
    assert_eq!(contents(&log), old[..4]);
}

#[test]
fn a_sync_begun_before_a_cut_says_nothing_of_what_follows_it() {
    let dir = TempDir::in_memory();
    let (mut log, _) = open(dir.path(), true);
    (0..5).for_each(|seed| drop(append(&mut log, 1, seed, 100)));
    let targets = log.sync_targets();
    assert_eq!((targets.files.len(), targets.up_to), (1, Index(5)));
    let cut = log.cut_point(Index(2)).unwrap();
    log.cut_after(cut).unwrap();
    (0..3).for_each(|seed| drop(append(&mut log, 2, seed, 100)));
    assert_eq!(log.synced(&targets), Index(0), "indexes 3 to 5 are other frames now");
    let targets = log.sync_targets();
    assert_eq!(targets.files.len(), 2, "what was kept and what is new");
    assert_eq!(log.synced(&targets), Index(5));
    assert!(log.sync_targets().files.is_empty());
}

#[test]
#[should_panic(expected = "cannot be cut")]
fn a_mapped_frame_is_never_cut() {
    let dir = TempDir::in_memory();
    let (mut log, _) = open(dir.path(), true);
    (0..5).for_each(|seed| drop(append(&mut log, 1, seed, 100)));
    log.map_slice(Index(4), Index(4)).unwrap();
    let cut = log.cut_point(Index(3)).unwrap();
    let _ = log.cut_after(cut);
}

#[test]
fn cuts_only_at_the_ends_of_frames_that_are_held() {
    let dir = TempDir::in_memory();
    let (mut log, _) = open(dir.path(), true);
    log.append(&frame(&log, 1, &[b"one", b"two", b"three"])).unwrap();
    log.append(&frame(&log, 1, &[b"four"])).unwrap();
    for index in [1, 2] {
        let error = log.cut_point(Index(index)).unwrap_err();
        assert!(matches!(error, LogError::NotBoundary { first: Index(1), last: Index(3), .. }), "{error}");
    }
    assert!(matches!(log.cut_point(Index(5)), Err(LogError::NotHeld { .. })));
    assert!(log.cut_point(Index(0)).is_ok() && log.cut_point(Index(3)).is_ok());
}

#[test]
fn a_log_restarted_after_a_checkpoint_forgets_all_before() {
    let dir = TempDir::in_memory();
    let (mut log, _) = open(dir.path(), true);
    (0..9).for_each(|seed| drop(append(&mut log, 1, seed, 300_000)));
    let before = Picture::take(dir.path());
    let base = Base { index: Index(500), chain: 77, ballot: Ballot { round: 4, node: Incarnation(1) } };
    log.restart_at(base, 3).unwrap();
    assert_eq!((log.first_index(), log.last_index(), log.end()), (Index(501), Index(500), base));
    assert_eq!(log.frame_end(Index(500)).unwrap().chain, 77);
    let new = append(&mut log, 5, 1, 100);
    drop(log);
    let after = Picture::take(dir.path());
    assert_eq!(after.0.len(), 1);
    for pictures in [vec![&after], vec![&before, &after]] {
        pictures[0].restore(dir.path());
        pictures[1..].iter().for_each(|picture| picture.add_to(dir.path()));
        let (log, recovered) = open(dir.path(), true);
        assert_eq!((recovered.tail, recovered.generation), (Tail::Clean, 3));
        assert_eq!(contents(&log), std::slice::from_ref(&new));
        assert_eq!(Picture::take(dir.path()).names(), after.names());
    }
}

#[test]
fn purging_removes_whole_segments_and_mapped_frames_outlive_it() {
    let dir = TempDir::in_memory();
    let (mut log, _) = open(dir.path(), true);
    let frames: Vec<_> = (0..9).map(|seed| append(&mut log, 1, seed, 300_000)).collect();
    let mapped = log.map_slice(Index(1), Index(9)).unwrap();
    assert_eq!(log.purge_before(Index(3)).unwrap(), 0, "index 3 lies in the first segment");
    assert_eq!(log.purge_before(Index(5)).unwrap(), 1 << 20);
    assert_eq!(log.first_index(), Index(4));
    assert_eq!(mapped.to_frame().unwrap().bytes(), frames[0]);
    assert!(matches!(log.frame_at(Index(3)), Err(LogError::NotHeld { .. })));
    log.purge_before(Index(100)).unwrap();
    assert_eq!(log.first_index(), Index(7), "the segment that is appended to stays");
    drop(log);
    let (log, recovered) = open(dir.path(), true);
    assert_eq!((recovered.first, recovered.last, recovered.tail), (Index(7), Index(9), Tail::Clean));
    assert_eq!(contents(&log), frames[6..]);
}

#[test]
fn a_frame_larger_than_a_segment_gets_its_own() {
    let dir = TempDir::in_memory();
    for sync in [true, false] {
        Picture(Vec::new()).restore(dir.path());
        let (mut log, _) = open(dir.path(), sync);
        log.prepare_next().unwrap();
        let frames: Vec<_> = [3 << 20, 100, 5 << 20, 100]
            .iter()
            .zip(0..)
            .map(|(&bytes, seed)| append(&mut log, 1, seed, bytes))
            .collect();
        assert_eq!(contents(&log), frames);
        for index in 1..=4 {
            assert_eq!(
                log.map_slice(Index(index), Index(4)).unwrap().to_frame().unwrap().bytes(),
                frames[index as usize - 1]
            );
        }
        drop(log);
        let (log, recovered) = open(dir.path(), sync);
        assert_eq!((recovered.tail, contents(&log)), (Tail::Clean, frames));
    }
}

#[test]
fn only_whole_decided_frames_are_mapped() {
    let dir = TempDir::in_memory();
    let (mut log, _) = open(dir.path(), false);
    log.append(&frame(&log, 1, &[b"one", b"two"])).unwrap();
    let log = std::sync::Mutex::new(log);
    for (index, decided) in [(2, 1), (1, 1), (1, 0)] {
        let attempt = std::panic::catch_unwind(|| {
            let log = log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            drop(log.map_slice(Index(index), Index(decided)));
        });
        assert!(attempt.is_err(), "{index} of {decided}");
    }
    let log = log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mapped = log.map_slice(Index(1), Index(2)).unwrap();
    assert_eq!(mapped.entries().count(), 2);
    assert_eq!(mapped.body().as_ptr().addr() % 16, 0);
}

#[test]
fn what_does_not_continue_the_log_is_our_own_bug() {
    let dir = TempDir::in_memory();
    let (mut log, _) = open(dir.path(), true);
    let first = frame(&log, 5, &[b"one"]);
    log.append(&first).unwrap();
    let lower = frame(&log, 4, &[b"two"]);
    let boastful = frame(&log, 5, &[b"two"]).stamped(Index(0), Index(1));
    for (what, bad) in [("again", first), ("a lower ballot", lower), ("claims a sync", boastful)] {
        let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| log.append(&bad)));
        assert!(attempt.is_err(), "{what}");
    }
    assert_eq!(log.last_index(), Index(1));
}

/// Random appends, cuts, syncs, purges, changes of mode and reopenings against a list of frames.
#[test]
fn a_log_is_a_list_of_frames() {
    for seed in 1..=12 {
        let dir = TempDir::in_memory();
        let mut rng = Rng(seed * 7919);
        let mut model: Vec<Vec<u8>> = Vec::new();
        let mut ends: Vec<u64> = Vec::new();
        let mut sync = seed % 2 == 0;
        let (mut log, _) = open(dir.path(), sync);
        let (mut round, mut decided) = (1, 0);
        for _ in 0..150 {
            match rng.below(20) {
                0..=11 => {
                    let entries = 1 + rng.below(4);
                    let bytes = if rng.below(4) == 0 { rng.below(400_000) } else { rng.below(900) };
                    let payloads: Vec<_> = (0..entries).map(|_| payload(rng.next(), bytes as usize)).collect();
                    let payloads: Vec<_> = payloads.iter().map(Vec::as_slice).collect();
                    let frame = frame(&log, round, &payloads);
                    log.append(&frame).unwrap();
                    model.push(frame.bytes().to_vec());
                    ends.push(frame.header().last().0);
                }
                12 => log.sync_now().unwrap(),
                13 => log.prepare_next().unwrap(),
                14 => {
                    sync = rng.below(2) == 0;
                    log.set_sync(sync);
                }
                15 => {
                    let keep = rng.below(ends.len() as u64 + 1) as usize;
                    let index = if keep == 0 { log.first_index().0 - 1 } else { ends[keep - 1] };
                    if index >= decided {
                        let cut = log.cut_point(Index(index)).unwrap();
                        log.cut_after(cut).unwrap();
                        model.truncate(keep);
                        ends.truncate(keep);
                        round += 1;
                    }
                }
                16 => {
                    let before = log.first_index().0 + rng.below(10);
                    log.purge_before(Index(before)).unwrap();
                    let gone = ends.partition_point(|&end| end < log.first_index().0);
                    model.drain(..gone);
                    ends.drain(..gone);
                }
                17 => {
                    // Learn a decision and read it in place, here and there.
                    decided = decided.max(ends.get(rng.below(8) as usize).copied().unwrap_or(decided));
                    for (frame, &end) in model.iter().zip(&ends).filter(|&(_, &end)| end <= decided) {
                        let mapped = log.map_slice(Index(end), Index(decided)).unwrap();
                        assert_eq!(mapped.to_frame().unwrap().bytes(), frame);
                    }
                }
                _ => {
                    drop(log);
                    let recovered;
                    (log, recovered) = open(dir.path(), sync);
                    assert_eq!(recovered.tail, Tail::Clean, "seed {seed}");
                    assert_eq!(log.synced_index(), log.last_index());
                }
            }
            assert_eq!(contents(&log), model, "seed {seed}");
        }
        let numbers: BTreeSet<_> = Picture::take(dir.path()).names().into_iter().map(str::to_owned).collect();
        assert!(numbers.len() as u64 <= log.file_bytes() / (1 << 20) + 1, "nothing dead is left: {numbers:?}");
    }
}

#[test]
fn frames_that_only_the_page_cache_may_hold_are_rewritten() {
    for (sync, from) in [(true, Some(Index(5))), (false, Some(Index(3)))] {
        let dir = TempDir::in_memory();
        let (mut log, _) = open(dir.path(), sync);
        for seed in 1..=5 {
            // What each calls synced is true: on disk, or with `sync_binlog=0` in the page cache.
            let claim = Index(seed - 1);
            log.append(&frame(&log, 1, &[&payload(seed, 100)]).stamped(Index(0), claim)).unwrap();
            if sync || seed == 2 {
                log.sync_now().unwrap();
            }
        }
        // A full segment's successor says what the disk has, in either mode.
        log.append(&frame(&log, 1, &[&payload(6, 2 << 20)])).unwrap();
        let (last, synced) = (log.last_index(), log.synced_index());
        assert_eq!((last, synced), (Index(6), Index(if sync { 5 } else { 2 })));
        drop(log);
        let look = LogOptions { rewrite_unsynced: false, ..options(sync) };
        let (log, recovered) = Log::open(dir.path(), look).unwrap();
        assert_eq!((recovered.rewritten_from, log.synced_index()), (None, synced));
        drop(log);
        let (log, recovered) = open(dir.path(), sync);
        assert_eq!(recovered.rewritten_from, from.map(|from| from.max(synced.next())));
        assert_eq!((log.synced_index(), log.last_index()), (last, last));
    }
}

#[test]
fn segments_keep_their_names() {
    assert_eq!(SegmentNumber(42).to_string(), "0000000042.qlog");
    fn sendable<T: Send>() {}
    fn shareable<T: Send + Sync>() {}
    sendable::<Log>();
    shareable::<engine_log::MappedFrame>();
    shareable::<engine_log::Spare>();
}

/// Zeros are written ahead when a log is opened and once its last segment is used a little, not when it was just begun.
#[test]
fn a_spare_is_wanted_when_there_is_use_for_it() {
    let dir = TempDir::in_memory();
    let (mut log, _) = open(dir.path(), true);
    let request = log.spare_request().unwrap();
    assert!(log.spare_request().is_none(), "one at a time");
    log.adopt_spare(request.create()).unwrap();
    log.restart_at(Base { index: Index(7), chain: 1, ballot: Ballot::ZERO }, 1).unwrap();
    assert!(log.spare_request().is_none(), "begun anew with the spare, and empty");
    let part = options(true).segment_bytes / 8;
    while log.spare_request().is_none() {
        let seed = log.last_index().0;
        append(&mut log, 1, seed, 20_000);
        assert!((log.last_index().0 - 7) * 20_000 < 2 * part, "wanted long before the segment is full");
    }
    assert!((log.last_index().0 - 7) * 21_000 > part, "not before an eighth is used");
}
