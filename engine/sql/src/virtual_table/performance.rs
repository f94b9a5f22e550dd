//! `performance_schema`, and `mysql.user`.

use super::T::{B, C, I, L, Y};
use super::{Col, NO_TIME, Source, Table};
use crate::host::{MemberState, MemberStatus};
use crate::value::Value;

const PS: &str = "performance_schema";
const APPLIER: &str = "group_replication_applier";
const RECOVERY: &str = "group_replication_recovery";
const STAMP: super::T = C(26);

pub(super) static TABLES: &[Table] = &[
    Table { schema: PS, name: "global_status", columns: VARIABLE, rows: global_status },
    Table { schema: PS, name: "global_variables", columns: VARIABLE, rows: global_variables },
    Table { schema: PS, name: "replication_applier_status", columns: APPLIER_STATUS, rows: applier_status },
    Table { schema: PS, name: "replication_applier_status_by_coordinator", columns: COORDINATOR, rows: coordinator },
    Table { schema: PS, name: "replication_applier_status_by_worker", columns: WORKER, rows: worker },
    Table {
        schema: PS,
        name: "replication_connection_configuration",
        columns: CONNECTION_CONFIG,
        rows: connection_config,
    },
    Table { schema: PS, name: "replication_connection_status", columns: CONNECTION_STATUS, rows: connection_status },
    Table {
        schema: PS,
        name: "replication_group_communication_information",
        columns: COMMUNICATION,
        rows: communication,
    },
    Table {
        schema: PS,
        name: "replication_group_configuration_version",
        columns: CONFIG_VERSION,
        rows: config_version,
    },
    Table { schema: PS, name: "replication_group_member_actions", columns: ACTIONS, rows: actions },
    Table { schema: PS, name: "replication_group_member_stats", columns: STATS, rows: stats },
    Table { schema: PS, name: "replication_group_members", columns: MEMBERS, rows: members },
    Table { schema: PS, name: "session_status", columns: VARIABLE, rows: session_status },
    Table { schema: PS, name: "session_variables", columns: VARIABLE, rows: session_variables },
    Table { schema: "mysql", name: "user", columns: USER, rows: users },
];

const VARIABLE: &[Col] = &[("VARIABLE_NAME", C(64), false), ("VARIABLE_VALUE", C(1024), true)];

const MEMBERS: &[Col] = &[
    ("CHANNEL_NAME", C(64), false),
    ("MEMBER_ID", C(36), false),
    ("MEMBER_HOST", C(255), false),
    ("MEMBER_PORT", I, true),
    ("MEMBER_STATE", C(64), false),
    ("MEMBER_ROLE", C(64), false),
    ("MEMBER_VERSION", C(64), false),
    ("MEMBER_COMMUNICATION_STACK", C(64), false),
];

const STATS: &[Col] = &[
    ("CHANNEL_NAME", C(64), false),
    ("VIEW_ID", C(60), false),
    ("MEMBER_ID", C(36), false),
    ("COUNT_TRANSACTIONS_IN_QUEUE", B, false),
    ("COUNT_TRANSACTIONS_CHECKED", B, false),
    ("COUNT_CONFLICTS_DETECTED", B, false),
    ("COUNT_TRANSACTIONS_ROWS_VALIDATING", B, false),
    ("TRANSACTIONS_COMMITTED_ALL_MEMBERS", L, false),
    ("LAST_CONFLICT_FREE_TRANSACTION", C(1024), false),
    ("COUNT_TRANSACTIONS_REMOTE_IN_APPLIER_QUEUE", B, false),
    ("COUNT_TRANSACTIONS_REMOTE_APPLIED", B, false),
    ("COUNT_TRANSACTIONS_LOCAL_PROPOSED", B, false),
    ("COUNT_TRANSACTIONS_LOCAL_ROLLBACK", B, false),
];

const CONNECTION_STATUS: &[Col] = &[
    ("CHANNEL_NAME", C(64), false),
    ("GROUP_NAME", C(36), false),
    ("SOURCE_UUID", C(36), false),
    ("THREAD_ID", B, true),
    ("SERVICE_STATE", C(10), false),
    ("COUNT_RECEIVED_HEARTBEATS", B, false),
    ("LAST_HEARTBEAT_TIMESTAMP", STAMP, false),
    ("RECEIVED_TRANSACTION_SET", L, false),
    ("LAST_ERROR_NUMBER", I, false),
    ("LAST_ERROR_MESSAGE", C(1024), false),
    ("LAST_ERROR_TIMESTAMP", STAMP, false),
    ("LAST_QUEUED_TRANSACTION", C(90), false),
    ("LAST_QUEUED_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP", STAMP, false),
    ("LAST_QUEUED_TRANSACTION_IMMEDIATE_COMMIT_TIMESTAMP", STAMP, false),
    ("LAST_QUEUED_TRANSACTION_START_QUEUE_TIMESTAMP", STAMP, false),
    ("LAST_QUEUED_TRANSACTION_END_QUEUE_TIMESTAMP", STAMP, false),
    ("QUEUEING_TRANSACTION", C(90), false),
    ("QUEUEING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP", STAMP, false),
    ("QUEUEING_TRANSACTION_IMMEDIATE_COMMIT_TIMESTAMP", STAMP, false),
    ("QUEUEING_TRANSACTION_START_QUEUE_TIMESTAMP", STAMP, false),
];

