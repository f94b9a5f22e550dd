//! Performs the engine's disk effects on the group log, the vote file and the local journal.
//!
//! Appends are writes into the page cache (or the mapping) on the spot; `fdatasync` runs through
//! io_uring in a task of its own, the next batch forming meanwhile. A failed sync ends the process: a
//! second try may lie.

use super::notify::Notify;
use crate::restart::Shelf;
use engine_core::effect::{CheckpointPart, CheckpointWrite, Input, Level, Vote};
use engine_core::paxos::tail::Point;
use engine_log::{
    Base, CheckpointFile, CheckpointWriter, Checkpoints, DirectoryLock, Journal, Log, LogError, LogOptions, Recovered,
    VoteFile, VoteRecord,
};
use glommio::io::BufferedFile;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use wire::frame::Frame;
use wire::id::{Index, Uuid};

/// What the data directory held.
pub struct Opened {
    /// The log, open.
    pub disk: Rc<Disk>,
    /// What the scan found.
    pub recovered: Recovered,
    /// The last vote record.
    pub vote: Vote,
    /// Records of the local journal.
    pub journal: Vec<Vec<u8>>,
    /// The machine restarted after this member had acknowledged on the strength of its page cache
    /// (`sync_binlog=0`): it cannot be sure of its data, and does not vote with it.
    pub unsure: bool,
}

/// The member's files.
pub struct Disk {
    log: RefCell<Log>,
    votes: RefCell<VoteFile>,
    record: RefCell<VoteRecord>,
    journal: RefCell<Journal>,
    sync: bool,
    dirty: Notify,
    cuts: Cell<u64>,
    spare: RefCell<Option<SpareSlot>>,
    boot_id: [u8; 16],
    checkpoints: RefCell<Checkpoints>,
    /// The checkpoint being written.
    writing: RefCell<Option<CheckpointWriter>>,
    /// Checkpoints begun or given up: one whose end is on its way counts only if none was since.
    writings: Cell<u64>,
    /// The one that was read last, open.
    reading: RefCell<Option<(Index, CheckpointFile)>>,
    keep: Keep,
    /// Up to here the log may be purged.
    purgeable: Cell<Index>,
    _lock: DirectoryLock,
}

/// How much log stays that no restart needs: for members that were away, and for SHOW BINLOG EVENTS.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// At most so many bytes of it (`quorate_log_keep_bytes`).
    pub bytes: u64,
    /// For so long at most (`binlog_expire_logs_seconds`); `None`: as long as there is room.
    pub time: Option<Duration>,
}

impl Keep {
    /// What the variables say: bytes, and seconds of which 0 stands for no limit. With the greatest number of bytes
    /// all log stays, however old.
    #[must_use]
    pub fn of(bytes: u64, seconds: u64) -> Self {
        let limited = bytes < i64::MAX as u64;
        Self { bytes, time: Some(seconds).filter(|&seconds| limited && seconds > 0).map(Duration::from_secs) }
    }
}

type SpareSlot = Arc<Mutex<Option<Result<engine_log::Spare, LogError>>>>;

/// Name of the group log's directory in the data directory.
pub const LOG_DIR: &str = "group_log";
/// Name of the directory of checkpoints.
pub const CHECKPOINT_DIR: &str = "checkpoints";
/// Name of the vote file.
pub const VOTE_FILE: &str = "vote";
/// Name of the local journal.
pub const JOURNAL_FILE: &str = "local_journal";

