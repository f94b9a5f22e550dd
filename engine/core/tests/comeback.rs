//! Scripted scenarios of members that come back: each walks the very sequence of events that a rule guards against.

mod world;

use engine_core::member::{Command, State};
use wire::entry::Body;
use wire::id::Birth;
use world::World;

/// Whole-group restart: whoever begins tries every listed member before it is content with a quorum, for 5 s.
#[test]
fn a_cold_start_tries_all_listed_members_first() {
    let mut world = World::formed(3);
    assert!(world.propose(1).is_some());
    world.run_for(100_000);
    (0..3).for_each(|at| world.kill(at));
    (0..2).for_each(|at| world.boot(at, true));
    world.run_for(3_000_000);
    assert_eq!(world.leader(), None, "the third may still come");
    // It does: no reason to wait any longer.
    world.boot(2, true);
    world.run_until("all ONLINE", 1_500_000, |world| (0..3).all(|at| world.state(at) == State::Online));
    // It does not: two of three go on in the end.
    (0..3).for_each(|at| world.kill(at));
    (0..2).for_each(|at| world.boot(at, true));
    world.run_for(4_500_000);
    assert_eq!(world.leader(), None, "the third may still come");
    world.run_until("two of three ONLINE", 3_000_000, |world| (0..2).all(|at| world.state(at) == State::Online));
    // Who comes back to members that stayed up has nothing to wait for.
    world.boot(2, true);
    world.run_until("the third ONLINE", 1_500_000, |world| world.state(2) == State::Online);
}

/// The old majority comes back whole, with its logs, and hears the birth that an operator forced meanwhile: the report
/// stops its election, though it would have a quorum of its own.
#[test]
fn a_reported_fork_stops_the_election_of_a_cold_start() {
    let mut world = World::formed(3);
    assert!(world.propose(0).is_some());
    world.run_for(200_000);
    (0..2).for_each(|at| world.kill(at));
    world.run_until("no majority", 8_000_000, |world| !world.member(2).group().expect("in it").has_quorum());
    world.force(2, &[2], 99);
    world.run_until("the forced birth", 5_000_000, |world| world.listed(2) == [2]);
    assert!(world.propose(2).is_some());
    world.run_for(200_000);
    // The two hear one another first, and the third a second later.
    world.isolate(&[2]);
    let before: Vec<_> = (0..2).map(|at| world.nodes[at].delivered.clone()).collect();
    (0..2).for_each(|at| world.boot(at, true));
    world.run_for(1_000_000);
    world.heal();
    world.run_until("both in ERROR", 4_000_000, |world| (0..2).all(|at| world.state(at) == State::Error));
    for (at, log) in before.into_iter().enumerate() {
        assert!(world.said(at, "begun anew without this member"));
        assert!(log.starts_with(&world.nodes[at].delivered), "m{at} went on as the old birth");
    }
    // They have nothing that the new birth has not: STOP and START make them members of it.
    for at in 0..2 {
        world.command(at, Command::Stop);
        world.start(at);
        world.run_until("ONLINE again", 20_000_000, |world| world.state(at) == State::Online);
    }
    assert!((0..3).all(|at| world.member(at).group().expect("in it").birth() == Birth(99)));
}

/// A process that comes back in an intact directory is ONLINE to the group, and RECOVERING to clients until its run entry
/// is visible to it: what it acknowledged in its earlier life may be in the order and not here.
#[test]
fn a_resumed_member_serves_once_its_run_entry_is_visible() {
    let mut world = World::formed(3);
    assert!(world.propose(2).is_some());
    world.run_for(200_000);
    world.kill(2);
    for _ in 0..5 {
        assert!(world.propose(0).is_some());
        world.run_for(20_000);
    }
    // It hears nobody yet, and its log says that it is ONLINE.
    world.isolate(&[2]);
    world.boot(2, true);
    world.run_for(1_000_000);
    assert_eq!(world.state(2), State::Recovering);
    let behind = world.nodes[0].delivered.clone();
    world.heal();
    world.run_until("ONLINE", 5_000_000, |world| world.state(2) == State::Online);
    assert!(world.nodes[2].delivered.starts_with(&behind), "all that was decided before it came back is there");
}

/// A leader that is heard, and whose entries get nowhere, is deposed: it is live only while what waits advances.
#[test]
fn a_leader_that_brings_nothing_forward_is_deposed() {
    let mut world = World::formed(3);
    let leader = world.leader().expect("there is one");
    world.mute = Some(leader);
    let other = (0..3).find(|&at| at != leader).expect("three members");
    let before = world.nodes[other].delivered.len();
    assert!(world.propose_body(leader, Body::Marker).is_some());
    let others = move |world: &World| {
        let says = |at: usize| world.member(at).group().and_then(|group| group.leader());
        let old = world.member(leader).identity().0;
        (0..3).filter(|&at| at != leader).all(|at| says(at).is_some_and(|who| who != old))
    };
    world.run_until("another leader", 30_000_000, others);
    // It hears the leader all the time; and it goes on with the third.
    world.run_until("something new", 5_000_000, |world| world.nodes[other].delivered.len() > before);
}
