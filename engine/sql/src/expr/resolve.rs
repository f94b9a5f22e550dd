//! From expressions as parsed to expressions over the columns in scope.

mod call;
mod describe;

pub use describe::describe;

use super::{BitOp, Cast, Comparison, Node, Place, ReadAs, Type, function};
use crate::ast::{self, BinaryOp, CastType, Expr, Literal, Select, UnaryOp};
use crate::collate::Collation;
use crate::decimal::Decimal;
use crate::error::{SqlError, error};
use crate::temporal;
use crate::value::{Arithmetic, Value};
use std::rc::Rc;
use wire::client::constant::ColumnType;

/// One column that an expression may name.
#[derive(Clone, Debug)]
pub struct ScopeColumn {
    /// Database of its table; empty for derived tables.
    pub schema: Rc<str>,
    /// Alias of its table.
    pub table: Rc<str>,
    /// The table's own name.
    pub org_table: Rc<str>,
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Type,
    /// Flags for result metadata.
    pub flags: u16,
    /// Left out of `*`: invisible, or the second of a USING pair.
    pub hidden: bool,
    /// Not found by its bare name: the second of a USING pair.
    pub shadowed: bool,
}

/// The columns in scope: those of the row that expressions are evaluated for, in order.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// See [`ScopeColumn`].
    pub columns: Vec<ScopeColumn>,
}

impl Scope {
    /// The place of a column.
    ///
    /// # Errors
    /// 1054 unknown, 1052 ambiguous.
    pub fn find(&self, column: &ast::ColumnRef, clause: &str) -> Result<usize, SqlError> {
        let mut found = None;
        for (at, candidate) in self.columns.iter().enumerate() {
            let named = candidate.name.eq_ignore_ascii_case(&column.column)
                && column
                    .table
                    .as_ref()
                    .map_or(!candidate.shadowed, |table| candidate.table.eq_ignore_ascii_case(table))
                && column.schema.as_ref().is_none_or(|schema| candidate.schema.eq_ignore_ascii_case(schema));
            if named {
                if found.is_some() {
                    return Err(error(1052, format!("Column '{}' in {clause} is ambiguous", shown(column))));
                }
                found = Some(at);
            }
        }
        found.ok_or_else(|| error(1054, format!("Unknown column '{}' in '{clause}'", shown(column))))
    }
}

fn shown(column: &ast::ColumnRef) -> String {
    let parts = [column.schema.as_deref(), column.table.as_deref(), Some(column.column.as_str())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(".")
}

/// What an expression leaves to the planner: what has to run apart from it.
pub trait Subqueries {
    /// Plans a subquery that stands among the columns of `scope`. With `columns`, it has to have so many (1241);
    /// without, its rows only exist. The answer is its place, and its first column's type.
    ///
    /// # Errors
    /// What is wrong with it.
    fn subquery(&mut self, select: &Select, scope: &Scope, columns: Option<usize>) -> Result<(Place, Type), SqlError>;

    /// A place for the result of a function that waits, such as SLEEP. Its arguments name no columns.
    fn call(&mut self, name: &str, args: Vec<Node>) -> Place;

    /// A constant that is to be read as `read_as` says, once before the statement; here it stays as it is.
    fn constant(&mut self, value: Node, _read_as: ReadAs) -> Node {
        value
    }

    /// A column of the queries around the one that is planned; `None`: there is none of the name.
    ///
    /// # Errors
    /// 1052.
    fn outer(&mut self, column: &ast::ColumnRef, clause: &str) -> Result<Option<(Node, Type)>, SqlError>;
}

/// Aggregate functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateKind {
    /// `COUNT(*)`
    CountAll,
    /// `COUNT(a)`
    Count,
    /// `SUM(a)`
    Sum,
    /// `AVG(a)`
    Avg,
    /// `MIN(a)`
    Min,
    /// `MAX(a)`
    Max,
    /// `GROUP_CONCAT(a)`
    GroupConcat,
    /// `BIT_AND`, `BIT_OR`, `BIT_XOR`
    Bits(BitOp),
    /// `ANY_VALUE(a)`
    Any,
    /// `VAR_POP` and the like: of a sample, its root.
    Variance {
        /// `VAR_SAMP`: of a sample.
        sample: bool,
        /// `STD`: the root of it.
        root: bool,
    },
    /// `JSON_ARRAYAGG(a)`
    JsonArray,
    /// `JSON_OBJECTAGG(name, a)`
    JsonObject,
    /// `GROUPING(a, ..)`: which of them the group leaves out, WITH ROLLUP.
    Grouping,
    /// What is grouped by at this place; NULL where the group leaves it out.
    RolledUp(usize),
}

