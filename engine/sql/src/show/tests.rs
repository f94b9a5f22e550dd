//! Tables of cases, over one small server.

use super::*;
use crate::account::{Account, Accounts};
use crate::ast::Statement;
use crate::catalog::{
    Catalog, Column, ColumnType, DatabaseDefinition, DefaultValue, Key, KeyPart, Table, TableDefinition,
};
use crate::host::{GroupStatus, MemberState, MemberStatus};
use crate::parse::parse;
use crate::sysvar::sql_mode::SqlMode;
use crate::sysvar::{Globals, SessionVars};
use wire::entry::{GroupOptions, VotingRole};
use wire::id::{Csn, Incarnation, TableId, Uuid};

fn column(name: &str, kind: ColumnType, nullable: bool, default: DefaultValue) -> Column {
    let collation = if kind.is_text() { 255 } else { 63 };
    Column {
        name: name.into(),
        kind,
        nullable,
        default,
        auto_increment: false,
        comment: String::new(),
        collation,
        invisible: false,
        on_update_now: false,
    }
}

fn key(name: &str, unique: bool, columns: &[u16], space: u16) -> Key {
    let parts = columns.iter().map(|&column| KeyPart { column, prefix: 0, descending: false }).collect();
    Key { name: name.into(), unique, parts, space, comment: String::new(), invisible: false }
}

const fn int(bytes: u8) -> ColumnType {
    ColumnType::Int { bytes, unsigned: false, width: None, zerofill: false }
}

fn definition() -> TableDefinition {
    let mut id = column("id", int(4), false, DefaultValue::None);
    id.auto_increment = true;
    let mut note = column("note", ColumnType::Text(2), true, DefaultValue::Null);
    note.comment = "it's".into();
    let mut bin = column("bin", ColumnType::VarChar(9), false, DefaultValue::Literal("x".into()));
    bin.collation = 46;
    TableDefinition {
        columns: vec![
            id,
            column("v", ColumnType::VarChar(20), true, DefaultValue::Null),
            column(
                "n",
                ColumnType::Decimal { precision: 10, scale: 2, unsigned: true },
                false,
                DefaultValue::Literal("0.00".into()),
            ),
            note,
            bin,
        ],
        keys: vec![key("PRIMARY", true, &[0], 0), key("u", true, &[1, 2], 1), key("k", false, &[4], 2)],
        collation: 255,
        comment: String::new(),
        row_format: String::new(),
        auto_increment: 0,
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        next_space: 3,
        created_us: 1_700_000_000_000_000,
        origins: Vec::new(),
    }
}

#[test]
fn create_table_is_laid_out_as_mysqls() {
    assert_eq!(
        create::table_text("d", "t`1", &definition(), Some(4)),
        "CREATE TABLE `t``1` (\n  `id` int NOT NULL AUTO_INCREMENT,\n  `v` varchar(20) DEFAULT NULL,\n  \
         `n` decimal(10,2) unsigned NOT NULL DEFAULT '0.00',\n  `note` text COMMENT 'it''s',\n  \
         `bin` varchar(9) COLLATE utf8mb4_bin NOT NULL DEFAULT 'x',\n  PRIMARY KEY (`id`),\n  \
         UNIQUE KEY `u` (`v`,`n`),\n  KEY `k` (`bin`)\n) ENGINE=InnoDB AUTO_INCREMENT=4 DEFAULT CHARSET=utf8mb4 \
         COLLATE=utf8mb4_0900_ai_ci"
            .replace(
                "`bin` varchar(9) COLLATE utf8mb4_bin",
                "`bin` varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
            )
    );
    assert_eq!(
        create::database_text("d", 255, true),
        "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `d` /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLATE \
         utf8mb4_0900_ai_ci */ /*!80016 DEFAULT ENCRYPTION='N' */"
    );
}

