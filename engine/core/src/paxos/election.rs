//! Standing for leader: a pre-vote that no voter with a live leader grants, durable promises, and the
//! adoption of the best log among them, whatever the candidate's own is.
//!
//! Invariant: a member leads under a ballot only after a quorum of the last view *of the log that it
//! adopted* has promised that ballot, and its log equals the best of theirs.

use super::{Group, PrimaryView, Role, voters_of};
use crate::effect::{Effects, Instant, Level};
use std::collections::{BTreeMap, BTreeSet};
use wire::frame::{Buffer, Frame};
use wire::id::{Ballot, Incarnation, Index};
use wire::message::{Force, Message};
use wire::mutant::{Mutant, planted};
use wire::rare;

/// What a voter said with its promise.
#[derive(Clone, Debug)]
pub(super) struct Promised {
    pub last_ballot: Ballot,
    pub last: Index,
    pub decided: Index,
    pub hears: Vec<Incarnation>,
    pub unsure: bool,
}

/// A stand in progress.
#[derive(Clone, Debug)]
pub(super) struct Candidacy {
    ballot: Ballot,
    /// To begin a birth: all that it names must promise.
    force: Option<Force>,
    since: Instant,
    /// When the others were asked last.
    asked_at: Instant,
    stage: Stage,
}

impl Candidacy {
    pub fn ballot(&self) -> Ballot {
        self.ballot
    }
}

#[derive(Clone, Debug)]
enum Stage {
    /// Asks whether it would be promised.
    PreVote { granted: BTreeSet<Incarnation> },
    /// Collects promises; fetches the best log when it is another's.
    Prepare { promises: BTreeMap<Incarnation, Promised>, asked: BTreeSet<Incarnation>, fetch: Option<Fetch> },
}

#[derive(Clone, Copy, Debug)]
struct Fetch {
    from: Incarnation,
    token: u64,
    target: (Ballot, Index),
}

/// A process that begins and hears no leader tries all listed voters for so long before it is content with a quorum.
const COLD_START_US: u64 = 5_000_000;

/// A stand that got nowhere is given up after so many suspicion times.
const STAND_SUSPICIONS: u64 = 4;

impl Group {
    /// A higher round was seen: a stand of this member begins above it.
    pub(super) fn note_promise(&mut self, promised: Ballot) {
        self.highest_round = self.highest_round.max(promised.round);
    }

    pub(super) fn drive_election(&mut self, now: Instant, out: &mut Effects) {
        self.grant_waiting_pre_votes(now, out);
        match &self.role {
            Role::Follower if self.forcing.is_some() || self.fork_seen.is_some() => {}
            Role::Follower if self.is_voter(self.me()) && self.listed && !self.recovering => {
                if self.led && self.hears(self.promised.node, now) {
                    self.awaits_all = None;
                }
                if self.leader_is_live(now) {
                    self.stand_at = None;
                    return;
                }
                if self.is_incomplete(now) {
                    return;
                }
                let at = match self.stand_at {
                    Some(at) => at,
                    None => {
                        let at = now.plus(self.stand_delay());
                        self.stand_at = Some(at);
                        at
                    }
                };
                // Whose own promise is not on its disk yet cannot lead: with a disk that hangs it would stand for ever,
                // and those who promise it would wait for it.
                if now >= at && self.voters_heard(now) >= self.quorum() && self.vote_is_durable() {
                    self.ask_pre_votes(now, out);
                }
            }
            Role::Candidate(candidacy) => {
                let asking = matches!(candidacy.stage, Stage::PreVote { .. });
                let limit = self.suspicion_us() * if asking { 1 } else { STAND_SUSPICIONS };
                if now.since(candidacy.since) > limit {
                    self.give_up(now);
                } else {
                    self.ask_again(now, out);
                    self.count_promises(now, out);
                }
            }
            _ => {}
        }
    }

    /// Whether a cold start still waits for listed voters (`design.md` §4).
    fn is_incomplete(&mut self, now: Instant) -> bool {
        let Some(since) = self.awaits_all else { return false };
        let waits = now.since(since) < COLD_START_US && self.voters_heard(now) < self.voters().count();
        if !waits {
            self.awaits_all = None;
        }
        waits
    }

