#!/usr/bin/env bash
# Installs what the tests run against a real group, on Debian: client programs (apt), Python drivers (PyPI, into
# target/venv), mysql2 (npm, into target/node), the crates of tests/drivers/rust (cargo fetch). Does nothing where
# it is there already; asks for root only when a Debian package is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

MYSQL2=3.24.6

failed() {
  echo "tests/setup.sh: $1 could not be installed. It comes from $2: is the network there?" >&2
  exit 1
}

packages=()
needs() { command -v "$1" >/dev/null || packages+=("${@:2}"); }
needs mariadb mariadb-client
needs sysbench sysbench
needs prometheus-mysqld-exporter prometheus-mysqld-exporter
needs curl curl
needs ip iproute2
needs node nodejs
needs npm npm
if ! cmp -s tests/drivers/requirements.txt target/venv/installed.txt; then
  python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
  # What mysqlclient is compiled with.
  needs pkg-config pkg-config
  pkg-config --exists libmariadb 2>/dev/null || packages+=(libmariadb-dev)
  python3 -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null ||
    packages+=(python3-dev)
fi
if [ ${#packages[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq || failed "${packages[*]}" "Debian's archive"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "${packages[@]}" || failed "${packages[*]}" "Debian's archive"
fi

if ! cmp -s tests/drivers/requirements.txt target/venv/installed.txt; then
  python3 -m venv target/venv
  target/venv/bin/pip install --quiet -r tests/drivers/requirements.txt ||
    failed "what tests/drivers/requirements.txt lists" PyPI
  cp tests/drivers/requirements.txt target/venv/installed.txt
fi

if ! grep -qs "\"version\": \"$MYSQL2\"" target/node/node_modules/mysql2/package.json; then
  mkdir -p target/node
  npm install --silent --no-save --no-package-lock --prefix target/node "mysql2@$MYSQL2" ||
    failed "mysql2 $MYSQL2" npm
fi

cargo fetch --quiet --locked --manifest-path tests/drivers/rust/Cargo.toml ||
  failed "what tests/drivers/rust needs" crates.io
