//! `group_replication_force_members`: a new birth of the group, begun by an operator when the majority is
//! lost, and what two births of one group say when they meet.
//!
//! The member that was told to stands with a ballot that *all* named members must promise, whatever the old
//! quorum was; it adopts the best of their logs, and its first entry under that ballot begins the birth: the
//! named members only, naming the parent and the index where the logs part. A member that promises such a
//! ballot belongs to the new birth from then on, durably, though its log does not hold the entry yet; so does who
//! stands with it, once all have promised and before it begins the birth **[!]**.
//!
//! Frames of another birth are refused, never adopted. Who is spoken to by another birth answers which birth
//! it belongs to and whether that has a quorum: a member whose own birth has one refuses the fork and raises
//! an alarm, one without goes to ERROR. Where neither has one, nobody stands until an operator names the
//! birth that survives.
//!
//! Invariant, asserted at the append: every named member has promised the ballot, and is one of the view.

use super::leader::Leading;
use super::{Group, Role};
use crate::effect::{Effects, Instant, Level, Payload, Peer};
use wire::entry::{Body, GroupOptions, NewBirth, View, ViewCause};
use wire::id::{Birth, Incarnation};
use wire::message::{Channel, Force, Fork, Message};
use wire::mutant::{Mutant, planted};

/// A forced birth is tried for so long (`sysvars.md` §2.1).
const FORCE_US: u64 = 120_000_000;
/// Between two attempts.
const RETRY_US: u64 = 500_000;

/// A forced birth that this member was told to begin.
#[derive(Clone, Debug)]
pub(super) struct Forcing {
    force: Force,
    options: GroupOptions,
    since: Instant,
    next: Instant,
}

impl Group {
    /// Begins a birth of `members`, this one among them, without the majority's agreement. Tried until it is
    /// done ([`Group::birth`] is then `birth`) or [`Group::is_forcing`] ends.
    pub fn force(&mut self, now: Instant, birth: Birth, members: Vec<Incarnation>, options: GroupOptions) {
        assert!(members.contains(&self.me()), "a forced birth holds who begins it");
        let parent = self.view().map_or(self.birth, |view| view.birth);
        self.fork_seen = None;
        self.forcing = Some(Forcing { force: Force { birth, parent, members }, options, since: now, next: now });
    }

    /// Whether a forced birth is being tried.
    #[must_use]
    pub fn is_forcing(&self) -> bool {
        self.forcing.is_some()
    }

    /// The birth that this member belongs to.
    #[must_use]
    pub fn birth(&self) -> Birth {
        self.birth
    }

    /// Another birth of this group that was met while neither had a quorum.
    #[must_use]
    pub fn fork_seen(&self) -> Option<Birth> {
        self.fork_seen
    }

    /// Whether another birth of this group goes on with a quorum, and this one has none.
    #[must_use]
    pub fn is_forked(&self) -> bool {
        self.forked
    }

    /// What messages name as this member's birth.
    pub(super) fn label_birth(&self) -> Birth {
        self.forcing.as_ref().map_or(self.birth, |forcing| forcing.force.birth)
    }

    /// Whether a message of a member of `birth` may be looked at.
    pub(super) fn is_heard(&self, birth: Birth, message: &Message) -> bool {
        let asked = |force: &Force| force.birth == self.birth || self.views_birth() == Some(force.parent);
        match message {
            Message::Prepare { force: Some(force), .. } => asked(force),
            // About births, and judged as such.
            Message::Fork(_) => true,
            _ if planted(Mutant::AnotherBirthHeard) => true,
            _ => birth == self.birth || self.forcing.is_some() && birth == self.label_birth(),
        }
    }

    fn views_birth(&self) -> Option<Birth> {
        self.view().map(|view| view.birth)
    }

    pub(super) fn drive_force(&mut self, now: Instant, out: &mut Effects) {
        let Some(forcing) = &mut self.forcing else { return };
        if now.since(forcing.since) > FORCE_US {
            self.forcing = None;
            self.become_follower(now);
            return;
        }
        if now >= forcing.next {
            forcing.next = now.plus(RETRY_US * 4);
            let force = forcing.force.clone();
            out.set_birth(force.birth);
            self.stand_forced(now, force, out);
        }
    }

    /// Whether this member may promise a ballot that is to begin a birth without its old majority.
    pub(super) fn agrees_to_force(&mut self, from: Incarnation, force: &Force, out: &mut Effects) -> bool {
        let known = self.is_member(from) && force.members.contains(&from) && force.members.contains(&self.me());
        if !known {
            return false;
        }
        if self.has_quorum() && self.birth != force.birth {
            let (ours, theirs) = (self.birth, force.birth);
            self.alarm(
                theirs,
                format!(
                    "member {from} was told to begin birth {theirs} of this group: refused, birth {ours} has a quorum"
                ),
                out,
            );
            return false;
        }
        true
    }

