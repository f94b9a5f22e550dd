//! Functions of JSON documents.

use super::Type;
use super::function::Args;
use super::like;
use crate::collate::Collation;
use crate::error::{SqlError, error};
use crate::json::{self, Json, Leg, Path};
use crate::value::Value;
use std::rc::Rc;
use wire::client::constant::ColumnType;

const ANY: usize = usize::MAX;

/// Name, least and most arguments, by name.
pub(super) const FUNCTIONS: &[(&str, usize, usize)] = &[
    ("JSON_ARRAY", 0, ANY),
    ("JSON_ARRAY_APPEND", 3, ANY),
    ("JSON_ARRAY_INSERT", 3, ANY),
    ("JSON_CONTAINS", 2, 3),
    ("JSON_CONTAINS_PATH", 3, ANY),
    ("JSON_DEPTH", 1, 1),
    ("JSON_EXTRACT", 2, ANY),
    ("JSON_INSERT", 3, ANY),
    ("JSON_KEYS", 1, 2),
    ("JSON_LENGTH", 1, 2),
    ("JSON_MERGE", 2, ANY),
    ("JSON_MERGE_PATCH", 2, ANY),
    ("JSON_MERGE_PRESERVE", 2, ANY),
    ("JSON_OBJECT", 0, ANY),
    ("JSON_OVERLAPS", 2, 2),
    ("JSON_PRETTY", 1, 1),
    ("JSON_QUOTE", 1, 1),
    ("JSON_REMOVE", 2, ANY),
    ("JSON_REPLACE", 3, ANY),
    ("JSON_SEARCH", 3, ANY),
    ("JSON_SET", 3, ANY),
    ("JSON_STORAGE_SIZE", 1, 1),
    ("JSON_TYPE", 1, 1),
    ("JSON_UNQUOTE", 1, 1),
    ("JSON_VALID", 1, 1),
    ("JSON_VALUE", 2, 2),
];

pub(super) fn result_type(name: &str) -> Type {
    match name {
        "JSON_UNQUOTE" | "JSON_QUOTE" | "JSON_PRETTY" | "JSON_VALUE" => Type::text(u32::MAX / 4, Collation::DEFAULT, 4),
        "JSON_TYPE" => Type::text(17, Collation::DEFAULT, 4),
        "JSON_CONTAINS" | "JSON_CONTAINS_PATH" | "JSON_MEMBER_OF" | "JSON_OVERLAPS" | "JSON_VALID" => Type::int(1),
        "JSON_DEPTH" | "JSON_LENGTH" | "JSON_STORAGE_SIZE" => Type::int(10),
        _ => Type::json(),
    }
}

impl Type {
    /// JSON.
    #[must_use]
    pub const fn json() -> Self {
        Self { kind: ColumnType::Json, ..Self::text(u32::MAX / 4, Collation::BINARY, 4) }
    }
}

fn invalid(name: &str, at: usize, fault: &json::Fault) -> SqlError {
    if fault.deep {
        return error(3157, format!("The JSON document exceeds the maximum depth of {}.", json::DEPTH_MAX));
    }
    let name = name.to_lowercase();
    let (what, place) = (fault.what, fault.at);
    error(3141, format!("Invalid JSON text in argument {at} to function {name}: \"{what}\" at position {place}."))
}

/// An argument that is a document, or a text of one; `None` for NULL.
fn document(name: &str, args: &Args<'_>, at: usize) -> Result<Option<Rc<Json>>, SqlError> {
    let value = args.get(at)?;
    match &*value {
        Value::Null => Ok(None),
        Value::Json(json) => Ok(Some(json.clone())),
        Value::Text(text) | Value::Member(_, text) => {
            json::parse(text).map(|json| Some(Rc::new(json))).map_err(|fault| invalid(name, at + 1, &fault))
        }
        Value::Bytes(_) | Value::Bit(..) => {
            Err(error(3144, "Cannot create a JSON value from a string with CHARACTER SET 'binary'."))
        }
        _ => {
            let name = name.to_lowercase();
            let at = at + 1;
            let text = format!(
                "Invalid data type for JSON data in argument {at} to function {name}; a JSON string or JSON type is required."
            );
            Err(error(3146, text))
        }
    }
}

