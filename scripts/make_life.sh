#!/usr/bin/env bash
# Gives an application of scripts/make_shop.sh five weeks with steward: a ledger and an archive as they are after 35 nights.
#
#   scripts/make_life.sh FOLDER      makes FOLDER, which must not exist, and FOLDER/env, the variables of its steward
#
# Nothing of it is written by hand: it is the real program, started night after night with its clock set back by libfaketime.
set -euo pipefail
cd "$(dirname "$0")/.."

steward=${STEWARD_PROGRAM:-$PWD/build/steward}
shop=$(realpath -m "${1:?usage: scripts/make_life.sh FOLDER}")
nights=35 backups=16
clocks=(/usr/lib/*/faketime/libfaketimeMT.so.1)
[ -e "${clocks[0]}" ] || { echo "make_life: libfaketime is not installed" >&2; exit 1; }
scripts/make_shop.sh "$shop"

# Who is told of what went wrong; scripts/demo.sh starts it again, at the same address.
scripts/receiver.py "$shop/receiver" &
receiver=$!
trap 'kill "$receiver" 2>/dev/null || true' EXIT
until [ -s "$shop/receiver" ]; do
  kill -0 "$receiver" || exit 1
  sleep 0.05
done

# Old logs are purged and not rotated: this shop's program begins a new one each day.
cat >"$shop/env" <<END2
export DATABASE_URL=sqlite:///app.db MEDIA_ROOT=media COLD_STORAGE_PATH=cold_storage LOG_DIR=logs
export S3_BUCKET=file://$shop/bucket STEWARD_STATE_DIR=$shop/state STEWARD_ENV=production STEWARD_DISABLE=logs
export BACKUP_BUCKET=file://$shop/backups BACKUP_PROOF="7 days" BACKUP_KEEP="daily 14, weekly 8"
export SLACK_WEBHOOK_URL=$(cat "$shop/receiver")
END2
# shellcheck source=/dev/null
. "$shop/env"
cd "$shop"

# A busier shop: more signals on weekdays than on Sundays, and about a mockup a day that comes of age.
sqlite3 app.db <<'SQL'
begin;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 90000), t(i, at) as (select i, strftime('%s', 'now') - i * 77 from n)
insert into signals select 100000 + i, i % 40, strftime('%Y-%m-%dT%H:%M:%SZ', at, 'unixepoch'), round((i * 37 % 1000) / 1000.0, 3), json_object('source', 'feed', 'n', i), printf('%08x', i * 2654435761 % 4294967296)
  from t where i * 2654435761 % 100 < case strftime('%w', at, 'unixepoch') when '0' then 35 when '6' then 55 when '3' then 95 else 80 end;
with recursive n(i) as (select 41 union all select i + 1 from n where i < 120)
insert into mockups select i, i * 7 % 11, 'mockups/mockup-' || printf('%03d', i) || '.png', strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-' || (326 + (i - 40) * 9 / 10) || ' days', '-' || (i * 37 % 600) || ' minutes') from n;
commit;
SQL
for n in $(seq 41 120); do cp "$(printf 'media/mockups/mockup-%03d.png' $(((n * 7) % 28 + 1)))" "$(printf 'media/mockups/mockup-%03d.png' "$n")"; done
for n in $(seq 0 60); do
  for name in web worker; do
    seq -f "$name request %g took 12 ms" $((200 + n * 37 % 300)) >"logs/$name-day-$n.log"
    touch -d "-$n days -$((n % 5)) hours" "logs/$name-day-$n.log"
  done
done

# at DAYS TIME COMMAND…: becomes COMMAND, as if it were TIME (UTC) of the day DAYS days ago; in a subshell. Ages of files are what they are.
at() {
  local moment
  moment=$(date -u -d "$(date -u -d "-$1 days" +%F) $2" +%s)
  export FAKETIME=$((moment - $(date +%s))) NO_FAKE_STAT=1 DONT_FAKE_MONOTONIC=1 LD_PRELOAD=${clocks[0]}
  shift 2
  exec "$@"
}
# person NAME DAYS TIME WORD…: what somebody did by hand.
person() { (at "$2" "$3" env STEWARD_ACTOR="$1" "$steward" "${@:4}") >/dev/null; }

# tick DAYS TIME JOB: the daemon is there a second before JOB is due, starts it, and ends when that has ended.
tick() {
  local log=$shop/serve.log daemon
  : >"$log"
  (at "$1" "$2" "$steward" serve --only "$3" --listen off --shutdown wait) >"$log" 2>&1 &
  daemon=$!
  for _ in $(seq 200); do
    if grep -q "$3: tick" "$log"; then break; fi
    kill -0 "$daemon" 2>/dev/null || break
    sleep 0.05
  done
  kill "$daemon" 2>/dev/null || true
  wait "$daemon" || true
}

# night DAYS: at midnight a backup, and what is old goes at three.
night() {
  if [ "$1" -le "$backups" ]; then tick $(($1 + 1)) 23:59:59 backup; fi
  tick "$1" 02:59:59 cleanup
}

for ago in $(seq "$nights" -1 1); do
  case $ago in
    27) mv cold_storage cold_storage.away ;; # the folder of the archive is not mounted
    19) mv app.db app.db.away ;; # the database is away; the next night does all
    7) export S3_RETENTION_DAYS=75 ;; # the bucket's objects are to go sooner, which waits for a person
    2) export S3_RETENTION_DAYS=45 ;; # sooner still: nobody has answered yet
  esac
  if [ "$ago" != 15 ]; then night "$ago"; fi # that night the machine was off, and the tick was missed
  case $ago in
    33) person mara 33 10:12 hold add --table mockups --key 100 --reason "shown to a customer until spring" ;;
    27)
      mv cold_storage.away cold_storage
      person jonas 27 08:41 run cleanup
      ;;
    22) person jonas 22 17:30 pause cleanup --reason "an index is being built" --until "$(date -u -d '-20 days' +%F)" ;;
    19) mv app.db.away app.db ;;
    12) person mara 12 11:02 freeze --reason "an audit of the shop's books" ;;
    11) person mara 11 16:20 freeze lift ;;
    9) person priya 9 14:05 archive restore --table mockups --key 118 ;;
    7)
      run=$(at 7 08:15 "$steward" approvals list --json | sed -nE 's/.*"run": *"([^"]+)".*/\1/p' | head -n 1)
      person mara 7 08:15 approvals approve "$run" --reason "agreed with the shop"
      person mara 7 08:16 run cleanup --approval "$run"
      ;;
    5) person priya 5 09:30 hold add --table mockups --key 86 --reason "a claim about the picture" ;;
    3) person jonas 3 13:44 run cleanup/purge-logs ;;
  esac
done
person priya 1 09:00 archive verify
echo "export S3_RETENTION_DAYS=45" >>"$shop/env"
# Last night is today where three o'clock is over.
if [ "$(date -u +%H%M)" -gt 0310 ]; then night 0; fi
rm -f serve.log
