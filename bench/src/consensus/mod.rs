//! Agreement of three members over loopback sockets, without SQL, beside the least that any such
//! agreement costs: raw sockets that exchange the same bytes (and sync the same bytes) in the same run.
//!
//! | Module | Holds |
//! | --- | --- |
//! | `raw` | the calibrator: a leader writes a frame to two followers and waits for one answer |
//! | `group` | three [`engine_core::paxos::Group`]s, each on its own thread, socket pair by socket pair |
//!
//! Both park in the kernel when there is nothing to do; neither spins. Absent on purpose: rows,
//! certification, glommio. Those are in what `load` measures.

pub mod group;
pub mod raw;

use node::load::Latencies;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;
use wire::entry::{Body, Entry, RowChange, Stamp, Transaction};
use wire::frame::{BatchBuilder, ENTRY_HEADER_BYTES};
use wire::id::{Incarnation, Run};

/// Bytes of one entry, its header included.
pub const ENTRY_BYTES: usize = 256;

/// Where commits must be before they count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Durability {
    /// In the memory of a quorum.
    Memory,
    /// On the disk of a quorum: `fdatasync` in directories of their own under this one.
    Disk(PathBuf),
}

/// What one measurement gave.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Entries known agreed upon by their proposer.
    pub commits: u64,
    /// Length of the measurement, in seconds.
    pub seconds: f64,
    /// From handing an entry over to knowing it agreed upon.
    pub latencies: Latencies,
}

impl Sample {
    /// Entries a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.commits as f64 / self.seconds
    }
}

/// Why there is no measurement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// A socket or file.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The group log.
    #[error("{0}")]
    Log(#[from] engine_log::LogError),
    /// A member sent what is no message.
    #[error("{0}")]
    Message(#[from] wire::message::MessageError),
    /// The members did not elect a leader, or lost it while measuring.
    #[error("no stable leader: {0}")]
    Leader(&'static str),
    /// A member's thread ended.
    #[error("a member ended: {0}")]
    Ended(String),
}

/// Something that can be kept busy with a number of entries in flight.
pub trait Exchange {
    /// Keeps `in_flight` entries unacknowledged for `time`, after a short time of warming up.
    ///
    /// # Errors
    /// Any [`ExchangeError`]; the exchange is then of no further use.
    fn measure(&mut self, in_flight: usize, time: Duration) -> Result<Sample, ExchangeError>;
}

/// The serialised entry that all measurements repeat: [`ENTRY_BYTES`] long. Only its header names it, as
/// ordering reads nothing else; serialising a transaction is a benchmark of its own.
#[must_use]
pub fn entry(origin: Incarnation, run: Run) -> Vec<u8> {
    let raw = |value_bytes: usize| {
        let row = RowChange {
            table: 0,
            space: 0,
            statement_end: true,
            key: vec![1; 8],
            before: None,
            after: Some(vec![7; value_bytes]),
        };
        let transaction = Transaction { written: vec![1], rows: vec![row], ..Transaction::default() };
        let stamp = Stamp { origin, run, number: 1 };
        let mut batch = BatchBuilder::new();
        batch.push(&Entry { stamp, body: Body::Transaction(transaction) });
        batch.body().to_vec()
    };
    let empty = raw(0).len();
    assert!(empty <= ENTRY_BYTES, "a transaction of one empty row takes {empty} bytes");
    let whole = raw(ENTRY_BYTES - empty);
    assert_eq!(whole.len(), ENTRY_BYTES);
    whole
}

/// Writes `number` into the header of a serialised entry.
fn renumber(entry: &mut [u8], number: u64) {
    entry[ENTRY_HEADER_BYTES - 8..ENTRY_HEADER_BYTES].copy_from_slice(&number.to_le_bytes());
}

/// The two ends of a loopback connection.
fn socket_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let one = TcpStream::connect(listener.local_addr()?)?;
    let (other, _) = listener.accept()?;
    one.set_nodelay(true)?;
    other.set_nodelay(true)?;
    Ok((one, other))
}

/// Pins the calling thread where each of the three members can have a core of its own.
fn pin(member: usize) {
    if let Some(cores) = core_affinity::get_core_ids().filter(|cores| cores.len() > 3) {
        core_affinity::set_for_current(cores[1 + member]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::frame::Entries;
    use wire::id::Index;

    #[test]
    fn entries_have_their_size_and_number() {
        let mut bytes = entry(Incarnation(5), Run(2));
        renumber(&mut bytes, 77);
        let mut aligned = wire::frame::Buffer::new();
        aligned.extend_from_slice(&bytes);
        let (_, entry) = Entries::new(&aligned, Index(1), 1).next().expect("one entry");
        assert_eq!(entry.stamp(), Stamp { origin: Incarnation(5), run: Run(2), number: 77 });
        assert!(entry.view().is_some());
    }
}
