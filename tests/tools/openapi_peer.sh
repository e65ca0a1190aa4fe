#!/usr/bin/env bash
# The API as its OpenAPI document promises it, held against a server by others: schemathesis and jsonschema-rs of PyPI.
#
#   openapi_peer.sh fuzz URL DOCUMENT                     requests made up from the document, valid and not
#   openapi_peer.sh answers URL DOCUMENT [NAME=VALUE…]    each GET once, its answer against its schema; the parameters of
#                                                         paths are given by name
#
# STEWARD_TOKEN: an administrator's. The peers are installed once, into $STEWARD_TOOLS (default ~/.cache/steward-tools).
set -euo pipefail

version=4.32.5 validator=0.60.3
tools=${STEWARD_TOOLS:-$HOME/.cache/steward-tools}
peer=$tools/schemathesis-$version
if [ ! -x "$peer/bin/schemathesis" ]; then
  mkdir -p "$tools"
  work=$(mktemp -d "$tools/build-XXXXXX")
  {
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" -q install "schemathesis==$version" "jsonschema-rs==$validator"
    # What pip has written begins with the folder that it was made in.
    sed -i "1s|^#!.*|#!$peer/bin/python|" "$work"/venv/bin/schemathesis
  } >&2 || {
    echo "openapi_peer.sh: schemathesis $version could not be installed: it takes python3-venv, and PyPI" >&2
    exit 1
  }
  mv -T "$work/venv" "$peer" 2>/dev/null || [ -x "$peer/bin/schemathesis" ] # two at once do no harm
  rm -rf "$work"
fi

what=${1:?fuzz or answers} url=${2:?a URL} document=${3:?the OpenAPI document}
case $what in
  fuzz)
    # One seed and a limit: the same requests each time. Left out are the stream, which does not end; what ends the
    # token that all is asked with; and two checks: a request may fit its schema and still name a moment that has passed,
    # or a task that there is not (400), and /holds/test may be a hold's name to DELETE.
    # That a target is too long (414) is a refusal, too.
    config=$(mktemp --suffix=.toml)
    trap 'rm -f "$config"' EXIT
    cat >"$config" <<'END'
[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 414, 415, 422, 428, 429, "5xx"]
END
    "$peer/bin/schemathesis" --config-file "$config" run --url "$url" -H "Authorization: Bearer $STEWARD_TOKEN" --no-color --seed 20261123 \
      --generation-deterministic --phases examples,coverage,fuzzing --max-examples 15 \
      --request-timeout 20 --continue-on-failure --warnings off --checks all \
      --exclude-checks positive_data_acceptance,allow_header_conformance \
      --exclude-operation-id events --exclude-operation-id revokeToken "$document"
    ;;
  answers)
    shift 3
    exec "$peer/bin/python" "$(dirname "$0")/openapi_answers.py" "$url" "$document" "$@"
    ;;
  *)
    echo "usage: openapi_peer.sh fuzz|answers URL DOCUMENT" >&2
    exit 2
    ;;
esac
