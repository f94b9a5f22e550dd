//! Who hears whom: heartbeats with echoes, produced by the group stage itself, so that a hung stage
//! falls silent. Suspecting the leader costs an election; being UNREACHABLE is only shown.

use super::{Group, Role};
use crate::effect::{Effects, Instant, Level, Payload, Peer};
use std::collections::{BTreeMap, VecDeque};
use wire::entry::ViewMember;
use wire::id::{Ballot, Incarnation, Index};
use wire::message::{Channel, Heartbeat, Message};
use wire::mutant::{Mutant, planted};

/// How many sent heartbeats are remembered by their time, to know how old an echo is.
const REMEMBERED: usize = 32;
/// So many of the last 64 heartbeats, some four seconds of them, were late: the link is rough.
const ROUGH: u32 = 3;
/// A member that does nothing for longer than this was stopped itself.
const PAUSE_US: u64 = 1_000_000;

#[derive(Clone, Debug, Default)]
struct Heard {
    up: bool,
    sequence: u64,
    /// Last sequence received from it.
    received: u64,
    sent: VecDeque<(u64, Instant)>,
    /// When any message of it came last.
    at: Instant,
    /// When the heartbeat was sent that it echoed last: contact both ways.
    both_ways: Option<Instant>,
    /// The same, of answers that were leases; and of those under a promise.
    assured: Option<Instant>,
    follows: Option<(Ballot, Instant)>,
    /// Decided index that it named last.
    named: Index,
    /// When it was last known to be heard both ways, whatever became of the connection since.
    contact: Instant,
    hears: Vec<Incarnation>,
    decided: Index,
    waiting_us: u64,
    /// When its last heartbeat came, and which of the last 64 were late, the newest in bit 0.
    beat_at: Option<Instant>,
    late: u64,
    /// Whose links it calls rough, by its last word.
    rough: Vec<Incarnation>,
    /// Whom it misses, and to whose expulsion it agrees under which ballot, by its last word.
    misses: Vec<Incarnation>,
    expels: (Ballot, Vec<Incarnation>),
    /// Since when it is UNREACHABLE from here.
    missed_since: Option<Instant>,
    /// As the operators' log was told.
    told_unreachable: bool,
    /// When it said something as a member of another birth of the group.
    apart: Option<Instant>,
}

/// What is known of the others' voices.
#[derive(Clone, Debug, Default)]
pub(super) struct Detector {
    peers: BTreeMap<Incarnation, Heard>,
    next_heartbeat: Instant,
    /// When heartbeats were last looked after: a gap is this member's own pause, not the others' silence.
    looked: Instant,
    /// Since when the present leader is given the benefit of the doubt.
    leader_since: Instant,
    advanced: Instant,
    /// Largest gap lately seen between heartbeats, decaying: the adaptive part of the suspicion time.
    slowest_us: u64,
}

impl Heard {
    /// A heartbeat has come: late when more than one and a half of its period passed since the one before, as
    /// where a packet was lost and only what followed it told so.
    fn note_pace(&mut self, now: Instant, period_us: u64) {
        if let Some(before) = self.beat_at.replace(now) {
            let late = now.since(before) > period_us + period_us / 2;
            self.late = self.late << 1 | u64::from(late);
        }
    }

    fn is_rough(&self) -> bool {
        self.late.count_ones() >= ROUGH
    }
}

impl Detector {
    pub fn start(&mut self, now: Instant) {
        self.next_heartbeat = now;
        self.looked = now;
        self.leader_since = now;
        self.advanced = now;
    }

    pub fn heard(&mut self, from: Incarnation, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.at = now;
        }
    }

    /// It is there, but belongs to another birth of the group.
    pub fn heard_apart(&mut self, from: Incarnation, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.apart = Some(now);
        }
    }

    pub fn is_up(&self, peer: Incarnation) -> bool {
        self.peers.get(&peer).is_some_and(|heard| heard.up)
    }

    /// When the heartbeat was sent that `leader` answered last with a lease.
    pub fn assured_at(&self, leader: Incarnation) -> Option<Instant> {
        self.peers.get(&leader)?.assured
    }

    /// When the heartbeat was sent that `peer` answered last while it had promised `ballot` and nothing higher.
    pub fn follows_since(&self, peer: Incarnation, ballot: Ballot) -> Option<Instant> {
        self.peers.get(&peer)?.follows.filter(|&(promised, _)| promised == ballot).map(|(_, at)| at)
    }

    /// Only these are connected with from now on.
    pub fn keep(&mut self, members: &[ViewMember]) {
        self.peers.retain(|&peer, _| members.iter().any(|member| member.incarnation == peer));
    }

    pub fn new_leader(&mut self, now: Instant) {
        self.leader_since = now;
        self.advanced = now;
    }

    pub fn advanced(&mut self, now: Instant) {
        self.advanced = now;
    }
}

