//! What a client asks for: command packets.

use super::auth::FastDigest;
use super::codec::Reader;
use super::constant::command;
use super::error::ServerError;
use super::handshake::{Login, text};
use super::packet::Payload;
use crate::gtid::GtidSet;

/// One thing that a client asks for, or that logging in asks of the embedder.
#[derive(Debug, PartialEq)]
pub enum Request {
    /// Whose credential? Answer with [`super::Connection::credential`].
    Authenticate(Box<Login>),
    /// The client has shown that it knows the password. Answer with [`super::Connection::accept`] or
    /// [`super::Connection::refuse`] (locked, unknown database ...).
    LoggedIn {
        /// Who it is.
        login: Box<Login>,
        /// What the cache of `caching_sha2_password` may keep for the account.
        learned: Option<FastDigest>,
    },
    /// Ends; no answer.
    Quit,
    /// USE: a database name.
    InitDb(Payload),
    /// Statements as text, without the NUL that some clients send behind it.
    Query(Payload),
    /// Columns of a table: [`super::Answer::field_list`].
    FieldList {
        /// The table's name.
        table: String,
        /// A LIKE pattern; empty for all.
        pattern: String,
    },
    /// FLUSH, by bits: 1 privileges, 2 logs, 4 tables, 8 hosts, 16 status ...; OK.
    Refresh(u8),
    /// [`super::Answer::text`].
    Statistics,
    /// OK.
    Ping,
    /// KILL.
    ProcessKill(u32),
    /// EOF.
    Debug,
    /// The session starts anew, the user stays; OK.
    ResetConnection,
    /// MULTI_STATEMENTS on or off, already done; EOF.
    SetOption {
        /// Whether a text may now hold several statements.
        multi_statements: bool,
    },
    /// [`super::Answer::prepared`].
    Prepare(Payload),
    /// A prepared statement to run.
    Execute(Execute),
    /// No answer, not even an error.
    SendLongData {
        /// Statement.
        statement: u32,
        /// Which parameter, from 0.
        parameter: u16,
        /// A piece of its value.
        data: Payload,
    },
    /// No answer.
    CloseStatement(u32),
    /// Forgets long data and the cursor; OK.
    ResetStatement(u32),
    /// Rows of a cursor.
    Fetch {
        /// Statement.
        statement: u32,
        /// How many.
        rows: u32,
    },
    /// A replica tells who it is; OK.
    RegisterReplica(RegisterReplica),
    /// A replica wants the binary log.
    BinlogDump(BinlogDump),
}

/// COM_STMT_EXECUTE. [`Execute::parameters`] reads the values.
#[derive(Debug, PartialEq)]
pub struct Execute {
    /// Statement.
    pub statement: u32,
    /// Asks for a cursor: 0 none, 1 read only, 2 for update, 4 scrollable.
    pub cursor: u8,
    /// NULL bitmap, types and values.
    pub(super) parameters: Payload,
}

impl Execute {
    /// Its buffer, to be recycled.
    #[must_use]
    pub fn into_payload(self) -> Payload {
        self.parameters
    }
}

/// COM_REGISTER_SLAVE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterReplica {
    /// Its `server_id`.
    pub server_id: u32,
    /// Its `report_host`.
    pub host: String,
    /// Its `report_user`.
    pub user: String,
    /// Its `report_port`.
    pub port: u16,
}

/// COM_BINLOG_DUMP and COM_BINLOG_DUMP_GTID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinlogDump {
    /// The replica's `server_id`.
    pub server_id: u32,
    /// Bit 0: end at the end of the log instead of waiting.
    pub flags: u16,
    /// File to begin with; empty for the first.
    pub file: String,
    /// Position in it.
    pub position: u64,
    /// What the replica has already (COM_BINLOG_DUMP_GTID).
    pub executed: Option<GtidSet>,
}

/// Malformed payload of a known command: 1835.
pub(super) fn malformed() -> ServerError {
    ServerError::new(1835, "Malformed communication packet.")
}

