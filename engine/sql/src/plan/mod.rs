//! Plans: statements resolved against the catalogue, with a way to the rows chosen. A plan is good for
//! any parameters, for as long as the catalogue's generation stays.
//!
//! Choice is by rule, not by cost: a whole clustered key, a whole unique key, the index with most equal
//! parts, a range of its next part, else everything. Joins are nested loops in the order written.
//!
//! A subquery is planned where it stands, and knows the columns of the queries around it: one that names any runs for
//! each row that asks for it, all others once, before the statement.
//!
//! Absent on purpose: window functions (1235).

mod access;
mod explain;
mod grouped;
mod joined;
mod recursive;
mod rollup;
mod select;

pub use access::{Access, Bound, choose};
pub use explain::explain;
pub use recursive::RecursivePlan;

use crate::ast::{self, Expr, InsertSource, LockWait, ObjectName, SetOp, TableRef};
use crate::catalog::{Catalog, Column, ColumnType, Table};
use crate::collate::Collation;
use crate::error::{SqlError, error};
use crate::expr::{Aggregate, Node, Place, ReadAs, Resolver, Scope, ScopeColumn, Subqueries, Type};
use crate::value::Warning;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use wire::client::Column as WireColumn;
use wire::client::constant::{ColumnType as WireType, column_flag};

/// A statement with rows, ready to run.
#[derive(Debug)]
pub struct Plan {
    /// What it does.
    pub body: Body,
    /// What runs before it, last first, or when it is asked for; a [`Place`] is a number in this list.
    pub pending: Vec<PendingPlan>,
    /// Generation of the catalogue that it was made for.
    pub generation: u64,
    /// What is said of the statement's syntax each time that it runs.
    pub notes: Vec<Warning>,
    /// The base tables that it names, each as often as it does.
    pub uses: Rc<[TableUse]>,
}

/// A base table where a statement names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableUse {
    /// Its database.
    pub schema: String,
    /// Its own name.
    pub name: String,
    /// Its name in the statement.
    pub alias: String,
    /// Whether its rows are changed, or locked to be changed.
    pub write: bool,
}

impl TableUse {
    fn of(table: &Table, alias: Option<&str>, write: bool) -> Self {
        let name = table.name.clone();
        let alias = alias.map_or_else(|| name.clone(), ToOwned::to_owned);
        Self { schema: table.schema.clone(), name, alias, write }
    }
}

/// What a plan does.
#[derive(Debug)]
pub enum Body {
    /// SELECT.
    Select(SelectPlan),
    /// INSERT and REPLACE.
    Insert(InsertPlan),
    /// UPDATE.
    Update(UpdatePlan),
    /// DELETE.
    Delete(DeletePlan),
    /// UPDATE and DELETE of joined tables.
    Joined(JoinedPlan),
}

/// What runs apart from the expression that needs its result.
#[derive(Debug)]
pub enum PendingPlan {
    /// A subquery.
    Select {
        /// The query.
        plan: Box<SelectPlan>,
        /// Whether it depends on rows of queries around it: it then runs when it is asked for.
        correlated: bool,
        /// What it, or a subquery inside it, takes from the row of the query that it stands in: (place of
        /// [`Node::Outer`], column).
        takes: Vec<(usize, usize)>,
    },
    /// A function that waits.
    Call {
        /// Its name.
        name: String,
        /// Its arguments.
        args: Vec<Node>,
    },
    /// Nothing: the place of the rows that a recursive common table expression gave last.
    Latest,
    /// A constant, read once as what it is compared with.
    Constant {
        /// It.
        value: Node,
        /// As what.
        read_as: ReadAs,
    },
}

impl Plan {
    /// Whether it is a SELECT of values alone.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        let Body::Select(select) = &self.body else { return false };
        matches!(select.source, Source::Nothing) && select.filter.is_none() && select.arms.is_empty()
    }

    /// Whether the statement says IGNORE: wrong values and rows are warnings.
    #[must_use]
    pub fn ignores_faults(&self) -> bool {
        match &self.body {
            Body::Select(_) => false,
            Body::Insert(plan) => plan.ignore,
            Body::Update(plan) => plan.ignore,
            Body::Delete(plan) => plan.ignore,
            Body::Joined(plan) => plan.ignore,
        }
    }
}

