//! Plans of query blocks.

use super::{Access, Grouping, Output, Planner, SelectPlan, Source, TableUse, choose, table_scope, unsupported};
use crate::ast::{self, Expr, JoinCondition, JoinKind, Literal, Select, SelectItem, TableRef};
use crate::catalog::ColumnType;
use crate::error::{SqlError, error};
use crate::expr::{Aggregate, Comparison, Node, Scope, ScopeColumn, Type};
use crate::value::Value;
use std::cell::OnceCell;
use std::rc::Rc;
use wire::client::constant::ColumnType as WireType;

/// Which columns of its base table a query block asks for.
fn columns_asked_for(plan: &SelectPlan) -> Option<Rc<[bool]>> {
    let Source::Table { table, .. } = &plan.source else { return None };
    let mut asked = vec![false; table.definition.columns.len()];
    let mut ask = |node: &Node| {
        node.visit(&mut |node| {
            // Aggregates stand behind the table's columns.
            if let Node::Column(at) = node
                && let Some(asked) = asked.get_mut(*at)
            {
                *asked = true;
            }
        });
    };
    plan.filter.iter().chain(&plan.having).for_each(&mut ask);
    plan.output.iter().for_each(|output| ask(&output.node));
    plan.order.iter().for_each(|(node, ..)| ask(node));
    if let Some(grouping) = &plan.grouping {
        grouping.by.iter().for_each(|(node, _)| ask(node));
        for aggregate in &grouping.aggregates {
            aggregate.args.iter().for_each(&mut ask);
            aggregate.order_by.iter().for_each(|(node, _)| ask(node));
        }
    }
    Some(asked.into())
}

/// The columns that are selected, where nothing else is and none of them twice.
fn moved_columns(output: &[Output]) -> Option<Vec<usize>> {
    let mut columns = Vec::with_capacity(output.len());
    for output in output {
        match output.node {
            Node::Column(at) if !columns.contains(&at) => columns.push(at),
            _ => return None,
        }
    }
    Some(columns)
}

/// Whether such a column holds its texts themselves; ENUM and SET hold numbers.
fn is_written(kind: &ColumnType) -> bool {
    matches!(kind, ColumnType::Char(_) | ColumnType::VarChar(_) | ColumnType::Text(_))
}

/// Whether stored rows of the plan's table are its answer but for their other columns, their order and how often they
/// come, once its way to the rows has done what the filter says: whole numbers and texts.
fn is_straight(plan: &SelectPlan) -> bool {
    let (Source::Table { table, access, .. }, Some(moved)) = (&plan.source, &plan.moved) else { return false };
    let unfiltered = plan.filter.is_none() || matches!(access, Access::Key { whole: true, .. });
    // Aggregates stand behind the table's columns.
    let plain = |&at: &usize| {
        table.definition.columns.get(at).is_some_and(|column| match column.kind {
            ColumnType::Int { zerofill, .. } => !zerofill,
            ref kind => is_written(kind),
        })
    };
    unfiltered
        && moved.iter().all(plain)
        && (plan.ordered.is_some() || plan.order.iter().all(|(node, ..)| matches!(node, Node::Column(at) if plain(at))))
        && plan.grouping.is_none()
        && plan.having.is_none()
        && !plan.counts_all
        && plan.locking.is_none()
}

/// Whether rows that are equal under DISTINCT are those that sort as equal: every selected column is sorted by, and is
/// a whole number or a text whose weights say everything.
fn distinct_by_order(plan: &SelectPlan) -> bool {
    let Source::Table { table, .. } = &plan.source else { return false };
    let sorted = |output: &Output| {
        let Node::Column(at) = output.node else { return false };
        let Some(column) = table.definition.columns.get(at) else { return false };
        let by = |(node, _, collation): &(Node, bool, crate::collate::Collation)| {
            *node == output.node && (!is_written(&column.kind) || *collation == output.kind.collation)
        };
        let exact = match &column.kind {
            ColumnType::Int { .. } => true,
            kind => is_written(kind) && !output.kind.collation.pads(),
        };
        exact && plan.order.iter().any(by)
    };
    plan.distinct
        && plan.grouping.is_none()
        && !plan.counts_all
        && plan.ordered.is_none()
        && plan.output.iter().all(sorted)
}

