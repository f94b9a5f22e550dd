//! One member: composes order and certification, and holds the rules of membership: bootstrap, join,
//! resume, leave, what a server outside any group does. Its surface is [`Member::step`],
//! [`Member::turn`], [`Member::command`] and [`Member::propose`].
//!
//! A server outside a group is a group of one, whose birth is written lazily: before its first own
//! write there is nothing in its log, and a log without own writes stays a clean prefix of the
//! group's.
//!
//! What is a state machine of its own lies in its own file: `join`, `admission`, `announce`.
//!
//! Absent on purpose: rows and sessions (`engine/store`, `engine/sql`), the world (`engine/node`).

mod admission;
mod announce;
mod force;
mod join;
mod recover;
mod trouble;

use crate::certify::{Certifier, Judged, Verdict};
use crate::checkpoint::cut::{Cut, RowsHead};
use crate::checkpoint::keeper::Keeper;
use crate::effect::{CommandError, Effect, Effects, Input, Instant, Level, Vote};
use crate::paxos::tail::{Tail, point_after};
use crate::paxos::{Group, GroupConfig, Timing, views_in};
use crate::recovery::{Donor, donor};
use crate::rng::Rng;
use announce::Announced;
use join::Attempt;
use recover::Recovery;
use trouble::Trouble;
pub use trouble::{Cause, Limits};
use wire::entry::{Body, Entry, GroupOptions, NewBirth, Stamp, View, ViewCause, ViewMember, VotingRole};
use wire::frame::{BatchBuilder, Frame};
use wire::id::{Birth, Csn, Incarnation, Index, Run, Uuid};
use wire::message::Message;
use wire::mutant::{Mutant, planted};

/// STOP waits so long for the view without it, when no quorum answers.
const LEAVE_TIMEOUT_US: u64 = 10_000_000;
/// STOP of a learner, which may be long from knowing the view that lists it.
const LEARNER_LEAVE_TIMEOUT_US: u64 = 1_000_000;
/// Room kept ready for the next batch of own proposals, at most.
const PENDING_BYTES: usize = 64 << 10;

/// What a member is, whatever group it is in.
#[derive(Clone, Debug)]
pub struct MemberConfig {
    /// `server_uuid`.
    pub uuid: Uuid,
    /// `server_id`.
    pub server_id: u32,
    /// MEMBER_HOST.
    pub host: String,
    /// MEMBER_PORT.
    pub port: u16,
    /// major*10000 + minor*100 + patch.
    pub version: u32,
    /// `sync_binlog=0`.
    pub synced_on_append: bool,
    /// Window in batches.
    pub write_concurrency: usize,
    /// Window in bytes.
    pub window_bytes: usize,
    /// Times.
    pub timing: Timing,
    /// Seed of jitter.
    pub seed: u64,
}

/// What START GROUP_REPLICATION takes from the settings.
#[derive(Clone, Debug)]
pub struct StartOptions {
    /// `group_replication_bootstrap_group`.
    pub bootstrap: bool,
    /// What must be equal on all members.
    pub options: GroupOptions,
    /// `group_replication_local_address`.
    pub address: String,
    /// `group_replication_group_seeds`, without the own address.
    pub seeds: Vec<String>,
    /// `group_replication_member_weight`.
    pub weight: u8,
    /// A fresh incarnation, for a new membership life.
    pub incarnation: Incarnation,
    /// `group_replication_clone_threshold`: entries missing from which on a checkpoint is wanted.
    pub clone_threshold: u64,
    /// A fresh birth, for a bootstrap.
    pub birth: Birth,
}

/// START, STOP, and the end of the process.
#[derive(Clone, Debug)]
pub enum Command {
    /// START GROUP_REPLICATION.
    Start(Box<StartOptions>),
    /// STOP GROUP_REPLICATION.
    Stop,
    /// `SET GLOBAL group_replication_force_members`: these `local_address`es become the group, as `birth`.
    Force {
        /// Of members of the present view, this one among them.
        addresses: Vec<String>,
        /// A fresh birth.
        birth: Birth,
    },
    /// A clean end of the process: leaves, unless it is the last one, which so can come back alone. Without a
    /// quorum it cannot leave: it stays a member, and comes back as after a crash.
    Shutdown,
}

