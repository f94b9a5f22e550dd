//! EXPLAIN: a plan as MySQL's traditional table shows plans.
//!
//! The lines say what this planner does: by rule, so that `rows` is a rule of thumb for what is neither the whole table
//! nor one row, and `filtered` is always 100. There are no semi-joins, and no derived table is merged into the query
//! around it.

use super::access::by_key;
use super::{Access, Body, PendingPlan, Plan, RecursivePlan, SelectPlan, Source};
use crate::ast::SetOp;
use crate::catalog::{Column, ColumnType, Key, Table};
use crate::expr::Node;
use crate::value::Value;
use wire::id::TableId;

/// One line; an empty text is NULL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Line {
    id: Option<u64>,
    select_type: &'static str,
    table: String,
    access: &'static str,
    possible_keys: String,
    key: String,
    key_len: String,
    by: String,
    rows: Option<u64>,
    extra: Vec<&'static str>,
}

impl Line {
    fn values(self) -> Vec<Value> {
        let text = |text: String| if text.is_empty() { Value::Null } else { Value::text(text) };
        let number = |number: Option<u64>| number.map_or(Value::Null, Value::UInt);
        vec![
            number(self.id),
            text(self.select_type.to_owned()),
            text(self.table),
            Value::Null,
            text(self.access.to_owned()),
            text(self.possible_keys),
            text(self.key),
            text(self.key_len),
            text(self.by),
            number(self.rows),
            if self.rows.is_some() { Value::text("100.00") } else { Value::Null },
            text(self.extra.join("; ")),
        ]
    }
}

/// The lines of a plan. `count` knows how many rows a table has, about.
#[must_use]
pub fn explain(plan: &Plan, count: &dyn Fn(TableId) -> u64) -> Vec<Vec<Value>> {
    let mut lines = Lines { count, next: 1, out: Vec::new() };
    let subqueries = plan.pending.iter().filter_map(|pending| match pending {
        PendingPlan::Select { plan, correlated, .. } => Some((&**plan, *correlated)),
        PendingPlan::Call { .. } | PendingPlan::Constant { .. } | PendingPlan::Latest => None,
    });
    let subqueries: Vec<_> = subqueries.collect();
    let id = lines.id();
    let changed = |select_type: &'static str, table: &Table| Line {
        id: Some(id),
        select_type,
        table: table.name.clone(),
        access: "ALL",
        ..Line::default()
    };
    match &plan.body {
        Body::Select(select) => lines.query(select, id, if subqueries.is_empty() { "SIMPLE" } else { "PRIMARY" }),
        Body::Insert(insert) => {
            let what = if insert.replace { "REPLACE" } else { "INSERT" };
            lines.out.push(changed(what, &insert.table));
            if let Some(select) = &insert.select {
                lines.query(select, id, "SIMPLE");
            }
        }
        Body::Update(update) => {
            let sorts = !update.order.is_empty();
            lines.change("UPDATE", id, &update.table, &update.access, update.filter.as_ref(), sorts);
        }
        Body::Delete(delete) => {
            let sorts = !delete.order.is_empty();
            lines.change("DELETE", id, &delete.table, &delete.access, delete.filter.as_ref(), sorts);
        }
        Body::Joined(joined) => {
            let from = lines.out.len();
            lines.source(&joined.source, &Around { id, select_type: "SIMPLE", filter: joined.filter.as_ref() });
            let what = if joined.is_update { "UPDATE" } else { "DELETE" };
            for target in &joined.targets {
                let of = |line: &&mut Line| *line.table == *target.alias;
                lines.out[from..].iter_mut().filter(of).for_each(|line| line.select_type = what);
            }
        }
    }
    for (select, correlated) in subqueries {
        let id = lines.id();
        lines.query(select, id, if correlated { "DEPENDENT SUBQUERY" } else { "SUBQUERY" });
    }
    lines.out.into_iter().map(Line::values).collect()
}

