//! A member that recovers, and one that gives: what [`crate::recovery`] decides is done to log, state and order here.

use super::{Life, Member};
use crate::checkpoint::{Restore, Restored};
use crate::effect::{CheckpointPart, CheckpointWrite, Effect, Effects, Instant, Level};
use crate::paxos::Group;
use crate::paxos::tail::{Point, Tail, point_after};
use crate::recovery::joiner::Step;
use crate::recovery::{Donor, Joiner, Progress};
use std::collections::VecDeque;
use wire::entry::{View, ViewMember, VotingRole};
use wire::frame::{Buffer, Frame};
use wire::id::{Incarnation, Index, Run};
use wire::message::{Given, Want};
use wire::rare;

/// The operators' log is told this often.
const SAY_US: u64 = 1_000_000;
/// So much of the log that came is taken over in one turn, and one frame at least: sockets and heartbeats come between.
const ADOPT_BYTES: usize = 128 << 10;
/// No more is asked for while so much waits to be taken over.
const ARRIVED_BYTES: usize = 1 << 20;

/// A recovery under way.
pub(super) struct Recovery {
    joiner: Joiner,
    restore: Restore,
    /// Decided log that came and is not taken over yet: what follows it is on its way meanwhile. And its bytes.
    arrived: VecDeque<Frame>,
    arrived_bytes: usize,
    /// Nothing follows what came.
    whole: bool,
    /// Whom a joiner was told of: its own log knows no view yet.
    met: Vec<ViewMember>,
    leader: Option<Incarnation>,
    since: Instant,
    said: Instant,
}

impl Recovery {
    /// Where what is here ends: decided in `log`, or come and not taken over yet.
    fn end(&self, log: &Tail) -> Point {
        let decided = || log.point(log.decided()).expect("the decided place is in memory");
        self.arrived.back().map_or_else(decided, point_after)
    }

    fn forget_arrived(&mut self) {
        self.arrived.clear();
        (self.arrived_bytes, self.whole) = (0, false);
    }
}

impl Member {
    /// Begins to fetch what is missing. `met` are the members that a joiner was told of.
    pub(super) fn begin_recovery(&mut self, now: Instant, met: Option<(&View, Incarnation)>, out: &mut Effects) {
        let Some(group) = &mut self.group else { return };
        group.set_recovering(true, out);
        let votes = met.is_none();
        // A voter gives up nothing that it may have acknowledged.
        let least = if votes { group.log().last() } else { Index(0) };
        let threshold = self.attempt.as_ref().map_or(u64::MAX, |attempt| attempt.clone_threshold());
        let first_token = self.recovery_tokens.max(self.vote.run.0 & 0xffff_ffff);
        let joiner = Joiner::new(now, Vec::new(), least, threshold, first_token);
        let leader = met.map(|(_, leader)| leader);
        let met = met.map_or_else(Vec::new, |(view, _)| view.members.clone());
        self.recovery = Some(Recovery {
            joiner,
            restore: self.certifier.restore(),
            arrived: VecDeque::new(),
            arrived_bytes: 0,
            whole: false,
            met,
            leader,
            since: now,
            said: now,
        });
        self.drive_recovery(now, out);
    }

    /// Gives a recovery up, with what it has begun.
    pub(super) fn end_recovery(&mut self, out: &mut Effects) {
        let Some(recovery) = self.recovery.take() else { return };
        self.recovery_tokens = recovery.joiner.last_token();
        if recovery.joiner.has_checkpoint() {
            out.push(Effect::Checkpoint(CheckpointWrite::Abandon));
            out.push(Effect::RestoreAbandon);
        }
        if let Some(group) = &mut self.group {
            group.set_recovering(false, out);
        }
    }

    /// How far the recovery is, while there is one.
    #[must_use]
    pub fn recovery_progress(&self) -> Option<Progress> {
        self.recovery.as_ref().map(|recovery| recovery.joiner.progress())
    }

    /// Whether a checkpoint of another member is being fetched: it has the disk.
    pub(super) fn fetches_checkpoint(&self) -> bool {
        self.recovery.as_ref().is_some_and(|recovery| recovery.joiner.has_checkpoint())
    }