impl Group {
    /// Whether `peer` was heard both ways within the suspicion time.
    pub fn hears(&self, peer: Incarnation, now: Instant) -> bool {
        peer == self.me()
            || self
                .detector
                .peers
                .get(&peer)
                .is_some_and(|heard| heard.up && heard.both_ways.is_some_and(|at| now.since(at) <= self.suspicion_us()))
    }

    /// Members that this one is connected with.
    pub(super) fn connected(&self) -> Vec<Incarnation> {
        self.detector.peers.iter().filter(|(_, heard)| heard.up).map(|(&peer, _)| peer).collect()
    }

    /// Whether `peer` was not heard both ways for 5 s from here, or from the leader that this member hears.
    #[must_use]
    pub fn is_unreachable(&self, peer: Incarnation) -> bool {
        self.misses(peer) || self.leader_misses(peer)
    }

    /// Whether `peer` was heard within the last 5 s, if only as a member of another birth: it can be asked whether it
    /// agrees to a forced one.
    #[must_use]
    pub fn can_be_asked(&self, peer: Incarnation, now: Instant) -> bool {
        let apart = self.detector.peers.get(&peer).and_then(|heard| heard.apart);
        let lately = |at: Instant| now.since(at) <= self.config.timing.unreachable_us;
        !self.is_unreachable(peer) || apart.is_some_and(lately)
    }

    /// Whether `peer` was not heard both ways from here for 5 s.
    pub(super) fn misses(&self, peer: Incarnation) -> bool {
        self.detector.peers.get(&peer).is_some_and(|heard| heard.missed_since.is_some())
    }

    fn leader_misses(&self, peer: Incarnation) -> bool {
        let leader = self.leader().and_then(|leader| self.detector.peers.get(&leader));
        leader.is_some_and(|leader| leader.up && leader.missed_since.is_none() && leader.misses.contains(&peer))
    }

    /// Whose expulsion the leader of the promised ballot asks for.
    pub(super) fn asked_to_expel(&self, leader: Incarnation) -> Vec<Incarnation> {
        let heard = self.detector.peers.get(&leader);
        heard.filter(|heard| heard.expels.0 == self.promised).map_or_else(Vec::new, |heard| heard.expels.1.clone())
    }

    /// Since when `peer` is UNREACHABLE from here.
    pub(super) fn missed_since(&self, peer: Incarnation) -> Option<Instant> {
        self.detector.peers.get(&peer)?.missed_since
    }

    /// Whether a voter agrees, by its last word, to the expulsion of `who` under `ballot`.
    pub(super) fn agrees(&self, voter: Incarnation, ballot: Ballot, who: Incarnation) -> bool {
        let heard = self.detector.peers.get(&voter);
        heard.is_some_and(|heard| heard.expels.0 == ballot && heard.expels.1.contains(&who))
    }

    /// Suspicions that expire while no quorum answers mean nothing: they start anew.
    pub(super) fn restart_suspicions(&mut self, now: Instant) {
        for heard in self.detector.peers.values_mut() {
            heard.missed_since = heard.missed_since.map(|_| now);
        }
    }

    /// Whether a quorum of voters, this member included, answers.
    #[must_use]
    pub fn has_quorum(&self) -> bool {
        let reachable = self.voters().filter(|voter| !self.misses(voter.incarnation)).count();
        self.views.is_empty() || reachable >= self.quorum()
    }

    /// Whether `one` says that heartbeats of `other` reach it in time.
    fn calls_smooth(&self, one: Incarnation, other: Incarnation) -> bool {
        let heard = |who: Incarnation| self.detector.peers.get(&who);
        if one == self.me() {
            return heard(other).is_some_and(|heard| heard.up && !heard.is_rough());
        }
        heard(one).is_some_and(|heard| heard.up && heard.hears.contains(&other) && !heard.rough.contains(&other))
    }

