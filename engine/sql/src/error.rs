//! The errors that a client sees, with MySQL's numbers and texts. SQLSTATEs follow from the number.
//!
//! Absent on purpose: translation into packets (the client protocol's work) and errors that are not a
//! client's business.

pub use wire::client::ServerError;

/// What everything in this package that a client can ask wrong answers with.
pub type SqlError = ServerError;

/// An error from its number and whole text.
#[must_use]
pub fn error(code: u16, message: impl Into<String>) -> SqlError {
    SqlError { code, message: message.into() }
}

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident($($arg:ident),*) = $code:literal, $text:literal;)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name($($arg: impl std::fmt::Display),*) -> SqlError {
                error($code, format!($text, $($arg = $arg),*))
            }
        )*
    };
}

errors! {
    /// ER_DB_CREATE_EXISTS.
    database_exists(name) = 1007, "Can't create database '{name}'; database exists";
    /// ER_DB_DROP_EXISTS.
    database_drop_missing(name) = 1008, "Can't drop database '{name}'; database doesn't exist";
    /// ER_CON_COUNT_ERROR.
    too_many_connections() = 1040, "Too many connections";
    /// ER_DBACCESS_DENIED_ERROR.
    database_denied(user, host, database) = 1044, "Access denied for user '{user}'@'{host}' to database '{database}'";
    /// ER_ACCESS_DENIED_ERROR; `using` is YES or NO.
    access_denied(user, host, using) = 1045, "Access denied for user '{user}'@'{host}' (using password: {using})";
    /// ER_NO_DB_ERROR.
    no_database_selected() = 1046, "No database selected";
    /// ER_BAD_NULL_ERROR.
    column_not_null(column) = 1048, "Column '{column}' cannot be null";
    /// ER_BAD_DB_ERROR.
    unknown_database(name) = 1049, "Unknown database '{name}'";
    /// ER_TABLE_EXISTS_ERROR.
    table_exists(name) = 1050, "Table '{name}' already exists";
    /// ER_BAD_TABLE_ERROR; names as `db.table`, comma between.
    bad_table(names) = 1051, "Unknown table '{names}'";
    /// ER_NON_UNIQ_ERROR.
    ambiguous_column(column, clause) = 1052, "Column '{column}' in {clause} is ambiguous";
    /// ER_BAD_FIELD_ERROR; `clause` such as `field list`.
    unknown_column(column, clause) = 1054, "Unknown column '{column}' in '{clause}'";
    /// ER_DUP_FIELDNAME.
    duplicate_column(column) = 1060, "Duplicate column name '{column}'";
    /// ER_DUP_KEYNAME.
    duplicate_key_name(name) = 1061, "Duplicate key name '{name}'";
    /// ER_DUP_ENTRY; `key` as `table.key`.
    duplicate_entry(value, key) = 1062, "Duplicate entry '{value}' for key '{key}'";
    /// ER_WRONG_FIELD_SPEC.
    wrong_column_specifier(column) = 1063, "Incorrect column specifier for column '{column}'";
    /// ER_EMPTY_QUERY.
    empty_query() = 1065, "Query was empty";
    /// ER_NONUNIQ_TABLE.
    not_unique_table(name) = 1066, "Not unique table/alias: '{name}'";
    /// ER_INVALID_DEFAULT.
    invalid_default(column) = 1067, "Invalid default value for '{column}'";
    /// ER_MULTIPLE_PRI_KEY.
    multiple_primary_keys() = 1068, "Multiple primary key defined";
    /// ER_KEY_COLUMN_DOES_NOT_EXITS.
    key_column_missing(column) = 1072, "Key column '{column}' doesn't exist in table";
    /// ER_TOO_BIG_FIELDLENGTH.
    column_too_long(column, max) = 1074, "Column length too big for column '{column}' (max = {max}); use BLOB \
        or TEXT instead";
    /// ER_WRONG_AUTO_KEY.
    wrong_auto_key() = 1075, "Incorrect table definition; there can be only one auto column and it must be \
        defined as a key";
    /// ER_CANT_DROP_FIELD_OR_KEY.
    cannot_drop(name) = 1091, "Can't DROP '{name}'; check that column/key exists";
    /// ER_NO_SUCH_THREAD.
    no_such_thread(id) = 1094, "Unknown thread id: {id}";
    /// ER_NO_TABLES_USED.
    no_tables_used() = 1096, "No tables used";
    /// ER_WRONG_DB_NAME.
    wrong_database_name(name) = 1102, "Incorrect database name '{name}'";
    /// ER_WRONG_TABLE_NAME.
    wrong_table_name(name) = 1103, "Incorrect table name '{name}'";
    /// ER_UNKNOWN_TABLE.
    unknown_table_in(table, clause) = 1109, "Unknown table '{table}' in {clause}";
    /// ER_FIELD_SPECIFIED_TWICE.
    column_twice(column) = 1110, "Column '{column}' specified twice";
    /// ER_TABLE_MUST_HAVE_COLUMNS.
    table_without_columns() = 1113, "A table must have at least 1 column";
    /// ER_RECORD_FILE_FULL.
    table_full(table) = 1114, "The table '{table}' is full";
    /// ER_UNKNOWN_CHARACTER_SET.
    unknown_charset(name) = 1115, "Unknown character set: '{name}'";
    /// ER_TOO_MANY_FIELDS.
    too_many_columns() = 1117, "Too many columns";
    /// ER_WRONG_FIELD_WITH_GROUP and relatives.
    invalid_group_use() = 1111, "Invalid use of group function";
    /// ER_UDF_EXISTS.
    function_exists(name) = 1125, "Function '{name}' already exists";
    /// ER_CANT_OPEN_LIBRARY.
    cannot_open_library(name) = 1126, "Can't open shared library '{name}' (errno: 2 No such file or directory)";
    /// ER_PASSWORD_NO_MATCH.
    password_no_match() = 1133, "Can't find any matching row in the user table";
    /// ER_WRONG_VALUE_COUNT_ON_ROW.
    value_count(row) = 1136, "Column count doesn't match value count at row {row}";
    /// ER_NONEXISTING_GRANT.
    no_such_grant(user, host) = 1141, "There is no such grant defined for user '{user}' on host '{host}'";
    /// ER_TABLEACCESS_DENIED_ERROR.
    table_denied(command, user, host, table) = 1142, "{command} command denied to user '{user}'@'{host}' for \
        table '{table}'";
    /// ER_NO_SUCH_TABLE.
    unknown_table(database, table) = 1146, "Table '{database}.{table}' doesn't exist";
    /// ER_BLOB_KEY_WITHOUT_LENGTH.
    blob_key_without_length(column) = 1170, "BLOB/TEXT column '{column}' used in key specification without a \
        key length";
    /// ER_PRIMARY_CANT_HAVE_NULL.
    primary_key_null() = 1171, "All parts of a PRIMARY KEY must be NOT NULL; if you need NULL in a key, use \
        UNIQUE instead";
    /// ER_REQUIRES_PRIMARY_KEY.
    requires_primary_key() = 1173, "This table type requires a primary key";
    /// ER_LOCK_OR_ACTIVE_TRANSACTION.
    lock_or_active_transaction() = 1192, "Can't execute the given command because you have active locked tables \
        or an active transaction";
    /// ER_UNKNOWN_SYSTEM_VARIABLE.
    unknown_variable(name) = 1193, "Unknown system variable '{name}'";
    /// ER_LOCK_WAIT_TIMEOUT.
    lock_wait_timeout() = 1205, "Lock wait timeout exceeded; try restarting transaction";
    /// ER_LOCK_DEADLOCK.
    deadlock() = 1213, "Deadlock found when trying to get lock; try restarting transaction";
    /// ER_SPECIFIC_ACCESS_DENIED_ERROR.
    privilege_needed(privileges) = 1227, "Access denied; you need (at least one of) the {privileges} \
        privilege(s) for this operation";
    /// ER_LOCAL_VARIABLE.
    session_variable(name) = 1228, "Variable '{name}' is a SESSION variable and can't be used with SET GLOBAL";
    /// ER_GLOBAL_VARIABLE.
    global_variable(name) = 1229, "Variable '{name}' is a GLOBAL variable and should be set with SET GLOBAL";
    /// ER_NO_DEFAULT.
    no_default(name) = 1230, "Variable '{name}' doesn't have a default value";
    /// ER_WRONG_VALUE_FOR_VAR.
    wrong_value(name, value) = 1231, "Variable '{name}' can't be set to the value of '{value}'";
    /// ER_WRONG_TYPE_FOR_VAR.
    wrong_type(name) = 1232, "Incorrect argument type to variable '{name}'";
    /// ER_NOT_SUPPORTED_YET.
    not_supported(what) = 1235, "This version of Quorate doesn't yet support '{what}'";
    /// ER_INCORRECT_GLOBAL_LOCAL_VAR; `kind` such as `read only`.
    incorrect_variable_kind(name, kind) = 1238, "Variable '{name}' is a {kind} variable";
    /// ER_OPERAND_COLUMNS.
    operand_columns(count) = 1241, "Operand should contain {count} column(s)";
    /// ER_SUBQUERY_NO_1_ROW.
    subquery_rows() = 1242, "Subquery returns more than 1 row";
    /// ER_UNKNOWN_STMT_HANDLER.
    unknown_statement(name, verb) = 1243, "Unknown prepared statement handler ({name}) given to {verb}";
    /// ER_UNKNOWN_COLLATION.
    unknown_collation(name) = 1273, "Unknown collation: '{name}'";
    /// ER_COLLATION_CHARSET_MISMATCH.
    collation_mismatch(collation, charset) = 1253, "COLLATION '{collation}' is not valid for CHARACTER SET '{charset}'";
    /// ER_WARN_DATA_OUT_OF_RANGE.
    out_of_range(column, row) = 1264, "Out of range value for column '{column}' at row {row}";
    /// ER_UNKNOWN_STORAGE_ENGINE.
    unknown_engine(name) = 1286, "Unknown storage engine '{name}'";
    /// ER_WARN_DEPRECATED_SYNTAX.
    deprecated(what, instead) = 1287, "'{what}' is deprecated and will be removed in a future release. Please \
        use {instead} instead";
    /// ER_OPTION_PREVENTS_STATEMENT.
    option_prevents(option) = 1290, "The MySQL server is running with the {option} option so it cannot execute \
        this statement";
    /// ER_UNKNOWN_TIME_ZONE.
    unknown_time_zone(name) = 1298, "Unknown or incorrect time zone: '{name}'";
    /// ER_SP_DOES_NOT_EXIST.
    unknown_routine(kind, name) = 1305, "{kind} {name} does not exist";
    /// ER_QUERY_INTERRUPTED.
    interrupted() = 1317, "Query execution was interrupted";
    /// ER_NO_DEFAULT_FOR_FIELD.
    no_default_for(column) = 1364, "Field '{column}' doesn't have a default value";
    /// ER_DIVISION_BY_ZERO.
    division_by_zero() = 1365, "Division by 0";
    /// ER_TRUNCATED_WRONG_VALUE_FOR_FIELD.
    incorrect_value(kind, value, column, row) = 1366, "Incorrect {kind} value: '{value}' for column '{column}' \
        at row {row}";
    /// ER_PLUGIN_IS_NOT_LOADED.
    plugin_not_loaded(name) = 1524, "Plugin '{name}' is not loaded";
    /// ER_PS_MANY_PARAM.
    too_many_parameters() = 1390, "Prepared statement contains too many placeholders";
    /// ER_CANNOT_USER; `what` such as `CREATE USER`, `users` as `'u'@'h'` with commas.
    cannot_user(what, users) = 1396, "Operation {what} failed for {users}";
    /// ER_CANT_CREATE_USER_WITH_GRANT.
    cannot_create_with_grant() = 1410, "You are not allowed to create a user with GRANT";
    /// ER_DATA_TOO_LONG.
    data_too_long(column, row) = 1406, "Data too long for column '{column}' at row {row}";
    /// ER_VIEW_WRONG_LIST and relatives: column counts that differ.
    different_column_counts() = 1222, "The used SELECT statements have a different number of columns";
    /// ER_DATA_OUT_OF_RANGE; `kind` such as `BIGINT`.
    value_out_of_range(kind, expression) = 1690, "{kind} value is out of range in '{expression}'";
    /// ER_PLUGIN_DELETE_BUILTIN.
    plugin_builtin() = 1533, "Built-in plugins cannot be deleted";
    /// ER_TOO_LONG_IDENT.
    identifier_too_long(name) = 1059, "Identifier name '{name}' is too long";
    /// ER_VARIABLE_NOT_SETTABLE_IN_TRANSACTION.
    not_settable_in_transaction(name) = 1766, "The system variable {name} cannot be set when there is an \
        ongoing transaction";
    /// ER_MALFORMED_GTID_SET_SPECIFICATION.
    malformed_gtid_set(text) = 1772, "Malformed GTID set specification '{text}'";
    /// ER_MALFORMED_GTID_SPECIFICATION.
    malformed_gtid(text) = 1774, "Malformed GTID specification '{text}'";
    /// ER_CANT_SET_GTID_NEXT_TO_ANONYMOUS_WHEN_GTID_MODE_IS_ON.
    gtid_next_anonymous() = 1782, "@@SESSION.GTID_NEXT cannot be set to ANONYMOUS when @@GLOBAL.GTID_MODE = ON";
    /// ER_READ_ONLY transaction.
    read_only_transaction() = 1792, "Cannot execute statement in a READ ONLY transaction";
    /// ER_INSECURE_PLAIN_TEXT (a note).
    insecure_plain_text() = 1759, "Sending passwords in plain text without SSL/TLS is extremely insecure";
    /// ER_INSECURE_CHANGE_SOURCE (a note).
    insecure_change_source() = 1760, "Storing MySQL user name or password information in the connection \
        metadata repository is not secure and is therefore not recommended. Please consider using the USER and \
        PASSWORD connection options for START REPLICA; see the 'START REPLICA Syntax' in the MySQL Manual for \
        more information";
    /// ER_REPLICA_CHANNEL_DOES_NOT_EXIST.
    unknown_channel(name) = 3074, "Replica channel '{name}' does not exist";
    /// ER_GROUP_REPLICATION_CONFIGURATION.
    group_configuration() = 3092, "The server is not configured properly to be an active member of the group. \
        Please see more details on error log";
    /// ER_GROUP_REPLICATION_RUNNING.
    group_running() = 3093, "The START GROUP_REPLICATION command failed as the group is already running";
    /// ER_REPLICA_CHANNEL_OPERATION_NOT_ALLOWED.
    channel_operation(command, channel) = 3139, "{command} cannot be performed on channel '{channel}'";
    /// ER_CANT_RESET_SOURCE.
    cannot_reset_logs() = 3190, "RESET BINARY LOGS AND GTIDS is not allowed because Group Replication is running";
    /// ER_TABLE_WITHOUT_PK.
    table_without_primary_key() = 3750, "Unable to create or change a table without a primary key, when the \
        system variable 'sql_require_primary_key' is set. Add a primary key to the table or unset this variable \
        to avoid this message. Note that tables without a primary key can cause performance problems in \
        row-based replication, so please consult your DBA before changing this setting";
    /// ER_UNABLE_TO_SET_OPTION.
    unable_to_set(name) = 3724, "This option cannot be set while START or STOP GROUP_REPLICATION is ongoing: {name}";
    /// ER_UPDATE_GTID_PURGED_WITH_GR.
    gtid_purged_with_group() = 3911, "Cannot update GTID_PURGED with the Group Replication plugin running";
    /// ER_CANT_SET_GTID_MODE.
    cannot_set_gtid_mode(value, reason) = 3111, "SET @@GLOBAL.GTID_MODE = {value} is not allowed because {reason}.";
    /// ER_WRONG_VALUE_FOR_VAR_PLUS_ACTIONABLE_PART.
    wrong_value_because(name, value, action) = 3976, "Variable '{name}' cannot be set to value '{value}'. {action}";
    /// ER_GRP_OPERATION_NOT_ALLOWED_GR_MUST_STOP.
    group_must_stop(channel) = 3960, "This operation cannot be performed on the channel '{channel}' while Group \
        Replication is running. Stop it with STOP GROUP_REPLICATION first";
    /// ER_VAR_DOES_NOT_EXIST in RESET PERSIST.
    not_persisted(name) = 3615, "Variable {name} does not exist in persisted config file";
    /// ER_CONVERT to a type that cannot be persisted.
    cannot_persist(name) = 1238, "Variable '{name}' is a non persistent variable";
    /// ER_STACK_OVERRUN_NEED_MORE, for what is nested more deeply than we take.
    too_deep(limit) = 1436, "Thread stack overrun: the statement is nested more deeply than {limit} levels";
    /// ER_NO_SUCH_TABLE for a channel-less plugin table, ER_CANT_INITIALIZE_UDF.
    cannot_initialize_function(name, reason) = 1123, "Can't initialize function '{name}'; {reason}";
}