/// One aggregate of a query.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// Which.
    pub kind: AggregateKind,
    /// Of what.
    pub args: Vec<Node>,
    /// DISTINCT.
    pub distinct: bool,
    /// How texts compare.
    pub collation: Collation,
    /// GROUP_CONCAT's separator.
    pub separator: String,
    /// GROUP_CONCAT's order: (what, descending).
    pub order_by: Vec<(Node, bool)>,
}

/// Resolves the expressions of one query block.
pub struct Resolver<'a> {
    /// Columns in scope.
    pub scope: &'a Scope,
    /// For error messages: `field list`, `where clause` ...
    pub clause: &'static str,
    /// Takes what must be run apart.
    pub subqueries: &'a mut dyn Subqueries,
    /// Collects aggregates; `None` where they are not allowed (1111).
    pub aggregates: Option<&'a mut Vec<Aggregate>>,
    /// Names that stand for selected expressions, where they may: (name, expression, type).
    pub aliases: &'a [(String, Node, Type)],
    /// The columns that may be named outside aggregates; `None`: all.
    pub only: Option<&'a [usize]>,
    /// Whether an alias wins over a column (ORDER BY) or only helps out (GROUP BY, HAVING).
    pub aliases_first: bool,
    /// Columns that `VALUES()` and the row alias of an INSERT name, with the alias.
    pub inserted: Option<(&'a Scope, Option<&'a str>)>,
    /// Collation of literals.
    pub collation: Collation,
    /// Whether a backslash escapes in LIKE (no NO_BACKSLASH_ESCAPES).
    pub backslash: bool,
}

/// Which collation decides between two operands.
fn deciding(left: &Type, right: &Type) -> Collation {
    let text = |kind: &Type| kind.is_string();
    match (text(left), text(right)) {
        (true, true) => {
            if left.coercibility < right.coercibility
                || (left.coercibility == right.coercibility && !right.collation.is_binary())
            {
                left.collation
            } else {
                right.collation
            }
        }
        (true, false) => left.collation,
        (false, true) => right.collation,
        (false, false) => Collation::DEFAULT,
    }
}

