//! Ways to the rows of a base table, from the conditions that AND joins.

use crate::catalog::{ColumnType, Key, Table};
use crate::collate::Collation;
use crate::expr::{Comparison, Node};

/// One end of a range: its value, and whether it is in the range.
pub type Bound = Option<(Node, bool)>;

/// How rows are found. The whole WHERE is checked on each of them nevertheless, unless it is `whole`.
#[derive(Clone, Debug)]
pub enum Access {
    /// All rows, by the clustered key.
    Full,
    /// A stretch of a key.
    Key {
        /// Its key space: 0 is the clustered key.
        space: u16,
        /// Values of its first parts.
        equal: Vec<Node>,
        /// Values that the next part may have.
        among: Option<Vec<Node>>,
        /// Lower end of the next part.
        low: Bound,
        /// Upper end of the next part.
        high: Bound,
        /// The conditions say nothing else, of whole numbers only: if the values turn out to be such too, what lies there
        /// meets them.
        whole: bool,
    },
    /// No row.
    Nothing,
}

#[derive(Default)]
struct Conditions<'a> {
    equal: Option<&'a Node>,
    among: Option<&'a [Node]>,
    low: Option<(&'a Node, bool)>,
    high: Option<(&'a Node, bool)>,
}

/// Collects what the conditions say of one column; the table's columns begin at `first`.
fn conditions<'a>(table: &Table, first: usize, conjuncts: &[&'a Node], column: usize) -> Conditions<'a> {
    let mut found = Conditions::default();
    let kind = &table.definition.columns[column];
    // A text compared under another collation than its key's is not found by the key.
    let usable = |collation: Collation| !kind.kind.is_text() || collation == kind.collation();
    let is_column = |node: &Node| matches!(node, Node::Column(at) if *at == first + column);
    let is_known = |node: &Node| node.is_known(first);
    for node in conjuncts {
        match node {
            Node::Compare(left, op, right, collation) if usable(*collation) => {
                let (value, op) = if is_column(left) && is_known(right) {
                    (&**right, *op)
                } else if is_column(right) && is_known(left) {
                    let mirrored = match op {
                        Comparison::Lt => Comparison::Gt,
                        Comparison::Le => Comparison::Ge,
                        Comparison::Gt => Comparison::Lt,
                        Comparison::Ge => Comparison::Le,
                        same => *same,
                    };
                    (&**left, mirrored)
                } else {
                    continue;
                };
                match op {
                    Comparison::Eq => found.equal = found.equal.or(Some(value)),
                    Comparison::Gt => found.low = found.low.or(Some((value, false))),
                    Comparison::Ge => found.low = found.low.or(Some((value, true))),
                    Comparison::Lt => found.high = found.high.or(Some((value, false))),
                    Comparison::Le => found.high = found.high.or(Some((value, true))),
                    Comparison::Ne | Comparison::NullSafeEq => {}
                }
            }
            Node::Between { expr, low, high, negated: false, collation }
                if usable(*collation) && is_column(expr) && is_known(low) && is_known(high) =>
            {
                found.low = found.low.or(Some((low, true)));
                found.high = found.high.or(Some((high, true)));
            }
            Node::In { expr, list, negated: false, collation }
                if usable(*collation) && is_column(expr) && list.iter().all(is_known) =>
            {
                found.among = found.among.or(Some(list));
            }
            _ => {}
        }
    }
    found
}

/// Whether a condition says no more than the stretch of a key.
fn is_said(
    table: &Table,
    first: usize,
    key: &Key,
    (equal, low, high): (&[Node], &Bound, &Bound),
    condition: &Node,
) -> bool {
    let part_of = |node: &Node| {
        let Node::Column(at) = node else { return None };
        let part = key.parts.iter().position(|part| first + usize::from(part.column) == *at)?;
        let column = &table.definition.columns[usize::from(key.parts[part].column)];
        matches!(column.kind, ColumnType::Int { .. }).then_some(part)
    };
    let is_end = |part: usize, end: &Bound, value: &Node, inclusive: bool| {
        part == equal.len() && matches!(end, Some((node, same)) if node == value && *same == inclusive)
    };
    match condition {
        Node::Compare(left, op, right, _) => {
            // Which side is the column does not matter for equality; for the rest it stands on the left.
            match (part_of(left), part_of(right), op) {
                (Some(part), None, Comparison::Eq) => equal.get(part) == Some(&**right),
                (None, Some(part), Comparison::Eq) => equal.get(part) == Some(&**left),
                (Some(part), None, Comparison::Gt) => is_end(part, low, right, false),
                (Some(part), None, Comparison::Ge) => is_end(part, low, right, true),
                (Some(part), None, Comparison::Lt) => is_end(part, high, right, false),
                (Some(part), None, Comparison::Le) => is_end(part, high, right, true),
                _ => false,
            }
        }
        Node::Between { expr, low: from, high: to, negated: false, .. } => {
            part_of(expr).is_some_and(|part| is_end(part, low, from, true) && is_end(part, high, to, true))
        }
        _ => false,
    }
}

/// Whether values of such a column can be looked up by their key bytes.
fn indexable(kind: &ColumnType, prefix: u32) -> bool {
    // FLOAT compares as the double that it rounds to, which no literal is; prefixes hold a part only.
    !matches!(kind, ColumnType::Double { single: true, .. } | ColumnType::Fixed { single: true, .. }) && prefix == 0
}

/// Chooses the way to the rows that `filters` leave. The table's columns begin at `first`; those before are of tables
/// whose row is there when this one is looked into.
#[must_use]
pub fn choose<'a>(table: &Table, first: usize, filters: impl IntoIterator<Item = &'a Node>) -> Access {
    let mut conjuncts = Vec::new();
    filters.into_iter().for_each(|filter| filter.conjuncts(&mut conjuncts));
    let mut best: Option<((u32, u32), Access)> = None;
    for key in &table.definition.keys {
        let Some((score, access)) = by_key(table, first, key, &conjuncts) else { continue };
        if best.as_ref().is_none_or(|(before, _)| score > *before) {
            best = Some((score, access));
        }
    }
    best.map_or(Access::Full, |(_, access)| access)
}

pub(super) fn by_key(table: &Table, first: usize, key: &Key, conjuncts: &[&Node]) -> Option<((u32, u32), Access)> {
    let mut equal = Vec::new();
    let mut among = None;
    let (mut low, mut high) = (None, None);
    for part in &key.parts {
        let column = usize::from(part.column);
        if !indexable(&table.definition.columns[column].kind, part.prefix) {
            break;
        }
        let found = conditions(table, first, conjuncts, column);
        if let Some(value) = found.equal {
            equal.push(value.clone());
            continue;
        }
        if let Some(list) = found.among {
            among = Some(list.to_vec());
        } else {
            low = found.low.map(|(node, inclusive)| (node.clone(), inclusive));
            high = found.high.map(|(node, inclusive)| (node.clone(), inclusive));
        }
        break;
    }
    let whole = equal.len() == key.parts.len() && key.unique;
    let parts =
        equal.len() as u32 * 4 + u32::from(among.is_some()) * 3 + u32::from(low.is_some()) + u32::from(high.is_some());
    if parts == 0 {
        return None;
    }
    let clustered = u32::from(key.space == 0);
    let score = if whole { (1000 + clustered, parts) } else { (parts, clustered) };
    let said = |condition: &&Node| is_said(table, first, key, (&equal, &low, &high), condition);
    let whole = among.is_none() && conjuncts.iter().all(said);
    Some((score, Access::Key { space: key.space, equal, among, low, high, whole }))
}
