//! The built-in functions, and the types of their results.
//!
//! Those of dates are in `date`, those of documents in `json`. Absent on purpose: spatial functions.

use super::eval::{truth, warn_if_no_integer, warn_if_no_number};
use super::{Cast, Env, Node, Type, date, json, math, regexp};
use crate::collate::Collation;
use crate::decimal::Decimal;
use crate::error::{SqlError, error};
use crate::temporal;
use crate::value::{Arithmetic, Fault, Level, Value, Warning};
use std::borrow::Cow;
use std::cmp::Ordering;
use wire::client::constant::ColumnType;
use wire::gtid::GtidSet;

/// A function: its name and how many arguments it takes.
pub(super) struct Known {
    pub name: &'static str,
    pub least: usize,
    pub most: usize,
}

const ANY: usize = usize::MAX;

/// Name, least and most arguments, by name.
const FUNCTIONS: &[(&str, usize, usize)] = &[
    ("ABS", 1, 1),
    ("ASCII", 1, 1),
    ("BIT_COUNT", 1, 1),
    ("BIT_LENGTH", 1, 1),
    ("CEIL", 1, 1),
    ("CEILING", 1, 1),
    ("CHAR", 1, ANY),
    ("CHARACTER_LENGTH", 1, 1),
    ("CHARSET", 1, 1),
    ("CHAR_LENGTH", 1, 1),
    ("COALESCE", 1, ANY),
    ("COERCIBILITY", 1, 1),
    ("COLLATION", 1, 1),
    ("CONCAT", 1, ANY),
    ("CONCAT_WS", 2, ANY),
    ("CONNECTION_ID", 0, 0),
    ("CURRENT_DATE", 0, 0),
    ("CURRENT_TIME", 0, 1),
    ("CURRENT_TIMESTAMP", 0, 1),
    ("CURRENT_USER", 0, 0),
    ("DATABASE", 0, 0),
    ("ELT", 2, ANY),
    ("EXP", 1, 1),
    ("FIELD", 2, ANY),
    ("FIND_IN_SET", 2, 2),
    ("FLOOR", 1, 1),
    ("FORMAT_BYTES", 1, 1),
    ("FOUND_ROWS", 0, 0),
    ("GREATEST", 2, ANY),
    ("GTID_SUBSET", 2, 2),
    ("GTID_SUBTRACT", 2, 2),
    ("HEX", 1, 1),
    ("IF", 3, 3),
    ("IFNULL", 2, 2),
    ("INSTR", 2, 2),
    ("ISNULL", 1, 1),
    ("LAST_INSERT_ID", 0, 1),
    ("LCASE", 1, 1),
    ("LEAST", 2, ANY),
    ("LEFT", 2, 2),
    ("LENGTH", 1, 1),
    ("LN", 1, 1),
    ("LOAD_FILE", 1, 1),
    ("LOCALTIME", 0, 1),
    ("LOCALTIMESTAMP", 0, 1),
    ("LOCATE", 2, 3),
    ("LOG", 1, 2),
    ("LOG10", 1, 1),
    ("LOG2", 1, 1),
    ("LOWER", 1, 1),
    ("LPAD", 3, 3),
    ("LTRIM", 1, 2),
    ("MID", 2, 3),
    ("MOD", 2, 2),
    ("NULLIF", 2, 2),
    ("OCTET_LENGTH", 1, 1),
    ("PI", 0, 0),
    ("POSITION", 2, 2),
    ("POW", 2, 2),
    ("POWER", 2, 2),
    ("QUOTE", 1, 1),
    ("RAND", 0, 1),
    ("REPEAT", 2, 2),
    ("REPLACE", 3, 3),
    ("REVERSE", 1, 1),
    ("RIGHT", 2, 2),
    ("ROUND", 1, 2),
    ("ROW_COUNT", 0, 0),
    ("RPAD", 3, 3),
    ("RTRIM", 1, 2),
    ("SCHEMA", 0, 0),
    ("SESSION_USER", 0, 0),
    ("SIGN", 1, 1),
    ("SPACE", 1, 1),
    ("SQRT", 1, 1),
    ("STRCMP", 2, 2),
    ("SUBSTR", 2, 3),
    ("SUBSTRING", 2, 3),
    ("SUBSTRING_INDEX", 3, 3),
    ("SYSTEM_USER", 0, 0),
    ("TRIM", 1, 3),
    ("TRUNCATE", 2, 2),
    ("UCASE", 1, 1),
    ("UNHEX", 1, 1),
    ("UPPER", 1, 1),
    ("USER", 0, 0),
    ("UUID", 0, 0),
    ("UUID_SHORT", 0, 0),
    ("VERSION", 0, 0),
];

pub(super) fn find(name: &str) -> Option<Known> {
    [FUNCTIONS, date::FUNCTIONS, json::FUNCTIONS, math::FUNCTIONS, regexp::FUNCTIONS].into_iter().find_map(|table| {
        let at = table.binary_search_by_key(&name, |&(name, ..)| name).ok()?;
        let (name, least, most) = table[at];
        Some(Known { name, least, most })
    })
}

