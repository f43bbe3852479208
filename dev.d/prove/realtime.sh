#!/bin/sh
# Has six clients come and go between two servers for SEQUENCE_STEPS (600 unless told otherwise) steps each, while servers lose their
# connections, with Redis and without, streamed and polled; then kills the server and PostgreSQL LISTENED_KILLS (20) times each way under
# listeners. Each client has to hear of every row in turn, or that it has to read anew. `./dev test` does 50 steps and one kill of each.
set -eu
cd "$(dirname "$0")/../.."
. dev.d/proof.sh
export SEQUENCE_STEPS="${SEQUENCE_STEPS:-600}" LISTENED_KILLS="${LISTENED_KILLS:-20}" SEED="${SEED:-1}"
log=$(mktemp "${TMPDIR:-/tmp}/thorbis-realtime-XXXXXX")
trap 'rm -f "$log"' EXIT
dev.d/test-cluster.sh --install "${INSTALL:-superuser}" -- \
    cargo test --locked --quiet -p thorbis-server --test it realtime::sequences:: -- --nocapture --test-threads 1 >"$log" 2>&1 || {
    cat "$log"
    exit 1
}
killed=$(prove thorbis-server program listened '^[0-9]* kills') || { echo "$killed"; exit 1; }
{ grep '^[0-9]* rows' "$log"; echo "$killed"; } | tr '\n' ';' | sed 's/;$//; s/;/; /g'
echo
