//! LOCK TABLES and KILL, where sessions meet.

use super::tests::{Client, all, poll, with_table};
use std::task::Poll;

#[test]
fn under_lock_tables_only_what_was_locked_may_be_used() {
    let (_host, _server, mut client) = with_table();
    all(
        &mut client,
        &[
            ("CREATE TABLE u (a INT PRIMARY KEY)", "ok"),
            ("LOCK TABLES t READ", "ok"),
            ("SELECT COUNT(*) FROM t", "3"),
            ("INSERT INTO t VALUES (4, 4)", "error 1099"),
            ("UPDATE t SET b = 1", "error 1099"),
            ("DELETE FROM t WHERE a = 1", "error 1099"),
            ("SELECT a FROM t WHERE a = 1 FOR UPDATE", "error 1099"),
            ("SELECT * FROM u", "error 1100"),
            ("SELECT * FROM t AS other", "error 1100"),
            ("SELECT COUNT(*) FROM t JOIN t AS t2", "error 1100"),
            ("ALTER TABLE t ADD c INT", "error 1099"),
            ("DROP TABLE u", "error 1100"),
            ("CREATE TABLE w (a INT PRIMARY KEY)", "error 1100"),
            ("CREATE DATABASE other", "error 1192"),
            ("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'd'", "2"),
            ("LOCK TABLES t AS x READ, t AS y WRITE, u WRITE", "ok"),
            ("SELECT COUNT(*) FROM t", "error 1100"),
            ("SELECT COUNT(*) FROM t x, t y", "9"),
            ("SELECT COUNT(*) FROM t x WHERE a IN (SELECT a FROM t x)", "error 1100"),
            ("UPDATE t AS y SET b = b + 1 WHERE a = 1", "ok 1"),
            ("UPDATE t AS x SET b = 1", "error 1099"),
            ("UPDATE t x JOIN t y ON x.a = y.a SET y.b = 0 WHERE y.a = 3", "ok 1"),
            ("UPDATE t x JOIN t y ON x.a = y.a SET x.b = 0", "error 1099"),
            ("INSERT INTO u SELECT a FROM t x", "ok 3"),
            ("INSERT INTO u SELECT a + 10 FROM u", "error 1100"),
            ("TRUNCATE TABLE u", "ok"),
            ("INSERT INTO u VALUES (1)", "ok 1"),
            ("LOCK TABLES nope READ", "error 1146"),
            ("SELECT COUNT(*) FROM t", "3"),
            ("LOCK TABLES t READ, t WRITE", "error 1066"),
            ("LOCK TABLES t WRITE", "ok"),
            ("COMMIT", "ok"),
            ("SELECT * FROM u", "error 1100"),
            ("START TRANSACTION", "ok"),
            ("SELECT * FROM u", "1"),
            ("COMMIT", "ok"),
            ("LOCK TABLES t READ", "ok"),
            ("UNLOCK TABLES", "ok"),
            ("INSERT INTO t VALUES (4, 4)", "ok 1"),
        ],
    );
}

#[test]
fn lock_tables_holds_other_sessions_off() {
    let (host, server, mut one) = with_table();
    let mut two = Client::new(&server);
    all(
        &mut two,
        &[("USE d", "ok"), ("SET lock_wait_timeout = 5", "ok"), ("CREATE TABLE u (a INT PRIMARY KEY)", "ok")],
    );
    assert_eq!(one.run("LOCK TABLES t READ"), "ok");
    assert_eq!(two.run("SELECT COUNT(*) FROM t"), "3", "readers share");
    assert_eq!(two.run("INSERT INTO u VALUES (1)"), "ok 1", "another table");
    for (sql, answer) in [("UPDATE t SET b = b + 1 WHERE a = 1", "ok 1"), ("ALTER TABLE t ADD c INT", "ok")] {
        let mut waiting = two.start(sql);
        assert!(poll(&mut waiting).is_pending(), "{sql}");
        host.pass_us(10_000);
        assert!(poll(&mut waiting).is_pending(), "{sql}");
        assert_eq!(one.run("UNLOCK TABLES"), "ok");
        host.pass_us(10_000);
        assert_eq!(poll(&mut waiting), Poll::Ready(answer.into()), "{sql}");
        drop(waiting);
        assert_eq!(one.run("LOCK TABLES t WRITE"), "ok");
    }
    {
        let mut waiting = two.start("SELECT COUNT(*) FROM t");
        assert!(poll(&mut waiting).is_pending(), "WRITE keeps readers off");
        host.pass_us(5_000_000);
        assert_eq!(poll(&mut waiting), Poll::Ready("error 1205".into()));
    }
    {
        let mut waiting = two.start("LOCK TABLES u READ, t READ");
        assert!(poll(&mut waiting).is_pending(), "all or nothing");
        assert_eq!(one.run("START TRANSACTION"), "ok");
        host.pass_us(10_000);
        assert_eq!(poll(&mut waiting), Poll::Ready("ok".into()));
    }
    drop(two);
    assert_eq!(one.run("UPDATE t SET b = 0 WHERE a = 1"), "ok 1", "a session that ends gives its locks up");
}

