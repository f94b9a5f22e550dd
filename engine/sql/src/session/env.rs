//! What expressions and statements ask of their session.

use crate::account::AccountName;
use crate::ast::{Scope, SystemVariable};
use crate::collate::Collation;
use crate::counters::{Counter, Counters};
use crate::error::{SqlError, error};
use crate::exec::{StatementEnv, Wait};
use crate::expr::{Env, Type};
use crate::host::Now;
use crate::plan::VirtualTables;
use crate::server::{Ended, Server, SessionHandle};
use crate::sysvar::SessionVars;
use crate::sysvar::sql_mode::SqlMode;
use crate::temporal::{self, DateRules};
use crate::value::{Level, Value, Warning};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use wire::gtid::GtidSet;

/// Most warnings that a statement keeps (`max_error_count`).
const WARNINGS_MAX: usize = 1024;

/// The parts of a session that a running statement reads and writes.
pub struct State {
    /// Its server.
    pub server: Rc<Server>,
    /// Its place in the process list.
    pub handle: Rc<SessionHandle>,
    /// Its system variables.
    pub vars: RefCell<SessionVars>,
    /// `@a`, names in lower case.
    pub user_variables: RefCell<BTreeMap<String, Value>>,
    /// What SHOW WARNINGS shows.
    pub warnings: RefCell<Vec<Warning>>,
    /// The current database.
    pub database: RefCell<Option<String>>,
    /// USER(), as logged in: name and host.
    pub login: RefCell<(String, String)>,
    /// The account that it logged in to.
    pub account: RefCell<AccountName>,
    /// LAST_INSERT_ID().
    pub last_insert_id: Cell<u64>,
    /// ROW_COUNT().
    pub row_count: Cell<i64>,
    /// FOUND_ROWS().
    pub found_rows: Cell<u64>,
    /// What FOUND_ROWS() will be after a SELECT SQL_CALC_FOUND_ROWS.
    pub rows_without_limit: Cell<Option<u64>>,
    /// Statements and rows of the session.
    pub counters: Counters,
    /// How many warnings, and errors among them, the statement before left.
    pub before: Cell<(u16, u16)>,
}

impl State {
    /// Notes something for SHOW WARNINGS.
    pub fn warn(&self, level: Level, code: u16, message: impl Into<String>) {
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < WARNINGS_MAX {
            warnings.push(Warning { level, code, message: message.into() });
        }
    }

    /// Counts for the session and the server.
    pub fn count(&self, counter: Counter, by: u64) {
        self.counters.add(counter, by);
        self.server.tally.add(counter, by);
    }

    /// Forgets the last statement's warnings, but for how many there were.
    pub fn clear_warnings(&self) {
        let mut warnings = self.warnings.borrow_mut();
        let errors = warnings.iter().filter(|warning| warning.level == Level::Error).count();
        let count = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        self.before.set((count(warnings.len()), count(errors)));
        warnings.clear();
    }

    /// How many warnings the statement has.
    pub fn warning_count(&self) -> u16 {
        u16::try_from(self.warnings.borrow().len()).unwrap_or(u16::MAX)
    }

    /// `collation_connection`.
    pub fn collation(&self) -> Collation {
        self.vars.borrow().collation
    }

    /// `sql_mode`.
    pub fn sql_mode(&self) -> SqlMode {
        self.vars.borrow().sql_mode
    }

    /// Whether strict mode is on.
    pub fn strict(&self) -> bool {
        let mode = self.sql_mode();
        mode.has(SqlMode::STRICT_TRANS_TABLES) || mode.has(SqlMode::STRICT_ALL_TABLES)
    }

    /// Which dates may be stored now.
    pub fn date_rules_now(&self) -> DateRules {
        self.date_rules(self.server.host.now().unix_us)
    }

    fn date_rules(&self, unix_us: u64) -> DateRules {
        let (zone, mode) = (self.vars.borrow().zone_minutes, self.sql_mode());
        let local = temporal::from_unix_us(i64::try_from(unix_us).unwrap_or(0), zone).unwrap_or_default();
        DateRules {
            zone,
            no_zero_date: mode.has(SqlMode::NO_ZERO_DATE),
            no_zero_in_date: mode.has(SqlMode::NO_ZERO_IN_DATE),
            allow_invalid_dates: mode.has(SqlMode::ALLOW_INVALID_DATES),
            today: temporal::date_of(local),
        }
    }

