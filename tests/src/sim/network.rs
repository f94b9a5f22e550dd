//! Links between members: delay, loss with the connection, one-way silence. Order holds within a
//! connection and channel, as TCP keeps it.

use super::cluster::{Cluster, Event, Failure, address, node_at};
use engine_core::effect::{Input, Payload, Peer};
use std::collections::{BTreeMap, BTreeSet};
use wire::frame::Buffer;
use wire::id::{Ballot, Incarnation, Uuid};
use wire::message::{Channel, Label, Message};

/// The state of all links.
#[derive(Default)]
pub(super) struct Network {
    /// Counts connections from one member to another: what was on an earlier one is lost.
    epochs: BTreeMap<(usize, usize), u64>,
    arrivals: BTreeMap<(usize, usize, Channel), u64>,
    /// Directions in which nothing arrives.
    pub silent: BTreeSet<(usize, usize)>,
    /// Members that send nothing but heartbeats.
    pub mute: BTreeSet<usize>,
    /// Connections on which something was lost: TCP delivers all that is sent, or ends.
    lossy: BTreeSet<(usize, usize)>,
    /// When, and under which ballot, a member told another last that it agrees to expel somebody.
    agreed: BTreeMap<(usize, usize, Incarnation), (u64, Ballot)>,
    /// As whom each server asked last to join.
    asked: BTreeMap<Uuid, Incarnation>,
}

impl Network {
    /// What is on its way from one member to another is lost.
    pub fn renew(&mut self, from: usize, to: usize) {
        *self.epochs.entry((from, to)).or_default() += 1;
    }

    fn epoch(&self, from: usize, to: usize) -> u64 {
        self.epochs.get(&(from, to)).copied().unwrap_or_default()
    }
}

/// A lost packet is sent again so much later.
const RETRANSMISSION_US: u64 = 200_000;

/// A message on its way.
#[derive(Clone)]
pub(super) struct Parcel {
    from: usize,
    to: usize,
    epoch: u64,
    life: u64,
    incarnation: Incarnation,
    label: Label,
    message: Message,
    payload: Payload,
    /// It arrives although its connection is gone.
    late: bool,
}

fn payload_bytes(payload: &Payload) -> usize {
    match payload {
        Payload::None => 0,
        Payload::Entries(entries) => entries.len(),
        Payload::Frames(frames) => frames.iter().map(|frame| frame.bytes().len()).sum(),
    }
}

/// What was agreed is no older than this when it counts, the longest silence that a leader bears from a voter on a slow
/// machine: heartbeats say it again and again.
const AGREED_US: u64 = 2_000_000;

impl Cluster {
    /// Whether a member told the leader `to` lately that it agrees to an expulsion.
    pub(super) fn agrees(&self, from: usize, to: usize, (ballot, who): (Ballot, Incarnation)) -> bool {
        let agreed = self.network.agreed.get(&(from, to, who));
        agreed.is_some_and(|&(at, under)| under == ballot && self.now - at < AGREED_US)
    }

    /// Whether the server that speaks as `life` has asked to join as another one since.
    pub(super) fn begins_another_life(&self, server: Uuid, life: Incarnation) -> bool {
        self.network.asked.get(&server).is_some_and(|&asked| asked != life)
    }

    fn reachable(&self, from: usize, to: usize) -> bool {
        from != to && self.nodes[to].engine.is_some() && !self.network.silent.contains(&(from, to))
    }

    pub(super) fn send(
        &mut self,
        from: usize,
        to: Peer,
        channel: Channel,
        (label, message, payload): (Label, Message, Payload),
    ) -> Result<(), Failure> {
        let target = match &to {
            Peer::Address(address) => node_at(address),
            Peer::Member(incarnation) => {
                let up = self.nodes[from].up.contains(incarnation);
                self.nodes[from].connect.get(incarnation).copied().filter(|_| up)
            }
        };
        let incarnation = self.nodes[from].speaks_as;
        self.check_words(from, incarnation, &message)?;
        let Some(to) = target else { return Ok(()) };
        if !self.reachable(from, to) || self.is_mute(from, channel) {
            self.network.lossy.insert((from, to));
            return Ok(());
        }
        let faults = if self.faulty { self.setup.faults } else { super::Faults::default() };
        let mut delay = 20 + self.rng.below(self.setup.delay_us) + payload_bytes(&payload) as u64 / 1000;
        while faults.loss && self.rng.percent(5) {
            delay += RETRANSMISSION_US;
        }
        let now = self.now;
        let arrival = self.network.arrivals.entry((from, to, channel)).or_default();
        *arrival = (*arrival + 1).max(now + delay);
        let after = *arrival - now;
        let (epoch, life) = (self.network.epoch(from, to), self.nodes[to].life);
        let late = faults.late && self.rng.percent(50);
        let parcel = Parcel { from, to, epoch, life, incarnation, label, message, payload, late };
        if faults.duplicate && self.rng.percent(3) {
            let again = after + self.rng.below(300_000);
            self.schedule(again, Event::Message(Box::new(Parcel { late: true, ..parcel.clone() })));
        }
        self.schedule(after, Event::Message(Box::new(parcel)));
        Ok(())
    }

