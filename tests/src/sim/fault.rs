//! What goes wrong: one thing at a time, of the kinds that the seed has.
//!
//! Storage faults keep within the budget of `design.md` §3: no more voters have lost data at a time than
//! the rest can do without, so that whoever does not recover shows a bug.

use super::client;
use super::cluster::{Cluster, Event, Failure, SimNode};
use super::disk::{Damage, Loss};
use super::setup::Faults;
use engine_core::rng::Rng;
use engine_sql::host::GroupCommand;
use wire::entry::VotingRole;
use wire::message::Channel;
use wire::rare;

/// A fault that stays until faults stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lasting {
    Down,
    CutOff,
    OneWay,
    Deaf,
    Mute,
    OrderMute,
    HungDisk,
    Paused,
}

const LASTING: [Lasting; 8] = [
    Lasting::Down,
    Lasting::CutOff,
    Lasting::OneWay,
    Lasting::Deaf,
    Lasting::Mute,
    Lasting::OrderMute,
    Lasting::HungDisk,
    Lasting::Paused,
];

impl Cluster {
    pub(super) fn fault(&mut self) -> Result<(), Failure> {
        let mut faults = self.setup.faults;
        if self.nodes.iter().any(|node| node.damaged || node.spoiled) {
            // Within the budget: until it is whole again, all others stay up and hear one another.
            let Faults { reset, clock, burst, .. } = faults;
            if self.crash_spoiled(faults)? {
                return Ok(());
            }
            faults = Faults { reset, clock, burst, ..Faults::default() };
        }
        let kinds: Vec<u8> = [
            (faults.crash, 0),
            (faults.crash_all, 1),
            (faults.reset, 2),
            (faults.partition, 3),
            (faults.one_way, 4),
            (faults.pause, 5),
            (faults.churn, 6),
            (faults.machine, 7),
            (faults.damage, 8),
            (faults.sync_failure, 9),
            (faults.disk_full, 10),
            (faults.order_mute, 11),
            (faults.clock, 12),
            (faults.burst, 13),
            (faults.hung_disk, 14),
            (faults.bad_memory, 15),
            (faults.rot, 16),
            (faults.shutdown, 17),
        ]
        .into_iter()
        .filter(|(on, _)| *on)
        .map(|(_, kind)| kind)
        .collect();
        if kinds.is_empty() {
            return Ok(());
        }
        let count = self.nodes.len() as u64;
        let (node, other) = (self.rng.below(count) as usize, self.rng.below(count) as usize);
        match kinds[self.rng.below(kinds.len() as u64) as usize] {
            0 => {
                let back = 50_000 + self.rng.below(1_500_000);
                let loss = self.loss_of_process();
                self.crash(node, loss, back)?;
            }
            1 => {
                for node in 0..self.nodes.len() {
                    let back = 10_000 + self.rng.below(500_000);
                    self.crash(node, Loss::Nothing, back)?;
                }
            }
            2 => {
                self.break_link(node, other)?;
                if self.rng.percent(50) {
                    self.break_link(other, node)?;
                }
            }
            3 => self.partition(node),
            4 => {
                self.network.silent.clear();
                if self.rng.percent(60) && node != other {
                    self.say(|| format!("nothing from m{node} reaches m{other} any more"));
                    self.network.silent.insert((node, other));
                }
            }
            5 => {
                let pause = 20_000 + self.rng.below(1_200_000);
                self.say(|| format!("m{node} stands still for {pause} us"));
                self.nodes[node].paused = true;
                self.schedule(pause, Event::Unpause { node });
            }
            6 => self.churn(node),
            7 => self.machine(node)?,
            8 => self.damage(node)?,
            9 => {
                self.say(|| format!("m{node}'s next sync fails"));
                self.nodes[node].sync_fails = true;
            }
            10 => {
                self.say(|| format!("m{node}'s disk is full"));
                self.nodes[node].append_fails = true;
            }
            11 => {
                self.network.mute.clear();
                if self.rng.percent(60) {
                    self.say(|| format!("m{node} sends heartbeats only"));
                    self.network.mute.insert(node);
                }
            }
            12 => {
                let clock = &mut self.nodes[node].clock;
                clock.unix_offset_us = self.rng.below(7_200_000_000) as i64 - 3_600_000_000;
                self.say(|| format!("m{node}'s wall clock jumps"));
            }
            13 => self.burst(node),
            14 => {
                let hang = 500_000 + self.rng.below(5_000_000);
                self.say(|| format!("m{node}'s disk hangs for {hang} us"));
                self.nodes[node].disk_hangs_until = self.now + hang;
            }
            15 => self.spoil_row(node),
            16 => {
                let at = self.rng.below(30) as usize;
                if self.nodes[node].disk.damage(Damage::Checkpoint, at) {
                    rare!("a checkpoint of a live member is damaged");
                    self.say(|| format!("m{node}'s newest checkpoint is damaged while it runs"));
                }
            }
            _ => {
                let back = 10_000 + self.rng.below(1_500_000);
                // Who is told to STOP meanwhile may be left alone, and then the group is over.
                if self.nodes.iter().all(|it| it.command.is_none()) {
                    self.shut_down(node, back)?;
                }
            }
        }
        Ok(())
    }

