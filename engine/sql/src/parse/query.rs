//! SELECT and the statements that change rows.

use super::lex::{Op, Tok};
use super::{Parser, Result1};
use crate::ast::{
    Assignment, ColumnRef, CommonTable, Delete, Expr, IndexHint, IndexHintKind, Insert, InsertSource, JoinCondition,
    JoinKind, Limit, Literal, LockWait, Locking, ObjectName, OrderBy, Select, SelectItem, SetOp, Statement, TableRef,
    Union, Update,
};

/// Longest heading of a column that has no name, in bytes.
const HEADING_BYTES_MAX: usize = 255;

/// The heading that a text makes: its beginning, where it is long.
fn heading(text: &[u8]) -> String {
    let mut heading = String::from_utf8_lossy(&text[..text.len().min(HEADING_BYTES_MAX + 3)]).into_owned();
    let mut end = heading.len().min(HEADING_BYTES_MAX);
    while !heading.is_char_boundary(end) {
        end -= 1;
    }
    heading.truncate(end);
    heading
}

impl Parser<'_> {
    /// A query with everything around it: WITH, UNION, ORDER BY, LIMIT, locking.
    pub(crate) fn query(&mut self) -> Result1<Select> {
        self.nested(Self::query_inner)
    }

    fn query_inner(&mut self) -> Result1<Select> {
        let mut with = Vec::new();
        if self.kw_if("WITH") {
            let recursive = self.kw_if("RECURSIVE");
            with = self.comma_list(|parser| parser.common_table(recursive))?;
        }
        let mut select = self.query_term()?;
        while let Some(word) = self.one_of(&["UNION", "EXCEPT", "INTERSECT"]) {
            let op = match word {
                "UNION" => SetOp::Union,
                "EXCEPT" => SetOp::Except,
                _ => SetOp::Intersect,
            };
            let all = self.one_of(&["ALL", "DISTINCT"]) == Some("ALL");
            // What binds to one arm only (its own parentheses) keeps the arm apart.
            if !select.order_by.is_empty() || select.limit.is_some() {
                select = derived_arm(select);
            }
            let arm = self.query_term()?;
            select.unions.push(Union { all, op, select: arm });
            if select.unions.len() > super::CHAIN_MAX {
                return Err(crate::error::too_deep(super::CHAIN_MAX));
            }
        }
        self.query_tail(&mut select)?;
        if !with.is_empty() {
            with.append(&mut select.with);
            select.with = with;
        }
        Ok(select)
    }

    fn common_table(&mut self, recursive: bool) -> Result1<CommonTable> {
        let name = self.ident()?;
        let columns = if self.is_op(Op::LParen) { self.paren_list(Self::ident)? } else { Vec::new() };
        self.kw("AS")?;
        self.op(Op::LParen)?;
        let select = Box::new(self.query()?);
        self.op(Op::RParen)?;
        Ok(CommonTable { name, columns, select, recursive })
    }

    fn query_term(&mut self) -> Result1<Select> {
        if self.op_if(Op::LParen) {
            let select = self.query()?;
            self.op(Op::RParen)?;
            return Ok(select);
        }
        if self.kw_if("VALUES") {
            let values = self.comma_list(|parser| {
                parser.kw("ROW")?;
                parser.paren_list(Self::expr)
            })?;
            return Ok(Select { values, ..Select::default() });
        }
        if self.kw_if("TABLE") {
            let name = self.object_name()?;
            let from = vec![TableRef::Table { name, alias: None, hints: Vec::new() }];
            return Ok(Select { projection: vec![SelectItem::All], from, ..Select::default() });
        }
        self.select_core()
    }

    /// `SELECT` up to HAVING.
    fn select_core(&mut self) -> Result1<Select> {
        self.kw("SELECT")?;
        let mut select = Select::default();
        loop {
            match self.one_of(&[
                "ALL",
                "DISTINCT",
                "DISTINCTROW",
                "HIGH_PRIORITY",
                "STRAIGHT_JOIN",
                "SQL_SMALL_RESULT",
                "SQL_BIG_RESULT",
                "SQL_BUFFER_RESULT",
                "SQL_NO_CACHE",
                "SQL_CALC_FOUND_ROWS",
            ]) {
                Some("DISTINCT" | "DISTINCTROW") => select.distinct = true,
                Some("SQL_CALC_FOUND_ROWS") => {
                    select.calc_found_rows = true;
                    let text = "SQL_CALC_FOUND_ROWS is deprecated and will be removed in a future release. Consider using two separate queries instead.";
                    self.deprecated(1287, text);
                }
                Some(_) => {}
                None => break,
            }
        }
        select.projection = self.comma_list(Self::select_item)?;
        if self.is_kw("INTO") {
            return self.unsupported("SELECT ... INTO");
        }
        if self.kw_if("FROM") && !self.kw_if("DUAL") {
            select.from = self.table_refs()?;
        }
        if self.kw_if("WHERE") {
            select.filter = Some(self.expr()?);
        }
        if self.kws_if(&["GROUP", "BY"]) {
            select.group_by = self.comma_list(|parser| {
                let expr = parser.expr()?;
                let _ = parser.one_of(&["ASC", "DESC"]);
                Ok(expr)
            })?;
            select.rollup = self.kws_if(&["WITH", "ROLLUP"]);
        }
        if self.kw_if("HAVING") {
            select.having = Some(self.expr()?);
        }
        if self.is_kw("WINDOW") {
            return self.unsupported("WINDOW");
        }
        Ok(select)
    }

    fn query_tail(&mut self, select: &mut Select) -> Result1<()> {
        if self.is_kw("ORDER") || self.is_kw("LIMIT") {
            if !select.order_by.is_empty() || select.limit.is_some() {
                *select = derived_arm(std::mem::take(select));
            }
            if self.kws_if(&["ORDER", "BY"]) {
                select.order_by = self.comma_list(Self::order_item)?;
            }
            select.limit = self.limit()?;
        }
        if self.is_kw("INTO") {
            return self.unsupported("SELECT ... INTO");
        }
        if self.is_kw("PROCEDURE") {
            return Err(self.unexpected());
        }
        while self.is_kw("FOR") || (self.is_kw("LOCK") && self.is_kw_at(1, "IN")) {
            if self.kws_if(&["LOCK", "IN", "SHARE", "MODE"]) {
                select.locking = Some(Locking { exclusive: false, of: Vec::new(), wait: LockWait::Wait });
                continue;
            }
            self.kw("FOR")?;
            let exclusive = match self.one_of(&["UPDATE", "SHARE"]) {
                Some(word) => word == "UPDATE",
                None => return Err(self.unexpected()),
            };
            let of = if self.kw_if("OF") { self.comma_list(Self::ident)? } else { Vec::new() };
            let wait = if self.kw_if("NOWAIT") {
                LockWait::NoWait
            } else if self.kws_if(&["SKIP", "LOCKED"]) {
                LockWait::SkipLocked
            } else {
                LockWait::Wait
            };
            select.locking = Some(Locking { exclusive, of, wait });
        }
        Ok(())
    }

    fn select_item(&mut self) -> Result1<SelectItem> {
        if self.op_if(Op::Star) {
            return Ok(SelectItem::All);
        }
        let named = |ahead: usize| matches!(self.peek_at(ahead).tok, Tok::Word | Tok::Ident(_));
        if named(0) && self.is_op_at(1, Op::Dot) {
            if self.is_op_at(2, Op::Star) {
                let name = self.ident()?;
                self.at += 2;
                return Ok(SelectItem::AllOf(ObjectName::bare(name)));
            }
            if self.is_op_at(3, Op::Dot) && self.is_op_at(4, Op::Star) {
                let name = self.object_name()?;
                self.at += 2;
                return Ok(SelectItem::AllOf(name));
            }
        }
        let from = self.at;
        let expr = self.expr()?;
        let heading = match &expr {
            Expr::Column(column) => column.column.clone(),
            // Of several that stand together it is the first.
            Expr::Literal(Literal::String { introducer: None, text }) => match &self.tokens[from].tok {
                Tok::Str(bytes) => heading(bytes),
                _ => heading(text.as_bytes()),
            },
            Expr::Literal(Literal::String { text, .. }) => heading(text.as_bytes()),
            _ => heading(&self.text[self.tokens[from].start..self.tokens[self.at.max(1) - 1].end]),
        };
        let alias = self.select_alias()?;
        Ok(SelectItem::Expr { expr, alias, heading })
    }

    fn select_alias(&mut self) -> Result1<Option<String>> {
        let explicit = self.kw_if("AS");
        match &self.peek().tok {
            Tok::Str(_) => self.string().map(Some),
            Tok::Ident(_) => self.ident().map(Some),
            Tok::Word if explicit || !super::reserved::is_reserved(self.text_of(self.peek())) => self.ident().map(Some),
            _ if explicit => Err(self.unexpected()),
            _ => Ok(None),
        }
    }

    pub(crate) fn order_item(&mut self) -> Result1<OrderBy> {
        let expr = self.expr()?;
        let descending = self.one_of(&["ASC", "DESC"]) == Some("DESC");
        Ok(OrderBy { expr, descending })
    }

    fn limit_value(&mut self) -> Result1<Expr> {
        match &self.peek().tok {
            Tok::Param(place) => {
                self.advance();
                Ok(Expr::Parameter(*place))
            }
            _ => Ok(Expr::Literal(Literal::UInt(self.uint()?))),
        }
    }

    fn limit(&mut self) -> Result1<Option<Limit>> {
        if !self.kw_if("LIMIT") {
            return Ok(None);
        }
        let first = self.limit_value()?;
        if self.op_if(Op::Comma) {
            return Ok(Some(Limit { count: self.limit_value()?, offset: Some(first) }));
        }
        let offset = if self.kw_if("OFFSET") { Some(self.limit_value()?) } else { None };
        Ok(Some(Limit { count: first, offset }))
    }

    fn table_refs(&mut self) -> Result1<Vec<TableRef>> {
        self.comma_list(Self::table_ref)
    }

    fn table_ref(&mut self) -> Result1<TableRef> {
        self.nested(Self::joined_table)
    }

    fn joined_table(&mut self) -> Result1<TableRef> {
        let mut left = self.table_factor()?;
        let mut chain = 0usize;
        loop {
            let natural = self.kw_if("NATURAL");
            let kind = match self.one_of(&["INNER", "CROSS", "LEFT", "RIGHT", "JOIN", "STRAIGHT_JOIN"]) {
                Some("LEFT") => {
                    self.kw_if("OUTER");
                    self.kw("JOIN")?;
                    JoinKind::Left
                }
                Some("RIGHT") => {
                    self.kw_if("OUTER");
                    self.kw("JOIN")?;
                    JoinKind::Right
                }
                Some("INNER" | "CROSS") => {
                    self.kw("JOIN")?;
                    JoinKind::Inner
                }
                Some(_) => JoinKind::Inner,
                None if natural => return Err(self.unexpected()),
                None => return Ok(left),
            };
            chain += 1;
            if chain > super::DEPTH_MAX {
                return Err(crate::error::too_deep(super::DEPTH_MAX));
            }
            let right = self.table_factor()?;
            let on = if natural {
                JoinCondition::Natural
            } else if self.kw_if("ON") {
                JoinCondition::On(self.expr()?)
            } else if self.kw_if("USING") {
                JoinCondition::Using(self.paren_list(Self::ident)?)
            } else if kind == JoinKind::Inner {
                JoinCondition::None
            } else {
                return Err(self.unexpected());
            };
            left = TableRef::Join { left: Box::new(left), right: Box::new(right), kind, on };
        }
    }

    fn table_factor(&mut self) -> Result1<TableRef> {
        let lateral = self.kw_if("LATERAL");
        if self.is_op(Op::LParen) {
            if self.at_query() && !self.is_op_at(1, Op::LParen) {
                self.advance();
                let select = Box::new(self.query()?);
                self.op(Op::RParen)?;
                self.kw_if("AS");
                // 1248 in MySQL, which its grammar gives after the fact.
                let alias = self
                    .ident()
                    .map_err(|_| crate::error::error(1248, "Every derived table must have its own alias"))?;
                let columns = if self.is_op(Op::LParen) { self.paren_list(Self::ident)? } else { Vec::new() };
                return Ok(TableRef::Derived { select, alias, columns, lateral });
            }
            self.advance();
            let inner = self.table_refs()?;
            self.op(Op::RParen)?;
            return Ok(inner
                .into_iter()
                .reduce(|left, right| TableRef::Join {
                    left: Box::new(left),
                    right: Box::new(right),
                    kind: JoinKind::Inner,
                    on: JoinCondition::None,
                })
                .expect("a list has at least one item"));
        }
        let name = self.object_name()?;
        if self.is_kw("PARTITION") {
            return self.unsupported("PARTITION");
        }
        let alias = self.table_alias()?;
        let mut hints = Vec::new();
        loop {
            let kind = match self.word_at(0).map(str::to_ascii_uppercase).as_deref() {
                Some("USE") => IndexHintKind::Use,
                Some("FORCE") => IndexHintKind::Force,
                Some("IGNORE") => IndexHintKind::Ignore,
                _ => break,
            };
            self.advance();
            if self.one_of(&["INDEX", "KEY"]).is_none() {
                return Err(self.unexpected());
            }
            if self.kw_if("FOR")
                && !self.kw_if("JOIN")
                && !self.kws_if(&["ORDER", "BY"])
                && !self.kws_if(&["GROUP", "BY"])
            {
                return Err(self.unexpected());
            }
            self.op(Op::LParen)?;
            let mut names = Vec::new();
            while !self.op_if(Op::RParen) {
                names.push(if self.kw_if("PRIMARY") { "PRIMARY".to_owned() } else { self.ident()? });
                if !self.is_op(Op::RParen) {
                    self.op(Op::Comma)?;
                }
            }
            hints.push(IndexHint { kind, names });
        }
        Ok(TableRef::Table { name, alias, hints })
    }

    fn table_alias(&mut self) -> Result1<Option<String>> {
        let explicit = self.kw_if("AS");
        match &self.peek().tok {
            Tok::Ident(_) => self.ident().map(Some),
            Tok::Word if explicit || !super::reserved::is_reserved(self.text_of(self.peek())) => self.ident().map(Some),
            _ if explicit => Err(self.unexpected()),
            _ => Ok(None),
        }
    }

    /// An expression, or DEFAULT, as INSERT and UPDATE take it.
    fn value(&mut self) -> Result1<Expr> {
        self.expr()
    }

    fn assignment(&mut self) -> Result1<Assignment> {
        let column = self.column_ref()?;
        if !self.op_if(Op::Eq) && !self.op_if(Op::Assign) {
            return Err(self.unexpected());
        }
        Ok(Assignment { column, value: self.value()? })
    }

    fn row(&mut self) -> Result1<Vec<Expr>> {
        self.op(Op::LParen)?;
        if self.op_if(Op::RParen) {
            return Ok(Vec::new());
        }
        let values = self.comma_list(Self::value)?;
        self.op(Op::RParen)?;
        Ok(values)
    }

    pub(crate) fn insert(&mut self) -> Result1<Statement> {
        let replace = self.one_of(&["INSERT", "REPLACE"]) == Some("REPLACE");
        let _ = self.one_of(&["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY"]);
        let ignore = !replace && self.kw_if("IGNORE");
        self.kw_if("INTO");
        let table = self.object_name()?;
        if self.is_kw("PARTITION") {
            return self.unsupported("PARTITION");
        }
        let mut columns = Vec::new();
        let mut listed = false;
        if self.is_op(Op::LParen) && !self.at_query() {
            self.advance();
            listed = true;
            if !self.op_if(Op::RParen) {
                columns = self.comma_list(|parser| parser.column_ref().map(|column| column.column))?;
                self.op(Op::RParen)?;
            }
        }
        let source = if self.one_of(&["VALUES", "VALUE"]).is_some() {
            let row_word = self.is_kw("ROW");
            InsertSource::Rows(self.comma_list(|parser| {
                if row_word {
                    parser.kw("ROW")?;
                }
                parser.row()
            })?)
        } else if !listed && self.kw_if("SET") {
            let set = self.comma_list(Self::assignment)?;
            let mut row = Vec::with_capacity(set.len());
            for Assignment { column: ColumnRef { column, .. }, value } in set {
                columns.push(column);
                row.push(value);
            }
            InsertSource::Rows(vec![row])
        } else if self.at_query() {
            InsertSource::Select(Box::new(self.query()?))
        } else {
            return Err(self.unexpected());
        };
        let mut row_alias = None;
        if self.kw_if("AS") {
            let alias = self.ident()?;
            let names = if self.is_op(Op::LParen) { self.paren_list(Self::ident)? } else { Vec::new() };
            row_alias = Some((alias, names));
        }
        let mut on_duplicate = Vec::new();
        if !replace && self.kws_if(&["ON", "DUPLICATE", "KEY", "UPDATE"]) {
            on_duplicate = self.comma_list(Self::assignment)?;
        }
        Ok(Statement::Insert(Box::new(Insert { replace, ignore, table, columns, source, on_duplicate, row_alias })))
    }

    pub(crate) fn update(&mut self) -> Result1<Statement> {
        self.kw("UPDATE")?;
        self.kw_if("LOW_PRIORITY");
        let ignore = self.kw_if("IGNORE");
        let from = self.table_refs()?;
        self.kw("SET")?;
        let set = self.comma_list(Self::assignment)?;
        let filter = if self.kw_if("WHERE") { Some(self.expr()?) } else { None };
        let (order_by, limit) = self.change_tail()?;
        Ok(Statement::Update(Box::new(Update { ignore, from, set, filter, order_by, limit })))
    }

    fn change_tail(&mut self) -> Result1<(Vec<OrderBy>, Option<Expr>)> {
        let order_by = if self.kws_if(&["ORDER", "BY"]) { self.comma_list(Self::order_item)? } else { Vec::new() };
        let limit = if self.kw_if("LIMIT") { Some(self.limit_value()?) } else { None };
        Ok((order_by, limit))
    }

    pub(crate) fn delete(&mut self) -> Result1<Statement> {
        self.kw("DELETE")?;
        let mut ignore = false;
        while let Some(word) = self.one_of(&["LOW_PRIORITY", "QUICK", "IGNORE"]) {
            ignore |= word == "IGNORE";
        }
        let target = |parser: &mut Self| {
            let name = parser.object_name()?;
            if parser.op_if(Op::Dot) {
                parser.op(Op::Star)?;
            }
            Ok(name)
        };
        let mut targets = Vec::new();
        let from = if self.kw_if("FROM") {
            let place = self.at;
            let names = self.comma_list(target)?;
            if self.kw_if("USING") {
                targets = names;
            } else {
                self.at = place;
            }
            self.table_refs()?
        } else {
            targets = self.comma_list(target)?;
            self.kw("FROM")?;
            self.table_refs()?
        };
        let filter = if self.kw_if("WHERE") { Some(self.expr()?) } else { None };
        let (order_by, limit) = self.change_tail()?;
        Ok(Statement::Delete(Box::new(Delete { ignore, targets, from, filter, order_by, limit })))
    }
}

/// `(SELECT .. LIMIT 1) UNION ..`: the arm in its parentheses, as a derived table of its own.
fn derived_arm(select: Select) -> Select {
    let from =
        vec![TableRef::Derived { select: Box::new(select), alias: String::new(), columns: Vec::new(), lateral: false }];
    Select { projection: vec![SelectItem::All], from, ..Select::default() }
}
