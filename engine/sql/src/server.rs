//! The SQL half of one member: rows, locks, catalogue and sessions, on one executor.
//!
//! The node calls in order: [`Server::apply_transaction`] or [`Server::apply_ddl`] for CSN 1, 2, 3 ...,
//! then [`Server::set_visible`] once everything up to a CSN is applied. Sessions ([`crate::session`])
//! run beside it as futures; nothing here blocks, and no borrow is held across an await.
//!
//! Invariants:
//! - applied >= visible, and neither falls (but for [`Server::reset`]);
//! - a transaction in `txns` is neither ended nor displaced;
//! - every snapshot that a session reads by is counted in `snapshots`, and collection stops below them.

mod alter;
mod auto_increment;
mod checkpoint;
mod table_locks;
mod wait;

pub(crate) use alter::{duplicate_entry, missing_parent, parent_place};
pub use checkpoint::{RestoreError, RowsCut, RowsState};
pub(crate) use wait::deadlock;
pub use wait::{Ended, SessionHandle, SessionInfo, TxnHandle, UNAUTHENTICATED};

use crate::account::{Account, AccountName, Accounts};
use crate::catalog::{Catalog, DatabaseDefinition, DefinitionError, Effect, Table, TableDefinition};
use crate::counters::{Counter, Counters};
use crate::error::SqlError;
use crate::host::{Host, LocalChange};
use crate::normalize::PlanCache;
use crate::plan::Plan;
use crate::row;
use crate::sysvar::{Globals, Setting};
use crate::value::Value;
use auto_increment::AutoIncrement;
use engine_store::{Change, Divergence, Locks, Space, Store, Txn};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::task::Waker;
use wire::client::auth::FastDigest;
use wire::entry::{ArchivedTransaction, CatalogChange, ObjectKind};
use wire::id::{Csn, TableId};
use wire::mutant::{Mutant, planted};
use wire::rare;

/// Why a certified transaction could not be applied here. The member can't go on as ONLINE.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// What is stored is not what the origin saw.
    #[error(transparent)]
    Diverged(#[from] Divergence),
    /// A change names a table that its transaction does not list.
    #[error("CSN {csn}: a change names table {table} of {tables}")]
    BadTable {
        /// The transaction.
        csn: Csn,
        /// The place in its list that the change names.
        table: u16,
        /// Length of that list.
        tables: usize,
    },
    /// A definition that this version cannot read.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// A stored row that its table's definition cannot explain.
    #[error("CSN {csn}: table {}: {fault}", table.0)]
    Row {
        /// The DDL that met it.
        csn: Csn,
        /// The table.
        table: TableId,
        /// What was found.
        fault: row::RowError,
    },
}

/// Plans kept, and bytes of their texts.
const PLANS_MAX: usize = 4096;
const PLAN_BYTES_MAX: usize = 16 << 20;

/// Bytes of an account of this server alone; `None` where it is gone here alone.
type LocalAccount = Option<Vec<u8>>;

