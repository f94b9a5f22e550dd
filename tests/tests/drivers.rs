//! Programs that people already have, unmodified, against a group of three: on the primary first, then on each
//! secondary, which has what the primary wrote and refuses to write (1290). `tests/setup.sh` installs them all;
//! their scripts are in `tests/drivers`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tests::process::{Group, Member, Settings, wait_for};

const ALL: [u16; 3] = [1, 2, 3];
/// User, password and database of the programs.
const APP: &str = "app";
/// What a secondary says to whoever may do everything.
const READ_ONLY: &str = "running with the --super-read-only option";

/// One program at a time: three members and what they serve are load enough for two cores, where another group
/// could make this one elect another primary.
static ALONE: Mutex<()> = Mutex::new(());

/// A group with the programs' user and databases.
fn group(name: &str) -> (MutexGuard<'static, ()>, Group) {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let group = Group::form(name, Settings::default());
    let primary = &group.members[0];
    primary.run("CREATE USER app@'%' IDENTIFIED BY 'app'");
    primary.run("GRANT ALL ON *.* TO app@'%'");
    for suffix in ["", "_copy", "_django", "_pymysql", "_mysqldb", "_mysqlconnector"] {
        primary.run(&format!("CREATE DATABASE {APP}{suffix}"));
    }
    group.assert_equal(&ALL, &[]);
    (alone, group)
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a program printed, both ways, and whether it says that it succeeded.
struct Ran {
    line: String,
    succeeded: bool,
    /// Standard output.
    out: String,
    errors: String,
}

impl Ran {
    fn new(line: String, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { line, succeeded: output.status.success(), out: text(&output.stdout), errors: text(&output.stderr) }
    }

    fn ok(self) -> Self {
        assert!(self.succeeded, "{} failed\n{}\n{}", self.line, self.errors, self.out);
        self
    }

    /// It must fail, naming `error`.
    fn fails_with(self, error: &str) {
        let says = self.errors.contains(error) || self.out.contains(error);
        assert!(!self.succeeded && says, "{} should say '{error}':\n{}\n{}", self.line, self.errors, self.out);
    }
}

fn run(command: &mut Command, input: Option<&Path>) -> Ran {
    let line = format!("{command:?}");
    let stdin = input.map_or_else(Stdio::null, |path| std::fs::File::open(path).expect("it was written").into());
    let output = command.stdin(stdin).output();
    let output = output.unwrap_or_else(|error| panic!("{line}: {error}; tests/setup.sh installs it"));
    Ran::new(line, &output)
}

/// A program of MariaDB's client package, at a member.
fn tool(program: &str, member: &Member, arguments: &[&str]) -> Ran {
    tool_with(program, member, arguments, None)
}

fn tool_with(program: &str, member: &Member, arguments: &[&str], input: Option<&Path>) -> Ran {
    let mut command = Command::new(program);
    command.args(["--no-defaults", "-h127.0.0.1", "-uapp", "-papp", &format!("-P{}", member.port)]).args(arguments);
    run(&mut command, input)
}

/// Runs a script's command at each member, the primary first; it ends with `N passed, M failed`.
fn script(group: &Group, mut command: impl FnMut() -> Command) {
    for member in &group.members {
        let mut command = command();
        command.env("QUORATE_HOST", "127.0.0.1").env("QUORATE_PORT", member.port.to_string());
        command.env("QUORATE_USER", APP).env("QUORATE_PASSWORD", APP).env("QUORATE_DATABASE", APP);
        if member.number > 1 {
            command.env("QUORATE_READ_ONLY", "1");
        }
        let ran = run(&mut command, None).ok();
        assert!(ran.out.contains(" passed, 0 failed"), "{}: {}", ran.line, ran.out);
        print!("member {}: {}: {}", member.number, ran.line, ran.out);
        if member.number == 1 {
            group.assert_equal(&ALL, &[]);
        }
    }
}

fn python(arguments: &[&str]) -> Command {
    let mut command = Command::new(package().join("../target/venv/bin/python3"));
    command.arg("-B").arg(package().join("drivers").join(arguments[0])).args(&arguments[1..]);
    command
}

#[test]
fn python_drivers_and_frameworks() {
    let (_alone, group) = group("python");
    for arguments in [
        &["dbapi.py", "pymysql"][..],
        &["dbapi.py", "MySQLdb"],
        &["dbapi.py", "mysql.connector"],
        &["dbapi.py", "mysql.connector", "pure"],
        &["orm.py", "pymysql"],
        &["orm.py", "mysqldb"],
        &["orm.py", "mysqlconnector"],
        &["django_app.py"],
    ] {
        script(&group, || python(arguments));
    }
}

#[test]
fn mysql2_for_node() {
    let (_alone, group) = group("node");
    script(&group, || {
        let mut command = Command::new("node");
        command.env("NODE_PATH", package().join("../target/node/node_modules"));
        command.arg(package().join("drivers/mysql2.js"));
        command
    });
}

/// Built beside this test's own packages, once.
fn rust_drivers() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let target = test.ancestors().nth(3).expect("cargo puts tests three directories down").join("drivers");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "--target-dir"]).arg(&target);
    cargo.arg("--manifest-path").arg(package().join("drivers/rust/Cargo.toml"));
    run(&mut cargo, None).ok();
    target.join("debug/rust-drivers")
}