impl Resolver<'_> {
    /// Resolves one expression.
    ///
    /// # Errors
    /// 1054, 1052, 1111, 1235, 1305.
    pub fn resolve(&mut self, expr: &Expr) -> Result<(Node, Type), SqlError> {
        match expr {
            Expr::Literal(literal) => self.literal(literal),
            Expr::Parameter(at) => Ok((Node::Param(*at), Type::text(0, self.collation, 4))),
            Expr::Column(column) => self.column(column),
            Expr::UserVariable(name) => {
                Ok((Node::UserVariable(name.to_lowercase()), Type::text(16_777_216 / 4, self.collation, 2)))
            }
            Expr::AssignUserVariable(name, value) => {
                let (node, kind) = self.resolve(value)?;
                Ok((Node::Assign(name.to_lowercase(), Box::new(node)), kind))
            }
            Expr::SystemVariable(variable) => {
                Ok((Node::SystemVariable(variable.clone()), Type::text(1024, Collation::METADATA, 3)))
            }
            Expr::Unary(op, operand) => self.unary(*op, operand),
            Expr::Binary(op, left, right) => self.binary(*op, left, right),
            Expr::IsNull { expr, negated } => {
                let node = self.node(expr)?;
                Ok((Node::IsNull(Box::new(node), *negated), Type { not_null: true, ..Type::int(1) }))
            }
            Expr::IsTruth { expr, truth, negated } => {
                let node = self.node(expr)?;
                Ok((Node::IsTruth(Box::new(node), *truth, *negated), Type { not_null: true, ..Type::int(1) }))
            }
            Expr::Between { expr, negated, low, high } => {
                let (expr, kind) = self.resolve(expr)?;
                let (low, low_kind) = self.resolve(low)?;
                let (high, _) = self.resolve(high)?;
                let collation = deciding(&kind, &low_kind);
                let read_as = ReadAs::around(&kind, self.column_name(&expr));
                let (low, high) = (self.read(low, read_as.as_ref()), self.read(high, read_as.as_ref()));
                let (expr, low, high) = (Box::new(expr), Box::new(low), Box::new(high));
                Ok((Node::Between { expr, low, high, negated: *negated, collation }, Type::int(1)))
            }
            Expr::InList { expr, negated, list } => self.in_list(expr, *negated, list),
            Expr::InSelect { expr, negated, select } => {
                let list = match &**expr {
                    Expr::Row(list) => list.as_slice(),
                    one => std::slice::from_ref(one),
                };
                let mut kind = None;
                let mut exprs = Vec::with_capacity(list.len());
                for expr in list {
                    let (node, its) = self.resolve(expr)?;
                    kind = kind.or(Some(its));
                    exprs.push(node);
                }
                let (rows, found) = self.subqueries.subquery(select, self.scope, Some(list.len()))?;
                let collation = deciding(&kind.unwrap_or_else(Type::null), &found);
                Ok((Node::InPrepared { exprs, rows, negated: *negated, collation }, Type::int(1)))
            }
            Expr::Quantified { op, expr, all, select } => {
                let (expr, kind) = self.resolve(expr)?;
                let (rows, found) = self.subqueries.subquery(select, self.scope, Some(1))?;
                let collation = deciding(&kind, &found);
                let op = comparison(*op).unwrap_or(Comparison::Eq);
                Ok((Node::Quantified { expr: Box::new(expr), op, all: *all, rows, collation }, Type::int(1)))
            }
            Expr::Exists { negated, select } => {
                let (rows, _) = self.subqueries.subquery(select, self.scope, None)?;
                Ok((Node::ExistsPrepared { rows, negated: *negated }, Type { not_null: true, ..Type::int(1) }))
            }
            Expr::Subquery(select) => {
                let (rows, kind) = self.subqueries.subquery(select, self.scope, Some(1))?;
                Ok((Node::Prepared(rows), Type { not_null: false, ..kind }))
            }
            Expr::Like { expr, negated, pattern, escape } => {
                let (expr, kind) = self.resolve(expr)?;
                let expr = number_as_text(expr, &kind);
                let (pattern, pattern_kind) = self.resolve(pattern)?;
                let collation = deciding(&kind, &pattern_kind);
                let escape = match escape {
                    Some(escape) if escape.chars().count() > 1 => {
                        return Err(error(1210, "Incorrect arguments to ESCAPE"));
                    }
                    Some(escape) => escape.chars().next(),
                    None => self.backslash.then_some('\\'),
                };
                let (expr, pattern) = (Box::new(expr), Box::new(pattern));
                Ok((Node::Like { expr, pattern, escape, negated: *negated, collation }, Type::int(1)))
            }
            Expr::Regexp { expr, negated, pattern } => {
                let (expr, kind) = self.resolve(expr)?;
                let (pattern, pattern_kind) = self.resolve(pattern)?;
                let node = Node::Call("REGEXP_LIKE", vec![expr, pattern], deciding(&kind, &pattern_kind));
                Ok((if *negated { Node::Not(Box::new(node)) } else { node }, Type::int(1)))
            }
            Expr::MemberOf { expr, array } => {
                let (expr, array) = (self.node(expr)?, self.node(array)?);
                Ok((Node::Call("JSON_MEMBER_OF", vec![expr, array], self.collation), Type::int(1)))
            }
            Expr::Case { operand, arms, otherwise } => self.case(operand.as_deref(), arms, otherwise.as_deref()),
            Expr::Function(call) => self.function(call),
            Expr::Cast { expr, to } => self.cast(expr, to),
            Expr::ConvertUsing { expr, charset } => {
                let collation = Collation::of_charset(charset)
                    .ok_or_else(|| error(1115, format!("Unknown character set: '{charset}'")))?;
                let (node, kind) = self.resolve(expr)?;
                let to = if collation == Collation::BINARY { Cast::Bytes(None) } else { Cast::Text(None) };
                Ok((Node::Cast(Box::new(node), to), Type::text(kind.length, collation, 2)))
            }
            Expr::Collate { expr, collation } => {
                let found = Collation::from_name(collation)
                    .ok_or_else(|| error(1273, format!("Unknown collation: '{collation}'")))?;
                let (node, kind) = self.resolve(expr)?;
                let literal = matches!(node, Node::Const(Value::Text(_)));
                if literal && kind.collation.charset() != found.charset() {
                    let charset = kind.collation.charset();
                    let text = format!("COLLATION '{}' is not valid for CHARACTER SET '{charset}'", found.name());
                    return Err(error(1253, text));
                }
                Ok((node, Type { collation: found, coercibility: 0, ..Type::text(kind.length, found, 0) }))
            }
            Expr::BinaryOf(expr) => {
                let (node, kind) = self.resolve(expr)?;
                Ok((Node::Cast(Box::new(node), Cast::Bytes(None)), Type::bytes(kind.length)))
            }
            Expr::Row(_) => Err(error(1241, "Operand should contain 1 column(s)")),
            Expr::Interval { .. } => Err(error(1235, "This version of Quorate doesn't yet support 'INTERVAL'")),
            Expr::Default(_) => Err(error(1235, "This version of Quorate doesn't yet support 'DEFAULT here'")),
            Expr::InsertedValue(column) => {
                let Some((scope, _)) = self.inserted else { return Ok((Node::Const(Value::Null), Type::null())) };
                let at = scope.find(column, self.clause)?;
                Ok((Node::Local(Box::new(Node::Inserted(at))), scope.columns[at].kind.clone()))
            }
        }
    }

    /// A constant as what it stands beside.
    fn read(&mut self, value: Node, read_as: Option<&ReadAs>) -> Node {
        match read_as {
            Some(read_as) if read_as.concerns(&value) => self.subqueries.constant(value, read_as.clone()),
            _ => value,
        }
    }

    /// The name of the column that an expression is.
    fn column_name(&self, node: &Node) -> Option<&str> {
        match node {
            Node::Column(at) => self.scope.columns.get(*at).map(|column| column.name.as_str()),
            Node::Local(node) => self.column_name(node),
            _ => None,
        }
    }

    /// Resolves one expression whose type does not matter.
    ///
    /// # Errors
    /// See [`Resolver::resolve`].
    pub fn node(&mut self, expr: &Expr) -> Result<Node, SqlError> {
        self.resolve(expr).map(|(node, _)| node)
    }

    fn literal(&self, literal: &Literal) -> Result<(Node, Type), SqlError> {
        let value = match literal {
            Literal::Null => Value::Null,
            Literal::Bool(value) => Value::bool(*value),
            Literal::UInt(value) => Value::uint(*value),
            Literal::Decimal(digits) => {
                let decimal = Decimal::parse(digits);
                Value::Decimal(decimal.ok_or_else(|| error(1367, format!("Illegal double '{digits}' value found")))?)
            }
            Literal::Double(value) if value.is_finite() => Value::Double(*value),
            Literal::Double(_) => return Err(error(1367, "Illegal double value found during parsing")),
            Literal::String { text, introducer } => match introducer.as_deref() {
                Some("binary") => Value::bytes(text.as_bytes()),
                Some(charset) if charset != "utf8mb4" => {
                    let collation = Collation::of_charset(charset).unwrap_or(self.collation);
                    let kind = Type { not_null: true, collation, ..Type::of(&Value::text(text.as_str())) };
                    return Ok((Node::Const(Value::text(text.as_str())), kind));
                }
                _ => Value::text(text.as_str()),
            },
            // x'..' and b'..' are numbers where numbers are asked for.
            Literal::Bytes { bytes, hex: true } if (1..=8).contains(&bytes.len()) => {
                let bits = bytes.iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
                Value::Bit(bits, bytes.len() as u8 * 8)
            }
            Literal::Bytes { bytes, .. } => Value::bytes(bytes.as_slice()),
            Literal::Temporal { kind, text } => temporal_literal(*kind, text)?,
        };
        let mut kind = Type { not_null: !value.is_null(), ..Type::of(&value) };
        match value {
            Value::Text(_) => kind.collation = self.collation,
            Value::Bit(_, count) => kind = Type { not_null: true, ..Type::bytes(u32::from(count / 8)) },
            _ => {}
        }
        Ok((Node::Const(value), kind))
    }

    fn alias(&self, column: &ast::ColumnRef) -> Option<(Node, Type)> {
        if column.table.is_some() {
            return None;
        }
        let found = self.aliases.iter().find(|(name, ..)| name.eq_ignore_ascii_case(&column.column))?;
        Some((found.1.clone(), found.2.clone()))
    }

    fn column(&mut self, column: &ast::ColumnRef) -> Result<(Node, Type), SqlError> {
        if let (Some((scope, Some(alias))), Some(table)) = (self.inserted, &column.table)
            && alias.eq_ignore_ascii_case(table)
        {
            let bare = ast::ColumnRef::bare(column.column.clone());
            let at = scope.find(&bare, self.clause)?;
            return Ok((Node::Local(Box::new(Node::Inserted(at))), scope.columns[at].kind.clone()));
        }
        if self.aliases_first
            && let Some(alias) = self.alias(column)
        {
            return Ok(alias);
        }
        match self.scope.find(column, self.clause) {
            // HAVING sees what is selected and what is grouped by; aggregates in it see all.
            Ok(at) if self.aggregates.is_some() && self.only.is_some_and(|only| !only.contains(&at)) => {
                let unknown = error(1054, format!("Unknown column '{}' in '{}'", shown(column), self.clause));
                match self.alias(column) {
                    Some(alias) => Ok(alias),
                    None => self.subqueries.outer(column, self.clause)?.ok_or(unknown),
                }
            }
            Ok(at) => {
                let kind = &self.scope.columns[at].kind;
                Ok((Node::column(at, kind), kind.clone()))
            }
            Err(error) if error.code == 1054 => match self.alias(column) {
                Some(alias) => Ok(alias),
                None => self.subqueries.outer(column, self.clause)?.ok_or(error),
            },
            Err(error) => self.alias(column).ok_or(error),
        }
    }

    fn unary(&mut self, op: UnaryOp, operand: &Expr) -> Result<(Node, Type), SqlError> {
        // The least BIGINT: its digits alone are beyond the greatest one.
        if op == UnaryOp::Minus
            && let Expr::Literal(Literal::UInt(value)) = operand
            && let Ok(value) = i64::try_from(-i128::from(*value))
        {
            let value = Value::Int(value);
            let kind = Type { not_null: true, ..Type::of(&value) };
            return Ok((Node::Const(value), kind));
        }
        // Below the least BIGINT it is a DECIMAL.
        if op == UnaryOp::Minus
            && let Expr::Literal(Literal::UInt(value)) = operand
        {
            let value = Value::Decimal(Decimal::from_int(-i128::from(*value)));
            let kind = Type { not_null: true, ..Type::of(&value) };
            return Ok((Node::Const(value), kind));
        }
        let (node, kind) = self.resolve(operand)?;
        let boxed = Box::new(node);
        Ok(match op {
            UnaryOp::Plus => (*boxed, kind),
            UnaryOp::Not => (Node::Not(boxed), Type::int(1)),
            UnaryOp::BitNot => (Node::BitNot(boxed), Type { unsigned: true, ..Type::bigint() }),
            UnaryOp::Minus => {
                let text: Rc<str> = format!("-({})", describe(operand, self.scope)).into();
                let kind = match kind.kind {
                    _ if kind.is_string() => Type::double(),
                    ColumnType::Float => Type { decimals: kind.decimals, ..Type::double() },
                    _ => Type { length: kind.length + 1, ..kind },
                };
                (Node::Negate(boxed, text), kind)
            }
        })
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) -> Result<(Node, Type), SqlError> {
        if matches!(op, BinaryOp::Add | BinaryOp::Sub) {
            match (left, right) {
                (date, Expr::Interval { value, unit }) => {
                    let name = if op == BinaryOp::Add { "DATE_ADD" } else { "DATE_SUB" };
                    return self.date_add(name, date, value, unit);
                }
                (Expr::Interval { value, unit }, date) if op == BinaryOp::Add => {
                    return self.date_add("DATE_ADD", date, value, unit);
                }
                _ => {}
            }
        }
        if let Some(comparison) = comparison(op) {
            if let (Expr::Row(left), Expr::Row(right)) = (left, right) {
                if left.len() != right.len() {
                    return Err(error(1241, format!("Operand should contain {} column(s)", left.len())));
                }
                let left = left.iter().map(|expr| self.node(expr)).collect::<Result<_, _>>()?;
                let right = right.iter().map(|expr| self.node(expr)).collect::<Result<_, _>>()?;
                return Ok((Node::CompareRows(left, comparison, right, self.collation), Type::int(1)));
            }
            let (left, left_kind) = self.resolve(left)?;
            let (right, right_kind) = self.resolve(right)?;
            let explicit = |kind: &Type| kind.is_string() && kind.coercibility == 0;
            if explicit(&left_kind) && explicit(&right_kind) && left_kind.collation != right_kind.collation {
                let sign = ["=", "<=>", "<>", "<", "<=", ">", ">="][comparison as usize];
                let (one, other) = (left_kind.collation.name(), right_kind.collation.name());
                return Err(error(
                    1267,
                    format!("Illegal mix of collations ({one},EXPLICIT) and ({other},EXPLICIT) for operation '{sign}'"),
                ));
            }
            return Ok((self.compared((left, &left_kind), comparison, (right, &right_kind)), Type::int(1)));
        }
        let text: Rc<str> = match op {
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::IntDiv | BinaryOp::Mod => {
                let whole = Expr::Binary(op, Box::new(left.clone()), Box::new(right.clone()));
                describe(&whole, self.scope).into()
            }
            _ => "".into(),
        };
        let (left_node, left_kind) = self.resolve(left)?;
        let (right_node, right_kind) = self.resolve(right)?;
        let (left, right) = (Box::new(left_node), Box::new(right_node));
        let arithmetic = |op| Node::Arithmetic(left.clone(), op, right.clone(), text.clone());
        let bits = |op| (Node::Bits(left.clone(), op, right.clone()), Type { unsigned: true, ..Type::bigint() });
        Ok(match op {
            BinaryOp::And => (Node::And(left, right), Type::int(1)),
            BinaryOp::Or => (Node::Or(left, right), Type::int(1)),
            BinaryOp::Xor => (Node::Xor(left, right), Type::int(1)),
            BinaryOp::BitOr => bits(BitOp::Or),
            BinaryOp::BitAnd => bits(BitOp::And),
            BinaryOp::BitXor => bits(BitOp::Xor),
            BinaryOp::ShiftLeft => bits(BitOp::Left),
            BinaryOp::ShiftRight => bits(BitOp::Right),
            BinaryOp::Add => (arithmetic(Arithmetic::Add), arithmetic_type(&left_kind, &right_kind, Arithmetic::Add)),
            BinaryOp::Sub => (arithmetic(Arithmetic::Sub), arithmetic_type(&left_kind, &right_kind, Arithmetic::Sub)),
            BinaryOp::Mul => (arithmetic(Arithmetic::Mul), arithmetic_type(&left_kind, &right_kind, Arithmetic::Mul)),
            BinaryOp::Div => (arithmetic(Arithmetic::Div), arithmetic_type(&left_kind, &right_kind, Arithmetic::Div)),
            BinaryOp::Mod => (arithmetic(Arithmetic::Mod), arithmetic_type(&left_kind, &right_kind, Arithmetic::Mod)),
            BinaryOp::IntDiv => (arithmetic(Arithmetic::IntDiv), Type::bigint()),
            _ => {
                let get = Node::Call("JSON_EXTRACT", vec![*left, *right], self.collation);
                if op == BinaryOp::JsonGet {
                    (get, Type::json())
                } else {
                    let unquoted = Node::Call("JSON_UNQUOTE", vec![get], self.collation);
                    (unquoted, Type::text(u32::MAX / 4, Collation::DEFAULT, 4))
                }
            }
        })
    }

    fn compared(
        &mut self,
        (left, left_kind): (Node, &Type),
        comparison: Comparison,
        (right, right_kind): (Node, &Type),
    ) -> Node {
        let collation = deciding(left_kind, right_kind);
        let left_as = ReadAs::beside(left_kind, self.column_name(&left));
        let right_as = ReadAs::beside(right_kind, self.column_name(&right));
        let left = as_text_beside(left, left_kind, &right);
        let right = as_text_beside(right, right_kind, &left);
        let (left, right) = (self.read(left, right_as.as_ref()), self.read(right, left_as.as_ref()));
        Node::Compare(Box::new(left), comparison, Box::new(right), collation)
    }

    fn date_add(
        &mut self,
        name: &'static str,
        date: &Expr,
        value: &Expr,
        unit: &str,
    ) -> Result<(Node, Type), SqlError> {
        let (date, kind) = self.resolve(date)?;
        let value = self.node(value)?;
        let mut result = function::result_type(name, std::slice::from_ref(&kind), self.collation);
        if kind.kind == ColumnType::Date && !["HOUR", "MINUTE", "SECOND"].iter().any(|part| unit.contains(part)) {
            result = Type::temporal(ColumnType::Date, 0);
        }
        let unit = Node::Const(Value::text(unit));
        Ok((Node::Call(name, vec![date, value, unit], self.collation), result))
    }

    fn in_list(&mut self, expr: &Expr, negated: bool, list: &[Expr]) -> Result<(Node, Type), SqlError> {
        if let Expr::Row(_) = expr {
            // (a, b) IN ((1, 2), ...) is (a, b) = (1, 2) OR ...
            let mut any: Option<Node> = None;
            for item in list {
                let (node, _) = self.binary(BinaryOp::Eq, expr, item)?;
                any = Some(match any {
                    Some(before) => Node::Or(Box::new(before), Box::new(node)),
                    None => node,
                });
            }
            let any = any.unwrap_or(Node::Const(Value::Int(0)));
            return Ok((if negated { Node::Not(Box::new(any)) } else { any }, Type::int(1)));
        }
        let (expr, kind) = self.resolve(expr)?;
        let mut nodes = Vec::with_capacity(list.len());
        let mut collation = kind.collation;
        let read_as = ReadAs::among(&kind, self.column_name(&expr), list.len());
        for item in list {
            let (node, item_kind) = self.resolve(item)?;
            collation = deciding(&kind, &item_kind);
            nodes.push(self.read(node, read_as.as_ref()));
        }
        Ok((Node::In { expr: Box::new(expr), list: nodes, negated, collation }, Type::int(1)))
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        arms: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Result<(Node, Type), SqlError> {
        let operand = operand.map(|operand| self.resolve(operand)).transpose()?;
        let mut collation = self.collation;
        let mut kinds = Vec::new();
        let mut nodes = Vec::new();
        for (when, then) in arms {
            let (when, when_kind) = self.resolve(when)?;
            if let Some((_, kind)) = &operand {
                collation = deciding(kind, &when_kind);
            }
            let (then, kind) = self.resolve(then)?;
            kinds.push(kind);
            nodes.push((when, then));
        }
        let otherwise = otherwise.map(|otherwise| self.resolve(otherwise)).transpose()?;
        kinds.extend(otherwise.as_ref().map(|(_, kind)| kind.clone()));
        let node = Node::Case {
            operand: operand.map(|(node, _)| Box::new(node)),
            arms: nodes,
            otherwise: otherwise.map(|(node, _)| Box::new(node)),
            collation,
        };
        let common = function::common_type(&kinds);
        Ok((function::unified(node, &kinds, &common), common))
    }

    fn cast(&mut self, expr: &Expr, to: &CastType) -> Result<(Node, Type), SqlError> {
        let (mut node, kind) = self.resolve(expr)?;
        if matches!(to, CastType::Char { .. } | CastType::Binary(_)) {
            node = number_as_text(node, &kind);
        }
        let (cast, kind) = match to {
            CastType::Signed => (Cast::Signed, Type::bigint()),
            CastType::Unsigned => (Cast::Unsigned, Type { unsigned: true, ..Type::bigint() }),
            CastType::Double => (Cast::Double, Type::double()),
            CastType::Float => (Cast::Float, Type { kind: ColumnType::Float, length: 12, ..Type::double() }),
            CastType::Decimal(digits, scale) => {
                let (digits, scale) = (digits.unwrap_or(10), scale.unwrap_or(0));
                let what = describe(expr, self.scope);
                if digits > 65 {
                    let text = format!("Too-big precision {digits} specified for '{what}'. Maximum is 65.");
                    return Err(error(1426, text));
                }
                if scale > 30 {
                    let text = format!("Too big scale {scale} specified for column '{what}'. Maximum is 30.");
                    return Err(error(1425, text));
                }
                if scale > digits {
                    return Err(error(
                        1427,
                        "For float(M,D), double(M,D) or decimal(M,D), M must be >= D (column '').",
                    ));
                }
                let text = format!("CAST({what} AS DECIMAL({digits},{scale}))").into();
                let kind = Type::decimal(u32::from(digits) + 2, scale);
                return Ok((Node::CastDecimal(Box::new(node), (digits, scale), text), kind));
            }
            CastType::Char { length, charset } => {
                let collation = match charset {
                    Some(charset) => Collation::of_charset(charset)
                        .ok_or_else(|| error(1115, format!("Unknown character set: '{charset}'")))?,
                    None => self.collation,
                };
                (Cast::Text(*length), Type::text(length.unwrap_or(kind.length), collation, 2))
            }
            CastType::Binary(length) => (Cast::Bytes(*length), Type::bytes(length.unwrap_or(kind.length))),
            CastType::Date => (Cast::Date, Type::temporal(ColumnType::Date, 0)),
            CastType::Time(digits) => (Cast::Time(*digits), Type::temporal(ColumnType::Time, *digits)),
            CastType::DateTime(digits) => (Cast::DateTime(*digits), Type::temporal(ColumnType::DateTime, *digits)),
            CastType::Year => (Cast::Year, Type { kind: ColumnType::Year, unsigned: true, ..Type::int(4) }),
            CastType::Json => (Cast::Json, Type::json()),
        };
        Ok((Node::Cast(Box::new(node), cast), kind))
    }
}

