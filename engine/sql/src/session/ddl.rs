//! Statements that change databases and tables: each becomes one entry of the order, after an implicit
//! commit. Whether it may happen is decided at its place in the order; checks here only answer early.

use super::constraint;
use super::define::{self, check_name};
use super::foreign::{self, Surroundings};
use super::{Session, Stop};
use crate::account::{require_database, require_table};
use crate::ast::{self, ObjectName, Statement};
use crate::catalog::{Catalog, DatabaseDefinition, Key, Table, TableDefinition};
use crate::collate::Collation;
use crate::error::{SqlError, error};
use crate::plan::{TableUse, unsupported};
use crate::value::Level;
use std::rc::Rc;
use wire::client::Connection;
use wire::entry::{CatalogChange, ObjectKind};
use wire::id::Csn;

/// Times that a DDL is made anew because its object changed meanwhile.
const RETRIES: u32 = 5;

fn create(kind: ObjectKind, schema: &str, name: &str, definition: Vec<u8>, if_not_exists: bool) -> CatalogChange {
    CatalogChange::Create { kind, schema: schema.to_owned(), name: name.to_owned(), definition, if_not_exists }
}

fn drop_object(kind: ObjectKind, schema: &str, name: &str, if_exists: bool) -> CatalogChange {
    CatalogChange::Drop { kind, schema: schema.to_owned(), name: name.to_owned(), if_exists }
}

fn replace_table(table: &Table, definition: &TableDefinition) -> CatalogChange {
    CatalogChange::Replace {
        kind: ObjectKind::Table,
        schema: table.schema.clone(),
        name: table.name.clone(),
        version: table.version,
        definition: definition.to_bytes(),
    }
}

/// A change of nothing but the version: whoever used the table under the old one is refused, and so is this
/// statement if the table has changed since.
fn same_table(table: &Table) -> CatalogChange {
    replace_table(table, &TableDefinition { origins: Vec::new(), ..table.definition.clone() })
}

/// 3750 for a table without a primary key.
pub(super) fn check_primary(definition: &TableDefinition) -> Result<(), SqlError> {
    if definition.keys.iter().any(Key::is_primary) {
        return Ok(());
    }
    Err(error(
        3750,
        "Unable to create or change a table without a primary key, when the system variable 'sql_require_primary_key' is set. Add a primary key to the table or unset this variable to avoid this message. Note that tables without a primary key can cause performance problems in row-based replication, so please consult your DBA before changing this setting.",
    ))
}

impl Session {
    /// Runs a DDL statement.
    pub(super) async fn ddl(
        &mut self,
        statement: &Statement,
        text: &str,
        conn: &mut Connection,
        more: bool,
    ) -> Result<(), Stop> {
        self.implicit_commit().await?;
        self.check_writable()?;
        if !self.state.vars.borrow().log_bin {
            let what =
                "changes of databases and tables with sql_log_bin=0: they could not be kept apart from the group's";
            return Err(unsupported(what).into());
        }
        self.await_consistency().await?;
        let uses = self.ddl_uses(statement)?;
        let server = self.state.server.clone();
        let _in_use = server.use_tables(&self.state.handle, &uses, self.lock_wait_us()).await?;
        if let Statement::CreateTable(create) = statement
            && let Some(select) = &create.select
        {
            if create.temporary {
                return Err(unsupported("temporary tables").into());
            }
            return self.create_table_as(create, select, text, conn, more).await;
        }
        let mut tries = 0;
        loop {
            let Some((changes, affected)) = self.changes(statement)? else {
                self.done(0, None, conn, more);
                return Ok(());
            };
            if changes.is_empty() {
                self.done(0, None, conn, more);
                return Ok(());
            }
            let gone = match statement {
                Statement::DropDatabase { name, .. } => Some(name.clone()),
                _ => None,
            };
            match self.propose_ddl(text.trim(), changes).await {
                Ok(gtid) => {
                    if gone.is_some() && *self.state.database.borrow() == gone {
                        *self.state.database.borrow_mut() = None;
                    }
                    self.done(affected, gtid, conn, more);
                    return Ok(());
                }
                // Another change was first: what is asked for is made of what is there now.
                Err(Stop::Conflict(_)) if tries < RETRIES => tries += 1,
                Err(Stop::Error(error)) if error.code == 1213 && tries < RETRIES => tries += 1,
                Err(Stop::Error(failure)) if failure.code == 1452 => {
                    self.confirm_altered(statement).await?;
                    return Err(failure.into());
                }
                Err(stop) => return Err(stop),
            }
        }
    }

