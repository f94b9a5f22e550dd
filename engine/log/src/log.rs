//! The group log: frames in index order, in segments.
//!
//! Appends go where they last: with `sync` each is one `pwrite`, to be synced by the driver; without, it is
//! stored into the mapping, where it outlives the process. Readers of recent decided frames get slices of a
//! read-only mapping; all others read with `pread`.
//!
//! Absent on purpose: any idea of what a frame holds, of votes, of who decided; threads. The caller stamps
//! `decided` and `synced` into each frame, and keeps what [`Cut`] says in the vote file.
//!
//! Invariants, asserted:
//! - a frame continues the log: index, chain, ballot;
//! - a frame claims nothing synced that is not;
//! - a frame that was mapped for a reader is never cut.

mod read;

pub use read::MappedFrame;

use crate::error::LogError;
use crate::recover::{self, Progress, Recovered, Tail};
use crate::segment::{
    SEGMENT_HEADER_BYTES, Segment, SegmentHeader, SegmentNumber, Spare, SpareRequest, header_on_disk,
};
use crate::system::{self, Mapping, io_error};
use crate::torn::Mark;
use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use wire::frame::{CHAIN_START, Frame, HEADER_BYTES};
use wire::id::{Ballot, Index, Uuid};

/// Least segment size, in bytes.
pub const SEGMENT_BYTES_MIN: u64 = 1 << 20;
/// Greatest segment size, in bytes. A single frame may need a segment that is larger by two pages.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// Segment size unless another is asked for, in bytes.
pub const SEGMENT_BYTES_DEFAULT: u64 = 64 << 20;

const PAGE_BYTES: u64 = 4096;
/// A spare is made once this part of the last segment is used: early enough for the disk, late enough that a log which
/// is begun anew and again, as a joiner's is, writes no zeros in vain.
const SPARE_FROM_PART: u64 = 8;

/// How a log is opened.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// Size of new segments in bytes: [`SEGMENT_BYTES_MIN`]`..=`[`SEGMENT_BYTES_MAX`], a multiple of 4096.
    pub segment_bytes: u64,
    /// `sync_binlog` = 1: appends are written for `fdatasync`; otherwise stored into the mapping.
    pub sync: bool,
    /// Rewrite and sync the frames above the highest synced index before they count. Only a test or a tool
    /// that just looks would not.
    pub rewrite_unsynced: bool,
    /// The cut in the vote file: done now if it was not done.
    pub cut: Option<Cut>,
    /// There must be a log: an empty directory is an error, not a new log.
    pub must_exist: bool,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: SEGMENT_BYTES_DEFAULT, sync: true, rewrite_unsynced: true, cut: None, must_exist: false }
    }
}

/// Where the log is to be cut: kept in the vote file, synced, before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The last index that stays.
    pub index: Index,
    /// The segment that it lies in.
    pub segment: SegmentNumber,
    /// Where it ends there, in bytes.
    pub offset: u64,
    /// The segment that will be begun: the cut is done once this, or a later one, exists.
    pub fresh: SegmentNumber,
}

/// What lies before the first frame of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// Its index; the log begins with the next. 0 for a log from its beginning.
    pub index: Index,
    /// Chain of the frame that ends there; [`CHAIN_START`] for 0.
    pub chain: u64,
    /// Ballot of that frame.
    pub ballot: Ballot,
}

impl Base {
    /// Before everything.
    pub const START: Self = Self { index: Index(0), chain: CHAIN_START, ballot: Ballot::ZERO };
}

/// Chain and ballot of the frame that ends at an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameEnd {
    /// The frame's chain.
    pub chain: u64,
    /// The frame's ballot.
    pub ballot: Ballot,
}

/// What to sync, and what is synced then.
#[derive(Clone, Debug)]
#[must_use = "nothing is synced before the files are"]
pub struct SyncTargets {
    /// Call `fdatasync` on each, in any order. They stay open until dropped, even if the log removes them.
    pub files: Vec<Arc<File>>,
    /// The index that all these files reach.
    pub up_to: Index,
    /// Cuts before this: a sync of frames that were cut meanwhile says nothing about those that follow.
    cuts: u64,
}

