//! Evaluation of resolved expressions.

use super::{BitOp, Cast, Comparison, Node, function, like};
use crate::ast::SystemVariable;
use crate::collate::Collation;
use crate::decimal::Decimal;
use crate::error::{SqlError, error};
use crate::host::Now;
use crate::json;
use crate::temporal::{self, DateRules};
use crate::value::{Arithmetic, Fault, Level, Value, Warning, text_integer, text_number, timestamp_parts};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;
use wire::client::put_f32;

/// What an expression may ask of the statement and session that it belongs to.
pub trait Env {
    /// A parameter of the statement.
    fn param(&self, at: u16) -> Result<&Value, SqlError>;
    /// A result kept at a place: rows of a subquery, or one value.
    ///
    /// # Errors
    /// It has to be computed for this row first: the caller of [`Node::eval`] does so, and tries again.
    fn prepared(&self, at: usize) -> Result<Rc<Vec<Vec<Value>>>, SqlError>;
    /// A column of the row of a query around this one.
    fn outer(&self, at: usize) -> Value;
    /// The row that an INSERT wanted, for `VALUES()`.
    fn inserted(&self, column: usize) -> Value;
    /// A system variable.
    fn system_variable(&self, variable: &SystemVariable) -> Result<Value, SqlError>;
    /// A user variable.
    fn user_variable(&self, name: &str) -> Value;
    /// Sets a user variable.
    fn set_user_variable(&self, name: &str, value: Value);
    /// The clock at the statement's beginning.
    fn now(&self) -> Now;
    /// The session's time zone, current date, and which dates it takes.
    fn date_rules(&self) -> DateRules;
    /// The clock at the statement's beginning, in the session's time zone.
    fn local_now(&self, digits: u8) -> Value {
        let unit = 10_i64.pow(6 - u32::from(digits.min(6)));
        let us = i64::try_from(self.now().unix_us).unwrap_or(0) / unit * unit;
        Value::DateTime(temporal::from_unix_us(us, self.date_rules().zone).unwrap_or_default(), digits)
    }
    /// Random bits.
    fn random(&self) -> u64;
    /// DATABASE().
    fn database(&self) -> Option<String>;
    /// USER(): as logged in.
    fn user(&self) -> String;
    /// CURRENT_USER(): the account.
    fn current_user(&self) -> String;
    /// CONNECTION_ID().
    fn connection_id(&self) -> u32;
    /// LAST_INSERT_ID(), and LAST_INSERT_ID(expr).
    fn last_insert_id(&self, set: Option<u64>) -> u64;
    /// ROW_COUNT().
    fn row_count(&self) -> i64;
    /// FOUND_ROWS().
    fn found_rows(&self) -> u64;
    /// VERSION().
    fn version(&self) -> String;
    /// Whether a zero divisor is an error (a data change under ERROR_FOR_DIVISION_BY_ZERO and strict mode).
    fn zero_divisor_is_error(&self) -> bool;
    /// Whether a zero divisor is worth a warning.
    fn zero_divisor_is_noted(&self) -> bool {
        true
    }
    /// Notes something.
    fn warn(&self, warning: Warning);
    /// A function that only the session knows (`group_replication_...`); `None`: unknown.
    fn session_function(&self, name: &str, args: &[Value]) -> Option<Result<Value, SqlError>>;
}

impl Node {
    /// Whether it is true for `row`.
    ///
    /// # Errors
    /// See [`Node::eval`].
    pub fn holds(&self, row: &[Value], env: &dyn Env) -> Result<bool, SqlError> {
        Ok(truth(&*self.eval(row, env)?, env) == Some(true))
    }

