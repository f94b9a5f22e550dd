//! The tutorial of the MySQL manual (section 18.2, "Getting Started"), word for word, with the clients that
//! people have: Debian's `mariadb` and PyMySQL, against three real processes.

use std::process::Command;
use tests::process::{Group, Mask, Member, Settings, mariadb, tables, wait_for};

/// The option file of section 18.2.1.2, with this test's directories and ports.
fn option_file(group: &Group, member: &Member) -> String {
    let seeds: Vec<String> = group.members.iter().map(|member| format!("127.0.0.1:{}", member.group_port)).collect();
    format!(
        "[mysqld]\n\
         \n\
         # server configuration\n\
         datadir={}\n\
         basedir=/usr/local/mysql/mysql-5.7/\n\
         \n\
         port={}\n\
         socket={}/s{}.sock\n\
         #\n\
         # Replication configuration parameters\n\
         #\n\
         server_id={}\n\
         gtid_mode=ON\n\
         enforce_gtid_consistency=ON\n\
         master_info_repository=TABLE\n\
         relay_log_info_repository=TABLE\n\
         binlog_checksum=NONE\n\
         log_slave_updates=ON\n\
         log_bin=binlog\n\
         binlog_format=ROW\n\
         #\n\
         # Group Replication configuration\n\
         #\n\
         transaction_write_set_extraction=XXHASH64\n\
         loose-group_replication_group_name=\"aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa\"\n\
         loose-group_replication_start_on_boot=off\n\
         loose-group_replication_local_address= \"127.0.0.1:{}\"\n\
         loose-group_replication_group_seeds= \"{}\"\n\
         loose-group_replication_bootstrap_group= off\n",
        member.data().display(),
        member.port,
        member.dir.display(),
        member.number,
        member.number,
        member.group_port,
        seeds.join(","),
    )
}

/// Three servers that run with the tutorial's option files, in no group yet.
fn servers(name: &str) -> Group {
    let mut group = Group::prepare(name, Settings::default());
    group.members.iter().for_each(|member| member.write_options(&option_file(&group, member)));
    group.members.iter_mut().for_each(|member| member.spawn(&[]));
    group.members.iter_mut().for_each(Member::await_ready);
    group
}

/// What varies from run to run: uuids, host, ports, the first part of view ids, table ids and xids.
fn mask(group: &Group) -> Mask {
    let mut mask = Mask::default();
    for member in &group.members {
        mask.add(&member.value("SELECT @@server_uuid"), &format!("uuid-{}", member.number));
        mask.add(&member.port.to_string(), &format!("port-{}", member.number));
    }
    mask.add(&group.members[0].value("SELECT @@hostname"), "host");
    for prefix in ["view_id=", "table_id: ", "xid=", "Server ver: 8.0."] {
        mask.number_after(prefix);
    }
    mask
}

/// The result sets that `mariadb -t` shows for statements of one session, masked.
fn show(mask: &Mask, member: &Member, statements: &str) -> Vec<Vec<Vec<String>>> {
    let output = mariadb(member.port, &["-t"], statements);
    tables(&output).iter().map(|table| mask.rows(table)).collect()
}

