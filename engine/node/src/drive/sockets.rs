//! Sockets of clients: without blocking, and all watched by one epoll descriptor, which the executor watches.
//!
//! The executor's own streams arm a poll of their own for each wait, and find out by a read that would block. Here a
//! socket is registered once, edge-triggered: a request costs one read and one write, and all sockets together one
//! look at the epoll descriptor per round of the executor. To park is what costs most: so the descriptor is looked at
//! a few times more, with all other work in between, before the executor watches it and may park (`design.md` §11;
//! figures, also of what was not taken, in `engine/ARCHITECTURE.md`).
//!
//! Transactions under way go first: a session that is about to begin one gives way to requests of those ([`Sockets::
//! give_way`]), so that under load a few transactions are under way for a short time, where all clients at once would be
//! for a long one, holding locks and old snapshots.
//!
//! Absent on purpose: spinning by the clock, and connections between members, which are few and busy.
//!
//! Invariant: after `WouldBlock`, or fewer bytes than there was room for and no end in sight, a socket is tried again
//! only once its edge has come; edges come to the socket that a token names now, as no task runs between their
//! collection and that.

use glommio::TaskQueueHandle;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::process::{Resource, getrlimit};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Edges taken at once.
const EVENTS: usize = 256;
/// Looks in a row that find no edge before the descriptor is watched: some microseconds, less than parking costs.
const EMPTY_LOOKS: u32 = 4;
/// Looks before the descriptor is watched whatever they found: only then does the executor look at files, peers and
/// timers (and when its preemption timer is up, 1 ms).
const LOOKS: u32 = 16;
/// Longest that a transaction's begin gives way.
const GIVES_WAY: Duration = Duration::from_millis(250);
/// Pause between two looks while the descriptor cannot be watched.
const PAUSE: Duration = Duration::from_millis(2);
/// Descriptors that clients leave to files and members: a member that cannot open a file of its log ends.
pub const DESCRIPTORS_KEPT: u64 = 64;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;

/// See the module. One for each executor.
pub struct Sockets {
    epoll: OwnedFd,
    /// By token.
    edges: RefCell<Vec<Option<Rc<Edges>>>>,
    free: RefCell<Vec<usize>>,
    /// Connections in the middle of a transaction.
    under_way: Cell<usize>,
    /// Requests of such that have come, and wake a task that has not read them yet.
    hurried: Cell<usize>,
    /// Who gives way, in their order; the first looks again in each round of the executor, the others sleep.
    giving_way: RefCell<VecDeque<(u64, Option<Waker>)>>,
    next_place: Cell<u64>,
}

