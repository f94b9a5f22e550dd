//! WITH RECURSIVE: a query that is asked again about the rows that it gave last, until it gives none.
//!
//! Absent on purpose, with MySQL's errors: aggregates, DISTINCT, ORDER BY and LIMIT in a block that names the query
//! itself; LIMIT of the whole is there. The types of the columns are those of the blocks that do not.

use super::{Output, PendingPlan, Planner, SelectPlan, Source, unsupported};
use crate::ast::{self, JoinKind, Select, SetOp, TableRef};
use crate::error::{SqlError, error};
use crate::expr::{Cast, Node, Type};
use crate::value::Value;

/// A common table expression that names itself.
#[derive(Debug)]
pub struct RecursivePlan {
    /// Where the rows that the blocks below see are kept: those that came last.
    pub place: usize,
    /// The blocks that do not name it. What their columns are, the whole's are.
    pub first: SelectPlan,
    /// Those that do.
    pub blocks: Vec<SelectPlan>,
    /// UNION, not UNION ALL, before one of them: equal rows are kept once.
    pub distinct: bool,
    /// LIMIT: (count, offset).
    pub limit: Option<(Node, Option<Node>)>,
    /// Most characters of each column, where the first block declares it.
    pub lengths: Vec<Option<usize>>,
}

/// A common table expression whose blocks are being planned.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    name: String,
    /// Common table expressions before this one in sight hide behind it.
    at: usize,
    place: usize,
    columns: Vec<(String, Type)>,
}

/// How a block names a table, outside its expressions.
#[derive(Default)]
struct Uses {
    direct: usize,
    /// In a derived table, or in the right argument of a LEFT JOIN.
    nested: usize,
    inner: usize,
}

impl Uses {
    fn of(name: &str, select: &Select) -> Self {
        let mut uses = Self::default();
        select.from.iter().for_each(|table| uses.table(name, table, false));
        uses
    }

    const fn any(&self) -> bool {
        self.direct + self.nested + self.inner > 0
    }

    fn table(&mut self, name: &str, table: &TableRef, inner: bool) {
        match table {
            TableRef::Table { name: named, .. } if named.schema.is_none() && named.name.eq_ignore_ascii_case(name) => {
                *(if inner { &mut self.inner } else { &mut self.direct }) += 1;
            }
            TableRef::Table { .. } => {}
            TableRef::Derived { select, .. } => {
                let hidden = select.with.iter().any(|common| common.name.eq_ignore_ascii_case(name));
                let arms = select.unions.iter().map(|union| &union.select);
                if !hidden && std::iter::once(&**select).chain(arms).any(|select| Self::of(name, select).any()) {
                    self.nested += 1;
                }
            }
            TableRef::Join { left, right, kind, .. } => {
                self.table(name, left, inner || *kind == JoinKind::Right);
                self.table(name, right, inner || *kind == JoinKind::Left);
            }
        }
    }
}

fn wrong_uses(name: &str, inner: bool) -> SqlError {
    let block = format!("In recursive query block of Recursive Common Table Expression '{name}', the recursive table");
    if inner {
        let text =
            "must neither be in the right argument of a LEFT JOIN, nor be forced to be non-first with join order hints";
        return error(3576, format!("{block} {text}"));
    }
    error(3577, format!("{block} must be referenced only once, and not in any subquery"))
}

