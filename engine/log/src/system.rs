//! What the operating system does for us: mapping, syncing, making files durable. All that is `unsafe` in the
//! project is done here; that it may be done is argued here and where the log calls it.

use crate::error::LogError;
use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering, compiler_fence};
use wire::frame::HEADER_BYTES;

/// Turns an error of the system into ours; `needed` bytes were to be allocated.
pub(crate) fn error(operation: &'static str, path: &Path, needed: u64, source: io::Error) -> LogError {
    let path = path.to_owned();
    match Errno::from_io_error(&source) {
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => LogError::DiskFull { path, needed, source },
        _ => LogError::Io { operation, path, source },
    }
}

/// Turns an error of the system into ours, where nothing was to be allocated.
pub(crate) fn io_error(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError {
    let path = path.to_owned();
    move |source| LogError::Io { operation, path, source }
}

/// `fdatasync`. Any failure is final.
pub(crate) fn sync_data(file: &File, path: &Path) -> Result<(), LogError> {
    file.sync_data().map_err(|source| LogError::SyncFailed { path: path.to_owned(), source })
}

/// Makes creations, renames and removals in `dir` durable.
pub(crate) fn sync_directory(dir: &Path) -> Result<(), LogError> {
    let handle = File::open(dir).map_err(io_error("open", dir))?;
    handle.sync_all().map_err(|source| LogError::SyncFailed { path: dir.to_owned(), source })
}

/// The directory that holds `path`.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// Makes a file of `bytes` zeros, allocated and written, begun with `head`, and syncs it. On failure nothing
/// is left behind.
pub(crate) fn create_zeroed(path: &Path, bytes: u64, head: &[u8]) -> Result<File, LogError> {
    ignore_file_size_signal();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .map_err(|source| error("create", path, bytes, source))?;
    let filled = fill_zeros(&file, path, 0, bytes)
        .and_then(|()| file.write_all_at(head, 0).map_err(|source| error("write", path, bytes, source)))
        .and_then(|()| {
            file.sync_all().map_err(|source| match Errno::from_io_error(&source) {
                // Nothing that was promised is in the file yet.
                Some(Errno::NOSPC | Errno::DQUOT) => error("sync", path, bytes, source),
                _ => LogError::SyncFailed { path: path.to_owned(), source },
            })
        });
    match filled {
        Ok(()) => Ok(file),
        Err(error) => {
            // Best effort: the name is that of a temporary file, which the next start removes.
            let _ = std::fs::remove_file(path);
            Err(error)
        }
    }
}

/// Allocates `bytes` from `offset` and writes zeros there. Not synced.
pub(crate) fn fill_zeros(file: &File, path: &Path, offset: u64, bytes: u64) -> Result<(), LogError> {
    const CHUNK: usize = 256 << 10;
    static ZEROS: [u8; CHUNK] = [0; CHUNK];
    match rustix::fs::fallocate(file, FallocateFlags::empty(), offset, bytes) {
        // Some file systems cannot; the zeros allocate just as well.
        Ok(()) | Err(Errno::OPNOTSUPP) => {}
        Err(errno) => return Err(error("allocate", path, bytes, errno.into())),
    }
    let mut at = 0;
    while at < bytes {
        let chunk = (bytes - at).min(CHUNK as u64);
        file.write_all_at(&ZEROS[..chunk as usize], offset + at)
            .map_err(|source| error("write zeros to", path, bytes, source))?;
        at += chunk;
    }
    Ok(())
}

/// Makes a write beyond `RLIMIT_FSIZE` an error (EFBIG) instead of the end of the process.
pub(crate) fn ignore_file_size_signal() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[allow(unsafe_code)]
        // SAFETY: ignoring a signal installs no handler, so there is no code that could run at a bad time.
        let previous = unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        assert!(previous != libc::SIG_ERR, "SIGXFSZ is a signal that can be ignored");
    });
}

/// Identity of the machine's present run (`/proc/sys/kernel/random/boot_id`).
///
/// # Errors
/// [`LogError::Io`] when it cannot be read or is not a UUID.
pub fn boot_id() -> Result<[u8; 16], LogError> {
    let path = PathBuf::from("/proc/sys/kernel/random/boot_id");
    let text = std::fs::read_to_string(&path).map_err(io_error("read", &path))?;
    match wire::id::Uuid::parse(text.trim()) {
        Ok(uuid) => Ok(uuid.0),
        Err(error) => {
            Err(LogError::Io { operation: "read", path, source: io::Error::new(io::ErrorKind::InvalidData, error) })
        }
    }
}

