//! Scripted scenarios of membership: each walks the very sequence of events that a rule guards against.

mod world;

use engine_core::effect::{ExitAction, Input};
use engine_core::member::{Command, Limits, StartOptions, State};
use std::collections::BTreeSet;
use wire::entry::{Body, Report, VotingRole};
use wire::frame::{Buffer, CHAIN_START};
use wire::id::{Birth, Csn, Index};
use wire::message::{Label, Message, Want};
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
    world.command(leader, Command::Stop);
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

/// A leader that misses a member which the others hear hands over to one that hears all. The primary, which led before,
/// stays one: the new leader hears it, whatever the third says.
#[test]
fn a_leader_that_misses_a_member_hands_over_to_who_hears_most() {
    let mut world = World::formed(3);
    let leader = world.leader().expect("there is one");
    let epoch = world.member(leader).certifier().epoch();
    let missed = (leader + 1) % 3;
    world.cut(leader, missed);
    let best = (leader + 2) % 3;
    world.run_until("who hears all to lead", 3_000_000, |world| {
        world.member(best).group().is_some_and(|group| group.leads())
    });
    // And stays: the primary hears fewer, so that leadership does not follow it.
    world.run_for(12_000_000);
    assert!(world.member(best).group().is_some_and(|group| group.leads()), "{}", world.describe());
    assert_eq!(world.member(best).certifier().epoch(), epoch, "{}", world.describe());
}

/// A leader whose links lose packets, which the others' links do not, hands over to one of those; it leads again only
/// when it is asked to.
#[test]
fn a_leader_whose_links_lose_packets_hands_over() {
    let mut world = World::new(3);
    world.single = false;
    world.form();
    let leader = world.leader().expect("there is one");
    world.rough = Some(leader);
    let other = |world: &World| world.leader().is_some_and(|now| now != leader);
    world.run_until("a member with smooth links to lead", 20_000_000, other);
    world.run_for(20_000_000);
    assert!(other(&world), "{}", world.describe());
}

/// Where all links lose packets nobody leads better, and leadership stays where it is.
#[test]
fn no_leader_hands_over_where_all_links_are_alike() {
    let mut world = World::formed(2);
    let leader = world.leader().expect("there is one");
    world.rough = Some(1 - leader);
    world.run_for(20_000_000);
    assert_eq!(world.leader(), Some(leader), "{}", world.describe());
}

fn unreachable_at(world: &World, at: usize, other: usize) -> bool {
    let listed = world.listed(at);
    listed.iter().position(|&node| node == other).is_some_and(|place| world.states(at)[place] == State::Unreachable)
}

/// A member that stands still is UNREACHABLE to all after 5 s, is expelled by agreement 5 s later, learns so when
/// it goes on, shows ERROR, comes back by itself as a new incarnation, and is ONLINE.
#[test]
fn a_stopped_member_is_expelled_and_rejoins_by_itself() {
    let mut world = World::formed(3);
    let before = world.member(2).identity().0;
    world.nodes[2].frozen = true;
    let took = world.run_until("UNREACHABLE", 10_000_000, |world| unreachable_at(world, 0, 2));
    assert!((4_900_000..5_600_000).contains(&took), "UNREACHABLE after {took} us");
    world.run_until("UNREACHABLE everywhere", 500_000, |world| unreachable_at(world, 1, 2));
    let took = world.run_until("expelled", 10_000_000, |world| world.listed(0) == [0, 1]);
    assert!((4_500_000..5_600_000).contains(&took), "expelled after {took} us more");
    world.run_until("expelled everywhere", 500_000, |world| world.listed(1) == [0, 1]);
    assert!(world.propose(0).is_some());
    world.run_for(3_000_000);
    world.nodes[2].frozen = false;
    world.run_until("ERROR", 3_000_000, |world| world.state(2) == State::Error);
    assert!(world.said(2, "Member was expelled"));
    assert!(world.nodes[2].effects.iter().any(|effect| effect == "MembershipEnded"));
    world.run_until("ONLINE again", 10_000_000, |world| (0..3).all(|at| world.states(at) == [State::Online; 3]));
    assert_ne!(world.member(2).identity().0, before, "a new incarnation");
    assert!(world.said(2, "has rejoined the group"));
}

/// A member that speaks again in time is ONLINE again, and stays the same incarnation.
#[test]
fn a_member_that_speaks_again_in_time_stays() {
    let mut world = World::formed(3);
    let before = world.member(1).identity().0;
    world.isolate(&[1]);
    world.run_until("UNREACHABLE", 10_000_000, |world| unreachable_at(world, 0, 1));
    // Cut off, it shows the others so, and itself as it was.
    world.run_until("its own view", 1_000_000, |world| {
        world.states(1) == [State::Unreachable, State::Online, State::Unreachable]
    });
    world.run_for(3_000_000);
    world.heal();
    world.run_until("all ONLINE", 3_000_000, |world| (0..3).all(|at| world.states(at) == [State::Online; 3]));
    world.run_for(10_000_000);
    assert_eq!(world.member(1).identity().0, before);
    assert_eq!(world.listed(0), [0, 1, 2]);
}

