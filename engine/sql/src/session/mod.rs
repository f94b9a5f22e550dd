//! One client's session: login, commands, statements, its transaction.
//!
//! A session is driven by awaiting [`Session::handle`] for each request of its connection, to its end:
//! a future that is dropped half way rolls back what was not proposed, and nothing else. Errors go to the
//! client as MySQL's numbers and texts; only an unknown outcome closes the connection without an answer.
//!
//! Absent on purpose: sockets, buffers, TLS (the node's), and what the protocol looks like (`wire`).

mod admin;
mod cluster;
mod commit;
mod consistency;
mod constraint;
mod create_select;
mod ddl;
mod define;
mod env;
mod foreign;
#[cfg(test)]
mod foreign_tests;
mod lock_tables;
#[cfg(test)]
mod lock_tests;
mod prepared;
mod query;
mod result;
#[cfg(test)]
mod statement_tests;
mod tables;
#[cfg(test)]
mod tests;

use crate::account::{Account, AccountName};
use crate::collate::Collation;
use crate::counters::{Counter, Counters};
use crate::error::{SqlError, error};
use crate::normalize::Normal;
use crate::server::{Ended, Server, SessionInfo, UNAUTHENTICATED};
use crate::sysvar::{SessionVars, Setting};
use crate::txn::{ReadRules, Transaction};
use crate::value::{Level, Warning};
pub(crate) use create_select::HIDDEN;
use env::State;
use prepared::Prepared;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use wire::client::auth::FastDigest;
use wire::client::{Capabilities, Connection, Done, Login, Request, Status, Track};
use wire::entry::Gtid;

/// What becomes of the connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The next request may come.
    Continue,
    /// The connection closes, once what is in the out buffer is sent.
    Close,
}

/// Why a statement did not get to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// An error for the client.
    Error(SqlError),
    /// The order decided a conflict: the same, but a single statement may be tried again.
    Conflict(SqlError),
    /// The outcome is unknown: no answer is right.
    Close,
}

impl From<SqlError> for Stop {
    fn from(error: SqlError) -> Self {
        Self::Error(error)
    }
}

/// One client's session.
pub struct Session {
    state: Rc<State>,
    txn: Option<Transaction>,
    /// SET TRANSACTION without a scope: of the next transaction only.
    next_isolation: Option<crate::ast::Isolation>,
    next_read_only: Option<bool>,
    prepared: BTreeMap<u32, Prepared>,
    next_prepared: u32,
    named: BTreeMap<String, String>,
    normal: Normal,
    /// What the parser said of the statement that is about to run.
    notes: Vec<Warning>,
    /// What the client and this server agreed on.
    capabilities: Capabilities,
    multi_statements: bool,
    authenticated: bool,
    /// What LOCK TABLES named, until its locks are given up.
    locked: Option<Vec<lock_tables::Named>>,
    /// `GTID_NEXT` names a GTID that a transaction already has.
    gtid_used: bool,
}

impl Session {
    /// A session for a connection from `host` (`address` alone, as accounts match it). Its number is the
    /// connection id of the greeting.
    #[must_use]
    pub fn new(server: &Rc<Server>, host: &str) -> Self {
        let info = SessionInfo {
            user: UNAUTHENTICATED.into(),
            host: host.to_owned(),
            command: "Connect",
            state: "login",
            since_us: server.host.now().monotonic_us,
            ..SessionInfo::default()
        };
        let handle = server.register(info);
        let vars = SessionVars::new(&server.globals.borrow());
        let state = State {
            server: server.clone(),
            handle,
            vars: RefCell::new(vars),
            user_variables: RefCell::default(),
            warnings: RefCell::default(),
            database: RefCell::new(None),
            login: RefCell::new((String::new(), host.to_owned())),
            account: RefCell::new(AccountName::new("", "")),
            last_insert_id: Cell::new(0),
            row_count: Cell::new(0),
            found_rows: Cell::new(0),
            rows_without_limit: Cell::new(None),
            counters: Counters::default(),
            before: Cell::new((0, 0)),
        };
        Self {
            state: Rc::new(state),
            txn: None,
            next_isolation: None,
            next_read_only: None,
            prepared: BTreeMap::new(),
            next_prepared: 1,
            named: BTreeMap::new(),
            normal: Normal::default(),
            notes: Vec::new(),
            capabilities: Capabilities::default(),
            multi_statements: false,
            authenticated: false,
            locked: None,
            gtid_used: false,
        }
    }

