//! SHOW statements: columns and rows, as MySQL 8.0 gives them.
//!
//! [`run`] needs nothing but the member's state, as the tables of [`crate::virtual_table`] do, and what a session
//! adds ([`ShowSource`]). LIKE is applied here; WHERE too, for comparisons of columns with literals, which is what
//! clients send (1235 for more).
//!
//! Absent on purpose: reading the group log (SHOW BINLOG EVENTS takes its events from the caller, who has read
//! them with [`crate::binlog`]).

pub mod create;
mod filter;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::fixture;

pub use create::reference_text;

use crate::account::{AccountName, show_create_user, show_grants};
use crate::ast::{ObjectName, Show, ShowFilter, UserName};
use crate::binlog;
use crate::catalog;
use crate::collate::Collation;
use crate::error::{self, SqlError};
use crate::session::HIDDEN;
use crate::value::{Level, Value, Warning};
use crate::virtual_table::{self, Col, Source, T, VirtualColumn, information, performance};

/// A result.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Its columns.
    pub columns: Vec<VirtualColumn>,
    /// Its rows.
    pub rows: Vec<Vec<Value>>,
}

/// What a session adds to the member's state.
pub struct ShowSource<'a> {
    /// The member.
    pub source: &'a Source<'a>,
    /// Current database.
    pub database: Option<&'a str>,
    /// Diagnostics of the statement before.
    pub warnings: &'a [Warning],
    /// Where the group log ends, in bytes of [`binlog`].
    pub log_end: u64,
    /// Events of the group log, in order and from the head; only asked for by SHOW BINLOG EVENTS.
    pub events: &'a dyn Fn() -> Vec<binlog::Event>,
}

fn text(text: impl Into<String>) -> Value {
    Value::text(text.into())
}

fn shown(columns: &[Col], rows: Vec<Vec<Value>>) -> Shown {
    Shown { columns: columns.iter().map(virtual_table::column_of).collect(), rows }
}

/// What ANALYZE TABLE and its like answer: table, operation, kind of message, message.
#[must_use]
pub fn maintenance(rows: Vec<Vec<Value>>) -> Shown {
    shown(MAINTENANCE, rows)
}

/// What EXPLAIN answers.
#[must_use]
pub fn explained(rows: Vec<Vec<Value>>) -> Shown {
    shown(EXPLAINED, rows)
}

/// Renames the only or first column: `Tables_in_db`.
fn heading(mut shown: Shown, name: String) -> Shown {
    shown.columns[0].name = name;
    shown
}

/// Microseconds since 1970 as `YYYY-MM-DD hh:mm:ss`, UTC.
#[must_use]
pub fn time_text(us: u64) -> String {
    let seconds = us / 1_000_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01, in eras of 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}