impl Planner<'_> {
    /// The rows of a recursive common table expression that stands at `at` among those in sight, and its columns; `None`
    /// when it does not name itself.
    #[allow(clippy::type_complexity, reason = "a source and what its columns are, taken apart at once")]
    pub(super) fn recursive(
        &mut self,
        common: &ast::CommonTable,
        at: usize,
    ) -> Result<Option<(Source, Vec<(String, Type)>)>, SqlError> {
        let (name, select) = (&common.name, &*common.select);
        let blocks = || std::iter::once(select).chain(select.unions.iter().map(|union| &union.select));
        let first = blocks().take_while(|block| !Uses::of(name, block).any()).count();
        if first == blocks().count() {
            return Ok(None);
        }
        if select.unions.iter().all(|union| union.op != SetOp::Union) {
            let text = format!("Recursive Common Table Expression '{name}' should contain a UNION");
            return Err(error(3573, text));
        }
        if first == 0 || blocks().skip(first).any(|block| !Uses::of(name, block).any()) {
            let text = "should have one or more non-recursive query blocks followed by one or more recursive ones";
            return Err(error(3574, format!("Recursive Common Table Expression '{name}' {text}")));
        }
        if select.unions[first - 1..].iter().any(|union| union.op != SetOp::Union) {
            return Err(unsupported("EXCEPT and INTERSECT in a recursive common table expression"));
        }
        if !select.order_by.is_empty() {
            return Err(unsupported("ORDER BY over UNION in recursive Common Table Expression"));
        }
        let (place, recursive) = (self.pending.len(), &select.unions[first - 1..]);
        self.pending.push(Some(PendingPlan::Latest));
        let mut seed = select.clone();
        seed.unions.truncate(first - 1);
        seed.limit = None;
        let mut plan = self.select(&seed)?;
        for output in &mut plan.output {
            // The later rows may be NULL.
            output.kind.not_null = false;
        }
        let columns = super::select::named_columns(&plan, &common.columns)?;
        let lengths = match plan.arms.as_slice() {
            [] => plan.output.iter().map(declared_length).collect(),
            _ => vec![None; columns.len()],
        };
        let frame = Frame { name: name.clone(), at, place, columns: columns.clone() };
        self.recursions.push(frame);
        let blocks = recursive.iter().map(|union| self.recursive_block(name, &union.select, columns.len()));
        let blocks = blocks.collect::<Result<Vec<_>, _>>();
        self.recursions.pop();
        let limit = match &select.limit {
            Some(limit) => Some(self.limit(limit)?),
            None => None,
        };
        let distinct = recursive.iter().any(|union| !union.all);
        let plan = RecursivePlan { place, first: plan, blocks: blocks?, distinct, limit, lengths };
        Ok(Some((Source::Recursive(Box::new(plan)), columns)))
    }

    fn recursive_block(&mut self, name: &str, block: &Select, columns: usize) -> Result<SelectPlan, SqlError> {
        let uses = Uses::of(name, block);
        if uses.inner > 0 && uses.direct + uses.nested == 0 {
            return Err(wrong_uses(name, true));
        }
        if uses.direct != 1 || uses.nested + uses.inner > 0 {
            return Err(wrong_uses(name, false));
        }
        if block.distinct || !block.order_by.is_empty() || block.limit.is_some() {
            let what = "ORDER BY / LIMIT / SELECT DISTINCT in recursive query block of Common Table Expression";
            return Err(unsupported(what));
        }
        let plan = self.select(block)?;
        if plan.grouping.is_some() {
            let text = "can contain neither aggregation nor window functions in recursive query block";
            return Err(error(3575, format!("Recursive Common Table Expression '{name}' {text}")));
        }
        if plan.output.len() != columns {
            return Err(error(1222, "The used SELECT statements have a different number of columns"));
        }
        Ok(plan)
    }

    /// The rows that came last, where a block names its own common table expression; `None`: the name means another
    /// table.
    #[allow(clippy::type_complexity, reason = "a source and what its columns are, taken apart at once")]
    pub(super) fn latest(
        &self,
        name: &str,
        hidden_by: Option<usize>,
    ) -> Result<Option<(Source, Vec<(String, Type)>)>, SqlError> {
        let named = |frame: &&Frame| frame.name.eq_ignore_ascii_case(name);
        let Some(frame) = self.recursions.iter().rev().find(named) else { return Ok(None) };
        if hidden_by.is_some_and(|at| at >= frame.at) {
            return Ok(None);
        }
        if self.enclosing.is_some() {
            // In the FROM of a subquery inside an expression.
            return Err(wrong_uses(name, false));
        }
        let source = Source::Latest { place: frame.place, columns: frame.columns.len() };
        Ok(Some((source, frame.columns.clone())))
    }
}

/// How long a text may be in a column that says so itself.
fn declared_length(output: &Output) -> Option<usize> {
    match &output.node {
        Node::Const(Value::Text(text)) => Some(text.chars().count()),
        Node::Cast(_, Cast::Text(Some(length))) => Some(*length as usize),
        Node::Column(_) if output.kind.is_string() => Some(output.kind.length as usize),
        _ => None,
    }
}
