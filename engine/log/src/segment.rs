//! One file of the group log: a header of 4 KiB, frames one after another, zeros to the end.
//!
//! Header, little endian: `0 magic u64, 8 version u32, 12 crc32 of the rest, 16 log uuid, 32 number
//! u64, 40 first index u64, 48 previous chain u64, 56 previous ballot (round u64, node u64), 72 file bytes
//! u64, 80 synced u64, 88 generation u64, 96 flags u32 (1: starts anew)`, then zeros.
//!
//! A segment gets its name only when its header and its zeros are durable. Where a segment begins, all older
//! ones end: frames there with this first index or a later one are dead. That is how a log is cut.
//! Absent on purpose: any writing over bytes that are not zero, and truncation.

use crate::error::LogError;
use crate::system::{self, Mapping, io_error};
use crate::torn::{self, Mark};
use std::cell::{Cell, OnceCell};
use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wire::frame::{FrameError, HEADER_BYTES, Header};
use wire::id::{Ballot, Incarnation, Index, Uuid};

/// Bytes of a segment's header; the first frame follows.
pub const SEGMENT_HEADER_BYTES: u64 = 4096;

const MAGIC: u64 = 0x3147_4553_474f_4c51;
pub(crate) const VERSION: u32 = 1;
/// Made ahead of need, perhaps on another thread; and made when needed. Two names, so that neither is ever
/// made over the other.
const SPARE_NAME: &str = "spare.qlog.tmp";
const NEW_NAME: &str = "new.qlog.tmp";
/// A mark for about each so many bytes; what lies between is found by walking over headers.
const MARK_EVERY_BYTES: u64 = 16 << 10;

/// Number of a segment: rises with each one that is begun and is never used again. Its file is
/// `<ten digits>.qlog`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentNumber(pub u64);

impl fmt::Display for SegmentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}.qlog", self.0)
    }
}

impl SegmentNumber {
    /// Reads a file name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let digits = name.strip_suffix(".qlog")?;
        let well_formed = digits.len() >= 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = Self(digits.parse().ok().filter(|_| well_formed)?);
        (number.to_string() == name).then_some(number)
    }

    pub(crate) fn path(self, dir: &Path) -> PathBuf {
        dir.join(self.to_string())
    }
}

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The log that it belongs to; nothing to do with groups.
    pub(crate) log: Uuid,
    pub(crate) number: SegmentNumber,
    /// Index of its first frame's first entry.
    pub(crate) first: Index,
    /// Chain and ballot of the frame before.
    pub(crate) previous_chain: u64,
    pub(crate) previous_ballot: Ballot,
    /// Size of the file.
    pub(crate) file_bytes: u64,
    /// Highest index synced when it was begun.
    pub(crate) synced: Index,
    /// Given by the caller at each restart of the log.
    pub(crate) generation: u64,
    /// All older segments are dead, whatever their indexes.
    pub(crate) anew: bool,
}

impl SegmentHeader {
    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = vec![0; SEGMENT_HEADER_BYTES as usize];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &MAGIC.to_le_bytes());
        put(8, &VERSION.to_le_bytes());
        put(16, &self.log.0);
        put(32, &self.number.0.to_le_bytes());
        put(40, &self.first.0.to_le_bytes());
        put(48, &self.previous_chain.to_le_bytes());
        put(56, &self.previous_ballot.round.to_le_bytes());
        put(64, &self.previous_ballot.node.0.to_le_bytes());
        put(72, &self.file_bytes.to_le_bytes());
        put(80, &self.synced.0.to_le_bytes());
        put(88, &self.generation.to_le_bytes());
        put(96, &u32::from(self.anew).to_le_bytes());
        let crc = checksum(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header; `None` when it is damaged.
    fn parse(bytes: &[u8], path: &Path, number: SegmentNumber) -> Result<Option<Self>, LogError> {
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        let whole = bytes.len() == SEGMENT_HEADER_BYTES as usize && u64_at(0) == MAGIC && checksum(bytes) == u32_at(12);
        if !whole {
            return Ok(None);
        }
        if u32_at(8) != VERSION {
            return Err(LogError::Version { path: path.to_owned(), found: u32_at(8), expected: VERSION });
        }
        let mut log = [0; 16];
        log.copy_from_slice(&bytes[16..32]);
        let header = Self {
            log: Uuid(log),
            number: SegmentNumber(u64_at(32)),
            first: Index(u64_at(40)),
            previous_chain: u64_at(48),
            previous_ballot: Ballot { round: u64_at(56), node: Incarnation(u64_at(64)) },
            file_bytes: u64_at(72),
            synced: Index(u64_at(80)),
            generation: u64_at(88),
            anew: u32_at(96) & 1 == 1,
        };
        // A file under another's name is as bad as a changed header.
        Ok((header.number == number && header.first.0 > 0 && header.file_bytes > SEGMENT_HEADER_BYTES)
            .then_some(header))
    }
}

