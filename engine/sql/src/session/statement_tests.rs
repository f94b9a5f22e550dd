//! Statements over several tables, tables without keys, constraints, other names, named locks.

use super::tests::{Client, all, poll, with_table};
use std::task::Poll;

#[test]
fn subqueries_see_the_row_around_them() {
    let (_host, _server, mut client) = with_table();
    all(
        &mut client,
        &[
            ("CREATE TABLE d (id INT PRIMARY KEY, name VARCHAR(10), boss INT)", "ok"),
            ("CREATE TABLE e (id INT PRIMARY KEY, d INT, pay INT, KEY (d))", "ok"),
            ("INSERT INTO d VALUES (1, 'a', 2), (2, 'b', NULL), (3, 'c', 4)", "ok 3"),
            ("INSERT INTO e VALUES (1, 1, 10), (2, 1, 20), (3, 2, 5), (4, NULL, 7)", "ok 4"),
            ("SELECT name FROM d WHERE EXISTS (SELECT 1 FROM e WHERE e.d = d.id)", "a | b"),
            ("SELECT name FROM d WHERE NOT EXISTS (SELECT 1 FROM e WHERE e.d = d.id)", "c"),
            ("SELECT name, (SELECT SUM(pay) FROM e WHERE d = d.id) FROM d", "a,30 | b,5 | c,NULL"),
            ("SELECT name, (SELECT SUM(pay) FROM e WHERE e.d = d.id) s FROM d ORDER BY s DESC", "a,30 | b,5 | c,NULL"),
            ("SELECT id FROM e x WHERE pay = (SELECT MAX(pay) FROM e WHERE d = x.d)", "2 | 3"),
            ("SELECT id FROM e x WHERE id IN (SELECT boss FROM d WHERE d.id = x.d)", "2"),
            ("SELECT id FROM e WHERE (d, id) IN (SELECT id, boss FROM d)", "2"),
            ("SELECT id FROM e WHERE pay > ALL (SELECT pay FROM e y WHERE y.d = 2)", "1 | 2 | 4"),
            ("SELECT id FROM e WHERE pay < ANY (SELECT pay FROM e y WHERE y.d = 1)", "1 | 3 | 4"),
            (
                "SELECT name FROM d WHERE EXISTS (SELECT 1 FROM e WHERE e.d = d.id AND pay = \
                 (SELECT MAX(pay) FROM e z WHERE z.d = d.id AND z.pay >= e.pay AND z.pay > 9))",
                "a",
            ),
            (
                "SELECT (SELECT name FROM d WHERE d.id = e.d), COUNT(*) FROM e GROUP BY d ORDER BY 2, 1",
                "NULL,1 | b,1 | a,2",
            ),
            ("SELECT d, COUNT(*) c FROM e GROUP BY d HAVING c = (SELECT COUNT(*) FROM d x WHERE x.id < e.d)", "2,1"),
            ("SELECT id FROM d WHERE (SELECT 1, 2)", "error 1241"),
            ("SELECT id FROM d WHERE id = (SELECT id FROM e)", "error 1242"),
            ("SELECT id FROM d WHERE EXISTS (SELECT 1 FROM e WHERE e.d = nobody.id)", "error 1054"),
            ("UPDATE d SET name = (SELECT MAX(pay) FROM e WHERE e.d = d.id) WHERE id < 3", "ok 2"),
            ("DELETE FROM d WHERE NOT EXISTS (SELECT 1 FROM e WHERE e.d = d.id)", "ok 1"),
            ("SELECT * FROM d", "1,20,2 | 2,5,NULL"),
        ],
    );
}

