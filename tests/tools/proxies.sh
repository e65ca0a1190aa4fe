#!/usr/bin/env bash
# nginx and Caddy, for the examples in examples/proxy; out of Debian's packages, of which nothing else is installed.
#
#   proxies.sh install        puts both into $STEWARD_TOOLS (default ~/.cache/steward-tools), once
#   proxies.sh path NAME      where nginx or caddy is
set -euo pipefail

tools=${STEWARD_TOOLS:-$HOME/.cache/steward-tools}
folder=$tools/proxies-debian12

case ${1:-} in
  install)
    [ -x "$folder/caddy" ] && exit
    mkdir -p "$tools"
    work=$(mktemp -d "$tools/proxies-XXXXXX")
    trap 'rm -rf "$work"' EXIT
    chmod 755 "$work" # apt fetches as a user of its own
    (
      cd "$work"
      apt-get download nginx caddy >&2
      mkdir bin
      for package in *.deb; do dpkg-deb -x "$package" root; done
      mv root/usr/sbin/nginx root/usr/bin/caddy bin
    )
    mv -T "$work/bin" "$folder" 2>/dev/null || [ -x "$folder/caddy" ] # two installs at once do no harm
    ;;
  path) echo "$folder/${2:?nginx or caddy}" ;;
  *)
    echo "usage: proxies.sh install|path NAME" >&2
    exit 2
    ;;
esac
