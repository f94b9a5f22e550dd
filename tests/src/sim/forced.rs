//! A majority is lost, and an operator names the members that go on without it (`group_replication_force_members`).
//!
//! The operator of the simulator knows what the command asks of him: those whom he leaves out are down, or hear
//! nobody; the log of those whom he names holds all that anybody knows decided, so that nothing acknowledged is given
//! up. What he left out comes back one by one, each with its data: it must find no place in the group before it has
//! joined anew. All rules of the run hold on throughout: what lies above the fork on an old log is nobody's any more.

use super::cluster::{Cluster, Failure};
use super::disk::Loss;
use engine_core::member::{Cause, State};
use engine_sql::host::{GroupCommand, Ticket};
use std::task::{Context, Poll, Waker};
use wire::id::Birth;
use wire::rare;

/// How a command ended: well, or MySQL's error number and text.
type Answer = Result<(), (u16, String)>;

/// The command is tried again when its member ended meanwhile, or others were not there yet.
const ATTEMPTS: usize = 12;
/// An attempt takes no longer.
const ATTEMPT_US: u64 = 20_000_000;

impl Cluster {
    /// See the module.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn force(&mut self) -> Result<(), Failure> {
        let count = self.nodes.len();
        // Who leaves a minority within two seconds leaves its operator no time to ask for anything.
        let forces = self.setup.faults.force || self.setup.faults.half_forced;
        if !forces || self.setup.impatient || count < 2 {
            return Ok(());
        }
        self.come_back()?;
        let load = self.rng.below(500_000);
        self.run_until(load, |_| false)?;
        // Half of the members at most go on: what is left is no quorum.
        let kept_max = count / 2;
        let first = self.rng.below(count as u64) as usize;
        let around: Vec<_> = (0..count).map(|at| (first + at) % count).collect();
        let (kept, gone) = around.split_at(1 + self.rng.below(kept_max as u64) as usize);
        let (kept, gone) = (kept.to_vec(), gone.to_vec());
        self.say(|| format!("the majority is lost: {gone:?} of {count} are gone, {kept:?} stay"));
        let down = self.rng.percent(60);
        for &node in &gone {
            self.isolate(node);
            if down {
                let loss = self.loss_of_process();
                self.crash(node, loss, u64::MAX / 4)?;
            }
        }
        let wait = 6_000_000 + self.rng.below(3_000_000);
        self.run_until(wait, |_| false)?;
        if !self.holds_all(&kept) {
            // Somebody was told of what these do not have: its operator mends the others instead.
            rare!("a lost majority knows more than the rest");
            self.network.silent.clear();
            return self.come_back();
        }
        self.begin_birth_of(&kept)?;
        rare!("an operator forces a new membership");
        let before = self.acknowledged();
        self.run_until(20_000_000, |cluster| cluster.acknowledged() >= before + 5)?;
        if self.acknowledged() < before + 5 {
            let all: Vec<_> = (0..count).map(|node| self.describe(node)).collect();
            let rule = "liveness: nothing is committed in 20 s after a new membership was forced";
            return self.fail(format!("{rule}\n  {}", all.join("\n  ")));
        }
        if down && self.rng.percent(50) {
            // All at once: a quorum of the old group, which hears of the new one before it elects.
            rare!("an old majority comes back whole");
            self.network.silent.retain(|(from, to)| kept.contains(from) || kept.contains(to));
            for &node in &gone {
                self.boot(node)?;
            }
            // The new group comes into sight a little later.
            let later = self.rng.below(4_000_000);
            self.run_until(later, |_| false)?;
            self.network.silent.clear();
        }
        for &node in &gone {
            self.return_to(node, kept[0])?;
        }
        self.network.silent.clear();
        Ok(())
    }

    /// Nothing reaches a member any more, nor anybody from it.
    fn isolate(&mut self, node: usize) {
        let others = (0..self.nodes.len()).filter(|&other| other != node);
        self.network.silent.extend(others.flat_map(|other| [(node, other), (other, node)]));
    }

    /// Whether a synced log of `kept` holds all that anybody delivered.
    fn holds_all(&self, kept: &[usize]) -> bool {
        self.truth.end().is_none_or(|(index, chain)| kept.iter().any(|&node| self.nodes[node].disk.holds(index, chain)))
    }

    pub(super) fn birth(&self, node: usize) -> Option<Birth> {
        self.engine(node)?.with_member(|member| member.certifier().view().map(|(_, view)| view.birth))
    }

    /// Tells one of `kept` to begin a birth of them, until it is done.
    pub(super) fn begin_birth_of(&mut self, kept: &[usize]) -> Result<(), Failure> {
        let old = self.birth(kept[0]);
        let addresses: Vec<_> = kept.iter().map(|&node| super::cluster::address(node)).collect();
        let mut told = Vec::new();
        for attempt in 0..ATTEMPTS {
            // Somebody else's turn, perhaps, and perhaps it ends in the middle.
            let at = kept[self.rng.below(kept.len() as u64) as usize];
            let half = self.setup.faults.half_forced && attempt == 0 && self.rng.percent(70);
            let ends = half || self.setup.faults.crash && self.rng.percent(30);
            if self.birth(at) != old && kept.iter().all(|&node| self.birth(node) == self.birth(at)) {
                return Ok(());
            }
            if let Some(engine) = self.engine(at) {
                self.say(|| format!("m{at} is told that {kept:?} are the group"));
                let ticket = engine.host().command(GroupCommand::Force { addresses: addresses.clone() });
                self.want_turn(at);
                if half {
                    // Promised by another, or in another's log.
                    let begun = self.rng.percent(70);
                    let met = |cluster: &Self| {
                        let birth = |node: usize| {
                            cluster.engine(node)?.with_member(|member| {
                                let group = member.group()?;
                                if begun { group.view().map(|view| view.birth) } else { Some(group.birth()) }
                            })
                        };
                        kept.iter().any(|&node| node != at && birth(node) != old)
                    };
                    self.run_until(300_000, met)?;
                }
                if ends {
                    let soon = self.rng.below(if half { 5_000 } else { 300_000 });
                    self.run_until(soon, |_| false)?;
                    if kept.iter().any(|&node| self.birth(node) == old) {
                        rare!("a member ends while it forces a new membership");
                    }
                    let (loss, back) = (self.loss_of_process(), 50_000 + self.rng.below(500_000));
                    self.crash(at, loss, back)?;
                } else {
                    let answer = self.await_command(at, ticket)?;
                    self.say(|| format!("m{at} is answered {answer:?}"));
                    told.push(answer);
                }
            }
            let done = |cluster: &Self| kept.iter().all(|&node| cluster.birth(node) != old && cluster.is_online(node));
            self.run_until(5_000_000, done)?;
            if done(self) {
                return Ok(());
            }
        }
        let all: Vec<_> = kept.iter().map(|&node| self.describe(node)).collect();
        self.fail(format!("liveness: no new membership comes of {told:?}\n  {}", all.join("\n  ")))
    }

    fn await_command(&mut self, node: usize, ticket: Ticket) -> Result<Option<Answer>, Failure> {
        let (mut left, life) = (ATTEMPT_US, self.nodes[node].life);
        while left > 0 && self.nodes[node].life == life {
            self.run_until(20_000, |_| false)?;
            left = left.saturating_sub(20_000);
            let Some(engine) = self.engine(node) else { break };
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(answer) = engine.host().poll_command(ticket, &mut context) {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    /// A member that was left out is there again, with its data, and hears the group: it must not take part in it, nor
    /// go on as its old one, before it has joined anew.
    fn return_to(&mut self, node: usize, to: usize) -> Result<(), Failure> {
        let (new, others) = (self.birth(to), 0..self.nodes.len());
        self.say(|| format!("m{node} comes back from the old group"));
        let isolated: Vec<_> = others.filter(|&other| self.birth(other) != new && other != node).collect();
        self.network
            .silent
            .retain(|&(from, at)| (from != node && at != node) || isolated.contains(&from) || isolated.contains(&at));
        let life = self.nodes[node].life;
        if self.nodes[node].engine.is_none() {
            self.boot(node)?;
        }
        let (lost, booted) = (self.is_online(node), self.nodes[node].life != life);
        let joined = |cluster: &Self| cluster.birth(node) == new && cluster.is_online(node);
        let stranded = |cluster: &Self| {
            cluster.engine(node).is_some_and(|engine| engine.with_member(|it| it.trouble() == Some(&Cause::Forked)))
        };
        self.run_until(30_000_000, |cluster| joined(cluster) || stranded(cluster))?;
        if stranded(self) {
            rare!("a member finds that its group was begun anew without it");
            let shown = self.engine(node).map(|engine| engine.with_member(|member| member.own_state()));
            if shown != Some(State::Error) {
                return self.fail(format!("fork: member {node} was left out, and shows {shown:?}"));
            }
            if self.rng.percent(50) {
                // Its operator rebuilds it.
                self.crash(node, Loss::Nothing, 1000)?;
                self.nodes[node].disk.wipe();
            }
        }
        self.run_until(60_000_000, joined)?;
        if !joined(self) {
            let all: Vec<_> = (0..self.nodes.len()).map(|node| self.describe(node)).collect();
            let rule = format!("liveness: member {node} (ONLINE before: {lost}, began anew: {booted}) does not join");
            return self.fail(format!("{rule} the group that went on without it\n  {}", all.join("\n  ")));
        }
        Ok(())
    }

    /// A member that recovers is told to STOP; its operator starts it again.
    pub(super) fn stop_recovery(&mut self, node: usize) {
        let it = &self.nodes[node];
        let idle = it.stopping.is_none() && !it.damaged && !it.paused && !it.recovery_stopped;
        let Some(engine) = it.engine.clone().filter(|_| idle) else { return };
        let Some(progress) = engine.with_member(|member| member.recovery_progress()) else { return };
        let report = &mut self.report;
        if progress.bytes.1 > 0 {
            rare!("STOP in the middle of a recovery from a checkpoint");
            report.stopped_in_checkpoint += 1;
        } else if progress.entries.0 > 0 {
            rare!("STOP in the middle of a recovery from the log");
            report.stopped_in_log += 1;
        } else {
            rare!("STOP at the beginning of a recovery");
        }
        self.say(|| format!("m{node} is told to STOP while it recovers: {progress:?}"));
        self.nodes[node].recovery_stopped = true;
        self.nodes[node].command = Some(engine.host().command(GroupCommand::Stop));
        self.want_turn(node);
    }
}
