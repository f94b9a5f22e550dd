//! Literals out of a text: one pass that gives the statement's fingerprint and its literals, and a bounded cache
//! of plans by that.
//!
//! Only shapes that repeat are worth it: SELECT, INSERT, REPLACE, UPDATE and DELETE without executable comments.
//! Absent on purpose: any understanding of grammar. A literal that a plan cannot take as a parameter (in LIMIT, a
//! type, a select list whose heading is the text) is for the plan's maker to see: it parses the text itself, and
//! does not cache what it cannot parametrise.
//!
//! Invariants: two texts with equal stripped bytes are the same statement up to their literals, whose kinds are
//! part of what is stripped; a cache compares stripped bytes, so that an accident of hashing cannot mix plans.

use crate::ast;
use crate::parse::lex::{NumberKind, is_blank, is_word};
use crate::sysvar::sql_mode::SqlMode;
use std::collections::BTreeMap;
use std::rc::Rc;
use xxhash_rust::xxh3::xxh3_64;

/// Where a literal stands in its text, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Literal {
    /// First byte (of the quote, of a string).
    pub start: u32,
    /// After its last byte.
    pub end: u32,
    /// Its kind.
    pub kind: LiteralKind,
}

/// Kinds of literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiteralKind {
    /// Digits only.
    Integer,
    /// With a point.
    Decimal,
    /// With an exponent.
    Double,
    /// A string without escapes: its bytes are those between the quotes.
    Plain,
    /// A string with escapes or doubled quotes.
    Escaped,
}

impl Literal {
    /// The literal's value; `None` for a string that is no UTF-8 (the parser then says what it is).
    #[must_use]
    pub fn value(&self, text: &[u8]) -> Option<ast::Literal> {
        let bytes = &text[self.start as usize..self.end as usize];
        let number = |kind| Some(crate::parse::number(std::str::from_utf8(bytes).ok()?, kind));
        match self.kind {
            LiteralKind::Integer => number(NumberKind::Integer),
            LiteralKind::Decimal => number(NumberKind::Decimal),
            LiteralKind::Double => number(NumberKind::Double),
            LiteralKind::Plain => {
                let text = std::str::from_utf8(&bytes[1..bytes.len() - 1]).ok()?.to_owned();
                Some(ast::Literal::String { text, introducer: None })
            }
            LiteralKind::Escaped => match crate::parse::one_string(bytes) {
                Some(bytes) => Some(ast::Literal::String { text: String::from_utf8(bytes).ok()?, introducer: None }),
                None => None,
            },
        }
    }
}

/// Hash of a stripped text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

// What stands for a literal in a stripped text: bytes that no text to be stripped has outside quotes.
const INTEGER: u8 = 1;
const DECIMAL: u8 = 2;
const DOUBLE: u8 = 3;
const STRING: u8 = 4;

/// What [`normalize`] works in; kept by a session, so that nothing is allocated for a text like the ones before.
#[derive(Clone, Debug, Default)]
pub struct Normal {
    /// The text without its literals: a control byte stands for each, by its kind.
    pub stripped: Vec<u8>,
    /// The literals, in order.
    pub literals: Vec<Literal>,
}

/// Bytes that are made room for at once.
const KEPT_BYTES_MAX: usize = 1 << 16;

