//! What the client protocol promises around statements: limits on connections and idleness, GTIDs in OK packets,
//! changed users, several statements in one text. By PyMySQL, as the bytes of MySQL's own clients would be.

use node::load::{Client, ClientError, Login};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::io::Read;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;
use tests::process::{Group, Settings, query, wait_for};

#[test]
fn sessions_begin_change_and_end_as_in_mysql() {
    let group = Group::form("sessions", Settings::default());
    let primary = &group.members[0];
    primary.run("CREATE USER app@'%' IDENTIFIED BY 'app'");
    primary.run("GRANT ALL ON *.* TO app@'%'");
    primary.run("CREATE USER poor@'%' IDENTIFIED BY 'poor'");
    primary.run("CREATE DATABASE app");
    group.assert_equal(&[1, 2, 3], &[]);
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(package.join("../target/venv/bin/python3"));
    command.arg("-B").arg(package.join("drivers/sessions.py"));
    command.env("QUORATE_HOST", "127.0.0.1").env("QUORATE_PORT", primary.port.to_string());
    command.env("QUORATE_USER", "app").env("QUORATE_PASSWORD", "app").env("QUORATE_DATABASE", "app");
    let output = command.output().expect("tests/setup.sh makes a python");
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains(" passed, 0 failed"), "{out}\n{errors}");
}

/// Connections beyond the descriptors that the system gives: they are refused as those beyond `max_connections`, and
/// what the server needs for itself is left.
#[test]
fn connections_beyond_the_descriptors_are_refused_and_sessions_go_on() {
    let group = Group::form("descriptors", Settings { sync: 1, ..Settings::default() });
    let primary = &group.members[0];
    let mut before = primary.client();
    query(&mut before, "CREATE DATABASE test").expect("nothing is scarce");
    query(&mut before, "CREATE TABLE test.t (id INT PRIMARY KEY)").expect("nothing is scarce");
    let pid = primary.pid().expect("it runs");
    let descriptors = || std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count();
    // Room for some clients above what is kept.
    let limit = descriptors() as u64 + 100;
    let scarce = Rlimit { current: Some(limit), maximum: Some(limit) };
    prlimit(Pid::from_raw(pid as i32), Resource::Nofile, scarce).expect("it is ours");

    let login = || Login { user: "root".into(), ..Login::default() };
    let connect = || Client::connect(primary.address(), login(), Duration::from_secs(30));
    let mut others = Vec::new();
    let refused = loop {
        match connect() {
            Ok(client) => others.push(client),
            Err(error) => break error,
        }
        assert!((others.len() as u64) < limit, "more clients than descriptors");
    };
    assert_eq!(refused.code(), Some(1040), "{refused}");
    assert!(others.len() > 10, "{}", others.len());
    // Those that say nothing do not get the rest either.
    let mut silent: Vec<TcpStream> = Vec::new();
    for id in 0..200 {
        let mut stream = TcpStream::connect(primary.address()).expect("the system accepts");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("longer than nothing");
        let mut begin = [0; 7];
        stream.read_exact(&mut begin).expect("it is told");
        assert_eq!(begin[4..], [0xff, 0x10, 0x04], "error 1040 instead of a greeting");
        silent.push(stream);
        // Sessions go on: commits are synced and reach the others, files are made.
        query(&mut before, &format!("INSERT INTO test.t VALUES ({id})")).expect("its session goes on");
        if id % 50 == 0 {
            query(&mut before, "FLUSH LOGS").expect("a file can be made");
        }
        let other = id as usize % others.len();
        query(&mut others[other], "SELECT COUNT(*) FROM test.t").expect("its session goes on");
    }
    group.assert_equal(&[2, 3], &["test.t"]);

    // Once some have gone, others get in.
    let half = others.len() / 2;
    others.truncate(half);
    let mut late = wait_for("a place", || connect().map_err(|error: ClientError| error.to_string()));
    let found = query(&mut late, "SELECT COUNT(*) FROM test.t").expect("it is a session");
    assert_eq!(found, [["200"]]);
    query(&mut before, "INSERT INTO test.t VALUES (1000)").expect("its session goes on");
    drop((others, late, silent));
    wait_for("their descriptors", || {
        let open = descriptors() as u64;
        if open + 90 < limit { Ok(()) } else { Err(open.to_string()) }
    });
    group.assert_equal(&[1, 2, 3], &["test.t"]);
}
