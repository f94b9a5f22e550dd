//! Tables of cases.

use super::registry::{ALIASES, VARIABLES, all};
use super::*;
use crate::ast::Scope;
use crate::error::SqlError;

fn admin() -> SetContext {
    SetContext { system_admin: true, group_admin: true, session_admin: true, persist_admin: true, ..Default::default() }
}

fn try_set(
    scope: Option<Scope>,
    name: &str,
    value: Value,
    context: &SetContext,
) -> Result<(Globals, SessionVars, Applied), SqlError> {
    let mut globals = Globals::new();
    globals.set_plugin_installed(true);
    let mut session = SessionVars::new(&globals);
    let applied = set(&mut globals, &mut session, scope, name, &Input::Value(value), context)?;
    Ok((globals, session, applied))
}

#[test]
fn the_registry_is_sorted_and_whole() {
    for pair in VARIABLES.windows(2) {
        assert!(pair[0].name < pair[1].name, "{} before {}", pair[0].name, pair[1].name);
    }
    let group = VARIABLES.iter().filter(|v| v.name.starts_with("group_replication_")).count();
    assert_eq!(group, 60, "59 of the plugin and group_replication_consistency");
    for (alias, name) in ALIASES {
        assert_eq!(find(alias), find(name), "{alias}");
        assert!(find(alias).is_some(), "{alias}");
    }
    for (_, definition) in all() {
        let mut globals = Globals::new();
        let text = definition.default.to_setting().to_text();
        if definition.default != registry::Fallback::Null && definition.name != "timestamp" {
            let result = globals.set_option(find(definition.name).unwrap(), &text);
            assert_eq!(result, Ok(()), "{} does not take its own default", definition.name);
        }
    }
}

#[test]
fn values_are_checked() {
    let global = Some(Scope::Global);
    for (scope, name, value, code) in [
        (None, "nonsense", Value::Int(1), 1193),
        (None, "sync_binlog", Value::Int(1), 1229),
        (global, "sql_log_bin", Value::Int(1), 1228),
        (global, "version", Value::text("x"), 1238),
        (global, "gtid_executed", Value::text("x"), 1238),
        (global, "autocommit", Value::Int(2), 1231),
        (global, "autocommit", Value::text("maybe"), 1231),
        (global, "sync_binlog", Value::text("1"), 1232),
        (global, "group_replication_group_name", Value::text("not-a-uuid"), 1231),
        (global, "group_replication_gtid_assignment_block_size", Value::Int(0), 1231),
        (global, "group_replication_member_expel_timeout", Value::Int(3601), 1231),
        (global, "group_replication_enforce_update_everywhere_checks", Value::Int(1), 1231),
        (global, "group_replication_local_address", Value::text("nowhere"), 1231),
        (global, "group_replication_ip_allowlist", Value::text("AUTOMATIC,10.0.0.1"), 1231),
        (global, "group_replication_exit_state_action", Value::text("X"), 1231),
        (global, "group_replication_advertise_recovery_endpoints", Value::text("x"), 3974),
        (Some(Scope::Persist), "group_replication_force_members", Value::text(""), 1238),
        (None, "sql_mode", Value::text("NOPE"), 1231),
        (None, "time_zone", Value::text("Mars/Olympus"), 1298),
        (None, "character_set_client", Value::text("klingon"), 1115),
        (None, "collation_connection", Value::text("klingon_ci"), 1273),
        (None, "binlog_format", Value::text("STATEMENT"), 1231),
        (global, "gtid_mode", Value::text("OFF"), 1231),
        (None, "wait_timeout", Value::Int(0), 1231),
        (None, "autocommit", Value::Null, 1231),
    ] {
        let error = try_set(scope, name, value.clone(), &admin()).map(|_| ()).expect_err(name);
        assert_eq!(error.code, code, "{name} = {value:?}: {error}");
    }
    for (scope, name, value, expected) in [
        (None, "autocommit", Value::text("off"), "OFF"),
        (None, "sql_mode", Value::text(""), ""),
        (None, "transaction_isolation", Value::text("read-committed"), "READ-COMMITTED"),
        (None, "tx_isolation", Value::Int(3), "SERIALIZABLE"),
        (None, "time_zone", Value::text("+00:00"), "+00:00"),
        (None, "character_set_results", Value::Null, ""),
        (None, "character_set_client", Value::text("utf8"), "utf8mb3"),
        (None, "group_replication_consistency", Value::text("after"), "AFTER"),
    ] {
        let (_, session, applied) = try_set(scope, name, value, &admin()).unwrap();
        assert_eq!(session.get(applied.id).to_text(), expected, "{name}");
    }
    let (globals, _, applied) =
        try_set(Some(Scope::Persist), "group_replication_member_weight", Value::Int(70), &admin()).unwrap();
    assert_eq!(globals.number("group_replication_member_weight"), 70);
    assert_eq!(applied.persist, Some(("group_replication_member_weight", "70".to_owned())));
}

