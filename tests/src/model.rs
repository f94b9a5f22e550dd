//! Exhaustive exploration of a small group: every order in which messages, disk writes, crashes, stands and
//! proposals can follow one another, up to stated numbers of each, breadth first.
//!
//! The members run the real `Group`; nothing of the protocol is modelled. Time stands still: what a timer
//! would cause is an action that may happen at any moment (a member stands for leader; heartbeats, which only
//! tell when to stand, are left out). A connection keeps its order as TCP does; it may break, with all that is
//! on it, and a message may arrive twice. A crash loses what was not synced, or not, votes alike.
//!
//! Checked in every state:
//! - *agreement*: what members delivered are beginnings of one sequence, the same for ever;
//! - *decided only with a quorum*: what anybody delivered is, from that moment on, synced on a quorum of the
//!   voters that count there;
//! - *at most once*: no proposal is delivered twice;
//! - *one leader per ballot*: no ballot is led by two members, nor by two lives of one, and a quorum of the voters
//!   in its leader's log has promised it;
//! - *openings*: nothing is decided under a ballot whose opening is not, and no view is written then, nor while
//!   another one is undecided;
//! - no assertion of the core fails.
//!
//! That everything can be decided is shown by states in which it is ([`Found`]).
//!
//! Why not the `stateright` crate: its actors own their timers, randomness and storage, which here are the
//! real core's; of it only the breadth-first search would remain, which is the smaller part of this file. Most
//! of the speed comes from what it can't know: a step changes one member, so that steps are computed once per
//! (member state, input) and looked up afterwards.

mod node;
pub mod script;
pub mod walk;

pub use node::Act;
use node::{Local, Locals, Step};
use std::collections::{HashMap, HashSet, VecDeque};
use wire::id::{Ballot, Index};

/// How much may happen.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Members of the first view, voters.
    pub members: usize,
    /// So many of them, the last ones, are learners instead.
    pub learners: usize,
    /// The first already leads and its opening is decided everywhere, before anything is explored.
    pub formed: bool,
    /// Disk writes take time, in which anything may happen; else they are done at once, and a crash loses nothing.
    pub slow_disks: bool,
    /// Proposals.
    pub proposals: u8,
    /// Stands for leader.
    pub stands: u8,
    /// Crashes.
    pub crashes: u8,
    /// Members that ask to leave: each is a reconfiguration.
    pub leaves: u8,
    /// Connections that break.
    pub breaks: u8,
    /// Messages that arrive twice.
    pub repeats: u8,
    /// Messages that overtake what breaks their connection, or arrive long after it; too many for the exploration.
    pub holds: u8,
    /// So many bytes of frames may be undecided, and are sent at once; one frame always may.
    pub window_bytes: usize,
    /// States after which the exploration ends, whole or not.
    pub states_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        let (members, learners, proposals, stands, crashes) = (3, 0, 2, 2, 2);
        let (formed, slow_disks, leaves, breaks, repeats, holds) = (true, true, 1, 1, 1, 0);
        let (window_bytes, states_max) = (1 << 20, usize::MAX);
        Self {
            members,
            learners,
            formed,
            slow_disks,
            proposals,
            stands,
            crashes,
            leaves,
            breaks,
            repeats,
            holds,
            window_bytes,
            states_max,
        }
    }
}

/// What an exploration saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Distinct states of the whole.
    pub states: usize,
    /// Steps between them.
    pub steps: usize,
    /// Distinct states of single members.
    pub local_states: usize,
    /// Actions from the beginning to the farthest state.
    pub depth: usize,
    /// Nothing was left to explore.
    pub complete: bool,
    /// States in which every proposal is delivered by every member.
    pub all_decided: usize,
    /// Of these, states after a crash.
    pub all_decided_after_crash: usize,
    /// States in which a member has left, and a proposal is delivered after that.
    pub decided_after_leave: usize,
    /// States after which two members have led.
    pub two_led: usize,
}

/// A rule that did not hold, and how it came to that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which rule, and how.
    pub rule: String,
    /// Every action from the beginning.
    pub path: Vec<Act>,
}

/// One state of the whole. Small, as millions are kept while they wait to be explored.
#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    /// Members, by number of their state.
    nodes: Vec<u32>,
    /// Messages on their way: link and number, in order within each link.
    flying: Vec<(u8, u32)>,
    /// Messages that were taken off their link and may arrive at any time: link and number.
    held: Vec<(u8, u32)>,
    /// What was ever delivered, by number.
    truth: u32,
    /// Who led under which ballot, by number.
    led: u32,
    /// What is left of each bound: stands, crashes, leaves, breaks, repeats, proposals, holds.
    left: [u8; 7],
}

