//! What a start makes of every kind of damage and every torn write, exhaustively on small logs.
//!
//! Shown: nothing at or below the synced index is lost without being named; what a crash tore is cut and
//! nothing else; damage names segment and offset.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod common;

use common::{Picture, TempDir, contents, frame, open, options, payload};
use engine_log::{Log, LogError, SegmentNumber, Tail};
use std::path::Path;
use wire::frame::Frame;
use wire::id::Index;

const SEGMENT: &str = "0000000001.qlog";
const SECTOR: usize = 512;

/// A log of three synced frames and the unsynced ones of `batch`; and where these begin.
fn log_with(dir: &Path, sync: bool, batch: &[Vec<u8>]) -> (Vec<Vec<u8>>, Vec<usize>) {
    let (mut log, _) = open(dir, sync);
    for seed in 0..3 {
        log.append(&frame(&log, 1, &[&payload(seed, 90), &payload(seed + 100, 33)])).unwrap();
        log.sync_now().unwrap();
    }
    let mut begins = Vec::new();
    for payload in batch {
        begins.push(log.cut_point(log.last_index()).unwrap().offset as usize);
        // One frame says that the three are synced; none says so of the batch.
        log.append(&frame(&log, 1, &[payload])).unwrap();
    }
    begins.push(log.cut_point(log.last_index()).unwrap().offset as usize);
    (contents(&log), begins)
}

/// Opens a damaged log twice: the judgement of a torn tail must be the end of it.
fn judge(dir: &Path, picture: &Picture) -> (Tail, Vec<Vec<u8>>) {
    picture.restore(dir);
    let (log, recovered) = open(dir, true);
    let held = contents(&log);
    drop(log);
    let (mut log, again) = open(dir, true);
    match recovered.tail {
        Tail::Corrupt { .. } => {
            assert_eq!(again, recovered, "a damaged log stays as it is");
            let attempt = frame(&log, 9, &[b"more"]);
            assert!(matches!(log.append(&attempt), Err(LogError::Damaged { .. })));
        }
        _ => {
            assert_eq!(again.tail, Tail::Clean);
            assert_eq!(again.last, recovered.last);
            log.append(&frame(&log, 9, &[b"more"])).unwrap();
            drop(log);
            let (log, third) = open(dir, true);
            assert_eq!((third.tail, third.last), (Tail::Clean, recovered.last.next()));
            assert_eq!(contents(&log)[..held.len()], held);
        }
    }
    (recovered.tail, held)
}

#[test]
fn every_set_of_missing_sectors_of_an_unsynced_batch_is_cut() {
    // The second frame has sectors of zeros of its own, which are no proof of anything.
    let mut zeros = payload(7, 700);
    zeros.extend([0; 1100]);
    zeros.extend(payload(8, 200));
    for batch in [vec![payload(4, 400), zeros.clone(), payload(5, 100)], vec![zeros], vec![payload(6, 300); 6]] {
        let dir = TempDir::in_memory();
        let (frames, begins) = log_with(dir.path(), true, &batch);
        let (start, end) = (begins[0], begins[batch.len()]);
        let good = Picture::take(dir.path());
        let sectors: Vec<_> = (start / SECTOR..end.div_ceil(SECTOR)).collect();
        assert!(sectors.len() <= 10, "small enough to try all");
        for missing in 0..1_u32 << sectors.len() {
            let mut picture = good.clone();
            let bytes = picture.file(SEGMENT, end);
            let before = bytes.clone();
            for (at, sector) in sectors.iter().enumerate().filter(|(at, _)| missing >> at & 1 == 1) {
                let _ = at;
                let from = (sector * SECTOR).max(start);
                bytes[from..(sector * SECTOR + SECTOR).min(end)].fill(0);
            }
            let first_hit = (0..batch.len()).find(|&at| {
                let range = begins[at]..begins[at + 1];
                bytes[range.clone()] != before[range]
            });
            let expected_frames = 3 + first_hit.unwrap_or(batch.len());
            let expect_torn = first_hit.is_some_and(|at| bytes[begins[at]..].iter().any(|&byte| byte != 0));
            let (tail, held) = judge(dir.path(), &picture);
            assert_eq!(held, frames[..expected_frames], "missing {missing:b}");
            match tail {
                Tail::Torn { segment, offset, .. } => {
                    assert!(expect_torn, "missing {missing:b}");
                    assert_eq!(segment, SegmentNumber(1));
                    assert_eq!(offset as usize, begins[expected_frames - 3]);
                }
                Tail::Clean => assert!(!expect_torn, "missing {missing:b}"),
                Tail::Corrupt { .. } => panic!("missing {missing:b}: {tail}"),
            }
        }
    }
}

