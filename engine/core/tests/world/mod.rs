//! A few members in one thread, for scripted scenarios: clocks, links and disks obey the script, and nothing
//! is random but the election jitter. Ticks are 5 ms; a message takes one.
//!
//! Absent on purpose: rows, sessions, and anything drawn at random: that is the simulator's.

#![allow(dead_code, reason = "each test uses its part")]

use engine_core::certify::Certifier;
use engine_core::checkpoint::keeper::Keeper;
use engine_core::effect::{CommandError, Effect, Effects, Input, Instant, Payload, Peer, Vote};
use engine_core::member::{Command, Limits, Member, MemberConfig, Memory, StartOptions, State, replay};
use engine_core::paxos::Timing;
use engine_core::paxos::tail::{Point, Tail, point_after};
use std::collections::{BTreeMap, BTreeSet};
use wire::entry::{Body, GroupOptions};
use wire::frame::{Buffer, CHAIN_START, Frame};
use wire::id::{Ballot, Birth, Incarnation, Index, Run, Uuid};
use wire::message::{Label, Message};

pub const TICK_US: u64 = 5_000;
pub const GROUP: Uuid = Uuid([0xaa; 16]);

/// One server: its disk, and its process while it runs.
pub struct Node {
    pub member: Option<Member>,
    pub version: u32,
    /// Stands still: hears and does nothing.
    pub frozen: bool,
    /// Its vote file hangs: nothing that is to be stored there ever is.
    pub votes_hang: bool,
    pub disk: Vec<Frame>,
    /// Its log begins after this index; so far a checkpoint reaches.
    pub purged: Index,
    vote: Vote,
    connect: BTreeMap<Incarnation, usize>,
    up: BTreeSet<Incarnation>,
    /// What the operators' log was told.
    pub notes: Vec<String>,
    /// How commands ended.
    pub done: Vec<Result<(), CommandError>>,
    /// Other effects that scenarios ask for, in words.
    pub effects: Vec<String>,
    /// Chain at each delivered frame's end.
    pub delivered: Vec<(Index, u64)>,
    begun: u64,
}

impl Node {
    /// Its machine restarts: the page cache is gone.
    pub fn make_unsure(&mut self) {
        self.vote.unsure = true;
        let last = self.disk.last().map_or(Index(0), |frame| frame.header().last());
        self.delivered.retain(|&(index, _)| index <= last);
    }
}

struct Parcel {
    from: usize,
    to: usize,
    sender: Incarnation,
    label: Label,
    message: Message,
    payload: Buffer,
}

pub struct World {
    pub now: Instant,
    pub nodes: Vec<Node>,
    pub single: bool,
    /// So many bytes may be undecided, and are sent or given at once.
    pub window_bytes: usize,
    flying: Vec<Parcel>,
    /// Directions in which nothing arrives.
    silent: BTreeSet<(usize, usize)>,
    /// Around this member each twentieth heartbeat is lost, and sent again a heartbeat's time later.
    pub rough: Option<usize>,
    /// Of each rough link: heartbeats so far, and until when it stalls.
    stalls: BTreeMap<(usize, usize), (u64, Instant)>,
    /// Of what this member sends only heartbeats arrive.
    pub mute: Option<usize>,
    /// Every message that arrived, in words, where the script asks for it.
    pub heard: Option<Vec<(usize, usize, String)>>,
}

fn address(node: usize) -> String {
    format!("m{node}:1")
}

fn node_at(address: &str) -> Option<usize> {
    address.strip_prefix('m')?.strip_suffix(":1")?.parse().ok()
}

