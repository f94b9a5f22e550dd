//! Connections between members: three to each peer (liveness, order, bulk), each written by who
//! opened it. What travels is `engine-core`'s business; here are only sockets and greetings.

use super::dial::dial;
use super::notify::Notify;
use engine_core::effect::{Input, Level, Note, Payload, Peer};
use futures_lite::future::or;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::net::{TcpListener, TcpStream};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::time::{Duration, Instant};
use wire::entry::ViewMember;
use wire::id::{Incarnation, Run, Uuid};
use wire::message::{Channel, Decoder, Hello, Label, MAGIC, Message, Outbox, PROTOCOL, Received, Trailer, encode};

/// What waits for one connection at most; a peer that is slower is cut off and starts over.
const OUT_BYTES_MAX: usize = 128 << 20;
/// Pause before a connection is tried again.
const RETRY: Duration = Duration::from_millis(100);
/// Longest wait for a connection, a greeting or its answer.
const GREETING: Duration = Duration::from_secs(5);

/// How long a killed process may hold its port.
const RELEASE: Duration = Duration::from_secs(1);
/// Different refusals that are said at most: a peer that makes up names does not fill the log.
const REFUSED_MAX: usize = 100;

/// Who this member is to its peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `group_replication_group_name`.
    pub group: Uuid,
    /// `server_uuid`.
    pub uuid: Uuid,
    /// Its incarnation; 0 while it joins.
    pub incarnation: Incarnation,
    /// Its run.
    pub run: Run,
    /// Its `local_address`.
    pub address: String,
}

#[derive(Default)]
struct Outgoing {
    out: RefCell<Outbox>,
    ready: Notify,
    closed: Cell<bool>,
}

/// Who is called where on which channel; incarnation 0: whoever answers there. A server that begins another life
/// is called at the same address under two incarnations while the old one is still listed: neither connection
/// may stand in the other's way.
type Called = (String, Incarnation, Channel);

/// See the module.
pub struct Net {
    identity: RefCell<Option<Identity>>,
    links: RefCell<BTreeMap<Called, Rc<Outgoing>>>,
    members: RefCell<BTreeMap<Incarnation, String>>,
    inputs: RefCell<VecDeque<Input>>,
    /// Raised when an input waits.
    pub arrived: Notify,
    listening: RefCell<Option<Listening>>,
    compress_above: Cell<usize>,
    allowlist: RefCell<Allowlist>,
    /// What was said of refused connections.
    refused: RefCell<BTreeSet<String>>,
}

struct Listening {
    address: String,
    task: glommio::Task<()>,
}

/// Which addresses may connect (`group_replication_ip_allowlist`).
#[derive(Clone, Debug, Default)]
pub struct Allowlist(Vec<(IpAddr, u8)>);

impl Allowlist {
    /// Reads AUTOMATIC or a comma list of addresses and host names, each with an optional `/prefix`.
    ///
    /// # Errors
    /// What is wrong with which entry, and what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let automatic = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fe80::/10,fd00::/8";
        let is_automatic = text.trim().eq_ignore_ascii_case("AUTOMATIC") || text.trim().is_empty();
        let list = if is_automatic { automatic } else { text };
        let mut allowed = vec![(IpAddr::from([127, 0, 0, 1]), 32), (IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1u16]), 128)];
        for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            if entry.eq_ignore_ascii_case("AUTOMATIC") {
                return Err("AUTOMATIC cannot stand beside other entries in group_replication_ip_allowlist".into());
            }
            let (host, prefix) = entry.split_once('/').map_or((entry, None), |(host, prefix)| (host, Some(prefix)));
            let addresses: Vec<IpAddr> = match host.parse() {
                Ok(address) => vec![address],
                Err(_) => match (host, 0).to_socket_addrs() {
                    Ok(found) => found.map(|address| address.ip()).collect(),
                    Err(_) => {
                        return Err(format!("'{entry}' in group_replication_ip_allowlist is no address or known host"));
                    }
                },
            };
            for address in addresses {
                let most = if address.is_ipv4() { 32 } else { 128 };
                let bits = match prefix.map(str::parse::<u8>) {
                    None => most,
                    Some(Ok(bits)) if bits <= most => bits,
                    Some(_) => {
                        return Err(format!("'{entry}' in group_replication_ip_allowlist: the prefix is 0 to {most}"));
                    }
                };
                allowed.push((address, bits));
            }
        }
        Ok(Self(allowed))
    }

    /// Whether `address` may connect.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|&(network, bits)| match (network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                u32::from(network) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                u128::from(network) & mask == u128::from(address) & mask
            }
            _ => false,
        })
    }
}

