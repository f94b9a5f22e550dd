//! Accounts: who may log in, from where, and what they may do.
//!
//! An account travels as the opaque definition of a catalogue object ([`ObjectKind::Account`]: `schema` is
//! the host pattern, `name` the user) and is kept here decoded. Statements about accounts are evaluated
//! against the accounts as they are and give the changes to propose; the order decides whether they hold.
//!
//! Absent on purpose: roles, column and routine privileges, resource limits, password policies (refused with
//! 1235), and checking a password (the client protocol's work, over [`Account::credential`]).
//!
//! Invariants: passwords are stored only as their plugin's hash; the most specific matching account wins.

use crate::ast::{AuthSpec, Grant, GrantLevel, Privilege, Revoke, Secret, UserName, UserSpec};
use crate::catalog::aligned;
use crate::error::{self, SqlError};
use crate::host::LocalChange;
use rkyv::{Archive, Deserialize, Serialize, rancor};
use std::collections::{BTreeMap, BTreeSet};
use wire::client::auth::{Credential, FastDigest, NativeHash, Sha2Hash};
use wire::entry::{CatalogChange, ObjectKind};
use wire::id::Csn;

/// Static privileges in the order in which SHOW GRANTS lists them, and whether databases and tables have them.
const STATIC: [(&str, bool); 29] = [
    ("SELECT", true),
    ("INSERT", true),
    ("UPDATE", true),
    ("DELETE", true),
    ("CREATE", true),
    ("DROP", true),
    ("RELOAD", false),
    ("SHUTDOWN", false),
    ("PROCESS", false),
    ("FILE", false),
    ("REFERENCES", true),
    ("INDEX", true),
    ("ALTER", true),
    ("SHOW DATABASES", false),
    ("SUPER", false),
    ("CREATE TEMPORARY TABLES", true),
    ("LOCK TABLES", true),
    ("EXECUTE", true),
    ("REPLICATION SLAVE", false),
    ("REPLICATION CLIENT", false),
    ("CREATE VIEW", true),
    ("SHOW VIEW", true),
    ("CREATE ROUTINE", true),
    ("ALTER ROUTINE", true),
    ("CREATE USER", false),
    ("EVENT", true),
    ("TRIGGER", true),
    ("CREATE TABLESPACE", false),
    ("CREATE ROLE", false),
];

/// Static, last in MySQL's list.
const DROP_ROLE: &str = "DROP ROLE";

/// Dynamic privileges that are known.
const DYNAMIC: [&str; 20] = [
    "APPLICATION_PASSWORD_ADMIN",
    "BACKUP_ADMIN",
    "BINLOG_ADMIN",
    "CLONE_ADMIN",
    "CONNECTION_ADMIN",
    "ENCRYPTION_KEY_ADMIN",
    "FLUSH_STATUS",
    "FLUSH_TABLES",
    "GROUP_REPLICATION_ADMIN",
    "GROUP_REPLICATION_STREAM",
    "INNODB_REDO_LOG_ENABLE",
    "PERSIST_RO_VARIABLES_ADMIN",
    "REPLICATION_APPLIER",
    "REPLICATION_SLAVE_ADMIN",
    "ROLE_ADMIN",
    "SERVICE_CONNECTION_ADMIN",
    "SESSION_VARIABLES_ADMIN",
    "SYSTEM_USER",
    "SYSTEM_VARIABLES_ADMIN",
    "XA_RECOVER_ADMIN",
];

/// How an account proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub enum Plugin {
    /// `mysql_native_password`.
    Native,
    /// `caching_sha2_password`, the default.
    CachingSha2,
}

impl Plugin {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "mysql_native_password",
            Self::CachingSha2 => "caching_sha2_password",
        }
    }
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct Account {
    /// How it proves who it is.
    pub plugin: Plugin,
    /// The plugin's stored form (`authentication_string`); empty for no password.
    pub stored: Vec<u8>,
    /// Privileges on `*.*`, static and dynamic.
    pub global: BTreeSet<String>,
    /// WITH GRANT OPTION on `*.*`.
    pub grant_option: bool,
    /// Privileges by database pattern (`_`, `%`, backslash); `GRANT OPTION` is one of them here.
    pub databases: BTreeMap<String, BTreeSet<String>>,
    /// Privileges by (database, table).
    pub tables: BTreeMap<(String, String), BTreeSet<String>>,
}

/// `user@host`, host first as the catalogue has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName {
    /// Empty: anybody.
    pub user: String,
    /// A pattern.
    pub host: String,
}

