//! What members say to one another, and the envelope that it travels in.
//!
//! A message is a small rkyv archive, decoded once at the edge, and a *payload* of log frames or
//! serialised entries, which is never decoded there. Layout, little endian, 16 bytes, then the rest:
//!
//! ```text
//! 0 length of what follows u32   4 crc32 of what it covers ^ length   8 flags u32   12 message bytes u32
//! to u64, birth u64 ([`Label`]); message archive, padded to 16; payload (lz4 when flag 1 is set, then after its plain and packed lengths, u64 each)
//! ```
//!
//! The checksum covers all that follows; with flag 2 all but the payload, which is frames as they are: each carries
//! a chain of its own that whoever takes it must check ([`Frame::all_from`]), and one sum of many bytes is enough.
//!
//! Absent on purpose: who may connect (allowlist, TLS) and what a message means: `engine/core` decides.

#![allow(missing_docs, reason = "rkyv derives undocumented structs for enum variants with fields")]

use crate::entry::{GroupOptions, View, ViewMember};
use crate::frame::{ALIGN, BODY_BYTES_MAX, Buffer, Frame};
use crate::id::{Ballot, Birth, Incarnation, Index, Run, Uuid};
use rkyv::{Archive, Deserialize, Serialize, rancor};
use std::collections::VecDeque;

/// Version of this protocol: peers of another one are refused by name.
pub const PROTOCOL: u32 = 4;
/// First bytes of a connection between members.
pub const MAGIC: u32 = 0x5152_5445;
/// Bytes before each message.
pub const ENVELOPE_BYTES: usize = 16;
/// Largest message with payload: one frame of the greatest size and its envelope.
pub const MESSAGE_BYTES_MAX: usize = BODY_BYTES_MAX + (1 << 20);
/// Largest message archive: a view of 9 members with long names.
pub const ARCHIVE_BYTES_MAX: usize = 1 << 20;

/// Largest message before a connection's greeting is accepted: strangers hold no memory.
pub const GREETING_BYTES_MAX: usize = 4 << 10;

const FLAG_LZ4: u32 = 1;
const FLAG_FRAMES: u32 = 2;
/// Room that is offered to a socket at least.
const READ_BYTES: usize = 64 << 10;
/// A decoder that holds nothing keeps at most so much memory.
const KEPT_BYTES_MAX: usize = 4 << 20;
/// Bytes of a [`Label`], before the archive.
const LABEL_BYTES: usize = 16;

/// Whom a message is for and of which birth its sender is, on every message: the receiver counts only what
/// names its own birth and its own membership life, whatever connection it came on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// The incarnation that it is for; 0: whoever is there.
    pub to: Incarnation,
    /// The sender's birth; 0: in none.
    pub birth: Birth,
}

/// Which of a peer's connections a message uses, so that bulk never delays order, nor order liveness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Archive, Serialize, Deserialize)]
pub enum Channel {
    /// Heartbeats.
    Liveness,
    /// Consensus and proposals.
    Order,
    /// Catching up from the log.
    Bulk,
}

