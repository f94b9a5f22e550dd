//! What the leader does: collect proposals in their origins' order, batch by arrival, replicate with a
//! bounded window, count synced voters, change the view one voter at a time.

use super::{BATCH_BYTES, Group, Held, OwnBatch, Reading, Role, quorum_index, voters_of};
use crate::effect::{Effects, Instant, Level, Payload, Peer};
use crate::sequencer::Sequencer;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use wire::entry::{Body, Entry, Opening, Stamp, View, ViewCause, ViewMember, VotingRole};
use wire::frame::{BatchBuilder, Entries, Frame, Place, Stretch};
use wire::id::{Ballot, Incarnation, Index, Run};
use wire::message::{Channel, JoinAnswer, Message};
use wire::mutant::{Mutant, planted};
use wire::rare;

/// Bytes sent to one peer and not yet acknowledged.
const PEER_WINDOW_BYTES: usize = 8 << 20;
/// Bytes of one append message to a peer that is behind.
const CATCH_UP_BYTES: usize = 1 << 20;
/// Entries that wait for a place in the log; proposers hold back what does not fit.
const QUEUE_BYTES: usize = 64 << 20;
/// What is not acknowledged for this long is sent again, although the connection stands: something between
/// may have lost it, or its answer. Doubles each time, as a disk may just be slow.
const RESEND_US: u64 = 1_000_000;
/// A member that left is still told so for this long.
const DEPARTING_US: u64 = 5_000_000;
/// A peer is told at most this often that the log which it needs is purged.
const BEHIND_US: u64 = 1_000_000;
/// At most one handover in this time (`design.md` §3).
const HANDOVER_US: u64 = 5_000_000;
/// Members of a group (`protocol.md` §1.7).
pub const MEMBERS_MAX: usize = 9;

/// What the leader knows of one peer's log.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// First index not yet sent.
    next: Index,
    /// Acknowledged under this ballot.
    matched: Index,
    /// Up to here its log cannot differ, by its own word: no acknowledgement, only a place to begin.
    common: Index,
    /// What is on its way: last index and bytes of each message.
    flying: VecDeque<(Index, usize)>,
    reading: bool,
    /// It refused what was sent: where the logs part is still to be found.
    probes: bool,
    /// What it needs is purged, and it was offered the oldest place that is left.
    offered: bool,
    /// Since when what is on its way waits for an acknowledgement, and how often it was sent again since.
    waits_since: Instant,
    resent: u32,
    /// When it was told that the log it needs is purged.
    behind: Option<Instant>,
    /// The synced and decided indexes last told, and how far it was told that all have applied.
    told: (Index, Index, Index),
    /// It has applied so far, by its own word.
    applied: Index,
    /// Its connection is new: perhaps another process, which has to learn who leads.
    unmet: bool,
    /// While it learns: what was decided at that time.
    goal: Option<(Index, Instant)>,
}

impl Progress {
    /// Whether a learner is level, or no further behind than `limit_us`. Being level at one moment is too much
    /// to ask under load, of a member that is some way off: it would never become a voter.
    fn keeps_up(&mut self, decided: Index, now: Instant, limit_us: u64) -> bool {
        let reached = match self.goal {
            Some((goal, since)) if self.matched >= goal => now.since(since) <= limit_us,
            Some(_) => return self.matched >= decided,
            None => false,
        };
        self.goal = Some((decided, now));
        reached || self.matched >= decided
    }
}

/// A server that asks to join, after the member checked that it may.
#[derive(Clone, Debug)]
pub struct Joining {
    /// As it will stand in the view.
    pub member: ViewMember,
    /// Its decided index.
    pub decided: Index,
    /// Chain there.
    pub chain: u64,
}

#[derive(Clone, Debug)]
enum Change {
    Add(ViewMember),
    Promote(Incarnation),
    Remove(Incarnation, ViewCause),
}

/// A leader's state under its ballot.
#[derive(Clone, Debug)]
pub(super) struct Leading {
    pub ballot: Ballot,
    pub opening: Index,
    progress: BTreeMap<Incarnation, Progress>,
    queue: VecDeque<Arc<BatchBuilder>>,
    queue_bytes: usize,
    expected: Sequencer,
    changes: VecDeque<Change>,
    /// Members that left, to be told so until then.
    pub departing: Vec<(ViewMember, Instant)>,
    quorum_at: Instant,
    /// To whom leadership is to go, and until when that is tried.
    handover: Option<(Incarnation, Instant)>,
    /// Since when it misses a member that others hear.
    misses_since: Option<Instant>,
    naming: Index,
}