impl World {
    /// Servers that run, in no group.
    pub fn new(members: usize) -> Self {
        let node = || Node {
            member: None,
            version: 80036,
            frozen: false,
            votes_hang: false,
            disk: Vec::new(),
            purged: Index(0),
            vote: Vote::default(),
            connect: BTreeMap::new(),
            up: BTreeSet::new(),
            notes: Vec::new(),
            done: Vec::new(),
            effects: Vec::new(),
            delivered: Vec::new(),
            begun: 0,
        };
        let nodes = (0..members).map(|_| node()).collect();
        let (flying, silent) = (Vec::new(), BTreeSet::new());
        let (now, stalls) = (Instant(100_000_000), BTreeMap::new());
        let window_bytes = 1 << 20;
        let mut world = Self {
            now,
            nodes,
            single: true,
            window_bytes,
            flying,
            silent,
            rough: None,
            mute: None,
            stalls,
            heard: None,
        };
        (0..members).for_each(|at| world.boot(at, false));
        world
    }

    /// A group of all, ONLINE; the first bootstrapped it.
    pub fn formed(members: usize) -> Self {
        let mut world = Self::new(members);
        world.form();
        world
    }

    /// As [`World::formed`], and what members give one another comes one frame at a time.
    pub fn formed_frame_by_frame(members: usize) -> Self {
        let mut world = Self::new(members);
        world.window_bytes = 1;
        (0..members).for_each(|at| world.boot(at, false));
        world.form();
        world
    }

    /// The first bootstraps, the others join; all ONLINE.
    pub fn form(&mut self) {
        let members = self.nodes.len();
        self.join_first(members);
        self.run_until("all to see all ONLINE", 20_000_000, |world| {
            (0..members).all(|at| world.states(at) == vec![State::Online; members])
        });
    }

    /// The first so many members start, each once the one before it is ONLINE.
    pub fn join_first(&mut self, count: usize) {
        for at in 0..count {
            self.start(at);
            self.run_until("a member to be ONLINE", 20_000_000, |world| world.state(at) == State::Online);
        }
    }

    pub fn options(&mut self, at: usize) -> StartOptions {
        self.nodes[at].begun += 1;
        let begun = self.nodes[at].begun;
        StartOptions {
            bootstrap: at == 0 && begun == 1,
            options: GroupOptions {
                name: GROUP,
                group: true,
                single_primary: self.single,
                everywhere_checks: false,
                gtid_block_size: 1_000_000,
                view_change_uuid: GROUP,
                view_change_events: true,
            },
            address: address(at),
            seeds: (0..self.nodes.len()).filter(|&other| other != at).map(address).collect(),
            weight: 50,
            incarnation: Incarnation(1000 * (at as u64 + 1) + begun),
            clone_threshold: u64::MAX,
            birth: Birth(17),
        }
    }

    /// START GROUP_REPLICATION.
    pub fn start(&mut self, at: usize) {
        let options = self.options(at);
        self.command(at, Command::Start(Box::new(options)));
    }

    pub fn command(&mut self, at: usize, command: Command) {
        let mut out = Effects::default();
        let now = self.now;
        self.member_mut(at).command(now, command, &mut out);
        self.perform(at, out);
    }

    /// `group_replication_force_members`, which names these.
    pub fn force(&mut self, at: usize, members: &[usize], birth: u64) {
        let addresses = members.iter().copied().map(address).collect();
        self.command(at, Command::Force { addresses, birth: Birth(birth) });
    }

    /// A process begins over what its disk holds; with `start`, `start_on_boot` is ON.
    pub fn boot(&mut self, at: usize, start: bool) {
        let options = start.then(|| self.options(at));
        let node = &mut self.nodes[at];
        let decided = node.disk.iter().map(|frame| frame.header().decided).fold(node.purged, Index::max);
        let mut certifier = Certifier::default();
        let mut base = Point { index: Index(0), ballot: Ballot::ZERO, chain: CHAIN_START };
        let mut rest = Vec::new();
        for frame in &node.disk {
            if frame.header().last() <= decided {
                let _ = replay(&mut certifier, frame);
                base = point_after(frame);
            } else {
                rest.push(frame.clone());
            }
        }
        node.delivered.retain(|&(index, _)| index <= base.index);
        let mut log = Tail::new(base);
        rest.into_iter().for_each(|frame| log.append(frame));
        log.on_synced(log.last(), log.cuts());
        let config = MemberConfig {
            uuid: Uuid([at as u8 + 1; 16]),
            server_id: at as u32 + 1,
            host: format!("m{at}"),
            port: 3306,
            version: node.version,
            synced_on_append: true,
            write_concurrency: 10,
            window_bytes: self.window_bytes,
            timing: Timing::default(),
            seed: 7 + at as u64,
        };
        let vote = Vote { generation: 0, ..node.vote };
        let run = vote.run.successor(1);
        let mut member =
            Member::new(config, vote, run, Memory { log, certifier, keeper: Keeper::new(u64::MAX, Vec::new()) });
        let mut out = Effects::default();
        member.boot(self.now, options, &mut out);
        node.member = Some(member);
        node.frozen = false;
        self.perform(at, out);
    }

