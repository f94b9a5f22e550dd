//! Processes of members: how they begin over what their disk holds, end in each way, and what operators tell them.

use super::{CLIENTS, Cluster, Event, Failure, GROUP, SimWorld, address};
use crate::sim::GENERATION_SLOTS;
use crate::sim::check::Digests;
use crate::sim::client::{self, Levels};
use crate::sim::disk::{Loss, Scan};
use crate::sim::split::truth_of;
use crate::sim::tasks::Tasks;
use engine_core::certify::Certifier;
use engine_core::member::MemberConfig;
use engine_core::paxos::Timing;
use engine_core::rng::Rng;
use engine_sql::host::{GroupCommand, LocalChange};
use engine_sql::sysvar::Setting;
use node::engine::{Engine, OnRole, ReadSettings, Role, StartSettings};
use node::restart::{Shelf, restart};
use std::cell::Cell;
use std::rc::Rc;
use wire::entry::GroupOptions;
use wire::id::Incarnation;
use wire::mutant::{Mutant, planted};
use wire::rare;

impl Cluster {
    /// A process begins: what is on the disk, and clients that connect.
    pub(in crate::sim) fn boot(&mut self, node: usize) -> Result<(), Failure> {
        if self.nodes[node].disk.open() == Scan::Corrupt {
            // The server refuses to start; its operator takes a new data directory, and it joins anew.
            rare!("a damaged log is found at a start");
            self.say(|| format!("m{node}'s log is corrupt: its data directory is made anew"));
            self.nodes[node].disk.wipe();
        }
        let now = self.clock(node);
        let settings = self.settings(node);
        let it = &mut self.nodes[node];
        it.life += 1;
        let (disk, judged) = (it.disk.clone(), it.judged.clone());
        let world = SimWorld { judged, disk, random: it.random.clone(), notes: it.notes.clone() };
        let engine = Engine::new(Box::new(world), it.uuid, 1, settings, on_role());
        for record in it.disk.journal_records() {
            let change = LocalChange::from_bytes(&record).expect("written as such");
            engine.server().replay_local(&change).expect("it was carried out before");
        }
        engine.server().globals.borrow_mut().put("quorate_scrub_period", Setting::UInt(1));
        let tries = Setting::UInt(self.setup.autorejoin_tries);
        engine.server().globals.borrow_mut().put("group_replication_autorejoin_tries", tries);
        engine.server().globals.borrow_mut().put("server_uuid", Setting::text(&it.uuid.to_string()));
        if self.setup.impatient {
            let mut globals = engine.server().globals.borrow_mut();
            globals.put("group_replication_member_expel_timeout", Setting::UInt(0));
            if !self.setup.minority_stays {
                globals.put("group_replication_unreachable_majority_timeout", Setting::UInt(2));
            }
        }
        let _ = it.disk.told();
        let empty = Certifier::new(GENERATION_SLOTS);
        let memory =
            match restart(&engine, &*it.disk, it.disk.decided(), self.setup.checkpoint_log_bytes, false, &empty) {
                Ok(memory) => memory,
                Err(fault) if it.damaged => {
                    self.say(|| format!("m{node} cannot restart ({fault}): its data directory is made anew"));
                    self.nodes[node].disk.wipe();
                    return self.boot(node);
                }
                Err(fault) => {
                    let told = it.disk.told().join("; ");
                    return self.fail(format!("restart: {fault} ({told})"));
                }
            };
        self.report.restored += u64::from(!it.disk.checkpoints().is_empty());
        let restored = memory.certifier.index();
        if truth_of(&self.split, &self.truth, node)
            .fingerprint(restored)
            .is_some_and(|known| known != memory.certifier.fingerprint())
        {
            return self.fail(format!(
                "checkpoint: member {node} restarts at index {restored} with another state than one that never did"
            ));
        }
        let (_, rows) = engine.server().digest();
        if rows != engine.server().recompute_digest() {
            return self.fail(format!("digest: member {node}'s rows after a restart are not those of its digest"));
        }
        let mut vote = engine_core::effect::Vote { generation: 0, ..it.disk.vote().unwrap_or_default() };
        // As the server does: it does not vote with a log that it cannot be sure of.
        // It stays so, however often it restarts, until it is whole again.
        if it.unsure && !planted(Mutant::UnsureVotes) {
            vote.listed = false;
        }
        let run = vote.run.successor(it.random.borrow_mut().next_u64() as u32);
        let config = MemberConfig {
            uuid: it.uuid,
            server_id: node as u32 + 1,
            host: format!("m{node}"),
            port: 3306,
            version: 80036,
            synced_on_append: !self.setup.sync,
            write_concurrency: self.setup.write_concurrency,
            window_bytes: self.setup.window_bytes,
            timing: if self.setup.impatient {
                Timing { unreachable_us: 600_000, ..Timing::default() }
            } else {
                Timing::default()
            },
            seed: it.random.borrow_mut().next_u64(),
        };
        it.syncing = false;
        it.vote_due = 0;
        it.paused = false;
        it.turn_due = false;
        it.speaks_as = Incarnation(0);
        it.timer = 0;
        (it.command, it.recovery_stopped) = (None, false);
        it.stopping = None;
        it.checked = it.disk.base().index;
        it.checkpoint_due = 0;
        it.digests = Digests::default();
        it.engine = Some(Rc::new(engine));
        let life = it.life;
        self.say(|| format!("m{node} starts, life {life}, log up to {}, {vote:?}", memory.log.last()));
        let engine = self.engine(node).expect("just made");
        engine.boot(now, config, vote, run, memory, true);
        self.nodes[node].tasks = Tasks::default();
        for client in 0..CLIENTS {
            let (place, seed) = (self.place(node).expect("it is up"), self.rng.next_u64());
            let number = 1 + client + CLIENTS * node as u64;
            let live = client::live(place, number, self.setup.think_us, Rng::new(seed));
            self.nodes[node].tasks.spawn(live);
        }
        let place = self.place(node).filter(|place| self.setup.readers && place.levels != Levels::Eventual);
        if let Some(place) = place {
            let seed = self.rng.next_u64();
            self.nodes[node].tasks.spawn(client::read_on(place, self.setup.think_us, Rng::new(seed)));
        }
        self.effects(node)?;
        self.want_turn(node);
        Ok(())
    }

