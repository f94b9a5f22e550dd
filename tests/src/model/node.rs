//! One member of the explored group: the real core, its disk, and what it delivered. Steps are computed once
//! for each state and input.

use super::Bounds;
use engine_core::effect::{Effect, Effects, Input, Instant, Payload, Peer, Vote};
use engine_core::paxos::tail::{Point, Tail, point_after};
use engine_core::paxos::{Group, GroupConfig, Timing};
use engine_core::sequencer::Sequencer;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wire::entry::{ArchivedBody, Body, Entry, Stamp, View, ViewCause, ViewMember, VotingRole};
use wire::frame::{BatchBuilder, Buffer, CHAIN_START, Frame};
use wire::id::{Ballot, Birth, Incarnation, Index, Uuid};
use wire::message::{Channel, Label, Message};

/// Something that happens; members and links by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields say whom it happens to")]
pub enum Act {
    /// The first message on a link arrives.
    Deliver { link: u8 },
    /// It arrives, and will again.
    Repeat { link: u8 },
    /// It is taken off its link.
    Hold { link: u8 },
    /// One that was taken off arrives, whatever became of its link.
    Arrive { held: u8 },
    /// A disk has synced the log.
    Sync { at: u8 },
    /// A disk has stored the oldest vote record that waits.
    StoreVote { at: u8 },
    /// A member's patience with its leader ends.
    Stand { at: u8 },
    /// A member proposes something.
    Propose { at: u8 },
    /// A member asks to leave.
    Leave { at: u8 },
    /// A process ends and comes back.
    Crash { at: u8, lose_frames: bool, lose_votes: bool },
    /// The connections between two break and come back.
    Break { at: u8, peer: u8 },
}

/// What happens to one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Receive(u32),
    Sync,
    StoreVote,
    Stand,
    Propose,
    Leave,
    Crash { lose_frames: bool, lose_votes: bool },
    Reconnect(u8),
}

/// Time stands still here, and no patience ends by itself.
const NOW: Instant = Instant(1);
const FOR_EVER_US: u64 = 1 << 60;
const BIRTH: Birth = Birth(1);

/// From and to of a link.
pub(super) fn ends(link: u8) -> (u8, u8) {
    (link >> 4, link >> 1 & 7)
}

fn link(from: u8, to: u8, bulk: bool) -> u8 {
    from << 4 | to << 1 | u8::from(bulk)
}

fn incarnation(at: u8) -> Incarnation {
    Incarnation(u64::from(at) + 1)
}

fn node_of(who: Incarnation) -> u8 {
    who.0 as u8 - 1
}

fn listed(at: u8) -> ViewMember {
    ViewMember {
        uuid: Uuid([at + 1; 16]),
        incarnation: incarnation(at),
        role: VotingRole::Voter,
        weight: 50,
        version: 80036,
        server_id: u32::from(at) + 1,
        host: format!("m{at}"),
        port: 3306,
        address: format!("m{at}:1"),
    }
}

/// The last `learners` of them do not vote.
fn first_view(members: usize, learners: usize) -> View {
    let role = |at: usize| if at + learners < members { VotingRole::Voter } else { VotingRole::Learner };
    let members = (0..members).map(|at| ViewMember { role: role(at), ..listed(at as u8) }).collect();
    View { birth: BIRTH, counter: 1, members, cause: ViewCause::Join(incarnation(0)) }
}

#[derive(Clone)]
struct Sent {
    from: u8,
    channel: Channel,
    label: Label,
    message: Message,
    payload: Buffer,
}

/// Frames, and votes that are written: what a crash leaves.
#[derive(Clone, Default)]
struct Disk {
    frames: Vec<Frame>,
    synced: Index,
    cuts: u64,
    vote: Vote,
    /// Votes being written, with the end of the log and the cuts when that began.
    votes: Vec<(Vote, Index, u64)>,
}

impl Disk {
    fn end(&self) -> Index {
        self.frames.last().map_or(Index(0), |frame| frame.header().last())
    }

    /// Writes go to the disk in order: with a vote record that is lost, so are the frames written after it, but
    /// for those that were synced all the same.
    fn crash(&mut self, lose_frames: bool, lose_votes: bool) {
        if lose_votes
            && let Some(&(_, end, cuts)) = self.votes.first()
            && cuts == self.cuts
        {
            let kept = end.max(self.synced);
            self.frames.retain(|frame| frame.header().last() <= kept);
            self.votes.clear();
        }
        if let Some((vote, ..)) = self.votes.pop() {
            self.vote = vote;
            self.votes.clear();
        }
        if lose_frames {
            let synced = self.synced;
            self.frames.retain(|frame| frame.header().last() <= synced);
        }
        // Opening the log writes and syncs again what is there.
        (self.cuts, self.synced) = (0, self.end());
    }
}

