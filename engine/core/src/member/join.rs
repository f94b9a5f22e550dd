//! Asking to be added: a round over the seeds until one answers, again when who could tell is gone, and
//! what follows when the group has agreed.
//!
//! Absent on purpose: whether a server may join, which the leader judges (`admission`).

use super::{Life, Member, StartOptions, State};
use crate::effect::{CommandError, Effect, Effects, Instant, Level, Payload, Peer, Vote};
use crate::paxos::Group;
use crate::paxos::tail::Tail;
use std::collections::BTreeMap;
use wire::entry::{View, ViewMember, VotingRole};
use wire::id::{Incarnation, Index};
use wire::message::{Channel, JoinAnswer, JoinRequest, Message};
use wire::mutant::{Mutant, planted};

/// Rounds of asking the seeds are this far apart.
const JOIN_RETRY_US: u64 = 500_000;
/// START waits so long for the view that holds this member (`protocol.md` §11.1).
const JOIN_TIMEOUT_US: u64 = 60_000_000;
/// A member that no leader speaks to for so long, and that does not serve yet, asks to be added anew.
const REJOIN_US: u64 = 5_000_000;

#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub options: StartOptions,
    since: Instant,
    next: Instant,
    seed: usize,
    /// Where a member said that the leader is.
    redirect: Option<String>,
    /// Why it was not let in yet, by the last answer.
    obstacle: Option<String>,
    /// Seeds that do not talk to this server at all, and why.
    refusals: BTreeMap<String, String>,
}

impl Attempt {
    pub fn new(now: Instant, options: StartOptions) -> Self {
        Self { options, since: now, next: now, seed: 0, redirect: None, obstacle: None, refusals: BTreeMap::new() }
    }

    /// `group_replication_clone_threshold`.
    pub(super) fn clone_threshold(&self) -> u64 {
        self.options.clone_threshold
    }
}

impl Member {
    pub(super) fn drive_join(&mut self, now: Instant, mut attempt: Attempt, out: &mut Effects) {
        if self.group.is_some() {
            return;
        }
        if now.since(attempt.since) > JOIN_TIMEOUT_US {
            let obstacle = attempt.obstacle.unwrap_or_else(|| "no seed answered for 60 s".into());
            let reason = format!("timeout on wait for view after joining group: {obstacle}");
            return self.join_failed(3092, reason, out);
        }
        if attempt.options.seeds.is_empty() {
            let reason = "no seed to join: group_replication_group_seeds names no other member".into();
            return self.join_failed(3092, reason, out);
        }
        self.ask_seed(now, &mut attempt, out);
        self.life = Life::Joining(Box::new(attempt));
    }

    /// A seed does not let this server in: when none does there is nothing to wait for.
    pub(super) fn on_seed_refused(&mut self, address: String, reason: String, out: &mut Effects) {
        let Life::Joining(attempt) = &mut self.life else { return };
        if !attempt.options.seeds.contains(&address) {
            return;
        }
        attempt.refusals.insert(address, reason);
        if attempt.options.seeds.iter().all(|seed| attempt.refusals.contains_key(seed)) {
            let told: Vec<_> = attempt.refusals.iter().map(|(seed, why)| format!("{seed}: {why}")).collect();
            self.join_failed(3092, format!("no seed lets this server in: {}", told.join("; ")), out);
        }
    }

    /// START ends and leaves the server OFFLINE; an attempt to come back ends, and others follow.
    fn join_failed(&mut self, code: u16, reason: String, out: &mut Effects) {
        if self.trouble.is_some() {
            out.note(Level::Warning, 0, format!("the attempt to rejoin failed: {reason}"));
            self.life = Life::Failed;
        } else {
            self.life = Life::Offline;
            self.starting = false;
            out.push(Effect::CommandDone(Err(CommandError { code, reason })));
        }
    }

    /// Asks to be added, as `options` say, for a server that was a member before.
    pub(super) fn join_again(&mut self, now: Instant, options: StartOptions) {
        self.life = Life::Joining(Box::new(Attempt::new(now, options)));
    }

    /// A member that comes back may have been removed while it was away, and who would tell it does not
    /// know it any more; a joiner's leader may have gone before it wrote the view. Both ask again: the one
    /// as a new incarnation, the other as the same.
    pub(super) fn ask_again(&mut self, now: Instant, out: &mut Effects) {
        // Who recovers is not led yet.
        if self.recovery.is_some() {
            self.unled = None;
            return;
        }
        let Some(group) = self.group.as_ref().filter(|_| !self.mute) else { return };
        let me = group.me();
        let listed = group.view().is_some_and(|view| view.members.iter().any(|m| m.incarnation == me));
        // The view that lists a joiner may be its alone: a leader that it does not hear, or that follows another by
        // now, may have lost it.
        if listed && (group.is_led(now) || self.own_state() == State::Online) {
            self.unled = None;
            return;
        }
        let last = group.log().last();
        let (since, before) = *self.unled.get_or_insert((now, last));
        if last != before {
            self.unled = None;
        } else if now.since(since) > REJOIN_US
            && let Some(mut attempt) = self.attempt.take()
        {
            if listed && attempt.options.incarnation == me {
                // That life may be over: what asks is another one.
                attempt.options.incarnation = self.fresh_incarnation();
            }
            if !attempt.options.seeds.is_empty() {
                self.ask_seed(now, &mut attempt, out);
            }
            self.attempt = Some(attempt);
        }
    }

