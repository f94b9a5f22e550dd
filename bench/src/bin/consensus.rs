//! `consensus`: three members agreeing over loopback without SQL, as a ratio to raw sockets that do the
//! same exchange in the same run, measured in turn.

use bench::consensus::group::Consensus;
use bench::consensus::raw::Raw;
use bench::consensus::{Durability, ENTRY_BYTES, Exchange, ExchangeError, Sample};
use bench::plot::{Panel, Series, svg};
use bench::table::Table;
use node::cli::{Flags, UsageError};
use node::json::Object;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const HELP: &str = "\
Measures three members agreeing over loopback sockets, without SQL, as a ratio to raw sockets that
exchange (and sync) the same bytes. The two are measured in turn, pair by pair.

  cargo run --release -p bench --bin consensus -- [options]

  --in-flight LIST   entries of 256 bytes that the proposer keeps undecided; 1,64,1024 by default
  --mode MODE        memory | durable | both (default)
  --pairs N          pairs of measurements, 5 by default; their median is reported with least and greatest
  --seconds S        length of one measurement, 1 by default
  --dir DIR          where the durable ones write, on the disk to be measured; target/bench-consensus
  --json             one JSON object instead of a table
  --svg FILE         rates and ratios of all pairs
";

struct Arguments {
    in_flight: Vec<usize>,
    memory: bool,
    durable: bool,
    pairs: usize,
    time: Duration,
    dir: PathBuf,
    json: bool,
    svg: Option<PathBuf>,
}

fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Arguments, UsageError> {
    let mut flags = Flags::parse(arguments, &["json"])?;
    let list = flags.text("in-flight").unwrap_or_else(|| "1,64,1024".to_owned());
    let in_flight = list.split(',').map(|count| match count.parse() {
        Ok(count @ 1..=4096) => Ok(count),
        _ => Err(UsageError(format!("--in-flight: '{count}' is not a number from 1 to 4096"))),
    });
    let (memory, durable) = match flags.text("mode").as_deref() {
        None | Some("both") => (true, true),
        Some("memory") => (true, false),
        Some("durable") => (false, true),
        Some(other) => return Err(UsageError(format!("--mode={other}: expected memory, durable or both"))),
    };
    let seconds = flags.value("seconds")?.unwrap_or(1.0);
    let parsed = Arguments {
        in_flight: in_flight.collect::<Result<_, _>>()?,
        memory,
        durable,
        pairs: flags.value("pairs")?.unwrap_or(5).max(1),
        time: Duration::try_from_secs_f64(seconds).map_err(|error| UsageError(format!("--seconds: {error}")))?,
        dir: flags.text("dir").map_or_else(|| PathBuf::from("target/bench-consensus"), PathBuf::from),
        json: flags.switch("json"),
        svg: flags.text("svg").map(PathBuf::from),
    };
    flags.finish()?;
    Ok(parsed)
}

/// All pairs of one setting.
struct Measured {
    durable: bool,
    in_flight: usize,
    pairs: Vec<(Sample, Sample)>,
}

impl Measured {
    fn spread(&self, value: impl Fn(&(Sample, Sample)) -> f64) -> Spread {
        Spread::of(self.pairs.iter().map(value).collect())
    }

    fn mode(&self) -> &'static str {
        if self.durable { "durable" } else { "memory" }
    }
}