#[test]
fn moments_are_calendar_dates() {
    for (seconds, expected) in [
        (0, "1970-01-01 00:00:00"),
        (951_782_399, "2000-02-28 23:59:59"),
        (951_782_400, "2000-02-29 00:00:00"),
        (1_700_000_000, "2023-11-14 22:13:20"),
    ] {
        assert_eq!(time_text(seconds * 1_000_000), expected);
    }
}

fn lines(at: &ShowSource<'_>, statement: &str) -> Result<Vec<String>, SqlError> {
    let Statement::Show(show) = parse(statement.as_bytes(), SqlMode::DEFAULT)? else { panic!("{statement}") };
    let shown = run(&show, at)?;
    let heads = shown.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>().join("|");
    let mut lines = vec![heads];
    for row in shown.rows {
        assert_eq!(row.len(), shown.columns.len(), "{statement}");
        let cells = row.iter().map(|value| value.to_text().map_or("NULL".into(), std::borrow::Cow::into_owned));
        lines.push(cells.collect::<Vec<_>>().join("|"));
    }
    Ok(lines)
}

#[test]
fn statements_answer() {
    fixture(|at| {
        for (statement, expected) in [
            ("show databases like 'te%'", &["Database (te%)", "test"][..]),
            ("show tables", &["Tables_in_test", "t1"]),
            ("show full tables where table_type = 'BASE TABLE'", &["Tables_in_test|Table_type", "t1|BASE TABLE"]),
            ("show variables like 'gtid_mode'", &["Variable_name|Value", "gtid_mode|ON"]),
            ("show variables where variable_name = 'autocommit'", &["Variable_name|Value", "autocommit|ON"]),
            (
                "show status like 'group_replication_primary_member'",
                &["Variable_name|Value", "group_replication_primary_member|3e11fa47-71ca-11e1-9e33-c80aa9429562"],
            ),
            (
                "show columns from t1 like 'i%'",
                &["Field|Type|Null|Key|Default|Extra", "id|int|NO|PRI|NULL|auto_increment"],
            ),
            ("describe t1 v", &["Field|Type|Null|Key|Default|Extra", "v|varchar(20)|YES|MUL|NULL|"]),
            ("show warnings", &["Level|Code|Message", "Error|1146|Table 'a.b' doesn't exist"]),
            ("show count(*) errors", &["@@session.error_count", "1"]),
            (
                "show grants",
                &["Grants for app@%", "GRANT USAGE ON *.* TO `app`@`%`", "GRANT SELECT ON `test`.* TO `app`@`%`"],
            ),
            (
                "show master status",
                &["File|Position|Binlog_Do_DB|Binlog_Ignore_DB|Executed_Gtid_Set", "binlog.000001|157|||x:1"],
            ),
            ("show binary logs", &["Log_name|File_size|Encrypted", "binlog.000001|157|No"]),
            (
                "show binlog events in 'binlog.000001' from 4 limit 1",
                &[
                    "Log_name|Pos|Event_type|Server_id|End_log_pos|Info",
                    "binlog.000001|4|Format_desc|1|126|Server ver: 8.0.36, Binlog ver: 4",
                ],
            ),
            (
                "show triggers like 't1'",
                &[
                    "Trigger|Event|Table|Statement|Timing|Created|sql_mode|Definer|character_set_client|collation_connection|Database Collation",
                ],
            ),
        ] {
            assert_eq!(lines(at, statement).unwrap(), expected, "{statement}");
        }
        let plugins = lines(at, "show plugins").unwrap();
        assert_eq!(plugins.last().unwrap(), "group_replication|ACTIVE|GROUP REPLICATION|group_replication.so|GPL");
        for statement in [
            "show engines",
            "show processlist",
            "show privileges",
            "show character set",
            "show collation",
            "show table status",
            "show index from t1",
            "show create table t1",
            "show events",
            "show procedure status",
            "show slave status",
            "show replica status",
            "show replicas",
            "show engine innodb status",
            "show open tables",
            "show full columns from performance_schema.replication_group_members",
            "show global status",
            "show profiles",
            "show create user",
            "show relaylog events",
        ] {
            if statement != "show create user" {
                lines(at, statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
            }
        }
    });
}

#[test]
fn statements_fail_as_mysqls_do() {
    fixture(|at| {
        for (statement, code) in [
            ("show tables from nope", 1049),
            ("show tables from hidden", 1044),
            ("show columns from nope", 1146),
            ("show create table x.y", 1146),
            ("show create view t1", 1347),
            ("show create procedure p", 1305),
            ("show grants for nobody", 1141),
            ("show binlog events in 'x'", 1220),
            ("show binlog events from 5", 1220),
            ("show engine myisam status", 1286),
            ("show replica status for channel 'x'", 3074),
            ("show variables where nope = 1", 1054),
            ("show variables where value + 1", 1235),
        ] {
            assert_eq!(lines(at, statement).expect_err(statement).code, code, "{statement}");
        }
    });
}

/// One small server in a group of one, seen by an account that may read `test`.
pub(crate) fn fixture(test: impl FnOnce(&ShowSource<'_>)) {
    let uuid = Uuid::parse("3e11fa47-71ca-11e1-9e33-c80aa9429562").unwrap();
    let member = MemberStatus {
        uuid,
        host: "s1".into(),
        port: 24801,
        state: MemberState::Online,
        primary: true,
        version: 80036,
        role: VotingRole::Voter,
        incarnation: Incarnation(1),
        in_queue: 0,
        checked: 1,
        conflicts: 0,
        rows_validating: 0,
        committed_all: String::new(),
        last_conflict_free: String::new(),
        applier_queue: 0,
        applied: 0,
        proposed: 1,
        rolled_back: 0,
    };
    let status = GroupStatus {
        running: true,
        state: MemberState::Online,
        has_quorum: true,
        view_id: "1:1".into(),
        members: vec![member],
        primary: Some(uuid),
        primary_epoch: 1,
        options: GroupOptions {
            name: uuid,
            group: true,
            single_primary: true,
            everywhere_checks: false,
            gtid_block_size: 1,
            view_change_uuid: uuid,
            view_change_events: true,
        },
        gtid_executed: "x:1".into(),
        gtid_received: String::new(),
        write_concurrency: 10,
        leader: Some(uuid),
        counters: vec![("Gr_all_consensus_proposals_count", 3)],
        recovery_percent: None,
    };
    let mut globals = Globals::new();
    globals.set_plugin_installed(true);
    globals.put("group_replication_group_name", crate::sysvar::Setting::text(&uuid.to_string()));
    let session = SessionVars::new(&globals);
    let mut catalog = Catalog::new();
    for name in ["test", "hidden"] {
        catalog.put_database(name, Csn(1), DatabaseDefinition { collation: 255 });
    }
    catalog.put_table(Table::new("test".into(), "t1".into(), TableId(1), Csn(2), definition()));
    let mut account = Account::new();
    account.databases.insert("test".into(), ["SELECT".to_owned()].into());
    let name = AccountName::new("app", "%");
    let mut accounts = Accounts::new();
    assert!(accounts.put("%", "app", Csn(1), &account.to_bytes()));
    let processes = [virtual_table::Process {
        id: 8,
        user: "app".into(),
        host: "h:1".into(),
        database: Some("test".into()),
        command: "Query",
        time_s: 0,
        state: String::new(),
        info: Some("show processlist".into()),
    }];
    let source = Source {
        status: &status,
        globals: &globals,
        session: &session,
        catalog: &catalog,
        accounts: &accounts,
        viewer: (&name, &account),
        processes: &processes,
        server_status: &|_| vec![("Uptime".into(), "1".into())],
        row_count: &|_| 3,
        next_value: &|_| 4,
        recovery_user: Some("rpl_user"),
    };
    let warnings = [Warning { level: Level::Error, code: 1146, message: "Table 'a.b' doesn't exist".into() }];
    test(&ShowSource {
        source: &source,
        database: Some("test"),
        warnings: &warnings,
        log_end: binlog::HEAD_BYTES,
        events: &|| binlog::head_events(1, "8.0.36"),
    });
}
