//! Runs one member on a glommio executor: turns the engine's effects into io_uring operations, and
//! what the world reports into its inputs. Takes no decision about the protocol.

pub mod clients;
mod dial;
pub mod disk;
pub mod net;
pub mod notify;
mod sockets;

pub use sockets::DESCRIPTORS_KEPT;

use crate::engine::{Engine, OnRole, ReadSettings, World};
use crate::oplog;
use crate::restart::restart;
use disk::{Disk, Keep, Opened};
use engine_core::certify::Certifier;
use engine_core::effect::{Effect, Input, Level, Note};
use engine_core::member::MemberConfig;
use engine_core::paxos::Timing;
use engine_log::Tail as LogTail;
use engine_sql::host::{LocalChange, Now};
use engine_sql::server::Server;
use glommio::{Latency, LocalExecutorBuilder, Placement, Shares};
use net::{Identity, Net};
use rustix::process::{Signal, getpid, kill_process};
use rustix::rand::{GetRandomFlags, getrandom};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wire::frame::Frame;
use wire::id::{Incarnation, Index, Uuid};

/// What a member process is started with, already validated.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// The data directory.
    pub datadir: PathBuf,
    /// Where clients connect.
    pub listen: SocketAddr,
    /// `server_uuid`.
    pub uuid: Uuid,
    /// `server_id`.
    pub server_id: u32,
    /// MEMBER_HOST.
    pub host: String,
    /// MEMBER_PORT.
    pub port: u16,
    /// `sync_binlog` is not 0.
    pub sync: bool,
    /// Size of a log segment in bytes.
    pub segment_bytes: u64,
    /// So much log makes a checkpoint (`quorate_checkpoint_log_bytes`).
    pub checkpoint_log_bytes: u64,
    /// How much purgeable log stays.
    pub keep: Keep,
    /// `group_replication_start_on_boot`, with the plugin installed and a group name set.
    pub start_on_boot: bool,
    /// `group_replication_compression_threshold`.
    pub compression_threshold: usize,
    /// Window in batches.
    pub write_concurrency: usize,
    /// How client connections begin.
    pub client: Arc<wire::client::Options>,
}

/// The version that this server announces, as major*10000 + minor*100 + patch.
pub const VERSION: u32 = 80036;

/// Prepares the server with the local journal's changes.
pub type Begin = Box<dyn FnOnce(&Rc<Server>, Vec<LocalChange>) -> Result<(), String>>;
/// A question that the system variables answer.
pub type AskServer = Box<dyn FnOnce(&Rc<Server>) -> bool>;

/// What the SQL half needs at the start: the journal's changes, then its hooks.
pub struct Hooks {
    /// How client connections begin.
    pub client: Arc<wire::client::Options>,
    /// Called once with the server, before the log is replayed, with the local journal's changes.
    pub begin: Begin,
    /// Reads START's settings.
    pub settings: Box<dyn FnOnce(Rc<Net>) -> ReadSettings>,
    /// Hears of roles.
    pub on_role: OnRole,
    /// Whether to start Group Replication at once, asked after `begin`.
    pub start_on_boot: AskServer,
}

struct Files {
    disk: Rc<Disk>,
    stop: Arc<AtomicBool>,
}

impl World for Files {
    fn random(&self) -> u64 {
        random()
    }

    fn journal(&self, record: &[u8]) -> Result<(), String> {
        self.disk.journal(record).map_err(|error| error.to_string())
    }

    fn read_log(&self, from: Index, bytes_max: usize) -> Vec<Frame> {
        self.disk.read(from, bytes_max)
    }

    fn shutdown(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn first_index(&self) -> Index {
        self.disk.first_index()
    }

    fn note(&self, note: Note) {
        oplog::note(&note);
    }
}

/// Random bits from the system.
#[must_use]
pub fn random() -> u64 {
    let mut bytes = [0; 8];
    let count = getrandom(&mut bytes, GetRandomFlags::empty()).expect("getrandom with valid arguments cannot fail");
    assert_eq!(count, bytes.len(), "eight bytes come whole");
    u64::from_ne_bytes(bytes)
}

/// The clock, read once per batch.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Starts counting.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // From 1, so that 0 can mean "never".
        Now { unix_us: unix.as_micros() as u64, monotonic_us: self.0.elapsed().as_micros() as u64 + 1 }
    }
}

