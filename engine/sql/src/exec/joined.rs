//! UPDATE and DELETE of tables that are joined: the joined rows are read first, then each row of a target is locked,
//! looked at again, and changed once, however often it was joined.

use super::Exec;
use super::change::Changed;
use super::cursor::{Found, decode};
use crate::error::SqlError;
use crate::key::row_key;
use crate::plan::{JoinedPlan, Target};
use crate::txn::Bytes;
use crate::value::Value;
use engine_store::{Mode, Space};
use std::collections::BTreeSet;

impl Exec<'_> {
    pub(super) async fn joined(&mut self, plan: &JoinedPlan) -> Result<Changed, SqlError> {
        for target in &plan.targets {
            self.check_key(&target.table)?;
            self.txn.touch(&target.table)?;
        }
        let mut feed = self.feed(&plan.source, false, None).await?;
        let mut rows = Vec::new();
        while let Some(row) = self.next(&mut feed, plan.filter.as_ref()).await? {
            rows.push(row);
        }
        let mut changed = Changed { is_update: plan.is_update, ..Changed::default() };
        let mut done = BTreeSet::new();
        for mut row in rows {
            for (number, target) in plan.targets.iter().enumerate() {
                self.step().await?;
                let width = target.table.definition.columns.len();
                let part = &row[target.first..target.first + width];
                let parts = target.table.clustered().map_or(&[][..], |key| &key.parts);
                // The outer side of a join had no partner here.
                if parts.iter().any(|part_of_key| part[usize::from(part_of_key.column)].is_null()) {
                    continue;
                }
                let key = row_key(&target.table, part);
                if !done.insert((number, key.clone())) {
                    continue;
                }
                let space = Space { table: target.table.id, number: 0 };
                let Some(bytes) = self.txn.lock(self.session, space, &key, Mode::Exclusive).await? else { continue };
                let now = decode(&target.table, &bytes)?;
                row[target.first..target.first + width].clone_from_slice(&now);
                if !self.passes(plan.filter.as_ref(), &row).await? {
                    continue;
                }
                let old = Found { key: Bytes::from(key), bytes, row: now };
                if plan.is_update {
                    self.update_joined(plan, target, &old, &row, &mut changed).await?;
                } else if self.put_row(&target.table, Some(&old), None, plan.ignore).await? {
                    changed.affected += 1;
                }
            }
        }
        if plan.is_update {
            changed.affected = if self.rules.found_rows { changed.matched } else { changed.changed };
        }
        Ok(changed)
    }

    async fn update_joined(
        &mut self,
        plan: &JoinedPlan,
        target: &Target,
        old: &Found,
        joined: &[Value],
        changed: &mut Changed,
    ) -> Result<(), SqlError> {
        changed.matched += 1;
        let strict = self.rules.strict && !plan.ignore;
        let (mut seen, mut new) = (joined.to_vec(), old.row.clone());
        for (at, node) in &target.set {
            let value = match node {
                Some(node) => {
                    let value = self.value(node, &seen).await?;
                    self.convert(&target.table, *at, value, changed.matched, strict)?
                }
                None => self.default(&target.table, *at, changed.matched, strict)?,
            };
            seen[target.first + at] = value.clone();
            new[*at] = value;
        }
        self.stamp(&target.table, &target.set, &old.row, &mut new, changed.matched, strict)?;
        self.change_row(&target.table, old, &new, plan.ignore, changed).await
    }
}