impl Net {
    /// No connections yet.
    #[must_use]
    pub fn new(compress_above: usize) -> Rc<Self> {
        Rc::new(Self {
            identity: RefCell::new(None),
            links: RefCell::default(),
            members: RefCell::default(),
            inputs: RefCell::default(),
            arrived: Notify::default(),
            listening: RefCell::new(None),
            compress_above: Cell::new(compress_above),
            allowlist: RefCell::default(),
            refused: RefCell::default(),
        })
    }

    /// The next input that came from a peer or the disk.
    pub fn next_input(&self) -> Option<Input> {
        self.inputs.borrow_mut().pop_front()
    }

    /// Queues an input for the engine.
    pub fn push(&self, input: Input) {
        self.inputs.borrow_mut().push_back(input);
        self.arrived.raise();
    }

    /// Who may connect from now on.
    pub fn set_allowlist(&self, allowlist: Allowlist) {
        *self.allowlist.borrow_mut() = allowlist;
    }

    /// Payloads above this many bytes are compressed; 0: none.
    pub fn set_compression(&self, above: usize) {
        self.compress_above.set(above);
    }

    /// Becomes `identity` to all peers; connections under another one end.
    pub fn set_identity(&self, identity: Option<Identity>) {
        if *self.identity.borrow() != identity {
            *self.identity.borrow_mut() = identity;
            for link in std::mem::take(&mut *self.links.borrow_mut()).into_values() {
                link.closed.set(true);
                link.ready.raise();
            }
        }
    }

    /// The same member under another incarnation or run.
    pub fn set_incarnation(&self, incarnation: Incarnation, run: Run) {
        let identity = self.identity.borrow().clone();
        if let Some(identity) = identity {
            self.set_identity(Some(Identity { incarnation, run, ..identity }));
        }
    }

    /// Listens for peers on `address`.
    ///
    /// # Errors
    /// What the system said, with the address.
    pub fn listen(self: &Rc<Self>, address: &str) -> Result<(), String> {
        if self.listening.borrow().as_ref().is_some_and(|listening| listening.address == address) {
            return Ok(());
        }
        self.close();
        let resolved: SocketAddr = resolve(address).ok_or_else(|| format!("'{address}' is not a host:port"))?;
        if is_served(resolved) {
            return Err(format!("cannot listen on {address}: the address is already in use"));
        }
        let listener = TcpListener::bind(resolved).map_err(|error| format!("cannot listen on {address}: {error}"))?;
        let net = self.clone();
        let task = glommio::spawn_local(async move {
            while let Ok(stream) = listener.accept().await {
                glommio::spawn_local(net.clone().serve(stream)).detach();
            }
        });
        *self.listening.borrow_mut() = Some(Listening { address: address.to_owned(), task });
        Ok(())
    }

