//! Expressions, as written.

use super::{OrderBy, Select};

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
