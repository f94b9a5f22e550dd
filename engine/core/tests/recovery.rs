//! Scripted scenarios of distributed recovery: each walks the very sequence of events that a rule guards against.

mod world;

use engine_core::effect::Input;
use engine_core::member::{Command, State};
use wire::frame::Buffer;
use wire::id::{Birth, Incarnation, Index};
use wire::message::{Label, Message, Want};
use world::World;

/// STOP GROUP_REPLICATION and START again, as a new life.
fn begin_another_life(world: &mut World, at: usize) {
    world.command(at, Command::Stop);
    world.run_until("a member to have left", 5_000_000, |world| world.state(at) == State::Offline);
    world.start(at);
    world.run_until("it to be back", 20_000_000, |world| world.state(at) == State::Online);
}

/// The log that a joiner takes repeats history: views whose members are all gone. It asks those whom it was told
/// of, and the leader that it hears, not those whom history names.
#[test]
fn a_joiner_asks_no_dead_lives_that_history_names() {
    // So that it is left with each view in turn.
    let mut world = World::formed_frame_by_frame(3);
    world.command(2, Command::Stop);
    world.run_until("it to have left", 5_000_000, |world| world.state(2) == State::Offline);
    for at in [1, 0, 1, 0] {
        begin_another_life(&mut world, at);
        assert!(world.propose(at).is_some());
    }
    world.start(2);
    world.run_until("ONLINE", 20_000_000, |world| world.state(2) == State::Online);
    assert!(world.nodes[2].delivered.ends_with(&world.nodes[0].delivered[world.nodes[0].delivered.len() - 3..]));
}

/// Even those whom it was told of may all be gone when it asks: a seed knows who is there now.
#[test]
fn a_joiner_whose_donors_are_all_gone_asks_a_seed_again() {
    let mut world = World::formed(3);
    world.command(2, Command::Stop);
    world.run_until("it to have left", 5_000_000, |world| world.state(2) == State::Offline);
    assert!(world.propose(0).is_some());
    world.run_for(100_000);
    // It is accepted, and stands still while the others begin other lives.
    world.start(2);
    world.run_until("it to be accepted", 5_000_000, |world| world.member(2).group().is_some());
    world.nodes[2].frozen = true;
    world.run_for(6_000_000);
    for at in [1, 0] {
        world.kill(at);
        world.boot(at, true);
    }
    world.run_until("both to be back", 60_000_000, |world| (0..2).all(|at| world.state(at) == State::Online));
    for at in [1, 0] {
        begin_another_life(&mut world, at);
    }
    world.nodes[2].frozen = false;
    world.run_until("ONLINE", 60_000_000, |world| world.state(2) == State::Online);
}

/// [!] Where births part, so do logs: a member of one gives a member of another nothing.
#[test]
fn nothing_is_given_across_births() {
    let mut world = World::formed(3);
    world.isolate(&[2]);
    world.run_until("no majority", 8_000_000, |world| !world.member(2).group().expect("in it").has_quorum());
    world.command(2, Command::Force { addresses: vec!["m2:1".into()], birth: Birth(99) });
    world.run_until("the forced birth", 5_000_000, |world| world.listed(2) == [2]);
    assert!(world.propose(2).is_some());
    world.run_for(100_000);
    world.heal();
    let (asker, to) = (world.member(1).identity().0, world.member(2).identity().0);
    let given_to = |world: &mut World, birth: u64| {
        world.heard = Some(Vec::new());
        let want =
            Want::State { after: Index(0), chain: wire::frame::CHAIN_START, least: Index(0), threshold: u64::MAX };
        let message = Message::Recover { token: 7, want };
        let label = Label { to, birth: Birth(birth) };
        let (from, payload): (Incarnation, _) = (asker, Buffer::new());
        world.input(2, Input::Received { from, address: "m1:1".into(), label, message, payload });
        world.run_for(20_000);
        let heard = world.heard.take().unwrap_or_default();
        let answers = heard.into_iter().filter(|(_, to, text)| *to == 1 && text.starts_with("Recovered"));
        answers.map(|(.., text)| text).collect::<Vec<_>>()
    };
    let answers = given_to(&mut world, 17);
    assert!(answers.len() == 1 && answers[0].contains("Gone"), "{answers:?}");
    let answers = given_to(&mut world, 99);
    assert!(answers.len() == 1 && answers[0].contains("Log"), "{answers:?}");
}

/// The leader has purged its log as far as it knows it decided. The other voter knows a little less to be decided, but
/// holds the same log beyond that place: it is offered the oldest place that is left, without which neither could
/// decide anything again.
#[test]
fn a_voter_that_knows_less_is_offered_what_a_purged_log_still_has() {
    let mut world = World::formed(2);
    assert!(world.propose(0).is_some());
    world.run_for(1_000_000);
    let (leader, decided) =
        (world.leader().expect("one leads"), world.nodes[0].disk.last().expect("a log").header().last());
    world.cut(0, 1);
    // A longer log, so that no other can lead.
    assert!(world.propose(leader).is_some());
    world.run_for(100_000);
    (0..2).for_each(|at| world.kill(at));
    world.heal();
    world.nodes[leader].purged = decided;
    (0..2).for_each(|at| world.boot(at, true));
    world.run_until("both to be back", 20_000_000, |world| (0..2).all(|at| world.state(at) == State::Online));
    assert!(world.propose(leader).is_some());
}

/// STOP in the middle of a recovery from the log: what was fetched stays, and START goes on behind it.
#[test]
fn a_recovery_from_the_log_goes_on_after_stop_and_start() {
    // So that there is a middle.
    let mut world = World::formed_frame_by_frame(3);
    world.command(2, Command::Stop);
    world.run_until("it to have left", 5_000_000, |world| world.state(2) == State::Offline);
    for _ in 0..40 {
        assert!(world.propose(0).is_some());
        world.run_for(20_000);
    }
    let target = world.nodes[0].delivered.len();
    for _ in 0..3 {
        let before = world.nodes[2].delivered.len();
        world.start(2);
        world.run_until("some of it", 5_000_000, |world| world.nodes[2].delivered.len() >= before + 4);
        assert!(world.member(2).recovery_progress().is_some(), "it is in the middle");
        // Nobody hears it meanwhile: it has no vote to keep, and does not wait for long.
        world.isolate(&[2]);
        world.command(2, Command::Stop);
        world.run_until("it to have stopped", 2_000_000, |world| !world.member(2).is_running());
        world.heal();
        let kept = world.nodes[2].delivered.len();
        assert!(kept > before && kept < target, "{before} {kept} {target}");
        assert_eq!(world.member(2).last_index(), world.nodes[2].delivered.last().expect("some").0, "nothing undecided");
    }
    let kept = world.nodes[2].delivered.clone();
    world.nodes[2].effects.clear();
    world.start(2);
    world.run_until("ONLINE", 20_000_000, |world| world.state(2) == State::Online);
    assert!(world.nodes[2].delivered.starts_with(&kept), "it goes on behind what it had");
    assert!(!world.nodes[2].effects.iter().any(|effect| effect.contains("ResetLog")));
}
