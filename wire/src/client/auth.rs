//! Passwords: the stored forms of `mysql_native_password` and `caching_sha2_password`, and the exchange of
//! packets that shows a client knows one.
//!
//! Absent on purpose: accounts (who may come from where is the embedder's), expiry and locking, and
//! randomness: salts, scrambles and keys come from outside.
//!
//! What can be told apart by timing: nothing of a secret's content. Whether an account exists is hidden by
//! going through the whole exchange, hashing included, for one that doesn't.

use super::sha_crypt::{HASH_CHARS, sha256_crypt};
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::rand_core::{CryptoRng, Error as RandomError, RngCore};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{Oaep, RsaPrivateKey};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use std::fmt;

/// Bytes of the random text that a client mixes with its password.
pub const SCRAMBLE_BYTES: usize = 20;
/// Bytes of the salt of a stored SHA-256 password.
pub const SALT_BYTES: usize = 20;
/// Longest password that is looked at, as in MySQL.
pub const PASSWORD_BYTES_MAX: usize = 256;
/// Rounds of SHA-256 crypt: `005` thousands.
const ROUNDS: u32 = 5000;

/// The authentication plugins that exist here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginKind {
    /// `mysql_native_password`: SHA-1, one packet.
    Native,
    /// `caching_sha2_password`: SHA-256; one packet when the server remembers the password.
    CachingSha2,
}

impl PluginKind {
    /// Its name on the wire and in `mysql.user.plugin`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "mysql_native_password",
            Self::CachingSha2 => "caching_sha2_password",
        }
    }

    /// The plugin of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Native, Self::CachingSha2].into_iter().find(|plugin| plugin.name().eq_ignore_ascii_case(name))
    }
}

/// Why a stored form or a key can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// Not `*` and 40 hexadecimal digits.
    #[error("not a mysql_native_password hash: expected '*' and 40 hexadecimal digits")]
    NativeHash,
    /// Not `$A$005$`, 20 bytes of salt and 43 characters of hash.
    #[error("not a caching_sha2_password hash: expected $A$005$, 20 bytes of salt and 43 characters")]
    Sha2Hash,
    /// Not a PEM of an RSA private key.
    #[error("not an RSA private key in PEM form")]
    Key,
}

/// Stored form of a `mysql_native_password`: SHA1(SHA1(password)), or nothing for the empty password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NativeHash(Option<[u8; 20]>);

impl NativeHash {
    /// Of `password`.
    #[must_use]
    pub fn of_password(password: &[u8]) -> Self {
        Self((!password.is_empty()).then(|| sha1(&[&sha1(&[password])])))
    }

    /// Reads `*` and 40 hexadecimal digits, or the empty text.
    ///
    /// # Errors
    /// [`AuthError::NativeHash`] for any other text.
    pub fn parse(text: &str) -> Result<Self, AuthError> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let digits = text.strip_prefix('*').filter(|digits| digits.len() == 40).ok_or(AuthError::NativeHash)?;
        let mut hash = [0; 20];
        for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).ok_or(AuthError::NativeHash);
            *byte = (digit(0)? * 16 + digit(1)?) as u8;
        }
        Ok(Self(Some(hash)))
    }

    /// Whether `password` is the one.
    #[must_use]
    pub fn check_password(&self, password: &[u8]) -> bool {
        match (Self::of_password(password).0, self.0) {
            (Some(given), Some(stored)) => equal(&given, &stored),
            (given, stored) => given.is_none() && stored.is_none(),
        }
    }

    /// Whether `token` is what a client that knows the password makes of `scramble`:
    /// SHA1(password) xor SHA1(scramble, SHA1(SHA1(password))).
    fn check_token(&self, token: &[u8], scramble: &[u8; SCRAMBLE_BYTES]) -> bool {
        let Some(stored) = self.0 else { return token.is_empty() };
        let Ok(mut first) = <[u8; 20]>::try_from(token) else { return false };
        xor(&mut first, &sha1(&[scramble, &stored]));
        equal(&sha1(&[&first]), &stored)
    }
}

