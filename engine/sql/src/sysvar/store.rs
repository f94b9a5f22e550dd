//! Values, and the rules of SET.

use super::registry::{Definition, Kind, Reach, VARIABLES, When, all, definition, find};
use super::sql_mode::SqlMode;
use super::{Setting, VarId};
use crate::ast::{Isolation, Scope};
use crate::collate::Collation;
use crate::error::{self, SqlError};
use crate::value::{Level, Value, Warning};
use std::rc::Rc;
use wire::id::Uuid;

/// The server's values.
#[derive(Clone, Debug)]
pub struct Globals {
    values: Vec<Setting>,
    plugin: bool,
}

impl Default for Globals {
    fn default() -> Self {
        Self::new()
    }
}

/// What `SET x = ...` has on its right.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// `DEFAULT`.
    Default,
    /// A value.
    Value(Value),
}

/// What the rules of SET ask about the session and the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetContext {
    /// SYSTEM_VARIABLES_ADMIN or SUPER.
    pub system_admin: bool,
    /// GROUP_REPLICATION_ADMIN or SUPER.
    pub group_admin: bool,
    /// SESSION_VARIABLES_ADMIN, SYSTEM_VARIABLES_ADMIN or SUPER.
    pub session_admin: bool,
    /// PERSIST_RO_VARIABLES_ADMIN or SUPER.
    pub persist_admin: bool,
    /// Group Replication runs.
    pub running: bool,
    /// START or STOP is in progress: 3724.
    pub changing: bool,
    /// The session has an open transaction.
    pub in_transaction: bool,
}

/// What a SET did.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// Which variable.
    pub id: VarId,
    /// Its global value has changed.
    pub global: bool,
    /// To be kept over restarts: name and text.
    pub persist: Option<(&'static str, String)>,
    /// For SHOW WARNINGS.
    pub warnings: Vec<Warning>,
}

impl Globals {
    /// Every variable at its default; the plugin is not installed.
    #[must_use]
    pub fn new() -> Self {
        Self { values: VARIABLES.iter().map(|definition| definition.default.to_setting()).collect(), plugin: false }
    }

    /// Whether `group_replication_*` exist.
    #[must_use]
    pub const fn plugin_installed(&self) -> bool {
        self.plugin
    }

    /// INSTALL and UNINSTALL PLUGIN. Values are kept.
    pub const fn set_plugin_installed(&mut self, installed: bool) {
        self.plugin = installed;
    }

    /// The value at a place.
    #[must_use]
    pub fn get(&self, id: VarId) -> &Setting {
        &self.values[usize::from(id.0)]
    }

    /// A value by name, whether or not the plugin is installed. For the server itself.
    ///
    /// # Panics
    /// For a name that the registry does not have: our own bug.
    #[must_use]
    pub fn named(&self, name: &str) -> &Setting {
        self.get(find(name).unwrap_or_else(|| panic!("the registry has no variable {name}")))
    }

    /// A boolean by name.
    ///
    /// # Panics
    /// As [`Globals::named`].
    #[must_use]
    pub fn on(&self, name: &str) -> bool {
        matches!(self.named(name), Setting::Bool(true))
    }

    /// A number by name; 0 for what is no number.
    ///
    /// # Panics
    /// As [`Globals::named`].
    #[must_use]
    pub fn number(&self, name: &str) -> u64 {
        match self.named(name) {
            Setting::UInt(number) => *number,
            _ => 0,
        }
    }

