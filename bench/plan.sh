#!/usr/bin/env bash
# What a plan of a large PostgreSQL table costs: steward beside psql with the two counts that a person would ask for,
# how many rows are old and how many there are.
#
#   bench/plan.sh             10,000,000 rows, a twentieth of them old; BENCH_ROWS=N for another number
set -euo pipefail
# shellcheck source=bench/lib/measure.sh
. "$(dirname "$0")/lib/measure.sh"

rows=${BENCH_ROWS:-10000000}
old=$((rows / 20))
start_server postgres
database=${STEWARD_TEST_POSTGRES/\/postgres\?/\/bench?}
psql -qX "$STEWARD_TEST_POSTGRES" -v ON_ERROR_STOP=1 -c "alter system set autovacuum = off" -c "select pg_reload_conf()" \
  -c "create database bench" >/dev/null
psql -qX "$database" -v ON_ERROR_STOP=1 >/dev/null <<END
create table signals (id bigint primary key, idea_id bigint, "timestamp" timestamptz not null, details jsonb);
insert into signals
  select i, i % 1000, now() - case when i <= $old then 40 else 29 * random() end * interval '1 day',
         jsonb_build_object('source', 'bench', 'n', i)
    from generate_series(1, $rows) i;
create index signals_timestamp on signals ("timestamp");
vacuum (freeze, analyze) signals;
END

prepare() { :; }
run_steward() { DATABASE_URL=$database measured "$steward" plan cleanup/purge-signals; }
run_peer() {
  measured psql -qX "$database" -v ON_ERROR_STOP=1 \
    -c "select count(*), min(\"timestamp\"), max(\"timestamp\") from signals where \"timestamp\" < now() - interval '30 days'" \
    -c "select count(*) from signals"
}
left() { psql -qXAt "$database" -c "select count(*) from signals"; }

expected_left=$rows
echo "plan: $rows rows"
compare "$rows" "psql, two counts"
DATABASE_URL=$database "$steward" plan cleanup/purge-signals
