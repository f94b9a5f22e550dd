//! Foreign keys: what they refuse, what follows a change, who waits for whom. CHECK constraints.

use super::tests::{Client, all, poll, with_table};
use crate::testing::FakeHost;
use std::task::Poll;

fn family() -> (std::rc::Rc<FakeHost>, std::rc::Rc<crate::server::Server>, Client) {
    let (host, server, mut client) = with_table();
    all(
        &mut client,
        &[
            ("CREATE TABLE p (id INT PRIMARY KEY, code VARCHAR(10) UNIQUE, x INT)", "ok"),
            ("CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id))", "ok"),
            ("INSERT INTO p VALUES (1, 'a', 0), (2, 'b', 0), (3, 'c', 0)", "ok 3"),
            ("INSERT INTO c VALUES (10, 1), (11, NULL)", "ok 2"),
        ],
    );
    (host, server, client)
}

#[test]
fn a_child_needs_its_parent_and_a_parent_with_children_stays() {
    let (_host, server, mut one) = family();
    all(
        &mut one,
        &[
            ("INSERT INTO c VALUES (12, 9)", "error 1452"),
            ("INSERT IGNORE INTO c VALUES (12, 9), (13, 3)", "ok 1"),
            ("UPDATE c SET p = 9 WHERE id = 10", "error 1452"),
            ("UPDATE c SET p = 2 WHERE id = 10", "ok 1"),
            ("DELETE FROM p WHERE id = 2", "error 1451"),
            ("UPDATE p SET id = 5 WHERE id = 2", "error 1451"),
            ("UPDATE p SET x = 7 WHERE id = 2", "ok 1"),
            ("REPLACE INTO p VALUES (2, 'z', 1)", "error 1451"),
            ("DELETE FROM p WHERE id = 1", "ok 1"),
            ("DELETE IGNORE FROM p", "ok"),
            ("DELETE FROM p", "error 1451"),
            ("SELECT id FROM p", "2 | 3"),
            ("DELETE FROM c WHERE p = 2", "ok 1"),
            ("DELETE FROM p WHERE id = 2", "ok 1"),
            ("SET foreign_key_checks = 0", "ok"),
            ("INSERT INTO c VALUES (14, 99)", "ok 1"),
            ("DELETE FROM p WHERE id = 3", "ok 1"),
            ("SET foreign_key_checks = 1", "ok"),
            ("UPDATE c SET id = 15 WHERE id = 14", "ok 1"),
        ],
    );
    assert_eq!(server.recompute_digest(), server.digest().1);
}

#[test]
fn cascades_change_children_and_their_children() {
    let (_host, server, mut one) = family();
    all(
        &mut one,
        &[
            (
                "CREATE TABLE k (id INT PRIMARY KEY, code VARCHAR(10), n INT, CONSTRAINT kc FOREIGN KEY (code) \
                 REFERENCES p (code) ON DELETE CASCADE ON UPDATE CASCADE)",
                "ok",
            ),
            ("CREATE TABLE l (id INT PRIMARY KEY, k INT, FOREIGN KEY (k) REFERENCES k (id) ON DELETE SET NULL)", "ok"),
            ("INSERT INTO k VALUES (1, 'B', 0), (2, 'b', 0), (3, 'c', 0)", "ok 3"),
            ("INSERT INTO l VALUES (1, 1), (2, 2), (3, 3)", "ok 3"),
            ("UPDATE p SET code = 'bb' WHERE id = 2", "ok 1"),
            ("SELECT id, code FROM k", "1,bb | 2,bb | 3,c"),
            ("DELETE FROM p WHERE id = 2", "ok 1"),
            ("SELECT id, code FROM k", "3,c"),
            ("SELECT * FROM l", "1,NULL | 2,NULL | 3,3"),
            ("REPLACE INTO p VALUES (3, 'd', 1)", "ok 2"),
            ("SELECT COUNT(*) FROM k", "0"),
            // A tree within one table.
            (
                "CREATE TABLE tree (id INT PRIMARY KEY, up INT, FOREIGN KEY (up) REFERENCES tree (id) ON DELETE CASCADE)",
                "ok",
            ),
            ("INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2), (4, 1), (5, 5)", "ok 5"),
            ("INSERT INTO tree VALUES (7, 8), (8, 7)", "error 1452"),
            ("DELETE FROM tree WHERE id IN (1, 2, 5)", "ok 2"),
            ("SELECT COUNT(*) FROM tree", "0"),
        ],
    );
    assert_eq!(server.recompute_digest(), server.digest().1);
}