#[test]
fn every_changed_byte_of_the_last_frame_is_damage() {
    let dir = TempDir::in_memory();
    let mut data = payload(4, 600);
    data.extend([0; 1000]);
    let (frames, begins) = log_with(dir.path(), true, &[data]);
    let good = Picture::take(dir.path());
    for at in begins[0]..begins[1] {
        for change in [|byte: u8| byte ^ 1, |byte: u8| byte ^ 0x80, |_| 0, |_| 0xff] {
            let mut picture = good.clone();
            let bytes = picture.file(SEGMENT, begins[1]);
            let before = bytes[at];
            bytes[at] = change(before);
            let changed = bytes[at] != before;
            let (tail, held) = judge(dir.path(), &picture);
            if changed {
                // What a changed header says of the frames before it does not count.
                let synced = Index(if at < begins[0] + 80 { 4 } else { 6 });
                let (segment, offset) = (SegmentNumber(1), begins[0] as u64);
                assert_eq!(tail, Tail::Corrupt { segment, offset, index: Index(7), synced }, "byte {at}");
                assert_eq!(held, frames[..3], "byte {at}");
            } else {
                assert_eq!((tail, held.len()), (Tail::Clean, 4));
            }
        }
    }
}

#[test]
fn zeros_that_are_not_whole_sectors_are_damage() {
    let dir = TempDir::in_memory();
    // Leads that put the header within one sector, and across two.
    for lead in [100, 300, 330, 350, 500] {
        let (frames, begins) = log_with(dir.path(), true, &[payload(3, lead), payload(4, 900)]);
        let good = Picture::take(dir.path());
        let (start, end) = (begins[1], begins[2]);
        for (from, length) in
            (start..end).step_by(16).flat_map(|from| [8, 16, 48, 64, 72, 80, 200, 600].map(|length| (from, length)))
        {
            let mut picture = good.clone();
            let bytes = picture.file(SEGMENT, end);
            let until = (from + length).min(end);
            if bytes[from..until].iter().all(|&byte| byte == 0) {
                continue;
            }
            bytes[from..until].fill(0);
            // Only what is left of the sector need be zeroed: padding is zero anyway.
            let zeros =
                |at: usize| bytes[(at * SECTOR).max(start)..((at + 1) * SECTOR).min(end)].iter().all(|&b| b == 0);
            let whole_sector = (start / SECTOR..end.div_ceil(SECTOR)).any(zeros);
            let (tail, held) = judge(dir.path(), &picture);
            assert!(held == frames[..4]);
            match tail {
                Tail::Corrupt { offset, .. } => assert_eq!((offset as usize, whole_sector), (start, false)),
                Tail::Torn { .. } => assert!(whole_sector, "{from}..{until} of {start}..{end}"),
                Tail::Clean => panic!("{from}..{until} of {start}..{end}"),
            }
        }
        Picture(Vec::new()).restore(dir.path());
    }
}