/// Strips the literals off a text. `None` for what is not worth it or cannot be told apart in one pass: comments,
/// other statements, hexadecimal literals, introducers, ANSI_QUOTES or NO_BACKSLASH_ESCAPES, open strings.
pub fn normalize(text: &[u8], mode: SqlMode, normal: &mut Normal) -> Option<Fingerprint> {
    normal.stripped.clear();
    normal.literals.clear();
    if text.len() > u32::MAX as usize || !worth_it(text) {
        return None;
    }
    if mode.has(SqlMode::ANSI_QUOTES) || mode.has(SqlMode::NO_BACKSLASH_ESCAPES) {
        return None;
    }
    // A session keeps it: not the place of a long literal.
    normal.stripped.reserve(text.len().min(KEPT_BYTES_MAX));
    let mut at = 0;
    // Copied up to here.
    let mut copied = 0;
    while at < text.len() {
        let c = text[at];
        match c {
            b'\'' | b'"' => {
                // A word right before is an introducer, N'..' or x'..'; a string before it joins with this one.
                if at > 0 && is_word(text[at - 1]) || joins_string(&normal.stripped, text, copied, at) {
                    return None;
                }
                normal.stripped.extend_from_slice(&text[copied..at]);
                let (end, kind) = string_end(text, at)?;
                normal.literals.push(Literal { start: at as u32, end: end as u32, kind });
                normal.stripped.push(STRING);
                at = end;
                copied = end;
            }
            b'0'..=b'9' => {
                let (end, kind) = number_end(text, at)?;
                normal.stripped.extend_from_slice(&text[copied..at]);
                normal.literals.push(Literal { start: at as u32, end: end as u32, kind });
                normal.stripped.push(match kind {
                    LiteralKind::Integer => INTEGER,
                    LiteralKind::Decimal => DECIMAL,
                    _ => DOUBLE,
                });
                at = end;
                copied = end;
            }
            // `.5`: rare; and `t.1a` is a name.
            b'.' if text.get(at + 1).is_some_and(u8::is_ascii_digit) => return None,
            b'`' => {
                at += 1;
                while *text.get(at)? != b'`' {
                    at += 1;
                }
                at += 1;
            }
            b'#' => return None,
            _ if c < b' ' && !is_blank(c) => return None,
            b'-' if text.get(at + 1) == Some(&b'-') => return None,
            b'/' if text.get(at + 1) == Some(&b'*') => return None,
            // User variables may be quoted.
            b'@' if matches!(text.get(at + 1), Some(b'\'' | b'"' | b'`')) => return None,
            _ if is_word(c) => {
                while at < text.len() && is_word(text[at]) {
                    at += 1;
                }
            }
            _ => at += 1,
        }
    }
    let mut end = text.len();
    while end > copied && (is_blank(text[end - 1]) || text[end - 1] == b';') {
        end -= 1;
    }
    normal.stripped.extend_from_slice(&text[copied..end]);
    // A `;` in the middle would make two statements of one text.
    if normal.stripped.contains(&b';') {
        return None;
    }
    Some(Fingerprint(xxh3_64(&normal.stripped)))
}

/// Whether only blanks lie between the last literal, a string, and this one.
fn joins_string(stripped: &[u8], text: &[u8], copied: usize, at: usize) -> bool {
    stripped.last() == Some(&STRING) && text[copied..at].iter().all(|&c| is_blank(c))
}

fn worth_it(text: &[u8]) -> bool {
    let start = text.iter().position(|&c| !is_blank(c)).unwrap_or(text.len());
    let rest = &text[start..];
    [&b"select"[..], b"insert", b"replace", b"update", b"delete"].iter().any(|word| {
        rest.len() > word.len() && rest[..word.len()].eq_ignore_ascii_case(word) && !is_word(rest[word.len()])
    })
}

/// After the string that begins at `at`.
fn string_end(text: &[u8], at: usize) -> Option<(usize, LiteralKind)> {
    let quote = text[at];
    let mut kind = LiteralKind::Plain;
    let mut at = at + 1;
    loop {
        // Long strings are passed over in one go.
        at += memchr::memchr2(quote, b'\\', &text[at..])?;
        let c = text[at];
        at += 1;
        if c == b'\\' {
            kind = LiteralKind::Escaped;
            text.get(at)?;
            at += 1;
        } else if c == quote {
            if text.get(at) != Some(&quote) {
                return Some((at, kind));
            }
            kind = LiteralKind::Escaped;
            at += 1;
        }
    }
}