/// Carries out a SHOW.
///
/// # Errors
/// 1046, 1049, 1146, 1141, 1227, 1220 and 1235, as MySQL gives them.
pub fn run(show: &Show, at: &ShowSource<'_>) -> Result<Shown, SqlError> {
    let source = at.source;
    match show {
        Show::Variables { global, filter } => {
            let session = if *global { None } else { Some(source.session) };
            let rows = source.globals.show(session).into_iter();
            filtered(shown(PAIR, rows.map(|(name, value)| vec![text(name), text(value)]).collect()), filter.as_ref())
        }
        Show::Status { global, filter } => {
            let rows = performance::status_pairs(source, *global).into_iter();
            filtered(shown(PAIR, rows.map(|(name, value)| vec![text(name), text(value)]).collect()), filter.as_ref())
        }
        Show::Databases(filter) => {
            let names = source.catalog.databases().map(|(name, _)| name).filter(|name| source.sees(name));
            let list = shown(&[("Database", T::C(64), false)], names.map(|name| vec![text(name)]).collect());
            Ok(like_heading(filtered(list, filter.as_ref())?, filter.as_ref()))
        }
        Show::Tables { full, schema, filter } => tables(at, *full, schema.as_deref(), filter.as_ref()),
        Show::TableStatus { schema, filter } => table_status(at, schema.as_deref(), filter.as_ref()),
        Show::OpenTables { schema, .. } => {
            if let Some(schema) = schema {
                database(at, Some(schema))?;
            }
            Ok(shown(OPEN_TABLES, Vec::new()))
        }
        Show::Columns { full, table, filter } => columns(at, *full, table, filter.as_ref()),
        Show::Index { table, filter } => filtered(index(&*find_table(at, table)?, source), filter.as_ref()),
        Show::CreateTable(name) => {
            let schema = name.schema.as_deref().or(at.database).unwrap_or_default();
            if let Some(statement) = virtual_table::logs::declaration(schema, &name.name) {
                let columns = [("Table", T::C(64), false), ("Create Table", T::L, false)];
                return Ok(shown(&columns, vec![vec![text(name.name.to_lowercase()), text(statement)]]));
            }
            let table = find_table(at, name)?;
            let next = table.auto_increment().map(|_| (source.next_value)(table.id));
            let statement = create::table_text(&table.schema, &table.name, &table.definition, next);
            let columns = [("Table", T::C(64), false), ("Create Table", T::L, false)];
            Ok(shown(&columns, vec![vec![text(table.name.as_str()), text(statement)]]))
        }
        Show::CreateDatabase { if_not_exists, name } => {
            let found = source.catalog.database(name).ok_or_else(|| error::unknown_database(name))?;
            let statement = create::database_text(name, found.definition.collation, *if_not_exists);
            let columns = [("Database", T::C(64), false), ("Create Database", T::C(1024), false)];
            Ok(shown(&columns, vec![vec![text(name.as_str()), text(statement)]]))
        }
        Show::CreateOther(kind, name) => Err(match kind.as_str() {
            "VIEW" => match find_table(at, name) {
                Ok(table) => error::error(1347, format!("'{}.{}' is not VIEW", table.schema, table.name)),
                Err(error) => error,
            },
            kind => error::unknown_routine(kind, &name.name),
        }),
        Show::CreateUser(user) => {
            let name = account_name(at, user.as_ref());
            let account = source.accounts.get(&name).ok_or_else(|| error::cannot_user("SHOW CREATE USER", &name))?;
            let column = ("CREATE USER", T::C(1024), false);
            let title = format!("CREATE USER for {}@{}", name.user, name.host);
            Ok(heading(shown(&[column], vec![vec![text(show_create_user(&name, account))]]), title))
        }
        Show::Grants(user) => {
            let name = account_name(at, user.as_ref());
            let account = source.accounts.get(&name).ok_or_else(|| error::no_such_grant(&name.user, &name.host))?;
            let rows = show_grants(&name, account).into_iter().map(|line| vec![text(line)]).collect();
            let title = format!("Grants for {}@{}", name.user, name.host);
            Ok(heading(shown(&[("Grants", T::C(1024), false)], rows), title))
        }
        Show::Warnings { errors_only, limit } => {
            let (offset, count) = limit.unwrap_or((0, u64::MAX));
            let wanted = at.warnings.iter().filter(|warning| !errors_only || warning.level == Level::Error);
            let rows = wanted.skip(usize::try_from(offset).unwrap_or(usize::MAX));
            let rows = rows.take(usize::try_from(count).unwrap_or(usize::MAX));
            let row = |warning: &Warning| {
                let code = Value::Int(i64::from(warning.code));
                vec![text(warning.level.name()), code, text(warning.message.as_str())]
            };
            Ok(shown(WARNINGS, rows.map(row).collect()))
        }
        Show::WarningCount { errors_only } => {
            let name = if *errors_only { "@@session.error_count" } else { "@@session.warning_count" };
            let count = at.warnings.iter().filter(|warning| !errors_only || warning.level == Level::Error).count();
            Ok(shown(&[(name, T::B, false)], vec![vec![Value::UInt(count as u64)]]))
        }
        Show::ProcessList { full } => {
            let mut rows = information::processes(source);
            if !full {
                for row in &mut rows {
                    if let Value::Text(info) = &row[7] {
                        row[7] = text(info.chars().take(100).collect::<String>());
                    }
                }
            }
            Ok(shown(PROCESSES, rows))
        }
        Show::Plugins => {
            let rows = virtual_table::rows("information_schema", "plugins", source).unwrap_or_default();
            // Name, Status, Type, Library, License.
            let row = |row: Vec<Value>| [0, 2, 3, 5, 9].iter().map(|&place| row[place].clone()).collect();
            Ok(shown(PLUGINS, rows.into_iter().map(row).collect()))
        }
        Show::Engines => {
            let rows = virtual_table::rows("information_schema", "engines", source).unwrap_or_default();
            Ok(shown(ENGINES, rows))
        }
        Show::Engine(name, what) => {
            if !name.eq_ignore_ascii_case("innodb") {
                return Err(error::unknown_engine(name));
            }
            let columns = [("Type", T::C(10), false), ("Name", T::C(64), false), ("Status", T::L, false)];
            let rows = if what == "STATUS" { vec![vec![text("InnoDB"), text(""), text("")]] } else { Vec::new() };
            Ok(shown(&columns, rows))
        }
        Show::Privileges => {
            let row = |(name, context): &(&str, &str)| vec![text(*name), text(*context), text("")];
            Ok(shown(PRIVILEGE_COLUMNS, PRIVILEGES.iter().map(row).collect()))
        }
        Show::CharacterSet(filter) => {
            let rows = information::charsets(source);
            // Charset, Description, Default collation, Maxlen.
            let row = |row: Vec<Value>| [0, 2, 1, 3].iter().map(|&place| row[place].clone()).collect();
            filtered(shown(CHARSETS, rows.into_iter().map(row).collect()), filter.as_ref())
        }
        Show::Collation(filter) => filtered(shown(COLLATIONS, information::collations(source)), filter.as_ref()),
        Show::Triggers { schema, .. } => {
            database(at, schema.as_deref())?;
            Ok(shown(TRIGGERS, Vec::new()))
        }
        Show::Events { schema, .. } => {
            database(at, schema.as_deref())?;
            Ok(shown(EVENTS, Vec::new()))
        }
        Show::ProcedureStatus(_) | Show::FunctionStatus(_) => Ok(shown(ROUTINES, Vec::new())),
        Show::Profiles => {
            let columns = [("Query_ID", T::I, false), ("Duration", T::C(32), false), ("Query", T::C(300), false)];
            Ok(shown(&columns, Vec::new()))
        }
        Show::BinaryLogs => {
            let row = vec![text(binlog::FILE), Value::UInt(at.log_end), text("No")];
            Ok(shown(BINARY_LOGS, vec![row]))
        }
        Show::BinaryLogStatus => {
            let executed = source.status.gtid_executed.as_str();
            let row = vec![text(binlog::FILE), Value::UInt(at.log_end), text(""), text(""), text(executed)];
            Ok(shown(LOG_STATUS, vec![row]))
        }
        Show::BinlogEvents(range) => {
            if range.file.as_deref().is_some_and(|file| file != binlog::FILE) {
                return Err(log_error("Could not find target log"));
            }
            let events = (at.events)();
            let from = range.from.unwrap_or(0);
            if from > 4 && from < at.log_end && !events.iter().any(|event| event.position == from) {
                return Err(log_error("Wrong offset or I/O error"));
            }
            let wanted = events.iter().filter(|event| event.position >= from);
            let wanted = wanted.skip(usize::try_from(range.offset).unwrap_or(usize::MAX));
            let wanted =
                wanted.take(range.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
            let row = |event: &binlog::Event| {
                vec![
                    text(binlog::FILE),
                    Value::UInt(event.position),
                    text(event.kind),
                    Value::UInt(u64::from(event.server_id)),
                    Value::UInt(event.end),
                    text(event.info.as_str()),
                ]
            };
            Ok(shown(LOG_EVENTS, wanted.map(row).collect()))
        }
        Show::RelaylogEvents(_, channel) => match channel {
            Some(channel) if !channel.starts_with("group_replication_") => Err(error::unknown_channel(channel)),
            // Entries are applied from the group log itself; there are no relay logs.
            _ => Ok(shown(LOG_EVENTS, Vec::new())),
        },
        Show::ReplicaStatus { channel, old_names } => match channel {
            Some(channel) if !channel.starts_with("group_replication_") => Err(error::unknown_channel(channel)),
            _ => Ok(shown(if *old_names { SLAVE_STATUS } else { REPLICA_STATUS }, Vec::new())),
        },
        Show::Replicas => Ok(shown(REPLICAS, Vec::new())),
    }
}

fn log_error(why: &str) -> SqlError {
    error::error(1220, format!("Error when executing command SHOW BINLOG EVENTS: {why}"))
}

fn account_name(at: &ShowSource<'_>, user: Option<&UserName>) -> AccountName {
    match user {
        Some(user) if !user.current => AccountName::new(&user.user, &user.host),
        _ => at.source.viewer.0.clone(),
    }
}

fn filtered(mut shown: Shown, filter: Option<&ShowFilter>) -> Result<Shown, SqlError> {
    let Some(filter) = filter else { return Ok(shown) };
    let mut keep = Vec::with_capacity(shown.rows.len());
    for row in &shown.rows {
        keep.push(filter::keeps(filter, &shown.columns, row)?);
    }
    // A filter over nothing still names columns that must be there.
    if shown.rows.is_empty() {
        filter::keeps(filter, &shown.columns, &vec![Value::Null; shown.columns.len()])?;
    }
    let mut keep = keep.into_iter();
    shown.rows.retain(|_| keep.next().unwrap_or(false));
    Ok(shown)
}

/// `Database (pattern)`, as MySQL heads a list that LIKE has filtered.
fn like_heading(mut shown: Shown, filter: Option<&ShowFilter>) -> Shown {
    if let Some(ShowFilter::Like(pattern)) = filter {
        shown.columns[0].name = format!("{} ({pattern})", shown.columns[0].name);
    }
    shown
}

/// The database that a statement names, or the current one.
fn database<'a>(at: &ShowSource<'a>, schema: Option<&'a str>) -> Result<String, SqlError> {
    let name = schema.or(at.database).ok_or_else(error::no_database_selected)?;
    let name = at.source.catalog.database_name(name);
    match at.source.catalog.database(&name) {
        Some(_) if at.source.sees(&name) => Ok(name),
        Some(_) => Err(error::database_denied(&at.source.viewer.0.user, &at.source.viewer.0.host, &name)),
        None => Err(error::unknown_database(name)),
    }
}