impl fmt::Display for NativeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(hash) = self.0 else { return Ok(()) };
        f.write_str("*")?;
        hash.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for NativeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "NativeHash(..)" } else { "NativeHash(empty)" })
    }
}

/// Stored form of a `caching_sha2_password`: a salt and 5000 rounds of SHA-256 crypt, or nothing for the empty
/// password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sha2Hash(Option<([u8; SALT_BYTES], [u8; HASH_CHARS])>);

impl Sha2Hash {
    /// Of `password`, with a salt made of `random` bytes (7 bits each, without NUL and `$`, as MySQL's are).
    /// Costs 5000 rounds, milliseconds. Passwords over [`PASSWORD_BYTES_MAX`] will never be let in.
    #[must_use]
    pub fn of_password(password: &[u8], random: [u8; SALT_BYTES]) -> Self {
        let salt = printable(random);
        let password = &password[..password.len().min(PASSWORD_BYTES_MAX)];
        Self((!password.is_empty()).then(|| (salt, sha256_crypt(password, &salt, ROUNDS))))
    }

    /// Reads `$A$005$`, 20 bytes of salt and 43 characters of hash, or the empty text.
    ///
    /// # Errors
    /// [`AuthError::Sha2Hash`] for anything else.
    pub fn parse(text: &[u8]) -> Result<Self, AuthError> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let rest = text.strip_prefix(b"$A$005$").filter(|rest| rest.len() == SALT_BYTES + HASH_CHARS);
        let (salt, hash) = rest.and_then(<[u8]>::split_first_chunk).ok_or(AuthError::Sha2Hash)?;
        Ok(Self(Some((*salt, hash.try_into().map_err(|_| AuthError::Sha2Hash)?))))
    }

    /// The stored form: 70 bytes, or none.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Some((salt, hash)) = &self.0 else { return Vec::new() };
        [b"$A$005$", &salt[..], &hash[..]].concat()
    }

    /// Whether `password` is the one. Costs 5000 rounds, milliseconds.
    #[must_use]
    pub fn check_password(&self, password: &[u8]) -> bool {
        let Some((salt, hash)) = &self.0 else { return password.is_empty() };
        password.len() <= PASSWORD_BYTES_MAX && equal(&sha256_crypt(password, salt, ROUNDS), hash)
    }
}

impl fmt::Debug for Sha2Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Sha2Hash(..)" } else { "Sha2Hash(empty)" })
    }
}

/// What the in-memory cache of `caching_sha2_password` keeps of an account: SHA256(SHA256(password)). Whoever
/// keeps it forgets it when the account's password changes.
pub type FastDigest = [u8; 32];

/// Makes a [`FastDigest`].
#[must_use]
pub fn fast_digest(password: &[u8]) -> FastDigest {
    sha256(&[&sha256(&[password])])
}

/// What is stored for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An account of `mysql_native_password`.
    Native(NativeHash),
    /// An account of `caching_sha2_password`.
    CachingSha2 {
        /// From `authentication_string`.
        stored: Sha2Hash,
        /// From the cache, where the account is in it.
        cached: Option<FastDigest>,
    },
}

impl Credential {
    /// Its plugin.
    #[must_use]
    pub const fn plugin(&self) -> PluginKind {
        match self {
            Self::Native(_) => PluginKind::Native,
            Self::CachingSha2 { .. } => PluginKind::CachingSha2,
        }
    }
}

/// The server's key pair, under which clients without TLS send a `caching_sha2_password`.
#[derive(Clone)]
pub struct RsaKey {
    private: RsaPrivateKey,
    public_pem: String,
}

impl RsaKey {
    /// Makes a pair of `bits` (2048 in MySQL). `random` must be fit for keys (`getrandom`). Takes a second or so.
    ///
    /// # Errors
    /// [`AuthError::Key`] when `bits` is too small.
    pub fn generate(bits: usize, random: &mut dyn FnMut() -> u64) -> Result<Self, AuthError> {
        Self::new(RsaPrivateKey::new(&mut Source(random), bits).map_err(|_| AuthError::Key)?)
    }

