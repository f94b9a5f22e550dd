//! What the operators' log is told: members, who is ONLINE, who is primary.

use super::Member;
use crate::effect::{Effects, Level};
use wire::entry::ViewCause;
use wire::id::{Incarnation, Index};

/// What the operators' log was told last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Announced {
    view: Index,
    online: Vec<Incarnation>,
    primary: Option<Incarnation>,
    me: Incarnation,
}

impl Member {
    /// Tells the operators' log what the order changed: members, who is ONLINE, who is primary.
    pub(super) fn announce(&mut self, out: &mut Effects) {
        let now = match (&self.group, self.certifier.view()) {
            (Some(group), Some((index, view))) if self.is_running() => {
                let online: Vec<_> = (view.members.iter().map(|member| member.incarnation))
                    .filter(|&who| self.certifier.facts(who).is_some_and(|facts| facts.online))
                    .collect();
                let single = self.certifier.options().is_some_and(|options| options.single_primary);
                Announced { view: *index, online, primary: self.certifier.primary().filter(|_| single), me: group.me() }
            }
            _ => Announced::default(),
        };
        if now == self.announced {
            return;
        }
        let before = std::mem::replace(&mut self.announced, now);
        let (Some((_, view)), now) = (self.certifier.view(), &self.announced) else { return };
        let address = |who: Incarnation| {
            let member = view.members.iter().find(|member| member.incarnation == who);
            member.map_or_else(String::new, |member| format!("{}:{}", member.host, member.port))
        };
        if now.view != before.view && now.view != Index(0) && !matches!(view.cause, ViewCause::Promote(_)) {
            let members: Vec<_> = view.members.iter().map(|member| address(member.incarnation)).collect();
            let text =
                format!("Group membership changed to {} on view {}:{}.", members.join(", "), view.birth, view.counter);
            out.note(Level::System, 11504, text);
        }
        for &who in now.online.iter().filter(|who| !before.online.contains(who)) {
            if who == now.me {
                let text = "This server was declared online within the replication group.".into();
                out.note(Level::System, 11491, text);
            } else {
                let text = format!(
                    "The member with address {} was declared online within the replication group.",
                    address(who)
                );
                out.note(Level::System, 11493, text);
            }
        }
        if let Some(primary) = now.primary.filter(|_| now.primary != before.primary) {
            let address = address(primary);
            out.note(Level::System, 11508, format!("A new primary with address {address} was elected."));
            if primary == now.me {
                out.note(Level::System, 11511, "This server is working as primary member.".into());
            } else {
                let text = format!("This server is working as secondary member with primary member address {address}.");
                out.note(Level::System, 11512, text);
            }
        }
    }
}
