//! One member whole, but for sockets, files and the clock: order, certification, rows, sessions.
//!
//! [`Engine`] composes `engine-core`'s member and `engine-sql`'s server. The driver feeds it inputs,
//! calls [`Engine::turn`] after each batch and performs the effects; the simulator does the same.
//! Sessions are futures over [`engine_sql::server::Server`], polled by whoever drives.
//!
//! Absent on purpose: any protocol decision; those are `engine-core`'s.

mod host;
mod rows;

use self::rows::Scrub;
use crate::status::Statuses;
use engine_core::catalog::CatalogEffect;
use engine_core::certify::{Certifier, Judged, Verdict};
use engine_core::effect::{CommandError, Effect, Effects, ExitAction, Input, Instant, Level, Note, Vote};
use engine_core::member::{Cause, Command, Limits, Member, MemberConfig, Memory, StartOptions, State, replay};
use engine_sql::catalog::Effect as SqlEffect;
use engine_sql::host::{GroupCommand, GroupStatus, Host, Now, Outcome, Ticket};
use engine_sql::server::{RowsCut, Server};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use wire::entry::{ArchivedBody, Body, GroupOptions, Gtid, Report};
use wire::frame::Frame;
use wire::gtid::GtidSet;
use wire::id::{Birth, Csn, Incarnation, Index, Run, Uuid};
use wire::mutant::{Mutant, planted};

/// Reports go through the order this often (`design.md` §6).
const REPORT_US: u64 = 1_000_000;
/// Versions collected per turn at most.
const COLLECT_STEPS: usize = 256;

/// What the engine asks of the world at once, without waiting.
pub trait World {
    /// Random bits.
    fn random(&self) -> u64;

    /// Appends a record to the local journal and syncs it.
    ///
    /// # Errors
    /// What the disk said.
    fn journal(&self, record: &[u8]) -> Result<(), String>;

    /// Frames from the one that holds `from` on, about `bytes_max` of them; empty when there are none.
    fn read_log(&self, from: Index, bytes_max: usize) -> Vec<Frame>;

    /// Asks the process to stop cleanly.
    fn shutdown(&self);

    /// The first index that the log holds.
    fn first_index(&self) -> Index;

    /// A line for the operators' log.
    fn note(&self, note: Note);

    /// A decided frame, and what became of each of its entries; for those who check it.
    fn judged(&self, _frame: &Frame, _judged: &[Judged]) {}
}

/// What START GROUP_REPLICATION takes from the system variables.
#[derive(Clone, Debug)]
pub struct StartSettings {
    /// `group_replication_bootstrap_group`.
    pub bootstrap: bool,
    /// Group-wide settings.
    pub options: GroupOptions,
    /// `group_replication_local_address`.
    pub address: String,
    /// `group_replication_group_seeds` without the own address.
    pub seeds: Vec<String>,
    /// `group_replication_member_weight`.
    pub weight: u8,
    /// `group_replication_clone_threshold`.
    pub clone_threshold: u64,
}

/// Reads [`StartSettings`] from the system variables, or says why START is refused.
pub type ReadSettings = Box<dyn Fn(&Server) -> Result<StartSettings, (u16, String)>>;
/// Hears of this member's state and role, to set `super_read_only` and the like.
pub type OnRole = Box<dyn Fn(&Server, Role)>;

/// What a member may do now, as its system variables show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// In no group (any more).
    Offline,
    /// START began: `super_read_only` before it joins.
    Starting,
    /// START failed: as it was before.
    StartFailed,
    /// Joins, recovers, follows or failed: `super_read_only`.
    ReadOnly,
    /// Primary, or ONLINE in multi-primary mode.
    Writable,
    /// `exit_state_action=OFFLINE_MODE`, after it left against its will: `super_read_only` and `offline_mode`.
    OfflineMode,
}

/// Place and name of each CSN whose verdict this process knows: those above the checkpoint that it began with,
/// and whose entries are still in the log. Below a checkpoint verdicts cannot be judged again.
#[derive(Default)]
struct Logged {
    /// The last CSN that is not known any more.
    base: Csn,
    /// Every GTID up to there.
    purged: GtidSet,
    entries: VecDeque<(Index, Gtid)>,
}

impl Logged {
    fn get(&self, csn: u64) -> Option<(Index, Gtid)> {
        self.entries.get(usize::try_from(csn.checked_sub(self.base.0 + 1)?).ok()?).copied()
    }