/// A query block, with the arms of its UNION.
#[derive(Debug)]
pub struct SelectPlan {
    /// Where rows come from.
    pub source: Source,
    /// Which columns of a base table it asks for, where that is its source; subqueries may ask for more.
    pub columns: Option<Rc<[bool]>>,
    /// The columns that are selected, where nothing else is and none of them twice: rows then need no copying.
    pub moved: Option<Vec<usize>>,
    /// Rows can go from the store to the client as they lie there: nothing is computed, sorted or left out of them.
    pub straight: bool,
    /// The same, but that they are sorted, by columns that are such too; and rows that sort as equal may be left out.
    pub straight_sorted: bool,
    /// Rows that are equal are those that sort as equal: DISTINCT needs nothing else.
    pub distinct_by_order: bool,
    /// What the protocol says of the selected columns, once somebody asked.
    pub described: OnceCell<Rc<[WireColumn]>>,
    /// WHERE.
    pub filter: Option<Node>,
    /// GROUP BY, or aggregates without one.
    pub grouping: Option<Grouping>,
    /// HAVING.
    pub having: Option<Node>,
    /// What is selected.
    pub output: Vec<Output>,
    /// DISTINCT.
    pub distinct: bool,
    /// SQL_CALC_FOUND_ROWS: rows beyond the LIMIT are counted.
    pub counts_all: bool,
    /// ORDER BY: expressions over the source's (or group's) row.
    pub order: Vec<(Node, bool, Collation)>,
    /// Rows come in the right order by themselves; true: read backward.
    pub ordered: Option<bool>,
    /// LIMIT: (count, offset).
    pub limit: Option<(Node, Option<Node>)>,
    /// FOR UPDATE (exclusive) or FOR SHARE.
    pub locking: Option<(bool, LockWait)>,
    /// Further arms; the order is then by output columns.
    pub arms: Vec<(SetOp, bool, SelectPlan)>,
    /// ORDER BY of a UNION: (output column, descending, collation).
    pub union_order: Vec<(usize, bool, Collation)>,
}

/// Groups and their aggregates. The grouped row is the group's first row, then the aggregates.
#[derive(Debug)]
pub struct Grouping {
    /// By what; empty: one group, even of no rows.
    pub by: Vec<(Node, Collation)>,
    /// What is computed of each.
    pub aggregates: Vec<Aggregate>,
    /// WITH ROLLUP: each row is in the groups by the first so many expressions too, down to none.
    pub rollup: bool,
}

/// A selected column.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its heading.
    pub name: String,
    /// Its value.
    pub node: Node,
    /// Its type.
    pub kind: Type,
    /// The table column that it is, where it is one.
    pub origin: Option<ScopeColumn>,
}

/// Where rows come from.
#[derive(Debug)]
pub enum Source {
    /// One row without columns.
    Nothing,
    /// A base table.
    Table {
        /// Which.
        table: Rc<Table>,
        /// How its rows are found.
        access: Access,
        /// Its name in the statement.
        alias: Rc<str>,
    },
    /// A table that is computed.
    Virtual {
        /// Its database.
        schema: String,
        /// Its name.
        name: String,
        /// How many columns it has.
        columns: usize,
    },
    /// A subquery.
    Derived(Box<SelectPlan>),
    /// A common table expression that names itself.
    Recursive(Box<RecursivePlan>),
    /// The rows that one gave last, inside it.
    Latest {
        /// Where they are kept.
        place: usize,
        /// How many columns they have.
        columns: usize,
    },
    /// A join by nested loops.
    Join {
        /// Outer side.
        left: Box<Source>,
        /// Inner side: a table with a key to use is asked for each row of the outer side, all else is read once.
        right: Box<Source>,
        /// LEFT: rows without a partner stay, with so many NULLs.
        outer: Option<usize>,
        /// On what.
        on: Option<Node>,
        /// What WHERE says of the outer side alone.
        before: Option<Node>,
    },
    /// Columns in another order (the sides of a RIGHT JOIN were exchanged).
    Exchanged {
        /// The rows.
        source: Box<Source>,
        /// How many columns go to the end.
        front: usize,
    },
}

