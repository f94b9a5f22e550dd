//! `peers`: servers side by side, from the lines that `perf/sysbench.sh` wrote: a table, and plots.

use bench::plot::{Panel, Series, svg};
use bench::table::Table;
use node::cli::{Flags, UsageError};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
Compares servers by what perf/sysbench.sh measured.

  cargo run --release -p bench --bin peers -- FILE.. [--svg PREFIX] [--base NAME]

  --svg PREFIX   writes PREFIX-durable.svg and PREFIX-relaxed.svg
  --base NAME    whom the others are compared with: quorate by default

FILE: lines of label (NAME-durable or NAME-relaxed), workload, threads, transactions a second, average ms,
p99 ms, servers' CPU seconds for 1000 transactions, and more, with tabs between.
";

/// What one run of sysbench came to.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    /// Transactions a second.
    tps: f64,
    p99_ms: f64,
    /// CPU of all servers for a transaction, in microseconds.
    cpu_us: f64,
}

/// By durability, workload, threads and server; the last of equal ones counts.
type Runs = BTreeMap<(String, String, u32), BTreeMap<String, Run>>;

fn read(text: &str, runs: &mut Runs) -> Result<(), String> {
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |what: &str| format!("line {number}: {what}: '{line}'");
        let fields: Vec<&str> = line.split('\t').collect();
        let [label, workload, threads, rest @ ..] = &fields[..] else { return Err(wrong("three fields at least")) };
        if rest.first() == Some(&"FAILED") {
            continue;
        }
        let (server, durability) =
            label.rsplit_once('-').ok_or_else(|| wrong("a label is NAME-durable or -relaxed"))?;
        let at = |at: usize| {
            let value = rest.get(at).and_then(|text| text.parse::<f64>().ok()).filter(|value| value.is_finite());
            value.ok_or_else(|| wrong("seven fields at least, numbers from the third on"))
        };
        let run = Run { tps: at(0)?, p99_ms: at(2)?, cpu_us: at(3)? * 1e3 };
        let threads = threads.parse().map_err(|_| wrong("threads"))?;
        let workload = workload.trim_start_matches("oltp_").to_owned();
        runs.entry((durability.to_owned(), workload, threads)).or_default().insert((*server).to_owned(), run);
    }
    Ok(())
}

fn table(runs: &Runs, base: &str) -> String {
    let mut table =
        Table::new(&["run", "server", "tx/s", "p99 ms", "CPU us/tx", &format!("{base} tx/s"), &format!("{base} CPU")]);
    for ((durability, workload, threads), servers) in runs {
        let ours = servers.get(base);
        for (server, run) in servers {
            let ratio = |share: Option<f64>| match share {
                Some(share) if server != base => format!("{share:.2} x"),
                _ => String::new(),
            };
            table.row([
                format!("{durability} {workload} {threads}"),
                server.clone(),
                format!("{:.0}", run.tps),
                format!("{:.1}", run.p99_ms),
                format!("{:.0}", run.cpu_us),
                ratio(ours.map(|ours| ours.tps / run.tps)),
                ratio(ours.map(|ours| ours.cpu_us / run.cpu_us)),
            ]);
        }
    }
    table.to_string()
}

/// Throughput and CPU of each workload, over the number of threads.
fn panels(runs: &Runs, durability: &str) -> Vec<Panel> {
    let of = runs.iter().filter(|((of, ..), _)| of == durability);
    let mut lines: BTreeMap<(&str, &str), Vec<(f64, Run)>> = BTreeMap::new();
    for ((_, workload, threads), servers) in of {
        for (server, run) in servers {
            lines.entry((workload, server)).or_default().push((f64::from(*threads), *run));
        }
    }
    let workloads: std::collections::BTreeSet<&str> = lines.keys().map(|(workload, _)| *workload).collect();
    let panel = |workload: &str, what: &str, value: fn(&Run) -> f64| Panel {
        label: format!("{workload}: {what}"),
        logarithmic: true,
        series: lines
            .iter()
            .filter(|((of, _), _)| *of == workload)
            .map(|((_, server), points)| Series {
                name: (*server).to_owned(),
                points: points.iter().map(|(threads, run)| (*threads, value(run))).collect(),
            })
            .collect(),
    };
    let both = |workload| {
        let cpu = panel(workload, "CPU of all servers, us a transaction", |run| run.cpu_us);
        [panel(workload, "transactions a second", |run| run.tps), cpu]
    };
    workloads.into_iter().flat_map(both).collect()
}

fn run(arguments: impl IntoIterator<Item = String>) -> Result<(), UsageError> {
    let (files, flags): (Vec<String>, Vec<String>) = {
        let mut arguments = arguments.into_iter().peekable();
        let (mut files, mut flags) = (Vec::new(), Vec::new());
        while let Some(argument) = arguments.next() {
            if argument.starts_with("--") {
                let bare = !argument.contains('=');
                flags.push(argument);
                flags.extend(bare.then(|| arguments.next()).flatten());
            } else {
                files.push(argument);
            }
        }
        (files, flags)
    };
    let mut flags = Flags::parse(flags, &[])?;
    let prefix = flags.text("svg").map(PathBuf::from);
    let base = flags.text("base").unwrap_or_else(|| "quorate".to_owned());
    flags.finish()?;
    if files.is_empty() {
        return Err(UsageError("a FILE is needed".to_owned()));
    }
    let mut runs = Runs::new();
    for file in &files {
        let text = std::fs::read_to_string(file).map_err(|error| UsageError(format!("{file}: {error}")))?;
        read(&text, &mut runs).map_err(|error| UsageError(format!("{file}, {error}")))?;
    }
    print!("{}", table(&runs, &base));
    if let Some(prefix) = prefix {
        for durability in ["durable", "relaxed"] {
            let panels = panels(&runs, durability);
            if panels.is_empty() {
                continue;
            }
            let path = format!("{}-{durability}.svg", prefix.display());
            let title = format!("sysbench, {durability}: three members on one machine");
            std::fs::write(&path, svg(&title, "threads", &panels))
                .map_err(|error| UsageError(format!("{path}: {error}")))?;
            println!("wrote {path}");
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}\n\n{HELP}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "quorate-durable\toltp_insert\t8\t1000.5\t1.0\t2.5\t0.100\t0.01\t0.00\t0.00\n\
        gr-durable\toltp_insert\t8\t100.05\t1.0\t25\t1.000\t0.01\t0.00\t0.00\n\
        gr-durable\toltp_insert\t64\tFAILED\n";

    #[test]
    fn servers_are_compared() {
        let mut runs = Runs::new();
        read(LINES, &mut runs).expect("three lines");
        let table = table(&runs, "quorate");
        assert!(table.contains("10.00 x") && table.contains("0.10 x"), "{table}");
        let panels = panels(&runs, "durable");
        assert_eq!((panels.len(), panels[0].series.len()), (2, 2));
        assert!(super::panels(&runs, "relaxed").is_empty());
    }

    #[test]
    fn what_is_no_line_is_named() {
        for (line, says) in [("x", "three fields"), ("a-b\tc\t1\tx", "seven fields"), ("ab\tc\t1\t2\t3\t4\t5", "label")]
        {
            let error = read(line, &mut Runs::new()).expect_err("it is no line");
            assert!(error.contains(says) && error.starts_with("line 1"), "{error}");
        }
    }
}
