#!/bin/sh
# Kills PostgreSQL (50 times unless KILLS says otherwise) under writers and counts what was lost.
set -eu
cd "$(dirname "$0")/../.."
export KILLS="${KILLS:-50}" SEED="${SEED:-1}"
cargo test --locked --quiet -p thorbis-postgres --test it kill:: -- --nocapture --test-threads 1 >"${TMPDIR:-/tmp}/thorbis-kill.$$" 2>&1 || {
    cat "${TMPDIR:-/tmp}/thorbis-kill.$$"
    rm -f "${TMPDIR:-/tmp}/thorbis-kill.$$"
    exit 1
}
grep '^[0-9]* kills' "${TMPDIR:-/tmp}/thorbis-kill.$$"
rm -f "${TMPDIR:-/tmp}/thorbis-kill.$$"
