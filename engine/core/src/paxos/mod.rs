//! Order: the group log by Multi-Paxos in its log form. One stable leader appends in index order,
//! acknowledgements are cumulative, a promise covers the whole log.
//!
//! [`Group::step`] takes one input; [`Group::turn`] is called once after each batch of inputs and does
//! what a batch can share: one frame, one message per peer, one acknowledgement. What each role does
//! lies in its own file: `follower`, `leader`, `election`, `detector`.
//!
//! Absent on purpose: what entries mean (the certifier), clocks, disks and sockets (the driver).
//!
//! Invariants, asserted after every turn: nothing decided is cut or rewritten; a promise never falls;
//! no acknowledgement, promise or decision counts before the disk writes behind it were reported.

mod detector;
mod election;
mod expel;
mod follower;
mod force;
mod freshness;
pub(crate) mod leader;
pub mod tail;

use crate::effect::{Effect, Effects, Input, Instant, Vote};
use crate::rng::Rng;
use crate::sequencer::Sequencer;
use detector::Detector;
use election::Candidacy;
use freshness::Freshness;
use leader::Leading;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tail::Tail;
use wire::entry::{ArchivedBody, View, ViewMember, VotingRole};
use wire::frame::{BatchBuilder, Buffer, EntryBytes, Frame};
use wire::id::{Ballot, Birth, Incarnation, Index, Run};
use wire::message::Message;
use wire::mutant::{Mutant, planted};

/// Times and sizes of the order. All times in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between heartbeats. Default 60 ms: a fifth of the suspicion time.
    pub heartbeat_us: u64,
    /// Silence after which the leader is suspected. Default 300 ms (`design.md` §3).
    pub suspicion_us: u64,
    /// Silence after which a member shows as UNREACHABLE. 5 s, as MySQL's, not configurable there.
    pub unreachable_us: u64,
    /// How long it is so before it is expelled: `group_replication_member_expel_timeout`, default 5 s.
    pub expel_us: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self { heartbeat_us: 60_000, suspicion_us: 300_000, unreachable_us: 5_000_000, expel_us: 5_000_000 }
    }
}

/// What a group needs to know of its own member.
#[derive(Clone, Debug)]
pub struct GroupConfig {
    /// This member, as it stands or will stand in the view.
    pub me: ViewMember,
    /// This process life.
    pub run: Run,
    /// `sync_binlog=0`: a frame is synced as soon as it is appended.
    pub synced_on_append: bool,
    /// Batches that may be undecided at once, 10..=200.
    pub write_concurrency: usize,
    /// Bytes that may be undecided at once. Default 4 MiB.
    pub window_bytes: usize,
    /// Times.
    pub timing: Timing,
    /// Seed of the election jitter.
    pub seed: u64,
}

/// Rounds above this are never used: elections are some tens a second at most.
const ROUND_MAX: u64 = 1 << 48;
/// A batch of entries becomes a frame at this size even if more waits.
const BATCH_BYTES: usize = 1 << 20;

#[derive(Clone, Debug)]
enum Role {
    /// In no view: waits for a leader that adds it.
    Outside,
    /// Follows the leader of the promised ballot, if one is known.
    Follower,
    /// Stands, or asks whether it could.
    Candidate(Candidacy),
    /// Leads under its ballot.
    Leader(Box<Leading>),
}

/// Proposals of this member that are not yet delivered, as they were handed over.
#[derive(Clone)]
struct OwnBatch {
    first: u64,
    held: Held,
}

/// Where the bytes of own proposals are. They are written once.
#[derive(Clone)]
enum Held {
    /// Shared with the queue of this member while it leads.
    Batch(Arc<BatchBuilder>),
    /// In a frame of the log that this member made of them alone.
    Frame(Frame),
}

impl OwnBatch {
    /// How many.
    fn len(&self) -> u32 {
        match &self.held {
            Held::Batch(batch) => batch.len(),
            Held::Frame(frame) => frame.header().entries,
        }
    }

