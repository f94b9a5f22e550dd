//! Clients of the simulated group: each proposes one transaction at a time and keeps what it was told.

use engine_core::rng::Rng;
use engine_sql::host::{Host, MemberState, Outcome, Ticket};
use node::engine::Engine;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use wire::entry::{Body, Gtid, Transaction};
use wire::gtid::GtidSet;

/// What clients were told, over the whole run.
#[derive(Default)]
pub struct Ledger {
    acknowledged: Vec<Gtid>,
    conflicts: u64,
}

impl Ledger {
    /// Everything acknowledged is executed, once.
    ///
    /// # Errors
    /// What is missing.
    pub fn check(&self, executed: &str) -> Result<(), String> {
        let executed = GtidSet::parse(executed).map_err(|error| format!("gtid_executed: {error}"))?;
        let mut once = GtidSet::new();
        for &gtid in &self.acknowledged {
            if !once.add(gtid) {
                return Err(format!("at most once: {}:{} was acknowledged twice", gtid.uuid, gtid.number));
            }
            if !executed.contains(gtid) {
                return Err(format!("durability: {}:{} was acknowledged and is lost", gtid.uuid, gtid.number));
            }
        }
        Ok(())
    }

    /// Acknowledged commits and conflicts.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.acknowledged.len() as u64, self.conflicts)
    }
}

/// One client, connected to one member.
pub struct Client {
    id: usize,
    node: usize,
    ticket: Option<Ticket>,
    stopped: bool,
}

impl Client {
    /// A client of the member `node`.
    #[must_use]
    pub fn new(id: usize, node: usize) -> Self {
        Self { id, node, ticket: None, stopped: false }
    }

    /// Its member.
    #[must_use]
    pub fn node(&self) -> usize {
        self.node
    }

    /// Begins nothing new.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether an answer is due.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.ticket.is_some()
    }

    /// Its connection is gone: what it waited for has an unknown outcome.
    pub fn server_died(&mut self, node: usize) {
        if self.node == node {
            self.ticket = None;
        }
    }

    /// Takes an answer, or proposes.
    pub fn step(&mut self, engine: &Engine, rng: &mut Rng, ledger: &mut Ledger, single: bool) {
        let host: Rc<dyn Host> = engine.host();
        if let Some(ticket) = self.ticket {
            let mut context = Context::from_waker(Waker::noop());
            let Poll::Ready(outcome) = host.poll_outcome(ticket, &mut context) else { return };
            self.ticket = None;
            match outcome {
                Outcome::Committed { gtid: Some(gtid), .. } => ledger.acknowledged.push(gtid),
                Outcome::Conflict => ledger.conflicts += 1,
                _ => {}
            }
        }
        let status = host.status();
        let writes = !single
            || status.primary
                == status
                    .members
                    .iter()
                    .find(|m| m.port == 3306 && m.host == format!("m{}", self.node))
                    .map(|m| m.uuid);
        let online = status.running && status.state == MemberState::Online;
        if self.stopped || !writes || !online || rng.percent(20) {
            return;
        }
        let written = (0..=rng.below(2)).map(|_| rng.below(40) + 1).collect();
        let transaction = Transaction {
            snapshot: engine.server().visible(),
            primary_epoch: status.primary_epoch,
            session: self.id as u32,
            written,
            ..Transaction::default()
        };
        self.ticket = host.propose(Body::Transaction(transaction)).ok();
    }
}
