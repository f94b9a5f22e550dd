//! What one run is made of: drawn from its seed, or given.

use engine_core::rng::Rng;

/// What one seed is run with; drawn from it unless fixed.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Everything random comes from this.
    pub seed: u64,
    /// 1..=9.
    pub members: usize,
    /// Single-primary mode.
    pub single: bool,
    /// `sync_binlog=1`.
    pub sync: bool,
    /// How long faults last, simulated microseconds.
    pub suffer_us: u64,
    /// A client's pause between two transactions, on average, simulated microseconds.
    pub think_us: u64,
    /// Tables are made and filled before the other members join.
    pub early_tables: bool,
    /// Which kinds of fault there are.
    pub faults: Faults,
    /// Print each event.
    pub trace: bool,
}

/// Which kinds of fault a seed has (swarm testing: each seed draws its own).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// One member's process ends at once and comes back.
    pub crash: bool,
    /// All do.
    pub crash_all: bool,
    /// Links break, with what is on them.
    pub reset: bool,
    /// A member hears nobody for a while, and nobody it.
    pub partition: bool,
    /// One direction of a link is silent.
    pub one_way: bool,
    /// Disks take long.
    pub slow_disk: bool,
    /// A process stands still and goes on.
    pub pause: bool,
    /// Members leave and join again.
    pub churn: bool,
}

/// Names of the kinds of fault, as options take them.
pub const FAULTS: [&str; 8] = ["crash", "crash-all", "reset", "partition", "one-way", "slow-disk", "pause", "churn"];

impl Faults {
    fn switches(&mut self) -> [&mut bool; 8] {
        let Self { crash, crash_all, reset, partition, one_way, slow_disk, pause, churn } = self;
        [crash, crash_all, reset, partition, one_way, slow_disk, pause, churn]
    }

    /// Those that `names` lists, separated by commas.
    ///
    /// # Errors
    /// The name that is none.
    pub fn parse(names: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        for name in names.split(',').filter(|name| !name.is_empty() && *name != "none") {
            let at = FAULTS.iter().position(|known| *known == name);
            let at = at.ok_or_else(|| format!("'{name}' is no fault; there are {}", FAULTS.join(", ")))?;
            *faults.switches()[at] = true;
        }
        Ok(faults)
    }

    /// The names of those that are on, separated by commas; `none`.
    #[must_use]
    pub fn names(mut self) -> String {
        let on: Vec<_> = FAULTS.iter().zip(self.switches()).filter(|(_, on)| **on).map(|(name, _)| *name).collect();
        if on.is_empty() { "none".into() } else { on.join(",") }
    }

    /// Each variant with one kind less.
    #[must_use]
    pub fn fewer(self) -> Vec<Self> {
        (0..FAULTS.len())
            .filter_map(|at| {
                let mut less = self;
                let was = std::mem::replace(less.switches()[at], false);
                was.then_some(less)
            })
            .collect()
    }
}

impl Setup {
    /// What `seed` draws.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0xd1b5_4a32_d192_ed03);
        let members = [3, 3, 3, 3, 2, 4, 5, 1][rng.below(8) as usize];
        let faults = Faults {
            crash: rng.percent(60),
            crash_all: rng.percent(30),
            reset: rng.percent(50),
            partition: rng.percent(50),
            one_way: rng.percent(30),
            slow_disk: rng.percent(30),
            pause: rng.percent(30),
            churn: rng.percent(25),
        };
        let (single, sync) = (rng.percent(50), rng.percent(60));
        let think_us = [1500, 4000, 4000, 12_000, 30_000][rng.below(5) as usize];
        let early_tables = rng.percent(50);
        Self { seed, members, single, sync, suffer_us: 6_000_000, think_us, early_tables, faults, trace: false }
    }

    /// The command that runs exactly this.
    #[must_use]
    pub fn command(&self) -> String {
        let (faults, suffer_ms) = (self.faults.names(), self.suffer_us / 1000);
        format!("cargo sim --start {} --seeds 1 --faults {faults} --suffer-ms {suffer_ms} --trace", self.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_faults_go_both_ways() {
        for names in ["none", "crash", "crash-all,one-way,churn"] {
            assert_eq!(Faults::parse(names).map(Faults::names), Ok(names.to_owned()));
        }
        assert!(Faults::parse("crash,flood").is_err());
        assert_eq!(Faults::parse("crash,pause").map(|faults| faults.fewer().len()), Ok(2));
    }
}