impl Disk {
    /// Locks and opens a data directory.
    ///
    /// # Errors
    /// Any [`LogError`]: the server does not start.
    pub fn open(
        dir: &Path,
        uuid: Uuid,
        sync: bool,
        segment_bytes: u64,
        keep: Keep,
        progress: &mut dyn FnMut(engine_log::Progress),
    ) -> Result<Opened, LogError> {
        let lock = DirectoryLock::acquire(dir)?;
        let (mut votes, record) = VoteFile::open(&dir.join(VOTE_FILE))?;
        let known = record.is_some();
        let record = record.unwrap_or(VoteRecord { server: uuid, ..VoteRecord::default() });
        let log_dir = dir.join(LOG_DIR);
        if !log_dir.exists() {
            std::fs::create_dir(&log_dir).map_err(|source| {
                let path = log_dir.clone();
                LogError::Io { operation: "create", path, source }
            })?;
        }
        let options = LogOptions { segment_bytes, sync, cut: record.cut, must_exist: false, ..LogOptions::default() };
        let (log, recovered) = Log::open_with(&log_dir, options, progress)?;
        let mut checkpoints = Checkpoints::open(&dir.join(CHECKPOINT_DIR))?;
        // The process ended between the log's new beginning and the checkpoint's new name.
        let base = log.first_index().0 - 1;
        if checkpoints.read_incoming().is_ok_and(|file| base > 0 && file.base().index == Index(base)) {
            checkpoints.adopt_incoming(Index(base))?;
        }
        let (journal, records, _) = Journal::open(&dir.join(JOURNAL_FILE))?;
        let boot_id = engine_log::boot_id()?;
        let unsure = record.unsynced_boot.is_some_and(|before| before != boot_id);
        let record = VoteRecord {
            server: uuid,
            cut: None,
            sync_binlog: u8::from(sync),
            // An unsure member stays so until its log is known to be whole, however often it restarts.
            unsynced_boot: if unsure { record.unsynced_boot } else { (!sync).then_some(boot_id) },
            ..record
        };
        if known || !sync {
            // The machine's run stands on disk before the first acknowledgement that rests on its page cache.
            votes.store(&record)?;
        }
        let vote = Vote {
            generation: 0,
            promised: record.promised,
            birth: record.birth,
            incarnation: record.incarnation,
            run: record.run,
            listed: record.listed,
            unsure,
        };
        let disk = Rc::new(Self {
            log: RefCell::new(log),
            votes: RefCell::new(votes),
            record: RefCell::new(record),
            journal: RefCell::new(journal),
            sync,
            dirty: Notify::default(),
            cuts: Cell::new(0),
            spare: RefCell::new(None),
            boot_id,
            checkpoints: RefCell::new(checkpoints),
            writing: RefCell::new(None),
            writings: Cell::new(0),
            reading: RefCell::new(None),
            keep,
            purgeable: Cell::new(Index(0)),
            _lock: lock,
        });
        Ok(Opened { disk, recovered, vote, journal: records, unsure })
    }

    /// Whether Group Replication ran when the process ended last.
    #[must_use]
    pub fn was_running(&self) -> bool {
        self.record.borrow().running
    }

    /// Notes whether Group Replication runs, with the next vote record.
    pub fn set_running(&self, running: bool) {
        self.record.borrow_mut().running = running;
    }

    /// Appends a frame; with `sync_binlog=1` the sync task is told.
    ///
    /// # Errors
    /// [`LogError`]: nothing was appended.
    pub fn append(&self, frame: &Frame) -> Result<(), LogError> {
        let appended = self.log.borrow_mut().append(frame);
        match appended {
            // Log that only stays for others makes room: nothing was done yet, and may be tried again.
            Err(LogError::DiskFull { .. }) if self.make_room()? => self.log.borrow_mut().append(frame)?,
            appended => appended?,
        }
        if self.sync {
            self.dirty.raise();
        }
        self.prepare_spare();
        Ok(())
    }

    /// Keeps a zeroed segment ready, made by a thread of its own.
    fn prepare_spare(&self) {
        let mut slot = self.spare.borrow_mut();
        if let Some(shared) = &*slot {
            let made = shared.lock().ok().and_then(|mut made| made.take());
            if let Some(made) = made {
                // A spare that could not be made is said when the segment is needed.
                let _ = self.log.borrow_mut().adopt_spare(made);
                *slot = None;
            }
            return;
        }
        if let Some(request) = self.log.borrow_mut().spare_request() {
            let shared: SpareSlot = Arc::default();
            let result = shared.clone();
            std::thread::spawn(move || {
                let made = request.create();
                if let Ok(mut slot) = result.lock() {
                    *slot = Some(made);
                }
            });
            *slot = Some(shared);
        }
    }

    /// Purges all log that no restart needs, whatever settings say; whether that freed anything.
    fn make_room(&self) -> Result<bool, LogError> {
        let freed = self.log.borrow_mut().purge(self.purgeable.get(), 0, None)?;
        if freed > 0 {
            let text = format!("the disk is full: {freed} bytes of purgeable group log were removed");
            crate::oplog::say(Level::Warning, text);
        }
        Ok(freed > 0)
    }

    /// Keeps the named checkpoints, and of the log at and below `log_after` as much as settings say.
    ///
    /// # Errors
    /// [`LogError`]: the process must end.
    pub fn retain(&self, keep: &[Index], log_after: Index) -> Result<(), LogError> {
        self.checkpoints.borrow_mut().retain(|index| keep.contains(&index))?;
        self.purgeable.set(log_after);
        let since = self.keep.time.and_then(|time| SystemTime::now().checked_sub(time));
        self.log.borrow_mut().purge(log_after, self.keep.bytes, since).map(drop)
    }

