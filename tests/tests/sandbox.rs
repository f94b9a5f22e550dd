//! `quorate sandbox`: a group forms by itself, works under load, and leaves nothing behind.

use node::load::{Client, Login};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use tests::process::{DEADLINE, Scratch, binary, free_ports, query, wait_for};

/// A running sandbox that prints JSON.
struct Sandbox {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Sandbox {
    /// Temporary directories of it are made in `scratch`.
    fn start(scratch: &Scratch, options: &[&str]) -> Self {
        let mut child = Command::new(binary())
            .args(["sandbox", "--json"])
            .args(options)
            .env("TMPDIR", scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server runs");
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, lines }
    }

    /// The next second's object; `None` at the end.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = self.lines.read_line(&mut line).expect("its output is text");
        (count > 0).then_some(line)
    }

    /// The first object in which `members` members are ONLINE and the load gets through, if there is one.
    fn await_load(&mut self, members: usize) -> String {
        loop {
            let line = self.line().expect("the sandbox goes on until it works");
            if states(&line) == vec!["ONLINE"; members] && number(&line, "tps") > 0.0 {
                return line;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a child can be signalled");
    }

    fn end(mut self) -> ExitStatus {
        while self.line().is_some() {}
        self.child.wait().expect("a child can be awaited")
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The texts behind each `"name":` of an object.
fn values<'a>(line: &'a str, name: &str) -> Vec<&'a str> {
    let key = format!("\"{name}\":");
    let cut = |part: &'a str| part.split([',', '}']).next().unwrap_or_default().trim_matches('"');
    line.split(&key).skip(1).map(cut).collect()
}

fn number(line: &str, name: &str) -> f64 {
    values(line, name).first().and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

fn states(line: &str) -> Vec<&str> {
    values(line, "state")
}

fn await_end_of(pids: &[&str]) {
    wait_for("all members to be gone", || {
        let alive = |pid: &&&str| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
        let left: Vec<_> = pids.iter().filter(alive).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
}

fn assert_nothing_left(scratch: &Scratch, pids: &[&str]) {
    await_end_of(pids);
    let left: Vec<_> = std::fs::read_dir(scratch.path()).expect("it is there").filter_map(Result::ok).collect();
    assert!(left.is_empty(), "{left:?}");
}

fn client(port: &str) -> Client {
    let login = Login { user: "sb".into(), password: "sb".into(), database: "sbtest".into() };
    let address = format!("127.0.0.1:{port}").parse().expect("an address");
    Client::connect(address, login, DEADLINE).expect("sb may log in")
}

#[test]
fn a_sandbox_works_for_some_seconds_and_leaves_nothing() {
    let scratch = Scratch::new("sandbox");
    let base = free_ports(6).to_string();
    let mut sandbox = Sandbox::start(
        &scratch,
        &["--members", "5", "--load", "4", "--seconds", "4", "--base-port", &base, "--sync", "0"],
    );
    let line = sandbox.await_load(5);
    assert_eq!(values(&line, "role").iter().filter(|role| **role == "PRIMARY").count(), 1, "{line}");
    assert_eq!(values(&line, "mode"), ["single"]);
    let (dir, pids) = (values(&line, "dir")[0], values(&line, "pid"));
    assert!(Path::new(dir).starts_with(scratch.path().canonicalize().expect("it is there")), "{dir}");
    assert_eq!(sandbox.end().code(), Some(0));
    assert_nothing_left(&scratch, &pids);
}

#[test]
fn ctrl_c_ends_a_sandbox_and_its_members() {
    let scratch = Scratch::new("sandbox-int");
    let base = free_ports(4).to_string();
    let mut sandbox = Sandbox::start(&scratch, &["--mode", "multi", "--base-port", &base]);
    let line = sandbox.await_load(3);
    assert_eq!(values(&line, "role"), ["PRIMARY"; 3]);
    sandbox.signal(Signal::INT);
    assert_eq!(sandbox.end().code(), Some(0));
    assert_nothing_left(&scratch, &values(&line, "pid"));
}

#[test]
fn members_end_with_a_sandbox_that_is_killed() {
    let scratch = Scratch::new("sandbox-kill");
    let base = free_ports(4).to_string();
    let mut sandbox = Sandbox::start(&scratch, &["--base-port", &base, "--no-load"]);
    let line = sandbox.line().expect("it forms a group");
    assert_eq!(states(&line), ["ONLINE"; 3]);
    sandbox.signal(Signal::KILL);
    assert_eq!(sandbox.end().code(), None);
    await_end_of(&values(&line, "pid"));
}

#[test]
fn a_kept_sandbox_goes_on_where_it_was() {
    let scratch = Scratch::new("sandbox-dir");
    let base = free_ports(4).to_string();
    let dir = scratch.path().join("kept").display().to_string();
    let mut sandbox = Sandbox::start(&scratch, &["--dir", &dir, "--base-port", &base, "--load", "2"]);
    let line = sandbox.await_load(3);
    // Whoever is primary takes it.
    wait_for("a member that takes writes", || {
        let ports = values(&line, "port");
        let run = |port: &&str| {
            let mut client = client(port);
            client.execute("CREATE TABLE IF NOT EXISTS mine (id INT PRIMARY KEY)")?;
            client.execute("REPLACE INTO mine VALUES (7)")
        };
        ports.iter().find_map(|port| run(port).ok()).ok_or_else(|| "none".to_owned())
    });
    sandbox.signal(Signal::INT);
    assert_eq!(sandbox.end().code(), Some(0));
    await_end_of(&values(&line, "pid"));
    assert!(Path::new(&dir).exists());
    // With the same ports and mode, and without being told; other ones are refused.
    let mut sandbox = Sandbox::start(&scratch, &["--dir", &dir, "--load", "2"]);
    let line = sandbox.await_load(3);
    for port in values(&line, "port") {
        assert_eq!(query(&mut client(port), "SELECT id FROM mine").expect("it is there"), [["7"]]);
    }
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.end().code(), Some(0));
    let other = Command::new(binary()).args(["sandbox", "--dir", &dir, "--members", "4"]).output().expect("it runs");
    assert_eq!(other.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&other.stderr).contains("members=3, not 4"), "{other:?}");
}
