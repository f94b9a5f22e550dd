//! CHECK constraints: their canonical text, and whether a row keeps them.
//!
//! A definition holds the text, as SHOW CREATE TABLE prints it (names quoted, every operation in parentheses); it is
//! parsed and resolved once per form of a table. A condition sees its row only: what would depend on the session, the
//! clock or chance is refused when the constraint is made, so that all members judge rows alike. One exception, as in
//! MySQL: a TIMESTAMP is seen in the session's time zone.
//!
//! Absent on purpose: MySQL's check that a condition is of boolean type (3812), and that a column's own constraint
//! names that column only (3813).

use crate::ast::{
    BinaryOp, CastType, ColumnRef, Expr, Function, Literal, Select, Statement, SystemVariable, TemporalKind, UnaryOp,
};
use crate::catalog::Table;
use crate::collate::Collation;
use crate::error::{SqlError, error};
use crate::expr::{Env, Node, Place, Resolver, Scope, Subqueries, Type};
use crate::host::Now;
use crate::plan::unsupported;
use crate::show::create::ident;
use crate::sysvar::sql_mode::SqlMode;
use crate::temporal::DateRules;
use crate::value::{Value, Warning};
use std::rc::Rc;

/// A constraint of a table that is enforced.
#[derive(Debug)]
pub struct Compiled {
    name: String,
    /// `None`: this version does not understand the condition, so that no row can be said to keep it.
    node: Option<Node>,
}

/// A condition's canonical text, and the columns that it names.
pub(crate) struct Condition {
    pub text: String,
    pub columns: Vec<String>,
}

/// Functions whose value is not the row's alone.
const NOT_ALLOWED: &[&str] = &[
    "BENCHMARK",
    "CONNECTION_ID",
    "CURDATE",
    "CURRENT_DATE",
    "CURRENT_ROLE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "CURTIME",
    "DATABASE",
    "FOUND_ROWS",
    "GET_LOCK",
    "IS_FREE_LOCK",
    "IS_USED_LOCK",
    "LAST_INSERT_ID",
    "LOAD_FILE",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "NOW",
    "RAND",
    "RELEASE_ALL_LOCKS",
    "RELEASE_LOCK",
    "ROW_COUNT",
    "SCHEMA",
    "SESSION_USER",
    "SLEEP",
    "SYSDATE",
    "SYSTEM_USER",
    "UNIX_TIMESTAMP",
    "USER",
    "UTC_DATE",
    "UTC_TIME",
    "UTC_TIMESTAMP",
    "UUID",
    "UUID_SHORT",
    "VALUES",
    "VERSION",
];

/// The canonical text of the condition of constraint `name`.
///
/// # Errors
/// 3814, 3815, 3816: what a condition may not have; 1235: what has no canonical text here.
pub(crate) fn condition(name: &str, expr: &Expr) -> Result<Condition, SqlError> {
    let mut printer = Printer { name, columns: Vec::new() };
    let mut text = printer.text(expr)?;
    if !text.starts_with('(') {
        text = format!("({text})");
    }
    let columns = printer.columns;
    // What is written must be what is read.
    match parsed(&text) {
        Some(read) if Printer { name, columns: Vec::new() }.text(&read).is_ok() => Ok(Condition { text, columns }),
        _ => Err(unsupported("this expression in a CHECK constraint")),
    }
}

fn parsed(text: &str) -> Option<Expr> {
    match crate::parse::parse(format!("DO {text}").as_bytes(), SqlMode(0)) {
        Ok(Statement::Do(mut exprs)) if exprs.len() == 1 => exprs.pop(),
        _ => None,
    }
}

/// Columns that a condition names.
pub(crate) fn columns_of(text: &str) -> Vec<String> {
    let mut printer = Printer { name: "", columns: Vec::new() };
    parsed(text).map(|expr| printer.text(&expr));
    printer.columns
}

/// The enforced constraints of a table.
pub(crate) fn compile(table: &Table) -> Vec<Compiled> {
    let enforced = table.definition.checks.iter().filter(|check| check.enforced);
    enforced
        .map(|check| Compiled { name: check.name.clone(), node: node(table, &check.condition).ok().flatten() })
        .collect()
}

