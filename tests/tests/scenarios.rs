//! One story for each rule of the order that a simpler version would break: the very sequence of events that
//! the rule guards against, in steps. A story passes on the core as it is; built with the feature `mutants`,
//! it fails when its rule is broken.

#[path = "../../engine/core/tests/world/mod.rs"]
mod world;

use engine_core::effect::{Effect, Effects, Input, Instant, Vote};
use engine_core::member::State;
use engine_core::paxos::tail::Tail;
use engine_core::paxos::{Group, GroupConfig, Timing};
use engine_core::sequencer::Sequencer;
use tests::model::script::{Script, Told, expect};
use wire::entry::{View, ViewCause, ViewMember, VotingRole};
use wire::frame::Buffer;
use wire::id::{Ballot, Birth, Incarnation, Index, Run, Uuid};
use wire::message::{Heartbeat, Label, Message};
use wire::mutant::Mutant;
use world::World;

/// Runs a story as it is, and with each bug planted that it must find.
fn story(it: fn() -> Told, finds: &[Mutant]) {
    assert_eq!(it(), Ok(()));
    #[cfg(feature = "mutants")]
    for &mutant in finds {
        wire::mutant::plant(Some(mutant));
        let told = it();
        wire::mutant::plant(None);
        assert!(told.is_err(), "the story goes the same way with {}", mutant.name());
    }
    let _ = finds;
}

/// Logs compare by (ballot of the last frame, length), never by length alone.
#[test]
fn logs_compare_by_ballot_before_length() {
    fn it() -> Told {
        let mut group = Script::formed()?;
        // m0 writes a long tail that nobody else gets.
        for _ in 0..3 {
            group.propose(0)?;
            group.lose(0, 1);
            group.lose(0, 2);
        }
        group.sync(0)?;
        // m1 leads with m2 and decides one entry at the same place.
        group.stand(1)?;
        group.settle(&[1, 2])?;
        expect(group.leads(1) && group.delivered(2) == 2, "m1's opening is decided")?;
        // m1 is gone. m0 stands, with the longer log of an older ballot; m2's must win.
        group.restart(1)?;
        for _ in 0..2 {
            group.stand(0)?;
            group.settle(&[0, 2])?;
        }
        expect(group.leads(0), "m0 leads again")?;
        group.settle(&[0, 1, 2])?;
        expect(group.proposals(0) == 0 || group.delivered(0) > 3, "what m0 lost is proposed again, not kept")
    }
    story(it, &[Mutant::LongestLogWins, Mutant::OwnLogKept]);
}

/// Nothing is known decided under a ballot until its opening is: not by the leader, nor by a follower that
/// counts the leader's disk and its own.
#[test]
fn nothing_older_is_decided_before_the_ballots_opening() {
    fn it() -> Told {
        let mut group = Script::formed()?;
        // An entry on m0 alone.
        group.propose(0)?;
        group.lose(0, 1);
        group.lose(0, 2);
        group.sync(0)?;
        // m1 leads by m2's promise; its opening, at the same place, is on m1 alone.
        group.stand(1)?;
        group.lose(1, 0);
        group.store_votes(1)?;
        group.deliver(1, 2)?;
        group.store_votes(2)?;
        group.deliver(2, 1)?;
        expect(group.leads(1), "m1 leads")?;
        group.sync(1)?;
        group.restart(1)?;
        // m0 leads by m2's promise. Its entry and its opening reach m2's disk; its own disk has the entry only.
        group.stand(0)?;
        group.store_votes(0)?;
        group.deliver(0, 2)?;
        group.deliver(2, 0)?;
        group.stand(0)?;
        group.store_votes(0)?;
        for _ in 0..4 {
            group.deliver(0, 2)?;
            group.store_votes(2)?;
            group.sync(2)?;
            group.deliver(2, 0)?;
        }
        expect(group.leads(0) && group.last(2) == 3, "m2 has all of m0's log")?;
        // A quorum's disks hold the entry, and yet it is not decided: m0 loses its opening, and then m1's log,
        // whose last ballot is higher than the entry's, wins.
        expect(group.delivered(0) == 1 && group.delivered(2) == 1, "nobody takes the entry for decided")?;
        group.crash(0)?;
        group.stand(1)?;
        group.settle(&[0, 1])?;
        group.settle(&[0, 1, 2])?;
        expect(group.leads(1) && group.delivered(1) >= 2, "m1's opening is decided in its place")
    }
    story(it, &[Mutant::LeaderSkipsOpening, Mutant::FollowerSkipsOpening]);
}