    /// Its value for `row`.
    ///
    /// # Errors
    /// 1690, 1365, and what functions say.
    pub fn eval<'a>(&'a self, row: &'a [Value], env: &'a dyn Env) -> Result<Cow<'a, Value>, SqlError> {
        Ok(Cow::Owned(match self {
            Self::Const(value) => return Ok(Cow::Borrowed(value)),
            Self::Column(at) => return Ok(Cow::Borrowed(&row[*at])),
            Self::Local(expr) => {
                let value = expr.eval(row, env)?;
                let Value::Timestamp(us, digits) = &*value else { return Ok(value) };
                Value::DateTime(timestamp_parts(*us, env.date_rules().zone), *digits)
            }
            Self::Param(at) => return env.param(*at).map(Cow::Borrowed),
            Self::Prepared(place) => {
                let rows = env.prepared(place.at)?;
                if rows.len() > 1 {
                    return Err(error(1242, "Subquery returns more than 1 row"));
                }
                rows.first().and_then(|row| row.first()).cloned().unwrap_or_default()
            }
            Self::Outer(at) => env.outer(*at),
            Self::ExistsPrepared { rows, negated } => Value::bool(env.prepared(rows.at)?.is_empty() == *negated),
            Self::InPrepared { exprs, rows, negated, collation } => {
                let values = exprs.iter().map(|node| node.eval(row, env)).collect::<Result<Vec<_>, _>>()?;
                let rows = env.prepared(rows.at)?;
                // All rows are of one type: the first shows what each value is compared as.
                for (value, beside) in values.iter().zip(rows.first().into_iter().flatten()) {
                    warn_beside(value, beside, env);
                }
                let equal = |row: &Vec<Value>| {
                    let row: Vec<_> = row.iter().map(Cow::Borrowed).collect();
                    compare_tuples(&values, Comparison::Eq, &row, *collation).truth()
                };
                any(rows.iter().map(equal)).map_or(Value::Null, |found| Value::bool(found != *negated))
            }
            Self::Quantified { expr, op, all, rows, collation } => {
                let value = expr.eval(row, env)?;
                let rows = env.prepared(rows.at)?;
                if let Some(beside) = rows.first().and_then(|row| row.first()) {
                    warn_beside(&value, beside, env);
                }
                let null = Value::Null;
                let holds = |row: &Vec<Value>| compare(&value, *op, row.first().unwrap_or(&null), *collation).truth();
                let result = if *all {
                    any(rows.iter().map(|row| holds(row).map(|holds| !holds))).map(|fails| !fails)
                } else {
                    any(rows.iter().map(holds))
                };
                result.map_or(Value::Null, Value::bool)
            }
            Self::UserVariable(name) => env.user_variable(name),
            Self::Assign(name, expr) => {
                let value = expr.eval(row, env)?.into_owned();
                env.set_user_variable(name, value.clone());
                value
            }
            Self::SystemVariable(variable) => env.system_variable(variable)?,
            Self::Negate(expr, text) => {
                let value = expr.eval(row, env)?;
                warn_if_no_number(&value, env);
                let negated = value.negate().map_err(|fault| fault.error(text))?;
                in_full(negated, [(&**expr, &*value)])
            }
            Self::Not(expr) => negate(truth(&*expr.eval(row, env)?, env)),
            Self::BitNot(expr) => expr.eval(row, env)?.to_bits().map_or(Value::Null, |bits| Value::UInt(!bits)),
            Self::And(left, right) => {
                let left = truth(&*left.eval(row, env)?, env);
                if left == Some(false) {
                    return Ok(Cow::Owned(Value::Int(0)));
                }
                match (left, truth(&*right.eval(row, env)?, env)) {
                    (_, Some(false)) => Value::Int(0),
                    (Some(true), Some(true)) => Value::Int(1),
                    _ => Value::Null,
                }
            }
            Self::Or(left, right) => {
                let left = truth(&*left.eval(row, env)?, env);
                if left == Some(true) {
                    return Ok(Cow::Owned(Value::Int(1)));
                }
                match (left, truth(&*right.eval(row, env)?, env)) {
                    (_, Some(true)) => Value::Int(1),
                    (Some(false), Some(false)) => Value::Int(0),
                    _ => Value::Null,
                }
            }
            Self::Xor(left, right) => match (truth(&*left.eval(row, env)?, env), truth(&*right.eval(row, env)?, env)) {
                (Some(left), Some(right)) => Value::bool(left != right),
                _ => Value::Null,
            },
            Self::Arithmetic(left_node, op, right_node, text) => {
                let (left, right) = (left_node.eval(row, env)?, right_node.eval(row, env)?);
                for side in [&left, &right] {
                    warn_if_no_number(side, env);
                }
                let result = calculate(&left, *op, &right, text, env)?;
                in_full(result, [(&**left_node, &*left), (&**right_node, &*right)])
            }
            Self::Bits(left, op, right) => {
                let left = left.eval(row, env)?;
                if left.is_null() {
                    return Ok(Cow::Owned(Value::Null));
                }
                let right = right.eval(row, env)?;
                warn_if_no_integer(&left, env);
                warn_if_no_integer(&right, env);
                match (left.to_bits(), right.to_bits()) {
                    (Some(left), Some(right)) => Value::UInt(bits(left, *op, right)),
                    _ => Value::Null,
                }
            }
            Self::Compare(left, op, right, collation) => {
                let (left, right) = (left.eval(row, env)?, right.eval(row, env)?);
                warn_beside(&left, &right, env);
                compare(&left, *op, &right, *collation)
            }
            Self::CompareRows(left, op, right, collation) => {
                let left = left.iter().map(|node| node.eval(row, env)).collect::<Result<Vec<_>, _>>()?;
                let right = right.iter().map(|node| node.eval(row, env)).collect::<Result<Vec<_>, _>>()?;
                for (left, right) in left.iter().zip(&right) {
                    warn_beside(left, right, env);
                }
                compare_tuples(&left, *op, &right, *collation)
            }
            Self::IsNull(expr, negated) => Value::bool(expr.eval(row, env)?.is_null() != *negated),
            Self::IsTruth(expr, wanted, negated) => {
                Value::bool((truth(&*expr.eval(row, env)?, env) == *wanted) != *negated)
            }
            Self::Between { expr, low, high, negated, collation } => {
                let value = expr.eval(row, env)?;
                let (low, high) = (low.eval(row, env)?, high.eval(row, env)?);
                if counts(&value) {
                    warn_if_no_number(&low, env);
                    warn_if_no_number(&high, env);
                } else if counts(&low) || counts(&high) {
                    warn_if_no_number(&value, env);
                }
                let above = value.compare(&low, *collation).map(Ordering::is_ge);
                let below = value.compare(&high, *collation).map(Ordering::is_le);
                let within = match (above, below) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                };
                within.map_or(Value::Null, |within| Value::bool(within != *negated))
            }
            Self::In { expr, list, negated, collation } => {
                let value = expr.eval(row, env)?;
                let mut found = (!value.is_null()).then_some(false);
                let mut warned = false;
                for item in list {
                    let item = item.eval(row, env)?;
                    // A text is made a number once, however many numbers there are.
                    if counts(&item) && !std::mem::replace(&mut warned, true) {
                        warn_if_no_number(&value, env);
                    } else if counts(&value) {
                        warn_if_no_number(&item, env);
                    }
                    match value.compare(&item, *collation) {
                        Some(Ordering::Equal) => {
                            found = Some(true);
                            break;
                        }
                        Some(_) => {}
                        None => found = None,
                    }
                }
                found.map_or(Value::Null, |found| Value::bool(found != *negated))
            }
            Self::Like { expr, pattern, escape, negated, collation } => {
                let (value, pattern) = (expr.eval(row, env)?, pattern.eval(row, env)?);
                match (value.to_bytes(), pattern.to_bytes()) {
                    (Some(value), Some(pattern)) => {
                        Value::bool(like(&value, &pattern, *escape, *collation) != *negated)
                    }
                    _ => Value::Null,
                }
            }
            Self::Case { operand, arms, otherwise, collation } => {
                let operand = operand.as_ref().map(|operand| operand.eval(row, env)).transpose()?;
                let mut warned = false;
                for (when, then) in arms {
                    let when = when.eval(row, env)?;
                    let taken = match &operand {
                        Some(operand) => {
                            if counts(operand) {
                                warn_if_no_number(&when, env);
                            } else if counts(&when) && !std::mem::replace(&mut warned, true) {
                                warn_if_no_number(operand, env);
                            }
                            operand.compare(&when, *collation) == Some(Ordering::Equal)
                        }
                        None => truth(&when, env) == Some(true),
                    };
                    if taken {
                        return then.eval(row, env);
                    }
                }
                return match otherwise {
                    Some(otherwise) => otherwise.eval(row, env),
                    None => Ok(Cow::Owned(Value::Null)),
                };
            }
            Self::Cast(expr, to) => cast(&*expr.eval(row, env)?, *to, env)?,
            Self::CastDecimal(expr, size, text) => cast_decimal(&*expr.eval(row, env)?, *size, text, env),
            Self::Call(name, args, collation) => {
                return function::call(name, args, *collation, row, env).map(Cow::Owned);
            }
            Self::Inserted(at) => env.inserted(*at),
        }))
    }
}

