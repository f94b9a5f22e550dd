//! The vote file: what this member has promised, which run it is, where it cut its log.
//!
//! Two slots of 4 KiB, each with a checksum and a generation; the highest good generation counts. A store
//! writes and syncs both in turn before it returns, so that a torn write costs one slot and a later damage
//! to one slot costs nothing **[!]**. A file without a good slot means that the member does not know what it
//! has promised ([`LogError::Unsure`]); a file that does not exist means that it never promised anything.
//!
//! Slot, little endian: `0 magic u64, 8 version u32, 12 crc32 of the rest, 16 generation u64, 24 the
//! record`, zeros to the end.

use crate::error::LogError;
use crate::log::Cut;
use crate::segment::SegmentNumber;
use crate::system::{self, io_error};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use wire::id::{Ballot, Birth, Incarnation, Index, Run, Uuid};
use wire::mutant::{Mutant, planted};

const SLOT_BYTES: usize = 4096;
const MAGIC: u64 = 0x3145_544f_5651_5551;
const VERSION: u32 = 1;
const RECORD_AT: usize = 24;

/// What a member must not forget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VoteRecord {
    /// `server_uuid`.
    pub server: Uuid,
    /// The group since its bootstrap.
    pub birth: Birth,
    /// This membership life; 0 outside any group.
    pub incarnation: Incarnation,
    /// The run in use, or the last one.
    pub run: Run,
    /// Highest ballot promised.
    pub promised: Ballot,
    /// Whether the incarnation was a voter at last.
    pub voter: bool,
    /// Whether the group still lists the incarnation, as far as is known.
    pub listed: bool,
    /// Whether this log left the group's lineage (force_members elsewhere, or writes outside a group).
    pub forked: bool,
    /// Whether Group Replication ran when this was stored: START without STOP.
    pub running: bool,
    /// A cut of the log that may not be done yet; see [`crate::Log::cut_after`].
    pub cut: Option<Cut>,
    /// The machine's run while acknowledgements may rest on its page cache (`sync_binlog=0`); `None` once
    /// all is synced.
    pub unsynced_boot: Option<[u8; 16]>,
    /// `sync_binlog` of the last run: 0 or 1.
    pub sync_binlog: u8,
    /// Generation of the log that goes with this; see [`crate::Log::restart_at`].
    pub log_generation: u64,
}

impl VoteRecord {
    fn write(&self, out: &mut Vec<u8>) {
        let cut =
            self.cut.unwrap_or(Cut { index: Index(0), segment: SegmentNumber(0), offset: 0, fresh: SegmentNumber(0) });
        let flags =
            [self.voter, self.listed, self.forked, self.running, self.cut.is_some(), self.unsynced_boot.is_some()];
        out.extend_from_slice(&self.server.0);
        for number in [
            self.birth.0,
            self.incarnation.0,
            self.run.0,
            self.promised.round,
            self.promised.node.0,
            cut.index.0,
            cut.segment.0,
            cut.offset,
            cut.fresh.0,
            self.log_generation,
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.unsynced_boot.unwrap_or_default());
        out.extend(flags.map(u8::from));
        out.push(self.sync_binlog);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let uuid = *rest.split_off(..16)?.first_chunk::<16>()?;
        let mut number = || Some(u64::from_le_bytes(*rest.split_off(..8)?.first_chunk::<8>()?));
        let (birth, incarnation, run) = (Birth(number()?), Incarnation(number()?), Run(number()?));
        let promised = Ballot { round: number()?, node: Incarnation(number()?) };
        let cut = Cut {
            index: Index(number()?),
            segment: SegmentNumber(number()?),
            offset: number()?,
            fresh: SegmentNumber(number()?),
        };
        let log_generation = number()?;
        let boot = *rest.split_off(..16)?.first_chunk::<16>()?;
        let flags = *rest.split_off(..7)?.first_chunk::<7>()?;
        if flags[..6].iter().any(|&flag| flag > 1) {
            return None;
        }
        Some(Self {
            server: Uuid(uuid),
            birth,
            incarnation,
            run,
            promised,
            voter: flags[0] == 1,
            listed: flags[1] == 1,
            forked: flags[2] == 1,
            running: flags[3] == 1,
            cut: (flags[4] == 1).then_some(cut),
            unsynced_boot: (flags[5] == 1).then_some(boot),
            sync_binlog: flags[6],
            log_generation,
        })
    }
}

/// An open vote file.
#[derive(Debug)]
pub struct VoteFile {
    path: PathBuf,
    file: Option<File>,
    generation: u64,
}

