#!/bin/sh
# What the audit costs: 16 writers change jobs of one company, each change a transaction of its own, with the audit's triggers on public.jobs
# and without them, in turns, in the same database and the same minutes. What is lost is the share of the changes per second that go when
# they are switched on. Everything else that a change of a job does is done both times. The program decides nothing here, PostgreSQL does
# the work; PROFILE=dev builds it faster. SECONDS_EACH (10), ROUNDS (3) and WRITERS (16) make it shorter or other; more than 30 % lost is a
# failure.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
seconds=${SECONDS_EACH:-10} rounds=${ROUNDS:-3} writers=${WRITERS:-16} profile=${PROFILE:-release} allowed=30
# A program that is there already, instead of one that is built now.
thorbis=${THORBIS:-}
if [ -z "$thorbis" ]; then
    cargo build --locked --quiet --profile "$profile" -p thorbis-server
    [ "$profile" = dev ] && profile=debug
    thorbis=${CARGO_TARGET_DIR:-$root/target}/$profile/thorbis
fi
. "$root/dev.d/server.sh"
unset THORBIS
export THORBIS_LOG__FILTER=warn
start_server "$thorbis"
sql() { "$thorbis" psql --data "$data" -- --quiet --no-psqlrc --tuples-only --no-align "$@"; }
company=01900000-0000-7000-8000-000000000001
jobs=$(sql -c "select count(*) from public.jobs where company_id = '$company' and deleted_at is null")
[ "$jobs" -gt "$writers" ] || { echo "the demo company has $jobs jobs"; exit 1; }

# A job by its place in a list, so that writers seldom meet; its description changes every time.
sql -c "create schema bench; grant usage on schema bench to public;
        create table bench.jobs as select row_number() over (order by id)::integer as n, id from public.jobs
         where company_id = '$company' and deleted_at is null;
        create unique index on bench.jobs (n); analyze bench.jobs; grant select on bench.jobs to public"
cat >"$folder/change.sql" <<TEXT
\\set n random(1, $jobs)
\\set text random(1, 1000000000)
select id from bench.jobs where n = :n \\gset
update public.jobs set description = 'changed ' || :text where company_id = '$company' and id = ':id';
TEXT

# Where PostgreSQL is, as psql knows it.
eval "$(sql -c '\! env | grep ^PG | sed "s/^/export /; s/=\(.*\)/='"'"'\1'"'"'/"')"
pgbench=$(command -v pgbench || ls -d /usr/lib/postgresql/*/bin/pgbench | sort -V | tail -n 1)
# changes SECONDS: how many in a second.
changes() {
    "$pgbench" --no-vacuum -c "$writers" -j "$(nproc)" -T "$1" -f "$folder/change.sql" >"$folder/pgbench" 2>&1 || {
        cat "$folder/pgbench" >&2
        exit 1
    }
    sed -n 's/^tps = \([0-9]*\).*/\1/p' "$folder/pgbench"
}
# audited enable|disable
audited() {
    sql -c "alter table public.jobs $1 trigger zz_audit, $1 trigger zz_audit_update"
}

changes 2 >/dev/null
round=0
while [ "$round" -lt "$rounds" ]; do
    audited disable
    without=$(changes "$seconds")
    before=$(sql -c "select count(*) from public.audit_logs where table_name = 'jobs'")
    audited enable
    with=$(changes "$seconds")
    written=$(($(sql -c "select count(*) from public.audit_logs where table_name = 'jobs'") - before))
    [ "$written" -ge "$((with * seconds / 2))" ] || { echo "only $written changes were audited"; exit 1; }
    lost=$(((without - with) * 1000 / without))
    echo "round $((round + 1)): $without/s without, $with/s with, $written written down"
    echo "$lost $without $with" >>"$folder/rounds"
    round=$((round + 1))
done
# The middle round by what is lost.
set -- $(sort -n "$folder/rounds" | sed -n "$(((rounds + 1) / 2))p")
echo "audit: $writers writers of one company lose $(($1 / 10)).$((($1 + 1000) % 10)) % ($2 changes/s without, $3 with)"
[ "$1" -le "$((allowed * 10))" ]
