//! The computed tables of information_schema and performance_schema, as the planner and executor see them.

use super::env::State;
use crate::error::{SqlError, error};
use crate::expr::Type;
use crate::value::Value;

/// The columns of a computed table.
pub(super) fn columns(_schema: &str, _name: &str) -> Option<Vec<(String, Type)>> {
    None
}

/// Its rows.
pub(super) fn rows(_state: &State, schema: &str, name: &str) -> Result<Vec<Vec<Value>>, SqlError> {
    Err(error(1146, format!("Table '{schema}.{name}' doesn't exist")))
}
