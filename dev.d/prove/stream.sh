#!/bin/sh
# Reads a table of STREAM_MB (1024 unless told otherwise) as JSON and as CSV and looks at the server's memory, and whether each row came.
set -eu
cd "$(dirname "$0")/../.."
export STREAM_MB="${STREAM_MB:-1024}"
log=$(mktemp "${TMPDIR:-/tmp}/thorbis-stream-XXXXXX")
trap 'rm -f "$log"' EXIT
dev.d/test-cluster.sh --install "${INSTALL:-superuser}" -- \
    cargo test --locked --quiet -p thorbis-server --test it alone::large:: -- --nocapture >"$log" 2>&1 || {
    cat "$log"
    exit 1
}
grep '^[0-9]* rows:' "$log"
