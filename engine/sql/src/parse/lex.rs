//! Text into tokens, as MySQL cuts it: strings with escapes, backticks, comments, executable comments,
//! numbers against identifiers that begin with digits. Any bytes are legal input.

use crate::error::{self, SqlError};
use crate::sysvar::sql_mode::SqlMode;

/// The version up to which `/*!NNNNN ... */` is run.
pub const VERSION_ID: u32 = 80_036;

/// Punctuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    LParen,
    RParen,
    Comma,
    Dot,
    Semicolon,
    Eq,
    NullSafeEq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    ShiftLeft,
    ShiftRight,
    Pipe,
    PipePipe,
    Amp,
    AmpAmp,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Caret,
    Tilde,
    Bang,
    Assign,
    Arrow,
    ArrowText,
    At,
    AtAt,
    Colon,
    LBrace,
    RBrace,
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberKind {
    /// Digits only.
    Integer,
    /// With a point.
    Decimal,
    /// With an exponent.
    Double,
}

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tok {
    /// End of the statement.
    End,
    /// An unquoted word: keyword or identifier.
    Word,
    /// A quoted identifier, decoded.
    Ident(String),
    /// A string literal, decoded.
    Str(Vec<u8>),
    /// A number; its text is the source.
    Number(NumberKind),
    /// `x'..'`, `0x..`, `b'..'`, `0b..`.
    Hex(Vec<u8>),
    /// `?`, by its place from 0.
    Param(u16),
    /// `@name`.
    UserVar(String),
    /// Punctuation.
    Op(Op),
    /// Something that no statement can hold, such as an open string.
    Bad,
}

/// A token and where it stands, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    /// What.
    pub(crate) tok: Tok,
    /// First byte.
    pub(crate) start: usize,
    /// After its last byte.
    pub(crate) end: usize,
}

/// What a text was cut into.
pub(crate) struct Lexed {
    /// Tokens; the last is `End`.
    pub(crate) tokens: Vec<Token>,
    /// Whether a comment was skipped.
    pub(crate) comments: bool,
    /// Number of `?`.
    pub(crate) params: u16,
}

/// Whether a byte may stand in an unquoted identifier.
pub(crate) const fn is_word(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_' || c == b'$' || c >= 0x80
}

/// Whether a byte separates tokens.
pub(crate) const fn is_blank(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

pub(crate) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    mode: SqlMode,
    /// Inside `/*! ... */` whose content is run.
    executing: bool,
    comments: bool,
    params: u16,
}

/// What skipping blanks and comments met.
enum Skipped {
    Ok,
    /// A comment that never ends begins here.
    Open(usize),
}

