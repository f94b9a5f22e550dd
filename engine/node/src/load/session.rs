//! One client of a load: its socket, its connection, and the transaction that it has in flight.
//!
//! A session knows how to connect, read, write and be lost. What to do next is decided in `run`.

use super::protocol::{Connection, Event, Login, Parameter};
use super::{Mix, TABLE};
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use std::fmt::Write as _;
use std::io::{self, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// First wait after the second failure in a row; doubled up to [`BACKOFF_MAX`]. The first failure is
/// followed by the next target at once.
const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_millis(500);

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its deadline, to connect again.
    Away,
    /// The socket to be connected.
    Connecting,
    /// The server to let it in.
    LoggingIn,
    /// Its statement to be prepared.
    Preparing,
    /// Something to do.
    Idle,
    /// The end of its transaction.
    Running,
}

/// A transaction on its way.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Latency counts from here: when it was given, or (open loop) when it fell due.
    pub since: Instant,
    /// Key of its row.
    pub row: i64,
    /// Which of the prepared texts an INSERT uses.
    pub text: usize,
}

/// One client.
#[derive(Debug)]
pub struct Session {
    /// What it waits for.
    pub state: State,
    /// When it gives that up (or, away, ends it).
    pub deadline: Instant,
    /// Which target it is at.
    pub target: usize,
    /// The transaction that it runs, or will run again.
    pub operation: Option<Operation>,
    /// Transactions that it has begun, for fresh keys.
    pub begun: u64,
    connection: Connection,
    socket: Option<TcpStream>,
    statement: Option<u32>,
    wants_write: bool,
    backoff: Duration,
    sql: String,
}

impl Session {
    /// A session that is to connect at once.
    #[must_use]
    pub fn new(target: usize, now: Instant) -> Self {
        Self {
            state: State::Away,
            deadline: now,
            target,
            operation: None,
            begun: 0,
            connection: Connection::new(Login::default()),
            socket: None,
            statement: None,
            wants_write: false,
            backoff: Duration::ZERO,
            sql: String::new(),
        }
    }

    /// Begins to connect. `token` comes back with the socket's epoll events.
    pub fn connect(
        &mut self,
        epoll: &OwnedFd,
        token: u64,
        address: SocketAddr,
        login: &Login,
        deadline: Instant,
    ) -> io::Result<()> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        epoll::add(epoll, &socket, epoll::EventData::new_u64(token), epoll::EventFlags::OUT)?;
        self.socket = Some(TcpStream::from(socket));
        self.connection = Connection::new(login.clone());
        self.statement = None;
        self.wants_write = true;
        self.state = State::Connecting;
        self.deadline = deadline;
        Ok(())
    }

    /// Takes what the socket has for us. `Err` when the connection is lost.
    pub fn receive(&mut self, scratch: &mut [u8]) -> io::Result<()> {
        let Some(socket) = self.socket.as_mut() else { return Ok(()) };
        if self.state == State::Connecting {
            sockopt::socket_error(&*socket)??;
            self.state = State::LoggingIn;
        }
        match socket.read(scratch) {
            Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            Ok(count) => {
                self.connection.feed(&scratch[..count]);
                Ok(())
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The next event in what was received.
    pub fn event(&mut self) -> io::Result<Option<Event>> {
        self.connection.event().map_err(io::Error::other)
    }

    /// Sends what there is to send, and asks epoll to say when the rest can go.
    pub fn send(&mut self, epoll: &OwnedFd, token: u64) -> io::Result<()> {
        let Some(socket) = self.socket.as_mut() else { return Ok(()) };
        if self.state == State::Connecting {
            return Ok(());
        }
        while !self.connection.outbox().is_empty() {
            match socket.write(self.connection.outbox()) {
                Ok(count) => self.connection.sent(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let wants_write = !self.connection.outbox().is_empty();
        if wants_write != self.wants_write {
            let write = if wants_write { epoll::EventFlags::OUT } else { epoll::EventFlags::empty() };
            epoll::modify(epoll, &*socket, epoll::EventData::new_u64(token), epoll::EventFlags::IN | write)?;
            self.wants_write = wants_write;
        }
        Ok(())
    }

    /// Asks for the load's statement to be prepared.
    pub fn prepare(&mut self, mix: Mix) {
        self.connection.prepare(statement(mix));
        self.state = State::Preparing;
    }

    /// The load's statement is prepared under this id.
    pub fn prepared(&mut self, statement: u32) {
        self.statement = Some(statement);
    }

    /// Gives the transaction in `operation` to the server.
    ///
    /// # Panics
    /// When there is none.
    pub fn give(&mut self, mix: Mix, texts: &[(String, String)], deadline: Instant) {
        let operation = self.operation.expect("a session gives the transaction that it has");
        let (row, (c, pad)) = (operation.row, &texts[operation.text]);
        let (c, pad) = (c.as_str(), pad.as_str());
        if let Some(statement) = self.statement {
            match mix {
                Mix::Update | Mix::Read => self.connection.execute(statement, &[Parameter::Int(row)]),
                Mix::Insert => {
                    let parameters =
                        [Parameter::Int(row), Parameter::Int(row), Parameter::Text(c), Parameter::Text(pad)];
                    self.connection.execute(statement, &parameters);
                }
            }
        } else {
            self.sql.clear();
            let _ = match mix {
                Mix::Update => write!(self.sql, "UPDATE {TABLE} SET k=k+1 WHERE id={row}"),
                Mix::Read => write!(self.sql, "SELECT c FROM {TABLE} WHERE id={row}"),
                Mix::Insert => {
                    write!(self.sql, "INSERT INTO {TABLE} (id, k, c, pad) VALUES ({row},{row},'{c}','{pad}')")
                }
            };
            self.connection.query(&self.sql, false);
        }
        self.state = State::Running;
        self.deadline = deadline;
    }

    /// A transaction was acknowledged: the target is a good one.
    pub fn succeeded(&mut self) {
        self.backoff = Duration::ZERO;
    }

    /// Gives the connection up and goes to the next of `targets`, after a wait that grows.
    pub fn leave(&mut self, targets: usize, now: Instant) {
        self.socket = None;
        self.target = (self.target + 1) % targets;
        self.state = State::Away;
        self.deadline = now + self.backoff;
        self.backoff = (self.backoff * 2).clamp(BACKOFF_MIN, BACKOFF_MAX);
    }

    /// Says farewell and closes.
    pub fn quit(&mut self) {
        self.connection.quit();
        if let Some(mut socket) = self.socket.take() {
            // The server notices the closed socket in any case.
            let _ = socket.write(self.connection.outbox());
        }
        self.state = State::Away;
    }
}

fn statement(mix: Mix) -> &'static str {
    match mix {
        Mix::Update => "UPDATE load1 SET k=k+1 WHERE id=?",
        Mix::Read => "SELECT c FROM load1 WHERE id=?",
        Mix::Insert => "INSERT INTO load1 (id, k, c, pad) VALUES (?,?,?,?)",
    }
}