    /// Whether peers can connect.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.listening.borrow().is_some()
    }

    /// Listens no more, and ends all connections.
    pub fn close(&self) {
        if let Some(listening) = self.listening.borrow_mut().take() {
            drop(listening.task); // Cancels it: the socket closes with it.
        }
        self.set_identity(None);
    }

    async fn serve(self: Rc<Self>, mut stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let Ok(peer) = stream.peer_addr() else { return };
        let mut decoder = Decoder::default();
        let greeting = async { Ok(next_message(&mut stream, &mut decoder).await) };
        let Ok(Some(greeting)) = glommio::timer::timeout(GREETING, greeting).await else { return };
        let Message::Hello(hello) = greeting.message else { return };
        let (refused, lasting) = self.refusal(&hello, peer.ip());
        if !refused.is_empty() && self.identity.borrow().is_some() {
            self.note_refused(peer.ip(), &refused);
        }
        let mut answer = Vec::new();
        encode(
            &Message::Welcome { refused: refused.clone(), lasting },
            Label::default(),
            Trailer::None,
            0,
            &mut answer,
        );
        if stream.write_all(&answer).await.is_err() || !refused.is_empty() {
            return;
        }
        decoder.greeted();
        let from = hello.incarnation;
        let identity = self.identity.borrow().clone();
        while let Some(Received { message, label, payload }) = next_message(&mut stream, &mut decoder).await {
            if *self.identity.borrow() != identity {
                return; // This member began another life: what was said to the old one is void.
            }
            self.push(Input::Received { from, address: hello.address.clone(), label, message, payload });
        }
    }

    /// Says once whom this member does not let in, and why: who is refused asks again and again.
    fn note_refused(&self, from: IpAddr, why: &str) {
        let text = format!("connection from {from} refused: {why}");
        let mut said = self.refused.borrow_mut();
        if said.len() < REFUSED_MAX && said.insert(text.clone()) {
            crate::oplog::note(&Note { level: Level::Warning, code: 0, text });
        }
    }

    /// Why a greeting is refused, empty when it is not; and whether that lasts until a setting is changed.
    fn refusal(&self, hello: &Hello, from: IpAddr) -> (String, bool) {
        let identity = self.identity.borrow();
        let Some(identity) = &*identity else { return ("this member is in no group".into(), false) };
        if hello.magic != MAGIC {
            return ("not a member of a group".into(), true);
        }
        if hello.protocol != PROTOCOL {
            return (format!("protocol version {} is not spoken here, only {PROTOCOL}", hello.protocol), true);
        }
        if hello.group != identity.group {
            return (format!("this member belongs to group {}, not {}", identity.group, hello.group), true);
        }
        if !self.allowlist.borrow().allows(from) {
            return (format!("connections from {from} are not in group_replication_ip_allowlist"), true);
        }
        if hello.uuid == identity.uuid && hello.incarnation == identity.incarnation {
            return (format!("another server runs as {}", hello.uuid), false);
        }
        // Who joins has no incarnation to be called by yet.
        let another = hello.target != identity.incarnation && hello.target != Incarnation(0);
        if another && identity.incarnation != Incarnation(0) {
            let text = format!("member {} is not here any more: this is {}", hello.target, identity.incarnation);
            return (text, false);
        }
        (String::new(), false)
    }

    /// The members to be connected with from now on.
    pub fn connect(self: &Rc<Self>, members: Vec<ViewMember>) {
        let map: BTreeMap<_, _> = members.into_iter().map(|member| (member.incarnation, member.address)).collect();
        *self.members.borrow_mut() = map.clone();
        self.links.borrow_mut().retain(|(address, incarnation, _), link| {
            let keep = map.get(incarnation).is_some_and(|wanted| wanted == address);
            if !keep {
                // What waits is still written, if somebody answers. (Who is asked by address is called again.)
                link.closed.set(true);
                link.ready.raise();
            }
            keep
        });
        for (incarnation, address) in map {
            for channel in [Channel::Liveness, Channel::Order, Channel::Bulk] {
                self.link(&address, incarnation, channel);
            }
        }
    }

    fn link(self: &Rc<Self>, address: &str, incarnation: Incarnation, channel: Channel) -> Rc<Outgoing> {
        let called: Called = (address.to_owned(), incarnation, channel);
        let mut links = self.links.borrow_mut();
        if let Some(link) = links.get(&called) {
            return link.clone();
        }
        let link = Rc::new(Outgoing::default());
        links.insert(called.clone(), link.clone());
        let (net, task) = (self.clone(), link.clone());
        glommio::spawn_local(async move { net.keep(task, called).await }).detach();
        link
    }

    /// Queues a message; losing it is allowed.
    pub fn send(self: &Rc<Self>, to: Peer, channel: Channel, label: Label, message: &Message, payload: &Payload) {
        let (address, incarnation) = match to {
            Peer::Address(address) => (address, Incarnation(0)),
            Peer::Member(incarnation) => match self.members.borrow().get(&incarnation) {
                Some(address) => (address.clone(), incarnation),
                None => return,
            },
        };
        let link = self.link(&address, incarnation, channel);
        let mut out = link.out.borrow_mut();
        if out.len() > OUT_BYTES_MAX {
            out.clear(); // The peer is too slow: it starts over from what it acknowledged.
            link.closed.set(true);
            self.links.borrow_mut().remove(&(address, incarnation, channel));
        } else {
            let above = self.compress_above.get();
            out.push(message, label, payload.trailer(), above);
        }
        drop(out);
        link.ready.raise();
    }

    /// Keeps one connection up, writing what waits, until it is closed.
    async fn keep(self: Rc<Self>, link: Rc<Outgoing>, called: Called) {
        let mut said = String::new();
        let (address, incarnation, channel) = &called;
        while !link.closed.get() {
            let told = Cell::new(false);
            if let Err(error) = self.run(&link, &called, &told).await
                && *channel == Channel::Order
            {
                let text = format!("connection to member {address} failed: {error}");
                if text != said {
                    crate::oplog::note(&Note { level: Level::Warning, code: 0, text: text.clone() });
                    said = text;
                }
            }
            if told.get() {
                self.push(Input::PeerDown(*incarnation));
            }
            if !link.closed.get() {
                link.out.borrow_mut().clear();
                glommio::timer::sleep(RETRY).await;
            }
        }
    }

    async fn run(&self, link: &Outgoing, called: &Called, told: &Cell<bool>) -> io::Result<()> {
        let &(ref address, incarnation, channel) = called;
        let refused = |text: String| io::Error::other(text);
        let resolved = resolve(address).ok_or_else(|| refused(format!("'{address}' does not resolve")))?;
        let mut stream = dial(resolved)?;
        let Some(identity) = self.identity.borrow().clone() else { return Ok(()) };
        let hello = Hello {
            magic: MAGIC,
            protocol: PROTOCOL,
            group: identity.group,
            uuid: identity.uuid,
            incarnation: identity.incarnation,
            run: identity.run,
            address: identity.address,
            channel,
            target: incarnation,
        };
        let mut bytes = Vec::new();
        encode(&Message::Hello(hello), Label::default(), Trailer::None, 0, &mut bytes);
        let connected = async { Ok(stream.write_all(&bytes).await) };
        let connected = glommio::timer::timeout(GREETING, connected).await;
        connected.map_err(|error| refused(error.to_string()))??;
        let mut decoder = Decoder::default();
        let greeting = async { Ok(next_message(&mut stream, &mut decoder).await) };
        match glommio::timer::timeout(GREETING, greeting).await {
            Ok(Some(Received { message: Message::Welcome { refused: why, .. }, .. })) if why.is_empty() => {}
            Ok(Some(Received { message: Message::Welcome { refused: why, lasting }, .. })) => {
                if lasting && channel == Channel::Order {
                    let address = address.to_owned();
                    self.push(Input::Refused { address, reason: why.clone() });
                }
                return Err(refused(why));
            }
            _ => return Err(refused("no greeting".into())),
        }
        let (mut reader, mut writer) = futures_lite::io::split(stream);
        let closed = async {
            // Nothing more comes on this connection but its end.
            let mut byte = [0; 1];
            let _ = reader.read(&mut byte).await;
        };
        if channel == Channel::Order && incarnation != Incarnation(0) {
            told.set(true);
            self.push(Input::PeerUp(incarnation));
        }
        let write = async {
            let mut waiting = Outbox::default();
            loop {
                std::mem::swap(&mut waiting, &mut *link.out.borrow_mut());
                if !waiting.is_empty() {
                    for part in waiting.parts() {
                        if writer.write_all(part).await.is_err() {
                            return;
                        }
                    }
                    waiting.advance(waiting.len());
                } else if link.closed.get() {
                    return;
                } else {
                    link.ready.wait().await;
                }
            }
        };
        or(closed, write).await;
        Ok(())
    }
}

