//! Checkpoint files: the whole replicated state as of one index, in checksummed blocks of opaque bytes.
//!
//! Written under a temporary name, synced, renamed, the directory synced: a file under its own name is whole.
//! What is received from a peer stays *incoming* until the log begins anew behind it: only then does this
//! member's history contain it. Absent on purpose: what blocks hold, when to write, which to keep.
//!
//! File, little endian: header of 64 bytes `0 magic u64, 8 version u32, 12 crc32 of the rest, 16 index u64,
//! 24 chain u64, 32 ballot (round u64, node u64), 48 zeros`; blocks one after another; then the table, for each
//! block `offset u64, bytes u64, hash u64`; then 32 bytes `blocks u64, table offset u64, hash of header and table
//! u64, magic u64`. The hash of a block depends on the index and its number: a block in another's place is bad.

use crate::error::LogError;
use crate::log::Base;
use crate::system::{self, io_error};
use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wire::id::{Ballot, Incarnation, Index};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Largest block, in bytes.
pub const CHECKPOINT_BLOCK_BYTES_MAX: usize = 16 << 20;

const MAGIC: u64 = 0x3150_4b43_4f52_4f51;
const END_MAGIC: u64 = 0x444e_4550_4b43_4f51;
/// 2: facts of digests, and keys by the weights of ICU4X. 3: the last AFTER transaction.
const VERSION: u32 = 3;
const HEADER_BYTES: usize = 64;
const ROW_BYTES: usize = 24;
const TRAILER_BYTES: usize = 32;
const TEMPORARY: &str = ".tmp";
const INCOMING: &str = "incoming";

/// A block's place in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    offset: u64,
    bytes: u64,
    hash: u64,
}

/// Hash of block `number` of the checkpoint at `index`: what a receiver compares a block with.
#[must_use]
pub fn block_hash(index: Index, number: u64, block: &[u8]) -> u64 {
    xxh3_64_with_seed(block, index.0.rotate_left(32) ^ number)
}

/// The checkpoint files of one member.
#[derive(Debug)]
pub struct Checkpoints {
    dir: PathBuf,
    /// Rising.
    stored: Vec<Index>,
    /// Writers begun: names of what is not whole yet are used once.
    begun: Cell<u64>,
}

impl Checkpoints {
    /// Opens or makes the directory; what was not finished is removed.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn open(dir: &Path) -> Result<Self, LogError> {
        system::ignore_file_size_signal();
        if !dir.exists() {
            std::fs::create_dir(dir).map_err(io_error("create", dir))?;
            system::sync_directory(system::parent(dir))?;
        }
        let mut stored = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(io_error("list", dir))? {
            let path = entry.map_err(io_error("list", dir))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.ends_with(TEMPORARY) {
                std::fs::remove_file(&path).map_err(io_error("remove", &path))?;
            } else if let Some(index) = parse_name(name) {
                stored.push(index);
            }
        }
        stored.sort_unstable();
        Ok(Self { dir: dir.to_owned(), stored, begun: Cell::new(0) })
    }

    /// Indexes that there are files for, rising. Whether a file is good shows when it is read.
    #[must_use]
    pub fn stored(&self) -> &[Index] {
        &self.stored
    }

    /// Begins a checkpoint of this member's own state, or one that comes from a peer.
    ///
    /// # Errors
    /// [`LogError::DiskFull`], [`LogError::Io`].
    pub fn begin(&self, base: Base, incoming: bool) -> Result<CheckpointWriter, LogError> {
        let number = self.begun.replace(self.begun.get() + 1);
        CheckpointWriter::create(&self.dir, base, incoming, number)
    }

    /// Opens the checkpoint at `index`.
    ///
    /// # Errors
    /// [`LogError::Checkpoint`] when it is damaged, [`LogError::Io`].
    pub fn read(&self, index: Index) -> Result<CheckpointFile, LogError> {
        let file = CheckpointFile::open(&self.dir.join(name_of(index)))?;
        if file.base.index != index {
            return Err(damaged(&file.path, "it is of another index than its name says"));
        }
        Ok(file)
    }

    /// The checkpoint that came from a peer and does not count yet.
    ///
    /// # Errors
    /// [`LogError::Checkpoint`] when it is damaged, [`LogError::Io`] when there is none.
    pub fn read_incoming(&self) -> Result<CheckpointFile, LogError> {
        CheckpointFile::open(&self.dir.join(INCOMING))
    }

    /// Notes that a file of this index has been published.
    pub fn note(&mut self, index: Index) {
        if let Err(at) = self.stored.binary_search(&index) {
            self.stored.insert(at, index);
        }
    }

    /// The log begins behind the incoming checkpoint now: it counts, and no other does.
    ///
    /// # Errors
    /// [`LogError::Io`], [`LogError::SyncFailed`].
    pub fn adopt_incoming(&mut self, index: Index) -> Result<(), LogError> {
        let (from, to) = (self.dir.join(INCOMING), self.dir.join(name_of(index)));
        std::fs::rename(&from, &to).map_err(io_error("rename", &from))?;
        system::sync_directory(&self.dir)?;
        self.note(index);
        self.retain(|stored| stored == index)
    }

    /// Removes the checkpoints for which `keep` says no.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn retain(&mut self, keep: impl Fn(Index) -> bool) -> Result<(), LogError> {
        for at in (0..self.stored.len()).rev() {
            let index = self.stored[at];
            if !keep(index) {
                let path = self.dir.join(name_of(index));
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(io_error("remove", &path)(error));
                    }
                    _ => self.stored.remove(at),
                };
            }
        }
        Ok(())
    }
}

