//! Certification as one would write it without a thought for speed: a map of last writers that forgets
//! nothing, kept beside the group and compared with what it decided.
//!
//! It shares no code with the certifier: no generations, no stable CSN, no collection.

use engine_core::catalog::CatalogEffect;
use engine_core::certify::{Conflict, Judged, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use wire::entry::{ArchivedBody, ArchivedTransaction, Body, Entry, ObjectKind, View, ViewCause, VotingRole};
use wire::frame::Frame;
use wire::id::{Csn, Incarnation, Index, Run, TableId, Uuid};

/// See the module.
#[derive(Clone, Default)]
pub struct Model {
    index: Index,
    csn: Csn,
    writers: BTreeMap<u64, (Csn, Incarnation, Run)>,
    sharers: BTreeMap<u64, Csn>,
    numbers: BTreeMap<Incarnation, (Run, u64)>,
    gtids: BTreeSet<(Uuid, u64)>,
    tables: BTreeMap<TableId, Csn>,
    online: BTreeSet<Incarnation>,
    single: bool,
    /// Epoch and origin of the last certified transaction of single-primary mode.
    epoch: (u64, Incarnation),
    /// Voters from an index on.
    views: Vec<(Index, Vec<Uuid>)>,
    /// Voters of the last view.
    voters: BTreeSet<Incarnation>,
    /// What members that are ONLINE said last of their digests: as of which CSN, and which.
    digests: BTreeMap<Incarnation, (Csn, u64, u64)>,
    /// The least snapshot that each member that is ONLINE has in use, as it said last; what is below all of them,
    /// and was ever, from an index on.
    snapshots: BTreeMap<Incarnation, Csn>,
    floors: Vec<(Index, Csn)>,
}

impl Model {
    /// Whom a quorum at `index` is made of.
    #[must_use]
    pub fn voters_at(&self, index: Index) -> &[Uuid] {
        let at = self.views.partition_point(|(from, _)| *from <= index);
        at.checked_sub(1).map_or(&[], |at| &self.views[at].1)
    }

    /// Voters of the last view.
    #[must_use]
    pub fn voters(&self) -> &[Uuid] {
        self.views.last().map_or(&[], |(_, voters)| voters)
    }

    /// Below this no snapshot is in use, as far as the log up to `index` says; `None` beyond what was judged.
    #[must_use]
    pub fn floor_at(&self, index: Index) -> Option<Csn> {
        let at = self.floors.partition_point(|(from, _)| *from <= index);
        (index <= self.index).then(|| at.checked_sub(1).map_or(Csn(0), |at| self.floors[at].1))
    }

    fn raise_floor(&mut self) {
        let said = |who: &Incarnation| self.snapshots.get(who).copied().unwrap_or_default();
        let Some(least) = self.online.iter().map(said).min() else { return };
        if self.floors.last().is_none_or(|(_, floor)| *floor < least) {
            self.floors.push((self.index, least));
        }
    }

    /// Takes what a member made of a frame, unless another told it before.
    ///
    /// # Errors
    /// The rule that the verdicts break.
    pub fn judged(&mut self, frame: &Frame, judged: &[Judged]) -> Result<(), String> {
        if frame.header().first != self.index.next() {
            return Ok(());
        }
        for ((index, entry), judged) in frame.entries().zip(judged) {
            self.index = index;
            let stamp = entry.stamp();
            let new = self.is_new(stamp.origin, stamp.run, stamp.number);
            if new == (judged.verdict == Verdict::Repeat) {
                return Err(format!("at most once: {stamp:?} at index {index} is judged {:?}", judged.verdict));
            }
            let Some(archived) = entry.view().filter(|_| new) else { continue };
            let entry = rkyv::deserialize::<Entry, rkyv::rancor::Failure>(archived);
            let Ok(entry) = entry else { return Err(format!("index {index} holds no valid entry")) };
            if let Verdict::Committed { csn, gtid, .. } = &judged.verdict {
                if *csn != self.csn.next() {
                    return Err(format!("order: CSN {csn} at index {index} follows {}", self.csn));
                }
                self.csn = *csn;
                if !self.gtids.insert((gtid.uuid, gtid.number)) {
                    return Err(format!("certify: GTID {}:{} is given twice", gtid.uuid, gtid.number));
                }
            }
            if let ArchivedBody::Transaction(transaction) = &archived.body {
                self.transaction(index, (stamp.origin, stamp.run), transaction, &judged.verdict)?;
            }
            self.note(index, &entry, &judged.verdict)?;
            self.raise_floor();
        }
        Ok(())
    }

    fn is_new(&mut self, origin: Incarnation, run: Run, number: u64) -> bool {
        if number == 0 {
            return true;
        }
        let last = self.numbers.entry(origin).or_insert((Run(0), 0));
        let new = if run == last.0 { number == last.1 + 1 } else { run > last.0 && number == 1 };
        if new {
            *last = (run, number);
        }
        new
    }

    fn transaction(
        &mut self,
        index: Index,
        (origin, run): (Incarnation, Run),
        t: &ArchivedTransaction,
        verdict: &Verdict,
    ) -> Result<(), String> {
        let snapshot = Csn::from(&t.snapshot);
        let written = || t.written.iter().map(|hash| hash.to_native());
        let others = || t.shared.iter().chain(t.read.iter()).map(|hash| hash.to_native());
        let later = |hash: u64| self.writers.get(&hash).filter(|(csn, ..)| *csn > snapshot).copied();
        let by = written().chain(others()).find_map(later);
        let shared = written().find_map(|hash| self.sharers.get(&hash).filter(|csn| **csn > snapshot).copied());
        let clash = by.is_some() || shared.is_some();
        let stale = t
            .tables
            .iter()
            .any(|table| self.tables.get(&TableId::from(&table.table)).copied() != Some(Csn::from(&table.version)));
        let online = self.online.contains(&origin);
        match verdict {
            Verdict::Committed { csn, .. } => {
                if let Some((writer, ..)) = by {
                    return Err(format!(
                        "certify: {csn} with snapshot {snapshot} is certified, though {writer} wrote one of its keys"
                    ));
                }
                if clash {
                    return Err(format!("certify: {csn} is certified, though a later one shares one of its keys"));
                }
                if snapshot >= *csn {
                    return Err(format!("certify: {csn} claims to have seen {snapshot}"));
                }
                if stale {
                    return Err(format!("certify: {csn} executed under another schema"));
                }
                if !online {
                    return Err(format!("certify: {csn} comes from {origin}, which is not ONLINE"));
                }
                self.check_epoch(*csn, t.primary_epoch.to_native(), origin)?;
                let hashes: Vec<_> = written().collect();
                self.writers.extend(hashes.into_iter().map(|hash| (hash, (*csn, origin, run))));
                let csn = *csn;
                self.sharers.extend(t.shared.iter().map(|hash| (hash.to_native(), csn)));
            }
            Verdict::Conflict(Conflict::Key) => {
                if !clash {
                    return Err(format!("certify: index {index} is refused, though nobody wrote one of its keys"));
                }
                // Locks are held until what was written is visible: two of one member never meet.
                if let Some((writer, by, by_run)) = by
                    && (by, by_run) == (origin, run)
                {
                    return Err(format!(
                        "locks: two transactions of {origin} conflict, {writer} and the one at index {index} with \
                         snapshot {snapshot}"
                    ));
                }
            }
            Verdict::Conflict(Conflict::Schema) if !stale => {
                return Err(format!("certify: index {index} is refused for a schema that did not change"));
            }
            Verdict::Conflict(Conflict::Gtid | Conflict::Exhausted) => {
                return Err(format!("certify: no GTID for the transaction at index {index}"));
            }
            Verdict::Void if online => {
                return Err(format!("certify: index {index} is void, though {origin} is ONLINE"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Epochs do not fall, and each has one origin.
    fn check_epoch(&mut self, csn: Csn, epoch: u64, origin: Incarnation) -> Result<(), String> {
        let (last, of) = self.epoch;
        if self.single && (epoch < last || epoch == last && of != origin) {
            return Err(format!("primary: {csn} of {origin} in epoch {epoch} follows one of {of} in epoch {last}"));
        }
        self.epoch = (epoch, origin);
        Ok(())
    }

    fn note(&mut self, index: Index, entry: &Entry, verdict: &Verdict) -> Result<(), String> {
        match &entry.body {
            Body::Birth(birth) if birth.view.cause == ViewCause::Force => {
                // Those that are named go on as they were.
                let named = |who: &Incarnation| birth.view.members.iter().any(|member| member.incarnation == *who);
                self.online.retain(named);
                self.digests.retain(|who, _| named(who));
                self.snapshots.retain(|who, _| named(who));
                self.add_view(index, &birth.view);
            }
            Body::Birth(birth) => {
                self.single = birth.options.single_primary && birth.options.group;
                self.epoch = (0, Incarnation(0));
                self.online = birth.view.members.iter().take(1).map(|member| member.incarnation).collect();
                self.digests.clear();
                self.snapshots.clear();
                self.add_view(index, &birth.view);
            }
            Body::View(view) => {
                if let ViewCause::Leave(who) | ViewCause::Expel(who) = view.cause {
                    self.online.remove(&who);
                    self.digests.remove(&who);
                    self.snapshots.remove(&who);
                }
                self.add_view(index, view);
            }
            Body::Online if *verdict == Verdict::Noted => {
                self.online.insert(entry.stamp.origin);
            }
            Body::Report(report) if self.online.contains(&entry.stamp.origin) => {
                let before = self.snapshots.entry(entry.stamp.origin).or_default();
                *before = report.least_snapshot.min(self.csn).max(*before);
                let said = (report.digest_at, report.verdicts, report.rows);
                self.digests.insert(entry.stamp.origin, said);
                self.compare(said.0);
            }
            Body::Ddl(_) => {
                if let Verdict::Committed { csn, effects, .. } = verdict {
                    if !self.online.contains(&entry.stamp.origin) {
                        return Err(format!("certify: DDL {csn} comes from a member that is not ONLINE"));
                    }
                    self.ddl(effects);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whose digests as of `at` a quorum of voters contradicts is not ONLINE any more.
    fn compare(&mut self, at: Csn) {
        let said: Vec<_> =
            self.digests.iter().filter(|(_, said)| said.0 == at).map(|(who, said)| (*who, *said)).collect();
        let agree = |digests| said.iter().filter(|(who, said)| self.voters.contains(who) && *said == digests).count();
        let right = said.iter().map(|(_, said)| *said).find(|digests| agree(*digests) > self.voters.len() / 2);
        let Some(right) = right.filter(|_| at > Csn(0)) else { return };
        for (who, _) in said.iter().filter(|(_, said)| *said != right) {
            self.online.remove(who);
            self.digests.remove(who);
        }
    }

    fn ddl(&mut self, effects: &[CatalogEffect]) {
        for effect in effects {
            match effect {
                CatalogEffect::Created((ObjectKind::Table, ..), object)
                | CatalogEffect::Replaced((ObjectKind::Table, ..), object) => {
                    self.tables.insert(object.id, object.version);
                }
                CatalogEffect::Dropped((ObjectKind::Table, ..), id) => {
                    self.tables.remove(id);
                }
                _ => {}
            }
        }
    }

    fn add_view(&mut self, index: Index, view: &View) {
        let voters = || view.members.iter().filter(|member| member.role == VotingRole::Voter);
        self.views.push((index, voters().map(|member| member.uuid).collect()));
        self.voters = voters().map(|member| member.incarnation).collect();
    }
}
