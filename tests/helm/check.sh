#!/usr/bin/env bash
# deploy/helm/steward: linted and rendered by Helm with each file of ci/, and every document held against the schemas of
# Kubernetes' API. No cluster is asked.
set -euo pipefail
house=$(cd "$(dirname "$0")/../.." && pwd)
helm=$("$house/tests/tools/helm.sh")
dagster=$("$house/dagster/venv.sh" new)
venv=$house/build-helm
wanted=$house/tests/helm/requirements.txt
mkdir -p "$venv"
exec 9>"$venv/lock"
flock 9
if [ "$(cat "$venv/stamp" 2>/dev/null)" != "$(sha256sum <"$wanted")" ]; then
  python3 -m venv "$venv/python"
  "$venv/python/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
  sha256sum <"$wanted" >"$venv/stamp"
fi
export HELM_CACHE_HOME=$venv/cache HELM_CONFIG_HOME=$venv/config HELM_DATA_HOME=$venv/data PYTHONDONTWRITEBYTECODE=1
exec "$venv/python/bin/python" "$house/tests/helm/check.py" "$helm" "$house/deploy/helm" "$dagster/bin/python"
