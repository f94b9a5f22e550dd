//! `--initialize-insecure`: makes a data directory that a server can start from.
//!
//! Afterwards it holds `auto.cnf` (the server's uuid), the key pair under which clients without TLS
//! send passwords, and the local journal with the account `root`@`localhost`, which has no password
//! and is let in from loopback only. Absent on purpose: the group log, which a server makes when it
//! first starts.
//!
//! Invariant: `auto.cnf` comes last and whole. A directory without it was never initialised; one with
//! it was initialised completely, also if the machine went down meanwhile.

use crate::drive::disk::JOURNAL_FILE;
use engine_log::{Journal, LogError};
use engine_sql::account::Account;
use rustix::rand::{GetRandomFlags, getrandom};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use wire::client::auth::RsaKey;
use wire::id::Uuid;

/// The file that holds the server's uuid.
pub const AUTO_CNF: &str = "auto.cnf";
/// The private half of the key pair for passwords.
pub const PRIVATE_KEY: &str = "private_key.pem";
/// The public half of the key pair for passwords.
pub const PUBLIC_KEY: &str = "public_key.pem";

/// Bits of the key pair, as MySQL's.
const KEY_BITS: usize = 2048;

/// Why there is no new data directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// Something is there already.
    #[error("data directory {} is not empty (it holds '{found}'); nothing was changed", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
        /// One name that was found in it.
        found: String,
    },
    /// What is there is no directory.
    #[error("data directory {} is not a directory", path.display())]
    NotDirectory {
        /// As given.
        path: PathBuf,
    },
    /// The directory that is to hold it is not there.
    #[error("data directory {} cannot be made: its parent directory does not exist", path.display())]
    NoParent {
        /// As given.
        path: PathBuf,
    },
    /// The system said no.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
    /// The local journal could not be written.
    #[error(transparent)]
    Journal(#[from] LogError),
    /// No key pair could be made.
    #[error("cannot make the key pair for passwords: {0}")]
    Key(#[from] wire::client::auth::AuthError),
}

fn cannot<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> InitError + use<'a> {
    move |source| InitError::Io { action, path: path.to_owned(), source }
}

/// Makes `dir`, or fills it if it is there and empty, and gives the new server's uuid.
///
/// # Errors
/// Any [`InitError`]; a directory that held something is left as it was.
pub fn initialize_insecure(dir: &Path) -> Result<Uuid, InitError> {
    require_empty_or_make(dir)?;
    let key = RsaKey::generate(KEY_BITS, &mut random)?;
    write_whole(dir, PRIVATE_KEY, key.private_pem().as_bytes(), 0o600)?;
    write_whole(dir, PUBLIC_KEY, key.public_pem().as_bytes(), 0o644)?;
    write_journal(dir)?;
    let uuid = random_uuid();
    write_whole(dir, AUTO_CNF, format!("[auto]\nserver-uuid={uuid}\n").as_bytes(), 0o640)?;
    Ok(uuid)
}

/// A uuid that nobody else has.
#[must_use]
pub fn random_uuid() -> Uuid {
    Uuid::from_random(u128::from(random()) << 64 | u128::from(random()))
}

/// Random bits fit for keys.
fn random() -> u64 {
    let mut bytes = [0; 8];
    // Eight bytes come whole once the kernel's pool is ready, and the call waits until it is.
    let count = getrandom(&mut bytes, GetRandomFlags::empty()).expect("getrandom with valid arguments cannot fail");
    assert_eq!(count, bytes.len());
    u64::from_ne_bytes(bytes)
}

fn write_journal(dir: &Path) -> Result<(), InitError> {
    let (path, unfinished) = (dir.join(JOURNAL_FILE), dir.join(format!("{JOURNAL_FILE}.tmp")));
    let (mut journal, _, _) = Journal::open(&unfinished)?;
    journal.append(&Account::root().to_bytes())?;
    drop(journal);
    fs::rename(&unfinished, &path).map_err(cannot("write", &path))?;
    sync_directory(dir)
}

fn require_empty_or_make(dir: &Path) -> Result<(), InitError> {
    match fs::read_dir(dir) {
        Ok(mut names) => match names.next() {
            None => Ok(()),
            Some(Ok(entry)) => {
                let found = entry.file_name().to_string_lossy().into_owned();
                Err(InitError::NotEmpty { path: dir.to_owned(), found })
            }
            Some(Err(error)) => Err(cannot("list", dir)(error)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(InitError::NotDirectory { path: dir.to_owned() })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => match DirBuilder::new().mode(0o750).create(dir) {
            Ok(()) => sync_directory(parent(dir)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(InitError::NoParent { path: dir.to_owned() }),
            Err(error) => Err(cannot("make data directory", dir)(error)),
        },
        Err(error) => Err(cannot("list", dir)(error)),
    }
}

fn parent(dir: &Path) -> &Path {
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Writes a file so that it is there whole and on disk, or not at all.
fn write_whole(dir: &Path, name: &str, bytes: &[u8], mode: u32) -> Result<(), InitError> {
    let (path, unfinished) = (dir.join(name), dir.join(format!("{name}.tmp")));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)
    };
    write().map_err(cannot("write", &path))?;
    sync_directory(dir)
}

fn sync_directory(dir: &Path) -> Result<(), InitError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(cannot("sync", dir))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine_sql::host::LocalChange;

    /// A directory of its own for a test, removed at its end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("quorate-init-{}", random_uuid()));
            fs::create_dir(&path).expect("the temporary directory takes a directory");
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_new_directory_is_whole() {
        let scratch = Scratch::new();
        let dir = scratch.0.join("data");
        let uuid = initialize_insecure(&dir).expect("an empty place takes a data directory");
        let auto_cnf = fs::read_to_string(dir.join(AUTO_CNF)).expect("it was written");
        assert_eq!(auto_cnf, format!("[auto]\nserver-uuid={uuid}\n"));
        let key = fs::read_to_string(dir.join(PRIVATE_KEY)).expect("it was written");
        let key = RsaKey::from_pem(&key).expect("it is a key");
        assert_eq!(fs::read_to_string(dir.join(PUBLIC_KEY)).expect("it was written"), key.public_pem());
        let (_, records, torn) = Journal::open(&dir.join(JOURNAL_FILE)).expect("it was written");
        let changes: Vec<LocalChange> =
            records.iter().map(|record| LocalChange::from_bytes(record).expect("it is a change")).collect();
        assert!(!torn);
        assert_eq!(changes, [Account::root()]);
        let unfinished = fs::read_dir(&dir).expect("it is there").filter_map(Result::ok);
        assert_eq!(unfinished.filter(|entry| entry.file_name().to_string_lossy().ends_with(".tmp")).count(), 0);
        assert!(matches!(initialize_insecure(&dir), Err(InitError::NotEmpty { .. })));
    }

    #[test]
    fn what_cannot_be_a_data_directory_is_named() {
        let scratch = Scratch::new();
        let file = scratch.0.join("file");
        fs::write(&file, "x").expect("the directory takes a file");
        assert!(matches!(initialize_insecure(&file), Err(InitError::NotDirectory { .. })));
        assert!(matches!(initialize_insecure(&scratch.0), Err(InitError::NotEmpty { .. })));
        assert_eq!(fs::read_to_string(&file).expect("it is there"), "x");
        let missing = scratch.0.join("missing").join("data");
        assert!(matches!(initialize_insecure(&missing), Err(InitError::NoParent { .. })));
        assert!(!missing.exists());
    }
}