#[test]
fn joined_tables_are_changed_together() {
    let (_host, server, mut client) = with_table();
    all(
        &mut client,
        &[
            ("CREATE TABLE a (id INT PRIMARY KEY, v INT)", "ok"),
            ("CREATE TABLE b (id INT PRIMARY KEY, a INT, w INT, KEY (a))", "ok"),
            ("INSERT INTO a VALUES (1, 10), (2, 20), (3, 30)", "ok 3"),
            ("INSERT INTO b VALUES (1, 1, 5), (2, 1, 6), (3, 2, 7), (4, 9, 8)", "ok 4"),
            // A row that joins twice is changed once.
            ("UPDATE a JOIN b ON b.a = a.id SET a.v = a.v + 1", "ok 2"),
            ("UPDATE a x, b y SET x.v = y.w, y.w = 0 WHERE y.a = x.id AND y.id = 3", "ok 2"),
            ("SELECT * FROM a", "1,11 | 2,7 | 3,30"),
            ("SELECT id, w FROM b", "1,5 | 2,6 | 3,0 | 4,8"),
            ("UPDATE b LEFT JOIN a ON b.a = a.id SET b.w = 100, a.v = 0 WHERE a.id IS NULL", "ok 1"),
            ("UPDATE a JOIN (SELECT a, SUM(w) s FROM b GROUP BY a) t ON t.a = a.id SET a.v = t.s", "ok 1"),
            ("SELECT v FROM a", "11 | 0 | 30"),
            ("UPDATE a JOIN (SELECT 1 AS a) t ON t.a = a.id SET t.a = 2", "error 1288"),
            ("UPDATE a JOIN b ON b.a = a.id SET a.v = 1 LIMIT 1", "error 1221"),
            ("DELETE x FROM a x JOIN b ON b.a = x.id WHERE b.id = 3", "ok 1"),
            ("DELETE FROM b USING b LEFT JOIN a ON b.a = a.id WHERE a.id IS NULL", "ok 2"),
            ("DELETE nobody FROM a JOIN b ON b.a = a.id", "error 1109"),
            ("DELETE a, b FROM a JOIN b ON b.a = a.id", "ok 3"),
            ("SELECT * FROM a", "3,30"),
            ("SELECT * FROM b", "none"),
        ],
    );
    assert_eq!(server.recompute_digest(), server.digest().1);
}

#[test]
fn tables_without_a_key_hold_equal_rows() {
    let (_host, server, mut client) = with_table();
    all(
        &mut client,
        &[
            ("CREATE TABLE n (a INT, b VARCHAR(5), UNIQUE (b))", "ok"),
            ("INSERT INTO n VALUES (1, 'x'), (1, NULL), (1, NULL)", "ok 3"),
            ("INSERT INTO n (a, b) VALUES (2, 'x')", "error 1062"),
            ("SELECT * FROM n", "1,x | 1,NULL | 1,NULL"),
            ("SELECT DB_ROW_ID FROM n", "error 1054"),
            ("UPDATE n SET a = 5 WHERE b IS NULL LIMIT 1", "ok 1"),
            ("DELETE FROM n WHERE a = 1 LIMIT 1", "ok 1"),
            ("ALTER TABLE n ADD c INT DEFAULT 7", "ok"),
            ("INSERT INTO n VALUES (8, 'y', 9)", "ok 1"),
            ("SELECT * FROM n ORDER BY a", "1,NULL,7 | 5,NULL,7 | 8,y,9"),
            ("CREATE TABLE m LIKE n", "ok"),
            ("INSERT INTO m SELECT * FROM n", "ok 3"),
            ("SHOW COLUMNS FROM m", "a,int,YES,,NULL, | b,varchar(5),YES,UNI,NULL, | c,int,YES,,7,"),
            ("SELECT column_name FROM information_schema.columns WHERE table_name = 'n'", "a | b | c"),
            ("SELECT index_name FROM information_schema.statistics WHERE table_name = 'n'", "b"),
            ("CREATE TABLE bad (db_row_id INT)", "error 1166"),
        ],
    );
    assert_eq!(server.recompute_digest(), server.digest().1);
}

