//! SET, SHOW, accounts and administration, as written.

use super::{Expr, ObjectName, Scope};

/// One item of SET.
#[derive(Clone, Debug, PartialEq)]
pub enum SetItem {
    /// `@name = expr`, without the `@`.
    UserVariable {
        /// Which.
        name: String,
        /// To what.
        value: Expr,
    },
    /// `[GLOBAL|SESSION|..] name = expr`; a bare word on the right (`ON`, `utf8mb4`) is a string
    /// literal, `DEFAULT` is [`Expr::Default`].
    System {
        /// `None`: as if SESSION.
        scope: Option<Scope>,
        /// As written, with `component.` in front where there is one.
        name: String,
        /// To what.
        value: Expr,
    },
    /// `NAMES charset [COLLATE collation]`; `None` for DEFAULT.
    Names {
        /// Character set, in lower case.
        charset: Option<String>,
        /// Collation, in lower case.
        collation: Option<String>,
    },
    /// `CHARACTER SET charset`; `None` for DEFAULT.
    CharacterSet(Option<String>),
    /// `[GLOBAL|SESSION] TRANSACTION ..`; without a scope, of the next transaction only.
    Transaction {
        /// `None`: of the next transaction only.
        scope: Option<Scope>,
        /// `ISOLATION LEVEL`.
        isolation: Option<Isolation>,
        /// `READ ONLY` (true), `READ WRITE` (false).
        read_only: Option<bool>,
    },
}

/// Isolation levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// READ UNCOMMITTED.
    ReadUncommitted,
    /// READ COMMITTED.
    ReadCommitted,
    /// REPEATABLE READ.
    #[default]
    RepeatableRead,
    /// SERIALIZABLE.
    Serializable,
}

impl Isolation {
    /// As `@@transaction_isolation` shows it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "READ-UNCOMMITTED",
            Self::ReadCommitted => "READ-COMMITTED",
            Self::RepeatableRead => "REPEATABLE-READ",
            Self::Serializable => "SERIALIZABLE",
        }
    }
}

/// `LIKE 'pattern'` or `WHERE expr` of a SHOW.
#[derive(Clone, Debug, PartialEq)]
pub enum ShowFilter {
    /// `LIKE`.
    Like(String),
    /// `WHERE`, over the columns of the result.
    Where(Box<Expr>),
}