impl Source {
    /// How many columns its rows have, as far as a group of no rows needs to know: at least as many as
    /// expressions name.
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Table { table, .. } => table.definition.columns.len(),
            Self::Virtual { columns, .. } => *columns,
            Self::Derived(plan) => plan.output.len(),
            Self::Recursive(plan) => plan.first.output.len(),
            Self::Latest { columns, .. } => *columns,
            Self::Join { left, right, .. } => left.width() + right.width(),
            Self::Exchanged { source, .. } => source.width(),
        }
    }
}

/// INSERT and REPLACE.
#[derive(Debug)]
pub struct InsertPlan {
    /// Into what.
    pub table: Rc<Table>,
    /// REPLACE.
    pub replace: bool,
    /// IGNORE.
    pub ignore: bool,
    /// Which columns get values.
    pub columns: Vec<usize>,
    /// The rows: `None` is DEFAULT.
    pub rows: Vec<Vec<Option<Node>>>,
    /// INSERT ... SELECT.
    pub select: Option<SelectPlan>,
    /// ON DUPLICATE KEY UPDATE.
    pub on_duplicate: Vec<(usize, Option<Node>)>,
}

/// UPDATE of one table.
#[derive(Debug)]
pub struct UpdatePlan {
    /// What.
    pub table: Rc<Table>,
    /// How its rows are found.
    pub access: Access,
    /// IGNORE.
    pub ignore: bool,
    /// Which columns become what; `None` is DEFAULT.
    pub set: Vec<(usize, Option<Node>)>,
    /// WHERE.
    pub filter: Option<Node>,
    /// ORDER BY.
    pub order: Vec<(Node, bool, Collation)>,
    /// LIMIT.
    pub limit: Option<Node>,
}

/// DELETE from one table.
#[derive(Debug)]
pub struct DeletePlan {
    /// IGNORE.
    pub ignore: bool,
    /// From what.
    pub table: Rc<Table>,
    /// How its rows are found.
    pub access: Access,
    /// WHERE.
    pub filter: Option<Node>,
    /// ORDER BY.
    pub order: Vec<(Node, bool, Collation)>,
    /// LIMIT.
    pub limit: Option<Node>,
}

/// UPDATE or DELETE of tables that are joined.
#[derive(Debug)]
pub struct JoinedPlan {
    /// UPDATE, not DELETE.
    pub is_update: bool,
    /// IGNORE.
    pub ignore: bool,
    /// The join.
    pub source: Source,
    /// WHERE.
    pub filter: Option<Node>,
    /// The tables that are changed.
    pub targets: Vec<Target>,
}

/// A table that a joined UPDATE or DELETE changes.
#[derive(Debug)]
pub struct Target {
    /// Which.
    pub table: Rc<Table>,
    /// Its name in the statement.
    pub alias: Rc<str>,
    /// Where its columns begin in a joined row.
    pub first: usize,
    /// Which of its columns become what, over the joined row; `None` is DEFAULT.
    pub set: Vec<(usize, Option<Node>)>,
}

/// Tables that are computed: what the planner asks about them.
pub trait VirtualTables {
    /// The columns of a computed table; `None`: there is none of that name.
    fn columns(&self, schema: &str, name: &str) -> Option<Vec<(String, Type)>>;
}

/// Makes plans.
pub struct Planner<'a> {
    /// The catalogue.
    pub catalog: &'a Catalog,
    /// Computed tables.
    pub tables: &'a dyn VirtualTables,
    /// The current database.
    pub database: Option<&'a str>,
    /// `collation_connection`.
    pub collation: Collation,
    /// No NO_BACKSLASH_ESCAPES.
    pub backslash: bool,
    /// ONLY_FULL_GROUP_BY.
    pub full_group_by: bool,
    /// What is `None` is being planned.
    pending: Vec<Option<PendingPlan>>,
    /// The query block around the subquery that is being planned.
    enclosing: Option<Rc<Enclosing>>,
    /// That subquery; `None`: the statement itself is.
    subquery: Option<usize>,
    /// What [`Node::Outer`] means: (subquery, column of the block that it stands in).
    outer: Vec<(usize, usize)>,
    /// Subqueries that depend on rows around them.
    correlated: BTreeSet<usize>,
    /// Common table expressions in sight, innermost last.
    common: Vec<Rc<ast::CommonTable>>,
    /// Those of them whose own blocks are being planned.
    recursions: Vec<recursive::Frame>,
    /// How often a common table expression was planned where it is named.
    expanded: usize,
    /// Base tables named so far.
    uses: Vec<TableUse>,
}