impl AccountName {
    /// A name from its parts.
    #[must_use]
    pub fn new(user: &str, host: &str) -> Self {
        Self { user: user.to_owned(), host: host.to_ascii_lowercase() }
    }
}

impl std::fmt::Display for AccountName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "'{}'@'{}'", self.user, self.host)
    }
}

impl Account {
    /// An account without a password and without privileges.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            plugin: Plugin::CachingSha2,
            stored: Vec::new(),
            global: BTreeSet::new(),
            grant_option: false,
            databases: BTreeMap::new(),
            tables: BTreeMap::new(),
        }
    }

    /// `root`@`localhost` without a password: what every data directory begins with, in no group's history.
    #[must_use]
    pub fn root() -> LocalChange {
        LocalChange::Catalog(vec![CatalogChange::Create {
            kind: ObjectKind::Account,
            schema: "localhost".to_owned(),
            name: "root".to_owned(),
            definition: Self::all_powerful().to_bytes(),
            if_not_exists: false,
        }])
    }

    /// An account that may do everything: `root` after `--initialize-insecure`.
    #[must_use]
    pub fn all_powerful() -> Self {
        Self { global: all_global(), grant_option: true, ..Self::new() }
    }

    /// The bytes that travel.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let bytes = rkyv::to_bytes::<rancor::Error>(self);
        bytes.expect("serialising into memory cannot fail: accounts hold no shared pointers").into_vec()
    }

    /// Reads them back; `None` when they are no such archive.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        rkyv::from_bytes::<Self, rancor::Error>(&aligned(bytes)).ok()
    }

    /// What the client protocol checks a login against, with what an earlier login left for quick ones; `None` for
    /// a stored form that cannot be read (nobody gets in).
    #[must_use]
    pub fn credential(&self, cached: Option<FastDigest>) -> Option<Credential> {
        match self.plugin {
            Plugin::Native => NativeHash::parse(std::str::from_utf8(&self.stored).ok()?).ok().map(Credential::Native),
            Plugin::CachingSha2 => {
                let stored = Sha2Hash::parse(&self.stored).ok()?;
                Some(Credential::CachingSha2 { stored, cached })
            }
        }
    }

    /// Whether it has a privilege on `*.*`. SUPER stands for the dynamic privileges that were made from it.
    #[must_use]
    pub fn has_global(&self, privilege: &str) -> bool {
        self.global.contains(privilege)
            || (self.global.contains("SUPER")
                && (privilege.ends_with("_ADMIN") || privilege == "REPLICATION_APPLIER")
                && DYNAMIC.contains(&privilege))
    }

    /// Whether it has a privilege on a database, there or globally.
    #[must_use]
    pub fn has_on_database(&self, privilege: &str, database: &str) -> bool {
        self.has_global(privilege)
            || self.databases.iter().any(|(pattern, set)| set.contains(privilege) && like(pattern, database))
    }

    /// Whether it has a privilege on a table, there, on its database or globally.
    #[must_use]
    pub fn has_on_table(&self, privilege: &str, database: &str, table: &str) -> bool {
        self.has_on_database(privilege, database)
            || self.tables.get(&(database.to_owned(), table.to_owned())).is_some_and(|set| set.contains(privilege))
    }

    /// Whether it may see that a database is there: any privilege on it or in it.
    #[must_use]
    pub fn sees_database(&self, database: &str) -> bool {
        STATIC.iter().any(|(name, object)| (*object || *name == "SHOW DATABASES") && self.global.contains(*name))
            || self.databases.iter().any(|(pattern, set)| !set.is_empty() && like(pattern, database))
            || self.tables.keys().any(|(schema, _)| schema == database)
    }
}

impl Default for Account {
    fn default() -> Self {
        Self::new()
    }
}

fn all_global() -> BTreeSet<String> {
    let names = STATIC.iter().map(|(name, _)| *name).chain([DROP_ROLE]).chain(DYNAMIC);
    names.map(str::to_owned).collect()
}

/// LIKE with `%`, `_` and backslash, case as it is.
#[must_use]
pub fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where the last `%` was, and how far the text was then.
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        let (literal, width) = match pattern.get(p) {
            Some(b'\\') if p + 1 < pattern.len() => (Some(pattern[p + 1]), 2),
            Some(b'%') => {
                p += 1;
                back = Some((p, t));
                continue;
            }
            Some(b'_') => (None, 1),
            Some(&c) => (Some(c), 1),
            None => (Some(0), 0),
        };
        if width > 0 && literal.is_none_or(|c| c == text[t]) {
            p += width;
            t += 1;
        } else if let Some((after, from)) = back {
            p = after;
            t = from + 1;
            back = Some((after, t));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&c| c == b'%')
}

