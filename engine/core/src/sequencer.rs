//! Which proposals were already delivered: each at most once, in its origin's order. Every member
//! applies the same rule over the log; a leader applies it to its undecided tail as well.
//!
//! Source: `design.md` §3, "Proposals".

use wire::entry::Stamp;
use wire::id::{Incarnation, Run};
use wire::mutant::{Mutant, planted};

/// The last accepted number of each origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequencer {
    /// Few, so that looking through them beats any tree; ordered, so that equal ones compare equal.
    last: Vec<(Incarnation, Run, u64)>,
}

impl Sequencer {
    /// Takes the next stamp of the log: true exactly when it is in its origin's order and new. A
    /// higher run starts at 1 and voids the lower ones for ever.
    pub fn accept(&mut self, stamp: Stamp) -> bool {
        if stamp.number == 0 {
            return true;
        }
        let Some((_, run, number)) = self.last.iter_mut().find(|(origin, ..)| *origin == stamp.origin) else {
            let first = stamp.number == 1 && stamp.run > Run(0);
            if first {
                let at = self.last.partition_point(|(origin, ..)| *origin < stamp.origin);
                self.last.insert(at, (stamp.origin, stamp.run, 1));
            }
            return first;
        };
        if planted(Mutant::RepeatDelivered) && stamp.run == *run && stamp.number <= *number {
            return true;
        }
        let next = |number: u64| number == 1 || planted(Mutant::NumberSkipped);
        let in_order = if stamp.run == *run {
            stamp.number == *number + 1 || planted(Mutant::NumberSkipped) && stamp.number > *number
        } else {
            (stamp.run > *run || planted(Mutant::OlderRunAccepted)) && next(stamp.number)
        };
        if in_order {
            (*run, *number) = (stamp.run, stamp.number);
        }
        in_order
    }

    /// The run and number that would be accepted next from `origin`, for a proposer in `run`.
    #[must_use]
    pub fn expected(&self, origin: Incarnation, run: Run) -> u64 {
        match self.get(origin) {
            Some((last, number)) if last == run => number + 1,
            _ => 1,
        }
    }

    /// The run that `origin` is in, as far as the log goes.
    #[must_use]
    pub fn run(&self, origin: Incarnation) -> Run {
        self.get(origin).map_or(Run(0), |(run, _)| run)
    }

    fn get(&self, origin: Incarnation) -> Option<(Run, u64)> {
        self.last.iter().find(|(known, ..)| *known == origin).map(|&(_, run, number)| (run, number))
    }

    /// What a checkpoint holds of it: ordered by origin.
    #[must_use]
    pub fn image(&self) -> Vec<(Incarnation, Run, u64)> {
        self.last.clone()
    }

    /// From what [`Sequencer::image`] gave.
    #[must_use]
    pub fn restore(image: Vec<(Incarnation, Run, u64)>) -> Self {
        Self { last: image }
    }

    /// Forgets an origin that left for ever.
    pub fn forget(&mut self, origin: Incarnation) {
        self.last.retain(|(known, ..)| *known != origin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_once_in_order_and_higher_runs_void_lower() {
        let stamp = |run, number| Stamp { origin: Incarnation(1), run: Run(run), number };
        let mut sequencer = Sequencer::default();
        for (run, number, accepted) in [
            (1, 1, true),
            (1, 1, false),
            (1, 3, false),
            (1, 2, true),
            (2, 2, false),
            (2, 1, true),
            (1, 3, false),
            (2, 2, true),
            (0, 1, false),
        ] {
            assert_eq!(sequencer.accept(stamp(run, number)), accepted, "{run}.{number}");
        }
        assert_eq!(sequencer.expected(Incarnation(1), Run(2)), 3);
        assert_eq!(sequencer.expected(Incarnation(1), Run(3)), 1);
    }
}