/// What a member is doing.
#[derive(Clone, Debug)]
enum Life {
    /// In no group; perhaps a group of one for its own writes.
    Offline,
    /// Asks seeds to be added.
    Joining(Box<Attempt>),
    /// In a group; a command may still wait for the view that shows it.
    Running { waits: bool },
    /// In ERROR, its incarnation over: waits for the next attempt to come back, or for STOP.
    Failed,
    /// Waits for the view without it.
    Leaving { since: Instant, shutdown: bool },
}
/// State of a member as this one sees it (`performance_schema.md` §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Full member.
    Online,
    /// In the view, not yet ONLINE.
    Recovering,
    /// In no group.
    Offline,
    /// Silent for 5 s.
    Unreachable,
    /// Left against its will, or failed.
    Error,
}

/// What a member begins with: the state that its own disk gave back.
pub struct Memory {
    /// The end of the log; everything decided is judged.
    pub log: Tail,
    /// The replicated state as of the log's decided index.
    pub certifier: Certifier,
    /// The checkpoints that there are.
    pub keeper: Keeper,
}

/// See the module.
pub struct Member {
    config: MemberConfig,
    life: Life,
    vote: Vote,
    /// The log while there is no `group`.
    log: Tail,
    group: Option<Group>,
    certifier: Certifier,
    keeper: Keeper,
    donor: Donor,
    recovery: Option<Recovery>,
    /// Tokens of earlier recoveries.
    recovery_tokens: u64,
    pending: BatchBuilder,
    next_number: u64,
    first_pending: u64,
    online_asked: bool,
    /// The first entry of this run is delivered: a resumed member serves again.
    run_seen: bool,
    /// How it joined or resumed, to ask again.
    attempt: Option<Box<Attempt>>,
    /// Since when no leader brought anything, and what the log ended with.
    unled: Option<(Instant, Index)>,
    proposed: u64,
    rolled_back: u64,
    applied: u64,
    announced: Announced,
    limits: Limits,
    trouble: Option<Trouble>,
    /// In ERROR, but keeping its vote: proposes nothing.
    mute: bool,
    /// Proposals were numbered under the present run.
    run_used: bool,
    /// It was ONLINE since START: losing that is an ERROR.
    served: bool,
    minority_since: Option<Instant>,
    /// The birth that an operator waits for, and its members.
    forcing: Option<(Birth, Vec<Incarnation>)>,
    rng: Rng,
    /// Reports that the keeper of checkpoints knows of.
    reports: u64,
    /// The rows are not the group's: nothing of this state is used again.
    spoiled: bool,
    /// The alarm that was said.
    alarm: Option<Csn>,
    /// START has not ended yet.
    starting: bool,
}

impl Member {
    /// A member with what its disk gave back. `run` is this process life, greater than `vote.run`.
    #[must_use]
    pub fn new(config: MemberConfig, vote: Vote, run: Run, memory: Memory) -> Self {
        let Memory { log, certifier, keeper } = memory;
        assert!(run > vote.run, "each process life has a greater run");
        assert_eq!(certifier.index(), log.decided(), "the decided log is replayed");
        let seed = config.seed;
        let donor = Donor::new(config.window_bytes);
        Self {
            config,
            life: Life::Offline,
            vote: Vote { run, ..vote },
            log,
            group: None,
            certifier,
            keeper,
            donor,
            recovery: None,
            recovery_tokens: 0,
            pending: BatchBuilder::new(),
            next_number: 1,
            first_pending: 1,
            online_asked: false,
            run_seen: false,
            attempt: None,
            unled: None,
            proposed: 0,
            rolled_back: 0,
            applied: 0,
            announced: Announced::default(),
            limits: Limits::default(),
            trouble: None,
            mute: false,
            run_used: false,
            served: false,
            minority_since: None,
            forcing: None,
            rng: Rng::new(seed ^ 0x6d65_6d62_6572),
            reports: 0,
            spoiled: false,
            alarm: None,
            starting: false,
        }
    }

