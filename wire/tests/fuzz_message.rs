//! Bounded fuzzing of what peers send: mutated messages whose checksum is put right again, so that the
//! bytes behind it are reached. Nothing may panic, hang or grow without bound. `FUZZ_RUNS` as elsewhere.

#![allow(clippy::unwrap_used, reason = "tests")]

use wire::frame::Frame;
use wire::id::{Ballot, Birth, Incarnation, Index, Run, Uuid};
use wire::message::{
    Channel, Decoder, ENVELOPE_BYTES, Heartbeat, Hello, JoinAnswer, Label, MAGIC, Message, PROTOCOL, Trailer, encode,
};
use xxhash_rust::xxh3::xxh3_64_with_seed;

fn runs() -> u64 {
    std::env::var("FUZZ_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

fn samples() -> Vec<(Message, Vec<u8>)> {
    let ballot = Ballot { round: 7, node: Incarnation(3) };
    let hello = Hello {
        magic: MAGIC,
        protocol: PROTOCOL,
        group: Uuid([1; 16]),
        uuid: Uuid([2; 16]),
        incarnation: Incarnation(3),
        run: Run(4),
        address: "host:1".into(),
        channel: Channel::Order,
        target: Incarnation(9),
    };
    let heartbeat = Heartbeat {
        sequence: 1,
        echo: 2,
        promised: ballot,
        leader: Incarnation(3),
        decided: Index(4),
        hears: vec![Incarnation(1), Incarnation(2)],
        waiting_us: 5,
        misses: vec![Incarnation(4)],
        rough: vec![Incarnation(5)],
        expels: vec![],
        assures: true,
    };
    vec![
        (Message::Hello(hello), vec![]),
        (Message::Welcome { refused: "because".into(), lasting: false }, vec![]),
        (
            Message::Append {
                ballot,
                previous: Index(1),
                previous_chain: 2,
                decided: Index(1),
                synced: Index(1),
                applied: Index(1),
            },
            vec![7; 400],
        ),
        (
            Message::Promise {
                ballot,
                last_ballot: ballot,
                last: Index(2),
                decided: Index(1),
                hears: vec![Incarnation(1)],
                unsure: true,
            },
            vec![],
        ),
        (Message::Propose { run: Run(1), first: 1, count: 3 }, vec![0; 3000]),
        (Message::JoinAnswer(JoinAnswer::Refused { code: 3092, reason: "no".into() }), vec![]),
        (Message::Heartbeat(heartbeat), vec![]),
    ]
}

#[test]
fn messages_bear_anything() {
    let samples = samples();
    for run in 0..runs() {
        let mut draws = 0u64;
        let mut draw = |bound: usize| {
            draws += 1;
            xxh3_64_with_seed(&draws.to_le_bytes(), run) as usize % bound.max(1)
        };
        let (message, payload) = &samples[draw(samples.len())];
        let mut bytes = Vec::new();
        encode(
            message,
            Label { to: Incarnation(3), birth: Birth(4) },
            Trailer::Bytes(payload),
            if draw(2) == 0 { 0 } else { 100 },
            &mut bytes,
        );
        for _ in 0..draw(5) {
            let at = ENVELOPE_BYTES + draw(bytes.len() - ENVELOPE_BYTES);
            bytes[at] = draw(256) as u8;
        }
        if draw(3) == 0 {
            let at = draw(ENVELOPE_BYTES);
            bytes[at] = draw(256) as u8;
        }
        if draw(2) == 0 {
            let length = (bytes.len() - ENVELOPE_BYTES) as u32;
            let crc = crc32fast::hash(&bytes[ENVELOPE_BYTES..]) ^ length;
            bytes[0..4].copy_from_slice(&length.to_le_bytes());
            bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        }
        let mut decoder = Decoder::default();
        decoder.greeted();
        let result = std::panic::catch_unwind(move || {
            for piece in bytes.chunks(1 + run as usize % 97) {
                decoder.feed(piece);
            }
            while let Ok(Some(received)) = decoder.next_message() {
                let _ = Frame::all_from(received.payload);
            }
        });
        assert!(result.is_ok(), "run {run}");
    }
}
