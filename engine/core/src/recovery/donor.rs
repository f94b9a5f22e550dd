//! The half that answers: what leads from the asker's place to the present, one chunk at a time.

use crate::checkpoint::keeper::Keeper;
use crate::effect::{CheckpointPart, Effect, Effects, Instant, Payload, Peer};
use crate::paxos::tail::{Tail, point_after};
use std::collections::BTreeMap;
use wire::frame::{Buffer, Frame};
use wire::id::Index;
use wire::message::{Channel, Given, Message, Want};
use wire::rare;

/// Bytes of log in one answer, where windows are not very small.
const LOG_BYTES: usize = 1 << 20;
/// Windows of log in one answer: see [`Donor::new`].
const WINDOWS: usize = 16;
/// Answers that wait for the disk at most: each holds a chunk. Who asks beyond is told to ask again.
const WAITING_MAX: usize = 32;
/// Tokens of reads: above those of the order.
const FIRST_READ: u64 = 1 << 63;

struct Waiting {
    to: String,
    token: u64,
    want: Want,
    /// Which checkpoint is read.
    checkpoint: Option<Index>,
}

/// See the module.
pub struct Donor {
    waiting: BTreeMap<u64, Waiting>,
    next: u64,
    log_bytes: usize,
}

/// Whether a read was begun by a donor.
#[must_use]
pub fn is_own(token: u64) -> bool {
    token >= FIRST_READ
}

fn answer(to: String, token: u64, given: Given, payload: Payload, out: &mut Effects) {
    out.post(Peer::Address(to), Channel::Bulk, Message::Recovered { token, given }, payload);
}

fn bytes_of(bytes: &[u8]) -> Payload {
    let mut buffer = Buffer::with_capacity(bytes.len());
    buffer.extend_from_slice(bytes);
    Payload::Entries(buffer)
}

impl Donor {
    /// Answers with at most 16 windows of log at once, and with one frame at least: who asks has to gain on
    /// a group that fills a window in each round trip.
    #[must_use]
    pub fn new(window_bytes: usize) -> Self {
        let log_bytes = LOG_BYTES.min(window_bytes.saturating_mul(WINDOWS));
        Self { waiting: BTreeMap::new(), next: FIRST_READ, log_bytes }
    }

    /// A member of another birth of the group asks, or of another group: nothing of this one is for it **[!]**.
    pub fn refuse(to: String, token: u64, out: &mut Effects) {
        rare!("a member of another birth asks for log");
        answer(to, token, Given::Gone, Payload::None, out);
    }

    /// A recovering member at the address `to` asks.
    #[allow(clippy::too_many_arguments, reason = "one message, and what it is answered from")]
    pub fn on_want(
        &mut self,
        now: Instant,
        to: String,
        token: u64,
        want: Want,
        log: &Tail,
        keeper: &mut Keeper,
        out: &mut Effects,
    ) {
        if self.waiting.len() >= WAITING_MAX {
            return answer(to, token, Given::Busy, Payload::None, out);
        }
        let decided = log.decided();
        match want {
            Want::Log { after, chain } | Want::State { after, chain, .. } => {
                let too_long =
                    matches!(want, Want::State { threshold, .. } if decided.0.saturating_sub(after.0) >= threshold);
                // A checkpoint that the asker is past brings it no further; log may.
                if too_long && keeper.newest().is_none_or(|newest| newest > after) {
                    return self.checkpoint(now, to, token, want, keeper, out);
                }
                if after >= decided {
                    // Ahead of this donor, or level with it: nothing to give, if it is the same log.
                    let same = log.point(after).is_none_or(|point| point.chain == chain);
                    if same {
                        return answer(to, token, Given::Log { decided }, Payload::None, out);
                    }
                    return self.checkpoint(now, to, token, want, keeper, out);
                }
                match log.frames_after(after, self.log_bytes) {
                    Some(frames) => self.log(now, (to, token, want), frames, decided, keeper, out),
                    None => {
                        let read = self.wait(to, token, want, None);
                        out.push(Effect::Read { token: read, after, bytes_max: self.log_bytes });
                    }
                }
            }
            Want::Block { checkpoint, number } => {
                if !keeper.lease(now, checkpoint) {
                    return answer(to, token, Given::Gone, Payload::None, out);
                }
                let read = self.wait(to, token, want, Some(checkpoint));
                out.push(Effect::ReadCheckpoint { token: read, index: checkpoint, block: Some(number) });
            }
        }
    }