/// The SQL half of one member.
pub struct Server {
    pub(crate) host: Rc<dyn Host>,
    pub(crate) store: RefCell<Store>,
    pub(crate) catalog: RefCell<Catalog>,
    pub(crate) accounts: RefCell<Accounts>,
    /// Accounts of this server alone, by (host, user), `None` for one that is gone here alone: they outlive a
    /// rebuild.
    local_accounts: RefCell<BTreeMap<(String, String), LocalAccount>>,
    /// Settings of this server alone (recovery credentials, installed plugins ...).
    settings: RefCell<BTreeMap<String, String>>,
    /// System variables. The node sets what it decides (`super_read_only`, `server_uuid` ...).
    pub globals: RefCell<Globals>,
    pub(crate) plans: RefCell<PlanCache<Plan>>,
    /// See [`Server::fast_login`]: the stored password that it is of, and the digest.
    fast_logins: RefCell<BTreeMap<AccountName, (Vec<u8>, FastDigest)>>,
    locks: RefCell<Locks>,
    txns: RefCell<BTreeMap<Txn, Rc<TxnHandle>>>,
    next_txn: Cell<u64>,
    applied: Cell<Csn>,
    /// Last AFTER transaction that was applied while some ONLINE member had not applied it.
    held: Cell<Csn>,
    visible: Cell<Csn>,
    visible_waiters: RefCell<Vec<(Csn, Waker)>>,
    /// Snapshots that sessions read by, and how many do.
    snapshots: RefCell<BTreeMap<Csn, u32>>,
    sessions: RefCell<BTreeMap<u32, Rc<SessionHandle>>>,
    next_session: Cell<u32>,
    counters: RefCell<AutoIncrement>,
    /// Named locks: whose they are, and how often.
    named_locks: RefCell<BTreeMap<String, (u32, u64)>>,
    /// Locks of LOCK TABLES.
    table_locks: RefCell<table_locks::TableLocks>,
    /// Last number given to a row of a table without a key.
    row_ids: RefCell<BTreeMap<TableId, u64>>,
    /// What went wrong where a DDL was carried out, for the session that waits for it.
    ddl_failures: RefCell<BTreeMap<Csn, SqlError>>,
    /// Statements and rows of all sessions, and when the server began to count, in microseconds of the monotonic clock.
    pub(crate) tally: Counters,
    began_us: u64,
    /// Connections so far, most at once, and those turned away for being too many.
    pub(crate) connections: Cell<u64>,
    pub(crate) most_sessions: Cell<usize>,
    pub(crate) refused_connections: Cell<u64>,
    /// How often all state was forgotten: transactions begun before are over.
    resets: Cell<u64>,
    shards: usize,
    /// A checkpoint that is being loaded.
    loading: RefCell<Option<checkpoint::Loading>>,
    /// Tables and key spaces dropped so far: they keep no versions.
    drops: Cell<u64>,
    /// Indexes that a DDL was to build, with rows that were equal in them: left out by every member alike.
    left_out: RefCell<BTreeMap<TableId, Vec<u16>>>,
}

/// Most accounts whose logins are remembered.
const FAST_LOGINS_MAX: usize = 10_000;

impl Server {
    /// What lets an account of `caching_sha2_password` in without thousands of rounds of hashing: it did so before,
    /// and its password is the same.
    pub(crate) fn fast_login(&self, name: &AccountName, account: &Account) -> Option<FastDigest> {
        let logins = self.fast_logins.borrow();
        logins.get(name).filter(|(stored, _)| *stored == account.stored).map(|(_, digest)| *digest)
    }

    /// Remembers a login.
    pub(crate) fn learn_login(&self, name: &AccountName, account: &Account, digest: FastDigest) {
        let mut logins = self.fast_logins.borrow_mut();
        if logins.len() >= FAST_LOGINS_MAX {
            logins.clear();
        }
        logins.insert(name.clone(), (account.stored.clone(), digest));
    }
}

impl Server {
    /// A server without any data.
    #[must_use]
    pub fn new(host: Rc<dyn Host>, shards: usize) -> Rc<Self> {
        let began_us = host.now().monotonic_us;
        Rc::new(Self {
            host,
            tally: Counters::default(),
            began_us,
            connections: Cell::new(0),
            most_sessions: Cell::new(0),
            refused_connections: Cell::new(0),
            store: RefCell::new(Store::new(shards)),
            catalog: RefCell::new(Catalog::new()),
            accounts: RefCell::new(Accounts::new()),
            local_accounts: RefCell::default(),
            settings: RefCell::default(),
            globals: RefCell::new(Globals::new()),
            plans: RefCell::new(PlanCache::new(PLANS_MAX, PLAN_BYTES_MAX)),
            fast_logins: RefCell::default(),
            locks: RefCell::new(Locks::new()),
            txns: RefCell::default(),
            next_txn: Cell::new(1),
            applied: Cell::new(Csn(0)),
            held: Cell::new(Csn(0)),
            visible: Cell::new(Csn(0)),
            visible_waiters: RefCell::default(),
            snapshots: RefCell::default(),
            sessions: RefCell::default(),
            next_session: Cell::new(1),
            counters: RefCell::default(),
            named_locks: RefCell::default(),
            table_locks: RefCell::default(),
            row_ids: RefCell::default(),
            ddl_failures: RefCell::default(),
            resets: Cell::new(0),
            shards,
            loading: RefCell::default(),
            drops: Cell::new(0),
            left_out: RefCell::default(),
        })
    }