#[test]
fn mysql_async_and_sqlx() {
    let binary = rust_drivers();
    let (_alone, group) = group("rust");
    script(&group, || Command::new(&binary));
}

#[test]
fn mariadb_on_a_terminal_and_in_batches() {
    let (_alone, group) = group("cli");
    let primary = &group.members[0];
    let create = "CREATE TABLE shop (article INT AUTO_INCREMENT PRIMARY KEY, dealer CHAR(20), price DECIMAL(16,2));
        INSERT INTO shop (dealer, price) VALUES ('A', 3.45), ('B', 3.99), ('Ä', NULL); SHOW WARNINGS;";
    let file = group.scratch.path().join("create.sql");
    std::fs::write(&file, create).expect("a scratch directory takes files");
    tool_with("mariadb", primary, &[APP], Some(&file)).ok();
    group.assert_equal(&ALL, &["app.shop"]);
    for member in &group.members {
        let found = tool("mariadb", member, &["-N", APP, "-e", "SELECT * FROM shop ORDER BY price DESC"]).ok();
        assert_eq!(found.out, "2\tB\t3.99\n1\tA\t3.45\n3\tÄ\tNULL\n");
        let html = tool("mariadb", member, &["-H", APP, "-e", "SELECT dealer FROM shop WHERE article = 1"]).ok();
        assert!(html.out.contains("<TD>A</TD>"), "{}", html.out);
        let vertical = tool("mariadb", member, &["-E", APP, "-e", "SELECT price FROM shop WHERE article = 1"]).ok();
        assert!(vertical.out.contains("1. row") && vertical.out.contains("price: 3.45"), "{}", vertical.out);
        tool("mariadb", member, &[APP, "-e", "SELECT * FROM nothing"]).fails_with("ERROR 1146 (42S02)");
        // --force goes on after an error.
        let file = group.scratch.path().join("force.sql");
        std::fs::write(&file, "SELEC 1; SELECT 2;").expect("a scratch directory takes files");
        let both = tool_with("mariadb", member, &["--force", "-N", APP], Some(&file));
        assert_eq!(both.out, "2\n");

        // On a terminal: names for completion are fetched, \s asks for the state of the connection.
        let mut terminal = Command::new("script");
        let line = format!("mariadb --no-defaults -h127.0.0.1 -uapp -papp -P{}", member.port);
        terminal.args(["-q", "-e", "-c", &line, "/dev/null"]).env("TERM", "dumb");
        let typed = group.scratch.path().join("typed");
        let keys = "use app\n\\s\nSELECT dealer FROM shop WHERE article=2;\nbegin;\ncommit;\nSELECT * FROM nope;\n\
                    show warnings;\nexit\n";
        std::fs::write(&typed, keys).expect("a scratch directory takes files");
        let shown = run(&mut terminal, Some(&typed)).out;
        for text in ["Database changed", "Current database:\tapp", "Uptime:", "| B      |", "ERROR 1146 (42S02)", "Bye"]
        {
            assert!(shown.contains(text), "'{text}' is missing in {shown}");
        }
    }
    for member in &group.members[1..] {
        for sql in ["INSERT INTO shop (dealer) VALUES ('x')", "DROP TABLE shop", "CREATE TABLE t (a INT PRIMARY KEY)"] {
            tool("mariadb", member, &[APP, "-e", sql]).fails_with("ERROR 1290 (HY000)");
        }
    }
}

