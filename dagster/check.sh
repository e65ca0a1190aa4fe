#!/usr/bin/env bash
# What is asked of the package besides its tests: formatted, clean for ruff, typed for mypy --strict, and a wheel that holds
# what it should. Changes nothing.
set -euo pipefail
cd "$(dirname "$0")"
venv=$(./venv.sh new)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$venv/bin/ruff" format --no-cache --check .
"$venv/bin/ruff" check --no-cache .
"$venv/bin/ruff" check --no-cache --config pyproject.toml --ignore D ../tests/pipes
"$venv/bin/ruff" format --no-cache --config pyproject.toml --check ../tests/pipes
"$venv/bin/python" -m mypy --cache-dir "$work/mypy"
cp -r pyproject.toml README.md dagster_steward "$work/"
"$venv/bin/python" -m build --quiet --wheel --no-isolation --outdir "$work/dist" "$work"
"$venv/bin/python" - "$work"/dist/dagster_steward-*-py3-none-any.whl <<'END'
import sys
import zipfile

names = zipfile.ZipFile(sys.argv[1]).namelist()
wanted = {f"dagster_steward/{name}" for name in ("__init__.py", "approvals.py", "catalogue.py", "definitions.py", "fanout.py", "outputs.py", "program.py", "running.py", "py.typed")}
found = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
assert found == wanted, f"the wheel holds {sorted(found)}"
END
echo "the package is well"
