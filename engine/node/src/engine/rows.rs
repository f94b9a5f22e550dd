//! All rows at once: cut into checkpoints, put back from them, read again to compare them with their digest.
//!
//! Everything here goes in slices, a few per turn, so that sessions go on beside it.

use super::{Engine, Logged, instant, sql_effect};
use engine_core::catalog::CatalogEffect;
use engine_core::checkpoint::Checkpoint;
use engine_core::checkpoint::cut::RowsHead;
use engine_core::effect::{Effects, Level, Note};
use engine_sql::host::Now;
use engine_sql::server::{RowsCut, RowsState};
use std::collections::VecDeque;
use wire::gtid::GtidSet;
use wire::id::Csn;
use wire::mutant::{Mutant, planted};

/// Slices of a checkpoint per turn: each looks at some hundred rows.
const CUT_SLICES: usize = 2;
/// Keys that a scrub reads at once: some 30 us.
const SCRUB_KEYS: usize = 200;

/// A pass over all rows that compares them with their digest.
#[derive(Default)]
pub(super) struct Scrub {
    /// Rows being read.
    pass: Option<RowsCut>,
    /// When the next slice is due, how far apart slices are, when the next pass begins; microseconds.
    next: u64,
    every: u64,
    again: u64,
    /// By how much the rows differ from their digest, as the last pass found.
    pub(super) found: u64,
}

impl Engine {
    /// Begins to put a checkpoint of the own disk back; rows follow, then [`Engine::finish_restore`].
    pub fn begin_restore(&self, head: &Checkpoint) {
        let effects =
            head.certifier.objects().map(|(place, object)| sql_effect(&CatalogEffect::Created(place, object)));
        let (digest, counters, left_out) = (head.rows_digest, head.counters.clone(), head.left_out.clone());
        let rows = RowsState { digest, counters, left_out };
        self.server.begin_restore(head.certifier.csn, effects.collect(), rows);
    }

    /// A piece of its rows.
    ///
    /// # Errors
    /// What does not fit.
    pub fn restore_rows(&self, piece: &[u8]) -> Result<(), String> {
        self.server.restore_rows(piece).map_err(|error| error.to_string())
    }

    /// The checkpoint is whole: rows, catalogue and positions are as of `csn`, with `executed`.
    ///
    /// # Errors
    /// What does not fit: nothing has changed, or the server is empty.
    pub fn finish_restore(&self, csn: Csn, executed: GtidSet) -> Result<(), String> {
        self.server.finish_restore().map_err(|error| error.to_string())?;
        *self.inner.logged.borrow_mut() = Logged { base: csn, purged: executed, entries: VecDeque::new() };
        self.inner.visible.set(csn);
        self.forget_digests();
        self.inner.held.borrow_mut().clear();
        Ok(())
    }

    /// What was fetched of a donor's checkpoint cannot be used.
    pub(super) fn restore_failed(&self, reason: &str) {
        let mut out = Effects::default();
        let now = instant(self.inner.now.get());
        self.inner.member().restore_failed(now, reason, &mut out);
        self.take(out);
    }

    /// Some work on the checkpoint that is being cut, if one is.
    pub(super) fn cut_slices(&self) {
        let mut out = Effects::default();
        {
            let mut cut = self.cut.borrow_mut();
            let mut member = self.inner.member();
            if cut.as_ref().is_some_and(|cut| member.keeper().reads_rows() && !self.server.cut_is_whole(cut)) {
                // A table was dropped under it.
                member.keeper().abandon(&mut out);
            }
            let mut spoiled = 0;
            let mut rows = |out: &mut Vec<u8>| match cut.as_mut() {
                Some(cut) => {
                    let end = self.server.read_cut(cut, out);
                    if end && !planted(Mutant::CheckpointUnchecked) {
                        spoiled = cut.difference();
                    }
                    end && spoiled == 0
                }
                None => true,
            };
            let more = (0..CUT_SLICES).all(|_| member.checkpoint_slice(&mut rows, &mut out));
            if spoiled != 0 {
                // A row that is not what was stored never reaches a disk, where it would outlive the memory **[!]**.
                member.keeper().spoiled(instant(self.inner.now.get()), &mut out);
                self.found_spoiled(&mut self.scrub.borrow_mut(), spoiled);
            }
            if !member.keeper().reads_rows()
                && let Some(done) = cut.take()
            {
                self.server.end_cut(&done);
            }
            if more {
                self.inner.want_turn();
            }
        }
        self.take(out);
    }

    /// The rows are as of the checkpoint that was begun.
    pub(super) fn cut_rows(&self) {
        let (cut, RowsState { digest, counters, left_out }) = self.server.begin_cut();
        let mut out = Effects::default();
        let rows = RowsHead { digest, counters, left_out };
        let csn = self.server.applied();
        if self.inner.member().rows_reached(csn, rows, &mut out) {
            let before = self.cut.borrow_mut().replace(cut);
            before.iter().for_each(|before| self.server.end_cut(before));
            self.inner.want_turn();
        } else {
            self.server.end_cut(&cut);
        }
        self.take(out);
    }

    /// Reads some rows again, and compares all of them with the digest once in each period.
    pub(super) fn scrub(&self, now: Now) {
        let mut scrub = self.scrub.borrow_mut();
        let scrub = &mut *scrub;
        if now.monotonic_us < scrub.next || self.spoiled.get() {
            return;
        }
        let Some(cut) = &mut scrub.pass else {
            let period = self.server.globals.borrow().number("quorate_scrub_period");
            if period == 0 {
                scrub.next = now.monotonic_us + 1_000_000;
                return;
            }
            let (cut, _) = self.server.begin_cut();
            let keys = self.server.key_count() as u64;
            // Spread over half of the period: a pass is over before the next begins.
            let slices = keys / SCRUB_KEYS as u64 + 1;
            scrub.every = (period * 500_000 / slices).clamp(1_000, 1_000_000);
            scrub.again = now.monotonic_us + period * 1_000_000;
            scrub.pass = Some(cut);
            return;
        };
        scrub.next = now.monotonic_us + scrub.every;
        let whole = self.server.cut_is_whole(cut);
        if whole && !self.server.scrub(cut, SCRUB_KEYS) {
            return;
        }
        self.server.end_cut(cut);
        let difference = cut.difference();
        scrub.pass = None;
        if whole {
            self.found_spoiled(scrub, difference);
            scrub.next = scrub.again;
        }
    }

    /// All rows were read again, and differ by so much from what was stored.
    fn found_spoiled(&self, scrub: &mut Scrub, difference: u64) {
        scrub.found = difference;
        if difference != 0 {
            let text = "a row in memory is not what was stored there: this member's digest says so from now on";
            self.inner.world.note(Note { level: Level::Warning, code: 0, text: text.into() });
        }
    }

    /// All rows are new: what was found of the old ones is void.
    pub(super) fn forget_digests(&self) {
        self.spoiled.set(false);
        self.named.set(None);
        let before = self.scrub.take();
        if let Some(cut) = before.pass {
            self.server.end_cut(&cut);
        }
    }
}
