#!/usr/bin/env bash
# The S3 server versitygw, for tests: SigV4, conditional writes, versions, object lock; an object's age is its file's mtime.
#
#   s3_versity.sh install      builds it into $STEWARD_TOOLS (default ~/.cache/steward-tools), once
#   s3_versity.sh start DIR    starts one on plain HTTP and one with TLS, data below DIR; writes DIR/env
#   s3_versity.sh stop DIR     stops them
set -euo pipefail
# shellcheck source=tests/servers/s3_lib.sh
. "$(dirname "$0")/s3_lib.sh"

version=v1.8.0
go_toolchain=go1.26.8 # what builds it where the machine's own Go is older than 1.21, which cannot fetch a newer one
tools=${STEWARD_TOOLS:-$HOME/.cache/steward-tools}
binary=$tools/versitygw-$version

install_server() {
  [ -x "$binary" ] && return
  mkdir -p "$tools"
  local go
  go=$(go_that_is_new_enough)
  local work
  work=$(mktemp -d "$tools/build-XXXXXX")
  GOBIN=$work GOFLAGS=-buildvcs=false GOTOOLCHAIN=auto "$go" install \
    "github.com/versity/versitygw/cmd/versitygw@$version" || die "versitygw $version could not be built"
  mv "$work/versitygw" "$binary" # a rename: two installs at once do no harm
  rm -rf "$work"
}

# Debian 12's Go is 1.19. Toolchains are modules of the Go proxy, so an old Go can fetch one, only without its rights.
go_that_is_new_enough() {
  if ! command -v go >/dev/null; then
    apt-get install -y --no-install-recommends golang-go >&2 || die "no Go here, and none from Debian"
  fi
  local minor
  minor=$(go env GOVERSION | sed -E 's/^go1\.([0-9]+).*/\1/')
  if ((minor >= 21)); then
    command -v go
    return
  fi
  local module root
  module=golang.org/toolchain@v0.0.1-$go_toolchain.linux-$(go env GOARCH)
  root=$tools/${module##*/}
  if [ ! -x "$root/bin/go" ]; then
    local work
    work=$(mktemp -d "$tools/go-XXXXXX")
    (cd "$work" && go mod init fetch && GOFLAGS=-mod=mod go mod download "$module") >&2 || die "$module could not be fetched"
    cp -r "$(go env GOMODCACHE)/$module" "$work/root"
    chmod -R u+w "$work/root"
    chmod +x "$work/root"/bin/* "$work/root"/pkg/tool/*/*
    mv "$work/root" "$root"
    rm -rf "$work"
  fi
  echo "$root/bin/go"
}

# serve NAME [OPTION...]: a server on a free port; its URL's port is left in $port.
serve() {
  local name=$1 scheme=http try
  shift
  [ "$name" = versity_tls ] && scheme=https
  mkdir -p "$dir/$name/data" "$dir/$name/versions"
  for try in 1 2 3; do
    port=$(free_port)
    local places=(--versioning-dir "$dir/$name/versions" "$dir/$name/data")
    # Without extended attributes (an old tmpfs), what an object carries beside its bytes goes into files of its own.
    ((try == 3)) && mkdir -p "$dir/$name/meta" && places=(--sidecar "$dir/$name/meta" "${places[@]}")
    in_background "$name" "$binary" --port "127.0.0.1:$port" --access "$access_key" --secret "$secret_key" --keep-alive \
      --virtual-domain localhost --quiet "$@" posix "${places[@]}"
    answers "$dir/$name.pid" "$scheme://127.0.0.1:$port/" --insecure && return
    stop_one "$dir/$name.pid"
  done
  cat "$dir/$name.log" >&2
  die "versitygw does not start"
}

# A certificate authority of our own, and a certificate of it for loopback.
make_certificates() {
  local tls=$dir/tls
  mkdir -p "$tls"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=steward test CA" \
    -keyout "$tls/ca.key" -out "$tls/ca.pem"
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" \
    -keyout "$tls/server.key" -out "$tls/server.csr"
  openssl x509 -req -in "$tls/server.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial -days 30 \
    -extfile <(echo "subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1") -out "$tls/server.pem"
}

start_server() {
  install_server
  stop_all
  make_certificates 2>"$dir/openssl.log" || die "openssl: $(cat "$dir/openssl.log")"
  serve versity
  local plain=$port
  serve versity_tls --cert "$dir/tls/server.pem" --key "$dir/tls/server.key"
  cat >"$dir/env" <<END
export STEWARD_TEST_S3_VERSITY=http://127.0.0.1:$plain
export STEWARD_TEST_S3_VERSITY_DATA=$dir/versity/data
export STEWARD_TEST_S3_TLS=https://127.0.0.1:$port
export STEWARD_TEST_S3_TLS_CA=$dir/tls/ca.pem
export STEWARD_TEST_S3_ACCESS_KEY=$access_key
export STEWARD_TEST_S3_SECRET_KEY=$secret_key
END
}

main "$@"