/// A checkpoint that is being written.
#[derive(Debug)]
pub struct CheckpointWriter {
    dir: PathBuf,
    temporary: PathBuf,
    name: String,
    file: Arc<File>,
    base: Base,
    header: Vec<u8>,
    table: Vec<Place>,
    end: u64,
    published: bool,
}

impl CheckpointWriter {
    fn create(dir: &Path, base: Base, incoming: bool, number: u64) -> Result<Self, LogError> {
        let name = if incoming { INCOMING.to_owned() } else { name_of(base.index) };
        // One that was given up may still be on its way to the disk when the next begins: neither touches the other's.
        let temporary = dir.join(format!("{name}.{number}{TEMPORARY}"));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&temporary);
        let file = Arc::new(file.map_err(|source| system::error("create", &temporary, HEADER_BYTES as u64, source))?);
        let header = header_of(base);
        let mut writer = Self {
            dir: dir.to_owned(),
            temporary,
            name,
            file,
            base,
            header: header.clone(),
            table: Vec::new(),
            end: 0,
            published: false,
        };
        writer.write(&header)?;
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), LogError> {
        let wrote = self.file.write_all_at(bytes, self.end);
        wrote.map_err(|source| system::error("write", &self.temporary, bytes.len() as u64, source))?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// What it is a checkpoint of.
    #[must_use]
    pub fn base(&self) -> Base {
        self.base
    }

    /// Whether it comes from a peer.
    #[must_use]
    pub fn is_incoming(&self) -> bool {
        self.name == INCOMING
    }

    /// Writes the next block. Not yet on disk when this returns.
    ///
    /// # Errors
    /// [`LogError::DiskFull`], [`LogError::Io`]: the checkpoint is to be given up, nothing else is harmed.
    pub fn append(&mut self, block: &[u8]) -> Result<(), LogError> {
        assert!(block.len() <= CHECKPOINT_BLOCK_BYTES_MAX, "a block of {} bytes", block.len());
        let hash = block_hash(self.base.index, self.table.len() as u64, block);
        let place = Place { offset: self.end, bytes: block.len() as u64, hash };
        self.write(block)?;
        self.table.push(place);
        Ok(())
    }

    /// Writes the table. The file that is answered is to be synced before [`CheckpointWriter::publish`].
    ///
    /// # Errors
    /// As [`CheckpointWriter::append`].
    pub fn finish(&mut self) -> Result<Arc<File>, LogError> {
        let mut table = Vec::with_capacity(self.table.len() * ROW_BYTES + TRAILER_BYTES);
        for place in &self.table {
            for number in [place.offset, place.bytes, place.hash] {
                table.extend_from_slice(&number.to_le_bytes());
            }
        }
        let hash = table_hash(&self.header, &table);
        for number in [self.table.len() as u64, self.end, hash, END_MAGIC] {
            table.extend_from_slice(&number.to_le_bytes());
        }
        self.write(&table)?;
        Ok(self.file.clone())
    }

    /// Gives the synced file its name, durably.
    ///
    /// # Errors
    /// [`LogError::Io`], [`LogError::SyncFailed`].
    pub fn publish(mut self) -> Result<Index, LogError> {
        let to = self.dir.join(&self.name);
        std::fs::rename(&self.temporary, &to).map_err(io_error("rename", &self.temporary))?;
        self.published = true;
        system::sync_directory(&self.dir)?;
        Ok(self.base.index)
    }

    /// The whole end in one, blocking: table, sync, name.
    ///
    /// # Errors
    /// As the parts.
    pub fn complete(mut self) -> Result<Index, LogError> {
        let file = self.finish()?;
        system::sync_data(&file, &self.temporary)?;
        self.publish()
    }
}

