#!/bin/sh
# For the crontab line  0 1 * * * /app/scripts/rotate_logs.sh  of a machine where nothing else schedules:
# LOG_DIR's *.log go to LOG_DIR/archive, and archives older than seven days go. What is given here goes to
# `steward run rotate-logs`. STEWARD names the program, and then no other is taken.
set -eu
cd "$(dirname "$0")/.."
steward=${STEWARD:-steward}
if [ -z "${STEWARD:-}" ] && ! command -v "$steward" >/dev/null 2>&1; then
  for built in ./steward ./build/steward /usr/local/bin/steward; do
    if [ -x "$built" ]; then steward=$built && break; fi
  done
fi
exec "$steward" run rotate-logs "$@"