/// What is known of one direction of a socket.
#[derive(Default)]
struct Edge {
    /// Worth a try.
    ready: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Edge {
    /// True if somebody waited for it.
    fn raise(&self) -> bool {
        self.ready.set(true);
        let waker = self.waker.borrow_mut().take();
        waker.is_some_and(|waker| {
            waker.wake();
            true
        })
    }

    /// Tries `operation` once it is worth it, and again at each edge while it would block.
    fn poll<T>(&self, cx: &Context<'_>, mut operation: impl FnMut() -> io::Result<T>) -> Poll<io::Result<T>> {
        while self.ready.get() {
            match operation() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.ready.set(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
        *self.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[derive(Default)]
struct Edges {
    readable: Edge,
    writable: Edge,
    /// The other side sends no more: that edge has come, and no other will.
    ended: Cell<bool>,
    /// See [`Socket::set_under_way`].
    under_way: Cell<bool>,
    /// Counted in [`Sockets::hurried`].
    hurried: Cell<bool>,
}

impl Sockets {
    /// Begins to watch, in a task of `queue`.
    ///
    /// # Errors
    /// What the system said.
    pub fn start(queue: TaskQueueHandle) -> io::Result<Rc<Self>> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let sockets = Rc::new(Self {
            epoll,
            edges: RefCell::default(),
            free: RefCell::default(),
            under_way: Cell::new(0),
            hurried: Cell::new(0),
            giving_way: RefCell::default(),
            next_place: Cell::new(0),
        });
        let watching = sockets.clone();
        let watch = async move {
            if let Err(error) = watching.watch().await {
                let text = format!("client connections are not watched any more: {error}");
                crate::oplog::say(engine_core::effect::Level::Error, text);
            }
        };
        glommio::spawn_local_into(watch, queue).map_err(|error| io::Error::other(error.to_string()))?.detach();
        Ok(sockets)
    }

    async fn watch(&self) -> io::Result<()> {
        loop {
            if self.epoll_readable().await.is_err() {
                // No descriptor is free to watch by: edges are looked for now and then until one is.
                glommio::timer::sleep(PAUSE).await;
            }
            let mut empty = 0;
            for _ in 0..LOOKS {
                empty = if self.look()? { 0 } else { empty + 1 };
                if empty == EMPTY_LOOKS {
                    break;
                }
                // The sessions that were woken run, and then the group's work.
                glommio::executor().yield_task_queue_now().await;
            }
        }
    }

    /// Takes the edges that there are; whether there were any.
    fn look(&self) -> io::Result<bool> {
        let none = Event { flags: EventFlags::empty(), data: EventData::new_u64(0) };
        let mut events = [none; EVENTS];
        let count = match epoll::wait(&self.epoll, &mut events[..], Some(&rustix::time::Timespec::default())) {
            Err(rustix::io::Errno::INTR) => 0,
            count => count?,
        };
        let edges = self.edges.borrow();
        for event in &events[..count] {
            let (flags, token) = (event.flags, event.data.u64() as usize);
            let Some(Some(edges)) = edges.get(token) else { continue };
            let ended = flags.intersects(EventFlags::ERR | EventFlags::HUP);
            if ended || flags.contains(EventFlags::RDHUP) {
                edges.ended.set(true);
            }
            let readable = ended || flags.intersects(EventFlags::IN | EventFlags::RDHUP);
            if readable && edges.readable.raise() && edges.under_way.get() && !edges.hurried.replace(true) {
                self.hurried.set(self.hurried.get() + 1);
            }
            if ended || flags.contains(EventFlags::OUT) {
                edges.writable.raise();
            }
        }
        Ok(count > 0)
    }

    fn calm(&self, edges: &Edges) {
        if edges.hurried.replace(false) {
            self.hurried.set(self.hurried.get() - 1);
        }
    }

    /// Lets requests of transactions under way go first, in whose middle others are not: for as long as there are any,
    /// but no longer than [`GIVES_WAY`]. Sessions that give way do so in the order in which they came.
    pub async fn give_way(&self) {
        if self.under_way.get() == 0 && self.giving_way.borrow().is_empty() {
            return;
        }
        let place = Place { sockets: self, number: self.next_place.get() };
        self.next_place.set(place.number + 1);
        self.giving_way.borrow_mut().push_back((place.number, None));
        let until = Instant::now() + GIVES_WAY;
        poll_fn(|cx| {
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            let first = self.giving_way.borrow().front().is_some_and(|(number, _)| *number == place.number);
            if first {
                // What has come while others ran. An error is the watching task's to tell.
                if self.hurried.get() == 0 && (self.look().is_err() || self.hurried.get() == 0) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
            } else if let Some((_, waker)) =
                self.giving_way.borrow_mut().iter_mut().find(|(number, _)| *number == place.number)
            {
                *waker = Some(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Until the epoll descriptor has edges. The executor watches descriptors as sockets: once there is something to
    /// read it tries to, which an epoll descriptor refuses, and that is the answer.
    async fn epoll_readable(&self) -> io::Result<()> {
        use futures_lite::AsyncReadExt;
        let descriptor = TcpStream::from(self.epoll.try_clone()?);
        let mut watched = glommio::net::TcpStream::from(RawSocket::from(descriptor));
        match watched.read(&mut [0]).await {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOTSOCK.raw_os_error()) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(io::Error::other("an epoll descriptor was read as a socket")),
        }
    }

    fn register(self: &Rc<Self>, socket: impl AsFd) -> io::Result<Registered> {
        let edges = Rc::new(Edges::default());
        let token = self.free.borrow_mut().pop();
        let mut all = self.edges.borrow_mut();
        let token = token.unwrap_or(all.len());
        if token == all.len() {
            all.push(None);
        }
        all[token] = Some(edges.clone());
        let registered = Registered { sockets: self.clone(), token, edges };
        drop(all);
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, socket, EventData::new_u64(token as u64), flags)?;
        Ok(registered)
    }

    /// Listens on `address`; connections come from [`Listener::accept`].
    ///
    /// # Errors
    /// What the system said.
    pub fn listen(self: &Rc<Self>, address: SocketAddr) -> io::Result<Listener> {
        let socket = RawSocket::new(Domain::for_address(address), Type::STREAM.cloexec(), Some(Protocol::TCP))?;
        // The port of a server that was killed is held a moment longer than the process lives.
        socket.set_reuse_port(true)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        let registered = self.register(&listener)?;
        Ok(Listener { listener, registered })
    }
}

/// A place among those who give way; the next one looks when it is given up.
struct Place<'a> {
    sockets: &'a Sockets,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut all = self.sockets.giving_way.borrow_mut();
        all.retain(|(number, _)| *number != self.number);
        if let Some(waker) = all.front_mut().and_then(|(_, waker)| waker.take()) {
            waker.wake();
        }
    }
}

/// A place among the watched; given up with the socket.
struct Registered {
    sockets: Rc<Sockets>,
    token: usize,
    edges: Rc<Edges>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.sockets.calm(&self.edges);
        if self.edges.under_way.get() {
            self.sockets.under_way.set(self.sockets.under_way.get() - 1);
        }
        // The descriptor leaves the epoll set as it is closed.
        self.sockets.edges.borrow_mut()[self.token] = None;
        self.sockets.free.borrow_mut().push(self.token);
    }
}

/// Where clients connect.
pub struct Listener {
    listener: TcpListener,
    registered: Registered,
}

impl Listener {
    /// The next connection.
    ///
    /// # Errors
    /// What the system said: of that connection (it is gone already), or of this process (no more descriptors).
    pub async fn accept(&self) -> io::Result<Socket> {
        let accept = |cx: &mut Context<'_>| self.registered.edges.readable.poll(cx, || self.listener.accept());
        let (stream, peer) = poll_fn(accept).await?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let registered = self.registered.sockets.register(&stream)?;
        // New: both directions are worth a try, whatever edges were missed.
        registered.edges.readable.raise();
        registered.edges.writable.raise();
        Ok(Socket { stream, peer, registered })
    }
}

/// One client's connection.
pub struct Socket {
    // Closed before its place is given up.
    stream: TcpStream,
    peer: SocketAddr,
    registered: Registered,
}

impl Socket {
    /// The client's address.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Whether it has one of the last [`DESCRIPTORS_KEPT`] descriptors of this process.
    #[must_use]
    pub fn is_one_too_many(&self) -> bool {
        // The lowest number that is free is given, so numbers say how many there are.
        let number = u64::from(self.stream.as_raw_fd().unsigned_abs());
        getrlimit(Resource::Nofile).current.is_some_and(|limit| number + DESCRIPTORS_KEPT >= limit)
    }

    /// Says whether its session is in the middle of a transaction: its requests then go before others' begins.
    pub fn set_under_way(&self, under_way: bool) {
        let Registered { sockets, edges, .. } = &self.registered;
        match (edges.under_way.replace(under_way), under_way) {
            (false, true) => sockets.under_way.set(sockets.under_way.get() + 1),
            (true, false) => sockets.under_way.set(sockets.under_way.get() - 1),
            _ => {}
        }
    }

    /// See [`Sockets::give_way`].
    pub async fn give_way(&self) {
        self.registered.sockets.give_way().await;
    }

    /// Reads what is there, waiting for something; 0 at the end.
    ///
    /// # Errors
    /// What the system said.
    pub async fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let edges = &self.registered.edges;
        let read = poll_fn(|cx| edges.readable.poll(cx, || (&self.stream).read(bytes))).await;
        self.registered.sockets.calm(edges);
        let count = read?;
        // What is left, if anything comes, brings an edge of its own; an end that came with these bytes does not.
        if count < bytes.len() && !edges.ended.get() {
            edges.readable.ready.set(false);
        }
        Ok(count)
    }

    /// Writes all.
    ///
    /// # Errors
    /// What the system said.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let edge = &self.registered.edges.writable;
            let count = poll_fn(|cx| edge.poll(cx, || (&self.stream).write(bytes))).await?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[count..];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glommio::{Latency, LocalExecutorBuilder, Shares};

    /// A transaction under way and one about to begin ask for their turn at the same moment: whoever runs first, the
    /// request of the one under way is read before the other begins. With nobody under way nobody waits.
    #[test]
    fn a_begin_gives_way_to_a_transaction_under_way() {
        let test = || async {
            let queue = glommio::executor().create_task_queue(Shares::default(), Latency::NotImportant, "clients");
            let sockets = Sockets::start(queue).unwrap();
            let listener = sockets.listen(([127, 0, 0, 1], 0).into()).unwrap();
            let address = listener.listener.local_addr().unwrap();
            let mut busy_client = TcpStream::connect(address).unwrap();
            let busy = Rc::new(listener.accept().await.unwrap());
            let _other_client = TcpStream::connect(address).unwrap();
            let other = listener.accept().await.unwrap();

            // Nobody is under way.
            let at_once = poll_fn(|cx| Poll::Ready(std::pin::pin!(other.give_way()).poll(cx).is_ready())).await;
            assert!(at_once);

            busy.set_under_way(true);
            let order = Rc::new(RefCell::new(Vec::new()));
            let (reading, read) = (busy.clone(), order.clone());
            let reads = glommio::spawn_local_into(
                async move {
                    reading.read(&mut [0; 8]).await.unwrap();
                    read.borrow_mut().push("read");
                },
                queue,
            );
            let reads = reads.unwrap().detach();
            // It waits for its client by now; then the request is there, and nobody has looked yet.
            while busy.registered.edges.readable.waker.borrow().is_none() {
                glommio::executor().yield_task_queue_now().await;
            }
            busy_client.write_all(b"request").unwrap();
            other.give_way().await;
            order.borrow_mut().push("begin");
            reads.await;
            assert_eq!(*order.borrow(), ["read", "begin"]);
            assert_eq!((sockets.hurried.get(), sockets.under_way.get()), (0, 1));
            busy.set_under_way(false);
            assert_eq!(sockets.under_way.get(), 0);
        };
        LocalExecutorBuilder::default().spawn(test).unwrap().join().unwrap();
    }
}