    /// Begins a process life: a server outside any group goes on as its group of one. With `start`, it
    /// also begins START GROUP_REPLICATION (`start_on_boot`).
    pub fn boot(&mut self, now: Instant, start: Option<StartOptions>, out: &mut Effects) {
        self.keeper.boot(now, out);
        if self.log.last() == Index(0) {
            // Its log was dropped, and perhaps not yet the checkpoints of that.
            self.keeper.reset(out);
        }
        let standalone = self.certifier.options().is_some_and(|options| !options.group);
        if standalone && self.resumable() {
            self.resume(now, None, out);
        }
        if let Some(start) = start {
            self.start(now, start, out);
        }
    }

    /// Whether a view of its log lists this member, as far as it knows.
    fn resumable(&self) -> bool {
        self.vote.listed && self.certifier.view().is_some() && self.listing().is_some()
    }

    /// This member as a view lists it: the last decided one, or one behind it that its log holds. Who was added by a
    /// view that it has not seen decided may vote by now, and the group may need its vote: that life goes on.
    fn listing(&self) -> Option<ViewMember> {
        let me = self.vote.incarnation;
        let listed = |view: &View| view.members.iter().find(|member| member.incarnation == me).cloned();
        let decided = self.certifier.view().and_then(|(_, view)| listed(view));
        let log = self.group.as_ref().map_or(&self.log, Group::log);
        decided.or_else(|| log.undecided().flat_map(views_in).find_map(|(_, view)| listed(&view)))
    }

    fn resume(&mut self, now: Instant, start: Option<&StartOptions>, out: &mut Effects) {
        if self.run_used {
            // This process has numbered proposals under its run already: numbers begin anew only with another.
            self.vote.run = self.vote.run.successor(0);
        }
        let (index, view) = self.certifier.view().cloned().expect("resumable");
        let mut me = self.listing().expect("resumable");
        if let Some(start) = start {
            me.address.clone_from(&start.address);
        }
        let config = self.group_config(me);
        let log = std::mem::replace(&mut self.log, Tail::empty());
        let mut group = Group::member(config, self.vote, log, (index, view), self.certifier.sequencer().clone());
        group.set_primary(self.certifier.primary_view(), None);
        self.adopt(group);
        self.run_seen = false;
        self.push(Body::Run);
        self.flush_proposals();
        self.group_mut().start(now, out);
    }

    fn group_config(&self, me: ViewMember) -> GroupConfig {
        GroupConfig {
            me,
            run: self.vote.run,
            synced_on_append: self.config.synced_on_append,
            write_concurrency: self.config.write_concurrency,
            window_bytes: self.config.window_bytes,
            timing: Timing { expel_us: self.limits.expel_us, ..self.config.timing },
            seed: self.config.seed,
        }
    }

    fn adopt(&mut self, mut group: Group) {
        self.attempt = None;
        self.unled = None;
        if let Life::Leaving { since, .. } = self.life {
            group.leave(since);
        }
        self.group = Some(group);
        self.pending.clear();
        self.next_number = 1;
        self.first_pending = 1;
        self.online_asked = false;
        self.minority_since = None;
        self.mute = false;
        self.run_used = true;
    }

    fn group_mut(&mut self) -> &mut Group {
        self.group.as_mut().expect("called with a group")
    }

    /// START, STOP or the end of the process; [`Effect::CommandDone`] follows.
    pub fn command(&mut self, now: Instant, command: Command, out: &mut Effects) {
        match command {
            Command::Start(options) => self.start(now, *options, out),
            Command::Stop => self.stop(now, false, out),
            Command::Force { addresses, birth } => self.force(now, &addresses, birth, out),
            Command::Shutdown => self.stop(now, true, out),
        }
    }