#[test]
fn mysqladmin_and_mysqlshow() {
    let (_alone, group) = group("admin");
    for member in &group.members {
        assert!(tool("mysqladmin", member, &["ping"]).ok().out.contains("mysqld is alive"));
        assert!(tool("mysqladmin", member, &["status"]).ok().out.starts_with("Uptime: "));
        assert!(tool("mysqladmin", member, &["version"]).ok().out.contains("Server version\t\t8.0.36"));
        assert!(tool("mysqladmin", member, &["processlist"]).ok().out.contains("show processlist"));
        assert!(tool("mysqladmin", member, &["variables"]).ok().out.contains("| group_replication_group_name "));
        assert!(tool("mysqladmin", member, &["extended-status"]).ok().out.contains("| Threads_connected "));
        let flush = ["flush-tables", "flush-status", "flush-logs", "flush-privileges", "flush-hosts", "refresh"];
        flush.iter().for_each(|what| drop(tool("mysqladmin", member, &[what]).ok()));
        tool("mysqladmin", member, &["kill", "999999"]).fails_with("Unknown thread id: 999999");
        if member.number == 1 {
            tool("mysqladmin", member, &["create", "made"]).ok();
            tool("mysqladmin", member, &["--force", "drop", "made"]).ok();
            tool("mysqladmin", member, &["create", "kept"]).ok();
            member.run("CREATE TABLE kept.t (id INT PRIMARY KEY, v VARCHAR(10) COMMENT 'a text', KEY by_v (v))");
            member.run("INSERT INTO kept.t VALUES (1, 'a'), (2, 'b')");
            group.assert_equal(&ALL, &["kept.t"]);
        } else {
            tool("mysqladmin", member, &["create", "made"]).fails_with(READ_ONLY);
            tool("mysqladmin", member, &["--force", "drop", "kept"]).fails_with(READ_ONLY);
        }
        assert!(tool("mysqlshow", member, &[]).ok().out.contains("| kept "));
        assert!(tool("mysqlshow", member, &["kept"]).ok().out.contains("| t "));
        let counted = tool("mysqlshow", member, &["--count", "kept"]).ok().out;
        let row = counted.lines().find(|line| line.starts_with("| t ")).unwrap_or_default();
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        assert_eq!(cells[1..4], ["t", "2", "2"], "{counted}");
        assert!(tool("mysqlshow", member, &["--status", "kept"]).ok().out.contains("InnoDB"));
        let columns = tool("mysqlshow", member, &["--keys", "kept", "t"]).ok().out;
        assert!(columns.contains("a text") && columns.contains("by_v"), "{columns}");
        assert!(tool("mysqlshow", member, &["information_schema"]).ok().out.contains("COLUMNS"));
    }
}