/// The leader sends before its own disk has answered: a frame's arrival proves nothing about its sender's disk.
#[test]
fn a_frame_proves_nothing_about_its_senders_disk() {
    fn it() -> Told {
        let mut group = Script::formed()?;
        group.propose(0)?;
        group.deliver(0, 2)?;
        group.sync(2)?;
        group.deliver(2, 0)?;
        expect(group.delivered(0) == 1 && group.delivered(2) == 1, "one disk is no quorum")?;
        // m0 loses it; the others may decide something else there.
        group.crash(0)?;
        group.stand(1)?;
        group.settle(&[0, 1])?;
        group.settle(&[0, 1, 2])
    }
    story(it, &[Mutant::ReceiptCountedAsSync, Mutant::AppendedToldAsSynced, Mutant::OwnDiskCountedAtOnce]);
}

/// Acknowledgements follow the sync, and a quorum of them makes a decision.
#[test]
fn only_a_quorum_of_synced_acknowledgements_decides() {
    fn it() -> Told {
        let mut group = Script::formed()?;
        group.propose(0)?;
        group.sync(0)?;
        expect(group.delivered(0) == 1, "the leader's disk alone decides nothing")?;
        group.deliver(0, 2)?;
        group.deliver(2, 0)?;
        expect(group.delivered(0) == 1, "what a follower has not synced it has not acknowledged")?;
        group.crash(2)?;
        group.settle(&[0, 1, 2])?;
        expect(group.delivered(1) >= 2, "it is decided in the end")
    }
    story(it, &[Mutant::AckBeforeSync, Mutant::CommitQuorumOffByOne, Mutant::SentToldAsDecided]);
}

/// A promise is durable before it is answered, and an acknowledgement waits for it too.
#[test]
fn a_promise_is_durable_before_it_is_answered() {
    fn it() -> Told {
        let mut group = Script::formed()?;
        group.stand(1)?;
        group.lose(1, 0);
        group.store_votes(1)?;
        // m2 promises, and crashes before its vote file holds that.
        group.deliver(1, 2)?;
        expect(!group.is_on_its_way(2, 1), "m2 says nothing yet")?;
        group.deliver(2, 1)?;
        group.crash(2)?;
        // It knows nothing of m1: m0 leads it on.
        group.propose(0)?;
        group.settle(&[0, 2])?;
        expect(group.proposals(0) == 1 && !group.leads(1), "m0 decides with m2")?;
        group.settle(&[0, 1, 2])
    }
    story(it, &[Mutant::PromiseBeforeSync]);
}

/// A member that restarts keeps its promise.
#[test]
fn a_restarted_member_knows_its_promise() {
    fn it() -> Told {
        let mut group = Script::formed()?;
        // An entry of m0 is on its way to m2, from before all this.
        group.propose(0)?;
        group.lose(0, 1);
        group.sync(0)?;
        let late = group.hold(0, 2)?;
        group.stand(1)?;
        group.lose(1, 0);
        group.store_votes(1)?;
        group.deliver(1, 2)?;
        group.store_votes(2)?;
        group.deliver(2, 1)?;
        expect(group.leads(1), "m1 leads by m2's promise")?;
        group.lose(1, 2);
        group.restart(2)?;
        group.store_votes(2)?;
        group.arrive(late)?;
        group.sync(2)?;
        group.deliver(2, 0)?;
        group.sync(1)?;
        group.deliver(2, 1)?;
        expect(group.proposals(0) == 0, "m2 does not follow m0 any more")?;
        group.reconnect(1, 2)?;
        group.settle(&[1, 2])?;
        group.settle(&[0, 1, 2])
    }
    story(it, &[Mutant::PromiseForgottenOnRestart, Mutant::LowerBallotAccepted]);
}