    /// A text by name; empty for NULL.
    ///
    /// # Panics
    /// As [`Globals::named`].
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        self.named(name).to_text()
    }

    /// Stores a value without any check: what the server finds out itself (`hostname`, `gtid_executed`,
    /// `super_read_only` by Group Replication).
    ///
    /// # Panics
    /// As [`Globals::named`].
    pub fn put(&mut self, name: &str, value: Setting) {
        let id = find(name).unwrap_or_else(|| panic!("the registry has no variable {name}"));
        self.values[usize::from(id.0)] = value;
    }

    /// A variable by name, for a client.
    ///
    /// # Errors
    /// 1193 when it does not exist, or not now.
    pub fn resolve(&self, name: &str) -> Result<VarId, SqlError> {
        let id = find(name).ok_or_else(|| error::unknown_variable(name))?;
        if definition(id).plugin && !self.plugin { Err(error::unknown_variable(name)) } else { Ok(id) }
    }

    /// `@@[scope.]name`: the session's value where it has one.
    ///
    /// # Errors
    /// 1193 unknown, 1238 when the scope does not fit.
    pub fn read(&self, scope: Option<Scope>, name: &str, session: &SessionVars) -> Result<Setting, SqlError> {
        let id = self.resolve(name)?;
        match (scope, definition(id).reach) {
            (Some(Scope::Session), Reach::Global) => Err(error::incorrect_variable_kind(name, "GLOBAL")),
            (Some(Scope::Global | Scope::Persist | Scope::PersistOnly), Reach::Session) => {
                Err(error::incorrect_variable_kind(name, "SESSION"))
            }
            (None | Some(Scope::Session), Reach::Session | Reach::Both) => Ok(session.get(id).clone()),
            _ => Ok(self.get(id).clone()),
        }
    }

    /// All that a client may see, by name, as SHOW VARIABLES prints it.
    #[must_use]
    pub fn show(&self, session: Option<&SessionVars>) -> Vec<(&'static str, String)> {
        let visible = all().filter(|(_, definition)| !definition.plugin || self.plugin);
        visible
            .filter_map(|(id, definition)| {
                let value = match (session, definition.reach) {
                    (Some(session), Reach::Session | Reach::Both) => session.get(id),
                    (None, Reach::Session) => return None,
                    _ => self.get(id),
                };
                Some((definition.name, value.to_text()))
            })
            .collect()
    }

    /// Gives a variable the value that an option file, the command line or the journal has for it.
    ///
    /// # Errors
    /// A text that says why not; it names the variable.
    pub fn set_option(&mut self, id: VarId, text: &str) -> Result<(), String> {
        let definition = definition(id);
        let value = parse_option(definition, text)?;
        // Rules between options (modes, quotas) are checked at START: options come in any order.
        self.values[usize::from(id.0)] = value;
        Ok(())
    }
}

/// `group_replication_consistency`, in MySQL's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consistency {
    /// Waits for nothing.
    Eventual,
    /// On a new primary, waits for what the old one left: always so here, where the order names a primary
    /// behind everything that the old one left.
    BeforeOnPrimaryFailover,
    /// A transaction sees everything that was ordered before it began.
    Before,
    /// A transaction is answered once every ONLINE member shows it, or makes readers wait for it.
    After,
    /// Both.
    BeforeAndAfter,
}

impl Consistency {
    fn named(text: &str) -> Self {
        match text {
            "EVENTUAL" => Self::Eventual,
            "BEFORE" => Self::Before,
            "AFTER" => Self::After,
            "BEFORE_AND_AFTER" => Self::BeforeAndAfter,
            _ => Self::BeforeOnPrimaryFailover,
        }
    }

    /// Whether a transaction waits at its beginning.
    #[must_use]
    pub fn is_before(self) -> bool {
        matches!(self, Self::Before | Self::BeforeAndAfter)
    }

    /// Whether a transaction waits at its end.
    #[must_use]
    pub fn is_after(self) -> bool {
        matches!(self, Self::After | Self::BeforeAndAfter)
    }
}