/// The accounts of a server.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    accounts: BTreeMap<AccountName, (Csn, Account)>,
}

impl Accounts {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An account came or changed; false for a definition that cannot be read.
    pub fn put(&mut self, host: &str, user: &str, version: Csn, definition: &[u8]) -> bool {
        let Some(account) = Account::from_bytes(definition) else { return false };
        self.accounts.insert(AccountName::new(user, host), (version, account));
        true
    }

    /// An account went.
    pub fn remove(&mut self, host: &str, user: &str) {
        self.accounts.remove(&AccountName::new(user, host));
    }

    /// One account by its exact name.
    #[must_use]
    pub fn get(&self, name: &AccountName) -> Option<&Account> {
        self.accounts.get(name).map(|(_, account)| account)
    }

    /// All by user and host.
    pub fn iter(&self) -> impl Iterator<Item = (&AccountName, &Account)> {
        self.accounts.iter().map(|(name, (_, account))| (name, account))
    }

    /// The account that `user` logs in to from `host` (a name or an address): the most specific host first,
    /// a named user before anybody.
    #[must_use]
    pub fn find(&self, user: &str, host: &str) -> Option<(&AccountName, &Account)> {
        let host = host.to_ascii_lowercase();
        let fits = |name: &AccountName| (name.user == user || name.user.is_empty()) && host_fits(&name.host, &host);
        let best = self.accounts.iter().filter(|(name, _)| fits(name));
        best.max_by_key(|(name, _)| (specificity(&name.host), !name.user.is_empty()))
            .map(|(name, (_, account))| (name, account))
    }

    fn version(&self, name: &AccountName) -> Option<Csn> {
        self.accounts.get(name).map(|(version, _)| *version)
    }
}

/// How exactly a host pattern names hosts: no wildcard first, then by the place of the first wildcard.
fn specificity(host: &str) -> (bool, usize) {
    match host.find(['%', '_', '/']) {
        None => (true, 0),
        Some(at) => (false, at),
    }
}

fn host_fits(pattern: &str, host: &str) -> bool {
    if pattern == "localhost" || pattern == "127.0.0.1" || pattern == "::1" {
        return matches!(host, "localhost" | "127.0.0.1" | "::1") && (pattern == "localhost" || pattern == host);
    }
    if let Some((network, mask)) = pattern.split_once('/') {
        let parse = |text: &str| text.parse::<std::net::Ipv4Addr>().ok().map(u32::from);
        let mask = match mask.parse::<u32>() {
            Ok(bits @ 1..=32) => Some(u32::MAX << (32 - bits)),
            Ok(0) => Some(0),
            _ => parse(mask),
        };
        return match (parse(network), mask, parse(host)) {
            (Some(network), Some(mask), Some(host)) => host & mask == network,
            _ => false,
        };
    }
    pattern.is_empty() || like(pattern, host)
}

/// What evaluating a statement about accounts asks of its session.
pub struct Asker<'a> {
    /// The account that the session logged in to.
    pub name: &'a AccountName,
    /// Current database, for `ON *`.
    pub database: Option<&'a str>,
    /// Random bits for salts.
    pub random: &'a mut dyn FnMut() -> u64,
}

/// Edits of accounts in one statement, so that a later part sees an earlier one.
struct Draft<'a> {
    accounts: &'a Accounts,
    edited: BTreeMap<AccountName, Option<Account>>,
    order: Vec<AccountName>,
}

impl<'a> Draft<'a> {
    const fn new(accounts: &'a Accounts) -> Self {
        Self { accounts, edited: BTreeMap::new(), order: Vec::new() }
    }

    fn get(&self, name: &AccountName) -> Option<&Account> {
        match self.edited.get(name) {
            Some(edited) => edited.as_ref(),
            None => self.accounts.get(name),
        }
    }

    fn put(&mut self, name: AccountName, account: Option<Account>) {
        if !self.edited.contains_key(&name) {
            self.order.push(name.clone());
        }
        self.edited.insert(name, account);
    }

