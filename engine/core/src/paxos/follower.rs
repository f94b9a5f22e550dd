//! What a member does that does not lead: append what the leader sends, after the first difference cut;
//! acknowledge what is synced; forward its own proposals; conclude what is decided.

use super::{Group, Role, quorum_index, voters_of};
use crate::effect::{Effect, Effects, Instant, Level, Payload, Peer};
use wire::frame::{Buffer, Frame};
use wire::id::{Ballot, Incarnation, Index, Run};
use wire::message::{Channel, Message};
use wire::mutant::{Mutant, planted};
use wire::rare;

/// Where an append attaches, and what its leader says besides.
pub(super) struct Place {
    pub previous: Index,
    pub previous_chain: u64,
    pub decided: Index,
    pub synced: Index,
    pub applied: Index,
}

/// Own proposals are forwarded in messages of about this size.
const FORWARD_BYTES: usize = 1 << 20;

impl Group {
    pub(super) fn on_append(
        &mut self,
        now: Instant,
        from: Incarnation,
        ballot: Ballot,
        place: Place,
        payload: Buffer,
        out: &mut Effects,
    ) {
        if ballot < self.promised && !planted(Mutant::LowerBallotAccepted) {
            out.send(from, Message::Refused { ballot, promised: self.promised });
            return;
        }
        if ballot.node != from || ballot.node == self.me() {
            return;
        }
        if ballot > self.promised {
            // Accepting under a ballot promises it: the vote file holds it before the first acknowledgement.
            self.promise(ballot, out);
        }
        if !matches!(self.role, Role::Follower | Role::Outside) {
            self.become_follower(now);
        }
        if !self.led {
            self.led = true;
            self.stand_at = None;
            self.stand_failures = 0;
            self.detector.new_leader(now);
        }
        if self.unsure.is_some_and(|before| ballot <= before) {
            // This leader counts on what this member acknowledged before, and may have lost: it comes back as
            // a new member, of whom nothing is counted yet.
            self.gone = true;
            return;
        }
        if self.recovering {
            return; // What is missing comes from a donor; the leader is told when it has come.
        }
        let Ok(frames) = Frame::all_from(payload) else {
            out.note(Level::Warning, 0, format!("member {from} sent frames that do not check; ignored"));
            return;
        };
        if !self.attach(place.previous, place.previous_chain, &frames, out) {
            out.send(from, Message::Mismatch { ballot, decided: self.log.decided() });
            return;
        }
        if frames.last().is_some_and(|frame| frame.header().last() <= self.acked) {
            rare!("an acknowledgement is sent again");
            // It was acknowledged, and sent again: the acknowledgement was lost.
            self.acked = Index(0);
        }
        self.leader_synced = self.leader_synced.max(place.synced);
        self.leader_decided = self.leader_decided.max(place.decided);
        self.learn_applied(place.applied);
    }

    /// Makes the log equal to `frames` behind `previous`. False when it does not match there.
    pub(super) fn attach(&mut self, previous: Index, previous_chain: u64, frames: &[Frame], out: &mut Effects) -> bool {
        let decided = self.log.decided();
        if previous > self.log.last() {
            return false;
        }
        // Below the decided index logs cannot differ; at and above it the chain tells.
        if previous >= decided && self.log.point(previous).is_none_or(|point| point.chain != previous_chain) {
            return false;
        }
        let mut matched = previous.max(decided.min(frames.last().map_or(previous, |f| f.header().last())));
        let (mut index, mut chain) = (previous, previous_chain);
        for frame in frames {
            let header = frame.header();
            if header.first != index.next() || header.previous_chain != chain || header.ballot > self.promised {
                return false;
            }
            (index, chain) = (header.last(), header.chain);
            if header.last() <= decided {
                continue;
            }
            if header.first <= decided {
                return false; // No decided index lies inside a frame: this is not our log.
            }
            let same = |point: super::tail::Point| point.chain == header.chain || planted(Mutant::DifferenceNotCut);
            if self.log.point(header.last()).is_some_and(same) {
                matched = matched.max(header.last());
                continue;
            }
            // Nothing is cut for a frame that does not continue this log: no leader has one whose chain
            // breaks or whose ballot falls.
            let continues =
                |before: super::tail::Point| before.chain == header.previous_chain && before.ballot <= header.ballot;
            if !self.log.point(previous_of(header.first)).is_some_and(continues) {
                return false;
            }
            if self.log.last() >= header.first {
                rare!("a follower cuts what its leader does not have");
                self.cut_after(previous_of(header.first), out);
            }
            self.append(frame.clone(), out);
            matched = matched.max(header.last());
        }
        self.matched = self.matched.max(matched);
        true
    }

