//! Any bytes in any phase of a client connection. The first byte chooses the phase, the account and the size of
//! the pieces; the rest is what the client sends.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use wire::client::auth::{Credential, NativeHash, Sha2Hash, fast_digest};
use wire::client::statement::LongData;
use wire::client::{Connection, Done, Options, Request};

/// `root` without a password, by `mysql_native_password`.
const LOGIN: &[u8] = b"\x3c\0\0\x01\x05\xa2\xbb\x01\0\0\0\x01\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    root\0\0mysql_native_password\0";

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, mut rest)) = bytes.split_first() else { return };
    let options = Options { payload_bytes_max: 64 << 10, ..Options::default() };
    let mut connection = Connection::new(1, *b"abcdefghijklmnopqrst", "host", Arc::new(options));
    let stored = Sha2Hash::parse(b"").expect("the empty password");
    let credential = match choice & 3 {
        0 => None,
        1 => Some(Credential::Native(NativeHash::of_password(b"x"))),
        2 => Some(Credential::CachingSha2 { stored, cached: Some(fast_digest(b"x")) }),
        _ => Some(Credential::Native(NativeHash::of_password(b""))),
    };
    if choice & 4 != 0 {
        connection.set_secure();
    }
    if choice & 8 != 0 {
        connection.feed(LOGIN);
    }
    assert!(choice & 11 != 11 || logs_in(&mut connection, credential), "the login above is malformed");
    let piece = 1 + usize::from(choice >> 4) * 17;
    let (mut types, mut long_data) = (Vec::new(), LongData::default());
    loop {
        while let Ok(Some(request)) = connection.next_request() {
            match request {
                Request::Authenticate(_) => connection.credential(credential),
                Request::LoggedIn { .. } => connection.accept(&Done::default()),
                Request::Execute(execute) => {
                    let mut values = Vec::new();
                    let _ = execute.parameters(usize::from(choice >> 3), &mut types, &long_data, &mut values);
                }
                Request::SendLongData { parameter, data, .. } => long_data.append(parameter, &data, 1000),
                _ => connection.answer().ok(&Done::default()),
            }
        }
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at(piece.min(rest.len()));
        connection.feed(now);
        rest = later;
    }
});

fn logs_in(connection: &mut Connection, credential: Option<Credential>) -> bool {
    let asked = matches!(connection.next_request(), Ok(Some(Request::Authenticate(_))));
    connection.credential(credential);
    let admitted = matches!(connection.next_request(), Ok(Some(Request::LoggedIn { .. })));
    connection.accept(&Done::default());
    asked && admitted
}
