#!/usr/bin/env bash
# Old log files out of trees of three shapes: steward beside find -delete, and beside systemd-tmpfiles.
#
#   bench/files.sh            200,000 files in each tree, every other one old; BENCH_FILES=N for another number
#   BENCH_SHAPES=…            some of these, with spaces between them:
#                               flat   folders of 500 files
#                               deep   chains of 40 folders, each in the one before it, of 2 files
#                               wide   folders of 4 files and 3 folders, all the way down
#   BENCH_PEERS=…             some of these: find tmpfiles
set -euo pipefail
# shellcheck source=bench/lib/measure.sh
. "$(dirname "$0")/lib/measure.sh"

files=${BENCH_FILES:-200000}
shapes=${BENCH_SHAPES:-flat deep wide}
peers=${BENCH_PEERS:-find tmpfiles}
logs=$work/logs

prepare() {
  rm -rf "$logs"
  python3 - "$logs" "$files" "$shape" <<'END'
import os, sys, time
root, count, shape = sys.argv[1], int(sys.argv[2]), sys.argv[3]
now = time.time()


def folders():
    known = [root]
    for number in range(count):
        if shape == "flat":
            yield f"{root}/service-{number:04d}"
        elif shape == "deep":
            yield f"{root}/service-{number // 40:04d}" + "/d" * (number % 40)
        else:
            if number > 0:
                known.append(f"{known[(number - 1) // 3]}/{number}")
            yield known[number]


in_folder = {"flat": 500, "deep": 2, "wide": 4}[shape]
for first, folder in zip(range(0, count, in_folder), folders()):
    os.makedirs(folder, exist_ok=True)
    for n in range(first, min(first + in_folder, count)):
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
run_peer() { "run_$program"; }
run_find() {
  measured find "$logs" -xdev -type f -not -path '*/archive/*' \
    '(' -name '*.log' -o -name '*.log.[0-9]*' -o -name '*.log-[0-9]*' -o -name '*.log.gz' -o -name '*.log.zst' \
    -o -name '*.log.xz' -o -name '*.log.bz2' ')' -mmin +43200 -delete
}
# It goes by age, whatever the name; in these trees all files are logs.
run_tmpfiles() {
  echo "e $logs - - - m:30d" >"$work/logs.conf"
  measured systemd-tmpfiles --clean "$work/logs.conf"
}
left() { find "$logs" -type f -printf . | wc -c; }

expected_left=$((files / 2))
for shape in $shapes; do
  for program in $peers; do
    case $program in
      find) name="find -delete" ;;
      tmpfiles) name="systemd-tmpfiles" ;;
      *) die "there is no peer $program" ;;
    esac
    echo "files ($shape): $((files / 2)) of $files files removed"
    compare "$((files / 2))" "$name"
    echo
  done
done