fn path(args: &Args<'_>, at: usize) -> Result<Option<Path>, SqlError> {
    let Some(text) = args.text(at)? else { return Ok(None) };
    let wrong = |place: usize| {
        error(3143, format!("Invalid JSON path expression. The error is around character position {place}."))
    };
    json::path(&text).map(Some).map_err(|place| wrong(text[..place.min(text.len())].chars().count().max(1)))
}

fn plain_path(args: &Args<'_>, at: usize) -> Result<Option<Path>, SqlError> {
    let found = path(args, at)?;
    if found.as_deref().is_some_and(json::is_wild) {
        let text = "In this situation, path expressions may not contain the * and ** tokens or an array range.";
        return Err(error(3149, text));
    }
    Ok(found)
}

fn wrap(json: Json) -> Value {
    Value::Json(Rc::new(json))
}

fn first<'a>(json: &'a Json, path: &[Leg]) -> Option<&'a Json> {
    let mut found = Vec::new();
    json::find(json, path, &mut found);
    found.first().copied()
}

/// What JSON_UNQUOTE gives: a string's own text, any other document's.
pub(super) fn unquoted(json: &Json) -> String {
    match json {
        Json::String(text) | Json::Temporal(_, text) => text.clone(),
        other => other.text(),
    }
}

/// `-> path` and JSON_EXTRACT.
fn extract(name: &str, args: &Args<'_>) -> Result<Value, SqlError> {
    let Some(json) = document(name, args, 0)? else { return Ok(Value::Null) };
    let mut found = Vec::new();
    let mut many = args.nodes.len() > 2;
    for at in 1..args.nodes.len() {
        let Some(path) = path(args, at)? else { return Ok(Value::Null) };
        many |= json::is_wild(&path);
        let mut of_path = Vec::new();
        json::find(&json, &path, &mut of_path);
        found.extend(of_path);
    }
    Ok(match found.as_slice() {
        [] => Value::Null,
        [one] if !many => wrap((*one).clone()),
        all => wrap(Json::Array(all.iter().map(|item| (*item).clone()).collect())),
    })
}

/// How JSON_SET and its kin change a document.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Set,
    Insert,
    Replace,
    Append,
    InsertCell,
    Remove,
}

/// Changes what a path leads to.
fn change(json: &mut Json, path: &[Leg], how: Change, new: &Json) {
    let Some((leg, rest)) = path.split_first() else {
        match how {
            Change::Set | Change::Replace => *json = new.clone(),
            Change::Append => match json {
                Json::Array(items) => items.push(new.clone()),
                other => *other = Json::Array(vec![other.clone(), new.clone()]),
            },
            Change::Insert | Change::InsertCell | Change::Remove => {}
        }
        return;
    };
    let last = rest.is_empty();
    match (leg, json) {
        (Leg::Member(name), Json::Object(members)) => {
            match members.binary_search_by(|(other, _)| json::name_order(other, name)) {
                Ok(at) if last && how == Change::Remove => drop(members.remove(at)),
                Ok(at) => change(&mut members[at].1, rest, how, new),
                Err(at) if last && matches!(how, Change::Set | Change::Insert) => {
                    members.insert(at, (name.clone(), new.clone()));
                }
                Err(_) => {}
            }
        }
        (Leg::Cell(place), Json::Array(items)) => {
            let length = items.len();
            match place.of(length) {
                Some(at) if last && how == Change::InsertCell => items.insert(at.min(length), new.clone()),
                Some(at) if at < length && last && how == Change::Remove => drop(items.remove(at)),
                Some(at) if at < length => change(&mut items[at], rest, how, new),
                Some(_) if last && matches!(how, Change::Set | Change::Insert) => items.push(new.clone()),
                _ => {}
            }
        }
        // What is no array counts as an array of itself.
        (Leg::Cell(json::Place::Front(0) | json::Place::Back(0)), other)
            if how != Change::Remove && how != Change::InsertCell =>
        {
            change(other, rest, how, new);
        }
        (Leg::Cell(json::Place::Front(_)), other) if last && matches!(how, Change::Set | Change::Insert) => {
            *other = Json::Array(vec![other.clone(), new.clone()]);
        }
        _ => {}
    }
}

