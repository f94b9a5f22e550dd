//! The live view: once a second, what the load measured and how the members are.

use super::form::Group;
use super::layout::Layout;
use super::member::{Member, Status};
use super::{DATABASE, Mode, Options, SandboxError, USER};
use crate::json::Object;
use crate::load::{self, Interval, LoadError};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_secs(1);

/// Says what was started and how to connect to it.
pub fn print_members(options: &Options, layout: &Layout, group: &Group) {
    if options.json {
        return;
    }
    let count = layout.members;
    let plural = if count == 1 { "member" } else { "members" };
    println!("A group of {count} {plural}, {}-primary, sync_binlog={}.", layout.mode, u8::from(layout.sync));
    let fate = if layout.temporary { "removed at the end; --dir keeps it" } else { "kept" };
    println!("Data, option files and logs: {} ({fate})\n", layout.dir.display());
    println!("member  process  connect");
    for member in &group.members {
        let connect = format!("mysql -h 127.0.0.1 -P{} -u{USER} -p{USER} {DATABASE}", member.address.port());
        println!("{:<6}  {:<7}  {connect}", member.number, member.pid());
    }
    let load = match options.load {
        0 => "No load.".to_owned(),
        1 => format!("Load: 1 client updates rows of {DATABASE}.{}; --no-load for none.", load::TABLE),
        clients => format!("Load: {clients} clients update rows of {DATABASE}.{}; --no-load for none.", load::TABLE),
    };
    println!("\n{load} Ctrl-C ends all.\n");
}

/// What happened in one second.
#[derive(Debug)]
struct Moment {
    seconds: u64,
    load: Option<Interval>,
    trouble: Option<String>,
    members: Vec<Seen>,
}

/// A member as it was then.
#[derive(Clone, Debug)]
struct Seen {
    number: u16,
    port: u16,
    pid: u32,
    option_file: PathBuf,
    status: Status,
}

impl Seen {
    fn ask(member: &mut Member) -> Self {
        Self {
            number: member.number,
            port: member.address.port(),
            pid: member.pid(),
            option_file: member.option_file.clone(),
            status: member.status(),
        }
    }
}

/// Shows the group until `stop`, or until the seconds asked for are over.
///
/// # Errors
/// [`SandboxError::Load`] when the load's table cannot be made; later trouble is shown, and the view goes on.
pub fn watch(
    options: &Options,
    layout: &Layout,
    group: &mut Group,
    stop: &Arc<AtomicBool>,
) -> Result<(), SandboxError> {
    let mut load = LoadThread::start(options, layout, group)?;
    let mut screen = Screen { in_place: io::stdout().is_terminal() && !options.json, drawn: 0 };
    let begin = Instant::now();
    let mut next = begin + PERIOD;
    while !stop.load(Ordering::Relaxed) {
        let (interval, trouble) = load.next(next, stop);
        if stop.load(Ordering::Relaxed) {
            break;
        }
        next = (next + PERIOD).max(Instant::now());
        let moment = Moment {
            seconds: begin.elapsed().as_secs(),
            load: interval,
            trouble,
            members: group.members.iter_mut().map(Seen::ask).collect(),
        };
        let shown = if options.json {
            println!("{}", json(&moment, layout));
            io::stdout().flush()
        } else {
            screen.draw(&moment)
        };
        // Whoever read our output has gone: that ends the sandbox as Ctrl-C does.
        if shown.is_err() || options.seconds.is_some_and(|seconds| moment.seconds >= seconds) {
            break;
        }
    }
    load.stop();
    Ok(())
}

/// The load on a thread of its own.
struct LoadThread {
    stop: Arc<AtomicBool>,
    intervals: Option<Receiver<Interval>>,
    thread: Option<JoinHandle<Result<(), LoadError>>>,
    trouble: Option<String>,
}