#[test]
fn definitions_of_foreign_keys_are_checked_and_protected() {
    let (_host, _server, mut one) = family();
    all(
        &mut one,
        &[
            ("CREATE TABLE e (a INT, FOREIGN KEY (a) REFERENCES nowhere (id))", "error 1824"),
            ("CREATE TABLE e (a INT, FOREIGN KEY (a) REFERENCES p (nothing))", "error 3734"),
            ("CREATE TABLE e (a BIGINT, FOREIGN KEY (a) REFERENCES p (id))", "error 3780"),
            ("CREATE TABLE e (a INT, FOREIGN KEY (a) REFERENCES p (x))", "error 1822"),
            ("CREATE TABLE e (a INT NOT NULL, FOREIGN KEY (a) REFERENCES p (id) ON DELETE SET NULL)", "error 1830"),
            ("CREATE TABLE e (a INT, FOREIGN KEY (b) REFERENCES p (id))", "error 1072"),
            ("CREATE TABLE e (a INT, FOREIGN KEY (a) REFERENCES p (id, x))", "error 1239"),
            ("CREATE TABLE e (a INT, CONSTRAINT c_ibfk_1 FOREIGN KEY (a) REFERENCES p (id))", "error 1826"),
            ("CREATE TABLE e (a INT PRIMARY KEY REFERENCES p (id))", "ok"),
            ("INSERT INTO e VALUES (77)", "ok 1"),
            ("DROP TABLE p", "error 3730"),
            ("TRUNCATE p", "error 1701"),
            ("ALTER TABLE p DROP COLUMN id", "error 1829"),
            ("ALTER TABLE p MODIFY id INT UNSIGNED", "error 1833"),
            ("ALTER TABLE c DROP COLUMN p", "error 1828"),
            ("ALTER TABLE c MODIFY p BIGINT", "error 1832"),
            ("ALTER TABLE c DROP KEY p", "error 1553"),
            ("ALTER TABLE e ADD CONSTRAINT ep FOREIGN KEY (a) REFERENCES p (id)", "error 1452"),
            ("INSERT INTO e VALUES (2)", "ok 1"),
            ("DELETE FROM e WHERE a = 77", "ok 1"),
            ("ALTER TABLE e ADD CONSTRAINT ep FOREIGN KEY (a) REFERENCES p (id) ON UPDATE CASCADE", "ok"),
            ("DELETE FROM p WHERE id = 2", "error 1451"),
            ("ALTER TABLE p RENAME COLUMN id TO number", "ok"),
            ("INSERT INTO c VALUES (20, 3), (21, 8)", "error 1452"),
            (
                "SELECT constraint_name, column_name, referenced_table_name, referenced_column_name FROM \
                 information_schema.key_column_usage WHERE referenced_table_name IS NOT NULL ORDER BY 1",
                "c_ibfk_1,p,p,number | ep,a,p,number",
            ),
            (
                "SELECT constraint_name, unique_constraint_name, update_rule, delete_rule, table_name FROM \
                 information_schema.referential_constraints ORDER BY 1",
                "c_ibfk_1,PRIMARY,NO ACTION,NO ACTION,c | ep,PRIMARY,CASCADE,NO ACTION,e",
            ),
            (
                "SHOW CREATE TABLE e",
                "e,CREATE TABLE `e` (\n  `a` int NOT NULL,\n  PRIMARY KEY (`a`),\n  CONSTRAINT `ep` FOREIGN KEY (`a`) \
                 REFERENCES `p` (`number`) ON UPDATE CASCADE\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 \
                 COLLATE=utf8mb4_0900_ai_ci",
            ),
            ("ALTER TABLE e DROP FOREIGN KEY ep", "ok"),
            ("DELETE FROM p WHERE number = 2", "ok 1"),
            ("DROP TABLE c, p", "ok"),
            ("SET foreign_key_checks = 0", "ok"),
            ("CREATE TABLE early (a INT PRIMARY KEY, FOREIGN KEY (a) REFERENCES late (id))", "ok"),
            ("CREATE TABLE late (id INT PRIMARY KEY)", "ok"),
            ("SET foreign_key_checks = 1", "ok"),
            ("INSERT INTO early VALUES (1)", "error 1452"),
            ("INSERT INTO late VALUES (1)", "ok 1"),
            ("INSERT INTO early VALUES (1)", "ok 1"),
        ],
    );
}

