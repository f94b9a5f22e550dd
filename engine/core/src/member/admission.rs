//! Who may join, judged by the leader (`protocol.md` §11).

use super::{Life, Member};
use crate::effect::{Effects, Instant, Payload, Peer};
use crate::paxos::leader::{Joining, MEMBERS_MAX};
use wire::entry::GroupOptions;
use wire::gtid::GtidSet;
use wire::id::Run;
use wire::message::{Channel, JoinAnswer, JoinRequest, Message};

impl Member {
    /// A server asks to be added: checks that it may (`protocol.md` §11).
    pub(super) fn on_join(&mut self, now: Instant, request: JoinRequest, out: &mut Effects) {
        let answer = match self.admission(&request, now) {
            Ok(()) => {
                let JoinRequest { member, decided, chain, .. } = request;
                let joining = Joining { member, decided, chain };
                self.group_mut().admit(now, joining, out);
                return;
            }
            Err(answer) => answer,
        };
        let (to, message) = (Peer::Address(request.member.address), Message::JoinAnswer(answer));
        out.post(to, Channel::Order, message, Payload::None);
    }

    fn admission(&self, request: &JoinRequest, now: Instant) -> Result<(), JoinAnswer> {
        let refused = |code, reason: String| Err(JoinAnswer::Refused { code, reason });
        let nobody = || JoinAnswer::Redirect { address: String::new() };
        let (Some(group), Life::Running { .. }) = (&self.group, &self.life) else { return Err(nobody()) };
        if !group.leads() {
            let leader = group.leader().and_then(|leader| {
                group.view()?.members.iter().find(|member| member.incarnation == leader).map(|m| m.address.clone())
            });
            return Err(leader.map_or_else(nobody, |address| JoinAnswer::Redirect { address }));
        }
        let view = group.view().ok_or_else(nobody)?;
        let options = self.certifier.options().ok_or_else(nobody)?;
        if self.trouble.is_some() {
            return Err(nobody());
        }
        if let Some(reason) = differing(options, &request.options) {
            return refused(3092, reason);
        }
        let life = request.member.incarnation;
        let known = view.members.iter().any(|member| member.incarnation == life);
        if !known && self.certifier.sequencer().run(life) != Run(0) {
            // It promised and acknowledged under that life; as a new acceptor it would have forgotten.
            return refused(3092, format!("membership life {life} is over: a member comes back under a new one"));
        }
        if let Some(older) = view.members.iter().find(|member| member.uuid == request.member.uuid) {
            if older.incarnation == request.member.incarnation {
                return Ok(()); // Asks again: the answer was lost.
            }
            if group.hears(older.incarnation, now) && older.address == request.member.address {
                // One process at one address: what is heard is the last of its older life.
                return Err(JoinAnswer::Wait { reason: "its older life is still heard".into() });
            }
            if group.hears(older.incarnation, now) {
                return refused(3092, format!("there is already a member with server_uuid {}", older.uuid));
            }
        } else if view.members.len() >= MEMBERS_MAX {
            return refused(3191, format!("the group already has {MEMBERS_MAX} members, the most that there can be"));
        }
        if let Some(lowest) = view.members.iter().map(|member| member.version).min()
            && request.member.version < lowest
            && !same_lts_series(request.member.version, lowest)
        {
            let found = request.member.version;
            return refused(3092, format!("the joiner's version {found} is lower than the group's lowest, {lowest}"));
        }
        if let Some(suspect) = group.suspects(request.member.uuid) {
            let reason = format!("{suspect} is UNREACHABLE and not expelled yet: nobody can join meanwhile");
            return Err(JoinAnswer::Wait { reason });
        }
        if self.certifier.alarm().is_some() {
            // A copy of one of those that differ is no independent witness, and would tip the scales **[!]**.
            let reason = "the members' rows differ, and nobody knows whose are right: nobody can join meanwhile".into();
            return Err(JoinAnswer::Wait { reason });
        }
        let executed = GtidSet::parse(&request.gtid_executed).unwrap_or_default();
        if !executed.is_subset(self.certifier.executed()) {
            return refused(
                3092,
                format!(
                    "this member has more executed transactions than those present in the group. \
                 Local transactions: {executed} > Group transactions: {}",
                    self.certifier.executed()
                ),
            );
        }
        Ok(())
    }
}

/// Whether two versions are of one long-term series, within which members may have any patch level
/// (`protocol.md` §11.8): 8.0 from 8.0.35 on, 8.4, 9.7.
pub(super) fn same_lts_series(one: u32, other: u32) -> bool {
    let series = |version: u32| match (version / 100, version % 100) {
        (800, 35..) => Some(800),
        (series @ (804 | 907), _) => Some(series),
        _ => None,
    };
    series(one).is_some() && series(one) == series(other)
}

/// Which setting of a joiner differs from the group's, in words.
fn differing(ours: &GroupOptions, theirs: &GroupOptions) -> Option<String> {
    let say = |name: &str, ours: &dyn std::fmt::Display, theirs: &dyn std::fmt::Display| {
        Some(format!("the joiner's {name} is {theirs}, the group's is {ours}"))
    };
    if ours.name != theirs.name {
        return say("group_replication_group_name", &ours.name, &theirs.name);
    }
    if ours.single_primary != theirs.single_primary {
        return say("group_replication_single_primary_mode", &ours.single_primary, &theirs.single_primary);
    }
    if ours.everywhere_checks != theirs.everywhere_checks {
        let name = "group_replication_enforce_update_everywhere_checks";
        return say(name, &ours.everywhere_checks, &theirs.everywhere_checks);
    }
    if ours.gtid_block_size != theirs.gtid_block_size {
        let name = "group_replication_gtid_assignment_block_size";
        return say(name, &ours.gtid_block_size, &theirs.gtid_block_size);
    }
    if ours.view_change_uuid != theirs.view_change_uuid {
        return say("group_replication_view_change_uuid", &ours.view_change_uuid, &theirs.view_change_uuid);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patch_levels_of_one_long_term_series_are_alike() {
        for (one, other, alike) in [
            (80035, 80036, true),
            (80034, 80036, false),
            (80400, 80407, true),
            (80036, 80400, false),
            (90701, 90700, true),
            (90100, 90101, false),
        ] {
            assert_eq!(same_lts_series(one, other), alike, "{one} {other}");
            assert_eq!(same_lts_series(other, one), alike, "{other} {one}");
        }
    }
}
