#!/usr/bin/env bash
# Shows steward's main job at work on a small application that it makes up: plan, run, proof and restore; then a backup of its database. `./dev demo` builds first.
#
#   scripts/demo.sh             on the command line
#   scripts/demo.sh --serve     the dashboard, after five weeks with steward; Ctrl-C ends it
set -euo pipefail
cd "$(dirname "$0")/.."

steward=$PWD/build/steward
[ -x "$steward" ] || { echo "demo: build/steward is not there: run ./dev demo" >&2; exit 1; }
shop=${STEWARD_DEMO_FOLDER:-$PWD/demo}
case ${1:-} in
  '') ;;
  --serve)
    echo "A shop with five weeks of steward behind it: the program is run for each of the nights, which takes half a minute…" >&2
    rm -rf "$shop"
    scripts/make_life.sh "$shop" >&2
    # shellcheck source=/dev/null
    . "$shop/env"
    cd "$shop"
    cat >&2 <<'END'
Open the link below and make the first account; what happened in the shop is then before you. One run waits for an approval:
who wants to answer it needs the role approver or administrator. Ctrl-C ends it; what it made is in the folder demo.
END
    RECEIVER_PORT=$(sed -E 's|.*:([0-9]+)/.*|\1|' receiver) "${steward%/build/steward}/scripts/receiver.py" receiver &
    exec "$steward" serve # which is the receiver's parent from here on
    ;;
  *)
    echo "demo: there is no $1; see ./dev help" >&2
    exit 2
    ;;
esac
rm -rf "$shop"
scripts/make_shop.sh "$shop"
cd "$shop"
export PATH="${steward%/*}:$PATH"
export DATABASE_URL=sqlite:///app.db MEDIA_ROOT=media COLD_STORAGE_PATH=cold_storage LOG_DIR=logs S3_BUCKET="file://$shop/bucket" STEWARD_STATE_DIR="$shop/state"

bold=$(tput bold 2>/dev/null || true)
plain=$(tput sgr0 2>/dev/null || true)
if [ -n "${NO_COLOR:-}" ] || [ ! -t 1 ]; then bold='' plain=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
show() {
  printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"
  "$@"
}

say "A small shop lives in ./demo: mockups with their images, signals, an audit log, log files, and a folder that stands for a bucket."
say "First, what would be removed, and why. A plan changes nothing:"
show steward plan cleanup
say "Something matters to a person: nothing may remove it until it is released."
show steward hold add --table mockups --key 40 --reason "shown to a customer"
say "Now do it. Mockups are copied, verified and recorded before their rows and images go; audit entries are archived first; the rest is final:"
show steward run cleanup
say "The proof: what ran, what it did, and that what was archived is what was archived."
show steward status
show steward runs show latest
show steward archive verify
say "The archive is readable without steward:"
show ls cold_storage/mockups/manifest
show find cold_storage/mockups -name '2*-mockup-*.png' -path '*/20*' -newermt 2000-01-01
say "One mockup is wanted back, its image and its row, value for value:"
show steward archive restore --table mockups --key 37
show sqlite3 app.db 'select * from mockups where id = 37'
show ls -l media/mockups/mockup-037.png
say "A second run finds nothing to do, and leaves what was brought back for 30 days:"
show steward run cleanup

say "And the database itself, every night: a backup, which counts for nothing until it was restored and compared."
export BACKUP_BUCKET="file://$shop/backups"
show steward run backup
show steward backup verify latest --depth restore
show steward backup list
say "It comes back beside the one that is in use:"
show steward backup restore latest --to sqlite:///restored.db
show sqlite3 restored.db 'select count(*) from mockups'

say "What to try next:"
cat <<EOF
  cd demo
  export PATH=$(dirname "$steward"):\$PATH DATABASE_URL=$DATABASE_URL MEDIA_ROOT=media LOG_DIR=logs S3_BUCKET=$S3_BUCKET STEWARD_STATE_DIR=$shop/state BACKUP_BUCKET=$BACKUP_BUCKET
  steward doctor                      connections, rights, indexes, disk
  steward hold list                   what nothing may remove
  steward archive restore --all       everything back
  steward plan cleanup --json         the same for programs
The dashboard, after five weeks of nights: ./dev demo --serve
On your own application: docs/quickstart.md.
EOF