impl Group {
    pub(super) fn become_leader(
        &mut self,
        now: Instant,
        ballot: Ballot,
        heard: &BTreeSet<Incarnation>,
        out: &mut Effects,
    ) {
        assert_eq!(ballot, self.promised, "a leader has promised its own ballot");
        let expected = self.expected();
        let opening = self.log.last().next();
        self.role = Role::Leader(Box::new(Leading::new(now, ballot, opening, expected)));
        self.led = true;
        self.stand_failures = 0;
        self.stand_at = None;
        self.forwarded = 1;
        self.matched = self.log.last();
        self.detector.new_leader(now);
        let mut heard = heard.clone();
        heard.extend(self.heard_both_ways(now));
        let new_primary = Self::new_primary(&self.primary, &heard);
        self.append_own(Body::Opening(Opening { ballot, new_primary }), out);
        if let Some(view) = self.view() {
            let peers: Vec<_> = view.members.iter().map(|m| m.incarnation).filter(|&m| m != self.me()).collect();
            for peer in peers {
                self.restart_replication(peer);
            }
        }
        out.note(Level::System, 0, format!("this member leads under ballot {ballot} from index {opening}"));
    }

    /// What a leader over this log expects next of each origin.
    pub(super) fn expected(&self) -> Sequencer {
        let mut expected = self.delivered.clone();
        for frame in self.log.undecided() {
            for stretch in frame.stretches() {
                expected.accept_stretch(stretch);
            }
        }
        expected
    }

    /// Appends one entry of the leader's own, unnumbered, as a frame.
    pub(super) fn append_own(&mut self, body: Body, out: &mut Effects) {
        let mut batch = BatchBuilder::new();
        let stamp = Stamp { origin: self.me(), run: self.config.run, number: 0 };
        batch.push(&Entry { stamp, body });
        self.append_batch(batch, out);
    }

    fn append_batch(&mut self, batch: BatchBuilder, out: &mut Effects) {
        let Role::Leader(leading) = &self.role else { unreachable!("only a leader appends of its own") };
        let end = self.log.end();
        let place = Place {
            first: end.index.next(),
            ballot: leading.ballot,
            previous_chain: end.chain,
            decided: self.log.decided(),
            synced: self.log.synced(),
        };
        self.append(batch.into_frame(place), out);
        self.matched = self.log.last();
    }

    /// Appends what was queued as one piece, without copying it: own proposals are in the log and in the list of
    /// those not yet delivered at once.
    fn append_queued(&mut self, queued: Arc<BatchBuilder>, out: &mut Effects) {
        let of_it = |own: &OwnBatch| matches!(&own.held, Held::Batch(batch) if Arc::ptr_eq(batch, &queued));
        let at = self.own.iter().rposition(of_it);
        let own = at.and_then(|at| self.own.remove(at));
        let first = own.map(|own| own.first);
        self.append_batch(Arc::unwrap_or_clone(queued), out);
        if let (Some(at), Some(first)) = (at, first) {
            let frame = self.log.undecided().next_back().expect("just appended").clone();
            self.own.insert(at, OwnBatch { first, held: Held::Frame(frame) });
        }
    }

    /// Begins a birth: its first entry, under a ballot that only this member can use, opens it too.
    pub fn begin_birth(&mut self, now: Instant, birth: wire::entry::NewBirth, out: &mut Effects) {
        let ballot = self.next_ballot(self.me());
        self.birth = birth.view.birth;
        out.set_birth(self.birth);
        self.listed = true;
        self.note_promise(ballot);
        self.promise(ballot, out);
        self.views.clear();
        // Alone in its view: nobody else can hold anything of this birth.
        let opening = self.log.last().next();
        let leading = Leading::new(now, ballot, opening, self.delivered.clone());
        self.role = Role::Leader(Box::new(leading));
        self.led = true;
        self.detector.new_leader(now);
        self.append_own(Body::Birth(birth), out);
        self.turn(now, out);
    }

    pub(super) fn leader_conclusion(&self) -> Index {
        let Role::Leader(leading) = &self.role else { return Index(0) };
        let decided = self.log.decided();
        // From the newest view down: an index is counted among the voters of the last view at or before it.
        let mut cap = self.log.last();
        let among = if planted(Mutant::ViewCountedAmongOldVoters) { &self.views[..1] } else { &self.views[..] };
        for (at, view) in among.iter().rev() {
            let acknowledged = voters_of(view).map(|voter| match voter.incarnation {
                who if who == self.me() => {
                    if planted(Mutant::OwnDiskCountedAtOnce) {
                        self.log.last()
                    } else if self.vote_is_durable() {
                        self.log.synced()
                    } else {
                        Index(0)
                    }
                }
                who => leading.progress.get(&who).map_or(Index(0), |progress| progress.matched),
            });
            let majority = voters_of(view).count() / 2 + 1;
            let quorum = if planted(Mutant::CommitQuorumOffByOne) { (majority - 1).max(1) } else { majority };
            let reached = quorum_index(acknowledged, quorum).min(cap);
            if reached >= *at || Some(*at) == self.views.first().map(|(first, _)| *first) {
                let opened = reached >= leading.opening || planted(Mutant::LeaderSkipsOpening);
                return if opened { reached.max(decided) } else { decided };
            }
            cap = Index(at.0 - 1);
        }
        decided
    }

