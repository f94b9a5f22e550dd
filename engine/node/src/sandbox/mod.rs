//! `quorate sandbox`: a whole group on this machine, ready to try, with a live view.
//!
//! Starts N member processes of this very binary, forms the group through SQL as an operator would,
//! and shows the members' states, throughput and latency under a built-in load until Ctrl-C.
//!
//! Absent on purpose: restarting members that die (the view shows them as such, and the group as it
//! copes), and anything that an operator could not do with the same option files and statements.
//!
//! Invariant: no member outlives the sandbox. Members are stopped by their process id and die with
//! their parent should it be killed.

mod form;
mod layout;
mod live;
mod member;

use crate::cli::{Flags, UsageError};
use crate::load::{ClientError, LoadError};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Most members of a group.
pub const MEMBERS_MAX: u16 = 9;
/// Group ports begin this far above the base port, SQL ports right above it.
const GROUP_PORT_OFFSET: u16 = 100;
/// User and password of every sandbox.
const USER: &str = "sb";
/// Database of every sandbox.
const DATABASE: &str = "sbtest";

/// What `quorate sandbox --help` prints.
pub const HELP: &str = "\
Starts a group on this machine, shows how to connect to it, and watches it under load until Ctrl-C.

  quorate sandbox [options]

  --members N         1 to 9 member processes, 3 by default
  --mode MODE         single (default): one primary takes writes; multi: every member does
  --base-port P       SQL ports from P+1, group ports from P+101; 24800 by default
  --dir DIR           keeps the data in DIR, and goes on from it if it is there; by default a temporary
                      directory is used and removed
  --sync 0|1          sync_binlog: 1 (default) acknowledges what a quorum has on disk, 0 what it has in
                      memory that outlives the process
  --load CLIENTS      clients that update rows of sbtest.load1 all the time, 4 by default
  --no-load           no load
  --seconds S         ends after S seconds of the live view
  --json              one JSON object a second instead of the view

User sb, password sb, may do everything; database sbtest is there.
";

/// Which members take writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The primary.
    Single,
    /// All.
    Multi,
}

impl FromStr for Mode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "single" => Ok(Self::Single),
            "multi" => Ok(Self::Multi),
            _ => Err("expected single or multi"),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Single { "single" } else { "multi" })
    }
}

/// What was asked for. `None`: not said, so what the directory remembers, or the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Number of members, 1..=[`MEMBERS_MAX`].
    pub members: Option<u16>,
    /// Which members take writes.
    pub mode: Option<Mode>,
    /// SQL ports begin above it.
    pub base_port: Option<u16>,
    /// Where the data is kept; `None`: nowhere.
    pub dir: Option<PathBuf>,
    /// `sync_binlog` is 1.
    pub sync: Option<bool>,
    /// Clients of the load; 0 for none.
    pub load: usize,
    /// How long the live view runs; `None`: until stopped.
    pub seconds: Option<u64>,
    /// JSON instead of the view.
    pub json: bool,
}

