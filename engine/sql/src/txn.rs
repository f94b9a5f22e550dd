//! A transaction of one session: what it reads by, what it has locked, and what it has written but
//! nobody else may see.
//!
//! Uncommitted rows live in the overlay here, never in the store. The list of changes is the undo log
//! too: a failed statement, or ROLLBACK TO, takes its changes back from the end.
//!
//! Invariants:
//! - every key in the overlay is locked exclusively by the transaction;
//! - `changes[i].before` is what the overlay, or else the newest visible version, held before it.

use crate::ast::Isolation;
use crate::catalog::Table;
use crate::error::{SqlError, error};
use crate::server::{Server, SessionHandle, TxnHandle, deadlock};
use engine_store::{Mode, Space};
use std::collections::BTreeMap;
use std::rc::Rc;
use wire::entry::{Gtid, RowChange, TableVersion, Transaction as Proposal};
use wire::id::{Csn, TableId};
use wire::mutant::{Mutant, planted};
use wire::rare;

/// Stored bytes, shared between the overlay and the list of changes.
pub type Bytes = Rc<[u8]>;

#[derive(Debug)]
struct Change {
    space: Space,
    key: Bytes,
    before: Option<Bytes>,
    after: Option<Bytes>,
    statement_end: bool,
    /// First change of its key: undoing it leaves no trace in the overlay.
    first: bool,
    /// Length of `written` before it.
    written: usize,
}

/// How a transaction reads.
#[derive(Clone, Copy, Debug)]
pub struct ReadRules {
    /// READ COMMITTED has a snapshot per statement, REPEATABLE READ one for all.
    pub isolation: Isolation,
    /// `innodb_snapshot_isolation`: locking a row that is newer than the snapshot is 1213.
    pub snapshot_isolation: bool,
    /// `innodb_lock_wait_timeout`; `None` for NOWAIT.
    pub lock_timeout_us: Option<u64>,
}

/// A transaction of one session.
pub struct Transaction {
    server: Rc<Server>,
    /// How it reads.
    pub rules: ReadRules,
    /// READ ONLY: data changes are refused (1792).
    pub read_only: bool,
    /// Opened by BEGIN (or by `autocommit=0`): goes on after the statement.
    pub explicit: bool,
    /// It has waited for what its consistency level has it wait for at its beginning.
    pub admitted: bool,
    /// The primary epoch at its beginning: the certifier refuses a stale one.
    primary_epoch: u64,
    handle: Option<Rc<TxnHandle>>,
    snapshot: Option<Csn>,
    overlay: BTreeMap<Space, BTreeMap<Bytes, Option<Bytes>>>,
    changes: Vec<Change>,
    written: Vec<u64>,
    read: Vec<u64>,
    /// Hashes of referenced parents.
    shared: Vec<u64>,
    tables: BTreeMap<TableId, Csn>,
    savepoints: Vec<(String, usize)>,
    bytes: usize,
    /// [`Server::resets`] at its beginning.
    resets: u64,
}

/// A place in a transaction to come back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(usize);

impl Transaction {
    /// Begins a transaction. Takes neither snapshot nor lock yet.
    #[must_use]
    pub fn new(server: Rc<Server>, rules: ReadRules, read_only: bool, explicit: bool) -> Self {
        let primary_epoch = server.host.primary_epoch();
        let resets = server.resets();
        Self {
            server,
            rules,
            read_only,
            explicit,
            admitted: false,
            primary_epoch,
            handle: None,
            snapshot: None,
            overlay: BTreeMap::new(),
            changes: Vec::new(),
            written: Vec::new(),
            read: Vec::new(),
            shared: Vec::new(),
            tables: BTreeMap::new(),
            savepoints: Vec::new(),
            bytes: 0,
            resets,
        }
    }

    /// The server it runs on.
    #[must_use]
    pub fn server(&self) -> &Rc<Server> {
        &self.server
    }

    /// Whether it has changed anything.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Whether it was rolled back from outside. Then nothing of it is left but this object.
    #[must_use]
    pub fn is_displaced(&self) -> bool {
        self.resets != self.server.resets() || self.handle.as_ref().is_some_and(|handle| handle.is_displaced())
    }

    /// # Errors
    /// 1213 when it was rolled back from outside.
    pub fn check(&self) -> Result<(), SqlError> {
        if self.is_displaced() { Err(deadlock()) } else { Ok(()) }
    }

    fn handle(&mut self) -> Rc<TxnHandle> {
        let server = &self.server;
        self.handle.get_or_insert_with(|| server.begin()).clone()
    }

    /// Its handle, once it has locked something.
    #[must_use]
    pub fn open_handle(&self) -> Option<&TxnHandle> {
        self.handle.as_deref()
    }

    // ---- reading ----

