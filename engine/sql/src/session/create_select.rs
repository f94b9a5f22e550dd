//! CREATE TABLE ... SELECT: the table appears with its rows, all at once.
//!
//! The rows go into a table that nobody sees, `#sql-...`, in as many steps as it takes; the last step, at one place of
//! the order, gives them to the table that was asked for. A member that stops in between leaves the hidden table behind;
//! the next such statement on the same member drops it.

use super::commit::RETRIES;
use super::define;
use super::foreign::Surroundings;
use super::result::ResultSink;
use super::{Session, Stop};
use crate::ast::{self, InsertSource, ObjectName, Statement};
use crate::catalog::{Catalog, Column, DefaultValue, TableDefinition};
use crate::collate::Collation;
use crate::error::{SqlError, error};
use crate::exec::Changed;
use crate::expr::{Node, Type};
use crate::plan::{Body, Output, unsupported};
use crate::show::create::{column_text, ident, literal};
use crate::sysvar::sql_mode::SqlMode;
use crate::value::Value;
use std::fmt::Write as _;
use std::rc::Rc;
use wire::client::constant::ColumnType as WireType;
use wire::client::{Connection, Status};
use wire::entry::{CatalogChange, ObjectKind};

/// Beginning of the names of tables that are being made.
pub(crate) const HIDDEN: &str = "#sql-";

/// Most characters of a VARCHAR that a selected text becomes.
const VARCHAR_CHARS_MAX: u32 = 16_383;

impl Session {
    /// Runs it. The caller has committed what was open, and seen that changes are allowed.
    pub(super) async fn create_table_as(
        &mut self,
        create: &ast::CreateTable,
        select: &ast::Select,
        text: &str,
        conn: &mut Connection,
        more: bool,
    ) -> Result<(), Stop> {
        if !create.foreign_keys.is_empty() {
            return Err(unsupported("foreign keys in CREATE TABLE ... SELECT").into());
        }
        let select = Statement::Select(Box::new(select.clone()));
        let plan = self.make_plan(&select)?;
        self.check_privileges(&plan)?;
        self.check_locked(&plan.uses)?;
        let Body::Select(query) = &plan.body else { return Err(unsupported("this query").into()) };
        let Some((schema, definition)) = self.table_of_query(create, &query.output)? else {
            self.done(0, None, conn, more);
            return Ok(());
        };
        let hidden = format!("{HIDDEN}{:x}-{}", self.state.handle.id(), self.server_tag());
        let bare = TableDefinition { checks: Vec::new(), ..definition.clone() };
        let mut create_hidden = self.left_behind();
        create_hidden.extend([dropped(&schema, &hidden, true), created(&schema, &hidden, bare.to_bytes())]);
        self.propose_ddl(&format!("CREATE TABLE {}", ident(&hidden)), create_hidden).await?;
        let names = query.output.iter().map(|output| output.name.clone()).collect();
        let filled = self.fill(&schema, &hidden, names, select, conn).await;
        let result = match filled {
            Ok(changed) => match self.reveal(&schema, &create.name.name, &hidden, &definition, text).await {
                Ok(gtid) => Ok((changed, gtid)),
                Err(stop) => Err(stop),
            },
            Err(stop) => Err(stop),
        };
        match result {
            Ok((changed, gtid)) => {
                let many = Changed { many: true, ..changed };
                self.answer(Some(many), gtid, 0, conn, more);
                Ok(())
            }
            Err(Stop::Close) => Err(Stop::Close),
            Err(stop) => {
                let gone = vec![dropped(&schema, &hidden, true)];
                match self.propose_ddl(&format!("DROP TABLE {}", ident(&hidden)), gone).await {
                    Err(Stop::Close) => Err(Stop::Close),
                    // Errors speak of the table that was asked for.
                    _ => Err(match stop {
                        Stop::Error(SqlError { code, message }) => {
                            error(code, message.replace(&hidden, &create.name.name)).into()
                        }
                        other => other,
                    }),
                }
            }
        }
    }

    /// Tells apart the hidden tables of the members of a group.
    fn server_tag(&self) -> String {
        let uuid = self.state.server.globals.borrow().text("server_uuid");
        uuid.chars().filter(char::is_ascii_alphanumeric).take(32).collect()
    }

