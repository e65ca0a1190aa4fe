#!/usr/bin/env bash
# pytest with a Dagster of our own: pytest.sh new|old FOLDER [FLAG…]. A test that is skipped counts as failed: nothing here
# is left out silently.
set -euo pipefail
house=$(cd "$(dirname "$0")/.." && pwd)
venv=$("$house/dagster/venv.sh" "${1:?new or old}")
shift
unset DAGSTER_HOME
export PYTHONPATH=$house/dagster/tests PYTHONDONTWRITEBYTECODE=1 DAGSTER_DISABLE_TELEMETRY=yes
cd "$house/dagster"
exec "$venv/bin/python" -m pytest -q -p no:cacheprovider -p no_skips --strict-markers -W ignore::DeprecationWarning "$@"
