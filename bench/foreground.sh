#!/usr/bin/env bash
# What an application feels while old rows go: the latency of a paced pgbench on the same PostgreSQL, in turns beside nobody,
# steward, psql with batches of 10,000 by ctid without a pause, and steward on a table whose old partitions go whole.
#
#   bench/foreground.sh       1,000,000 rows, 750,000 of them old; BENCH_ROWS=N for another number
#
#   BENCH_RATE=N              transactions a second that the application makes (200)
#   BENCH_ROUNDS=N            how often each has its turn (3), after a first round that is not counted
set -euo pipefail
# shellcheck source=bench/lib/measure.sh
. "$(dirname "$0")/lib/measure.sh"

rows=${BENCH_ROWS:-1000000}
rate=${BENCH_RATE:-200}
rounds=${BENCH_ROUNDS:-3}
old=$((rows * 3 / 4))
start_server postgres
# pgbench is not in everybody's PATH.
pgbench=$(command -v pgbench || find /usr/lib/postgresql -name pgbench -type f 2>/dev/null | sort -V | tail -n 1)
[ -n "$pgbench" ] || die "there is no pgbench: install postgresql-15"
of() { echo "${STEWARD_TEST_POSTGRES/\/postgres\?/\/$1?}"; }
admin() { psql -qX "$STEWARD_TEST_POSTGRES" -v ON_ERROR_STOP=1 "$@" >/dev/null; }

# fill NAME PARTITION-CLAUSE: the rows, and in partitions of 30 days where there is a clause.
fill() {
  admin -c "create database $1"
  psql -qX "$(of "$1")" -v ON_ERROR_STOP=1 >/dev/null <<END
create table signals (id bigserial, idea_id bigint, "timestamp" timestamptz not null, engagement_rate float8, details jsonb,
                      content_hash text, primary key (id, "timestamp")) $2;
do \$\$
declare d date := date_trunc('day', now() - interval '390 days');
begin
  while '$2' <> '' and d < now() + interval '60 days' loop
    execute format('create table signals_%s partition of signals for values from (%L) to (%L)', to_char(d, 'YYYYMMDD'), d, d + 15);
    d := d + 15;
  end loop;
end \$\$;
insert into signals (idea_id, "timestamp", engagement_rate, details, content_hash)
  select i % 1000, now() - (i::float8 / $old * 335 + 30.5) * interval '1 day', random(),
         jsonb_build_object('source', 'bench', 'n', i, 'note', repeat('x', 120)), md5(i::text)
    from generate_series(1, $old) i;
insert into signals (idea_id, "timestamp", engagement_rate, details, content_hash)
  select i % 1000, now() - random() * 29 * interval '1 day', random(),
         jsonb_build_object('source', 'bench', 'n', i, 'note', repeat('x', 120)), md5(i::text)
    from generate_series(1, $rows - $old) i;
create index signals_timestamp on signals ("timestamp");
analyze signals;
END
}
admin -c "alter system set autovacuum = off" -c "select pg_reload_conf()"
fill seed_rows ''
fill seed_partitions 'partition by range ("timestamp")'

# The application: writes a signal, changes one of its own, reads what came last.
cat >"$work/application.sql" <<END
\set id random(1, $rows)
begin;
insert into signals (idea_id, "timestamp", engagement_rate, content_hash) values (1, now(), 0.5, 'new');
update signals set engagement_rate = engagement_rate + 0.1 where id = :id and "timestamp" > now() - interval '29 days';
end;
select count(*) from (select 1 from signals order by "timestamp" desc limit 20) latest;
END

steward_run() {
  fresh_state
  DATABASE_URL=$(of bench) "$steward" run cleanup/purge-signals --allow-removal purge-signals >"$work/output" 2>&1
}
work_of() {
  case $1 in
    nobody) sleep 5 ;;
    steward | partitions) steward_run ;;
    psql)
      psql -qX "$(of bench)" -v ON_ERROR_STOP=1 >"$work/output" 2>&1 -c "
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
      ;;
  esac || { cat "$work/output" >&2; die "$1 failed"; }
}

# turn ROUND WHO: its line "WHO FROM TO" goes to $work/turns, the application's to $work/log.ROUND.WHO*.
turn() {
  local seed=seed_rows application from to
  [ "$2" != partitions ] || seed=seed_partitions
  admin -c "set client_min_messages = error" -c "drop database if exists bench" -c "create database bench template $seed strategy file_copy" \
    -c checkpoint
  (cd "$work" && exec "$pgbench" -n -f application.sql -c 8 -j 1 -R "$rate" -T 600 -l --log-prefix="log.$1.$2" "$(of bench)") \
    >"$work/pgbench.out" 2>&1 &
  application=$!
  until [ -n "$(find "$work" -name "log.$1.$2.*" -size +0)" ]; do
    kill -0 "$application" 2>/dev/null || { cat "$work/pgbench.out" >&2; die "pgbench ended"; }
    sleep 0.1
  done
  from=$(date +%s.%N)
  work_of "$2"
  to=$(date +%s.%N)
  # Until what was due meanwhile is written: pgbench writes its log in blocks, and the last one goes with it.
  until [ "$(cat "$work/log.$1.$2."* | awk 'NF >= 6 { last = $5 } END { print last + 0 }')" -gt $((${to%.*} + 1)) ]; do
    kill -0 "$application" 2>/dev/null || { cat "$work/pgbench.out" >&2; die "pgbench ended"; }
    sleep 0.2
  done
  kill -INT "$application"
  wait "$application" || true # it was interrupted, by us
  if [ "$2" != nobody ]; then
    [ "$(psql -qXAt "$(of bench)" -c "select count(*) from signals where \"timestamp\" < now() - interval '31 days'")" = 0 ] ||
      die "$2 left old rows"
  fi
  echo "round $1 of $rounds, $2: $(echo "$to - $from" | bc) s" >&2
  [ "$1" = 0 ] || echo "$1 $2 $from $to" >>"$work/turns"
}

echo "foreground: $old of $rows rows removed, beside an application of $rate transactions a second"
for round in $(seq 0 "$rounds"); do
  for who in nobody steward psql partitions; do turn "$round" "$who"; done
done
python3 "$repository/bench/lib/foreground.py" "$work"
