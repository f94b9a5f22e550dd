//! What one run is made of: drawn from its seed and a profile, or given.

use engine_core::rng::Rng;
use wire::mutant::Mutant;

/// What one seed is run with; drawn from it unless fixed.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Everything random comes from this.
    pub seed: u64,
    /// What it was drawn by; empty for the mixed swarm.
    pub profile: &'static str,
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
    /// Longest delay of a message, simulated microseconds.
    pub delay_us: u64,
    /// Least and longest time of a sync, simulated microseconds; each member draws one.
    pub disks: &'static [(u64, u64)],
    /// Longest pause between two faults, simulated microseconds.
    pub fault_pause_us: u64,
    /// Batches that may be undecided at once.
    pub write_concurrency: usize,
    /// Bytes that may be undecided at once.
    pub window_bytes: usize,
    /// Members are expelled, and leave a minority, after a second or two instead of ten.
    pub impatient: bool,
    /// Members stay in a minority for as long as it lasts all the same.
    pub minority_stays: bool,
    /// All of a group but one member may leave it.
    pub leave_one: bool,
    /// So much log makes a checkpoint.
    pub checkpoint_log_bytes: u64,
    /// Log that no restart needs stays all the same.
    pub keep_log: bool,
    /// `group_replication_clone_threshold`.
    pub clone_threshold: u64,
    /// `group_replication_autorejoin_tries`.
    pub autorejoin_tries: u64,
    /// Every other client writes with `group_replication_consistency=AFTER`.
    pub after: bool,
    /// Each session draws its `group_replication_consistency`, and now and then another one.
    pub levels: bool,
    /// One more client of each member only reads, with `group_replication_consistency=AFTER`.
    pub readers: bool,
    /// Some transactions read what is newest by locks, with `innodb_snapshot_isolation=OFF`.
    pub newest: bool,
    /// The fault that stays is a leader that sends nothing but heartbeats.
    pub mute_leader: bool,
    /// Which kinds of fault there are.
    pub faults: Faults,
    /// The bug that is planted.
    pub mutant: Option<Mutant>,
    /// Print each event.
    pub trace: bool,
}