/// Whether a function of this name (in upper case) exists.
#[must_use]
pub fn is_known(name: &str) -> bool {
    find(name).is_some() || waits(name)
}

/// Functions that ask for the texts of their arguments.
pub(super) fn reads_texts(name: &str) -> bool {
    matches!(
        name,
        "CONCAT"
            | "CONCAT_WS"
            | "LENGTH"
            | "OCTET_LENGTH"
            | "CHAR_LENGTH"
            | "CHARACTER_LENGTH"
            | "LEFT"
            | "RIGHT"
            | "SUBSTRING"
            | "SUBSTR"
            | "MID"
            | "REPLACE"
            | "UPPER"
            | "LOWER"
            | "LPAD"
            | "RPAD"
            | "TRIM"
            | "REVERSE"
    )
}

/// Functions that take their time, or change the group: run by the session.
pub(super) fn waits(name: &str) -> bool {
    matches!(
        name,
        "SLEEP"
            | "WAIT_FOR_EXECUTED_GTID_SET"
            | "WAIT_UNTIL_SQL_THREAD_AFTER_GTIDS"
            | "GET_LOCK"
            | "RELEASE_LOCK"
            | "RELEASE_ALL_LOCKS"
            | "IS_FREE_LOCK"
            | "IS_USED_LOCK"
    ) || name.starts_with("GROUP_REPLICATION_")
}

pub(super) fn waiting_type(name: &str) -> Type {
    if name.starts_with("GROUP_REPLICATION_") && !name.ends_with("GET_WRITE_CONCURRENCY") {
        Type::text(1024, Collation::DEFAULT, 4)
    } else {
        Type::bigint()
    }
}

/// A type that holds values of all of `kinds`.
pub(crate) fn common_type(kinds: &[Type]) -> Type {
    let mut known = kinds.iter().filter(|kind| kind.kind != ColumnType::Null);
    let Some(first) = known.next() else { return Type::null() };
    let mut common = Type { not_null: kinds.iter().all(|kind| kind.not_null), ..first.clone() };
    for kind in known {
        common.length = common.length.max(kind.length);
        common.decimals = common.decimals.max(kind.decimals);
        if kind.is_string() != common.is_string() || kind.is_string() {
            let text = if common.is_string() { &common } else { kind };
            common = Type { not_null: common.not_null, ..Type::text(common.length, text.collation, text.coercibility) };
        } else if kind.kind == ColumnType::Json || common.kind == ColumnType::Json {
            let text = Type::text(common.length, Collation::DEFAULT, 4);
            common = if kind.kind == common.kind { common } else { Type { not_null: common.not_null, ..text } };
        } else if kind.is_temporal() && common.is_temporal() {
            if kind.kind != common.kind {
                let digits = common.second_digits().max(kind.second_digits());
                common = Type { not_null: common.not_null, ..Type::temporal(ColumnType::DateTime, digits) };
            }
        } else if kind.is_temporal() || common.is_temporal() {
            common = Type { not_null: common.not_null, ..Type::text(common.length.max(29), Collation::DEFAULT, 4) };
        } else if kind.kind != common.kind {
            let double =
                [kind.kind, common.kind].iter().any(|kind| matches!(kind, ColumnType::Double | ColumnType::Float));
            let decimal = [kind.kind, common.kind].contains(&ColumnType::NewDecimal);
            let wider = match (double, decimal) {
                (true, _) => Type { decimals: common.decimals, ..Type::double() },
                (_, true) => Type::decimal(common.length + 2, common.decimals),
                _ => Type { unsigned: common.unsigned && kind.unsigned, ..Type::int(common.length) },
            };
            common = Type { not_null: common.not_null, ..wider };
        }
    }
    common
}

/// Brings what comes of several branches to the type that they have in common.
pub(super) fn unified(node: Node, kinds: &[Type], common: &Type) -> Node {
    let mut known = kinds.iter().filter(|kind| kind.kind != ColumnType::Null);
    let cast = match common.kind {
        ColumnType::Double if known.any(|kind| !matches!(kind.kind, ColumnType::Double | ColumnType::Float)) => {
            Cast::Double
        }
        ColumnType::NewDecimal
            if common.decimals <= 30
                && known.any(|kind| kind.kind != ColumnType::NewDecimal || kind.decimals != common.decimals) =>
        {
            // All of a DECIMAL's digits are there: nothing is too great for them.
            return Node::CastDecimal(Box::new(node), (65, common.decimals), "".into());
        }
        ColumnType::DateTime | ColumnType::Timestamp
            if known.any(|kind| kind.kind != common.kind || kind.decimals != common.decimals) =>
        {
            Cast::AsDateTime(common.second_digits())
        }
        ColumnType::Time if known.any(|kind| kind.decimals != common.decimals) => Cast::AsTime(common.second_digits()),
        // What has its type only when it runs is left as it is.
        _ if common.is_string()
            && !common.collation.is_binary()
            && known.any(|kind| !kind.is_string())
            && !has_untyped(&node) =>
        {
            Cast::Text(None)
        }
        _ => return node,
    };
    Node::Cast(Box::new(node), cast)
}

