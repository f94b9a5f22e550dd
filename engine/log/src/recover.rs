//! What a start finds in the segments, and the judgement on where the log ends.
//!
//! Reads with `pread`, so that a media error is an answer and not a signal. Changes nothing: what follows
//! from the judgement is done by [`crate::Log::open`].
//!
//! The log ends where the chain breaks or the ballot falls **[!]**. What lies there then decides:
//! zeros to the end are the clean end; a frame that was never wholly written (`torn`) may be cut, if no good
//! header anywhere says that it was synced; all else is damage, and this member must not vote with it.

use crate::error::LogError;
use crate::log::Cut;
use crate::segment::{SEGMENT_HEADER_BYTES, Segment, SegmentNumber, is_left_over};
use crate::system::{self, io_error};
use crate::torn;
use std::fmt;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use wire::frame::{ALIGN, FrameError, HEADER_BYTES, Header, check_body};
use wire::id::{Ballot, Index, Uuid};

/// How the log ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tail {
    /// With a whole frame, and zeros after it.
    Clean,
    /// With a batch that was never wholly written and never synced. It has been cut.
    Torn {
        /// The segment that it begins in.
        segment: SegmentNumber,
        /// Where in it.
        offset: u64,
        /// From there to the last byte that was written.
        bytes: u64,
    },
    /// With damage to what may have been acknowledged. The member must not vote, and nothing can be appended
    /// before the log is repaired from a peer ([`crate::Log::abandon_tail`], [`crate::Log::restart_at`]). To be
    /// expected when the machine failed under `sync_binlog=0`: there, "synced" is a promise of the page cache.
    Corrupt {
        /// The segment.
        segment: SegmentNumber,
        /// Where in it; 0: its header.
        offset: u64,
        /// First index that is lost.
        index: Index,
        /// Highest index known synced.
        synced: Index,
    },
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("clean"),
            Self::Torn { segment, offset, bytes } => {
                write!(f, "torn: {bytes} bytes cut in segment {segment} at offset {offset}")
            }
            Self::Corrupt { segment, offset, index, synced } => write!(
                f,
                "damaged in segment {segment} at offset {offset}: index {index} and later are lost here \
                 (synced up to {synced})"
            ),
        }
    }
}

/// What [`crate::Log::open`] found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// First index held; `last.next()` when there is none.
    pub first: Index,
    /// Last index of the log.
    pub last: Index,
    /// Ballot of its last frame.
    pub last_ballot: Ballot,
    /// Highest decided index that any good header names. May be above `last`.
    pub decided: Index,
    /// Highest synced index that any good header names. May be above `last` when the tail is damaged.
    pub synced: Index,
    /// How the log ends.
    pub tail: Tail,
    /// Whether a cut that was recorded but not done has been done now.
    pub cut_done: bool,
    /// First index of the frames that were rewritten and synced, if any were.
    pub rewritten_from: Option<Index>,
    /// Generation given at the log's last restart.
    pub generation: u64,
    /// Whether there was no log and an empty one has been made.
    pub created: bool,
}

/// How far the scan has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// The segment being read.
    pub segment: SegmentNumber,
    /// Bytes read so far, in all segments.
    pub bytes: u64,
    /// Bytes to read in all.
    pub bytes_total: u64,
}

/// The result of a scan.
pub(crate) struct Scan {
    /// In order, each continuing the one before, with their frames.
    pub(crate) live: Vec<Segment>,
    /// Files that hold nothing of the log (any more).
    pub(crate) dead: Vec<PathBuf>,
    /// The tail and what there is of it: `Torn` is not cut yet.
    pub(crate) tail: Tail,
    /// The recorded cut was not done before. Its fresh segment must be begun even if nothing lies behind the
    /// cut, or the record would later cut frames that are not written yet.
    pub(crate) cut_pending: bool,
    pub(crate) synced: Index,
    /// Highest index that was synced to the disk. What a mapped frame calls synced was in the page cache.
    pub(crate) durable: Index,
    pub(crate) decided: Index,
    /// Highest number of any segment.
    pub(crate) highest: u64,
    pub(crate) log: Option<Uuid>,
    pub(crate) generation: u64,
}

