//! Statements and expressions as MySQL understands them: what the parsers produce and the planner and
//! the session read. No type of a parser library appears here.
//!
//! Absent on purpose: name resolution, types of expressions, evaluation. Names are kept as written;
//! comparing them without case where MySQL does is the reader's work.
//!
//! Literals are numbered implicitly by nothing: a text that is to be planned once and run with many
//! values goes through [`crate::normalize`], whose stripped text holds `?` where literals were.

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

// ---------------------------------------------------------------------------------------------
// Expressions

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A literal.
    Literal(Literal),
    /// `?`, by its place in the statement from 0.
    Parameter(u16),
    /// `[[schema.]table.]column`.
    Column(ColumnRef),
    /// `@name`, without the `@`.
    UserVariable(String),
    /// `@name := value`.
    AssignUserVariable(String, Box<Expr>),
    /// `@@[scope.]name`.
    SystemVariable(SystemVariable),
    /// A prefix operator.
    Unary(UnaryOp, Box<Expr>),
    /// An infix operator.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `a IS [NOT] NULL`.
    IsNull {
        /// What is tested.
        expr: Box<Expr>,
        /// `NOT`.
        negated: bool,
    },
    /// `a IS [NOT] TRUE|FALSE|UNKNOWN`.
    IsTruth {
        /// What is tested.
        expr: Box<Expr>,
        /// `None` for UNKNOWN.
        truth: Option<bool>,
        /// `NOT`.
        negated: bool,
    },
    /// `a [NOT] BETWEEN low AND high`.
    Between {
        /// What is tested.
        expr: Box<Expr>,
        /// `NOT`.
        negated: bool,
        /// Least.
        low: Box<Expr>,
        /// Greatest.
        high: Box<Expr>,
    },
    /// `a [NOT] IN (list)`; a row on the left is [`Expr::Row`].
    InList {
        /// What is tested.
        expr: Box<Expr>,
        /// `NOT`.
        negated: bool,
        /// At least one.
        list: Vec<Expr>,
    },
    /// `a [NOT] IN (SELECT ...)`.
    InSelect {
        /// What is tested.
        expr: Box<Expr>,
        /// `NOT`.
        negated: bool,
        /// The subquery.
        select: Box<Select>,
    },
    /// `a > ALL (SELECT ...)`, `a > ANY (SELECT ...)`.
    Quantified {
        /// A comparison.
        op: BinaryOp,
        /// What is compared.
        expr: Box<Expr>,
        /// ALL, not ANY or SOME.
        all: bool,
        /// The subquery.
        select: Box<Select>,
    },
    /// `[NOT] EXISTS (SELECT ...)`.
    Exists {
        /// `NOT`.
        negated: bool,
        /// The subquery.
        select: Box<Select>,
    },
    /// `(SELECT ...)` as a value.
    Subquery(Box<Select>),
    /// `a [NOT] LIKE pattern [ESCAPE c]`.
    Like {
        /// What is tested.
        expr: Box<Expr>,
        /// `NOT`.
        negated: bool,
        /// The pattern.
        pattern: Box<Expr>,
        /// `None`: a backslash (none at all under NO_BACKSLASH_ESCAPES).
        escape: Option<String>,
    },
    /// `a MEMBER OF (array)`.
    MemberOf {
        /// What is looked for.
        expr: Box<Expr>,
        /// A document.
        array: Box<Expr>,
    },
    /// `a [NOT] REGEXP|RLIKE pattern`.
    Regexp {
        /// What is tested.
        expr: Box<Expr>,
        /// `NOT`.
        negated: bool,
        /// The pattern.
        pattern: Box<Expr>,
    },
    /// `CASE [operand] WHEN .. THEN .. [ELSE ..] END`.
    Case {
        /// With one, each `when` is compared with it.
        operand: Option<Box<Expr>>,
        /// (when, then), at least one.
        arms: Vec<(Expr, Expr)>,
        /// `ELSE`; none gives NULL.
        otherwise: Option<Box<Expr>>,
    },
    /// A call. Names with a grammar of their own (`SUBSTRING(a FROM b)`, `TRIM(..)`, `POSITION`,
    /// `CURRENT_TIMESTAMP`, `EXTRACT`) come out as plain calls too.
    Function(Function),
    /// `CAST(a AS type)`, `CONVERT(a, type)`.
    Cast {
        /// What is converted.
        expr: Box<Expr>,
        /// To what.
        to: CastType,
    },
    /// `CONVERT(a USING charset)`.
    ConvertUsing {
        /// What is converted.
        expr: Box<Expr>,
        /// Name of the character set.
        charset: String,
    },
    /// `a COLLATE name`.
    Collate {
        /// What is collated.
        expr: Box<Expr>,
        /// Name of the collation.
        collation: String,
    },
    /// `BINARY a`.
    BinaryOf(Box<Expr>),
    /// `(a, b, ...)` or `ROW(a, b, ...)`, at least two.
    Row(Vec<Expr>),
    /// `INTERVAL n unit`, only as an operand of `+`, `-` or a date function.
    Interval {
        /// How many.
        value: Box<Expr>,
        /// Unit in upper case, such as `DAY` or `MINUTE_SECOND`.
        unit: String,
    },
    /// `DEFAULT` as a value in INSERT, UPDATE and SET; `DEFAULT(column)`.
    Default(Option<ColumnRef>),
    /// `VALUES(column)` in ON DUPLICATE KEY UPDATE.
    InsertedValue(ColumnRef),
}