/// Median with least and greatest.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
        Self { median, min: values[0], max: values[values.len() - 1] }
    }

    fn json(self) -> Object {
        Object::new().number("median", self.median).number("min", self.min).number("max", self.max)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let arguments = match parse(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("consensus: {error}; --help lists the options");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("consensus: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut all = Vec::new();
    if arguments.memory {
        all.extend(measure(arguments, &Durability::Memory)?);
    }
    if arguments.durable {
        let dir = arguments.dir.join(std::process::id().to_string());
        std::fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let measured = measure(arguments, &Durability::Disk(dir.clone()));
        std::fs::remove_dir_all(&dir)?;
        all.extend(measured?);
    }
    if arguments.json {
        println!("{}", json(arguments, &all));
    } else {
        print!("{}", text(arguments, &all));
    }
    if let Some(path) = &arguments.svg {
        std::fs::write(path, picture(&all)).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn measure(arguments: &Arguments, durability: &Durability) -> Result<Vec<Measured>, ExchangeError> {
    let mut raw = Raw::new(durability)?;
    let mut consensus = Consensus::new(durability)?;
    let settings = arguments.in_flight.iter().map(|&in_flight| {
        let pairs = (0..arguments.pairs).map(|pair| {
            // Each goes first in half of the pairs, so that a drift of the machine favours neither.
            if pair % 2 == 0 {
                let raw = raw.measure(in_flight, arguments.time)?;
                Ok((raw, consensus.measure(in_flight, arguments.time)?))
            } else {
                let consensus = consensus.measure(in_flight, arguments.time)?;
                Ok((raw.measure(in_flight, arguments.time)?, consensus))
            }
        });
        let pairs = pairs.collect::<Result<_, ExchangeError>>()?;
        Ok(Measured { durable: *durability != Durability::Memory, in_flight, pairs })
    });
    settings.collect()
}

fn ratio((raw, consensus): &(Sample, Sample)) -> f64 {
    consensus.rate() / raw.rate()
}

fn text(arguments: &Arguments, all: &[Measured]) -> String {
    let mut table =
        Table::new(&["", "in flight", "raw /s", "agreed /s", "ratio", "min", "max", "raw p50 us", "p50 us", "p99 us"]);
    for measured in all {
        let ratio = measured.spread(ratio);
        let number = |value: f64, decimals: usize| format!("{value:.decimals$}");
        table.row([
            measured.mode().to_owned(),
            measured.in_flight.to_string(),
            number(measured.spread(|pair| pair.0.rate()).median, 0),
            number(measured.spread(|pair| pair.1.rate()).median, 0),
            number(ratio.median, 2),
            number(ratio.min, 2),
            number(ratio.max, 2),
            number(measured.spread(|pair| pair.0.latencies.percentile_us(50.0)).median, 1),
            number(measured.spread(|pair| pair.1.latencies.percentile_us(50.0)).median, 1),
            number(measured.spread(|pair| pair.1.latencies.percentile_us(99.0)).median, 1),
        ]);
    }
    format!(
        "{table}  entries of {ENTRY_BYTES} bytes, 3 members on loopback, medians of {} pairs of {:.1} s, {} cores\n",
        arguments.pairs,
        arguments.time.as_secs_f64(),
        std::thread::available_parallelism().map_or(0, usize::from),
    )
}

fn json(arguments: &Arguments, all: &[Measured]) -> Object {
    let settings = all.iter().map(|measured| {
        Object::new()
            .text("mode", measured.mode())
            .number("in_flight", measured.in_flight as f64)
            .object("ratio", &measured.spread(ratio).json())
            .object("raw_per_s", &measured.spread(|pair| pair.0.rate()).json())
            .object("consensus_per_s", &measured.spread(|pair| pair.1.rate()).json())
            .object("raw_p50_us", &measured.spread(|pair| pair.0.latencies.percentile_us(50.0)).json())
            .object("raw_p99_us", &measured.spread(|pair| pair.0.latencies.percentile_us(99.0)).json())
            .object("consensus_p50_us", &measured.spread(|pair| pair.1.latencies.percentile_us(50.0)).json())
            .object("consensus_p99_us", &measured.spread(|pair| pair.1.latencies.percentile_us(99.0)).json())
    });
    Object::new()
        .number("entry_bytes", ENTRY_BYTES as f64)
        .number("members", 3.0)
        .number("pairs", arguments.pairs as f64)
        .number("seconds", arguments.time.as_secs_f64())
        .number("cores", std::thread::available_parallelism().map_or(0, usize::from) as f64)
        .objects("settings", settings)
}

fn picture(all: &[Measured]) -> String {
    let series = |measured: &Measured, what: &str, value: &dyn Fn(&(Sample, Sample)) -> f64| Series {
        name: format!("{}{} {}", what, measured.mode(), measured.in_flight),
        points: measured.pairs.iter().enumerate().map(|(at, pair)| (at as f64 + 1.0, value(pair))).collect(),
    };
    let rates = all.iter().map(|measured| series(measured, "", &|pair| pair.1.rate())).collect();
    let ratios = all.iter().map(|measured| series(measured, "", &ratio)).collect();
    let panels = [
        Panel { label: "entries agreed upon a second".to_owned(), logarithmic: true, series: rates },
        Panel { label: "ratio to raw sockets".to_owned(), logarithmic: false, series: ratios },
    ];
    svg("Consensus of three members over loopback (mode, entries in flight)", "pair", &panels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_between() {
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(Spread::of(vec![4.0, 1.0]), Spread { median: 2.5, min: 1.0, max: 4.0 });
    }
}