/// Of everything but the place of the checksum itself.
fn checksum(header: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..12]);
    hasher.update(&header[16..]);
    hasher.finalize()
}

/// A zeroed file that waits to become the next segment.
#[derive(Debug)]
pub struct Spare {
    path: PathBuf,
    file: File,
    bytes: u64,
}

/// What is needed to make a [`Spare`] away from the log, on any thread.
#[derive(Debug, Clone)]
pub struct SpareRequest {
    pub(crate) dir: PathBuf,
    pub(crate) bytes: u64,
}

impl SpareRequest {
    /// Allocates, zeroes and syncs a file: some 50 ms for 64 MiB.
    ///
    /// # Errors
    /// [`LogError::DiskFull`], [`LogError::Io`].
    pub fn create(self) -> Result<Spare, LogError> {
        self.create_as(SPARE_NAME)
    }

    fn create_as(self, name: &str) -> Result<Spare, LogError> {
        let path = self.dir.join(name);
        let file = system::create_zeroed(&path, self.bytes, &[])?;
        Ok(Spare { path, file, bytes: self.bytes })
    }
}

/// Whether `name` is that of a file that was not yet a segment when the process ended.
pub(crate) fn is_left_over(name: &str) -> bool {
    name == SPARE_NAME || name == NEW_NAME
}

impl Spare {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Where a frame begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameMark {
    pub(crate) first: Index,
    pub(crate) offset: u64,
}

/// An open segment and what is known of its frames.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: SegmentHeader,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<File>,
    /// Where the next frame would begin; all live frames lie before it.
    pub(crate) end: u64,
    /// Last index, its frame's chain and ballot; those before the segment while it has no frame.
    pub(crate) last: Index,
    pub(crate) last_chain: u64,
    pub(crate) last_ballot: Ballot,
    marks: Vec<FrameMark>,
    map: OnceCell<Arc<Mapping>>,
    /// Frames before this offset were checked in the mapping since the process began.
    pub(crate) checked_to: Cell<u64>,
}