impl Planner<'_> {
    pub(super) fn select(&mut self, select: &Select) -> Result<SelectPlan, SqlError> {
        if select.with.is_empty() {
            return self.query_block(select);
        }
        let outside = self.common.len();
        for (at, common) in select.with.iter().enumerate() {
            if select.with[..at].iter().any(|other| other.name.eq_ignore_ascii_case(&common.name)) {
                return Err(error(1066, format!("Not unique table/alias: '{}'", common.name)));
            }
            self.common.push(Rc::new(common.clone()));
        }
        let plan = self.query_block(select);
        self.common.truncate(outside);
        plan
    }

    fn query_block(&mut self, select: &Select) -> Result<SelectPlan, SqlError> {
        if !select.values.is_empty() {
            return self.query_block(&rows_as_arms(select)?);
        }
        let before = self.uses.len();
        let (mut source, scope) = self.from(&select.from)?;
        if select.locking.as_ref().is_some_and(|locking| locking.exclusive) {
            self.uses[before..].iter_mut().for_each(|used| used.write = true);
        }
        let filter = match &select.filter {
            Some(filter) => Some(self.resolver(&scope, "where clause").node(filter)?),
            None => None,
        };
        push_down(&mut source, filter.as_ref());
        let mut aggregates = Vec::new();
        let mut output = self.projection(select, &scope, &mut aggregates)?;
        if output.is_empty() {
            return Err(error(1096, "No tables used"));
        }
        let aliases: Vec<(String, Node, Type)> =
            output.iter().map(|column| (column.name.clone(), column.node.clone(), column.kind.clone())).collect();
        let mut by = Vec::new();
        for expr in &select.group_by {
            let found = position(expr, &output, "group statement")?;
            let (node, kind) = match found {
                Some(column) => (column.node.clone(), column.kind.clone()),
                None => {
                    let mut resolver = self.resolver(&scope, "group statement");
                    resolver.aliases = &aliases;
                    resolver.resolve(expr)?
                }
            };
            if touches_aggregate(&node, scope.columns.len()) {
                let name = match (found, expr) {
                    (Some(column), _) => column.name.as_str(),
                    (None, Expr::Column(column)) => column.column.as_str(),
                    (None, _) => "an aggregate",
                };
                return Err(error(1056, format!("Can't group on '{name}'")));
            }
            by.push((node, kind.collation));
        }
        let selected = output.iter().map(|output| &output.node).chain(by.iter().map(|(node, _)| node));
        let seen: Vec<usize> = selected.filter_map(super::grouped::column).collect();
        let mut having = match &select.having {
            Some(having) => {
                let mut resolver = self.resolver(&scope, "having clause");
                resolver.aliases = &aliases;
                resolver.only = Some(&seen);
                resolver.aggregates = Some(&mut aggregates);
                Some(resolver.node(having)?)
            }
            None => None,
        };
        let mut arms = Vec::new();
        for union in &select.unions {
            let plan = self.select(&union.select)?;
            if plan.output.len() != output.len() {
                return Err(error(1222, "The used SELECT statements have a different number of columns"));
            }
            for (own, other) in output.iter_mut().zip(&plan.output) {
                if own.kind.kind != other.kind.kind || own.kind.length < other.kind.length {
                    own.kind = crate::expr::common_type(&[own.kind.clone(), other.kind.clone()]);
                }
                own.kind.not_null &= other.kind.not_null;
            }
            arms.push((union.op, union.all, plan));
        }
        let (mut order, mut union_order) = (Vec::new(), Vec::new());
        for item in &select.order_by {
            if arms.is_empty() {
                let (node, kind) = match position(&item.expr, &output, "order clause")? {
                    Some(column) => (column.node.clone(), column.kind.clone()),
                    None => {
                        let mut resolver = self.resolver(&scope, "order clause");
                        resolver.aliases = &aliases;
                        resolver.aliases_first = true;
                        resolver.aggregates = Some(&mut aggregates);
                        resolver.resolve(&item.expr)?
                    }
                };
                order.push((node, item.descending, kind.collation));
            } else {
                let at = union_column(&item.expr, &output)?;
                union_order.push((at, item.descending, output[at].kind.collation));
            }
        }
        let limit = match &select.limit {
            Some(limit) => Some(self.limit(limit)?),
            None => None,
        };
        let grouping = Grouping { by, aggregates, rollup: false };
        let mut grouping = (!grouping.by.is_empty() || !grouping.aggregates.is_empty()).then_some(grouping);
        if self.full_group_by {
            let taken = |place: usize| -> Vec<usize> {
                self.outer.iter().filter(|(number, _)| *number == place).map(|(_, column)| *column).collect()
            };
            super::grouped::Block {
                source: &source,
                scope: &scope,
                filter: filter.as_ref(),
                grouping: grouping.as_ref(),
                output: &output,
                having: having.as_ref(),
                order: &order,
                distinct: select.distinct,
                taken: &taken,
            }
            .check()?;
        }
        if let Some(grouping) = &mut grouping {
            super::rollup::check(grouping)?;
            if select.rollup {
                super::rollup::roll_up(grouping, scope.columns.len(), &mut output, having.as_mut(), &mut order);
            }
        }
        let ordered = if grouping.is_none() && !select.distinct { key_order(&source, &order) } else { None };
        let mut plan = SelectPlan {
            source,
            columns: None,
            moved: moved_columns(&output),
            straight: false,
            straight_sorted: false,
            distinct_by_order: false,
            described: OnceCell::new(),
            filter,
            grouping,
            having,
            output,
            distinct: select.distinct,
            counts_all: select.calc_found_rows,
            order,
            ordered,
            limit,
            locking: select.locking.as_ref().map(|locking| (locking.exclusive, locking.wait)),
            arms,
            union_order,
        };
        plan.columns = columns_asked_for(&plan);
        plan.distinct_by_order = distinct_by_order(&plan);
        let (straight, sorts) = (is_straight(&plan), !plan.order.is_empty() && plan.ordered.is_none());
        plan.straight = straight && !sorts && !plan.distinct;
        plan.straight_sorted = straight && sorts && (!plan.distinct || plan.distinct_by_order);
        Ok(plan)
    }

    pub(super) fn limit(&mut self, limit: &ast::Limit) -> Result<(Node, Option<Node>), SqlError> {
        let nothing = Scope::default();
        let count = self.resolver(&nothing, "limit clause").node(&limit.count)?;
        let offset = match &limit.offset {
            Some(offset) => Some(self.resolver(&nothing, "limit clause").node(offset)?),
            None => None,
        };
        Ok((count, offset))
    }

    fn projection(
        &mut self,
        select: &Select,
        scope: &Scope,
        aggregates: &mut Vec<Aggregate>,
    ) -> Result<Vec<Output>, SqlError> {
        let mut output = Vec::new();
        let column = |at: usize| Output {
            name: scope.columns[at].name.clone(),
            node: Node::column(at, &scope.columns[at].kind),
            kind: scope.columns[at].kind.clone(),
            origin: Some(scope.columns[at].clone()),
        };
        for item in &select.projection {
            match item {
                SelectItem::All => {
                    if scope.columns.is_empty() {
                        return Err(error(1096, "No tables used"));
                    }
                    output.extend((0..scope.columns.len()).filter(|&at| !scope.columns[at].hidden).map(column));
                }
                SelectItem::AllOf(name) => {
                    let of = |candidate: &ScopeColumn| {
                        candidate.table.eq_ignore_ascii_case(&name.name)
                            && name.schema.as_ref().is_none_or(|schema| candidate.schema.eq_ignore_ascii_case(schema))
                    };
                    let before = output.len();
                    output.extend((0..scope.columns.len()).filter(|&at| of(&scope.columns[at])).map(column));
                    if output.len() == before {
                        return Err(error(1051, format!("Unknown table '{}'", name.name)));
                    }
                }
                SelectItem::Expr { expr, alias, heading } => {
                    let mut resolver = self.resolver(scope, "field list");
                    resolver.aggregates = Some(aggregates);
                    let (node, kind) = resolver.resolve(expr)?;
                    let origin = match &node {
                        Node::Column(at) => scope.columns.get(*at).cloned(),
                        Node::Local(inner) => match **inner {
                            Node::Column(at) => scope.columns.get(at).cloned(),
                            _ => None,
                        },
                        _ => None,
                    };
                    let name = match (alias.as_deref().or_else(|| named_constant(expr)), &origin) {
                        (Some(alias), _) => alias.to_owned(),
                        (None, Some(column)) => column.name.clone(),
                        (None, None) => heading.clone(),
                    };
                    output.push(Output { name, node, kind, origin });
                }
            }
        }
        Ok(output)
    }

    pub(super) fn from(&mut self, from: &[TableRef]) -> Result<(Source, Scope), SqlError> {
        let mut joined: Option<(Source, Scope)> = None;
        for table in from {
            let (source, scope) = self.table_ref(table)?;
            joined = Some(match joined {
                None => (source, scope),
                Some((left, left_scope)) => {
                    unique_names(&left_scope, &scope)?;
                    let scope = side_by_side(left_scope, scope);
                    let (left, right) = (Box::new(left), Box::new(source));
                    let join = Source::Join { left, right, outer: None, on: None, before: None };
                    (join, scope)
                }
            });
        }
        Ok(joined.unwrap_or((Source::Nothing, Scope::default())))
    }

    fn table_ref(&mut self, table: &TableRef) -> Result<(Source, Scope), SqlError> {
        match table {
            TableRef::Table { name, alias, hints } => {
                let named = |common: &Rc<ast::CommonTable>| common.name.eq_ignore_ascii_case(&name.name);
                if name.schema.is_none() {
                    let at = self.common.iter().rposition(named);
                    if let Some((source, columns)) = self.latest(&name.name, at)? {
                        let scope = named_scope("", "", alias.as_deref().unwrap_or(&name.name), columns);
                        return Ok((source, scope));
                    }
                    if let Some(at) = at {
                        return self.common_table(at, alias.as_deref());
                    }
                }
                let schema = self.schema_of(name)?;
                if let Some(table) = self.catalog.table(&schema, &name.name).cloned() {
                    self.uses.push(TableUse::of(&table, alias.as_deref(), false));
                    for index in hints.iter().flat_map(|hint| &hint.names) {
                        let known = |key: &crate::catalog::Key| key.name.eq_ignore_ascii_case(index);
                        if !table.definition.shown_keys().any(known) {
                            let text = format!("Key '{index}' doesn't exist in table '{}'", name.name);
                            return Err(error(1176, text));
                        }
                    }
                    let scope = table_scope(&table, alias.as_deref());
                    let alias = alias.as_deref().unwrap_or(&table.name).into();
                    return Ok((Source::Table { table, access: Access::Full, alias }, scope));
                }
                if let Some(columns) = self.tables.columns(&schema, &name.name) {
                    let width = columns.len();
                    let scope = named_scope(&schema, &name.name, alias.as_deref().unwrap_or(&name.name), columns);
                    return Ok((Source::Virtual { schema, name: name.name.clone(), columns: width }, scope));
                }
                self.base_table(name).map(|_| (Source::Nothing, Scope::default()))
            }
            TableRef::Derived { select, alias, columns, lateral } => {
                if *lateral {
                    return Err(unsupported("LATERAL"));
                }
                let plan = self.select(select)?;
                derived(plan, alias, columns)
            }
            TableRef::Join { left, right, kind, on } => self.join(left, right, *kind, on),
        }
    }

    /// A common table expression where it is named: the query, which sees those before it only.
    fn common_table(&mut self, at: usize, alias: Option<&str>) -> Result<(Source, Scope), SqlError> {
        self.expanded += 1;
        if self.expanded > super::EXPANDED_MAX {
            return Err(unsupported("so many uses of common table expressions"));
        }
        let later = self.common.split_off(at);
        let common = later[0].clone();
        // It knows nothing of the queries around the place where it is named.
        let around = self.enclosing.take();
        let recursive = if common.recursive { self.recursive(&common, at) } else { Ok(None) };
        let plan = match recursive {
            Ok(None) => self.select(&common.select).map(Err),
            Ok(Some(found)) => Ok(Ok(found)),
            Err(fault) => Err(fault),
        };
        self.enclosing = around;
        self.common.extend(later);
        let name = alias.unwrap_or(&common.name);
        match plan? {
            Ok((source, columns)) => Ok((source, named_scope("", "", name, columns))),
            Err(plan) => derived(plan, name, &common.columns),
        }
    }

    fn join(
        &mut self,
        left: &TableRef,
        right: &TableRef,
        kind: JoinKind,
        on: &JoinCondition,
    ) -> Result<(Source, Scope), SqlError> {
        let (mut left, mut left_scope) = self.table_ref(left)?;
        let (mut right, mut right_scope) = self.table_ref(right)?;
        unique_names(&left_scope, &right_scope)?;
        if kind == JoinKind::Right {
            std::mem::swap(&mut left, &mut right);
            std::mem::swap(&mut left_scope, &mut right_scope);
        }
        let (left_width, right_width) = (left_scope.columns.len(), right_scope.columns.len());
        let using: Vec<String> = match on {
            JoinCondition::Using(names) => names.clone(),
            JoinCondition::Natural => {
                let both = |name: &&ScopeColumn| {
                    right_scope.columns.iter().any(|column| column.name.eq_ignore_ascii_case(&name.name))
                };
                left_scope.columns.iter().filter(both).map(|column| column.name.clone()).collect()
            }
            _ => Vec::new(),
        };
        let mut condition = None;
        for name in &using {
            let bare = ast::ColumnRef::bare(name.clone());
            let left_at = left_scope.find(&bare, "from clause")?;
            let right_at = right_scope.find(&bare, "from clause")?;
            let collation = left_scope.columns[left_at].kind.collation;
            let equal = Node::Compare(
                Box::new(Node::Column(left_at)),
                Comparison::Eq,
                Box::new(Node::Column(left_width + right_at)),
                collation,
            );
            right_scope.columns[right_at].hidden = true;
            right_scope.columns[right_at].shadowed = true;
            condition = Some(match condition {
                Some(before) => Node::And(Box::new(before), Box::new(equal)),
                None => equal,
            });
        }
        if kind != JoinKind::Inner {
            for column in &mut right_scope.columns {
                column.kind.not_null = false;
            }
        }
        let scope = side_by_side(left_scope, right_scope);
        if let JoinCondition::On(on) = on {
            condition = Some(self.resolver(&scope, "on clause").node(on)?);
        }
        let outer = (kind != JoinKind::Inner).then_some(right_width);
        if let Source::Table { table, access, .. } = &mut right {
            *access = choose(table, left_width, condition.as_ref());
        }
        let (left, right) = (Box::new(left), Box::new(right));
        let join = Source::Join { left, right, outer, on: condition, before: None };
        if kind != JoinKind::Right {
            return Ok((join, scope));
        }
        let mut columns = scope.columns;
        columns.rotate_left(left_width);
        Ok((Source::Exchanged { source: Box::new(join), front: left_width }, Scope { columns }))
    }
}