impl Options {
    /// Reads the command line after `sandbox`.
    ///
    /// # Errors
    /// [`UsageError`] says what is wrong.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, UsageError> {
        let mut flags = Flags::parse(arguments, &["no-load", "json"])?;
        let load = flags.value("load")?;
        let no_load = flags.switch("no-load");
        if no_load && load.is_some() {
            return Err(UsageError("--load and --no-load exclude each other".to_owned()));
        }
        let sync = match flags.text("sync").as_deref() {
            None => None,
            Some("0") => Some(false),
            Some("1") => Some(true),
            Some(other) => return Err(UsageError(format!("--sync={other}: expected 0 or 1"))),
        };
        let options = Self {
            members: flags.value("members")?,
            mode: flags.value("mode")?,
            base_port: flags.value("base-port")?,
            dir: flags.text("dir").map(PathBuf::from),
            sync,
            load: if no_load { 0 } else { load.unwrap_or(4) },
            seconds: flags.value("seconds")?,
            json: flags.switch("json"),
        };
        flags.finish()?;
        if let Some(members) = options.members.filter(|members| !(1..=MEMBERS_MAX).contains(members)) {
            return Err(UsageError(format!("--members={members}: a group has 1 to {MEMBERS_MAX} members")));
        }
        let highest = u16::MAX - GROUP_PORT_OFFSET - MEMBERS_MAX;
        if let Some(port) = options.base_port.filter(|&port| port == 0 || port > highest) {
            return Err(UsageError(format!("--base-port={port}: expected 1 to {highest}")));
        }
        Ok(options)
    }
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// A file or directory of the sandbox.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The directory holds a sandbox that is not the one asked for.
    #[error("{} holds a sandbox with {name}={kept}, not {asked}; choose another --dir or leave the option out", path.display())]
    Other {
        /// The directory.
        path: PathBuf,
        /// Which property.
        name: &'static str,
        /// As kept.
        kept: String,
        /// As asked for.
        asked: String,
    },
    /// The directory holds something that is no sandbox.
    #[error("{} is neither empty nor a sandbox's directory: {reason}", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// How that shows.
        reason: String,
    },
    /// A port is taken.
    #[error("port {port} of 127.0.0.1 cannot be used: {source}; choose another --base-port")]
    Port {
        /// Which.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// A data directory could not be made.
    #[error(transparent)]
    Init(#[from] crate::init::InitError),
    /// A member ended before it served.
    #[error("member {number} ended with {status}; its log, {}, ends:\n{tail}", log.display())]
    Ended {
        /// Which member.
        number: u16,
        /// How it ended.
        status: String,
        /// Its log file.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A member is not as far as it should be in time.
    #[error("member {number} is not {awaited} after {seconds} s ({last}); its log, {}, ends:\n{tail}", log.display())]
    Late {
        /// Which member.
        number: u16,
        /// What was awaited.
        awaited: &'static str,
        /// For how long.
        seconds: u64,
        /// What it said last.
        last: String,
        /// Its log file.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A statement failed.
    #[error("member {number}: {sql}: {source}")]
    Statement {
        /// Which member.
        number: u16,
        /// The statement.
        sql: String,
        /// What came back.
        source: ClientError,
    },
    /// No load can be made.
    #[error("load: {0}")]
    Load(#[from] LoadError),
    /// Ctrl-C came before the group was formed.
    #[error("stopped before the group was formed")]
    Stopped,
    /// The system said no.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Runs a sandbox to its end.
#[must_use]
pub fn main(options: &Options) -> ExitCode {
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(SandboxError::Stopped) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quorate sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), SandboxError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        // The second Ctrl-C ends the process at once; the members then die with it.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let mut layout = layout::Layout::make(options)?;
    let watched = form::form(&layout, &stop).and_then(|mut group| {
        live::print_members(options, &layout, &group);
        // The members end with `group`, here.
        live::watch(options, &layout, &mut group, &stop)
    });
    if layout.temporary && !matches!(watched, Ok(()) | Err(SandboxError::Stopped)) {
        layout.temporary = false;
        eprintln!("quorate sandbox: failed; its files are left in {}", layout.dir.display());
    }
    watched
}

/// Sleeps in slices, so that a signal is seen soon. False when one came.
fn sleep(time: Duration, stop: &AtomicBool) -> bool {
    let deadline = std::time::Instant::now() + time;
    loop {
        if stop.load(std::sync::atomic::Ordering::Relaxed) {
            return false;
        }
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(Duration::from_millis(20)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned)).map_err(|error| error.0)
    }

    #[test]
    fn options_are_read() {
        let defaults = Options { load: 4, ..Options::default() };
        assert_eq!(parse(""), Ok(defaults.clone()));
        let options = parse("--members 5 --mode multi --base-port=3000 --dir d --sync 0 --load 8 --json --seconds 2");
        let expected = Options {
            members: Some(5),
            mode: Some(Mode::Multi),
            base_port: Some(3000),
            dir: Some("d".into()),
            sync: Some(false),
            load: 8,
            seconds: Some(2),
            json: true,
        };
        assert_eq!(options, Ok(expected));
        assert_eq!(parse("--no-load"), Ok(Options { load: 0, ..defaults }));
    }

    #[test]
    fn wrong_options_are_named() {
        let cases = [
            ("--members 0", "--members=0: a group has 1 to 9 members"),
            ("--members 10", "--members=10: a group has 1 to 9 members"),
            ("--mode both", "--mode=both: expected single or multi"),
            ("--base-port 65500", "--base-port=65500: expected 1 to 65426"),
            ("--sync 2", "--sync=2: expected 0 or 1"),
            ("--load 3 --no-load", "--load and --no-load exclude each other"),
            ("--load x", "--load=x: invalid digit found in string"),
            ("--nope 1", "unknown option --nope"),
        ];
        for (line, message) in cases {
            assert_eq!(parse(line), Err(message.to_owned()), "{line}");
        }
    }
}
