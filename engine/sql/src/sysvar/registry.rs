//! Every variable: name, reach, type, default, and when it may be changed.
//!
//! Defaults of `group_replication_*` are those of `spec/sysvars.md` (9.7), except `ssl_mode` and
//! `recovery_use_ssl`, which are OFF here as up to 9.5: members don't speak TLS yet. Server variables are
//! MySQL 8.0.36's, except those that Group Replication needs otherwise (`gtid_mode` and
//! `enforce_gtid_consistency` are ON, as in 9.7).

use super::{Setting, VarId};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::OnceLock;

/// Where a variable has values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Global only.
    Global,
    /// In sessions only.
    Session,
    /// Global, the start value of new sessions, and in sessions.
    Both,
}

/// When a new value may be given and takes effect (`spec/sysvars.md` §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// N: at once.
    Now,
    /// S: only while Group Replication is stopped (3093).
    Stopped,
    /// R: read at the next START GROUP_REPLICATION.
    Restart,
    /// A: at the next occurrence of what it governs.
    Next,
    /// Never: 1238.
    Never,
}

/// A variable's type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// ON, OFF.
    Bool,
    /// A number from `min` to `max`.
    UInt {
        /// Least.
        min: u64,
        /// Greatest.
        max: u64,
    },
    /// A number with a fraction, not negative.
    Double,
    /// One of these words, by name or place.
    Enum(&'static [&'static str]),
    /// A text of at most so many characters.
    Text(usize),
    /// A comma list of SQL modes.
    SqlMode,
    /// A character set's name.
    Charset,
    /// A collation's name.
    Collation,
    /// A UUID; `Some` names a word that is taken too.
    Uuid(Option<&'static str>),
    /// `+hh:mm` or SYSTEM.
    TimeZone,
}

/// A default, in a form that a table can hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fallback {
    /// NULL.
    Null,
    /// ON or OFF.
    Bool(bool),
    /// A number.
    UInt(u64),
    /// A number with a fraction.
    Double(f64),
    /// A text.
    Text(&'static str),
}

impl Fallback {
    /// As a stored value.
    #[must_use]
    pub fn to_setting(self) -> Setting {
        match self {
            Self::Null => Setting::Null,
            Self::Bool(on) => Setting::Bool(on),
            Self::UInt(number) => Setting::UInt(number),
            Self::Double(number) => Setting::Double(number),
            Self::Text(text) => Setting::text(text),
        }
    }
}

/// One variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Definition {
    /// Its name, in lower case.
    pub name: &'static str,
    /// Where it has values.
    pub reach: Reach,
    /// Its type.
    pub kind: Kind,
    /// Its default.
    pub default: Fallback,
    /// When it may be changed.
    pub when: When,
    /// Exists only while the plugin is installed.
    pub plugin: bool,
    /// `= DEFAULT` is refused with 1231.
    pub no_default: bool,
    /// SET PERSIST is refused with 1238.
    pub no_persist: bool,
    /// Out of range is refused with 1231 whatever the SQL mode.
    pub exact_range: bool,
    /// Values under which Group Replication works; empty: any. Others are refused by name.
    pub accepted: &'static [&'static str],
    /// Needs SESSION_VARIABLES_ADMIN (or SUPER) in a session.
    pub restricted: bool,
}

impl Definition {
    const fn new(name: &'static str, reach: Reach, kind: Kind, default: Fallback) -> Self {
        Self {
            name,
            reach,
            kind,
            default,
            when: When::Now,
            plugin: false,
            no_default: false,
            no_persist: false,
            exact_range: false,
            accepted: &[],
            restricted: false,
        }
    }

    const fn fixed(mut self) -> Self {
        self.when = When::Never;
        self
    }

    const fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }

    const fn plugin(mut self) -> Self {
        self.plugin = true;
        self
    }

    const fn no_default(mut self) -> Self {
        self.no_default = true;
        self
    }

    const fn no_persist(mut self) -> Self {
        self.no_persist = true;
        self
    }

    const fn exact(mut self) -> Self {
        self.exact_range = true;
        self
    }

    const fn only(mut self, accepted: &'static [&'static str]) -> Self {
        self.accepted = accepted;
        self
    }

    const fn restricted(mut self) -> Self {
        self.restricted = true;
        self
    }
}