fn has_untyped(node: &Node) -> bool {
    let untyped = |node: &Node| matches!(node, Node::Prepared(_) | Node::Param(_));
    match node {
        Node::Call(_, nodes, _) => nodes.iter().any(untyped),
        Node::Case { arms, otherwise, .. } => {
            arms.iter().any(|(_, then)| untyped(then)) || otherwise.as_deref().is_some_and(untyped)
        }
        _ => false,
    }
}

/// Functions of the clock, whose argument is how many digits of a second they give.
pub(super) fn is_clock(name: &str) -> bool {
    matches!(name, "NOW" | "SYSDATE" | "CURTIME" | "UTC_TIME" | "UTC_TIMESTAMP")
}

pub(super) fn result_type(name: &str, kinds: &[Type], collation: Collation) -> Type {
    if date::FUNCTIONS.binary_search_by_key(&name, |&(name, ..)| name).is_ok() {
        return date::result_type(name, kinds, 0, collation);
    }
    if name.starts_with("JSON_") {
        return json::result_type(name);
    }
    if name.starts_with("REGEXP_") {
        return regexp::result_type(name, kinds, collation);
    }
    if math::FUNCTIONS.binary_search_by_key(&name, |&(name, ..)| name).is_ok() {
        return math::result_type(name, kinds, collation);
    }
    let longest = kinds.iter().map(|kind| kind.length).max().unwrap_or(0);
    let sum = kinds.iter().map(|kind| kind.length).fold(0_u32, u32::saturating_add);
    let system = |length| Type::text(length, Collation::METADATA, 3);
    match name {
        "LENGTH" | "OCTET_LENGTH" | "CHAR_LENGTH" | "CHARACTER_LENGTH" | "BIT_LENGTH" | "LOCATE" | "INSTR"
        | "POSITION" | "FIELD" | "FIND_IN_SET" | "STRCMP" | "ASCII" | "ISNULL" | "SIGN" | "BIT_COUNT"
        | "GTID_SUBSET" | "COERCIBILITY" => Type::int(10),
        "CONNECTION_ID" | "LAST_INSERT_ID" | "ROW_COUNT" | "FOUND_ROWS" => {
            Type { unsigned: name != "ROW_COUNT", not_null: true, ..Type::bigint() }
        }
        "FLOOR" | "CEIL" | "CEILING" | "ABS" | "ROUND" | "TRUNCATE" | "MOD" => match kinds.first() {
            Some(kind) if kind.is_string() || kind.kind == ColumnType::Double => Type::double(),
            Some(kind) if kind.kind == ColumnType::NewDecimal => match name {
                "FLOOR" | "CEIL" | "CEILING" => Type::bigint(),
                _ => kind.clone(),
            },
            _ => Type::bigint(),
        },
        "SQRT" | "POW" | "POWER" | "EXP" | "LN" | "LOG" | "LOG2" | "LOG10" | "RAND" => Type::double(),
        "PI" => Type { length: 8, decimals: 6, not_null: true, ..Type::double() },
        "COALESCE" | "IFNULL" | "GREATEST" | "LEAST" => common_type(kinds),
        "IF" => common_type(&kinds[1..]),
        "NULLIF" => Type { not_null: false, ..kinds[0].clone() },
        "VERSION" | "DATABASE" | "SCHEMA" | "USER" | "CURRENT_USER" | "SESSION_USER" | "SYSTEM_USER" => system(288),
        "UUID" => system(36),
        "UUID_SHORT" => Type { unsigned: true, not_null: true, ..Type::bigint() },
        "CHARSET" | "COLLATION" => system(64),
        "CHAR" | "UNHEX" => Type::bytes(longest),
        "CONCAT" | "CONCAT_WS" => Type::text(sum, collation, 2),
        "REPEAT" | "SPACE" | "LPAD" | "RPAD" | "REPLACE" | "QUOTE" => Type::text(1024.max(longest), collation, 2),
        "HEX" => Type::text(longest.saturating_mul(8), collation, 4),
        _ => Type::text(longest.max(1), collation, 2),
    }
}

/// Most bytes that a function may make of a few: `max_allowed_packet`, beyond which MySQL gives NULL.
pub(super) const RESULT_BYTES_MAX: usize = 64 << 20;

pub(super) struct Args<'a> {
    pub(super) nodes: &'a [Node],
    row: &'a [Value],
    pub(super) env: &'a dyn Env,
}

