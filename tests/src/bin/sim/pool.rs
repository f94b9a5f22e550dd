//! Runs setups side by side and hands their results over in order: each run is one thread's and
//! deterministic, so that the number of threads changes nothing but the time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use tests::sim::{Failure, Report, Setup, run};

/// SQL parsing recurses; the main thread has as much.
const STACK_BYTES: usize = 8 << 20;

/// Runs `count` setups from number `first` on, on `threads` threads. `each` gets number, setup and result in
/// order; when it says false, no more is begun and the rest is not told.
pub fn run_all(
    (first, count, threads): (u64, u64, usize),
    setup: impl Fn(u64) -> Setup + Sync,
    mut each: impl FnMut(&Setup, Result<Report, Failure>) -> bool,
) {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (sender, results) = mpsc::channel();
    let (next, stop, setup) = (&next, &stop, &setup);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let sender = sender.clone();
            let work = move || {
                while !stop.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        break;
                    }
                    let setup = setup(first + at);
                    let result = run(setup.clone());
                    if sender.send((at, setup, result)).is_err() {
                        break;
                    }
                }
            };
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            thread.spawn_scoped(scope, work).expect("a thread for the simulator");
        }
        drop(sender);
        let (mut early, mut due) = (BTreeMap::new(), 0);
        for (at, setup, result) in results {
            early.insert(at, (setup, result));
            while let Some((setup, result)) = early.remove(&due) {
                due += 1;
                if !each(&setup, result) {
                    stop.store(true, Ordering::Relaxed);
                    return;
                }
            }
        }
    });
}
