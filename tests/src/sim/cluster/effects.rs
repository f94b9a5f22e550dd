//! What members want done: the simulated disks and wires do it, in their own time.

use super::{Cluster, Event, Failure, node_at};
use crate::sim::disk::Loss;
use engine_core::effect::{CheckpointWrite, Effect, Input, Vote};
use node::engine::Engine;
use std::collections::BTreeMap;
use wire::id::{Incarnation, Index};
use wire::rare;

impl Cluster {
    /// Performs what a member wants done, in order, and checks what it delivered.
    pub(in crate::sim) fn effects(&mut self, node: usize) -> Result<(), Failure> {
        let Some(engine) = self.engine(node) else { return Ok(()) };
        while let Some(effect) = engine.pop_effect() {
            if self.ends_before(node, &effect) {
                rare!("a process ends in the middle of a step");
                self.say(|| format!("m{node} ends before {effect:?}"));
                let (loss, back) = (self.loss_of_process(), 50_000 + self.rng.below(500_000));
                return self.crash(node, loss, back);
            }
            match effect {
                Effect::Send { to, channel, label, message, payload } => {
                    self.send(node, to, channel, (label, message, payload))?;
                }
                Effect::Append(_) if std::mem::take(&mut self.nodes[node].append_fails) => {
                    // What follows it is not done either.
                    rare!("a disk is full");
                    let back = 50_000 + self.rng.below(500_000);
                    return self.crash(node, Loss::Nothing, back);
                }
                Effect::Append(frame) => {
                    self.say(|| format!("m{node} appends {frame:?}"));
                    self.check_view(node, &engine, &frame)?;
                    let view = frame.changes_view();
                    self.nodes[node].disk.append(frame);
                    self.begin_sync(node);
                    let ends = view && self.setup.faults.mid_view && self.faulty && self.may_end(node);
                    if ends && self.rng.percent(25) {
                        rare!("a process ends when it has appended a view");
                        self.say(|| format!("m{node} ends when it has appended a view"));
                        let (loss, back) = (self.loss_of_process(), 50_000 + self.rng.below(500_000));
                        return self.crash(node, loss, back);
                    }
                }
                Effect::Cut { after } => {
                    self.say(|| format!("m{node} cuts its log after {after}"));
                    self.give_up(node, &engine, after);
                    self.nodes[node].disk.cut(after);
                }
                Effect::ResetLog => {
                    self.say(|| format!("m{node} drops its log"));
                    self.give_up(node, &engine, Index(0));
                    self.nodes[node].disk.reset();
                    self.nodes[node].checked = Index(0);
                }
                Effect::StoreVote(vote) => self.store_vote(node, vote),
                Effect::Read { token, after, bytes_max } => {
                    let mut frames = self.nodes[node].disk.read(after.next(), bytes_max);
                    if frames.first().is_some_and(|frame| frame.header().first != after.next()) {
                        frames.clear();
                    }
                    engine.input(self.clock(node), Input::ReadDone { token, frames });
                    self.want_turn(node);
                }
                Effect::Checkpoint(write) => self.write_checkpoint(node, write),
                Effect::ReadCheckpoint { token, index, block } => {
                    let part = self.nodes[node].disk.read_checkpoint(index, block);
                    engine.input(self.clock(node), Input::CheckpointRead { token, part });
                    self.want_turn(node);
                }
                Effect::RestartLog { base } => {
                    self.say(|| format!("m{node} begins its log behind the checkpoint at {}", base.index));
                    self.report.installed += 1;
                    self.nodes[node].disk.restart(base);
                    self.nodes[node].checked = base.index;
                }
                Effect::Retain { checkpoints, log_after } => {
                    let log_after = if self.setup.keep_log { Index(0) } else { log_after };
                    self.nodes[node].disk.retain(&checkpoints, log_after);
                    engine.log_purged();
                }
                Effect::Connect(members) => {
                    let map: BTreeMap<_, _> = members
                        .iter()
                        .filter_map(|member| Some((member.incarnation, node_at(&member.address)?)))
                        .collect();
                    match engine.with_member(|member| member.group().map(|group| group.me())) {
                        Some(me) => self.nodes[node].speaks_as = me,
                        None if members.is_empty() => self.nodes[node].speaks_as = Incarnation(0),
                        // Of a life that ends later in this step.
                        None => {}
                    }
                    self.nodes[node].up.retain(|incarnation| map.contains_key(incarnation));
                    self.nodes[node].connect = map;
                }
                _ => {}
            }
        }
        self.check(node, &engine)?;
        if engine.wants_turn() {
            self.want_turn(node);
        }
        self.wake_tasks(node);
        Ok(())
    }

