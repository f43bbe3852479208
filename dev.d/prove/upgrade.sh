#!/bin/sh
# Brings the cluster of this machine's PostgreSQL to a newer major version (PG, 18) with UPGRADE_ROWS (100,000) rows and kills that UPGRADE_KILLS (20)
# times: rows are the same after each, and after the way back.
set -eu
cd "$(dirname "$0")/../.."
root=$(pwd) cache=$(pwd)/.cache
run() { echo "\$ $*" >&2 && "$@"; }
fail() { echo "upgrade: $*" >&2 && exit 1; }
. dev.d/packages.sh
. dev.d/node.sh
. dev.d/python.sh
. dev.d/postgresql.sh
. dev.d/proof.sh
PG=${PG:-18}
mkdir -p "$cache"
whole_postgresql
export UPGRADE_TO_BIN="$whole" UPGRADE_KILLS="${UPGRADE_KILLS:-20}" UPGRADE_ROWS="${UPGRADE_ROWS:-100000}" SEED="${SEED:-1}"
prove thorbis-server program new_major '^cluster:'