/// In a group of two nobody is expelled: the view without the other would be decided by one alone.
#[test]
fn one_of_two_is_never_expelled() {
    let mut world = World::formed(2);
    world.isolate(&[1]);
    world.run_for(60_000_000);
    for at in 0..2 {
        assert_eq!(world.listed(at), [0, 1]);
        assert!(unreachable_at(&world, at, 1 - at));
        assert_eq!(world.state(at), State::Online);
    }
    world.heal();
    world.run_until("both ONLINE", 3_000_000, |world| (0..2).all(|at| world.states(at) == [State::Online; 2]));
}

/// Suspicions that expired while there was no majority are dropped: whoever comes back first is not expelled
/// at once, nor is who comes a little later.
#[test]
fn suspicions_without_a_majority_start_anew() {
    let mut world = World::formed(3);
    (0..3).for_each(|at| world.isolate(&[at]));
    world.run_for(60_000_000);
    world.heal();
    world.isolate(&[2]);
    world.run_for(4_000_000);
    assert_eq!(world.listed(0), [0, 1, 2], "a suspicion of before was acted upon");
    world.heal();
    world.run_until("all ONLINE", 5_000_000, |world| (0..3).all(|at| world.states(at) == [State::Online; 3]));
}

/// While a member is suspected nobody joins; START waits, and goes through once it is expelled.
#[test]
fn nobody_joins_while_a_member_is_suspected() {
    let mut world = World::new(4);
    world.join_first(3);
    world.nodes[1].frozen = true;
    world.run_until("UNREACHABLE", 10_000_000, |world| unreachable_at(world, 0, 1));
    world.start(3);
    world.run_for(3_000_000);
    assert_eq!(world.listed(0), [0, 1, 2]);
    assert_eq!(world.state(3), State::Offline);
    world.run_until("the joiner to be ONLINE", 20_000_000, |world| world.state(3) == State::Online);
    assert_eq!(world.listed(0), [0, 2, 3]);
}

/// A member cut off with `unreachable_majority_timeout` ends what waits and shows ERROR; it keeps its vote, and
/// serves again once there is a leader, as the same incarnation under a new run.
#[test]
fn who_lost_the_majority_for_long_ends_what_waits_and_comes_back() {
    let mut world = World::formed(3);
    let limits = Limits { majority_us: 10_000_000, expel_us: 3_600_000_000, ..Limits::default() };
    (0..3).for_each(|at| world.limit(at, limits));
    let (before, run) = (world.member(0).identity().0, world::run_of(world.member(0)));
    (0..3).for_each(|at| world.isolate(&[at]));
    let took =
        world.run_until("ERROR everywhere", 20_000_000, |world| (0..3).all(|at| world.state(at) == State::Error));
    // UNREACHABLE 5 s after the last word, which came up to a heartbeat before they were cut off.
    assert!(took >= 14_900_000, "after {took} us");
    assert!(world.nodes[0].effects.iter().any(|effect| effect == "MembershipEnded"));
    assert!(world.propose(0).is_none());
    world.run_for(100_000_000);
    world.heal();
    world.run_until("all ONLINE", 10_000_000, |world| (0..3).all(|at| world.states(at) == [State::Online; 3]));
    assert_eq!(world.member(0).identity().0, before, "its vote was kept");
    assert!(world::run_of(world.member(0)) > run, "what it had proposed is void or decided, never repeated");
}

/// Cut off alone and expelled by the others meanwhile, it comes back as a new incarnation.
#[test]
fn who_lost_the_majority_and_was_expelled_joins_anew() {
    let mut world = World::formed(3);
    world.limit(2, Limits { majority_us: 3_000_000, ..Limits::default() });
    let before = world.member(2).identity().0;
    world.isolate(&[2]);
    world.run_until("ERROR", 20_000_000, |world| world.state(2) == State::Error);
    world.run_until("expelled", 20_000_000, |world| world.listed(0) == [0, 1]);
    world.heal();
    world.run_until("all ONLINE", 10_000_000, |world| (0..3).all(|at| world.states(at) == [State::Online; 3]));
    assert_ne!(world.member(2).identity().0, before);
}

/// Without tries the exit action comes at once; with tries after the last one; STOP leaves OFFLINE.
#[test]
fn the_exit_action_follows_the_last_attempt() {
    for tries in [0, 2] {
        let mut world = World::formed(3);
        let limits = Limits { autorejoin_tries: tries, exit_action: ExitAction::OfflineMode, ..Limits::default() };
        world.limit(2, limits);
        world.nodes[2].frozen = true;
        world.run_until("expelled", 20_000_000, |world| world.listed(0) == [0, 1]);
        world.nodes[2].frozen = false;
        if tries > 0 {
            // It is told so, and then nobody answers any more.
            world.run_until("ERROR", 3_000_000, |world| world.state(2) == State::Error);
            world.isolate(&[2]);
        }
        let exit = |world: &World| world.nodes[2].effects.iter().any(|effect| effect == "Exit(OfflineMode)");
        let took = world.run_until("the exit action", 1_000_000_000, exit);
        if tries > 0 {
            assert!((590_000_000..610_000_000).contains(&took), "two attempts, 300 s apart, and it took {took} us");
        }
        assert_eq!(world.state(2), State::Error);
        world.start(2);
        assert_eq!(world.nodes[2].done.last().cloned().and_then(Result::err).map(|error| error.code), Some(3093));
        world.command(2, Command::Stop);
        assert_eq!(world.state(2), State::Offline);
    }
}

