//! Databases, tables and accounts of this member, as the group's order made them.
//!
//! The outcome of a catalogue change (was the object there?) is decided by the replicated catalogue of
//! `engine/core`; this one only carries out its effects, in order, and knows what definitions mean.
//! Definitions travel as rkyv archives, opaque to everyone else.
//!
//! Names of databases and tables are compared with case (`lower_case_table_names=0`), column, key and
//! index names without. Absent on purpose: views, triggers, routines, events.

mod column_type;
mod first_form;
mod second_form;
mod third_form;

pub use column_type::ColumnType;

use crate::collate::Collation;
use crate::decimal::Decimal;
use crate::json::Json;
use crate::key::write_set_front;
use crate::temporal::DateTime;
use crate::value::Value;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Deserialize, Serialize, rancor};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use wire::entry::ObjectKind;
use wire::id::{Csn, TableId};

/// Archives inside archives lie anywhere: copied to where they are aligned.
pub(crate) fn aligned(archive: &[u8]) -> AlignedVec<16> {
    let mut copy = AlignedVec::with_capacity(archive.len());
    copy.extend_from_slice(archive);
    copy
}

/// A column's default.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub enum DefaultValue {
    /// None declared and NULL not allowed: 1364 when a row gives no value.
    None,
    /// NULL.
    Null,
    /// A literal, in its text form.
    Literal(String),
    /// CURRENT_TIMESTAMP with so many digits.
    Now(u8),
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct Column {
    /// Its name, as declared.
    pub name: String,
    /// Its type.
    pub kind: ColumnType,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// Its default.
    pub default: DefaultValue,
    /// AUTO_INCREMENT.
    pub auto_increment: bool,
    /// COMMENT.
    pub comment: String,
    /// MySQL's number of its collation; 63 (binary) for what is no text.
    pub collation: u16,
    /// INVISIBLE.
    pub invisible: bool,
    /// ON UPDATE CURRENT_TIMESTAMP.
    pub on_update_now: bool,
}

/// The column, and the key, that rows of a table without a key of their own lie by. Nobody sees either; no other
/// column may have the name, as in MySQL.
pub const ROW_ID: &str = "DB_ROW_ID";

impl Column {
    /// The hidden column of a table without a key.
    #[must_use]
    pub fn row_id() -> Self {
        Self {
            name: ROW_ID.into(),
            kind: ColumnType::Int { bytes: 8, unsigned: true, width: None, zerofill: false },
            nullable: false,
            default: DefaultValue::None,
            auto_increment: false,
            comment: String::new(),
            collation: Collation::BINARY.id(),
            invisible: true,
            on_update_now: false,
        }
    }

    /// Whether it is the hidden one.
    #[must_use]
    pub fn is_row_id(&self) -> bool {
        self.name == ROW_ID
    }

    /// Its collation.
    #[must_use]
    pub fn collation(&self) -> Collation {
        Collation::from_id(self.collation).unwrap_or(Collation::BINARY)
    }

    /// What a row without a value for it holds: its default, NULL, or the type's own.
    #[must_use]
    pub fn default_value(&self) -> Value {
        match &self.default {
            DefaultValue::None => self.implicit_default(),
            DefaultValue::Null => Value::Null,
            DefaultValue::Literal(text) => match self.kind {
                ColumnType::Bit(count) => {
                    let bits = text.trim_start_matches("b'").trim_end_matches('\'');
                    Value::Bit(u64::from_str_radix(bits, 2).unwrap_or(0), count)
                }
                _ => Value::text(text.as_str()),
            },
            DefaultValue::Now(_) => self.implicit_default(),
        }
    }