/// Only acknowledgements of the leader's present ballot count.
#[test]
fn acknowledgements_of_an_earlier_ballot_do_not_count() {
    fn it() -> Told {
        let mut group = Script::formed()?;
        // Two entries reach m2's disk; m2's acknowledgement is late, and m0 loses both.
        group.propose(0)?;
        group.propose(0)?;
        group.lose(0, 1);
        group.deliver(0, 2)?;
        group.sync(2)?;
        let late = group.hold(2, 0)?;
        group.crash(0)?;
        // m1 leads with m0, and writes over them on m2.
        group.stand(1)?;
        group.settle(&[0, 1])?;
        group.settle(&[1, 2])?;
        expect(group.leads(1) && group.last(2) == 2, "m2 has m1's opening instead")?;
        // m0 leads again; its opening, at the place of the second entry, is on m0 alone.
        group.restart(1)?;
        group.stand(0)?;
        group.store_votes(0)?;
        group.deliver(0, 2)?;
        group.store_votes(2)?;
        group.deliver(2, 0)?;
        expect(group.leads(0) && group.last(0) == 3, "m0 leads")?;
        group.sync(0)?;
        group.arrive(late)?;
        expect(group.delivered(0) <= 2, "the late acknowledgement says nothing of this ballot")?;
        group.settle(&[0, 1, 2])
    }
    story(it, &[Mutant::StaleAckCounted]);
}

/// A follower cuts everything after the first difference before it acknowledges.
#[test]
fn a_follower_cuts_what_differs() {
    fn it() -> Told {
        let mut group = Script::formed()?;
        group.propose(0)?;
        group.lose(0, 1);
        group.deliver(0, 2)?;
        group.sync(2)?;
        group.crash(0)?;
        group.stand(1)?;
        group.settle(&[0, 1])?;
        group.settle(&[1, 2])?;
        expect(group.delivered(2) == group.last(1), "m2 has m1's log, and no entry of its own")
    }
    story(it, &[Mutant::DifferenceNotCut]);
}

/// A view entry is counted among the voters that it brings.
#[test]
fn a_view_is_counted_among_its_own_voters() {
    fn it() -> Told {
        let mut group = Script::formed()?;
        group.leave(2)?;
        group.deliver(2, 0)?;
        group.sync(0)?;
        expect(group.last(0) == 2, "m0 writes the view without m2")?;
        group.deliver(0, 2)?;
        group.sync(2)?;
        group.deliver(2, 0)?;
        group.deliver(0, 2)?;
        expect(group.delivered(0) == 1 && group.delivered(2) == 1, "who leaves does not count for its leaving")?;
        group.settle(&[0, 1, 2])?;
        expect(group.delivered(0) == group.last(0), "m1 does")
    }
    story(it, &[Mutant::ViewCountedAmongOldVoters]);
}

/// A view is written only after the one before it is decided.
#[test]
fn one_view_at_a_time() {
    fn it() -> Told {
        let mut group = Script::formed()?;
        group.leave(1)?;
        group.leave(2)?;
        group.deliver(1, 0)?;
        group.deliver(2, 0)?;
        group.sync(0)?;
        expect(group.last(0) == 2, "one view is written")?;
        // The two that would be gone are a majority of those before, and know of nothing.
        group.lose(0, 1);
        group.lose(0, 2);
        group.stand(1)?;
        group.settle(&[1, 2])?;
        expect(group.leads(1), "m1 leads with m2")?;
        group.settle(&[0, 1, 2])
    }
    story(it, &[Mutant::TwoViewsAtOnce]);
}

/// A view is written only after the ballot's opening is decided.
#[test]
fn no_view_before_the_opening_is_decided() {
    fn it() -> Told {
        let mut group = Script::formed()?;
        group.stand(1)?;
        group.store_votes(1)?;
        group.deliver(1, 2)?;
        group.store_votes(2)?;
        group.deliver(2, 1)?;
        expect(group.leads(1), "m1 leads")?;
        group.deliver(1, 2)?;
        group.lose(2, 1);
        group.leave(2)?;
        group.deliver(2, 1)?;
        expect(group.last(1) == 2, "its opening is not decided: no view yet")?;
        group.reconnect(1, 2)?;
        group.settle(&[0, 1, 2])
    }
    story(it, &[Mutant::ViewBeforeOpening]);
}

