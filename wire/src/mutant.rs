//! Bugs that can be planted on purpose: each breaks one rule, so that the simulator can show that it
//! would find it broken (`cargo sim --mutants`).
//!
//! The place that obeys the rule asks [`planted`]. Without the feature `mutants` the answer is the
//! constant false and the question costs nothing; the server is never built with it. With the feature,
//! a mutant is planted for one thread at a time, by the simulator.

/// Names each mutant, in words for the table and as the command line takes it.
macro_rules! mutants {
    ($($name:ident $text:literal $what:literal,)+) => {
        /// A rule broken on purpose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutant {
            $(#[doc = $what] $name,)+
        }

        impl Mutant {
            /// Every mutant there is.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// As the command line names it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// What is done wrong, in a sentence.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$name => $what,)+
                }
            }
        }
    };
}

mutants! {
    LongestLogWins "longest-log-wins" "A candidate adopts the longest log of its quorum, whatever its ballot.",
}

impl Mutant {
    /// The mutant of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|mutant| mutant.name() == name)
    }
}

#[cfg(feature = "mutants")]
mod switch {
    use super::Mutant;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Whether this thread runs with `mutant`.
    #[inline]
    #[must_use]
    pub fn planted(mutant: Mutant) -> bool {
        PLANTED.get() == Some(mutant)
    }

    /// Runs this thread with `mutant` from now on, or without any.
    pub fn plant(mutant: Option<Mutant>) {
        PLANTED.set(mutant);
    }
}

#[cfg(feature = "mutants")]
pub use switch::{plant, planted};

/// False: the feature `mutants` is off.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
#[must_use]
pub const fn planted(_mutant: Mutant) -> bool {
    false
}

/// Whether mutants can be planted in this build.
pub const AVAILABLE: bool = cfg!(feature = "mutants");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_lead_back() {
        for &mutant in Mutant::ALL {
            assert_eq!(Mutant::named(mutant.name()), Some(mutant), "{mutant:?}");
            assert!(mutant.description().ends_with('.'), "{mutant:?}");
        }
    }

    #[test]
    fn none_is_planted_unless_asked_for() {
        assert!(Mutant::ALL.iter().all(|&mutant| !planted(mutant)));
    }
}
