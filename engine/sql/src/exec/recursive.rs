//! WITH RECURSIVE: the blocks that name the expression run again and again, each time about the rows that came last.

use super::select::limits;
use super::{Exec, Rows};
use crate::ast::SystemVariable;
use crate::decimal::Decimal;
use crate::error::{SqlError, error};
use crate::key::weigh_value;
use crate::plan::RecursivePlan;
use crate::value::Value;
use std::collections::BTreeSet;
use wire::client::constant::ColumnType;

/// Most bytes of rows that one expression may give: it stands in memory, and may double with every round.
const BYTES_MAX: usize = 256 << 20;

/// Rows so far, and what is said of each new one.
struct Found<'a> {
    plan: &'a RecursivePlan,
    /// Weights of the rows, where equal ones are kept once.
    seen: BTreeSet<Vec<u8>>,
    rows: Vec<Vec<Value>>,
    bytes: usize,
    strict: bool,
}

impl Found<'_> {
    fn push(&mut self, row: Vec<Value>) -> Result<(), SqlError> {
        if self.plan.distinct {
            let mut weights = Vec::new();
            for (value, output) in row.iter().zip(&self.plan.first.output) {
                weigh_value(value, output.kind.collation, &mut weights);
            }
            self.bytes += weights.len();
            if !self.seen.insert(weights) {
                return Ok(());
            }
        }
        let size = |value: &Value| size_of::<Value>() + if let Value::Text(text) = value { text.len() } else { 0 };
        self.bytes += row.iter().map(size).sum::<usize>();
        if self.bytes > BYTES_MAX {
            return Err(error(1114, "The table 'recursive common table expression' is full"));
        }
        self.rows.push(row);
        Ok(())
    }

    /// A row of a later round: its values are of the types of the first rows' columns.
    fn push_later(&mut self, mut row: Vec<Value>) -> Result<(), SqlError> {
        for (value, output) in row.iter_mut().zip(&self.plan.first.output) {
            match (&*value, output.kind.kind) {
                (Value::Decimal(_) | Value::Double(_), ColumnType::LongLong | ColumnType::Long) => {
                    if let Some(Ok(whole)) = value.to_i128().map(i64::try_from) {
                        *value = Value::Int(whole);
                    }
                }
                (Value::Decimal(number), ColumnType::NewDecimal) if output.kind.decimals <= Decimal::SCALE_MAX => {
                    *value = Value::Decimal(number.rounded(output.kind.decimals));
                }
                // A column that nothing but NULL was declared for holds nothing else.
                (_, ColumnType::Null) if !value.is_null() && self.strict => {
                    return Err(error(1406, format!("Data too long for column '{}' at row 1", output.name)));
                }
                _ => {}
            }
        }
        for (at, (value, most)) in row.iter_mut().zip(&self.plan.lengths).enumerate() {
            let (Value::Text(text), Some(most)) = (&*value, most) else { continue };
            if text.chars().count() <= *most {
                continue;
            }
            if self.strict {
                let name = &self.plan.first.output[at].name;
                return Err(error(1406, format!("Data too long for column '{name}' at row 1")));
            }
            *value = Value::text(text.chars().take(*most).collect::<String>());
        }
        self.push(row)
    }
}

impl Exec<'_> {
    /// All rows of a recursive common table expression.
    pub(super) async fn recursive(&mut self, plan: &RecursivePlan) -> Result<Vec<Vec<Value>>, SqlError> {
        let limits = limits(plan.limit.as_ref(), self.env)?;
        let enough = |rows: usize| rows as u64 >= limits.skip.saturating_add(limits.take);
        let depth = SystemVariable { scope: None, name: "cte_max_recursion_depth".into() };
        let depth = self.env.system_variable(&depth)?.to_bits().unwrap_or(0);
        let (rows, strict) = (Vec::new(), self.rules.strict);
        let mut found = Found { plan, seen: BTreeSet::new(), rows, bytes: 0, strict };
        let mut first = Rows::default();
        self.select(&plan.first, &mut first).await?;
        first.rows.into_iter().try_for_each(|row| found.push(row))?;
        let (mut round, mut from) = (0, 0);
        while from < found.rows.len() && !enough(found.rows.len()) {
            round += 1;
            if round > depth {
                let text = "Try increasing @@cte_max_recursion_depth to a larger value.";
                return Err(error(3636, format!("Recursive query aborted after {round} iterations. {text}")));
            }
            self.env.set_prepared(plan.place, found.rows[from..].to_vec());
            from = found.rows.len();
            for block in &plan.blocks {
                let mut rows = Rows::default();
                self.select(block, &mut rows).await?;
                for row in rows.rows {
                    self.step().await?;
                    found.push_later(row)?;
                }
            }
        }
        self.env.forget_prepared(plan.place);
        let cut = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(found.rows.into_iter().skip(cut(limits.skip)).take(cut(limits.take)).collect())
    }
}
