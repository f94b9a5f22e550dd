//! Text into [`crate::ast`]: one parser of our own for every statement.
//!
//! A parser library was tried on paper first and put aside for flaws, not for taste: `sqlparser`'s MySQL
//! dialect panics on `SELECT 1 DIV`, binds `DIV` more weakly than `+`, gives no place for most
//! expressions (result headings and MySQL's "near '...'" need them), takes text only (literals may hold
//! any bytes), and has no room for `UPDATE ... ORDER BY`, `FOR SHARE OF a, b` or introducers.
//!
//! Invariants: any bytes give a statement or an error, never a panic; recursion is at most
//! [`DEPTH_MAX`] levels; every error names the place where MySQL would.

mod admin;
mod ddl;
mod expr;
pub(crate) mod lex;
mod query;
mod reserved;
mod users;

#[cfg(test)]
mod tests;

use crate::ast::{ObjectName, Statement};
use crate::error::{self, SqlError};
use crate::sysvar::sql_mode::SqlMode;
use crate::value::{Level, Warning};
use lex::{Lexer, Op, Tok, Token};

pub(crate) use expr::number;
pub use lex::VERSION_ID;

/// How deeply a statement may be nested: parentheses, calls, subqueries, CASE. A level costs up to 45 KiB of
/// stack in an unoptimised build, where a thread has 2 MiB.
pub const DEPTH_MAX: usize = 32;

/// How long a chain of left-associative operators (`1+1+1...`) may be.
pub const CHAIN_MAX: usize = 1000;

/// A parsed statement and how many `?` it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The statement.
    pub statement: Statement,
    /// Number of parameters.
    pub params: u16,
    /// What MySQL says of its words each time that it is run.
    pub notes: Vec<Warning>,
}

/// Parses one statement; a single `;` may end it.
///
/// # Errors
/// 1064 with the place, 1235 for what MySQL has and Quorate has not, 1065 for nothing at all, 1300 for
/// an identifier that is no UTF-8, 1390 and 1436 at the bounds.
pub fn parse(text: &[u8], mode: SqlMode) -> Result<Statement, SqlError> {
    parse_with_params(text, mode).map(|parsed| parsed.statement)
}

/// A warning that a piece of syntax is deprecated.
pub(crate) fn deprecated(code: u16, message: impl Into<String>) -> Warning {
    Warning { level: Level::Warning, code, message: message.into() }
}

/// As [`parse`], with the number of `?`.
///
/// # Errors
/// As [`parse`].
pub fn parse_with_params(text: &[u8], mode: SqlMode) -> Result<Parsed, SqlError> {
    let lexed = lex::lex(text, mode)?;
    if lexed.tokens.len() == 1 {
        return if lexed.comments {
            Ok(Parsed { statement: Statement::Empty, params: 0, notes: Vec::new() })
        } else {
            Err(error::empty_query())
        };
    }
    let mut parser = Parser { text, tokens: &lexed.tokens, at: 0, mode, depth: 0, notes: Vec::new() };
    let statement = parser.statement()?;
    parser.op_if(Op::Semicolon);
    if parser.peek().tok != Tok::End {
        return Err(parser.unexpected());
    }
    let notes = std::mem::take(&mut parser.notes);
    Ok(Parsed { statement, params: lexed.params, notes })
}

/// Where the first statement of a multi-statement text ends: byte offsets of the end of its text
/// (without `;`) and of the beginning of the rest, or `None` when it is the only one.
#[must_use]
pub fn first_statement(text: &[u8], mode: SqlMode) -> Option<(usize, usize)> {
    memchr::memchr(b';', text)?;
    let mut lexer = Lexer::new(text, mode);
    let mut before: Option<Token> = None;
    loop {
        // An identifier that is no UTF-8 is for the parser to refuse.
        let token = lexer.next(before.as_ref()).ok()?;
        match token.tok {
            Tok::End | Tok::Bad => return None,
            Tok::Op(Op::Semicolon) => {
                let rest = token.end;
                let more = lexer.next(Some(&token)).map_or(true, |token| token.tok != Tok::End);
                return more.then_some((token.start, rest));
            }
            _ => before = Some(token),
        }
    }
}

