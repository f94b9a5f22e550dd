//! Any bytes as statements of a session, one after another, separated by NUL bytes: whatever they are, the member
//! answers and goes on. Seeds: the statements of `tests/cases/sql`, a file each.

#![no_main]

use engine_sql::account::Account;
use engine_sql::session::Session;
use engine_sql::testing::FakeHost;
use libfuzzer_sys::fuzz_target;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use wire::client::Options;
use wire::client::testing::{Identity, Pair, Turn};

const BEFORE: [&str; 7] = [
    "CREATE DATABASE d",
    "USE d",
    "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a INT UNSIGNED CHECK (a < 1000), b VARCHAR(20), c DECIMAL(10,3), \
     d DATETIME(3), e ENUM('x','y'), f JSON, g BIT(5), h DOUBLE, KEY (a), UNIQUE (b))",
    "CREATE TABLE u (id INT PRIMARY KEY, t INT, s SET('p','q'), v TIME(2), w YEAR, x BLOB, FOREIGN KEY (t) REFERENCES t (id) \
     ON DELETE CASCADE)",
    "INSERT INTO t VALUES (1, 2, 'b', 1.5, '2024-02-29 12:00:00.5', 'x', '{\"k\": [1, null]}', b'101', 1e10), (2, NULL, NULL, \
     NULL, NULL, NULL, NULL, NULL, NULL)",
    "INSERT INTO u VALUES (1, 1, 'p,q', '-12:00:00.5', 2024, x'00ff')",
    "SET SESSION max_execution_time = 1",
];

/// Statements that wait for something are given up.
const POLLS_MAX: usize = 2000;

fn run(pair: &mut Pair, session: &mut Session, sql: &[u8]) -> bool {
    pair.client.query(&String::from_utf8_lossy(sql));
    loop {
        match pair.turn() {
            Turn::Request(request) => {
                let mut handled = pin!(session.handle(request, &mut pair.connection));
                let mut cx = Context::from_waker(Waker::noop());
                if !(0..POLLS_MAX).any(|_| matches!(handled.as_mut().poll(&mut cx), Poll::Ready(_))) {
                    return false;
                }
            }
            Turn::Reply(_) => return true,
            Turn::Quiet => return false,
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (_host, server) = FakeHost::start();
    server.replay_local(&Account::root()).expect("an account can be made");
    let mut pair = Pair::new(Identity::new("root", ""), Arc::new(Options::default()));
    let mut session = Session::new(&server, "localhost");
    loop {
        match pair.turn() {
            Turn::Request(request) => {
                let mut handled = pin!(session.handle(request, &mut pair.connection));
                let mut cx = Context::from_waker(Waker::noop());
                assert!(matches!(handled.as_mut().poll(&mut cx), Poll::Ready(_)), "a login waits for nobody");
            }
            Turn::Reply(_) => break,
            Turn::Quiet => panic!("no answer to a login"),
        }
    }
    for sql in BEFORE {
        assert!(run(&mut pair, &mut session, sql.as_bytes()), "{sql}");
    }
    for sql in bytes.split(|&byte| byte == 0).take(8) {
        if !run(&mut pair, &mut session, sql) {
            return;
        }
    }
});
