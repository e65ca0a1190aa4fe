#!/bin/bash
# A PostgreSQL cluster for tests: its own data, its own free port, found and stopped by its process id.
#
#   tests/servers/postgres.sh install               the packages, where they are missing (root)
#   tests/servers/postgres.sh start DIR             makes a cluster below DIR, starts it, waits until it answers
#   tests/servers/postgres.sh restart DIR [immediate]   as a crash would, with `immediate`
#   tests/servers/postgres.sh standby DIR STANDBY   a streaming replica of DIR's server below STANDBY
#   tests/servers/postgres.sh stop DIR
#
# start writes DIR/env, to be sourced, and DIR/postgres.pid:
#   STEWARD_TEST_POSTGRES         URL of the superuser `postgres`, who needs no password
#   STEWARD_TEST_POSTGRES_LOGIN   URL of a user with a password, over TCP
#   STEWARD_TEST_POSTGRES_SOCKET  the folder of its Unix socket
#
# PostgreSQL refuses to run as root: as root, everything here runs as the user `postgres`, who must be able to enter DIR.
# STEWARD_PG_BIN names another version's programs; STEWARD_PG_FSYNC=on keeps what a power cut would take.
set -euo pipefail

pg_bin=${STEWARD_PG_BIN:-/usr/lib/postgresql/15/bin}
fsync=${STEWARD_PG_FSYNC:-off}
login_password='p@ss/w:rd?1%'
login_password_encoded='p%40ss%2Fw%3Ard%3F1%25'

say() { printf '%s\n' "postgres.sh: $*" >&2; }
die() {
  say "$*"
  exit 1
}

# Runs a command as a user that PostgreSQL accepts. From /, because the caller's folder may be closed to that user.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then
    (cd / && setpriv --reuid postgres --regid postgres --init-groups -- "$@")
  else
    "$@"
  fi
}