    fn start(&mut self, now: Instant, options: StartOptions, out: &mut Effects) {
        if !matches!(self.life, Life::Offline) {
            let reason = "the member is already part of a group".into();
            out.push(Effect::CommandDone(Err(CommandError { code: 3093, reason })));
            return;
        }
        self.served = false;
        self.starting = true;
        let in_group = self.certifier.options().is_some_and(|options| options.group);
        let diverged = self.certifier.facts(self.vote.incarnation).is_some_and(|facts| facts.diverged);
        if diverged && in_group && self.resumable() && !options.bootstrap {
            self.resume(now, Some(&options), out);
            self.life = Life::Running { waits: true };
            self.attempt = Some(Box::new(Attempt::new(now, options.clone())));
            return self.resume_diverged(now, &options);
        }
        self.drop_spoiled(out);
        let in_group = self.certifier.options().is_some_and(|options| options.group);
        if options.bootstrap {
            self.end_group(out);
            self.begin_birth(now, &options, out);
            self.life = Life::Running { waits: true };
            self.attempt = Some(Box::new(Attempt::new(now, StartOptions { bootstrap: false, ..options })));
        } else if in_group && self.resumable() && self.certifier.options() == Some(&options.options) {
            self.resume(now, Some(&options), out);
            self.group_mut().await_all(now);
            self.life = Life::Running { waits: true };
            self.attempt = Some(Box::new(Attempt::new(now, options)));
        } else {
            self.end_group(out);
            self.life = Life::Joining(Box::new(Attempt::new(now, options)));
        }
    }

    fn me(&self, options: &StartOptions) -> ViewMember {
        ViewMember {
            uuid: self.config.uuid,
            incarnation: options.incarnation,
            role: VotingRole::Voter,
            weight: options.weight,
            version: self.config.version,
            server_id: self.config.server_id,
            host: self.config.host.clone(),
            port: self.config.port,
            address: options.address.clone(),
        }
    }

    /// Writes the first entry of a birth behind whatever the log holds.
    fn begin_birth(&mut self, now: Instant, options: &StartOptions, out: &mut Effects) {
        let me = self.me(options);
        let view = View { birth: options.birth, counter: 1, members: vec![me.clone()], cause: ViewCause::Bootstrap };
        let fork = self.log.last();
        let birth = NewBirth { view, parent: self.vote.birth, fork, options: options.options.clone() };
        self.vote.incarnation = me.incarnation;
        self.vote.unsure = false;
        let log = std::mem::replace(&mut self.log, Tail::empty());
        let config = self.group_config(me);
        let mut group = Group::outside(config, self.vote, log, self.certifier.sequencer().clone());
        group.begin_birth(now, birth, out);
        self.adopt(group);
        self.run_seen = true;
        self.judge_delivered(now, out);
    }

    /// Ends the membership, if there is one: the log stays.
    fn end_group(&mut self, out: &mut Effects) {
        self.end_group_keeping(false, out);
    }

    /// With `tail` the log keeps what was never known decided: the incarnation, whose vote it is, is not over.
    fn end_group_keeping(&mut self, tail: bool, out: &mut Effects) {
        self.end_recovery(out);
        let Some(group) = self.group.take() else { return };
        (self.log, self.vote) = group.into_log();
        self.mute = false;
        out.push(Effect::Connect(Vec::new()));
        out.push(Effect::MembershipEnded);
        if !tail && self.log.last() > self.log.decided() {
            // What was never known decided is not this server's to keep.
            let after = self.log.decided();
            self.log.cut_after(after);
            out.push(Effect::Cut { after });
        }
    }

    fn store_vote(&mut self, out: &mut Effects) {
        self.vote.generation += 1;
        out.push(Effect::StoreVote(self.vote));
    }

    fn stop(&mut self, now: Instant, shutdown: bool, out: &mut Effects) {
        self.starting = false;
        if self.stop_diverged(now, shutdown) {
            return;
        }
        if self.trouble.is_some() {
            return self.stop_troubled(out);
        }
        match &self.life {
            Life::Failed | Life::Offline => out.push(Effect::CommandDone(Ok(()))),
            Life::Joining(_) => {
                self.life = Life::Offline;
                out.push(Effect::CommandDone(Ok(())));
            }
            Life::Running { .. } => {
                self.life = Life::Leaving { since: now, shutdown };
                if !self.votes() {
                    // What it fetched of the log stays; the rest is the next START's.
                    self.end_recovery(out);
                }
                self.group_mut().leave(now);
            }
            Life::Leaving { since, shutdown: before } => {
                self.life = Life::Leaving { since: *since, shutdown: shutdown || *before };
            }
        }
    }