fn negate(truth: Option<bool>) -> Value {
    truth.map_or(Value::Null, |truth| Value::bool(!truth))
}

fn bits(left: u64, op: BitOp, right: u64) -> u64 {
    match op {
        BitOp::Or => left | right,
        BitOp::And => left & right,
        BitOp::Xor => left ^ right,
        BitOp::Left => u32::try_from(right).ok().and_then(|by| left.checked_shl(by)).unwrap_or(0),
        BitOp::Right => u32::try_from(right).ok().and_then(|by| left.checked_shr(by)).unwrap_or(0),
    }
}

/// What is calculated with a user variable that holds a DECIMAL has all digits behind the point that there can be: how
/// many the variable will have is not known beforehand.
fn in_full<const N: usize>(value: Value, operands: [(&Node, &Value); N]) -> Value {
    let variable = |(node, value): (&Node, &Value)| matches!((node, value), (Node::UserVariable(_), Value::Decimal(_)));
    match value {
        Value::Decimal(decimal) if operands.into_iter().any(variable) => {
            Value::Decimal(decimal.rounded(Decimal::SCALE_MAX))
        }
        value => value,
    }
}

/// Whether a text beside it is made a number.
fn counts(value: &Value) -> bool {
    value.is_number() && !matches!(value, Value::Bit(..))
}

