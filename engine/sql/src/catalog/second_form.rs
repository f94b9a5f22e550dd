//! Definitions of tables as they were written before foreign keys were known. They are only read.

#![allow(missing_docs, reason = "rkyv derives structs whose fields have no docs")]

use super::{Column, Key, TableDefinition, aligned};
use rkyv::{Archive, Deserialize, Serialize, rancor};

#[derive(Archive, Serialize, Deserialize)]
struct SecondTable {
    columns: Vec<Column>,
    keys: Vec<Key>,
    collation: u16,
    comment: String,
    row_format: String,
    auto_increment: u64,
    next_space: u16,
    created_us: u64,
    origins: Vec<Option<u16>>,
}

/// Reads a definition in the second form, without its end mark; `None` when the bytes are none.
pub(super) fn read(archive: &[u8]) -> Option<TableDefinition> {
    let table = rkyv::from_bytes::<SecondTable, rancor::Error>(&aligned(archive)).ok()?;
    Some(TableDefinition {
        columns: table.columns,
        keys: table.keys,
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        collation: table.collation,
        comment: table.comment,
        row_format: table.row_format,
        auto_increment: table.auto_increment,
        next_space: table.next_space,
        created_us: table.created_us,
        origins: table.origins,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{ColumnType, SECOND_FORM, testing::column};

    #[test]
    fn definitions_in_the_second_form_are_read() {
        let second = SecondTable {
            columns: vec![column("a", ColumnType::VarChar(3), true)],
            keys: Vec::new(),
            collation: 255,
            comment: "c".into(),
            row_format: String::new(),
            auto_increment: 7,
            next_space: 1,
            created_us: 3,
            origins: vec![Some(0)],
        };
        let mut bytes = rkyv::to_bytes::<rancor::Error>(&second).unwrap().into_vec();
        bytes.extend_from_slice(&SECOND_FORM);
        let read = TableDefinition::from_bytes(&bytes).unwrap();
        assert_eq!(read.columns, second.columns);
        assert_eq!((read.comment.as_str(), read.auto_increment, read.created_us), ("c", 7, 3));
        assert_eq!(TableDefinition::from_bytes(&read.to_bytes()), Some(read));
    }
}