/// The query block that a table stands in.
struct Around<'a> {
    id: u64,
    select_type: &'static str,
    filter: Option<&'a Node>,
}

/// What a derived table is.
enum Inner<'a> {
    Derived(&'a SelectPlan),
    Recursive(&'a RecursivePlan),
}

impl<'a> Inner<'a> {
    fn of(source: &'a Source) -> Option<Self> {
        match source {
            Source::Derived(plan) => Some(Self::Derived(plan)),
            Source::Recursive(plan) => Some(Self::Recursive(plan)),
            _ => None,
        }
    }
}

struct Lines<'a> {
    count: &'a dyn Fn(TableId) -> u64,
    next: u64,
    out: Vec<Line>,
}

impl Lines<'_> {
    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn query(&mut self, plan: &SelectPlan, id: u64, select_type: &'static str) {
        let outermost = if plan.arms.is_empty() || select_type != "SIMPLE" { select_type } else { "PRIMARY" };
        let has_derived = select_type == "SIMPLE" && holds_derived(&plan.source);
        self.block(plan, id, if has_derived { "PRIMARY" } else { outermost });
        let (mut ids, mut distinct, mut name, mut result) = (vec![id], false, "union", "UNION RESULT");
        for (op, all, arm) in &plan.arms {
            let id = self.id();
            ids.push(id);
            distinct |= !all;
            let what = match op {
                SetOp::Union => "UNION",
                SetOp::Except => {
                    (name, result) = ("except", "EXCEPT RESULT");
                    "EXCEPT"
                }
                SetOp::Intersect => {
                    (name, result) = ("intersect", "INTERSECT RESULT");
                    "INTERSECT"
                }
            };
            self.query(arm, id, what);
        }
        if distinct || !plan.arms.is_empty() && !plan.union_order.is_empty() {
            let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
            let mut extra = vec!["Using temporary"];
            if !plan.union_order.is_empty() {
                extra.push("Using filesort");
            }
            self.out.push(Line {
                select_type: result,
                table: format!("<{name}{}>", ids.join(",")),
                access: "ALL",
                extra,
                ..Line::default()
            });
        }
    }

    fn block(&mut self, plan: &SelectPlan, id: u64, select_type: &'static str) {
        let from = self.out.len();
        if let Source::Nothing = plan.source {
            self.out.push(Line { id: Some(id), select_type, extra: vec!["No tables used"], ..Line::default() });
            return;
        }
        let derived = self.source(&plan.source, &Around { id, select_type, filter: plan.filter.as_ref() });
        let groups = plan.grouping.as_ref().is_some_and(|grouping| !grouping.by.is_empty());
        if let Some(first) = self.out.get_mut(from) {
            if groups || plan.distinct {
                first.extra.push("Using temporary");
            }
            if !plan.order.is_empty() && plan.ordered.is_none() {
                first.extra.push("Using filesort");
            }
            if plan.ordered == Some(true) {
                first.extra.push("Backward index scan");
            }
        }
        for (id, inner) in derived {
            match inner {
                Inner::Derived(plan) => self.query(plan, id, "DERIVED"),
                Inner::Recursive(plan) => {
                    self.query(&plan.first, id, "DERIVED");
                    for block in &plan.blocks {
                        let id = self.id();
                        self.query(block, id, "UNION");
                    }
                }
            }
        }
    }

    /// Adds the lines of a source; the answer is the derived tables among it.
    fn source<'s>(&mut self, source: &'s Source, around: &Around<'_>) -> Vec<(u64, Inner<'s>)> {
        let mut derived = Vec::new();
        self.joined(source, &[], &[], true, around, &mut derived);
        derived
    }

    /// `left` names the columns of the tables joined before, `on` are conditions of the join.
    fn joined<'s>(
        &mut self,
        source: &'s Source,
        left: &[String],
        on: &[&Node],
        filtered: bool,
        around: &Around<'_>,
        derived: &mut Vec<(u64, Inner<'s>)>,
    ) {
        let plain = |table: String, rows| Line {
            id: Some(around.id),
            select_type: around.select_type,
            table,
            access: "ALL",
            rows,
            ..Line::default()
        };
        let filter = around.filter.filter(|_| filtered);
        let mut extra = Vec::new();
        if !on.is_empty() || filter.is_some() {
            extra.push("Using where");
        }
        if !left.is_empty() && !matches!(source, Source::Table { access: Access::Key { .. }, .. }) {
            extra.push("Using join buffer (Block Nested Loop)");
        }
        match source {
            Source::Nothing => {}
            Source::Table { table, access, alias } => {
                let filters: Vec<&Node> = on.iter().copied().chain(filter).collect();
                let mut line = self.table(table, access, left, &filters);
                line.id = Some(around.id);
                line.select_type = around.select_type;
                line.table = alias.to_string();
                if !left.is_empty() && matches!(access, Access::Full) {
                    line.extra.push("Using join buffer (Block Nested Loop)");
                }
                self.out.push(line);
            }
            Source::Virtual { name, .. } => self.out.push(Line { extra, ..plain(name.clone(), None) }),
            Source::Derived(_) | Source::Recursive(_) => {
                let id = self.id();
                derived.extend(Inner::of(source).map(|inner| (id, inner)));
                self.out.push(Line { extra, ..plain(format!("<derived{id}>"), None) });
            }
            Source::Latest { .. } => {
                extra.insert(0, "Recursive");
                self.out.push(Line { extra, ..plain("<recursive>".into(), None) });
            }
            Source::Join { left: one, right, outer, on: condition, .. } => {
                let names = [left, &names(one)].concat();
                self.joined(one, left, &[], filtered, around, derived);
                let on: Vec<&Node> = condition.iter().collect();
                self.joined(right, &names, &on, filtered && outer.is_none(), around, derived);
            }
            Source::Exchanged { source, .. } => self.joined(source, left, on, false, around, derived),
        }
    }

    fn table(&self, table: &Table, access: &Access, left: &[String], filters: &[&Node]) -> Line {
        let mut conjuncts = Vec::new();
        filters.iter().for_each(|filter| filter.conjuncts(&mut conjuncts));
        let usable = |key: &&Key| by_key(table, left.len(), key, &conjuncts).is_some();
        let possible: Vec<&str> = table.definition.shown_keys().filter(usable).map(|key| key.name.as_str()).collect();
        let all = (self.count)(table.id).max(1);
        let mut line = Line { access: "ALL", possible_keys: possible.join(","), rows: Some(all), ..Line::default() };
        let mut left_over = conjuncts.len();
        if let Access::Key { space, equal, among, low, high, .. } = access
            && let Some(key) = table.definition.keys.iter().find(|key| key.space == *space)
        {
            let whole = key.unique && equal.len() == key.parts.len();
            let range = among.is_some() || low.is_some() || high.is_some();
            let parts = equal.len() + usize::from(range);
            let length: u32 = key.parts[..parts]
                .iter()
                .map(|part| part_length(&table.definition.columns[usize::from(part.column)], part.prefix))
                .sum();
            line.key.clone_from(&key.name);
            line.key_len = length.to_string();
            if !range {
                let name = |node: &Node| match node {
                    Node::Column(at) => left.get(*at).cloned().unwrap_or_else(|| "func".to_owned()),
                    node if node.is_constant() => "const".to_owned(),
                    _ => "func".to_owned(),
                };
                line.by = equal.iter().map(name).collect::<Vec<_>>().join(",");
                left_over -= equal.len().min(left_over);
            }
            let constant = equal.iter().all(Node::is_constant);
            (line.access, line.rows) = match (range, whole) {
                (true, _) => ("range", Some(among.as_ref().map_or(all / 3, |list| list.len() as u64).max(1))),
                (false, true) if constant => ("const", Some(1)),
                (false, true) => ("eq_ref", Some(1)),
                (false, false) => ("ref", Some((all / 10).max(1))),
            };
        }
        if left_over > 0 {
            line.extra.push("Using where");
        }
        line
    }

    fn change(
        &mut self,
        select_type: &'static str,
        id: u64,
        table: &Table,
        access: &Access,
        filter: Option<&Node>,
        sorts: bool,
    ) {
        let filters: Vec<&Node> = filter.into_iter().collect();
        let mut line = self.table(table, access, &[], &filters);
        line.id = Some(id);
        line.select_type = select_type;
        line.table.clone_from(&table.name);
        if matches!(line.access, "const" | "ref") {
            line.access = "range";
        }
        line.extra = filter.map(|_| "Using where").into_iter().collect();
        if sorts {
            line.extra.push("Using filesort");
        }
        self.out.push(line);
    }
}

