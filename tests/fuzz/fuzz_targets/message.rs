//! Messages of peers, greeted or not.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::frame::Frame;
use wire::message::Decoder;

fuzz_target!(|bytes: &[u8]| {
    for greeted in [false, true] {
        let mut decoder = Decoder::default();
        if greeted {
            decoder.greeted();
        }
        decoder.feed(bytes);
        while let Ok(Some(received)) = decoder.next_message() {
            let _ = Frame::all_from(received.payload);
        }
    }
});