    /// What a NOT NULL column holds when nothing else is known.
    #[must_use]
    pub fn implicit_default(&self) -> Value {
        match &self.kind {
            ColumnType::Int { unsigned: true, .. } => Value::UInt(0),
            ColumnType::Int { .. } => Value::Int(0),
            ColumnType::Double { .. } | ColumnType::Fixed { .. } => Value::Double(0.0),
            ColumnType::Decimal { scale, .. } => Value::Decimal(Decimal::from_int(0).rounded(*scale)),
            ColumnType::Binary(length) => Value::bytes(vec![0; *length as usize]),
            ColumnType::Date => Value::Date(DateTime::default()),
            ColumnType::Time(digits) => Value::Time(0, *digits),
            ColumnType::DateTime(digits) => Value::DateTime(DateTime::default(), *digits),
            ColumnType::Timestamp(digits) => Value::Timestamp(0, *digits),
            ColumnType::Year => Value::UInt(0),
            ColumnType::Bit(count) => Value::Bit(0, *count),
            kind @ ColumnType::Enum(_) => Value::Member(1, kind.member_text(1).unwrap_or_default().into()),
            ColumnType::Set(_) => Value::Member(0, "".into()),
            ColumnType::Json => Value::Json(Rc::new(Json::Null)),
            kind if kind.is_bytes() => Value::bytes([]),
            _ => Value::text(""),
        }
    }
}

/// One part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct KeyPart {
    /// Which column, from 0.
    pub column: u16,
    /// Characters (bytes of a binary column) that count; 0: all.
    pub prefix: u32,
    /// DESC, for SHOW only: keys are kept ascending.
    pub descending: bool,
}

/// A key of a table.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct Key {
    /// `PRIMARY` for the primary key.
    pub name: String,
    /// Whether no two rows may be equal in it (NULLs excepted).
    pub unique: bool,
    /// Its columns.
    pub parts: Vec<KeyPart>,
    /// Its key space: 0 for the clustered key, where the rows lie; never used again within the table.
    pub space: u16,
    /// COMMENT.
    pub comment: String,
    /// INVISIBLE.
    pub invisible: bool,
}

impl Key {
    /// Whether it is that of the hidden column.
    #[must_use]
    pub fn is_row_id(&self) -> bool {
        self.name == ROW_ID
    }

    /// Whether it is the primary key.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        self.name == "PRIMARY"
    }
}

/// What becomes of children when their parent goes or changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub enum ReferenceRule {
    /// NO ACTION: the change is refused, as by RESTRICT.
    #[default]
    NoAction,
    /// RESTRICT, written so.
    Restrict,
    /// CASCADE.
    Cascade,
    /// SET NULL.
    SetNull,
}

impl ReferenceRule {
    /// As `information_schema` shows it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoAction => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::Cascade => "CASCADE",
            Self::SetNull => "SET NULL",
        }
    }
}

/// A foreign key of a table. The parent is known by name: with `foreign_key_checks=0` it may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Its name, unique in the database.
    pub name: String,
    /// Columns of this table.
    pub columns: Vec<u16>,
    /// The parent's database.
    pub parent_schema: String,
    /// The parent's name.
    pub parent_table: String,
    /// Columns of the parent: those of a unique key of it, in that key's order.
    pub parent_columns: Vec<String>,
    /// ON DELETE.
    pub on_delete: ReferenceRule,
    /// ON UPDATE.
    pub on_update: ReferenceRule,
    /// In the definition of a changed table: the rows that are there have to be checked against it.
    pub unchecked: bool,
}

/// A CHECK constraint of a table.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct Check {
    /// Its name, unique in the database.
    pub name: String,
    /// Its condition, as SHOW CREATE TABLE prints it.
    pub condition: String,
    /// Not `NOT ENFORCED`.
    pub enforced: bool,
    /// In the definition of a changed table: the rows that are there have to be checked against it.
    pub unchecked: bool,
}

/// What a table is.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct TableDefinition {
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// Its keys as SHOW CREATE TABLE lists them: primary, unique, others.
    pub keys: Vec<Key>,
    /// Its foreign keys, oldest first.
    pub foreign_keys: Vec<ForeignKey>,
    /// Its CHECK constraints, oldest first.
    pub checks: Vec<Check>,
    /// Default collation of new columns.
    pub collation: u16,
    /// COMMENT.
    pub comment: String,
    /// ROW_FORMAT where declared, else empty.
    pub row_format: String,
    /// AUTO_INCREMENT= where declared: the first value.
    pub auto_increment: u64,
    /// First key space that was never used.
    pub next_space: u16,
    /// Microseconds since 1970 at its creation.
    pub created_us: u64,
    /// In the definition of a changed table: which old column each column comes from (`None`: a new
    /// one). Empty otherwise.
    pub origins: Vec<Option<u16>>,
}

