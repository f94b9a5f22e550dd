//! The local journal: what was changed with `SQL_LOG_BIN=0` and so has no place in the group log
//! (`design.md` §4). Small and rare: every record is synced when `append` returns, and all are read at start.
//!
//! File: `0 magic u64, 8 version u32, 12 zero u32`, then records, each on a 16-byte boundary, little endian:
//! `0 magic u32, 4 bytes u32, 8 number u64, 16 hash u64 of number and bytes, 24 crc32 of the 24 bytes before
//! and the note u32, 28 zero u32, 32 zero sectors u32, 36 mark u32, 40 the bytes`, zeros to the boundary. The
//! file grows by [`GROW_BYTES`] of zeros, synced before they are used, so that [`crate::torn`] can judge.

use crate::error::LogError;
use crate::system::{self, io_error};
use crate::torn::{self, Mark};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Longest record, in bytes.
pub const JOURNAL_RECORD_BYTES_MAX: usize = 16 << 20;

const FILE_MAGIC: u64 = 0x314c_4e52_554f_4a51;
const VERSION: u32 = 1;
const FILE_HEADER_BYTES: u64 = 16;
const RECORD_MAGIC: u32 = 0x514a_5245;
const RECORD_HEADER_BYTES: usize = 40;
const ALIGN: usize = 16;
const GROW_BYTES: u64 = 64 << 10;

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    end: u64,
    file_bytes: u64,
    records: u64,
}

impl Journal {
    /// Opens or makes the journal at `path`; answers its records, in order, and whether a torn one was cut.
    ///
    /// # Errors
    /// [`LogError::Journal`] with the offset of the damage, [`LogError::Version`], [`LogError::DiskFull`],
    /// [`LogError::Io`], [`LogError::SyncFailed`].
    pub fn open(path: &Path) -> Result<(Self, Vec<Vec<u8>>, bool), LogError> {
        system::ignore_file_size_signal();
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(path)?,
            Err(source) => return Err(io_error("open", path)(source)),
        };
        let file_bytes = file.metadata().map_err(io_error("look at", path))?.len();
        let mut bytes =
            vec![0; usize::try_from(file_bytes).map_err(|error| io_error("read", path)(io::Error::other(error)))?];
        file.read_exact_at(&mut bytes, 0).map_err(io_error("read", path))?;
        let damage = |offset: usize, reason| LogError::Journal { path: path.to_owned(), offset: offset as u64, reason };
        if bytes.len() < FILE_HEADER_BYTES as usize || bytes[..8] != FILE_MAGIC.to_le_bytes() {
            return Err(damage(0, "it does not begin as a journal does"));
        }
        let version = u32_at(&bytes, 8);
        if version != VERSION {
            return Err(LogError::Version { path: path.to_owned(), found: version, expected: VERSION });
        }
        if !file_bytes.is_multiple_of(GROW_BYTES) {
            return Err(damage(bytes.len(), "it has been shortened"));
        }
        let mut records = Vec::new();
        let mut at = FILE_HEADER_BYTES as usize;
        let torn = loop {
            let rest = &bytes[at..];
            match parse(rest, records.len() as u64 + 1) {
                Ok((record, padded)) => {
                    records.push(record.to_vec());
                    at += padded;
                }
                Err(_) if torn::is_zero(rest) => break false,
                Err(fault) => {
                    if !fault.is_torn(rest, at as u64) {
                        return Err(damage(at, "a record does not match its checksum"));
                    }
                    // Each record is synced before the next is begun.
                    let followed =
                        (ALIGN..rest.len()).step_by(ALIGN).any(|ahead| good_header(&rest[ahead..]).is_some());
                    if followed {
                        return Err(damage(at, "a record is missing before others"));
                    }
                    break true;
                }
            }
        };
        let mut journal =
            Self { path: path.to_owned(), file, end: at as u64, file_bytes, records: records.len() as u64 };
        if torn {
            // Any part of these zeros leaves a record that is torn as before.
            system::fill_zeros(&journal.file, path, journal.end, file_bytes - journal.end)?;
        } else {
            // The page cache may hold what the disk never got.
            journal.file.write_all_at(&bytes[..at], 0).map_err(io_error("rewrite", path))?;
        }
        system::sync_data(&journal.file, path)?;
        journal.grow_for(0)?;
        Ok((journal, records, torn))
    }

    /// Appends `record` and syncs it.
    ///
    /// # Errors
    /// [`LogError::JournalRecordBytes`] and [`LogError::DiskFull`]: nothing has changed.
    /// [`LogError::SyncFailed`], [`LogError::Io`]: the process must end.
    pub fn append(&mut self, record: &[u8]) -> Result<(), LogError> {
        if record.is_empty() || record.len() > JOURNAL_RECORD_BYTES_MAX {
            return Err(LogError::JournalRecordBytes { found: record.len(), max: JOURNAL_RECORD_BYTES_MAX });
        }
        let number = self.records + 1;
        let bytes = encode(record, number, self.end);
        self.grow_for(bytes.len() as u64)?;
        self.file.write_all_at(&bytes, self.end).map_err(io_error("append to", &self.path))?;
        system::sync_data(&self.file, &self.path)?;
        self.end += bytes.len() as u64;
        self.records = number;
        Ok(())
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.records
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    fn grow_for(&mut self, bytes: u64) -> Result<(), LogError> {
        let needed = (self.end + bytes).next_multiple_of(GROW_BYTES);
        if needed > self.file_bytes {
            let grown = system::fill_zeros(&self.file, &self.path, self.file_bytes, needed - self.file_bytes);
            if let Err(error) = grown {
                // Back to a size that a journal has; the zeros behind it held nothing.
                self.file.set_len(self.file_bytes).map_err(io_error("shorten", &self.path))?;
                return Err(error);
            }
            self.file.sync_all().map_err(|source| LogError::SyncFailed { path: self.path.clone(), source })?;
            self.file_bytes = needed;
        }
        Ok(())
    }
}