/// After the number that begins at `at`; `None` for `0x..`, `0b..` and words that begin with digits.
fn number_end(text: &[u8], at: usize) -> Option<(usize, LiteralKind)> {
    let digits = |mut at: usize| {
        while text.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let mut kind = LiteralKind::Integer;
    let mut end = digits(at);
    if text.get(end) == Some(&b'.') {
        kind = LiteralKind::Decimal;
        end = digits(end + 1);
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        if text.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            kind = LiteralKind::Double;
            end = digits(end + 1 + sign);
        }
    }
    if text.get(end).is_some_and(|&c| is_word(c)) { None } else { Some((end, kind)) }
}

/// Under what a plan is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    fingerprint: Fingerprint,
    generation: u64,
    mode: SqlMode,
    database: Rc<str>,
}

struct Entry<V> {
    stripped: Box<[u8]>,
    value: Rc<V>,
    used: bool,
}

/// Plans by (fingerprint, current database, SQL mode, catalogue generation), bounded in entries and bytes of
/// stripped text. What was not used since the hand last passed goes first.
pub struct PlanCache<V> {
    entries: BTreeMap<Key, Entry<V>>,
    hand: Option<Key>,
    bytes: usize,
    entries_max: usize,
    bytes_max: usize,
}

impl<V> PlanCache<V> {
    /// A cache of at most so many entries and bytes.
    #[must_use]
    pub const fn new(entries_max: usize, bytes_max: usize) -> Self {
        Self { entries: BTreeMap::new(), hand: None, bytes: 0, entries_max, bytes_max }
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The plan for a text that was stripped to this.
    #[must_use]
    pub fn get(
        &mut self,
        fingerprint: Fingerprint,
        stripped: &[u8],
        database: &Rc<str>,
        mode: SqlMode,
        generation: u64,
    ) -> Option<Rc<V>> {
        let key = Key { fingerprint, generation, mode, database: Rc::clone(database) };
        let entry = self.entries.get_mut(&key).filter(|entry| *entry.stripped == *stripped)?;
        entry.used = true;
        Some(Rc::clone(&entry.value))
    }

    /// Keeps a plan. One text of another shape with the same fingerprint takes the other's place.
    pub fn put(
        &mut self,
        fingerprint: Fingerprint,
        stripped: &[u8],
        database: &Rc<str>,
        mode: SqlMode,
        generation: u64,
        value: Rc<V>,
    ) {
        if stripped.len() > self.bytes_max || self.entries_max == 0 {
            return;
        }
        let key = Key { fingerprint, generation, mode, database: Rc::clone(database) };
        self.remove(&key);
        while self.entries.len() >= self.entries_max || self.bytes + stripped.len() > self.bytes_max {
            self.evict();
        }
        self.bytes += stripped.len();
        self.entries.insert(key, Entry { stripped: stripped.into(), value, used: false });
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
        self.hand = None;
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.stripped.len();
        }
    }