/// Sixteen random bytes from the kernel.
pub(crate) fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    let got = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    assert_eq!(got, Ok(16), "the kernel gives up to 256 bytes whole once it is seeded");
    bytes
}

/// Writes `head` and `body` one after the other at `offset`, with one system call if the kernel takes all.
pub(crate) fn write_both(file: &File, head: &[u8], body: &[u8], offset: u64) -> io::Result<()> {
    let written = loop {
        match rustix::io::pwritev(file, &[io::IoSlice::new(head), io::IoSlice::new(body)], offset) {
            Ok(written) => break written,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    };
    if written < head.len() {
        file.write_all_at(&head[written..], offset + written as u64)?;
    }
    let body_written = written.saturating_sub(head.len());
    file.write_all_at(&body[body_written..], offset + (head.len() + body_written) as u64)
}

/// A whole file in memory, shared with the page cache.
///
/// The file has blocks for all of its length (prewritten), is never truncated while this process runs, and
/// the directory lock keeps other writers away. So no access raises SIGBUS except for a media error; who
/// must survive those reads with `pread`.
#[derive(Debug)]
pub(crate) struct Mapping {
    raw: MmapRaw,
    writable: bool,
}

impl Mapping {
    /// Maps the first `bytes` of `file`, which it must have.
    pub(crate) fn new(file: &File, bytes: u64, writable: bool) -> io::Result<Self> {
        if file.metadata()?.len() < bytes {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        let length = usize::try_from(bytes).map_err(io::Error::other)?;
        let mut options = MmapOptions::new();
        options.len(length);
        let raw = if writable { options.map_raw(file)? } else { options.map_raw_read_only(file)? };
        Ok(Self { raw, writable })
    }

    /// Bytes that will never change again.
    ///
    /// # Safety
    /// Nobody writes to `offset..offset + length` of the file, through this mapping, another one or a
    /// system call, while the slice lives.
    ///
    /// # Panics
    /// When the range is not within the mapping.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn settled(&self, offset: u64, length: usize) -> &[u8] {
        let at = self.place(offset, length);
        // SAFETY: `place` checked that the range is mapped, the mapping lives as long as `self`, and the
        // caller promises that nobody writes there.
        unsafe { std::slice::from_raw_parts(self.raw.as_ptr().add(at), length) }
    }

    /// Stores a frame: the note at the end of the header first, magic and length last (see [`crate::torn`]).
    ///
    /// # Safety
    /// No slice from [`Mapping::settled`], of this or another mapping of the file, overlaps the frame's
    /// place, and nobody else stores there at the same time.
    ///
    /// # Panics
    /// When the place is not within the mapping, not aligned to 16, or the mapping is read-only.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn store_frame(&self, offset: u64, header: &[u8; HEADER_BYTES], body: &[u8]) {
        assert!(self.writable, "stores need a writable mapping");
        assert!(offset.is_multiple_of(16), "frames lie on 16-byte boundaries");
        let at = self.place(offset, HEADER_BYTES + body.len());
        let word = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&header[at..at + 8]);
            u64::from_ne_bytes(bytes)
        };
        // SAFETY: `place` checked that the whole frame is mapped, and mappings begin on a page, so that
        // `at` (a multiple of 16) and the two words are aligned. The caller promises that nobody else
        // reads or writes there.
        unsafe {
            let start = self.raw.as_mut_ptr().add(at);
            AtomicU64::from_ptr(start.add(HEADER_BYTES - 8).cast()).store(word(HEADER_BYTES - 8), Ordering::Release);
            // A killed process leaves what it had stored, in this order: only the compiler could change it.
            compiler_fence(Ordering::SeqCst);
            std::ptr::copy_nonoverlapping(header.as_ptr().add(8), start.add(8), HEADER_BYTES - 16);
            std::ptr::copy_nonoverlapping(body.as_ptr(), start.add(HEADER_BYTES), body.len());
            compiler_fence(Ordering::SeqCst);
            AtomicU64::from_ptr(start.cast()).store(word(0), Ordering::Release);
        }
    }

    fn place(&self, offset: u64, length: usize) -> usize {
        let at = usize::try_from(offset).expect("offsets within a mapping fit in memory");
        let end = at.checked_add(length).expect("lengths within a mapping do not overflow");
        assert!(end <= self.raw.len(), "{at}..{end} is outside a mapping of {} bytes", self.raw.len());
        at
    }
}
