//! Running plans: rows are pulled from the store in batches, merged with the transaction's own changes,
//! and pushed into a sink. Every few dozen rows the statement lets others run.

mod change;
mod cursor;
mod foreign;
mod group;
mod joined;
mod recursive;
mod select;
mod sorted;

pub use change::Changed;

use crate::counters::Counter;
use crate::error::{SqlError, error};
use crate::expr::{Env, Node};
use crate::plan::{Body, Output, PendingPlan, Plan};
use crate::row::Plain;
use crate::server::{Server, SessionHandle};
use crate::txn::Transaction;
use crate::value::Value;
use std::cell::OnceCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use wire::client::Column;

/// A future of a statement.
pub type Wait<'a, T> = Pin<Box<dyn Future<Output = Result<T, SqlError>> + 'a>>;

/// What a running statement asks of its session.
pub trait StatementEnv: Env {
    /// What an expression noted since this was asked last, where strict mode makes it an error of the statement.
    ///
    /// # Errors
    /// The first of it.
    fn fault(&self) -> Result<(), SqlError>;
    /// Counts for SHOW STATUS.
    fn count(&self, counter: Counter, by: u64);
    /// Keeps the result of what runs apart, for [`Env::prepared`].
    fn set_prepared(&self, at: usize, rows: Vec<Vec<Value>>);
    /// Forgets it: the next row needs another.
    fn forget_prepared(&self, at: usize);
    /// The place that [`Env::prepared`] had nothing at, since this was asked last.
    fn missing(&self) -> Option<usize>;
    /// Keeps a value for [`Env::outer`].
    fn set_outer(&self, at: usize, value: Value);
    /// How many rows a SELECT SQL_CALC_FOUND_ROWS has without its LIMIT.
    fn set_rows_without_limit(&self, rows: u64);
    /// The row that an INSERT wants, for [`Env::inserted`].
    fn set_inserted(&self, row: Vec<Value>);
    /// All rows of a computed table.
    ///
    /// # Errors
    /// What the table says.
    fn virtual_rows(&self, schema: &str, name: &str) -> Result<Vec<Vec<Value>>, SqlError>;
    /// Runs a function that waits.
    fn waiting_call<'a>(&'a self, name: &'a str, args: Vec<Value>) -> Wait<'a, Value>;
}

/// Where result rows go.
pub trait Sink {
    /// What the columns are. Called once, before any row. `described` is what was said of them before, or a place to
    /// keep it.
    fn columns(&mut self, output: &[Output], described: &OnceCell<Rc<[Column]>>);
    /// One row.
    fn row(&mut self, row: &[Value]);
    /// One row of whole numbers and texts, where they lie.
    fn plain_row(&mut self, row: &[Plain<'_>]) {
        let row: Vec<Value> = row.iter().map(|&value| value.into()).collect();
        self.row(&row);
    }
}

/// Collects rows.
#[derive(Debug, Default)]
pub struct Rows {
    /// What the columns are.
    pub output: Vec<Output>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

impl Sink for Rows {
    fn columns(&mut self, output: &[Output], _described: &OnceCell<Rc<[Column]>>) {
        self.output = output.to_vec();
    }