const fn bool(name: &'static str, reach: Reach, on: bool) -> Definition {
    Definition::new(name, reach, Kind::Bool, Fallback::Bool(on))
}

const fn uint(name: &'static str, reach: Reach, default: u64, min: u64, max: u64) -> Definition {
    Definition::new(name, reach, Kind::UInt { min, max }, Fallback::UInt(default))
}

const fn text(name: &'static str, reach: Reach, default: &'static str) -> Definition {
    Definition::new(name, reach, Kind::Text(65_535), Fallback::Text(default))
}

const fn null(name: &'static str, reach: Reach) -> Definition {
    Definition::new(name, reach, Kind::Text(65_535), Fallback::Null)
}

const fn words(name: &'static str, reach: Reach, default: &'static str, words: &'static [&'static str]) -> Definition {
    Definition::new(name, reach, Kind::Enum(words), Fallback::Text(default))
}

/// A plugin variable.
const fn gr(definition: Definition, when: When) -> Definition {
    definition.plugin().when(when)
}

use Reach::{Both, Global, Session};

const OFF_ON: &[&str] = &["OFF", "ON"];
const ISOLATION: &[&str] = &["READ-UNCOMMITTED", "READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE"];
const YEAR: u64 = 31_536_000;
const I32: u64 = 2_147_483_647;
const U32: u64 = 4_294_967_295;
const I63: u64 = 9_223_372_036_854_775_807;