impl<'a> Args<'a> {
    pub(super) fn get(&self, at: usize) -> Result<Cow<'a, Value>, SqlError> {
        self.nodes[at].eval(self.row, self.env)
    }

    pub(super) fn text(&self, at: usize) -> Result<Option<String>, SqlError> {
        Ok(self.get(at)?.to_text().map(Cow::into_owned))
    }

    pub(super) fn int(&self, at: usize) -> Result<Option<i64>, SqlError> {
        let value = self.get(at)?;
        warn_if_no_integer(&value, self.env);
        let wide = value.to_i128();
        Ok(wide.map(|wide| wide.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64))
    }

    pub(super) fn double(&self, at: usize) -> Result<Option<f64>, SqlError> {
        let value = self.get(at)?;
        warn_if_no_number(&value, self.env);
        Ok(value.to_f64())
    }

    pub(super) fn all(&self) -> Result<Vec<Value>, SqlError> {
        (0..self.nodes.len()).map(|at| self.get(at).map(Cow::into_owned)).collect()
    }
}

fn text(value: Option<impl Into<Box<str>>>) -> Value {
    value.map_or(Value::Null, |text| Value::Text(text.into()))
}

fn finite(value: Option<f64>) -> Value {
    value.filter(|value| value.is_finite()).map_or(Value::Null, Value::Double)
}

pub(super) fn call(
    name: &str,
    nodes: &[Node],
    collation: Collation,
    row: &[Value],
    env: &dyn Env,
) -> Result<Value, SqlError> {
    let args = Args { nodes, row, env };
    if date::FUNCTIONS.binary_search_by_key(&name, |&(name, ..)| name).is_ok() {
        return date::call(name, &args, collation);
    }
    if name.starts_with("JSON_") {
        return json::call(name, &args);
    }
    if name.starts_with("REGEXP_") {
        return regexp::call(name, &args, collation);
    }
    if math::FUNCTIONS.binary_search_by_key(&name, |&(name, ..)| name).is_ok() {
        return math::call(name, &args);
    }
    Ok(match name {
        "IF" => args.get(if truth(&*args.get(0)?, env) == Some(true) { 1 } else { 2 })?.into_owned(),
        "IFNULL" | "COALESCE" => {
            for at in 0..nodes.len() {
                let value = args.get(at)?;
                if !value.is_null() {
                    return Ok(value.into_owned());
                }
            }
            Value::Null
        }
        "ISNULL" => Value::bool(args.get(0)?.is_null()),
        "GREATEST" | "LEAST" => {
            let mut values = Vec::with_capacity(nodes.len());
            for at in 0..nodes.len() {
                let value = args.get(at)?;
                if value.is_null() {
                    // What stands behind it is not asked.
                    return Ok(Value::Null);
                }
                values.push(value.into_owned());
            }
            texts_as_dates(&mut values);
            let wanted = if name == "GREATEST" { Ordering::Greater } else { Ordering::Less };
            // One string among numbers makes them all strings.
            let number =
                |value: &Value| matches!(value, Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_));
            let string = |value: &Value| matches!(value, Value::Text(_));
            let texts = values.iter().any(number) && values.iter().any(string);
            let order = |left: &Value, right: &Value| match (left.to_text(), right.to_text()) {
                (Some(left), Some(right)) if texts => Some(collation.compare(left.as_bytes(), right.as_bytes())),
                _ => left.compare(right, collation),
            };
            let best = values
                .into_iter()
                .reduce(|best, value| if order(&value, &best) == Some(wanted) { value } else { best });
            best.unwrap_or_default()
        }
        "ABS" | "CEIL" | "CEILING" | "FLOOR" | "ROUND" | "TRUNCATE" | "SIGN" | "MOD" | "SQRT" | "POW" | "POWER"
        | "EXP" | "LN" | "LOG" | "LOG2" | "LOG10" | "RAND" | "PI" | "BIT_COUNT" => number(name, &args)?,
        "DATABASE" | "SCHEMA" => text(env.database()),
        "USER" | "SESSION_USER" | "SYSTEM_USER" => Value::text(env.user()),
        "CURRENT_USER" => Value::text(env.current_user()),
        "CONNECTION_ID" => Value::uint(u64::from(env.connection_id())),
        "VERSION" => Value::text(env.version()),
        "ROW_COUNT" => Value::Int(env.row_count()),
        "FOUND_ROWS" => Value::uint(env.found_rows()),
        "LAST_INSERT_ID" => {
            let set = if nodes.is_empty() { None } else { args.get(0)?.to_bits() };
            Value::uint(env.last_insert_id(set))
        }
        "UUID" => {
            let random = (u128::from(env.random()) << 64) | u128::from(env.random());
            Value::text(wire::id::Uuid::from_random(random).to_string())
        }
        "GTID_SUBSET" | "GTID_SUBTRACT" => gtid(name, &args)?,
        "UUID_SHORT" => Value::UInt(env.random() >> 1),
        // secure_file_priv is NULL: no file may be read.
        "LOAD_FILE" => Value::Null,
        "FORMAT_BYTES" => match args.double(0)? {
            Some(bytes) => Value::text(bytes_text(bytes)),
            None => Value::Null,
        },
        _ => string(name, &args, collation)?,
    })
}

