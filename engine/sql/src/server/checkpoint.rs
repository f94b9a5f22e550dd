//! The rows' half of a checkpoint: read in slices while sessions go on, and put back in one step.
//!
//! Invariant: what is restored is what a member that never restarted has at that CSN; the local journal (changes
//! made with `SQL_LOG_BIN=0`) is laid over it again.

use super::auto_increment::AutoIncrement;
use super::{ApplyError, Server};
use crate::catalog::Effect;
use engine_store::{Store, StreamCursor, StreamError};
use std::collections::BTreeMap;
use wire::entry::ObjectKind;
use wire::id::{Csn, TableId};

/// Keys looked at in one slice: some 20 us.
const KEYS_PER_SLICE: usize = 100;
/// A piece of the stream is about this long.
const PIECE_BYTES: usize = 256 << 10;

/// What the rows add to a checkpoint's head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowsState {
    /// Digest of all rows and index entries.
    pub digest: u64,
    /// Greatest value stored of each AUTO_INCREMENT column.
    pub counters: Vec<(TableId, u64)>,
    /// Indexes that a DDL was to build and every member left out.
    pub left_out: Vec<(TableId, u16)>,
}

/// Rows being read as of one CSN.
#[derive(Debug)]
pub struct RowsCut {
    csn: Csn,
    cursor: StreamCursor,
    /// Tables and indexes dropped before it began: what is dropped later would be missing.
    drops: u64,
    /// Digest of all rows as of the CSN, and of those read so far.
    expected: u64,
    sum: u64,
}

impl RowsCut {
    /// At the end: by how much the rows that were read differ from their digest; 0 when each is what was stored.
    #[must_use]
    pub fn difference(&self) -> u64 {
        self.sum.wrapping_sub(self.expected)
    }
}

/// Why a checkpoint cannot be put back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// A piece of rows is malformed.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The catalogue is one that this version cannot read.
    #[error(transparent)]
    Catalog(#[from] ApplyError),
    /// No checkpoint is being put back.
    #[error("no checkpoint was begun")]
    Nothing,
    /// The rows are not those that the checkpoint was cut of.
    #[error("the rows of the checkpoint have digest {found:#018x}, expected {expected:#018x}")]
    Digest {
        /// As the head says.
        expected: u64,
        /// Of what was loaded.
        found: u64,
    },
}

/// Rows that are being loaded beside what is served.
#[derive(Debug)]
pub(super) struct Loading {
    store: Store,
    csn: Csn,
    effects: Vec<Effect>,
    rows: RowsState,
}

impl Server {
    /// Begins to read all rows as of the last transaction applied, visible or not: the snapshot of a reader
    /// that nobody hears of.
    #[must_use]
    pub fn begin_cut(&self) -> (RowsCut, RowsState) {
        let csn = self.applied.get();
        *self.snapshots.borrow_mut().entry(csn).or_insert(0) += 1;
        let store = self.store.borrow();
        let counters = self.counters.borrow().image();
        let left_out = self.left_out.borrow();
        let left_out = left_out.iter().flat_map(|(&table, spaces)| spaces.iter().map(move |&space| (table, space)));
        let rows = RowsState { digest: store.digest(), counters, left_out: left_out.collect() };
        let expected = rows.digest;
        (RowsCut { csn, cursor: store.stream_from(csn), drops: self.drops.get(), expected, sum: 0 }, rows)
    }

    /// Whether nothing that is still to be read was dropped.
    #[must_use]
    pub fn cut_is_whole(&self, cut: &RowsCut) -> bool {
        cut.drops == self.drops.get()
    }

    /// The next slice of rows; true at the end.
    pub fn read_cut(&self, cut: &mut RowsCut, out: &mut Vec<u8>) -> bool {
        self.store.borrow().stream(&mut cut.cursor, (KEYS_PER_SLICE, PIECE_BYTES), &mut cut.sum, out)
    }

    /// Reads the next rows without keeping them; true at the end.
    pub fn scrub(&self, cut: &mut RowsCut, keys_max: usize) -> bool {
        self.store.borrow().scrub(&mut cut.cursor, keys_max, &mut cut.sum)
    }

