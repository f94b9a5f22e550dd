//! What a transaction may not miss, by consistency level: on one member, whatever was acknowledged there
//! before it began (so sessions read their own writes, and never go back); at BEFORE, what was acknowledged
//! anywhere; and of transactions at AFTER, everything that they wrote and were acknowledged (but for EVENTUAL on a
//! member that is cut off, which may be stale).
//!
//! A member that is not ONLINE promises nothing of the kind: only those that were it all the time count.

use super::cycle::{Graph, Why};
use super::txn::Txn;
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
    let mut last: BTreeMap<Scope, usize> = BTreeMap::new();
    for (_, at, ended) in events {
        let txn = &txns[at];
        let here = Scope::Member(txn.member);
        if ended {
            let writes = txn.writes().next().is_some();
            let everywhere = (writes && txn.level.seen_by_all()).then_some(Scope::SeenByAll);
            // A read elsewhere may have been of what only AFTER has to show already: it is no promise.
            let anywhere = writes.then_some(Scope::Anywhere);
            for scope in [Some(here), anywhere, everywhere].into_iter().flatten() {
                let point = graph.add_node();
                graph.add(at, point, Why::After);
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

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Member(usize),
    Anywhere,
    SeenByAll,
}
