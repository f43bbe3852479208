#!/bin/sh
# Breaks every rule of alerts for real, with looks as far apart as they are delivered, and measures how long it takes until a channel is told.
set -eu
cd "$(dirname "$0")/../.."
export ALERTS_INTERVAL="${ALERTS_INTERVAL:-30}"
log=$(mktemp "${TMPDIR:-/tmp}/thorbis-alerts-XXXXXX")
trap 'rm -f "$log"' EXIT
dev.d/test-cluster.sh --install superuser -- \
    cargo test --locked --quiet -p thorbis-server --test it alerts:: -- --nocapture --test-threads 1 >"$log" 2>&1 || {
    cat "$log"
    exit 1
}
grep '^[0-9]* alerts' "$log"
