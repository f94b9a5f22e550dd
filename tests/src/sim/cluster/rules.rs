//! What must hold of the whole group after every step, and at the end.

use super::{Cluster, Failure, OWN_BYTES_MAX, SimNode};
use crate::sim::check::Digests;
use crate::sim::client;
use engine_core::effect::{Level, Note};
use node::engine::Engine;
use wire::entry::{ArchivedBody, View, ViewCause, VotingRole};
use wire::frame::Frame;
use wire::id::{Ballot, Incarnation, Index};
use wire::message::Message;

impl Cluster {
    /// What holds when nothing moves any more.
    pub(super) fn check_end(&mut self) -> Result<(), Failure> {
        for node in 0..self.nodes.len() {
            let place = self.place(node).expect("it is up");
            self.nodes[node].tasks.spawn(client::read_all(place, node));
            self.wake_tasks(node);
        }
        self.run_until(5_000_000, Self::is_quiet)?;
        if self.history.borrow().finals.len() < self.nodes.len() {
            return self.fail("liveness: a member does not answer at the end");
        }
        let checked = self.history.borrow_mut().check();
        if let Err(rule) = checked {
            return self.fail(rule);
        }
        for node in 0..self.nodes.len() {
            let server = self.engine(node).expect("it is up").server().clone();
            if server.digest().1 != server.recompute_digest() {
                return self.fail(format!("digest: member {node}'s rolling row digest is not that of its rows"));
            }
            // Every session has ended.
            let locked = server.locked_rows();
            if locked > 0 {
                return self.fail(format!("locks: {locked} rows of member {node} stay locked, by nobody"));
            }
        }
        Ok(())
    }

    /// Every rule that holds at every moment.
    pub(super) fn check(&mut self, node: usize, engine: &Engine) -> Result<(), Failure> {
        let notes: Vec<Note> = self.nodes[node].notes.borrow_mut().drain(..).collect();
        for note in notes {
            self.report.elections += u64::from(note.text.contains("leads under ballot"));
            if note.text.starts_with("This member's rows differ") {
                let noticed = self.now - self.nodes[node].spoiled_at;
                self.report.diverged += 1;
                self.report.noticed_us = self.report.noticed_us.max(noticed);
            }
            self.say(|| format!("m{node} says: {}", note.text));
            if note.level == Level::Error {
                return self.fail(format!("member {node}: {}", note.text));
            }
        }
        if engine.has_failed() {
            return self.fail(format!("member {node} could not apply what was decided"));
        }
        let (csn, rows) = engine.server().digest();
        let (digests, judged_csn, own_bytes) = engine.with_member(|member| {
            let certifier = member.certifier();
            let (index, verdicts) = (certifier.index(), certifier.digest());
            let (epoch, primary) = (certifier.epoch(), certifier.primary());
            let own_bytes = member.group().map_or(0, |group| group.own_bytes());
            (Digests { index, verdicts, csn, rows, epoch, primary }, certifier.csn(), own_bytes)
        });
        if own_bytes > OWN_BYTES_MAX {
            return self.fail(format!("bounds: member {node} keeps {own_bytes} bytes of its own proposals"));
        }
        let judged: Vec<_> = self.nodes[node].judged.borrow_mut().drain(..).collect();
        for (frame, judged) in judged {
            if let Err(rule) = self.truth(node).model.judged(&frame, &judged) {
                return self.fail(format!("member {node}: {rule}"));
            }
        }
        let stable = engine.with_member(|member| member.certifier().stable());
        if let Some(floor) = self.truth(node).model.floor_at(digests.index).filter(|&floor| stable > floor) {
            return self.fail(format!(
                "stable: member {node} holds {stable} for stable at index {}; the least snapshot in use is {floor}",
                digests.index
            ));
        }
        if self.nodes[node].digests == digests {
            return Ok(());
        }
        if csn != judged_csn {
            return self.fail(format!("member {node} has judged up to CSN {judged_csn} and applied up to {csn}"));
        }
        let before = std::mem::replace(&mut self.nodes[node].digests, digests);
        // A log that is dropped begins anew; otherwise nothing that was seen is unseen.
        if digests.index < before.index && self.nodes[node].checked > digests.index {
            return self.fail(format!("order: member {node} went back from {} to {}", before.index, digests.index));
        }
        let now = self.now;
        if let Err(rule) = self.truth(node).digests(&digests, now) {
            return self.fail(format!("member {node}: {rule}"));
        }
        self.check_log(node, digests.index)
    }

    /// What was delivered is what the others delivered.
    fn check_log(&mut self, node: usize, delivered: Index) -> Result<(), Failure> {
        let mut end = self.nodes[node].checked;
        let mut newest = None;
        while end < delivered {
            let frames = self.nodes[node].disk.read(end.next(), 64 << 10);
            let before = end;
            for frame in frames.iter().take_while(|frame| frame.header().last() <= delivered) {
                match self.truth(node).delivered(frame) {
                    Err(rule) => return self.fail(format!("member {node}: {rule}")),
                    Ok(true) => newest = Some(frame.clone()),
                    Ok(false) => {}
                }
                end = frame.header().last();
            }
            if end == before {
                return self.fail(format!("member {node} delivered up to {delivered}; its log ends at {end}"));
            }
        }
        self.nodes[node].checked = end;
        // Whoever holds the last one holds those before it, of which some may have been decided with it, by
        // the voters of a later view.
        newest.map_or(Ok(()), |frame| self.check_quorum(node, &frame))
    }