/// `VALUES ROW(..), ROW(..)` as SELECTs of a UNION ALL.
fn rows_as_arms(select: &Select) -> Result<Select, SqlError> {
    let mut arms = select.values.iter().map(|row| {
        let item = |(at, expr): (usize, &Expr)| {
            let name = format!("column_{at}");
            SelectItem::Expr { expr: expr.clone(), alias: Some(name.clone()), heading: name }
        };
        Select { projection: row.iter().enumerate().map(item).collect(), ..Select::default() }
    });
    let mut first = arms.next().unwrap_or_default();
    for (number, arm) in arms.enumerate() {
        if arm.projection.len() != first.projection.len() {
            return Err(error(1136, format!("Column count doesn't match value count at row {}", number + 2)));
        }
        first.unions.push(ast::Union { op: ast::SetOp::Union, all: true, select: arm });
    }
    first.unions.extend(select.unions.iter().cloned());
    first.order_by.clone_from(&select.order_by);
    first.limit.clone_from(&select.limit);
    Ok(first)
}

/// Uses what WHERE says for the ways to the rows of tables, as far as their columns are the first of the row.
pub(super) fn push_down(source: &mut Source, filter: Option<&Node>) {
    match source {
        Source::Table { table, access, .. } => *access = choose(table, 0, filter),
        Source::Join { left, right, outer, on, before } => {
            push_down(left, filter);
            let width = left.width();
            if let (Source::Table { table, access, .. }, None) = (&mut **right, outer) {
                *access = choose(table, width, on.as_ref().into_iter().chain(filter));
            }
            let mut conjuncts = Vec::new();
            filter.into_iter().for_each(|filter| filter.conjuncts(&mut conjuncts));
            let known = conjuncts.into_iter().filter(|node| node.is_known(width)).cloned();
            *before = known.reduce(|one, other| Node::And(Box::new(one), Box::new(other)));
        }
        _ => {}
    }
}