const CONNECTION_CONFIG: &[Col] = &[
    ("CHANNEL_NAME", C(64), false),
    ("HOST", C(255), false),
    ("PORT", I, false),
    ("USER", C(32), false),
    ("AUTO_POSITION", C(1), false),
];

const APPLIER_STATUS: &[Col] = &[
    ("CHANNEL_NAME", C(64), false),
    ("SERVICE_STATE", C(3), false),
    ("REMAINING_DELAY", I, true),
    ("COUNT_TRANSACTIONS_RETRIES", B, false),
];

const COORDINATOR: &[Col] = &[
    ("CHANNEL_NAME", C(64), false),
    ("THREAD_ID", B, true),
    ("SERVICE_STATE", C(3), false),
    ("LAST_ERROR_NUMBER", I, false),
    ("LAST_ERROR_MESSAGE", C(1024), false),
    ("LAST_ERROR_TIMESTAMP", STAMP, false),
    ("LAST_PROCESSED_TRANSACTION", C(90), false),
    ("LAST_PROCESSED_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP", STAMP, false),
    ("LAST_PROCESSED_TRANSACTION_IMMEDIATE_COMMIT_TIMESTAMP", STAMP, false),
    ("LAST_PROCESSED_TRANSACTION_START_BUFFER_TIMESTAMP", STAMP, false),
    ("LAST_PROCESSED_TRANSACTION_END_BUFFER_TIMESTAMP", STAMP, false),
    ("PROCESSING_TRANSACTION", C(90), false),
    ("PROCESSING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP", STAMP, false),
    ("PROCESSING_TRANSACTION_IMMEDIATE_COMMIT_TIMESTAMP", STAMP, false),
    ("PROCESSING_TRANSACTION_START_BUFFER_TIMESTAMP", STAMP, false),
];

const WORKER: &[Col] = &[
    ("CHANNEL_NAME", C(64), false),
    ("WORKER_ID", B, false),
    ("THREAD_ID", B, true),
    ("SERVICE_STATE", C(3), false),
    ("LAST_ERROR_NUMBER", I, false),
    ("LAST_ERROR_MESSAGE", C(1024), false),
    ("LAST_ERROR_TIMESTAMP", STAMP, false),
    ("LAST_APPLIED_TRANSACTION", C(90), false),
    ("LAST_APPLIED_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP", STAMP, false),
    ("LAST_APPLIED_TRANSACTION_IMMEDIATE_COMMIT_TIMESTAMP", STAMP, false),
    ("LAST_APPLIED_TRANSACTION_START_APPLY_TIMESTAMP", STAMP, false),
    ("LAST_APPLIED_TRANSACTION_END_APPLY_TIMESTAMP", STAMP, false),
    ("APPLYING_TRANSACTION", C(90), false),
    ("APPLYING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP", STAMP, false),
    ("APPLYING_TRANSACTION_IMMEDIATE_COMMIT_TIMESTAMP", STAMP, false),
    ("APPLYING_TRANSACTION_START_APPLY_TIMESTAMP", STAMP, false),
    ("LAST_APPLIED_TRANSACTION_RETRIES_COUNT", B, false),
    ("LAST_APPLIED_TRANSACTION_LAST_TRANSIENT_ERROR_NUMBER", I, false),
    ("LAST_APPLIED_TRANSACTION_LAST_TRANSIENT_ERROR_MESSAGE", C(1024), true),
    ("LAST_APPLIED_TRANSACTION_LAST_TRANSIENT_ERROR_TIMESTAMP", STAMP, false),
    ("APPLYING_TRANSACTION_RETRIES_COUNT", B, false),
    ("APPLYING_TRANSACTION_LAST_TRANSIENT_ERROR_NUMBER", I, false),
    ("APPLYING_TRANSACTION_LAST_TRANSIENT_ERROR_MESSAGE", C(1024), true),
    ("APPLYING_TRANSACTION_LAST_TRANSIENT_ERROR_TIMESTAMP", STAMP, false),
];

const COMMUNICATION: &[Col] = &[
    ("WRITE_CONCURRENCY", B, false),
    ("PROTOCOL_VERSION", L, false),
    ("WRITE_CONSENSUS_LEADERS_PREFERRED", L, false),
    ("WRITE_CONSENSUS_LEADERS_ACTUAL", L, false),
    ("WRITE_CONSENSUS_SINGLE_LEADER_CAPABLE", Y, false),
    ("MEMBER_FAILURE_SUSPICIONS_COUNT", L, false),
];