    /// Who stands first: the order of `member_weight` and uuid, and a little chance against ties.
    fn stand_delay(&mut self) -> u64 {
        if self.quorum() == 1 {
            return 0;
        }
        let gone = self.promised.node;
        let mut order: Vec<_> = self.voters().filter(|voter| voter.incarnation != gone).collect();
        order.sort_by(|a, b| b.weight.cmp(&a.weight).then(a.uuid.cmp(&b.uuid)));
        let me = self.me();
        let rank = order.iter().position(|voter| voter.incarnation == me).unwrap_or(order.len()) as u64;
        // The first in the order stands at once: who has not noticed yet that the leader is gone answers when it does.
        if rank == 0 { 0 } else { rank * 20_000 + self.rng.below(15_000) }
    }

    fn give_up(&mut self, now: Instant) {
        self.role = Role::Follower;
        self.led = false;
        self.stand_failures = (self.stand_failures + 1).min(5);
        let wait = (self.config.timing.suspicion_us / 4) << self.stand_failures;
        self.stand_at = Some(now.plus(wait / 2 + self.rng.below(wait)));
    }

    fn ask_pre_votes(&mut self, now: Instant, out: &mut Effects) {
        let ballot = self.next_ballot(self.me());
        let granted = BTreeSet::from([self.me()]);
        let stage = Stage::PreVote { granted };
        self.role = Role::Candidate(Candidacy { ballot, force: None, since: now, asked_at: now, stage });
        let end = self.log.end();
        let message = Message::PreVote { ballot, last_ballot: end.ballot, last: end.index };
        for voter in self.other_voters() {
            out.send(voter, message.clone());
        }
        self.count_pre_votes(now, out);
    }

    /// A voter may notice a little later that the leader is gone, and messages may be lost: asks again.
    fn ask_again(&mut self, now: Instant, out: &mut Effects) {
        let (every, others, end) = (self.config.timing.heartbeat_us / 2, self.other_voters(), self.log.end());
        let Role::Candidate(candidacy) = &mut self.role else { return };
        if now.since(candidacy.asked_at) < every {
            return;
        }
        candidacy.asked_at = now;
        let ballot = candidacy.ballot;
        match &mut candidacy.stage {
            Stage::PreVote { granted } => {
                let message = Message::PreVote { ballot, last_ballot: end.ballot, last: end.index };
                for voter in others.into_iter().filter(|voter| !granted.contains(voter)) {
                    out.send(voter, message.clone());
                }
            }
            Stage::Prepare { promises, asked, .. } => asked.retain(|voter| promises.contains_key(voter)),
        }
    }

    fn other_voters(&self) -> Vec<Incarnation> {
        self.voters().map(|voter| voter.incarnation).filter(|&who| who != self.me()).collect()
    }

    pub(super) fn on_pre_vote(&mut self, now: Instant, from: Incarnation, ballot: Ballot, out: &mut Effects) {
        self.note_promise(Ballot { round: ballot.round.saturating_sub(1), ..ballot });
        if self.is_free(now, from) {
            self.grant_pre_vote(from, ballot, out);
        } else if self.is_member(from) {
            // Who asks may have noticed a moment before this member that the leader is gone.
            self.pre_votes_waiting.insert(from, (ballot, now));
        }
    }

    /// Grants what was asked for before this member knew its leader gone, unless it was asked long ago.
    fn grant_waiting_pre_votes(&mut self, now: Instant, out: &mut Effects) {
        if self.pre_votes_waiting.is_empty() {
            return;
        }
        let limit = self.suspicion_us();
        self.pre_votes_waiting.retain(|_, &mut (_, asked)| now.since(asked) <= limit);
        let waiting: Vec<_> = self.pre_votes_waiting.iter().map(|(&from, &(ballot, _))| (from, ballot)).collect();
        for (from, ballot) in waiting {
            if self.is_free(now, from) {
                self.pre_votes_waiting.remove(&from);
                self.grant_pre_vote(from, ballot, out);
            }
        }
    }

