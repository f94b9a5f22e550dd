//! The client's half of the protocol, in memory: what simulators and tests use instead of a driver.
//!
//! Sans-io like [`Connection`]: feed it bytes, take replies, send what is in its out buffer. It reads only what
//! this server writes; anything else is a [`Surprise`], which fails a test. Not for clients of other servers.
//!
//! Absent on purpose: speed, streaming (a result set is read whole), and commands that no test needs.

use super::auth::{PluginKind, SCRAMBLE_BYTES, native_token, sha2_token};
use super::codec::{Reader, put_lenenc_bytes};
use super::connection::{Connection, Options};
use super::constant::{Capabilities, ColumnType, Status, collation, column_flag, command};
use super::error::ServerError;
use super::packet::{CHUNK_BYTES_MAX, HEADER_BYTES, Incoming, finish_packet};
use super::request::Request;
use super::row::put_f64;
use super::statement::{Parameter, ParameterType, read_value};
use super::{Column, auth};
use rsa::pkcs8::DecodePublicKey;
use rsa::{Oaep, RsaPublicKey};
use sha1::Sha1;
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes from the server that this client does not understand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server sent {what}, which is not expected here")]
pub struct Surprise {
    /// The payload, or what was wrong.
    pub what: String,
}

fn surprise(payload: &[u8]) -> Surprise {
    Surprise { what: format!("{:?}", String::from_utf8_lossy(&payload[..payload.len().min(100)])) }
}

/// Who logs in, and how.
#[derive(Clone, Debug)]
pub struct Identity {
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
    /// Initial database.
    pub database: Option<String>,
    /// The plugin that the client begins with.
    pub plugin: PluginKind,
    /// What the client asks for.
    pub capabilities: Capabilities,
}

impl Identity {
    /// As `mysql` of 8.0 would: `caching_sha2_password`, everything that is offered.
    #[must_use]
    pub fn new(user: &str, password: &str) -> Self {
        let capabilities = Capabilities::OFFERED.with(Capabilities::FOUND_ROWS, false);
        let (user, password) = (user.to_owned(), password.to_owned());
        Self { user, password, database: None, plugin: PluginKind::CachingSha2, capabilities }
    }
}

/// An OK packet, or the end of a result set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Okay {
    /// Rows changed or matched.
    pub affected_rows: u64,
    /// LAST_INSERT_ID().
    pub last_insert_id: u64,
    /// Status flags.
    pub status: Status,
    /// How many warnings.
    pub warnings: u16,
    /// For people.
    pub info: String,
    /// Session state: number of its kind, and data.
    pub track: Vec<(u8, Vec<u8>)>,
}

impl Okay {
    /// GTIDs of the session tracker, as text.
    #[must_use]
    pub fn gtids(&self) -> Option<String> {
        let (_, data) = self.track.iter().find(|(kind, _)| *kind == 3)?;
        Reader(data.get(1..)?).lenenc_bytes().map(|text| String::from_utf8_lossy(text).into_owned())
    }
}

/// A value of a result set: its text, or NULL. Values of binary rows are turned into text.
pub type Text = Option<String>;

/// What the server answered to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// OK (also the end of logging in), or EOF.
    Ok(Okay),
    /// ERR.
    Error(ServerError),
    /// A result set.
    Rows {
        /// Its columns.
        columns: Vec<Column>,
        /// Its rows.
        rows: Vec<Vec<Text>>,
        /// Its end. With MORE_RESULTS in the status, another reply follows.
        end: Okay,
    },
    /// A prepared statement.
    Prepared {
        /// Its number.
        statement: u32,
        /// How many parameters it has.
        parameters: usize,
        /// Columns of its result set.
        columns: Vec<Column>,
    },
    /// Plain text (COM_STATISTICS).
    Text(String),
}

#[derive(Debug)]
enum Expect {
    Greeting,
    /// Logging in: the plugin that is being spoken.
    Login(PluginKind),
    Result {
        binary: bool,
    },
    Columns {
        binary: bool,
        count: usize,
        columns: Vec<Column>,
    },
    Rows {
        binary: bool,
        columns: Vec<Column>,
        rows: Vec<Vec<Text>>,
    },
    Prepare,
    Definitions(Definitions),
    Text,
}

