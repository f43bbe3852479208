#!/bin/sh
# What a broadcast to a crowd costs: SOCKETS (10000) sockets in one channel, MESSAGES (100) messages, each sent when all have the one before;
# beside it a bare loop over the package ws, and socket.io. Sockets are opened by four processes on this machine, which take their share of
# it from all three alike. Memory is what the server's own process grew by, for each socket. PROFILE=dev builds faster and measures nothing.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
sockets=${SOCKETS:-10000} messages=${MESSAGES:-100} profile=${PROFILE:-release}
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
start_server "$thorbis"
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
key=$(sed -n 's/^anon key  *//p' "$folder/out")
address="ws${url#http}/realtime/v1/websocket?vsn=2.0.0&apikey=$key"
before=$(resident "$server")
# While the crowd is there its memory is read, at its largest.
(most=0; while kill -0 "$server" 2>/dev/null; do now=$(resident "$server"); [ "$now" -gt "$most" ] && most=$now && echo "$most" >"$folder/most"; sleep 0.5; done) &
watcher=$!
node load.mjs thorbis "$address" "$sockets" "$messages"
kill "$watcher" 2>/dev/null || true
echo "{\"who\":\"thorbis\",\"kb_per_socket\":$(( ($(cat "$folder/most") - before) / sockets ))}"
for other in ws socketio; do
    node "$other.mjs" >"$folder/$other" &
    peer="${peer:-} $!"
    until [ -s "$folder/$other" ]; do sleep 0.1; done
    node load.mjs "$other" "$(cat "$folder/$other")" "$sockets" "$messages"
done