/// Texts that say a date and time, where GREATEST or LEAST finds one among them.
fn texts_as_dates(values: &mut [Value]) {
    let digits = |value: &Value| if let Value::DateTime(_, digits) = value { Some(*digits) } else { None };
    let Some(digits) = values.iter().filter_map(digits).max() else { return };
    for value in values {
        if let Value::Text(text) = value
            && let Some(read) = temporal::read_date_time(text).filter(|read| !read.rest && read.offset.is_none())
        {
            *value = Value::DateTime(read.at, digits.max(read.digits));
        }
    }
}

/// `1.00 KiB`.
fn bytes_text(bytes: f64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes.abs() < 1024.0 {
        return format!("{bytes:>4.0} bytes");
    }
    let (mut amount, mut unit) = (bytes / 1024.0, 0);
    while amount.abs() >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    if amount.abs() < 1e5 { format!("{amount:.2} {}", UNITS[unit]) } else { format!("{amount:.2e} {}", UNITS[unit]) }
}

fn gtid(name: &str, args: &Args<'_>) -> Result<Value, SqlError> {
    let (Some(left), Some(right)) = (args.text(0)?, args.text(1)?) else { return Ok(Value::Null) };
    let parse = |text: &str| {
        GtidSet::parse(text).map_err(|_| error(1772, format!("Malformed GTID set specification '{text}'.")))
    };
    let (mut left, right) = (parse(&left)?, parse(&right)?);
    if name == "GTID_SUBSET" {
        return Ok(Value::bool(left.is_subset(&right)));
    }
    left.subtract(&right);
    Ok(Value::text(left.to_string()))
}

fn number(name: &str, args: &Args<'_>) -> Result<Value, SqlError> {
    if name == "PI" {
        return Ok(Value::Double(std::f64::consts::PI));
    }
    if name == "RAND" && !args.nodes.is_empty() && matches!(args.nodes[0], Node::Const(_)) {
        return Ok(Value::Double(seeded(args.int(0)?.unwrap_or(0) as u32)));
    }
    if name == "RAND" {
        return Ok(Value::Double((args.env.random() >> 11) as f64 / (1_u64 << 53) as f64));
    }
    let value = args.get(0)?;
    if value.is_null() {
        return Ok(Value::Null);
    }
    if name != "BIT_COUNT" {
        warn_if_no_number(&value, args.env);
    }
    let whole = matches!(*value, Value::Int(_) | Value::UInt(_));
    Ok(match name {
        "ABS" => match &*value {
            Value::Int(value) if *value < 0 => {
                return Value::Int(*value).negate().map_err(|fault| fault.error(&format!("abs({value})")));
            }
            Value::Decimal(value) if value.is_negative() => Value::Decimal(value.negated()),
            Value::Int(_) | Value::UInt(_) | Value::Decimal(_) => value.into_owned(),
            other => finite(other.to_f64().map(f64::abs)),
        },
        "SIGN" => Value::Int(match value.to_f64() {
            Some(value) if value > 0.0 => 1,
            Some(value) if value < 0.0 => -1,
            _ => 0,
        }),
        "CEIL" | "CEILING" | "FLOOR" if whole => value.into_owned(),
        "CEIL" | "CEILING" | "FLOOR" => match &*value {
            Value::Decimal(value) => {
                let whole = value.whole(name != "FLOOR");
                whole.to_i128().and_then(|whole| i64::try_from(whole).ok()).map_or(Value::Decimal(whole), Value::Int)
            }
            other => finite(other.to_f64().map(|value| if name == "FLOOR" { value.floor() } else { value.ceil() })),
        },
        "ROUND" | "TRUNCATE" => {
            let digits = if args.nodes.len() > 1 { args.int(1)? } else { Some(0) };
            let Some(digits) = digits else { return Ok(Value::Null) };
            round(&value, digits.clamp(-70, 30), name == "TRUNCATE")
        }
        "MOD" => match value.calculate(Arithmetic::Mod, &*args.get(1)?) {
            Ok(value) => value,
            Err(Fault::ZeroDivisor) if !args.env.zero_divisor_is_error() => Value::Null,
            Err(fault) => return Err(fault.error("mod")),
        },
        "BIT_COUNT" => Value::Int(i64::from(value.to_bits().unwrap_or(0).count_ones())),
        "SQRT" => finite(value.to_f64().map(f64::sqrt)),
        "EXP" => match value.to_f64().map(f64::exp) {
            Some(power) if power.is_infinite() => {
                return Err(Fault::OutOfRange("DOUBLE").error(&format!("exp({})", shown(&value))));
            }
            power => finite(power),
        },
        "LN" | "LOG" | "LOG2" | "LOG10" if value.to_f64().is_some_and(|value| value <= 0.0) => {
            let message = "Invalid argument for logarithm".into();
            args.env.warn(Warning { level: Level::Warning, code: 3020, message });
            Value::Null
        }
        "LN" => finite(value.to_f64().map(f64::ln)),
        "LOG2" => finite(value.to_f64().map(f64::log2)),
        "LOG10" => finite(value.to_f64().map(f64::log10)),
        "LOG" if args.nodes.len() == 1 => finite(value.to_f64().map(f64::ln)),
        "LOG" => finite(args.double(1)?.and_then(|of| Some(of.ln() / value.to_f64()?.ln()))),
        _ => {
            let Some(exponent) = args.double(1)? else { return Ok(Value::Null) };
            match value.to_f64().map(|base| base.powf(exponent)) {
                Some(power) if power.is_infinite() => {
                    let of = format!("pow({},{})", shown(&value), shown(&*args.get(1)?));
                    return Err(Fault::OutOfRange("DOUBLE").error(&of));
                }
                power => finite(power),
            }
        }
    })
}