/// The columns of a query, named anew where `columns` says so.
pub(super) fn named_columns(plan: &SelectPlan, columns: &[String]) -> Result<Vec<(String, Type)>, SqlError> {
    if !columns.is_empty() && columns.len() != plan.output.len() {
        return Err(error(
            1353,
            "In definition of view, derived table or common table expression, SELECT list and column names list have different column counts",
        ));
    }
    let named = plan
        .output
        .iter()
        .enumerate()
        .map(|(at, output)| (columns.get(at).cloned().unwrap_or_else(|| output.name.clone()), output.kind.clone()));
    let named: Vec<_> = named.collect();
    for (at, (name, _)) in named.iter().enumerate() {
        if named[..at].iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            return Err(error(1060, format!("Duplicate column name '{name}'")));
        }
    }
    Ok(named)
}

/// The rows of a query under a name, its columns named anew where `columns` says so.
fn derived(plan: SelectPlan, alias: &str, columns: &[String]) -> Result<(Source, Scope), SqlError> {
    let named = named_columns(&plan, columns)?;
    let scope = named_scope("", "", alias, named);
    Ok((Source::Derived(Box::new(plan)), scope))
}

fn side_by_side(mut left: Scope, right: Scope) -> Scope {
    left.columns.extend(right.columns);
    left
}

