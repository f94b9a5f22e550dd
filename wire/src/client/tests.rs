//! The two ends against each other, and against bytes that real clients sent.

use super::auth::{Credential, NativeHash, PluginKind, RsaKey, Sha2Hash, fast_digest};
use super::constant::column_flag;
use super::statement::{LongData, Parameter};
use super::testing::{Identity, Okay, Pair, Reply, Turn};
use super::*;
use std::sync::{Arc, OnceLock};

/// A key made once for all tests. Short, as a debug build is slow.
fn key() -> RsaKey {
    static KEY: OnceLock<RsaKey> = OnceLock::new();
    let make = || {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed ^ mixed >> 27
        };
        RsaKey::generate(1024, &mut random).unwrap()
    };
    KEY.get_or_init(make).clone()
}

fn options() -> Arc<Options> {
    Arc::new(Options { rsa_key: Some(key()), ..Options::default() })
}

fn sha2(password: &str) -> Credential {
    let stored = Sha2Hash::of_password(password.as_bytes(), *b"01234567890123456789");
    Credential::CachingSha2 { stored, cached: None }
}

fn native(password: &str) -> Credential {
    Credential::Native(NativeHash::of_password(password.as_bytes()))
}

/// Logs in; gives the reply and what the cache may learn.
fn login(pair: &mut Pair, credential: Option<Credential>) -> (Reply, Option<auth::FastDigest>) {
    let mut learned = None;
    loop {
        match pair.turn() {
            Turn::Request(Request::Authenticate(_)) => pair.connection.credential(credential),
            Turn::Request(Request::LoggedIn { learned: digest, .. }) => {
                learned = digest;
                pair.connection.accept(&Done { status: Status::AUTOCOMMIT, ..Done::default() });
            }
            Turn::Reply(reply) => return (reply, learned),
            turn => panic!("{turn:?}"),
        }
    }
}

fn logged_in(capabilities: Capabilities) -> Pair {
    let identity = Identity { capabilities, ..Identity::new("root", "") };
    let mut pair = Pair::new(identity, options());
    assert!(matches!(login(&mut pair, Some(sha2(""))).0, Reply::Ok(_)));
    pair
}

#[test]
fn passwords_open_and_their_lack_does_not() {
    let denied = |using| {
        Reply::Error(ServerError::new(
            1045,
            format!("Access denied for user 'u'@'localhost' (using password: {using})"),
        ))
    };
    let okay = Reply::Ok(Okay { status: Status::AUTOCOMMIT, ..Okay::default() });
    for plugin in [PluginKind::Native, PluginKind::CachingSha2] {
        for stored in [native as fn(&str) -> Credential, sha2] {
            for (known, tried, expected) in [
                (Some("secret"), "secret", okay.clone()),
                (Some("secret"), "Secret", denied("YES")),
                (Some("secret"), "", denied("NO")),
                (Some(""), "", okay.clone()),
                (Some(""), "x", denied("YES")),
                (None, "secret", denied("YES")),
                (None, "", denied("NO")),
            ] {
                let mut pair = Pair::new(Identity { plugin, ..Identity::new("u", tried) }, options());
                let (reply, learned) = login(&mut pair, known.map(stored));
                assert_eq!(reply, expected, "{plugin:?} {known:?} {tried:?}");
                assert_eq!(pair.connection.is_closing(), expected != okay);
                let full =
                    expected == okay && !tried.is_empty() && matches!(stored(""), Credential::CachingSha2 { .. });
                assert_eq!(learned, full.then(|| fast_digest(tried.as_bytes())));
            }
        }
    }
}

#[test]
fn an_unknown_user_meets_the_same_packets_as_a_wrong_password() {
    let steps = |credential| {
        let mut pair = Pair::new(Identity::new("u", "wrong"), options());
        login(&mut pair, credential);
        pair.client.login_packets
    };
    assert_eq!(steps(None), steps(Some(sha2("right"))));
}

#[test]
fn a_cached_password_spares_the_key() {
    let Credential::CachingSha2 { stored, .. } = sha2("secret") else { unreachable!() };
    let cached = Some(fast_digest(b"secret"));
    let mut pair = Pair::new(Identity::new("u", "secret"), Arc::default());
    let (reply, learned) = login(&mut pair, Some(Credential::CachingSha2 { stored, cached }));
    assert!(matches!(reply, Reply::Ok(_)));
    assert_eq!((learned, pair.client.login_packets), (None, 2));
    // A stale digest in the cache only costs the long way.
    let cached = Some(fast_digest(b"former"));
    let mut pair = Pair::new(Identity::new("u", "secret"), options());
    let (reply, learned) = login(&mut pair, Some(Credential::CachingSha2 { stored, cached }));
    assert!(matches!(reply, Reply::Ok(_)));
    assert_eq!(learned, Some(fast_digest(b"secret")));
}

