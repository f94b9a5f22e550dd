//! `mysql.general_log` and `mysql.slow_log`: nothing is logged there, but tools that dump all databases ask for them.

use super::T::{B, C, I, L};
use super::{Col, Table, no_rows};

pub(super) static TABLES: &[Table] = &[
    Table { schema: "mysql", name: "general_log", columns: GENERAL, rows: no_rows },
    Table { schema: "mysql", name: "slow_log", columns: SLOW, rows: no_rows },
];

const GENERAL: &[Col] = &[
    ("event_time", C(26), false),
    ("user_host", L, false),
    ("thread_id", B, false),
    ("server_id", I, false),
    ("command_type", C(64), false),
    ("argument", L, false),
];

const SLOW: &[Col] = &[
    ("start_time", C(26), false),
    ("user_host", L, false),
    ("query_time", C(16), false),
    ("lock_time", C(16), false),
    ("rows_sent", I, false),
    ("rows_examined", I, false),
    ("db", C(512), false),
    ("last_insert_id", I, false),
    ("insert_id", I, false),
    ("server_id", I, false),
    ("sql_text", L, false),
    ("thread_id", B, false),
];

/// What SHOW CREATE TABLE says of them, as MySQL does.
pub(crate) fn declaration(schema: &str, name: &str) -> Option<&'static str> {
    if !schema.eq_ignore_ascii_case("mysql") {
        return None;
    }
    match name.to_ascii_lowercase().as_str() {
        "general_log" => Some(
            "CREATE TABLE `general_log` (\n  `event_time` timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE \
             CURRENT_TIMESTAMP(6),\n  `user_host` mediumtext NOT NULL,\n  `thread_id` bigint unsigned NOT NULL,\n  \
             `server_id` int unsigned NOT NULL,\n  `command_type` varchar(64) NOT NULL,\n  `argument` mediumblob NOT \
             NULL\n) ENGINE=CSV DEFAULT CHARSET=utf8mb3 COMMENT='General log'",
        ),
        "slow_log" => Some(
            "CREATE TABLE `slow_log` (\n  `start_time` timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE \
             CURRENT_TIMESTAMP(6),\n  `user_host` mediumtext NOT NULL,\n  `query_time` time(6) NOT NULL,\n  `lock_time` \
             time(6) NOT NULL,\n  `rows_sent` int NOT NULL,\n  `rows_examined` int NOT NULL,\n  `db` varchar(512) NOT \
             NULL,\n  `last_insert_id` int NOT NULL,\n  `insert_id` int NOT NULL,\n  `server_id` int unsigned NOT \
             NULL,\n  `sql_text` mediumblob NOT NULL,\n  `thread_id` bigint unsigned NOT NULL\n) ENGINE=CSV DEFAULT \
             CHARSET=utf8mb3 COMMENT='Slow log'",
        ),
        _ => None,
    }
}