const ACTIONS: &[Col] = &[
    ("name", C(255), false),
    ("event", C(64), false),
    ("enabled", Y, false),
    ("type", C(64), false),
    ("priority", Y, false),
    ("error_handling", C(64), false),
];

const CONFIG_VERSION: &[Col] = &[("name", C(255), false), ("version", B, false)];

const USER: &[Col] = &[
    ("Host", C(255), false),
    ("User", C(32), false),
    ("plugin", C(64), false),
    ("authentication_string", L, true),
    ("account_locked", C(1), false),
];

fn text(text: impl Into<String>) -> Value {
    Value::text(text.into())
}

const fn state_name(state: MemberState) -> &'static str {
    match state {
        MemberState::Online => "ONLINE",
        MemberState::Recovering => "RECOVERING",
        MemberState::Offline => "OFFLINE",
        MemberState::Error => "ERROR",
        MemberState::Unreachable => "UNREACHABLE",
    }
}

/// `80036` as `8.0.36`.
fn version_text(version: u32) -> String {
    format!("{}.{}.{}", version / 10_000, version / 100 % 100, version % 100)
}

fn members(source: &Source<'_>) -> Vec<Vec<Value>> {
    if !source.globals.plugin_installed() {
        return Vec::new();
    }
    let row = |member: &MemberStatus| {
        let role = match member.state {
            MemberState::Online | MemberState::Recovering if member.primary => "PRIMARY",
            MemberState::Online | MemberState::Recovering => "SECONDARY",
            _ => "",
        };
        vec![
            text(APPLIER),
            text(member.uuid.to_string()),
            text(member.host.as_str()),
            Value::Int(i64::from(member.port)),
            text(state_name(member.state)),
            text(role),
            text(version_text(member.version)),
            text("XCom"),
        ]
    };
    source.status.members.iter().map(row).collect()
}

fn stats(source: &Source<'_>) -> Vec<Vec<Value>> {
    if !source.globals.plugin_installed() {
        return Vec::new();
    }
    let recovering = source.status.state == MemberState::Recovering;
    let row = |member: &MemberStatus| {
        vec![
            text(APPLIER),
            text(source.status.view_id.as_str()),
            text(member.uuid.to_string()),
            Value::UInt(member.in_queue),
            Value::UInt(member.checked),
            Value::UInt(member.conflicts),
            Value::UInt(member.rows_validating),
            text(if recovering { "" } else { member.committed_all.as_str() }),
            text(member.last_conflict_free.as_str()),
            Value::UInt(member.applier_queue),
            Value::UInt(member.applied),
            Value::UInt(member.proposed),
            Value::UInt(member.rolled_back),
        ]
    };
    source.status.members.iter().map(row).collect()
}