    /// Reads a private key: PKCS #8 (`BEGIN PRIVATE KEY`) or PKCS #1 (`BEGIN RSA PRIVATE KEY`).
    ///
    /// # Errors
    /// [`AuthError::Key`] for any other text.
    pub fn from_pem(text: &str) -> Result<Self, AuthError> {
        let key = RsaPrivateKey::from_pkcs8_pem(text).or_else(|_| RsaPrivateKey::from_pkcs1_pem(text));
        Self::new(key.map_err(|_| AuthError::Key)?)
    }

    fn new(private: RsaPrivateKey) -> Result<Self, AuthError> {
        let public_pem = private.to_public_key().to_public_key_pem(LineEnding::LF).map_err(|_| AuthError::Key)?;
        Ok(Self { private, public_pem })
    }

    /// The private key as PKCS #8 PEM (`private_key.pem`).
    #[must_use]
    pub fn private_pem(&self) -> String {
        self.private.to_pkcs8_pem(LineEnding::LF).expect("a whole key always encodes").to_string()
    }

    /// The public key as PEM (`public_key.pem`, `Caching_sha2_password_rsa_public_key`).
    #[must_use]
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    fn decrypt(&self, encrypted: &[u8]) -> Option<Vec<u8>> {
        if encrypted.len() != self.private.size() {
            return None;
        }
        // Blinding hides the key from timing. Its randomness must be unknown to the client, not fresh.
        let mut counter = 0u64;
        let seed = sha256(&[&self.private.d().to_bytes_le(), encrypted]);
        let mut random = || {
            counter += 1;
            let block = sha256(&[&seed, &counter.to_le_bytes()]);
            u64::from_le_bytes(*block.first_chunk().expect("32 bytes begin with 8"))
        };
        self.private.decrypt_blinded(&mut Source(&mut random), Oaep::new::<Sha1>(), encrypted).ok()
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaKey({} bits)", self.private.size() * 8)
    }
}

/// Dresses a function as the random generator that `rsa` asks for.
pub(super) struct Source<'a>(pub(super) &'a mut dyn FnMut() -> u64);

impl RngCore for Source<'_> {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    fn next_u64(&mut self) -> u64 {
        (self.0)()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Source<'_> {}

/// What an [`Exchange`] wants next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send this payload; the client answers with another.
    Send(Vec<u8>),
    /// Send this payload; nothing is answered. Then the client is in.
    SendAndAdmit(Vec<u8>, Option<FastDigest>),
    /// The client is in; what the cache may keep.
    Admit(Option<FastDigest>),
    /// The client did not know the password.
    Deny {
        /// Whether it sent one.
        using_password: bool,
    },
    /// The client can't speak the account's plugin.
    Unsupported,
}

/// First byte of AuthSwitchRequest.
const SWITCH: u8 = 0xfe;
/// First byte of AuthMoreData.
const MORE_DATA: u8 = 0x01;
/// `caching_sha2_password`: the token was right.
const FAST_SUCCESS: u8 = 3;
/// `caching_sha2_password`: send the password itself.
const FULL: u8 = 4;
/// `caching_sha2_password`, from the client: send the public key.
const KEY_REQUEST: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// For the plugin's first data.
    Data,
    /// For the password, or a request for the public key.
    Password,
    /// For the password under the public key, which was sent.
    Encrypted,
}

/// One authentication, from the credential to the verdict.
#[derive(Debug)]
pub(super) struct Exchange {
    /// `None`: no such account, but the client is not to know.
    credential: Option<Credential>,
    plugin: PluginKind,
    scramble: [u8; SCRAMBLE_BYTES],
    secure: bool,
    key: Option<RsaKey>,
    waiting: Waiting,
}

impl Exchange {
    pub(super) fn new(
        credential: Option<Credential>,
        default_plugin: PluginKind,
        scramble: [u8; SCRAMBLE_BYTES],
        secure: bool,
        key: Option<&RsaKey>,
    ) -> Self {
        let plugin = credential.map_or(default_plugin, |credential| credential.plugin());
        Self { credential, plugin, scramble, secure, key: key.cloned(), waiting: Waiting::Data }
    }