    /// The first index that the log holds.
    #[must_use]
    pub fn first_index(&self) -> Index {
        self.log.borrow().first_index()
    }

    /// Does what is asked with a checkpoint's file. A block is written into the page cache on the spot; the end is
    /// synced in a task of its own.
    pub fn write_checkpoint(self: &Rc<Self>, write: CheckpointWrite, report: impl Fn(Input) + 'static) {
        if matches!(write, CheckpointWrite::Begin { .. } | CheckpointWrite::Abandon) {
            self.void_checkpoint();
        }
        let done = match write {
            CheckpointWrite::Begin { point, incoming } => {
                let base = Base { index: point.index, chain: point.chain, ballot: point.ballot };
                let begun = self.checkpoints.borrow().begin(base, incoming);
                begun.map(|writer| {
                    self.writing.borrow_mut().replace(writer);
                    None
                })
            }
            CheckpointWrite::Block(block) => match self.writing.borrow_mut().as_mut() {
                Some(writer) => writer.append(&block).map(|()| Some(Input::CheckpointWritten)),
                None => return, // It failed before; that was reported.
            },
            CheckpointWrite::End => {
                let Some(writer) = self.writing.borrow_mut().take() else { return };
                let (disk, number) = (self.clone(), self.writings.get());
                glommio::spawn_local(async move {
                    match disk.complete(writer, number).await {
                        Ok(Some(index)) => report(Input::CheckpointStored { index }),
                        // Given up meanwhile: nobody waits for it.
                        Ok(None) => {}
                        Err(_) if number != disk.writings.get() => {}
                        Err(reason) => report(Input::CheckpointFailed { reason }),
                    }
                })
                .detach();
                return;
            }
            CheckpointWrite::Abandon => Ok(None),
        };
        match done {
            Ok(input) => input.into_iter().for_each(report),
            Err(error) => {
                self.writing.borrow_mut().take();
                report(Input::CheckpointFailed { reason: error.to_string() });
            }
        }
    }

    /// Gives up what is being written, also what is on its way to the disk.
    fn void_checkpoint(&self) {
        self.writing.borrow_mut().take();
        self.writings.set(self.writings.get() + 1);
    }

    /// Makes a checkpoint durable, and before it the log that it is of: with `sync_binlog=0` that is not on disk yet.
    /// `None` when it was given up meanwhile.
    async fn complete(&self, mut writer: CheckpointWriter, number: u64) -> Result<Option<Index>, String> {
        let file = writer.finish().map_err(|error| error.to_string())?;
        let targets = self.log.borrow().sync_targets();
        for file in targets.files.iter().chain([&file]) {
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            let buffered = BufferedFile::open(&path).await.map_err(|error| format!("cannot reopen a file: {error}"))?;
            buffered.fdatasync().await.map_err(|error| format!("fdatasync failed: {error}"))?;
            let _ = buffered.close().await;
        }
        if number != self.writings.get() {
            return Ok(None);
        }
        let incoming = writer.is_incoming();
        let index = writer.publish().map_err(|error| error.to_string())?;
        if !incoming {
            self.checkpoints.borrow_mut().note(index);
        }
        Ok(Some(index))
    }

    /// Gives up what lies behind the damage in the log; where a checkpoint reaches further than what is good of it, the
    /// log begins behind that. Only after the vote record says that this member does not vote with it.
    ///
    /// # Errors
    /// [`LogError`]: the process must end.
    pub fn give_up_damaged(&self, end: Point) -> Result<(), LogError> {
        if end.index <= self.log.borrow().last_index() {
            return self.log.borrow_mut().abandon_tail();
        }
        let generation = self.record.borrow().log_generation + 1;
        let base = Base { index: end.index, chain: end.chain, ballot: end.ballot };
        self.log.borrow_mut().restart_at(base, generation)?;
        self.record.borrow_mut().log_generation = generation;
        self.store_record()
    }

    fn with_checkpoint<T>(
        &self,
        index: Index,
        look: impl FnOnce(&CheckpointFile) -> Result<T, LogError>,
    ) -> Result<T, String> {
        let mut reading = self.reading.borrow_mut();
        if reading.as_ref().is_none_or(|(open, _)| *open != index) {
            let file = self.checkpoints.borrow().read(index).map_err(|error| error.to_string())?;
            *reading = Some((index, file));
        }
        let (_, file) = reading.as_ref().expect("just opened");
        look(file).map_err(|error| error.to_string())
    }