/// libmariadb 3.3 sends the password in the clear to a server on the loopback.
#[test]
fn a_clear_password_is_taken_only_where_nobody_listens() {
    for (secure, admitted) in [(true, true), (false, false)] {
        let mut connection = Connection::new(1, [5; 20], "127.0.0.1", options());
        if secure {
            connection.set_secure();
        }
        connection.feed(LIBMARIADB_LOGIN);
        let Ok(Some(Request::Authenticate(asked))) = connection.next_request() else { panic!() };
        assert_eq!((asked.user.as_str(), asked.collation, asked.database.as_deref()), ("s", 33, None));
        assert_eq!(asked.attributes[1], ("_client_name".into(), "libmariadb".into()));
        assert!(!asked.capabilities.has(Capabilities::LONG_PASSWORD.with(Capabilities::DEPRECATE_EOF, true)));
        connection.out().clear();
        connection.credential(Some(sha2("secret")));
        assert_eq!(connection.out()[..], [2, 0, 0, 2, 1, 4]);
        connection.feed(&packet(3, b"secret\0"));
        assert_eq!(matches!(connection.next_request(), Ok(Some(Request::LoggedIn { .. }))), admitted);
        assert_eq!(connection.is_closing(), !admitted);
    }
}

/// As Debian's `mariadb` 10.11 sent it (process number and token replaced).
const LIBMARIADB_LOGIN: &[u8] =
    b"\xd8\0\0\x01\x85\xa2\xbf\0\0\0\x10\0\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    s\0\x20aaaabbbbccccddddeeeeffffgggghhhhcaching_sha2_password\0\x7e\
    \x03_os\x05Linux\x0c_client_name\x0alibmariadb\x04_pid\x041234\x0f_client_version\x063.3.20\
    \x09_platform\x06x86_64\x0cprogram_name\x05mysql\x0c_server_host\x09127.0.0.1";

#[test]
fn keys_survive_their_pem() {
    let again = RsaKey::from_pem(&key().private_pem()).unwrap();
    assert_eq!(again.public_pem(), key().public_pem());
    assert!(again.public_pem().starts_with("-----BEGIN PUBLIC KEY-----\n"));
    assert!(RsaKey::from_pem("-----BEGIN PUBLIC KEY-----").is_err());
}

#[test]
fn change_user_switches_the_plugin_and_may_fail() {
    for (credential, admitted) in [(sha2("new"), true), (native("new"), true), (native("other"), false)] {
        let mut pair = logged_in(Capabilities::OFFERED);
        pair.client.change_user(Identity { database: Some("db".into()), ..Identity::new("u", "new") });
        let Turn::Request(Request::Authenticate(asked)) = pair.turn() else { panic!() };
        assert_eq!((asked.user.as_str(), asked.database.as_deref(), asked.collation), ("u", Some("db"), 45));
        assert!(asked.change_user);
        pair.connection.credential(Some(credential));
        let (reply, _) = login(&mut pair, None);
        assert_eq!(matches!(reply, Reply::Ok(_)), admitted);
        assert_eq!(pair.connection.is_closing(), !admitted);
    }
}

fn columns() -> Vec<Column> {
    use ColumnType::{Blob, Date, DateTime, Double, Float, Long, LongLong, NewDecimal, Time, Tiny, VarString};
    let kinds = [Tiny, Long, LongLong, LongLong, Double, Float, NewDecimal, VarString, Blob, Date, DateTime, Time];
    let mut columns: Vec<Column> = kinds.iter().map(|&kind| Column::new(format!("{kind:?}"), kind)).collect();
    columns[3].flags = column_flag::UNSIGNED;
    columns[4].decimals = 31;
    columns[5].decimals = 31;
    columns[7] = Column { collation: 255, length: 40, flags: column_flag::NOT_NULL, ..columns[7].clone() };
    let [schema, table, org_table, org_name] = ["db", "alias", "t1", "v"].map(str::to_owned);
    columns[8] = Column { schema, table, org_table, org_name, ..columns[8].clone() };
    columns[10].decimals = 6;
    columns[11].decimals = 6;
    columns
}

