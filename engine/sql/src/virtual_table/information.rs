//! `information_schema`.

use super::T::{B, C, I, L, S};
use super::{Col, Source, Table, no_rows};
use crate::catalog::{self, ColumnType, DefaultValue};
use crate::collate::Collation;
use crate::value::Value;

const IS: &str = "information_schema";

pub(super) static TABLES: &[Table] = &[
    Table { schema: IS, name: "CHARACTER_SETS", columns: CHARSETS, rows: charsets },
    Table { schema: IS, name: "CHECK_CONSTRAINTS", columns: CHECKS, rows: checks },
    Table { schema: IS, name: "COLLATIONS", columns: COLLATIONS, rows: collations },
    Table { schema: IS, name: "COLUMNS", columns: COLUMNS, rows: columns },
    Table { schema: IS, name: "ENGINES", columns: ENGINES, rows: engines },
    Table { schema: IS, name: "EVENTS", columns: EVENTS, rows: no_rows },
    Table { schema: IS, name: "FILES", columns: FILES, rows: no_rows },
    Table { schema: IS, name: "INNODB_CMP", columns: INNODB_CMP, rows: compression },
    Table { schema: IS, name: "INNODB_CMPMEM", columns: INNODB_CMPMEM, rows: compression },
    Table { schema: IS, name: "KEY_COLUMN_USAGE", columns: KEY_USAGE, rows: key_usage },
    Table { schema: IS, name: "PARTITIONS", columns: PARTITIONS, rows: no_rows },
    Table { schema: IS, name: "PLUGINS", columns: PLUGINS, rows: plugins },
    Table { schema: IS, name: "PROCESSLIST", columns: PROCESSES, rows: processes },
    Table { schema: IS, name: "REFERENTIAL_CONSTRAINTS", columns: REFERENCES, rows: references },
    Table { schema: IS, name: "ROUTINES", columns: ROUTINES, rows: no_rows },
    Table { schema: IS, name: "SCHEMATA", columns: SCHEMATA, rows: schemata },
    Table { schema: IS, name: "STATISTICS", columns: STATISTICS, rows: statistics },
    Table { schema: IS, name: "TABLES", columns: TABLES_COLUMNS, rows: tables },
    Table { schema: IS, name: "TABLE_CONSTRAINTS", columns: CONSTRAINTS, rows: constraints },
    Table { schema: IS, name: "TRIGGERS", columns: TRIGGERS, rows: no_rows },
    Table { schema: IS, name: "VIEWS", columns: VIEWS, rows: no_rows },
];

