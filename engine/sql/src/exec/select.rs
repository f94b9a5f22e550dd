//! SELECT.

use super::cursor::{Cursor, decode};
use super::group::Accumulator;
use super::sorted::PlainRows;
use super::{Exec, Rows, SLICE_ROWS, Sink, Wait};
use crate::ast::{LockWait, SetOp};
use crate::catalog::Table;
use crate::collate::Collation;
use crate::error::{SqlError, error};
use crate::expr::{Env, Node, compare_rows};
use crate::key::{self, weigh_value};
use crate::plan::{Access, Output, SelectPlan, Source};
use crate::row;
use crate::value::Value;
use engine_store::{Mode, Space};
use std::cell::OnceCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Rows of a source, one after another.
pub(super) enum Feed {
    Table(Cursor),
    Locking(Cursor, Rc<Table>, Mode, LockWait),
    Rows(std::vec::IntoIter<Vec<Value>>),
}

pub(super) struct Limits {
    pub(super) skip: u64,
    pub(super) take: u64,
}

pub(super) fn limits(limit: Option<&(Node, Option<Node>)>, env: &dyn Env) -> Result<Limits, SqlError> {
    let number = |node: &Node| -> Result<u64, SqlError> {
        let value = node.eval(&[], env)?;
        match &*value {
            Value::Int(value) if *value >= 0 => Ok(*value as u64),
            Value::UInt(value) => Ok(*value),
            Value::Text(text) => text.trim().parse().map_err(|_| error(1210, "Incorrect arguments to LIMIT")),
            // mysql2 sends integers of prepared statements as doubles.
            Value::Double(value) if *value >= 0.0 && value.fract() == 0.0 => Ok(*value as u64),
            _ => Err(error(1210, "Incorrect arguments to LIMIT")),
        }
    };
    Ok(match limit {
        None => Limits { skip: 0, take: u64::MAX },
        Some((count, offset)) => {
            Limits { skip: offset.as_ref().map(number).transpose()?.unwrap_or(0), take: number(count)? }
        }
    })
}

/// Hands rows on in their order, without the first ones and the last ones.
struct Window<'a> {
    limits: Limits,
    sink: &'a mut dyn Sink,
}

impl Window<'_> {
    /// Whether the next row is in the window.
    fn admits(&mut self) -> bool {
        if self.limits.skip > 0 {
            self.limits.skip -= 1;
            return false;
        }
        let admits = self.limits.take > 0;
        self.limits.take -= u64::from(admits);
        admits
    }

    fn push(&mut self, row: &[Value]) {
        if self.admits() {
            self.sink.row(row);
        }
    }

    fn is_full(&self) -> bool {
        self.limits.take == 0
    }
}

/// What result rows are sorted by.
enum SortKey<'a> {
    /// A selected column.
    Selected(usize),
    /// Something else: its place among such, and the expression.
    Computed(usize, &'a Node),
}

impl SortKey<'_> {
    /// The key of a row: (values computed for it, selected columns).
    fn of<'r>(&self, (computed, selected): &'r (Vec<Value>, Vec<Value>)) -> &'r Value {
        match self {
            Self::Selected(at) => &selected[*at],
            Self::Computed(at, _) => &computed[*at],
        }
    }
}

fn sort_keys(plan: &SelectPlan) -> Vec<SortKey<'_>> {
    let mut computed = 0;
    let key = |(node, ..): &'_ (Node, bool, Collation)| {
        plan.output.iter().position(|output| matches!(node, Node::Column(_)) && output.node == *node)
    };
    let mut keys = Vec::with_capacity(plan.order.len());
    for item in &plan.order {
        keys.push(match key(item) {
            Some(at) => SortKey::Selected(at),
            None => {
                computed += 1;
                SortKey::Computed(computed - 1, &item.0)
            }
        });
    }
    keys
}

/// A row to be sorted.
struct Sortable {
    /// A part of its first key: less than another's only if the row comes first; `None` says nothing.
    front: Option<u64>,
    /// Values computed for it, and the selected columns.
    row: (Vec<Value>, Vec<Value>),
}