/// Every variable, by name.
pub static VARIABLES: &[Definition] = &[
    text("admin_address", Global, "").fixed(),
    uint("auto_increment_increment", Both, 1, 1, 65_535),
    uint("auto_increment_offset", Both, 1, 1, 65_535),
    bool("autocommit", Both, true),
    bool("automatic_sp_privileges", Global, true),
    uint("back_log", Global, 151, 1, 65_535).fixed(),
    text("basedir", Global, "/usr/").fixed(),
    bool("big_tables", Both, false),
    text("bind_address", Global, "*").fixed(),
    uint("binlog_cache_size", Global, 32_768, 4_096, u64::MAX),
    words("binlog_checksum", Global, "CRC32", &["NONE", "CRC32"]),
    bool("binlog_encryption", Global, false).only(&["OFF"]),
    uint("binlog_expire_logs_seconds", Global, 2_592_000, 0, U32),
    words("binlog_format", Both, "ROW", &["MIXED", "STATEMENT", "ROW"]).only(&["ROW"]),
    bool("binlog_gtid_simple_recovery", Global, true).fixed(),
    words("binlog_row_image", Both, "FULL", &["MINIMAL", "NOBLOB", "FULL"]).only(&["FULL"]),
    words("binlog_row_metadata", Global, "MINIMAL", &["MINIMAL", "FULL"]),
    text("binlog_row_value_options", Both, ""),
    bool("binlog_rows_query_log_events", Both, false),
    uint("binlog_transaction_dependency_history_size", Global, 25_000, 1, 1_000_000),
    words(
        "binlog_transaction_dependency_tracking",
        Global,
        "WRITESET",
        &["COMMIT_ORDER", "WRITESET", "WRITESET_SESSION"],
    ),
    uint("bulk_insert_buffer_size", Both, 8_388_608, 0, u64::MAX),
    Definition::new("character_set_client", Both, Kind::Charset, Fallback::Text("utf8mb4")),
    Definition::new("character_set_connection", Both, Kind::Charset, Fallback::Text("utf8mb4")),
    Definition::new("character_set_database", Both, Kind::Charset, Fallback::Text("utf8mb4")),
    Definition::new("character_set_filesystem", Both, Kind::Charset, Fallback::Text("binary")),
    Definition::new("character_set_results", Both, Kind::Charset, Fallback::Text("utf8mb4")),
    Definition::new("character_set_server", Both, Kind::Charset, Fallback::Text("utf8mb4")),
    text("character_set_system", Global, "utf8mb3").fixed(),
    text("character_sets_dir", Global, "/usr/share/mysql/charsets/").fixed(),
    Definition::new("collation_connection", Both, Kind::Collation, Fallback::Text("utf8mb4_0900_ai_ci")),
    Definition::new("collation_database", Both, Kind::Collation, Fallback::Text("utf8mb4_0900_ai_ci")),
    Definition::new("collation_server", Both, Kind::Collation, Fallback::Text("utf8mb4_0900_ai_ci")),
    words("completion_type", Both, "NO_CHAIN", &["NO_CHAIN", "CHAIN", "RELEASE"]).only(&["NO_CHAIN"]),
    uint("connect_timeout", Global, 10, 2, YEAR),
    bool("core_file", Global, false).fixed(),
    uint("cte_max_recursion_depth", Both, 1_000, 0, 4_294_967_295),
    text("datadir", Global, "").fixed(),
    words(
        "default_authentication_plugin",
        Global,
        "caching_sha2_password",
        &["mysql_native_password", "caching_sha2_password"],
    )
    .fixed(),
    Definition::new("default_collation_for_utf8mb4", Both, Kind::Collation, Fallback::Text("utf8mb4_0900_ai_ci")),
    uint("default_password_lifetime", Global, 0, 0, 65_535),
    words("default_storage_engine", Both, "InnoDB", &["InnoDB"]),
    bool("default_table_encryption", Both, false).only(&["OFF"]),
    words("default_tmp_storage_engine", Both, "InnoDB", &["InnoDB"]),
    uint("default_week_format", Both, 0, 0, 7),
    text("disabled_storage_engines", Global, "").fixed(),
    bool("disconnect_on_expired_password", Global, true).fixed(),
    bool("end_markers_in_json", Both, false),
    words("enforce_gtid_consistency", Global, "ON", &["OFF", "ON", "WARN"]).only(&["ON"]),
    uint("eq_range_index_dive_limit", Both, 200, 0, U32),
    uint("error_count", Session, 0, 0, 65_535).fixed(),
    words("event_scheduler", Global, "OFF", &["OFF", "ON", "DISABLED"]).only(&["OFF", "DISABLED"]),
    bool("explicit_defaults_for_timestamp", Both, true),
    null("external_user", Session).fixed(),
    bool("flush", Global, false),
    bool("foreign_key_checks", Both, true),
    bool("general_log", Global, false).only(&["OFF"]),
    uint("group_concat_max_len", Both, 1_024, 4, u64::MAX),
    gr(text("group_replication_advertise_recovery_endpoints", Global, "DEFAULT"), When::Now),
    gr(uint("group_replication_auto_increment_increment", Global, 7, 1, 65_535).exact().no_default(), When::Stopped),
    gr(uint("group_replication_autorejoin_tries", Global, 3, 0, 2_016), When::Next),
    gr(bool("group_replication_bootstrap_group", Global, false), When::Restart),
    gr(uint("group_replication_clone_threshold", Global, I63, 1, I63), When::Next),
    gr(text("group_replication_communication_debug_options", Global, "GCS_DEBUG_NONE"), When::Now),
    gr(uint("group_replication_communication_max_message_size", Global, 10_485_760, 0, 1_073_741_824), When::Stopped),
    gr(
        words("group_replication_communication_stack", Global, "XCOM", &["XCOM", "MYSQL"]).only(&["XCOM"]),
        When::Restart,
    ),
    gr(uint("group_replication_components_stop_timeout", Global, 300, 2, YEAR), When::Now),
    gr(uint("group_replication_compression_threshold", Global, 1_000_000, 0, U32).exact().no_default(), When::Stopped),
    words(
        "group_replication_consistency",
        Both,
        "BEFORE_ON_PRIMARY_FAILOVER",
        &["EVENTUAL", "BEFORE_ON_PRIMARY_FAILOVER", "BEFORE", "AFTER", "BEFORE_AND_AFTER"],
    ),
    gr(bool("group_replication_enforce_update_everywhere_checks", Global, false).no_default(), When::Stopped),
    gr(
        words(
            "group_replication_exit_state_action",
            Global,
            "OFFLINE_MODE",
            &["READ_ONLY", "ABORT_SERVER", "OFFLINE_MODE"],
        ),
        When::Next,
    ),
    gr(uint("group_replication_flow_control_applier_threshold", Global, 25_000, 0, I32), When::Now),
    gr(uint("group_replication_flow_control_certifier_threshold", Global, 25_000, 0, I32), When::Now),
    gr(uint("group_replication_flow_control_hold_percent", Global, 10, 0, 100), When::Now),
    gr(uint("group_replication_flow_control_max_quota", Global, 0, 0, I32), When::Now),
    gr(uint("group_replication_flow_control_member_quota_percent", Global, 0, 0, 100), When::Now),
    gr(uint("group_replication_flow_control_min_quota", Global, 0, 0, I32), When::Now),
    gr(uint("group_replication_flow_control_min_recovery_quota", Global, 0, 0, I32), When::Now),
    gr(words("group_replication_flow_control_mode", Global, "QUOTA", &["DISABLED", "QUOTA"]), When::Now),
    gr(uint("group_replication_flow_control_period", Global, 1, 1, 60), When::Now),
    gr(uint("group_replication_flow_control_release_percent", Global, 50, 0, 1_000), When::Now),
    gr(text("group_replication_force_members", Global, "").no_persist(), When::Now),
    gr(
        Definition::new("group_replication_group_name", Global, Kind::Uuid(None), Fallback::Null).no_default(),
        When::Stopped,
    ),
    gr(text("group_replication_group_seeds", Global, ""), When::Restart),
    gr(
        uint("group_replication_gtid_assignment_block_size", Global, 1_000_000, 1, I63).exact().no_default(),
        When::Stopped,
    ),
    gr(text("group_replication_ip_allowlist", Global, "AUTOMATIC").no_default(), When::Now),
    gr(text("group_replication_local_address", Global, ""), When::Restart),
    gr(uint("group_replication_member_expel_timeout", Global, 5, 0, 3_600).exact(), When::Now),
    gr(uint("group_replication_member_weight", Global, 50, 0, 100), When::Now),
    gr(uint("group_replication_message_cache_size", Global, 1_073_741_824, 134_217_728, u64::MAX), When::Now),
    gr(bool("group_replication_paxos_single_leader", Global, false), When::Restart),
    gr(uint("group_replication_poll_spin_loops", Global, 0, 0, u64::MAX), When::Restart),
    gr(
        bool("group_replication_preemptive_garbage_collection", Global, false).no_default().only(&["OFF"]),
        When::Stopped,
    ),
    gr(
        uint("group_replication_preemptive_garbage_collection_rows_threshold", Global, 100_000, 10_000, 100_000_000),
        When::Now,
    ),
    gr(
        words(
            "group_replication_recovery_compression_algorithms",
            Global,
            "uncompressed",
            &["zlib", "zstd", "uncompressed"],
        ),
        When::Next,
    ),
    gr(bool("group_replication_recovery_get_public_key", Global, false), When::Next),
    gr(text("group_replication_recovery_public_key_path", Global, ""), When::Next),
    gr(uint("group_replication_recovery_reconnect_interval", Global, 60, 0, YEAR), When::Now),
    gr(uint("group_replication_recovery_retry_count", Global, 10, 0, YEAR), When::Now),
    gr(Definition::new("group_replication_recovery_ssl_ca", Global, Kind::Text(512), Fallback::Text("")), When::Next),
    gr(
        Definition::new("group_replication_recovery_ssl_capath", Global, Kind::Text(512), Fallback::Text("")),
        When::Next,
    ),
    gr(Definition::new("group_replication_recovery_ssl_cert", Global, Kind::Text(512), Fallback::Text("")), When::Next),
    gr(
        Definition::new("group_replication_recovery_ssl_cipher", Global, Kind::Text(512), Fallback::Text("")),
        When::Next,
    ),
    gr(Definition::new("group_replication_recovery_ssl_crl", Global, Kind::Text(512), Fallback::Text("")), When::Next),
    gr(
        Definition::new("group_replication_recovery_ssl_crlpath", Global, Kind::Text(512), Fallback::Text("")),
        When::Next,
    ),
    gr(Definition::new("group_replication_recovery_ssl_key", Global, Kind::Text(512), Fallback::Text("")), When::Next),
    gr(bool("group_replication_recovery_ssl_verify_server_cert", Global, false), When::Next),
    gr(null("group_replication_recovery_tls_ciphersuites", Global), When::Next),
    gr(text("group_replication_recovery_tls_version", Global, "TLSv1.2,TLSv1.3"), When::Next),
    gr(bool("group_replication_recovery_use_ssl", Global, false).only(&["OFF"]), When::Next),
    gr(uint("group_replication_recovery_zstd_compression_level", Global, 3, 1, 22), When::Next),
    gr(bool("group_replication_single_primary_mode", Global, true).no_default(), When::Stopped),
    gr(
        words(
            "group_replication_ssl_mode",
            Global,
            "DISABLED",
            &["DISABLED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"],
        )
        .only(&["DISABLED"]),
        When::Restart,
    ),
    gr(bool("group_replication_start_on_boot", Global, true), When::Restart),
    gr(words("group_replication_tls_source", Global, "MYSQL_MAIN", &["MYSQL_MAIN", "MYSQL_ADMIN"]), When::Restart),
    gr(uint("group_replication_transaction_size_limit", Global, 150_000_000, 0, I32), When::Now),
    gr(uint("group_replication_unreachable_majority_timeout", Global, 0, 0, YEAR), When::Next),
    gr(
        Definition::new(
            "group_replication_view_change_uuid",
            Global,
            Kind::Uuid(Some("AUTOMATIC")),
            Fallback::Text("AUTOMATIC"),
        ),
        When::Stopped,
    ),
    text("gtid_executed", Global, "").fixed(),
    uint("gtid_executed_compression_period", Global, 0, 0, U32),
    words("gtid_mode", Global, "ON", &["OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"]).only(&["ON"]),
    text("gtid_next", Session, "AUTOMATIC").restricted(),
    text("gtid_owned", Both, "").fixed(),
    text("gtid_purged", Global, "").no_persist(),
    text("have_compress", Global, "YES").fixed(),
    text("have_dynamic_loading", Global, "YES").fixed(),
    text("have_geometry", Global, "NO").fixed(),
    text("have_openssl", Global, "DISABLED").fixed(),
    text("have_profiling", Global, "NO").fixed(),
    text("have_query_cache", Global, "NO").fixed(),
    text("have_rtree_keys", Global, "NO").fixed(),
    text("have_ssl", Global, "DISABLED").fixed(),
    text("have_statement_timeout", Global, "YES").fixed(),
    text("have_symlink", Global, "DISABLED").fixed(),
    uint("histogram_generation_max_mem_size", Both, 20_000_000, 1_000_000, u64::MAX),
    text("hostname", Global, "").fixed(),
    uint("identity", Session, 0, 0, u64::MAX),
    uint("information_schema_stats_expiry", Both, 86_400, 0, YEAR),
    text("init_connect", Global, ""),
    text("init_replica", Global, ""),
    bool("innodb_adaptive_hash_index", Global, true),
    words("innodb_autoinc_lock_mode", Global, "2", &["0", "1", "2"]).fixed(),
    uint("innodb_buffer_pool_size", Global, 134_217_728, 5_242_880, I63),
    bool("innodb_deadlock_detect", Global, true),
    bool("innodb_file_per_table", Global, true),
    uint("innodb_flush_log_at_trx_commit", Global, 1, 0, 2),
    uint("innodb_lock_wait_timeout", Both, 50, 1, 1_073_741_824),
    uint("innodb_page_size", Global, 16_384, 4_096, 65_536).fixed(),
    bool("innodb_print_all_deadlocks", Global, false),
    bool("innodb_read_only", Global, false).fixed(),
    bool("innodb_rollback_on_timeout", Global, false).fixed(),
    // Ours: ON is true snapshot isolation (`design.md` §5.1), OFF MySQL's current read.
    bool("innodb_snapshot_isolation", Both, true),
    bool("innodb_strict_mode", Both, true),
    text("innodb_version", Global, VERSION).fixed(),
    uint("insert_id", Session, 0, 0, u64::MAX),
    uint("interactive_timeout", Both, 28_800, 1, YEAR),
    uint("join_buffer_size", Both, 262_144, 128, u64::MAX),
    bool("keep_files_on_create", Both, false),
    uint("key_buffer_size", Global, 8_388_608, 0, u64::MAX),
    bool("large_files_support", Global, true).fixed(),
    uint("last_insert_id", Session, 0, 0, u64::MAX),
    text("lc_messages", Both, "en_US"),
    text("lc_time_names", Both, "en_US"),
    text("license", Global, "Apache-2.0").fixed(),
    bool("local_infile", Global, false).only(&["OFF"]),
    uint("lock_wait_timeout", Both, YEAR, 1, YEAR),
    bool("log_bin", Global, true).fixed().only(&["ON"]),
    text("log_bin_basename", Global, "binlog").fixed(),
    text("log_bin_index", Global, "binlog.index").fixed(),
    bool("log_bin_trust_function_creators", Global, false),
    text("log_error", Global, "stderr").fixed(),
    uint("log_error_verbosity", Global, 2, 1, 3),
    text("log_output", Global, "FILE"),
    bool("log_queries_not_using_indexes", Global, false),
    bool("log_replica_updates", Global, true).fixed().only(&["ON"]),
    Definition::new("long_query_time", Both, Kind::Double, Fallback::Double(10.0)),
    bool("low_priority_updates", Both, false),
    bool("lower_case_file_system", Global, false).fixed(),
    uint("lower_case_table_names", Global, 0, 0, 2).fixed().only(&["0"]),
    words("master_info_repository", Global, "TABLE", &["FILE", "TABLE"]).only(&["TABLE"]),
    bool("master_verify_checksum", Global, false),
    uint("max_allowed_packet", Both, 67_108_864, 1_024, 1_073_741_824),
    uint("max_binlog_cache_size", Global, 18_446_744_073_709_547_520, 4_096, u64::MAX),
    uint("max_binlog_size", Global, 1_073_741_824, 4_096, 1_073_741_824),
    uint("max_connect_errors", Global, 100, 1, u64::MAX),
    uint("max_connections", Global, 151, 1, 100_000),
    uint("max_digest_length", Global, 1_024, 0, 1_048_576).fixed(),
    uint("max_error_count", Both, 1_024, 0, 65_535),
    uint("max_execution_time", Both, 0, 0, U32),
    uint("max_heap_table_size", Both, 16_777_216, 16_384, u64::MAX),
    uint("max_join_size", Both, u64::MAX, 1, u64::MAX),
    uint("max_length_for_sort_data", Both, 4_096, 4, 8_388_608),
    uint("max_prepared_stmt_count", Global, 16_382, 0, 4_194_304),
    uint("max_sort_length", Both, 1_024, 4, 8_388_608),
    uint("max_sp_recursion_depth", Both, 0, 0, 255),
    uint("max_user_connections", Both, 0, 0, U32),
    uint("net_buffer_length", Both, 16_384, 1_024, 1_048_576),
    uint("net_read_timeout", Both, 30, 1, YEAR),
    uint("net_retry_count", Both, 10, 1, u64::MAX),
    uint("net_write_timeout", Both, 60, 1, YEAR),
    bool("offline_mode", Global, false),
    bool("old_alter_table", Both, false),
    uint("open_files_limit", Global, 10_000, 0, U32).fixed(),
    text("optimizer_switch", Both, "index_merge=on,mrr=on,derived_merge=on,subquery_to_derived=off"),
    bool("performance_schema", Global, true).fixed(),
    text("persist_only_admin_x509_subject", Global, "").fixed(),
    bool("persisted_globals_load", Global, true).fixed(),
    text("pid_file", Global, "").fixed(),
    text("plugin_dir", Global, "/usr/lib/mysql/plugin/").fixed(),
    uint("port", Global, 3_306, 0, 65_535).fixed(),
    text("protocol_version", Global, "10").fixed(),
    null("proxy_user", Session).fixed(),
    uint("pseudo_thread_id", Session, 0, 0, u64::MAX).restricted(),
    uint("query_cache_size", Both, 0, 0, 0),
    words("query_cache_type", Both, "OFF", &["OFF"]),
    uint("quorate_checkpoint_log_bytes", Global, 268_435_456, 65_536, I63).fixed(),
    // What lies below two checkpoints goes beyond 16 GiB; who lacks it takes a checkpoint from a donor.
    uint("quorate_log_keep_bytes", Global, 17_179_869_184, 0, I63).fixed(),
    uint("quorate_scrub_period", Global, 300, 0, U32),
    uint("read_buffer_size", Both, 131_072, 8_192, I32),
    bool("read_only", Global, false),
    uint("read_rnd_buffer_size", Both, 262_144, 1, I32),
    text("relay_log", Global, "relay-bin").fixed(),
    words("relay_log_info_repository", Global, "TABLE", &["FILE", "TABLE"]).only(&["TABLE"]),
    bool("relay_log_recovery", Global, false).fixed(),
    uint("replica_max_allowed_packet", Global, 1_073_741_824, 1_024, 1_073_741_824),
    uint("replica_net_timeout", Global, 60, 1, YEAR),
    words("replica_parallel_type", Global, "LOGICAL_CLOCK", &["DATABASE", "LOGICAL_CLOCK"]).only(&["LOGICAL_CLOCK"]),
    uint("replica_parallel_workers", Global, 4, 0, 1_024),
    bool("replica_preserve_commit_order", Global, true).only(&["ON"]),
    uint("replica_transaction_retries", Global, 10, 0, u64::MAX),
    null("report_host", Global).fixed(),
    null("report_password", Global).fixed(),
    uint("report_port", Global, 0, 0, 65_535).fixed(),
    null("report_user", Global).fixed(),
    bool("require_secure_transport", Global, false).only(&["OFF"]),
    text("secure_file_priv", Global, "").fixed(),
    uint("server_id", Global, 1, 0, U32),
    uint("server_id_bits", Global, 32, 7, 32).fixed(),
    text("server_uuid", Global, "").fixed(),
    words("session_track_gtids", Both, "OFF", &["OFF", "OWN_GTID", "ALL_GTIDS"]),
    bool("session_track_schema", Both, true),
    bool("session_track_state_change", Both, false),
    text(
        "session_track_system_variables",
        Both,
        "time_zone,autocommit,character_set_client,character_set_results,character_set_connection",
    ),
    words("session_track_transaction_info", Both, "OFF", &["OFF", "STATE", "CHARACTERISTICS"]),
    bool("show_create_table_skip_secondary_engine", Session, false),
    bool("show_gipk_in_create_table_and_information_schema", Both, true),
    bool("show_old_temporals", Both, false),
    bool("skip_external_locking", Global, true).fixed(),
    bool("skip_name_resolve", Global, true).fixed(),
    bool("skip_networking", Global, false).fixed().only(&["OFF"]),
    bool("skip_replica_start", Global, false).fixed(),
    bool("skip_show_database", Global, false).fixed(),
    uint("slow_launch_time", Global, 2, 0, YEAR),
    bool("slow_query_log", Global, false).only(&["OFF"]),
    null("socket", Global).fixed(),
    uint("sort_buffer_size", Both, 262_144, 32_768, u64::MAX),
    bool("source_verify_checksum", Global, false),
    bool("sql_auto_is_null", Both, false).only(&["OFF"]),
    bool("sql_big_selects", Both, true),
    bool("sql_buffer_result", Both, false),
    bool("sql_generate_invisible_primary_key", Both, false).only(&["OFF"]),
    bool("sql_log_bin", Session, true).restricted(),
    bool("sql_log_off", Both, false).restricted(),
    Definition::new(
        "sql_mode",
        Both,
        Kind::SqlMode,
        Fallback::Text(
            "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,\
             NO_ENGINE_SUBSTITUTION",
        ),
    ),
    bool("sql_notes", Both, true),
    bool("sql_quote_show_create", Both, true),
    bool("sql_require_primary_key", Both, false),
    bool("sql_safe_updates", Both, false).only(&["OFF"]),
    uint("sql_select_limit", Both, u64::MAX, 0, u64::MAX),
    bool("sql_warnings", Both, false),
    text("ssl_ca", Global, "").fixed(),
    text("ssl_cert", Global, "").fixed(),
    text("ssl_cipher", Global, "").fixed(),
    text("ssl_key", Global, "").fixed(),
    uint("stored_program_cache", Global, 256, 16, 524_288),
    bool("super_read_only", Global, false),
    uint("sync_binlog", Global, 1, 0, U32),
    uint("sync_relay_log", Global, 10_000, 0, U32),
    text("system_time_zone", Global, "UTC").fixed(),
    uint("table_definition_cache", Global, 2_000, 400, 524_288),
    uint("table_open_cache", Global, 4_000, 1, 524_288),
    words("terminology_use_previous", Both, "NONE", &["NONE", "BEFORE_8_0_26", "BEFORE_8_2_0"]),
    uint("thread_cache_size", Global, 9, 0, 16_384),
    words("thread_handling", Global, "one-thread-per-connection", &["one-thread-per-connection"]).fixed(),
    uint("thread_stack", Global, 1_048_576, 131_072, u64::MAX).fixed(),
    Definition::new("time_zone", Both, Kind::TimeZone, Fallback::Text("SYSTEM")),
    Definition::new("timestamp", Session, Kind::Double, Fallback::Double(0.0)),
    text("tls_version", Global, "").fixed(),
    uint("tmp_table_size", Both, 16_777_216, 1_024, u64::MAX),
    text("tmpdir", Global, "/tmp").fixed(),
    words("transaction_isolation", Both, "REPEATABLE-READ", ISOLATION),
    bool("transaction_read_only", Both, false),
    words("transaction_write_set_extraction", Both, "XXHASH64", &["OFF", "MURMUR32", "XXHASH64"]).only(&["XXHASH64"]),
    bool("unique_checks", Both, true),
    bool("updatable_views_with_limit", Both, true),
    text("version", Global, VERSION).fixed(),
    text("version_comment", Global, "Quorate").fixed(),
    text("version_compile_machine", Global, "x86_64").fixed(),
    text("version_compile_os", Global, "Linux").fixed(),
    uint("wait_timeout", Both, 28_800, 1, YEAR),
    uint("warning_count", Session, 0, 0, 65_535).fixed(),
    words("xa_detach_on_prepare", Both, "ON", OFF_ON),
];

