//! Expressions, resolved against the columns in scope, and their evaluation.
//!
//! Types are only known as far as results need them (heading, metadata, collation of a comparison): which
//! arithmetic is done follows from the values, so that one plan serves parameters of any type.
//!
//! Absent on purpose: waiting. Subqueries and functions that wait (SLEEP, group commands) are run by whoever evaluates
//! the expression, and stand here as places of their results ([`Node::Prepared`]). Those that depend on the row are run
//! when they are asked for: the evaluation then fails, names the place ([`Env::prepared`]), and begins again.

mod date;
mod eval;
mod function;
mod json;
mod like;
mod math;
mod read_as;
mod regexp;
mod resolve;

pub use eval::{Env, compare_rows};
pub(crate) use function::common_type;
pub use function::is_known;
pub use like::like;
pub use read_as::ReadAs;
pub use resolve::{Aggregate, AggregateKind, Resolver, Scope, ScopeColumn, Subqueries, describe};

use crate::ast::SystemVariable;
use crate::collate::Collation;
use crate::value::{Arithmetic, Value};
use std::rc::Rc;
use wire::client::constant::ColumnType;

/// What is known of an expression's values beforehand.
#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    /// As the protocol names it.
    pub kind: ColumnType,
    /// Greatest length as text, in characters.
    pub length: u32,
    /// Digits after the point; 31 for doubles.
    pub decimals: u8,
    /// Of texts; BINARY for all else.
    pub collation: Collation,
    /// How strongly the collation counts: 0 explicit, 2 column, 3 system, 4 literal, 5 number, 6 NULL.
    pub coercibility: u8,
    /// UNSIGNED.
    pub unsigned: bool,
    /// Never NULL.
    pub not_null: bool,
}

impl Type {
    const fn number(kind: ColumnType, length: u32, decimals: u8) -> Self {
        Self { kind, length, decimals, collation: Collation::BINARY, coercibility: 5, unsigned: false, not_null: false }
    }

    /// BIGINT.
    #[must_use]
    pub const fn bigint() -> Self {
        Self::number(ColumnType::LongLong, 21, 0)
    }

    /// An integer of unknown size, as literals and comparisons have.
    #[must_use]
    pub const fn int(length: u32) -> Self {
        Self::number(ColumnType::LongLong, length, 0)
    }

    /// DOUBLE.
    #[must_use]
    pub const fn double() -> Self {
        Self::number(ColumnType::Double, 23, 31)
    }

    /// DECIMAL.
    #[must_use]
    pub const fn decimal(length: u32, decimals: u8) -> Self {
        Self::number(ColumnType::NewDecimal, length, decimals)
    }

    /// A text.
    #[must_use]
    pub const fn text(length: u32, collation: Collation, coercibility: u8) -> Self {
        Self {
            kind: ColumnType::VarString,
            length,
            decimals: 31,
            collation,
            coercibility,
            unsigned: false,
            not_null: false,
        }
    }

    /// Bytes.
    #[must_use]
    pub const fn bytes(length: u32) -> Self {
        Self::text(length, Collation::BINARY, 4)
    }

    /// NULL.
    #[must_use]
    pub const fn null() -> Self {
        Self {
            kind: ColumnType::Null,
            length: 0,
            decimals: 0,
            collation: Collation::BINARY,
            coercibility: 6,
            unsigned: false,
            not_null: false,
        }
    }

    /// A date or time with so many digits of its seconds.
    #[must_use]
    pub const fn temporal(kind: ColumnType, digits: u8) -> Self {
        let fraction = if digits == 0 { 0 } else { digits as u32 + 1 };
        let length = match kind {
            ColumnType::Date | ColumnType::Time => 10,
            _ => 19,
        };
        Self::number(kind, length + fraction, digits)
    }

    /// Whether values are dates or times.
    #[must_use]
    pub const fn is_temporal(&self) -> bool {
        matches!(self.kind, ColumnType::Date | ColumnType::Time | ColumnType::DateTime | ColumnType::Timestamp)
    }

    /// Digits of a second that values may have.
    #[must_use]
    pub const fn second_digits(&self) -> u8 {
        match self.kind {
            ColumnType::Time | ColumnType::DateTime | ColumnType::Timestamp => self.decimals,
            ColumnType::NewDecimal if self.decimals < 6 => self.decimals,
            ColumnType::NewDecimal | ColumnType::Double => 6,
            _ => 0,
        }
    }

