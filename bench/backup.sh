#!/usr/bin/env bash
# A PostgreSQL database dumped and restored: steward beside what people pipe together. All write to one folder; a dump of
# steward's is also hashed, counted by table, read back, and has a manifest.
#
#   bench/backup.sh           a database of about 1 GiB; BENCH_ROWS=N for another number (of 2,400,000)
#   BENCH_ACTS=…              some of these: dump restore
#   BENCH_STORE=s3            to a bucket of versitygw, dumps only: the peers' go through `mc pipe`, or `mc mirror`
#   BENCH_PEERS=…             some of these, with spaces between them:
#                               custom      pg_dump -Fc; pg_restore -j 2
#                               gzip        pg_dump | gzip; gunzip | psql
#                               directory   pg_dump -Fd -j 2; pg_restore -j 2
#                               pgbackrest  a full backup of the cluster's files by two processes, with zstd; dumps, to a
#                                           folder
set -euo pipefail
# shellcheck source=bench/lib/measure.sh
. "$(dirname "$0")/lib/measure.sh"

rows=${BENCH_ROWS:-2400000}
acts=${BENCH_ACTS:-dump restore}
peers=${BENCH_PEERS:-custom gzip directory}
start_server postgres
PATH=${STEWARD_PG_BIN:-/usr/lib/postgresql/15/bin}:$PATH
database=${STEWARD_TEST_POSTGRES/\/postgres\?/\/bench?}
target=${STEWARD_TEST_POSTGRES/\/postgres\?/\/restored?}
store=$work/store
mc=$tools/mc
if [ "${BENCH_STORE:-}" = s3 ]; then
  acts=dump
  start_server s3_versity
  [ -x "$mc" ] || GOBIN=$tools GOFLAGS=-buildvcs=false GOTOOLCHAIN=auto "$(newest_go)" install github.com/minio/mc@latest
  export AWS_ACCESS_KEY_ID=$STEWARD_TEST_S3_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$STEWARD_TEST_S3_SECRET_KEY
  export AWS_REGION=us-east-1 AWS_ENDPOINT_URL=$STEWARD_TEST_S3_VERSITY MC_CONFIG_DIR=$work/mc
  export MC_HOST_bench=${AWS_ENDPOINT_URL/:\/\//://$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY@}
  "$mc" --quiet mb bench/backups >/dev/null
  store=s3://backups
fi

psql -qX "$STEWARD_TEST_POSTGRES" -v ON_ERROR_STOP=1 -c "alter system set autovacuum = off" \
  -c "alter system set max_wal_size = '4GB'" -c "select pg_reload_conf()" -c "create database bench" >/dev/null
psql -qX "$database" -v ON_ERROR_STOP=1 >/dev/null <<END
create table signals (id bigserial primary key, idea_id bigint, "timestamp" timestamptz not null, engagement_rate float8,
                      details jsonb, content_hash text);
insert into signals (idea_id, "timestamp", engagement_rate, details, content_hash)
  select i % 1000, now() - i * interval '1 second', random(),
         jsonb_build_object('source', 'bench', 'n', i, 'note', repeat('x', 60)), md5(i::text)
    from generate_series(1, $rows) i;
create table audit_logs as select id, idea_id::text as username, details::text, "timestamp" from signals where id % 2 = 0;
create table mockups as select id, idea_id, 'mockups/' || content_hash || '.png' as image_url, "timestamp" as created_at
  from signals where id % 4 = 0;
create index on signals ("timestamp");
create index on audit_logs (username);
alter table audit_logs add primary key (id);
alter table mockups add primary key (id);
vacuum (freeze, analyze);
END
size=$(psql -qXAt "$database" -c "select pg_size_pretty(pg_database_size(current_database()))")
all=$(psql -qXAt "$database" -c "select (select count(*) from signals) + (select count(*) from audit_logs) + (select count(*) from mockups)")

dump_steward() { DATABASE_URL=$database BACKUP_BUCKET=$store "$@" "$steward" run backup; }
# Where a peer's bytes go: the rest of its pipe.
into() { if [ "${BENCH_STORE:-}" = s3 ]; then echo "| '$mc' --quiet pipe bench/backups/$1"; else echo ">'$work/$1'"; fi; }
dump_custom() { "$@" bash -c "set -o pipefail; pg_dump -Fc -d '$database' $(into custom)"; }
dump_gzip() { "$@" bash -c "set -o pipefail; pg_dump -d '$database' | gzip $(into gzip)"; }
dump_directory() {
  local away=true
  if [ "${BENCH_STORE:-}" = s3 ]; then away="'$mc' --quiet mirror '$work/directory' bench/backups/directory"; fi
  "$@" bash -c "pg_dump -Fd -j 2 -d '$database' -f '$work/directory' && $away"
}
dump_pgbackrest() { "$@" setpriv --reuid postgres --regid postgres --init-groups -- pgbackrest "${pgbackrest[@]}" backup; }
pgbackrest=(
  --stanza=bench --pg1-path="$work/postgres/data" --pg1-user=postgres --pg1-socket-path="$STEWARD_TEST_POSTGRES_SOCKET"
  --pg1-port="$(psql -qXAt "$STEWARD_TEST_POSTGRES" -c "show port")" --repo1-path="$work/pgbackrest" --lock-path="$work/pgbackrest/lock"
  --log-path="$work/pgbackrest" --log-level-file=off --log-level-console=warn --type=full --no-archive-check --start-fast
  --compress-type=zst --compress-level=1 --process-max=2
)

restore_steward() {
  DATABASE_URL=$database BACKUP_BUCKET=$store "$@" "$steward" backup restore latest --to "$target" --no-compare
}
restore_custom() { "$@" pg_restore -j 2 -d "$target" "$work/custom"; }
restore_gzip() { "$@" bash -c "set -o pipefail; gunzip -c '$work/gzip' | psql -qX -v ON_ERROR_STOP=1 -d '$target'"; }
restore_directory() { "$@" pg_restore -j 2 -d "$target" "$work/directory"; }

prepare() {
  if [ "$act" = dump ]; then
    rm -rf "$work/store" "$work/custom" "$work/gzip" "$work/directory" "$work/pgbackrest"
    if [ "${BENCH_STORE:-}" = s3 ]; then "$mc" --quiet rm --recursive --force bench/backups >/dev/null 2>&1 || true; fi
    if [ "$program" = pgbackrest ]; then
      install -d -o postgres "$work/pgbackrest"
      setpriv --reuid postgres --regid postgres --init-groups -- pgbackrest "${pgbackrest[@]:0:7}" --no-online stanza-create
    fi
    sync
    return
  fi
  psql -qX "$STEWARD_TEST_POSTGRES" -v ON_ERROR_STOP=1 -c "set client_min_messages = error" \
    -c "drop database if exists restored" -c "create database restored" -c checkpoint
}
run_steward() { "${act}_steward" measured; }
run_peer() { "${act}_$program" measured; }
left() {
  if [ "$act" = dump ] && [ "${BENCH_STORE:-}" = s3 ]; then
    "$mc" --quiet ls --recursive bench/backups | grep -cE '(manifest\.json|custom|gzip|toc\.dat)$' || true
  elif [ "$act" = dump ]; then
    find "$work" -path "$work/postgres" -prune -o \( -name manifest.json -o -name custom -o -name gzip -o -name toc.dat -o \
      -name backup.manifest \) -print | wc -l
  else
    psql -qXAt "$target" -c "select (select count(*) from signals) + (select count(*) from audit_logs) + (select count(*) from mockups)"
  fi
}
name_of() {
  case $act-$program in
    dump-custom) echo "pg_dump -Fc" ;;
    dump-gzip) echo "pg_dump | gzip" ;;
    dump-directory) echo "pg_dump -Fd -j 2" ;;
    dump-pgbackrest) echo "pgbackrest backup" ;;
    restore-custom) echo "pg_restore -j 2 of -Fc" ;;
    restore-gzip) echo "gunzip | psql" ;;
    restore-directory) echo "pg_restore -j 2 of -Fd" ;;
    *) die "there is no act $act or peer $program" ;;
  esac
}

for act in $acts; do
  if [ "$act" = restore ]; then
    rm -rf "$store" "$work/custom" "$work/gzip" "$work/directory"
    fresh_state
    for program in steward ${peers/pgbackrest/}; do "dump_$program" env >/dev/null; done
  fi
  for program in $peers; do
    if [ "$act-$program" = restore-pgbackrest ]; then continue; fi
    peer=$(name_of)
    echo "backup ($act): a database of $size, $all rows"
    expected_left=1
    [ "$act" = dump ] || expected_left=$all
    compare "$all" "$peer"
    echo
  done
done