    /// The changes to propose.
    fn changes(self) -> Vec<CatalogChange> {
        let mut changes = Vec::new();
        for name in self.order {
            let (schema, user) = (name.host.clone(), name.user.clone());
            let kind = ObjectKind::Account;
            // An account of this server alone has version 0: to the group it is new.
            let version = self.accounts.version(&name);
            let known = version.filter(|&version| version != Csn(0));
            match (known, &self.edited[&name]) {
                (None, Some(account)) => changes.push(CatalogChange::Create {
                    kind,
                    schema,
                    name: user,
                    definition: account.to_bytes(),
                    if_not_exists: false,
                }),
                (Some(version), Some(account)) => {
                    let definition = account.to_bytes();
                    changes.push(CatalogChange::Replace { kind, schema, name: user, version, definition });
                }
                (Some(_), None) => changes.push(CatalogChange::Drop { kind, schema, name: user, if_exists: false }),
                (None, None) if version.is_some() => {
                    changes.push(CatalogChange::Drop { kind, schema, name: user, if_exists: false });
                }
                (None, None) => {}
            }
        }
        changes
    }
}

fn resolve(name: &UserName, asker: &Asker<'_>) -> AccountName {
    if name.current { asker.name.clone() } else { AccountName::new(&name.user, &name.host) }
}

fn apply_auth(account: &mut Account, auth: &AuthSpec, random: &mut dyn FnMut() -> u64) -> Result<(), SqlError> {
    if let Some(plugin) = &auth.plugin {
        account.plugin = match plugin.as_str() {
            "mysql_native_password" => Plugin::Native,
            "caching_sha2_password" => Plugin::CachingSha2,
            other => return Err(error::plugin_not_loaded(other)),
        };
    }
    account.stored = match &auth.secret {
        Secret::None => Vec::new(),
        Secret::Password(password) => hash(account.plugin, password.as_bytes(), random),
        Secret::Stored(stored) => {
            let candidate = Account { stored: stored.clone(), ..account.clone() };
            if candidate.credential(None).is_none() {
                return Err(error::error(1827, "The password hash doesn't have the expected format."));
            }
            stored.clone()
        }
    };
    Ok(())
}

/// The stored form of a clear-text password.
fn hash(plugin: Plugin, password: &[u8], random: &mut dyn FnMut() -> u64) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    match plugin {
        Plugin::Native => NativeHash::of_password(password).to_string().into_bytes(),
        Plugin::CachingSha2 => {
            let mut salt = [0; 20];
            for byte in salt.chunks_mut(8) {
                let bits = random().to_le_bytes();
                byte.copy_from_slice(&bits[..byte.len()]);
            }
            Sha2Hash::of_password(password, salt).to_bytes()
        }
    }
}

