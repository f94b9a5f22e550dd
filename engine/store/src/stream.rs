//! The rows of a member as a checkpoint stream: pieces of bytes in key order, read as of one CSN while
//! writers go on, and loaded again into an empty store.
//!
//! Record, little endian: `0 table u64, 8 CSN u64, 16 key bytes u32, 20 row bytes u32, 24 space u16`, key, row.
//!
//! Absent on purpose: tombstones and older versions (a restored store has no reader from before), checksums
//! (the file's blocks have them; the sum of all rows is compared with the digest at the end).

use crate::shard::row_digest;
use crate::store::{Range, Space, Store};
use std::ops::Bound;
use wire::id::{Csn, TableId};

/// Bytes before each key.
const RECORD_HEADER_BYTES: usize = 26;

/// Takes a row: its space, its key, the CSN that wrote it, its bytes. False when there is no room for more.
type Visit<'a> = dyn FnMut(Space, &[u8], Csn, &[u8]) -> bool + 'a;

/// How far a stream has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamCursor {
    at: Csn,
    next: Option<(Space, Bound<Vec<u8>>)>,
}

/// Why bytes are not a piece of a checkpoint stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The bytes end within a record.
    #[error("a row of a checkpoint needs {needed} bytes, found {found}")]
    Short {
        /// Bytes that the record needs.
        needed: usize,
        /// Bytes there are.
        found: usize,
    },
    /// A row of a table that the checkpoint's catalogue does not have.
    #[error("a checkpoint holds a row of table {}, which it does not have", table.0)]
    Table {
        /// The table.
        table: TableId,
    },
    /// A key that was there already.
    #[error("a checkpoint holds a key of table {} twice", table.0)]
    Twice {
        /// The table.
        table: TableId,
    },
}

impl Store {
    /// Begins a stream of all rows as of `at`. The caller keeps collection below `at` away until the stream
    /// ends, and gives it up when a table or a key space is dropped meanwhile: those have no versions.
    #[must_use]
    pub fn stream_from(&self, at: Csn) -> StreamCursor {
        StreamCursor { at, next: Some((Space { table: TableId(0), number: 0 }, Bound::Unbounded)) }
    }

    /// Appends what comes next to `out`, and adds its digests to `sum`, as [`Store::scrub`] does: at most `keys_max`
    /// keys are looked at, and none once `out` has `bytes_max` bytes. True when the stream is at its end.
    pub fn stream(
        &self,
        cursor: &mut StreamCursor,
        (keys_max, bytes_max): (usize, usize),
        sum: &mut u64,
        out: &mut Vec<u8>,
    ) -> bool {
        if out.len() >= bytes_max {
            return false;
        }
        self.walk(cursor, keys_max, &mut |space, key, csn, row| {
            *sum = sum.wrapping_add(row_digest(space, key, row));
            write_record(space, key, csn, row, out);
            out.len() < bytes_max
        })
    }

    /// Adds the digests of the rows that come next to `sum`: at most `keys_max` keys are looked at. True at the end,
    /// where the sum is the digest as of the cursor's CSN, if every row is still what was stored.
    pub fn scrub(&self, cursor: &mut StreamCursor, keys_max: usize, sum: &mut u64) -> bool {
        self.walk(cursor, keys_max, &mut |space, key, _, row| {
            *sum = sum.wrapping_add(row_digest(space, key, row));
            true
        })
    }

    /// Visits at most `keys_max` keys that come next, while `visit` answers that there is room for more.
    fn walk(&self, cursor: &mut StreamCursor, keys_max: usize, visit: &mut Visit<'_>) -> bool {
        let (mut left, mut room) = (keys_max.max(1), true);
        while left > 0 && room {
            let Some((asked, from)) = cursor.next.take() else { return true };
            let Some(space) = self.space_from(asked) else { return true };
            // What was left of a key space may be gone since: the place within it says nothing of the next one.
            let from = if space == asked { from } else { Bound::Unbounded };
            let range = Range { from, to: Bound::Unbounded };
            let mut last = None;
            for (key, version) in self.versions(space, &range, false) {
                left -= 1;
                last = Some(key);
                if let Some(version) = version.as_of(cursor.at)
                    && let Some(row) = version.row.as_deref()
                {
                    room = visit(space, key, version.csn, row);
                }
                if left == 0 || !room {
                    break;
                }
            }
            cursor.next = match last {
                Some(key) if left == 0 || !room => Some((space, Bound::Excluded(key.to_vec()))),
                _ => following(space).map(|next| (next, Bound::Unbounded)),
            };
        }
        cursor.next.is_none()
    }

