//! Table definitions out of CREATE TABLE and ALTER TABLE.

use super::cluster;
use super::constraint;
use super::foreign::{self, Surroundings};
use crate::ast::{self, AlterTable, ColumnPlace, DataType, Expr, KeyDef, KeyKind, Literal, UnaryOp};
use crate::catalog::{Column, ColumnType, DefaultValue, Key, KeyPart, ROW_ID, Table, TableDefinition};
use crate::collate::Collation;
use crate::error::{SqlError, error};
use crate::plan::unsupported;
use crate::row::Conversion;
use crate::temporal::DateRules;
use crate::value::Value;

/// Longest key, in bytes.
const KEY_BYTES_MAX: u64 = 3072;
/// Most columns of a table.
const COLUMNS_MAX: usize = 1017;
/// Most keys of a table.
const KEYS_MAX: usize = 64;
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 64;

/// 1059 or 1103 for a bad name.
pub(super) fn check_name(name: &str) -> Result<(), SqlError> {
    if name.is_empty() || name.ends_with(' ') {
        return Err(error(1103, format!("Incorrect table name '{name}'")));
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(error(1059, format!("Identifier name '{name}' is too long")));
    }
    Ok(())
}

/// The collation that a pair of options means; `default` where neither is given.
pub(super) fn collation(
    charset: Option<&str>,
    collation: Option<&str>,
    default: Collation,
) -> Result<Collation, SqlError> {
    let of = |charset: &str| {
        Collation::of_charset(charset).ok_or_else(|| error(1115, format!("Unknown character set: '{charset}'")))
    };
    match (charset, collation) {
        (charset, Some(name)) => {
            let found =
                Collation::from_name(name).ok_or_else(|| error(1273, format!("Unknown collation: '{name}'")))?;
            if let Some(charset) = charset
                && of(charset)?.charset() != found.charset()
            {
                let text = format!("COLLATION '{name}' is not valid for CHARACTER SET '{charset}'");
                return Err(error(1253, text));
            }
            Ok(found)
        }
        (Some(charset), None) => of(charset),
        (None, None) => Ok(default),
    }
}

fn column_kind(data_type: &DataType) -> Result<ColumnType, SqlError> {
    Ok(match data_type {
        DataType::Int { bytes, unsigned, width, zerofill } => {
            ColumnType::Int { bytes: *bytes, unsigned: *unsigned, width: *width, zerofill: *zerofill }
        }
        DataType::Decimal { precision, scale, unsigned } => {
            ColumnType::Decimal { precision: *precision, scale: *scale, unsigned: *unsigned }
        }
        DataType::Float { unsigned } => ColumnType::Double { unsigned: *unsigned, single: true },
        DataType::Double { unsigned } => ColumnType::Double { unsigned: *unsigned, single: false },
        DataType::Fixed { unsigned, single, digits, scale } => {
            let (unsigned, single, digits, scale) = (*unsigned, *single, *digits, *scale);
            ColumnType::Fixed { unsigned, single, digits, scale }
        }
        DataType::Char(length) => ColumnType::Char(*length),
        DataType::VarChar(length) => ColumnType::VarChar(*length),
        DataType::Binary(length) => ColumnType::Binary(*length),
        DataType::VarBinary(length) => ColumnType::VarBinary(*length),
        DataType::Text(prefix) => ColumnType::Text(*prefix),
        DataType::Blob(prefix) => ColumnType::Blob(*prefix),
        DataType::Bit(count) => ColumnType::Bit(*count),
        DataType::Date => ColumnType::Date,
        DataType::Time(digits) => ColumnType::Time(*digits),
        DataType::DateTime(digits) => ColumnType::DateTime(*digits),
        DataType::Timestamp(digits) => ColumnType::Timestamp(*digits),
        DataType::Year => ColumnType::Year,
        DataType::Enum(members) => ColumnType::Enum(trimmed(members)),
        DataType::Set(members) => ColumnType::Set(trimmed(members)),
        DataType::Json => ColumnType::Json,
    })
}

/// Members of ENUM and SET lose trailing spaces.
fn trimmed(members: &[String]) -> Vec<String> {
    members.iter().map(|member| member.trim_end_matches(' ').to_owned()).collect()
}

