//! Foreign keys in CREATE TABLE and ALTER TABLE, and what they forbid to do with the tables around them.

use super::define::add_key;
use crate::ast::{self, KeyKind, ReferenceAction};
use crate::catalog::{Catalog, ForeignKey, Reference, ReferenceRule, Table, TableDefinition, may_refer};
use crate::error::{SqlError, error};
use std::rc::Rc;

/// What a table's foreign keys are seen against.
pub(super) struct Surroundings<'a> {
    pub catalog: &'a Catalog,
    /// The table's own database and name.
    pub schema: &'a str,
    pub name: &'a str,
    /// `foreign_key_checks`.
    pub checks: bool,
    /// Whether rows are there already.
    pub has_rows: bool,
}

fn find(definition: &TableDefinition, name: &str) -> Option<usize> {
    definition.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
}

fn rule(action: ReferenceAction) -> Result<ReferenceRule, SqlError> {
    Ok(match action {
        ReferenceAction::NoAction => ReferenceRule::NoAction,
        ReferenceAction::Restrict => ReferenceRule::Restrict,
        ReferenceAction::Cascade => ReferenceRule::Cascade,
        ReferenceAction::SetNull => ReferenceRule::SetNull,
        ReferenceAction::SetDefault => return Err(error(1215, "Cannot add foreign key constraint")),
    })
}

/// The number at the end of a name that MySQL made: `table_ibfk_3`.
fn made_number(name: &str, table: &str) -> Option<u32> {
    name.strip_prefix(table)?.strip_prefix("_ibfk_")?.parse().ok()
}

/// Adds a foreign key, and the index that it needs.
pub(super) fn add(
    definition: &mut TableDefinition,
    at: &Surroundings<'_>,
    key: &ast::ForeignKey,
) -> Result<(), SqlError> {
    if key.columns.len() != key.parent_columns.len() {
        let name = key.name.as_deref().unwrap_or("foreign key without name");
        let text =
            format!("Incorrect foreign key definition for '{name}': Key reference and table reference don't match");
        return Err(error(1239, text));
    }
    let mut columns = Vec::with_capacity(key.columns.len());
    for name in &key.columns {
        let column = find(definition, name);
        let column = column.ok_or_else(|| error(1072, format!("Key column '{name}' doesn't exist in table")))?;
        if columns.contains(&(column as u16)) {
            return Err(error(1060, format!("Duplicate column name '{name}'")));
        }
        columns.push(column as u16);
    }
    let made = definition.foreign_keys.iter().filter_map(|other| made_number(&other.name, at.name)).max();
    let name = key.name.clone().unwrap_or_else(|| format!("{}_ibfk_{}", at.name, made.unwrap_or(0) + 1));
    let elsewhere = |other: Reference| {
        other.child.schema == at.schema && other.child.name != at.name && other.key().name.eq_ignore_ascii_case(&name)
    };
    let here = |other: &ForeignKey| other.name.eq_ignore_ascii_case(&name);
    if definition.foreign_keys.iter().any(here) || at.catalog.foreign_keys().any(elsewhere) {
        return Err(error(1826, format!("Duplicate foreign key constraint name '{name}'")));
    }
    let (on_delete, on_update) = (rule(key.on_delete)?, rule(key.on_update)?);
    if on_delete == ReferenceRule::SetNull || on_update == ReferenceRule::SetNull {
        let column = columns.iter().map(|&column| &definition.columns[usize::from(column)]);
        if let Some(column) = column.clone().find(|column| !column.nullable) {
            let column = &column.name;
            let text =
                format!("Column '{column}' cannot be NOT NULL: needed in a foreign key constraint '{name}' SET NULL");
            return Err(error(1830, text));
        }
    }
    let parent_schema = key.parent.schema.clone().unwrap_or_else(|| at.schema.to_owned());
    let itself = parent_schema == at.schema && key.parent.name == at.name;
    let parent = at.catalog.table(&parent_schema, &key.parent.name);
    let parent = if itself { Some(&*definition) } else { parent.map(|parent| &parent.definition) };
    let mut parent_columns = key.parent_columns.clone();
    match parent {
        Some(parent) => check_parent(definition, &columns, &name, parent, &key.parent.name, &mut parent_columns)?,
        None if at.checks => {
            return Err(error(1824, format!("Failed to open the referenced table '{}'", key.parent.name)));
        }
        None => {}
    }
    if definition.index_beginning_with(&columns).is_none() {
        let part = |name: &String| ast::KeyPart { column: name.clone(), prefix: None, descending: false };
        let index = ast::KeyDef {
            kind: KeyKind::Plain,
            name: key.name.clone(),
            constraint: None,
            parts: key.columns.iter().map(part).collect(),
            comment: None,
            invisible: false,
        };
        add_key(definition, &index, &[])?;
    }
    definition.foreign_keys.push(ForeignKey {
        name,
        columns,
        parent_schema,
        parent_table: key.parent.name.clone(),
        parent_columns,
        on_delete,
        on_update,
        unchecked: at.has_rows && at.checks,
    });
    Ok(())
}

