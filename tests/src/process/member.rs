//! One member process.

use super::{DEADLINE, binary, wait_for};
use node::cli::PARENT_VARIABLE;
use node::load::{Client, ClientError, Login};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A server that let a connection in greets it long before this has passed.
const GREETING: Duration = Duration::from_secs(20);

/// A member: a data directory, an option file, and a process while it runs.
#[derive(Debug)]
pub struct Member {
    /// Counts from 1.
    pub number: u16,
    /// SQL port.
    pub port: u16,
    /// Port for the other members.
    pub group_port: u16,
    /// Address of both: loopback, or one of a network that a test made.
    pub host: Ipv4Addr,
    /// Holds the data directory, the option file and the log.
    pub dir: PathBuf,
    /// Command that runs the server instead of the server itself, e.g. one that limits it; the server's
    /// command line is appended.
    pub wrapper: Vec<String>,
    child: Option<Child>,
}

impl Member {
    /// Initialises a data directory in `dir`, which is made.
    ///
    /// # Panics
    /// When that fails.
    #[must_use]
    pub fn initialize(dir: &Path, number: u16, port: u16, group_port: u16) -> Self {
        std::fs::create_dir_all(dir).expect("a scratch directory takes directories");
        let data = dir.join("data");
        let output = Command::new(binary())
            .arg("--initialize-insecure")
            .arg(format!("--datadir={}", data.display()))
            .output()
            .expect("the server runs");
        assert!(output.status.success(), "initialising failed: {}", String::from_utf8_lossy(&output.stderr));
        let host = Ipv4Addr::LOCALHOST;
        Self { number, port, group_port, host, dir: dir.to_owned(), wrapper: Vec::new(), child: None }
    }

    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Its option file.
    #[must_use]
    pub fn option_file(&self) -> PathBuf {
        self.dir.join("member.cnf")
    }

    /// Writes its option file.
    ///
    /// # Panics
    /// When that fails.
    pub fn write_options(&self, text: &str) {
        std::fs::write(self.option_file(), text).expect("a scratch directory takes files");
    }

    /// Its log so far, over all its lives.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.dir.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until its log says `text`.
    pub fn await_log(&self, text: &str) {
        wait_for(&format!("'{text}' in the log of member {}", self.number), || {
            let log = self.log();
            if log.contains(text) { Ok(()) } else { Err(log) }
        });
    }

    /// Starts the process and waits until it lets clients in.
    ///
    /// # Panics
    /// When it ends instead.
    pub fn start(&mut self) {
        self.spawn(&[]);
        self.await_ready();
    }

    /// Starts the process with more options, and waits for nothing.
    ///
    /// # Panics
    /// When it runs already or cannot be run.
    pub fn spawn(&mut self, more: &[&str]) {
        assert!(self.child.is_none(), "member {} runs", self.number);
        let open = || File::options().create(true).append(true).open(self.dir.join("log"));
        let log = open().expect("a scratch directory takes files");
        let mut line: Vec<String> = self.wrapper.clone();
        line.push(binary().display().to_string());
        line.push(format!("--defaults-file={}", self.option_file().display()));
        line.extend(more.iter().map(|&option| option.to_owned()));
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a descriptor can be copied")).stderr(log);
        if self.wrapper.is_empty() || self.wrapper[0] == "ip" {
            // Ends with this test, however that ends. (Another wrapper's child may have another parent.)
            command.env(PARENT_VARIABLE, std::process::id().to_string());
        }
        self.child = Some(command.spawn().expect("the server runs"));
    }