    /// The process ends at once.
    pub fn kill(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.member = None;
        node.up.clear();
        node.connect.clear();
        self.flying.retain(|parcel| parcel.to != at && parcel.from != at);
        for other in 0..self.nodes.len() {
            self.reset(other, at);
        }
    }

    /// The connection from one to another ends.
    fn reset(&mut self, from: usize, to: usize) {
        let gone: Vec<_> = self.nodes[from].connect.iter().filter(|&(_, &at)| at == to).map(|(&who, _)| who).collect();
        for who in gone {
            if self.nodes[from].up.remove(&who) {
                self.input(from, Input::PeerDown(who));
            }
        }
    }

    /// Nothing passes between these two any more.
    pub fn cut(&mut self, a: usize, b: usize) {
        self.silent.extend([(a, b), (b, a)]);
    }

    /// Nothing reaches one from another any more.
    pub fn cut_one_way(&mut self, from: usize, to: usize) {
        self.silent.insert((from, to));
    }

    /// What one sends reaches another again, over a new connection.
    pub fn mend_one_way(&mut self, from: usize, to: usize) {
        self.silent.remove(&(from, to));
        self.reset(from, to);
    }

    /// Nothing passes between these and all others.
    pub fn isolate(&mut self, these: &[usize]) {
        for &a in these {
            for b in (0..self.nodes.len()).filter(|b| !these.contains(b)) {
                self.cut(a, b);
            }
        }
    }

    /// All links are well again; connections that were silent start over.
    pub fn heal(&mut self) {
        for (a, b) in std::mem::take(&mut self.silent) {
            self.reset(a, b);
        }
    }

    pub fn member(&self, at: usize) -> &Member {
        self.nodes[at].member.as_ref().expect("it runs")
    }

    pub fn limit(&mut self, at: usize, limits: Limits) {
        self.member_mut(at).set_limits(limits);
    }

    fn member_mut(&mut self, at: usize) -> &mut Member {
        self.nodes[at].member.as_mut().expect("it runs")
    }

    pub fn input(&mut self, at: usize, input: Input) {
        let mut out = Effects::default();
        let now = self.now;
        let Some(member) = &mut self.nodes[at].member else { return };
        member.step(now, input, &mut out);
        self.perform(at, out);
    }

    /// Proposes something that everybody delivers; its number.
    pub fn propose(&mut self, at: usize) -> Option<u64> {
        self.propose_body(at, Body::Marker)
    }

    /// Proposes anything; its number.
    pub fn propose_body(&mut self, at: usize, body: Body) -> Option<u64> {
        let mut out = Effects::default();
        let now = self.now;
        let number = self.member_mut(at).propose(now, body, || unreachable!("in a group"), &mut out).ok();
        self.perform(at, out);
        number
    }

