//! The graph of what must have come before what, and the search for cycles in it.
//!
//! Edges, after Adya ("Generalized Isolation Level Definitions") and Elle ("Inferring Isolation Anomalies
//! from Experimental Observations"): *ww*, one wrote the next version of what the other wrote; *wr*, one
//! read what the other wrote; *rw*, one read the version before the one that the other wrote; and *after*,
//! one began after the other had ended where it must see it (`session`).
//!
//! Snapshot isolation allows a cycle only with two rw edges next to each other (Cerone and Gotsman,
//! "Analysing Snapshot Isolation"). So the search goes over pairs (transaction, whether it was reached by
//! rw): from those reached by rw no rw edge leads on, and every cycle among the pairs is an anomaly. It is
//! one pass of Tarjan's algorithm; only a history that fails costs more.

use super::txn::{Key, Txn};
use super::versions::Versions;
use std::collections::{BTreeSet, VecDeque};

/// Why one transaction comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It wrote the version before.
    WriteWrite { key: Key, first: u64, then: u64 },
    /// The other read what it wrote.
    WriteRead { key: Key, item: u64 },
    /// It read the version before (0: none) the one that the other wrote.
    ReadWrite { key: Key, read: u64, then: u64 },
    /// It had ended before the other began, and the other must see it.
    After,
}

impl Why {
    fn is_rw(self) -> bool {
        matches!(self, Self::ReadWrite { .. })
    }

    fn key(self) -> Option<Key> {
        match self {
            Self::WriteWrite { key, .. } | Self::WriteRead { key, .. } | Self::ReadWrite { key, .. } => Some(key),
            Self::After => None,
        }
    }
}

/// See the module. Nodes up to the number of transactions are these; higher ones are points in time.
#[derive(Debug, Default)]
pub struct Graph {
    edges: Vec<Vec<(usize, Why)>>,
}

impl Graph {
    /// Without edges.
    #[must_use]
    pub fn new(nodes: usize) -> Self {
        Self { edges: vec![Vec::new(); nodes] }
    }

    /// A new point in time.
    pub fn add_node(&mut self) -> usize {
        self.edges.push(Vec::new());
        self.edges.len() - 1
    }

    /// `from` comes before `to`; nothing for one and the same.
    pub fn add(&mut self, from: usize, to: usize, why: Why) {
        if from != to {
            self.edges[from].push((to, why));
        }
    }

    /// A shortest cycle of edges that `allowed` names; with `snapshot`, one without two neighbouring rw edges.
    fn find(&self, snapshot: bool, allowed: impl Fn(Why) -> bool) -> Option<Vec<Step>> {
        let allowed = &allowed;
        let next = |node: usize| {
            let (at, by_rw) = (node / 2, node % 2 == 1);
            self.edges[at].iter().filter_map(move |&(to, why)| {
                let rw = snapshot && why.is_rw();
                (allowed(why) && !(rw && by_rw)).then_some((to * 2 + usize::from(rw), why))
            })
        };
        // Without the rule for snapshots only the even nodes have edges.
        let components = components(self.edges.len() * 2, |node| next(node).map(|(to, _)| to).collect());
        let mut best: Option<Vec<Step>> = None;
        for component in components.iter().filter(|component| component.len() > 1) {
            let inside: BTreeSet<usize> = component.iter().copied().collect();
            for &start in component.iter().take(STARTS_MAX) {
                let found = shortest(start, |node| next(node).filter(|(to, _)| inside.contains(to)).collect());
                if let Some(found) = found
                    && best.as_ref().is_none_or(|best| found.len() < best.len())
                {
                    best = Some(found);
                }
            }
        }
        best
    }
}

/// Shortest cycles are looked for from so many nodes of a component.
const STARTS_MAX: usize = 400;

/// One edge of a cycle.
#[derive(Clone, Copy, Debug)]
struct Step {
    from: usize,
    to: usize,
    why: Why,
}

/// Strongly connected components (Tarjan), without recursion.
fn components(count: usize, next: impl Fn(usize) -> Vec<usize>) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let (mut index, mut low) = (vec![UNSEEN; count], vec![0; count]);
    let (mut on_stack, mut stack, mut found, mut counter) = (vec![false; count], Vec::new(), Vec::new(), 0);
    for root in 0..count {
        if index[root] != UNSEEN {
            continue;
        }
        let mut calls: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut enter = Some(root);
        loop {
            if let Some(node) = enter.take() {
                (index[node], low[node]) = (counter, counter);
                counter += 1;
                stack.push(node);
                on_stack[node] = true;
                calls.push((node, next(node)));
            }
            let Some((node, rest)) = calls.last_mut() else { break };
            let node = *node;
            match rest.pop() {
                Some(to) if index[to] == UNSEEN => enter = Some(to),
                Some(to) => {
                    if on_stack[to] {
                        low[node] = low[node].min(index[to]);
                    }
                }
                None => {
                    calls.pop();
                    if let Some(&(caller, _)) = calls.last() {
                        low[caller] = low[caller].min(low[node]);
                    }
                    if low[node] == index[node] {
                        let at = stack.iter().rposition(|&on| on == node).expect("it was pushed");
                        let component = stack.split_off(at);
                        component.iter().for_each(|&member| on_stack[member] = false);
                        found.push(component);
                    }
                }
            }
        }
    }
    found
}