    /// Whether no live leader, and no operator, keeps this member from helping `from` to lead.
    fn is_free(&self, now: Instant, from: Incarnation) -> bool {
        let free = match &self.role {
            Role::Candidate(_) => true,
            // Who led and asks to be elected leads no more: its process began anew.
            Role::Follower if from == self.promised.node => true,
            _ => !self.leader_is_live(now),
        };
        // Two births meet and neither has a quorum: the operators' word is awaited.
        free && self.fork_seen.is_none() && self.forcing.is_none()
    }

    fn grant_pre_vote(&self, from: Incarnation, ballot: Ballot, out: &mut Effects) {
        // Whether this member is a voter, the asker's log says: the entry that made it one may be there alone, and
        // then nobody leads without its word **[!]**.
        let votes = !planted(Mutant::PreVoteByOwnView) || self.is_voter(self.me());
        if ballot > self.promised && self.is_member(from) && self.listed && votes {
            out.send(from, Message::PreVoteGranted { ballot });
        }
    }

    pub(super) fn on_pre_vote_granted(&mut self, now: Instant, from: Incarnation, ballot: Ballot, out: &mut Effects) {
        if !self.is_voter(from) {
            return;
        }
        if let Role::Candidate(Candidacy { ballot: ours, stage: Stage::PreVote { granted }, .. }) = &mut self.role
            && *ours == ballot
        {
            granted.insert(from);
            self.count_pre_votes(now, out);
        }
    }

    fn count_pre_votes(&mut self, now: Instant, out: &mut Effects) {
        let Role::Candidate(Candidacy { stage: Stage::PreVote { granted }, .. }) = &self.role else { return };
        if granted.len() >= self.quorum() {
            self.stand(now, out);
        }
    }

    /// Promises itself a new ballot and asks the others to.
    pub(super) fn stand(&mut self, now: Instant, out: &mut Effects) {
        let ballot = self.next_ballot(self.me());
        self.stand_with(now, ballot, out);
    }

    /// A ballot of `node` above all that were seen.
    pub(super) fn next_ballot(&self, node: Incarnation) -> Ballot {
        Ballot { round: self.highest_round.max(self.promised.round) + 1, node }
    }

    fn stand_with(&mut self, now: Instant, ballot: Ballot, out: &mut Effects) {
        self.stand_for(now, ballot, None, out);
    }

    /// Stands with a ballot that all named members must promise.
    pub(super) fn stand_forced(&mut self, now: Instant, force: Force, out: &mut Effects) {
        let ballot = self.next_ballot(self.me());
        self.stand_for(now, ballot, Some(force), out);
    }

    fn stand_for(&mut self, now: Instant, ballot: Ballot, force: Option<Force>, out: &mut Effects) {
        self.note_promise(ballot);
        self.promise(ballot, out);
        let stage = Stage::Prepare { promises: BTreeMap::new(), asked: BTreeSet::new(), fetch: None };
        self.role = Role::Candidate(Candidacy { ballot, force, since: now, asked_at: now, stage });
        self.count_promises(now, out);
    }

    pub(super) fn on_prepare(
        &mut self,
        now: Instant,
        from: Incarnation,
        ballot: Ballot,
        force: Option<Force>,
        out: &mut Effects,
    ) {
        self.note_promise(ballot);
        if ballot < self.promised {
            if !planted(Mutant::PromiseRepeatedForLower) {
                out.send(from, Message::Refused { ballot, promised: self.promised });
                return;
            }
            let (end, decided) = (self.log.end(), self.log.decided());
            let hears = self.heard_both_ways(now);
            let unsure = self.unsure.is_some();
            let (last_ballot, last) = (end.ballot, end.index);
            out.send(from, Message::Promise { ballot, last_ballot, last, decided, hears, unsure });
            return;
        }
        if !self.is_member(from) || ballot.node != from || !self.listed {
            return;
        }
        if let Some(force) = &force {
            if !self.agrees_to_force(from, force, out) {
                return;
            }
            // Told to begin one itself, it follows the higher ballot.
            self.forcing = None;
        }
        if ballot > self.promised {
            self.promise(ballot, out);
            self.become_follower(now);
        }
        if let Some(force) = force.filter(|force| force.birth != self.birth) {
            // Durable before the promise goes out.
            self.enter_birth(force.birth, out);
        }
        self.promises_due.push((self.vote_asked, from, ballot));
    }