/// One message between members.
#[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
pub enum Message {
    /// First on every connection, from who connects.
    Hello(Hello),
    /// Answer to [`Message::Hello`]: why the connection is refused, empty when it is not; and whether asking
    /// again is of no use until somebody changes a setting.
    Welcome { refused: String, lasting: bool },
    /// Phase 2a: log frames (payload) that follow `previous`, under the leader's `ballot`.
    Append {
        ballot: Ballot,
        /// Last index before the payload's first frame.
        previous: Index,
        /// Chain there.
        previous_chain: u64,
        /// Highest index that the leader knows decided.
        decided: Index,
        /// Highest index of the leader's own log synced under `ballot`.
        synced: Index,
        /// Every ONLINE member has applied up to here (told only while an AFTER transaction waits for it).
        applied: Index,
    },
    /// Phase 2b: the sender's log equals the leader's up to `index`, and is synced so far; it has applied
    /// everything up to `applied`.
    Ack { ballot: Ballot, index: Index, applied: Index },
    /// The log did not match at [`Message::Append`]'s `previous`: go on after `decided`, where logs cannot differ.
    Mismatch { ballot: Ballot, decided: Index },
    /// A ballot below the sender's promise.
    Refused { ballot: Ballot, promised: Ballot },
    /// Would you promise `ballot`? Nothing is promised.
    PreVote { ballot: Ballot, last_ballot: Ballot, last: Index },
    /// Yes: the sender is a voter without a live leader.
    PreVoteGranted { ballot: Ballot },
    /// Phase 1a. With `force` the ballot is to begin a new birth.
    Prepare { ballot: Ballot, force: Option<Force> },
    /// Phase 1b, after the promise is durable.
    Promise {
        ballot: Ballot,
        /// Ballot of the sender's last frame.
        last_ballot: Ballot,
        /// Length of its log.
        last: Index,
        /// Highest index that it knows decided.
        decided: Index,
        /// Whom it hears both ways.
        hears: Vec<Incarnation>,
        /// Its log may lack what it acknowledged: it counts only when all voters promise.
        unsure: bool,
    },
    /// Asks for frames after `after`, which the asker knows decided; answered under the same token.
    Fetch { token: u64, ballot: Ballot, after: Index, chain: u64 },
    /// Frames (payload) after `after`; none when the sender has no more, or no log that matches there.
    Fetched { token: u64, ballot: Ballot, after: Index, last: Index, matches: bool },
    /// Serialised entries (payload) of a member that does not lead, numbered from `first`.
    Propose { run: Run, first: u64, count: u32 },
    /// The leader's answer to proposals out of order: the number that it expects.
    Expect { run: Run, number: u64 },
    /// A server outside asks to be added as a learner.
    Join(Box<JoinRequest>),
    /// Answer to [`Message::Join`].
    JoinAnswer(JoinAnswer),
    /// A member asks the leader to write the view without it.
    Leave { incarnation: Incarnation },
    /// The leader of `ballot` has stopped, promised `next` to the receiver, whose log it made level, and
    /// asks it to stand with that at once; its promise follows.
    Handover { ballot: Ballot, next: Ballot },
    /// The leader of `ballot` holds no log any more that begins where the receiver's ends: recover from a donor.
    Behind { ballot: Ballot },
    /// A recovering member asks a donor; [`Message::Recovered`] answers under the same token.
    Recover { token: u64, want: Want },
    /// What a donor gives; the payload is what [`Given`] says.
    Recovered { token: u64, given: Given },
    /// Sent on [`Channel::Liveness`].
    Heartbeat(Heartbeat),
    /// To who speaks as a member and is none: the view decided at `view` lists it no more.
    Gone { view: Index },
    /// To who speaks as a member of another birth of the group.
    Fork(Fork),
}

/// A birth that an operator told a member to begin (`group_replication_force_members`).
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct Force {
    /// The new birth.
    pub birth: Birth,
    /// The birth of the view that it continues.
    pub parent: Birth,
    /// All its members: each must promise.
    pub members: Vec<Incarnation>,
}

/// See [`Message::Fork`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct Fork {
    /// The sender's birth.
    pub birth: Birth,
    /// The birth that it was spoken to from.
    pub parent: Birth,
    /// Whether the sender's birth has a leader and a quorum.
    pub quorum: bool,
}

/// What a recovering member asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub enum Want {
    /// Whatever leads from `after`, whose chain is `chain`, to the present.
    State {
        after: Index,
        chain: u64,
        /// A checkpoint below this index will not do.
        least: Index,
        /// Entries missing from which on a checkpoint is wanted (`group_replication_clone_threshold`).
        threshold: u64,
    },
    /// A block of a checkpoint.
    Block { checkpoint: Index, number: u64 },
    /// Decided frames after `after`.
    Log { after: Index, chain: u64 },
}

/// What a donor answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub enum Given {
    /// Decided frames (payload) that continue the asker's log; `decided` is the last that the donor knows.
    Log { decided: Index },
    /// The checkpoint that it has: where it lies, its bytes, and (payload, which may be padded) the hash of each of its
    /// `blocks`, u64 each.
    Checkpoint { index: Index, ballot: Ballot, chain: u64, bytes: u64, blocks: u64, decided: Index },
    /// The block (payload), of so many bytes.
    Block { bytes: u64 },
    /// Ask again in a moment.
    Busy,
    /// It has that no more, or never had it.
    Gone,
}

