//! The deterministic core: certification, and a leader's step from proposal to delivery. No socket, no
//! disk, no clock: time stands still, so that no heartbeat falls due.

use bench::consensus::entry;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine_core::certify::{Certifier, Judged, Verdict};
use engine_core::effect::{Effect, Effects, Input, Instant, Peer, Vote};
use engine_core::paxos::tail::Tail;
use engine_core::paxos::{Group, GroupConfig, Timing};
use engine_core::sequencer::Sequencer;
use wire::entry::{
    Body, Entry, GroupOptions, NewBirth, Report, Stamp, Transaction, View, ViewCause, ViewMember, VotingRole,
};
use wire::frame::{BatchBuilder, Buffer, Entries, Frame, Place};
use wire::id::{Ballot, Birth, Csn, Incarnation, Index, Run, Uuid};
use wire::message::{Label, Message};

/// The server's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RUN: Run = Run(1 << 32);
const SEED: u64 = 42;
/// Keys that write sets are drawn from.
const KEYS: u64 = 1 << 20;
/// Of them, so many lie above the stable CSN: about four generations of the index.
const KEYS_LIVE: u64 = 7 << 15;
/// Transactions of a frame.
const FRAME: u64 = 64;

fn member(at: u64) -> ViewMember {
    ViewMember {
        uuid: Uuid::from_random(u128::from(at)),
        incarnation: Incarnation(at),
        role: VotingRole::Voter,
        weight: 50,
        version: 80_036,
        server_id: at as u32,
        host: "127.0.0.1".to_owned(),
        port: 0,
        address: format!("127.0.0.1:{at}"),
    }
}

fn view(members: u64) -> View {
    View { birth: Birth(1), counter: 1, members: (1..=members).map(member).collect(), cause: ViewCause::Bootstrap }
}

/// A certifier of one member, and its next stamp.
struct Judge {
    certifier: Certifier,
    number: u64,
    next_key: u64,
    reported: Csn,
}

impl Judge {
    fn new() -> Self {
        let name = Uuid::from_random(7);
        let options = GroupOptions {
            name,
            group: true,
            single_primary: false,
            everywhere_checks: false,
            gtid_block_size: 1,
            view_change_uuid: name,
            view_change_events: true,
        };
        let birth = Body::Birth(NewBirth { view: view(1), parent: Birth(0), fork: Index(0), options });
        let mut judge = Self { certifier: Certifier::default(), number: 0, next_key: 0, reported: Csn(0) };
        let bytes = serialised(Stamp { origin: Incarnation(1), ..Stamp::default() }, birth);
        judge.judge(&bytes);
        judge
    }

