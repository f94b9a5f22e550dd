//! The group alone: three members' consensus, each on a thread of its own, over loopback sockets.
//!
//! Each member is the deterministic core with a driver of the plainest kind: wait for sockets, step,
//! one turn, perform the effects, sync. The member that leads keeps the entries in flight and sees
//! them delivered.
//!
//! Absent on purpose: the vote file (it is not written between elections), and peers that lag beyond
//! what the core keeps in memory: nothing here is slow for that long.

use super::{Durability, ENTRY_BYTES, Exchange, ExchangeError, Sample, entry, pin, renumber, socket_pair};
use engine_core::effect::{Effect, Effects, Input, Instant as CoreInstant, Peer, Vote};
use engine_core::paxos::tail::Tail;
use engine_core::paxos::{Group, GroupConfig, Timing};
use engine_core::sequencer::Sequencer;
use engine_log::{Log, LogError, LogOptions, Spare, SpareRequest};
use node::load::Latencies;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wire::entry::{View, ViewCause, ViewMember, VotingRole};
use wire::frame::{BatchBuilder, Frame};
use wire::id::{Birth, Incarnation, Index, Run, Uuid};
use wire::message::{Decoder, Outbox};

const MEMBERS: usize = 3;
const RUN: Run = Run(1 << 32);
const WARM_UP: Duration = Duration::from_millis(300);
/// In memory, entries of 64 KiB are handed over at once: followers work on them while the next are put together. With
/// 1024 in flight half of them are known agreed upon after 266 us instead of 335 (raw sockets: 209), as many a second.
/// With disks one write and one sync for all cost less: 0.43 of what raw files do, 0.27 in parts.
const BATCH_ENTRIES: u64 = (64 << 10) / ENTRY_BYTES as u64;
/// Parts of an outbox that are written at once.
const PARTS_MAX: usize = 16;
/// A member may be so many entries behind: about what sockets hold before the calibrator waits too.
const BEHIND_MAX: u64 = (4 << 20) / ENTRY_BYTES as u64;
const ELECTION_TIMEOUT: Duration = Duration::from_secs(15);
/// A measurement during which the leader changed counts nothing; it is tried so often.
const ATTEMPTS: usize = 5;
/// A leader is suspected later than by default: these members sync their logs on the thread that says that they
/// live, which the node does not.
const SUSPICION_US: u64 = 1_000_000;

/// What the measuring thread and the members tell one another.
#[derive(Default)]
struct Shared {
    end: AtomicBool,
    /// Entries that the leader is to keep in flight.
    in_flight: AtomicUsize,
    /// Entries seen delivered by the member that proposed them.
    commits: AtomicU64,
    /// Incarnation of the member that leads; 0 for none.
    leader: AtomicU64,
    /// How far each member's log reaches.
    last: [AtomicU64; MEMBERS],
    /// Latencies since the last look, when wanted.
    latencies: Mutex<Latencies>,
    failed: Mutex<Option<ExchangeError>>,
}

/// Three members; they end when this is dropped.
pub struct Consensus {
    shared: Arc<Shared>,
    members: Vec<JoinHandle<()>>,
}

