//! GTID sets: what parses prints and encodes to something that reads back the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::entry::Gtid;
use wire::gtid::GtidSet;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(set) = GtidSet::decode(bytes) {
        let mut encoded = Vec::new();
        set.encode(&mut encoded);
        assert_eq!(GtidSet::decode(&encoded), Ok(set));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = Gtid::parse(text);
    if let Ok(set) = GtidSet::parse(text) {
        assert_eq!(GtidSet::parse(&set.to_string()), Ok(set));
    }
});