/// A member in one state.
#[derive(Clone)]
pub(super) struct Local {
    at: u8,
    members: usize,
    life: u8,
    group: Group,
    disk: Disk,
    delivered: Vec<(Index, u64)>,
    /// Voters from which index on, of every view delivered.
    views: Vec<(Index, Vec<u8>)>,
    /// Proposals delivered, and whether one was after a member had left.
    stamps: Vec<Stamp>,
    after_leave: bool,
    next_number: u64,
}

impl Local {
    pub fn is_unsynced(&self) -> bool {
        self.disk.synced < self.disk.end()
    }

    pub fn is_voting(&self) -> bool {
        !self.disk.votes.is_empty()
    }

    pub fn has_left(&self) -> bool {
        self.group.has_left()
    }

    pub fn may_stand(&self) -> bool {
        !self.has_left() && self.leads().is_none()
    }

    pub fn may_propose(&self) -> bool {
        !self.has_left()
    }

    pub fn may_leave(&self) -> bool {
        !self.has_left() && self.group.leader().is_some()
    }

    /// The ballot under which it leads.
    pub fn leads(&self) -> Option<Ballot> {
        let vote = self.group.vote();
        (self.group.leader() == Some(self.group.me())).then_some(vote.promised)
    }

    /// Voters of the newest view in its log.
    pub fn voters_in_log(&self) -> Vec<u8> {
        let members = self.group.view().into_iter().flat_map(|view| &view.members);
        members.filter(|m| m.role == VotingRole::Voter).map(|member| node_of(member.incarnation)).collect()
    }

    /// Whether its disk holds a promise of `ballot`, or of a higher one.
    pub fn has_promised(&self, ballot: Ballot) -> bool {
        self.disk.vote.promised >= ballot || self.disk.votes.iter().any(|(vote, ..)| vote.promised >= ballot)
    }

    /// The ballot of the last frame that it delivered.
    pub fn ballot_delivered(&self) -> Ballot {
        let end = self.delivered.last().map_or(Index(0), |&(index, _)| index);
        let headers = self.disk.frames.iter().map(Frame::header);
        headers.filter(|header| header.last() == end).map(|header| header.ballot).next().unwrap_or(Ballot::ZERO)
    }

    /// A leader appends `frame`: if there is a view in it, the ballot's opening and the view before it are decided.
    fn check_view(&self, frame: &Frame) -> Result<(), String> {
        let views = |frame: &Frame| frame.entries().filter(|(_, entry)| entry.changes_view()).count();
        let ballot = frame.header().ballot;
        if self.leads() != Some(ballot) || views(frame) == 0 {
            return Ok(());
        }
        let decided = self.group.log().decided();
        let undecided = self.disk.frames.iter().filter(|before| before.header().last() > decided);
        if let Some(before) = undecided.clone().find(|before| views(before) > 0) {
            return Err(format!("views: {frame:?} changes the view while that of {before:?} is undecided"));
        }
        let opening = self.disk.frames.iter().find(|before| before.header().ballot == ballot);
        match opening {
            Some(opening) if opening.header().first > decided => {
                Err(format!("views: {frame:?} changes the view before the opening {opening:?} is decided"))
            }
            _ => Ok(()),
        }
    }

    /// Last index of its log.
    pub fn last(&self) -> Index {
        self.group.log().last()
    }

    /// No ballot below this is answered by it.
    pub fn promised(&self) -> Ballot {
        self.group.vote().promised
    }

    pub fn life(&self) -> u8 {
        self.life
    }

    pub fn delivered(&self) -> &Vec<(Index, u64)> {
        &self.delivered
    }

    pub fn proposals_delivered(&self) -> u8 {
        self.stamps.len() as u8
    }

    pub fn delivered_after_leave(&self) -> bool {
        self.after_leave
    }

    /// Whether the frame that ends so is synced here.
    pub fn holds_synced(&self, (index, chain): (Index, u64)) -> bool {
        let mut frames = self.disk.frames.iter().map(Frame::header);
        index <= self.disk.synced && frames.any(|header| (header.last(), header.chain) == (index, chain))
    }

    /// Who votes at the last frame that was delivered here.
    pub fn voters(&self) -> &Vec<u8> {
        self.views.last().map(|(_, voters)| voters).expect("there is the first view")
    }