    fn push(&mut self, csn: Csn, index: Index, gtid: Gtid) {
        assert_eq!(self.base.0 + self.entries.len() as u64 + 1, csn.0, "CSNs are dense");
        self.entries.push_back((index, gtid));
    }

    /// The log begins at `first` now.
    fn purge_below(&mut self, first: Index) {
        while let Some(&(index, gtid)) = self.entries.front()
            && index < first
        {
            self.purged.add(gtid);
            self.base = self.base.next();
            self.entries.pop_front();
        }
    }
}

enum Waiting {
    For(Option<Waker>),
    Done(Outcome),
}

enum CommandState {
    For(Option<Waker>),
    Done(Result<(), (u16, String)>),
}

struct Inner {
    world: Box<dyn World>,
    now: Cell<Now>,
    uuid: Uuid,
    member: RefCell<Option<Member>>,
    /// Effects that the driver has not taken yet.
    out: RefCell<Effects>,
    tickets: RefCell<BTreeMap<Ticket, Waiting>>,
    /// Own numbers of the present membership.
    numbers: RefCell<BTreeMap<u64, Ticket>>,
    next_ticket: Cell<u64>,
    commands: RefCell<BTreeMap<Ticket, CommandState>>,
    /// The command that the member is carrying out.
    running_command: Cell<Option<Ticket>>,
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    next_timer: Cell<u64>,
    logged: RefCell<Logged>,
    /// Names of the transactions up to the stable CSN: every ONLINE member has applied them.
    stable: RefCell<(Csn, GtidSet)>,
    visible: Cell<Csn>,
    /// AFTER transactions that are applied here and not yet everywhere, with their places.
    held: RefCell<VecDeque<(Csn, Index)>>,
    /// Own entries that are judged, with the CSN that is to be visible before anybody hears of them.
    unfinished: RefCell<VecDeque<(Csn, Judged)>>,
    statuses: Statuses,
    work: RefCell<Option<Waker>>,
    wanted: Cell<bool>,
    commands_wanted: RefCell<VecDeque<(Ticket, GroupCommand)>>,
    /// The command that runs is START.
    starts: Cell<bool>,
    shutdown: Cell<bool>,
}

/// See the module.
pub struct Engine {
    inner: Rc<Inner>,
    server: Rc<Server>,
    settings: ReadSettings,
    on_role: OnRole,
    role: Cell<Role>,
    next_report: Cell<u64>,
    reported: Cell<Csn>,
    failed: Cell<bool>,
    /// Digests of the last place that the order named: CSN, verdicts, rows.
    named: Cell<Option<(Csn, u64, u64)>>,
    /// What was applied is not what the group has: nothing more is applied before all is forgotten.
    spoiled: Cell<bool>,
    /// Rows that are being read again, to compare them with their digest.
    scrub: RefCell<Scrub>,
    /// Rows that a checkpoint is reading.
    cut: RefCell<Option<RowsCut>>,
}

impl Engine {
    /// A member without any state yet; [`Engine::replay`] and [`Engine::boot`] follow.
    #[must_use]
    pub fn new(world: Box<dyn World>, uuid: Uuid, shards: usize, settings: ReadSettings, on_role: OnRole) -> Self {
        let inner = Rc::new(Inner {
            world,
            now: Cell::default(),
            uuid,
            member: RefCell::new(None),
            out: RefCell::default(),
            tickets: RefCell::default(),
            numbers: RefCell::default(),
            next_ticket: Cell::new(1),
            commands: RefCell::default(),
            running_command: Cell::new(None),
            timers: RefCell::default(),
            next_timer: Cell::new(0),
            logged: RefCell::default(),
            stable: RefCell::default(),
            visible: Cell::default(),
            held: RefCell::default(),
            unfinished: RefCell::default(),
            statuses: Statuses::default(),
            work: RefCell::default(),
            wanted: Cell::new(false),
            commands_wanted: RefCell::default(),
            starts: Cell::new(false),
            shutdown: Cell::new(false),
        });
        let server = Server::new(inner.clone(), shards);
        Self {
            inner,
            server,
            settings,
            on_role,
            role: Cell::new(Role::Offline),
            next_report: Cell::new(0),
            reported: Cell::default(),
            failed: Cell::new(false),
            named: Cell::new(None),
            spoiled: Cell::new(false),
            scrub: RefCell::default(),
            cut: RefCell::default(),
        }
    }