const CHARSETS: &[Col] = &[
    ("CHARACTER_SET_NAME", C(64), false),
    ("DEFAULT_COLLATE_NAME", C(64), false),
    ("DESCRIPTION", C(2048), false),
    ("MAXLEN", I, false),
];
const COLLATIONS: &[Col] = &[
    ("COLLATION_NAME", C(64), false),
    ("CHARACTER_SET_NAME", C(64), false),
    ("ID", B, false),
    ("IS_DEFAULT", C(3), false),
    ("IS_COMPILED", C(3), false),
    ("SORTLEN", I, false),
    ("PAD_ATTRIBUTE", C(9), false),
];
const CHECKS: &[Col] = &[
    ("CONSTRAINT_CATALOG", C(64), false),
    ("CONSTRAINT_SCHEMA", C(64), false),
    ("CONSTRAINT_NAME", C(64), false),
    ("CHECK_CLAUSE", L, false),
];
const COLUMNS: &[Col] = &[
    ("TABLE_CATALOG", C(64), false),
    ("TABLE_SCHEMA", C(64), false),
    ("TABLE_NAME", C(64), false),
    ("COLUMN_NAME", C(64), true),
    ("ORDINAL_POSITION", I, false),
    ("COLUMN_DEFAULT", L, true),
    ("IS_NULLABLE", C(3), false),
    ("DATA_TYPE", L, true),
    ("CHARACTER_MAXIMUM_LENGTH", S, true),
    ("CHARACTER_OCTET_LENGTH", S, true),
    ("NUMERIC_PRECISION", B, true),
    ("NUMERIC_SCALE", B, true),
    ("DATETIME_PRECISION", I, true),
    ("CHARACTER_SET_NAME", C(64), true),
    ("COLLATION_NAME", C(64), true),
    ("COLUMN_TYPE", L, false),
    ("COLUMN_KEY", C(3), false),
    ("EXTRA", C(256), true),
    ("PRIVILEGES", C(154), true),
    ("COLUMN_COMMENT", L, false),
    ("GENERATION_EXPRESSION", L, false),
    ("SRS_ID", I, true),
];
const ENGINES: &[Col] = &[
    ("ENGINE", C(64), false),
    ("SUPPORT", C(8), false),
    ("COMMENT", C(80), false),
    ("TRANSACTIONS", C(3), true),
    ("XA", C(3), true),
    ("SAVEPOINTS", C(3), true),
];
const EVENTS: &[Col] = &[
    ("EVENT_CATALOG", C(64), false),
    ("EVENT_SCHEMA", C(64), false),
    ("EVENT_NAME", C(64), false),
    ("DEFINER", C(288), false),
    ("STATUS", C(18), false),
];
const FILES: &[Col] = &[
    ("FILE_ID", S, true),
    ("FILE_NAME", L, true),
    ("FILE_TYPE", C(256), true),
    ("TABLESPACE_NAME", C(268), false),
    ("TABLE_CATALOG", C(0), false),
    ("TABLE_SCHEMA", C(64), true),
    ("TABLE_NAME", C(64), true),
    ("LOGFILE_GROUP_NAME", C(256), true),
    ("LOGFILE_GROUP_NUMBER", S, true),
    ("ENGINE", C(64), false),
    ("EXTENT_SIZE", S, true),
    ("INITIAL_SIZE", S, true),
    ("TOTAL_EXTENTS", S, true),
    ("STATUS", C(256), true),
    ("EXTRA", C(256), true),
];
const KEY_USAGE: &[Col] = &[
    ("CONSTRAINT_CATALOG", C(64), false),
    ("CONSTRAINT_SCHEMA", C(64), false),
    ("CONSTRAINT_NAME", C(64), true),
    ("TABLE_CATALOG", C(64), false),
    ("TABLE_SCHEMA", C(64), false),
    ("TABLE_NAME", C(64), false),
    ("COLUMN_NAME", C(64), true),
    ("ORDINAL_POSITION", I, false),
    ("POSITION_IN_UNIQUE_CONSTRAINT", I, true),
    ("REFERENCED_TABLE_SCHEMA", C(64), true),
    ("REFERENCED_TABLE_NAME", C(64), true),
    ("REFERENCED_COLUMN_NAME", C(64), true),
];
/// No table is compressed: what monitoring reads by default, all zero.
const INNODB_CMP: &[Col] = &[
    ("page_size", I, false),
    ("compress_ops", I, false),
    ("compress_ops_ok", I, false),
    ("compress_time", I, false),
    ("uncompress_ops", I, false),
    ("uncompress_time", I, false),
];
const INNODB_CMPMEM: &[Col] = &[
    ("page_size", I, false),
    ("buffer_pool_instance", I, false),
    ("pages_used", I, false),
    ("pages_free", I, false),
    ("relocation_ops", S, false),
    ("relocation_time", I, false),
];
const PARTITIONS: &[Col] = &[
    ("TABLE_CATALOG", C(64), false),
    ("TABLE_SCHEMA", C(64), false),
    ("TABLE_NAME", C(64), false),
    ("PARTITION_NAME", C(64), true),
    ("TABLESPACE_NAME", C(268), true),
];
const PLUGINS: &[Col] = &[
    ("PLUGIN_NAME", C(64), false),
    ("PLUGIN_VERSION", C(20), false),
    ("PLUGIN_STATUS", C(10), false),
    ("PLUGIN_TYPE", C(80), false),
    ("PLUGIN_TYPE_VERSION", C(20), false),
    ("PLUGIN_LIBRARY", C(64), true),
    ("PLUGIN_LIBRARY_VERSION", C(20), true),
    ("PLUGIN_AUTHOR", C(64), true),
    ("PLUGIN_DESCRIPTION", L, true),
    ("PLUGIN_LICENSE", C(80), true),
    ("LOAD_OPTION", C(64), false),
];
const PROCESSES: &[Col] = &[
    ("ID", B, false),
    ("USER", C(32), false),
    ("HOST", C(261), false),
    ("DB", C(64), true),
    ("COMMAND", C(16), false),
    ("TIME", I, false),
    ("STATE", C(64), true),
    ("INFO", L, true),
];
const REFERENCES: &[Col] = &[
    ("CONSTRAINT_CATALOG", C(64), false),
    ("CONSTRAINT_SCHEMA", C(64), false),
    ("CONSTRAINT_NAME", C(64), true),
    ("UNIQUE_CONSTRAINT_CATALOG", C(64), false),
    ("UNIQUE_CONSTRAINT_SCHEMA", C(64), false),
    ("UNIQUE_CONSTRAINT_NAME", C(64), true),
    ("MATCH_OPTION", C(7), false),
    ("UPDATE_RULE", C(11), false),
    ("DELETE_RULE", C(11), false),
    ("TABLE_NAME", C(64), false),
    ("REFERENCED_TABLE_NAME", C(64), false),
];
const ROUTINES: &[Col] = &[
    ("SPECIFIC_NAME", C(64), false),
    ("ROUTINE_CATALOG", C(64), false),
    ("ROUTINE_SCHEMA", C(64), false),
    ("ROUTINE_NAME", C(64), false),
    ("ROUTINE_TYPE", C(10), false),
];
const SCHEMATA: &[Col] = &[
    ("CATALOG_NAME", C(64), false),
    ("SCHEMA_NAME", C(64), false),
    ("DEFAULT_CHARACTER_SET_NAME", C(64), false),
    ("DEFAULT_COLLATION_NAME", C(64), false),
    ("SQL_PATH", C(0), true),
    ("DEFAULT_ENCRYPTION", C(3), false),
];
const STATISTICS: &[Col] = &[
    ("TABLE_CATALOG", C(64), false),
    ("TABLE_SCHEMA", C(64), false),
    ("TABLE_NAME", C(64), false),
    ("NON_UNIQUE", I, false),
    ("INDEX_SCHEMA", C(64), false),
    ("INDEX_NAME", C(64), true),
    ("SEQ_IN_INDEX", I, false),
    ("COLUMN_NAME", C(64), true),
    ("COLLATION", C(1), true),
    ("CARDINALITY", S, true),
    ("SUB_PART", S, true),
    ("PACKED", C(0), true),
    ("NULLABLE", C(3), false),
    ("INDEX_TYPE", C(11), false),
    ("COMMENT", C(8), false),
    ("INDEX_COMMENT", C(2048), false),
    ("IS_VISIBLE", C(3), false),
    ("EXPRESSION", L, true),
];
const TABLES_COLUMNS: &[Col] = &[
    ("TABLE_CATALOG", C(64), false),
    ("TABLE_SCHEMA", C(64), false),
    ("TABLE_NAME", C(64), false),
    ("TABLE_TYPE", C(11), false),
    ("ENGINE", C(64), true),
    ("VERSION", I, true),
    ("ROW_FORMAT", C(10), true),
    ("TABLE_ROWS", B, true),
    ("AVG_ROW_LENGTH", B, true),
    ("DATA_LENGTH", B, true),
    ("MAX_DATA_LENGTH", B, true),
    ("INDEX_LENGTH", B, true),
    ("DATA_FREE", B, true),
    ("AUTO_INCREMENT", B, true),
    ("CREATE_TIME", C(26), false),
    ("UPDATE_TIME", C(26), true),
    ("CHECK_TIME", C(26), true),
    ("TABLE_COLLATION", C(64), true),
    ("CHECKSUM", S, true),
    ("CREATE_OPTIONS", C(256), true),
    ("TABLE_COMMENT", L, true),
];
const CONSTRAINTS: &[Col] = &[
    ("CONSTRAINT_CATALOG", C(64), false),
    ("CONSTRAINT_SCHEMA", C(64), false),
    ("CONSTRAINT_NAME", C(64), true),
    ("TABLE_SCHEMA", C(64), false),
    ("TABLE_NAME", C(64), false),
    ("CONSTRAINT_TYPE", C(11), false),
    ("ENFORCED", C(3), false),
];
const TRIGGERS: &[Col] = &[
    ("TRIGGER_CATALOG", C(64), false),
    ("TRIGGER_SCHEMA", C(64), false),
    ("TRIGGER_NAME", C(64), false),
    ("EVENT_MANIPULATION", C(6), false),
    ("EVENT_OBJECT_CATALOG", C(64), false),
    ("EVENT_OBJECT_SCHEMA", C(64), false),
    ("EVENT_OBJECT_TABLE", C(64), false),
];
const VIEWS: &[Col] = &[
    ("TABLE_CATALOG", C(64), false),
    ("TABLE_SCHEMA", C(64), false),
    ("TABLE_NAME", C(64), false),
    ("VIEW_DEFINITION", L, true),
    ("CHECK_OPTION", C(8), true),
    ("IS_UPDATABLE", C(3), true),
    ("DEFINER", C(288), true),
    ("SECURITY_TYPE", C(7), true),
    ("CHARACTER_SET_CLIENT", C(64), false),
    ("COLLATION_CONNECTION", C(64), false),
];

