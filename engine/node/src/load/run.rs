//! Runs a load: gives transactions to sessions, judges their ends, keeps time.

use super::protocol::{Event, Reply, ServerError};
use super::session::{Operation, Session, State};
use super::stats::{Ends, Interval, Latencies, Report};
use super::{LoadError, Options, Random, filler};
use rustix::event::epoll;
use rustix::time::Timespec;
use std::collections::VecDeque;
use std::io;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long connecting and logging in may take.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(5);
/// A load that nobody lets in for this long is given up.
const NO_SERVER: Duration = Duration::from_secs(15);
/// How often sessions are looked over for deadlines.
const LOOK_OVER: Duration = Duration::from_millis(10);
/// Texts for INSERTs, made once.
const TEXTS: usize = 64;

/// Rolled back for a conflict, certainly; to be given again.
const CONFLICTS: [u16; 2] = [1213, 3101];
/// The server takes no writes (read only, in several spellings); another target may.
const READ_ONLY: [u16; 3] = [1290, 1836, 3098];

/// Runs the load until its time is up or `stop` is set, and calls `on_interval` after each interval.
/// The table must be there (`prepare`).
///
/// # Errors
/// [`LoadError::Nothing`], [`LoadError::NoServer`], [`LoadError::Io`].
pub fn run(options: &Options, stop: &AtomicBool, on_interval: &mut dyn FnMut(&Interval)) -> Result<Report, LoadError> {
    options.check()?;
    let mut load = Load::new(options)?;
    let mut events = [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }; 256];
    loop {
        let now = Instant::now();
        if stop.load(Ordering::Relaxed) || load.end.is_some_and(|end| now >= end) {
            break;
        }
        if now >= load.look_over_at {
            load.look_over(now)?;
        }
        load.give_due(now);
        if !load.measuring && now >= load.measure_from {
            load.measuring = true;
            load.interval_ends = Ends::default();
        }
        if now >= load.interval_end {
            let interval = load.close_interval(now);
            on_interval(&interval);
        }
        let wait = load.next_time(now).saturating_duration_since(now);
        let wait = Timespec { tv_sec: wait.as_secs() as _, tv_nsec: wait.subsec_nanos().into() };
        let count = match epoll::wait(&load.epoll, &mut events[..], Some(&wait)) {
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => 0,
            Err(error) => return Err(io::Error::from(error).into()),
        };
        for event in &events[..count] {
            let data = event.data;
            load.on_ready(data.u64() as usize);
        }
    }
    Ok(load.report(on_interval))
}

struct Load<'a> {
    options: &'a Options,
    epoll: OwnedFd,
    sessions: Vec<Session>,
    /// Open loop: sessions that wait for a transaction to fall due.
    idle: VecDeque<usize>,
    random: Random,
    texts: Vec<(String, String)>,
    scratch: Vec<u8>,
    /// Transactions fall due from here (open loop).
    begin: Instant,
    /// Transactions given out so far (open loop).
    given: u64,
    measure_from: Instant,
    measuring: bool,
    end: Option<Instant>,
    look_over_at: Instant,
    interval_begin: Instant,
    interval_end: Instant,
    ends: Ends,
    latencies: Latencies,
    interval_ends: Ends,
    interval_latencies: Latencies,
    intervals: Vec<Interval>,
    let_in: bool,
    refusal: Option<String>,
}

