//! Chaos: a group of real processes on a network of its own, unmodified clients, and one thing after the
//! other going wrong: packets lost, delayed and cut in one direction, processes killed and stopped, a slow
//! disk and a full one. What was acknowledged is there at the end, once, on every member.
//!
//! `QUORATE_CHAOS_ROUNDS` sets how many things go wrong (default 12). Needs root; without it, and where
//! the kernel has no TUN devices, this says so and ends.

use std::time::Duration;
use tests::network::{Link, Network};
use tests::process::{Group, Member, Settings, SlowDisk, Writers, wait_for};

const ALL: [u16; 3] = [1, 2, 3];
const WRITERS: u64 = 4;
/// Enough for what goes wrong to show, and far less than expulsion takes.
const ILL: u64 = 40;

/// SplitMix64 over the round: the same rounds each time.
fn draw(round: u64, bound: u64) -> u64 {
    let mut mixed = (round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ mixed >> 31) % bound
}

/// The network, or why there is none here.
fn network() -> Option<Network> {
    match Network::new(ALL.len()) {
        Ok(network) => Some(network),
        Err(error) => {
            eprintln!("skipped: this needs root, iproute2 and TUN devices: {error}");
            None
        }
    }
}

#[test]
fn acknowledged_transactions_survive_one_trouble_after_the_other() {
    let Some(network) = network() else { return };
    let rounds = std::env::var("QUORATE_CHAOS_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    let mut group = Group::form_on(&network, "chaos", Settings { sync: 1, ..Settings::default() });
    let targets: Vec<_> = group.members.iter().map(Member::address).collect();
    Writers::prepare(&mut group.members[0].client(), WRITERS).expect("the primary takes writes");
    let mut lives = Vec::new();
    for round in 0..rounds {
        let victim = draw(round * 2, 3) as u16 + 1;
        let place = usize::from(victim);
        let other = place % 3 + 1;
        let writers = Writers::start(&targets, WRITERS, (round + 1) * 1_000_000);
        writers.await_more(ILL);
        // A quorum without trouble is there in each: writes must go on.
        match round % 8 {
            0 => {
                eprintln!("round {round}: member {victim} is killed");
                group.member(victim).kill();
                writers.await_more(ILL);
                group.member(victim).spawn(&[]);
            }
            1 => {
                eprintln!("round {round}: 5 % of all packets are lost, others late by up to 20 ms");
                let link = Link { loss_ppm: 50_000, jitter: Duration::from_millis(20), ..Link::default() };
                ALL.iter().for_each(|&member| network.set_around(usize::from(member), link));
                writers.await_more(ILL);
            }
            2 => {
                eprintln!("round {round}: member {victim} is stopped");
                group.member(victim).freeze();
                writers.await_more(ILL);
                group.member(victim).thaw();
            }
            3 => {
                eprintln!("round {round}: nothing from member {victim} reaches member {other}");
                network.set(place, other, Link { cut: true, ..Link::default() });
                writers.await_more(ILL);
            }
            4 => {
                eprintln!("round {round}: member {victim} is cut off from the others");
                network.set_around(place, Link { cut: true, ..Link::default() });
                writers.await_more(ILL);
            }
            5 => {
                let pid = group.member(victim).pid().expect("it runs");
                match SlowDisk::new(&group.member(victim).data(), pid, 50) {
                    Ok(slow) => {
                        eprintln!("round {round}: the disk of member {victim} is slow");
                        writers.await_more(ILL);
                        drop(slow);
                    }
                    Err(error) => eprintln!("round {round}: no slow disk here: {error}"),
                }
            }
            6 => {
                eprintln!("round {round}: all members are killed");
                group.members.iter_mut().for_each(Member::kill);
                group.members.iter_mut().for_each(|member| member.spawn(&[]));
                writers.await_more(ILL);
            }
            _ => {
                eprintln!("round {round}: members {victim} and {other} do not hear each other; {other} is killed");
                let cut = Link { cut: true, ..Link::default() };
                network.set(place, other, cut);
                network.set(other, place, cut);
                writers.await_more(ILL);
                group.member(other as u16).kill();
                writers.await_more(ILL);
                group.member(other as u16).spawn(&[]);
            }
        }
        network.heal();
        group.members.iter_mut().for_each(Member::await_ready);
        group.await_online(&ALL);
        writers.await_more(ILL);
        lives.push(writers.finish());
        group.assert_equal(&ALL, &["test.w", "test.n"]);
        group.assert_nothing_lost(&ALL, &lives);
    }
}

#[test]
fn a_cut_off_member_shows_what_it_sees_and_comes_back() {
    let Some(network) = network() else { return };
    let group = Group::form_on(&network, "cutoff", Settings::default());
    Writers::prepare(&mut group.members[0].client(), WRITERS).expect("the primary takes writes");
    network.set_around(3, Link { cut: true, ..Link::default() });
    // It cannot know better; nor can they.
    let sees = |member: &Member, unreachable: &[u16]| {
        wait_for(&format!("member {} to see {unreachable:?} UNREACHABLE", member.number), || {
            let states = member.states(group.first_port).map_err(|error| error.to_string())?;
            let wanted = |at: &u16| states.iter().any(|(found, state, _)| found + 1 == *at && state == "UNREACHABLE");
            if unreachable.iter().all(wanted) { Ok(()) } else { Err(format!("{states:?}")) }
        });
    };
    sees(&group.members[2], &[1, 2]);
    network.heal();
    group.await_online(&ALL);
    let targets: Vec<_> = group.members.iter().map(Member::address).collect();
    let writers = Writers::start(&targets, WRITERS, 1);
    writers.await_more(ILL);
    let life = writers.finish();
    group.assert_equal(&ALL, &["test.w", "test.n"]);
    group.assert_nothing_lost(&ALL, &[life]);
}