    /// Whose memory is wrong may crash as well, with its disk as it is: nothing of that memory may have got there. True
    /// when it did.
    fn crash_spoiled(&mut self, faults: Faults) -> Result<bool, Failure> {
        let spoiled = self.nodes.iter().position(|it| it.spoiled && it.engine.is_some());
        let damaged = self.nodes.iter().any(|it| it.damaged);
        let Some(node) = spoiled.filter(|_| faults.crash && !damaged) else { return Ok(false) };
        if self.rng.percent(60) {
            return Ok(false);
        }
        rare!("a member ends whose memory is wrong");
        let (loss, back) = (self.loss_of_process(), 50_000 + self.rng.below(500_000));
        self.crash(node, loss, back)?;
        Ok(true)
    }

    /// With `sync_binlog=1` the machine may end as well as the process: nothing that counts is lost.
    pub(super) fn loss_of_process(&mut self) -> Loss {
        if self.setup.sync && self.rng.percent(50) { self.loss_of_power() } else { Loss::Nothing }
    }

    /// What was not synced is lost, or what of it did not arrive. (What of the mapping reached a disk with `sync_binlog=0`
    /// nobody promises: such a log is damaged, and its member begins anew.)
    pub(super) fn loss_of_power(&mut self) -> Loss {
        if self.setup.faults.torn && self.setup.sync {
            return Loss::Torn(self.rng.next_u64());
        }
        Loss::Unsynced(self.rng.below(4) as usize)
    }

    /// Whether a member may lose data that it had promised to keep: all others are whole voters, and no view is
    /// on its way that takes one of them away.
    fn may_lose(&self) -> bool {
        let quiet = self.network.silent.is_empty() && self.network.mute.is_empty();
        let whole = |it: &SimNode| {
            let busy = it.command.is_some() || it.stopping.is_some() || it.disk_hangs_until > self.now;
            let idle = !it.damaged && !it.spoiled && !it.paused && !busy;
            let listed = it.engine.as_ref().is_some_and(|engine| {
                engine.with_member(|member| {
                    let view = member.group().and_then(|group| group.view());
                    view.is_some_and(|view| {
                        let votes = |of: &SimNode| {
                            view.members.iter().any(|m| m.uuid == of.uuid && m.role == VotingRole::Voter)
                        };
                        view.members.len() == self.nodes.len() && self.nodes.iter().all(votes)
                    })
                })
            });
            idle && listed
        };
        let all = self.truth.model.voters().len() == self.nodes.len() && self.nodes.iter().all(whole);
        let online = (0..self.nodes.len()).all(|at| self.is_online(at));
        quiet && all && online && self.nodes.len() > 2
    }

    /// A machine ends, with what only its page cache held.
    fn machine(&mut self, node: usize) -> Result<(), Failure> {
        let back = 100_000 + self.rng.below(1_500_000);
        let loss = self.loss_of_power();
        if self.setup.sync {
            return self.crash(node, loss, back);
        }
        if self.may_lose() {
            rare!("a machine ends while sync_binlog is 0");
            self.crash(node, loss, back)?;
            self.nodes[node].damaged = true;
            self.nodes[node].unsure = true;
        }
        Ok(())
    }

    /// A durable frame is damaged, or the newest checkpoint, and found so at the next start.
    fn damage(&mut self, node: usize) -> Result<(), Failure> {
        let back = 100_000 + self.rng.below(1_500_000);
        let at = self.rng.below(30) as usize;
        let damage = [Damage::Flipped, Damage::Misdirected, Damage::Checkpoint][self.rng.below(3) as usize];
        // An older checkpoint and the log after it make up for the newest one.
        if damage == Damage::Checkpoint {
            self.crash(node, Loss::Nothing, back)?;
            if self.nodes[node].disk.damage(damage, at) {
                rare!("a checkpoint is damaged");
                self.say(|| format!("m{node}'s newest checkpoint is damaged"));
            }
            return Ok(());
        }
        if !self.may_lose() {
            return Ok(());
        }
        self.crash(node, Loss::Nothing, back)?;
        if self.nodes[node].disk.damage(damage, at) {
            rare!("a durable frame is damaged");
            self.say(|| format!("m{node}'s log is damaged: {damage:?}, {at} from its end"));
            self.nodes[node].damaged = true;
        }
        Ok(())
    }