#[test]
fn every_shortened_file_is_damage() {
    let dir = TempDir::in_memory();
    let (frames, begins) = log_with(dir.path(), true, &[payload(4, 600)]);
    let good = Picture::take(dir.path());
    let whole = good.0[0].2;
    let lengths = (0..4096).step_by(97).chain(4096..begins[1] as u64 + 100).chain([whole - 1]);
    for length in lengths {
        let mut picture = good.clone();
        picture.0[0].1.truncate(length as usize);
        picture.0[0].2 = length;
        let (tail, held) = judge(dir.path(), &picture);
        let Tail::Corrupt { segment, offset, .. } = tail else { panic!("{length}: {tail}") };
        assert_eq!(segment, SegmentNumber(1));
        assert_eq!(held, frames[..held.len()]);
        assert!(offset <= length, "{length}: the damage is named where it begins, not {offset}");
    }
}

#[test]
fn a_store_into_the_mapping_that_stopped_at_any_byte_is_cut() {
    let dir = TempDir::in_memory();
    for lead in [200, 265, 272, 288, 300, 330] {
        // Different leads put the frame at different places within its sector.
        let (frames, begins) = log_with(dir.path(), false, &[payload(3, lead), payload(4, 700)]);
        let good = Picture::take(dir.path());
        let (start, end) = (begins[1], begins[2]);
        // The order of the stores: the note, what lies between, the body, magic and length.
        let order: Vec<usize> = (72..80).chain(8..72).chain(80..end - start).chain(0..8).map(|at| start + at).collect();
        for done in (0..order.len()).filter(|&done| !(1..8).contains(&done) && done < order.len() - 7) {
            let mut picture = good.clone();
            let bytes = picture.file(SEGMENT, end);
            order[done..].iter().for_each(|&at| bytes[at] = 0);
            let (tail, held) = judge(dir.path(), &picture);
            let expected = if done == 0 { "clean" } else { "torn" };
            assert!(tail.to_string().starts_with(expected), "after {done}: {tail}");
            assert_eq!(held, frames[..4], "after {done}");
        }
        Picture(Vec::new()).restore(dir.path());
    }
}

#[test]
fn what_a_later_frame_calls_synced_is_never_cut() {
    let dir = TempDir::in_memory();
    let (mut log, _) = open(dir.path(), true);
    let mut begins = Vec::new();
    for seed in 0..6 {
        begins.push(log.cut_point(log.last_index()).unwrap().offset as usize);
        log.append(&frame(&log, 1, &[&payload(seed, 700)])).unwrap();
        log.sync_now().unwrap();
    }
    let end = log.cut_point(log.last_index()).unwrap().offset as usize;
    begins.push(end);
    let frames = contents(&log);
    drop(log);
    let good = Picture::take(dir.path());
    // Whole sectors of zeros, just as a torn write leaves them; and whole frames.
    let holes = (begins[0] / SECTOR..begins[5] / SECTOR)
        .map(|sector| (sector * SECTOR).max(begins[0])..(sector + 1) * SECTOR)
        .chain((0..5).map(|at| begins[at]..begins[at + 1]));
    for hole in holes {
        let mut picture = good.clone();
        picture.file(SEGMENT, end)[hole.clone()].fill(0);
        let first_bad = begins.iter().rposition(|&begin| begin <= hole.start).unwrap();
        let (tail, held) = judge(dir.path(), &picture);
        let expected = Tail::Corrupt {
            segment: SegmentNumber(1),
            offset: begins[first_bad] as u64,
            index: Index(first_bad as u64 + 1),
            synced: Index(5),
        };
        assert_eq!(tail, expected, "{hole:?}");
        assert_eq!(held, frames[..first_bad]);
    }
}

/// Three full segments with three frames of 300 kB each, and a fourth with one.
fn four_segments(dir: &Path) -> Vec<Vec<u8>> {
    let (mut log, _) = open(dir, true);
    for seed in 0..9 {
        log.append(&frame(&log, 1, &[&payload(seed, 300_000)])).unwrap();
    }
    log.sync_now().unwrap();
    log.append(&frame(&log, 1, &[&payload(99, 300_000)])).unwrap();
    contents(&log)
}