/// Warns of what is no number, or no date, beside one.
fn warn_beside(left: &Value, right: &Value, env: &dyn Env) {
    for (one, other) in [(left, right), (right, left)] {
        if counts(one) {
            warn_if_no_number(other, env);
        } else if let (Value::Date(_) | Value::DateTime(..), Value::Text(text)) = (one, other)
            && temporal::read_date_time(text).is_none()
        {
            let kind = if matches!(one, Value::Date(_)) { "date" } else { "datetime" };
            let message = format!("Truncated incorrect {kind} value: '{text}'");
            env.warn(Warning { level: Level::Warning, code: 1292, message });
        }
    }
}

pub(super) fn warn_if_no_number(value: &Value, env: &dyn Env) {
    if let Value::Text(text) = value
        && !text.trim_matches(' ').is_empty()
        && !text_number(text).1
    {
        let message = format!("Truncated incorrect DOUBLE value: '{text}'");
        env.warn(Warning { level: Level::Warning, code: 1292, message });
    }
}

pub(super) fn warn_if_no_integer(value: &Value, env: &dyn Env) {
    if let Value::Text(text) = value
        && !text_integer(text).1
    {
        let message = format!("Truncated incorrect INTEGER value: '{text}'");
        env.warn(Warning { level: Level::Warning, code: 1292, message });
    }
}

pub(super) fn truth(value: &Value, env: &dyn Env) -> Option<bool> {
    warn_if_no_number(value, env);
    value.truth()
}

fn calculate(left: &Value, op: Arithmetic, right: &Value, text: &str, env: &dyn Env) -> Result<Value, SqlError> {
    match left.calculate(op, right) {
        Ok(value) => Ok(value),
        Err(Fault::ZeroDivisor) if !env.zero_divisor_is_noted() => Ok(Value::Null),
        Err(Fault::ZeroDivisor) if !env.zero_divisor_is_error() => {
            env.warn(Warning { level: Level::Warning, code: 1365, message: "Division by 0".into() });
            Ok(Value::Null)
        }
        Err(fault) => Err(fault.error(text)),
    }
}

fn compare(left: &Value, op: Comparison, right: &Value, collation: Collation) -> Value {
    let order = left.compare(right, collation);
    if op == Comparison::NullSafeEq {
        return Value::bool(match order {
            Some(order) => order.is_eq(),
            None => left.is_null() && right.is_null(),
        });
    }
    order.map_or(Value::Null, |order| Value::bool(holds(op, order)))
}