    /// Decides what a quorum of synced voters is known to hold.
    pub(super) fn conclude(&mut self, now: Instant, out: &mut Effects) {
        if self.log.decided() == self.log.last() && self.unsure.is_none() {
            return; // Nothing is left to conclude.
        }
        let decided = match &self.role {
            Role::Leader(_) => self.leader_conclusion(),
            Role::Follower | Role::Outside => self.follower_conclusion(),
            Role::Candidate(_) => return,
        };
        if decided > self.log.decided() {
            self.detector.advanced(now);
            self.decide(decided, out);
        }
        let opened = || self.log.point(self.log.decided()).is_some_and(|point| point.ballot == self.promised);
        if self.unsure.is_some_and(|before| self.promised > before) && opened() && self.led {
            // A leader that was elected since has its opening decided: its log has all that any quorum had, and
            // this log equals it up to there.
            self.unsure = None;
            self.store_vote(out);
        }
    }

    fn follower_conclusion(&self) -> Index {
        let matched = if planted(Mutant::DecidedOverOwnTail) { self.log.last() } else { self.matched };
        let told = self.leader_decided.min(matched);
        // Accepting under a ballot counts once its promise is durable, for oneself as for the leader: a member
        // that forgets the promise could help another ballot decide something else.
        let own = if self.vote_is_durable() { self.synced_matched() } else { Index(0) };
        // While a view is undecided, who counts is the leader's to say.
        let settled = self.views.len() == 1 || planted(Mutant::FollowerCountsOldView);
        if !settled || !self.is_voter(self.me()) && !planted(Mutant::LearnerConcludes) {
            return told;
        }
        let leader = self.promised.node;
        let (_, view) = &self.views[0];
        let known = voters_of(view)
            .map(|voter| match voter.incarnation {
                who if who == leader && planted(Mutant::ReceiptCountedAsSync) => self.matched,
                who if who == leader => self.leader_synced.min(self.matched),
                who if who == self.me() => own,
                _ => Index(0),
            })
            .chain((planted(Mutant::LearnerConcludes) && !self.is_voter(self.me())).then_some(own));
        let counted = quorum_index(known, self.quorum());
        // Only a frame of the leader's own ballot proves that its opening is among what is counted. The leader may
        // have synced less when it spoke; what a quorum holds of an older ballot proves nothing yet, for a ballot
        // between the two may have another entry there.
        let opened = self.log.point(counted).is_some_and(|point| point.ballot == self.promised)
            || planted(Mutant::FollowerSkipsOpening);
        if opened { told.max(counted) } else { told }
    }

    /// How far this log both equals the leader's and is synced.
    fn synced_matched(&self) -> Index {
        self.matched.min(self.log.synced())
    }

    /// One acknowledgement for all that was synced since the last.
    pub(super) fn acknowledge(&mut self, out: &mut Effects) {
        let durable = self.vote_is_durable() || planted(Mutant::AckBeforeVoteStored);
        if !matches!(self.role, Role::Follower | Role::Outside) || !durable {
            return;
        }
        let index = if planted(Mutant::AckBeforeSync) { self.matched } else { self.synced_matched() };
        if (index > self.acked || self.owes_applied())
            && self.promised.node != self.me()
            && self.promised != Ballot::ZERO
        {
            self.acked = self.acked.max(index);
            let applied = self.say_applied();
            out.send(self.promised.node, Message::Ack { ballot: self.promised, index, applied });
        }
    }

