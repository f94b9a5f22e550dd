//! The half that asks: chooses between log and checkpoint as its donor offers, fetches chunks a few at a time, goes on
//! with another donor where one fails, and tells how far it is.

use crate::effect::{Effects, Instant, Payload, Peer};
use crate::paxos::tail::Point;
use std::collections::{BTreeMap, VecDeque};
use wire::frame::{Buffer, Frame};
use wire::id::{Incarnation, Index};
use wire::message::{Channel, Given, Message, Want};
use wire::rare;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A donor that says nothing for so long is left; twice as long after each round over all, up to [`PATIENCE_MAX_US`].
/// Connections begin anew with a membership, and what was on them first is lost.
const PATIENCE_US: u64 = 300_000;
/// See [`PATIENCE_US`].
const PATIENCE_MAX_US: u64 = 4_800_000;
/// A donor that has nothing to give yet is asked again after so long.
const BUSY_US: u64 = 200_000;
/// Blocks asked for and not yet put to use: 1 MiB at the usual size.
const WINDOW: usize = 4;
/// Blocks of a checkpoint at most: 2 PiB of them are more than any memory.
const BLOCKS_MAX: usize = 1 << 20;

/// How far a recovery is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Who gives, while somebody does.
    pub donor: Option<Incarnation>,
    /// Bytes of the checkpoint that are here, and of all of it; 0 of 0 without one.
    pub bytes: (u64, u64),
    /// Decided entries that are here, and as many as there are.
    pub entries: (u64, u64),
    /// Donors that were tried.
    pub attempts: u32,
}

impl Progress {
    /// In percent, 0 to 99 until it is done: a checkpoint counts as nine tenths.
    #[must_use]
    pub fn percent(&self) -> u8 {
        let share = |(have, all): (u64, u64), of: u64| (have.min(all) * of).checked_div(all).unwrap_or(0);
        let percent = match self.bytes {
            (_, 0) => share(self.entries, 100),
            (have, all) if have < all => share((have, all), 90),
            _ => 90 + share(self.entries, 10),
        };
        percent.min(99) as u8
    }
}

/// What is to be done with what came.
#[derive(Debug)]
pub enum Step {
    /// A checkpoint begins, in place of any that was begun before.
    Begin(Point),
    /// Its next block.
    Block(Vec<u8>),
    /// It is whole.
    Whole,
    /// What was begun of it is no good.
    GiveUp,
    /// Decided frames that continue the log.
    Frames(Vec<Frame>),
    /// The log reaches what its donor knew decided.
    Done,
}

struct Checkpoint {
    point: Point,
    hashes: Vec<u64>,
    bytes: u64,
    got_bytes: u64,
    /// The next block to put to use.
    next: usize,
    arrived: BTreeMap<usize, Vec<u8>>,
    /// Asked for and not here: (number, token).
    asked: VecDeque<(usize, u64)>,
}

enum Stage {
    /// Nothing was offered yet, or what was is gone.
    Choosing,
    Blocks(Box<Checkpoint>),
    /// Waits for the disk, and for the log to begin behind the checkpoint.
    Storing(Index),
    Log,
    Done,
}

/// See the module.
pub struct Joiner {
    /// In the order in which they are asked.
    donors: Vec<Incarnation>,
    at: usize,
    least: Index,
    threshold: u64,
    stage: Stage,
    /// The question that is open, and when it was asked; questions for blocks are in their stage.
    token: u64,
    asked_at: Option<Instant>,
    not_before: Instant,
    /// Since when nothing came.
    heard: Instant,
    /// Donors left in a row since something was put to use: after each round there is a pause.
    failed: usize,
    /// Donors in a row that said nothing.
    silent: usize,
    /// Donors in a row that have no more than is here.
    level: usize,
    leader: Option<Incarnation>,
    progress: Progress,
}