/// Splits a multi-statement text. Each part is without its `;`; nothing follows the last one.
#[must_use]
pub fn split_statements(text: &[u8], mode: SqlMode) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((end, next)) = first_statement(rest, mode) {
        parts.push(&rest[..end]);
        rest = &rest[next..];
    }
    parts.push(rest);
    parts
}

/// Decodes a text that is one string literal, quotes and all, with backslash escapes.
pub(crate) fn one_string(text: &[u8]) -> Option<Vec<u8>> {
    match Lexer::new(text, SqlMode::EMPTY).next(None).ok()? {
        Token { tok: Tok::Str(bytes), end, .. } if end == text.len() => Some(bytes),
        _ => None,
    }
}

pub(crate) type Result1<T> = Result<T, SqlError>;

/// A place in the tokens of one statement.
pub(crate) struct Parser<'a> {
    text: &'a [u8],
    tokens: &'a [Token],
    at: usize,
    mode: SqlMode,
    depth: usize,
    notes: Vec<Warning>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &'a Token {
        &self.tokens[self.at]
    }

    fn peek_at(&self, ahead: usize) -> &'a Token {
        &self.tokens[(self.at + ahead).min(self.tokens.len() - 1)]
    }

    fn advance(&mut self) -> &'a Token {
        let token = &self.tokens[self.at];
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }

    /// Text of a token. Words and numbers are UTF-8 by the lexer's checks.
    fn text_of(&self, token: &Token) -> &'a str {
        std::str::from_utf8(&self.text[token.start..token.end]).unwrap_or("")
    }

    /// 1064 at the present token.
    fn unexpected(&self) -> SqlError {
        self.syntax_at(self.peek().start)
    }

    fn syntax_at(&self, start: usize) -> SqlError {
        let line = 1 + self.text[..start].iter().filter(|&&c| c == b'\n').count();
        let mut near = &self.text[start..];
        while let [rest @ .., 0] = near {
            near = rest;
        }
        error::syntax(near, line)
    }

    fn word_at(&self, ahead: usize) -> Option<&'a str> {
        let token = self.peek_at(ahead);
        (token.tok == Tok::Word).then(|| self.text_of(token))
    }

    fn is_kw_at(&self, ahead: usize, keyword: &str) -> bool {
        self.word_at(ahead).is_some_and(|word| word.eq_ignore_ascii_case(keyword))
    }

    fn is_kw(&self, keyword: &str) -> bool {
        self.is_kw_at(0, keyword)
    }

    fn kw_if(&mut self, keyword: &str) -> bool {
        let found = self.is_kw(keyword);
        if found {
            self.advance();
        }
        found
    }

    /// All of the words, or none consumed.
    fn kws_if(&mut self, keywords: &[&str]) -> bool {
        let found = keywords.iter().enumerate().all(|(ahead, keyword)| self.is_kw_at(ahead, keyword));
        if found {
            self.at += keywords.len();
        }
        found
    }

    fn one_of(&mut self, keywords: &[&'static str]) -> Option<&'static str> {
        let found = keywords.iter().find(|keyword| self.is_kw(keyword)).copied();
        if found.is_some() {
            self.advance();
        }
        found
    }

    fn kw(&mut self, keyword: &str) -> Result1<()> {
        if self.kw_if(keyword) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn is_op(&self, op: Op) -> bool {
        self.peek().tok == Tok::Op(op)
    }

    fn is_op_at(&self, ahead: usize, op: Op) -> bool {
        self.peek_at(ahead).tok == Tok::Op(op)
    }

    fn op_if(&mut self, op: Op) -> bool {
        let found = self.is_op(op);
        if found {
            self.advance();
        }
        found
    }

    fn op(&mut self, op: Op) -> Result1<()> {
        if self.op_if(op) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Something nested one level deeper.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result1<T>) -> Result1<T> {
        if self.depth >= DEPTH_MAX {
            return Err(error::too_deep(DEPTH_MAX));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn comma_list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result1<T>) -> Result1<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.op_if(Op::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn paren_list<T>(&mut self, item: impl FnMut(&mut Self) -> Result1<T>) -> Result1<Vec<T>> {
        self.op(Op::LParen)?;
        let items = self.comma_list(item)?;
        self.op(Op::RParen)?;
        Ok(items)
    }

    /// An identifier; a reserved word only in quotes.
    fn ident(&mut self) -> Result1<String> {
        match &self.peek().tok {
            Tok::Ident(name) => {
                self.advance();
                Ok(name.clone())
            }
            Tok::Word if !reserved::is_reserved(self.text_of(self.peek())) => {
                let token = self.advance();
                Ok(self.text_of(token).to_owned())
            }
            _ => Err(self.unexpected()),
        }
    }

    /// What follows a dot: any word is an identifier there.
    fn ident_after_dot(&mut self) -> Result1<String> {
        match &self.peek().tok {
            Tok::Word => {
                let token = self.advance();
                Ok(self.text_of(token).to_owned())
            }
            _ => self.ident(),
        }
    }

    fn object_name(&mut self) -> Result1<ObjectName> {
        let first = self.ident()?;
        if self.op_if(Op::Dot) {
            let name = self.ident_after_dot()?;
            return Ok(ObjectName { schema: Some(first), name });
        }
        Ok(ObjectName { schema: None, name: first })
    }

    /// A string literal that must be text.
    fn string(&mut self) -> Result1<String> {
        match &self.peek().tok {
            Tok::Str(bytes) => {
                let text = std::str::from_utf8(bytes).map_err(|_| error::invalid_utf8(bytes))?.to_owned();
                self.advance();
                Ok(text)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// A string literal or an identifier, as names of character sets and engines may be written.
    fn name_or_string(&mut self) -> Result1<String> {
        match &self.peek().tok {
            Tok::Str(_) => self.string(),
            // BINARY is reserved and a character set.
            Tok::Word if self.is_kw("binary") => {
                self.advance();
                Ok("binary".to_owned())
            }
            _ => self.ident(),
        }
    }

    /// An unsigned integer.
    fn uint(&mut self) -> Result1<u64> {
        let token = self.peek();
        if token.tok == Tok::Number(lex::NumberKind::Integer)
            && let Ok(number) = self.text_of(token).parse()
        {
            self.advance();
            return Ok(number);
        }
        Err(self.unexpected())
    }

    /// An unsigned integer of at most `max`.
    fn uint_up_to(&mut self, max: u64) -> Result1<u64> {
        let at = self.peek().start;
        let number = self.uint()?;
        if number > max { Err(self.syntax_at(at)) } else { Ok(number) }
    }

    fn if_exists(&mut self) -> bool {
        self.kws_if(&["IF", "EXISTS"])
    }

    fn if_not_exists(&mut self) -> bool {
        self.kws_if(&["IF", "NOT", "EXISTS"])
    }

    /// Notes that a piece of syntax is deprecated.
    fn deprecated(&mut self, code: u16, message: &str) {
        if self.notes.len() < CHAIN_MAX {
            self.notes.push(deprecated(code, message));
        }
    }

    fn unsupported<T>(&self, what: &str) -> Result1<T> {
        Err(error::not_supported(what))
    }

    fn statement(&mut self) -> Result1<Statement> {
        if self.is_op(Op::LParen) {
            return Ok(Statement::Select(Box::new(self.query()?)));
        }
        let Some(word) = self.word_at(0) else { return Err(self.unexpected()) };
        let upper = word.to_ascii_uppercase();
        match upper.as_str() {
            "SELECT" | "VALUES" | "TABLE" | "WITH" => Ok(Statement::Select(Box::new(self.query()?))),
            "INSERT" | "REPLACE" => self.insert(),
            "UPDATE" => self.update(),
            "DELETE" => self.delete(),
            "CREATE" => self.create(),
            "DROP" => self.drop_statement(),
            "ALTER" => self.alter(),
            "TRUNCATE" => self.truncate(),
            "RENAME" => self.rename(),
            "SET" => self.set(),
            "SHOW" => self.show(),
            "GRANT" => self.grant(),
            "REVOKE" => self.revoke(),
            "DESC" | "DESCRIBE" | "EXPLAIN" => self.describe(),
            _ => self.other(&upper),
        }
    }
}
