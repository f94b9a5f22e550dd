//! Aggregates.

use crate::collate::Collation;
use crate::decimal::Decimal;
use crate::error::{SqlError, error};
use crate::expr::{Aggregate, AggregateKind, BitOp, Env, Node};
use crate::json::Json;
use crate::key::weigh_value;
use crate::value::{Arithmetic, Level, Value, Warning, text_number};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::rc::Rc;

/// `group_concat_max_len`.
const CONCAT_BYTES_MAX: usize = 1024;

/// The running state of one aggregate of one group.
pub(super) struct Accumulator {
    seen: BTreeSet<Vec<u8>>,
    count: u64,
    /// SUM and AVG of integers, exactly; moved to `sum` at its limit.
    whole: i128,
    sum: Option<Value>,
    best: Value,
    bits: u64,
    texts: Vec<(Vec<Value>, String)>,
    /// Mean so far, and the sum of squared distances from it.
    spread: (f64, f64),
    documents: Vec<(String, Json)>,
}

impl Accumulator {
    pub(super) fn new(aggregate: &Aggregate) -> Self {
        let bits = if aggregate.kind == AggregateKind::Bits(BitOp::And) { u64::MAX } else { 0 };
        Self {
            seen: BTreeSet::new(),
            count: 0,
            whole: 0,
            sum: None,
            best: Value::Null,
            bits,
            texts: Vec::new(),
            spread: (0.0, 0.0),
            documents: Vec::new(),
        }
    }

    /// Takes one row.
    pub(super) fn add(&mut self, aggregate: &Aggregate, row: &[Value], env: &dyn Env) -> Result<(), SqlError> {
        if aggregate.kind == AggregateKind::CountAll {
            self.count += 1;
            return Ok(());
        }
        let (one, many);
        let values: &[Cow<'_, Value>] = if let [arg] = aggregate.args.as_slice() {
            one = [arg.eval(row, env)?];
            &one
        } else {
            many = aggregate.args.iter().map(|arg| arg.eval(row, env)).collect::<Result<Vec<_>, _>>()?;
            &many
        };
        if let AggregateKind::Grouping = aggregate.kind {
            return Ok(());
        }
        if let AggregateKind::Any | AggregateKind::RolledUp(_) = aggregate.kind {
            if self.count == 0 {
                self.best = (*values[0]).clone();
            }
            self.count += 1;
            return Ok(());
        }
        match aggregate.kind {
            AggregateKind::JsonArray => {
                self.count += 1;
                self.documents.push((String::new(), values[0].to_json()));
                return Ok(());
            }
            AggregateKind::JsonObject => {
                let Some(name) = values[0].to_text() else {
                    return Err(error(3158, "JSON documents may not contain NULL member names."));
                };
                self.count += 1;
                self.documents.push((name.into_owned(), values[1].to_json()));
                return Ok(());
            }
            _ => {}
        }
        if values.iter().any(|value| value.is_null()) {
            return Ok(());
        }
        if aggregate.distinct {
            let mut key = Vec::new();
            for value in values {
                weigh_value(value, aggregate.collation, &mut key);
            }
            if !self.seen.insert(key) {
                return Ok(());
            }
        }
        self.count += 1;
        let value = &*values[0];
        match aggregate.kind {
            AggregateKind::Count
            | AggregateKind::CountAll
            | AggregateKind::Any
            | AggregateKind::JsonArray
            | AggregateKind::JsonObject
            | AggregateKind::Grouping
            | AggregateKind::RolledUp(_) => {}
            AggregateKind::Variance { .. } => {
                let number = value.to_f64().unwrap_or(0.0);
                let (mean, squares) = self.spread;
                let next = mean + (number - mean) / self.count as f64;
                self.spread = (next, squares + (number - mean) * (number - next));
            }
            AggregateKind::Sum | AggregateKind::Avg => {
                if let Value::Text(text) = value
                    && !text.is_empty()
                    && !text_number(text).1
                {
                    let message = format!("Truncated incorrect DOUBLE value: '{text}'");
                    env.warn(Warning { level: Level::Warning, code: 1292, message });
                }
                self.add_number(value);
            }
            AggregateKind::Min | AggregateKind::Max => {
                let wanted = if aggregate.kind == AggregateKind::Min { Ordering::Less } else { Ordering::Greater };
                if self.best.is_null() || value.compare(&self.best, aggregate.collation) == Some(wanted) {
                    self.best = value.clone();
                }
            }
            AggregateKind::Bits(op) => {
                let bits = value.to_bits().unwrap_or(0);
                match op {
                    BitOp::And => self.bits &= bits,
                    BitOp::Or => self.bits |= bits,
                    _ => self.bits ^= bits,
                }
            }
            AggregateKind::GroupConcat => {
                let text: String = values.iter().filter_map(|value| value.to_text()).collect();
                let keys = aggregate.order_by.iter().map(|(node, _)| Ok(node.eval(row, env)?.into_owned()));
                self.texts.push((keys.collect::<Result<_, SqlError>>()?, text));
            }
        }
        Ok(())
    }

