#!/usr/bin/env bash
# The daemon while it has little to do: how soon it is ready, what it holds, and how long after its second a job begins;
# beside supercronic and APScheduler, all with one job each minute, side by side.
#
#   bench/serve.sh            five minutes; BENCH_MINUTES=N for others
set -euo pipefail
# shellcheck source=bench/lib/measure.sh
. "$(dirname "$0")/lib/measure.sh"

minutes=${BENCH_MINUTES:-5}
version=v0.2.33
supercronic=$tools/supercronic-$version
if [ ! -x "$supercronic" ]; then
  GOBIN=$work GOFLAGS=-buildvcs=false GOTOOLCHAIN=auto "$(newest_go)" install \
    "github.com/aptible/supercronic@$version" >&2 || die "no supercronic $version"
  mv "$work/supercronic" "$supercronic"
fi

python3 -m venv "$work/python"
"$work/python/bin/pip" install --quiet --disable-pip-version-check apscheduler==3.11.3 >&2 || die "no APScheduler"
cat >"$work/peer.py" <<'END'
import subprocess, sys
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.cron import CronTrigger
scheduler = BlockingScheduler(timezone="UTC")
# As the others: a process of its own for each run.
scheduler.add_job(lambda: subprocess.run(["date", "+%s.%N"], stdout=open(sys.argv[1], "a")), CronTrigger.from_crontab("* * * * *"))
scheduler.add_listener(lambda event: print("ready", flush=True), 1)  # EVENT_SCHEDULER_STARTED
scheduler.start()
END

mkdir "$work/app" "$work/app/logs"
cat >"$work/app/steward.yaml" <<END
cleanup:
  logs: {kind: files, folder: logs, age: 30 days}
jobs:
  cleanup: {schedule: "* * * * *"}
END
printf '* * * * * date +%%s.%%N >>%s\n' "$work/app/began" >"$work/app/crontab"
fresh_state
export STEWARD_CONFIG=$work/app/steward.yaml
cd "$work/app"

pids=()
stop_all() { [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true; }
trap 'stop_all; clean_up' EXIT

# ready FILE WORD: waits until the word is in the file; milliseconds since $since.
ready() {
  until grep -q "$2" "$1" 2>/dev/null; do :; done
  echo $((($(date +%s%N) - since) / 1000000))
}
since=$(date +%s%N)
"$steward" serve --log-format json >"$work/steward.log" 2>&1 &
pids+=($!)
steward_start=$(ready "$work/steward.log" serves)
since=$(date +%s%N)
"$supercronic" "$work/app/crontab" >"$work/supercronic.log" 2>&1 &
pids+=($!)
peer_start=$(ready "$work/supercronic.log" "read crontab")
since=$(date +%s%N)
"$work/python/bin/python" "$work/peer.py" "$work/app/began-apscheduler" >"$work/apscheduler.log" 2>&1 &
pids+=($!)
apscheduler_start=$(ready "$work/apscheduler.log" ready)

sleep "$((minutes * 60 + 60 - $(date +%s) % 60 + 5))"
figures() { # PID: RSS and anonymous memory in KiB, CPU ticks
  awk '/^VmRSS/ {r = $2} /^RssAnon/ {a = $2} END {printf "%.1f %.1f", r / 1024, a / 1024}' "/proc/$1/status"
  awk '{printf " %.2f\n", ($14 + $15) / 100}' "/proc/$1/stat"
}
steward_figures=$(figures "${pids[0]}")
peer_figures=$(figures "${pids[1]}")
apscheduler_figures=$(figures "${pids[2]}")
stop_all
wait "${pids[@]}" 2>/dev/null || true
pids=()

"$steward" runs --json --limit 1000 >"$work/runs.json"
"$steward" schedule cleanup --past --json -n 1000 >"$work/ticks.json"
python3 - "$work" "$steward_start" "$steward_figures" "$peer_start" "$peer_figures" "$apscheduler_start" \
  "$apscheduler_figures" <<'END'
import datetime, json, statistics, sys
work, *figures = sys.argv[1:]
def at(text): return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
runs = {run["run"]: at(run["started"]) for run in json.load(open(work + "/runs.json"))["runs"]}
ticks = [tick for tick in json.load(open(work + "/ticks.json"))["ticks"] if tick["outcome"] == "fired"]
ours = [runs[tick["run"]] - at(tick["tick"]) for tick in ticks]
began = lambda name: [moment % 60 for moment in map(float, open(f"{work}/app/{name}"))]
all = {"steward": ours, "supercronic": began("began"), "APScheduler": began("began-apscheduler")}
print(f"serve: one job each minute, {', '.join(str(len(lags)) for lags in all.values())} ticks")
print("| | ready after ms | lag p50 ms | lag max ms | RSS MiB | of it its own | CPU s |")
print("|---|---|---|---|---|---|---|")
for (name, lags), start, own_figures in zip(all.items(), figures[::2], figures[1::2]):
    rss, own, cpu = own_figures.split()
    print(f"| {name} | {start} | {statistics.median(lags) * 1000:.1f} | {max(lags) * 1000:.1f} | {rss} | {own} | {cpu} |")
END