fn last_error(world: &World, at: usize) -> Option<u16> {
    world.nodes[at].done.last().cloned().and_then(Result::err).map(|error| error.code)
}

/// Two of five survive; what one of them acknowledged as a voter and the other never got is kept.
#[test]
fn a_forced_birth_keeps_the_best_log_of_its_members() {
    let mut world = World::formed(5);
    // m4 is cut off, and gets nothing of what the others decide.
    world.isolate(&[4]);
    assert!(world.propose(0).is_some());
    world.run_for(100_000);
    let kept = world.nodes[3].delivered.last().copied();
    assert!(world.nodes[4].delivered.last() < kept.as_ref(), "it has less");
    (0..3).for_each(|at| world.kill(at));
    world.heal();
    world.force(4, &[3, 4], 99);
    assert_eq!(last_error(&world, 4), Some(4118), "there may still be a majority");
    world.run_for(6_000_000);
    world.force(4, &[3], 99);
    assert_eq!(last_error(&world, 4), Some(4118), "without itself");
    world.force(4, &[4, 9], 99);
    assert_eq!(last_error(&world, 4), Some(4118), "not a member");
    world.force(4, &[0, 4], 99);
    assert_eq!(last_error(&world, 4), Some(4118), "one that does not answer");
    world.force(4, &[0, 1, 2, 3, 4], 99);
    assert_eq!(last_error(&world, 4), Some(4118), "all of them");
    world.nodes[4].done.clear();
    world.force(4, &[3, 4], 99);
    world.run_until("the command to end", 10_000_000, |world| !world.nodes[4].done.is_empty());
    assert_eq!(world.nodes[4].done, [Ok(())]);
    assert!(world.said(4, "Not to be started"));
    for at in [3, 4] {
        world.run_until("the new view", 3_000_000, |world| world.listed(at) == [3, 4]);
        assert_eq!(world.states(at), [State::Online; 2]);
        assert!(world.nodes[at].delivered.contains(&kept.expect("something was decided")));
        assert_eq!(world.member(at).group().expect("in it").birth(), Birth(99));
    }
    assert!(world.propose(3).is_some());
    // Who was left out comes up again: alone it has no quorum, meets the new birth, and goes to ERROR.
    world.boot(0, true);
    world.run_until("ERROR", 20_000_000, |world| world.state(0) == State::Error);
    assert!(world.said(0, "begun anew without this member"));
    // It has nothing that the new birth has not: STOP and START make it a member again.
    world.command(0, Command::Stop);
    world.start(0);
    world.run_until("ONLINE again", 20_000_000, |world| world.states(4) == [State::Online; 3]);
    assert_eq!(world.listed(4), [0, 3, 4]);
}

/// A member whose own birth has a quorum refuses the fork and raises an alarm; so does the forced side.
#[test]
fn a_fork_beside_a_living_majority_is_refused_with_an_alarm() {
    let mut world = World::formed(3);
    (0..3).for_each(|at| world.limit(at, Limits { expel_us: 3_600_000_000, ..Limits::default() }));
    world.isolate(&[2]);
    world.run_until("no majority", 8_000_000, |world| !world.member(2).group().expect("in it").has_quorum());
    world.force(2, &[2], 99);
    world.run_until("the forced birth", 5_000_000, |world| world.listed(2) == [2]);
    // Both sides go on, apart from each other.
    assert!(world.propose(0).is_some() && world.propose(2).is_some());
    world.run_for(1_000_000);
    let logs: Vec<_> = (0..3).map(|at| world.nodes[at].delivered.clone()).collect();
    world.heal();
    world.run_for(3_000_000);
    assert!((0..3).any(|at| world.said(at, "SPLIT BRAIN")), "{}", world.describe());
    for (at, log) in logs.iter().enumerate() {
        assert!(world.nodes[at].delivered.starts_with(log), "m{at} took what another birth decided");
        assert_eq!(world.state(at), State::Online);
    }
    assert_eq!(world.member(2).group().expect("in it").birth(), Birth(99));
    assert_eq!(world.member(0).group().expect("in it").birth(), Birth(17));
}

/// Told to two members at once, one of the two births wins and both follow it.
#[test]
fn two_forced_births_at_once_become_one() {
    let mut world = World::formed(5);
    (0..3).for_each(|at| world.kill(at));
    world.run_for(6_000_000);
    world.force(3, &[3, 4], 98);
    world.force(4, &[3, 4], 99);
    world.run_until("one birth", 30_000_000, |world| {
        let birth = |at: usize| world.member(at).group().map(|group| group.birth());
        (3..5).all(|at| world.listed(at) == [3, 4]) && birth(3) == birth(4)
    });
    assert!(world.propose(3).is_some());
}

