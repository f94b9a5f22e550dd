//! One client connection, from the greeting to the end.

use super::answer::{Answer, Done};
use super::auth::{Credential, Exchange, FastDigest, PluginKind, RsaKey, SCRAMBLE_BYTES, Step, printable};
use super::constant::{Capabilities, collation, command};
use super::error::ServerError;
use super::handshake::{self, Login};
use super::packet::{BUFFER_KEEP_BYTES, CHUNK_BYTES_MAX, HEADER_BYTES, Incoming, Payload};
use super::request::{self, Request};
use std::sync::Arc;

/// Longest payload that is read before a client is in: attributes are at most 64 KiB.
const LOGIN_BYTES_MAX: usize = 128 << 10;

/// What all connections of a server share.
#[derive(Clone, Debug)]
pub struct Options {
    /// `version`, as in the greeting.
    pub version: String,
    /// Plugin of the greeting, and the one that unknown users meet.
    pub default_plugin: PluginKind,
    /// Collation id of the greeting (its low byte).
    pub collation: u16,
    /// `max_allowed_packet`, bytes of one payload, 1024..=1 GiB; 64 MiB by default.
    pub payload_bytes_max: usize,
    /// For clients of `caching_sha2_password` without TLS; without it, those that are not in the cache stay out.
    pub rsa_key: Option<RsaKey>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            version: "8.0.36-quorate".to_owned(),
            default_plugin: PluginKind::CachingSha2,
            collation: collation::UTF8MB4_0900_AI_CI,
            payload_bytes_max: 64 << 20,
            rsa_key: None,
        }
    }
}

/// Why bytes from a client ended its connection. The client has been told, in the out buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// 1153.
    #[error("packet of {bytes} bytes or more, at most {bytes_max} are allowed")]
    TooLarge {
        /// Bytes announced so far.
        bytes: usize,
        /// Bytes allowed.
        bytes_max: usize,
    },
    /// 1156.
    #[error("packet has sequence number {found}, expected {expected}")]
    Sequence {
        /// The next one.
        expected: u8,
        /// The one that came.
        found: u8,
    },
    /// 1043.
    #[error("malformed handshake, or a protocol that is not offered")]
    Handshake,
}

impl PacketError {
    /// As the client is told.
    #[must_use]
    pub fn to_server_error(self) -> ServerError {
        match self {
            Self::TooLarge { .. } => ServerError::new(1153, "Got a packet bigger than 'max_allowed_packet' bytes"),
            Self::Sequence { .. } => ServerError::new(1156, "Got packets out of order"),
            Self::Handshake => ServerError::new(1043, "Bad handshake"),
        }
    }
}

#[derive(Debug)]
enum Phase {
    /// The greeting is out.
    Handshake,
    /// [`Request::Authenticate`] is out.
    AwaitCredential(Box<Login>),
    /// Packets go to and fro.
    Exchange(Box<Login>, Box<Exchange>),
    /// The password was right: [`Request::LoggedIn`] is next.
    Admitted(Box<Login>, Option<FastDigest>),
    /// [`Request::LoggedIn`] is out.
    AwaitVerdict,
    /// Logged in.
    Command,
    /// To be closed once the out buffer is written.
    Closing,
}

/// The server's end of one client connection, without the socket.
///
/// Feed it bytes, take requests, write answers, send what is in the out buffer. A request must be answered in
/// full before the next one is taken.
pub struct Connection {
    options: Arc<Options>,
    id: u32,
    host: String,
    scramble: [u8; SCRAMBLE_BYTES],
    secure: bool,
    flooded: bool,
    incoming: Incoming,
    answer: Answer,
    phase: Phase,
}

impl Connection {
    /// Greets a client. `id` is CONNECTION_ID(), `random` must be unpredictable, `host` is the client's, as
    /// error 1045 names it.
    #[must_use]
    pub fn new(id: u32, random: [u8; SCRAMBLE_BYTES], host: &str, options: Arc<Options>) -> Self {
        let scramble = printable(random);
        let mut answer = Answer::default();
        let (plugin, collation) = (options.default_plugin, options.collation);
        answer.packet(|out| handshake::put_greeting(out, &options.version, id, &scramble, plugin, collation));
        Self {
            options,
            id,
            host: host.to_owned(),
            scramble,
            secure: false,
            flooded: false,
            incoming: Incoming::default(),
            answer,
            phase: Phase::Handshake,
        }
    }

    /// The transport keeps secrets (a Unix socket, TLS, loopback): passwords may come in the clear. MariaDB's
    /// client library, from 3.3, sends them so to 127.0.0.1.
    pub fn set_secure(&mut self) {
        self.secure = true;
    }

