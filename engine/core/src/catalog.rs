//! Which databases, tables and accounts there are, under which version: the part of the schema that
//! decides verdicts. Definitions are opaque bytes here; `engine/sql` writes and reads them.
//!
//! Invariant: a table's database exists; ids are never re-used; a version is the CSN of the DDL that
//! made the object so.

use std::collections::BTreeMap;
pub use wire::entry::Refusal;
use wire::entry::{ArchivedCatalogChange, ArchivedObjectKind, ObjectKind};
use wire::id::{Csn, TableId};

/// What an object is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its identity.
    pub id: TableId,
    /// CSN of the DDL that made it so.
    pub version: Csn,
    /// Opaque bytes.
    pub definition: Vec<u8>,
}

/// Where an object is found: kind, schema, name.
pub type Place = (ObjectKind, String, String);

/// What a DDL did, for the SQL half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogEffect {
    /// A new object.
    Created(Place, Object),
    /// An object under a new version.
    Replaced(Place, Object),
    /// An object that is no more.
    Dropped(Place, TableId),
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    objects: BTreeMap<Place, Object>,
    tables: BTreeMap<TableId, Csn>,
    last_id: u64,
}

/// Identifiers up to this belong to built-in tables.
const IDS_RESERVED: u64 = 1024;

impl Catalog {
    /// The version of a table, `None` when it is no more.
    #[must_use]
    pub fn version(&self, table: TableId) -> Option<Csn> {
        self.tables.get(&table).copied()
    }

    /// Every object, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Place, &Object)> {
        self.objects.iter()
    }

    /// From the objects of a checkpoint and the last id that was given.
    #[must_use]
    pub fn restore(objects: impl Iterator<Item = (Place, Object)>, last_id: u64) -> Self {
        let objects: BTreeMap<Place, Object> = objects.collect();
        let tables = objects.iter().filter(|(place, _)| place.0 == ObjectKind::Table);
        let tables = tables.map(|(_, object)| (object.id, object.version)).collect();
        Self { objects, tables, last_id }
    }

    /// The last id that was given.
    #[must_use]
    pub fn last_id(&self) -> u64 {
        self.last_id
    }

    /// Applies the changes of one DDL at `csn`: all, or none and the first refusal.
    ///
    /// # Errors
    /// [`Refusal`]: the catalogue is unchanged.
    pub fn apply<'a>(
        &mut self,
        csn: Csn,
        changes: impl Iterator<Item = &'a ArchivedCatalogChange>,
    ) -> Result<Vec<CatalogEffect>, Refusal> {
        let mut next = self.clone_shallow();
        let mut effects = Vec::new();
        for change in changes {
            next.apply_one(self, csn, change, &mut effects)?;
        }
        self.commit(next, &effects);
        Ok(effects)
    }

    fn clone_shallow(&self) -> Pending {
        Pending { changed: BTreeMap::new(), last_id: self.last_id.max(IDS_RESERVED) }
    }

    fn commit(&mut self, pending: Pending, effects: &[CatalogEffect]) {
        self.last_id = pending.last_id;
        for effect in effects {
            match effect {
                CatalogEffect::Created(place, object) | CatalogEffect::Replaced(place, object) => {
                    if place.0 == ObjectKind::Table {
                        self.tables.insert(object.id, object.version);
                    }
                    self.objects.insert(place.clone(), object.clone());
                }
                CatalogEffect::Dropped(place, id) => {
                    self.objects.remove(place);
                    self.tables.remove(id);
                }
            }
        }
    }
}

/// What the changes of one DDL have done so far, over the catalogue.
struct Pending {
    changed: BTreeMap<Place, Option<Object>>,
    last_id: u64,
}

impl Pending {
    fn get<'a>(&'a self, base: &'a Catalog, place: &Place) -> Option<&'a Object> {
        match self.changed.get(place) {
            Some(changed) => changed.as_ref(),
            None => base.objects.get(place),
        }
    }

    fn apply_one(
        &mut self,
        base: &Catalog,
        csn: Csn,
        change: &ArchivedCatalogChange,
        effects: &mut Vec<CatalogEffect>,
    ) -> Result<(), Refusal> {
        match change {
            ArchivedCatalogChange::Create { kind, schema, name, definition, if_not_exists } => {
                let place = (kind_of(kind), schema.to_string(), name.to_string());
                let (schema, name) = (place.1.clone(), place.2.clone());
                if self.get(base, &place).is_some() {
                    return if *if_not_exists { Ok(()) } else { Err(Refusal::Exists { schema, name }) };
                }
                let database = (ObjectKind::Database, String::new(), schema.clone());
                if place.0 == ObjectKind::Table && self.get(base, &database).is_none() {
                    return Err(Refusal::NoDatabase { schema });
                }
                self.last_id += 1;
                let object = Object { id: TableId(self.last_id), version: csn, definition: definition.to_vec() };
                self.changed.insert(place.clone(), Some(object.clone()));
                effects.push(CatalogEffect::Created(place, object));
            }
            ArchivedCatalogChange::Replace { kind, schema, name, version, definition } => {
                let place = (kind_of(kind), schema.to_string(), name.to_string());
                let (schema, name) = (place.1.clone(), place.2.clone());
                let Some(old) = self.get(base, &place) else { return Err(Refusal::Missing { schema, name }) };
                if old.version != Csn::from(version) {
                    return Err(Refusal::Changed { schema, name });
                }
                let object = Object { id: old.id, version: csn, definition: definition.to_vec() };
                self.changed.insert(place.clone(), Some(object.clone()));
                effects.push(CatalogEffect::Replaced(place, object));
            }
            ArchivedCatalogChange::Drop { kind, schema, name, if_exists } => {
                let place = (kind_of(kind), schema.to_string(), name.to_string());
                let (schema, name) = (place.1.clone(), place.2.clone());
                let Some(old) = self.get(base, &place) else {
                    return if *if_exists { Ok(()) } else { Err(Refusal::Missing { schema, name }) };
                };
                let id = old.id;
                if place.0 == ObjectKind::Database {
                    self.drop_tables(base, &place.2, effects);
                }
                self.changed.insert(place.clone(), None);
                effects.push(CatalogEffect::Dropped(place, id));
            }
        }
        Ok(())
    }

    fn drop_tables(&mut self, base: &Catalog, database: &str, effects: &mut Vec<CatalogEffect>) {
        let tables: Vec<Place> = (base.objects.keys().chain(self.changed.keys()))
            .filter(|place| place.0 == ObjectKind::Table && place.1 == database)
            .cloned()
            .collect();
        for place in tables {
            if let Some(id) = self.get(base, &place).map(|object| object.id) {
                self.changed.insert(place.clone(), None);
                effects.push(CatalogEffect::Dropped(place, id));
            }
        }
    }
}

fn kind_of(kind: &ArchivedObjectKind) -> ObjectKind {
    match kind {
        ArchivedObjectKind::Database => ObjectKind::Database,
        ArchivedObjectKind::Table => ObjectKind::Table,
        ArchivedObjectKind::Account => ObjectKind::Account,
    }
}