/// A candidate needs a quorum of the last view in the log that it adopts; that view may take its own vote.
#[test]
fn a_candidate_does_not_count_itself_in_a_view_without_it() {
    fn it() -> Told {
        let mut group = Script::formed()?;
        group.leave(2)?;
        group.deliver(2, 0)?;
        // The view without m2 reaches m1's disk, and m2 not at all.
        group.lose(0, 2);
        group.deliver(0, 1)?;
        group.sync(1)?;
        group.lose(1, 0);
        expect(group.last(1) == 2, "m1 has the view")?;
        group.stand(2)?;
        group.lose(2, 0);
        group.settle(&[1, 2])?;
        expect(group.last(2) == 2, "m2 adopted m1's log, and with it the view")?;
        expect(!group.leads(2), "m1's promise alone is no quorum of it")
    }
    story(it, &[Mutant::CandidateCountsItself]);
}

/// A candidate needs a quorum of promises.
#[test]
fn nobody_leads_without_a_quorum_of_promises() {
    fn it() -> Told {
        let mut group = Script::formed()?;
        group.stand(1)?;
        group.store_votes(1)?;
        expect(!group.leads(1), "its own promise is no quorum")?;
        group.propose(0)?;
        group.lose(0, 1);
        group.settle(&[0, 2])?;
        group.settle(&[0, 1, 2])
    }
    story(it, &[Mutant::ElectionQuorumOffByOne]);
}

/// Once a higher run is delivered, lower ones are void, whatever of theirs still arrives.
#[test]
fn a_new_run_voids_the_earlier_one() {
    fn it() -> Told {
        let mut group = Script::formed()?;
        group.propose(2)?;
        let late = group.hold(2, 0)?;
        group.restart(2)?;
        group.settle(&[0, 1, 2])?;
        group.propose(2)?;
        group.settle(&[0, 1, 2])?;
        expect(group.proposals(0) == 1, "the proposal of the new run is delivered")?;
        group.arrive(late)?;
        group.settle(&[0, 1, 2])?;
        expect(group.proposals(0) == 1, "that of the old run is not, any more")
    }
    story(it, &[Mutant::OlderRunAccepted]);
}

/// The leader never logs a number out of order: it answers with the one that it expects.
#[test]
fn a_lost_proposal_is_asked_for() {
    fn it() -> Told {
        let mut group = Script::formed()?;
        group.propose(2)?;
        group.settle(&[0, 1, 2])?;
        group.propose(2)?;
        group.lose(2, 0);
        group.propose(2)?;
        group.deliver(2, 0)?;
        expect(group.last(0) == 2, "the third waits for the second")?;
        group.settle(&[0, 1, 2])?;
        expect(group.proposals(1) == 3, "all are delivered")
    }
    story(it, &[Mutant::NumberSkipped]);
}

/// A proposal that arrives again is delivered once.
#[test]
fn a_repeated_proposal_is_delivered_once() {
    fn it() -> Told {
        let mut group = Script::formed()?;
        group.propose(2)?;
        let copy = group.hold(2, 0)?;
        for _ in 0..2 {
            group.arrive(copy)?;
            group.settle(&[0, 1, 2])?;
        }
        expect(group.proposals(1) == 1 && group.last(0) == 2, "it is in the log once")
    }
    story(it, &[Mutant::RepeatDelivered]);
}

/// Frames of another birth are refused, whoever sends them and whatever they hold.
#[test]
fn frames_of_another_birth_are_refused() {
    fn it() -> Told {
        let mut group = Script::formed()?;
        group.propose(0)?;
        let ours = group.hold(0, 2)?;
        let theirs = group.of_another_birth(ours);
        group.arrive(theirs)?;
        expect(group.last(2) == 1, "the other birth's frame is not appended")?;
        group.stand(1)?;
        let prepare = group.hold(1, 2);
        group.store_votes(1)?;
        let prepare = prepare.or_else(|_| group.hold(1, 2))?;
        let (theirs, before) = (group.of_another_birth(prepare), group.promised(2));
        group.arrive(theirs)?;
        expect(group.promised(2) == before, "the other birth's candidate is promised nothing")?;
        group.arrive(prepare)?;
        expect(group.promised(2) > before, "its own is")
    }
    story(it, &[Mutant::AnotherBirthHeard]);
}