install_packages() {
  if [ -x "$pg_bin/initdb" ]; then return 0; fi
  [ "$(id -u)" = 0 ] || die "postgresql-15 is missing; run this as root: apt-get install postgresql-15"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  # The package may start a cluster of its own on 5432; ours takes a free port and does not mind.
  apt-get install -q -y --no-install-recommends postgresql-15
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Outside the kernel's range for outgoing connections, so that none of those takes it between this look and the start.
free_port() {
  local port
  for _ in $(seq 100); do
    port=$((20000 + RANDOM % 12000))
    if port_is_free "$port"; then
      echo "$port"
      return 0
    fi
  done
  die "no free port between 20000 and 32000"
}

make_cluster() {
  local dir=$1
  as_postgres "$pg_bin/initdb" --pgdata="$dir/data" --username=postgres --encoding=UTF8 --locale=C.UTF-8 \
    --auth=trust --no-sync >"$dir/initdb.log" 2>&1 ||
    die "initdb failed: $(tail -n 3 "$dir/initdb.log")"
  as_postgres tee "$dir/data/pg_hba.conf" >/dev/null <<HBA
local all         postgres                trust
host  all         postgres  127.0.0.1/32  trust
local all         all                     scram-sha-256
host  all         all       127.0.0.1/32  scram-sha-256
local replication postgres                trust
HBA
}

configure() {
  local dir=$1 port=$2
  as_postgres tee "$dir/data/postgresql.auto.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$dir/socket'
max_connections = 100
fsync = $fsync
logging_collector = off
CONF
}

# pg_ctl waits until the server answers; its failure is the only thing that knows that a port was taken after all.
launch() {
  local dir=$1
  as_postgres "$pg_bin/pg_ctl" start --silent --wait --timeout=60 --pgdata="$dir/data" --log="$dir/log" </dev/null >/dev/null 2>&1
}

psql_quietly() {
  local dir=$1 port=$2
  as_postgres "$pg_bin/psql" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --host="$dir/socket" --port="$port" --username=postgres \
    --dbname=postgres
}

write_env() {
  local dir=$1 port=$2
  head -n 1 "$dir/data/postmaster.pid" >"$dir/postgres.pid"
  cat >"$dir/env" <<ENV
export STEWARD_TEST_POSTGRES='postgresql://postgres@127.0.0.1:$port/postgres?sslmode=disable'
export STEWARD_TEST_POSTGRES_LOGIN='postgresql://steward_login:$login_password_encoded@127.0.0.1:$port/postgres?sslmode=disable'
export STEWARD_TEST_POSTGRES_SOCKET='$dir/socket'
ENV
}

start() {
  local dir=$1 port
  [ -x "$pg_bin/initdb" ] || die "no $pg_bin/initdb; run \`tests/servers/postgres.sh install\`, or set STEWARD_PG_BIN"
  if [ -e "$dir/postgres.pid" ] && is_ours "$dir" "$(cat "$dir/postgres.pid")"; then die "a cluster runs in $dir already"; fi
  mkdir -p "$dir"
  dir=$(realpath "$dir")
  # A socket's path has at most 107 bytes.
  [ "${#dir}" -le 80 ] || die "$dir is too long for the path of a socket: choose a shorter folder"
  mkdir -p "$dir/data" "$dir/socket"
  touch "$dir/log"
  if [ "$(id -u)" = 0 ]; then
    chmod a+x "$dir"
    chown postgres: "$dir/data" "$dir/socket" "$dir/log"
    as_postgres test -x "$dir" || die "the user postgres cannot enter $dir: choose a folder like /tmp/NAME"
  fi
  chmod 700 "$dir/data"
  if [ ! -e "$dir/data/PG_VERSION" ]; then make_cluster "$dir"; fi
  for _ in 1 2 3 4 5; do
    port=$(free_port)
    configure "$dir" "$port"
    if launch "$dir"; then
      write_env "$dir" "$port"
      psql_quietly "$dir" "$port" <<SQL
select 'create role steward_login login' where not exists (select from pg_roles where rolname = 'steward_login') \\gexec
alter role steward_login password '$login_password';
SQL
      say "PostgreSQL $(cat "$dir/data/PG_VERSION") on port $port; source $dir/env"
      return 0
    fi
    grep -q 'could not bind' "$dir/log" || break
  done
  die "PostgreSQL did not start: $(tail -n 5 "$dir/log")"
}

# Whether process $2 is the server of folder $1: its working directory is its data.
is_ours() { [ -n "$2" ] && [ "$(readlink "/proc/$2/cwd" 2>/dev/null)" = "$(realpath "$1")/data" ]; }

stop() {
  local dir pid signal
  dir=$(realpath "$1")
  pid=$(cat "$dir/postgres.pid" 2>/dev/null || true)
  if ! is_ours "$dir" "$pid"; then
    say "no server runs in $dir"
    rm -f "$dir/postgres.pid"
    return 0
  fi
  # INT ends sessions and writes a checkpoint; QUIT is for a server that does not manage to.
  for signal in "${2:-INT}" QUIT; do
    kill "-$signal" "$pid" 2>/dev/null || true
    for _ in $(seq 300); do
      if ! is_ours "$dir" "$pid"; then
        rm -f "$dir/postgres.pid"
        return 0
      fi
      sleep 0.1
    done
  done
  die "process $pid does not end"
}

restart() {
  local dir port
  dir=$(realpath "$1")
  port=$(sed -n 's/^port = //p' "$dir/data/postgresql.auto.conf")
  if [ "${2:-}" = immediate ]; then stop "$dir" QUIT; else stop "$dir"; fi
  # The same port, or a program that waits for the server to come back would wait for ever.
  launch "$dir" || die "PostgreSQL did not start again: $(tail -n 5 "$dir/log")"
  write_env "$dir" "$port"
}

standby() {
  local primary dir port
  primary=$(realpath "$1")
  mkdir -p "$2"
  dir=$(realpath "$2")
  mkdir -p "$dir/data" "$dir/socket"
  touch "$dir/log"
  if [ "$(id -u)" = 0 ]; then
    chmod a+x "$dir"
    chown postgres: "$dir/data" "$dir/socket" "$dir/log"
  fi
  chmod 700 "$dir/data"
  port=$(sed -n 's/^port = //p' "$primary/data/postgresql.auto.conf")
  as_postgres "$pg_bin/pg_basebackup" --host="$primary/socket" --port="$port" --username=postgres --pgdata="$dir/data" \
    --write-recovery-conf --wal-method=stream --checkpoint=fast --no-sync || die "the base backup failed"
  port=$(free_port)
  as_postgres tee -a "$dir/data/postgresql.auto.conf" >/dev/null <<CONF
port = $port
unix_socket_directories = '$dir/socket'
CONF
  launch "$dir" || die "the standby did not start: $(tail -n 5 "$dir/log")"
  write_env "$dir" "$port"
}

usage() { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; }

case "${1:-}" in
  install) install_packages ;;
  start | stop | restart | standby)
    [ $# -ge 2 ] || {
      usage
      exit 2
    }
    "$1" "$2" "${3:-}"
    ;;
  *)
    usage
    exit 2
    ;;
esac
