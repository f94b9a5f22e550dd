//! Frames of the group log, as a peer or a damaged disk may hand them out.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::frame::{Frame, Header};

fuzz_target!(|bytes: &[u8]| {
    let _ = Header::parse(bytes);
    if let Ok(frame) = Frame::from_bytes(bytes) {
        assert_eq!(frame.entries().count(), frame.header().entries as usize);
        for (_, entry) in frame.entries() {
            let _ = entry.view().map(|entry| entry.stamp.number);
        }
    }
});
