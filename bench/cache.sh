#!/bin/sh
# A dispatcher's day, played again (bench/day/day.mjs) against a server that keeps reads and against one that does not, in turns, on one
# database: how many reads of the tables that are kept are answered without a statement, how long they take beside those of the other server,
# and for how long a second server that keeps reads answers with what the first one has changed. REQUESTS (2,000) in each, RATE (10) in a
# second, is a day of six dispatchers in minutes; SEED decides what is asked for. Fewer than 80 % saved, hits that take longer than 10 ms (p99
# of them on a quiet machine, p50 anywhere), or more than a second of what was is a failure. ./dev bench has Node.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
export SEED="${SEED:-1}" REQUESTS="${REQUESTS:-2000}" RATE="${RATE:-10}"
thorbis=${THORBIS:-${CARGO_TARGET_DIR:-$root/target}/release/thorbis}
[ -n "${THORBIS:-}" ] || cargo build --locked --quiet --release -p thorbis-server
command -v node >/dev/null || { echo 'there is no node on the search path: ./dev bench cache has one'; exit 1; }
. "$root/dev.d/server.sh"
unset THORBIS
# What one of them signs the others take.
export THORBIS_LOG__FILTER=warn THORBIS_PUBLIC_URL=http://localhost:54321
start_server "$thorbis"
sql() { "$thorbis" psql --data "$data" -- --quiet --no-psqlrc --tuples-only --no-align "$@"; }
first=$url
export ANON="$(said 'anon key')" COMPANY=01900000-0000-7000-8000-000000000001

# Two more servers of the same database, with the keys of the first: one keeps reads, one does not.
eval "$(sql -c '\! env | grep ^PG | sed "s/^/export /; s/=\(.*\)/='"'"'\1'"'"'/"')"
socket=$(echo "$PGHOST" | sed 's|/|%2F|g') ring=$(ls "$data"/secrets/key* "$data"/keys* 2>/dev/null | head -n 1)
another() {
    mkdir -p "$folder/$1"
    : >"$folder/$1.out"
    env DATABASE_URL="postgres://thorbis_server:$(cat "$data/secrets/postgres_server")@$socket/$PGDATABASE" \
        MIGRATOR_URL="postgres://$PGUSER:$PGPASSWORD@$socket/$PGDATABASE" THORBIS_KEY_RING_FILE="$ring" THORBIS_DATA_API__CACHE__ENABLED="$2" \
        "$thorbis" serve --env development --data "$folder/$1" --listen 127.0.0.1:0 >"$folder/$1.out" 2>"$folder/$1.log" &
    peer="${peer:-} $!"
    waited=0
    until grep -q '^demo password' "$folder/$1.out"; do
        [ "$waited" -lt 300 ] || { cat "$folder/$1.log" >&2; exit 1; }
        sleep 0.2
        waited=$((waited + 1))
    done
    sed -n 's/.* answers at \([^ ]*\).*/\1/p' "$folder/$1.out" >"$folder/$1.url"
}
another second true
another without false
# A server of development makes the demo's password anew when it starts, which ends its sessions.
export TOKEN=$(curl -s "$url/auth/v1/token?grant_type=password" -H "apikey: $ANON" -H 'content-type: application/json' \
    -d "{\"email\":\"$(said 'demo login')\",\"password\":\"$(sed -n 's/^demo password *//p' "$folder/without.out" | tail -n 1)\"}" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
second=$(cat "$folder/second.url") without=$(cat "$folder/without.url")

field() { echo "$1" | sed "s/.*\"$2\":\([0-9]*\).*/\1/"; }
ms() { echo "$(field "$1" "$2")" | awk '{ printf "%.1f", $1 / 1000 }'; }
with=$(node "$root/bench/day/day.mjs" "$first" "$second")
none=$(node "$root/bench/day/day.mjs" "$without")
[ "$(field "$none" hits)" = 0 ] || { echo 'the server without kept reads kept some'; exit 1; }
saved=$(($(field "$with" hits) * 1000 / $(field "$with" kept)))
echo "cache: a day of $(field "$with" asked) reads and $(field "$with" writes) writes, $(field "$with" kept) of tables that are kept:" \
    "$((saved / 10)).$((saved % 10)) % without a statement, hits p50 $(ms "$with" hit_p50_us) ms, p99 $(ms "$with" hit_p99_us)" \
    "(all of them p50 $(ms "$with" p50_us), p99 $(ms "$with" p99_us); without the cache p50 $(ms "$none" p50_us), p99 $(ms "$none" p99_us));" \
    "another server answered with what was for $(ms "$with" stale_max_us) ms at most, of $(field "$with" stale) changes"
[ "$saved" -ge 800 ] && [ "$(field "$with" hit_p50_us)" -le 10000 ] && [ "$(field "$with" stale_max_us)" -le 1000000 ]