    /// A leader appends `frame`: if there is a view in it, the ballot's opening and the view before it are decided.
    pub(super) fn check_view(&self, node: usize, engine: &Engine, frame: &Frame) -> Result<(), Failure> {
        let views = |frame: &Frame| frame.entries().any(|(_, entry)| entry.changes_view());
        if !views(frame) {
            return Ok(());
        }
        let (ballot, disk) = (frame.header().ballot, &self.nodes[node].disk);
        let (decided, leads) = engine.with_member(|member| {
            let Some(group) = member.group() else { return (Index(0), false) };
            let leads = group.leader() == Some(group.me()) && group.vote().promised == ballot;
            (group.log().decided(), leads)
        });
        let log = disk.read(decided, usize::MAX);
        let (settled, waiting): (Vec<_>, Vec<_>) = log.iter().partition(|before| before.header().last() <= decided);
        // A birth is its own opening.
        let opens = !log.iter().any(|before| before.header().ballot == ballot);
        if leads {
            self.check_expulsion(node, frame)?;
        }
        if !leads || opens {
            return Ok(());
        }
        if let Some(other) = waiting.iter().find(|before| views(before)) {
            return self.fail(format!("views: {frame:?} changes the view while that of {other:?} is undecided"));
        }
        if settled.last().is_none_or(|last| last.header().ballot != ballot) {
            return self.fail(format!("views: {frame:?} changes the view before its ballot's opening is decided"));
        }
        Ok(())
    }

    /// Nobody is expelled unless a quorum has told the leader that it agrees.
    fn check_expulsion(&self, node: usize, frame: &Frame) -> Result<(), Failure> {
        for (_, entry) in frame.entries() {
            let Some(ArchivedBody::View(view)) = entry.view().map(|entry| &entry.body) else { continue };
            let Ok(view) = rkyv::deserialize::<View, rkyv::rancor::Failure>(view) else { continue };
            let ViewCause::Expel(gone) = view.cause else { continue };
            // An older life gives way to the next one without being asked.
            let speaks = self.nodes.iter().find(|it| it.engine.is_some() && it.speaks_as == gone);
            if speaks.is_none_or(|it| self.begins_another_life(it.uuid, gone)) {
                continue;
            }
            // Of those that stay: with the one that goes, a quorum is no less.
            let voters: Vec<_> = view.members.iter().filter(|member| member.role == VotingRole::Voter).collect();
            let agrees = |other: usize| other == node || self.agrees(other, node, (frame.header().ballot, gone));
            let agreed = voters.iter().filter_map(|voter| self.nodes.iter().position(|it| it.uuid == voter.uuid));
            let agreed: Vec<_> = agreed.filter(|&other| agrees(other)).collect();
            if agreed.len() <= voters.len() / 2 {
                return self.fail(format!(
                    "expulsion: {frame:?} expels a member; only {agreed:?} of {} voters agreed",
                    voters.len()
                ));
            }
        }
        Ok(())
    }

    /// What is decided lies on the synced disks of a quorum, at the moment that anybody knows it.
    fn check_quorum(&mut self, node: usize, frame: &Frame) -> Result<(), Failure> {
        let header = frame.header();
        let voters = self.truth(node).model.voters_at(header.last()).to_vec();
        // Who lost it since, within the budget, had it; so had a life that is over, and elects nobody any more.
        let place = (header.last(), header.chain);
        let holds = |it: &&SimNode| it.damaged || it.disk.holds(place.0, place.1) || it.given_up.contains(&place);
        let holding = self.nodes.iter().filter(|it| voters.contains(&it.uuid)).filter(holds).count();
        if holding > voters.len() / 2 {
            return Ok(());
        }
        self.fail(format!(
            "quorum: member {node} delivered {frame:?}, which {holding} of {} voters hold synced",
            voters.len()
        ))
    }

    /// What a member says follows from what its disk holds, and its promises never fall.
    pub(in crate::sim) fn check_words(
        &mut self,
        node: usize,
        me: Incarnation,
        message: &Message,
    ) -> Result<(), Failure> {
        let (ballot, index) = match message {
            Message::Promise { ballot, .. } => (*ballot, Index(0)),
            Message::Ack { ballot, index, .. } => (*ballot, *index),
            _ => return Ok(()),
        };
        let it = &mut self.nodes[node];
        let stored = it.disk.vote().filter(|vote| vote.incarnation == me).map_or(Ballot::ZERO, |vote| vote.promised);
        let before = if it.answered.0 == me { it.answered.1 } else { Ballot::ZERO };
        it.answered = (me, before.max(ballot));
        let synced = it.disk.synced_to();
        if stored < ballot {
            return self.fail(format!("promises: member {node} says {message:?}; its disk holds {stored}"));
        }
        if ballot < before {
            return self.fail(format!("promises: member {node} says {message:?} after it has promised {before}"));
        }
        if index > synced {
            return self.fail(format!("durability: member {node} says {message:?}; it has synced up to {synced}"));
        }
        Ok(())
    }
}