    /// Takes one input.
    pub fn step(&mut self, now: Instant, input: Input, out: &mut Effects) {
        out.set_birth(self.group.as_ref().map_or(self.vote.birth, Group::birth));
        match input {
            Input::Received { message: Message::Join(request), .. } => self.on_join(now, *request, out),
            Input::Received { message: Message::JoinAnswer(answer), .. } => self.on_join_answer(now, answer, out),
            Input::Received { label, address, message: Message::Recover { token, want }, .. } => {
                match self.group.as_ref().filter(|group| group.me() == label.to) {
                    Some(group) if Self::is_of_birth(group, label.birth) => {
                        self.on_want(now, address, token, want, out);
                    }
                    Some(_) => Donor::refuse(address, token, out),
                    None => {}
                }
            }
            Input::Received { label, message: Message::Recovered { token, given }, payload, .. } => {
                if self.group.as_ref().is_some_and(|group| Self::is_of_birth(group, label.birth)) {
                    self.on_given(now, token, given, payload, out);
                }
            }
            Input::Received { from, label, message: Message::Behind { ballot }, .. } => {
                let group = self.group.as_ref().filter(|group| group.me() == label.to);
                if ballot.node == from && group.is_some_and(|group| Self::is_of_birth(group, label.birth)) {
                    self.on_behind(now, out);
                }
            }
            Input::ReadDone { token, frames } if donor::is_own(token) => self.on_donor_read(now, token, frames, out),
            Input::CheckpointRead { token, part } => self.on_part(token, part, out),
            Input::CheckpointWritten => self.keeper.on_written(),
            Input::CheckpointStored { index } if self.installs(index) => self.install(now, index, out),
            Input::CheckpointStored { index } => self.keeper.on_stored(now, index, out),
            Input::CheckpointFailed { reason } if self.fetches_checkpoint() => self.restore_failed(now, &reason, out),
            Input::CheckpointFailed { reason } => self.keeper.on_failed(now, &reason, out),
            Input::Refused { address, reason } => self.on_seed_refused(address, reason, out),
            Input::PeerDown(peer) => {
                self.lost_donor(now, peer);
                if let Some(group) = &mut self.group {
                    group.step(now, Input::PeerDown(peer), out);
                }
            }
            input => match &mut self.group {
                Some(group) => group.step(now, input, out),
                None => match input {
                    Input::Synced { index, cuts } if cuts == self.log.cuts() && index <= self.log.last() => {
                        self.log.on_synced(index, cuts);
                    }
                    _ => {}
                },
            },
        }
        self.judge_delivered(now, out);
    }

    /// Nothing of another birth of the group is given or taken **[!]**: where births part, logs do.
    fn is_of_birth(group: &Group, birth: Birth) -> bool {
        birth == group.birth()
    }

    /// Does what the batch of inputs since the last turn can share, and what time has made due.
    pub fn turn(&mut self, now: Instant, out: &mut Effects) {
        out.set_birth(self.group.as_ref().map_or(self.vote.birth, Group::birth));
        self.flush_proposals();
        if let Some(group) = &mut self.group {
            group.turn(now, out);
        }
        self.adopt_arrived(now, out);
        self.drive_recovery(now, out);
        self.judge_delivered(now, out);
        self.cut_wanted(now, out);
        if let Some(group) = &mut self.group {
            group.turn_applied(now, out);
        }
        self.drive_life(now, out);
    }

    /// When time alone will make something due.
    #[must_use]
    pub fn next_timer(&self, now: Instant) -> Instant {
        match (&self.group, &self.life) {
            (Some(group), _) => group.next_timer(now),
            (None, Life::Offline) => now.plus(1_000_000),
            (None, _) => now.plus(50_000),
        }
    }

