#!/usr/bin/env bash
# Logs rotated: steward beside logrotate.
#
#   bench/rotation.sh         all of it; BENCH_LOGS=N for another number than 10,000 small logs, BENCH_GIB=N than 5 GiB
#   BENCH_ACTS=…              some of these, with spaces between them:
#                               small  many logs of 4 KiB, renamed
#                               large  one large log, nobody writes to it, compressed with gzip
#                               lines  a writer numbers its lines meanwhile: how many are lost, over BENCH_ROTATIONS (50)
set -euo pipefail
# shellcheck source=bench/lib/measure.sh
. "$(dirname "$0")/lib/measure.sh"

logs_wanted=${BENCH_LOGS:-10000}
gib=${BENCH_GIB:-5}
rotations=${BENCH_ROTATIONS:-50}
acts=${BENCH_ACTS:-small large lines}
logs=$work/logs

# configure STEWARD-OPTIONS LOGROTATE-OPTIONS…
configure() {
  cat >"$work/steward.yaml" <<END2
rotate-logs:
  web: {folder: $logs, keep: 7 days$1}
END2
  export STEWARD_CONFIG=$work/steward.yaml
  shift
  {
    echo "$logs/*.log {"
    printf '  %s\n' daily dateext "dateformat .%Y%m%dT%s" "rotate 1000" "olddir $logs/archive" createolddir missingok notifempty nocreate "su root root" "$@"
    echo "}"
  } >"$work/logrotate.conf"
}
run_steward() { measured "$steward" run rotate-logs --force; }
run_peer() { measured /usr/sbin/logrotate -f -s "$work/logrotate.state" "$work/logrotate.conf"; }
left() { find "$logs" -maxdepth 1 -name '*.log' -size +0 -printf . | wc -c; }
expected_left=0

small() {
  configure ''
  prepare() {
    rm -rf "$logs" "$work/logrotate.state"
    mkdir -p "$logs"
    python3 - "$logs" "$logs_wanted" <<'END2'
import sys
line = b"GET /listing 200 12 ms\n" * 178
for number in range(int(sys.argv[2])):
    with open(f"{sys.argv[1]}/service-{number:05d}.log", "wb") as log:
        log.write(line)
END2
    sync -f "$logs"
  }
  echo "rotation: $logs_wanted logs of 4 KiB, renamed"
  compare "$logs_wanted" logrotate
}

large() {
  configure ', compress: gzip' compress
  prepare() {
    rm -rf "$logs" "$work/logrotate.state"
    mkdir -p "$logs"
    [ -e "$work/large" ] || python3 - "$work/large" "$gib" <<'END2'
import random
import sys
random.seed(1)
chunk = "".join(f"2026-11-29T03:{n % 60:02d}:00Z GET /listing/{random.randrange(10**9)} 200 {random.randrange(500)} ms\n" for n in range(20000)).encode()
with open(sys.argv[1], "wb") as log:
    for _ in range(int(sys.argv[2]) * (1 << 30) // len(chunk)):
        log.write(chunk)
END2
    cp --reflink=auto "$work/large" "$logs/web.log"
    sync -f "$logs"
  }
  echo "rotation: one log of $gib GiB, compressed with gzip"
  compare "$gib" logrotate
  rm -f "$work/large"
}

# lines: a writer that never opens its log anew, as most do not know how to.
lines() {
  local who way lost
  printf '%-40s %12s %10s %10s\n' "rotation: $rotations under a writer" lines lost twice
  for way in copytruncate compress; do
    for who in steward logrotate; do
      case $way in
        copytruncate) configure '' copytruncate ;; # steward: whatever loses nothing
        compress) configure ', writer: rename, compress: gzip' compress ;;
      esac
      rm -rf "$logs" "$work/logrotate.state" "$work/stop"
      mkdir -p "$logs"
      python3 - "$logs/web.log" "$work/stop" >"$work/written" <<'END2' &
import os
import sys
import time
# 20,000 lines a second, each its own write(2), through the descriptor of the beginning.
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
number, began = 0, time.monotonic()
while not os.path.exists(sys.argv[2]):
    for _ in range(200):
        number += 1
        os.write(log, b"line %09d of a web server's log, as long as they are\n" % number)
    ahead = number / 20000 - (time.monotonic() - began)
    if ahead > 0:
        time.sleep(ahead)
print(number)
END2
      local writer=$!
      until [ -s "$logs/web.log" ]; do sleep 0.05; done
      fresh_state
      for _ in $(seq "$rotations"); do
        if [ "$who" = steward ]; then run_steward; else run_peer; fi
        # A name for each second is all that logrotate has.
        sleep 1
      done
      touch "$work/stop"
      wait "$writer"
      lost=$(python3 - "$logs" "$(cat "$work/written")" <<'END2'
import glob
import gzip
import re
import sys
stream = []
for path in sorted(glob.glob(f"{sys.argv[1]}/archive/*")) + [f"{sys.argv[1]}/web.log"]:
    try:
        stream.append((gzip.open if path.endswith(".gz") else open)(path, "rb").read())
    except FileNotFoundError:
        pass
found = [int(number) for number in re.findall(rb"line (\d{9}) of", b"".join(stream))]
print(int(sys.argv[2]) - len(set(found)), len(found) - len(set(found)))
END2
)
      printf '%-40s %12s %10s %10s\n' "$who, ${way/copytruncate/$([ "$who" = steward ] && echo auto || echo copytruncate)}" "$(cat "$work/written")" "${lost% *}" "${lost#* }"
    done
  done
}

for act in $acts; do
  case $act in
    small | large | lines) "$act" ;;
    *) die "there is nothing called $act here" ;;
  esac
  echo
done
