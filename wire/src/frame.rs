//! Log frames: one batch of entries as it is sent to peers and written to the group log.
//!
//! The same bytes travel and rest. Only [`Header::synced`] and [`Header::decided`] are a member's own;
//! they lie outside the chain, so that chains compare across members. Integrity: the header has a
//! crc32; the body is covered by the chain, whose previous value the header carries, so that any
//! frame can be checked alone. Layout, little endian, 80 bytes, then the body:
//!
//! ```text
//!  0 magic u32   4 body bytes u32   8 header crc32   12 entries u32   16 chain u64   24 previous chain u64
//! 32 first index u64   40 ballot round u64   48 ballot node u64   56 decided u64   64 synced u64   72 zero u64
//! body: entries one after another, each
//!       { length u32, kind u32, origin u64, run u64, number u64, rkyv archive padded to 16 }
//! ```
//!
//! The entry header repeats the stamp and says whether the entry changes the view, so that ordering
//! never looks into an archive.
//!
//! Invariant: a frame starts and ends on a 16-byte boundary, so that every archive in it is aligned.

use crate::entry::{ArchivedEntry, Body, Entry, Stamp};
use crate::id::{Ballot, Incarnation, Index, Run};
use rkyv::rancor;
use rkyv::util::AlignedVec;
use std::sync::Arc;

/// Bytes of a frame header.
pub const HEADER_BYTES: usize = 80;
/// Bytes before each entry's archive.
pub const ENTRY_HEADER_BYTES: usize = 32;
/// Largest body that a reader accepts: a window of parts and one transaction of the greatest size.
pub const BODY_BYTES_MAX: usize = 64 << 20;
/// Every part of a frame is padded to this.
pub const ALIGN: usize = 16;
/// The chain before the first frame of a log.
pub const CHAIN_START: u64 = 0;

/// `kind` of an entry that is a view or begins a birth; others are 0.
const KIND_VIEW: u8 = 1;
const MAGIC: u32 = 0x514d_5246;

/// Bytes aligned as rkyv and the log need them.
pub type Buffer = AlignedVec<ALIGN>;

/// Why bytes are not a frame. The file's, peer's or network's fault; never a reason to panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Fewer bytes than the header, or the body, needs.
    #[error("frame needs {needed} bytes, found {found}")]
    Short {
        /// Bytes that the frame needs.
        needed: usize,
        /// Bytes there are.
        found: usize,
    },
    /// Does not begin as a frame does (zeros: the log's prewritten end).
    #[error("frame magic is {found:#010x}, expected {MAGIC:#010x}")]
    Magic {
        /// The four bytes found.
        found: u32,
    },
    /// Header bytes were changed.
    #[error("frame header checksum is {found:#010x}, expected {expected:#010x}")]
    Checksum {
        /// As computed.
        expected: u32,
        /// As stored.
        found: u32,
    },
    /// A length, count or alignment that no writer produces.
    #[error(
        "frame body of {body} bytes and {entries} entries is not allowed (at most {BODY_BYTES_MAX} bytes, a multiple of {ALIGN})"
    )]
    Size {
        /// Body bytes named.
        body: usize,
        /// Entries named.
        entries: u32,
    },
    /// Body bytes were changed.
    #[error("frame chain at index {first} is {found:#018x}, expected {expected:#018x}")]
    Chain {
        /// First index of the frame.
        first: Index,
        /// As computed.
        expected: u64,
        /// As stored.
        found: u64,
    },
    /// The body does not divide into entries.
    #[error("entry {at} of the frame at index {first} is malformed")]
    Entry {
        /// First index of the frame.
        first: Index,
        /// Which entry, from 0.
        at: u32,
    },
}

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the body.
    pub body_bytes: u32,
    /// Entries in it, at least 1.
    pub entries: u32,
    /// Hash of the chain before, the place, the ballot and the body.
    pub chain: u64,
    /// Chain of the frame before, or [`CHAIN_START`].
    pub previous_chain: u64,
    /// Index of its first entry.
    pub first: Index,
    /// Ballot under which it was first written.
    pub ballot: Ballot,
    /// Highest index that the writing member knew decided.
    pub decided: Index,
    /// Highest index that the writing member had synced.
    pub synced: Index,
}

