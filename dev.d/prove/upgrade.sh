#!/bin/sh
# Brings the cluster of this machine's PostgreSQL to a newer major version (PG, 18) with UPGRADE_ROWS (100,000) rows and kills that UPGRADE_KILLS (20)
# times; then runs the program of the commit before the newest migration, the present one on its data, and that of before again by either way
# back. BEFORE names another commit.
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
cluster=$(prove thorbis-server program new_major '^cluster:') || { echo "$cluster"; exit 1; }

before=${BEFORE:-$(git log -1 --format=%H -- db/migrations)^}
target=${CARGO_TARGET_DIR:-$root/target}
sources=$target/upgrade-before
mkdir -p "$target" && rm -rf "$sources" && git worktree prune
run git worktree add --quiet --detach "$sources" "$before"
trap 'git worktree remove --force "$sources"' EXIT
# The target folder is shared: what comes from registries is not built again.
(cd "$sources" && run env CARGO_TARGET_DIR="$target" cargo build --locked --quiet --bin thorbis)
cp "$target/debug/thorbis" "$sources/thorbis"
export UPGRADE_BEFORE="$sources/thorbis"
schema=$(prove thorbis-server program upgrades '^schema:') || { echo "$schema"; exit 1; }
echo "$cluster; $schema"