    pub(super) fn drive_recovery(&mut self, now: Instant, out: &mut Effects) {
        let (Some(recovery), Some(group)) = (&mut self.recovery, &self.group) else { return };
        let me = group.me();
        let listed = group.is_listed();
        // Views that do not list this member are history: whom they name may be long gone.
        let members = match group.view() {
            Some(view) if listed || recovery.met.is_empty() => &view.members,
            _ => &recovery.met,
        };
        let leader = group.leader().or(group.stranger()).or(recovery.leader);
        // Followers first: the leader has the group's work to do.
        // (An older life of this server may still be listed.)
        let others = members.iter().filter(|member| member.uuid != self.config.uuid);
        let mut donors: Vec<_> = others.map(|member| member.incarnation).chain(group.stranger()).collect();
        donors.sort_by_key(|&who| (Some(who) == leader, who.0 ^ me.0));
        donors.dedup();
        recovery.joiner.set_donors(donors, leader);
        if recovery.arrived_bytes < ARRIVED_BYTES {
            let end = recovery.end(group.log());
            recovery.joiner.drive(now, end, out);
        } else {
            recovery.joiner.pause(now);
        }
        if now.since(recovery.said) > SAY_US {
            recovery.said = now;
            let progress = recovery.joiner.progress();
            let text = words(&progress, now.since(recovery.since));
            out.note(Level::System, 0, text);
        }
        // Whom it was told of may all be gone: a seed knows who is there now.
        if !listed
            && recovery.joiner.hears_nobody()
            && let Some(mut attempt) = self.attempt.take()
        {
            self.ask_seed(now, &mut attempt, out);
            self.attempt = Some(attempt);
        }
    }

    /// A seed says who the group is, to a joiner that recovers and heard none of those whom it knew.
    pub(super) fn meet_donors(&mut self, view: &View, leader: Incarnation, out: &mut Effects) {
        if let (Some(recovery), Some(group)) = (&mut self.recovery, &mut self.group)
            && !group.is_listed()
        {
            rare!("a joiner is told of other donors");
            recovery.met.clone_from(&view.members);
            recovery.leader = Some(leader);
            group.meet(&view.members, out);
        }
    }

    /// A recovering member asks this one.
    pub(super) fn on_want(&mut self, now: Instant, from: String, token: u64, want: Want, out: &mut Effects) {
        if self.group.is_some() && self.is_wrong() {
            // Its checkpoints are whole and consistent, and not the group's **[!]**.
            return Donor::refuse(from, token, out);
        }
        // Who recovers has nothing to give.
        if let (Some(group), None, Life::Running { .. } | Life::Leaving { .. }) =
            (&self.group, &self.recovery, &self.life)
        {
            self.donor.on_want(now, from, token, want, group.log(), &mut self.keeper, out);
        }
    }

    /// Whether its rows may not be the group's: it knows so, or the order says so.
    fn is_wrong(&self) -> bool {
        let diverged = self.certifier.facts(self.identity().0).is_some_and(|facts| facts.diverged);
        self.spoiled || self.trouble.is_some() || diverged
    }

    /// Frames that a donor reads.
    pub(super) fn on_donor_read(&mut self, now: Instant, token: u64, frames: Vec<Frame>, out: &mut Effects) {
        let Some(group) = self.group.as_ref().filter(|_| !self.is_wrong()) else { return };
        self.donor.on_read(now, token, frames, group.log().decided(), &mut self.keeper, out);
    }

    /// A part of a checkpoint that a donor reads.
    pub(super) fn on_part(&mut self, token: u64, part: CheckpointPart, out: &mut Effects) {
        let Some(group) = self.group.as_ref().filter(|_| !self.is_wrong()) else { return };
        self.donor.on_part(token, part, group.log().decided(), &mut self.keeper, out);
    }