    /// The type of a value.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::null(),
            Value::Int(value) => Self::int(value.to_string().len() as u32),
            Value::UInt(value) => Self { unsigned: true, ..Self::int(value.to_string().len() as u32) },
            Value::Double(_) => Self::double(),
            Value::Decimal(value) => Self::decimal(value.to_string().len() as u32, value.scale()),
            Value::Text(text) => Self::text(text.chars().count() as u32, Collation::DEFAULT, 4),
            Value::Bytes(bytes) => Self::bytes(bytes.len() as u32),
            Value::Date(_) => Self::temporal(ColumnType::Date, 0),
            Value::DateTime(_, digits) | Value::Timestamp(_, digits) => Self::temporal(ColumnType::DateTime, *digits),
            Value::Time(_, digits) => Self::temporal(ColumnType::Time, *digits),
            Value::Bit(_, count) => Self { unsigned: true, ..Self::number(ColumnType::Bit, u32::from(*count), 0) },
            Value::Member(_, text) => Self::text(text.chars().count() as u32, Collation::DEFAULT, 4),
            Value::Json(_) => Self::json(),
        }
    }

    /// Whether values are texts or bytes.
    #[must_use]
    pub const fn is_string(&self) -> bool {
        matches!(
            self.kind,
            ColumnType::VarString
                | ColumnType::String
                | ColumnType::VarChar
                | ColumnType::Blob
                | ColumnType::TinyBlob
                | ColumnType::MediumBlob
                | ColumnType::LongBlob
                | ColumnType::Enum
                | ColumnType::Set
        )
    }
}

/// Comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Eq,
    /// `<=>`
    NullSafeEq,
    /// `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// Operators on 64-bit patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitOp {
    /// `|`
    Or,
    /// `&`
    And,
    /// `^`
    Xor,
    /// `<<`
    Left,
    /// `>>`
    Right,
}

/// Targets of a cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// SIGNED.
    Signed,
    /// UNSIGNED.
    Unsigned,
    /// DOUBLE.
    Double,
    /// CHAR(n).
    Text(Option<u32>),
    /// BINARY(n).
    Bytes(Option<u32>),
    /// FLOAT.
    Float,
    /// The text of a FLOAT: six digits.
    FloatText,
    /// The text of a FLOAT or DOUBLE with so many digits after the point.
    FixedText(u8),
    /// DATE.
    Date,
    /// TIME(digits).
    Time(u8),
    /// DATETIME(digits).
    DateTime(u8),
    /// YEAR.
    Year,
    /// The text of a YEAR: four digits.
    YearText,
    /// JSON.
    Json,
    /// Dates and times as DATETIME(digits), whatever they are; nothing is refused, and anything else stays.
    AsDateTime(u8),
    /// Times as TIME(digits); anything else stays.
    AsTime(u8),
}

/// Where the rows of a subquery are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number in the statement.
    pub at: usize,
    /// Whether they differ from row to row of a query around it.
    pub correlated: bool,
}

