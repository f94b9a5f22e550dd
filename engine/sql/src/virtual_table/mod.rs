//! Tables that are computed when they are read: `performance_schema`, `information_schema`, and as much of
//! `mysql` as tools look for. Columns, types and order are those of `spec/performance_schema.md` and MySQL 8.0.
//!
//! A table is its columns ([`columns`]) and a function from the member's state to rows ([`rows`]); filtering and
//! sorting are the executor's. Temporal columns are texts here, as there is no temporal type yet.
//!
//! Absent on purpose: instruments, digests, locks; anything that would make reading block.

pub(crate) mod information;
pub(crate) mod logs;
pub(crate) mod performance;

#[cfg(test)]
mod tests;

use crate::account::{Account, AccountName, Accounts};
use crate::catalog::{Catalog, ColumnType};
use crate::host::GroupStatus;
use crate::sysvar::{Globals, SessionVars};
use crate::value::Value;
use wire::id::TableId;

/// One column of a computed table or of a SHOW.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ColumnType,
    /// Whether NULL may come.
    pub nullable: bool,
}

/// One connection, for the process list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Connection id.
    pub id: u32,
    /// Who.
    pub user: String,
    /// From where, `host:port`.
    pub host: String,
    /// Current database.
    pub database: Option<String>,
    /// `Query`, `Sleep` ...
    pub command: &'static str,
    /// Seconds since the command began.
    pub time_s: u64,
    /// What it waits for; empty for nothing.
    pub state: String,
    /// The running statement.
    pub info: Option<String>,
}

/// The member's state, as of the reading statement.
pub struct Source<'a> {
    /// The group.
    pub status: &'a GroupStatus,
    /// Global variables.
    pub globals: &'a Globals,
    /// The reading session's variables.
    pub session: &'a SessionVars,
    /// Databases and tables.
    pub catalog: &'a Catalog,
    /// Accounts.
    pub accounts: &'a Accounts,
    /// The reader's account.
    pub viewer: (&'a AccountName, &'a Account),
    /// Connections that the reader may see.
    pub processes: &'a [Process],
    /// Status variables beside the group's, by name; false: with the reading session's own counters.
    pub server_status: &'a dyn Fn(bool) -> Vec<(String, String)>,
    /// Rows of a table, about.
    pub row_count: &'a dyn Fn(TableId) -> u64,
    /// Next value of a table's AUTO_INCREMENT column.
    pub next_value: &'a dyn Fn(TableId) -> u64,
    /// User of the channel `group_replication_recovery`, where one is set.
    pub recovery_user: Option<&'a str>,
}

impl Source<'_> {
    /// Whether the reader may see a database.
    #[must_use]
    pub fn sees(&self, database: &str) -> bool {
        matches!(database, "information_schema" | "performance_schema") || self.viewer.1.sees_database(database)
    }
}

/// Types in the tables of this module, short.
#[derive(Clone, Copy, Debug)]
pub(crate) enum T {
    /// CHAR(n) or VARCHAR(n).
    C(u32),
    /// LONGTEXT.
    L,
    /// BIGINT UNSIGNED.
    B,
    /// BIGINT.
    S,
    /// INT.
    I,
    /// TINYINT.
    Y,
}

/// A column: name, type, whether NULL may come.
pub(crate) type Col = (&'static str, T, bool);

/// A computed table.
pub(crate) struct Table {
    pub(crate) schema: &'static str,
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Col],
    pub(crate) rows: fn(&Source<'_>) -> Vec<Vec<Value>>,
}

pub(crate) fn column_of(&(name, kind, nullable): &Col) -> VirtualColumn {
    let int = |bytes, unsigned| ColumnType::Int { bytes, unsigned, width: None, zerofill: false };
    let kind = match kind {
        T::C(length) => ColumnType::VarChar(length),
        T::L => ColumnType::Text(4),
        T::B => int(8, true),
        T::S => int(8, false),
        T::I => int(4, false),
        T::Y => int(1, false),
    };
    VirtualColumn { name: name.to_owned(), kind, nullable }
}

/// Shown where a moment is not known.
pub(crate) const NO_TIME: &str = "0000-00-00 00:00:00.000000";

pub(crate) fn no_rows(_: &Source<'_>) -> Vec<Vec<Value>> {
    Vec::new()
}

fn all() -> impl Iterator<Item = &'static Table> {
    performance::TABLES.iter().chain(information::TABLES).chain(logs::TABLES)
}

fn find(schema: &str, name: &str) -> Option<&'static Table> {
    all().find(|table| table.schema.eq_ignore_ascii_case(schema) && table.name.eq_ignore_ascii_case(name))
}

/// The columns of a computed table; `None`: there is none of that name. Names are compared without case.
#[must_use]
pub fn columns(schema: &str, name: &str) -> Option<Vec<VirtualColumn>> {
    find(schema, name).map(|table| table.columns.iter().map(column_of).collect())
}

/// The rows of a computed table.
#[must_use]
pub fn rows(schema: &str, name: &str, source: &Source<'_>) -> Option<Vec<Vec<Value>>> {
    find(schema, name).map(|table| (table.rows)(source))
}

/// Names of the computed tables of a database, sorted; but for `mysql.user`, which is hidden as MySQL's dictionary is: a
/// dump of all databases that held it could not be restored.
#[must_use]
pub fn names(schema: &str) -> Vec<&'static str> {
    let mut names: Vec<_> =
        all().filter(|table| table.schema.eq_ignore_ascii_case(schema)).map(|table| table.name).collect();
    names.retain(|name| *name != "user");
    names.sort_unstable();
    names
}
