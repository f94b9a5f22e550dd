//! The simulated group: members, links, disks and the event queue.

use super::check::Truth;
use super::client::{Client, Ledger};
use super::disk::SimDisk;
use engine_core::certify::Certifier;
use engine_core::effect::{Effect, Input, Level, Note, Payload, Peer};
use engine_core::member::{MemberConfig, State};
use engine_core::paxos::Timing;
use engine_core::paxos::tail::{Point, Tail};
use engine_core::rng::Rng;
use engine_sql::host::{GroupCommand, Now, Ticket};
use node::engine::{Engine, ReadSettings, StartSettings, World};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use wire::entry::GroupOptions;
use wire::frame::{Buffer, CHAIN_START, Frame};
use wire::id::{Ballot, Incarnation, Index, Run, Uuid};
use wire::message::{Channel, Message};

/// What one seed is run with; drawn from it unless fixed.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Everything random comes from this.
    pub seed: u64,
    /// 1..=9.
    pub members: usize,
    /// Single-primary mode.
    pub single: bool,
    /// `sync_binlog=1`.
    pub sync: bool,
    /// How long faults last, simulated microseconds.
    pub suffer_us: u64,
    /// Which kinds of fault there are.
    pub faults: Faults,
    /// Print each event.
    pub trace: bool,
}

/// Which kinds of fault a seed has (swarm testing: each seed draws its own).
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// One member's process ends at once and comes back.
    pub crash: bool,
    /// All do.
    pub crash_all: bool,
    /// Links break, with what is on them.
    pub reset: bool,
    /// A member hears nobody for a while, and nobody it.
    pub partition: bool,
    /// One direction of a link is silent.
    pub one_way: bool,
    /// Disks take long.
    pub slow_disk: bool,
    /// A process stands still and goes on.
    pub pause: bool,
    /// Members leave and join again.
    pub churn: bool,
}

impl Setup {
    /// What `seed` draws.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0xd1b5_4a32_d192_ed03);
        let members = [3, 3, 3, 3, 2, 4, 5, 1][rng.below(8) as usize];
        let faults = Faults {
            crash: rng.percent(60),
            crash_all: rng.percent(30),
            reset: rng.percent(50),
            partition: rng.percent(50),
            one_way: rng.percent(30),
            slow_disk: rng.percent(30),
            pause: rng.percent(30),
            churn: rng.percent(25),
        };
        let (single, sync) = (rng.percent(50), rng.percent(60));
        Self { seed, members, single, sync, suffer_us: 6_000_000, faults, trace: false }
    }
}

/// A rule that did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed to replay.
    pub seed: u64,
    /// Simulated microseconds since the start.
    pub at_us: u64,
    /// Which rule, and how.
    pub rule: String,
}

/// What one run saw.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Hash over every event: equal for equal seeds.
    pub trace: u64,
    /// Simulated microseconds.
    pub simulated_us: u64,
    /// Events performed.
    pub events: u64,
    /// Commits acknowledged to clients.
    pub acknowledged: u64,
    /// Conflicts told to clients.
    pub conflicts: u64,
    /// Elections won.
    pub elections: u64,
    /// Crashes.
    pub crashes: u64,
}

enum Event {
    Turn { node: usize, life: u64 },
    Timer { node: usize, life: u64 },
    Message(Box<Parcel>),
    Synced { node: usize, life: u64, index: Index, cuts: u64 },
    Links,
    Clients,
    Fault,
    Restart { node: usize },
    Unpause { node: usize },
}

struct Parcel {
    from: usize,
    to: usize,
    epoch: u64,
    life: u64,
    incarnation: Incarnation,
    message: Message,
    payload: Vec<u8>,
}

struct SimNode {
    uuid: Uuid,
    disk: Rc<SimDisk>,
    engine: Option<Rc<Engine>>,
    life: u64,
    connect: BTreeMap<Incarnation, usize>,
    up: BTreeSet<Incarnation>,
    turn_due: bool,
    timer: u64,
    paused: bool,
    bootstrap: Rc<Cell<bool>>,
    notes: Rc<RefCell<Vec<Note>>>,
    random: Rc<RefCell<Rng>>,
    syncing: bool,
    /// What its operator waits for.
    command: Option<Ticket>,
}