    /// Entries one after another.
    fn body(&self) -> &[u8] {
        match &self.held {
            Held::Batch(batch) => batch.body(),
            Held::Frame(frame) => frame.body(),
        }
    }

    fn last(&self) -> u64 {
        self.first + u64::from(self.len()) - 1
    }
}

impl std::fmt::Debug for OwnBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnBatch").field("first", &self.first).field("body", &self.body()).finish()
    }
}

/// See the module.
#[derive(Clone)]
pub struct Group {
    config: GroupConfig,
    rng: Rng,
    role: Role,
    log: Tail,
    /// Views from the last decided one on, with their indexes.
    views: Vec<(Index, View)>,
    promised: Ballot,
    birth: Birth,
    listed: bool,
    vote_asked: u64,
    vote_stored: u64,
    /// Promises to send once the vote file holds them: (generation, to, ballot).
    promises_due: Vec<(u64, Incarnation, Ballot)>,
    /// Pre-votes that were asked for while this member had a live leader, and when.
    pre_votes_waiting: BTreeMap<Incarnation, (Ballot, Instant)>,
    /// Under the promised ballot: how far this log is known to equal the leader's.
    matched: Index,
    acked: Index,
    leader_synced: Index,
    leader_decided: Index,
    delivered: Sequencer,
    own: VecDeque<OwnBatch>,
    /// First own number not yet handed to the present leader.
    forwarded: u64,
    detector: Detector,
    /// The primary that the certifier knows, and whom a new leader would name instead.
    primary: PrimaryView,
    freshness: Freshness,
    reads: BTreeMap<u64, Reading>,
    next_read: u64,
    left: bool,
    leave_asked: Option<Instant>,
    handover_wanted: Instant,
    /// Whether the promised ballot's leader has spoken.
    led: bool,
    /// A leader that no view of this log knows yet, and its address: who was cut off while members came and
    /// went answers it all the same.
    stranger: Option<(Incarnation, String)>,
    /// Whom a joiner was told of: until a view lists it, these are the group, whatever history its log repeats.
    met: Vec<ViewMember>,
    highest_round: u64,
    stand_at: Option<Instant>,
    /// Since when it waits for all listed voters before it stands: its process began, and heard no leader yet.
    awaits_all: Option<Instant>,
    stand_failures: u32,
    /// Births that the operators were warned of.
    alarms: BTreeSet<Birth>,
    /// While its log may lack what it acknowledged: what it had promised when its process began.
    unsure: Option<Ballot>,
    /// A birth that this member was told to begin.
    forcing: Option<force::Forcing>,
    /// Another birth that was met while neither had a quorum: nobody stands here meanwhile.
    fork_seen: Option<Birth>,
    /// Another birth goes on with a quorum, and this one has none.
    forked: bool,
    /// What is missing comes from a donor: the log stands still for everybody else, and this member does not stand.
    recovering: bool,
    /// Another member said that the group goes on without this one.
    gone: bool,
    /// Who was told so when.
    strangers: BTreeMap<Incarnation, Instant>,
}

/// What the certifier tells the order about primaries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrimaryView {
    /// Single-primary mode.
    pub single: bool,
    /// Primary of the present epoch.
    pub primary: Option<Incarnation>,
    /// ONLINE voters in the order of election (`protocol.md` §9.2).
    pub candidates: Vec<Incarnation>,
}

/// What a log read is for.
#[derive(Clone, Debug)]
enum Reading {
    /// For a peer behind: send it as an append.
    Replicate(Incarnation),
    /// For a candidate that adopts this member's log.
    Fetch { to: Incarnation, token: u64, ballot: Ballot, after: Index, chain: u64 },
    /// To compare a joiner's last chain with ours.
    Lineage(Box<leader::Joining>),
}

impl Group {
    /// A server in no view yet: it waits for a leader that adds it, its log ending at `log`; `delivered` is
    /// what was delivered up to there, for once it leads, it goes on counting.
    #[must_use]
    pub fn outside(config: GroupConfig, vote: Vote, log: Tail, delivered: Sequencer) -> Self {
        Self::new(config, vote, log, Vec::new(), delivered)
    }

