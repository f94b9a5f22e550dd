//! Foreign keys of changed rows: a child's parent must be there, a parent's children are looked after.
//!
//! Checks are made row by row, right after the row is changed, of what is there now (not of the
//! transaction's snapshot), under locks: a child holds its parent's key shared until it is visible, whoever
//! deletes a parent holds that key exclusively *before* looking for children. The same pair meets in the
//! order through the `shared` hashes of the write set. (`design.md` §5.1, §5.2)
//!
//! Rows that CASCADE and SET NULL change are ordinary changes of the transaction. Absent on purpose:
//! checks put off to the end of a statement.

use super::Exec;
use super::cursor::{Cursor, Found, decode};
use crate::catalog::{Reference, ReferenceRule, References, Table};
use crate::error::{SqlError, error};
use crate::exec::Wait;
use crate::expr::Node;
use crate::key::{columns_key, parent_hash};
use crate::plan::Access;
use crate::server::missing_parent;
use crate::show::reference_text;
use crate::value::Value;
use engine_store::{Mode, Space};
use std::rc::Rc;

/// Levels of CASCADE and SET NULL below the changed row, as in MySQL.
const DEPTH_MAX: u32 = 15;

/// 1451.
fn has_children(reference: &Reference) -> SqlError {
    let text = reference_text(reference);
    error(1451, format!("Cannot delete or update a parent row: a foreign key constraint fails ({text})"))
}

/// What a row refers to by a foreign key; `None` for nothing.
fn referred(reference: &Reference, row: &[Value]) -> Option<Vec<u8>> {
    let columns = &reference.key().columns;
    let values: Vec<&Value> = columns.iter().map(|&column| &row[usize::from(column)]).collect();
    columns_key(&reference.child, columns.iter().copied(), &values)
}

/// What rows of the parent are referred to by: the values of its key, and their bytes.
fn referable<'r>(parent: &Table, number: usize, row: &'r [Value]) -> Option<(Vec<&'r Value>, Vec<u8>)> {
    let parts = &parent.definition.keys[number].parts;
    let values: Vec<&Value> = parts.iter().map(|part| &row[usize::from(part.column)]).collect();
    let bytes = columns_key(parent, parts.iter().map(|part| part.column), &values)?;
    Some((values, bytes))
}