/// Reads a command packet. COM_CHANGE_USER is not among them: it changes the connection's phase.
///
/// # Errors
/// 1047 for an unknown command, 1835 for a payload that is too short: the connection goes on.
pub(super) fn parse(payload: Payload) -> Result<Request, ServerError> {
    let Some(&number) = payload.first() else { return Err(ServerError::new(1047, "Unknown command")) };
    let payload = payload.skip(1);
    parse_body(number, payload)
}

fn parse_body(number: u8, payload: Payload) -> Result<Request, ServerError> {
    let mut reader = Reader(&payload);
    Ok(match number {
        command::QUIT => Request::Quit,
        command::INIT_DB => Request::InitDb(payload),
        command::QUERY => Request::Query(payload.without_trailing_nul()),
        command::STMT_PREPARE => Request::Prepare(payload.without_trailing_nul()),
        command::REFRESH => Request::Refresh(reader.u8().ok_or_else(malformed)?),
        command::STATISTICS => Request::Statistics,
        command::DEBUG => Request::Debug,
        command::PING => Request::Ping,
        command::RESET_CONNECTION => Request::ResetConnection,
        command::FIELD_LIST => {
            let table = reader.nul().ok_or_else(malformed)?;
            let pattern = reader.rest();
            Request::FieldList { table: text(table), pattern: text(pattern.strip_suffix(&[0]).unwrap_or(pattern)) }
        }
        command::SET_OPTION => match reader.u16() {
            Some(option @ (0 | 1)) => Request::SetOption { multi_statements: option == 0 },
            Some(_) => return Err(ServerError::new(1047, "Unknown command")),
            None => return Err(malformed()),
        },
        command::PROCESS_KILL => Request::ProcessKill(reader.u32().ok_or_else(malformed)?),
        command::STMT_CLOSE => Request::CloseStatement(reader.u32().ok_or_else(malformed)?),
        command::STMT_RESET => Request::ResetStatement(reader.u32().ok_or_else(malformed)?),
        command::STMT_FETCH => {
            let (Some(statement), Some(rows)) = (reader.u32(), reader.u32()) else { return Err(malformed()) };
            Request::Fetch { statement, rows }
        }
        command::STMT_EXECUTE => {
            let (Some(statement), Some(cursor), Some(_)) = (reader.u32(), reader.u8(), reader.u32()) else {
                return Err(malformed());
            };
            Request::Execute(Execute { statement, cursor, parameters: payload.skip(9) })
        }
        command::STMT_SEND_LONG_DATA => {
            let (Some(statement), Some(parameter)) = (reader.u32(), reader.u16()) else { return Err(malformed()) };
            Request::SendLongData { statement, parameter, data: payload.skip(6) }
        }
        command::REGISTER_SLAVE => Request::RegisterReplica(register(reader).ok_or_else(malformed)?),
        command::BINLOG_DUMP => Request::BinlogDump(binlog_dump(reader).ok_or_else(malformed)?),
        command::BINLOG_DUMP_GTID => Request::BinlogDump(binlog_dump_gtid(reader).ok_or_else(malformed)?),
        _ => return Err(ServerError::new(1047, "Unknown command")),
    })
}

fn register(mut reader: Reader<'_>) -> Option<RegisterReplica> {
    let server_id = reader.u32()?;
    let mut short_text = || {
        let length = reader.u8()?;
        reader.take(usize::from(length)).map(text)
    };
    let (host, user, _password) = (short_text()?, short_text()?, short_text()?);
    Some(RegisterReplica { server_id, host, user, port: reader.u16()? })
}

fn binlog_dump(mut reader: Reader<'_>) -> Option<BinlogDump> {
    let position = u64::from(reader.u32()?);
    let (flags, server_id) = (reader.u16()?, reader.u32()?);
    Some(BinlogDump { server_id, flags, file: text(reader.rest()), position, executed: None })
}