/// The first number of MySQL's generator after a seed.
fn seeded(seed: u32) -> f64 {
    const MODULUS: u64 = 0x3fff_ffff;
    let first = u64::from(seed.wrapping_mul(0x1_0001).wrapping_add(55_555_555)) % MODULUS;
    let second = u64::from(seed.wrapping_mul(0x1000_0001)) % MODULUS;
    ((first * 3 + second) % MODULUS) as f64 / MODULUS as f64
}

fn shown(value: &Value) -> String {
    value.to_text().unwrap_or_default().into_owned()
}

fn round(value: &Value, digits: i64, truncate: bool) -> Value {
    let decimal = match value {
        Value::Int(_) | Value::UInt(_) | Value::Decimal(_) => value.to_decimal(),
        other => {
            let Some(double) = other.to_f64() else { return Value::Null };
            let factor = 10_f64.powi(digits as i32);
            let scaled = double * factor;
            if !scaled.is_finite() {
                return Value::Double(double);
            }
            let rounded = if truncate { scaled.trunc() } else { scaled.round_ties_even() };
            return finite(Some(rounded / factor));
        }
    };
    let Some(decimal) = decimal else { return Value::Null };
    let result = if digits >= 0 {
        let scale = (digits as u8).min(decimal.scale());
        if truncate { decimal.truncated(scale) } else { decimal.rounded(scale) }
    } else if truncate {
        let unit = Decimal::from_int(10_i128.checked_pow(digits.unsigned_abs() as u32).unwrap_or(i128::MAX));
        match decimal.remainder(&unit) {
            Some(rest) => decimal.add(&rest.negated()).truncated(0),
            None => decimal,
        }
    } else {
        decimal.rounded_to_power(digits.unsigned_abs() as u32)
    };
    match value {
        Value::Decimal(_) => Value::Decimal(result),
        _ => match result.to_i128().map(|wide| (i64::try_from(wide), u64::try_from(wide))) {
            Some((Ok(value), _)) => Value::Int(value),
            Some((_, Ok(value))) => Value::UInt(value),
            _ => Value::Decimal(result),
        },
    }
}