/// A session's values, with those that every statement asks for at hand.
#[derive(Clone, Debug)]
pub struct SessionVars {
    values: Vec<Setting>,
    /// `autocommit`.
    pub autocommit: bool,
    /// `sql_mode`.
    pub sql_mode: SqlMode,
    /// `transaction_isolation`.
    pub isolation: Isolation,
    /// `transaction_read_only`.
    pub read_only: bool,
    /// `sql_log_bin`.
    pub log_bin: bool,
    /// `innodb_snapshot_isolation`.
    pub snapshot_isolation: bool,
    /// `lock_wait_timeout`, in seconds.
    pub table_wait_s: u64,
    /// `long_query_time`, in microseconds.
    pub slow_us: u64,
    /// `innodb_lock_wait_timeout`, in seconds.
    pub lock_wait_s: u64,
    /// `wait_timeout`, in seconds.
    pub idle_s: u64,
    /// `group_replication_consistency`.
    pub consistency: Consistency,
    /// `collation_connection`.
    pub collation: Collation,
    /// `time_zone`: minutes east of UTC; SYSTEM is UTC.
    pub zone_minutes: i32,
    /// `SET timestamp`, in microseconds since 1970, where it is set.
    pub timestamp_us: Option<u64>,
    /// `auto_increment_increment`.
    pub increment: u64,
    /// `auto_increment_offset`.
    pub offset: u64,
    /// `foreign_key_checks`.
    pub foreign_keys: bool,
    /// `session_track_gtids`, unless it is OFF.
    pub tracks_gtids: bool,
}

impl SessionVars {
    /// A new session's: the global values, defaults for what has none.
    #[must_use]
    pub fn new(globals: &Globals) -> Self {
        let mut vars = Self {
            values: globals.values.clone(),
            autocommit: true,
            sql_mode: SqlMode::DEFAULT,
            isolation: Isolation::RepeatableRead,
            read_only: false,
            log_bin: true,
            snapshot_isolation: true,
            lock_wait_s: 50,
            idle_s: 28_800,
            table_wait_s: u64::MAX,
            slow_us: u64::MAX,
            consistency: Consistency::BeforeOnPrimaryFailover,
            collation: Collation::DEFAULT,
            zone_minutes: 0,
            timestamp_us: None,
            increment: 1,
            offset: 1,
            foreign_keys: true,
            tracks_gtids: false,
        };
        for (id, definition) in all() {
            if definition.reach == Reach::Both {
                vars.refresh(id);
            }
        }
        vars
    }

    /// The value at a place.
    #[must_use]
    pub fn get(&self, id: VarId) -> &Setting {
        &self.values[usize::from(id.0)]
    }

    /// A value by name.
    ///
    /// # Panics
    /// For a name that the registry does not have: our own bug.
    #[must_use]
    pub fn named(&self, name: &str) -> &Setting {
        self.get(find(name).unwrap_or_else(|| panic!("the registry has no variable {name}")))
    }

    /// Stores a value without any check (`last_insert_id`, SET NAMES, SET TRANSACTION).
    ///
    /// # Panics
    /// As [`SessionVars::named`].
    pub fn put(&mut self, name: &str, value: Setting) {
        let id = find(name).unwrap_or_else(|| panic!("the registry has no variable {name}"));
        self.put_at(id, value);
    }

    fn put_at(&mut self, id: VarId, value: Setting) {
        self.values[usize::from(id.0)] = value;
        self.refresh(id);
    }

