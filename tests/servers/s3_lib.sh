# What s3_versity.sh and s3_rgw.sh share. Sourced, not run.
# shellcheck shell=bash

# The keys of every test server. They open nothing but servers on loopback that live as long as a test run.
access_key=steward-test
secret_key=steward-test-secret-key
export access_key secret_key

# Says why, stops what was started, and ends.
die() {
  echo "$0: $*" >&2
  [ -z "${dir:-}" ] || stop_all
  exit 1
}

# A port that nobody listens on now. Someone may take it before we do: the servers are started again on another then.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

# wait_until SECONDS COMMAND...: tries the command until it succeeds.
wait_until() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.1
  done
}

# Whether the process whose id is in file $1 runs.
alive() {
  kill -0 "$(cat "$1")" 2>/dev/null
}

# answers PIDFILE URL [CURL-OPTION...]: waits until the server answers anything in HTTP; fails at once when it has ended.
answers() {
  local pidfile=$1 url=$2 end=$((SECONDS + 60))
  shift 2
  until curl --silent --noproxy '*' --output /dev/null --max-time 5 "$@" "$url"; do
    alive "$pidfile" && ((SECONDS < end)) || return 1
    sleep 0.1
  done
}

# in_background NAME COMMAND...: starts it, with $dir/NAME.pid and $dir/NAME.log, in a session of its own, so that a
# Control-C of the test run does not reach it before its data has been looked at.
in_background() {
  local name=$1
  shift
  setsid "$@" >"$dir/$name.log" 2>&1 </dev/null &
  echo $! >"$dir/$name.pid"
}

# Stops what the pid files in $dir name, and nothing else; waits until it is gone.
stop_all() {
  local file
  for file in "$dir"/*.pid; do
    [ -e "$file" ] || continue
    kill "$(cat "$file")" 2>/dev/null || true
  done
  for file in "$dir"/*.pid; do
    [ -e "$file" ] && stop_one "$file"
  done
  return 0
}
stop_one() {
  kill "$(cat "$1")" 2>/dev/null || true
  wait_until 15 not_alive "$1" || kill -9 "$(cat "$1")" 2>/dev/null || true
  rm -f "$1"
}
not_alive() { ! alive "$1"; }

# One of install, start DIR, stop DIR; they are functions of the script that sources this file.
main() {
  case "${1:-}" in
    install) install_server ;;
    start | stop)
      [ -n "${2:-}" ] || die "$1 needs a folder"
      mkdir -p "$2"
      dir=$(cd "$2" && pwd)
      if [ "$1" = start ]; then start_server; else stop_all; fi
      ;;
    *) die "usage: $0 install | start DIR | stop DIR" ;;
  esac
}
