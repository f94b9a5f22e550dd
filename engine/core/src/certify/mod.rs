//! Judges every entry of the log in order: a pure function of the log. No clock, map order or thread
//! count changes a verdict, so that every member gives the same ones.
//!
//! The certifier holds the whole replicated state but the rows: view, ONLINE members, primary epoch,
//! GTIDs, catalogue, the index of last writers, the stable CSN.
//!
//! Source: `design.md` §6; MySQL Group Replication's `Certifier` (`protocol.md` §4).

mod compare;
pub mod image;
pub mod index;
#[cfg(test)]
mod tests;

use crate::catalog::{Catalog, CatalogEffect, Refusal};
use crate::checkpoint::Restore;
use crate::gtid_assign::Assigner;
use crate::paxos::PrimaryView;
use crate::sequencer::Sequencer;
pub use index::GENERATION_SLOTS;
use index::WriteIndex;
use rkyv::rancor::Failure;
use std::collections::BTreeMap;
use wire::entry::{
    ArchivedBody, ArchivedDdl, ArchivedEntry, ArchivedGtid, ArchivedTransaction, GroupOptions, Gtid, NewBirth, Report,
    Stamp, View, ViewCause, VotingRole,
};
use wire::frame::Frame;
use wire::id::{Csn, Incarnation, Index, Run, TableId, Uuid};
use wire::mutant::{Mutant, planted};
use wire::rare;

/// So many entries are looked at together before they are judged one by one.
const AHEAD: usize = 16;
/// Of one transaction, so many keys are touched ahead: more would drive one another out of the cache.
const TOUCHED_MAX: usize = 64;

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A number that was delivered already, or out of order: nothing happens, nobody waits.
    Repeat,
    /// The origin was not ONLINE here, or the entry is malformed: nothing happened.
    Void,
    /// Certified negatively.
    Conflict(Conflict),
    /// A DDL that the catalogue refuses here.
    Refused(Refusal),
    /// Certified: a transaction or DDL, with its place and name; a View_change event too.
    Committed {
        /// Its commit sequence number.
        csn: Csn,
        /// Its name.
        gtid: Gtid,
        /// What a DDL did to the catalogue.
        effects: Vec<CatalogEffect>,
    },
    /// A report at which every member's digests are to be taken: those that its next report carries.
    Named {
        /// Of all rows up to this CSN.
        csn: Csn,
        /// Of the verdicts before this one.
        verdicts: u64,
    },
    /// Taken note of: markers, runs, reports, openings, views without an event.
    Noted,
}

/// Why a transaction is a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Its primary epoch is over, or its origin is not the primary.
    Epoch,
    /// A table changed its schema after it executed, or is gone.
    Schema,
    /// Its GTID is executed already.
    Gtid,
    /// Its snapshot is below the stable CSN.
    Stable,
    /// A later writer or sharer of one of its keys.
    Key,
    /// GTID numbers are exhausted.
    Exhausted,
}

/// One judged entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Its place.
    pub index: Index,
    /// Who proposed it.
    pub stamp: Stamp,
    /// What became of it.
    pub verdict: Verdict,
}

/// What the order says of one member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether it is ONLINE at this place in the order.
    pub online: bool,
    /// Its latest report.
    pub report: Report,
    /// The run whose entries count.
    pub run: Run,
    /// Its digests differed from those of a quorum: it is not ONLINE any more in this incarnation.
    pub diverged: bool,
}

/// See the module.
pub struct Certifier {
    csn: Csn,
    index: Index,
    view: Option<(Index, View)>,
    options: Option<GroupOptions>,
    members: BTreeMap<Incarnation, Facts>,
    primary: Option<Incarnation>,
    epoch: u64,
    sequencer: Sequencer,
    gtids: Assigner,
    stable: Csn,
    keys: WriteIndex,
    catalog: Catalog,
    digest: u64,
    checked: u64,
    conflicts: u64,
    last_conflict_free: Option<Gtid>,
    /// The CSN at which digests differed without a quorum of equal ones, until they are equal again.
    alarm: Option<Csn>,
    /// The last CSN that was named for comparing digests.
    named: Csn,
    /// Reports taken in this process life.
    reports: u64,
    last_after: Index,
}

