//! What SHOW STATUS counts of statements and rows: `Com_...`, `Handler_...`, `Queries`, `Slow_queries`. The server has one
//! set of counters, and each session one of its own.
//!
//! Absent on purpose: counters of what does not exist here (views, events, XA ...): a zero would say that it does.

use crate::ast::{InsertSource, Maintenance, Show, Statement};
use crate::plan::Body;
use std::cell::Cell;

macro_rules! counters {
    ($($name:ident = $text:literal,)*) => {
        /// One counter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "each is named as SHOW STATUS names it")]
        pub enum Counter {
            $($name,)*
        }

        const NAMES: &[&str] = &[$($text,)*];
    };
}

counters! {
    AlterDb = "Com_alter_db",
    AlterTable = "Com_alter_table",
    AlterUser = "Com_alter_user",
    Analyze = "Com_analyze",
    Begin = "Com_begin",
    CallProcedure = "Com_call_procedure",
    ChangeDb = "Com_change_db",
    ChangeReplicationSource = "Com_change_replication_source",
    Check = "Com_check",
    Checksum = "Com_checksum",
    Commit = "Com_commit",
    CreateDb = "Com_create_db",
    CreateIndex = "Com_create_index",
    CreateTable = "Com_create_table",
    CreateUser = "Com_create_user",
    DeallocSql = "Com_dealloc_sql",
    Delete = "Com_delete",
    DeleteMulti = "Com_delete_multi",
    Do = "Com_do",
    DropDb = "Com_drop_db",
    DropIndex = "Com_drop_index",
    DropTable = "Com_drop_table",
    DropUser = "Com_drop_user",
    EmptyQuery = "Com_empty_query",
    ExecuteSql = "Com_execute_sql",
    Flush = "Com_flush",
    Grant = "Com_grant",
    GroupReplicationStart = "Com_group_replication_start",
    GroupReplicationStop = "Com_group_replication_stop",
    Insert = "Com_insert",
    InsertSelect = "Com_insert_select",
    InstallPlugin = "Com_install_plugin",
    Kill = "Com_kill",
    LockInstance = "Com_lock_instance",
    LockTables = "Com_lock_tables",
    Optimize = "Com_optimize",
    PrepareSql = "Com_prepare_sql",
    Purge = "Com_purge",
    ReleaseSavepoint = "Com_release_savepoint",
    RenameTable = "Com_rename_table",
    RenameUser = "Com_rename_user",
    Repair = "Com_repair",
    Replace = "Com_replace",
    ReplaceSelect = "Com_replace_select",
    ReplicaStart = "Com_replica_start",
    ReplicaStop = "Com_replica_stop",
    Reset = "Com_reset",
    Restart = "Com_restart",
    Revoke = "Com_revoke",
    Rollback = "Com_rollback",
    RollbackToSavepoint = "Com_rollback_to_savepoint",
    Savepoint = "Com_savepoint",
    Select = "Com_select",
    SetOption = "Com_set_option",
    SetPassword = "Com_set_password",
    ShowBinaryLogStatus = "Com_show_binary_log_status",
    ShowBinlogEvents = "Com_show_binlog_events",
    ShowBinlogs = "Com_show_binlogs",
    ShowCharsets = "Com_show_charsets",
    ShowCollations = "Com_show_collations",
    ShowCreateDb = "Com_show_create_db",
    ShowCreateTable = "Com_show_create_table",
    ShowCreateUser = "Com_show_create_user",
    ShowDatabases = "Com_show_databases",
    ShowEngineStatus = "Com_show_engine_status",
    ShowErrors = "Com_show_errors",
    ShowEvents = "Com_show_events",
    ShowFields = "Com_show_fields",
    ShowFunctionStatus = "Com_show_function_status",
    ShowGrants = "Com_show_grants",
    ShowKeys = "Com_show_keys",
    ShowOpenTables = "Com_show_open_tables",
    ShowPlugins = "Com_show_plugins",
    ShowPrivileges = "Com_show_privileges",
    ShowProcedureStatus = "Com_show_procedure_status",
    ShowProcesslist = "Com_show_processlist",
    ShowProfiles = "Com_show_profiles",
    ShowRelaylogEvents = "Com_show_relaylog_events",
    ShowReplicaStatus = "Com_show_replica_status",
    ShowReplicas = "Com_show_replicas",
    ShowStatus = "Com_show_status",
    ShowStorageEngines = "Com_show_storage_engines",
    ShowTableStatus = "Com_show_table_status",
    ShowTables = "Com_show_tables",
    ShowTriggers = "Com_show_triggers",
    ShowVariables = "Com_show_variables",
    ShowWarnings = "Com_show_warnings",
    Shutdown = "Com_shutdown",
    StmtClose = "Com_stmt_close",
    StmtExecute = "Com_stmt_execute",
    StmtPrepare = "Com_stmt_prepare",
    StmtReprepare = "Com_stmt_reprepare",
    StmtReset = "Com_stmt_reset",
    StmtSendLongData = "Com_stmt_send_long_data",
    Truncate = "Com_truncate",
    UninstallPlugin = "Com_uninstall_plugin",
    UnlockInstance = "Com_unlock_instance",
    UnlockTables = "Com_unlock_tables",
    Update = "Com_update",
    UpdateMulti = "Com_update_multi",
    HandlerCommit = "Handler_commit",
    HandlerDelete = "Handler_delete",
    HandlerReadFirst = "Handler_read_first",
    HandlerReadKey = "Handler_read_key",
    HandlerReadNext = "Handler_read_next",
    HandlerReadPrev = "Handler_read_prev",
    HandlerReadRndNext = "Handler_read_rnd_next",
    HandlerRollback = "Handler_rollback",
    HandlerSavepoint = "Handler_savepoint",
    HandlerSavepointRollback = "Handler_savepoint_rollback",
    HandlerUpdate = "Handler_update",
    HandlerWrite = "Handler_write",
    Queries = "Queries",
    Questions = "Questions",
    SlowQueries = "Slow_queries",
}