    /// Whether the process ends just before it does this, more often at what happens seldom.
    fn ends_before(&mut self, node: usize, effect: &Effect) -> bool {
        if !self.faulty || !self.setup.faults.mid_step || !self.may_end(node) {
            return false;
        }
        match effect {
            Effect::ResetLog | Effect::RestartLog { .. } => self.rng.percent(40),
            Effect::Cut { .. } | Effect::Retain { .. } => self.rng.percent(15),
            Effect::StoreVote(_) | Effect::Checkpoint(_) | Effect::Append(_) => self.rng.below(500) == 0,
            _ => false,
        }
    }

    /// A new life of a server cuts off what an older one acknowledged: that one votes no more, and counts as one that
    /// holds it. (Whoever elects without it meets the others that do.)
    fn give_up(&mut self, node: usize, engine: &Engine, after: Index) {
        let it = &mut self.nodes[node];
        if it.disk.life() != Some(engine.with_member(|member| member.identity().0)) {
            it.given_up.extend(it.disk.held_above(after));
        }
    }

    /// Within the budget: while one has lost data the others stay up.
    fn may_end(&self, node: usize) -> bool {
        !self.nodes.iter().enumerate().any(|(at, it)| at != node && (it.damaged || it.spoiled))
    }

    fn store_vote(&mut self, node: usize, vote: Vote) {
        self.say(|| format!("m{node} stores {vote:?}"));
        self.nodes[node].disk.store_vote(vote);
        let after = self.sync_time(node);
        // Records are written one after another.
        let due = (self.now + after).max(self.nodes[node].vote_due + 1);
        self.nodes[node].vote_due = due;
        let (life, generation) = (self.nodes[node].life, vote.generation);
        self.schedule(due - self.now, Event::Voted { node, life, generation });
    }

    /// Blocks and the end of a checkpoint reach its file one after another.
    fn write_checkpoint(&mut self, node: usize, write: CheckpointWrite) {
        let block = matches!(write, CheckpointWrite::Block(_));
        let whole = self.nodes[node].disk.write_checkpoint(write);
        let (number, input) = match whole {
            Some((index, number)) => (number, Input::CheckpointStored { index }),
            None if block => (0, Input::CheckpointWritten),
            None => return,
        };
        let after = self.sync_time(node);
        let due = (self.now + after).max(self.nodes[node].checkpoint_due + 1);
        self.nodes[node].checkpoint_due = due;
        let life = self.nodes[node].life;
        self.schedule(due - self.now, Event::Checkpoint { node, life, number, input: Box::new(input) });
    }

    /// How long this sync takes; now and then much longer, where disks are slow.
    fn sync_time(&mut self, node: usize) -> u64 {
        if self.setup.faults.slow_disk && self.faulty && self.rng.percent(5) {
            return 5000 + self.rng.below(400_000);
        }
        let (least, most) = self.nodes[node].sync_us;
        least + self.rng.below(most - least)
    }

    /// `sync_binlog=0` syncs each second; who is whole again counts as such.
    pub(super) fn flush_disks(&mut self) {
        for node in 0..self.nodes.len() {
            let is_online = self.is_online(node);
            let online = self.nodes[node].damaged && is_online;
            let it = &mut self.nodes[node];
            it.damaged &= !online;
            it.unsure &= it.damaged;
            let server = it.engine.as_ref().filter(|_| it.spoiled).map(|engine| engine.server().clone());
            let sound = server.is_some_and(|server| server.digest().1 == server.recompute_digest());
            it.spoiled &= !(sound && is_online);
            if !self.setup.sync && it.flush_at <= self.now && it.disk_hangs_until <= self.now {
                it.flush_at = self.now + 1_000_000;
                it.disk.flush();
            }
        }
    }

    pub(in crate::sim) fn begin_sync(&mut self, node: usize) {
        let it = &self.nodes[node];
        if it.syncing || it.engine.is_none() || it.disk.is_synced() {
            return;
        }
        let (life, (index, cuts)) = (it.life, it.disk.end());
        if !self.setup.sync {
            it.disk.synced_in_cache();
            return;
        }
        let after = self.sync_time(node);
        self.nodes[node].syncing = true;
        self.schedule(after, Event::Synced { node, life, index, cuts });
    }
}