    /// The next frame, its snapshots `lag` transactions before it.
    fn frame(&mut self, rows: u64, lag: u64) -> Frame {
        self.report(KEYS_LIVE / rows);
        let snapshot = Csn(self.certifier.csn().0.saturating_sub(lag)).max(self.certifier.stable());
        let mut batch = BatchBuilder::new();
        for _ in 0..FRAME {
            // Every key once before any comes again: none conflicts.
            let keys =
                (self.next_key..self.next_key + rows).map(|key| (key % KEYS).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            self.next_key += rows;
            self.number += 1;
            let transaction =
                Transaction { snapshot, primary_epoch: 1, written: keys.collect(), ..Transaction::default() };
            let stamp = Stamp { origin: Incarnation(1), run: Run(1), number: self.number };
            batch.push(&Entry { stamp, body: Body::Transaction(transaction) });
        }
        batch.into_frame(Place {
            first: self.certifier.index().next(),
            ballot: Ballot::ZERO,
            previous_chain: 0,
            decided: Index(0),
            synced: Index(0),
        })
    }

    /// Every 16 Ki rows or so the member says that it holds no snapshot older than so many transactions.
    fn report(&mut self, keep: u64) {
        let csn = self.certifier.csn();
        if csn.0 < self.reported.0 + keep / 16 {
            return;
        }
        self.reported = csn;
        self.number += 1;
        let report = Report { least_snapshot: Csn(csn.0.saturating_sub(keep)), ..Report::default() };
        let stamp = Stamp { origin: Incarnation(1), run: Run(1), number: self.number };
        self.judge(&serialised(stamp, Body::Report(report)));
    }

    fn judge(&mut self, bytes: &Buffer) {
        let index = self.certifier.index().next();
        let (_, entry) = Entries::new(bytes, index, 1).next().expect("one entry");
        self.certifier.judge(index, entry.stamp(), entry.view());
    }
}

fn serialised(stamp: Stamp, body: Body) -> Buffer {
    let mut batch = BatchBuilder::new();
    batch.push(&Entry { stamp, body });
    let mut bytes = Buffer::new();
    bytes.extend_from_slice(batch.body());
    bytes
}

/// Time to judge the transactions of a frame where they lie, their archives' checks included; throughput counts
/// rows. Frames of 64, their rows from 1 Mi keys, four generations of keys live; every report moves the stable CSN
/// on. Snapshots are as of the frame before, or as old as three of the generations (`old`).
fn certify(c: &mut Criterion) {
    let mut group = c.benchmark_group("certify");
    for (name, rows, lag) in
        [("rows", 1, 0), ("rows", 4, 0), ("rows", 16, 0), ("old", 1, KEYS_LIVE), ("old", 4, KEYS_LIVE)]
    {
        let mut judge = Judge::new();
        while judge.certifier.rows_validating() < KEYS_LIVE {
            let frame = judge.frame(rows, 0);
            judge.certifier.judge_frame(&frame);
        }
        group.throughput(Throughput::Elements(rows * FRAME));
        group.bench_function(BenchmarkId::new(name, rows), |b| {
            // Making a frame is not timed. One at a time, as its snapshot is the one before.
            let judge = std::cell::RefCell::new(&mut judge);
            b.iter_batched(
                || judge.borrow_mut().frame(rows, lag / rows),
                |frame| {
                    let judged = judge.borrow_mut().certifier.judge_frame(&frame);
                    let certified = |one: &Judged| matches!(one.verdict, Verdict::Committed { .. });
                    assert!(judged.iter().all(certified), "{judged:?}");
                    (frame, judged)
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// A leader of three whose followers answer at once.
struct Leader {
    group: Group,
    effects: Effects,
    now: Instant,
    entry: Vec<u8>,
    number: u64,
}

impl Leader {
    /// Elects one of three in memory: messages are handed over at once, time passes in steps.
    fn elect() -> Self {
        let mut groups: Vec<Group> = (1..=3).map(new_group).collect();
        let mut effects = Effects::default();
        let mut now = Instant(0);
        for at in 0..3 {
            groups[at].start(now, &mut effects);
            for peer in (1..=3).filter(|&peer| peer != at as u64 + 1) {
                groups[at].step(now, Input::PeerUp(Incarnation(peer)), &mut effects);
            }
            deliver(&mut groups, at, now, &mut effects);
        }
        for _ in 0..1000 {
            if let Some(at) = groups.iter().position(Group::leads) {
                let group = groups.swap_remove(at);
                let entry = entry(group.me(), RUN);
                return Self { group, effects, now, entry, number: 0 };
            }
            now = now.plus(10_000);
            for at in 0..3 {
                groups[at].turn(now, &mut effects);
                deliver(&mut groups, at, now, &mut effects);
            }
        }
        panic!("three members with a perfect network elect a leader within 10 s");
    }

    /// Proposes `count` entries and sees them delivered: the follower's answer is made up.
    fn commit(&mut self, count: u64) {
        let mut batch = BatchBuilder::with_capacity(self.entry.len() * count as usize);
        for number in self.number + 1..=self.number + count {
            self.entry[24..32].copy_from_slice(&number.to_le_bytes());
            batch.push_raw(&self.entry);
        }
        self.group.propose(self.number + 1, batch);
        self.number += count;
        self.group.turn(self.now, &mut self.effects);
        let mut answers = Vec::new();
        while let Some(effect) = self.effects.pop() {
            if let Effect::Send { to: Peer::Member(to), message: Message::Append { ballot, .. }, .. } = effect {
                answers.push((to, ballot));
            }
        }
        let index = self.group.log().last();
        for (from, ballot) in answers {
            let message = Message::Ack { ballot, index, applied: Index(0) };
            let label = Label { to: self.group.me(), birth: Birth(1) };
            let input = Input::Received { from, address: String::new(), label, message, payload: Buffer::new() };
            self.group.step(self.now, input, &mut self.effects);
        }
        self.group.turn(self.now, &mut self.effects);
        while self.effects.pop().is_some() {}
        assert_eq!(self.group.log().decided(), index, "a quorum has answered");
    }
}

fn new_group(at: u64) -> Group {
    let config = GroupConfig {
        me: member(at),
        run: RUN,
        synced_on_append: true,
        write_concurrency: 10,
        window_bytes: 4 << 20,
        timing: Timing::default(),
        seed: SEED + at,
    };
    let vote = Vote { birth: Birth(1), incarnation: Incarnation(at), run: RUN, listed: true, ..Vote::default() };
    Group::member(config, vote, Tail::empty(), (Index(0), view(3)), Sequencer::default())
}

/// Hands over what member `from` sent, and what that brings about, until all is quiet.
fn deliver(groups: &mut [Group], from: usize, now: Instant, effects: &mut Effects) {
    let mut queue: Vec<(usize, Effects)> = vec![(from, std::mem::take(effects))];
    while let Some((from, mut effects)) = queue.pop() {
        while let Some(effect) = effects.pop() {
            let mut out = Effects::default();
            let at = match effect {
                Effect::Send { to: Peer::Member(to), label, message, payload, .. } => {
                    let at = to.0 as usize - 1;
                    let mut bytes = Buffer::new();
                    match payload {
                        engine_core::effect::Payload::None => {}
                        engine_core::effect::Payload::Frames(frames) => {
                            frames.iter().for_each(|frame| bytes.extend_from_slice(frame.bytes()));
                        }
                        engine_core::effect::Payload::Entries(entries) => bytes = entries,
                    }
                    let (from, address) = (groups[from].me(), String::new());
                    groups[at].step(now, Input::Received { from, address, label, message, payload: bytes }, &mut out);
                    at
                }
                Effect::StoreVote(vote) => {
                    groups[from].step(now, Input::VoteStored { generation: vote.generation }, &mut out);
                    from
                }
                _ => continue,
            };
            groups[at].turn(now, &mut out);
            queue.push((at, out));
        }
    }
}

/// Time of a leader of three from handing entries over to their delivery: proposals, frame, messages,
/// two answers; throughput counts entries of 256 bytes. Encoding and sockets are not in it.
fn core_step(c: &mut Criterion) {
    let mut group = c.benchmark_group("core_step");
    for entries in [1, 64] {
        let mut leader = Leader::elect();
        group.throughput(Throughput::Elements(entries));
        group.bench_function(BenchmarkId::new("entries", entries), |b| b.iter(|| leader.commit(entries)));
    }
    group.finish();
}

criterion_group!(benches, certify, core_step);
criterion_main!(benches);