/// The shortest way from `start` back to it.
fn shortest(start: usize, next: impl Fn(usize) -> Vec<(usize, Why)>) -> Option<Vec<Step>> {
    let mut came: std::collections::BTreeMap<usize, (usize, Why)> = std::collections::BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for (to, why) in next(node) {
            if came.contains_key(&to) {
                continue;
            }
            came.insert(to, (node, why));
            if to != start {
                queue.push_back(to);
                continue;
            }
            let mut steps = Vec::new();
            let mut at = start;
            loop {
                let (from, why) = came[&at];
                steps.push(Step { from: from / 2, to: at / 2, why });
                at = from;
                if at == start {
                    steps.reverse();
                    return Some(steps);
                }
            }
        }
    }
    None
}

/// Adds what the versions say.
pub fn add_versions(graph: &mut Graph, versions: &Versions, counts: &[bool]) {
    let writer = |key, item| versions.writer(key, item).filter(|&writer| counts[writer]);
    for (&key, places) in &versions.places {
        for ((_, &first), (_, &then)) in places.iter().zip(places.iter().skip(1)) {
            if let (Some(a), Some(b)) = (writer(key, first), writer(key, then)) {
                graph.add(a, b, Why::WriteWrite { key, first, then });
            }
        }
    }
    for &(reader, key, place, item) in &versions.reads {
        if !counts[reader] {
            continue;
        }
        if let Some(writer) = writer(key, item) {
            graph.add(writer, reader, Why::WriteRead { key, item });
        }
        if let Some((_, then)) = versions.next(key, place)
            && let Some(writer) = writer(key, then)
        {
            graph.add(reader, writer, Why::ReadWrite { key, read: item, then });
        }
    }
}

/// Looks for what snapshot isolation forbids, and with `serializable` for what that forbids besides (G2).
///
/// # Errors
/// The anomaly's name, the transactions, and why each comes before the next.
pub fn check(graph: &Graph, versions: &Versions, txns: &[Txn], serializable: bool) -> Result<(), String> {
    if graph.find(true, |_| true).is_none() {
        return match graph.find(false, |_| true) {
            Some(cycle) if serializable => Err(tell("anti-dependency cycle (G2)", &cycle, versions, txns)),
            _ => Ok(()),
        };
    }
    // The simplest kind first: it says most.
    let dirty_write = graph.find(false, |why| matches!(why, Why::WriteWrite { .. }));
    if let Some(cycle) = dirty_write {
        return Err(tell("write cycle (G0)", &cycle, versions, txns));
    }
    if let Some(cycle) = graph.find(false, |why| !why.is_rw() && why != Why::After) {
        return Err(tell("circular information flow (G1c)", &cycle, versions, txns));
    }
    if let Some(cycle) = graph.find(true, |why| why != Why::After) {
        return Err(tell(name(&cycle), &cycle, versions, txns));
    }
    let cycle = graph.find(true, |_| true).expect("it was found before");
    let name = if cycle.iter().any(|step| step.why.is_rw()) {
        "stale read: what must have been seen was not (G-single with real time)"
    } else {
        "order against real time (G1c with real time)"
    };
    Err(tell(name, &cycle, versions, txns))
}

fn name(cycle: &[Step]) -> &'static str {
    let keys: BTreeSet<_> = cycle.iter().map(|step| step.why.key()).collect();
    let (reads, writes) = (
        cycle.iter().filter(|step| step.why.is_rw()).count(),
        cycle.iter().filter(|step| matches!(step.why, Why::WriteWrite { .. })).count(),
    );
    match reads {
        1 if writes + 1 == cycle.len() && keys.len() == 1 => "lost update (G-single)",
        1 => "read skew (G-single)",
        _ => "long fork (G-nonadjacent)",
    }
}

fn tell(name: &str, cycle: &[Step], versions: &Versions, txns: &[Txn]) -> String {
    let real = |node: usize| node < txns.len();
    // Points in time lie between transactions: only these are told.
    let mut told: Vec<Step> = Vec::new();
    let begin = cycle.iter().position(|step| real(step.from)).unwrap_or(0);
    for step in cycle[begin..].iter().chain(&cycle[..begin]) {
        match told.last_mut() {
            Some(before) if !real(before.to) => before.to = step.to,
            _ => told.push(*step),
        }
    }
    let numbers: BTreeSet<usize> = told.iter().map(|step| step.from).collect();
    let keys: BTreeSet<Key> = told.iter().filter_map(|step| step.why.key()).collect();
    let mut lines =
        vec![format!("{name}: {} transactions, each before the next, the last before the first", told.len())];
    lines.extend(numbers.iter().map(|&number| txns[number].tell(number)));
    lines.extend(keys.iter().map(|&key| versions.tell(key)));
    for Step { from, to, why } in told {
        lines.push(match why {
            Why::WriteWrite { key, first, then } => {
                format!("T{from} before T{to}: it wrote {first}, and T{to} wrote {then} over it, in {key}")
            }
            Why::WriteRead { key, item } => {
                format!("T{from} before T{to}: it wrote {item}, and T{to} read it, in {key}")
            }
            Why::ReadWrite { key, read: 0, then } => {
                format!("T{from} before T{to}: it read {key} empty, and T{to} wrote {then} there")
            }
            Why::ReadWrite { key, read, then } => {
                format!("T{from} before T{to}: it read {key} as of {read}, and T{to} wrote {then}, which comes after")
            }
            Why::After => format!("T{from} before T{to}: it had ended before T{to} began, which must see it"),
        });
    }
    lines.join("\n  ")
}
