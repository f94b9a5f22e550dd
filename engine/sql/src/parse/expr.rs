//! Expressions, by MySQL's grammar: OR, XOR, AND, NOT, IS, comparison, predicate, bit expression.

use super::lex::{NumberKind, Op, Tok};
use super::{CHAIN_MAX, Parser, Result1};
use crate::ast::{
    BinaryOp, CastType, ColumnRef, Expr, Function, Literal, Scope, SystemVariable, TemporalKind, UnaryOp,
};
use crate::error;
use crate::sysvar::sql_mode::SqlMode;

/// Character sets that may introduce a literal.
const INTRODUCERS: [&str; 9] = ["utf8mb4", "utf8mb3", "utf8", "latin1", "ascii", "binary", "ucs2", "utf16", "utf32"];

/// Units of INTERVAL and EXTRACT.
const UNITS: [&str; 20] = [
    "MICROSECOND",
    "SECOND",
    "MINUTE",
    "HOUR",
    "DAY",
    "WEEK",
    "MONTH",
    "QUARTER",
    "YEAR",
    "SECOND_MICROSECOND",
    "MINUTE_MICROSECOND",
    "MINUTE_SECOND",
    "HOUR_MICROSECOND",
    "HOUR_SECOND",
    "HOUR_MINUTE",
    "DAY_MICROSECOND",
    "DAY_SECOND",
    "DAY_MINUTE",
    "DAY_HOUR",
    "YEAR_MONTH",
];

/// Reserved words that are functions when `(` follows.
const RESERVED_FUNCTIONS: [&str; 30] = [
    "IF",
    "LEFT",
    "RIGHT",
    "REPEAT",
    "REPLACE",
    "INSERT",
    "MOD",
    "CHAR",
    "DATABASE",
    "SCHEMA",
    "TRUNCATE",
    "FORMAT",
    "COALESCE",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "UTC_DATE",
    "UTC_TIME",
    "UTC_TIMESTAMP",
    "GROUPING",
    "RANK",
    "DENSE_RANK",
    "ROW_NUMBER",
    "LAG",
    "LEAD",
    "USER",
    "PASSWORD",
];

/// Functions that are called without parentheses too, and the name that they go by.
const BARE_FUNCTIONS: [(&str, &str); 9] = [
    ("CURRENT_DATE", "CURDATE"),
    ("CURRENT_TIME", "CURTIME"),
    ("CURRENT_TIMESTAMP", "NOW"),
    ("LOCALTIME", "NOW"),
    ("LOCALTIMESTAMP", "NOW"),
    ("CURRENT_USER", "CURRENT_USER"),
    ("UTC_DATE", "UTC_DATE"),
    ("UTC_TIME", "UTC_TIME"),
    ("UTC_TIMESTAMP", "UTC_TIMESTAMP"),
];

/// Joins operands of an associative operator as a balanced tree, so that `a OR b OR ...` of any length
/// stays shallow.
fn balanced(op: BinaryOp, mut operands: Vec<Expr>) -> Expr {
    if operands.len() == 1 {
        return operands.pop().expect("one operand is there");
    }
    let right = operands.split_off(operands.len() / 2);
    Expr::Binary(op, Box::new(balanced(op, operands)), Box::new(balanced(op, right)))
}

const NATIONAL: &str = "NATIONAL/NCHAR/NVARCHAR implies the character set UTF8MB3, which will be replaced by UTF8MB4 in a future release. Please consider using CHAR(x) CHARACTER SET UTF8MB4 in order to be unambiguous.";

/// Units that may be written with `SQL_TSI_` before them.
const UNITS_OF_OLD: [&str; 8] = ["SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"];

