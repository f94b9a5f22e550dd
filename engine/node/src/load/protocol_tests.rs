//! The client against the server's own half of the protocol, in memory.

use super::protocol::{Connection, Event, Login, Parameter, Reply};
use std::sync::Arc;
use wire::client::auth::{Credential, FastDigest, NativeHash, PluginKind, RsaKey, Sha2Hash};
use wire::client::{Column, ColumnType, Connection as Server, Done, Options, Request, ServerError, Status};

const SALT: [u8; 20] = [9; 20];

fn login(password: &str) -> Login {
    Login { user: "sb".to_owned(), password: password.to_owned(), database: "sbtest".to_owned() }
}

fn sha2(password: &[u8], cached: Option<FastDigest>) -> Credential {
    Credential::CachingSha2 { stored: Sha2Hash::of_password(password, SALT), cached }
}

/// Both halves; bytes go over one by one, so that every cut of every packet is tried.
struct Pair {
    client: Connection,
    server: Server,
    learned: Option<FastDigest>,
}

impl Pair {
    fn new(password: &str, options: &Arc<Options>) -> Self {
        let server = Server::new(1, SALT, "localhost", Arc::clone(options));
        Self { client: Connection::new(login(password)), server, learned: None }
    }

    /// Runs until the client has an event; `answer` sees the server's requests.
    fn run(&mut self, credential: Option<Credential>, answer: &mut dyn FnMut(&mut Server, &Request)) -> Event {
        for _ in 0..100 {
            for byte in std::mem::take(self.server.out()) {
                self.client.feed(&[byte]);
                if let Some(event) = self.client.event().expect("the server keeps to the protocol") {
                    return event;
                }
            }
            let sent = self.client.outbox().to_vec();
            self.client.sent(sent.len());
            for byte in sent {
                self.server.feed(&[byte]);
                while let Some(request) = self.server.next_request().expect("the client keeps to the protocol") {
                    match request {
                        Request::Authenticate(login) => {
                            assert_eq!((login.user.as_str(), login.database.as_deref()), ("sb", Some("sbtest")));
                            self.server.credential(credential);
                        }
                        Request::LoggedIn { learned, .. } => {
                            self.learned = learned;
                            self.server.accept(&done(0));
                        }
                        other => answer(&mut self.server, &other),
                    }
                }
            }
        }
        panic!("neither half has anything to say");
    }

    fn log_in(&mut self, credential: Credential) -> Event {
        self.run(Some(credential), &mut |_, request| panic!("{request:?} before the login"))
    }
}

fn done(affected: u64) -> Done<'static> {
    Done { affected_rows: affected, ..Done::default() }
}

fn options(default_plugin: PluginKind) -> Arc<Options> {
    let mut state = 1_u64;
    let mut random = move || {
        // Fixed, as nothing here is secret.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state ^ state >> 29
    };
    let rsa_key = RsaKey::generate(1024, &mut random).expect("enough bits for a password");
    Arc::new(Options { default_plugin, rsa_key: Some(rsa_key), ..Options::default() })
}

#[test]
fn every_way_of_logging_in() {
    let native = Credential::Native(NativeHash::of_password(b"sb"));
    for default in [PluginKind::Native, PluginKind::CachingSha2] {
        let options = options(default);
        // The second needs an encrypted password the first time, and a digest afterwards.
        let mut first = Pair::new("sb", &options);
        assert_eq!(first.log_in(sha2(b"sb", None)), Event::LoggedIn);
        let learned = first.learned.expect("the server remembers the password");
        for credential in [native, sha2(b"sb", Some(learned))] {
            assert_eq!(Pair::new("sb", &options).log_in(credential), Event::LoggedIn);
            let refused = Pair::new("wrong", &options).log_in(credential);
            assert!(matches!(&refused, Event::LoginRefused(error) if error.code == 1045), "{refused:?}");
        }
        let empty = Credential::Native(NativeHash::of_password(b""));
        for credential in [empty, sha2(b"", None)] {
            assert_eq!(Pair::new("", &options).log_in(credential), Event::LoggedIn);
        }
    }
}

#[test]
fn statements_and_their_ends() {
    let mut pair = Pair::new("sb", &options(PluginKind::Native));
    assert_eq!(pair.log_in(Credential::Native(NativeHash::of_password(b"sb"))), Event::LoggedIn);
    let columns = [Column::new("a", ColumnType::Long), Column::new("b", ColumnType::VarString)];

    pair.client.query("UPDATE", false);
    let ended = pair.run(None, &mut |server, _| server.answer().ok(&done(3)));
    assert_eq!(ended, Event::Reply(Reply::Ok { affected: 3 }));

    pair.client.query("nonsense", false);
    let ended = pair.run(None, &mut |server, _| server.answer().error(&ServerError::new(1064, "no")));
    assert!(
        matches!(&ended, Event::Reply(Reply::Refused(error))
        if (error.code, error.state.as_str(), error.message.as_str()) == (1064, "42000", "no")),
        "{ended:?}"
    );

    pair.client.query("SELECT", true);
    let ended = pair.run(None, &mut |server, _| {
        server.answer().columns(&columns, Status::default(), 0);
        let mut row = server.answer().text_row(&columns);
        row.i64(7);
        row.null();
        row.finish();
        server.answer().end_rows(&done(0));
    });
    assert_eq!(ended, Event::Reply(Reply::Rows(1)));
    let rows = pair.client.take_rows();
    assert_eq!(rows.columns, ["a", "b"]);
    assert_eq!(rows.rows, [[Some("7".to_owned()), None]]);

    pair.client.prepare("INSERT ... (?, ?)");
    let ended = pair.run(None, &mut |server, _| {
        server.answer().prepared(5, &columns, &[], Status::default(), 0);
    });
    assert_eq!(ended, Event::Reply(Reply::Prepared { statement: 5, parameters: 2 }));

    // Short ones are built on the stack, long ones are not.
    for text in ["x".to_owned(), "x".repeat(1000)] {
        pair.client.execute(5, &[Parameter::Int(1), Parameter::Text(&text)]);
        let ended = pair.run(None, &mut |server, request| {
            assert!(matches!(request, Request::Execute(execute) if execute.statement == 5));
            server.answer().ok(&done(1));
        });
        assert_eq!(ended, Event::Reply(Reply::Ok { affected: 1 }));
    }
}

#[test]
fn bytes_that_are_no_answer_are_errors() {
    let cases: [&[u8]; 5] =
        [&[1, 0, 0, 0, 9], &[0, 0, 0, 0], &[0xff, 0xff, 0xff, 0], &[3, 0, 0, 0, 10, b'8', 0], &[2, 0, 0, 0, 0xff, 1]];
    for bytes in cases {
        let mut client = Connection::new(login("sb"));
        client.feed(bytes);
        assert!(client.event().is_err(), "{bytes:?}");
    }
}