fn text(text: impl Into<String>) -> Value {
    Value::text(text.into())
}

fn def() -> Value {
    text("def")
}

/// Character sets: name, description.
const SETS: [(&str, &str); 5] = [
    ("ascii", "US ASCII"),
    ("binary", "Binary pseudo charset"),
    ("latin1", "cp1252 West European"),
    ("utf8mb3", "UTF-8 Unicode"),
    ("utf8mb4", "UTF-8 Unicode"),
];

pub(crate) fn charsets(_: &Source<'_>) -> Vec<Vec<Value>> {
    let row = |(name, description): &(&str, &str)| {
        let default = Collation::of_charset(name)?;
        Some(vec![
            text(*name),
            text(default.name()),
            text(*description),
            Value::Int(i64::from(default.bytes_per_char())),
        ])
    };
    SETS.iter().filter_map(row).collect()
}

/// One row for each page size that could be compressed to.
fn compression(_: &Source<'_>) -> Vec<Vec<Value>> {
    let row = |bytes: i64| std::iter::once(Value::Int(bytes)).chain((1..6).map(|_| Value::Int(0))).collect();
    [1024, 2048, 4096, 8192, 16384].map(row).to_vec()
}

pub(crate) fn collations(_: &Source<'_>) -> Vec<Vec<Value>> {
    let known = (1..=400).filter_map(Collation::from_id);
    let mut rows: Vec<(&'static str, Vec<Value>)> = known
        .map(|collation| {
            let row = vec![
                text(collation.name()),
                text(collation.charset()),
                Value::UInt(u64::from(collation.id())),
                text(if collation.is_charset_default() { "Yes" } else { "" }),
                text("Yes"),
                Value::Int(if collation.pads() { 1 } else { 0 }),
                text(if collation.pads() { "PAD SPACE" } else { "NO PAD" }),
            ];
            (collation.name(), row)
        })
        .collect();
    rows.sort_by_key(|(name, _)| *name);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Tables that the reader sees, by database and name.
fn seen_tables<'a>(source: &'a Source<'_>) -> impl Iterator<Item = &'a catalog::Table> {
    let seen = source.catalog.databases().filter(|(name, _)| source.sees(name));
    let tables = seen.flat_map(|(_, database)| database.tables.values()).map(|table| &**table);
    tables.filter(|table| !table.name.starts_with(crate::session::HIDDEN))
}

fn schemata(source: &Source<'_>) -> Vec<Vec<Value>> {
    let seen = source.catalog.databases().filter(|(name, _)| source.sees(name));
    seen.map(|(name, database)| {
        let collation = Collation::from_id(database.definition.collation).unwrap_or(Collation::DEFAULT);
        vec![def(), text(name), text(collation.charset()), text(collation.name()), Value::Null, text("NO")]
    })
    .collect()
}

fn tables(source: &Source<'_>) -> Vec<Vec<Value>> {
    let mut rows: Vec<Vec<Value>> = seen_tables(source)
        .map(|table| {
            let definition = &table.definition;
            let collation = Collation::from_id(definition.collation).unwrap_or(Collation::DEFAULT);
            let counts = (source.row_count)(table.id);
            vec![
                def(),
                text(table.schema.as_str()),
                text(table.name.as_str()),
                text("BASE TABLE"),
                text("InnoDB"),
                Value::Int(10),
                text("Dynamic"),
                Value::UInt(counts),
                Value::UInt(0),
                Value::UInt(16_384),
                Value::UInt(0),
                Value::UInt(0),
                Value::UInt(0),
                table.auto_increment().map_or(Value::Null, |_| Value::UInt((source.next_value)(table.id))),
                text(crate::show::time_text(definition.created_us)),
                Value::Null,
                Value::Null,
                text(collation.name()),
                Value::Null,
                text(if definition.row_format.is_empty() {
                    String::new()
                } else {
                    format!("row_format={}", definition.row_format)
                }),
                text(definition.comment.as_str()),
            ]
        })
        .collect();
    for (schema, kind, engine) in [
        ("information_schema", "SYSTEM VIEW", Value::Null),
        ("performance_schema", "BASE TABLE", text("PERFORMANCE_SCHEMA")),
        ("mysql", "BASE TABLE", text("InnoDB")),
    ] {
        if !source.sees(schema) {
            continue;
        }
        for name in super::names(schema) {
            let mut row =
                vec![def(), text(schema), text(name), text(kind), engine.clone(), Value::Int(10), text("Dynamic")];
            row.resize(14, Value::Null);
            row.extend([
                text("2000-01-01 00:00:00"),
                Value::Null,
                Value::Null,
                Value::Null,
                Value::Null,
                text(""),
                text(""),
            ]);
            rows.push(row);
        }
    }
    rows
}

/// The type's bare name, as DATA_TYPE has it.
fn data_type(kind: &ColumnType) -> String {
    let declaration = kind.declaration();
    declaration.split([' ', '(']).next().unwrap_or_default().to_owned()
}

/// `PRI`, `UNI`, `MUL` or nothing.
pub(crate) fn column_key(definition: &catalog::TableDefinition, column: usize) -> &'static str {
    let leads = |key: &&catalog::Key| key.parts.first().is_some_and(|part| usize::from(part.column) == column);
    let in_primary = definition
        .keys
        .iter()
        .any(|key| key.is_primary() && key.parts.iter().any(|part| usize::from(part.column) == column));
    if in_primary {
        return "PRI";
    }
    let mut leading = definition.keys.iter().filter(leads).peekable();
    if leading.peek().is_none() {
        ""
    } else if leading.any(|key| key.unique && key.parts.len() == 1) {
        "UNI"
    } else {
        "MUL"
    }
}

pub(crate) fn default_text(column: &catalog::Column) -> Value {
    match &column.default {
        DefaultValue::Literal(literal) => text(literal.as_str()),
        DefaultValue::Now(digits) => text(crate::show::create::now_text(*digits)),
        DefaultValue::None | DefaultValue::Null => Value::Null,
    }
}

pub(crate) fn extra(column: &catalog::Column) -> String {
    let mut parts = Vec::new();
    if column.auto_increment {
        parts.push("auto_increment".to_owned());
    }
    if matches!(column.default, DefaultValue::Now(_)) {
        parts.push("DEFAULT_GENERATED".into());
    }
    if column.on_update_now {
        let digits = column.kind.second_digits().unwrap_or(0);
        parts.push(format!("on update {}", crate::show::create::now_text(digits)));
    }
    if column.invisible {
        parts.push("INVISIBLE".into());
    }
    parts.join(" ")
}

fn columns(source: &Source<'_>) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for table in seen_tables(source) {
        for (place, column) in table.definition.shown_columns() {
            let collation = column.kind.is_text().then(|| column.collation());
            let per_char = collation.map_or(1, |collation| u64::from(collation.bytes_per_char()));
            let characters = match &column.kind {
                ColumnType::Char(n) | ColumnType::VarChar(n) | ColumnType::Binary(n) | ColumnType::VarBinary(n) => {
                    Some(u64::from(*n))
                }
                ColumnType::Text(prefix) | ColumnType::Blob(prefix) => Some((1u64 << (8 * u32::from(*prefix))) - 1),
                ColumnType::Enum(members) => members.iter().map(|member| member.chars().count() as u64).max(),
                ColumnType::Set(members) => {
                    let letters: u64 = members.iter().map(|member| member.chars().count() as u64).sum();
                    Some(letters + (members.len() as u64).saturating_sub(1))
                }
                _ => None,
            };
            let blob = column.kind.is_blob();
            let octets = characters.map(|count| if blob { count } else { count * per_char });
            let (precision, scale) = match &column.kind {
                ColumnType::Int { bytes, unsigned, .. } => {
                    let digits = match (bytes, unsigned) {
                        (1, _) => 3,
                        (2, _) => 5,
                        (3, _) => 7,
                        (4, _) => 10,
                        (_, true) => 20,
                        (_, false) => 19,
                    };
                    (Value::UInt(digits), Value::UInt(0))
                }
                ColumnType::Fixed { digits, scale, .. } => {
                    (Value::UInt(u64::from(*digits)), Value::UInt(u64::from(*scale)))
                }
                ColumnType::Double { single, .. } => (Value::UInt(if *single { 12 } else { 22 }), Value::Null),
                ColumnType::Decimal { precision, scale, .. } => {
                    (Value::UInt(u64::from(*precision)), Value::UInt(u64::from(*scale)))
                }
                ColumnType::Bit(count) => (Value::UInt(u64::from(*count)), Value::Null),
                _ => (Value::Null, Value::Null),
            };
            let number = |number: Option<u64>| number.map_or(Value::Null, |number| Value::Int(number as i64));
            rows.push(vec![
                def(),
                text(table.schema.as_str()),
                text(table.name.as_str()),
                text(column.name.as_str()),
                Value::Int(place as i64 + 1),
                default_text(column),
                text(if column.nullable { "YES" } else { "NO" }),
                text(data_type(&column.kind)),
                number(characters),
                number(octets),
                precision,
                scale,
                column.kind.second_digits().map_or(Value::Null, |digits| Value::UInt(u64::from(digits))),
                collation.map_or(Value::Null, |collation| text(collation.charset())),
                collation.map_or(Value::Null, |collation| text(collation.name())),
                text(column.kind.declaration()),
                text(column_key(&table.definition, place)),
                text(extra(column)),
                text("select,insert,update,references"),
                text(column.comment.as_str()),
                text(""),
                Value::Null,
            ]);
        }
    }
    rows
}

