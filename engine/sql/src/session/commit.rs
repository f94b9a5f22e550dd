//! Ends of transactions: proposing, waiting for the order's word, answering.

use super::{Session, Stop};
use crate::counters::Counter;
use crate::error::{SqlError, error};
use crate::host::{Host, Outcome, Refusal, Ticket};
use crate::server::{Ended, SessionHandle, deadlock};
use crate::sysvar::Setting;
use crate::txn::Transaction;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use wire::entry::{Body, CatalogChange, Ddl, Gtid, ObjectKind};
use wire::mutant::{Mutant, planted};

/// Times that one statement is tried again after a conflict that the order decided.
pub(super) const RETRIES: u32 = 10;

/// 3100.
fn hook_refused() -> SqlError {
    error(3100, "Error on observer while running replication hook 'before_commit'.")
}

/// Forgets a ticket that nobody will ask for.
struct TicketGuard<'a> {
    host: &'a dyn Host,
    ticket: Option<Ticket>,
}

impl Drop for TicketGuard<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.host.forget(ticket);
        }
    }
}

/// Waits for the word about `ticket`. A KILL ends the wait, not what is waited for: outcome unknown.
pub(super) async fn outcome(host: &dyn Host, session: &SessionHandle, ticket: Ticket) -> Outcome {
    let mut guard = TicketGuard { host, ticket: Some(ticket) };
    let outcome = poll_fn(|cx| {
        if let Poll::Ready(outcome) = host.poll_outcome(ticket, cx) {
            return Poll::Ready(Some(outcome));
        }
        // KILL QUERY does not end the wait: nothing better could be answered.
        match session.watch(cx.waker()) {
            Some(Ended::Killed | Ended::Shutdown) => Poll::Ready(None),
            _ => Poll::Pending,
        }
    })
    .await;
    if outcome.is_some() {
        guard.ticket = None;
    }
    outcome.unwrap_or(Outcome::Unknown)
}

impl Session {
    /// 1213, or what `group_replication_conflict_error` asks for.
    fn conflict(&self) -> SqlError {
        let asked = crate::sysvar::find("group_replication_conflict_error");
        let number = asked.map(|id| self.state.server.globals.borrow().get(id).to_text());
        if number.as_deref() == Some("3101") {
            return error(3101, "Plugin instructed the server to rollback the current transaction.");
        }
        deadlock()
    }

    /// Commits: nothing to propose for a transaction that changed nothing.
    pub(super) async fn commit(&mut self, mut txn: Transaction) -> Result<Option<Gtid>, Stop> {
        txn.check()?;
        self.state.count(Counter::HandlerCommit, 1);
        if !txn.has_changes() {
            return Ok(None);
        }
        let server = self.state.server.clone();
        let (limit, server_id) = {
            let globals = server.globals.borrow();
            (globals.number("group_replication_transaction_size_limit"), globals.number("server_id") as u32)
        };
        if limit > 0 && txn.bytes() as u64 > limit {
            return Err(hook_refused().into());
        }
        self.check_writable()?;
        let gtid = self.next_gtid()?;
        let mut proposal = txn.proposal(gtid, server_id, self.state.handle.id());
        proposal.after = self.after();
        txn.set_proposed();
        let Ok(ticket) = server.host.propose(Body::Transaction(proposal)) else {
            txn.clear_proposed();
            return Err(hook_refused().into());
        };
        self.say("waiting for handler commit");
        if planted(Mutant::AnsweredBeforeDecided) {
            return Ok(None);
        }
        let txn = if planted(Mutant::LocksReleasedAtProposal) {
            drop(txn);
            None
        } else {
            Some(txn)
        };
        let outcome = outcome(&*server.host, &self.state.handle, ticket).await;
        if planted(Mutant::LocksNeverReleased) {
            std::mem::forget(txn);
        } else {
            // Its locks were held until here: what it wrote is visible, or will never be.
            drop(txn);
        }
        match outcome {
            Outcome::Unknown if planted(Mutant::UnknownReportedAsConflict) => Err(Stop::Conflict(self.conflict())),
            Outcome::Conflict if planted(Mutant::ConflictReportedAsCommitted) => Ok(None),
            Outcome::Void if planted(Mutant::VoidReportedAsCommitted) => Ok(None),
            Outcome::Committed { gtid, .. } => Ok(gtid),
            Outcome::Conflict | Outcome::Refused(_) => Err(Stop::Conflict(self.conflict())),
            Outcome::Void => Err(hook_refused().into()),
            Outcome::Unknown => Err(Stop::Close),
        }
    }

