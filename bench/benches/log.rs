//! Appending to the group log. Files are in `target/bench-log`; only the appends are timed.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine_log::bench::AppendBench;
use std::path::Path;
use std::time::{Duration, Instant};

/// Frames between two times at which the log makes room: well below a segment.
const FRAMES: u64 = 512;

/// Time to append one frame with `sync_binlog=0`: a copy into the mapping. Throughput counts bytes.
fn append(c: &mut Criterion) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench-log").join(std::process::id().to_string());
    let mut group = c.benchmark_group("log_append");
    for frame_bytes in [256, 4096, 65_536] {
        let dir = dir.join(frame_bytes.to_string());
        std::fs::create_dir_all(&dir).expect("target takes a directory");
        let mut log = AppendBench::new(&dir, false, frame_bytes).expect("an empty directory takes a log");
        group.throughput(Throughput::Bytes(frame_bytes as u64));
        group.bench_function(BenchmarkId::new("mapped", frame_bytes), |b| {
            b.iter_custom(|iterations| {
                let (mut left, mut spent) = (iterations, Duration::ZERO);
                while left > 0 {
                    let frames = log.frames(left.min(FRAMES) as usize).expect("the disk has room");
                    let begin = Instant::now();
                    for frame in &frames {
                        log.append(frame).expect("the disk has room");
                    }
                    spent += begin.elapsed();
                    left -= frames.len() as u64;
                }
                spent
            });
        });
    }
    group.finish();
    std::fs::remove_dir_all(&dir).expect("it was made above");
}

criterion_group!(benches, append);
criterion_main!(benches);
