//! Scripted scenarios of `group_replication_consistency`: who may take what for fresh (`design.md` §9).

mod world;

use engine_core::member::{Command, State};
use wire::entry::{Body, Transaction};
use wire::id::Index;
use world::World;

/// An AFTER transaction proposed at `at`: its place in the order, once it is decided there.
fn after(world: &mut World, at: usize) -> Index {
    let (csn, primary_epoch) = {
        let certifier = world.member(at).certifier();
        (certifier.csn(), certifier.epoch())
    };
    let transaction = Transaction { snapshot: csn, primary_epoch, after: true, ..Transaction::default() };
    world.propose_body(at, Body::Transaction(transaction));
    world.run_until("the transaction to be certified", 2_000_000, |world| world.member(at).certifier().csn() > csn);
    world.member(at).certifier().last_after()
}

fn by_all(world: &World, at: usize) -> Index {
    world.member(at).group().map_or(Index(0), |group| group.applied_by_all())
}

fn assured(world: &World, at: usize) -> bool {
    world.member(at).is_assured(world.now)
}

/// Every ONLINE member has applied it before anybody may show it; then all know so without a further write.
#[test]
fn an_after_transaction_waits_for_every_online_member() {
    let mut world = World::formed(3);
    let place = after(&mut world, 0);
    world.run_until("all to know it applied", 1_000_000, |world| (0..3).all(|at| by_all(world, at) >= place));
    world.isolate(&[2]);
    let place = after(&mut world, 0);
    world.run_for(1_500_000);
    assert!((0..3).all(|at| by_all(&world, at) < place), "member 2 has not applied it");
    world.heal();
    world.run_until("all to know it applied", 5_000_000, |world| (0..3).all(|at| by_all(world, at) >= place));
}

/// §9 [!]: a member that is cut off stops answering for freshness before anybody stops waiting for it.
#[test]
fn a_cut_off_member_gives_no_assurance_before_others_stop_waiting_for_it() {
    let mut world = World::formed(3);
    world.run_until("leases everywhere", 2_000_000, |world| (0..3).all(|at| assured(world, at)));
    world.isolate(&[2]);
    let place = after(&mut world, 0);
    let mut released = false;
    for _ in 0..8_000 {
        world.tick();
        released |= by_all(&world, 0) >= place;
        assert!(!(released && assured(&world, 2)), "member 2 is taken for fresh without the transaction");
    }
    assert!(released, "once member 2 is expelled, the transaction is shown: {}", world.describe());
    assert!(assured(&world, 0) && assured(&world, 1));
}

/// A leader that lost its quorum takes itself for nothing, although nobody has told it so.
#[test]
fn a_leader_without_a_quorum_gives_no_assurance() {
    let mut world = World::formed(3);
    let leader = world.leader().expect("there is one");
    world.run_until("its lease", 2_000_000, |world| assured(world, leader));
    world.isolate(&[leader]);
    let others = [(leader + 1) % 3, (leader + 2) % 3];
    let leads =
        |world: &World| others.into_iter().any(|at| world.member(at).group().is_some_and(|group| group.leads()));
    world.run_until("another leader", 5_000_000, leads);
    world.run_for(1_000_000);
    assert!(!assured(&world, leader));
    world.run_until("the others' leases", 2_000_000, |world| others.iter().all(|&at| assured(world, at)));
}

/// Who leaves by its own wish has stopped answering by itself: nobody waits for its lease to end.
#[test]
fn a_member_that_left_is_not_waited_for() {
    let mut world = World::formed(3);
    world.run_for(4_000_000);
    world.command(2, Command::Stop);
    assert!(!assured(&world, 2), "from the moment at which it is told to leave");
    world.run_until("it to be gone", 5_000_000, |world| world.state(2) == State::Offline && world.listed(0) == [0, 1]);
    let place = after(&mut world, 0);
    world.run_until("all to know it applied", 500_000, |world| (0..2).all(|at| by_all(world, at) >= place));
}