impl Joiner {
    /// Asks `donors` in this order. `least` is the least index of a checkpoint that will do; `threshold` the entries
    /// missing from which on a checkpoint is wanted rather than log; `first_token` above any used before.
    #[must_use]
    pub fn new(now: Instant, donors: Vec<Incarnation>, least: Index, threshold: u64, first_token: u64) -> Self {
        Self {
            donors,
            at: 0,
            least,
            threshold,
            stage: Stage::Choosing,
            token: first_token,
            asked_at: None,
            not_before: now,
            heard: now,
            failed: 0,
            silent: 0,
            level: 0,
            leader: None,
            progress: Progress { attempts: 1, ..Progress::default() },
        }
    }

    /// Tokens up to this one are used.
    #[must_use]
    pub fn last_token(&self) -> u64 {
        self.token
    }

    /// Who may be asked from now on: members come and go. What the `leader` has not, is not decided.
    pub fn set_donors(&mut self, donors: Vec<Incarnation>, leader: Option<Incarnation>) {
        self.leader = leader;
        if self.donors != donors && !donors.is_empty() {
            let present = self.donor();
            self.at = present.and_then(|donor| donors.iter().position(|&who| who == donor)).unwrap_or(0);
            self.donors = donors;
        }
    }

    fn donor(&self) -> Option<Incarnation> {
        self.donors.get(self.at % self.donors.len().max(1)).copied()
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress { donor: self.donor(), ..self.progress.clone() }
    }

    /// Whether a checkpoint is being fetched or stored.
    #[must_use]
    pub fn has_checkpoint(&self) -> bool {
        matches!(self.stage, Stage::Blocks(_) | Stage::Storing(_))
    }

    /// Whether the checkpoint at `index` is whole and on its way to the disk.
    #[must_use]
    pub fn stores(&self, index: Index) -> bool {
        matches!(self.stage, Stage::Storing(storing) if storing == index)
    }

    /// Whether all donors were silent, one after another: perhaps they are not the group any more.
    #[must_use]
    pub fn hears_nobody(&self) -> bool {
        self.silent > self.donors.len()
    }

    /// The log begins behind the checkpoint now.
    pub fn installed(&mut self, now: Instant) {
        self.stage = Stage::Log;
        self.asked_at = None;
        self.heard = now;
        self.failed = 0;
    }

    /// What was fetched is no good: begins anew, with another donor.
    pub fn start_over(&mut self, now: Instant) {
        self.stage = Stage::Choosing;
        self.next_donor(now);
    }

    fn next_donor(&mut self, now: Instant) {
        let donors = self.donors.len().max(1);
        self.at = (self.at + 1) % donors;
        self.progress.attempts += 1;
        self.asked_at = None;
        self.heard = now;
        self.failed += 1;
        if self.failed.is_multiple_of(donors) {
            // What none of them can give now, one of them may be making.
            self.not_before = now.plus(BUSY_US << (self.failed / donors - 1).min(4));
        }
        if let Stage::Blocks(checkpoint) = &mut self.stage {
            // Only what was on its way is lost.
            checkpoint.asked.clear();
        }
    }

    /// A donor's connection broke, or it left: the next one, at once.
    pub fn lost(&mut self, now: Instant, donor: Incarnation) {
        if self.donor() == Some(donor) && !matches!(self.stage, Stage::Done | Stage::Storing(_)) {
            self.silent += 1;
            self.next_donor(now);
        }
    }

    /// What came is being put to use, and nothing is asked for meanwhile: no donor is late.
    pub fn pause(&mut self, now: Instant) {
        if self.asked_at.is_none() {
            self.heard = now;
        }
    }