    fn refresh(&mut self, id: VarId) {
        let value = &self.values[usize::from(id.0)];
        let on = matches!(value, Setting::Bool(true));
        match (definition(id).name, value) {
            ("autocommit", _) => self.autocommit = on,
            ("transaction_read_only", _) => self.read_only = on,
            ("sql_log_bin", _) => self.log_bin = on,
            ("innodb_snapshot_isolation", _) => self.snapshot_isolation = on,
            ("innodb_lock_wait_timeout", Setting::UInt(seconds)) => self.lock_wait_s = *seconds,
            ("wait_timeout", Setting::UInt(seconds)) => self.idle_s = *seconds,
            ("lock_wait_timeout", Setting::UInt(seconds)) => self.table_wait_s = *seconds,
            ("long_query_time", Setting::Double(seconds)) => self.slow_us = (*seconds * 1e6) as u64,
            ("foreign_key_checks", _) => self.foreign_keys = on,
            ("auto_increment_increment", Setting::UInt(number)) => self.increment = *number,
            ("auto_increment_offset", Setting::UInt(number)) => self.offset = *number,
            ("timestamp", Setting::Double(seconds)) => {
                self.timestamp_us = (*seconds > 0.0).then(|| (*seconds * 1e6).round() as u64);
            }
            ("time_zone", Setting::Text(text)) => self.zone_minutes = time_zone_minutes(text).unwrap_or(0),
            ("collation_connection", Setting::Text(text)) => {
                self.collation = Collation::from_name(text).unwrap_or_default();
            }
            ("session_track_gtids", Setting::Text(text)) => self.tracks_gtids = &**text != "OFF",
            ("group_replication_consistency", Setting::Text(text)) => self.consistency = Consistency::named(text),
            ("sql_mode", Setting::Text(text)) => {
                self.sql_mode = SqlMode::parse(text).expect("a stored sql_mode was checked");
            }
            ("transaction_isolation", Setting::Text(text)) => {
                self.isolation = match &**text {
                    "READ-UNCOMMITTED" => Isolation::ReadUncommitted,
                    "READ-COMMITTED" => Isolation::ReadCommitted,
                    "SERIALIZABLE" => Isolation::Serializable,
                    _ => Isolation::RepeatableRead,
                };
            }
            _ => {}
        }
    }
}

/// Carries out one `SET [scope] name = input`.
///
/// # Errors
/// 1193, 1227, 1228, 1229, 1231, 1232, 1238, 1766, 3093, 3724, 3911, 3976 as `spec/sysvars.md` says.
pub fn set(
    globals: &mut Globals,
    session: &mut SessionVars,
    scope: Option<Scope>,
    name: &str,
    input: &Input,
    context: &SetContext,
) -> Result<Applied, SqlError> {
    let id = globals.resolve(name)?;
    let definition = definition(id);
    let global = matches!(scope, Some(Scope::Global | Scope::Persist | Scope::PersistOnly));
    let persist = matches!(scope, Some(Scope::Persist | Scope::PersistOnly));
    let only_persist = scope == Some(Scope::PersistOnly);
    if persist && definition.no_persist {
        return Err(error::cannot_persist(definition.name));
    }
    if definition.when == When::Never && !(only_persist && definition.reach == Reach::Global) {
        return Err(error::incorrect_variable_kind(definition.name, "read only"));
    }
    match (global, definition.reach) {
        (true, Reach::Session) => return Err(error::session_variable(definition.name)),
        (false, Reach::Global) => return Err(error::global_variable(definition.name)),
        _ => {}
    }
    check_privileges(definition, global, only_persist, context)?;
    let mut warnings = Vec::new();
    let value = match input {
        Input::Default if definition.no_default => return Err(error::wrong_value(definition.name, "DEFAULT")),
        Input::Default if global || definition.reach == Reach::Session => definition.default.to_setting(),
        Input::Default => globals.get(id).clone(),
        Input::Value(value) => convert(definition, value, session.sql_mode, &mut warnings)?,
    };
    check_accepted(definition, &value)?;
    check_state(globals, definition, &value, only_persist, global, context)?;
    if definition.name == "group_replication_view_change_uuid"
        || name.eq_ignore_ascii_case("group_replication_ip_whitelist")
    {
        warnings.push(Warning {
            level: Level::Warning,
            code: 1681,
            message: format!("Updating '{name}' is deprecated. It will be made read-only in a future release."),
        });
    }
    if !global {
        session.put_at(id, value);
        return Ok(Applied { id, global: false, persist: None, warnings });
    }
    let kept = persist.then(|| (definition.name, value.to_text()));
    if !only_persist {
        store_global(globals, definition, id, value);
    }
    Ok(Applied { id, global: !only_persist, persist: kept, warnings })
}