fn check_members(name: &str, kind: &ColumnType, collation: Collation) -> Result<(), SqlError> {
    let (members, word, most) = match kind {
        ColumnType::Enum(members) => (members, "ENUM", 65_535),
        ColumnType::Set(members) => (members, "SET", 64),
        _ => return Ok(()),
    };
    if members.len() > most {
        return Err(error(1097, format!("Too many strings for column {name} and SET")));
    }
    for (at, member) in members.iter().enumerate() {
        if word == "SET" && member.contains(',') {
            return Err(error(1367, format!("Illegal set '{member}' value found during parsing")));
        }
        let same = |other: &&String| collation.compare(other.as_bytes(), member.as_bytes()).is_eq();
        if let Some(other) = members[..at].iter().find(same) {
            return Err(error(1291, format!("Column '{name}' has duplicated value '{other}' in {word}")));
        }
    }
    Ok(())
}

/// The digits of CURRENT_TIMESTAMP or one of its other names; `None` for any other expression.
fn now_digits(expr: &Expr) -> Option<u8> {
    let Expr::Function(call) = expr else { return None };
    if call.name != "NOW" {
        return None;
    }
    match call.args.as_slice() {
        [] => Some(0),
        [Expr::Literal(Literal::UInt(digits))] => u8::try_from(*digits).ok().filter(|digits| *digits <= 6),
        _ => None,
    }
}

/// A literal default as text.
fn default_text(column: &str, expr: &Expr) -> Result<Option<String>, SqlError> {
    let invalid = || error(1067, format!("Invalid default value for '{column}'"));
    Ok(match expr {
        Expr::Literal(Literal::Null) => None,
        Expr::Literal(Literal::Bool(value)) => Some(u8::from(*value).to_string()),
        Expr::Literal(Literal::UInt(value)) => Some(value.to_string()),
        Expr::Literal(Literal::Decimal(digits)) => Some(digits.clone()),
        Expr::Literal(Literal::Double(value)) => Some(value.to_string()),
        Expr::Literal(Literal::String { text, .. }) => Some(text.clone()),
        Expr::Literal(Literal::Bytes { bytes, .. }) => Some(
            String::from_utf8(bytes.clone())
                .or_else(|_| if bytes.len() <= 8 { Ok(String::new()) } else { Err(invalid()) })?,
        ),
        Expr::Unary(UnaryOp::Minus, inner) => default_text(column, inner)?.map(|text| format!("-{text}")),
        Expr::Unary(UnaryOp::Plus, inner) => default_text(column, inner)?,
        _ => return Err(unsupported("expressions as defaults")),
    })
}