#[test]
fn damage_in_an_older_segment_names_it() {
    let dir = TempDir::in_memory();
    let frames = four_segments(dir.path());
    let good = Picture::take(dir.path());
    assert_eq!(good.names(), ["0000000001.qlog", "0000000002.qlog", "0000000003.qlog", "0000000004.qlog"]);
    type Harm = fn(&mut Picture);
    let cases: [(&str, Harm, u64, usize); 7] = [
        ("a flipped bit in the first segment", |p| p.file("0000000001.qlog", 0)[500_000] ^= 1, 1, 1),
        ("a flipped bit in the second", |p| p.file("0000000002.qlog", 0)[5000] ^= 1, 2, 3),
        ("zeros at the end of the first", |p| p.file("0000000001.qlog", 0)[700_000..].fill(0), 1, 2),
        ("the header of the second", |p| p.file("0000000002.qlog", 0)[40] ^= 1, 1, 3),
        ("the header of the last", |p| p.file("0000000004.qlog", 0)[40] ^= 1, 4, 9),
        ("the second is missing", |p| drop(p.0.remove(1)), 1, 3),
        ("the second is empty", |p| (p.0[1].1, p.0[1].2) = (Vec::new(), 0), 1, 3),
    ];
    for (name, harm, segment, held_frames) in cases {
        let mut picture = good.clone();
        harm(&mut picture);
        let (tail, held) = judge(dir.path(), &picture);
        let Tail::Corrupt { segment: found, index, .. } = tail else { panic!("{name}: {tail}") };
        assert_eq!(found, SegmentNumber(segment), "{name}");
        assert_eq!(held, frames[..held_frames], "{name}");
        assert_eq!(index, Index(held_frames as u64 + 1), "{name}");
    }
    // The header of the first: the rest can be read, but what lay before is not known.
    let mut picture = good.clone();
    picture.file("0000000001.qlog", 0)[100] ^= 1;
    let (tail, held) = judge(dir.path(), &picture);
    assert!(matches!(tail, Tail::Corrupt { segment: SegmentNumber(1), offset: 0, .. }), "{tail}");
    assert_eq!(held, frames[3..]);
}

#[test]
fn a_damaged_log_goes_on_after_its_tail_is_given_up() {
    let dir = TempDir::in_memory();
    let frames = four_segments(dir.path());
    let mut picture = Picture::take(dir.path());
    picture.file("0000000002.qlog", 0)[400_000] ^= 1;
    picture.restore(dir.path());
    let (mut log, recovered) = open(dir.path(), true);
    assert!(matches!(recovered.tail, Tail::Corrupt { .. }));
    log.abandon_tail().unwrap();
    let more = frame(&log, 2, &[b"after"]);
    log.append(&more).unwrap();
    drop(log);
    let (log, recovered) = open(dir.path(), true);
    assert_eq!(recovered.tail, Tail::Clean);
    let held = contents(&log);
    assert_eq!(held[..4], frames[..4]);
    assert_eq!(held[4..], [more.bytes().to_vec()]);
}

#[test]
fn a_frame_of_another_chain_ends_the_log_as_damage() {
    let (dir, other) = (TempDir::in_memory(), TempDir::in_memory());
    let (frames, begins) = log_with(dir.path(), true, &[payload(1, 100), payload(3, 100)]);
    log_with(other.path(), true, &[payload(2, 100), payload(3, 100)]);
    let (mut mine, mut theirs) = (Picture::take(dir.path()), Picture::take(other.path()));
    // A good frame of the right index, ballot and size, in the right place.
    let last = begins[1]..begins[2];
    mine.file(SEGMENT, last.end)[last.clone()].copy_from_slice(&theirs.file(SEGMENT, last.end)[last.clone()]);
    let (tail, held) = judge(dir.path(), &mine);
    let (segment, offset) = (SegmentNumber(1), last.start as u64);
    assert_eq!(tail, Tail::Corrupt { segment, offset, index: Index(8), synced: Index(6) });
    assert_eq!(held, frames[..4]);
}