impl VoteFile {
    /// Opens `path` and answers what was stored last; `None` when there is no file: nothing was ever stored.
    ///
    /// What is answered is stored again first: the page cache may hold what the disk never got **[!]**.
    ///
    /// # Errors
    /// [`LogError::Unsure`] when the file has no good slot, [`LogError::Version`], [`LogError::SyncFailed`],
    /// [`LogError::Io`].
    pub fn open(path: &Path) -> Result<(Self, Option<VoteRecord>), LogError> {
        system::ignore_file_size_signal();
        let mut votes = Self { path: path.to_owned(), file: None, generation: 0 };
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((votes, None)),
            Err(source) => return Err(io_error("open", path)(source)),
        };
        let mut slots = [None, None];
        let mut reasons = Vec::new();
        for (at, slot) in slots.iter_mut().enumerate() {
            match read_slot(&file, at) {
                Ok(Slot::Good(generation, record)) => *slot = Some((generation, record)),
                Ok(Slot::Version(found)) => {
                    return Err(LogError::Version { path: path.to_owned(), found, expected: VERSION });
                }
                Ok(Slot::Bad(reason)) => reasons.push(format!("slot {at}: {reason}")),
                // A media error in one slot is what the other is for.
                Err(error) => reasons.push(format!("slot {at}: {error}")),
            }
        }
        let newest = match (slots[0], slots[1]) {
            (Some((a, _)), Some((b, _))) if b > a => 1,
            (Some(_), _) => 0,
            (None, Some(_)) => 1,
            (None, None) => {
                return Err(LogError::Unsure { path: path.to_owned(), reason: reasons.join(", ") });
            }
        };
        let (generation, record) = slots[newest].expect("chosen because it is good");
        votes.file = Some(file);
        votes.generation = generation + 1;
        votes.write_slots(&record, healing_order(newest))?;
        Ok((votes, Some(record)))
    }

    /// Stores `record`. When this returns, both slots hold it, synced.
    ///
    /// # Errors
    /// [`LogError::SyncFailed`] and [`LogError::Io`] (what is stored is unknown: the process must end), and,
    /// only while the file does not exist yet, [`LogError::DiskFull`].
    pub fn store(&mut self, record: &VoteRecord) -> Result<(), LogError> {
        if self.file.is_some() {
            self.generation += 1;
            return self.write_slots(record, [0, 1]);
        }
        let mut temporary = self.path.clone().into_os_string();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        let slot = slot_bytes(self.generation + 1, record);
        let both = [slot.as_slice(), slot.as_slice()].concat();
        let file = system::create_zeroed(&temporary, both.len() as u64, &both)?;
        std::fs::rename(&temporary, &self.path).map_err(io_error("rename", &temporary))?;
        system::sync_directory(system::parent(&self.path))?;
        self.generation += 1;
        self.file = Some(file);
        Ok(())
    }

    fn write_slots(&mut self, record: &VoteRecord, order: [usize; 2]) -> Result<(), LogError> {
        let file = self.file.as_ref().expect("called with an open file only");
        let bytes = slot_bytes(self.generation, record);
        let order = if planted(Mutant::VoteInOneSlot) { &order[..1] } else { &order[..] };
        for &at in order {
            file.write_all_at(&bytes, (at * SLOT_BYTES) as u64)
                .map_err(|source| system::error("write", &self.path, SLOT_BYTES as u64, source))?;
            system::sync_data(file, &self.path)?;
        }
        Ok(())
    }
}

/// The other slot first: the newest may be the only good one, and a torn write may not cost it.
fn healing_order(newest: usize) -> [usize; 2] {
    [1 - newest, newest]
}

enum Slot {
    Good(u64, VoteRecord),
    Bad(&'static str),
    Version(u32),
}

fn read_slot(file: &File, at: usize) -> io::Result<Slot> {
    let mut bytes = vec![0; SLOT_BYTES];
    match file.read_exact_at(&mut bytes, (at * SLOT_BYTES) as u64) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Slot::Bad("the file is too short")),
        Err(error) => return Err(error),
    }
    let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
    if u64_at(0) != MAGIC {
        return Ok(Slot::Bad("it does not begin as a slot does"));
    }
    if u32_at(12) != checksum(&bytes) {
        return Ok(Slot::Bad("its checksum does not match"));
    }
    if u32_at(8) != VERSION {
        return Ok(Slot::Version(u32_at(8)));
    }
    Ok(match VoteRecord::read(&bytes[RECORD_AT..]) {
        Some(record) => Slot::Good(u64_at(16), record),
        None => Slot::Bad("its record is malformed"),
    })
}

fn slot_bytes(generation: u64, record: &VoteRecord) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SLOT_BYTES);
    bytes.extend_from_slice(&MAGIC.to_le_bytes());
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&generation.to_le_bytes());
    assert_eq!(bytes.len(), RECORD_AT);
    record.write(&mut bytes);
    assert!(bytes.len() <= SLOT_BYTES, "the record fits in its slot");
    bytes.resize(SLOT_BYTES, 0);
    let crc = checksum(&bytes);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Of magic, version and all after the checksum.
fn checksum(slot: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&slot[..12]);
    hasher.update(&slot[16..]);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_good_slot_is_not_the_first_written_over() {
        assert_eq!((healing_order(0), healing_order(1)), ([1, 0], [0, 1]));
    }

    #[test]
    fn a_record_reads_back() {
        let full = VoteRecord {
            server: Uuid([9; 16]),
            birth: Birth(1),
            incarnation: Incarnation(2),
            run: Run(3),
            promised: Ballot { round: 4, node: Incarnation(5) },
            voter: true,
            listed: true,
            forked: true,
            running: true,
            cut: Some(Cut { index: Index(6), segment: SegmentNumber(7), offset: 4096, fresh: SegmentNumber(8) }),
            unsynced_boot: Some([8; 16]),
            sync_binlog: 1,
            log_generation: 10,
        };
        for record in [full, VoteRecord::default(), VoteRecord { cut: None, ..full }] {
            let slot = slot_bytes(1, &record);
            assert_eq!(VoteRecord::read(&slot[RECORD_AT..]), Some(record));
        }
        let mut short = Vec::new();
        full.write(&mut short);
        for length in 0..short.len() {
            assert_eq!(VoteRecord::read(&short[..length]), None, "{length}");
        }
    }
}