fn rows(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

const RECOVERY_USER: &str = "SET SQL_LOG_BIN=0;
    CREATE USER rpl_user@'%';
    GRANT REPLICATION SLAVE ON *.* TO rpl_user@'%' IDENTIFIED BY 'rpl_pass';
    FLUSH PRIVILEGES;
    SET SQL_LOG_BIN=1;";

const MEMBERS: &str = "SELECT * FROM performance_schema.replication_group_members;";

/// The members' rows, sorted by port: what the table's order is depends on the uuids.
fn members(mask: &Mask, member: &Member) -> Vec<Vec<String>> {
    let mut tables = show(mask, member, MEMBERS);
    let mut rows = tables.pop().expect("there is a result set");
    let header = rows.remove(0);
    assert_eq!(
        header,
        [
            "CHANNEL_NAME",
            "MEMBER_ID",
            "MEMBER_HOST",
            "MEMBER_PORT",
            "MEMBER_STATE",
            "MEMBER_ROLE",
            "MEMBER_VERSION",
            "MEMBER_COMMUNICATION_STACK"
        ]
    );
    for row in &mut rows {
        assert!(row[6].starts_with("8.0."), "{row:?}");
        row.truncate(6);
    }
    rows.sort_by_key(|row| row[3].clone());
    rows
}

fn member_row(number: u16, state: &str, role: &str) -> Vec<String> {
    let fields = [
        "group_replication_applier".to_owned(),
        format!("uuid-{number}"),
        "host".to_owned(),
        format!("port-{number}"),
        state.to_owned(),
        role.to_owned(),
    ];
    fields.to_vec()
}

/// Waits until `member` shows the first `count` members ONLINE, having seen no state but RECOVERING before.
fn await_members(mask: &Mask, member: &Member, count: u16) {
    wait_for(&format!("{count} members ONLINE"), || {
        let shown = members(mask, member);
        let role = |number| if number == 1 { "PRIMARY" } else { "SECONDARY" };
        for row in &shown {
            assert!(row[4] == "ONLINE" || row[4] == "RECOVERING", "{row:?}");
        }
        let expected: Vec<_> = (1..=count).map(|number| member_row(number, "ONLINE", role(number))).collect();
        if shown == expected { Ok(()) } else { Err(format!("{shown:?}")) }
    });
}

/// The rows of SHOW BINLOG EVENTS without their positions, which must follow one another.
fn binlog_events(mask: &Mask, member: &Member) -> Vec<Vec<String>> {
    let mut shown = show(mask, member, "SHOW BINLOG EVENTS;").pop().expect("there is a result set");
    assert_eq!(shown.remove(0), ["Log_name", "Pos", "Event_type", "Server_id", "End_log_pos", "Info"]);
    let mut position = 4;
    for row in &mut shown {
        assert_eq!(row.remove(0), "binlog.000001");
        assert_eq!(row.remove(0), position.to_string(), "the event begins where the last one ended: {row:?}");
        let end: u64 = row.remove(2).parse().expect("End_log_pos is a number");
        assert!(end > position, "{row:?}");
        position = end;
    }
    shown
}

#[test]
fn the_tutorial_runs_with_the_mariadb_client() {
    let group = servers("tutorial");
    let mask = mask(&group);
    let [s1, s2, s3] = &group.members[..] else { panic!("there are three") };

    // 18.2.1.3 User credentials, 18.2.1.4 Launching Group Replication
    let nothing = show(&mask, s1, RECOVERY_USER);
    assert!(nothing.is_empty(), "{nothing:?}");
    let change_master = "CHANGE MASTER TO MASTER_USER='rpl_user', MASTER_PASSWORD='rpl_pass'
        FOR CHANNEL 'group_replication_recovery';";
    show(&mask, s1, change_master);
    // Without the plugin there is no such table content and no such statement.
    assert_eq!(mariadb(s1.port, &["-N"], MEMBERS), "");
    let plugins = show(&mask, s1, "INSTALL PLUGIN group_replication SONAME 'group_replication.so'; SHOW PLUGINS;");
    assert_eq!(plugins.len(), 1);
    assert_eq!(plugins[0][0], ["Name", "Status", "Type", "Library", "License"]);
    let plugin = plugins[0].iter().find(|row| row[0] == "group_replication").expect("it was installed");
    assert_eq!(plugin[1..4], ["ACTIVE", "GROUP REPLICATION", "group_replication.so"]);
    assert!(members(&mask, s1) == [member_row(1, "OFFLINE", "")], "{:?}", members(&mask, s1));

    // 18.2.1.5 Bootstrapping the group
    show(
        &mask,
        s1,
        "SET GLOBAL group_replication_bootstrap_group=ON;
         START GROUP_REPLICATION;
         SET GLOBAL group_replication_bootstrap_group=OFF;",
    );
    await_members(&mask, s1, 1);
    let selected = show(
        &mask,
        s1,
        "CREATE DATABASE test;
         USE test;
         CREATE TABLE t1 (c1 INT PRIMARY KEY, c2 TEXT NOT NULL);
         INSERT INTO t1 VALUES (1, 'Luis');
         SELECT * FROM t1;",
    );
    assert_eq!(selected, [rows("c1|c2\n1|Luis")]);
    let name = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa";
    let mut expected = rows(&format!(
        "Format_desc | 1 | Server ver: 8.0.N, Binlog ver: 4
         Previous_gtids | 1 |
         Gtid | 1 | SET @@SESSION.GTID_NEXT= '{name}:1'
         Query | 1 | BEGIN
         View_change | 1 | view_id=N:1
         Query | 1 | COMMIT
         Gtid | 1 | SET @@SESSION.GTID_NEXT= '{name}:2'
         Query | 1 | CREATE DATABASE test /* xid=N */
         Gtid | 1 | SET @@SESSION.GTID_NEXT= '{name}:3'
         Query | 1 | use `test`; CREATE TABLE t1 (c1 INT PRIMARY KEY, c2 TEXT NOT NULL) /* xid=N */
         Gtid | 1 | SET @@SESSION.GTID_NEXT= '{name}:4'
         Query | 1 | BEGIN
         Table_map | 1 | table_id: N (test.t1)
         Write_rows | 1 | table_id: N flags: STMT_END_F
         Xid | 1 | COMMIT /* xid=N */"
    ));
    assert_eq!(binlog_events(&mask, s1), expected);

    // 18.2.1.6 Adding instances to the group
    for (joiner, count) in [(s2, 2), (s3, 3)] {
        show(&mask, joiner, RECOVERY_USER);
        show(&mask, joiner, change_master);
        show(&mask, joiner, "INSTALL PLUGIN group_replication SONAME 'group_replication.so'; SHOW PLUGINS;");
        show(&mask, joiner, "START GROUP_REPLICATION;");
        for member in &group.members[..usize::from(count)] {
            await_members(&mask, member, count);
        }
        let database = show(&mask, joiner, "SHOW DATABASES LIKE 'test'; SELECT * FROM test.t1;");
        assert_eq!(database, [rows("Database (test)\ntest"), rows("c1|c2\n1|Luis")]);
        let number = count + 3;
        let added = binlog_events(&mask, joiner)[expected.len()..].to_vec();
        let view = format!(
            "Gtid | 1 | SET @@SESSION.GTID_NEXT= '{name}:{number}'\nQuery | 1 | BEGIN\n\
             View_change | 1 | view_id=N:{count}\nQuery | 1 | COMMIT"
        );
        // A view's event bears the id of the server that wrote it.
        let server = added.first().map_or("1", |row| &row[1]).to_owned();
        let view: Vec<Vec<String>> =
            rows(&view).into_iter().map(|row| vec![row[0].clone(), server.clone(), row[2].clone()]).collect();
        assert_eq!(added, view, "s{count} shows the view that it joined with");
        expected.extend(view);
    }
    for member in &group.members {
        let mut shown = binlog_events(&mask, member);
        let own_id = member.number.to_string();
        // The first two are the server's own, about its own file.
        for row in &mut shown[..2] {
            assert_eq!(row[1], own_id);
            "1".clone_into(&mut row[1]);
        }
        assert_eq!(shown, expected, "member {}", member.number);
    }
    // What was changed without the log is this server's own; it is nowhere in the binlog, and each has it.
    for member in &group.members {
        let user = show(&mask, member, "SELECT User, Host FROM mysql.user WHERE User = 'rpl_user';");
        assert_eq!(user, [rows("User|Host\nrpl_user|%")]);
    }
}

#[test]
fn modern_spellings_work_too() {
    let group = servers("modern");
    let mask = mask(&group);
    let s1 = &group.members[0];
    show(
        &mask,
        s1,
        "SET SQL_LOG_BIN=0;
         CREATE USER rpl_user@'%' IDENTIFIED BY 'password';
         GRANT REPLICATION SLAVE ON *.* TO rpl_user@'%';
         GRANT CONNECTION_ADMIN ON *.* TO rpl_user@'%';
         GRANT BACKUP_ADMIN ON *.* TO rpl_user@'%';
         GRANT GROUP_REPLICATION_STREAM ON *.* TO rpl_user@'%';
         FLUSH PRIVILEGES;
         SET SQL_LOG_BIN=1;
         CHANGE REPLICATION SOURCE TO SOURCE_USER='rpl_user', SOURCE_PASSWORD='password'
             FOR CHANNEL 'group_replication_recovery';
         INSTALL PLUGIN group_replication SONAME 'group_replication.so';
         SET GLOBAL group_replication_bootstrap_group=ON;
         START GROUP_REPLICATION;
         SET GLOBAL group_replication_bootstrap_group=OFF;",
    );
    await_members(&mask, s1, 1);
    for statement in ["SHOW BINARY LOG STATUS;", "SHOW MASTER STATUS;"] {
        let shown = show(&mask, s1, statement);
        assert_eq!(shown[0][0], ["File", "Position", "Binlog_Do_DB", "Binlog_Ignore_DB", "Executed_Gtid_Set"]);
        assert_eq!(shown[0][1][0], "binlog.000001");
        assert_eq!(shown[0][1][4], "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:1");
    }
    show(&mask, s1, "STOP GROUP_REPLICATION;");
    assert_eq!(members(&mask, s1), [member_row(1, "OFFLINE", "")]);
}

/// The python that has PyMySQL: `tests/setup.sh` makes it.
fn python() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/venv/bin/python3")
}

fn run_python(script: &str, group: &Group) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let ports = group.members.iter().map(|member| member.port.to_string());
    let output = Command::new(python()).arg(path).args(ports).output().expect("tests/setup.sh makes a python");
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}: {errors}\n{out}");
}

#[test]
fn the_tutorial_runs_with_pymysql() {
    let group = servers("pymysql");
    run_python("pymysql_tutorial.py", &group);
}

#[test]
fn pymysql_finds_a_mysql_server() {
    let group = Group::form("pymysql-client", Settings::default());
    run_python("pymysql_client.py", &group);
}