    fn settings(&self, node: usize) -> ReadSettings {
        let seeds: Vec<_> = (0..self.setup.members).filter(|&other| other != node).map(address).collect();
        let (bootstrap, single) = (self.nodes[node].bootstrap.clone(), self.setup.single);
        let clone_threshold = self.setup.clone_threshold;
        Box::new(move |_| {
            Ok(StartSettings {
                bootstrap: bootstrap.replace(false),
                options: GroupOptions {
                    name: GROUP,
                    group: true,
                    single_primary: single,
                    everywhere_checks: false,
                    gtid_block_size: 1_000_000,
                    view_change_uuid: GROUP,
                    view_change_events: true,
                },
                address: address(node),
                seeds: seeds.clone(),
                weight: 50,
                clone_threshold,
            })
        })
    }

    /// The process ends at once, and comes back.
    pub(in crate::sim) fn crash(&mut self, node: usize, loss: Loss, back_after: u64) -> Result<(), Failure> {
        if self.nodes[node].engine.is_none() {
            return Ok(());
        }
        self.report.crashes += 1;
        self.mix([4, node as u64, 0]);
        let lose_votes = self.rng.percent(50);
        self.say(|| format!("m{node} crashes; it loses {loss:?}, votes being written: {lose_votes}"));
        self.end(node, loss, lose_votes, back_after)
    }

