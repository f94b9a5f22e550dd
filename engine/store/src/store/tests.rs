//! The store against a naive model that keeps every version for ever.

use super::*;

const TABLE: TableId = TableId(7);
const ROWS: Space = Space { table: TABLE, number: 0 };

/// A fixed-seed generator (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

type Model = Vec<BTreeMap<Vec<u8>, Vec<u8>>>;

fn check(store: &Store, model: &Model, floor: usize, random: &mut Random) {
    for (at, state) in model.iter().enumerate().skip(floor) {
        let (low, high) = (random.below(40) as u8, random.below(40) as u8);
        let ranges = [
            Range::all(),
            Range { from: Bound::Included(vec![low]), to: Bound::Excluded(vec![high]) },
            Range { from: Bound::Excluded(vec![low]), to: Bound::Included(vec![high]) },
            Range::prefix(&[low]),
        ];
        for range in ranges {
            let mut expected: Vec<_> = state.iter().filter(|(key, _)| range.contains(key)).collect();
            for backward in [false, true] {
                let found: Vec<_> = store
                    .scan(ROWS, &range, Csn(at as u64), backward)
                    .map(|entry| (entry.key.to_vec(), entry.row.unwrap().to_vec()))
                    .collect();
                let same = found.iter().map(|(key, row)| (key, row)).eq(expected.iter().copied());
                assert!(same, "at {at} {range:?} backward {backward}: {found:?} is not {expected:?}");
                expected.reverse();
            }
        }
        for key in 0..40 {
            assert_eq!(store.get(ROWS, &[key], Csn(at as u64)), state.get(&vec![key]).map(Vec::as_slice));
        }
    }
}

#[test]
fn snapshots_scans_collection_and_digest_agree_with_a_naive_model() {
    for seed in 0..12 {
        let mut random = Random(seed);
        let mut store = Store::new(1 + seed as usize % 3);
        store.create_table(TABLE);
        let mut model: Model = vec![BTreeMap::new()];
        let mut floor = 0;
        for csn in 1..=60 {
            let mut state = model.last().unwrap().clone();
            for _ in 0..=random.below(6) {
                let key = vec![random.below(40) as u8];
                let before = state.get(&key).cloned();
                let after =
                    (random.below(3) > 0).then(|| random.next().to_le_bytes()[..random.below(8) as usize].to_vec());
                let change = Change { space: ROWS, key: &key, before: before.as_deref(), after: after.as_deref() };
                store.apply(Csn(csn), &change).unwrap();
                match after {
                    Some(row) => state.insert(key, row),
                    None => state.remove(&key),
                };
            }
            model.push(state);
            if random.below(10) == 0 {
                floor = floor.max(random.below(csn + 1) as usize);
                while !store.collect(Csn(floor as u64), 3) {}
            }
            assert_eq!(store.digest(), store.recompute_digest(), "seed {seed} CSN {csn}");
            assert_eq!(store.rows() as usize, model.last().unwrap().len());
            if csn % 7 == 0 {
                check(&store, &model, floor, &mut random);
            }
        }
        check(&store, &model, floor, &mut random);
        let last: Vec<_> = model.last().unwrap().iter().collect();
        for (key, row) in last {
            let change = Change { space: ROWS, key, before: Some(row), after: None };
            store.apply(Csn(61), &change).unwrap();
        }
        assert_eq!(store.digest(), 0);
        assert!(store.collect(Csn(61), usize::MAX));
        assert_eq!(store.bytes(), 0, "seed {seed}: all memory is given back");
    }
}

#[test]
fn digest_does_not_depend_on_order_or_partition() {
    let mut digests = Vec::new();
    for (shards, backward) in [(1, false), (4, false), (4, true)] {
        let mut store = Store::new(shards);
        store.create_table(TABLE);
        let mut keys: Vec<u8> = (0..20).collect();
        if backward {
            keys.reverse();
        }
        for key in keys {
            store.apply(Csn(1), &Change { space: ROWS, key: &[key], before: None, after: Some(&[key, 1]) }).unwrap();
        }
        digests.push(store.digest());
    }
    assert_eq!(digests[0], digests[1]);
    assert_eq!(digests[0], digests[2]);
}

#[test]
#[allow(clippy::type_complexity, reason = "a table of cases")]
fn a_wrong_before_image_is_divergence_and_changes_nothing() {
    let mut store = Store::new(1);
    store.create_table(TABLE);
    store.apply(Csn(1), &Change { space: ROWS, key: b"k", before: None, after: Some(b"v") }).unwrap();
    let digest = store.digest();
    let cases: [(Space, &[u8], Option<&[u8]>); 4] = [
        (ROWS, b"k", None),
        (ROWS, b"k", Some(b"w")),
        (ROWS, b"l", Some(b"v")),
        (Space { table: TableId(8), number: 0 }, b"k", None),
    ];
    for (space, key, before) in cases {
        let change = Change { space, key, before, after: Some(b"x") };
        let divergence = store.apply(Csn(2), &change).unwrap_err();
        assert_eq!((divergence.csn, divergence.space), (Csn(2), space));
    }
    assert_eq!(store.digest(), digest);
    assert_eq!(store.get(ROWS, b"k", Csn(9)), Some(&b"v"[..]));
}

#[test]
fn dropping_tables_and_indexes_keeps_digest_and_memory_right() {
    let mut store = Store::new(2);
    store.create_table(TABLE);
    store.create_table(TableId(8));
    let index = Space { table: TABLE, number: 1 };
    for key in 0..50_u8 {
        for space in [ROWS, index, Space { table: TableId(8), number: 0 }] {
            store.apply(Csn(1), &Change { space, key: &[key], before: None, after: Some(b"row") }).unwrap();
        }
    }
    store.drop_space(Csn(2), index);
    assert_eq!(store.digest(), store.recompute_digest());
    store.drop_table(Csn(3), TABLE);
    assert_eq!(store.digest(), store.recompute_digest());
    assert_eq!(store.rows(), 50);
    assert!(!store.collect(Csn(3), 10), "freed in slices");
    while !store.collect(Csn(3), 10) {}
    store.drop_table(Csn(4), TableId(8));
    assert!(store.collect(Csn(4), usize::MAX));
    assert_eq!((store.digest(), store.bytes(), store.rows()), (0, 0, 0));
}

#[test]
fn prefix_ranges_end_where_they_should() {
    let cases: [(&[u8], Option<&[u8]>); 4] =
        [(b"a", Some(b"b")), (&[1, 0xff], Some(&[2])), (&[0xff, 0xff], None), (b"", None)];
    for (prefix, next) in cases {
        assert_eq!(successor(prefix).as_deref(), next, "{prefix:?}");
    }
}