fn node(table: &Table, text: &str) -> Result<Option<Node>, SqlError> {
    let Some(expr) = parsed(text) else { return Ok(None) };
    let scope = crate::plan::table_scope(table, None);
    let mut elsewhere = Elsewhere { asked: false };
    let mut resolver = Resolver {
        scope: &scope,
        clause: "check constraint",
        subqueries: &mut elsewhere,
        aggregates: None,
        aliases: &[],
        only: None,
        aliases_first: false,
        inserted: None,
        collation: Collation::default(),
        backslash: true,
    };
    let node = resolver.node(&expr)?;
    Ok((!elsewhere.asked).then_some(node))
}

/// A condition sees its row: whatever would have to run apart is noted, and makes it unusable.
struct Elsewhere {
    asked: bool,
}

impl Subqueries for Elsewhere {
    fn subquery(&mut self, _: &Select, _: &Scope, _: Option<usize>) -> Result<(Place, Type), SqlError> {
        Err(unsupported("a subquery in a CHECK constraint"))
    }

    fn call(&mut self, _: &str, _: Vec<Node>) -> Place {
        self.asked = true;
        Place { at: 0, correlated: false }
    }

    fn outer(&mut self, _: &ColumnRef, _: &str) -> Result<Option<(Node, Type)>, SqlError> {
        Ok(None)
    }
}

/// Whether the condition can be evaluated for rows of this table.
///
/// # Errors
/// 1054, 1235 and what resolving says.
pub(crate) fn usable(table: &Table, text: &str) -> Result<(), SqlError> {
    match node(table, text)? {
        Some(_) => Ok(()),
        None => Err(unsupported("this expression in a CHECK constraint")),
    }
}

/// 3819 when `row` breaks a constraint of its table. NULL breaks none.
pub(crate) fn check(table: &Table, row: &[Value], env: &dyn Env) -> Result<(), SqlError> {
    for check in &table.checks {
        let kept = match &check.node {
            Some(node) => node.eval(row, env)?.truth() != Some(false),
            None => false,
        };
        if !kept {
            return Err(error(3819, format!("Check constraint '{}' is violated.", check.name)));
        }
    }
    Ok(())
}

struct Printer<'a> {
    name: &'a str,
    columns: Vec<String>,
}