/// Who connects, and to what.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct Hello {
    /// [`MAGIC`].
    pub magic: u32,
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// `group_replication_group_name`.
    pub group: Uuid,
    /// `server_uuid` of who connects.
    pub uuid: Uuid,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Its run: two runs of one incarnation at once are refused.
    pub run: Run,
    /// Its `group_replication_local_address`.
    pub address: String,
    /// What the connection is for.
    pub channel: Channel,
    /// The incarnation that is called; 0: whoever is there.
    pub target: Incarnation,
}

/// See [`Message::Join`].
#[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The joiner, as it will stand in the view (as a learner).
    pub member: ViewMember,
    /// What must be equal on all members.
    pub options: GroupOptions,
    /// Birth that the joiner's log ends in; 0 for an empty log.
    pub birth: Birth,
    /// Its decided index.
    pub decided: Index,
    /// Chain there.
    pub chain: u64,
    /// Its GTID_EXECUTED, as text.
    pub gtid_executed: String,
}

/// See [`Message::JoinAnswer`].
#[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
pub enum JoinAnswer {
    /// Ask this address: it leads, as far as the sender knows. Empty: nobody leads now, try again.
    Redirect { address: String },
    /// Not now, and why: ask again.
    Wait { reason: String },
    /// Never, with MySQL's error number and why.
    Refused { code: u16, reason: String },
    /// The view that adds the joiner is on its way; its log is kept up to `keep` and continues there.
    Accepted { view: View, leader: Incarnation, ballot: Ballot, keep: Index },
}

/// Produced by the group stage itself, so that a hung stage falls silent.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Counts the sender's heartbeats to this receiver.
    pub sequence: u64,
    /// The last `sequence` received from the receiver, 0 for none: proof of hearing both ways.
    pub echo: u64,
    /// The sender's promise.
    pub promised: Ballot,
    /// Who leads, as the sender knows.
    pub leader: Incarnation,
    /// Highest index that it knows decided.
    pub decided: Index,
    /// Whom it hears both ways.
    pub hears: Vec<Incarnation>,
    /// How long proposals or undecided entries have waited there, microseconds; 0 when none waits.
    pub waiting_us: u64,
    /// Members that the sender has missed for so long that they are UNREACHABLE to it.
    pub misses: Vec<Incarnation>,
    /// The leader: whom it asks to be expelled. Any other: to whose expulsion it agrees, under `promised`.
    pub expels: Vec<Incarnation>,
    /// Members whose heartbeats reach the sender late time and again: links that lose packets.
    pub rough: Vec<Incarnation>,
    /// A lease: the sender leads, a quorum answers it, and the receiver is ONLINE (`design.md` §9).
    pub assures: bool,
}

/// Why received bytes were refused. Closes the connection that they came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// A length that no member sends.
    #[error(
        "message of {length} bytes with an archive of {archive} is not allowed (at most {MESSAGE_BYTES_MAX} and {ARCHIVE_BYTES_MAX})"
    )]
    Size {
        /// Bytes named.
        length: usize,
        /// Bytes of the archive named.
        archive: usize,
    },
    /// Changed on the way.
    #[error("message checksum is {found:#010x}, expected {expected:#010x}")]
    Checksum {
        /// As computed.
        expected: u32,
        /// As received.
        found: u32,
    },
    /// Not an archive of a [`Message`].
    #[error("message body is not a valid archive")]
    Malformed,
    /// Not an lz4 block of the length that it names.
    #[error("message payload does not decompress")]
    Compression,
}