impl Consensus {
    /// Starts the members and waits until they have a leader.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn new(durability: &Durability) -> Result<Self, ExchangeError> {
        let shared = Arc::new(Shared::default());
        let mut links: Vec<Vec<Link>> = (0..MEMBERS).map(|_| Vec::new()).collect();
        for one in 0..MEMBERS {
            for other in one + 1..MEMBERS {
                let (left, right) = socket_pair()?;
                links[one].push(Link::new(incarnation(other), left)?);
                links[other].push(Link::new(incarnation(one), right)?);
            }
        }
        let mut members = Vec::new();
        for (at, links) in links.into_iter().enumerate() {
            let disk = match durability {
                Durability::Memory => None,
                Durability::Disk(dir) => Some(Disk::new(&dir.join(format!("member{at}")))?),
            };
            let member_shared = Arc::clone(&shared);
            let work = move || {
                pin(at);
                if let Err(error) = Member::new(at, links, disk, Arc::clone(&member_shared)).run() {
                    let mut failed = member_shared.failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.get_or_insert(error);
                    member_shared.end.store(true, Ordering::Relaxed);
                }
            };
            members.push(std::thread::Builder::new().name(format!("member{at}")).spawn(work)?);
        }
        let consensus = Self { shared, members };
        let deadline = Instant::now() + ELECTION_TIMEOUT;
        while consensus.shared.leader.load(Ordering::Relaxed) == 0 {
            consensus.check()?;
            if Instant::now() > deadline {
                return Err(ExchangeError::Leader("none was elected"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(consensus)
    }

    fn check(&self) -> Result<(), ExchangeError> {
        let mut failed = self.shared.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match failed.take() {
            Some(error) => Err(error),
            None if self.members.iter().any(JoinHandle::is_finished) => {
                Err(ExchangeError::Ended("its thread is gone".to_owned()))
            }
            None => Ok(()),
        }
    }
}

impl Exchange for Consensus {
    fn measure(&mut self, in_flight: usize, time: Duration) -> Result<Sample, ExchangeError> {
        for _ in 0..ATTEMPTS {
            if let Some(sample) = self.attempt(in_flight, time)? {
                return Ok(sample);
            }
        }
        Err(ExchangeError::Leader("it changed while measuring, again and again"))
    }
}

impl Consensus {
    /// One measurement; `None` when the leader changed meanwhile, as on a machine that is too busy for a while.
    fn attempt(&self, in_flight: usize, time: Duration) -> Result<Option<Sample>, ExchangeError> {
        let shared = &self.shared;
        let leader = shared.leader.load(Ordering::Relaxed);
        shared.in_flight.store(in_flight, Ordering::Relaxed);
        std::thread::sleep(WARM_UP);
        shared.latencies.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let (before, begin) = (shared.commits.load(Ordering::Relaxed), Instant::now());
        std::thread::sleep(time);
        let (after, seconds) = (shared.commits.load(Ordering::Relaxed), begin.elapsed().as_secs_f64());
        let latencies = shared.latencies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        shared.in_flight.store(0, Ordering::Relaxed);
        self.check()?;
        // What is in flight drains before the other exchange is measured.
        std::thread::sleep(Duration::from_millis(20));
        let stable = leader != 0 && shared.leader.load(Ordering::Relaxed) == leader && after > before;
        Ok(stable.then_some(Sample { commits: after - before, seconds, latencies }))
    }
}

impl Drop for Consensus {
    fn drop(&mut self) {
        self.shared.end.store(true, Ordering::Relaxed);
        for member in self.members.drain(..) {
            let _ = member.join();
        }
    }
}

fn incarnation(at: usize) -> Incarnation {
    Incarnation(at as u64 + 1)
}

fn view_member(at: usize) -> ViewMember {
    ViewMember {
        uuid: Uuid::from_random(at as u128 + 1),
        incarnation: incarnation(at),
        role: VotingRole::Voter,
        weight: 50,
        version: 80_036,
        server_id: at as u32 + 1,
        host: "127.0.0.1".to_owned(),
        port: 0,
        address: format!("127.0.0.1:{at}"),
    }
}

/// One connection, both ways.
struct Link {
    peer: Incarnation,
    socket: TcpStream,
    decoder: Decoder,
    outbox: Outbox,
}

impl Link {
    fn new(peer: Incarnation, socket: TcpStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let mut decoder = Decoder::default();
        decoder.greeted(); // Both ends are this program's.
        Ok(Self { peer, socket, decoder, outbox: Outbox::default() })
    }

    /// Reads what is there, once.
    fn receive(&mut self) -> io::Result<()> {
        match self.socket.read(self.decoder.space()) {
            Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            Ok(count) => {
                self.decoder.filled(count);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            let parts: Vec<_> = self.outbox.parts().take(PARTS_MAX).map(IoSlice::new).collect();
            match self.socket.write_vectored(&parts) {
                Ok(count) => self.outbox.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A member's log, with the next segment made on another thread, as the node does.
struct Disk {
    log: Log,
    requests: Sender<SpareRequest>,
    spares: Receiver<Result<Spare, LogError>>,
}

impl Disk {
    fn new(dir: &Path) -> Result<Self, ExchangeError> {
        std::fs::create_dir_all(dir)?;
        let (mut log, _) = Log::open(dir, LogOptions { sync: true, ..LogOptions::default() })?;
        log.prepare_next()?;
        let (requests, to_make) = channel::<SpareRequest>();
        let (made, spares) = channel();
        let work = move || {
            while let Ok(request) = to_make.recv() {
                if made.send(request.create()).is_err() {
                    break;
                }
            }
        };
        std::thread::Builder::new().name("spares".to_owned()).spawn(work)?;
        Ok(Self { log, requests, spares })
    }

    fn sync(&mut self, decided: Index) -> Result<Index, ExchangeError> {
        self.log.sync_now()?;
        if let Ok(spare) = self.spares.try_recv() {
            self.log.adopt_spare(spare)?;
        }
        if let Some(request) = self.log.spare_request() {
            self.log.purge_before(decided)?;
            self.requests.send(request).map_err(|_| ExchangeError::Ended("no more segments".to_owned()))?;
        }
        Ok(self.log.synced_index())
    }
}

struct Member {
    group: Group,
    links: Vec<Link>,
    disk: Option<Disk>,
    shared: Arc<Shared>,
    effects: Effects,
    begin: Instant,
    entry: Vec<u8>,
    /// Own entries handed over so far.
    proposed: u64,
    /// Own entries seen delivered.
    delivered: u64,
    /// When time alone makes something due.
    due: CoreInstant,
    /// When batches were handed over: (last number, how many, when).
    handed: VecDeque<(u64, u64, Instant)>,
    unsynced: bool,
}

impl Member {
    fn new(at: usize, links: Vec<Link>, disk: Option<Disk>, shared: Arc<Shared>) -> Self {
        let view = View {
            birth: Birth(1),
            counter: 1,
            members: (0..MEMBERS).map(view_member).collect(),
            cause: ViewCause::Bootstrap,
        };
        let config = GroupConfig {
            me: view_member(at),
            run: RUN,
            synced_on_append: disk.is_none(),
            write_concurrency: 10,
            window_bytes: 4 << 20,
            timing: Timing { suspicion_us: SUSPICION_US, ..Timing::default() },
            seed: at as u64 + 1,
        };
        let vote = Vote { birth: Birth(1), incarnation: incarnation(at), run: RUN, listed: true, ..Vote::default() };
        let group = Group::member(config, vote, Tail::empty(), (Index(0), view), Sequencer::default());
        Self {
            group,
            links,
            disk,
            shared,
            effects: Effects::default(),
            begin: Instant::now(),
            entry: entry(incarnation(at), RUN),
            proposed: 0,
            delivered: 0,
            due: CoreInstant(0),
            handed: VecDeque::new(),
            unsynced: false,
        }
    }

    fn now(&self) -> CoreInstant {
        CoreInstant(self.begin.elapsed().as_micros() as u64)
    }

    fn run(mut self) -> Result<(), ExchangeError> {
        self.group.start(self.now(), &mut self.effects);
        for at in 0..self.links.len() {
            let peer = self.links[at].peer;
            self.group.step(self.now(), Input::PeerUp(peer), &mut self.effects);
        }
        self.perform()?;
        while !self.shared.end.load(Ordering::Relaxed) {
            let received = self.receive()?;
            // What came is a part of a message: there is nothing to do yet.
            if !(self.propose() || received) && self.now() < self.due {
                continue;
            }
            self.turn()?;
            while self.propose() {
                self.turn()?;
            }
            if std::mem::take(&mut self.unsynced) {
                self.sync()?;
                self.turn()?;
            }
            // Whatever became free is used again before the next wait.
            while self.propose() {
                self.turn()?;
            }
        }
        Ok(())
    }

    fn turn(&mut self) -> Result<(), ExchangeError> {
        let now = self.now();
        self.group.turn(now, &mut self.effects);
        self.due = self.group.next_timer(now);
        self.perform()?;
        let at = self.group.me().0 as usize - 1;
        self.shared.last[at].store(self.group.log().last().0, Ordering::Relaxed);
        if self.group.leads() {
            self.shared.leader.store(self.group.me().0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Which links can be read, once one can or time has made something due.
    fn wait(&self) -> io::Result<[bool; MEMBERS - 1]> {
        let us = self.due.since(self.now());
        let timeout = Timespec { tv_sec: (us / 1_000_000) as _, tv_nsec: (us % 1_000_000 * 1000) as _ };
        let interest =
            |link: &Link| if link.outbox.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
        let mut ready: Vec<PollFd<'_>> =
            self.links.iter().map(|link| PollFd::new(&link.socket, interest(link))).collect();
        match poll(&mut ready, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut readable = [false; MEMBERS - 1];
        for (readable, ready) in readable.iter_mut().zip(&ready) {
            *readable = ready.revents().intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR);
        }
        Ok(readable)
    }

    /// Waits for something to come. Whether that was a whole message.
    fn receive(&mut self) -> Result<bool, ExchangeError> {
        let (readable, mut whole) = (self.wait()?, false);
        let now = self.now();
        for (link, _) in self.links.iter_mut().zip(readable).filter(|(_, readable)| *readable) {
            match link.receive() {
                // The other side ended first: the measurement is over.
                Err(_) if self.shared.end.load(Ordering::Relaxed) => return Ok(true),
                other => other?,
            }
            while let Some(received) = link.decoder.next_message()? {
                let input = Input::Received {
                    from: link.peer,
                    address: String::new(),
                    label: received.label,
                    message: received.message,
                    payload: received.payload,
                };
                self.group.step(now, input, &mut self.effects);
                whole = true;
            }
        }
        for link in self.links.iter_mut().filter(|link| !link.outbox.is_empty()) {
            match link.flush() {
                Err(_) if self.shared.end.load(Ordering::Relaxed) => return Ok(true),
                other => other?,
            }
        }
        Ok(whole)
    }

    /// The leader fills up what is to be in flight. Whether it handed anything over.
    fn propose(&mut self) -> bool {
        let wanted = self.shared.in_flight.load(Ordering::Relaxed) as u64;
        let most = if self.disk.is_none() { BATCH_ENTRIES } else { u64::MAX };
        let free = wanted.saturating_sub(self.proposed - self.delivered).min(most);
        if free == 0 || !self.group.leads() {
            return false;
        }
        // Else the slower member would soon need what the core does not keep in memory, and only one follow.
        let reached = self.shared.last.iter().map(|last| last.load(Ordering::Relaxed)).min().unwrap_or_default();
        if reached + BEHIND_MAX < self.group.log().last().0 {
            return false;
        }
        let mut batch = BatchBuilder::with_capacity(free as usize * ENTRY_BYTES);
        for number in self.proposed + 1..=self.proposed + free {
            renumber(&mut self.entry, number);
            batch.push_raw(&self.entry);
        }
        self.group.propose(self.proposed + 1, batch);
        self.proposed += free;
        self.handed.push_back((self.proposed, free, Instant::now()));
        true
    }

    fn perform(&mut self) -> Result<(), ExchangeError> {
        while let Some(effect) = self.effects.pop() {
            match effect {
                Effect::Send { to: Peer::Member(to), label, message, payload, .. } => {
                    let Some(link) = self.links.iter_mut().find(|link| link.peer == to) else { continue };
                    link.outbox.push(&message, label, payload.trailer(), 0);
                }
                Effect::Append(frame) => {
                    if let Some(disk) = &mut self.disk {
                        // Sent before it is written: the followers' disks and this one work at once.
                        for link in &mut self.links {
                            link.flush()?;
                        }
                        disk.log.append(&frame)?;
                        self.unsynced = true;
                    }
                }
                Effect::Deliver(frame) => self.on_delivered(&frame),
                Effect::StoreVote(vote) => {
                    let stored = Input::VoteStored { generation: vote.generation };
                    self.group.step(self.now(), stored, &mut self.effects);
                }
                Effect::Read { token, .. } => {
                    let input = Input::ReadDone { token, frames: Vec::new() };
                    self.group.step(self.now(), input, &mut self.effects);
                }
                Effect::Cut { after } => {
                    if let Some(disk) = &mut self.disk {
                        let cut = disk.log.cut_point(after)?;
                        disk.log.cut_after(cut)?;
                    }
                }
                _ => {}
            }
        }
        for link in &mut self.links {
            match link.flush() {
                Err(_) if self.shared.end.load(Ordering::Relaxed) => {}
                other => other?,
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), ExchangeError> {
        let Some(disk) = &mut self.disk else { return Ok(()) };
        let index = disk.sync(self.group.log().decided())?;
        let cuts = self.group.log().cuts();
        self.group.step(self.now(), Input::Synced { index, cuts }, &mut self.effects);
        Ok(())
    }

    fn on_delivered(&mut self, frame: &Frame) {
        let me = self.group.me();
        // Entries of one origin are delivered in their order: the last one says how far it is.
        let own = frame.stretches().filter(|stretch| stretch.first.origin == me).map(|stretch| stretch.last());
        let Some(last) = own.max() else { return };
        let count = last.saturating_sub(self.delivered);
        self.delivered += count;
        self.shared.commits.fetch_add(count, Ordering::Relaxed);
        let now = Instant::now();
        let mut latencies = self.shared.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(&(number, count, handed)) = self.handed.front() {
            if number > self.delivered {
                break;
            }
            latencies.record_many(now.duration_since(handed), count);
            self.handed.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_members_agree() {
        let mut consensus = Consensus::new(&Durability::Memory).expect("they elect a leader");
        for in_flight in [1, 64] {
            let sample = consensus.measure(in_flight, Duration::from_millis(50)).expect("they agree");
            assert!(sample.commits > 0);
        }
    }
}
