//! Makes the blocks of a checkpoint in slices of bounded work, while the member goes on.
//!
//! Begun right after the frame that ends at its index was judged and applied: head and the frozen generations
//! are taken there; rows are read as of that CSN, whose versions their owner keeps meanwhile.

use super::{BLOCK_BYTES, Checkpoint, HEAD, HEAD_END, KEYS, KIND_BYTES, ROWS};
use crate::certify::Certifier;
use crate::certify::image::CertifierImage;
use crate::certify::index::Generation;
use crate::paxos::tail::Point;
use std::rc::Rc;
use wire::id::{Birth, Csn, TableId};
use wire::mutant::{Mutant, planted};

/// Slots of a generation looked at in one slice: 16 bytes each.
const SLOTS_PER_SLICE: usize = 8192;
/// Bytes of a pair of hash and CSN.
const PAIR_BYTES: usize = 16;

/// What rows add to a checkpoint's head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowsHead {
    /// Digest of all rows.
    pub digest: u64,
    /// Greatest value seen of each AUTO_INCREMENT column.
    pub counters: Vec<(TableId, u64)>,
    /// Indexes that every member left out.
    pub left_out: Vec<(TableId, u16)>,
}

enum Stage {
    Head { at: usize },
    Keys { generation: usize, slot: usize },
    Rows,
    Done,
}

/// What a slice brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Slice {
    /// Nothing yet.
    More,
    /// A block; more follow.
    Block(Vec<u8>),
    /// There are no more.
    End,
}

/// See the module.
pub struct Cut {
    point: Point,
    /// Until the rows have reached the place too.
    image: Option<Box<CertifierImage>>,
    birth: Birth,
    head: Vec<u8>,
    generations: Vec<Rc<Generation>>,
    stage: Stage,
    block: Vec<u8>,
}

impl Cut {
    /// Begins at `point`, which `certifier` has just judged; the rows are still to reach it.
    #[must_use]
    pub fn begin(point: Point, certifier: &mut Certifier) -> Self {
        assert_eq!(point.index, certifier.index(), "a checkpoint is of the index that was just judged");
        let birth = certifier.view().map_or(Birth(0), |(_, view)| view.birth);
        let (image, generations) = (Some(Box::new(certifier.image())), certifier.freeze());
        Self { point, image, birth, head: Vec::new(), generations, stage: Stage::Head { at: 0 }, block: Vec::new() }
    }

    /// The rows have just reached the place: what they add to the head.
    pub fn set_rows(&mut self, csn: Csn, rows: RowsHead) {
        let certifier = *self.image.take().expect("rows reach a place once");
        assert_eq!(certifier.csn, csn, "a checkpoint's rows are of the index that it names");
        let checkpoint = Checkpoint {
            version: super::VERSION,
            index: self.point.index,
            ballot: self.point.ballot,
            chain: self.point.chain,
            birth: self.birth,
            certifier,
            rows_digest: rows.digest,
            counters: if planted(Mutant::CheckpointWithoutCounters) { Vec::new() } else { rows.counters },
            left_out: rows.left_out,
        };
        let head = rkyv::to_bytes::<rkyv::rancor::Error>(&checkpoint).expect("serialising into memory cannot fail");
        self.head = head.to_vec();
    }

    /// What it is a checkpoint of.
    #[must_use]
    pub fn point(&self) -> Point {
        self.point
    }

    /// One slice of work; `rows` appends a bounded piece of the store's stream, true at its end.
    pub fn slice(&mut self, rows: &mut dyn FnMut(&mut Vec<u8>) -> bool) -> Slice {
        assert!(self.image.is_none(), "rows reach the place before blocks are made");
        match self.stage {
            Stage::Head { at } => {
                let end = (at + BLOCK_BYTES).min(self.head.len());
                let last = end == self.head.len();
                let mut block = block_of(if last { HEAD_END } else { HEAD });
                block.extend_from_slice(&self.head[at..end]);
                self.stage = if last { Stage::Keys { generation: 0, slot: 0 } } else { Stage::Head { at: end } };
                Slice::Block(block)
            }
            Stage::Keys { generation, slot } => self.keys(generation, slot),
            Stage::Rows => {
                if self.block.is_empty() {
                    self.block = block_of(ROWS);
                }
                let done = rows(&mut self.block);
                if done {
                    self.stage = Stage::Done;
                }
                let due = self.block.len() >= BLOCK_BYTES || done && self.block.len() > KIND_BYTES;
                if due { Slice::Block(std::mem::take(&mut self.block)) } else { Slice::More }
            }
            Stage::Done => Slice::End,
        }
    }

    fn keys(&mut self, number: usize, slot: usize) -> Slice {
        let left = self.generations.get(number).filter(|_| !planted(Mutant::CheckpointWithoutKeys));
        let Some(generation) = left else {
            self.stage = Stage::Rows;
            self.generations.clear();
            return Slice::More;
        };
        if self.block.is_empty() {
            self.block = block_of(KEYS);
            self.block.extend_from_slice(&(number as u64).to_le_bytes());
        }
        let block = &mut self.block;
        let next = generation.keys_from(slot, SLOTS_PER_SLICE, |hash, csn| {
            block.extend_from_slice(&(u128::from(hash) | u128::from(csn.0) << 64).to_le_bytes());
        });
        self.stage = match next {
            Some(slot) => Stage::Keys { generation: number, slot },
            None => Stage::Keys { generation: number + 1, slot: 0 },
        };
        let full = self.block.len() + SLOTS_PER_SLICE * PAIR_BYTES > BLOCK_BYTES;
        if next.is_none() || full { Slice::Block(std::mem::take(&mut self.block)) } else { Slice::More }
    }
}

fn block_of(kind: u64) -> Vec<u8> {
    let mut block = Vec::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 4);
    block.extend_from_slice(&kind.to_le_bytes());
    block
}