    /// The leader holds no log any more that begins where this one ends.
    pub(super) fn on_behind(&mut self, now: Instant, out: &mut Effects) {
        if self.recovery.is_none() && matches!(self.life, Life::Running { .. }) {
            let text = "the group has purged what this member lacks of the log: it takes a checkpoint".into();
            out.note(Level::Warning, 0, text);
            let listed = self.resumable();
            match self.group.as_ref().and_then(|group| group.view().cloned()) {
                Some(view) if !listed => {
                    let leader = self.group.as_ref().and_then(Group::leader).unwrap_or_default();
                    self.begin_recovery(now, Some((&view, leader)), out);
                }
                _ => self.begin_recovery(now, None, out),
            }
        }
    }

    /// A donor answers.
    pub(super) fn on_given(&mut self, now: Instant, token: u64, given: Given, payload: Buffer, out: &mut Effects) {
        let (Some(recovery), Some(group)) = (&mut self.recovery, &self.group) else { return };
        let end = recovery.end(group.log());
        for step in recovery.joiner.on_given(now, token, given, payload, end) {
            if !self.take_step(now, step, out) {
                break;
            }
        }
        self.drive_recovery(now, out);
    }

    /// False when what came is no good.
    fn take_step(&mut self, now: Instant, step: Step, out: &mut Effects) -> bool {
        let Some(recovery) = &mut self.recovery else { return false };
        match step {
            Step::Begin(point) => {
                recovery.restore = self.certifier.restore();
                self.keeper.abandon(out);
                out.push(Effect::Checkpoint(CheckpointWrite::Begin { point, incoming: true }));
            }
            Step::Block(block) => {
                let restored = match recovery.restore.block(&block) {
                    Ok(Restored::Nothing) => Ok(None),
                    Ok(Restored::Head(head)) => Ok(Some(Effect::RestoreBegin(head))),
                    Ok(Restored::Rows(rows)) => Ok(Some(Effect::RestoreRows(rows.to_vec()))),
                    Err(error) => Err(error.to_string()),
                };
                match restored {
                    Ok(effect) => {
                        effect.into_iter().for_each(|effect| out.push(effect));
                        out.push(Effect::Checkpoint(CheckpointWrite::Block(block)));
                    }
                    Err(reason) => {
                        self.restore_failed(now, &reason, out);
                        return false;
                    }
                }
            }
            Step::GiveUp => {
                recovery.restore = self.certifier.restore();
                out.push(Effect::Checkpoint(CheckpointWrite::Abandon));
                out.push(Effect::RestoreAbandon);
            }
            Step::Whole => {
                out.push(Effect::RestoreCheck);
                out.push(Effect::Checkpoint(CheckpointWrite::End));
            }
            Step::Frames(frames) => {
                recovery.arrived_bytes += frames.iter().map(|frame| frame.bytes().len()).sum::<usize>();
                recovery.arrived.extend(frames);
            }
            Step::Done => {
                recovery.whole = true;
                self.end_whole_recovery(now, out);
            }
        }
        true
    }

    /// Whether log that came waits for the next turn.
    #[must_use]
    pub fn has_arrived_log(&self) -> bool {
        self.recovery.as_ref().is_some_and(|recovery| !recovery.arrived.is_empty())
    }

    /// Takes over a slice of the log that came.
    pub(super) fn adopt_arrived(&mut self, now: Instant, out: &mut Effects) {
        let (Some(recovery), Some(group)) = (&mut self.recovery, &mut self.group) else { return };
        let (mut slice, mut bytes) = (Vec::new(), 0);
        while let Some(frame) = recovery.arrived.front()
            && (slice.is_empty() || bytes + frame.bytes().len() <= ADOPT_BYTES)
        {
            bytes += frame.bytes().len();
            slice.extend(recovery.arrived.pop_front());
        }
        if slice.is_empty() {
            return;
        }
        recovery.arrived_bytes -= bytes;
        if group.adopt_decided(&slice, out) {
            self.end_whole_recovery(now, out);
        } else {
            recovery.forget_arrived();
            recovery.joiner.start_over(now);
        }
    }

    /// The recovery ends once all of it is taken over.
    fn end_whole_recovery(&mut self, now: Instant, out: &mut Effects) {
        let Some(recovery) = self.recovery.as_ref().filter(|it| it.whole && it.arrived.is_empty()) else { return };
        let seconds = now.since(recovery.since) / 1_000_000;
        out.note(Level::System, 0, format!("recovery: done after {seconds} s"));
        self.end_recovery(out);
    }