    pub(super) fn on_ack(&mut self, now: Instant, from: Incarnation, ballot: Ballot, index: Index, applied: Index) {
        let last = self.log.last();
        if let Role::Leader(leading) = &mut self.role
            && (leading.ballot == ballot || planted(Mutant::StaleAckCounted))
            && index <= last
            && let Some(progress) = leading.progress.get_mut(&from)
        {
            if index > progress.matched {
                (progress.waits_since, progress.resent) = (now, 0);
            }
            (progress.probes, progress.offered) = (false, false);
            progress.matched = progress.matched.max(index);
            progress.applied = progress.applied.max(applied.min(last));
            progress.next = progress.next.max(index.next());
            while progress.flying.front().is_some_and(|&(last, _)| last <= index) {
                progress.flying.pop_front();
            }
        }
    }

    pub(super) fn on_mismatch(&mut self, from: Incarnation, ballot: Ballot, decided: Index) {
        let decided = decided.min(self.log.last());
        if let Role::Leader(leading) = &mut self.role
            && leading.ballot == ballot
            && let Some(progress) = leading.progress.get_mut(&from)
        {
            // Where logs cannot differ; never back over what was acknowledged under this ballot.
            rare!("a peer's log differs from the leader's");
            progress.common = decided;
            progress.behind = None;
            progress.next = decided.max(progress.matched).next();
            progress.flying.clear();
            progress.probes = true;
        }
    }

    /// How far `peer` has applied, by its own word under this ballot.
    pub(super) fn applied_at(&self, peer: Incarnation) -> Index {
        let Role::Leader(leading) = &self.role else { return Index(0) };
        leading.progress.get(&peer).map_or(Index(0), |progress| progress.applied)
    }

    /// A connection is new: what was on its way may be lost.
    pub(super) fn restart_replication(&mut self, peer: Incarnation) {
        let last = self.log.last();
        if let Role::Leader(leading) = &mut self.role {
            let opening = leading.opening;
            let progress = leading.progress.entry(peer).or_default();
            progress.flying.clear();
            (progress.reading, progress.probes, progress.offered) = (false, false, false);
            progress.told = Default::default();
            progress.unmet = true;
            // Unknown: begin at the opening, and go back where the peer says that logs cannot differ.
            let known = progress.matched.max(progress.common);
            progress.next = if known > Index(0) { known.next() } else { opening.min(last.next()) };
        }
    }

    pub(super) fn on_propose(&mut self, from: Incarnation, run: Run, count: u32, payload: &[u8], out: &mut Effects) {
        let member = self.is_member(from);
        let Role::Leader(leading) = &mut self.role else { return };
        if !member {
            return;
        }
        if let Some(expected) = leading.take(from, run, count, payload) {
            out.send(from, Message::Expect { run, number: expected });
        }
    }

    /// One turn of the leader.
    pub(super) fn lead(&mut self, now: Instant, out: &mut Effects) {
        if !matches!(self.role, Role::Leader(_)) {
            return;
        }
        if !self.keep_quorum(now) {
            rare!("a leader steps down, as it hears no quorum");
            out.note(Level::Warning, 0, "this member no longer hears a quorum and steps down as leader".into());
            self.become_follower(now);
            self.led = false;
            return;
        }
        self.take_own();
        self.change_view(now, out);
        self.care_for_primary(now, out);
        self.care_for_reach(now);
        self.care_for_links(now);
        self.flush(out);
        self.replicate_all(now, out);
        self.hand_over(now, out);
    }

    fn keep_quorum(&mut self, now: Instant) -> bool {
        let heard = self.voters_heard(now) >= self.quorum();
        let limit = self.suspicion_us() * 3;
        let Role::Leader(leading) = &mut self.role else { return false };
        if heard {
            leading.quorum_at = now;
        }
        now.since(leading.quorum_at) <= limit
    }

    fn take_own(&mut self) {
        if !self.vote_is_durable() {
            return;
        }
        let (me, run) = (self.config.me.incarnation, self.config.run);
        let Role::Leader(leading) = &mut self.role else { return };
        for batch in &self.own {
            if batch.first >= self.forwarded {
                if leading.queue_bytes >= QUEUE_BYTES {
                    break;
                }
                let expected = leading.take_own(me, run, batch);
                assert!(expected.is_none(), "own proposals reach the own queue in order");
                self.forwarded = batch.last() + 1;
            }
        }
    }