    /// A member that comes back in an intact directory, or begins a birth: `views` are the last decided
    /// one and what follows it in `log`; `delivered` is what was delivered up to the decided index.
    #[must_use]
    pub fn member(config: GroupConfig, vote: Vote, log: Tail, view: (Index, View), delivered: Sequencer) -> Self {
        let mut group = Self::new(config, vote, log, vec![view], delivered);
        let undecided: Vec<Frame> = group.log.undecided().cloned().collect();
        for frame in &undecided {
            group.note_views(frame);
        }
        group.role = Role::Follower;
        group
    }

    fn new(config: GroupConfig, vote: Vote, log: Tail, views: Vec<(Index, View)>, delivered: Sequencer) -> Self {
        let kept = if planted(Mutant::PromiseForgottenOnRestart) { Ballot::ZERO } else { vote.promised };
        let promised = kept.max(log.end().ballot);
        let matched = log.decided();
        Self {
            rng: Rng::new(config.seed),
            role: Role::Outside,
            log,
            views,
            promised,
            birth: vote.birth,
            listed: vote.listed,
            vote_asked: vote.generation,
            vote_stored: vote.generation,
            promises_due: Vec::new(),
            pre_votes_waiting: BTreeMap::new(),
            matched,
            acked: Index(0),
            leader_synced: Index(0),
            leader_decided: Index(0),
            delivered,
            own: VecDeque::new(),
            forwarded: 1,
            detector: Detector::default(),
            primary: PrimaryView::default(),
            freshness: Freshness::default(),
            reads: BTreeMap::new(),
            next_read: 1,
            left: false,
            leave_asked: None,
            handover_wanted: Instant(0),
            led: false,
            stranger: None,
            met: Vec::new(),
            highest_round: promised.round,
            stand_at: None,
            awaits_all: None,
            stand_failures: 0,
            alarms: BTreeSet::new(),
            unsure: vote.unsure.then_some(promised),
            forcing: None,
            fork_seen: None,
            forked: false,
            recovering: false,
            gone: false,
            strangers: BTreeMap::new(),
            config,
        }
    }

    /// Begins: stores the run before its first use, connects, and stands at once when it is the only voter.
    pub fn start(&mut self, now: Instant, out: &mut Effects) {
        out.set_birth(self.label_birth());
        // What was lost before this process began is not known to be long ago.
        self.note_lost();
        self.store_vote(out);
        self.connect(out);
        self.detector.start(now);
        self.turn(now, out);
    }

    /// A process begins over what its disk holds: before it stands it tries all listed voters for a while. One of them
    /// may belong to a birth that an operator has forced since, and says so **[!]**.
    pub fn await_all(&mut self, now: Instant) {
        self.awaits_all = (!planted(Mutant::ColdStartWithoutAll)).then_some(now);
    }

    /// Takes one input. Infallible: a peer may be late, repeat itself or be wrong.
    pub fn step(&mut self, now: Instant, input: Input, out: &mut Effects) {
        out.set_birth(self.label_birth());
        match input {
            // What was meant for an older life of this server, or comes from one that does not know this life.
            Input::Received { label, .. } if label.to != self.me() => {}
            // Of another birth: never counted, whoever sent it and whatever it holds.
            Input::Received { from, address, label, message, .. } if !self.is_heard(label.birth, &message) => {
                self.detector.heard_apart(from, now);
                self.refuse_birth(now, from, &address, label.birth, out);
            }
            Input::Received { from, message: Message::Fork(fork), .. } => {
                self.detector.heard_apart(from, now);
                self.on_fork(from, &fork, out);
            }
            // No member that follows the rules comes near this round: what names a higher one is nonsense, and
            // would leave no round to stand with.
            Input::Received { message, .. } if highest_round(&message) > ROUND_MAX => {}
            Input::Received { from, address, message, payload, .. } => {
                self.detector.heard(from, now);
                self.answer_stranger(now, from, &address, out);
                let leads = |ballot: &Ballot| *ballot >= self.promised && ballot.node == from && from != self.me();
                if matches!(&message, Message::Append { ballot, .. } if leads(ballot)) {
                    self.meet_leader(from, address, out);
                }
                self.on_message(now, from, message, payload, out);
            }
            Input::PeerUp(peer) => self.on_peer_up(now, peer, out),
            Input::PeerDown(peer) => self.on_peer_down(peer),
            // Beyond the end it is of a log that was dropped a moment ago: as many cuts, but another log.
            Input::Synced { index, .. } if index > self.log.last() => {}
            Input::Synced { index, cuts } => self.log.on_synced(index, cuts),
            // A joiner's business.
            Input::Refused { .. } => {}
            Input::VoteStored { generation } => self.vote_stored = self.vote_stored.max(generation),
            Input::ReadDone { token, frames } => self.on_read(now, token, frames, out),
            // The member's own.
            Input::CheckpointWritten
            | Input::CheckpointStored { .. }
            | Input::CheckpointRead { .. }
            | Input::CheckpointFailed { .. } => {}
        }
    }

