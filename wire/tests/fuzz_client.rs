//! Bounded fuzzing of everything in `wire` that reads bytes from outside, on stable Rust: seeded random bytes,
//! and mutations of valid streams. Nothing may panic, hang or grow without bound. `FUZZ_RUNS` says how many
//! inputs each test tries (20000 by default); a failure prints the seed that repeats it.
//!
//! `tests/fuzz` has the same entry points as libFuzzer targets.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use wire::client::auth::{Credential, NativeHash, PluginKind, RsaKey, Sha2Hash, fast_digest, native_token};
use wire::client::statement::LongData;
use wire::client::{Answer, Capabilities, Connection, Done, Options, Request};
use wire::entry::{Body, Entry, Gtid, Opening, RowChange, Stamp, Transaction};
use wire::frame::{BatchBuilder, Frame, Header, Place};
use wire::gtid::GtidSet;
use wire::id::{Ballot, Incarnation, Index, Uuid};

fn runs() -> u64 {
    std::env::var("FUZZ_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn bytes(&mut self, length_max: usize) -> Vec<u8> {
        let length = self.below(length_max + 1);
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// Changes, removes, repeats or inserts a few bytes.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xfb, 0xfc, 0xfd, 0xfe, 0xff][self.below(9)],
                2 => bytes.truncate(at),
                3 => {
                    let piece = self.bytes(8);
                    bytes.splice(at..at, piece);
                }
                4 => {
                    let end = (at + self.below(16)).min(bytes.len());
                    bytes.drain(at..end);
                }
                _ => {
                    let end = (at + self.below(16)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
    }
}

/// Runs `body` with a generator for each seed, and names the seed when it panics.
fn for_each_seed(runs: u64, body: impl Fn(&mut Random) + std::panic::RefUnwindSafe) {
    for seed in 0..runs {
        if let Err(panic) = std::panic::catch_unwind(|| body(&mut Random(seed))) {
            eprintln!("failed with seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_le_bytes().to_vec();
    bytes[3] = sequence;
    bytes.extend_from_slice(payload);
    bytes
}

const SCRAMBLE_SEED: [u8; 20] = *b"abcdefghijklmnopqrst";

fn login(plugin: PluginKind, token: &[u8], capabilities: Capabilities) -> Vec<u8> {
    let mut payload = capabilities.0.to_le_bytes().to_vec();
    payload.extend_from_slice(&[0, 0, 0, 1, 255]);
    payload.extend_from_slice(&[0; 23]);
    payload.extend_from_slice(b"root\0");
    payload.push(token.len() as u8);
    payload.extend_from_slice(token);
    payload.extend_from_slice(b"db\0");
    payload.extend_from_slice(plugin.name().as_bytes());
    payload.extend_from_slice(b"\0\x08\x03_os\x03abc");
    packet(1, &payload)
}

/// Valid commands, all of them.
fn commands(random: &mut Random) -> Vec<u8> {
    let set = GtidSet::parse("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:9").unwrap();
    let mut dump = b"\x1e\x04\0\x07\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x38\0\0\0".to_vec();
    set.encode(&mut dump);
    let all: [&[u8]; 22] = [
        b"\x03select * from t where id = 1\0",
        b"\x16select ?, ?",
        b"\x17\x01\0\0\0\0\x01\0\0\0\x00\x01\x08\x00\xfd\x00\x0c\x00\x0b\x00\x07\0\0\0\0\0\0\0\x03abc\x04\xe8\x07\x01\x02\x00",
        b"\x17\x01\0\0\0\0\x01\0\0\0\x0f\x00",
        b"\x18\x01\0\0\0\x01\0long data",
        b"\x19\x01\0\0\0",
        b"\x1a\x01\0\0\0",
        b"\x1b\x01\0",
        b"\x1c\x01\0\0\0\x05\0\0\0",
        b"\x02test",
        b"\x04t1\0%\0",
        b"\x09",
        b"\x0c\x01\0\0\0",
        b"\x0d",
        b"\x0e",
        b"\x1f",
        b"\x12\x04\0\0\0\x01\0\x07\0\0\0log.000001",
        b"\x15\x07\0\0\0\x04host\x01u\0\xea\x0c\0\0\0\0\0\0\0\0",
        &dump,
        b"\x11root\0\x00db\0\x2d\0mysql_native_password\0\0",
        b"\x05unknown",
        b"",
    ];
    let mut bytes = Vec::new();
    for _ in 0..1 + random.below(4) {
        bytes.extend(packet(0, all[random.below(all.len())]));
    }
    bytes
}

/// Plays an embedder that answers all that is asked. Bounded: each request has taken bytes.
fn drive(connection: &mut Connection, credential: Option<Credential>, random: &mut Random) {
    let (mut types, mut long_data) = (Vec::new(), LongData::default());
    let mut steps = 0;
    while let Ok(Some(request)) = connection.next_request() {
        steps += 1;
        assert!(steps < 10_000, "requests without end");
        match request {
            Request::Authenticate(_) => connection.credential(credential),
            Request::LoggedIn { .. } => connection.accept(&Done::default()),
            Request::Execute(execute) => {
                let mut values = Vec::new();
                let count = random.below(20);
                let _ = execute.parameters(count, &mut types, &long_data, &mut values);
                assert!(values.len() <= count);
                connection.recycle(execute.into_payload());
            }
            Request::SendLongData { parameter, data, .. } => long_data.append(parameter, &data, 1000),
            Request::Query(text) | Request::Prepare(text) | Request::InitDb(text) => connection.recycle(text),
            _ => connection.answer().ok(&Done::default()),
        }
    }
    // What waits for a client is answers to what it sent, not more.
    assert!(connection.out().len() < 1 << 20);
    connection.out().clear();
}

fn feed_in_pieces(connection: &mut Connection, bytes: &[u8], credential: Option<Credential>, random: &mut Random) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(1 + random.below(rest.len()));
        connection.feed(piece);
        drive(connection, credential, random);
        rest = after;
    }
}

fn options(rsa_key: Option<RsaKey>) -> Arc<Options> {
    Arc::new(Options { payload_bytes_max: 64 << 10, rsa_key, ..Options::default() })
}

#[test]
fn the_handshake_bears_anything() {
    let shared = options(None);
    for_each_seed(runs(), |random| {
        let mut connection = Connection::new(1, SCRAMBLE_SEED, "host", Arc::clone(&shared));
        let mut bytes = match random.below(3) {
            0 => {
                let payload = random.bytes(120);
                packet(1, &payload)
            }
            1 => random.bytes(120),
            _ => login(PluginKind::Native, &native_token(b"x", &SCRAMBLE_SEED), Capabilities::OFFERED),
        };
        if random.below(2) == 0 {
            random.mutate(&mut bytes);
        }
        let credential = [None, Some(Credential::Native(NativeHash::of_password(b"x")))][random.below(2)];
        feed_in_pieces(&mut connection, &bytes, credential, random);
    });
}

#[test]
fn the_exchange_bears_anything() {
    let mut seeds = Random(7);
    let shared = options(Some(RsaKey::generate(1024, &mut || seeds.next()).unwrap()));
    let stored = Sha2Hash::of_password(b"x", [9; 20]);
    // Each full exchange may hash 5000 rounds or use the key: fewer runs.
    for_each_seed(runs() / 50, |random| {
        let mut connection = Connection::new(1, SCRAMBLE_SEED, "host", Arc::clone(&shared));
        if random.below(2) == 0 {
            connection.set_secure();
        }
        let credential = [
            None,
            Some(Credential::Native(NativeHash::of_password(b"x"))),
            Some(Credential::CachingSha2 { stored, cached: None }),
            Some(Credential::CachingSha2 { stored, cached: Some(fast_digest(b"x")) }),
        ][random.below(4)];
        let plugin = [PluginKind::Native, PluginKind::CachingSha2][random.below(2)];
        let bytes = login(plugin, &vec![b't'; [0, 1, 20, 32][random.below(4)]], Capabilities::OFFERED);
        connection.feed(&bytes);
        drive(&mut connection, credential, random);
        for sequence in [3, 5, 7] {
            let payload = match random.below(5) {
                0 => vec![2],
                1 => vec![b't'; 32],
                2 => vec![0x55; 128],
                3 => b"x\0".to_vec(),
                _ => random.bytes(300),
            };
            feed_in_pieces(&mut connection, &packet(sequence, &payload), credential, random);
        }
    });
}

#[test]
fn commands_bear_anything() {
    let shared = options(None);
    for_each_seed(runs(), |random| {
        let mut connection = Connection::new(1, SCRAMBLE_SEED, "host", Arc::clone(&shared));
        let credential = Some(Credential::Native(NativeHash::of_password(b"")));
        let capabilities = Capabilities(Capabilities::OFFERED.0 & !(random.next() as u32 & 0x0100_0000));
        connection.feed(&login(PluginKind::Native, b"", capabilities));
        drive(&mut connection, credential, random);
        assert!(!connection.is_closing());
        let mut bytes = match random.below(4) {
            0 => random.bytes(200),
            1 => {
                let payload = random.bytes(60);
                packet(0, &payload)
            }
            _ => commands(random),
        };
        if random.below(3) > 0 {
            random.mutate(&mut bytes);
        }
        feed_in_pieces(&mut connection, &bytes, credential, random);
    });
}

#[test]
fn answers_bear_any_text() {
    for_each_seed(runs() / 4, |random| {
        let text = String::from_utf8_lossy(&random.bytes(700)).into_owned();
        let mut answer = Answer::default();
        answer.error(&wire::client::ServerError::new(random.next() as u16, text.clone()));
        answer.ok(&Done { info: &text, affected_rows: random.next(), ..Done::default() });
        assert!(answer.out().len() < 2 * 540);
    });
}

#[test]
fn gtid_sets_bear_anything() {
    let valid = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:9:11-9223372036854775806,\n\
                 aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:7-3:1";
    for_each_seed(runs(), |random| {
        let mut bytes = if random.below(4) == 0 { random.bytes(100) } else { valid.as_bytes().to_vec() };
        random.mutate(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = Gtid::parse(&text);
        if let Ok(set) = GtidSet::parse(&text) {
            assert_eq!(GtidSet::parse(&set.to_string()).as_ref(), Ok(&set));
            let mut encoded = Vec::new();
            set.encode(&mut encoded);
            assert_eq!(GtidSet::decode(&encoded).as_ref(), Ok(&set));
            random.mutate(&mut encoded);
            let _ = GtidSet::decode(&encoded);
        }
        let _ = GtidSet::decode(&bytes);
    });
}

fn sample_frame(random: &mut Random) -> Frame {
    let mut batch = BatchBuilder::new();
    for number in 1..=1 + random.below(3) as u64 {
        let body = match random.below(4) {
            0 => Body::Marker,
            1 => Body::Opening(Opening { ballot: Ballot::ZERO, new_primary: Some(Incarnation(7)) }),
            _ => Body::Transaction(Transaction {
                gtid: Some(Gtid { uuid: Uuid([1; 16]), number: 5 }),
                written: vec![1, 2, 3],
                rows: vec![RowChange {
                    table: 0,
                    space: 0,
                    statement_end: true,
                    key: random.bytes(20),
                    before: None,
                    after: Some(random.bytes(60)),
                }],
                ..Transaction::default()
            }),
        };
        batch.push(&Entry { stamp: Stamp { number, ..Stamp::default() }, body });
    }
    let ballot = Ballot { round: 1, node: Incarnation(1) };
    batch.frame(Place { first: Index(1), ballot, previous_chain: 0, decided: Index(0), synced: Index(0) })
}

/// Looks at every part of an entry that a reader would.
fn look_at(frame: &Frame) {
    for (_, entry) in frame.entries() {
        if let Some(entry) = entry.view() {
            let _ = format!("{}", entry.stamp.number);
            let owned = rkyv::deserialize::<Entry, rkyv::rancor::Error>(entry);
            let _ = owned.map(|entry| format!("{entry:?}").len());
        }
    }
}

#[test]
fn frames_bear_anything() {
    for_each_seed(runs(), |random| {
        let mut bytes = sample_frame(random).bytes().to_vec();
        random.mutate(&mut bytes);
        if let Ok(frame) = Frame::from_bytes(&bytes) {
            look_at(&frame);
        }
        let _ = Header::parse(&random.bytes(100));
    });
}

/// Frames whose checksums are right although their entries are not: only rkyv's check stands before readers.
#[test]
fn entries_bear_anything() {
    for_each_seed(runs(), |random| {
        let good = sample_frame(random);
        let mut bytes = good.bytes().to_vec();
        let body = wire::frame::HEADER_BYTES;
        for _ in 0..1 + random.below(6) {
            let at = body + random.below(bytes.len() - body);
            bytes[at] = random.next() as u8;
        }
        let mut header = *good.header();
        header.chain = header.compute_chain(&bytes[body..]);
        header.write(&mut bytes);
        if let Ok(frame) = Frame::from_bytes(&bytes) {
            look_at(&frame);
        }
    });
}