struct SimWorld {
    disk: Rc<SimDisk>,
    random: Rc<RefCell<Rng>>,
    notes: Rc<RefCell<Vec<Note>>>,
}

impl World for SimWorld {
    fn random(&self) -> u64 {
        self.random.borrow_mut().next_u64()
    }

    fn journal(&self, record: &[u8]) -> Result<(), String> {
        self.disk.journal(record);
        Ok(())
    }

    fn read_log(&self, from: Index, bytes_max: usize) -> Vec<Frame> {
        self.disk.read(from, bytes_max)
    }

    fn shutdown(&self) {}

    fn note(&self, note: Note) {
        self.notes.borrow_mut().push(note);
    }
}

/// See the module.
pub struct Cluster {
    setup: Setup,
    rng: Rng,
    now: u64,
    sequence: u64,
    events: BTreeMap<(u64, u64), Event>,
    nodes: Vec<SimNode>,
    epochs: BTreeMap<(usize, usize), u64>,
    arrivals: BTreeMap<(usize, usize, Channel), u64>,
    silent: BTreeSet<(usize, usize)>,
    clients: Vec<Client>,
    ledger: Ledger,
    truth: Truth,
    report: Report,
    faulty: bool,
}

const GROUP: Uuid = Uuid([0xaa; 16]);

fn address(node: usize) -> String {
    format!("m{node}:1")
}

fn node_at(address: &str) -> Option<usize> {
    address.strip_prefix('m')?.strip_suffix(":1")?.parse().ok()
}

