#!/bin/sh
# Drives a server with the official client: starts one with a data folder of its own on a free port, runs the programs in tests/
# against it, and stops it. `./dev test` calls it with the pinned Node on the search path.
set -eu
cd "$(dirname "$0")"
thorbis=${CARGO_TARGET_DIR:-$(pwd)/../target}/debug/thorbis
[ -x "$thorbis" ] || { echo "clients: there is no $thorbis; build it first: cargo build --bin thorbis" >&2; exit 1; }
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    echo '$ npm ci' >&2
    npm ci --silent
    touch node_modules/.package-lock.json
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/thorbis-clients-XXXXXX")
# A server that root starts runs PostgreSQL as another user, who has to get into the folder.
chmod 711 "$folder"
server=
cleanup() {
    if [ -n "$server" ]; then
        kill -TERM "$server" 2>/dev/null || true
        wait "$server" || true
    fi
    rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# No setting of whoever runs this reaches the server.
env -u DATABASE_URL -u MIGRATOR_URL "$thorbis" serve --env development --data "$folder/data" --listen 127.0.0.1:0 \
    >"$folder/out" 2>"$folder/log" &
server=$!
seconds=0
until grep -q '^demo password' "$folder/out"; do
    if ! kill -0 "$server" 2>/dev/null || [ "$seconds" -ge 120 ]; then
        tail -n 20 "$folder/log" >&2
        echo "clients: the server did not start" >&2
        exit 1
    fi
    sleep 0.2
    seconds=$((seconds + 1))
done

said() { sed -n "s/^$1 *//p" "$folder/out"; }
THORBIS_URL=$(sed -n 's/.* answers at \([^ ]*\).*/\1/p' "$folder/out")
ANON_KEY=$(said 'anon key')
SERVICE_KEY=$(said 'service key (secret)')
DEMO_EMAIL=$(said 'demo login')
DEMO_PASSWORD=$(said 'demo password')
export THORBIS_URL ANON_KEY SERVICE_KEY DEMO_EMAIL DEMO_PASSWORD
echo '$ node --test tests/' >&2
node --test --test-reporter=dot "$@" tests/*.test.mjs || {
    status=$?
    grep -E '"level":"(ERROR|WARN)"' "$folder/log" | tail -n 20 >&2
    exit "$status"
}
