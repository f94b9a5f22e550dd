//! SET, SHOW, transaction control, replication and administration.

use super::expr::{scope_word, text_literal};
use super::lex::{Op, Tok};
use super::{Parser, Result1};
use crate::ast::{
    ChangeSource, EventRange, Expr, FlushWhat, Isolation, Maintenance, ReplicaThreads, Scope, SetItem, Show,
    ShowFilter, SourceValue, Statement, SystemVariable, TableLock,
};

impl Parser<'_> {
    /// Statements that do not begin with one of the words that [`Parser::statement`] knows.
    pub(crate) fn other(&mut self, upper: &str) -> Result1<Statement> {
        match upper {
            "BEGIN" => {
                self.advance();
                self.kw_if("WORK");
                Ok(Statement::Begin { consistent_snapshot: false, read_only: None })
            }
            "START" => self.start(),
            "STOP" => self.stop(),
            "COMMIT" => {
                self.advance();
                let (chain, release) = self.completion()?;
                Ok(Statement::Commit { chain, release })
            }
            "ROLLBACK" => self.rollback(),
            "SAVEPOINT" => {
                self.advance();
                self.ident().map(Statement::Savepoint)
            }
            "RELEASE" => {
                self.advance();
                self.kw("SAVEPOINT")?;
                self.ident().map(Statement::ReleaseSavepoint)
            }
            "LOCK" => self.lock(),
            "UNLOCK" => {
                self.advance();
                if self.kw_if("INSTANCE") {
                    return Ok(Statement::UnlockInstance);
                }
                match self.one_of(&["TABLES", "TABLE"]) {
                    Some(_) => Ok(Statement::UnlockTables),
                    None => Err(self.unexpected()),
                }
            }
            "USE" => {
                self.advance();
                self.ident().map(Statement::Use)
            }
            "DO" => {
                self.advance();
                self.comma_list(Self::expr).map(Statement::Do)
            }
            "KILL" => {
                self.advance();
                let query = self.one_of(&["QUERY", "CONNECTION"]) == Some("QUERY");
                Ok(Statement::Kill { query, id: self.expr()? })
            }
            "FLUSH" => self.flush(),
            "SHUTDOWN" => {
                self.advance();
                Ok(Statement::Shutdown)
            }
            "RESTART" => {
                self.advance();
                Ok(Statement::Restart)
            }
            "PREPARE" => {
                self.advance();
                let name = self.ident()?;
                self.kw("FROM")?;
                let from = match &self.peek().tok {
                    Tok::Str(_) => Expr::Literal(self.literal()?),
                    Tok::UserVar(name) => {
                        self.advance();
                        Expr::UserVariable(name.clone())
                    }
                    _ => return Err(self.unexpected()),
                };
                Ok(Statement::Prepare { name, from })
            }
            "EXECUTE" => {
                self.advance();
                let name = self.ident()?;
                let using = if self.kw_if("USING") { self.comma_list(Self::user_variable)? } else { Vec::new() };
                Ok(Statement::Execute { name, using })
            }
            "DEALLOCATE" => {
                self.advance();
                self.kw("PREPARE")?;
                self.ident().map(Statement::Deallocate)
            }
            "CHANGE" => self.change(),
            "RESET" => self.reset(),
            "PURGE" => self.purge(),
            "INSTALL" => {
                self.advance();
                if self.is_kw("COMPONENT") {
                    return self.unsupported("INSTALL COMPONENT");
                }
                self.kw("PLUGIN")?;
                let name = self.ident()?;
                self.kw("SONAME")?;
                Ok(Statement::InstallPlugin { name, soname: self.string()? })
            }
            "UNINSTALL" => {
                self.advance();
                if self.is_kw("COMPONENT") {
                    return self.unsupported("UNINSTALL COMPONENT");
                }
                self.kw("PLUGIN")?;
                self.ident().map(Statement::UninstallPlugin)
            }
            "ANALYZE" | "CHECK" | "OPTIMIZE" | "REPAIR" | "CHECKSUM" => self.maintenance(upper),
            "CALL" => {
                self.advance();
                let name = self.object_name()?;
                if self.op_if(Op::LParen) && !self.op_if(Op::RParen) {
                    self.comma_list(Self::expr)?;
                    self.op(Op::RParen)?;
                }
                Ok(Statement::Call(name))
            }
            "LOAD" | "HANDLER" | "XA" | "SIGNAL" | "RESIGNAL" | "GET" | "HELP" | "CACHE" | "CLONE" | "BINLOG"
            | "IMPORT" => self.unsupported(upper),
            _ => Err(self.unexpected()),
        }
    }

    fn user_variable(&mut self) -> Result1<String> {
        match &self.peek().tok {
            Tok::UserVar(name) => {
                self.advance();
                Ok(name.clone())
            }
            _ => Err(self.unexpected()),
        }
    }

    fn start(&mut self) -> Result1<Statement> {
        self.advance();
        if self.kw_if("TRANSACTION") {
            let (mut consistent_snapshot, mut read_only) = (false, None);
            if self.is_kw("WITH") || self.is_kw("READ") {
                loop {
                    if self.kws_if(&["WITH", "CONSISTENT", "SNAPSHOT"]) {
                        consistent_snapshot = true;
                    } else if read_only.is_none() && self.kws_if(&["READ", "ONLY"]) {
                        read_only = Some(true);
                    } else if read_only.is_none() && self.kws_if(&["READ", "WRITE"]) {
                        read_only = Some(false);
                    } else {
                        return Err(self.unexpected());
                    }
                    if !self.op_if(Op::Comma) {
                        break;
                    }
                }
            }
            return Ok(Statement::Begin { consistent_snapshot, read_only });
        }
        if self.kw_if("GROUP_REPLICATION") {
            let (mut user, mut password, mut default_auth) = (None, None, None);
            while let Some(word) = self.one_of(&["USER", "PASSWORD", "DEFAULT_AUTH"]) {
                self.op(Op::Eq)?;
                let value = Some(self.string()?);
                match word {
                    "USER" => user = value,
                    "PASSWORD" => password = value,
                    _ => default_auth = value,
                }
                if !self.op_if(Op::Comma) {
                    break;
                }
            }
            return Ok(Statement::StartGroupReplication { user, password, default_auth });
        }
        if self.one_of(&["REPLICA", "SLAVE"]).is_some() {
            return Ok(Statement::StartReplica(self.replica_threads()?));
        }
        Err(self.unexpected())
    }

    fn stop(&mut self) -> Result1<Statement> {
        self.advance();
        if self.kw_if("GROUP_REPLICATION") {
            return Ok(Statement::StopGroupReplication);
        }
        if self.one_of(&["REPLICA", "SLAVE"]).is_some() {
            return Ok(Statement::StopReplica(self.replica_threads()?));
        }
        Err(self.unexpected())
    }

    fn replica_threads(&mut self) -> Result1<ReplicaThreads> {
        let mut threads = ReplicaThreads::default();
        while let Some(word) = self.one_of(&["IO_THREAD", "RELAY_THREAD", "SQL_THREAD"]) {
            if word == "SQL_THREAD" {
                threads.sql = true;
            } else {
                threads.io = true;
            }
            if !self.op_if(Op::Comma) {
                break;
            }
        }
        if self.is_kw("UNTIL") {
            return self.unsupported("START REPLICA UNTIL");
        }
        threads.channel = self.for_channel()?;
        Ok(threads)
    }

    fn for_channel(&mut self) -> Result1<Option<String>> {
        if self.kws_if(&["FOR", "CHANNEL"]) { self.name_or_string().map(Some) } else { Ok(None) }
    }

    /// `[AND [NO] CHAIN] [[NO] RELEASE]`.
    fn completion(&mut self) -> Result1<(bool, bool)> {
        self.kw_if("WORK");
        let mut chain = false;
        if self.kw_if("AND") {
            chain = !self.kw_if("NO");
            self.kw("CHAIN")?;
        }
        let release = if self.kws_if(&["NO", "RELEASE"]) { false } else { self.kw_if("RELEASE") };
        if chain && release { Err(self.unexpected()) } else { Ok((chain, release)) }
    }

    fn rollback(&mut self) -> Result1<Statement> {
        self.advance();
        if self.is_kw("TO") || (self.is_kw("WORK") && self.is_kw_at(1, "TO")) {
            self.kw_if("WORK");
            self.advance();
            self.kw_if("SAVEPOINT");
            return self.ident().map(Statement::RollbackTo);
        }
        let (chain, release) = self.completion()?;
        Ok(Statement::Rollback { chain, release })
    }

    fn lock(&mut self) -> Result1<Statement> {
        self.advance();
        if self.kws_if(&["INSTANCE", "FOR", "BACKUP"]) {
            return Ok(Statement::LockInstance);
        }
        if self.one_of(&["TABLES", "TABLE"]).is_none() {
            return Err(self.unexpected());
        }
        let tables = self.comma_list(|parser| {
            let name = parser.object_name()?;
            let named =
                parser.kw_if("AS") || !(parser.is_kw("READ") || parser.is_kw("WRITE") || parser.is_kw("LOW_PRIORITY"));
            let alias = if named { Some(parser.ident()?) } else { None };
            parser.kw_if("LOW_PRIORITY");
            match parser.one_of(&["READ", "WRITE"]) {
                Some("READ") => {
                    parser.kw_if("LOCAL");
                    Ok((name, alias, TableLock::Read))
                }
                Some(_) => Ok((name, alias, TableLock::Write)),
                None => Err(parser.unexpected()),
            }
        })?;
        Ok(Statement::LockTables(tables))
    }

    fn flush(&mut self) -> Result1<Statement> {
        self.advance();
        let _ = self.one_of(&["LOCAL", "NO_WRITE_TO_BINLOG"]);
        if self.one_of(&["TABLES", "TABLE"]).is_some() {
            let names =
                if matches!(self.peek().tok, Tok::Word | Tok::Ident(_)) && !self.is_kw("WITH") && !self.is_kw("FOR") {
                    self.comma_list(Self::object_name)?
                } else {
                    Vec::new()
                };
            let read_lock = self.kws_if(&["WITH", "READ", "LOCK"]);
            if self.is_kw("FOR") {
                return self.unsupported("FLUSH TABLES ... FOR EXPORT");
            }
            return Ok(Statement::Flush(vec![FlushWhat::Tables { names, read_lock }]));
        }
        let what = self.comma_list(|parser| {
            if parser.kw_if("PRIVILEGES") {
                return Ok(FlushWhat::Privileges);
            }
            if parser.kw_if("STATUS") {
                return Ok(FlushWhat::Status);
            }
            let log = parser.one_of(&["BINARY", "ENGINE", "ERROR", "GENERAL", "RELAY", "SLOW"]);
            if log.is_some() || parser.is_kw("LOGS") {
                parser.kw("LOGS")?;
                parser.for_channel()?;
                return Ok(FlushWhat::Logs);
            }
            match parser.one_of(&["HOSTS", "OPTIMIZER_COSTS", "USER_RESOURCES", "DES_KEY_FILE", "QUERY"]) {
                Some("QUERY") => Err(parser.unexpected()),
                Some(word) => Ok(FlushWhat::Other(word.to_owned())),
                None => Err(parser.unexpected()),
            }
        })?;
        Ok(Statement::Flush(what))
    }

    fn maintenance(&mut self, word: &str) -> Result1<Statement> {
        self.advance();
        let what = match word {
            "ANALYZE" => Maintenance::Analyze,
            "CHECK" => Maintenance::Check,
            "OPTIMIZE" => Maintenance::Optimize,
            "REPAIR" => Maintenance::Repair,
            _ => Maintenance::Checksum,
        };
        let _ = self.one_of(&["LOCAL", "NO_WRITE_TO_BINLOG"]);
        if self.one_of(&["TABLE", "TABLES"]).is_none() {
            return Err(self.unexpected());
        }
        let names = self.comma_list(Self::object_name)?;
        while self.one_of(&["QUICK", "FAST", "MEDIUM", "EXTENDED", "CHANGED", "USE_FRM"]).is_some() {}
        self.kws_if(&["FOR", "UPGRADE"]);
        Ok(Statement::TableMaintenance { what, names })
    }

    fn change(&mut self) -> Result1<Statement> {
        self.advance();
        if self.kws_if(&["REPLICATION", "FILTER"]) {
            return self.unsupported("CHANGE REPLICATION FILTER");
        }
        let old_names = self.kws_if(&["MASTER", "TO"]);
        if !old_names && !self.kws_if(&["REPLICATION", "SOURCE", "TO"]) {
            return Err(self.unexpected());
        }
        let options = self.comma_list(|parser| {
            let name = parser.ident()?.to_ascii_uppercase();
            let name = match name.strip_prefix("MASTER_") {
                Some(rest) => format!("SOURCE_{rest}"),
                None => name,
            };
            parser.op(Op::Eq)?;
            Ok((name, parser.source_value()?))
        })?;
        let channel = self.for_channel()?;
        Ok(Statement::ChangeReplicationSource(Box::new(ChangeSource { options, channel, old_names })))
    }

    fn source_value(&mut self) -> Result1<SourceValue> {
        match &self.peek().tok {
            Tok::Str(_) if matches!(self.peek_at(1).tok, Tok::UserVar(_) | Tok::Op(Op::At)) => {
                self.user_name().map(SourceValue::User)
            }
            Tok::Word if matches!(self.peek_at(1).tok, Tok::UserVar(_) | Tok::Op(Op::At)) => {
                self.user_name().map(SourceValue::User)
            }
            Tok::Str(_) => self.string().map(SourceValue::Text),
            Tok::Number(_) => {
                let token = self.advance();
                Ok(SourceValue::Number(self.text_of(token).to_owned()))
            }
            Tok::Op(Op::LParen) => {
                self.advance();
                let mut items = Vec::new();
                while !self.op_if(Op::RParen) {
                    items.push(match &self.peek().tok {
                        Tok::Str(_) => self.string()?,
                        _ => self.uint()?.to_string(),
                    });
                    if !self.is_op(Op::RParen) {
                        self.op(Op::Comma)?;
                    }
                }
                Ok(SourceValue::List(items))
            }
            Tok::Word if self.is_kw("NULL") => {
                self.advance();
                Ok(SourceValue::Null)
            }
            Tok::Word => {
                let token = self.advance();
                Ok(SourceValue::Word(self.text_of(token).to_ascii_uppercase()))
            }
            _ => Err(self.unexpected()),
        }
    }

    fn reset(&mut self) -> Result1<Statement> {
        self.advance();
        if self.one_of(&["REPLICA", "SLAVE"]).is_some() {
            let all = self.kw_if("ALL");
            return Ok(Statement::ResetReplica { all, channel: self.for_channel()? });
        }
        if self.kw_if("MASTER") || self.kws_if(&["BINARY", "LOGS", "AND", "GTIDS"]) {
            if self.is_kw("TO") {
                return self.unsupported("RESET BINARY LOGS AND GTIDS TO");
            }
            return Ok(Statement::ResetBinaryLogs);
        }
        if self.kw_if("PERSIST") {
            let if_exists = self.if_exists();
            let name = match self.peek().tok {
                Tok::Word | Tok::Ident(_) => Some(self.variable_name()?),
                _ if if_exists => return Err(self.unexpected()),
                _ => None,
            };
            return Ok(Statement::ResetPersist { if_exists, name });
        }
        Err(self.unexpected())
    }

    fn purge(&mut self) -> Result1<Statement> {
        self.advance();
        if self.one_of(&["BINARY", "MASTER"]).is_none() {
            return Err(self.unexpected());
        }
        self.kw("LOGS")?;
        if self.kw_if("TO") {
            return Ok(Statement::PurgeBinaryLogs { to: Some(self.string()?), before: None });
        }
        self.kw("BEFORE")?;
        Ok(Statement::PurgeBinaryLogs { to: None, before: Some(self.expr()?) })
    }

    // -----------------------------------------------------------------------------------------
    // SET

    fn variable_name(&mut self) -> Result1<String> {
        let name = self.ident_after_dot()?;
        if self.op_if(Op::Dot) {
            return Ok(format!("{name}.{}", self.ident_after_dot()?));
        }
        Ok(name)
    }

    pub(crate) fn set(&mut self) -> Result1<Statement> {
        self.kw("SET")?;
        if self.is_kw("PASSWORD") && (self.is_op_at(1, Op::Eq) || self.is_kw_at(1, "FOR") || self.is_kw_at(1, "TO")) {
            return self.set_password();
        }
        if self.kws_if(&["ROLE", "NONE"]) || self.kws_if(&["ROLE", "DEFAULT"]) {
            // There are no roles: nobody has one to begin with.
            return Ok(Statement::Empty);
        }
        if self.is_kw("ROLE") || (self.is_kw("DEFAULT") && self.is_kw_at(1, "ROLE")) {
            return self.unsupported("SET ROLE");
        }
        if self.is_kw("RESOURCE") && self.is_kw_at(1, "GROUP") {
            return self.unsupported("SET RESOURCE GROUP");
        }
        Ok(Statement::Set(self.comma_list(Self::set_item)?))
    }

    fn set_password(&mut self) -> Result1<Statement> {
        self.advance();
        let user = if self.kw_if("FOR") { Some(self.user_name()?) } else { None };
        if self.kws_if(&["TO", "RANDOM"]) {
            return self.unsupported("SET PASSWORD TO RANDOM");
        }
        self.op(Op::Eq)?;
        // 5.7: PASSWORD('text').
        let wrapped = self.is_kw("PASSWORD") && self.is_op_at(1, Op::LParen);
        if wrapped {
            self.at += 2;
        }
        let password = self.string()?;
        if wrapped {
            self.op(Op::RParen)?;
        }
        Ok(Statement::SetPassword { user, password })
    }

    fn set_item(&mut self) -> Result1<SetItem> {
        match &self.peek().tok {
            Tok::UserVar(name) => {
                self.advance();
                self.assign()?;
                return Ok(SetItem::UserVariable { name: name.clone(), value: self.expr()? });
            }
            Tok::Op(Op::AtAt) => {
                let SystemVariable { scope, name } = self.system_variable()?;
                self.assign()?;
                return Ok(SetItem::System { scope, name, value: self.set_value()? });
            }
            _ => {}
        }
        if self.is_kw("NAMES") && !self.is_op_at(1, Op::Eq) {
            self.advance();
            return self.set_names();
        }
        if self.kws_if(&["CHARACTER", "SET"])
            || (self.is_kw("CHARSET") && !self.is_op_at(1, Op::Eq) && self.kw_if("CHARSET"))
        {
            let charset = if self.kw_if("DEFAULT") { None } else { Some(self.name_or_string()?.to_ascii_lowercase()) };
            return Ok(SetItem::CharacterSet(charset));
        }
        let mut scope = None;
        if let Some(word) = self.word_at(0).and_then(scope_word)
            && !self.is_op_at(1, Op::Eq)
            && !self.is_op_at(1, Op::Dot)
        {
            self.advance();
            scope = Some(word);
        }
        if self.is_kw("TRANSACTION") && !self.is_op_at(1, Op::Eq) {
            self.advance();
            return self.set_transaction(scope);
        }
        let name = self.variable_name()?;
        self.assign()?;
        Ok(SetItem::System { scope, name, value: self.set_value()? })
    }

    fn assign(&mut self) -> Result1<()> {
        if self.op_if(Op::Eq) || self.op_if(Op::Assign) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// An expression, DEFAULT, or a bare word, which is then a string.
    fn set_value(&mut self) -> Result1<Expr> {
        let ends = |parser: &Self, ahead: usize| {
            matches!(parser.peek_at(ahead).tok, Tok::End | Tok::Op(Op::Comma | Op::Semicolon))
        };
        if ends(self, 1) {
            if let Some(word) = self.word_at(0) {
                if self.kw_if("DEFAULT") {
                    return Ok(Expr::Default(None));
                }
                if !["NULL", "TRUE", "FALSE"].iter().any(|keyword| self.is_kw(keyword))
                    && (!super::reserved::is_reserved(word)
                        || ["ON", "ALL", "BINARY", "ROW", "SYSTEM"].iter().any(|keyword| self.is_kw(keyword)))
                {
                    self.advance();
                    return Ok(text_literal(word));
                }
            }
            if let Tok::Ident(name) = &self.peek().tok {
                self.advance();
                return Ok(text_literal(name.clone()));
            }
        }
        self.expr()
    }

    fn set_names(&mut self) -> Result1<SetItem> {
        if self.kw_if("DEFAULT") {
            return Ok(SetItem::Names { charset: None, collation: None });
        }
        let charset = Some(self.name_or_string()?.to_ascii_lowercase());
        let mut collation = None;
        if self.kw_if("COLLATE") && !self.kw_if("DEFAULT") {
            collation = Some(self.name_or_string()?.to_ascii_lowercase());
        }
        Ok(SetItem::Names { charset, collation })
    }

    fn set_transaction(&mut self, scope: Option<Scope>) -> Result1<SetItem> {
        let (mut isolation, mut read_only) = (None, None);
        loop {
            if isolation.is_none() && self.kws_if(&["ISOLATION", "LEVEL"]) {
                isolation = Some(if self.kws_if(&["READ", "UNCOMMITTED"]) {
                    Isolation::ReadUncommitted
                } else if self.kws_if(&["READ", "COMMITTED"]) {
                    Isolation::ReadCommitted
                } else if self.kws_if(&["REPEATABLE", "READ"]) {
                    Isolation::RepeatableRead
                } else if self.kw_if("SERIALIZABLE") {
                    Isolation::Serializable
                } else {
                    return Err(self.unexpected());
                });
            } else if read_only.is_none() && self.kws_if(&["READ", "ONLY"]) {
                read_only = Some(true);
            } else if read_only.is_none() && self.kws_if(&["READ", "WRITE"]) {
                read_only = Some(false);
            } else {
                return Err(self.unexpected());
            }
            if !self.is_op(Op::Comma) {
                return Ok(SetItem::Transaction { scope, isolation, read_only });
            }
            self.advance();
        }
    }

    // -----------------------------------------------------------------------------------------
    // SHOW

    fn filter(&mut self) -> Result1<Option<ShowFilter>> {
        if self.kw_if("LIKE") {
            return Ok(Some(ShowFilter::Like(self.string()?)));
        }
        if self.kw_if("WHERE") {
            return Ok(Some(ShowFilter::Where(Box::new(self.expr()?))));
        }
        Ok(None)
    }

    fn schema_clause(&mut self) -> Result1<Option<String>> {
        if self.one_of(&["FROM", "IN"]).is_some() { self.ident().map(Some) } else { Ok(None) }
    }

    fn table_clause(&mut self) -> Result1<crate::ast::ObjectName> {
        if self.one_of(&["FROM", "IN"]).is_none() {
            return Err(self.unexpected());
        }
        let mut name = self.object_name()?;
        if let Some(schema) = self.schema_clause()? {
            name.schema = Some(schema);
        }
        Ok(name)
    }

    fn two_numbers(&mut self) -> Result1<Option<(u64, u64)>> {
        if !self.kw_if("LIMIT") {
            return Ok(None);
        }
        let first = self.uint()?;
        if self.op_if(Op::Comma) {
            return Ok(Some((first, self.uint()?)));
        }
        if self.kw_if("OFFSET") {
            return Ok(Some((self.uint()?, first)));
        }
        Ok(Some((0, first)))
    }

    fn event_range(&mut self) -> Result1<EventRange> {
        let mut range = EventRange::default();
        if self.kw_if("IN") {
            range.file = Some(self.string()?);
        }
        if self.kw_if("FROM") {
            range.from = Some(self.uint()?);
        }
        if let Some((offset, limit)) = self.two_numbers()? {
            range.offset = offset;
            range.limit = Some(limit);
        }
        Ok(range)
    }

    pub(crate) fn describe(&mut self) -> Result1<Statement> {
        self.advance();
        let explained = ["SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH", "TABLE"];
        if self.is_kw("ANALYZE") {
            return self.unsupported("EXPLAIN ANALYZE");
        }
        if self.kw_if("FORMAT") {
            self.op(Op::Eq)?;
            let format = self.ident()?;
            if !format.eq_ignore_ascii_case("TRADITIONAL") {
                return self.unsupported(&format!("EXPLAIN FORMAT={}", format.to_uppercase()));
            }
        }
        if explained.iter().any(|keyword| self.is_kw(keyword)) || self.is_op(Op::LParen) {
            let inner = self.nested(Self::statement)?;
            return Ok(Statement::Explain(Box::new(inner)));
        }
        let table = self.object_name()?;
        let filter = match &self.peek().tok {
            Tok::Str(_) => Some(ShowFilter::Like(self.string()?)),
            Tok::Word | Tok::Ident(_) => Some(ShowFilter::Like(self.ident()?)),
            _ => None,
        };
        Ok(Statement::Show(Show::Columns { full: false, table, filter }))
    }

    pub(crate) fn show(&mut self) -> Result1<Statement> {
        self.kw("SHOW")?;
        self.show_what().map(Statement::Show)
    }

    fn show_what(&mut self) -> Result1<Show> {
        let global = self.is_kw("GLOBAL");
        if self.one_of(&["GLOBAL", "SESSION", "LOCAL"]).is_some() {
            return match self.one_of(&["VARIABLES", "STATUS"]) {
                Some("VARIABLES") => Ok(Show::Variables { global, filter: self.filter()? }),
                Some(_) => Ok(Show::Status { global, filter: self.filter()? }),
                None => Err(self.unexpected()),
            };
        }
        if self.is_kw("COUNT") && self.is_op_at(1, Op::LParen) {
            self.at += 2;
            self.op(Op::Star)?;
            self.op(Op::RParen)?;
            return match self.one_of(&["WARNINGS", "ERRORS"]) {
                Some(word) => Ok(Show::WarningCount { errors_only: word == "ERRORS" }),
                None => Err(self.unexpected()),
            };
        }
        self.kw_if("EXTENDED");
        let full = self.kw_if("FULL");
        let start = self.at;
        let Some(word) = self.word_at(0).map(str::to_ascii_uppercase) else { return Err(self.unexpected()) };
        self.advance();
        match word.as_str() {
            "TABLES" => Ok(Show::Tables { full, schema: self.schema_clause()?, filter: self.filter()? }),
            "COLUMNS" | "FIELDS" => Ok(Show::Columns { full, table: self.table_clause()?, filter: self.filter()? }),
            "PROCESSLIST" => Ok(Show::ProcessList { full }),
            _ if full => {
                self.at = start;
                Err(self.unexpected())
            }
            "VARIABLES" => Ok(Show::Variables { global: false, filter: self.filter()? }),
            "STATUS" => Ok(Show::Status { global: false, filter: self.filter()? }),
            "DATABASES" | "SCHEMAS" => Ok(Show::Databases(self.filter()?)),
            "TABLE" if self.kw_if("STATUS") => {
                Ok(Show::TableStatus { schema: self.schema_clause()?, filter: self.filter()? })
            }
            "OPEN" if self.kw_if("TABLES") => {
                Ok(Show::OpenTables { schema: self.schema_clause()?, filter: self.filter()? })
            }
            "INDEX" | "INDEXES" | "KEYS" => Ok(Show::Index { table: self.table_clause()?, filter: self.filter()? }),
            "CREATE" => self.show_create(),
            "WARNINGS" | "ERRORS" => Ok(Show::Warnings { errors_only: word == "ERRORS", limit: self.two_numbers()? }),
            "PLUGINS" => Ok(Show::Plugins),
            "ENGINES" => Ok(Show::Engines),
            "STORAGE" if self.kw_if("ENGINES") => Ok(Show::Engines),
            "ENGINE" => {
                let name = self.name_or_string()?;
                match self.one_of(&["STATUS", "MUTEX", "LOGS"]) {
                    Some(what) => Ok(Show::Engine(name, what.to_owned())),
                    None => Err(self.unexpected()),
                }
            }
            "PRIVILEGES" => Ok(Show::Privileges),
            "GRANTS" => Ok(Show::Grants(if self.kw_if("FOR") { Some(self.user_name()?) } else { None })),
            "CHARACTER" if self.kw_if("SET") => Ok(Show::CharacterSet(self.filter()?)),
            "CHARSET" => Ok(Show::CharacterSet(self.filter()?)),
            "COLLATION" => Ok(Show::Collation(self.filter()?)),
            "TRIGGERS" => Ok(Show::Triggers { schema: self.schema_clause()?, filter: self.filter()? }),
            "EVENTS" => Ok(Show::Events { schema: self.schema_clause()?, filter: self.filter()? }),
            "PROCEDURE" if self.kw_if("STATUS") => Ok(Show::ProcedureStatus(self.filter()?)),
            "FUNCTION" if self.kw_if("STATUS") => Ok(Show::FunctionStatus(self.filter()?)),
            "PROFILES" | "PROFILE" => Ok(Show::Profiles),
            "BINARY" if self.kws_if(&["LOG", "STATUS"]) => Ok(Show::BinaryLogStatus),
            "BINARY" if self.kw_if("LOGS") => Ok(Show::BinaryLogs),
            "MASTER" if self.kw_if("LOGS") => Ok(Show::BinaryLogs),
            "MASTER" if self.kw_if("STATUS") => Ok(Show::BinaryLogStatus),
            "BINLOG" if self.kw_if("EVENTS") => Ok(Show::BinlogEvents(self.event_range()?)),
            "RELAYLOG" if self.kw_if("EVENTS") => Ok(Show::RelaylogEvents(self.event_range()?, self.for_channel()?)),
            "REPLICA" | "SLAVE" if self.kw_if("STATUS") => {
                Ok(Show::ReplicaStatus { channel: self.for_channel()?, old_names: word == "SLAVE" })
            }
            "REPLICAS" => Ok(Show::Replicas),
            "SLAVE" if self.kw_if("HOSTS") => Ok(Show::Replicas),
            _ => {
                // After a word that only begins a statement, the error is behind it.
                let begins = [
                    "TABLE",
                    "OPEN",
                    "STORAGE",
                    "CHARACTER",
                    "PROCEDURE",
                    "FUNCTION",
                    "BINARY",
                    "MASTER",
                    "BINLOG",
                    "RELAYLOG",
                    "REPLICA",
                    "SLAVE",
                ];
                if !begins.contains(&word.as_str()) {
                    self.at = start;
                }
                Err(self.unexpected())
            }
        }
    }

    fn show_create(&mut self) -> Result1<Show> {
        if self.kw_if("TABLE") {
            return self.object_name().map(Show::CreateTable);
        }
        if self.one_of(&["DATABASE", "SCHEMA"]).is_some() {
            let if_not_exists = self.if_not_exists();
            return Ok(Show::CreateDatabase { if_not_exists, name: self.ident()? });
        }
        if self.kw_if("USER") {
            let user = self.user_name()?;
            return Ok(Show::CreateUser(if user.current { None } else { Some(user) }));
        }
        match self.one_of(&["VIEW", "PROCEDURE", "FUNCTION", "TRIGGER", "EVENT"]) {
            Some(kind) => Ok(Show::CreateOther(kind.to_owned(), self.object_name()?)),
            None => Err(self.unexpected()),
        }
    }
}
