//! `group_replication_force_members`: its checks, and how it ends (`protocol.md` §12.8, `sysvars.md` §2.1).

use super::{Life, Member, State};
use crate::effect::{CommandError, Effect, Effects, Instant};
use wire::entry::{ViewMember, VotingRole};
use wire::id::{Birth, Incarnation};

/// ER_GROUP_REPLICATION_FORCE_MEMBERS_COMMAND_FAILURE.
const FAILED: u16 = 4118;

impl Member {
    pub(super) fn force(&mut self, now: Instant, addresses: &[String], birth: Birth, out: &mut Effects) {
        match self.forceable(now, addresses) {
            Ok(members) => {
                let options = self.certifier.options().cloned().expect("a member has options");
                self.forcing = Some((birth, members.clone()));
                self.group_mut().force(now, birth, members, options);
            }
            Err(reason) => {
                let list = addresses.join(",");
                let text = format!("Failed to execute action '{list}' on group_replication_force_members: {reason}");
                out.note(crate::effect::Level::Warning, 11722, text);
                out.push(Effect::CommandDone(Err(CommandError { code: FAILED, reason })));
            }
        }
    }

    /// The members that `addresses` name, if a group of them may be forced.
    fn forceable(&self, now: Instant, addresses: &[String]) -> Result<Vec<Incarnation>, String> {
        let state = self.own_state();
        // A member that came back without its majority is RECOVERING: nobody but the operator can help it.
        let (Some(group), Life::Running { .. }, State::Online | State::Recovering) = (&self.group, &self.life, state)
        else {
            let text = "Member is OFFLINE or in ERROR, it is not possible to force a new group membership";
            return Err(text.into());
        };
        if self.forcing.is_some() {
            return Err("a new group membership is being forced already".into());
        }
        let view = group.view().ok_or("this member knows no view yet")?;
        let votes = view.members.iter().any(|m| m.incarnation == group.me() && m.role == VotingRole::Voter);
        if !votes {
            return Err("this member does not vote in the group yet".into());
        }
        if group.has_quorum() && group.fork_seen().is_none() {
            return Err("the group has a majority of reachable members: there is nothing to force".into());
        }
        let mut members = Vec::new();
        for address in addresses {
            let named = named_by(&view.members, address, group.me());
            let named = named.ok_or_else(|| format!("{address} is not the address of a member of the group"))?;
            if !members.contains(&named.incarnation) {
                members.push(named.incarnation);
            }
        }
        if !members.contains(&group.me()) {
            return Err("the list does not name this member".into());
        }
        // All of a birth that met another one are named to say that theirs survives.
        if members.len() >= view.members.len() && group.fork_seen().is_none() {
            return Err("the list names all members of the group: it must be smaller".into());
        }
        let silent = members.iter().find(|&&who| who != group.me() && !group.can_be_asked(who, now));
        if let Some(silent) = silent {
            let address = view.members.iter().find(|member| member.incarnation == *silent).map(|m| m.address.clone());
            return Err(format!("{} is UNREACHABLE: it cannot agree", address.unwrap_or_default()));
        }
        Ok(members)
    }

    /// Tells the operator how it ended.
    pub(super) fn watch_force(&mut self, out: &mut Effects) {
        let Some((birth, members)) = &self.forcing else { return };
        let view = self.certifier.view().map(|(_, view)| view);
        let done = view.is_some_and(|view| {
            view.birth == *birth && view.members.iter().all(|member| members.contains(&member.incarnation))
        });
        let over = self.group.as_ref().is_none_or(|group| !group.is_forcing() && group.birth() != *birth);
        if done {
            self.forcing = None;
            out.push(Effect::CommandDone(Ok(())));
        } else if over {
            self.forcing = None;
            let reason = "timeout or a higher ballot: the named members did not all agree".into();
            out.push(Effect::CommandDone(Err(CommandError { code: FAILED, reason })));
        }
    }
}

/// The member that an operator means by `address`. A view can list a server twice, as long as the incarnation that
/// ended is not removed: `me` is then meant, else who votes, else who came last.
fn named_by<'a>(members: &'a [ViewMember], address: &str, me: Incarnation) -> Option<&'a ViewMember> {
    let there = members.iter().enumerate().filter(|(_, member)| member.address == address);
    there.max_by_key(|(at, it)| (it.incarnation == me, it.role == VotingRole::Voter, *at)).map(|(_, member)| member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::id::Uuid;

    fn listed(incarnation: u64, role: VotingRole, address: &str) -> ViewMember {
        let incarnation = Incarnation(incarnation);
        let (host, address) = ("db".to_owned(), address.to_owned());
        let uuid = Uuid::from_random(u128::from(incarnation.0));
        ViewMember { uuid, incarnation, role, weight: 50, version: 80_036, server_id: 1, host, port: 0, address }
    }

    #[test]
    fn of_two_at_one_address_the_living_one_is_meant() {
        use VotingRole::{Learner, Voter};
        let cases = [
            (vec![(1, Voter, "a"), (2, Voter, "b")], "b", 1, Some(2)),
            (vec![(1, Voter, "a"), (2, Voter, "b")], "c", 1, None),
            (vec![(1, Voter, "a"), (2, Learner, "b"), (3, Voter, "b")], "b", 1, Some(3)),
            (vec![(1, Voter, "a"), (2, Voter, "b"), (3, Learner, "b")], "b", 1, Some(2)),
            (vec![(1, Voter, "a"), (2, Learner, "b"), (3, Learner, "b")], "b", 1, Some(3)),
            (vec![(1, Voter, "a"), (2, Voter, "b"), (3, Learner, "b")], "b", 3, Some(3)),
        ];
        for (members, address, me, expected) in cases {
            let list: Vec<_> = members.iter().map(|&(who, role, address)| listed(who, role, address)).collect();
            let found = named_by(&list, address, Incarnation(me)).map(|member| member.incarnation.0);
            assert_eq!(found, expected, "{address} of {members:?}, asked of {me}");
        }
    }
}
