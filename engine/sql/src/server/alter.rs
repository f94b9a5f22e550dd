//! What a changed table definition does to stored rows: indexes built and dropped, rows written anew.
//!
//! Done at the DDL's place in the order, in one go, by every member alike from the newest versions: all
//! earlier CSNs are applied by then. `design.md` §5 has large tables done in two entries; this is the
//! form for small ones.

use super::{ApplyError, Server};
use crate::catalog::{
    Catalog, Check, Column, ColumnType, DefaultValue, Key, Reference, Table, TableDefinition, parent_key,
};
use crate::check::{self, NoSession};
use crate::error::{SqlError, error};
use crate::key::{columns_key, index_key, row_key};
use crate::row::{self, Conversion};
use crate::temporal::{self, DateRules};
use crate::value::{Level, Value, Warning, timestamp_parts};
use engine_store::{Change, Range, Space, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use wire::id::{Csn, TableId};

/// Most warnings about rows that are converted.
const WARNINGS_MAX: usize = 1024;

impl Server {
    /// Puts the new form of a table in.
    pub(super) fn alter_table(&self, csn: Csn, mut table: Table) -> Result<(), ApplyError> {
        let old = self.catalog.borrow().table_by_id(table.id).cloned();
        // An index may go, and rows that a checkpoint was reading with it.
        self.drops.set(self.drops.get() + 1);
        self.left_out.borrow_mut().remove(&table.id);
        if let Some(old) = old {
            let mut store = self.store.borrow_mut();
            if !table.definition.lies_as(&old.definition) {
                if let Some(error) = move_rows(&mut store, csn, &old, &table)? {
                    // As with a unique index: every member leaves the key out alike, and counts the rows instead.
                    let mut definition = table.definition.clone();
                    definition.without_clustered();
                    table = Table::new(table.schema, table.name, table.id, table.version, definition);
                    self.ddl_failures.borrow_mut().insert(csn, error);
                    self.left_out.borrow_mut().entry(table.id).or_default().push(0);
                    let none = move_rows(&mut store, csn, &old, &table)?;
                    assert!(none.is_none(), "numbers that were just given are no duplicates");
                }
            } else if old.definition.columns != table.definition.columns {
                rewrite_rows(&mut store, csn, &old, &table)?;
            }
            for key in old.indexes() {
                if !table.indexes().any(|kept| kept.space == key.space && same_columns(&old, &table, kept.space)) {
                    store.drop_space(csn, Space { table: old.id, number: key.space });
                }
            }
            let is_new = |table: &Table, space| {
                !(old.indexes().any(|had| had.space == space) && same_columns(&old, table, space))
            };
            let new: Vec<u16> = table.indexes().map(|key| key.space).filter(|&space| is_new(&table, space)).collect();
            for space in new {
                if let Some(error) = build_index(&mut store, csn, &table, space)? {
                    // Rows that the origin had not seen yet broke a unique key. They are the same
                    // everywhere, so every member leaves the key out alike.
                    let mut definition = table.definition.clone();
                    definition.keys.retain(|key| key.space != space);
                    table = Table::new(table.schema, table.name, table.id, table.version, definition);
                    self.ddl_failures.borrow_mut().insert(csn, error);
                    self.left_out.borrow_mut().entry(table.id).or_default().push(space);
                }
            }
        }
        let table = self.catalog.borrow_mut().put_table(table);
        if table.definition.foreign_keys.iter().any(|key| key.unchecked) {
            self.check_foreign_keys(csn, &table)?;
        }
        if table.definition.checks.iter().any(|check| check.unchecked) {
            self.check_rows(csn, table.id)?;
        }
        Ok(())
    }

    /// What is said of rows that are there now as they become rows of `new`: errors under strict mode, and 1062 for those
    /// that would lie at one place; else warnings. The early word: rows that come until the change is carried out are
    /// converted as without strict mode.
    ///
    /// # Errors
    /// 1062, 1138, and those of conversions.
    pub(crate) fn find_unfit(
        &self,
        old: &Table,
        new: &TableDefinition,
        strict: bool,
        rules: DateRules,
    ) -> Result<Vec<Warning>, SqlError> {
        let mut warnings = Vec::new();
        let moved = !new.lies_as(&old.definition);
        if !moved && old.definition.columns == new.columns {
            return Ok(warnings);
        }
        let stored = rows(&self.store.borrow(), self.applied.get(), old);
        let stored = stored.map_err(|fault| error(1815, format!("Internal error: {fault}")))?;
        let new = Table::new(old.schema.clone(), old.name.clone(), old.id, old.version, new.clone());
        let copies = recodes(&old.definition, &new.definition);
        let mut places = BTreeSet::new();
        for (number, (_, _, values)) in stored.iter().enumerate() {
            let number = number as u64 + 1;
            let mut said = Vec::new();
            let mut conversion = Conversion { strict, row: number, warnings: &mut said, table: &new.name, rules };
            check_converted(&old.definition, &new, values, copies, &mut conversion)?;
            warnings.extend(said.into_iter().take(WARNINGS_MAX - warnings.len()));
            if moved && let Some(key) = new.clustered() {
                let row = placed(&new, values, number);
                if !places.insert(row_key(&new, &row)) {
                    return Err(duplicate_entry(&new, key, &row));
                }
            }
        }
        Ok(warnings)
    }

    /// 3819 when rows that are there now break a new CHECK constraint of `new`: the early word about what is decided
    /// where the change is carried out.
    pub(crate) fn find_broken(&self, old: &Table, new: &TableDefinition) -> Result<(), SqlError> {
        if new.checks.iter().all(|check| !check.unchecked) {
            return Ok(());
        }
        let stored = rows(&self.store.borrow(), self.applied.get(), old);
        let stored = stored.map_err(|fault| error(1815, format!("Internal error: {fault}")))?;
        let new = Table::new(old.schema.clone(), old.name.clone(), old.id, old.version, new.clone());
        stored.iter().try_for_each(|(_, _, row)| check::check(&new, &rewritten(&new, row), &NoSession::new()))
    }

    /// Rows that were there before a CHECK constraint: if one breaks it, it fails, on every member alike.
    fn check_rows(&self, csn: Csn, id: TableId) -> Result<(), ApplyError> {
        let Some(table) = self.catalog.borrow().table_by_id(id).cloned() else { return Ok(()) };
        let mut definition = table.definition.clone();
        let stored = rows(&self.store.borrow(), csn, &table)?;
        let broken = |one: &Check| {
            let alone = TableDefinition { checks: vec![one.clone()], ..table.definition.clone() };
            let alone = Table::new(table.schema.clone(), table.name.clone(), id, table.version, alone);
            stored.iter().find_map(|(_, _, row)| check::check(&alone, row, &NoSession::new()).err())
        };
        definition.checks.retain(|one| match broken(one).filter(|_| one.unchecked) {
            Some(error) => {
                self.ddl_failures.borrow_mut().insert(csn, error);
                false
            }
            None => true,
        });
        definition.checks.iter_mut().for_each(|check| check.unchecked = false);
        let table = Table::new(table.schema.clone(), table.name.clone(), id, table.version, definition);
        self.catalog.borrow_mut().put_table(table);
        Ok(())
    }

    /// Rows and index entries of a table that is renamed, under its new number. (A checkpoint that is put back holds
    /// them there already, and the old table is none of it.)
    pub(super) fn take_over(&self, csn: Csn, from: TableId, table: &Table) -> Result<(), ApplyError> {
        if self.catalog.borrow().table_by_id(from).is_none() {
            return Ok(());
        }
        let mut store = self.store.borrow_mut();
        for key in &table.definition.keys {
            let old = Space { table: from, number: key.space };
            let stored: Vec<(Vec<u8>, Vec<u8>)> = store
                .scan_newest(old, &Range::all(), false)
                .filter_map(|entry| Some((entry.key.to_vec(), entry.row?.to_vec())))
                .collect();
            let space = Space { table: table.id, number: key.space };
            for (key, row) in stored {
                store.apply(csn, &Change { space, key: &key, before: None, after: Some(&row) })?;
            }
        }
        self.counters.borrow_mut().take_over(from, table.id);
        Ok(())
    }

    /// 1452 when rows that are there now have no parent by a new foreign key of `new`: the early word about what
    /// is decided where the change is carried out.
    pub(crate) fn find_orphan(&self, catalog: &Catalog, old: &Table, new: &TableDefinition) -> Result<(), SqlError> {
        if new.foreign_keys.iter().all(|key| !key.unchecked) {
            return Ok(());
        }
        let store = self.store.borrow();
        let stored =
            rows(&store, self.applied.get(), old).map_err(|fault| error(1815, format!("Internal error: {fault}")))?;
        let (schema, name) = (old.schema.clone(), old.name.clone());
        let child = Rc::new(Table::new(schema, name, old.id, old.version, new.clone()));
        for (number, key) in new.foreign_keys.iter().enumerate().filter(|(_, key)| key.unchecked) {
            let parent = catalog.table(&key.parent_schema, &key.parent_table).cloned();
            let parent = parent.map(|parent| if parent.id == old.id { child.clone() } else { parent });
            let parent_key = parent.as_ref().and_then(|parent| parent_key(&child, key, parent));
            // A key of its own that this very statement adds has no entries yet.
            let itself = parent_key.filter(|_| parent.as_ref().is_some_and(|parent| parent.id == old.id));
            if itself.is_some_and(|at| old.definition.keys.iter().all(|had| had.space != new.keys[at].space)) {
                continue;
            }
            let reference = Reference { child: child.clone(), number, parent, parent_key };
            if stored.iter().any(|(_, _, row)| !has_parent(&store, &reference, &rewritten(&child, row))) {
                return Err(missing_parent(&reference));
            }
        }
        Ok(())
    }

    /// Rows that were there before a foreign key: without parents they make it fail, on every member alike.
    fn check_foreign_keys(&self, csn: Csn, table: &Table) -> Result<(), ApplyError> {
        let references = self.catalog.borrow().references(table.id);
        let mut definition = table.definition.clone();
        for reference in references.parents.iter().filter(|reference| reference.key().unchecked) {
            if let Some(error) = orphan(&self.store.borrow(), csn, reference)? {
                definition.foreign_keys.retain(|key| key.name != reference.key().name);
                self.ddl_failures.borrow_mut().insert(csn, error);
            }
        }
        definition.foreign_keys.iter_mut().for_each(|key| key.unchecked = false);
        let table = Table::new(table.schema.clone(), table.name.clone(), table.id, table.version, definition);
        self.catalog.borrow_mut().put_table(table);
        Ok(())
    }
}

/// 1452 when some row of the child has no parent.
fn orphan(store: &Store, csn: Csn, reference: &Reference) -> Result<Option<SqlError>, ApplyError> {
    let found = rows(store, csn, &reference.child)?;
    Ok(found.iter().any(|(_, _, row)| !has_parent(store, reference, row)).then(|| missing_parent(reference)))
}

/// Whether what `row` of the child refers to is there in its newest version.
fn has_parent(store: &Store, reference: &Reference, row: &[Value]) -> bool {
    let mut columns = reference.key().columns.iter();
    if columns.any(|&column| row[usize::from(column)].is_null()) {
        return true;
    }
    let place = parent_place(reference, row);
    place.is_some_and(|(space, key)| store.newest(space, &key).is_some_and(|(_, row)| row.is_some()))
}

/// Where the parent of a row of the child lies; `None`: it refers to nothing, or to what cannot be there.
#[must_use]
pub(crate) fn parent_place(reference: &Reference, row: &[Value]) -> Option<(Space, Vec<u8>)> {
    let (parent, number) = (reference.parent.as_ref()?, reference.parent_key?);
    let values: Vec<&Value> = reference.key().columns.iter().map(|&column| &row[usize::from(column)]).collect();
    let key = &parent.definition.keys[number];
    let place = columns_key(parent, key.parts.iter().map(|part| part.column), &values)?;
    Some((Space { table: parent.id, number: key.space }, place))
}

/// 1452.
#[must_use]
pub(crate) fn missing_parent(reference: &Reference) -> SqlError {
    let text = crate::show::reference_text(reference);
    error(1452, format!("Cannot add or update a child row: a foreign key constraint fails ({text})"))
}

/// Whether an index has the same bytes under both definitions.
fn same_columns(old: &Table, new: &Table, space: u16) -> bool {
    let parts = |table: &Table| {
        let key = table.definition.keys.iter().find(|key| key.space == space)?;
        let part = |part: &crate::catalog::KeyPart| {
            let column = &table.definition.columns[usize::from(part.column)];
            (column.kind.clone(), column.nullable, column.collation, column.name.to_ascii_lowercase(), part.prefix)
        };
        Some((key.unique, key.parts.iter().map(part).collect::<Vec<_>>()))
    };
    parts(old) == parts(new)
}

/// Key, stored bytes, values.
type StoredRow = (Vec<u8>, Vec<u8>, Vec<Value>);

/// All rows of a table, read before any of them is changed.
fn rows(store: &Store, csn: Csn, table: &Table) -> Result<Vec<StoredRow>, ApplyError> {
    let space = Space { table: table.id, number: 0 };
    let mut rows = Vec::new();
    for entry in store.scan_newest(space, &Range::all(), false) {
        let Some(bytes) = entry.row else { continue };
        let values =
            row::decode(&table.definition, bytes).map_err(|fault| ApplyError::Row { csn, table: table.id, fault })?;
        rows.push((entry.key.to_vec(), bytes.to_vec(), values));
    }
    Ok(rows)
}

/// A row under the new definition of its table.
fn rewritten(new: &Table, values: &[Value]) -> Vec<Value> {
    let mut warnings = Vec::new();
    // Zone and current date are those of UTC and of the definition: the same on every member.
    let created_us = i64::try_from(new.definition.created_us).unwrap_or(0);
    let today = temporal::from_unix_us(created_us, 0);
    let rules = DateRules { today: temporal::date_of(today.unwrap_or_default()), ..DateRules::default() };
    let mut conversion = Conversion { strict: false, row: 1, warnings: &mut warnings, table: &new.name, rules };
    let mut changed = Vec::with_capacity(new.definition.columns.len());
    for (at, column) in new.definition.columns.iter().enumerate() {
        let value = match new.definition.origins.get(at).copied().flatten() {
            Some(from) => values.get(usize::from(from)).cloned().unwrap_or(Value::Null),
            None => match column.default {
                DefaultValue::Now(digits) => Value::DateTime(today.unwrap_or_default(), digits),
                _ => column.default_value(),
            },
        };
        // Without strict mode a conversion cannot fail; the origin checked what strict mode asks.
        changed.push(conversion.convert(column, value).unwrap_or_else(|_| column.implicit_default()));
    }
    changed
}

/// A row under the new definition of its table, with its number where the table has a hidden key.
fn placed(new: &Table, values: &[Value], number: u64) -> Vec<Value> {
    let mut row = rewritten(new, values);
    if let Some(at) = new.row_id() {
        row[at] = Value::UInt(number);
    }
    row
}

/// Whether some column that stays has another type.
fn recodes(old: &TableDefinition, new: &TableDefinition) -> bool {
    new.columns.iter().enumerate().any(|(at, column)| {
        let from = new.origins.get(at).copied().flatten().map(|from| &old.columns[usize::from(from)]);
        from.is_some_and(|before| before.kind != column.kind || before.collation != column.collation)
    })
}

/// What is said of a row's new form. With `copies`, columns that stay as they are are judged too.
fn check_converted(
    old: &TableDefinition,
    new: &Table,
    values: &[Value],
    copies: bool,
    conversion: &mut Conversion<'_>,
) -> Result<(), SqlError> {
    let (strict, number) = (conversion.strict, conversion.row);
    let truncated =
        |column: &Column| error(1265, format!("Data truncated for column '{}' at row {number}", column.name));
    for (at, column) in new.definition.columns.iter().enumerate() {
        match new.definition.origins.get(at).copied().flatten() {
            Some(from) => {
                let value = values.get(usize::from(from)).cloned().unwrap_or_default();
                let before = &old.columns[usize::from(from)];
                let changed = before.kind != column.kind || before.collation != column.collation;
                if value.is_null() && !column.nullable {
                    match (strict, changed) {
                        (true, true) => return Err(truncated(column)),
                        (true, false) => return Err(error(1138, "Invalid use of NULL value")),
                        (false, _) => {
                            let SqlError { code, message } = truncated(column);
                            conversion.warnings.push(Warning { level: Level::Warning, code, message });
                        }
                    }
                } else if !changed && copies && strict && conversion.rules.no_zero_date && is_zero_date(&value) {
                    return Err(zero_date(column, number));
                } else if changed {
                    conversion.convert(column, value).map_err(|fault| match fault.code {
                        1406 => truncated(column),
                        _ => fault,
                    })?;
                }
            }
            // What no default says would be a date that may not be.
            None if strict && column.default == DefaultValue::None && conversion.rules.no_zero_date => {
                if matches!(column.kind, ColumnType::Date | ColumnType::DateTime(_)) {
                    return Err(zero_date(column, number));
                }
            }
            None => {}
        }
    }
    Ok(())
}

fn is_zero_date(value: &Value) -> bool {
    let at = match value {
        Value::Date(at) | Value::DateTime(at, _) => *at,
        Value::Timestamp(us, _) => timestamp_parts(*us, 0),
        _ => return false,
    };
    temporal::flaw(&at) == Some(temporal::Flaw::Zero)
}

fn zero_date(column: &Column, number: u64) -> SqlError {
    let (name, zero) = match column.kind {
        ColumnType::Date => ("date", "0000-00-00"),
        _ => ("datetime", "0000-00-00 00:00:00"),
    };
    error(1292, format!("Incorrect {name} value: '{zero}' for column '{}' at row {number}", column.name))
}

/// Writes all rows anew where they lie by another key; the error that the DDL's session answers when some of them
/// would lie at one place: then nothing is done.
fn move_rows(store: &mut Store, csn: Csn, old: &Table, new: &Table) -> Result<Option<SqlError>, ApplyError> {
    let stored = rows(store, csn, old)?;
    let mut after = BTreeMap::new();
    for (number, (_, _, values)) in stored.iter().enumerate() {
        let row = placed(new, values, number as u64 + 1);
        let mut bytes = Vec::new();
        row::encode(&new.definition, &row, &mut bytes);
        if after.insert(row_key(new, &row), bytes).is_some() {
            return Ok(new.clustered().map(|key| duplicate_entry(new, key, &row)));
        }
    }
    let space = Space { table: new.id, number: 0 };
    for (key, before, _) in &stored {
        let after = after.remove(key);
        store.apply(csn, &Change { space, key, before: Some(before), after: after.as_deref() })?;
    }
    for (key, row) in after {
        store.apply(csn, &Change { space, key: &key, before: None, after: Some(&row) })?;
    }
    Ok(None)
}

fn rewrite_rows(store: &mut Store, csn: Csn, old: &Table, new: &Table) -> Result<(), ApplyError> {
    for (key, before, values) in rows(store, csn, old)? {
        let changed = rewritten(new, &values);
        let mut after = Vec::with_capacity(before.len());
        row::encode(&new.definition, &changed, &mut after);
        let space = Space { table: new.id, number: 0 };
        store.apply(csn, &Change { space, key: &key, before: Some(&before), after: Some(&after) })?;
    }
    Ok(())
}

/// Fills an index; the error that the DDL's session answers when rows are equal in a unique one, which
/// is then left empty.
fn build_index(store: &mut Store, csn: Csn, table: &Table, number: u16) -> Result<Option<SqlError>, ApplyError> {
    let Some(key) = table.definition.keys.iter().find(|key| key.space == number) else { return Ok(None) };
    let space = Space { table: table.id, number };
    let mut entries = BTreeMap::new();
    for (row_key, _, values) in rows(store, csn, table)? {
        let index = index_key(table, key, &values, &row_key);
        if entries.insert(index, row_key).is_some() {
            return Ok(Some(duplicate_entry(table, key, &values)));
        }
    }
    for (index, row_key) in entries {
        store.apply(csn, &Change { space, key: &index, before: None, after: Some(&row_key) })?;
    }
    Ok(None)
}

/// 1062 for `row`, which is there already in `key`.
#[must_use]
pub(crate) fn duplicate_entry(table: &Table, key: &Key, row: &[Value]) -> SqlError {
    let parts = key.parts.iter().map(|part| {
        let text = row[usize::from(part.column)].to_text().map_or_else(|| "NULL".to_owned(), |text| text.into_owned());
        match part.prefix {
            0 => text,
            most => text.chars().take(most as usize).collect(),
        }
    });
    let entry = parts.collect::<Vec<_>>().join("-");
    error(1062, format!("Duplicate entry '{entry}' for key '{}.{}'", table.name, key.name))
}
