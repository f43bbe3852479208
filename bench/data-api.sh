#!/bin/sh
# One row by its key through the data API, with a member's token, 256 connections; beside it pgbench with the statements that the server
# sent for it, as PostgreSQL logged them (who asks, and the read, pipelined and prepared), on as many connections as the
# server's pool has. Both on this machine, in turns. A bare read by key, without transaction, roles and row security, says what is left.
# SECONDS_EACH and ROUNDS make it shorter or longer.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
seconds=${SECONDS_EACH:-10} rounds=${ROUNDS:-3} connections=${CONNECTIONS:-256} pool=20 rows=10000
cargo build --locked --quiet --release -p thorbis-server -p thorbis-load
target=${CARGO_TARGET_DIR:-$root/target}/release
. "$root/dev.d/server.sh"
export THORBIS_LOG__FILTER=warn THORBIS_DATABASE__POOL_SIZE=$pool
start_server "$target/thorbis"
anon=$(said 'anon key')
sql() { "$target/thorbis" psql --data "$folder/data" -- --quiet --no-psqlrc "$@"; }
company=01900000-0000-7000-8000-000000000001 ids=01900000-0000-7000-9000-
sql -c "insert into public.customers (company_id, id, first_name, last_name, email)
  select '$company', ('$ids' || lpad(n::text, 12, '0'))::uuid, 'Bench', n::text, 'bench' || n || '@example.com'
    from generate_series(1, $rows) n" -c 'vacuum analyze public.customers'
token=$(curl -s "$url/auth/v1/token?grant_type=password" -H "apikey: $anon" -H 'content-type: application/json' \
    -d "{\"email\":\"$(said 'demo login')\",\"password\":\"$(said 'demo password')\"}" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')

# through_http CONNECTIONS SECONDS
through_http() {
    "$target/load" --address "${url#http://}" --path "/rest/v1/customers?select=id,display_name,email&id=eq.$ids{n}" \
        --numbers "$rows" --connections "$1" --seconds "$2" --header "apikey: $anon" --header "authorization: Bearer $token"
}

# What the server sends, and with which values.
sql -c 'alter system set log_min_duration_statement = 0' -c 'alter system set log_parameter_max_length = -1' -c 'select pg_reload_conf()' >/dev/null
through_http 1 2 >/dev/null
sql -c 'alter system reset log_min_duration_statement' -c 'alter system reset log_parameter_max_length' -c 'select pg_reload_conf()' >/dev/null

# logged BEGINNING FILE: the last statement that begins so goes to FILE, its values to FILE.values, a line each: number, tab, value.
logged() {
    cat "$folder"/data/postgres/log/postgresql-* | awk -v beginning="$1" -v file="$2" -v quote="'" '
        function over() {
            if (record ~ (" execute [^:]*: " beginning)) {
                sub(/^.* execute [^:]*: /, "", record)
                text = record
                wanted = 1
            } else if (wanted && record ~ / DETAIL:  /) {
                values = record
                wanted = 0
            }
        }
        /^[0-9-]+ [0-9:.]+ / { over(); record = $0; next }
        { sub(/^\t/, ""); record = record "\n" $0 }
        END {
            over()
            print text > file
            value = "[$][0-9]+ = (NULL|" quote "([^" quote "]|" quote quote ")*" quote ")"
            while (match(values, value)) {
                one = substr(values, RSTART + 1, RLENGTH - 1)
                values = substr(values, RSTART + RLENGTH)
                number = one + 0
                sub(/^[0-9]+ = /, "", one)
                if (one != "NULL") { one = substr(one, 2, length(one) - 2); gsub(quote quote, quote, one) }
                print number "\t" one > (file ".values")
            }
        }'
    [ -s "$2" ] && [ -s "$2.values" ] || { echo "the server was not seen to send: $1"; exit 1; }
}
logged 'select o[.]company_id' "$folder/opening"
logged 'with thorbis_source' "$folder/reading"

# Values become variables of pgbench, so that they are bound as the server binds them. It cannot bind null, nor make a text of a number.
tab=$(printf '\t')
set --
for statement in opening reading; do
    while IFS=$tab read -r number value; do
        case $value in
            NULL) new=null ;;
            "$ids"*) new="('$ids' || lpad((:n)::text, 12, '0'))::uuid" ;;
            *) new=":$statement$number" && set -- "$@" -D "$statement$number=$value" ;;
        esac
        sed "s/[\$]$number\([^0-9]\|\$\)/$new\1/g" "$folder/$statement" >"$folder/new" && mv "$folder/new" "$folder/$statement"
    done <"$folder/$statement.values"
done
numbers="\\set n random(1, $rows)"
{
    printf '%s\n\\startpipeline\n' "$numbers"
    cat "$folder/opening" && echo ';' && cat "$folder/reading" && echo ';'
    printf '\\endpipeline\n'
} >"$folder/same.sql"
printf "%s\nselect id, display_name, email from public.customers where company_id = '%s' and id = ('%s' || lpad((:n)::text, 12, '0'))::uuid;\n" \
    "$numbers" "$company" "$ids" >"$folder/bare.sql"

# Where PostgreSQL is, as psql knows it.
eval "$(sql -c '\! env | grep ^PG | sed "s/^/export /; s/=\(.*\)/='"'"'\1'"'"'/"')"
# The client programs of the newest PostgreSQL here, with or without a place on the search path.
pgbench=$(command -v pgbench || ls -d /usr/lib/postgresql/*/bin/pgbench | sort -V | tail -n 1)
# through_pgbench SECONDS FILE VARIABLES...
through_pgbench() {
    for_seconds=$1 file=$2
    shift 2
    "$pgbench" --no-vacuum -M prepared -c "$pool" -j "$(nproc)" -T "$for_seconds" -f "$folder/$file" "$@" >"$folder/pgbench" 2>&1 || {
        cat "$folder/pgbench" >&2
        exit 1
    }
    sed -n 's/^tps = \([0-9]*\).*/\1/p' "$folder/pgbench"
}
field() { echo "$1" | sed "s/.*\"$2\":\([0-9]*\).*/\1/"; }

through_http "$connections" 2 >/dev/null
through_pgbench 2 same.sql "$@" >/dev/null
round=0
while [ "$round" -lt "$rounds" ]; do
    http=$(through_http "$connections" "$seconds")
    same=$(through_pgbench "$seconds" same.sql "$@")
    bare=$(through_pgbench "$seconds" bare.sql)
    rate=$(field "$http" per_second)
    echo "round $((round + 1)): $http, pgbench $same/s, bare $bare/s"
    [ "$(field "$http" errors)" = 0 ] || { echo "there were errors"; exit 1; }
    echo "$((rate * 1000 / same)) $rate $same $(field "$http" p50_us) $(field "$http" p99_us) $bare" >>"$folder/rounds"
    round=$((round + 1))
done
# The middle round by its ratio.
sort -n "$folder/rounds" | sed -n "$(((rounds + 1) / 2))p" | awk -v c="$connections" -v p="$pool" \
    '{ printf "point read: %.2f of pgbench (%d/s at %d connections, p50 %.1f ms, p99 %.1f ms; pgbench with the same statements %d/s at %d, with a bare read %d/s)\n", $1 / 1000, $2, c, $4 / 1000, $5 / 1000, $3, p, $6 }'