    /// The process is gone, and comes back.
    pub(super) fn end(&mut self, node: usize, loss: Loss, lose_votes: bool, back_after: u64) -> Result<(), Failure> {
        let it = &mut self.nodes[node];
        // Sessions first: they end with their process, unheard.
        it.tasks = Tasks::default();
        it.engine = None;
        it.notes.borrow_mut().clear();
        it.life += 1;
        it.stopping = None;
        it.up.clear();
        it.connect.clear();
        it.judged.borrow_mut().clear();
        (it.sync_fails, it.append_fails) = (false, false);
        let crashed = it.disk.crash(loss, lose_votes);
        for other in 0..self.nodes.len() {
            if other != node {
                self.break_link(other, node)?;
                self.network.renew(node, other);
            }
        }
        self.schedule(back_after, Event::Restart { node });
        crashed.or_else(|rule| self.fail(format!("member {node}: {rule}")))
    }

    /// A process is told to end (SIGTERM), and comes back.
    pub(in crate::sim) fn shut_down(&mut self, node: usize, back_after: u64) -> Result<(), Failure> {
        let idle = !self.nodes[node].paused && self.nodes[node].stopping.is_none();
        let Some(engine) = self.engine(node).filter(|_| idle) else { return Ok(()) };
        self.say(|| format!("m{node} is told to end"));
        self.nodes[node].stopping = Some(back_after);
        engine.begin_shutdown(self.clock(node));
        self.effects(node)?;
        self.want_turn(node);
        Ok(())
    }

    /// Who is told to end does so once it has left, or given up waiting for that; all that it wrote is synced.
    pub(super) fn end_stopped(&mut self) -> Result<(), Failure> {
        for node in 0..self.nodes.len() {
            let (Some(back), Some(engine)) = (self.nodes[node].stopping, self.engine(node)) else { continue };
            if engine.is_stopped() {
                self.mix([8, node as u64, back]);
                self.say(|| format!("m{node} ends"));
                self.nodes[node].disk.flush();
                self.end(node, Loss::Nothing, false, back)?;
            }
        }
        Ok(())
    }

    /// Operators look after a member in ERROR once faults have stopped, or now and then where it does not come back by
    /// itself.
    fn has_patience_ended(&mut self) -> bool {
        !self.faulty || self.setup.autorejoin_tries == 0 && self.rng.percent(1)
    }

    /// Operators start what stopped, and look at what they asked for.
    pub(super) fn drive_commands(&mut self) {
        for node in 0..self.nodes.len() {
            let idle = !self.nodes[node].paused && self.nodes[node].stopping.is_none();
            let Some(engine) = self.engine(node).filter(|_| idle) else { continue };
            if let Some(ticket) = self.nodes[node].command {
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                if let std::task::Poll::Ready(result) = engine.host().poll_command(ticket, &mut context) {
                    (self.nodes[node].command, self.nodes[node].recovery_stopped) = (None, false);
                    self.say(|| format!("m{node} START or STOP ended: {result:?}"));
                }
            } else if engine.with_member(|member| member.is_stranded()) && self.has_patience_ended() {
                // In ERROR between two attempts, minutes apart, or after the last: its operator does not wait.
                self.say(|| format!("m{node} is told to STOP, as it is in ERROR"));
                self.nodes[node].command = Some(engine.host().command(GroupCommand::Stop));
                self.want_turn(node);
            } else if !engine.with_member(|member| member.is_running()) && self.nodes[node].away_until <= self.now {
                let start = GroupCommand::Start { user: None, password: None };
                self.say(|| format!("m{node} is told to START"));
                self.nodes[node].command = Some(engine.host().command(start));
                self.want_turn(node);
            }
        }
    }
}

/// As the server does (`super_read_only` follows the role).
fn on_role() -> OnRole {
    let before = Cell::new(false);
    Box::new(move |server, role| {
        let now = server.globals.borrow().on("super_read_only");
        match role {
            Role::Starting => {
                before.set(now);
                server.set_read_only(true);
            }
            Role::StartFailed => server.set_read_only(before.get()),
            Role::Writable => server.set_read_only(false),
            Role::ReadOnly | Role::Offline | Role::OfflineMode => {
                server.set_read_only(true);
                server.end_transactions();
            }
        }
    })
}