    fn perform(&mut self, at: usize, mut out: Effects) {
        while let Some(effect) = out.pop() {
            let node = &mut self.nodes[at];
            match effect {
                Effect::Send { to, label, message, payload, .. } => {
                    let target = match &to {
                        Peer::Address(address) => node_at(address),
                        Peer::Member(who) => node.connect.get(who).copied().filter(|_| node.up.contains(who)),
                    };
                    let Some(to) = target.filter(|&to| to != at && !self.silent.contains(&(at, to))) else { continue };
                    let mut bytes = Buffer::new();
                    match payload {
                        Payload::None => {}
                        Payload::Entries(entries) => bytes = entries,
                        Payload::Frames(frames) => {
                            frames.iter().for_each(|frame| bytes.extend_from_slice(frame.bytes()));
                        }
                    }
                    let member = node.member.as_ref().expect("it runs");
                    let sender = member.group().map_or(Incarnation(0), |group| group.me());
                    self.flying.push(Parcel { from: at, to, sender, label, message, payload: bytes });
                }
                Effect::Append(frame) => node.disk.push(frame),
                Effect::Cut { after } => {
                    let decided = node.delivered.last().map_or(Index(0), |&(index, _)| index);
                    assert!(after >= decided, "m{at} cuts after {after}; {decided} was delivered");
                    node.disk.retain(|frame| frame.header().last() <= after);
                }
                Effect::ResetLog => {
                    node.disk.clear();
                    node.delivered.clear();
                }
                Effect::StoreVote(_) if node.votes_hang => {}
                Effect::StoreVote(vote) => {
                    node.vote = vote;
                    self.input(at, Input::VoteStored { generation: vote.generation });
                }
                Effect::Read { token, after, .. } => {
                    let kept = node.disk.iter().filter(|frame| after >= node.purged && frame.header().first > after);
                    let frames = kept.cloned().collect();
                    self.input(at, Input::ReadDone { token, frames });
                }
                Effect::Connect(members) => {
                    let map: BTreeMap<_, _> =
                        members.iter().filter_map(|m| Some((m.incarnation, node_at(&m.address)?))).collect();
                    node.up.retain(|who| map.contains_key(who));
                    node.connect = map;
                }
                Effect::Apply { frame, .. } => node.delivered.push((frame.header().last(), frame.header().chain)),
                Effect::CommandDone(result) => node.done.push(result),
                Effect::Note(note) => node.notes.push(note.text),
                other => node.effects.push(format!("{other:?}")),
            }
        }
    }

    fn keep_links(&mut self) {
        for at in 0..self.nodes.len() {
            let node = &self.nodes[at];
            if node.member.is_none() || node.frozen {
                continue;
            }
            let down: Vec<_> =
                node.connect.iter().filter(|(who, _)| !node.up.contains(who)).map(|(&who, &to)| (who, to)).collect();
            for (who, to) in down {
                if self.nodes[to].member.is_some() && !self.silent.contains(&(at, to)) {
                    self.nodes[at].up.insert(who);
                    self.input(at, Input::PeerUp(who));
                }
            }
        }
    }

    /// One tick.
    pub fn tick(&mut self) {
        self.now = self.now.plus(TICK_US);
        self.keep_links();
        for parcel in std::mem::take(&mut self.flying) {
            let node = &self.nodes[parcel.to];
            if node.frozen {
                self.flying.push(parcel);
                continue;
            }
            if node.member.is_none() || self.silent.contains(&(parcel.from, parcel.to)) {
                continue;
            }
            if self.mute == Some(parcel.from) && !matches!(parcel.message, Message::Heartbeat(_)) {
                continue;
            }
            if self.stalls(&parcel) {
                self.flying.push(parcel);
                continue;
            }
            if let Some(heard) = &mut self.heard {
                heard.push((parcel.from, parcel.to, format!("{:?}", parcel.message)));
            }
            let Parcel { from, to, sender, label, message, payload } = parcel;
            self.input(to, Input::Received { from: sender, address: address(from), label, message, payload });
        }
        for at in 0..self.nodes.len() {
            let now = self.now;
            let node = &mut self.nodes[at];
            if node.frozen {
                continue;
            }
            let Some(member) = &mut node.member else { continue };
            let mut out = Effects::default();
            member.turn(now, &mut out);
            self.perform(at, out);
        }
        self.check();
    }