/// A member that promised a forced birth and lost who forced it is not stuck: it may be told to force one itself.
#[test]
fn who_promised_a_forced_birth_can_force_another() {
    let mut world = World::formed(5);
    (0..3).for_each(|at| world.kill(at));
    world.run_for(6_000_000);
    world.force(3, &[3, 4], 98);
    world.run_until("the promise", 5_000_000, |world| {
        world.member(4).group().is_some_and(|group| group.birth() == Birth(98)) && world.listed(4).len() == 5
    });
    world.kill(3);
    world.run_for(6_000_000);
    world.kill(4);
    world.boot(4, true);
    world.run_for(6_000_000);
    world.force(4, &[4], 99);
    world.run_until("the other birth", 10_000_000, |world| world.listed(4) == [4]);
    assert!(world.propose(4).is_some() || world.state(4) == State::Recovering);
}

/// Who forced a birth ends before it has stored its own promise, and one that promised it is left there alone. They belong
/// to different births, and hear nothing of each other that counts; either may be told to force another birth of both.
#[test]
fn members_of_two_births_can_be_forced_into_one() {
    for told in [2, 3] {
        let mut world = World::formed(4);
        (0..2).for_each(|at| world.kill(at));
        world.run_for(6_000_000);
        world.nodes[2].votes_hang = true;
        world.force(2, &[2, 3], 98);
        world.run_until("the promise", 5_000_000, |world| {
            world.member(3).group().is_some_and(|group| group.birth() == Birth(98))
        });
        world.kill(2);
        world.nodes[2].votes_hang = false;
        world.boot(2, true);
        let births = |world: &World| [2, 3].map(|at| world.member(at).group().expect("it is in the group").birth());
        world.run_for(12_000_000);
        let [one, other] = births(&world);
        assert_ne!(one, other);
        assert!(unreachable_at(&world, 2, 3) && unreachable_at(&world, 3, 2));
        world.force(told, &[2, 3], 99);
        world.run_until("one birth of both", 10_000_000, |world| {
            births(world) == [Birth(99); 2] && [2, 3].iter().all(|&at| world.listed(at) == [2, 3])
        });
        assert_eq!(last_error(&world, told), None);
        world.run_until("both to be ONLINE", 10_000_000, |world| {
            [2, 3].iter().all(|&at| world.states(at) == [State::Online; 2])
        });
    }
}

/// START ends at once, with the reason, when the group refuses; OFFLINE is left behind, and no exit action.
#[test]
fn a_refused_start_ends_at_once() {
    let refused = |shape: &dyn Fn(&mut World)| {
        let mut world = World::new(3);
        world.join_first(2);
        shape(&mut world);
        world.start(2);
        world.run_until("START to end", 2_000_000, |world| !world.nodes[2].done.is_empty());
        assert_eq!(world.state(2), State::Offline);
        assert_eq!(world.listed(0), [0, 1]);
        assert!(world.nodes[2].effects.iter().all(|effect| !effect.starts_with("Exit")));
        world.nodes[2].done[0].clone().expect_err("it is refused")
    };
    let lower = refused(&|world| {
        world.nodes[2].version = 80034;
        world.boot(2, false);
    });
    assert_eq!((lower.code, lower.reason.contains("version")), (3092, true), "{lower:?}");
    let mode = refused(&|world| world.single = false);
    assert_eq!((mode.code, mode.reason.contains("single_primary_mode")), (3092, true), "{mode:?}");
}

/// A newer patch level of the group's long-term series joins.
#[test]
fn a_patch_level_of_the_same_series_joins() {
    let mut world = World::new(2);
    world.nodes[1].version = 80035;
    world.boot(1, false);
    for at in 0..2 {
        world.start(at);
        world.run_until("ONLINE", 20_000_000, |world| world.state(at) == State::Online);
    }
}

/// When every seed says that it will never let this server in, START does not wait for its 60 s.
#[test]
fn a_start_that_all_seeds_refuse_ends_at_once() {
    let mut world = World::new(3);
    world.start(2);
    world.run_for(100_000);
    let refuse = |world: &mut World, seed: &str| {
        let (address, reason) = (seed.to_owned(), "this member belongs to another group".to_owned());
        world.input(2, Input::Refused { address, reason });
    };
    refuse(&mut world, "m0:1");
    refuse(&mut world, "m9:1");
    assert!(world.nodes[2].done.is_empty(), "one of two may still let it in");
    refuse(&mut world, "m1:1");
    let error = world.nodes[2].done[0].clone().expect_err("nobody lets it in");
    assert!(error.code == 3092 && error.reason.contains("belongs to another group"), "{error:?}");
    assert_eq!(world.state(2), State::Offline);
}