    fn canonical(&self) -> u128 {
        let Disk { frames, synced, cuts, vote, votes } = &self.disk;
        let frames: Vec<_> = frames.iter().map(|f| (f.header().chain, f.header().decided, f.header().synced)).collect();
        let disk = (frames, synced, cuts, vote, votes);
        let text = format!("{}.{}.{}{disk:?}", self.at, self.life, self.next_number) + &self.group.canonical();
        xxhash_rust::xxh3::xxh3_128(text.as_bytes())
    }

    /// Notes what is delivered, also from the disk at a start.
    fn deliver(&mut self, frame: &Frame) -> Result<(), String> {
        for (index, entry) in frame.entries() {
            let stamp = entry.stamp();
            if stamp.number > 0 {
                // A repeat in the log is delivered as nothing, which the sequencer sees to.
                if !self.stamps.contains(&stamp) {
                    self.after_leave |= self.views.last().is_some_and(|(_, voters)| voters.len() < self.members);
                    self.stamps.push(stamp);
                } else {
                    return Err(format!("at most once: {stamp:?} is in the log again at {index}"));
                }
            }
            if let Some(body) = entry.view().map(|entry| &entry.body)
                && let ArchivedBody::View(view) = body
            {
                let view = rkyv::deserialize::<View, rkyv::rancor::Error>(view).map_err(|error| error.to_string())?;
                let voters = view.members.iter().filter(|member| member.role == VotingRole::Voter);
                self.views.push((index, voters.map(|member| node_of(member.incarnation)).collect()));
            }
        }
        let header = frame.header();
        let before = self.delivered.last().map_or(Index(0), |&(index, _)| index);
        if header.first != before.next() {
            return Err(format!("order: {frame:?} was delivered after {before}"));
        }
        self.delivered.push((header.last(), header.chain));
        Ok(())
    }
}

/// Every state of a member that was met, and what each step leads to.
pub(super) struct Locals {
    members: usize,
    learners: usize,
    window_bytes: usize,
    states: Vec<Local>,
    numbers: HashMap<u128, u32>,
    messages: Vec<Sent>,
    message_numbers: HashMap<u128, u32>,
    steps: HashMap<(u32, Step), Outcome>,
}

/// The state after, and what was sent: link and message.
type Outcome = (u32, Vec<(u8, u32)>);

impl Locals {
    pub fn new(bounds: &Bounds) -> Self {
        let Bounds { members, learners, window_bytes, .. } = *bounds;
        let (numbers, message_numbers, steps) = Default::default();
        let (states, messages) = (Vec::new(), Vec::new());
        Self { members, learners, window_bytes, states, numbers, messages, message_numbers, steps }
    }

    pub fn len(&self) -> usize {
        self.states.len()
    }

    pub fn get(&self, number: u32) -> &Local {
        &self.states[number as usize]
    }

    /// A member that begins, connected with the others.
    pub fn first(&mut self, at: usize) -> u32 {
        let vote = Vote { birth: BIRTH, incarnation: incarnation(at as u8), listed: true, ..Vote::default() };
        let disk = Disk { vote, ..Disk::default() };
        let (mut local, effects) = self.boot(at as u8, 0, disk).expect("an empty disk is well");
        let sent = perform(&mut local, effects).expect("it begins");
        assert!(sent.is_empty(), "nobody leads yet");
        // Its first vote record is written before anything happens.
        let (mut local, sent) = act(&local, &self.messages, Step::StoreVote).expect("it begins");
        assert!(sent.is_empty(), "nobody leads yet");
        local.disk.cuts = 0;
        self.intern(local)
    }

    fn intern(&mut self, local: Local) -> u32 {
        let next = self.states.len() as u32;
        let number = *self.numbers.entry(local.canonical()).or_insert(next);
        if number == next {
            self.states.push(local);
        }
        number
    }