    /// Second chance: the hand goes round in key order, and takes the first entry that was not used since.
    fn evict(&mut self) {
        loop {
            let next = match &self.hand {
                Some(hand) => {
                    self.entries.range_mut((std::ops::Bound::Excluded(hand.clone()), std::ops::Bound::Unbounded)).next()
                }
                None => None,
            };
            let Some((key, entry)) = (match next {
                Some(found) => Some(found),
                None => self.entries.iter_mut().next(),
            }) else {
                return;
            };
            let key = key.clone();
            let used = std::mem::replace(&mut entry.used, false);
            self.hand = Some(key.clone());
            if !used {
                self.remove(&key);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(text: &str) -> Option<(String, Vec<ast::Literal>)> {
        let mut normal = Normal::default();
        normalize(text.as_bytes(), SqlMode::DEFAULT, &mut normal)?;
        let literals = normal.literals.iter().map(|literal| literal.value(text.as_bytes()).unwrap()).collect();
        Some((String::from_utf8(normal.stripped).unwrap(), literals))
    }

    #[test]
    fn literals_go_and_their_kinds_stay() {
        let string = |text: &str| ast::Literal::String { text: text.into(), introducer: None };
        assert_eq!(
            strip(r#"UPDATE t SET c='it''s', d="x\n", e = 1.50 WHERE id=5 and f<1e3; "#),
            Some((
                "UPDATE t SET c=\u{4}, d=\u{4}, e = \u{2} WHERE id=\u{1} and f<\u{3}".to_owned(),
                vec![
                    string("it's"),
                    string("x\n"),
                    ast::Literal::Decimal("1.50".into()),
                    ast::Literal::UInt(5),
                    ast::Literal::Double(1000.0),
                ]
            ))
        );
        assert_eq!(strip("SELECT c FROM sbtest1 WHERE id=5"), strip("SELECT c FROM sbtest1 WHERE id=5 ;"));
        let shape = |text: &str| strip(text).unwrap().0;
        assert_eq!(shape("select a1, `1x`.t2 from t where a=1"), "select a1, `1x`.t2 from t where a=\u{1}");
        assert_ne!(shape("select * from t where a=1"), shape("select * from t where a='1'"));
        assert_ne!(shape("select * from t where a=1"), shape("select * from t where a=1.0"));
        assert_ne!(shape("select * from t where a=-1"), shape("select * from t where a=1"));
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_parser() {
        for text in [
            "",
            "begin",
            "set autocommit=0",
            "selection",
            "select /* x */ 1",
            "select 1 -- x",
            "select 1 # x",
            "select 0x41",
            "select x'41'",
            "select _utf8mb4'a'",
            "select 'a' 'b'",
            "select .5",
            "select 'open",
            "select `open",
            "select 1; select 2",
            "select 1abc",
            "select @'a'",
            "show tables",
            "select \u{1}",
            "select 'a\\",
        ] {
            assert_eq!(strip(text), None, "{text}");
        }
        let mut normal = Normal::default();
        assert_eq!(normalize(b"select \"a\"", SqlMode::ANSI_QUOTES, &mut normal), None);
    }

    #[test]
    fn the_cache_is_bounded_and_exact() {
        let mut cache = PlanCache::new(3, 100);
        let database: Rc<str> = Rc::from("d");
        let put = |cache: &mut PlanCache<u32>, n: u64| {
            cache.put(Fingerprint(n), b"select 1", &database, SqlMode::DEFAULT, 1, Rc::new(n as u32));
        };
        let get = |cache: &mut PlanCache<u32>, n: u64, stripped: &[u8], generation: u64| {
            cache.get(Fingerprint(n), stripped, &database, SqlMode::DEFAULT, generation).map(|value| *value)
        };
        for n in 1..=3 {
            put(&mut cache, n);
        }
        assert_eq!(get(&mut cache, 1, b"select 1", 1), Some(1));
        assert_eq!(get(&mut cache, 1, b"select 2", 1), None, "another text with this hash");
        assert_eq!(get(&mut cache, 1, b"select 1", 2), None, "the catalogue has changed");
        put(&mut cache, 4);
        assert_eq!(cache.len(), 3);
        assert_eq!(get(&mut cache, 1, b"select 1", 1), Some(1), "used, so kept");
        assert_eq!(get(&mut cache, 2, b"select 1", 1), None);
        cache.put(Fingerprint(9), &[b'x'; 101], &database, SqlMode::DEFAULT, 1, Rc::new(9));
        assert_eq!(get(&mut cache, 9, &[b'x'; 101], 1), None, "too large to be kept");
        cache.put(Fingerprint(8), &[b'x'; 90], &database, SqlMode::DEFAULT, 1, Rc::new(8));
        assert_eq!(cache.len(), 2, "bytes are bounded too");
    }
}
