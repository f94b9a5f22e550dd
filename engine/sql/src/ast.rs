//! Statements and expressions as MySQL understands them: what the parsers produce and the planner and
//! the session read. No type of a parser library appears here.
//!
//! Absent on purpose: name resolution, types of expressions, evaluation. Names are kept as written;
//! comparing them without case where MySQL does is the reader's work.
//!
//! Literals are numbered implicitly by nothing: a text that is to be planned once and run with many
//! values goes through [`crate::normalize`], whose stripped text holds `?` where literals were.

mod admin;
mod definition;
mod expr;
mod query;

pub use admin::*;
pub use definition::*;
pub use expr::*;
pub use query::*;

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// Nothing but comments: answered with OK, as MySQL does (nothing at all is 1065).
    Empty,
    /// `SELECT`.
    Select(Box<Select>),
    /// `INSERT` and `REPLACE`.
    Insert(Box<Insert>),
    /// `UPDATE`.
    Update(Box<Update>),
    /// `DELETE`.
    Delete(Box<Delete>),
    /// `EXPLAIN`/`DESCRIBE` of a statement (a table's columns are [`Show::Columns`]).
    Explain(Box<Statement>),

    /// `CREATE DATABASE`.
    CreateDatabase(CreateDatabase),
    /// `ALTER DATABASE [name] ...`; `name` is `None` for the current one.
    AlterDatabase {
        /// Which; `None`: the current one.
        name: Option<String>,
        /// What becomes of it.
        options: DatabaseOptions,
    },
    /// `DROP DATABASE`.
    DropDatabase {
        /// `IF EXISTS`.
        if_exists: bool,
        /// Which.
        name: String,
    },
    /// `CREATE TABLE`.
    CreateTable(Box<CreateTable>),
    /// `DROP TABLE`.
    DropTable {
        /// `TEMPORARY`.
        temporary: bool,
        /// `IF EXISTS`.
        if_exists: bool,
        /// Which, at least one.
        names: Vec<ObjectName>,
    },
    /// `TRUNCATE [TABLE]`.
    Truncate(ObjectName),
    /// `RENAME TABLE a TO b, ...`.
    RenameTable(Vec<(ObjectName, ObjectName)>),
    /// `ALTER TABLE`.
    AlterTable {
        /// Which.
        name: ObjectName,
        /// What becomes of it, in order.
        changes: Vec<AlterTable>,
    },
    /// `CREATE [UNIQUE] INDEX`.
    CreateIndex {
        /// Which table.
        table: ObjectName,
        /// The key; its name is `Some`.
        key: KeyDef,
    },
    /// `DROP INDEX name ON table`.
    DropIndex {
        /// Which table.
        table: ObjectName,
        /// Which index.
        name: String,
    },

    /// `BEGIN`, `START TRANSACTION`.
    Begin {
        /// `WITH CONSISTENT SNAPSHOT`.
        consistent_snapshot: bool,
        /// `READ ONLY` (`Some(true)`), `READ WRITE` (`Some(false)`).
        read_only: Option<bool>,
    },
    /// `COMMIT [AND [NO] CHAIN] [[NO] RELEASE]`.
    Commit {
        /// `AND CHAIN`.
        chain: bool,
        /// `RELEASE`.
        release: bool,
    },
    /// `ROLLBACK [AND [NO] CHAIN] [[NO] RELEASE]`.
    Rollback {
        /// `AND CHAIN`.
        chain: bool,
        /// `RELEASE`.
        release: bool,
    },
    /// `SAVEPOINT name`.
    Savepoint(String),
    /// `ROLLBACK TO [SAVEPOINT] name`.
    RollbackTo(String),
    /// `RELEASE SAVEPOINT name`.
    ReleaseSavepoint(String),
    /// `LOCK TABLES`.
    LockTables(Vec<(ObjectName, Option<String>, TableLock)>),
    /// `UNLOCK TABLES`.
    UnlockTables,
    /// `LOCK INSTANCE FOR BACKUP`.
    LockInstance,
    /// `UNLOCK INSTANCE`.
    UnlockInstance,

    /// `USE`.
    Use(String),
    /// `SET` of variables, names and characteristics, in order.
    Set(Vec<SetItem>),
    /// `SHOW`, and `DESCRIBE table`.
    Show(Show),
    /// `DO expr, ...`.
    Do(Vec<Expr>),
    /// `KILL [CONNECTION | QUERY] id`.
    Kill {
        /// `QUERY`: only the running statement.
        query: bool,
        /// The connection.
        id: Expr,
    },
    /// `FLUSH`.
    Flush(Vec<FlushWhat>),
    /// `SHUTDOWN`.
    Shutdown,
    /// `RESTART`.
    Restart,
    /// `PREPARE name FROM 'text' | @variable`.
    Prepare {
        /// Name of the prepared statement.
        name: String,
        /// A text literal or a user variable.
        from: Expr,
    },
    /// `EXECUTE name [USING @a, ...]`.
    Execute {
        /// Name of the prepared statement.
        name: String,
        /// User variables, without `@`.
        using: Vec<String>,
    },
    /// `CALL name(..)`.
    Call(ObjectName),
    /// `DEALLOCATE PREPARE name`.
    Deallocate(String),
    /// `CHECK`, `ANALYZE`, `OPTIMIZE`, `REPAIR TABLE`, `CHECKSUM TABLE`.
    TableMaintenance {
        /// Which of them.
        what: Maintenance,
        /// Which tables.
        names: Vec<ObjectName>,
    },

    /// `CREATE USER`.
    CreateUser {
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// Who, and how they prove it.
        users: Vec<UserSpec>,
    },
    /// `ALTER USER`.
    AlterUser {
        /// `IF EXISTS`.
        if_exists: bool,
        /// Who, and how they prove it.
        users: Vec<UserSpec>,
    },
    /// `DROP USER`.
    DropUser {
        /// `IF EXISTS`.
        if_exists: bool,
        /// Who.
        users: Vec<UserName>,
    },
    /// `RENAME USER a TO b, ...`.
    RenameUser(Vec<(UserName, UserName)>),
    /// `GRANT privileges ON level TO users`.
    Grant(Box<Grant>),
    /// `REVOKE privileges ON level FROM users`.
    Revoke(Box<Revoke>),
    /// `SET PASSWORD [FOR user] = 'text'`.
    SetPassword {
        /// `None`: the session's own account.
        user: Option<UserName>,
        /// Clear text.
        password: String,
    },

    /// `CHANGE REPLICATION SOURCE TO` and `CHANGE MASTER TO`.
    ChangeReplicationSource(Box<ChangeSource>),
    /// `START GROUP_REPLICATION`.
    StartGroupReplication {
        /// `USER=`.
        user: Option<String>,
        /// `PASSWORD=`.
        password: Option<String>,
        /// `DEFAULT_AUTH=`.
        default_auth: Option<String>,
    },
    /// `STOP GROUP_REPLICATION`.
    StopGroupReplication,
    /// `START REPLICA`/`START SLAVE`.
    StartReplica(ReplicaThreads),
    /// `STOP REPLICA`/`STOP SLAVE`.
    StopReplica(ReplicaThreads),
    /// `RESET REPLICA [ALL]`/`RESET SLAVE`.
    ResetReplica {
        /// `ALL`.
        all: bool,
        /// `FOR CHANNEL`.
        channel: Option<String>,
    },
    /// `RESET MASTER`, `RESET BINARY LOGS AND GTIDS`.
    ResetBinaryLogs,
    /// `RESET PERSIST [[IF EXISTS] name]`.
    ResetPersist {
        /// `IF EXISTS`.
        if_exists: bool,
        /// `None`: all.
        name: Option<String>,
    },
    /// `PURGE BINARY LOGS TO 'name' | BEFORE time`.
    PurgeBinaryLogs {
        /// `TO`.
        to: Option<String>,
        /// `BEFORE`.
        before: Option<Expr>,
    },
    /// `INSTALL PLUGIN`.
    InstallPlugin {
        /// Its name.
        name: String,
        /// `SONAME`.
        soname: String,
    },
    /// `UNINSTALL PLUGIN`.
    UninstallPlugin(String),
}

/// `[schema.]name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The database, where written.
    pub schema: Option<String>,
    /// The name itself.
    pub name: String,
}

impl ObjectName {
    /// A name without a database.
    #[must_use]
    pub fn bare(name: impl Into<String>) -> Self {
        Self { schema: None, name: name.into() }
    }
}