/// The version that clients are told, and that `/*!NNNNN */` compares with.
pub const VERSION: &str = "8.0.36";

/// Other names of variables.
pub const ALIASES: &[(&str, &str)] = &[
    ("group_replication_ip_whitelist", "group_replication_ip_allowlist"),
    ("init_slave", "init_replica"),
    ("log_slave_updates", "log_replica_updates"),
    ("skip_slave_start", "skip_replica_start"),
    ("slave_max_allowed_packet", "replica_max_allowed_packet"),
    ("slave_net_timeout", "replica_net_timeout"),
    ("slave_parallel_type", "replica_parallel_type"),
    ("slave_parallel_workers", "replica_parallel_workers"),
    ("slave_preserve_commit_order", "replica_preserve_commit_order"),
    ("slave_transaction_retries", "replica_transaction_retries"),
    ("storage_engine", "default_storage_engine"),
    ("tx_isolation", "transaction_isolation"),
    ("tx_read_only", "transaction_read_only"),
];

/// Places of the variables by name; looked up, never iterated.
static PLACES: OnceLock<HashMap<&'static str, VarId, BuildHasherDefault<DefaultHasher>>> = OnceLock::new();

/// A variable by name (in any case) or alias.
#[must_use]
pub fn find(name: &str) -> Option<VarId> {
    if name.len() > 80 || !name.is_ascii() {
        return None;
    }
    let places = PLACES.get_or_init(|| all().map(|(id, definition)| (definition.name, id)).collect());
    // As the server itself writes it, several times a statement.
    if let Some(id) = places.get(name) {
        return Some(*id);
    }
    let lower = name.to_ascii_lowercase();
    let canonical = ALIASES.iter().find(|(alias, _)| *alias == lower).map_or(lower.as_str(), |(_, name)| name);
    places.get(canonical).copied()
}

/// A variable's definition.
#[must_use]
pub fn definition(id: VarId) -> &'static Definition {
    &VARIABLES[usize::from(id.0)]
}

/// Every variable, by name.
pub fn all() -> impl Iterator<Item = (VarId, &'static Definition)> {
    VARIABLES.iter().enumerate().map(|(place, definition)| (VarId(place as u16), definition))
}
