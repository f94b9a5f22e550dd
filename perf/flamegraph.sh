#!/usr/bin/env bash
# Flame graph of a loaded primary: perf/flamegraph.sh [--seconds S] [sandbox options, such as --sync 0 --load 64]
# Starts a sandbox of its own, records its primary with perf, and writes perf/out/flame.svg. Needs `perf`
# (Debian: linux-perf) and the right to use it (root, or kernel.perf_event_paranoid at most 1).
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=10
if [ "${1:-}" = --seconds ]; then seconds=$2; shift 2; fi
out=perf/out
mkdir -p "$out"
command -v perf >/dev/null || { echo "flamegraph.sh: perf is not installed (Debian: linux-perf)" >&2; exit 1; }

target=${CARGO_TARGET_DIR:-target}
tools=$target/tools/bin
if ! [ -x "$tools/inferno-flamegraph" ]; then
  cargo install --quiet --locked inferno --root "$target/tools"
fi
# Frame pointers make perf's stacks cheap and whole; a target directory of its own keeps the usual build.
export RUSTFLAGS="${RUSTFLAGS:-} -C force-frame-pointers=yes"
cargo build --quiet --release --bin quorate --target-dir "$target/perf"

log=$(mktemp)
"$target/perf/release/quorate" sandbox --json --base-port 24500 --load 16 "$@" --seconds $((seconds + 60)) >"$log" &
sandbox=$!
trap 'kill "$sandbox" 2>/dev/null || true; wait "$sandbox" 2>/dev/null || true; rm -f "$log"' EXIT

# The first object comes when the group serves under load.
for _ in $(seq 120); do
  [ -s "$log" ] && break
  kill -0 "$sandbox" 2>/dev/null || { echo "flamegraph.sh: the sandbox ended" >&2; exit 1; }
  sleep 1
done
pid=$(tail -n 1 "$log" | grep -o '"pid":[0-9]*[^}]*"role":"PRIMARY"' | head -n 1 | grep -o '^"pid":[0-9]*' | grep -o '[0-9]*')
[ -n "$pid" ] || { echo "flamegraph.sh: no primary in: $(tail -n 1 "$log")" >&2; exit 1; }

timeout $((seconds + 30)) perf record --quiet -F 997 --call-graph fp -p "$pid" -o "$out/perf.data" -- sleep "$seconds"
timeout 120 perf script -i "$out/perf.data" 2>/dev/null | "$tools/inferno-collapse-perf" >"$out/stacks.txt"
"$tools/inferno-flamegraph" --title "Quorate primary, sandbox $*" <"$out/stacks.txt" >"$out/flame.svg"
echo "load meanwhile: $(tail -n 1 "$log" | grep -o '"tps":[0-9.]*,"p50_us":[0-9.]*,"p99_us":[0-9.]*')"
echo "wrote $out/flame.svg"
