//! Running statements.

use super::commit::RETRIES;
use super::env::{Statement, Tables};
use super::result::ResultSink;
use super::{Session, Stop};
use crate::ast::{self, Expr};
use crate::counters::Counter;
use crate::error::{SqlError, error};
use crate::exec::{ChangeRules, Changed, Exec, Rows};
use crate::normalize::{self, Normal};
use crate::parse;
use crate::plan::{Body, PendingPlan, Plan, Planner, SelectPlan, Source};
use crate::sysvar::sql_mode::SqlMode;
use crate::value::Value;
use std::rc::Rc;
use wire::client::{Capabilities, Connection, Done, Status, Track};
use wire::entry::Gtid;
use wire::mutant::{Mutant, planted};

/// Bytes of a statement that the process list keeps.
const INFO_BYTES_MAX: usize = 4096;

/// Bytes of a text that is read in several steps.
const LONG_TEXT_BYTES: usize = 1 << 20;

/// A plan and the values of its parameters.
type Bound = (Rc<Plan>, Rc<[Value]>);

impl Session {
    /// COM_QUERY: one statement, or several where the client asked for it.
    pub(super) async fn query(&mut self, text: &[u8], conn: &mut Connection) -> Result<(), Stop> {
        let mut rest = text;
        loop {
            let mode = self.state.sql_mode();
            let (this, next) = match parse::first_statement(rest, mode).filter(|_| self.multi_statements) {
                Some((end, next)) => (&rest[..end], Some(&rest[next..])),
                None => (rest, None),
            };
            self.statement(this, conn, next.is_some()).await?;
            match next {
                Some(next) if !conn.is_closing() => rest = next,
                _ => return Ok(()),
            }
        }
    }