    /// Drops hidden tables of this member that no session is making any more: it stopped while they were made.
    fn left_behind(&self) -> Vec<CatalogChange> {
        let (server, tag) = (&self.state.server, self.server_tag());
        let is_left = |name: &str| {
            let Some((id, of)) = name.strip_prefix(HIDDEN).and_then(|rest| rest.split_once('-')) else { return false };
            of == tag && u32::from_str_radix(id, 16).is_ok_and(|id| server.session(id).is_none())
        };
        let catalog = server.catalog.borrow();
        let mut left = Vec::new();
        for (schema, database) in catalog.databases() {
            let names = database.tables.keys().filter(|name| is_left(name));
            left.extend(names.map(|name| dropped(schema, name, true)));
        }
        left
    }

    /// The database and the definition of the table; `None`: it is there already, and IF NOT EXISTS.
    fn table_of_query(
        &self,
        create: &ast::CreateTable,
        output: &[Output],
    ) -> Result<Option<(String, TableDefinition)>, SqlError> {
        let server = self.state.server.clone();
        let catalog = server.catalog.borrow();
        let (schema, name) = (self.schema(&create.name)?, create.name.name.as_str());
        self.may("CREATE", &schema, Some(name))?;
        self.may("INSERT", &schema, Some(name))?;
        let collation = self.writable_database(&catalog, &schema)?;
        if self.is_there(&catalog, &schema, create)? {
            return Ok(None);
        }
        let mut columns = create.columns.clone();
        for (at, one) in output.iter().enumerate() {
            if output[..at].iter().any(|other| other.name.eq_ignore_ascii_case(&one.name)) {
                return Err(error(1060, format!("Duplicate column name '{}'", one.name)));
            }
        }
        for output in output {
            if let Some(at) = columns.iter().position(|column| column.name.eq_ignore_ascii_case(&output.name)) {
                // As declared, in the place where it is selected.
                let declared = columns.remove(at);
                columns.push(declared);
                continue;
            }
            columns.push(selected_column(&catalog, output)?);
        }
        let whole = ast::CreateTable { columns, select: None, ..create.clone() };
        let at = Surroundings { catalog: &catalog, schema: &schema, name, checks: false, has_rows: false };
        let definition = define::table(&whole, collation, self.host().now().unix_us, &at)?;
        if self.needs_key() {
            super::ddl::check_primary(&definition)?;
        }
        Ok(Some((schema, definition)))
    }

    /// Inserts what is selected.
    async fn fill(
        &mut self,
        schema: &str,
        hidden: &str,
        columns: Vec<String>,
        select: Statement,
        conn: &mut Connection,
    ) -> Result<Changed, Stop> {
        let Statement::Select(select) = select else { return Err(unsupported("this query").into()) };
        let insert = Statement::Insert(Box::new(ast::Insert {
            replace: false,
            ignore: false,
            table: ObjectName { schema: Some(schema.to_owned()), name: hidden.to_owned() },
            columns,
            source: InsertSource::Select(select),
            on_duplicate: Vec::new(),
            row_alias: None,
        }));
        let plan = Rc::new(self.make_plan(&insert)?);
        let mut tries = 0;
        loop {
            let mut sink = ResultSink::new(conn, Status::default(), false);
            match self.attempt(&plan, Rc::from([]), &mut sink, true).await {
                Ok((changed, _)) => return Ok(changed.unwrap_or_default()),
                Err(Stop::Conflict(_)) if tries < RETRIES => {
                    tries += 1;
                    // The next try gives its own.
                    self.state.warnings.borrow_mut().clear();
                }
                Err(Stop::Conflict(conflict)) => return Err(Stop::Error(conflict)),
                Err(stop) => return Err(stop),
            }
        }
    }

    /// Gives the rows of the hidden table to the one that was asked for.
    async fn reveal(
        &mut self,
        schema: &str,
        name: &str,
        hidden: &str,
        definition: &TableDefinition,
        text: &str,
    ) -> Result<Option<wire::entry::Gtid>, Stop> {
        let from = {
            let catalog = self.state.server.catalog.borrow();
            catalog.table(schema, hidden).map(|table| table.id)
        };
        let Some(from) = from else {
            return Err(error(1146, format!("Table '{schema}.{hidden}' doesn't exist")).into());
        };
        let changes =
            vec![created(schema, name, definition.to_bytes_taking_over(from)), dropped(schema, hidden, false)];
        self.propose_ddl(text.trim(), changes).await
    }
}

fn created(schema: &str, name: &str, definition: Vec<u8>) -> CatalogChange {
    let (schema, name) = (schema.to_owned(), name.to_owned());
    CatalogChange::Create { kind: ObjectKind::Table, schema, name, definition, if_not_exists: false }
}