fn column(def: &ast::ColumnDef, table_collation: Collation) -> Result<Column, SqlError> {
    if def.name.is_empty() || def.name.ends_with(' ') || def.name.eq_ignore_ascii_case(ROW_ID) {
        return Err(error(1166, format!("Incorrect column name '{}'", def.name)));
    }
    check_name(&def.name)?;
    if def.generated.is_some() {
        return Err(unsupported("generated columns"));
    }
    let mut kind = column_kind(&def.data_type)?;
    let mut chosen = Collation::BINARY;
    if kind.is_text() {
        chosen = collation(def.charset.as_deref(), def.collation.as_deref(), table_collation)?;
        if chosen == Collation::BINARY {
            kind = match kind {
                ColumnType::Char(length) => ColumnType::Binary(length),
                ColumnType::VarChar(length) => ColumnType::VarBinary(length),
                ColumnType::Text(prefix) => ColumnType::Blob(prefix),
                other => other,
            };
        }
    }
    match kind {
        ColumnType::Char(length) | ColumnType::Binary(length) if length > 255 => {
            let text = format!("Column length too big for column '{}' (max = 255); use BLOB or TEXT instead", def.name);
            return Err(error(1074, text));
        }
        ColumnType::VarChar(length) | ColumnType::VarBinary(length)
            if u64::from(length) * u64::from(chosen.bytes_per_char()) > 65_535 =>
        {
            let most = 65_535 / chosen.bytes_per_char();
            let text =
                format!("Column length too big for column '{}' (max = {most}); use BLOB or TEXT instead", def.name);
            return Err(error(1074, text));
        }
        ColumnType::Decimal { precision, .. } if precision > 65 => {
            let text = format!("Too-big precision {precision} specified for '{}'. Maximum is 65.", def.name);
            return Err(error(1426, text));
        }
        ColumnType::Decimal { scale, .. } if scale > 30 => {
            let text = format!("Too big scale {scale} specified for column '{}'. Maximum is 30.", def.name);
            return Err(error(1425, text));
        }
        ColumnType::Time(digits) | ColumnType::DateTime(digits) | ColumnType::Timestamp(digits) if digits > 6 => {
            let text = format!("Too-big precision {digits} specified for '{}'. Maximum is 6.", def.name);
            return Err(error(1426, text));
        }
        ColumnType::Bit(count) if count > 64 => {
            return Err(error(1439, format!("Display width out of range for column '{}' (max = 64)", def.name)));
        }
        ColumnType::Fixed { scale, .. } if scale > 30 => {
            let text = format!("Too big scale {scale} specified for column '{}'. Maximum is 30.", def.name);
            return Err(error(1425, text));
        }
        ColumnType::Decimal { precision, scale, .. } | ColumnType::Fixed { digits: precision, scale, .. }
            if scale > precision =>
        {
            return Err(error(
                1427,
                format!("For float(M,D), double(M,D) or decimal(M,D), M must be >= D (column '{}').", def.name),
            ));
        }
        _ => {}
    }
    check_members(&def.name, &kind, chosen)?;
    let nullable = def.nullable.unwrap_or(true);
    let mut column = Column {
        name: def.name.clone(),
        kind,
        nullable,
        default: if nullable { DefaultValue::Null } else { DefaultValue::None },
        auto_increment: def.auto_increment,
        comment: def.comment.clone().unwrap_or_default(),
        collation: chosen.id(),
        invisible: def.invisible,
        on_update_now: def.on_update.is_some(),
    };
    let keeps_now =
        |digits: u8| matches!(column.kind, ColumnType::DateTime(own) | ColumnType::Timestamp(own) if own == digits);
    if def.on_update.is_some_and(|digits| !keeps_now(digits)) {
        return Err(error(1294, format!("Invalid ON UPDATE clause for '{}' column", def.name)));
    }
    if column.auto_increment {
        if !matches!(column.kind, ColumnType::Int { .. }) {
            return Err(error(1063, format!("Incorrect column specifier for column '{}'", def.name)));
        }
        column.nullable = false;
        column.default = DefaultValue::None;
    }
    if let Some(default) = &def.default {
        put_default(&mut column, default)?;
    }
    Ok(column)
}

/// Gives a column its DEFAULT.
fn put_default(column: &mut Column, default: &Expr) -> Result<(), SqlError> {
    let invalid = error(1067, format!("Invalid default value for '{}'", column.name));
    if let Some(digits) = now_digits(default) {
        let keeps = matches!(column.kind, ColumnType::DateTime(own) | ColumnType::Timestamp(own) if own == digits);
        column.default = if keeps { DefaultValue::Now(digits) } else { return Err(invalid) };
        return Ok(());
    }
    if column.auto_increment {
        return Err(invalid);
    }
    match default_text(&column.name, default)? {
        None if !column.nullable => return Err(invalid),
        None => column.default = DefaultValue::Null,
        Some(_) if column.kind.is_blob() => {
            let text = format!("BLOB, TEXT, GEOMETRY or JSON column '{}' can't have a default value", column.name);
            return Err(error(1101, text));
        }
        Some(text) => {
            let mut warnings = Vec::new();
            // As with a default time zone: a TIMESTAMP's literal is kept as it is written.
            let rules = DateRules { no_zero_date: true, no_zero_in_date: true, ..DateRules::default() };
            let mut conversion = Conversion { strict: true, row: 1, warnings: &mut warnings, table: "", rules };
            let given = match default {
                Expr::Literal(Literal::Bytes { bytes, .. }) => Value::bytes(bytes.as_slice()),
                Expr::Literal(Literal::UInt(number)) => Value::uint(*number),
                _ => Value::text(text.as_str()),
            };
            let converted = conversion.convert(column, given);
            let value = converted.map_err(|_| invalid)?;
            column.default = DefaultValue::Literal(match (&value, &column.kind) {
                (Value::Bit(bits, _), _) => format!("b'{bits:b}'"),
                (Value::Double(number), ColumnType::Fixed { scale, .. }) => {
                    format!("{number:.*}", usize::from(*scale))
                }
                (value, _) => value.to_text().unwrap_or_default().into_owned(),
            });
        }
    }
    Ok(())
}