const fn on_off(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

/// Times after the fixed part of a row that this server does not keep.
fn fill(row: &mut Vec<Value>, columns: &[Col]) {
    for (name, kind, nullable) in &columns[row.len()..] {
        row.push(match kind {
            _ if *nullable => Value::Null,
            C(26) if name.ends_with("TIMESTAMP") => text(NO_TIME),
            B => Value::UInt(0),
            I | Y | super::T::S => Value::Int(0),
            C(_) | L => text(""),
        });
    }
}

fn group_name(source: &Source<'_>) -> String {
    source.globals.text("group_replication_group_name")
}

fn connection_status(source: &Source<'_>) -> Vec<Vec<Value>> {
    let name = group_name(source);
    if !source.globals.plugin_installed() || name.is_empty() {
        return Vec::new();
    }
    let running = source.status.running;
    let mut applier = vec![
        text(APPLIER),
        text(name.as_str()),
        text(name),
        Value::Null,
        text(on_off(running)),
        Value::UInt(0),
        text(NO_TIME),
        text(source.status.gtid_received.as_str()),
    ];
    fill(&mut applier, CONNECTION_STATUS);
    let mut rows = vec![applier];
    if source.recovery_user.is_some() || running {
        let recovering = source.status.state == MemberState::Recovering;
        let mut recovery = vec![text(RECOVERY), text(""), text(""), Value::Null, text(on_off(recovering))];
        fill(&mut recovery, CONNECTION_STATUS);
        rows.push(recovery);
    }
    rows
}

fn connection_config(source: &Source<'_>) -> Vec<Vec<Value>> {
    if !source.globals.plugin_installed() {
        return Vec::new();
    }
    let row = |channel: &str, user: &str| vec![text(channel), text("<NULL>"), Value::Int(0), text(user), text("1")];
    let mut rows = Vec::new();
    if !group_name(source).is_empty() {
        rows.push(row(APPLIER, ""));
    }
    if let Some(user) = source.recovery_user {
        rows.push(row(RECOVERY, user));
    }
    rows
}

fn applier_channel(source: &Source<'_>) -> bool {
    source.globals.plugin_installed() && !group_name(source).is_empty()
}

fn applier_status(source: &Source<'_>) -> Vec<Vec<Value>> {
    if !applier_channel(source) {
        return Vec::new();
    }
    vec![vec![text(APPLIER), text(on_off(source.status.running)), Value::Null, Value::UInt(0)]]
}

fn coordinator(source: &Source<'_>) -> Vec<Vec<Value>> {
    if !applier_channel(source) {
        return Vec::new();
    }
    let mut row = vec![text(APPLIER), Value::Null, text(on_off(source.status.running))];
    fill(&mut row, COORDINATOR);
    vec![row]
}

/// One row: every shard applies its part of every transaction, in order.
fn worker(source: &Source<'_>) -> Vec<Vec<Value>> {
    if !applier_channel(source) {
        return Vec::new();
    }
    let mut row = vec![text(APPLIER), Value::UInt(1), Value::Null, text(on_off(source.status.running))];
    fill(&mut row, WORKER);
    vec![row]
}

fn communication(source: &Source<'_>) -> Vec<Vec<Value>> {
    let status = source.status;
    if !status.running {
        return Vec::new();
    }
    let online = status.members.iter().filter(|member| member.state == MemberState::Online);
    let everyone = online.map(|member| member.uuid.to_string()).collect::<Vec<_>>().join(",");
    let suspicions: Vec<_> =
        status.members.iter().map(|member| format!("\"{}:{}\": 0", member.host, member.port)).collect();
    vec![vec![
        Value::UInt(status.write_concurrency),
        text("8.0.27"),
        text(everyone),
        text(status.leader.map(|leader| leader.to_string()).unwrap_or_default()),
        Value::Int(i64::from(source.globals.on("group_replication_paxos_single_leader"))),
        text(format!("{{{}}}", suspicions.join(", "))),
    ]]
}

fn actions(source: &Source<'_>) -> Vec<Vec<Value>> {
    if !source.globals.plugin_installed() {
        return Vec::new();
    }
    let row = |name: &str, priority, handling: &str| {
        vec![
            text(name),
            text("AFTER_PRIMARY_ELECTION"),
            Value::Int(1),
            text("INTERNAL"),
            Value::Int(priority),
            text(handling),
        ]
    };
    vec![
        row("mysql_disable_super_read_only_if_primary", 1, "IGNORE"),
        row("mysql_start_failover_channels_if_primary", 10, "CRITICAL"),
    ]
}

fn config_version(source: &Source<'_>) -> Vec<Vec<Value>> {
    if !source.globals.plugin_installed() {
        return Vec::new();
    }
    vec![vec![text("replication_group_member_actions"), Value::UInt(1)]]
}

fn pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Vec<Vec<Value>> {
    pairs.into_iter().map(|(name, value)| vec![text(name), text(value)]).collect()
}

fn global_variables(source: &Source<'_>) -> Vec<Vec<Value>> {
    pairs(source.globals.show(None).into_iter().map(|(name, value)| (name.to_owned(), value)))
}

fn session_variables(source: &Source<'_>) -> Vec<Vec<Value>> {
    pairs(source.globals.show(Some(source.session)).into_iter().map(|(name, value)| (name.to_owned(), value)))
}

/// SHOW STATUS' rows, sorted by name.
pub(crate) fn status_pairs(source: &Source<'_>, global: bool) -> Vec<(String, String)> {
    let mut all = (source.server_status)(global);
    if source.globals.plugin_installed() {
        let single = source.status.options.single_primary && source.status.running;
        let primary = source.status.primary.filter(|_| single).map(|uuid| uuid.to_string());
        all.push(("group_replication_primary_member".to_owned(), primary.unwrap_or_default()));
        all.extend(source.status.counters.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())));
    }
    all.sort_by_key(|(name, _)| name.to_ascii_lowercase());
    all.dedup_by(|a, b| a.0.eq_ignore_ascii_case(&b.0));
    all
}

fn global_status(source: &Source<'_>) -> Vec<Vec<Value>> {
    pairs(status_pairs(source, true))
}

fn session_status(source: &Source<'_>) -> Vec<Vec<Value>> {
    pairs(status_pairs(source, false))
}

fn users(source: &Source<'_>) -> Vec<Vec<Value>> {
    let row = |(name, account): (&crate::account::AccountName, &crate::account::Account)| {
        vec![
            text(name.host.as_str()),
            text(name.user.as_str()),
            text(account.plugin.name()),
            text(String::from_utf8_lossy(&account.stored)),
            text("N"),
        ]
    };
    source.accounts.iter().map(row).collect()
}