    fn push(&mut self, body: Body) -> u64 {
        let group = self.group.as_ref().expect("called with a group");
        let number = self.next_number;
        self.next_number += 1;
        self.pending.push(&Entry { stamp: Stamp { origin: group.me(), run: self.vote.run, number }, body });
        number
    }

    fn flush_proposals(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let group = self.group.as_mut().expect("proposals wait only in a group");
        let next = BatchBuilder::with_capacity(self.pending.byte_len().min(PENDING_BYTES));
        group.propose(self.first_pending, std::mem::replace(&mut self.pending, next));
        self.first_pending = self.next_number;
    }

    /// Hands an entry to the order; its number in this run. `lone` makes the birth of a server outside
    /// any group, when this is its first own write.
    ///
    /// # Errors
    /// The body again when the member may not propose: it is not ONLINE, or is leaving.
    pub fn propose(
        &mut self,
        now: Instant,
        body: Body,
        lone: impl FnOnce() -> StartOptions,
        out: &mut Effects,
    ) -> Result<u64, Box<Body>> {
        if self.group.is_none() {
            let free = matches!(self.life, Life::Offline) && !(self.vote.listed && self.resumable());
            if !free {
                return Err(Box::new(body));
            }
            self.begin_birth(now, &lone(), out);
        } else if self.own_state() != State::Online && !self.is_lone() || matches!(self.life, Life::Leaving { .. }) {
            return Err(Box::new(body));
        }
        self.proposed += u64::from(matches!(body, Body::Transaction(_) | Body::Ddl(_)));
        Ok(self.push(body))
    }

    /// Whether this is a server outside any group, a group of one.
    #[must_use]
    pub fn is_lone(&self) -> bool {
        self.group.is_some() && matches!(self.life, Life::Offline)
    }

    /// Judges what the order has delivered since.
    fn judge_delivered(&mut self, now: Instant, out: &mut Effects) {
        for effect in out.take() {
            match effect {
                Effect::Deliver(frame) => {
                    let judged = self.judge(&frame);
                    let cut = self.is_place(now, &frame, &judged);
                    let point = point_after(&frame);
                    out.push(Effect::Apply { frame, judged });
                    if cut {
                        self.keeper.begin(Cut::begin(point, &mut self.certifier));
                        out.push(Effect::CutRows);
                    }
                }
                other => out.push(other),
            }
        }
        self.announce(out);
    }

    /// Whether a checkpoint is to be cut right behind `frame`, which was just judged.
    fn is_place(&mut self, now: Instant, frame: &Frame, judged: &[Judged]) -> bool {
        let commits = judged.iter().any(|judged| matches!(judged.verdict, Verdict::Committed { .. }));
        let before = std::mem::replace(&mut self.reports, self.certifier.reports());
        // A certifier that replaced another counts from 0.
        let reports = self.certifier.reports().saturating_sub(before);
        let place = self.keeper.passed(now, frame.bytes().len() as u64, reports, commits);
        place && !self.fetches_checkpoint()
    }

    /// A recovering member waits for a checkpoint: it is cut where the order stands, for nothing more may come.
    fn cut_wanted(&mut self, now: Instant, out: &mut Effects) {
        if !self.keeper.is_asked(now) || self.fetches_checkpoint() {
            return;
        }
        let point = self.group.as_ref().and_then(|group| group.log().point(group.log().decided()));
        if let Some(point) = point.filter(|point| point.index == self.certifier.index() && point.index > Index(0)) {
            self.keeper.begin(Cut::begin(point, &mut self.certifier));
            out.push(Effect::CutRows);
        }
    }

    /// The rows have reached the place of the checkpoint that was begun ([`Effect::CutRows`]). False when it was
    /// given up meanwhile.
    pub fn rows_reached(&mut self, csn: Csn, rows: RowsHead, out: &mut Effects) -> bool {
        self.keeper.rows_reached(csn, rows, out)
    }

