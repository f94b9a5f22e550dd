//! JSON documents: reading texts, printing as MySQL does, paths, comparison, stored form.
//!
//! Objects keep their members ordered by length, then bytes, of their names, as MySQL stores them. Absent on
//! purpose: partial update, indexes over arrays, JSON schemas.

use crate::decimal::Decimal;
use crate::value::double_text;
use std::cmp::Ordering;
use std::fmt::Write as _;

/// Deepest nesting.
pub const DEPTH_MAX: usize = 100;

/// A document.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number beyond `i64`.
    UInt(u64),
    /// Any other number; never NaN.
    Double(f64),
    /// An exact number that came from SQL.
    Decimal(Decimal),
    /// A text.
    String(String),
    /// A date or time that came from SQL: its type's name and its text.
    Temporal(Temporal, String),
    /// A list.
    Array(Vec<Json>),
    /// Members, ordered by [`name_order`].
    Object(Vec<(String, Json)>),
}

/// Types of dates and times in documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporal {
    /// DATE.
    Date,
    /// DATETIME.
    DateTime,
    /// TIME.
    Time,
}

/// Order of members: by length, then bytes.
#[must_use]
pub fn name_order(left: &str, right: &str) -> Ordering {
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// Why a text is no document: what is wrong, and the byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// In the words of MySQL's parser.
    pub what: &'static str,
    /// Place in the text, in bytes.
    pub at: usize,
    /// Nested too deeply: 3157 instead of 3140 or 3141.
    pub deep: bool,
}

struct Reader<'a> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn fault(&self, what: &'static str) -> Fault {
        Fault { what, at: self.at, deep: false }
    }

    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Json, Fault> {
        match self.bytes.get(self.at) {
            Some(b'{' | b'[') => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return Err(Fault { what: "", at: self.at, deep: true });
                }
                let value = if self.bytes[self.at] == b'{' { self.object() } else { self.array() };
                self.depth -= 1;
                value
            }
            Some(b'"') => self.string().map(Json::String),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.fault("Invalid value.")),
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, Fault> {
        for byte in word.bytes() {
            if self.bytes.get(self.at) != Some(&byte) {
                return Err(self.fault("Invalid value."));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<Json, Fault> {
        let from = self.at;
        let digits = |reader: &mut Self| {
            let from = reader.at;
            while reader.bytes.get(reader.at).is_some_and(u8::is_ascii_digit) {
                reader.at += 1;
            }
            reader.at - from
        };
        if self.bytes[self.at] == b'-' {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else if digits(self) == 0 {
            return Err(self.fault("Invalid value."));
        }
        let mut whole = true;
        if self.bytes.get(self.at) == Some(&b'.') {
            whole = false;
            self.at += 1;
            if digits(self) == 0 {
                return Err(self.fault("Miss fraction part in number."));
            }
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if digits(self) == 0 {
                return Err(self.fault("Miss exponent in number."));
            }
        }
        let text = &self.text[from..self.at];
        if whole {
            if let Ok(value) = text.parse() {
                return Ok(Json::Int(value));
            }
            if let Ok(value) = text.parse() {
                return Ok(Json::UInt(value));
            }
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Json::Double(value)),
            _ => Err(Fault { what: "Number too big to be stored in double.", at: from, deep: false }),
        }
    }

    fn hex(&mut self) -> Result<u32, Fault> {
        let digits = self.bytes.get(self.at..self.at + 4).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let value = value.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let value = value.ok_or_else(|| self.fault("Incorrect hex digit after \\u escape in string."))?;
        self.at += 4;
        Ok(value)
    }

    fn string(&mut self) -> Result<String, Fault> {
        let begin = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let from = self.at;
            while self.bytes.get(self.at).is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)) {
                self.at += 1;
            }
            out.push_str(&self.text[from..self.at]);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    let escape = self.bytes.get(self.at).copied().unwrap_or(0);
                    self.at += 1;
                    match escape {
                        b'"' | b'\\' | b'/' => out.push(escape as char),
                        b'b' => out.push('\u{8}'),
                        b'f' => out.push('\u{c}'),
                        b'n' => out.push('\n'),
                        b'r' => out.push('\r'),
                        b't' => out.push('\t'),
                        b'u' => {
                            let mut code = self.hex()?;
                            if (0xd800..0xdc00).contains(&code) && self.bytes[self.at..].starts_with(b"\\u") {
                                self.at += 2;
                                let low = self.hex()?;
                                code = 0x1_0000 + ((code - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff);
                            }
                            out.push(
                                char::from_u32(code)
                                    .ok_or_else(|| self.fault("The surrogate pair in string is invalid."))?,
                            );
                        }
                        _ => {
                            self.at -= 1;
                            return Err(self.fault("Invalid escape character in string."));
                        }
                    }
                }
                Some(_) => return Err(self.fault("Invalid encoding in string.")),
                None => {
                    return Err(Fault { what: "Missing a closing quotation mark in string.", at: begin, deep: false });
                }
            }
        }
    }

    fn array(&mut self) -> Result<Json, Fault> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.bytes.get(self.at) == Some(&b']') {
            self.at += 1;
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.space();
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Json::Array(items));
                }
                _ => return Err(self.fault("Missing a comma or ']' after an array element.")),
            }
            self.space();
        }
    }

    fn object(&mut self) -> Result<Json, Fault> {
        self.at += 1;
        let mut members = Vec::new();
        self.space();
        if self.bytes.get(self.at) == Some(&b'}') {
            self.at += 1;
            return Ok(Json::Object(members));
        }
        loop {
            if self.bytes.get(self.at) != Some(&b'"') {
                return Err(self.fault("Missing a name for object member."));
            }
            let name = self.string()?;
            self.space();
            if self.bytes.get(self.at) != Some(&b':') {
                return Err(self.fault("Missing a colon after a name of object member."));
            }
            self.at += 1;
            self.space();
            members.push((name, self.value()?));
            self.space();
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(object(members));
                }
                _ => return Err(self.fault("Missing a comma or '}' after an object member.")),
            }
            self.space();
        }
    }
}

