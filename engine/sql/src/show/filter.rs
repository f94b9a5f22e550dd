//! LIKE and WHERE of a SHOW.

use crate::ast::{BinaryOp, Expr, Literal, ShowFilter, UnaryOp};
use crate::error::{self, SqlError};
use crate::value::Value;
use crate::virtual_table::VirtualColumn;

/// Whether a row stays. LIKE looks at the first column.
pub(super) fn keeps(filter: &ShowFilter, columns: &[VirtualColumn], row: &[Value]) -> Result<bool, SqlError> {
    match filter {
        ShowFilter::Like(pattern) => Ok(row[0].to_text().is_some_and(|text| like(pattern, &text))),
        ShowFilter::Where(expr) => truth(expr, columns, row),
    }
}

fn like(pattern: &str, text: &str) -> bool {
    crate::account::like(&pattern.to_lowercase(), &text.to_lowercase())
}

fn truth(expr: &Expr, columns: &[VirtualColumn], row: &[Value]) -> Result<bool, SqlError> {
    Ok(match expr {
        Expr::Binary(BinaryOp::And, a, b) => truth(a, columns, row)? & truth(b, columns, row)?,
        Expr::Binary(BinaryOp::Or, a, b) => truth(a, columns, row)? | truth(b, columns, row)?,
        Expr::Unary(UnaryOp::Not, a) => !truth(a, columns, row)?,
        Expr::Binary(op @ (BinaryOp::Eq | BinaryOp::Ne), a, b) => {
            let (a, b) = (operand(a, columns, row)?, operand(b, columns, row)?);
            match (a, b) {
                (Some(a), Some(b)) => a.eq_ignore_ascii_case(&b) == (*op == BinaryOp::Eq),
                _ => false,
            }
        }
        Expr::Like { expr, negated, pattern, escape: None } => {
            match (operand(expr, columns, row)?, operand(pattern, columns, row)?) {
                (Some(text), Some(pattern)) => like(&pattern, &text) != *negated,
                _ => false,
            }
        }
        Expr::InList { expr, negated, list } => {
            let Some(text) = operand(expr, columns, row)? else { return Ok(false) };
            let mut found = false;
            for item in list {
                found |= operand(item, columns, row)?.is_some_and(|item| item.eq_ignore_ascii_case(&text));
            }
            found != *negated
        }
        Expr::IsNull { expr, negated } => operand(expr, columns, row)?.is_none() != *negated,
        Expr::Literal(Literal::UInt(number)) => *number != 0,
        Expr::Literal(Literal::Bool(on)) => *on,
        _ => return Err(error::not_supported("this WHERE in SHOW")),
    })
}

fn operand(expr: &Expr, columns: &[VirtualColumn], row: &[Value]) -> Result<Option<String>, SqlError> {
    match expr {
        Expr::Column(column) => {
            let place = columns.iter().position(|known| known.name.eq_ignore_ascii_case(&column.column));
            let place = place.ok_or_else(|| error::unknown_column(&column.column, "where clause"))?;
            Ok(row[place].to_text().map(std::borrow::Cow::into_owned))
        }
        Expr::Literal(Literal::String { text, .. }) => Ok(Some(text.clone())),
        Expr::Literal(Literal::UInt(number)) => Ok(Some(number.to_string())),
        Expr::Literal(Literal::Bool(on)) => Ok(Some(u8::from(*on).to_string())),
        Expr::Literal(Literal::Null) => Ok(None),
        _ => Err(error::not_supported("this WHERE in SHOW")),
    }
}
