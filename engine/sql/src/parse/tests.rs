//! Tables of cases.

use super::*;
use crate::ast::*;

fn ok(text: &str) -> Statement {
    parse(text.as_bytes(), SqlMode::DEFAULT).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn near(text: &str) -> String {
    let error = parse(text.as_bytes(), SqlMode::DEFAULT).expect_err(text);
    assert_eq!(error.code, 1064, "{text}: {error}");
    let from = error.message.find("near '").unwrap() + 6;
    error.message[from..].to_owned()
}

/// An expression as fully parenthesised text, so that precedence shows.
fn shape(expr: &Expr) -> String {
    match expr {
        Expr::Literal(Literal::UInt(n)) => n.to_string(),
        Expr::Literal(Literal::String { text, .. }) => format!("'{text}'"),
        Expr::Literal(other) => format!("{other:?}"),
        Expr::Column(column) => column.column.clone(),
        Expr::Parameter(n) => format!("?{n}"),
        Expr::UserVariable(name) => format!("@{name}"),
        Expr::SystemVariable(v) => format!("@@{}", v.name),
        Expr::Unary(op, a) => format!("({op:?} {})", shape(a)),
        Expr::Binary(op, a, b) => format!("({} {op:?} {})", shape(a), shape(b)),
        Expr::IsNull { expr, negated } => format!("({} IsNull{})", shape(expr), if *negated { "Not" } else { "" }),
        Expr::IsTruth { expr, truth, negated } => format!("({} Is {truth:?} {negated})", shape(expr)),
        Expr::Between { expr, low, high, negated } => {
            format!("({} Between{} {} {})", shape(expr), if *negated { "Not" } else { "" }, shape(low), shape(high))
        }
        Expr::InList { expr, list, .. } => {
            format!("({} In {})", shape(expr), list.iter().map(shape).collect::<Vec<_>>().join(","))
        }
        Expr::Like { expr, pattern, .. } => format!("({} Like {})", shape(expr), shape(pattern)),
        Expr::Function(call) => {
            format!("{}({})", call.name, call.args.iter().map(shape).collect::<Vec<_>>().join(","))
        }
        other => format!("{other:?}"),
    }
}

fn select(text: &str) -> Select {
    match ok(text) {
        Statement::Select(select) => *select,
        other => panic!("{other:?}"),
    }
}

fn first_expr(text: &str) -> (Expr, String) {
    match select(&format!("select {text}")).projection.remove(0) {
        SelectItem::Expr { expr, heading, alias } => (expr, alias.unwrap_or(heading)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn precedence_is_mysqls() {
    for (text, expected) in [
        ("1+2*3", "(1 Add (2 Mul 3))"),
        ("1 DIV 2 + 3", "((1 IntDiv 2) Add 3)"),
        ("7 mod 3", "(7 Mod 3)"),
        ("1-2-3", "((1 Sub 2) Sub 3)"),
        ("-2^2", "((Minus 2) BitXor 2)"),
        ("a or b and c", "(a Or (b And c))"),
        ("a xor b or c", "((a Xor b) Or c)"),
        ("not a = b", "(Not (a Eq b))"),
        ("!a = b", "((Not a) Eq b)"),
        ("a = b = c", "((a Eq b) Eq c)"),
        ("a between 1 and 2 and b", "((a Between 1 2) And b)"),
        ("a not between 1 and 2", "(a BetweenNot 1 2)"),
        ("a = b like c", "(a Eq (b Like c))"),
        ("a is null = b", "((a IsNull) Eq b)"),
        ("a is not null and b is true", "((a IsNullNot) And (b Is Some(true) false))"),
        ("a|b&c<<1+2", "(a BitOr (b BitAnd (c ShiftLeft (1 Add 2))))"),
        ("a || b && c", "(a Or (b And c))"),
        ("a <=> null", "(a NullSafeEq Null)"),
        ("~1 + 1", "((BitNot 1) Add 1)"),
        ("count(*)", "COUNT()"),
        ("if(a,1,2)", "IF(a,1,2)"),
        ("current_timestamp", "NOW()"),
        ("position('a' in b)", "LOCATE('a',b)"),
        ("substring(a from 2 for 3)", "SUBSTRING(a,2,3)"),
        ("trim(both 'x' from a)", "TRIM(a,'x')"),
        ("extract(day from a)", "EXTRACT('DAY',a)"),
        ("@@global.gtid_executed", "@@gtid_executed"),
        ("'a' 'b'", "'ab'"),
        ("'it''s' ", "'it's'"),
        (r"'a\'b\n'", "'a'b\n'"),
        ("database()", "DATABASE()"),
        ("a in (1,2)", "(a In 1,2)"),
        ("n'x'", "'x'"),
        ("_utf8mb4'x'", "'x'"),
    ] {
        assert_eq!(shape(&first_expr(text).0), expected, "{text}");
    }
    let mode = SqlMode::PIPES_AS_CONCAT;
    let Ok(Statement::Select(select)) = parse(b"select a || b", mode) else { panic!() };
    let SelectItem::Expr { expr, .. } = &select.projection[0] else { panic!() };
    assert_eq!(shape(expr), "CONCAT(a,b)");
}

#[test]
fn literals_are_exact() {
    for (text, expected) in [
        ("18446744073709551615", Literal::UInt(u64::MAX)),
        ("18446744073709551616", Literal::Decimal("18446744073709551616".to_owned())),
        ("1.50", Literal::Decimal("1.50".to_owned())),
        (".5", Literal::Decimal(".5".to_owned())),
        ("1e3", Literal::Double(1000.0)),
        ("0x414", Literal::Bytes { bytes: vec![4, 0x14], hex: true }),
        ("x'41'", Literal::Bytes { bytes: vec![0x41], hex: true }),
        ("b'101'", Literal::Bytes { bytes: vec![5], hex: true }),
        ("_binary'ab'", Literal::Bytes { bytes: b"ab".to_vec(), hex: false }),
        ("true", Literal::Bool(true)),
        ("date'2020-01-01'", Literal::Temporal { kind: TemporalKind::Date, text: "2020-01-01".to_owned() }),
    ] {
        assert_eq!(first_expr(text).0, Expr::Literal(expected), "{text}");
    }
    let Ok(Statement::Select(select)) = parse(b"select '\xff'", SqlMode::DEFAULT) else { panic!() };
    assert!(matches!(&select.projection[0],
        SelectItem::Expr { expr: Expr::Literal(Literal::Bytes { bytes, hex: false }), .. } if bytes == b"\xff"));
}

#[test]
fn headings_are_as_written() {
    for (text, expected) in [
        ("1+1", "1+1"),
        ("  COUNT( * )  ", "COUNT( * )"),
        ("'abc'", "abc"),
        ("t.id", "id"),
        ("id AS `x y`", "x y"),
        ("id 'alias'", "alias"),
        ("@@version_comment limit 1", "@@version_comment"),
        ("DATABASE()", "DATABASE()"),
        ("max(a) from t", "max(a)"),
    ] {
        assert_eq!(first_expr(text).1, expected, "{text}");
    }
    for (text, bytes) in [(format!("'{}'", "x".repeat(400)), 255), (format!("CONCAT('{}')", "é".repeat(400)), 254)] {
        assert_eq!(first_expr(&text).1.len(), bytes, "long ones end between two characters");
    }
}

#[test]
fn syntax_errors_name_the_place() {
    for (text, expected) in [
        ("select $$", "$$' at line 1"),
        ("selec 1", "selec 1' at line 1"),
        ("select 1 from", "' at line 1"),
        ("select 1\nfrom t\nwhere", "' at line 3"),
        ("select 1\nfrom t where and", "and' at line 2"),
        ("insert into t values (1,)", ")' at line 1"),
        ("select 1 DIV", "' at line 1"),
        ("select * from t where a = 'x", "'x' at line 1"),
        ("create table t (a int,)", ")' at line 1"),
        ("create table t (select int)", "int)' at line 1"),
        ("show nonsense", "nonsense' at line 1"),
        ("show binary nonsense", "nonsense' at line 1"),
        ("select 1; select 2", "select 2' at line 1"),
        ("create table select (a int)", "select (a int)' at line 1"),
        ("set global", "' at line 1"),
        ("begin 1", "1' at line 1"),
        ("update t set where a=1", "where a=1' at line 1"),
        ("select /* open", "/* open' at line 1"),
    ] {
        assert_eq!(near(text), expected, "{text}");
    }
}

#[test]
fn other_errors_have_their_numbers() {
    for (text, code) in [
        (&b""[..], 1065),
        (b"  \n ;"[..].split_last().unwrap().1, 1065),
        (b"create view v as select 1", 1235),
        (b"handler t open", 1235),
        (b"select row_number() over ()", 1235),
        (b"select `\xff`", 1300),
        (b"select \xff\xfe from t", 1300),
    ] {
        assert_eq!(parse(text, SqlMode::DEFAULT).unwrap_err().code, code, "{}", String::from_utf8_lossy(text));
    }
    let deep = format!("select {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(parse(deep.as_bytes(), SqlMode::DEFAULT).unwrap_err().code, 1436);
    for unit in ["not ", "- ", "~", "!", "binary ", "case when ", "(select ", "f(", "exists(select "] {
        let text = format!("select {}1", unit.repeat(50_000));
        assert!(parse(text.as_bytes(), SqlMode::DEFAULT).is_err(), "{unit}");
    }
    let long = format!("select 1{}", "+1".repeat(5000));
    assert_eq!(parse(long.as_bytes(), SqlMode::DEFAULT).unwrap_err().code, 1436);
    let wide = format!("select 1 from t where {}1", "a=1 or ".repeat(20_000));
    ok(&wide);
}

#[test]
fn comments_and_versions() {
    assert_eq!(ok("/* only a comment */"), Statement::Empty);
    assert_eq!(ok("/*M!100100 SET WAIT_TIMEOUT=DEFAULT */"), Statement::Empty);
    assert_eq!(ok("/*!99999 SET x=1 */"), Statement::Empty);
    assert!(matches!(ok("/*!40100 SET @@SQL_MODE='' */"), Statement::Set(_)));
    assert!(matches!(ok("/*!080000 SET SESSION information_schema_stats_expiry=0 */"), Statement::Set(_)));
    assert!(matches!(
        ok("START TRANSACTION /*!40100 WITH CONSISTENT SNAPSHOT */"),
        Statement::Begin { consistent_snapshot: true, .. }
    ));
    assert!(matches!(ok("show /*!32332 FULL */ columns from `t1`"), Statement::Show(Show::Columns { full: true, .. })));
    assert!(matches!(ok("select 1 -- x\n"), Statement::Select(_)));
    assert!(matches!(ok("select 1 # x"), Statement::Select(_)));
    assert_eq!(shape(&first_expr("1--1").0), "(1 Sub (Minus 1))");
    let Statement::CreateTable(table) = ok("CREATE TABLE t (a int) /*! ENGINE = innodb */ ") else { panic!() };
    assert_eq!(table.options.engine.as_deref(), Some("innodb"));
}

#[test]
fn statements_that_clients_send() {
    for text in [
        "select @@version_comment limit 1",
        "SELECT VERSION(), @@sql_mode, CONVERT_TZ('2001-01-01 01:00:00', 'UTC', 'UTC') IS NOT NULL",
        "SET SESSION NET_READ_TIMEOUT= 86400, SESSION NET_WRITE_TIMEOUT= 86400",
        "FLUSH /*!40101 LOCAL */ TABLES",
        "FLUSH /*!40101 LOCAL */ TABLES WITH READ LOCK",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET TRANSACTION READ ONLY",
        "UNLOCK TABLES",
        "SELECT policy_name FROM performance_schema.column_masking_policy",
        "SELECT DISTINCT TABLESPACE_NAME, FILE_NAME FROM INFORMATION_SCHEMA.FILES WHERE FILE_TYPE = 'DATAFILE' AND \
         TABLESPACE_NAME IN (SELECT DISTINCT TABLESPACE_NAME FROM INFORMATION_SCHEMA.PARTITIONS WHERE TABLE_SCHEMA IN \
         ('sbtest')) ORDER BY TABLESPACE_NAME, LOGFILE_GROUP_NAME",
        "SHOW CREATE DATABASE IF NOT EXISTS `sbtest`",
        "SAVEPOINT sp",
        "ROLLBACK TO SAVEPOINT sp",
        "RELEASE SAVEPOINT sp",
        "show table status like 't1'",
        "SELECT /*!40001 SQL_NO_CACHE */ * FROM `t1`",
        "SHOW TRIGGERS LIKE 't1'",
        "show events",
        "SHOW FUNCTION STATUS WHERE Db = 'sbtest'",
        "CREATE TABLE `t1` (intcol1 INT(32) ,charcol1 VARCHAR(128))",
        "SET @master_binlog_checksum = 'NONE', @source_binlog_checksum = 'NONE'",
        "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_0900_ai_ci'",
        "SET @@session.autocommit = OFF",
        "INSERT INTO t1 SET `id` = 9, `v` = 'n'",
        "DESCRIBE `sbtest`.`sa`",
        "CREATE TABLE sa (\n\tid INTEGER NOT NULL AUTO_INCREMENT, \n\tv VARCHAR(20), \n\tn NUMERIC(10, 2), \n\tts \
         DATETIME, \n\tPRIMARY KEY (id)\n)",
        "CREATE INDEX ix_v ON sa (v)",
        "SHOW FULL TABLES FROM `sbtest`",
        "SET sql_mode=(SELECT CONCAT(@@sql_mode, ',PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION')),time_zone='+00:00',NAMES \
         utf8mb4 COLLATE utf8mb4_unicode_ci;",
        "ALTER TABLE `django_content_type` ADD CONSTRAINT `x` UNIQUE (`app_label`, `model`)",
        "ALTER TABLE `a` ADD CONSTRAINT `f` FOREIGN KEY (`c`) REFERENCES `d` (`id`)",
        "ALTER TABLE `django_content_type` MODIFY `name` varchar(100) NULL",
        "ALTER TABLE `django_content_type` DROP COLUMN `name`",
        "/*!40000 ALTER TABLE `t1` DISABLE KEYS */",
        "LOCK TABLES `t1` WRITE",
        "SELECT `a`.`x` AS `y` FROM `a` INNER JOIN `b` ON (`a`.`i` = `b`.`id`) WHERE `a`.`i` IN (1) ORDER BY `b`.`l` ASC, 2 ASC",
        "SELECT CASE WHEN collation_name = 'x' THEN NULL ELSE collation_name END AS collation_name FROM information_schema.columns",
        "SELECT c.`constraint_type` FROM information_schema.key_column_usage AS kc, information_schema.table_constraints AS c WHERE (kc.a = DATABASE() OR kc.a IS NULL)",
        "CREATE TABLE sbtest1(id INTEGER NOT NULL AUTO_INCREMENT,k INTEGER DEFAULT '0' NOT NULL,c CHAR(120) DEFAULT '' NOT NULL,pad CHAR(60) DEFAULT '' NOT NULL,PRIMARY KEY (id)) /*! ENGINE = innodb */ ",
        "SELECT DISTINCT c FROM sbtest1 WHERE id BETWEEN ? AND ? ORDER BY c",
        "UPDATE sbtest1 SET k=k+1 WHERE id=?",
        "SELECT * FROM performance_schema.replication_group_member_stats WHERE MEMBER_ID=@@server_uuid",
        "SELECT (SELECT IF (MEMBER_STATE='ONLINE' AND ((SELECT COUNT(*) FROM performance_schema.replication_group_members WHERE MEMBER_STATE NOT IN ('ONLINE','RECOVERING')) >= ((SELECT COUNT(*) FROM performance_schema.replication_group_members)/2) = 0), 'YES','NO')) AS viable_candidate, (SELECT IF (@@read_only,'YES','NO')) as read_only, (SELECT GROUP_CONCAT(CONCAT(member_host, \":\", member_port)) FROM performance_schema.replication_group_members) AS members FROM performance_schema.replication_group_members JOIN performance_schema.replication_group_member_stats rgms USING(member_id) WHERE rgms.MEMBER_ID=@@SERVER_UUID",
        "set optimizer_switch=default",
        "set autocommit=0",
        "SELECT id FROM t WHERE id = 1 LIMIT 21 FOR UPDATE SKIP LOCKED",
        "select * from t lock in share mode",
        "REPLACE INTO t1(id,v) VALUES (1,'a'),(2,'b\\'c')",
        "insert into t values (1) on duplicate key update a = values(a), b = b + 1",
        "insert into t () values ()",
        "insert into t select * from u",
        "(select 1) union all (select 2) order by 1 limit 1",
        "delete t1 from t1 join t2 on t1.a = t2.a",
        "update t set a = 1 order by b limit 3",
        "show variables like 'gtid_mode'",
        "show grants for current_user()",
        "SHOW ERRORS LIMIT 5",
        "kill query 5",
        "create table t like u",
        "create table t (a enum('x','y'), b decimal(5,2) unsigned default 1.5 comment 'c', key k (a(3) desc) using btree)",
        "alter user user() identified by 'x'",
        "SHOW BINLOG EVENTS IN 'binlog.000001' FROM 4 LIMIT 2, 3",
        "select 1 from dual where 1",
        "SET character_set_results = NULL",
        "SET GLOBAL group_replication_bootstrap_group=ON",
        "SET PERSIST group_replication_consistency = 'AFTER'",
        "START GROUP_REPLICATION USER='u', PASSWORD='p'",
        "STOP GROUP_REPLICATION",
        "select interval(3, 1, 2), now() + interval 1 day, date_add(a, interval '1' hour)",
        "select a.b.c, `x`.* from a.b, x",
        "prepare s from 'select ?'",
        "execute s using @a, @b",
        "do sleep(1)",
    ] {
        ok(text);
    }
}

#[test]
fn the_tutorial() {
    let Statement::CreateUser { users, .. } = ok("CREATE USER rpl_user@'%'") else { panic!() };
    assert_eq!(users[0].name, UserName { user: "rpl_user".into(), host: "%".into(), current: false });
    let Statement::Grant(grant) = ok("GRANT REPLICATION SLAVE ON *.* TO rpl_user@'%' IDENTIFIED BY 'rpl_pass'") else {
        panic!()
    };
    assert_eq!(grant.privileges[0].name, "REPLICATION SLAVE");
    assert_eq!(grant.level, GrantLevel::Global);
    assert_eq!(grant.users[0].auth.as_ref().unwrap().secret, Secret::Password("rpl_pass".into()));
    for text in [
        "CHANGE MASTER TO MASTER_USER='rpl_user', MASTER_PASSWORD='rpl_pass' FOR CHANNEL 'group_replication_recovery'",
        "CHANGE REPLICATION SOURCE TO SOURCE_USER='rpl_user', SOURCE_PASSWORD='rpl_pass' FOR CHANNEL 'group_replication_recovery'",
    ] {
        let Statement::ChangeReplicationSource(change) = ok(text) else { panic!() };
        assert_eq!(change.options[0], ("SOURCE_USER".to_owned(), SourceValue::Text("rpl_user".to_owned())));
        assert_eq!(change.channel.as_deref(), Some("group_replication_recovery"));
    }
    assert_eq!(
        ok("INSTALL PLUGIN group_replication SONAME 'group_replication.so'"),
        Statement::InstallPlugin { name: "group_replication".into(), soname: "group_replication.so".into() }
    );
    for text in [
        "SET SQL_LOG_BIN=0",
        "FLUSH PRIVILEGES",
        "SHOW PLUGINS",
        "CREATE DATABASE test",
        "USE test",
        "CREATE TABLE t1 (c1 INT PRIMARY KEY, c2 TEXT NOT NULL)",
        "INSERT INTO t1 VALUES (1, 'Luis')",
        "SELECT * FROM t1",
        "SHOW BINLOG EVENTS",
        "SHOW DATABASES LIKE 'test'",
        "SELECT * FROM test.t1",
        "SHOW MASTER STATUS",
        "SHOW BINARY LOG STATUS",
        "SHOW SLAVE STATUS",
        "SELECT * FROM performance_schema.replication_group_members",
    ] {
        ok(text);
    }
}

#[test]
fn set_takes_words_and_scopes() {
    let Statement::Set(items) = ok("SET GLOBAL a=ON, @@session.b = utf8mb4, c := DEFAULT, @d = 1, NAMES utf8") else {
        panic!()
    };
    let string = |text: &str| Expr::Literal(Literal::String { text: text.into(), introducer: None });
    assert_eq!(items[0], SetItem::System { scope: Some(Scope::Global), name: "a".into(), value: string("ON") });
    assert_eq!(items[1], SetItem::System { scope: Some(Scope::Session), name: "b".into(), value: string("utf8mb4") });
    assert_eq!(items[2], SetItem::System { scope: None, name: "c".into(), value: Expr::Default(None) });
    assert!(matches!(&items[3], SetItem::UserVariable { name, .. } if name == "d"));
    assert!(matches!(&items[4], SetItem::Names { .. }));
    assert_eq!(
        ok("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY"),
        Statement::Set(vec![SetItem::Transaction {
            scope: Some(Scope::Session),
            isolation: Some(Isolation::ReadCommitted),
            read_only: Some(true)
        }])
    );
}

#[test]
fn keys_at_columns_and_tables_come_out_in_order() {
    let Statement::CreateTable(table) =
        ok("create table d.t (a int primary key, b varchar(9) unique, constraint u unique k (a, b), index (b))")
    else {
        panic!()
    };
    let kinds: Vec<_> = table.keys.iter().map(|key| key.kind).collect();
    assert_eq!(kinds, [KeyKind::Primary, KeyKind::Unique, KeyKind::Unique, KeyKind::Plain]);
    assert_eq!(table.keys[2].name.as_deref(), Some("k"));
    assert_eq!(table.keys[2].constraint.as_deref(), Some("u"));
    assert_eq!(table.columns[1].data_type, DataType::VarChar(9));
}

#[test]
fn splitting_respects_quotes_and_comments() {
    let split = |text: &'static str| {
        split_statements(text.as_bytes(), SqlMode::DEFAULT)
            .into_iter()
            .map(|part| std::str::from_utf8(part).unwrap().trim())
            .collect::<Vec<_>>()
    };
    assert_eq!(split("select 1; select 2"), ["select 1", "select 2"]);
    assert_eq!(
        split("select ';' ; select `;` /* ; */ -- ;\n; select 3;"),
        ["select ';'", "select `;` /* ; */ -- ;", "select 3;"]
    );
    assert_eq!(split("select 1;"), ["select 1;"]);
    assert_eq!(split("select 'open; select 2"), ["select 'open; select 2"]);
}

#[test]
fn parameters_are_numbered_in_order() {
    let parsed = parse_with_params(b"select ?, ? from t where a = ?", SqlMode::DEFAULT).unwrap();
    assert_eq!(parsed.params, 3);
    let many = format!("select {}?", "?,".repeat(70_000));
    assert_eq!(parse(many.as_bytes(), SqlMode::DEFAULT).unwrap_err().code, 1390);
}
