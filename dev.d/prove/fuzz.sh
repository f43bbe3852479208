#!/bin/sh
# Feeds what reads foreign input (queries, bodies, SQL files) with CASES random inputs for each property, 100000 unless told
# otherwise. `./dev test` does 256 of each.
set -eu
cd "$(dirname "$0")/../.."
export PROPTEST_CASES="${CASES:-100000}" PROPTEST_RNG_SEED="${SEED:-1}"
log=${TMPDIR:-/tmp}/thorbis-fuzz.$$
trap 'rm -f "$log"' EXIT
properties=$(grep -rl 'proptest!' crates/*/src | xargs grep -h -A1 '^ *#\[test\]' | grep -c 'fn .* in ' || true)
cargo test --locked --quiet --release --workspace --lib >"$log" 2>&1 || {
    cat "$log"
    exit 1
}
echo "$properties properties, $PROPTEST_CASES inputs each: none broken"
