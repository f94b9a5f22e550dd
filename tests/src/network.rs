//! A network of its own for real processes: a namespace for each member and one for the clients, whose
//! only way out is a TUN device each. One thread here is all the wire between them, so that a test can
//! lose, delay and cut packets in each direction, on any kernel that has namespaces and TUN.
//!
//! Needs root, and `ip` from Debian's iproute2.
//!
//! Invariant: no packet leaves the namespaces made here, and none of those outlives the value that
//! stands for them.

use rustix::event::epoll;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use rustix::time::Timespec;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tun_rs::{DeviceBuilder, SyncDevice};

/// Packets as large as the loopback device's: what is measured is the members, not the wire.
const MTU: u16 = 65_000;
/// Packets on their way at once; more are lost, as in any router.
const PACKETS_MAX: usize = 20_000;

/// What one direction between two places does to packets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Link {
    /// Nothing passes.
    pub cut: bool,
    /// Packets lost, of a million.
    pub loss_ppm: u32,
    /// How long each one takes.
    pub delay: Duration,
    /// Up to so much more, drawn for each one: later packets may overtake.
    pub jitter: Duration,
}

/// Where the clients are; members are at 1 and so on.
pub const CLIENTS: usize = 0;

#[derive(Debug)]
struct Shared {
    /// By place from and place to.
    links: Mutex<Vec<Vec<Link>>>,
    stop: AtomicBool,
    passed: AtomicU64,
    lost: AtomicU64,
}

/// See the module.
#[derive(Debug)]
pub struct Network {
    names: Vec<String>,
    shared: Arc<Shared>,
    wire: Option<JoinHandle<()>>,
}

impl Network {
    /// Namespaces for `members` members and the clients, all links perfect.
    ///
    /// # Errors
    /// What this machine does not allow, in words.
    pub fn new(members: usize) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::new(Shared {
            links: Mutex::new(vec![vec![Link::default(); members + 1]; members + 1]),
            stop: AtomicBool::new(false),
            passed: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        });
        let mut network = Self { names: Vec::new(), shared, wire: None };
        let mut devices = Vec::new();
        for place in 0..=members {
            let name = format!("quorate-{}-{number}-{place}", std::process::id());
            ip(&["netns", "add", &name])?;
            network.names.push(name.clone());
            ip(&["-n", &name, "link", "set", "lo", "up"])?;
            devices.push(device(&name, address(place)).map_err(|error| format!("a TUN device in {name}: {error}"))?);
        }
        let shared = network.shared.clone();
        let wire = Wire::new(devices, shared).map_err(|error| error.to_string())?;
        network.wire = Some(std::thread::spawn(move || wire.run()));
        Ok(network)
    }

    /// Moves the calling thread, and threads and processes that it begins later, to the clients' place.
    ///
    /// # Errors
    /// What the system said.
    pub fn enter(&self) -> Result<(), String> {
        enter(&self.names[CLIENTS]).map_err(|error| format!("entering {}: {error}", self.names[CLIENTS]))
    }

    /// Runs something at a place, on a thread of its own.
    ///
    /// # Panics
    /// When it panics, or the place cannot be entered.
    pub fn within<T: Send>(&self, place: usize, run: impl FnOnce() -> T + Send) -> T {
        let name = &self.names[place];
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                enter(name).expect("it was made by this process");
                run()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Command that runs another one at a place.
    #[must_use]
    pub fn wrapper(&self, place: usize) -> Vec<String> {
        ["ip", "netns", "exec", &self.names[place]].map(str::to_owned).to_vec()
    }

    /// Sets one direction.
    ///
    /// # Panics
    /// When a place does not exist.
    pub fn set(&self, from: usize, to: usize, link: Link) {
        self.shared.links.lock().expect("the wire does not panic")[from][to] = link;
    }

    /// Sets both directions between a member and every other member (the clients' stay as they are).
    pub fn set_around(&self, member: usize, link: Link) {
        for other in (1..self.names.len()).filter(|&other| other != member) {
            self.set(member, other, link);
            self.set(other, member, link);
        }
    }

    /// All links are perfect again.
    ///
    /// # Panics
    /// When the wire has panicked.
    pub fn heal(&self) {
        let mut links = self.shared.links.lock().expect("the wire does not panic");
        links.iter_mut().flatten().for_each(|link| *link = Link::default());
    }

    /// Packets that passed and that were lost so far.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.shared.passed.load(Ordering::Relaxed), self.shared.lost.load(Ordering::Relaxed))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(wire) = self.wire.take() {
            let _ = wire.join();
        }
        for name in &self.names {
            let _ = ip(&["netns", "del", name]);
        }
    }
}