fn quoted(names: &[AccountName]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// `CREATE USER`: the changes, and a 3163 note for each account that IF NOT EXISTS left alone.
///
/// # Errors
/// 1396 when one is there already; 1524, 1827 for how it proves itself.
pub fn create_users(
    accounts: &Accounts,
    users: &[UserSpec],
    if_not_exists: bool,
    asker: &mut Asker<'_>,
) -> Result<(Vec<CatalogChange>, Vec<String>), SqlError> {
    let mut draft = Draft::new(accounts);
    let (mut there, mut notes) = (Vec::new(), Vec::new());
    for user in users {
        let name = resolve(&user.name, asker);
        if draft.get(&name).is_some() {
            notes.push(format!("Authorization ID {name} already exists."));
            there.push(name);
            continue;
        }
        let mut account = Account::new();
        if let Some(auth) = &user.auth {
            apply_auth(&mut account, auth, asker.random)?;
        }
        draft.put(name, Some(account));
    }
    if !there.is_empty() && !if_not_exists {
        return Err(error::cannot_user("CREATE USER", quoted(&there)));
    }
    Ok((draft.changes(), notes))
}

/// `ALTER USER`, and `SET PASSWORD` as its special case.
///
/// # Errors
/// 1396 when one is not there.
pub fn alter_users(
    accounts: &Accounts,
    users: &[UserSpec],
    if_exists: bool,
    asker: &mut Asker<'_>,
) -> Result<Vec<CatalogChange>, SqlError> {
    let mut draft = Draft::new(accounts);
    let mut missing = Vec::new();
    for user in users {
        let name = resolve(&user.name, asker);
        let Some(mut account) = draft.get(&name).cloned() else {
            missing.push(name);
            continue;
        };
        if let Some(auth) = &user.auth {
            apply_auth(&mut account, auth, asker.random)?;
        }
        draft.put(name, Some(account));
    }
    if !missing.is_empty() && !if_exists {
        return Err(error::cannot_user("ALTER USER", quoted(&missing)));
    }
    Ok(draft.changes())
}

/// `DROP USER`.
///
/// # Errors
/// 1396 when one is not there.
pub fn drop_users(
    accounts: &Accounts,
    users: &[UserName],
    if_exists: bool,
    asker: &Asker<'_>,
) -> Result<Vec<CatalogChange>, SqlError> {
    let mut draft = Draft::new(accounts);
    let mut missing = Vec::new();
    for user in users {
        let name = resolve(user, asker);
        if draft.get(&name).is_none() {
            missing.push(name);
        } else {
            draft.put(name, None);
        }
    }
    if !missing.is_empty() && !if_exists {
        return Err(error::cannot_user("DROP USER", quoted(&missing)));
    }
    Ok(draft.changes())
}

/// `RENAME USER`.
///
/// # Errors
/// 1396 when an old name is not there or a new one is.
pub fn rename_users(
    accounts: &Accounts,
    pairs: &[(UserName, UserName)],
    asker: &Asker<'_>,
) -> Result<Vec<CatalogChange>, SqlError> {
    let mut draft = Draft::new(accounts);
    for (from, to) in pairs {
        let (from, to) = (resolve(from, asker), resolve(to, asker));
        let account = draft.get(&from).cloned();
        if account.is_none() || draft.get(&to).is_some() {
            return Err(error::cannot_user("RENAME USER", from));
        }
        draft.put(from, None);
        draft.put(to, account);
    }
    Ok(draft.changes())
}

/// Names of one privilege at a level, and whether GRANT OPTION is among them.
fn expand(privileges: &[Privilege], level: &GrantLevel) -> Result<(BTreeSet<String>, bool), SqlError> {
    let global = *level == GrantLevel::Global;
    let mut names = BTreeSet::new();
    let mut grant_option = false;
    for privilege in privileges {
        if !privilege.columns.is_empty() {
            return Err(error::not_supported("column privileges"));
        }
        let name = privilege.name.as_str();
        match name {
            "ALL" if global => names.append(&mut all_global()),
            "ALL" => names.extend(STATIC.iter().filter(|(_, object)| *object).map(|(name, _)| (*name).to_owned())),
            "USAGE" => {}
            "GRANT OPTION" => grant_option = true,
            _ => {
                let is_static = STATIC.iter().find(|(known, _)| *known == name);
                match is_static {
                    Some((_, object)) if global || *object => {}
                    None if name == DROP_ROLE && global => {}
                    None if DYNAMIC.contains(&name) && global => {}
                    Some(_) => {
                        return Err(error::error(1221, "Incorrect usage of DB GRANT and GLOBAL PRIVILEGES"));
                    }
                    None if DYNAMIC.contains(&name) || name == DROP_ROLE => {
                        return Err(error::error(3619, format!("Illegal privilege level specified for {name}")));
                    }
                    None => {
                        return Err(error::error(
                            1149,
                            format!("You have an error in your SQL syntax; unknown privilege '{name}'"),
                        ));
                    }
                }
                names.insert(name.to_owned());
            }
        }
    }
    Ok((names, grant_option))
}

/// The set of an account that a level means.
fn slot<'a>(
    account: &'a mut Account,
    level: &GrantLevel,
    database: Option<&str>,
) -> Result<&'a mut BTreeSet<String>, SqlError> {
    Ok(match level {
        GrantLevel::Global => &mut account.global,
        GrantLevel::CurrentDatabase => {
            let database = database.ok_or_else(error::no_database_selected)?;
            account.databases.entry(database.to_owned()).or_default()
        }
        GrantLevel::Database(pattern) => account.databases.entry(pattern.clone()).or_default(),
        GrantLevel::Table(table) => {
            let schema = table.schema.as_deref().or(database).ok_or_else(error::no_database_selected)?;
            account.tables.entry((schema.to_owned(), table.name.clone())).or_default()
        }
        GrantLevel::Routine(_) => return Err(error::not_supported("routine privileges")),
    })
}