    /// One slice of the checkpoint that is being cut; `rows` appends a bounded piece of the store's stream, true
    /// at its end. True when more can be done at once.
    pub fn checkpoint_slice(&mut self, rows: &mut dyn FnMut(&mut Vec<u8>) -> bool, out: &mut Effects) -> bool {
        let synced = self.group.as_ref().map_or(self.log.synced(), |group| group.log().synced());
        self.keeper.slice(synced, rows, out)
    }

    /// When checkpoints are cut, and which there are.
    pub fn keeper(&mut self) -> &mut Keeper {
        &mut self.keeper
    }

    fn judge(&mut self, frame: &Frame) -> Vec<Judged> {
        let judged = replay(&mut self.certifier, frame);
        let me = self.group.as_ref().map(Group::me);
        for one in &judged {
            let own = Some(one.stamp.origin) == me && one.stamp.run == self.vote.run;
            if own && one.stamp.number == 1 {
                self.run_seen = true;
            }
            match one.verdict {
                Verdict::Conflict(_) if own => self.rolled_back += 1,
                Verdict::Committed { .. } if !own => self.applied += 1,
                _ => {}
            }
        }
        let (primary, after) = (self.certifier.primary_view(), self.certifier.last_after());
        let left = self.certifier.view().and_then(|(_, view)| match view.cause {
            ViewCause::Leave(who) => Some(who),
            _ => None,
        });
        if let Some(group) = &mut self.group {
            group.set_primary(primary, left);
            group.note_after(after);
        }
        judged
    }

    fn drive_life(&mut self, now: Instant, out: &mut Effects) {
        if matches!(self.life, Life::Running { .. }) {
            // First: who is gone must not begin another run.
            self.watch_expulsion(now, out);
            self.watch_digests(now, out);
        }
        self.drive_trouble(now, out);
        match self.life.clone() {
            Life::Offline => {}
            Life::Joining(attempt) => self.drive_join(now, *attempt, out),
            Life::Failed => {}
            Life::Running { waits } => {
                self.watch_majority(now, out);
                self.watch_force(out);
                if !matches!(self.life, Life::Running { .. }) {
                    return self.drive_trouble(now, out);
                }
                self.served |= self.own_state() == State::Online;
                self.ask_online();
                self.ask_again(now, out);
                if waits && self.shows_itself() {
                    self.life = Life::Running { waits: false };
                    self.starting = false;
                    out.push(Effect::CommandDone(Ok(())));
                }
            }
            Life::Leaving { since, shutdown } => {
                let (left, sole) = self
                    .group
                    .as_ref()
                    .map_or((true, false), |group| (group.is_gone(), group.has_left() && group.vote().listed));
                // Who does not vote has acknowledged nothing that others may lack: it need not wait so long.
                let limit = if self.votes() { LEAVE_TIMEOUT_US } else { LEARNER_LEAVE_TIMEOUT_US };
                if left || now.since(since) > limit {
                    if !left {
                        let text = "no quorum answers: leaving without the group's agreement".into();
                        out.note(Level::Warning, 0, text);
                    }
                    // Unless the group goes on without this voter, what it acknowledged may lie on no other disk of a
                    // quorum **[!]**: it stays. (Of the only voter's log, what an earlier life of it decided.)
                    let goes_on = left && !sole;
                    self.end_group_keeping(!goes_on && !planted(Mutant::ShutdownCutsTail), out);
                    // The last member of a group that ends its process comes back alone. Who ended it without a
                    // quorum has its vote still **[!]**: only with it may the group find one again. So has who began
                    // to leave because its rows are wrong: it forgets its log only once the group does without it.
                    let votes = !left && (shutdown || self.spoiled);
                    self.vote.listed = sole && shutdown || votes && !planted(Mutant::ShutdownGivesUpVote);
                    self.store_vote(out);
                    self.life = Life::Offline;
                    out.push(Effect::CommandDone(Ok(())));
                }
            }
        }
    }

    /// Whether the view that holds this member is judged.
    fn shows_itself(&self) -> bool {
        let Some(group) = &self.group else { return false };
        self.certifier.view().is_some_and(|(_, view)| view.members.iter().any(|m| m.incarnation == group.me()))
    }

