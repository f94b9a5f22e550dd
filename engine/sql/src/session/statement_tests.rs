//! Statements over several tables, tables without keys, constraints, other names, named locks.

use super::tests::{Client, all, poll, with_table};
use crate::catalog::Effect;
use crate::server::Server;
use crate::testing::FakeHost;
use std::task::Poll;
use wire::entry::{Body, CatalogChange, ObjectKind};
use wire::id::{Csn, TableId};

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

/// What a transaction has changed itself stands among the rows of its scans where it will stand once committed: forward,
/// backward, by an index, over several batches of rows, and for single keys.
#[test]
fn scans_see_their_own_changes_in_order() {
    let (_host, _server, mut client) = with_table();
    client.run("CREATE TABLE s (id INT PRIMARY KEY, k INT, c VARCHAR(20), pad VARCHAR(20), KEY (k), UNIQUE (c))");
    let rows: Vec<String> = (1..=300).map(|id| format!("({}, {}, 'c{id}', 'p{id}')", id * 2, id % 7)).collect();
    assert_eq!(client.run(&format!("INSERT INTO s VALUES {}", rows.join(", "))), "ok 300");
    all(
        &mut client,
        &[
            ("BEGIN", "ok"),
            ("DELETE FROM s WHERE id BETWEEN 100 AND 139 OR id = 2 OR id = 600", "ok 22"),
            ("UPDATE s SET k = k + 1, pad = 'new' WHERE id BETWEEN 120 AND 199", "ok 30"),
            ("INSERT INTO s VALUES (0, 3, 'first', ''), (129, 3, 'middle', ''), (601, 3, 'LAST', '')", "ok 3"),
            ("DELETE FROM s WHERE id = 129", "ok 1"),
            ("UPDATE s SET id = 131 WHERE id = 300", "ok 1"),
        ],
    );
    let queries = [
        "SELECT id FROM s",
        "SELECT id, c FROM s WHERE id BETWEEN 90 AND 250",
        "SELECT id FROM s WHERE id >= 100 ORDER BY id DESC",
        "SELECT c FROM s WHERE id < 300 ORDER BY id DESC LIMIT 70",
        "SELECT pad, c FROM s WHERE id BETWEEN 90 AND 250 ORDER BY c",
        "SELECT DISTINCT pad FROM s WHERE id BETWEEN 90 AND 250 ORDER BY pad DESC",
        "SELECT k, id FROM s WHERE k = 3 ORDER BY id",
        "SELECT k, COUNT(*), SUM(id), MIN(c) FROM s WHERE k > 2 GROUP BY k",
        "SELECT id, id + k, c FROM s WHERE id IN (0, 2, 129, 131, 140, 300, 600, 601)",
        "SELECT id FROM s WHERE c IN ('c1', 'first', 'last', 'MIDDLE', 'c150')",
        "SELECT id FROM s WHERE c = 'c150'",
        "SELECT id, (SELECT MAX(k) FROM s x WHERE x.id <= s.id AND x.pad = s.pad) FROM s WHERE id BETWEEN 190 AND 202",
    ];
    let before: Vec<String> = queries.iter().map(|query| client.run(query)).collect();
    assert_eq!(client.run("COMMIT"), "ok");
    for (query, before) in queries.iter().zip(before) {
        assert_eq!(client.run(query), before, "{query}");
        assert!(!before.starts_with("error"), "{query}: {before}");
    }
    all(
        &mut client,
        &[
            ("SELECT COUNT(*), MIN(id), MAX(id) FROM s", "280,0,601"),
            ("SELECT id FROM s WHERE id BETWEEN 96 AND 142", "96 | 98 | 131 | 140 | 142"),
            ("SELECT id FROM s WHERE c IN ('c1', 'first', 'last', 'MIDDLE', 'c150') ORDER BY id", "0 | 131 | 601"),
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

#[test]
fn strict_mode_refuses_wrong_values_in_expressions_of_changes() {
    let (_host, _server, mut client) = with_table();
    all(
        &mut client,
        &[
            ("CREATE TABLE s (id INT PRIMARY KEY, v VARCHAR(10), d DATE, h TIME)", "ok"),
            ("INSERT INTO s VALUES (1, 'C', '2024-01-01', '10:00:00'), (2, '7', '2024-02-01', '11:00:00')", "ok 2"),
            ("SELECT v + 1 FROM s", "1 | 8"),
            ("UPDATE s SET id = v + 10 WHERE id = 1", "error 1292"),
            ("UPDATE s SET v = 'x' WHERE v = 5", "error 1292"),
            ("DELETE FROM s WHERE v > 5", "error 1292"),
            ("DELETE FROM s WHERE id IN (5, '2x')", "error 1292"),
            ("INSERT INTO s (id) SELECT v + 10 FROM s", "error 1292"),
            ("INSERT INTO s (id) VALUES ('C' + 10)", "error 1292"),
            ("UPDATE s SET id = id + 10 WHERE LOG(id - 1) IS NULL", "error 3020"),
            ("UPDATE s x JOIN t ON t.a = x.id SET x.id = x.v + 10", "error 1292"),
            ("UPDATE s SET v = 1 / 0", "error 1365"),
            ("UPDATE s SET v = CAST(99999 AS DECIMAL(4,1))", "error 1264"),
            ("SELECT COUNT(*), MAX(id) FROM s", "2,2"),
            ("UPDATE IGNORE s SET id = v + 10 WHERE id = 1", "ok 1"),
            ("SHOW WARNINGS", "Warning,1292,Truncated incorrect DOUBLE value: 'C'"),
            ("UPDATE IGNORE s SET v = 1 / 0 WHERE id = 2", "ok 1"),
            ("SET sql_mode = ''", "ok"),
            ("UPDATE s SET id = 'x' + 5 WHERE id = 10", "ok 1"),
            ("SHOW WARNINGS", "Warning,1292,Truncated incorrect DOUBLE value: 'x'"),
        ],
    );
}

#[test]
fn constants_are_read_as_the_dates_that_they_are_compared_with() {
    let (_host, _server, mut client) = with_table();
    all(
        &mut client,
        &[
            ("CREATE TABLE s (id INT PRIMARY KEY, d DATE, m DATETIME, h TIME, KEY (d))", "ok"),
            ("SELECT * FROM s WHERE d = 'x'", "error 1525"),
            ("DELETE FROM s WHERE m > 'x'", "error 1292"),
            ("INSERT INTO s VALUES (1, '2024-01-01', '2024-01-01 10:00:00', '10:00:01')", "ok 1"),
            ("SELECT id FROM s WHERE d = '2024-1-1'", "1"),
            ("SELECT id FROM s WHERE d = '2024-01-01 00:00:00'", "1"),
            ("SELECT id FROM s WHERE d = '2024-01-01 00:00:01'", "none"),
            ("SELECT id FROM s WHERE d >= '2024-01-01' AND d < '2024-01-02'", "1"),
            ("SELECT id FROM s WHERE '2024-01-01 10' = m", "1"),
            ("SELECT id FROM s WHERE m BETWEEN '2024-01-01 09:59:59.9' AND '2024-01-02'", "1"),
            ("SELECT id FROM s WHERE h = '10:00:00.7'", "1"),
            ("SELECT id FROM s WHERE h IN ('10:00:00.7', '10:00:01')", "1"),
            ("SELECT id FROM s WHERE d IN ('x', '2024-01-01')", "1"),
            ("SHOW WARNINGS", "Warning,1292,Truncated incorrect date value: 'x'"),
            ("SELECT id FROM s WHERE d = 20240101 AND d <> NULL OR d = '2024-01-01' + INTERVAL 0 DAY", "1"),
        ],
    );
}

#[test]
fn what_is_selected_follows_from_the_groups() {
    let (_host, _server, mut client) = with_table();
    all(
        &mut client,
        &[
            (
                "CREATE TABLE d (id INT PRIMARY KEY, name VARCHAR(10), code INT NOT NULL, n INT, UNIQUE (code), UNIQUE (n))",
                "ok",
            ),
            ("CREATE TABLE e (id INT PRIMARY KEY, d INT, pay INT)", "ok"),
            ("INSERT INTO d VALUES (1, 'a', 10, 1), (2, 'b', 20, NULL)", "ok 2"),
            ("INSERT INTO e VALUES (1, 1, 10), (2, 1, 20), (3, 2, 5)", "ok 3"),
            ("SELECT name, COUNT(*) FROM d", "error 1140"),
            ("SELECT name FROM d GROUP BY n", "error 1055"),
            ("SELECT name FROM d GROUP BY id", "a | b"),
            ("SELECT name, id + 1 FROM d GROUP BY code ORDER BY name DESC", "b,3 | a,2"),
            ("SELECT d, pay FROM e GROUP BY d", "error 1055"),
            ("SELECT d, ANY_VALUE(pay) FROM e GROUP BY d", "1,10 | 2,5"),
            ("SELECT d + 1, COUNT(*) FROM e GROUP BY d + 1", "2,2 | 3,1"),
            ("SELECT d FROM e GROUP BY d + 1", "error 1055"),
            ("SELECT d, SUM(pay) FROM e GROUP BY d ORDER BY pay", "error 1055"),
            ("SELECT d FROM e GROUP BY d HAVING pay > 1", "error 1054"),
            ("SELECT d.name, SUM(pay) FROM d JOIN e ON e.d = d.id GROUP BY d.id", "a,30 | b,5"),
            ("SELECT d.name, SUM(pay) FROM d JOIN e ON e.d = d.id GROUP BY e.d", "a,30 | b,5"),
            ("SELECT d.name, SUM(pay) FROM e LEFT JOIN d ON e.d = d.id GROUP BY e.d", "a,30 | b,5"),
            ("SELECT d.name, SUM(pay) FROM e LEFT JOIN d ON e.d = d.id AND pay > 1 GROUP BY e.d", "error 1055"),
            ("SELECT name FROM d WHERE id = 1 GROUP BY n", "a"),
            ("SELECT q.name FROM (SELECT id, name FROM d) q GROUP BY q.id", "a | b"),
            ("SELECT q.s FROM (SELECT d, SUM(pay) s FROM e GROUP BY d) q GROUP BY q.d", "30 | 5"),
            ("SELECT q.s FROM (SELECT d, pay s FROM e) q GROUP BY q.d", "error 1055"),
            ("SELECT d, (SELECT name FROM d x WHERE x.id = e.d) FROM e GROUP BY d", "1,a | 2,b"),
            ("SELECT d, (SELECT name FROM d x WHERE x.id = e.id) FROM e GROUP BY d", "error 1055"),
            ("SELECT DISTINCT d FROM e ORDER BY pay", "error 3065"),
            ("SELECT DISTINCT id FROM e ORDER BY pay", "error 3065"),
            ("SELECT table_schema, COUNT(*) FROM information_schema.tables WHERE table_schema = 'd' GROUP BY 1", "d,3"),
            ("SET sql_mode = ''", "ok"),
            ("SELECT name FROM d GROUP BY n", "b | a"),
        ],
    );
}

#[test]
fn primary_keys_come_and_go() {
    let (_host, server, mut client) = with_table();
    all(
        &mut client,
        &[
            ("CREATE TABLE k (a INT, b INT, v VARCHAR(5), KEY (v))", "ok"),
            ("INSERT INTO k VALUES (3, 1, 'c'), (1, 2, 'a'), (2, 2, 'b')", "ok 3"),
            ("ALTER TABLE k ADD PRIMARY KEY (b)", "error 1062"),
            ("ALTER TABLE k ADD PRIMARY KEY (a)", "ok"),
            ("SELECT * FROM k", "1,2,a | 2,2,b | 3,1,c"),
            ("SELECT a FROM k WHERE v = 'b'", "2"),
            ("INSERT INTO k VALUES (1, 5, 'x')", "error 1062"),
            ("ALTER TABLE k ADD PRIMARY KEY (b)", "error 1068"),
            ("ALTER TABLE k DROP PRIMARY KEY, ADD PRIMARY KEY (b, a)", "ok"),
            ("SELECT * FROM k", "3,1,c | 1,2,a | 2,2,b"),
            ("SELECT a FROM k WHERE v = 'b'", "2"),
            ("UPDATE k SET v = 'z' WHERE b = 2", "ok 2"),
            ("SELECT a FROM k WHERE v = 'z'", "1 | 2"),
            ("ALTER TABLE k MODIFY b BIGINT", "ok"),
            ("SELECT a FROM k WHERE b = 1", "3"),
            ("ALTER TABLE k DROP COLUMN a", "error 1062"),
            ("ALTER TABLE k DROP PRIMARY KEY", "ok"),
            ("INSERT INTO k VALUES (1, 2, 'z')", "ok 1"),
            ("SELECT COUNT(*) FROM k WHERE v = 'z'", "3"),
            ("ALTER TABLE k DROP PRIMARY KEY", "error 1091"),
            ("ALTER TABLE k ADD UNIQUE (v)", "error 1062"),
            ("DELETE FROM k WHERE v = 'z'", "ok 3"),
            ("ALTER TABLE k MODIFY v VARCHAR(5) NOT NULL, ADD UNIQUE u (v)", "ok"),
            ("INSERT INTO k VALUES (9, 9, 'c')", "error 1062"),
            ("SELECT * FROM k WHERE v = 'c'", "3,1,c"),
            ("CREATE TABLE n (a INT, b INT NOT NULL, UNIQUE (b))", "ok"),
            ("INSERT INTO n VALUES (NULL, 1), (5, 2)", "ok 2"),
            ("ALTER TABLE n ADD PRIMARY KEY (a)", "error 1138"),
            ("UPDATE n SET a = 7 WHERE b = 1", "ok 1"),
            ("ALTER TABLE n ADD PRIMARY KEY (a)", "ok"),
            ("SELECT * FROM n", "5,2 | 7,1"),
            ("INSERT INTO n VALUES (8, 2)", "error 1062"),
            ("SELECT a FROM n WHERE b = 1", "7"),
            ("SET sql_require_primary_key = ON", "ok"),
            ("ALTER TABLE n DROP PRIMARY KEY", "error 3750"),
        ],
    );
    assert_eq!(server.recompute_digest(), server.digest().1);
}

#[test]
fn alter_table_in_strict_mode_refuses_what_does_not_convert() {
    let (_host, _server, mut client) = with_table();
    all(
        &mut client,
        &[
            ("CREATE TABLE s (id INT PRIMARY KEY, v VARCHAR(10))", "ok"),
            ("INSERT INTO s VALUES (1, '12'), (2, 'x'), (3, NULL)", "ok 3"),
            ("ALTER TABLE s MODIFY v INT", "error 1366"),
            ("ALTER TABLE s MODIFY v VARCHAR(10) NOT NULL", "error 1138"),
            ("ALTER TABLE s MODIFY v VARCHAR(1)", "error 1265"),
            ("ALTER TABLE s ADD d DATE NOT NULL", "error 1292"),
            ("SELECT * FROM s", "1,12 | 2,x | 3,NULL"),
            ("UPDATE s SET v = '13' WHERE id > 1", "ok 2"),
            ("ALTER TABLE s MODIFY v INT NOT NULL", "ok"),
            ("ALTER TABLE s MODIFY v TINYINT NOT NULL, ADD n INT NOT NULL", "ok"),
            ("SELECT * FROM s", "1,12,0 | 2,13,0 | 3,13,0"),
            ("SET sql_mode = ''", "ok"),
            ("ALTER TABLE s ADD d DATE NOT NULL", "ok"),
            ("SELECT d FROM s WHERE id = 1", "0000-00-00"),
        ],
    );
}

#[test]
fn explain_tells_the_plan() {
    let (_host, _server, mut client) = with_table();
    all(
        &mut client,
        &[
            ("CREATE TABLE u (a INT PRIMARY KEY, b INT, c VARCHAR(10) NOT NULL, KEY kb (b), UNIQUE kc (c))", "ok"),
            ("INSERT INTO u VALUES (1, 1, 'x'), (2, 1, 'y')", "ok 2"),
            ("EXPLAIN SELECT 1", "1,SIMPLE,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,No tables used"),
            ("EXPLAIN SELECT * FROM u", "1,SIMPLE,u,NULL,ALL,NULL,NULL,NULL,NULL,2,100.00,NULL"),
            ("EXPLAIN SELECT * FROM u WHERE a = 1", "1,SIMPLE,u,NULL,const,PRIMARY,PRIMARY,4,const,1,100.00,NULL"),
            (
                "EXPLAIN FORMAT=TRADITIONAL SELECT * FROM u AS x WHERE b = 1 AND c > 'a' ORDER BY c",
                "1,SIMPLE,x,NULL,ref,kc,kb,kb,5,const,1,100.00,Using where; Using filesort",
            ),
            ("EXPLAIN SELECT * FROM u WHERE c = 'x'", "1,SIMPLE,u,NULL,const,kc,kc,42,const,1,100.00,NULL"),
            (
                "EXPLAIN SELECT * FROM u WHERE a > 1 ORDER BY a DESC",
                "1,SIMPLE,u,NULL,range,PRIMARY,PRIMARY,4,NULL,1,100.00,Using where; Backward index scan",
            ),
            (
                "EXPLAIN SELECT * FROM t JOIN u ON u.a = t.b WHERE t.a < 3",
                "1,SIMPLE,t,NULL,range,PRIMARY,PRIMARY,4,NULL,1,100.00,Using where | \
                 1,SIMPLE,u,NULL,eq_ref,PRIMARY,PRIMARY,4,d.t.b,1,100.00,Using where",
            ),
            (
                "EXPLAIN SELECT b, COUNT(*) FROM u GROUP BY b UNION SELECT a, b FROM t",
                "1,PRIMARY,u,NULL,ALL,NULL,NULL,NULL,NULL,2,100.00,Using temporary | \
                 2,UNION,t,NULL,ALL,NULL,NULL,NULL,NULL,3,100.00,NULL | \
                 NULL,UNION RESULT,<union1,2>,NULL,ALL,NULL,NULL,NULL,NULL,NULL,NULL,Using temporary",
            ),
            (
                "EXPLAIN SELECT * FROM (SELECT a FROM t) q WHERE a IN (SELECT a FROM u)",
                "1,PRIMARY,<derived2>,NULL,ALL,NULL,NULL,NULL,NULL,NULL,NULL,Using where | \
                 2,DERIVED,t,NULL,ALL,NULL,NULL,NULL,NULL,3,100.00,NULL | \
                 3,SUBQUERY,u,NULL,ALL,NULL,NULL,NULL,NULL,2,100.00,NULL",
            ),
            (
                "EXPLAIN UPDATE u SET b = 2 WHERE a = 1",
                "1,UPDATE,u,NULL,range,PRIMARY,PRIMARY,4,const,1,100.00,Using where",
            ),
            ("EXPLAIN DELETE FROM u", "1,DELETE,u,NULL,ALL,NULL,NULL,NULL,NULL,2,100.00,NULL"),
            ("EXPLAIN INSERT INTO u VALUES (3, 3, 'z')", "1,INSERT,u,NULL,ALL,NULL,NULL,NULL,NULL,NULL,NULL,NULL"),
            ("EXPLAIN FORMAT=JSON SELECT 1", "error 1235"),
            ("EXPLAIN FORMAT=TREE SELECT 1", "error 1235"),
            ("EXPLAIN SELECT * FROM nope", "error 1146"),
            ("SELECT COUNT(*) FROM u", "2"),
            ("EXPLAIN u b", "b,int,YES,MUL,NULL,"),
        ],
    );
}

#[test]
fn statements_and_rows_are_counted_by_kind() {
    let (_host, server, mut client) = with_table();
    let mut other = Client::new(&server);
    let count = |client: &mut Client, scope: &str, name: &str| -> u64 {
        let shown = client.run(&format!("SHOW {scope} STATUS LIKE '{name}'"));
        shown.split(',').nth(1).and_then(|number| number.parse().ok()).expect("one counter")
    };
    let names = ["Com_select", "Com_insert", "Com_begin", "Com_commit", "Handler_write", "Handler_read_key"];
    let before = names.map(|name| count(&mut other, "GLOBAL", name));
    all(
        &mut client,
        &[
            ("FLUSH STATUS", "ok"),
            ("BEGIN", "ok"),
            ("INSERT INTO t VALUES (4, 4), (5, 5)", "ok 2"),
            ("SELECT b FROM t WHERE a = 4", "4"),
            ("SELECT b FROM t WHERE a = 5", "5"),
            ("COMMIT", "ok"),
        ],
    );
    let after = names.map(|name| count(&mut other, "GLOBAL", name));
    let more: Vec<u64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    assert_eq!(more, [2, 1, 1, 1, 2, 2]);
    assert_eq!(names.map(|name| count(&mut client, "SESSION", name)), [2, 1, 1, 1, 2, 2]);
    assert_eq!(count(&mut other, "SESSION", "Com_insert"), 0);
    assert_eq!(count(&mut other, "GLOBAL", "Threads_connected"), 2);
    assert_eq!(count(&mut other, "GLOBAL", "Threads_running"), 1);
}

#[test]
fn tables_are_made_of_what_is_selected() {
    let (host, server, mut client) = with_table();
    all(
        &mut client,
        &[
            ("CREATE TABLE c (PRIMARY KEY (a)) SELECT a, b + 1 AS n, 'x' AS x FROM t", "ok 3"),
            ("SELECT * FROM c", "1,11,x | 2,21,x | 3,31,x"),
            ("CREATE TABLE c SELECT 1", "error 1050"),
            ("CREATE TABLE IF NOT EXISTS c SELECT 1", "ok"),
            ("CREATE TABLE e (a INT PRIMARY KEY) SELECT 1 AS a UNION ALL SELECT 1", "error 1062"),
            ("CREATE TABLE e SELECT a, a FROM t", "error 1060"),
            ("CREATE TABLE e SELECT nope FROM t", "error 1054"),
            ("CREATE TABLE e (v TINYINT) SELECT 1000 AS v", "error 1264"),
            ("SHOW TABLES", "c | t"),
            ("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'd'", "2"),
        ],
    );
    // A member that is stopped on the way leaves nothing that is seen, and what it left is dropped the next time.
    host.hold.set(true);
    {
        let mut waiting = client.start("CREATE TABLE e (PRIMARY KEY (a)) SELECT a FROM t");
        assert!(poll(&mut waiting).is_pending());
        host.decide();
        assert!(poll(&mut waiting).is_pending(), "the rows are on their way");
    }
    host.decide();
    host.hold.set(false);
    let mut other = Client::new(&server);
    all(
        &mut other,
        &[("USE d", "ok"), ("SHOW TABLES", "c | t"), ("CREATE TABLE e (PRIMARY KEY (a)) SELECT a FROM t", "ok 3")],
    );
    assert_eq!(other.run("SELECT * FROM e"), "1 | 2 | 3");
    let hidden = || {
        let catalog = server.catalog.borrow();
        let names = catalog.databases().flat_map(|(_, database)| database.tables.keys());
        names.filter(|name| name.starts_with(super::HIDDEN)).count()
    };
    assert_eq!(hidden(), 1);
    // No session is making it any more.
    drop(client);
    assert_eq!(other.run("CREATE TABLE g (PRIMARY KEY (a)) SELECT a FROM t"), "ok 3");
    assert_eq!(hidden(), 0);
    assert_eq!(server.recompute_digest(), server.digest().1);
}

/// Rows that come between the origin's look and the statement's place in the order cost the key, on every member alike,
/// one that is restored from a checkpoint too.
#[test]
fn a_primary_key_that_late_rows_break_is_left_out() {
    let (host, server, mut one) = with_table();
    let mut two = Client::new(&server);
    all(&mut one, &[("CREATE TABLE k (a INT, b INT, KEY (b))", "ok"), ("INSERT INTO k VALUES (1, 1), (2, 2)", "ok 2")]);
    let alter = "ALTER TABLE k ADD PRIMARY KEY (a)";
    host.capture.set(true);
    assert_eq!(one.run(alter), "error 3100");
    let captured = host.captured.take();
    host.capture.set(false);
    let Some(Body::Ddl(ddl)) = captured else { panic!("no DDL was proposed") };
    let Some(CatalogChange::Replace { definition: proposed, .. }) = ddl.changes.last() else { panic!("{ddl:?}") };
    host.hold.set(true);
    {
        let mut waiting = one.start(alter);
        assert!(poll(&mut waiting).is_pending());
        host.hold.set(false);
        assert_eq!(two.run("INSERT INTO d.k VALUES (1, 9)"), "ok 1");
        host.decide();
        assert_eq!(poll(&mut waiting), Poll::Ready("error 1062".into()));
    }
    all(
        &mut one,
        &[
            ("SELECT a, b FROM k ORDER BY b", "1,1 | 2,2 | 1,9"),
            ("SELECT a FROM k WHERE b = 9", "1"),
            ("INSERT INTO k VALUES (2, 10)", "ok 1"),
        ],
    );
    assert_eq!(server.recompute_digest(), server.digest().1);

    let (mut cut, rows) = server.begin_cut();
    let mut pieces = Vec::new();
    loop {
        let mut piece = Vec::new();
        let last = server.read_cut(&mut cut, &mut piece);
        pieces.push(piece);
        if last {
            break;
        }
    }
    let (_host, restored) = FakeHost::start();
    let effects = {
        let catalog = server.catalog.borrow();
        let created = |kind, schema: &str, name: &str, id, version, definition| Effect::Created {
            kind,
            schema: schema.into(),
            name: name.into(),
            id,
            version,
            definition,
        };
        let database = catalog.database("d").unwrap();
        let mut effects =
            vec![created(ObjectKind::Database, "", "d", TableId(0), Csn(1), database.definition.to_bytes())];
        for table in database.tables.values() {
            // What the group's catalogue has of `k` is what was proposed.
            let bytes = if table.name == "k" { proposed.clone() } else { table.definition.to_bytes() };
            effects.push(created(ObjectKind::Table, "d", &table.name, table.id, table.version, bytes));
        }
        effects
    };
    restored.begin_restore(server.applied(), effects, rows);
    pieces.iter().for_each(|piece| restored.restore_rows(piece).unwrap());
    restored.finish_restore().unwrap();
    let shape = |server: &Server| {
        let definition = server.catalog.borrow().table("d", "k").unwrap().definition.clone();
        (definition.columns, definition.keys)
    };
    assert_eq!(shape(&restored), shape(&server));
    assert_eq!(restored.recompute_digest(), server.digest().1);
    assert_eq!(one.run("DELETE FROM k WHERE b > 2"), "ok 2");
    assert_eq!(one.run(alter), "ok");
    assert_eq!(one.run("SELECT * FROM k"), "1,1 | 2,2");
}

/// Ranges of whole numbers whose ends say all that WHERE says, and such that do not: values beyond the column's type, no
/// whole numbers, NULL, the same column twice; rows that go to the client as they lie there, by LIMIT and backward.
#[test]
fn ranges_hold_what_their_conditions_say() {
    let (_host, _server, mut client) = with_table();
    all(
        &mut client,
        &[
            (
                "CREATE TABLE r (id TINYINT PRIMARY KEY, n INT, u INT UNSIGNED, t VARCHAR(9), d DATE, KEY (n, u), KEY (u))",
                "ok",
            ),
            ("INSERT INTO r VALUES (-2, NULL, 1, 'a', NULL), (-1, 1, 0, NULL, '2020-01-01')", "ok 2"),
            (
                "INSERT INTO r VALUES (0, 1, 2, 'b', NULL), (1, 1, 3, 'C', '2020-01-02'), (2, 2, NULL, 'a', NULL)",
                "ok 3",
            ),
            ("SELECT id FROM r WHERE id BETWEEN -1 AND 1", "-1 | 0 | 1"),
            ("CREATE TABLE e2 (id INT PRIMARY KEY, e ENUM('x', 'y'), s SET('p', 'q'), z INT(3) ZEROFILL)", "ok"),
            ("INSERT INTO e2 VALUES (1, 'y', 'p,q', 7), (2, NULL, '', 8)", "ok 2"),
            ("SELECT id, e, s FROM e2 ORDER BY id", "1,y,p,q | 2,NULL,"),
            ("SELECT z FROM e2 WHERE id BETWEEN 1 AND 2", "007 | 008"),
            ("SELECT DISTINCT e FROM e2 ORDER BY e DESC", "y | NULL"),
            ("SELECT t, id FROM r WHERE id BETWEEN -1 AND 1", "NULL,-1 | b,0 | C,1"),
            ("SELECT t, id FROM r WHERE id BETWEEN -1 AND 1 ORDER BY id DESC LIMIT 1, 1", "b,0"),
            ("SELECT t, id FROM r WHERE id >= 0 LIMIT 2", "b,0 | C,1"),
            ("SELECT id FROM r WHERE id BETWEEN -1000 AND 0", "-2 | -1 | 0"),
            ("SELECT id FROM r WHERE id > 0 AND id < 1000", "1 | 2"),
            ("SELECT id FROM r WHERE id > 1000", "none"),
            ("SELECT id FROM r WHERE id < 1000", "-2 | -1 | 0 | 1 | 2"),
            ("SELECT id FROM r WHERE id > -1.5 AND id <= 0.5", "-1 | 0"),
            ("SELECT id FROM r WHERE id BETWEEN '-1' AND '0.5'", "-1 | 0"),
            ("SELECT id FROM r WHERE id > NULL", "none"),
            ("SELECT id FROM r WHERE id > -1 AND id > 0 AND id > -2", "1 | 2"),
            ("SELECT id FROM r WHERE id = 1 AND id = 2", "none"),
            ("SELECT id FROM r WHERE 0 < id AND 2 >= id", "1 | 2"),
            ("SELECT id FROM r WHERE n < 2", "-1 | 0 | 1"),
            ("SELECT id FROM r WHERE n = 1 AND u > 0", "0 | 1"),
            ("SELECT id FROM r WHERE n = 1 AND u > -1", "-1 | 0 | 1"),
            ("SELECT id FROM r WHERE u < 3 ORDER BY id", "-2 | -1 | 0"),
            ("SELECT id FROM r WHERE u BETWEEN 1 AND 2 AND t = 'A'", "-2"),
            ("SELECT u, n FROM r WHERE n = 1 AND u <= 2", "0,1 | 2,1"),
            ("SELECT id, d FROM r WHERE id BETWEEN -1 AND 0", "-1,2020-01-01 | 0,NULL"),
            ("SELECT SUM(u), COUNT(*), COUNT(t) FROM r WHERE id BETWEEN -1 AND 2", "5,4,3"),
            ("SELECT SUM(u) FROM r WHERE id BETWEEN 5 AND 9", "NULL"),
            ("BEGIN", "ok"),
            ("UPDATE r SET t = 'own' WHERE id BETWEEN 0 AND 1", "ok 2"),
            ("DELETE FROM r WHERE id > 1 AND id < 1000", "ok 1"),
            ("SELECT t, id FROM r WHERE id >= -1", "NULL,-1 | own,0 | own,1"),
            ("UPDATE r SET t = 'x' WHERE n = 1 AND u = 3", "ok 1"),
            ("SELECT t FROM r WHERE n = 1 AND u BETWEEN 2 AND 3", "own | x"),
            ("ROLLBACK", "ok"),
        ],
    );
}

/// DISTINCT whose ORDER BY names every column keeps, of rows that are equal, the one that is found first, however many
/// there are; so does one whose texts have to be weighed.
#[test]
fn distinct_rows_that_are_sorted_keep_the_first_of_equal_ones() {
    let (_host, _server, mut client) = with_table();
    client.run("CREATE TABLE t2 (id INT PRIMARY KEY, c VARCHAR(20), b VARCHAR(20) COLLATE utf8mb4_general_ci, n INT)");
    let letters = ["b", "A", "a", "B", "é", "E", "0123456789x", "0123456789X"];
    for block in 0..10 {
        let rows: Vec<String> = (block * 1000..block * 1000 + 1000)
            .map(|id| format!("({id}, '{0}', '{0}', {1})", letters[id % 8], (id / 8) % 2))
            .collect();
        assert_eq!(client.run(&format!("INSERT INTO t2 VALUES {}", rows.join(", "))), "ok 1000");
    }
    all(
        &mut client,
        &[
            ("SELECT DISTINCT c FROM t2 WHERE id BETWEEN 0 AND 99 ORDER BY c", "0123456789x | A | b | é"),
            ("SELECT DISTINCT c FROM t2 ORDER BY c DESC", "é | b | A | 0123456789x"),
            ("SELECT DISTINCT c FROM t2 WHERE id > 1 ORDER BY c LIMIT 1, 2", "a | B"),
            ("SELECT DISTINCT b FROM t2 ORDER BY b", "0123456789x | A | b | é"),
            (
                "SELECT DISTINCT c, n FROM t2 WHERE id > 0 AND c < 'B' ORDER BY n DESC, c",
                "0123456789x,1 | A,1 | 0123456789x,0 | A,0",
            ),
            ("SELECT DISTINCT n FROM t2 ORDER BY n", "0 | 1"),
            ("SELECT DISTINCT n, c FROM t2 WHERE id < 4 ORDER BY c", "0,A | 0,b"),
        ],
    );
}
