//! The client's half of the MySQL protocol, without a socket: bytes in, events and bytes out.
//!
//! Absent on purpose: TLS, compression, LOAD DATA LOCAL, packets of 16 MiB and more, cursors. Rows are
//! decoded only from text results, and only when asked for: a load counts them.
//!
//! Invariant: one command at a time; [`Connection::is_idle`] says whether the next may be given.

use super::auth::{self, Method, NONCE_BYTES};
use std::fmt;

/// Largest packet accepted or sent, in bytes; one that is this large would be continued in the next.
const PACKET_BYTES_MAX: usize = 0x00ff_ffff;

mod capability {
    pub const LONG_PASSWORD: u32 = 1;
    pub const LONG_FLAG: u32 = 1 << 2;
    pub const CONNECT_WITH_DB: u32 = 1 << 3;
    pub const PROTOCOL_41: u32 = 1 << 9;
    pub const TRANSACTIONS: u32 = 1 << 13;
    pub const SECURE_CONNECTION: u32 = 1 << 15;
    pub const MULTI_RESULTS: u32 = 1 << 17;
    pub const PLUGIN_AUTH: u32 = 1 << 19;
    pub const DEPRECATE_EOF: u32 = 1 << 24;
    /// What this client cannot do without.
    pub const NEEDED: u32 = PROTOCOL_41 | SECURE_CONNECTION;
    /// What it uses where the server offers it.
    pub const WANTED: u32 =
        NEEDED | LONG_PASSWORD | LONG_FLAG | TRANSACTIONS | MULTI_RESULTS | PLUGIN_AUTH | DEPRECATE_EOF;
}

const STATUS_MORE_RESULTS: u16 = 8;
const CHARSET_UTF8MB4: u8 = 45;

/// Who logs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// User name.
    pub user: String,
    /// Password; empty for none.
    pub password: String,
    /// Current database; empty for none.
    pub database: String,
}

/// An error that the server answered; the connection goes on, but for one that answers a login.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error {code} ({state}): {message}")]
pub struct ServerError {
    /// MySQL's error number.
    pub code: u16,
    /// SQLSTATE.
    pub state: String,
    /// Its text.
    pub message: String,
}

/// Why the bytes of a server make no sense to this client. The connection is of no further use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A packet that does not belong here, or does not hold what it should.
    #[error("unexpected or malformed packet while {0}")]
    Packet(&'static str),
    /// A packet of 16 MiB or more.
    #[error("packet of {PACKET_BYTES_MAX} bytes or more")]
    TooLarge,
    /// Protocol version of the greeting, or capabilities, are too old.
    #[error("the server speaks protocol version {version} with capabilities {capabilities:#010x}")]
    Version {
        /// Of the greeting; 10 is the only one known.
        version: u8,
        /// As offered.
        capabilities: u32,
    },
    /// The server wants an authentication method that this client does not have.
    #[error(
        "the server asks for authentication method '{0}'; mysql_native_password and caching_sha2_password are known"
    )]
    Method(String),
    /// The server's RSA key cannot be used.
    #[error("the server's RSA public key is not usable")]
    Key,
}

/// Rows of a text result, as texts; `None` is NULL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Column names.
    pub columns: Vec<String>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<Option<String>>>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It had no result set.
    Ok {
        /// Rows changed (or found).
        affected: u64,
    },
    /// It had one, of so many rows. Their content is in [`Connection::take_rows`], if wanted.
    Rows(u64),
    /// The statement is prepared under this id.
    Prepared {
        /// Statement id.
        statement: u32,
        /// Number of its parameters.
        parameters: u16,
    },
    /// The server refused it.
    Refused(ServerError),
}

/// What bytes from the server brought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Logged in; the connection is idle.
    LoggedIn,
    /// The login was refused; the connection is of no further use.
    LoginRefused(ServerError),
    /// The command ended; the connection is idle.
    Reply(Reply),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Greeting,
    LoggingIn,
    PublicKey,
    Idle,
    /// OK, ERR or the number of columns.
    Response,
    Columns {
        left: u64,
    },
    ColumnsEnd,
    Row,
    Prepare,
    /// Definitions of parameters and columns, which this client does not need, `left` packets of them.
    PrepareDefinitions {
        left: u32,
        statement: u32,
        parameters: u16,
    },
    Closed,
}

/// A parameter of a prepared statement.
#[derive(Clone, Copy, Debug)]
pub enum Parameter<'a> {
    /// As LONGLONG.
    Int(i64),
    /// As VAR_STRING.
    Text(&'a str),
}

