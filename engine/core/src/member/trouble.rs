//! Leaving against one's will: state ERROR, coming back by itself, and what is done when that fails
//! (`protocol.md` §12.4-12.7).
//!
//! Two kinds. A member that *left* (expelled, failed) has ended its incarnation: it comes back as a new one.
//! A member that lost its majority for `group_replication_unreachable_majority_timeout` serves nobody, but
//! keeps its vote and its log: what it acknowledged as a voter must not be forgotten, and only with its vote
//! can the group have a quorum again. It comes back under a new run once there is a leader.
//!
//! A member whose rows are wrong is of both kinds: it keeps its vote and its log while it leaves by the order, for what
//! it acknowledged may lie on no other disk of a quorum **[!]**; once the view without it is decided, a quorum of the
//! others has all that, and it begins again with nothing, as a new incarnation.
//!
//! Invariant: while a member is in trouble it proposes nothing but its run entry.

use super::{Life, Member, StartOptions};
use crate::effect::{CommandError, Effect, Effects, ExitAction, Instant, Level};
use crate::paxos::tail::Tail;
use crate::paxos::{Group, voters_in};
use wire::entry::Body;
use wire::id::Incarnation;
use wire::mutant::{Mutant, planted};

/// Between two attempts to come back (`protocol.md` §12.6).
const REJOIN_EVERY_US: u64 = 300_000_000;

/// Settings of membership that may change at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `group_replication_member_expel_timeout`, in microseconds.
    pub expel_us: u64,
    /// `group_replication_unreachable_majority_timeout`, in microseconds; 0: waits for ever.
    pub majority_us: u64,
    /// `group_replication_autorejoin_tries`.
    pub autorejoin_tries: u32,
    /// `group_replication_exit_state_action`.
    pub exit_action: ExitAction,
}

impl Default for Limits {
    fn default() -> Self {
        Self { expel_us: 5_000_000, majority_us: 0, autorejoin_tries: 3, exit_action: ExitAction::ReadOnly }
    }
}

/// Why a member is in ERROR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The group removed it.
    Expelled,
    /// No quorum answered for `group_replication_unreachable_majority_timeout`.
    MajorityLost,
    /// The group was begun anew without it (`group_replication_force_members`).
    Forked,
    /// Its rows differ from the others', by the word of a quorum: it rebuilds from another member.
    Diverged(String),
    /// Recovery failed: it does not try again by itself.
    Recovery(String),
    /// What the group decided cannot be applied here: it does not try again by itself.
    Applier(String),
}

impl Cause {
    /// Whether the member tries to come back by itself.
    fn rejoins(&self) -> bool {
        matches!(self, Self::Expelled | Self::MajorityLost | Self::Diverged(_))
    }

    /// Whether it begins with nothing when it comes back.
    fn rebuilds(&self) -> bool {
        matches!(self, Self::Diverged(_))
    }

    fn note(&self) -> (u32, String) {
        match self {
            Self::Expelled => (
                11506,
                "Member was expelled from the group due to network failures, changing member status to ERROR.".into(),
            ),
            Self::MajorityLost => (
                11712,
                "This server could not reach a majority of the members in the group for \
                 group_replication_unreachable_majority_timeout. It leaves the group."
                    .into(),
            ),
            Self::Forked => (0, "The group was begun anew without this member: it must be rebuilt.".into()),
            Self::Diverged(why) => (0, format!("This member's rows differ from the group's: {why}")),
            Self::Recovery(why) => (11621, format!("Fatal error during the recovery process: {why}")),
            Self::Applier(why) => (11453, format!("Fatal error of the applier: {why}. The server leaves the group.")),
        }
    }
}

/// A member's ERROR.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    cause: Cause,
    /// How it joined, to do so again.
    options: Option<Box<StartOptions>>,
    tries: u32,
    /// When it tries next; `None` after the last one.
    next: Option<Instant>,
}