fn write_row(mut row: RowWriter<'_>) {
    let at = DateTime { year: 2024, month: 2, day: 29, hour: 23, minute: 59, second: 1, micros: 42 };
    row.i64(-1);
    row.i64(i32::MIN.into());
    row.i64(i64::MIN);
    row.u64(u64::MAX);
    row.f64(-0.25);
    row.f64(1.5);
    row.bytes(b"12.340");
    row.bytes("h\u{e9}".as_bytes());
    row.bytes(&[b'x'; 300]);
    row.date(at);
    row.date_time(at);
    row.time(Time { negative: true, hours: 838, minutes: 59, seconds: 58, micros: 7 });
    row.finish();
}

#[test]
fn result_sets_read_back_in_every_form() {
    let columns = columns();
    let long = "x".repeat(300);
    let expected: Vec<Option<String>> = [
        "-1",
        "-2147483648",
        "-9223372036854775808",
        "18446744073709551615",
        "-0.25",
        "1.5",
        "12.340",
        "h\u{e9}",
        &long,
        "2024-02-29",
        "2024-02-29 23:59:01.000042",
        "-838:59:58.000007",
    ]
    .map(|text| Some(text.to_owned()))
    .to_vec();
    for capabilities in [Capabilities::OFFERED, Capabilities::OFFERED.with(Capabilities::DEPRECATE_EOF, false)] {
        let mut pair = logged_in(capabilities);
        for binary in [false, true] {
            if binary {
                pair.client.execute(1, &[], false);
            } else {
                pair.client.query("select");
            }
            assert!(matches!(pair.turn(), Turn::Request(Request::Query(_) | Request::Execute(_))));
            let answer = pair.connection.answer();
            answer.columns(&columns, Status::AUTOCOMMIT, 0);
            write_row(answer.row(&columns, binary));
            let mut nulls = answer.row(&columns, binary);
            columns.iter().for_each(|_| nulls.null());
            nulls.finish();
            // A row that is given up leaves nothing.
            let mut half = answer.row(&columns, binary);
            half.i64(1);
            drop(half);
            answer.end_rows(&Done { status: Status::AUTOCOMMIT, warnings: 3, ..Done::default() });
            let Turn::Reply(Reply::Rows { columns: found, rows, end }) = pair.turn() else { panic!() };
            assert_eq!(found, columns);
            assert_eq!(rows, [expected.clone(), vec![None; columns.len()]]);
            assert_eq!((end.status, end.warnings), (Status::AUTOCOMMIT, 3));
        }
    }
}

#[test]
fn binary_values_follow_the_columns_type() {
    use ColumnType::{Double, Long, LongLong, NewDecimal, Tiny, VarString};
    let columns: Vec<_> =
        [Double, VarString, LongLong, Tiny, Long, NewDecimal].map(|kind| Column::new("c", kind)).to_vec();
    let mut pair = logged_in(Capabilities::OFFERED);
    pair.client.execute(1, &[], false);
    pair.turn();
    let answer = pair.connection.answer();
    answer.columns(&columns, Status::default(), 0);
    let mut row = answer.binary_row(&columns);
    row.i64(3);
    row.i64(4);
    row.f64(4.6);
    row.bytes(b" 7 ");
    row.bytes(b"no number");
    row.u64(5);
    row.finish();
    answer.end_rows(&Done::default());
    let Turn::Reply(Reply::Rows { rows, .. }) = pair.turn() else { panic!() };
    let row: Vec<_> = rows[0].iter().map(|text| text.as_deref().unwrap()).collect();
    assert_eq!(row, ["3", "4", "5", "7", "0", "5"]);
}

#[test]
fn dates_and_times_are_as_short_as_they_can_be() {
    let text = |kind, decimals, write: &dyn Fn(&mut RowWriter<'_>)| {
        let columns = [Column { decimals, ..Column::new("c", kind) }];
        let mut answer = Answer::default();
        let mut row = answer.text_row(&columns);
        write(&mut row);
        row.finish();
        String::from_utf8(answer.out()[5..].to_vec()).unwrap()
    };
    let at = DateTime { year: 1, month: 2, day: 3, hour: 4, minute: 5, second: 6, micros: 120_000 };
    assert_eq!(text(ColumnType::DateTime, 0, &|row| row.date_time(at)), "0001-02-03 04:05:06");
    assert_eq!(text(ColumnType::DateTime, 2, &|row| row.date_time(at)), "0001-02-03 04:05:06.12");
    assert_eq!(text(ColumnType::Date, 0, &|row| row.date(DateTime::default())), "0000-00-00");
    assert_eq!(text(ColumnType::Time, 3, &|row| row.time(Time::default())), "00:00:00.000");

    let length = |micros, hour, day| {
        let columns = [Column::new("c", ColumnType::DateTime)];
        let mut answer = Answer::default();
        let mut row = answer.binary_row(&columns);
        row.date_time(DateTime { day, hour, micros, ..DateTime::default() });
        row.finish();
        assert_eq!(answer.out().len(), 4 + 2 + 1 + usize::from(answer.out()[6]));
        answer.out()[6]
    };
    assert_eq!([length(0, 0, 0), length(0, 0, 1), length(0, 1, 1), length(1, 0, 0)], [0, 4, 7, 11]);
}

