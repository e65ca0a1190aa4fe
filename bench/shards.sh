#!/usr/bin/env bash
# A purge of rows and an expiry of objects: in one run, and in 1, 2 and 4 shards at once, all on this machine.
#
#   bench/shards.sh        1,000,000 rows (750,000 old) and 20,000 objects (10,000 old); BENCH_ROWS=N, BENCH_OBJECTS=N
#
#   BENCH_SHARDS="1 2 4"   how many at once
#   BENCH_RUNS=3           times each; the best counts, since others only ever make it slower
set -euo pipefail
# shellcheck source=bench/lib/measure.sh
. "$(dirname "$0")/lib/measure.sh"

rows=${BENCH_ROWS:-1000000} objects=${BENCH_OBJECTS:-20000} runs=${BENCH_RUNS:-3}
read -ra counts <<<"${BENCH_SHARDS:-1 2 4}"
old_rows=$((rows * 3 / 4)) old_objects=$((objects / 2))

# Of both servers.
clean_up() {
  local kind
  for kind in postgres s3_versity; do
    if [ -d "$work/$kind" ]; then "$repository/tests/servers/$kind.sh" stop "$work/$kind" >/dev/null 2>&1 || true; fi
  done
  rm -rf "$work"
}

start_server postgres
database=${STEWARD_TEST_POSTGRES/\/postgres\?/\/bench?}
seed=${STEWARD_TEST_POSTGRES/\/postgres\?/\/seed?}
psql -qX "$STEWARD_TEST_POSTGRES" -v ON_ERROR_STOP=1 -c "alter system set autovacuum = off" -c "select pg_reload_conf()" \
  -c "create database seed" >/dev/null
psql -qX "$seed" -v ON_ERROR_STOP=1 >/dev/null <<END
create table signals (id bigserial primary key, idea_id bigint, "timestamp" timestamptz not null, engagement_rate float8,
                      details jsonb, content_hash text);
insert into signals (idea_id, "timestamp", engagement_rate, details, content_hash)
  select i % 1000, now() - case when i <= $old_rows then interval '40 days' else interval '1 day' end, random(),
         jsonb_build_object('source', 'bench', 'n', i, 'note', repeat('x', 120)), md5(i::text)
    from generate_series(1, $rows) i;
create index signals_timestamp on signals ("timestamp");
vacuum (freeze, analyze) signals;
END
fresh_rows() {
  psql -qX "$STEWARD_TEST_POSTGRES" -v ON_ERROR_STOP=1 -c "set client_min_messages = error" -c "drop database if exists bench" \
    -c "create database bench template seed strategy file_copy" -c checkpoint
}
rows_left() { psql -qXAt "$database" -c "select count(*) from signals"; }

start_server s3_versity
data=$STEWARD_TEST_S3_VERSITY_DATA
mkdir "$data/bucket"
python3 - "$work/seed" "$objects" "$old_objects" <<'END'
import os, sys, time
root, count, old = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
at = time.time() - 120 * 86400
for number in range(count):
    folder = f"{root}/exports/{number // 500:04d}"
    os.makedirs(folder, exist_ok=True)
    path = f"{folder}/{number:06d}.csv"
    with open(path, "wb") as file:
        file.write(b"export\n" * 20)
    if number % 2 == 0 and number // 2 < old:
        os.utime(path, (at, at))
END
fresh_objects() {
  rm -rf "$data/bucket"
  cp -a "$work/seed" "$data/bucket"
  sync -f "$data"
}
objects_left() { find "$data/bucket" -type f -name '*.csv' -printf . | wc -c; }

export DATABASE_URL=$database S3_BUCKET=bucket S3_RETENTION_DAYS=90 AWS_REGION=us-east-1
export AWS_ACCESS_KEY_ID=$STEWARD_TEST_S3_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$STEWARD_TEST_S3_SECRET_KEY
export AWS_ENDPOINT_URL=$STEWARD_TEST_S3_VERSITY

seconds() { date +%s.%N; }
# whole TASK: one run of it. shards TASK COUNT: handed out before the clock starts, then all at once.
whole() { "$steward" run "cleanup/$1" --allow-removal "$1" --full-speed >"$work/out" 2>&1 || die "$(cat "$work/out")"; }
hand_out() {
  "$steward" shards "cleanup/$1" --count "$2" --allow-removal --json |
    python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["digest"], len(d["shards"]))'
}
shards() {
  local task=$1 digest=$2 count=$3 pids=() shard
  for shard in $(seq "$count"); do
    "$steward" run "cleanup/$task" --plan "$digest" --shard "$shard" --full-speed >"$work/out.$shard" 2>&1 &
    pids+=($!)
  done
  for shard in "${!pids[@]}"; do wait "${pids[$shard]}" || die "$(cat "$work/out.$((shard + 1))")"; done
}

# measure KIND TASK EXPECTED-LEFT ITEMS: a line of the table.
measure() {
  local kind=$1 task=$2 expected=$3 items=$4 count try begun best line digest made
  line="| $kind a second |"
  for count in 0 "${counts[@]}"; do
    best=
    for ((try = 0; try < runs; try++)); do
      "fresh_$kind"
      rm -rf "$work/state"
      export STEWARD_STATE_DIR=$work/state
      if ((count > 0)); then read -r digest made < <(hand_out "$task" "$count"); fi
      begun=$(seconds)
      if ((count == 0)); then whole "$task"; else shards "$task" "$digest" "$made"; fi
      best=$(python3 -c "print(min([$(seconds) - $begun] + [float(x) for x in '$best'.split()]))")
      [ "$("${kind}_left")" = "$expected" ] || die "$kind: $("${kind}_left") are left, and not $expected"
    done
    line="$line $(python3 -c "print(f'{$items / $best:,.0f}')") |"
  done
  echo "$line"
}

echo "$old_rows of $rows rows, $old_objects of $objects objects, best of $runs"
printf '| | one run |'
printf ' %s shards |' "${counts[@]}"
printf '\n|---|---|'
printf -- '---|%.0s' "${counts[@]}"
echo
measure rows purge-signals $((rows - old_rows)) "$old_rows"
measure objects expire-objects $((objects - old_objects)) "$old_objects"
