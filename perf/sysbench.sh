#!/usr/bin/env bash
# sysbench 1.0.20 against a group, as a table of figures that `peers` draws.
#
#   perf/sysbench.sh [--seconds S] [--threads "1 8 64"] [--out FILE]
#       a sandbox of its own, three members, single-primary: durable (sync_binlog=1), then relaxed (0)
#   perf/sysbench.sh --label NAME-durable|NAME-relaxed --port PORT --pids "PID.." [as above]
#       a server that is there already: user sb, password sb, an empty database sbtest
#   --workloads "W.."   instead of all of: a script of sysbench's, or one of its range statements alone
#       (simple, sum, order, distinct; 100 rows each)
#
# A line for each run: label, workload, threads, transactions a second, average and 99th percentile in ms, CPU seconds
# of all servers and of sysbench for 1000 transactions, ignored errors and reconnections a second.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=10 threads="1 8 64" out=perf/out/sysbench.tsv label= port= pids=
workloads="oltp_point_select oltp_update_index oltp_insert oltp_write_only oltp_read_write"
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=$2 ;; --threads) threads=$2 ;; --out) out=$2 ;;
    --workloads) workloads=$2 ;; --label) label=$2 ;; --port) port=$2 ;; --pids) pids=$2 ;;
    *) sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
mkdir -p "$(dirname "$out")"
command -v sysbench >/dev/null || { echo "sysbench.sh: sysbench is not installed (tests/setup.sh does)" >&2; exit 1; }

# CPU ticks of all servers so far.
ticks() {
  local pid sum=0 user kernel
  for pid in $1; do
    read -r user kernel < <(sed 's/.*) //' "/proc/$pid/stat" | awk '{print $12, $13}')
    sum=$((sum + user + kernel))
  done
  echo "$sum"
}

bench() { # PORT, then sysbench's arguments
  local port=$1
  shift
  sysbench "$@" --db-driver=mysql --mysql-host=127.0.0.1 --mysql-port="$port" --mysql-user=sb --mysql-password=sb \
    --mysql-db=sbtest --tables=4 --table-size=10000 --percentile=99 --mysql-ignore-errors=1213,1020,1205,3101,1180,1062
}

measure() { # LABEL PORT PIDS
  local report cpu before after client
  report=$(mktemp)
  bench "$2" oltp_read_write prepare >/dev/null
  for workload in $workloads; do
    script=$workload
    alone=()
    case $workload in
      simple|sum|order|distinct)
        script=oltp_read_only
        alone=(--skip_trx=on --point_selects=0)
        for range in simple sum order distinct; do
          if [ $range = "$workload" ]; then alone+=("--${range}_ranges=1"); else alone+=("--${range}_ranges=0"); fi
        done ;;
    esac
    for count in $threads; do
      before=$(ticks "$3")
      client=$( { TIMEFORMAT='%U %S'; time bench "$2" "$script" "${alone[@]}" --threads="$count" --time="$seconds" run \
        >"$report" 2>&1; } 2>&1 )
      after=$(ticks "$3")
      awk -v label="$1" -v workload="$workload" -v threads="$count" -v ticks=$((after - before)) \
        -v hz="$(getconf CLK_TCK)" -v client="$client" '
        /transactions:/ { n = $2; tps = substr($3, 2) } /avg:/ { avg = $2 } /99th percentile:/ { p99 = $3 }
        /ignored errors:/ { errors = substr($4, 2) } /reconnects:/ { again = substr($3, 2) }
        END {
          split(client, used, " ")
          if (!n) { print label, workload, threads, "FAILED"; exit }
          print label, workload, threads, tps, avg, p99, sprintf("%.3f", ticks / hz / n * 1000),
            sprintf("%.3f", (used[1] + used[2]) / n * 1000), errors, again
        }' OFS='\t' "$report" | tee -a "$out"
    done
  done
  rm -f "$report"
}

if [ -n "$label" ]; then
  measure "$label" "$port" "$pids"
else
  cargo build --quiet --release --bin quorate
  binary=${CARGO_TARGET_DIR:-target}/release/quorate
  for durability in durable relaxed; do
    log=$(mktemp)
    sync=1
    [ $durability = durable ] || sync=0
    "$binary" sandbox --json --no-load --base-port 24300 --sync $sync --seconds 3600 >"$log" &
    sandbox=$!
    trap 'kill "$sandbox" 2>/dev/null || true; wait "$sandbox" 2>/dev/null || true; rm -f "$log"' EXIT
    for _ in $(seq 600); do
      [ "$(tail -n 1 "$log" | grep -o '"state":"ONLINE"' | wc -l)" = 3 ] && break
      kill -0 "$sandbox" || { echo "sysbench.sh: the sandbox ended" >&2; exit 1; }
      sleep 0.2
    done
    members=$(tail -n 1 "$log" | grep -o '"pid":[0-9]*' | grep -o '[0-9]*' | tr '\n' ' ')
    measure "quorate-$durability" 24301 "$members"
    kill "$sandbox" && wait "$sandbox" || true
    rm -f "$log"
  done
fi
cargo run --quiet --release -p bench --bin peers -- "$out"