    /// Sends promises that the vote file holds by now.
    pub(super) fn send_due_promises(&mut self, now: Instant, out: &mut Effects) {
        if self.promises_due.is_empty() {
            return;
        }
        let (stored, promised, end) = (self.vote_stored, self.promised, self.log.end());
        let (decided, hears) = (self.log.decided(), self.heard_both_ways(now));
        let unsure = self.unsure.is_some();
        self.promises_due.retain(|&(generation, to, ballot)| {
            let due = generation <= stored || planted(Mutant::PromiseBeforeSync);
            if due && ballot == promised {
                let (last_ballot, last, hears) = (end.ballot, end.index, hears.clone());
                out.send(to, Message::Promise { ballot, last_ballot, last, decided, hears, unsure });
            }
            !due
        });
    }

    pub(super) fn on_promise(
        &mut self,
        now: Instant,
        from: Incarnation,
        ballot: Ballot,
        promise: Promised,
        out: &mut Effects,
    ) {
        if let Role::Candidate(Candidacy { ballot: ours, stage: Stage::Prepare { promises, .. }, .. }) = &mut self.role
            && *ours == ballot
        {
            promises.insert(from, promise);
            self.count_promises(now, out);
        }
    }

    fn count_promises(&mut self, now: Instant, out: &mut Effects) {
        let (mut others, mut quorum) = (self.other_voters(), self.quorum());
        let (end, own_vote) = (self.log.end(), self.vote_is_durable());
        let (self_unsure, mut all_voters) = (self.unsure.is_some(), self.voters().count());
        // The log that it adopted may have taken its vote away.
        let mut own = usize::from(self.is_voter(self.me()) || planted(Mutant::CandidateCountsItself));
        if let Role::Candidate(Candidacy { force: Some(force), .. }) = &self.role {
            others = force.members.iter().copied().filter(|&who| who != self.me()).collect();
            (quorum, own) = (others.len() + 1, 1);
            all_voters = quorum;
        }
        let (decided, next_token) = (self.log.decided(), self.next_read);
        let chain = self.log.point(decided).map(|point| point.chain);
        let Role::Candidate(Candidacy { ballot, force, stage: Stage::Prepare { promises, asked, fetch }, .. }) =
            &mut self.role
        else {
            return;
        };
        let ballot = *ballot;
        for &voter in &others {
            if asked.insert(voter) {
                out.send(voter, Message::Prepare { ballot, force: force.clone() });
            }
        }
        if fetch.is_some() || !own_vote {
            return;
        }
        // Only voters of the last view in the log count, this member among them if it is one.
        let counted: Vec<_> = others.iter().filter_map(|voter| Some((*voter, promises.get(voter)?))).collect();
        let needed = quorum.saturating_sub(usize::from(planted(Mutant::ElectionQuorumOffByOne))).max(1);
        if counted.len() + own < needed {
            return;
        }
        // An unsure voter may lack what it acknowledged: only the best log of *all* voters has what any quorum
        // of them may have.
        let sure = counted.iter().filter(|(_, promise)| !promise.unsure).count() + if self_unsure { 0 } else { own };
        let all = counted.len() + own == all_voters;
        if sure < needed && !all {
            return;
        }
        let ballot_counts = |ballot| if planted(Mutant::LongestLogWins) { Ballot::ZERO } else { ballot };
        let best = counted.iter().max_by_key(|(_, promise)| (ballot_counts(promise.last_ballot), promise.last));
        if let Some(&(from, promise)) = best
            && (ballot_counts(promise.last_ballot), promise.last) > (ballot_counts(end.ballot), end.index)
            && !planted(Mutant::OwnLogKept)
        {
            rare!("a candidate adopts another's log");
            let target = (promise.last_ballot, promise.last);
            *fetch = Some(Fetch { from, token: next_token, target });
            self.next_read += 1;
            let chain = chain.expect("the decided place is in memory");
            out.send(from, Message::Fetch { token: next_token, ballot, after: decided, chain });
            return;
        }
        let birth = force.as_ref().map_or(self.birth, |force| force.birth);
        if birth != self.birth && !planted(Mutant::BirthBeforeVoteStored) {
            // As with those who promised it: what is not durable in the vote file a restart takes back, and this
            // member would count in both births **[!]**. The next turn goes on once it is.
            return self.enter_birth(birth, out);
        }
        let known = counted.iter().map(|(_, promise)| promise.decided).max().unwrap_or_default();
        let heard: BTreeSet<_> =
            counted.iter().flat_map(|(who, promise)| promise.hears.iter().chain([who])).copied().collect();
        if sure < needed {
            let text = "all members restarted with their machines while sync_binlog was 0: the best of their logs wins; \
                        the last second of acknowledged transactions may be missing";
            out.note(Level::Warning, 0, text.into());
        }
        let (forced, promised) = (force.is_some(), promises.keys().copied().collect::<Vec<_>>());
        self.decide(known.max(decided).min(end.index), out);
        if forced {
            self.begin_forced(now, &promised, out);
        } else {
            self.become_leader(now, ballot, &heard, out);
        }
    }