#[test]
fn who_deletes_a_parent_and_who_adds_a_child_wait_for_each_other() {
    let (_host, server, mut one) = family();
    let mut two = Client::new(&server);
    two.run("USE d");
    one.run("BEGIN");
    assert_eq!(one.run("INSERT INTO c VALUES (30, 2)"), "ok 1");
    {
        let mut waiting = two.start("DELETE FROM p WHERE id = 2");
        assert!(poll(&mut waiting).is_pending(), "the parent is locked by its child");
        assert_eq!(one.run("COMMIT"), "ok");
        assert_eq!(poll(&mut waiting), Poll::Ready("error 1451".into()));
    }
    two.run("BEGIN");
    assert_eq!(two.run("DELETE FROM p WHERE id = 3"), "ok 1");
    let mut waiting = one.start("INSERT INTO c VALUES (31, 3)");
    assert!(poll(&mut waiting).is_pending(), "the parent may go");
    assert_eq!(two.run("COMMIT"), "ok");
    assert_eq!(poll(&mut waiting), Poll::Ready("error 1452".into()));
}

/// `design.md` §5.5 [!]: applying a transaction rolls back whoever has a parent that it shares locked
/// exclusively, for that one has looked for children already; §6: so does the certifier, where it was proposed.
#[test]
fn a_child_of_another_member_displaces_who_deletes_its_parent() {
    let (host, server, mut one) = family();
    let mut two = Client::new(&server);
    two.run("USE d");
    let body = {
        // What another member would have proposed: executed here, and taken back.
        host.capture.set(true);
        assert_eq!(two.run("INSERT INTO c VALUES (40, 2)"), "error 3100");
        host.capture.set(false);
        host.captured.borrow_mut().take().unwrap()
    };
    let wire::entry::Body::Transaction(child) = &body else { panic!("{body:?}") };
    assert_eq!(child.shared.len(), 1);
    one.run("BEGIN");
    assert_eq!(one.run("DELETE FROM p WHERE id = 2"), "ok 1");
    assert!(matches!(host.remote(body.clone()), crate::host::Outcome::Committed { .. }));
    assert_eq!(one.run("COMMIT"), "error 1213");
    assert_eq!(one.run("SELECT id FROM c WHERE p = 2"), "40");
    assert_eq!(one.run("DELETE FROM c WHERE id = 40"), "ok 1");
    // Proposed first, ordered second: the certifier's part.
    host.hold.set(true);
    let mut waiting = one.start("DELETE FROM p WHERE id = 2");
    assert!(poll(&mut waiting).is_pending());
    let mut late = child.clone();
    late.snapshot = server.visible();
    assert!(matches!(host.remote(wire::entry::Body::Transaction(late)), crate::host::Outcome::Committed { .. }));
    host.hold.set(false);
    host.decide();
    // The server runs the statement again, and now sees the child.
    assert_eq!(poll(&mut waiting), Poll::Ready("error 1451".into()));
}