/// Why there is no good frame at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// No good header.
    Header,
    /// A header that continues the log, with a body that does not match it.
    Body { frame_bytes: usize },
    /// A good header that does not continue the log, or runs out of the file.
    Other,
}

enum File {
    Good(Box<Segment>),
    Bad(SegmentNumber, PathBuf),
}

/// Reads all segments of `dir`. `cut` is the one in the vote file.
pub(crate) fn scan(dir: &Path, cut: Option<Cut>, progress: &mut dyn FnMut(Progress)) -> Result<Scan, LogError> {
    let (numbers, mut dead) = list(dir)?;
    let highest = numbers.last().map_or(0, |number| number.0);
    let files = open_live(dir, &numbers, &mut dead)?;
    let newest = files.iter().rev().find_map(|file| match file {
        File::Good(segment) => Some(segment.header),
        File::Bad(..) => None,
    });
    // Numbers only rise: a cut that was done has begun the segment that it names.
    let cut = cut.filter(|cut| highest > 0 && highest < cut.fresh.0);
    let mut scan = Scan {
        live: Vec::new(),
        dead,
        tail: Tail::Clean,
        cut_pending: cut.is_some(),
        synced: Index(0),
        durable: Index(0),
        decided: Index(0),
        highest,
        log: newest.map(|header| header.log),
        generation: newest.map_or(0, |header| header.generation),
    };
    scan.walk(files, cut, progress)?;
    Ok(scan)
}

fn list(dir: &Path) -> Result<(Vec<SegmentNumber>, Vec<PathBuf>), LogError> {
    let mut numbers = Vec::new();
    let mut left_over = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io_error("list", dir))? {
        let entry = entry.map_err(io_error("list", dir))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if let Some(number) = SegmentNumber::parse(&name) {
            numbers.push(number);
        } else if is_left_over(&name) {
            left_over.push(entry.path());
        }
    }
    numbers.sort_unstable();
    Ok((numbers, left_over))
}

/// Opens the segments, newest first, and sets those aside that a newer one has replaced.
fn open_live(dir: &Path, numbers: &[SegmentNumber], dead: &mut Vec<PathBuf>) -> Result<Vec<File>, LogError> {
    let mut files = Vec::new();
    let mut newest: Option<Uuid> = None;
    let mut begins = Index(u64::MAX);
    let mut anew = false;
    for &number in numbers.iter().rev() {
        if anew {
            dead.push(number.path(dir));
            continue;
        }
        match Segment::open(dir, number)? {
            Err(path) => files.push(File::Bad(number, path)),
            Ok(segment) => {
                let expected = *newest.get_or_insert(segment.header.log);
                if expected != segment.header.log {
                    return Err(LogError::ForeignSegment { path: segment.path, expected, found: segment.header.log });
                }
                if segment.header.first >= begins {
                    dead.push(segment.path);
                    continue;
                }
                (begins, anew) = (segment.header.first, segment.header.anew);
                files.push(File::Good(Box::new(segment)));
            }
        }
    }
    files.reverse();
    Ok(files)
}