    /// The snapshot that a plain read uses now; taken if there is none.
    pub fn snapshot(&mut self) -> Csn {
        if planted(Mutant::SnapshotMoves) {
            self.close_snapshot();
        }
        let server = &self.server;
        *self.snapshot.get_or_insert_with(|| server.open_snapshot())
    }

    /// Whether it reads by a snapshot already.
    #[must_use]
    pub fn has_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Whether it has read or locked anything.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.snapshot.is_some() || self.handle.is_some() || !self.tables.is_empty()
    }

    /// A statement ends: READ COMMITTED gives its snapshot back.
    pub fn end_statement(&mut self) {
        if matches!(self.rules.isolation, Isolation::ReadCommitted | Isolation::ReadUncommitted) {
            self.close_snapshot();
        }
        if let Some(last) = self.changes.last_mut() {
            last.statement_end = true;
        }
    }

    fn close_snapshot(&mut self) {
        if let Some(csn) = self.snapshot.take() {
            self.server.close_snapshot(csn);
        }
    }

    /// Notes that the transaction executes under this version of a table.
    ///
    /// # Errors
    /// 1412 when it began under another one.
    pub fn touch(&mut self, table: &Table) -> Result<(), SqlError> {
        let version = *self.tables.entry(table.id).or_insert(table.version);
        if version == table.version {
            return Ok(());
        }
        Err(error(1412, "Table definition has changed, please retry transaction"))
    }

    /// What this transaction itself holds at a key: `Some(None)` is "deleted here".
    #[must_use]
    pub fn own(&self, space: Space, key: &[u8]) -> Option<&Option<Bytes>> {
        self.overlay.get(&space)?.get(key)
    }

    /// Its own keys of a space.
    #[must_use]
    pub fn own_keys(&self, space: Space) -> Option<&BTreeMap<Bytes, Option<Bytes>>> {
        self.overlay.get(&space)
    }

    /// A row by its key at the transaction's snapshot, its own changes included.
    pub fn get(&mut self, space: Space, key: &[u8]) -> Option<Bytes> {
        if let Some(own) = self.own(space, key) {
            return own.clone();
        }
        let at = self.snapshot();
        self.server.store.borrow().get(space, key, at).map(Bytes::from)
    }

    /// Locks a key and reads its newest row.
    ///
    /// # Errors
    /// 1213, 1205, 1317, 3572. After 1213 the transaction must be rolled back.
    pub async fn lock(
        &mut self,
        session: &SessionHandle,
        space: Space,
        key: &[u8],
        mode: Mode,
    ) -> Result<Option<Bytes>, SqlError> {
        let repeatable = matches!(self.rules.isolation, Isolation::RepeatableRead | Isolation::Serializable);
        let checked = repeatable && self.rules.snapshot_isolation && !planted(Mutant::LostUpdateAllowed);
        let snapshot = self.snapshot.filter(|_| checked);
        self.lock_current(session, space, key, mode, snapshot).await
    }

    /// Locks a key and reads its newest row, whatever the transaction's snapshot is: checks of foreign keys
    /// are about what is there now. A row later than `snapshot` is 1213.
    ///
    /// # Errors
    /// See [`Transaction::lock`].
    pub async fn lock_current(
        &mut self,
        session: &SessionHandle,
        space: Space,
        key: &[u8],
        mode: Mode,
        snapshot: Option<Csn>,
    ) -> Result<Option<Bytes>, SqlError> {
        let handle = self.handle();
        self.server.lock(session, &handle, space, key, mode, self.rules.lock_timeout_us).await?;
        if let Some(own) = self.own(space, key) {
            return Ok(own.clone());
        }
        loop {
            let newest = {
                let store = self.server.store.borrow();
                store.newest(space, key).map(|(csn, row)| (csn, row.map(Bytes::from)))
            };
            let Some((csn, row)) = newest else { return Ok(None) };
            // What is above the visible CSN may not be built upon yet, a tombstone neither: the proposal's
            // snapshot would be below it, and lose. (`design.md` §5.1 [!])
            if csn > self.server.visible() && !planted(Mutant::NewerNotAwaited) {
                rare!("a lock waits until the newest version is visible");
                self.server.wait_visible(session, Some(&handle), csn).await?;
                continue;
            }
            if snapshot.is_some_and(|snapshot| csn > snapshot) {
                return Err(deadlock());
            }
            return Ok(row);
        }
    }

    /// Notes hashes of a row that is locked but not changed.
    pub fn note_read(&mut self, hashes: &[u64]) {
        self.read.extend_from_slice(hashes);
    }

    /// Notes the hash of a parent that a row of this transaction refers to; its key is locked.
    pub fn note_shared(&mut self, hash: u64) {
        self.shared.push(hash);
    }

    // ---- writing ----

    /// Changes a key that is locked exclusively; `hashes` are of the images.
    pub fn put(&mut self, space: Space, key: &[u8], before: Option<Bytes>, after: Option<Bytes>, hashes: &[u64]) {
        let key = Bytes::from(key);
        let written = self.written.len();
        self.written.extend_from_slice(hashes);
        self.bytes +=
            32 + key.len() + before.as_ref().map_or(0, |row| row.len()) + after.as_ref().map_or(0, |row| row.len());
        let first = self.overlay.entry(space).or_default().insert(key.clone(), after.clone()).is_none();
        self.changes.push(Change { space, key, before, after, statement_end: false, first, written });
    }

    /// Rough size of its proposal in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// This place, to come back to.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.changes.len())
    }

    /// Takes back everything changed since `mark`. Locks stay.
    pub fn rollback_to(&mut self, mark: Mark) {
        while self.changes.len() > mark.0 {
            let Some(change) = self.changes.pop() else { break };
            self.written.truncate(change.written);
            self.bytes -= 32
                + change.key.len()
                + change.before.as_ref().map_or(0, |row| row.len())
                + change.after.as_ref().map_or(0, |row| row.len());
            let Some(keys) = self.overlay.get_mut(&change.space) else { continue };
            if change.first {
                keys.remove(&change.key);
            } else {
                keys.insert(change.key, change.before);
            }
        }
        self.savepoints.retain(|(_, at)| *at <= mark.0);
    }

    /// SAVEPOINT: an older one of the name goes.
    pub fn savepoint(&mut self, name: &str) {
        self.savepoints.retain(|(old, _)| !old.eq_ignore_ascii_case(name));
        self.savepoints.push((name.to_owned(), self.changes.len()));
    }

    fn find_savepoint(&self, name: &str) -> Result<usize, SqlError> {
        let found = self.savepoints.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
        found.ok_or_else(|| error(1305, format!("SAVEPOINT {name} does not exist")))
    }

    /// ROLLBACK TO: later savepoints go, this one stays.
    ///
    /// # Errors
    /// 1305.
    pub fn rollback_to_savepoint(&mut self, name: &str) -> Result<(), SqlError> {
        let at = self.find_savepoint(name)?;
        self.savepoints.truncate(at + 1);
        self.rollback_to(Mark(self.savepoints[at].1));
        Ok(())
    }

    /// RELEASE SAVEPOINT: it and later ones go.
    ///
    /// # Errors
    /// 1305.
    pub fn release_savepoint(&mut self, name: &str) -> Result<(), SqlError> {
        let at = self.find_savepoint(name)?;
        self.savepoints.truncate(at);
        Ok(())
    }

    // ---- ending ----

    /// What to propose: the snapshot is the visible CSN of this moment. Everything that it builds upon is
    /// locked here and visible.
    #[must_use]
    pub fn proposal(&self, gtid: Option<Gtid>, server_id: u32, session: u32) -> Proposal {
        let tables: Vec<TableVersion> =
            self.tables.iter().map(|(&table, &version)| TableVersion { table, version }).collect();
        let place = |table: TableId| {
            let at = tables.binary_search_by_key(&table, |listed| listed.table);
            at.expect("a changed table was touched first") as u16
        };
        let rows = self.changes.iter().map(|change| RowChange {
            table: place(change.space.table),
            space: change.space.number,
            statement_end: change.statement_end,
            key: change.key.to_vec(),
            before: change.before.as_deref().map(<[u8]>::to_vec),
            after: change.after.as_deref().map(<[u8]>::to_vec),
        });
        let rows = rows.collect();
        let sorted = |hashes: &[u64]| {
            let mut hashes = hashes.to_vec();
            hashes.sort_unstable();
            hashes.dedup();
            hashes
        };
        let written = sorted(&self.written);
        let mut read = sorted(&self.read);
        read.retain(|hash| written.binary_search(hash).is_err());
        let mut shared = sorted(&self.shared);
        // A parent that is written here too is protected as such.
        shared.retain(|hash| written.binary_search(hash).is_err());
        Proposal {
            snapshot: if planted(Mutant::SnapshotTooLate) {
                self.server.visible().next()
            } else {
                self.server.visible()
            },
            primary_epoch: self.primary_epoch,
            gtid,
            after: false,
            committed_at_us: self.server.host.now().unix_us,
            server_id,
            session,
            tables,
            written,
            shared,
            read,
            rows,
        }
    }

    /// From here the order decides: appliers leave its locks alone.
    pub fn set_proposed(&mut self) {
        let handle = self.handle();
        self.server.set_proposed(&handle);
    }

    /// The host refused it: it is open again.
    pub fn clear_proposed(&mut self) {
        if let Some(handle) = &self.handle {
            self.server.clear_proposed(handle);
        }
    }
}

impl Drop for Transaction {
    /// However it ends, its locks and its snapshot go. (A proposed one is kept until its outcome is visible.)
    fn drop(&mut self) {
        self.close_snapshot();
        if let Some(handle) = &self.handle {
            self.server.end(handle);
        }
    }
}
