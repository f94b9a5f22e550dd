//! The whole of a certifier but its keys, as a checkpoint holds it, and back again.
//!
//! Invariant: a certifier made of an image and the frozen keys judges everything that follows as the one that
//! it was taken of.

use super::index::{Generation, WriteIndex};
use super::{Certifier, Facts};
use crate::catalog::{Catalog, Object, Place};
use crate::gtid_assign::{Assigner, AssignerImage};
use crate::sequencer::Sequencer;
use rkyv::{Archive, Deserialize, Serialize};
use std::rc::Rc;
use wire::entry::{GroupOptions, Gtid, ObjectKind, Report, View};
use wire::id::{Csn, Incarnation, Index, Run, TableId};
use wire::mutant::{Mutant, planted};

/// What the order says of one member.
#[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
pub struct FactsImage {
    incarnation: Incarnation,
    online: bool,
    report: Report,
    run: Run,
    diverged: bool,
}

/// One object of the catalogue.
#[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
pub struct ObjectImage {
    kind: ObjectKind,
    schema: String,
    name: String,
    id: TableId,
    version: Csn,
    definition: Vec<u8>,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
pub struct CertifierImage {
    /// Last CSN given.
    pub csn: Csn,
    /// Last index judged.
    pub index: Index,
    view: Option<(Index, View)>,
    options: Option<GroupOptions>,
    members: Vec<FactsImage>,
    primary: Option<Incarnation>,
    epoch: u64,
    sequencer: Vec<(Incarnation, Run, u64)>,
    gtids: AssignerImage,
    stable: Csn,
    catalog: Vec<ObjectImage>,
    last_id: u64,
    digest: u64,
    checked: u64,
    conflicts: u64,
    last_conflict_free: Option<Gtid>,
    alarm: Option<Csn>,
    named: Csn,
    last_after: Index,
}

impl CertifierImage {
    /// The objects of its catalogue, in order.
    pub fn objects(&self) -> impl Iterator<Item = (Place, Object)> {
        self.catalog.iter().map(|object| {
            let ObjectImage { kind, schema, name, id, version, definition } = object.clone();
            ((kind, schema, name), Object { id, version, definition })
        })
    }

    /// A certifier that goes on from here with `keys`; `None` when the image is not one that a certifier gave.
    #[must_use]
    pub fn restore(&self, keys: WriteIndex) -> Option<Certifier> {
        let members = self.members.iter().map(|member| {
            let FactsImage { incarnation, online, report, run, diverged } = *member;
            (incarnation, Facts { online, report, run, diverged })
        });
        let ordered = self.sequencer.is_sorted_by(|a, b| a.0 < b.0);
        if !ordered || self.stable > self.csn {
            return None;
        }
        Some(Certifier {
            csn: self.csn,
            index: self.index,
            view: self.view.clone(),
            options: self.options.clone(),
            members: members.collect(),
            primary: self.primary,
            epoch: self.epoch,
            sequencer: Sequencer::restore(self.sequencer.clone()),
            gtids: Assigner::restore(&self.gtids)?,
            stable: self.stable,
            keys,
            catalog: Catalog::restore(self.objects(), self.last_id),
            digest: self.digest,
            checked: self.checked,
            conflicts: self.conflicts,
            last_conflict_free: self.last_conflict_free,
            alarm: self.alarm,
            named: self.named,
            reports: 0,
            // A restored member shows what it has; but others may wait for its word that it has it **[!]**.
            last_after: if planted(Mutant::CheckpointWithoutAfter) { Index(0) } else { self.last_after },
        })
    }
}

impl Certifier {
    /// All but the keys.
    #[must_use]
    pub fn image(&self) -> CertifierImage {
        let members = self.members.iter().map(|(&incarnation, facts)| {
            let Facts { online, report, run, diverged } = *facts;
            FactsImage { incarnation, online, report, run, diverged }
        });
        let catalog = self.catalog.iter().map(|((kind, schema, name), object)| ObjectImage {
            kind: *kind,
            schema: schema.clone(),
            name: name.clone(),
            id: object.id,
            version: object.version,
            definition: object.definition.clone(),
        });
        CertifierImage {
            csn: self.csn,
            index: self.index,
            view: self.view.clone(),
            options: self.options.clone(),
            members: members.collect(),
            primary: self.primary,
            epoch: self.epoch,
            sequencer: self.sequencer.image(),
            gtids: self.gtids.image(),
            stable: self.stable,
            catalog: catalog.collect(),
            last_id: self.catalog.last_id(),
            digest: self.digest,
            checked: self.checked,
            conflicts: self.conflicts,
            last_conflict_free: self.last_conflict_free,
            alarm: self.alarm,
            named: self.named,
            last_after: self.last_after,
        }
    }

    /// Freezes the keys for a checkpoint.
    pub(crate) fn freeze(&mut self) -> Vec<Rc<Generation>> {
        self.keys.freeze()
    }

    /// Hash of the whole state, the live keys included: equal for certifiers that judge alike from here on. Costs
    /// a pass over everything: for checkers.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut bytes =
            rkyv::to_bytes::<rkyv::rancor::Error>(&self.image()).expect("serialising into memory cannot fail").to_vec();
        for (hash, csn) in self.keys.live(self.stable) {
            bytes.extend_from_slice(&hash.to_le_bytes());
            bytes.extend_from_slice(&csn.0.to_le_bytes());
        }
        xxhash_rust::xxh3::xxh3_64(&bytes)
    }
}