impl Scan {
    fn walk(&mut self, files: Vec<File>, cut: Option<Cut>, progress: &mut dyn FnMut(Progress)) -> Result<(), LogError> {
        let mut read = Progress { segment: SegmentNumber(0), bytes: 0, bytes_total: 0 };
        let mut bad = Vec::new();
        let mut good = Vec::new();
        for file in files {
            match file {
                File::Good(segment) => {
                    read.bytes_total += segment.header.file_bytes;
                    good.push(*segment);
                }
                File::Bad(number, path) => bad.push((number, path)),
            }
        }
        let mut buffer = Vec::new();
        let mut rest = good.into_iter().peekable();
        while let Some(mut segment) = rest.next() {
            let whole = read_segment(&segment, &mut buffer, &mut read, progress);
            let successor = rest.peek().map(|next| next.header);
            self.synced = self.synced.max(segment.header.synced);
            self.durable = self.durable.max(segment.header.synced);
            let stop = loop {
                let next = segment.last.next();
                if cut.is_some_and(|cut| cut.index == segment.last) {
                    break Stop::Cut;
                }
                if successor.is_some_and(|s| s.first == next && s.previous_chain == segment.last_chain) {
                    break Stop::Successor;
                }
                let rest = &buffer[(segment.end as usize).min(buffer.len())..];
                match check(rest, &segment) {
                    Ok(header) if cut.is_none_or(|cut| header.last() <= cut.index) => {
                        self.synced = self.synced.max(header.synced);
                        if !torn::is_mapped(&rest[..HEADER_BYTES]) {
                            self.durable = self.durable.max(header.synced);
                        }
                        self.decided = self.decided.max(header.decided);
                        segment.push(&header);
                    }
                    // A cut within a frame is none of ours.
                    Ok(_) => break Stop::Fault(Fault::Other),
                    Err(fault) => break Stop::Fault(fault),
                }
            };
            match stop {
                Stop::Successor => {
                    let number = segment.header.number;
                    let after = rest.peek().map_or(number, |next| next.header.number);
                    // What lies between two segments that continue one another holds nothing.
                    let between = bad.extract_if(.., |(bad, _)| *bad > number && *bad < after);
                    self.dead.extend(between.map(|(_, path)| path));
                    self.live.push(segment);
                }
                Stop::Cut => {
                    let number = segment.header.number;
                    let later = bad.extract_if(.., |(bad, _)| *bad > number);
                    self.dead.extend(later.map(|(_, path)| path));
                    self.dead.extend(rest.by_ref().map(|segment| segment.path));
                    self.live.push(segment);
                }
                Stop::Fault(fault) => {
                    let later: Vec<Segment> = rest.by_ref().collect();
                    let limit = cut.map_or(Index(u64::MAX), |cut| cut.index.next());
                    self.judge(&segment, fault, &buffer, whole, &later, limit, &mut read, progress);
                    self.dead.extend(later.into_iter().map(|segment| segment.path));
                    self.live.push(segment);
                }
            }
        }
        // A segment whose header is lost may have held anything.
        if let Some((segment, _)) = bad.first() {
            if !matches!(self.tail, Tail::Corrupt { .. }) {
                let index = self.live.last().map_or(Index(1), |segment| segment.last.next());
                self.tail = Tail::Corrupt { segment: *segment, offset: 0, index, synced: self.synced };
            }
            self.dead.extend(bad.into_iter().map(|(_, path)| path));
        }
        Ok(())
    }

    /// Decides what the bytes at the end of `segment` are. `later` are the segments that the walk has not
    /// reached; headers that name `limit` or a later index are dead.
    #[expect(clippy::too_many_arguments, reason = "one call, and each is a fact that the judgement rests on")]
    fn judge(
        &mut self,
        segment: &Segment,
        fault: Fault,
        buffer: &[u8],
        whole: bool,
        later: &[Segment],
        limit: Index,
        read: &mut Progress,
        progress: &mut dyn FnMut(Progress),
    ) {
        let index = segment.last.next();
        let offset = (segment.end as usize).min(buffer.len());
        let behind = &buffer[offset..];
        let mut written = behind.len() - trailing_zeros(behind);
        let limit_here = later.first().map_or(limit, |next| limit.min(next.header.first));
        self.look_behind(behind, segment.end, index, limit_here);
        let mut other = Vec::new();
        for (at, segment) in later.iter().enumerate() {
            let limit_there = later.get(at + 1).map_or(limit, |next| limit.min(next.header.first));
            if segment.header.first < limit {
                self.synced = self.synced.max(segment.header.synced);
                read_segment(segment, &mut other, read, progress);
                let frames = &other[(SEGMENT_HEADER_BYTES as usize).min(other.len())..];
                self.look_behind(frames, SEGMENT_HEADER_BYTES, index, limit_there);
                written += frames.len() - trailing_zeros(frames);
            }
        }
        let clean = whole && written == 0 && later.is_empty();
        let torn = match fault {
            Fault::Header if behind.len() >= HEADER_BYTES => torn::header_is_torn(behind, segment.end, HEADER_BYTES),
            Fault::Body { frame_bytes } => torn::body_is_torn(&behind[..frame_bytes], segment.end, HEADER_BYTES),
            Fault::Header | Fault::Other => false,
        };
        // Where the next segment begins with this very index, but after another chain, what led there is lost.
        let torn = torn && later.first().is_none_or(|next| next.header.first != index);
        let number = segment.header.number;
        self.tail = if self.synced < index && clean {
            Tail::Clean
        } else if self.synced < index && whole && torn {
            Tail::Torn { segment: number, offset: segment.end, bytes: written as u64 }
        } else {
            Tail::Corrupt { segment: number, offset: segment.end, index, synced: self.synced }
        };
    }

