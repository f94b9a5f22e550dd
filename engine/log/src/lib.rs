//! Files: the group log, checkpoints, the vote file, the local journal, the lock on the data directory.
//!
//! Knows bytes and files, not consensus: it is told what is decided, and says what is on disk. Everything
//! here is plain and blocking; the driver syncs through io_uring with the handles of
//! [`Log::sync_targets`]. Absent on purpose: threads, timers, the content of entries.
//!
//! Invariants (`design.md` §3, "Durability"):
//! - what may have been acknowledged is never cut without being told to;
//! - a log is cut by beginning a fresh segment, so that no old frame can ever follow a new one;
//! - memory is handed out only of decided frames, whose bytes never change again.
//!
//! | Module | Holds |
//! | --- | --- |
//! | `log` | [`Log`]: append, sync, cut, purge; in `log::read`: reading, by `pread` and in place |
//! | `segment` | one file of the log: header, offsets, creation |
//! | `recover` | what a start finds: the scan, and the judgement on the tail |
//! | `torn` | the one rule that tells a torn write from damage |
//! | `vote` | [`VoteFile`]: promises, runs, cuts |
//! | `journal` | [`Journal`]: what was changed with `SQL_LOG_BIN=0` |
//! | `checkpoint` | [`Checkpoints`]: the whole state as of an index, in checksummed blocks |
//! | `lock` | [`DirectoryLock`] |
//! | `system` | mapping, syncing, errors of the system; what `unsafe` code does, argued where it is called |
//! | `bench` | a log that a benchmark can append to without end |

pub mod bench;
mod checkpoint;
mod error;
mod journal;
mod lock;
mod log;
mod recover;
mod segment;
mod system;
mod torn;
mod vote;

pub use checkpoint::{CHECKPOINT_BLOCK_BYTES_MAX, CheckpointFile, CheckpointWriter, Checkpoints, block_hash};
pub use error::LogError;
pub use journal::{JOURNAL_RECORD_BYTES_MAX, Journal};
pub use lock::{DirectoryLock, LOCK_FILE, require_empty_directory};
pub use log::{
    Base, Cut, FrameEnd, Log, LogOptions, MappedFrame, SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN,
    SyncTargets,
};
pub use recover::{Progress, Recovered, Tail};
pub use segment::{SEGMENT_HEADER_BYTES, SegmentNumber, Spare, SpareRequest};
pub use system::boot_id;
pub use vote::{VoteFile, VoteRecord};