/// What a database is.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct DatabaseDefinition {
    /// Default collation of new tables.
    pub collation: u16,
}

/// A definition whose bytes cannot be read: written by a later version, or damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("definition of {kind:?} {schema}.{name} cannot be read")]
pub struct DefinitionError {
    /// What it defines.
    pub kind: ObjectKind,
    /// See [`ObjectKind`].
    pub schema: String,
    /// See [`ObjectKind`].
    pub name: String,
}

macro_rules! archived {
    ($($kind:ty),*) => {$(
        impl $kind {
            /// The bytes that travel.
            #[must_use]
            pub fn to_bytes(&self) -> Vec<u8> {
                let bytes = rkyv::to_bytes::<rancor::Error>(self);
                bytes.expect("serialising into memory cannot fail: definitions hold no shared pointers").into_vec()
            }

            /// Reads them back; `None` when they are no such archive.
            #[must_use]
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                rkyv::from_bytes::<Self, rancor::Error>(&aligned(bytes)).ok()
            }
        }
    )*};
}

archived!(DatabaseDefinition);

/// Ends the bytes of a table's definition in its second form. One in the first form ends with the count of
/// its `origins`, which is no more than the columns of a table and so never this.
const SECOND_FORM: [u8; 4] = *b"QTD2";
/// The same with foreign keys.
const THIRD_FORM: [u8; 4] = *b"QTD3";
/// The same with CHECK constraints.
const FOURTH_FORM: [u8; 4] = *b"QTD4";
/// Ends the bytes of a definition, in any form, that the number of another table follows: its rows are taken over.
const TAKES_OVER: [u8; 4] = *b"QTDT";

impl TableDefinition {
    /// The bytes that travel.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let bytes = rkyv::to_bytes::<rancor::Error>(self);
        let mut bytes =
            bytes.expect("serialising into memory cannot fail: definitions hold no shared pointers").into_vec();
        bytes.extend_from_slice(&FOURTH_FORM);
        bytes
    }

    /// The bytes of a table that takes the rows of another one over: its new name.
    #[must_use]
    pub fn to_bytes_taking_over(&self, from: TableId) -> Vec<u8> {
        let mut bytes = self.to_bytes();
        bytes.extend_from_slice(&from.0.to_le_bytes());
        bytes.extend_from_slice(&TAKES_OVER);
        bytes
    }

    /// Whose rows a table of these bytes takes over.
    #[must_use]
    pub fn taken_over(bytes: &[u8]) -> Option<TableId> {
        let (_, from) = bytes.strip_suffix(&TAKES_OVER)?.split_last_chunk()?;
        Some(TableId(u64::from_le_bytes(*from)))
    }

    /// Reads them back, in any form; `None` when they are in none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if let Some((definition, _)) = bytes.strip_suffix(&TAKES_OVER).and_then(<[u8]>::split_last_chunk::<8>) {
            return Self::from_bytes(definition);
        }
        if let Some(archive) = bytes.strip_suffix(&SECOND_FORM) {
            return second_form::read(archive);
        }
        if let Some(archive) = bytes.strip_suffix(&THIRD_FORM) {
            return third_form::read(archive);
        }
        let Some(archive) = bytes.strip_suffix(&FOURTH_FORM) else { return first_form::read(bytes) };
        rkyv::from_bytes::<Self, rancor::Error>(&aligned(archive)).ok()
    }
}

impl TableDefinition {
    /// Its columns with their places, but for the hidden one.
    pub fn shown_columns(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.columns.iter().enumerate().filter(|(_, column)| !column.is_row_id())
    }