/// Nine members, and no tenth.
#[test]
fn nine_members_and_no_tenth() {
    let mut world = World::new(10);
    world.join_first(9);
    world.run_until("all ONLINE", 5_000_000, |world| (0..9).all(|at| world.states(at) == [State::Online; 9]));
    world.start(9);
    world.run_until("START to end", 2_000_000, |world| !world.nodes[9].done.is_empty());
    assert_eq!(last_error(&world, 9), Some(3191));
    // Four of nine are killed at once, the leader among them: the others go on.
    (0..4).for_each(|at| world.kill(at));
    world.run_until("another leader", 5_000_000, |world| {
        (4..9).any(|at| world.member(at).group().is_some_and(|group| group.leads()))
    });
    world.run_until("all four expelled", 30_000_000, |world| world.listed(8) == [4, 5, 6, 7, 8]);
}

/// All members are killed and come back, one later than the others: no command is needed.
#[test]
fn a_group_that_was_killed_whole_comes_back_by_itself() {
    let mut world = World::formed(3);
    assert!(world.propose(1).is_some());
    world.run_for(100_000);
    let kept = world.nodes[1].delivered.last().copied().expect("something was decided");
    (0..3).for_each(|at| world.kill(at));
    for at in 0..2 {
        world.boot(at, true);
    }
    world.run_until("two of three ONLINE", 10_000_000, |world| (0..2).all(|at| world.state(at) == State::Online));
    world.boot(2, true);
    world.run_until("all ONLINE", 10_000_000, |world| (0..3).all(|at| world.states(at) == [State::Online; 3]));
    assert!((0..3).all(|at| world.nodes[at].delivered.contains(&kept)));
}

/// The machine of `at` restarts: its log ends where the disk had it, `lost` frames earlier.
fn restart_machine(world: &mut World, at: usize, lost: usize) {
    world.kill(at);
    let node = &mut world.nodes[at];
    node.disk.truncate(node.disk.len().saturating_sub(lost));
    node.make_unsure();
    world.boot(at, true);
}

/// After every machine restarted with `sync_binlog=0`, nobody leads before all have answered: the one that comes
/// last may be the only one that still has what was acknowledged. Then the best log wins.
#[test]
fn all_members_unsure_wait_for_all() {
    let mut world = World::formed(3);
    assert!(world.propose(0).is_some());
    world.run_for(200_000);
    let kept = world.nodes[2].delivered.last().copied().expect("something was decided");
    (0..3).for_each(|at| world.kill(at));
    restart_machine(&mut world, 0, 2);
    restart_machine(&mut world, 1, 2);
    world.run_for(20_000_000);
    assert!((0..2).all(|at| world.state(at) == State::Recovering), "two unsure ones of three are no quorum");
    restart_machine(&mut world, 2, 0);
    world.run_until("all ONLINE", 10_000_000, |world| (0..3).all(|at| world.states(at) == [State::Online; 3]));
    assert!((0..3).all(|at| world.nodes[at].delivered.contains(&kept)), "what one of them still had is kept");
    assert!((0..3).any(|at| world.said(at, "may be missing")));
    // They are sure again: a quorum is enough from now on.
    world.run_for(1_000_000);
    (0..3).for_each(|at| world.kill(at));
    (0..2).for_each(|at| world.boot(at, true));
    world.run_until("two ONLINE", 10_000_000, |world| (0..2).all(|at| world.state(at) == State::Online));
}

/// With a quorum of sure voters an unsure one neither blocks nor counts: here the leader lived on, and it comes
/// back as a new member.
#[test]
fn an_unsure_member_comes_back_to_a_living_leader_as_a_new_one() {
    let mut world = World::formed(3);
    let before = world.member(2).identity().0;
    assert!(world.propose(0).is_some());
    world.run_for(200_000);
    restart_machine(&mut world, 2, 2);
    world.run_until("all ONLINE", 20_000_000, |world| (0..3).all(|at| world.states(at) == [State::Online; 3]));
    assert_ne!(world.member(2).identity().0, before, "{}", world.describe());
}

/// A member that stayed in ERROR after a lost majority is stopped and started in the same process: it resumes its
/// incarnation, under another run, for the numbers of the first are used.
#[test]
fn who_is_started_again_in_the_same_process_resumes_under_another_run() {
    let mut world = World::formed(3);
    let limits = Limits { majority_us: 2_000_000, autorejoin_tries: 0, ..Limits::default() };
    world.limit(0, limits);
    let (before, run) = (world.member(0).identity().0, world::run_of(world.member(0)));
    [1, 2].into_iter().for_each(|at| world.kill(at));
    world.run_until("ERROR", 20_000_000, |world| world.state(0) == State::Error);
    world.command(0, Command::Stop);
    assert_eq!(world.state(0), State::Offline);
    [1, 2].into_iter().for_each(|at| world.boot(at, true));
    world.start(0);
    world.run_until("all ONLINE", 10_000_000, |world| (0..3).all(|at| world.states(at) == [State::Online; 3]));
    assert_eq!(world.member(0).identity().0, before);
    assert!(world::run_of(world.member(0)) > run);
}