    /// Begins with what the client sent unasked. `plugin` is `None` for a client that knows only the native one.
    /// COM_CHANGE_USER always switches, as MySQL does: what such a client sent may be of any scramble.
    pub(super) fn start(&mut self, plugin: Option<&str>, can_switch: bool, data: &[u8], change_user: bool) -> Step {
        let offered = plugin.map_or(Some(PluginKind::Native), PluginKind::from_name);
        if can_switch && (change_user || offered != Some(self.plugin)) {
            let name = self.plugin.name().as_bytes();
            return Step::Send([&[SWITCH], name, &[0], &self.scramble[..], &[0]].concat());
        }
        if offered == Some(self.plugin) { self.on_data(data) } else { Step::Unsupported }
    }

    /// Goes on with a payload from the client.
    pub(super) fn on_data(&mut self, data: &[u8]) -> Step {
        match (self.waiting, self.plugin) {
            (Waiting::Data, PluginKind::Native) => self.on_native_token(data),
            (Waiting::Data, PluginKind::CachingSha2) => self.on_sha2_token(data),
            // Also from where passwords may come in the clear: clients don't agree on what is secret enough.
            (Waiting::Password, _) if data == [KEY_REQUEST] => match &self.key {
                Some(key) => {
                    self.waiting = Waiting::Encrypted;
                    Step::Send([&[MORE_DATA], key.public_pem().as_bytes()].concat())
                }
                None => Step::Deny { using_password: true },
            },
            // A client that has the key already does not ask for it.
            (Waiting::Password | Waiting::Encrypted, _) => match self.decrypt(data) {
                Some(password) => self.on_password(&password),
                None if self.secure => self.on_password(data.strip_suffix(&[0]).unwrap_or(data)),
                None => Step::Deny { using_password: true },
            },
        }
    }

    fn on_native_token(&self, token: &[u8]) -> Step {
        let admitted = match self.credential {
            Some(Credential::Native(hash)) => hash.check_token(token, &self.scramble),
            _ => false,
        };
        if admitted { Step::Admit(None) } else { Step::Deny { using_password: !token.is_empty() } }
    }

    fn on_sha2_token(&mut self, token: &[u8]) -> Step {
        let (stored, cached) = match self.credential {
            Some(Credential::CachingSha2 { stored, cached }) => (Some(stored), cached),
            _ => (None, None),
        };
        if token.is_empty() || token == [0] {
            let admitted = stored.is_some_and(|stored| stored.check_password(b""));
            return if admitted { Step::Admit(None) } else { Step::Deny { using_password: false } };
        }
        let Ok(token) = <[u8; 32]>::try_from(token) else { return Step::Deny { using_password: true } };
        if let Some(cached) = cached
            && check_fast_token(token, &cached, &self.scramble)
        {
            return Step::SendAndAdmit(vec![MORE_DATA, FAST_SUCCESS], None);
        }
        self.waiting = Waiting::Password;
        Step::Send(vec![MORE_DATA, FULL])
    }

    /// What a client made with the public key: password NUL, xor the scramble over and over.
    fn decrypt(&self, encrypted: &[u8]) -> Option<Vec<u8>> {
        let mut password = self.key.as_ref()?.decrypt(encrypted)?;
        password.iter_mut().zip(self.scramble.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        if password.last() == Some(&0) {
            password.pop();
        }
        Some(password)
    }

    fn on_password(&self, password: &[u8]) -> Step {
        let admitted = match &self.credential {
            Some(Credential::CachingSha2 { stored, .. }) => stored.check_password(password),
            // As long as for an account that exists.
            _ => Sha2Hash(Some(([b'x'; SALT_BYTES], [0; HASH_CHARS]))).check_password(password),
        };
        if admitted { Step::Admit(Some(fast_digest(password))) } else { Step::Deny { using_password: true } }
    }
}

/// Whether `token` is SHA256(password) xor SHA256(`digest`, `scramble`), where `digest` is that of the password.
fn check_fast_token(mut token: [u8; 32], digest: &FastDigest, scramble: &[u8; SCRAMBLE_BYTES]) -> bool {
    xor(&mut token, &sha256(&[digest, scramble]));
    equal(&sha256(&[&token]), digest)
}

/// What a client that knows `password` sends for `mysql_native_password`.
#[must_use]
pub fn native_token(password: &[u8], scramble: &[u8; SCRAMBLE_BYTES]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let mut token = sha1(&[password]);
    let stored = sha1(&[&token]);
    xor(&mut token, &sha1(&[scramble, &stored]));
    token.to_vec()
}

/// What a client that knows `password` sends first for `caching_sha2_password`.
#[must_use]
pub fn sha2_token(password: &[u8], scramble: &[u8; SCRAMBLE_BYTES]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let mut token = sha256(&[password]);
    xor(&mut token, &sha256(&[&fast_digest(password), scramble]));
    token.to_vec()
}

/// Random bytes as MySQL sends them in scrambles and salts: 7 bits, neither NUL nor `$`.
pub(super) fn printable(random: [u8; SCRAMBLE_BYTES]) -> [u8; SCRAMBLE_BYTES] {
    random.map(|byte| match byte & 0x7f {
        special @ (0 | b'$') => special + 1,
        other => other,
    })
}

fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    let mut hasher = Sha1::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

fn xor(bytes: &mut [u8], mask: &[u8]) {
    bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
}

/// Compares without stopping at the first difference.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAMBLE: [u8; 20] = *b"abcdefghijklmnopqrst";

