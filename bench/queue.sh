#!/bin/sh
# The queue beside graphile-worker, pg-boss and BullMQ, in turns and in the same minutes: tasks that do nothing, COUNT (100,000) of them put in
# and done; single ones put in durably by 16 callers for SECONDS_EACH (5); how long one waits from before it is put in until it begins; how long
# one of a small company waits behind COUNT of a large one; what is left of the speed while a transaction that reads holds back the cleaning;
# and how long until everything is done when every worker is killed. Ours have their history, and are fair between COMPANIES (1,000) of which
# one has half of everything. All but BullMQ, whose Redis writes nothing to the disk, share one PostgreSQL, as a server sets up its own, with
# fsync and synchronous_commit on; each has a database there. PROCESSES (4) is what graphile-worker has, OURS (1) what we have. ROUNDS (3),
# WAITS (300) and KILLED (4,000 tasks of 200 ms, RECOVERY (60) seconds at most) make it shorter or longer; ./dev bench has Node and Redis.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
count=${COUNT:-100000} companies=${COMPANIES:-1000} seconds=${SECONDS_EACH:-5} rounds=${ROUNDS:-3} processes=${PROCESSES:-4} ours=${OURS:-1}
waits=${WAITS:-300} killed=${KILLED:-4000} recovery=${RECOVERY:-60} systems=${SYSTEMS:-graphile-worker pg-boss bullmq}
target=${CARGO_TARGET_DIR:-$root/target}/release
# Programs that are there already, instead of those that are built now: the load stands beside the server.
thorbis=${THORBIS:-$target/thorbis}
[ -n "${THORBIS:-}" ] && target=$(dirname "$THORBIS") || cargo build --locked --quiet --release -p thorbis-server -p thorbis-load
command -v npm >/dev/null || { echo 'there is no npm on the search path: ./dev bench queue has one'; exit 1; }
command -v redis-server >/dev/null || { echo 'there is no redis-server on the search path: ./dev bench queue installs one'; exit 1; }
node_modules=$root/bench/peers-queue/node_modules
[ -e "$node_modules/.package-lock.json" ] && [ ! "$root/bench/peers-queue/package-lock.json" -nt "$node_modules/.package-lock.json" ] || {
    (cd "$root/bench/peers-queue" && npm ci --silent && touch node_modules/.package-lock.json)
}
. "$root/dev.d/server.sh"
unset THORBIS
# The server is there for its PostgreSQL alone.
export THORBIS_LOG__FILTER=warn THORBIS_QUEUE__WORKER=false THORBIS_CHANGE_FEED__MODE=off
start_server "$thorbis"
# say LINE: a part of the outcome.
say() {
    echo "$1"
    [ -z "${OUTCOME:-}" ] || echo "$1" >>"$OUTCOME"
}
sql() { "$thorbis" psql --data "$data" -- --quiet --no-psqlrc --tuples-only --no-align "$@"; }
eval "$(sql -c '\! env | grep ^PG | sed "s/^/export /; s/=\(.*\)/='"'"'\1'"'"'/"')"
[ "$(sql -c 'show fsync')$(sql -c 'show synchronous_commit')" = onon ] || { echo 'PostgreSQL does not write to the disk'; exit 1; }
sql -c 'create database peers'
socket=$(echo "$PGHOST" | sed 's|/|%2F|g')
export PEER_DATABASE="postgres://$PGUSER@$socket/peers" PEER_REDIS_PORT=$((20000 + $$ % 20000))
redis-server --bind 127.0.0.1 --port "$PEER_REDIS_PORT" --save '' --appendonly no --dir "$folder" --daemonize no >"$folder/redis" 2>&1 &
# Ends with the script.
peer=$!