    /// The tables that a statement changes, for the locks of LOCK TABLES: the session's own have to cover them.
    fn ddl_uses(&self, statement: &Statement) -> Result<Rc<[TableUse]>, SqlError> {
        let names: Vec<&ObjectName> = match statement {
            Statement::CreateTable(table) => vec![&table.name],
            Statement::DropTable { names, .. } => names.iter().collect(),
            Statement::Truncate(name)
            | Statement::AlterTable { name, .. }
            | Statement::CreateIndex { table: name, .. }
            | Statement::DropIndex { table: name, .. } => vec![name],
            Statement::RenameTable(list) => list.iter().map(|(from, _)| from).collect(),
            // Databases are not to be changed under LOCK TABLES.
            _ => {
                self.check_no_transaction()?;
                Vec::new()
            }
        };
        let uses = self.changed_tables(&names);
        self.check_locked(&uses)?;
        Ok(uses)
    }

    /// A foreign key that rows did not meet where it was to be added is left out by every member: the group's
    /// catalogue learns what the table is now, or a member restored from it would know one key more.
    async fn confirm_altered(&mut self, statement: &Statement) -> Result<(), Stop> {
        let Statement::AlterTable { name, .. } = statement else { return Ok(()) };
        let change = {
            let catalog = self.state.server.catalog.borrow();
            self.table(&catalog, name).map(|table| same_table(&table))
        };
        let Ok(change) = change else { return Ok(()) };
        let text = format!("ALTER TABLE {} /* without the foreign key */", crate::show::create::ident(&name.name));
        match self.propose_ddl(&text, vec![change]).await {
            Ok(_) | Err(Stop::Conflict(_) | Stop::Error(_)) => Ok(()),
            Err(Stop::Close) => Err(Stop::Close),
        }
    }

    pub(super) fn schema(&self, name: &ObjectName) -> Result<String, SqlError> {
        match &name.schema {
            Some(schema) => Ok(schema.clone()),
            None => self.state.database.borrow().clone().ok_or_else(|| error(1046, "No database selected")),
        }
    }

    pub(super) fn writable_database(&self, catalog: &Catalog, schema: &str) -> Result<Collation, SqlError> {
        let database = catalog.database(schema).ok_or_else(|| error(1049, format!("Unknown database '{schema}'")))?;
        if database.built_in {
            let who = self.state.account.borrow();
            let text = format!("Access denied for user '{}'@'{}' to database '{schema}'", who.user, who.host);
            return Err(error(1044, text));
        }
        Ok(Collation::from_id(database.definition.collation).unwrap_or_default())
    }

    fn table(&self, catalog: &Catalog, name: &ObjectName) -> Result<Rc<Table>, SqlError> {
        let schema = self.schema(name)?;
        self.writable_database(catalog, &schema)?;
        let found = catalog.table(&schema, &name.name).cloned();
        found.ok_or_else(|| error(1146, format!("Table '{schema}.{}' doesn't exist", name.name)))
    }

    pub(super) fn may(&self, privilege: &str, schema: &str, table: Option<&str>) -> Result<(), SqlError> {
        let name = self.state.account.borrow();
        let account = self.account();
        match table {
            Some(table) => require_table(&name, &account, privilege, schema, table),
            None => require_database(&name, &account, privilege, schema),
        }
    }

