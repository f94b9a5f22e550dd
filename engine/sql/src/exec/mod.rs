//! Running plans: rows are pulled from the store in batches, merged with the transaction's own changes,
//! and pushed into a sink. Every few dozen rows the statement lets others run.

mod change;
mod cursor;
mod foreign;
mod group;
mod select;

pub use change::Changed;

use crate::error::SqlError;
use crate::expr::Env;
use crate::plan::{Body, Output, PendingPlan, Plan};
use crate::server::{Server, SessionHandle};
use crate::txn::Transaction;
use crate::value::Value;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

/// A future of a statement.
pub type Wait<'a, T> = Pin<Box<dyn Future<Output = Result<T, SqlError>> + 'a>>;

/// What a running statement asks of its session.
pub trait StatementEnv: Env {
    /// Keeps the result of what ran beforehand, for [`Env::prepared`]. Once for each place.
    fn set_prepared(&self, at: usize, rows: Vec<Vec<Value>>);
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
    /// What the columns are. Called once, before any row.
    fn columns(&mut self, output: &[Output]);
    /// One row.
    fn row(&mut self, row: &[Value]);
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
    fn columns(&mut self, output: &[Output]) {
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
    work: u32,
}

impl<'a> Exec<'a> {
    /// A statement about to run.
    pub fn new(
        session: &'a SessionHandle,
        env: &'a dyn StatementEnv,
        txn: &'a mut Transaction,
        rules: ChangeRules,
    ) -> Self {
        Self { server: txn.server().clone(), session, env, txn, rules, work: 0 }
    }

    /// Runs a plan. Rows of a SELECT go into `sink`; a data change says what it did.
    ///
    /// # Errors
    /// What went wrong, with MySQL's numbers. The caller takes back what the statement changed.
    pub async fn run(&mut self, plan: &Plan, sink: &mut dyn Sink) -> Result<Option<Changed>, SqlError> {
        self.txn.check()?;
        // A subquery inside another one was planned after it: last first.
        for (at, pending) in plan.pending.iter().enumerate().rev() {
            let rows = match pending {
                PendingPlan::Select(select) => {
                    let mut rows = Rows::default();
                    self.select(select, &mut rows).await?;
                    rows.rows
                }
                PendingPlan::Call { name, args } => {
                    let env: &dyn Env = self.env;
                    let values = args.iter().map(|arg| arg.eval(&[], env).map(std::borrow::Cow::into_owned));
                    let values = values.collect::<Result<Vec<_>, _>>()?;
                    vec![vec![self.env.waiting_call(name, values).await?]]
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
        };
        self.txn.check()?;
        Ok(changed)
    }

    /// Counts a row of work; now and then lets others run.
    async fn step(&mut self) -> Result<(), SqlError> {
        self.work += 1;
        if self.work >= SLICE_ROWS {
            self.work = 0;
            self.server.pause(self.session).await?;
            self.txn.check()?;
        }
        Ok(())
    }
}