ours() {
    PGPASSWORD=$(cat "$data/secrets/postgres_server") "$target/queue-load" \
        --database "host=$PGHOST port=5432 user=thorbis_server dbname=$PGDATABASE" "$@"
}
theirs() { node "$root/bench/peers-queue/peer.mjs" "$@"; }
field() { echo "$1" | sed "s/.*\"$2\":\([0-9]*\).*/\1/"; }
milliseconds() { echo "$(field "$1" "$2")" | awk '{ printf $1 < 100000 ? "%.1f" : "%.0f", $1 / 1000 }'; }
# rate LINES: tasks a second, from the first that began to the last that ended.
rate() {
    echo "$1" | sed 's/[^0-9,]//g' | awk -F, '{ n += $1; if (!b || $2 < b) b = $2; if ($3 > e) e = $3 } END { printf "%d", (e > b ? n * 1000000 / (e - b) : 0) }'
}
# cpu: microseconds that PostgreSQL's processes have worked until now, those that are gone included.
cpu() {
    postmaster=$(head -n 1 "$data/postgres/cluster/postmaster.pid")
    cat /proc/[0-9]*/stat 2>/dev/null | awk -v parent="$postmaster" -v tick="$(getconf CLK_TCK)" '
        { pid = $1; sub(/^.*\) /, ""); if (pid == parent) sum += $12 + $13 + $14 + $15; else if ($2 == parent) sum += $12 + $13 }
        END { printf "%d", sum * 1000000 / tick }'
}
left_of() { sql -c 'select count(*) from app.tasks'; }

# drain: fills and drains once; prints tasks a second, and PostgreSQL's microseconds a task.
drain_ours() {
    before=$(cpu)
    ours fill --tasks "$count" --companies "$companies" >/dev/null
    for process in $(seq "$ours"); do
        ours drain >"$folder/drain.$process" &
        drains="${drains:-} $!"
    done
    # The Redis and the server go on.
    wait $drains
    drains=
    did=$(cat "$folder"/drain.*)
    [ "$(left_of)" = 0 ] || { echo "tasks are left" >&2; exit 1; }
    echo "$(rate "$did") $((($(cpu) - before) / count))"
}
drain_theirs() {
    before=$(cpu)
    theirs "$1" fill --tasks="$count" >/dev/null
    if [ "$1" = graphile-worker ]; then set -- "$1" --workers="$processes"; fi
    did=$(theirs "$1" drain --tasks="$count" ${2:+"$2"})
    [ "$(field "$did" tasks)" = "$count" ] || { echo "$1: tasks are left" >&2; exit 1; }
    echo "$(rate "$did") $((($(cpu) - before) / count))"
}
# middle FILE: the middle line by its first column.
middle() { sort -n "$1" | sed -n "$((($(wc -l <"$1") + 1) / 2))p"; }

for system in $systems; do
    theirs "$system" fill --tasks=100 >/dev/null
    theirs "$system" drain --tasks=100 >/dev/null
    for round in $(seq "$rounds"); do
        set -- $(drain_ours) $(drain_theirs "$system")
        echo "$system, round $round: ours $1/s at $2 us, $system $3/s at $4 us" >&2
        echo "$(echo "$1 $3" | awk '{ printf "%.2f", $1 / ($2 > 0 ? $2 : 1) }') $*" >>"$folder/drained.$system"
    done
    say "$(middle "$folder/drained.$system" | awk -v name="$system" -v count="$count" '{
        printf "%s ratio %.2fx (%d tasks drained at %d/s, %s %d/s", name, $1, count, $2, name, $4
        printf "; PostgreSQL works %d us a task%s)", $3, name == "bullmq" ? "" : ", " $5 }')"
done

for system in $systems; do
    for round in $(seq "$rounds"); do
        set -- $(rate "$(ours enqueue --seconds "$seconds")") $(rate "$(theirs "$system" enqueue --seconds="$seconds")")
        echo "$(echo "$1 $2" | awk '{ printf "%.2f", $1 / ($2 > 0 ? $2 : 1) }') $*" >>"$folder/put.$system"
        ours drain >/dev/null
        theirs "$system" drain --tasks=0 >/dev/null
    done
    say "$(middle "$folder/put.$system" | awk -v name="$system" '{ printf "single enqueue, 16 callers: %s ratio %.2fx (%d/s, %s %d/s)", name, $1, $2, name, $3 }')"
done

# spread ANSWER: the middle and the end of the times.
spread() { echo "p50 $(milliseconds "$1" p50_us), p99 $(milliseconds "$1" p99_us)"; }
alone=$(ours wait --tasks "$waits") paced=$(ours wait --tasks "$waits" --pause-ms 5)
line="from enqueue to start, ms: $(spread "$alone"); 200/s $(spread "$paced")"
for system in $systems; do
    line="$line; $system $(spread "$(theirs "$system" wait --tasks="$waits")"); 200/s $(spread "$(theirs "$system" wait --tasks="$waits" --pause_ms=5)")"