const STANDS: usize = 0;
const CRASHES: usize = 1;
const LEAVES: usize = 2;
const BREAKS: usize = 3;
const REPEATS: usize = 4;
const PROPOSALS: usize = 5;
const HOLDS: usize = 6;

/// Things that many states share, each kept once.
#[derive(Default)]
struct Pool<T> {
    all: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T: Clone + Eq + std::hash::Hash> Pool<T> {
    fn number(&mut self, thing: T) -> u32 {
        let next = self.all.len() as u32;
        *self.numbers.entry(thing).or_insert_with_key(|thing| {
            self.all.push(thing.clone());
            next
        })
    }
}

/// Ends of frames that were delivered by anybody, ever, and who votes at the last of them.
type Truth = (Vec<(Index, u64)>, Vec<u8>);
/// Ballot, member, life.
type Leaders = Vec<(Ballot, u8, u8)>;

struct Explorer {
    bounds: Bounds,
    locals: Locals,
    truths: Pool<Truth>,
    leaders: Pool<Leaders>,
    /// How each state was reached first: from which one, and by what.
    came: Vec<(u32, Act)>,
    found: Found,
}

fn fingerprint(world: &World) -> u128 {
    use std::hash::{Hash, Hasher};
    struct Bytes(Vec<u8>);
    impl Hasher for Bytes {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }
    let mut bytes = Bytes(Vec::with_capacity(256));
    world.hash(&mut bytes);
    xxhash_rust::xxh3::xxh3_128(&bytes.0)
}

/// Explores everything within `bounds`.
///
/// # Errors
/// The first rule that does not hold, with one of the shortest ways there.
pub fn explore(bounds: Bounds) -> Result<Found, Broken> {
    let mut explorer = Explorer::new(bounds);
    let first = explorer.first();
    explorer.run(first)
}

impl Explorer {
    fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            locals: Locals::new(&bounds),
            truths: Pool::default(),
            leaders: Pool::default(),
            came: Vec::new(),
            found: Found::default(),
        }
    }

    fn first(&mut self) -> World {
        let Bounds { members, proposals, stands, crashes, leaves, breaks, repeats, holds, .. } = self.bounds;
        World {
            nodes: (0..members).map(|at| self.locals.first(at)).collect(),
            flying: Vec::new(),
            held: Vec::new(),
            truth: self.truths.number((Vec::new(), Vec::new())),
            led: self.leaders.number(Vec::new()),
            left: [stands, crashes, leaves, breaks, repeats, proposals, holds],
        }
    }

    fn run(mut self, mut first: World) -> Result<Found, Broken> {
        if self.bounds.formed {
            first = self.form(first).map_err(|rule| Broken { rule, path: Vec::new() })?;
        }
        let mut seen: HashSet<u128> = HashSet::from([fingerprint(&first)]);
        self.came.push((0, Act::Sync { at: 0 }));
        let mut waiting = VecDeque::from([(first, 0u32, 0)]);
        while let Some((world, from, depth)) = waiting.pop_front() {
            self.found.depth = depth;
            for act in self.acts(&world) {
                self.found.steps += 1;
                let next = match self.perform(&world, act) {
                    Ok(Some(next)) => next,
                    Ok(None) => continue,
                    Err(rule) => return Err(Broken { rule, path: self.path(from, act) }),
                };
                if !seen.insert(fingerprint(&next)) {
                    continue;
                }
                let number = self.came.len() as u32;
                self.came.push((from, act));
                self.witness(&next);
                if seen.len() >= self.bounds.states_max {
                    return Ok(self.end(false));
                }
                waiting.push_back((next, number, depth + 1));
            }
        }
        Ok(self.end(true))
    }

    /// The first member stands, and everything that follows happens until nothing is left to happen.
    fn form(&mut self, first: World) -> Result<World, String> {
        let left = first.left;
        let mut world = World { left: [1, 0, 0, 0, 0, 0, 0], ..first };
        let mut act = Some(Act::Stand { at: 0 });
        while let Some(next) = act {
            world = self.perform(&world, next)?.unwrap_or(world);
            world.left[STANDS] = 0;
            act = self.acts(&world).first().copied();
        }
        Ok(World { left, ..world })
    }

    fn end(mut self, complete: bool) -> Found {
        (self.found.states, self.found.complete, self.found.local_states) =
            (self.came.len(), complete, self.locals.len());
        self.found
    }

    fn path(&self, mut at: u32, last: Act) -> Vec<Act> {
        let mut path = vec![last];
        while at != 0 {
            let (before, act) = self.came[at as usize];
            path.push(act);
            at = before;
        }
        path.reverse();
        path
    }

    /// Everything that can happen next.
    fn acts(&self, world: &World) -> Vec<Act> {
        let mut acts = Vec::new();
        let members = self.bounds.members as u8;
        let mut links: Vec<u8> = world.flying.iter().map(|&(link, _)| link).collect();
        links.dedup();
        acts.extend(links.iter().map(|&link| Act::Deliver { link }));
        if world.left[REPEATS] > 0 {
            acts.extend(links.iter().map(|&link| Act::Repeat { link }));
        }
        if world.left[HOLDS] > 0 {
            acts.extend(links.iter().map(|&link| Act::Hold { link }));
        }
        acts.extend((0..world.held.len() as u8).map(|held| Act::Arrive { held }));
        for at in 0..members {
            let local = self.locals.get(world.nodes[at as usize]);
            if local.is_unsynced() {
                acts.push(Act::Sync { at });
            }
            if local.is_voting() {
                acts.push(Act::StoreVote { at });
            }
            if world.left[STANDS] > 0 && local.may_stand() {
                acts.push(Act::Stand { at });
            }
            if world.left[PROPOSALS] > 0 && local.may_propose() {
                acts.push(Act::Propose { at });
            }
            if world.left[LEAVES] > 0 && local.may_leave() {
                acts.push(Act::Leave { at });
            }
            if world.left[CRASHES] > 0 && !local.has_left() {
                acts.push(Act::Crash { at, lose_frames: false, lose_votes: false });
                if local.is_unsynced() {
                    acts.push(Act::Crash { at, lose_frames: true, lose_votes: false });
                }
                if local.is_voting() {
                    acts.push(Act::Crash { at, lose_frames: local.is_unsynced(), lose_votes: true });
                }
            }
            if world.left[BREAKS] > 0 {
                let busy = |&peer: &u8| {
                    let between = |link: u8| node::ends(link) == (at, peer) || node::ends(link) == (peer, at);
                    peer > at && links.iter().any(|&link| between(link))
                };
                acts.extend((0..members).filter(busy).map(|peer| Act::Break { at, peer }));
            }
        }
        acts
    }

    /// The state after `act`; `None` when it changes nothing that counts.
    fn perform(&mut self, world: &World, act: Act) -> Result<Option<World>, String> {
        let mut next = world.clone();
        match act {
            Act::Deliver { link } | Act::Repeat { link } => {
                let place = next.flying.iter().position(|&(on, _)| on == link).expect("it was seen there");
                let (_, message) = next.flying[place];
                if matches!(act, Act::Deliver { .. }) {
                    next.flying.remove(place);
                } else {
                    next.left[REPEATS] -= 1;
                }
                self.step(&mut next, node::ends(link).1, Step::Receive(message))?;
            }
            Act::Hold { link } => {
                next.left[HOLDS] -= 1;
                let place = next.flying.iter().position(|&(on, _)| on == link).expect("it was seen there");
                let message = next.flying.remove(place);
                next.held.push(message);
            }
            Act::Arrive { held } => {
                let (link, message) = next.held.remove(held as usize);
                self.step(&mut next, node::ends(link).1, Step::Receive(message))?;
            }
            Act::Sync { at } => self.step(&mut next, at, Step::Sync)?,
            Act::StoreVote { at } => self.step(&mut next, at, Step::StoreVote)?,
            Act::Stand { at } => {
                next.left[STANDS] -= 1;
                self.step(&mut next, at, Step::Stand)?;
            }
            Act::Propose { at } => {
                next.left[PROPOSALS] -= 1;
                self.step(&mut next, at, Step::Propose)?;
            }
            Act::Leave { at } => {
                next.left[LEAVES] -= 1;
                self.step(&mut next, at, Step::Leave)?;
            }
            Act::Crash { at, lose_frames, lose_votes } => {
                next.left[CRASHES] -= 1;
                next.flying.retain(|&(link, _)| node::ends(link).0 != at && node::ends(link).1 != at);
                self.step(&mut next, at, Step::Crash { lose_frames, lose_votes })?;
                for peer in (0..self.bounds.members as u8).filter(|&peer| peer != at) {
                    self.step(&mut next, peer, Step::Reconnect(at))?;
                }
            }
            Act::Break { at, peer } => {
                next.left[BREAKS] -= 1;
                let gone = |link: u8| [(at, peer), (peer, at)].contains(&node::ends(link));
                next.flying.retain(|&(link, _)| !gone(link));
                self.step(&mut next, at, Step::Reconnect(peer))?;
                self.step(&mut next, peer, Step::Reconnect(at))?;
            }
        }
        self.check(world, &mut next)?;
        Ok((next != *world).then_some(next))
    }

    fn step(&mut self, world: &mut World, at: u8, step: Step) -> Result<(), String> {
        let mut step = Some(step);
        while let Some(now) = step {
            let (state, messages) = self.locals.step(world.nodes[at as usize], now)?;
            world.nodes[at as usize] = state;
            world.flying.extend(messages);
            let local = self.locals.get(state);
            step = match self.bounds.slow_disks {
                false if local.is_voting() => Some(Step::StoreVote),
                false if local.is_unsynced() => Some(Step::Sync),
                _ => None,
            };
        }
        // In order within each link; the order of links says nothing.
        world.flying.sort_by_key(|&(link, _)| link);
        Ok(())
    }

    /// Every rule, and what the state adds to what must stay so.
    fn check(&mut self, before: &World, world: &mut World) -> Result<(), String> {
        let (truth, voters) = &self.truths.all[world.truth as usize];
        let locals: Vec<&Local> = world.nodes.iter().map(|&number| self.locals.get(number)).collect();
        let longest = locals.iter().max_by_key(|local| local.delivered().len()).expect("there are members");
        let more = longest.delivered().len() > truth.len();
        let (longest, voters) = if more { (longest.delivered(), longest.voters()) } else { (truth, voters) };
        for (at, local) in locals.iter().enumerate() {
            let delivered = local.delivered();
            if !longest.starts_with(delivered) {
                return Err(format!("agreement: m{at} delivered {delivered:?}; before, or elsewhere, {longest:?}"));
            }
        }
        if !longest.starts_with(truth) {
            return Err(format!("agreement: {longest:?} is delivered; before, it was {truth:?}"));
        }
        if more {
            // Who is the first to know of a decision counted it under its own ballot, whose opening is in it; it may
            // have handed over at once.
            let first = locals.iter().zip(&before.nodes).filter(|(local, _)| local.delivered() == longest);
            let counted = |was: u32, now: &Local| [self.locals.get(was).promised(), now.promised()];
            let mut early = first.map(|(now, &was)| (now.ballot_delivered(), counted(was, now)));
            if let Some((of, [under, _])) = early.find(|(of, under)| !under.contains(of)) {
                let end = longest.last();
                return Err(format!("opening: {end:?} of ballot {of} is decided under {under}, which is not opened"));
            }
        }
        if let Some(&end) = longest.last() {
            let holding = voters.iter().filter(|&&voter| locals[voter as usize].holds_synced(end)).count();
            if holding < voters.len() / 2 + 1 {
                let voters = voters.len();
                return Err(format!("quorum: {end:?} is delivered, and {holding} of {voters} voters hold it synced"));
            }
        }
        let longest = more.then(|| (longest.clone(), voters.clone()));
        let mut led = self.leaders.all[world.led as usize].clone();
        for (at, local) in locals.iter().enumerate() {
            let Some(ballot) = local.leads() else { continue };
            let this = (ballot, at as u8, local.life());
            match led.iter().find(|(other, ..)| *other == ballot) {
                Some(other) if *other != this => return Err(format!("leaders: {other:?} and {this:?} lead")),
                Some(_) => {}
                None => {
                    let voters = local.voters_in_log();
                    let promised = voters.iter().filter(|&&voter| locals[voter as usize].has_promised(ballot)).count();
                    if promised < voters.len() / 2 + 1 {
                        let of = voters.len();
                        return Err(format!("election: m{at} leads under {ballot}; {promised} of {of} have promised"));
                    }
                    led.push(this);
                }
            }
        }
        led.sort_unstable();
        if let Some(longest) = longest {
            world.truth = self.truths.number(longest);
        }
        world.led = self.leaders.number(led);
        Ok(())
    }

    fn witness(&mut self, world: &World) {
        let locals: Vec<&Local> = world.nodes.iter().map(|&number| self.locals.get(number)).collect();
        let proposed = self.bounds.proposals - world.left[PROPOSALS];
        let all =
            proposed == self.bounds.proposals && locals.iter().all(|local| local.proposals_delivered() == proposed);
        self.found.all_decided += usize::from(all);
        self.found.all_decided_after_crash += usize::from(all && world.left[CRASHES] < self.bounds.crashes);
        self.found.decided_after_leave += usize::from(locals.iter().any(|local| local.delivered_after_leave()));
        self.found.two_led += usize::from(self.leaders.all[world.led as usize].len() > 1);
    }
}