    /// Everything that waits becomes a frame, as far as the window allows.
    fn flush(&mut self, out: &mut Effects) {
        let (mut bytes, mut frames) = self.log.undecided_size();
        loop {
            let Role::Leader(leading) = &mut self.role else { return };
            let full = frames >= self.config.write_concurrency || frames > 0 && bytes >= self.config.window_bytes;
            if full || leading.queue.is_empty() {
                return;
            }
            let sizes = [0, 1].map(|at| leading.queue.get(at).map_or(0, |queued| queued.byte_len()));
            if sizes[1] == 0 || sizes.iter().sum::<usize>() > BATCH_BYTES {
                let Some(queued) = leading.queue.pop_front() else { return };
                leading.queue_bytes -= queued.byte_len();
                bytes += queued.byte_len();
                frames += 1;
                self.append_queued(queued, out);
                continue;
            }
            let mut batch = BatchBuilder::with_capacity(leading.queue_bytes.min(BATCH_BYTES));
            while let Some(queued) = leading.queue.front() {
                if !batch.is_empty() && batch.byte_len() + queued.byte_len() > BATCH_BYTES {
                    break;
                }
                batch.push_all(queued.body(), queued.len());
                leading.queue_bytes -= queued.byte_len();
                leading.queue.pop_front();
            }
            bytes += batch.byte_len();
            frames += 1;
            self.append_batch(batch, out);
        }
    }

    pub(super) fn replicate_all(&mut self, now: Instant, out: &mut Effects) {
        let me = self.me();
        let Role::Leader(leading) = &mut self.role else { return };
        let before = leading.departing.len();
        leading.departing.retain(|&(_, until)| now < until);
        let departing: Vec<_> = leading.departing.iter().map(|(member, _)| member.incarnation).collect();
        if departing.len() != before {
            self.connect(out);
        }
        for at in 0.. {
            let members = self.view().map_or(&[][..], |view| &view.members);
            let member = members.get(at).map(|member| member.incarnation);
            let Some(peer) = member.or_else(|| departing.get(at - members.len()).copied()) else { return };
            if peer != me {
                self.resend(now, peer);
                self.replicate(now, peer, out);
            }
        }
    }

    fn resend(&mut self, now: Instant, peer: Incarnation) {
        if !self.hears(peer, now) {
            return;
        }
        let Role::Leader(leading) = &mut self.role else { return };
        let Some(progress) = leading.progress.get_mut(&peer) else { return };
        let waits_us = now.since(progress.waits_since);
        if !progress.flying.is_empty() && waits_us > RESEND_US << progress.resent {
            progress.waits_since = now;
            progress.resent = (progress.resent + 1).min(5);
            self.restart_replication(peer);
        }
    }

    fn replicate(&mut self, now: Instant, peer: Incarnation, out: &mut Effects) {
        if !self.detector.is_up(peer) {
            return;
        }
        let (last, told) = (self.log.last(), (self.log.synced(), self.log.decided(), self.applied_by_all()));
        let settled = self.concludes_alone(peer);
        loop {
            let Role::Leader(leading) = &mut self.role else { return };
            let (ballot, departing) =
                (leading.ballot, leading.departing.iter().any(|(member, _)| member.incarnation == peer));
            let Some(progress) = leading.progress.get_mut(&peer) else { return };
            let flying: usize = progress.flying.iter().map(|&(_, bytes)| bytes).sum();
            let (previous, nothing_new) = (Index(progress.next.0 - 1), progress.next > last);
            let told_behind = progress.behind.is_some_and(|at| now.since(at) < BEHIND_US);
            // One message at a time finds where logs part: many would be refused one by one, and sent again each time.
            let probing = progress.probes && flying > 0;
            if progress.reading || told_behind || probing || flying > PEER_WINDOW_BYTES {
                return;
            }
            // What the leader had synced when it spoke, and this peer syncs, is a quorum's: nothing more to say of it.
            let concludes = !departing
                && settled.is_some_and(|view| progress.told.1 >= view)
                && (leading.opening..=progress.told.0).contains(&told.1);
            let news = self.freshness.has_news(progress.told.2);
            let tell = progress.unmet
                || news
                || progress.told.0 < told.0 && !self.config.synced_on_append
                || progress.told.1 < told.1 && !concludes;
            if nothing_new && !tell {
                return;
            }
            let bytes_max = CATCH_UP_BYTES.min(self.config.window_bytes);
            let frames = self.log.frames_after(previous, bytes_max);
            let chain = frames.as_ref().and_then(|frames| frames.first()).map(|frame| frame.header().previous_chain);
            let chain = chain.or_else(|| self.log.point(previous).map(|point| point.chain));
            let (Some(frames), Some(previous_chain)) = (frames, chain) else {
                rare!("a peer far behind is served from the disk");
                progress.reading = true;
                self.read(Reading::Replicate(peer), previous, bytes_max, out);
                return;
            };
            let decided = if planted(Mutant::SentToldAsDecided) { last } else { told.1 };
            let synced = if planted(Mutant::AppendedToldAsSynced) { last } else { told.0 };
            progress.told = told;
            progress.unmet = false;
            let applied = told.2;
            let message = Message::Append { ballot, previous, previous_chain, decided, synced, applied };
            if let Some(end) = frames.last().map(|frame| frame.header().last()) {
                progress.next = end.next();
                if progress.flying.is_empty() {
                    progress.waits_since = now;
                }
                let bytes = frames.iter().map(|frame| frame.bytes().len()).sum();
                progress.flying.push_back((end, bytes));
            }
            let payload = if frames.is_empty() { Payload::None } else { Payload::Frames(frames) };
            out.post(Peer::Member(peer), Channel::Order, message, payload);
        }
    }

