//! Everything that this package can answer instead of "done".

use std::io;
use std::path::PathBuf;
use wire::frame::FrameError;
use wire::id::{Index, Uuid};

/// Why a file operation of the log, the vote file, the journal or the directory lock failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The system refused an operation, for a reason that has no variant of its own.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No room: device, quota (EDQUOT) or file size limit (EFBIG). Nothing was half done; may be tried again.
    #[error("no room for {needed} bytes in {}: {source}", path.display())]
    DiskFull {
        /// The file that was to be made or grown.
        path: PathBuf,
        /// Bytes that it needs.
        needed: u64,
        /// What the system said.
        source: io::Error,
    },
    /// A sync failed. The process must end at once: a second try may lie (`design.md` §3).
    #[error("cannot sync {}: {source}; what was written since the last sync may be lost", path.display())]
    SyncFailed {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process serves this data directory.
    #[error("data directory {} is in use{}", path.display(), by_process(*pid))]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The process that holds the lock, if it has written its number.
        pid: Option<u32>,
    },
    /// The directory does not exist.
    #[error("directory {} does not exist", path.display())]
    MissingDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// The path names something that is not a directory.
    #[error("{} is not a directory", path.display())]
    NotDirectory {
        /// The path.
        path: PathBuf,
    },
    /// The directory cannot be written to.
    #[error("directory {} cannot be written to: {source}", path.display())]
    Unwritable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A directory that must be empty is not.
    #[error("directory {} is not empty: it holds {found}", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
        /// One name in it.
        found: String,
    },
    /// A segment size outside what is allowed.
    #[error("segment size of {found} bytes is not allowed ({min}..={max}, a multiple of 4096)")]
    SegmentBytes {
        /// As asked.
        found: u64,
        /// Least.
        min: u64,
        /// Greatest.
        max: u64,
    },
    /// There is no log where one must be.
    #[error("no log segments in {}, but this server had a log", path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// A file was written by another version.
    #[error("{} has format version {found}, expected {expected}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// As stored.
        found: u32,
        /// As this program writes it.
        expected: u32,
    },
    /// A segment of another log lies among ours.
    #[error("segment {} belongs to log {found}, the others to {expected}", path.display())]
    ForeignSegment {
        /// The file.
        path: PathBuf,
        /// Log of the newest segment.
        expected: Uuid,
        /// Log that this one names.
        found: Uuid,
    },
    /// A frame that was good when it was written, or when the log was opened, is bad now.
    #[error("log damaged in segment {} at offset {offset} (index {index}): {source}", segment.display())]
    Corrupt {
        /// The segment's file.
        segment: PathBuf,
        /// Byte offset in it.
        offset: u64,
        /// Index that was looked for.
        index: Index,
        /// What is wrong.
        source: FrameError,
    },
    /// The log has a damaged tail; nothing can be appended before that is repaired or given up.
    #[error(
        "log damaged in segment {} at offset {offset}: index {index} and later are lost here (synced up to {synced})",
        segment.display()
    )]
    Damaged {
        /// The segment's file.
        segment: PathBuf,
        /// Byte offset in it.
        offset: u64,
        /// First index that is lost.
        index: Index,
        /// Highest index known synced.
        synced: Index,
    },
    /// The index was purged, or was never written.
    #[error("index {index} is not in the log, which holds {first}..={last}")]
    NotHeld {
        /// As asked.
        index: Index,
        /// First index held.
        first: Index,
        /// Last index held.
        last: Index,
    },
    /// The index is not the last of a frame.
    #[error("index {index} lies within the frame {first}..={last}, not at its end")]
    NotBoundary {
        /// As asked.
        index: Index,
        /// First index of the frame.
        first: Index,
        /// Last index of the frame.
        last: Index,
    },
    /// The vote file exists and has no good slot: what this member promised is not known.
    #[error("vote file {} has no good slot ({reason}): this server cannot know what it has promised", path.display())]
    Unsure {
        /// The file.
        path: PathBuf,
        /// What is wrong with the slots.
        reason: String,
    },
    /// The local journal is damaged.
    #[error("journal {} damaged at offset {offset}: {reason}", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// Byte offset of the first bad record.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A checkpoint is damaged: an older one, or the log, must do.
    #[error("checkpoint {} damaged: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// A journal record that is too long.
    #[error("journal record of {found} bytes is not allowed (1..={max})")]
    JournalRecordBytes {
        /// As asked.
        found: usize,
        /// Greatest.
        max: usize,
    },
}

fn by_process(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" by process {pid}")).unwrap_or_default()
}