/// A connection that is new begins to count heartbeats anew, even when the first ones on it are lost: behind
/// it may be another process, whose numbers are lower.
#[test]
fn a_new_connection_begins_to_count_heartbeats_anew() {
    let member = |number: u64| ViewMember {
        uuid: Uuid([number as u8; 16]),
        incarnation: Incarnation(number),
        role: VotingRole::Voter,
        weight: 50,
        version: 80036,
        server_id: number as u32,
        host: format!("m{number}"),
        port: 3306,
        address: format!("m{number}:1"),
    };
    let (birth, peer, now) = (Birth(1), Incarnation(2), Instant(1_000_000));
    let members = (1..=3).map(member).collect();
    let view = View { birth, counter: 1, members, cause: ViewCause::Join(Incarnation(1)) };
    let config = GroupConfig {
        me: member(1),
        run: Run(1 << 32),
        synced_on_append: true,
        write_concurrency: 10,
        window_bytes: 1 << 20,
        timing: Timing::default(),
        seed: 1,
    };
    let vote = Vote { birth, incarnation: Incarnation(1), listed: true, ..Vote::default() };
    let mut group = Group::member(config, vote, Tail::empty(), (Index(0), view), Sequencer::default());
    let mut out = Effects::default();
    group.start(now, &mut out);
    // Its heartbeats to the peer; the last one's number.
    let sent = |out: &mut Effects| {
        let mut last = 0;
        while let Some(effect) = out.pop() {
            if let Effect::Send { message: Message::Heartbeat(heartbeat), .. } = effect {
                last = heartbeat.sequence;
            }
        }
        last
    };
    let heartbeat = |sequence: u64, echo: u64| {
        let (promised, leader, decided) = (Ballot::ZERO, Incarnation(0), Index(0));
        let (hears, misses, expels, rough, waiting_us) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), 0);
        let assures = false;
        let heartbeat =
            Heartbeat { sequence, echo, promised, leader, decided, hears, waiting_us, misses, expels, rough, assures };
        let (label, message) = (Label { to: Incarnation(1), birth }, Message::Heartbeat(heartbeat));
        Input::Received { from: peer, address: "m2:1".into(), label, message, payload: Buffer::new() }
    };
    group.step(now, Input::PeerUp(peer), &mut out);
    let number = sent(&mut out);
    group.step(now, heartbeat(50, number), &mut out);
    assert!(group.hears(peer, now), "it is heard both ways");
    group.step(now, Input::PeerDown(peer), &mut out);
    assert!(!group.hears(peer, now), "a connection that broke counts as silence");
    group.step(now, Input::PeerUp(peer), &mut out);
    let number = sent(&mut out);
    // The first two of the new process are lost.
    group.step(now, heartbeat(3, number), &mut out);
    assert!(group.hears(peer, now), "the new process is heard");
}

/// Voters, and one more that joins as a learner.
struct Joining {
    world: World,
    leader: usize,
    learner: usize,
}

impl Joining {
    fn new(voters: usize) -> Result<Self, String> {
        let mut world = World::new(voters + 1);
        world.join_first(voters);
        let leads = |at: &usize| world.member(*at).group().is_some_and(Group::leads);
        let leader = (0..voters).find(leads).ok_or("members have a leader")?;
        Ok(Self { world, leader, learner: voters })
    }

    /// The leader hears nobody but the learner from here on, and the learner nobody but the leader.
    fn silence_voters(&mut self) {
        for voter in (0..self.learner).filter(|&at| at != self.leader) {
            self.world.cut_one_way(voter, self.leader);
            self.world.cut_one_way(voter, self.learner);
        }
    }

    fn await_learner(&mut self, what: &str, done: impl Fn(&Group, &World) -> bool) -> Told {
        let learner = self.learner;
        let so = |world: &World| world.member(learner).group().is_some_and(|group| done(group, world));
        expect(self.world.comes_to(10_000_000, so), what)
    }

    fn last(&self, at: usize) -> Option<Index> {
        self.world.nodes[at].disk.last().map(|frame| frame.header().last())
    }

    fn delivered(world: &World, at: usize) -> Option<Index> {
        world.nodes[at].delivered.last().map(|&(index, _)| index)
    }

    /// Half a second in which neither leader nor learner delivers what is at `index`; then all links are well, and
    /// all go on.
    fn decides_nothing(&mut self, index: Option<Index>) -> Told {
        for _ in 0..100 {
            self.world.tick();
            expect(Self::delivered(&self.world, self.leader) < index, "the leader has nobody's word but a learner's")?;
            expect(
                Self::delivered(&self.world, self.learner) < index,
                "a learner has the leader's word and its own disk",
            )?;
        }
        self.world.heal();
        let members = 0..=self.learner;
        let all = |world: &World| members.clone().all(|at| Self::delivered(world, at) > index);
        expect(self.world.comes_to(20_000_000, all), "with all members it goes on")
    }
}