#[derive(Debug)]
struct Definitions {
    statement: u32,
    parameters: usize,
    columns: Vec<Column>,
    column_count: usize,
    parameters_left: usize,
    eofs_left: usize,
}

/// A client without a socket.
#[derive(Debug)]
pub struct Client {
    identity: Identity,
    out: Vec<u8>,
    incoming: Incoming,
    sequence: u8,
    scramble: [u8; SCRAMBLE_BYTES],
    expected: VecDeque<Expect>,
    /// Steps of logging in, for tests of it.
    pub login_packets: usize,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Incoming({} bytes)", self.buffered())
    }
}

impl Client {
    /// Waits for the greeting, then logs in; the first reply says how that went.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            out: Vec::new(),
            incoming: Incoming::default(),
            sequence: 0,
            scramble: [0; SCRAMBLE_BYTES],
            expected: VecDeque::from([Expect::Greeting]),
            login_packets: 0,
        }
    }

    /// Takes bytes from the server.
    ///
    /// # Panics
    /// When there are more than 1 GiB of them unread.
    pub fn feed(&mut self, bytes: &[u8]) {
        assert!(self.incoming.feed(bytes, 1 << 30), "a flood from the server");
    }

    /// Bytes for the server.
    pub fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Asks COM_QUERY.
    pub fn query(&mut self, text: &str) {
        self.command(command::QUERY, text.as_bytes());
        self.expected.push_back(Expect::Result { binary: false });
    }

    /// Asks COM_PING.
    pub fn ping(&mut self) {
        self.command(command::PING, b"");
        self.expected.push_back(Expect::Result { binary: false });
    }

    /// Asks COM_STATISTICS.
    pub fn statistics(&mut self) {
        self.command(command::STATISTICS, b"");
        self.expected.push_back(Expect::Text);
    }

    /// Asks COM_STMT_PREPARE.
    pub fn prepare(&mut self, text: &str) {
        self.command(command::STMT_PREPARE, text.as_bytes());
        self.expected.push_back(Expect::Prepare);
    }

    /// Asks COM_STMT_EXECUTE. Types go along when `send_types`.
    pub fn execute(&mut self, statement: u32, parameters: &[Parameter<'_>], send_types: bool) {
        let mut payload = statement.to_le_bytes().to_vec();
        payload.extend_from_slice(&[0, 1, 0, 0, 0]);
        put_parameters(&mut payload, parameters, send_types);
        self.command(command::STMT_EXECUTE, &payload);
        self.expected.push_back(Expect::Result { binary: true });
    }

    /// Asks COM_CHANGE_USER, the way of mysql2: whatever the plugin, a token of the native one.
    pub fn change_user(&mut self, identity: Identity) {
        let mut payload = identity.user.as_bytes().to_vec();
        let token = native_token(identity.password.as_bytes(), &self.scramble);
        payload.extend_from_slice(&[0, token.len() as u8]);
        payload.extend_from_slice(&token);
        payload.extend_from_slice(identity.database.as_deref().unwrap_or("").as_bytes());
        payload.extend_from_slice(b"\0\x2d\0mysql_native_password\0\0");
        self.identity = identity;
        self.command(command::CHANGE_USER, &payload);
        self.login_packets = 0;
        self.expected.push_back(Expect::Login(PluginKind::Native));
    }

    /// Sends any command; what it answers must be OK, ERR or EOF, if `answered`.
    pub fn raw(&mut self, number: u8, payload: &[u8], answered: bool) {
        self.command(number, payload);
        if answered {
            self.expected.push_back(Expect::Result { binary: false });
        }
    }

    /// Sends a command. Several may be on their way at once, if they are shorter than a packet.
    fn command(&mut self, number: u8, payload: &[u8]) {
        let mut sequence = 0;
        self.put(&[&[number], payload].concat(), &mut sequence);
        if self.expected.is_empty() {
            self.sequence = sequence;
        }
    }

    /// Goes on with an exchange.
    fn send(&mut self, payload: &[u8]) {
        let mut sequence = self.sequence;
        self.put(payload, &mut sequence);
        self.sequence = sequence;
    }

    fn put(&mut self, payload: &[u8], sequence: &mut u8) {
        let start = self.out.len();
        self.out.extend_from_slice(&[0; HEADER_BYTES]);
        self.out.extend_from_slice(payload);
        finish_packet(&mut self.out, start, sequence);
    }

    /// The next reply that is there in full.
    ///
    /// # Errors
    /// [`Surprise`] when the server broke the protocol.
    pub fn next_reply(&mut self) -> Result<Option<Reply>, Surprise> {
        loop {
            let next = self.incoming.next(&mut self.sequence, 1 << 30);
            let next = next.map_err(|error| Surprise { what: error.to_string() })?;
            let Some(payload) = next else { return Ok(None) };
            let (reply, continues) = self.on_payload(&payload)?;
            self.incoming.recycle(payload);
            if reply.is_some() {
                if !continues {
                    // The next command's answer, if it was sent already, begins anew at one.
                    self.sequence = 1;
                }
                return Ok(reply);
            }
        }
    }

    /// The reply that `payload` completes, and whether another one follows to the same command.
    fn on_payload(&mut self, payload: &[u8]) -> Result<(Option<Reply>, bool), Surprise> {
        let expected = self.expected.pop_front().ok_or_else(|| surprise(payload))?;
        if payload.first() == Some(&0xff) {
            let error = read_error(payload).ok_or_else(|| surprise(payload))?;
            return Ok((Some(Reply::Error(error)), false));
        }
        let (next, reply) = self.on_expected(expected, payload).ok_or_else(|| surprise(payload))?;
        let continues = next.is_some();
        if let Some(next) = next {
            self.expected.push_front(next);
        }
        Ok((reply, continues))
    }

    fn on_expected(&mut self, expected: Expect, payload: &[u8]) -> Option<(Option<Expect>, Option<Reply>)> {
        let deprecate_eof = self.identity.capabilities.has(Capabilities::DEPRECATE_EOF);
        match expected {
            Expect::Greeting => {
                let plugin = self.on_greeting(payload)?;
                Some((Some(Expect::Login(plugin)), None))
            }
            Expect::Login(plugin) => self.on_login(plugin, payload),
            Expect::Text => Some((None, Some(Reply::Text(String::from_utf8_lossy(payload).into_owned())))),
            Expect::Result { binary } => {
                if matches!(payload.first(), Some(0 | 0xfe)) {
                    return self.end(binary, payload, Reply::Ok);
                }
                let count = usize::try_from(Reader(payload).lenenc()?).ok()?;
                Some((Some(Expect::Columns { binary, count, columns: Vec::new() }), None))
            }
            Expect::Columns { binary, count, mut columns } => {
                if columns.len() < count {
                    columns.push(read_column(payload)?);
                    if columns.len() == count && deprecate_eof {
                        return Some((Some(Expect::Rows { binary, columns, rows: Vec::new() }), None));
                    }
                    return Some((Some(Expect::Columns { binary, count, columns }), None));
                }
                is_eof(payload).then_some(())?;
                Some((Some(Expect::Rows { binary, columns, rows: Vec::new() }), None))
            }
            Expect::Rows { binary, columns, mut rows } => {
                // A row may begin with 0xfe too: with a value that fills a packet.
                let ends = is_eof(payload) || deprecate_eof && payload.len() < CHUNK_BYTES_MAX;
                if payload.first() == Some(&0xfe) && ends {
                    return self.end(binary, payload, |end| Reply::Rows { columns, rows, end });
                }
                rows.push(if binary { read_binary_row(payload, &columns)? } else { read_text_row(payload, &columns)? });
                Some((Some(Expect::Rows { binary, columns, rows }), None))
            }
            Expect::Prepare => {
                let mut reader = Reader(payload.strip_prefix(&[0])?);
                let statement = reader.u32()?;
                let (column_count, parameters) = (usize::from(reader.u16()?), usize::from(reader.u16()?));
                let lists = usize::from(column_count > 0) + usize::from(parameters > 0);
                let definitions = Definitions {
                    statement,
                    parameters,
                    columns: Vec::new(),
                    column_count,
                    parameters_left: parameters,
                    eofs_left: if deprecate_eof { 0 } else { lists },
                };
                Some(definitions.go_on())
            }
            Expect::Definitions(mut definitions) => {
                if is_eof(payload) {
                    definitions.eofs_left = definitions.eofs_left.checked_sub(1)?;
                } else if definitions.parameters_left > 0 {
                    read_column(payload)?;
                    definitions.parameters_left -= 1;
                } else {
                    definitions.columns.push(read_column(payload)?);
                }
                Some(definitions.go_on())
            }
        }
    }

    /// Ends a result; another follows when the status says so.
    fn end(
        &self,
        binary: bool,
        payload: &[u8],
        reply: impl FnOnce(Okay) -> Reply,
    ) -> Option<(Option<Expect>, Option<Reply>)> {
        let okay = read_okay(payload, self.identity.capabilities)?;
        let more = okay.status.has(Status::MORE_RESULTS);
        Some((more.then_some(Expect::Result { binary }), Some(reply(okay))))
    }

    fn on_greeting(&mut self, payload: &[u8]) -> Option<PluginKind> {
        let mut reader = Reader(payload);
        (reader.u8()? == 10).then_some(())?;
        reader.nul()?;
        reader.u32()?;
        self.scramble[..8].copy_from_slice(reader.take(8)?);
        reader.take(1 + 2 + 1 + 2 + 2 + 1 + 10)?;
        self.scramble[8..].copy_from_slice(reader.take(12)?);
        reader.take(1)?;
        reader.nul()?;
        let identity = &self.identity;
        let capabilities = identity.capabilities.with(Capabilities::CONNECT_WITH_DB, identity.database.is_some());
        let plugin = identity.plugin;
        let mut response = capabilities.0.to_le_bytes().to_vec();
        response.extend_from_slice(&(16u32 << 20).to_le_bytes());
        response.push(collation::UTF8MB4_0900_AI_CI.to_le_bytes()[0]);
        response.extend_from_slice(&[0; 23]);
        response.extend_from_slice(identity.user.as_bytes());
        response.push(0);
        put_lenenc_bytes(&mut response, &self.token(plugin));
        if let Some(database) = &self.identity.database {
            response.extend_from_slice(database.as_bytes());
            response.push(0);
        }
        response.extend_from_slice(plugin.name().as_bytes());
        response.push(0);
        put_lenenc_bytes(&mut response, b"\x0c_client_name\x07quorate");
        self.send(&response);
        Some(plugin)
    }

    fn token(&self, plugin: PluginKind) -> Vec<u8> {
        let password = self.identity.password.as_bytes();
        match plugin {
            PluginKind::Native => native_token(password, &self.scramble),
            PluginKind::CachingSha2 if password.is_empty() => vec![0],
            PluginKind::CachingSha2 => sha2_token(password, &self.scramble),
        }
    }

    fn on_login(&mut self, plugin: PluginKind, payload: &[u8]) -> Option<(Option<Expect>, Option<Reply>)> {
        self.login_packets += 1;
        match *payload.first()? {
            0 => Some((None, Some(Reply::Ok(read_okay(payload, self.identity.capabilities)?)))),
            0xfe => {
                let mut reader = Reader(&payload[1..]);
                let plugin = PluginKind::from_name(std::str::from_utf8(reader.nul()?).ok()?)?;
                self.scramble.copy_from_slice(reader.take(SCRAMBLE_BYTES)?);
                self.send(&self.token(plugin));
                Some((Some(Expect::Login(plugin)), None))
            }
            1 if payload == [1, 3] => Some((Some(Expect::Login(plugin)), None)),
            1 if payload == [1, 4] => {
                self.send(&[2]);
                Some((Some(Expect::Login(plugin)), None))
            }
            1 => {
                let key = RsaPublicKey::from_public_key_pem(std::str::from_utf8(&payload[1..]).ok()?).ok()?;
                let mut password = [self.identity.password.as_bytes(), &[0]].concat();
                password.iter_mut().zip(self.scramble.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
                let mut counter = 0;
                let mut random = || {
                    counter += 1;
                    counter
                };
                let encrypted = key.encrypt(&mut auth::Source(&mut random), Oaep::new::<Sha1>(), &password).ok()?;
                self.send(&encrypted);
                Some((Some(Expect::Login(plugin)), None))
            }
            _ => None,
        }
    }
}

impl Definitions {
    fn go_on(self) -> (Option<Expect>, Option<Reply>) {
        let whole = self.columns.len() == self.column_count && self.parameters_left == 0 && self.eofs_left == 0;
        if whole {
            let Self { statement, parameters, columns, .. } = self;
            return (None, Some(Reply::Prepared { statement, parameters, columns }));
        }
        (Some(Expect::Definitions(self)), None)
    }
}

fn is_eof(payload: &[u8]) -> bool {
    payload.len() == 5 && payload[0] == 0xfe
}

fn read_error(payload: &[u8]) -> Option<ServerError> {
    let mut reader = Reader(payload.get(1..)?);
    let code = reader.u16()?;
    let rest = reader.rest();
    let rest = rest.strip_prefix(b"#").and_then(|rest| rest.get(5..)).unwrap_or(rest);
    Some(ServerError::new(code, String::from_utf8_lossy(rest)))
}

fn read_okay(payload: &[u8], capabilities: Capabilities) -> Option<Okay> {
    let mut reader = Reader(payload.get(1..)?);
    if is_eof(payload) && !capabilities.has(Capabilities::DEPRECATE_EOF) {
        let (warnings, status) = (reader.u16()?, Status(reader.u16()?));
        return Some(Okay { warnings, status, ..Okay::default() });
    }
    let (affected_rows, last_insert_id) = (reader.lenenc()?, reader.lenenc()?);
    let (status, warnings) = (Status(reader.u16()?), reader.u16()?);
    let mut okay = Okay { affected_rows, last_insert_id, status, warnings, ..Okay::default() };
    if !reader.is_empty() {
        okay.info = String::from_utf8_lossy(reader.lenenc_bytes()?).into_owned();
    }
    if status.has(Status::SESSION_STATE_CHANGED) {
        let mut state = Reader(reader.lenenc_bytes()?);
        while !state.is_empty() {
            okay.track.push((state.u8()?, state.lenenc_bytes()?.to_vec()));
        }
    }
    reader.is_empty().then_some(okay)
}

fn read_column(payload: &[u8]) -> Option<Column> {
    let mut reader = Reader(payload);
    let mut text = || reader.lenenc_bytes().map(|text| String::from_utf8_lossy(text).into_owned());
    (text()? == "def").then_some(())?;
    let (schema, table, org_table, name, org_name) = (text()?, text()?, text()?, text()?, text()?);
    (reader.u8()? == 0x0c).then_some(())?;
    let (collation, length) = (reader.u16()?, reader.u32()?);
    let (kind, flags, decimals) = (ColumnType::from_number(reader.u8()?)?, reader.u16()?, reader.u8()?);
    Some(Column { schema, table, org_table, name, org_name, collation, length, kind, flags, decimals })
}

fn read_text_row(payload: &[u8], columns: &[Column]) -> Option<Vec<Text>> {
    let mut reader = Reader(payload);
    let mut row = Vec::new();
    for _ in columns {
        if reader.0.first() == Some(&0xfb) {
            reader.u8()?;
            row.push(None);
        } else {
            row.push(Some(String::from_utf8_lossy(reader.lenenc_bytes()?).into_owned()));
        }
    }
    reader.is_empty().then_some(row)
}

fn read_binary_row(payload: &[u8], columns: &[Column]) -> Option<Vec<Text>> {
    let mut reader = Reader(payload.strip_prefix(&[0])?);
    let nulls = reader.take((columns.len() + 2).div_ceil(8))?;
    let mut row = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        if nulls[(at + 2) / 8] & 1 << ((at + 2) % 8) != 0 {
            row.push(None);
            continue;
        }
        let kind = ParameterType { kind: column.kind, unsigned: column.flags & column_flag::UNSIGNED != 0 };
        row.push(as_text(&read_value(&mut reader, kind)?));
    }
    reader.is_empty().then_some(row)
}