fn string(name: &str, args: &Args<'_>, collation: Collation) -> Result<Value, SqlError> {
    match name {
        "CONCAT" | "CONCAT_WS" => return concat(name, args),
        "CHAR" => {
            let mut bytes = Vec::new();
            for value in args.all()? {
                let bits = value.to_bits().map(|bits| (bits as u32).to_be_bytes());
                bytes.extend(bits.into_iter().flatten().skip_while(|byte| *byte == 0));
            }
            return Ok(Value::bytes(bytes));
        }
        "ELT" => {
            let at = args.int(0)?.and_then(|at| usize::try_from(at).ok()).filter(|&at| at > 0 && at < args.nodes.len());
            return at.map_or(Ok(Value::Null), |at| args.get(at).map(Cow::into_owned));
        }
        "FIELD" => {
            let values = args.all()?;
            let equal = |value: &Value| values[0].compare(value, collation) == Some(Ordering::Equal);
            return Ok(Value::Int(values[1..].iter().position(equal).map_or(0, |at| at as i64 + 1)));
        }
        "HEX" => {
            return Ok(match &*args.get(0)? {
                Value::Null => Value::Null,
                Value::Bit(bits, _) if !matches!(args.nodes[0], Node::Const(_)) => Value::text(format!("{bits:X}")),
                Value::Text(_) | Value::Bytes(_) | Value::Member(..) | Value::Bit(..) => {
                    let bytes = args.get(0)?.to_bytes().unwrap_or_default().into_owned();
                    Value::text(bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>())
                }
                other if other.is_temporal() => {
                    let bytes = other.to_bytes().unwrap_or_default();
                    Value::text(bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>())
                }
                number => Value::text(format!("{:X}", number.to_bits().unwrap_or(0))),
            });
        }
        "SPACE" => {
            let count = args.int(0)?;
            return Ok(match count {
                Some(count) if count as usize <= RESULT_BYTES_MAX || count < 0 => {
                    Value::text(" ".repeat(count.max(0) as usize))
                }
                _ => Value::Null,
            });
        }
        _ => {}
    }
    let value = args.get(0)?;
    let Some(subject) = value.to_text() else {
        return Ok(if name == "QUOTE" { Value::text("NULL") } else { Value::Null });
    };
    if let (Value::Bytes(bytes), "LEFT" | "RIGHT" | "SUBSTRING" | "SUBSTR" | "MID" | "REVERSE") = (&*value, name) {
        // Each byte is a character, and stays what it is.
        let characters: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        let part = match name {
            "REVERSE" => Value::text(characters.chars().rev().collect::<String>()),
            _ => slice(name, &characters, args)?,
        };
        let Value::Text(part) = part else { return Ok(part) };
        return Ok(Value::bytes(part.chars().map(|c| c as u8).collect::<Vec<u8>>()));
    }
    Ok(match name {
        "LENGTH" | "OCTET_LENGTH" => Value::Int(value.to_bytes().map_or(0, |bytes| bytes.len() as i64)),
        "BIT_LENGTH" => Value::Int(value.to_bytes().map_or(0, |bytes| bytes.len() as i64 * 8)),
        "CHAR_LENGTH" | "CHARACTER_LENGTH" => match &*value {
            Value::Bytes(bytes) => Value::Int(bytes.len() as i64),
            _ => Value::Int(subject.chars().count() as i64),
        },
        "ASCII" => Value::Int(value.to_bytes().and_then(|bytes| bytes.first().copied()).map_or(0, i64::from)),
        "UPPER" | "UCASE" => Value::text(subject.to_uppercase()),
        "LOWER" | "LCASE" => Value::text(subject.to_lowercase()),
        "REVERSE" => Value::text(subject.chars().rev().collect::<String>()),
        "LTRIM" | "RTRIM" => {
            let what = if args.nodes.len() > 1 { args.text(1)? } else { Some(" ".into()) };
            let Some(what) = what else { return Ok(Value::Null) };
            if what.is_empty() {
                return Ok(Value::text(subject));
            }
            Value::text(if name == "LTRIM" {
                subject.trim_start_matches(what.as_str())
            } else {
                subject.trim_end_matches(what.as_str())
            })
        }
        "TRIM" => trim(&subject, args)?,
        "QUOTE" => {
            let mut quoted = String::from("'");
            for c in subject.chars() {
                match c {
                    '\0' => quoted.push_str("\\0"),
                    '\'' | '\\' => quoted.extend(['\\', c]),
                    '\x1a' => quoted.push_str("\\Z"),
                    c => quoted.push(c),
                }
            }
            Value::text(quoted + "'")
        }
        "UNHEX" => {
            let digits = if subject.len() % 2 == 1 { format!("0{subject}") } else { subject.into_owned() };
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                let message = format!("Incorrect string value: ''{digits}'' for function unhex");
                args.env.warn(Warning { level: Level::Warning, code: 1411, message });
                return Ok(Value::Null);
            }
            let bytes = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16));
            bytes.collect::<Result<Vec<u8>, _>>().map_or(Value::Null, Value::bytes)
        }
        "LEFT" | "RIGHT" | "REPEAT" | "SUBSTRING" | "SUBSTR" | "MID" | "LPAD" | "RPAD" => slice(name, &subject, args)?,
        "SUBSTRING_INDEX" => {
            let (Some(mark), Some(count)) = (args.text(1)?, args.int(2)?) else { return Ok(Value::Null) };
            if mark.is_empty() || count == 0 {
                return Ok(Value::text(""));
            }
            let parts: Vec<&str> = subject.split(mark.as_str()).collect();
            let count_abs = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX).min(parts.len());
            let parts = if count > 0 { &parts[..count_abs] } else { &parts[parts.len() - count_abs..] };
            Value::text(parts.join(&mark))
        }
        "REPLACE" => {
            let (Some(from), Some(to)) = (args.text(1)?, args.text(2)?) else { return Ok(Value::Null) };
            if from.is_empty() {
                return Ok(Value::text(subject));
            }
            let hits = subject.matches(from.as_str()).count();
            if hits.saturating_mul(to.len()) + subject.len() > RESULT_BYTES_MAX {
                return Ok(Value::Null);
            }
            Value::text(subject.replace(&from, &to))
        }
        "STRCMP" => {
            // Numbers as their texts.
            let other = args.get(1)?;
            let order = match (&*value, &*other) {
                (Value::Text(_) | Value::Bytes(_), Value::Text(_) | Value::Bytes(_)) => {
                    value.compare(&other, collation)
                }
                _ => other.to_text().map(|other| collation.compare(subject.as_bytes(), other.as_bytes())),
            };
            order.map_or(Value::Null, |order| Value::Int(order as i64))
        }
        "FIND_IN_SET" => {
            let Some(set) = args.text(1)? else { return Ok(Value::Null) };
            let equal = |item: &str| collation.compare(item.as_bytes(), subject.as_bytes()).is_eq();
            Value::Int(if set.is_empty() { 0 } else { set.split(',').position(equal).map_or(0, |at| at as i64 + 1) })
        }
        "LOCATE" | "POSITION" | "INSTR" => {
            let Some(other) = args.text(1)? else { return Ok(Value::Null) };
            let (needle, hay) = if name == "INSTR" { (&*other, &*subject) } else { (&*subject, &*other) };
            let from = if args.nodes.len() > 2 { args.int(2)?.unwrap_or(0) } else { 1 };
            Value::Int(locate(needle, hay, from, collation))
        }
        other => return Err(error(1305, format!("FUNCTION {other} does not exist"))),
    })
}