    /// Sends own proposals that the present leader has not been given.
    pub(super) fn forward(&mut self, out: &mut Effects) {
        // The leader takes its own in `lead`; a run is used only once the vote file holds it.
        if matches!(self.role, Role::Leader(_)) || !self.vote_is_durable() {
            return;
        }
        let Some(leader) = self.leader().filter(|&leader| self.detector.is_up(leader)) else { return };
        let (mut raw, mut count, mut first) = (Buffer::new(), 0, None);
        for batch in &self.own {
            if batch.first < self.forwarded {
                continue;
            }
            first.get_or_insert(batch.first);
            raw.extend_from_slice(batch.body());
            count += batch.len();
            self.forwarded = batch.last() + 1;
            if raw.len() >= FORWARD_BYTES {
                break;
            }
        }
        let Some(first) = first else { return };
        let message = Message::Propose { run: self.config.run, first, count };
        let (to, payload) = (Peer::Member(leader), Payload::Entries(raw));
        out.post(to, Channel::Order, message, payload);
        if self.own.back().is_some_and(|batch| batch.last() >= self.forwarded) {
            self.forward(out);
        }
    }

    /// The leader expects another number: goes back to it.
    pub(super) fn on_expect(&mut self, from: Incarnation, run: Run, number: u64) {
        if self.leader() == Some(from) && run == self.config.run {
            // Batches are re-sent whole; the leader drops the part that it has.
            let batch = self.own.iter().find(|batch| batch.last() >= number);
            self.forwarded = batch.map_or(number, |batch| batch.first);
        }
    }

    pub(super) fn become_follower(&mut self, now: Instant) {
        self.role = Role::Follower;
        self.stand_at = None;
        self.forwarded = 1;
        self.detector.new_leader(now);
    }

    /// Answers a candidate that adopts this log: it may be cut only under a higher ballot.
    pub(super) fn on_fetch(
        &mut self,
        from: Incarnation,
        token: u64,
        ballot: Ballot,
        after: Index,
        chain: u64,
        out: &mut Effects,
    ) {
        if ballot != self.promised || !self.vote_is_durable() {
            out.send(from, Message::Refused { ballot, promised: self.promised });
            return;
        }
        match self.log.frames_after(after, FORWARD_BYTES) {
            Some(frames) => self.answer_fetch(from, (token, ballot, after, chain), frames, out),
            None if after < self.log.last() => {
                let to = from;
                let reading = super::Reading::Fetch { to, token, ballot, after, chain };
                self.read(reading, after, FORWARD_BYTES, out);
            }
            None => self.answer_fetch(from, (token, ballot, after, chain), Vec::new(), out),
        }
    }

    pub(super) fn answer_fetch(
        &mut self,
        to: Incarnation,
        (token, ballot, after, chain): (u64, Ballot, Index, u64),
        frames: Vec<Frame>,
        out: &mut Effects,
    ) {
        let matches = match frames.first() {
            Some(frame) => frame.header().previous_chain == chain,
            None => self.log.point(after).is_some_and(|point| point.chain == chain),
        };
        let message = Message::Fetched { token, ballot, after, last: self.log.last(), matches };
        let payload = if matches { Payload::Frames(frames) } else { Payload::None };
        out.post(Peer::Member(to), Channel::Bulk, message, payload);
    }

    pub(super) fn read(&mut self, reading: super::Reading, after: Index, bytes_max: usize, out: &mut Effects) {
        let token = self.next_read;
        self.next_read += 1;
        self.reads.insert(token, reading);
        out.push(Effect::Read { token, after, bytes_max });
    }

    pub(super) fn on_read(&mut self, now: Instant, token: u64, frames: Vec<Frame>, out: &mut Effects) {
        match self.reads.remove(&token) {
            Some(super::Reading::Fetch { to, token, ballot, after, chain }) if ballot == self.promised => {
                self.answer_fetch(to, (token, ballot, after, chain), frames, out);
            }
            Some(super::Reading::Replicate(peer)) => self.on_read_for(now, peer, frames, out),
            Some(super::Reading::Lineage(joining)) => self.on_lineage(now, *joining, &frames, out),
            _ => {}
        }
    }
}

/// The index before `first`.
fn previous_of(first: Index) -> Index {
    Index(first.0 - 1)
}