    /// The value of a system variable.
    ///
    /// # Errors
    /// 1193, 1238.
    pub fn variable(&self, variable: &SystemVariable) -> Result<Value, SqlError> {
        let name = variable.name.to_ascii_lowercase();
        let session = !matches!(variable.scope, Some(Scope::Global | Scope::Persist | Scope::PersistOnly));
        match name.as_str() {
            "gtid_executed" if !session || variable.scope.is_none() => {
                return Ok(Value::text(self.server.host.status().gtid_executed.as_str()));
            }
            "last_insert_id" | "identity" if session => return Ok(Value::uint(self.last_insert_id.get())),
            "warning_count" if session => return Ok(Value::Int(i64::from(self.before.get().0))),
            "error_count" if session => return Ok(Value::Int(i64::from(self.before.get().1))),
            "timestamp" if session => {
                let set = self.vars.borrow().timestamp_us;
                return Ok(Value::Double(set.unwrap_or_else(|| self.server.host.now().unix_us) as f64 / 1e6));
            }
            "pseudo_thread_id" if session => return Ok(Value::uint(u64::from(self.handle.id()))),
            _ => {}
        }
        let globals = self.server.globals.borrow();
        globals.read(variable.scope, &variable.name, &self.vars.borrow()).map(|setting| setting.to_value())
    }
}

/// Rows of a subquery that was carried out before.
type Prepared = Rc<Vec<Vec<Value>>>;

/// One statement's view of its session.
pub struct Statement {
    state: Rc<State>,
    params: Rc<[Value]>,
    slots: RefCell<Vec<Option<Prepared>>>,
    missing: Cell<Option<usize>>,
    outer: RefCell<Vec<Value>>,
    inserted: RefCell<Vec<Value>>,
    now: Now,
    rules: DateRules,
    /// It changes data under strict mode and without IGNORE: what would be a warning of a wrong value ends it.
    strict: bool,
    fault: RefCell<Option<SqlError>>,
}

/// Warnings that strict mode makes errors of statements that change data.
const fn ends_strict_changes(code: u16) -> bool {
    matches!(code, 1048 | 1260 | 1264 | 1265 | 1292 | 1364 | 1366 | 1406 | 1411 | 1441 | 3020)
}

impl Statement {
    /// A statement with its parameters and so many places for what runs beforehand; `strict` for one that changes data
    /// under strict mode, without IGNORE.
    pub fn new(state: Rc<State>, params: Rc<[Value]>, slots: usize, strict: bool) -> Self {
        let mut now = state.server.host.now();
        now.unix_us = state.vars.borrow().timestamp_us.unwrap_or(now.unix_us);
        let rules = state.date_rules(now.unix_us);
        Self {
            state,
            params,
            slots: RefCell::new(vec![None; slots]),
            missing: Cell::new(None),
            outer: RefCell::default(),
            inserted: RefCell::default(),
            now,
            rules,
            strict,
            fault: RefCell::default(),
        }
    }
}

impl Env for Statement {
    fn param(&self, at: u16) -> Result<&Value, SqlError> {
        self.params.get(usize::from(at)).ok_or_else(|| error(1210, "Incorrect arguments to EXECUTE"))
    }

    fn prepared(&self, at: usize) -> Result<Rc<Vec<Vec<Value>>>, SqlError> {
        self.slots.borrow().get(at).cloned().flatten().ok_or_else(|| {
            self.missing.set(Some(at));
            error(1815, "Internal error: a subquery that was not run")
        })
    }

    fn outer(&self, at: usize) -> Value {
        self.outer.borrow().get(at).cloned().unwrap_or_default()
    }

    fn inserted(&self, column: usize) -> Value {
        self.inserted.borrow().get(column).cloned().unwrap_or_default()
    }

    fn system_variable(&self, variable: &SystemVariable) -> Result<Value, SqlError> {
        self.state.variable(variable)
    }