#[test]
fn floats_are_printed_as_mysql_prints_them() {
    for (value, text) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-2.5, "-2.5"),
        (0.1, "0.1"),
        (1e14, "100000000000000"),
        (1e15, "1e15"),
        (123456789012345678.0, "1.2345678901234568e17"),
        (1e-14, "0.00000000000001"),
        (1e-15, "0.000000000000001"),
        (1e-16, "1e-16"),
        (1.5e-20, "1.5e-20"),
        (1.0 / 3.0, "0.3333333333333333"),
        (f64::MAX, "1.7976931348623157e308"),
    ] {
        let mut out = Vec::new();
        row::put_f64(&mut out, value);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
    for (value, text) in [(0.1f32, "0.1"), (1.0 / 3.0, "0.333333"), (16_777_216.0, "16777200"), (1e20, "1e20")] {
        let mut out = Vec::new();
        put_f32(&mut out, value);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}

#[test]
fn ok_tells_session_state_only_to_those_who_asked() {
    let track = [
        Track::Gtids("3e11fa47-71ca-11e1-9e33-c80aa9429562:7"),
        Track::Schema("db"),
        Track::SystemVariable { name: "autocommit", value: "ON" },
        Track::StateChange,
        Track::TransactionState("T_______"),
        Track::TransactionCharacteristics("START TRANSACTION;"),
    ];
    let done =
        Done { affected_rows: 300, last_insert_id: 70_000, info: "Rows matched: 1", track: &track, ..Done::default() };
    for on in [true, false] {
        let mut pair = logged_in(Capabilities::OFFERED.with(Capabilities::SESSION_TRACK, on));
        pair.client.query("commit");
        pair.turn();
        pair.connection.answer().ok(&done);
        let Turn::Reply(Reply::Ok(okay)) = pair.turn() else { panic!() };
        assert_eq!((okay.affected_rows, okay.last_insert_id), (300, 70_000));
        assert_eq!(okay.info, "Rows matched: 1");
        assert_eq!(okay.status.has(Status::SESSION_STATE_CHANGED), on);
        assert_eq!(okay.gtids().as_deref(), on.then_some("3e11fa47-71ca-11e1-9e33-c80aa9429562:7"));
        let kinds: Vec<u8> = okay.track.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, if on { vec![3, 1, 0, 2, 5, 4] } else { vec![] });
    }
}

#[test]
fn several_results_answer_one_text() {
    let mut pair = logged_in(Capabilities::OFFERED);
    let columns = [Column::new("1", ColumnType::LongLong)];
    pair.client.query("update; select 1; nope");
    pair.turn();
    let answer = pair.connection.answer();
    answer.ok(&Done { affected_rows: 1, status: Status::MORE_RESULTS, ..Done::default() });
    answer.columns(&columns, Status::default(), 0);
    answer.end_rows(&Done { status: Status::MORE_RESULTS, ..Done::default() });
    answer.error(&ServerError::new(1146, "Table 'db.nope' doesn't exist"));
    assert!(matches!(pair.turn(), Turn::Reply(Reply::Ok(_))));
    assert!(matches!(pair.turn(), Turn::Reply(Reply::Rows { .. })));
    assert_eq!(pair.turn(), Turn::Reply(Reply::Error(ServerError::new(1146, "Table 'db.nope' doesn't exist"))));
}

