#!/bin/sh
# How long a start takes until it answers: the first one, which makes cluster, keys, schema and demo company, and the ones after it.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
starts=${STARTS:-7}
cargo build --locked --quiet --release -p thorbis-server
thorbis=${CARGO_TARGET_DIR:-$root/target}/release/thorbis
folder=$(mktemp -d "${TMPDIR:-/tmp}/thorbis-start-XXXXXX")
chmod 711 "$folder"
server=
trap '[ -z "$server" ] || kill -TERM "$server" 2>/dev/null || true; [ -z "$server" ] || wait "$server" || true; rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM

milliseconds() { date +%s%3N; }

# Starts, waits for the address, stops; prints how long the start took.
start() {
    begun=$(milliseconds)
    env -u DATABASE_URL -u MIGRATOR_URL "$thorbis" serve --env development --data "$folder/data" --listen 127.0.0.1:0 >"$folder/out" 2>"$folder/log" &
    server=$!
    until grep -q ' answers at ' "$folder/out"; do
        kill -0 "$server" 2>/dev/null || { tail -n 5 "$folder/log"; exit 1; }
        sleep 0.01
    done
    took=$(($(milliseconds) - begun))
    kill -TERM "$server" && wait "$server"
    server=
}

start
first=$took
number=0
while [ "$number" -lt "$starts" ]; do
    start
    echo "$took" >>"$folder/times"
    number=$((number + 1))
done
middle=$(sort -n "$folder/times" | sed -n "$(((starts + 1) / 2))p")
echo "start: the first $first ms, then $middle ms in the middle of $starts ($(sort -n "$folder/times" | head -n 1) to $(sort -n "$folder/times" | tail -n 1))"