struct Damage {
    segment: PathBuf,
    offset: u64,
    index: Index,
    synced: Index,
    durable: Index,
    dead: Vec<PathBuf>,
}

/// The group log of one member. See the module's documentation.
pub struct Log {
    dir: PathBuf,
    options: LogOptions,
    /// In order; the last is appended to. Never empty.
    segments: Vec<Segment>,
    /// Mapping of the last segment for appends; made when first needed.
    writer: Option<Mapping>,
    spare: Option<Spare>,
    spare_requested: bool,
    /// No spare is asked for before the last segment reaches here.
    spare_from: u64,
    synced: Index,
    cuts: u64,
    /// Highest index of a frame handed out as memory.
    mapped_to: Cell<Index>,
    /// Behind the frame that was mapped last: (segment, offset, index).
    cursor: Cell<(SegmentNumber, u64, Index)>,
    damage: Option<Damage>,
    highest: u64,
    id: Uuid,
    generation: u64,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Log[{}..={} in {}]", self.first_index(), self.last_index(), self.dir.display())
    }
}

impl Log {
    /// Opens the log in `dir`, or makes an empty one. The caller holds the [`crate::DirectoryLock`].
    ///
    /// A torn tail is cut, a recorded cut is done, frames that may be only in the page cache are rewritten and
    /// synced. With [`Tail::Corrupt`] nothing is changed: the log can be read up to the damage, not appended to.
    ///
    /// # Errors
    /// Any but `Corrupt`, `NotHeld` and `NotBoundary`.
    pub fn open(dir: &Path, options: LogOptions) -> Result<(Self, Recovered), LogError> {
        Self::open_with(dir, options, &mut |_| {})
    }

