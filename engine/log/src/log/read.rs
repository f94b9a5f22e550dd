//! Reading the log: by `pread` for whoever can wait, in place for those who follow what is decided.
//!
//! A start finds each frame's place; between the marks that are kept, readers walk over headers. Absent on
//! purpose: a cache of frames; the page cache is one.

use super::{Base, FrameEnd, Log};
use crate::error::LogError;
use crate::segment::{SEGMENT_HEADER_BYTES, Segment};
use crate::system::Mapping;
use std::sync::Arc;
use wire::frame::{BODY_BYTES_MAX, Buffer, Entries, Frame, FrameError, HEADER_BYTES, Header, check_body};
use wire::id::Index;

/// How much is read at once when walking over headers, in bytes.
const WINDOW_BYTES: u64 = 32 << 10;

impl Log {
    /// Which segment holds `index`.
    fn segment_of(&self, index: Index) -> Result<usize, LogError> {
        let (first, last) = (self.first_index(), self.last_index());
        if index < first || index > last {
            return Err(LogError::NotHeld { index, first, last });
        }
        Ok(self.segments.partition_point(|segment| segment.header.first <= index) - 1)
    }

    /// The frame that holds `index`: segment, offset, header. By `pread`.
    pub(super) fn locate(&self, index: Index) -> Result<(usize, u64, Header), LogError> {
        let at = self.segment_of(index)?;
        let segment = &self.segments[at];
        let mark = segment.mark_before(index);
        let (mut window, mut begins) = (Vec::new(), mark.offset);
        let (mut offset, mut first) = (mark.offset, mark.first);
        loop {
            within(segment, offset).map_err(segment.corrupt(offset, index))?;
            let mut inside = (offset - begins) as usize;
            if inside + HEADER_BYTES > window.len() {
                window = segment.read(offset, (segment.end - offset).min(WINDOW_BYTES) as usize)?;
                (begins, inside) = (offset, 0);
            }
            let header = Header::parse(&window[inside..]).map_err(segment.corrupt(offset, index))?;
            expect_first(&header, first).map_err(segment.corrupt(offset, index))?;
            if header.last() >= index {
                return Ok((at, offset, header));
            }
            (offset, first) = (offset + header.frame_bytes() as u64, header.last().next());
        }
    }

    /// The frames from the one that holds `from` on, at least one, then as many whole ones of the same and
    /// later segments as fit in `max_bytes`; empty when `from` is just above the last index. By `pread`; every
    /// byte is checked.
    ///
    /// # Errors
    /// [`LogError::NotHeld`], [`LogError::Corrupt`], [`LogError::Io`].
    pub fn read(&self, from: Index, max_bytes: usize) -> Result<Vec<Frame>, LogError> {
        let mut frames = Vec::new();
        if from == self.last_index().next() {
            return Ok(frames);
        }
        let (mut at, mut offset, mut header) = self.locate(from)?;
        let mut left = max_bytes.max(header.frame_bytes());
        let mut chain = header.previous_chain;
        while at < self.segments.len() {
            let segment = &self.segments[at];
            let bytes = segment.read(offset, (segment.end - offset).min(left as u64) as usize)?;
            let mut rest = &bytes[..];
            while rest.len() >= HEADER_BYTES {
                header = Header::parse(rest).map_err(segment.corrupt(offset, header.first))?;
                if header.previous_chain != chain {
                    let source =
                        FrameError::Chain { first: header.first, expected: chain, found: header.previous_chain };
                    return Err(segment.corrupt(offset, header.first)(source));
                }
                let Some((frame, after)) = rest.split_at_checked(header.frame_bytes()) else { return Ok(frames) };
                frames
                    .push(travelling(&header, &frame[HEADER_BYTES..]).map_err(segment.corrupt(offset, header.first))?);
                (chain, rest) = (header.chain, after);
                (offset, left) = (offset + frame.len() as u64, left - frame.len());
            }
            if offset < segment.end || left < HEADER_BYTES {
                break;
            }
            (at, offset) = (at + 1, SEGMENT_HEADER_BYTES);
        }
        Ok(frames)
    }

