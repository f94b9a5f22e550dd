//! Histories of lists and registers against snapshot isolation, after Elle: since every item is unique, reads
//! tell in which order they were written, and so which transaction came before which; a cycle that no order
//! of snapshots explains is an anomaly, told as a story.
//!
//! Snapshot isolation is what the engine promises (REPEATABLE READ with `innodb_snapshot_isolation=ON`): G0,
//! G1a, G1b, G1c, G-single, lost update and long fork are forbidden, write skew (G2) is allowed.

use super::cycle::{self, Graph};
use super::session;
use super::txn::{Fate, Txn};
use super::versions::Versions;

/// Checks all transactions of a run; with `serializable`, G2 is an anomaly too.
///
/// # Errors
/// The anomaly: its name, what its transactions did, and why each comes before the next.
pub fn check(txns: &[Txn], serializable: bool) -> Result<(), String> {
    let versions = Versions::of(txns)?;
    // An unknown outcome is known once somebody saw what was written.
    let counts: Vec<bool> = txns
        .iter()
        .map(|txn| match txn.fate {
            Fate::Acknowledged => true,
            Fate::Unknown => txn.writes().any(|(key, item)| versions.is_seen(key, item)),
            Fate::Failed => false,
        })
        .collect();
    let mut graph = Graph::new(txns.len());
    cycle::add_versions(&mut graph, &versions, &counts);
    session::add_order(&mut graph, txns, &counts);
    cycle::check(&graph, &versions, txns, serializable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::history::txn::{Key, Level, Op};

    /// A transaction as the tables below write it: `member begin-end fate level: ops`, where ops are `a1=7`
    /// (append 7 to list 1), `r1=3,4` (list 1 read so), `w1=7` (write register 1) and `g1=2/7` (register 1 read
    /// at version 2 as 7); a fate of `ok`, `no` or `??`; no end, or no level, may be left out.
    fn txn(text: &str) -> Txn {
        let (head, ops) = text.split_once(':').expect("a head and operations");
        let mut words = head.split_whitespace();
        let member = words.next().expect("a member").trim_start_matches('m').parse().expect("its number");
        let (begin, end) = words.next().expect("places").split_once('-').expect("begin-end");
        let fate = match words.next() {
            Some("ok") => Fate::Acknowledged,
            Some("no") => Fate::Failed,
            _ => Fate::Unknown,
        };
        let level = match words.next() {
            Some("before") => Level::Before,
            Some("after") => Level::After,
            Some("offline" | "cut-off") | None => Level::Eventual,
            Some(other) => panic!("{other} is no level"),
        };
        let (online, assured) = (!head.contains("offline"), !head.contains("cut-off"));
        let ops = ops.split_whitespace().map(op).collect();
        let number = |text: &str| text.parse().expect("a number");
        let end = (!end.is_empty()).then(|| number(end));
        Txn { client: 1, member, level, begin: number(begin), end, fate, online, assured, ops, ..Txn::default() }
    }

    fn op(text: &str) -> Op {
        let number = |text: &str| text.parse().expect("a number");
        let (what, value) = text.split_once('=').expect("key=value");
        let key = number(&what[1..]);
        match &what[..1] {
            "a" => Op::Write { key: Key::List(key), item: number(value) },
            "w" => Op::Write { key: Key::Register(key), item: number(value) },
            "r" => {
                let items = value.split(',').filter(|item| !item.is_empty()).map(number).collect();
                Op::List { key: Key::List(key), items }
            }
            _ => {
                let (version, item) = value.split_once('/').expect("version/item");
                Op::Register { key: Key::Register(key), version: number(version), item: number(item) }
            }
        }
    }

    fn rule(table: &[&str], serializable: bool) -> String {
        let txns: Vec<_> = table.iter().map(|text| txn(text)).collect();
        check(&txns, serializable).err().unwrap_or_default()
    }

    /// Each planted anomaly is found under its name.
    #[test]
    fn planted_anomalies_are_found() {
        let cases: &[(&str, &[&str])] = &[
            ("dirty read (G1a)", &["m0 1-2 no: a1=7", "m0 3-4 ok: r1=7"]),
            ("dirty read (G1a)", &["m0 1- no: a1=7", "m1 3-4 no: r1=7"]),
            ("dirty read (G1a)", &["m0 1-2 no: w1=7", "m0 3-4 ok: g1=1/7"]),
            ("unwritten value", &["m0 3-4 ok: r1=9"]),
            ("intermediate read (G1b)", &["m0 1-2 ok: a1=7 a1=8", "m1 1-4 ok: r1=7", "m1 5-6 ok: r1=7,8"]),
            ("intermediate read (G1b)", &["m0 1-2 ok: w1=7 w1=8", "m1 1-4 ok: g1=1/7"]),
            ("incompatible order", &["m0 1-2 ok: a1=7", "m1 1-2 ok: a1=8", "m0 3-4 ok: r1=7,8", "m1 3-4 ok: r1=8,7"]),
            ("incompatible order", &["m0 1-2 ok: w1=7", "m1 1-2 ok: w1=8", "m0 3-4 ok: g1=1/7", "m1 3-4 ok: g1=1/8"]),
            ("duplicate write", &["m0 1-2 ok: a1=7", "m0 3-4 ok: r1=7,7"]),
            ("duplicate write", &["m0 1-2 ok: w1=7", "m0 3-4 ok: g1=1/7", "m0 5-6 ok: g1=2/7"]),
            ("internal", &["m0 1-2 ok: a1=7", "m0 1-4 ok: r1= r1=7"]),
            ("internal", &["m0 1-2 ok: a1=7", "m0 3-4 ok: a1=8 r1=7"]),
            ("internal", &["m0 1-2 ok: a1=7", "m0 1-4 ok: r1= a1=8 r1=7,8"]),
            ("internal", &["m0 1-2 ok: w1=7", "m0 1-4 ok: g1=0/0 w1=8 g1=2/8"]),
            ("internal", &["m0 1-2 ok: w1=7 g1=1/9", "m0 1-2 ok: w1=9"]),
            // Each wrote over the other, in different lists.
            ("write cycle (G0)", &["m0 1-9 ok: a1=1 a2=1", "m1 1-9 ok: a1=2 a2=2", "m0 10-11 ok: r1=1,2 r2=2,1"]),
            // Each read what the other wrote.
            ("circular information flow (G1c)", &["m0 1-9 ok: a1=1 r2=2", "m1 1-9 ok: a2=2 r1=1"]),
            (
                "circular information flow (G1c)",
                &["m0 1-9 ok: a1=1 a2=1", "m1 1-9 ok: a1=2 r2=1 a3=2", "m2 1-9 ok: r3=2 a1=3", "m0 10-11 ok: r1=3,1,2"],
            ),
            // Both appended to what both had read.
            ("lost update (G-single)", &["m0 1-9 ok: r1= a1=1", "m1 1-9 ok: r1= a1=2", "m0 10-11 ok: r1=1,2"]),
            (
                "lost update (G-single)",
                &["m0 1-9 ok: g1=0/0 w1=1", "m1 1-9 ok: g1=0/0 w1=2", "m0 10-11 ok: g1=2/2", "m1 9-10 ok: g1=1/1"],
            ),
            // An indeterminate one that was seen counts.
            ("lost update (G-single)", &["m0 1-9 ok: r1= a1=1", "m1 1- ??: r1= a1=2", "m0 10-11 ok: r1=1,2"]),
            // One list with, the other without the same transaction.
            ("read skew (G-single)", &["m0 1-9 ok: a1=1 a2=1", "m1 1-9 ok: r1=1 r2=", "m0 10-11 ok: r2=1"]),
            (
                "read skew (G-single)",
                &["m0 1-9 ok: a1=1", "m0 1-9 ok: r1=1 a2=2", "m1 1-9 ok: r1= r2=2", "m0 10-11 ok: r1=1 r2=2"],
            ),
            // Two see two writes in opposite orders.
            (
                "long fork (G-nonadjacent)",
                &[
                    "m0 1-2 ok: a1=1",
                    "m1 1-2 ok: a2=2",
                    "m2 1-9 ok: r1=1 r2=",
                    "m3 1-9 ok: r1= r2=2",
                    "m0 10-11 ok: r1=1 r2=2",
                ],
            ),
            // A member forgets what it acknowledged, or what it showed.
            ("stale read", &["m0 1-2 ok: a1=1", "m0 3-4 ok: r1=", "m1 5-6 ok: r1=1"]),
            ("stale read", &["m1 1-2 ok: a1=1", "m0 3-4 ok: r1=1", "m0 5-6 ok: r1="]),
            ("stale read", &["m0 1-2 ok: w1=1", "m0 3-4 ok: g1=0/0", "m1 5-6 ok: g1=1/1"]),
            ("stale read", &["m1 1-2 ok: a1=1", "m0 3-4 ok before: r1=", "m1 5-6 ok: r1=1"]),
            ("stale read", &["m1 1-2 ok after: a1=1", "m0 3-4 ok: r1=", "m1 5-6 ok: r1=1"]),
            // Shown on one member, and missed on another.
            ("stale read", &["m1 1-9 ok after: a1=1", "m1 2-3 ok: r1=1", "m0 4-5 ok: r1=", "m1 10-11 ok: r1=1"]),
            ("stale read", &["m1 1- ?? after: w1=1", "m2 2-3 ok: g1=1/1", "m0 4-5 ok: g1=0/0"]),
            // Written over by one that had ended before.
            ("order against real time (G1c", &["m0 1-2 ok: a1=1", "m0 3-4 ok: a1=2", "m1 1-9 ok: r1=2,1"]),
        ];
        for (name, table) in cases {
            let found = rule(table, false);
            assert!(found.starts_with(name), "{name}: {table:?}: {found}");
        }
    }

    /// What snapshot isolation, levels and unknown outcomes allow.
    #[test]
    fn valid_histories_pass() {
        let cases: &[&[&str]] = &[
            &[],
            &["m0 1-2 ok: a1=1 r1=1", "m1 1-2 ok: r1=", "m0 3-4 ok: r1=1 a1=2 r1=1,2", "m1 3-4 ok: r1=1"],
            // Seen or not, what is unknown may be either.
            &["m0 1- ??: a1=1", "m1 3-4 ok: r1="],
            &["m0 1- ??: a1=1 a2=1", "m1 3-4 ok: r1=1 r2=1", "m2 3-4 ok: r1= r2="],
            &["m0 1-2 ??: r1= a1=1", "m1 1-2 ok: r1= a1=2", "m1 3-4 ok: r1=2"],
            // A refused one read an older snapshot and wrote nothing.
            &["m0 1-9 no: r1= a1=1 r1=1", "m1 1-9 ok: r1= a1=2", "m0 10-11 ok: r1=2"],
            // Another member may be behind, one that is not ONLINE too.
            &["m1 1-2 ok: a1=1", "m0 3-4 ok: r1=", "m0 5-6 ok: r1=1"],
            &["m0 1-2 ok: a1=1", "m0 3-4 ok offline: r1=", "m0 5-6 ok: r1=1"],
            // At EVENTUAL one that is cut off may be behind AFTER.
            &["m1 1-2 ok after: a1=1", "m0 3-4 ok cut-off: r1=", "m1 5-6 ok: r1=1"],
            // Side by side, real time says nothing.
            &["m0 1-5 ok: a1=1", "m0 2-4 ok: r1=", "m0 6-7 ok: r1=1"],
            &["m0 1-5 ok: a1=1", "m0 2-6 ok: a1=2", "m0 7-8 ok: r1=2,1"],
            &["m0 1-2 ok: w1=1 g1=1/1 w1=2 g1=2/2", "m1 3-4 ok: g1=2/2 w1=3", "m1 5-6 ok: g1=3/3"],
            // Blind writes, one after another.
            &["m0 1-2 ok: w1=1", "m1 1-2 ok: w1=2", "m0 3-4 ok: g1=2/1", "m1 3-4 ok: g1=1/2"],
        ];
        for table in cases {
            assert_eq!(rule(table, false), "", "{table:?}");
        }
    }

    /// Write skew: each read what the other wrote, before it did. Only a claim of serialisability forbids it.
    #[test]
    fn write_skew_is_allowed_unless_serializable_is_claimed() {
        let table = ["m0 1-9 ok: r1= a2=2", "m1 1-9 ok: r2= a1=1", "m0 10-11 ok: r1=1 r2=2"];
        assert_eq!(rule(&table, false), "");
        assert!(rule(&table, true).starts_with("anti-dependency cycle (G2)"));
    }

    /// The story names transactions, versions, and each step of the cycle.
    #[test]
    fn the_story_says_who_did_what_and_why_it_is_a_cycle() {
        let found = rule(&["m0 1-9 ok: r1= a1=1", "m1 1-9 ok: r1= a1=2", "m0 10-11 ok: r1=1,2"], false);
        let expected = "lost update (G-single): 2 transactions, each before the next, the last before the first
  T0 (client 1 on m0, begun at 1, acknowledged at 9): read list 1 as []; appended 1 to list 1
  T1 (client 1 on m1, begun at 1, acknowledged at 9): read list 1 as []; appended 2 to list 1
  list 1 over time: 1, 2
  T0 before T1: it wrote 1, and T1 wrote 2 over it, in list 1
  T1 before T0: it read list 1 empty, and T0 wrote 1 there";
        let turned = expected.lines().take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(found.lines().take(4).map(str::to_owned).collect::<Vec<_>>(), turned);
        let steps = |text: &str| text.lines().skip(4).map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(steps(&found), steps(expected));
    }

    /// A long valid history is checked in time that grows with its length, not with its square.
    #[test]
    fn a_long_history_passes() {
        let mut txns = Vec::new();
        let mut lists: Vec<Vec<u64>> = vec![Vec::new(); 500];
        for at in 0..20_000u64 {
            let key = at / 40;
            let list = &mut lists[key as usize];
            let mut ops = vec![Op::List { key: Key::List(key), items: list.clone() }];
            if at % 2 == 0 {
                list.push(at + 1);
                ops.push(Op::Write { key: Key::List(key), item: at + 1 });
            }
            let (begin, end) = (2 * at, Some(2 * at + 1));
            txns.push(Txn {
                member: at as usize % 3,
                begin,
                end,
                fate: Fate::Acknowledged,
                online: true,
                ops,
                ..Txn::default()
            });
        }
        assert_eq!(check(&txns, true), Ok(()));
    }
}