/// In a group of five something is decided: the leader knows it, the others only hold it. Then nobody hears anybody
/// any more. The place and chain of what was decided.
fn decided_by_the_leader_alone(world: &mut World) -> (usize, (Index, u64)) {
    world.form();
    let leader = world.leader().expect("there is one");
    let before = world.nodes[leader].delivered.last().copied();
    assert!(world.propose(leader).is_some());
    world.run_until("the leader to know it decided", 1_000_000, |world| {
        world.nodes[leader].delivered.last().copied() != before
    });
    (0..5).for_each(|at| world.isolate(&[at]));
    let kept = world.nodes[leader].delivered.last().copied().expect("just seen");
    let others = (0..5).filter(|&at| at != leader);
    assert!(others.clone().all(|at| !world.nodes[at].delivered.contains(&kept)), "they do not know");
    assert!(others.clone().all(|at| world.member(at).last_index() >= kept.0), "they hold it");
    (leader, kept)
}

/// All members are cut off from one another and shut down cleanly. What they acknowledged and never heard decided
/// stays, and so does their vote: at the next start the group comes back by itself, here without its leader.
#[test]
fn a_clean_shutdown_without_a_quorum_keeps_log_and_vote() {
    let mut world = World::new(5);
    let (leader, kept) = decided_by_the_leader_alone(&mut world);
    let before: Vec<_> = (0..5).map(|at| world.member(at).identity().0).collect();
    (0..5).for_each(|at| world.command(at, Command::Shutdown));
    world.run_until("all to be stopped", 11_000_000, |world| (0..5).all(|at| !world.member(at).is_running()));
    (0..5).for_each(|at| world.kill(at));
    world.heal();
    let others: Vec<_> = (0..5).filter(|&at| at != leader).collect();
    others.iter().for_each(|&at| world.boot(at, true));
    world.run_until("four ONLINE", 20_000_000, |world| others.iter().all(|&at| world.state(at) == State::Online));
    for &at in &others {
        assert!(world.nodes[at].delivered.contains(&kept), "m{at} lost what a client was told");
        assert_eq!(world.member(at).identity().0, before[at]);
    }
    world.boot(leader, true);
    world.run_until("all ONLINE", 20_000_000, |world| (0..5).all(|at| world.states(at) == [State::Online; 5]));
}

/// Its shutdown timed out because the links broke, and the others removed it meanwhile: at the next start it is told
/// so, and joins anew.
#[test]
fn who_was_shut_down_without_a_quorum_and_removed_joins_anew() {
    let mut world = World::formed(3);
    let before = world.member(2).identity().0;
    world.isolate(&[2]);
    world.command(2, Command::Shutdown);
    world.run_until("it to be stopped", 11_000_000, |world| !world.member(2).is_running());
    world.kill(2);
    world.run_until("the others to expel it", 20_000_000, |world| world.listed(0) == [0, 1]);
    world.heal();
    world.boot(2, true);
    world.run_until("all ONLINE", 20_000_000, |world| (0..3).all(|at| world.states(at) == [State::Online; 3]));
    assert_ne!(world.member(2).identity().0, before);
}

/// STOP everywhere without a quorum: the group is over, and an operator bootstraps it from a member that only held
/// what was decided. It keeps that.
#[test]
fn a_stop_without_a_quorum_keeps_what_a_bootstrap_needs() {
    let mut world = World::new(5);
    let (leader, kept) = decided_by_the_leader_alone(&mut world);
    (0..5).for_each(|at| world.command(at, Command::Stop));
    world.run_until("all to be stopped", 11_000_000, |world| (0..5).all(|at| !world.member(at).is_running()));
    world.heal();
    let at = (leader + 1) % 5;
    let options = StartOptions { bootstrap: true, birth: Birth(99), ..world.options(at) };
    world.command(at, Command::Start(Box::new(options)));
    world.run_until("it to be ONLINE", 1_000_000, |world| world.state(at) == State::Online);
    assert!(world.nodes[at].delivered.contains(&kept), "it lost what a client was told");
    world.start(leader);
    world.run_until("the leader of before to join", 20_000_000, |world| world.state(leader) == State::Online);
}

/// The only voter makes a learner a voter, and ends before anybody else has that entry. Its log needs the word of one
/// that does not know itself a voter.
#[test]
fn whom_only_the_candidates_log_makes_a_voter_grants_pre_votes() {
    let mut world = World::new(2);
    world.start(0);
    world.run_until("the first to be ONLINE", 20_000_000, |world| world.state(0) == State::Online);
    world.start(1);
    let voters = |world: &World, at: usize| {
        let view = world.member(at).group().and_then(|group| group.view().cloned());
        view.map_or(0, |view| view.members.iter().filter(|member| member.role == VotingRole::Voter).count())
    };
    world.run_until("the promotion to be appended", 20_000_000, |world| voters(world, 0) == 2);
    world.kill(0);
    assert_eq!(voters(&world, 1), 1, "the other does not have it");
    world.boot(0, true);
    world.run_until("both ONLINE", 20_000_000, |world| (0..2).all(|at| world.states(at) == [State::Online; 2]));
}

