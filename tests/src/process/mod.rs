//! Helpers of the tests that run real processes: member processes on loopback, groups of them, real
//! clients, writers that remember what was acknowledged.
//!
//! Absent on purpose: sleeping for things to happen (tests wait for conditions, with deadlines that only a
//! broken server reaches) and assertions about times.
//!
//! Invariant: no process and no directory made here outlives the value that stands for it.

mod client;
mod disk;
mod group;
mod member;
mod writer;

pub use client::{Mask, mariadb, tables};
pub use disk::{SlowDisk, SmallDisk};
pub use group::{Group, Settings};
pub use member::{Member, query};
pub use writer::{Acknowledged, Writers};

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Longest wait for anything: far beyond what a loaded machine needs.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// Pause between two looks at a condition.
const LOOK_AGAIN: Duration = Duration::from_millis(15);

/// Waits until `look` finds something.
///
/// # Panics
/// When [`DEADLINE`] passes first, with what was seen last.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(Instant::now() < deadline, "waited in vain for {what}; last seen: {seen}"),
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// The server's binary: `QUORATE_BINARY` if that is set, else built here, once, beside this test.
///
/// # Panics
/// When it cannot be built.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("QUORATE_BINARY") {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

fn build() -> PathBuf {
    // target/<profile>/deps/<this test>
    let test = std::env::current_exe().expect("a running test has a path");
    let profile_dir = test.ancestors().nth(2).expect("cargo puts tests two directories down");
    let target_dir = profile_dir.parent().expect("a profile's directory is in the target directory");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // With this package, so that dependencies have the features that they were built with for it.
    command.args(["build", "--quiet", "-p", "node", "-p", "tests", "--bin", "quorate", "--target-dir"]);
    command.arg(target_dir).current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile_dir.ends_with("release") {
        command.arg("--release");
    }
    eprintln!("building the server: cargo build --bin quorate ...");
    let status = command.status().expect("cargo runs, as it ran this test");
    assert!(status.success(), "the server cannot be built: {status}");
    profile_dir.join("quorate")
}

/// A directory of its own for a test, removed at its end, but kept when the test fails.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// An empty directory; `name` says whose.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("quorate-{name}-{}-{number}", std::process::id()));
        // Left by a test process that was killed under the same id.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).expect("the temporary directory takes a directory");
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("files of the failed test are left in {}", self.0.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// `count` ports in a row, and those 100 above them, that nobody uses. They lie below the ports that the
/// system gives to outgoing connections, so that none of those takes one while a member is down.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Not what a sandbox takes by itself: 24801 and so on, and 100 above.
    const FIRST: u16 = 11_050;
    const RUNS: u32 = 100;
    let begin = std::process::id().wrapping_mul(37);
    for _ in 0..RUNS {
        let run = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % RUNS;
        // Each run is 200 ports: 100 for SQL, 100 for the group.
        let first = FIRST + run as u16 * 200;
        let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (0..count).all(|at| free(first + at) && free(first + 100 + at)) {
            return first;
        }
    }
    panic!("no {count} free ports in a row");
}
