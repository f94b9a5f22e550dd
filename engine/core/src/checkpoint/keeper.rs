//! When a checkpoint is cut, how its blocks reach the disk, which are kept and what may be purged.
//!
//! Places are a function of the log: so many bytes of frames, or so many reports (which come each second from
//! every ONLINE member) since the last place. Members with equal settings cut at equal places, and a joiner can go
//! on with another donor's blocks.
//!
//! Kept are the newest two, so that a damaged one costs nothing but time, and those that a donor is sending. The
//! log is purged only below the older of the newest two **[!]**: it must lead from either to the end.
//!
//! Absent on purpose: how much purgeable log stays nevertheless (`engine/log` is told bytes and seconds).

use super::cut::{Cut, RowsHead, Slice};
use crate::effect::{CheckpointWrite, Effect, Effects, Instant, Level};
use std::collections::BTreeMap;
use wire::id::{Csn, Index};
use wire::mutant::{Mutant, planted};
use wire::rare;

/// Reports of all members since the last place that make one, if anything was committed.
const REPORTS: u64 = 600;
/// Blocks handed over and not yet written: bounds what waits to 512 KiB.
const IN_FLIGHT_MAX: usize = 2;
/// A checkpoint that a donor reads stays so long after it was last asked for.
const LEASE_US: u64 = 60_000_000;
/// After a failure (a full disk) the next is not tried for so long.
const RETRY_US: u64 = 10_000_000;

struct Running {
    cut: Cut,
    in_flight: usize,
    /// There are no more blocks.
    whole: bool,
    /// The end was handed over.
    ended: bool,
}

/// See the module.
pub struct Keeper {
    log_bytes: u64,
    bytes: u64,
    reports: u64,
    commits: bool,
    wanted: bool,
    /// A donor needs it now.
    asked: bool,
    /// Taken of the certifier; the rows are still to reach its place.
    begun: Option<Cut>,
    running: Option<Running>,
    /// Rising.
    stored: Vec<Index>,
    leases: BTreeMap<Index, Instant>,
    not_before: Instant,
}

impl Keeper {
    /// With the checkpoints that are on the disk, rising, and so many bytes of log between two.
    #[must_use]
    pub fn new(log_bytes: u64, stored: Vec<Index>) -> Self {
        Self {
            log_bytes: log_bytes.max(1),
            bytes: 0,
            reports: 0,
            commits: false,
            wanted: false,
            asked: false,
            begun: None,
            running: None,
            stored,
            leases: BTreeMap::new(),
            not_before: Instant(0),
        }
    }

    /// Changes the setting.
    pub fn set_log_bytes(&mut self, log_bytes: u64) {
        self.log_bytes = log_bytes.max(1);
    }

    /// A frame was judged and applied: whether a checkpoint is to be cut right behind it.
    pub fn passed(&mut self, now: Instant, bytes: u64, reports: u64, commits: bool) -> bool {
        self.bytes += bytes;
        self.reports += reports;
        self.commits |= commits;
        let place = self.bytes >= self.log_bytes || self.reports >= REPORTS && self.commits;
        if place {
            (self.bytes, self.reports, self.commits) = (0, 0, false);
        }
        self.wanted |= place;
        self.wanted && self.begun.is_none() && self.running.is_none() && now >= self.not_before
    }

    /// A donor needs a newer one than there is.
    pub fn want(&mut self) {
        self.asked = true;
    }

    /// Whether a donor needs one, and it can be begun.
    #[must_use]
    pub fn is_asked(&self, now: Instant) -> bool {
        self.asked && self.begun.is_none() && self.running.is_none() && now >= self.not_before
    }

    /// Takes a cut of the certifier; [`Keeper::rows_reached`] follows once the rows are there.
    pub fn begin(&mut self, cut: Cut) {
        assert!(self.begun.is_none() && self.running.is_none(), "one checkpoint at a time");
        self.wanted = false;
        self.asked = false;
        self.begun = Some(cut);
    }

    /// The rows have reached the place of what was begun: begins to write. False when it was given up meanwhile.
    pub fn rows_reached(&mut self, csn: Csn, rows: RowsHead, out: &mut Effects) -> bool {
        let Some(mut cut) = self.begun.take() else { return false };
        cut.set_rows(csn, rows);
        out.push(Effect::Checkpoint(CheckpointWrite::Begin { point: cut.point(), incoming: false }));
        self.running = Some(Running { cut, in_flight: 0, whole: false, ended: false });
        true
    }

