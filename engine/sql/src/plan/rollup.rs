//! GROUP BY ... WITH ROLLUP: groups by ever fewer of the expressions, down to one group of all rows.
//!
//! What is grouped by is NULL in the rows of the groups that leave it out. So wherever such an expression stands behind
//! the grouping, it becomes a column of the grouped row, and GROUPING() knows which of them are left out.

use super::{Grouping, Output};
use crate::collate::Collation;
use crate::error::{SqlError, error};
use crate::expr::{Aggregate, AggregateKind, Node};

/// 3602 when GROUPING() asks about what is not grouped by.
pub(super) fn check(grouping: &Grouping) -> Result<(), SqlError> {
    for aggregate in grouping.aggregates.iter().filter(|one| one.kind == AggregateKind::Grouping) {
        let unknown = |arg: &Node| grouping.by.iter().all(|(by, _)| by != arg);
        if let Some(at) = aggregate.args.iter().position(unknown) {
            let text = format!("Argument #{} of GROUPING function is not in GROUP BY", at + 1);
            return Err(error(3602, text));
        }
    }
    Ok(())
}

/// Puts columns of the grouped row in the place of what is grouped by. `width`: columns of an ungrouped row.
pub(super) fn roll_up(
    grouping: &mut Grouping,
    width: usize,
    output: &mut [Output],
    having: Option<&mut Node>,
    order: &mut [(Node, bool, Collation)],
) {
    grouping.rollup = true;
    let mut places = Vec::with_capacity(grouping.by.len());
    for (at, (node, collation)) in grouping.by.iter().enumerate() {
        if places.iter().any(|(known, _)| known == node) {
            continue;
        }
        places.push((node.clone(), Node::Column(width + grouping.aggregates.len())));
        grouping.aggregates.push(Aggregate {
            kind: AggregateKind::RolledUp(at),
            args: vec![node.clone()],
            distinct: false,
            collation: *collation,
            separator: String::new(),
            order_by: Vec::new(),
        });
    }
    for output in output {
        replace(&mut output.node, &places);
        output.kind.not_null = false;
    }
    having.into_iter().for_each(|having| replace(having, &places));
    order.iter_mut().for_each(|(node, ..)| replace(node, &places));
}

fn replace(node: &mut Node, places: &[(Node, Node)]) {
    if let Some((_, place)) = places.iter().find(|(known, _)| known == node) {
        *node = place.clone();
    } else {
        node.children_mut(&mut |child| replace(child, places));
    }
}
