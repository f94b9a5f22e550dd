//! Key bytes as they lie in the maps: short ones in place, so that a search through a map reads the map alone.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Longest key that is kept in place, in bytes: integers, and those of most indexes with a row's key behind them.
const SHORT_BYTES_MAX: usize = 22;

/// Key bytes. They compare as slices do, and are looked up by slices.
#[derive(Clone, Debug)]
pub struct KeyBytes(Bytes);

#[derive(Clone, Debug)]
enum Bytes {
    Short { length: u8, bytes: [u8; SHORT_BYTES_MAX] },
    Long(Box<[u8]>),
}

const _: () = assert!(size_of::<KeyBytes>() == 24, "a short key was to take no more room than a long one needs");

impl KeyBytes {
    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Bytes::Short { length, bytes } => &bytes[..usize::from(*length)],
            Bytes::Long(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for KeyBytes {
    fn from(key: &[u8]) -> Self {
        if key.len() > SHORT_BYTES_MAX {
            return Self(Bytes::Long(key.into()));
        }
        let mut bytes = [0; SHORT_BYTES_MAX];
        bytes[..key.len()].copy_from_slice(key);
        Self(Bytes::Short { length: key.len() as u8, bytes })
    }
}

impl std::ops::Deref for KeyBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Borrow<[u8]> for KeyBytes {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for KeyBytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for KeyBytes {}

impl Hash for KeyBytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

/// Hashes keys, each in one go.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// The length, which slices hash before their bytes: it is their seed.
    fn write_usize(&mut self, length: usize) {
        self.0 ^= length as u64;
    }
}

impl PartialOrd for KeyBytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for KeyBytes {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_keys_compare_as_their_bytes() {
        let lengths = [0, 1, SHORT_BYTES_MAX - 1, SHORT_BYTES_MAX, SHORT_BYTES_MAX + 1, 100];
        let texts: Vec<Vec<u8>> =
            lengths.iter().flat_map(|&length| [0_u8, 1, 0xff].map(|byte| vec![byte; length])).collect();
        for left in &texts {
            let key = KeyBytes::from(left.as_slice());
            assert_eq!(key.as_slice(), left);
            for right in &texts {
                let other = KeyBytes::from(right.as_slice());
                assert_eq!(key.cmp(&other), left.cmp(right), "{left:?} {right:?}");
                assert_eq!(key == other, left == right);
            }
        }
    }
}