impl Exec<'_> {
    /// The foreign keys around a table, where there are any and they are to be checked.
    pub(super) fn references(&self, table: &Table) -> Option<Rc<References>> {
        if !self.rules.foreign_keys {
            return None;
        }
        let catalog = self.server.catalog.borrow();
        if !catalog.has_foreign_keys() {
            return None;
        }
        let found = catalog.references(table.id);
        (!found.parents.is_empty() || !found.children.is_empty()).then_some(found)
    }

    /// A row that was found earlier in the statement, as this transaction has it now; `None` when it is gone.
    pub(super) fn refreshed(&self, table: &Table, found: Found) -> Result<Option<Found>, SqlError> {
        let rows = Space { table: table.id, number: 0 };
        match self.txn.own(rows, &found.key) {
            None => Ok(Some(found)),
            Some(None) => Ok(None),
            Some(Some(bytes)) if *bytes == found.bytes => Ok(Some(found)),
            Some(Some(bytes)) => {
                let row = decode(table, bytes)?;
                Ok(Some(Found { key: found.key, bytes: bytes.clone(), row }))
            }
        }
    }

    /// Checks and follows the foreign keys of a row that was just changed.
    pub(super) fn follow<'s>(
        &'s mut self,
        references: Rc<References>,
        old: Option<&'s Found>,
        new: Option<&'s [Value]>,
        depth: u32,
    ) -> Wait<'s, ()> {
        Box::pin(async move {
            for reference in &references.parents {
                // The row must have been read under this very definition.
                self.txn.touch(&reference.child)?;
                let Some(new) = new else { continue };
                let wanted = referred(reference, new);
                if wanted.is_some() && old.is_none_or(|old| referred(reference, &old.row) != wanted) {
                    self.check_parent(reference, new).await?;
                }
            }
            for reference in &references.children {
                if let (Some(parent), Some(old)) = (&reference.parent, old) {
                    self.txn.touch(parent)?;
                    self.follow_children(reference, old, new, depth).await?;
                }
            }
            Ok(())
        })
    }

    /// The parent of a row is there, and stays there.
    async fn check_parent(&mut self, reference: &Reference, row: &[Value]) -> Result<(), SqlError> {
        let (Some(parent), Some(number)) = (&reference.parent, reference.parent_key) else {
            return Err(missing_parent(reference));
        };
        self.txn.touch(parent)?;
        let values: Vec<&Value> = reference.key().columns.iter().map(|&column| &row[usize::from(column)]).collect();
        let key = &parent.definition.keys[number];
        let Some(place) = columns_key(parent, key.parts.iter().map(|part| part.column), &values) else { return Ok(()) };
        let space = Space { table: parent.id, number: key.space };
        if self.txn.lock_current(self.session, space, &place, Mode::Shared, None).await?.is_none() {
            return Err(missing_parent(reference));
        }
        self.txn.note_shared(parent_hash(parent, number, &values));
        Ok(())
    }

    /// The children of a row that went, or got another key.
    async fn follow_children(
        &mut self,
        reference: &Reference,
        old: &Found,
        new: Option<&[Value]>,
        depth: u32,
    ) -> Result<(), SqlError> {
        let (Some(parent), Some(number)) = (&reference.parent, reference.parent_key) else { return Ok(()) };
        let Some((values, place)) = referable(parent, number, &old.row) else { return Ok(()) };
        let after = new.and_then(|new| referable(parent, number, new));
        if after.as_ref().is_some_and(|(_, after)| *after == place) {
            return Ok(());
        }
        let child = &reference.child;
        self.txn.touch(child)?;
        let key = reference.key();
        let mut rule = if new.is_none() { key.on_delete } else { key.on_update };
        if new.is_some() && child.id == parent.id {
            // A table that updates itself by CASCADE would have no end: MySQL refuses it.
            rule = ReferenceRule::Restrict;
        }
        let refuses = matches!(rule, ReferenceRule::NoAction | ReferenceRule::Restrict);
        let Some(wanted) = columns_key(child, key.columns.iter().copied(), &values) else { return Ok(()) };
        let access = match reference.child_index() {
            Some(index) => {
                let equal = values.iter().map(|&value| Node::Const(value.clone())).collect();
                Access::Key { space: index.space, equal, among: None, low: None, high: None, whole: false }
            }
            None => Access::Full,
        };
        let rows = Space { table: child.id, number: 0 };
        let mut cursor = Cursor::new(self, child, &access, &[], false)?;
        let mut children = Vec::new();
        while let Some(found) = cursor.next(self).await? {
            if referred(reference, &found.row).as_ref() != Some(&wanted) {
                continue;
            }
            let mode = if refuses { Mode::Shared } else { Mode::Exclusive };
            let locked = self.txn.lock_current(self.session, rows, &found.key, mode, None).await?;
            let Some(bytes) = locked else { continue };
            let row = if bytes == found.bytes { found.row } else { decode(child, &bytes)? };
            if referred(reference, &row).as_ref() != Some(&wanted) {
                continue;
            }
            if refuses {
                return Err(has_children(reference));
            }
            children.push(Found { key: found.key, bytes, row });
        }
        if !children.is_empty() && depth >= DEPTH_MAX {
            let text = format!("Foreign key cascade delete/update exceeds max depth of {DEPTH_MAX}.");
            return Err(error(3008, text));
        }
        let references = self.references(child).unwrap_or_default();
        for found in children {
            // What followed an earlier one may have changed it.
            let Some(found) = self.refreshed(child, found)? else { continue };
            let mut row = found.row.clone();
            for (at, &column) in key.columns.iter().enumerate() {
                row[usize::from(column)] = match (&after, rule) {
                    (Some((values, _)), ReferenceRule::Cascade) => values[at].clone(),
                    _ => Value::Null,
                };
            }
            let row = (new.is_some() || rule == ReferenceRule::SetNull).then_some(row);
            if let Some(row) = &row {
                self.check_duplicates(child, row, Some(&found)).await?;
            }
            self.store_row(child, Some(&found), row.as_deref()).await?;
            self.follow(references.clone(), Some(&found), row.as_deref(), depth + 1).await?;
        }
        Ok(())
    }
}