/// A place's address, within the namespaces only.
#[must_use]
pub fn address(place: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, place as u8 + 1)
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| format!("ip (iproute2): {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("ip {}: {}", arguments.join(" "), said.trim())) }
}

fn enter(name: &str) -> io::Result<()> {
    let namespace = File::open(format!("/run/netns/{name}"))?;
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
}

/// A TUN device in a namespace. It is made on a thread of its own: a thread is in one namespace at a time.
fn device(name: &str, address: Ipv4Addr) -> io::Result<SyncDevice> {
    let name = name.to_owned();
    let made = std::thread::spawn(move || {
        enter(&name)?;
        let builder = DeviceBuilder::new().name("wire0").ipv4(address, 24, None).mtu(MTU).with(|builder| {
            builder.tx_queue_len(5000);
        });
        let device = builder.build_sync()?;
        device.set_nonblocking(true)?;
        Ok(device)
    });
    made.join().unwrap_or_else(|_| Err(io::Error::other("the thread that makes it panicked")))
}

/// A packet on its way: when it arrives, in which order it left, where to, and its bytes.
type Parcel = Reverse<(Instant, u64, usize, Vec<u8>)>;

struct Wire {
    epoll: OwnedFd,
    devices: Vec<SyncDevice>,
    shared: Arc<Shared>,
    delayed: BinaryHeap<Parcel>,
    sequence: u64,
    random: u64,
}

impl Wire {
    fn new(devices: Vec<SyncDevice>, shared: Arc<Shared>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (place, device) in devices.iter().enumerate() {
            epoll::add(&epoll, device, epoll::EventData::new_u64(place as u64), epoll::EventFlags::IN)?;
        }
        Ok(Self { epoll, devices, shared, delayed: BinaryHeap::new(), sequence: 0, random: 1 })
    }

    fn run(mut self) {
        let mut events = [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }; 16];
        let mut packet = vec![0; usize::from(MTU) + 100];
        while !self.shared.stop.load(Ordering::Relaxed) {
            let wait = match self.delayed.peek() {
                Some(Reverse((at, ..))) => at.saturating_duration_since(Instant::now()),
                None => Duration::from_millis(50),
            };
            let wait = wait.min(Duration::from_millis(50));
            let wait = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
            let count = epoll::wait(&self.epoll, &mut events[..], Some(&wait)).unwrap_or(0);
            for event in &events[..count] {
                let from = { event.data }.u64() as usize;
                // Some packets of each in turn: nobody takes the wire for itself.
                for _ in 0..64 {
                    let Ok(length) = self.devices[from].recv(&mut packet) else { break };
                    self.take(from, &packet[..length]);
                }
            }
            let now = Instant::now();
            while self.delayed.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
                if let Some(Reverse((_, _, to, bytes))) = self.delayed.pop() {
                    self.pass(to, &bytes);
                }
            }
        }
    }

    fn take(&mut self, from: usize, packet: &[u8]) {
        // The last byte of an IPv4 packet's destination names the place.
        let to = match packet {
            [head, ..] if head >> 4 == 4 && packet.len() >= 20 => usize::from(packet[19]).wrapping_sub(1),
            _ => return,
        };
        let link = self.shared.links.lock().ok().and_then(|links| links[from].get(to).copied());
        let Some(link) = link.filter(|_| packet[16..19] == [10, 77, 0]) else { return };
        if link.cut || self.below(1_000_000) < u64::from(link.loss_ppm) {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if link.delay.is_zero() && link.jitter.is_zero() {
            self.pass(to, packet);
        } else if self.delayed.len() < PACKETS_MAX {
            let more = self.below(link.jitter.as_micros() as u64 + 1);
            let at = Instant::now() + link.delay + Duration::from_micros(more);
            self.sequence += 1;
            self.delayed.push(Reverse((at, self.sequence, to, packet.to_vec())));
        } else {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A device whose queue is full loses the packet, as a wire does.
    fn pass(&self, to: usize, packet: &[u8]) {
        let counter = match self.devices[to].send(packet) {
            Ok(_) => &self.shared.passed,
            Err(_) => &self.shared.lost,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn below(&mut self, bound: u64) -> u64 {
        // Xorshift: which packets are lost needs to be spread, not secret.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        ((u128::from(self.random) * u128::from(bound)) >> 64) as u64
    }
}