/// Runs a member until `stop` is set and it has left its group.
///
/// # Errors
/// Why the server cannot start, or must not go on.
pub fn run(options: NodeOptions, hooks: Hooks, stop: Arc<AtomicBool>) -> Result<(), String> {
    let executor = LocalExecutorBuilder::new(Placement::Unbound)
        .name("quorate")
        .preempt_timer(Duration::from_millis(1))
        .io_memory(1 << 20)
        .make()
        .map_err(|error| format!("cannot start an io_uring executor: {error}"))?;
    let turns = Arc::new(AtomicU64::new(0));
    watch(turns.clone())?;
    executor.run(member(options, hooks, stop, turns))
}

/// Wakes the executor, which runs on the process's first thread, when it oversleeps.
///
/// glommio 0.9 sleeps on one io_uring that polls another, where timers and most sockets are; on some
/// kernels (seen on 6.18, with `fdatasync` in flight) that poll is not woken now and then, and the process
/// would sleep for ever (DataDog/glommio issues 326 and 547). A signal ends the sleep, and glommio then looks
/// at all of its rings.
fn watch(turns: Arc<AtomicU64>) -> Result<(), String> {
    let wake = Signal::URG;
    let ignored = Arc::new(AtomicBool::new(false));
    // A signal without a handler would not interrupt anything.
    signal_hook::flag::register(wake.as_raw(), ignored).map_err(|error| format!("cannot handle signals: {error}"))?;
    let pulse = move || {
        let mut seen = None;
        loop {
            std::thread::sleep(OVERSLEPT);
            let now = turns.load(Ordering::Relaxed);
            if seen.replace(now) == Some(now) {
                // The process is this one, and it is there.
                let _ = kill_process(getpid(), wake);
            }
        }
    };
    std::thread::Builder::new().name("watch".into()).spawn(pulse).map(drop).map_err(|error| error.to_string())
}