fn engines(_: &Source<'_>) -> Vec<Vec<Value>> {
    let row = |name: &str, support: &str, comment: &str, yes: &str| {
        vec![text(name), text(support), text(comment), text(yes), text("NO"), text(yes)]
    };
    vec![
        row("InnoDB", "DEFAULT", "Rows in memory, replicated by the group's log", "YES"),
        row("PERFORMANCE_SCHEMA", "YES", "Performance Schema", "NO"),
    ]
}

fn plugins(source: &Source<'_>) -> Vec<Vec<Value>> {
    let row = |name: &str, kind: &str, library: Option<&str>| {
        vec![
            text(name),
            text("1.0"),
            text("ACTIVE"),
            text(kind),
            text("1.0"),
            library.map_or(Value::Null, text),
            library.map_or(Value::Null, |_| text("1.0")),
            text("Quorate"),
            text(name),
            text("GPL"),
            text(if library.is_some() { "ON" } else { "FORCE" }),
        ]
    };
    let mut rows = vec![
        row("binlog", "STORAGE ENGINE", None),
        row("mysql_native_password", "AUTHENTICATION", None),
        row("caching_sha2_password", "AUTHENTICATION", None),
        row("InnoDB", "STORAGE ENGINE", None),
        row("PERFORMANCE_SCHEMA", "STORAGE ENGINE", None),
    ];
    if source.globals.plugin_installed() {
        rows.push(row("group_replication", "GROUP REPLICATION", Some("group_replication.so")));
    }
    rows
}