fn find_table(at: &ShowSource<'_>, name: &ObjectName) -> Result<std::rc::Rc<catalog::Table>, SqlError> {
    let schema = name.schema.as_deref().or(at.database).ok_or_else(error::no_database_selected)?;
    let found = at.source.catalog.table(schema, &name.name);
    found.cloned().ok_or_else(|| error::unknown_table(schema, &name.name))
}

fn tables(
    at: &ShowSource<'_>,
    full: bool,
    schema: Option<&str>,
    filter: Option<&ShowFilter>,
) -> Result<Shown, SqlError> {
    let schema = match schema.or(at.database) {
        Some(schema) => database(at, Some(schema))?,
        None => return Err(error::no_database_selected()),
    };
    let computed = virtual_table::names(&schema);
    let kind = if schema == "information_schema" { "SYSTEM VIEW" } else { "BASE TABLE" };
    let mut names: Vec<String> = computed.into_iter().map(str::to_owned).collect();
    if let Some(found) = at.source.catalog.database(&schema) {
        names.extend(found.tables.keys().filter(|name| !name.starts_with(HIDDEN)).cloned());
    }
    names.sort_unstable();
    let title = format!("Tables_in_{schema}");
    let rows: Vec<Vec<Value>> =
        names.into_iter().map(|name| if full { vec![text(name), text(kind)] } else { vec![text(name)] }).collect();
    let columns: &[Col] = if full {
        &[("Tables_in", T::C(64), false), ("Table_type", T::C(11), false)]
    } else {
        &[("Tables_in", T::C(64), false)]
    };
    Ok(like_heading(filtered(heading(shown(columns, rows), title), filter)?, filter))
}