    /// Its keys, but for the hidden one.
    pub fn shown_keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(|key| !key.is_row_id())
    }

    /// The key that rows lie by.
    #[must_use]
    pub fn clustered(&self) -> Option<&Key> {
        self.keys.iter().find(|key| key.space == 0)
    }

    /// Whether rows of `old` lie where those of this one do, which `old` becomes.
    #[must_use]
    pub fn lies_as(&self, old: &Self) -> bool {
        let (Some(now), Some(before)) = (self.clustered(), old.clustered()) else { return false };
        let same = |(now, before): (&KeyPart, &KeyPart)| {
            let (column, old) = (&self.columns[usize::from(now.column)], &old.columns[usize::from(before.column)]);
            let from = match self.origins.as_slice() {
                [] => Some(now.column),
                origins => origins.get(usize::from(now.column)).copied().flatten(),
            };
            from == Some(before.column)
                && (now.prefix, now.descending) == (before.prefix, before.descending)
                && (&column.kind, column.nullable, column.collation) == (&old.kind, old.nullable, old.collation)
        };
        now.parts.len() == before.parts.len() && now.parts.iter().zip(&before.parts).all(same)
    }

    /// Gives a table without a key of its own the hidden one.
    pub fn hide_key(&mut self) {
        let part = KeyPart { column: self.columns.len() as u16, prefix: 0, descending: false };
        self.columns.push(Column::row_id());
        if !self.origins.is_empty() {
            self.origins.push(None);
        }
        self.keys.push(Key {
            name: ROW_ID.into(),
            unique: true,
            parts: vec![part],
            space: 0,
            comment: String::new(),
            invisible: true,
        });
    }

    /// The table without the key that rows were to lie by: they are equal in it.
    pub fn without_clustered(&mut self) {
        self.keys.retain(|key| key.space != 0);
        self.hide_key();
    }

    /// A key whose first parts are these columns, whole and in this order.
    #[must_use]
    pub fn index_beginning_with(&self, columns: &[u16]) -> Option<&Key> {
        self.keys.iter().find(|key| {
            let mut parts = key.parts.iter();
            columns.iter().all(|&column| parts.next().is_some_and(|part| part.column == column && part.prefix == 0))
        })
    }

    /// The place of the unique key whose parts are these columns, whole and in this order.
    #[must_use]
    pub fn unique_key_of(&self, columns: &[String]) -> Option<usize> {
        self.keys.iter().position(|key| {
            let same = |(part, name): (&KeyPart, &String)| {
                part.prefix == 0 && self.columns[usize::from(part.column)].name.eq_ignore_ascii_case(name)
            };
            key.unique && key.parts.len() == columns.len() && key.parts.iter().zip(columns).all(same)
        })
    }
}

/// A table in the catalogue.
#[derive(Debug)]
pub struct Table {
    /// Its database.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its identity; never used again.
    pub id: TableId,
    /// CSN of the DDL that made it as it is.
    pub version: Csn,
    /// What it is.
    pub definition: TableDefinition,
    /// Constant front of each key's write-set items, parallel to `definition.keys`.
    pub write_set_fronts: Vec<Vec<u8>>,
    /// Its enforced CHECK constraints.
    pub(crate) checks: Vec<crate::check::Compiled>,
}

impl Table {
    /// A table from its parts.
    #[must_use]
    pub fn new(schema: String, name: String, id: TableId, version: Csn, definition: TableDefinition) -> Self {
        let write_set_fronts = definition.keys.iter().map(|key| write_set_front(&key.name, &schema, &name)).collect();
        let mut table = Self { schema, name, id, version, definition, write_set_fronts, checks: Vec::new() };
        table.checks = crate::check::compile(&table);
        table
    }

    /// The key that rows lie by: the primary key, or the first unique one without NULLs.
    #[must_use]
    pub fn clustered(&self) -> Option<&Key> {
        self.definition.keys.iter().find(|key| key.space == 0)
    }

    /// The secondary indexes.
    pub fn indexes(&self) -> impl Iterator<Item = &Key> {
        self.definition.keys.iter().filter(|key| key.space != 0)
    }

    /// A column's place, by name without case.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.definition.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name) && !column.is_row_id())
    }

    /// The hidden column, of a table without a key of its own.
    #[must_use]
    pub fn row_id(&self) -> Option<usize> {
        self.definition.columns.iter().position(Column::is_row_id)
    }

    /// The column that counts by itself.
    #[must_use]
    pub fn auto_increment(&self) -> Option<usize> {
        self.definition.columns.iter().position(|column| column.auto_increment)
    }
}

