#!/bin/sh
# Kills PostgreSQL (50 times unless KILLS says otherwise) and the server (200 times unless SERVER_KILLS does) under writers, and counts
# what was lost.
set -eu
cd "$(dirname "$0")/../.."
export KILLS="${KILLS:-50}" SERVER_KILLS="${SERVER_KILLS:-200}" SEED="${SEED:-1}"
log=${TMPDIR:-/tmp}/thorbis-kill.$$
trap 'rm -f "$log"' EXIT

# prove CRATE TEST: runs the test and prints the line that it ends with.
prove() {
    cargo test --locked --quiet -p "$1" --test it "$2::" -- --nocapture --test-threads 1 >"$log" 2>&1 || {
        cat "$log"
        exit 1
    }
    grep '^[0-9]* kills' "$log"
}

postgresql=$(prove thorbis-postgres kill)
echo "$postgresql"
server=$(prove thorbis-server killed)
echo "$server"
echo "PostgreSQL: $postgresql; $server"
