#!/bin/sh
# The data API with a member's token: one row by its key, a list of 100, a row with three embeds, a function, an insert, an upsert and a
# bulk insert of 1,000 rows. Beside each pgbench with the statements that the server sent for it, as PostgreSQL logged them (who asks, and
# the statement, pipelined and prepared), on as many connections as the server's pool has. For the row by its key also two servers
# with the same number of connections to PostgreSQL: one written by hand with Fastify and pg, and one that sends the same statements
# in four round trips through tokio-postgres; the times of 1,000 connections, memory, and the time until the first byte. All on this
# machine, in turns. SECONDS_EACH and ROUNDS make it shorter or longer; ./dev bench has Node on the search path.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
seconds=${SECONDS_EACH:-10} rounds=${ROUNDS:-3} connections=${CONNECTIONS:-256} pool=20 rows=10000
cargo build --locked --quiet --release -p thorbis-server -p thorbis-load
target=${CARGO_TARGET_DIR:-$root/target}/release
command -v npm >/dev/null || { echo 'there is no npm on the search path: ./dev bench data-api has one'; exit 1; }
. "$root/dev.d/server.sh"
# Nothing is kept: what is measured is the way to PostgreSQL and back.
export THORBIS_LOG__FILTER=warn THORBIS_DATABASE__POOL_SIZE=$pool THORBIS_DATA_API__CACHE__ENABLED=false
start_server "$target/thorbis"
anon=$(said 'anon key')
# say LINE: a part of the outcome.
say() {
    echo "$1"
    [ -z "${OUTCOME:-}" ] || echo "$1" >>"$OUTCOME"
}
sql() { "$target/thorbis" psql --data "$folder/data" -- --quiet --no-psqlrc "$@"; }
company=01900000-0000-7000-8000-000000000001 ids=01900000-0000-7000-9000-
sql -c "insert into public.customers (company_id, id, first_name, last_name, email)
  select '$company', ('$ids' || lpad(n::text, 12, '0'))::uuid, 'Bench', n::text, 'bench' || n || '@example.com'
    from generate_series(1, $rows) n" -c 'vacuum analyze public.customers'