fn dropped(schema: &str, name: &str, if_exists: bool) -> CatalogChange {
    let (schema, name) = (schema.to_owned(), name.to_owned());
    CatalogChange::Drop { kind: ObjectKind::Table, schema, name, if_exists }
}

/// The column that a selected expression becomes.
fn selected_column(catalog: &Catalog, output: &Output) -> Result<ast::ColumnDef, SqlError> {
    let text = match origin(catalog, output) {
        Some((column, table)) => column_text(&column, &table),
        None => format!("{} {}", ident(&output.name), declared(&output.kind, &output.node)),
    };
    let parsed = crate::parse::parse(format!("CREATE TABLE t ({text})").as_bytes(), SqlMode::DEFAULT)?;
    let Statement::CreateTable(mut table) = parsed else { return Err(unsupported("this column")) };
    table.columns.pop().ok_or_else(|| unsupported("this column"))
}

/// The table's column that is selected, under its new name; it does not count by itself any more.
fn origin(catalog: &Catalog, output: &Output) -> Option<(Column, TableDefinition)> {
    let origin = output.origin.as_ref()?;
    let table = catalog.table(&origin.schema, &origin.org_table)?;
    let mut column = table.definition.columns[table.column(&origin.name)?].clone();
    column.name.clone_from(&output.name);
    if std::mem::take(&mut column.auto_increment) {
        column.default = DefaultValue::Literal("0".into());
    }
    // The inner side of an outer join.
    if !output.kind.not_null && !column.nullable {
        column.nullable = true;
        if column.default == DefaultValue::None {
            column.default = DefaultValue::Null;
        }
    }
    column.invisible = false;
    Some((column, table.definition.clone()))
}

/// The type and default of a selected expression.
fn declared(kind: &Type, node: &Node) -> String {
    let unsigned = if kind.unsigned { " unsigned" } else { "" };
    let (mut out, default) = match kind.kind {
        WireType::Tiny | WireType::Short | WireType::Int24 | WireType::Long => (format!("int{unsigned}"), Some("0")),
        WireType::LongLong if kind.length < 10 => (format!("int{unsigned}"), Some("0")),
        WireType::LongLong => (format!("bigint{unsigned}"), Some("0")),
        WireType::NewDecimal => {
            let scale = u32::from(kind.decimals.min(30));
            let precision = match node {
                Node::Const(Value::Decimal(number)) => number.integer_digits().max(1) + scale,
                Node::CastDecimal(_, (digits, _), _) => u32::from(*digits),
                _ => kind.length,
            };
            (format!("decimal({},{scale}){unsigned}", precision.clamp(scale.max(1), 65)), Some("0"))
        }
        WireType::Double if kind.decimals < 31 => (format!("double(22,{})", kind.decimals), Some("0")),
        WireType::Double => ("double".to_owned(), Some("0")),
        WireType::Float => ("float".to_owned(), Some("0")),
        WireType::Date => ("date".to_owned(), None),
        WireType::Time => (format!("time({})", kind.decimals), None),
        WireType::DateTime | WireType::Timestamp => (format!("datetime({})", kind.decimals), None),
        WireType::Year => ("year".to_owned(), None),
        WireType::Bit => (format!("bit({})", kind.length.clamp(1, 64)), None),
        WireType::Json => ("json".to_owned(), None),
        WireType::Null => return "varbinary(0) DEFAULT NULL".to_owned(),
        _ => {
            let binary = kind.collation == Collation::BINARY;
            let (short, long) = if binary { ("varbinary", "blob") } else { ("varchar", "text") };
            let bytes = u64::from(kind.length) * u64::from(kind.collation.bytes_per_char());
            let (mut text, default) = match bytes {
                _ if kind.length <= VARCHAR_CHARS_MAX => (format!("{short}({})", kind.length), Some("")),
                0..=0xffff => (long.to_owned(), None),
                0x1_0000..=0xff_ffff => (format!("medium{long}"), None),
                _ => (format!("long{long}"), None),
            };
            if !binary {
                let (charset, collation) = (kind.collation.charset(), kind.collation.name());
                let _ = write!(text, " CHARACTER SET {charset} COLLATE {collation}");
            }
            (text, default)
        }
    };
    if kind.not_null {
        out.push_str(" NOT NULL");
        if let Some(default) = default {
            let _ = write!(out, " DEFAULT {}", literal(default));
        }
    }
    out
}
