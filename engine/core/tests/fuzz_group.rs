//! Bounded fuzzing of the order against peers that send nonsense: late, repeated, wrong, out of range.
//! Nothing may panic, and what is decided never changes. `FUZZ_RUNS` says how many messages are tried
//! (20000 by default); a failure prints the seed that repeats it.

#![allow(clippy::unwrap_used, reason = "tests")]

use engine_core::effect::{Effect, Effects, Input, Instant, Vote};
use engine_core::paxos::tail::Tail;
use engine_core::paxos::{Group, GroupConfig, Timing};
use engine_core::rng::Rng;
use engine_core::sequencer::Sequencer;
use wire::entry::{Body, Entry, Stamp, View, ViewCause, ViewMember, VotingRole};
use wire::frame::{BatchBuilder, Buffer, Frame, Place};
use wire::id::{Ballot, Birth, Incarnation, Index, Run, Uuid};
use wire::message::{Force, Heartbeat, Label, Message};

fn runs() -> u64 {
    std::env::var("FUZZ_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

fn member(number: u64) -> ViewMember {
    ViewMember {
        uuid: Uuid([number as u8; 16]),
        incarnation: Incarnation(number),
        role: VotingRole::Voter,
        weight: 50,
        version: 80036,
        server_id: number as u32,
        host: format!("h{number}"),
        port: 3306,
        address: format!("h{number}:1"),
    }
}

struct Fuzz {
    rng: Rng,
    group: Group,
    now: Instant,
    /// The log as this member has it, to make frames that attach.
    frames: Vec<Frame>,
    decided: Index,
    ballot: Ballot,
    number: u64,
}

impl Fuzz {
    fn new(seed: u64) -> Self {
        let view = View {
            birth: Birth(1),
            counter: 3,
            members: (1..=3).map(member).collect(),
            cause: ViewCause::Join(Incarnation(3)),
        };
        let config = GroupConfig {
            me: member(1),
            run: Run(1 << 32),
            synced_on_append: true,
            write_concurrency: 10,
            window_bytes: 1 << 20,
            timing: Timing::default(),
            seed,
        };
        let vote = Vote { birth: Birth(1), incarnation: Incarnation(1), listed: true, ..Vote::default() };
        let group = Group::member(config, vote, Tail::empty(), (Index(0), view), Sequencer::default());
        let (ballot, decided) = (Ballot { round: 1, node: Incarnation(2) }, Index(0));
        Self { rng: Rng::new(seed), group, now: Instant(1), frames: Vec::new(), decided, ballot, number: 1 }
    }

    fn index(&mut self) -> Index {
        let last = self.group.log().last().0;
        Index(match self.rng.below(8) {
            0 => 0,
            1 => u64::MAX,
            2 => last + 1,
            3 => last.wrapping_add(self.rng.below(100)),
            4 => self.rng.next_u64(),
            _ => self.rng.below(last + 1),
        })
    }

    fn ballot(&mut self) -> Ballot {
        let round = match self.rng.below(12) {
            0 => self.rng.next_u64(),
            1 => u64::MAX,
            2 => 0,
            3 => self.ballot.round + 1,
            _ => self.ballot.round,
        };
        let ballot = Ballot { round, node: Incarnation(1 + self.rng.below(4)) };
        if self.rng.percent(50) { self.ballot } else { ballot }
    }

    /// Frames that attach to this member's log, or nearly do.
    fn payload(&mut self) -> (Buffer, Index, u64) {
        let end = self.group.log().end();
        let (mut previous, mut chain) = (end.index, end.chain);
        if self.rng.percent(20)
            && let Some(at) = (self.rng.below(self.frames.len().max(1) as u64) as usize).checked_sub(1)
        {
            let header = self.frames[at].header();
            (previous, chain) = (header.last(), header.chain);
        }
        let (first_previous, first_chain) = (previous, chain);
        let mut bytes = Buffer::new();
        for _ in 0..self.rng.below(3) {
            let mut batch = BatchBuilder::new();
            for _ in 0..=self.rng.below(3) {
                let stamp = Stamp { origin: Incarnation(2), run: Run(1 << 32), number: self.rng.below(5) };
                batch.push(&Entry { stamp, body: Body::Marker });
            }
            let (decided, synced) = (self.index(), self.index());
            let place = Place { first: previous.next(), ballot: self.ballot, previous_chain: chain, decided, synced };
            let frame = batch.frame(place);
            (previous, chain) = (frame.header().last(), frame.header().chain);
            bytes.extend_from_slice(frame.bytes());
        }
        if self.rng.percent(10) && !bytes.is_empty() {
            let at = self.rng.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1;
        }
        (bytes, first_previous, first_chain)
    }

    fn message(&mut self) -> (Message, Buffer) {
        let (ballot, index, none) = (self.ballot(), self.index(), Buffer::new());
        match self.rng.below(13) {
            0..=3 => {
                let (payload, previous, previous_chain) = self.payload();
                let (decided, synced) = (self.index(), self.index());
                {
                    let applied = decided;
                    (Message::Append { ballot, previous, previous_chain, decided, synced, applied }, payload)
                }
            }
            4 => (Message::Ack { ballot, index, applied: index }, none),
            5 => (Message::Mismatch { ballot, decided: index }, none),
            6 => (Message::Refused { ballot, promised: self.ballot() }, none),
            7 => (Message::PreVote { ballot, last_ballot: ballot, last: index }, none),
            8 => (Message::PreVoteGranted { ballot }, none),
            9 => (Message::Prepare { ballot, force: self.force() }, none),
            10 => {
                let (last, decided, hears) = (self.index(), self.index(), vec![Incarnation(self.rng.below(5))]);
                // Most promises answer this member's own ballot, so that it gets to lead.
                let own = self.group.vote().promised;
                let ballot = if self.rng.percent(80) { own } else { ballot };
                let last_ballot = if self.rng.percent(80) { Ballot::ZERO } else { ballot };
                let unsure = self.rng.percent(10);
                (Message::Promise { ballot, last_ballot, last, decided, hears, unsure }, none)
            }
            11 => {
                let mut batch = BatchBuilder::new();
                for _ in 0..=self.rng.below(3) {
                    let number = self.number + self.rng.below(2);
                    self.number = number + 1;
                    let stamp = Stamp { origin: Incarnation(2), run: Run(1 << 32), number };
                    batch.push(&Entry { stamp, body: Body::Marker });
                }
                let mut bytes = Buffer::new();
                bytes.extend_from_slice(batch.body());
                let count = if self.rng.percent(80) { batch.len() } else { self.rng.next_u64() as u32 };
                if self.rng.percent(20) {
                    bytes.resize(self.rng.below(bytes.len() as u64) as usize, 0);
                }
                (Message::Propose { run: Run(1 << 32), first: self.number, count }, bytes)
            }
            _ => {
                let (sequence, echo) = (self.rng.below(50), self.rng.below(50));
                let (hears, waiting_us) = (vec![Incarnation(1), Incarnation(2)], self.rng.next_u64());
                let leader = Incarnation(self.rng.below(4));
                let some = |rng: &mut Rng| (0..rng.below(3)).map(|_| Incarnation(rng.below(5))).collect::<Vec<_>>();
                let (misses, expels, rough) = (some(&mut self.rng), some(&mut self.rng), some(&mut self.rng));
                let (promised, decided) = (ballot, index);
                let assures = self.rng.percent(50);
                let heartbeat = Heartbeat {
                    sequence,
                    echo,
                    promised,
                    leader,
                    decided,
                    hears,
                    waiting_us,
                    misses,
                    expels,
                    rough,
                    assures,
                };
                (Message::Heartbeat(heartbeat), none)
            }
        }
    }

    /// Mostly none.
    fn force(&mut self) -> Option<Force> {
        let members = (0..self.rng.below(4)).map(|_| Incarnation(1 + self.rng.below(3))).collect();
        let (birth, parent) = (Birth(self.rng.below(4)), Birth(self.rng.below(3)));
        self.rng.percent(10).then_some(Force { birth, parent, members })
    }

    fn perform(&mut self, out: &mut Effects) {
        while let Some(effect) = out.pop() {
            match effect {
                Effect::Append(frame) => self.frames.push(frame),
                Effect::Cut { after } => {
                    assert!(after >= self.decided, "cut after {after}, {} is decided", self.decided);
                    self.frames.retain(|frame| frame.header().last() <= after);
                }
                Effect::Deliver(frame) => {
                    assert_eq!(frame.header().first, self.decided.next(), "delivery has no gaps");
                    self.decided = frame.header().last();
                }
                Effect::StoreVote(vote) => {
                    let input = Input::VoteStored { generation: vote.generation };
                    self.group.step(self.now, input, &mut Effects::default());
                }
                Effect::Read { token, after, .. } => {
                    let frames = self.frames.iter().filter(|frame| frame.header().first > after).take(2).cloned();
                    let frames = if self.rng.percent(80) { frames.collect() } else { Vec::new() };
                    let mut more = Effects::default();
                    self.group.step(self.now, Input::ReadDone { token, frames }, &mut more);
                }
                _ => {}
            }
        }
    }

    fn run(&mut self, messages: u64) {
        let mut out = Effects::default();
        self.group.start(self.now, &mut out);
        self.group.step(self.now, Input::PeerUp(Incarnation(2)), &mut out);
        self.group.step(self.now, Input::PeerUp(Incarnation(3)), &mut out);
        for _ in 0..messages {
            self.now = self.now.plus(self.rng.below(60_000));
            let (message, payload) = self.message();
            if let Message::Append { ballot, .. } | Message::Prepare { ballot, .. } = &message {
                self.ballot = (*ballot).max(self.ballot);
                self.ballot.round = self.ballot.round.min(1 << 40);
            }
            let from = Incarnation(1 + self.rng.below(4));
            // Mostly for this member and of its birth: what is not must not be looked at.
            let odd = |rng: &mut Rng, usual: u64| if rng.percent(4) { rng.below(4) } else { usual };
            let label = Label { to: Incarnation(odd(&mut self.rng, 1)), birth: Birth(odd(&mut self.rng, 1)) };
            let input = Input::Received { from, address: "h2:1".into(), label, message, payload };
            self.group.step(self.now, input, &mut out);
            if self.rng.percent(50) {
                self.group.turn(self.now, &mut out);
            }
            if self.rng.percent(2) {
                let peer = Incarnation(2 + self.rng.below(2));
                self.group.step(self.now, Input::PeerDown(peer), &mut out);
                self.group.step(self.now, Input::PeerUp(peer), &mut out);
            }
            self.perform(&mut out);
        }
    }
}

#[test]
fn the_order_bears_any_message() {
    let seeds = runs() / 200;
    for seed in 0..seeds.max(1) {
        let result = std::panic::catch_unwind(|| Fuzz::new(seed).run(200));
        assert!(result.is_ok(), "seed {seed}");
    }
}