/// What a new table is.
pub(super) fn table(
    create: &ast::CreateTable,
    database_collation: Collation,
    created_us: u64,
    at: &Surroundings<'_>,
) -> Result<TableDefinition, SqlError> {
    check_name(&create.name.name)?;
    if create.temporary {
        return Err(unsupported("temporary tables"));
    }
    check_engine(&create.options)?;
    let default =
        collation(create.options.charset.as_deref(), create.options.collation.as_deref(), database_collation)?;
    let mut definition = TableDefinition {
        columns: Vec::new(),
        keys: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        collation: default.id(),
        comment: create.options.comment.clone().unwrap_or_default(),
        row_format: create.options.row_format.clone().unwrap_or_default(),
        auto_increment: create.options.auto_increment.unwrap_or(0),
        next_space: 1,
        created_us,
        origins: Vec::new(),
    };
    if create.columns.is_empty() {
        return Err(error(1113, "A table must have at least 1 column"));
    }
    for def in &create.columns {
        let column = column(def, default)?;
        if definition.columns.iter().any(|other| other.name.eq_ignore_ascii_case(&column.name)) {
            return Err(error(1060, format!("Duplicate column name '{}'", column.name)));
        }
        definition.columns.push(column);
    }
    for key in &create.keys {
        add_key(&mut definition, key, &create.columns)?;
    }
    match cluster::wanted(&definition) {
        Some(at) => definition.keys[at].space = 0,
        None => definition.hide_key(),
    }
    for key in &create.foreign_keys {
        foreign::add(&mut definition, at, key)?;
    }
    for check in &create.checks {
        constraint::add(&mut definition, at, check)?;
    }
    finish(&mut definition)?;
    constraint::confirm(&definition, at)?;
    Ok(definition)
}

fn check_engine(options: &ast::TableOptions) -> Result<(), SqlError> {
    match options.engine.as_deref() {
        None => Ok(()),
        Some(engine) if engine.eq_ignore_ascii_case("innodb") => Ok(()),
        Some(engine) => Err(error(1286, format!("Unknown storage engine '{engine}'"))),
    }
}

/// Checks of the whole, and the order in which keys are listed.
fn finish(definition: &mut TableDefinition) -> Result<(), SqlError> {
    if definition.columns.len() > COLUMNS_MAX {
        return Err(error(1117, "Too many columns"));
    }
    if definition.keys.len() > KEYS_MAX {
        return Err(error(1069, "Too many keys specified; max 64 keys allowed"));
    }
    let automatic: Vec<usize> =
        (0..definition.columns.len()).filter(|&at| definition.columns[at].auto_increment).collect();
    let keyed = |at: usize| {
        definition.keys.iter().any(|key| key.parts.first().is_some_and(|part| usize::from(part.column) == at))
    };
    if automatic.len() > 1 || automatic.iter().any(|&at| !keyed(at)) {
        return Err(error(
            1075,
            "Incorrect table definition; there can be only one auto column and it must be defined as a key",
        ));
    }
    let columns = &definition.columns;
    let rank = |key: &Key| {
        let nullable = key.parts.iter().any(|part| columns[usize::from(part.column)].nullable);
        match (key.is_primary(), key.unique, nullable) {
            (true, ..) => 0,
            (_, true, false) => 1,
            (_, true, true) => 2,
            _ => 3,
        }
    };
    definition.keys.sort_by_key(|key| (rank(key), key.space != 0 && rank(key) < 2));
    Ok(())
}