    /// Voters with whom `who` exchanges heartbeats in time, itself among them: what they say of one another.
    fn smooth_voters(&self, who: Incarnation) -> usize {
        let smooth = |other: Incarnation| self.calls_smooth(who, other) && self.calls_smooth(other, who);
        self.voters().filter(|voter| voter.incarnation == who || smooth(voter.incarnation)).count()
    }

    /// Who should lead instead of this member, whose links lose packets so that it lacks a quorum within easy
    /// reach, by the others' word: a voter that has one.
    pub(super) fn smoother_leader(&self, now: Instant) -> Option<Incarnation> {
        let (me, quorum) = (self.me(), self.quorum());
        let called_rough = |by: Incarnation| {
            by != me && self.detector.peers.get(&by).is_some_and(|heard| heard.up && heard.rough.contains(&me))
        };
        let rough = self.voters().filter(|voter| called_rough(voter.incarnation)).count();
        if self.voters().count() - rough >= quorum {
            return None;
        }
        let others = self.voters().map(|voter| voter.incarnation).filter(|&voter| voter != me);
        let reach = others.filter(|&voter| self.hears(voter, now)).map(|voter| (self.smooth_voters(voter), voter));
        reach.max().filter(|&(reach, _)| reach >= quorum).map(|(_, voter)| voter)
    }

    pub(super) fn heard_decided(&self) -> Index {
        self.detector.peers.values().map(|heard| heard.decided).max().unwrap_or_default()
    }

    pub(super) fn heard_both_ways(&self, now: Instant) -> Vec<Incarnation> {
        let mut hears: Vec<_> = self.detector.peers.keys().copied().filter(|&peer| self.hears(peer, now)).collect();
        hears.push(self.me());
        hears
    }

    /// Whom `peer` hears both ways, by its last word, itself among them.
    pub(super) fn heard_by(&self, peer: Incarnation) -> impl Iterator<Item = Incarnation> {
        self.detector.peers.get(&peer).into_iter().flat_map(|heard| &heard.hears).copied()
    }

    /// Voters of the newest view that are heard both ways, this member included.
    pub(super) fn voters_heard(&self, now: Instant) -> usize {
        self.voters().filter(|voter| self.hears(voter.incarnation, now)).count()
    }

    /// Whether a majority of the voters does not hear `peer`, by their own word, and nobody does whom this member hears:
    /// itself neither. Two who do not hear each other would be lost in turn otherwise, as often as one is named.
    pub(super) fn lost_by_quorum(&self, peer: Incarnation, now: Instant) -> bool {
        if self.hears(peer, now) && !planted(Mutant::PrimaryLostByHearsay) {
            return false;
        }
        let silent = self.voters().filter(|voter| {
            let who = voter.incarnation;
            who == peer
                || match self.detector.peers.get(&who) {
                    _ if who == self.me() => !self.hears(peer, now),
                    Some(heard) => self.hears(who, now) && !heard.hears.contains(&peer),
                    None => false,
                }
        });
        let heard = self.voters().any(|voter| {
            let who = voter.incarnation;
            who != peer
                && self.hears(who, now)
                && self.detector.peers.get(&who).is_some_and(|h| h.hears.contains(&peer))
        });
        !heard && silent.count() > self.voters().count() / 2
    }

    /// Silence after which a leader is suspected: the configured time, or four times the slowest
    /// heartbeat seen lately, at most 2 s: a busy machine must not cause elections.
    pub(super) fn suspicion_us(&self) -> u64 {
        let timing = &self.config.timing;
        (self.detector.slowest_us * 4).clamp(timing.suspicion_us, timing.suspicion_us.max(2_000_000))
    }