/// `GRANT`. With IDENTIFIED BY, as up to 5.7, the account is created or its password set.
///
/// # Errors
/// 1410 when an account is not there and no password is given; 1221, 3619 for a privilege that the level has not.
pub fn grant(accounts: &Accounts, grant: &Grant, asker: &mut Asker<'_>) -> Result<Vec<CatalogChange>, SqlError> {
    let (names, listed_option) = expand(&grant.privileges, &grant.level)?;
    let grant_option = grant.grant_option || listed_option;
    let mut draft = Draft::new(accounts);
    for user in &grant.users {
        let name = resolve(&user.name, asker);
        let mut account = match draft.get(&name) {
            Some(account) => account.clone(),
            None if user.auth.is_some() => Account::new(),
            None => return Err(error::cannot_create_with_grant()),
        };
        if let Some(auth) = &user.auth {
            apply_auth(&mut account, auth, asker.random)?;
        }
        let global = grant.level == GrantLevel::Global;
        let set = slot(&mut account, &grant.level, asker.database)?;
        set.extend(names.iter().cloned());
        if grant_option && !global {
            set.insert("GRANT OPTION".to_owned());
        }
        account.grant_option |= grant_option && global;
        tidy(&mut account);
        draft.put(name, Some(account));
    }
    Ok(draft.changes())
}

/// `REVOKE`.
///
/// # Errors
/// 1141 when an account has no such grant, 1269 when an account is not there.
pub fn revoke(accounts: &Accounts, revoke: &Revoke, asker: &mut Asker<'_>) -> Result<Vec<CatalogChange>, SqlError> {
    let mut draft = Draft::new(accounts);
    for user in &revoke.users {
        let name = resolve(user, asker);
        let Some(mut account) = draft.get(&name).cloned() else {
            if revoke.if_exists {
                continue;
            }
            return Err(match revoke.level {
                None => error::error(1269, "Can't revoke all privileges for one or more of the requested users"),
                Some(_) => error::no_such_grant(&name.user, &name.host),
            });
        };
        let Some(level) = &revoke.level else {
            account = Account { plugin: account.plugin, stored: account.stored, ..Account::new() };
            draft.put(name, Some(account));
            continue;
        };
        let (names, grant_option) = expand(&revoke.privileges, level)?;
        let global = *level == GrantLevel::Global;
        let set = slot(&mut account, level, asker.database)?;
        if !global && set.is_empty() && !revoke.if_exists {
            return Err(error::no_such_grant(&name.user, &name.host));
        }
        for privilege in &names {
            set.remove(privilege);
        }
        if grant_option {
            set.remove("GRANT OPTION");
            if global {
                account.grant_option = false;
            }
        }
        tidy(&mut account);
        draft.put(name, Some(account));
    }
    Ok(draft.changes())
}

fn tidy(account: &mut Account) {
    account.databases.retain(|_, set| !set.is_empty());
    account.tables.retain(|_, set| !set.is_empty());
}

/// SHOW GRANTS, one line each, as MySQL 8.0 writes them.
#[must_use]
pub fn show_grants(name: &AccountName, account: &Account) -> Vec<String> {
    let ident = |text: &str| format!("`{}`", text.replace('`', "``"));
    let who = format!("{}@{}", ident(&name.user), ident(&name.host));
    let option = |on: bool| if on { " WITH GRANT OPTION" } else { "" };
    let listed = |set: &BTreeSet<String>, object_only: bool| {
        let known = STATIC.iter().filter(|(_, object)| *object || !object_only).map(|(name, _)| *name);
        let known: Vec<&str> = if object_only { known.collect() } else { known.chain([DROP_ROLE]).collect() };
        let has: Vec<&str> = known.iter().copied().filter(|name| set.contains(*name)).collect();
        if has.is_empty() {
            "USAGE".to_owned()
        } else if object_only && has.len() == known.len() {
            "ALL PRIVILEGES".to_owned()
        } else {
            has.join(", ")
        }
    };
    let mut lines =
        vec![format!("GRANT {} ON *.* TO {who}{}", listed(&account.global, false), option(account.grant_option))];
    let dynamic: Vec<&str> = DYNAMIC.into_iter().filter(|name| account.global.contains(*name)).collect();
    if !dynamic.is_empty() {
        lines.push(format!("GRANT {} ON *.* TO {who}{}", dynamic.join(","), option(account.grant_option)));
    }
    for (pattern, set) in &account.databases {
        let (text, with) = (listed(set, true), option(set.contains("GRANT OPTION")));
        lines.push(format!("GRANT {text} ON {}.* TO {who}{with}", ident(pattern)));
    }
    for ((schema, table), set) in &account.tables {
        let (text, with) = (listed(set, true), option(set.contains("GRANT OPTION")));
        lines.push(format!("GRANT {text} ON {}.{} TO {who}{with}", ident(schema), ident(table)));
    }
    lines
}