token=$(curl -s "$url/auth/v1/token?grant_type=password" -H "apikey: $anon" -H 'content-type: application/json' \
    -d "{\"email\":\"$(said 'demo login')\",\"password\":\"$(said 'demo password')\"}" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')

# through_http CONNECTIONS SECONDS PATH: what is read, or with $body_file written with the preferences in $prefer.
body_file= prefer=return=minimal
through_http() {
    "$target/load" --address "${url#http://}" --path "$3" --numbers "$rows" --connections "$1" --seconds "$2" \
        --header "apikey: $anon" --header "authorization: Bearer $token" \
        ${body_file:+--method POST --body "$body_file" --header 'content-type: application/json' --header "prefer: $prefer"}
}
field() { echo "$1" | sed "s/.*\"$2\":\([0-9]*\).*/\1/"; }

# logged BEGINNING FILE VALUES: the last statement that begins so and has such values goes to FILE, its values to FILE.values, a line each:
# number, tab, value.
logged() {
    cat "$folder"/data/postgres/log/postgresql-* | awk -v beginning="$1" -v file="$2" -v such="$3" -v quote="'" '
        function over() {
            if (record ~ (" execute [^:]*: " beginning)) {
                sub(/^.* execute [^:]*: /, "", record)
                text = record
                wanted = 1
            } else if (wanted && record ~ / DETAIL:  /) {
                if (record ~ such) { values = record }
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

# seen PATH: what one request sends, and with which values. Both must be there: what is sent is what was measured.
seen() {
    sql -c 'alter system set log_min_duration_statement = 0' -c 'alter system set log_parameter_max_length = -1' -c 'select pg_reload_conf()' >/dev/null
    through_http 1 1 "$1" >/dev/null
    sql -c 'alter system reset log_min_duration_statement' -c 'alter system reset log_parameter_max_length' -c 'select pg_reload_conf()' >/dev/null
    # The server itself asks, too; this is the member.
    logged 'select o[.]company_id' "$folder/opening" "[$]1 = 'user'"
    logged 'with thorbis_' "$folder/statement" ''
    # The same for servers of others, which put in the number of the row themselves.
    for statement in opening statement; do
        cp "$folder/$statement" "$folder/sent-$statement.sql"
        sed "s/$ids[0-9]\{12\}/$ids{n}/" "$folder/$statement.values" >"$folder/sent-$statement.values"
    done
}

# Where PostgreSQL is, as psql knows it.
eval "$(sql -c '\! env | grep ^PG | sed "s/^/export /; s/=\(.*\)/='"'"'\1'"'"'/"')"
# The client programs of the newest PostgreSQL here, with or without a place on the search path.
pgbench=$(command -v pgbench || ls -d /usr/lib/postgresql/*/bin/pgbench | sort -V | tail -n 1)
# through_pgbench SECONDS VARIABLES...
through_pgbench() {
    for_seconds=$1
    shift
    "$pgbench" --no-vacuum -M prepared -c "$pool" -j "$(nproc)" -T "$for_seconds" -f "$folder/same.sql" "$@" >"$folder/pgbench" 2>&1 || {
        cat "$folder/pgbench" >&2
        exit 1
    }
    sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$folder/pgbench"
}

# measured NAME PATH: prints its line.
measured() {
    name=$1 path=$2
    seen "$path"
    # Values become variables of pgbench, so that they are bound as the server binds them. It cannot bind null, nor make a text of a number.
    tab=$(printf '\t')
    set --
    for statement in opening statement; do
        while IFS=$tab read -r number value; do
            case $value in
                NULL) new=null ;;
                "$ids"*) new="('$ids' || lpad((:n)::text, 12, '0'))::uuid" ;;
                *"$ids"*)
                    new="(replace(:$statement$number, '{n}', lpad((:n)::text, 12, '0')))"
                    set -- "$@" -D "$statement$number=$(echo "$value" | sed "s/$ids[0-9]\{12\}/$ids{n}/g")"
                    ;;
                *) new=":$statement$number" && set -- "$@" -D "$statement$number=$value" ;;
            esac
            sed "s/[\$]$number\([^0-9]\|\$\)/$new\1/g" "$folder/$statement" >"$folder/new" && mv "$folder/new" "$folder/$statement"
        done <"$folder/$statement.values"
    done
    {
        printf '\\set n random(1, %s)\n\\startpipeline\n' "$rows"
        cat "$folder/opening" && echo ';' && cat "$folder/statement" && echo ';'
        printf '\\endpipeline\n'
    } >"$folder/same.sql"
    through_http "$connections" 1 "$path" >/dev/null
    through_pgbench 1 "$@" >/dev/null
    round=0
    : >"$folder/rounds"
    while [ "$round" -lt "$rounds" ]; do
        http=$(through_http "$connections" "$seconds" "$path")
        same=$(through_pgbench "$seconds" "$@")
        [ "$(field "$http" errors)" = 0 ] || { echo "there were errors"; exit 1; }
        echo "$(rate "$http") $same $(field "$http" p50_us) $(field "$http" p99_us)" >>"$folder/rounds"
        round=$((round + 1))
    done
    say "$(middle | awk -v name="$name" -v c="$connections" -v p="$pool" 'function whole(x) { return sprintf(x < 100 ? "%.1f" : "%d", x) }
        { printf "%s: %.2f of pgbench (%s/s at %d connections, p50 %.1f ms, p99 %.1f ms; ", name, $1, whole($2), c, $4 / 1000, $5 / 1000
          printf "pgbench with the same statements %s/s at %d)", whole($3), p }')"
}

# rate ANSWER: answers a second.
rate() { echo "$(field "$1" answers) $(field "$1" elapsed_us)" | awk '{ printf "%.2f", $1 * 1000000 / $2 }'; }
# middle: the middle one of the rounds, each ours, theirs and more, by its ratio, which goes before it.
middle() { awk '{ print $1 / ($2 > 0 ? $2 : 1), $0 }' "$folder/rounds" | sort -n | sed -n "$(((rounds + 1) / 2))p"; }

# served COMMAND...: starts a server of others and waits until it says that it is ready.
served() {
    : >"$folder/peer"
    "$@" >"$folder/peer" 2>&1 &
    peer=$!
    waited=0
    until grep -q '^ready' "$folder/peer"; do
        [ "$waited" -lt 300 ] && kill -0 "$peer" 2>/dev/null || { cat "$folder/peer" >&2; exit 1; }
        sleep 0.1
        waited=$((waited + 1))
    done
}

# against NAME PATH: prints its line: ours of one row beside that server's, which is stopped then.
against() {
    theirs() {
        "$target/load" --address "127.0.0.1:$port" --path "$1" --numbers "$rows" --connections "$connections" --seconds "$2" \
            --header "authorization: Bearer $token"
    }
    theirs "$2" 1 >/dev/null || { cat "$folder/peer" >&2; exit 1; }
    : >"$folder/rounds"
    for round in $(seq "$rounds"); do
        http=$(through_http "$connections" "$seconds" "$one")
        echo "$(rate "$http") $(rate "$(theirs "$2" "$seconds")")" >>"$folder/rounds"
    done
    kill "$peer" && wait "$peer" 2>/dev/null || true
    peer=
    say "$(middle | awk -v name="$1" '{ printf "%s ratio %.2fx (%d/s, %s %d/s)", name, $1, $2, name, $3 }')"
}

# memory: what the server's process holds, in MiB.
memory() { awk '/^VmRSS/ { printf "%d", $2 / 1024 }' "/proc/$server/status"; }

milliseconds() { echo "$(field "$1" "$2")" | awk '{ printf "%.1f", $1 / 1000 }'; }

idle_memory=$(memory)
one="/rest/v1/customers?select=id,display_name,email&id=eq.$ids{n}"
measured 'point read' "$one"
crowd=$(through_http 1000 "$seconds" "$one")
say "point read at 1000 connections: $(field "$crowd" per_second)/s, p50 $(milliseconds "$crowd" p50_us) ms, p99 $(milliseconds "$crowd" p99_us) ms; memory $idle_memory MiB before, $(memory) MiB after"

# The servers of others, with the statements of a point read.
node_modules=$root/bench/fastify/node_modules
[ -e "$node_modules/.package-lock.json" ] && [ ! "$root/bench/fastify/package-lock.json" -nt "$node_modules/.package-lock.json" ] || {
    (cd "$root/bench/fastify" && npm ci --silent && touch node_modules/.package-lock.json)
}
port=$((20000 + $$ % 20000))
served env OPENING="$folder/sent-opening.sql" VALUES="$folder/sent-opening.values" JWKS="$url/auth/v1/.well-known/jwks.json" PORT=$port \
    POOL_SIZE=$pool node "$root/bench/fastify/server.mjs"
against fastify "/customers/$ids{n}"
served "$target/four-trips" --port $port --pool $pool --opening "$folder/sent-opening.sql" --statement "$folder/sent-statement.sql" \
    --database "host=$PGHOST port=${PGPORT:-5432} user=$PGUSER dbname=$PGDATABASE"
against 'four round trips' '/customers/{n}'

alone=$(through_http 1 "$seconds" "$one")
long=$(through_http 1 "$seconds" '/rest/v1/customers?select=id,display_name,email&order=id&limit=1000')
say "first byte at 1 connection: one row $(milliseconds "$alone" first_p50_us) ms, p99 $(milliseconds "$alone" first_p99_us) ms; a list of 1000 $(milliseconds "$long" first_p50_us) ms, whole after $(milliseconds "$long" p50_us) ms"

measured 'list of 100' '/rest/v1/customers?select=id,display_name,email&order=id&limit=100'
measured 'three embeds' "/rest/v1/customers?select=id,display_name,properties(id,name),jobs(id,title),invoices(id,status)&id=eq.$ids{n}"
measured 'rpc' '/rest/v1/rpc/my_companies'

# Writes come last: the table grows by them.
body_file=$folder/body
# Without a line's end, which would be a part of the value.
printf %s '{"first_name":"Bench","last_name":"One","phone":"+15550100"}' >"$body_file"
measured 'insert' '/rest/v1/customers'
printf %s "{\"id\":\"$ids{n}\",\"first_name\":\"Bench\",\"last_name\":\"{n}\",\"phone\":\"+15550100\"}" >"$body_file"
prefer=return=minimal,resolution=merge-duplicates
measured 'upsert' '/rest/v1/customers?on_conflict=id'
prefer=return=minimal
seq 1000 | awk '{ printf "%s{\"first_name\":\"Bench\",\"last_name\":\"%d\",\"phone\":\"+15550100\"}", NR == 1 ? "[" : ",", $1 } END { printf "]" }' >"$body_file"
# As many as cores, on both sides: more would only wait for each other.
connections=$(nproc) pool=$(nproc)
measured 'bulk insert of 1000' '/rest/v1/customers'
