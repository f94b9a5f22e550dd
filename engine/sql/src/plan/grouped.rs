//! ONLY_FULL_GROUP_BY: what a grouped query selects has to follow from its groups.
//!
//! A column follows from others when a unique key without NULLs leads to its row, or an equation in WHERE or in the
//! condition of a join says what it is; derived tables are looked into. Columns of computed tables are taken to follow
//! from whatever there is: MySQL's are views, whose keys are not known here.

use super::{Grouping, Output, SelectPlan, Source};
use crate::catalog::{Column, Table};
use crate::error::{SqlError, error};
use crate::expr::{Comparison, Node, Scope};
use std::collections::BTreeSet;

/// Columns of a row, by place.
type Columns = BTreeSet<usize>;

/// Which columns of the blocks around them subqueries take: place of the subquery to columns of this block.
type Taken<'a> = &'a dyn Fn(usize) -> Vec<usize>;

/// The parts of a query block that are judged.
pub(super) struct Block<'a> {
    pub source: &'a Source,
    pub scope: &'a Scope,
    pub filter: Option<&'a Node>,
    pub grouping: Option<&'a Grouping>,
    pub output: &'a [Output],
    pub having: Option<&'a Node>,
    pub order: &'a [(Node, bool, crate::collate::Collation)],
    pub distinct: bool,
    pub taken: Taken<'a>,
}

impl Block<'_> {
    /// # Errors
    /// 1055, 1140, 3065.
    pub(super) fn check(&self) -> Result<(), SqlError> {
        if let Some(grouping) = self.grouping {
            return self.check_groups(grouping);
        }
        if self.distinct && !self.order.is_empty() {
            return self.check_distinct();
        }
        Ok(())
    }

    fn check_groups(&self, grouping: &Grouping) -> Result<(), SqlError> {
        let mut known: Columns = grouping.by.iter().filter_map(|(node, _)| column(node)).collect();
        close(self.source, 0, self.filter, &mut known);
        let equals = |node: &Node| grouping.by.iter().any(|(by, _)| by == node);
        let refuse = |number: usize, what: &str, at: usize| {
            let name = self.name(at);
            if grouping.by.is_empty() {
                return error(
                    1140,
                    format!(
                        "In aggregated query without GROUP BY, expression #{number} of {what} contains nonaggregated \
                         column '{name}'; this is incompatible with sql_mode=only_full_group_by"
                    ),
                );
            }
            error(
                1055,
                format!(
                    "Expression #{number} of {what} is not in GROUP BY clause and contains nonaggregated column \
                     '{name}' which is not functionally dependent on columns in GROUP BY clause; this is incompatible \
                     with sql_mode=only_full_group_by"
                ),
            )
        };
        for (number, output) in self.output.iter().enumerate() {
            if let Some(at) = self.loose(&output.node, &known, &equals) {
                return Err(refuse(number + 1, "SELECT list", at));
            }
        }
        if let Some(at) = self.having.and_then(|having| self.loose(having, &known, &equals)) {
            return Err(refuse(1, "HAVING clause", at));
        }
        // One group has no order.
        for (number, (node, ..)) in self.order.iter().enumerate().filter(|_| !grouping.by.is_empty()) {
            if let Some(at) = self.loose(node, &known, &equals) {
                return Err(refuse(number + 1, "ORDER BY clause", at));
            }
        }
        Ok(())
    }

    fn check_distinct(&self) -> Result<(), SqlError> {
        let known: Columns = self.output.iter().filter_map(|output| column(&output.node)).collect();
        let equals = |node: &Node| self.output.iter().any(|output| output.node == *node);
        for (number, (node, ..)) in self.order.iter().enumerate() {
            if let Some(at) = self.loose(node, &known, &equals) {
                let text = format!(
                    "Expression #{} of ORDER BY clause is not in SELECT list, references column '{}' which is not in \
                     SELECT list; this is incompatible with DISTINCT",
                    number + 1,
                    self.name(at)
                );
                return Err(error(3065, text));
            }
        }
        Ok(())
    }

    /// The first column of an expression that does not follow from what is known.
    fn loose(&self, node: &Node, known: &Columns, equals: &dyn Fn(&Node) -> bool) -> Option<usize> {
        if equals(node) {
            return None;
        }
        let loose = |at: usize| (at < self.scope.columns.len() && !known.contains(&at)).then_some(at);
        let own = match node {
            Node::Column(at) => loose(*at),
            Node::Prepared(place)
            | Node::InPrepared { rows: place, .. }
            | Node::ExistsPrepared { rows: place, .. }
            | Node::Quantified { rows: place, .. } => (self.taken)(place.at).into_iter().find_map(loose),
            _ => None,
        };
        own.or_else(|| {
            let mut found = None;
            node.children(&mut |child| {
                if found.is_none() {
                    found = self.loose(child, known, equals);
                }
            });
            found
        })
    }

    fn name(&self, at: usize) -> String {
        let column = &self.scope.columns[at];
        let parts = [&*column.schema, &*column.table, &*column.name];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
    }
}