    fn add_number(&mut self, value: &Value) {
        let whole = match value {
            Value::Int(value) => Some(i128::from(*value)),
            Value::UInt(value) => Some(i128::from(*value)),
            _ => None,
        };
        if let Some(sum) = whole.and_then(|whole| self.whole.checked_add(whole)) {
            self.whole = sum;
            return;
        }
        let number = match value {
            Value::Text(_) | Value::Bytes(_) | Value::Member(..) | Value::Json(_) => {
                Value::Double(value.to_f64().unwrap_or(0.0))
            }
            number => number.clone(),
        };
        let before = self.sum.take().unwrap_or(Value::Int(0));
        // Sums of decimals saturate; sums of doubles may reach infinity, which is shown as the greatest.
        self.sum = Some(before.calculate(Arithmetic::Add, &number).unwrap_or(Value::Double(f64::MAX)));
    }

    fn total(&self) -> Value {
        let whole = Value::Decimal(Decimal::from_int(self.whole));
        match &self.sum {
            None => whole,
            Some(sum) => sum.calculate(Arithmetic::Add, &whole).unwrap_or(Value::Double(f64::MAX)),
        }
    }

    /// The result for a group by the first `kept` of the expressions `by`.
    pub(super) fn finish(mut self, aggregate: &Aggregate, by: &[(Node, Collation)], kept: usize) -> Value {
        match aggregate.kind {
            AggregateKind::Grouping => {
                let left_out = |arg: &Node| by.iter().position(|(node, _)| node == arg).is_some_and(|at| at >= kept);
                let bits = aggregate.args.iter().fold(0, |bits, arg| bits << 1 | i64::from(left_out(arg)));
                Value::Int(bits)
            }
            AggregateKind::RolledUp(at) if at >= kept => Value::Null,
            AggregateKind::RolledUp(_) => self.best,
            AggregateKind::Count | AggregateKind::CountAll => Value::uint(self.count),
            AggregateKind::Bits(_) => Value::UInt(self.bits),
            AggregateKind::Min | AggregateKind::Max | AggregateKind::Any => self.best,
            AggregateKind::Variance { sample: true, .. } if self.count < 2 => Value::Null,
            _ if self.count == 0 => Value::Null,
            AggregateKind::Variance { sample, root } => {
                let variance = self.spread.1 / (self.count - u64::from(sample)) as f64;
                Value::Double(if root { variance.sqrt() } else { variance })
            }
            AggregateKind::JsonArray => {
                Value::Json(Rc::new(Json::Array(self.documents.into_iter().map(|(_, json)| json).collect())))
            }
            AggregateKind::JsonObject => Value::Json(Rc::new(crate::json::object(self.documents))),
            AggregateKind::Sum => self.total(),
            AggregateKind::Avg => {
                let total = self.total();
                total.calculate(Arithmetic::Div, &Value::uint(self.count)).unwrap_or_default()
            }
            AggregateKind::GroupConcat => {
                let order = &aggregate.order_by;
                self.texts.sort_by(|(left, _), (right, _)| {
                    let mut orders = left.iter().zip(right).zip(order).map(|((left, right), (_, descending))| {
                        let order = left.order(right, Collation::DEFAULT);
                        if *descending { order.reverse() } else { order }
                    });
                    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
                });
                let texts: Vec<String> = self.texts.into_iter().map(|(_, text)| text).collect();
                let mut text = texts.join(&aggregate.separator);
                if text.len() > CONCAT_BYTES_MAX {
                    let cut = (0..=CONCAT_BYTES_MAX).rev().find(|&at| text.is_char_boundary(at));
                    text.truncate(cut.unwrap_or(0));
                }
                Value::text(text)
            }
        }
    }
}