/// A set of counters.
#[derive(Debug)]
pub struct Counters([Cell<u64>; NAMES.len()]);

impl Default for Counters {
    fn default() -> Self {
        Self([const { Cell::new(0) }; NAMES.len()])
    }
}

impl Counters {
    /// Counts so many more.
    pub fn add(&self, counter: Counter, by: u64) {
        let cell = &self.0[counter as usize];
        cell.set(cell.get().wrapping_add(by));
    }

    /// What was counted so far.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize].get()
    }

    /// All by name.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        NAMES.iter().copied().zip(self.0.iter().map(Cell::get))
    }

    /// Begins again (FLUSH STATUS).
    pub fn clear(&self) {
        self.0.iter().for_each(|cell| cell.set(0));
    }
}

impl Counter {
    /// What counts the runs of a plan.
    #[must_use]
    pub const fn of_plan(body: &Body) -> Self {
        match body {
            Body::Select(_) => Self::Select,
            Body::Insert(plan) => match (plan.replace, plan.select.is_some()) {
                (false, false) => Self::Insert,
                (false, true) => Self::InsertSelect,
                (true, false) => Self::Replace,
                (true, true) => Self::ReplaceSelect,
            },
            Body::Update(_) => Self::Update,
            Body::Delete(_) => Self::Delete,
            Body::Joined(plan) if plan.is_update => Self::UpdateMulti,
            Body::Joined(_) => Self::DeleteMulti,
        }
    }

