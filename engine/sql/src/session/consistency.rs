//! `group_replication_consistency` (`protocol.md` §6, `design.md` §9): what a transaction waits for before
//! its first statement. What it waits for at its end is the order's (`Transaction::after`).

use super::{Session, Stop};
use crate::error::{SqlError, error};
use crate::host::{MemberState, Outcome};
use crate::server::{Ended, Server};
use crate::sysvar::Consistency;
use crate::txn::Transaction;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use wire::entry::Body;
use wire::mutant::{Mutant, planted};

impl Session {
    /// Whether [`Session::await_turn`] may have something to wait for: what every statement asks.
    pub(super) fn must_wait(&self, txn: &Transaction) -> bool {
        let server = &self.state.server;
        !txn.admitted && self.state.vars.borrow().consistency >= Consistency::Before
            || !txn.has_snapshot() && server.visible() < server.held()
    }

    /// Waits before a statement that reads or writes rows.
    pub(super) async fn await_turn(&mut self, txn: &mut Transaction) -> Result<(), Stop> {
        if !txn.admitted {
            self.await_consistency().await?;
            txn.admitted = true;
        }
        if !txn.has_snapshot() {
            self.await_held().await?;
        }
        Ok(())
    }

    /// Before a transaction's first statement that reads or writes rows: BEFORE waits until everything that
    /// was ordered before now is visible here.
    pub(super) async fn await_consistency(&mut self) -> Result<(), Stop> {
        let level = self.state.vars.borrow().consistency;
        let server = self.state.server.clone();
        if level < Consistency::Before || !server.host.is_running() {
            return Ok(());
        }
        let state = server.host.status().state;
        // A member that is cut off would show what it has for what there is.
        let assured = server.host.is_assured() || planted(Mutant::AssuredWhenCutOff);
        if matches!(state, MemberState::Error | MemberState::Recovering) || !assured {
            let text = "The option group_replication_consistency cannot be used on the current member state.";
            return Err(error(3796, text).into());
        }
        if level.is_before() && !planted(Mutant::BeforeNotAwaited) {
            self.say("Executing hook on transaction begin.");
            let ticket = server.host.propose(Body::Marker).map_err(|_| before_failed())?;
            let outcome = super::commit::outcome(&*server.host, &self.state.handle, ticket);
            match self.within_wait_timeout(&server, outcome).await {
                Some(Outcome::Committed { .. }) => {}
                Some(Outcome::Unknown) if self.state.handle.ended().is_some() => {
                    return Err(error(1317, "Query execution was interrupted").into());
                }
                _ => return Err(before_failed().into()),
            }
        }
        Ok(())
    }

    /// Before a new snapshot, at any level: not while an AFTER transaction is applied here and not yet on all
    /// members, so that nobody misses here what another member has shown already.
    pub(super) async fn await_held(&mut self) -> Result<(), Stop> {
        let server = self.state.server.clone();
        let held = server.held();
        if server.visible() >= held || planted(Mutant::HeldNotAwaited) {
            return Ok(());
        }
        self.say("Executing hook on transaction begin.");
        let handle = self.state.handle.clone();
        let shown = server.wait_visible(&handle, None, held);
        match self.within_wait_timeout(&server, shown).await {
            Some(result) => Ok(result?),
            None => {
                let text =
                    "Error while waiting for group transactions commit on group_replication_consistency= 'AFTER'.";
                Err(error(3798, text).into())
            }
        }
    }

    /// `None` when `wait_timeout` passes first.
    async fn within_wait_timeout<T>(&self, server: &Server, wait: impl Future<Output = T>) -> Option<T> {
        let seconds = match self.state.vars.borrow().named("wait_timeout") {
            crate::sysvar::Setting::UInt(seconds) => *seconds,
            _ => u64::from(u32::MAX),
        };
        let deadline = server.host.now().monotonic_us.saturating_add(seconds.saturating_mul(1_000_000));
        let mut wait = pin!(wait);
        poll_fn(|cx| match wait.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => match self.state.handle.ended() {
                Some(Ended::Statement) => Poll::Ready(None),
                _ => server.host.poll_deadline(deadline, cx).map(|()| None),
            },
        })
        .await
    }
}

fn before_failed() -> SqlError {
    let text = "Error while waiting for group transactions commit on group_replication_consistency= 'BEFORE'.";
    error(3797, text)
}