    /// Loads a piece of a stream; tables were created before. Answers how many rows it held.
    ///
    /// # Errors
    /// [`StreamError`]: the store is then not to be used.
    pub fn load(&mut self, piece: &[u8]) -> Result<u64, StreamError> {
        let (mut rest, mut rows) = (piece, 0);
        while !rest.is_empty() {
            let short = |needed, found| StreamError::Short { needed, found };
            let head = rest.first_chunk::<RECORD_HEADER_BYTES>().ok_or(short(RECORD_HEADER_BYTES, rest.len()))?;
            let u64_at = |at: usize| {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&head[at..at + 8]);
                u64::from_le_bytes(bytes)
            };
            let number = u16::from_le_bytes([head[24], head[25]]);
            let (space, csn, lengths) = (Space { table: TableId(u64_at(0)), number }, Csn(u64_at(8)), u64_at(16));
            let (key_bytes, row_bytes) = (lengths as u32 as usize, (lengths >> 32) as usize);
            let needed = RECORD_HEADER_BYTES + key_bytes + row_bytes;
            let record = rest.get(..needed).ok_or(short(needed, rest.len()))?;
            let (key, row) = record[RECORD_HEADER_BYTES..].split_at(key_bytes);
            if !self.has_table(space.table) {
                return Err(StreamError::Table { table: space.table });
            }
            if !self.put_loaded(csn, space, key, row) {
                return Err(StreamError::Twice { table: space.table });
            }
            rest = &rest[needed..];
            rows += 1;
        }
        Ok(rows)
    }
}

/// The least key space after `space`.
fn following(space: Space) -> Option<Space> {
    match space.number.checked_add(1) {
        Some(number) => Some(Space { number, ..space }),
        None => space.table.0.checked_add(1).map(|table| Space { table: TableId(table), number: 0 }),
    }
}

