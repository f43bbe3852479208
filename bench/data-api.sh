#!/bin/sh
# One row by its key through the data API, with a member's token, 256 connections; beside it pgbench with the same statements (begin,
# who asks, the read, commit, pipelined and prepared) on as many connections as the server's pool has. Both on this machine, in turns.
# SECONDS_EACH and ROUNDS make it shorter or longer.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
seconds=${SECONDS_EACH:-10} rounds=${ROUNDS:-3} connections=${CONNECTIONS:-256} pool=20 rows=10000
cargo build --locked --quiet --release -p thorbis-server -p thorbis-load
target=${CARGO_TARGET_DIR:-$root/target}/release
. "$root/dev.d/server.sh"
export THORBIS_LOG__FILTER=warn
start_server "$target/thorbis"
anon=$(said 'anon key')
sql() { "$target/thorbis" psql --data "$folder/data" -- --quiet --no-psqlrc "$@"; }
company=01900000-0000-7000-8000-000000000001
sql -c "insert into public.customers (company_id, id, first_name, last_name, email)
  select '$company', ('01900000-0000-7000-9000-' || lpad(n::text, 12, '0'))::uuid, 'Bench', n::text, 'bench' || n || '@example.com'
    from generate_series(1, $rows) n" -c 'vacuum analyze public.customers'
token=$(curl -s "$url/auth/v1/token?grant_type=password" -H "apikey: $anon" -H 'content-type: application/json' \
    -d "{\"email\":\"$(said 'demo login')\",\"password\":\"$(said 'demo password')\"}" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
payload=$(echo "$token" | cut -d. -f2 | tr '_-' '/+')
while [ $((${#payload} % 4)) -ne 0 ]; do payload="$payload="; done
# pgbench takes a colon with a word behind it for a variable.
claims=$(echo "$payload" | base64 -d | sed 's/:/: /g')
user=$(echo "$claims" | sed 's/.*"sub": "\([^"]*\)".*/\1/')
session=$(echo "$claims" | sed 's/.*"session_id": "\([^"]*\)".*/\1/')

cat >"$folder/read.sql" <<SQL
\set n random(1, $rows)
\startpipeline
begin read only;
select o.company_id, o.member_role, set_config('request.jwt.claims', o.claims, true), set_config('app.company_id', coalesce(o.company_id::text, ''), true),
  set_config('app.user_id', coalesce(o.user_id::text, ''), true), set_config('app.member_role', coalesce(o.member_role, ''), true),
  set_config('app.permissions', o.permissions, true), set_config('request.method', 'GET', true), set_config('request.path', '/rest/v1/customers', true),
  set_config('request.headers', '{}', true), set_config('request.cookies', '{}', true), set_config('statement_timeout', '30000', true),
  set_config('search_path', 'public, extensions', true), set_config('role', o.role, true)
  from app.open_request('user', '$user', '$session', null, '$claims', null, false) o;
with thorbis_source as (select "public"."customers"."id", "public"."customers"."display_name", "public"."customers"."email"
  from "public"."customers"
 where "public"."customers"."company_id" = (select app.company_id()) and "public"."customers"."deleted_at" is null
   and ("public"."customers"."id" = ('01900000-0000-7000-9000-' || lpad((:n)::text, 12, '0'))::uuid) limit 1000 offset 0)
select null::bigint, count(thorbis_row), coalesce(json_agg(thorbis_row), '[]')::text, null::text, null::bigint, null::bigint from thorbis_source thorbis_row;
commit;
\endpipeline
SQL
# Where PostgreSQL is, as psql knows it.
eval "$(sql -c '\! env | grep ^PG | sed "s/^/export /; s/=\(.*\)/='"'"'\1'"'"'/"')"
# The client programs of the newest PostgreSQL here, with or without a place on the search path.
pgbench=$(command -v pgbench || ls -d /usr/lib/postgresql/*/bin/pgbench | sort -V | tail -n 1)

through_http() {
    "$target/load" --address "${url#http://}" --path '/rest/v1/customers?select=id,display_name,email&id=eq.01900000-0000-7000-9000-{n}' \
        --numbers "$rows" --connections "$connections" --seconds "$1" --header "apikey: $anon" --header "authorization: Bearer $token"
}
through_pgbench() {
    "$pgbench" --no-vacuum -M prepared -c "$pool" -j 2 -T "$1" -f "$folder/read.sql" | sed -n 's/^tps = \([0-9]*\).*/\1/p'
}
field() { echo "$1" | sed "s/.*\"$2\":\([0-9]*\).*/\1/"; }

through_http 2 >/dev/null
through_pgbench 2 >/dev/null
round=0
while [ "$round" -lt "$rounds" ]; do
    http=$(through_http "$seconds")
    sql_rate=$(through_pgbench "$seconds")
    rate=$(field "$http" per_second)
    echo "round $((round + 1)): $http, pgbench $sql_rate/s"
    [ "$(field "$http" errors)" = 0 ] || { echo "there were errors"; exit 1; }
    echo "$((rate * 1000 / sql_rate)) $rate $sql_rate $(field "$http" p50_us) $(field "$http" p99_us)" >>"$folder/rounds"
    round=$((round + 1))
done
# The middle round by its ratio.
sort -n "$folder/rounds" | sed -n "$(((rounds + 1) / 2))p" | awk -v c="$connections" -v p="$pool" \
    '{ printf "point read: %.2f of pgbench (%d/s at %d connections, p50 %.1f ms, p99 %.1f ms; pgbench pipelined %d/s at %d)\n", $1 / 1000, $2, c, $4 / 1000, $5 / 1000, $3, p }'