    fn on_message(&mut self, now: Instant, from: Incarnation, message: Message, payload: Buffer, out: &mut Effects) {
        match message {
            Message::Append { ballot, previous, previous_chain, decided, synced, applied } => {
                let place = follower::Place { previous, previous_chain, decided, synced, applied };
                self.on_append(now, from, ballot, place, payload, out);
            }
            Message::Ack { ballot, index, applied } => self.on_ack(now, from, ballot, index, applied),
            Message::Mismatch { ballot, decided } => self.on_mismatch(from, ballot, decided),
            Message::Refused { promised, .. } => self.on_refused(now, promised, out),
            Message::PreVote { ballot, .. } => self.on_pre_vote(now, from, ballot, out),
            Message::PreVoteGranted { ballot } => self.on_pre_vote_granted(now, from, ballot, out),
            Message::Prepare { ballot, force } => self.on_prepare(now, from, ballot, force, out),
            Message::Promise { ballot, last_ballot, last, decided, hears, unsure } => {
                let promise = election::Promised { last_ballot, last, decided, hears, unsure };
                self.on_promise(now, from, ballot, promise, out);
            }
            Message::Fetch { token, ballot, after, chain } => self.on_fetch(from, token, ballot, after, chain, out),
            Message::Fetched { token, ballot, after, last, matches } => {
                self.on_fetched(now, from, token, ballot, (after, last, matches), payload, out);
            }
            // Each entry's own header says its number.
            Message::Propose { run, count, .. } => self.on_propose(from, run, count, &payload, out),
            Message::Expect { run, number } => self.on_expect(from, run, number),
            Message::Leave { incarnation } => self.on_leave(incarnation),
            Message::Handover { ballot, next } => self.on_handover(now, from, ballot, next, out),
            Message::Heartbeat(heartbeat) => self.on_heartbeat(now, from, heartbeat),
            Message::Gone { view } => self.on_gone(from, view, out),
            // Greetings end at the driver, joins at the member.
            Message::Fork(_)
            | Message::Hello(_)
            | Message::Welcome { .. }
            | Message::Join(_)
            | Message::JoinAnswer(_) => {}
            // Recovery is the member's too.
            Message::Behind { .. } | Message::Recover { .. } | Message::Recovered { .. } => {}
        }
    }

    /// Does what the batch of inputs since the last turn can share, and what time has made due.
    pub fn turn(&mut self, now: Instant, out: &mut Effects) {
        out.set_birth(self.label_birth());
        self.send_due_promises(now, out);
        self.detect(now, out);
        self.drive_force(now, out);
        self.drive_election(now, out);
        self.conclude(now, out);
        self.lead(now, out);
        // A single voter, or one without a disk to wait for, may decide what it has just appended.
        self.conclude(now, out);
        self.forward(out);
        self.acknowledge(out);
        self.drive_leave(now, out);
    }

    /// When time alone will make something due.
    #[must_use]
    pub fn next_timer(&self, now: Instant) -> Instant {
        let due = now.plus(self.config.timing.heartbeat_us / 2);
        // A stand at a time of its own.
        self.stand_at.filter(|&at| at > now).map_or(due, |at| due.min(at))
    }

