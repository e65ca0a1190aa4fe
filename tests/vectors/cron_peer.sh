#!/usr/bin/env bash
# Firings of cron expressions by another implementation, cronsim of PyPI; see cron_peer.py for what it prints.
#
#   cron_peer.sh write FILE          the vectors (tests/vectors/cron.json)
#   cron_peer.sh random SEED COUNT   cases made up by a seed, one JSON document a line
#
# The peer is installed once, into $STEWARD_TOOLS (default ~/.cache/steward-tools).
set -euo pipefail

version=2.8
tools=${STEWARD_TOOLS:-$HOME/.cache/steward-tools}
peer=$tools/cronsim-$version
if [ ! -x "$peer/bin/python" ]; then
  mkdir -p "$tools"
  work=$(mktemp -d "$tools/build-XXXXXX")
  {
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" -q install "cronsim==$version"
  } >&2 || {
    echo "cron_peer.sh: cronsim $version could not be installed: it takes python3-venv, and PyPI" >&2
    exit 1
  }
  mv -T "$work/venv" "$peer" 2>/dev/null || [ -x "$peer/bin/python" ] # two at once do no harm
  rm -rf "$work"
fi
exec "$peer/bin/python" "$(dirname "$0")/cron_peer.py" "$@"
