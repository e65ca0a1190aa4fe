#!/usr/bin/env bash
# promtool, which checks metrics and alert rules; out of Debian's package, of which nothing else is installed.
#
#   promtool.sh install      puts it into $STEWARD_TOOLS (default ~/.cache/steward-tools), once
#   promtool.sh path         where it is
set -euo pipefail

tools=${STEWARD_TOOLS:-$HOME/.cache/steward-tools}
binary=$tools/promtool-debian12

case ${1:-} in
  install)
    [ -x "$binary" ] && exit
    mkdir -p "$tools"
    work=$(mktemp -d "$tools/promtool-XXXXXX")
    trap 'rm -rf "$work"' EXIT
    chmod 755 "$work" # apt fetches as a user of its own
    (cd "$work" && apt-get download prometheus >&2 && dpkg-deb -x prometheus_*.deb root)
    mv "$work/root/usr/bin/promtool" "$binary" # a rename: two installs at once do no harm
    ;;
  path) echo "$binary" ;;
  *)
    echo "usage: promtool.sh install|path" >&2
    exit 2
    ;;
esac
