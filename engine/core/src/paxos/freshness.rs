//! Who has applied what, and who may say that it is up to date: what `group_replication_consistency=AFTER`
//! needs of the order (`design.md` §9).
//!
//! An AFTER transaction is shown nowhere before every ONLINE member has applied it. Members say on their
//! acknowledgements how far they have applied, and the leader's frames say how far all ONLINE members have.
//!
//! A member that is cut off may have lost ONLINE without knowing it, and is then waited for no longer. So
//! that nobody takes what it shows for fresh, it answers BEFORE and AFTER sessions only under a *lease*: a
//! leader that itself holds a lease of a quorum's answers has answered a heartbeat that it sent less than
//! [`LEASE_US`] ago. After somebody lost ONLINE, nothing is said to be applied by all until [`LEASES_END_US`]
//! have passed: every lease that could be older than the loss has ended.
//!
//! This is the one place where clock *rates* matter: they may differ by less than a third.

use super::{Group, Role};
use crate::effect::{Effects, Instant};
use wire::id::{Incarnation, Index};
use wire::message::Heartbeat;

/// A lease counts from the sending of the heartbeat that was answered.
const LEASE_US: u64 = 1_000_000;
/// The last answer of a leader that was deposed comes at most one lease after its last quorum's, and the
/// lease that it gives ends one later. One more for clocks that differ.
const LEASES_END_US: u64 = 3 * LEASE_US;

/// What this member knows of others' progress.
#[derive(Clone, Debug, Default)]
pub(super) struct Freshness {
    /// Index of the last AFTER transaction delivered here.
    wanted: Index,
    /// What the leader was last told of this member.
    told: Index,
    /// Every ONLINE member has applied up to here.
    by_all: Index,
    /// Somebody lost ONLINE since the last turn; and when that was seen last.
    lost: bool,
    lost_at: Option<Instant>,
}

impl Freshness {
    /// A new ballot or connection: the leader knows nothing.
    pub fn forget_told(&mut self) {
        self.told = Index(0);
    }

    /// Whether somebody who was `told` so far waits for what this leader can tell now.
    pub fn has_news(&self, told: Index) -> bool {
        self.by_all > told && self.wanted > told
    }
}

impl Group {
    /// An AFTER transaction was delivered at `index`.
    pub fn note_after(&mut self, index: Index) {
        self.freshness.wanted = self.freshness.wanted.max(index);
    }

    /// A member lost ONLINE against its will.
    pub fn note_lost(&mut self) {
        self.freshness.lost = true;
    }

    /// Every ONLINE member has applied up to here, or could not be taken for fresh.
    #[must_use]
    pub fn applied_by_all(&self) -> Index {
        self.freshness.by_all
    }

    /// A leader said so.
    pub(super) fn learn_applied(&mut self, by_all: Index) {
        self.freshness.by_all = self.freshness.by_all.max(by_all);
    }

    /// Whether somebody waits to hear that this member has applied an AFTER transaction.
    pub(super) fn owes_applied(&self) -> bool {
        self.freshness.wanted > self.freshness.told && self.log.decided() >= self.freshness.wanted
    }

    /// How far this member has applied: what is decided here is applied before a later effect is performed.
    pub(super) fn say_applied(&mut self) -> Index {
        self.freshness.told = self.log.decided();
        self.freshness.told
    }

    /// Completes a turn: says what was applied in it, without a round for each.
    pub fn turn_applied(&mut self, now: Instant, out: &mut Effects) {
        if self.freshness.lost {
            self.freshness.lost = false;
            self.freshness.lost_at = Some(now);
        }
        if self.freshness.wanted <= self.freshness.by_all {
            return;
        }
        if matches!(self.role, Role::Leader(_)) {
            if self.count_applied(now) {
                self.replicate_all(now, out);
            }
        } else if self.owes_applied() {
            self.acknowledge(out);
        }
    }

    /// True when more is applied by all than before.
    fn count_applied(&mut self, now: Instant) -> bool {
        if self.freshness.lost_at.is_some_and(|at| now.since(at) < LEASES_END_US) || !self.leads() {
            return false;
        }
        let (me, decided) = (self.me(), self.log.decided());
        let applied = |who: &Incarnation| if *who == me { decided } else { self.applied_at(*who) };
        let least = self.primary.candidates.iter().map(applied).min().unwrap_or(decided);
        let more = least > self.freshness.by_all;
        self.learn_applied(least);
        more
    }

    /// Whether this member's rows are as new as the last AFTER transaction that any client was answered.
    #[must_use]
    pub fn is_assured(&self, now: Instant) -> bool {
        if self.leads() {
            return self.holds_quorum_lease(now);
        }
        let since = self.leader().and_then(|leader| self.detector.assured_at(leader));
        since.is_some_and(|at| now.since(at) <= LEASE_US)
    }

    fn holds_quorum_lease(&self, now: Instant) -> bool {
        let me = self.me();
        let answers = |voter: Incarnation| {
            voter == me || self.detector.follows_since(voter, self.promised).is_some_and(|at| now.since(at) <= LEASE_US)
        };
        self.voters().filter(|voter| answers(voter.incarnation)).count() >= self.quorum()
    }

    /// Whether this member, as leader, gives `to` a lease with its heartbeat.
    pub(super) fn assures(&self, to: Incarnation, now: Instant) -> bool {
        self.leads() && self.primary.candidates.contains(&to) && self.holds_quorum_lease(now)
    }

    /// Whether a heartbeat is a lease: of the leader that this member follows, and this member has applied
    /// what the one before it named.
    pub(super) fn is_lease(&self, from: Incarnation, heartbeat: &Heartbeat, named: Index) -> bool {
        heartbeat.assures
            && heartbeat.promised == self.promised
            && from == self.promised.node
            && self.log.decided() >= named
    }
}