#[test]
fn rows_that_break_a_check_constraint_are_refused() {
    let (_host, _server, mut one) = with_table();
    all(
        &mut one,
        &[
            (
                "CREATE TABLE k (id INT PRIMARY KEY, a INT CHECK (a > 0), b INT, v VARCHAR(9), \
                 CONSTRAINT both_sides CHECK (a < b OR b IS NULL), CHECK (v <> 'x''y') NOT ENFORCED)",
                "ok",
            ),
            ("INSERT INTO k VALUES (1, 0, 2, '')", "error 3819"),
            ("INSERT INTO k VALUES (1, 3, 2, '')", "error 3819"),
            ("INSERT INTO k VALUES (1, NULL, 2, 'x''y'), (2, 5, NULL, '')", "ok 2"),
            ("INSERT IGNORE INTO k VALUES (3, -1, 0, ''), (4, 1, 2, '')", "ok 1"),
            ("UPDATE k SET a = 7 WHERE id = 4", "error 3819"),
            ("UPDATE k SET a = 7, b = 8 WHERE id = 4", "ok 1"),
            ("UPDATE IGNORE k SET a = 0 WHERE id > 1", "ok"),
            ("INSERT INTO k VALUES (4, 1, 2, '') ON DUPLICATE KEY UPDATE a = 9", "error 3819"),
            ("REPLACE INTO k VALUES (4, 9, 8, '')", "error 3819"),
            ("SELECT id, a, b FROM k", "1,NULL,2 | 2,5,NULL | 4,7,8"),
            ("ALTER TABLE k ADD CONSTRAINT small CHECK (a < 6)", "error 3819"),
            ("ALTER TABLE k ADD CONSTRAINT small CHECK (a < 8)", "ok"),
            ("INSERT INTO k VALUES (5, 8, 9, '')", "error 3819"),
            ("ALTER TABLE k ADD c INT NOT NULL DEFAULT 3 CHECK (c > 3)", "error 3819"),
            ("ALTER TABLE k ADD c INT NOT NULL DEFAULT 4 CHECK (c > 3)", "ok"),
            ("ALTER TABLE k RENAME COLUMN c TO d", "error 3959"),
            ("ALTER TABLE k DROP COLUMN a", "error 3959"),
            ("ALTER TABLE k DROP COLUMN c", "ok"),
            ("ALTER TABLE k ALTER CHECK small NOT ENFORCED", "ok"),
            ("INSERT INTO k VALUES (5, 8, 9, '')", "ok 1"),
            ("ALTER TABLE k ALTER CHECK small ENFORCED", "error 3819"),
            ("DELETE FROM k WHERE id = 5", "ok 1"),
            ("ALTER TABLE k ALTER b SET DEFAULT 7, ALTER COLUMN v DROP DEFAULT", "ok"),
            ("INSERT INTO k (id) VALUES (6)", "error 1364"),
            ("INSERT INTO k (id, v) VALUES (6, '')", "ok 1"),
            ("SELECT b FROM k WHERE id = 6", "7"),
            ("DELETE FROM k WHERE id = 6", "ok 1"),
            ("ALTER TABLE k DROP CHECK small", "ok"),
            ("ALTER TABLE k DROP CHECK small", "error 3821"),
            ("ALTER TABLE k DROP CONSTRAINT nothing", "error 3940"),
            ("CREATE TABLE l LIKE k", "ok"),
            ("INSERT INTO l VALUES (1, 3, 2, '')", "error 3819"),
            ("CREATE TABLE m (a INT PRIMARY KEY, CONSTRAINT both_sides CHECK (a > 1))", "error 3822"),
            ("CREATE TABLE m (a INT PRIMARY KEY, CHECK (b > 1))", "error 3820"),
            ("CREATE TABLE m (a INT PRIMARY KEY, CHECK (a < RAND()))", "error 3814"),
            ("CREATE TABLE m (a INT AUTO_INCREMENT PRIMARY KEY, CHECK (a > 1))", "error 3818"),
            (
                "SELECT constraint_name, check_clause FROM information_schema.check_constraints ORDER BY 1",
                "both_sides,((`a` < `b`) or (`b` is null)) | k_chk_1,(`a` > 0) | k_chk_2,(`v` <> _utf8mb4\\'x\\\\'y\\') | \
                 l_chk_1,(`a` > 0) | l_chk_2,((`a` < `b`) or (`b` is null)) | l_chk_3,(`v` <> _utf8mb4\\'x\\\\'y\\')",
            ),
        ],
    );
    let shown = one.run("SHOW CREATE TABLE k");
    assert!(shown.contains("CONSTRAINT `both_sides` CHECK (((`a` < `b`) or (`b` is null)))"), "{shown}");
    assert!(shown.contains("CHECK ((`v` <> _utf8mb4'x\\'y')) /*!80016 NOT ENFORCED */"), "{shown}");
}