impl Header {
    /// Reads and checks the header at the start of `bytes`. The body is not looked at.
    ///
    /// # Errors
    /// [`FrameError::Short`], `Magic`, `Checksum` or `Size`.
    pub fn parse(bytes: &[u8]) -> Result<Self, FrameError> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(FrameError::Short { needed: HEADER_BYTES, found: bytes.len() });
        };
        let u32_at = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        if u32_at(0) != MAGIC {
            return Err(FrameError::Magic { found: u32_at(0) });
        }
        let (expected, found) = (crc32fast::hash(&header[12..]) ^ u32_at(4), u32_at(8));
        if expected != found {
            return Err(FrameError::Checksum { expected, found });
        }
        let header = Self {
            body_bytes: u32_at(4),
            entries: u32_at(12),
            chain: u64_at(16),
            previous_chain: u64_at(24),
            first: Index(u64_at(32)),
            ballot: Ballot { round: u64_at(40), node: Incarnation(u64_at(48)) },
            decided: Index(u64_at(56)),
            synced: Index(u64_at(64)),
        };
        let body = header.body_bytes as usize;
        let fits = body <= BODY_BYTES_MAX && body.is_multiple_of(ALIGN) && header.entries >= 1;
        if !fits || header.first.0 == 0 || header.first.0.checked_add(u64::from(header.entries)).is_none() {
            return Err(FrameError::Size { body, entries: header.entries });
        }
        Ok(header)
    }

    /// Writes the header over the first [`HEADER_BYTES`] of `frame`.
    pub fn write(&self, frame: &mut [u8]) {
        let mut put = |at: usize, bytes: &[u8]| frame[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC.to_le_bytes());
        put(4, &self.body_bytes.to_le_bytes());
        put(12, &self.entries.to_le_bytes());
        put(16, &self.chain.to_le_bytes());
        put(24, &self.previous_chain.to_le_bytes());
        put(32, &self.first.0.to_le_bytes());
        put(40, &self.ballot.round.to_le_bytes());
        put(48, &self.ballot.node.0.to_le_bytes());
        put(56, &self.decided.0.to_le_bytes());
        put(64, &self.synced.0.to_le_bytes());
        put(72, &0u64.to_le_bytes());
        let crc = crc32fast::hash(&frame[12..HEADER_BYTES]) ^ self.body_bytes;
        frame[8..12].copy_from_slice(&crc.to_le_bytes());
    }

    /// Index of the last entry.
    #[must_use]
    pub fn last(&self) -> Index {
        Index(self.first.0 + u64::from(self.entries) - 1)
    }

    /// Bytes of header and body.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        HEADER_BYTES + self.body_bytes as usize
    }

    /// The chain that this header and `body` give.
    #[must_use]
    pub fn compute_chain(&self, body: &[u8]) -> u64 {
        let place = [self.previous_chain, self.first.0, self.ballot.round, self.ballot.node.0, u64::from(self.entries)];
        let seed = place.iter().fold(0x9e37_79b9_7f4a_7c15, |seed: u64, &part| {
            (seed ^ part).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(29)
        });
        xxhash_rust::xxh3::xxh3_64_with_seed(body, seed)
    }
}

/// Entries of a frame that follow one another with consecutive numbers of one origin's run. Proposals come in
/// batches, so that a frame has few of them: who only orders looks at these, not at each entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Stamp of its first entry. Number 0 is a leader's own entry, a stretch by itself.
    pub first: Stamp,
    /// Entries in it, at least 1.
    pub count: u32,
}

impl Stretch {
    /// Number of the last entry.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.first.number + u64::from(self.count - 1)
    }

    fn continues_with(&self, stamp: Stamp) -> bool {
        let same = (stamp.origin, stamp.run) == (self.first.origin, self.first.run);
        same && self.first.number != 0 && self.last().checked_add(1) == Some(stamp.number)
    }
}

/// What ordering needs to know of a body, found in one pass over it.
#[derive(Clone, Debug, Default)]
struct Summary {
    /// Most frames have one stretch, and a list of one would be memory of its own.
    first: Option<Stretch>,
    more: Vec<Stretch>,
    changes_view: bool,
}

impl Summary {
    /// Of a body that divides into `count` entries; else the first that is malformed.
    fn of(body: &[u8], count: u32) -> Result<Self, u32> {
        let (mut summary, mut rest) = (Self::default(), body);
        for at in 0..count {
            let (archive, after) = split_entry(rest).ok_or(at)?;
            let entry = EntryBytes { archive, whole: &rest[..rest.len() - after.len()] };
            let stamp = entry.stamp();
            summary.changes_view |= entry.changes_view();
            let begun = Stretch { first: stamp, count: 1 };
            match summary.more.last_mut().or(summary.first.as_mut()) {
                Some(stretch) if stretch.continues_with(stamp) => stretch.count += 1,
                Some(_) => summary.more.push(begun),
                None => summary.first = Some(begun),
            }
            rest = after;
        }
        if rest.is_empty() { Ok(summary) } else { Err(count) }
    }
}