/// A resolved expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A constant.
    Const(Value),
    /// A parameter of the statement.
    Param(u16),
    /// A column of the row.
    Column(usize),
    /// A stored TIMESTAMP as the date and time of the session's zone; anything else as it is.
    Local(Box<Node>),
    /// A column of the row of a query around this one, by its place among all that are asked for.
    Outer(usize),
    /// The value of a subquery, or of a function that waits.
    Prepared(Place),
    /// `a IN (subquery)`, `(a, b) IN (subquery)`.
    InPrepared {
        /// What is tested.
        exprs: Vec<Node>,
        /// Which rows.
        rows: Place,
        /// NOT.
        negated: bool,
        /// How texts compare.
        collation: Collation,
    },
    /// `a > ALL (subquery)`, `a > ANY (subquery)`.
    Quantified {
        /// What is compared.
        expr: Box<Node>,
        /// How.
        op: Comparison,
        /// ALL, not ANY.
        all: bool,
        /// With which rows.
        rows: Place,
        /// How texts compare.
        collation: Collation,
    },
    /// `EXISTS (subquery)`.
    ExistsPrepared {
        /// Which rows.
        rows: Place,
        /// NOT.
        negated: bool,
    },
    /// A user variable.
    UserVariable(String),
    /// `@a := expr`.
    Assign(String, Box<Node>),
    /// A system variable.
    SystemVariable(SystemVariable),
    /// `-a`
    Negate(Box<Node>, Rc<str>),
    /// `NOT a`
    Not(Box<Node>),
    /// `~a`
    BitNot(Box<Node>),
    /// `a AND b`
    And(Box<Node>, Box<Node>),
    /// `a OR b`
    Or(Box<Node>, Box<Node>),
    /// `a XOR b`
    Xor(Box<Node>, Box<Node>),
    /// Arithmetic; the text is for error 1690.
    Arithmetic(Box<Node>, Arithmetic, Box<Node>, Rc<str>),
    /// Bit arithmetic.
    Bits(Box<Node>, BitOp, Box<Node>),
    /// A comparison.
    Compare(Box<Node>, Comparison, Box<Node>, Collation),
    /// `(a, b) = (c, d)` and the like: equal lengths.
    CompareRows(Vec<Node>, Comparison, Vec<Node>, Collation),
    /// `a IS NULL`
    IsNull(Box<Node>, bool),
    /// `a IS TRUE`
    IsTruth(Box<Node>, Option<bool>, bool),
    /// `a BETWEEN b AND c`
    Between {
        /// What is tested.
        expr: Box<Node>,
        /// Least.
        low: Box<Node>,
        /// Greatest.
        high: Box<Node>,
        /// NOT.
        negated: bool,
        /// How texts compare.
        collation: Collation,
    },
    /// `a IN (list)`
    In {
        /// What is tested.
        expr: Box<Node>,
        /// The list.
        list: Vec<Node>,
        /// NOT.
        negated: bool,
        /// How texts compare.
        collation: Collation,
    },
    /// `a LIKE pattern`
    Like {
        /// What is tested.
        expr: Box<Node>,
        /// The pattern.
        pattern: Box<Node>,
        /// Escape character.
        escape: Option<char>,
        /// NOT.
        negated: bool,
        /// How texts compare.
        collation: Collation,
    },
    /// `CASE`
    Case {
        /// What the conditions are compared with.
        operand: Option<Box<Node>>,
        /// (condition, value)
        arms: Vec<(Node, Node)>,
        /// ELSE.
        otherwise: Option<Box<Node>>,
        /// How texts compare.
        collation: Collation,
    },
    /// A cast.
    Cast(Box<Node>, Cast),
    /// A cast to DECIMAL(digits, scale); the text is for what does not fit (1264).
    CastDecimal(Box<Node>, (u8, u8), Rc<str>),
    /// A call of a function, by its name in upper case.
    Call(&'static str, Vec<Node>, Collation),
    /// `VALUES(column)`: the row that an INSERT wanted.
    Inserted(usize),
}

impl Node {
    /// A column of the row, as expressions see it.
    #[must_use]
    pub fn column(at: usize, kind: &Type) -> Self {
        if kind.kind == ColumnType::Timestamp { Self::Local(Box::new(Self::Column(at))) } else { Self::Column(at) }
    }