    fn row(&mut self, row: &[Value]) {
        self.rows.push(row.to_vec());
    }
}

/// How data changes behave: what `sql_mode` and other variables say.
#[derive(Clone, Copy, Debug)]
pub struct ChangeRules {
    /// STRICT_TRANS_TABLES or STRICT_ALL_TABLES.
    pub strict: bool,
    /// NO_AUTO_VALUE_ON_ZERO.
    pub zero_is_a_value: bool,
    /// `auto_increment_increment`.
    pub increment: u64,
    /// `auto_increment_offset`.
    pub offset: u64,
    /// CLIENT_FOUND_ROWS: matched rows count as affected.
    pub found_rows: bool,
    /// Group Replication runs: tables without a key are 3098.
    pub group_running: bool,
    /// It runs with `group_replication_enforce_update_everywhere_checks`: so are tables with cascades.
    pub everywhere_checks: bool,
    /// `foreign_key_checks`.
    pub foreign_keys: bool,
}

/// Rows of work between two looks around, about 50 us.
const SLICE_ROWS: u32 = 64;

/// A running statement.
pub struct Exec<'a> {
    /// The server.
    pub server: Rc<Server>,
    /// Its session.
    pub session: &'a SessionHandle,
    /// What expressions may ask.
    pub env: &'a dyn StatementEnv,
    /// Its transaction.
    pub txn: &'a mut Transaction,
    /// How data changes behave.
    pub rules: ChangeRules,
    /// The plan's subqueries and functions that wait.
    pending: &'a [PendingPlan],
    /// Places filled for the row in hand.
    filled: Vec<usize>,
    /// Whether a subquery may ask for columns of rows around it.
    correlated: bool,
    work: u32,
}

fn asks_a_subquery(node: &Node) -> bool {
    let mut found = false;
    node.visit(&mut |node| {
        found |= matches!(
            node,
            Node::Prepared(_) | Node::InPrepared { .. } | Node::ExistsPrepared { .. } | Node::Quantified { .. }
        );
    });
    found
}

impl<'a> Exec<'a> {
    /// A statement about to run.
    pub fn new(
        plan: &'a Plan,
        session: &'a SessionHandle,
        env: &'a dyn StatementEnv,
        txn: &'a mut Transaction,
        rules: ChangeRules,
    ) -> Self {
        Self {
            server: txn.server().clone(),
            session,
            env,
            txn,
            rules,
            pending: &plan.pending,
            filled: Vec::new(),
            correlated: plan.pending.iter().any(|one| matches!(one, PendingPlan::Select { correlated: true, .. })),
            work: 0,
        }
    }

    /// Runs a plan. Rows of a SELECT go into `sink`; a data change says what it did.
    ///
    /// # Errors
    /// What went wrong, with MySQL's numbers. The caller takes back what the statement changed.
    pub async fn run(&mut self, plan: &Plan, sink: &mut dyn Sink) -> Result<Option<Changed>, SqlError> {
        self.txn.check()?;
        // Functions that wait run in the order in which they stand, unless they ask for a subquery's value. A subquery
        // inside another one was planned after it: last first.
        let stands_alone = |pending: &PendingPlan| match pending {
            PendingPlan::Call { args, .. } => !args.iter().any(asks_a_subquery),
            PendingPlan::Select { .. } | PendingPlan::Constant { .. } | PendingPlan::Latest => false,
        };
        // Constants are read before anything asks for them.
        for (at, pending) in plan.pending.iter().enumerate() {
            if let PendingPlan::Constant { value, read_as } = pending {
                let env: &dyn Env = self.env;
                let value = value.eval(&[], env)?;
                let read = read_as.read(&value, env);
                // Strict mode's word comes first.
                self.env.fault()?;
                self.env.set_prepared(at, vec![vec![read?.unwrap_or_else(|| value.into_owned())]]);
            }
        }
        let calls = plan.pending.iter().enumerate().filter(|(_, pending)| stands_alone(pending));
        let others = plan.pending.iter().enumerate().rev().filter(|(_, pending)| !stands_alone(pending));
        for (at, pending) in calls.chain(others) {
            let rows = match pending {
                PendingPlan::Constant { .. } | PendingPlan::Latest => continue,
                PendingPlan::Select { correlated: true, .. } => continue,
                PendingPlan::Select { plan, .. } => {
                    let mut rows = Rows::default();
                    self.select(plan, &mut rows).await?;
                    rows.rows
                }
                PendingPlan::Call { name, args } => {
                    let env: &dyn Env = self.env;
                    let values = args.iter().map(|arg| arg.eval(&[], env).map(std::borrow::Cow::into_owned));
                    let values = values.collect::<Result<Vec<_>, _>>()?;
                    let value = self.env.waiting_call(name, values).await?;
                    // SELECT SLEEP(..) that is ended answers; any other statement has failed.
                    if let Some(ended) = self.session.ended().filter(|_| !plan.is_bare()) {
                        return Err(ended.error());
                    }
                    vec![vec![value]]
                }
            };
            self.env.set_prepared(at, rows);
        }
        let changed = match &plan.body {
            Body::Select(select) => {
                self.select(select, sink).await?;
                None
            }
            Body::Insert(insert) => Some(self.insert(insert).await?),
            Body::Update(update) => Some(self.update(update).await?),
            Body::Delete(delete) => Some(self.delete(delete).await?),
            Body::Joined(joined) => Some(Box::pin(self.joined(joined)).await?),
        };
        self.env.fault()?;
        self.txn.check()?;
        Ok(changed)
    }