/// What travels behind a message.
#[derive(Clone, Copy, Debug)]
pub enum Trailer<'a> {
    /// Nothing.
    None,
    /// Serialised entries, or a block of a checkpoint.
    Bytes(&'a [u8]),
    /// Log frames, one after another.
    Frames(&'a [Frame]),
}

impl<'a> Trailer<'a> {
    fn parts(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        let (bytes, frames) = match self {
            Trailer::None => (None, &[][..]),
            Trailer::Bytes(bytes) => (Some(bytes), &[][..]),
            Trailer::Frames(frames) => (None, frames),
        };
        bytes.into_iter().chain(frames.iter().map(Frame::bytes))
    }
}

/// Appends `message` with what travels behind it to `out`. What is above `compress_above` bytes is compressed
/// (0: never), as in `group_replication_compression_threshold`.
pub fn encode(message: &Message, label: Label, trailer: Trailer<'_>, compress_above: usize, out: &mut Vec<u8>) {
    if let Some(frames) = frames_as_they_are(trailer, compress_above) {
        encode_before_frames(message, label, frames, out);
        frames.iter().for_each(|frame| out.extend_from_slice(frame.bytes()));
        return;
    }
    let start = out.len();
    let archive = begin(message, label, out);
    let plain: usize = trailer.parts().map(<[u8]>::len).sum();
    let mut flags = 0;
    if compress_above > 0 && plain > compress_above {
        flags |= FLAG_LZ4;
        let block = lz4_flex::block::compress(&trailer.parts().collect::<Vec<_>>().concat());
        out.extend_from_slice(&(plain as u128 | (block.len() as u128) << 64).to_le_bytes());
        out.extend_from_slice(&block);
    } else {
        trailer.parts().for_each(|part| out.extend_from_slice(part));
    }
    pad(out, start);
    seal(start, archive, flags, 0, out);
}

/// The frames of a trailer that are neither compressed nor covered by the envelope's sum.
fn frames_as_they_are(trailer: Trailer<'_>, compress_above: usize) -> Option<&[Frame]> {
    let Trailer::Frames(frames) = trailer else { return None };
    let bytes: usize = frames.iter().map(|frame| frame.bytes().len()).sum();
    (compress_above == 0 || bytes <= compress_above).then_some(frames)
}

/// Appends all of a message but the frames that travel behind it.
fn encode_before_frames(message: &Message, label: Label, frames: &[Frame], out: &mut Vec<u8>) {
    let start = out.len();
    let archive = begin(message, label, out);
    let behind = frames.iter().map(|frame| frame.bytes().len()).sum();
    seal(start, archive, FLAG_FRAMES, behind, out);
}

/// Appends room for the envelope, the label and the archive; how long that is.
fn begin(message: &Message, label: Label, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    let archive = rkyv::to_bytes::<rancor::Error>(message).expect("serialising into memory cannot fail");
    out.resize(start + ENVELOPE_BYTES, 0);
    out.extend_from_slice(&label.to.0.to_le_bytes());
    out.extend_from_slice(&label.birth.0.to_le_bytes());
    out.extend_from_slice(&archive);
    pad(out, start);
    archive.len()
}

/// Writes the envelope at `start` over what is behind it, and `behind` more bytes that it does not cover.
fn seal(start: usize, archive: usize, flags: u32, behind: usize, out: &mut [u8]) {
    let covered = &out[start + ENVELOPE_BYTES..];
    let length = (covered.len() + behind) as u32;
    let head = [length, crc32fast::hash(covered) ^ length, flags, archive as u32];
    for (at, word) in head.into_iter().enumerate() {
        out[start + at * 4..start + at * 4 + 4].copy_from_slice(&word.to_le_bytes());
    }
}

fn pad(out: &mut Vec<u8>, start: usize) {
    let length = (out.len() - start).next_multiple_of(ALIGN);
    out.resize(start + length, 0);
}

/// Frames from so many bytes on are shared with the log until they are written, smaller ones copied together.
const SHARED_BYTES_MIN: usize = 8 << 10;

#[derive(Debug)]
enum Piece {
    Bytes(Vec<u8>),
    Frame(Frame),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Bytes(bytes) => bytes,
            Piece::Frame(frame) => frame.bytes(),
        }
    }
}

/// Messages that wait for a connection, in the order in which they are to be written.
#[derive(Debug, Default)]
pub struct Outbox {
    pieces: VecDeque<Piece>,
    /// Of the first piece, so many bytes are written.
    written: usize,
    len: usize,
}

impl Outbox {
    /// Adds a message; `compress_above` as for [`encode`].
    pub fn push(&mut self, message: &Message, label: Label, trailer: Trailer<'_>, compress_above: usize) {
        if let Some(frames) = frames_as_they_are(trailer, compress_above) {
            self.extend(|out| encode_before_frames(message, label, frames, out));
            for frame in frames {
                if frame.bytes().len() < SHARED_BYTES_MIN {
                    self.extend(|out| out.extend_from_slice(frame.bytes()));
                } else {
                    self.len += frame.bytes().len();
                    self.pieces.push_back(Piece::Frame(frame.clone()));
                }
            }
        } else {
            self.extend(|out| encode(message, label, trailer, compress_above, out));
        }
    }