    /// Whether a parcel is lost for now, or waits behind one that is.
    fn stalls(&mut self, parcel: &Parcel) -> bool {
        let link = (parcel.from, parcel.to);
        if !self.rough.is_some_and(|rough| [link.0, link.1].contains(&rough)) {
            return false;
        }
        let (beats, until) = self.stalls.entry(link).or_insert((link.0 as u64 * 7, Instant(0)));
        if matches!(parcel.message, Message::Heartbeat(_)) && *until < self.now {
            *beats += 1;
            if beats.is_multiple_of(20) {
                *until = self.now.plus(60_000);
            }
        }
        *until > self.now
    }

    /// Agreement: delivered logs of one birth are prefixes of one another.
    fn check(&self) {
        for (a, one) in self.nodes.iter().enumerate() {
            for (b, other) in self.nodes.iter().enumerate().skip(a + 1) {
                let birth = |node: &Node| node.member.as_ref().and_then(|member| Some(member.group()?.vote().birth));
                if birth(one).is_none() || birth(one) != birth(other) {
                    continue;
                }
                let common = one.delivered.len().min(other.delivered.len());
                if let Some(last) = common.checked_sub(1) {
                    assert_eq!(one.delivered[last], other.delivered[last], "m{a} and m{b} delivered different frames");
                }
            }
        }
    }

    pub fn run_for(&mut self, us: u64) {
        let end = self.now.plus(us);
        while self.now < end {
            self.tick();
        }
    }

    /// Whether it comes to `done` within `limit_us`.
    pub fn comes_to(&mut self, limit_us: u64, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now.plus(limit_us);
        while !done(self) && self.now < end {
            self.tick();
        }
        done(self)
    }

    /// Runs until `done`; the time that it took.
    pub fn run_until(&mut self, what: &str, limit_us: u64, done: impl Fn(&Self) -> bool) -> u64 {
        let begin = self.now;
        assert!(self.comes_to(limit_us, done), "waited in vain for {what}: {}", self.describe());
        self.now.since(begin)
    }

    pub fn describe(&self) -> String {
        let all = (0..self.nodes.len()).map(|at| match &self.nodes[at].member {
            None => format!("m{at} is down"),
            Some(member) => format!(
                "m{at} {:?} sees {:?}, leader {:?}; {:?}",
                member.own_state(),
                self.states(at),
                member.group().and_then(|group| group.leader()),
                self.nodes[at].notes.iter().rev().take(6).collect::<Vec<_>>()
            ),
        });
        all.collect::<Vec<_>>().join("\n  ")
    }

    pub fn state(&self, at: usize) -> State {
        self.member(at).own_state()
    }

    /// States of the members that this one's view lists, by uuid.
    pub fn states(&self, at: usize) -> Vec<State> {
        let member = self.member(at);
        let members = member.certifier().view().map(|(_, view)| view.members.clone()).unwrap_or_default();
        members.iter().map(|listed| member.state_of(listed.incarnation)).collect()
    }

    /// Which of the nodes a member's view lists.
    pub fn listed(&self, at: usize) -> Vec<usize> {
        let view = self.member(at).certifier().view().map(|(_, view)| view.clone());
        view.into_iter().flat_map(|view| view.members).filter_map(|member| node_at(&member.address)).collect()
    }

    /// Who leads, as all that run say.
    pub fn leader(&self) -> Option<usize> {
        let says = |at: &usize| self.member(*at).group()?.leader();
        let running: Vec<_> = (0..self.nodes.len()).filter(|&at| self.nodes[at].member.is_some()).collect();
        let leader = says(running.first()?)?;
        let agreed = running.iter().all(|at| says(at) == Some(leader));
        agreed.then(|| running.into_iter().find(|&at| self.member(at).identity().0 == leader)).flatten()
    }

    pub fn said(&self, at: usize, words: &str) -> bool {
        self.nodes[at].notes.iter().any(|note| note.contains(words))
    }
}

#[must_use]
pub fn run_of(member: &Member) -> Run {
    member.identity().1
}
