//! SHA-256 crypt with salts of any length: what `caching_sha2_password` stores. (Crates for it cut the salt to
//! 16 bytes; MySQL's has 20.)
//!
//! Source: Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512"; step numbers below are that paper's.

use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Characters of a hash.
pub(super) const HASH_CHARS: usize = 43;

/// The hash of `password` under `salt`, in crypt's own base 64. Each round costs two or three blocks of
/// SHA-256.
pub(super) fn sha256_crypt(password: &[u8], salt: &[u8], rounds: u32) -> [u8; HASH_CHARS] {
    let sum = |parts: &[&[u8]]| -> [u8; 32] {
        let mut hasher = Sha256::new();
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finalize().into()
    };
    // Steps 4-8: B.
    let alternate = sum(&[password, salt, password]);
    // Steps 1-3, 9-12: A.
    let mut hasher = Sha256::new();
    hasher.update(password);
    hasher.update(salt);
    update_cycled(&mut hasher, &alternate, password.len());
    let mut bits = password.len();
    while bits > 0 {
        hasher.update(if bits & 1 == 1 { &alternate[..] } else { password });
        bits >>= 1;
    }
    let mut digest: [u8; 32] = hasher.finalize().into();
    // Steps 13-16: DP, P.
    let mut hasher = Sha256::new();
    (0..password.len()).for_each(|_| hasher.update(password));
    let password_digest: [u8; 32] = hasher.finalize().into();
    let password_cycled = cycled(&password_digest, password.len());
    // Steps 17-20: DS, S.
    let mut hasher = Sha256::new();
    (0..16 + usize::from(digest[0])).for_each(|_| hasher.update(salt));
    let salt_digest: [u8; 32] = hasher.finalize().into();
    let salt_cycled = cycled(&salt_digest, salt.len());
    // Step 21.
    for round in 0..rounds {
        let mut hasher = Sha256::new();
        hasher.update(if round % 2 == 1 { &password_cycled } else { &digest[..] });
        if round % 3 != 0 {
            hasher.update(&salt_cycled);
        }
        if round % 7 != 0 {
            hasher.update(&password_cycled);
        }
        hasher.update(if round % 2 == 1 { &digest[..] } else { &password_cycled });
        digest = hasher.finalize().into();
    }
    encode(&digest)
}

/// Step 22: three bytes at a time, from three places that each move on by 21 (mod 30).
fn encode(digest: &[u8; 32]) -> [u8; HASH_CHARS] {
    let mut out = [0; HASH_CHARS];
    let mut put = |at: usize, chars: usize, mut bits: u32| {
        for place in &mut out[at..at + chars] {
            *place = ALPHABET[(bits & 0x3f) as usize];
            bits >>= 6;
        }
    };
    let (mut a, mut b, mut c) = (0, 10, 20);
    for group in 0..10 {
        let bits = u32::from(digest[a]) << 16 | u32::from(digest[b]) << 8 | u32::from(digest[c]);
        put(group * 4, 4, bits);
        (a, b, c) = ((a + 21) % 30, (b + 21) % 30, (c + 21) % 30);
    }
    put(40, 3, u32::from(digest[31]) << 8 | u32::from(digest[30]));
    out
}

fn cycled(digest: &[u8; 32], length: usize) -> Vec<u8> {
    digest.iter().copied().cycle().take(length).collect()
}

fn update_cycled(hasher: &mut Sha256, digest: &[u8; 32], length: usize) {
    for _ in 0..length / 32 {
        hasher.update(digest);
    }
    hasher.update(&digest[..length % 32]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Drepper's paper, with their salts cut to 16 characters as it does.
    #[test]
    fn published_vectors() {
        for (password, salt, rounds, hash) in [
            ("Hello world!", "saltstring", 5000, "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
            ("Hello world!", "saltstringsaltst", 10000, "3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"),
            ("This is just a test", "toolongsaltstrin", 5000, "Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5"),
            (
                "a very much longer text to encrypt.  This one even stretches over morethan one line.",
                "anotherlongsalts",
                1400,
                "Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1",
            ),
            (
                "the minimum number is still observed",
                "roundstoolow",
                1000,
                "yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC",
            ),
        ] {
            let found = sha256_crypt(password.as_bytes(), salt.as_bytes(), rounds);
            assert_eq!(std::str::from_utf8(&found), Ok(hash), "{password}");
        }
    }
}