pub(crate) fn processes(source: &Source<'_>) -> Vec<Vec<Value>> {
    let row = |process: &super::Process| {
        vec![
            Value::UInt(u64::from(process.id)),
            text(process.user.as_str()),
            text(process.host.as_str()),
            process.database.as_deref().map_or(Value::Null, text),
            text(process.command),
            Value::Int(process.time_s as i64),
            text(process.state.as_str()),
            process.info.as_deref().map_or(Value::Null, text),
        ]
    };
    source.processes.iter().map(row).collect()
}

fn key_usage(source: &Source<'_>) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for table in seen_tables(source) {
        for key in table.definition.shown_keys().filter(|key| key.unique) {
            for (place, part) in key.parts.iter().enumerate() {
                let mut row = vec![
                    def(),
                    text(table.schema.as_str()),
                    text(key.name.as_str()),
                    def(),
                    text(table.schema.as_str()),
                    text(table.name.as_str()),
                    text(table.definition.columns[usize::from(part.column)].name.as_str()),
                    Value::Int(place as i64 + 1),
                ];
                row.resize(12, Value::Null);
                rows.push(row);
            }
        }
        for key in &table.definition.foreign_keys {
            for (place, (&column, parent)) in key.columns.iter().zip(&key.parent_columns).enumerate() {
                rows.push(vec![
                    def(),
                    text(table.schema.as_str()),
                    text(key.name.as_str()),
                    def(),
                    text(table.schema.as_str()),
                    text(table.name.as_str()),
                    text(table.definition.columns[usize::from(column)].name.as_str()),
                    Value::Int(place as i64 + 1),
                    Value::Int(place as i64 + 1),
                    text(key.parent_schema.as_str()),
                    text(key.parent_table.as_str()),
                    text(parent.as_str()),
                ]);
            }
        }
    }
    rows
}

