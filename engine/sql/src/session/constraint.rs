//! CHECK constraints in CREATE TABLE and ALTER TABLE.

use super::foreign::Surroundings;
use crate::ast;
use crate::catalog::{Check, ForeignKey, Key, ReferenceRule, Table, TableDefinition};
use crate::check::{self, columns_of};
use crate::error::{SqlError, error};
use wire::id::{Csn, TableId};

/// The number at the end of a name that MySQL made: `table_chk_3`.
fn made_number(name: &str, table: &str) -> Option<u32> {
    name.strip_prefix(table)?.strip_prefix("_chk_")?.parse().ok()
}

fn names(columns: &[String], column: &str) -> bool {
    columns.iter().any(|name| name.eq_ignore_ascii_case(column))
}

/// Adds a constraint.
pub(super) fn add(definition: &mut TableDefinition, at: &Surroundings<'_>, check: &ast::Check) -> Result<(), SqlError> {
    let last = definition.checks.iter().filter_map(|check| made_number(&check.name, at.name)).max();
    let name = check.name.clone().unwrap_or_else(|| format!("{}_chk_{}", at.name, last.unwrap_or(0) + 1));
    super::define::check_name(&name)?;
    let taken = |other: &Check| other.name.eq_ignore_ascii_case(&name);
    let database = at.catalog.database(at.schema);
    let mut others = database.into_iter().flat_map(|database| database.tables.values());
    if definition.checks.iter().any(taken)
        || others.any(|table| table.name != at.name && table.definition.checks.iter().any(taken))
    {
        return Err(error(3822, format!("Duplicate check constraint name '{name}'.")));
    }
    let condition = check::condition(&name, &check.expr)?;
    for column in &condition.columns {
        let found = definition.columns.iter().find(|found| found.name.eq_ignore_ascii_case(column));
        let Some(found) = found else {
            let text = format!("Check constraint '{name}' refers to non-existing column '{column}'.");
            return Err(error(3820, text));
        };
        if found.auto_increment {
            let text = format!("Check constraint '{name}' cannot refer to an auto-increment column.");
            return Err(error(3818, text));
        }
    }
    definition.checks.push(Check {
        name,
        condition: condition.text,
        enforced: check.enforced,
        unchecked: check.enforced && at.has_rows,
    });
    Ok(())
}

/// That all constraints can be judged, and that no foreign key changes a column behind their back.
pub(super) fn confirm(definition: &TableDefinition, at: &Surroundings<'_>) -> Result<(), SqlError> {
    if definition.checks.is_empty() {
        return Ok(());
    }
    let table = Table::new(at.schema.to_owned(), at.name.to_owned(), TableId(0), Csn(0), definition.clone());
    for one in &definition.checks {
        check::usable(&table, &one.condition)?;
        let columns = columns_of(&one.condition);
        let changes = |key: &&ForeignKey| {
            matches!(key.on_update, ReferenceRule::Cascade | ReferenceRule::SetNull)
                || key.on_delete == ReferenceRule::SetNull
        };
        for key in definition.foreign_keys.iter().filter(changes) {
            for &column in &key.columns {
                let column = &definition.columns[usize::from(column)].name;
                if names(&columns, column) {
                    let text = format!(
                        "Column '{column}' cannot be used in a check constraint '{}': needed in a foreign key \
                         constraint '{}' referential action.",
                        one.name, key.name
                    );
                    return Err(error(3823, text));
                }
            }
        }
    }
    Ok(())
}

/// DROP CHECK.
pub(super) fn drop(definition: &mut TableDefinition, name: &str) -> Result<(), SqlError> {
    let at = definition.checks.iter().position(|check| check.name.eq_ignore_ascii_case(name));
    let at = at.ok_or_else(|| error(3821, format!("Check constraint '{name}' is not found in the table.")))?;
    definition.checks.remove(at);
    Ok(())
}

/// ALTER CHECK.
pub(super) fn enforce(definition: &mut TableDefinition, name: &str, enforced: bool) -> Result<(), SqlError> {
    let check = definition.checks.iter_mut().find(|check| check.name.eq_ignore_ascii_case(name));
    let text = format!("Check constraint '{name}' is not found in the table.");
    let check = check.ok_or_else(|| error(3821, text))?;
    check.unchecked |= enforced && !check.enforced;
    check.enforced = enforced;
    Ok(())
}

/// DROP CONSTRAINT.
pub(super) fn drop_any(definition: &mut TableDefinition, name: &str) -> Result<(), SqlError> {
    if drop(definition, name).is_ok() {
        return Ok(());
    }
    if let Some(at) = definition.foreign_keys.iter().position(|key| key.name.eq_ignore_ascii_case(name)) {
        definition.foreign_keys.remove(at);
        return Ok(());
    }
    let named = |key: &Key| key.unique && key.name.eq_ignore_ascii_case(name);
    match definition.keys.iter().position(named) {
        Some(at) => {
            definition.keys.remove(at);
            Ok(())
        }
        None => Err(error(3940, format!("Constraint '{name}' does not exist."))),
    }
}

fn dependent(check: &Check, column: &str) -> SqlError {
    let text =
        format!("Check constraint '{}' uses column '{column}', hence column cannot be dropped or renamed.", check.name);
    error(3959, text)
}

/// DROP COLUMN: constraints of it alone go with it.
pub(super) fn forget_column(definition: &mut TableDefinition, column: &str) -> Result<(), SqlError> {
    let mut kept = Vec::with_capacity(definition.checks.len());
    for check in &definition.checks {
        let columns = columns_of(&check.condition);
        if !names(&columns, column) {
            kept.push(check.clone());
        } else if columns.iter().any(|name| !name.eq_ignore_ascii_case(column)) {
            return Err(dependent(check, column));
        }
    }
    definition.checks = kept;
    Ok(())
}

/// A column that is to have another name.
pub(super) fn keep_column(definition: &TableDefinition, column: &str) -> Result<(), SqlError> {
    let used = definition.checks.iter().find(|check| names(&columns_of(&check.condition), column));
    used.map_or(Ok(()), |check| Err(dependent(check, column)))
}

/// The constraints of a table made LIKE another, whose names are new.
pub(super) fn copied(definition: &TableDefinition, table: &str) -> Vec<Check> {
    let copy =
        |(number, check): (usize, &Check)| Check { name: format!("{table}_chk_{}", number + 1), ..check.clone() };
    definition.checks.iter().enumerate().map(copy).collect()
}
