#!/usr/bin/env bash
# Dagster with steward's jobs upon a shop that is made up for the purpose. `./dev dagster` builds first; Ctrl-C ends it.
set -euo pipefail
cd "$(dirname "$0")/.."

house=$PWD
steward=$house/build/steward
[ -x "$steward" ] || { echo "dagster_demo: build/steward is not there: run ./dev dagster" >&2; exit 1; }
shop=${STEWARD_DEMO_FOLDER:-$house/demo}
port=${STEWARD_DAGSTER_PORT:-3000}
venv=$(dagster/venv.sh new)

rm -rf "$shop"
scripts/make_shop.sh "$shop"
mkdir -p "$shop/dagster/home"
cat >"$shop/steward.yaml" <<'END'
version: 1
environment: demo
databases:
  app: sqlite:///app.db
stores:
  cold: cold_storage
  bucket: file://${STEWARD_DEMO_SHOP}/bucket
cleanup:
  archive-mockups:
    {kind: rows-with-files, table: mockups, age_column: created_at, age: 12 months, file_column: image_url, root: media, archive: cold}
  purge-signals: {kind: rows, table: signals, age_column: timestamp, age: 30 days}
  purge-logs: {kind: files, folder: logs, age: 30 days}
  expire-objects: {kind: objects, store: bucket, age: 90 days}
  purge-audit-logs: {kind: rows, table: audit_logs, age_column: timestamp, age: 18 months, archive: cold}
jobs:
  cleanup: {scheduler: dagster}
END
cat >"$shop/dagster/definitions.py" <<END
from dagster_steward import steward_definitions

defs = steward_definitions(
    "$shop/steward.yaml",
    binary="$steward",
    env={"STEWARD_STATE_DIR": "$shop/state", "STEWARD_DEMO_SHOP": "$shop"},
    cache="$shop/dagster/catalogue.json",
)
END
printf 'telemetry:\n  enabled: false\nnux:\n  enabled: false\n' >"$shop/dagster/home/dagster.yaml"
cat >&2 <<END

Dagster comes up at http://127.0.0.1:$port in about ten seconds. There:
  Jobs > cleanup_job > Materialize all       runs it
  Assets > steward/cleanup/purge-signals     what was removed, the plan it carried out, its checks
  Automation                                 hourly_cleanup_schedule, which fires it each hour
What it did, on steward's side:
  STEWARD_STATE_DIR=$shop/state STEWARD_DEMO_SHOP=$shop $steward --config $shop/steward.yaml runs
Ctrl-C ends it; what it made is in $shop.
END
export DAGSTER_HOME=$shop/dagster/home PYTHONPATH=$house/dagster PYTHONDONTWRITEBYTECODE=1
cd "$shop/dagster"
exec "$venv/bin/dagster" dev -f definitions.py -h 127.0.0.1 -p "$port"
