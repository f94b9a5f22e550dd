//! Scripted scenarios of membership: each walks the very sequence of events that a rule guards against.

mod world;

use engine_core::member::State;
use world::World;

/// A planned hand-over: the leader that leaves stops, and its successor leads within a round trip (two ticks)
/// and a tick for each of the two members' turns, while others propose on.
#[test]
fn a_leader_hands_over_within_a_round_trip() {
    let mut world = World::formed(3);
    let leader = world.leader().expect("there is one");
    let successor = |world: &World| world.leader().filter(|&now| now != leader);
    for at in 0..3 {
        assert!(world.propose(at).is_some());
    }
    world.tick();
    let before = world.member(leader).group().expect("in the group").vote().promised;
    world.command(leader, engine_core::member::Command::Stop);
    // The moment at which it promises another's ballot is the moment at which it stops.
    world.run_until("the leader to stop", 2_000_000, |world| {
        world.member(leader).group().is_none_or(|group| group.vote().promised != before)
    });
    let other = (leader + 1) % 3;
    assert!(world.propose(other).is_some());
    let took = world.run_until("another to lead", 2_000_000, |world| successor(world).is_some());
    assert!(took <= 4 * world::TICK_US, "a planned hand-over took {took} us");
    world.run_until("the leader to be gone", 5_000_000, |world| world.state(leader) == State::Offline);
    let rest: Vec<_> = (0..3).filter(|&at| at != leader).collect();
    world.run_until("the others to see it gone", 5_000_000, |world| rest.iter().all(|&at| world.listed(at) == rest));
}

/// A leader that misses a member which the others hear hands over to one that hears all.
#[test]
fn a_leader_that_misses_a_member_hands_over_to_who_hears_most() {
    let mut world = World::formed(3);
    let leader = world.leader().expect("there is one");
    let missed = (leader + 1) % 3;
    world.cut(leader, missed);
    let best = (leader + 2) % 3;
    world.run_until("who hears all to lead", 3_000_000, |world| {
        world.member(best).group().is_some_and(|group| group.leads())
    });
    // And stays: the primary hears fewer, so that leadership does not follow it.
    world.run_for(12_000_000);
    assert!(world.member(best).group().is_some_and(|group| group.leads()), "{}", world.describe());
}
