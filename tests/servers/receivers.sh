#!/usr/bin/env bash
# What notifications are sent to, for tests: a mail server (aiosmtpd) with STARTTLS, with TLS and without, and an HTTPS
# server that checks signatures, all with certificates of an authority of their own. See receivers.py.
#
#   receivers.sh install      aiosmtpd, into $STEWARD_TOOLS (default ~/.cache/steward-tools), once
#   receivers.sh start DIR    starts them on free ports; writes DIR/env
#   receivers.sh stop DIR     stops them
#
# start writes DIR/env, to be sourced:
#   STEWARD_TEST_RECEIVERS            the folder: mails.jsonl and posts.jsonl are what has come in, a line each
#   STEWARD_TEST_RECEIVERS_CA         the authority's certificate
#   STEWARD_TEST_RECEIVERS_HTTPS, _STARTTLS, _SMTPS, _CLEAR   their ports on 127.0.0.1
set -euo pipefail
# shellcheck source=tests/servers/s3_lib.sh
. "$(dirname "$0")/s3_lib.sh"

version=1.4.6
tools=${STEWARD_TOOLS:-$HOME/.cache/steward-tools}
venv=$tools/aiosmtpd-$version

install_server() {
  [ -x "$venv/bin/python" ] && return
  mkdir -p "$tools"
  local work
  work=$(mktemp -d "$tools/build-XXXXXX")
  { python3 -m venv "$work/venv" && "$work/venv/bin/pip" -q install "aiosmtpd==$version"; } >&2 ||
    die "aiosmtpd $version could not be installed: it takes python3-venv, and PyPI"
  mv -T "$work/venv" "$venv" 2>/dev/null || [ -x "$venv/bin/python" ] # two at once do no harm
  rm -rf "$work"
}

# A certificate authority of our own, and a certificate of it for loopback.
make_certificates() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=steward test CA" \
    -keyout "$dir/ca.key" -out "$dir/ca.pem"
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" \
    -keyout "$dir/server.key" -out "$dir/server.csr"
  openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 30 \
    -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") -out "$dir/server.pem"
}

start_server() {
  install_server
  stop_all
  make_certificates 2>"$dir/openssl.log" || die "openssl: $(cat "$dir/openssl.log")"
  rm -f "$dir/ports"
  in_background receivers "$venv/bin/python" "$(cd "$(dirname "$0")" && pwd)/receivers.py" "$dir"
  wait_until 30 test -s "$dir/ports" || { cat "$dir/receivers.log" >&2; die "they do not start"; }
  {
    echo "export STEWARD_TEST_RECEIVERS=$dir"
    echo "export STEWARD_TEST_RECEIVERS_CA=$dir/ca.pem"
    sed 's/^/export STEWARD_TEST_RECEIVERS_/' "$dir/ports"
  } >"$dir/env"
}

main "$@"