fn binlog_dump_gtid(mut reader: Reader<'_>) -> Option<BinlogDump> {
    let (flags, server_id) = (reader.u16()?, reader.u32()?);
    let length = usize::try_from(reader.u32()?).ok()?;
    let file = text(reader.take(length)?);
    let position = reader.u64()?;
    let length = usize::try_from(reader.u32()?).ok()?;
    let executed = GtidSet::decode(reader.take(length)?).ok()?;
    Some(BinlogDump { server_id, flags, file, position, executed: Some(executed) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Request, u16> {
        parse(Payload::from(bytes.to_vec())).map_err(|error| error.code)
    }

    #[test]
    fn commands_are_read() {
        for (bytes, request) in [
            (&b"\x01"[..], Ok(Request::Quit)),
            (b"\x02test", Ok(Request::InitDb(b"test".to_vec().into()))),
            (b"\x03select 1", Ok(Request::Query(b"select 1".to_vec().into()))),
            (b"\x03select 1\0", Ok(Request::Query(b"select 1".to_vec().into()))),
            (b"\x03select 1 \n", Ok(Request::Query(b"select 1 \n".to_vec().into()))),
            (b"\x03", Ok(Request::Query(Vec::new().into()))),
            (b"\x04t1\0", Ok(Request::FieldList { table: "t1".into(), pattern: String::new() })),
            (b"\x04t1\0a%\0", Ok(Request::FieldList { table: "t1".into(), pattern: "a%".into() })),
            (b"\x07\x05", Ok(Request::Refresh(5))),
            (b"\x07", Err(1835)),
            (b"\x09", Ok(Request::Statistics)),
            (b"\x0c\x07\0\0\0", Ok(Request::ProcessKill(7))),
            (b"\x0d", Ok(Request::Debug)),
            (b"\x0e", Ok(Request::Ping)),
            (b"\x16BEGIN", Ok(Request::Prepare(b"BEGIN".to_vec().into()))),
            (
                b"\x18\x01\0\0\0\x02\0ab",
                Ok(Request::SendLongData { statement: 1, parameter: 2, data: b"ab".to_vec().into() }),
            ),
            (b"\x19\x01\0\0\0", Ok(Request::CloseStatement(1))),
            (b"\x1a\x01\0\0\0", Ok(Request::ResetStatement(1))),
            (b"\x1b\0\0", Ok(Request::SetOption { multi_statements: true })),
            (b"\x1b\x01\0", Ok(Request::SetOption { multi_statements: false })),
            (b"\x1c\x01\0\0\0\x0a\0\0\0", Ok(Request::Fetch { statement: 1, rows: 10 })),
            (b"\x1f", Ok(Request::ResetConnection)),
            (b"", Err(1047)),
            (b"\x00", Err(1047)),
            (b"\x05x", Err(1047)),
            (b"\xff", Err(1047)),
            (b"\x1b\x02\0", Err(1047)),
            (b"\x17\x01\0\0", Err(1835)),
            (b"\x19\x01", Err(1835)),
            (b"\x04t1", Err(1835)),
            (b"\x1e\0\0", Err(1835)),
        ] {
            assert_eq!(read(bytes), request, "{bytes:?}");
        }
    }

    #[test]
    fn replicas_are_understood() {
        let request = read(b"\x15\x07\0\0\0\x04host\x01u\0\xea\x0c\0\0\0\0\0\0\0\0").unwrap();
        let expected = RegisterReplica { server_id: 7, host: "host".into(), user: "u".into(), port: 3306 };
        assert_eq!(request, Request::RegisterReplica(expected));
        let Request::BinlogDump(dump) = read(b"\x12\x04\0\0\0\x01\0\x07\0\0\0log.000001").unwrap() else { panic!() };
        assert_eq!((dump.server_id, dump.flags, dump.position, dump.file.as_str()), (7, 1, 4, "log.000001"));

        let set = GtidSet::parse("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:9").unwrap();
        let mut encoded = Vec::new();
        set.encode(&mut encoded);
        let mut bytes = b"\x1e\x04\0\x07\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0".to_vec();
        bytes.extend_from_slice(&(encoded.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&encoded);
        let Request::BinlogDump(dump) = read(&bytes).unwrap() else { panic!() };
        assert_eq!(dump.executed, Some(set));
    }
}