/// The column that an expression is.
pub(super) fn column(node: &Node) -> Option<usize> {
    match node {
        Node::Column(at) => Some(*at),
        Node::Local(node) => column(node),
        _ => None,
    }
}

/// Adds the columns that follow from those known. The source's columns begin at `first`.
fn close(source: &Source, first: usize, filter: Option<&Node>, known: &mut Columns) {
    loop {
        let before = known.len();
        if let Some(filter) = filter {
            equations(filter, 0, known, |_| true);
        }
        step(source, first, known);
        if known.len() == before {
            return;
        }
    }
}

/// What the equations that AND joins say: `a = b` for columns, `a = constant`; of columns that `may` follow. The row
/// that the condition is about begins at `first`.
fn equations(condition: &Node, first: usize, known: &mut Columns, may: impl Fn(usize) -> bool) {
    let mut conjuncts = Vec::new();
    condition.conjuncts(&mut conjuncts);
    for node in conjuncts {
        let Node::Compare(left, Comparison::Eq, right, _) = node else { continue };
        for (one, other) in [(left, right), (right, left)] {
            let Some(at) = column(one).map(|at| first + at).filter(|at| may(*at)) else { continue };
            if other.is_constant() || column(other).is_some_and(|other| known.contains(&(first + other))) {
                known.insert(at);
            }
        }
    }
}

fn step(source: &Source, first: usize, known: &mut Columns) {
    match source {
        Source::Nothing => {}
        Source::Table { table, .. } => {
            if has_key(table, first, known) {
                known.extend(first..first + table.definition.columns.len());
            }
        }
        Source::Virtual { columns, .. } => known.extend(first..first + columns),
        Source::Derived(plan) => derived(plan, first, known),
        Source::Recursive(_) | Source::Latest { .. } => {}
        Source::Join { left, right, outer, on, .. } => {
            step(left, first, known);
            let middle = first + left.width();
            step(right, middle, known);
            let Some(on) = on else { return };
            match outer {
                None => equations(on, first, known, |_| true),
                // A row without a partner is one only as the whole condition says.
                Some(_) => {
                    let mut decided = true;
                    on.visit(&mut |node| {
                        let left = |at: usize| first + at < middle && !known.contains(&(first + at));
                        decided &= !matches!(node, Node::Column(at) if left(*at));
                    });
                    if decided {
                        equations(on, first, known, |at| at >= middle);
                    }
                }
            }
        }
        Source::Exchanged { source, front } => {
            let width = source.width();
            let inside = |at: usize| (at - first + front) % width;
            let mut own: Columns =
                known.iter().filter(|at| (first..first + width).contains(*at)).map(|at| inside(*at)).collect();
            step(source, 0, &mut own);
            known.extend(own.into_iter().map(|at| first + (at + width - front) % width));
        }
    }
}

fn has_key(table: &Table, first: usize, known: &Columns) -> bool {
    let whole = |column: &Column| !column.nullable;
    table.definition.keys.iter().filter(|key| key.unique).any(|key| {
        key.parts.iter().all(|part| {
            let at = usize::from(part.column);
            part.prefix == 0 && whole(&table.definition.columns[at]) && known.contains(&(first + at))
        })
    })
}

/// Columns of a derived table follow as the columns inside it do.
fn derived(plan: &SelectPlan, first: usize, known: &mut Columns) {
    if !plan.arms.is_empty() {
        return;
    }
    let outputs = || plan.output.iter().enumerate();
    let of = |known: &Columns| -> Columns {
        let named = outputs().filter(|(at, _)| known.contains(&(first + at)));
        named.filter_map(|(_, output)| column(&output.node)).collect()
    };
    let mut inside = of(known);
    close(&plan.source, 0, plan.filter.as_ref(), &mut inside);
    let width = plan.source.width();
    let one_group = plan.grouping.as_ref().is_some_and(|grouping| {
        grouping.by.iter().all(|(by, _)| {
            column(by).is_some_and(|at| inside.contains(&at))
                || outputs().any(|(at, output)| output.node == *by && known.contains(&(first + at)))
        })
    });
    for (at, output) in outputs() {
        let mut follows = true;
        output.node.visit(&mut |node| {
            follows &= match node {
                Node::Column(at) if *at < width => inside.contains(at),
                Node::Column(_) | Node::UserVariable(_) | Node::Assign(..) => false,
                Node::Prepared(rows)
                | Node::InPrepared { rows, .. }
                | Node::ExistsPrepared { rows, .. }
                | Node::Quantified { rows, .. } => !rows.correlated,
                Node::Call(name, ..) => !matches!(*name, "RAND" | "UUID"),
                _ => true,
            };
        });
        if one_group || follows {
            known.insert(first + at);
        }
    }
}