impl Printer<'_> {
    fn text(&mut self, expr: &Expr) -> Result<String, SqlError> {
        Ok(match expr {
            Expr::Literal(value) => self.literal(value),
            Expr::Column(column) => {
                self.columns.push(column.column.clone());
                ident(&column.column)
            }
            Expr::Unary(op, operand) => {
                let operand = self.text(operand)?;
                match op {
                    UnaryOp::Minus => format!("-({operand})"),
                    UnaryOp::Plus => operand,
                    UnaryOp::Not => format!("(not({operand}))"),
                    UnaryOp::BitNot => format!("~({operand})"),
                }
            }
            Expr::Binary(op @ (BinaryOp::And | BinaryOp::Or), left, right) => {
                // a and b and c, not ((a and b) and c).
                let mut parts = Vec::new();
                self.chain(*op, left, &mut parts)?;
                self.chain(*op, right, &mut parts)?;
                format!("({})", parts.join(if *op == BinaryOp::And { " and " } else { " or " }))
            }
            Expr::Binary(op, left, right) => {
                let (left, right) = (self.text(left)?, self.text(right)?);
                match op {
                    BinaryOp::JsonGet => format!("json_extract({left},{right})"),
                    BinaryOp::JsonGetText => format!("json_unquote(json_extract({left},{right}))"),
                    op => format!("({left} {} {right})", op.sign()),
                }
            }
            Expr::IsNull { expr, negated } => {
                format!("({} is {}null)", self.text(expr)?, if *negated { "not " } else { "" })
            }
            Expr::IsTruth { expr, truth, negated } => {
                let truth = truth.map_or("unknown", |truth| if truth { "true" } else { "false" });
                format!("({} is {}{truth})", self.text(expr)?, if *negated { "not " } else { "" })
            }
            Expr::Between { expr, negated, low, high } => format!(
                "({} {}between {} and {})",
                self.text(expr)?,
                if *negated { "not " } else { "" },
                self.text(low)?,
                self.text(high)?
            ),
            Expr::InList { expr, negated, list } => {
                format!("({} {}in ({}))", self.text(expr)?, if *negated { "not " } else { "" }, self.list(list)?)
            }
            Expr::Like { expr, negated, pattern, escape } => {
                let mut text = format!("({} like {}", self.text(expr)?, self.text(pattern)?);
                if let Some(escape) = escape {
                    text.push_str(&format!(" escape {}", literal(escape)));
                }
                text.push(')');
                if *negated { format!("(not({text}))") } else { text }
            }
            Expr::Regexp { expr, negated, pattern } => {
                let text = format!("regexp_like({},{})", self.text(expr)?, self.text(pattern)?);
                if *negated { format!("(not({text}))") } else { text }
            }
            Expr::Case { operand, arms, otherwise } => {
                let mut text = "(case".to_owned();
                if let Some(operand) = operand {
                    text.push_str(&format!(" {}", self.text(operand)?));
                }
                for (when, then) in arms {
                    text.push_str(&format!(" when {} then {}", self.text(when)?, self.text(then)?));
                }
                if let Some(otherwise) = otherwise {
                    text.push_str(&format!(" else {}", self.text(otherwise)?));
                }
                text + " end)"
            }
            Expr::Function(function) => self.function(function)?,
            Expr::Cast { expr, to } => format!("cast({} as {})", self.text(expr)?, cast_type(to)),
            Expr::ConvertUsing { expr, charset } => format!("convert({} using {charset})", self.text(expr)?),
            Expr::Collate { expr, collation } => format!("({} collate {collation})", self.text(expr)?),
            Expr::BinaryOf(expr) => format!("cast({} as char charset binary)", self.text(expr)?),
            Expr::Row(values) => format!("({})", self.list(values)?),
            Expr::Interval { value, unit } => {
                format!("interval {} {}", self.text(value)?, unit.to_ascii_lowercase())
            }
            Expr::UserVariable(_) | Expr::AssignUserVariable(..) | Expr::SystemVariable(_) | Expr::Parameter(_) => {
                let text = format!(
                    "An expression of a check constraint '{}' cannot refer to a user or system variable.",
                    self.name
                );
                return Err(error(3816, text));
            }
            _ => {
                let text = format!("An expression of a check constraint '{}' contains disallowed function.", self.name);
                return Err(error(3815, text));
            }
        })
    }

    fn chain(&mut self, op: BinaryOp, expr: &Expr, parts: &mut Vec<String>) -> Result<(), SqlError> {
        match expr {
            Expr::Binary(other, left, right) if *other == op => {
                self.chain(op, left, parts)?;
                self.chain(op, right, parts)
            }
            expr => {
                parts.push(self.text(expr)?);
                Ok(())
            }
        }
    }

    fn list(&mut self, list: &[Expr]) -> Result<String, SqlError> {
        let texts: Vec<String> = list.iter().map(|expr| self.text(expr)).collect::<Result<_, _>>()?;
        Ok(texts.join(","))
    }

    fn function(&mut self, function: &Function) -> Result<String, SqlError> {
        let aggregate = function.star || function.distinct || !function.order_by.is_empty();
        if function.schema.is_some() || aggregate || NOT_ALLOWED.contains(&function.name.as_str()) {
            let text = format!(
                "An expression of a check constraint '{}' contains disallowed function: {}.",
                self.name,
                function.name.to_ascii_lowercase()
            );
            return Err(error(3814, text));
        }
        Ok(format!("{}({})", function.name.to_ascii_lowercase(), self.list(&function.args)?))
    }

    fn literal(&self, value: &Literal) -> String {
        match value {
            Literal::Null => "NULL".to_owned(),
            Literal::Bool(value) => value.to_string(),
            Literal::UInt(value) => value.to_string(),
            Literal::Decimal(digits) => digits.clone(),
            Literal::Double(value) => format!("{value:e}"),
            Literal::String { text, introducer } => {
                format!("_{}{}", introducer.as_deref().unwrap_or("utf8mb4"), literal(text))
            }
            Literal::Bytes { bytes, .. } => {
                format!("0x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
            Literal::Temporal { kind, text } => {
                let kind = match kind {
                    TemporalKind::Date => "DATE",
                    TemporalKind::Time => "TIME",
                    TemporalKind::Timestamp => "TIMESTAMP",
                };
                format!("{kind}{}", literal(text))
            }
        }
    }
}

/// A string that the parser reads back, whatever is in it.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\0' => out.push_str("\\0"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\x1a' => out.push_str("\\Z"),
            '\\' | '\'' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

fn cast_type(to: &CastType) -> String {
    let sized = |name: &str, length: &Option<u32>| length.map_or(name.to_owned(), |length| format!("{name}({length})"));
    match to {
        CastType::Binary(length) => sized("binary", length),
        CastType::Char { length, charset } => {
            let charset = charset.as_deref().unwrap_or("utf8mb4");
            format!("{} charset {charset}", sized("char", length))
        }
        CastType::Signed => "signed".to_owned(),
        CastType::Unsigned => "unsigned".to_owned(),
        CastType::Decimal(precision, scale) => {
            format!("decimal({},{})", precision.unwrap_or(10), scale.unwrap_or(0))
        }
        CastType::Float => "float".to_owned(),
        CastType::Double => "double".to_owned(),
        CastType::Date => "date".to_owned(),
        CastType::Time(digits) => sized("time", &Some(u32::from(*digits)).filter(|&digits| digits > 0)),
        CastType::DateTime(digits) => sized("datetime", &Some(u32::from(*digits)).filter(|&digits| digits > 0)),
        CastType::Year => "year".to_owned(),
        CastType::Json => "json".to_owned(),
    }
}

/// Where no session is: rows that are there already, judged at a DDL's place in the order, alike on every member.
pub(crate) struct NoSession {
    rules: DateRules,
}

impl NoSession {
    pub(crate) fn new() -> Self {
        Self { rules: DateRules::default() }
    }
}

impl Env for NoSession {
    fn param(&self, _at: u16) -> Result<&Value, SqlError> {
        Err(error(1210, "Incorrect arguments to EXECUTE"))
    }

    fn prepared(&self, _at: usize) -> Result<Rc<Vec<Vec<Value>>>, SqlError> {
        Ok(Rc::default())
    }

    fn outer(&self, _at: usize) -> Value {
        Value::Null
    }

    fn inserted(&self, _column: usize) -> Value {
        Value::Null
    }

    fn system_variable(&self, _variable: &SystemVariable) -> Result<Value, SqlError> {
        Ok(Value::Null)
    }

    fn user_variable(&self, _name: &str) -> Value {
        Value::Null
    }

    fn set_user_variable(&self, _name: &str, _value: Value) {}

    fn now(&self) -> Now {
        Now { unix_us: 0, monotonic_us: 0 }
    }

    fn date_rules(&self) -> DateRules {
        self.rules
    }

    fn random(&self) -> u64 {
        0
    }

    fn database(&self) -> Option<String> {
        None
    }

    fn user(&self) -> String {
        String::new()
    }

    fn current_user(&self) -> String {
        String::new()
    }

    fn connection_id(&self) -> u32 {
        0
    }

    fn last_insert_id(&self, _set: Option<u64>) -> u64 {
        0
    }

    fn row_count(&self) -> i64 {
        0
    }

    fn found_rows(&self) -> u64 {
        0
    }

    fn version(&self) -> String {
        String::new()
    }

    fn zero_divisor_is_error(&self) -> bool {
        false
    }

    fn warn(&self, _warning: Warning) {}

    fn session_function(&self, _name: &str, _args: &[Value]) -> Option<Result<Value, SqlError>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_have_the_text_that_mysql_shows() {
        for (written, shown) in [
            ("a > 0", "(`a` > 0)"),
            ("(a>=0 AND b<10) and c", "((`a` >= 0) and (`b` < 10) and `c`)"),
            ("a in (1,2,'x')", "(`a` in (1,2,_utf8mb4'x'))"),
            ("a between 1 and b + 2", "(`a` between 1 and (`b` + 2))"),
            ("a is not null or not b", "((`a` is not null) or (not(`b`)))"),
            ("v like 'it''s%' and char_length(v) > 3", "((`v` like _utf8mb4'it\\'s%') and (char_length(`v`) > 3))"),
            ("v regexp '^a'", "(regexp_like(`v`,_utf8mb4'^a'))"),
            ("a = -1", "(`a` = -(1))"),
            ("TRUE", "(true)"),
        ] {
            let text = condition("c", &parsed(written).unwrap()).unwrap().text;
            assert_eq!(text, shown, "{written}");
            assert_eq!(condition("c", &parsed(&text).unwrap()).unwrap().text, shown, "{written}");
        }
    }

    #[test]
    fn what_is_not_the_rows_alone_is_refused() {
        for (written, code) in
            [("a < NOW()", 3814), ("a = @x", 3816), ("a = @@port", 3816), ("a IN (SELECT 1)", 3815), ("RAND()", 3814)]
        {
            let refused = condition("c", &parsed(written).unwrap()).map(|condition| condition.text);
            assert_eq!(refused.map_err(|error| error.code), Err(code), "{written}");
        }
    }

    #[test]
    fn columns_are_those_named() {
        assert_eq!(columns_of("((`a` > 0) and (`B b` = `a`))"), ["a", "B b", "a"]);
    }
}
