//! The simulated group: members, clock and event queue.

mod effects;
mod process;
mod rules;

use super::check::{Digests, Truth};
use super::client::{self, Levels, Place};
use super::disk::SimDisk;
use super::history::History;
use super::network::{Network, Parcel};
use super::setup::Setup;
use super::split::Split;
use super::tasks::Tasks;
use engine_core::certify::Judged;
use engine_core::effect::{Input, Note};
use engine_core::member::State;
use engine_core::rng::Rng;
use engine_sql::account::Account;
use engine_sql::host::{Now, Ticket};
use node::engine::{Engine, World};
use node::restart::Shelf;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use wire::client::Options;
use wire::frame::Frame;
use wire::id::{Ballot, Incarnation, Index, Uuid};
use wire::rare;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Hash over every event: equal for equal seeds.
    pub trace: u64,
    /// Simulated microseconds.
    pub simulated_us: u64,
    /// Events performed.
    pub events: u64,
    /// Transactions acknowledged to clients.
    pub acknowledged: u64,
    /// Transactions that ended with an error.
    pub failed: u64,
    /// Elections won.
    pub elections: u64,
    /// Crashes.
    pub crashes: u64,
    /// Checkpoints that became durable.
    pub checkpoints: u64,
    /// Starts that began with one.
    pub restored: u64,
    /// Checkpoints that were taken from a donor.
    pub installed: u64,
    /// Recoveries that were stopped in the middle: while entries came, and while a checkpoint did.
    pub stopped_in_log: u64,
    /// See `stopped_in_log`.
    pub stopped_in_checkpoint: u64,
    /// Rows that bad memory changed, and members that the others' digests proved wrong.
    pub damaged: u64,
    /// See `damaged`.
    pub diverged: u64,
    /// The longest that such a member went on, simulated microseconds; a scrub begins each second.
    pub noticed_us: u64,
    /// Rare branches that were reached (in builds with marks).
    pub rare: Vec<&'static str>,
}

pub(super) enum Event {
    Turn { node: usize, life: u64 },
    Timer { node: usize, life: u64 },
    Poll { node: usize, life: u64, task: usize },
    Message(Box<Parcel>),
    Synced { node: usize, life: u64, index: Index, cuts: u64 },
    Voted { node: usize, life: u64, generation: u64 },
    Checkpoint { node: usize, life: u64, number: u64, input: Box<Input> },
    Links,
    Fault,
    Restart { node: usize },
    Unpause { node: usize },
}

/// A member, its process up or down.
pub(super) struct SimNode {
    pub uuid: Uuid,
    pub disk: Rc<SimDisk>,
    pub engine: Option<Rc<Engine>>,
    pub tasks: Tasks,
    /// Counts process lives: what was on its way to an earlier one is void.
    pub life: u64,
    pub connect: BTreeMap<Incarnation, usize>,
    pub up: BTreeSet<Incarnation>,
    /// Whose words it sends: those of a life that ends within a step go out before its connections change.
    pub speaks_as: Incarnation,
    /// Ends and chains of frames that older lives of the server acknowledged, and a new one cut off.
    given_up: BTreeSet<(Index, u64)>,
    turn_due: bool,
    timer: u64,
    pub paused: bool,
    bootstrap: Rc<Cell<bool>>,
    notes: Rc<RefCell<Vec<Note>>>,
    random: Rc<RefCell<Rng>>,
    syncing: bool,
    vote_due: u64,
    /// What is written of checkpoints waits until then: its disk hung.
    checkpoint_held: u64,
    /// What its operator waits for.
    pub command: Option<Ticket>,
    /// It was told to STOP, and has not ended that yet.
    pub recovery_stopped: bool,
    /// Its operator does not START it before.
    pub away_until: u64,
    /// Its process was told to end, and comes back so long after it has.
    pub stopping: Option<u64>,
    pub clock: Clock,
    /// Its disk: least and longest time of a sync.
    sync_us: (u64, u64),
    pub disk_hangs_until: u64,
    pub sync_fails: bool,
    pub append_fails: bool,
    flush_at: u64,
    /// It lost what it had promised to keep, and is not whole again.
    pub damaged: bool,
    /// A row of it is not what was stored, nor perhaps in the checkpoints cut since: it finds out, and rebuilds.
    pub spoiled: bool,
    /// Since when.
    pub spoiled_at: u64,
    /// Its machine restarted while `sync_binlog` was 0.
    pub unsure: bool,
    /// The highest ballot that it answered under, by incarnation.
    answered: (Incarnation, Ballot),
    judged: JudgedFrames,
    /// Up to here its log was compared with the others'.
    checked: Index,
    digests: Digests,
    /// When the checkpoint's file has taken what it was given so far.
    checkpoint_due: u64,
}

