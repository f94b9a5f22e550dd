//! Answers: OK, ERR, EOF, column definitions, rows, prepared statements.

use super::codec::{put_lenenc, put_lenenc_bytes};
use super::constant::{Capabilities, ColumnType, Status, collation};
use super::error::ServerError;
use super::packet::{HEADER_BYTES, finish_packet};
use super::row::RowWriter;

/// Longest text of an error that is sent, as in MySQL.
const MESSAGE_BYTES_MAX: usize = 512;
const OK: u8 = 0x00;
const EOF: u8 = 0xfe;
const ERR: u8 = 0xff;

/// What an OK packet tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done<'a> {
    /// Rows changed (with FOUND_ROWS: matched).
    pub affected_rows: u64,
    /// LAST_INSERT_ID() of this statement; 0 for none.
    pub last_insert_id: u64,
    /// SESSION_STATE_CHANGED is added where it belongs.
    pub status: Status,
    /// How many warnings SHOW WARNINGS has.
    pub warnings: u16,
    /// For people, like `Rows matched: 1  Changed: 1  Warnings: 0`.
    pub info: &'a str,
    /// Changed session state; left out for clients without SESSION_TRACK.
    pub track: &'a [Track<'a>],
}

/// A change of session state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track<'a> {
    /// A system variable named in `session_track_system_variables` has a new value.
    SystemVariable {
        /// Its name.
        name: &'a str,
        /// Its value.
        value: &'a str,
    },
    /// The current database (`session_track_schema`).
    Schema(&'a str),
    /// Something changed (`session_track_state_change`).
    StateChange,
    /// GTIDs (`session_track_gtids`), as a GTID set.
    Gtids(&'a str),
    /// Statements that start the present transaction again (`session_track_transaction_info=CHARACTERISTICS`).
    TransactionCharacteristics(&'a str),
    /// Eight characters of transaction state (`session_track_transaction_info=STATE`).
    TransactionState(&'a str),
}

/// What a result set says of one of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Database; empty for an expression.
    pub schema: String,
    /// Alias of the table.
    pub table: String,
    /// The table's own name.
    pub org_table: String,
    /// Alias of the column.
    pub name: String,
    /// The column's own name; empty for an expression.
    pub org_name: String,
    /// Collation id; 63 for bytes, numbers and dates.
    pub collation: u16,
    /// Greatest length of a value as text, in bytes of the collation's character set.
    pub length: u32,
    /// Type.
    pub kind: ColumnType,
    /// See [`super::constant::column_flag`].
    pub flags: u16,
    /// Digits behind the point: of DECIMAL, FLOAT and DOUBLE (31: as many as it takes), or of seconds.
    pub decimals: u8,
}

impl Column {
    /// A column of an expression: no table, no flags, collation 63.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: ColumnType) -> Self {
        Self {
            schema: String::new(),
            table: String::new(),
            org_table: String::new(),
            name: name.into(),
            org_name: String::new(),
            collation: collation::BINARY,
            length: 0,
            kind,
            flags: 0,
            decimals: 0,
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_lenenc_bytes(out, b"def");
        for text in [&self.schema, &self.table, &self.org_table, &self.name, &self.org_name] {
            put_lenenc_bytes(out, text.as_bytes());
        }
        out.push(0x0c);
        out.extend_from_slice(&self.collation.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
        out.push(self.kind as u8);
        out.extend_from_slice(&self.flags.to_le_bytes());
        out.push(self.decimals);
        out.extend_from_slice(&[0, 0]);
    }
}

/// Writes answers into the out buffer, in the form that the client asked for at its login.
#[derive(Debug, Default)]
pub struct Answer {
    out: Vec<u8>,
    /// Number of the next packet.
    pub(super) sequence: u8,
    pub(super) capabilities: Capabilities,
}

impl Answer {
    /// What client and server agreed on.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// Bytes that wait to be sent. Long answers are sent in between: take them from the front or clear them.
    pub fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// The command succeeded.
    pub fn ok(&mut self, done: &Done<'_>) {
        self.done(OK, done);
    }

    /// The command failed.
    pub fn error(&mut self, error: &ServerError) {
        self.packet(|out| {
            out.push(ERR);
            out.extend_from_slice(&error.code.to_le_bytes());
            out.push(b'#');
            out.extend_from_slice(error.sqlstate().as_bytes());
            out.extend_from_slice(cut(&error.message).as_bytes());
        });
    }

    pub(super) fn error_before_greeting(&mut self, error: &ServerError) {
        self.packet(|out| {
            out.push(ERR);
            out.extend_from_slice(&error.code.to_le_bytes());
            out.extend_from_slice(cut(&error.message).as_bytes());
        });
    }

    /// The end of something that is not a result set's rows (COM_SET_OPTION, COM_DEBUG, COM_FIELD_LIST).
    pub fn eof(&mut self, status: Status, warnings: u16) {
        if self.capabilities.has(Capabilities::DEPRECATE_EOF) {
            self.done(EOF, &Done { status, warnings, ..Done::default() });
        } else {
            self.packet(|out| {
                out.push(EOF);
                out.extend_from_slice(&warnings.to_le_bytes());
                out.extend_from_slice(&status.0.to_le_bytes());
            });
        }
    }

    /// A payload that is nothing but text (COM_STATISTICS).
    pub fn text(&mut self, text: &str) {
        self.raw(text.as_bytes());
    }

    /// Any payload (events of the binary log).
    pub fn raw(&mut self, payload: &[u8]) {
        self.packet(|out| out.extend_from_slice(payload));
    }

    /// Begins a result set: how many columns, and what they are. Rows follow.
    pub fn columns(&mut self, columns: &[Column], status: Status, warnings: u16) {
        self.packet(|out| put_lenenc(out, columns.len() as u64));
        self.definitions(columns, status, warnings);
    }

    /// Begins a row in text form (COM_QUERY).
    pub fn text_row<'a>(&'a mut self, columns: &'a [Column]) -> RowWriter<'a> {
        self.row(columns, false)
    }

    /// Begins a row in binary form (COM_STMT_EXECUTE, COM_STMT_FETCH).
    pub fn binary_row<'a>(&'a mut self, columns: &'a [Column]) -> RowWriter<'a> {
        self.row(columns, true)
    }

    /// Begins a row in either form.
    pub fn row<'a>(&'a mut self, columns: &'a [Column], binary: bool) -> RowWriter<'a> {
        RowWriter::new(&mut self.out, &mut self.sequence, columns, binary)
    }

    /// Ends a result set. With MORE_RESULTS in the status, another answer follows.
    pub fn end_rows(&mut self, done: &Done<'_>) {
        if self.capabilities.has(Capabilities::DEPRECATE_EOF) {
            self.done(EOF, done);
        } else {
            self.eof(done.status, done.warnings);
        }
    }

    /// Answers COM_STMT_PREPARE: the statement's number, one column for each parameter, and the columns of its
    /// result set (none for a statement without one). More than 65535 of either can't be said: 1390 is due.
    pub fn prepared(
        &mut self,
        statement: u32,
        parameters: &[Column],
        columns: &[Column],
        status: Status,
        warnings: u16,
    ) {
        let counts = [columns.len(), parameters.len()].map(|count| u16::try_from(count).unwrap_or(u16::MAX));
        let [columns, parameters] = [&columns[..usize::from(counts[0])], &parameters[..usize::from(counts[1])]];
        self.packet(|out| {
            out.push(OK);
            out.extend_from_slice(&statement.to_le_bytes());
            out.extend_from_slice(&counts[0].to_le_bytes());
            out.extend_from_slice(&counts[1].to_le_bytes());
            out.push(0);
            out.extend_from_slice(&warnings.to_le_bytes());
        });
        for list in [parameters, columns] {
            if !list.is_empty() {
                self.definitions(list, status, warnings);
            }
        }
    }

    /// Answers COM_FIELD_LIST: the columns with their defaults as text.
    pub fn field_list<'a>(&mut self, columns: impl IntoIterator<Item = (&'a Column, Option<&'a str>)>, status: Status) {
        for (column, default) in columns {
            self.packet(|out| {
                column.put(out);
                match default {
                    Some(default) => put_lenenc_bytes(out, default.as_bytes()),
                    None => out.push(0xfb),
                }
            });
        }
        self.eof(status, 0);
    }

    fn definitions(&mut self, columns: &[Column], status: Status, warnings: u16) {
        for column in columns {
            self.packet(|out| column.put(out));
        }
        if !self.capabilities.has(Capabilities::DEPRECATE_EOF) {
            self.eof(status, warnings);
        }
    }

    fn done(&mut self, header: u8, done: &Done<'_>) {
        let tracks = self.capabilities.has(Capabilities::SESSION_TRACK);
        let changed = tracks && !done.track.is_empty();
        self.packet(|out| {
            out.push(header);
            put_lenenc(out, done.affected_rows);
            put_lenenc(out, done.last_insert_id);
            let status = done.status.with(Status::SESSION_STATE_CHANGED, changed);
            out.extend_from_slice(&status.0.to_le_bytes());
            out.extend_from_slice(&done.warnings.to_le_bytes());
            if changed || !done.info.is_empty() {
                put_lenenc_bytes(out, cut(done.info).as_bytes());
            }
            if changed {
                let mut state = Vec::new();
                done.track.iter().for_each(|track| put_track(&mut state, track));
                put_lenenc_bytes(out, &state);
            }
        });
    }

    /// Writes one packet, split where it is too long.
    pub(super) fn packet(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.out.len();
        self.out.extend_from_slice(&[0; HEADER_BYTES]);
        write(&mut self.out);
        finish_packet(&mut self.out, start, &mut self.sequence);
    }
}

fn put_track(out: &mut Vec<u8>, track: &Track<'_>) {
    let mut data = Vec::new();
    let number = match track {
        Track::SystemVariable { name, value } => {
            put_lenenc_bytes(&mut data, name.as_bytes());
            put_lenenc_bytes(&mut data, value.as_bytes());
            0
        }
        Track::Schema(name) => {
            put_lenenc_bytes(&mut data, name.as_bytes());
            1
        }
        Track::StateChange => {
            put_lenenc_bytes(&mut data, b"1");
            2
        }
        Track::Gtids(set) => {
            // The kind of encoding that follows: 0, text.
            data.push(0);
            put_lenenc_bytes(&mut data, set.as_bytes());
            3
        }
        Track::TransactionCharacteristics(text) => {
            put_lenenc_bytes(&mut data, text.as_bytes());
            4
        }
        Track::TransactionState(text) => {
            put_lenenc_bytes(&mut data, text.as_bytes());
            5
        }
    };
    out.push(number);
    put_lenenc_bytes(out, &data);
}

/// At most [`MESSAGE_BYTES_MAX`] bytes, whole characters.
fn cut(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE_BYTES_MAX)]
}