    /// CONNECTION_ID().
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The client's host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Takes bytes from the client, in pieces of any size. Nothing is kept after [`Connection::is_closing`].
    pub fn feed(&mut self, bytes: &[u8]) {
        // Beyond one payload, room for what a caller reads at once; before the login nobody sends ahead.
        let bytes_max = match self.phase {
            Phase::Command => self.options.payload_bytes_max + 2 * (CHUNK_BYTES_MAX + HEADER_BYTES),
            _ => 2 * LOGIN_BYTES_MAX,
        };
        if !self.is_closing() && !self.flooded {
            self.flooded = !self.incoming.feed(bytes, bytes_max);
        }
    }

    /// Whether more bytes are needed for the next request. Reading on while this is false only fills memory, up
    /// to `payload_bytes_max` and 32 MiB (256 KiB before the login), where the connection ends.
    #[must_use]
    pub fn wants_bytes(&self) -> bool {
        let reads = matches!(self.phase, Phase::Handshake | Phase::Exchange(..) | Phase::Command);
        reads && !self.flooded && !self.incoming.is_ready()
    }

    /// The next request, if all of its bytes are there. `None` while an answer to [`Request::Authenticate`] or
    /// [`Request::LoggedIn`] is due, and for ever after [`Connection::is_closing`].
    ///
    /// Unknown commands (1047) and malformed ones (1835) are answered here, and the connection goes on.
    ///
    /// # Errors
    /// Any [`PacketError`]: the client is told, and the connection closes.
    pub fn next_request(&mut self) -> Result<Option<Request>, PacketError> {
        loop {
            let payload_bytes_max = match &self.phase {
                Phase::AwaitCredential(_) | Phase::AwaitVerdict | Phase::Closing => return Ok(None),
                Phase::Admitted(..) => return Ok(Some(self.logged_in())),
                Phase::Handshake | Phase::Exchange(..) => LOGIN_BYTES_MAX.min(self.options.payload_bytes_max),
                Phase::Command => {
                    if !self.incoming.is_within_payload() {
                        self.answer.sequence = 0;
                    }
                    self.options.payload_bytes_max
                }
            };
            let payload = match self.incoming.next(&mut self.answer.sequence, payload_bytes_max) {
                Ok(Some(payload)) => payload,
                Ok(None) if self.flooded => {
                    let bytes = self.incoming.buffered();
                    return Err(self.fail(PacketError::TooLarge { bytes, bytes_max: payload_bytes_max }));
                }
                Ok(None) => return Ok(None),
                Err(error) => return Err(self.fail(error)),
            };
            if let Some(request) = self.on_payload(payload)? {
                return Ok(Some(request));
            }
        }
    }

    fn on_payload(&mut self, payload: Payload) -> Result<Option<Request>, PacketError> {
        match std::mem::replace(&mut self.phase, Phase::Closing) {
            Phase::Handshake => {
                let login = handshake::parse_response(&payload);
                self.incoming.recycle(payload);
                let Some(login) = login else { return Err(self.fail(PacketError::Handshake)) };
                self.answer.capabilities = login.capabilities;
                Ok(Some(self.ask_credential(login)))
            }
            Phase::Exchange(login, mut exchange) => {
                let step = exchange.on_data(&payload);
                self.incoming.recycle(payload);
                self.on_step(login, exchange, step);
                Ok(None)
            }
            Phase::Command if payload.first() == Some(&command::CHANGE_USER) => {
                let login = handshake::parse_change_user(&payload[1..], self.answer.capabilities);
                self.incoming.recycle(payload);
                let Some(login) = login else { return Err(self.fail(PacketError::Handshake)) };
                Ok(Some(self.ask_credential(login)))
            }
            Phase::Command => {
                self.phase = Phase::Command;
                let silent = matches!(payload.first(), Some(&(command::STMT_CLOSE | command::STMT_SEND_LONG_DATA)));
                match request::parse(payload) {
                    Ok(request) => {
                        self.before(&request);
                        Ok(Some(request))
                    }
                    Err(error) => {
                        if !silent {
                            self.answer.error(&error);
                        }
                        Ok(None)
                    }
                }
            }
            phase @ (Phase::AwaitCredential(_) | Phase::Admitted(..) | Phase::AwaitVerdict | Phase::Closing) => {
                unreachable!("no payload is taken in {phase:?}")
            }
        }
    }

    /// What a request changes in the connection itself.
    fn before(&mut self, request: &Request) {
        match request {
            Request::SetOption { multi_statements } => {
                let capabilities = self.answer.capabilities;
                self.answer.capabilities = capabilities.with(Capabilities::MULTI_STATEMENTS, *multi_statements);
            }
            Request::Quit => self.close(),
            _ => {}
        }
    }

    fn ask_credential(&mut self, login: Login) -> Request {
        let login = Box::new(login);
        self.phase = Phase::AwaitCredential(login.clone());
        Request::Authenticate(login)
    }