/// SHOW CREATE USER's text.
#[must_use]
pub fn show_create_user(name: &AccountName, account: &Account) -> String {
    let stored = String::from_utf8_lossy(&account.stored).replace('\\', "\\\\").replace('\'', "\\'");
    let secret = if account.stored.is_empty() { String::new() } else { format!(" AS '{stored}'") };
    format!(
        "CREATE USER `{}`@`{}` IDENTIFIED WITH '{}'{secret} REQUIRE NONE PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK \
         PASSWORD HISTORY DEFAULT PASSWORD REUSE INTERVAL DEFAULT PASSWORD REQUIRE CURRENT DEFAULT",
        name.user.replace('`', "``"),
        name.host.replace('`', "``"),
        account.plugin.name(),
    )
}

/// 1227 unless the account has one of these global privileges.
///
/// # Errors
/// 1227, naming them.
pub fn require_global(account: &Account, privileges: &[&str]) -> Result<(), SqlError> {
    if privileges.iter().any(|privilege| account.has_global(privilege)) {
        Ok(())
    } else {
        Err(error::privilege_needed(privileges.join(" or ")))
    }
}

/// 1142 unless the account has this privilege on the table.
///
/// # Errors
/// 1142, naming the command.
pub fn require_table(
    name: &AccountName,
    account: &Account,
    privilege: &str,
    database: &str,
    table: &str,
) -> Result<(), SqlError> {
    if account.has_on_table(privilege, database, table) {
        Ok(())
    } else {
        Err(error::table_denied(privilege, &name.user, &name.host, table))
    }
}