    /// The step from one state, computed or known.
    ///
    /// # Errors
    /// A rule that one member alone breaks, or a panic.
    pub fn step(&mut self, from: u32, step: Step) -> Result<Outcome, String> {
        if let Some(known) = self.steps.get(&(from, step)) {
            return Ok(known.clone());
        }
        let before = &self.states[from as usize];
        let result = catch_unwind(AssertUnwindSafe(|| match step {
            Step::Crash { lose_frames, lose_votes } => {
                let mut disk = before.disk.clone();
                disk.crash(lose_frames, lose_votes);
                let (mut local, effects) = self.boot(before.at, before.life + 1, disk)?;
                let sent = perform(&mut local, effects)?;
                Ok((local, sent))
            }
            step => act(before, &self.messages, step),
        }));
        let (local, sent) = result.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            Err(format!("panic: {}", text.unwrap_or("of an unknown kind")))
        })?;
        let state = self.intern(local);
        let sent = sent.into_iter().map(|(to, sent)| self.post(to, sent)).collect();
        self.steps.insert((from, step), (state, sent));
        Ok(self.steps[&(from, step)].clone())
    }

    /// The ballot under which a message acknowledges entries, if it does.
    pub fn acknowledges(&self, message: u32) -> Option<Ballot> {
        match self.messages[message as usize].message {
            Message::Ack { ballot, .. } => Some(ballot),
            _ => None,
        }
    }

    /// A copy of a message as it would be in another birth of the group.
    pub fn of_another_birth(&mut self, to: u8, message: u32) -> u32 {
        let mut sent = self.messages[message as usize].clone();
        sent.label.birth = Birth(BIRTH.0 + 1);
        self.post(to, sent).1
    }

    fn post(&mut self, to: u8, sent: Sent) -> (u8, u32) {
        let text = format!("{}{to}{:?}{:?}{:?}", sent.from, sent.label, sent.message, sent.payload);
        let next = self.messages.len() as u32;
        let number = *self.message_numbers.entry(xxhash_rust::xxh3::xxh3_128(text.as_bytes())).or_insert(next);
        let on = link(sent.from, to, sent.channel == Channel::Bulk);
        if number == next {
            self.messages.push(sent);
        }
        (on, number)
    }

    /// A process begins over a disk, and its connections come up.
    fn boot(&self, at: u8, life: u8, disk: Disk) -> Result<(Local, Effects), String> {
        let decided = disk.frames.iter().map(|frame| frame.header().decided).max().unwrap_or_default();
        let mut base = Point { index: Index(0), ballot: Ballot::ZERO, chain: CHAIN_START };
        let (mut sequencer, mut rest) = (Sequencer::default(), Vec::new());
        let mut view = (Index(0), first_view(self.members, self.learners));
        let replayed: Vec<Frame> =
            disk.frames.iter().filter(|frame| frame.header().last() <= decided).cloned().collect();
        for frame in &disk.frames {
            if frame.header().last() > decided {
                rest.push(frame.clone());
                continue;
            }
            for (index, entry) in frame.entries() {
                sequencer.accept(entry.stamp());
                if let Some(ArchivedBody::View(found)) = entry.view().map(|entry| &entry.body) {
                    let found = rkyv::deserialize::<View, rkyv::rancor::Error>(found);
                    view = (index, found.map_err(|error| error.to_string())?);
                }
            }
            base = point_after(frame);
        }
        let mut log = Tail::new(base);
        rest.into_iter().for_each(|frame| log.append(frame));
        log.on_synced(log.last(), log.cuts());
        let (heartbeat_us, suspicion_us) = (FOR_EVER_US, FOR_EVER_US);
        let timing = Timing { heartbeat_us, suspicion_us, unreachable_us: FOR_EVER_US, expel_us: FOR_EVER_US };
        let config = GroupConfig {
            me: listed(at),
            run: disk.vote.run.successor(1),
            synced_on_append: false,
            write_concurrency: 10,
            window_bytes: self.window_bytes,
            timing,
            seed: 1,
        };
        let vote = Vote { generation: 0, ..disk.vote };
        let mut group = Group::member(config, vote, log, view, sequencer);
        let mut out = Effects::default();
        group.start(NOW, &mut out);
        for peer in (0..self.members as u8).filter(|&peer| peer != at) {
            group.step(NOW, Input::PeerUp(incarnation(peer)), &mut out);
        }
        group.turn(NOW, &mut out);
        let first = (Index(0), (0..(self.members - self.learners) as u8).collect());
        let mut local = Local {
            at,
            members: self.members,
            life,
            group,
            disk,
            delivered: Vec::new(),
            views: vec![first],
            stamps: Vec::new(),
            after_leave: false,
            next_number: 1,
        };
        for frame in &replayed {
            local.deliver(frame)?;
        }
        Ok((local, out))
    }
}