fn store_global(globals: &mut Globals, definition: &Definition, id: VarId, value: Setting) {
    // super_read_only brings read_only; read_only=OFF takes super_read_only along.
    match (definition.name, &value) {
        ("super_read_only", Setting::Bool(true)) => globals.put("read_only", Setting::Bool(true)),
        ("read_only", Setting::Bool(false)) => globals.put("super_read_only", Setting::Bool(false)),
        _ => {}
    }
    globals.values[usize::from(id.0)] = value;
}

fn check_privileges(
    definition: &Definition,
    global: bool,
    only_persist: bool,
    context: &SetContext,
) -> Result<(), SqlError> {
    if global && !context.system_admin {
        return Err(error::privilege_needed("SUPER or SYSTEM_VARIABLES_ADMIN"));
    }
    if global && definition.name == "group_replication_consistency" && !context.group_admin {
        return Err(error::privilege_needed("SUPER or GROUP_REPLICATION_ADMIN"));
    }
    if only_persist && (definition.when == When::Never || definition.plugin) && !context.persist_admin {
        return Err(error::privilege_needed("SYSTEM_VARIABLES_ADMIN and PERSIST_RO_VARIABLES_ADMIN"));
    }
    if !global && definition.restricted && !context.session_admin {
        return Err(error::privilege_needed("SUPER, SYSTEM_VARIABLES_ADMIN or SESSION_VARIABLES_ADMIN"));
    }
    Ok(())
}

fn check_accepted(definition: &Definition, value: &Setting) -> Result<(), SqlError> {
    let text = value.to_text();
    let fits = definition.accepted.is_empty() || definition.accepted.iter().any(|one| one.eq_ignore_ascii_case(&text));
    if fits { Ok(()) } else { Err(error::wrong_value(definition.name, text)) }
}

/// Rules that look at other values, the session's transaction or the group.
fn check_state(
    globals: &Globals,
    definition: &Definition,
    value: &Setting,
    only_persist: bool,
    global: bool,
    context: &SetContext,
) -> Result<(), SqlError> {
    if !global
        && context.in_transaction
        && matches!(
            definition.name,
            "sql_log_bin" | "gtid_next" | "group_replication_consistency" | "binlog_format" | "session_track_gtids"
        )
    {
        return Err(error::not_settable_in_transaction(format!("@@SESSION.{}", definition.name.to_uppercase())));
    }
    if definition.plugin && context.changing {
        return Err(error::unable_to_set(definition.name));
    }
    if only_persist {
        return Ok(());
    }
    if context.running {
        if definition.when == When::Stopped && definition.plugin {
            return Err(error::error(
                3093,
                format!(
                    "The START GROUP_REPLICATION command failed as the group is already running: \
                         {} can't be changed while it runs.",
                    definition.name
                ),
            ));
        }
        match definition.name {
            "gtid_mode" => {
                return Err(error::cannot_set_gtid_mode(value.to_text(), "group replication requires it to be ON"));
            }
            "gtid_purged" => return Err(error::gtid_purged_with_group()),
            "default_table_encryption" if global => return Err(error::group_running()),
            _ => {}
        }
    }
    let wrong = || Err(error::wrong_value(definition.name, value.to_text()));
    let on = *value == Setting::Bool(true);
    let number = if let Setting::UInt(number) = value { *number } else { 0 };
    let quota = |name: &str| globals.number(name);
    match definition.name {
        "group_replication_single_primary_mode"
            if on && globals.on("group_replication_enforce_update_everywhere_checks") =>
        {
            wrong()
        }
        "group_replication_enforce_update_everywhere_checks"
            if on && globals.on("group_replication_single_primary_mode") =>
        {
            wrong()
        }
        "group_replication_group_name"
            if value.to_text().eq_ignore_ascii_case(&globals.text("group_replication_view_change_uuid")) =>
        {
            Err(error::wrong_value_because(
                definition.name,
                value.to_text(),
                "The value is already used by group_replication_view_change_uuid. Change it first.",
            ))
        }
        "group_replication_view_change_uuid"
            if value.to_text().eq_ignore_ascii_case(&globals.text("group_replication_group_name")) =>
        {
            Err(error::wrong_value_because(
                definition.name,
                value.to_text(),
                "The value is already used by group_replication_group_name. Change it first.",
            ))
        }
        "group_replication_flow_control_min_quota" | "group_replication_flow_control_min_recovery_quota"
            if quota("group_replication_flow_control_max_quota") > 0
                && number > quota("group_replication_flow_control_max_quota") =>
        {
            wrong()
        }
        "group_replication_flow_control_max_quota"
            if number > 0
                && (number < quota("group_replication_flow_control_min_quota")
                    || number < quota("group_replication_flow_control_min_recovery_quota")) =>
        {
            wrong()
        }
        _ => Ok(()),
    }
}