#[test]
fn statements_are_prepared_and_their_types_kept() {
    for capabilities in [Capabilities::OFFERED, Capabilities::OFFERED.with(Capabilities::DEPRECATE_EOF, false)] {
        let mut pair = logged_in(capabilities);
        pair.client.prepare("select ?, ?");
        assert_eq!(pair.turn(), Turn::Request(Request::Prepare(b"select ?, ?".to_vec().into())));
        let columns = [Column::new("?", ColumnType::VarString), Column::new("?", ColumnType::VarString)];
        pair.connection.answer().prepared(5, &columns, &columns[..1], Status::default(), 0);
        let prepared = Reply::Prepared { statement: 5, parameters: 2, columns: columns[..1].to_vec() };
        assert_eq!(pair.turn(), Turn::Reply(prepared));

        let at = DateTime { year: 2024, month: 1, day: 2, hour: 3, minute: 4, second: 5, micros: 6 };
        let time = Time { negative: true, hours: 50, minutes: 1, seconds: 2, micros: 3 };
        let sent = [
            Parameter::Int(-7),
            Parameter::UInt(u64::MAX),
            Parameter::Null,
            Parameter::Double(1.5),
            Parameter::Float(2.5),
            Parameter::Bytes(b"text"),
            Parameter::DateTime(at),
            Parameter::Time(time),
            Parameter::Bytes(b"short"),
        ];
        let (mut types, mut long_data) = (Vec::new(), LongData::default());
        for send_types in [true, false] {
            pair.client.execute(5, &sent, send_types);
            let Turn::Request(Request::Execute(execute)) = pair.turn() else { panic!() };
            assert_eq!(execute.statement, 5);
            let mut values = Vec::new();
            execute.parameters(sent.len(), &mut types, &long_data, &mut values).unwrap();
            assert_eq!(values, sent);
            assert!(execute.parameters(sent.len() + 8, &mut types.clone(), &long_data, &mut Vec::new()).is_err());
            pair.connection.answer().ok(&Done::default());
            pair.turn();
            pair.connection.recycle(execute.into_payload());
        }
        assert_eq!(types[1].kind, ColumnType::LongLong);

        // Long data stand for the value, whose place in the packet is then empty.
        long_data.append(0, b"lo", 100);
        long_data.append(0, b"ng", 100);
        let execute = Execute { statement: 5, cursor: 0, parameters: b"\x00\x01\xfc\0".to_vec().into() };
        let mut values = Vec::new();
        execute.parameters(1, &mut types, &long_data, &mut values).unwrap();
        assert_eq!(values, [Parameter::Bytes(b"long")]);
        let mut too_long = long_data.clone();
        too_long.append(0, &[0; 97], 100);
        assert_eq!(execute.parameters(1, &mut types, &too_long, &mut Vec::new()).unwrap_err().code, 1105);
        let first = Execute { statement: 5, cursor: 0, parameters: b"\x00\x00\0".to_vec().into() };
        let untyped = first.parameters(1, &mut Vec::new(), &LongData::default(), &mut Vec::new());
        assert_eq!(untyped.unwrap_err().code, 1835, "no types were ever sent");
    }
}

#[test]
fn small_commands_are_answered() {
    let mut pair = logged_in(Capabilities::OFFERED);
    pair.client.ping();
    assert_eq!(pair.turn(), Turn::Request(Request::Ping));
    pair.connection.answer().ok(&Done::default());
    assert!(matches!(pair.turn(), Turn::Reply(Reply::Ok(_))));
    pair.client.statistics();
    assert_eq!(pair.turn(), Turn::Request(Request::Statistics));
    pair.connection.answer().text("Uptime: 1");
    assert_eq!(pair.turn(), Turn::Reply(Reply::Text("Uptime: 1".into())));
    pair.client.raw(constant::command::SET_OPTION, &[1, 0], true);
    assert_eq!(pair.turn(), Turn::Request(Request::SetOption { multi_statements: false }));
    assert!(!pair.connection.answer().capabilities().has(Capabilities::MULTI_STATEMENTS));
    pair.connection.answer().eof(Status::default(), 0);
    assert!(matches!(pair.turn(), Turn::Reply(Reply::Ok(_))));
    // Unknown and malformed commands are answered without troubling anybody; the connection goes on.
    for (number, code) in [(0x05, 1047), (0x77, 1047), (constant::command::STMT_RESET, 1835)] {
        pair.client.raw(number, b"x", true);
        let Turn::Reply(Reply::Error(error)) = pair.turn() else { panic!() };
        assert_eq!(error.code, code);
    }
    pair.client.raw(constant::command::STMT_CLOSE, b"x", false);
    assert_eq!(pair.turn(), Turn::Quiet, "a malformed close is not answered either");
    pair.client.raw(constant::command::QUIT, b"", false);
    assert_eq!(pair.turn(), Turn::Request(Request::Quit));
    assert!(pair.connection.is_closing());
}