fn concat(name: &str, args: &Args<'_>) -> Result<Value, SqlError> {
    let values = args.all()?;
    let (separator, values) = if name == "CONCAT_WS" {
        let Some(separator) = values[0].to_bytes() else { return Ok(Value::Null) };
        (separator.into_owned(), &values[1..])
    } else {
        if values.iter().any(Value::is_null) {
            return Ok(Value::Null);
        }
        (Vec::new(), &values[..])
    };
    let mut out = Vec::new();
    let mut first = true;
    for bytes in values.iter().filter_map(Value::to_bytes) {
        if !std::mem::take(&mut first) {
            out.extend_from_slice(&separator);
        }
        out.extend_from_slice(&bytes);
        if out.len() > RESULT_BYTES_MAX {
            return Ok(Value::Null);
        }
    }
    let binary = values.iter().any(|value| matches!(value, Value::Bytes(_) | Value::Bit(..)));
    Ok(match String::from_utf8(out) {
        Ok(text) if !binary => Value::text(text),
        Ok(text) => Value::bytes(text.into_bytes()),
        Err(fault) => Value::bytes(fault.into_bytes()),
    })
}

/// `TRIM(a)`, `TRIM(a, what)` and `TRIM(a, what, 'BOTH'|'LEADING'|'TRAILING')`, as the parser hands them over.
fn trim(subject: &str, args: &Args<'_>) -> Result<Value, SqlError> {
    let what = if args.nodes.len() > 1 { args.text(1)? } else { Some(" ".into()) };
    let side = if args.nodes.len() > 2 { args.text(2)? } else { None };
    let Some(what) = what else { return Ok(Value::Null) };
    if what.is_empty() {
        return Ok(Value::text(subject));
    }
    let mut subject = subject;
    if side.as_deref() != Some("TRAILING") {
        subject = subject.trim_start_matches(what.as_str());
    }
    if side.as_deref() != Some("LEADING") {
        subject = subject.trim_end_matches(what.as_str());
    }
    Ok(Value::text(subject))
}

fn slice(name: &str, subject: &str, args: &Args<'_>) -> Result<Value, SqlError> {
    let Some(number) = args.int(1)? else { return Ok(Value::Null) };
    let count = usize::try_from(number.max(0)).unwrap_or(usize::MAX);
    let length = subject.chars().count();
    Ok(match name {
        "LEFT" => Value::text(subject.chars().take(count).collect::<String>()),
        "RIGHT" => Value::text(subject.chars().skip(length.saturating_sub(count)).collect::<String>()),
        "REPEAT" => match count.checked_mul(subject.len()) {
            Some(bytes) if bytes <= RESULT_BYTES_MAX => Value::text(subject.repeat(count)),
            _ => Value::Null,
        },
        "LPAD" | "RPAD" => {
            let Some(fill) = args.text(2)? else { return Ok(Value::Null) };
            if number < 0 || count > RESULT_BYTES_MAX / 4 || (fill.is_empty() && count > length) {
                return Ok(if number >= 0 && fill.is_empty() { Value::text(subject) } else { Value::Null });
            }
            let kept: String = subject.chars().take(count).collect();
            let padding: String = fill.chars().cycle().take(count.saturating_sub(length)).collect();
            Value::text(if name == "LPAD" { padding + &kept } else { kept + &padding })
        }
        _ => {
            let count = if args.nodes.len() > 2 {
                let Some(count) = args.int(2)? else { return Ok(Value::Null) };
                usize::try_from(count.max(0)).unwrap_or(usize::MAX)
            } else {
                usize::MAX
            };
            let from = match number {
                0 => return Ok(Value::text("")),
                1.. => usize::try_from(number - 1).unwrap_or(usize::MAX),
                _ => match length.checked_sub(number.unsigned_abs() as usize) {
                    Some(from) => from,
                    None => return Ok(Value::text("")),
                },
            };
            Value::text(subject.chars().skip(from).take(count).collect::<String>())
        }
    })
}

fn locate(needle: &str, hay: &str, from: i64, collation: Collation) -> i64 {
    let Some(skip) = usize::try_from(from).ok().and_then(|from| from.checked_sub(1)) else { return 0 };
    let weights = |text: &str| -> Vec<Vec<u8>> {
        let weigh = |c| {
            let mut out = Vec::new();
            collation.weigh_one(c, &mut out);
            out
        };
        text.chars().map(weigh).collect()
    };
    let (needle, hay) = (weights(needle), weights(hay));
    if skip > hay.len() {
        return 0;
    }
    if needle.is_empty() {
        return from;
    }
    let found = hay[skip..].windows(needle.len()).position(|window| window == needle);
    found.map_or(0, |at| (at + skip + 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_for_the_search() {
        for table in [FUNCTIONS, date::FUNCTIONS, json::FUNCTIONS, math::FUNCTIONS, regexp::FUNCTIONS] {
            assert!(table.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }
}
