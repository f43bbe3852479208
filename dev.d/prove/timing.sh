#!/bin/sh
# Measures whether an answer's time tells if an address has an account: a wrong password against an unknown address, with a hash of ours and with
# imported ones, sign-ups and codes. TIMING_SAMPLES of each (1000 unless told otherwise: twenty minutes), in turns, compared by Welch's t.
# `./dev test` takes 8, and looks only whether each answer waits for its step.
set -eu
cd "$(dirname "$0")/../.."
export TIMING_SAMPLES="${TIMING_SAMPLES:-1000}"
log=$(mktemp "${TMPDIR:-/tmp}/thorbis-timing-XXXXXX")
trap 'rm -f "$log"' EXIT
dev.d/test-cluster.sh --install "${INSTALL:-superuser}" -- \
    cargo test --locked --quiet -p thorbis-auth --test it timing:: -- --nocapture --test-threads 1 >"$log" 2>&1 || {
    cat "$log"
    exit 1
}
grep 'samples each' "$log"
