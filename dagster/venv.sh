#!/usr/bin/env bash
# A Python with Dagster, for tests and for `./dev dagster`: prints its folder.
#
#   venv.sh [new|old]     the newest Dagster that the package is known to work with, or the oldest
#
# It is installed from PyPI, with each package at the version that requirements/ names, into build-dagster/; and once: the
# folder's name has a hash of what is in it.
set -euo pipefail
cd "$(dirname "$0")/.."

which=${1:-new}
wanted=dagster/requirements/$which.txt
[ -f "$wanted" ] || {
  echo "venv.sh: there is no $wanted; say new or old" >&2
  exit 2
}
folder=$PWD/build-dagster/$which-$(sha256sum <"$wanted" | cut -c1-12)
mkdir -p build-dagster
# Two at once: one installs, the other waits.
exec 9>"build-dagster/$which.lock"
flock 9
if [ ! -x "$folder/ready" ]; then
  rm -rf "$folder"
  {
    echo "== installing Dagster ($which) into build-dagster"
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$wanted"
    "$folder/bin/pip" check --disable-pip-version-check
  } >&2 || {
    echo "venv.sh: Dagster could not be installed: it takes python3-venv, and PyPI" >&2
    exit 1
  }
  ln -s bin/python "$folder/ready"
fi
echo "$folder"