/// A FLOAT or YEAR where its text is asked for.
fn number_as_text(node: Node, kind: &Type) -> Node {
    match kind.kind {
        ColumnType::Float | ColumnType::Double if kind.decimals < 31 => {
            Node::Cast(Box::new(node), Cast::FixedText(kind.decimals))
        }
        ColumnType::Float => Node::Cast(Box::new(node), Cast::FloatText),
        ColumnType::Year => Node::Cast(Box::new(node), Cast::YearText),
        _ => node,
    }
}

/// A time that is no column's is compared with a text as a text.
fn as_text_beside(node: Node, kind: &Type, other: &Node) -> Node {
    let is_column = match &node {
        Node::Local(node) => matches!(**node, Node::Column(_)),
        node => matches!(node, Node::Column(_)),
    };
    if kind.kind == ColumnType::Time && !is_column && matches!(other, Node::Const(Value::Text(_))) {
        Node::Cast(Box::new(node), Cast::Text(None))
    } else {
        node
    }
}

fn comparison(op: BinaryOp) -> Option<Comparison> {
    Some(match op {
        BinaryOp::Eq => Comparison::Eq,
        BinaryOp::NullSafeEq => Comparison::NullSafeEq,
        BinaryOp::Ne => Comparison::Ne,
        BinaryOp::Lt => Comparison::Lt,
        BinaryOp::Le => Comparison::Le,
        BinaryOp::Gt => Comparison::Gt,
        BinaryOp::Ge => Comparison::Ge,
        _ => return None,
    })
}

