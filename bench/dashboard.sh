#!/usr/bin/env bash
# How fast the dashboard is in Chromium, with its processor slowed four times, on the demo's five weeks. See docs/performance.md.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v chromium >/dev/null || { echo "dashboard: Chromium is not installed" >&2; exit 1; }
folder=$(mktemp -d)
server=
# shellcheck disable=SC2317
finish() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
  rm -rf "$folder"
}
trap finish EXIT
STEWARD_DEMO_FOLDER=$folder/shop STEWARD_LISTEN=${STEWARD_LISTEN:-127.0.0.1:8420} scripts/demo.sh --serve >"$folder/log" 2>&1 &
server=$!
until grep -q 'setup#' "$folder/log"; do
  kill -0 "$server" || { cat "$folder/log" >&2; exit 1; }
  sleep 0.2
done
node=node
if [ -x build-web/node/bin/node ]; then node=$PWD/build-web/node/bin/node; fi
(cd web && "$node" scripts/figures.mjs "$(grep -oE 'http:\S+/setup#\S+' "$folder/log")" "${SLOWDOWN:-4}")
