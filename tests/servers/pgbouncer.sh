#!/bin/bash
# PgBouncer in transaction mode in front of a PostgreSQL of the tests, on a free port of its own, stopped by its process id.
#
#   tests/servers/pgbouncer.sh start DIR HOST:PORT    waits until it answers; writes DIR/port and DIR/pgbouncer.pid
#   tests/servers/pgbouncer.sh stop DIR
#
# It refuses to run as root: as root it runs as the user `postgres`, who must be able to enter DIR.
set -euo pipefail

die() {
  printf 'pgbouncer.sh: %s\n' "$*" >&2
  exit 1
}

as_postgres() {
  if [ "$(id -u)" = 0 ]; then
    (cd / && setpriv --reuid postgres --regid postgres --init-groups -- "$@")
  else
    "$@"
  fi
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

start() {
  local dir=$1 upstream=$2 port=''
  command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || die "pgbouncer is not installed: apt-get install pgbouncer"
  mkdir -p "$dir"
  if [ "$(id -u)" = 0 ]; then chown postgres: "$dir"; fi
  for _ in $(seq 50); do
    port=$((20000 + RANDOM % 12000))
    if port_is_free "$port"; then break; fi
  done
  as_postgres tee "$dir/pgbouncer.ini" >/dev/null <<INI
[databases]
* = host=${upstream%:*} port=${upstream#*:}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
auth_type = any
pool_mode = transaction
default_pool_size = 10
server_reset_query = DISCARD ALL
logfile = $dir/log
pidfile = $dir/pgbouncer.pid
unix_socket_dir =
INI
  # auth_type any logs everybody in as the user of the database's line; the tests' superuser is postgres.
  sed -i 's/^\* = .*/& user=postgres/' "$dir/pgbouncer.ini"
  as_postgres /usr/sbin/pgbouncer -d "$dir/pgbouncer.ini" >/dev/null 2>&1 || die "it did not start: $(tail -n 3 "$dir/log")"
  for _ in $(seq 100); do
    if ! port_is_free "$port"; then
      echo "$port" >"$dir/port"
      return 0
    fi
    sleep 0.05
  done
  die "it does not answer: $(tail -n 3 "$dir/log")"
}

stop() {
  local dir=$1 pid
  pid=$(cat "$dir/pgbouncer.pid" 2>/dev/null || true)
  [ -n "$pid" ] || return 0
  kill -QUIT "$pid" 2>/dev/null || true
}

case "${1:-}" in
  start) start "$2" "$3" ;;
  stop) stop "$2" ;;
  *) die "start DIR HOST:PORT, or stop DIR" ;;
esac
