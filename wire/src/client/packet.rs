//! Packets: three bytes of length, one of sequence, and up to 16 MiB - 1 of payload; a packet of exactly
//! that much goes on in the next one.

use super::connection::PacketError;
use std::ops::Deref;

/// Bytes of a packet header.
pub(super) const HEADER_BYTES: usize = 4;
/// Payload of a packet that is continued.
pub(super) const CHUNK_BYTES_MAX: usize = 0xff_ffff;
/// A buffer that grew beyond this is given back to the allocator when it is empty.
pub(super) const BUFFER_KEEP_BYTES: usize = 256 << 10;

/// The payload of one command. Give it back with [`super::Connection::recycle`] to spare an allocation.
#[derive(Default, Clone)]
pub struct Payload {
    buffer: Vec<u8>,
    from: usize,
    to: usize,
}

impl Payload {
    /// Narrows the payload to what is left behind its first `skip` bytes.
    pub(super) fn skip(mut self, skip: usize) -> Self {
        self.from = (self.from + skip).min(self.to);
        self
    }

    /// Without its last byte, if that is a NUL.
    pub(super) fn without_trailing_nul(mut self) -> Self {
        if self.last() == Some(&0) {
            self.to -= 1;
        }
        self
    }

    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.from..self.to]
    }
}

impl From<Vec<u8>> for Payload {
    fn from(buffer: Vec<u8>) -> Self {
        Self { from: 0, to: buffer.len(), buffer }
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Queries may be long and hold passwords: only so much, only in Debug.
        let shown = &self[..self.len().min(120)];
        write!(f, "{:?}{}", String::from_utf8_lossy(shown), if self.len() > shown.len() { "..." } else { "" })
    }
}

/// Bytes from the client on their way to becoming payloads.
///
/// Invariant: `start..scanned` holds whole chunks of one unfinished payload, headers included.
#[derive(Default)]
pub(super) struct Incoming {
    buffer: Vec<u8>,
    /// Where the unfinished payload begins.
    start: usize,
    /// Up to where its chunks are whole.
    scanned: usize,
    /// A buffer that came back, for the next payload to swap with.
    spare: Vec<u8>,
}

impl Incoming {
    /// Takes bytes in, unless more than `bytes_max` would lie unread: so many come only from a caller that does
    /// not ask for requests, or a client that must be cut off.
    pub(super) fn feed(&mut self, bytes: &[u8], bytes_max: usize) -> bool {
        if self.start > self.buffered() {
            self.buffer.drain(..self.start);
            (self.start, self.scanned) = (0, self.scanned - self.start);
        }
        if self.buffered() + bytes.len() > bytes_max {
            return false;
        }
        self.buffer.extend_from_slice(bytes);
        true
    }