/// A client's value as the variable's type.
fn convert(
    definition: &Definition,
    value: &Value,
    mode: SqlMode,
    warnings: &mut Vec<Warning>,
) -> Result<Setting, SqlError> {
    let name = definition.name;
    let shown = || value.to_text().map_or_else(|| "NULL".to_owned(), std::borrow::Cow::into_owned);
    let wrong = || error::wrong_value(name, shown());
    let number = match value {
        Value::Int(number) => Some(i128::from(*number)),
        Value::UInt(number) => Some(i128::from(*number)),
        _ => None,
    };
    let text = match value {
        Value::Text(text) => Some(text.to_string()),
        Value::Bytes(bytes) => Some(String::from_utf8(bytes.to_vec()).map_err(|_| wrong())?),
        _ => None,
    };
    if matches!(value, Value::Null) {
        let nullable = matches!(definition.kind, Kind::Text(_) | Kind::Uuid(_))
            && definition.default == super::registry::Fallback::Null
            || name == "character_set_results";
        return if nullable { Ok(Setting::Null) } else { Err(wrong()) };
    }
    match definition.kind {
        Kind::Bool => match (number, text) {
            (Some(0), _) => Ok(Setting::Bool(false)),
            (Some(1), _) => Ok(Setting::Bool(true)),
            (Some(_), _) => Err(wrong()),
            (None, Some(text)) if text.eq_ignore_ascii_case("on") => Ok(Setting::Bool(true)),
            (None, Some(text)) if text.eq_ignore_ascii_case("off") => Ok(Setting::Bool(false)),
            (None, Some(_)) => Err(wrong()),
            _ => Err(error::wrong_type(name)),
        },
        Kind::UInt { min, max } => {
            let number = number.ok_or_else(|| error::wrong_type(name))?;
            let clamped = number.clamp(i128::from(min), i128::from(max));
            if clamped != number {
                if definition.exact_range || mode.strict() {
                    return Err(wrong());
                }
                warnings.push(Warning {
                    level: Level::Warning,
                    code: 1292,
                    message: format!("Truncated incorrect {name} value: '{number}'"),
                });
            }
            Ok(Setting::UInt(clamped as u64))
        }
        Kind::Double => match value.to_f64() {
            Some(number) if number >= 0.0 && text.is_none() => Ok(Setting::Double(number)),
            Some(_) if text.is_none() => Err(wrong()),
            _ => Err(error::wrong_type(name)),
        },
        Kind::Enum(words) => {
            let word = match (number, text) {
                (Some(place), _) => usize::try_from(place).ok().and_then(|place| words.get(place)),
                (None, Some(text)) => words.iter().find(|word| word.eq_ignore_ascii_case(text.trim())),
                _ => return Err(error::wrong_type(name)),
            };
            word.map(|word| Setting::text(word)).ok_or_else(wrong)
        }
        Kind::SqlMode => {
            let mode = match (number, text) {
                (Some(bits), _) => u64::try_from(bits).map_err(|_| bits.to_string()).and_then(SqlMode::from_number),
                (None, Some(text)) => SqlMode::parse(&text),
                _ => return Err(error::wrong_type(name)),
            };
            mode.map(|mode| Setting::text(&mode.to_string())).map_err(|part| error::wrong_value(name, part))
        }
        _ => check_text(definition, &text.ok_or_else(|| error::wrong_type(name))?),
    }
}

