//! What a transaction may not miss, by consistency level: on one member, whatever was acknowledged there
//! before it began (so sessions read their own writes, and never go back); at BEFORE, what was acknowledged
//! anywhere; and of transactions at AFTER, everything that they wrote and were acknowledged, or that somebody was
//! shown: nobody is before all members have it. (But for EVENTUAL on a member that is cut off, which may be stale.)
//!
//! A member that is not ONLINE promises nothing of the kind: only those that were it all the time count.

use super::cycle::{Graph, Why};
use super::txn::{Key, Op, Txn};
use std::collections::BTreeMap;

/// Adds an edge through a point in time from each transaction to those that began after its end and must
/// see it. Points are chained, so that their number is that of the ends.
pub fn add_order(graph: &mut Graph, txns: &[Txn], counts: &[bool]) {
    let mut events: Vec<(u64, usize, bool)> = Vec::new();
    for (at, txn) in txns.iter().enumerate().filter(|&(at, txn)| counts[at] && txn.online) {
        events.push((txn.begin, at, false));
        events.extend(txn.end.map(|end| (end, at, true)));
    }
    events.sort_unstable();
    let mut unseen = Unseen::of(txns, counts);
    let mut last: BTreeMap<Scope, usize> = BTreeMap::new();
    for (_, at, ended) in events {
        let txn = &txns[at];
        let here = Scope::Member(txn.member);
        if ended {
            let writes = txn.writes().next().is_some();
            let everywhere = (writes && txn.level.seen_by_all()).then_some(Scope::SeenByAll);
            // A read elsewhere may have been of what only AFTER has to show already: but for that, it is no promise.
            let shown = unseen.take_shown(txn);
            let everywhere = everywhere.or((!shown.is_empty()).then_some(Scope::SeenByAll));
            let anywhere = writes.then_some(Scope::Anywhere);
            for scope in [Some(here), anywhere, everywhere].into_iter().flatten() {
                let point = graph.add_node();
                if scope != Scope::SeenByAll || writes && txn.level.seen_by_all() {
                    graph.add(at, point, Why::After);
                }
                if scope == Scope::SeenByAll {
                    shown.iter().for_each(|&writer| graph.add(writer, point, Why::After));
                }
                if let Some(before) = last.insert(scope, point) {
                    graph.add(before, point, Why::After);
                }
            }
        } else {
            let anywhere = txn.level.sees_all().then_some(Scope::Anywhere);
            let everywhere = (txn.assured || txn.level.is_refused_when_cut_off()).then_some(Scope::SeenByAll);
            for scope in [Some(here), anywhere, everywhere].into_iter().flatten() {
                if let Some(&point) = last.get(&scope) {
                    graph.add(point, at, Why::After);
                }
            }
        }
    }
}

/// What transactions at AFTER wrote, until it was shown to somebody: who wrote it.
struct Unseen(BTreeMap<(Key, u64), usize>);

impl Unseen {
    fn of(txns: &[Txn], counts: &[bool]) -> Self {
        let after = txns.iter().enumerate().filter(|&(at, txn)| counts[at] && txn.level.seen_by_all());
        Self(after.flat_map(|(at, txn)| txn.writes().map(move |write| (write, at))).collect())
    }

    /// Whose writes `txn` is the first to have read.
    fn take_shown(&mut self, txn: &Txn) -> Vec<usize> {
        let mut writers = Vec::new();
        for op in &txn.ops {
            match op {
                Op::Write { .. } => {}
                Op::List { key, items } => {
                    writers.extend(items.iter().filter_map(|&item| self.0.remove(&(*key, item))))
                }
                Op::Register { key, item, .. } => writers.extend(self.0.remove(&(*key, *item))),
            }
        }
        writers
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Member(usize),
    Anywhere,
    SeenByAll,
}