    /// Bytes taken in and not handed out.
    pub(super) fn buffered(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Whether part of a continued payload has been scanned.
    pub(super) fn is_within_payload(&self) -> bool {
        self.scanned > self.start
    }

    /// Whether the next payload, or its next chunk, is there.
    pub(super) fn is_ready(&self) -> bool {
        let Some(header) = self.buffer.get(self.scanned..).and_then(|rest| rest.first_chunk::<HEADER_BYTES>()) else {
            return false;
        };
        let length = chunk_length(header);
        self.buffer.len() - self.scanned >= HEADER_BYTES + length
    }

    /// The next whole payload. `sequence` is the number that its first chunk must carry, and afterwards the
    /// one that the answer begins with.
    pub(super) fn next(&mut self, sequence: &mut u8, payload_bytes_max: usize) -> Result<Option<Payload>, PacketError> {
        loop {
            let rest = &self.buffer[self.scanned..];
            let Some(header) = rest.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
            let (length, found) = (chunk_length(header), header[3]);
            if found != *sequence {
                return Err(PacketError::Sequence { expected: *sequence, found });
            }
            let chunks = (self.scanned - self.start) / (CHUNK_BYTES_MAX + HEADER_BYTES);
            let bytes = chunks * CHUNK_BYTES_MAX + length;
            if bytes > payload_bytes_max {
                return Err(PacketError::TooLarge { bytes, bytes_max: payload_bytes_max });
            }
            if rest.len() < HEADER_BYTES + length {
                return Ok(None);
            }
            *sequence = sequence.wrapping_add(1);
            self.scanned += HEADER_BYTES + length;
            if length < CHUNK_BYTES_MAX {
                return Ok(Some(self.hand_out(chunks)));
            }
        }
    }

    /// Takes `start..scanned` out as a payload that was continued `joins` times.
    fn hand_out(&mut self, joins: usize) -> Payload {
        let (from, mut to) = (self.start, self.scanned);
        if joins > 0 {
            // Close the gaps that the inner headers leave, front to back.
            let mut end = from + HEADER_BYTES + CHUNK_BYTES_MAX;
            for join in 1..=joins {
                let chunk = from + join * (HEADER_BYTES + CHUNK_BYTES_MAX) + HEADER_BYTES;
                let chunk_end = (chunk + CHUNK_BYTES_MAX).min(to);
                self.buffer.copy_within(chunk..chunk_end, end);
                end += chunk_end - chunk;
            }
            to = end;
        }
        // The payload keeps the buffer, and what lies behind it, mostly nothing, moves to a spare one; or the
        // payload moves, where it is the shorter: so many pipelined commands cost no more than their bytes.
        let mut behind = std::mem::take(&mut self.spare);
        behind.clear();
        if self.buffer.len() - self.scanned > to - from {
            behind.extend_from_slice(&self.buffer[from + HEADER_BYTES..to]);
            self.start = self.scanned;
            return Payload::from(behind);
        }
        behind.extend_from_slice(&self.buffer[self.scanned..]);
        let buffer = std::mem::replace(&mut self.buffer, behind);
        (self.start, self.scanned) = (0, 0);
        Payload { buffer, from: from + HEADER_BYTES, to }
    }

    /// Takes a buffer back.
    pub(super) fn recycle(&mut self, payload: Payload) {
        let buffer = payload.into_buffer();
        if buffer.capacity() <= BUFFER_KEEP_BYTES && buffer.capacity() > self.spare.capacity() {
            self.spare = buffer;
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn chunk_length(header: &[u8; HEADER_BYTES]) -> usize {
    u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize
}

/// Writes the header of a packet whose payload lies behind `start + HEADER_BYTES`, where room for the header
/// was left, and splits it where it is too long. Counts `sequence` on.
pub(super) fn finish_packet(out: &mut Vec<u8>, start: usize, sequence: &mut u8) {
    let length = out.len() - start - HEADER_BYTES;
    let chunks = length / CHUNK_BYTES_MAX + 1;
    if chunks > 1 {
        out.resize(out.len() + (chunks - 1) * HEADER_BYTES, 0);
        for chunk in (1..chunks).rev() {
            let from = start + HEADER_BYTES + chunk * CHUNK_BYTES_MAX;
            let bytes = (length - chunk * CHUNK_BYTES_MAX).min(CHUNK_BYTES_MAX);
            out.copy_within(from..from + bytes, from + chunk * HEADER_BYTES);
        }
    }
    for chunk in 0..chunks {
        let at = start + chunk * (HEADER_BYTES + CHUNK_BYTES_MAX);
        let bytes = (length - chunk * CHUNK_BYTES_MAX).min(CHUNK_BYTES_MAX);
        out[at..at + 3].copy_from_slice(&(bytes as u32).to_le_bytes()[..3]);
        out[at + 3] = *sequence;
        *sequence = sequence.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(payload: &[u8], mut sequence: u8) -> Vec<u8> {
        let mut out = vec![0; HEADER_BYTES];
        out.extend_from_slice(payload);
        finish_packet(&mut out, 0, &mut sequence);
        out
    }

    #[test]
    fn payloads_survive_splitting_and_joining_in_any_pieces() {
        for length in [0, 1, 300, CHUNK_BYTES_MAX - 1, CHUNK_BYTES_MAX, CHUNK_BYTES_MAX + 1, 2 * CHUNK_BYTES_MAX + 7] {
            let payload: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let mut bytes = packet(&payload, 0);
            assert_eq!(bytes.len(), length + (length / CHUNK_BYTES_MAX + 1) * HEADER_BYTES);
            bytes.extend(packet(b"next", 0));
            for piece in [bytes.len(), 1 << 20, 4095] {
                let mut incoming = Incoming::default();
                let (mut found, mut sequence) = (Vec::new(), 0);
                for part in bytes.chunks(piece) {
                    assert!(incoming.feed(part, 64 << 20));
                    loop {
                        if !incoming.is_within_payload() {
                            sequence = 0;
                        }
                        let Some(payload) = incoming.next(&mut sequence, 64 << 20).unwrap() else { break };
                        found.push(payload.to_vec());
                        incoming.recycle(payload);
                    }
                }
                assert_eq!(found.len(), 2);
                assert!(found[0] == payload, "{length} bytes in pieces of {piece}");
                assert_eq!(found[1], b"next");
            }
        }
    }

    #[test]
    fn a_length_that_is_too_great_is_refused_before_its_bytes_come() {
        let mut incoming = Incoming::default();
        incoming.feed(&[0x00, 0x00, 0x10, 0], 1000);
        let refused = incoming.next(&mut 0, 1000).unwrap_err();
        assert_eq!(refused, PacketError::TooLarge { bytes: 0x10_0000, bytes_max: 1000 });
        let mut incoming = Incoming::default();
        assert!(!incoming.feed(&[0; 1001], 1000), "an endless flood is cut");
    }

    #[test]
    fn a_wrong_sequence_number_is_refused() {
        let mut incoming = Incoming::default();
        incoming.feed(&packet(b"x", 3), 1000);
        assert_eq!(incoming.next(&mut 0, 1000).unwrap_err(), PacketError::Sequence { expected: 0, found: 3 });
    }
}