/// A member acknowledges the view that adds it, hears no more, and ends. It is made a voter meanwhile, another voter ends,
/// and nobody leads without its word: it comes back as the same life, though it never saw that view decided.
#[test]
fn who_never_saw_its_own_view_decided_comes_back_as_the_same() {
    let mut world = World::new(4);
    world.join_first(3);
    // The leader hears nobody's acknowledgement until the joiner has the view, and the joiner nobody after.
    [1, 2].into_iter().for_each(|at| world.cut_one_way(at, 0));
    world.start(3);
    world.run_until("it to hold its view", 20_000_000, |world| {
        world.member(3).group().is_some_and(engine_core::paxos::Group::is_listed)
    });
    (0..3).for_each(|at| world.cut_one_way(at, 3));
    [1, 2].into_iter().for_each(|at| world.mend_one_way(at, 0));
    let voters = |world: &World| {
        let view = world.member(0).group().and_then(|group| group.view().cloned());
        view.map_or(0, |view| view.members.iter().filter(|member| member.role == VotingRole::Voter).count())
    };
    world.run_until("it to be made a voter", 20_000_000, |world| voters(world) == 4);
    let before = world.member(3).identity().0;
    let (_, decided) = world.member(3).certifier().view().expect("of before it joined");
    assert!(decided.members.iter().all(|member| member.incarnation != before), "it does not know itself a member");
    world.kill(3);
    world.kill(2);
    world.heal();
    world.boot(3, true);
    let online = [State::Online, State::Online, State::Unreachable, State::Online];
    world.run_until("three ONLINE", 20_000_000, |world| [0, 1, 3].iter().all(|&at| world.states(at) == online));
    assert_eq!(world.member(3).identity().0, before);
}

/// Who cannot store its own promise stands once, and not again and again, with everybody waiting for it each time.
#[test]
fn whose_disk_hangs_stands_only_once() {
    let mut world = World::formed(5);
    let leader = world.leader().expect("there is one");
    let first = (0..5).find(|&at| at != leader).expect("five");
    world.nodes[first].votes_hang = true;
    // Nobody else's pre-votes arrive: as often as it can, it is this one's turn.
    let others: Vec<_> = (0..5).filter(|&at| at != leader && at != first).collect();
    for &from in &others {
        others.iter().filter(|&&to| to != from).for_each(|&to| world.cut_one_way(from, to));
    }
    world.kill(leader);
    world.heard = Some(Vec::new());
    world.run_for(20_000_000);
    let heard = world.heard.take().expect("just set");
    let stands: BTreeSet<_> = (heard.into_iter())
        .filter(|(from, _, words)| *from == first && words.starts_with("Prepare"))
        .map(|(_, _, words)| words)
        .collect();
    assert_eq!(stands.len(), 1, "{stands:?}");
    world.heal();
    world.run_until("another to lead", 20_000_000, |world| {
        world.leader().is_some_and(|leader| others.contains(&leader))
    });
}

/// A report that names a digest of rows as of one CSN.
fn report(world: &mut World, at: usize, rows: u64) {
    let report = Report { digest_at: Csn(1), rows, ..Report::default() };
    assert!(world.propose_body(at, Body::Report(report)).is_some());
}

/// A member whose rows are wrong leaves by the order, whether it comes back by itself or not; started again by its
/// operator it begins with nothing.
#[test]
fn a_diverged_member_leaves_though_it_is_not_to_come_back() {
    let mut world = World::formed(3);
    let limits = Limits { autorejoin_tries: 0, exit_action: ExitAction::OfflineMode, ..Limits::default() };
    world.limit(2, limits);
    for (at, rows) in [(0, 7), (1, 7), (2, 8)] {
        report(&mut world, at, rows);
    }
    world.run_until("ERROR", 1_000_000, |world| world.state(2) == State::Error);
    let took = world.run_until("the group to be without it", 3_000_000, |world| world.listed(0) == [0, 1]);
    assert!(took < 2_000_000, "it was expelled, and did not leave: {took} us");
    world.run_until("it to know", 2_000_000, |world| world.member(2).is_stranded());
    assert!(world.nodes[2].effects.iter().any(|effect| effect == "Exit(OfflineMode)"));
    world.run_for(20_000_000);
    assert_eq!((world.state(2), world.listed(0)), (State::Error, vec![0, 1]));
    world.command(2, Command::Stop);
    world.start(2);
    world.run_until("all ONLINE", 20_000_000, |world| (0..3).all(|at| world.states(at) == [State::Online; 3]));
    assert!(world.nodes[2].effects.iter().any(|effect| effect == "ResetState"), "its rows were wrong");
}