/// A learner's disk is no voter's: the leader does not count what it acknowledges.
#[test]
fn a_learners_acknowledgement_does_not_count() {
    fn it() -> Told {
        let mut story = Joining::new(2)?;
        story.silence_voters();
        story.world.start(story.learner);
        story.await_learner("the learner holds the view that lists it", |group, _| group.is_listed())?;
        let view = story.last(story.learner);
        expect(story.last(story.leader) >= view, "as its leader does")?;
        story.decides_nothing(view)
    }
    story(it, &[Mutant::LearnerCounted]);
}

/// A learner that holds what its leader has synced concludes nothing from its own disk.
#[test]
fn a_learner_concludes_nothing() {
    fn it() -> Told {
        let mut story = Joining::new(3)?;
        let learner = story.learner;
        story.world.start(learner);
        story.await_learner("the learner knows its view decided", |group, world| {
            let view = world.member(learner).certifier().view();
            view.is_some_and(|(_, view)| {
                let own = |member: &&ViewMember| member.incarnation == group.me();
                view.members.iter().find(own).is_some_and(|member| member.role == VotingRole::Learner)
            })
        })?;
        story.silence_voters();
        story.world.propose(story.leader).ok_or("a leader takes proposals")?;
        story.world.tick();
        let proposed = story.last(story.leader);
        story.await_learner("the learner holds what was proposed", |_, world| {
            world.nodes[learner].disk.last().map(|frame| frame.header().last()) >= proposed
        })?;
        story.decides_nothing(proposed)
    }
    story(it, &[Mutant::LearnerConcludes]);
}

/// Who forces a birth belongs to it by its vote file before it begins it: otherwise its restart would bring it back to
/// the old birth, and what it acknowledged in the new one would count for both.
#[test]
fn a_forced_birth_begins_once_its_leaders_vote_names_it() {
    fn it() -> Told {
        let mut world = World::formed(4);
        (0..2).for_each(|at| world.kill(at));
        world.run_for(6_000_000);
        let birth = |world: &World, at: usize| world.member(at).group().map(Group::birth);
        world.force(2, &[2, 3], 98);
        expect(world.comes_to(5_000_000, |world| birth(world, 3) == Some(Birth(98))), "the other has promised")?;
        let before = world.nodes[3].disk.len();
        world.nodes[2].votes_hang = true;
        world.run_for(1_000_000);
        expect(world.nodes[3].disk.len() == before, "nothing of the birth is sent")?;
        world.kill(2);
        world.nodes[2].votes_hang = false;
        world.boot(2, true);
        world.run_for(6_000_000);
        world.force(3, &[2, 3], 99);
        let online = |world: &World| [2, 3].iter().all(|&at| world.states(at) == [State::Online; 2]);
        expect(world.comes_to(10_000_000, online), "both are ONLINE again")?;
        expect([2, 3].iter().all(|&at| birth(&world, at) == Some(Birth(99))), "both go on in one birth")
    }
    story(it, &[Mutant::BirthBeforeVoteStored]);
}

/// Heartbeats come from what orders: once the leader's group stage hangs nothing says that it lives, though its
/// connections stay up, and another leads.
#[test]
fn a_hung_group_stage_falls_silent() {
    let mut world = World::formed(3);
    let leader = world.leader().expect("there is one");
    let before = world.member(leader).identity().0;
    let others: Vec<_> = (0..3).filter(|&at| at != leader).collect();
    world.nodes[leader].frozen = true;
    // What it had sent before arrives.
    world.tick();
    world.heard = Some(Vec::new());
    world.run_until("another to lead", 5_000_000, |world| {
        others.iter().any(|&at| world.member(at).group().is_some_and(Group::leads))
    });
    let heard = world.heard.take().expect("just set");
    assert!(heard.iter().all(|&(from, _, _)| from != leader), "{heard:?}");
    assert!(others.iter().all(|&at| !world.member(at).group().expect("it is in the group").hears(before, world.now)));
    // It finds out once it goes on.
    world.nodes[leader].frozen = false;
    world.run_until("one leader for all", 5_000_000, |world| world.leader().is_some_and(|now| now != leader));
}