impl Cluster {
    /// All members down, disks empty.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let mut rng = Rng::new(setup.seed);
        let nodes = (0..setup.members)
            .map(|index| SimNode {
                uuid: Uuid([index as u8 + 1; 16]),
                disk: Rc::default(),
                engine: None,
                life: 0,
                connect: BTreeMap::new(),
                up: BTreeSet::new(),
                turn_due: false,
                timer: 0,
                paused: false,
                bootstrap: Rc::new(Cell::new(index == 0)),
                notes: Rc::default(),
                random: Rc::new(RefCell::new(Rng::new(rng.next_u64()))),
                syncing: false,
                command: None,
            })
            .collect();
        let clients = (0..setup.members * 2).map(|id| Client::new(id, id % setup.members)).collect();
        Self {
            setup,
            rng,
            now: 1_000_000,
            sequence: 0,
            events: BTreeMap::new(),
            nodes,
            epochs: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            silent: BTreeSet::new(),
            clients,
            ledger: Ledger::default(),
            truth: Truth::default(),
            report: Report::default(),
            faulty: false,
        }
    }

    fn fail<T>(&self, rule: impl Into<String>) -> Result<T, Failure> {
        Err(Failure { seed: self.setup.seed, at_us: self.now, rule: rule.into() })
    }

    fn clock(&self) -> Now {
        Now { unix_us: 1_700_000_000_000_000 + self.now, monotonic_us: self.now }
    }

    fn schedule(&mut self, after: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now + after, self.sequence), event);
    }

    /// The first member bootstraps, the others join, clients begin.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn form(&mut self) -> Result<(), Failure> {
        self.schedule(1000, Event::Links);
        for node in 0..self.nodes.len() {
            self.boot(node)?;
            self.run_until(20_000_000, |cluster| cluster.is_online(node))?;
            if !self.is_online(node) {
                return self.fail(format!("liveness: member {node} did not become ONLINE while the group formed"));
            }
        }
        self.schedule(1000, Event::Clients);
        Ok(())
    }

    /// Faults, as the setup has them.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn suffer(&mut self) -> Result<(), Failure> {
        self.faulty = true;
        self.schedule(200_000, Event::Fault);
        let end = self.now + self.setup.suffer_us;
        self.run_until(self.setup.suffer_us, |_| false)?;
        assert!(self.now >= end, "time passes");
        self.faulty = false;
        Ok(())
    }

    /// Faults stop: everybody must come back, equal, with everything that was acknowledged.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn heal(&mut self) -> Result<(), Failure> {
        self.silent.clear();
        for node in 0..self.nodes.len() {
            if self.nodes[node].paused {
                self.nodes[node].paused = false;
                self.want_turn(node);
            }
            if self.nodes[node].engine.is_none() {
                self.boot(node)?;
            }
        }
        self.run_until(120_000_000, |cluster| (0..cluster.nodes.len()).all(|node| cluster.is_online(node)))?;
        for node in 0..self.nodes.len() {
            if !self.is_online(node) {
                let state = self.engine(node).map(|engine| {
                    let status = engine.status();
                    let members: Vec<_> =
                        status.members.iter().map(|m| (&m.host, m.state, m.role, m.incarnation)).collect();
                    let (leader, last) = engine.with_member(|m| (m.group().and_then(|g| g.leader()), m.last_index()));
                    format!("{:?} {members:?} leader {leader:?} last {last}", status.state)
                });
                return self
                    .fail(format!("liveness: member {node} is not ONLINE 120 s after the faults stopped: {state:?}"));
            }
        }
        // Clients end; what is in flight resolves; then all are equal.
        for client in &mut self.clients {
            client.stop();
        }
        self.run_until(30_000_000, |cluster| cluster.is_quiet())?;
        if !self.is_quiet() {
            let counts: Vec<_> = (0..self.nodes.len())
                .filter_map(|node| self.engine(node))
                .map(|engine| engine.with_member(|m| (m.certifier().csn(), m.certifier().index(), m.last_index())))
                .collect();
            let waiting = self.clients.iter().filter(|client| client.is_waiting()).count();
            return self.fail(format!("liveness: the group does not settle: {counts:?}, {waiting} clients wait"));
        }
        let engines: Vec<_> = (0..self.nodes.len()).filter_map(|node| self.engine(node)).collect();
        for engine in &engines {
            let status = engine.status();
            if let Err(rule) = self.ledger.check(&status.gtid_executed) {
                return self.fail(rule);
            }
            let (_, digest) = engine.server().digest();
            if digest != engine.server().recompute_digest() {
                return self.fail("digest: the rolling row digest is not that of the rows");
            }
        }
        Ok(())
    }

    /// What the run saw.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = self.report.clone();
        (report.acknowledged, report.conflicts) = self.ledger.counts();
        report.simulated_us = self.now - 1_000_000;
        report
    }

    fn engine(&self, node: usize) -> Option<Rc<Engine>> {
        self.nodes[node].engine.clone()
    }

    fn is_online(&self, node: usize) -> bool {
        self.engine(node).is_some_and(|engine| engine.with_member(|member| member.own_state()) == State::Online)
    }

    fn is_quiet(&self) -> bool {
        let csns: BTreeSet<_> = (0..self.nodes.len())
            .filter_map(|node| self.engine(node))
            .map(|engine| engine.with_member(|member| member.certifier().csn()))
            .collect();
        csns.len() == 1 && self.clients.iter().all(|client| !client.is_waiting())
    }

    fn run_until(&mut self, limit_us: u64, done: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let end = self.now + limit_us;
        while !done(self) {
            let Some((&(at, sequence), _)) = self.events.first_key_value() else { break };
            if at > end {
                self.now = end;
                break;
            }
            let event = self.events.remove(&(at, sequence)).expect("just seen");
            self.now = at;
            self.report.events += 1;
            self.perform(event)?;
        }
        Ok(())
    }

    fn mix(&mut self, parts: [u64; 3]) {
        let bytes = [self.report.trace, self.now, parts[0], parts[1], parts[2]].map(u64::to_le_bytes).concat();
        self.report.trace = xxhash_rust::xxh3::xxh3_64(&bytes);
        if self.setup.trace {
            eprintln!("{:>10} {parts:?}", self.now);
        }
    }

    fn perform(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Turn { node, life } => {
                self.mix([1, node as u64, life]);
                if self.nodes[node].life == life {
                    self.nodes[node].turn_due = false;
                    if !self.nodes[node].paused {
                        self.turn(node)?;
                    }
                }
            }
            Event::Timer { node, life } => {
                if self.nodes[node].life == life {
                    self.want_turn(node);
                }
            }
            Event::Message(parcel) => self.deliver(*parcel)?,
            Event::Synced { node, life, index, cuts } => {
                self.mix([3, node as u64, index.0]);
                if self.nodes[node].life == life {
                    self.nodes[node].syncing = false;
                    if self.nodes[node].disk.synced(index, cuts) {
                        self.input(node, Input::Synced { index, cuts })?;
                    }
                    self.begin_sync(node);
                }
            }
            Event::Links => {
                self.keep_links()?;
                self.schedule(20_000, Event::Links);
            }
            Event::Clients => {
                self.run_clients()?;
                let pause = 200 + self.rng.below(3000);
                self.schedule(pause, Event::Clients);
            }
            Event::Fault => {
                if self.faulty {
                    self.fault()?;
                    let pause = 50_000 + self.rng.below(700_000);
                    self.schedule(pause, Event::Fault);
                }
            }
            Event::Restart { node } => {
                if self.nodes[node].engine.is_none() {
                    self.boot(node)?;
                }
            }
            Event::Unpause { node } => {
                self.nodes[node].paused = false;
                self.want_turn(node);
            }
        }
        Ok(())
    }

    fn boot(&mut self, node: usize) -> Result<(), Failure> {
        let now = self.clock();
        let it = &mut self.nodes[node];
        it.life += 1;
        let world = SimWorld { disk: it.disk.clone(), random: it.random.clone(), notes: it.notes.clone() };
        let seeds: Vec<_> = (0..self.setup.members).filter(|&other| other != node).map(address).collect();
        let (bootstrap, single) = (it.bootstrap.clone(), self.setup.single);
        let settings: ReadSettings = Box::new(move |_| {
            Ok(StartSettings {
                bootstrap: bootstrap.replace(false),
                options: GroupOptions {
                    name: GROUP,
                    group: true,
                    single_primary: single,
                    everywhere_checks: false,
                    gtid_block_size: 1_000_000,
                    view_change_uuid: GROUP,
                    view_change_events: true,
                },
                address: address(node),
                seeds: seeds.clone(),
                weight: 50,
            })
        });
        let engine = Engine::new(Box::new(world), it.uuid, 1, settings, Box::new(|_, _| {}));
        let frames = it.disk.frames();
        let decided = frames.iter().map(|frame| frame.header().decided).max().unwrap_or_default();
        let mut certifier = Certifier::default();
        let mut base = Point { index: Index(0), ballot: Ballot::ZERO, chain: CHAIN_START };
        let mut log = None;
        for frame in frames {
            if frame.header().last() <= decided {
                if let Err(fault) = engine.replay(&mut certifier, &frame) {
                    return Err(Failure { seed: self.setup.seed, at_us: self.now, rule: format!("replay: {fault}") });
                }
                base = engine_core::paxos::tail::point_after(&frame);
            } else {
                log.get_or_insert_with(|| Tail::new(base)).append(frame);
            }
        }
        let mut log = log.unwrap_or_else(|| Tail::new(base));
        log.on_synced(log.last(), log.cuts());
        let vote = it.disk.vote().unwrap_or_default();
        let run = vote.run.successor(it.random.borrow_mut().next_u64() as u32);
        let config = MemberConfig {
            uuid: it.uuid,
            server_id: node as u32 + 1,
            host: format!("m{node}"),
            port: 3306,
            version: 80036,
            synced_on_append: !self.setup.sync,
            write_concurrency: 10,
            window_bytes: 1 << 20,
            timing: Timing::default(),
            seed: it.random.borrow_mut().next_u64(),
        };
        it.syncing = false;
        it.paused = false;
        it.turn_due = false;
        it.timer = 0;
        it.command = None;
        let vote = engine_core::effect::Vote { generation: 0, ..vote };
        it.engine = Some(Rc::new(engine));
        let engine = self.engine(node).expect("just made");
        engine.boot(now, config, vote, Run(run.0), log, certifier, true);
        self.effects(node)?;
        self.want_turn(node);
        Ok(())
    }

    fn want_turn(&mut self, node: usize) {
        if !self.nodes[node].turn_due {
            self.nodes[node].turn_due = true;
            let (life, after) = (self.nodes[node].life, 1 + self.rng.below(60));
            self.schedule(after, Event::Turn { node, life });
        }
    }

    fn input(&mut self, node: usize, input: Input) -> Result<(), Failure> {
        let now = self.clock();
        if let Some(engine) = self.engine(node) {
            engine.input(now, input);
            self.want_turn(node);
            self.effects(node)?;
        }
        Ok(())
    }

    fn turn(&mut self, node: usize) -> Result<(), Failure> {
        let now = self.clock();
        let Some(engine) = self.engine(node) else { return Ok(()) };
        engine.turn(now);
        self.effects(node)?;
        // Time alone may make the next one due.
        let next = engine.next_timer(now).max(self.now + 1000);
        if self.nodes[node].timer <= self.now || next < self.nodes[node].timer {
            self.nodes[node].timer = next;
            let life = self.nodes[node].life;
            self.schedule(next - self.now, Event::Timer { node, life });
        }
        Ok(())
    }

    /// Performs what a member wants done, in order, and checks what it delivered.
    fn effects(&mut self, node: usize) -> Result<(), Failure> {
        let Some(engine) = self.engine(node) else { return Ok(()) };
        while let Some(effect) = engine.pop_effect() {
            match effect {
                Effect::Send { to, channel, message, payload } => self.send(node, to, channel, message, payload),
                Effect::Append(frame) => {
                    self.nodes[node].disk.append(frame);
                    self.begin_sync(node);
                }
                Effect::Cut { after } => self.nodes[node].disk.cut(after),
                Effect::ResetLog => self.nodes[node].disk.reset(),
                Effect::StoreVote(vote) => {
                    self.nodes[node].disk.store_vote(vote);
                    engine.input(self.clock(), Input::VoteStored { generation: vote.generation });
                    self.want_turn(node);
                }
                Effect::Read { token, after, bytes_max } => {
                    let mut frames = self.nodes[node].disk.read(after.next(), bytes_max);
                    if frames.first().is_some_and(|frame| frame.header().first != after.next()) {
                        frames.clear();
                    }
                    engine.input(self.clock(), Input::ReadDone { token, frames });
                    self.want_turn(node);
                }
                Effect::Connect(members) => {
                    let map: BTreeMap<_, _> = members
                        .iter()
                        .filter_map(|member| Some((member.incarnation, node_at(&member.address)?)))
                        .collect();
                    self.nodes[node].up.retain(|incarnation| map.contains_key(incarnation));
                    self.nodes[node].connect = map;
                }
                _ => {}
            }
        }
        let notes: Vec<Note> = self.nodes[node].notes.borrow_mut().drain(..).collect();
        for note in notes {
            self.report.elections += u64::from(note.text.contains("leads under ballot"));
            if self.setup.trace {
                eprintln!("{:>10} m{node} {}", self.now, note.text);
            }
            if note.level == Level::Error {
                return self.fail(format!("member {node}: {}", note.text));
            }
        }
        let (index, verdicts, csn) = engine.with_member(|member| {
            let certifier = member.certifier();
            (certifier.index(), certifier.digest(), certifier.csn())
        });
        let (at, rows) = engine.server().digest();
        if at == csn
            && let Err(rule) = self.truth.digests(index, verdicts, csn, rows)
        {
            return self.fail(format!("member {node}: {rule}"));
        }
        if engine.has_failed() {
            return self.fail(format!("member {node} could not apply what was decided"));
        }
        if engine.wants_turn() {
            self.want_turn(node);
        }
        Ok(())
    }

    fn begin_sync(&mut self, node: usize) {
        let it = &self.nodes[node];
        if it.syncing || it.engine.is_none() {
            return;
        }
        let (index, cuts) = it.disk.end();
        if it.disk.is_synced() {
            return;
        }
        let life = it.life;
        if !self.setup.sync {
            it.disk.synced(index, cuts);
            return;
        }
        let slow = self.setup.faults.slow_disk && self.faulty && self.rng.percent(5);
        let after = if slow { 20_000 + self.rng.below(400_000) } else { 50 + self.rng.below(400) };
        self.nodes[node].syncing = true;
        self.schedule(after, Event::Synced { node, life, index, cuts });
    }

    fn reachable(&self, from: usize, to: usize) -> bool {
        from != to && self.nodes[to].engine.is_some() && !self.silent.contains(&(from, to))
    }

    fn send(&mut self, from: usize, to: Peer, channel: Channel, message: Message, payload: Payload) {
        let target = match &to {
            Peer::Address(address) => node_at(address),
            Peer::Member(incarnation) => {
                let up = self.nodes[from].up.contains(incarnation);
                self.nodes[from].connect.get(incarnation).copied().filter(|_| up)
            }
        };
        let Some(to) = target.filter(|&to| self.reachable(from, to)) else { return };
        let bytes = match &payload {
            Payload::None => Vec::new(),
            Payload::Entries(entries) => entries.to_vec(),
            Payload::Frames(frames) => frames.iter().flat_map(|frame| frame.bytes().iter().copied()).collect(),
        };
        let Some(engine) = self.engine(from) else { return };
        let incarnation = engine.with_member(|member| member.group().map_or(Incarnation(0), |group| group.me()));
        let epoch = self.epochs.get(&(from, to)).copied().unwrap_or_default();
        let delay = 20 + self.rng.below(300) + bytes.len() as u64 / 1000;
        let arrival = self.arrivals.entry((from, to, channel)).or_default();
        *arrival = (*arrival + 1).max(self.now + delay);
        let after = *arrival - self.now;
        let life = self.nodes[to].life;
        let parcel = Parcel { from, to, epoch, life, incarnation, message, payload: bytes };
        self.schedule(after, Event::Message(Box::new(parcel)));
    }

    fn deliver(&mut self, parcel: Parcel) -> Result<(), Failure> {
        let Parcel { from, to, epoch, life, incarnation, message, payload } = parcel;
        self.mix([2, (from * 16 + to) as u64, payload.len() as u64]);
        let current = self.epochs.get(&(from, to)).copied().unwrap_or_default();
        let lost = epoch != current || self.nodes[to].life != life || !self.reachable(from, to);
        if lost {
            return Ok(());
        }
        if self.nodes[to].paused {
            // It waits in the socket until the process goes on.
            self.schedule(
                10_000,
                Event::Message(Box::new(Parcel { from, to, epoch, life, incarnation, message, payload })),
            );
            return Ok(());
        }
        if let Message::Append { .. } = &message {
            self.note_frames(&payload);
        }
        let mut aligned = Buffer::with_capacity(payload.len());
        aligned.extend_from_slice(&payload);
        self.input(to, Input::Received { from: incarnation, address: address(from), message, payload: aligned })
    }

    fn note_frames(&mut self, _payload: &[u8]) {}

    /// Connections come up where they can.
    fn keep_links(&mut self) -> Result<(), Failure> {
        for node in 0..self.nodes.len() {
            if self.nodes[node].engine.is_none() || self.nodes[node].paused {
                continue;
            }
            let wanted: Vec<_> = self.nodes[node].connect.iter().map(|(&who, &at)| (who, at)).collect();
            for (who, at) in wanted {
                if !self.nodes[node].up.contains(&who) && self.reachable(node, at) {
                    self.nodes[node].up.insert(who);
                    self.input(node, Input::PeerUp(who))?;
                }
            }
            // An operator starts what stopped.
            let engine = self.engine(node).expect("looked");
            if let Some(ticket) = self.nodes[node].command {
                let mut context = Context::from_waker(Waker::noop());
                if let Poll::Ready(result) = engine.host().poll_command(ticket, &mut context) {
                    self.nodes[node].command = None;
                    if self.setup.trace {
                        eprintln!("{:>10} m{node} command: {result:?}", self.now);
                    }
                }
            } else if !engine.with_member(|member| member.is_running()) {
                let start = GroupCommand::Start { user: None, password: None };
                self.nodes[node].command = Some(engine.host().command(start));
                self.want_turn(node);
            }
        }
        self.check_logs()
    }

    /// Decided prefixes on all disks are equal.
    fn check_logs(&mut self) -> Result<(), Failure> {
        for node in 0..self.nodes.len() {
            let Some(engine) = self.engine(node) else { continue };
            let delivered = engine.with_member(|member| member.certifier().index());
            for frame in self.nodes[node].disk.frames().iter().rev().take(200) {
                if frame.header().last() <= delivered
                    && let Err(rule) = self.truth.delivered(frame)
                {
                    return self.fail(format!("member {node}: {rule}"));
                }
            }
        }
        Ok(())
    }

    fn break_link(&mut self, from: usize, to: usize) -> Result<(), Failure> {
        *self.epochs.entry((from, to)).or_default() += 1;
        let gone: Vec<_> = self.nodes[from].connect.iter().filter(|&(_, &at)| at == to).map(|(&who, _)| who).collect();
        for who in gone {
            if self.nodes[from].up.remove(&who) {
                self.input(from, Input::PeerDown(who))?;
            }
        }
        Ok(())
    }

    fn crash(&mut self, node: usize, back_after: u64) -> Result<(), Failure> {
        if self.nodes[node].engine.is_none() {
            return Ok(());
        }
        self.report.crashes += 1;
        self.mix([4, node as u64, 0]);
        // With `sync_binlog=0` only processes die here; with 1 the machine may, and takes what was not synced.
        let keep = if self.setup.sync && self.rng.percent(50) { Some(self.rng.below(4) as usize) } else { None };
        for client in &mut self.clients {
            client.server_died(node);
        }
        self.nodes[node].engine = None;
        self.nodes[node].life += 1;
        self.nodes[node].up.clear();
        self.nodes[node].connect.clear();
        self.nodes[node].disk.crash(keep);
        for other in 0..self.nodes.len() {
            if other != node {
                self.break_link(other, node)?;
                *self.epochs.entry((node, other)).or_default() += 1;
            }
        }
        self.schedule(back_after, Event::Restart { node });
        Ok(())
    }

    fn fault(&mut self) -> Result<(), Failure> {
        let faults = self.setup.faults;
        let kinds: Vec<u8> = [
            (faults.crash, 0),
            (faults.crash_all, 1),
            (faults.reset, 2),
            (faults.partition, 3),
            (faults.one_way, 4),
            (faults.pause, 5),
            (faults.churn, 6),
        ]
        .into_iter()
        .filter(|(on, _)| *on)
        .map(|(_, kind)| kind)
        .collect();
        if kinds.is_empty() {
            return Ok(());
        }
        let count = self.nodes.len() as u64;
        let (node, other) = (self.rng.below(count) as usize, self.rng.below(count) as usize);
        match kinds[self.rng.below(kinds.len() as u64) as usize] {
            0 => {
                let back = 50_000 + self.rng.below(1_500_000);
                self.crash(node, back)?;
            }
            1 => {
                for node in 0..self.nodes.len() {
                    let back = 10_000 + self.rng.below(500_000);
                    self.crash(node, back)?;
                }
            }
            2 => self.break_link(node, other)?,
            3 => {
                // Silence both ways; healed by the next fault of this kind.
                self.silent.clear();
                if self.rng.percent(60) {
                    for peer in (0..self.nodes.len()).filter(|&peer| peer != node) {
                        self.silent.extend([(node, peer), (peer, node)]);
                    }
                }
            }
            4 => {
                self.silent.clear();
                if self.rng.percent(60) {
                    self.silent.insert((node, other));
                }
            }
            5 => {
                self.nodes[node].paused = true;
                let pause = 20_000 + self.rng.below(1_200_000);
                self.schedule(pause, Event::Unpause { node });
            }
            _ => {
                if let Some(engine) = self.engine(node).filter(|_| self.is_online(node)) {
                    // The last two stay: a group that all have left is gone.
                    let idle = self.nodes.iter().all(|node| node.command.is_none());
                    let others = (0..self.nodes.len()).filter(|&other| other != node && self.is_online(other)).count();
                    if idle && others >= 2 {
                        self.nodes[node].command = Some(engine.host().command(GroupCommand::Stop));
                        self.want_turn(node);
                    }
                }
            }
        }
        Ok(())
    }

    fn run_clients(&mut self) -> Result<(), Failure> {
        let mut clients = std::mem::take(&mut self.clients);
        for client in &mut clients {
            let node = client.node();
            let Some(engine) = self.engine(node).filter(|_| !self.nodes[node].paused) else { continue };
            engine.tick(self.clock());
            client.step(&engine, &mut self.rng, &mut self.ledger, self.setup.single);
            if engine.wants_turn() {
                self.want_turn(node);
            }
        }
        self.clients = clients;
        for node in 0..self.nodes.len() {
            self.effects(node)?;
        }
        Ok(())
    }
}
