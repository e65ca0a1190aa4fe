#!/usr/bin/env bash
# Helm, for the test of the chart: prints where it is. It is built from the Go proxy into $STEWARD_TOOLS (default
# ~/.cache/steward-tools), once; HELM=PROGRAM takes that one instead.
set -euo pipefail

version=v3.18.6
go_toolchain=go1.26.8 # for a machine whose own Go is older than 1.21, which cannot fetch a newer one
tools=${STEWARD_TOOLS:-$HOME/.cache/steward-tools}
binary=$tools/helm-$version

if [ -n "${HELM:-}" ]; then
  echo "$HELM"
  exit
fi
mkdir -p "$tools"
# Two at once: one builds, the other waits.
exec 9>"$binary.lock"
flock 9
if [ ! -x "$binary" ]; then
  command -v go >/dev/null || apt-get install -y --no-install-recommends golang-go >&2
  go=go
  fetched=$tools/toolchain@v0.0.1-$go_toolchain.linux-$(go env GOARCH)/bin/go # as tests/servers/s3_versity.sh keeps it
  if [ -x "$fetched" ]; then go=$fetched; fi
  work=$(mktemp -d "$tools/helm-XXXXXX")
  GOBIN=$work GOFLAGS=-buildvcs=false GOTOOLCHAIN=auto "$go" install -ldflags '-s -w' "helm.sh/helm/v3/cmd/helm@$version" >&2 || {
    echo "helm.sh: Helm $version could not be built: it takes Go, and the Go proxy" >&2
    exit 1
  }
  mv "$work/helm" "$binary"
  rm -rf "$work"
fi
echo "$binary"
