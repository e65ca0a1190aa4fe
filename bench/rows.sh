#!/usr/bin/env bash
# Old rows out of a PostgreSQL table: steward beside psql with batches of 10,000 by ctid, each a transaction of its own.
#
#   bench/rows.sh             1,000,000 rows, 750,000 of them old; BENCH_ROWS=N for another number
set -euo pipefail
# shellcheck source=bench/lib/measure.sh
. "$(dirname "$0")/lib/measure.sh"

rows=${BENCH_ROWS:-1000000}
old=$((rows * 3 / 4))
start_server postgres
database=${STEWARD_TEST_POSTGRES/\/postgres\?/\/bench?}

# Without autovacuum, which would come when it likes.
psql -qX "$STEWARD_TEST_POSTGRES" -v ON_ERROR_STOP=1 -c "alter system set autovacuum = off" -c "select pg_reload_conf()" \
  -c "create database seed" >/dev/null
psql -qX "${STEWARD_TEST_POSTGRES/\/postgres\?/\/seed?}" -v ON_ERROR_STOP=1 >/dev/null <<END
create table signals (id bigserial primary key, idea_id bigint, "timestamp" timestamptz not null, engagement_rate float8,
                      details jsonb, content_hash text);
insert into signals (idea_id, "timestamp", engagement_rate, details, content_hash)
  select i % 1000, now() - (i::float8 / $old * 335 + 30.5) * interval '1 day', random(),
         jsonb_build_object('source', 'bench', 'n', i, 'note', repeat('x', 120)), md5(i::text)
    from generate_series(1, $old) i;
insert into signals (idea_id, "timestamp", engagement_rate, details, content_hash)
  select i % 1000, now() - random() * 29 * interval '1 day', random(),
         jsonb_build_object('source', 'bench', 'n', i, 'note', repeat('x', 120)), md5(i::text)
    from generate_series(1, $rows - $old) i;
create index signals_timestamp on signals ("timestamp");
vacuum (freeze, analyze) signals;
END

prepare() {
  psql -qX "$STEWARD_TEST_POSTGRES" -v ON_ERROR_STOP=1 -c "set client_min_messages = error" -c "drop database if exists bench" \
    -c "create database bench template seed strategy file_copy" -c checkpoint
}
run_steward() {
  DATABASE_URL=$database measured "$steward" run cleanup/purge-signals --allow-removal purge-signals
}
run_peer() {
  measured psql -qX "$database" -v ON_ERROR_STOP=1 -c "
    do \$\$
    declare n bigint;
    begin
      loop
        delete from signals where ctid = any(array(
          select ctid from signals where \"timestamp\" < now() - interval '30 days' limit 10000));
        get diagnostics n = row_count;
        commit;
        exit when n = 0;
      end loop;
    end \$\$"
}
left() { psql -qXAt "$database" -c "select count(*) from signals"; }

expected_left=$((rows - old))
echo "rows: $old of $rows rows removed"
compare "$old" "psql, ctid batches of 10,000"