#[test]
fn state_and_privileges_are_checked() {
    let global = Some(Scope::Global);
    let running = SetContext { running: true, ..admin() };
    let changing = SetContext { changing: true, ..admin() };
    let nobody = SetContext::default();
    let inside = SetContext { in_transaction: true, ..admin() };
    for (context, scope, name, value, code) in [
        (&running, global, "group_replication_single_primary_mode", Value::Int(0), 3093),
        (&running, global, "group_replication_group_name", Value::text("3e11fa47-71ca-11e1-9e33-c80aa9429562"), 3093),
        (&running, global, "gtid_purged", Value::text(""), 3911),
        (&changing, global, "group_replication_member_weight", Value::Int(1), 3724),
        (&nobody, global, "sync_binlog", Value::Int(0), 1227),
        (&nobody, None, "sql_log_bin", Value::Int(0), 1227),
        (&inside, None, "sql_log_bin", Value::Int(0), 1766),
    ] {
        let error = try_set(scope, name, value, context).map(|_| ()).expect_err(name);
        assert_eq!(error.code, code, "{name}: {error}");
    }
    assert!(try_set(global, "group_replication_bootstrap_group", Value::Int(1), &running).is_ok());
}

#[test]
fn plugin_variables_come_and_go() {
    let mut globals = Globals::new();
    let session = SessionVars::new(&globals);
    let name = "group_replication_group_seeds";
    assert_eq!(globals.read(None, name, &session).unwrap_err().code, 1193);
    assert!(globals.read(None, "group_replication_consistency", &session).is_ok());
    globals.set_option(find(name).unwrap(), "a:1,b:2").unwrap();
    globals.set_plugin_installed(true);
    assert_eq!(globals.read(None, name, &session).unwrap().to_text(), "a:1,b:2");
    assert_eq!(globals.read(Some(Scope::Session), name, &session).unwrap_err().code, 1238);
}

#[test]
fn read_only_modes_go_together() {
    let mut globals = Globals::new();
    let mut session = SessionVars::new(&globals);
    let mut go = |name: &str, on: i64| {
        set(&mut globals, &mut session, Some(Scope::Global), name, &Input::Value(Value::Int(on)), &admin()).unwrap();
        (globals.on("read_only"), globals.on("super_read_only"))
    };
    assert_eq!(go("super_read_only", 1), (true, true));
    assert_eq!(go("super_read_only", 0), (true, false));
    assert_eq!(go("super_read_only", 1), (true, true));
    assert_eq!(go("read_only", 0), (false, false));
}

#[test]
fn hot_values_follow() {
    let globals = Globals::new();
    let mut session = SessionVars::new(&globals);
    session.put("sql_mode", Setting::text("ANSI_QUOTES"));
    session.put("autocommit", Setting::Bool(false));
    assert!(session.sql_mode.has(sql_mode::SqlMode::ANSI_QUOTES));
    assert!(!session.autocommit);
}