    /// Records a cut in the vote file, then does it.
    ///
    /// # Errors
    /// [`LogError`]: the process must end.
    pub fn cut(&self, after: Index) -> Result<(), LogError> {
        let cut = self.log.borrow().cut_point(after)?;
        self.record.borrow_mut().cut = Some(cut);
        self.store_record()?;
        self.log.borrow_mut().cut_after(cut)?;
        self.record.borrow_mut().cut = None;
        self.cuts.set(self.cuts.get() + 1);
        Ok(())
    }

    /// Drops the whole log.
    ///
    /// # Errors
    /// [`LogError`]: the process must end.
    pub fn reset(&self) -> Result<(), LogError> {
        let generation = self.record.borrow().log_generation + 1;
        self.log.borrow_mut().restart_at(Base::START, generation)?;
        self.record.borrow_mut().log_generation = generation;
        self.store_record()?;
        self.cuts.set(0);
        self.void_checkpoint();
        Ok(())
    }

    /// Drops the whole log and begins behind the incoming checkpoint, which is the only one then. Should the process
    /// end in between, the next start finds that the log begins where the incoming checkpoint ends.
    ///
    /// # Errors
    /// [`LogError`]: the process must end.
    pub fn restart_log(&self, base: Point) -> Result<(), LogError> {
        let generation = self.record.borrow().log_generation + 1;
        let (index, base) = (base.index, Base { index: base.index, chain: base.chain, ballot: base.ballot });
        self.log.borrow_mut().restart_at(base, generation)?;
        self.record.borrow_mut().log_generation = generation;
        self.store_record()?;
        self.cuts.set(0);
        self.void_checkpoint();
        self.reading.borrow_mut().take();
        self.purgeable.set(Index(0));
        self.checkpoints.borrow_mut().adopt_incoming(index)
    }

    /// A part of a stored checkpoint.
    #[must_use]
    pub fn read_checkpoint(&self, index: Index, block: Option<u64>) -> CheckpointPart {
        let part = match block {
            Some(number) => self.block(index, number).map(|block| block.map(CheckpointPart::Block)),
            None => self.with_checkpoint(index, |file| {
                let (point, bytes) = (point_of(file.base()), file.bytes());
                Ok(Some(CheckpointPart::Head { point, bytes, hashes: file.hashes().collect() }))
            }),
        };
        part.unwrap_or_else(|error| {
            crate::oplog::say(Level::Warning, format!("a recovering member cannot be served: {error}"));
            None
        })
        .unwrap_or(CheckpointPart::Gone)
    }

    fn store_record(&self) -> Result<(), LogError> {
        let record = *self.record.borrow();
        self.votes.borrow_mut().store(&record)
    }

    /// Stores a vote record in both slots.
    ///
    /// # Errors
    /// [`LogError`]: the process must end.
    pub fn store_vote(&self, vote: &Vote) -> Result<(), LogError> {
        {
            let mut record = self.record.borrow_mut();
            record.promised = vote.promised;
            record.birth = vote.birth;
            record.incarnation = vote.incarnation;
            record.run = vote.run;
            record.listed = vote.listed;
            if !vote.unsure {
                record.unsynced_boot = (!self.sync).then_some(self.boot_id);
            }
        }
        self.store_record()
    }

    /// Frames from the one that holds `from` on.
    #[must_use]
    pub fn read(&self, from: Index, bytes_max: usize) -> Vec<Frame> {
        let log = self.log.borrow();
        if from > log.last_index() || from < log.first_index() {
            return Vec::new();
        }
        let first = match log.frame_at(from) {
            Ok(frame) => frame.header().first,
            Err(_) => return Vec::new(),
        };
        log.read(first, bytes_max).unwrap_or_default()
    }

    /// Frames that begin right after `after`; none where no frame ends.
    #[must_use]
    pub fn read_after(&self, after: Index, bytes_max: usize) -> Vec<Frame> {
        let mut frames = self.read(after.next(), bytes_max);
        if frames.first().is_some_and(|frame| frame.header().first != after.next()) {
            frames.clear();
        }
        frames
    }