impl<'a> Lexer<'a> {
    pub(crate) const fn new(text: &'a [u8], mode: SqlMode) -> Self {
        Self { text, at: 0, mode, executing: false, comments: false, params: 0 }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip(&mut self) -> Skipped {
        while self.at < self.text.len() {
            let c = self.text[self.at];
            if is_blank(c) {
                self.at += 1;
            } else if c == b'#' || (c == b'-' && self.peek(1) == b'-' && self.dashes_comment()) {
                self.comments = true;
                while self.at < self.text.len() && self.text[self.at] != b'\n' {
                    self.at += 1;
                }
            } else if c == b'/' && self.peek(1) == b'*' {
                self.comments = true;
                if self.peek(2) == b'!' && self.enter_executable() {
                    continue;
                }
                let start = self.at;
                if !self.skip_comment() {
                    return Skipped::Open(start);
                }
            } else if c == b'*' && self.peek(1) == b'/' && self.executing {
                self.executing = false;
                self.at += 2;
            } else {
                break;
            }
        }
        Skipped::Ok
    }

    fn dashes_comment(&self) -> bool {
        self.at + 2 >= self.text.len() || is_blank(self.text[self.at + 2]) || self.text[self.at + 2] < 0x20
    }

    /// At `/*!`: steps inside when the content is to be run.
    fn enter_executable(&mut self) -> bool {
        let digits = self.text[self.at + 3..].iter().take(6).take_while(|c| c.is_ascii_digit()).count();
        // Five digits, or six (from 8.0 on); fewer are no version but the beginning of the content.
        let digits = if digits >= 5 { digits } else { 0 };
        let version = self.text[self.at + 3..self.at + 3 + digits]
            .iter()
            .fold(0u32, |version, digit| version * 10 + u32::from(digit - b'0'));
        if version > VERSION_ID {
            return false;
        }
        self.at += 3 + digits;
        self.executing = true;
        true
    }

    /// At `/*`: steps behind the end, counting comments inside as MySQL does for skipped versions.
    fn skip_comment(&mut self) -> bool {
        let nests = self.peek(2) == b'!';
        let mut depth = 1;
        self.at += 2;
        while self.at < self.text.len() {
            if self.text[self.at] == b'*' && self.peek(1) == b'/' {
                self.at += 2;
                depth -= 1;
                if depth == 0 {
                    return true;
                }
            } else if nests && self.text[self.at] == b'/' && self.peek(1) == b'*' {
                self.at += 2;
                depth += 1;
            } else {
                self.at += 1;
            }
        }
        false
    }

    /// The next token.
    pub(crate) fn next(&mut self, before: Option<&Token>) -> Result<Token, SqlError> {
        if let Skipped::Open(start) = self.skip() {
            self.at = self.text.len();
            return Ok(Token { tok: Tok::Bad, start, end: self.at });
        }
        let start = self.at;
        let tok = self.cut(before)?;
        Ok(Token { tok, start, end: self.at })
    }

    fn cut(&mut self, before: Option<&Token>) -> Result<Tok, SqlError> {
        if self.at >= self.text.len() {
            return Ok(Tok::End);
        }
        let c = self.text[self.at];
        // A NUL ends the text where nothing follows (mysqlslap sends one); else no statement holds it.
        if c == 0 && self.text[self.at..].iter().all(|&c| c == 0 || is_blank(c)) {
            self.at = self.text.len();
            return Ok(Tok::End);
        }
        let after_dot = before.is_some_and(|token| token.tok == Tok::Op(Op::Dot) && token.end == self.at && is_word(c));
        if after_dot {
            return self.word();
        }
        match c {
            b'\'' => Ok(self.quoted(b'\'').map_or(Tok::Bad, Tok::Str)),
            b'"' if self.mode.has(SqlMode::ANSI_QUOTES) => self.quoted_ident(b'"'),
            b'"' => Ok(self.quoted(b'"').map_or(Tok::Bad, Tok::Str)),
            b'`' => self.quoted_ident(b'`'),
            b'x' | b'X' if self.peek(1) == b'\'' => Ok(self.radix_string(16)),
            b'b' | b'B' if self.peek(1) == b'\'' => Ok(self.radix_string(2)),
            b'0'..=b'9' => self.number(),
            b'.' if self.peek(1).is_ascii_digit() && !ends_name(before, self.at) => self.number(),
            b'$' if self.peek(1) == b'$' => Ok(self.rest_is_bad()),
            b'@' => self.at_sign(),
            b'?' => {
                self.at += 1;
                let place = self.params;
                self.params = self.params.checked_add(1).ok_or_else(error::too_many_parameters)?;
                Ok(Tok::Param(place))
            }
            c if is_word(c) => self.word(),
            _ => Ok(self.op()),
        }
    }

    fn rest_is_bad(&mut self) -> Tok {
        self.at = self.text.len();
        Tok::Bad
    }

    fn word(&mut self) -> Result<Tok, SqlError> {
        let start = self.at;
        while self.at < self.text.len() && is_word(self.text[self.at]) {
            self.at += 1;
        }
        utf8(&self.text[start..self.at])?;
        Ok(Tok::Word)
    }

    /// At an opening quote: the decoded content, or `None` (and the end of the text) for an open string.
    fn quoted(&mut self, quote: u8) -> Option<Vec<u8>> {
        let escapes = quote != b'`' && !self.mode.has(SqlMode::NO_BACKSLASH_ESCAPES);
        let mut out = Vec::new();
        self.at += 1;
        loop {
            let mut c = *self.text.get(self.at)?;
            if c != quote && !(escapes && c == b'\\') {
                // What needs no look is copied in one go.
                let rest = &self.text[self.at..];
                let plain = if escapes { memchr::memchr2(quote, b'\\', rest)? } else { memchr::memchr(quote, rest)? };
                out.extend_from_slice(&rest[..plain]);
                self.at += plain;
                c = self.text[self.at];
            }
            self.at += 1;
            if c == quote {
                if self.peek(0) != quote || self.at >= self.text.len() {
                    return Some(out);
                }
                self.at += 1;
                out.push(quote);
            } else {
                let escaped = *self.text.get(self.at)?;
                self.at += 1;
                match escaped {
                    b'0' => out.push(0),
                    b'b' => out.push(8),
                    b'n' => out.push(b'\n'),
                    b'r' => out.push(b'\r'),
                    b't' => out.push(b'\t'),
                    b'Z' => out.push(26),
                    // Kept for LIKE to see.
                    b'%' | b'_' => out.extend([b'\\', escaped]),
                    other => out.push(other),
                }
            }
        }
    }

    fn quoted_ident(&mut self, quote: u8) -> Result<Tok, SqlError> {
        let mode = self.mode;
        self.mode = SqlMode(mode.0 | SqlMode::NO_BACKSLASH_ESCAPES.0);
        let bytes = self.quoted(quote);
        self.mode = mode;
        match bytes {
            None => Ok(Tok::Bad),
            Some(bytes) => Ok(Tok::Ident(utf8(&bytes)?.to_owned())),
        }
    }

    fn radix_string(&mut self, radix: u32) -> Tok {
        self.at += 2;
        let start = self.at;
        let rest = &self.text[start..];
        self.at = start + rest.iter().position(|&c| c == b'\'').unwrap_or(rest.len());
        let digits = &self.text[start..self.at];
        if self.at >= self.text.len() || (radix == 16 && !digits.len().is_multiple_of(2)) {
            return self.rest_is_bad();
        }
        self.at += 1;
        radix_bytes(digits, radix).map_or(Tok::Bad, Tok::Hex)
    }

    fn number(&mut self) -> Result<Tok, SqlError> {
        let start = self.at;
        let radix = match (self.peek(0), self.peek(1)) {
            (b'0', b'x') => 16,
            (b'0', b'b') => 2,
            _ => 0,
        };
        if radix != 0 {
            let digits = self.text[start + 2..].iter().take_while(|&&c| is_word(c)).count();
            if let Some(bytes) = radix_bytes(&self.text[start + 2..start + 2 + digits], radix).filter(|_| digits > 0) {
                self.at += 2 + digits;
                return Ok(Tok::Hex(bytes));
            }
            return self.word();
        }
        let mut kind = NumberKind::Integer;
        self.digits();
        if self.peek(0) == b'.' && self.at < self.text.len() {
            kind = NumberKind::Decimal;
            self.at += 1;
            self.digits();
        }
        if matches!(self.peek(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if self.peek(1 + sign).is_ascii_digit() {
                kind = NumberKind::Double;
                self.at += 1 + sign;
                self.digits();
            }
        }
        if kind == NumberKind::Integer && self.at < self.text.len() && is_word(self.text[self.at]) {
            self.at = start;
            return self.word();
        }
        Ok(Tok::Number(kind))
    }

    fn digits(&mut self) {
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
    }

    fn at_sign(&mut self) -> Result<Tok, SqlError> {
        self.at += 1;
        match self.peek(0) {
            b'@' => {
                self.at += 1;
                Ok(Tok::Op(Op::AtAt))
            }
            quote @ (b'\'' | b'"' | b'`') => match self.quoted(quote) {
                None => Ok(Tok::Bad),
                Some(bytes) => Ok(Tok::UserVar(utf8(&bytes)?.to_owned())),
            },
            c if (is_word(c) || c == b'.') && self.at < self.text.len() => {
                let start = self.at;
                while self.at < self.text.len() && (is_word(self.text[self.at]) || self.text[self.at] == b'.') {
                    self.at += 1;
                }
                Ok(Tok::UserVar(utf8(&self.text[start..self.at])?.to_owned()))
            }
            _ => Ok(Tok::Op(Op::At)),
        }
    }

    fn op(&mut self) -> Tok {
        let (op, length) = match (self.peek(0), self.peek(1), self.peek(2)) {
            (b'<', b'=', b'>') => (Op::NullSafeEq, 3),
            (b'-', b'>', b'>') => (Op::ArrowText, 3),
            (b'<', b'=', _) => (Op::Le, 2),
            (b'<', b'>', _) | (b'!', b'=', _) => (Op::Ne, 2),
            (b'<', b'<', _) => (Op::ShiftLeft, 2),
            (b'>', b'=', _) => (Op::Ge, 2),
            (b'>', b'>', _) => (Op::ShiftRight, 2),
            (b'-', b'>', _) => (Op::Arrow, 2),
            (b':', b'=', _) => (Op::Assign, 2),
            (b'|', b'|', _) => (Op::PipePipe, 2),
            (b'&', b'&', _) => (Op::AmpAmp, 2),
            (b'(', ..) => (Op::LParen, 1),
            (b')', ..) => (Op::RParen, 1),
            (b',', ..) => (Op::Comma, 1),
            (b'.', ..) => (Op::Dot, 1),
            (b';', ..) => (Op::Semicolon, 1),
            (b'=', ..) => (Op::Eq, 1),
            (b'<', ..) => (Op::Lt, 1),
            (b'>', ..) => (Op::Gt, 1),
            (b'|', ..) => (Op::Pipe, 1),
            (b'&', ..) => (Op::Amp, 1),
            (b'+', ..) => (Op::Plus, 1),
            (b'-', ..) => (Op::Minus, 1),
            (b'*', ..) => (Op::Star, 1),
            (b'/', ..) => (Op::Slash, 1),
            (b'%', ..) => (Op::Percent, 1),
            (b'^', ..) => (Op::Caret, 1),
            (b'~', ..) => (Op::Tilde, 1),
            (b'!', ..) => (Op::Bang, 1),
            (b':', ..) => (Op::Colon, 1),
            (b'{', ..) => (Op::LBrace, 1),
            (b'}', ..) => (Op::RBrace, 1),
            _ => {
                self.at += 1;
                return Tok::Bad;
            }
        };
        self.at += length;
        Tok::Op(op)
    }
}

/// Whether a `.` here continues a name.
fn ends_name(before: Option<&Token>, at: usize) -> bool {
    before.is_some_and(|token| token.end == at && matches!(token.tok, Tok::Word | Tok::Ident(_)))
}

fn radix_bytes(digits: &[u8], radix: u32) -> Option<Vec<u8>> {
    if radix == 16 {
        return hex_bytes(digits);
    }
    let per_byte = 8;
    let mut out = Vec::with_capacity(digits.len() / per_byte + 1);
    let mut byte = 0u32;
    for (place, &digit) in digits.iter().enumerate() {
        byte = byte * radix + (digit as char).to_digit(radix)?;
        if (digits.len() - place - 1).is_multiple_of(per_byte) {
            out.push(byte as u8);
            byte = 0;
        }
    }
    Some(out)
}

/// Drivers send blobs so, by the megabyte.
fn hex_bytes(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        b'A'..=b'F' => Some(c - b'A' + 10),
        _ => None,
    };
    let mut out = Vec::with_capacity(digits.len() / 2 + 1);
    let (first, pairs) = digits.split_at(digits.len() % 2);
    for &c in first {
        out.push(digit(c)?);
    }
    for pair in pairs.chunks_exact(2) {
        out.push(digit(pair[0])? << 4 | digit(pair[1])?);
    }
    Some(out)
}

fn utf8(bytes: &[u8]) -> Result<&str, SqlError> {
    std::str::from_utf8(bytes).map_err(|_| error::invalid_utf8(bytes))
}

/// Cuts a whole statement.
pub(crate) fn lex(text: &[u8], mode: SqlMode) -> Result<Lexed, SqlError> {
    let mut lexer = Lexer::new(text, mode);
    let mut tokens: Vec<Token> = Vec::with_capacity(text.len() / 5 + 2);
    loop {
        let token = lexer.next(tokens.last())?;
        let end = token.tok == Tok::End;
        tokens.push(token);
        if end {
            return Ok(Lexed { tokens, comments: lexer.comments, params: lexer.params });
        }
    }
}
