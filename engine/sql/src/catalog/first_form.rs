//! Definitions of tables as they were written before dates, ENUM, SET, BIT and JSON were known. They are only read.

#![allow(missing_docs, reason = "rkyv derives structs for the variants, whose fields have no docs")]

use super::{Column, ColumnType, DefaultValue, Key, TableDefinition, aligned};
use rkyv::{Archive, Deserialize, Serialize, rancor};

#[derive(Archive, Serialize, Deserialize)]
enum FirstType {
    Int { bytes: u8, unsigned: bool, width: Option<u8>, zerofill: bool },
    Double { unsigned: bool, single: bool },
    Decimal { precision: u8, scale: u8, unsigned: bool },
    Char(u32),
    VarChar(u32),
    Binary(u32),
    VarBinary(u32),
    Text(u8),
    Blob(u8),
}

#[derive(Archive, Serialize, Deserialize)]
enum FirstDefault {
    None,
    Null,
    Literal(String),
}

#[derive(Archive, Serialize, Deserialize)]
struct FirstColumn {
    name: String,
    kind: FirstType,
    nullable: bool,
    default: FirstDefault,
    auto_increment: bool,
    comment: String,
    collation: u16,
    invisible: bool,
}

#[derive(Archive, Serialize, Deserialize)]
struct FirstTable {
    columns: Vec<FirstColumn>,
    keys: Vec<Key>,
    collation: u16,
    comment: String,
    row_format: String,
    auto_increment: u64,
    next_space: u16,
    created_us: u64,
    origins: Vec<Option<u16>>,
}

impl From<FirstColumn> for Column {
    fn from(column: FirstColumn) -> Self {
        let kind = match column.kind {
            FirstType::Int { bytes, unsigned, width, zerofill } => ColumnType::Int { bytes, unsigned, width, zerofill },
            FirstType::Double { unsigned, single } => ColumnType::Double { unsigned, single },
            FirstType::Decimal { precision, scale, unsigned } => ColumnType::Decimal { precision, scale, unsigned },
            FirstType::Char(length) => ColumnType::Char(length),
            FirstType::VarChar(length) => ColumnType::VarChar(length),
            FirstType::Binary(length) => ColumnType::Binary(length),
            FirstType::VarBinary(length) => ColumnType::VarBinary(length),
            FirstType::Text(prefix) => ColumnType::Text(prefix),
            FirstType::Blob(prefix) => ColumnType::Blob(prefix),
        };
        let default = match column.default {
            FirstDefault::None => DefaultValue::None,
            FirstDefault::Null => DefaultValue::Null,
            FirstDefault::Literal(text) => DefaultValue::Literal(text),
        };
        Self {
            name: column.name,
            kind,
            nullable: column.nullable,
            default,
            auto_increment: column.auto_increment,
            comment: column.comment,
            collation: column.collation,
            invisible: column.invisible,
            on_update_now: false,
        }
    }
}

/// Reads a definition in the first form; `None` when the bytes are none.
pub(super) fn read(bytes: &[u8]) -> Option<TableDefinition> {
    let table = rkyv::from_bytes::<FirstTable, rancor::Error>(&aligned(bytes)).ok()?;
    Some(TableDefinition {
        columns: table.columns.into_iter().map(Column::from).collect(),
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
    use crate::catalog::testing::column;

    #[test]
    fn definitions_in_the_first_form_are_read() {
        let first = FirstTable {
            columns: vec![FirstColumn {
                name: "a".into(),
                kind: FirstType::Decimal { precision: 5, scale: 2, unsigned: true },
                nullable: false,
                default: FirstDefault::Literal("1.00".into()),
                auto_increment: false,
                comment: "c".into(),
                collation: 63,
                invisible: true,
            }],
            keys: Vec::new(),
            collation: 255,
            comment: String::new(),
            row_format: String::new(),
            auto_increment: 7,
            next_space: 1,
            created_us: 3,
            origins: vec![Some(0)],
        };
        let bytes = rkyv::to_bytes::<rancor::Error>(&first).unwrap();
        let read = TableDefinition::from_bytes(&bytes).unwrap();
        let expected = Column {
            default: DefaultValue::Literal("1.00".into()),
            comment: "c".into(),
            invisible: true,
            ..column("a", ColumnType::Decimal { precision: 5, scale: 2, unsigned: true }, false)
        };
        assert_eq!(read.columns, [expected]);
        assert_eq!((read.auto_increment, read.created_us, read.origins.clone()), (7, 3, vec![Some(0)]));
        let again = read.to_bytes();
        assert_eq!(TableDefinition::from_bytes(&again), Some(read));
        assert_eq!(TableDefinition::from_bytes(&again[..again.len() - 5]), None);
    }
}