    /// The index of the view by which `peer`, once it knows that decided, concludes what is decided without being told:
    /// leader and itself are a quorum, and nobody else can be asked to count.
    fn concludes_alone(&self, peer: Incarnation) -> Option<Index> {
        let [(index, view)] = &self.views[..] else { return None };
        let (mut count, mut votes) = (0, false);
        for voter in voters_of(view) {
            count += 1;
            votes |= voter.incarnation == peer;
        }
        (votes && count <= 3).then_some(*index)
    }

    pub(super) fn on_read_for(&mut self, now: Instant, peer: Incarnation, frames: Vec<Frame>, out: &mut Effects) {
        let told = (self.log.synced(), self.log.decided(), self.applied_by_all());
        let Role::Leader(leading) = &mut self.role else { return };
        let ballot = leading.ballot;
        let Some(progress) = leading.progress.get_mut(&peer) else { return };
        progress.reading = false;
        let (Some(first), Some(last)) = (frames.first(), frames.last()) else {
            // Purged. The peer may hold the oldest place that is left here without knowing it decided: tried once.
            let oldest = self.log.oldest();
            if progress.next <= oldest && !progress.offered {
                rare!("a leader that has purged offers the oldest place it has");
                (progress.offered, progress.next) = (true, oldest.next());
                return;
            }
            // What is missing comes from a checkpoint. Asked again when the peer says where it is.
            progress.behind = Some(now);
            out.send(peer, Message::Behind { ballot });
            return;
        };
        if first.header().first != progress.next {
            return; // The peer has moved on meanwhile.
        }
        let previous = Index(first.header().first.0 - 1);
        let previous_chain = first.header().previous_chain;
        if progress.flying.is_empty() {
            progress.waits_since = now;
        }
        progress.told = told;
        progress.next = last.header().last().next();
        progress.flying.push_back((last.header().last(), frames.iter().map(|frame| frame.bytes().len()).sum()));
        let (synced, decided, applied) = told;
        let message = Message::Append { ballot, previous, previous_chain, decided, synced, applied };
        let payload = Payload::Frames(frames);
        out.post(Peer::Member(peer), Channel::Order, message, payload);
    }

    /// Begins the addition of a server that the member found admissible: compares lineages first.
    pub fn admit(&mut self, now: Instant, joining: Joining, out: &mut Effects) {
        out.set_birth(self.birth);
        if !matches!(self.role, Role::Leader(_)) {
            return;
        }
        let keep = match self.log.point(joining.decided) {
            _ if joining.decided == Index(0) => Some(Index(0)),
            Some(point) => Some(if point.chain == joining.chain { joining.decided } else { Index(0) }),
            None if joining.decided >= self.log.last() => Some(Index(0)),
            None => None,
        };
        match keep {
            Some(keep) => self.accept_joiner(now, joining, keep, out),
            None => {
                let after = joining.decided;
                self.read(Reading::Lineage(Box::new(joining)), after, 1, out);
            }
        }
    }

    pub(super) fn on_lineage(&mut self, now: Instant, joining: Joining, frames: &[Frame], out: &mut Effects) {
        let equal = frames.first().is_some_and(|frame| {
            frame.header().first == joining.decided.next() && frame.header().previous_chain == joining.chain
        });
        let keep = if equal { joining.decided } else { Index(0) };
        self.accept_joiner(now, joining, keep, out);
    }

