#!/usr/bin/env bash
# Old log files out of a tree: steward beside find -delete.
#
#   bench/files.sh            200,000 files in 400 folders, every other one old; BENCH_FILES=N for another number
set -euo pipefail
# shellcheck source=bench/lib/measure.sh
. "$(dirname "$0")/lib/measure.sh"

files=${BENCH_FILES:-200000}
logs=$work/logs

prepare() {
  rm -rf "$logs"
  python3 - "$logs" "$files" <<'END'
import os, sys, time
root, count = sys.argv[1], int(sys.argv[2])
now = time.time()
for n in range(count):
    folder = f"{root}/service-{n // 500:04d}"
    if n % 500 == 0:
        os.makedirs(folder)
    path = f"{folder}/web-{n:06d}.log"
    with open(path, "w") as file:
        file.write("GET /listing 200\n")
    if n % 2 == 0:
        then = now - (40 + n % 300) * 86400
        os.utime(path, (then, then))
END
  sync -f "$logs"
}
run_steward() {
  LOG_DIR=$logs measured "$steward" run cleanup/purge-logs --allow-removal purge-logs
}
run_peer() {
  measured find "$logs" -xdev -type f -not -path '*/archive/*' \
    '(' -name '*.log' -o -name '*.log.[0-9]*' -o -name '*.log-[0-9]*' -o -name '*.log.gz' -o -name '*.log.zst' \
    -o -name '*.log.xz' -o -name '*.log.bz2' ')' -mmin +43200 -delete
}
left() { find "$logs" -type f -printf . | wc -c; }

expected_left=$((files / 2))
echo "files: $((files / 2)) of $files files removed"
compare "$((files / 2))" "find -delete"