/// A query block, as the subqueries in it see it.
struct Enclosing {
    scope: Scope,
    /// The subquery that the block belongs to.
    subquery: Option<usize>,
    /// The block around that one.
    enclosing: Option<Rc<Self>>,
}

impl Subqueries for Planner<'_> {
    fn subquery(
        &mut self,
        select: &ast::Select,
        scope: &Scope,
        columns: Option<usize>,
    ) -> Result<(Place, Type), SqlError> {
        let at = self.pending.len();
        self.pending.push(None);
        let (subquery, around) = (self.subquery, self.enclosing.take());
        self.enclosing = Some(Rc::new(Enclosing { scope: scope.clone(), subquery, enclosing: around.clone() }));
        self.subquery = Some(at);
        let plan = self.select(select);
        (self.subquery, self.enclosing) = (subquery, around);
        let mut plan = plan?;
        match columns {
            Some(columns) if plan.output.len() != columns => {
                return Err(error(1241, format!("Operand should contain {columns} column(s)")));
            }
            // One row is enough to exist.
            None if plan.limit.is_none() && plan.arms.is_empty() => {
                plan.limit = Some((Node::Const(crate::value::Value::Int(1)), None));
            }
            _ => {}
        }
        let kind = plan.output[0].kind.clone();
        let correlated = self.correlated.contains(&at);
        self.pending[at] = Some(PendingPlan::Select { plan: Box::new(plan), correlated, takes: Vec::new() });
        Ok((Place { at, correlated }, kind))
    }

    fn call(&mut self, name: &str, args: Vec<Node>) -> Place {
        self.pending.push(Some(PendingPlan::Call { name: name.to_owned(), args }));
        Place { at: self.pending.len() - 1, correlated: false }
    }

    fn constant(&mut self, value: Node, read_as: ReadAs) -> Node {
        // Equal ones share a place, so that expressions with them are equal too; long lists are not searched through.
        let same = |pending: &Option<PendingPlan>| {
            matches!(pending, Some(PendingPlan::Constant { value: other, read_as: how })
                if *other == value && *how == read_as)
        };
        let near = self.pending.len().saturating_sub(SEARCHED);
        if let Some(at) = self.pending[near..].iter().position(same) {
            return Node::Prepared(Place { at: near + at, correlated: false });
        }
        self.pending.push(Some(PendingPlan::Constant { value, read_as }));
        Node::Prepared(Place { at: self.pending.len() - 1, correlated: false })
    }

    fn outer(&mut self, column: &ast::ColumnRef, clause: &str) -> Result<Option<(Node, Type)>, SqlError> {
        let (mut subquery, mut enclosing) = (self.subquery, self.enclosing.clone());
        let mut through = Vec::new();
        while let (Some(number), Some(block)) = (subquery, enclosing) {
            through.push(number);
            match block.scope.find(column, clause) {
                Ok(at) => {
                    self.correlated.extend(through);
                    let place = self.outer.iter().position(|known| *known == (number, at)).unwrap_or_else(|| {
                        self.outer.push((number, at));
                        self.outer.len() - 1
                    });
                    let kind = block.scope.columns[at].kind.clone();
                    let node = Node::Outer(place);
                    let node = if kind.kind == WireType::Timestamp { Node::Local(Box::new(node)) } else { node };
                    return Ok(Some((node, kind)));
                }
                Err(fault) if fault.code != 1054 => return Err(fault),
                Err(_) => {}
            }
            (subquery, enclosing) = (block.subquery, block.enclosing.clone());
        }
        Ok(None)
    }
}