    // ---- what the member calls, in order ----

    /// Applies transaction `csn`. Local holders of what it changes are rolled back first: appliers never
    /// wait for a lock (`design.md` §5.5).
    ///
    /// # Errors
    /// [`ApplyError`]: the member has to leave.
    pub fn apply_transaction(&self, csn: Csn, transaction: &ArchivedTransaction) -> Result<(), ApplyError> {
        self.note_applied(csn);
        let tables = transaction.tables.as_slice();
        let space = |change: &wire::entry::ArchivedRowChange| {
            let table = change.table.to_native();
            let id = tables.get(usize::from(table)).map(|table| TableId::from(&table.table));
            id.map(|table| Space { table, number: change.space.to_native() }).ok_or(ApplyError::BadTable {
                csn,
                table,
                tables: tables.len(),
            })
        };
        let mut written = Vec::with_capacity(transaction.rows.len());
        for change in transaction.rows.iter() {
            written.push((space(change)?, change.key.as_slice()));
        }
        // A transaction that shares nothing has no parents, or did not ask for them.
        let asks = !transaction.shared.is_empty();
        let parents = if asks { self.parents(csn, transaction)? } else { BTreeSet::new() };
        let shared = parents.iter().map(|(space, key)| (*space, key.as_slice()));
        // Whoever is about to delete a parent that this transaction refers to has looked for children too
        // early. (`design.md` §5.5 [!])
        let displaced = self.locks.borrow_mut().displace(written.iter().copied(), shared);
        for txn in displaced.into_iter().filter(|_| !planted(Mutant::HoldersNotDisplaced)) {
            rare!("an applier displaces the holder of a lock");
            self.displace(txn);
        }
        let mut store = self.store.borrow_mut();
        store.advance(csn);
        let skipped = usize::from(planted(Mutant::HalfApplied) && written.len() > 1);
        for (change, &(space, key)) in transaction.rows.iter().zip(&written).skip(skipped) {
            let before = change.before.as_ref().map(|bytes| bytes.as_slice());
            let after = change.after.as_ref().map(|bytes| bytes.as_slice());
            store.apply(csn, &Change { space, key, before, after })?;
            if space.number == 0
                && before.is_none()
                && let Some(after) = after
            {
                self.raise_counter(space.table, after);
            }
        }
        Ok(())
    }

    /// The keys of the parents that rows of a transaction newly refer to.
    fn parents(&self, csn: Csn, transaction: &ArchivedTransaction) -> Result<BTreeSet<(Space, Vec<u8>)>, ApplyError> {
        let mut found = BTreeSet::new();
        let catalog = self.catalog.borrow();
        for change in transaction.rows.iter().filter(|change| change.space == 0) {
            let listed = transaction.tables.get(usize::from(change.table.to_native()));
            let Some(table) = listed.and_then(|listed| catalog.table_by_id(TableId::from(&listed.table))) else {
                continue;
            };
            let references = catalog.references(table.id);
            let (Some(after), false) = (change.after.as_ref(), references.parents.is_empty()) else { continue };
            let read = |bytes: &[u8]| {
                row::decode(&table.definition, bytes).map_err(|fault| ApplyError::Row { csn, table: table.id, fault })
            };
            let before = change.before.as_ref().map(|bytes| read(bytes)).transpose()?;
            let after = read(after)?;
            for reference in &references.parents {
                let old = before.as_deref().and_then(|row| parent_place(reference, row));
                found.extend(parent_place(reference, &after).filter(|place| Some(place) != old.as_ref()));
            }
        }
        Ok(found)
    }

    /// Carries out what DDL `csn` did to the catalogue, as the group's catalogue decided.
    ///
    /// # Errors
    /// [`ApplyError`]: the member has to leave.
    pub fn apply_ddl(&self, csn: Csn, effects: &[Effect]) -> Result<(), ApplyError> {
        self.note_applied(csn);
        self.store.borrow_mut().advance(csn);
        for effect in effects {
            self.apply_effect(csn, effect)?;
        }
        Ok(())
    }