/// One foreign key with both its tables.
#[derive(Debug)]
pub struct Reference {
    /// The table that refers.
    pub child: Rc<Table>,
    /// Which of its foreign keys.
    pub number: usize,
    /// The table that is referred to; `None`: there is none of the name.
    pub parent: Option<Rc<Table>>,
    /// Which of the parent's keys; `None`: it has no such key (any more).
    pub parent_key: Option<usize>,
}

impl Reference {
    /// The foreign key itself.
    #[must_use]
    pub fn key(&self) -> &ForeignKey {
        &self.child.definition.foreign_keys[self.number]
    }

    /// The child's index that begins with the foreign key's columns.
    #[must_use]
    pub fn child_index(&self) -> Option<&Key> {
        self.child.definition.index_beginning_with(&self.key().columns)
    }
}

/// Whether values of two columns are of one kind and have the same keys: what a foreign key asks of them.
#[must_use]
pub fn may_refer(child: &Column, parent: &Column) -> bool {
    match (&child.kind, &parent.kind) {
        (ColumnType::Int { bytes, unsigned, .. }, ColumnType::Int { bytes: other, unsigned: other_sign, .. }) => {
            bytes == other && unsigned == other_sign
        }
        (one, other) if one.is_text() && other.is_text() => child.collation == parent.collation,
        (one, other) if one.is_bytes() && other.is_bytes() => true,
        (one, other) => one == other,
    }
}

/// The place of the parent's unique key that a foreign key means, where it can serve.
#[must_use]
pub fn parent_key(child: &Table, key: &ForeignKey, parent: &Table) -> Option<usize> {
    let number = parent.definition.unique_key_of(&key.parent_columns)?;
    let parts = &parent.definition.keys[number].parts;
    let fits = key.columns.iter().zip(parts).all(|(&column, part)| {
        may_refer(&child.definition.columns[usize::from(column)], &parent.definition.columns[usize::from(part.column)])
    });
    (fits && key.columns.len() == parts.len()).then_some(number)
}

/// The foreign keys around one table.
#[derive(Debug, Default)]
pub struct References {
    /// Its own.
    pub parents: Vec<Rc<Reference>>,
    /// Those of others (and of itself) that refer to it.
    pub children: Vec<Rc<Reference>>,
}

/// What a change of the catalogue did, as the group's catalogue decided at its place in the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// An object came.
    Created {
        /// What it is.
        kind: ObjectKind,
        /// See [`ObjectKind`].
        schema: String,
        /// See [`ObjectKind`].
        name: String,
        /// Its identity, for tables.
        id: TableId,
        /// The CSN of the change.
        version: Csn,
        /// Its definition.
        definition: Vec<u8>,
    },
    /// An object changed.
    Replaced {
        /// What it is.
        kind: ObjectKind,
        /// See [`ObjectKind`].
        schema: String,
        /// See [`ObjectKind`].
        name: String,
        /// Its identity, for tables (as before).
        id: TableId,
        /// The CSN of the change.
        version: Csn,
        /// Its new definition.
        definition: Vec<u8>,
    },
    /// An object went; a database takes its tables along, each with an effect of its own.
    Dropped {
        /// What it was.
        kind: ObjectKind,
        /// See [`ObjectKind`].
        schema: String,
        /// See [`ObjectKind`].
        name: String,
        /// Its identity, for tables.
        id: TableId,
    },
}

/// A database in the catalogue.
#[derive(Debug)]
pub struct Database {
    /// CSN of the DDL that made it as it is; 0 for built-in ones.
    pub version: Csn,
    /// What it is.
    pub definition: DatabaseDefinition,
    /// Its base tables.
    pub tables: BTreeMap<String, Rc<Table>>,
    /// Whether it is one of the four that are always there.
    pub built_in: bool,
}

/// The databases and tables of a member.
#[derive(Debug)]
pub struct Catalog {
    databases: BTreeMap<String, Database>,
    by_id: BTreeMap<TableId, Rc<Table>>,
    generation: u64,
    /// Foreign keys around the tables that were asked for, of this generation.
    references: RefCell<BTreeMap<TableId, Rc<References>>>,
    /// Tables with foreign keys.
    children: BTreeSet<TableId>,
}