    fn extend(&mut self, add: impl FnOnce(&mut Vec<u8>)) {
        if !matches!(self.pieces.back(), Some(Piece::Bytes(_))) {
            self.pieces.push_back(Piece::Bytes(Vec::new()));
        }
        let Some(Piece::Bytes(bytes)) = self.pieces.back_mut() else { return };
        let before = bytes.len();
        add(bytes);
        self.len += bytes.len() - before;
    }

    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets all. Where a part of a message is written, the connection must end.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// What waits, to be written one after another; none is empty.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let parts = self.pieces.iter().enumerate();
        parts.map(|(at, piece)| if at == 0 { &piece.bytes()[self.written..] } else { piece.bytes() })
    }

    /// So many bytes of what waits are written.
    ///
    /// # Panics
    /// When fewer wait.
    pub fn advance(&mut self, count: usize) {
        assert!(count <= self.len, "{count} bytes written of {}", self.len);
        self.len -= count;
        self.written += count;
        while let Some(piece) = self.pieces.front().filter(|piece| piece.bytes().len() <= self.written) {
            self.written -= piece.bytes().len();
            let piece = self.pieces.pop_front();
            // The last one's memory is used again.
            if let Some(Piece::Bytes(mut bytes)) = piece
                && self.pieces.is_empty()
                && bytes.capacity() <= READ_BYTES
            {
                bytes.clear();
                self.pieces.push_back(Piece::Bytes(bytes));
                return;
            }
        }
    }
}

/// A received message and its payload, which starts on a 16-byte boundary.
#[derive(Debug)]
pub struct Received {
    /// The message.
    pub message: Message,
    /// Whom it is for, and its sender's birth.
    pub label: Label,
    /// Frames or entries behind it.
    pub payload: Buffer,
}

/// Cuts a byte stream into messages. A socket reads into its memory ([`Decoder::space`]), so that a byte is
/// copied once more only: into the payload that it is part of.
#[derive(Debug)]
pub struct Decoder {
    /// What came and is not taken lies in `at..end`.
    bytes: Vec<u8>,
    at: usize,
    end: usize,
    bytes_max: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { bytes: Vec::new(), at: 0, end: 0, bytes_max: GREETING_BYTES_MAX }
    }
}

impl Decoder {
    /// From here on messages may have their full size: the peer has greeted as a member.
    pub fn greeted(&mut self) {
        self.bytes_max = MESSAGE_BYTES_MAX;
    }