    /// Hands over proposals of this member, stamped in sequence from `first`; at least one.
    pub fn propose(&mut self, first: u64, batch: BatchBuilder) {
        assert!(!batch.is_empty(), "a batch of proposals holds one");
        let expected = self.own.back().map_or(first, |batch| batch.last() + 1);
        assert_eq!(first, expected, "own proposals are numbered in sequence");
        self.own.push_back(OwnBatch { first, held: Held::Batch(Arc::new(batch)) });
    }

    /// Bytes of own proposals that are not yet delivered.
    #[must_use]
    pub fn own_bytes(&self) -> usize {
        self.own.iter().map(|own| own.body().len()).sum()
    }

    /// The certifier's state that elections need has changed.
    /// `left` is who left by its own wish, and so took itself for nothing before.
    pub fn set_primary(&mut self, primary: PrimaryView, left: Option<Incarnation>) {
        let lost = |who: &Incarnation| !primary.candidates.contains(who) && Some(*who) != left;
        if self.primary.candidates.iter().any(lost) {
            self.note_lost();
        }
        self.primary = primary;
    }

    /// Asks to leave; [`Group::has_left`] tells when the view without this member is decided.
    pub fn leave(&mut self, now: Instant) {
        self.leave_asked.get_or_insert(now);
    }