/// Databases that are always there.
pub const BUILT_IN: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

impl Default for Catalog {
    fn default() -> Self {
        Self::new()
    }
}

impl Catalog {
    /// Only the built-in databases.
    #[must_use]
    pub fn new() -> Self {
        let built_in = |name: &&str| {
            let collation = if *name == "information_schema" { Collation::METADATA } else { Collation::DEFAULT };
            let definition = DatabaseDefinition { collation: collation.id() };
            let database = Database { version: Csn(0), definition, tables: BTreeMap::new(), built_in: true };
            ((*name).to_owned(), database)
        };
        Self {
            databases: BUILT_IN.iter().map(built_in).collect(),
            by_id: BTreeMap::new(),
            generation: 0,
            references: RefCell::default(),
            children: BTreeSet::new(),
        }
    }

    /// Grows with every change: what plans and caches compare.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Built-in databases are found without case, others with.
    #[must_use]
    pub fn database_name(&self, name: &str) -> String {
        let lower = name.to_ascii_lowercase();
        if matches!(lower.as_str(), "information_schema" | "performance_schema") { lower } else { name.to_owned() }
    }

    /// A database.
    #[must_use]
    pub fn database(&self, name: &str) -> Option<&Database> {
        self.databases.get(&self.database_name(name))
    }

    /// All databases by name.
    pub fn databases(&self) -> impl Iterator<Item = (&str, &Database)> {
        self.databases.iter().map(|(name, database)| (name.as_str(), database))
    }

    /// A base table.
    #[must_use]
    pub fn table(&self, schema: &str, name: &str) -> Option<&Rc<Table>> {
        self.databases.get(schema)?.tables.get(name)
    }

    /// A base table by identity.
    #[must_use]
    pub fn table_by_id(&self, id: TableId) -> Option<&Rc<Table>> {
        self.by_id.get(&id)
    }

    fn changed(&mut self) {
        self.generation += 1;
        self.references.get_mut().clear();
    }

    fn forget(&mut self, table: TableId) {
        self.by_id.remove(&table);
        self.children.remove(&table);
    }

    /// All foreign keys, by their tables' identities.
    pub fn foreign_keys(&self) -> impl Iterator<Item = Reference> {
        let tables = self.children.iter().filter_map(|id| self.by_id.get(id));
        tables.flat_map(|child| {
            (0..child.definition.foreign_keys.len()).map(|number| {
                let key = &child.definition.foreign_keys[number];
                let parent = self.table(&key.parent_schema, &key.parent_table).cloned();
                let parent_key = parent.as_ref().and_then(|parent| parent_key(child, key, parent));
                Reference { child: child.clone(), number, parent, parent_key }
            })
        })
    }

    /// Whether any table has a foreign key.
    #[must_use]
    pub fn has_foreign_keys(&self) -> bool {
        !self.children.is_empty()
    }

    /// The foreign keys around a table.
    #[must_use]
    pub fn references(&self, table: TableId) -> Rc<References> {
        if let Some(found) = self.references.borrow().get(&table) {
            return found.clone();
        }
        let mut found = References::default();
        for reference in self.foreign_keys() {
            let (own, parent) = (reference.child.id == table, reference.parent.as_ref().map(|parent| parent.id));
            let reference = Rc::new(reference);
            if parent == Some(table) {
                found.children.push(reference.clone());
            }
            if own {
                found.parents.push(reference);
            }
        }
        let found = Rc::new(found);
        self.references.borrow_mut().insert(table, found.clone());
        found
    }

    /// Puts a table in; an old one of the name makes room.
    pub fn put_table(&mut self, table: Table) -> Rc<Table> {
        self.changed();
        let table = Rc::new(table);
        let tables = self.databases.get_mut(&table.schema).map(|database| &mut database.tables);
        if let Some(old) = tables.and_then(|tables| tables.insert(table.name.clone(), table.clone())) {
            self.forget(old.id);
        }
        self.by_id.insert(table.id, table.clone());
        if !table.definition.foreign_keys.is_empty() {
            self.children.insert(table.id);
        }
        table
    }