/// An object of these members; of equal names the last one counts.
#[must_use]
pub fn object(members: Vec<(String, Json)>) -> Json {
    let mut members = members;
    members.reverse();
    members.sort_by(|(left, _), (right, _)| name_order(left, right));
    members.dedup_by(|(left, _), (right, _)| left == right);
    Json::Object(members)
}

/// Reads a document.
///
/// # Errors
/// [`Fault`].
pub fn parse(text: &str) -> Result<Json, Fault> {
    let mut reader = Reader { bytes: text.as_bytes(), text, at: 0, depth: 0 };
    reader.space();
    if reader.at == text.len() {
        return Err(reader.fault("The document is empty."));
    }
    let value = reader.value()?;
    reader.space();
    if reader.at < text.len() {
        return Err(reader.fault("The document root must not be followed by other values."));
    }
    Ok(value)
}

/// `"text"` with JSON's escapes.
pub fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

impl Json {
    /// As MySQL prints it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.print(&mut out, None);
        out
    }

    /// As JSON_PRETTY prints it.
    #[must_use]
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.print(&mut out, Some(0));
        out
    }

    fn print(&self, out: &mut String, indent: Option<usize>) {
        let newline = |out: &mut String, depth: usize| {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", depth));
        };
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => {
                let _ = write!(out, "{value}");
            }
            Self::UInt(value) => {
                let _ = write!(out, "{value}");
            }
            Self::Double(value) => {
                let text = double_text(*value);
                out.push_str(&text);
                if !text.contains(['.', 'e']) {
                    out.push_str(".0");
                }
            }
            Self::Decimal(value) => {
                let _ = write!(out, "{value}");
            }
            Self::String(text) | Self::Temporal(_, text) => quote(text, out),
            Self::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push_str(if indent.is_some() { "," } else { ", " });
                    }
                    if let Some(depth) = indent {
                        newline(out, depth + 1);
                    }
                    item.print(out, indent.map(|depth| depth + 1));
                }
                if let (Some(depth), false) = (indent, items.is_empty()) {
                    newline(out, depth);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (name, item)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push_str(if indent.is_some() { "," } else { ", " });
                    }
                    if let Some(depth) = indent {
                        newline(out, depth + 1);
                    }
                    quote(name, out);
                    out.push_str(": ");
                    item.print(out, indent.map(|depth| depth + 1));
                }
                if let (Some(depth), false) = (indent, members.is_empty()) {
                    newline(out, depth);
                }
                out.push('}');
            }
        }
    }

    /// JSON_TYPE's name.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Bool(_) => "BOOLEAN",
            Self::Int(_) => "INTEGER",
            Self::UInt(_) => "UNSIGNED INTEGER",
            Self::Double(_) => "DOUBLE",
            Self::Decimal(_) => "DECIMAL",
            Self::String(_) => "STRING",
            Self::Temporal(Temporal::Date, _) => "DATE",
            Self::Temporal(Temporal::DateTime, _) => "DATETIME",
            Self::Temporal(Temporal::Time, _) => "TIME",
            Self::Array(_) => "ARRAY",
            Self::Object(_) => "OBJECT",
        }
    }

    /// JSON_LENGTH.
    #[must_use]
    pub fn length(&self) -> usize {
        match self {
            Self::Array(items) => items.len(),
            Self::Object(members) => members.len(),
            _ => 1,
        }
    }

    /// JSON_DEPTH.
    #[must_use]
    pub fn depth(&self) -> usize {
        match self {
            Self::Array(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Object(members) => 1 + members.iter().map(|(_, item)| item.depth()).max().unwrap_or(0),
            _ => 1,
        }
    }

    /// A member of an object.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        let at = members.binary_search_by(|(other, _)| name_order(other, name)).ok()?;
        Some(&members[at].1)
    }

    /// As an exact number, where it is a number that has one.
    fn exact(&self) -> Option<Decimal> {
        Some(match self {
            Self::Int(value) => Decimal::from_int(i128::from(*value)),
            Self::UInt(value) => Decimal::from_int(i128::from(*value)),
            Self::Decimal(value) => value.clone(),
            _ => return None,
        })
    }

    /// As a double, where it is a number.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Double(value) => Some(*value),
            other => other.exact().map(|value| value.to_f64()),
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Int(_) | Self::UInt(_) | Self::Double(_) | Self::Decimal(_) => 1,
            Self::String(_) => 2,
            Self::Object(_) => 3,
            Self::Array(_) => 4,
            Self::Bool(_) => 5,
            Self::Temporal(Temporal::Date, _) => 6,
            Self::Temporal(Temporal::Time, _) => 7,
            Self::Temporal(Temporal::DateTime, _) => 8,
        }
    }

    /// MySQL's order of documents: by type, then value.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        match self.rank().cmp(&other.rank()) {
            Ordering::Equal => {}
            order => return order,
        }
        match (self, other) {
            (Self::Bool(left), Self::Bool(right)) => left.cmp(right),
            (Self::String(left), Self::String(right)) | (Self::Temporal(_, left), Self::Temporal(_, right)) => {
                left.cmp(right)
            }
            (Self::Array(left), Self::Array(right)) => {
                let parts = left.iter().zip(right).map(|(left, right)| left.compare(right));
                parts.into_iter().find(|order| order.is_ne()).unwrap_or_else(|| left.len().cmp(&right.len()))
            }
            (Self::Object(left), Self::Object(right)) => left.len().cmp(&right.len()).then_with(|| {
                let parts = left.iter().zip(right).map(|((a, left), (b, right))| a.cmp(b).then(left.compare(right)));
                parts.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
            }),
            _ => match (self.exact(), other.exact()) {
                (Some(left), Some(right)) => left.cmp(&right),
                _ => match (self.number(), other.number()) {
                    (Some(left), Some(right)) => left.partial_cmp(&right).unwrap_or(Ordering::Equal),
                    _ => Ordering::Equal,
                },
            },
        }
    }

    /// JSON_CONTAINS: whether `other` is in it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Object(_), Self::Object(members)) => {
                members.iter().all(|(name, item)| self.member(name).is_some_and(|mine| mine.contains(item)))
            }
            (Self::Array(items), Self::Array(wanted)) => {
                wanted.iter().all(|wanted| items.iter().any(|item| item.contains(wanted)))
            }
            (Self::Array(items), other) => items.iter().any(|item| item.contains(other)),
            _ => self.compare(other).is_eq(),
        }
    }

    /// Appends the stored form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let text = |tag: u8, text: &str, out: &mut Vec<u8>| {
            out.push(tag);
            out.extend_from_slice(&(text.len() as u32).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        };
        match self {
            Self::Null => out.push(0),
            Self::Bool(value) => out.push(1 + u8::from(*value)),
            Self::Int(value) => {
                out.push(3);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Self::UInt(value) => {
                out.push(4);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Self::Double(value) => {
                out.push(5);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Self::Decimal(value) => text(6, &value.to_string(), out),
            Self::String(value) => text(7, value, out),
            Self::Temporal(Temporal::Date, value) => text(8, value, out),
            Self::Temporal(Temporal::DateTime, value) => text(9, value, out),
            Self::Temporal(Temporal::Time, value) => text(10, value, out),
            Self::Array(items) => {
                out.push(11);
                out.extend_from_slice(&(items.len() as u32).to_le_bytes());
                items.iter().for_each(|item| item.encode(out));
            }
            Self::Object(members) => {
                out.push(12);
                out.extend_from_slice(&(members.len() as u32).to_le_bytes());
                for (name, item) in members {
                    out.extend_from_slice(&(name.len() as u32).to_le_bytes());
                    out.extend_from_slice(name.as_bytes());
                    item.encode(out);
                }
            }
        }
    }

    /// Reads the stored form; `None` when the bytes are none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let value = decode(&mut rest, 0)?;
        rest.is_empty().then_some(value)
    }
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

fn decode(bytes: &mut &[u8], depth: usize) -> Option<Json> {
    if depth > DEPTH_MAX {
        return None;
    }
    let eight = |bytes: &mut &[u8]| take(bytes, 8)?.try_into().ok();
    let size = |bytes: &mut &[u8]| Some(u32::from_le_bytes(take(bytes, 4)?.try_into().ok()?) as usize);
    let text = |bytes: &mut &[u8]| {
        let length = size(bytes)?;
        String::from_utf8(take(bytes, length)?.to_vec()).ok()
    };
    let tag = take(bytes, 1)?[0];
    Some(match tag {
        0 => Json::Null,
        1 | 2 => Json::Bool(tag == 2),
        3 => Json::Int(i64::from_le_bytes(eight(bytes)?)),
        4 => Json::UInt(u64::from_le_bytes(eight(bytes)?)),
        5 => Json::Double(f64::from_le_bytes(eight(bytes)?)),
        6 => Json::Decimal(Decimal::parse(&text(bytes)?)?),
        7 => Json::String(text(bytes)?),
        8 => Json::Temporal(Temporal::Date, text(bytes)?),
        9 => Json::Temporal(Temporal::DateTime, text(bytes)?),
        10 => Json::Temporal(Temporal::Time, text(bytes)?),
        11 => {
            let count = size(bytes)?;
            let mut items = Vec::new();
            for _ in 0..count {
                items.push(decode(bytes, depth + 1)?);
            }
            Json::Array(items)
        }
        12 => {
            let count = size(bytes)?;
            let mut members = Vec::new();
            for _ in 0..count {
                let name = text(bytes)?;
                members.push((name, decode(bytes, depth + 1)?));
            }
            Json::Object(members)
        }
        _ => return None,
    })
}

/// A place in an array, from its front or its back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// From 0.
    Front(usize),
    /// `last`, `last-1` ...
    Back(usize),
}

