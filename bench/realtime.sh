#!/bin/sh
# What realtime costs. Changed rows under row-level security: for each of SUBSCRIBERS (500 5000) so many members of COMPANIES (50) with a socket
# each, who hear of CHANGES (20000) changes of jobs as fast as four writers make them, and of DELAYS (300) at 50 a second for the delay.
# And a broadcast to a crowd: SOCKETS (10000) sockets in one channel, MESSAGES (100) messages, each sent when all have the one before, and
# as many with FLIGHT (16) under way; beside it a bare loop over the package ws, and socket.io. Sockets are opened by four processes on this
# machine, which take their share of it from all three alike: what a message costs the server alone is in cpu_us. Memory is what the server's own process grew by, for each socket. PROFILE=dev builds faster and measures nothing.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
sockets=${SOCKETS:-10000} messages=${MESSAGES:-100} profile=${PROFILE:-release}
subscribers=${SUBSCRIBERS-500 5000} companies=${COMPANIES:-50} changes=${CHANGES:-20000}
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -H -n)"
# A program that is there already, instead of one that is built now.
thorbis=${THORBIS:-}
if [ -z "$thorbis" ]; then
    cargo build --locked --quiet --profile "$profile" -p thorbis-server
    [ "$profile" = dev ] && profile=debug
    thorbis=${CARGO_TARGET_DIR:-$root/target}/$profile/thorbis
fi
cd "$root/bench/peers-realtime"
[ -e node_modules/ws ] || npm install --silent --no-package-lock
. "$root/dev.d/server.sh"
unset THORBIS
export THORBIS_LOG__FILTER=warn THORBIS_LIMITS__CONNECTIONS_MAX=60000
export THORBIS_REALTIME__SOCKETS_MAX=60000 THORBIS_REALTIME__COMPANY_SOCKETS_MAX=60000 THORBIS_REALTIME__COMPANY_JOINS_PER_S=1000000
export THORBIS_REALTIME__COMPANY_MESSAGES_PER_S=1000000
# Tokens of the members are signed beside the server.
export SECRET=a-secret-of-this-measurement-alone-0123456789
export THORBIS_AUTH__JWT_SECRET="$SECRET"
start_server "$thorbis"
# say LINE: a part of the outcome.
say() {
    echo "$1"
    [ -z "${OUTCOME:-}" ] || echo "$1" >>"$OUTCOME"
}
# field NAME LINE: a number of what was measured.
field() { echo "$2" | sed "s/.*\"$1\":\([0-9.]*\).*/\1/"; }
# ratio WHO HOW RATE COST: how many times as many messages in a second ours are as those of the line $line.
ratio() {
    awk -v who="$1" -v how="$2" -v ours="$(field "$3" "$ours")" -v theirs="$(field "$3" "$line")" \
        -v our_cost="$(field "$4" "$ours")" -v their_cost="$(field "$4" "$line")" \
        'BEGIN { printf "%s ratio %.2fx (%s: %d/s, %d/s; processor %.1f us and %.1f us a message)", who, ours / theirs, how, ours, theirs, our_cost, their_cost }'
}
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
key=$(sed -n 's/^anon key  *//p' "$folder/out")
address="ws${url#http}/realtime/v1/websocket?vsn=2.0.0&apikey=$key"
eval "$("$thorbis" psql --data "$data" -- --quiet --no-psqlrc -c '\! env | grep ^PG | sed "s/^/export /; s/=\(.*\)/='"'"'\1'"'"'/"')"
before=$(resident "$server")
# While the crowd is there its memory is read, at its largest.
(most=0; while kill -0 "$server" 2>/dev/null; do now=$(resident "$server"); [ "$now" -gt "$most" ] && most=$now && echo "$most" >"$folder/most"; sleep 0.5; done) &
watcher=$!
ours=$(SERVER=$server node load.mjs thorbis "$address" "$sockets" "$messages")
say "$ours"
kill "$watcher" 2>/dev/null || true
say "{\"who\":\"thorbis\",\"kb_per_socket\":$(( ($(cat "$folder/most") - before) / sockets ))}"
for other in ws socketio; do
    node "$other.mjs" >"$folder/$other" &
    peer="${peer:-} $!"
    until [ -s "$folder/$other" ]; do sleep 0.1; done
    line=$(SERVER=$! node load.mjs "$other" "$(cat "$folder/$other")" "$sockets" "$messages")
    say "$line"
    ratios="${ratios:-}$(ratio "$other" "one at a time" messages_per_s cpu_us)
$(ratio "$other" "${FLIGHT:-16} under way" flight_messages_per_s flight_cpu_us)
"
    kill "$!"
done
for count in $subscribers; do
    line=$(node rows.mjs "$address" "$count" "$companies" "$changes")
    say "$line"
done
printf '%s' "$ratios" | while read -r line; do say "$line"; done
