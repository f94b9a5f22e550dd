//! The rows of a member: versions, scans at a snapshot, row locks, digests.
//!
//! Plain single-threaded code that is called and never calls out. Absent on purpose: I/O, clocks,
//! waiting (a lock that is not free answers [`Lock::Waiting`], and its owner is named when it is), the
//! meaning of keys and rows (both are opaque bytes; `engine/sql` encodes them), and certification.

mod key;
pub mod lock;
pub mod shard;
pub mod store;
pub mod stream;

pub use lock::{Lock, Locks, Mode, Txn};
pub use shard::Version;
pub use store::{Change, Divergence, Entry, Range, Space, Store};
pub use stream::{StreamCursor, StreamError};