/// 1044 unless the account has this privilege on the database.
///
/// # Errors
/// 1044.
pub fn require_database(
    name: &AccountName,
    account: &Account,
    privilege: &str,
    database: &str,
) -> Result<(), SqlError> {
    if account.has_on_database(privilege, database) {
        Ok(())
    } else {
        Err(error::database_denied(&name.user, &name.host, database))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::Statement;
    use crate::parse::parse;
    use crate::sysvar::sql_mode::SqlMode;

    /// Runs statements about accounts one after the other, applying each.
    fn run(accounts: &mut Accounts, text: &str) -> Result<(), SqlError> {
        let me = AccountName::new("root", "localhost");
        let mut seed = 1u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            seed
        };
        let mut asker = Asker { name: &me, database: Some("d"), random: &mut random };
        let changes = match parse(text.as_bytes(), SqlMode::DEFAULT)? {
            Statement::CreateUser { users, if_not_exists } => {
                create_users(accounts, &users, if_not_exists, &mut asker)?.0
            }
            Statement::AlterUser { users, if_exists } => alter_users(accounts, &users, if_exists, &mut asker)?,
            Statement::DropUser { users, if_exists } => drop_users(accounts, &users, if_exists, &asker)?,
            Statement::RenameUser(pairs) => rename_users(accounts, &pairs, &asker)?,
            Statement::Grant(statement) => grant(accounts, &statement, &mut asker)?,
            Statement::Revoke(statement) => revoke(accounts, &statement, &mut asker)?,
            other => panic!("{other:?}"),
        };
        for change in changes {
            match change {
                CatalogChange::Create { schema, name, definition, .. } => {
                    assert!(accounts.put(&schema, &name, Csn(1), &definition));
                }
                CatalogChange::Replace { schema, name, definition, version, .. } => {
                    assert!(accounts.put(&schema, &name, version.next(), &definition));
                }
                CatalogChange::Drop { schema, name, .. } => accounts.remove(&schema, &name),
            }
        }
        Ok(())
    }

    #[test]
    fn the_tutorials_replication_user() {
        let mut accounts = Accounts::new();
        run(&mut accounts, "CREATE USER rpl_user@'%'").unwrap();
        run(&mut accounts, "GRANT REPLICATION SLAVE ON *.* TO rpl_user@'%' IDENTIFIED BY 'rpl_pass'").unwrap();
        let (name, account) = accounts.find("rpl_user", "10.0.0.7").unwrap();
        assert_eq!(show_grants(name, account), ["GRANT REPLICATION SLAVE ON *.* TO `rpl_user`@`%`"]);
        let Some(Credential::CachingSha2 { stored, .. }) = account.credential(None) else { panic!() };
        assert!(stored.check_password(b"rpl_pass"));
        assert!(!stored.check_password(b"rpl_pas"));
    }

    #[test]
    fn statements_fail_as_mysqls_do() {
        let mut accounts = Accounts::new();
        run(&mut accounts, "create user a, b@h identified with mysql_native_password by 'x'").unwrap();
        for (text, code) in [
            ("create user a", 1396),
            ("alter user c identified by 'x'", 1396),
            ("drop user c", 1396),
            ("rename user a to b@h", 1396),
            ("grant select on *.* to nobody", 1410),
            ("revoke select on d.* from a", 1141),
            ("revoke all, grant option from nobody", 1269),
            ("grant super on d.* to a", 1221),
            ("grant group_replication_admin on d.* to a", 3619),
            ("grant select (x) on d.t to a", 1235),
            ("create user z identified with nonsense", 1524),
            ("create user z identified with mysql_native_password as 'zzz'", 1827),
        ] {
            assert_eq!(run(&mut accounts, text).expect_err(text).code, code, "{text}");
        }
        run(&mut accounts, "create user if not exists a").unwrap();
        run(&mut accounts, "drop user if exists c, a").unwrap();
        assert!(accounts.get(&AccountName::new("a", "%")).is_none());
        assert_eq!(accounts.get(&AccountName::new("b", "h")).unwrap().plugin, Plugin::Native);
    }

    #[test]
    fn grants_add_up_and_show() {
        let mut accounts = Accounts::new();
        for text in [
            "create user u@localhost",
            "grant select, insert on d.* to u@localhost",
            "grant all on e.* to u@localhost with grant option",
            "grant update on d.t to u@localhost",
            "grant group_replication_admin, process on *.* to u@localhost",
            "revoke insert on d.* from u@localhost",
        ] {
            run(&mut accounts, text).unwrap();
        }
        let name = AccountName::new("u", "localhost");
        let account = accounts.get(&name).unwrap();
        assert_eq!(
            show_grants(&name, account),
            [
                "GRANT PROCESS ON *.* TO `u`@`localhost`",
                "GRANT GROUP_REPLICATION_ADMIN ON *.* TO `u`@`localhost`",
                "GRANT SELECT ON `d`.* TO `u`@`localhost`",
                "GRANT ALL PRIVILEGES ON `e`.* TO `u`@`localhost` WITH GRANT OPTION",
                "GRANT UPDATE ON `d`.`t` TO `u`@`localhost`",
            ]
        );
        assert!(account.has_on_table("UPDATE", "d", "t"));
        assert!(!account.has_on_table("UPDATE", "d", "u"));
        assert!(account.sees_database("d") && !account.sees_database("x"));
        assert_eq!(require_global(account, &["SUPER", "CLONE_ADMIN"]).unwrap_err().code, 1227);
        assert_eq!(require_table(&name, account, "DELETE", "d", "t").unwrap_err().code, 1142);
        assert_eq!(require_database(&name, account, "CREATE", "d").unwrap_err().code, 1044);
        assert!(require_global(&Account::all_powerful(), &["GROUP_REPLICATION_ADMIN"]).is_ok());
    }

    #[test]
    fn the_most_specific_account_wins() {
        let mut accounts = Accounts::new();
        for text in [
            "create user u@'%'",
            "create user u@'10.0.%'",
            "create user u@'10.0.0.1'",
            "create user ''@localhost",
            "create user n@'192.168.0.0/255.255.0.0'",
        ] {
            run(&mut accounts, text).unwrap();
        }
        for (user, host, expected) in [
            ("u", "10.0.0.1", Some("'u'@'10.0.0.1'")),
            ("u", "10.0.9.9", Some("'u'@'10.0.%'")),
            ("u", "172.16.0.1", Some("'u'@'%'")),
            ("u", "localhost", Some("''@'localhost'")),
            ("x", "127.0.0.1", Some("''@'localhost'")),
            ("n", "192.168.3.4", Some("'n'@'192.168.0.0/255.255.0.0'")),
            ("n", "192.169.3.4", None),
            ("x", "10.0.0.1", None),
        ] {
            let found = accounts.find(user, host).map(|(name, _)| name.to_string());
            assert_eq!(found.as_deref(), expected, "{user}@{host}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("%", "", true),
            ("a%b", "axxb", true),
            ("a%b", "axxbc", false),
            ("a_c", "abc", true),
            (r"a\_c", "abc", false),
            (r"a\_c", "a_c", true),
            ("%a%b%", "xxaxxbxx", true),
            ("", "x", false),
        ] {
            assert_eq!(like(pattern, text), fits, "{pattern} {text}");
        }
    }
}