    /// Whether the view without this member is decided, or it was the only voter.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.left
    }

    /// The newest view of the log, decided or not.
    #[must_use]
    pub fn view(&self) -> Option<&View> {
        self.views.last().map(|(_, view)| view)
    }

    /// Who leads, as far as this member knows.
    #[must_use]
    pub fn leader(&self) -> Option<Incarnation> {
        match self.role {
            Role::Leader(_) => Some(self.me()),
            Role::Follower => (self.led && self.promised.node != self.me()).then_some(self.promised.node),
            _ => None,
        }
    }

    /// Whether this member leads and its opening is decided.
    #[must_use]
    pub fn leads(&self) -> bool {
        matches!(&self.role, Role::Leader(leading) if leading.opening <= self.log.decided())
    }

    /// Ends this membership: the log goes on without it.
    #[must_use]
    pub fn into_log(self) -> (Tail, Vote) {
        (self.log.clone(), self.vote())
    }

    /// The log's end in memory.
    #[must_use]
    pub fn log(&self) -> &Tail {
        &self.log
    }

    /// The highest index that this member was told is decided, whether or not it has it.
    #[must_use]
    pub fn known_decided(&self) -> Index {
        self.leader_decided.max(self.log.decided()).max(self.heard_decided())
    }

    /// What was delivered of each origin.
    #[must_use]
    pub fn delivered(&self) -> &Sequencer {
        &self.delivered
    }

    /// The vote record as it was last asked to be stored.
    #[must_use]
    pub fn vote(&self) -> Vote {
        Vote {
            generation: self.vote_asked,
            promised: self.promised,
            birth: self.birth,
            incarnation: self.me(),
            run: self.config.run,
            listed: self.listed,
            unsure: self.unsure.is_some(),
        }
    }

    /// What the group was made with.
    pub(crate) fn config(&self) -> &GroupConfig {
        &self.config
    }

    /// The last decided view of the log, with its index.
    pub(crate) fn decided_view(&self) -> (Index, View) {
        self.views.first().cloned().expect("a member has a view")
    }

    /// This member as it stands or will stand in the view.
    #[must_use]
    pub fn own(&self) -> &ViewMember {
        &self.config.me
    }

    /// This member's incarnation.
    #[must_use]
    pub fn me(&self) -> Incarnation {
        self.config.me.incarnation
    }

    /// Everything that decides what this group does next but times, chance and what the driver gave it: equal
    /// for groups that behave alike as long as no time passes. For exhaustive exploration.
    #[must_use]
    pub fn canonical(&self) -> String {
        let frames: Vec<_> =
            self.log.frames().map(|f| (f.header().chain, f.header().decided, f.header().synced)).collect();
        let order = (&self.role, &self.promised, &self.views, &self.own, &self.delivered, &self.primary);
        let log = (frames, self.log.end(), self.log.decided(), self.log.synced(), self.log.cuts());
        let votes = (
            self.birth,
            self.listed,
            self.vote_asked,
            self.vote_stored,
            &self.promises_due,
            self.highest_round,
            &self.pre_votes_waiting,
        );
        let follows = (self.matched, self.acked, self.leader_synced, self.leader_decided, self.forwarded, self.led);
        let rest = (&self.reads, self.next_read, self.left, self.leave_asked, &self.stranger, self.connected());
        format!("{order:?}{log:?}{votes:?}{follows:?}{rest:?}")
    }

    fn store_vote(&mut self, out: &mut Effects) {
        self.vote_asked += 1;
        out.push(Effect::StoreVote(self.vote()));
    }

    fn vote_is_durable(&self) -> bool {
        self.vote_stored == self.vote_asked
    }

    /// Promises `ballot`: what follows waits until the vote file holds it.
    fn promise(&mut self, ballot: Ballot, out: &mut Effects) {
        assert!(ballot > self.promised, "a promise never falls");
        self.promised = ballot;
        if !planted(Mutant::MatchedKeptAcrossBallots) {
            self.matched = self.log.decided();
        }
        self.acked = Index(0);
        self.freshness.forget_told();
        if !planted(Mutant::LeaderSyncedKeptAcrossBallots) {
            self.leader_synced = Index(0);
        }
        self.forwarded = 1;
        self.led = false;
        self.highest_round = self.highest_round.max(ballot.round);
        self.store_vote(out);
    }

    fn voters(&self) -> impl Iterator<Item = &ViewMember> {
        self.views.last().into_iter().flat_map(|(_, view)| voters_of(view))
    }

    fn is_voter(&self, incarnation: Incarnation) -> bool {
        self.voters().any(|member| member.incarnation == incarnation)
    }

    fn is_member(&self, incarnation: Incarnation) -> bool {
        self.views.iter().any(|(_, view)| view.members.iter().any(|m| m.incarnation == incarnation))
    }

    fn quorum(&self) -> usize {
        self.voters().count() / 2 + 1
    }

    /// Learns of views in a frame that was appended.
    fn note_views(&mut self, frame: &Frame) {
        for (index, view) in views_in(frame) {
            // Whoever the group knows at that place is the server's later life, or soon will be.
            let place = |(_, address): &mut (Incarnation, String)| view.members.iter().any(|m| m.address == *address);
            if self.met.is_empty() {
                self.stranger.take_if(place);
            }
            self.views.push((index, view));
        }
    }

    /// Forgets views above a cut, and says whom to connect with now.
    fn cut_after(&mut self, index: Index, out: &mut Effects) {
        self.log.cut_after(index);
        self.views.retain(|&(at, _)| at <= index);
        self.matched = self.matched.min(index);
        out.push(Effect::Cut { after: index });
    }

    fn append(&mut self, frame: Frame, out: &mut Effects) {
        let frame = frame.stamped(self.log.decided(), self.log.synced());
        self.log.append(frame.clone());
        let views = self.views.len();
        self.note_views(&frame);
        out.push(Effect::Append(frame));
        if self.config.synced_on_append {
            self.log.on_synced(self.log.last(), self.log.cuts());
        }
        if self.views.len() != views {
            self.connect(out);
        }
    }

    /// Whether the newest view that it knows lists this member.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.view().is_some_and(|view| view.members.iter().any(|member| member.incarnation == self.me()))
    }

    /// A leader that this member hears and that no view of its log names.
    #[must_use]
    pub fn stranger(&self) -> Option<Incarnation> {
        self.stranger.as_ref().map(|(stranger, _)| *stranger)
    }

    /// A joiner is told who the group is now.
    pub fn meet(&mut self, members: &[ViewMember], out: &mut Effects) {
        self.met = members.to_vec();
        self.connect(out);
    }

    fn meet_leader(&mut self, leader: Incarnation, address: String, out: &mut Effects) {
        let known = self.stranger() == Some(leader) || self.met.iter().any(|member| member.incarnation == leader);
        let alone = self.views.is_empty() && self.met.is_empty();
        if !(known || alone || self.is_member(leader)) {
            self.stranger = Some((leader, address));
            self.connect(out);
        }
    }

    fn connect(&mut self, out: &mut Effects) {
        if self.stranger.as_ref().is_some_and(|(stranger, _)| self.is_member(*stranger)) {
            self.stranger = None;
        }
        if self.is_listed() {
            self.met.clear();
        }
        let view = self.view().map(|view| &view.members).filter(|_| self.met.is_empty());
        if view.is_none() && self.met.is_empty() {
            return;
        }
        let mut members = view.unwrap_or(&self.met).clone();
        // Who is leaving still has to learn that it left.
        let departing = match &self.role {
            Role::Leader(leading) => leading.departing.iter().map(|(member, _)| member.clone()).collect(),
            _ => Vec::new(),
        };
        let older = self.views.iter().map(|(_, view)| &view.members).filter(|_| self.met.is_empty());
        for older in older.chain([&departing]) {
            for member in older {
                // A server's newer life answers where the older one did: it is not told what is not its own.
                if !members.iter().any(|m| m.uuid == member.uuid) {
                    members.push(member.clone());
                }
            }
        }
        // An older life of this server is nobody any more: calling it would be calling oneself.
        members.retain(|member| member.incarnation != self.me() && member.uuid != self.config.me.uuid);
        if let Some((incarnation, address)) = self.stranger.clone() {
            members.retain(|member| member.address != address);
            let (role, uuid, host) = (VotingRole::Learner, wire::id::Uuid::default(), String::new());
            let (weight, version, server_id, port) = (0, 0, 0, 0);
            members.push(ViewMember { uuid, incarnation, role, weight, version, server_id, host, port, address });
        }
        if self.is_member(self.me()) && matches!(self.role, Role::Outside) {
            self.role = Role::Follower;
        }
        self.detector.keep(&members);
        out.push(Effect::Connect(members));
    }

    /// Hands decided frames upward, and forgets what they settle.
    fn deliver_frame(&mut self, frame: Frame, out: &mut Effects) {
        let me = self.me();
        for stretch in frame.stretches() {
            let own = (stretch.first.origin, stretch.first.run) == (me, self.config.run);
            if self.delivered.accept_stretch(stretch) > 0 && own {
                while self.own.front().is_some_and(|batch| batch.last() <= stretch.last()) {
                    self.own.pop_front();
                }
            }
        }
        let last = frame.header().last();
        out.push(Effect::Deliver(frame));
        // The last decided view stays; older ones are history.
        let lists = |(_, view): &(Index, View)| view.members.iter().any(|member| member.incarnation == me);
        let before = self.views.len();
        while self.views.len() > 1 && self.views[1].0 <= last {
            // A joiner that catches up passes views from before its time.
            let left = lists(&self.views.remove(0)) && !self.views.iter().any(lists);
            if left && self.listed {
                self.listed = false;
                self.left = true;
                self.store_vote(out);
            }
        }
        if self.views.len() < before {
            self.connect(out);
        }
    }

    /// What is missing comes from a donor from now on, or no longer: then the leader is told where to go on.
    pub fn set_recovering(&mut self, recovering: bool, out: &mut Effects) {
        let ended = self.recovering && !recovering;
        self.recovering = recovering;
        if ended && self.promised.node != self.me() && self.promised != Ballot::ZERO {
            let (ballot, decided) = (self.promised, self.log.decided());
            out.send(ballot.node, Message::Mismatch { ballot, decided });
        }
    }

    /// Takes decided frames from a donor, which continue the decided part of this log. False when they do not, or
    /// this member leads or stands.
    pub fn adopt_decided(&mut self, frames: &[Frame], out: &mut Effects) -> bool {
        if !matches!(self.role, Role::Follower | Role::Outside) {
            return false;
        }
        for frame in frames {
            let header = frame.header();
            if header.last() <= self.log.decided() {
                continue;
            }
            let held = self.log.point(header.last()).is_some_and(|point| point.chain == header.chain);
            if !held {
                let previous = Index(header.first.0 - 1);
                let continues = self
                    .log
                    .point(previous)
                    .is_some_and(|point| point.chain == header.previous_chain && point.ballot <= header.ballot);
                if previous < self.log.decided() || !continues {
                    return false;
                }
                if self.log.last() > previous {
                    self.cut_after(previous, out);
                }
                if header.ballot > self.promised {
                    self.promise(header.ballot, out);
                }
                self.append(frame.clone(), out);
            }
            self.decide(header.last(), out);
        }
        // What is decided equals any leader's log, of which an acknowledgement tells it: it may have no more to send.
        self.matched = self.matched.max(self.log.decided());
        true
    }

    /// A planted bug: takes all of the log for decided.
    pub(crate) fn trust_tail(&mut self, out: &mut Effects) {
        self.decide(self.log.last(), out);
    }

    /// Everything up to `index` is decided: hands it upward.
    fn decide(&mut self, index: Index, out: &mut Effects) {
        while let Some(frame) = self.log.decide_next(index.min(self.log.last())) {
            self.deliver_frame(frame, out);
        }
    }
}