fn create(path: &Path) -> Result<File, LogError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let mut head = FILE_MAGIC.to_le_bytes().to_vec();
    head.extend_from_slice(&VERSION.to_le_bytes());
    let file = system::create_zeroed(&temporary, GROW_BYTES, &head)?;
    std::fs::rename(&temporary, path).map_err(io_error("rename", &temporary))?;
    system::sync_directory(system::parent(path))?;
    Ok(file)
}

enum Fault {
    Header,
    Body(usize),
    Other,
}

impl Fault {
    fn is_torn(&self, rest: &[u8], offset: u64) -> bool {
        match *self {
            Self::Header => torn::header_is_torn(rest, offset, RECORD_HEADER_BYTES),
            Self::Body(bytes) => torn::body_is_torn(&rest[..bytes], offset, RECORD_HEADER_BYTES),
            Self::Other => false,
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

fn header_crc(header: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..24]);
    hasher.update(&header[28..RECORD_HEADER_BYTES]);
    hasher.finalize()
}

/// Length and number in a header that checks.
fn good_header(bytes: &[u8]) -> Option<(usize, u64)> {
    let header = bytes.get(..RECORD_HEADER_BYTES)?;
    let good = u32_at(header, 0) == RECORD_MAGIC && header_crc(header) == u32_at(header, 24);
    good.then(|| (u32_at(header, 4) as usize, u64_at(header, 8)))
}

fn parse(bytes: &[u8], number: u64) -> Result<(&[u8], usize), Fault> {
    let Some((length, found)) = good_header(bytes) else { return Err(Fault::Header) };
    let padded = (RECORD_HEADER_BYTES + length).next_multiple_of(ALIGN);
    if found != number || length == 0 || length > JOURNAL_RECORD_BYTES_MAX || padded > bytes.len() {
        return Err(Fault::Other);
    }
    let record = &bytes[RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + length];
    let intact = xxh3_64_with_seed(record, number) == u64_at(bytes, 16)
        && torn::is_zero(&bytes[RECORD_HEADER_BYTES + length..padded]);
    if intact { Ok((record, padded)) } else { Err(Fault::Body(padded)) }
}

fn encode(record: &[u8], number: u64, offset: u64) -> Vec<u8> {
    let mut bytes = vec![0; (RECORD_HEADER_BYTES + record.len()).next_multiple_of(ALIGN)];
    bytes[..4].copy_from_slice(&RECORD_MAGIC.to_le_bytes());
    bytes[4..8].copy_from_slice(&(record.len() as u32).to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    bytes[16..24].copy_from_slice(&xxh3_64_with_seed(record, number).to_le_bytes());
    bytes[RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + record.len()].copy_from_slice(record);
    let note_at = RECORD_HEADER_BYTES - torn::NOTE_BYTES;
    // The mark first: it makes the header's last sector one that is not zero.
    bytes[note_at..RECORD_HEADER_BYTES].copy_from_slice(&torn::note(Mark::Written, 0));
    let zero = torn::zero_sectors(&bytes, offset);
    bytes[note_at..RECORD_HEADER_BYTES].copy_from_slice(&torn::note(Mark::Written, zero));
    let crc = header_crc(&bytes);
    bytes[24..28].copy_from_slice(&crc.to_le_bytes());
    bytes
}