    /// Computes something of a row. A subquery that depends on the row is run when it is asked for, and the computation
    /// begins again.
    async fn of_row<T>(
        &mut self,
        row: &[Value],
        mut compute: impl FnMut(&'a dyn StatementEnv) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        loop {
            match compute(self.env) {
                Ok(result) => {
                    for at in self.filled.drain(..) {
                        self.env.forget_prepared(at);
                    }
                    self.env.fault()?;
                    return Ok(result);
                }
                Err(fault) => match self.env.missing() {
                    Some(at) => self.fill(at, row).await?,
                    None => return Err(fault),
                },
            }
        }
    }

    /// Whether a subquery may ask for columns of rows around it.
    fn has_correlated(&self) -> bool {
        self.correlated
    }

    /// Runs a subquery for a row of the query that it stands in.
    fn fill<'s>(&'s mut self, at: usize, row: &'s [Value]) -> Wait<'s, ()> {
        Box::pin(async move {
            let Some(PendingPlan::Select { plan, takes, .. }) = self.pending.get(at) else {
                return Err(error(1815, "Internal error: a subquery that is no part of its statement"));
            };
            for (place, column) in takes {
                self.env.set_outer(*place, row.get(*column).cloned().unwrap_or_default());
            }
            let outside = std::mem::take(&mut self.filled);
            let mut rows = Rows::default();
            self.select(plan, &mut rows).await?;
            self.filled = outside;
            self.filled.push(at);
            self.env.set_prepared(at, rows.rows);
            Ok(())
        })
    }

    /// Whether `filter` holds for `row`.
    async fn passes(&mut self, filter: Option<&Node>, row: &[Value]) -> Result<bool, SqlError> {
        match filter {
            None => Ok(true),
            Some(filter) => self.of_row(row, |env| filter.holds(row, env)).await,
        }
    }

    /// The value of an expression for `row`.
    async fn value(&mut self, node: &Node, row: &[Value]) -> Result<Value, SqlError> {
        if let Node::Column(at) = node {
            return Ok(row[*at].clone());
        }
        self.of_row(row, |env| Ok(node.eval(row, env)?.into_owned())).await
    }

    /// Whether `filter` holds for `row`, where no subquery can ask for the row.
    fn passes_now(&self, filter: Option<&Node>, row: &[Value]) -> Result<bool, SqlError> {
        debug_assert!(filter.is_none() || !self.correlated);
        let Some(filter) = filter else { return Ok(true) };
        let holds = filter.holds(row, self.env)?;
        self.env.fault()?;
        Ok(holds)
    }

    /// Counts rows of work; true when it is time to let others run, by [`Exec::rest`].
    fn worked(&mut self, rows: u32) -> bool {
        self.work += rows;
        self.work >= SLICE_ROWS
    }

    /// Lets others run.
    async fn rest(&mut self) -> Result<(), SqlError> {
        self.work = 0;
        self.server.pause(self.session).await?;
        self.txn.check()
    }

    /// Counts a row of work; now and then lets others run.
    async fn step(&mut self) -> Result<(), SqlError> {
        if self.worked(1) { self.rest().await } else { Ok(()) }
    }
}