fn changed(name: &str, args: &Args<'_>, how: Change) -> Result<Value, SqlError> {
    let Some(json) = document(name, args, 0)? else { return Ok(Value::Null) };
    if args.nodes.len().is_multiple_of(2) {
        return Err(error(1582, format!("Incorrect parameter count in the call to native function '{name}'")));
    }
    let mut json = (*json).clone();
    for at in (1..args.nodes.len()).step_by(2) {
        let Some(path) = plain_path(args, at)? else { return Ok(Value::Null) };
        if how == Change::InsertCell && !matches!(path.last(), Some(Leg::Cell(_))) {
            return Err(error(3165, "A path expression is not a path to a cell in an array."));
        }
        let new = json_of(&*args.get(at + 1)?);
        change(&mut json, &path, how, &new);
        if json.depth() > json::DEPTH_MAX {
            return Err(error(3157, format!("The JSON document exceeds the maximum depth of {}.", json::DEPTH_MAX)));
        }
    }
    Ok(wrap(json))
}

/// A SQL value in a document; truth values are kept as such by the parser's literals only.
fn json_of(value: &Value) -> Json {
    value.to_json()
}

fn merge_patch(target: Json, patch: &Json) -> Json {
    let Json::Object(changes) = patch else { return patch.clone() };
    let mut members = if let Json::Object(members) = target { members } else { Vec::new() };
    for (name, item) in changes {
        let at = members.binary_search_by(|(other, _)| json::name_order(other, name));
        match (at, item) {
            (Ok(at), Json::Null) => drop(members.remove(at)),
            (Err(_), Json::Null) => {}
            (Ok(at), item) => members[at].1 = merge_patch(members[at].1.clone(), item),
            (Err(at), item) => members.insert(at, (name.clone(), merge_patch(Json::Null, item))),
        }
    }
    Json::Object(members)
}

fn merge_preserve(left: Json, right: &Json) -> Json {
    match (left, right) {
        (Json::Object(mut members), Json::Object(more)) => {
            for (name, item) in more {
                match members.binary_search_by(|(other, _)| json::name_order(other, name)) {
                    Ok(at) => members[at].1 = merge_preserve(members[at].1.clone(), item),
                    Err(at) => members.insert(at, (name.clone(), item.clone())),
                }
            }
            Json::Object(members)
        }
        (left, right) => {
            let items = |json: Json| if let Json::Array(items) = json { items } else { vec![json] };
            let mut all = items(left);
            all.extend(items(right.clone()));
            Json::Array(all)
        }
    }
}

fn merged(name: &str, args: &Args<'_>) -> Result<Value, SqlError> {
    let patch = name == "JSON_MERGE_PATCH";
    let mut result: Option<Json> = None;
    let mut null = false;
    for at in 0..args.nodes.len() {
        let Some(next) = document(name, args, at)? else {
            null = true;
            continue;
        };
        result = Some(match result {
            None => (*next).clone(),
            Some(before) if patch => merge_patch(before, &next),
            Some(before) => merge_preserve(before, &next),
        });
    }
    Ok(if null { Value::Null } else { result.map_or(Value::Null, wrap) })
}

/// `one` or `all`.
fn one_or_all(name: &str, args: &Args<'_>) -> Result<Option<bool>, SqlError> {
    let Some(text) = args.text(1)? else { return Ok(None) };
    match text.to_lowercase().as_str() {
        "one" => Ok(Some(true)),
        "all" => Ok(Some(false)),
        _ => {
            let name = name.to_lowercase();
            Err(error(3154, format!("The oneOrAll argument to {name} may take these values: 'one' or 'all'.")))
        }
    }
}

