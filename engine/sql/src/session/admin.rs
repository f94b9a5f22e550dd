//! Everything that is neither rows nor tables: transaction control, SET, SHOW, accounts, the group, KILL.

use super::commit::account_error;
use super::result::ResultSink;
use super::{Session, Stop};
use crate::account::{self, Asker};
use crate::ast::{self, Expr, Literal, SetItem, SourceValue, Statement};
use crate::collate::Collation;
use crate::counters::Counter;
use crate::error::{SqlError, error};
use crate::exec::Sink;
use crate::host::{GroupCommand, LocalChange};
use crate::plan::{Output, unsupported};
use crate::server::Ended;
use crate::show::Shown;
use crate::sysvar::{self, Input, SetContext, Setting};
use crate::value::{Level, Value};
use engine_store::Space;
use std::future::poll_fn;
use std::rc::Rc;
use wire::client::{Connection, Done, Status};
use wire::entry::CatalogChange;

/// Why a channel takes no such command.
fn channel_refused(command: &str, channel: &str) -> SqlError {
    error(3139, format!("{command} cannot be performed on channel '{channel}'."))
}

const FORCE_MEMBERS: &str = "group_replication_force_members";

impl Session {
    /// Runs a statement that has no plan.
    pub(super) async fn run_other(
        &mut self,
        statement: &Statement,
        text: &str,
        params: &Rc<[Value]>,
        conn: &mut Connection,
        binary: bool,
        more: bool,
    ) -> Result<(), Stop> {
        match statement {
            Statement::Empty => {}
            Statement::Begin { consistent_snapshot, read_only } => {
                self.implicit_commit().await?;
                self.unlock_tables();
                let mut txn = self.begin(true, *read_only);
                if *consistent_snapshot {
                    self.await_turn(&mut txn).await?;
                    txn.snapshot();
                }
                self.txn = Some(txn);
            }
            Statement::Commit { chain, release } => {
                let old = self.txn.take();
                let (rules, read_only) =
                    old.as_ref().map_or_else(|| (self.read_rules(None), None), |txn| (txn.rules, Some(txn.read_only)));
                let gtid = match old {
                    Some(txn) => self.commit(txn).await?,
                    None => None,
                };
                if *chain {
                    self.chain(rules.isolation, read_only);
                }
                self.done(0, gtid, conn, more);
                if *release {
                    conn.close();
                }
                return Ok(());
            }
            Statement::Rollback { chain, release } => {
                let old = self.txn.take();
                self.state.count(Counter::HandlerRollback, u64::from(old.is_some()));
                if let (true, Some(txn)) = (*chain, &old) {
                    let (isolation, read_only) = (txn.rules.isolation, txn.read_only);
                    drop(old);
                    self.chain(isolation, Some(read_only));
                }
                if *release {
                    self.done(0, None, conn, more);
                    conn.close();
                    return Ok(());
                }
            }
            Statement::Savepoint(name) => {
                if self.txn.is_none() && !self.state.vars.borrow().autocommit {
                    let txn = self.begin(true, None);
                    self.txn = Some(txn);
                }
                self.check_open()?;
                if let Some(txn) = &mut self.txn {
                    txn.savepoint(name);
                    self.state.count(Counter::HandlerSavepoint, 1);
                }
            }
            Statement::RollbackTo(name) => {
                self.check_open()?;
                self.open_or_unknown(name)?.rollback_to_savepoint(name)?;
                self.state.count(Counter::HandlerSavepointRollback, 1);
            }
            Statement::ReleaseSavepoint(name) => {
                self.check_open()?;
                self.open_or_unknown(name)?.release_savepoint(name)?;
            }
            Statement::LockTables(list) => self.lock_tables(list).await?,
            Statement::UnlockTables => {
                if self.locked.is_some() {
                    self.implicit_commit().await?;
                    self.unlock_tables();
                }
            }
            Statement::LockInstance | Statement::UnlockInstance => {}
            Statement::Use(name) => {
                self.use_database(name)?;
                let track = [wire::client::Track::Schema(name)];
                let status = self.status().with(Status::MORE_RESULTS, more);
                conn.answer().ok(&Done { status, track: &track, ..Done::default() });
                return Ok(());
            }
            Statement::Set(items) => self.set(items, params).await?,
            Statement::Do(exprs) => {
                self.values(exprs, params.clone()).await?;
            }
            Statement::Kill { query, id } => {
                let values = self.values(std::slice::from_ref(id), params.clone()).await?;
                let id = values.first().and_then(Value::to_bits).unwrap_or(0);
                self.kill(id, *query)?;
                // Who ends itself hears of it.
                if u64::from(self.state.handle.id()) == id {
                    return Err(Ended::Killed.error().into());
                }
            }
            Statement::Flush(what) => {
                if what.contains(&ast::FlushWhat::Status) {
                    self.state.counters.clear();
                }
                let locks = |what: &ast::FlushWhat| matches!(what, ast::FlushWhat::Tables { read_lock: true, .. });
                if !what.iter().any(locks) {
                    self.implicit_commit().await?;
                }
            }
            Statement::Shutdown => {
                self.need(&["SHUTDOWN"])?;
                self.host().shutdown();
            }
            Statement::Prepare { name, from } => {
                let values = self.values(std::slice::from_ref(from), params.clone()).await?;
                let text = values.first().and_then(Value::to_text).unwrap_or_default().into_owned();
                // One of the name is gone, whatever becomes of the new one.
                self.named.remove(&name.to_lowercase());
                let parsed = crate::parse::parse_with_params(text.as_bytes(), self.state.sql_mode())?;
                if let Statement::Select(_) | Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) =
                    parsed.statement
                {
                    self.make_plan(&parsed.statement)?;
                }
                self.named.insert(name.to_lowercase(), text);
            }
            Statement::Execute { name, using } => return self.execute_named(name, using, conn, binary, more).await,
            Statement::Call(name) => {
                let database = self.state.database.borrow().clone();
                let schema = name.schema.clone().or(database).ok_or_else(|| error(1046, "No database selected"))?;
                return Err(error(1305, format!("PROCEDURE {schema}.{} does not exist", name.name)).into());
            }
            Statement::Deallocate(name) => {
                if self.named.remove(&name.to_lowercase()).is_none() {
                    let text = format!("Unknown prepared statement handler ({name}) given to DEALLOCATE PREPARE");
                    return Err(error(1243, text).into());
                }
            }
            Statement::CreateUser { .. }
            | Statement::AlterUser { .. }
            | Statement::DropUser { .. }
            | Statement::RenameUser(_)
            | Statement::Grant(_)
            | Statement::Revoke(_)
            | Statement::SetPassword { .. } => return self.accounts(statement, text, conn, more).await,
            Statement::StartGroupReplication { user, password, .. } => {
                self.need(&["GROUP_REPLICATION_ADMIN", "SUPER"])?;
                self.check_no_transaction()?;
                if !self.state.server.globals.borrow().plugin_installed() {
                    return Err(error(3092, "The server is not configured properly to be an active member of the group. Please see more details on error log.").into());
                }
                let command = GroupCommand::Start { user: user.clone(), password: password.clone() };
                self.group_command(command).await?;
            }
            Statement::StopGroupReplication => {
                self.need(&["GROUP_REPLICATION_ADMIN", "SUPER"])?;
                self.check_no_transaction()?;
                self.group_command(GroupCommand::Stop).await?;
            }
            Statement::ChangeReplicationSource(change) => self.change_source(change)?,
            Statement::InstallPlugin { name, soname } => self.install_plugin(name, soname)?,
            Statement::UninstallPlugin(name) => self.uninstall_plugin(name).await?,
            Statement::StartReplica(threads) => {
                return Err(self.replica_refused("START REPLICA", threads.channel.as_deref()).into());
            }
            Statement::StopReplica(threads) => {
                return Err(self.replica_refused("STOP REPLICA", threads.channel.as_deref()).into());
            }
            Statement::ResetReplica { channel, .. } => {
                return Err(self.replica_refused("RESET REPLICA", channel.as_deref()).into());
            }
            Statement::ResetBinaryLogs if self.host().status().running => {
                return Err(error(
                    3190,
                    "RESET BINARY LOGS AND GTIDS is not allowed because Group Replication is running.",
                )
                .into());
            }
            Statement::ResetPersist { if_exists, name } => self.reset_persist(*if_exists, name.as_deref())?,
            Statement::Explain(inner) => {
                let plan = self.make_plan(inner)?;
                self.check_privileges(&plan)?;
                let shown = {
                    let store = self.state.server.store.borrow();
                    let count = |table| store.space_len(Space { table, number: 0 }) as u64;
                    crate::show::explained(crate::plan::explain(&plan, &count))
                };
                return self.answer_shown(&shown, conn, binary, more).await;
            }
            Statement::Show(show) => return self.show(show, conn, binary, more).await,
            Statement::TableMaintenance { what, names } => {
                self.implicit_commit().await?;
                let shown = self.maintained(*what, names)?;
                return self.answer_shown(&shown, conn, binary, more).await;
            }
            Statement::CreateDatabase(_)
            | Statement::AlterDatabase { .. }
            | Statement::DropDatabase { .. }
            | Statement::CreateTable(_)
            | Statement::DropTable { .. }
            | Statement::Truncate(_)
            | Statement::RenameTable(_)
            | Statement::AlterTable { .. }
            | Statement::CreateIndex { .. }
            | Statement::DropIndex { .. } => return self.ddl(statement, text, conn, more).await,
            other => {
                let text = format!("{other:?}");
                let name = text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned();
                return Err(unsupported(&name).into());
            }
        }
        self.done(0, None, conn, more);
        Ok(())
    }

    fn chain(&mut self, isolation: ast::Isolation, read_only: Option<bool>) {
        self.next_isolation = Some(isolation);
        let txn = self.begin(true, read_only);
        self.txn = Some(txn);
    }

    /// 1213 for a transaction that was rolled back from outside; it is then over.
    fn check_open(&mut self) -> Result<(), SqlError> {
        let result = self.txn.as_ref().map_or(Ok(()), crate::txn::Transaction::check);
        if result.is_err() {
            self.txn = None;
        }
        result
    }

    fn open_or_unknown(&mut self, name: &str) -> Result<&mut crate::txn::Transaction, SqlError> {
        self.txn.as_mut().ok_or_else(|| error(1305, format!("SAVEPOINT {name} does not exist")))
    }

    /// Commits an open transaction before a statement that is none of it.
    pub(super) async fn implicit_commit(&mut self) -> Result<(), Stop> {
        if let Some(txn) = self.txn.take() {
            self.commit(txn).await?;
        }
        Ok(())
    }

    pub(super) fn check_no_transaction(&self) -> Result<(), SqlError> {
        if self.locked.is_some() || self.txn.as_ref().is_some_and(|txn| txn.explicit) {
            return Err(error(
                1192,
                "Can't execute the given command because you have active locked tables or an active transaction",
            ));
        }
        Ok(())
    }

    pub(super) fn need(&self, privileges: &[&str]) -> Result<(), SqlError> {
        account::require_global(&self.account(), privileges)
    }

    async fn execute_named(
        &mut self,
        name: &str,
        using: &[String],
        conn: &mut Connection,
        binary: bool,
        more: bool,
    ) -> Result<(), Stop> {
        let found = self.named.get(&name.to_lowercase()).cloned();
        let Some(text) = found else {
            return Err(error(1243, format!("Unknown prepared statement handler ({name}) given to EXECUTE")).into());
        };
        let parsed = crate::parse::parse_with_params(text.as_bytes(), self.state.sql_mode())?;
        if usize::from(parsed.params) != using.len() {
            return Err(error(1210, "Incorrect arguments to EXECUTE").into());
        }
        if let Statement::Execute { .. } | Statement::Prepare { .. } | Statement::Deallocate(_) = parsed.statement {
            return Err(error(1295, "This command is not supported in the prepared statement protocol yet").into());
        }
        let params: Rc<[Value]> = {
            let variables = self.state.user_variables.borrow();
            using.iter().map(|name| variables.get(&name.to_lowercase()).cloned().unwrap_or_default()).collect()
        };
        Box::pin(self.run(&parsed.statement, None, &text, params, conn, binary, more)).await
    }

    /// KILL.
    pub(super) fn kill(&self, id: u64, query: bool) -> Result<(), SqlError> {
        let found = u32::try_from(id).ok().and_then(|id| self.state.server.session(id));
        let Some(session) = found else { return Err(error(1094, format!("Unknown thread id: {id}"))) };
        let own = session.info.borrow().user == self.state.login.borrow().0;
        if !own && self.need(&["CONNECTION_ADMIN", "SUPER"]).is_err() {
            return Err(error(1095, format!("You are not owner of thread {id}")));
        }
        session.end(if query { Ended::Statement } else { Ended::Killed });
        Ok(())
    }

    // ---- SET ----

    async fn set(&mut self, items: &[SetItem], params: &Rc<[Value]>) -> Result<(), Stop> {
        for item in items {
            match item {
                SetItem::UserVariable { name, value } => {
                    let value = self.one_value(value, params).await?;
                    self.state.user_variables.borrow_mut().insert(name.to_lowercase(), value);
                }
                SetItem::System { scope, name, value } => {
                    let input = match value {
                        Expr::Default(None) => Input::Default,
                        value => Input::Value(self.one_value(value, params).await?),
                    };
                    self.set_variable(*scope, name, &input).await?;
                }
                SetItem::Names { charset, collation } => {
                    self.set_names(charset.as_deref(), collation.as_deref())?;
                }
                SetItem::CharacterSet(charset) => self.set_names(charset.as_deref(), None)?,
                SetItem::Transaction { scope, isolation, read_only } => {
                    if let Some(scope) = scope {
                        if let Some(isolation) = isolation {
                            let input = Input::Value(Value::text(isolation.name()));
                            self.set_variable(Some(*scope), "transaction_isolation", &input).await?;
                        }
                        if let Some(read_only) = read_only {
                            let input = Input::Value(Value::bool(*read_only));
                            self.set_variable(Some(*scope), "transaction_read_only", &input).await?;
                        }
                    } else {
                        if self.txn.as_ref().is_some_and(|txn| txn.explicit) {
                            let text =
                                "Transaction characteristics can't be changed while a transaction is in progress";
                            return Err(error(1568, text).into());
                        }
                        self.next_isolation = isolation.or(self.next_isolation);
                        self.next_read_only = read_only.or(self.next_read_only);
                    }
                }
            }
        }
        Ok(())
    }

    async fn one_value(&mut self, expr: &Expr, params: &Rc<[Value]>) -> Result<Value, Stop> {
        if let Expr::Literal(Literal::String { text, .. }) = expr {
            return Ok(Value::text(text.as_str()));
        }
        let values = self.values(std::slice::from_ref(expr), params.clone()).await?;
        Ok(values.into_iter().next().unwrap_or_default())
    }

    fn set_names(&mut self, charset: Option<&str>, collation: Option<&str>) -> Result<(), SqlError> {
        let chosen = super::define::collation(charset, collation, Collation::DEFAULT)?;
        let mut vars = self.state.vars.borrow_mut();
        let name = Setting::text(chosen.charset());
        for variable in ["character_set_client", "character_set_connection", "character_set_results"] {
            vars.put(variable, name.clone());
        }
        vars.put("collation_connection", Setting::text(chosen.name()));
        Ok(())
    }

    async fn set_variable(&mut self, scope: Option<ast::Scope>, name: &str, input: &Input) -> Result<(), Stop> {
        let account = self.account();
        let has = |privilege: &str| account.has_global(privilege) || account.has_global("SUPER");
        let system_admin = has("SYSTEM_VARIABLES_ADMIN");
        let context = SetContext {
            system_admin,
            group_admin: has("GROUP_REPLICATION_ADMIN"),
            session_admin: has("SESSION_VARIABLES_ADMIN") || system_admin,
            persist_admin: has("PERSIST_RO_VARIABLES_ADMIN"),
            running: self.host().is_running(),
            changing: false,
            in_transaction: self.txn.as_ref().is_some_and(|txn| txn.explicit),
        };
        let was_autocommit = self.state.vars.borrow().autocommit;
        let forces = name.eq_ignore_ascii_case(FORCE_MEMBERS);
        let force_before = self.state.server.globals.borrow().text(FORCE_MEMBERS);
        let applied = {
            let mut globals = self.state.server.globals.borrow_mut();
            let mut vars = self.state.vars.borrow_mut();
            sysvar::set(&mut globals, &mut vars, scope, name, input, &context)?
        };
        if forces && let Err(stop) = self.force_members().await {
            self.state.server.globals.borrow_mut().put(FORCE_MEMBERS, Setting::text(&force_before));
            return Err(stop);
        }
        for warning in applied.warnings {
            self.state.warn(warning.level, warning.code, warning.message);
        }
        if let Some((name, value)) = applied.persist {
            let change = LocalChange::Setting { name: format!("persist/{name}"), value: Some(value) };
            self.journal(&change)?;
        }
        if name.eq_ignore_ascii_case("gtid_next") {
            self.gtid_used = false;
        }
        let sets_id = name.eq_ignore_ascii_case("last_insert_id") || name.eq_ignore_ascii_case("identity");
        if let (true, Setting::UInt(id)) = (sets_id, self.state.vars.borrow().get(applied.id)) {
            self.state.last_insert_id.set(*id);
        }
        // Turning autocommit on commits what is open.
        if !was_autocommit && self.state.vars.borrow().autocommit {
            self.implicit_commit().await?;
        }
        Ok(())
    }

    /// The variable was given a list: the group is to become what it names. It keeps the list only then.
    async fn force_members(&mut self) -> Result<(), Stop> {
        let list = self.state.server.globals.borrow().text(FORCE_MEMBERS);
        let addresses: Vec<String> = list.split(',').map(|address| address.trim().to_owned()).collect();
        if list.trim().is_empty() {
            return Ok(());
        }
        self.group_command(GroupCommand::Force { addresses }).await
    }

    fn reset_persist(&self, if_exists: bool, name: Option<&str>) -> Result<(), SqlError> {
        self.need(&["SYSTEM_VARIABLES_ADMIN", "SUPER"])?;
        let kept = self.state.server.persisted();
        let chosen: Vec<&str> = match name {
            None => kept.iter().map(|(name, _)| name.as_str()).collect(),
            Some(name) => {
                kept.iter().map(|(name, _)| name.as_str()).filter(|kept| kept.eq_ignore_ascii_case(name)).collect()
            }
        };
        if let (Some(name), true) = (name, chosen.is_empty()) {
            let missing = crate::error::not_persisted(name);
            if !if_exists {
                return Err(missing);
            }
            self.state.warn(Level::Warning, missing.code, missing.message);
        }
        for name in chosen {
            self.journal(&LocalChange::Setting { name: format!("persist/{name}"), value: None })?;
        }
        Ok(())
    }

    /// Writes to the local journal, then does it.
    fn journal(&self, change: &LocalChange) -> Result<(), SqlError> {
        let failed = |what: String| error(1026, format!("Error writing file 'journal': {what}"));
        self.host().journal(change).map_err(failed)?;
        self.state.server.replay_local(change).map_err(|fault| error(1815, format!("Internal error: {fault}")))
    }

    // ---- accounts ----

    async fn accounts(
        &mut self,
        statement: &Statement,
        text: &str,
        conn: &mut Connection,
        more: bool,
    ) -> Result<(), Stop> {
        self.implicit_commit().await?;
        let own_password = matches!(statement, Statement::SetPassword { user: None, .. });
        if !own_password {
            match statement {
                Statement::Grant(_) | Statement::Revoke(_) => self.need(&["CREATE USER", "GRANT OPTION", "SUPER"])?,
                _ => self.need(&["CREATE USER"])?,
            }
        }
        self.check_writable()?;
        let changes = self.account_changes(statement)?;
        let mut gtid = None;
        if !changes.is_empty() {
            if self.state.vars.borrow().log_bin {
                gtid = match self.propose_ddl(text.trim(), changes.clone()).await {
                    Err(Stop::Error(error)) => return Err(account_error(error, &changes).into()),
                    other => other?,
                };
            } else {
                self.journal(&LocalChange::Catalog(changes))?;
            }
        }
        self.done(0, gtid, conn, more);
        Ok(())
    }

    fn account_changes(&self, statement: &Statement) -> Result<Vec<CatalogChange>, SqlError> {
        let server = self.state.server.clone();
        let accounts = server.accounts.borrow();
        let name = self.state.account.borrow().clone();
        let database = self.state.database.borrow().clone();
        let mut random = || server.host.random();
        let mut asker = Asker { name: &name, database: database.as_deref(), random: &mut random };
        match statement {
            Statement::CreateUser { if_not_exists, users } => {
                let (changes, notes) = account::create_users(&accounts, users, *if_not_exists, &mut asker)?;
                for note in notes {
                    self.state.warn(Level::Note, 3163, note);
                }
                Ok(changes)
            }
            Statement::AlterUser { if_exists, users } => account::alter_users(&accounts, users, *if_exists, &mut asker),
            Statement::DropUser { if_exists, users } => account::drop_users(&accounts, users, *if_exists, &asker),
            Statement::RenameUser(pairs) => account::rename_users(&accounts, pairs, &asker),
            Statement::Grant(grant) => account::grant(&accounts, grant, &mut asker),
            Statement::Revoke(revoke) => account::revoke(&accounts, revoke, &mut asker),
            Statement::SetPassword { user, password } => {
                let current = ast::UserName { user: String::new(), host: String::new(), current: true };
                let secret = ast::Secret::Password(password.clone());
                let auth = Some(ast::AuthSpec { plugin: None, secret });
                let users = [ast::UserSpec { name: user.clone().unwrap_or(current), auth }];
                account::alter_users(&accounts, &users, false, &mut asker)
            }
            _ => Err(unsupported("this statement")),
        }
    }

    // ---- the group ----

    async fn group_command(&mut self, command: GroupCommand) -> Result<(), Stop> {
        let host = self.host();
        let ticket = host.command(command);
        // Not ended by KILL: START and STOP go on whoever waits.
        let result = poll_fn(|cx| host.poll_command(ticket, cx)).await;
        result.map_err(|(code, message)| error(code, message).into())
    }

    fn change_source(&self, change: &ast::ChangeSource) -> Result<(), SqlError> {
        self.need(&["REPLICATION_SLAVE_ADMIN", "SUPER"])?;
        if change.old_names {
            let text = "'CHANGE MASTER' is deprecated and will be removed in a future release. Please use CHANGE REPLICATION SOURCE instead";
            self.state.warn(Level::Warning, 1287, text);
        }
        let channel = change.channel.as_deref().unwrap_or("");
        let allowed: &[&str] = match channel {
            "group_replication_recovery" => &[
                "SOURCE_USER",
                "SOURCE_PASSWORD",
                "PRIVILEGE_CHECKS_USER",
                "REQUIRE_TABLE_PRIMARY_KEY_CHECK",
                "GET_SOURCE_PUBLIC_KEY",
                "SOURCE_PUBLIC_KEY_PATH",
            ],
            "group_replication_applier" => &["PRIVILEGE_CHECKS_USER", "REQUIRE_TABLE_PRIMARY_KEY_CHECK"],
            _ => return Err(unsupported("replication channels other than the group's")),
        };
        if channel == "group_replication_applier" && self.host().status().running {
            return Err(error(
                3960,
                format!(
                    "This operation cannot be performed on the channel '{channel}' while Group Replication is running."
                ),
            ));
        }
        if change.options.iter().any(|(name, _)| !allowed.contains(&name.as_str())) {
            return Err(channel_refused("CHANGE REPLICATION SOURCE with the given parameters", channel));
        }
        for (name, value) in &change.options {
            let value = match value {
                SourceValue::Text(text) | SourceValue::Number(text) | SourceValue::Word(text) => Some(text.clone()),
                SourceValue::User(user) => Some(format!("{}@{}", user.user, user.host)),
                SourceValue::List(list) => Some(list.join(",")),
                SourceValue::Null => None,
            };
            let short = name.strip_prefix("SOURCE_").unwrap_or(name).to_lowercase();
            self.journal(&LocalChange::Setting { name: format!("channel/{channel}/{short}"), value })?;
        }
        if change.options.iter().any(|(name, _)| name == "SOURCE_PASSWORD" || name == "SOURCE_USER") {
            let plain = crate::error::insecure_plain_text();
            let stored = crate::error::insecure_change_source();
            self.state.warn(Level::Note, plain.code, plain.message);
            self.state.warn(Level::Note, stored.code, stored.message);
        }
        Ok(())
    }

    fn install_plugin(&self, name: &str, soname: &str) -> Result<(), SqlError> {
        self.need(&["INSERT", "SUPER"])?;
        if !name.eq_ignore_ascii_case("group_replication") || soname != "group_replication.so" {
            return Err(error(
                1126,
                format!("Can't open shared library '{soname}' (errno: 2 No such file or directory)"),
            ));
        }
        if self.state.server.globals.borrow().plugin_installed() {
            return Err(error(1125, format!("Function '{name}' already exists")));
        }
        let setting = LocalChange::Setting { name: "plugin/group_replication".into(), value: Some(soname.to_owned()) };
        self.journal(&setting)
    }

    async fn uninstall_plugin(&mut self, name: &str) -> Result<(), Stop> {
        self.need(&["DELETE", "SUPER"])?;
        let installed = self.state.server.globals.borrow().plugin_installed();
        if !name.eq_ignore_ascii_case("group_replication") || !installed {
            return Err(error(1305, format!("PLUGIN {name} does not exist")).into());
        }
        if self.host().status().running {
            self.group_command(GroupCommand::Stop).await?;
        }
        self.journal(&LocalChange::Setting { name: "plugin/group_replication".into(), value: None })?;
        Ok(())
    }

    fn replica_refused(&self, command: &str, channel: Option<&str>) -> SqlError {
        match channel {
            Some(channel @ ("group_replication_recovery" | "group_replication_applier")) => {
                channel_refused(command, channel)
            }
            _ => unsupported("replication channels other than the group's"),
        }
    }

    // ---- SHOW ----

    /// ANALYZE TABLE and its like: there is nothing to do, and that is what they say.
    fn maintained(&self, what: ast::Maintenance, names: &[ast::ObjectName]) -> Result<Shown, SqlError> {
        let word = match what {
            ast::Maintenance::Analyze => "analyze",
            ast::Maintenance::Check => "check",
            ast::Maintenance::Optimize => "optimize",
            ast::Maintenance::Repair => "repair",
            ast::Maintenance::Checksum => return Err(unsupported("CHECKSUM TABLE")),
        };
        let catalog = self.state.server.catalog.borrow();
        let mut rows = Vec::new();
        for name in names {
            let schema = match &name.schema {
                Some(schema) => schema.clone(),
                None => self.state.database.borrow().clone().ok_or_else(|| error(1046, "No database selected"))?,
            };
            let table = format!("{schema}.{}", name.name);
            let mut say = |kind: &str, text: &str| {
                rows.push([table.as_str(), word, kind, text].map(Value::text).to_vec());
            };
            if catalog.table(&schema, &name.name).is_none() {
                say("Error", &format!("Table '{table}' doesn't exist"));
                say("status", "Operation failed");
                continue;
            }
            match what {
                ast::Maintenance::Optimize => {
                    say("note", "Table does not support optimize, doing recreate + analyze instead");
                    say("status", "OK");
                }
                ast::Maintenance::Repair => say("note", "The storage engine for the table doesn't support repair"),
                _ => say("status", "OK"),
            }
        }
        Ok(crate::show::maintenance(rows))
    }

    async fn show(&mut self, show: &ast::Show, conn: &mut Connection, binary: bool, more: bool) -> Result<(), Stop> {
        let shown = super::tables::show(&self.state, show)?;
        self.answer_shown(&shown, conn, binary, more).await
    }

    async fn answer_shown(
        &mut self,
        shown: &Shown,
        conn: &mut Connection,
        binary: bool,
        more: bool,
    ) -> Result<(), Stop> {
        let output: Vec<Output> = shown
            .columns
            .iter()
            .map(|column| Output {
                name: column.name.clone(),
                node: crate::expr::Node::Const(Value::Null),
                kind: super::tables::kind(column),
                origin: None,
            })
            .collect();
        let status = self.status().with(Status::MORE_RESULTS, more);
        let mut sink = ResultSink::new(conn, status, binary);
        sink.columns(&output, &std::cell::OnceCell::new());
        for (number, row) in shown.rows.iter().enumerate() {
            sink.row(row);
            if number % 64 == 63 {
                self.state.server.pause(&self.state.handle).await?;
            }
        }
        self.state.row_count.set(-1);
        conn.answer().end_rows(&Done { status, warnings: 0, ..Done::default() });
        Ok(())
    }

    /// COM_FIELD_LIST.
    pub(super) fn field_list(&self, name: &str, conn: &mut Connection) -> Result<(), SqlError> {
        let catalog = self.state.server.catalog.borrow();
        let database = self.state.database.borrow();
        let schema = database.as_deref().ok_or_else(|| error(1046, "No database selected"))?;
        let table =
            catalog.table(schema, name).ok_or_else(|| error(1146, format!("Table '{schema}.{name}' doesn't exist")))?;
        let scope = crate::plan::table_scope(table, None);
        let columns: Vec<_> = scope
            .columns
            .iter()
            .map(|column| {
                super::result::column(&Output {
                    name: column.name.clone(),
                    node: crate::expr::Node::Const(Value::Null),
                    kind: column.kind.clone(),
                    origin: Some(column.clone()),
                })
            })
            .collect();
        conn.answer().field_list(columns.iter().map(|column| (column, None)), self.status());
        Ok(())
    }
}