/// Adds a key under a space of its own.
pub(super) fn add_key(
    definition: &mut TableDefinition,
    key: &KeyDef,
    columns: &[ast::ColumnDef],
) -> Result<(), SqlError> {
    let primary = key.kind == KeyKind::Primary;
    if matches!(key.kind, KeyKind::FullText | KeyKind::Spatial) {
        return Err(unsupported("FULLTEXT and SPATIAL keys"));
    }
    if primary && definition.keys.iter().any(Key::is_primary) {
        return Err(error(1068, "Multiple primary key defined"));
    }
    let mut parts: Vec<KeyPart> = Vec::with_capacity(key.parts.len());
    let mut bytes = 0_u64;
    for part in &key.parts {
        let found = find(definition, &part.column);
        let at = found.ok_or_else(|| error(1072, format!("Key column '{}' doesn't exist in table", part.column)))?;
        if parts.iter().any(|other| usize::from(other.column) == at) {
            return Err(error(1060, format!("Duplicate column name '{}'", part.column)));
        }
        let column = &mut definition.columns[at];
        let string = column.kind.is_text() || column.kind.is_bytes();
        let whole = match column.kind {
            ColumnType::Char(length)
            | ColumnType::VarChar(length)
            | ColumnType::Binary(length)
            | ColumnType::VarBinary(length) => Some(length),
            _ => None,
        };
        let prefix = match part.prefix {
            Some(prefix) if !string || whole.is_some_and(|whole| prefix > whole) || prefix == 0 => {
                return Err(error(
                    1089,
                    "Incorrect prefix key; the used key part isn't a string, the used length is longer than the key part, or the storage engine doesn't support unique prefix keys",
                ));
            }
            Some(prefix) if Some(prefix) == whole => 0,
            Some(prefix) => prefix,
            None if column.kind == ColumnType::Json => {
                let text = format!(
                    "JSON column '{}' supports indexing only via generated columns on a specified JSON path.",
                    column.name
                );
                return Err(error(3152, text));
            }
            None if column.kind.is_blob() => {
                let text = format!("BLOB/TEXT column '{}' used in key specification without a key length", column.name);
                return Err(error(1170, text));
            }
            None => 0,
        };
        let chars = if prefix > 0 { prefix } else { whole.unwrap_or(8) };
        bytes += u64::from(chars) * u64::from(column.collation().bytes_per_char());
        if primary {
            let explicit =
                columns.iter().any(|def| def.name.eq_ignore_ascii_case(&column.name) && def.nullable == Some(true));
            if explicit {
                return Err(nullable_primary());
            }
            if column.nullable {
                column.nullable = false;
                if column.default == DefaultValue::Null {
                    column.default = DefaultValue::None;
                }
            }
        }
        parts.push(KeyPart { column: at as u16, prefix, descending: part.descending });
    }
    if bytes > KEY_BYTES_MAX {
        return Err(error(1071, "Specified key was too long; max key length is 3072 bytes"));
    }
    let name = match (&key.name, &key.constraint) {
        _ if primary => "PRIMARY".to_owned(),
        (Some(name), _) | (None, Some(name)) => name.clone(),
        (None, None) => free_name(definition, &definition.columns[usize::from(parts[0].column)].name),
    };
    if definition.keys.iter().any(|other| other.name.eq_ignore_ascii_case(&name)) {
        return Err(error(1061, format!("Duplicate key name '{name}'")));
    }
    let space = definition.next_space;
    definition.next_space = space.checked_add(1).ok_or_else(|| error(1069, "Too many keys specified"))?;
    definition.keys.push(Key {
        name,
        unique: primary || key.kind == KeyKind::Unique,
        parts,
        space,
        comment: key.comment.clone().unwrap_or_default(),
        invisible: key.invisible,
    });
    Ok(())
}

fn free_name(definition: &TableDefinition, column: &str) -> String {
    let taken = |name: &str| definition.keys.iter().any(|key| key.name.eq_ignore_ascii_case(name));
    let mut name = column.to_owned();
    let mut number = 2;
    while taken(&name) {
        name = format!("{column}_{number}");
        number += 1;
    }
    name
}