    /// Asks for what is missing behind `end`, where what is here ends.
    pub fn drive(&mut self, now: Instant, end: Point, out: &mut Effects) {
        if matches!(self.stage, Stage::Done | Stage::Storing(_)) || now < self.not_before {
            return;
        }
        let rounds = (self.progress.attempts as usize / self.donors.len().max(1)).min(4);
        if now.since(self.heard) > (PATIENCE_US << rounds).min(PATIENCE_MAX_US) {
            self.silent += 1;
            self.next_donor(now);
            if now < self.not_before {
                return;
            }
        }
        let Some(donor) = self.donor() else { return };
        let (after, chain) = (end.index, end.chain);
        match &mut self.stage {
            Stage::Choosing | Stage::Log if self.asked_at.is_none() => {
                self.token += 1;
                self.asked_at = Some(now);
                let want = match self.stage {
                    Stage::Log => Want::Log { after, chain },
                    _ => Want::State { after, chain, least: self.least, threshold: self.threshold },
                };
                ask(donor, self.token, want, out);
            }
            Stage::Blocks(checkpoint) => {
                let mut number = checkpoint.next;
                while checkpoint.asked.len() + checkpoint.arrived.len() < WINDOW && number < checkpoint.hashes.len() {
                    let known = checkpoint.arrived.contains_key(&number);
                    if !known && !checkpoint.asked.iter().any(|&(asked, _)| asked == number) {
                        self.token += 1;
                        checkpoint.asked.push_back((number, self.token));
                        let want = Want::Block { checkpoint: checkpoint.point.index, number: number as u64 };
                        ask(donor, self.token, want, out);
                    }
                    number += 1;
                }
            }
            _ => {}
        }
    }

    /// A donor's answer. `end` is where what is here ends.
    pub fn on_given(&mut self, now: Instant, token: u64, given: Given, payload: Buffer, end: Point) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Stage::Blocks(checkpoint) = &mut self.stage {
            let Some(at) = checkpoint.asked.iter().position(|&(_, asked)| asked == token) else { return steps };
            let (number, _) = checkpoint.asked.remove(at).expect("just found");
            self.heard = now;
            self.silent = 0;
            let index = checkpoint.point.index;
            let block = match given {
                Given::Block { bytes } => payload.get(..bytes as usize).unwrap_or_default(),
                // This donor has it no more.
                _ => &[],
            };
            if block_hash(index, number as u64, block) != checkpoint.hashes[number] {
                rare!("a donor has lost the checkpoint that it offered");
                self.start_over(now);
                return vec![Step::GiveUp];
            }
            checkpoint.got_bytes += block.len() as u64;
            checkpoint.arrived.insert(number, block.to_vec());
            while let Some(block) = checkpoint.arrived.remove(&checkpoint.next) {
                checkpoint.next += 1;
                steps.push(Step::Block(block));
            }
            self.progress.bytes = (checkpoint.got_bytes, checkpoint.bytes.max(1));
            if checkpoint.next == checkpoint.hashes.len() {
                self.stage = Stage::Storing(index);
                steps.push(Step::Whole);
            }
            return steps;
        }
        if self.asked_at.is_none() || token != self.token {
            return steps;
        }
        self.asked_at = None;
        self.heard = now;
        self.silent = 0;
        match (given, &self.stage) {
            (Given::Busy, _) => self.not_before = now.plus(BUSY_US),
            // A donor that lags has nothing, and knows no more: the leader knows, or else all of them together.
            (Given::Log { decided }, _)
                if payload.is_empty()
                    && decided <= end.index
                    && (self.donor() != self.leader || decided < end.index)
                    && self.level + 1 < self.donors.len() =>
            {
                rare!("a donor has no more than who asks it");
                self.level += 1;
                self.next_donor(now);
            }
            (Given::Log { decided }, Stage::Choosing | Stage::Log) => {
                let Ok(frames) = Frame::all_from(payload) else {
                    self.next_donor(now);
                    return steps;
                };
                self.stage = Stage::Log;
                (self.failed, self.level) = (0, 0);
                let reached = frames.last().map_or(end.index, |frame| frame.header().last().max(end.index));
                self.progress.entries = (reached.0, decided.0.max(reached.0));
                if !frames.is_empty() {
                    steps.push(Step::Frames(frames));
                }
                if reached >= decided {
                    self.stage = Stage::Done;
                    steps.push(Step::Done);
                }
            }
            (Given::Checkpoint { index, ballot, chain, bytes, blocks, decided }, Stage::Choosing) => {
                let (hashes, _) = payload.as_chunks::<8>();
                let most = blocks.min(BLOCKS_MAX as u64) as usize;
                // What comes behind them is padding.
                let hashes: Vec<u64> = hashes.iter().take(most).map(|hash| u64::from_le_bytes(*hash)).collect();
                let whole = blocks > 0 && hashes.len() as u64 == blocks;
                if index < self.least || index <= end.index || !whole {
                    self.next_donor(now);
                    return steps;
                }
                let point = Point { index, ballot, chain };
                self.progress.bytes = (0, bytes.max(1));
                self.progress.entries = (0, decided.0);
                self.stage = Stage::Blocks(Box::new(Checkpoint {
                    point,
                    hashes,
                    bytes,
                    got_bytes: 0,
                    next: 0,
                    arrived: BTreeMap::new(),
                    asked: VecDeque::new(),
                }));
                steps.push(Step::Begin(point));
            }
            // What it had is gone: the log is purged, or is another.
            _ => self.start_over(now),
        }
        steps
    }
}

