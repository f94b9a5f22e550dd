//! Locks of LOCK TABLES. They are this member's own: they hold off its other sessions, never the group's transactions.
//!
//! Who asks for locks holds none (LOCK TABLES gives up those before it) and gets all or nothing, and who holds some uses
//! no other tables: so nobody waits here for somebody who waits here. Tables are known by name, so that a lock outlives
//! TRUNCATE TABLE.
//!
//! Absent on purpose: waiting for transactions that have only read a table. Their snapshots see none of what the holder
//! of the lock does, and their next change waits.

use super::{Server, SessionHandle};
use crate::error::{SqlError, error};
use crate::plan::TableUse;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Longest pause between two looks, in microseconds.
const LOOK_US: u64 = 10_000;

/// A locked table: (schema, name, WRITE).
pub(crate) type LockedTable = (String, String, bool);

/// Which session holds what.
#[derive(Debug, Default)]
pub(super) struct TableLocks(BTreeMap<u32, Vec<LockedTable>>);

impl TableLocks {
    /// Whether another session's lock stands against such a use.
    fn against(&self, session: u32, schema: &str, name: &str, write: bool) -> bool {
        let others = self.0.iter().filter(|(holder, _)| **holder != session);
        others.flat_map(|(_, tables)| tables).any(|(of, table, exclusive)| {
            (*exclusive || write) && of.eq_ignore_ascii_case(schema) && table.eq_ignore_ascii_case(name)
        })
    }
}

impl Server {
    /// Whether any session holds locks of LOCK TABLES.
    fn has_table_locks(&self) -> bool {
        !self.table_locks.borrow().0.is_empty()
    }

    /// What a statement uses, with the tables that foreign keys lead it to.
    fn with_relatives(&self, uses: &[TableUse]) -> Vec<LockedTable> {
        let catalog = self.catalog.borrow();
        let mut all: Vec<LockedTable> = Vec::new();
        for used in uses {
            all.push((used.schema.clone(), used.name.clone(), used.write));
            let Some(table) = catalog.table(&used.schema, &used.name).filter(|_| used.write) else { continue };
            let references = catalog.references(table.id);
            let parents = references.parents.iter().filter_map(|reference| reference.parent.as_ref());
            all.extend(parents.map(|parent| (parent.schema.clone(), parent.name.clone(), false)));
            let children = references.children.iter().map(|reference| &reference.child);
            all.extend(children.map(|child| (child.schema.clone(), child.name.clone(), true)));
        }
        all
    }

    /// Waits until no other session's locks stand against what a statement uses, and notes that it is in use until the
    /// answer is dropped.
    ///
    /// # Errors
    /// 1205 after `timeout_us`; 1317.
    pub(crate) async fn use_tables(
        &self,
        session: &Rc<SessionHandle>,
        uses: &Rc<[TableUse]>,
        timeout_us: u64,
    ) -> Result<InUse, SqlError> {
        if self.has_table_locks() {
            let all = self.with_relatives(uses);
            let free = || {
                let locks = self.table_locks.borrow();
                !all.iter().any(|(schema, name, write)| locks.against(session.id(), schema, name, *write))
            };
            self.await_free(session, timeout_us, free).await?;
        }
        *session.uses.borrow_mut() = Some(uses.clone());
        Ok(InUse(session.clone()))
    }

    /// Takes the locks of LOCK TABLES, all at once.
    ///
    /// # Errors
    /// 1205 after `timeout_us`; 1317.
    pub(crate) async fn lock_tables(
        &self,
        session: &Rc<SessionHandle>,
        wanted: Vec<LockedTable>,
        timeout_us: u64,
    ) -> Result<(), SqlError> {
        self.await_free(session, timeout_us, || self.can_lock(session.id(), &wanted)).await?;
        self.table_locks.borrow_mut().0.insert(session.id(), wanted);
        Ok(())
    }

    fn can_lock(&self, session: u32, wanted: &[LockedTable]) -> bool {
        let locks = self.table_locks.borrow();
        if wanted.iter().any(|(schema, name, write)| locks.against(session, schema, name, *write)) {
            return false;
        }
        let catalog = self.catalog.borrow();
        let rows = self.locks.borrow();
        let changed = |(schema, name, _): &LockedTable| {
            catalog.table(schema, name).is_some_and(|table| rows.is_table_locked(table.id))
        };
        if wanted.iter().any(changed) {
            return false;
        }
        let sessions = self.sessions.borrow();
        let others = sessions.values().filter(|other| other.id() != session);
        let mut uses = others.filter_map(|other| other.uses.borrow().clone());
        !uses.any(|uses| {
            self.with_relatives(&uses).iter().any(|(schema, name, write)| {
                wanted.iter().any(|(of, table, exclusive)| {
                    (*exclusive || *write) && of.eq_ignore_ascii_case(schema) && table.eq_ignore_ascii_case(name)
                })
            })
        })
    }

    async fn await_free(
        &self,
        session: &SessionHandle,
        timeout_us: u64,
        free: impl Fn() -> bool,
    ) -> Result<(), SqlError> {
        let deadline = self.host.now().monotonic_us.saturating_add(timeout_us);
        while !free() {
            session.info.borrow_mut().state = "Waiting for table metadata lock";
            let now = self.host.now().monotonic_us;
            if now >= deadline {
                return Err(error(1205, "Lock wait timeout exceeded; try restarting transaction"));
            }
            self.sleep(session, (deadline - now).min(LOOK_US)).await?;
        }
        Ok(())
    }

    /// Gives a session's locks up; whether it had any.
    pub(crate) fn unlock_tables(&self, session: u32) -> bool {
        self.table_locks.borrow_mut().0.remove(&session).is_some()
    }
}

/// A statement that is running: its tables are in use.
pub(crate) struct InUse(Rc<SessionHandle>);

impl Drop for InUse {
    fn drop(&mut self) {
        *self.0.uses.borrow_mut() = None;
    }
}
