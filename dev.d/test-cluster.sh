#!/bin/sh
# test-cluster.sh [--install HOW] -- COMMAND...: runs a command beside a throw-away cluster. The program is not started by `cargo run`: that
# sets variables which build scripts look at, and the cargo in COMMAND would build half of the workspace again because of them.
set -eu
cd "$(dirname "$0")/.."
cargo build --locked --quiet -p thorbis-testkit --bin test-cluster
exec "${CARGO_TARGET_DIR:-target}/debug/test-cluster" "$@"
