#!/usr/bin/env bash
# The conformance suite for implementations of Pipes of dagster-io/community-integrations against ours. It is on no
# registry, so this takes a checkout of that repository; our own cases in this folder ask the same and need none.
#
#   tests/pipes/public_suite.sh CHECKOUT [FLAG OF PYTEST…]
set -euo pipefail
checkout=$(cd "${1:?a checkout of dagster-io/community-integrations}" && pwd)
shift
house=$(cd "$(dirname "$0")/../.." && pwd)
suite=$checkout/libraries/pipes/tests/dagster-pipes-tests
[ -f "$suite/pyproject.toml" ] || {
  echo "public_suite.sh: there is no suite in $suite" >&2
  exit 2
}
program=$house/build/pipes_tests
[ -x "$program" ] || {
  echo "public_suite.sh: $program is not built: cmake --build build --target pipes_tests" >&2
  exit 2
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$suite" "$work/suite"
python3 -m venv "$work/venv"
# 9 knows no fixtures like those of pytest-cases.
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
  -c "$house/dagster/requirements/new.txt" "$work/suite" 'pytest<9'
cd "$work"
# All of what it can ask, S3 too: without that it skips most of itself.
cat >pipes.toml <<'END'
[general]
error_reporting = true
[messages]
log = true
report_custom_message = true
report_asset_materialization = true
report_asset_check = true
log_external_stream = true
[message_channel]
s3 = true
databricks = false
END
cat >test_pipes.py <<END
from dagster_pipes_tests import PipesTestSuite


class TestStewardsPipes(PipesTestSuite):
    BASE_ARGS = ["$program"]
END
"$work/venv/bin/python" -m pytest -q "$@" test_pipes.py