fn table_status(at: &ShowSource<'_>, schema: Option<&str>, filter: Option<&ShowFilter>) -> Result<Shown, SqlError> {
    let schema = match schema.or(at.database) {
        Some(schema) => database(at, Some(schema))?,
        None => return Err(error::no_database_selected()),
    };
    let rows = virtual_table::rows("information_schema", "tables", at.source).unwrap_or_default();
    let of_schema = rows.into_iter().filter(|row| row[1] == text(schema.as_str()));
    // Name, then what follows TABLE_TYPE.
    let row = |row: Vec<Value>| {
        let mut out = vec![row[2].clone()];
        out.extend(row.into_iter().skip(4));
        out
    };
    filtered(shown(TABLE_STATUS, of_schema.map(row).collect()), filter)
}

fn columns(at: &ShowSource<'_>, full: bool, name: &ObjectName, filter: Option<&ShowFilter>) -> Result<Shown, SqlError> {
    let schema = name.schema.as_deref().or(at.database).ok_or_else(error::no_database_selected)?;
    let all = if full { FULL_COLUMNS } else { COLUMNS };
    if let Some(columns) = virtual_table::columns(schema, &name.name) {
        let row = |column: VirtualColumn| {
            let collation = if column.kind.is_text() { text("utf8mb4_0900_ai_ci") } else { Value::Null };
            let null = text(if column.nullable { "YES" } else { "NO" });
            let mut row = vec![text(column.name), text(column.kind.declaration())];
            if full {
                row.push(collation);
            }
            row.extend([null, text(""), Value::Null, text("")]);
            if full {
                row.extend([text("select"), text("")]);
            }
            row
        };
        return filtered(shown(all, columns.into_iter().map(row).collect()), filter);
    }
    let table = find_table(at, name)?;
    let definition = &table.definition;
    let row = |(place, column): (usize, &catalog::Column)| {
        let mut row = vec![text(column.name.as_str()), text(column.kind.declaration())];
        if full {
            row.push(if column.kind.is_text() { text(column.collation().name()) } else { Value::Null });
        }
        row.extend([
            text(if column.nullable { "YES" } else { "NO" }),
            text(information::column_key(definition, place)),
            information::default_text(column),
            text(information::extra(column)),
        ]);
        if full {
            row.extend([text("select,insert,update,references"), text(column.comment.as_str())]);
        }
        row
    };
    filtered(shown(all, definition.shown_columns().map(row).collect()), filter)
}