    /// What counts a statement.
    #[must_use]
    pub fn of(statement: &Statement) -> Self {
        match statement {
            Statement::Empty => Self::EmptyQuery,
            Statement::Select(_) => Self::Select,
            Statement::Insert(insert) => match (insert.replace, &insert.source) {
                (false, InsertSource::Rows(_)) => Self::Insert,
                (false, InsertSource::Select(_)) => Self::InsertSelect,
                (true, InsertSource::Rows(_)) => Self::Replace,
                (true, InsertSource::Select(_)) => Self::ReplaceSelect,
            },
            Statement::Update(update) => match update.from.as_slice() {
                [crate::ast::TableRef::Table { .. }] => Self::Update,
                _ => Self::UpdateMulti,
            },
            Statement::Delete(delete) if delete.targets.is_empty() => Self::Delete,
            Statement::Delete(_) => Self::DeleteMulti,
            Statement::Explain(inner) => Self::of(inner),
            Statement::CreateDatabase(_) => Self::CreateDb,
            Statement::AlterDatabase { .. } => Self::AlterDb,
            Statement::DropDatabase { .. } => Self::DropDb,
            Statement::CreateTable(_) => Self::CreateTable,
            Statement::DropTable { .. } => Self::DropTable,
            Statement::Truncate(_) => Self::Truncate,
            Statement::RenameTable(_) => Self::RenameTable,
            Statement::AlterTable { .. } => Self::AlterTable,
            Statement::CreateIndex { .. } => Self::CreateIndex,
            Statement::DropIndex { .. } => Self::DropIndex,
            Statement::Begin { .. } => Self::Begin,
            Statement::Commit { .. } => Self::Commit,
            Statement::Rollback { .. } => Self::Rollback,
            Statement::Savepoint(_) => Self::Savepoint,
            Statement::RollbackTo(_) => Self::RollbackToSavepoint,
            Statement::ReleaseSavepoint(_) => Self::ReleaseSavepoint,
            Statement::LockTables(_) => Self::LockTables,
            Statement::UnlockTables => Self::UnlockTables,
            Statement::LockInstance => Self::LockInstance,
            Statement::UnlockInstance => Self::UnlockInstance,
            Statement::Use(_) => Self::ChangeDb,
            Statement::Set(_) => Self::SetOption,
            Statement::Show(show) => Self::of_show(show),
            Statement::Do(_) => Self::Do,
            Statement::Kill { .. } => Self::Kill,
            Statement::Flush(_) => Self::Flush,
            Statement::Shutdown => Self::Shutdown,
            Statement::Restart => Self::Restart,
            Statement::Prepare { .. } => Self::PrepareSql,
            Statement::Execute { .. } => Self::ExecuteSql,
            Statement::Call(_) => Self::CallProcedure,
            Statement::Deallocate(_) => Self::DeallocSql,
            Statement::TableMaintenance { what, .. } => match what {
                Maintenance::Analyze => Self::Analyze,
                Maintenance::Check => Self::Check,
                Maintenance::Optimize => Self::Optimize,
                Maintenance::Repair => Self::Repair,
                Maintenance::Checksum => Self::Checksum,
            },
            Statement::CreateUser { .. } => Self::CreateUser,
            Statement::AlterUser { .. } => Self::AlterUser,
            Statement::DropUser { .. } => Self::DropUser,
            Statement::RenameUser(_) => Self::RenameUser,
            Statement::Grant(_) => Self::Grant,
            Statement::Revoke(_) => Self::Revoke,
            Statement::SetPassword { .. } => Self::SetPassword,
            Statement::ChangeReplicationSource(_) => Self::ChangeReplicationSource,
            Statement::StartGroupReplication { .. } => Self::GroupReplicationStart,
            Statement::StopGroupReplication => Self::GroupReplicationStop,
            Statement::StartReplica(_) => Self::ReplicaStart,
            Statement::StopReplica(_) => Self::ReplicaStop,
            Statement::ResetReplica { .. } | Statement::ResetBinaryLogs | Statement::ResetPersist { .. } => Self::Reset,
            Statement::PurgeBinaryLogs { .. } => Self::Purge,
            Statement::InstallPlugin { .. } => Self::InstallPlugin,
            Statement::UninstallPlugin(_) => Self::UninstallPlugin,
        }
    }

    fn of_show(show: &Show) -> Self {
        match show {
            Show::Variables { .. } => Self::ShowVariables,
            Show::Status { .. } => Self::ShowStatus,
            Show::Databases(_) => Self::ShowDatabases,
            Show::Tables { .. } => Self::ShowTables,
            Show::TableStatus { .. } => Self::ShowTableStatus,
            Show::OpenTables { .. } => Self::ShowOpenTables,
            Show::Columns { .. } => Self::ShowFields,
            Show::Index { .. } => Self::ShowKeys,
            Show::CreateTable(_) | Show::CreateOther(..) => Self::ShowCreateTable,
            Show::CreateDatabase { .. } => Self::ShowCreateDb,
            Show::CreateUser(_) => Self::ShowCreateUser,
            Show::Warnings { errors_only: true, .. } => Self::ShowErrors,
            Show::Warnings { .. } => Self::ShowWarnings,
            Show::WarningCount { .. } => Self::Select,
            Show::ProcessList { .. } => Self::ShowProcesslist,
            Show::Plugins => Self::ShowPlugins,
            Show::Engines => Self::ShowStorageEngines,
            Show::Engine(..) => Self::ShowEngineStatus,
            Show::Privileges => Self::ShowPrivileges,
            Show::Grants(_) => Self::ShowGrants,
            Show::CharacterSet(_) => Self::ShowCharsets,
            Show::Collation(_) => Self::ShowCollations,
            Show::Triggers { .. } => Self::ShowTriggers,
            Show::Events { .. } => Self::ShowEvents,
            Show::ProcedureStatus(_) => Self::ShowProcedureStatus,
            Show::FunctionStatus(_) => Self::ShowFunctionStatus,
            Show::Profiles => Self::ShowProfiles,
            Show::BinaryLogs => Self::ShowBinlogs,
            Show::BinaryLogStatus => Self::ShowBinaryLogStatus,
            Show::BinlogEvents(_) => Self::ShowBinlogEvents,
            Show::RelaylogEvents(..) => Self::ShowRelaylogEvents,
            Show::ReplicaStatus { .. } => Self::ShowReplicaStatus,
            Show::Replicas => Self::ShowReplicas,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_meant_once() {
        assert_eq!(NAMES[Counter::ShowWarnings as usize], "Com_show_warnings");
        assert_eq!(NAMES[Counter::SlowQueries as usize], "Slow_queries");
        assert!(NAMES.is_sorted_by(|one, other| one < other), "each once, by name");
    }
}