    fn accept_joiner(&mut self, now: Instant, joining: Joining, keep: Index, out: &mut Effects) {
        let me = self.me();
        let Some(view) = self.view().cloned() else { return };
        let Role::Leader(leading) = &mut self.role else { return };
        let ballot = leading.ballot;
        let known = view.members.iter().any(|m| m.incarnation == joining.member.incarnation);
        let waiting = leading
            .changes
            .iter()
            .any(|change| matches!(change, Change::Add(member) if member.incarnation == joining.member.incarnation));
        if !known && !waiting {
            // An older life of the same server gives way first.
            for older in view.members.iter().filter(|m| m.uuid == joining.member.uuid) {
                let cause = ViewCause::Expel(older.incarnation);
                leading.changes.push_back(Change::Remove(older.incarnation, cause));
            }
            leading.changes.push_back(Change::Add(joining.member.clone()));
        }
        let progress = leading.progress.entry(joining.member.incarnation).or_default();
        if progress.matched == Index(0) {
            progress.common = keep;
            progress.next = keep.next();
        }
        let answer = JoinAnswer::Accepted { view, leader: me, ballot, keep };
        let (to, payload) = (Peer::Address(joining.member.address.clone()), Payload::None);
        out.post(to, Channel::Order, Message::JoinAnswer(answer), payload);
        let _ = now;
    }

    pub(super) fn on_leave(&mut self, incarnation: Incarnation) {
        let me = self.me();
        let listed = self.view().is_some_and(|view| view.members.iter().any(|m| m.incarnation == incarnation));
        if let Role::Leader(leading) = &mut self.role {
            let waiting =
                leading.changes.iter().any(|change| matches!(change, Change::Remove(who, _) if *who == incarnation));
            if listed && !waiting && incarnation != me {
                leading.changes.push_back(Change::Remove(incarnation, ViewCause::Leave(incarnation)));
            }
        }
    }

    /// Whether a view may have to change, for whatever reason: asked in each turn, and almost never so.
    fn wants_change(&self, now: Instant) -> bool {
        let Role::Leader(leading) = &self.role else { return false };
        let learns = |view: &View| view.members.iter().any(|member| member.role == VotingRole::Learner);
        !leading.changes.is_empty() || self.view().is_some_and(learns) || self.is_expulsion_due(now)
    }

    /// Writes the next view, once the opening and the view before it are decided.
    fn change_view(&mut self, now: Instant, out: &mut Effects) {
        if !self.wants_change(now) {
            return;
        }
        let decided = self.log.decided();
        let Some(view) = self.view().cloned() else { return };
        let settled = self.views.len() == 1 && self.views[0].0 <= decided;
        let Role::Leader(leading) = &mut self.role else { return };
        let settled = settled || planted(Mutant::TwoViewsAtOnce);
        if !settled || leading.opening > decided && !planted(Mutant::ViewBeforeOpening) {
            return;
        }
        if leading.changes.is_empty()
            && let Some((who, cause)) = self.next_expulsion(&view, now)
        {
            // Removed by quorum's agreement, checked at this very moment: nothing lies between it and the append.
            assert!(self.may_expel(&view, who, now), "a quorum of the old view agrees before the append");
            let Role::Leader(leading) = &mut self.role else { return };
            leading.changes.push_back(Change::Remove(who, cause));
        }
        let heard = self.heard_both_ways(now);
        let limit = self.suspicion_us();
        let Role::Leader(leading) = &mut self.role else { return };
        if leading.changes.is_empty() {
            // A learner that has caught up, and answers, becomes a voter.
            let learners = view.members.iter().filter(|member| member.role == VotingRole::Learner);
            let ready = learners.filter(|member| heard.contains(&member.incarnation)).find(|member| {
                let progress = leading.progress.get_mut(&member.incarnation);
                progress.is_some_and(|progress| progress.keeps_up(decided, now, limit))
            });
            leading.changes.extend(ready.map(|member| Change::Promote(member.incarnation)));
        }
        let Some(change) = leading.changes.pop_front() else { return };
        let mut next = view.clone();
        match &change {
            Change::Add(member) => {
                let again = next.members.iter().any(|m| m.incarnation == member.incarnation);
                if again || next.members.len() >= MEMBERS_MAX {
                    return;
                }
                leading.departing.retain(|(older, _)| older.uuid != member.uuid);
                next.members.push(ViewMember { role: VotingRole::Learner, ..member.clone() });
                next.members.sort_by_key(|member| member.uuid);
                next.cause = ViewCause::Join(member.incarnation);
                next.counter += 1;
            }
            Change::Promote(who) => {
                let Some(member) = next.members.iter_mut().find(|m| m.incarnation == *who) else { return };
                member.role = VotingRole::Voter;
                next.cause = ViewCause::Promote(*who);
            }
            Change::Remove(who, cause) => {
                let gone = view.members.iter().find(|member| member.incarnation == *who).cloned();
                next.members.retain(|member| member.incarnation != *who);
                if voters_of(&next).next().is_none() || next.members.len() == view.members.len() {
                    return;
                }
                next.cause = *cause;
                next.counter += 1;
                leading.departing.extend(gone.map(|member| (member, now.plus(DEPARTING_US))));
            }
        }
        self.assert_neighbours(&view, &next);
        self.append_own(Body::View(next), out);
        if let Change::Add(member) = change {
            let Role::Leader(leading) = &mut self.role else { return };
            leading.progress.entry(member.incarnation).or_default();
        }
    }