fn as_text(value: &Parameter<'_>) -> Text {
    Some(match value {
        Parameter::Null => return None,
        Parameter::Int(value) => value.to_string(),
        Parameter::UInt(value) => value.to_string(),
        Parameter::Float(value) => value.to_string(),
        Parameter::Double(value) => {
            let mut text = Vec::new();
            put_f64(&mut text, *value);
            String::from_utf8_lossy(&text).into_owned()
        }
        Parameter::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Parameter::Date(date) => format!("{:04}-{:02}-{:02}", date.year, date.month, date.day),
        Parameter::DateTime(at) => {
            let (date, time) = ((at.year, at.month, at.day), (at.hour, at.minute, at.second));
            let date = format!("{:04}-{:02}-{:02}", date.0, date.1, date.2);
            format!("{date} {:02}:{:02}:{:02}.{:06}", time.0, time.1, time.2, at.micros)
        }
        Parameter::Time(time) => {
            let sign = if time.negative { "-" } else { "" };
            format!("{sign}{:02}:{:02}:{:02}.{:06}", time.hours, time.minutes, time.seconds, time.micros)
        }
    })
}

fn put_parameters(out: &mut Vec<u8>, parameters: &[Parameter<'_>], send_types: bool) {
    if parameters.is_empty() {
        return;
    }
    let mut nulls = vec![0u8; parameters.len().div_ceil(8)];
    for (at, parameter) in parameters.iter().enumerate() {
        nulls[at / 8] |= u8::from(*parameter == Parameter::Null) << (at % 8);
    }
    out.extend_from_slice(&nulls);
    out.push(u8::from(send_types));
    let mut values = Vec::new();
    for parameter in parameters {
        let (kind, unsigned) = match parameter {
            Parameter::Null => (ColumnType::Null, 0),
            Parameter::Int(value) => {
                values.extend_from_slice(&value.to_le_bytes());
                (ColumnType::LongLong, 0)
            }
            Parameter::UInt(value) => {
                values.extend_from_slice(&value.to_le_bytes());
                (ColumnType::LongLong, 0x80)
            }
            Parameter::Float(value) => {
                values.extend_from_slice(&value.to_le_bytes());
                (ColumnType::Float, 0)
            }
            Parameter::Double(value) => {
                values.extend_from_slice(&value.to_le_bytes());
                (ColumnType::Double, 0)
            }
            Parameter::Bytes(bytes) => {
                put_lenenc_bytes(&mut values, bytes);
                (ColumnType::VarString, 0)
            }
            Parameter::Date(at) | Parameter::DateTime(at) => {
                values.push(11);
                values.extend_from_slice(&at.year.to_le_bytes());
                values.extend_from_slice(&[at.month, at.day, at.hour, at.minute, at.second]);
                values.extend_from_slice(&at.micros.to_le_bytes());
                let date = matches!(parameter, Parameter::Date(_));
                (if date { ColumnType::Date } else { ColumnType::DateTime }, 0)
            }
            Parameter::Time(at) => {
                values.extend_from_slice(&[12, u8::from(at.negative)]);
                values.extend_from_slice(&(at.hours / 24).to_le_bytes());
                values.extend_from_slice(&[(at.hours % 24) as u8, at.minutes, at.seconds]);
                values.extend_from_slice(&at.micros.to_le_bytes());
                (ColumnType::Time, 0)
            }
        };
        if send_types {
            out.extend_from_slice(&[kind as u8, unsigned]);
        }
    }
    out.extend_from_slice(&values);
}

/// A client and a connection that hand each other their bytes at once.
#[derive(Debug)]
pub struct Pair {
    /// The client.
    pub client: Client,
    /// The server's end.
    pub connection: Connection,
}

impl Pair {
    /// A connection with number 7 from `localhost`, greeted.
    #[must_use]
    pub fn new(identity: Identity, options: Arc<Options>) -> Self {
        let random = std::array::from_fn(|at| (at * 37 + 11) as u8);
        let connection = Connection::new(7, random, "localhost", options);
        Self { client: Client::new(identity), connection }
    }

    /// Carries bytes both ways until a request or a reply comes out, or all is quiet.
    ///
    /// # Panics
    /// When either end breaks the protocol.
    pub fn turn(&mut self) -> Turn {
        loop {
            let request = self.connection.next_request().expect("this client sends whole packets");
            if let Some(request) = request {
                return Turn::Request(request);
            }
            let to_client = std::mem::take(self.connection.out());
            self.client.feed(&to_client);
            let reply = self.client.next_reply().expect("this server sends whole packets");
            let to_server = std::mem::take(self.client.out());
            self.connection.feed(&to_server);
            if let Some(reply) = reply {
                return Turn::Reply(reply);
            }
            if to_client.is_empty() && to_server.is_empty() {
                return Turn::Quiet;
            }
        }
    }
}

/// What came out of a [`Pair`].
#[derive(Debug, PartialEq)]
pub enum Turn {
    /// The server is asked.
    Request(Request),
    /// The client is answered.
    Reply(Reply),
    /// Nothing moves.
    Quiet,
}
