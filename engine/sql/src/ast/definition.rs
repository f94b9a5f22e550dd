//! Definitions of databases and tables, as written.

use super::{Expr, ObjectName, Select};

/// `CREATE DATABASE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateDatabase {
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// Its name.
    pub name: String,
    /// Its options.
    pub options: DatabaseOptions,
}

/// Options of a database, names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseOptions {
    /// `CHARACTER SET`.
    pub charset: Option<String>,
    /// `COLLATE`.
    pub collation: Option<String>,
}

/// `CREATE TABLE`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTable {
    /// `TEMPORARY`.
    pub temporary: bool,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// Its name.
    pub name: ObjectName,
    /// Columns, in order. Keys written at a column (`PRIMARY KEY`, `UNIQUE`) are in [`CreateTable::keys`].
    pub columns: Vec<ColumnDef>,
    /// Keys, in the order written: those at columns stand where their column does.
    pub keys: Vec<KeyDef>,
    /// Foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// `CHECK (..)` constraints.
    pub checks: Vec<Check>,
    /// Options after the columns.
    pub options: TableOptions,
    /// `LIKE other`.
    pub like: Option<ObjectName>,
    /// `AS SELECT`.
    pub select: Option<Box<Select>>,
}

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDef {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// `Some(false)` for NOT NULL, `Some(true)` for NULL, `None` where neither is written.
    pub nullable: Option<bool>,
    /// `DEFAULT`.
    pub default: Option<Expr>,
    /// `ON UPDATE CURRENT_TIMESTAMP[(n)]`: its precision.
    pub on_update: Option<u8>,
    /// `AUTO_INCREMENT`.
    pub auto_increment: bool,
    /// `COMMENT`.
    pub comment: Option<String>,
    /// `CHARACTER SET`, in lower case.
    pub charset: Option<String>,
    /// `COLLATE`, in lower case.
    pub collation: Option<String>,
    /// `[GENERATED ALWAYS] AS (expr)`; true for STORED.
    pub generated: Option<(Expr, bool)>,
    /// `INVISIBLE`.
    pub invisible: bool,
}

/// A column's type as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataType {
    /// `TINYINT`, `SMALLINT`, `MEDIUMINT`, `INT`, `BIGINT`; `BOOL` is TINYINT(1), SERIAL is not here.
    Int {
        /// Bytes: 1, 2, 3, 4, 8.
        bytes: u8,
        /// `UNSIGNED`.
        unsigned: bool,
        /// Display width, where written (shown only for TINYINT(1) and ZEROFILL).
        width: Option<u8>,
        /// `ZEROFILL`.
        zerofill: bool,
    },
    /// `BIT(n)`, 1..=64.
    Bit(u8),
    /// `DECIMAL(m,d)`.
    Decimal {
        /// Digits, 1..=65; 10 where not written.
        precision: u8,
        /// Digits after the point; 0 where not written.
        scale: u8,
        /// `UNSIGNED`.
        unsigned: bool,
    },
    /// `FLOAT`.
    Float {
        /// `UNSIGNED`.
        unsigned: bool,
    },
    /// `DOUBLE`, `REAL`.
    Double {
        /// `UNSIGNED`.
        unsigned: bool,
    },
    /// `FLOAT(digits,scale)`, `DOUBLE(digits,scale)`.
    Fixed {
        /// `UNSIGNED`.
        unsigned: bool,
        /// FLOAT, not DOUBLE.
        single: bool,
        /// Digits in all.
        digits: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// `CHAR(n)`, in characters.
    Char(u32),
    /// `VARCHAR(n)`, in characters.
    VarChar(u32),
    /// `BINARY(n)`.
    Binary(u32),
    /// `VARBINARY(n)`.
    VarBinary(u32),
    /// `TINYTEXT`, `TEXT`, `MEDIUMTEXT`, `LONGTEXT`: bytes of the length prefix, 1..=4.
    Text(u8),
    /// `TINYBLOB`, `BLOB`, `MEDIUMBLOB`, `LONGBLOB`: bytes of the length prefix, 1..=4.
    Blob(u8),
    /// `DATE`.
    Date,
    /// `TIME(n)`.
    Time(u8),
    /// `DATETIME(n)`.
    DateTime(u8),
    /// `TIMESTAMP(n)`.
    Timestamp(u8),
    /// `YEAR`.
    Year,
    /// `ENUM(..)`.
    Enum(Vec<String>),
    /// `SET(..)`.
    Set(Vec<String>),
    /// `JSON`.
    Json,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDef {
    /// Which.
    pub kind: KeyKind,
    /// Its name, where written; MySQL then takes the first column's, with `_2` and so on.
    pub name: Option<String>,
    /// `CONSTRAINT name`, where written (it names a UNIQUE key that has no name).
    pub constraint: Option<String>,
    /// Parts, at least one.
    pub parts: Vec<KeyPart>,
    /// `COMMENT`.
    pub comment: Option<String>,
    /// `INVISIBLE`.
    pub invisible: bool,
}

/// Which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// `PRIMARY KEY`.
    Primary,
    /// `UNIQUE`.
    Unique,
    /// `KEY`, `INDEX`.
    Plain,
    /// `FULLTEXT`.
    FullText,
    /// `SPATIAL`.
    Spatial,
}