/// Rows that equal ones are looked for among, at first.
const EQUALS_LOOKED_FOR: usize = 4096;

/// Rows of a result that is sorted.
struct Sorted<'a> {
    plan: &'a SelectPlan,
    keys: &'a [SortKey<'a>],
    rows: Vec<Sortable>,
    /// Where rows without equal ones are wanted, equal ones go when there are so many.
    most: usize,
}

impl<'a> Sorted<'a> {
    fn new(plan: &'a SelectPlan, keys: &'a [SortKey<'a>]) -> Self {
        Self { plan, keys, rows: Vec::new(), most: EQUALS_LOOKED_FOR }
    }

    fn push(&mut self, computed: Vec<Value>, selected: Vec<Value>) {
        let row = (computed, selected);
        let front = match (self.keys.first(), self.plan.order.first()) {
            (Some(key), Some((_, descending, collation))) => match key.of(&row) {
                Value::Text(text) => {
                    let front = collation.front(text.as_bytes());
                    if *descending { front.map(|front| !front) } else { front }
                }
                _ => None,
            },
            _ => None,
        };
        self.rows.push(Sortable { front, row });
        if self.plan.distinct_by_order && self.rows.len() >= self.most {
            self.sort();
            self.most = (2 * self.rows.len()).max(EQUALS_LOOKED_FOR);
        }
    }

    fn compare(plan: &SelectPlan, keys: &[SortKey<'_>], left: &Sortable, right: &Sortable) -> Ordering {
        if let (Some(left), Some(right)) = (left.front, right.front)
            && left != right
        {
            return left.cmp(&right);
        }
        for (key, (_, descending, collation)) in keys.iter().zip(&plan.order) {
            let order = key.of(&left.row).order(key.of(&right.row), *collation);
            if order.is_ne() {
                return if *descending { order.reverse() } else { order };
            }
        }
        Ordering::Equal
    }

    /// Sorts; of equal rows, where they are not wanted, the one that came first stays.
    fn sort(&mut self) {
        let Self { plan, keys, rows, .. } = self;
        rows.sort_by(|left, right| Self::compare(plan, keys, left, right));
        if plan.distinct_by_order {
            rows.dedup_by(|later, first| Self::compare(plan, keys, first, later).is_eq());
        }
    }
}

impl Exec<'_> {
    /// Runs a query.
    pub(super) fn select<'s>(&'s mut self, plan: &'s SelectPlan, sink: &'s mut dyn Sink) -> Wait<'s, ()> {
        Box::pin(async move {
            if plan.arms.is_empty() {
                return self.block(plan, sink, true).await;
            }
            let mut rows = Rows::default();
            self.block(plan, &mut rows, false).await?;
            let collations: Vec<Collation> = plan.output.iter().map(|output| output.kind.collation).collect();
            let weigh = |row: &[Value]| {
                let mut bytes = Vec::new();
                for (value, collation) in row.iter().zip(&collations) {
                    weigh_value(value, *collation, &mut bytes);
                }
                bytes
            };
            for (op, all, arm) in &plan.arms {
                let mut more = Rows::default();
                self.select(arm, &mut more).await?;
                let theirs: BTreeSet<_> = more.rows.iter().map(|row| weigh(row)).collect();
                match op {
                    SetOp::Union => rows.rows.append(&mut more.rows),
                    SetOp::Except => rows.rows.retain(|row| !theirs.contains(&weigh(row))),
                    SetOp::Intersect => rows.rows.retain(|row| theirs.contains(&weigh(row))),
                }
                if !*all {
                    let mut seen = BTreeSet::new();
                    rows.rows.retain(|row| seen.insert(weigh(row)));
                }
            }
            for row in &mut rows.rows {
                for (value, output) in row.iter_mut().zip(&plan.output) {
                    if output.kind.is_string() && (value.is_number() || value.is_temporal()) {
                        *value = Value::text(value.to_text().unwrap_or_default());
                    }
                }
            }
            rows.rows.sort_by(|left, right| compare_rows(left, right, &plan.union_order));
            let env: &dyn Env = self.env;
            let limits = limits(plan.limit.as_ref(), env)?;
            sink.columns(&plan.output, &plan.described);
            let mut window = Window { limits, sink };
            rows.rows.iter().for_each(|row| window.push(row));
            if plan.counts_all {
                self.env.set_rows_without_limit(rows.rows.len() as u64);
            }
            Ok(())
        })
    }

    /// One query block; without its LIMIT when that is the whole UNION's.
    async fn block(&mut self, plan: &SelectPlan, sink: &mut dyn Sink, limited: bool) -> Result<(), SqlError> {
        let env = self.env;
        let limit = limits(plan.limit.as_ref().filter(|_| limited), env)?;
        let mut feed = self.feed(&plan.source, plan.ordered == Some(true), plan.locking).await?;
        let mut where_ = plan.filter.as_ref();
        if let Feed::Table(cursor) = &mut feed {
            if cursor.is_exact() {
                where_ = None;
            }
            if !self.has_correlated() {
                cursor.read_only(plan.columns.clone());
            }
            if let (true, None, Some(moved)) = (plan.straight, where_, &plan.moved) {
                sink.columns(&plan.output, &plan.described);
                return self.straight(cursor, moved, Window { limits: limit, sink }).await;
            }
            if let (true, None, Some(moved)) = (plan.straight_sorted, where_, &plan.moved) {
                sink.columns(&plan.output, &plan.described);
                return self.straight_sorted(cursor, plan, moved, Window { limits: limit, sink }).await;
            }
        }
        if let Some(grouping) = &plan.grouping {
            let rows = self.group(plan, grouping, &mut feed, where_).await?;
            feed = Feed::Rows(rows.into_iter());
        }
        let filter = if plan.grouping.is_some() { plan.having.as_ref() } else { where_ };
        let having = if plan.grouping.is_some() { None } else { plan.having.as_ref() };
        let sorts = !plan.order.is_empty() && plan.ordered.is_none();
        let keys: Vec<SortKey<'_>> = if sorts { sort_keys(plan) } else { Vec::new() };
        let computes = keys.iter().any(|key| matches!(key, SortKey::Computed(..)));
        let mut seen = BTreeSet::new();
        let mut weights = Vec::new();
        let mut sorted = Sorted::new(plan, &keys);
        let bare = matches!(plan.source, Source::Nothing) && plan.grouping.is_none();
        if !bare {
            sink.columns(&plan.output, &plan.described);
        }
        let mut announced = !bare;
        let mut window = Window { limits: limit, sink };
        let mut out = Vec::with_capacity(plan.output.len());
        let mut count = 0_u64;
        while !window.is_full() || bare || plan.counts_all {
            let mut row = match self.next_now(&mut feed, filter)? {
                Some(row) => row,
                None => match self.next(&mut feed, filter).await? {
                    Some(row) => row,
                    None => break,
                },
            };
            if having.is_some() && !self.passes(having, &row).await? {
                continue;
            }
            out.clear();
            let mut computed = Vec::new();
            match &plan.moved {
                Some(columns) => {
                    // Keys first: the row is then taken to pieces.
                    if computes {
                        self.computed_keys(&keys, &row, &mut computed).await?;
                    }
                    out.extend(columns.iter().map(|&at| std::mem::take(&mut row[at])));
                }
                None => {
                    for output in &plan.output {
                        out.push(self.value(&output.node, &row).await?);
                    }
                }
            }
            if bare {
                announced = true;
                // Without a table the values say best what they are.
                let mut output: Vec<Output> = plan.output.clone();
                output.iter_mut().zip(&out).for_each(|(output, value)| output.fit(value));
                window.sink.columns(&output, &OnceCell::new());
            }
            if plan.distinct && !plan.distinct_by_order {
                weights.clear();
                for (value, output) in out.iter().zip(&plan.output) {
                    weigh_value(value, output.kind.collation, &mut weights);
                }
                if seen.contains(weights.as_slice()) {
                    continue;
                }
                seen.insert(weights.clone());
            }
            count += 1;
            if sorts {
                if computes && plan.moved.is_none() {
                    self.computed_keys(&keys, &row, &mut computed).await?;
                }
                sorted.push(computed, std::mem::replace(&mut out, Vec::with_capacity(plan.output.len())));
            } else {
                window.push(&out);
            }
            if bare {
                break;
            }
        }
        if !announced {
            window.sink.columns(&plan.output, &plan.described);
        }
        sorted.sort();
        for sortable in &sorted.rows {
            if window.is_full() {
                break;
            }
            window.push(&sortable.row.1);
        }
        if plan.counts_all && limited {
            self.env.set_rows_without_limit(count);
        }
        Ok(())
    }

    /// Stored rows of whole numbers and texts straight into the sink.
    async fn straight(&mut self, cursor: &mut Cursor, moved: &[usize], mut window: Window<'_>) -> Result<(), SqlError> {
        while !window.is_full() {
            let mut rows = 0;
            let more = cursor.pass_rows(self, |cursor, bytes| {
                rows += 1;
                if !window.admits() {
                    return Ok(());
                }
                let mut row = Vec::with_capacity(moved.len());
                let read = row::read_plain(&cursor.table().definition, bytes, moved, &mut row);
                read.map_err(|fault| cursor.damaged(fault))?;
                window.sink.plain_row(&row);
                Ok(())
            })?;
            if !more {
                break;
            }
            if self.worked(rows) {
                self.rest().await?;
            }
        }
        Ok(())
    }

    /// The same, sorted before.
    async fn straight_sorted(
        &mut self,
        cursor: &mut Cursor,
        plan: &SelectPlan,
        moved: &[usize],
        mut window: Window<'_>,
    ) -> Result<(), SqlError> {
        // What is selected first, and then what else rows are sorted by.
        let mut wanted = moved.to_vec();
        let mut keys = Vec::with_capacity(plan.order.len());
        for (node, descending, collation) in &plan.order {
            let Node::Column(column) = node else { unreachable!("plans say which rows are sorted by columns alone") };
            let place = wanted.iter().position(|wanted| wanted == column).unwrap_or_else(|| {
                wanted.push(*column);
                wanted.len() - 1
            });
            keys.push((place, *descending, *collation));
        }
        let mut sorted = PlainRows::new(keys, wanted.len(), plan.distinct);
        while !window.is_full() {
            let mut rows = 0;
            let more = cursor.pass_rows(self, |cursor, bytes| {
                rows += 1;
                let mut row = Vec::with_capacity(wanted.len());
                let read = row::read_plain(&cursor.table().definition, bytes, &wanted, &mut row);
                read.map_err(|fault| cursor.damaged(fault))?;
                sorted.push(&row);
                Ok(())
            })?;
            if !more {
                break;
            }
            if self.worked(rows) {
                self.rest().await?;
            }
        }
        sorted.hand_on(moved.len(), |row| {
            if window.admits() {
                window.sink.plain_row(row);
            }
            !window.is_full()
        });
        Ok(())
    }

    /// The next row that passes the filter, if it is there without waiting; `None` says nothing.
    fn next_now(&mut self, feed: &mut Feed, filter: Option<&Node>) -> Result<Option<Vec<Value>>, SqlError> {
        let Feed::Table(cursor) = feed else { return Ok(None) };
        if self.correlated && filter.is_some() {
            return Ok(None);
        }
        while self.work + 1 < SLICE_ROWS {
            let Some(row) = cursor.ready_row() else { return Ok(None) };
            self.work += 1;
            if self.passes_now(filter, &row)? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Appends the values that a row is sorted by and that are not selected.
    async fn computed_keys(
        &mut self,
        keys: &[SortKey<'_>],
        row: &[Value],
        out: &mut Vec<Value>,
    ) -> Result<(), SqlError> {
        for key in keys {
            if let SortKey::Computed(_, node) = key {
                out.push(self.value(node, row).await?);
            }
        }
        Ok(())
    }

    /// The next row that passes the filter.
    pub(super) async fn next(
        &mut self,
        feed: &mut Feed,
        filter: Option<&Node>,
    ) -> Result<Option<Vec<Value>>, SqlError> {
        loop {
            match feed {
                Feed::Rows(rows) => {
                    let Some(row) = rows.next() else { return Ok(None) };
                    self.step().await?;
                    if self.passes(filter, &row).await? {
                        return Ok(Some(row));
                    }
                }
                Feed::Table(cursor) => {
                    let Some(row) = cursor.next_row(self).await? else { return Ok(None) };
                    if self.passes(filter, &row).await? {
                        return Ok(Some(row));
                    }
                }
                Feed::Locking(cursor, table, mode, wait) => {
                    let Some(found) = cursor.next(self).await? else { return Ok(None) };
                    if !self.passes(filter, &found.row).await? {
                        continue;
                    }
                    let (table, mode, wait) = (table.clone(), *mode, *wait);
                    let Some(row) = self.lock_row(&table, &found.key, mode, wait).await? else { continue };
                    if self.passes(filter, &row).await? {
                        return Ok(Some(row));
                    }
                }
            }
        }
    }

    /// Locks a row and reads its newest version; `None` when it is gone, or locked and to be skipped.
    async fn lock_row(
        &mut self,
        table: &Table,
        key: &[u8],
        mode: Mode,
        wait: LockWait,
    ) -> Result<Option<Vec<Value>>, SqlError> {
        let space = Space { table: table.id, number: 0 };
        let timeout = self.txn.rules.lock_timeout_us;
        if wait != LockWait::Wait {
            self.txn.rules.lock_timeout_us = None;
        }
        let locked = self.txn.lock(self.session, space, key, mode).await;
        self.txn.rules.lock_timeout_us = timeout;
        let bytes = match locked {
            Ok(bytes) => bytes,
            Err(error) if error.code == 3572 && wait == LockWait::SkipLocked => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(bytes) = bytes else { return Ok(None) };
        let row = decode(table, &bytes)?;
        let mut hashes = Vec::new();
        key::write_set(table, &row, &mut Vec::new(), &mut hashes);
        // The first hash is the clustered key's: keys are listed primary first.
        self.txn.note_read(&hashes[..hashes.len().min(1)]);
        Ok(Some(row))
    }

    pub(super) async fn feed(
        &mut self,
        source: &Source,
        backward: bool,
        locking: Option<(bool, LockWait)>,
    ) -> Result<Feed, SqlError> {
        if let Source::Table { table, access, .. } = source {
            self.txn.touch(table)?;
            return Ok(match locking.filter(|_| table.clustered().is_some()) {
                None => Feed::Table(Cursor::new(self, table, access, &[], backward)?),
                Some((exclusive, wait)) => {
                    let mode = if exclusive { Mode::Exclusive } else { Mode::Shared };
                    Feed::Locking(Cursor::new(self, table, access, &[], backward)?, table.clone(), mode, wait)
                }
            });
        }
        Ok(Feed::Rows(self.materialise(source).await?.into_iter()))
    }

    /// All rows of a source.
    fn materialise<'s>(&'s mut self, source: &'s Source) -> Wait<'s, Vec<Vec<Value>>> {
        Box::pin(async move {
            match source {
                Source::Nothing => Ok(vec![Vec::new()]),
                Source::Table { table, access, .. } => self.table_rows(table, access, &[]).await,
                Source::Virtual { schema, name, .. } => self.env.virtual_rows(schema, name),
                Source::Derived(plan) => {
                    let mut rows = Rows::default();
                    self.select(plan, &mut rows).await?;
                    Ok(rows.rows)
                }
                Source::Recursive(plan) => self.recursive(plan).await,
                Source::Latest { place, .. } => Ok(self.env.prepared(*place)?.to_vec()),
                Source::Join { left, right, outer, on, before } => {
                    let left = self.materialise(left).await?;
                    let keyed = match &**right {
                        Source::Table { table, access: access @ Access::Key { .. }, .. } => Some((table, access)),
                        _ => None,
                    };
                    let all = if keyed.is_some() { Vec::new() } else { self.materialise(right).await? };
                    let mut rows = Vec::new();
                    for left in &left {
                        if !self.passes(before.as_ref(), left).await? {
                            continue;
                        }
                        let found = match keyed {
                            Some((table, access)) => Some(self.table_rows(table, access, left).await?),
                            None => None,
                        };
                        let mut matched = false;
                        for right in found.as_ref().unwrap_or(&all) {
                            self.step().await?;
                            let row: Vec<Value> = left.iter().chain(right).cloned().collect();
                            if self.passes(on.as_ref(), &row).await? {
                                matched = true;
                                rows.push(row);
                            }
                        }
                        if let (false, Some(width)) = (matched, outer) {
                            let nulls = std::iter::repeat_n(&Value::Null, *width);
                            rows.push(left.iter().chain(nulls).cloned().collect());
                        }
                    }
                    Ok(rows)
                }
                Source::Exchanged { source, front } => {
                    let mut rows = self.materialise(source).await?;
                    rows.iter_mut().for_each(|row| row.rotate_left(*front));
                    Ok(rows)
                }
            }
        })
    }

    /// The rows of a base table, for a row of the tables joined before.
    async fn table_rows(
        &mut self,
        table: &Rc<Table>,
        access: &Access,
        row: &[Value],
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        self.txn.touch(table)?;
        let mut cursor = Cursor::new(self, table, access, row, false)?;
        let mut rows = Vec::new();
        while let Some(row) = cursor.next_row(self).await? {
            rows.push(row);
        }
        Ok(rows)
    }

    /// One row per group: the group's first row, then its aggregates.
    async fn group(
        &mut self,
        plan: &SelectPlan,
        grouping: &crate::plan::Grouping,
        feed: &mut Feed,
        filter: Option<&Node>,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        let fresh = || grouping.aggregates.iter().map(Accumulator::new).collect::<Vec<_>>();
        let by = &grouping.by;
        let mut groups: BTreeMap<Vec<u8>, (Vec<Value>, Vec<Accumulator>, usize)> = BTreeMap::new();
        let mut width = None;
        // Without GROUP BY all rows are one group.
        let mut only: Option<(Vec<Value>, Vec<Accumulator>, usize)> = None;
        let mut keys = Vec::new();
        loop {
            let row = match self.next_now(feed, filter)? {
                Some(row) => row,
                None => match self.next(feed, filter).await? {
                    Some(row) => row,
                    None => break,
                },
            };
            width = Some(row.len());
            keys.clear();
            if !by.is_empty() {
                let mut key = Vec::new();
                for (kept, (node, collation)) in by.iter().enumerate() {
                    if grouping.rollup {
                        // Behind the groups that it is the sum of.
                        keys.push(([key.as_slice(), &[1]].concat(), kept));
                        key.push(0);
                    }
                    weigh_value(&self.value(node, &row).await?, *collation, &mut key);
                }
                keys.push((key, by.len()));
            }
            let count = keys.len().max(1);
            for number in 0..count {
                let (_, accumulators, _) = match keys.get_mut(number) {
                    None => only.get_or_insert_with(|| (row.clone(), fresh(), 0)),
                    Some((key, kept)) => match groups.get_mut(key) {
                        Some(group) => group,
                        None => groups.entry(std::mem::take(key)).or_insert((row.clone(), fresh(), *kept)),
                    },
                };
                for (accumulator, aggregate) in accumulators.iter_mut().zip(&grouping.aggregates) {
                    if self.correlated {
                        self.of_row(&row, |env| accumulator.add(aggregate, &row, env)).await?;
                    } else {
                        accumulator.add(aggregate, &row, self.env)?;
                        self.env.fault()?;
                    }
                }
            }
        }
        if let Some(group) = only {
            groups.insert(Vec::new(), group);
        }
        if groups.is_empty() && (by.is_empty() || grouping.rollup) {
            let width = width.unwrap_or_else(|| plan.source.width());
            groups.insert(Vec::new(), (vec![Value::Null; width], fresh(), 0));
        }
        let finish = |(mut row, accumulators, kept): (Vec<Value>, Vec<Accumulator>, usize)| {
            let results = accumulators.into_iter().zip(&grouping.aggregates);
            row.extend(results.map(|(accumulator, aggregate)| accumulator.finish(aggregate, by, kept)));
            row
        };
        Ok(groups.into_values().map(finish).collect())
    }
}