    /// Whether one is being cut.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// One slice of work, if there is any to do now: true when more can be done at once. `synced` is this
    /// member's own log: a checkpoint never passes it **[!]**.
    pub fn slice(&mut self, synced: Index, rows: &mut dyn FnMut(&mut Vec<u8>) -> bool, out: &mut Effects) -> bool {
        let Some(running) = &mut self.running else { return false };
        if running.ended || running.in_flight >= IN_FLIGHT_MAX {
            return false;
        }
        if !running.whole {
            match running.cut.slice(rows) {
                Slice::More => return true,
                Slice::Block(block) => {
                    running.in_flight += 1;
                    out.push(Effect::Checkpoint(CheckpointWrite::Block(block)));
                    return running.in_flight < IN_FLIGHT_MAX;
                }
                Slice::End => running.whole = true,
            }
        }
        let covered = synced >= running.cut.point().index || planted(Mutant::CheckpointPassesLog);
        if running.in_flight == 0 && covered {
            running.ended = true;
            out.push(Effect::Checkpoint(CheckpointWrite::End));
        }
        false
    }

    /// Whether rows are still to be read for it: what is dropped now would be missing.
    #[must_use]
    pub fn reads_rows(&self) -> bool {
        self.running.as_ref().is_some_and(|running| !running.whole)
    }

    /// Gives up what is being cut; the next frame begins another.
    pub fn abandon(&mut self, out: &mut Effects) {
        self.wanted |= self.begun.take().is_some();
        if self.running.take().is_some() {
            self.wanted = true;
            out.push(Effect::Checkpoint(CheckpointWrite::Abandon));
        }
    }

    /// A block is in the file.
    pub fn on_written(&mut self) {
        if let Some(running) = &mut self.running {
            running.in_flight = running.in_flight.saturating_sub(1);
        }
    }

    /// A checkpoint is durable: older ones may go, and the log below them.
    pub fn on_stored(&mut self, now: Instant, index: Index, out: &mut Effects) {
        let awaited = |running: &mut Running| running.ended && running.cut.point().index == index;
        if self.running.take_if(awaited).is_none() {
            // The word of one that was given up: its file is not kept, whatever it says.
            return;
        }
        if let Err(at) = self.stored.binary_search(&index) {
            self.stored.insert(at, index);
        }
        self.retain(now, out);
    }

    /// It could not be written: the member goes on, and purges nothing.
    pub fn on_failed(&mut self, now: Instant, reason: &str, out: &mut Effects) {
        if self.running.take().is_some() {
            self.wanted = true;
            self.not_before = now.plus(RETRY_US);
            out.note(Level::Warning, 0, format!("no checkpoint can be written, the group log grows on: {reason}"));
        }
    }

    /// What was read for it is not what was stored there: it is given up, and none is begun for a while.
    pub fn spoiled(&mut self, now: Instant, out: &mut Effects) {
        rare!("a checkpoint is given up as its rows are not those of their digest");
        self.abandon(out);
        self.not_before = now.plus(RETRY_US);
    }

    /// One that is there cannot be read: it counts no more, and a donor needs another.
    pub fn cannot_be_read(&mut self, index: Index, out: &mut Effects) {
        if let Ok(at) = self.stored.binary_search(&index) {
            rare!("a donor cannot read its checkpoint");
            out.note(Level::Warning, 0, format!("the checkpoint at index {index} cannot be read: another is cut"));
            self.stored.remove(at);
            self.leases.remove(&index);
            self.want();
        }
    }

    /// A process begins: what the disk need not keep goes now, and may go when it is full.
    pub fn boot(&mut self, now: Instant, out: &mut Effects) {
        self.retain(now, out);
    }

    /// The log begins anew behind a checkpoint of another member: it is the only one.
    pub fn installed(&mut self, index: Index) {
        self.begun = None;
        self.running = None;
        self.stored = vec![index];
        self.leases.clear();
        (self.bytes, self.reports, self.commits, self.wanted) = (0, 0, false, false);
    }

    /// All state was dropped: there is none.
    pub fn reset(&mut self, out: &mut Effects) {
        self.abandon(out);
        self.stored.clear();
        self.leases.clear();
        (self.bytes, self.reports, self.commits, self.wanted) = (0, 0, false, false);
        out.push(Effect::Retain { checkpoints: Vec::new(), log_after: Index(0) });
    }

    /// The newest that is on the disk.
    #[must_use]
    pub fn newest(&self) -> Option<Index> {
        self.stored.last().copied()
    }

    /// A donor reads the one at `index`: false when it is gone.
    pub fn lease(&mut self, now: Instant, index: Index) -> bool {
        let there = self.stored.contains(&index);
        if there {
            self.leases.insert(index, now.plus(LEASE_US));
        }
        there
    }

    fn retain(&mut self, now: Instant, out: &mut Effects) {
        self.leases.retain(|_, until| *until > now);
        let kept = if planted(Mutant::OneCheckpointKept) { 1 } else { 2 };
        let older = self.stored.len().checked_sub(kept).map(|at| self.stored[at]);
        let Some(older) = older else { return };
        self.stored.retain(|index| *index >= older || self.leases.contains_key(index));
        rare!("the log below two checkpoints is purged");
        let log_after = self.stored.first().copied().unwrap_or_default();
        out.push(Effect::Retain { checkpoints: self.stored.clone(), log_after });
    }
}