/// The highest round that a message names.
fn highest_round(message: &Message) -> u64 {
    match message {
        Message::Append { ballot, .. }
        | Message::Ack { ballot, .. }
        | Message::Mismatch { ballot, .. }
        | Message::PreVote { ballot, .. }
        | Message::PreVoteGranted { ballot }
        | Message::Prepare { ballot, .. }
        | Message::Fetch { ballot, .. }
        | Message::Behind { ballot }
        | Message::Fetched { ballot, .. } => ballot.round,
        Message::Handover { ballot, next } => ballot.round.max(next.round),
        Message::Refused { ballot, promised } => ballot.round.max(promised.round),
        Message::Promise { ballot, last_ballot, .. } => ballot.round.max(last_ballot.round),
        Message::Heartbeat(heartbeat) => heartbeat.promised.round,
        _ => 0,
    }
}

/// The voters among `members`.
pub(crate) fn voters_in(members: &[ViewMember]) -> impl Iterator<Item = &ViewMember> {
    members.iter().filter(|member| member.role == VotingRole::Voter)
}

/// The voters of a view.
pub(crate) fn voters_of(view: &View) -> impl Iterator<Item = &ViewMember> {
    view.members.iter().filter(|member| member.role == VotingRole::Voter || planted(Mutant::LearnerCounted))
}