/// One command packet with its header.
fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_le_bytes().to_vec();
    bytes[3] = sequence;
    bytes.extend_from_slice(payload);
    bytes
}

#[test]
fn pipelined_commands_come_out_one_by_one() {
    let mut pair = logged_in(Capabilities::OFFERED);
    let mut bytes = Vec::new();
    for number in 0..1000 {
        bytes.extend(packet(0, format!("\x03select {number}").as_bytes()));
    }
    for piece in bytes.chunks(777) {
        pair.connection.feed(piece);
    }
    assert!(!pair.connection.wants_bytes());
    for number in 0..1000 {
        let Some(Request::Query(text)) = pair.connection.next_request().unwrap() else { panic!() };
        assert_eq!(&text[..], format!("select {number}").as_bytes());
        pair.connection.recycle(text);
    }
    assert!(pair.connection.wants_bytes());
}

#[test]
fn broken_packets_end_the_connection_with_a_word() {
    let code_of = |connection: &mut Connection| {
        let out = connection.out();
        assert_eq!(out[4], 0xff);
        (u16::from_le_bytes([out[5], out[6]]), String::from_utf8_lossy(&out[7..13]).into_owned())
    };
    let mut pair = logged_in(Capabilities::OFFERED);
    pair.connection.feed(&packet(1, b"\x0e"));
    assert_eq!(pair.connection.next_request(), Err(PacketError::Sequence { expected: 0, found: 1 }));
    assert_eq!(code_of(&mut pair.connection), (1156, "#08S01".into()));
    assert!(pair.connection.is_closing());
    pair.connection.feed(&packet(0, b"\x0e"));
    assert_eq!(pair.connection.next_request(), Ok(None), "nothing is read any more");

    let mut pair =
        Pair::new(Identity::new("root", ""), Arc::new(Options { payload_bytes_max: 1024, ..Options::default() }));
    assert!(matches!(login(&mut pair, Some(sha2(""))).0, Reply::Ok(_)));
    pair.connection.feed(&packet(0, &[3; 1025])[..10]);
    assert!(matches!(pair.connection.next_request(), Err(PacketError::TooLarge { bytes: 1025, bytes_max: 1024 })));
    assert_eq!(code_of(&mut pair.connection), (1153, "#08S01".into()));

    // A flood is cut off, small before the login.
    let mut connection = Connection::new(1, [1; 20], "h", Arc::default());
    connection.feed(&packet(1, &[0; 8])[..9]);
    assert!(connection.wants_bytes());
    (0..300).for_each(|_| connection.feed(&[0; 1024]));
    assert!(!connection.wants_bytes());
    assert!(connection.next_request().is_err());
    assert!(connection.is_closing());

    // Malformed handshakes: too short, before 4.1, TLS wanted.
    for payload in [&b""[..], b"\0", &[0; 40], &[0xff; 32], b"\x05\xa6\x03\0\0\0\x01\x2d\0\0\0\0\0\0\0\0root"] {
        let mut connection = Connection::new(1, [1; 20], "h", Arc::default());
        connection.out().clear();
        connection.feed(&packet(1, payload));
        assert_eq!(connection.next_request(), Err(PacketError::Handshake), "{payload:?}");
        assert_eq!(code_of(&mut connection), (1043, "#08S01".into()));
    }
    assert_eq!(refuse_connection(&ServerError::new(1040, "Too many connections"))[4..7], [0xff, 0x10, 0x04]);
    assert_eq!(refuse_connection(&ServerError::new(1040, "Too many connections"))[7..], *b"Too many connections");
}

#[test]
fn a_query_of_more_than_one_packet_is_one_request() {
    let mut pair = logged_in(Capabilities::OFFERED);
    let text = "x".repeat((16 << 20) + 5);
    pair.client.query(&text);
    let Turn::Request(Request::Query(payload)) = pair.turn() else { panic!() };
    assert!(payload[..] == *text.as_bytes());
    let columns = [Column::new("c", ColumnType::LongBlob)];
    let answer = pair.connection.answer();
    answer.columns(&columns, Status::default(), 0);
    let mut row = answer.text_row(&columns);
    row.bytes(text.as_bytes());
    row.finish();
    answer.end_rows(&Done::default());
    let Turn::Reply(Reply::Rows { rows, .. }) = pair.turn() else { panic!() };
    assert!(rows[0][0].as_deref() == Some(text.as_str()));
}