    /// The SQL half.
    #[must_use]
    pub fn server(&self) -> &Rc<Server> {
        &self.server
    }

    /// What sessions see of the other half.
    #[must_use]
    pub fn host(&self) -> Rc<dyn Host> {
        self.inner.clone()
    }

    /// The clock moved on before a session runs.
    pub fn tick(&self, now: Now) {
        self.inner.now.set(now);
    }

    /// Judges and applies a decided frame of the own log, at a restart.
    ///
    /// # Errors
    /// What does not fit: the rows cannot be rebuilt from this log.
    pub fn replay(&self, certifier: &mut Certifier, frame: &Frame) -> Result<(), String> {
        let judged = replay(certifier, frame);
        self.apply(frame, &judged, None)
    }

    /// Begins a process life over what the disk gave back. With `start`, it also begins START GROUP_REPLICATION.
    pub fn boot(&self, now: Now, config: MemberConfig, vote: Vote, run: Run, memory: Memory, start: bool) {
        self.inner.now.set(now);
        let mut member = Member::new(config, vote, run, memory);
        let mut out = Effects::default();
        member.boot(instant(now), None, &mut out);
        *self.inner.member.borrow_mut() = Some(member);
        self.take(out);
        if start {
            let ticket = self.inner.ticket();
            self.inner.commands.borrow_mut().insert(ticket, CommandState::For(None));
            let command = GroupCommand::Start { user: None, password: None };
            self.inner.commands_wanted.borrow_mut().push_back((ticket, command));
        }
        self.show_role();
    }

    /// Feeds one input.
    pub fn input(&self, now: Now, input: Input) {
        self.inner.now.set(now);
        let mut out = Effects::default();
        self.inner.member().step(instant(now), input, &mut out);
        self.take(out);
    }

    /// One turn after a batch of inputs: effects are then to be taken and performed.
    pub fn turn(&self, now: Now) {
        self.inner.now.set(now);
        self.inner.wanted.set(false);
        self.fire_timers(now);
        self.begin_commands(now);
        if now.monotonic_us >= self.next_report.get() {
            self.inner.member().set_limits(self.limits());
            self.server.end_idle(now.monotonic_us);
        }
        self.report(now);
        let mut out = Effects::default();
        self.inner.member().turn(instant(now), &mut out);
        self.take(out);
        self.cut_slices();
        if self.inner.member().has_arrived_log() {
            self.inner.wanted.set(true);
        }
        if !self.inner.held.borrow().is_empty() {
            self.show();
        }
        self.scrub(now);
        let stable = self.inner.member().certifier().stable();
        self.server.gc(stable, COLLECT_STEPS);
        self.show_role();
    }

    /// The log was purged: what it held of positions goes too.
    pub fn log_purged(&self) {
        let first = self.inner.world.first_index();
        self.inner.logged.borrow_mut().purge_below(first);
    }

    /// The next effect that the driver is to perform.
    #[must_use]
    pub fn pop_effect(&self) -> Option<Effect> {
        self.inner.out.borrow_mut().pop()
    }

    /// Whether a turn is wanted now: something was proposed or commanded.
    #[must_use]
    pub fn wants_turn(&self) -> bool {
        self.inner.wanted.get()
    }

    /// `Ready` when a turn is wanted.
    pub fn poll_wanted(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.inner.wanted.get() {
            return Poll::Ready(());
        }
        *self.inner.work.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    /// When a turn is due although nothing happened.
    #[must_use]
    pub fn next_timer(&self, now: Now) -> u64 {
        let member = self.inner.member().next_timer(instant(now)).0;
        let session = self.inner.timers.borrow().keys().next().map_or(u64::MAX, |&(at, _)| at);
        member.min(session).min(self.next_report.get().max(now.monotonic_us + 1000))
    }

    /// A clean end: leaves the group; [`Engine::is_stopped`] tells when that is done.
    pub fn begin_shutdown(&self, now: Now) {
        self.inner.now.set(now);
        self.inner.shutdown.set(true);
        // What was begun or asked for is answered now: the member's next answer is about the shutdown.
        let begun = self.inner.running_command.take();
        let wanted = std::mem::take(&mut *self.inner.commands_wanted.borrow_mut());
        for ticket in begun.into_iter().chain(wanted.into_iter().map(|(ticket, _)| ticket)) {
            self.inner.finish_command(ticket, Err((1053, "Server shutdown in progress".to_owned())));
        }
        let mut out = Effects::default();
        self.inner.member().command(instant(now), Command::Shutdown, &mut out);
        self.take(out);
    }

    /// Whether the member is in no group any more, after [`Engine::begin_shutdown`].
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.inner.shutdown.get() && !self.inner.member().is_running()
    }

