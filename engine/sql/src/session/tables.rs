//! The computed tables and SHOW, given the state that they read.

use super::env::State;
use crate::ast::Show;
use crate::binlog::{self, Event};
use crate::catalog::{Column, DefaultValue};
use crate::collate::Collation;
use crate::error::{SqlError, error};
use crate::expr::Type;
use crate::plan::column_type;
use crate::server::Server;
use crate::show::{self, ShowSource, Shown};
use crate::value::Value;
use crate::virtual_table::{self, Process, Source, VirtualColumn};
use engine_store::Space;
use std::cell::Cell;
use wire::id::{Csn, TableId};

/// The type of a computed column.
pub(super) fn kind(column: &VirtualColumn) -> Type {
    let collation = if column.kind.is_text() { Collation::METADATA } else { Collation::BINARY };
    column_type(&Column {
        name: column.name.clone(),
        kind: column.kind.clone(),
        nullable: column.nullable,
        default: DefaultValue::Null,
        auto_increment: false,
        comment: String::new(),
        collation: collation.id(),
        invisible: false,
        on_update_now: false,
    })
}

/// The columns of a computed table.
pub(super) fn columns(schema: &str, name: &str) -> Option<Vec<(String, Type)>> {
    let columns = virtual_table::columns(schema, name)?;
    Some(columns.iter().map(|column| (column.name.clone(), kind(column))).collect())
}

/// Calls `f` with the state that computed tables read.
fn with_source<T>(state: &State, f: impl FnOnce(&Source<'_>) -> T) -> T {
    let server: &Server = &state.server;
    let now_us = server.host.now().monotonic_us;
    let name = state.account.borrow();
    let accounts = server.accounts.borrow();
    let nobody = crate::account::Account::default();
    let account = accounts.get(&name).unwrap_or(&nobody);
    let sees_all = account.has_global("PROCESS");
    let login = state.login.borrow().0.clone();
    let processes: Vec<Process> = server
        .session_list()
        .iter()
        .map(|session| (session.id(), session.info.borrow().clone()))
        .filter(|(_, info)| sees_all || info.user == login)
        .map(|(id, info)| Process {
            id,
            user: info.user,
            host: info.host,
            database: info.database,
            command: info.command,
            time_s: now_us.saturating_sub(info.since_us) / 1_000_000,
            state: info.state.to_owned(),
            info: info.info,
        })
        .collect();
    let status = server.host.status();
    let recovery_user = server.setting("channel/group_replication_recovery/user");
    let server_status = |global: bool| {
        let sessions = server.session_list();
        let running = sessions.iter().filter(|session| session.info.borrow().command == "Query").count();
        let numbers = [
            ("Uptime", server.uptime_s()),
            ("Connections", server.connections.get()),
            ("Connection_errors_max_connections", server.refused_connections.get()),
            ("Max_used_connections", server.most_sessions.get() as u64),
            ("Threads_cached", 0),
            ("Threads_connected", sessions.len() as u64),
            // No thread is kept for later.
            ("Threads_created", server.connections.get()),
            ("Threads_running", running as u64),
            ("Quorate_rows", server.store.borrow().rows()),
            ("Quorate_row_bytes", server.memory_bytes() as u64),
        ];
        let counters = if global { &server.tally } else { &state.counters };
        let all = numbers.into_iter().chain(counters.pairs());
        all.map(|(name, number)| (name.to_owned(), number.to_string())).collect()
    };
    let rows = |table: TableId| server.store.borrow().space_len(Space { table, number: 0 }) as u64;
    let next = |table: TableId| server.peek_counter(table);
    let source = Source {
        status: &status,
        globals: &server.globals.borrow(),
        session: &state.vars.borrow(),
        catalog: &server.catalog.borrow(),
        accounts: &accounts,
        viewer: (&name, account),
        processes: &processes,
        server_status: &server_status,
        row_count: &rows,
        next_value: &next,
        recovery_user: recovery_user.as_deref(),
    };
    f(&source)
}

/// The rows of a computed table.
pub(super) fn rows(state: &State, schema: &str, name: &str) -> Result<Vec<Vec<Value>>, SqlError> {
    let rows = with_source(state, |source| virtual_table::rows(schema, name, source));
    rows.ok_or_else(|| error(1146, format!("Table '{schema}.{name}' doesn't exist")))
}

/// Runs a SHOW.
pub(super) fn show(state: &State, what: &Show) -> Result<Shown, SqlError> {
    let reads_log =
        matches!(what, Show::BinaryLogs | Show::BinaryLogStatus | Show::BinlogEvents(_) | Show::RelaylogEvents(..));
    let events = if reads_log { events(&state.server) } else { Vec::new() };
    let log_end = events.last().map_or(0, |event: &Event| event.end);
    let events = Cell::new(events);
    let warnings = state.warnings.borrow().clone();
    let database = state.database.borrow().clone();
    with_source(state, |source| {
        let at = ShowSource {
            source,
            database: database.as_deref(),
            warnings: &warnings,
            log_end,
            events: &|| events.take(),
        };
        show::run(what, &at)
    })
}

/// The events of the whole visible log.
fn events(server: &Server) -> Vec<Event> {
    let (server_id, version) = {
        let globals = server.globals.borrow();
        (globals.number("server_id") as u32, globals.text("version"))
    };
    let mut events = binlog::head_events(server_id, &version);
    let mut position = events.last().map_or(0, |event| event.end);
    let catalog = server.catalog.borrow();
    let name_of = |id: TableId| catalog.table_by_id(id).map(|table| (table.schema.clone(), table.name.clone()));
    server.host.read_log(Csn(1), &mut |logged| {
        position = binlog::entry_events(logged, position, &name_of, &mut events);
        true
    });
    events
}
