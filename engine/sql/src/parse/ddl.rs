//! Definitions: databases, tables, indexes.

use super::lex::{Op, Tok};
use super::{Parser, Result1};
use crate::ast::{
    AlterTable, Check, ColumnDef, ColumnPlace, CreateDatabase, CreateTable, DataType, DatabaseOptions, Expr,
    ForeignKey, KeyDef, KeyKind, KeyPart, ReferenceAction, Statement, TableOptions,
};
use crate::error;
use crate::sysvar::sql_mode::SqlMode;

impl Parser<'_> {
    pub(crate) fn create(&mut self) -> Result1<Statement> {
        self.kw("CREATE")?;
        if self.one_of(&["DATABASE", "SCHEMA"]).is_some() {
            let if_not_exists = self.if_not_exists();
            let name = self.ident()?;
            let options = self.database_options()?;
            return Ok(Statement::CreateDatabase(CreateDatabase { if_not_exists, name, options }));
        }
        if self.kw_if("USER") {
            return self.create_user();
        }
        let temporary = self.is_kw("TEMPORARY") && self.is_kw_at(1, "TABLE") && self.kw_if("TEMPORARY");
        if self.kw_if("TABLE") {
            return self.create_table(temporary);
        }
        let kind = match self.one_of(&["UNIQUE", "FULLTEXT", "SPATIAL"]) {
            Some("UNIQUE") => KeyKind::Unique,
            Some("FULLTEXT") => KeyKind::FullText,
            Some(_) => KeyKind::Spatial,
            None => KeyKind::Plain,
        };
        if self.kw_if("INDEX") {
            let name = self.ident()?;
            self.index_type()?;
            self.kw("ON")?;
            let table = self.object_name()?;
            let mut key = self.key_rest(kind, Some(name), None)?;
            self.key_options(&mut key)?;
            while self.one_of(&["ALGORITHM", "LOCK"]).is_some() {
                self.op_if(Op::Eq);
                self.name_or_default()?;
            }
            return Ok(Statement::CreateIndex { table, key });
        }
        if kind != KeyKind::Plain {
            return Err(self.unexpected());
        }
        for (words, what) in [
            (&["OR", "REPLACE"][..], "CREATE OR REPLACE"),
            (&["VIEW"][..], "CREATE VIEW"),
            (&["ALGORITHM"][..], "CREATE VIEW"),
            (&["DEFINER"][..], "CREATE ... DEFINER"),
            (&["SQL", "SECURITY"][..], "CREATE VIEW"),
            (&["PROCEDURE"][..], "CREATE PROCEDURE"),
            (&["FUNCTION"][..], "CREATE FUNCTION"),
            (&["AGGREGATE"][..], "CREATE FUNCTION"),
            (&["TRIGGER"][..], "CREATE TRIGGER"),
            (&["EVENT"][..], "CREATE EVENT"),
            (&["ROLE"][..], "CREATE ROLE"),
            (&["SERVER"][..], "CREATE SERVER"),
            (&["TABLESPACE"][..], "CREATE TABLESPACE"),
            (&["UNDO"][..], "CREATE UNDO TABLESPACE"),
            (&["LOGFILE"][..], "CREATE LOGFILE GROUP"),
            (&["RESOURCE", "GROUP"][..], "CREATE RESOURCE GROUP"),
            (&["SPATIAL"][..], "CREATE SPATIAL REFERENCE SYSTEM"),
        ] {
            if self.kws_if(words) {
                return self.unsupported(what);
            }
        }
        Err(self.unexpected())
    }

    fn database_options(&mut self) -> Result1<DatabaseOptions> {
        let mut options = DatabaseOptions::default();
        loop {
            self.kw_if("DEFAULT");
            if self.kw_if("CHARSET") || self.kws_if(&["CHARACTER", "SET"]) {
                self.op_if(Op::Eq);
                options.charset = Some(self.name_or_string()?.to_ascii_lowercase());
            } else if self.kw_if("COLLATE") {
                self.op_if(Op::Eq);
                options.collation = Some(self.name_or_string()?.to_ascii_lowercase());
            } else if self.kw_if("ENCRYPTION") {
                self.op_if(Op::Eq);
                if !self.string()?.eq_ignore_ascii_case("n") {
                    return self.unsupported("ENCRYPTION");
                }
            } else {
                return Ok(options);
            }
        }
    }

    fn create_table(&mut self, temporary: bool) -> Result1<Statement> {
        let if_not_exists = self.if_not_exists();
        let name = self.object_name()?;
        let mut table = CreateTable {
            temporary,
            if_not_exists,
            name,
            columns: Vec::new(),
            keys: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            options: TableOptions::default(),
            like: None,
            select: None,
        };
        if self.kw_if("LIKE") {
            table.like = Some(self.object_name()?);
            return Ok(Statement::CreateTable(Box::new(table)));
        }
        if self.is_op(Op::LParen) && !self.at_query() {
            self.advance();
            if self.kw_if("LIKE") {
                table.like = Some(self.object_name()?);
                self.op(Op::RParen)?;
                return Ok(Statement::CreateTable(Box::new(table)));
            }
            loop {
                self.table_element(&mut table)?;
                if !self.op_if(Op::Comma) {
                    break;
                }
            }
            self.op(Op::RParen)?;
        }
        table.options = self.table_options()?;
        if self.is_kw("PARTITION") {
            return self.unsupported("PARTITION BY");
        }
        let replace = self.one_of(&["IGNORE", "REPLACE"]).is_some();
        if self.kw_if("AS") || replace || self.at_query() {
            table.select = Some(Box::new(self.query()?));
        }
        if table.columns.is_empty() && table.select.is_none() {
            return Err(if table.keys.is_empty() { self.unexpected() } else { error::table_without_columns() });
        }
        Ok(Statement::CreateTable(Box::new(table)))
    }

    fn table_element(&mut self, table: &mut CreateTable) -> Result1<()> {
        let constraint = self.constraint_name()?;
        if self.kw_if("CHECK") {
            table.checks.push(self.check(constraint)?);
        } else if self.kws_if(&["FOREIGN", "KEY"]) {
            table.foreign_keys.push(self.foreign_key(constraint)?);
        } else if let Some(key) = self.key_def(constraint.clone())? {
            table.keys.push(key);
        } else if constraint.is_some() {
            return Err(self.unexpected());
        } else {
            let name = self.ident()?;
            let (column, keys, checks) = self.column_def(name)?;
            table.columns.push(column);
            table.keys.extend(keys);
            table.checks.extend(checks);
        }
        Ok(())
    }

    /// `CONSTRAINT [name]`: `Some` with an empty name where none is written.
    fn constraint_name(&mut self) -> Result1<Option<String>> {
        if !self.kw_if("CONSTRAINT") {
            return Ok(None);
        }
        let unnamed = ["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"].iter().any(|keyword| self.is_kw(keyword));
        if unnamed { Ok(Some(String::new())) } else { self.ident().map(Some) }
    }

    fn check(&mut self, name: Option<String>) -> Result1<Check> {
        self.op(Op::LParen)?;
        let expr = self.expr()?;
        self.op(Op::RParen)?;
        let enforced = !self.kws_if(&["NOT", "ENFORCED"]);
        if enforced {
            self.kw_if("ENFORCED");
        }
        Ok(Check { name: name.filter(|name| !name.is_empty()), expr, enforced })
    }

    /// A key, where one begins here.
    fn key_def(&mut self, constraint: Option<String>) -> Result1<Option<KeyDef>> {
        let constraint = constraint.filter(|name| !name.is_empty());
        let kind = if self.kws_if(&["PRIMARY", "KEY"]) {
            KeyKind::Primary
        } else if self.kw_if("UNIQUE") {
            let _ = self.one_of(&["KEY", "INDEX"]);
            KeyKind::Unique
        } else if let Some(word) = self.one_of(&["FULLTEXT", "SPATIAL"]) {
            let _ = self.one_of(&["KEY", "INDEX"]);
            if word == "FULLTEXT" { KeyKind::FullText } else { KeyKind::Spatial }
        } else if self.one_of(&["KEY", "INDEX"]).is_some() {
            KeyKind::Plain
        } else {
            return Ok(None);
        };
        let mut name = None;
        if !self.is_op(Op::LParen) && !self.is_kw("USING") && !self.is_kw("TYPE") {
            name = Some(self.ident()?);
        }
        self.index_type()?;
        let mut key = self.key_rest(kind, name, constraint)?;
        self.key_options(&mut key)?;
        Ok(Some(key))
    }

    fn key_rest(&mut self, kind: KeyKind, name: Option<String>, constraint: Option<String>) -> Result1<KeyDef> {
        let parts = self.paren_list(Self::key_part)?;
        Ok(KeyDef { kind, name, constraint, parts, comment: None, invisible: false })
    }

    fn key_part(&mut self) -> Result1<KeyPart> {
        if self.is_op(Op::LParen) {
            return self.unsupported("functional key parts");
        }
        let column = self.ident()?;
        let mut prefix = None;
        if self.op_if(Op::LParen) {
            prefix = Some(self.uint_up_to(u64::from(u32::MAX))? as u32);
            self.op(Op::RParen)?;
        }
        let descending = self.one_of(&["ASC", "DESC"]) == Some("DESC");
        Ok(KeyPart { column, prefix, descending })
    }

    /// `USING BTREE`: taken, all our indexes are ordered.
    fn index_type(&mut self) -> Result1<()> {
        if self.one_of(&["USING", "TYPE"]).is_some() && self.one_of(&["BTREE", "HASH", "RTREE"]).is_none() {
            return Err(self.unexpected());
        }
        Ok(())
    }

    fn key_options(&mut self, key: &mut KeyDef) -> Result1<()> {
        loop {
            if self.kw_if("COMMENT") {
                key.comment = Some(self.string()?);
            } else if self.is_kw("USING") {
                self.index_type()?;
            } else if self.kw_if("KEY_BLOCK_SIZE") {
                self.op_if(Op::Eq);
                self.uint()?;
            } else if self.kw_if("INVISIBLE") {
                key.invisible = true;
            } else if !self.kw_if("VISIBLE") {
                return Ok(());
            }
        }
    }

    /// After FOREIGN KEY.
    fn foreign_key(&mut self, constraint: Option<String>) -> Result1<ForeignKey> {
        let name = constraint.filter(|name| !name.is_empty());
        // A name of the index is read and ignored, as in MySQL.
        if !self.is_op(Op::LParen) {
            self.ident()?;
        }
        let columns = self.paren_list(Self::ident)?;
        self.references(name, columns)
    }

    fn references(&mut self, name: Option<String>, columns: Vec<String>) -> Result1<ForeignKey> {
        self.kw("REFERENCES")?;
        let parent = self.object_name()?;
        let parent_columns = if self.is_op(Op::LParen) {
            self.paren_list(|parser| parser.key_part().map(|part| part.column))?
        } else {
            Vec::new()
        };
        if self.kw_if("MATCH") && self.one_of(&["FULL", "PARTIAL", "SIMPLE"]).is_none() {
            return Err(self.unexpected());
        }
        let (mut on_delete, mut on_update) = (ReferenceAction::NoAction, ReferenceAction::NoAction);
        while self.is_kw("ON") && (self.is_kw_at(1, "DELETE") || self.is_kw_at(1, "UPDATE")) {
            self.advance();
            let delete = self.one_of(&["DELETE", "UPDATE"]) == Some("DELETE");
            let action = if self.kws_if(&["NO", "ACTION"]) {
                ReferenceAction::NoAction
            } else if self.kw_if("RESTRICT") {
                ReferenceAction::Restrict
            } else if self.kw_if("CASCADE") {
                ReferenceAction::Cascade
            } else if self.kws_if(&["SET", "NULL"]) {
                ReferenceAction::SetNull
            } else if self.kws_if(&["SET", "DEFAULT"]) {
                ReferenceAction::SetDefault
            } else {
                return Err(self.unexpected());
            };
            if delete {
                on_delete = action;
            } else {
                on_update = action;
            }
        }
        Ok(ForeignKey { name, columns, parent, parent_columns, on_delete, on_update })
    }

    /// After a column's name: its definition, and the keys and checks written at it.
    #[allow(clippy::type_complexity, reason = "three parts that the one caller takes apart at once")]
    fn column_def(&mut self, name: String) -> Result1<(ColumnDef, Vec<KeyDef>, Vec<Check>)> {
        let serial = self.kw_if("SERIAL");
        let data_type = if serial {
            DataType::Int { bytes: 8, unsigned: true, width: None, zerofill: false }
        } else {
            self.data_type()?
        };
        let mut column = ColumnDef {
            name: name.clone(),
            data_type,
            nullable: serial.then_some(false),
            default: None,
            on_update: None,
            auto_increment: serial,
            comment: None,
            charset: None,
            collation: None,
            generated: None,
            invisible: false,
        };
        let key = |kind| KeyDef {
            kind,
            name: None,
            constraint: None,
            parts: vec![KeyPart { column: name.clone(), prefix: None, descending: false }],
            comment: None,
            invisible: false,
        };
        let (mut keys, mut checks) = (Vec::new(), Vec::new());
        if serial {
            keys.push(key(KeyKind::Unique));
        }
        loop {
            if self.kws_if(&["NOT", "NULL"]) {
                column.nullable = Some(false);
            } else if self.kw_if("NULL") {
                column.nullable = Some(true);
            } else if self.kw_if("DEFAULT") {
                column.default = Some(self.default_value()?);
            } else if self.kws_if(&["ON", "UPDATE"]) {
                column.on_update = Some(self.now_precision()?);
            } else if self.kw_if("AUTO_INCREMENT") {
                column.auto_increment = true;
            } else if self.kw_if("UNIQUE") {
                self.kw_if("KEY");
                keys.push(key(KeyKind::Unique));
            } else if self.is_kw("PRIMARY") || self.is_kw("KEY") {
                self.kw_if("PRIMARY");
                self.kw("KEY")?;
                keys.push(key(KeyKind::Primary));
            } else if self.kw_if("COMMENT") {
                column.comment = Some(self.string()?);
            } else if self.kws_if(&["CHARACTER", "SET"]) || self.kw_if("CHARSET") {
                column.charset = Some(self.name_or_string()?.to_ascii_lowercase());
            } else if self.kw_if("ASCII") {
                column.charset = Some("latin1".to_owned());
            } else if self.kw_if("COLLATE") {
                column.collation = Some(self.name_or_string()?.to_ascii_lowercase());
            } else if self.kws_if(&["GENERATED", "ALWAYS"]) || self.is_kw("AS") {
                self.kw("AS")?;
                self.op(Op::LParen)?;
                let expr = self.expr()?;
                self.op(Op::RParen)?;
                column.generated = Some((expr, self.one_of(&["VIRTUAL", "STORED"]) == Some("STORED")));
            } else if self.is_kw("REFERENCES") {
                // Up to 8.4 MySQL reads a REFERENCES at a column, and makes no foreign key of it.
                self.references(None, Vec::new())?;
            } else if self.is_kw("CHECK") || self.is_kw("CONSTRAINT") {
                let constraint = self.constraint_name()?;
                self.kw("CHECK")?;
                checks.push(self.check(constraint)?);
            } else if self.kw_if("INVISIBLE") {
                column.invisible = true;
            } else if self.one_of(&["COLUMN_FORMAT", "STORAGE"]).is_some() {
                self.name_or_default()?;
            } else if !self.kw_if("VISIBLE") {
                return Ok((column, keys, checks));
            }
        }
    }

    fn name_or_default(&mut self) -> Result1<String> {
        if self.kw_if("DEFAULT") {
            return Ok("DEFAULT".to_owned());
        }
        match self.peek().tok {
            Tok::Number(_) => Ok(self.uint()?.to_string()),
            _ => self.name_or_string(),
        }
    }

    fn default_value(&mut self) -> Result1<Expr> {
        let signed = self.is_op(Op::Minus) || self.is_op(Op::Plus);
        if signed || self.is_op(Op::LParen) || matches!(self.peek().tok, Tok::Number(_) | Tok::Str(_) | Tok::Hex(_)) {
            // Only a signed literal; an expression stands in parentheses.
            if signed {
                let minus = self.is_op(Op::Minus);
                self.advance();
                let literal = Expr::Literal(self.literal()?);
                return Ok(if minus { Expr::Unary(crate::ast::UnaryOp::Minus, Box::new(literal)) } else { literal });
            }
            if self.is_op(Op::LParen) {
                self.advance();
                let expr = self.expr()?;
                self.op(Op::RParen)?;
                return Ok(expr);
            }
            return Ok(Expr::Literal(self.literal()?));
        }
        for now in ["CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP"] {
            if self.is_kw(now) {
                let precision = self.now_precision()?;
                let args = if precision == 0 {
                    Vec::new()
                } else {
                    vec![Expr::Literal(crate::ast::Literal::UInt(u64::from(precision)))]
                };
                return Ok(Expr::Function(crate::ast::Function::call("NOW", args)));
            }
        }
        if self.is_kw("NULL")
            || self.is_kw("TRUE")
            || self.is_kw("FALSE")
            || self.word_at(0).is_some_and(|w| w.starts_with('_'))
            || matches!(self.peek_at(1).tok, Tok::Str(_))
        {
            return self.bare_literal();
        }
        Err(self.unexpected())
    }

    fn bare_literal(&mut self) -> Result1<Expr> {
        let start = self.peek().start;
        match self.expr()? {
            literal @ Expr::Literal(_) => Ok(literal),
            _ => Err(self.syntax_at(start)),
        }
    }

    /// `CURRENT_TIMESTAMP[(n)]` and its synonyms: n.
    fn now_precision(&mut self) -> Result1<u8> {
        if self.one_of(&["CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP"]).is_none() {
            return Err(self.unexpected());
        }
        let mut precision = 0;
        if self.op_if(Op::LParen) {
            if !self.is_op(Op::RParen) {
                precision = self.uint_up_to(6)? as u8;
            }
            self.op(Op::RParen)?;
        }
        Ok(precision)
    }

    fn length(&mut self, max: u64) -> Result1<Option<u64>> {
        if !self.op_if(Op::LParen) {
            return Ok(None);
        }
        let length = self.uint_up_to(max)?;
        self.op(Op::RParen)?;
        Ok(Some(length))
    }

    fn unsigned_is_deprecated(&mut self, unsigned: bool) {
        if unsigned {
            let text = "UNSIGNED for decimal and floating point data types is deprecated and support for it will be removed in a future release.";
            self.deprecated(1681, text);
        }
    }

    fn unsigned_zerofill(&mut self) -> (bool, bool) {
        let (mut unsigned, mut zerofill) = (false, false);
        while let Some(word) = self.one_of(&["UNSIGNED", "SIGNED", "ZEROFILL"]) {
            unsigned |= word != "SIGNED";
            zerofill |= word == "ZEROFILL";
        }
        (unsigned, zerofill)
    }

    /// A column's type.
    pub(crate) fn data_type(&mut self) -> Result1<DataType> {
        let Some(word) = self.word_at(0).map(str::to_ascii_uppercase) else { return Err(self.unexpected()) };
        let start = self.at;
        self.advance();
        let int_bytes = match word.as_str() {
            "TINYINT" | "INT1" => 1,
            "SMALLINT" | "INT2" => 2,
            "MEDIUMINT" | "INT3" | "MIDDLEINT" => 3,
            "INT" | "INTEGER" | "INT4" => 4,
            "BIGINT" | "INT8" => 8,
            _ => 0,
        };
        if int_bytes != 0 {
            let width = self.length(255)?.map(|width| width as u8);
            let (unsigned, zerofill) = self.unsigned_zerofill();
            if width.is_some_and(|width| int_bytes > 1 || width > 1) {
                self.deprecated(1681, "Integer display width is deprecated and will be removed in a future release.");
            }
            if zerofill {
                let text = "The ZEROFILL attribute is deprecated and will be removed in a future release. Use the LPAD function to zero-pad numbers, or store the formatted numbers in a CHAR column.";
                self.deprecated(1681, text);
            }
            return Ok(DataType::Int { bytes: int_bytes, unsigned, width, zerofill });
        }
        Ok(match word.as_str() {
            "BOOL" | "BOOLEAN" => DataType::Int { bytes: 1, unsigned: false, width: Some(1), zerofill: false },
            "BIT" => DataType::Bit(self.length(255)?.unwrap_or(1) as u8),
            "DECIMAL" | "DEC" | "NUMERIC" | "FIXED" => {
                let (mut precision, mut scale) = (10, 0);
                if self.op_if(Op::LParen) {
                    precision = self.uint_up_to(255)? as u8;
                    if self.op_if(Op::Comma) {
                        scale = self.uint_up_to(255)? as u8;
                    }
                    self.op(Op::RParen)?;
                }
                let (unsigned, _) = self.unsigned_zerofill();
                self.unsigned_is_deprecated(unsigned);
                DataType::Decimal { precision, scale, unsigned }
            }
            "FLOAT" | "FLOAT4" | "DOUBLE" | "FLOAT8" | "REAL" => {
                if matches!(word.as_str(), "DOUBLE") {
                    self.kw_if("PRECISION");
                }
                let mut double = matches!(word.as_str(), "DOUBLE" | "FLOAT8")
                    || (word == "REAL" && !self.mode.has(SqlMode::REAL_AS_FLOAT));
                let mut fixed = None;
                if self.op_if(Op::LParen) {
                    let digits = self.uint_up_to(255)? as u8;
                    if self.op_if(Op::Comma) {
                        fixed = Some((digits, self.uint_up_to(255)? as u8));
                        let text = "Specifying number of digits for floating point data types is deprecated and will be removed in a future release.";
                        self.deprecated(1681, text);
                    } else {
                        double |= digits > 24;
                    }
                    self.op(Op::RParen)?;
                }
                let (unsigned, _) = self.unsigned_zerofill();
                self.unsigned_is_deprecated(unsigned);
                if let Some((digits, scale)) = fixed {
                    return Ok(DataType::Fixed { unsigned, single: !double, digits, scale });
                }
                if double { DataType::Double { unsigned } } else { DataType::Float { unsigned } }
            }
            "CHAR" | "CHARACTER" | "NCHAR" | "NATIONAL" => {
                let mut varying = false;
                if word == "NATIONAL" {
                    match self.one_of(&["CHAR", "CHARACTER", "VARCHAR"]) {
                        Some(word) => varying = word == "VARCHAR",
                        None => return Err(self.unexpected()),
                    }
                }
                varying |= self.kw_if("VARYING");
                match self.length(u64::from(u32::MAX))? {
                    Some(length) if varying => DataType::VarChar(length as u32),
                    None if varying => return Err(self.unexpected()),
                    length => DataType::Char(length.unwrap_or(1) as u32),
                }
            }
            "VARCHAR" | "VARCHARACTER" | "NVARCHAR" => match self.length(u64::from(u32::MAX))? {
                Some(length) => DataType::VarChar(length as u32),
                None => return Err(self.unexpected()),
            },
            "BINARY" => DataType::Binary(self.length(255)?.unwrap_or(1) as u32),
            "VARBINARY" => match self.length(u64::from(u32::MAX))? {
                Some(length) => DataType::VarBinary(length as u32),
                None => return Err(self.unexpected()),
            },
            "TINYTEXT" => DataType::Text(1),
            "TEXT" => DataType::Text(blob_size(self.length(u64::from(u32::MAX))?)),
            "MEDIUMTEXT" | "LONG" => {
                let binary = word == "LONG" && self.kw_if("VARBINARY");
                if word == "LONG" {
                    self.kw_if("VARCHAR");
                }
                if binary { DataType::Blob(3) } else { DataType::Text(3) }
            }
            "LONGTEXT" => DataType::Text(4),
            "TINYBLOB" => DataType::Blob(1),
            "BLOB" => DataType::Blob(blob_size(self.length(u64::from(u32::MAX))?)),
            "MEDIUMBLOB" => DataType::Blob(3),
            "LONGBLOB" => DataType::Blob(4),
            "DATE" => DataType::Date,
            "TIME" => DataType::Time(self.length(255)?.unwrap_or(0) as u8),
            "DATETIME" => DataType::DateTime(self.length(255)?.unwrap_or(0) as u8),
            "TIMESTAMP" => DataType::Timestamp(self.length(255)?.unwrap_or(0) as u8),
            "YEAR" => {
                self.length(4)?;
                DataType::Year
            }
            "JSON" => DataType::Json,
            "ENUM" => DataType::Enum(self.paren_list(Self::string)?),
            "SET" => DataType::Set(self.paren_list(Self::string)?),
            "GEOMETRY" | "POINT" | "LINESTRING" | "POLYGON" | "MULTIPOINT" | "MULTILINESTRING" | "MULTIPOLYGON"
            | "GEOMETRYCOLLECTION" | "GEOMCOLLECTION" => return self.unsupported("spatial types"),
            _ => {
                self.at = start;
                return Err(self.unexpected());
            }
        })
    }

    fn table_options(&mut self) -> Result1<TableOptions> {
        let mut options = TableOptions::default();
        loop {
            self.op_if(Op::Comma);
            let defaulted = self.kw_if("DEFAULT");
            if self.kw_if("CHARSET") || self.kws_if(&["CHARACTER", "SET"]) {
                self.op_if(Op::Eq);
                options.charset = Some(self.name_or_string()?.to_ascii_lowercase());
                continue;
            }
            if self.kw_if("COLLATE") {
                self.op_if(Op::Eq);
                options.collation = Some(self.name_or_string()?.to_ascii_lowercase());
                continue;
            }
            if defaulted {
                return Err(self.unexpected());
            }
            let word = self.word_at(0).map(str::to_ascii_uppercase);
            match word.as_deref() {
                Some("ENGINE" | "TYPE") => {
                    self.advance();
                    self.op_if(Op::Eq);
                    options.engine = Some(self.name_or_string()?);
                }
                Some("COMMENT") => {
                    self.advance();
                    self.op_if(Op::Eq);
                    options.comment = Some(self.string()?);
                }
                Some("AUTO_INCREMENT") => {
                    self.advance();
                    self.op_if(Op::Eq);
                    options.auto_increment = Some(self.uint()?);
                }
                Some("ROW_FORMAT") => {
                    self.advance();
                    self.op_if(Op::Eq);
                    options.row_format = Some(self.name_or_default()?.to_ascii_uppercase());
                }
                Some(
                    "AVG_ROW_LENGTH" | "CHECKSUM" | "COMPRESSION" | "CONNECTION" | "DELAY_KEY_WRITE" | "ENCRYPTION"
                    | "INSERT_METHOD" | "KEY_BLOCK_SIZE" | "MAX_ROWS" | "MIN_ROWS" | "PACK_KEYS" | "STATS_AUTO_RECALC"
                    | "STATS_PERSISTENT" | "STATS_SAMPLE_PAGES",
                ) => {
                    self.advance();
                    self.op_if(Op::Eq);
                    let value = self.name_or_default()?;
                    options.other.push((word.unwrap_or_default(), value));
                }
                Some("DATA" | "INDEX") if self.is_kw_at(1, "DIRECTORY") => return self.unsupported("DATA DIRECTORY"),
                Some("TABLESPACE") => return self.unsupported("TABLESPACE"),
                _ => return Ok(options),
            }
        }
    }

    pub(crate) fn drop_statement(&mut self) -> Result1<Statement> {
        self.kw("DROP")?;
        if self.one_of(&["DATABASE", "SCHEMA"]).is_some() {
            let if_exists = self.if_exists();
            return Ok(Statement::DropDatabase { if_exists, name: self.ident()? });
        }
        if self.kw_if("USER") {
            let if_exists = self.if_exists();
            return Ok(Statement::DropUser { if_exists, users: self.comma_list(Self::user_name)? });
        }
        if self.kw_if("INDEX") {
            let name = if self.kw_if("PRIMARY") { "PRIMARY".to_owned() } else { self.ident()? };
            self.kw("ON")?;
            let table = self.object_name()?;
            while self.one_of(&["ALGORITHM", "LOCK"]).is_some() {
                self.op_if(Op::Eq);
                self.name_or_default()?;
            }
            return Ok(Statement::DropIndex { table, name });
        }
        if self.kw_if("PREPARE") {
            return Ok(Statement::Deallocate(self.ident()?));
        }
        let temporary = self.kw_if("TEMPORARY");
        if self.one_of(&["TABLE", "TABLES"]).is_some() {
            let if_exists = self.if_exists();
            let names = self.comma_list(Self::object_name)?;
            let _ = self.one_of(&["RESTRICT", "CASCADE"]);
            return Ok(Statement::DropTable { temporary, if_exists, names });
        }
        for (word, what) in [
            ("VIEW", "DROP VIEW"),
            ("PROCEDURE", "DROP PROCEDURE"),
            ("FUNCTION", "DROP FUNCTION"),
            ("TRIGGER", "DROP TRIGGER"),
            ("EVENT", "DROP EVENT"),
            ("ROLE", "DROP ROLE"),
            ("SERVER", "DROP SERVER"),
            ("TABLESPACE", "DROP TABLESPACE"),
            ("UNDO", "DROP UNDO TABLESPACE"),
        ] {
            if self.kw_if(word) {
                // mariadb-dump writes DROP VIEW IF EXISTS before every view; there are none to drop.
                return self.unsupported(what);
            }
        }
        Err(self.unexpected())
    }

    pub(crate) fn truncate(&mut self) -> Result1<Statement> {
        self.kw("TRUNCATE")?;
        self.kw_if("TABLE");
        Ok(Statement::Truncate(self.object_name()?))
    }

    pub(crate) fn rename(&mut self) -> Result1<Statement> {
        self.kw("RENAME")?;
        if self.kw_if("USER") {
            return Ok(Statement::RenameUser(self.comma_list(|parser| {
                let from = parser.user_name()?;
                parser.kw("TO")?;
                Ok((from, parser.user_name()?))
            })?));
        }
        if self.one_of(&["TABLE", "TABLES"]).is_none() {
            return Err(self.unexpected());
        }
        Ok(Statement::RenameTable(self.comma_list(|parser| {
            let from = parser.object_name()?;
            parser.kw("TO")?;
            Ok((from, parser.object_name()?))
        })?))
    }

    pub(crate) fn alter(&mut self) -> Result1<Statement> {
        self.kw("ALTER")?;
        if self.one_of(&["DATABASE", "SCHEMA"]).is_some() {
            let named =
                !["CHARACTER", "CHARSET", "COLLATE", "DEFAULT", "ENCRYPTION"].iter().any(|word| self.is_kw(word));
            let name = if named { Some(self.ident()?) } else { None };
            return Ok(Statement::AlterDatabase { name, options: self.database_options()? });
        }
        if self.kw_if("USER") {
            return self.alter_user();
        }
        if self.kw_if("TABLE") {
            let name = self.object_name()?;
            let mut changes = Vec::new();
            loop {
                self.alter_change(&mut changes)?;
                if !self.op_if(Op::Comma) {
                    break;
                }
            }
            return Ok(Statement::AlterTable { name, changes });
        }
        for (word, what) in [
            ("VIEW", "ALTER VIEW"),
            ("ALGORITHM", "ALTER VIEW"),
            ("DEFINER", "ALTER VIEW"),
            ("EVENT", "ALTER EVENT"),
            ("PROCEDURE", "ALTER PROCEDURE"),
            ("FUNCTION", "ALTER FUNCTION"),
            ("INSTANCE", "ALTER INSTANCE"),
            ("SERVER", "ALTER SERVER"),
            ("TABLESPACE", "ALTER TABLESPACE"),
        ] {
            if self.kw_if(word) {
                return self.unsupported(what);
            }
        }
        Err(self.unexpected())
    }

    /// After ALTER TABLE ... ALTER.
    fn alter_part(&mut self) -> Result1<AlterTable> {
        if self.one_of(&["CHECK", "CONSTRAINT"]).is_some() {
            let name = self.ident()?;
            let not = self.kw_if("NOT");
            self.kw("ENFORCED")?;
            return Ok(AlterTable::EnforceCheck(name, !not));
        }
        if self.one_of(&["INDEX", "KEY"]).is_some() {
            let name = self.ident()?;
            let visible = self.one_of(&["VISIBLE", "INVISIBLE"]).ok_or_else(|| self.unexpected())?;
            return Ok(AlterTable::ShowKey(name, visible == "VISIBLE"));
        }
        self.kw_if("COLUMN");
        let name = self.ident()?;
        if self.kws_if(&["DROP", "DEFAULT"]) {
            return Ok(AlterTable::SetDefault(name, None));
        }
        self.kw("SET")?;
        self.kw("DEFAULT")?;
        Ok(AlterTable::SetDefault(name, Some(self.default_value()?)))
    }

    fn place(&mut self) -> Result1<ColumnPlace> {
        if self.kw_if("FIRST") {
            return Ok(ColumnPlace::First);
        }
        if self.kw_if("AFTER") {
            return self.ident().map(ColumnPlace::After);
        }
        Ok(ColumnPlace::Default)
    }

    fn altered_column(&mut self, name: String, changes: &mut Vec<AlterTable>) -> Result1<ColumnDef> {
        let (column, keys, checks) = self.column_def(name)?;
        changes.extend(keys.into_iter().map(AlterTable::AddKey));
        changes.extend(checks.into_iter().map(AlterTable::AddCheck));
        Ok(column)
    }

    fn alter_change(&mut self, changes: &mut Vec<AlterTable>) -> Result1<()> {
        if self.kw_if("ADD") {
            let constraint = self.constraint_name()?;
            if self.kws_if(&["FOREIGN", "KEY"]) {
                changes.push(AlterTable::AddForeignKey(self.foreign_key(constraint)?));
            } else if self.kw_if("CHECK") {
                changes.push(AlterTable::AddCheck(self.check(constraint)?));
            } else if let Some(key) = self.key_def(constraint.clone())? {
                changes.push(AlterTable::AddKey(key));
            } else if constraint.is_some() {
                return Err(self.unexpected());
            } else {
                self.kw_if("COLUMN");
                if self.op_if(Op::LParen) {
                    loop {
                        let name = self.ident()?;
                        let mut keys = Vec::new();
                        let column = self.altered_column(name, &mut keys)?;
                        changes.push(AlterTable::AddColumn(column, ColumnPlace::Default));
                        changes.append(&mut keys);
                        if !self.op_if(Op::Comma) {
                            break;
                        }
                    }
                    return self.op(Op::RParen);
                }
                let name = self.ident()?;
                let mut keys = Vec::new();
                let column = self.altered_column(name, &mut keys)?;
                let place = self.place()?;
                changes.push(AlterTable::AddColumn(column, place));
                changes.append(&mut keys);
            }
        } else if self.kw_if("DROP") {
            changes.push(if self.kws_if(&["PRIMARY", "KEY"]) {
                AlterTable::DropPrimaryKey
            } else if self.kws_if(&["FOREIGN", "KEY"]) {
                AlterTable::DropForeignKey(self.ident()?)
            } else if self.kw_if("CHECK") {
                AlterTable::DropCheck(self.ident()?)
            } else if self.kw_if("CONSTRAINT") {
                AlterTable::DropConstraint(self.ident()?)
            } else if self.one_of(&["KEY", "INDEX"]).is_some() {
                AlterTable::DropKey(self.ident()?)
            } else {
                self.kw_if("COLUMN");
                let column = self.ident()?;
                let _ = self.one_of(&["RESTRICT", "CASCADE"]);
                AlterTable::DropColumn(column)
            });
        } else if let Some(word) = self.one_of(&["MODIFY", "CHANGE"]) {
            self.kw_if("COLUMN");
            let old = self.ident()?;
            let new = if word == "CHANGE" { self.ident()? } else { old.clone() };
            let mut keys = Vec::new();
            let column = self.altered_column(new, &mut keys)?;
            let place = self.place()?;
            changes.push(AlterTable::ChangeColumn(old, column, place));
            changes.append(&mut keys);
        } else if self.kw_if("RENAME") {
            if self.kw_if("COLUMN") {
                let from = self.ident()?;
                self.kw("TO")?;
                changes.push(AlterTable::RenameColumn(from, self.ident()?));
            } else if self.one_of(&["INDEX", "KEY"]).is_some() {
                return self.unsupported("RENAME INDEX");
            } else {
                let _ = self.one_of(&["TO", "AS"]);
                self.op_if(Op::Eq);
                changes.push(AlterTable::RenameTo(self.object_name()?));
            }
        } else if self.one_of(&["DISABLE", "ENABLE"]).is_some() {
            // mysqldump's ALTER TABLE t DISABLE KEYS: nothing to do.
            self.kw("KEYS")?;
        } else if self.one_of(&["ALGORITHM", "LOCK"]).is_some() {
            self.op_if(Op::Eq);
            self.name_or_default()?;
        } else if self.kw_if("FORCE") {
            // A rebuild without a change.
        } else if self.kw_if("ALTER") {
            changes.push(self.alter_part()?);
        } else if self.is_kw("CONVERT") || self.is_kw("ORDER") || self.is_kw("PARTITION") {
            let what = format!("ALTER TABLE ... {}", self.word_at(0).unwrap_or_default().to_ascii_uppercase());
            return self.unsupported(&what);
        } else {
            let options = self.table_options()?;
            if options == TableOptions::default() {
                return Err(self.unexpected());
            }
            changes.push(AlterTable::Options(options));
        }
        Ok(())
    }
}

/// Bytes of the length prefix of `TEXT(n)`, `BLOB(n)`.
const fn blob_size(length: Option<u64>) -> u8 {
    match length {
        None | Some(256..=65_535) => 2,
        Some(0..=255) => 1,
        Some(65_536..=16_777_215) => 3,
        Some(_) => 4,
    }
}