    /// More clients come to one member, and stay.
    fn burst(&mut self, node: usize) {
        let Some(place) = self.place(node).filter(|_| self.bursts < 4) else { return };
        self.bursts += 1;
        self.say(|| format!("m{node} gets more clients"));
        for client in 0..4 {
            let number = 100 + 4 * self.bursts + client;
            let rng = Rng::new(self.rng.next_u64());
            self.nodes[node].tasks.spawn(client::live(place.clone(), number, 1500, rng));
        }
        self.wake_tasks(node);
    }

    /// Silence both ways around one member; healed by the next fault of this kind.
    fn partition(&mut self, node: usize) {
        self.network.silent.clear();
        let kind = self.rng.below(100);
        if kind < 45 {
            self.say(|| format!("m{node} is cut off"));
            for peer in (0..self.nodes.len()).filter(|&peer| peer != node) {
                self.network.silent.extend([(node, peer), (peer, node)]);
            }
        } else if kind < 65 {
            // Halves: perhaps nobody has a quorum.
            let side: Vec<bool> = self.nodes.iter().map(|_| self.rng.percent(50)).collect();
            self.say(|| format!("the group is parted: {side:?}"));
            for (from, a) in side.iter().enumerate() {
                let others = side.iter().enumerate().filter(|(_, b)| a != *b);
                self.network.silent.extend(others.map(|(to, _)| (from, to)));
            }
        } else {
            self.say(|| "all links are well".into());
        }
    }

    /// A bit of a resident row changes, once in a run: the others are to be a quorum of equal ones.
    fn spoil_row(&mut self, node: usize) {
        let Some(engine) = self.engine(node).filter(|_| self.may_lose() && self.report.damaged == 0) else { return };
        if engine.server().damage("sim", "quiet") {
            self.say(|| format!("a bit of a row of m{node} changes"));
            self.report.damaged += 1;
            self.nodes[node].spoiled = true;
            self.nodes[node].spoiled_at = self.now;
        }
    }

    /// A member leaves; its operator starts it again.
    fn churn(&mut self, node: usize) {
        let Some(engine) = self.engine(node).filter(|_| self.is_online(node)) else { return };
        // The last two stay, or the last one: a group that all have left is gone.
        let idle = self.nodes.iter().all(|it| it.command.is_none() && it.stopping.is_none() && !it.damaged);
        let others = (0..self.nodes.len()).filter(|&other| other != node && self.is_online(other)).count();
        if idle && others >= if self.setup.leave_one { 1 } else { 2 } {
            self.say(|| format!("m{node} is told to STOP"));
            self.nodes[node].command = Some(engine.host().command(GroupCommand::Stop));
            if self.setup.faults.away {
                self.nodes[node].away_until = self.now + self.rng.below(4_000_000);
            }
            self.want_turn(node);
        }
    }

    /// The power goes: links first, then each machine tells its processes to end. Whoever finds no quorum ends all
    /// the same; at power-on the group comes back by itself.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn power_down(&mut self) -> Result<(), Failure> {
        let count = self.nodes.len();
        if !self.setup.faults.shutdown || self.rng.percent(30) {
            return Ok(());
        }
        self.come_back()?;
        let load = self.rng.below(500_000);
        self.run_until(load, |_| false)?;
        if self.rng.percent(70) {
            self.say(|| "nobody hears anybody".into());
            let pairs = (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
            self.network.silent.extend(pairs);
        } else {
            let node = self.rng.below(count as u64) as usize;
            self.partition(node);
        }
        for node in 0..count {
            let (wait, back) = (self.rng.below(200_000), 10_000 + self.rng.below(3_000_000));
            self.run_until(wait, |_| false)?;
            self.shut_down(node, back)?;
        }
        rare!("all members are shut down");
        let ended = |cluster: &Self| cluster.nodes.iter().all(|it| it.stopping.is_none());
        self.run_until(30_000_000, ended)?;
        if !ended(self) {
            return self.fail("liveness: a process does not end 30 s after it was told to");
        }
        self.network.silent.clear();
        Ok(())
    }

