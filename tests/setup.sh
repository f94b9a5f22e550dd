#!/usr/bin/env bash
# Installs what the tests run against a real group, on Debian: mariadb, sysbench, PyMySQL, ip (networks of their own).
# Does nothing where they are there already. PyMySQL goes into target/venv unless python3 has it; the
# tests take target/venv/bin/python3 if that exists, else python3.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=()
command -v mariadb >/dev/null || packages+=(mariadb-client)
command -v sysbench >/dev/null || packages+=(sysbench)
command -v ip >/dev/null || packages+=(iproute2)
has_pymysql() { "$1" -c 'import pymysql, cryptography' 2>/dev/null; }
needs_venv=false
if ! has_pymysql python3 && ! has_pymysql target/venv/bin/python3; then
  needs_venv=true
  python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
fi

if [ ${#packages[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi
if $needs_venv; then
  python3 -m venv target/venv
  target/venv/bin/pip install --quiet 'PyMySQL[rsa]'
fi
