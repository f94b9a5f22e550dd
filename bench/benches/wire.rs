//! Bytes between members: frames, messages, checked access. Inputs are fixed; nothing here is random.

use bench::consensus::{ENTRY_BYTES, entry};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use wire::frame::{BatchBuilder, Frame, Place};
use wire::id::{Ballot, Incarnation, Index, Run};
use wire::message::{Decoder, Label, Message, Trailer, encode};

const BALLOT: Ballot = Ballot { round: 1, node: Incarnation(1) };
const PLACE: Place = Place { first: Index(1), ballot: BALLOT, previous_chain: 7, decided: Index(0), synced: Index(0) };
/// Entries of a frame: one client, and a busy group.
const ENTRIES: [u64; 2] = [1, 64];

fn batch(entries: u64) -> BatchBuilder {
    let one = entry(Incarnation(1), Run(1));
    let mut batch = BatchBuilder::new();
    (0..entries).for_each(|_| batch.push_raw(&one));
    batch
}

fn frame(entries: u64) -> Frame {
    batch(entries).frame(PLACE)
}

/// Time to make a frame (copy, chain hash, header) of entries of 256 bytes that are already
/// serialised; throughput counts entries.
fn frame_build(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame_build");
    for entries in ENTRIES {
        let batch = batch(entries);
        group.throughput(Throughput::Elements(entries));
        group.bench_function(BenchmarkId::new("entries", entries), |b| b.iter(|| black_box(&batch).frame(PLACE)));
    }
    group.finish();
}

/// Time to copy and check (header crc, chain hash, entry boundaries) a frame as received; throughput
/// counts entries of 256 bytes.
fn frame_check(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame_check");
    for entries in ENTRIES {
        let frame = frame(entries);
        group.throughput(Throughput::Elements(entries));
        group.bench_function(BenchmarkId::new("entries", entries), |b| {
            b.iter(|| Frame::from_bytes(black_box(frame.bytes())).expect("a frame that we made"));
        });
    }
    group.finish();
}

/// Time to serialise one transaction of one row into an entry of 256 bytes; throughput counts entries.
fn entry_encode(c: &mut Criterion) {
    let raw = entry(Incarnation(1), Run(1));
    let mut aligned = wire::frame::Buffer::new();
    aligned.extend_from_slice(&raw);
    let (_, bytes) = wire::frame::Entries::new(&aligned, Index(1), 1).next().expect("one entry");
    let view = bytes.view().expect("an entry that we made");
    let entry: wire::entry::Entry = rkyv::deserialize::<_, rkyv::rancor::Failure>(view).expect("an entry that we made");
    let mut batch = BatchBuilder::new();
    let mut group = c.benchmark_group("entry_encode");
    group.throughput(Throughput::Elements(1));
    group.bench_function("transaction", |b| {
        b.iter(|| {
            batch.clear();
            batch.push(black_box(&entry));
        });
    });
    group.finish();
}

/// Time to check one entry of 256 bytes where it lies, before it is read; throughput counts entries.
fn entry_access(c: &mut Criterion) {
    let frame = frame(1);
    let (_, entry) = frame.entries().next().expect("one entry");
    let mut group = c.benchmark_group("entry_access");
    group.throughput(Throughput::Bytes(ENTRY_BYTES as u64));
    group.bench_function("transaction", |b| {
        b.iter(|| black_box(&entry).view().expect("an entry that we made").stamp.number);
    });
    group.finish();
}

/// Time to encode an Append with one frame into an outbox that has room, the crc of what is no frame included; throughput
/// counts entries of 256 bytes.
fn message_encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("message_encode");
    for entries in ENTRIES {
        let frames = [frame(entries)];
        let mut out = Vec::with_capacity(1 << 20);
        group.throughput(Throughput::Elements(entries));
        group.bench_function(BenchmarkId::new("append", entries), |b| {
            b.iter(|| {
                out.clear();
                encode(black_box(&append()), Label::default(), Trailer::Frames(&frames), 0, &mut out);
            });
        });
    }
    group.finish();
}

/// Time from the bytes of an Append to its message and payload, checked; throughput counts entries of
/// 256 bytes.
fn message_decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("message_decode");
    for entries in ENTRIES {
        let mut bytes = Vec::new();
        encode(&append(), Label::default(), Trailer::Frames(&[frame(entries)]), 0, &mut bytes);
        let mut decoder = Decoder::default();
        decoder.greeted();
        group.throughput(Throughput::Elements(entries));
        group.bench_function(BenchmarkId::new("append", entries), |b| {
            b.iter_batched(
                || (),
                |()| {
                    decoder.feed(black_box(&bytes));
                    decoder.next_message().expect("a message that we made").expect("the whole of it")
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn append() -> Message {
    let (previous, decided, synced, applied) = (Index(0), Index(0), Index(0), Index(0));
    Message::Append { ballot: BALLOT, previous, previous_chain: 7, decided, synced, applied }
}

criterion_group!(benches, frame_build, frame_check, entry_encode, entry_access, message_encode, message_decode);
criterion_main!(benches);
