//! A blocking client for set-up and status questions, where one answer at a time is enough.

use super::protocol::{Connection, Event, Login, ProtocolError, Reply, Rows, ServerError};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server said no; the connection goes on.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The socket said no, or the time was up.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The server's bytes make no sense.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

impl ClientError {
    /// The server's error number, if it is the server that said no.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        if let Self::Server(error) = self { Some(error.code) } else { None }
    }
}

/// A logged-in connection. After any error but [`ClientError::Server`] it is of no further use.
#[derive(Debug)]
pub struct Client {
    socket: TcpStream,
    connection: Connection,
    timeout: Duration,
}

impl Client {
    /// Connects and logs in; `timeout` bounds this and each later question.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub fn connect(address: SocketAddr, login: Login, timeout: Duration) -> Result<Self, ClientError> {
        let deadline = Instant::now() + timeout;
        let socket = TcpStream::connect_timeout(&address, timeout)?;
        socket.set_nodelay(true)?;
        let mut client = Self { socket, connection: Connection::new(login), timeout };
        match client.wait(deadline)? {
            Event::LoggedIn => Ok(client),
            Event::LoginRefused(error) => Err(error.into()),
            Event::Reply(_) => Err(ProtocolError::Packet("logging in").into()),
        }
    }

    /// Executes one statement.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub fn execute(&mut self, sql: &str) -> Result<Reply, ClientError> {
        self.ask(sql, false)
    }

    /// Executes one statement and gives the rows of its result (none if it has no result set).
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub fn query(&mut self, sql: &str) -> Result<Rows, ClientError> {
        self.ask(sql, true)?;
        Ok(self.connection.take_rows())
    }

    fn ask(&mut self, sql: &str, collect: bool) -> Result<Reply, ClientError> {
        if !self.connection.is_idle() {
            return Err(io::Error::from(io::ErrorKind::NotConnected).into());
        }
        let deadline = Instant::now() + self.timeout;
        self.connection.query(sql, collect);
        match self.wait(deadline)? {
            Event::Reply(Reply::Refused(error)) => Err(error.into()),
            Event::Reply(reply) => Ok(reply),
            _ => Err(ProtocolError::Packet("awaiting a response").into()),
        }
    }

    fn wait(&mut self, deadline: Instant) -> Result<Event, ClientError> {
        let mut bytes = [0; 16 << 10];
        loop {
            if let Some(event) = self.connection.event()? {
                return Ok(event);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            if !self.connection.outbox().is_empty() {
                self.socket.set_write_timeout(Some(left))?;
                self.socket.write_all(self.connection.outbox())?;
                self.connection.sent(self.connection.outbox().len());
            }
            self.socket.set_read_timeout(Some(left))?;
            match self.socket.read(&mut bytes) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(count) => self.connection.feed(&bytes[..count]),
                // A read that times out says WouldBlock; the deadline above turns it into TimedOut.
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connection.quit();
        // A farewell that cannot be sent at once is not worth waiting for.
        let _ = self.socket.set_write_timeout(Some(Duration::from_millis(100)));
        let _ = self.socket.write_all(self.connection.outbox());
    }
}