    /// Waits until it lets clients in.
    ///
    /// # Panics
    /// When it ends instead.
    pub fn await_ready(&mut self) {
        wait_for(&format!("member {} to answer", self.number), || {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                panic!("member {} ended with {status}:\n{}", self.number, self.log());
            }
            let login = Login { user: "root".into(), ..Login::default() };
            let asked = Instant::now();
            let answer = Client::connect(self.address(), login, GREETING).map(drop);
            assert!(asked.elapsed() < GREETING, "member {} took a connection and said nothing", self.number);
            answer.map_err(|error| format!("{error}; its threads wait in {:?}", self.waits()))
        });
    }

    /// Lets root in from every host, by loopback: as nobody but `root`@`localhost` exists at first.
    ///
    /// # Panics
    /// When that fails.
    pub fn let_root_in(&mut self) {
        let host = std::mem::replace(&mut self.host, Ipv4Addr::LOCALHOST);
        self.await_ready();
        let mut client = self.client();
        for sql in [
            "SET SQL_LOG_BIN=0",
            "CREATE USER root@'%'",
            "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION",
            "SET SQL_LOG_BIN=1",
        ] {
            query(&mut client, sql).unwrap_or_else(|error| panic!("member {}: {sql}: {error}", self.number));
        }
        self.host = host;
    }

    /// Kernel functions that its threads wait in, where this user may know: for who looks at a hang.
    fn waits(&self) -> Vec<String> {
        let tasks = self.pid().and_then(|pid| std::fs::read_dir(format!("/proc/{pid}/task")).ok());
        let wait = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("wchan")).ok();
        tasks.into_iter().flatten().filter_map(Result::ok).filter_map(wait).collect()
    }

    /// Whether its process runs.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().is_ok_and(|ended| ended.is_none()))
    }

    /// Process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("a child can be killed");
        child.wait().expect("a child can be awaited");
    }

    /// SIGSTOP: the process stands still.
    ///
    /// # Panics
    /// When it does not run.
    pub fn freeze(&self) {
        let child = self.child.as_ref().expect("it runs");
        kill_process(Pid::from_child(child), Signal::STOP).expect("a child can be signalled");
    }

    /// SIGCONT: goes on.
    ///
    /// # Panics
    /// When it does not run.
    pub fn thaw(&self) {
        let child = self.child.as_ref().expect("it runs");
        kill_process(Pid::from_child(child), Signal::CONT).expect("a child can be signalled");
    }

    /// SIGTERM, and its end.
    ///
    /// # Panics
    /// When it does not run, or does not end.
    pub fn stop(&mut self) -> ExitStatus {
        self.terminate();
        self.await_end()
    }

    /// SIGTERM.
    ///
    /// # Panics
    /// When it does not run.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGSTOP: it hears and does nothing until [`Member::proceed`].
    ///
    /// # Panics
    /// When it does not run.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    ///
    /// # Panics
    /// When it does not run.
    pub fn proceed(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it runs");
        kill_process(Pid::from_child(child), signal).expect("a child can be signalled");
    }

    /// Waits for its process to end.
    ///
    /// # Panics
    /// When it does not.
    pub fn await_end(&mut self) -> ExitStatus {
        let number = self.number;
        let mut child = self.child.take().expect("it was started");
        let ended = wait_for_end(&mut child);
        ended.unwrap_or_else(|| {
            let _ = child.kill();
            let _ = child.wait();
            panic!("member {number} does not end:\n{}", self.log())
        })
    }

    /// Where it answers SQL.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (self.host, self.port).into()
    }

    /// Connects as root.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub fn connect(&self) -> Result<Client, ClientError> {
        let login = Login { user: "root".into(), ..Login::default() };
        Client::connect(self.address(), login, DEADLINE)
    }

    /// A connection of root.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn client(&self) -> Client {
        self.connect().unwrap_or_else(|error| panic!("member {}: {error}:\n{}", self.number, self.log()))
    }

    /// Runs a statement in a connection of its own.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, sql: &str) -> Vec<Vec<String>> {
        query(&mut self.client(), sql).unwrap_or_else(|error| panic!("member {}: {sql}: {error}", self.number))
    }

    /// The only value of a statement's result.
    ///
    /// # Panics
    /// When it fails or has no rows.
    #[must_use]
    pub fn value(&self, sql: &str) -> String {
        let rows = self.run(sql);
        rows.first().and_then(|row| row.first()).cloned().unwrap_or_else(|| panic!("{sql}: no rows"))
    }

    /// `MEMBER_STATE` of each member as this one sees it, by their numbers.
    ///
    /// # Errors
    /// Why it does not say.
    pub fn states(&self, first_port: u16) -> Result<Vec<(u16, String, String)>, ClientError> {
        let sql = "SELECT MEMBER_PORT, MEMBER_STATE, MEMBER_ROLE FROM performance_schema.replication_group_members";
        let mut states: Vec<(u16, String, String)> = query(&mut self.connect()?, sql)?
            .into_iter()
            .map(|row| (row[0].parse::<u16>().unwrap_or(0).wrapping_sub(first_port), row[1].clone(), row[2].clone()))
            .collect();
        states.sort();
        Ok(states)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("-- member {}: {}", self.number, lines[lines.len().saturating_sub(25)..].join("\n   "));
        }
    }
}

fn wait_for_end(child: &mut Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(super::LOOK_AGAIN);
    }
    None
}

/// Rows of a statement as texts; NULL is `NULL`.
///
/// # Errors
/// Any [`ClientError`].
pub fn query(client: &mut Client, sql: &str) -> Result<Vec<Vec<String>>, ClientError> {
    let rows = client.query(sql)?.rows;
    let text = |cell: Option<String>| cell.unwrap_or_else(|| "NULL".to_owned());
    Ok(rows.into_iter().map(|row| row.into_iter().map(text).collect()).collect())
}