fn index(table: &catalog::Table, source: &Source<'_>) -> Shown {
    let mut rows = Vec::new();
    for key in table.definition.shown_keys() {
        for (place, part) in key.parts.iter().enumerate() {
            let column = &table.definition.columns[usize::from(part.column)];
            rows.push(vec![
                text(table.name.as_str()),
                Value::Int(i64::from(!key.unique)),
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
    shown(INDEX, rows)
}

/// The collation with this number, or the default one.
pub(crate) fn collation(id: u16) -> Collation {
    Collation::from_id(id).unwrap_or(Collation::DEFAULT)
}

const EXPLAINED: &[Col] = &[
    ("id", T::B, true),
    ("select_type", T::C(19), true),
    ("table", T::C(64), true),
    ("partitions", T::L, true),
    ("type", T::C(10), true),
    ("possible_keys", T::C(4096), true),
    ("key", T::C(64), true),
    ("key_len", T::C(4096), true),
    ("ref", T::C(1024), true),
    ("rows", T::B, true),
    ("filtered", T::C(10), true),
    ("Extra", T::C(255), true),
];

const MAINTENANCE: &[Col] = &[
    ("Table", T::C(128), true),
    ("Op", T::C(10), true),
    ("Msg_type", T::C(10), true),
    ("Msg_text", T::C(131_072), true),
];
const PAIR: &[Col] = &[("Variable_name", T::C(64), false), ("Value", T::C(1024), true)];
const WARNINGS: &[Col] = &[("Level", T::C(7), false), ("Code", T::I, false), ("Message", T::C(512), false)];
const PROCESSES: &[Col] = &[
    ("Id", T::B, false),
    ("User", T::C(32), false),
    ("Host", T::C(261), false),
    ("db", T::C(64), true),
    ("Command", T::C(16), false),
    ("Time", T::I, false),
    ("State", T::C(64), true),
    ("Info", T::L, true),
];
const PLUGINS: &[Col] = &[
    ("Name", T::C(64), false),
    ("Status", T::C(10), false),
    ("Type", T::C(80), false),
    ("Library", T::C(64), true),
    ("License", T::C(80), true),
];
const ENGINES: &[Col] = &[
    ("Engine", T::C(64), false),
    ("Support", T::C(8), false),
    ("Comment", T::C(80), false),
    ("Transactions", T::C(3), true),
    ("XA", T::C(3), true),
    ("Savepoints", T::C(3), true),
];
const CHARSETS: &[Col] = &[
    ("Charset", T::C(64), false),
    ("Description", T::C(2048), false),
    ("Default collation", T::C(64), false),
    ("Maxlen", T::I, false),
];
const COLLATIONS: &[Col] = &[
    ("Collation", T::C(64), false),
    ("Charset", T::C(64), false),
    ("Id", T::B, false),
    ("Default", T::C(3), false),
    ("Compiled", T::C(3), false),
    ("Sortlen", T::I, false),
    ("Pad_attribute", T::C(9), false),
];
const OPEN_TABLES: &[Col] =
    &[("Database", T::C(64), false), ("Table", T::C(64), false), ("In_use", T::I, false), ("Name_locked", T::I, false)];
const COLUMNS: &[Col] = &[
    ("Field", T::C(64), true),
    ("Type", T::L, false),
    ("Null", T::C(3), false),
    ("Key", T::C(3), false),
    ("Default", T::L, true),
    ("Extra", T::C(256), true),
];
const FULL_COLUMNS: &[Col] = &[
    ("Field", T::C(64), true),
    ("Type", T::L, false),
    ("Collation", T::C(64), true),
    ("Null", T::C(3), false),
    ("Key", T::C(3), false),
    ("Default", T::L, true),
    ("Extra", T::C(256), true),
    ("Privileges", T::C(154), true),
    ("Comment", T::L, false),
];
const INDEX: &[Col] = &[
    ("Table", T::C(64), false),
    ("Non_unique", T::I, false),
    ("Key_name", T::C(64), true),
    ("Seq_in_index", T::I, false),
    ("Column_name", T::C(64), true),
    ("Collation", T::C(1), true),
    ("Cardinality", T::S, true),
    ("Sub_part", T::S, true),
    ("Packed", T::C(1), true),
    ("Null", T::C(3), false),
    ("Index_type", T::C(11), false),
    ("Comment", T::C(8), false),
    ("Index_comment", T::C(2048), false),
    ("Visible", T::C(3), false),
    ("Expression", T::L, true),
];
const TABLE_STATUS: &[Col] = &[
    ("Name", T::C(64), false),
    ("Engine", T::C(64), true),
    ("Version", T::I, true),
    ("Row_format", T::C(10), true),
    ("Rows", T::B, true),
    ("Avg_row_length", T::B, true),
    ("Data_length", T::B, true),
    ("Max_data_length", T::B, true),
    ("Index_length", T::B, true),
    ("Data_free", T::B, true),
    ("Auto_increment", T::B, true),
    ("Create_time", T::C(26), true),
    ("Update_time", T::C(26), true),
    ("Check_time", T::C(26), true),
    ("Collation", T::C(64), true),
    ("Checksum", T::S, true),
    ("Create_options", T::C(256), true),
    ("Comment", T::L, true),
];
const TRIGGERS: &[Col] = &[
    ("Trigger", T::C(64), false),
    ("Event", T::C(6), false),
    ("Table", T::C(64), false),
    ("Statement", T::L, false),
    ("Timing", T::C(6), false),
    ("Created", T::C(26), false),
    ("sql_mode", T::C(512), false),
    ("Definer", T::C(288), false),
    ("character_set_client", T::C(64), false),
    ("collation_connection", T::C(64), false),
    ("Database Collation", T::C(64), false),
];
const EVENTS: &[Col] = &[
    ("Db", T::C(64), false),
    ("Name", T::C(64), false),
    ("Definer", T::C(288), false),
    ("Time zone", T::C(64), false),
    ("Type", T::C(9), false),
    ("Execute at", T::C(26), true),
    ("Interval value", T::C(256), true),
    ("Interval field", T::C(18), true),
    ("Starts", T::C(26), true),
    ("Ends", T::C(26), true),
    ("Status", T::C(18), false),
    ("Originator", T::I, false),
    ("character_set_client", T::C(64), false),
    ("collation_connection", T::C(64), false),
    ("Database Collation", T::C(64), false),
];
const ROUTINES: &[Col] = &[
    ("Db", T::C(64), false),
    ("Name", T::C(64), false),
    ("Type", T::C(10), false),
    ("Language", T::C(64), false),
    ("Definer", T::C(288), false),
    ("Modified", T::C(26), false),
    ("Created", T::C(26), false),
    ("Security_type", T::C(7), false),
    ("Comment", T::L, false),
    ("character_set_client", T::C(64), false),
    ("collation_connection", T::C(64), false),
    ("Database Collation", T::C(64), false),
];
const BINARY_LOGS: &[Col] =
    &[("Log_name", T::C(255), false), ("File_size", T::B, false), ("Encrypted", T::C(3), false)];
const LOG_STATUS: &[Col] = &[
    ("File", T::C(255), false),
    ("Position", T::B, false),
    ("Binlog_Do_DB", T::C(255), false),
    ("Binlog_Ignore_DB", T::C(255), false),
    ("Executed_Gtid_Set", T::L, false),
];
const LOG_EVENTS: &[Col] = &[
    ("Log_name", T::C(20), false),
    ("Pos", T::B, false),
    ("Event_type", T::C(20), false),
    ("Server_id", T::B, false),
    ("End_log_pos", T::B, false),
    ("Info", T::L, false),
];
/// The first columns of MySQL's; the set is always empty, as the group's channels have no receiver.
const REPLICA_STATUS: &[Col] = &[
    ("Replica_IO_State", T::C(14), false),
    ("Source_Host", T::C(255), false),
    ("Source_User", T::C(32), false),
    ("Source_Port", T::I, false),
    ("Replica_IO_Running", T::C(3), false),
    ("Replica_SQL_Running", T::C(3), false),
    ("Seconds_Behind_Source", T::S, true),
    ("Channel_Name", T::C(64), false),
];
const SLAVE_STATUS: &[Col] = &[
    ("Slave_IO_State", T::C(14), false),
    ("Master_Host", T::C(255), false),
    ("Master_User", T::C(32), false),
    ("Master_Port", T::I, false),
    ("Slave_IO_Running", T::C(3), false),
    ("Slave_SQL_Running", T::C(3), false),
    ("Seconds_Behind_Master", T::S, true),
    ("Channel_Name", T::C(64), false),
];
const REPLICAS: &[Col] = &[
    ("Server_Id", T::B, false),
    ("Host", T::C(255), false),
    ("Port", T::I, false),
    ("Source_Id", T::B, false),
    ("Replica_UUID", T::C(36), false),
];
const PRIVILEGE_COLUMNS: &[Col] =
    &[("Privilege", T::C(30), false), ("Context", T::C(40), false), ("Comment", T::C(100), false)];
const PRIVILEGES: &[(&str, &str)] = &[
    ("Alter", "Tables"),
    ("Create", "Databases,Tables,Indexes"),
    ("Create user", "Server Admin"),
    ("Delete", "Tables"),
    ("Drop", "Databases,Tables"),
    ("Grant option", "Databases,Tables,Functions,Procedures"),
    ("Index", "Tables"),
    ("Insert", "Tables"),
    ("Lock tables", "Databases"),
    ("Process", "Server Admin"),
    ("References", "Databases,Tables"),
    ("Reload", "Server Admin"),
    ("Replication client", "Server Admin"),
    ("Replication slave", "Server Admin"),
    ("Select", "Tables"),
    ("Show databases", "Server Admin"),
    ("Shutdown", "Server Admin"),
    ("Super", "Server Admin"),
    ("Update", "Tables"),
    ("Usage", "Server Admin"),
    ("GROUP_REPLICATION_ADMIN", "Server Admin"),
    ("SYSTEM_VARIABLES_ADMIN", "Server Admin"),
];