impl Segment {
    /// Opens `number` in `dir` and reads its header; `None` in its place when that is damaged.
    pub(crate) fn open(dir: &Path, number: SegmentNumber) -> Result<Result<Self, PathBuf>, LogError> {
        let path = number.path(dir);
        let file = File::options().read(true).write(true).open(&path).map_err(io_error("open", &path))?;
        let mut bytes = vec![0; SEGMENT_HEADER_BYTES as usize];
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(Err(path)),
            Err(source) => return Err(system::error("read", &path, 0, source)),
        }
        Ok(match SegmentHeader::parse(&bytes, &path, number)? {
            Some(header) => Ok(Self::new(header, path, file)),
            None => Err(path),
        })
    }

    fn new(header: SegmentHeader, path: PathBuf, file: File) -> Self {
        Self {
            header,
            path,
            file: Arc::new(file),
            end: SEGMENT_HEADER_BYTES,
            last: Index(header.first.0 - 1),
            last_chain: header.previous_chain,
            last_ballot: header.previous_ballot,
            marks: Vec::new(),
            map: OnceCell::new(),
            checked_to: Cell::new(SEGMENT_HEADER_BYTES),
        }
    }

    /// Begins a segment, of `spare` if that has the right size. It is durable when this returns.
    pub(crate) fn begin(dir: &Path, header: SegmentHeader, spare: Option<Spare>) -> Result<Self, LogError> {
        let spare = match spare {
            Some(spare) => {
                assert_eq!(spare.bytes, header.file_bytes);
                spare
            }
            None => SpareRequest { dir: dir.to_owned(), bytes: header.file_bytes }.create_as(NEW_NAME)?,
        };
        let path = header.number.path(dir);
        assert!(!path.exists(), "segment numbers are never used again: {}", path.display());
        spare.file.write_all_at(&header.to_bytes(), 0).map_err(io_error("write", &spare.path))?;
        system::sync_data(&spare.file, &spare.path)?;
        std::fs::rename(&spare.path, &path)
            .map_err(|source| system::error("rename", &spare.path, header.file_bytes, source))?;
        system::sync_directory(dir)?;
        Ok(Self::new(header, path, spare.file))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.end == SEGMENT_HEADER_BYTES
    }

    pub(crate) fn room(&self) -> u64 {
        self.header.file_bytes - self.end
    }

    /// Notes a frame that lies at `end`.
    pub(crate) fn push(&mut self, header: &Header) {
        let far = self.marks.last().is_none_or(|mark| self.end - mark.offset >= MARK_EVERY_BYTES);
        if far {
            self.marks.push(FrameMark { first: header.first, offset: self.end });
        }
        self.end += header.frame_bytes() as u64;
        self.last = header.last();
        self.last_chain = header.chain;
        self.last_ballot = header.ballot;
    }

    /// Forgets all frames from `offset` on; `last`, `chain` and `ballot` are those of the frame before.
    pub(crate) fn end_at(&mut self, offset: u64, last: Index, chain: u64, ballot: Ballot) {
        assert!(offset <= self.end, "a segment ends earlier, never later");
        self.marks.retain(|mark| mark.offset < offset);
        (self.end, self.last, self.last_chain, self.last_ballot) = (offset, last, chain, ballot);
    }

    /// The closest mark at or before the frame that contains `index`.
    pub(crate) fn mark_before(&self, index: Index) -> FrameMark {
        let after = self.marks.partition_point(|mark| mark.first <= index);
        assert!(after > 0, "{index} is before segment {}", self.header.number);
        self.marks[after - 1]
    }

    /// Reads `length` bytes at `offset` from the file.
    pub(crate) fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, LogError> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset).map_err(io_error("read", &self.path))?;
        Ok(bytes)
    }

    /// The mapping for readers.
    pub(crate) fn map(&self) -> Result<&Arc<Mapping>, LogError> {
        if self.map.get().is_none() {
            let map = Mapping::new(&self.file, self.header.file_bytes, false).map_err(io_error("map", &self.path))?;
            // Nobody else can have set it: a cell is not shared between threads.
            let _ = self.map.set(Arc::new(map));
        }
        Ok(self.map.get().expect("set above"))
    }

    /// An error that names a place in this segment.
    pub(crate) fn corrupt(&self, offset: u64, index: Index) -> impl FnOnce(FrameError) -> LogError {
        let segment = self.path.clone();
        move |source| LogError::Corrupt { segment, offset, index, source }
    }
}

/// The header as it lies in the file: with the note that tells torn writes from damage.
pub(crate) fn header_on_disk(header: &Header, body: &[u8], offset: u64, mark: Mark) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    header.write(&mut bytes);
    // The sectors that the header lies in are never zero: it begins with the magic and ends with the note.
    // Of the body, its first part shares the header's last sector unless that ends with the header.
    let body_at = offset + HEADER_BYTES as u64;
    let shared = (torn::SECTOR_BYTES - body_at % torn::SECTOR_BYTES) % torn::SECTOR_BYTES;
    let own = (shared as usize).min(body.len());
    let zero = torn::zero_sectors(&body[own..], body_at + own as u64);
    bytes[HEADER_BYTES - torn::NOTE_BYTES..].copy_from_slice(&torn::note(mark, zero));
    let crc = crc32fast::hash(&bytes[12..]) ^ header.body_bytes;
    bytes[8..12].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_segments() {
        for (name, number) in [
            ("0000000001.qlog", Some(1)),
            ("9999999999.qlog", Some(9_999_999_999)),
            ("10000000000.qlog", Some(10_000_000_000)),
            ("00000000001.qlog", None),
            ("1.qlog", None),
            ("+000000001.qlog", None),
            ("0000000001.qlog.tmp", None),
            ("spare.qlog.tmp", None),
            ("99999999999999999999.qlog", None),
        ] {
            assert_eq!(SegmentNumber::parse(name).map(|number| number.0), number, "{name}");
        }
    }

    #[test]
    fn a_header_reads_back_and_every_changed_byte_is_noticed() {
        let header = SegmentHeader {
            log: Uuid([7; 16]),
            number: SegmentNumber(3),
            first: Index(9),
            previous_chain: 5,
            previous_ballot: Ballot { round: 2, node: Incarnation(4) },
            file_bytes: 1 << 20,
            synced: Index(8),
            generation: 6,
            anew: true,
        };
        let path = Path::new("x");
        let good = header.to_bytes();
        assert_eq!(SegmentHeader::parse(&good, path, SegmentNumber(3)).unwrap(), Some(header));
        assert_eq!(SegmentHeader::parse(&good, path, SegmentNumber(4)).unwrap(), None);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(SegmentHeader::parse(&bad, path, SegmentNumber(3)).unwrap(), None, "byte {at}");
        }
    }
}
