//! Statements in, answers out, through the real protocol and a host in memory; two sessions polled by hand
//! where they meet.

use super::*;
use crate::account::Account;
use crate::testing::FakeHost;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use wire::client::Options;
use wire::client::testing::{Identity, Pair, Reply, Turn};

pub(super) struct Client {
    pair: Pair,
    session: Session,
}

/// Polls a future that should not have to wait for anybody.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..100_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
    }
    panic!("the statement waits for ever");
}

pub(super) fn poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Poll<T> {
    let mut cx = Context::from_waker(Waker::noop());
    // Pauses end by themselves; a real wait does not.
    for _ in 0..1000 {
        if let Poll::Ready(value) = std::pin::Pin::new(&mut *future).poll(&mut cx) {
            return Poll::Ready(value);
        }
    }
    Poll::Pending
}

fn shown(reply: &Reply) -> String {
    match reply {
        Reply::Ok(okay) if okay.affected_rows > 0 => format!("ok {}", okay.affected_rows),
        Reply::Ok(_) => "ok".into(),
        Reply::Error(error) => format!("error {}", error.code),
        Reply::Rows { rows, .. } => {
            let row = |row: &Vec<Option<String>>| {
                row.iter().map(|value| value.clone().unwrap_or_else(|| "NULL".into())).collect::<Vec<_>>().join(",")
            };
            let rows: Vec<_> = rows.iter().map(row).collect();
            if rows.is_empty() { "none".into() } else { rows.join(" | ") }
        }
        other => format!("{other:?}"),
    }
}

impl Client {
    pub(super) fn new(server: &Rc<Server>) -> Self {
        let mut client = Self {
            pair: Pair::new(Identity::new("root", ""), Arc::new(Options::default())),
            session: Session::new(server, "localhost"),
        };
        let reply = client.answer();
        assert!(matches!(reply, Reply::Ok(_)), "{reply:?}");
        client
    }

    fn answer(&mut self) -> Reply {
        loop {
            match self.pair.turn() {
                Turn::Request(request) => {
                    now(self.session.handle(request, &mut self.pair.connection));
                }
                Turn::Reply(reply) => return reply,
                Turn::Quiet => panic!("no answer"),
            }
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.session.id()
    }

    fn reply(&mut self, sql: &str) -> Reply {
        self.pair.client.query(sql);
        self.answer()
    }

    pub(super) fn run(&mut self, sql: &str) -> String {
        shown(&self.reply(sql))
    }

    /// Begins a statement that may have to wait: a future of its answer.
    pub(super) fn start<'a>(&'a mut self, sql: &str) -> std::pin::Pin<Box<dyn Future<Output = String> + 'a>> {
        self.pair.client.query(sql);
        Box::pin(async move {
            loop {
                match self.pair.turn() {
                    Turn::Request(request) => {
                        self.session.handle(request, &mut self.pair.connection).await;
                    }
                    Turn::Reply(reply) => return shown(&reply),
                    Turn::Quiet => return "closed".into(),
                }
            }
        })
    }
}