    /// Whether the rows no longer fit the log: the process must end.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed.get()
    }

    /// Looks at the member's half of the state.
    pub fn with_member<T>(&self, look: impl FnOnce(&Member) -> T) -> T {
        look(&self.inner.member())
    }

    /// What this member may do now.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role.get()
    }

    /// The group as this member sees it.
    #[must_use]
    pub fn status(&self) -> Rc<GroupStatus> {
        self.inner.status()
    }

    /// Settings of membership, looked at each second.
    fn limits(&self) -> Limits {
        let globals = self.server.globals.borrow();
        let seconds = |name| globals.number(name).saturating_mul(1_000_000);
        let exit_action = match globals.text("group_replication_exit_state_action").as_str() {
            "ABORT_SERVER" => ExitAction::AbortServer,
            "OFFLINE_MODE" => ExitAction::OfflineMode,
            _ => ExitAction::ReadOnly,
        };
        Limits {
            expel_us: seconds("group_replication_member_expel_timeout"),
            majority_us: seconds("group_replication_unreachable_majority_timeout"),
            autorejoin_tries: globals.number("group_replication_autorejoin_tries") as u32,
            exit_action,
        }
    }

    fn fire_timers(&self, now: Now) {
        let mut timers = self.inner.timers.borrow_mut();
        let later = timers.split_off(&(now.monotonic_us + 1, 0));
        for waker in std::mem::replace(&mut *timers, later).into_values() {
            waker.wake();
        }
    }

    fn begin_commands(&self, now: Now) {
        if let Some(running) = self.inner.running_command.get() {
            // A START ends once its member is in the group, and fetching what it lacks may take long: STOP ends it.
            let wanted = self.inner.commands_wanted.borrow();
            let stops = wanted.front().is_some_and(|(_, command)| matches!(command, GroupCommand::Stop));
            if !(stops && self.inner.starts.get()) {
                return;
            }
            drop(wanted);
            self.inner.running_command.set(None);
            self.inner.finish_command(running, Err((3092, "STOP GROUP_REPLICATION has ended it".to_owned())));
        }
        let Some((ticket, command)) = self.inner.commands_wanted.borrow_mut().pop_front() else { return };
        let command = match command {
            GroupCommand::Start { .. } => match (self.settings)(&self.server) {
                Ok(settings) => Command::Start(Box::new(self.inner.start_options(settings))),
                Err(refused) => return self.inner.finish_command(ticket, Err(refused)),
            },
            GroupCommand::Stop => Command::Stop,
            GroupCommand::Force { addresses } => Command::Force { addresses, birth: self.inner.fresh_birth() },
        };
        let starts = matches!(command, Command::Start(_));
        self.inner.starts.set(starts);
        if starts {
            (self.on_role)(&self.server, Role::Starting);
            self.role.set(Role::ReadOnly);
        }
        self.inner.running_command.set(Some(ticket));
        let mut out = Effects::default();
        self.inner.member().command(instant(now), command, &mut out);
        self.take(out);
    }

    /// What every ONLINE member says each second.
    fn report(&self, now: Now) {
        if now.monotonic_us < self.next_report.get() {
            return;
        }
        self.next_report.set(now.monotonic_us + REPORT_US);
        let (online, lone) = {
            let member = self.inner.member();
            (member.own_state() == State::Online, member.is_lone())
        };
        let (applied, _) = self.server.digest();
        if !(online || lone && applied > self.reported.get()) {
            return;
        }
        self.reported.set(applied);
        let report = {
            let member = self.inner.member();
            let (proposed, rolled_back, applied) = member.counts();
            let least_snapshot = self.server.least_snapshot();
            let (digest_at, verdicts, rows) = self.named.get().unwrap_or_default();
            // A row that is not what was stored shows as digests that differ.
            let rows = rows.wrapping_add(self.scrub.borrow().found);
            Report { least_snapshot, digest_at, verdicts, rows, applier_queue: 0, applied, proposed, rolled_back }
        };
        // Nobody waits for it: the order is the answer.
        let _ = self.inner.propose_body(Body::Report(report));
    }

    /// What is applied here is not what the group has: nothing more is, before the member begins anew.
    fn diverged(&self, fault: String) {
        let mut out = Effects::default();
        let now = instant(self.inner.now.get());
        let text = format!("what the group decided cannot be applied here: {fault}");
        self.spoiled.set(true);
        self.inner.member().leave_with_error(now, Cause::Diverged(fault), &mut out);
        if self.inner.member().trouble().is_none() {
            // There is nobody else to rebuild from.
            self.inner.world.note(Note { level: Level::Error, code: 11453, text });
            self.failed.set(true);
        }
        self.take(out);
    }

    /// Takes what the member wants: applies what was delivered, keeps the rest for the driver.
    fn take(&self, mut effects: Effects) {
        while let Some(effect) = effects.pop() {
            match effect {
                Effect::Apply { .. } if self.spoiled.get() => {}
                Effect::Apply { frame, judged } => {
                    let identity = self.inner.member().identity();
                    if let Err(fault) = self.apply(&frame, &judged, Some(identity)) {
                        self.diverged(fault);
                        if self.failed.get() {
                            return;
                        }
                    }
                }
                Effect::CutRows if self.spoiled.get() => {}
                Effect::CutRows => self.cut_rows(),
                Effect::RestoreBegin(head) => self.begin_restore(&head),
                Effect::RestoreRows(piece) => {
                    if let Err(reason) = self.restore_rows(&piece) {
                        self.restore_failed(&reason);
                    }
                }
                Effect::RestoreCheck => {
                    if let Err(error) = self.server.check_restore() {
                        self.restore_failed(&error.to_string());
                    }
                }
                Effect::RestoreAbandon => self.server.abandon_restore(),
                Effect::RestoreEnd { csn, executed } => {
                    if let Err(fault) = self.finish_restore(csn, *executed) {
                        let text = format!("the state that a donor gave cannot be used here: {fault}");
                        self.inner.world.note(Note { level: Level::Error, code: 11453, text });
                        self.failed.set(true);
                        return;
                    }
                }
                Effect::ResetState => {
                    self.server.reset();
                    *self.inner.logged.borrow_mut() = Logged::default();
                    self.inner.stable.take();
                    self.inner.held.borrow_mut().clear();
                    self.inner.unfinished.borrow_mut().clear();
                    self.forget_digests();
                    self.inner.visible.set(Csn(0));
                }
                Effect::CommandDone(result) => {
                    let result = result.map_err(|CommandError { code, reason }| (code, reason));
                    if result.is_err() && !self.inner.member().is_running() {
                        self.role.set(Role::Offline);
                        (self.on_role)(&self.server, Role::StartFailed);
                    }
                    match self.inner.running_command.take() {
                        Some(ticket) => self.inner.finish_command(ticket, result),
                        None => self.note_unwaited(result),
                    }
                }
                Effect::MembershipEnded => {
                    self.inner.end_membership();
                    self.show();
                }
                Effect::Exit(action) => self.exit(action),
                Effect::Note(note) => self.inner.world.note(note),
                other => self.inner.out.borrow_mut().push(other),
            }
        }
        self.inner.statuses.changed();
    }

    /// The member left against its will, for good.
    fn exit(&self, action: ExitAction) {
        // `super_read_only` came with the state.
        self.show_role();
        match action {
            ExitAction::ReadOnly => {}
            ExitAction::OfflineMode => (self.on_role)(&self.server, Role::OfflineMode),
            ExitAction::AbortServer => {
                let text =
                    "The plugin encountered a critical error and will abort: the server left the group".to_owned();
                self.inner.world.note(Note { level: Level::Warning, code: 11686, text });
                self.inner.world.shutdown();
            }
        }
    }

    fn note_unwaited(&self, result: Result<(), (u16, String)>) {
        if let Err((code, reason)) = result {
            let text = format!("START GROUP_REPLICATION failed with error {code}: {reason}");
            self.inner.world.note(Note { level: Level::Error, code: 0, text });
        }
    }

    /// Applies one decided frame, lets it be seen, and tells who waits.
    fn apply(&self, frame: &Frame, judged: &[Judged], own: Option<(Incarnation, Run)>) -> Result<(), String> {
        self.inner.world.judged(frame, judged);
        let mut unfinished = self.inner.unfinished.borrow_mut();
        for ((_, entry), judged) in frame.entries().zip(judged) {
            let is_own = own == Some((judged.stamp.origin, judged.stamp.run)) && judged.stamp.number > 0;
            if let Verdict::Named { csn, verdicts } = judged.verdict {
                // Everything before it is applied: the rows are as of this CSN.
                self.named.set(Some((csn, verdicts, self.server.digest().1)));
            }
            let Verdict::Committed { csn, gtid, effects } = &judged.verdict else {
                if is_own {
                    unfinished.push_back((self.server.applied(), judged.clone()));
                }
                continue;
            };
            let archived = entry.view().ok_or("a certified entry is not a valid archive")?;
            let mut after = false;
            match &archived.body {
                ArchivedBody::Transaction(transaction) => {
                    after = transaction.after;
                    self.server.apply_transaction(*csn, transaction).map_err(|fault| fault.to_string())?;
                }
                ArchivedBody::Ddl(ddl) => {
                    after = ddl.after;
                    let effects: Vec<SqlEffect> = effects.iter().map(sql_effect).collect();
                    self.server.apply_ddl(*csn, &effects).map_err(|fault| fault.to_string())?;
                }
                _ => self.server.apply_nothing(*csn),
            }
            self.inner.logged.borrow_mut().push(*csn, judged.index, *gtid);
            // A restart shows what is decided: its clients are let in once it follows the group again.
            if after && own.is_some() {
                self.inner.held.borrow_mut().push_back((*csn, judged.index));
                self.server.hold(*csn);
            }
            if is_own {
                unfinished.push_back((*csn, judged.clone()));
            }
        }
        drop(unfinished);
        self.show();
        Ok(())
    }

    /// Lets what is applied be seen, up to the first AFTER transaction that some ONLINE member has not
    /// applied, and tells who waits.
    fn show(&self) {
        let applied = self.server.applied();
        let limit = {
            let mut held = self.inner.held.borrow_mut();
            if !held.is_empty() {
                let by_all = self.inner.member().group().map_or(Index(u64::MAX), |group| group.applied_by_all());
                let by_all = if planted(Mutant::AfterNotAwaited) { Index(u64::MAX) } else { by_all };
                while held.front().is_some_and(|&(_, index)| index <= by_all) {
                    held.pop_front();
                }
            }
            held.front().map_or(applied, |&(csn, _)| Csn(csn.0 - 1))
        };
        let late = planted(Mutant::VisibleTooLate) && limit.0 % 2 == 1;
        if limit > self.inner.visible.get() && !late {
            self.server.set_visible(limit);
            self.inner.visible.set(limit);
        }
        loop {
            let next = {
                let mut unfinished = self.inner.unfinished.borrow_mut();
                let due = unfinished.front().is_some_and(|&(csn, _)| csn <= limit);
                if due { unfinished.pop_front() } else { None }
            };
            let Some((_, judged)) = next else { return };
            self.inner.finish(&judged);
        }
    }

    /// Tells the system variables what this member may do now.
    fn show_role(&self) {
        let role = {
            let member = self.inner.member();
            let certifier = member.certifier();
            let single = certifier.options().is_some_and(|options| options.single_primary);
            match member.own_state() {
                _ if !member.is_running() => Role::Offline,
                // Nobody knows whose rows are right.
                State::Online if certifier.alarm().is_some() => Role::ReadOnly,
                State::Online if !single && !member.has_lowest_version() => Role::ReadOnly,
                State::Online if !single || certifier.primary() == Some(member.identity().0) => Role::Writable,
                _ => Role::ReadOnly,
            }
        };
        if role != self.role.get() {
            self.role.set(role);
            self.inner.statuses.changed();
            (self.on_role)(&self.server, role);
        }
    }
}