    /// Proposes a change of the catalogue and waits until it is visible.
    pub(super) async fn propose_ddl(
        &mut self,
        statement: &str,
        changes: Vec<CatalogChange>,
    ) -> Result<Option<Gtid>, Stop> {
        let server = self.state.server.clone();
        let ddl = Ddl {
            primary_epoch: server.host.primary_epoch(),
            gtid: self.next_gtid()?,
            committed_at_us: server.host.now().unix_us,
            server_id: server.globals.borrow().number("server_id") as u32,
            session: self.state.handle.id(),
            after: self.after(),
            database: self.state.database.borrow().clone().unwrap_or_default(),
            statement: statement.to_owned(),
            changes,
        };
        let Ok(ticket) = server.host.propose(Body::Ddl(ddl)) else { return Err(hook_refused().into()) };
        match outcome(&*server.host, &self.state.handle, ticket).await {
            Outcome::Committed { csn, gtid } => match server.take_ddl_failure(csn) {
                Some(failure) => Err(failure.into()),
                None => Ok(gtid),
            },
            Outcome::Conflict => Err(Stop::Conflict(self.conflict())),
            Outcome::Refused(refusal) => Err(refused(&refusal).into()),
            Outcome::Void => Err(hook_refused().into()),
            Outcome::Unknown => Err(Stop::Close),
        }
    }

    /// Whether what the session commits is shown nowhere before all ONLINE members have it.
    fn after(&self) -> bool {
        self.state.vars.borrow().consistency.is_after() && self.host().is_running()
    }

    /// `GTID_NEXT`, where it names one.
    fn next_gtid(&mut self) -> Result<Option<Gtid>, Stop> {
        let text = match self.state.vars.borrow().named("gtid_next") {
            Setting::Text(text) if text.is_empty() || starts_with_automatic(text) => return Ok(None),
            named => named.to_text(),
        };
        let parsed = text.split_once(':').and_then(|(uuid, number)| {
            Some(Gtid { uuid: wire::id::Uuid::parse(uuid).ok()?, number: number.parse().ok()? })
        });
        // A specified GTID is of one transaction; the next one has to be named too.
        if std::mem::replace(&mut self.gtid_used, true) {
            let text = format!(
                "When @@SESSION.GTID_NEXT is set to a GTID, you must explicitly set it to a different value after a \
                 COMMIT or ROLLBACK. Please check GTID_NEXT variable manual page for detailed explanation. Current \
                 @@SESSION.GTID_NEXT is '{text}'."
            );
            return Err(error(1837, text).into());
        }
        parsed.map(Some).ok_or_else(|| error(1774, format!("Malformed GTID specification '{text}'.")).into())
    }

    /// The end of a transaction whose host is of no more use.
    pub(super) fn host(&self) -> Rc<dyn Host> {
        self.state.server.host.clone()
    }
}

fn starts_with_automatic(gtid_next: &str) -> bool {
    gtid_next.get(..9).is_some_and(|front| front.eq_ignore_ascii_case("AUTOMATIC"))
}

/// What a refused change of the catalogue answers.
fn refused(refusal: &Refusal) -> SqlError {
    match refusal {
        Refusal::Exists { schema, name } if schema.is_empty() => {
            error(1007, format!("Can't create database '{name}'; database exists"))
        }
        Refusal::Exists { name, .. } => error(1050, format!("Table '{name}' already exists")),
        Refusal::Missing { schema, name } if schema.is_empty() => {
            error(1008, format!("Can't drop database '{name}'; database doesn't exist"))
        }
        Refusal::Missing { schema, name } => error(1051, format!("Unknown table '{schema}.{name}'")),
        Refusal::NoDatabase { schema } => error(1049, format!("Unknown database '{schema}'")),
        Refusal::Changed { .. } => deadlock(),
    }
}

/// The same for accounts, where names and errors are others.
pub(super) fn account_error(error_: SqlError, changes: &[CatalogChange]) -> SqlError {
    let accounts = changes.iter().all(|change| {
        let (CatalogChange::Create { kind, .. }
        | CatalogChange::Replace { kind, .. }
        | CatalogChange::Drop { kind, .. }) = change;
        *kind == ObjectKind::Account
    });
    match (accounts, error_.code) {
        (true, 1007 | 1050) => error(1396, "Operation CREATE USER failed: the account exists"),
        (true, 1008 | 1051) => {
            error(1396, "Operation failed: no such account in the group (is it local to this server?)")
        }
        _ => error_,
    }
}