/// Character sets that a client may name; others are 1115.
pub(crate) const CHARSETS: [&str; 8] = ["utf8mb4", "utf8mb3", "utf8", "latin1", "ascii", "binary", "ucs2", "utf16"];

fn check_text(definition: &Definition, text: &str) -> Result<Setting, SqlError> {
    let name = definition.name;
    let wrong = || error::wrong_value(name, text);
    match definition.kind {
        Kind::Charset => {
            let lower = text.to_ascii_lowercase();
            if !CHARSETS.contains(&lower.as_str()) {
                return Err(error::unknown_charset(text));
            }
            if name == "character_set_client" && matches!(lower.as_str(), "ucs2" | "utf16") {
                return Err(wrong());
            }
            Ok(Setting::text(if lower == "utf8" { "utf8mb3" } else { &lower }))
        }
        Kind::Collation => {
            let lower = text.to_ascii_lowercase();
            let known = CHARSETS.iter().any(|set| lower == *set || lower.starts_with(&format!("{set}_")));
            if known { Ok(Setting::text(&lower)) } else { Err(error::unknown_collation(text)) }
        }
        Kind::Uuid(word) => match word {
            Some(word) if word.eq_ignore_ascii_case(text) => Ok(Setting::text(word)),
            _ if Uuid::parse(text).is_ok() => Ok(Setting::text(text)),
            _ => Err(wrong()),
        },
        Kind::TimeZone => {
            if text.eq_ignore_ascii_case("system") {
                return Ok(Setting::text("SYSTEM"));
            }
            if text.eq_ignore_ascii_case("utc") {
                return Ok(Setting::text("UTC"));
            }
            if time_zone_minutes(text).is_some() {
                return Ok(Setting::text(text));
            }
            Err(error::unknown_time_zone(text))
        }
        Kind::Text(max) if text.chars().count() > max => Err(wrong()),
        _ => check_format(name, text).map(|()| Setting::Text(Rc::from(text))),
    }
}

/// Minutes east of UTC of `+hh:mm`, -13:59 to +14:00.
#[must_use]
pub(crate) fn time_zone_minutes(text: &str) -> Option<i32> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let digits = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
    if !digits(hours) || !digits(minutes) || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let total = sign * (hours * 60 + minutes);
    (minutes < 60 && (-839..=840).contains(&total)).then_some(total)
}

/// Texts with a form of their own.
fn check_format(name: &str, text: &str) -> Result<(), SqlError> {
    let host_port = |text: &str| {
        text.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0) && !host.contains(char::is_whitespace)
        })
    };
    match name {
        "group_replication_local_address" if !text.is_empty() && !host_port(text) => {
            Err(error::wrong_value(name, text))
        }
        "group_replication_group_seeds" | "group_replication_force_members" if !text.trim().is_empty() => {
            if text.split(',').all(|part| host_port(part.trim())) {
                Ok(())
            } else {
                Err(error::wrong_value(name, text))
            }
        }
        "group_replication_advertise_recovery_endpoints" if !text.eq_ignore_ascii_case("default") => {
            if text.split(',').all(|part| host_port(part.trim())) {
                Ok(())
            } else {
                Err(error::error(
                    3974,
                    format!("Can't set '{name}' to '{text}': expected DEFAULT or a comma list of host:port"),
                ))
            }
        }
        "group_replication_ip_allowlist" => check_allowlist(name, text),
        "group_replication_communication_debug_options" => {
            const OPTIONS: [&str; 6] = [
                "GCS_DEBUG_NONE",
                "GCS_DEBUG_BASIC",
                "GCS_DEBUG_TRACE",
                "XCOM_DEBUG_BASIC",
                "XCOM_DEBUG_TRACE",
                "GCS_DEBUG_ALL",
            ];
            let known = |part: &str| OPTIONS.iter().any(|option| option.eq_ignore_ascii_case(part.trim()));
            if text.split(',').all(known) { Ok(()) } else { Err(error::wrong_value(name, text)) }
        }
        _ => Ok(()),
    }
}