/// The next message of a stream; `None` at its end, and at the first byte that is not a member's.
async fn next_message(stream: &mut TcpStream, decoder: &mut Decoder) -> Option<Received> {
    loop {
        match decoder.next_message() {
            Ok(Some(received)) => return Some(received),
            Ok(None) => {}
            Err(_) => return None,
        }
        match stream.read(decoder.space()).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => decoder.filled(count),
        }
    }
}

/// Whether somebody accepts connections on `address`. The executor's listeners share their port
/// (SO_REUSEPORT), so that binding them would not notice another server; and a listener that does not share
/// could not be bound while connections of a server that was killed linger.
///
/// That server itself is looked away from: the kernel ends its io_uring, which holds the port, a moment
/// after the process.
#[must_use]
pub fn is_served(address: SocketAddr) -> bool {
    let target = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(IpAddr::from([127, 0, 0, 1]), address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => {
            SocketAddr::new(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1u16]), address.port())
        }
        _ => address,
    };
    let deadline = Instant::now() + RELEASE;
    while std::net::TcpStream::connect_timeout(&target, RELEASE / 2).is_ok() {
        if Instant::now() >= deadline {
            return true;
        }
        std::thread::sleep(RELEASE / 20);
    }
    false
}

/// The first address that `host:port` stands for.
#[must_use]
pub fn resolve(address: &str) -> Option<SocketAddr> {
    address.to_socket_addrs().ok()?.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowlist_follows_the_manual() {
        let cases = [
            ("AUTOMATIC", "10.1.2.3", true),
            ("AUTOMATIC", "8.8.8.8", false),
            ("AUTOMATIC", "127.0.0.1", true),
            ("192.0.2.0/24", "192.0.2.77", true),
            ("192.0.2.0/24", "192.0.3.1", false),
            ("192.0.2.1", "127.0.0.1", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("fd00::/8", "fd12::1", true),
        ];
        for (list, address, allowed) in cases {
            let list = Allowlist::parse(list).unwrap();
            assert_eq!(list.allows(address.parse().unwrap()), allowed, "{list:?} {address}");
        }
        for bad in ["AUTOMATIC,10.0.0.1", "10.0.0.1/33", "::1/129", "10.0.0.1/x"] {
            assert!(Allowlist::parse(bad).is_err(), "{bad}");
        }
    }
}