/// One connection. Feed it what the socket gives, send what [`Connection::outbox`] holds.
pub struct Connection {
    login: Login,
    phase: Phase,
    inbox: Vec<u8>,
    consumed: usize,
    outbox: Vec<u8>,
    sequence: u8,
    capabilities: u32,
    nonce: [u8; NONCE_BYTES],
    method: Method,
    collect: bool,
    rows_seen: u64,
    rows: Rows,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("user", &self.login.user).field("phase", &self.phase).finish_non_exhaustive()
    }
}

impl Connection {
    /// A connection that awaits the server's greeting.
    #[must_use]
    pub fn new(login: Login) -> Self {
        Self {
            login,
            phase: Phase::Greeting,
            inbox: Vec::new(),
            consumed: 0,
            outbox: Vec::new(),
            sequence: 0,
            capabilities: 0,
            nonce: [0; NONCE_BYTES],
            method: Method::CachingSha2,
            collect: false,
            rows_seen: 0,
            rows: Rows::default(),
        }
    }

    /// Whether a command may be given.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// Bytes to be sent.
    #[must_use]
    pub fn outbox(&self) -> &[u8] {
        &self.outbox
    }

    /// Forgets the first `count` bytes of the outbox: they are sent.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn sent(&mut self, count: usize) {
        self.outbox.drain(..count);
    }

    /// Takes bytes from the server. [`Connection::event`] says what they mean.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
    }

    /// Gives a statement as text; the rows of its result are kept if `collect`.
    ///
    /// # Panics
    /// When the connection is not idle, or the text is of 16 MiB or more.
    pub fn query(&mut self, sql: &str, collect: bool) {
        self.command(3, &[sql.as_bytes()]);
        self.collect = collect;
    }

    /// Prepares a statement.
    ///
    /// # Panics
    /// As [`Connection::query`].
    pub fn prepare(&mut self, sql: &str) {
        self.command(0x16, &[sql.as_bytes()]);
        self.phase = Phase::Prepare;
    }

    /// Executes a prepared statement.
    ///
    /// # Panics
    /// As [`Connection::query`].
    pub fn execute(&mut self, statement: u32, parameters: &[Parameter<'_>]) {
        let mut body = [0; 512];
        let mut long = Vec::new();
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            // Short statements are built on the stack; anything longer spills as a whole.
            if long.is_empty() && at + bytes.len() <= body.len() {
                body[at..at + bytes.len()].copy_from_slice(bytes);
                at += bytes.len();
            } else {
                if long.is_empty() {
                    long.extend_from_slice(&body[..at]);
                }
                long.extend_from_slice(bytes);
            }
        };
        put(&statement.to_le_bytes());
        put(&[0, 1, 0, 0, 0]);
        if !parameters.is_empty() {
            for _ in 0..parameters.len().div_ceil(8) {
                put(&[0]);
            }
            put(&[1]);
            for parameter in parameters {
                put(match parameter {
                    Parameter::Int(_) => &[8, 0],
                    Parameter::Text(_) => &[0xfd, 0],
                });
            }
            for parameter in parameters {
                match parameter {
                    Parameter::Int(value) => put(&value.to_le_bytes()),
                    Parameter::Text(text) => {
                        let length = text.len();
                        if length < 251 {
                            put(&[length as u8]);
                        } else {
                            put(&[0xfe]);
                            put(&(length as u64).to_le_bytes());
                        }
                        put(text.as_bytes());
                    }
                }
            }
        }
        let body = if long.is_empty() { &body[..at] } else { &long };
        self.command(0x17, &[body]);
        self.collect = false;
    }

    /// Says farewell; the connection takes no further command.
    pub fn quit(&mut self) {
        if self.is_idle() {
            self.command(1, &[]);
        }
        self.phase = Phase::Closed;
    }

    /// Rows of the last text result that was asked for with `collect`.
    pub fn take_rows(&mut self) -> Rows {
        std::mem::take(&mut self.rows)
    }

    /// The next event in what was fed, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// Any [`ProtocolError`]; the connection must then be dropped.
    pub fn event(&mut self) -> Result<Option<Event>, ProtocolError> {
        loop {
            let rest = &self.inbox[self.consumed..];
            let Some(&[low, middle, high, sequence]) = rest.first_chunk::<4>() else { break };
            let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
            if length == PACKET_BYTES_MAX {
                return Err(ProtocolError::TooLarge);
            }
            if rest.len() < 4 + length {
                break;
            }
            let start = self.consumed + 4;
            self.consumed = start + length;
            self.sequence = sequence.wrapping_add(1);
            // The packet is lent to the handler: the inbox itself is not touched before the next feed.
            let inbox = std::mem::take(&mut self.inbox);
            let event = self.on_packet(&inbox[start..start + length]);
            self.inbox = inbox;
            if let Some(event) = event? {
                return Ok(Some(event));
            }
        }
        if self.consumed == self.inbox.len() {
            self.inbox.clear();
        } else {
            self.inbox.drain(..self.consumed);
        }
        self.consumed = 0;
        Ok(None)
    }

    fn command(&mut self, command: u8, parts: &[&[u8]]) {
        assert!(self.is_idle(), "one command at a time: {:?}", self.phase);
        self.sequence = 0;
        self.phase = Phase::Response;
        self.rows_seen = 0;
        let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
        self.packet_header(length);
        self.outbox.push(command);
        for part in parts {
            self.outbox.extend_from_slice(part);
        }
    }

    fn packet_header(&mut self, length: usize) {
        assert!(length < PACKET_BYTES_MAX, "a packet of {length} bytes");
        self.outbox.extend_from_slice(&(length as u32).to_le_bytes()[..3]);
        self.outbox.push(self.sequence);
        self.sequence = self.sequence.wrapping_add(1);
    }

    fn send(&mut self, body: &[u8]) {
        self.packet_header(body.len());
        self.outbox.extend_from_slice(body);
    }

    fn on_packet(&mut self, packet: &[u8]) -> Result<Option<Event>, ProtocolError> {
        match self.phase {
            Phase::Greeting => self.on_greeting(packet),
            Phase::LoggingIn => self.on_login(packet),
            Phase::PublicKey => self.on_public_key(packet),
            Phase::Response => self.on_response(packet),
            Phase::Columns { left } => self.on_column(packet, left),
            Phase::ColumnsEnd => {
                self.phase = Phase::Row;
                is_eof(packet).then_some(None).ok_or(ProtocolError::Packet("awaiting the end of the columns"))
            }
            Phase::Row => self.on_row(packet),
            Phase::Prepare => self.on_prepare(packet),
            Phase::PrepareDefinitions { left, statement, parameters } => {
                Ok(self.on_definition(left, statement, parameters))
            }
            // A server that shuts down says so without being asked.
            Phase::Idle | Phase::Closed => Err(ProtocolError::Packet("nothing was asked")),
        }
    }

    fn on_greeting(&mut self, packet: &[u8]) -> Result<Option<Event>, ProtocolError> {
        const WHILE: ProtocolError = ProtocolError::Packet("awaiting the greeting");
        let mut reader = Reader(packet);
        let version = reader.byte().ok_or(WHILE)?;
        if version == 0xff {
            self.phase = Phase::Closed;
            return Ok(Some(Event::LoginRefused(error_packet(packet).ok_or(WHILE)?)));
        }
        let greeting = (|| {
            reader.until_nul()?;
            reader.take(4)?;
            let first = reader.take(8)?;
            reader.take(1)?;
            let low = reader.u16()?;
            reader.take(3)?;
            let high = reader.u16()?;
            let nonce_bytes = usize::from(reader.byte()?);
            reader.take(10)?;
            let second = reader.take(nonce_bytes.saturating_sub(8).max(13))?;
            let plugin = reader.until_nul().unwrap_or(reader.0);
            Some((first, second, u32::from(low) | u32::from(high) << 16, plugin))
        })();
        let Some((first, second, offered, plugin)) = greeting else { return Err(WHILE) };
        if version != 10 || offered & capability::NEEDED != capability::NEEDED {
            return Err(ProtocolError::Version { version, capabilities: offered });
        }
        self.nonce[..8].copy_from_slice(first);
        self.nonce[8..].copy_from_slice(&second[..NONCE_BYTES - 8]);
        self.capabilities = offered & capability::WANTED;
        if !self.login.database.is_empty() {
            self.capabilities |= offered & capability::CONNECT_WITH_DB;
        }
        // An unknown default method need not be the one that the account has: let the server switch.
        self.method = Method::named(plugin).unwrap_or(Method::Native);
        let proof = self.method.scramble(self.login.password.as_bytes(), &self.nonce);
        let mut body = Vec::with_capacity(128);
        body.extend_from_slice(&self.capabilities.to_le_bytes());
        body.extend_from_slice(&(PACKET_BYTES_MAX as u32).to_le_bytes());
        body.push(CHARSET_UTF8MB4);
        body.extend_from_slice(&[0; 23]);
        body.extend_from_slice(self.login.user.as_bytes());
        body.push(0);
        body.push(proof.len() as u8);
        body.extend_from_slice(&proof);
        if self.capabilities & capability::CONNECT_WITH_DB != 0 {
            body.extend_from_slice(self.login.database.as_bytes());
            body.push(0);
        }
        if self.capabilities & capability::PLUGIN_AUTH != 0 {
            body.extend_from_slice(self.method.name().as_bytes());
            body.push(0);
        }
        self.send(&body);
        self.phase = Phase::LoggingIn;
        Ok(None)
    }

    fn on_login(&mut self, packet: &[u8]) -> Result<Option<Event>, ProtocolError> {
        const WHILE: ProtocolError = ProtocolError::Packet("logging in");
        match (packet.first(), packet.get(1)) {
            (Some(0), _) => {
                self.phase = Phase::Idle;
                Ok(Some(Event::LoggedIn))
            }
            (Some(0xff), _) => {
                self.phase = Phase::Closed;
                Ok(Some(Event::LoginRefused(error_packet(packet).ok_or(WHILE)?)))
            }
            (Some(0xfe), _) => {
                let mut reader = Reader(&packet[1..]);
                let name = reader.until_nul().ok_or(WHILE)?;
                let method = Method::named(name)
                    .ok_or_else(|| ProtocolError::Method(String::from_utf8_lossy(name).into_owned()))?;
                self.nonce = *reader.0.first_chunk().ok_or(WHILE)?;
                self.method = method;
                let proof = method.scramble(self.login.password.as_bytes(), &self.nonce);
                self.send(&proof);
                Ok(None)
            }
            // caching_sha2_password: 3 = the server remembers the password, OK follows; 4 = it wants it.
            (Some(1), Some(3)) => Ok(None),
            (Some(1), Some(4)) => {
                self.send(&[2]);
                self.phase = Phase::PublicKey;
                Ok(None)
            }
            _ => Err(WHILE),
        }
    }

    fn on_public_key(&mut self, packet: &[u8]) -> Result<Option<Event>, ProtocolError> {
        if packet.first() == Some(&0xff) {
            return self.on_login(packet);
        }
        let pem = packet.strip_prefix(&[1]).ok_or(ProtocolError::Packet("awaiting the public key"))?;
        let secret = auth::encrypt_password(self.login.password.as_bytes(), &self.nonce, pem);
        self.send(&secret.ok_or(ProtocolError::Key)?);
        self.phase = Phase::LoggingIn;
        Ok(None)
    }

    fn finish(&mut self, reply: Reply, status: u16) -> Option<Event> {
        if status & STATUS_MORE_RESULTS != 0 && !matches!(reply, Reply::Refused(_)) {
            self.phase = Phase::Response;
            return None;
        }
        self.phase = Phase::Idle;
        Some(Event::Reply(reply))
    }

    fn refused(&mut self, packet: &[u8]) -> Result<Option<Event>, ProtocolError> {
        let error = error_packet(packet).ok_or(ProtocolError::Packet("reading an error"))?;
        Ok(self.finish(Reply::Refused(error), 0))
    }

    fn on_response(&mut self, packet: &[u8]) -> Result<Option<Event>, ProtocolError> {
        const WHILE: ProtocolError = ProtocolError::Packet("awaiting a response");
        match packet.first() {
            Some(0) => {
                let (affected, status) = ok_packet(packet).ok_or(WHILE)?;
                Ok(self.finish(Reply::Ok { affected }, status))
            }
            Some(0xff) => self.refused(packet),
            Some(_) => {
                let left = Reader(packet).length().filter(|&columns| (1..=4096).contains(&columns)).ok_or(WHILE)?;
                self.rows_seen = 0;
                self.rows = Rows::default();
                self.phase = Phase::Columns { left };
                Ok(None)
            }
            None => Err(WHILE),
        }
    }

    fn on_column(&mut self, packet: &[u8], left: u64) -> Result<Option<Event>, ProtocolError> {
        if self.collect {
            let mut reader = Reader(packet);
            // Catalogue, schema, table, original table, name.
            let name = (0..5).try_fold(&b""[..], |_, _| reader.text());
            let name = name.ok_or(ProtocolError::Packet("reading a column definition"))?;
            self.rows.columns.push(String::from_utf8_lossy(name).into_owned());
        }
        self.phase = match left - 1 {
            0 if self.capabilities & capability::DEPRECATE_EOF != 0 => Phase::Row,
            0 => Phase::ColumnsEnd,
            left => Phase::Columns { left },
        };
        Ok(None)
    }

    fn on_row(&mut self, packet: &[u8]) -> Result<Option<Event>, ProtocolError> {
        const WHILE: ProtocolError = ProtocolError::Packet("reading rows");
        match packet.first() {
            Some(0xff) => return self.refused(packet),
            Some(0xfe) if self.capabilities & capability::DEPRECATE_EOF != 0 => {
                let (_, status) = ok_packet(packet).ok_or(WHILE)?;
                return Ok(self.finish(Reply::Rows(self.rows_seen), status));
            }
            Some(0xfe) if is_eof(packet) => {
                let status = packet.get(3..5).map_or(0, |status| u16::from_le_bytes([status[0], status[1]]));
                return Ok(self.finish(Reply::Rows(self.rows_seen), status));
            }
            _ => {}
        }
        self.rows_seen += 1;
        if self.collect {
            let mut reader = Reader(packet);
            let mut row = Vec::with_capacity(self.rows.columns.len());
            for _ in 0..self.rows.columns.len() {
                if reader.0.first() == Some(&0xfb) {
                    reader.0 = &reader.0[1..];
                    row.push(None);
                } else {
                    let text = reader.text().ok_or(WHILE)?;
                    row.push(Some(String::from_utf8_lossy(text).into_owned()));
                }
            }
            self.rows.rows.push(row);
        }
        Ok(None)
    }

    fn on_prepare(&mut self, packet: &[u8]) -> Result<Option<Event>, ProtocolError> {
        if packet.first() == Some(&0xff) {
            return self.refused(packet);
        }
        let mut reader = Reader(packet);
        let fields = (|| {
            let status = reader.byte()?;
            let statement = reader.u32()?;
            let columns = reader.u16()?;
            let parameters = reader.u16()?;
            (status == 0).then_some((statement, columns, parameters))
        })();
        let Some((statement, columns, parameters)) = fields else {
            return Err(ProtocolError::Packet("preparing a statement"));
        };
        // Without DEPRECATE_EOF each non-empty list of definitions ends in a packet of its own.
        let ends = u32::from(self.capabilities & capability::DEPRECATE_EOF == 0);
        let with_end = |count: u16| if count == 0 { 0 } else { u32::from(count) + ends };
        let left = with_end(parameters) + with_end(columns);
        if left == 0 {
            return Ok(self.finish(Reply::Prepared { statement, parameters }, 0));
        }
        self.phase = Phase::PrepareDefinitions { left, statement, parameters };
        Ok(None)
    }

    fn on_definition(&mut self, left: u32, statement: u32, parameters: u16) -> Option<Event> {
        if left > 1 {
            self.phase = Phase::PrepareDefinitions { left: left - 1, statement, parameters };
            return None;
        }
        self.finish(Reply::Prepared { statement, parameters }, 0)
    }
}