fn check_allowlist(name: &str, text: &str) -> Result<(), SqlError> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    if parts.len() == 1 && parts[0].eq_ignore_ascii_case("automatic") {
        return Ok(());
    }
    let fits = |part: &&str| {
        let (host, mask) = part.split_once('/').map_or((*part, None), |(host, mask)| (host, Some(mask)));
        let bits = if host.contains(':') { 128 } else { 32 };
        !host.is_empty()
            && !host.eq_ignore_ascii_case("automatic")
            && !host.contains(char::is_whitespace)
            && mask.is_none_or(|mask| mask.parse::<u8>().is_ok_and(|mask| mask <= bits))
    };
    if parts.iter().all(fits) { Ok(()) } else { Err(error::wrong_value(name, text)) }
}

/// An option's text as the variable's type: booleans in more spellings, numbers with K, M, G.
fn parse_option(definition: &Definition, text: &str) -> Result<Setting, String> {
    let name = definition.name;
    let setting = match definition.kind {
        Kind::Bool => match text.to_ascii_lowercase().as_str() {
            "on" | "true" | "1" | "yes" | "" => Setting::Bool(true),
            "off" | "false" | "0" | "no" => Setting::Bool(false),
            // `log_bin=binlog` names the files, and is ON.
            _ if name == "log_bin" => Setting::Bool(true),
            _ => return Err(format!("{name}: '{text}' is neither ON nor OFF")),
        },
        Kind::UInt { min, max } => {
            let number = parse_size(text).ok_or_else(|| format!("{name}: '{text}' is not a number"))?;
            if number < min || number > max {
                return Err(format!("{name}: {number} is not within {min} and {max}"));
            }
            Setting::UInt(number)
        }
        Kind::Double => match text.parse::<f64>() {
            Ok(number) if number >= 0.0 && number.is_finite() => Setting::Double(number),
            _ => return Err(format!("{name}: '{text}' is not a number")),
        },
        Kind::Enum(words) => {
            let by_place = text.parse::<usize>().ok().and_then(|place| words.get(place));
            let boolean = match text.to_ascii_lowercase().as_str() {
                "" | "true" => "ON",
                "false" => "OFF",
                _ => text,
            };
            let word = words.iter().find(|word| word.eq_ignore_ascii_case(boolean)).or(by_place);
            Setting::text(word.ok_or_else(|| format!("{name}: '{text}' is not one of {}", words.join(", ")))?)
        }
        Kind::SqlMode => {
            let mode = SqlMode::parse(text).map_err(|part| format!("{name}: '{part}' is no SQL mode"))?;
            Setting::text(&mode.to_string())
        }
        _ if text.is_empty() && definition.default == super::registry::Fallback::Null => Setting::Null,
        _ => check_text(definition, text).map_err(|error| error.message)?,
    };
    let shown = setting.to_text();
    let accepted = definition.accepted;
    if !accepted.is_empty() && !accepted.iter().any(|one| one.eq_ignore_ascii_case(&shown)) {
        return Err(format!(
            "{name}={shown} does not go with Group Replication here: it has to be {}",
            accepted.join(" or ")
        ));
    }
    Ok(setting)
}

/// A number with K, M, G, T (binary).
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, shift) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 10),
        b'm' | b'M' => (&text[..text.len() - 1], 20),
        b'g' | b'G' => (&text[..text.len() - 1], 30),
        b't' | b'T' => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}