    /// Whether it is the same for all rows of one execution (parameters included).
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.is_known(0)
    }

    /// Whether the first `columns` columns of a row are enough to compute it, as often as one likes.
    #[must_use]
    pub fn is_known(&self, columns: usize) -> bool {
        let mut constant = true;
        self.visit(&mut |node| {
            constant &= match node {
                Self::Column(at) => *at < columns,
                Self::Inserted(_) | Self::Assign(..) | Self::UserVariable(_) => false,
                Self::Call(name, ..) => !matches!(*name, "RAND" | "UUID"),
                Self::Prepared(rows)
                | Self::InPrepared { rows, .. }
                | Self::ExistsPrepared { rows, .. }
                | Self::Quantified { rows, .. } => !rows.correlated,
                _ => true,
            };
        });
        constant
    }

    /// Calls `f` for this node and all below it.
    pub fn visit(&self, f: &mut impl FnMut(&Self)) {
        f(self);
        self.children(&mut |child| child.visit(f));
    }

    /// Calls `f` for the nodes right below it.
    pub fn children(&self, f: &mut impl FnMut(&Self)) {
        match self {
            Self::Const(_)
            | Self::Param(_)
            | Self::Column(_)
            | Self::Outer(_)
            | Self::Prepared(_)
            | Self::ExistsPrepared { .. }
            | Self::UserVariable(_)
            | Self::SystemVariable(_)
            | Self::Inserted(_) => {}
            Self::InPrepared { exprs, .. } => exprs.iter().for_each(f),
            Self::Quantified { expr, .. }
            | Self::Assign(_, expr)
            | Self::Negate(expr, _)
            | Self::Not(expr)
            | Self::BitNot(expr)
            | Self::IsNull(expr, _)
            | Self::IsTruth(expr, ..)
            | Self::Local(expr)
            | Self::CastDecimal(expr, ..)
            | Self::Cast(expr, _) => f(expr),
            Self::And(left, right)
            | Self::Or(left, right)
            | Self::Xor(left, right)
            | Self::Arithmetic(left, _, right, _)
            | Self::Bits(left, _, right)
            | Self::Compare(left, _, right, _) => {
                f(left);
                f(right);
            }
            Self::CompareRows(left, _, right, _) => left.iter().chain(right).for_each(f),
            Self::Between { expr, low, high, .. } => {
                f(expr);
                f(low);
                f(high);
            }
            Self::In { expr, list, .. } => {
                f(expr);
                list.iter().for_each(f);
            }
            Self::Like { expr, pattern, .. } => {
                f(expr);
                f(pattern);
            }
            Self::Case { operand, arms, otherwise, .. } => {
                operand.iter().for_each(|node| f(node));
                for (when, then) in arms {
                    f(when);
                    f(then);
                }
                otherwise.iter().for_each(|node| f(node));
            }
            Self::Call(_, args, _) => args.iter().for_each(f),
        }
    }

    /// Calls `f` for the nodes right below it, to change them.
    pub fn children_mut(&mut self, f: &mut impl FnMut(&mut Self)) {
        match self {
            Self::Const(_)
            | Self::Param(_)
            | Self::Column(_)
            | Self::Outer(_)
            | Self::Prepared(_)
            | Self::ExistsPrepared { .. }
            | Self::UserVariable(_)
            | Self::SystemVariable(_)
            | Self::Inserted(_) => {}
            Self::InPrepared { exprs, .. } => exprs.iter_mut().for_each(f),
            Self::Quantified { expr, .. }
            | Self::Assign(_, expr)
            | Self::Negate(expr, _)
            | Self::Not(expr)
            | Self::BitNot(expr)
            | Self::IsNull(expr, _)
            | Self::IsTruth(expr, ..)
            | Self::Local(expr)
            | Self::CastDecimal(expr, ..)
            | Self::Cast(expr, _) => f(expr),
            Self::And(left, right)
            | Self::Or(left, right)
            | Self::Xor(left, right)
            | Self::Arithmetic(left, _, right, _)
            | Self::Bits(left, _, right)
            | Self::Compare(left, _, right, _) => {
                f(left);
                f(right);
            }
            Self::CompareRows(left, _, right, _) => left.iter_mut().chain(right).for_each(f),
            Self::Between { expr, low, high, .. } => {
                f(expr);
                f(low);
                f(high);
            }
            Self::In { expr, list, .. } => {
                f(expr);
                list.iter_mut().for_each(f);
            }
            Self::Like { expr, pattern, .. } => {
                f(expr);
                f(pattern);
            }
            Self::Case { operand, arms, otherwise, .. } => {
                operand.iter_mut().for_each(|node| f(node));
                for (when, then) in arms {
                    f(when);
                    f(then);
                }
                otherwise.iter_mut().for_each(|node| f(node));
            }
            Self::Call(_, args, _) => args.iter_mut().for_each(f),
        }
    }

    /// The conditions that an AND joins.
    pub fn conjuncts<'a>(&'a self, out: &mut Vec<&'a Self>) {
        if let Self::And(left, right) = self {
            left.conjuncts(out);
            right.conjuncts(out);
        } else {
            out.push(self);
        }
    }
}
