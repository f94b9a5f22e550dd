//! SHOW CREATE TABLE and SHOW CREATE DATABASE, in MySQL 8.0's exact layout: tools read it with regular expressions.

use super::collation;
use crate::catalog::{Column, DefaultValue, ForeignKey, Reference, ReferenceRule, TableDefinition};
use std::fmt::Write as _;

/// `` `name` ``.
#[must_use]
pub fn ident(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// `'text'`, with MySQL's escapes.
#[must_use]
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// `CURRENT_TIMESTAMP` with its digits.
#[must_use]
pub fn now_text(digits: u8) -> String {
    if digits == 0 { "CURRENT_TIMESTAMP".into() } else { format!("CURRENT_TIMESTAMP({digits})") }
}

/// A column as CREATE TABLE declares it.
#[must_use]
pub fn column_text(column: &Column, table: &TableDefinition) -> String {
    let mut out = format!("{} {}", ident(&column.name), column.kind.declaration());
    if column.kind.is_text() {
        let (own, default) = (column.collation(), collation(table.collation));
        // As MySQL: the character set where the collation is not the table's, the collation where it is not its
        // character set's first one.
        if own != default {
            let _ = write!(out, " CHARACTER SET {}", own.charset());
        }
        if !own.is_charset_default() || (own != default && own.charset() == "utf8mb4") {
            let _ = write!(out, " COLLATE {}", own.name());
        }
    }
    if !column.nullable {
        out.push_str(" NOT NULL");
    } else if matches!(column.kind, crate::catalog::ColumnType::Timestamp(_)) {
        out.push_str(" NULL");
    }
    if column.auto_increment {
        out.push_str(" AUTO_INCREMENT");
    } else {
        match &column.default {
            DefaultValue::Literal(text) if matches!(column.kind, crate::catalog::ColumnType::Bit(_)) => {
                let _ = write!(out, " DEFAULT {text}");
            }
            DefaultValue::Now(digits) => {
                let _ = write!(out, " DEFAULT {}", now_text(*digits));
            }
            DefaultValue::Literal(text) => {
                let _ = write!(out, " DEFAULT {}", literal(text));
            }
            DefaultValue::Null if column.nullable && !column.kind.is_blob() => {
                out.push_str(" DEFAULT NULL");
            }
            DefaultValue::Null | DefaultValue::None if matches!(column.kind, crate::catalog::ColumnType::Json) => {
                out.push_str(if column.nullable { " DEFAULT NULL" } else { "" });
            }
            DefaultValue::Null | DefaultValue::None => {}
        }
    }
    if column.on_update_now {
        let _ = write!(out, " ON UPDATE {}", now_text(column.kind.second_digits().unwrap_or(0)));
    }
    if column.invisible {
        out.push_str(" /*!80023 INVISIBLE */");
    }
    if !column.comment.is_empty() {
        let _ = write!(out, " COMMENT {}", literal(&column.comment));
    }
    out
}

/// `` CONSTRAINT `name` FOREIGN KEY (...) REFERENCES ... `` of a table in `schema`.
fn foreign_key_text(schema: &str, table: &TableDefinition, key: &ForeignKey) -> String {
    let columns = key.columns.iter().map(|&at| ident(&table.columns[usize::from(at)].name));
    let columns = columns.collect::<Vec<_>>().join(", ");
    let parents = key.parent_columns.iter().map(|name| ident(name)).collect::<Vec<_>>().join(", ");
    let database = if key.parent_schema == schema { String::new() } else { format!("{}.", ident(&key.parent_schema)) };
    let (name, parent) = (ident(&key.name), ident(&key.parent_table));
    let mut out = format!("CONSTRAINT {name} FOREIGN KEY ({columns}) REFERENCES {database}{parent} ({parents})");
    for (rule, what) in [(key.on_delete, "DELETE"), (key.on_update, "UPDATE")] {
        if rule != ReferenceRule::NoAction {
            let _ = write!(out, " ON {what} {}", rule.name());
        }
    }
    out
}

/// A foreign key as errors name it.
#[must_use]
pub fn reference_text(reference: &Reference) -> String {
    let child = &reference.child;
    let key = foreign_key_text(&child.schema, &child.definition, reference.key());
    format!("{}.{}, {key}", ident(&child.schema), ident(&child.name))
}

/// The CREATE TABLE that makes this table. `next` is the next value of its AUTO_INCREMENT column, shown from 2 on.
#[must_use]
pub fn table_text(schema: &str, name: &str, table: &TableDefinition, next: Option<u64>) -> String {
    let mut lines: Vec<String> = table.shown_columns().map(|(_, column)| column_text(column, table)).collect();
    for key in table.shown_keys() {
        let part = |part: &crate::catalog::KeyPart| {
            let mut out = ident(&table.columns[usize::from(part.column)].name);
            if part.prefix != 0 {
                let _ = write!(out, "({})", part.prefix);
            }
            if part.descending {
                out.push_str(" DESC");
            }
            out
        };
        let parts = key.parts.iter().map(part).collect::<Vec<_>>().join(",");
        let mut line = if key.is_primary() {
            format!("PRIMARY KEY ({parts})")
        } else if key.unique {
            format!("UNIQUE KEY {} ({parts})", ident(&key.name))
        } else {
            format!("KEY {} ({parts})", ident(&key.name))
        };
        if !key.comment.is_empty() {
            let _ = write!(line, " COMMENT {}", literal(&key.comment));
        }
        if key.invisible {
            line.push_str(" /*!80000 INVISIBLE */");
        }
        lines.push(line);
    }
    lines.extend(table.foreign_keys.iter().map(|key| foreign_key_text(schema, table, key)));
    lines.extend(table.checks.iter().map(|check| {
        let enforced = if check.enforced { "" } else { " /*!80016 NOT ENFORCED */" };
        format!("CONSTRAINT {} CHECK ({}){enforced}", ident(&check.name), check.condition)
    }));
    let mut out = format!("CREATE TABLE {} (\n  {}\n) ENGINE=InnoDB", ident(name), lines.join(",\n  "));
    if let Some(next) = next.filter(|&next| next > 1) {
        let _ = write!(out, " AUTO_INCREMENT={next}");
    }
    let default = collation(table.collation);
    let _ = write!(out, " DEFAULT CHARSET={}", default.charset());
    // MySQL 8 leaves a default collation out, except that of utf8mb4.
    if !default.is_charset_default() || default.charset() == "utf8mb4" {
        let _ = write!(out, " COLLATE={}", default.name());
    }
    if !table.row_format.is_empty() {
        let _ = write!(out, " ROW_FORMAT={}", table.row_format);
    }
    if !table.comment.is_empty() {
        let _ = write!(out, " COMMENT={}", literal(&table.comment));
    }
    out
}

/// The CREATE DATABASE that makes this database.
#[must_use]
pub fn database_text(name: &str, collation_id: u16, if_not_exists: bool) -> String {
    let default = collation(collation_id);
    let condition = if if_not_exists { "/*!32312 IF NOT EXISTS*/ " } else { "" };
    let mut options = format!("DEFAULT CHARACTER SET {}", default.charset());
    if !default.is_charset_default() || default.charset() == "utf8mb4" {
        let _ = write!(options, " COLLATE {}", default.name());
    }
    format!("CREATE DATABASE {condition}{} /*!40100 {options} */ /*!80016 DEFAULT ENCRYPTION='N' */", ident(name))
}