/// Frames that a member applied, with its verdicts, since they were looked at.
type JudgedFrames = Rc<RefCell<Vec<(Frame, Vec<Judged>)>>>;

/// How a member's clocks differ from the simulator's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// Parts in a million that it runs too fast.
    pub rate_ppm: i64,
    /// What its wall clock is wrong by.
    pub unix_offset_us: i64,
}

struct SimWorld {
    judged: JudgedFrames,
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

    fn first_index(&self) -> Index {
        self.disk.base().index.next()
    }

    fn shutdown(&self) {}

    fn note(&self, note: Note) {
        self.notes.borrow_mut().push(note);
    }

    fn judged(&self, frame: &Frame, judged: &[Judged]) {
        self.judged.borrow_mut().push((frame.clone(), judged.to_vec()));
    }
}

/// See the module.
pub struct Cluster {
    pub(super) setup: Setup,
    pub(super) rng: Rng,
    pub(super) now: u64,
    sequence: u64,
    events: BTreeMap<(u64, u64), Event>,
    pub(super) nodes: Vec<SimNode>,
    pub(super) network: Network,
    history: Rc<RefCell<History>>,
    options: Arc<Options>,
    pub(super) truth: Truth,
    /// Once there are two births of the group.
    pub(super) split: Option<Split>,
    pub(super) bursts: u64,
    pub(super) report: Report,
    pub(super) faulty: bool,
}

const GROUP: Uuid = Uuid([0xaa; 16]);
/// Clients of each member.
const CLIENTS: u64 = 2;
/// The simulation begins here, so that no time is zero.
const START_US: u64 = 1_000_000;
/// Own proposals that are not yet delivered, at most: clients wait for theirs.
const OWN_BYTES_MAX: usize = 4 << 20;

pub(super) fn address(node: usize) -> String {
    format!("m{node}:1")
}

pub(super) fn node_at(address: &str) -> Option<usize> {
    address.strip_prefix('m')?.strip_suffix(":1")?.parse().ok()
}

