# What the benchmarks share: steward beside a peer in one run, in turns, on the same data. Sourced, not run.
# shellcheck shell=bash
#
# A benchmark defines
#   prepare            the data as before every run; not measured
#   run_steward        one command, through `measured`
#   run_peer           the same work, through `measured`
#   left               how many items are left; must be $expected_left after every run
# and calls `compare`.
#
#   STEWARD=PROGRAM    measures that one instead of build/steward
#   BENCH_PAIRS=N      how many pairs (3), after a first pair that is not counted
#   BENCH_DIR=FOLDER   where the data goes (a folder below /tmp), so that disk and memory can be compared

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
steward=$(realpath "${STEWARD:-$repository/build/steward}")
pairs=${BENCH_PAIRS:-3}
tools=${STEWARD_TOOLS:-$HOME/.cache/steward-tools}

die() {
  echo "${0##*/}: $*" >&2
  exit 1
}
[ -x "$steward" ] || die "there is no $steward: run ./dev build"
[ -x /usr/bin/time ] || die "there is no /usr/bin/time: install the package time"

work=$(mktemp -d "${BENCH_DIR:-/tmp}/steward-bench-XXXXXX")
chmod 755 "$work" # the user postgres has to get in
servers=()
# start_server NAME: starts it, and its variables into this environment.
start_server() {
  local server=$1
  servers+=("$server")
  "$repository/tests/servers/$server.sh" install >"$work/$server.log" 2>&1 || { cat "$work/$server.log" >&2; die "no $server"; }
  mkdir "$work/$server"
  chmod 755 "$work/$server"
  "$repository/tests/servers/$server.sh" start "$work/$server" >"$work/$server.log" 2>&1 || { cat "$work/$server.log" >&2; die "no $server"; }
  # shellcheck source=/dev/null
  . "$work/$server/env"
}
clean_up() {
  local server
  for server in "${servers[@]}"; do "$repository/tests/servers/$server.sh" stop "$work/$server" >/dev/null 2>&1 || true; done
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# Where the machine's own Go is too old, s3_versity.sh has fetched another.
newest_go() {
  local go=go place
  for place in "$tools"/toolchain@*/bin/go; do if [ -x "$place" ]; then go=$place; fi; done
  echo "$go"
}

# A state directory of its own for every run: no history, no plan of an earlier one.
fresh_state() {
  rm -rf "$work/state"
  export STEWARD_STATE_DIR=$work/state
}

# measured COMMAND…: runs it with its output in a file, and leaves "elapsed user system peak-KiB" in $work/figures.
measured() {
  /usr/bin/time -o "$work/figures" -f '%e %U %S %M' "$@" >"$work/output" 2>&1 || { cat "$work/output" >&2; die "failed: $1"; }
}

# compare ITEMS PEER: the pairs and the table. $expected_left is what has to be left.
compare() {
  local items=$1 peer=$2 pair who found
  : >"$work/all"
  for pair in $(seq 0 "$pairs"); do
    for who in steward peer; do
      prepare
      fresh_state
      "run_$who"
      found=$(left)
      # shellcheck disable=SC2154
      [ "$found" = "$expected_left" ] || { cat "$work/output" >&2; die "$who left $found, not $expected_left"; }
      echo "pair $pair of $pairs, $who: $(cat "$work/figures")" >&2
      [ "$pair" = 0 ] || echo "$who $(cat "$work/figures")" >>"$work/all"
    done
  done
  python3 "$repository/bench/lib/report.py" "$items" "$peer" <"$work/all"
}
