//! INSERT, REPLACE, UPDATE, DELETE.

use super::cursor::{Cursor, Found, decode};
use super::{Exec, Rows};
use crate::catalog::{ColumnType, DefaultValue, Key, ReferenceRule, Table};
use crate::collate::Collation;
use crate::counters::Counter;
use crate::error::{SqlError, error};
use crate::expr::Node;
use crate::key::{index_key, row_key, write_set};
use crate::plan::{Access, DeletePlan, InsertPlan, UpdatePlan};
use crate::row::{self, Conversion};
use crate::server::duplicate_entry;
use crate::txn::Bytes;
use crate::value::{Level, Value, Warning};
use engine_store::{Mode, Space};
use std::cmp::Ordering;
use std::rc::Rc;
use wire::mutant::{Mutant, planted};

/// What a data change did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Affected rows, as the client asked to count them.
    pub affected: u64,
    /// Rows that matched (UPDATE), or that were given (INSERT).
    pub matched: u64,
    /// Rows that now differ (UPDATE); duplicates (INSERT).
    pub changed: u64,
    /// First value that AUTO_INCREMENT gave; 0 for none.
    pub insert_id: u64,
    /// Which form the info text has.
    pub is_update: bool,
    /// More than one row was given to INSERT.
    pub many: bool,
}

