//! The command line of the `quorate` binary.
//!
//! Exit codes: 0 for success, 1 when what was asked for failed, 2 for a command line that asks for
//! nothing sensible.

pub mod flags;
pub mod options;

pub use flags::{Flags, UsageError};

use crate::{init, sandbox};
use engine_sql::option_file::ServerOptions;
use std::path::PathBuf;
use std::process::ExitCode;

/// The MySQL version that the server announces and follows.
pub const MYSQL_VERSION: &str = "8.0.36";

/// Set for members that a sandbox starts: the process id that they are not to outlive.
pub const PARENT_VARIABLE: &str = "QUORATE_PARENT";

const HELP: &str = "\
Quorate: MySQL Group Replication built anew. A server that speaks the MySQL protocol.

  quorate sandbox [options]                          tries a whole group on this machine (sandbox --help)
  quorate --initialize-insecure --datadir=DIR        makes a data directory; root@localhost has no password
  quorate --defaults-file=FILE [--name=value ..]     runs a member in the foreground, with the options in
                                                     section [mysqld] of FILE, as MySQL reads them
  quorate --help | --version
";

/// Does what the arguments (without the program's name) ask for.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let arguments: Result<Vec<String>, _> = arguments.into_iter().map(std::ffi::OsString::into_string).collect();
    let arguments = match arguments {
        Ok(arguments) => arguments,
        Err(argument) => return usage(&UsageError(format!("argument {} is not UTF-8", argument.display()))),
    };
    match Command::parse(arguments) {
        Ok(command) => command.run(),
        Err(error) => usage(&error),
    }
}

fn usage(error: &UsageError) -> ExitCode {
    eprintln!("quorate: {error}; --help says what there is");
    ExitCode::from(2)
}

#[derive(Debug)]
enum Command {
    Help(&'static str),
    Version,
    InitializeInsecure { datadir: PathBuf },
    Sandbox(sandbox::Options),
    Serve(Box<ServerOptions>),
}

impl Command {
    fn parse(mut arguments: Vec<String>) -> Result<Self, UsageError> {
        let given = |names: &[&str]| arguments.iter().any(|argument| names.contains(&argument.as_str()));
        let sandbox = arguments.first().is_some_and(|first| first == "sandbox");
        if given(&["--help", "-?", "-h"]) {
            return Ok(Self::Help(if sandbox { sandbox::HELP } else { HELP }));
        }
        if sandbox {
            return sandbox::Options::parse(arguments.into_iter().skip(1)).map(Self::Sandbox);
        }
        if given(&["--version", "-V"]) {
            return Ok(Self::Version);
        }
        if given(&["--initialize"]) {
            let message = "--initialize would need a random password; use --initialize-insecure and set one";
            return Err(UsageError(message.to_owned()));
        }
        if arguments.is_empty() {
            return Err(UsageError("nothing was asked for".to_owned()));
        }
        let initialize = given(&["--initialize-insecure"]);
        arguments.retain(|argument| argument != "--initialize-insecure");
        let options = options::read(&arguments).map_err(|error| UsageError(error.to_string()))?;
        if !initialize {
            return Ok(Self::Serve(Box::new(options)));
        }
        let datadir = options.globals.text("datadir");
        if datadir.is_empty() {
            return Err(UsageError("--initialize-insecure needs --datadir=DIR".to_owned()));
        }
        Ok(Self::InitializeInsecure { datadir: datadir.into() })
    }

    fn run(self) -> ExitCode {
        match self {
            Self::Help(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Self::Version => {
                let (version, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
                println!("quorate  Ver {MYSQL_VERSION}-quorate for Linux on {arch} (Quorate {version})");
                ExitCode::SUCCESS
            }
            Self::InitializeInsecure { datadir } => match init::initialize_insecure(&datadir) {
                Ok(uuid) => {
                    eprintln!("quorate: made {} for server {uuid}; root@localhost has no password", datadir.display());
                    ExitCode::SUCCESS
                }
                Err(error) => failed(&error),
            },
            Self::Sandbox(options) => sandbox::main(&options),
            Self::Serve(options) => match die_with_parent() {
                Ok(()) => crate::serve(*options),
                Err(error) => failed(&error),
            },
        }
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("quorate: {error}");
    ExitCode::FAILURE
}

/// A sandbox's member ends, cleanly, when the sandbox does, however that ends.
fn die_with_parent() -> Result<(), std::io::Error> {
    let Ok(parent) = std::env::var(PARENT_VARIABLE) else { return Ok(()) };
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    // It may have ended before the line above.
    let now = rustix::process::getppid().map(|parent| parent.as_raw_nonzero().to_string());
    if now.as_ref() != Some(&parent) {
        return Err(std::io::Error::other(format!("the sandbox (process {parent}) that started this has ended")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        Command::parse(line.split_whitespace().map(str::to_owned).collect()).map_err(|error| error.0)
    }

    #[test]
    fn commands_are_told_apart() {
        assert!(matches!(parse("--help"), Ok(Command::Help(HELP))));
        assert!(matches!(parse("sandbox --help"), Ok(Command::Help(sandbox::HELP))));
        assert!(matches!(parse("--version"), Ok(Command::Version)));
        let initialize = parse("--initialize-insecure --datadir=d");
        assert!(matches!(initialize, Ok(Command::InitializeInsecure { datadir }) if datadir == *"d"));
        assert!(matches!(parse("sandbox --members 5"), Ok(Command::Sandbox(options)) if options.members == Some(5)));
        let serve = parse("--datadir=d --port=7 --loose-nonsense=1");
        assert!(matches!(serve, Ok(Command::Serve(options)) if options.globals.number("port") == 7));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (line, message) in [
            ("", "nothing was asked for"),
            ("--initialize-insecure", "--initialize-insecure needs --datadir=DIR"),
            ("--initialize-insecure --datadir=", "--initialize-insecure needs --datadir=DIR"),
            ("--datadir=d --nonsense=1", "command line: unknown option 'nonsense'"),
            ("sandbox now", "unexpected argument 'now'"),
        ] {
            assert_eq!(parse(line).err().as_deref(), Some(message), "{line}");
        }
        assert!(parse("--initialize --datadir=d").is_err());
    }
}