fn write_record(space: Space, key: &[u8], csn: Csn, row: &[u8], out: &mut Vec<u8>) {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("keys and rows are smaller than a frame");
    out.extend_from_slice(&space.table.0.to_le_bytes());
    out.extend_from_slice(&csn.0.to_le_bytes());
    out.extend_from_slice(&length(key).to_le_bytes());
    out.extend_from_slice(&length(row).to_le_bytes());
    out.extend_from_slice(&space.number.to_le_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(row);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Change;

    fn change(store: &mut Store, csn: u64, table: u64, key: u64, after: Option<&[u8]>) {
        let space = Space { table: TableId(table), number: (key % 2) as u16 };
        let key = key.to_be_bytes();
        let before = store.newest(space, &key).and_then(|(_, row)| row.map(<[u8]>::to_vec));
        let change = Change { space, key: &key, before: before.as_deref(), after };
        store.apply(Csn(csn), &change).unwrap();
    }

    fn filled(shards: usize) -> Store {
        let mut store = Store::new(shards);
        for table in [2000, 2001, 3000] {
            store.create_table(TableId(table));
        }
        for csn in 1..=300 {
            change(&mut store, csn, [2000, 3000][csn as usize % 2], csn * 7 % 101, Some(&csn.to_le_bytes()));
        }
        store
    }

    fn pieces(store: &Store, at: Csn, keys_max: usize, mut between: impl FnMut(&mut Vec<u8>)) -> Vec<u8> {
        let (mut cursor, mut whole) = (store.stream_from(at), Vec::new());
        loop {
            let mut piece = Vec::new();
            let done = store.stream(&mut cursor, (keys_max, 200), &mut 0, &mut piece);
            between(&mut piece);
            whole.extend_from_slice(&piece);
            if done {
                return whole;
            }
        }
    }

    fn load(bytes: &[u8], shards: usize) -> Store {
        let mut store = Store::new(shards);
        for table in [2000, 2001, 3000] {
            store.create_table(TableId(table));
        }
        store.load(bytes).unwrap();
        store
    }

    #[test]
    fn a_stream_in_pieces_of_any_size_gives_the_rows_as_they_were() {
        for (keys_max, shards) in [(1, 1), (3, 1), (7, 4), (1000, 3)] {
            let mut store = filled(shards);
            let digest = store.digest();
            let at = store.applied();
            let (mut cursor, mut bytes, mut csn) = (store.stream_from(at), Vec::new(), at.0);
            loop {
                let mut piece = Vec::new();
                let done = store.stream(&mut cursor, (keys_max, 200), &mut 0, &mut piece);
                bytes.extend_from_slice(&piece);
                // Writers go on: new keys, changed and deleted ones, behind and ahead of the stream.
                for key in [csn % 101, 500 + csn] {
                    csn += 1;
                    let after = (csn % 3 > 0).then_some(&b"later"[..]);
                    change(&mut store, csn, 2000, key, after);
                }
                if done {
                    break;
                }
            }
            let restored = load(&bytes, 1);
            assert_eq!(restored.digest(), digest);
            assert_eq!(restored.recompute_digest(), digest);
            assert_ne!(store.digest(), digest);
        }
    }

    /// The stream stands in a key space of which only a deleted key was left, and that is collected: the next space
    /// begins at its first key.
    #[test]
    fn a_key_space_that_is_gone_takes_nothing_of_the_next_one_with_it() {
        let mut store = filled(1);
        change(&mut store, 301, 2001, 90, Some(b"row"));
        change(&mut store, 302, 2001, 90, None);
        let (mut cursor, mut sum) = (store.stream_from(Csn(302)), 0);
        loop {
            let done = store.scrub(&mut cursor, 1, &mut sum);
            if matches!(&cursor.next, Some((Space { table: TableId(2001), .. }, Bound::Excluded(_)))) {
                assert!(store.collect(Csn(302), 1000));
            }
            if done {
                break;
            }
        }
        assert_eq!(sum, store.digest());
    }

    #[test]
    fn a_scrub_finds_a_changed_bit_in_any_row_and_nothing_else() {
        let mut store = filled(2);
        let scrub = |store: &Store| {
            let (mut cursor, mut sum) = (store.stream_from(store.applied()), 0);
            while !store.scrub(&mut cursor, 3, &mut sum) {}
            sum
        };
        assert_eq!(scrub(&store), store.digest());
        for table in [2000, 3000] {
            assert!(store.damage(TableId(table)));
            assert_ne!(scrub(&store), store.digest(), "a row of table {table}");
            assert!(store.damage(TableId(table)), "the same bit again");
            assert_eq!(scrub(&store), store.digest());
        }
        assert!(!store.damage(TableId(2001)), "it has no rows");
    }

    #[test]
    fn the_bytes_do_not_depend_on_shards_or_slices() {
        let one = pieces(&filled(1), Csn(300), 5, |_| {});
        assert_eq!(one, pieces(&filled(4), Csn(300), 64, |_| {}));
        assert_ne!(one, pieces(&filled(1), Csn(299), 5, |_| {}));
    }

    #[test]
    fn bytes_from_outside_are_refused_not_trusted() {
        let bytes = pieces(&filled(1), Csn(300), 64, |_| {});
        let empty = || {
            let mut store = Store::new(1);
            store.create_table(TableId(2000));
            store
        };
        assert!(matches!(empty().load(&bytes), Err(StreamError::Table { table: TableId(3000) })));
        assert!(matches!(load(&[], 1).load(&bytes[..bytes.len() - 1]), Err(StreamError::Short { .. })));
        let twice = [&bytes[..], &bytes[..]].concat();
        assert!(matches!(load(&[], 1).load(&twice), Err(StreamError::Twice { .. })));
        for at in 0..bytes.len().min(400) {
            let mut bad = bytes.clone();
            bad[at] ^= 0x80;
            let _ = load(&[], 1).load(&bad);
        }
    }
}