/// SHOW statements.
#[derive(Clone, Debug, PartialEq)]
pub enum Show {
    /// `SHOW [GLOBAL|SESSION] VARIABLES`.
    Variables {
        /// GLOBAL.
        global: bool,
        /// Which.
        filter: Option<ShowFilter>,
    },
    /// `SHOW [GLOBAL|SESSION] STATUS`.
    Status {
        /// GLOBAL.
        global: bool,
        /// Which.
        filter: Option<ShowFilter>,
    },
    /// `SHOW DATABASES|SCHEMAS`.
    Databases(Option<ShowFilter>),
    /// `SHOW [EXTENDED] [FULL] TABLES [FROM db]`.
    Tables {
        /// FULL.
        full: bool,
        /// FROM, else the current one.
        schema: Option<String>,
        /// Which.
        filter: Option<ShowFilter>,
    },
    /// `SHOW TABLE STATUS [FROM db]`.
    TableStatus {
        /// FROM, else the current one.
        schema: Option<String>,
        /// Which.
        filter: Option<ShowFilter>,
    },
    /// `SHOW OPEN TABLES [FROM db]`.
    OpenTables {
        /// FROM.
        schema: Option<String>,
        /// Which.
        filter: Option<ShowFilter>,
    },
    /// `SHOW [FULL] COLUMNS|FIELDS FROM t`, `DESCRIBE t [column]`.
    Columns {
        /// FULL.
        full: bool,
        /// Which table.
        table: ObjectName,
        /// Which columns.
        filter: Option<ShowFilter>,
    },
    /// `SHOW INDEX|INDEXES|KEYS FROM t`.
    Index {
        /// Which table.
        table: ObjectName,
        /// WHERE.
        filter: Option<ShowFilter>,
    },
    /// `SHOW CREATE TABLE`.
    CreateTable(ObjectName),
    /// `SHOW CREATE DATABASE [IF NOT EXISTS]`.
    CreateDatabase {
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// Which.
        name: String,
    },
    /// `SHOW CREATE VIEW|PROCEDURE|FUNCTION|TRIGGER|EVENT name`: (kind in upper case, name). None exist here.
    CreateOther(String, ObjectName),
    /// `SHOW CREATE USER`; `None` for CURRENT_USER().
    CreateUser(Option<UserName>),
    /// `SHOW WARNINGS [LIMIT ..]`, `SHOW ERRORS`.
    Warnings {
        /// ERRORS: only errors.
        errors_only: bool,
        /// LIMIT (offset, count).
        limit: Option<(u64, u64)>,
    },
    /// `SHOW COUNT(*) WARNINGS|ERRORS`.
    WarningCount {
        /// ERRORS: only errors.
        errors_only: bool,
    },
    /// `SHOW [FULL] PROCESSLIST`.
    ProcessList {
        /// FULL.
        full: bool,
    },
    /// `SHOW PLUGINS`.
    Plugins,
    /// `SHOW [STORAGE] ENGINES`.
    Engines,
    /// `SHOW ENGINE name STATUS|MUTEX|LOGS`: name and which.
    Engine(String, String),
    /// `SHOW PRIVILEGES`.
    Privileges,
    /// `SHOW GRANTS [FOR user]`; `None` for the session's own.
    Grants(Option<UserName>),
    /// `SHOW CHARACTER SET`.
    CharacterSet(Option<ShowFilter>),
    /// `SHOW COLLATION`.
    Collation(Option<ShowFilter>),
    /// `SHOW TRIGGERS [FROM db]`.
    Triggers {
        /// FROM.
        schema: Option<String>,
        /// Which.
        filter: Option<ShowFilter>,
    },
    /// `SHOW EVENTS [FROM db]`.
    Events {
        /// FROM.
        schema: Option<String>,
        /// Which.
        filter: Option<ShowFilter>,
    },
    /// `SHOW PROCEDURE STATUS`.
    ProcedureStatus(Option<ShowFilter>),
    /// `SHOW FUNCTION STATUS`.
    FunctionStatus(Option<ShowFilter>),
    /// `SHOW PROFILES`, `SHOW PROFILE`.
    Profiles,
    /// `SHOW BINARY LOGS`, `SHOW MASTER LOGS`.
    BinaryLogs,
    /// `SHOW BINARY LOG STATUS`, `SHOW MASTER STATUS`.
    BinaryLogStatus,
    /// `SHOW BINLOG EVENTS [IN 'file'] [FROM pos] [LIMIT ..]`.
    BinlogEvents(EventRange),
    /// `SHOW RELAYLOG EVENTS [IN 'file'] [FROM pos] [LIMIT ..] [FOR CHANNEL c]`.
    RelaylogEvents(EventRange, Option<String>),
    /// `SHOW REPLICA STATUS`, `SHOW SLAVE STATUS [FOR CHANNEL c]`.
    ReplicaStatus {
        /// FOR CHANNEL.
        channel: Option<String>,
        /// Written as SLAVE: the columns have their old names.
        old_names: bool,
    },
    /// `SHOW REPLICAS`, `SHOW SLAVE HOSTS`.
    Replicas,
}

/// What part of a log is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventRange {
    /// IN 'file'.
    pub file: Option<String>,
    /// FROM position.
    pub from: Option<u64>,
    /// LIMIT offset.
    pub offset: u64,
    /// LIMIT count.
    pub limit: Option<u64>,
}