/// Kinds of fault: field, name, chance in percent that a mixed seed has it.
macro_rules! faults {
    ($($(#[$doc:meta])* $field:ident $name:literal $percent:literal,)+) => {
        /// Which kinds of fault a seed has (swarm testing: each seed draws its own).
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Faults {
            $($(#[$doc])* pub $field: bool,)+
        }

        /// Names of the kinds of fault, as options take them.
        pub const FAULTS: &[&str] = &[$($name,)+];

        impl Faults {
            fn switches(&mut self) -> Vec<&mut bool> {
                vec![$(&mut self.$field,)+]
            }

            fn draw(seed: u64) -> Self {
                Self { $($field: of(seed, $name).percent($percent),)+ }
            }
        }
    };
}

faults! {
    /// One member's process ends at once and comes back.
    crash "crash" 60,
    /// All do.
    crash_all "crash-all" 30,
    /// Links break, with what is on them.
    reset "reset" 50,
    /// A member hears nobody for a while, and nobody it.
    partition "partition" 50,
    /// One direction of a link is silent.
    one_way "one-way" 30,
    /// Disks take long.
    slow_disk "slow-disk" 30,
    /// A process stands still and goes on.
    pause "pause" 30,
    /// Members leave and join again.
    churn "churn" 25,
    /// A machine ends, with what was not synced.
    machine "machine" 25,
    /// Durable frames are damaged, or others lie in their place.
    damage "damage" 20,
    /// A sync fails: the process ends.
    sync_failure "sync-failure" 15,
    /// A disk is full: the process ends where it appends.
    disk_full "disk-full" 15,
    /// A disk answers nothing for seconds.
    hung_disk "hung-disk" 15,
    /// A member sends heartbeats only.
    order_mute "order-mute" 15,
    /// Packets are lost, and come a retransmission later.
    loss "loss" 30,
    /// Messages arrive twice.
    duplicate "duplicate" 25,
    /// What was on a broken connection arrives on, beside the next one.
    late "late" 25,
    /// Clocks run at different rates, and wall clocks jump.
    clock "clock" 25,
    /// More clients come.
    burst "burst" 10,
    /// Tables are changed meanwhile.
    ddl "ddl" 20,
    /// After the others, one fault stays while the rest of the group has to go on.
    lasting "lasting" 20,
    /// A bit of a resident row of one member changes.
    bad_memory "bad-memory" 20,
    /// A checkpoint of a live member is damaged.
    rot "rot" 20,
    /// Processes end cleanly: one now and then, and all at once, perhaps without a quorum.
    shutdown "shutdown" 20,
    /// A process ends between two things that one step wants done.
    mid_step "mid-step" 25,
    /// Members that leave stay away for a while, and the group purges what they lack.
    away "away" 40,
    /// Where power is lost, some sectors of what was being written have arrived and others have not.
    torn "torn" 30,
    /// Members are told to STOP while they recover.
    stop_recovery "stop-recovery" 25,
    /// After the others, a majority is lost, and an operator names the members that go on without it.
    force "force" 20,
    /// A process ends when it has appended a view, before anybody else hears of it.
    mid_view "mid-view" 15,
    /// After the others, a member is cut off, told to STOP, and to START once it hears the group again.
    stop_alone "stop-alone" 15,
    /// At last, an operator names a minority that is cut off, while the majority goes on: two groups from then on.
    split "split" 10,
    /// As `force`; and who was told to force a new membership ends about when all have promised it.
    half_forced "half-forced" 10,
}

impl Faults {
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

/// A way to draw setups: a name, what it is for, and what it changes of the mixed swarm.
pub struct Profile {
    /// As the command line takes it.
    pub name: &'static str,
    /// In a few words.
    pub about: &'static str,
    shape: fn(&mut Setup, &mut Rng),
}

const ORDER: &str = "order";

/// The profiles beside one for each fault alone, which is named as the fault is.
pub const PROFILES: &[Profile] = &[
    Profile { name: "mixed", about: "each seed draws everything (the default)", shape: |_, _| {} },
    Profile { name: "calm", about: "no faults at all", shape: |setup, _| setup.faults = Faults::default() },
    Profile { name: "long", about: "faults for a minute", shape: |setup, _| setup.suffer_us = 60_000_000 },
    Profile {
        name: "small-windows",
        about: "few bytes may be undecided",
        shape: |setup, rng| {
            (setup.write_concurrency, setup.window_bytes) = (1 + rng.below(3) as usize, 300 + rng.below(3000) as usize);
        },
    },
    Profile { name: "members-2", about: "two members", shape: |setup, _| setup.members = 2 },
    Profile { name: "members-3", about: "three members", shape: |setup, _| setup.members = 3 },
    Profile { name: "members-5", about: "five members", shape: |setup, _| setup.members = 5 },
    Profile { name: "members-7", about: "seven members", shape: |setup, _| setup.members = 7 },
    Profile { name: "members-9", about: "nine members", shape: |setup, _| setup.members = 9 },
    Profile { name: "multi-primary", about: "all members take writes", shape: |setup, _| setup.single = false },
    Profile { name: "single-primary", about: "one member takes writes", shape: |setup, _| setup.single = true },
    Profile {
        name: "impatient",
        about: "members are expelled, and leave a minority, within two seconds",
        shape: |setup, _| setup.impatient = true,
    },
    Profile { name: "sync", about: "sync_binlog=1", shape: |setup, _| setup.sync = true },
    Profile {
        name: "begin-anew",
        about: "members lose what they have, or come back late, and take it from others",
        shape: |setup, rng| {
            let Faults { churn, away, mid_step, bad_memory, crash, stop_recovery, .. } = &mut setup.faults;
            (*churn, *away, *mid_step, *bad_memory, *crash) = (true, true, true, true, true);
            *stop_recovery = rng.percent(50);
            (setup.members, setup.keep_log, setup.checkpoint_log_bytes) = (3 + rng.below(2) as usize, false, 2_000);
        },
    },
    Profile {
        name: "cut-off",
        about: "members are cut off until they have lost ONLINE and longer, while sessions of all consistency levels ask",
        shape: |setup, _| {
            setup.faults = Faults { partition: true, ..Faults::default() };
            (setup.impatient, setup.minority_stays, setup.levels, setup.readers) = (true, true, true, true);
            (setup.suffer_us, setup.fault_pause_us) = (24_000_000, 10_000_000);
            setup.members = setup.members.max(3);
        },
    },
    Profile {
        name: "newest",
        about: "members are cut off for moments, while sessions of all consistency levels read what is newest",
        shape: |setup, _| {
            setup.faults = Faults { partition: true, one_way: true, ..Faults::default() };
            (setup.levels, setup.newest, setup.readers, setup.think_us) = (true, true, true, 10_000);
            (setup.members, setup.fault_pause_us) = (setup.members.max(3), 700_000);
        },
    },
    Profile {
        name: "mute-leader",
        about: "in the end the leader sends nothing but heartbeats, for good",
        shape: |setup, _| {
            (setup.faults, setup.mute_leader) = (Faults { lasting: true, ..Faults::default() }, true);
            (setup.members, setup.suffer_us) = (setup.members.max(3), 500_000);
        },
    },
    Profile {
        name: "pairs",
        about: "one of two members leaves and comes back, and processes end where they add it",
        shape: |setup, _| {
            (setup.faults, setup.members) = (Faults { churn: true, mid_view: true, ..Faults::default() }, 2);
            (setup.leave_one, setup.fault_pause_us) = (true, 300_000);
        },
    },
    Profile {
        name: "levels",
        about: "each session has its own consistency level",
        shape: |setup, _| setup.levels = true,
    },
    Profile {
        name: ORDER,
        about: "the order alone, without clocks, SQL and files: small groups, one thing after another at random",
        shape: |setup, _| setup.faults = Faults::default(),
    },
    Profile { name: "no-sync", about: "sync_binlog=0", shape: |setup, _| setup.sync = false },
];

/// The generator of one choice: a new kind of choice leaves the others of a seed as they were.
fn of(seed: u64, choice: &str) -> Rng {
    Rng::new(seed ^ xxhash_rust::xxh3::xxh3_64(choice.as_bytes()))
}

fn one_of<T: Copy>(seed: u64, choice: &str, values: &[T]) -> T {
    values[of(seed, choice).below(values.len() as u64) as usize]
}

/// Disks: least and longest time of a sync.
const FAST_DISKS: &[(u64, u64)] = &[(50, 400)];
const MIXED_DISKS: &[(u64, u64)] = &[(50, 400), (500, 10_000), (5000, 120_000)];
const SLOW_DISKS: &[(u64, u64)] = &[(2000, 60_000)];

impl Setup {
    /// What `seed` draws from the mixed swarm.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let small = of(seed, "small windows").percent(10);
        let mut window = of(seed, "window");
        let faults = Faults::draw(seed);
        // A voter that is left alone fills window after window without a round trip; who joins it gets so many windows
        // in one. With long links it would never gain on the other.
        let alone = faults.force || faults.half_forced;
        Self {
            seed,
            profile: "mixed",
            members: one_of(seed, "members", &[3, 3, 3, 3, 2, 4, 5, 1]),
            single: of(seed, "single").percent(50),
            sync: of(seed, "sync").percent(60),
            suffer_us: 6_000_000,
            think_us: one_of(seed, "think", &[3000, 10_000, 20_000, 40_000]),
            early_tables: of(seed, "early tables").percent(50),
            delay_us: if small && alone { 300 } else { one_of(seed, "delay", &[300, 300, 3000, 30_000]) },
            disks: one_of(seed, "disks", &[FAST_DISKS, FAST_DISKS, MIXED_DISKS, MIXED_DISKS, SLOW_DISKS]),
            fault_pause_us: one_of(seed, "fault pause", &[100_000, 300_000, 700_000]),
            write_concurrency: if small { 1 + window.below(3) as usize } else { 10 },
            window_bytes: if small { 300 + window.below(3000) as usize } else { 1 << 20 },
            impatient: of(seed, "impatient").percent(25),
            checkpoint_log_bytes: one_of(seed, "checkpoints", &[2_000, 10_000, 50_000, u64::MAX]),
            keep_log: of(seed, "keep log").percent(30),
            clone_threshold: one_of(seed, "clone threshold", &[u64::MAX, u64::MAX, 50]),
            autorejoin_tries: one_of(seed, "autorejoin tries", &[3, 3, 3, 0]),
            after: of(seed, "after").percent(20),
            levels: of(seed, "levels").percent(30),
            minority_stays: of(seed, "minority stays").percent(50),
            leave_one: of(seed, "leave one").percent(50),
            readers: of(seed, "readers").percent(15),
            newest: of(seed, "newest").percent(30),
            mute_leader: of(seed, "mute leader").percent(20),
            faults,
            mutant: None,
            trace: false,
        }
    }

    /// What `seed` draws by a profile.
    ///
    /// # Errors
    /// The name of no profile.
    pub fn draw_by(seed: u64, profile: &str) -> Result<Self, String> {
        let mut setup = Self::draw(seed);
        if let Some(profile) = PROFILES.iter().find(|known| known.name == profile) {
            (profile.shape)(&mut setup, &mut of(seed, "profile"));
            setup.profile = profile.name;
        } else if let Some(fault) = FAULTS.iter().find(|known| **known == profile) {
            setup.faults = Faults::parse(fault)?;
            setup.profile = fault;
        } else {
            let names = PROFILES.iter().map(|known| known.name).chain(FAULTS.iter().copied());
            return Err(format!("'{profile}' is no profile; there are {}", names.collect::<Vec<_>>().join(", ")));
        }
        Ok(setup)
    }

    /// Whether it runs the order alone.
    #[must_use]
    pub fn is_order(&self) -> bool {
        self.profile == ORDER
    }

    /// The command that runs exactly this.
    #[must_use]
    pub fn command(&self) -> String {
        if self.is_order() {
            let mutant = self.mutant.map_or_else(String::new, |mutant| format!(" --plant {}", mutant.name()));
            return format!("cargo sim --seed {} --profile {ORDER}{mutant} --trace", self.seed);
        }
        let (faults, suffer_ms) = (self.faults.names(), self.suffer_us / 1000);
        let profile = if self.profile == "mixed" { String::new() } else { format!(" --profile {}", self.profile) };
        let mutant = self.mutant.map_or_else(String::new, |mutant| format!(" --plant {}", mutant.name()));
        format!("cargo sim --seed {}{profile} --faults {faults} --suffer-ms {suffer_ms}{mutant} --trace", self.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_faults_go_both_ways() {
        for names in ["none", "crash", "crash-all,one-way,churn,ddl"] {
            assert_eq!(Faults::parse(names).map(Faults::names), Ok(names.to_owned()));
        }
        assert!(Faults::parse("crash,flood").is_err());
        assert_eq!(Faults::parse("crash,pause").map(|faults| faults.fewer().len()), Ok(2));
    }

    #[test]
    fn each_fault_is_a_profile_and_names_are_distinct() {
        let names: Vec<_> = PROFILES.iter().map(|known| known.name).chain(FAULTS.iter().copied()).collect();
        for (at, name) in names.iter().enumerate() {
            assert!(!names[..at].contains(name), "{name}");
            assert_eq!(Setup::draw_by(1, name).map(|setup| setup.profile), Ok(*name));
        }
        assert!(Setup::draw_by(1, "flood").is_err());
    }
}