    /// Answers [`Request::Authenticate`]: what is stored for the account that the user and host match; `None`
    /// when there is none, which the client can't tell from a wrong password.
    ///
    /// # Panics
    /// When nothing was asked.
    pub fn credential(&mut self, credential: Option<Credential>) {
        match std::mem::replace(&mut self.phase, Phase::Closing) {
            Phase::AwaitCredential(login) => {
                let key = self.options.rsa_key.as_ref();
                let default = self.options.default_plugin;
                let mut exchange = Box::new(Exchange::new(credential, default, self.scramble, self.secure, key));
                let can_switch = login.capabilities.has(Capabilities::PLUGIN_AUTH);
                let step = exchange.start(login.plugin.as_deref(), can_switch, &login.auth_data, login.change_user);
                self.on_step(login, exchange, step);
            }
            Phase::Closing => {}
            phase => panic!("no credential was asked for in {phase:?}"),
        }
    }

    fn on_step(&mut self, login: Box<Login>, exchange: Box<Exchange>, step: Step) {
        match step {
            Step::Send(payload) => {
                self.answer.raw(&payload);
                self.phase = Phase::Exchange(login, exchange);
            }
            Step::SendAndAdmit(payload, learned) => {
                self.answer.raw(&payload);
                self.phase = Phase::Admitted(login, learned);
            }
            Step::Admit(learned) => self.phase = Phase::Admitted(login, learned),
            Step::Deny { using_password } => {
                let error = access_denied(&login.user, &self.host, using_password);
                self.tell_and_close(&error);
            }
            Step::Unsupported => self.tell_and_close(&ServerError::new(
                1251,
                "Client does not support authentication protocol requested by server; consider upgrading MySQL client",
            )),
        }
    }

    fn logged_in(&mut self) -> Request {
        match std::mem::replace(&mut self.phase, Phase::AwaitVerdict) {
            Phase::Admitted(login, learned) => Request::LoggedIn { login, learned },
            phase => unreachable!("called in Admitted only, not in {phase:?}"),
        }
    }

    /// Answers [`Request::LoggedIn`] with OK: commands follow.
    ///
    /// # Panics
    /// When nobody logs in.
    pub fn accept(&mut self, done: &Done<'_>) {
        match self.phase {
            Phase::AwaitVerdict => {
                self.answer.ok(done);
                self.phase = Phase::Command;
            }
            Phase::Closing => {}
            _ => panic!("nobody logs in in {:?}", self.phase),
        }
    }

    /// Answers [`Request::LoggedIn`] with an error, and closes.
    pub fn refuse(&mut self, error: &ServerError) {
        self.fatal(error);
    }

    /// Tells the client `error` and closes (1053 at shutdown, 4031 when it idled too long ...).
    pub fn fatal(&mut self, error: &ServerError) {
        if !self.is_closing() {
            self.tell_and_close(error);
        }
    }

    fn fail(&mut self, error: PacketError) -> PacketError {
        self.tell_and_close(&error.to_server_error());
        error
    }

    /// For callers that have taken the phase out, so that it can't be asked.
    fn tell_and_close(&mut self, error: &ServerError) {
        self.answer.error(error);
        self.close();
    }

    /// Closes without a word, once the out buffer is written.
    pub fn close(&mut self) {
        self.phase = Phase::Closing;
        self.incoming.clear();
    }

    /// Whether the embedder shall write what is in the out buffer and then close.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing)
    }

    /// Where answers are written.
    pub fn answer(&mut self) -> &mut Answer {
        &mut self.answer
    }

    /// Bytes to send. The embedder takes from the front, or clears.
    pub fn out(&mut self) -> &mut Vec<u8> {
        self.answer.out()
    }

    /// Swaps the bytes to send with `buffer`, which is cleared first: two buffers take turns, none is allocated.
    pub fn swap_out(&mut self, buffer: &mut Vec<u8>) {
        buffer.clear();
        buffer.shrink_to(BUFFER_KEEP_BYTES);
        std::mem::swap(self.answer.out(), buffer);
    }

    /// Takes a request's buffer back.
    pub fn recycle(&mut self, payload: Payload) {
        self.incoming.recycle(payload);
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection {} from {}", self.id, self.host)
    }
}

fn access_denied(user: &str, host: &str, using_password: bool) -> ServerError {
    let yes_no = if using_password { "YES" } else { "NO" };
    ServerError::new(1045, format!("Access denied for user '{user}'@'{host}' (using password: {yes_no})"))
}

/// What is sent instead of a greeting (1040, 1129 ...): the error, without SQLSTATE, as nothing is agreed on yet.
#[must_use]
pub fn refuse_connection(error: &ServerError) -> Vec<u8> {
    let mut answer = Answer::default();
    answer.error_before_greeting(error);
    std::mem::take(answer.out())
}