    #[test]
    fn native_hashes_are_mysqls() {
        // SELECT PASSWORD('password'), as in MySQL's manual.
        let text = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19";
        let hash = NativeHash::of_password(b"password");
        assert_eq!(hash.to_string(), text);
        assert_eq!(NativeHash::parse(&text.to_lowercase()), Ok(hash));
        assert_eq!(NativeHash::parse("").unwrap().to_string(), "");
        for bad in ["*", "2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19", "*2470", &text.replace('C', "G")] {
            assert_eq!(NativeHash::parse(bad), Err(AuthError::NativeHash), "{bad}");
        }
        for (known, tried, admitted) in
            [("password", "password", true), ("password", "Password", false), ("password", "", false), ("", "", true)]
        {
            let hash = NativeHash::of_password(known.as_bytes());
            assert_eq!(hash.check_password(tried.as_bytes()), admitted);
            assert_eq!(hash.check_token(&native_token(tried.as_bytes(), &SCRAMBLE), &SCRAMBLE), admitted);
        }
        assert!(!NativeHash(None).check_token(&native_token(b"x", &SCRAMBLE), &SCRAMBLE));
    }

    /// A hash that MySQL made for 'foobar', published with TiDB's tests.
    #[test]
    fn sha2_hashes_are_mysqls() {
        let stored = b"$A$005$\x03\x1A\x69\x25\x1C\x34\x29\x5C\x4B\x35\x16\x7C\x7F\x1E\x5A\x7B\x63\x09\x13\x49\
            P9tbM4PKZBFy5HV3hhhoRHZsnJs3hxnBuuQlsDdiIe7";
        let parsed = Sha2Hash::parse(stored).unwrap();
        assert_eq!(parsed.to_bytes(), stored);
        assert!(parsed.check_password(b"foobar"));
        assert!(!parsed.check_password(b"not_foobar"));
        assert!(!parsed.check_password(&[b'x'; 100_000]), "no hashing of what is far too long");
        assert!(Sha2Hash::parse(b"").unwrap().check_password(b""));
        assert_eq!(Sha2Hash::parse(&stored[..69]), Err(AuthError::Sha2Hash));
        let own = Sha2Hash::of_password(b"x", [0x80; 20]);
        assert_eq!(Sha2Hash::parse(&own.to_bytes()), Ok(own));
        assert!(own.to_bytes().is_ascii());
    }

    #[test]
    fn fast_tokens_fit_only_their_password_and_scramble() {
        let token: [u8; 32] = sha2_token(b"secret", &SCRAMBLE).try_into().unwrap();
        assert!(check_fast_token(token, &fast_digest(b"secret"), &SCRAMBLE));
        assert!(!check_fast_token(token, &fast_digest(b"Secret"), &SCRAMBLE));
        assert!(!check_fast_token(token, &fast_digest(b"secret"), b"bbcdefghijklmnopqrst"));
    }
}
