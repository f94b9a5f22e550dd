//! Every run of a small group, as far as the bounds go; more in `cargo model`.

use tests::model::{Bounds, Found, explore};

fn pass(bounds: Bounds) -> Found {
    explore(bounds).unwrap_or_else(|broken| panic!("{}\n{:#?}", broken.rule, broken.path))
}

/// Three members, two proposals, two crashes, two elections, a member that leaves, a broken connection and a
/// repeated message: the first states of that, breadth first.
#[test]
fn every_rule_holds_in_the_first_states_of_a_small_group() {
    let found = pass(Bounds { states_max: 200_000, ..Bounds::default() });
    println!("{found:?}");
    assert_eq!(found.states, 200_000);
}

/// Less of everything, to the end: and everything can be decided.
#[test]
fn a_group_without_faults_decides_in_every_order() {
    let found =
        pass(Bounds { proposals: 2, stands: 1, crashes: 0, leaves: 0, breaks: 0, repeats: 0, ..Bounds::default() });
    println!("{found:?}");
    assert!(found.complete);
    assert!(found.all_decided > 0);
}
