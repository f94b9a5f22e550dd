//! LOCK TABLES, in the session that holds the locks: it may use the tables that it named, under the names that it gave
//! them, each once in a statement.

use super::{Session, Stop};
use crate::account::require_database;
use crate::ast::{ObjectName, TableLock};
use crate::error::{SqlError, error};
use crate::plan::TableUse;
use std::rc::Rc;

/// A table that LOCK TABLES named.
#[derive(Debug)]
pub(super) struct Named {
    schema: String,
    table: String,
    /// Its alias, or its own name.
    alias: String,
    write: bool,
}

fn not_locked(alias: &str) -> SqlError {
    error(1100, format!("Table '{alias}' was not locked with LOCK TABLES"))
}

impl Session {
    /// LOCK TABLES.
    pub(super) async fn lock_tables(&mut self, list: &[(ObjectName, Option<String>, TableLock)]) -> Result<(), Stop> {
        self.implicit_commit().await?;
        self.unlock_tables();
        let mut named: Vec<Named> = Vec::with_capacity(list.len());
        for (name, alias, lock) in list {
            let write = *lock == TableLock::Write;
            let Some(schema) = self.lockable(name)? else { continue };
            let alias = alias.as_deref().unwrap_or(&name.name);
            let same = |other: &&Named| other.alias.eq_ignore_ascii_case(alias) && other.schema == schema;
            if named.iter().any(|other| same(&other)) {
                return Err(error(1066, format!("Not unique table/alias: '{alias}'")).into());
            }
            if write {
                self.check_writable()?;
            }
            named.push(Named { schema, table: name.name.clone(), alias: alias.to_owned(), write });
        }
        let wanted = named.iter().map(|named| (named.schema.clone(), named.table.clone(), named.write)).collect();
        let server = self.state.server.clone();
        server.lock_tables(&self.state.handle, wanted, self.lock_wait_us()).await?;
        self.locked = Some(named);
        Ok(())
    }

    /// The database of a table that may be locked; `None` for a computed one, which nobody changes.
    fn lockable(&self, name: &ObjectName) -> Result<Option<String>, SqlError> {
        let schema = match &name.schema {
            Some(schema) => schema.clone(),
            None => self.state.database.borrow().clone().ok_or_else(|| error(1046, "No database selected"))?,
        };
        let schema = self.state.server.catalog.borrow().database_name(&schema);
        if super::tables::columns(&schema, &name.name).is_some() {
            return Ok(None);
        }
        let (who, account) = (self.state.account.borrow(), self.account());
        require_database(&who, &account, "LOCK TABLES", &schema)?;
        crate::account::require_table(&who, &account, "SELECT", &schema, &name.name)?;
        if self.state.server.catalog.borrow().table(&schema, &name.name).is_none() {
            return Err(error(1146, format!("Table '{schema}.{}' doesn't exist", name.name)));
        }
        Ok(Some(schema))
    }

    /// Gives up the locks of LOCK TABLES; whether there were any.
    pub(super) fn unlock_tables(&mut self) -> bool {
        self.locked = None;
        self.state.server.unlock_tables(self.state.handle.id())
    }

    /// `lock_wait_timeout`, in microseconds.
    pub(super) fn lock_wait_us(&self) -> u64 {
        self.state.vars.borrow().table_wait_s.saturating_mul(1_000_000)
    }

    /// Under LOCK TABLES a statement may use what was locked, and in no stronger way.
    ///
    /// # Errors
    /// 1100, 1099.
    pub(super) fn check_locked(&self, uses: &[TableUse]) -> Result<(), SqlError> {
        let Some(named) = &self.locked else { return Ok(()) };
        let mut free: Vec<&Named> = named.iter().collect();
        for used in uses {
            let found = free.iter().position(|named| {
                named.alias.eq_ignore_ascii_case(&used.alias)
                    && named.table.eq_ignore_ascii_case(&used.name)
                    && named.schema.eq_ignore_ascii_case(&used.schema)
            });
            let Some(at) = found else { return Err(not_locked(&used.alias)) };
            // A name stands for one use of the table.
            let named = free.swap_remove(at);
            if used.write && !named.write {
                let text = format!("Table '{}' was locked with a READ lock and can't be updated", used.alias);
                return Err(error(1099, text));
            }
        }
        Ok(())
    }

    /// The tables that a DDL statement changes.
    pub(super) fn changed_tables(&self, names: &[&ObjectName]) -> Rc<[TableUse]> {
        let current = self.state.database.borrow().clone().unwrap_or_default();
        let used = |name: &&ObjectName| TableUse {
            schema: name.schema.clone().unwrap_or_else(|| current.clone()),
            name: name.name.clone(),
            alias: name.name.clone(),
            write: true,
        };
        names.iter().map(used).collect()
    }
}