    /// This member has promised a forced ballot: it belongs to the new birth.
    pub(super) fn enter_birth(&mut self, birth: Birth, out: &mut Effects) {
        self.birth = birth;
        self.fork_seen = None;
        self.forked = false;
        out.set_birth(birth);
        self.store_vote(out);
    }

    /// All named members have promised, and this log is the best of theirs: begins the birth.
    pub(super) fn begin_forced(&mut self, now: Instant, promised: &[Incarnation], out: &mut Effects) {
        let Role::Candidate(candidacy) = &self.role else { return };
        let ballot = candidacy.ballot();
        let Some(forcing) = self.forcing.take() else { return };
        let Forcing { force, options, .. } = forcing;
        let Some(view) = self.view().cloned() else { return };
        for who in &force.members {
            assert!(*who == self.me() || promised.contains(who), "every named member has promised");
        }
        let (members, dropped): (Vec<_>, Vec<_>) =
            view.members.into_iter().partition(|member| force.members.contains(&member.incarnation));
        if members.len() != force.members.len() || super::voters_in(&members).next().is_none() {
            // The log that it adopted knows other members than its own did.
            out.note(Level::Error, 11722, "the best log of the named members lists others: nothing was forced".into());
            return self.become_follower(now);
        }
        let fork = self.log.last();
        let name = |members: &[wire::entry::ViewMember]| {
            let names: Vec<_> = members.iter().map(|member| format!("{}:{}", member.host, member.port)).collect();
            names.join(", ")
        };
        let (kept, gone, parent) = (name(&members), name(&dropped), force.parent);
        let text = format!(
            "group_replication_force_members: birth {} of the group begins with {kept}. Kept is the log up to index \
             {fork}; what birth {parent} may have decided above it on other members is dropped. Not to be started \
             as members any more, but rebuilt: {gone}",
            force.birth
        );
        out.note(Level::Warning, 11723, text);
        let expected = self.expected();
        if planted(Mutant::BirthBeforeVoteStored) {
            self.enter_birth(force.birth, out);
        }
        assert_eq!(self.birth, force.birth, "its leader belongs to it");
        self.role = Role::Leader(Box::new(Leading::new(now, ballot, fork.next(), expected)));
        self.led = true;
        self.forwarded = 1;
        self.matched = fork;
        self.detector.new_leader(now);
        let view = View { birth: force.birth, counter: 1, members, cause: ViewCause::Force };
        self.append_own(Body::Birth(NewBirth { view, parent, fork, options }), out);
        let me = self.me();
        for peer in force.members.into_iter().filter(|&who| who != me) {
            self.restart_replication(peer);
        }
    }

    /// Somebody of another birth speaks: refused, and told which birth this is.
    pub(super) fn refuse_birth(
        &mut self,
        now: Instant,
        from: Incarnation,
        address: &str,
        birth: Birth,
        out: &mut Effects,
    ) {
        // Who has only promised to a birth cannot speak for it, nor who is on its way into one.
        let settled = self.views_birth() == Some(self.birth) && self.forcing.is_none() && self.is_member(self.me());
        if !settled || address.is_empty() || !self.may_tell(now, from) {
            return;
        }
        let quorum = self.leader().is_some() && self.has_quorum();
        let fork = Fork { birth: self.birth, parent: birth, quorum };
        out.post_to(from, Peer::Address(address.to_owned()), Channel::Order, Message::Fork(fork), Payload::None);
        if quorum {
            let ours = self.birth;
            let text =
                format!("member {from} belongs to birth {birth} of this group, this one to {ours}: it is not heard");
            self.alarm(birth, text, out);
        }
    }

    /// Another birth of this group says that it is there.
    pub(super) fn on_fork(&mut self, from: Incarnation, fork: &Fork, out: &mut Effects) {
        // It answers what this member said as one of its birth; anything else is old.
        if fork.birth == self.birth || fork.parent != self.birth || self.forcing.is_some() {
            return;
        }
        let (ours, theirs) = (self.birth, fork.birth);
        if self.has_quorum() && self.leader().is_some() {
            let text =
                format!("member {from} belongs to birth {theirs} of this group: refused, birth {ours} has a quorum");
            self.alarm(theirs, text, out);
        } else if fork.quorum {
            self.forked = !planted(Mutant::ForkIgnored);
        } else if self.leader().is_none() && self.fork_seen != Some(theirs) {
            self.fork_seen = Some(theirs);
            let text = format!(
                "member {from} belongs to birth {theirs} of this group and this one to {ours}, and neither has a \
                 quorum: nobody is elected here until group_replication_force_members names the birth that survives"
            );
            out.note(Level::Warning, 0, text);
        }
    }

    fn alarm(&mut self, birth: Birth, text: String, out: &mut Effects) {
        if self.alarms.len() < ALARMS_MAX && self.alarms.insert(birth) {
            out.note(Level::Warning, 0, format!("SPLIT BRAIN: {text}"));
        }
    }
}

/// Other births that are told of at most.
const ALARMS_MAX: usize = 100;
