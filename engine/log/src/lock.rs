//! One process per data directory.
//!
//! The lock is the kernel's (`flock` on [`LOCK_FILE`]), so that it ends with the process however that ends;
//! the number in the file only says who holds it.

use crate::error::LogError;
use crate::system::{self, io_error};
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Name of the lock file in the data directory.
pub const LOCK_FILE: &str = "quorate.lock";

/// The lock on a data directory; held until dropped.
#[derive(Debug)]
pub struct DirectoryLock {
    // Held for its lock, never read.
    _file: File,
    dir: PathBuf,
}

impl DirectoryLock {
    /// Locks `dir` for this process.
    ///
    /// # Errors
    /// [`LogError::Locked`] with the holder's process number, [`LogError::MissingDirectory`],
    /// [`LogError::NotDirectory`], [`LogError::Unwritable`], [`LogError::DiskFull`], [`LogError::Io`].
    pub fn acquire(dir: &Path) -> Result<Self, LogError> {
        require_directory(dir)?;
        system::ignore_file_size_signal();
        let path = dir.join(LOCK_FILE);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(|source| {
                match Errno::from_io_error(&source) {
                    Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => {
                        LogError::Unwritable { path: dir.to_owned(), source }
                    }
                    _ => system::error("create", &path, 16, source),
                }
            })?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(LogError::Locked { path: dir.to_owned(), pid: read_pid(&file) }),
            Err(errno) => return Err(io_error("lock", &path)(errno.into())),
        }
        let text = format!("{}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.write_all_at(text.as_bytes(), 0))
            .map_err(|source| system::error("write", &path, 16, source))?;
        Ok(Self { _file: file, dir: dir.to_owned() })
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

fn read_pid(file: &File) -> Option<u32> {
    let mut bytes = [0; 16];
    let length = file.read_at(&mut bytes, 0).ok()?;
    std::str::from_utf8(&bytes[..length]).ok()?.trim().parse().ok()
}

fn require_directory(dir: &Path) -> Result<(), LogError> {
    match std::fs::metadata(dir) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(LogError::NotDirectory { path: dir.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(LogError::MissingDirectory { path: dir.to_owned() })
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(LogError::NotDirectory { path: dir.to_owned() })
        }
        Err(source) => Err(io_error("look at", dir)(source)),
    }
}

/// Checks that `dir` exists and holds nothing: what a new data directory must be.
///
/// # Errors
/// [`LogError::NotEmpty`] with one name that was found, [`LogError::MissingDirectory`],
/// [`LogError::NotDirectory`], [`LogError::Io`].
pub fn require_empty_directory(dir: &Path) -> Result<(), LogError> {
    require_directory(dir)?;
    let mut names = std::fs::read_dir(dir).map_err(io_error("list", dir))?;
    match names.next() {
        None => Ok(()),
        Some(Ok(entry)) => {
            Err(LogError::NotEmpty { path: dir.to_owned(), found: entry.file_name().to_string_lossy().into_owned() })
        }
        Some(Err(source)) => Err(io_error("list", dir)(source)),
    }
}