impl Cluster {
    /// All members down, disks empty.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let seed = setup.seed;
        let mut rng = Rng::new(seed);
        let drifting = setup.faults.clock;
        let mix = client::Mix { newest: if setup.newest { 25 } else { 0 }, ..client::Mix::draw(seed) };
        let nodes = (0..setup.members)
            .map(|index| {
                let disk = Rc::new(SimDisk::new(setup.sync));
                disk.journal(&Account::root().to_bytes());
                SimNode {
                    uuid: Uuid([index as u8 + 1; 16]),
                    disk,
                    engine: None,
                    tasks: Tasks::default(),
                    life: 0,
                    connect: BTreeMap::new(),
                    up: BTreeSet::new(),
                    speaks_as: Incarnation(0),
                    given_up: BTreeSet::new(),
                    turn_due: false,
                    timer: 0,
                    paused: false,
                    bootstrap: Rc::new(Cell::new(index == 0)),
                    notes: Rc::default(),
                    random: Rc::new(RefCell::new(Rng::new(rng.next_u64()))),
                    syncing: false,
                    vote_due: 0,
                    checkpoint_held: 0,
                    command: None,
                    stopping: None,
                    away_until: 0,
                    recovery_stopped: false,
                    clock: Clock {
                        rate_ppm: if drifting { rng.below(100_000) as i64 - 50_000 } else { 0 },
                        unix_offset_us: 0,
                    },
                    sync_us: setup.disks[rng.below(setup.disks.len() as u64) as usize],
                    disk_hangs_until: 0,
                    sync_fails: false,
                    append_fails: false,
                    flush_at: 0,
                    damaged: false,
                    spoiled: false,
                    spoiled_at: 0,
                    unsure: false,
                    answered: (Incarnation(0), Ballot::ZERO),
                    judged: Rc::default(),
                    checked: Index(0),
                    digests: Digests::default(),
                    checkpoint_due: 0,
                }
            })
            .collect();
        Self {
            setup,
            rng,
            now: START_US,
            sequence: 0,
            events: BTreeMap::new(),
            nodes,
            network: Network::default(),
            history: Rc::new(RefCell::new(History::new(mix))),
            options: Arc::default(),
            truth: Truth::default(),
            split: None,
            bursts: 0,
            report: Report::default(),
            faulty: false,
        }
    }

    pub(super) fn fail<T>(&self, rule: impl Into<String>) -> Result<T, Failure> {
        Err(Failure { seed: self.setup.seed, at_us: self.now, rule: rule.into() })
    }

    /// What a member's clocks show now.
    pub(super) fn clock(&self, node: usize) -> Now {
        let Clock { rate_ppm, unix_offset_us } = self.nodes[node].clock;
        let drift = self.now as i64 / 1000 * rate_ppm / 1000;
        let monotonic_us = self.now.saturating_add_signed(drift);
        let unix_us = (1_700_000_000_000_000 + monotonic_us).saturating_add_signed(unix_offset_us);
        Now { unix_us, monotonic_us }
    }

    /// How long a member's clock takes to show `us` more, at least.
    fn real_us(&self, node: usize, us: u64) -> u64 {
        let rate = 1_000_000 + self.nodes[node].clock.rate_ppm;
        us.saturating_mul(1_000_000) / rate as u64
    }

    pub(super) fn schedule(&mut self, after: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now + after, self.sequence), event);
    }

    /// A line of the trace, in words.
    pub(super) fn say(&self, words: impl FnOnce() -> String) {
        if self.setup.trace {
            eprintln!("{:>10} {}", self.now, words());
        }
    }

    /// The first member bootstraps, the others join, the tables are made, clients begin.
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
            if (node == 0) == self.setup.early_tables && !self.history.borrow().ready {
                self.make_tables()?;
            }
        }
        self.make_tables()
    }

    fn make_tables(&mut self) -> Result<(), Failure> {
        if self.history.borrow().ready {
            return Ok(());
        }
        let place = self.place(0).expect("it is up");
        self.nodes[0].tasks.spawn(client::make_tables(place));
        self.wake_tasks(0);
        let level = |cluster: &Self| cluster.history.borrow().made && cluster.is_level();
        self.run_until(20_000_000, level)?;
        self.history.borrow_mut().ready = level(self);
        if level(self) { Ok(()) } else { self.fail("liveness: the tables were not made everywhere") }
    }

    /// Whether all members that are up show the same.
    fn is_level(&self) -> bool {
        let up = self.nodes.iter().filter_map(|node| node.engine.as_ref());
        let csns: BTreeSet<_> = up.map(|engine| engine.with_member(|member| member.certifier().csn())).collect();
        csns.len() == 1
    }

    /// Faults, as the setup has them.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn suffer(&mut self) -> Result<(), Failure> {
        self.faulty = true;
        self.schedule(200_000, Event::Fault);
        if self.setup.faults.ddl {
            let (place, seed) = (self.place(0), self.rng.next_u64());
            self.nodes[0].tasks.spawn(client::ddl::live(place.expect("it is up"), Rng::new(seed)));
            self.wake_tasks(0);
        }
        self.run_until(self.setup.suffer_us, |_| false)?;
        self.faulty = false;
        Ok(())
    }

    /// Faults stop: everybody must come back, equal, with everything that was acknowledged.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn heal(&mut self) -> Result<(), Failure> {
        self.come_back()?;
        self.repair()?;
        // Clients end; what is in flight resolves; then all are equal.
        self.history.borrow_mut().stop = true;
        self.run_until(30_000_000, Self::is_quiet)?;
        if !self.is_quiet() {
            let all: Vec<_> = (0..self.nodes.len()).map(|node| self.describe(node)).collect();
            return self.fail(format!("liveness: the group does not settle\n  {}", all.join("\n  ")));
        }
        self.check_end()
    }

    /// Nothing goes wrong any more: everybody becomes ONLINE.
    pub(super) fn come_back(&mut self) -> Result<(), Failure> {
        self.say(|| "faults stop".into());
        self.network.silent.clear();
        self.network.mute.clear();
        for node in 0..self.nodes.len() {
            let it = &mut self.nodes[node];
            (it.sync_fails, it.append_fails, it.disk_hangs_until) = (false, false, 0);
            it.away_until = 0;
            if it.paused {
                self.unpause(node);
            }
            if self.nodes[node].engine.is_none() {
                self.boot(node)?;
            }
        }
        // Who was told to end, or to STOP, before that still does, and comes back.
        let is_back = |cluster: &Self, node: usize| {
            let it = &cluster.nodes[node];
            cluster.is_online(node) && it.stopping.is_none() && it.command.is_none()
        };
        self.run_until(120_000_000, |cluster| (0..cluster.nodes.len()).all(|node| is_back(cluster, node)))?;
        for node in 0..self.nodes.len() {
            if !is_back(self, node) {
                let all: Vec<_> = (0..self.nodes.len()).map(|node| self.describe(node)).collect();
                let rule = format!("liveness: member {node} is not ONLINE 120 s after the faults stopped");
                return self.fail(format!("{rule}\n  {}", all.join("\n  ")));
            }
        }
        if self.setup.faults.bad_memory {
            // Of two that differ nobody knows who is right: that is found while there are more.
            return self.repair();
        }
        Ok(())
    }

    /// Whoever has a row that is not what was stored finds it, and rebuilds.
    fn repair(&mut self) -> Result<(), Failure> {
        for _ in 0..40 {
            let clean = |cluster: &Self, node: usize| {
                let server = cluster.engine(node).map(|engine| engine.server().clone());
                server.is_some_and(|server| server.digest().1 == server.recompute_digest())
            };
            if (0..self.nodes.len()).all(|node| self.is_online(node) && clean(self, node)) {
                return Ok(());
            }
            self.run_until(1_000_000, |_| false)?;
        }
        let all: Vec<_> = (0..self.nodes.len()).map(|node| self.describe(node)).collect();
        self.fail(format!("liveness: a row that bad memory changed is not repaired\n  {}", all.join("\n  ")))
    }

    /// What the run saw.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = self.report.clone();
        (report.acknowledged, report.failed) = self.history.borrow().counts();
        report.simulated_us = self.now - START_US;
        report
    }

    pub(super) fn engine(&self, node: usize) -> Option<Rc<Engine>> {
        self.nodes[node].engine.clone()
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.history.borrow().counts().0
    }

    pub(super) fn place(&self, node: usize) -> Option<Place> {
        let engine = self.engine(node)?;
        let (server, host) = (engine.server().clone(), engine.host());
        let (history, options) = (self.history.clone(), self.options.clone());
        // AFTER waits for every ONLINE member, one that sends nothing but heartbeats for good among them.
        let levels = match self.setup {
            _ if self.setup.faults.lasting => Levels::Eventual,
            Setup { levels: true, .. } => Levels::Mixed,
            Setup { after: true, .. } => Levels::After,
            _ => Levels::Eventual,
        };
        Some(Place { member: node, server, host, engine, history, options, levels })
    }

    pub(super) fn is_online(&self, node: usize) -> bool {
        self.engine(node).is_some_and(|engine| engine.with_member(|member| member.own_state()) == State::Online)
    }

    fn is_quiet(&self) -> bool {
        self.is_level() && self.nodes.iter().all(|node| node.tasks.is_done())
    }

    pub(super) fn describe(&self, node: usize) -> String {
        let Some(engine) = self.engine(node) else { return format!("m{node} is down") };
        let status = engine.status();
        let members: Vec<_> = status
            .members
            .iter()
            .map(|m| format!("{} {:?} {:?} {:?}", m.host, m.state, m.role, m.incarnation))
            .collect();
        engine.with_member(|member| {
            let (leader, view) = (member.group().and_then(|g| g.leader()), member.group().and_then(|g| g.view().cloned()));
            let view = view.map(|view| (view.counter, view.members.iter().map(|m| m.incarnation).collect::<Vec<_>>()));
            let (last, decided) = (member.last_index(), member.certifier().index());
            let own_bytes = member.group().map_or(0, |group| group.own_bytes());
            let sessions = engine.server().session_list();
            let sessions = sessions.iter().map(|session| session.info.borrow().clone());
            let busy: Vec<_> = sessions.filter(|info| info.command != "Sleep").map(|i| (i.state, i.info)).collect();
            let tasks = if self.nodes[node].tasks.is_done() { "idle" } else { "busy" };
            format!(
                "m{node} {:?} incarnation {:?} leader {leader:?} last {last} decided {decided} clients {tasks} {busy:?} own {own_bytes} bytes; view {view:?}; shows {members:?}",
                status.state,
                member.identity().0
            )
        })
    }

    pub(super) fn run_until(&mut self, limit_us: u64, done: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let end = self.now + limit_us;
        while !done(self) {
            let Some(entry) = self.events.first_entry() else { break };
            let at = entry.key().0;
            if at > end {
                self.now = end;
                break;
            }
            let event = entry.remove();
            self.now = at;
            self.report.events += 1;
            self.perform(event)?;
        }
        Ok(())
    }

    pub(super) fn mix(&mut self, parts: [u64; 3]) {
        let bytes = [self.report.trace, self.now, parts[0], parts[1], parts[2]].map(u64::to_le_bytes);
        self.report.trace = xxhash_rust::xxh3::xxh3_64(bytes.as_flattened());
    }

    fn perform(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Turn { node, life } if self.nodes[node].life == life => {
                self.nodes[node].turn_due = false;
                if !self.nodes[node].paused {
                    self.mix([1, node as u64, life]);
                    self.turn(node)?;
                }
            }
            Event::Timer { node, life } if self.nodes[node].life == life => self.want_turn(node),
            Event::Poll { node, life, task } if self.nodes[node].life == life => self.poll(node, task)?,
            Event::Message(parcel) => self.deliver(*parcel)?,
            Event::Synced { node, life, index, cuts } if self.nodes[node].life == life => {
                self.mix([3, node as u64, index.0]);
                if self.nodes[node].disk_hangs_until > self.now {
                    self.schedule(50_000, Event::Synced { node, life, index, cuts });
                    return Ok(());
                }
                if std::mem::take(&mut self.nodes[node].sync_fails) {
                    rare!("a sync fails");
                    let loss = self.loss_of_power();
                    let back = 50_000 + self.rng.below(500_000);
                    return self.crash(node, loss, back);
                }
                self.nodes[node].syncing = false;
                if self.nodes[node].disk.synced(index, cuts) {
                    self.say(|| format!("m{node} log is synced up to {index}"));
                    self.input(node, Input::Synced { index, cuts })?;
                }
                self.begin_sync(node);
            }
            Event::Voted { node, life, generation } if self.nodes[node].life == life => {
                self.mix([5, node as u64, generation]);
                if self.nodes[node].disk_hangs_until > self.now {
                    self.schedule(50_000, Event::Voted { node, life, generation });
                    return Ok(());
                }
                self.nodes[node].disk.vote_synced(generation);
                self.input(node, Input::VoteStored { generation })?;
            }
            Event::Checkpoint { node, life, number, input } if self.nodes[node].life == life => {
                self.mix([7, node as u64, 0]);
                // All of them wait for a disk that hangs, and go on in their order.
                let it = &mut self.nodes[node];
                if it.disk_hangs_until > self.now {
                    it.checkpoint_held = self.now - self.now % 50_000 + 50_000;
                }
                if it.checkpoint_held > self.now {
                    let pause = it.checkpoint_held - self.now;
                    self.schedule(pause, Event::Checkpoint { node, life, number, input });
                    return Ok(());
                }
                let stands = match &*input {
                    Input::CheckpointStored { .. } => {
                        let stands = self.nodes[node].disk.publish(number);
                        self.report.checkpoints += u64::from(stands);
                        stands
                    }
                    _ => true,
                };
                if stands {
                    self.say(|| format!("m{node} checkpoint: {input:?}"));
                    self.input(node, *input)?;
                }
            }
            Event::Links => {
                self.keep_links()?;
                self.end_stopped()?;
                self.drive_commands();
                self.flush_disks();
                self.schedule(20_000, Event::Links);
            }
            Event::Fault if self.faulty => {
                self.fault()?;
                let pause = 30_000 + self.rng.below(self.setup.fault_pause_us);
                self.schedule(pause, Event::Fault);
            }
            Event::Restart { node } if self.nodes[node].engine.is_none() => self.boot(node)?,
            Event::Unpause { node } => self.unpause(node),
            // Of an earlier life.
            _ => {}
        }
        Ok(())
    }

    fn unpause(&mut self, node: usize) {
        self.nodes[node].paused = false;
        self.want_turn(node);
        self.wake_tasks(node);
    }

    pub(super) fn want_turn(&mut self, node: usize) {
        if !self.nodes[node].turn_due {
            self.nodes[node].turn_due = true;
            let (life, after) = (self.nodes[node].life, 1 + self.rng.below(60));
            self.schedule(after, Event::Turn { node, life });
        }
    }

    pub(super) fn input(&mut self, node: usize, input: Input) -> Result<(), Failure> {
        let now = self.clock(node);
        if let Some(engine) = self.engine(node) {
            engine.input(now, input);
            self.want_turn(node);
            self.effects(node)?;
        }
        Ok(())
    }

    fn turn(&mut self, node: usize) -> Result<(), Failure> {
        let now = self.clock(node);
        let Some(engine) = self.engine(node) else { return Ok(()) };
        engine.turn(now);
        self.effects(node)?;
        // Time alone may make the next one due.
        let due = engine.next_timer(now).saturating_sub(now.monotonic_us).min(10_000_000_000);
        let next = self.now + self.real_us(node, due).max(1000);
        if self.nodes[node].timer <= self.now || next < self.nodes[node].timer {
            self.nodes[node].timer = next;
            let life = self.nodes[node].life;
            self.schedule(next - self.now, Event::Timer { node, life });
        }
        Ok(())
    }

    fn poll(&mut self, node: usize, task: usize) -> Result<(), Failure> {
        if self.nodes[node].paused {
            self.nodes[node].tasks.postpone(task);
            return Ok(());
        }
        let Some(engine) = self.engine(node) else { return Ok(()) };
        self.mix([6, node as u64, task as u64]);
        engine.tick(self.clock(node));
        let mut running = self.nodes[node].tasks.begin(task);
        running.poll();
        self.nodes[node].tasks.end(running);
        let violation = self.history.borrow_mut().violation.take();
        if let Some(rule) = violation {
            return self.fail(format!("member {node}: {rule}"));
        }
        self.effects(node)
    }

    pub(super) fn wake_tasks(&mut self, node: usize) {
        if self.nodes[node].paused {
            return;
        }
        let life = self.nodes[node].life;
        for task in self.nodes[node].tasks.take_woken() {
            let after = 1 + self.rng.below(40);
            self.schedule(after, Event::Poll { node, life, task });
        }
    }
}
