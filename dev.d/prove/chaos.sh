#!/bin/sh
# Lets things go wrong around a server that stays up (FAULTS of them, 100 unless told otherwise) and counts what was lost.
set -eu
cd "$(dirname "$0")/../.."
export FAULTS="${FAULTS:-100}" SEED="${SEED:-1}"
log=${TMPDIR:-/tmp}/thorbis-chaos.$$
trap 'rm -f "$log"' EXIT
cargo test --locked --quiet -p thorbis-server --test it chaos:: -- --nocapture --test-threads 1 >"$log" 2>&1 || {
    cat "$log"
    exit 1
}
grep '^[0-9]* faults' "$log"