fn holds(op: Comparison, order: Ordering) -> bool {
    match op {
        Comparison::Eq | Comparison::NullSafeEq => order.is_eq(),
        Comparison::Ne => order.is_ne(),
        Comparison::Lt => order.is_lt(),
        Comparison::Le => order.is_le(),
        Comparison::Gt => order.is_gt(),
        Comparison::Ge => order.is_ge(),
    }
}

fn compare_tuples(left: &[Cow<'_, Value>], op: Comparison, right: &[Cow<'_, Value>], collation: Collation) -> Value {
    let mut unknown = false;
    for (left, right) in left.iter().zip(right) {
        match left.compare(right, collation) {
            Some(Ordering::Equal) => {}
            Some(order) => match op {
                Comparison::Eq | Comparison::Ne | Comparison::NullSafeEq => {
                    return Value::bool(op == Comparison::Ne);
                }
                _ => return if unknown { Value::Null } else { Value::bool(holds(op, order)) },
            },
            None if op == Comparison::NullSafeEq => {
                if !(left.is_null() && right.is_null()) {
                    return Value::Int(0);
                }
            }
            None => unknown = true,
        }
    }
    if unknown { Value::Null } else { Value::bool(holds(op, Ordering::Equal)) }
}

/// Whether one of them is true; unknown when one that is not could be.
fn any(mut truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut unknown = false;
    let found = truths.any(|truth| {
        unknown |= truth.is_none();
        truth == Some(true)
    });
    if !found && unknown { None } else { Some(found) }
}

fn cast(value: &Value, to: Cast, env: &dyn Env) -> Result<Value, SqlError> {
    match to {
        _ if value.is_null() => Ok(Value::Null),
        Cast::Date | Cast::Time(_) | Cast::DateTime(_) | Cast::Year => Ok(cast_temporal(value, to, env)),
        Cast::Json => cast_json(value),
        Cast::AsDateTime(digits) => Ok(match value {
            Value::Date(at) | Value::DateTime(at, _) => Value::DateTime(*at, digits),
            Value::Timestamp(us, _) => Value::Timestamp(*us, digits),
            Value::Time(..) => cast_temporal(value, Cast::DateTime(digits), env),
            other => other.clone(),
        }),
        Cast::AsTime(digits) => Ok(match value {
            Value::Time(us, _) => Value::Time(*us, digits),
            other => other.clone(),
        }),
        Cast::FixedText(scale) => Ok(Value::text(format!("{:.*}", usize::from(scale), value.to_f64().unwrap_or(0.0)))),
        Cast::YearText => Ok(Value::text(format!("{:04}", value.to_i128().unwrap_or(0)))),
        _ => Ok(cast_plain(value, to, env)),
    }
}

fn cast_json(value: &Value) -> Result<Value, SqlError> {
    Ok(Value::Json(match value {
        Value::Json(json) => json.clone(),
        Value::Text(text) => Rc::new(json::parse(text).map_err(|fault| {
            let (what, at) = (fault.what, fault.at);
            error(
                3141,
                format!("Invalid JSON text in argument 1 to function cast_as_json: \"{what}\" at position {at}."),
            )
        })?),
        Value::Bytes(_) => {
            return Err(error(3144, "Cannot create a JSON value from a string with CHARACTER SET 'binary'."));
        }
        other => Rc::new(other.to_json()),
    }))
}