    /// Neighbouring views differ by at most one voter, so that their majorities intersect.
    fn assert_neighbours(&self, old: &View, new: &View) {
        let voters = |view| voters_of(view).map(|voter| voter.incarnation).collect::<BTreeSet<_>>();
        let changed = voters(old).symmetric_difference(&voters(new)).count();
        assert!(changed <= 1, "a view changes one voter, not {changed}");
    }

    /// Leadership goes to the primary when logs are level; a primary that a quorum lost is replaced.
    fn care_for_primary(&mut self, now: Instant, out: &mut Effects) {
        if !self.primary.single {
            return;
        }
        let (me, decided, last) = (self.me(), self.log.decided(), self.log.last());
        let Some(primary) = self.primary.primary.filter(|&primary| primary != me) else { return };
        let (hears, lost) = (self.hears(primary, now), self.lost_by_quorum(primary, now));
        let heard: BTreeSet<_> = self.heard_both_ways(now).into_iter().collect();
        // A primary that hears fewer would have to hand over again.
        let hears = hears && self.heard_by(primary).filter(|who| heard.contains(who)).count() >= heard.len();
        let votes = self.is_voter(primary);
        let Role::Leader(leading) = &mut self.role else { return };
        if leading.opening > decided || leading.naming > decided {
            return;
        }
        if lost {
            let without: BTreeSet<_> = heard.into_iter().filter(|&who| who != primary).collect();
            if let Some(new) = Self::new_primary(&self.primary, &without) {
                leading.naming = last.next();
                let opening = Opening { ballot: leading.ballot, new_primary: Some(new) };
                self.append_own(Body::Opening(opening), out);
            }
        } else if hears && votes && now.since(self.handover_wanted) > HANDOVER_US && leading.handover.is_none() {
            let level = leading.progress.get(&primary).is_some_and(|progress| progress.matched == last);
            if level {
                self.handover_wanted = now;
                leading.handover = Some((primary, now.plus(self.config.timing.suspicion_us)));
            }
        }
    }

    /// Completes a handover: once all of this log is on its way to the receiver, this member stops, promises
    /// the receiver its ballot and asks it to stand. Between the last frame here and the receiver's opening lie
    /// the vote file and, in a group of three, half a round trip.
    fn hand_over(&mut self, now: Instant, out: &mut Effects) {
        let (last, decided) = (self.log.last(), self.log.decided());
        let Role::Leader(leading) = &mut self.role else { return };
        let Some((to, until)) = leading.handover else { return };
        let ballot = leading.ballot;
        let sent = (leading.progress.get(&to))
            .is_some_and(|peer| !peer.reading && peer.next > last && peer.matched >= leading.opening);
        if now > until {
            leading.handover = None;
        } else if sent && leading.opening <= decided && self.detector.is_up(to) {
            let next = self.next_ballot(to);
            self.note_promise(next);
            out.send(to, Message::Handover { ballot, next });
            self.promise(next, out);
            self.become_follower(now);
            self.promises_due.push((self.vote_asked, to, next));
        }
    }

    /// A member that this leader misses and a voter of its quorum hears: the voter that hears most leads better.
    fn care_for_reach(&mut self, now: Instant) {
        let mut all = self.view().into_iter().flat_map(|view| &view.members);
        if all.all(|member| self.hears(member.incarnation, now)) {
            let Role::Leader(leading) = &mut self.role else { return };
            leading.misses_since = None;
            return;
        }
        let me = self.me();
        let members: BTreeSet<_> =
            self.view().into_iter().flat_map(|view| &view.members).map(|member| member.incarnation).collect();
        let heard: Vec<_> = self.heard_both_ways(now).into_iter().filter(|who| members.contains(who)).collect();
        let best = (self.voters().map(|voter| voter.incarnation))
            .filter(|&voter| voter != me && heard.contains(&voter))
            .map(|voter| (self.heard_by(voter).filter(|who| members.contains(who)).count(), voter))
            .max();
        let missed = members.iter().any(|who| {
            !heard.contains(who)
                && self.voters().any(|voter| {
                    heard.contains(&voter.incarnation) && self.heard_by(voter.incarnation).any(|other| other == *who)
                })
        });
        let (since_last, patience) = (now.since(self.handover_wanted), self.suspicion_us());
        let until = now.plus(self.config.timing.suspicion_us);
        let Role::Leader(leading) = &mut self.role else { return };
        // One round of heartbeats may say so of a member that has just gone.
        let Some((most, to)) = best.filter(|&(most, _)| missed && most >= heard.len()) else {
            leading.misses_since = None;
            return;
        };
        let since = *leading.misses_since.get_or_insert(now);
        let better = most > heard.len() && now.since(since) > patience && since_last > HANDOVER_US;
        if better && leading.handover.is_none() {
            self.handover_wanted = now;
            leading.handover = Some((to, until));
        }
    }