impl Place {
    /// The index in an array of `length`, if it is within or just behind it; `None` before its beginning.
    #[must_use]
    pub const fn of(self, length: usize) -> Option<usize> {
        match self {
            Self::Front(at) => Some(at),
            Self::Back(back) => length.checked_sub(back + 1),
        }
    }
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leg {
    /// `.name`
    Member(String),
    /// `.*`
    AllMembers,
    /// `[n]`
    Cell(Place),
    /// `[a to b]`
    Range(Place, Place),
    /// `[*]`
    AllCells,
    /// `**`
    Everywhere,
}

/// A path.
pub type Path = Vec<Leg>;

/// Reads a path; the byte where it stops being one otherwise.
///
/// # Errors
/// The place, in bytes.
pub fn path(text: &str) -> Result<Path, usize> {
    let bytes = text.as_bytes();
    let space = |at: &mut usize| {
        while bytes.get(*at).is_some_and(u8::is_ascii_whitespace) {
            *at += 1;
        }
    };
    let mut at = 0;
    space(&mut at);
    if bytes.get(at) != Some(&b'$') {
        return Err(at);
    }
    at += 1;
    let mut legs = Vec::new();
    loop {
        space(&mut at);
        match bytes.get(at) {
            None => break,
            Some(b'.') => {
                at += 1;
                space(&mut at);
                match bytes.get(at) {
                    Some(b'*') => {
                        at += 1;
                        legs.push(Leg::AllMembers);
                    }
                    Some(b'"') => {
                        let mut reader = Reader { bytes, text, at, depth: 0 };
                        let name = reader.string().map_err(|_| at)?;
                        at = reader.at;
                        legs.push(Leg::Member(name));
                    }
                    _ => {
                        let length: usize = text[at..]
                            .chars()
                            .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
                            .map(char::len_utf8)
                            .sum();
                        if length == 0 || bytes[at].is_ascii_digit() {
                            return Err(at);
                        }
                        legs.push(Leg::Member(text[at..at + length].to_owned()));
                        at += length;
                    }
                }
            }
            Some(b'[') => {
                at += 1;
                space(&mut at);
                if bytes.get(at) == Some(&b'*') {
                    at += 1;
                    legs.push(Leg::AllCells);
                } else {
                    let first = place(text, &mut at)?;
                    space(&mut at);
                    if text[at..].starts_with("to") {
                        at += 2;
                        space(&mut at);
                        legs.push(Leg::Range(first, place(text, &mut at)?));
                    } else {
                        legs.push(Leg::Cell(first));
                    }
                }
                space(&mut at);
                if bytes.get(at) != Some(&b']') {
                    return Err(at);
                }
                at += 1;
            }
            Some(b'*') if bytes.get(at + 1) == Some(&b'*') => {
                at += 2;
                if at >= bytes.len() {
                    return Err(at);
                }
                legs.push(Leg::Everywhere);
            }
            _ => return Err(at),
        }
    }
    Ok(legs)
}

fn place(text: &str, at: &mut usize) -> Result<Place, usize> {
    let number = |at: &mut usize| {
        let count = text.as_bytes()[*at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let value = text[*at..*at + count].parse::<u32>().map_err(|_| *at)?;
        *at += count;
        Ok(value as usize)
    };
    if !text[*at..].starts_with("last") {
        return number(at).map(Place::Front);
    }
    *at += 4;
    let blank = |at: &mut usize| {
        while text.as_bytes().get(*at) == Some(&b' ') {
            *at += 1;
        }
    };
    let before = *at;
    blank(at);
    if text.as_bytes().get(*at) != Some(&b'-') {
        *at = before;
        return Ok(Place::Back(0));
    }
    *at += 1;
    blank(at);
    number(at).map(Place::Back)
}

/// Whether a path may lead to more than one place.
#[must_use]
pub fn is_wild(path: &[Leg]) -> bool {
    path.iter().any(|leg| matches!(leg, Leg::AllMembers | Leg::AllCells | Leg::Range(..) | Leg::Everywhere))
}

/// What a path leads to, in order.
pub fn find<'a>(value: &'a Json, path: &[Leg], found: &mut Vec<&'a Json>) {
    let Some((leg, rest)) = path.split_first() else {
        if !found.iter().any(|other| std::ptr::eq(*other, value)) {
            found.push(value);
        }
        return;
    };
    match (leg, value) {
        (Leg::Member(name), _) => {
            if let Some(item) = value.member(name) {
                find(item, rest, found);
            }
        }
        (Leg::AllMembers, Json::Object(members)) => members.iter().for_each(|(_, item)| find(item, rest, found)),
        (Leg::Cell(place), Json::Array(items)) => {
            if let Some(item) = place.of(items.len()).and_then(|at| items.get(at)) {
                find(item, rest, found);
            }
        }
        // What is no array counts as an array of itself.
        (Leg::Cell(Place::Front(0) | Place::Back(0)), _) => find(value, rest, found),
        (Leg::Range(from, to), Json::Array(items)) => {
            let from = from.of(items.len()).unwrap_or(0);
            let to = to.of(items.len()).map_or(0, |to| (to + 1).min(items.len()));
            items.get(from..to).unwrap_or(&[]).iter().for_each(|item| find(item, rest, found));
        }
        (Leg::Range(Place::Front(0), _), _) => find(value, rest, found),
        (Leg::AllCells, Json::Array(items)) => items.iter().for_each(|item| find(item, rest, found)),
        (Leg::Everywhere, _) => {
            find(value, rest, found);
            match value {
                Json::Array(items) => items.iter().for_each(|item| find(item, path, found)),
                Json::Object(members) => members.iter().for_each(|(_, item)| find(item, path, found)),
                _ => {}
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_printed_as_mysql_prints_them() {
        for (text, shown) in [
            (r#"{"b": 1, "a": [1, 2.5, "x", null, true]}"#, r#"{"a": [1, 2.5, "x", null, true], "b": 1}"#),
            (r#"{"long": 1, "bb": 2, "c": 3, "c": 4}"#, r#"{"c": 4, "bb": 2, "long": 1}"#),
            (" 1e2 ", "100.0"),
            ("18446744073709551615", "18446744073709551615"),
            (r#""\u00e9\n\ud83d\ude00""#, r#""é\n😀""#),
        ] {
            let json = parse(text).unwrap();
            assert_eq!(json.text(), shown);
            let mut bytes = Vec::new();
            json.encode(&mut bytes);
            assert_eq!(Json::decode(&bytes).as_ref(), Some(&json));
            for length in 0..bytes.len() {
                assert_eq!(Json::decode(&bytes[..length]), None);
            }
        }
        for text in ["", "{bad}", "[1,", "1 2", "\"a", "01", "1e999", "[1", "{\"a\" 1}", &"[".repeat(101)] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_lead_to_places() {
        let json = parse(r#"{"a": [10, {"b": 20}], "c d": 30}"#).unwrap();
        for (text, shown) in [
            ("$.a[0]", "10"),
            ("$.a[last].b", "20"),
            ("$.a[last-1]", "10"),
            ("$.\"c d\"", "30"),
            ("$.a[*]", "10 {\"b\": 20}"),
            ("$**.b", "20"),
            ("$.*", "[10, {\"b\": 20}] 30"),
            ("$.a[0 to 1]", "10 {\"b\": 20}"),
            ("$.nosuch", ""),
        ] {
            let mut found = Vec::new();
            find(&json, &path(text).unwrap(), &mut found);
            assert_eq!(found.iter().map(|item| item.text()).collect::<Vec<_>>().join(" "), shown, "{text}");
        }
        for text in ["", "a", "$.", "$[", "$[x]", "$**", "$.1"] {
            assert!(path(text).is_err(), "{text}");
        }
    }
}
