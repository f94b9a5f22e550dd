//! Everything that a session waits for, and everything that ends a wait: locks, visibility, deadlines,
//! displacement, KILL.

use super::Server;
use crate::error::{SqlError, error};
use crate::plan::TableUse;
use engine_store::{Lock, Mode, Space, Txn};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use wire::id::Csn;

/// How a session was ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// KILL QUERY: only the running statement, 1317.
    Statement,
    /// KILL: the connection closes (1317 for the running statement).
    Killed,
    /// It said nothing for its `wait_timeout`, or did not log in within `connect_timeout` (4031).
    Idle,
    /// The server goes offline for ordinary users (3032), or stops (1053).
    Shutdown,
}

impl Ended {
    /// What the running statement answers.
    #[must_use]
    pub fn error(self) -> SqlError {
        match self {
            Self::Statement | Self::Killed => error(1317, "Query execution was interrupted"),
            Self::Idle => error(
                4031,
                "The client was disconnected by the server because of inactivity. See wait_timeout and \
                 interactive_timeout for configuring this behavior.",
            ),
            Self::Shutdown => error(1053, "Server shutdown in progress"),
        }
    }
}

/// What SHOW PROCESSLIST shows of a session.
#[derive(Clone, Debug, Default)]
pub struct SessionInfo {
    /// User name as it logged in; `unauthenticated user` before.
    pub user: String,
    /// `host:port`.
    pub host: String,
    /// Current database.
    pub database: Option<String>,
    /// `Query`, `Sleep` ...
    pub command: &'static str,
    /// What it does, such as `Waiting for certification`.
    pub state: &'static str,
    /// The statement.
    pub info: Option<String>,
    /// Since when, in microseconds of the monotonic clock.
    pub since_us: u64,
    /// `wait_timeout` in microseconds, once it has logged in.
    pub idle_limit_us: u64,
}

/// [`SessionInfo::user`] before its login.
pub const UNAUTHENTICATED: &str = "unauthenticated user";

/// What others may do to a session.
#[derive(Debug)]
pub struct SessionHandle {
    id: u32,
    ended: Cell<Option<Ended>>,
    waker: RefCell<Option<Waker>>,
    /// See [`SessionInfo`].
    pub info: RefCell<SessionInfo>,
    /// Tables of its running statement.
    pub(super) uses: RefCell<Option<Rc<[TableUse]>>>,
}

impl SessionHandle {
    /// Its connection id.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// Ends it, or its running statement.
    pub fn end(&self, ended: Ended) {
        let stronger = self.ended.get().is_none_or(|before| before == Ended::Statement);
        if stronger {
            self.ended.set(Some(ended));
        }
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Whether somebody ended it.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        self.ended.get()
    }

    /// Forgets a KILL QUERY: the statement that it was meant for is over.
    pub fn next_statement(&self) {
        if self.ended.get() == Some(Ended::Statement) {
            self.ended.set(None);
        }
    }

    /// Whether somebody ended it; if nobody has yet, `waker` is woken then.
    pub(crate) fn watch(&self, waker: &Waker) -> Option<Ended> {
        if self.ended.get() != Some(Ended::Statement) && self.check(waker).is_err() {
            return self.ended.get();
        }
        *self.waker.borrow_mut() = Some(waker.clone());
        self.ended.get()
    }

    fn check(&self, waker: &Waker) -> Result<(), SqlError> {
        if let Some(ended) = self.ended.get() {
            return Err(ended.error());
        }
        let mut kept = self.waker.borrow_mut();
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
        Ok(())
    }
}