    /// Asks the next seed, or whom the last one named, when it is time.
    pub(super) fn ask_seed(&mut self, now: Instant, attempt: &mut Attempt, out: &mut Effects) {
        if now < attempt.next {
            return;
        }
        let seeds = &attempt.options.seeds;
        let address = match attempt.redirect.take() {
            Some(address) => address,
            None => {
                attempt.seed += 1;
                seeds[(attempt.seed - 1) % seeds.len()].clone()
            }
        };
        // A round over all seeds, then a pause.
        let last_of_round = attempt.seed.is_multiple_of(attempt.options.seeds.len().max(1));
        attempt.next = now.plus(if last_of_round { JOIN_RETRY_US } else { JOIN_RETRY_US / 5 });
        let log = self.group.as_ref().map_or(&self.log, Group::log);
        let end = log.point(log.decided()).expect("the decided place is in memory");
        let request = JoinRequest {
            member: self.me(&attempt.options),
            options: attempt.options.options.clone(),
            birth: self.vote.birth,
            decided: end.index,
            chain: end.chain,
            gtid_executed: self.certifier.executed().to_string(),
        };
        let message = Message::Join(Box::new(request));
        out.post(Peer::Address(address), Channel::Order, message, Payload::None);
    }

    pub(super) fn on_join_answer(&mut self, now: Instant, answer: JoinAnswer, out: &mut Effects) {
        if matches!(self.life, Life::Running { .. }) {
            return self.on_rejoin_answer(now, answer, out);
        }
        let Life::Joining(attempt) = &mut self.life else { return };
        match answer {
            JoinAnswer::Redirect { address } if !address.is_empty() => {
                attempt.redirect = Some(address);
                attempt.next = now;
            }
            JoinAnswer::Redirect { .. } => {}
            JoinAnswer::Wait { reason } => attempt.obstacle = Some(reason),
            JoinAnswer::Refused { code, reason } => self.join_failed(code, reason, out),
            JoinAnswer::Accepted { view, leader, keep, .. } => {
                let options = attempt.options.clone();
                self.accepted(now, &options, (&view, leader), keep, out);
            }
        }
    }

    fn on_rejoin_answer(&mut self, now: Instant, answer: JoinAnswer, out: &mut Effects) {
        let same = self.group.as_ref().is_some_and(|group| {
            self.attempt.as_ref().is_some_and(|attempt| attempt.options.incarnation == group.me())
        });
        match answer {
            JoinAnswer::Accepted { view, leader, .. } if self.recovery.is_some() => {
                if same {
                    self.meet_donors(&view, leader, out);
                }
                return;
            }
            _ => {}
        }
        // Whoever has a leader by now needs no other.
        let unled = self.recovery.is_some() || self.unled.is_some_and(|(since, _)| now.since(since) > REJOIN_US);
        let Some(attempt) = self.attempt.as_mut().filter(|_| unled) else { return };
        match answer {
            JoinAnswer::Redirect { address } if !address.is_empty() => {
                attempt.redirect = Some(address);
                attempt.next = now;
            }
            JoinAnswer::Redirect { .. } | JoinAnswer::Wait { .. } => {}
            JoinAnswer::Refused { reason, .. } => {
                out.note(Level::Warning, 0, format!("the group goes on without this member: {reason}"));
            }
            JoinAnswer::Accepted { view, leader, keep, .. } => {
                let options = attempt.options.clone();
                let mine = self.group.as_ref().map(|group| (group.me(), group.log().decided()));
                match mine {
                    Some((me, decided)) if me != options.incarnation && (keep == decided || keep == Index(0)) => {
                        let text = "the group removed this member while it was away: it joins anew".into();
                        out.note(Level::System, 0, text);
                        self.end_group(out);
                        self.accepted(now, &options, (&view, leader), keep, out);
                    }
                    _ => {} // The view that adds it is on its way.
                }
            }
        }
    }

    fn accepted(
        &mut self,
        now: Instant,
        options: &StartOptions,
        (view, leader): (&View, Incarnation),
        keep: Index,
        out: &mut Effects,
    ) {
        let me = self.me(options);
        let mut log = std::mem::replace(&mut self.log, Tail::empty());
        if keep != log.decided() {
            out.note(
                Level::System,
                0,
                format!(
                    "this server's log of {} entries is not a part of the group's: it is rebuilt from a member",
                    log.decided()
                ),
            );
            self.drop_state(out);
            log = Tail::empty();
        } else if log.last() > keep && !planted(Mutant::JoinerKeepsTail) {
            log.cut_after(keep);
            out.push(Effect::Cut { after: keep });
        }
        // A new incarnation is a new acceptor: it has promised nothing yet.
        self.vote = Vote {
            promised: wire::id::Ballot::ZERO,
            birth: view.birth,
            incarnation: me.incarnation,
            listed: true,
            unsure: false,
            ..self.vote
        };
        let config = self.group_config(ViewMember { role: VotingRole::Learner, ..me.clone() });
        let group = Group::outside(config, self.vote, log, self.certifier.sequencer().clone());
        self.adopt(group);
        self.run_seen = true;
        self.group_mut().meet(&view.members, out);
        self.group_mut().start(now, out);
        // (Only keeping the tail would do no harm: what donors give is compared with it from the decided index on, and
        // nothing above that is acknowledged. What breaks the group is to build on it.)
        if planted(Mutant::JoinerKeepsTail) {
            self.group_mut().trust_tail(out);
        }
        self.life = Life::Running { waits: true };
        self.attempt = Some(Box::new(Attempt::new(now, options.clone())));
        self.begin_recovery(now, Some((view, leader)), out);
    }
}