    fn wait(&mut self, to: String, token: u64, want: Want, checkpoint: Option<Index>) -> u64 {
        let read = self.next;
        self.next += 1;
        self.waiting.insert(read, Waiting { to, token, want, checkpoint });
        read
    }

    /// Frames asked for by [`Effect::Read`].
    pub fn on_read(
        &mut self,
        now: Instant,
        read: u64,
        frames: Vec<Frame>,
        decided: Index,
        keeper: &mut Keeper,
        out: &mut Effects,
    ) {
        let Some(Waiting { to, token, want, .. }) = self.waiting.remove(&read) else { return };
        self.log(now, (to, token, want), frames, decided, keeper, out);
    }

    /// Answers with log, if this is what the asker's continues with; else with a checkpoint.
    fn log(
        &mut self,
        now: Instant,
        (to, token, want): (String, u64, Want),
        mut frames: Vec<Frame>,
        decided: Index,
        keeper: &mut Keeper,
        out: &mut Effects,
    ) {
        let (Want::Log { after, chain } | Want::State { after, chain, .. }) = want else { return };
        let continues = frames
            .first()
            .is_some_and(|frame| frame.header().first == after.next() && frame.header().previous_chain == chain);
        if !continues {
            return self.checkpoint(now, to, token, want, keeper, out);
        }
        // Only decided entries travel.
        frames.retain(|frame| point_after(frame).index <= decided);
        answer(to, token, Given::Log { decided }, Payload::Frames(frames), out);
    }

    fn checkpoint(&mut self, now: Instant, to: String, token: u64, want: Want, keeper: &mut Keeper, out: &mut Effects) {
        let Want::State { after, least, .. } = want else {
            return answer(to, token, Given::Gone, Payload::None, out);
        };
        match keeper.newest().filter(|&newest| newest >= least && newest > after) {
            Some(index) => {
                keeper.lease(now, index);
                let read = self.wait(to, token, want, Some(index));
                out.push(Effect::ReadCheckpoint { token: read, index, block: None });
            }
            None => {
                // The next frame makes one.
                keeper.want();
                answer(to, token, Given::Busy, Payload::None, out);
            }
        }
    }

    /// A part of a checkpoint asked for by [`Effect::ReadCheckpoint`].
    pub fn on_part(&mut self, read: u64, part: CheckpointPart, decided: Index, keeper: &mut Keeper, out: &mut Effects) {
        let Some(Waiting { to, token, checkpoint, .. }) = self.waiting.remove(&read) else { return };
        if let (CheckpointPart::Gone, Some(index)) = (&part, checkpoint) {
            keeper.cannot_be_read(index, out);
        }
        match part {
            CheckpointPart::Head { point, bytes, hashes } => {
                let blocks = hashes.len() as u64;
                let hashes: Vec<u8> = hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect();
                let (index, ballot, chain) = (point.index, point.ballot, point.chain);
                let given = Given::Checkpoint { index, ballot, chain, bytes, blocks, decided };
                answer(to, token, given, bytes_of(&hashes), out);
            }
            CheckpointPart::Block(block) => {
                answer(to, token, Given::Block { bytes: block.len() as u64 }, bytes_of(&block), out);
            }
            CheckpointPart::Gone => answer(to, token, Given::Gone, Payload::None, out),
        }
    }
}