    /// Its connection id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.state.handle.id()
    }

    /// Whether a transaction is open, or opens with the next statement, that has neither read nor locked anything yet: it
    /// may begin a little later without anybody seeing a difference.
    #[must_use]
    pub fn is_beginning(&self) -> bool {
        match &self.txn {
            Some(txn) => txn.explicit && !txn.has_begun(),
            None => self.authenticated && !self.state.vars.borrow().autocommit,
        }
    }

    /// Whether it is in the middle of a transaction: one of several statements, that has read or locked something.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.txn.as_ref().is_some_and(|txn| txn.explicit && txn.has_begun())
    }

    /// `Ready` once somebody ended the session (KILL, shutdown): what an idle connection waits for beside
    /// the next request, whose answer is then the error.
    pub fn poll_ended(&self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Ended> {
        match self.state.handle.watch(cx.waker()) {
            Some(ended) if ended != Ended::Statement => std::task::Poll::Ready(ended),
            _ => std::task::Poll::Pending,
        }
    }

    /// Answers one request.
    pub async fn handle(&mut self, request: Request, conn: &mut Connection) -> Flow {
        if let Some(ended) = self.state.handle.ended()
            && ended != Ended::Statement
        {
            conn.fatal(&ended.error());
            return Flow::Close;
        }
        self.state.handle.next_statement();
        let result = self.command(request, conn).await;
        if self.authenticated {
            self.idle();
        }
        match result {
            Ok(flow) => flow,
            Err(Stop::Error(error) | Stop::Conflict(error)) => {
                self.state.warn(Level::Error, error.code, error.message.clone());
                conn.answer().error(&error);
                match self.state.handle.ended() {
                    None | Some(Ended::Statement) => Flow::Continue,
                    Some(_) => {
                        conn.close();
                        Flow::Close
                    }
                }
            }
            Err(Stop::Close) => {
                self.txn = None;
                conn.close();
                Flow::Close
            }
        }
    }

    async fn command(&mut self, request: Request, conn: &mut Connection) -> Result<Flow, Stop> {
        self.count_request(&request);
        match request {
            Request::Authenticate(login) => self.authenticate(&login, conn),
            Request::LoggedIn { login, learned } => self.logged_in(&login, learned, conn),
            Request::Quit => {
                self.txn = None;
                conn.close();
                Ok(Flow::Close)
            }
            _ if !self.authenticated => Err(error(1045, "Access denied").into()),
            Request::InitDb(name) => {
                let name = String::from_utf8_lossy(&name).into_owned();
                self.use_database(&name)?;
                let track = [Track::Schema(&name)];
                conn.answer().ok(&Done { status: self.status(), track: &track, ..Done::default() });
                Ok(Flow::Continue)
            }
            Request::Query(payload) => {
                let result = self.query(&payload, conn).await;
                conn.recycle(payload);
                result.map(|()| self.flow(conn))
            }
            Request::FieldList { table, .. } => {
                self.field_list(&table, conn)?;
                Ok(Flow::Continue)
            }
            // Nothing is kept that could be flushed; as FLUSH, it ends the transaction.
            Request::Refresh(_) => {
                self.need(&["RELOAD"])?;
                self.implicit_commit().await?;
                self.ok(conn);
                Ok(Flow::Continue)
            }
            Request::Statistics => {
                let server = &self.state.server;
                let (sessions, questions, uptime) =
                    (server.session_list().len(), server.questions(), server.uptime_s());
                // Nothing opens or flushes tables: they are always open.
                let slow = server.tally.get(Counter::SlowQueries);
                let thousandths = u128::from(questions) * 1000 / u128::from(uptime.max(1));
                conn.answer().text(&format!(
                    "Uptime: {uptime}  Threads: {sessions}  Questions: {questions}  Slow queries: {slow}  Opens: 0  Flush \
                     tables: 0  Open tables: 0  Queries per second avg: {}.{:03}",
                    thousandths / 1000,
                    thousandths % 1000
                ));
                Ok(Flow::Continue)
            }
            Request::Ping => {
                self.ok(conn);
                Ok(Flow::Continue)
            }
            Request::ProcessKill(id) => {
                self.kill(u64::from(id), false)?;
                self.ok(conn);
                Ok(Flow::Continue)
            }
            Request::Debug => {
                conn.answer().eof(self.status(), 0);
                Ok(Flow::Continue)
            }
            Request::ResetConnection => {
                self.reset();
                self.ok(conn);
                Ok(Flow::Continue)
            }
            Request::SetOption { multi_statements } => {
                self.multi_statements = multi_statements;
                conn.answer().eof(self.status(), 0);
                Ok(Flow::Continue)
            }
            Request::Prepare(payload) => {
                let result = self.prepare(&payload, conn);
                conn.recycle(payload);
                result.map(|()| Flow::Continue)
            }
            Request::Execute(execute) => {
                self.execute_prepared(execute, conn).await?;
                Ok(self.flow(conn))
            }
            Request::SendLongData { statement, parameter, data } => {
                self.long_data(statement, parameter, &data);
                conn.recycle(data);
                Ok(Flow::Continue)
            }
            Request::CloseStatement(id) => {
                self.prepared.remove(&id);
                Ok(Flow::Continue)
            }
            Request::ResetStatement(id) => {
                self.reset_prepared(id)?;
                self.ok(conn);
                Ok(Flow::Continue)
            }
            Request::Fetch { .. } => Err(error(1235, "This version of Quorate doesn't yet support 'cursors'").into()),
            Request::RegisterReplica(_) | Request::BinlogDump(_) => {
                Err(error(1235, "This version of Quorate doesn't yet support 'replicas of its binary log'").into())
            }
        }
    }

    fn count_request(&self, request: &Request) {
        let counter = match request {
            Request::Authenticate(_) | Request::LoggedIn { .. } | Request::Ping | Request::Statistics => return,
            Request::InitDb(_) => Some(Counter::ChangeDb),
            Request::FieldList { .. } => Some(Counter::ShowFields),
            Request::Refresh(_) => Some(Counter::Flush),
            Request::ProcessKill(_) => Some(Counter::Kill),
            Request::Prepare(_) => Some(Counter::StmtPrepare),
            Request::Execute(_) => Some(Counter::StmtExecute),
            Request::SendLongData { .. } => Some(Counter::StmtSendLongData),
            Request::CloseStatement(_) => Some(Counter::StmtClose),
            Request::ResetStatement(_) => Some(Counter::StmtReset),
            _ => None,
        };
        // A text of several statements counts as each of them.
        if !matches!(request, Request::Query(_) | Request::Execute(_)) {
            self.state.count(Counter::Queries, 1);
        }
        if let Some(counter) = counter {
            self.state.count(counter, 1);
        }
    }

    fn flow(&self, conn: &Connection) -> Flow {
        if conn.is_closing() { Flow::Close } else { Flow::Continue }
    }

    fn ok(&self, conn: &mut Connection) {
        conn.answer().ok(&Done { status: self.status(), ..Done::default() });
    }

    // ---- login ----

    fn authenticate(&mut self, login: &Login, conn: &mut Connection) -> Result<Flow, Stop> {
        let server = &self.state.server;
        let most = server.globals.borrow().number("max_connections") as usize;
        if !login.change_user && server.session_list().len() > most {
            server.refused_connections.set(server.refused_connections.get() + 1);
            conn.fatal(&error(1040, "Too many connections"));
            return Ok(Flow::Close);
        }
        let accounts = server.accounts.borrow();
        let found = accounts.find(&login.user, conn.host());
        let credential = found.and_then(|(name, account)| account.credential(server.fast_login(name, account)));
        conn.credential(credential);
        Ok(if conn.is_closing() { Flow::Close } else { Flow::Continue })
    }

    fn logged_in(&mut self, login: &Login, learned: Option<FastDigest>, conn: &mut Connection) -> Result<Flow, Stop> {
        if login.change_user {
            self.reset();
            *self.state.database.borrow_mut() = None;
        }
        let found = {
            let accounts = self.state.server.accounts.borrow();
            accounts.find(&login.user, conn.host()).map(|(name, account)| (name.clone(), account.clone()))
        };
        let Some((name, account)) = found else {
            let text = format!("Access denied for user '{}'@'{}' (using password: YES)", login.user, conn.host());
            conn.refuse(&error(1045, text));
            return Ok(Flow::Close);
        };
        let offline = self.state.server.globals.borrow().on("offline_mode");
        if offline && !account.has_global("CONNECTION_ADMIN") {
            conn.refuse(&error(3032, "The server is currently in offline mode"));
            return Ok(Flow::Close);
        }
        if let Some(digest) = learned {
            self.state.server.learn_login(&name, &account, digest);
        }
        *self.state.login.borrow_mut() = (login.user.clone(), conn.host().to_owned());
        *self.state.account.borrow_mut() = name;
        self.authenticated = true;
        self.capabilities = login.capabilities;
        self.multi_statements = login.capabilities.has(Capabilities::MULTI_STATEMENTS);
        if login.capabilities.has(Capabilities::INTERACTIVE) {
            let idle = self.state.server.globals.borrow().number("interactive_timeout");
            self.state.vars.borrow_mut().put("wait_timeout", Setting::UInt(idle));
        }
        if let Some(collation) = Collation::from_id(login.collation) {
            let mut vars = self.state.vars.borrow_mut();
            let charset = Setting::text(collation.charset());
            for name in ["character_set_client", "character_set_connection", "character_set_results"] {
                vars.put(name, charset.clone());
            }
            vars.put("collation_connection", Setting::text(collation.name()));
        }
        {
            let mut info = self.state.handle.info.borrow_mut();
            info.user.clone_from(&login.user);
        }
        if let Some(database) = login.database.as_deref().filter(|name| !name.is_empty())
            && let Err(error) = self.use_database(database)
        {
            conn.refuse(&error);
            return Ok(Flow::Close);
        }
        conn.accept(&Done { status: self.status(), ..Done::default() });
        Ok(Flow::Continue)
    }

    /// COM_RESET_CONNECTION: as if newly logged in.
    fn reset(&mut self) {
        self.txn = None;
        self.unlock_tables();
        self.state.server.release_locks(self.state.handle.id());
        self.prepared.clear();
        self.named.clear();
        self.next_isolation = None;
        self.next_read_only = None;
        let vars = SessionVars::new(&self.state.server.globals.borrow());
        *self.state.vars.borrow_mut() = vars;
        self.state.user_variables.borrow_mut().clear();
        self.state.warnings.borrow_mut().clear();
        self.state.last_insert_id.set(0);
    }

    /// The account that the session logged in to, as it is now; one without privileges when it was dropped.
    pub(crate) fn account(&self) -> Account {
        let name = self.state.account.borrow();
        self.state.server.accounts.borrow().get(&name).cloned().unwrap_or_default()
    }

    /// USE.
    pub(crate) fn use_database(&mut self, name: &str) -> Result<(), SqlError> {
        let known = {
            let catalog = self.state.server.catalog.borrow();
            let name = catalog.database_name(name);
            catalog.database(&name).map(|_| name)
        };
        let Some(name) = known else { return Err(error(1049, format!("Unknown database '{name}'"))) };
        let account = self.account();
        if name != "information_schema" && !account.sees_database(&name) {
            let who = self.state.account.borrow();
            let text = format!("Access denied for user '{}'@'{}' to database '{name}'", who.user, who.host);
            return Err(error(1044, text));
        }
        self.state.handle.info.borrow_mut().database = Some(name.clone());
        *self.state.database.borrow_mut() = Some(name);
        Ok(())
    }

    // ---- state that clients see ----

    /// Status flags of answers.
    pub(crate) fn status(&self) -> Status {
        let vars = self.state.vars.borrow();
        let open = self.txn.as_ref().is_some_and(|txn| txn.explicit);
        let read_only = self.txn.as_ref().is_some_and(|txn| txn.read_only);
        let no_backslash = vars.sql_mode.has(crate::sysvar::sql_mode::SqlMode::NO_BACKSLASH_ESCAPES);
        Status::default()
            .with(Status::AUTOCOMMIT, vars.autocommit)
            .with(Status::IN_TRANS, open)
            .with(Status::IN_TRANS_READONLY, open && read_only)
            .with(Status::NO_BACKSLASH_ESCAPES, no_backslash)
    }

    /// The GTID to track, as text, where the session asked for it.
    pub(crate) fn tracked(&self, gtid: Option<Gtid>) -> Option<String> {
        let asked = self.state.vars.borrow().tracks_gtids;
        gtid.filter(|_| asked).map(|gtid| format!("{}:{}", gtid.uuid, gtid.number))
    }

    fn idle(&self) {
        let mut info = self.state.handle.info.borrow_mut();
        let now_us = self.state.server.host.now().monotonic_us;
        let vars = self.state.vars.borrow();
        if info.command == "Query" && now_us.saturating_sub(info.since_us) > vars.slow_us {
            self.state.count(Counter::SlowQueries, 1);
        }
        info.command = "Sleep";
        info.state = "";
        info.info = None;
        info.idle_limit_us = vars.idle_s.saturating_mul(1_000_000);
        info.since_us = now_us;
    }

    pub(crate) fn say(&self, state: &'static str) {
        self.state.handle.info.borrow_mut().state = state;
    }

    // ---- transactions ----

    pub(crate) fn read_rules(&self, isolation: Option<crate::ast::Isolation>) -> ReadRules {
        let vars = self.state.vars.borrow();
        ReadRules {
            isolation: isolation.unwrap_or(vars.isolation),
            snapshot_isolation: vars.snapshot_isolation,
            lock_timeout_us: Some(vars.lock_wait_s.saturating_mul(1_000_000)),
        }
    }

    /// A new transaction with the session's characteristics.
    pub(crate) fn begin(&mut self, explicit: bool, read_only: Option<bool>) -> Transaction {
        let isolation = self.next_isolation.take();
        let rules = self.read_rules(isolation);
        let read_only = read_only.or(self.next_read_only.take()).unwrap_or(self.state.vars.borrow().read_only);
        Transaction::new(self.state.server.clone(), rules, read_only, explicit)
    }

    /// 1290 on a member that must not write.
    pub(crate) fn check_writable(&self) -> Result<(), SqlError> {
        let globals = self.state.server.globals.borrow();
        let (super_read_only, read_only) = (globals.on("super_read_only"), globals.on("read_only"));
        if !super_read_only && !read_only {
            return Ok(());
        }
        let account = self.account();
        let privileged = account.has_global("CONNECTION_ADMIN") || account.has_global("SUPER");
        if privileged && !super_read_only {
            return Ok(());
        }
        let option = if privileged { "--super-read-only" } else { "--read-only" };
        Err(error(
            1290,
            format!("The MySQL server is running with the {option} option so it cannot execute this statement"),
        ))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.txn = None;
        self.state.server.unregister(&self.state.handle);
    }
}