#[test]
fn a_lost_segment_is_not_made_up_for_by_frames_that_were_cut() {
    let dir = TempDir::in_memory();
    let (mut log, _) = open(dir.path(), true);
    for seed in 0..3 {
        log.append(&frame(&log, 1, &[&payload(seed, 300_000)])).unwrap();
    }
    let cut = log.cut_point(Index(2)).unwrap();
    log.cut_after(cut).unwrap();
    // One in the fresh segment, one in the next, which so begins where the cut frames ended.
    for seed in 10..12 {
        log.append(&frame(&log, 2, &[&payload(seed, 900_000)])).unwrap();
    }
    drop(log);
    let mut picture = Picture::take(dir.path());
    assert_eq!(picture.names(), ["0000000001.qlog", "0000000002.qlog", "0000000003.qlog"]);
    picture.0.remove(1);
    let (tail, _) = judge(dir.path(), &picture);
    assert!(matches!(tail, Tail::Corrupt { segment: SegmentNumber(1), .. }), "{tail}");
}

#[test]
fn a_falling_ballot_ends_the_log_as_damage() {
    for (round, expected) in [(1, Tail::Clean), (0, corrupt_at(7))] {
        let dir = TempDir::in_memory();
        let (frames, begins) = log_with(dir.path(), true, &[]);
        let (log, _) = open(dir.path(), true);
        let next = frame(&log, round, &[b"next"]);
        drop(log);
        let mut picture = Picture::take(dir.path());
        let end = begins[0] + next.bytes().len();
        picture.file(SEGMENT, end)[begins[0]..end].copy_from_slice(next.bytes());
        picture.restore(dir.path());
        let (log, recovered) = open(dir.path(), true);
        match (recovered.tail, expected) {
            (Tail::Corrupt { index, .. }, Tail::Corrupt { index: expected, .. }) => assert_eq!(index, expected),
            (found, expected) => assert_eq!(found, expected),
        }
        assert_eq!(contents(&log)[..3], frames);
    }
}

fn corrupt_at(index: u64) -> Tail {
    Tail::Corrupt { segment: SegmentNumber(1), offset: 0, index: Index(index), synced: Index(0) }
}

#[test]
fn foreign_segments_versions_and_sizes_are_refused() {
    let (dir, other) = (TempDir::in_memory(), TempDir::in_memory());
    four_segments(dir.path());
    four_segments(other.path());
    std::fs::copy(other.path().join("0000000002.qlog"), dir.path().join("0000000002.qlog")).unwrap();
    let error = Log::open(dir.path(), options(true)).unwrap_err();
    assert!(matches!(error, LogError::ForeignSegment { .. }), "{error}");
    for segment_bytes in [0, 4096, (1 << 20) + 1, 1 << 40] {
        let sized = engine_log::LogOptions { segment_bytes, ..options(true) };
        assert!(matches!(Log::open(dir.path(), sized), Err(LogError::SegmentBytes { .. })));
    }
    let empty = TempDir::in_memory();
    let error = Log::open(empty.path(), engine_log::LogOptions { must_exist: true, ..options(true) }).unwrap_err();
    assert!(matches!(error, LogError::Missing { .. }), "{error}");
    let error = Log::open(&empty.path().join("none"), options(true)).unwrap_err();
    assert!(error.to_string().contains("none"), "{error}");
}

#[test]
fn frames_read_back_travel_as_they_came() {
    let dir = TempDir::in_memory();
    let (mut log, _) = open(dir.path(), true);
    let sent = frame(&log, 1, &[b"one", b"two"]);
    log.append(&sent).unwrap();
    let read: Frame = log.frame_at(Index(2)).unwrap();
    assert_eq!(read.bytes(), sent.bytes());
}