    /// Takes a table out.
    pub fn remove_table(&mut self, schema: &str, name: &str) -> Option<Rc<Table>> {
        self.changed();
        let table = self.databases.get_mut(schema)?.tables.remove(name)?;
        self.forget(table.id);
        Some(table)
    }

    /// Puts a database in, or changes its definition.
    pub fn put_database(&mut self, name: &str, version: Csn, definition: DatabaseDefinition) {
        self.changed();
        let fresh = || Database {
            version,
            definition: definition.clone(),
            tables: BTreeMap::new(),
            built_in: BUILT_IN.contains(&name),
        };
        let database = self.databases.entry(name.to_owned()).or_insert_with(fresh);
        database.version = version;
        database.definition = definition.clone();
    }

    /// Takes a database out, with its tables.
    pub fn remove_database(&mut self, name: &str) -> Vec<Rc<Table>> {
        self.changed();
        let Some(database) = self.databases.remove(name) else { return Vec::new() };
        let tables: Vec<_> = database.tables.into_values().collect();
        for table in &tables {
            self.forget(table.id);
        }
        tables
    }
}

/// Definitions for tests.
#[cfg(test)]
pub mod testing {
    use super::*;

    /// A column without a default.
    #[must_use]
    pub fn column(name: &str, kind: ColumnType, nullable: bool) -> Column {
        let collation = if kind.is_text() { Collation::DEFAULT } else { Collation::BINARY };
        Column {
            name: name.into(),
            kind,
            nullable,
            default: if nullable { DefaultValue::Null } else { DefaultValue::None },
            auto_increment: false,
            comment: String::new(),
            collation: collation.id(),
            invisible: false,
            on_update_now: false,
        }
    }

    /// A table with keys as (name, unique, columns); the first one is clustered.
    #[must_use]
    pub fn table(schema: &str, name: &str, columns: Vec<Column>, keys: &[(&str, bool, &[u16])]) -> Table {
        let keys = keys.iter().enumerate().map(|(space, (name, unique, columns))| Key {
            name: (*name).into(),
            unique: *unique,
            parts: columns.iter().map(|&column| KeyPart { column, prefix: 0, descending: false }).collect(),
            space: space as u16,
            comment: String::new(),
            invisible: false,
        });
        let keys: Vec<_> = keys.collect();
        let definition = TableDefinition {
            columns,
            next_space: keys.len() as u16,
            keys,
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            collation: Collation::DEFAULT.id(),
            comment: String::new(),
            row_format: String::new(),
            auto_increment: 0,
            created_us: 0,
            origins: Vec::new(),
        };
        Table::new(schema.into(), name.into(), TableId(1), Csn(1), definition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_survive_their_bytes() {
        let columns = vec![testing::column("a", ColumnType::VarChar(3), true)];
        let table = testing::table("d", "t", columns, &[("PRIMARY", true, &[0])]);
        let bytes = table.definition.to_bytes();
        assert_eq!(TableDefinition::from_bytes(&bytes).as_ref(), Some(&table.definition));
        for length in 0..bytes.len() {
            assert_ne!(TableDefinition::from_bytes(&bytes[..length]).as_ref(), Some(&table.definition));
        }
    }

    #[test]
    fn built_in_databases_are_found_without_case() {
        let catalog = Catalog::new();
        assert!(catalog.database("INFORMATION_SCHEMA").is_some());
        assert!(catalog.database("MySQL").is_none());
    }

    #[test]
    fn types_print_as_mysql_prints_them() {
        let int = |bytes, unsigned, width, zerofill| ColumnType::Int { bytes, unsigned, width, zerofill };
        for (kind, text) in [
            (int(4, false, Some(11), false), "int"),
            (int(1, false, Some(1), false), "tinyint(1)"),
            (int(8, true, None, false), "bigint unsigned"),
            (int(4, true, Some(5), true), "int(5) unsigned zerofill"),
            (ColumnType::Text(2), "text"),
            (ColumnType::Blob(4), "longblob"),
            (ColumnType::Decimal { precision: 10, scale: 0, unsigned: false }, "decimal(10,0)"),
        ] {
            assert_eq!(kind.declaration(), text);
        }
    }
}