    /// Links of this leader lose packets, and each batch waits for what is sent again: a voter whose links with a
    /// quorum are well leads better. Not so where this is the primary: all that is written comes from here.
    fn care_for_links(&mut self, now: Instant) {
        let primary = self.primary.single && self.primary.primary == Some(self.me());
        let since_last = now.since(self.handover_wanted);
        let Role::Leader(leading) = &self.role else { return };
        if primary || leading.handover.is_some() || since_last <= HANDOVER_US {
            return;
        }
        let Some(to) = self.smoother_leader(now) else { return };
        rare!("a leader with rough links hands over");
        self.handover_wanted = now;
        // What it has to send first may be lost and sent again.
        let until = now.plus(self.suspicion_us() * 4);
        let Role::Leader(leading) = &mut self.role else { return };
        leading.handover = Some((to, until));
    }

    pub(super) fn drive_leave(&mut self, now: Instant, out: &mut Effects) {
        let Some(asked) = self.leave_asked else { return };
        if self.left || now < asked {
            return;
        }
        let me = self.me();
        let others: Vec<_> = self.voters().map(|v| v.incarnation).filter(|&v| v != me).collect();
        if others.is_empty() && self.votes_in_decided_view(me) && self.views.len() == 1 {
            self.left = true; // The only voter: there is nobody to ask.
            return;
        }
        self.leave_asked = Some(now.plus(self.config.timing.suspicion_us / 3));
        let until = now.plus(self.config.timing.suspicion_us);
        match &mut self.role {
            Role::Leader(leading) => {
                let best = others.iter().max_by_key(|who| leading.progress.get(who).map(|progress| progress.matched));
                if let Some(&best) = best
                    && leading.handover.is_none()
                {
                    leading.handover = Some((best, until));
                }
            }
            _ => {
                if let Some(leader) = self.leader() {
                    out.send(leader, Message::Leave { incarnation: me });
                }
            }
        }
    }
}

impl Leading {
    pub fn new(now: Instant, ballot: Ballot, opening: Index, expected: Sequencer) -> Self {
        Self {
            ballot,
            opening,
            progress: BTreeMap::new(),
            queue: VecDeque::new(),
            queue_bytes: 0,
            expected,
            changes: VecDeque::new(),
            departing: Vec::new(),
            quorum_at: now,
            handover: None,
            misses_since: None,
            naming: Index(0),
        }
    }

    /// As [`Leading::take`], of this member's own: shared, not copied, unless the log has a part of them.
    fn take_own(&mut self, origin: Incarnation, run: Run, own: &OwnBatch) -> Option<u64> {
        if self.expected.expected(origin, run) != own.first {
            return self.take(origin, run, own.len(), own.body());
        }
        let batch = match &own.held {
            Held::Batch(batch) => batch.clone(),
            // Of an earlier ballot's log, which another leader's has replaced.
            Held::Frame(_) => return self.take(origin, run, own.len(), own.body()),
        };
        let first = Stamp { origin, run, number: own.first };
        let accepted = self.expected.accept_stretch(&Stretch { first, count: batch.len() });
        assert_eq!(accepted, batch.len(), "what begins with the number expected next is accepted");
        self.queue_bytes += batch.byte_len();
        self.queue.push_back(batch);
        None
    }

    /// Queues proposals of `origin` that are in order; repeats are dropped. The expected number when
    /// some are missing, or there is no room.
    fn take(&mut self, origin: Incarnation, run: Run, count: u32, raw: &[u8]) -> Option<u64> {
        if self.queue_bytes >= QUEUE_BYTES {
            return Some(self.expected.expected(origin, run));
        }
        // Repeats come first and what is missing comes last: what is new lies in one piece.
        let (mut skipped, mut taken, mut new, mut gap) = (0, 0, 0, false);
        for (_, entry) in Entries::new(raw, Index(1), count) {
            let stamp = entry.stamp();
            if (stamp.origin, stamp.run) != (origin, run) || stamp.number == 0 || entry.changes_view() {
                break;
            }
            if self.expected.accept(stamp) {
                taken += entry.raw().len();
                new += 1;
            } else if new == 0 && stamp.number < self.expected.expected(origin, run) {
                rare!("a proposal arrives again");
                skipped += entry.raw().len();
            } else {
                rare!("a proposal arrives before the one that precedes it");
                gap = true;
                break;
            }
        }
        if new > 0 {
            let mut batch = BatchBuilder::with_capacity(taken);
            batch.push_all(&raw[skipped..skipped + taken], new);
            self.queue_bytes += taken;
            self.queue.push_back(Arc::new(batch));
        }
        gap.then(|| self.expected.expected(origin, run))
    }
}