/// What a table becomes by ALTER TABLE, and which of its columns are renamed.
pub(super) fn altered(
    table: &Table,
    changes: &[AlterTable],
    around: &Surroundings<'_>,
) -> Result<(TableDefinition, Vec<(String, String)>), SqlError> {
    let mut renamed = Vec::new();
    let mut definition = table.definition.clone();
    definition.origins = (0..definition.columns.len()).map(|at| Some(at as u16)).collect();
    let default = Collation::from_id(definition.collation).unwrap_or_default();
    for change in changes {
        match change {
            AlterTable::AddColumn(def, place) => {
                let column = column(def, default)?;
                if find(&definition, &def.name).is_some() {
                    return Err(error(1060, format!("Duplicate column name '{}'", def.name)));
                }
                let at = definition.columns.len();
                let hidden = definition.columns.last().is_some_and(Column::is_row_id);
                definition.columns.push(column);
                definition.origins.push(None);
                match place {
                    // The hidden column stays the last one.
                    ColumnPlace::Default if hidden => move_to(&mut definition, at, at - 1),
                    place => move_column(&mut definition, at, place)?,
                }
            }
            AlterTable::DropColumn(name) => {
                let at = find(&definition, name).ok_or_else(|| missing(name))?;
                if definition.shown_columns().count() == 1 {
                    return Err(error(1090, "You can't delete all columns with ALTER TABLE; use DROP TABLE instead"));
                }
                if let Some(key) = definition.foreign_keys.iter().find(|key| key.columns.contains(&(at as u16))) {
                    let text =
                        format!("Cannot drop column '{name}': needed in a foreign key constraint '{}'", key.name);
                    return Err(error(1828, text));
                }
                constraint::forget_column(&mut definition, name)?;
                for column in definition.foreign_keys.iter_mut().flat_map(|key| &mut key.columns) {
                    *column -= u16::from(usize::from(*column) > at);
                }
                for key in &mut definition.keys {
                    key.parts.retain(|part| usize::from(part.column) != at);
                    key.parts.iter_mut().filter(|part| usize::from(part.column) > at).for_each(|part| part.column -= 1);
                }
                definition.keys.retain(|key| !key.parts.is_empty());
                definition.columns.remove(at);
                definition.origins.remove(at);
            }
            AlterTable::ChangeColumn(name, def, place) => {
                let at = find(&definition, name)
                    .ok_or_else(|| error(1054, format!("Unknown column '{name}' in '{}'", table.name)))?;
                let mut changed = column(def, default)?;
                if find(&definition, &def.name).is_some_and(|other| other != at) {
                    return Err(error(1060, format!("Duplicate column name '{}'", def.name)));
                }
                let in_primary = definition
                    .keys
                    .iter()
                    .any(|key| key.is_primary() && key.parts.iter().any(|part| usize::from(part.column) == at));
                if in_primary {
                    if def.nullable == Some(true) {
                        return Err(nullable_primary());
                    }
                    changed.nullable = false;
                    if changed.default == DefaultValue::Null {
                        changed.default = DefaultValue::None;
                    }
                }
                if definition.columns[at].name != changed.name {
                    constraint::keep_column(&definition, name)?;
                    renamed.push((definition.columns[at].name.clone(), changed.name.clone()));
                }
                definition.columns[at] = changed;
                move_column(&mut definition, at, place)?;
            }
            AlterTable::RenameColumn(from, to) => {
                let at = find(&definition, from).ok_or_else(|| missing(from))?;
                check_name(to)?;
                if find(&definition, to).is_some_and(|other| other != at) {
                    return Err(error(1060, format!("Duplicate column name '{to}'")));
                }
                constraint::keep_column(&definition, from)?;
                renamed.push((definition.columns[at].name.clone(), to.clone()));
                definition.columns[at].name.clone_from(to);
            }
            AlterTable::AddKey(key) => add_key(&mut definition, key, &[])?,
            AlterTable::DropKey(name) => {
                let named = |key: &Key| key.name.eq_ignore_ascii_case(name) && !key.is_row_id();
                let at = definition.keys.iter().position(named);
                let at = at.ok_or_else(|| missing(name))?;
                definition.keys.remove(at);
            }
            AlterTable::DropPrimaryKey => {
                let at = definition.keys.iter().position(Key::is_primary).ok_or_else(|| missing("PRIMARY"))?;
                definition.keys.remove(at);
            }
            // Once all columns and keys are as they shall be.
            AlterTable::AddForeignKey(_) => {}
            AlterTable::SetDefault(name, default) => {
                let at = find(&definition, name)
                    .ok_or_else(|| error(1054, format!("Unknown column '{name}' in '{}'", table.name)))?;
                match default {
                    Some(default) => put_default(&mut definition.columns[at], default)?,
                    None => definition.columns[at].default = DefaultValue::None,
                }
            }
            AlterTable::ShowKey(name, visible) => {
                let at = definition.keys.iter().position(|key| key.name.eq_ignore_ascii_case(name));
                let text = format!("Key '{name}' doesn't exist in table '{}'", table.name);
                definition.keys[at.ok_or_else(|| error(1176, text))?].invisible = !visible;
            }
            // Likewise.
            AlterTable::AddCheck(_) | AlterTable::EnforceCheck(..) => {}
            AlterTable::DropCheck(name) => constraint::drop(&mut definition, name)?,
            AlterTable::DropConstraint(name) => constraint::drop_any(&mut definition, name)?,
            AlterTable::DropForeignKey(name) => {
                let at = definition.foreign_keys.iter().position(|key| key.name.eq_ignore_ascii_case(name));
                definition.foreign_keys.remove(at.ok_or_else(|| missing(name))?);
            }
            // Of the table as a whole: the caller's.
            AlterTable::RenameTo(_) => {}
            AlterTable::Options(options) => {
                check_engine(options)?;
                let asked = collation(options.charset.as_deref(), options.collation.as_deref(), default)?;
                definition.collation = asked.id();
                if let Some(comment) = &options.comment {
                    definition.comment.clone_from(comment);
                }
                if let Some(row_format) = &options.row_format {
                    definition.row_format.clone_from(row_format);
                }
                if let Some(first) = options.auto_increment {
                    definition.auto_increment = first;
                }
            }
        }
    }
    cluster::settle(&table.definition, &mut definition)?;
    for key in &mut definition.foreign_keys {
        key.unchecked = false;
        if key.parent_schema == table.schema && key.parent_table == table.name {
            key.parent_columns.iter_mut().for_each(|name| *name = foreign::now_called(name, &renamed));
        }
    }
    // A changed column's rows are judged anew.
    let recoded = definition.columns != table.definition.columns;
    definition.checks.iter_mut().for_each(|check| check.unchecked = check.enforced && recoded);
    for change in changes {
        match change {
            AlterTable::AddForeignKey(key) => foreign::add(&mut definition, around, key)?,
            AlterTable::AddCheck(check) => constraint::add(&mut definition, around, check)?,
            AlterTable::EnforceCheck(name, enforced) => constraint::enforce(&mut definition, name, *enforced)?,
            _ => {}
        }
    }
    finish(&mut definition)?;
    constraint::confirm(&definition, around)?;
    foreign::check_altered(around.catalog, table, &definition, &renamed, around.checks)?;
    Ok((definition, renamed))
}