    /// What was fetched cannot be used, or not be written: begins anew, with another donor.
    pub fn restore_failed(&mut self, now: Instant, reason: &str, out: &mut Effects) {
        let Some(recovery) = &mut self.recovery else { return };
        out.note(Level::Warning, 0, format!("the checkpoint from a donor is not used: {reason}"));
        out.push(Effect::Checkpoint(CheckpointWrite::Abandon));
        out.push(Effect::RestoreAbandon);
        recovery.joiner.start_over(now);
    }

    /// The checkpoint from a donor is durable: the log begins behind it.
    pub(super) fn install(&mut self, now: Instant, index: Index, out: &mut Effects) {
        let (Some(recovery), Some(group)) = (&mut self.recovery, &self.group) else { return };
        let restore = std::mem::take(&mut recovery.restore);
        recovery.forget_arrived();
        let listed = recovery.met.is_empty();
        let (head, certifier) = match restore.finish() {
            Ok(restored) => restored,
            Err(error) => return self.restore_failed(now, &error.to_string(), out),
        };
        let point: Point = head.point();
        let (last, decided) = (group.log().last(), group.log().decided());
        // The order may have caught up meanwhile; and nothing that was acknowledged is given up.
        if point.index != index || point.index <= decided || listed && point.index < last {
            return self.restore_failed(now, "this member's log reaches beyond it", out);
        }
        let own = group.own().clone();
        let group = self.group.take().expect("just seen");
        (_, self.vote) = group.into_log();
        // What this run has in flight is void: its outcome is unknown here. A run is used but once.
        self.vote.run = Run(self.vote.run.0 + (1 << 32));
        out.push(Effect::MembershipEnded);
        // Connections greet with the run: they begin anew.
        out.push(Effect::Connect(Vec::new()));
        out.push(Effect::RestartLog { base: point });
        let executed = Box::new(certifier.executed().clone());
        out.push(Effect::RestoreEnd { csn: certifier.csn(), executed });
        self.certifier = certifier;
        self.reports = self.certifier.reports();
        self.keeper.installed(index);
        self.log = Tail::new(point);
        let attempt = self.attempt.take();
        if self.resumable() {
            self.resume(now, None, out);
        } else {
            let config = self.group_config(ViewMember { role: VotingRole::Learner, ..own });
            let log = std::mem::replace(&mut self.log, Tail::empty());
            let group = Group::outside(config, self.vote, log, self.certifier.sequencer().clone());
            self.adopt(group);
            self.run_seen = true;
            let met = self.recovery.as_ref().map_or_else(Vec::new, |recovery| recovery.met.clone());
            self.group_mut().meet(&met, out);
            self.group_mut().start(now, out);
        }
        self.attempt = attempt;
        out.note(Level::System, 0, format!("the state of the group at index {index} was taken from a donor"));
        self.group_mut().set_recovering(true, out);
        if let Some(recovery) = &mut self.recovery {
            recovery.joiner.installed(now);
        }
    }

    /// Whether the checkpoint at `index` is the one that came from a donor.
    pub(super) fn installs(&self, index: Index) -> bool {
        self.recovery.as_ref().is_some_and(|recovery| recovery.joiner.stores(index))
    }

    /// A connection broke.
    pub(super) fn lost_donor(&mut self, now: Instant, donor: Incarnation) {
        if let Some(recovery) = &mut self.recovery {
            recovery.joiner.lost(now, donor);
        }
    }
}

/// For the operators' log: percent, what of what, and about how long it will take.
fn words(progress: &Progress, elapsed_us: u64) -> String {
    let percent = u64::from(progress.percent());
    let left_us = (elapsed_us * (100 - percent)).checked_div(percent);
    let left = left_us.map_or_else(String::new, |us| format!(", about {} s left", us.div_ceil(1_000_000)));
    let what = match progress.bytes {
        (_, 0) => format!("{} of {} entries", progress.entries.0, progress.entries.1),
        (have, all) => format!("{} of {} KiB of a checkpoint", have >> 10, all >> 10),
    };
    format!("recovery: {percent} % ({what}{left}; donor {} of this recovery)", progress.attempts)
}