    /// A part of the best log: replaces this log's tail beyond the first difference.
    #[allow(clippy::too_many_arguments, reason = "one message, its parts")]
    pub(super) fn on_fetched(
        &mut self,
        now: Instant,
        from: Incarnation,
        token: u64,
        ballot: Ballot,
        (after, last, matches): (Index, Index, bool),
        payload: Buffer,
        out: &mut Effects,
    ) {
        let Role::Candidate(Candidacy {
            ballot: ours, since, stage: Stage::Prepare { fetch: Some(fetch), .. }, ..
        }) = &mut self.role
        else {
            return;
        };
        if (*ours, fetch.from, fetch.token) != (ballot, from, token) {
            return;
        }
        *since = now; // It is getting somewhere.
        let target = fetch.target;
        let frames = Frame::all_from(payload).unwrap_or_default();
        let chain = frames.first().map(|frame| frame.header().previous_chain);
        let attached = matches && chain.is_some_and(|chain| self.attach(after, chain, &frames, out));
        let end = self.log.end();
        let done = (end.ballot, end.index) == target;
        if !attached || last < target.1 {
            self.give_up(now);
            return;
        }
        let Role::Candidate(Candidacy { stage: Stage::Prepare { fetch, .. }, .. }) = &mut self.role else { return };
        if done {
            *fetch = None;
            self.count_promises(now, out);
        } else {
            out.send(from, Message::Fetch { token, ballot, after: end.index, chain: end.chain });
        }
    }

    pub(super) fn on_refused(&mut self, now: Instant, promised: Ballot, _out: &mut Effects) {
        self.note_promise(promised);
        let ours = match &self.role {
            Role::Leader(leading) => leading.ballot,
            Role::Candidate(candidacy) => candidacy.ballot,
            _ => return,
        };
        if promised > ours {
            self.give_up(now);
        }
    }

    /// The leader has stopped in favour of this member. No pre-vote: who leads has asked for it.
    pub(super) fn on_handover(
        &mut self,
        now: Instant,
        from: Incarnation,
        ballot: Ballot,
        next: Ballot,
        out: &mut Effects,
    ) {
        let me = self.me();
        let ours = next.node == me && next > self.promised && self.is_voter(me) && self.listed;
        if ours && ballot == self.promised && ballot.node == from && matches!(self.role, Role::Follower) {
            self.stand_with(now, next, out);
        }
    }

    /// Whom an opening names: nobody while some voter of the electing quorum hears the primary.
    pub(super) fn new_primary(primary: &PrimaryView, heard: &BTreeSet<Incarnation>) -> Option<Incarnation> {
        let lost = primary.single && primary.primary.is_none_or(|present| !heard.contains(&present));
        if lost { primary.candidates.iter().copied().find(|candidate| heard.contains(candidate)) } else { None }
    }

    /// Whether `incarnation` votes in the view that is decided, whatever is on its way.
    pub(super) fn votes_in_decided_view(&self, incarnation: Incarnation) -> bool {
        self.views.first().is_some_and(|(_, view)| voters_of(view).any(|voter| voter.incarnation == incarnation))
    }
}
