//! The server's options: an option file and the command line, in MySQL's order of precedence.
//!
//! What options are called and mean is in [`engine_sql::option_file`]. Absent on purpose: option files
//! that nobody named (`/etc/my.cnf` and the like): a member runs with what its command line says.

use engine_sql::option_file::{Problem, ServerOptions};
use std::io;
use std::path::PathBuf;

/// Why there are no options to run with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// The option file cannot be read.
    #[error("cannot read option file {}: {source}", path.display())]
    File {
        /// As given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An option that is wrong.
    #[error(transparent)]
    Option(#[from] Problem),
    /// More than one option file was named.
    #[error("command line: --defaults-file is given twice")]
    TwoFiles,
}

/// Reads `--defaults-file`, if one is given, then the other arguments, which count more.
///
/// # Errors
/// Any [`OptionsError`]; it names the option and where it stands.
pub fn read(arguments: &[String]) -> Result<ServerOptions, OptionsError> {
    let (mut file, mut others) = (None, Vec::new());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let named = match argument.strip_prefix("--defaults-file") {
            Some("") => arguments.next().map(String::as_str),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        match named {
            Some(path) if file.replace(PathBuf::from(path)).is_some() => return Err(OptionsError::TwoFiles),
            Some(_) => {}
            None if argument == "--no-defaults" => {}
            None => others.push(argument.as_str()),
        }
    }
    let mut options = ServerOptions::default();
    if let Some(path) = file {
        let text = std::fs::read(&path).and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
        let text = text.map_err(|source| OptionsError::File { path: path.clone(), source })?;
        options.read_file(&path.to_string_lossy(), &text)?;
    }
    options.read_arguments(others)?;
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_counts_more_than_the_file() {
        let path = std::env::temp_dir().join(format!("quorate-options-{}.cnf", crate::init::random_uuid()));
        std::fs::write(&path, "[mysqld]\nport=1234\nserver_id=7\n").expect("the temporary directory takes a file");
        let file = format!("--defaults-file={}", path.display());
        let options = read(&["--port=99".to_owned(), file.clone()]).expect("all are options");
        assert_eq!((options.globals.number("port"), options.globals.number("server_id")), (99, 7));
        assert!(matches!(read(&[file.clone(), file.clone()]), Err(OptionsError::TwoFiles)));
        std::fs::write(&path, "[mysqld]\nnonsense=1\n").expect("the file takes text");
        let problem = read(std::slice::from_ref(&file)).expect_err("no such option").to_string();
        assert!(problem.contains("line 2") && problem.contains("nonsense"), "{problem}");
        std::fs::remove_file(&path).expect("it is there");
        assert!(matches!(read(&[file]), Err(OptionsError::File { .. })));
    }

    #[test]
    fn both_spellings_of_the_file_are_read() {
        let missing = ["--defaults-file".to_owned(), "/nowhere/x.cnf".to_owned()];
        assert!(matches!(read(&missing), Err(OptionsError::File { .. })));
        assert!(read(&["--defaults-file".to_owned()]).is_err());
        assert!(read(&["--port=5".to_owned()]).is_ok());
    }
}
