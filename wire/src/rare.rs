//! Marks of rare branches, so that the simulator can say in how many of its runs each was reached. A
//! branch that no run reaches is one that no run tests.
//!
//! Without the feature `marks` a mark is nothing at all; with it, a look into a set of this thread.

/// Marks the branch that it stands in: `rare!("a leader steps down")`.
#[macro_export]
macro_rules! rare {
    ($name:literal) => {
        $crate::rare::mark($name)
    };
}

#[cfg(feature = "marks")]
mod seen {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    thread_local! {
        static SEEN: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
    }

    /// Notes that a run of this thread reached the branch `name`.
    pub fn mark(name: &'static str) {
        SEEN.with_borrow_mut(|seen| seen.insert(name));
    }

    /// What this thread reached since it was last asked, in order of names.
    #[must_use]
    pub fn take() -> Vec<&'static str> {
        SEEN.take().into_iter().collect()
    }
}

#[cfg(feature = "marks")]
pub use seen::{mark, take};

/// Nothing: the feature `marks` is off.
#[cfg(not(feature = "marks"))]
#[inline(always)]
pub const fn mark(_name: &'static str) {}

/// Nothing: the feature `marks` is off.
#[cfg(not(feature = "marks"))]
#[must_use]
pub const fn take() -> Vec<&'static str> {
    Vec::new()
}