    /// Whether this member has a live leader: heard both ways, and what waits advances.
    pub(super) fn leader_is_live(&self, now: Instant) -> bool {
        match &self.role {
            Role::Leader(_) => true,
            Role::Candidate(_) => false,
            Role::Outside => true,
            Role::Follower => {
                let leader = self.promised.node;
                let stranger = self.stranger.as_ref().is_some_and(|(stranger, _)| *stranger == leader);
                if leader == self.me() || !stranger && !self.is_member(leader) {
                    return false;
                }
                let fresh = now.since(self.detector.leader_since) <= self.suspicion_us();
                let reset = self.detector.peers.get(&leader).is_some_and(|heard| !heard.up && heard.at > Instant(0));
                // Whom it promised but who never led may have given up; adopting a log takes its time, though.
                let waits = self.led || now.since(self.detector.leader_since) <= self.suspicion_us() * 10;
                (waits && self.hears(leader, now) || fresh && !reset) && !self.stands_still(now)
            }
        }
    }

    /// Whether this member leads, or hears who leads it and who has promised nobody else since.
    pub fn is_led(&self, now: Instant) -> bool {
        let leads = |leader: Incarnation| {
            let promised = self.detector.peers.get(&leader).map_or(Ballot::ZERO, |heard| heard.expels.0);
            self.hears(leader, now) && promised <= self.promised
        };
        self.leader().is_some_and(|leader| leader == self.me() || leads(leader))
    }

    /// Whether entries wait here or at a peer, and nothing was decided for ten suspicion times.
    fn stands_still(&self, now: Instant) -> bool {
        let limit = self.suspicion_us() * 10;
        let waits = self.waiting_us(now) > limit || self.detector.peers.values().any(|heard| heard.waiting_us > limit);
        waits && now.since(self.detector.advanced) > limit && !planted(Mutant::StandstillTolerated)
    }

    fn waiting_us(&self, now: Instant) -> u64 {
        // What a donor gives is not the leader's to bring.
        let waits = !self.recovering && (!self.own.is_empty() || self.log.last() > self.log.decided());
        if waits { now.since(self.detector.advanced).max(1) } else { 0 }
    }

    pub(super) fn on_peer_up(&mut self, now: Instant, peer: Incarnation, out: &mut Effects) {
        let heard = self.detector.peers.entry(peer).or_default();
        heard.up = true;
        heard.at = now;
        (heard.beat_at, heard.late) = (None, 0);
        // Perhaps another process, which counts from 1, and the first ones may be lost.
        heard.received = 0;
        if self.promised.node == peer {
            // What was on its way when the connection broke may be lost.
            self.forwarded = 1;
            self.acked = Index(0);
            self.freshness.forget_told();
        }
        self.restart_replication(peer);
        self.send_heartbeat(now, peer, out);
    }

    pub(super) fn on_peer_down(&mut self, peer: Incarnation) {
        if let Some(heard) = self.detector.peers.get_mut(&peer) {
            heard.up = false;
            heard.both_ways = None;
            heard.hears.clear();
            heard.misses.clear();
            heard.expels = Default::default();
            heard.rough.clear();
            heard.at = heard.at.max(Instant(1));
        }
        self.restart_replication(peer);
    }

    pub(super) fn on_heartbeat(&mut self, now: Instant, from: Incarnation, heartbeat: Heartbeat) {
        let named = self.detector.peers.get(&from).map_or(Index(0), |heard| heard.named);
        let (lease, promised) = (self.is_lease(from, &heartbeat, named), self.promised);
        let heard = self.detector.peers.entry(from).or_default();
        if heartbeat.sequence < heard.received && heartbeat.sequence > 1 {
            return;
        }
        heard.received = heartbeat.sequence;
        heard.note_pace(now, self.config.timing.heartbeat_us);
        if let Some(&(_, at)) = heard.sent.iter().find(|&&(sequence, _)| sequence == heartbeat.echo) {
            heard.both_ways = Some(heard.both_ways.map_or(at, |before| before.max(at)));
            heard.contact = heard.contact.max(at);
            if lease {
                heard.assured = heard.assured.max(Some(at));
            }
            if heartbeat.promised == promised {
                heard.follows = heard.follows.max(Some((promised, at)));
            }
            let gap = now.since(at);
            let slowest = &mut self.detector.slowest_us;
            *slowest = (*slowest - *slowest / 64).max(gap.saturating_sub(self.config.timing.heartbeat_us));
        }
        heard.hears = heartbeat.hears;
        heard.named = heartbeat.decided;
        heard.decided = heartbeat.decided;
        heard.waiting_us = heartbeat.waiting_us;
        heard.misses = heartbeat.misses;
        heard.rough = heartbeat.rough;
        heard.expels = (heartbeat.promised, heartbeat.expels);
        if heartbeat.leader == from && heartbeat.promised == self.promised {
            self.leader_decided = self.leader_decided.max(heartbeat.decided);
            if matches!(self.role, Role::Follower) && !self.led && from == self.promised.node {
                // It was missed for a while, and nobody else was elected: it leads as before.
                self.led = true;
                self.forwarded = 1;
                self.stand_failures = 0;
            }
        }
        self.note_promise(heartbeat.promised);
    }