impl Default for Certifier {
    fn default() -> Self {
        Self::new(GENERATION_SLOTS)
    }
}

impl Certifier {
    /// Of an empty log; its last writers lie in generations of so many slots ([`WriteIndex::new`]).
    #[must_use]
    pub fn new(generation_slots: usize) -> Self {
        Self {
            csn: Csn(0),
            index: Index(0),
            view: None,
            options: None,
            members: BTreeMap::new(),
            primary: None,
            epoch: 0,
            sequencer: Sequencer::default(),
            gtids: Assigner::default(),
            stable: Csn(0),
            keys: WriteIndex::new(generation_slots),
            catalog: Catalog::default(),
            digest: 0,
            checked: 0,
            conflicts: 0,
            last_conflict_free: None,
            alarm: None,
            named: Csn(0),
            reports: 0,
            last_after: Index(0),
        }
    }

    /// Of an empty log, otherwise like this one.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self::new(self.keys.generation_slots())
    }

    /// For reading a checkpoint that is to take this one's place.
    #[must_use]
    pub fn restore(&self) -> Restore {
        Restore::new(self.keys.generation_slots())
    }

    /// Judges the entry at `index`, the next of the log; `None` is one whose bytes are not a valid archive.
    pub fn judge(&mut self, index: Index, stamp: Stamp, entry: Option<&ArchivedEntry>) -> Judged {
        assert_eq!(index, self.index.next(), "entries are judged in index order, gap-free");
        self.index = index;
        let verdict = self.verdict(index, stamp, entry);
        self.mix(&verdict);
        Judged { index, stamp, verdict }
    }

    /// Judges all entries of a frame, the next of the log.
    pub fn judge_frame(&mut self, frame: &Frame) -> Vec<Judged> {
        let mut judged = Vec::with_capacity(frame.header().entries as usize);
        let (mut entries, mut ahead) = (frame.entries(), [None; AHEAD]);
        loop {
            let (mut filled, mut sum) = (0, 0u64);
            for (slot, (index, bytes)) in ahead.iter_mut().zip(&mut entries) {
                let entry = bytes.view();
                sum = entry.map_or(sum, |entry| sum.wrapping_add(self.touch(entry)));
                *slot = Some((index, bytes.stamp(), entry));
                filled += 1;
            }
            // Without a use of what it read, the touching would be nothing at all.
            std::hint::black_box(sum);
            if filled == 0 {
                return judged;
            }
            for (index, stamp, entry) in ahead[..filled].iter().flatten().copied() {
                judged.push(self.judge(index, stamp, entry));
            }
        }
    }

    /// Has the slots of a transaction's keys on their way before it is judged.
    fn touch(&self, entry: &ArchivedEntry) -> u64 {
        let ArchivedBody::Transaction(transaction) = &entry.body else { return 0 };
        let since = self.keys.since(Csn::from(&transaction.snapshot));
        let mut sum = 0u64;
        for hashes in [&transaction.written, &transaction.shared, &transaction.read] {
            for hash in hashes.iter().take(TOUCHED_MAX) {
                sum = sum.wrapping_add(since.touch(hash.to_native()));
            }
        }
        sum
    }

    fn verdict(&mut self, index: Index, stamp: Stamp, entry: Option<&ArchivedEntry>) -> Verdict {
        if !self.sequencer.accept(stamp) {
            return Verdict::Repeat;
        }
        let Some(entry) = entry else { return Verdict::Void };
        // The header decides the order; an archive that names another stamp was not made by us.
        if archived_stamp(entry) != stamp {
            return Verdict::Void;
        }
        let online =
            self.members.get(&stamp.origin).is_some_and(|facts| facts.online) || planted(Mutant::NotOnlineCertified);
        match &entry.body {
            ArchivedBody::Transaction(transaction) if online => self.certify(stamp.origin, transaction),
            ArchivedBody::Ddl(ddl) if online => self.certify_ddl(stamp.origin, ddl),
            ArchivedBody::Marker if online => Verdict::Noted,
            ArchivedBody::Transaction(_) | ArchivedBody::Ddl(_) | ArchivedBody::Marker => Verdict::Void,
            ArchivedBody::Run => {
                if let Some(facts) = self.members.get_mut(&stamp.origin) {
                    facts.run = stamp.run;
                }
                Verdict::Noted
            }
            ArchivedBody::Online => self.on_online(stamp.origin),
            ArchivedBody::Report(report) => {
                let report = rkyv::deserialize::<Report, Failure>(report).unwrap_or_default();
                self.on_report(stamp.origin, report)
            }
            ArchivedBody::Opening(opening) => {
                let named = opening.new_primary.as_ref().map(Incarnation::from);
                self.on_new_primary(named);
                Verdict::Noted
            }
            ArchivedBody::Birth(birth) => match rkyv::deserialize::<NewBirth, Failure>(birth) {
                Ok(birth) if stamp.number == 0 => self.on_birth(index, birth),
                _ => Verdict::Void,
            },
            ArchivedBody::View(view) => match rkyv::deserialize::<View, Failure>(view) {
                Ok(view) if stamp.number == 0 => self.on_view(index, view),
                _ => Verdict::Void,
            },
        }
    }

    fn certify(&mut self, origin: Incarnation, transaction: &ArchivedTransaction) -> Verdict {
        self.checked += 1;
        let snapshot = Csn::from(&transaction.snapshot);
        let found = self.find_conflict(origin, snapshot, transaction);
        let gtid = match found {
            Some(conflict) => Err(conflict),
            None => self.name(origin, transaction.gtid.as_ref()).ok_or(Conflict::Exhausted),
        };
        let gtid = match gtid {
            Ok(gtid) => gtid,
            Err(conflict) => {
                self.conflicts += 1;
                return Verdict::Conflict(conflict);
            }
        };
        let csn = self.advance();
        for hash in transaction.written.iter().skip(usize::from(planted(Mutant::KeyNotRecorded))) {
            self.keys.set_writer(hash.to_native(), csn);
        }
        for hash in transaction.shared.iter() {
            self.keys.set_sharer(hash.to_native(), csn);
        }
        self.note_after(transaction.after);
        self.last_conflict_free = Some(gtid);
        Verdict::Committed { csn, gtid, effects: Vec::new() }
    }

    /// Reads only: a refused transaction leaves no trace, or it would refuse later ones.
    fn find_conflict(&self, origin: Incarnation, snapshot: Csn, t: &ArchivedTransaction) -> Option<Conflict> {
        if self.is_stale(origin, t.primary_epoch.to_native()) {
            rare!("a transaction of an old primary epoch is refused");
            return Some(Conflict::Epoch);
        }
        let current = t
            .tables
            .iter()
            .all(|table| self.catalog.version(TableId::from(&table.table)) == Some(Csn::from(&table.version)));
        if !current && !planted(Mutant::SchemaVersionIgnored) {
            rare!("a transaction of an old schema is refused");
            return Some(Conflict::Schema);
        }
        if t.gtid.as_ref().is_some_and(|gtid| self.gtids.executed().contains(gtid_of(gtid))) {
            return Some(Conflict::Gtid);
        }
        // A snapshot above the last CSN cannot come from a member that follows the order: never certified.
        if snapshot < self.stable && !planted(Mutant::StableOverOpenSnapshots) || snapshot > self.csn {
            rare!("a snapshot below the stable CSN is refused");
            return Some(Conflict::Stable);
        }
        let since = self.keys.since(snapshot);
        let last_only = usize::from(planted(Mutant::FirstKeyUnchecked));
        let mut written = t.written.iter().skip(last_only);
        let unread = planted(Mutant::ReadKeysIgnored);
        let read = t.read.iter().filter(|_| !unread);
        let clash = written.any(|hash| since.is_touched(hash.to_native()))
            || t.shared.iter().chain(read).any(|hash| since.is_written(hash.to_native()));
        clash.then_some(Conflict::Key)
    }

    fn is_stale(&self, origin: Incarnation, epoch: u64) -> bool {
        // Outside any group there is nobody to take the role over.
        let single = self.options.as_ref().is_some_and(|options| options.single_primary && options.group);
        let stale = epoch != self.epoch || self.primary != Some(origin);
        single && stale && !planted(Mutant::StaleEpochAccepted)
    }

    fn certify_ddl(&mut self, origin: Incarnation, ddl: &ArchivedDdl) -> Verdict {
        self.checked += 1;
        let taken = ddl.gtid.as_ref().is_some_and(|gtid| self.gtids.executed().contains(gtid_of(gtid)));
        if self.is_stale(origin, ddl.primary_epoch.to_native()) || taken {
            self.conflicts += 1;
            return Verdict::Conflict(if taken { Conflict::Gtid } else { Conflict::Epoch });
        }
        let effects = match self.catalog.apply(self.csn.next(), ddl.changes.iter()) {
            Ok(effects) => effects,
            Err(refusal) => return Verdict::Refused(refusal),
        };
        let Some(gtid) = self.name(origin, ddl.gtid.as_ref()) else { return Verdict::Conflict(Conflict::Exhausted) };
        let csn = self.advance();
        self.note_after(ddl.after);
        self.last_conflict_free = Some(gtid);
        Verdict::Committed { csn, gtid, effects }
    }

    fn note_after(&mut self, after: bool) {
        if after {
            self.last_after = self.index;
        }
    }

    fn name(&mut self, origin: Incarnation, specified: Option<&ArchivedGtid>) -> Option<Gtid> {
        if let Some(gtid) = specified {
            let gtid = gtid_of(gtid);
            self.gtids.add(gtid);
            return Some(gtid);
        }
        let options = self.options.as_ref()?;
        let uuid = self.uuid_of(origin)?;
        self.gtids.assign(options.name, uuid, options.gtid_block_size)
    }

    fn uuid_of(&self, incarnation: Incarnation) -> Option<Uuid> {
        let (_, view) = self.view.as_ref()?;
        view.members.iter().find(|member| member.incarnation == incarnation).map(|member| member.uuid)
    }

    fn advance(&mut self) -> Csn {
        self.csn = self.csn.next();
        self.csn
    }

    /// A birth that an operator forced: the named members go on as they were.
    fn on_forced_birth(&mut self, index: Index, birth: NewBirth) -> Verdict {
        let NewBirth { view, options, .. } = birth;
        self.members.retain(|who, _| view.members.iter().any(|member| member.incarnation == *who));
        self.options = Some(options);
        self.view = Some((index, view));
        self.gtids.drop_blocks();
        if self.primary.is_none_or(|primary| !self.members.contains_key(&primary)) {
            self.elect();
        }
        self.recompute_stable();
        Verdict::Noted
    }

    fn on_birth(&mut self, index: Index, birth: NewBirth) -> Verdict {
        if birth.view.cause == ViewCause::Force {
            return self.on_forced_birth(index, birth);
        }
        let Some(first) = birth.view.members.first().map(|member| member.incarnation) else { return Verdict::Void };
        self.members.clear();
        self.members.insert(first, Facts { online: true, run: self.sequencer.run(first), ..Facts::default() });
        self.epoch += 1;
        self.primary = Some(first);
        let (name, event) = (birth.options.view_change_uuid, birth.options.group && birth.options.view_change_events);
        self.options = Some(birth.options);
        self.view = Some((index, birth.view));
        self.gtids.drop_blocks();
        self.view_event(name, event)
    }

    fn on_view(&mut self, index: Index, view: View) -> Verdict {
        let Some(options) = self.options.clone() else { return Verdict::Void };
        let joined = match view.cause {
            ViewCause::Join(who) => {
                self.members.insert(who, Facts::default());
                true
            }
            ViewCause::Leave(who) | ViewCause::Expel(who) => {
                self.members.remove(&who);
                false
            }
            ViewCause::Promote(_) | ViewCause::Bootstrap | ViewCause::Force => false,
        };
        self.view = Some((index, view));
        self.gtids.drop_blocks();
        if self.primary.is_some_and(|primary| !self.members.contains_key(&primary)) {
            rare!("a view takes the primary away");
            self.elect();
        }
        self.recompute_stable();
        self.view_event(options.view_change_uuid, joined && options.group && options.view_change_events)
    }

    fn view_event(&mut self, name: Uuid, wanted: bool) -> Verdict {
        if !wanted {
            return Verdict::Noted;
        }
        match self.gtids.assign_lowest(name) {
            Some(gtid) => Verdict::Committed { csn: self.advance(), gtid, effects: Vec::new() },
            None => Verdict::Noted,
        }
    }

    fn on_online(&mut self, origin: Incarnation) -> Verdict {
        let votes = self.view.as_ref().is_some_and(|(_, view)| {
            view.members.iter().any(|m| m.incarnation == origin && m.role == VotingRole::Voter)
        });
        let stable = self.stable;
        let fit = self.members.get_mut(&origin).filter(|facts| votes && !facts.diverged);
        let Some(facts) = fit else { return Verdict::Void };
        facts.online = true;
        // Until it reports itself it may still propose from here on.
        facts.report.least_snapshot = facts.report.least_snapshot.max(stable);
        if self.primary.is_none() {
            self.elect();
        }
        Verdict::Noted
    }

    fn on_report(&mut self, origin: Incarnation, report: Report) -> Verdict {
        let Some(facts) = self.members.get_mut(&origin).filter(|facts| facts.online) else { return Verdict::Void };
        // A floor never falls, whatever a member says.
        let least_snapshot = report.least_snapshot.max(facts.report.least_snapshot).min(self.csn);
        let least_snapshot = if planted(Mutant::StableOverOpenSnapshots) { self.csn } else { least_snapshot };
        facts.report = Report { least_snapshot, ..report };
        self.reports += 1;
        self.recompute_stable();
        self.compare(report.digest_at);
        // One member's reports name the places where digests are taken, so that they can be compared.
        let names = self.members.iter().find(|(_, facts)| facts.online).is_some_and(|(&who, _)| who == origin);
        // Once for a CSN, so that what is compared is of one place.
        if names && self.csn > self.named {
            self.named = self.csn;
            Verdict::Named { csn: self.csn, verdicts: self.digest }
        } else {
            Verdict::Noted
        }
    }

    /// The greater of itself and the least report over ONLINE members.
    fn recompute_stable(&mut self) {
        let least = self.members.values().filter(|facts| facts.online).map(|facts| facts.report.least_snapshot).min();
        self.stable = self.stable.max(least.unwrap_or(self.stable));
        assert!(self.stable <= self.csn, "stable {} is beyond the last CSN {}", self.stable, self.csn);
        self.keys.collect(if planted(Mutant::CollectedPastStable) { self.csn } else { self.stable });
    }

    fn on_new_primary(&mut self, named: Option<Incarnation>) {
        let single = self.options.as_ref().is_some_and(|options| options.single_primary);
        if let Some(named) = named
            && single
            && self.primary != Some(named)
            && self.members.get(&named).is_some_and(|facts| facts.online)
        {
            rare!("an opening names a new primary");
            self.primary = Some(named);
            self.epoch += u64::from(!planted(Mutant::EpochKeptOnFailover));
        }
    }

    /// By spec §9.2: the ONLINE voter of the lowest version, then greatest weight, then least uuid.
    fn elect(&mut self) {
        if let Some(first) = self.candidates().first().copied() {
            self.primary = Some(first);
            self.epoch += 1;
        } else {
            self.primary = None;
        }
    }

    fn candidates(&self) -> Vec<Incarnation> {
        let members = self.view.iter().flat_map(|(_, view)| &view.members);
        let mut eligible: Vec<_> = members
            .filter(|member| member.role == VotingRole::Voter)
            .filter(|member| self.members.get(&member.incarnation).is_some_and(|facts| facts.online))
            .collect();
        eligible.sort_by(|a, b| (a.version, b.weight, a.uuid).cmp(&(b.version, a.weight, b.uuid)));
        eligible.into_iter().map(|member| member.incarnation).collect()
    }

    fn mix(&mut self, verdict: &Verdict) {
        let (kind, csn) = match verdict {
            Verdict::Repeat => (1, 0),
            Verdict::Void => (2, 0),
            Verdict::Conflict(_) => (3, 0),
            Verdict::Refused(_) => (4, 0),
            Verdict::Committed { csn, gtid, .. } => (5, csn.0 ^ gtid.number.rotate_left(32)),
            Verdict::Noted | Verdict::Named { .. } => (6, 0),
        };
        let mut mixed = [0; 32];
        for (part, bytes) in [self.digest, self.index.0, kind, csn].into_iter().zip(mixed.chunks_exact_mut(8)) {
            bytes.copy_from_slice(&part.to_le_bytes());
        }
        self.digest = xxhash_rust::xxh3::xxh3_64(&mixed);
    }

    /// Last CSN given.
    #[must_use]
    pub fn csn(&self) -> Csn {
        self.csn
    }

    /// Last index judged.
    #[must_use]
    pub fn index(&self) -> Index {
        self.index
    }

    /// Rolling digest of all verdicts so far.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The last view judged, with its index.
    #[must_use]
    pub fn view(&self) -> Option<&(Index, View)> {
        self.view.as_ref()
    }

    /// Settings of the present birth.
    #[must_use]
    pub fn options(&self) -> Option<&GroupOptions> {
        self.options.as_ref()
    }

    /// What the order says of a member.
    #[must_use]
    pub fn facts(&self, incarnation: Incarnation) -> Option<&Facts> {
        self.members.get(&incarnation)
    }

    /// Primary of the present epoch.
    #[must_use]
    pub fn primary(&self) -> Option<Incarnation> {
        self.primary
    }

    /// Number of the present primary epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What elections need to know.
    #[must_use]
    pub fn primary_view(&self) -> PrimaryView {
        PrimaryView {
            single: self.options.as_ref().is_some_and(|options| options.single_primary && options.group),
            primary: self.primary,
            candidates: self.candidates(),
        }
    }

    /// Index of the last transaction certified that all ONLINE members are to apply before it is shown
    /// (`group_replication_consistency=AFTER`).
    #[must_use]
    pub fn last_after(&self) -> Index {
        self.last_after
    }

    /// GTID_EXECUTED, as of the last index judged.
    #[must_use]
    pub fn executed(&self) -> &wire::gtid::GtidSet {
        self.gtids.executed()
    }

    /// The stable CSN.
    #[must_use]
    pub fn stable(&self) -> Csn {
        self.stable
    }

    /// The catalogue.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// What was delivered of each origin.
    #[must_use]
    pub fn sequencer(&self) -> &Sequencer {
        &self.sequencer
    }

    /// Reports taken in this process life.
    #[must_use]
    pub fn reports(&self) -> u64 {
        self.reports
    }

    /// Keys in the index (COUNT_TRANSACTIONS_ROWS_VALIDATING).
    #[must_use]
    pub fn rows_validating(&self) -> u64 {
        self.keys.keys()
    }

    /// Judged transactions, conflicts among them, and the GTID of the last one certified.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, Option<Gtid>) {
        (self.checked, self.conflicts, self.last_conflict_free)
    }
}

fn archived_stamp(entry: &ArchivedEntry) -> Stamp {
    Stamp {
        origin: Incarnation::from(&entry.stamp.origin),
        run: Run::from(&entry.stamp.run),
        number: entry.stamp.number.to_native(),
    }
}

fn gtid_of(gtid: &ArchivedGtid) -> Gtid {
    Gtid { uuid: Uuid::from(&gtid.uuid), number: gtid.number.to_native() }
}