impl Drop for CheckpointWriter {
    fn drop(&mut self) {
        if !self.published {
            // Best effort: the next start removes what is left under a temporary name.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// A whole checkpoint, open for reading. It stays readable after its removal.
#[derive(Debug)]
pub struct CheckpointFile {
    path: PathBuf,
    file: File,
    base: Base,
    table: Vec<Place>,
}

impl CheckpointFile {
    fn open(path: &Path) -> Result<Self, LogError> {
        let file = File::open(path).map_err(io_error("open", path))?;
        let length = file.metadata().map_err(io_error("look at", path))?.len();
        let least = (HEADER_BYTES + TRAILER_BYTES) as u64;
        if length < least {
            return Err(damaged(path, "it is shorter than any checkpoint"));
        }
        let read = |offset: u64, bytes: usize| {
            let mut buffer = vec![0; bytes];
            file.read_exact_at(&mut buffer, offset).map_err(io_error("read", path))?;
            Ok::<_, LogError>(buffer)
        };
        let header = read(0, HEADER_BYTES)?;
        let base = parse_header(&header, path)?;
        let trailer = read(length - TRAILER_BYTES as u64, TRAILER_BYTES)?;
        let (blocks, table_at) = (u64_at(&trailer, 0), u64_at(&trailer, 8));
        let table_bytes = blocks.checked_mul(ROW_BYTES as u64);
        let fits = table_bytes.and_then(|bytes| table_at.checked_add(bytes)) == Some(length - TRAILER_BYTES as u64);
        if u64_at(&trailer, 24) != END_MAGIC || !fits || table_at < HEADER_BYTES as u64 {
            return Err(damaged(path, "its end is not that of a checkpoint"));
        }
        let table = read(table_at, blocks as usize * ROW_BYTES)?;
        if table_hash(&header, &table) != u64_at(&trailer, 16) {
            return Err(damaged(path, "its table does not match its checksum"));
        }
        let (mut places, mut end) = (Vec::with_capacity(blocks as usize), HEADER_BYTES as u64);
        for row in table.chunks_exact(ROW_BYTES) {
            let place = Place { offset: u64_at(row, 0), bytes: u64_at(row, 8), hash: u64_at(row, 16) };
            if place.offset != end || place.bytes > CHECKPOINT_BLOCK_BYTES_MAX as u64 {
                return Err(damaged(path, "its table has a hole"));
            }
            end += place.bytes;
            places.push(place);
        }
        if end != table_at {
            return Err(damaged(path, "its table has a hole"));
        }
        Ok(Self { path: path.to_owned(), file, base, table: places })
    }

    /// What it is a checkpoint of.
    #[must_use]
    pub fn base(&self) -> Base {
        self.base
    }

    /// How many blocks there are.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.table.len() as u64
    }

    /// Bytes of all blocks.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.table.iter().map(|place| place.bytes).sum()
    }

    /// The hash of each block, in order.
    pub fn hashes(&self) -> impl Iterator<Item = u64> {
        self.table.iter().map(|place| place.hash)
    }

    /// Block `number`, from 0, checked; `None` behind the last.
    ///
    /// # Errors
    /// [`LogError::Checkpoint`] when it is damaged, [`LogError::Io`].
    pub fn block(&self, number: u64) -> Result<Option<Vec<u8>>, LogError> {
        let Some(place) = usize::try_from(number).ok().and_then(|at| self.table.get(at)) else { return Ok(None) };
        let mut block = vec![0; place.bytes as usize];
        self.file.read_exact_at(&mut block, place.offset).map_err(io_error("read", &self.path))?;
        if block_hash(self.base.index, number, &block) != place.hash {
            return Err(damaged(&self.path, "a block does not match its checksum"));
        }
        Ok(Some(block))
    }
}

fn name_of(index: Index) -> String {
    format!("{:020}.qckp", index.0)
}

fn parse_name(name: &str) -> Option<Index> {
    let index = Index(name.strip_suffix(".qckp")?.parse().ok()?);
    (name_of(index) == name).then_some(index)
}

fn damaged(path: &Path, reason: &'static str) -> LogError {
    LogError::Checkpoint { path: path.to_owned(), reason }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

fn header_of(base: Base) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &MAGIC.to_le_bytes());
    put(8, &VERSION.to_le_bytes());
    put(16, &base.index.0.to_le_bytes());
    put(24, &base.chain.to_le_bytes());
    put(32, &base.ballot.round.to_le_bytes());
    put(40, &base.ballot.node.0.to_le_bytes());
    let crc = crc32fast::hash(&bytes[16..]) ^ VERSION;
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn parse_header(bytes: &[u8], path: &Path) -> Result<Base, LogError> {
    let (version, crc) = (u64_at(bytes, 8) as u32, (u64_at(bytes, 8) >> 32) as u32);
    if u64_at(bytes, 0) != MAGIC || crc32fast::hash(&bytes[16..]) ^ version != crc {
        return Err(damaged(path, "its header does not match its checksum"));
    }
    if version != VERSION {
        return Err(LogError::Version { path: path.to_owned(), found: version, expected: VERSION });
    }
    let ballot = Ballot { round: u64_at(bytes, 32), node: Incarnation(u64_at(bytes, 40)) };
    Ok(Base { index: Index(u64_at(bytes, 16)), chain: u64_at(bytes, 24), ballot })
}

fn table_hash(header: &[u8], table: &[u8]) -> u64 {
    xxh3_64_with_seed(table, xxh3_64_with_seed(header, 0))
}