/// Most uses of common table expressions in one statement: each is planned anew, and may hold others twice.
const EXPANDED_MAX: usize = 100;

/// Constants among which an equal one is looked for.
const SEARCHED: usize = 64;

/// 1235.
#[must_use]
pub fn unsupported(what: &str) -> SqlError {
    error(1235, format!("This version of Quorate doesn't yet support '{what}'"))
}

impl<'a> Planner<'a> {
    /// A planner for one statement.
    #[must_use]
    pub fn new(
        catalog: &'a Catalog,
        tables: &'a dyn VirtualTables,
        database: Option<&'a str>,
        collation: Collation,
        backslash: bool,
    ) -> Self {
        Self {
            catalog,
            tables,
            database,
            collation,
            backslash,
            full_group_by: false,
            pending: Vec::new(),
            enclosing: None,
            subquery: None,
            outer: Vec::new(),
            correlated: BTreeSet::new(),
            common: Vec::new(),
            recursions: Vec::new(),
            expanded: 0,
            uses: Vec::new(),
        }
    }

    /// Plans a SELECT, INSERT, REPLACE, UPDATE or DELETE.
    ///
    /// # Errors
    /// What is wrong with the statement, with MySQL's numbers.
    pub fn plan(self, statement: &ast::Statement) -> Result<Plan, SqlError> {
        let database = self.database.map(ToOwned::to_owned);
        self.plan_statement(statement).map_err(|fault| match (&database, fault.message.strip_prefix("FUNCTION ")) {
            // A function that does not exist could have been one of the current database.
            (Some(database), Some(rest)) if fault.code == 1305 && !rest.contains('.') => {
                let name = rest.trim_end_matches(" does not exist").to_uppercase();
                error(1305, format!("FUNCTION {database}.{name} does not exist"))
            }
            _ => fault,
        })
    }

    fn plan_statement(mut self, statement: &ast::Statement) -> Result<Plan, SqlError> {
        let body = match statement {
            ast::Statement::Select(select) => Body::Select(self.select(select)?),
            ast::Statement::Insert(insert) => Body::Insert(self.insert(insert)?),
            ast::Statement::Update(update) => self.update(update)?,
            ast::Statement::Delete(delete) => self.delete(delete)?,
            _ => return Err(unsupported("this statement here")),
        };
        self.finish(body)
    }

    /// Plans expressions that stand alone (SET, DO): a SELECT without FROM.
    ///
    /// # Errors
    /// See [`Planner::plan`].
    pub fn plan_values(mut self, exprs: &[Expr]) -> Result<Plan, SqlError> {
        let select = ast::Select {
            projection: exprs
                .iter()
                .map(|expr| ast::SelectItem::Expr { expr: expr.clone(), alias: None, heading: String::new() })
                .collect(),
            ..ast::Select::default()
        };
        let body = Body::Select(self.select(&select)?);
        self.finish(body)
    }

    fn finish(self, body: Body) -> Result<Plan, SqlError> {
        let mut pending = Vec::with_capacity(self.pending.len());
        for (number, planned) in self.pending.into_iter().enumerate() {
            let mut planned = planned.expect("a subquery that cannot be planned ends the planning");
            if let PendingPlan::Select { takes, .. } = &mut planned {
                let own = self.outer.iter().enumerate().filter(|(_, (subquery, _))| *subquery == number);
                takes.extend(own.map(|(place, (_, column))| (place, *column)));
            }
            pending.push(planned);
        }
        Ok(Plan { body, pending, generation: self.catalog.generation(), notes: Vec::new(), uses: self.uses.into() })
    }

