#!/bin/sh
# Sends REQUESTS requests (20000 unless told otherwise) over the whole dialect, as everybody who can ask, and looks in every answer for what
# only the other company's rows say; then takes that company away and asks again. `./dev test` sends 600. Beside it all of them listen over
# sockets while every row of every table changes, goes and comes again, SOCKET_ROUNDS times (5), streamed and polled. `./dev test` does 1.
set -eu
cd "$(dirname "$0")/../.."
export REQUESTS="${REQUESTS:-20000}" SOCKET_ROUNDS="${SOCKET_ROUNDS:-5}" SEED="${SEED:-1}"
log=$(mktemp "${TMPDIR:-/tmp}/thorbis-isolation-XXXXXX")
trap 'rm -f "$log"' EXIT
dev.d/test-cluster.sh --install "${INSTALL:-superuser}" -- \
    cargo test --locked --quiet -p thorbis-server --test it isolation:: -- --nocapture >"$log" 2>&1 || {
    cat "$log"
    exit 1
}
grep -oE '[0-9]+ (requests|changes) .*' "$log" | tr '\n' ';' | sed 's/;$//; s/;/; /g'
echo
