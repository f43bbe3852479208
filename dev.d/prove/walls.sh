#!/bin/sh
# Takes walls between companies away, one by one and each from a database of its own: policies, keys, rights (WALLS of them, all unless told
# otherwise). The proof of isolation must notice each. `./dev test` does 12.
set -eu
cd "$(dirname "$0")/../.."
export WALLS="${WALLS:-0}" SEED="${SEED:-1}"
log=$(mktemp "${TMPDIR:-/tmp}/thorbis-walls-XXXXXX")
trap 'rm -f "$log"' EXIT
dev.d/test-cluster.sh --install "${INSTALL:-superuser}" -- \
    cargo test --locked --quiet -p thorbis-proof --test it walls:: -- --nocapture >"$log" 2>&1 || {
    cat "$log"
    exit 1
}
grep 'walls taken away' "$log"