/// A whole, checked frame that is shared without copying.
#[derive(Clone)]
pub struct Frame {
    header: Header,
    held: Arc<(Buffer, Summary)>,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame[{}..={} of {}]", self.header.first, self.header.last(), self.header.ballot)
    }
}

impl Frame {
    /// Copies and checks the frame at the start of `bytes`, chain and entry boundaries included.
    ///
    /// # Errors
    /// Any [`FrameError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrameError> {
        let header = Header::parse(bytes)?;
        let needed = header.frame_bytes();
        let Some(bytes) = bytes.get(..needed) else {
            return Err(FrameError::Short { needed, found: bytes.len() });
        };
        let summary = checked(&header, &bytes[HEADER_BYTES..])?;
        let mut owned = Buffer::with_capacity(needed);
        owned.extend_from_slice(bytes);
        Ok(Self { header, held: Arc::new((owned, summary)) })
    }

    /// The frames that lie one after another in `bytes`, each checked; a single one without copying it.
    ///
    /// # Errors
    /// Any [`FrameError`] of the first that is none.
    pub fn all_from(bytes: Buffer) -> Result<Vec<Self>, FrameError> {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let header = Header::parse(&bytes)?;
        if header.frame_bytes() == bytes.len() {
            let summary = checked(&header, &bytes[HEADER_BYTES..])?;
            return Ok(vec![Self { header, held: Arc::new((bytes, summary)) }]);
        }
        let (mut rest, mut frames) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let frame = Self::from_bytes(rest)?;
            rest = &rest[frame.bytes().len()..];
            frames.push(frame);
        }
        Ok(frames)
    }

    /// What the frame says of itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Header and body, as they travel.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.held.0
    }

    /// Its entries, one after another.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes()[HEADER_BYTES..]
    }

    /// Its entries' stamps, as stretches, in order.
    pub fn stretches(&self) -> impl Iterator<Item = &Stretch> {
        let summary = &self.held.1;
        summary.first.iter().chain(&summary.more)
    }

    /// Whether some entry is a view or begins a birth.
    #[must_use]
    pub fn changes_view(&self) -> bool {
        self.held.1.changes_view
    }

    /// The frame with a member's own decided and synced index in its header (copies the bytes
    /// only if the frame is shared).
    #[must_use]
    pub fn stamped(mut self, decided: Index, synced: Index) -> Self {
        if (self.header.decided, self.header.synced) == (decided, synced) {
            return self;
        }
        self.header.decided = decided;
        self.header.synced = synced;
        let held = match Arc::get_mut(&mut self.held) {
            Some(held) => held,
            None => {
                let mut copy = Buffer::with_capacity(self.bytes().len());
                copy.extend_from_slice(self.bytes());
                self.held = Arc::new((copy, self.held.1.clone()));
                Arc::get_mut(&mut self.held).expect("just made, so not shared")
            }
        };
        self.header.write(&mut held.0);
        self
    }

    /// Its entries with their indexes, in order. Archives are checked by [`EntryBytes::view`].
    #[must_use]
    pub fn entries(&self) -> Entries<'_> {
        Entries { body: self.body(), next: self.header.first, left: self.header.entries }
    }
}

/// Checks that `body` is what `header` says: its chain, and that it divides into entries.
///
/// # Errors
/// [`FrameError::Chain`] or [`FrameError::Entry`].
pub fn check_body(header: &Header, body: &[u8]) -> Result<(), FrameError> {
    checked(header, body).map(|_| ())
}

fn checked(header: &Header, body: &[u8]) -> Result<Summary, FrameError> {
    let expected = header.compute_chain(body);
    if expected != header.chain {
        return Err(FrameError::Chain { first: header.first, expected, found: header.chain });
    }
    Summary::of(body, header.entries).map_err(|at| FrameError::Entry { first: header.first, at })
}

fn split_entry(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u32::from_le_bytes(*body.first_chunk::<4>()?) as usize;
    let padded = length.checked_next_multiple_of(ALIGN)?;
    let archive = body.get(ENTRY_HEADER_BYTES..ENTRY_HEADER_BYTES + length)?;
    Some((archive, body.get(ENTRY_HEADER_BYTES + padded..)?))
}