    /// A voter that has caught up asks to be ONLINE.
    fn ask_online(&mut self) {
        let Some(group) = &self.group else { return };
        let me = group.me();
        let voter = self.certifier.view().is_some_and(|(_, view)| {
            view.members.iter().any(|member| member.incarnation == me && member.role == VotingRole::Voter)
        });
        let online = self.certifier.facts(me).is_some_and(|facts| facts.online);
        // Whose rows are a copy of another's bears no witness on who is right **[!]**.
        let witness = self.certifier.alarm().is_none();
        if voter && !online && witness && !self.online_asked && !self.mute {
            self.online_asked = true;
            self.push(Body::Online);
        }
    }

    /// Whether this member may answer BEFORE and AFTER sessions: ONLINE, and not cut off (`design.md` §9).
    #[must_use]
    pub fn is_assured(&self, now: Instant) -> bool {
        let Some(group) = &self.group else { return false };
        matches!(self.life, Life::Running { .. }) && self.own_state() == State::Online && group.is_assured(now)
    }

    /// State of this member.
    #[must_use]
    pub fn own_state(&self) -> State {
        if self.trouble.is_some() {
            return State::Error;
        }
        let (Some(group), Life::Running { .. } | Life::Leaving { .. }) = (&self.group, &self.life) else {
            return State::Offline;
        };
        let online = self.certifier.facts(group.me()).is_some_and(|facts| facts.online);
        let served = self.run_seen || planted(Mutant::ResumedServesAtOnce);
        if online && served && self.recovery.is_none() { State::Online } else { State::Recovering }
    }

    /// State of a member of the view, as seen from here.
    #[must_use]
    pub fn state_of(&self, member: Incarnation) -> State {
        match &self.group {
            Some(group) if group.me() == member => self.own_state(),
            Some(group) if group.is_unreachable(member) => State::Unreachable,
            Some(_) if self.certifier.facts(member).is_some_and(|facts| facts.online) => State::Online,
            Some(_) => State::Recovering,
            None => State::Offline,
        }
    }

    /// Whether no member of the view has a lower version: in multi-primary mode others stay read-only
    /// (`protocol.md` §11.8). Patch levels of one long-term series are alike.
    #[must_use]
    pub fn has_lowest_version(&self) -> bool {
        let Some((_, view)) = self.certifier.view() else { return true };
        let lowest = view.members.iter().map(|member| member.version).min().unwrap_or_default();
        self.config.version <= lowest || admission::same_lts_series(self.config.version, lowest)
    }

    /// Whether Group Replication runs: between START and STOP.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !matches!(self.life, Life::Offline)
    }

    /// The order, while this server takes part in one.
    #[must_use]
    pub fn group(&self) -> Option<&Group> {
        self.group.as_ref()
    }

    /// The replicated state.
    #[must_use]
    pub fn certifier(&self) -> &Certifier {
        &self.certifier
    }

    /// This server's incarnation and run: which stamps are its own.
    #[must_use]
    pub fn identity(&self) -> (Incarnation, Run) {
        (self.group.as_ref().map_or(self.vote.incarnation, Group::me), self.vote.run)
    }

    /// COUNT_TRANSACTIONS_LOCAL_PROPOSED, _LOCAL_ROLLBACK, _REMOTE_APPLIED.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        (self.proposed, self.rolled_back, self.applied)
    }

    /// What this member is, whatever group it is in.
    #[must_use]
    pub fn config(&self) -> &MemberConfig {
        &self.config
    }

    /// Window in batches.
    #[must_use]
    pub fn write_concurrency(&self) -> usize {
        self.config.write_concurrency
    }

    /// Last index of the log, decided or not.
    #[must_use]
    pub fn last_index(&self) -> Index {
        self.group.as_ref().map_or(self.log.last(), |group| group.log().last())
    }
}

/// Judges a decided frame: at a restart, to rebuild the certifier from the log.
pub fn replay(certifier: &mut Certifier, frame: &Frame) -> Vec<Judged> {
    certifier.judge_frame(frame)
}