    pub(super) fn deliver(&mut self, parcel: Parcel) -> Result<(), Failure> {
        let Parcel { from, to, epoch, life, .. } = parcel;
        if epoch == self.network.epoch(from, to) && self.network.silent.contains(&(from, to)) {
            self.network.lossy.insert((from, to));
        }
        let lost = epoch != self.network.epoch(from, to) && !parcel.late
            || self.nodes[to].life != life
            || !self.reachable(from, to);
        if lost {
            return Ok(());
        }
        if self.nodes[to].paused {
            // It waits in the socket until the process goes on.
            self.schedule(10_000, Event::Message(Box::new(parcel)));
            return Ok(());
        }
        let Parcel { incarnation, label, message, payload, .. } = parcel;
        if let Message::Join(request) = &message {
            self.network.asked.insert(request.member.uuid, request.member.incarnation);
        }
        if let Message::Heartbeat(heartbeat) = &message {
            for &who in &heartbeat.expels {
                self.network.agreed.insert((from, to, who), (self.now, heartbeat.promised));
            }
        }
        let bytes = payload_bytes(&payload);
        self.mix([2, (from * 16 + to) as u64, bytes as u64]);
        self.say(|| format!("m{to} receives from m{from}: {message:?} {payload:?}"));
        let mut aligned = Buffer::with_capacity(bytes);
        match &payload {
            Payload::None => {}
            Payload::Entries(entries) => {
                aligned.extend_from_slice(entries);
                // As on the wire.
                aligned.resize(entries.len().next_multiple_of(16), 0);
            }
            Payload::Frames(frames) => frames.iter().for_each(|frame| aligned.extend_from_slice(frame.bytes())),
        }
        let of_recovery = matches!(message, Message::Recovered { .. });
        self.input(
            to,
            Input::Received { from: incarnation, address: address(from), label, message, payload: aligned },
        )?;
        if of_recovery && self.faulty && self.setup.faults.stop_recovery && self.rng.percent(15) {
            self.stop_recovery(to);
        }
        Ok(())
    }

    /// Connections end where something was lost, and come up where they can.
    pub(super) fn keep_links(&mut self) -> Result<(), Failure> {
        for (from, to) in std::mem::take(&mut self.network.lossy) {
            if self.reachable(from, to) && !self.network.mute.contains(&from) {
                self.break_link(from, to)?;
            } else {
                self.network.lossy.insert((from, to));
            }
        }
        for node in 0..self.nodes.len() {
            if self.nodes[node].engine.is_none() || self.nodes[node].paused {
                continue;
            }
            let wanted: Vec<_> = self.nodes[node].connect.iter().map(|(&who, &at)| (who, at)).collect();
            for (who, at) in wanted {
                if !self.nodes[node].up.contains(&who) && self.reachable(node, at) {
                    self.nodes[node].up.insert(who);
                    self.say(|| format!("m{node} is connected with m{at} ({who:?})"));
                    self.input(node, Input::PeerUp(who))?;
                }
            }
        }
        Ok(())
    }

    /// The connection from one member to another ends, with what is on it.
    pub(super) fn break_link(&mut self, from: usize, to: usize) -> Result<(), Failure> {
        self.network.renew(from, to);
        let gone: Vec<_> = self.nodes[from].connect.iter().filter(|&(_, &at)| at == to).map(|(&who, _)| who).collect();
        for who in gone {
            if self.nodes[from].up.remove(&who) {
                self.say(|| format!("m{from} loses its connection with m{to}"));
                self.input(from, Input::PeerDown(who))?;
            }
        }
        Ok(())
    }
}