fn search(json: &Json, at: &str, test: &dyn Fn(&str) -> bool, found: &mut Vec<String>) {
    match json {
        Json::String(text) if test(text) => found.push(at.to_owned()),
        Json::Array(items) => {
            items.iter().enumerate().for_each(|(place, item)| search(item, &format!("{at}[{place}]"), test, found));
        }
        Json::Object(members) => {
            for (name, item) in members {
                let plain = name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
                    && name.chars().all(|c| c.is_alphanumeric() || c == '_');
                let mut shown = name.clone();
                if !plain {
                    shown.clear();
                    json::quote(name, &mut shown);
                }
                search(item, &format!("{at}.{shown}"), test, found);
            }
        }
        _ => {}
    }
}

pub(super) fn call(name: &str, args: &Args<'_>) -> Result<Value, SqlError> {
    Ok(match name {
        "JSON_ARRAY" => {
            let items = args.all()?.iter().map(json_of).collect();
            wrap(Json::Array(items))
        }
        "JSON_OBJECT" => {
            if !args.nodes.len().is_multiple_of(2) {
                return Err(error(1582, "Incorrect parameter count in the call to native function 'JSON_OBJECT'"));
            }
            let mut members = Vec::new();
            for at in (0..args.nodes.len()).step_by(2) {
                let Some(name) = args.text(at)? else {
                    return Err(error(3158, "JSON documents may not contain NULL member names."));
                };
                members.push((name, json_of(&*args.get(at + 1)?)));
            }
            wrap(json::object(members))
        }
        "JSON_MEMBER_OF" => {
            let Some(array) = document("member of", args, 1)? else { return Ok(Value::Null) };
            let value = args.get(0)?;
            if value.is_null() {
                return Ok(Value::Null);
            }
            let wanted = value.to_json();
            Value::bool(match &*array {
                Json::Array(items) => items.iter().any(|item| item.compare(&wanted).is_eq()),
                one => one.compare(&wanted).is_eq(),
            })
        }
        "JSON_EXTRACT" => return extract(name, args),
        "JSON_VALUE" => match document(name, args, 0)? {
            Some(json) => {
                let Some(path) = plain_path(args, 1)? else { return Ok(Value::Null) };
                match first(&json, &path) {
                    None | Some(Json::Null | Json::Array(_) | Json::Object(_)) => Value::Null,
                    Some(found) => Value::text(unquoted(found)),
                }
            }
            None => Value::Null,
        },
        "JSON_UNQUOTE" => match &*args.get(0)? {
            Value::Null => Value::Null,
            Value::Json(json) => Value::text(unquoted(json)),
            other => {
                let text = other.to_text().unwrap_or_default();
                if text.len() > 1 && text.starts_with('"') && text.ends_with('"') {
                    let json = json::parse(&text).map_err(|fault| invalid(name, 1, &fault))?;
                    Value::text(unquoted(&json))
                } else {
                    Value::text(text)
                }
            }
        },
        "JSON_QUOTE" => match args.text(0)? {
            Some(text) => {
                let mut out = String::new();
                json::quote(&text, &mut out);
                Value::text(out)
            }
            None => Value::Null,
        },
        "JSON_VALID" => match &*args.get(0)? {
            Value::Null => Value::Null,
            Value::Json(_) => Value::Int(1),
            Value::Text(text) => Value::bool(json::parse(text).is_ok()),
            _ => Value::Int(0),
        },
        "JSON_TYPE" => document(name, args, 0)?.map_or(Value::Null, |json| Value::text(json.type_name())),
        "JSON_DEPTH" => document(name, args, 0)?.map_or(Value::Null, |json| Value::Int(json.depth() as i64)),
        "JSON_PRETTY" => document(name, args, 0)?.map_or(Value::Null, |json| Value::text(json.pretty())),
        "JSON_STORAGE_SIZE" => document(name, args, 0)?.map_or(Value::Null, |json| {
            let mut bytes = Vec::new();
            json.encode(&mut bytes);
            Value::Int(bytes.len() as i64)
        }),
        "JSON_LENGTH" | "JSON_KEYS" => {
            let Some(json) = document(name, args, 0)? else { return Ok(Value::Null) };
            let mut of = &*json;
            if args.nodes.len() > 1 {
                let Some(path) = plain_path(args, 1)? else { return Ok(Value::Null) };
                let Some(found) = first(&json, &path) else { return Ok(Value::Null) };
                of = found;
            }
            match (name, of) {
                ("JSON_LENGTH", of) => Value::Int(of.length() as i64),
                (_, Json::Object(members)) => {
                    wrap(Json::Array(members.iter().map(|(name, _)| Json::String(name.clone())).collect()))
                }
                _ => Value::Null,
            }
        }
        "JSON_SET" => return changed(name, args, Change::Set),
        "JSON_INSERT" => return changed(name, args, Change::Insert),
        "JSON_REPLACE" => return changed(name, args, Change::Replace),
        "JSON_ARRAY_APPEND" => return changed(name, args, Change::Append),
        "JSON_ARRAY_INSERT" => return changed(name, args, Change::InsertCell),
        "JSON_REMOVE" => {
            let Some(json) = document(name, args, 0)? else { return Ok(Value::Null) };
            let mut json = (*json).clone();
            for at in 1..args.nodes.len() {
                let Some(path) = plain_path(args, at)? else { return Ok(Value::Null) };
                if path.is_empty() {
                    return Err(error(3153, "The path expression '$' is not allowed in this context."));
                }
                change(&mut json, &path, Change::Remove, &Json::Null);
            }
            wrap(json)
        }
        "JSON_MERGE" | "JSON_MERGE_PRESERVE" | "JSON_MERGE_PATCH" => return merged(name, args),
        "JSON_CONTAINS" => {
            let (Some(json), Some(wanted)) = (document(name, args, 0)?, document(name, args, 1)?) else {
                return Ok(Value::Null);
            };
            let mut of = &*json;
            if args.nodes.len() > 2 {
                let Some(path) = plain_path(args, 2)? else { return Ok(Value::Null) };
                let Some(found) = first(&json, &path) else { return Ok(Value::Null) };
                of = found;
            }
            Value::bool(of.contains(&wanted))
        }
        "JSON_OVERLAPS" => {
            let (Some(left), Some(right)) = (document(name, args, 0)?, document(name, args, 1)?) else {
                return Ok(Value::Null);
            };
            let items = |json: &Json| if let Json::Array(items) = json { items.clone() } else { vec![json.clone()] };
            Value::bool(match (&*left, &*right) {
                (Json::Object(members), Json::Object(_)) => members
                    .iter()
                    .any(|(name, item)| right.member(name).is_some_and(|other| other.compare(item).is_eq())),
                (left, right) => {
                    let right = items(right);
                    items(left).iter().any(|item| right.iter().any(|other| other.compare(item).is_eq()))
                }
            })
        }
        "JSON_CONTAINS_PATH" => {
            let Some(json) = document(name, args, 0)? else { return Ok(Value::Null) };
            let Some(one) = one_or_all(name, args)? else { return Ok(Value::Null) };
            let mut all = true;
            for at in 2..args.nodes.len() {
                let Some(path) = path(args, at)? else { return Ok(Value::Null) };
                let found = first(&json, &path).is_some();
                if found && one {
                    return Ok(Value::Int(1));
                }
                all &= found;
            }
            Value::bool(all && !one)
        }
        "JSON_SEARCH" => {
            let Some(json) = document(name, args, 0)? else { return Ok(Value::Null) };
            let Some(one) = one_or_all(name, args)? else { return Ok(Value::Null) };
            let Some(pattern) = args.text(2)? else { return Ok(Value::Null) };
            let escape = match args.nodes.len() {
                4.. => args.text(3)?.and_then(|escape| escape.chars().next()).or(Some('\\')),
                _ => Some('\\'),
            };
            let test = |text: &str| like(text.as_bytes(), pattern.as_bytes(), escape, Collation::DEFAULT);
            let mut found = Vec::new();
            search(&json, "$", &test, &mut found);
            if one {
                found.truncate(1);
            }
            match found.len() {
                0 => Value::Null,
                1 => wrap(Json::String(found.remove(0))),
                _ => wrap(Json::Array(found.into_iter().map(Json::String).collect())),
            }
        }
        other => return Err(error(1305, format!("FUNCTION {other} does not exist"))),
    })
}
