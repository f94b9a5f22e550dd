//! Which key the rows of a table lie by: the primary key, or the first unique key that is never NULL, or a hidden number.

use crate::catalog::{Column, Key, TableDefinition};
use crate::error::{SqlError, error};

/// The place of the key that rows shall lie by; `None`: the table has none of its own.
pub(super) fn wanted(definition: &TableDefinition) -> Option<usize> {
    let columns = &definition.columns;
    let whole = |key: &Key| {
        key.unique
            && !key.is_row_id()
            && key.parts.iter().all(|part| part.prefix == 0 && !columns[usize::from(part.column)].nullable)
    };
    definition.keys.iter().position(Key::is_primary).or_else(|| definition.keys.iter().position(whole))
}

/// Makes rows of a changed table lie by the key that they shall lie by. Where that moves them, each index is a new one:
/// its entries say where rows lie.
pub(super) fn settle(old: &TableDefinition, definition: &mut TableDefinition) -> Result<(), SqlError> {
    let present = definition.keys.iter().position(|key| key.space == 0);
    let wanted = wanted(definition);
    match (present, wanted) {
        (Some(present), Some(wanted)) if present == wanted => {}
        (Some(present), None) if definition.keys[present].is_row_id() => {}
        (present, wanted) => {
            if let Some(wanted) = wanted {
                // Marked, as a key before it may go.
                definition.keys[wanted].space = u16::MAX;
            }
            match present {
                Some(present) if definition.keys[present].is_row_id() => {
                    definition.keys.remove(present);
                    assert!(definition.columns.last().is_some_and(Column::is_row_id), "the hidden column is the last");
                    definition.columns.pop();
                    definition.origins.pop();
                }
                Some(present) => definition.keys[present].space = fresh(&mut definition.next_space)?,
                None => {}
            }
            match definition.keys.iter_mut().find(|key| key.space == u16::MAX) {
                Some(key) => key.space = 0,
                None => definition.hide_key(),
            }
        }
    }
    if !definition.lies_as(old) {
        let TableDefinition { keys, next_space, .. } = definition;
        for key in keys.iter_mut().filter(|key| key.space != 0) {
            key.space = fresh(next_space)?;
        }
    }
    Ok(())
}

fn fresh(next: &mut u16) -> Result<u16, SqlError> {
    let space = *next;
    // The last number is a mark.
    *next =
        space.checked_add(1).filter(|next| *next < u16::MAX).ok_or_else(|| error(1069, "Too many keys specified"))?;
    Ok(space)
}