    fn resolver<'r>(&'r mut self, scope: &'r Scope, clause: &'static str) -> Resolver<'r> {
        Resolver {
            scope,
            clause,
            collation: self.collation,
            backslash: self.backslash,
            subqueries: self,
            aggregates: None,
            aliases: &[],
            only: None,
            aliases_first: false,
            inserted: None,
        }
    }

    /// The database of a name.
    fn schema_of(&self, name: &ObjectName) -> Result<String, SqlError> {
        match name.schema.as_deref().or(self.database) {
            Some(schema) => Ok(self.catalog.database_name(schema)),
            None => Err(error(1046, "No database selected")),
        }
    }

    /// A base table.
    ///
    /// # Errors
    /// 1046, 1049, 1146; 1044-like refusal for computed tables is the caller's.
    pub fn base_table(&self, name: &ObjectName) -> Result<Rc<Table>, SqlError> {
        let schema = self.schema_of(name)?;
        if let Some(table) = self.catalog.table(&schema, &name.name) {
            return Ok(table.clone());
        }
        if schema.eq_ignore_ascii_case("information_schema") && self.tables.columns(&schema, &name.name).is_none() {
            return Err(error(1109, format!("Unknown table '{}' in information_schema", name.name.to_uppercase())));
        }
        if self.tables.columns(&schema, &name.name).is_some() {
            return Err(error(1142, format!("Changes are denied for table '{}'", name.name)));
        }
        if self.catalog.database(&schema).is_none() {
            return Err(error(1049, format!("Unknown database '{schema}'")));
        }
        Err(error(1146, format!("Table '{schema}.{}' doesn't exist", name.name)))
    }

    /// The one base table of a single-table UPDATE or DELETE, with its scope.
    fn target(&mut self, from: &[TableRef], what: &str) -> Result<(Rc<Table>, Scope), SqlError> {
        let [TableRef::Table { name, alias, .. }] = from else { return Err(unsupported(what)) };
        let table = self.base_table(name)?;
        self.uses.push(TableUse::of(&table, alias.as_deref(), true));
        let scope = table_scope(&table, alias.as_deref());
        Ok((table, scope))
    }

    fn assignments(
        &mut self,
        table: &Table,
        scope: &Scope,
        list: &[ast::Assignment],
        inserted: Option<(&Scope, Option<&str>)>,
    ) -> Result<Vec<(usize, Option<Node>)>, SqlError> {
        let mut set = Vec::with_capacity(list.len());
        for assignment in list {
            let at = scope.find(&assignment.column, "field list")?;
            let value = match &assignment.value {
                Expr::Default(None) => None,
                value => {
                    let mut resolver = self.resolver(scope, "field list");
                    resolver.inserted = inserted;
                    Some(resolver.node(value)?)
                }
            };
            debug_assert!(at < table.definition.columns.len());
            set.push((at, value));
        }
        Ok(set)
    }

    fn insert(&mut self, insert: &ast::Insert) -> Result<InsertPlan, SqlError> {
        let table = self.base_table(&insert.table)?;
        self.uses.push(TableUse::of(&table, None, true));
        let scope = table_scope(&table, None);
        let mut columns = Vec::new();
        for name in &insert.columns {
            let at =
                table.column(name).ok_or_else(|| error(1054, format!("Unknown column '{name}' in 'field list'")))?;
            if columns.contains(&at) {
                return Err(error(1110, format!("Column '{name}' specified twice")));
            }
            columns.push(at);
        }
        let listed = !insert.columns.is_empty();
        if !listed {
            columns =
                (0..table.definition.columns.len()).filter(|&at| !table.definition.columns[at].invisible).collect();
        }
        let (mut rows, mut select) = (Vec::new(), None);
        match &insert.source {
            InsertSource::Rows(list) => {
                for (number, values) in list.iter().enumerate() {
                    // VALUES () is a row of defaults, whatever the columns.
                    if values.len() != columns.len() && (listed || !values.is_empty()) {
                        let text = format!("Column count doesn't match value count at row {}", number + 1);
                        return Err(error(1136, text));
                    }
                    let mut row = Vec::with_capacity(values.len());
                    for value in values {
                        row.push(match value {
                            Expr::Default(None) => None,
                            value => Some(self.resolver(&scope, "field list").node(value)?),
                        });
                    }
                    rows.push(row);
                }
            }
            InsertSource::Select(query) => {
                let plan = self.select(query)?;
                if plan.output.len() != columns.len() {
                    return Err(error(1136, "Column count doesn't match value count at row 1"));
                }
                select = Some(plan);
            }
        }
        let alias = insert.row_alias.as_ref().map(|(alias, _)| alias.as_str());
        let on_duplicate = self.assignments(&table, &scope, &insert.on_duplicate, Some((&scope, alias)))?;
        Ok(InsertPlan { table, replace: insert.replace, ignore: insert.ignore, columns, rows, select, on_duplicate })
    }

    fn update(&mut self, update: &ast::Update) -> Result<Body, SqlError> {
        if !matches!(update.from.as_slice(), [TableRef::Table { .. }]) {
            return self.joined_update(update).map(Body::Joined);
        }
        let (table, scope) = self.target(&update.from, "this UPDATE")?;
        let set = self.assignments(&table, &scope, &update.set, None)?;
        let (filter, access, order, limit) =
            self.changed_rows(&table, &scope, update.filter.as_ref(), &update.order_by, update.limit.as_ref())?;
        Ok(Body::Update(UpdatePlan { table, access, ignore: update.ignore, set, filter, order, limit }))
    }

    fn delete(&mut self, delete: &ast::Delete) -> Result<Body, SqlError> {
        if !delete.targets.is_empty() {
            return self.joined_delete(delete).map(Body::Joined);
        }
        let (table, scope) = self.target(&delete.from, "this DELETE")?;
        let (filter, access, order, limit) =
            self.changed_rows(&table, &scope, delete.filter.as_ref(), &delete.order_by, delete.limit.as_ref())?;
        Ok(Body::Delete(DeletePlan { ignore: delete.ignore, table, access, filter, order, limit }))
    }

    #[allow(clippy::type_complexity, reason = "four parts of a plan, taken apart at once")]
    fn changed_rows(
        &mut self,
        table: &Rc<Table>,
        scope: &Scope,
        filter: Option<&Expr>,
        order_by: &[ast::OrderBy],
        limit: Option<&Expr>,
    ) -> Result<(Option<Node>, Access, Vec<(Node, bool, Collation)>, Option<Node>), SqlError> {
        let filter = filter.map(|filter| self.resolver(scope, "where clause").node(filter)).transpose()?;
        let mut order = Vec::new();
        for item in order_by {
            let (node, kind) = self.resolver(scope, "order clause").resolve(&item.expr)?;
            order.push((node, item.descending, kind.collation));
        }
        let limit = limit.map(|limit| self.resolver(scope, "limit clause").node(limit)).transpose()?;
        let access = choose(table, 0, filter.as_ref());
        Ok((filter, access, order, limit))
    }
}