    /// Where the next bytes go, never empty: the rest of a message that has begun has room in it, as far as such
    /// a message is allowed. [`Decoder::filled`] tells how many came.
    pub fn space(&mut self) -> &mut [u8] {
        let held = self.end - self.at;
        let rest = match self.bytes[self.at..self.end].first_chunk::<4>() {
            Some(length) => (u32::from_le_bytes(*length) as usize).min(self.bytes_max).saturating_sub(held),
            None => 0,
        };
        let wanted = rest.max(READ_BYTES);
        if held == 0 {
            (self.at, self.end) = (0, 0);
            if self.bytes.len() > KEPT_BYTES_MAX {
                self.bytes.truncate(READ_BYTES);
                self.bytes.shrink_to_fit();
            }
        } else if self.bytes.len() - self.end < wanted {
            self.bytes.copy_within(self.at..self.end, 0);
            (self.at, self.end) = (0, held);
        }
        if self.bytes.len() - self.end < wanted {
            self.bytes.resize(self.end + wanted, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// So many bytes came into [`Decoder::space`].
    ///
    /// # Panics
    /// When that is more than fits there.
    pub fn filled(&mut self, count: usize) {
        assert!(count <= self.bytes.len() - self.end, "{count} bytes came into {}", self.bytes.len() - self.end);
        self.end += count;
    }

    /// Takes bytes as they came.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let count = bytes.len().min(space.len());
            space[..count].copy_from_slice(&bytes[..count]);
            self.filled(count);
            bytes = &bytes[count..];
        }
    }

    /// The next whole message, if it is there.
    ///
    /// # Errors
    /// Any [`MessageError`]; the stream cannot go on after one.
    pub fn next_message(&mut self) -> Result<Option<Received>, MessageError> {
        let bytes = &self.bytes[self.at..self.end];
        let Some(head) = bytes.first_chunk::<ENVELOPE_BYTES>() else { return Ok(None) };
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (length, archive) = (word(0) as usize, word(12) as usize);
        let padded = archive.next_multiple_of(ALIGN).saturating_add(LABEL_BYTES);
        if length > self.bytes_max || archive > ARCHIVE_BYTES_MAX || padded > length {
            return Err(MessageError::Size { length, archive });
        }
        let Some(body) = bytes.get(ENVELOPE_BYTES..ENVELOPE_BYTES + length) else { return Ok(None) };
        let covered = if word(8) & FLAG_FRAMES == 0 { body } else { &body[..padded] };
        let (expected, found) = (crc32fast::hash(covered) ^ length as u32, word(4));
        if expected != found {
            return Err(MessageError::Checksum { expected, found });
        }
        let half = |at: usize| body[at..at + 8].try_into().map(u64::from_le_bytes).expect("eight bytes");
        let label = Label { to: Incarnation(half(0)), birth: Birth(half(8)) };
        let mut aligned = Buffer::with_capacity(archive);
        aligned.extend_from_slice(&body[LABEL_BYTES..LABEL_BYTES + archive]);
        let message = rkyv::from_bytes::<Message, rancor::Failure>(&aligned).map_err(|_| MessageError::Malformed)?;
        let payload = payload_of(&body[padded..], word(8) & FLAG_LZ4 != 0)?;
        self.at += ENVELOPE_BYTES + length;
        Ok(Some(Received { message, label, payload }))
    }
}

fn payload_of(bytes: &[u8], compressed: bool) -> Result<Buffer, MessageError> {
    let mut payload = Buffer::new();
    if compressed {
        let (head, rest) = bytes.split_first_chunk::<16>().ok_or(MessageError::Compression)?;
        let (plain, block) =
            ((u128::from_le_bytes(*head) as u64) as usize, (u128::from_le_bytes(*head) >> 64) as usize);
        let block = rest.get(..block).ok_or(MessageError::Compression)?;
        if plain > MESSAGE_BYTES_MAX {
            return Err(MessageError::Compression);
        }
        payload.resize(plain, 0);
        match lz4_flex::block::decompress_into(block, &mut payload) {
            Ok(found) if found == plain => {}
            _ => return Err(MessageError::Compression),
        }
    } else {
        payload.reserve(bytes.len());
        payload.extend_from_slice(bytes);
    }
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{BatchBuilder, ENTRY_HEADER_BYTES, Place};

    const LABEL: Label = Label { to: Incarnation(3), birth: Birth(4) };

    fn samples() -> Vec<(Message, Vec<u8>)> {
        let ballot = Ballot { round: 3, node: Incarnation(7) };
        vec![
            (Message::Ack { ballot, index: Index(9), applied: Index(8) }, vec![]),
            (Message::Propose { run: Run(1), first: 5, count: 1 }, vec![7; 64]),
            (Message::Welcome { refused: "another group".into(), lasting: true }, vec![]),
            (Message::Fetched { token: 1, ballot, after: Index(3), last: Index(4), matches: true }, vec![1; 4096]),
        ]
    }

    #[test]
    fn messages_survive_any_cut_of_the_stream() {
        for compress_above in [0, 1000] {
            let mut stream = Vec::new();
            for (message, payload) in samples() {
                encode(&message, LABEL, Trailer::Bytes(&payload), compress_above, &mut stream);
            }
            for step in [1, 7, 16, 100, stream.len()] {
                let (mut decoder, mut found) = (Decoder::default(), Vec::new());
                decoder.greeted();
                for part in stream.chunks(step) {
                    decoder.feed(part);
                    while let Some(received) = decoder.next_message().unwrap() {
                        assert_eq!(received.label, LABEL);
                        found.push((received.message, received.payload.to_vec()));
                    }
                }
                assert_eq!(found, samples());
            }
        }
    }

    /// The envelope's sum leaves frames to their own: no changed byte passes both.
    #[test]
    fn a_changed_byte_in_a_frame_is_noticed_by_the_frame() {
        let mut batch = BatchBuilder::new();
        batch.push_raw(&[0; ENTRY_HEADER_BYTES]);
        let place =
            Place { first: Index(4), ballot: Ballot::ZERO, previous_chain: 9, decided: Index(0), synced: Index(0) };
        let frame = batch.into_frame(place);
        let mut stream = Vec::new();
        encode(&samples()[3].0, LABEL, Trailer::Frames(std::slice::from_ref(&frame)), 0, &mut stream);
        let read = |stream: &[u8]| {
            let mut decoder = Decoder::default();
            decoder.greeted();
            decoder.feed(stream);
            let received = decoder.next_message().ok()??;
            Some(Frame::all_from(received.payload).ok()?.first()?.header().chain)
        };
        assert_eq!(read(&stream), Some(frame.header().chain));
        for at in (0..stream.len()).filter(|at| !(9..12).contains(at)) {
            let mut bad = stream.clone();
            bad[at] ^= 1;
            assert_eq!(read(&bad), None, "byte {at}");
        }
    }

    /// However bytes come, what is offered to a socket holds the rest of a message and is never empty.
    #[test]
    fn a_decoder_offers_room_for_the_rest_of_a_message() {
        let mut stream = Vec::new();
        encode(&samples()[3].0, LABEL, Trailer::Bytes(&vec![3; 1 << 20]), 0, &mut stream);
        let mut decoder = Decoder::default();
        decoder.greeted();
        assert!(decoder.space().len() >= READ_BYTES);
        decoder.feed(&stream[..100]);
        assert!(decoder.space().len() >= stream.len() - 100 - ENVELOPE_BYTES);
        decoder.feed(&stream[100..]);
        assert_eq!(decoder.next_message().unwrap().unwrap().payload.len(), 1 << 20);
        assert!(decoder.next_message().unwrap().is_none());
        // Who has not greeted names no length that memory is given for.
        let mut decoder = Decoder::default();
        decoder.feed(&u32::MAX.to_le_bytes());
        assert!(decoder.space().len() <= 2 * READ_BYTES);
    }

    /// An outbox writes what `encode` does, whatever is shared and wherever writes end.
    #[test]
    fn an_outbox_is_the_same_bytes() {
        let frame = |bytes: usize| {
            let mut batch = BatchBuilder::new();
            (0..bytes / ENTRY_HEADER_BYTES).for_each(|_| batch.push_raw(&[0; ENTRY_HEADER_BYTES]));
            let (first, ballot) = (Index(4), Ballot::ZERO);
            batch.into_frame(Place { first, ballot, previous_chain: 9, decided: Index(0), synced: Index(0) })
        };
        let frames = [frame(64), frame(SHARED_BYTES_MIN), frame(2 * SHARED_BYTES_MIN), frame(32)];
        for (step, compress_above) in [(1, 0), (7, 9000), (5000, 0), (1 << 20, 1)] {
            let (mut outbox, mut whole, mut written) = (Outbox::default(), Vec::new(), Vec::<u8>::new());
            for round in 0..3 {
                let trailers =
                    [Trailer::None, Trailer::Frames(&frames), Trailer::Bytes(&[5; 48]), Trailer::Frames(&frames[1..2])];
                for ((message, _), trailer) in samples().iter().zip(trailers) {
                    outbox.push(message, LABEL, trailer, compress_above);
                    encode(message, LABEL, trailer, compress_above, &mut whole);
                }
                // In the first round all is written, in the next a part waits while more comes.
                while outbox.len() > round * 1000 {
                    assert!(outbox.parts().all(|part| !part.is_empty()));
                    let count = outbox.len().min(step);
                    written.extend(outbox.parts().flatten().take(count));
                    outbox.advance(count);
                }
            }
            written.extend(outbox.parts().flatten());
            assert!(written == whole, "steps of {step}, compressed above {compress_above}");
        }
    }

    #[test]
    fn a_changed_byte_closes_the_stream() {
        let mut stream = Vec::new();
        encode(&samples()[1].0, LABEL, Trailer::Bytes(&[7; 64]), 0, &mut stream);
        for at in 0..stream.len() {
            // The flags word is not covered: an unknown flag means nothing, a wrong lz4 flag fails to decompress.
            let mut bad = stream.clone();
            bad[at] ^= 1;
            let mut decoder = Decoder::default();
            decoder.feed(&bad);
            let answer = decoder.next_message();
            let harmless = (9..12).contains(&at) || matches!(answer, Ok(None));
            assert!(harmless || answer.is_err(), "byte {at}");
        }
    }
}