fn nullable_primary() -> SqlError {
    error(1171, "All parts of a PRIMARY KEY must be NOT NULL; if you need NULL in a key, use UNIQUE instead")
}

fn missing(name: &str) -> SqlError {
    error(1091, format!("Can't DROP '{name}'; check that column/key exists"))
}

fn find(definition: &TableDefinition, name: &str) -> Option<usize> {
    definition.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name) && !column.is_row_id())
}

/// Moves a column, and what keys say of columns with it.
fn move_column(definition: &mut TableDefinition, from: usize, place: &ColumnPlace) -> Result<(), SqlError> {
    let to = match place {
        ColumnPlace::Default => return Ok(()),
        ColumnPlace::First => 0,
        ColumnPlace::After(name) => {
            let after = find(definition, name)
                .ok_or_else(|| error(1054, format!("Unknown column '{name}' in 'table definition'")))?;
            if after < from { after + 1 } else { after }
        }
    };
    move_to(definition, from, to);
    Ok(())
}

fn move_to(definition: &mut TableDefinition, from: usize, to: usize) {
    let mut places: Vec<usize> = (0..definition.columns.len()).collect();
    let moved = places.remove(from);
    places.insert(to, moved);
    let columns = places.iter().map(|&at| definition.columns[at].clone()).collect();
    let origins = places.iter().map(|&at| definition.origins[at]).collect();
    let parts = definition.keys.iter_mut().flat_map(|key| &mut key.parts).map(|part| &mut part.column);
    let referring = definition.foreign_keys.iter_mut().flat_map(|key| &mut key.columns);
    for column in parts.chain(referring) {
        let now = places.iter().position(|&at| at == usize::from(*column));
        *column = now.expect("a permutation has every place") as u16;
    }
    definition.columns = columns;
    definition.origins = origins;
}
