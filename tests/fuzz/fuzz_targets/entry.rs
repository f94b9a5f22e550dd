//! Entries behind right checksums: the input is the archive of one entry, and only rkyv's check stands before
//! those who read it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::entry::{ArchivedEntry, Entry};
use wire::frame::Buffer;

fuzz_target!(|bytes: &[u8]| {
    let mut aligned = Buffer::with_capacity(bytes.len());
    aligned.extend_from_slice(bytes);
    if let Ok(entry) = rkyv::access::<ArchivedEntry, rkyv::rancor::Failure>(&aligned) {
        let owned = rkyv::deserialize::<Entry, rkyv::rancor::Error>(entry);
        drop(owned.map(|entry| format!("{entry:?}")));
    }
});
