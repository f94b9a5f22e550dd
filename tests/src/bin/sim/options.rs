//! The command line of `cargo sim`.

use tests::sim::{FAULTS, Faults, PROFILES, Setup};
use wire::mutant::Mutant;

pub const USAGE: &str = "\
cargo sim [options]                     runs seeds of the simulator; exits 1 if one fails
cargo sim --mutants [options] [NAME..]  plants bugs, one at a time, and runs seeds until one fails; exits 1 if
                                        a planted bug survives

  --seeds N        how many seeds: 200; with --mutants at most so many for each: 1000, and between them up
                   to 200 of a profile that makes likely what the bug needs; for one in the order up
                   to 10,000 of the order alone (--profile order)
  --start S        the first one: 1
  --seed S         only this one
  --profile NAME   how setups are drawn: mixed
  --faults A,B     only these kinds of fault, or none
  --suffer-ms MS   how long faults last
  --threads N      runs side by side: as many as there are cores
  --plant NAME     runs with a planted bug
  --json           one JSON object
  --trace          tells each event, in words
  --list           names of profiles, faults and planted bugs";

/// What is asked for.
pub struct Options {
    pub seeds: Option<u64>,
    pub start: u64,
    pub profile: String,
    faults: Option<Faults>,
    suffer_us: Option<u64>,
    pub threads: usize,
    plant: Option<Mutant>,
    pub mutants: bool,
    pub names: Vec<Mutant>,
    pub json: bool,
    pub trace: bool,
    pub list: bool,
    pub help: bool,
}

impl Options {
    /// What the command line says.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            seeds: None,
            start: 1,
            profile: "mixed".to_owned(),
            faults: None,
            suffer_us: None,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            plant: None,
            mutants: false,
            names: Vec::new(),
            json: false,
            trace: false,
            list: false,
            help: false,
        };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            let mut text = || {
                let given = value.clone().or_else(|| arguments.next());
                given.ok_or_else(|| format!("{name} takes a value"))
            };
            let number =
                |text: String| text.parse::<u64>().map_err(|_| format!("{name} takes a whole number, not '{text}'"));
            match name.as_str() {
                "--seeds" => options.seeds = Some(number(text()?)?),
                "--start" => options.start = number(text()?)?,
                "--seed" => (options.start, options.seeds) = (number(text()?)?, Some(1)),
                "--profile" => options.profile = text()?,
                "--suffer-ms" => options.suffer_us = Some(number(text()?)?.saturating_mul(1000)),
                "--faults" => options.faults = Some(Faults::parse(&text()?)?),
                "--threads" => options.threads = number(text()?)?.clamp(1, 256) as usize,
                "--plant" => options.plant = Some(mutant(&text()?)?),
                "--mutants" => options.mutants = true,
                "--json" => options.json = true,
                "--trace" => options.trace = true,
                "--list" => options.list = true,
                "--help" | "-h" => options.help = true,
                named if options.mutants && !named.starts_with('-') => options.names.push(mutant(named)?),
                _ => return Err(format!("unknown option {name}")),
            }
        }
        if options.mutants && options.plant.is_some() {
            return Err("--plant runs one planted bug, --mutants each: not both".to_owned());
        }
        if (options.mutants || options.plant.is_some()) && !wire::mutant::AVAILABLE {
            return Err("this build can plant no bugs: use `cargo sim`, or the feature `mutants`".to_owned());
        }
        // Unknown profiles are told now, not with the first seed.
        Setup::draw_by(1, &options.profile)?;
        if options.trace {
            options.threads = 1;
        }
        Ok(options)
    }

    /// What `seed` runs with.
    pub fn setup(&self, seed: u64) -> Setup {
        self.setup_by(seed, &self.profile)
    }

    /// The same by another profile.
    pub fn setup_by(&self, seed: u64, profile: &str) -> Setup {
        let drawn = Setup::draw_by(seed, profile).expect("it is the one looked up at start, or one that there is");
        Setup {
            faults: self.faults.unwrap_or(drawn.faults),
            suffer_us: self.suffer_us.unwrap_or(drawn.suffer_us),
            mutant: self.plant,
            trace: self.trace,
            ..drawn
        }
    }
}

fn mutant(name: &str) -> Result<Mutant, String> {
    Mutant::named(name).ok_or_else(|| format!("'{name}' is no planted bug; --list names them"))
}

/// Names of everything that options take.
pub fn list() {
    println!("profiles");
    for profile in PROFILES {
        println!("  {:<16} {}", profile.name, profile.about);
    }
    println!("faults, each also a profile\n  {}", FAULTS.join(" "));
    println!("planted bugs");
    let width = Mutant::ALL.iter().map(|mutant| mutant.name().len()).max().unwrap_or(0);
    for mutant in Mutant::ALL {
        println!("  {:<width$}  {}", mutant.name(), mutant.description());
    }
}