    /// Changes one bit of a row of a table, as failing memory does: for tests. False when there is none.
    pub fn damage(&self, schema: &str, table: &str) -> bool {
        let id = self.catalog.borrow().table(schema, table).map(|table| table.id);
        id.is_some_and(|id| self.store.borrow_mut().damage(id))
    }

    /// Rows are read, or it is given up: their versions may go.
    pub fn end_cut(&self, cut: &RowsCut) {
        self.close_snapshot(cut.csn);
    }

    /// Begins to load a checkpoint as of `csn` beside what is served: the catalogue, as the DDL that made it so.
    pub fn begin_restore(&self, csn: Csn, effects: Vec<Effect>, rows: RowsState) {
        let mut store = Store::new(self.shards);
        for effect in &effects {
            if let Effect::Created { kind: ObjectKind::Table, id, .. } = effect {
                store.create_table(*id);
            }
        }
        *self.loading.borrow_mut() = Some(Loading { store, csn, effects, rows });
    }

    /// Loads a piece of rows.
    ///
    /// # Errors
    /// [`RestoreError::Stream`]: the checkpoint is to be given up.
    pub fn restore_rows(&self, piece: &[u8]) -> Result<(), RestoreError> {
        let mut loading = self.loading.borrow_mut();
        loading.as_mut().ok_or(RestoreError::Nothing)?.store.load(piece)?;
        Ok(())
    }

    /// Whether all rows that were loaded are those that the checkpoint was cut of.
    ///
    /// # Errors
    /// [`RestoreError::Digest`], and [`RestoreError::Nothing`] when nothing was begun.
    pub fn check_restore(&self) -> Result<(), RestoreError> {
        let loading = self.loading.borrow();
        let loading = loading.as_ref().ok_or(RestoreError::Nothing)?;
        let (expected, found) = (loading.rows.digest, loading.store.digest());
        if expected == found { Ok(()) } else { Err(RestoreError::Digest { expected, found }) }
    }

    /// Gives up what was loaded.
    pub fn abandon_restore(&self) {
        self.loading.borrow_mut().take();
    }

    /// Puts what was loaded in the place of what is served.
    ///
    /// # Errors
    /// [`RestoreError`]: a digest that differs changes nothing; a definition that cannot be read leaves the server
    /// empty.
    pub fn finish_restore(&self) -> Result<(), RestoreError> {
        self.check_restore()?;
        let loading = self.loading.borrow_mut().take().ok_or(RestoreError::Nothing)?;
        let Loading { mut store, csn, effects, rows } = loading;
        self.reset();
        store.advance(csn);
        *self.store.borrow_mut() = store;
        let mut left_out: BTreeMap<TableId, Vec<u16>> = BTreeMap::new();
        for (table, space) in rows.left_out {
            left_out.entry(table).or_default().push(space);
        }
        for effect in &effects {
            self.apply_effect(csn, effect)?;
        }
        for (&table, spaces) in &left_out {
            let known = self.catalog.borrow().table_by_id(table).cloned();
            if let Some(known) = known {
                let mut definition = known.definition.clone();
                if spaces.contains(&0) {
                    definition.without_clustered();
                }
                let spaces: Vec<u16> = spaces.iter().copied().filter(|&space| space != 0).collect();
                definition.keys.retain(|key| !spaces.contains(&key.space));
                let (schema, name) = (known.schema.clone(), known.name.clone());
                let table = crate::catalog::Table::new(schema, name, known.id, known.version, definition);
                self.catalog.borrow_mut().put_table(table);
            }
        }
        *self.left_out.borrow_mut() = left_out;
        *self.counters.borrow_mut() = AutoIncrement::restore(rows.counters);
        self.lay_local_over()?;
        self.applied.set(csn);
        self.set_visible(csn);
        Ok(())
    }

    /// Accounts of this server alone, over those of the group.
    fn lay_local_over(&self) -> Result<(), ApplyError> {
        let local = self.local_accounts.borrow().clone();
        for ((host, user), definition) in local {
            match definition {
                Some(definition) => self.put_account(&host, &user, Csn(0), &definition)?,
                None => self.drop_account(&host, &user),
            }
        }
        Ok(())
    }
}