#[test]
fn mysqlslap() {
    let (_alone, group) = group("slap");
    let generated = ["--auto-generate-sql", "--concurrency=3", "--number-of-queries=60"];
    let primary = &group.members[0];
    for more in [
        &["--auto-generate-sql-add-autoincrement"][..],
        &["--auto-generate-sql-guid-primary", "--auto-generate-sql-load-type=update"],
        &["--auto-generate-sql-add-autoincrement", "--auto-generate-sql-secondary-indexes=2", "--commit=5"],
        &["--auto-generate-sql-add-autoincrement", "--auto-generate-sql-load-type=write", "--detach=10"],
    ] {
        let ran = tool("mysqlslap", primary, &[&generated[..], more].concat()).ok();
        assert!(ran.out.contains("Number of clients running queries: 3"), "{}", ran.out);
    }
    // Its tables have no primary key by default: a group takes none, as in MySQL (3098).
    tool("mysqlslap", primary, &generated).fails_with("does not comply with the requirements by an external plugin");
    for member in &group.members {
        let query = ["--query=SELECT 1; SELECT 2", "--delimiter=;", "--create-schema=app", "--no-drop"];
        tool("mysqlslap", member, &query).ok();
        if member.number > 1 {
            tool("mysqlslap", member, &generated).fails_with(READ_ONLY);
        }
    }
}