/// Iterator over the entries of a body. Stops early at a malformed one, which a checked frame has not.
#[derive(Clone)]
pub struct Entries<'a> {
    body: &'a [u8],
    next: Index,
    left: u32,
}

impl<'a> Entries<'a> {
    /// Over `count` entries in `body`, which must start on a 16-byte boundary; the first has index `first`.
    #[must_use]
    pub fn new(body: &'a [u8], first: Index, count: u32) -> Self {
        Self { body, next: first, left: count }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Index, EntryBytes<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let (archive, rest) = split_entry(self.body)?;
        let whole = &self.body[..self.body.len() - rest.len()];
        let index = self.next;
        (self.body, self.next, self.left) = (rest, index.next(), self.left - 1);
        Some((index, EntryBytes { archive, whole }))
    }
}

/// One entry's archive, not yet checked.
#[derive(Clone, Copy, Debug)]
pub struct EntryBytes<'a> {
    archive: &'a [u8],
    whole: &'a [u8],
}

impl<'a> EntryBytes<'a> {
    /// Reads the entry in place: validates, copies nothing.
    ///
    /// # Errors
    /// `None` when the bytes are not a valid archive of an [`Entry`].
    #[must_use]
    pub fn view(&self) -> Option<&'a ArchivedEntry> {
        rkyv::access::<ArchivedEntry, rancor::Failure>(self.archive).ok()
    }

    /// The entry's stamp, from its header.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let u64_at = |at: usize| u64::from_le_bytes(self.whole[at..at + 8].try_into().expect("8 bytes"));
        Stamp { origin: Incarnation(u64_at(8)), run: Run(u64_at(16)), number: u64_at(24) }
    }

    /// Whether the entry is a view or begins a birth, from its header.
    #[must_use]
    pub fn changes_view(&self) -> bool {
        self.whole[4] == KIND_VIEW
    }

    /// Entry header, archive and padding: what [`BatchBuilder::push_raw`] takes.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.whole
    }
}

/// Collects entries into one batch: proposals in a queue, then the body of a frame. Room for the
/// frame's header is kept before them, so that making the frame copies nothing.
#[derive(Debug, Clone)]
pub struct BatchBuilder {
    bytes: Buffer,
    entries: u32,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl BatchBuilder {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty batch with room for `bytes` of entries.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        let mut buffer = Buffer::with_capacity(HEADER_BYTES + bytes);
        buffer.resize(HEADER_BYTES, 0);
        Self { bytes: buffer, entries: 0 }
    }

    /// Serialises one entry behind the others.
    pub fn push(&mut self, entry: &Entry) {
        let at = self.bytes.len();
        self.bytes.resize(at + ENTRY_HEADER_BYTES, 0);
        let bytes = std::mem::take(&mut self.bytes);
        let bytes = rkyv::api::high::to_bytes_in::<_, rancor::Error>(entry, bytes)
            .expect("serialising into memory cannot fail: entries hold no shared pointers");
        self.bytes = bytes;
        let length = self.bytes.len() - at - ENTRY_HEADER_BYTES;
        let kind = if matches!(entry.body, Body::View(_) | Body::Birth(_)) { KIND_VIEW } else { 0 };
        let stamp = &entry.stamp;
        let header = [length as u64 | u64::from(kind) << 32, stamp.origin.0, stamp.run.0, stamp.number];
        for (word, bytes) in header.iter().zip(self.bytes[at..].chunks_exact_mut(8)) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGN), 0);
        self.entries += 1;
    }

    /// Copies an entry that is already serialised ([`EntryBytes::raw`]).
    pub fn push_raw(&mut self, raw: &[u8]) {
        self.push_all(raw, 1);
    }

    /// Copies `count` serialised entries that lie one after another.
    pub fn push_all(&mut self, raw: &[u8], count: u32) {
        debug_assert!(raw.len().is_multiple_of(ALIGN));
        self.bytes.extend_from_slice(raw);
        self.entries += count;
    }

    /// Entries so far.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.entries
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Bytes of entries so far.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len() - HEADER_BYTES
    }

    /// The entries, one after another.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes[HEADER_BYTES..]
    }

    /// Forgets the entries and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.resize(HEADER_BYTES, 0);
        self.entries = 0;
    }

    /// Makes a frame of a copy of the batch.
    ///
    /// # Panics
    /// As [`BatchBuilder::into_frame`].
    #[must_use]
    pub fn frame(&self, place: Place) -> Frame {
        self.clone().into_frame(place)
    }

    /// Makes the batch a frame.
    ///
    /// # Panics
    /// When the batch is empty, over [`BODY_BYTES_MAX`], or holds what is no entry: callers bound and check theirs.
    #[must_use]
    pub fn into_frame(mut self, place: Place) -> Frame {
        assert!(self.entries > 0, "a frame holds at least one entry");
        assert!(self.byte_len() <= BODY_BYTES_MAX, "a frame body of {} bytes", self.byte_len());
        let mut header = Header {
            body_bytes: self.byte_len() as u32,
            entries: self.entries,
            chain: 0,
            previous_chain: place.previous_chain,
            first: place.first,
            ballot: place.ballot,
            decided: place.decided,
            synced: place.synced,
        };
        header.chain = header.compute_chain(self.body());
        header.write(&mut self.bytes);
        let summary = Summary::of(self.body(), self.entries).expect("a batch is made of entries");
        Frame { header, held: Arc::new((self.bytes, summary)) }
    }
}