fn is_eof(packet: &[u8]) -> bool {
    packet.first() == Some(&0xfe) && packet.len() < 9
}

/// Affected rows and status of an OK packet (also of one that ends rows).
fn ok_packet(packet: &[u8]) -> Option<(u64, u16)> {
    let mut reader = Reader(packet.get(1..)?);
    let affected = reader.length()?;
    reader.length()?;
    Some((affected, reader.u16()?))
}

fn error_packet(packet: &[u8]) -> Option<ServerError> {
    let mut reader = Reader(packet.get(1..)?);
    let code = reader.u16()?;
    let mut text = reader.0;
    let mut state = "HY000".to_owned();
    if let Some((&[b'#', ref sqlstate @ ..], rest)) = text.split_first_chunk::<6>() {
        state = String::from_utf8_lossy(sqlstate).into_owned();
        text = rest;
    }
    Some(ServerError { code, state, message: String::from_utf8_lossy(text).into_owned() })
}

/// Takes values off the front of a packet; `None` where it is too short.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(*self.take(2)?.first_chunk()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(*self.take(4)?.first_chunk()?))
    }

    /// A length-encoded integer.
    fn length(&mut self) -> Option<u64> {
        let bytes = match self.byte()? {
            small @ 0..=0xfa => return Some(u64::from(small)),
            0xfc => self.take(2)?,
            0xfd => self.take(3)?,
            0xfe => self.take(8)?,
            0xfb | 0xff => return None,
        };
        Some(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    /// A length-encoded string.
    fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.length()?).ok()?;
        self.take(length)
    }

    /// Up to a zero byte, which is skipped.
    fn until_nul(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        let front = self.take(end)?;
        self.take(1)?;
        Some(front)
    }
}