/// A table of each kind of column that a dump must bring back.
const DUMPED: &str = "CREATE TABLE d1 (id INT PRIMARY KEY AUTO_INCREMENT, a VARCHAR(20) NOT NULL DEFAULT 'x',
        b DECIMAL(10,3), c DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), d BLOB, e JSON,
        f ENUM('a','b''c') COMMENT 'one of', g BIT(5), h DOUBLE, i TIME(2), j YEAR, k SET('x','y'), l TIMESTAMP NULL,
        m BINARY(4), n CHAR(5) CHARACTER SET latin1, o BIGINT UNSIGNED, p TEXT, q FLOAT, r DATE, KEY (a), UNIQUE u (b, o));
    INSERT INTO d1 (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r) VALUES
        ('a\\'b\\\\', 1.5, '2024-02-29 12:00:00.123', x'00ff275c0a1a', '{\"a\": [1, null]}', 'b''c', b'101', 1e100,
         '-12:13:14.55', 2024, 'x,y', '2024-02-29 12:00:00', x'00010203', 'äß', 18446744073709551615, 'a\\nb\\tc\\0d', 1.5,
         '1000-01-01'),
        ('日本 🦀', NULL, '2024-02-29 12:00:01', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
         NULL, NULL), ('', -0.001, NULL, '', '[]', 'a', b'0', -0.5, '838:59:59', 1901, '', NULL, '', '', 0, '', -1, NULL);
    CREATE TABLE d2 (id INT PRIMARY KEY, p INT, CONSTRAINT to_d1 FOREIGN KEY (p) REFERENCES d1 (id) ON DELETE CASCADE,
        CONSTRAINT positive CHECK (id > 0));
    INSERT INTO d2 VALUES (1, 1), (2, 3), (3, NULL);
    CREATE TABLE nothing (a INT, b INT, PRIMARY KEY (b, a)) COMMENT = 'nothing here';
    CREATE TABLE many (id INT PRIMARY KEY, v CHAR(60));";

/// A dump's text without its time, its database's name and the end of the log, which are nothing to compare.
fn dump(member: &Member, arguments: &[&str]) -> String {
    let text = tool("mariadb-dump", member, &[&["--skip-dump-date"], arguments].concat()).ok().out;
    let names = ["-- Host:", "-- Dumping events for database", "-- Dumping routines for database"];
    let varies = |line: &&str| names.iter().any(|name| line.starts_with(name)) || line.contains("MASTER_LOG_POS");
    text.lines().filter(|line| !varies(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn mariadb_dump_and_what_it_restores() {
    let (_alone, group) = group("dump");
    let primary = &group.members[0];
    let file = group.scratch.path().join("tables.sql");
    let rows: Vec<String> = (0..3000).map(|at| format!("({at}, REPEAT('r', {}))", at % 60)).collect();
    std::fs::write(&file, format!("{DUMPED}INSERT INTO many VALUES {};", rows.join(","))).expect("it takes files");
    tool_with("mariadb", primary, &["--default-character-set=utf8mb4", APP], Some(&file)).ok();
    group.assert_equal(&ALL, &["app.d1", "app.d2", "app.many"]);
    for options in [
        &["--single-transaction"][..],
        &["--lock-tables"],
        &["--single-transaction", "--hex-blob", "--complete-insert", "--skip-extended-insert"],
        &["--single-transaction", "--master-data=2", "--routines", "--triggers", "--events"],
        &["--compact", "--order-by-primary", "--replace"],
        &["--xml"],
    ] {
        let text = dump(primary, &[options, &[APP]].concat());
        assert!(text.len() > 10_000, "{text}");
        if options != ["--xml"] {
            std::fs::write(&file, format!("SET foreign_key_checks=0;{text}")).expect("a scratch directory takes files");
            primary.run("DROP DATABASE app_copy");
            primary.run("CREATE DATABASE app_copy");
            tool_with("mariadb", primary, &["app_copy"], Some(&file)).ok();
            assert_eq!(dump(primary, &[options, &["app_copy"]].concat()), text, "{options:?}");
            group.assert_equal(&ALL, &["app_copy.d1", "app_copy.d2", "app_copy.many"]);
        }
        for member in &group.members[1..] {
            let other = dump(member, &[options, &[APP]].concat());
            assert_eq!(other, text, "{options:?} on member {}", member.number);
        }
    }
    for member in &group.members[1..] {
        tool_with("mariadb", member, &["app_copy"], Some(&file)).fails_with("ERROR 1290 (HY000)");
    }
    // All databases at once: what it asks of `mysql` is there, and can be restored.
    let everything = ["--all-databases", "--single-transaction", "--routines", "--triggers", "--events"];
    let text = dump(primary, &everything);
    assert!(text.contains("`general_log`") && text.contains("`app_copy`"), "{text}");
    std::fs::write(&file, format!("SET foreign_key_checks=0;{text}")).expect("a scratch directory takes files");
    primary.run("DROP DATABASE app_copy");
    tool_with("mariadb", primary, &[], Some(&file)).ok();
    assert_eq!(dump(primary, &everything), text);
    group.assert_equal(&ALL, &["app.d1", "app_copy.d1", "app_copy.many"]);
}

#[test]
fn sysbench() {
    let (_alone, group) = group("sysbench");
    let bench = |member: &Member, arguments: &[&str]| {
        let mut command = Command::new("sysbench");
        command.args(["--db-driver=mysql", "--mysql-host=127.0.0.1", "--mysql-user=app", "--mysql-password=app"]);
        command.args([&format!("--mysql-port={}", member.port), "--mysql-db=app", "--threads=2", "--time=0"]);
        command.args(["--events=60", "--table-size=300"]).args(arguments);
        run(&mut command, None)
    };
    let events = |ran: Ran| {
        let ran = ran.ok();
        let count = ran.out.lines().find_map(|line| line.trim().strip_prefix("total number of events:"));
        assert_eq!(count.map(str::trim), Some("60"), "{}: {}", ran.line, ran.out);
        assert!(!ran.out.contains("FATAL") && !ran.errors.contains("FATAL"), "{}: {}", ran.line, ran.out);
    };
    let [primary, secondaries @ ..] = &group.members[..] else { panic!("there are three") };
    let modes = ["--db-ps-mode=auto", "--db-ps-mode=disable"];
    bench(primary, &["oltp_read_write", "--tables=2", "prepare"]).ok();
    for mode in modes {
        for workload in [
            "oltp_delete",
            "oltp_insert",
            "oltp_point_select",
            "oltp_read_only",
            "oltp_read_write",
            "oltp_update_index",
            "oltp_update_non_index",
            "oltp_write_only",
        ] {
            events(bench(primary, &[workload, "--tables=2", mode, "run"]));
        }
        for workload in ["select_random_points", "select_random_ranges"] {
            events(bench(primary, &[workload, mode, "run"]));
        }
        // Without transactions its clients get in each other's way (1062), so there is one.
        events(bench(primary, &["oltp_read_write", "--skip-trx=on", "--threads=1", "--tables=2", mode, "run"]));
    }
    group.assert_equal(&ALL, &["app.sbtest1", "app.sbtest2"]);
    for member in secondaries {
        for mode in modes {
            for workload in ["oltp_point_select", "oltp_read_only"] {
                events(bench(member, &[workload, "--tables=2", mode, "run"]));
            }
            bench(member, &["oltp_write_only", "--tables=2", mode, "run"]).fails_with("1290");
        }
    }
    bench(primary, &["oltp_read_write", "--tables=2", "cleanup"]).ok();
    assert!(primary.run("SHOW TABLES FROM app").is_empty());
    bench(primary, &["bulk_insert", "prepare"]).ok();
    events(bench(primary, &["bulk_insert", "run"]));
    group.assert_equal(&ALL, &["app.sbtest1", "app.sbtest2"]);
    bench(primary, &["bulk_insert", "cleanup"]).ok();
}

/// Ends the process with the test.
struct Exporter(std::process::Child);

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn prometheus_exporter() {
    let (_alone, group) = group("exporter");
    let ids: Vec<String> = group.members.iter().map(|member| member.value("SELECT @@server_uuid")).collect();
    let collectors = ["group_members", "group_member_stats", "applier_status_by_worker"];
    for member in &group.members {
        let options = group.scratch.path().join("exporter.cnf");
        let login = format!("[client]\nhost=127.0.0.1\nport={}\nuser=app\npassword=app\n", member.port);
        std::fs::write(&options, login).expect("a scratch directory takes files");
        // The last of the ports that this group took, which nobody listens on.
        let address = format!("127.0.0.1:{}", group.first_port + 99);
        let mut command = Command::new("prometheus-mysqld-exporter");
        command.arg(format!("--config.my-cnf={}", options.display())).arg(format!("--web.listen-address={address}"));
        command.args(collectors.map(|name| format!("--collect.perf_schema.replication_{name}")));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("prometheus-mysqld-exporter is there; tests/setup.sh installs it");
        let _exporter = Exporter(child);
        let metrics = wait_for("the exporter to answer", || {
            let ran = run(Command::new("curl").args(["-sf", &format!("http://{address}/metrics")]), None);
            if ran.succeeded { Ok(ran.out) } else { Err(ran.errors) }
        });
        let value = |name: &str| metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        assert_eq!(value("mysql_up "), Some(1.0));
        assert_eq!(value("mysql_exporter_last_scrape_error "), Some(0.0), "{metrics}");
        assert!(!metrics.contains("mysql_exporter_scrape_errors_total{"), "{metrics}");
        for (id, role) in ids.iter().zip(["PRIMARY", "SECONDARY", "SECONDARY"]) {
            let line = metrics.lines().find(|line| {
                line.starts_with("mysql_perf_schema_replication_group_member_info{")
                    && line.contains(&format!("member_id=\"{id}\""))
            });
            let line = line.unwrap_or_else(|| panic!("{id} is missing in {metrics}"));
            assert!(line.contains(&format!("member_role=\"{role}\",member_state=\"ONLINE\"")), "{line}");
        }
        assert!(value("mysql_perf_schema_transactions_checked_total ").is_some(), "{metrics}");
        let applied = "mysql_perf_schema_last_applied_transaction_end_apply_timestamp_seconds{";
        assert!(metrics.lines().any(|line| line.starts_with(applied)), "{metrics}");
        assert!(value("mysql_global_status_threads_connected ").is_some_and(|count| count >= 1.0), "{metrics}");
        assert_eq!(value("mysql_global_variables_port "), Some(f64::from(member.port)));
    }
}