    /// A member, the leader often, is cut off; its operator tells it to STOP, which nobody agrees to, and to START once
    /// it hears the group again: it joins with the log that it has, of which the group may know nothing.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn stop_alone(&mut self) -> Result<(), Failure> {
        let count = self.nodes.len();
        // Who leaves a minority within two seconds is in ERROR before.
        let patient = !self.setup.impatient || self.setup.minority_stays;
        if !self.setup.faults.stop_alone || !patient || count < 3 {
            return Ok(());
        }
        self.come_back()?;
        let load = self.rng.below(500_000);
        self.run_until(load, |_| false)?;
        let drawn = self.rng.below(count as u64) as usize;
        let node = self.leader().filter(|_| self.rng.percent(70)).unwrap_or(drawn);
        let others = (0..count).filter(|&other| other != node);
        self.say(|| format!("m{node} is cut off, and will be told to STOP"));
        self.network.silent.extend(others.flat_map(|other| [(node, other), (other, node)]));
        let alone = self.rng.below(1_500_000);
        self.run_until(alone, |_| false)?;
        // Nobody ends one that the others need: it gives up the vote without which their view is never decided.
        let Some(engine) = self.engine(node).filter(|_| self.can_spare(node)) else {
            self.network.silent.clear();
            return Ok(());
        };
        self.nodes[node].away_until = u64::MAX;
        self.nodes[node].command = Some(engine.host().command(GroupCommand::Stop));
        self.want_turn(node);
        self.run_until(20_000_000, |cluster| cluster.nodes[node].command.is_none())?;
        if self.nodes[node].command.is_some() {
            return self.fail(format!("liveness: STOP of member {node} without a quorum does not end in 20 s"));
        }
        rare!("STOP without a quorum");
        self.network.silent.clear();
        self.nodes[node].away_until = 0;
        Ok(())
    }

    /// Whether the others are a quorum without `node`, by every view that anybody has, decided or not.
    fn can_spare(&self, node: usize) -> bool {
        let live = |at: usize| self.engine(at).map(|engine| engine.with_member(|member| member.identity().0));
        let others: Vec<_> = (0..self.nodes.len()).filter(|&other| other != node).filter_map(live).collect();
        (0..self.nodes.len()).filter_map(|at| self.engine(at)).all(|engine| {
            engine.with_member(|member| {
                let Some(view) = member.group().and_then(|group| group.view()) else { return true };
                let voters = view.members.iter().filter(|member| member.role == VotingRole::Voter);
                let stay = voters.clone().filter(|voter| others.contains(&voter.incarnation)).count();
                stay * 2 > voters.count()
            })
        })
    }

    /// With one member or link gone for good, the others go on.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn endure(&mut self) -> Result<(), Failure> {
        let count = self.nodes.len();
        if !self.setup.faults.lasting || count < 3 {
            return Ok(());
        }
        self.come_back()?;
        let (mut kind, mut node) =
            (LASTING[self.rng.below(LASTING.len() as u64) as usize], self.rng.below(count as u64) as usize);
        if let Some(leader) = self.leader().filter(|_| self.setup.mute_leader) {
            (kind, node) = (Lasting::OrderMute, leader);
        }
        let peer = (node + 1 + self.rng.below(count as u64 - 1) as usize) % count;
        self.say(|| format!("from now on {kind:?}: m{node} (and m{peer})"));
        let others: Vec<_> = (0..count).filter(|&other| other != node).collect();
        match kind {
            Lasting::Down => self.crash(node, Loss::Nothing, 1_000_000_000)?,
            Lasting::CutOff => {
                self.network.silent.extend(others.iter().flat_map(|&other| [(node, other), (other, node)]));
            }
            Lasting::OneWay => self.network.silent.extend([(node, peer)]),
            Lasting::Deaf => self.network.silent.extend(others.iter().map(|&other| (other, node))),
            Lasting::Mute => self.network.silent.extend(others.iter().map(|&other| (node, other))),
            Lasting::OrderMute => {
                self.network.mute.insert(node);
            }
            Lasting::HungDisk => self.nodes[node].disk_hangs_until = u64::MAX,
            Lasting::Paused => self.nodes[node].paused = true,
        }
        // Time to notice, then to show it: a transaction of any client of the others.
        self.run_until(9_000_000, |_| false)?;
        let before = self.acknowledged();
        self.run_until(10_000_000, |cluster| cluster.acknowledged() >= before + 5)?;
        if self.acknowledged() < before + 5 {
            let all: Vec<_> = (0..count).map(|node| self.describe(node)).collect();
            let rule = format!("liveness: nothing is committed in 10 s under {kind:?} of m{node} (and m{peer})");
            return self.fail(format!("{rule}\n  {}", all.join("\n  ")));
        }
        self.nodes[node].disk_hangs_until = 0;
        self.begin_sync(node);
        if self.nodes[node].engine.is_none() {
            self.boot(node)?;
        }
        Ok(())
    }

    /// Who leads, by its own word.
    fn leader(&self) -> Option<usize> {
        let leads = |node: usize| {
            self.engine(node)
                .is_some_and(|engine| engine.with_member(|member| member.group().is_some_and(|group| group.leads())))
        };
        (0..self.nodes.len()).find(|&node| leads(node))
    }

    /// Whether a message gets through at all, as far as its channel goes.
    pub(super) fn is_mute(&self, node: usize, channel: Channel) -> bool {
        channel != Channel::Liveness && self.network.mute.contains(&node)
    }
}