fn unique_names(left: &Scope, right: &Scope) -> Result<(), SqlError> {
    for column in &right.columns {
        if left.columns.iter().any(|other| other.table == column.table && other.schema == column.schema) {
            return Err(error(1066, format!("Not unique table/alias: '{}'", column.table)));
        }
    }
    Ok(())
}

fn named_scope(schema: &str, org_table: &str, table: &str, columns: Vec<(String, Type)>) -> Scope {
    let (schema, org_table, table): (Rc<str>, Rc<str>, Rc<str>) = (schema.into(), org_table.into(), table.into());
    let columns = columns.into_iter().map(|(name, kind)| ScopeColumn {
        schema: schema.clone(),
        table: table.clone(),
        org_table: org_table.clone(),
        name,
        kind,
        flags: 0,
        hidden: false,
        shadowed: false,
    });
    Scope { columns: columns.collect() }
}

/// The heading that NAME_CONST gives.
fn named_constant(expr: &Expr) -> Option<&str> {
    let Expr::Function(call) = expr else { return None };
    match (call.name.as_str(), call.args.as_slice()) {
        ("NAME_CONST", [Expr::Literal(Literal::String { text, .. }), Expr::Literal(_)]) => Some(text),
        _ => None,
    }
}

/// ORDER BY 2, GROUP BY 1.
fn position<'o>(expr: &Expr, output: &'o [Output], clause: &str) -> Result<Option<&'o Output>, SqlError> {
    let Expr::Literal(Literal::UInt(at)) = expr else { return Ok(None) };
    let found = usize::try_from(*at).ok().and_then(|at| output.get(at.checked_sub(1)?));
    found.map(Some).ok_or_else(|| error(1054, format!("Unknown column '{at}' in '{clause}'")))
}