    /// Takes what good headers say that lie somewhere behind a bad frame.
    fn look_behind(&mut self, bytes: &[u8], offset: u64, index: Index, limit: Index) {
        debug_assert!(offset.is_multiple_of(ALIGN as u64));
        let mut at = 0;
        while at + HEADER_BYTES <= bytes.len() {
            if let Ok(header) = Header::parse(&bytes[at..]) {
                // Bytes of a row may look like a header; one that nobody could have written is none.
                let sane = header.synced < header.first && header.first >= index && header.first < limit;
                if sane {
                    self.synced = self.synced.max(header.synced);
                    self.decided = self.decided.max(header.decided);
                }
            }
            at += ALIGN;
            // Most of a segment is zeros.
            if bytes[at.min(bytes.len())..].first() == Some(&0) {
                at += leading_zeros(&bytes[at..]) / ALIGN * ALIGN;
            }
        }
    }
}

enum Stop {
    Successor,
    Cut,
    Fault(Fault),
}

/// Checks the frame at the start of `bytes`, which must continue `segment`.
fn check(bytes: &[u8], segment: &Segment) -> Result<Header, Fault> {
    let header = match Header::parse(bytes) {
        Ok(header) => header,
        Err(FrameError::Size { .. }) => return Err(Fault::Other),
        Err(_) => return Err(Fault::Header),
    };
    let continues = header.first == segment.last.next()
        && header.previous_chain == segment.last_chain
        && header.ballot >= segment.last_ballot;
    let frame_bytes = header.frame_bytes();
    if !continues || frame_bytes > bytes.len() {
        return Err(Fault::Other);
    }
    match check_body(&header, &bytes[HEADER_BYTES..frame_bytes]) {
        Ok(()) => Ok(header),
        Err(FrameError::Chain { .. }) => Err(Fault::Body { frame_bytes }),
        Err(_) => Err(Fault::Other),
    }
}

/// Reads a segment, as far as it can be read; whether that is all of it.
fn read_segment(
    segment: &Segment,
    buffer: &mut Vec<u8>,
    read: &mut Progress,
    progress: &mut dyn FnMut(Progress),
) -> bool {
    const CHUNK: usize = 4 << 20;
    // The file's own size bounds the memory, whatever its header says.
    let length = segment.file.metadata().map_or(0, |found| found.len()).min(segment.header.file_bytes) as usize;
    buffer.clear();
    buffer.resize(length, 0);
    read.segment = segment.header.number;
    let mut at = 0;
    while at < length {
        let until = (at + CHUNK).min(length);
        match segment.file.read_at(&mut buffer[at..until], at as u64) {
            Ok(0) => break,
            Ok(bytes) => {
                at += bytes;
                read.bytes += bytes as u64;
                progress(*read);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A media error: what lies here is lost, and the judgement says so.
            Err(_) => break,
        }
    }
    buffer.truncate(at);
    at as u64 == segment.header.file_bytes
}

fn trailing_zeros(bytes: &[u8]) -> usize {
    const CHUNK: usize = 4096;
    let mut end = bytes.len();
    while end >= CHUNK && torn::is_zero(&bytes[end - CHUNK..end]) {
        end -= CHUNK;
    }
    bytes.len() - bytes[..end].iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1)
}

fn leading_zeros(bytes: &[u8]) -> usize {
    const CHUNK: usize = 4096;
    let mut at = 0;
    while bytes.len() - at >= CHUNK && torn::is_zero(&bytes[at..at + CHUNK]) {
        at += CHUNK;
    }
    at + bytes[at..].iter().position(|&byte| byte != 0).unwrap_or(bytes.len() - at)
}

/// Removes files; a missing one is gone already.
pub(crate) fn remove(dir: &Path, paths: &[PathBuf]) -> Result<(), LogError> {
    for path in paths {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error("remove", path)(error)),
            _ => {}
        }
    }
    if paths.is_empty() { Ok(()) } else { system::sync_directory(dir) }
}