async fn member(
    options: NodeOptions,
    hooks: Hooks,
    stop: Arc<AtomicBool>,
    turns: Arc<AtomicU64>,
) -> Result<(), String> {
    let mut last_percent = 0;
    let mut progress = |progress: engine_log::Progress| {
        let percent = progress.bytes * 100 / progress.bytes_total.max(1);
        if percent >= last_percent + 10 {
            last_percent = percent;
            oplog::say(Level::System, format!("reading the group log: {percent} %"));
        }
    };
    let (dir, keep) = (&options.datadir, options.keep);
    let opened = Disk::open(dir, options.uuid, options.sync, options.segment_bytes, keep, &mut progress);
    let Opened { disk, recovered, mut vote, journal, unsure } = opened.map_err(|error| error.to_string())?;
    let damaged = match &recovered.tail {
        LogTail::Clean => None,
        tail @ LogTail::Torn { .. } => {
            oplog::say(Level::Warning, format!("the group log's tail was {tail}"));
            None
        }
        tail @ LogTail::Corrupt { .. } => Some(format!("the group log is {tail}")),
    };
    let net = Net::new(options.compression_threshold);
    let world = Files { disk: disk.clone(), stop: stop.clone() };
    let read_settings = (hooks.settings)(net.clone());
    let engine = Rc::new(Engine::new(Box::new(world), options.uuid, 1, read_settings, hooks.on_role));
    let changes = journal.iter().filter_map(|record| LocalChange::from_bytes(record)).collect();
    (hooks.begin)(engine.server(), changes)?;

    let decided = recovered.decided.min(recovered.last);
    let restarted =
        restart(&engine, &*disk, decided, options.checkpoint_log_bytes, damaged.is_some(), &Certifier::default());
    let memory = restarted.map_err(|error| format!("{error}; {REBUILD}"))?;
    let alone = memory.certifier.view().is_none_or(|(_, view)| view.members.len() <= 1);
    match damaged {
        Some(damage) if alone => return Err(format!("{damage}, and no other member has what is lost; {REBUILD}")),
        Some(damage) => {
            let text = format!("{damage}: what is lost is fetched from the group, which this member joins anew");
            oplog::say(Level::Warning, text);
            // The vote file says so before anything is given up.
            vote.listed = false;
            let given_up = disk.store_vote(&vote).and_then(|()| disk.give_up_damaged(memory.log.end()));
            given_up.map_err(|error| error.to_string())?;
        }
        None if unsure && alone => {
            let text = "the machine restarted while sync_binlog was 0: the last second of transactions may be missing";
            oplog::say(Level::Warning, text);
            vote.unsure = false;
        }
        None if unsure => {
            let text = "the machine restarted while sync_binlog was 0: this member cannot be sure of its log; its \
                vote counts only if all members of the group come back";
            oplog::say(Level::Warning, text);
        }
        None => {}
    }
    let run = vote.run.successor(random() as u32);
    let config = MemberConfig {
        uuid: options.uuid,
        server_id: options.server_id,
        host: options.host.clone(),
        port: options.port,
        version: VERSION,
        synced_on_append: !options.sync,
        write_concurrency: options.write_concurrency,
        window_bytes: 4 << 20,
        timing: Timing::default(),
        seed: random(),
    };
    let clock = Clock::start();
    let start = (hooks.start_on_boot)(engine.server());
    engine.boot(clock.now(), config, vote, run, memory, start);

    let urgent = glommio::executor().create_task_queue(
        Shares::Static(1000),
        Latency::Matters(Duration::from_millis(1)),
        "group",
    );
    let clients = glommio::executor().create_task_queue(
        Shares::Static(1000),
        Latency::Matters(Duration::from_millis(1)),
        "clients",
    );
    let sync_failed = Rc::new(std::cell::RefCell::new(None));
    let (syncing, reports, failed) = (disk.clone(), net.clone(), sync_failed.clone());
    glommio::spawn_local_into(
        async move {
            if let Err(error) = syncing.sync_forever(|input| reports.push(input)).await {
                *failed.borrow_mut() = Some(error);
                reports.arrived.raise();
            }
        },
        urgent,
    )
    .map_err(|error| error.to_string())?
    .detach();
    clients::listen(options.listen, engine.clone(), clock, clients, hooks.client)?;
    oplog::say(Level::System, format!("ready for connections on {}, server_uuid {}", options.listen, options.uuid));
    let driver = Driver { engine, net, disk, clock, stop, turns, sync_failed };
    let result = glommio::spawn_local_into(async move { driver.drive().await }, urgent)
        .map_err(|error| error.to_string())?
        .await;
    if result.is_ok() {
        oplog::say(Level::System, "shutdown complete");
    }
    result
}

struct Driver {
    engine: Rc<Engine>,
    net: Rc<Net>,
    disk: Rc<Disk>,
    clock: Clock,
    stop: Arc<AtomicBool>,
    /// Counts turns, so that [`watch`] sees when they stop.
    turns: Arc<AtomicU64>,
    sync_failed: Rc<std::cell::RefCell<Option<String>>>,
}

/// What an operator can do when a member cannot go on from its own disk.
const REBUILD: &str = "restore the data directory, or make a new one and join the group with it";

/// A turn comes at least this often: signals and spare segments are looked at then.
const TICK_US: u64 = 50_000;
/// Without a turn for this long, the executor is woken: twice a tick, and a third of what makes a leader suspect.
const OVERSLEPT: Duration = Duration::from_millis(100);

impl Driver {
    async fn drive(&self) -> Result<(), String> {
        let mut stopping = false;
        loop {
            self.turns.fetch_add(1, Ordering::Relaxed);
            let now = self.clock.now();
            while let Some(input) = self.net.next_input() {
                self.engine.input(now, input);
            }
            self.engine.turn(now);
            self.perform()?;
            if self.engine.has_failed() {
                return Err("this member's rows no longer follow the group; it stops rather than serve them".into());
            }
            if let Some(error) = self.sync_failed.borrow_mut().take() {
                return Err(error);
            }
            if self.stop.load(Ordering::Relaxed) && !stopping {
                stopping = true;
                oplog::say(Level::System, "stopping");
                self.engine.begin_shutdown(now);
                continue;
            }
            if stopping && self.engine.is_stopped() {
                self.perform()?;
                return self.disk.finish().map_err(|error| error.to_string());
            }
            self.wait(now).await;
        }
    }