impl LoadThread {
    fn start(options: &Options, layout: &Layout, group: &mut Group) -> Result<Self, SandboxError> {
        let stop = Arc::new(AtomicBool::new(false));
        if options.load == 0 {
            return Ok(Self { stop, intervals: None, thread: None, trouble: None });
        }
        let mut targets = Vec::new();
        for member in &mut group.members {
            let primary = member.status().role == "PRIMARY";
            // Where only the primary takes writes, all clients begin there.
            let at = if primary && layout.mode == Mode::Single { 0 } else { targets.len() };
            targets.insert(at, member.address);
        }
        let mut load = load::Options::new(targets);
        load.clients = options.load;
        load.measured = None;
        load.spread = layout.mode == Mode::Multi;
        load::prepare(&load)?;
        let (sender, intervals) = channel();
        let (thread_load, thread_stop) = (load, Arc::clone(&stop));
        let work = move || {
            let mut on_interval = |interval: &Interval| {
                // The view has ended: so will this thread, by its flag.
                let _ = sender.send(interval.clone());
            };
            load::run(&thread_load, &thread_stop, &mut on_interval).map(drop)
        };
        let thread = std::thread::Builder::new().name("load".to_owned()).spawn(work)?;
        Ok(Self { stop, intervals: Some(intervals), thread: Some(thread), trouble: None })
    }

    /// The next interval, or none at `deadline` when there is no load (any more).
    fn next(&mut self, deadline: Instant, stop: &AtomicBool) -> (Option<Interval>, Option<String>) {
        while !stop.load(Ordering::Relaxed) {
            let Some(intervals) = &self.intervals else {
                let left = deadline.saturating_duration_since(Instant::now());
                super::sleep(left, stop);
                return (None, self.trouble.clone());
            };
            match intervals.recv_timeout(Duration::from_millis(50)) {
                Ok(interval) => return (Some(interval), None),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.intervals = None;
                    self.trouble = self.join();
                }
            }
        }
        (None, None)
    }

    fn join(&mut self) -> Option<String> {
        match self.thread.take()?.join() {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("the load ended: {error}")),
            Err(_) => Some("the load ended by a panic".to_owned()),
        }
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(trouble) = self.join() {
            eprintln!("quorate sandbox: {trouble}");
        }
    }
}

fn json(moment: &Moment, layout: &Layout) -> Object {
    let object = Object::new()
        .number("seconds", moment.seconds as f64)
        .text("dir", &layout.dir.to_string_lossy())
        .text("mode", &layout.mode.to_string())
        .flag("sync", layout.sync);
    let object = match &moment.load {
        Some(load) => object
            .number("tps", load.tps())
            .number("p50_us", load.p50_us)
            .number("p99_us", load.p99_us)
            .number("retries", load.ends.retries as f64)
            .object("errors", &load.ends.errors_json())
            .number("lost", load.ends.lost as f64)
            .number("clients", load.connected as f64),
        None => object.null("tps").null("p50_us").null("p99_us"),
    };
    let members = moment.members.iter().map(|Seen { number, port, pid, option_file, status }| {
        let member = Object::new()
            .number("member", f64::from(*number))
            .number("port", f64::from(*port))
            .number("pid", f64::from(*pid))
            .text("option_file", &option_file.to_string_lossy())
            .flag("answers", status.answers)
            .text("state", &status.state)
            .text("role", &status.role);
        match status.applier_queue {
            Some(queue) => member.number("applier_queue", queue as f64),
            None => member.null("applier_queue"),
        }
    });
    let object = object.objects("members", members);
    match &moment.trouble {
        Some(trouble) => object.text("trouble", trouble),
        None => object,
    }
}

/// Draws over what it drew before on a terminal; elsewhere one line a second.
struct Screen {
    in_place: bool,
    drawn: usize,
}

