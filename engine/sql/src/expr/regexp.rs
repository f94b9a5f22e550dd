//! Regular expressions: REGEXP, RLIKE and the REGEXP_ functions, by the `regex` crate, whose time is linear in the text.
//!
//! Absent on purpose: look-around and references back to groups, which MySQL's library has and a linear one cannot.

use super::Type;
use super::function::Args;
use crate::collate::Collation;
use crate::error::{SqlError, error};
use crate::value::Value;
use regex::{Regex, RegexBuilder};
use std::cell::RefCell;

/// Name, least and most arguments, by name.
pub(super) const FUNCTIONS: &[(&str, usize, usize)] =
    &[("REGEXP_INSTR", 2, 6), ("REGEXP_LIKE", 2, 3), ("REGEXP_REPLACE", 3, 6), ("REGEXP_SUBSTR", 2, 5)];

/// Most bytes of a compiled expression.
const PROGRAM_BYTES_MAX: usize = 1 << 20;
/// How many compiled ones are kept: a statement uses the same one for all its rows.
const KEPT: usize = 16;

pub(super) fn result_type(name: &str, kinds: &[Type], collation: Collation) -> Type {
    match name {
        "REGEXP_LIKE" | "REGEXP_INSTR" => Type::int(10),
        _ => Type::text(kinds.first().map_or(1024, |kind| kind.length.max(1024)), collation, 2),
    }
}

thread_local! {
    /// Compiled expressions by pattern and flags, newest first.
    static COMPILED: RefCell<Vec<(String, [bool; 4], Regex)>> = const { RefCell::new(Vec::new()) };
}

/// The compiled form of a pattern, by MySQL's letters of match control.
fn compile(pattern: &str, letters: &str, collation: Collation, name: &str) -> Result<Regex, SqlError> {
    let insensitive = !collation.is_binary() && !collation.name().ends_with("_cs");
    let mut flags = [insensitive, false, false, false];
    for letter in letters.chars() {
        match letter {
            'i' => flags[0] = true,
            'c' => flags[0] = false,
            'm' => flags[1] = true,
            'n' => flags[2] = true,
            'u' => flags[3] = true,
            _ => return Err(error(1210, format!("Incorrect arguments to {name}"))),
        }
    }
    let kept = COMPILED.with_borrow(|kept| {
        kept.iter().find(|(text, with, _)| text == pattern && *with == flags).map(|(.., regex)| regex.clone())
    });
    if let Some(regex) = kept {
        return Ok(regex);
    }
    let mut builder = RegexBuilder::new(pattern);
    builder.case_insensitive(flags[0]).multi_line(flags[1]).dot_matches_new_line(flags[2]);
    let regex = builder.size_limit(PROGRAM_BYTES_MAX).build().map_err(|fault| refusal(&fault))?;
    COMPILED.with_borrow_mut(|kept| {
        kept.truncate(KEPT - 1);
        kept.insert(0, (pattern.to_owned(), flags, regex.clone()));
    });
    Ok(regex)
}

fn refusal(fault: &regex::Error) -> SqlError {
    let text = fault.to_string();
    let says = |words: &str| text.contains(words);
    if matches!(fault, regex::Error::CompiledTooBig(_)) {
        error(3700, "The regular expression pattern exceeds the maximum length.")
    } else if says("unclosed group") || says("unopened group") {
        error(3691, "Mismatched parenthesis in regular expression.")
    } else if says("unclosed character class") {
        error(3696, "The regular expression contains an unclosed bracket expression.")
    } else if says("repetition") || says("decimal literal") {
        error(3692, "Incorrect description of a {min,max} interval.")
    } else if says("look-around") || says("backreference") {
        error(3686, "Unsupported: this version of Quorate has no look-around and no references to groups.")
    } else {
        error(3685, "Illegal argument to a regular expression.")
    }
}

/// Subject and compiled pattern; `None` when an argument is NULL. `letters` is where match control may stand.
fn prepared(
    name: &str,
    args: &Args<'_>,
    letters: usize,
    collation: Collation,
) -> Result<Option<(String, Regex)>, SqlError> {
    let (subject, pattern) = (args.get(0)?, args.get(1)?);
    if matches!((&*subject, &*pattern), (Value::Bytes(_), Value::Text(_)) | (Value::Text(_), Value::Bytes(_))) {
        let (name, other) = (name.to_lowercase(), if collation.is_binary() { Collation::DEFAULT } else { collation });
        let text =
            format!("Character set '{}' cannot be used in conjunction with 'binary' in call to {name}.", other.name());
        return Err(error(3995, text));
    }
    let flags = if args.nodes.len() > letters { args.text(letters)? } else { Some(String::new()) };
    let (Some(subject), Some(pattern), Some(flags)) = (subject.to_text(), pattern.to_text(), flags) else {
        return Ok(None);
    };
    if pattern.is_empty() {
        return Err(error(3685, "Illegal argument to a regular expression."));
    }
    let regex = compile(&pattern, &flags, collation, &name.to_lowercase())?;
    Ok(Some((subject.into_owned(), regex)))
}