impl Inner {
    fn member(&self) -> std::cell::RefMut<'_, Member> {
        std::cell::RefMut::map(self.member.borrow_mut(), |member| member.as_mut().expect("booted before it is used"))
    }

    fn ticket(&self) -> Ticket {
        let ticket = Ticket(self.next_ticket.get());
        self.next_ticket.set(ticket.0 + 1);
        ticket
    }

    fn want_turn(&self) {
        self.wanted.set(true);
        if let Some(waker) = self.work.borrow_mut().take() {
            waker.wake();
        }
    }

    /// TRANSACTIONS_COMMITTED_ALL_MEMBERS, put together when somebody asks.
    fn stable_set(&self) -> String {
        let target = self.member().certifier().stable();
        let (logged, mut stable) = (self.logged.borrow(), self.stable.borrow_mut());
        let (done, set) = &mut *stable;
        if *done < logged.base && target >= logged.base {
            (*done, *set) = (logged.base, logged.purged.clone());
        }
        while *done < target
            && let Some((_, gtid)) = logged.get(done.0 + 1)
        {
            set.add(gtid);
            *done = done.next();
        }
        set.to_string()
    }

    fn start_options(&self, settings: StartSettings) -> StartOptions {
        let StartSettings { bootstrap, options, address, seeds, weight, clone_threshold } = settings;
        let birth = self.fresh_birth();
        let incarnation = Incarnation(self.world.random().max(1));
        StartOptions { bootstrap, options, address, seeds, weight, incarnation, clone_threshold, birth }
    }

    /// 100 ns units since 1970 and a small random part, as MySQL's view ids have.
    fn fresh_birth(&self) -> Birth {
        Birth(self.now.get().unix_us * 10 + self.world.random() % 10)
    }

    /// What the birth of a server outside any group is made of.
    fn lone_options(&self) -> StartOptions {
        let options = GroupOptions {
            name: self.uuid,
            group: false,
            single_primary: false,
            everywhere_checks: false,
            gtid_block_size: 1,
            view_change_uuid: self.uuid,
            view_change_events: false,
        };
        let (address, seeds) = (String::new(), Vec::new());
        self.start_options(StartSettings {
            bootstrap: true,
            options,
            address,
            seeds,
            weight: 50,
            clone_threshold: u64::MAX,
        })
    }

    fn propose_body(&self, body: Body) -> Result<u64, Box<Body>> {
        let mut out = Effects::default();
        let now = instant(self.now.get());
        let number = self.member().propose(now, body, || self.lone_options(), &mut out)?;
        while let Some(effect) = out.pop() {
            self.out.borrow_mut().push(effect);
        }
        self.want_turn();
        Ok(number)
    }

    fn finish(&self, judged: &Judged) {
        let Some(ticket) = self.numbers.borrow_mut().remove(&judged.stamp.number) else { return };
        let outcome = match &judged.verdict {
            Verdict::Committed { csn, gtid, .. } => Outcome::Committed { csn: *csn, gtid: Some(*gtid) },
            Verdict::Conflict(_) => Outcome::Conflict,
            Verdict::Refused(refusal) => Outcome::Refused(refusal.clone()),
            Verdict::Void => Outcome::Void,
            Verdict::Noted | Verdict::Named { .. } => Outcome::Committed { csn: self.visible.get(), gtid: None },
            Verdict::Repeat => return,
        };
        self.settle(ticket, outcome);
    }

    fn settle(&self, ticket: Ticket, outcome: Outcome) {
        if let Some(waiting) = self.tickets.borrow_mut().get_mut(&ticket)
            && let Waiting::For(waker) = std::mem::replace(waiting, Waiting::Done(outcome))
            && let Some(waker) = waker
        {
            waker.wake();
        }
    }

    fn end_membership(&self) {
        let numbers = std::mem::take(&mut *self.numbers.borrow_mut());
        for ticket in numbers.into_values() {
            self.settle(ticket, Outcome::Unknown);
        }
    }

    fn finish_command(&self, ticket: Ticket, result: Result<(), (u16, String)>) {
        if let Some(state) = self.commands.borrow_mut().get_mut(&ticket)
            && let CommandState::For(waker) = std::mem::replace(state, CommandState::Done(result))
            && let Some(waker) = waker
        {
            waker.wake();
        }
    }
}

/// The core's clock.
#[must_use]
pub fn instant(now: Now) -> Instant {
    Instant(now.monotonic_us)
}

fn sql_effect(effect: &CatalogEffect) -> SqlEffect {
    match effect {
        CatalogEffect::Created((kind, schema, name), object) => SqlEffect::Created {
            kind: *kind,
            schema: schema.clone(),
            name: name.clone(),
            id: object.id,
            version: object.version,
            definition: object.definition.clone(),
        },
        CatalogEffect::Replaced((kind, schema, name), object) => SqlEffect::Replaced {
            kind: *kind,
            schema: schema.clone(),
            name: name.clone(),
            id: object.id,
            version: object.version,
            definition: object.definition.clone(),
        },
        CatalogEffect::Dropped((kind, schema, name), id) => {
            SqlEffect::Dropped { kind: *kind, schema: schema.clone(), name: name.clone(), id: *id }
        }
    }
}