/// A member whose rows are wrong, and that the group still lists, gives nothing to who recovers.
#[test]
fn a_diverged_member_gives_no_recovery() {
    let mut world = World::formed(3);
    assert_eq!(world.leader(), Some(0));
    for (at, rows) in [(0, 7), (1, 7), (2, 8)] {
        report(&mut world, at, rows);
    }
    world.run_until("ERROR", 1_000_000, |world| world.state(2) == State::Error);
    // It cannot leave before the leader hears it.
    world.cut(0, 2);
    assert_eq!(world.listed(0), [0, 1, 2]);
    let (asker, donor) = (world.member(1).identity().0, world.member(2).identity().0);
    let birth = world.member(2).group().expect("it is listed").birth();
    world.run_until("links to be up", 2_000_000, |world| world.member(2).group().is_some());
    world.heard = Some(Vec::new());
    let want = Want::State { after: Index(0), chain: CHAIN_START, least: Index(0), threshold: u64::MAX };
    let (label, message) = (Label { to: donor, birth }, Message::Recover { token: 5, want });
    let (address, payload) = ("m1:1".to_owned(), Buffer::new());
    world.input(2, Input::Received { from: asker, address, label, message, payload });
    world.run_for(50_000);
    let heard = world.heard.take().expect("just set");
    let answers: Vec<_> =
        heard.iter().filter(|(from, to, what)| (*from, *to) == (2, 1) && what.contains("Recovered")).collect();
    assert!(!answers.is_empty() && answers.iter().all(|(_, _, what)| what.contains("Gone")), "{answers:?}");
}

/// Two members differ, and nobody knows who is right: a third, which would copy one of them, cannot tip the scales.
/// Once one of the two has left, the other is the group, and the third joins.
#[test]
fn nobody_joins_while_members_differ() {
    let mut world = World::new(3);
    world.join_first(2);
    report(&mut world, 0, 7);
    report(&mut world, 1, 8);
    world.run_until("the alarm", 1_000_000, |world| (0..2).all(|at| world.member(at).certifier().alarm().is_some()));
    world.start(2);
    world.run_for(10_000_000);
    assert_eq!((world.listed(0), world.state(2)), (vec![0, 1], State::Offline));
    world.command(1, Command::Stop);
    world.run_until("one to be left", 5_000_000, |world| world.listed(0) == [0]);
    report(&mut world, 0, 7);
    world.run_until("the third to be ONLINE", 20_000_000, |world| world.state(2) == State::Online);
    assert_eq!(world.listed(0), [0, 2]);
}

/// A joiner that the alarm finds in the view stays RECOVERING until the alarm is over.
#[test]
fn who_joined_just_before_members_differed_bears_no_witness() {
    let mut world = World::new(3);
    world.join_first(2);
    world.start(2);
    world.run_until("the third to be listed", 5_000_000, |world| world.listed(0) == [0, 1, 2]);
    report(&mut world, 0, 7);
    report(&mut world, 1, 8);
    let voter = |world: &World| {
        let view = world.member(0).certifier().view().map(|(_, view)| view.clone()).expect("there is one");
        view.members.iter().filter(|member| member.role == VotingRole::Voter).count() == 3
    };
    world.run_until("the alarm", 1_000_000, |world| (0..2).all(|at| world.member(at).certifier().alarm().is_some()));
    assert!(!voter(&world), "it was too quick");
    world.run_until("the third to be a voter", 10_000_000, voter);
    world.run_for(5_000_000);
    assert_eq!(world.state(2), State::Recovering);
    world.command(1, Command::Stop);
    world.run_until("one to be gone", 5_000_000, |world| world.listed(0) == [0, 2]);
    report(&mut world, 0, 7);
    world.run_until("the third to be ONLINE", 10_000_000, |world| world.state(2) == State::Online);
}

/// The answer to a joiner makes it drop its log, and a sync of that log was reported in the same breath.
#[test]
fn a_sync_of_a_log_that_was_dropped_says_nothing() {
    let mut world = World::formed(2);
    let cuts = world.member(1).group().expect("in the group").log().cuts();
    let (synced, last) =
        (|world: &World| world.member(1).group().expect("in it").log().synced(), world.member(1).last_index());
    let before = synced(&world);
    world.input(1, Input::Synced { index: Index(last.0 + 100), cuts });
    assert_eq!(synced(&world), before);
}

/// In a group of three a commit is one message to each follower: it concludes from what the leader had synced when it
/// spoke and from what it syncs itself, and is not told what it knows.
#[test]
fn a_commit_is_one_message_to_each_follower() {
    let mut world = World::formed(3);
    world.run_for(1_000_000);
    let leader = world.leader().expect("a formed group has a leader");
    world.heard = Some(Vec::new());
    let slow = (0..3).find(|&at| at != leader).expect("there are three");
    const COMMITS: usize = 20;
    for _ in 0..COMMITS {
        // One answers later than the other, when the entry is decided without it.
        world.nodes[slow].frozen = true;
        assert!(world.propose(leader).is_some(), "it leads and serves");
        let last = world.member(leader).last_index().next();
        let there = |node: &world::Node| node.delivered.last().is_some_and(|&(index, _)| index >= last);
        world
            .run_until("two to deliver it", 50_000, |world| world.nodes.iter().filter(|node| there(node)).count() == 2);
        world.nodes[slow].frozen = false;
        world.run_until("all to deliver it", 50_000, |world| world.nodes.iter().all(there));
    }
    let heard = world.heard.take().expect("just set");
    for follower in (0..3).filter(|&at| at != leader) {
        let appends =
            heard.iter().filter(|(from, to, what)| (*from, *to) == (leader, follower) && what.starts_with("Append"));
        assert_eq!(appends.count(), COMMITS, "to m{follower}");
    }
}
