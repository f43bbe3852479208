#!/bin/sh
# Keeps a server under all sorts of requests for SOAK_SECONDS (600 unless told otherwise) and looks whether anything piles up.
set -eu
cd "$(dirname "$0")/../.."
export SOAK_SECONDS="${SOAK_SECONDS:-600}" SEED="${SEED:-1}"
log=${TMPDIR:-/tmp}/thorbis-soak.$$
trap 'rm -f "$log"' EXIT
cargo test --locked --quiet -p thorbis-server --test it soak:: -- --nocapture --test-threads 1 >"$log" 2>&1 || {
    cat "$log"
    exit 1
}
grep '^[0-9]* s of soak' "$log"