/// The type of a table's column.
#[must_use]
pub fn column_type(column: &Column) -> Type {
    let (kind, length, decimals) = match &column.kind {
        ColumnType::Int { bytes, unsigned, width, .. } => {
            let (kind, digits) = match (bytes, unsigned) {
                (1, false) => (WireType::Tiny, 4),
                (1, true) => (WireType::Tiny, 3),
                (2, false) => (WireType::Short, 6),
                (2, true) => (WireType::Short, 5),
                (3, false) => (WireType::Int24, 9),
                (3, true) => (WireType::Int24, 8),
                (4, false) => (WireType::Long, 11),
                (4, true) => (WireType::Long, 10),
                _ => (WireType::LongLong, 20),
            };
            (kind, width.map_or(digits, u32::from), 0)
        }
        ColumnType::Double { single: true, .. } => (WireType::Float, 12, 31),
        ColumnType::Double { .. } => (WireType::Double, 22, 31),
        ColumnType::Fixed { single, digits, scale, .. } => {
            (if *single { WireType::Float } else { WireType::Double }, u32::from(*digits), *scale)
        }
        ColumnType::Decimal { precision, scale, unsigned } => {
            let length = u32::from(*precision) + u32::from(*scale > 0) + u32::from(!unsigned);
            (WireType::NewDecimal, length, *scale)
        }
        ColumnType::Char(length) | ColumnType::Binary(length) => (WireType::String, *length, 0),
        ColumnType::VarChar(length) | ColumnType::VarBinary(length) => (WireType::VarString, *length, 0),
        ColumnType::Text(prefix) | ColumnType::Blob(prefix) => {
            let bytes = (1_u64 << (u32::from(*prefix).min(4) * 8)) - 1;
            (WireType::Blob, (bytes / u64::from(column.collation().bytes_per_char())) as u32, 0)
        }
        ColumnType::Date => (WireType::Date, 10, 0),
        ColumnType::Time(digits) => (WireType::Time, Type::temporal(WireType::Time, *digits).length, *digits),
        ColumnType::DateTime(digits) => {
            (WireType::DateTime, Type::temporal(WireType::DateTime, *digits).length, *digits)
        }
        ColumnType::Timestamp(digits) => {
            (WireType::Timestamp, Type::temporal(WireType::Timestamp, *digits).length, *digits)
        }
        ColumnType::Year => (WireType::Year, 4, 0),
        ColumnType::Bit(count) => (WireType::Bit, u32::from(*count), 0),
        ColumnType::Enum(members) => {
            let longest = members.iter().map(|member| member.chars().count()).max().unwrap_or(0);
            (WireType::String, longest as u32, 0)
        }
        ColumnType::Set(members) => {
            let letters: usize = members.iter().map(|member| member.chars().count()).sum();
            (WireType::String, (letters + members.len().saturating_sub(1)) as u32, 0)
        }
        ColumnType::Json => (WireType::Json, u32::MAX / 4, 0),
    };
    let unsigned = matches!(
        column.kind,
        ColumnType::Int { unsigned: true, .. }
            | ColumnType::Double { unsigned: true, .. }
            | ColumnType::Fixed { unsigned: true, .. }
            | ColumnType::Decimal { unsigned: true, .. }
            | ColumnType::Year
            | ColumnType::Bit(_)
    );
    Type {
        kind,
        length,
        decimals,
        collation: column.collation(),
        coercibility: if column.kind.is_text() || column.kind.is_bytes() { 2 } else { 5 },
        unsigned,
        not_null: !column.nullable,
    }
}