/// DATE'...' and the like.
fn temporal_literal(kind: ast::TemporalKind, text: &str) -> Result<Value, SqlError> {
    let wrong = |name: &str| error(1525, format!("Incorrect {name} value: '{text}'"));
    match kind {
        ast::TemporalKind::Time => match temporal::read_time(text) {
            Some(read) if !read.rest && !read.beyond => Ok(Value::Time(read.us, read.digits)),
            _ => Err(wrong("TIME")),
        },
        ast::TemporalKind::Date => match temporal::read_date_time(text) {
            Some(read) if !read.rest && !read.has_time && temporal::flaw(&read.at).is_none() => {
                Ok(Value::Date(read.at))
            }
            _ => Err(wrong("DATE")),
        },
        ast::TemporalKind::Timestamp => match temporal::read_date_time(text) {
            Some(read) if !read.rest && read.has_time && temporal::flaw(&read.at).is_none() => {
                Ok(Value::DateTime(read.at, read.digits))
            }
            _ => Err(wrong("DATETIME")),
        },
    }
}

/// FLOAT and DOUBLE.
fn approximate(kind: &Type) -> bool {
    matches!(kind.kind, ColumnType::Double | ColumnType::Float)
}

fn arithmetic_type(left: &Type, right: &Type, op: Arithmetic) -> Type {
    let approximate = |kind: &Type| kind.is_string() || approximate(kind);
    if approximate(left) || approximate(right) {
        // So many digits are shown as the operands' say; 31: as many as the number has.
        let digits = match op {
            Arithmetic::Add | Arithmetic::Sub => left.decimals.max(right.decimals),
            Arithmetic::Mul => left.decimals.saturating_add(right.decimals),
            Arithmetic::Div => left.decimals.max(right.decimals).saturating_add(4),
            _ => 31,
        };
        let fixed = !left.is_string() && !right.is_string() && left.decimals.max(right.decimals) < 31;
        return Type { decimals: if fixed { digits.min(31) } else { 31 }, ..Type::double() };
    }
    let decimal = left.kind == ColumnType::NewDecimal || right.kind == ColumnType::NewDecimal;
    let (longest, scale) = (left.length.max(right.length), left.decimals.max(right.decimals));
    match op {
        Arithmetic::Div => Type::decimal(longest + 5, (left.decimals + 4).min(30)),
        Arithmetic::Mul if decimal => {
            Type::decimal(left.length + right.length, (left.decimals + right.decimals).min(30))
        }
        _ if decimal => Type::decimal(longest + 1, scale),
        Arithmetic::Mul => {
            Type { unsigned: left.unsigned || right.unsigned, ..Type::int((left.length + right.length).min(21)) }
        }
        _ => Type { unsigned: left.unsigned || right.unsigned, ..Type::int((longest + 1).min(21)) },
    }
}