    fn user_variable(&self, name: &str) -> Value {
        self.state.user_variables.borrow().get(name).cloned().unwrap_or_default()
    }

    fn set_user_variable(&self, name: &str, value: Value) {
        self.state.user_variables.borrow_mut().insert(name.to_owned(), value);
    }

    fn now(&self) -> Now {
        self.now
    }

    fn date_rules(&self) -> DateRules {
        self.rules
    }

    fn random(&self) -> u64 {
        self.state.server.host.random()
    }

    fn database(&self) -> Option<String> {
        self.state.database.borrow().clone()
    }

    fn user(&self) -> String {
        let login = self.state.login.borrow();
        format!("{}@{}", login.0, login.1)
    }

    fn current_user(&self) -> String {
        let account = self.state.account.borrow();
        format!("{}@{}", account.user, account.host)
    }

    fn connection_id(&self) -> u32 {
        self.state.handle.id()
    }

    fn last_insert_id(&self, set: Option<u64>) -> u64 {
        if let Some(id) = set {
            self.state.last_insert_id.set(id);
        }
        self.state.last_insert_id.get()
    }

    fn row_count(&self) -> i64 {
        self.state.row_count.get()
    }

    fn found_rows(&self) -> u64 {
        self.state.found_rows.get()
    }

    fn version(&self) -> String {
        self.state.server.globals.borrow().text("version")
    }

    fn zero_divisor_is_error(&self) -> bool {
        self.strict && self.state.sql_mode().has(SqlMode::ERROR_FOR_DIVISION_BY_ZERO)
    }

    fn zero_divisor_is_noted(&self) -> bool {
        self.state.sql_mode().has(SqlMode::ERROR_FOR_DIVISION_BY_ZERO)
    }

    fn warn(&self, warning: Warning) {
        if self.strict && warning.level == Level::Warning && ends_strict_changes(warning.code) {
            self.fault.borrow_mut().get_or_insert_with(|| error(warning.code, warning.message));
            return;
        }
        self.state.warn(warning.level, warning.code, warning.message);
    }

    fn session_function(&self, _name: &str, _args: &[Value]) -> Option<Result<Value, SqlError>> {
        None
    }
}

impl StatementEnv for Statement {
    fn count(&self, counter: Counter, by: u64) {
        self.state.count(counter, by);
    }

    fn fault(&self) -> Result<(), SqlError> {
        if !self.strict {
            return Ok(());
        }
        self.fault.borrow_mut().take().map_or(Ok(()), Err)
    }

    fn set_prepared(&self, at: usize, rows: Vec<Vec<Value>>) {
        self.slots.borrow_mut()[at] = Some(Rc::new(rows));
    }

    fn forget_prepared(&self, at: usize) {
        self.slots.borrow_mut()[at] = None;
    }

    fn missing(&self) -> Option<usize> {
        self.missing.take()
    }

    fn set_outer(&self, at: usize, value: Value) {
        let mut outer = self.outer.borrow_mut();
        if outer.len() <= at {
            outer.resize(at + 1, Value::Null);
        }
        outer[at] = value;
    }

    fn set_rows_without_limit(&self, rows: u64) {
        self.state.rows_without_limit.set(Some(rows));
    }

    fn set_inserted(&self, row: Vec<Value>) {
        *self.inserted.borrow_mut() = row;
    }

    fn virtual_rows(&self, schema: &str, name: &str) -> Result<Vec<Vec<Value>>, SqlError> {
        super::tables::rows(&self.state, schema, name)
    }