impl Exec<'_> {
    /// DML needs a key: 3098 in a group.
    pub(super) fn check_key(&self, table: &Table) -> Result<(), SqlError> {
        let cascades = |rule| matches!(rule, ReferenceRule::Cascade | ReferenceRule::SetNull);
        if self.rules.everywhere_checks
            && table.definition.foreign_keys.iter().any(|key| cascades(key.on_delete) || cascades(key.on_update))
        {
            return Err(error(3098, "The table does not comply with the requirements by an external plugin."));
        }
        if table.clustered().is_some() && !(self.rules.group_running && table.row_id().is_some()) {
            return Ok(());
        }
        Err(if self.rules.group_running {
            error(3098, "The table does not comply with the requirements by an external plugin.")
        } else {
            error(
                1235,
                "This version of Quorate doesn't yet support 'changes of tables that an earlier one made without a key'",
            )
        })
    }

    fn note(&self, warnings: Vec<Warning>) {
        warnings.into_iter().for_each(|warning| self.env.warn(warning));
    }

    pub(super) fn convert(
        &self,
        table: &Table,
        at: usize,
        value: Value,
        row: u64,
        strict: bool,
    ) -> Result<Value, SqlError> {
        let mut warnings = Vec::new();
        let mut conversion =
            Conversion { strict, row, warnings: &mut warnings, table: &table.name, rules: self.env.date_rules() };
        let converted = conversion.convert(&table.definition.columns[at], value);
        self.note(warnings);
        converted
    }

    /// The value of a column that a row does not give.
    pub(super) fn default(&self, table: &Table, at: usize, row: u64, strict: bool) -> Result<Value, SqlError> {
        let column = &table.definition.columns[at];
        match &column.default {
            DefaultValue::Null => Ok(Value::Null),
            DefaultValue::Literal(_) => self.convert(table, at, column.default_value(), row, strict),
            DefaultValue::Now(digits) => self.convert(table, at, self.env.local_now(*digits), row, strict),
            DefaultValue::None if column.auto_increment => Ok(Value::Null),
            // The first member is a default as good as any.
            DefaultValue::None if matches!(column.kind, ColumnType::Enum(_)) => Ok(column.implicit_default()),
            DefaultValue::None => {
                let message = format!("Field '{}' doesn't have a default value", column.name);
                if strict {
                    return Err(error(1364, message));
                }
                self.env.warn(Warning { level: Level::Warning, code: 1364, message });
                Ok(column.implicit_default())
            }
        }
    }

    pub(super) async fn insert(&mut self, plan: &InsertPlan) -> Result<Changed, SqlError> {
        let table = &plan.table;
        self.check_key(table)?;
        self.txn.touch(table)?;
        let strict = self.rules.strict && !plan.ignore;
        let mut changed = Changed::default();
        let mut selected = None;
        if let Some(select) = &plan.select {
            let mut rows = Rows::default();
            self.select(select, &mut rows).await?;
            selected = Some(rows.rows);
        }
        let count = selected.as_ref().map_or(plan.rows.len(), Vec::len);
        changed.many = count > 1 || plan.select.is_some();
        for number in 0..count {
            self.step().await?;
            let shown = number as u64 + 1;
            let mut row: Vec<Option<Value>> = vec![None; table.definition.columns.len()];
            let width = selected.as_ref().map_or_else(|| plan.rows[number].len(), |rows| rows[number].len());
            for (place, &at) in plan.columns.iter().enumerate().take(width) {
                let value = match &mut selected {
                    Some(rows) => Some(std::mem::take(&mut rows[number][place])),
                    None => match &plan.rows[number][place] {
                        Some(node) => {
                            // A value may name columns given before it.
                            let so_far: Vec<Value> = if node.is_constant() {
                                Vec::new()
                            } else {
                                let defaults = &table.definition.columns;
                                let own = row.iter().zip(defaults);
                                own.map(|(value, column)| value.clone().unwrap_or_else(|| column.default_value()))
                                    .collect()
                            };
                            Some(self.value(node, &so_far).await?)
                        }
                        None => None,
                    },
                };
                let Some(value) = value else { continue };
                let automatic = table.definition.columns[at].auto_increment && value.is_null();
                // A single row with a NULL too much is refused, however lax the mode.
                let nulls = value.is_null() && count == 1 && plan.select.is_none() && !plan.ignore;
                let strict = strict || nulls;
                row[at] = Some(if automatic { Value::Null } else { self.convert(table, at, value, shown, strict)? });
            }
            let mut full = Vec::with_capacity(row.len());
            for (at, value) in row.into_iter().enumerate() {
                full.push(match value {
                    Some(value) => value,
                    None if Some(at) == table.row_id() => Value::UInt(self.server.next_row_id(table.id)),
                    None => self.default(table, at, shown, strict)?,
                });
            }
            if let Some(at) = table.auto_increment() {
                self.count_up(table, at, &mut full, &mut changed)?;
            }
            changed.matched += 1;
            self.insert_row(plan, full, shown, &mut changed).await?;
        }
        Ok(changed)
    }

    /// Gives an AUTO_INCREMENT column its value.
    fn count_up(&self, table: &Table, at: usize, row: &mut [Value], changed: &mut Changed) -> Result<(), SqlError> {
        let zero = matches!(row[at], Value::Int(0) | Value::UInt(0));
        if row[at].is_null() || (zero && !self.rules.zero_is_a_value) {
            let next = self.server.next_counter(table.id, self.rules.increment, self.rules.offset);
            let next = next.ok_or_else(|| error(1467, "Failed to read auto-increment value from storage engine"))?;
            // Beyond the column's type it is its greatest value, again and again.
            let conversion = &mut Conversion {
                strict: false,
                row: 1,
                warnings: &mut Vec::new(),
                table: &table.name,
                rules: self.env.date_rules(),
            };
            let value = conversion.convert(&table.definition.columns[at], Value::uint(next));
            row[at] = value.map_err(|_| error(1467, "Failed to read auto-increment value from storage engine"))?;
            if changed.insert_id == 0 {
                changed.insert_id = next;
            }
        } else {
            self.server.note_counter(table.id, &row[at]);
        }
        Ok(())
    }

    async fn insert_row(
        &mut self,
        plan: &InsertPlan,
        row: Vec<Value>,
        number: u64,
        changed: &mut Changed,
    ) -> Result<(), SqlError> {
        let table = &plan.table;
        loop {
            let duplicate = match self.find_duplicate(table, &row, None).await {
                Err(SqlError { code: 3819, message, .. }) if plan.ignore => {
                    self.env.warn(Warning { level: Level::Warning, code: 3819, message });
                    return Ok(());
                }
                found => found?,
            };
            let Some((key, found)) = duplicate else {
                if self.put_row(table, None, Some(&row), plan.ignore).await? {
                    changed.affected += 1;
                }
                return Ok(());
            };
            if plan.replace {
                self.put_row(table, Some(&found), None, false).await?;
                changed.affected += 1;
                changed.changed += 1;
                continue;
            }
            if !plan.on_duplicate.is_empty() {
                changed.changed += 1;
                self.env.set_inserted(row);
                let strict = self.rules.strict && !plan.ignore;
                let new = self.assign(table, &plan.on_duplicate, &found.row, number, strict).await?;
                if row::same(&found.row, &new) {
                    changed.affected += u64::from(self.rules.found_rows);
                } else {
                    self.check_duplicates(table, &new, Some(&found)).await?;
                    if self.put_row(table, Some(&found), Some(&new), plan.ignore).await? {
                        changed.affected += 2;
                    }
                }
                return Ok(());
            }
            let duplicate = duplicate_entry(table, &key, &row);
            if plan.ignore {
                changed.changed += 1;
                self.env.warn(Warning { level: Level::Warning, code: duplicate.code, message: duplicate.message });
                return Ok(());
            }
            return Err(duplicate);
        }
    }

    /// Locks the places of `row` in all unique keys, and finds the first that another row has. Places
    /// that `old` has itself don't count. 3819 before that, if the row breaks a CHECK constraint.
    async fn find_duplicate(
        &mut self,
        table: &Rc<Table>,
        row: &[Value],
        old: Option<&Found>,
    ) -> Result<Option<(Key, Found)>, SqlError> {
        crate::check::check(table, row, self.env)?;
        let own_key = row_key(table, row);
        let rows = Space { table: table.id, number: 0 };
        for key in &table.definition.keys {
            let nulls = key.parts.iter().any(|part| row[usize::from(part.column)].is_null());
            if !key.unique || nulls {
                continue;
            }
            let space = Space { table: table.id, number: key.space };
            let place = if key.space == 0 { own_key.clone() } else { index_key(table, key, row, &own_key) };
            if let Some(old) = old {
                let before = if key.space == 0 { old.key.to_vec() } else { index_key(table, key, &old.row, &old.key) };
                if before == place {
                    continue;
                }
            }
            let Some(stored) = self.txn.lock(self.session, space, &place, Mode::Exclusive).await? else { continue };
            let (row_at, bytes) = if key.space == 0 {
                (Bytes::from(place), stored)
            } else {
                let Some(bytes) = self.txn.lock(self.session, rows, &stored, Mode::Exclusive).await? else {
                    continue;
                };
                (stored, bytes)
            };
            let row = decode(table, &bytes)?;
            return Ok(Some((key.clone(), Found { key: row_at, bytes, row })));
        }
        Ok(None)
    }

    pub(super) async fn check_duplicates(
        &mut self,
        table: &Rc<Table>,
        row: &[Value],
        old: Option<&Found>,
    ) -> Result<(), SqlError> {
        match self.find_duplicate(table, row, old).await? {
            Some((key, _)) => Err(duplicate_entry(table, &key, row)),
            None => Ok(()),
        }
    }

    /// Puts a row in the place of another (or of none), and does what foreign keys say. With `ignore` a row
    /// that they refuse stays as it was, with a warning: the answer is then false.
    pub(super) async fn put_row(
        &mut self,
        table: &Rc<Table>,
        old: Option<&Found>,
        new: Option<&[Value]>,
        ignore: bool,
    ) -> Result<bool, SqlError> {
        let Some(references) = self.references(table) else {
            return self.store_row(table, old, new).await.map(|()| true);
        };
        let mark = self.txn.mark();
        self.store_row(table, old, new).await?;
        match self.follow(references, old, new, 0).await {
            Err(SqlError { code: code @ (1451 | 1452), message, .. }) if ignore => {
                self.txn.rollback_to(mark);
                self.env.warn(Warning { level: Level::Warning, code, message });
                Ok(false)
            }
            result => result.map(|()| true),
        }
    }

    /// Puts a row in the place of another (or of none), with its index entries. The unique places of the
    /// new one are locked and free.
    pub(super) async fn store_row(
        &mut self,
        table: &Rc<Table>,
        old: Option<&Found>,
        new: Option<&[Value]>,
    ) -> Result<(), SqlError> {
        self.env.count(
            match (old, new) {
                (None, _) => Counter::HandlerWrite,
                (Some(_), Some(_)) => Counter::HandlerUpdate,
                (Some(_), None) => Counter::HandlerDelete,
            },
            1,
        );
        let rows = Space { table: table.id, number: 0 };
        let mut hashes = Vec::new();
        let mut scratch = Vec::new();
        if let Some(old) = old.filter(|_| !planted(Mutant::BeforeImageNotHashed) || new.is_none()) {
            write_set(table, &old.row, &mut scratch, &mut hashes);
        }
        let mut bytes = Vec::new();
        let new_key = new.map(|new| {
            write_set(table, new, &mut scratch, &mut hashes);
            row::encode(&table.definition, new, &mut bytes);
            row_key(table, new)
        });
        let new_bytes = new.map(|_| Bytes::from(bytes));
        match (old, &new_key) {
            (Some(old), Some(key)) if *old.key == **key => {
                self.txn.put(rows, key, Some(old.bytes.clone()), new_bytes, &hashes);
            }
            (old, key) => {
                if let Some(old) = old {
                    self.txn.put(rows, &old.key, Some(old.bytes.clone()), None, &hashes);
                }
                if let Some(key) = key {
                    self.txn.put(rows, key, None, new_bytes, &hashes);
                }
            }
        }
        for key in table.indexes() {
            let space = Space { table: table.id, number: key.space };
            let before = old.map(|old| (index_key(table, key, &old.row, &old.key), old.key.clone()));
            let after = match (new, &new_key) {
                (Some(new), Some(row_key)) => {
                    Some((index_key(table, key, new, row_key), Bytes::from(row_key.as_slice())))
                }
                _ => None,
            };
            match (before, after) {
                (Some((before, old)), Some((after, new))) if before == after => {
                    if old != new {
                        self.lock_entry(space, &after).await?;
                        self.txn.put(space, &after, Some(old), Some(new), &[]);
                    }
                }
                (before, after) => {
                    if let Some((key, row)) = before {
                        self.lock_entry(space, &key).await?;
                        self.txn.put(space, &key, Some(row), None, &[]);
                    }
                    if let Some((key, row)) = after {
                        self.lock_entry(space, &key).await?;
                        self.txn.put(space, &key, None, Some(row), &[]);
                    }
                }
            }
        }
        Ok(())
    }

    async fn lock_entry(&mut self, space: Space, key: &[u8]) -> Result<(), SqlError> {
        self.txn.lock(self.session, space, key, Mode::Exclusive).await.map(|_| ())
    }

    /// The new row of UPDATE: assignments from left to right, each seeing those before it.
    async fn assign(
        &mut self,
        table: &Table,
        set: &[(usize, Option<Node>)],
        old: &[Value],
        number: u64,
        strict: bool,
    ) -> Result<Vec<Value>, SqlError> {
        let mut new = old.to_vec();
        for (at, node) in set {
            new[*at] = match node {
                Some(node) => {
                    let value = self.value(node, &new).await?;
                    self.convert(table, *at, value, number, strict)?
                }
                None => self.default(table, *at, number, strict)?,
            };
        }
        self.stamp(table, set, old, &mut new, number, strict)?;
        Ok(new)
    }

    /// ON UPDATE CURRENT_TIMESTAMP, where a row differs and the column is not assigned.
    pub(super) fn stamp(
        &self,
        table: &Table,
        set: &[(usize, Option<Node>)],
        old: &[Value],
        new: &mut [Value],
        number: u64,
        strict: bool,
    ) -> Result<(), SqlError> {
        if !row::same(old, new) {
            let assigned = |at: usize| set.iter().any(|(other, _)| *other == at);
            for (at, column) in table.definition.columns.iter().enumerate() {
                if column.on_update_now && !assigned(at) {
                    let digits = column.kind.second_digits().unwrap_or(0);
                    new[at] = self.convert(table, at, self.env.local_now(digits), number, strict)?;
                }
            }
        }
        Ok(())
    }

    /// The rows that a change is of: locked, and re-read under the lock.
    async fn targets(
        &mut self,
        table: &Rc<Table>,
        access: &Access,
        filter: Option<&Node>,
        order: &[(Node, bool, Collation)],
        limit: Option<&Node>,
    ) -> Result<Vec<Found>, SqlError> {
        let env = self.env;
        let most = match limit {
            None => usize::MAX,
            Some(node) => {
                let value = node.eval(&[], env)?;
                let count = value.to_i128().and_then(|count| usize::try_from(count).ok());
                count.ok_or_else(|| error(1210, "Incorrect arguments to LIMIT"))?
            }
        };
        let rows = Space { table: table.id, number: 0 };
        let mut cursor = Cursor::new(self, table, access, &[], false)?;
        // The clustered key of a row never changes: what lies there meets the filter, whatever its version.
        let filter = filter.filter(|_| !(cursor.is_exact() && cursor.is_clustered()));
        let mut found = Vec::new();
        while order.is_empty() && found.len() < most || !order.is_empty() {
            let Some(candidate) = cursor.next(self).await? else { break };
            if !self.passes(filter, &candidate.row).await? {
                continue;
            }
            let locked = self.txn.lock(self.session, rows, &candidate.key, Mode::Exclusive).await?;
            let Some(bytes) = locked else { continue };
            let same = bytes == candidate.bytes;
            let row = if same { candidate.row } else { decode(table, &bytes)? };
            // What did not change meanwhile is not judged, nor warned of, twice.
            if same || self.passes(filter, &row).await? {
                found.push(Found { key: candidate.key, bytes, row });
            }
        }
        if !order.is_empty() {
            let mut keyed = Vec::with_capacity(found.len());
            for row in found {
                let mut keys = Vec::with_capacity(order.len());
                for (node, ..) in order {
                    keys.push(self.value(node, &row.row).await?);
                }
                keyed.push((keys, row));
            }
            keyed.sort_by(|(left, _), (right, _)| {
                for ((left, right), (_, descending, collation)) in left.iter().zip(right).zip(order) {
                    let order = left.order(right, *collation);
                    if order.is_ne() {
                        return if *descending { order.reverse() } else { order };
                    }
                }
                Ordering::Equal
            });
            found = keyed.into_iter().map(|(_, row)| row).take(most).collect();
        }
        Ok(found)
    }

    pub(super) async fn update(&mut self, plan: &UpdatePlan) -> Result<Changed, SqlError> {
        let table = &plan.table;
        self.check_key(table)?;
        self.txn.touch(table)?;
        let strict = self.rules.strict && !plan.ignore;
        let targets = self.targets(table, &plan.access, plan.filter.as_ref(), &plan.order, plan.limit.as_ref()).await?;
        let mut changed = Changed { is_update: true, ..Changed::default() };
        for (number, old) in targets.into_iter().enumerate() {
            self.step().await?;
            // A cascade of an earlier row may have come here.
            let Some(old) = self.refreshed(table, old)? else { continue };
            let old = &old;
            changed.matched += 1;
            let new = self.assign(table, &plan.set, &old.row, number as u64 + 1, strict).await?;
            self.change_row(table, old, &new, plan.ignore, &mut changed).await?;
        }
        changed.affected = if self.rules.found_rows { changed.matched } else { changed.changed };
        Ok(changed)
    }

    /// Puts the new form of a row in the place of the old one, unless they are the same.
    pub(super) async fn change_row(
        &mut self,
        table: &Rc<Table>,
        old: &Found,
        new: &[Value],
        ignore: bool,
        changed: &mut Changed,
    ) -> Result<(), SqlError> {
        if row::same(&old.row, new) {
            let mut hashes = Vec::new();
            write_set(table, &old.row, &mut Vec::new(), &mut hashes);
            self.txn.note_read(&hashes[..hashes.len().min(1)]);
            return Ok(());
        }
        if let Err(duplicate) = self.check_duplicates(table, new, Some(old)).await {
            if ignore && matches!(duplicate.code, 1062 | 3819) {
                self.env.warn(Warning { level: Level::Warning, code: duplicate.code, message: duplicate.message });
                return Ok(());
            }
            return Err(duplicate);
        }
        if self.put_row(table, Some(old), Some(new), ignore).await? {
            changed.changed += 1;
        }
        Ok(())
    }

    pub(super) async fn delete(&mut self, plan: &DeletePlan) -> Result<Changed, SqlError> {
        let table = &plan.table;
        self.check_key(table)?;
        self.txn.touch(table)?;
        let targets = self.targets(table, &plan.access, plan.filter.as_ref(), &plan.order, plan.limit.as_ref()).await?;
        let mut changed = Changed::default();
        for old in targets {
            self.step().await?;
            let Some(old) = self.refreshed(table, old)? else { continue };
            if self.put_row(table, Some(&old), None, plan.ignore).await? {
                changed.affected += 1;
            }
        }
        Ok(changed)
    }
}
