//! Long random walks where the exploration would not end: more members, learners, elections, crashes and members
//! that leave, one thing after another, drawn from a seed. Each step is checked as any state of the exploration.
//!
//! What makes a bug show is rarely an even draw: some links are slow for a while, some disks too, and each walk has
//! its own idea of how often what goes wrong.

use super::node::ends;
use super::{Act, Bounds, Broken, Explorer, STANDS, World};
use engine_core::rng::Rng;

/// Actions of one walk.
const ACTS: usize = 500;
/// So many end the last of what is on its way, at the end.
const CALM_ACTS_MAX: usize = 2000;
/// After so many at least, in some walks after 16 times as many, links and disks change their pace.
const MOOD_ACTS_MIN: usize = 20;

/// What one walk saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Hash over every action: equal for equal seeds.
    pub trace: u64,
    /// Actions that changed something.
    pub acts: u64,
    /// Proposals that some member delivered.
    pub proposals: u64,
    /// Ballots that were led.
    pub led: u64,
    /// Crashes.
    pub crashes: u64,
}

/// How often each kind of action is drawn, against the others.
struct Mood {
    links: [u64; 256],
    syncs: [u64; 16],
    votes: [u64; 16],
    stand: u64,
    propose: u64,
    leave: u64,
    crash: u64,
    disturb: u64,
    arrive: u64,
}

/// 1, 4, 16 .. 4 to the `steps`.
fn pace(rng: &mut Rng, steps: u64) -> u64 {
    1 << (2 * rng.below(steps + 1))
}

impl Mood {
    fn draw(rng: &mut Rng) -> Self {
        // A slow member is slow towards all: what it said to one leader arrives with the next one.
        let members: [u64; 16] = std::array::from_fn(|_| pace(rng, 4));
        Self {
            links: std::array::from_fn(|link| pace(rng, 1) * members[link >> 4]),
            syncs: std::array::from_fn(|_| pace(rng, 5)),
            votes: std::array::from_fn(|_| pace(rng, 5)),
            stand: pace(rng, 4),
            propose: pace(rng, 4),
            leave: pace(rng, 2),
            crash: pace(rng, 3),
            disturb: pace(rng, 3),
            // Mostly not now: what is late enough meets another leader.
            arrive: if rng.percent(70) { 0 } else { pace(rng, 4) },
        }
    }

    fn weight(&self, act: &Act) -> u64 {
        match act {
            Act::Deliver { link } => self.links[*link as usize],
            Act::Sync { at } => self.syncs[*at as usize],
            Act::StoreVote { at } => self.votes[*at as usize],
            Act::Stand { .. } => self.stand,
            Act::Propose { .. } => self.propose,
            Act::Leave { .. } => self.leave,
            Act::Crash { .. } => self.crash,
            Act::Arrive { .. } => self.arrive,
            Act::Break { .. } | Act::Repeat { .. } | Act::Hold { .. } => self.disturb,
        }
    }
}

/// What `seed` may do, at most.
fn draw(rng: &mut Rng) -> Bounds {
    let members = [3, 3, 3, 4, 5][rng.below(5) as usize];
    let mut few = |most: u64| rng.below(most + 1) as u8;
    let learners = usize::from(few(3) == 0);
    let (proposals, stands, crashes) = (2 + few(8), 1 + few(7), few(5));
    let (leaves, breaks, repeats, holds) = (few(2), few(6), few(4), few(6));
    let (formed, slow_disks) = (few(3) > 0, few(9) > 0);
    let window_bytes = [1 << 20, 1 << 20, 600, 1][usize::from(few(3))];
    Bounds {
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
        states_max: usize::MAX,
    }
}