fn checks(source: &Source<'_>) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for table in seen_tables(source) {
        for check in &table.definition.checks {
            // Quotes are escaped, as MySQL keeps the clause.
            let clause = check.condition.replace('\'', "\\'");
            rows.push(vec![def(), text(table.schema.as_str()), text(check.name.as_str()), text(clause)]);
        }
    }
    rows
}

fn references(source: &Source<'_>) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for table in seen_tables(source) {
        for reference in &source.catalog.references(table.id).parents {
            let key = reference.key();
            let unique = reference.parent.as_ref().zip(reference.parent_key);
            rows.push(vec![
                def(),
                text(table.schema.as_str()),
                text(key.name.as_str()),
                def(),
                text(key.parent_schema.as_str()),
                unique.map_or(Value::Null, |(parent, at)| text(parent.definition.keys[at].name.as_str())),
                text("NONE"),
                text(key.on_update.name()),
                text(key.on_delete.name()),
                text(table.name.as_str()),
                text(key.parent_table.as_str()),
            ]);
        }
    }
    rows
}

fn constraints(source: &Source<'_>) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for table in seen_tables(source) {
        for key in table.definition.shown_keys().filter(|key| key.unique) {
            rows.push(vec![
                def(),
                text(table.schema.as_str()),
                text(key.name.as_str()),
                text(table.schema.as_str()),
                text(table.name.as_str()),
                text(if key.is_primary() { "PRIMARY KEY" } else { "UNIQUE" }),
                text("YES"),
            ]);
        }
        for key in &table.definition.foreign_keys {
            rows.push(vec![
                def(),
                text(table.schema.as_str()),
                text(key.name.as_str()),
                text(table.schema.as_str()),
                text(table.name.as_str()),
                text("FOREIGN KEY"),
                text("YES"),
            ]);
        }
        for check in &table.definition.checks {
            rows.push(vec![
                def(),
                text(table.schema.as_str()),
                text(check.name.as_str()),
                text(table.schema.as_str()),
                text(table.name.as_str()),
                text("CHECK"),
                text(if check.enforced { "YES" } else { "NO" }),
            ]);
        }
    }
    rows
}

fn statistics(source: &Source<'_>) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for table in seen_tables(source) {
        for key in table.definition.shown_keys() {
            for (place, part) in key.parts.iter().enumerate() {
                let column = &table.definition.columns[usize::from(part.column)];
                rows.push(vec![
                    def(),
                    text(table.schema.as_str()),
                    text(table.name.as_str()),
                    Value::Int(i64::from(!key.unique)),
                    text(table.schema.as_str()),
                    text(key.name.as_str()),
                    Value::Int(place as i64 + 1),
                    text(column.name.as_str()),
                    text(if part.descending { "D" } else { "A" }),
                    Value::Int((source.row_count)(table.id) as i64),
                    if part.prefix == 0 { Value::Null } else { Value::Int(i64::from(part.prefix)) },
                    Value::Null,
                    text(if column.nullable { "YES" } else { "" }),
                    text("BTREE"),
                    text(""),
                    text(key.comment.as_str()),
                    text(if key.invisible { "NO" } else { "YES" }),
                    Value::Null,
                ]);
            }
        }
    }
    rows
}
