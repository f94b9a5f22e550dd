//! Writers that remember what was acknowledged.

use node::load::{Client, ClientError, Login};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long one answer may take before its outcome counts as unknown.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What became of the transactions of all writers.
#[derive(Clone, Debug, Default)]
pub struct Acknowledged {
    /// Rows whose COMMIT was answered with OK.
    pub committed: BTreeSet<u64>,
    /// Rows whose connection was lost before the answer.
    pub unknown: BTreeSet<u64>,
    /// Transactions that the server refused or rolled back.
    pub refused: u64,
    /// Numbers of the errors, and texts of those that no writer should see.
    pub unexpected: Vec<String>,
}

/// Threads that write to whichever member takes it, one transaction after the other: a new row in
/// `test.w` and, in the same transaction, `test.n` counted up for the writer.
#[derive(Debug)]
pub struct Writers {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    acknowledged: Arc<Mutex<Acknowledged>>,
    threads: Vec<JoinHandle<()>>,
}

impl Writers {
    /// Makes the tables, where writes are taken.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub fn prepare(client: &mut Client, writers: u64) -> Result<(), ClientError> {
        client.execute("CREATE DATABASE IF NOT EXISTS test")?;
        client.execute("CREATE TABLE test.w (id BIGINT NOT NULL PRIMARY KEY, writer INT NOT NULL, t VARCHAR(100))")?;
        client.execute("CREATE TABLE test.n (writer INT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)")?;
        for writer in 0..writers {
            client.execute(&format!("INSERT INTO test.n VALUES ({writer}, 0)"))?;
        }
        Ok(())
    }

    /// Starts `writers` of them, whose rows begin at `first`.
    #[must_use]
    pub fn start(targets: &[SocketAddr], writers: u64, first: u64) -> Self {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let acknowledged: Arc<Mutex<Acknowledged>> = Arc::default();
        let threads = (0..writers).map(|writer| {
            let mut writer = Writer {
                number: writer,
                targets: targets.to_vec(),
                at: writer as usize,
                client: None,
                stop: stop.clone(),
                count: count.clone(),
                acknowledged: acknowledged.clone(),
            };
            std::thread::spawn(move || writer.run(first + writer.number, writers))
        });
        Self { threads: threads.collect(), stop, count, acknowledged }
    }

    /// Transactions acknowledged so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Waits until so many more are acknowledged.
    pub fn await_more(&self, more: u64) {
        let wanted = self.count() + more;
        super::wait_for(&format!("{more} more acknowledged transactions"), || {
            let count = self.count();
            if count >= wanted { Ok(()) } else { Err(format!("{count} of {wanted}; {:?}", self.unexpected())) }
        });
    }

    fn unexpected(&self) -> Vec<String> {
        self.acknowledged.lock().map(|known| known.unexpected.clone()).unwrap_or_default()
    }

    /// Ends all and tells what became of their transactions.
    ///
    /// # Panics
    /// When a writer saw an error that it should not, or panicked.
    #[must_use]
    pub fn finish(mut self) -> Acknowledged {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().expect("writers do not panic");
        }
        let known = self.acknowledged.lock().expect("writers do not panic").clone();
        assert!(known.unexpected.is_empty(), "writers saw {:?}", known.unexpected);
        known
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

struct Writer {
    number: u64,
    targets: Vec<SocketAddr>,
    at: usize,
    client: Option<Client>,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    acknowledged: Arc<Mutex<Acknowledged>>,
}

impl Writer {
    fn run(&mut self, first: u64, step: u64) {
        let mut id = first;
        while !self.stop.load(Ordering::Relaxed) {
            match self.write(id) {
                Ok(()) => {
                    self.note(|known| _ = known.committed.insert(id));
                    self.count.fetch_add(1, Ordering::Relaxed);
                    id += step;
                }
                Err(Failed::Refused { code, text }) => {
                    // A statement that failed leaves its transaction to be rolled back with the connection.
                    self.client = None;
                    self.note(|known| {
                        known.refused += 1;
                        if !EXPECTED.contains(&code) {
                            known.unexpected.push(text);
                        }
                    });
                    self.next_target();
                }
                Err(Failed::Before) => {
                    self.client = None;
                    self.next_target();
                }
                Err(Failed::Unknown) => {
                    self.client = None;
                    self.note(|known| _ = known.unknown.insert(id));
                    id += step;
                    self.next_target();
                }
            }
        }
    }

    fn note(&self, note: impl FnOnce(&mut Acknowledged)) {
        note(&mut self.acknowledged.lock().expect("writers do not panic"));
    }

    fn next_target(&mut self) {
        self.at += 1;
        // Members that are down or read-only answer at once; not to ask them without end.
        std::thread::sleep(Duration::from_millis(5));
    }

    fn write(&mut self, id: u64) -> Result<(), Failed> {
        let client = match &mut self.client {
            Some(client) => client,
            None => {
                let login = Login { user: "root".into(), database: "test".into(), ..Login::default() };
                let target = self.targets[self.at % self.targets.len()];
                let client = Client::connect(target, login, TIMEOUT).map_err(|error| Failed::of(&error, false))?;
                self.client.insert(client)
            }
        };
        let statements = [
            "BEGIN".to_owned(),
            format!("INSERT INTO w VALUES ({id}, {}, 'row {id} of writer {}')", self.number, self.number),
            format!("UPDATE n SET n = n + 1 WHERE writer = {}", self.number),
        ];
        for statement in statements {
            client.execute(&statement).map_err(|error| Failed::of(&error, false))?;
        }
        client.execute("COMMIT").map(drop).map_err(|error| Failed::of(&error, true))
    }
}

/// Refusals that a writer meets while members come and go: access while read-only (1290), the hook while
/// not ONLINE (3100), conflicts (1213, 3101), lock waits (1205), shutdown (1053), a member that has not the
/// database yet (1049, 1146).
const EXPECTED: [u16; 8] = [1290, 3100, 1213, 3101, 1205, 1053, 1049, 1146];

enum Failed {
    /// The server said no: not committed.
    Refused { code: u16, text: String },
    /// The connection ended before COMMIT was sent: not committed.
    Before,
    /// The connection ended after COMMIT was sent.
    Unknown,
}

impl Failed {
    fn of(error: &ClientError, committing: bool) -> Self {
        match error {
            ClientError::Server(server) => Self::Refused { code: server.code, text: server.to_string() },
            _ if committing => Self::Unknown,
            _ => Self::Before,
        }
    }
}