/// Where in the log a batch goes.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Index of its first entry.
    pub first: Index,
    /// The leader's present ballot.
    pub ballot: Ballot,
    /// Chain of the frame before.
    pub previous_chain: u64,
    /// Highest index known decided.
    pub decided: Index,
    /// Highest index synced here.
    pub synced: Index,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Body, Stamp};

    fn sample() -> Frame {
        let mut batch = BatchBuilder::new();
        for number in 1..=3 {
            batch.push(&Entry { stamp: Stamp { number, ..Stamp::default() }, body: Body::Marker });
        }
        batch.frame(Place {
            first: Index(7),
            ballot: Ballot { round: 2, node: Incarnation(9) },
            previous_chain: 42,
            decided: Index(5),
            synced: Index(6),
        })
    }

    #[test]
    fn a_frame_reads_back_what_was_written() {
        let frame = Frame::from_bytes(sample().bytes()).unwrap();
        assert_eq!(frame.header(), sample().header());
        let numbers: Vec<_> =
            frame.entries().map(|(index, entry)| (index.0, entry.view().unwrap().stamp.number.to_native())).collect();
        assert_eq!(numbers, [(7, 1), (8, 2), (9, 3)]);
        assert_eq!(frame.header().last(), Index(9));
    }

    /// Stretches are the stamps of all entries, put together where they follow one another.
    #[test]
    fn stretches_name_every_entry() {
        let stamp = |origin, run, number| Stamp { origin: Incarnation(origin), run: Run(run), number };
        let stamps =
            [(1, 1, 1), (1, 1, 2), (1, 1, 4), (1, 2, 5), (2, 2, 6), (2, 2, 0), (2, 2, 0), (2, 2, 1), (2, 2, 2)];
        let mut batch = BatchBuilder::new();
        for (origin, run, number) in stamps {
            batch.push(&Entry { stamp: stamp(origin, run, number), body: Body::Marker });
        }
        let place =
            Place { first: Index(1), ballot: Ballot::ZERO, previous_chain: 0, decided: Index(0), synced: Index(0) };
        let frame = batch.into_frame(place);
        let counts: Vec<_> = frame.stretches().map(|stretch| stretch.count).collect();
        assert_eq!(counts, [2, 1, 1, 1, 1, 1, 2]);
        let named = frame.stretches().flat_map(|stretch| {
            (0..u64::from(stretch.count)).map(|at| Stamp { number: stretch.first.number + at, ..stretch.first })
        });
        assert!(named.eq(frame.entries().map(|(_, entry)| entry.stamp())));
        assert!(Frame::from_bytes(frame.bytes()).expect("a frame").stretches().eq(frame.stretches()));
        assert!(!frame.changes_view());
    }

    #[test]
    fn stamping_keeps_the_chain() {
        let frame = sample();
        let stamped = frame.clone().stamped(Index(8), Index(9));
        assert_eq!(stamped.header().chain, frame.header().chain);
        assert_eq!(Frame::from_bytes(stamped.bytes()).unwrap().header().synced, Index(9));
        assert_eq!(frame.header().synced, Index(6), "the shared original is untouched");
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let good = sample();
        for at in 0..good.bytes().len() {
            let mut bad = good.bytes().to_vec();
            bad[at] ^= 0x40;
            assert!(Frame::from_bytes(&bad).is_err(), "byte {at}");
        }
        for length in 0..good.bytes().len() {
            assert!(Frame::from_bytes(&good.bytes()[..length]).is_err(), "length {length}");
        }
    }
}