    fn waiting_call<'a>(&'a self, name: &'a str, args: Vec<Value>) -> Wait<'a, Value> {
        Box::pin(async move {
            match name {
                "SLEEP" => {
                    let seconds = args.first().and_then(Value::to_f64).unwrap_or(0.0).clamp(0.0, 1e9);
                    let slept = self.state.server.sleep(&self.state.handle, (seconds * 1e6) as u64).await;
                    match (slept, self.state.handle.ended()) {
                        (Ok(()), _) => Ok(Value::Int(0)),
                        // What KILL QUERY means for the rest of the statement is the executor's.
                        (Err(_), Some(Ended::Statement)) => Ok(Value::Int(1)),
                        (Err(error), _) => Err(error),
                    }
                }
                "WAIT_FOR_EXECUTED_GTID_SET" => self.wait_for_gtids(&args).await,
                "GET_LOCK" | "RELEASE_LOCK" | "RELEASE_ALL_LOCKS" | "IS_FREE_LOCK" | "IS_USED_LOCK" => {
                    self.named_lock(name, &args).await
                }
                "GROUP_REPLICATION_GET_WRITE_CONCURRENCY" => {
                    Ok(Value::uint(self.state.server.host.status().write_concurrency))
                }
                "GROUP_REPLICATION_GET_COMMUNICATION_PROTOCOL" => Ok(Value::text("8.0.27")),
                other => {
                    Err(error(1235, format!("This version of Quorate doesn't yet support '{}'", other.to_lowercase())))
                }
            }
        })
    }
}

/// Longest name of a lock, in characters.
const LOCK_CHARS_MAX: usize = 64;

impl Statement {
    /// GET_LOCK and its family. Such locks are this member's own; nobody else in the group sees them.
    async fn named_lock(&self, function: &str, args: &[Value]) -> Result<Value, SqlError> {
        let (server, session) = (&self.state.server, self.state.handle.id());
        if function == "RELEASE_ALL_LOCKS" {
            return Ok(Value::uint(server.release_locks(session)));
        }
        let wrong = |name: &str| error(3057, format!("Incorrect user-level lock name '{name}'."));
        let Some(name) = args.first().and_then(Value::to_text) else { return Err(wrong("NULL")) };
        if name.is_empty() || name.chars().count() > LOCK_CHARS_MAX {
            return Err(wrong(&name));
        }
        let name = name.to_lowercase();
        match function {
            "IS_FREE_LOCK" => return Ok(Value::bool(server.lock_holder(&name).is_none())),
            "IS_USED_LOCK" => {
                return Ok(server.lock_holder(&name).map_or(Value::Null, |holder| Value::uint(u64::from(holder))));
            }
            "RELEASE_LOCK" => return Ok(server.give_lock(&name, session).map_or(Value::Null, Value::bool)),
            _ => {}
        }
        let begun = server.host.now().monotonic_us;
        let deadline = match args.get(1).and_then(Value::to_f64) {
            Some(seconds) if seconds >= 0.0 => begun.saturating_add((seconds.min(1e9) * 1e6) as u64),
            // NULL is 0; less is without end.
            None => begun,
            Some(_) => u64::MAX,
        };
        loop {
            if server.take_lock(&name, session) {
                return Ok(Value::Int(1));
            }
            let now = server.host.now().monotonic_us;
            if now >= deadline {
                return Ok(Value::Int(0));
            }
            server.sleep(&self.state.handle, (deadline - now).min(10_000)).await?;
        }
    }

    async fn wait_for_gtids(&self, args: &[Value]) -> Result<Value, SqlError> {
        let Some(text) = args.first().and_then(Value::to_text) else { return Ok(Value::Null) };
        let parse = |text: &str| {
            GtidSet::parse(text).map_err(|_| error(1772, format!("Malformed GTID set specification '{text}'.")))
        };
        let wanted = parse(&text)?;
        let server = &self.state.server;
        let begun = server.host.now().monotonic_us;
        let deadline = match args.get(1).and_then(Value::to_f64) {
            Some(seconds) if seconds > 0.0 => begun.saturating_add((seconds * 1e6) as u64),
            _ => u64::MAX,
        };
        loop {
            let executed = parse(&server.host.status().gtid_executed)?;
            if wanted.is_subset(&executed) {
                return Ok(Value::Int(0));
            }
            let now = server.host.now().monotonic_us;
            if now >= deadline {
                return Ok(Value::Int(1));
            }
            server.sleep(&self.state.handle, (deadline - now).min(10_000)).await?;
        }
    }
}

/// The computed tables, for the planner.
pub struct Tables;

impl VirtualTables for Tables {
    fn columns(&self, schema: &str, name: &str) -> Option<Vec<(String, Type)>> {
        super::tables::columns(schema, name)
    }
}