    /// What went wrong where DDL `csn` was carried out, once.
    pub(crate) fn take_ddl_failure(&self, csn: Csn) -> Option<SqlError> {
        let mut failures = self.ddl_failures.borrow_mut();
        let failure = failures.remove(&csn);
        // Failures of other members' statements have nobody to take them.
        while failures.len() > 1000 {
            failures.pop_first();
        }
        failure
    }

    /// Notes that CSN `csn` changes nothing here (a view's event).
    pub fn apply_nothing(&self, csn: Csn) {
        self.note_applied(csn);
        self.store.borrow_mut().advance(csn);
    }

    /// Lets everything up to `csn` be seen, and wakes whoever waits for it.
    pub fn set_visible(&self, csn: Csn) {
        assert!(csn <= self.applied.get(), "CSN {csn} is to be visible before it is applied");
        if csn <= self.visible.get() {
            return;
        }
        self.visible.set(csn);
        self.visible_waiters.borrow_mut().retain(|(at, waker)| {
            let waits = *at > csn;
            if !waits {
                waker.wake_by_ref();
            }
            waits
        });
    }

    fn note_applied(&self, csn: Csn) {
        assert!(csn > self.applied.get(), "CSN {csn} is applied after {}", self.applied.get());
        self.applied.set(csn);
    }

    fn apply_effect(&self, csn: Csn, effect: &Effect) -> Result<(), ApplyError> {
        let unreadable =
            |kind, schema: &str, name: &str| DefinitionError { kind, schema: schema.to_owned(), name: name.to_owned() };
        match effect {
            Effect::Created { kind, schema, name, id, version, definition } => match kind {
                ObjectKind::Table => {
                    let parsed =
                        TableDefinition::from_bytes(definition).ok_or_else(|| unreadable(*kind, schema, name))?;
                    self.store.borrow_mut().create_table(*id);
                    if parsed.auto_increment > 0 {
                        self.counters.borrow_mut().store(*id, parsed.auto_increment - 1);
                    }
                    let table = Table::new(schema.clone(), name.clone(), *id, *version, parsed);
                    if let Some(from) = TableDefinition::taken_over(definition) {
                        self.take_over(csn, from, &table)?;
                    }
                    self.catalog.borrow_mut().put_table(table);
                }
                ObjectKind::Database => {
                    let parsed =
                        DatabaseDefinition::from_bytes(definition).ok_or_else(|| unreadable(*kind, schema, name))?;
                    self.catalog.borrow_mut().put_database(name, *version, parsed);
                }
                ObjectKind::Account => self.put_account(schema, name, *version, definition)?,
            },
            Effect::Replaced { kind, schema, name, id, version, definition } => match kind {
                ObjectKind::Table => {
                    let parsed =
                        TableDefinition::from_bytes(definition).ok_or_else(|| unreadable(*kind, schema, name))?;
                    if parsed.auto_increment > 0 {
                        self.counters.borrow_mut().store(*id, parsed.auto_increment - 1);
                    }
                    let table = Table::new(schema.clone(), name.clone(), *id, *version, parsed);
                    self.alter_table(csn, table)?;
                }
                ObjectKind::Database => {
                    let parsed =
                        DatabaseDefinition::from_bytes(definition).ok_or_else(|| unreadable(*kind, schema, name))?;
                    self.catalog.borrow_mut().put_database(name, *version, parsed);
                }
                ObjectKind::Account => self.put_account(schema, name, *version, definition)?,
            },
            Effect::Dropped { kind, schema, name, id } => match kind {
                ObjectKind::Table => {
                    self.catalog.borrow_mut().remove_table(schema, name);
                    self.drop_rows(csn, *id);
                }
                ObjectKind::Database => {
                    let tables = self.catalog.borrow_mut().remove_database(name);
                    for table in tables {
                        self.drop_rows(csn, table.id);
                    }
                }
                ObjectKind::Account => self.drop_account(schema, name),
            },
        }
        Ok(())
    }