fn holds_derived(source: &Source) -> bool {
    match source {
        Source::Derived(_) | Source::Recursive(_) => true,
        Source::Join { left, right, .. } => holds_derived(left) || holds_derived(right),
        Source::Exchanged { source, .. } => holds_derived(source),
        Source::Nothing | Source::Table { .. } | Source::Virtual { .. } | Source::Latest { .. } => false,
    }
}

/// The columns of a source's rows as `ref` names them.
fn names(source: &Source) -> Vec<String> {
    match source {
        Source::Table { table, alias, .. } => {
            table.definition.columns.iter().map(|column| format!("{}.{alias}.{}", table.schema, column.name)).collect()
        }
        Source::Join { left, right, .. } => [names(left), names(right)].concat(),
        Source::Exchanged { source, front } => {
            let mut names = names(source);
            names.rotate_left(*front);
            names
        }
        other => vec!["func".to_owned(); other.width()],
    }
}

/// Bytes of a key's part, as MySQL would keep it.
fn part_length(column: &Column, prefix: u32) -> u32 {
    let fraction = |digits: u8| u32::from(digits.min(6).div_ceil(2));
    let wide = column.collation().bytes_per_char();
    let chars = |length: &u32| if prefix > 0 { prefix } else { *length };
    let bytes = match &column.kind {
        ColumnType::Int { bytes, .. } => u32::from(*bytes),
        ColumnType::Double { single: true, .. } | ColumnType::Fixed { single: true, .. } => 4,
        ColumnType::Double { .. } | ColumnType::Fixed { .. } => 8,
        ColumnType::Decimal { precision, scale, .. } => {
            let half = |digits: u32| digits / 9 * 4 + [0, 1, 1, 2, 2, 3, 3, 4, 4][(digits % 9) as usize];
            half(u32::from(precision - scale)) + half(u32::from(*scale))
        }
        ColumnType::Char(length) => chars(length) * wide,
        ColumnType::Binary(length) => chars(length),
        ColumnType::VarChar(length) => chars(length) * wide + 2,
        ColumnType::VarBinary(length) => chars(length) + 2,
        ColumnType::Text(_) => prefix * wide + 2,
        ColumnType::Blob(_) | ColumnType::Json => prefix + 2,
        ColumnType::Date => 3,
        ColumnType::Time(digits) => 3 + fraction(*digits),
        ColumnType::DateTime(digits) => 5 + fraction(*digits),
        ColumnType::Timestamp(digits) => 4 + fraction(*digits),
        ColumnType::Year => 1,
        ColumnType::Bit(count) => u32::from(count.div_ceil(8)),
        ColumnType::Enum(members) => 1 + u32::from(members.len() > 255),
        ColumnType::Set(members) => match members.len().div_ceil(8) as u32 {
            bytes @ 0..=4 => bytes.max(1),
            _ => 8,
        },
    };
    bytes + u32::from(column.nullable)
}