    /// What a statement changes, and how many rows it answers.
    fn changes(&self, statement: &Statement) -> Result<Option<(Vec<CatalogChange>, u64)>, SqlError> {
        let server = self.state.server.clone();
        let catalog = server.catalog.borrow();
        let mut changes = Vec::new();
        let mut affected = 0;
        match statement {
            Statement::CreateDatabase(database) => {
                check_name(&database.name)?;
                self.may("CREATE", &database.name, None)?;
                if catalog.database(&database.name).is_some() {
                    let message = format!("Can't create database '{}'; database exists", database.name);
                    if !database.if_not_exists {
                        return Err(error(1007, message));
                    }
                    self.state.warn(Level::Note, 1007, message);
                    return Ok(None);
                }
                let (charset, name) = (database.options.charset.as_deref(), database.options.collation.as_deref());
                let collation = define::collation(charset, name, Collation::DEFAULT)?;
                let definition = DatabaseDefinition { collation: collation.id() };
                let bytes = definition.to_bytes();
                changes.push(create(ObjectKind::Database, "", &database.name, bytes, database.if_not_exists));
                affected = 1;
            }
            Statement::AlterDatabase { name, options } => {
                let name = match name {
                    Some(name) => name.clone(),
                    None => self.state.database.borrow().clone().ok_or_else(|| error(1046, "No database selected"))?,
                };
                self.may("ALTER", &name, None)?;
                let old = self.writable_database(&catalog, &name)?;
                let collation = define::collation(options.charset.as_deref(), options.collation.as_deref(), old)?;
                changes.push(CatalogChange::Replace {
                    kind: ObjectKind::Database,
                    schema: String::new(),
                    version: catalog.database(&name).map_or(Csn(0), |database| database.version),
                    name,
                    definition: DatabaseDefinition { collation: collation.id() }.to_bytes(),
                });
                affected = 1;
            }
            Statement::DropDatabase { if_exists, name } => {
                self.may("DROP", name, None)?;
                match catalog.database(name) {
                    None => {
                        let message = format!("Can't drop database '{name}'; database doesn't exist");
                        if !if_exists {
                            return Err(error(1008, message));
                        }
                        self.state.warn(Level::Note, 1008, message);
                        return Ok(None);
                    }
                    Some(database) => affected = database.tables.len() as u64,
                }
                self.writable_database(&catalog, name)?;
                let database = catalog.database(name);
                let dropped: Vec<_> =
                    database.into_iter().flat_map(|database| database.tables.values().cloned()).collect();
                if self.checks_foreign_keys() {
                    foreign::check_dropped(&catalog, &dropped)?;
                }
                changes.push(drop_object(ObjectKind::Database, "", name, *if_exists));
            }
            Statement::CreateTable(table) => return self.create_table(&catalog, table),
            Statement::DropTable { temporary, if_exists, names } => {
                if *temporary {
                    return Err(unsupported("temporary tables"));
                }
                let (mut missing, mut dropped) = (Vec::new(), Vec::new());
                for name in names {
                    let schema = self.schema(name)?;
                    self.may("DROP", &schema, Some(&name.name))?;
                    if catalog.table(&schema, &name.name).is_none() {
                        missing.push(format!("{schema}.{}", name.name));
                    } else {
                        dropped.extend(catalog.table(&schema, &name.name).cloned());
                        changes.push(drop_object(ObjectKind::Table, &schema, &name.name, *if_exists));
                    }
                }
                if !missing.is_empty() {
                    let message = format!("Unknown table '{}'", missing.join(","));
                    if !if_exists {
                        return Err(error(1051, message));
                    }
                    self.state.warn(Level::Note, 1051, message);
                }
                if self.checks_foreign_keys() {
                    foreign::check_dropped(&catalog, &dropped)?;
                    // A foreign key that comes first changes the version.
                    changes = dropped.iter().map(|table| same_table(table)).chain(changes).collect();
                }
            }
            Statement::Truncate(name) => {
                let table = self.table(&catalog, name)?;
                self.may("DROP", &table.schema, Some(&table.name))?;
                if self.checks_foreign_keys() {
                    foreign::check_truncated(&catalog, &table)?;
                    changes.push(same_table(&table));
                }
                let mut definition = table.definition.clone();
                definition.origins = Vec::new();
                definition.auto_increment = 0;
                // A new table under the name: no row of the old one is ever in it.
                changes.push(drop_object(ObjectKind::Table, &table.schema, &table.name, false));
                changes.push(create(ObjectKind::Table, &table.schema, &table.name, definition.to_bytes(), false));
            }
            Statement::AlterTable { name, changes: list } => {
                let table = self.table(&catalog, name)?;
                self.may("ALTER", &table.schema, Some(&table.name))?;
                if list.is_empty() {
                    return Ok(None);
                }
                if let [ast::AlterTable::RenameTo(to)] = list.as_slice() {
                    self.rename(&catalog, &table, to, &mut changes)?;
                    return Ok(Some((changes, 0)));
                }
                if list.iter().any(|change| matches!(change, ast::AlterTable::RenameTo(_))) {
                    return Err(unsupported("RENAME TO beside other changes of a table"));
                }
                self.alter(&catalog, &table, list, &mut changes)?;
            }
            Statement::CreateIndex { table, key } => {
                let table = self.table(&catalog, table)?;
                self.may("INDEX", &table.schema, Some(&table.name))?;
                let change = [ast::AlterTable::AddKey(key.clone())];
                self.alter(&catalog, &table, &change, &mut changes)?;
            }
            Statement::DropIndex { table, name } => {
                let table = self.table(&catalog, table)?;
                self.may("INDEX", &table.schema, Some(&table.name))?;
                let change = [ast::AlterTable::DropKey(name.clone())];
                self.alter(&catalog, &table, &change, &mut changes)?;
            }
            Statement::RenameTable(list) => {
                if list.len() > 1 {
                    return Err(unsupported("RENAME TABLE of several at once"));
                }
                for (from, to) in list {
                    let table = self.table(&catalog, from)?;
                    self.rename(&catalog, &table, to, &mut changes)?;
                }
            }
            _ => return Err(unsupported("this statement")),
        }
        Ok(Some((changes, affected)))
    }

