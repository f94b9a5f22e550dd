//! The calibrator: what the same exchange costs with nothing but sockets and files.
//!
//! The leader writes one frame of all entries in flight to each of two followers, syncs its own copy
//! when durable, and goes on when one follower has answered: it and that follower are a quorum. The
//! bytes of frames and answers are those of the real messages.

use super::{Durability, ENTRY_BYTES, Exchange, ExchangeError, Sample, entry, pin, socket_pair};
use node::load::Latencies;
use rustix::event::{PollFd, PollFlags, poll};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wire::frame::{BatchBuilder, Place};
use wire::id::{Ballot, Incarnation, Index, Run};
use wire::message::{ENVELOPE_BYTES, Label, Message, Trailer, encode};

const WARM_UP: Duration = Duration::from_millis(100);
/// Files are written again from the start here: all of their blocks hold data, as the log's segments do.
const FILE_BYTES: u64 = 64 << 20;
const BALLOT: Ballot = Ballot { round: 1, node: Incarnation(1) };

/// Two followers on threads of their own; they end when this is dropped.
pub struct Raw {
    sockets: Vec<TcpStream>,
    disk: Option<Disk>,
    followers: Vec<JoinHandle<io::Result<()>>>,
    answer_bytes: usize,
    /// Bytes of answers still owed by each follower.
    owed: [usize; 2],
}

impl Raw {
    /// Connects the three.
    ///
    /// # Errors
    /// [`ExchangeError::Io`].
    pub fn new(durability: &Durability) -> Result<Self, ExchangeError> {
        let answer = answer();
        let disk_of = |member: usize| match durability {
            Durability::Memory => Ok(None),
            Durability::Disk(dir) => Disk::new(&dir.join(format!("raw{member}"))).map(Some),
        };
        let (mut sockets, mut followers) = (Vec::new(), Vec::new());
        for member in 1..=2 {
            let (leader, follower) = socket_pair()?;
            leader.set_nonblocking(true)?;
            sockets.push(leader);
            let (disk, answer) = (disk_of(member)?, answer.clone());
            let work = move || {
                pin(member);
                follow(follower, disk, &answer)
            };
            followers.push(std::thread::Builder::new().name(format!("raw{member}")).spawn(work)?);
        }
        Ok(Self { sockets, disk: disk_of(0)?, followers, answer_bytes: answer.len(), owed: [0; 2] })
    }

    /// One exchange: true when a follower has answered.
    fn exchange(&mut self, frame: &[u8]) -> io::Result<()> {
        for at in 0..self.sockets.len() {
            self.send(at, frame)?;
            self.owed[at] += self.answer_bytes;
        }
        if let Some(disk) = &mut self.disk {
            disk.write(frame)?;
        }
        // A follower may be behind by earlier frames: the one that has answered all is in the quorum.
        while self.owed.iter().all(|&owed| owed > 0) {
            self.receive(None)?;
        }
        Ok(())
    }

    fn send(&mut self, at: usize, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.sockets[at].write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.receive(Some(at))?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until some follower has answered, or socket `writable` takes more, and reads the answers.
    fn receive(&mut self, writable: Option<usize>) -> io::Result<()> {
        let interest = |at: usize| if writable == Some(at) { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let mut ready = [PollFd::new(&self.sockets[0], interest(0)), PollFd::new(&self.sockets[1], interest(1))];
        poll(&mut ready, None)?;
        let readable = [0, 1].map(|at: usize| ready[at].revents().contains(PollFlags::IN));
        let mut bytes = [0; 4096];
        for at in (0..2).filter(|&at| readable[at]) {
            match self.sockets[at].read(&mut bytes)? {
                0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                count => self.owed[at] -= count,
            }
        }
        Ok(())
    }
}

impl Exchange for Raw {
    fn measure(&mut self, in_flight: usize, time: Duration) -> Result<Sample, ExchangeError> {
        let frame = frame(in_flight);
        let warm = Instant::now() + WARM_UP;
        while Instant::now() < warm {
            self.exchange(&frame)?;
        }
        let mut latencies = Latencies::default();
        let (mut exchanges, begin) = (0, Instant::now());
        let mut last = begin;
        while last.duration_since(begin) < time {
            self.exchange(&frame)?;
            let now = Instant::now();
            latencies.record(now.duration_since(last));
            exchanges += 1;
            last = now;
        }
        let seconds = last.duration_since(begin).as_secs_f64();
        Ok(Sample { commits: exchanges * in_flight as u64, seconds, latencies })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Closed sockets end the followers.
        self.sockets.clear();
        for follower in self.followers.drain(..) {
            let _ = follower.join();
        }
    }
}

fn follow(mut socket: TcpStream, mut disk: Option<Disk>, answer: &[u8]) -> io::Result<()> {
    let mut bytes = vec![0; (1 << 20) + 2 * ENTRY_BYTES];
    let mut filled = 0;
    loop {
        let length = bytes[..filled].first_chunk::<4>();
        let length = length.map(|length| u32::from_le_bytes(*length) as usize + ENVELOPE_BYTES);
        match length {
            Some(length) if filled >= length => {
                if let Some(disk) = &mut disk {
                    disk.write(&bytes[..length])?;
                }
                socket.write_all(answer)?;
                bytes.copy_within(length..filled, 0);
                filled -= length;
            }
            _ => match socket.read(&mut bytes[filled..])? {
                0 => return Ok(()),
                count => filled += count,
            },
        }
    }
}

/// The message that carries `entries` of them, as it travels.
fn frame(entries: usize) -> Vec<u8> {
    let one = entry(Incarnation(1), Run(1));
    let mut batch = BatchBuilder::new();
    for _ in 0..entries {
        batch.push_raw(&one);
    }
    let place = Place { first: Index(1), ballot: BALLOT, previous_chain: 0, decided: Index(0), synced: Index(0) };
    let frame = batch.frame(place);
    let append = Message::Append {
        ballot: BALLOT,
        previous: Index(0),
        previous_chain: 0,
        decided: Index(0),
        synced: Index(0),
        applied: Index(0),
    };
    let mut bytes = Vec::new();
    encode(&append, Label::default(), Trailer::Frames(&[frame]), 0, &mut bytes);
    bytes
}

fn answer() -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(
        &Message::Ack { ballot: BALLOT, index: Index(1), applied: Index(0) },
        Label::default(),
        Trailer::None,
        0,
        &mut bytes,
    );
    bytes
}

/// A file that is written round and round, synced after each write.
struct Disk {
    file: File,
    at: u64,
}

impl Disk {
    fn new(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(path)?;
        let zeros = vec![0; 1 << 20];
        for at in (0..FILE_BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        Ok(Self { file, at: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.at + bytes.len() as u64 > FILE_BYTES {
            self.at = 0;
        }
        self.file.write_all_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_exchange_frames() {
        let mut raw = Raw::new(&Durability::Memory).expect("loopback works");
        for in_flight in [1, 1024] {
            let sample = raw.measure(in_flight, Duration::from_millis(1)).expect("loopback works");
            assert!(sample.commits >= in_flight as u64);
        }
    }
}