fn cast_temporal(value: &Value, to: Cast, env: &dyn Env) -> Value {
    if let Value::UInt(beyond @ 0x8000_0000_0000_0000..) = value {
        // Dates are made of signed numbers.
        return cast_temporal(&Value::Int(*beyond as i64), to, env);
    }
    let rules = env.date_rules();
    let refuse = |message: String| {
        env.warn(Warning { level: Level::Warning, code: 1292, message });
        Value::Null
    };
    let shown = || value.to_text().unwrap_or_default().into_owned();
    if let Cast::Year = to {
        let number = match value {
            Value::Date(at) | Value::DateTime(at, _) => i128::from(at.year),
            Value::Time(..) => i128::from(rules.today.year),
            other => other.to_i128().unwrap_or(-1),
        };
        let text = matches!(value, Value::Text(_) | Value::Bytes(_));
        if text {
            let (number, whole) = text_number(&shown());
            if !whole && number == 0.0 {
                let message = format!("Incorrect YEAR value: '{}'", shown());
                env.warn(Warning { level: Level::Warning, code: 1525, message });
                return Value::Null;
            }
            if !whole || !text_integer(&shown()).1 {
                env.warn(Warning {
                    level: Level::Warning,
                    code: 1292,
                    message: format!("Truncated incorrect YEAR value: '{}'", shown()),
                });
            }
        }
        return match number {
            0 if !text => Value::UInt(0),
            0..=69 => Value::UInt(number as u64 + 2000),
            70..=99 => Value::UInt(number as u64 + 1900),
            1901..=2155 => Value::UInt(number as u64),
            _ => refuse(format!("Truncated incorrect YEAR value: '{}'", shown())),
        };
    }
    if let Cast::Time(digits) = to {
        let us = match value {
            Value::Text(_) | Value::Bytes(_) => {
                let read = temporal::read_time(&shown());
                if read.is_none_or(|read| read.rest || read.beyond) {
                    let null = refuse(format!("Truncated incorrect time value: '{}'", shown()));
                    if read.is_none() {
                        return null;
                    }
                }
                read.map(|read| read.us)
            }
            other => {
                let us = other.to_time();
                if us.is_none() || us.is_some_and(|us| us.abs() == temporal::TIME_MAX_US) && other.is_number() {
                    refuse(format!("Truncated incorrect time value: '{}'", shown()));
                }
                us
            }
        };
        return us.map_or(Value::Null, |us| Value::Time(temporal::round_us(us, digits), digits));
    }
    let at = match value {
        Value::Time(us, _) => temporal::from_us(temporal::to_us(&rules.today) + us),
        Value::Text(_) | Value::Bytes(_) => {
            let read = temporal::read_date_time(&shown());
            if read.is_some_and(|read| read.rest) {
                refuse(format!("Truncated incorrect datetime value: '{}'", shown()));
            }
            read.map(|read| match read.offset {
                Some(offset) if temporal::flaw(&read.at).is_none() => {
                    temporal::from_unix_us(temporal::to_unix_us(&read.at, offset), rules.zone).unwrap_or(read.at)
                }
                _ => read.at,
            })
        }
        other => other.to_date_time(),
    };
    let sound = |at: &temporal::DateTime| match temporal::flaw(at) {
        None => true,
        Some(temporal::Flaw::NoSuchDay) => rules.allow_invalid_dates,
        Some(temporal::Flaw::Zero) => !rules.no_zero_date,
        Some(temporal::Flaw::ZeroPart) => !rules.no_zero_in_date,
    };
    let result = at.filter(sound).and_then(|at| match to {
        Cast::DateTime(digits) => temporal::round(at, digits).map(|at| Value::DateTime(at, digits)),
        _ => Some(Value::Date(temporal::date_of(at))),
    });
    let text = matches!(value, Value::Text(_) | Value::Bytes(_) | Value::Decimal(_) | Value::Bit(..));
    result.unwrap_or_else(|| {
        refuse(if text && to == Cast::Date {
            format!("Truncated incorrect date value: '{}'", shown())
        } else {
            format!("Incorrect datetime value: '{}'", shown())
        })
    })
}

fn cast_integer(value: &Value, signed: bool, env: &dyn Env) -> Value {
    let warn = |code: u16, message: String| env.warn(Warning { level: Level::Warning, code, message });
    let wide = match value {
        Value::Text(_) | Value::Bytes(_) => {
            let text = value.to_text().unwrap_or_default();
            let (wide, whole) = text_integer(&text);
            let beyond = !(i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&wide);
            if !whole || beyond {
                warn(1292, format!("Truncated incorrect INTEGER value: '{text}'"));
            } else if signed && wide > i128::from(i64::MAX) {
                let message = "Cast to signed converted positive out-of-range integer to its negative complement";
                warn(1105, message.into());
            } else if !signed && wide < 0 {
                warn(1105, "Cast to unsigned converted negative integer to its positive complement".into());
            }
            wide.clamp(i128::from(i64::MIN), i128::from(u64::MAX))
        }
        Value::Double(double) if signed => double.round().clamp(i64::MIN as f64, i64::MAX as f64) as i64 as i128,
        other => other.to_i128().unwrap_or(0).clamp(i128::from(i64::MIN), i128::from(u64::MAX)),
    };
    if signed { Value::Int(wide as i64) } else { Value::UInt(wide as u64) }
}