done
say "$line"

ours fill --tasks "$count" >/dev/null
behind=$(ours wait --tasks "$((waits / 3))" --pause-ms 5)
[ "$(field "$behind" beside)" -lt "$count" ] || echo 'the large company had nothing left: make COUNT larger'
ours drain >/dev/null
line="a small company behind $count tasks of a large one, ms: $(spread "$behind") ($(echo "$(field "$behind" p50_us) $(field "$paced" p50_us)" | awk '{ printf "%.1f", $1 / $2 }') of its wait alone)"
for system in $systems; do
    theirs "$system" fill --tasks="$count" >/dev/null
    line="$line; $system $(spread "$(theirs "$system" wait --tasks="$((waits / 3))" --pause_ms=5 --behind=1)")"
    theirs "$system" drain --tasks=0 >/dev/null
done
say "$line"

# held DATABASE: a transaction that has read and does not end.
held() {
    PGDATABASE=$1 psql --quiet --no-psqlrc -c 'begin isolation level repeatable read' -c 'select count(*) from pg_class' -c 'select pg_sleep(3600)' >/dev/null 2>&1 &
    holder=$!
    until [ "$(sql -c "select count(*) from pg_stat_activity where datname = '$1' and backend_xmin is not null and query ~ 'pg_sleep.3600'  and pid <> pg_backend_pid()")" = 1 ]; do sleep 0.1; done
}
released() {
    sql -c "select count(pg_terminate_backend(pid)) from pg_stat_activity where query ~ 'pg_sleep.3600' and pid <> pg_backend_pid()" >/dev/null
    wait "$holder" 2>/dev/null || true
}
kept() { echo "$*" | awk '{ printf "%.2f of the tasks, %.2f times the CPU (%d/s at %d us)", $3 / ($1 > 0 ? $1 : 1), $4 / ($2 > 0 ? $2 : 1), $3, $4 }'; }
line='while a transaction is held open:'
set -- $(drain_ours)
held "$PGDATABASE"
line="$line $(kept "$@" $(drain_ours))"
released
for system in $systems; do
    [ "$system" != bullmq ] || continue
    set -- $(drain_theirs "$system")
    held peers
    line="$line; $system $(kept "$@" $(drain_theirs "$system"))"
    released
done
say "$line"

ours fill --tasks "$killed" --companies 10 --millis 200 >/dev/null
workers=
for process in 1 2; do
    ours work >/dev/null &
    workers="$workers $!"
done
while [ "$(left_of)" -gt "$((killed * 3 / 4))" ]; do sleep 0.05; done
running=$(sql -c "select count(*) from app.tasks where state = 'running'")
[ "$running" -gt 0 ] || { echo 'nothing ran when the workers were killed: make KILLED larger'; exit 1; }
# The function's shell waits for the program, which is what has to die.
for worker in $workers; do kill -9 $(ps -o pid= --ppid "$worker") "$worker" 2>/dev/null || true; done
begun=$(date +%s%N)
ours work >/dev/null &
worker=$!
while [ "$(left_of)" -gt 0 ] && [ $((($(date +%s%N) - begun) / 1000000000)) -lt "$recovery" ]; do sleep 0.2; done
left=$(left_of)
line="after kill -9 of every worker, with $running tasks running: $([ "$left" = 0 ] && echo "all done within $(((($(date +%s%N) - begun) / 1000000 + 999) / 1000)) s" || echo "$left tasks left after $recovery s")"
kill -TERM $(ps -o pid= --ppid "$worker") 2>/dev/null || kill -TERM "$worker" 2>/dev/null || true
wait "$worker" 2>/dev/null || true
for system in $systems; do
    theirs "$system" fill --tasks="$killed" --millis=200 >/dev/null
    recovered=$(theirs "$system" recover --tasks="$killed" --limit="$recovery")
    line="$line; $system $([ "$(field "$recovered" left)" = 0 ] && echo "within $((($(field "$recovered" recovered_ms) + 999) / 1000)) s" || echo "$(field "$recovered" left) left after $recovery s")"
done
say "$line"
[ "$left" = 0 ]