/// One part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPart {
    /// Which column.
    pub column: String,
    /// Prefix in characters (bytes of a binary column).
    pub prefix: Option<u32>,
    /// `DESC`.
    pub descending: bool,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// `CONSTRAINT name`.
    pub name: Option<String>,
    /// Columns here.
    pub columns: Vec<String>,
    /// The parent.
    pub parent: ObjectName,
    /// Columns there.
    pub parent_columns: Vec<String>,
    /// `ON DELETE`.
    pub on_delete: ReferenceAction,
    /// `ON UPDATE`.
    pub on_update: ReferenceAction,
}

/// What becomes of children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReferenceAction {
    /// `NO ACTION`, and nothing written.
    #[default]
    NoAction,
    /// `RESTRICT`.
    Restrict,
    /// `CASCADE`.
    Cascade,
    /// `SET NULL`.
    SetNull,
    /// `SET DEFAULT`.
    SetDefault,
}

/// A CHECK constraint.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// `CONSTRAINT name`.
    pub name: Option<String>,
    /// The condition.
    pub expr: Expr,
    /// Not `NOT ENFORCED`.
    pub enforced: bool,
}

/// Options of a table, names in lower case where MySQL ignores case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// `ENGINE`, as written.
    pub engine: Option<String>,
    /// `[DEFAULT] CHARACTER SET`.
    pub charset: Option<String>,
    /// `COLLATE`.
    pub collation: Option<String>,
    /// `COMMENT`.
    pub comment: Option<String>,
    /// `AUTO_INCREMENT`.
    pub auto_increment: Option<u64>,
    /// `ROW_FORMAT`, in upper case.
    pub row_format: Option<String>,
    /// Accepted and without effect here (`MAX_ROWS`, `STATS_PERSISTENT` ...): name in upper case, value.
    pub other: Vec<(String, String)>,
}

/// One change of ALTER TABLE.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterTable {
    /// `ADD [COLUMN]`.
    AddColumn(ColumnDef, ColumnPlace),
    /// `DROP [COLUMN]`.
    DropColumn(String),
    /// `MODIFY [COLUMN]`, `CHANGE [COLUMN] old ..`: the old name.
    ChangeColumn(String, ColumnDef, ColumnPlace),
    /// `RENAME COLUMN a TO b`.
    RenameColumn(String, String),
    /// `ADD KEY ..`.
    AddKey(KeyDef),
    /// `DROP KEY`.
    DropKey(String),
    /// `DROP PRIMARY KEY`.
    DropPrimaryKey,
    /// `ADD FOREIGN KEY`.
    AddForeignKey(ForeignKey),
    /// `DROP FOREIGN KEY`.
    DropForeignKey(String),
    /// `ADD CHECK`.
    AddCheck(Check),
    /// `DROP CHECK`.
    DropCheck(String),
    /// `ALTER COLUMN .. SET DEFAULT`, `DROP DEFAULT`.
    SetDefault(String, Option<Expr>),
    /// `ALTER INDEX .. VISIBLE`, `INVISIBLE`.
    ShowKey(String, bool),
    /// `ALTER CHECK .. [NOT] ENFORCED`.
    EnforceCheck(String, bool),
    /// `DROP CONSTRAINT`: whichever kind has the name.
    DropConstraint(String),
    /// `RENAME TO`.
    RenameTo(ObjectName),
    /// Table options.
    Options(TableOptions),
}

/// Where a column is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnPlace {
    /// At the end (or where it is).
    Default,
    /// `FIRST`.
    First,
    /// `AFTER column`.
    After(String),
}

/// Lock of LOCK TABLES.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableLock {
    /// `READ [LOCAL]`.
    Read,
    /// `WRITE`.
    Write,
}

/// Which maintenance statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maintenance {
    /// `ANALYZE`.
    Analyze,
    /// `CHECK`.
    Check,
    /// `OPTIMIZE`.
    Optimize,
    /// `REPAIR`.
    Repair,
    /// `CHECKSUM`.
    Checksum,
}
