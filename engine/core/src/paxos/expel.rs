//! Expulsion: a member that the leader has missed for 5 s is UNREACHABLE, and once that lasted for
//! `group_replication_member_expel_timeout` the leader asks the voters to agree, in heartbeats. Only then is
//! the view without it appended.
//!
//! A voter agrees when it follows the leader that asks, whether or not it hears the member itself: a leader
//! that misses whom others hear has handed over before, so that this one is placed as well as any.
//!
//! Who was expelled is told so by whoever it speaks to as a member.
//!
//! Invariant, asserted at the append: a quorum of the view that the member is removed from agreed, this
//! leader among them. The view entry itself is counted among those that stay, so that without this the
//! leader of two could expel the other alone.

use super::{Group, Role};
use crate::effect::{Effects, Instant, Level, Payload, Peer};
use wire::entry::{View, ViewCause};
use wire::id::{Incarnation, Index};
use wire::message::{Channel, Message};
use wire::mutant::{Mutant, planted};
use wire::rare;

/// Who is gone is told so at most this often.
const GONE_US: u64 = 200_000;
/// Strangers that are remembered for this.
const GONE_MAX: usize = 64;

impl Group {
    /// How long a member stays UNREACHABLE before it is expelled (`group_replication_member_expel_timeout`).
    pub fn set_expel_timeout(&mut self, us: u64) {
        self.config.timing.expel_us = us;
    }

    /// Whether the group's leader, or this member, suspects a member that is still listed.
    #[must_use]
    pub fn suspects(&self, except: wire::id::Uuid) -> Option<String> {
        let listed = self.view()?.members.iter().filter(|member| member.uuid != except);
        let suspect = listed.clone().find(|member| self.is_unreachable(member.incarnation))?;
        Some(format!("{}:{}", suspect.host, suspect.port))
    }

    /// What a heartbeat says about expulsions: the leader's wishes, or this voter's agreement to them.
    pub(super) fn expels(&self, now: Instant) -> Vec<Incarnation> {
        let leader = match &self.role {
            Role::Leader(_) => return self.due(now),
            Role::Follower if self.leader_is_live(now) => self.promised.node,
            _ => return Vec::new(),
        };
        let asked = self.asked_to_expel(leader);
        asked.into_iter().filter(|&who| who != self.me() && who != leader && self.is_member(who)).collect()
    }

    /// Whether some member's suspicion has lasted long enough.
    pub(super) fn is_expulsion_due(&self, now: Instant) -> bool {
        let mut members = self.view().into_iter().flat_map(|view| &view.members);
        members.any(|member| self.is_due(member.incarnation, now))
    }

    fn is_due(&self, who: Incarnation, now: Instant) -> bool {
        self.missed_since(who).is_some_and(|since| now.since(since) >= self.config.timing.expel_us)
    }

    /// Members whose suspicion has lasted long enough, as this leader sees it.
    fn due(&self, now: Instant) -> Vec<Incarnation> {
        let members = self.view().into_iter().flat_map(|view| &view.members).map(|member| member.incarnation);
        members.filter(|&who| self.is_due(who, now)).collect()
    }

    /// Voters of `view` that agree now to the expulsion of `who`: heard both ways, following this ballot.
    fn agreeing(&self, view: &View, who: Incarnation, now: Instant) -> usize {
        let me = self.me();
        let agrees = |voter: Incarnation| {
            voter == me || voter != who && self.hears(voter, now) && self.agrees(voter, self.promised, who)
        };
        super::voters_of(view).filter(|voter| agrees(voter.incarnation)).count()
    }

    /// Whether a quorum of `view` agrees to remove `who`, which is still missed.
    pub(super) fn may_expel(&self, view: &View, who: Incarnation, now: Instant) -> bool {
        let quorum = super::voters_of(view).count() / 2 + 1;
        let agreed = self.agreeing(view, who, now) >= quorum || planted(Mutant::ExpelledWithoutAgreement);
        self.due(now).contains(&who) && agreed
    }

    /// The next member to expel from `view`, the leader's present one.
    pub(super) fn next_expulsion(&self, view: &View, now: Instant) -> Option<(Incarnation, ViewCause)> {
        let who = self.due(now).into_iter().find(|&who| self.may_expel(view, who, now))?;
        rare!("a member is expelled");
        assert_ne!(who, self.me(), "a leader does not miss itself");
        Some((who, ViewCause::Expel(who)))
    }

    /// Somebody speaks as a member and is in no view of this log: tells it, if the group is known to have
    /// gone on without it.
    pub(super) fn answer_stranger(&mut self, now: Instant, from: Incarnation, address: &str, out: &mut Effects) {
        let Some(&(view, _)) = self.views.first() else { return };
        let in_group = self.listed && self.is_member(self.me()) && view <= self.log.decided();
        if !in_group || self.is_member(from) || from == Incarnation(0) || address.is_empty() {
            return;
        }
        if !self.may_tell(now, from) {
            return;
        }
        out.post_to(from, Peer::Address(address.to_owned()), Channel::Order, Message::Gone { view }, Payload::None);
    }

    /// Whether `from`, who is not spoken with, may be told something again.
    pub(super) fn may_tell(&mut self, now: Instant, from: Incarnation) -> bool {
        if self.strangers.get(&from).is_some_and(|&told| now.since(told) < GONE_US) {
            return false;
        }
        if self.strangers.len() >= GONE_MAX {
            self.strangers.clear();
        }
        self.strangers.insert(from, now);
        true
    }

    /// A member says that the view decided at `view` does not list this one.
    pub(super) fn on_gone(&mut self, from: Incarnation, view: Index, out: &mut Effects) {
        // What this member knows of itself may be later: it has only just been added, or `from` is behind.
        let known = self.views.iter().rev().find(|(_, view)| view.members.iter().any(|m| m.incarnation == self.me()));
        let Some(&(at, _)) = known else { return };
        if view > at && !self.gone {
            self.gone = true;
            out.note(Level::Warning, 0, format!("member {from} says that the view at {view} lists this one no more"));
        }
    }

    /// Whether the group goes on without this member, as another one told it or its log says.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone || self.left
    }
}