fn column_flags(table: &Table, at: usize) -> u16 {
    let column = &table.definition.columns[at];
    let mut flags = 0;
    for key in &table.definition.keys {
        let in_key = key.parts.iter().any(|part| usize::from(part.column) == at);
        if in_key && key.is_primary() {
            flags |= column_flag::PRI_KEY;
        } else if key.parts.first().is_some_and(|part| usize::from(part.column) == at) {
            flags |=
                if key.unique && key.parts.len() == 1 { column_flag::UNIQUE_KEY } else { column_flag::MULTIPLE_KEY };
        }
    }
    if column.auto_increment {
        flags |= column_flag::AUTO_INCREMENT;
    }
    if column.kind.is_blob() {
        flags |= column_flag::BLOB;
    }
    if matches!(column.default, crate::catalog::DefaultValue::None) && !column.auto_increment {
        flags |= column_flag::NO_DEFAULT_VALUE;
    }
    match column.kind {
        ColumnType::Int { zerofill: true, .. } | ColumnType::Year => flags |= column_flag::ZEROFILL,
        ColumnType::Enum(_) => flags |= column_flag::ENUM,
        ColumnType::Set(_) => flags |= column_flag::SET,
        ColumnType::Timestamp(_) => flags |= column_flag::TIMESTAMP,
        _ => {}
    }
    if column.on_update_now {
        flags |= column_flag::ON_UPDATE_NOW;
    }
    flags
}

/// The columns of a base table, under its alias.
#[must_use]
pub fn table_scope(table: &Table, alias: Option<&str>) -> Scope {
    let schema: Rc<str> = table.schema.as_str().into();
    let org_table: Rc<str> = table.name.as_str().into();
    let name: Rc<str> = alias.map_or_else(|| org_table.clone(), Rc::from);
    let columns = table.definition.columns.iter().enumerate().map(|(at, column)| ScopeColumn {
        schema: schema.clone(),
        table: name.clone(),
        org_table: org_table.clone(),
        // What nobody can name.
        name: if column.is_row_id() { String::new() } else { column.name.clone() },
        kind: column_type(column),
        flags: column_flags(table, at),
        hidden: column.invisible,
        shadowed: false,
    });
    Scope { columns: columns.collect() }
}