    /// The frame that holds `index`. By `pread`, checked.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub fn frame_at(&self, index: Index) -> Result<Frame, LogError> {
        let (at, offset, header) = self.locate(index)?;
        let segment = &self.segments[at];
        let body = segment.read(offset + HEADER_BYTES as u64, header.body_bytes as usize)?;
        travelling(&header, &body).map_err(segment.corrupt(offset, index))
    }

    /// Chain and ballot of the frame that ends at `index`, which may be the one just before the first.
    ///
    /// # Errors
    /// [`LogError::NotBoundary`] when none ends there, else as [`Log::read`].
    pub fn frame_end(&self, index: Index) -> Result<FrameEnd, LogError> {
        if index == self.last_index() {
            let Base { chain, ballot, .. } = self.end();
            return Ok(FrameEnd { chain, ballot });
        }
        if self.segments.is_empty() {
            return Err(LogError::NotHeld { index, first: self.first_index(), last: self.last_index() });
        }
        self.boundary(index).map(|(_, _, end)| end)
    }

    /// The frame that holds `index`, in place in memory. Its chain is checked when it is first touched, entries
    /// at every access.
    ///
    /// # Errors
    /// [`LogError::NotHeld`], [`LogError::Corrupt`], [`LogError::Io`].
    ///
    /// # Panics
    /// When the frame does not end at or before `decided`: an undecided tail may be cut, and its memory with it.
    pub fn map_slice(&self, index: Index, decided: Index) -> Result<MappedFrame, LogError> {
        assert!(index <= decided, "index {index} is not decided (up to {decided})");
        let at = self.segment_of(index)?;
        let segment = &self.segments[at];
        let map = segment.map()?;
        let mark = segment.mark_before(index);
        let (mut offset, mut first) = (mark.offset, mark.first);
        // Appliers go forward, frame by frame.
        let (cursor_segment, cursor_offset, cursor_first) = self.cursor.get();
        if cursor_segment == segment.header.number && (first..=index).contains(&cursor_first) {
            (offset, first) = (cursor_offset, cursor_first);
        }
        let header = loop {
            within(segment, offset).map_err(segment.corrupt(offset, index))?;
            #[allow(unsafe_code)]
            // SAFETY: a frame whose first index is decided is a frame that was appended and will not be cut;
            // the file is written to only behind its last frame.
            let bytes = unsafe { map.settled(offset, HEADER_BYTES) };
            let header = Header::parse(bytes).map_err(segment.corrupt(offset, index))?;
            expect_first(&header, first).map_err(segment.corrupt(offset, index))?;
            if header.last() >= index {
                break header;
            }
            (offset, first) = (offset + header.frame_bytes() as u64, header.last().next());
        };
        assert!(header.last() <= decided, "frame {first}..={} is not decided (up to {decided})", header.last());
        let after = offset + header.frame_bytes() as u64;
        if after > segment.end {
            let (needed, found) = (header.frame_bytes(), (segment.end - offset) as usize);
            return Err(segment.corrupt(offset, index)(FrameError::Short { needed, found }));
        }
        let frame = MappedFrame { map: map.clone(), header, offset };
        if offset >= segment.checked_to.get() {
            check_body(&header, frame.body()).map_err(segment.corrupt(offset, index))?;
            if offset == segment.checked_to.get() {
                segment.checked_to.set(after);
            }
        }
        self.cursor.set((segment.header.number, after, header.last().next()));
        self.mapped_to.set(self.mapped_to.get().max(header.last()));
        Ok(frame)
    }
}

/// Whether a header can lie at `offset`: the one before may be damaged and lead anywhere.
fn within(segment: &Segment, offset: u64) -> Result<(), FrameError> {
    let found = segment.end.saturating_sub(offset) as usize;
    if found < HEADER_BYTES { Err(FrameError::Short { needed: HEADER_BYTES, found }) } else { Ok(()) }
}

fn expect_first(header: &Header, expected: Index) -> Result<(), FrameError> {
    if header.first == expected {
        return Ok(());
    }
    // Another frame lies where this one was: the chain there is not the one that leads here.
    Err(FrameError::Chain { first: expected, expected: expected.0, found: header.first.0 })
}

/// The frame as it travels: without the note that its header carries on disk.
fn travelling(header: &Header, body: &[u8]) -> Result<Frame, FrameError> {
    assert!(body.len() <= BODY_BYTES_MAX, "a parsed header bounds its body");
    let mut bytes = Buffer::with_capacity(HEADER_BYTES + body.len());
    bytes.resize(HEADER_BYTES, 0);
    header.write(&mut bytes);
    bytes.extend_from_slice(body);
    Frame::from_bytes(&bytes)
}

/// A decided frame in the mapped log. Keeps the mapping, not the file: a purged frame stays readable.
#[derive(Clone)]
pub struct MappedFrame {
    map: Arc<Mapping>,
    header: Header,
    offset: u64,
}

impl std::fmt::Debug for MappedFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MappedFrame[{}..={}]", self.header.first, self.header.last())
    }
}

impl MappedFrame {
    /// What the frame says of itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The entries' bytes, one after another, on a 16-byte boundary.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        #[allow(unsafe_code)]
        // SAFETY: only decided frames get here (asserted in `map_slice`). Those are never cut, and the log
        // writes only behind its last frame, so that these bytes do not change while the mapping lives.
        unsafe {
            self.map.settled(self.offset + HEADER_BYTES as u64, self.header.body_bytes as usize)
        }
    }

    /// Its entries with their indexes, in order.
    #[must_use]
    pub fn entries(&self) -> Entries<'_> {
        Entries::new(self.body(), self.header.first, self.header.entries)
    }

    /// The frame by itself, copied.
    ///
    /// # Errors
    /// Any [`FrameError`] if the memory is not what it was.
    pub fn to_frame(&self) -> Result<Frame, FrameError> {
        travelling(&self.header, self.body())
    }
}