impl Screen {
    fn draw(&mut self, moment: &Moment) -> io::Result<()> {
        let mut text = String::new();
        if self.in_place {
            if self.drawn > 0 {
                text += &format!("\x1b[{}F\x1b[J", self.drawn);
            }
            let block = block(moment);
            self.drawn = block.lines().count();
            text += &block;
        } else {
            text = line(moment);
        }
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

fn summary(moment: &Moment) -> String {
    let Some(load) = &moment.load else {
        return moment.trouble.clone().unwrap_or_else(|| "no load".to_owned());
    };
    let mut text =
        format!("{:>7.0} tx/s  p50 {:.2} ms  p99 {:.2} ms", load.tps(), load.p50_us / 1e3, load.p99_us / 1e3);
    for (count, what) in
        [(load.ends.retries, "conflicts"), (load.ends.errors_total(), "refused"), (load.ends.lost, "lost")]
    {
        if count > 0 {
            text += &format!("  {count} {what}");
        }
    }
    text
}

fn queue(status: &Status) -> String {
    status.applier_queue.map_or_else(|| "-".to_owned(), |queue| queue.to_string())
}

/// How far a recovery is, behind the state.
fn percent(status: &Status) -> String {
    status.recovered.map_or_else(String::new, |percent| format!(" {percent}%"))
}

fn block(moment: &Moment) -> String {
    let mut text = format!("{:>5} s  {}\n\n", moment.seconds, summary(moment));
    text += "member  state       role       applier queue\n";
    for Seen { number, status, .. } in &moment.members {
        // A line that wraps would be drawn over wrongly.
        let state: String = status.state.chars().take(60).collect();
        let state = format!("{state}{}", percent(status));
        let line = format!("{number:<6}  {state:<10}  {:<9}  {:>13}", status.role, queue(status));
        text += if status.answers { line.as_str() } else { line.trim_end().trim_end_matches('-').trim_end() };
        text.push('\n');
    }
    text
}

fn line(moment: &Moment) -> String {
    let members = moment.members.iter().map(|Seen { number, status, .. }| {
        let role = if status.role.is_empty() { String::new() } else { format!(" {}", status.role) };
        format!("m{number} {}{}{role} q{}", status.state, percent(status), queue(status))
    });
    format!("{:>5} s  {}  |  {}\n", moment.seconds, summary(moment), members.collect::<Vec<_>>().join("  "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Ends;

    fn moment() -> Moment {
        let online = |role: &str| Status {
            state: "ONLINE".into(),
            role: role.into(),
            applier_queue: Some(3),
            recovered: None,
            answers: true,
        };
        let dead = Status { state: "dead (signal: 9 (SIGKILL))".into(), ..Status::default() };
        let load = Interval {
            at_seconds: 1.0,
            seconds: 1.0,
            ends: Ends { done: 12_345, retries: 2, ..Ends::default() },
            p50_us: 310.0,
            p99_us: 1234.0,
            p999_us: 2000.0,
            connected: 4,
            backlog: 0,
        };
        let seen = |number: u16, status| Seen {
            number,
            port: 24_800 + number,
            pid: 10 + u32::from(number),
            option_file: "m/member.cnf".into(),
            status,
        };
        let members = vec![seen(1, online("PRIMARY")), seen(2, online("SECONDARY")), seen(3, dead)];
        Moment { seconds: 7, load: Some(load), trouble: None, members }
    }

    #[test]
    fn the_view_is_aligned() {
        let expected = "    7 s    12345 tx/s  p50 0.31 ms  p99 1.23 ms  2 conflicts\n\n\
                        member  state       role       applier queue\n\
                        1       ONLINE      PRIMARY                3\n\
                        2       ONLINE      SECONDARY              3\n\
                        3       dead (signal: 9 (SIGKILL))\n";
        assert_eq!(block(&moment()), expected);
    }

    #[test]
    fn a_line_says_the_same() {
        let expected = "    7 s    12345 tx/s  p50 0.31 ms  p99 1.23 ms  2 conflicts  |  m1 ONLINE PRIMARY q3  \
                        m2 ONLINE SECONDARY q3  m3 dead (signal: 9 (SIGKILL)) q-\n";
        assert_eq!(line(&moment()), expected);
        let idle = Moment { load: None, ..moment() };
        assert!(line(&idle).starts_with("    7 s  no load  |  m1 "));
    }
}