#[test]
fn a_renamed_table_keeps_its_rows() {
    let (_host, server, mut client) = with_table();
    all(
        &mut client,
        &[
            ("CREATE TABLE a (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(5), UNIQUE (v))", "ok"),
            ("CREATE TABLE c (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES a (id))", "ok"),
            ("INSERT INTO a (v) VALUES ('x'), ('y')", "ok 2"),
            ("INSERT INTO c VALUES (1, 1)", "ok 1"),
            ("RENAME TABLE a TO b", "ok"),
            ("SELECT * FROM a", "error 1146"),
            ("SELECT * FROM b WHERE v = 'y'", "2,y"),
            ("INSERT INTO b (v) VALUES ('x')", "error 1062"),
            ("INSERT INTO b (v) VALUES ('z')", "ok 1"),
            ("SELECT MAX(id) > 2 FROM b", "1"),
            ("INSERT INTO c VALUES (2, 9)", "error 1452"),
            ("DELETE FROM b WHERE id = 1", "error 1451"),
            ("ALTER TABLE c RENAME TO d", "ok"),
            ("INSERT INTO d VALUES (2, 9)", "error 1452"),
            ("RENAME TABLE b TO d", "error 1050"),
            ("RENAME TABLE nobody TO e", "error 1146"),
            ("ALTER TABLE b ALTER v SET DEFAULT 'q'", "ok"),
            ("INSERT INTO b () VALUES ()", "ok 1"),
            ("ALTER TABLE b ALTER v DROP DEFAULT", "ok"),
            ("SELECT v FROM b ORDER BY id", "x | y | z | q"),
        ],
    );
    assert_eq!(server.recompute_digest(), server.digest().1);
}

#[test]
fn a_named_lock_is_one_sessions_at_a_time() {
    let (_host, server, mut one) = with_table();
    let mut two = Client::new(&server);
    all(
        &mut one,
        &[
            ("SELECT GET_LOCK('L', 0), GET_LOCK('l', 0)", "1,1"),
            ("SELECT IS_FREE_LOCK('l'), IS_USED_LOCK('l') = CONNECTION_ID()", "0,1"),
            ("SELECT GET_LOCK('', 0)", "error 3057"),
        ],
    );
    assert_eq!(two.run("SELECT GET_LOCK('l', 0), RELEASE_LOCK('l'), RELEASE_LOCK('other')"), "0,0,NULL");
    assert_eq!(one.run("SELECT RELEASE_LOCK('l')"), "1");
    let mut waiting = two.start("SELECT GET_LOCK('l', -1)");
    assert_eq!(poll(&mut waiting), Poll::Pending);
    assert_eq!(one.run("SELECT RELEASE_ALL_LOCKS()"), "1");
    assert_eq!(one.run("SELECT RELEASE_LOCK('l')"), "NULL");
}

#[test]
fn regular_expressions_and_found_rows() {
    let (_host, _server, mut client) = with_table();
    all(
        &mut client,
        &[
            ("SELECT 'abc' REGEXP '^B', 'abc' RLIKE 'B', 'abc' NOT REGEXP BINARY 'd'", "error 3995"),
            ("SELECT 'abc' REGEXP '^B', 'abc' RLIKE 'B', NULL REGEXP 'a'", "0,1,NULL"),
            (
                "SELECT REGEXP_REPLACE('a1b22', '([0-9])', '<$1>'), REGEXP_REPLACE('aaa', 'a', 'b', 1, 2)",
                "a<1>b<2><2>,aba",
            ),
            ("SELECT REGEXP_SUBSTR('abc def ghi', '[a-z]+', 1, 3), REGEXP_INSTR('dog cat dog', 'dog', 2)", "ghi,9"),
            ("SELECT REGEXP_LIKE('a', '[')", "error 3696"),
            ("SELECT 'a' REGEXP 'a{2,1}'", "error 3692"),
            ("SELECT SQL_CALC_FOUND_ROWS 1 FROM (SELECT 1 UNION SELECT 2 UNION SELECT 3) t LIMIT 1", "1"),
            ("SELECT FOUND_ROWS()", "3"),
            ("VALUES ROW(1, 'a'), ROW(2, 'b') ORDER BY 1 DESC", "2,b | 1,a"),
            ("SELECT JSON_ARRAYAGG(id) FROM (SELECT 1 id UNION SELECT 2) t", "[1, 2]"),
            ("SELECT 2 MEMBER OF ('[1, 2]'), '2' MEMBER OF ('[1, 2]')", "1,0"),
            ("SELECT STDDEV_SAMP(n), VAR_POP(n) FROM (SELECT 1 n UNION SELECT 3) t", "1.4142135623730951,1"),
        ],
    );
}
