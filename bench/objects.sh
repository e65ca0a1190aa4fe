#!/usr/bin/env bash
# Old objects out of an S3 bucket: steward beside mc rm --older-than. The server is versitygw, where an object's age is
# its file's, so that the bucket is filled once through S3 and copied as files for every run.
#
#   bench/objects.sh          20,000 objects, every other one old; BENCH_OBJECTS=N for another number
set -euo pipefail
# shellcheck source=bench/lib/measure.sh
. "$(dirname "$0")/lib/measure.sh"

objects=${BENCH_OBJECTS:-20000}
tools=${STEWARD_TOOLS:-$HOME/.cache/steward-tools}
mc=$tools/mc

install_mc() {
  if [ -x "$mc" ]; then return; fi
  local go=go place
  # Where the machine's own Go is too old, s3_versity.sh has fetched another.
  for place in "$tools"/toolchain@*/bin/go; do if [ -x "$place" ]; then go=$place; fi; done
  place=$(mktemp -d "$tools/build-XXXXXX")
  echo "building mc" >&2
  GOBIN=$place GOFLAGS=-buildvcs=false GOTOOLCHAIN=auto "$go" install github.com/minio/mc@latest || die "mc could not be built"
  mv "$place/mc" "$mc"
  rm -rf "$place"
}

start_server s3_versity
install_mc
# shellcheck disable=SC2154
data=$STEWARD_TEST_S3_VERSITY_DATA endpoint=$STEWARD_TEST_S3_VERSITY
export AWS_ENDPOINT_URL=$endpoint AWS_ACCESS_KEY_ID=$STEWARD_TEST_S3_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$STEWARD_TEST_S3_SECRET_KEY
export MC_CONFIG_DIR=$work/mc
export MC_HOST_bench=${endpoint/:\/\//://$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY@}

python3 - "$work/source" "$objects" <<'END'
import os, sys
root, count = sys.argv[1], int(sys.argv[2])
for n in range(count):
    folder = f"{root}/exports/{n // 500:03d}"
    if n % 500 == 0:
        os.makedirs(folder)
    with open(f"{folder}/export {n:06d}.csv", "w") as file:
        file.write(f"export {n}\n" * 20)
END
"$mc" --quiet mb bench/bucket >/dev/null
"$mc" --quiet mirror "$work/source" bench/bucket >/dev/null
rm -rf "$work/source"
find "$data/bucket" -type f -name '*[02468].csv' -exec touch -d '-120 days' '{}' +
cp -a "$data/bucket" "$work/seed"

prepare() {
  rm -rf "$data/bucket"
  cp -a "$work/seed" "$data/bucket"
  sync -f "$data"
}
run_steward() {
  S3_BUCKET=bucket S3_RETENTION_DAYS=90 measured "$steward" run cleanup/expire-objects --allow-removal expire-objects
}
run_peer() { measured "$mc" --quiet rm --recursive --force --older-than 90d bench/bucket; }
left() { find "$data/bucket" -type f -printf . | wc -c; }

expected_left=$((objects / 2))
echo "objects: $((objects / 2)) of $objects objects removed"
compare "$((objects / 2))" "mc rm --older-than"