    /// Appends to the local journal and syncs.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn journal(&self, record: &[u8]) -> Result<(), LogError> {
        self.journal.borrow_mut().append(record)
    }

    /// Syncs all at a clean end, so that the machine's run need not be remembered.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn finish(&self) -> Result<(), LogError> {
        self.log.borrow_mut().sync_now()?;
        {
            let mut record = self.record.borrow_mut();
            record.unsynced_boot = None;
        }
        self.store_record()
    }

    /// Syncs whatever is dirty, again and again, and reports each time. With `sync_binlog=0`: each
    /// second, in the background, with nothing to report.
    ///
    /// # Errors
    /// The sync that failed: the process must end.
    pub async fn sync_forever(&self, report: impl Fn(Input)) -> Result<(), String> {
        let mut open: Vec<(Arc<File>, BufferedFile)> = Vec::new();
        loop {
            if self.sync {
                self.dirty.wait().await;
            } else {
                glommio::timer::sleep(Duration::from_secs(1)).await;
            }
            let (targets, cuts) = (self.log.borrow().sync_targets(), self.cuts.get());
            open.retain(|(file, _)| targets.files.iter().any(|target| Arc::ptr_eq(target, file)));
            for file in &targets.files {
                if !open.iter().any(|(known, _)| Arc::ptr_eq(known, file)) {
                    // The same file through io_uring: what one descriptor wrote, the other syncs.
                    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
                    let buffered =
                        BufferedFile::open(&path).await.map_err(|error| format!("cannot reopen the log: {error}"))?;
                    open.push((file.clone(), buffered));
                }
                let (_, buffered) = open.iter().find(|(known, _)| Arc::ptr_eq(known, file)).expect("just opened");
                buffered.fdatasync().await.map_err(|error| format!("fdatasync of the group log failed: {error}"))?;
            }
            let index = self.log.borrow_mut().synced(&targets);
            if self.sync {
                report(Input::Synced { index, cuts });
            }
        }
    }
}

fn point_of(base: Base) -> Point {
    Point { index: base.index, ballot: base.ballot, chain: base.chain }
}

impl Shelf for Disk {
    fn checkpoints(&self) -> Vec<Index> {
        self.checkpoints.borrow().stored().to_vec()
    }

    fn place(&self, checkpoint: Index) -> Result<Point, String> {
        self.with_checkpoint(checkpoint, |file| Ok(point_of(file.base())))
    }

    fn block(&self, checkpoint: Index, number: u64) -> Result<Option<Vec<u8>>, String> {
        self.with_checkpoint(checkpoint, |file| file.block(number))
    }

    fn base(&self) -> Point {
        let log = self.log.borrow();
        let index = Index(log.first_index().0 - 1);
        // The segment's header says what lies before it.
        let end = log
            .frame_end(index)
            .unwrap_or(engine_log::FrameEnd { chain: wire::frame::CHAIN_START, ballot: wire::id::Ballot::ZERO });
        Point { index, ballot: end.ballot, chain: end.chain }
    }

    fn point(&self, index: Index) -> Option<Point> {
        let end = self.log.borrow().frame_end(index).ok()?;
        Some(Point { index, ballot: end.ballot, chain: end.chain })
    }

    fn frames_after(&self, after: Index, bytes_max: usize) -> Vec<Frame> {
        self.read_after(after, bytes_max)
    }

    fn note(&self, text: String) {
        crate::oplog::say(Level::System, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_log_goes_unless_bytes_are_without_limit() {
        let never = Keep::of(i64::MAX as u64, 2_592_000);
        assert_eq!((never.bytes, never.time), (i64::MAX as u64, None));
        let limited = Keep::of(1 << 30, 2_592_000);
        assert_eq!((limited.bytes, limited.time), (1 << 30, Some(Duration::from_secs(2_592_000))));
        assert_eq!(Keep::of(1 << 30, 0).time, None);
        // What a server has that is told nothing.
        let globals = engine_sql::sysvar::Globals::default();
        let number = |name| globals.number(name);
        let default = Keep::of(number("quorate_log_keep_bytes"), number("binlog_expire_logs_seconds"));
        assert_eq!((default.bytes, default.time), (16 << 30, Some(Duration::from_secs(2_592_000))));
    }

    /// A donor sends the hashes of its file, and the joiner computes them by itself.
    #[test]
    fn both_sides_of_a_recovery_hash_blocks_alike() {
        for (index, number, block) in [(1, 0, &b"head"[..]), (1 << 40, 7, b"rows"), (9, 9, b"")] {
            let ours = engine_core::recovery::joiner::block_hash(Index(index), number, block);
            assert_eq!(engine_log::block_hash(Index(index), number, block), ours);
        }
    }
}
