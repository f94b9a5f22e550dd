//! One member process of a sandbox: starting, asking, stopping.

use super::SandboxError;
use super::layout::Layout;
use crate::cli::PARENT_VARIABLE;
use crate::load::{Client, ClientError, Login, Rows};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a member may take to answer a question of the live view.
const STATUS_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a statement that forms the group may take.
const FORM_TIMEOUT: Duration = Duration::from_secs(90);
/// Lines of a log that an error shows.
const TAIL_LINES: usize = 8;

/// What the live view knows of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// MEMBER_STATE, or how its process ended.
    pub state: String,
    /// MEMBER_ROLE; empty for none.
    pub role: String,
    /// COUNT_TRANSACTIONS_REMOTE_IN_APPLIER_QUEUE.
    pub applier_queue: Option<u64>,
    /// While it is RECOVERING: how much of that is done, in percent.
    pub recovered: Option<u8>,
    /// Whether it answers.
    pub answers: bool,
}

/// A running, or ended, member.
#[derive(Debug)]
pub struct Member {
    /// Counts from 1.
    pub number: u16,
    /// Where it answers SQL.
    pub address: SocketAddr,
    /// Its option file.
    pub option_file: PathBuf,
    log: PathBuf,
    child: Child,
    ended: Option<ExitStatus>,
    watcher: Option<Client>,
}

impl Member {
    /// Starts the process. A group's first members are told not to look for it at once.
    pub fn start(layout: &Layout, number: u16) -> Result<Self, SandboxError> {
        let log = layout.log_file(number);
        let open = || File::options().create(true).append(true).open(&log);
        let file = open().map_err(|source| SandboxError::File { path: log.clone(), source })?;
        let option_file = layout.option_file(number);
        let mut defaults = std::ffi::OsString::from("--defaults-file=");
        defaults.push(&option_file);
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(defaults);
        if !layout.resumed {
            command.arg("--loose-group_replication_start_on_boot=OFF");
        }
        // A group of its own: Ctrl-C reaches the sandbox alone, which then stops its members in order.
        command.process_group(0).env(PARENT_VARIABLE, std::process::id().to_string());
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn()?;
        let address = layout.sql_address(number);
        Ok(Self { number, address, option_file, log, child, ended: None, watcher: None })
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            // An error here means that there is no such child any more, which ended it too.
            self.ended = self.child.try_wait().unwrap_or_default();
        }
        self.ended
    }

    /// Connects as `root`, for statements that may take their time.
    pub fn connect(&self) -> Result<Client, ClientError> {
        let login = Login { user: "root".into(), ..Login::default() };
        Client::connect(self.address, login, FORM_TIMEOUT)
    }

    /// The error of a member that ended or is late, with the end of its log.
    pub fn failure(&mut self, awaited: &'static str, seconds: u64, last: String) -> SandboxError {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
        let (number, log) = (self.number, self.log.clone());
        match self.ended() {
            Some(status) => SandboxError::Ended { number, status: status.to_string(), log, tail },
            None => SandboxError::Late { number, awaited, seconds, last, log, tail },
        }
    }

    /// Asks the member how it is. A process that was started again by hand under the same port counts.
    pub fn status(&mut self) -> Status {
        match self.ask() {
            Ok(status) => status,
            Err(error) => {
                self.watcher = None;
                let state = match self.ended() {
                    Some(status) => format!("dead ({status})"),
                    None => format!("silent ({error})"),
                };
                Status { state, ..Status::default() }
            }
        }
    }

    fn ask(&mut self) -> Result<Status, ClientError> {
        let client = match &mut self.watcher {
            Some(client) => client,
            None => {
                let login = Login { user: "root".into(), ..Login::default() };
                self.watcher.insert(Client::connect(self.address, login, STATUS_TIMEOUT)?)
            }
        };
        let members = client.query(
            "SELECT MEMBER_ID, MEMBER_PORT, MEMBER_STATE, MEMBER_ROLE FROM performance_schema.replication_group_members",
        )?;
        let stats = client.query(
            "SELECT MEMBER_ID, COUNT_TRANSACTIONS_REMOTE_IN_APPLIER_QUEUE FROM performance_schema.replication_group_member_stats",
        )?;
        let mut status = read_status(&members, &stats, self.address.port());
        if status.state == "RECOVERING" {
            let percent = client.query("SHOW GLOBAL STATUS LIKE 'Quorate_recovery_percent'")?;
            let value = percent.rows.first().and_then(|row| row.get(1).cloned().flatten());
            status.recovered = value.and_then(|value| value.parse().ok());
        }
        Ok(status)
    }

    /// Asks the process to end.
    pub fn terminate(&mut self) {
        if self.ended().is_none() {
            // It may end between the question and the signal; its id is kept until `ended` has seen that.
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        }
    }

    /// Waits for the process to end, and ends it at `deadline`.
    pub fn await_end(&mut self, deadline: Instant) -> io::Result<()> {
        while self.ended().is_none() {
            if Instant::now() >= deadline {
                self.child.kill()?;
                self.ended = Some(self.child.wait()?);
                eprintln!("quorate sandbox: member {} did not end when asked and was killed", self.number);
            } else {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }
}

/// A member's own row, recognised by its port.
fn read_status(members: &Rows, stats: &Rows, port: u16) -> Status {
    let cell = |row: &[Option<String>], at: usize| row.get(at).cloned().flatten().unwrap_or_default();
    let Some(own) = members.rows.iter().find(|row| cell(row, 1) == port.to_string()) else {
        return Status { state: "OFFLINE".to_owned(), answers: true, ..Status::default() };
    };
    let id = cell(own, 0);
    let queue = stats.rows.iter().find(|row| cell(row, 0) == id).and_then(|row| cell(row, 1).parse().ok());
    Status { state: cell(own, 2), role: cell(own, 3), applier_queue: queue, recovered: None, answers: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(cells: &[&[&str]]) -> Rows {
        let row = |row: &&[&str]| row.iter().map(|&cell| Some(cell.to_owned())).collect();
        Rows { columns: Vec::new(), rows: cells.iter().map(row).collect() }
    }

    #[test]
    fn a_member_is_found_by_its_port() {
        let members = rows(&[&["a", "24801", "ONLINE", "PRIMARY"], &["b", "24802", "RECOVERING", "SECONDARY"]]);
        let stats = rows(&[&["b", "17"], &["a", "0"]]);
        let status = read_status(&members, &stats, 24_802);
        let expected = Status {
            state: "RECOVERING".into(),
            role: "SECONDARY".into(),
            applier_queue: Some(17),
            recovered: None,
            answers: true,
        };
        assert_eq!(status, expected);
        assert_eq!(read_status(&members, &rows(&[]), 24_801).applier_queue, None);
        assert_eq!(read_status(&members, &stats, 24_803).state, "OFFLINE");
        assert_eq!(read_status(&rows(&[&[]]), &rows(&[&[]]), 1).state, "OFFLINE");
    }
}