    /// `sql_require_primary_key`.
    pub(super) fn needs_key(&self) -> bool {
        self.state.vars.borrow().named("sql_require_primary_key").to_text() == "ON"
    }

    /// `foreign_key_checks`.
    fn checks_foreign_keys(&self) -> bool {
        self.state.vars.borrow().foreign_keys
    }

    /// Another name for a table: a new table takes the rows of the old one over, at the statement's place in the order.
    fn rename(
        &self,
        catalog: &Catalog,
        table: &Rc<Table>,
        to: &ObjectName,
        changes: &mut Vec<CatalogChange>,
    ) -> Result<(), SqlError> {
        let schema = self.schema(to)?;
        check_name(&to.name)?;
        for privilege in ["ALTER", "DROP"] {
            self.may(privilege, &table.schema, Some(&table.name))?;
        }
        for privilege in ["CREATE", "INSERT"] {
            self.may(privilege, &schema, Some(&to.name))?;
        }
        self.writable_database(catalog, &schema)?;
        if catalog.table(&schema, &to.name).is_some() {
            return Err(error(1050, format!("Table '{}' already exists", to.name)));
        }
        // Whoever used the table under its old name is refused.
        changes.push(same_table(table));
        let mut moved = table.definition.clone();
        moved.origins = Vec::new();
        for key in &mut moved.foreign_keys {
            if key.parent_schema == table.schema && key.parent_table == table.name {
                key.parent_schema.clone_from(&schema);
                key.parent_table.clone_from(&to.name);
            }
        }
        changes.push(create(ObjectKind::Table, &schema, &to.name, moved.to_bytes_taking_over(table.id), false));
        changes.push(drop_object(ObjectKind::Table, &table.schema, &table.name, false));
        // Children know their parent by name.
        let mut seen = Vec::new();
        for reference in &catalog.references(table.id).children {
            let child = &reference.child;
            if child.id == table.id || seen.contains(&child.id) {
                continue;
            }
            seen.push(child.id);
            let mut definition = TableDefinition { origins: Vec::new(), ..child.definition.clone() };
            for key in &mut definition.foreign_keys {
                if key.parent_schema == table.schema && key.parent_table == table.name {
                    key.parent_schema.clone_from(&schema);
                    key.parent_table.clone_from(&to.name);
                }
            }
            changes.push(replace_table(child, &definition));
        }
        Ok(())
    }

    /// REFERENCES on the parents that are new, whose versions change too.
    fn lock_parents(&self, parents: &[Rc<Table>], changes: &mut Vec<CatalogChange>) -> Result<(), SqlError> {
        for parent in parents {
            self.may("REFERENCES", &parent.schema, Some(&parent.name))?;
            changes.push(same_table(parent));
        }
        Ok(())
    }