/// One step of one member.
fn act(before: &Local, messages: &[Sent], step: Step) -> Result<(Local, Vec<(u8, Sent)>), String> {
    let mut local = before.clone();
    let mut out = Effects::default();
    let me = local.group.me();
    let group = &mut local.group;
    match step {
        Step::Receive(number) => {
            let Sent { from, label, message, payload, .. } = messages[number as usize].clone();
            let (from, address) = (incarnation(from), format!("m{from}:1"));
            group.step(NOW, Input::Received { from, address, label, message, payload }, &mut out);
        }
        Step::Sync => {
            local.disk.synced = local.disk.end();
            let (index, cuts) = (local.disk.synced, local.disk.cuts);
            group.step(NOW, Input::Synced { index, cuts }, &mut out);
        }
        Step::StoreVote => {
            let (vote, ..) = local.disk.votes.remove(0);
            local.disk.vote = vote;
            group.step(NOW, Input::VoteStored { generation: vote.generation }, &mut out);
        }
        Step::Stand => stand(group, &mut out),
        Step::Propose => {
            let number = local.next_number;
            local.next_number += 1;
            let stamp = Stamp { origin: me, run: group.vote().run, number };
            let mut batch = BatchBuilder::new();
            batch.push(&Entry { stamp, body: Body::Marker });
            group.propose(number, batch);
        }
        Step::Leave => group.leave(NOW),
        Step::Reconnect(peer) => {
            group.step(NOW, Input::PeerDown(incarnation(peer)), &mut out);
            group.step(NOW, Input::PeerUp(incarnation(peer)), &mut out);
        }
        Step::Crash { .. } => unreachable!("it is no step of a process"),
    }
    local.group.turn(NOW, &mut out);
    let sent = perform(&mut local, out)?;
    Ok((local, sent))
}

/// A member stands, as it does when its patience with its leader has ended. The pre-vote only keeps members
/// from standing needlessly, so nothing may rest on it; a planned hand-over has none. So a hand-over from
/// the leader of the promised ballot, if there ever was one, is the way in.
fn stand(group: &mut Group, out: &mut Effects) {
    let (me, promised) = (group.me(), group.vote().promised);
    let label = Label { to: me, birth: group.vote().birth };
    let higher = Ballot { round: promised.round + 1, node: me };
    let mut receive = |from: Incarnation, message: Message| {
        let (address, payload) = (format!("m{}:1", from.0.wrapping_sub(1)), Buffer::new());
        group.step(NOW, Input::Received { from, address, label, message, payload }, out);
    };
    if promised.node == me {
        // A stand that got nowhere is given up first.
        let other = Ballot { round: promised.round, node: Incarnation(u64::MAX) };
        receive(me, Message::Refused { ballot: promised, promised: other });
    }
    receive(promised.node, Message::Handover { ballot: promised, next: higher });
}

/// Performs effects in order; what was sent, and to whom.
fn perform(local: &mut Local, mut out: Effects) -> Result<Vec<(u8, Sent)>, String> {
    let mut all = Vec::new();
    while let Some(effect) = out.pop() {
        match effect {
            Effect::Send { channel: Channel::Liveness, .. } => {}
            Effect::Send { to: Peer::Member(to), channel, label, message, payload } => {
                let mut bytes = Buffer::new();
                match payload {
                    Payload::None => {}
                    Payload::Entries(entries) => bytes = entries,
                    Payload::Frames(frames) => frames.iter().for_each(|frame| bytes.extend_from_slice(frame.bytes())),
                }
                let sent = Sent { from: local.at, channel, label, message, payload: bytes };
                all.push((node_of(to), sent));
            }
            Effect::Append(frame) => {
                if frame.header().first != local.disk.end().next() {
                    return Err(format!("log: {frame:?} does not follow {}", local.disk.end()));
                }
                local.check_view(&frame)?;
                local.disk.frames.push(frame);
            }
            Effect::Cut { after } => {
                let delivered = local.delivered.last().map_or(Index(0), |&(index, _)| index);
                if after < delivered {
                    return Err(format!("cut: after {after}, and {delivered} was delivered"));
                }
                local.disk.frames.retain(|frame| frame.header().last() <= after);
                local.disk.synced = local.disk.synced.min(after);
                local.disk.cuts += 1;
                // The cut is recorded with the vote, and synced: what was being written is.
                if let Some((vote, ..)) = local.disk.votes.last() {
                    local.disk.vote = *vote;
                }
            }
            Effect::StoreVote(vote) => {
                let (end, cuts) = (local.disk.end(), local.disk.cuts);
                local.disk.votes.push((vote, end, cuts));
            }
            Effect::Read { token, after, .. } => {
                let frames: Vec<_> =
                    local.disk.frames.iter().filter(|frame| frame.header().first > after).cloned().collect();
                local.group.step(NOW, Input::ReadDone { token, frames }, &mut out);
            }
            Effect::Deliver(frame) => local.deliver(&frame)?,
            _ => {}
        }
    }
    Ok(all)
}