    /// Until an input comes, a session wants a turn, or time makes one due.
    async fn wait(&self, now: Now) {
        let due = self.engine.next_timer(now).min(now.monotonic_us + TICK_US);
        if self.engine.wants_turn() {
            // There is work left: sessions and syncs get their part first.
            glommio::executor().yield_task_queue_now().await;
            return;
        }
        let pause = Duration::from_micros((due - now.monotonic_us.min(due)).max(1000));
        let mut timer = std::pin::pin!(glommio::timer::sleep(pause));
        poll_fn(|cx| {
            let ready = self.net.arrived.poll(cx).is_ready()
                | self.engine.poll_wanted(cx).is_ready()
                | timer.as_mut().poll(cx).is_ready();
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Performs effects in order.
    fn perform(&self) -> Result<(), String> {
        let fail = |error: engine_log::LogError| error.to_string();
        self.become_known();
        while let Some(effect) = self.engine.pop_effect() {
            match effect {
                Effect::Send { to, channel, label, message, payload } => {
                    self.net.send(to, channel, label, &message, &payload);
                }
                Effect::Append(frame) => self.disk.append(&frame).map_err(fail)?,
                Effect::Cut { after } => self.disk.cut(after).map_err(fail)?,
                Effect::ResetLog => self.disk.reset().map_err(fail)?,
                Effect::StoreVote(vote) => {
                    self.disk.set_running(self.engine.with_member(|member| member.is_running()));
                    self.disk.store_vote(&vote).map_err(fail)?;
                    self.net.push(Input::VoteStored { generation: vote.generation });
                }
                Effect::Read { token, after, bytes_max } => {
                    let frames = self.disk.read_after(after, bytes_max);
                    self.net.push(Input::ReadDone { token, frames });
                }
                Effect::Checkpoint(write) => {
                    let net = self.net.clone();
                    self.disk.write_checkpoint(write, move |input| net.push(input));
                }
                Effect::ReadCheckpoint { token, index, block } => {
                    let part = self.disk.read_checkpoint(index, block);
                    self.net.push(Input::CheckpointRead { token, part });
                }
                Effect::RestartLog { base } => self.disk.restart_log(base).map_err(fail)?,
                Effect::Retain { checkpoints, log_after } => {
                    self.disk.retain(&checkpoints, log_after).map_err(fail)?;
                    self.engine.log_purged();
                }
                Effect::Connect(members) => self.net.connect(members),
                Effect::Note(note) => oplog::note(&note),
                Effect::Apply { .. }
                | Effect::Deliver(_)
                | Effect::ResetState
                | Effect::CutRows
                | Effect::RestoreBegin(_)
                | Effect::RestoreRows(_)
                | Effect::RestoreCheck
                | Effect::RestoreAbandon
                | Effect::RestoreEnd { .. }
                | Effect::CommandDone(_)
                | Effect::MembershipEnded
                | Effect::Exit(_) => unreachable!("the engine keeps these to itself"),
            }
        }
        Ok(())
    }

    /// Shows peers who this member is now.
    fn become_known(&self) {
        let (identity, running) = self.engine.with_member(|member| {
            let incarnation = member.group().map_or(Incarnation(0), |group| group.me());
            ((incarnation, member.identity().1), member.is_running())
        });
        if running {
            self.net.set_incarnation(identity.0, identity.1);
        } else if self.net.is_listening() {
            self.net.close();
        }
    }
}

/// Who this member is to be to its peers, before its incarnation is known.
#[must_use]
pub fn identity(group: Uuid, uuid: Uuid, address: &str) -> Identity {
    let run = wire::id::Run(0);
    Identity { group, uuid, incarnation: Incarnation(0), run, address: address.to_owned() }
}
