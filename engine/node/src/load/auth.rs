//! What a client answers when a server asks for its password.
//!
//! Source: MySQL client/server protocol, "Authentication Methods" (`mysql_native_password`,
//! `caching_sha2_password`). Absent on purpose: methods that send the password in clear.

use rsa::pkcs8::DecodePublicKey;
use sha1::{Digest, Sha1};
use sha2::Sha256;

/// Bytes of a server's nonce that the methods use.
pub const NONCE_BYTES: usize = 20;

/// An authentication method that this client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `mysql_native_password`.
    Native,
    /// `caching_sha2_password`.
    CachingSha2,
}

impl Method {
    /// The method of that name.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"mysql_native_password" => Some(Self::Native),
            b"caching_sha2_password" => Some(Self::CachingSha2),
            _ => None,
        }
    }

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "mysql_native_password",
            Self::CachingSha2 => "caching_sha2_password",
        }
    }

    /// The proof that this client knows `password`; empty for an empty password.
    #[must_use]
    pub fn scramble(self, password: &[u8], nonce: &[u8; NONCE_BYTES]) -> Vec<u8> {
        if password.is_empty() {
            return Vec::new();
        }
        match self {
            Self::Native => {
                let once = Sha1::digest(password);
                let twice = Sha1::digest(once);
                let mask = Sha1::new().chain_update(nonce).chain_update(twice).finalize();
                xor(&once, &mask)
            }
            Self::CachingSha2 => {
                let once = Sha256::digest(password);
                let twice = Sha256::digest(once);
                let mask = Sha256::new().chain_update(twice).chain_update(nonce).finalize();
                xor(&once, &mask)
            }
        }
    }
}

/// The password for `caching_sha2_password`'s full exchange without TLS: masked with the nonce and
/// encrypted with the server's key. `None` when `pem` is not an RSA public key that can hold it.
///
/// The key comes from the server itself, so this keeps the password from listeners, not from a
/// server that pretends to be another.
#[must_use]
pub fn encrypt_password(password: &[u8], nonce: &[u8; NONCE_BYTES], pem: &[u8]) -> Option<Vec<u8>> {
    let key = rsa::RsaPublicKey::from_public_key_pem(std::str::from_utf8(pem).ok()?).ok()?;
    let mut masked: Vec<u8> = password.iter().copied().chain([0]).collect();
    for (at, byte) in masked.iter_mut().enumerate() {
        *byte ^= nonce[at % NONCE_BYTES];
    }
    key.encrypt(&mut rsa::rand_core::OsRng, rsa::Oaep::new::<Sha1>(), &masked).ok()
}

fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server checks a scramble without knowing the password: it unmasks with what it stores and
    /// hashes once. Both methods must survive exactly that check.
    #[test]
    fn a_scramble_passes_the_servers_check() {
        let nonce = *b"0123456789abcdefghij";
        let native = Method::Native.scramble(b"sb", &nonce);
        let stored = Sha1::digest(Sha1::digest(b"sb"));
        let mask = Sha1::new().chain_update(nonce).chain_update(stored).finalize();
        assert_eq!(Sha1::digest(xor(&native, &mask)), stored);

        let sha2 = Method::CachingSha2.scramble(b"sb", &nonce);
        let stored = Sha256::digest(Sha256::digest(b"sb"));
        let mask = Sha256::new().chain_update(stored).chain_update(nonce).finalize();
        assert_eq!(Sha256::digest(xor(&sha2, &mask)), stored);
    }

    #[test]
    fn an_empty_password_needs_no_proof() {
        assert!(Method::Native.scramble(b"", &[7; NONCE_BYTES]).is_empty());
        assert!(Method::CachingSha2.scramble(b"", &[7; NONCE_BYTES]).is_empty());
    }

    #[test]
    fn a_bad_key_is_refused() {
        assert_eq!(encrypt_password(b"sb", &[7; NONCE_BYTES], b"-----BEGIN PUBLIC KEY-----\nAAAA\n"), None);
        assert_eq!(encrypt_password(b"sb", &[7; NONCE_BYTES], &[0xff; 10]), None);
    }
}