impl Member {
    /// Settings that take effect at once.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        if let Some(group) = &mut self.group {
            group.set_expel_timeout(limits.expel_us);
        }
    }

    /// Why this member is in ERROR, if it is.
    #[must_use]
    pub fn trouble(&self) -> Option<&Cause> {
        self.trouble.as_ref().map(|trouble| &trouble.cause)
    }

    /// Whether this member is in ERROR and in no group, waiting for its next attempt or for STOP.
    #[must_use]
    pub fn is_stranded(&self) -> bool {
        matches!(self.life, Life::Failed)
    }

    /// Leaves the group with state ERROR: what was proposed ends with its outcome unknown. The member comes
    /// back by itself where `cause` allows it, and else does what `exit_state_action` says. Nothing happens to
    /// a member that is in no group, or in ERROR already.
    pub fn leave_with_error(&mut self, now: Instant, cause: Cause, out: &mut Effects) {
        if self.trouble.is_some() || !matches!(self.life, Life::Running { .. }) {
            return;
        }
        if cause.rebuilds() && self.is_only_voter() {
            return; // There is nobody to rebuild from.
        }
        self.spoiled |= cause.rebuilds();
        let (code, text) = cause.note();
        if std::mem::take(&mut self.starting) {
            // Its operator is to be able to give another command.
            self.life = Life::Running { waits: false };
            out.push(Effect::CommandDone(Err(CommandError { code: 3092, reason: text.clone() })));
        }
        // The word for what a member lives through; `Error` is for what should never happen.
        out.note(Level::Warning, code, text);
        let text = "The server was automatically set into read only mode after an error was detected.".into();
        out.note(Level::Warning, 11713, text);
        let options = self.attempt.as_ref().map(|attempt| Box::new(attempt.options.clone()));
        let tries = if cause.rejoins() { self.limits.autorejoin_tries } else { 0 };
        let next = (tries > 0 && options.is_some()).then_some(now);
        if cause == Cause::MajorityLost && next.is_some() {
            // It keeps its vote; its sessions hear no more of what they proposed.
            self.restart_run(now, false, out);
        } else if cause.rebuilds() && self.votes() {
            // It keeps its vote and its log until the group has decided to do without them; whether it comes back
            // or not, it goes: the others count on its reports, and on its role, as long as it is there **[!]**.
            self.restart_run(now, false, out);
            if next.is_some() || !planted(Mutant::DivergedStays) {
                self.group_mut().leave(now);
            }
        } else {
            // The majority may only be hidden: what this voter acknowledged stays on its disk.
            let intact = matches!(cause, Cause::MajorityLost | Cause::Forked);
            self.end_group_keeping(intact, out);
            self.vote.listed = cause == Cause::MajorityLost;
            self.store_vote(out);
            self.life = Life::Failed;
        }
        self.trouble = Some(Trouble { cause, options, tries: 0, next });
        if next.is_none() {
            self.give_up(out);
        }
    }

    /// Whether this member is a voter of the newest view.
    pub(super) fn votes(&self) -> bool {
        let view = self.group.as_ref().and_then(|group| Some((group.me(), group.view()?)));
        view.is_some_and(|(me, view)| voters_in(&view.members).any(|voter| voter.incarnation == me))
    }

    fn is_only_voter(&self) -> bool {
        let view = self.group.as_ref().and_then(Group::view);
        self.votes() && view.is_some_and(|view| voters_in(&view.members).count() == 1)
    }

    /// A member whose rows were proved wrong before its process began anew, and which is a voter still: what it
    /// acknowledged may lie on no other disk of a quorum **[!]**. It votes and serves nobody, leaves, and then rebuilds.
    pub(super) fn resume_diverged(&mut self, now: Instant, options: &StartOptions) {
        self.mute = true;
        self.spoiled = true;
        self.group_mut().leave(now);
        let cause = Cause::Diverged("it was told so before it ended".into());
        self.trouble = Some(Trouble { cause, options: Some(Box::new(options.clone())), tries: 0, next: Some(now) });
    }

    /// STOP of a member that still votes although its rows are wrong: it leaves as any other. False when there is
    /// nothing to leave.
    pub(super) fn stop_diverged(&mut self, now: Instant, shutdown: bool) -> bool {
        let rebuilds = self.trouble.as_ref().is_some_and(|trouble| trouble.cause.rebuilds());
        let Some(group) = self.group.as_mut().filter(|_| rebuilds) else { return false };
        group.leave(now);
        self.trouble = None;
        self.life = Life::Leaving { since: now, shutdown };
        true
    }

    fn give_up(&mut self, out: &mut Effects) {
        let action = self.limits.exit_action;
        out.note(
            Level::Warning,
            0,
            format!("this member stays in ERROR; group_replication_exit_state_action: {action:?}"),
        );
        out.push(Effect::Exit(action));
    }

    /// Ends what this run proposed, and begins another run of the same incarnation. With `serve` its run entry
    /// is proposed, after which the member serves again.
    fn restart_run(&mut self, now: Instant, serve: bool, out: &mut Effects) {
        self.end_recovery(out);
        let Some(group) = self.group.take() else { return };
        let config = group.config().clone();
        let view = group.decided_view();
        (self.log, self.vote) = group.into_log();
        self.vote.run = self.vote.run.successor(0);
        out.push(Effect::MembershipEnded);
        // Connections greet with the run: they begin anew.
        out.push(Effect::Connect(Vec::new()));
        let log = std::mem::replace(&mut self.log, Tail::empty());
        let attempt = self.attempt.take();
        let sequencer = self.certifier.sequencer().clone();
        let config = crate::paxos::GroupConfig { run: self.vote.run, ..config };
        let mut group = Group::member(config, self.vote, log, view, sequencer);
        group.set_primary(self.certifier.primary_view(), None);
        self.adopt(group);
        self.attempt = attempt;
        self.run_seen = false;
        self.mute = !serve;
        if serve {
            self.push(Body::Run);
            self.flush_proposals();
        }
        self.group_mut().start(now, out);
    }

    /// Whether a quorum has answered lately; leaves the group when it has not for too long.
    pub(super) fn watch_majority(&mut self, now: Instant, out: &mut Effects) {
        // Whom no view lists is in no group yet: it asks again, and has no majority to lose.
        let Some(group) = self.group.as_ref().filter(|group| group.is_listed()) else {
            self.minority_since = None;
            return;
        };
        if group.has_quorum() || self.trouble.is_some() {
            if self.minority_since.take().is_some() && self.trouble.is_none() {
                let text = "The member has resumed contact with a majority of the members in the group. Regular \
                            operation is restored and transactions are unblocked.";
                out.note(Level::Warning, 11499, text.into());
            }
            return;
        }
        let limit = self.limits.majority_us;
        let since = match self.minority_since {
            Some(since) => since,
            None => {
                let rest = match limit {
                    0 => "until contact with the majority is restored".to_owned(),
                    _ => format!("for {} s at most; then it leaves the group", limit / 1_000_000),
                };
                let code = if limit == 0 { 11496 } else { 11497 };
                let text = "This server is not able to reach a majority of members in the group. This server will now \
                            block all updates";
                out.note(Level::Warning, code, format!("{text} {rest}."));
                self.minority_since = Some(now);
                now
            }
        };
        if limit > 0 && now.since(since) >= limit {
            self.minority_since = None;
            self.leave_with_error(now, Cause::MajorityLost, out);
        }
    }

    /// What the order says of digests: this member may have diverged, or nobody may know who has **[!]**.
    pub(super) fn watch_digests(&mut self, now: Instant, out: &mut Effects) {
        let me = self.identity().0;
        if let Some(facts) = self.certifier.facts(me).filter(|facts| facts.diverged && self.trouble.is_none()) {
            let why =
                format!("as of CSN {} a quorum has equal digests, and this member has others", facts.report.digest_at);
            self.leave_with_error(now, Cause::Diverged(why), out);
        }
        let alarm = self.certifier.alarm();
        if alarm != std::mem::replace(&mut self.alarm, alarm) {
            match alarm {
                Some(csn) => out.note(
                    Level::Error,
                    0,
                    format!(
                        "ALARM: as of CSN {csn} the members' rows differ, and no quorum has equal ones: all members are \
                         super_read_only. Compare the members, and rebuild those that are wrong."
                    ),
                ),
                None => out.note(Level::System, 0, "a quorum of the members has equal rows again".into()),
            }
        }
    }

    /// Rows that are not the group's, or a log that led to them: nothing of it is used again.
    pub(super) fn drop_spoiled(&mut self, out: &mut Effects) {
        let incarnation = self.vote.incarnation;
        self.spoiled |= self.certifier.facts(incarnation).is_some_and(|facts| facts.diverged);
        if self.spoiled {
            self.end_group(out);
            self.spoiled = false;
            self.drop_state(out);
            self.vote.listed = false;
            self.store_vote(out);
        }
    }

    /// Drops log, checkpoints and rows. The log goes first **[!]**: should the process end in between, checkpoints
    /// without a log are dropped at the next start, but a log that begins behind a checkpoint is nothing without it.
    pub(super) fn drop_state(&mut self, out: &mut Effects) {
        if planted(Mutant::CheckpointsDroppedFirst) {
            self.keeper.reset(out);
            out.push(Effect::ResetLog);
        } else {
            out.push(Effect::ResetLog);
            self.keeper.reset(out);
        }
        out.push(Effect::ResetState);
        self.log = Tail::empty();
        self.certifier = self.certifier.emptied();
    }

    /// The group may have gone on without this member.
    pub(super) fn watch_expulsion(&mut self, now: Instant, out: &mut Effects) {
        // Whose rows are wrong waits for its group to do without it: a group that was begun anew does already.
        let waits = self.trouble.as_ref().is_none_or(|trouble| trouble.cause.rebuilds());
        if self.group.as_ref().is_some_and(Group::is_forked) && waits {
            self.trouble = None;
            return self.leave_with_error(now, Cause::Forked, out);
        }
        if !self.group.as_ref().is_some_and(Group::is_gone) {
            return;
        }
        if self.trouble.as_ref().is_some_and(|trouble| trouble.cause.rebuilds()) {
            return; // It waited for that.
        }
        let served = self.served && self.trouble.is_none();
        let Some(attempt) = self.attempt.take() else {
            return self.leave_with_error(now, Cause::Expelled, out);
        };
        if served {
            self.attempt = Some(attempt);
            return self.leave_with_error(now, Cause::Expelled, out);
        }
        // It comes back to a group that went on meanwhile: START, or the attempt, goes on with a new life.
        out.note(Level::System, 0, "the group removed this member while it was away: it joins anew".into());
        self.end_group(out);
        self.vote.listed = false;
        self.store_vote(out);
        let mut options = attempt.options.clone();
        options.incarnation = self.fresh_incarnation();
        options.bootstrap = false;
        self.join_again(now, options);
    }

    pub(super) fn fresh_incarnation(&mut self) -> Incarnation {
        Incarnation(self.rng.next_u64().max(1))
    }

    /// What a member in ERROR does with time.
    pub(super) fn drive_trouble(&mut self, now: Instant, out: &mut Effects) {
        let Some(mut trouble) = self.trouble.take() else { return };
        if matches!(self.life, Life::Running { .. }) && !self.mute && self.run_seen && self.shows_itself() {
            let tries = trouble.tries;
            out.note(Level::System, 13376, format!("This server has rejoined the group after {tries} attempts."));
            return;
        }
        if trouble.cause.rebuilds() && self.mute {
            if !self.group.as_ref().is_none_or(|group| group.has_left() || group.is_gone()) {
                self.trouble = Some(trouble);
                return;
            }
            // The group counts on this log no more.
            self.end_group(out);
            self.vote.listed = false;
            self.store_vote(out);
            self.life = Life::Failed;
        }
        // The leader that it came back to is lost again.
        // (A joiner that knows no view yet asks again by itself.)
        let placed = self.group.as_ref().is_some_and(|group| group.view().is_some());
        let lost = matches!(self.life, Life::Running { .. }) && !self.mute && placed;
        if lost && trouble.next.is_some_and(|next| now >= next) {
            self.restart_run(now, false, out);
        }
        // With a leader in sight there is no reason to wait.
        let leader = self.mute && self.group.as_ref().is_some_and(|group| group.leader().is_some());
        let idle = matches!(self.life, Life::Failed) || self.mute;
        let due = trouble.next.is_some_and(|next| now >= next || leader && trouble.tries > 0);
        if !idle || !due {
            self.trouble = Some(trouble);
            return;
        }
        let most = self.limits.autorejoin_tries;
        if trouble.tries >= most && !leader {
            trouble.next = None;
            if self.mute {
                self.mute = false;
                self.end_group_keeping(true, out);
                self.store_vote(out);
                self.life = Life::Failed;
            }
            out.note(Level::Warning, 13376, format!("This server could not rejoin the group in {most} attempts."));
            self.trouble = Some(trouble);
            return self.give_up(out);
        }
        if self.mute && !leader {
            // Nobody to come back to yet.
            if now >= trouble.next.unwrap_or(now) {
                trouble.tries += 1;
                trouble.next = Some(now.plus(REJOIN_EVERY_US));
                let (tries, text) = (trouble.tries, "Started auto-rejoin procedure attempt");
                out.note(Level::System, 13374, format!("{text} {tries} of {most}: no quorum answers yet."));
            }
            self.trouble = Some(trouble);
            return;
        }
        trouble.tries += u32::from(!self.mute);
        trouble.next = Some(now.plus(REJOIN_EVERY_US));
        let tries = trouble.tries.max(1);
        out.note(Level::System, 13374, format!("Started auto-rejoin procedure attempt {tries} of {most}."));
        if self.mute {
            self.restart_run(now, true, out);
        } else if let Some(mut options) = trouble.options.clone() {
            if trouble.cause.rebuilds() {
                self.spoiled = true;
                self.drop_spoiled(out);
            }
            options.incarnation = self.fresh_incarnation();
            options.bootstrap = false;
            self.join_again(now, *options);
        }
        self.trouble = Some(trouble);
    }

    /// STOP, or the end of the process, of a member in ERROR: there is no group to ask.
    pub(super) fn stop_troubled(&mut self, out: &mut Effects) {
        if self.group.is_some() {
            self.end_group_keeping(true, out);
            self.store_vote(out);
        }
        self.mute = false;
        self.trouble = None;
        self.life = Life::Offline;
        out.push(Effect::CommandDone(Ok(())));
    }
}
