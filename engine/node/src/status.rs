//! The group as SQL shows it: built when asked for, kept until something changed.

use engine_core::member::{Member, State};
use engine_sql::host::{GroupStatus, MemberState, MemberStatus};
use std::cell::RefCell;
use std::rc::Rc;
use wire::entry::{GroupOptions, ViewMember, VotingRole};
use wire::id::{Incarnation, Uuid};

/// The status last built.
#[derive(Default)]
pub struct Statuses(RefCell<Option<Rc<GroupStatus>>>);

impl Statuses {
    /// What was built is out of date.
    pub fn changed(&self) {
        self.0.borrow_mut().take();
    }

    /// The status, built anew if something changed.
    pub fn get(&self, build: impl FnOnce() -> GroupStatus) -> Rc<GroupStatus> {
        self.0.borrow_mut().get_or_insert_with(|| Rc::new(build())).clone()
    }
}

/// The group as `member` sees it; `stable` is what all ONLINE members have committed.
#[must_use]
pub fn of(member: &Member, uuid: Uuid, stable: &str) -> GroupStatus {
    let certifier = member.certifier();
    let running = member.is_running();
    let options = certifier.options().cloned().unwrap_or_else(|| no_group(uuid));
    // Who is in ERROR shows itself alone.
    let in_group = running && member.group().is_some() && member.own_state() != State::Error;
    let view = certifier.view().filter(|_| in_group).map(|(_, view)| view);
    let shown = view.filter(|view| view.members.iter().any(|m| m.incarnation == member.identity().0));
    let uuid_of = |incarnation: Incarnation| {
        shown?.members.iter().find(|member| member.incarnation == incarnation).map(|member| member.uuid)
    };
    let executed = certifier.executed().to_string();
    let state = member_state(member.own_state());
    let members = match shown {
        Some(view) => view.members.iter().map(|m| member_status(member, m, &options, stable)).collect(),
        None => vec![alone(member, uuid, if running { state } else { MemberState::Offline })],
    };
    GroupStatus {
        running,
        state,
        has_quorum: member.group().is_none_or(|group| group.has_quorum()),
        view_id: shown.map_or_else(String::new, |view| format!("{}:{}", view.birth, view.counter)),
        members,
        primary: certifier.primary().filter(|_| options.single_primary).and_then(uuid_of),
        primary_epoch: certifier.epoch(),
        options,
        gtid_received: executed.clone(),
        gtid_executed: executed,
        write_concurrency: member.write_concurrency() as u64,
        leader: member.group().and_then(|group| group.leader()).and_then(uuid_of),
        counters: recovery_percent(member)
            .map(|percent| ("Quorate_recovery_percent", u64::from(percent)))
            .into_iter()
            .collect(),
        recovery_percent: recovery_percent(member),
    }
}

fn recovery_percent(member: &Member) -> Option<u8> {
    if let Some(progress) = member.recovery_progress() {
        return Some(progress.percent());
    }
    let group = member.group().filter(|_| member.own_state() == State::Recovering)?;
    let (have, end) = (group.log().decided().0, group.known_decided().0.max(1));
    Some((have.min(end) * 100 / end) as u8)
}

fn member_state(state: State) -> MemberState {
    match state {
        State::Online => MemberState::Online,
        State::Recovering => MemberState::Recovering,
        State::Offline => MemberState::Offline,
        State::Unreachable => MemberState::Unreachable,
        State::Error => MemberState::Error,
    }
}

fn member_status(member: &Member, listed: &ViewMember, options: &GroupOptions, stable: &str) -> MemberStatus {
    let certifier = member.certifier();
    let me = member.identity().0 == listed.incarnation;
    let report = certifier.facts(listed.incarnation).map(|facts| facts.report).unwrap_or_default();
    let (checked, conflicts, last) = certifier.counts();
    let (proposed, rolled_back, applied) =
        if me { member.counts() } else { (report.proposed, report.rolled_back, report.applied) };
    MemberStatus {
        uuid: listed.uuid,
        host: listed.host.clone(),
        port: listed.port,
        state: member_state(member.state_of(listed.incarnation)),
        primary: !options.single_primary || certifier.primary() == Some(listed.incarnation),
        version: listed.version,
        role: listed.role,
        incarnation: listed.incarnation,
        in_queue: 0,
        checked,
        conflicts,
        rows_validating: certifier.rows_validating(),
        // Who recovers does not know it yet (`performance_schema.md` §2).
        committed_all: if member.own_state() == State::Recovering { String::new() } else { stable.to_owned() },
        last_conflict_free: last.map_or_else(String::new, |gtid| format!("{}:{}", gtid.uuid, gtid.number)),
        applier_queue: report.applier_queue,
        applied,
        proposed,
        rolled_back,
    }
}

fn alone(member: &Member, uuid: Uuid, state: MemberState) -> MemberStatus {
    let config = member.config();
    MemberStatus {
        uuid,
        host: config.host.clone(),
        port: config.port,
        state,
        primary: false,
        version: config.version,
        role: VotingRole::Learner,
        incarnation: member.identity().0,
        in_queue: 0,
        checked: 0,
        conflicts: 0,
        rows_validating: 0,
        committed_all: String::new(),
        last_conflict_free: String::new(),
        applier_queue: 0,
        applied: 0,
        proposed: 0,
        rolled_back: 0,
    }
}

/// Settings of a server that was never in a group.
fn no_group(uuid: Uuid) -> GroupOptions {
    GroupOptions {
        name: uuid,
        group: false,
        single_primary: false,
        everywhere_checks: false,
        gtid_block_size: 1,
        view_change_uuid: uuid,
        view_change_events: false,
    }
}
