#!/usr/bin/env bash
# What a run costs through Dagster: `steward run cleanup` with nothing to do, as a bare child, as one that speaks Pipes, as
# a job in a process that has Dagster loaded already, and as people start it: over GraphQL, with Dagster's own launcher.
#
#   bench/dagster.sh          BENCH_REPEATS=N runs of each (5)
set -euo pipefail
# shellcheck source=bench/lib/measure.sh
. "$(dirname "$0")/lib/measure.sh"

house=$(cd "$(dirname "$0")/.." && pwd)
venv=$("$house/dagster/venv.sh" new)
mkdir -p "$work/logs"
cat >"$work/steward.yaml" <<END
version: 1
cleanup:
  purge-logs: {kind: files, folder: $work/logs, age: 30 days}
jobs:
  cleanup: {scheduler: dagster, schedule: "0 0 1 1 *"}
END
PYTHONPATH=$house/dagster "$venv/bin/python" "$house/bench/dagster_runs.py" "$steward" "$work" "${BENCH_REPEATS:-5}" \
  >"$work/output" 2>&1 || { tail -20 "$work/output" >&2; exit 1; }
echo "seconds, median (all):"
while IFS=$'\t' read -r name all; do
  median=$(tr '\t' '\n' <<<"$all" | sort -n | awk '{a[NR] = $1} END {print a[int((NR + 1) / 2)]}')
  printf '%-28s %8s   (%s)\n' "$name" "$median" "${all//$'\t'/ }"
done <"$work/figures"