    /// Notes what the session does, and forgets the last statement's warnings (the diagnostic ones keep them).
    pub(super) fn begin_statement(&mut self, text: &str) {
        let mut info = self.state.handle.info.borrow_mut();
        info.command = "Query";
        self.state.count(Counter::Questions, 1);
        self.state.count(Counter::Queries, 1);
        info.state = "executing";
        info.since_us = self.state.server.host.now().monotonic_us;
        let end = (0..=INFO_BYTES_MAX.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        info.info = Some(text[..end].to_owned());
    }

    async fn statement(&mut self, bytes: &[u8], conn: &mut Connection, more: bool) -> Result<(), Stop> {
        let text = String::from_utf8_lossy(bytes);
        self.begin_statement(&text);
        let long = bytes.len() >= LONG_TEXT_BYTES;
        // A long text is read once, as it stands: it will hardly come again with other literals.
        let cached = if long {
            self.breathe().await?;
            None
        } else {
            let mut normal = std::mem::take(&mut self.normal);
            let cached = self.cached_plan(bytes, &mut normal);
            self.normal = normal;
            cached?
        };
        if let Some((plan, params)) = cached {
            self.state.clear_warnings();
            self.state.count(Counter::of_plan(&plan.body), 1);
            plan.notes.iter().for_each(|note| self.state.warn(note.level, note.code, note.message.as_str()));
            match self.run_plan(&plan, params, conn, false, more).await {
                // Out of range in an expression: told of the text as it was written.
                Err(Stop::Error(fault)) if fault.code == 1690 && fault.message.contains('?') => {}
                result => return result,
            }
        }
        let parsed = parse::parse_with_params(bytes, self.state.sql_mode())?;
        if long {
            self.breathe().await?;
        }
        let statement = parsed.statement;
        self.notes = parsed.notes;
        self.run(&statement, None, &text, Rc::from([]), conn, false, more).await
    }

    /// Lets others run between the steps of reading a long text.
    async fn breathe(&self) -> Result<(), SqlError> {
        self.state.server.pause(&self.state.handle).await
    }

    /// A plan for the text without its literals, from the cache or made for it; `None` for what has to be
    /// parsed as it stands.
    fn cached_plan(&self, bytes: &[u8], normal: &mut Normal) -> Result<Option<Bound>, SqlError> {
        let mode = self.state.sql_mode();
        let Some(fingerprint) = normalize::normalize(bytes, mode, normal) else { return Ok(None) };
        let server = &self.state.server;
        let generation = server.catalog.borrow().generation();
        // The connection's collation is part of a plan as much as the current database.
        let place =
            format!("{}/{}", self.state.database.borrow().as_deref().unwrap_or(""), self.state.collation().id());
        let place: Rc<str> = place.into();
        let found = server.plans.borrow_mut().get(fingerprint, &normal.stripped, &place, mode, generation);
        let plan = match found {
            Some(plan) => plan,
            None => {
                let marked: Vec<u8> =
                    normal.stripped.iter().map(|&byte| if (1..=4).contains(&byte) { b'?' } else { byte }).collect();
                let Ok(parsed) = parse::parse_with_params(&marked, mode) else { return Ok(None) };
                if usize::from(parsed.params) != normal.literals.len() || !is_general(&parsed.statement) {
                    return Ok(None);
                }
                // An error is better told of the text as it was written.
                let Ok(mut plan) = self.make_plan(&parsed.statement) else { return Ok(None) };
                plan.notes = parsed.notes;
                let plan = Rc::new(plan);
                server.plans.borrow_mut().put(fingerprint, &normal.stripped, &place, mode, generation, plan.clone());
                plan
            }
        };
        let mut params = Vec::with_capacity(normal.literals.len());
        for literal in &normal.literals {
            params.push(match literal.value(bytes) {
                Some(ast::Literal::UInt(value)) => Value::uint(value),
                Some(ast::Literal::String { text, .. }) => Value::text(text),
                Some(ast::Literal::Double(value)) if value.is_finite() => Value::Double(value),
                Some(ast::Literal::Decimal(digits)) => match crate::decimal::Decimal::parse(&digits) {
                    Some(decimal) => Value::Decimal(decimal),
                    None => return Ok(None),
                },
                _ => return Ok(None),
            });
        }
        Ok(Some((plan, params.into())))
    }

    /// Runs a parsed statement and answers it.
    #[allow(clippy::too_many_arguments, reason = "what a statement is, and how it is to be answered")]
    pub(super) async fn run(
        &mut self,
        statement: &ast::Statement,
        plan: Option<Rc<Plan>>,
        text: &str,
        params: Rc<[Value]>,
        conn: &mut Connection,
        binary: bool,
        more: bool,
    ) -> Result<(), Stop> {
        let diagnostic =
            matches!(statement, ast::Statement::Show(ast::Show::Warnings { .. } | ast::Show::WarningCount { .. }));
        if !diagnostic {
            self.state.clear_warnings();
        }
        self.state.count(Counter::of(statement), 1);
        for note in std::mem::take(&mut self.notes) {
            self.state.warn(note.level, note.code, note.message);
        }
        match statement {
            ast::Statement::Select(_)
            | ast::Statement::Insert(_)
            | ast::Statement::Update(_)
            | ast::Statement::Delete(_) => {
                let plan = match plan {
                    Some(plan) => plan,
                    None => Rc::new(self.make_plan(statement)?),
                };
                self.run_plan(&plan, params, conn, binary, more).await
            }
            // Apart, so that the futures of the others, moved for each statement, stay small.
            other => Box::pin(self.run_other(other, text, &params, conn, binary, more)).await,
        }
    }

    /// Runs a plan in the session's transaction, or in one of its own, and answers.
    pub(super) async fn run_plan(
        &mut self,
        plan: &Rc<Plan>,
        params: Rc<[Value]>,
        conn: &mut Connection,
        binary: bool,
        more: bool,
    ) -> Result<(), Stop> {
        self.check_privileges(plan)?;
        self.check_locked(&plan.uses)?;
        let change = !matches!(plan.body, Body::Select(_));
        if change {
            self.check_writable()?;
            if !self.state.vars.borrow().log_bin {
                let what = "data changes with sql_log_bin=0: they could not be kept apart from the group's";
                return Err(crate::plan::unsupported(what).into());
            }
        }
        let status = self.status().with(Status::MORE_RESULTS, more);
        let mut tries = 0;
        loop {
            let mut sink = ResultSink::new(conn, status, binary);
            // The largest of a statement's futures: apart, so that those around it are not moved with it, each into the
            // next.
            let result = Box::pin(self.attempt(plan, params.clone(), &mut sink, change)).await;
            let (rows, begun) = (sink.rows, sink.begun);
            match result {
                Ok((changed, gtid)) => {
                    self.answer(changed, gtid, rows, conn, more);
                    return Ok(());
                }
                Err(Stop::Close) if planted(Mutant::UnknownTriedAgain) && tries < 1 => tries += 1,
                Err(Stop::Conflict(conflict)) => {
                    // Only a transaction of one statement may be run again unseen, and only if nothing of
                    // its answer is out.
                    if begun || tries >= RETRIES || self.txn.is_some() {
                        return Err(Stop::Error(conflict));
                    }
                    tries += 1;
                    self.state.warnings.borrow_mut().clear();
                }
                Err(stop) => return Err(stop),
            }
        }
    }

    /// One run of a plan. A failed statement leaves no trace; 1213 ends the whole transaction.
    pub(super) async fn attempt(
        &mut self,
        plan: &Rc<Plan>,
        params: Rc<[Value]>,
        sink: &mut ResultSink<'_>,
        change: bool,
    ) -> Result<(Option<Changed>, Option<Gtid>), Stop> {
        let server = self.state.server.clone();
        let _in_use = if plan.uses.is_empty() {
            None
        } else {
            Some(server.use_tables(&self.state.handle, &plan.uses, self.lock_wait_us()).await?)
        };
        let mut txn = match self.txn.take() {
            Some(txn) => txn,
            None => {
                let explicit = !self.state.vars.borrow().autocommit && touches_tables(plan);
                self.begin(explicit, None)
            }
        };
        if change && txn.read_only {
            self.txn = txn.explicit.then_some(txn);
            return Err(error(1792, "Cannot execute statement in a READ ONLY transaction.").into());
        }
        if txn.is_displaced() {
            return Err(crate::server::deadlock().into());
        }
        if self.must_wait(&txn)
            && touches_tables(plan)
            && let Err(stop) = self.await_turn(&mut txn).await
        {
            self.txn = txn.explicit.then_some(txn);
            return Err(stop);
        }
        // A session's change of the lock timeout counts for its open transaction too.
        txn.rules.lock_timeout_us = self.read_rules(None).lock_timeout_us;
        let mark = txn.mark();
        let rules = self.change_rules();
        let strict = change && rules.strict && !plan.ignores_faults();
        let statement = Statement::new(self.state.clone(), params, plan.pending.len(), strict);
        let handle = self.state.handle.clone();
        let result = Exec::new(plan, &handle, &statement, &mut txn, rules).run(plan, sink).await;
        let changed = match result {
            Ok(changed) => changed,
            Err(error) => {
                if error.code != 1213 && !txn.is_displaced() && txn.explicit {
                    txn.rollback_to(mark);
                    txn.end_statement();
                    self.txn = Some(txn);
                }
                return Err(error.into());
            }
        };
        txn.end_statement();
        if txn.explicit {
            self.txn = Some(txn);
            return Ok((changed, None));
        }
        let gtid = self.commit(txn).await?;
        Ok((changed, gtid))
    }

    fn change_rules(&self) -> ChangeRules {
        let vars = self.state.vars.borrow();
        let running = self.state.server.host.is_running();
        ChangeRules {
            strict: self.state.strict(),
            zero_is_a_value: vars.sql_mode.has(SqlMode::NO_AUTO_VALUE_ON_ZERO),
            increment: vars.increment,
            offset: vars.offset,
            found_rows: self.capabilities.has(Capabilities::FOUND_ROWS),
            group_running: running,
            everywhere_checks: running
                && self.state.server.globals.borrow().on("group_replication_enforce_update_everywhere_checks"),
            foreign_keys: vars.foreign_keys,
        }
    }

    /// The OK or the end of rows.
    pub(super) fn answer(
        &mut self,
        changed: Option<Changed>,
        gtid: Option<Gtid>,
        rows: u64,
        conn: &mut Connection,
        more: bool,
    ) {
        let warnings = self.state.warning_count();
        let status = self.status().with(Status::MORE_RESULTS, more);
        let gtid = self.tracked(gtid);
        let track: Vec<Track<'_>> = gtid.as_deref().map(Track::Gtids).into_iter().collect();
        let Some(changed) = changed else {
            self.state.row_count.set(-1);
            self.state.found_rows.set(self.state.rows_without_limit.take().unwrap_or(rows));
            conn.answer().end_rows(&Done { status, warnings, ..Done::default() });
            return;
        };
        self.state.row_count.set(changed.affected as i64);
        if changed.insert_id != 0 {
            self.state.last_insert_id.set(changed.insert_id);
        }
        let info = if changed.is_update {
            format!("Rows matched: {}  Changed: {}  Warnings: {warnings}", changed.matched, changed.changed)
        } else if changed.many {
            format!("Records: {}  Duplicates: {}  Warnings: {warnings}", changed.matched, changed.changed)
        } else {
            String::new()
        };
        conn.answer().ok(&Done {
            affected_rows: changed.affected,
            last_insert_id: changed.insert_id,
            status,
            warnings,
            info: &info,
            track: &track,
        });
    }

    /// Answers OK for a statement without rows.
    pub(super) fn done(&mut self, affected: u64, gtid: Option<Gtid>, conn: &mut Connection, more: bool) {
        self.state.row_count.set(affected as i64);
        let gtid = self.tracked(gtid);
        let track: Vec<Track<'_>> = gtid.as_deref().map(Track::Gtids).into_iter().collect();
        let status = self.status().with(Status::MORE_RESULTS, more);
        let warnings = self.state.warning_count();
        conn.answer().ok(&Done { affected_rows: affected, status, warnings, track: &track, ..Done::default() });
    }

    /// Evaluates expressions that stand alone.
    pub(super) async fn values(&mut self, exprs: &[Expr], params: Rc<[Value]>) -> Result<Vec<Value>, Stop> {
        let plan = {
            let catalog = self.state.server.catalog.borrow();
            let database = self.state.database.borrow();
            let backslash = !self.state.sql_mode().has(SqlMode::NO_BACKSLASH_ESCAPES);
            let mut planner = Planner::new(&catalog, &Tables, database.as_deref(), self.state.collation(), backslash);
            planner.full_group_by = self.state.sql_mode().has(SqlMode::ONLY_FULL_GROUP_BY);
            planner.plan_values(exprs)?
        };
        self.check_locked(&plan.uses)?;
        let mut txn = self.txn.take().unwrap_or_else(|| {
            // Reads of subqueries only: nothing is left of it.
            crate::txn::Transaction::new(self.state.server.clone(), self.read_rules(None), true, false)
        });
        let statement = Statement::new(self.state.clone(), params, plan.pending.len(), false);
        let handle = self.state.handle.clone();
        let rules = self.change_rules();
        let mut rows = Rows::default();
        let result = Exec::new(&plan, &handle, &statement, &mut txn, rules).run(&plan, &mut rows).await;
        self.txn = txn.explicit.then_some(txn);
        result?;
        Ok(rows.rows.into_iter().next().unwrap_or_default())
    }

    /// 1142 unless the account may do what the plan does.
    pub(super) fn check_privileges(&self, plan: &Plan) -> Result<(), SqlError> {
        let name = self.state.account.borrow();
        let accounts = self.state.server.accounts.borrow();
        let nobody = crate::account::Account::default();
        let account = accounts.get(&name).unwrap_or(&nobody);
        let mut result = Ok(());
        let mut need = |privilege: &str, schema: &str, table: &str| {
            if result.is_ok() {
                result = crate::account::require_table(&name, account, privilege, schema, table);
            }
        };
        let mut target = |privilege: &str, table: &crate::catalog::Table| need(privilege, &table.schema, &table.name);
        match &plan.body {
            Body::Select(_) => {}
            Body::Insert(insert) => {
                target("INSERT", &insert.table);
                if insert.replace {
                    target("DELETE", &insert.table);
                }
                if !insert.on_duplicate.is_empty() {
                    target("UPDATE", &insert.table);
                }
            }
            Body::Update(update) => target("UPDATE", &update.table),
            Body::Delete(delete) => target("DELETE", &delete.table),
            Body::Joined(joined) => {
                let privilege = if joined.is_update { "UPDATE" } else { "DELETE" };
                joined.targets.iter().for_each(|changed| target(privilege, &changed.table));
                source_tables(&joined.source, &mut |schema, table| need("SELECT", schema, table));
            }
        }
        let mut read = |select: &SelectPlan| tables_of(select, &mut |schema, table| need("SELECT", schema, table));
        match &plan.body {
            Body::Select(select) => read(select),
            Body::Insert(insert) => insert.select.iter().for_each(&mut read),
            _ => {}
        }
        for pending in &plan.pending {
            match pending {
                PendingPlan::Select { plan, .. } => read(plan),
                PendingPlan::Call { .. } | PendingPlan::Constant { .. } | PendingPlan::Latest => {}
            }
        }
        result
    }
}

/// Calls `f` for each base table that a query reads.
fn tables_of(select: &SelectPlan, f: &mut dyn FnMut(&str, &str)) {
    source_tables(&select.source, f);
    for (_, _, arm) in &select.arms {
        tables_of(arm, f);
    }
}

/// Calls `f` for each base table that a source reads.
fn source_tables(from: &Source, f: &mut dyn FnMut(&str, &str)) {
    match from {
        Source::Nothing | Source::Virtual { .. } | Source::Latest { .. } => {}
        Source::Table { table, .. } => f(&table.schema, &table.name),
        Source::Derived(select) => tables_of(select, f),
        Source::Recursive(plan) => {
            tables_of(&plan.first, f);
            plan.blocks.iter().for_each(|block| tables_of(block, f));
        }
        Source::Join { left, right, .. } => {
            source_tables(left, f);
            source_tables(right, f);
        }
        Source::Exchanged { source, .. } => source_tables(source, f),
    }
}

/// Whether a plan reads or changes base tables: what `autocommit=0` begins a transaction for.
fn touches_tables(plan: &Plan) -> bool {
    let Body::Select(select) = &plan.body else { return true };
    let mut found = false;
    tables_of(select, &mut |_, _| found = true);
    found
}

/// Whether a plan with parameters in the place of literals means the same for all literals: not if one
/// stands in a select list (headings, types) or could be a column's place (ORDER BY 1).
fn is_general(statement: &ast::Statement) -> bool {
    let plain = |select: &ast::Select| {
        let parts = format!(
            "{:?}{:?}{:?}{:?}{:?}{:?}{:?}",
            select.with, select.projection, select.from, select.group_by, select.having, select.order_by, select.unions
        );
        !parts.contains("Parameter(")
    };
    match statement {
        ast::Statement::Select(select) => plain(select),
        ast::Statement::Insert(insert) => match &insert.source {
            ast::InsertSource::Rows(_) => true,
            ast::InsertSource::Select(select) => plain(select),
        },
        ast::Statement::Update(update) => !format!("{:?}", update.order_by).contains("Parameter("),
        ast::Statement::Delete(delete) => !format!("{:?}", delete.order_by).contains("Parameter("),
        _ => false,
    }
}
