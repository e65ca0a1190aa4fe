#!/usr/bin/env bash
# The API while 200 browsers listen to its events: requests a second and latency of GET /api/v1/overview, what a dashboard
# asks for; beside Dagster's webserver, asked by GraphQL for what its own overview shows, and nginx with the same bytes
# as a file, which is as fast as it gets here. One after the other, each alone.
#
#   bench/http.sh             BENCH_SECONDS=N (20) for each, BENCH_RUNS=N (500) in the ledger
set -euo pipefail
# shellcheck source=bench/lib/measure.sh
. "$(dirname "$0")/lib/measure.sh"

seconds=${BENCH_SECONDS:-20} runs=${BENCH_RUNS:-500} listeners=200
version=1.13.27
dagster=$tools/dagster-webserver-$version
if [ ! -x "$dagster/bin/dagster-webserver" ]; then
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" -q install "dagster==$version" "dagster-webserver==$version" >&2 || die "no Dagster $version"
  sed -i "1s|^#!.*|#!$dagster/bin/python|" "$work"/venv/bin/dagster*
  mv "$work/venv" "$dagster"
fi

pids=()
stop_all() { [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true; }
trap 'stop_all; clean_up' EXIT
# until_answers URL: waits for it.
until_answers() {
  for _ in $(seq 600); do
    curl -sf -o "$work/answer" "$1" && return
    sleep 0.1
  done
  die "no answer from $1"
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# load NAME ARGUMENTS…: wrk, and a line of its figures into $work/table.
load() {
  local name=$1
  shift
  wrk --latency -t 2 -c 16 -d "${seconds}s" "$@" >"$work/wrk" || { cat "$work/wrk" >&2; die "wrk failed"; }
  if grep -q "Non-2xx" "$work/wrk"; then cat "$work/wrk" >&2; die "$name answered with errors"; fi
  awk -v name="$name" '/Requests\/sec/ {r = $2} $1 == "50%" {m = $2} $1 == "99%" {p = $2} END {printf "| %s | %.0f | %s | %s |\n", name, r, m, p}' \
    "$work/wrk" >>"$work/table"
}

mkdir "$work/app" "$work/app/logs"
printf 'cleanup:\n  logs: {kind: files, folder: logs, age: 30 days}\n' >"$work/app/steward.yaml"
fresh_state
export STEWARD_CONFIG=$work/app/steward.yaml
cd "$work/app"
"$steward" status >/dev/null 2>&1
for _ in $(seq "$runs"); do "$steward" run cleanup --json >/dev/null 2>&1; done
port=$(free_port)
token=$("$steward" token add bench 2>/dev/null)
"$steward" serve --listen "127.0.0.1:$port" >"$work/steward.log" 2>&1 &
pids+=($!)
steward_pid=$!
until_answers "http://127.0.0.1:$port/healthz"

python3 - "$port" "$token" "$listeners" >"$work/listening" <<'END' &
import selectors, socket, sys
port, token, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
waiting, open_ = selectors.DefaultSelector(), 0
for _ in range(count):
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    assert s.recv(65536).startswith(b"HTTP/1.1 200")
    waiting.register(s, selectors.EVENT_READ)
print("open", flush=True)
while waiting.get_map():
    for key, _ in waiting.select():
        if not key.fileobj.recv(65536):
            waiting.unregister(key.fileobj)
            print("closed", flush=True)
END
pids+=($!)
until grep -q open "$work/listening"; do sleep 0.1; done

curl -s -H "Authorization: Bearer $token" "http://127.0.0.1:$port/api/v1/overview" >"$work/overview.json"
load "steward, $listeners event streams open" -H "Authorization: Bearer $token" "http://127.0.0.1:$port/api/v1/overview"
rss=$(awk '/^VmRSS/ {printf "%.1f", $2 / 1024}' "/proc/$steward_pid/status")
if grep -q closed "$work/listening"; then die "event streams were closed meanwhile"; fi
stop_all
wait "${pids[@]}" 2>/dev/null || true
pids=()

# Dagster: a job with as many runs as it takes to fill its overview, in SQLite as it comes.
mkdir "$work/dagster" "$work/dagster/home"
export DAGSTER_HOME=$work/dagster/home DAGSTER_DISABLE_TELEMETRY=yes
cat >"$work/dagster/definitions.py" <<'END'
import dagster
@dagster.op
def remove(): pass
@dagster.job
def cleanup(): remove()
defs = dagster.Definitions(jobs=[cleanup], schedules=[dagster.ScheduleDefinition(job=cleanup, cron_schedule="0 3 * * *")])
END
cd "$work/dagster"
"$dagster/bin/python" -c '
import dagster, definitions
with dagster.DagsterInstance.get() as instance:
    for _ in range(20): definitions.cleanup.execute_in_process(instance=instance)
' >"$work/dagster.log" 2>&1 || { tail "$work/dagster.log" >&2; die "Dagster ran nothing"; }
port=$(free_port)
"$dagster/bin/dagster-webserver" -f definitions.py -h 127.0.0.1 -p "$port" >"$work/dagster.log" 2>&1 &
pids+=($!)
until_answers "http://127.0.0.1:$port/server_info"
cat >"$work/graphql.lua" <<'END'
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"query": "{ runsOrError(limit: 10) { ... on Runs { results { id jobName status startTime endTime } } } repositoriesOrError { ... on RepositoryConnection { nodes { name schedules { name cronSchedule scheduleState { status } futureTicks(limit: 1) { results { timestamp } } } } } } }"}'
END
load "Dagster's webserver, no stream" -s "$work/graphql.lua" "http://127.0.0.1:$port/graphql"
stop_all
wait "${pids[@]}" 2>/dev/null || true
pids=()

port=$(free_port)
mkdir "$work/nginx"
cp "$work/overview.json" "$work/nginx/overview"
chmod -R a+rX "$work/nginx"
cat >"$work/nginx.conf" <<END
daemon off; worker_processes auto; pid $work/nginx.pid; error_log $work/nginx.log;
events { worker_connections 512; }
http { access_log off; server { listen 127.0.0.1:$port; root $work/nginx; } }
END
nginx -c "$work/nginx.conf" 2>"$work/nginx.log" &
pids+=($!)
until_answers "http://127.0.0.1:$port/overview"
load "nginx, the same bytes as a file" "http://127.0.0.1:$port/overview"

echo "GET /api/v1/overview: $(wc -c <"$work/overview.json") bytes, $runs runs in the ledger, 16 connections, $seconds s each; steward's RSS $rss MiB"
echo "| | requests/s | p50 | p99 |"
echo "|---|---|---|---|"
cat "$work/table"