/// 1367 for a number that no double can hold.
#[must_use]
pub fn beyond_double(text: &str) -> SqlError {
    error(1367, format!("Illegal double '{text}' value found during parsing"))
}

/// ER_PARSE_ERROR: `near` is the rest of the statement from the place of the error (cut here to 80
/// characters, as MySQL does), `line` counts from 1.
#[must_use]
pub fn syntax(near: &[u8], line: usize) -> SqlError {
    let near: String = String::from_utf8_lossy(&near[..near.len().min(400)]).chars().take(80).collect();
    error(
        1064,
        format!(
            "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for \
             the right syntax to use near '{near}' at line {line}"
        ),
    )
}

/// ER_INVALID_CHARACTER_STRING for bytes that should be UTF-8.
#[must_use]
pub fn invalid_utf8(bytes: &[u8]) -> SqlError {
    let valid = std::str::from_utf8(bytes).err().map_or(bytes.len(), |error| error.valid_up_to());
    let mut text = String::new();
    for &byte in bytes[valid..].iter().take(6) {
        use std::fmt::Write as _;
        write!(text, "\\x{byte:02X}").expect("writing to a String does not fail");
    }
    error(1300, format!("Invalid utf8mb4 character string: '{text}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_mysqls() {
        assert_eq!(unknown_table("test", "t1"), error(1146, "Table 'test.t1' doesn't exist"));
        assert_eq!(wrong_value("a", "b").message, "Variable 'a' can't be set to the value of 'b'");
        assert!(syntax(b"$$", 1).message.ends_with("to use near '$$' at line 1"));
        assert!(invalid_utf8(b"ab\xff").message.ends_with("'\\xFF'"));
        assert_eq!(syntax(&[b'x'; 1000], 1).message.matches('x').count(), 80 + 2);
    }
}
