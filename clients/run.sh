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

# Programs from elsewhere sign with a secret that both sides know; the tests of tokens are one.
THORBIS_AUTH__JWT_SECRET=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export THORBIS_AUTH__JWT_SECRET
. ../dev.d/server.sh
start_server "$thorbis"
THORBIS_URL=$url
ANON_KEY=$(said 'anon key')
SERVICE_KEY=$(said 'service key (secret)')
DEMO_EMAIL=$(said 'demo login')
DEMO_PASSWORD=$(said 'demo password')
# What the tests of generated types call.
PROGRAM=$thorbis
DATA_FOLDER=$data
export PROGRAM DATA_FOLDER THORBIS_URL ANON_KEY SERVICE_KEY DEMO_EMAIL DEMO_PASSWORD
echo '$ node --test tests/' >&2
node --test --test-reporter=dot "$@" tests/*.test.mjs || {
    status=$?
    grep -E '"level":"(ERROR|WARN)"' "$folder/log" | tail -n 20 >&2
    exit "$status"
}
