//! Expressions as error messages print them.

use super::Scope;
use crate::ast::{CastType, Expr, Literal, UnaryOp};
use crate::value::Value;

/// An expression as MySQL prints it in error 1690.
#[must_use]
pub fn describe(expr: &Expr, scope: &Scope) -> String {
    match expr {
        Expr::Literal(Literal::UInt(value)) => value.to_string(),
        Expr::Literal(Literal::Decimal(digits)) => digits.clone(),
        Expr::Literal(Literal::Double(value)) => Value::Double(*value).to_text().unwrap_or_default().into_owned(),
        Expr::Literal(Literal::Bytes { bytes, .. }) => {
            format!("0x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
        Expr::Cast { expr, to: CastType::Unsigned } => format!("cast({} as unsigned)", describe(expr, scope)),
        Expr::Cast { expr, to: CastType::Signed } => format!("cast({} as signed)", describe(expr, scope)),
        Expr::Literal(Literal::String { text, .. }) => format!("'{text}'"),
        Expr::Literal(Literal::Bool(value)) => value.to_string(),
        Expr::Literal(_) => "NULL".into(),
        Expr::Column(column) => match scope.find(column, "") {
            Ok(at) => {
                let found = &scope.columns[at];
                format!("`{}`.`{}`.`{}`", found.schema, found.table, found.name)
            }
            Err(_) => format!("`{}`", column.column),
        },
        Expr::Unary(UnaryOp::Minus, operand) => format!("-({})", describe(operand, scope)),
        Expr::Binary(op, left, right) => {
            format!("({} {} {})", describe(left, scope), op.sign(), describe(right, scope))
        }
        Expr::Function(call) => {
            let args: Vec<_> = call.args.iter().map(|arg| describe(arg, scope)).collect();
            format!("{}({})", call.name.to_lowercase(), args.join(","))
        }
        _ => "?".into(),
    }
}