/// The views that a frame brings, with their indexes.
pub(crate) fn views_in(frame: &Frame) -> impl Iterator<Item = (Index, View)> + '_ {
    let entries = frame.changes_view().then(|| frame.entries()).into_iter().flatten();
    entries.filter(|(_, entry)| entry.changes_view()).filter_map(|(index, entry)| Some((index, view_in(&entry)?)))
}

/// The view that an entry brings, if it brings one.
pub(crate) fn view_in(entry: &EntryBytes<'_>) -> Option<View> {
    let view = match &entry.view()?.body {
        ArchivedBody::View(view) => view,
        ArchivedBody::Birth(birth) => &birth.view,
        _ => return None,
    };
    rkyv::deserialize::<View, rkyv::rancor::Failure>(view).ok()
}

/// The greatest index that at least `quorum` of `acknowledged` have reached.
pub(crate) fn quorum_index(acknowledged: impl Iterator<Item = Index>, quorum: usize) -> Index {
    // The greatest of them, in falling order. No view has so many voters that this is not enough for their quorum.
    let mut greatest = [Index(0); leader::MEMBERS_MAX];
    let Some(greatest) = greatest.get_mut(..quorum) else { return Index(0) };
    for mut index in acknowledged {
        for held in &mut *greatest {
            (*held, index) = ((*held).max(index), (*held).min(index));
        }
    }
    greatest.last().copied().unwrap_or_default()
}