    fn alter(
        &self,
        catalog: &Catalog,
        table: &Table,
        list: &[ast::AlterTable],
        changes: &mut Vec<CatalogChange>,
    ) -> Result<(), SqlError> {
        let checks = self.checks_foreign_keys();
        let (schema, name) = (table.schema.as_str(), table.name.as_str());
        let around = Surroundings { catalog, schema, name, checks, has_rows: true };
        let (definition, renamed) = define::altered(table, list, &around)?;
        if self.needs_key() && table.definition.keys.iter().any(Key::is_primary) {
            check_primary(&definition)?;
        }
        let (strict, rules) = (self.state.strict(), self.state.date_rules_now());
        for said in self.state.server.find_unfit(table, &definition, strict, rules)? {
            self.state.warn(said.level, said.code, said.message);
        }
        self.state.server.find_orphan(catalog, table, &definition)?;
        self.state.server.find_broken(table, &definition)?;
        let parents = foreign::new_parents(catalog, (schema, name), Some(&table.definition), &definition);
        self.lock_parents(&parents, changes)?;
        changes.push(replace_table(table, &definition));
        if renamed.is_empty() {
            return Ok(());
        }
        // Children know their parent's columns by name.
        let mut children: Vec<Rc<Table>> = Vec::new();
        for reference in &catalog.references(table.id).children {
            let child = &reference.child;
            if child.id != table.id && children.iter().all(|other| other.id != child.id) {
                children.push(child.clone());
            }
        }
        for child in children {
            let mut definition = TableDefinition { origins: Vec::new(), ..child.definition.clone() };
            for key in &mut definition.foreign_keys {
                if key.parent_schema == table.schema && key.parent_table == table.name {
                    key.parent_columns.iter_mut().for_each(|name| *name = foreign::now_called(name, &renamed));
                }
            }
            changes.push(replace_table(&child, &definition));
        }
        Ok(())
    }

    /// Whether a table that shall be made if it does not exist is there already.
    ///
    /// # Errors
    /// 1050.
    pub(super) fn is_there(&self, catalog: &Catalog, schema: &str, table: &ast::CreateTable) -> Result<bool, SqlError> {
        let name = &table.name.name;
        if catalog.table(schema, name).is_none() && super::tables::columns(schema, name).is_none() {
            return Ok(false);
        }
        let message = format!("Table '{name}' already exists");
        if !table.if_not_exists {
            return Err(error(1050, message));
        }
        self.state.warn(Level::Note, 1050, message);
        Ok(true)
    }

    fn create_table(
        &self,
        catalog: &Catalog,
        table: &ast::CreateTable,
    ) -> Result<Option<(Vec<CatalogChange>, u64)>, SqlError> {
        let schema = self.schema(&table.name)?;
        let name = table.name.name.as_str();
        self.may("CREATE", &schema, Some(name))?;
        if self.is_there(catalog, &schema, table)? {
            return Ok(None);
        }
        let collation = self.writable_database(catalog, &schema)?;
        let now_us = self.host().now().unix_us;
        let definition = match &table.like {
            Some(like) => {
                check_name(name)?;
                let like_schema = self.schema(like)?;
                let old = catalog
                    .table(&like_schema, &like.name)
                    .ok_or_else(|| error(1146, format!("Table '{like_schema}.{}' doesn't exist", like.name)))?;
                TableDefinition {
                    auto_increment: 0,
                    created_us: now_us,
                    origins: Vec::new(),
                    foreign_keys: Vec::new(),
                    checks: constraint::copied(&old.definition, name),
                    ..old.definition.clone()
                }
            }
            None => {
                let checks = self.checks_foreign_keys();
                let at = Surroundings { catalog, schema: &schema, name, checks, has_rows: false };
                define::table(table, collation, now_us, &at)?
            }
        };
        if self.needs_key() {
            check_primary(&definition)?;
        }
        let mut changes = Vec::new();
        self.lock_parents(&foreign::new_parents(catalog, (&schema, name), None, &definition), &mut changes)?;
        changes.push(create(ObjectKind::Table, &schema, name, definition.to_bytes(), table.if_not_exists));
        Ok(Some((changes, 0)))
    }
}