/// A literal, exact.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `NULL` (and `\N`).
    Null,
    /// `TRUE`, `FALSE`: the integers 1 and 0, shown by their name in a result's heading.
    Bool(bool),
    /// An integer that fits `i64` or, else, `u64`. Never negative: the sign is an operator.
    UInt(u64),
    /// A number with a point or too large for 64 bits: its digits as written, without exponent.
    Decimal(String),
    /// A number with an exponent.
    Double(f64),
    /// A string literal, decoded, with its introducer (`_utf8mb4'x'`).
    String {
        /// The text after escapes.
        text: String,
        /// `_charset`, in lower case.
        introducer: Option<String>,
    },
    /// A literal with bytes that are no UTF-8, `_binary'..'`, `x'..'`, `0x..`, `b'..'`.
    Bytes {
        /// The bytes.
        bytes: Vec<u8>,
        /// `x'..'`, `0x..`, `b'..'`: a number in numeric context.
        hex: bool,
    },
    /// `DATE '..'`, `TIME '..'`, `TIMESTAMP '..'`.
    Temporal {
        /// Which of the three.
        kind: TemporalKind,
        /// Between the quotes.
        text: String,
    },
}

/// Which temporal literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemporalKind {
    /// `DATE`.
    Date,
    /// `TIME`.
    Time,
    /// `TIMESTAMP`.
    Timestamp,
}

/// `[[schema.]table.]column`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColumnRef {
    /// Database.
    pub schema: Option<String>,
    /// Table or alias.
    pub table: Option<String>,
    /// The column.
    pub column: String,
}

impl ColumnRef {
    /// A column by its name alone.
    #[must_use]
    pub fn bare(column: impl Into<String>) -> Self {
        Self { schema: None, table: None, column: column.into() }
    }
}

/// `@@[scope.]name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SystemVariable {
    /// `None`: the session's value if it has one, else the global one.
    pub scope: Option<Scope>,
    /// As written, with `component.` in front where there is one.
    pub name: String,
}

/// Where a system variable is read or set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `GLOBAL`.
    Global,
    /// `SESSION`, `LOCAL`.
    Session,
    /// `PERSIST`: global, and kept over restarts.
    Persist,
    /// `PERSIST_ONLY`: kept for the next start only.
    PersistOnly,
}

/// Prefix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `-a`.
    Minus,
    /// `+a`.
    Plus,
    /// `NOT a`, `!a`.
    Not,
    /// `~a`.
    BitNot,
}

/// Infix operators, with MySQL's meaning and precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `OR` (`||` unless PIPES_AS_CONCAT).
    Or,
    /// `XOR`.
    Xor,
    /// `AND`, `&&`.
    And,
    /// `=`.
    Eq,
    /// `<=>`.
    NullSafeEq,
    /// `<>`, `!=`.
    Ne,
    /// `<`.
    Lt,
    /// `<=`.
    Le,
    /// `>`.
    Gt,
    /// `>=`.
    Ge,
    /// `|`.
    BitOr,
    /// `&`.
    BitAnd,
    /// `<<`.
    ShiftLeft,
    /// `>>`.
    ShiftRight,
    /// `+`.
    Add,
    /// `-`.
    Sub,
    /// `*`.
    Mul,
    /// `/`: exact division, never an integer.
    Div,
    /// `DIV`.
    IntDiv,
    /// `%`, `MOD`.
    Mod,
    /// `^`.
    BitXor,
    /// `->`, JSON_EXTRACT.
    JsonGet,
    /// `->>`, JSON_UNQUOTE(JSON_EXTRACT()).
    JsonGetText,
}

impl BinaryOp {
    /// As MySQL prints it.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::Xor => "xor",
            Self::And => "and",
            Self::Eq => "=",
            Self::NullSafeEq => "<=>",
            Self::Ne => "<>",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::BitOr => "|",
            Self::BitAnd => "&",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::IntDiv => "DIV",
            Self::Mod => "%",
            Self::BitXor => "^",
            Self::JsonGet => "->",
            Self::JsonGetText => "->>",
        }
    }
}

/// A function call.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Database of a stored function, where written.
    pub schema: Option<String>,
    /// Name in upper case.
    pub name: String,
    /// Arguments; empty with [`Function::star`].
    pub args: Vec<Expr>,
    /// `COUNT(*)`.
    pub star: bool,
    /// `COUNT(DISTINCT ..)`.
    pub distinct: bool,
    /// `GROUP_CONCAT(.. ORDER BY ..)`.
    pub order_by: Vec<OrderBy>,
    /// `GROUP_CONCAT(.. SEPARATOR ..)`.
    pub separator: Option<String>,
}

impl Function {
    /// A plain call.
    #[must_use]
    pub fn call(name: impl Into<String>, args: Vec<Expr>) -> Self {
        Self {
            schema: None,
            name: name.into(),
            args,
            star: false,
            distinct: false,
            order_by: Vec::new(),
            separator: None,
        }
    }
}

/// Target of a CAST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CastType {
    /// `BINARY[(n)]`.
    Binary(Option<u32>),
    /// `CHAR[(n)] [CHARACTER SET c]`.
    Char {
        /// Characters.
        length: Option<u32>,
        /// Character set, in lower case.
        charset: Option<String>,
    },
    /// `SIGNED [INTEGER]`.
    Signed,
    /// `UNSIGNED [INTEGER]`.
    Unsigned,
    /// `DECIMAL[(m[,d])]`.
    Decimal(Option<u8>, Option<u8>),
    /// `FLOAT`.
    Float,
    /// `DOUBLE`, `REAL`.
    Double,
    /// `DATE`.
    Date,
    /// `TIME[(n)]`.
    Time(u8),
    /// `DATETIME[(n)]`.
    DateTime(u8),
    /// `YEAR`.
    Year,
    /// `JSON`.
    Json,
}

// ---------------------------------------------------------------------------------------------
// Queries and data changes

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

// ---------------------------------------------------------------------------------------------
// Definitions

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

// ---------------------------------------------------------------------------------------------
// SET, SHOW, administration

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
