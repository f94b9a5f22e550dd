//! The one rule that tells a write that a crash interrupted (*torn*) from a write that came to harm later.
//!
//! Files are prewritten with zeros, and a disk writes whole sectors. So a torn write lacks whole sectors,
//! and where they lack, the zeros are still there. Data may hold sectors of zeros too; therefore the writer
//! notes in its header how many of them it wrote, and only *more* zero sectors than that are proof of a
//! torn write. Anything else is damage: it may have been acknowledged, and is never cut.
//!
//! A write into the mapping can stop at any byte when the process is killed. It therefore stores the mark
//! [`Mark::Mapped`] first and the eight bytes with magic and length last: where they are zero and the mark
//! is there, the write was never finished.
//!
//! The note lies in the last eight bytes of a header, so that neither end of a header is ever zero:
//! `{ zero sectors u32, mark u32 }`.

/// What a disk writes at once, in bytes.
pub(crate) const SECTOR_BYTES: u64 = 512;
/// Bytes of the note at the end of a header.
pub(crate) const NOTE_BYTES: usize = 8;

const MARK_WRITTEN: u32 = 0x5752_4954;
const MARK_MAPPED: u32 = 0x4d41_5050;

/// How the bytes got into the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// By one `pwrite`.
    Written,
    /// By stores into the mapping.
    Mapped,
}

/// The note for a header whose frame has so many sectors of zeros.
pub(crate) fn note(mark: Mark, zero_sectors: u32) -> [u8; NOTE_BYTES] {
    let mark = match mark {
        Mark::Written => MARK_WRITTEN,
        Mark::Mapped => MARK_MAPPED,
    };
    (u64::from(mark) << 32 | u64::from(zero_sectors)).to_le_bytes()
}

/// Whether a good header says that its frame was stored into the mapping.
pub(crate) fn is_mapped(header: &[u8]) -> bool {
    header.ends_with(&MARK_MAPPED.to_le_bytes())
}

fn sectors(bytes: &[u8], offset: u64) -> impl Iterator<Item = &[u8]> {
    let first = ((SECTOR_BYTES - offset % SECTOR_BYTES) as usize).min(bytes.len());
    let (head, rest) = bytes.split_at(first);
    std::iter::once(head).chain(rest.chunks(SECTOR_BYTES as usize)).filter(|sector| !sector.is_empty())
}

/// How many sectors, or parts of a sector at the ends, of `bytes` at file offset `offset` are all zero.
pub(crate) fn zero_sectors(bytes: &[u8], offset: u64) -> u32 {
    sectors(bytes, offset).filter(|sector| is_zero(sector)).count() as u32
}

/// Whether all bytes are zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    const CHUNK: usize = 4096;
    static ZEROS: [u8; CHUNK] = [0; CHUNK];
    // A comparison of slices is one call of memcmp: fast in every build.
    bytes.chunks(CHUNK).all(|chunk| chunk[..1] == ZEROS[..1] && *chunk == ZEROS[..chunk.len()])
}

/// Whether a bad header of `header_bytes` at the start of `bytes` (at file offset `offset`, and going on to the
/// end of the file) is one that was never wholly written.
pub(crate) fn header_is_torn(bytes: &[u8], offset: u64, header_bytes: usize) -> bool {
    // A missing sector is missing to its end, with whatever would have followed the header there.
    let sectors_end = (offset + header_bytes as u64).next_multiple_of(SECTOR_BYTES) - offset;
    if zero_sectors(&bytes[..bytes.len().min(sectors_end as usize)], offset) > 0 {
        return true;
    }
    let header = &bytes[..header_bytes.min(bytes.len())];
    let Some(mark) = header.get(header_bytes - 4..) else { return false };
    mark == MARK_MAPPED.to_le_bytes() && is_zero(&header[..8])
}

/// Whether a frame with a good header and a bad body is one that was never wholly written. `frame` is header
/// and body, the note being the last bytes of the header.
pub(crate) fn body_is_torn(frame: &[u8], offset: u64, header_bytes: usize) -> bool {
    let mut noted = [0; 4];
    noted.copy_from_slice(&frame[header_bytes - NOTE_BYTES..header_bytes - 4]);
    zero_sectors(frame, offset) > u32::from_le_bytes(noted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_are_counted_as_they_lie_in_the_file() {
        // (offset, length, bytes that are not zero, zero sectors)
        let cases: [(u64, usize, &[usize], u32); 7] = [
            (0, 512, &[], 1),
            (0, 1024, &[0], 1),
            (496, 32, &[0], 1),
            (496, 32, &[16], 1),
            (496, 16, &[0], 0),
            (16, 1024, &[600], 2),
            (0, 0, &[], 0),
        ];
        for (offset, length, set, expected) in cases {
            let mut bytes = vec![0; length];
            set.iter().for_each(|&at| bytes[at] = 1);
            assert_eq!(zero_sectors(&bytes, offset), expected, "{offset} {length} {set:?}");
        }
    }

    #[test]
    fn a_header_is_torn_only_where_a_write_can_stop() {
        let mut header = [1; 80];
        header[72..].copy_from_slice(&note(Mark::Written, 0));
        assert!(!header_is_torn(&header, 0, 80), "damage");
        header[..8].fill(0);
        assert!(!header_is_torn(&header, 0, 80), "pwrite does not stop within a sector");
        header[72..].copy_from_slice(&note(Mark::Mapped, 0));
        assert!(header_is_torn(&header, 0, 80), "a killed process does");
        let mut header = [1; 80];
        header[16..].fill(0);
        assert!(!header_is_torn(&header, 512, 80));
        assert!(header_is_torn(&header, 496, 80), "the second sector is missing");
    }
}
