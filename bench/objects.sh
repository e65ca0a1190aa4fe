#!/usr/bin/env bash
# Old objects out of an S3 bucket: steward beside what one would use instead.
#
#   bench/objects.sh          20,000 objects, every other one old; BENCH_OBJECTS=N for another number
#
#   BENCH_SERVER=versity      an object's age is its file's: the bucket is filled once through S3, and copied as files
#                             for every run. It checks conditions on single deletions, and not in batches.
#   BENCH_SERVER=rgw          Ceph's gateway, filled for every run through a second one whose clock is 40 days back. It
#                             checks no condition of a deletion.
#   BENCH_PEERS="mc batches"  of mc, rclone, boto3, s5cmd, batches (bench/batches, the ceiling); mc alone if not set.
#                             Those that are not installed, and cannot be, are left out.
set -euo pipefail
# shellcheck source=bench/lib/measure.sh
. "$(dirname "$0")/lib/measure.sh"

objects=${BENCH_OBJECTS:-20000}
kind=${BENCH_SERVER:-versity}
bench=$repository/bench

# has PEER: whether it is here, or can be had.
has() {
  case $1 in
    mc)
      [ -x "$tools/mc" ] || GOBIN=$tools GOFLAGS=-buildvcs=false GOTOOLCHAIN=auto "$(newest_go)" install github.com/minio/mc@latest
      ;;
    batches) (cd "$bench/batches" && GOBIN=$tools GOFLAGS=-buildvcs=false "$(newest_go)" install .) ;;
    boto3)
      [ -x "$tools/boto3/bin/python" ] || { python3 -m venv "$tools/boto3" && "$tools/boto3/bin/pip" -q install boto3; }
      ;;
    rclone) command -v rclone ;;
    s5cmd) [ -x "$tools/s5cmd" ] ;; # not to be had from a package registry: build it from its repository into $tools
    *) die "no peer is called $1" ;;
  esac >/dev/null 2>"$work/install.log" || { echo "$1 is not here: left out ($(tail -n 1 "$work/install.log"))" >&2 && return 1; }
}

start_server "s3_$kind"
export AWS_ACCESS_KEY_ID=$STEWARD_TEST_S3_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$STEWARD_TEST_S3_SECRET_KEY AWS_REGION=us-east-1
case $kind in
  versity) export AWS_ENDPOINT_URL=$STEWARD_TEST_S3_VERSITY days=90 ;;
  rgw) export AWS_ENDPOINT_URL=$STEWARD_TEST_S3_RGW days=30 ;;
esac
export MC_CONFIG_DIR=$work/mc
export MC_HOST_bench=${AWS_ENDPOINT_URL/:\/\//://$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY@}

# fill ENDPOINT CLOCK FIRST: every other object from number FIRST, with the program's clock moved, so that its signatures
# fit a gateway whose clock is.
fill() {
  "$tools/boto3/bin/python" - "$@" "$objects" <<'END'
import datetime, sys
from concurrent.futures import ThreadPoolExecutor
import boto3, botocore.auth, botocore.compat
from botocore.config import Config

endpoint, days_back, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
real_now = botocore.compat.get_current_datetime
late = lambda *a, **k: real_now(*a, **k) - datetime.timedelta(days=days_back)
botocore.auth.get_current_datetime = late
s3 = boto3.client("s3", endpoint_url=endpoint, config=Config(max_pool_connections=16, s3={"addressing_style": "path"}))
put = lambda n: s3.put_object(Bucket="bucket", Key=f"exports/{n // 500:03d}/export {n:06d}.csv", Body=b"export\n" * 20)
try:
    s3.create_bucket(Bucket="bucket")
except s3.exceptions.ClientError:
    pass  # it is there
with ThreadPoolExecutor(16) as pool:
    list(pool.map(put, range(first, count, 2)))
END
}

has boto3 || die "boto3 fills the bucket"
if [ "$kind" = rgw ]; then
  fill "$AWS_ENDPOINT_URL" 0 1
  prepare() { fill "$STEWARD_TEST_S3_RGW_OLD" 40 0; }
  left() { "$tools/boto3/bin/python" -c 'import boto3; print(sum(p["KeyCount"] for p in boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket="bucket")))'; }
else
  data=$STEWARD_TEST_S3_VERSITY_DATA
  fill "$AWS_ENDPOINT_URL" 0 0
  fill "$AWS_ENDPOINT_URL" 0 1
  find "$data/bucket" -type f -name '*[02468].csv' -exec touch -d '-120 days' '{}' +
  cp -a "$data/bucket" "$work/seed"
  prepare() {
    rm -rf "$data/bucket"
    cp -a "$work/seed" "$data/bucket"
    sync -f "$data"
  }
  left() { find "$data/bucket" -type f -printf . | wc -c; }
fi

run_steward() {
  S3_BUCKET=bucket S3_RETENTION_DAYS=$days measured "$steward" run cleanup/expire-objects --allow-removal expire-objects
}
run_peer() {
  case $peer in
    mc) measured "$tools/mc" --quiet rm --recursive --force --older-than "${days}d" bench/bucket ;;
    batches) measured "$tools/batches" bucket "$days" ;;
    boto3) measured "$tools/boto3/bin/python" "$bench/boto3_batches.py" bucket "$days" ;;
    rclone) # it cannot live with AWS_CA_BUNDLE
      RCLONE_CONFIG_BENCH_TYPE=s3 RCLONE_CONFIG_BENCH_PROVIDER=Other RCLONE_CONFIG_BENCH_ENV_AUTH=true \
        RCLONE_CONFIG_BENCH_ENDPOINT=$AWS_ENDPOINT_URL measured env -u AWS_CA_BUNDLE rclone --config /dev/null delete --min-age "${days}d" \
        --use-server-modtime --fast-list --checkers 32 --transfers 32 bench:bucket
      ;;
    s5cmd) # it knows no ages: the list of what is old is made beforehand, and not measured
      list_old >"$work/commands"
      S3_ENDPOINT_URL=$AWS_ENDPOINT_URL measured "$tools/s5cmd" run "$work/commands"
      ;;
  esac
}
# One command for each 1,000 of the old ones.
list_old() {
  local number
  for number in $(seq 0 2 $((objects - 1))); do
    if ((number % 2000 == 0)); then printf '\nrm'; fi
    printf ' "s3://bucket/exports/%03d/export %06d.csv"' $((number / 500)) "$number"
  done
}

# shellcheck disable=SC2034
expected_left=$((objects / 2))
for peer in ${BENCH_PEERS:-mc}; do
  has "$peer" || continue
  echo "objects on $kind: $((objects / 2)) of $objects objects removed, beside $peer"
  compare "$((objects / 2))" "$peer"
done