/// Walks where `seed` leads; `tell` hears of each action.
///
/// # Errors
/// The first rule that does not hold, and the way there.
pub fn walk(seed: u64, mut tell: impl FnMut(&Act)) -> Result<Walked, Broken> {
    let mut rng = Rng::new(seed);
    let bounds = draw(&mut rng);
    let mut explorer = Explorer::new(bounds);
    let (mut path, mut walked) = (Vec::new(), Walked::default());
    let mut world = explorer.first();
    if bounds.formed {
        world = explorer.form(world).map_err(|rule| Broken { rule, path: Vec::new() })?;
    }
    let mut mood = Mood::draw(&mut rng);
    let mood_acts = MOOD_ACTS_MIN << rng.below(5);
    for step in 0..ACTS {
        if step % mood_acts == 0 {
            mood = Mood::draw(&mut rng);
        }
        let acts = explorer.acts(&world);
        let weight = |act: &Act| explorer.weight(&world, &mood, act);
        let sum: u64 = acts.iter().map(weight).sum();
        if sum == 0 {
            mood.arrive = 1;
            continue;
        }
        let mut at = rng.below(sum);
        let drawn = acts.iter().find(|act| {
            let weight = weight(act);
            let found = at < weight;
            at = at.saturating_sub(weight);
            found
        });
        let act = *drawn.expect("it is below the sum");
        world = explorer.walk_on(world, act, (&mut path, &mut walked, &mut tell))?;
    }
    // Whoever missed something hears it now, from whoever comes to lead.
    world.left = [0; 7];
    for at in 0..bounds.members as u8 {
        world.left[STANDS] = 1;
        if explorer.acts(&world).contains(&Act::Stand { at }) {
            world = explorer.walk_on(world, Act::Stand { at }, (&mut path, &mut walked, &mut tell))?;
        }
        world.left[STANDS] = 0;
        for _ in 0..CALM_ACTS_MAX {
            let Some(&act) = explorer.acts(&world).first() else { break };
            world = explorer.walk_on(world, act, (&mut path, &mut walked, &mut tell))?;
        }
    }
    let delivered = world.nodes.iter().map(|&at| u64::from(explorer.locals.get(at).proposals_delivered()));
    walked.proposals = delivered.max().unwrap_or(0);
    walked.led = explorer.leaders.all[world.led as usize].len() as u64;
    Ok(walked)
}

impl Explorer {
    /// Of all messages, late acknowledgements say most: they are held back rather than others, until somebody
    /// leads there under another ballot.
    fn weight(&self, world: &World, mood: &Mood, act: &Act) -> u64 {
        let weight = mood.weight(act);
        match act {
            Act::Hold { link } => {
                let first = world.flying.iter().find(|(on, _)| on == link);
                let tells = first.is_some_and(|&(_, message)| self.locals.acknowledges(message).is_some());
                if tells { weight * 16 } else { weight }
            }
            Act::Arrive { held } => {
                let (link, message) = world.held[*held as usize];
                let leads = self.locals.get(world.nodes[ends(link).1 as usize]).leads();
                match self.locals.acknowledges(message) {
                    Some(ballot) if leads.is_some_and(|now| now != ballot) => 16,
                    Some(_) => weight.min(1),
                    None => weight,
                }
            }
            _ => weight,
        }
    }

    fn walk_on(
        &mut self,
        world: World,
        act: Act,
        (path, walked, tell): (&mut Vec<Act>, &mut Walked, &mut impl FnMut(&Act)),
    ) -> Result<World, Broken> {
        tell(&act);
        path.push(act);
        match self.perform(&world, act) {
            Ok(Some(next)) => {
                walked.acts += 1;
                walked.crashes += u64::from(matches!(act, Act::Crash { .. }));
                let state = [walked.trace, super::fingerprint(&next) as u64].map(u64::to_le_bytes);
                walked.trace = xxhash_rust::xxh3::xxh3_64(state.as_flattened());
                Ok(next)
            }
            // Nothing came of it; what it used up stays so, or it would be drawn for ever.
            Ok(None) => Ok(world),
            Err(rule) => Err(Broken { rule, path: std::mem::take(path) }),
        }
    }
}
