//! Which proposals were already delivered: each at most once, in its origin's order. Every member
//! applies the same rule over the log; a leader applies it to its undecided tail as well.
//!
//! Source: `design.md` §3, "Proposals".

use wire::entry::Stamp;
use wire::frame::Stretch;
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

    /// Takes entries that follow one another: how many are accepted, which are its last ones (none of a stretch that
    /// has all been seen, or that leaves a gap).
    pub fn accept_stretch(&mut self, stretch: &Stretch) -> u32 {
        let (first, last) = (stretch.first, stretch.last());
        let bent = [Mutant::RepeatDelivered, Mutant::NumberSkipped, Mutant::OlderRunAccepted].into_iter().any(planted);
        if first.number == 0 || stretch.count == 1 || bent {
            let stamps = (0..u64::from(stretch.count)).map(|at| Stamp { number: first.number + at, ..first });
            return stamps.map(|stamp| u32::from(self.accept(stamp))).sum();
        }
        // Before what is expected next come repeats; that one decides for all that follow.
        let next = match self.get(first.origin) {
            Some((run, number)) if run == first.run => number + 1,
            _ => 1,
        };
        if next < first.number || next > last || !self.accept(Stamp { number: next, ..first }) {
            return 0;
        }
        let (.., number) =
            self.last.iter_mut().find(|(origin, ..)| *origin == first.origin).expect("one of its own was accepted");
        *number = last;
        (last - next + 1) as u32
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

    /// A stretch is accepted as its entries are one by one, from whatever state.
    #[test]
    fn a_stretch_is_its_entries() {
        for known in 0..5 {
            for (run, first, count) in (0..4).flat_map(|run| (1..6).flat_map(move |n| (1..5).map(move |c| (run, n, c))))
            {
                let mut whole = Sequencer::default();
                for number in 1..=known {
                    assert!(whole.accept(Stamp { origin: Incarnation(1), run: Run(2), number }));
                }
                let mut single = whole.clone();
                let first = Stamp { origin: Incarnation(1), run: Run(run), number: first };
                let accepted = whole.accept_stretch(&Stretch { first, count });
                let stamps = (0..u64::from(count)).map(|at| Stamp { number: first.number + at, ..first });
                let one_by_one: Vec<bool> = stamps.map(|stamp| single.accept(stamp)).collect();
                assert_eq!(accepted as usize, one_by_one.iter().filter(|&&accepted| accepted).count());
                assert!(one_by_one.is_sorted(), "those accepted come last");
                assert_eq!(whole, single, "{known} known, {first:?} and {count}");
            }
        }
    }
}