/// A number among the arguments; `None` when it is NULL.
fn number(args: &Args<'_>, at: usize, default: i64) -> Result<Option<i64>, SqlError> {
    if args.nodes.len() > at { args.int(at) } else { Ok(Some(default)) }
}

/// The byte offset of a character, from 1; one past the last is the end.
fn offset(subject: &str, position: i64) -> Result<usize, SqlError> {
    let skip = usize::try_from(position).ok().and_then(|position| position.checked_sub(1));
    let places = subject.char_indices().map(|(at, _)| at).chain([subject.len()]);
    skip.and_then(|skip| places.into_iter().nth(skip))
        .ok_or_else(|| error(3686, "Index out of bounds in regular expression search."))
}

pub(super) fn call(name: &str, args: &Args<'_>, collation: Collation) -> Result<Value, SqlError> {
    let letters = match name {
        "REGEXP_LIKE" => 2,
        "REGEXP_SUBSTR" => 4,
        _ => 5,
    };
    let Some((subject, regex)) = prepared(name, args, letters, collation)? else { return Ok(Value::Null) };
    if name == "REGEXP_LIKE" {
        return Ok(Value::bool(regex.is_match(&subject)));
    }
    let replaces = name == "REGEXP_REPLACE";
    let first = if replaces { 3 } else { 2 };
    let (Some(position), Some(occurrence)) = (number(args, first, 1)?, number(args, first + 1, i64::from(!replaces))?)
    else {
        return Ok(Value::Null);
    };
    let from = offset(&subject, position)?;
    if replaces {
        let Some(by) = args.text(2)? else { return Ok(Value::Null) };
        return replaced(&subject, &regex, &by, from, occurrence);
    }
    let nth = usize::try_from(occurrence.max(1) - 1).unwrap_or(usize::MAX);
    // Anchors mean the text from the position on, as in MySQL.
    let found = regex.find_iter(&subject[from..]).nth(nth);
    if name == "REGEXP_SUBSTR" {
        return Ok(found.map_or(Value::Null, |found| Value::text(found.as_str())));
    }
    let Some(after) = number(args, 4, 0)? else { return Ok(Value::Null) };
    if !(0..=1).contains(&after) {
        return Err(error(1210, "Incorrect arguments to regexp_instr: return_option must be 1 or 0."));
    }
    Ok(found.map_or(Value::Int(0), |found| {
        let at = from + if after == 1 { found.end() } else { found.start() };
        Value::Int(subject[..at].chars().count() as i64 + 1)
    }))
}

/// Replaces one occurrence, or (0) all.
fn replaced(subject: &str, regex: &Regex, by: &str, from: usize, occurrence: i64) -> Result<Value, SqlError> {
    let mut out = subject[..from].to_owned();
    let rest = &subject[from..];
    let mut done = 0;
    for (number, groups) in regex.captures_iter(rest).enumerate() {
        let Some(whole) = groups.get(0) else { continue };
        if occurrence > 0 && number as i64 + 1 != occurrence {
            continue;
        }
        out.push_str(&rest[done..whole.start()]);
        let mut letters = by.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '\\' => out.extend(letters.next()),
                '$' => {
                    let mut group = None;
                    while let Some(digit) = letters.peek().and_then(|letter| letter.to_digit(10)) {
                        let longer = group.unwrap_or(0) * 10 + digit as usize;
                        if group.is_some() && longer >= groups.len() {
                            break;
                        }
                        group = Some(longer);
                        letters.next();
                    }
                    match group {
                        Some(group) if group < groups.len() => {
                            out.push_str(groups.get(group).map_or("", |found| found.as_str()));
                        }
                        Some(_) => return Err(error(3686, "Index out of bounds in regular expression search.")),
                        None => return Err(error(3887, "A capture group has an invalid name.")),
                    }
                }
                letter => out.push(letter),
            }
            if out.len() > super::function::RESULT_BYTES_MAX {
                return Ok(Value::Null);
            }
        }
        done = whole.end();
    }
    out.push_str(&rest[done..]);
    Ok(Value::text(out))
}