/// A local transaction as the rest of the server sees it.
#[derive(Debug)]
pub struct TxnHandle {
    id: Txn,
    proposed: Cell<bool>,
    displaced: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl TxnHandle {
    /// Its number.
    #[must_use]
    pub const fn id(&self) -> Txn {
        self.id
    }

    /// Whether the order decides about it now.
    #[must_use]
    pub fn is_proposed(&self) -> bool {
        self.proposed.get()
    }

    /// Whether it was rolled back from outside: what it wrote is void and its locks are gone.
    #[must_use]
    pub fn is_displaced(&self) -> bool {
        self.displaced.get()
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// 1213: the transaction is rolled back and may be tried again.
#[must_use]
pub fn deadlock() -> SqlError {
    error(1213, "Deadlock found when trying to get lock; try restarting transaction")
}

impl Server {
    // ---- transactions ----

    /// Begins a local transaction.
    pub(crate) fn begin(&self) -> Rc<TxnHandle> {
        let id = Txn(self.next_txn.get());
        self.next_txn.set(id.0 + 1);
        let handle = Rc::new(TxnHandle {
            id,
            proposed: Cell::new(false),
            displaced: Cell::new(false),
            waker: RefCell::new(None),
        });
        self.txns.borrow_mut().insert(id, handle.clone());
        handle
    }

    /// Ends a local transaction: its locks go to those who wait for them.
    pub(crate) fn end(&self, txn: &TxnHandle) {
        if self.txns.borrow_mut().remove(&txn.id).is_some() {
            let granted = self.locks.borrow_mut().release_all(txn.id);
            self.wake_granted(&granted);
        }
    }

    /// From here the order decides about it.
    pub(crate) fn set_proposed(&self, txn: &TxnHandle) {
        txn.proposed.set(true);
        self.locks.borrow_mut().set_proposed(txn.id);
    }

    /// The host refused the proposal: it is an ordinary open transaction again.
    pub(crate) fn clear_proposed(&self, txn: &TxnHandle) {
        txn.proposed.set(false);
        self.locks.borrow_mut().clear_proposed(txn.id);
    }

    /// Rolls a local transaction back from outside. Its session learns it at its next step.
    pub(super) fn displace(&self, txn: Txn) {
        let handle = self.txns.borrow().get(&txn).cloned();
        let Some(handle) = handle else { return };
        assert!(!handle.proposed.get(), "a proposed transaction is the order's");
        handle.displaced.set(true);
        self.end(&handle);
        handle.wake();
    }

    fn wake_granted(&self, granted: &[Txn]) {
        let txns = self.txns.borrow();
        for txn in granted {
            if let Some(handle) = txns.get(txn) {
                handle.wake();
            }
        }
    }

    // ---- sessions ----

    /// Registers a session under a fresh connection id.
    pub(crate) fn register(&self, info: SessionInfo) -> Rc<SessionHandle> {
        let mut sessions = self.sessions.borrow_mut();
        let mut id = self.next_session.get();
        while id == 0 || sessions.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        self.next_session.set(id.wrapping_add(1));
        let handle = Rc::new(SessionHandle {
            id,
            ended: Cell::new(None),
            waker: RefCell::new(None),
            info: RefCell::new(info),
            uses: RefCell::default(),
        });
        sessions.insert(id, handle.clone());
        self.connections.set(self.connections.get() + 1);
        self.most_sessions.set(self.most_sessions.get().max(sessions.len()));
        handle
    }

    pub(crate) fn unregister(&self, session: &SessionHandle) {
        self.release_locks(session.id);
        self.unlock_tables(session.id);
        self.sessions.borrow_mut().remove(&session.id);
    }

    /// The session with a connection id.
    #[must_use]
    pub fn session(&self, id: u32) -> Option<Rc<SessionHandle>> {
        self.sessions.borrow().get(&id).cloned()
    }

    /// All sessions by connection id.
    #[must_use]
    pub fn session_list(&self) -> Vec<Rc<SessionHandle>> {
        self.sessions.borrow().values().cloned().collect()
    }

    /// Ends the sessions that have idled for their `wait_timeout`, and connections that have not logged in within
    /// `connect_timeout`. To be called about once a second.
    pub fn end_idle(&self, now_us: u64) {
        let login_us = self.globals.borrow().number("connect_timeout").saturating_mul(1_000_000);
        for session in self.sessions.borrow().values() {
            let idle = {
                let info = session.info.borrow();
                let limit_us = match info.command {
                    "Sleep" => info.idle_limit_us,
                    "Connect" => login_us,
                    _ => continue,
                };
                now_us.saturating_sub(info.since_us) >= limit_us
            };
            if idle && session.ended().is_none() {
                session.end(Ended::Idle);
            }
        }
    }

    // ---- waiting ----

    /// Takes a lock, waiting for it if need be until `timeout_us` from now.
    ///
    /// # Errors
    /// 1213 (deadlock or displaced), 1205, 1317; 3572 when `timeout_us` is `None` (NOWAIT).
    pub(crate) async fn lock(
        &self,
        session: &SessionHandle,
        txn: &TxnHandle,
        space: Space,
        key: &[u8],
        mode: Mode,
        timeout_us: Option<u64>,
    ) -> Result<(), SqlError> {
        if txn.is_displaced() {
            return Err(deadlock());
        }
        let answer = self.locks.borrow_mut().lock(txn.id, space, key, mode);
        match answer {
            Lock::Granted => return Ok(()),
            Lock::Waiting => {}
            Lock::Deadlock { victims } => {
                let lost = victims.contains(&txn.id);
                for victim in victims {
                    if victim != txn.id {
                        self.displace(victim);
                    }
                }
                if lost {
                    return Err(deadlock());
                }
            }
        }
        let Some(timeout_us) = timeout_us else {
            self.cancel_wait(txn);
            return Err(error(
                3572,
                "Statement aborted because lock(s) could not be acquired immediately and NOWAIT is set.",
            ));
        };
        let deadline = self.host.now().monotonic_us.saturating_add(timeout_us);
        let result = poll_fn(|cx| {
            if txn.is_displaced() {
                return Poll::Ready(Err(deadlock()));
            }
            if !self.locks.borrow().is_waiting(txn.id) {
                return Poll::Ready(Ok(()));
            }
            if let Err(error) = session.check(cx.waker()) {
                return Poll::Ready(Err(error));
            }
            *txn.waker.borrow_mut() = Some(cx.waker().clone());
            self.host
                .poll_deadline(deadline, cx)
                .map(|()| Err(error(1205, "Lock wait timeout exceeded; try restarting transaction")))
        });
        let guard = WaitGuard { server: self, txn };
        let result = result.await;
        drop(guard);
        result
    }

    fn cancel_wait(&self, txn: &TxnHandle) {
        let granted = self.locks.borrow_mut().cancel_wait(txn.id);
        self.wake_granted(&granted);
    }

    /// Waits until CSN `csn` is visible.
    ///
    /// # Errors
    /// 1317; 1213 when `txn` is rolled back meanwhile.
    pub(crate) async fn wait_visible(
        &self,
        session: &SessionHandle,
        txn: Option<&TxnHandle>,
        csn: Csn,
    ) -> Result<(), SqlError> {
        poll_fn(|cx| {
            if self.visible.get() >= csn {
                return Poll::Ready(Ok(()));
            }
            if txn.is_some_and(TxnHandle::is_displaced) {
                return Poll::Ready(Err(deadlock()));
            }
            if let Err(error) = session.check(cx.waker()) {
                return Poll::Ready(Err(error));
            }
            if let Some(txn) = txn {
                *txn.waker.borrow_mut() = Some(cx.waker().clone());
            }
            let mut waiters = self.visible_waiters.borrow_mut();
            // One place per wait: a task that is polled for another reason is listed already.
            if !waiters.iter().any(|(at, waker)| *at == csn && waker.will_wake(cx.waker())) {
                waiters.push((csn, cx.waker().clone()));
            }
            Poll::Pending
        })
        .await
    }

    /// Lets others run, and notices a KILL.
    ///
    /// # Errors
    /// 1317.
    pub(crate) async fn pause(&self, session: &SessionHandle) -> Result<(), SqlError> {
        let mut yielded = false;
        poll_fn(|cx| {
            if let Some(ended) = session.ended() {
                return Poll::Ready(Err(ended.error()));
            }
            if yielded {
                return Poll::Ready(Ok(()));
            }
            yielded = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// Waits for `us` microseconds.
    ///
    /// # Errors
    /// 1317.
    pub(crate) async fn sleep(&self, session: &SessionHandle, us: u64) -> Result<(), SqlError> {
        let deadline = self.host.now().monotonic_us.saturating_add(us);
        poll_fn(|cx| match session.check(cx.waker()) {
            Err(error) => Poll::Ready(Err(error)),
            Ok(()) => self.host.poll_deadline(deadline, cx).map(Ok),
        })
        .await
    }

    // ---- snapshots ----

    /// Takes the visible CSN as a snapshot to read by, and keeps its versions until
    /// [`Server::close_snapshot`].
    pub(crate) fn open_snapshot(&self) -> Csn {
        let csn = self.visible.get();
        *self.snapshots.borrow_mut().entry(csn).or_insert(0) += 1;
        csn
    }

    /// Gives a snapshot back.
    pub(crate) fn close_snapshot(&self, csn: Csn) {
        let mut snapshots = self.snapshots.borrow_mut();
        if let Some(readers) = snapshots.get_mut(&csn) {
            *readers -= 1;
            if *readers == 0 {
                snapshots.remove(&csn);
            }
        }
    }
}

/// Gives up a wait for a lock, however its future ends.
struct WaitGuard<'a> {
    server: &'a Server,
    txn: &'a TxnHandle,
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        self.server.cancel_wait(self.txn);
    }
}