#[test]
fn lock_tables_waits_for_changes_that_are_not_committed() {
    let (host, server, mut one) = with_table();
    let mut two = Client::new(&server);
    assert_eq!(two.run("USE d"), "ok");
    assert_eq!(one.run("BEGIN"), "ok");
    assert_eq!(one.run("UPDATE t SET b = 0 WHERE a = 1"), "ok 1");
    let mut waiting = two.start("LOCK TABLES t READ");
    assert!(poll(&mut waiting).is_pending());
    assert_eq!(one.run("COMMIT"), "ok");
    host.pass_us(10_000);
    assert_eq!(poll(&mut waiting), Poll::Ready("ok".into()));
    drop(waiting);
    assert_eq!(two.run("SELECT b FROM t WHERE a = 1"), "0");
}

#[test]
fn kill_ends_what_waits() {
    let (host, server, mut one) = with_table();
    let mut two = Client::new(&server);
    assert_eq!(two.run("USE d"), "ok");
    let id = two.id();
    assert_eq!(one.run("BEGIN"), "ok");
    assert_eq!(one.run("UPDATE t SET b = 0 WHERE a = 1"), "ok 1");
    for (sql, answer) in [
        ("UPDATE t SET b = 1 WHERE a = 1", "error 1317"),
        ("SELECT a FROM t WHERE a = 1 FOR UPDATE", "error 1317"),
        ("LOCK TABLES t WRITE", "error 1317"),
        ("SELECT SLEEP(1000)", "1"),
        ("SELECT a FROM t WHERE SLEEP(1000) = 0", "error 1317"),
        ("DO SLEEP(1000)", "ok"),
    ] {
        let mut waiting = two.start(sql);
        assert!(poll(&mut waiting).is_pending(), "{sql}");
        assert_eq!(one.run(&format!("KILL QUERY {id}")), "ok");
        assert_eq!(poll(&mut waiting), Poll::Ready(answer.into()), "{sql}");
        drop(waiting);
        assert_eq!(two.run("SELECT 1"), "1", "after {sql} the session goes on");
    }
    // The order decides about what was proposed: KILL QUERY does not end that wait, KILL closes without an answer.
    host.hold.set(true);
    {
        let mut waiting = two.start("INSERT INTO t VALUES (9, 9)");
        assert!(poll(&mut waiting).is_pending());
        assert_eq!(one.run(&format!("KILL QUERY {id}")), "ok");
        assert!(poll(&mut waiting).is_pending());
        host.decide();
        assert_eq!(poll(&mut waiting), Poll::Ready("ok 1".into()));
    }
    {
        let mut waiting = two.start("INSERT INTO t VALUES (10, 10)");
        assert!(poll(&mut waiting).is_pending());
        assert_eq!(one.run(&format!("KILL {id}")), "ok");
        assert_eq!(poll(&mut waiting), Poll::Ready("closed".into()));
    }
    host.decide();
    host.hold.set(false);
    assert_eq!(one.run("COMMIT"), "ok");
    assert_eq!(one.run("SELECT COUNT(*) FROM t WHERE a IN (9, 10)"), "2", "what was proposed happened");
    assert_eq!(one.run("KILL 4000000000"), "error 1094");
    assert_eq!(one.run("KILL QUERY CONNECTION_ID()"), "error 1317");
    assert_eq!(one.run("SELECT 1"), "1");
    assert_eq!(one.run("KILL CONNECTION_ID()"), "error 1317");
}