impl<'a> Load<'a> {
    fn new(options: &'a Options) -> Result<Self, LoadError> {
        // Sleeps end when they should, not up to 50 us later: due transactions are given in time.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).map_err(io::Error::from)?;
        let now = Instant::now();
        let measure_from = now + options.warmup;
        Ok(Self {
            options,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC).map_err(io::Error::from)?,
            sessions: (0..options.clients)
                .map(|client| Session::new(if options.spread { client % options.targets.len() } else { 0 }, now))
                .collect(),
            idle: VecDeque::with_capacity(options.clients),
            random: Random(options.seed),
            texts: (0..TEXTS as u64).map(|text| (filler(text, 120), filler(!text, 60))).collect(),
            scratch: vec![0; 64 << 10],
            begin: now,
            given: 0,
            measure_from,
            measuring: false,
            end: options.measured.map(|measured| measure_from + measured),
            look_over_at: now,
            interval_begin: measure_from,
            interval_end: measure_from + options.interval,
            ends: Ends::default(),
            latencies: Latencies::default(),
            interval_ends: Ends::default(),
            interval_latencies: Latencies::default(),
            intervals: Vec::new(),
            let_in: false,
            refusal: None,
        })
    }

    /// When the n-th transaction of an open loop falls due.
    fn due_at(&self, n: u64) -> Option<Instant> {
        self.options.rate.map(|rate| self.begin + Duration::from_secs_f64(n as f64 / rate))
    }

    fn next_time(&self, now: Instant) -> Instant {
        let mut next = self.look_over_at.min(self.interval_end);
        if let Some(end) = self.end {
            next = next.min(end);
        }
        if !self.idle.is_empty() {
            next = next.min(self.due_at(self.given).unwrap_or(now));
        }
        next
    }

    /// Connects those that are away, and gives up those that take too long.
    fn look_over(&mut self, now: Instant) -> Result<(), LoadError> {
        self.look_over_at = now + LOOK_OVER;
        for at in 0..self.sessions.len() {
            let session = &mut self.sessions[at];
            if session.state == State::Idle || now < session.deadline {
                continue;
            }
            if session.state == State::Away {
                let address = self.options.targets[session.target];
                let deadline = now + LOGIN_TIMEOUT;
                if let Err(error) = session.connect(&self.epoll, at as u64, address, &self.options.login, deadline) {
                    self.on_lost(at, &error);
                }
            } else {
                self.on_lost(at, &io::Error::from(io::ErrorKind::TimedOut));
            }
        }
        if !self.let_in && now.duration_since(self.begin) > NO_SERVER {
            let refusal = self.refusal.take().unwrap_or_else(|| "no answer".to_owned());
            return Err(LoadError::NoServer(refusal));
        }
        Ok(())
    }

    /// Open loop: gives what has fallen due to sessions that are idle.
    fn give_due(&mut self, now: Instant) {
        while !self.idle.is_empty() {
            let Some(due) = self.due_at(self.given) else { return };
            if due > now {
                return;
            }
            let at = self.idle.pop_front().expect("checked above");
            self.begin_operation(at, due);
            self.flush(at);
        }
    }

    fn begin_operation(&mut self, at: usize, since: Instant) {
        let session = &mut self.sessions[at];
        self.given += 1;
        session.begun += 1;
        let row = if self.options.mix == super::Mix::Insert {
            i64::from(self.options.rows) + 1 + at as i64 + (session.begun as i64 - 1) * self.options.clients as i64
        } else {
            self.random.row(self.options.rows)
        };
        session.operation = Some(Operation { since, row, text: self.given as usize % TEXTS });
        self.give(at);
    }

    fn give(&mut self, at: usize) {
        let deadline = Instant::now() + self.options.timeout;
        self.sessions[at].give(self.options.mix, &self.texts, deadline);
    }

    fn flush(&mut self, at: usize) {
        if let Err(error) = self.sessions[at].send(&self.epoll, at as u64) {
            self.on_lost(at, &error);
        }
    }

    fn on_ready(&mut self, at: usize) {
        if let Err(error) = self.sessions[at].receive(&mut self.scratch) {
            self.on_lost(at, &error);
            return;
        }
        loop {
            match self.sessions[at].event() {
                Ok(Some(event)) => self.on_event(at, event),
                Ok(None) => break,
                Err(error) => {
                    self.on_lost(at, &error);
                    return;
                }
            }
            if self.sessions[at].state == State::Away {
                return;
            }
        }
        self.flush(at);
    }

    fn on_event(&mut self, at: usize, event: Event) {
        match event {
            Event::LoggedIn => {
                self.let_in = true;
                if self.options.prepared {
                    self.sessions[at].prepare(self.options.mix);
                } else {
                    self.on_idle(at);
                }
            }
            Event::LoginRefused(error) => self.on_turned_away(at, &error),
            Event::Reply(Reply::Prepared { statement, .. }) => {
                self.sessions[at].prepared(statement);
                self.on_idle(at);
            }
            Event::Reply(Reply::Refused(error)) if self.sessions[at].state == State::Running => {
                self.on_refused(at, &error);
            }
            Event::Reply(Reply::Refused(error)) => self.on_turned_away(at, &error),
            Event::Reply(Reply::Ok { affected: 0 } | Reply::Rows(0)) => {
                // A row that is not there: the table is not the one that was prepared.
                self.count(|ends| ends.missed += 1);
                self.sessions[at].operation = None;
                self.on_idle(at);
            }
            Event::Reply(Reply::Ok { .. } | Reply::Rows(_)) => self.on_done(at),
        }
    }

    fn on_done(&mut self, at: usize) {
        let session = &mut self.sessions[at];
        session.succeeded();
        if let Some(operation) = session.operation.take() {
            let now = Instant::now();
            if operation.since >= self.measure_from {
                let latency = now.saturating_duration_since(operation.since);
                self.latencies.record(latency);
                self.interval_latencies.record(latency);
            }
            self.count(|ends| ends.done += 1);
        }
        self.on_idle(at);
    }

    /// The session can do something: go on with what it has, or begin anew.
    fn on_idle(&mut self, at: usize) {
        let session = &mut self.sessions[at];
        session.state = State::Idle;
        if session.operation.is_some() {
            self.give(at);
        } else if self.options.rate.is_none() {
            self.begin_operation(at, Instant::now());
        } else {
            self.idle.push_back(at);
            self.give_due(Instant::now());
        }
    }

    fn on_refused(&mut self, at: usize, error: &ServerError) {
        if CONFLICTS.contains(&error.code) {
            self.count(|ends| ends.retries += 1);
            self.sessions[at].state = State::Idle;
            self.give(at);
            return;
        }
        self.count(|ends| *ends.errors.entry(error.code).or_default() += 1);
        if READ_ONLY.contains(&error.code) && self.options.mix.writes() {
            // Refused for certain: the session takes the transaction along to the next target.
            self.leave(at);
        } else {
            self.sessions[at].operation = None;
            self.on_idle(at);
        }
    }

    /// The server does not let the session in, or does not know the table (yet).
    fn on_turned_away(&mut self, at: usize, error: &ServerError) {
        self.refusal = Some(format!("{}: {error}", self.options.targets[self.sessions[at].target]));
        self.count(|ends| *ends.errors.entry(error.code).or_default() += 1);
        self.leave(at);
    }

    fn on_lost(&mut self, at: usize, error: &io::Error) {
        let session = &mut self.sessions[at];
        if !self.let_in {
            self.refusal = Some(format!("{}: {error}", self.options.targets[session.target]));
        }
        if session.state == State::Running {
            session.operation = None;
            self.count(|ends| ends.lost += 1);
        }
        self.leave(at);
    }

    fn leave(&mut self, at: usize) {
        self.idle.retain(|&idle| idle != at);
        self.sessions[at].leave(self.options.targets.len(), Instant::now());
        self.count(|ends| ends.reconnects += 1);
    }

    fn count(&mut self, change: impl Fn(&mut Ends)) {
        change(&mut self.interval_ends);
    }

    fn close_interval(&mut self, now: Instant) -> Interval {
        let due = self.options.rate.map_or(0.0, |rate| now.duration_since(self.begin).as_secs_f64() * rate);
        let interval = Interval {
            at_seconds: now.duration_since(self.measure_from).as_secs_f64(),
            seconds: now.duration_since(self.interval_begin).as_secs_f64(),
            p50_us: self.interval_latencies.percentile_us(50.0),
            p99_us: self.interval_latencies.percentile_us(99.0),
            p999_us: self.interval_latencies.percentile_us(99.9),
            connected: self.sessions.iter().filter(|s| matches!(s.state, State::Idle | State::Running)).count(),
            backlog: (due as u64).saturating_sub(self.given),
            ends: std::mem::take(&mut self.interval_ends),
        };
        self.interval_latencies.clear();
        self.ends.add(&interval.ends);
        // An endless load is followed by its intervals, not remembered.
        if self.end.is_some() {
            self.intervals.push(interval.clone());
        }
        self.interval_begin = now;
        self.interval_end = (self.interval_end + self.options.interval).max(now);
        interval
    }

    fn report(mut self, on_interval: &mut dyn FnMut(&Interval)) -> Report {
        let now = self.end.unwrap_or_else(Instant::now);
        if now.saturating_duration_since(self.interval_begin) * 2 > self.options.interval {
            let interval = self.close_interval(now);
            on_interval(&interval);
        } else {
            self.ends.add(&self.interval_ends);
        }
        let mut unfinished = 0;
        if self.options.rate.is_some() {
            let waiting: Vec<Instant> =
                self.sessions.iter().filter_map(|session| Some(session.operation?.since)).collect();
            let mut latencies = std::mem::take(&mut self.latencies);
            let overdue = (self.given..).map_while(|n| self.due_at(n)).take_while(|&due| due < now);
            // Their latency is at least their age: leaving them out would hide a stall at the end.
            for since in waiting.into_iter().chain(overdue).filter(|&since| since >= self.measure_from) {
                latencies.record(now.saturating_duration_since(since));
                unfinished += 1;
            }
            self.latencies = latencies;
        }
        self.sessions.iter_mut().for_each(Session::quit);
        Report {
            seconds: now.saturating_duration_since(self.measure_from).as_secs_f64(),
            ends: self.ends,
            latencies: self.latencies,
            unfinished,
            intervals: self.intervals,
        }
    }
}
