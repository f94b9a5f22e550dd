//! An operator's mistake: he names a minority that is cut off (`group_replication_force_members`) while the majority
//! goes on. From then on there are two births of the group, each with a quorum of its own, and nothing can make them
//! one again but his word. What the rules promise is that they stay two: neither hears, follows or adopts anything of
//! the other, and both go on, when they can reach one another again as before **[!]**.
//!
//! The last thing in a run: clients have ended and were checked, as no history of theirs spans two groups.

use super::check::Truth;
use super::client;
use super::cluster::{Cluster, Failure};
use engine_core::rng::Rng;
use std::cell::Cell;
use std::rc::Rc;
use wire::id::Birth;
use wire::rare;

/// What the members of the forced birth deliver, beside what those of the old one do.
pub(super) struct Split {
    members: Vec<usize>,
    truth: Truth,
}

/// Within each of so many spells of so long, both births have to get something done.
const SPELLS: u64 = 5;
const SPELL_US: u64 = 3_000_000;

/// What a member's birth has delivered.
pub(super) fn truth_of<'a>(split: &'a Option<Split>, truth: &'a Truth, node: usize) -> &'a Truth {
    split.as_ref().filter(|split| split.members.contains(&node)).map_or(truth, |split| &split.truth)
}

impl Cluster {
    /// What a member's birth has delivered, to add to it.
    pub(super) fn truth(&mut self, node: usize) -> &mut Truth {
        match &mut self.split {
            Some(split) if split.members.contains(&node) => &mut split.truth,
            _ => &mut self.truth,
        }
    }

    /// See the module.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn split(&mut self) -> Result<(), Failure> {
        let count = self.nodes.len();
        // Who leaves a minority within two seconds leaves its operator no time to ask for anything.
        if !self.setup.faults.split || self.setup.impatient || count < 3 {
            return Ok(());
        }
        let first = self.rng.below(count as u64) as usize;
        let around: Vec<_> = (0..count).map(|at| (first + at) % count).collect();
        let (kept, rest) = around.split_at(1 + self.rng.below((count as u64 - 1) / 2) as usize);
        // Where everybody has delivered everything, both begin with the same.
        self.run_until(20_000_000, Self::has_delivered_all)?;
        if !self.has_delivered_all() {
            return self.fail("liveness: members do not come level though nobody writes");
        }
        rare!("an operator forces a membership while the majority goes on");
        self.say(|| format!("m{rest:?} go on, and an operator is about to name m{kept:?}"));
        let pairs = kept.iter().flat_map(|&one| rest.iter().flat_map(move |&other| [(one, other), (other, one)]));
        self.network.silent.extend(pairs);
        self.split = Some(Split { members: kept.to_vec(), truth: self.truth.clone() });
        let end = Rc::new(Cell::new(false));
        let written: Vec<_> = (0..count).map(|_| Rc::new(Cell::new(0))).collect();
        self.write_on(&written, &end);
        let wait = 6_000_000 + self.rng.below(8_000_000);
        self.run_until(wait, |_| false)?;
        let old = self.birth(rest[0]);
        self.begin_birth_of(kept)?;
        let new = self.birth(kept[0]);
        // Of those that ended meanwhile too.
        self.write_on(&written, &end);
        let settle = self.rng.below(3_000_000);
        self.run_until(settle, |_| false)?;
        self.say(|| format!("m{kept:?} and m{rest:?} reach one another again"));
        self.network.silent.clear();
        for spell in 0..SPELLS {
            let before: Vec<u64> = written.iter().map(|counted| counted.get()).collect();
            self.run_until(SPELL_US, |_| false)?;
            self.check_births((kept, new), (rest, old))?;
            for (side, name) in [(kept, "that was forced"), (rest, "of the majority")] {
                if side.iter().all(|&node| written[node].get() == before[node]) {
                    let all: Vec<_> = (0..count).map(|node| self.describe(node)).collect();
                    let rule = format!("split: the birth {name} (m{side:?}) does nothing in spell {spell}");
                    return self.fail(format!("{rule} after the links came back\n  {}", all.join("\n  ")));
                }
            }
        }
        end.set(true);
        Ok(())
    }

    /// Clients of all members begin to write, beside those that do.
    fn write_on(&mut self, written: &[Rc<Cell<u64>>], end: &Rc<Cell<bool>>) {
        for (node, counted) in written.iter().enumerate() {
            let place = self.place(node).expect("it is up");
            let rng = Rng::new(self.rng.next_u64());
            self.nodes[node].tasks.spawn(client::write_on(place, counted.clone(), end.clone(), rng));
            self.wake_tasks(node);
        }
    }

    fn has_delivered_all(&self) -> bool {
        let end = self.truth.end().map(|(index, _)| index);
        let delivered = |node: usize| Some(self.engine(node)?.with_member(|member| member.certifier().index()));
        (0..self.nodes.len()).all(|node| delivered(node) == end)
    }

    /// Nobody has gone over.
    fn check_births(
        &self,
        (kept, new): (&[usize], Option<Birth>),
        (rest, old): (&[usize], Option<Birth>),
    ) -> Result<(), Failure> {
        for (side, birth) in [(kept, new), (rest, old)] {
            for &node in side {
                let now = self.birth(node);
                if now != birth {
                    return self.fail(format!("split: m{node} was of birth {birth:?} and is of {now:?}"));
                }
            }
        }
        Ok(())
    }
}