/// What FLUSH flushes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlushWhat {
    /// `PRIVILEGES`.
    Privileges,
    /// `TABLES [names] [WITH READ LOCK | FOR EXPORT]`.
    Tables {
        /// Which; empty: all.
        names: Vec<ObjectName>,
        /// `WITH READ LOCK`.
        read_lock: bool,
    },
    /// `[BINARY|ENGINE|ERROR|GENERAL|RELAY|SLOW] LOGS`.
    Logs,
    /// `STATUS`.
    Status,
    /// `HOSTS`, `OPTIMIZER_COSTS`, `USER_RESOURCES` and others without effect: the word.
    Other(String),
}

/// `'user'@'host'`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName {
    /// Empty: anybody.
    pub user: String,
    /// Host pattern in lower case; `%` where not written.
    pub host: String,
    /// Written as `CURRENT_USER[()]` or `USER()`: the session's own account; the other two are empty.
    pub current: bool,
}

/// A user and how they prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSpec {
    /// Who.
    pub name: UserName,
    /// How; `None`: as it is, or without a password for a new one.
    pub auth: Option<AuthSpec>,
}

/// How a user proves who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthSpec {
    /// `WITH plugin`; `None`: the default one (or the account's).
    pub plugin: Option<String>,
    /// With what.
    pub secret: Secret,
}

/// What follows IDENTIFIED WITH or BY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// `BY 'clear text'`.
    Password(String),
    /// `AS 'stored string'` (and 5.7's `BY PASSWORD 'hash'`).
    Stored(Vec<u8>),
    /// Neither: no password.
    None,
}

/// `GRANT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What.
    pub privileges: Vec<Privilege>,
    /// On what.
    pub level: GrantLevel,
    /// To whom; with IDENTIFIED (as up to 5.7) the account is created, or its password set.
    pub users: Vec<UserSpec>,
    /// `WITH GRANT OPTION`.
    pub grant_option: bool,
}

/// `REVOKE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoke {
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// What; `GRANT OPTION` is a privilege here.
    pub privileges: Vec<Privilege>,
    /// On what; `None` for `REVOKE ALL PRIVILEGES, GRANT OPTION FROM`.
    pub level: Option<GrantLevel>,
    /// From whom.
    pub users: Vec<UserName>,
}

/// One privilege as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privilege {
    /// In upper case with single spaces: `SELECT`, `REPLICATION SLAVE`, `ALL`, `GROUP_REPLICATION_ADMIN`.
    pub name: String,
    /// Column list; empty: none.
    pub columns: Vec<String>,
}

/// What a privilege is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantLevel {
    /// `*.*`.
    Global,
    /// `*`: the current database.
    CurrentDatabase,
    /// `db.*`; a pattern (`_`, `%`, backslash).
    Database(String),
    /// `[db.]table`.
    Table(ObjectName),
    /// `PROCEDURE|FUNCTION [db.]name`.
    Routine(ObjectName),
}

/// `CHANGE REPLICATION SOURCE TO`.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeSource {
    /// Options in order: name with MASTER_ turned to SOURCE_, in upper case (`SOURCE_USER`,
    /// `SOURCE_PASSWORD`, `PRIVILEGE_CHECKS_USER` ...), and value.
    pub options: Vec<(String, SourceValue)>,
    /// FOR CHANNEL.
    pub channel: Option<String>,
    /// Written as CHANGE MASTER TO (a 1287 warning).
    pub old_names: bool,
}

/// Value of an option of CHANGE REPLICATION SOURCE TO.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceValue {
    /// A string.
    Text(String),
    /// A number, as written.
    Number(String),
    /// A bare word (`ON`, `STREAM`, `OFF`, `LOCAL`), in upper case.
    Word(String),
    /// `NULL`.
    Null,
    /// `'user'@'host'`.
    User(UserName),
    /// `(1, 2, ..)`.
    List(Vec<String>),
}

/// START/STOP REPLICA.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaThreads {
    /// `IO_THREAD`/`RECEIVER` named.
    pub io: bool,
    /// `SQL_THREAD`/`APPLIER` named.
    pub sql: bool,
    /// `FOR CHANNEL`.
    pub channel: Option<String>,
}
