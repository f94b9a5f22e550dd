//! `load`: transactions a second and latencies of any server that speaks the MySQL protocol.

use bench::plot::{Panel, Series, svg};
use bench::process::cpu_time_of_all;
use bench::table::Table;
use node::cli::{Flags, UsageError};
use node::json::Object;
use node::load::{self, Interval, Mix, Options, Report, parse_targets};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const HELP: &str = "\
Measures transactions a second and latencies of any server that speaks the MySQL protocol.

  cargo run --release -p bench --bin load -- --target HOST:PORT[,HOST:PORT..] [options]

  --target LIST     servers; clients are spread over them and go on at the next when theirs fails
  --clients C       connections, 1 by default
  --seconds S       measured time, 10 by default
  --warmup S        time before it, 1 by default
  --mix MIX         update (default) | insert | read; each one autocommitted statement
  --rate R          open loop: R transactions a second fall due, and latency counts from the time at
                    which each should have been sent (corrected for coordinated omission)
  --rows N          rows of table load1, which is dropped and made anew; 10000 by default
  --keep-table      use table load1 as it is
  --text            text statements instead of prepared ones
  --seed N          seed of the keys, 42 by default
  --user U --password P --database D          sb, sb, sbtest by default
  --pids P1,P2..    also CPU time per transaction of these processes
  --json            one JSON object instead of a table
  --svg FILE        throughput and latency over time
";

struct Arguments {
    options: Options,
    targets: String,
    keep_table: bool,
    pids: Vec<u32>,
    json: bool,
    svg: Option<PathBuf>,
}

fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Arguments, UsageError> {
    let usage = |error: load::LoadError| UsageError(error.to_string());
    let seconds = |seconds: f64, name: &str| {
        Duration::try_from_secs_f64(seconds).map_err(|error| UsageError(format!("--{name}={seconds}: {error}")))
    };
    let mut flags = Flags::parse(arguments, &["json", "text", "keep-table"])?;
    let targets = flags.text("target").ok_or_else(|| UsageError("--target HOST:PORT is needed".to_owned()))?;
    let mut options = Options::new(parse_targets(&targets).map_err(usage)?);
    options.clients = flags.value("clients")?.unwrap_or(1);
    options.measured = Some(seconds(flags.value("seconds")?.unwrap_or(10.0), "seconds")?);
    options.warmup = seconds(flags.value("warmup")?.unwrap_or(1.0), "warmup")?;
    options.mix = flags.value("mix")?.unwrap_or(Mix::Update);
    options.rate = flags.value("rate")?;
    options.rows = flags.value("rows")?.unwrap_or(options.rows);
    options.prepared = !flags.switch("text");
    options.seed = flags.value("seed")?.unwrap_or(options.seed);
    for (name, field) in [
        ("user", &mut options.login.user),
        ("password", &mut options.login.password),
        ("database", &mut options.login.database),
    ] {
        if let Some(value) = flags.text(name) {
            *field = value;
        }
    }
    let pids = flags.text("pids").unwrap_or_default();
    let pids = pids
        .split(',')
        .filter(|pid| !pid.is_empty())
        .map(|pid| pid.parse().map_err(|_| UsageError(format!("--pids: '{pid}' is not a process id"))));
    let parsed = Arguments {
        pids: pids.collect::<Result<_, _>>()?,
        keep_table: flags.switch("keep-table"),
        json: flags.switch("json"),
        svg: flags.text("svg").map(PathBuf::from),
        options,
        targets,
    };
    flags.finish()?;
    Ok(parsed)
}

/// CPU time used between two moments of the measured time, and what was done between them.
#[derive(Clone, Copy, Default)]
struct Cpu {
    first: Option<(Duration, Duration)>,
    used: Duration,
    own: Duration,
    done: u64,
}

impl Cpu {
    /// Reads the clocks at the end of an interval: the first one is the start.
    fn read(&mut self, pids: &[u32], interval: &Interval) {
        let now = (cpu_time_of_all(pids), cpu_time_of_all(&[std::process::id()]));
        let Some(first) = self.first else {
            self.first = Some(now);
            return;
        };
        self.used = now.0.saturating_sub(first.0);
        self.own = now.1.saturating_sub(first.1);
        self.done += interval.ends.done;
    }

    fn per_transaction_us(self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.done as f64
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
            eprintln!("load: {error}; --help lists the options");
            return ExitCode::from(2);
        }
    };
    match measure(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    if !arguments.keep_table {
        load::prepare(&arguments.options)?;
    }
    let mut cpu = Cpu::default();
    let stop = AtomicBool::new(false);
    let report = load::run(&arguments.options, &stop, &mut |interval| cpu.read(&arguments.pids, interval))?;
    if arguments.json {
        println!("{}", json(arguments, &report, cpu));
    } else {
        print!("{}", text(arguments, &report, cpu));
    }
    if let Some(path) = &arguments.svg {
        std::fs::write(path, picture(arguments, &report))
            .map_err(|error| format!("writing {}: {error}", path.display()))?;
    }
    Ok(())
}