fn warn_if_truncated(kind: &str, value: &Value, env: &dyn Env) {
    if let Value::Text(text) = value
        && !text_number(text).1
    {
        let message = format!("Truncated incorrect {kind} value: '{text}'");
        env.warn(Warning { level: Level::Warning, code: 1292, message });
    }
}

fn cast_decimal(value: &Value, (digits, scale): (u8, u8), shown: &str, env: &dyn Env) -> Value {
    if value.is_null() {
        return Value::Null;
    }
    warn_if_truncated("DECIMAL", value, env);
    let rounded = value.to_decimal().unwrap_or_else(|| Decimal::from_int(0)).rounded(scale);
    if rounded.integer_digits() <= u32::from(digits.saturating_sub(scale)) {
        return Value::Decimal(rounded);
    }
    let message = format!("Out of range value for column '{shown}' at row 1");
    env.warn(Warning { level: Level::Warning, code: 1264, message });
    let nines = format!("{}.{}", "9".repeat(usize::from(digits - scale)), "9".repeat(usize::from(scale)));
    let most = Decimal::parse(nines.trim_end_matches('.')).unwrap_or(rounded.clone());
    Value::Decimal(if rounded.is_negative() { most.negated() } else { most })
}

fn cast_plain(value: &Value, to: Cast, env: &dyn Env) -> Value {
    if matches!(to, Cast::Signed | Cast::Unsigned) {
        return cast_integer(value, to == Cast::Signed, env);
    }
    if matches!(to, Cast::Double | Cast::Float) {
        warn_if_truncated("DOUBLE", value, env);
    }
    match to {
        Cast::Double => Value::Double(value.to_f64().unwrap_or(0.0)),
        Cast::FloatText => {
            let mut text = Vec::new();
            put_f32(&mut text, value.to_f64().unwrap_or(0.0) as f32);
            Value::text(String::from_utf8_lossy(&text).into_owned())
        }
        Cast::Float => Value::Double(f64::from(value.to_f64().unwrap_or(0.0) as f32)),
        Cast::Text(length) => {
            let text = value.to_text().unwrap_or_default();
            Value::text(match length {
                Some(length) => {
                    if text.chars().count() > length as usize {
                        let message = format!("Truncated incorrect CHAR({length}) value: '{text}'");
                        env.warn(Warning { level: Level::Warning, code: 1292, message });
                    }
                    text.chars().take(length as usize).collect::<String>()
                }
                None => text.into_owned(),
            })
        }
        Cast::Bytes(length) => {
            let mut bytes = value.to_bytes().unwrap_or_default().into_owned();
            if let Some(length) = length {
                if bytes.len() > length as usize {
                    let text = value.to_text().unwrap_or_default();
                    let message = format!("Truncated incorrect BINARY({length}) value: '{text}'");
                    env.warn(Warning { level: Level::Warning, code: 1292, message });
                }
                bytes.resize((length as usize).min(1 << 20), 0);
            }
            Value::bytes(bytes)
        }
        Cast::Signed | Cast::Unsigned | Cast::Date | Cast::Time(_) | Cast::DateTime(_) | Cast::Year | Cast::Json => {
            unreachable!("casts to integers, dates, times and documents are done elsewhere")
        }
        Cast::AsDateTime(_) | Cast::AsTime(_) | Cast::YearText | Cast::FixedText(_) => {
            unreachable!("what only brings values to a common type is done elsewhere")
        }
    }
}

/// Order of two rows by the given columns, each with its direction and collation.
#[must_use]
pub fn compare_rows(left: &[Value], right: &[Value], by: &[(usize, bool, Collation)]) -> Ordering {
    for &(column, descending, collation) in by {
        let order = left[column].order(&right[column], collation);
        if order.is_ne() {
            return if descending { order.reverse() } else { order };
        }
    }
    Ordering::Equal
}
