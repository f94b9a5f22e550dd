//! Every run of a small group, as far as the bounds go; more in `cargo model`.

use tests::model::{Bounds, Found, explore};

fn pass(bounds: Bounds) -> Found {
    explore(bounds).unwrap_or_else(|broken| panic!("{}\n{:#?}", broken.rule, broken.path))
}

/// Nothing happens but what a test adds.
const QUIET: Bounds = Bounds {
    members: 3,
    learners: 0,
    formed: true,
    slow_disks: true,
    proposals: 0,
    stands: 0,
    crashes: 0,
    leaves: 0,
    breaks: 0,
    repeats: 0,
    holds: 0,
    window_bytes: 1 << 20,
    states_max: usize::MAX,
};

/// Two proposals, two crashes, two elections, a member that leaves, a broken connection and a repeated
/// message: the first states of that, breadth first.
#[test]
fn every_rule_holds_in_the_first_states_with_every_fault() {
    let found = pass(Bounds { states_max: 150_000, ..Bounds::default() });
    assert_eq!(found.states, 150_000);
    assert!(found.two_led > 0);
}

/// A proposal and a crash, to the end.
#[test]
fn every_run_of_a_proposal_and_a_crash() {
    let found = pass(Bounds { proposals: 1, crashes: 1, ..QUIET });
    assert!(found.complete);
    assert!(found.all_decided_after_crash > 0, "{found:?}");
}

/// A change of leader while a member leaves, to the end.
#[test]
fn every_run_of_an_election_while_a_member_leaves() {
    let found = pass(Bounds { stands: 1, leaves: 1, slow_disks: false, ..QUIET });
    assert!(found.complete);
    assert!(found.two_led > 0, "{found:?}");
}

/// A change of leader around a proposal, to the end.
#[test]
fn every_run_of_an_election_around_a_proposal() {
    let found = pass(Bounds { proposals: 1, stands: 1, slow_disks: false, ..QUIET });
    assert!(found.complete);
    assert!(found.all_decided > 0 && found.two_led > 0, "{found:?}");
}