    /// As [`Log::open`], telling `progress` how far the scan has come (every 4 MiB, and each segment).
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_with(
        dir: &Path,
        options: LogOptions,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Self, Recovered), LogError> {
        let LogOptions { segment_bytes: found, .. } = options;
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&found) || !found.is_multiple_of(PAGE_BYTES) {
            return Err(LogError::SegmentBytes { found, min: SEGMENT_BYTES_MIN, max: SEGMENT_BYTES_MAX });
        }
        system::ignore_file_size_signal();
        let scan = recover::scan(dir, options.cut, progress)?;
        let created = scan.highest == 0;
        if created && options.must_exist {
            return Err(LogError::Missing { path: dir.to_owned() });
        }
        let mut log = Self {
            dir: dir.to_owned(),
            options,
            segments: scan.live,
            writer: None,
            spare: None,
            spare_requested: false,
            spare_from: 0,
            synced: Index(0),
            cuts: 0,
            mapped_to: Cell::new(Index(0)),
            cursor: Cell::new((SegmentNumber(0), 0, Index(0))),
            damage: None,
            highest: scan.highest,
            id: scan.log.unwrap_or_else(|| Uuid::from_random(u128::from_ne_bytes(system::random_bytes()))),
            generation: scan.generation,
        };
        let mut recovered = Recovered {
            first: Index(0),
            last: Index(0),
            last_ballot: Ballot::ZERO,
            decided: scan.decided,
            synced: scan.synced,
            tail: scan.tail,
            cut_done: false,
            rewritten_from: None,
            generation: scan.generation,
            created,
        };
        if let Tail::Corrupt { segment, offset, index, synced } = recovered.tail {
            let segment = segment.path(dir);
            log.damage = Some(Damage { segment, offset, index, synced, durable: scan.durable, dead: scan.dead });
        } else {
            log.synced = scan.durable.min(log.last_index());
            if created {
                log.begin(Base::START, true)?;
            } else if scan.cut_pending || recovered.tail != Tail::Clean {
                log.begin(log.end(), false)?;
                recovered.cut_done = scan.cut_pending;
            }
            recover::remove(dir, &scan.dead)?;
            if options.rewrite_unsynced && log.synced < log.last_index() {
                recovered.rewritten_from = Some(log.synced.next());
                log.rewrite_unsynced()?;
            }
        }
        log.spare_from = 0;
        recovered.first = log.first_index();
        recovered.last = log.last_index();
        recovered.last_ballot = log.last_ballot();
        Ok((log, recovered))
    }

    /// Makes sure that the disk has what the page cache holds above the synced index: a sync of clean pages
    /// would say nothing.
    fn rewrite_unsynced(&mut self) -> Result<(), LogError> {
        const CHUNK: u64 = 1 << 20;
        let from = self.synced.next();
        for segment in self.segments.iter().filter(|segment| !segment.is_empty() && segment.last >= from) {
            let mut at = segment.mark_before(from.max(segment.header.first)).offset;
            while at < segment.end {
                let bytes = segment.read(at, (segment.end - at).min(CHUNK) as usize)?;
                segment.file.write_all_at(&bytes, at).map_err(io_error("rewrite", &segment.path))?;
                at += bytes.len() as u64;
            }
        }
        self.sync_now()
    }

    // -- What there is --------------------------------------------------------------------------------------

    /// First index held; one above the last when there is none.
    #[must_use]
    pub fn first_index(&self) -> Index {
        self.segments.first().map_or(Index(1), |segment| segment.header.first)
    }

    /// Last index; one below the first when there is none.
    #[must_use]
    pub fn last_index(&self) -> Index {
        self.end().index
    }

    /// Ballot of the last frame.
    #[must_use]
    pub fn last_ballot(&self) -> Ballot {
        self.end().ballot
    }

    /// Chain of the last frame.
    #[must_use]
    pub fn last_chain(&self) -> u64 {
        self.end().chain
    }

    /// Highest index known to be on disk, whatever `sync` says.
    #[must_use]
    pub fn synced_index(&self) -> Index {
        self.synced
    }

    /// The last frame's end: what the next frame continues.
    #[must_use]
    pub fn end(&self) -> Base {
        self.segments.last().map_or(Base::START, |segment| Base {
            index: segment.last,
            chain: segment.last_chain,
            ballot: segment.last_ballot,
        })
    }

    /// Bytes of all segments' files.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.header.file_bytes).sum()
    }

    /// Generation given at the last [`Log::restart_at`]; 0 before.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    // -- Appending ------------------------------------------------------------------------------------------

    /// Appends `frame`, stamped with this member's own decided and synced index. Not yet on disk when this
    /// returns; safe from the end of this process, but not from the machine's.
    ///
    /// # Errors
    /// [`LogError::DiskFull`] when a new segment finds no room: nothing has changed, and the call may be
    /// repeated. [`LogError::Damaged`] after [`Tail::Corrupt`]. [`LogError::SyncFailed`] and [`LogError::Io`]:
    /// the process must end.
    ///
    /// # Panics
    /// When the frame does not continue the log, or claims a synced index above what is.
    pub fn append(&mut self, frame: &Frame) -> Result<(), LogError> {
        self.check_damage()?;
        let (header, end) = (frame.header(), self.end());
        assert_eq!(header.first, end.index.next(), "a frame continues the log");
        assert_eq!(header.previous_chain, end.chain, "a frame continues the chain at index {}", end.index);
        assert!(header.ballot >= end.ballot, "the ballot {} falls below {}", header.ballot, end.ballot);
        let synced = if self.options.sync { self.synced } else { end.index };
        assert!(header.synced <= synced, "a frame claims {} synced of {synced}", header.synced);
        if header.frame_bytes() as u64 > self.active().room() {
            self.rotate(header.frame_bytes() as u64)?;
        }
        let segment = self.segments.last_mut().expect("a log has a segment");
        let body = &frame.bytes()[HEADER_BYTES..];
        let offset = segment.end;
        if self.options.sync {
            let head = header_on_disk(header, body, offset, Mark::Written);
            system::write_both(&segment.file, &head, body, offset).map_err(io_error("append to", &segment.path))?;
        } else {
            let head = header_on_disk(header, body, offset, Mark::Mapped);
            let map = match &self.writer {
                Some(map) => map,
                None => {
                    let map = Mapping::new(&segment.file, segment.header.file_bytes, true)
                        .map_err(io_error("map", &segment.path))?;
                    self.writer.insert(map)
                }
            };
            #[allow(unsafe_code)]
            // SAFETY: the place is behind all frames of the segment, so that no slice of it was handed out
            // (those are of whole frames before `end`), and `&mut self` is the only writer of the file.
            unsafe {
                map.store_frame(offset, &head, body);
            }
        }
        segment.push(header);
        Ok(())
    }

    /// Changes `sync_binlog`. When it becomes 1, sync what is pending before anything is acknowledged under it.
    pub fn set_sync(&mut self, sync: bool) {
        self.options.sync = sync;
    }

    fn check_damage(&self) -> Result<(), LogError> {
        match &self.damage {
            None => Ok(()),
            Some(Damage { segment, offset, index, synced, .. }) => {
                Err(LogError::Damaged { segment: segment.clone(), offset: *offset, index: *index, synced: *synced })
            }
        }
    }

    fn active(&self) -> &Segment {
        self.segments.last().expect("a log has a segment")
    }

    fn rotate(&mut self, frame_bytes: u64) -> Result<(), LogError> {
        let full = self.active();
        if self.options.sync && self.synced < full.last {
            // So that the new header can say so: then a bad frame in a full segment is damage, never torn.
            self.sync_now()?;
        }
        let needed = (SEGMENT_HEADER_BYTES + frame_bytes).next_multiple_of(PAGE_BYTES);
        self.begin_sized(self.end(), false, self.options.segment_bytes.max(needed))
    }

    fn begin(&mut self, base: Base, anew: bool) -> Result<(), LogError> {
        self.begin_sized(base, anew, self.options.segment_bytes)
    }

    /// Begins a segment after `base`.
    fn begin_sized(&mut self, base: Base, anew: bool, file_bytes: u64) -> Result<(), LogError> {
        let header = SegmentHeader {
            log: self.id,
            number: SegmentNumber(self.highest + 1),
            first: base.index.next(),
            previous_chain: base.chain,
            previous_ballot: base.ballot,
            file_bytes,
            synced: self.synced.min(base.index),
            generation: self.generation,
            anew,
        };
        let spare = self.spare.take_if(|spare| spare.bytes() == file_bytes);
        let segment = Segment::begin(&self.dir, header, spare)?;
        // The rule by which a start finds the same: where a segment begins, all older ones end.
        let dead = |old: &mut Segment| anew || old.header.first >= header.first;
        let dead: Vec<PathBuf> = self.segments.extract_if(.., dead).map(|segment| segment.path).collect();
        self.highest += 1;
        self.spare_from = file_bytes / SPARE_FROM_PART;
        self.segments.push(segment);
        self.writer = None;
        recover::remove(&self.dir, &dead)
    }

    /// Makes the next segment's file ahead of need, so that the append that needs it does not wait. Blocks for
    /// as long as zeroing and syncing a segment takes; does nothing if there is one.
    ///
    /// # Errors
    /// [`LogError::DiskFull`], [`LogError::Io`].
    pub fn prepare_next(&mut self) -> Result<(), LogError> {
        self.spare_from = 0;
        match self.spare_request() {
            Some(request) => self.adopt_spare(request.create()),
            None => Ok(()),
        }
    }

    /// What [`Log::prepare_next`] would make, to be made on another thread and handed to
    /// [`Log::adopt_spare`]. `None` while there is one, one is being made, or the last segment was begun lately: a
    /// joiner and its donors have better use for their disks than zeros that are needed much later. A log that was
    /// just opened wants one, as a joiner soon begins it anew.
    pub fn spare_request(&mut self) -> Option<SpareRequest> {
        if self.spare.is_some() || self.spare_requested || self.active().end < self.spare_from {
            return None;
        }
        self.spare_requested = true;
        Some(SpareRequest { dir: self.dir.clone(), bytes: self.options.segment_bytes })
    }

    /// Takes the answer to a [`SpareRequest`].
    ///
    /// # Errors
    /// The one handed in. The log works on; a later request may succeed.
    pub fn adopt_spare(&mut self, spare: Result<Spare, LogError>) -> Result<(), LogError> {
        assert!(self.spare_requested, "a spare answers a request");
        self.spare_requested = false;
        self.spare = Some(spare?);
        Ok(())
    }

    // -- Syncing --------------------------------------------------------------------------------------------

    /// The files that hold frames above the synced index.
    pub fn sync_targets(&self) -> SyncTargets {
        let dirty = self.segments.iter().filter(|segment| !segment.is_empty() && segment.last > self.synced);
        let files = dirty.map(|segment| segment.file.clone()).collect();
        SyncTargets { files, up_to: self.last_index(), cuts: self.cuts }
    }

    /// All files of `targets` have been synced. Answers the index up to which the log is synced now.
    pub fn synced(&mut self, targets: &SyncTargets) -> Index {
        if targets.cuts == self.cuts {
            assert!(targets.up_to <= self.last_index(), "without a cut a log only grows");
            self.synced = self.synced.max(targets.up_to);
        }
        self.synced
    }

    /// Syncs here and now.
    ///
    /// # Errors
    /// [`LogError::SyncFailed`]: the process must end.
    pub fn sync_now(&mut self) -> Result<(), LogError> {
        let targets = self.sync_targets();
        for segment in self.segments.iter().filter(|segment| !segment.is_empty() && segment.last > self.synced) {
            system::sync_data(&segment.file, &segment.path)?;
        }
        self.synced(&targets);
        Ok(())
    }

    // -- Cutting --------------------------------------------------------------------------------------------

    /// What must be stored in the vote file, synced, before [`Log::cut_after`] is called with it. Nothing else
    /// may be done with the log between the two.
    ///
    /// # Errors
    /// [`LogError::NotBoundary`] when `index` is not the last of a frame, [`LogError::NotHeld`] when it is
    /// neither held nor just before the first, [`LogError::Damaged`], [`LogError::Corrupt`], [`LogError::Io`].
    pub fn cut_point(&self, index: Index) -> Result<Cut, LogError> {
        self.check_damage()?;
        let (at, offset, _) = self.boundary(index)?;
        Ok(Cut { index, segment: self.segments[at].header.number, offset, fresh: SegmentNumber(self.highest + 1) })
    }

    /// Drops all frames after `cut.index` and begins a fresh segment. The cut is durable when this returns.
    ///
    /// # Errors
    /// As [`Log::cut_point`]; [`LogError::DiskFull`]: nothing has changed.
    ///
    /// # Panics
    /// When `cut` is not what [`Log::cut_point`] answers, or a frame above it was mapped as decided.
    pub fn cut_after(&mut self, cut: Cut) -> Result<(), LogError> {
        assert_eq!(self.cut_point(cut.index)?, cut, "nothing happens between recording a cut and doing it");
        assert!(cut.index >= self.mapped_to.get(), "index {} is decided, it cannot be cut", self.mapped_to.get());
        let (_, _, end) = self.boundary(cut.index)?;
        let base = Base { index: cut.index, chain: end.chain, ballot: end.ballot };
        self.begin(base, false)?;
        // What is left of the older segments lies before the cut, but for the end of the last of them.
        if let [.., holder, _] = &mut self.segments[..] {
            assert_eq!(holder.header.number, cut.segment, "the cut lies in the last older segment");
            holder.end_at(cut.offset, base.index, base.chain, base.ballot);
        }
        self.cuts += 1;
        self.synced = self.synced.min(cut.index);
        Ok(())
    }

    /// Where the frame that ends at `index` ends: segment, offset, chain and ballot.
    fn boundary(&self, index: Index) -> Result<(usize, u64, FrameEnd), LogError> {
        if index.next() == self.first_index() {
            let header = self.segments.first().expect("a log has a segment").header;
            let end = FrameEnd { chain: header.previous_chain, ballot: header.previous_ballot };
            return Ok((0, SEGMENT_HEADER_BYTES, end));
        }
        let (at, offset, header) = self.locate(index)?;
        if header.last() != index {
            return Err(LogError::NotBoundary { index, first: header.first, last: header.last() });
        }
        let end = FrameEnd { chain: header.chain, ballot: header.ballot };
        Ok((at, offset + header.frame_bytes() as u64, end))
    }

    /// Gives up what lies behind the damage and begins a fresh segment after the last good frame. Only for a
    /// member that has stored that it is unsure and does not vote with this log.
    ///
    /// # Errors
    /// [`LogError::DiskFull`], [`LogError::Io`].
    pub fn abandon_tail(&mut self) -> Result<(), LogError> {
        let Some(damage) = &self.damage else { return Ok(()) };
        let dead = damage.dead.clone();
        self.synced = damage.durable.min(self.last_index());
        self.begin(self.end(), self.segments.is_empty())?;
        recover::remove(&self.dir, &dead)?;
        self.damage = None;
        self.rewrite_unsynced()
    }

    /// Drops everything and begins anew after `base`: the state up to there came from a checkpoint. The caller
    /// stores `generation` in the vote file.
    ///
    /// # Errors
    /// [`LogError::DiskFull`], [`LogError::Io`].
    pub fn restart_at(&mut self, base: Base, generation: u64) -> Result<(), LogError> {
        let before = std::mem::replace(&mut self.generation, generation);
        let synced = std::mem::replace(&mut self.synced, base.index);
        if let Err(error) = self.begin(base, true) {
            (self.generation, self.synced) = (before, synced);
            return Err(error);
        }
        self.cuts += 1;
        self.mapped_to.set(base.index);
        let dead = self.damage.take().map_or_else(Vec::new, |damage| damage.dead);
        recover::remove(&self.dir, &dead)
    }

    /// Removes the oldest segments whose frames all lie at or below `after`, while those take more than
    /// `keep_bytes` or were last written before `keep_since`; never the one being appended to. Answers the bytes
    /// freed.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn purge(&mut self, after: Index, keep_bytes: u64, keep_since: Option<SystemTime>) -> Result<u64, LogError> {
        let closed = &self.segments[..self.segments.len().saturating_sub(1)];
        let whole = &closed[..closed.partition_point(|segment| segment.last <= after)];
        let mut bytes: u64 = whole.iter().map(|segment| segment.header.file_bytes).sum();
        let mut purge_to = None;
        for segment in whole {
            let written = segment.file.metadata().and_then(|data| data.modified());
            let old = matches!((keep_since, written), (Some(since), Ok(written)) if written < since);
            if bytes <= keep_bytes && !old {
                break;
            }
            bytes -= segment.header.file_bytes;
            purge_to = Some(segment.last);
        }
        purge_to.map_or(Ok(0), |last| self.purge_before(last.next()))
    }

    /// Removes the segments all of whose frames lie before `index`; never the one being appended to. Answers
    /// the bytes freed.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn purge_before(&mut self, index: Index) -> Result<u64, LogError> {
        let whole = self.segments[..self.segments.len().saturating_sub(1)].partition_point(|s| s.last < index);
        // Oldest first, so that what is left has no hole whenever this is interrupted.
        let dead: Vec<Segment> = self.segments.drain(..whole).collect();
        let paths: Vec<PathBuf> = dead.iter().map(|segment| segment.path.clone()).collect();
        recover::remove(&self.dir, &paths)?;
        Ok(dead.iter().map(|segment| segment.header.file_bytes).sum())
    }
}