impl Parser<'_> {
    /// An expression.
    pub(crate) fn expr(&mut self) -> Result1<Expr> {
        self.nested(Self::expr_or)
    }

    fn expr_or(&mut self) -> Result1<Expr> {
        let mut operands = vec![self.expr_xor()?];
        while self.is_kw("OR") || (self.is_op(Op::PipePipe) && !self.mode.has(SqlMode::PIPES_AS_CONCAT)) {
            if self.is_op(Op::PipePipe) {
                let text = "'|| as a synonym for OR' is deprecated and will be removed in a future release. Please use OR instead";
                self.deprecated(1287, text);
            }
            self.advance();
            operands.push(self.expr_xor()?);
        }
        Ok(balanced(BinaryOp::Or, operands))
    }

    fn expr_xor(&mut self) -> Result1<Expr> {
        let mut left = self.expr_and()?;
        let mut chain = 0;
        while self.kw_if("XOR") {
            self.chain(&mut chain)?;
            left = Expr::Binary(BinaryOp::Xor, Box::new(left), Box::new(self.expr_and()?));
        }
        Ok(left)
    }

    fn expr_and(&mut self) -> Result1<Expr> {
        let mut operands = vec![self.expr_not()?];
        while self.is_kw("AND") || self.is_op(Op::AmpAmp) {
            self.advance();
            operands.push(self.expr_not()?);
        }
        Ok(balanced(BinaryOp::And, operands))
    }

    fn expr_not(&mut self) -> Result1<Expr> {
        if self.is_kw("NOT") && !self.mode.has(SqlMode::HIGH_NOT_PRECEDENCE) {
            self.advance();
            let operand = self.nested(Self::expr_not)?;
            return Ok(Expr::Unary(UnaryOp::Not, Box::new(operand)));
        }
        let mut expr = self.comparison()?;
        // IS TRUE binds more weakly than comparison; IS NULL as tightly.
        let mut chain = 0;
        while self.is_kw("IS") {
            self.chain(&mut chain)?;
            self.advance();
            let negated = self.kw_if("NOT");
            let truth = match self.one_of(&["TRUE", "FALSE", "UNKNOWN", "NULL"]) {
                Some("TRUE") => Some(true),
                Some("FALSE") => Some(false),
                Some("UNKNOWN") => None,
                Some(_) => {
                    expr = Expr::IsNull { expr: Box::new(expr), negated };
                    continue;
                }
                None => return Err(self.unexpected()),
            };
            expr = Expr::IsTruth { expr: Box::new(expr), truth, negated };
        }
        Ok(expr)
    }

    fn chain(&self, length: &mut usize) -> Result1<()> {
        *length += 1;
        if *length > CHAIN_MAX { Err(error::too_deep(CHAIN_MAX)) } else { Ok(()) }
    }

    fn comparison(&mut self) -> Result1<Expr> {
        let mut left = self.predicate()?;
        let mut chain = 0;
        loop {
            let op = match self.peek().tok {
                Tok::Op(Op::Eq) => BinaryOp::Eq,
                Tok::Op(Op::NullSafeEq) => BinaryOp::NullSafeEq,
                Tok::Op(Op::Ne) => BinaryOp::Ne,
                Tok::Op(Op::Lt) => BinaryOp::Lt,
                Tok::Op(Op::Le) => BinaryOp::Le,
                Tok::Op(Op::Gt) => BinaryOp::Gt,
                Tok::Op(Op::Ge) => BinaryOp::Ge,
                Tok::Word if self.is_kw("IS") => {
                    let ahead = if self.is_kw_at(1, "NOT") { 2 } else { 1 };
                    if !self.is_kw_at(ahead, "NULL") {
                        return Ok(left);
                    }
                    self.chain(&mut chain)?;
                    self.at += ahead + 1;
                    left = Expr::IsNull { expr: Box::new(left), negated: ahead == 2 };
                    continue;
                }
                _ => return Ok(left),
            };
            self.chain(&mut chain)?;
            self.advance();
            if (self.is_kw("ANY") || self.is_kw("SOME") || self.is_kw("ALL")) && self.is_op_at(1, Op::LParen) {
                let all = self.is_kw("ALL");
                self.at += 2;
                let select = Box::new(self.nested(Self::query)?);
                self.op(Op::RParen)?;
                left = Expr::Quantified { op, expr: Box::new(left), all, select };
                continue;
            }
            left = Expr::Binary(op, Box::new(left), Box::new(self.predicate()?));
        }
    }

    fn predicate(&mut self) -> Result1<Expr> {
        let expr = self.bit_expr(0)?;
        let negated = self.is_kw("NOT")
            && ["IN", "BETWEEN", "LIKE", "REGEXP", "RLIKE"].iter().any(|keyword| self.is_kw_at(1, keyword));
        if negated {
            self.advance();
        }
        let expr = Box::new(expr);
        if self.kw_if("IN") {
            self.op(Op::LParen)?;
            if self.at_query() {
                let select = Box::new(self.nested(Self::query)?);
                self.op(Op::RParen)?;
                return Ok(Expr::InSelect { expr, negated, select });
            }
            let list = self.comma_list(Self::expr)?;
            self.op(Op::RParen)?;
            return Ok(Expr::InList { expr, negated, list });
        }
        if self.kw_if("BETWEEN") {
            let low = Box::new(self.bit_expr(0)?);
            self.kw("AND")?;
            let high = Box::new(self.nested(Self::predicate)?);
            return Ok(Expr::Between { expr, negated, low, high });
        }
        if self.kw_if("LIKE") {
            let pattern = Box::new(self.bit_expr(0)?);
            let escape = if self.kw_if("ESCAPE") { Some(self.string()?) } else { None };
            return Ok(Expr::Like { expr, negated, pattern, escape });
        }
        if self.one_of(&["REGEXP", "RLIKE"]).is_some() {
            let pattern = Box::new(self.bit_expr(0)?);
            return Ok(Expr::Regexp { expr, negated, pattern });
        }
        if self.is_kw("SOUNDS") && self.is_kw_at(1, "LIKE") {
            return self.unsupported("SOUNDS LIKE");
        }
        if self.is_kw("MEMBER") && (self.is_kw_at(1, "OF") || self.is_op_at(1, Op::LParen)) {
            self.advance();
            self.kw_if("OF");
            self.op(Op::LParen)?;
            let array = Box::new(self.expr()?);
            self.op(Op::RParen)?;
            return Ok(Expr::MemberOf { expr, array });
        }
        Ok(*expr)
    }

    /// The operator here and its precedence within bit expressions.
    fn bit_operator(&self) -> Option<(BinaryOp, u8)> {
        Some(match self.peek().tok {
            Tok::Op(Op::Pipe) => (BinaryOp::BitOr, 1),
            Tok::Op(Op::Amp) => (BinaryOp::BitAnd, 2),
            Tok::Op(Op::ShiftLeft) => (BinaryOp::ShiftLeft, 3),
            Tok::Op(Op::ShiftRight) => (BinaryOp::ShiftRight, 3),
            Tok::Op(Op::Plus) => (BinaryOp::Add, 4),
            Tok::Op(Op::Minus) => (BinaryOp::Sub, 4),
            Tok::Op(Op::Star) => (BinaryOp::Mul, 5),
            Tok::Op(Op::Slash) => (BinaryOp::Div, 5),
            Tok::Op(Op::Percent) => (BinaryOp::Mod, 5),
            Tok::Op(Op::Caret) => (BinaryOp::BitXor, 6),
            Tok::Word if self.is_kw("DIV") => (BinaryOp::IntDiv, 5),
            Tok::Word if self.is_kw("MOD") => (BinaryOp::Mod, 5),
            _ => return None,
        })
    }

    fn bit_expr(&mut self, least: u8) -> Result1<Expr> {
        let mut left = self.unary()?;
        let mut chain = 0;
        while let Some((op, precedence)) = self.bit_operator() {
            if precedence <= least {
                break;
            }
            self.chain(&mut chain)?;
            self.advance();
            let right = self.nested(|parser| parser.bit_expr(precedence))?;
            left = Expr::Binary(op, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result1<Expr> {
        let op = match self.peek().tok {
            Tok::Op(Op::Minus) => UnaryOp::Minus,
            Tok::Op(Op::Plus) => UnaryOp::Plus,
            Tok::Op(Op::Tilde) => UnaryOp::BitNot,
            Tok::Op(Op::Bang) => {
                let text = "'!' is deprecated and will be removed in a future release. Please use NOT instead";
                self.deprecated(1287, text);
                UnaryOp::Not
            }
            Tok::Word if self.is_kw("NOT") && self.mode.has(SqlMode::HIGH_NOT_PRECEDENCE) => UnaryOp::Not,
            Tok::Word if self.is_kw("BINARY") => {
                self.advance();
                let operand = self.nested(Self::unary)?;
                let text =
                    "'BINARY expr' is deprecated and will be removed in a future release. Please use CAST instead";
                self.deprecated(1287, text);
                return Ok(Expr::BinaryOf(Box::new(operand)));
            }
            _ => return self.postfix(),
        };
        self.advance();
        let operand = self.nested(Self::unary)?;
        Ok(Expr::Unary(op, Box::new(operand)))
    }

    fn postfix(&mut self) -> Result1<Expr> {
        let mut expr = self.primary()?;
        let mut chain = 0;
        loop {
            if self.kw_if("COLLATE") {
                let collation = self.name_or_string()?.to_ascii_lowercase();
                expr = Expr::Collate { expr: Box::new(expr), collation };
            } else if self.is_op(Op::Arrow) || self.is_op(Op::ArrowText) {
                let op = if self.is_op(Op::Arrow) { BinaryOp::JsonGet } else { BinaryOp::JsonGetText };
                self.advance();
                let path = Expr::Literal(Literal::String { text: self.string()?, introducer: None });
                expr = Expr::Binary(op, Box::new(expr), Box::new(path));
            } else if self.is_op(Op::PipePipe) && self.mode.has(SqlMode::PIPES_AS_CONCAT) {
                self.advance();
                let right = self.nested(Self::unary)?;
                expr = Expr::Function(Function::call("CONCAT", vec![expr, right]));
            } else {
                return Ok(expr);
            }
            self.chain(&mut chain)?;
        }
    }

    pub(crate) fn at_query(&self) -> bool {
        let mut ahead = 0;
        while self.is_op_at(ahead, Op::LParen) {
            ahead += 1;
        }
        self.is_kw_at(ahead, "SELECT")
            || self.is_kw_at(ahead, "WITH")
            || (self.is_kw_at(ahead, "VALUES") && self.is_kw_at(ahead + 1, "ROW"))
            || (self.is_kw_at(ahead, "TABLE") && ahead == 0)
    }

    fn primary(&mut self) -> Result1<Expr> {
        let token = self.peek();
        match &token.tok {
            Tok::Number(_) | Tok::Str(_) | Tok::Hex(_) => Ok(Expr::Literal(self.literal()?)),
            Tok::Param(place) => {
                self.advance();
                Ok(Expr::Parameter(*place))
            }
            Tok::UserVar(name) => {
                self.advance();
                if self.op_if(Op::Assign) {
                    let value = self.expr()?;
                    let text = "Setting user variables within expressions is deprecated and will be removed in a future release. Consider alternatives: 'SET variable=expression, ...', or 'SELECT expression(s) INTO variables(s)'.";
                    self.deprecated(1287, text);
                    return Ok(Expr::AssignUserVariable(name.clone(), Box::new(value)));
                }
                Ok(Expr::UserVariable(name.clone()))
            }
            Tok::Op(Op::AtAt) => self.system_variable().map(Expr::SystemVariable),
            Tok::Op(Op::LParen) => self.parenthesized(),
            Tok::Op(Op::LBrace) => {
                self.advance();
                let kind = self.one_of(&["D", "T", "TS"]);
                let kind = match kind {
                    Some("D") => TemporalKind::Date,
                    Some("T") => TemporalKind::Time,
                    Some(_) => TemporalKind::Timestamp,
                    None => return Err(self.unexpected()),
                };
                let text = self.string()?;
                self.op(Op::RBrace)?;
                Ok(Expr::Literal(Literal::Temporal { kind, text }))
            }
            Tok::Ident(_) => self.name_or_call(),
            Tok::Word => self.word_expr(),
            _ => Err(self.unexpected()),
        }
    }

    fn parenthesized(&mut self) -> Result1<Expr> {
        if self.is_query_in_parens() {
            self.op(Op::LParen)?;
            let select = self.nested(Self::query)?;
            self.op(Op::RParen)?;
            return Ok(Expr::Subquery(Box::new(select)));
        }
        self.op(Op::LParen)?;
        let first = self.expr()?;
        if !self.is_op(Op::Comma) {
            self.op(Op::RParen)?;
            return Ok(first);
        }
        let mut items = vec![first];
        while self.op_if(Op::Comma) {
            items.push(self.expr()?);
        }
        self.op(Op::RParen)?;
        Ok(Expr::Row(items))
    }

    /// `(` and then a query, which may itself begin with parentheses: `((SELECT 1) UNION ...)`. A query
    /// in one more pair of parentheses than needed is a query all the same.
    fn is_query_in_parens(&self) -> bool {
        self.is_op(Op::LParen)
            && (self.is_kw_at(1, "SELECT")
                || self.is_kw_at(1, "WITH")
                || (self.is_kw_at(1, "VALUES") && self.is_kw_at(2, "ROW"))
                || self.is_kw_at(1, "TABLE"))
    }

    /// A literal, with adjacent strings joined.
    pub(crate) fn literal(&mut self) -> Result1<Literal> {
        let token = self.peek();
        match &token.tok {
            Tok::Number(kind) => {
                let text = self.text_of(token);
                let literal = number(text, *kind);
                if matches!(literal, Literal::Double(value) if !value.is_finite()) {
                    return Err(error::beyond_double(text));
                }
                self.advance();
                Ok(literal)
            }
            Tok::Hex(bytes) => {
                self.advance();
                Ok(Literal::Bytes { bytes: bytes.clone(), hex: true })
            }
            Tok::Str(_) => {
                let mut bytes = Vec::new();
                while let Tok::Str(part) = &self.peek().tok {
                    bytes.extend_from_slice(part);
                    self.advance();
                }
                Ok(string_literal(bytes, None))
            }
            _ => Err(self.unexpected()),
        }
    }

    pub(crate) fn system_variable(&mut self) -> Result1<SystemVariable> {
        self.op(Op::AtAt)?;
        let mut name = self.ident_after_dot()?;
        let mut scope = None;
        if self.is_op(Op::Dot) {
            scope = scope_word(&name);
            if scope.is_some() {
                self.advance();
                name = self.ident_after_dot()?;
            }
            if self.op_if(Op::Dot) {
                name = format!("{name}.{}", self.ident_after_dot()?);
            }
        }
        Ok(SystemVariable { scope, name })
    }

    fn word_expr(&mut self) -> Result1<Expr> {
        let word = self.text_of(self.peek());
        let upper = word.to_ascii_uppercase();
        let called = self.is_op_at(1, Op::LParen);
        match upper.as_str() {
            "NULL" | "TRUE" | "FALSE" => {
                self.advance();
                return Ok(Expr::Literal(match upper.as_str() {
                    "NULL" => Literal::Null,
                    upper => Literal::Bool(upper == "TRUE"),
                }));
            }
            "N" if matches!(self.peek_at(1).tok, Tok::Str(_)) && self.peek().end == self.peek_at(1).start => {
                self.advance();
                self.deprecated(3720, NATIONAL);
                return Ok(Expr::Literal(self.literal()?));
            }
            "CASE" => return self.case(),
            "CAST" if called => return self.cast(),
            "CONVERT" if called => return self.convert(),
            "INTERVAL" => return self.interval(),
            "EXISTS" if called => {
                self.at += 2;
                let select = Box::new(self.nested(Self::query)?);
                self.op(Op::RParen)?;
                return Ok(Expr::Exists { negated: false, select });
            }
            "ROW" if called => {
                self.advance();
                return Ok(Expr::Row(self.paren_list(Self::expr)?));
            }
            "DEFAULT" => {
                self.advance();
                if !self.op_if(Op::LParen) {
                    return Ok(Expr::Default(None));
                }
                let column = self.column_ref()?;
                self.op(Op::RParen)?;
                return Ok(Expr::Default(Some(column)));
            }
            "VALUES" if called => {
                self.at += 2;
                let column = self.column_ref()?;
                self.op(Op::RParen)?;
                let text = "'VALUES function' is deprecated and will be removed in a future release. Please use an alias (INSERT INTO ... VALUES (...) AS alias) and replace VALUES(col) in the ON DUPLICATE KEY UPDATE clause with alias.col instead";
                self.deprecated(1287, text);
                return Ok(Expr::InsertedValue(column));
            }
            "MATCH" if called => return self.unsupported("MATCH ... AGAINST"),
            "DATE" | "TIME" | "TIMESTAMP" if matches!(self.peek_at(1).tok, Tok::Str(_)) => {
                self.advance();
                let kind = match upper.as_str() {
                    "DATE" => TemporalKind::Date,
                    "TIME" => TemporalKind::Time,
                    _ => TemporalKind::Timestamp,
                };
                let text = self.string()?;
                return Ok(Expr::Literal(Literal::Temporal { kind, text }));
            }
            _ => {}
        }
        if let Some(charset) = word.strip_prefix('_').map(str::to_ascii_lowercase)
            && INTRODUCERS.contains(&charset.as_str())
            && matches!(self.peek_at(1).tok, Tok::Str(_) | Tok::Hex(_))
        {
            self.advance();
            let literal = match self.literal()? {
                Literal::String { text, .. } => string_literal(text.into_bytes(), Some(charset)),
                Literal::Bytes { bytes, .. } => string_literal(bytes, Some(charset)),
                other => other,
            };
            return Ok(Expr::Literal(literal));
        }
        if !called && let Some((_, name)) = BARE_FUNCTIONS.iter().find(|(word, _)| *word == upper) {
            self.advance();
            return Ok(Expr::Function(Function::call(*name, Vec::new())));
        }
        if called && RESERVED_FUNCTIONS.contains(&upper.as_str()) {
            self.advance();
            return self.call(None, upper);
        }
        self.name_or_call()
    }

    pub(crate) fn column_ref(&mut self) -> Result1<ColumnRef> {
        let first = self.ident()?;
        if !self.op_if(Op::Dot) {
            return Ok(ColumnRef::bare(first));
        }
        let second = self.ident_after_dot()?;
        if !self.op_if(Op::Dot) {
            return Ok(ColumnRef { schema: None, table: Some(first), column: second });
        }
        Ok(ColumnRef { schema: Some(first), table: Some(second), column: self.ident_after_dot()? })
    }

    fn name_or_call(&mut self) -> Result1<Expr> {
        if self.is_op_at(1, Op::LParen) {
            let name = self.ident()?.to_ascii_uppercase();
            return self.call(None, name);
        }
        if self.is_op_at(1, Op::Dot) && self.is_op_at(3, Op::LParen) {
            let schema = self.ident()?;
            self.op(Op::Dot)?;
            let name = self.ident_after_dot()?.to_ascii_uppercase();
            return self.call(Some(schema), name);
        }
        self.column_ref().map(Expr::Column)
    }

    /// At `(` of a call.
    fn call(&mut self, schema: Option<String>, name: String) -> Result1<Expr> {
        self.op(Op::LParen)?;
        let name = match name.as_str() {
            "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP" => "NOW".to_owned(),
            "CURRENT_DATE" => "CURDATE".to_owned(),
            "CURRENT_TIME" => "CURTIME".to_owned(),
            "SUBSTR" | "MID" => "SUBSTRING".to_owned(),
            "SESSION_USER" | "SYSTEM_USER" => "USER".to_owned(),
            "SCHEMA" => "DATABASE".to_owned(),
            _ => name,
        };
        let mut call = Function { schema, ..Function::call(name, Vec::new()) };
        match call.name.as_str() {
            "EXTRACT" => {
                let unit = self.unit()?;
                self.kw("FROM")?;
                call.args = vec![text_literal(unit), self.expr()?];
            }
            "POSITION" => {
                let what = self.bit_expr(0)?;
                self.kw("IN")?;
                call.name = "LOCATE".to_owned();
                call.args = vec![what, self.expr()?];
            }
            "TRIM" => self.trim(&mut call)?,
            "SUBSTRING" => {
                call.args.push(self.expr()?);
                if self.kw_if("FROM") {
                    call.args.push(self.expr()?);
                    if self.kw_if("FOR") {
                        call.args.push(self.expr()?);
                    }
                } else {
                    self.op(Op::Comma)?;
                    call.args.push(self.expr()?);
                    while self.op_if(Op::Comma) {
                        call.args.push(self.expr()?);
                    }
                }
            }
            "TIMESTAMPADD" | "TIMESTAMPDIFF" => {
                let old_name = self
                    .word_at(0)
                    .and_then(|word| word.to_ascii_uppercase().strip_prefix("SQL_TSI_").map(str::to_owned));
                let unit = match old_name.filter(|unit| UNITS_OF_OLD.contains(&unit.as_str())) {
                    Some(unit) => {
                        self.advance();
                        unit
                    }
                    None => self.unit()?,
                };
                call.args.push(text_literal(unit));
                while self.op_if(Op::Comma) {
                    call.args.push(self.expr()?);
                }
            }
            "COUNT" if self.is_op(Op::Star) => {
                self.advance();
                call.star = true;
            }
            _ => self.plain_arguments(&mut call)?,
        }
        if matches!(call.name.as_str(), "LEFT" | "RIGHT") && call.args.len() == 1 {
            return Err(self.unexpected());
        }
        if call.name == "JSON_VALUE" && self.kw_if("RETURNING") {
            let to = self.cast_type()?;
            self.op(Op::RParen)?;
            return Ok(Expr::Cast { expr: Box::new(Expr::Function(call)), to });
        }
        self.op(Op::RParen)?;
        if self.is_kw("OVER") {
            return self.unsupported("window functions");
        }
        Ok(Expr::Function(call))
    }

    fn plain_arguments(&mut self, call: &mut Function) -> Result1<()> {
        if self.is_op(Op::RParen) {
            return Ok(());
        }
        call.distinct = self.kw_if("DISTINCT");
        if !call.distinct {
            // ALL is what is done anyway.
            self.kw_if("ALL");
        }
        call.args = self.comma_list(Self::expr)?;
        if call.name == "GROUP_CONCAT" {
            if self.kws_if(&["ORDER", "BY"]) {
                call.order_by = self.comma_list(Self::order_item)?;
            }
            if self.kw_if("SEPARATOR") {
                call.separator = Some(self.string()?);
            }
        } else if call.name == "CHAR" && self.kw_if("USING") {
            self.name_or_string()?;
        }
        Ok(())
    }

    /// `TRIM([LEADING|TRAILING|BOTH] [what] FROM text)` as TRIM, LTRIM or RTRIM of (text[, what]).
    fn trim(&mut self, call: &mut Function) -> Result1<()> {
        let side = self.one_of(&["LEADING", "TRAILING", "BOTH"]);
        match side {
            Some("LEADING") => call.name = "LTRIM".to_owned(),
            Some("TRAILING") => call.name = "RTRIM".to_owned(),
            _ => {}
        }
        if side.is_some() && self.kw_if("FROM") {
            call.args = vec![self.expr()?];
            return Ok(());
        }
        let first = self.expr()?;
        if self.kw_if("FROM") {
            call.args = vec![self.expr()?, first];
        } else if side.is_some() {
            return Err(self.unexpected());
        } else {
            call.args = vec![first];
        }
        Ok(())
    }

    fn unit(&mut self) -> Result1<String> {
        match self.word_at(0).map(str::to_ascii_uppercase) {
            Some(word) if UNITS.contains(&word.as_str()) => {
                self.advance();
                Ok(word)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn interval(&mut self) -> Result1<Expr> {
        // INTERVAL(a, b, ...) is a function; INTERVAL (a) DAY is not.
        if self.is_op_at(1, Op::LParen) {
            let from = self.at;
            self.advance();
            let args = self.paren_list(Self::expr)?;
            if args.len() > 1 {
                return Ok(Expr::Function(Function::call("INTERVAL", args)));
            }
            self.at = from;
        }
        self.advance();
        let value = Box::new(self.expr()?);
        let unit = self.unit()?;
        Ok(Expr::Interval { value, unit })
    }

    fn case(&mut self) -> Result1<Expr> {
        self.kw("CASE")?;
        let operand = if self.is_kw("WHEN") { None } else { Some(Box::new(self.expr()?)) };
        let mut arms = Vec::new();
        while self.kw_if("WHEN") {
            let when = self.expr()?;
            self.kw("THEN")?;
            arms.push((when, self.expr()?));
        }
        if arms.is_empty() {
            return Err(self.unexpected());
        }
        let otherwise = if self.kw_if("ELSE") { Some(Box::new(self.expr()?)) } else { None };
        self.kw("END")?;
        Ok(Expr::Case { operand, arms, otherwise })
    }

    fn cast(&mut self) -> Result1<Expr> {
        self.at += 2;
        let expr = Box::new(self.expr()?);
        self.kw("AS")?;
        let to = self.cast_type()?;
        self.op(Op::RParen)?;
        Ok(Expr::Cast { expr, to })
    }

    fn convert(&mut self) -> Result1<Expr> {
        self.at += 2;
        let expr = Box::new(self.expr()?);
        let result = if self.kw_if("USING") {
            Expr::ConvertUsing { expr, charset: self.name_or_string()?.to_ascii_lowercase() }
        } else {
            self.op(Op::Comma)?;
            Expr::Cast { expr, to: self.cast_type()? }
        };
        self.op(Op::RParen)?;
        Ok(result)
    }

    fn precision(&mut self, max: u64) -> Result1<Option<u64>> {
        if !self.op_if(Op::LParen) {
            return Ok(None);
        }
        let value = self.uint_up_to(max)?;
        self.op(Op::RParen)?;
        Ok(Some(value))
    }

    fn cast_type(&mut self) -> Result1<CastType> {
        let Some(word) = self.word_at(0).map(str::to_ascii_uppercase) else { return Err(self.unexpected()) };
        let at = self.at;
        self.advance();
        let fraction = |precision: Option<u64>| precision.unwrap_or(0) as u8;
        Ok(match word.as_str() {
            "BINARY" => CastType::Binary(self.precision(u64::from(u32::MAX))?.map(|n| n as u32)),
            "CHAR" | "CHARACTER" | "NCHAR" => {
                if word == "NCHAR" {
                    self.deprecated(3720, NATIONAL);
                }
                let length = self.precision(u64::from(u32::MAX))?.map(|n| n as u32);
                let charset = if self.kws_if(&["CHARACTER", "SET"]) || self.kw_if("CHARSET") {
                    Some(self.name_or_string()?.to_ascii_lowercase())
                } else {
                    None
                };
                CastType::Char { length, charset }
            }
            "SIGNED" | "UNSIGNED" => {
                let _ = self.one_of(&["INTEGER", "INT"]);
                if word == "SIGNED" { CastType::Signed } else { CastType::Unsigned }
            }
            "DECIMAL" | "DEC" | "NUMERIC" => {
                let (mut precision, mut scale) = (None, None);
                if self.op_if(Op::LParen) {
                    precision = Some(self.uint_up_to(255)? as u8);
                    if self.op_if(Op::Comma) {
                        scale = Some(self.uint_up_to(255)? as u8);
                    }
                    self.op(Op::RParen)?;
                }
                CastType::Decimal(precision, scale)
            }
            "FLOAT" => match self.precision(53)? {
                Some(25..) => CastType::Double,
                _ => CastType::Float,
            },
            "DOUBLE" | "REAL" => {
                self.kw_if("PRECISION");
                CastType::Double
            }
            "DATE" => CastType::Date,
            "TIME" => CastType::Time(fraction(self.precision(6)?)),
            "DATETIME" => CastType::DateTime(fraction(self.precision(6)?)),
            "YEAR" => CastType::Year,
            "JSON" => CastType::Json,
            _ => {
                self.at = at;
                return Err(self.unexpected());
            }
        })
    }
}

/// GLOBAL, SESSION, LOCAL, PERSIST, PERSIST_ONLY.
pub(crate) fn scope_word(word: &str) -> Option<Scope> {
    match word.to_ascii_uppercase().as_str() {
        "GLOBAL" => Some(Scope::Global),
        "SESSION" | "LOCAL" => Some(Scope::Session),
        "PERSIST" => Some(Scope::Persist),
        "PERSIST_ONLY" => Some(Scope::PersistOnly),
        _ => None,
    }
}

pub(crate) fn text_literal(text: impl Into<String>) -> Expr {
    Expr::Literal(Literal::String { text: text.into(), introducer: None })
}

fn string_literal(bytes: Vec<u8>, introducer: Option<String>) -> Literal {
    if introducer.as_deref() == Some("binary") {
        return Literal::Bytes { bytes, hex: false };
    }
    match String::from_utf8(bytes) {
        Ok(text) => Literal::String { text, introducer },
        Err(error) => Literal::Bytes { bytes: error.into_bytes(), hex: false },
    }
}

/// A number as written; its kind as cut by the lexer.
pub(crate) fn number(text: &str, kind: NumberKind) -> Literal {
    match kind {
        NumberKind::Integer => match text.parse() {
            Ok(value) => Literal::UInt(value),
            Err(_) => Literal::Decimal(text.trim_start_matches('0').to_owned()),
        },
        NumberKind::Decimal => Literal::Decimal(text.to_owned()),
        NumberKind::Double => Literal::Double(text.parse().unwrap_or(f64::INFINITY)),
    }
}
