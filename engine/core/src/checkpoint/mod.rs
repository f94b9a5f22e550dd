//! Checkpoints: the whole replicated state as of one index, in blocks.
//!
//! [`Checkpoint`] is the one type that holds all of it but keys and rows, which follow in blocks of their own:
//! head, keys, rows. [`cut::Cut`] makes the blocks in slices while the member goes on; [`Restore`] reads them.
//! [`keeper::Keeper`] says when to cut, what to keep and what may be purged.
//!
//! Block: `kind u64`, then for head a part of the archive, for keys `generation u64` and pairs `hash u64, CSN
//! u64`, for rows what the store made. Absent on purpose: files, checksums (`engine/log`), the meaning of rows.
//!
//! Invariants **[!]**: a checkpoint holds *all* replicated state, of the index that it names and no other; it
//! becomes durable only at or below what the member's own log has synced, and before anything is purged.

pub mod cut;
pub mod keeper;

use crate::certify::Certifier;
use crate::certify::GENERATION_SLOTS;
use crate::certify::image::CertifierImage;
use crate::certify::index::WriteIndex;
use crate::paxos::tail::Point;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Deserialize, Serialize};
use wire::id::{Ballot, Birth, Csn, Index, TableId};

/// Version of what is in blocks.
pub const VERSION: u32 = 1;
/// Blocks are made of about this many bytes.
pub const BLOCK_BYTES: usize = 256 << 10;
/// A head, in parts, is at most so long: a catalogue of a million objects.
const HEAD_BYTES_MAX: usize = 1 << 30;

pub(crate) const HEAD: u64 = 1;
pub(crate) const HEAD_END: u64 = 2;
pub(crate) const KEYS: u64 = 3;
pub(crate) const ROWS: u64 = 4;
/// Bytes of a block before what it holds.
pub(crate) const KIND_BYTES: usize = 8;

/// All replicated state at one index but for the keys and rows.
#[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
pub struct Checkpoint {
    /// [`VERSION`].
    pub version: u32,
    /// The index that it is of.
    pub index: Index,
    /// Ballot of the frame that ends there.
    pub ballot: Ballot,
    /// Chain there.
    pub chain: u64,
    /// The birth that the log belongs to there.
    pub birth: Birth,
    /// View, members, primary, GTIDs, catalogue, sequencer, digest of verdicts.
    pub certifier: CertifierImage,
    /// Digest of all rows.
    pub rows_digest: u64,
    /// Greatest value seen of each AUTO_INCREMENT column.
    pub counters: Vec<(TableId, u64)>,
    /// Indexes that a DDL was to build and every member left out, as rows were equal in them.
    pub left_out: Vec<(TableId, u16)>,
}

impl Checkpoint {
    /// The place in the log.
    #[must_use]
    pub fn point(&self) -> Point {
        Point { index: self.index, ballot: self.ballot, chain: self.chain }
    }
}

/// Why blocks are not a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A block of an unknown kind, or out of place, or cut short.
    #[error("block {number} of the checkpoint is malformed")]
    Block {
        /// Which, from 0.
        number: u64,
    },
    /// The head is no archive of ours, or contradicts itself.
    #[error("the head of the checkpoint is malformed")]
    Head,
    /// Written by another version.
    #[error("the checkpoint has version {found}, expected {VERSION}")]
    Version {
        /// As stored.
        found: u32,
    },
    /// The blocks end before the head does.
    #[error("the checkpoint ends after {blocks} blocks")]
    Short {
        /// How many there were.
        blocks: u64,
    },
}

/// What a block brought that the rows' owner must know.
#[derive(Debug)]
pub enum Restored<'a> {
    /// Nothing.
    Nothing,
    /// The head is whole: rows follow.
    Head(Box<Checkpoint>),
    /// A piece of the store's stream.
    Rows(&'a [u8]),
}

/// Reads the blocks of a checkpoint, in order.
pub struct Restore {
    head_bytes: AlignedVec<16>,
    head: Option<Box<Checkpoint>>,
    keys: WriteIndex,
    generation: Option<u64>,
    blocks: u64,
}

impl Default for Restore {
    fn default() -> Self {
        Self::new(GENERATION_SLOTS)
    }
}

impl Restore {
    /// For a certifier whose generations have so many slots.
    #[must_use]
    pub fn new(generation_slots: usize) -> Self {
        let keys = WriteIndex::new(generation_slots);
        Self { head_bytes: AlignedVec::new(), head: None, keys, generation: None, blocks: 0 }
    }

    /// Takes the next block.
    ///
    /// # Errors
    /// [`CheckpointError`]: the checkpoint is to be given up.
    pub fn block<'a>(&mut self, block: &'a [u8]) -> Result<Restored<'a>, CheckpointError> {
        let malformed = CheckpointError::Block { number: self.blocks };
        let Some((kind, rest)) = block.split_first_chunk::<KIND_BYTES>() else { return Err(malformed) };
        self.blocks += 1;
        match (u64::from_le_bytes(*kind), &self.head) {
            (kind @ (HEAD | HEAD_END), None) if self.head_bytes.len() + rest.len() <= HEAD_BYTES_MAX => {
                self.head_bytes.extend_from_slice(rest);
                if kind == HEAD {
                    return Ok(Restored::Nothing);
                }
                let bytes = std::mem::take(&mut self.head_bytes);
                let head = rkyv::from_bytes::<Checkpoint, rkyv::rancor::Failure>(&bytes);
                let head = Box::new(head.map_err(|_| CheckpointError::Head)?);
                if head.version != VERSION {
                    return Err(CheckpointError::Version { found: head.version });
                }
                if head.certifier.index != head.index {
                    return Err(CheckpointError::Head);
                }
                self.head = Some(head.clone());
                Ok(Restored::Head(head))
            }
            (KEYS, Some(_)) => {
                let Some((generation, pairs)) = rest.split_first_chunk::<8>() else { return Err(malformed) };
                let (pairs, []) = pairs.as_chunks::<16>() else { return Err(malformed) };
                let generation = u64::from_le_bytes(*generation);
                if self.generation.is_some_and(|before| before != generation) {
                    self.keys.end_generation();
                }
                self.generation = Some(generation);
                for pair in pairs {
                    let pair = u128::from_le_bytes(*pair);
                    self.keys.restore(pair as u64, Csn((pair >> 64) as u64));
                }
                Ok(Restored::Nothing)
            }
            (ROWS, Some(_)) => Ok(Restored::Rows(rest)),
            _ => Err(malformed),
        }
    }

    /// Blocks taken so far.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// After the last block: the head, and the certifier as of its index.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn finish(mut self) -> Result<(Box<Checkpoint>, Certifier), CheckpointError> {
        let head = self.head.ok_or(CheckpointError::Short { blocks: self.blocks })?;
        self.keys.end_generation();
        let certifier = head.certifier.restore(self.keys).ok_or(CheckpointError::Head)?;
        Ok((head, certifier))
    }
}

#[cfg(test)]
mod tests;