    fn drop_rows(&self, csn: Csn, table: TableId) {
        self.drops.set(self.drops.get() + 1);
        self.left_out.borrow_mut().remove(&table);
        self.store.borrow_mut().drop_table(csn, table);
        self.counters.borrow_mut().remove(table);
    }

    fn put_account(&self, host: &str, user: &str, version: Csn, definition: &[u8]) -> Result<(), ApplyError> {
        if self.accounts.borrow_mut().put(host, user, version, definition) {
            return Ok(());
        }
        let kind = ObjectKind::Account;
        Err(DefinitionError { kind, schema: host.to_owned(), name: user.to_owned() }.into())
    }

    fn drop_account(&self, host: &str, user: &str) {
        self.accounts.borrow_mut().remove(host, user);
    }

    /// Carries out a change of this server alone: at start what its journal holds, later what was just
    /// written there.
    ///
    /// # Errors
    /// [`DefinitionError`] for an account that this version cannot read.
    pub fn replay_local(&self, change: &LocalChange) -> Result<(), ApplyError> {
        match change {
            LocalChange::Setting { name, value } if name == "plugin/group_replication" => {
                self.globals.borrow_mut().set_plugin_installed(value.is_some());
            }
            LocalChange::Setting { name, value: Some(value) } => {
                self.settings.borrow_mut().insert(name.clone(), value.clone());
            }
            LocalChange::Setting { name, value: None } => {
                self.settings.borrow_mut().remove(name);
            }
            LocalChange::Catalog(changes) => {
                for change in changes {
                    match change {
                        CatalogChange::Create { kind: ObjectKind::Account, schema, name, definition, .. }
                        | CatalogChange::Replace { kind: ObjectKind::Account, schema, name, definition, .. } => {
                            self.put_account(schema, name, Csn(0), definition)?;
                            let key = (schema.clone(), name.clone());
                            self.local_accounts.borrow_mut().insert(key, Some(definition.clone()));
                        }
                        CatalogChange::Drop { kind: ObjectKind::Account, schema, name, .. } => {
                            self.drop_account(schema, name);
                            self.local_accounts.borrow_mut().insert((schema.clone(), name.clone()), None);
                        }
                        // Only accounts are ever local: tables must be the same everywhere.
                        CatalogChange::Create { .. } | CatalogChange::Replace { .. } | CatalogChange::Drop { .. } => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// Variables that SET PERSIST keeps, by name: what the node gives to `globals` at start, after option
    /// files.
    #[must_use]
    pub fn persisted(&self) -> Vec<(String, String)> {
        let settings = self.settings.borrow();
        let persisted = settings.iter().filter_map(|(name, value)| Some((name.strip_prefix("persist/")?, value)));
        persisted.map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }

    /// A setting of this server alone, such as `channel/group_replication_recovery/user`.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<String> {
        self.settings.borrow().get(name).cloned()
    }

    /// Forgets all replicated state: what precedes a rebuild from a donor. Sessions stay, without
    /// their transactions.
    pub fn reset(&self) {
        self.end_transactions();
        self.store.borrow_mut().clear();
        self.drops.set(self.drops.get() + 1);
        self.left_out.borrow_mut().clear();
        self.resets.set(self.resets.get() + 1);
        *self.catalog.borrow_mut() = Catalog::new();
        *self.counters.borrow_mut() = AutoIncrement::default();
        let mut accounts = Accounts::new();
        for ((host, user), definition) in self.local_accounts.borrow().iter() {
            if let Some(definition) = definition {
                accounts.put(host, user, Csn(0), definition);
            }
        }
        *self.accounts.borrow_mut() = accounts;
        self.plans.borrow_mut().clear();
        self.ddl_failures.borrow_mut().clear();
        self.applied.set(Csn(0));
        self.held.set(Csn(0));
        self.visible.set(Csn(0));
    }

    /// How often [`Server::reset`] was called.
    pub(crate) fn resets(&self) -> u64 {
        self.resets.get()
    }

    // ---- what the member asks ----

    /// The snapshot that a new reader gets.
    #[must_use]
    pub fn visible(&self) -> Csn {
        self.visible.get()
    }

    /// Last CSN applied: beyond the visible one while an AFTER transaction waits for other members.
    #[must_use]
    pub fn applied(&self) -> Csn {
        self.applied.get()
    }

    /// An AFTER transaction is applied here and not yet everywhere: new snapshots wait until it is visible.
    pub fn hold(&self, csn: Csn) {
        self.held.set(self.held.get().max(csn));
    }

    /// The last one of those.
    pub(crate) fn held(&self) -> Csn {
        self.held.get()
    }

    /// The least snapshot that this member may still propose: proposals carry the visible CSN of their
    /// own moment (`design.md` §5.3), whatever they read by. Never falls.
    #[must_use]
    pub fn least_snapshot(&self) -> Csn {
        self.visible.get()
    }

    /// The least snapshot that somebody here reads by, or may begin to.
    #[must_use]
    pub fn read_floor(&self) -> Csn {
        self.snapshots.borrow().keys().next().map_or(self.visible.get(), |&oldest| oldest.min(self.visible.get()))
    }

    /// Drops versions that nobody can see any more: below `floor` and below what is read here. At most
    /// `budget` steps; true when nothing is left to do.
    pub fn gc(&self, floor: Csn, budget: usize) -> bool {
        self.store.borrow_mut().collect(floor.min(self.read_floor()), budget)
    }

    /// Digest of all rows and index entries, and the CSN that it is of.
    #[must_use]
    pub fn digest(&self) -> (Csn, u64) {
        (self.applied.get(), self.store.borrow().digest())
    }

    /// The same from a full scan, for checkers.
    #[must_use]
    pub fn recompute_digest(&self) -> u64 {
        self.store.borrow().recompute_digest()
    }

    /// Keys that hold a row or an index entry.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.store.borrow().rows() as usize
    }

    /// Bytes that rows and index entries take.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.store.borrow().bytes()
    }

    /// Sets `super_read_only`, and `read_only` with it, as a member's role has them.
    pub fn set_read_only(&self, on: bool) {
        let mut globals = self.globals.borrow_mut();
        globals.put("super_read_only", Setting::Bool(on));
        globals.put("read_only", Setting::Bool(on));
    }

    /// Rolls back every local transaction that was not proposed yet (the member leaves, or must not
    /// write any more). Proposed ones end as the order, or the host, says.
    pub fn end_transactions(&self) {
        let open: Vec<Txn> = {
            let txns = self.txns.borrow();
            txns.values().filter(|handle| !handle.is_proposed()).map(|handle| handle.id()).collect()
        };
        for txn in open {
            self.displace(txn);
        }
    }

    /// Ends every session: its transaction is rolled back, its connection closes with `ended`'s error.
    pub fn end_sessions(&self, ended: Ended) {
        self.end_transactions();
        for session in self.sessions.borrow().values() {
            session.end(ended);
        }
    }

    /// `offline_mode` came on: ends the sessions of all who may not administer connections.
    pub fn end_ordinary_sessions(&self) {
        let accounts = self.accounts.borrow();
        for session in self.sessions.borrow().values() {
            let info = session.info.borrow();
            if info.user == UNAUTHENTICATED {
                continue; // Who logs in is judged at its login.
            }
            let host = info.host.rsplit_once(':').map_or(&*info.host, |(host, _)| host);
            let account = accounts.find(&info.user, host);
            if !account.is_some_and(|(_, account)| account.has_global("CONNECTION_ADMIN")) {
                session.end(Ended::Killed);
            }
        }
    }

    // ---- counters that clients see ----

    /// Statements that clients sent since the start.
    #[must_use]
    pub fn questions(&self) -> u64 {
        self.tally.get(Counter::Questions)
    }

    /// Seconds since the start.
    #[must_use]
    pub fn uptime_s(&self) -> u64 {
        self.host.now().monotonic_us.saturating_sub(self.began_us) / 1_000_000
    }

    // ---- AUTO_INCREMENT ----

    fn raise_counter(&self, table: TableId, stored: &[u8]) {
        let table = self.catalog.borrow().table_by_id(table).cloned();
        let Some(table) = table else { return };
        let Some(column) = table.auto_increment() else { return };
        let wanted: Vec<bool> = (0..table.definition.columns.len()).map(|at| at == column).collect();
        let Ok(row) = row::decode_columns(&table.definition, stored, Some(&wanted)) else { return };
        if let Some(value) = counted(&row[column]) {
            self.counters.borrow_mut().store(table.id, value);
        }
    }

    /// A statement gives an AUTO_INCREMENT column a value of its own.
    pub(crate) fn note_counter(&self, table: TableId, value: &Value) {
        if let Some(value) = counted(value) {
            self.counters.borrow_mut().give(table, value);
        }
    }

    /// Rows that are locked, or waited for.
    #[must_use]
    pub fn locked_rows(&self) -> usize {
        self.locks.borrow().len()
    }

    // ---- named locks ----

    /// Who holds a named lock; one of a session that has ended is free.
    pub(crate) fn lock_holder(&self, name: &str) -> Option<u32> {
        let holder = self.named_locks.borrow().get(name).map(|(holder, _)| *holder)?;
        self.sessions.borrow().contains_key(&holder).then_some(holder)
    }

    /// Takes a named lock, if nobody else has it.
    pub(crate) fn take_lock(&self, name: &str, session: u32) -> bool {
        match self.lock_holder(name) {
            Some(holder) if holder != session => false,
            holder => {
                let mut locks = self.named_locks.borrow_mut();
                let lock = locks.entry(name.to_owned()).or_insert((session, 0));
                *lock = if holder.is_some() { (session, lock.1 + 1) } else { (session, 1) };
                true
            }
        }
    }

    /// Gives a named lock back once: `Some(false)` when it is another's, `None` when nobody has it.
    pub(crate) fn give_lock(&self, name: &str, session: u32) -> Option<bool> {
        if self.lock_holder(name)? != session {
            return Some(false);
        }
        let mut locks = self.named_locks.borrow_mut();
        let lock = locks.get_mut(name)?;
        lock.1 -= 1;
        if lock.1 == 0 {
            locks.remove(name);
        }
        Some(true)
    }

    /// Gives back all that a session has; how many times it had taken one.
    pub(crate) fn release_locks(&self, session: u32) -> u64 {
        let mut locks = self.named_locks.borrow_mut();
        let count = locks.values().filter(|(holder, _)| *holder == session).map(|(_, count)| count).sum();
        locks.retain(|_, (holder, _)| *holder != session);
        count
    }

    /// The next number for a row without a key: above all that are stored or were given.
    pub(crate) fn next_row_id(&self, table: TableId) -> u64 {
        let space = Space { table, number: 0 };
        let store = self.store.borrow();
        let last = store.scan_newest(space, &engine_store::Range::all(), true).next();
        let last = last.and_then(|entry| Some(u64::from_be_bytes(entry.key.try_into().ok()?))).unwrap_or(0);
        let mut given = self.row_ids.borrow_mut();
        let id = given.entry(table).or_insert(0);
        // 2^64 rows are never made.
        *id = last.max(*id) + 1;
        *id
    }

    /// The next value of an AUTO_INCREMENT column: above everything seen, and `offset` modulo
    /// `increment`. `None` when 64 bits are used up.
    pub(crate) fn next_counter(&self, table: TableId, increment: u64, offset: u64) -> Option<u64> {
        let increment = increment.max(1);
        // MySQL ignores an offset above the increment.
        let offset = if offset == 0 || offset > increment { 1 } else { offset };
        let mut counters = self.counters.borrow_mut();
        let last = counters.last(table);
        let next = if last < offset {
            offset
        } else {
            let steps = (last - offset) / increment + 1;
            steps.checked_mul(increment)?.checked_add(offset)?
        };
        counters.give(table, next);
        Some(next)
    }

    /// What the next value of an AUTO_INCREMENT column would be at least.
    pub(crate) fn peek_counter(&self, table: TableId) -> u64 {
        self.counters.borrow().last(table).saturating_add(1)
    }
}

/// What an AUTO_INCREMENT column counts by a value.
fn counted(value: &Value) -> Option<u64> {
    match value {
        Value::Int(value) => u64::try_from(*value).ok().filter(|value| *value > 0),
        Value::UInt(value) => Some(*value),
        _ => None,
    }
}