fn union_column(expr: &Expr, output: &[Output]) -> Result<usize, SqlError> {
    let found = match expr {
        Expr::Literal(Literal::UInt(at)) => {
            usize::try_from(*at).ok().and_then(|at| at.checked_sub(1)).filter(|&at| at < output.len())
        }
        Expr::Column(column) => output.iter().position(|output| output.name.eq_ignore_ascii_case(&column.column)),
        _ => return Err(unsupported("expressions in ORDER BY of a UNION")),
    };
    found.ok_or_else(|| error(1054, "Unknown column in 'order clause'"))
}

fn touches_aggregate(node: &Node, width: usize) -> bool {
    let mut found = false;
    node.visit(&mut |node| found |= matches!(node, Node::Column(at) if *at >= width));
    found
}

/// Whether reading the source by its key gives the rows in this order: `Some(true)` backward.
fn key_order(source: &Source, order: &[(Node, bool, crate::collate::Collation)]) -> Option<bool> {
    let Source::Table { table, access, .. } = source else { return None };
    let first = order.first()?;
    if order.iter().any(|(_, descending, _)| *descending != first.1) {
        return None;
    }
    let (space, fixed) = match access {
        Access::Full => (0, 0),
        Access::Key { among: Some(_), .. } | Access::Nothing => return None,
        Access::Key { space, equal, .. } => (*space, equal.len()),
    };
    let key = table.definition.keys.iter().find(|key| key.space == space)?;
    let mut parts = key.parts.iter().skip(fixed);
    for (node, _, collation) in order {
        let part = parts.next()?;
        let column = &table.definition.columns[usize::from(part.column)];
        let same = matches!(node, Node::Column(at) if *at == usize::from(part.column));
        let padded = column.kind.is_text() && (column.collation().pads() || *collation != column.collation());
        if !same || part.prefix > 0 || padded {
            return None;
        }
    }
    Some(first.1)
}

impl Output {
    /// Adjusts the type to a value that it is known to give.
    pub fn fit(&mut self, value: &Value) {
        let of = Type::of(value);
        let number = |kind: &Type| !kind.is_string() && kind.kind != WireType::Null;
        let single = self.kind.kind == WireType::Float && matches!(value, Value::Double(_));
        if value.is_null() || matches!(value, Value::Bit(..)) || single || self.kind.kind == WireType::Year {
            return;
        }
        if self.kind.kind == WireType::Null
            || number(&of) != number(&self.kind)
            || of.kind != self.kind.kind && number(&of)
        {
            let collation = self.kind.collation;
            self.kind = of;
            if self.kind.is_string() && collation != crate::collate::Collation::BINARY {
                self.kind.collation = collation;
            }
        }
        if self.kind.is_string() {
            self.kind.length = self.kind.length.max(Type::of(value).length);
        }
    }
}