    fn send_heartbeat(&mut self, now: Instant, to: Incarnation, out: &mut Effects) {
        let (promised, decided) = (self.promised, self.log.decided());
        let (hears, waiting_us) = (self.heard_both_ways(now), self.waiting_us(now));
        let leader = self.leader().unwrap_or_default();
        let misses = self.missed();
        let expels = self.expels(now);
        let assures = self.assures(to, now);
        let rough = self.detector.peers.iter().filter(|(_, heard)| heard.is_rough()).map(|(&peer, _)| peer).collect();
        let Some(heard) = self.detector.peers.get_mut(&to) else { return };
        heard.sequence += 1;
        heard.sent.push_back((heard.sequence, now));
        if heard.sent.len() > REMEMBERED {
            heard.sent.pop_front();
        }
        let (sequence, echo) = (heard.sequence, heard.received);
        let heartbeat =
            Heartbeat { sequence, echo, promised, leader, decided, hears, waiting_us, misses, expels, rough, assures };
        let message = Message::Heartbeat(heartbeat);
        out.post(Peer::Member(to), Channel::Liveness, message, Payload::None);
    }

    /// Members that are UNREACHABLE from here.
    fn missed(&self) -> Vec<Incarnation> {
        let missed = self.detector.peers.iter().filter(|(_, heard)| heard.missed_since.is_some());
        missed.map(|(&peer, _)| peer).collect()
    }

    /// While this member stood still it could hear nobody: nobody is missed for that.
    fn forgive_own_pause(&mut self, now: Instant) {
        let pause = now.since(self.detector.looked);
        self.detector.looked = now;
        if pause > PAUSE_US {
            for heard in self.detector.peers.values_mut() {
                heard.contact = heard.contact.plus(pause);
                heard.missed_since = heard.missed_since.map(|since| since.plus(pause));
            }
        }
    }

    /// Heartbeats that are due, and who is UNREACHABLE now.
    pub(super) fn detect(&mut self, now: Instant, out: &mut Effects) {
        if now < self.detector.next_heartbeat {
            return;
        }
        self.detector.next_heartbeat = now.plus(self.config.timing.heartbeat_us);
        self.forgive_own_pause(now);
        let members: Vec<_> = self
            .view()
            .into_iter()
            .flat_map(|view| &view.members)
            .filter(|m| m.incarnation != self.me())
            .cloned()
            .collect();
        self.detector.peers.retain(|&peer, heard| heard.up || members.iter().any(|m| m.incarnation == peer));
        for member in members {
            let heard = self.detector.peers.entry(member.incarnation).or_default();
            if heard.contact == Instant(0) {
                heard.contact = now;
            }
            let silent = now.since(heard.contact) > self.config.timing.unreachable_us;
            heard.missed_since = if silent { heard.missed_since.or(Some(now)) } else { None };
            let unreachable = self.is_unreachable(member.incarnation);
            let heard = self.detector.peers.entry(member.incarnation).or_default();
            if unreachable != heard.told_unreachable {
                heard.told_unreachable = unreachable;
                let name = format!("{}:{}", member.host, member.port);
                if unreachable {
                    out.note(Level::Warning, 11494, format!("Member with address {name} has become unreachable."));
                } else {
                    out.note(Level::Warning, 11495, format!("Member with address {name} is reachable again."));
                }
            }
        }
        if !self.has_quorum() {
            self.restart_suspicions(now);
        }
        let peers: Vec<_> = self.detector.peers.iter().filter(|(_, heard)| heard.up).map(|(&peer, _)| peer).collect();
        for peer in peers {
            self.send_heartbeat(now, peer, out);
        }
    }
}