fn ask(donor: Incarnation, token: u64, want: Want, out: &mut Effects) {
    out.post(Peer::Member(donor), Channel::Bulk, Message::Recover { token, want }, Payload::None);
}

/// The hash of a block, as `engine/log` computes it for the file.
#[must_use]
pub fn block_hash(index: Index, number: u64, block: &[u8]) -> u64 {
    xxh3_64_with_seed(block, index.0.rotate_left(32) ^ number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Effect;
    use wire::id::Ballot;

    const END: Point = Point { index: Index(5), ballot: Ballot::ZERO, chain: 9 };
    const LEADER: Incarnation = Incarnation(3);

    fn joiner() -> Joiner {
        let mut joiner = Joiner::new(Instant(0), Vec::new(), Index(0), u64::MAX, 0);
        joiner.set_donors(vec![Incarnation(1), Incarnation(2), LEADER], Some(LEADER));
        joiner
    }

    /// Whom it asks now, if anybody, and under which token.
    fn asked(joiner: &mut Joiner, now: u64) -> Option<(Peer, u64)> {
        let mut out = Effects::default();
        joiner.drive(Instant(now), END, &mut out);
        match out.pop()? {
            Effect::Send { to, message: Message::Recover { token, .. }, .. } => Some((to, token)),
            other => panic!("{other:?}"),
        }
    }

    fn answered(joiner: &mut Joiner, now: u64, token: u64, given: Given) -> bool {
        let steps = joiner.on_given(Instant(now), token, given, Buffer::new(), END);
        steps.iter().any(|step| matches!(step, Step::Done))
    }

    /// What a donor lags behind is not decided less: only the leader, or all together, know that there is no more.
    #[test]
    fn a_donor_that_lags_does_not_end_it() {
        for (leader_decided, done) in [(5, true), (4, true)] {
            let mut joiner = joiner();
            for donor in [1, 2] {
                let (to, token) = asked(&mut joiner, 1).expect("the next is asked at once");
                assert_eq!(to, Peer::Member(Incarnation(donor)));
                assert!(!answered(&mut joiner, 1, token, Given::Log { decided: Index(5 - donor % 2) }));
            }
            let (to, token) = asked(&mut joiner, 1).expect("the leader is asked");
            assert_eq!(to, Peer::Member(LEADER));
            // (The last of them ends it in any case: who asks is ahead of all.)
            assert_eq!(answered(&mut joiner, 1, token, Given::Log { decided: Index(leader_decided) }), done);
        }
    }

    #[test]
    fn the_leader_ends_it_alone() {
        let mut joiner = Joiner::new(Instant(0), Vec::new(), Index(0), u64::MAX, 0);
        joiner.set_donors(vec![LEADER, Incarnation(1)], Some(LEADER));
        let (_, token) = asked(&mut joiner, 1).expect("it asks");
        assert!(answered(&mut joiner, 1, token, Given::Log { decided: Index(5) }));
    }

    /// When nobody can give what is missing, it asks again after a pause that grows.
    #[test]
    fn each_round_in_vain_is_followed_by_a_longer_pause() {
        let (mut joiner, mut now) = (joiner(), 1);
        for round in 0..4 {
            for _ in 0..3 {
                let (_, token) = asked(&mut joiner, now).expect("it asks");
                assert!(!answered(&mut joiner, now, token, Given::Gone));
            }
            let pause = BUSY_US << round;
            assert_eq!(asked(&mut joiner, now + pause - 1), None);
            now += pause;
        }
    }
}