fn json(arguments: &Arguments, report: &Report, cpu: Cpu) -> Object {
    let options = &arguments.options;
    let latencies = &report.latencies;
    let mut object = Object::new()
        .text("target", &arguments.targets)
        .text("mix", &options.mix.to_string())
        .number("clients", options.clients as f64)
        .text("protocol", if options.prepared { "prepared" } else { "text" })
        .text("loop", if options.rate.is_some() { "open" } else { "closed" });
    if let Some(rate) = options.rate {
        object = object.number("rate", rate).number("unfinished", report.unfinished as f64);
    }
    object = object
        .number("seconds", report.seconds)
        .number("done", report.ends.done as f64)
        .number("tps", report.tps())
        .number("mean_us", latencies.mean_us())
        .number("p50_us", latencies.percentile_us(50.0))
        .number("p99_us", latencies.percentile_us(99.0))
        .number("p999_us", latencies.percentile_us(99.9))
        .number("max_us", latencies.max_us())
        .number("retries", report.ends.retries as f64)
        .object("errors", &report.ends.errors_json())
        .number("lost", report.ends.lost as f64)
        .number("missed", report.ends.missed as f64)
        .number("reconnects", report.ends.reconnects as f64);
    if !arguments.pids.is_empty() {
        object = object.number("server_cpu_us_per_tx", cpu.per_transaction_us(cpu.used));
    }
    object
        .number("load_cpu_us_per_tx", cpu.per_transaction_us(cpu.own))
        .objects("intervals", report.intervals.iter().map(Interval::json))
}

fn text(arguments: &Arguments, report: &Report, cpu: Cpu) -> String {
    let options = &arguments.options;
    let latencies = &report.latencies;
    let ms = |us: f64| format!("{:.3}", us / 1e3);
    let mut table = Table::new(&["", "clients", "tx/s", "mean ms", "p50 ms", "p99 ms", "p99.9 ms", "max ms"]);
    table.row([
        options.mix.to_string(),
        options.clients.to_string(),
        format!("{:.0}", report.tps()),
        ms(latencies.mean_us()),
        ms(latencies.percentile_us(50.0)),
        ms(latencies.percentile_us(99.0)),
        ms(latencies.percentile_us(99.9)),
        ms(latencies.max_us()),
    ]);
    let mut text = table.to_string();
    let mut notes = vec![format!("{} acknowledged in {:.1} s", report.ends.done, report.seconds)];
    if let Some(rate) = options.rate {
        notes.push(format!("{rate} a second fell due, {} of them unfinished at the end", report.unfinished));
    }
    let ends = &report.ends;
    for (count, what) in [
        (ends.retries, "tried again after a conflict"),
        (ends.lost, "lost with their connection (outcome unknown)"),
        (ends.missed, "found no row"),
        (ends.reconnects, "reconnects"),
    ] {
        if count > 0 {
            notes.push(format!("{count} {what}"));
        }
    }
    notes.extend(ends.errors.iter().map(|(code, count)| format!("{count} refused with error {code}")));
    if cpu.done > 0 && !arguments.pids.is_empty() {
        notes.push(format!("{:.1} us of server CPU a transaction", cpu.per_transaction_us(cpu.used)));
    }
    if cpu.done > 0 {
        notes.push(format!("{:.1} us of this program's CPU a transaction", cpu.per_transaction_us(cpu.own)));
    }
    for note in notes {
        text += &format!("  {note}\n");
    }
    text
}

fn picture(arguments: &Arguments, report: &Report) -> String {
    let series = |name: &str, value: &dyn Fn(&Interval) -> f64| Series {
        name: name.to_owned(),
        points: report.intervals.iter().map(|interval| (interval.at_seconds, value(interval))).collect(),
    };
    let throughput =
        Panel { label: "tx/s".to_owned(), logarithmic: false, series: vec![series("tx/s", &Interval::tps)] };
    let latency = Panel {
        label: "latency, microseconds".to_owned(),
        logarithmic: true,
        series: vec![
            series("p50", &|interval| interval.p50_us),
            series("p99", &|interval| interval.p99_us),
            series("p99.9", &|interval| interval.p999_us),
        ],
    };
    let options = &arguments.options;
    let rate = options.rate.map_or_else(|| "closed loop".to_owned(), |rate| format!("{rate} tx/s due"));
    let title = format!("{} by {} clients at {}, {rate}", options.mix, options.clients, arguments.targets);
    svg(&title, "seconds", &[throughput, latency])
}