/// The parent has the columns, of the right types, and a unique key of them. Gives their names as they are there.
fn check_parent(
    child: &TableDefinition,
    columns: &[u16],
    name: &str,
    parent: &TableDefinition,
    parent_name: &str,
    parent_columns: &mut [String],
) -> Result<(), SqlError> {
    let mut places = Vec::with_capacity(columns.len());
    for (&column, wanted) in columns.iter().zip(parent_columns.iter_mut()) {
        let Some(at) = find(parent, wanted) else {
            let text = format!(
                "Failed to add the foreign key constraint. Missing column '{wanted}' for constraint '{name}' in the \
                 referenced table '{parent_name}'"
            );
            return Err(error(3734, text));
        };
        let (own, other) = (&child.columns[usize::from(column)], &parent.columns[at]);
        if !may_refer(own, other) {
            let text = format!(
                "Referencing column '{}' and referenced column '{}' in foreign key constraint '{name}' are \
                 incompatible.",
                own.name, other.name
            );
            return Err(error(3780, text));
        }
        wanted.clone_from(&other.name);
        places.push(at as u16);
    }
    if parent.unique_key_of(parent_columns).is_some() {
        return Ok(());
    }
    Err(if parent.index_beginning_with(&places).is_some() {
        let text = format!(
            "Failed to add the foreign key constraint. Missing unique key for constraint '{name}' in the referenced \
             table '{parent_name}'"
        );
        error(6125, text)
    } else {
        let text = format!(
            "Failed to add the foreign key constraint. Missing index for constraint '{name}' in the referenced table \
             '{parent_name}'"
        );
        error(1822, text)
    })
}

/// The parents of foreign keys that `new` has and `old` has not, itself excepted: their versions change with
/// it, so that nobody who did not know of the foreign key changes them later.
pub(super) fn new_parents(
    catalog: &Catalog,
    itself: (&str, &str),
    old: Option<&TableDefinition>,
    new: &TableDefinition,
) -> Vec<Rc<Table>> {
    let mut parents: Vec<Rc<Table>> = Vec::new();
    for key in &new.foreign_keys {
        let known = old.is_some_and(|old| old.foreign_keys.iter().any(|other| other.name == key.name));
        let parent = catalog.table(&key.parent_schema, &key.parent_table);
        if let Some(parent) = parent.filter(|_| !known)
            && (parent.schema.as_str(), parent.name.as_str()) != itself
            && parents.iter().all(|other| other.id != parent.id)
        {
            parents.push(parent.clone());
        }
    }
    parents
}

/// What ALTER TABLE may not take away from foreign keys: their columns' types, their indexes, the parent's key.
pub(super) fn check_altered(
    catalog: &Catalog,
    old: &Table,
    new: &TableDefinition,
    renamed: &[(String, String)],
    checks: bool,
) -> Result<(), SqlError> {
    for key in &new.foreign_keys {
        if new.index_beginning_with(&key.columns).is_none() {
            let before = old.definition.foreign_keys.iter().find(|other| other.name == key.name);
            let index = before.and_then(|key| old.definition.index_beginning_with(&key.columns));
            return Err(needed(index.map_or(&key.name, |index| &index.name)));
        }
        let Some(before) = old.definition.foreign_keys.iter().find(|other| other.name == key.name) else { continue };
        for (&column, &was) in key.columns.iter().zip(&before.columns) {
            let (column, was) = (&new.columns[usize::from(column)], &old.definition.columns[usize::from(was)]);
            let nullable = column.nullable || ![key.on_delete, key.on_update].contains(&ReferenceRule::SetNull);
            if (checks && !may_refer(column, was)) || !nullable {
                let text =
                    format!("Cannot change column '{}': used in a foreign key constraint '{}'", was.name, key.name);
                return Err(error(1832, text));
            }
        }
    }
    for reference in &catalog.references(old.id).children {
        let key = reference.key();
        let Some(number) = reference.parent_key.filter(|_| checks) else { continue };
        let names: Vec<String> = key.parent_columns.iter().map(|name| now_called(name, renamed)).collect();
        for (was, name) in key.parent_columns.iter().zip(&names) {
            let Some(at) = find(new, name) else {
                let text = format!(
                    "Cannot drop column '{was}': needed in a foreign key constraint '{}' of table '{}'",
                    key.name, reference.child.name
                );
                return Err(error(1829, text));
            };
            let before = find(&old.definition, was).map(|at| &old.definition.columns[at]);
            if before.is_some_and(|before| !may_refer(&new.columns[at], before)) {
                let text = format!(
                    "Cannot change column '{was}': used in a foreign key constraint '{}' of table '{}'",
                    key.name, reference.child.name
                );
                return Err(error(1833, text));
            }
        }
        if new.unique_key_of(&names).is_none() {
            return Err(needed(&old.definition.keys[number].name));
        }
    }
    Ok(())
}

fn needed(index: &str) -> SqlError {
    error(1553, format!("Cannot drop index '{index}': needed in a foreign key constraint"))
}

/// A column's new name.
pub(super) fn now_called(name: &str, renamed: &[(String, String)]) -> String {
    let found = renamed.iter().find(|(from, _)| from.eq_ignore_ascii_case(name));
    found.map_or_else(|| name.to_owned(), |(_, to)| to.clone())
}

/// 3730 when somebody outside `dropped` refers to one of these tables.
pub(super) fn check_dropped(catalog: &Catalog, dropped: &[Rc<Table>]) -> Result<(), SqlError> {
    for table in dropped {
        for reference in &catalog.references(table.id).children {
            if dropped.iter().all(|other| other.id != reference.child.id) {
                let text = format!(
                    "Cannot drop table '{}' referenced by a foreign key constraint '{}' on table '{}'.",
                    table.name,
                    reference.key().name,
                    reference.child.name
                );
                return Err(error(3730, text));
            }
        }
    }
    Ok(())
}

/// 1701 when another table refers to this one.
pub(super) fn check_truncated(catalog: &Catalog, table: &Table) -> Result<(), SqlError> {
    match catalog.references(table.id).children.iter().find(|reference| reference.child.id != table.id) {
        None => Ok(()),
        Some(reference) => {
            let text = crate::show::reference_text(reference);
            Err(error(1701, format!("Cannot truncate a table referenced in a foreign key constraint ({text})")))
        }
    }
}