/// Runs statements and compares their answers, all of them before it complains.
pub(super) fn all(client: &mut Client, cases: &[(&str, &str)]) {
    let mut failures = Vec::new();
    for (sql, expected) in cases {
        let found = client.run(sql);
        if found != *expected {
            failures.push(format!("{sql}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn start() -> (Rc<FakeHost>, Rc<Server>) {
    let (host, server) = FakeHost::start();
    server.replay_local(&Account::root()).unwrap();
    (host, server)
}

pub(super) fn with_table() -> (Rc<FakeHost>, Rc<Server>, Client) {
    let (host, server) = start();
    let mut client = Client::new(&server);
    for sql in ["CREATE DATABASE d", "USE d", "CREATE TABLE t (a INT PRIMARY KEY, b INT)"] {
        client.run(sql);
    }
    assert_eq!(client.run("INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)"), "ok 3");
    (host, server, client)
}

/// Each `tests/cases` file: a statement ending with `;`, then `-- answer`; a fresh server for each file.
#[test]
fn statements_answer_as_the_tables_of_cases_say() {
    let files = [
        ("select", include_str!("../../tests/cases/select.txt")),
        ("change", include_str!("../../tests/cases/change.txt")),
        ("ddl", include_str!("../../tests/cases/ddl.txt")),
    ];
    for (name, text) in files {
        let (_host, server) = start();
        let mut client = Client::new(&server);
        let mut failures = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let Some((sql, expected)) = line.split_once(" => ") else { continue };
            let found = client.run(sql.trim());
            if found != expected.trim() {
                failures.push(format!("{name}.txt:{}: {sql}\n  expected {expected}\n  found    {found}", number + 1));
            }
        }
        assert_eq!(server.recompute_digest(), server.digest().1);
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}

#[test]
fn a_transaction_sees_itself_and_nobody_else_does_until_it_commits() {
    let (_host, server, mut one) = with_table();
    let mut two = Client::new(&server);
    assert_eq!(one.run("BEGIN"), "ok");
    assert_eq!(one.run("UPDATE t SET b = 11 WHERE a = 1"), "ok 1");
    assert_eq!(one.run("INSERT INTO t VALUES (4, 40)"), "ok 1");
    assert_eq!(one.run("DELETE FROM t WHERE a = 2"), "ok 1");
    assert_eq!(one.run("SELECT * FROM t"), "1,11 | 3,30 | 4,40");
    assert_eq!(two.run("SELECT * FROM d.t"), "1,10 | 2,20 | 3,30");
    assert_eq!(one.run("COMMIT"), "ok");
    assert_eq!(two.run("SELECT * FROM d.t"), "1,11 | 3,30 | 4,40");
    assert_eq!(one.run("BEGIN"), "ok");
    one.run("DELETE FROM t");
    assert_eq!(one.run("ROLLBACK"), "ok");
    assert_eq!(one.run("SELECT COUNT(*) FROM t"), "3");
}

#[test]
fn repeatable_read_keeps_its_snapshot_and_read_committed_does_not() {
    let (_host, server, mut one) = with_table();
    let mut two = Client::new(&server);
    one.run("BEGIN");
    assert_eq!(one.run("SELECT b FROM t WHERE a = 1"), "10");
    assert_eq!(two.run("UPDATE d.t SET b = 99 WHERE a = 1"), "ok 1");
    assert_eq!(one.run("SELECT b FROM t WHERE a = 1"), "10");
    assert_eq!(server.read_floor(), wire::id::Csn(3));
    assert_eq!(one.run("UPDATE t SET b = b + 1 WHERE a = 1"), "error 1213", "no lost update");
    assert_eq!(one.run("SELECT b FROM t WHERE a = 1"), "99");
    one.run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
    one.run("BEGIN");
    assert_eq!(one.run("SELECT b FROM t WHERE a = 1"), "99");
    two.run("UPDATE d.t SET b = 100 WHERE a = 1");
    assert_eq!(one.run("SELECT b FROM t WHERE a = 1"), "100");
    assert_eq!(one.run("UPDATE t SET b = b + 1 WHERE a = 1"), "ok 1");
    assert_eq!(one.run("COMMIT"), "ok");
    assert_eq!(two.run("SELECT b FROM d.t WHERE a = 1"), "101");
}

#[test]
fn a_locked_row_is_waited_for_and_then_read_anew() {
    let (host, server, mut one) = with_table();
    let mut two = Client::new(&server);
    two.run("USE d");
    one.run("BEGIN");
    one.run("UPDATE t SET b = b + 1 WHERE a = 1");
    {
        let mut waiting = two.start("UPDATE t SET b = b * 2 WHERE a = 1");
        assert!(poll(&mut waiting).is_pending());
        assert_eq!(one.run("COMMIT"), "ok");
        assert_eq!(poll(&mut waiting), Poll::Ready("ok 1".into()));
    }
    assert_eq!(one.run("SELECT b FROM t WHERE a = 1"), "22");
    one.run("BEGIN");
    one.run("SELECT * FROM t WHERE a = 1 FOR UPDATE");
    assert_eq!(two.run("SELECT * FROM t WHERE a = 1 FOR UPDATE NOWAIT"), "error 3572");
    assert_eq!(two.run("SELECT a FROM t FOR UPDATE SKIP LOCKED"), "2 | 3");
    let mut waiting = two.start("DELETE FROM t WHERE a = 1");
    assert!(poll(&mut waiting).is_pending());
    host.pass_us(51_000_000);
    assert_eq!(poll(&mut waiting), Poll::Ready("error 1205".into()));
}

#[test]
fn a_deadlock_ends_with_the_youngest() {
    let (_host, server, mut one) = with_table();
    let mut two = Client::new(&server);
    two.run("USE d");
    for (client, a) in [(&mut one, 1), (&mut two, 2)] {
        client.run("BEGIN");
        client.run(&format!("UPDATE t SET b = 0 WHERE a = {a}"));
    }
    let mut waiting = two.start("UPDATE t SET b = 5 WHERE a = 1");
    assert!(poll(&mut waiting).is_pending());
    assert_eq!(one.run("UPDATE t SET b = 6 WHERE a = 2"), "ok 1");
    assert_eq!(poll(&mut waiting), Poll::Ready("error 1213".into()));
    drop(waiting);
    assert_eq!(one.run("COMMIT"), "ok");
    assert_eq!(two.run("SELECT b FROM t"), "0 | 6 | 30");
}

/// A transaction of another member on `d.t`.
fn remote_change(server: &Server, a: i64, before: Option<i64>, after: Option<i64>) -> wire::entry::Transaction {
    use crate::value::Value;
    let table = server.catalog.borrow().table("d", "t").unwrap().clone();
    let row = |b: i64| {
        let mut bytes = Vec::new();
        crate::row::encode(&table.definition, &[Value::Int(a), Value::Int(b)], &mut bytes);
        bytes
    };
    let image = [Value::Int(a), Value::Null];
    let mut written = Vec::new();
    crate::key::write_set(&table, &image, &mut Vec::new(), &mut written);
    wire::entry::Transaction {
        snapshot: server.visible(),
        tables: vec![wire::entry::TableVersion { table: table.id, version: table.version }],
        written,
        rows: vec![wire::entry::RowChange {
            table: 0,
            space: 0,
            statement_end: true,
            key: crate::key::row_key(&table, &image),
            before: before.map(row),
            after: after.map(row),
        }],
        ..Default::default()
    }
}

/// `design.md` §5.1 [!]: what is above the visible CSN, a tombstone too, is waited for.
#[test]
fn changes_and_unique_checks_wait_for_what_is_applied_but_not_visible() {
    let cases = [
        ("UPDATE t SET b = b + 1 WHERE a = 1", (1, Some(10), Some(77)), "ok 1", "78 | 20 | 30"),
        ("INSERT INTO t VALUES (5, 5)", (5, None, Some(6)), "error 1062", "10 | 20 | 30 | 6"),
        ("INSERT INTO t VALUES (1, 5)", (1, Some(10), None), "ok 1", "5 | 20 | 30"),
        ("SELECT b FROM t WHERE a = 1 FOR UPDATE", (1, Some(10), Some(77)), "77", "77 | 20 | 30"),
    ];
    for (sql, (a, before, after), answer, rows) in cases {
        let (host, server, mut one) = with_table();
        host.hide.set(true);
        host.remote(wire::entry::Body::Transaction(remote_change(&server, a, before, after)));
        assert_eq!(one.run("SELECT b FROM t"), "10 | 20 | 30", "a plain read does not wait");
        let mut waiting = one.start(sql);
        assert!(poll(&mut waiting).is_pending(), "{sql}");
        host.show();
        assert_eq!(poll(&mut waiting), Poll::Ready(answer.into()), "{sql}");
        drop(waiting);
        assert_eq!(one.run("SELECT b FROM t"), rows, "{sql}");
    }
}

/// `design.md` §9 [!]: a new snapshot waits for an AFTER transaction that is applied and not visible; an open
/// one, and what reads no rows, does not.
#[test]
fn new_snapshots_wait_behind_an_after_transaction() {
    let (host, server, mut one) = with_table();
    let mut open = Client::new(&server);
    open.run("USE d");
    open.run("BEGIN");
    assert_eq!(open.run("SELECT b FROM t WHERE a = 1"), "10");
    host.hide.set(true);
    host.remote(wire::entry::Body::Transaction(remote_change(&server, 1, Some(10), Some(77))));
    server.hold(server.applied());
    assert_eq!(open.run("SELECT b FROM t WHERE a = 1"), "10", "an open transaction goes on");
    assert_eq!(one.run("SELECT 1"), "1");
    assert_eq!(one.run("SET @x = 1"), "ok");
    let mut waiting = one.start("SELECT b FROM t WHERE a = 1");
    assert!(poll(&mut waiting).is_pending());
    host.show();
    assert_eq!(poll(&mut waiting), Poll::Ready("77".into()));
    drop(waiting);
    host.hide.set(true);
    host.remote(wire::entry::Body::Transaction(remote_change(&server, 1, Some(77), Some(78))));
    server.hold(server.applied());
    one.run("SET wait_timeout = 1");
    let mut waiting = one.start("SELECT b FROM t WHERE a = 1");
    assert!(poll(&mut waiting).is_pending());
    host.pass_us(2_000_000);
    assert_eq!(poll(&mut waiting), Poll::Ready("error 3798".into()));
}

#[test]
fn before_waits_for_its_marker_and_needs_a_member_that_is_not_cut_off() {
    let (host, _server, mut one) = with_table();
    host.running.set(true);
    for level in ["BEFORE", "AFTER", "BEFORE_AND_AFTER"] {
        assert_eq!(one.run(&format!("SET group_replication_consistency = '{level}'")), "ok");
        assert_eq!(one.run("SELECT b FROM t WHERE a = 1"), "error 3796", "{level}");
        assert_eq!(one.run("SELECT 1"), "1", "{level}");
    }
    host.assured.set(true);
    host.hold.set(true);
    one.run("SET group_replication_consistency = 'BEFORE'");
    let mut waiting = one.start("SELECT b FROM t WHERE a = 1");
    assert!(poll(&mut waiting).is_pending());
    assert_eq!(host.held(), 1, "its marker");
    host.decide();
    assert_eq!(poll(&mut waiting), Poll::Ready("10".into()));
    drop(waiting);
    host.hold.set(false);
    one.run("BEGIN");
    assert_eq!(one.run("SELECT b FROM t WHERE a = 1"), "10");
    host.refuse.set(true);
    assert_eq!(one.run("SELECT b FROM t WHERE a = 2"), "20", "only at the beginning");
    one.run("COMMIT");
    assert_eq!(one.run("SELECT b FROM t WHERE a = 1"), "error 3797");
    one.run("SET group_replication_consistency = 'EVENTUAL'");
    assert_eq!(one.run("SELECT b FROM t WHERE a = 1"), "10");
}

#[test]
fn a_transaction_of_the_group_displaces_local_holders() {
    let (host, server, mut one) = with_table();
    let mut two = Client::new(&server);
    two.run("USE d");
    one.run("BEGIN");
    one.run("UPDATE t SET b = 1 WHERE a = 1");
    let remote = remote_change(&server, 1, Some(10), Some(77));
    let outcome = host.remote(wire::entry::Body::Transaction(remote));
    assert!(matches!(outcome, crate::host::Outcome::Committed { .. }));
    assert_eq!(two.run("SELECT b FROM t WHERE a = 1"), "77");
    assert_eq!(one.run("UPDATE t SET b = 2 WHERE a = 2"), "error 1213", "rolled back from outside");
    assert_eq!(one.run("SELECT b FROM t WHERE a = 1"), "77");
}

#[test]
fn decided_conflicts_are_tried_again_only_for_a_statement_of_its_own() {
    let (host, _server, mut one) = with_table();
    host.conflicts.set(3);
    assert_eq!(one.run("UPDATE t SET b = b + 1 WHERE a = 1"), "ok 1");
    assert_eq!(one.run("SELECT b FROM t WHERE a = 1"), "11");
    one.run("BEGIN");
    one.run("UPDATE t SET b = b + 1 WHERE a = 1");
    host.conflicts.set(1);
    assert_eq!(one.run("COMMIT"), "error 1213");
    assert_eq!(one.run("SELECT b FROM t WHERE a = 1"), "11");
    host.conflicts.set(1000);
    assert_eq!(one.run("UPDATE t SET b = b + 1 WHERE a = 1"), "error 1213");
}

#[test]
fn refused_proposals_leave_nothing_behind() {
    let (host, server, mut one) = with_table();
    host.refuse.set(true);
    assert_eq!(one.run("UPDATE t SET b = 0"), "error 3100");
    assert_eq!(one.run("CREATE TABLE u (a INT PRIMARY KEY)"), "error 3100");
    host.refuse.set(false);
    assert_eq!(one.run("SELECT b FROM t"), "10 | 20 | 30");
    server.globals.borrow_mut().put("super_read_only", Setting::Bool(true));
    assert_eq!(one.run("UPDATE t SET b = 0"), "error 1290");
    assert_eq!(one.run("DROP TABLE t"), "error 1290");
    assert_eq!(one.run("SELECT COUNT(*) FROM t"), "3");
}

#[test]
fn locks_are_held_until_the_outcome_is_visible() {
    let (host, server, mut one) = with_table();
    let mut two = Client::new(&server);
    two.run("USE d");
    host.hold.set(true);
    let mut committing = one.start("UPDATE t SET b = b + 1 WHERE a = 1");
    assert!(poll(&mut committing).is_pending());
    let mut waiting = two.start("UPDATE t SET b = b + 1 WHERE a = 1");
    assert!(poll(&mut waiting).is_pending());
    assert_eq!(host.held(), 1, "the second has not got its lock");
    host.decide();
    assert_eq!(poll(&mut committing), Poll::Ready("ok 1".into()));
    assert!(poll(&mut waiting).is_pending());
    host.decide();
    assert_eq!(poll(&mut waiting), Poll::Ready("ok 1".into()));
    drop((committing, waiting));
    assert_eq!(one.run("SELECT b FROM t WHERE a = 1"), "12");
}

#[test]
fn prepared_statements_run_with_their_values() {
    use wire::client::statement::Parameter;
    let (_host, _server, mut one) = with_table();
    one.pair.client.prepare("SELECT b, a FROM t WHERE a >= ? ORDER BY a LIMIT ?");
    let Reply::Prepared { statement, parameters, columns } = one.answer() else { panic!("not prepared") };
    assert_eq!((parameters, columns.len()), (2, 2));
    for (from, rows) in [(1, "10,1 | 20,2"), (3, "30,3"), (9, "none")] {
        one.pair.client.execute(statement, &[Parameter::Int(from), Parameter::Int(2)], true);
        assert_eq!(shown(&one.answer()), rows);
    }
    one.pair.client.prepare("INSERT INTO t VALUES (?, ?)");
    let Reply::Prepared { statement, .. } = one.answer() else { panic!("not prepared") };
    one.pair.client.execute(statement, &[Parameter::Int(7), Parameter::Null], true);
    assert_eq!(shown(&one.answer()), "ok 1");
    assert_eq!(one.run("SELECT * FROM t WHERE b IS NULL"), "7,NULL");
    one.run("ALTER TABLE t ADD COLUMN c INT DEFAULT 5");
    one.pair.client.execute(statement, &[Parameter::Int(8), Parameter::Int(8)], true);
    assert_eq!(shown(&one.answer()), "error 1136", "planned anew after the table changed");
}

#[test]
fn several_statements_of_one_text_stop_at_the_first_error() {
    let (_host, _server, mut one) = with_table();
    one.pair.client.query("SELECT 1; INSERT INTO t VALUES (1, 1); SELECT 2");
    assert_eq!(shown(&one.answer()), "1");
    assert_eq!(shown(&one.answer()), "error 1062");
    assert_eq!(one.run("SELECT 3"), "3");
}

#[test]
fn the_tutorials_statements_without_the_group() {
    let (_host, server) = start();
    let mut one = Client::new(&server);
    for sql in [
        "SET SQL_LOG_BIN=0",
        "CREATE USER rpl_user@'%'",
        "GRANT REPLICATION SLAVE ON *.* TO rpl_user@'%' IDENTIFIED BY 'rpl_pass'",
        "FLUSH PRIVILEGES",
        "SET SQL_LOG_BIN=1",
        "CHANGE MASTER TO MASTER_USER='rpl_user', MASTER_PASSWORD='rpl_pass' FOR CHANNEL 'group_replication_recovery'",
        "INSTALL PLUGIN group_replication SONAME 'group_replication.so'",
        "SET GLOBAL group_replication_bootstrap_group=ON",
        "START GROUP_REPLICATION",
        "SET GLOBAL group_replication_bootstrap_group=OFF",
    ] {
        assert_eq!(one.run(sql), "ok", "{sql}");
    }
    assert_eq!(server.setting("channel/group_replication_recovery/user").as_deref(), Some("rpl_user"));
    assert_eq!(one.run("CREATE DATABASE test"), "ok 1");
    assert_eq!(one.run("USE test"), "ok");
    assert_eq!(one.run("CREATE TABLE t1 (c1 INT PRIMARY KEY, c2 TEXT NOT NULL)"), "ok");
    assert_eq!(one.run("INSERT INTO t1 VALUES (1, 'Luis')"), "ok 1");
    assert_eq!(one.run("SELECT * FROM t1"), "1,Luis");
    assert!(one.run("SHOW BINLOG EVENTS").contains("CREATE TABLE t1"));
    assert!(one.run("SHOW PLUGINS").contains("group_replication,ACTIVE"));
    server.reset();
    assert_eq!(one.run("SELECT 1"), "1");
    assert!(server.accounts.borrow().find("rpl_user", "elsewhere").is_some(), "local accounts outlive a rebuild");
}

#[test]
fn a_rebuild_ends_open_transactions_and_forgets_tables() {
    let (_host, server, mut one) = with_table();
    one.run("BEGIN");
    assert_eq!(one.run("SELECT COUNT(*) FROM t"), "3");
    server.reset();
    assert_eq!(one.run("SELECT COUNT(*) FROM t"), "error 1049");
    assert_eq!(one.run("SELECT 1"), "error 1213");
    assert_eq!(one.run("SELECT 1"), "1");
    assert_eq!((server.memory_bytes(), server.digest().1), (0, 0));
}

#[test]
fn logins_are_checked_and_kill_ends_sessions() {
    let (_host, server) = start();
    let mut stranger = Client {
        pair: Pair::new(Identity::new("nobody", "x"), Arc::new(Options::default())),
        session: Session::new(&server, "localhost"),
    };
    assert_eq!(shown(&stranger.answer()), "error 1045");
    let mut root = Client::new(&server);
    assert_eq!(root.run("CREATE USER u IDENTIFIED WITH mysql_native_password BY 'pw'"), "ok");
    let mut user = Client {
        pair: Pair::new(Identity::new("u", "pw"), Arc::new(Options::default())),
        session: Session::new(&server, "localhost"),
    };
    assert_eq!(shown(&user.answer()), "ok");
    root.run("CREATE DATABASE d");
    root.run("CREATE TABLE d.t (a INT PRIMARY KEY)");
    assert_eq!(user.run("USE d"), "error 1044");
    assert_eq!(user.run("SELECT * FROM d.t"), "error 1142");
    assert_eq!(user.run("CREATE DATABASE e"), "error 1044");
    assert_eq!(user.run("SET GLOBAL max_connections = 5"), "error 1227");
    assert_eq!(root.run("GRANT SELECT ON d.* TO u"), "ok");
    assert_eq!(user.run("SELECT * FROM d.t"), "none");
    assert_eq!(user.run("INSERT INTO d.t VALUES (1)"), "error 1142");
    assert_eq!(user.run("KILL 1"), "error 1095");
    assert_eq!(user.run("KILL 999"), "error 1094");
    let id = user.session.id();
    assert_eq!(root.run(&format!("KILL {id}")), "ok");
    assert_eq!(user.run("SELECT 1"), "error 1317");
    assert!(user.pair.connection.is_closing());
}

#[test]
fn common_table_expressions_are_seen_where_they_may_be() {
    let (_host, _server, mut one) = with_table();
    let doubled = (1..12).fold("WITH c0 AS (SELECT 1 AS n)".to_owned(), |text, n| {
        format!("{text}, c{n} AS (SELECT x.n FROM c{0} AS x, c{0} AS y)", n - 1)
    });
    let doubled = format!("{doubled} SELECT COUNT(*) FROM c11");
    for (sql, expected) in [
        ("WITH c AS (SELECT a, b FROM t WHERE b > 10) SELECT * FROM c ORDER BY a", "2,20 | 3,30"),
        (
            "WITH c (x, y) AS (SELECT a, b FROM t), e AS (SELECT x FROM c WHERE y < 30) SELECT COUNT(*), MAX(x) FROM e",
            "2,2",
        ),
        ("WITH c AS (SELECT MAX(a) AS m FROM t) SELECT b FROM t WHERE a = (SELECT m FROM c)", "30"),
        ("WITH c AS (SELECT 1 AS n) SELECT one.n + two.n FROM c AS one JOIN c AS two", "2"),
        ("WITH t AS (SELECT a + 1 AS a FROM t) SELECT a FROM t", "2 | 3 | 4"),
        ("WITH t AS (SELECT a FROM t WHERE a > (SELECT MIN(a) FROM t)) SELECT a FROM t", "2 | 3"),
        ("WITH c AS (SELECT 1 AS n) SELECT * FROM (WITH c AS (SELECT 2 AS n) SELECT n FROM c) AS d, c", "2,1"),
        ("WITH c AS (SELECT a FROM t) SELECT a FROM c UNION SELECT a + 2 FROM c ORDER BY 1", "1 | 2 | 3 | 4 | 5"),
        ("WITH e AS (SELECT * FROM f), f AS (SELECT 1) SELECT * FROM e", "error 1146"),
        ("WITH c AS (SELECT 1), C AS (SELECT 2) SELECT * FROM c", "error 1066"),
        ("WITH c (x) AS (SELECT 1, 2) SELECT * FROM c", "error 1353"),
        ("WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n", "1 | 2 | 3"),
        ("WITH RECURSIVE n AS (SELECT 1 AS i UNION SELECT 3 - i FROM n) SELECT i FROM n", "1 | 2"),
        ("WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i FROM n) SELECT i FROM n", "error 3636"),
        ("WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i FROM n LIMIT 2, 2) SELECT i FROM n", "1 | 1"),
        ("SELECT a, COUNT(*), GROUPING(a) FROM t WHERE a < 3 GROUP BY a WITH ROLLUP", "1,1,0 | 2,1,0 | NULL,2,1"),
        ("SELECT a, SUM(b) FROM t WHERE a = 0 GROUP BY a WITH ROLLUP", "NULL,NULL"),
        ("SELECT a + 1 AS n, SUM(a) FROM t WHERE a < 3 GROUP BY n WITH ROLLUP HAVING n IS NULL", "NULL,3"),
        ("SELECT GROUPING(b) FROM t GROUP BY a", "error 3602"),
        ("WITH RECURSIVE n AS (SELECT i FROM n) SELECT i FROM n", "error 3573"),
        ("WITH RECURSIVE n AS (SELECT i FROM n UNION SELECT 1) SELECT i FROM n", "error 3574"),
        ("WITH RECURSIVE n AS (SELECT 1 AS i UNION SELECT MAX(i) FROM n) SELECT i FROM n", "error 3575"),
        ("WITH RECURSIVE n AS (SELECT 1 AS i UNION SELECT a FROM t LEFT JOIN n ON 1) SELECT i FROM n", "error 3576"),
        ("WITH RECURSIVE n AS (SELECT 1 AS i UNION SELECT a.i FROM n AS a, n) SELECT i FROM n", "error 3577"),
        ("WITH RECURSIVE n AS (SELECT 'a' AS i UNION ALL SELECT CONCAT(i, i) FROM n) SELECT i FROM n", "error 1406"),
        // More than there is room for.
        (
            "WITH RECURSIVE n AS (SELECT CAST(REPEAT('x', 8000000) AS CHAR(8000000)) AS i UNION ALL SELECT i FROM n) \
             SELECT COUNT(*) FROM n",
            "error 1114",
        ),
        (doubled.as_str(), "error 1235"),
        ("INSERT INTO t WITH c AS (SELECT 7 AS n) SELECT n, n FROM c", "ok 1"),
        ("SELECT a FROM c", "error 1146"),
    ] {
        assert_eq!(one.run(sql), expected, "{sql}");
    }
}

#[test]
fn statements_and_seconds_are_counted() {
    let (host, server, mut one) = with_table();
    let before = server.questions();
    host.pass_us(3_500_000);
    assert_eq!(one.run("SELECT 1"), "1");
    assert_eq!((server.questions(), server.uptime_s()), (before + 1, 3));
    assert_eq!(one.run("SHOW GLOBAL STATUS LIKE 'Uptime'"), "Uptime,3");
}

#[test]
fn who_idles_for_its_wait_timeout_is_sent_away() {
    let (host, server, mut one) = with_table();
    let mut two = Client::new(&server);
    assert_eq!(one.run("SET wait_timeout = 3"), "ok");
    let unknown = Session::new(&server, "localhost");
    let check = |host: &FakeHost| server.end_idle(crate::host::Host::now(host).monotonic_us);
    host.pass_us(2_999_999);
    check(&host);
    assert_eq!(one.run("SELECT 1"), "1");
    host.pass_us(2_999_999);
    check(&host);
    assert_eq!(one.run("SELECT 2"), "2", "it begins anew with each statement");
    host.pass_us(3_000_000);
    check(&host);
    assert_eq!(one.run("SELECT 3"), "error 4031");
    assert_eq!(two.run("SELECT 4"), "4", "28800 s by default");
    assert!(server.session(unknown.id()).is_some_and(|session| session.ended().is_none()));
    host.pass_us(2_000_000);
    check(&host);
    assert_eq!(server.session(unknown.id()).and_then(|session| session.ended()), Some(Ended::Idle), "connect_timeout");
}
