//! Queries and data changes, as written.

use super::{ColumnRef, Expr, ObjectName};

/// A query: `SELECT` (possibly without FROM), with UNION arms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Select {
    /// `WITH` common table expressions, in order.
    pub with: Vec<CommonTable>,
    /// `DISTINCT`.
    pub distinct: bool,
    /// `SQL_CALC_FOUND_ROWS`.
    pub calc_found_rows: bool,
    /// What is selected.
    pub projection: Vec<SelectItem>,
    /// `FROM`; empty for none or DUAL. More than one: an inner join without a condition (comma).
    pub from: Vec<TableRef>,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// `GROUP BY`.
    pub group_by: Vec<Expr>,
    /// `GROUP BY .. WITH ROLLUP`.
    pub rollup: bool,
    /// `HAVING`.
    pub having: Option<Expr>,
    /// `UNION [ALL] SELECT ..` after this one, from left to right; the order and limit below are then
    /// those of the whole.
    pub unions: Vec<Union>,
    /// `ORDER BY`.
    pub order_by: Vec<OrderBy>,
    /// `LIMIT`.
    pub limit: Option<Limit>,
    /// `FOR UPDATE`, `FOR SHARE`, `LOCK IN SHARE MODE`.
    pub locking: Option<Locking>,
    /// `VALUES ROW(..), ..` in place of the projection.
    pub values: Vec<Vec<Expr>>,
}

/// One arm of a UNION.
#[derive(Clone, Debug, PartialEq)]
pub struct Union {
    /// `ALL`: equal rows are kept.
    pub all: bool,
    /// `UNION`, `EXCEPT` or `INTERSECT`.
    pub op: SetOp,
    /// The arm.
    pub select: Select,
}

/// What combines two arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOp {
    /// `UNION`.
    Union,
    /// `EXCEPT`.
    Except,
    /// `INTERSECT`.
    Intersect,
}

/// `name [(columns)] AS (SELECT ..)`.
#[derive(Clone, Debug, PartialEq)]
pub struct CommonTable {
    /// Its name.
    pub name: String,
    /// Names of its columns; empty: those of the query.
    pub columns: Vec<String>,
    /// Its query.
    pub select: Box<Select>,
    /// `WITH RECURSIVE`.
    pub recursive: bool,
}

/// One item of a projection.
#[derive(Clone, Debug, PartialEq)]
pub enum SelectItem {
    /// An expression.
    Expr {
        /// The expression.
        expr: Expr,
        /// `AS alias`.
        alias: Option<String>,
        /// The heading that MySQL gives it without an alias: its text as written, a string literal's
        /// content, a column's name.
        heading: String,
    },
    /// `*`.
    All,
    /// `[schema.]table.*`.
    AllOf(ObjectName),
}

/// Where rows come from.
#[derive(Clone, Debug, PartialEq)]
pub enum TableRef {
    /// A table.
    Table {
        /// Which.
        name: ObjectName,
        /// `AS alias`.
        alias: Option<String>,
        /// `USE|FORCE|IGNORE INDEX`.
        hints: Vec<IndexHint>,
    },
    /// `(SELECT ..) AS alias [(columns)]`.
    Derived {
        /// The query.
        select: Box<Select>,
        /// Its name.
        alias: String,
        /// Names of its columns; empty: those of the query.
        columns: Vec<String>,
        /// `LATERAL`.
        lateral: bool,
    },
    /// A join.
    Join {
        /// Left side.
        left: Box<TableRef>,
        /// Right side.
        right: Box<TableRef>,
        /// Which join.
        kind: JoinKind,
        /// On what.
        on: JoinCondition,
    },
}

/// Which join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// `[INNER|CROSS] JOIN`, `STRAIGHT_JOIN`.
    Inner,
    /// `LEFT [OUTER] JOIN`.
    Left,
    /// `RIGHT [OUTER] JOIN`.
    Right,
}

/// What joins two rows.
#[derive(Clone, Debug, PartialEq)]
pub enum JoinCondition {
    /// Nothing: every pair.
    None,
    /// `ON`.
    On(Expr),
    /// `USING (columns)`.
    Using(Vec<String>),
    /// `NATURAL`.
    Natural,
}

/// `USE|FORCE|IGNORE INDEX (names)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexHint {
    /// Which.
    pub kind: IndexHintKind,
    /// Index names.
    pub names: Vec<String>,
}

/// Which hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexHintKind {
    /// `USE`.
    Use,
    /// `FORCE`.
    Force,
    /// `IGNORE`.
    Ignore,
}

/// One item of ORDER BY.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderBy {
    /// By what; an integer literal is a place in the projection, from 1.
    pub expr: Expr,
    /// `DESC`.
    pub descending: bool,
}

/// `LIMIT [offset,] count`.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// At most so many rows: a literal or a parameter.
    pub count: Expr,
    /// After so many rows.
    pub offset: Option<Expr>,
}

/// `FOR UPDATE`, `FOR SHARE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locking {
    /// `FOR UPDATE`; else `FOR SHARE`.
    pub exclusive: bool,
    /// `OF tables`; empty: all.
    pub of: Vec<String>,
    /// What to do about a locked row.
    pub wait: LockWait,
}

/// What to do about a locked row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWait {
    /// Wait.
    Wait,
    /// 3572.
    NoWait,
    /// Leave it out.
    SkipLocked,
}

/// `INSERT`, `REPLACE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Insert {
    /// `REPLACE`.
    pub replace: bool,
    /// `IGNORE`.
    pub ignore: bool,
    /// Into what.
    pub table: ObjectName,
    /// Column list; empty: all, in order. `SET a=1` comes out as columns and one row.
    pub columns: Vec<String>,
    /// The rows.
    pub source: InsertSource,
    /// `ON DUPLICATE KEY UPDATE`.
    pub on_duplicate: Vec<Assignment>,
    /// `AS alias [(columns)]` of the new row.
    pub row_alias: Option<(String, Vec<String>)>,
}

/// Rows to insert.
#[derive(Clone, Debug, PartialEq)]
pub enum InsertSource {
    /// `VALUES`, `SET`; a row may be empty (`VALUES ()`: defaults).
    Rows(Vec<Vec<Expr>>),
    /// `SELECT`.
    Select(Box<Select>),
}

/// `column = value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// Which column.
    pub column: ColumnRef,
    /// To what.
    pub value: Expr,
}

/// `UPDATE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// `IGNORE`.
    pub ignore: bool,
    /// Which tables; one that is a [`TableRef::Table`] for a single-table update.
    pub from: Vec<TableRef>,
    /// `SET`, in order: later ones see earlier ones' values, as in MySQL.
    pub set: Vec<Assignment>,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// `ORDER BY`.
    pub order_by: Vec<OrderBy>,
    /// `LIMIT`.
    pub limit: Option<Expr>,
}

/// `DELETE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    /// `IGNORE`.
    pub ignore: bool,
    /// Tables named before FROM or after it with USING; empty for a single-table delete.
    pub targets: Vec<ObjectName>,
    /// Where from; one [`TableRef::Table`] for a single-table delete.
    pub from: Vec<TableRef>,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// `ORDER BY`.
    pub order_by: Vec<OrderBy>,
    /// `LIMIT`.
    pub limit: Option<Expr>,
}
