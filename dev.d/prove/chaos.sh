#!/bin/sh
# Lets things go wrong around a server that stays up (FAULTS of them, 100 unless told otherwise) and counts what was lost; then has TASKS
# (100,000) done and WEBHOOKS (10,000) told while workers, the server and PostgreSQL are killed KILLS (60) times, and counts what was lost
# and which effects were there twice.
set -eu
cd "$(dirname "$0")/../.."
. dev.d/proof.sh
export FAULTS="${FAULTS:-100}" TASKS="${TASKS:-100000}" WEBHOOKS="${WEBHOOKS:-10000}" KILLS="${KILLS:-60}" SEED="${SEED:-1}"
faults=$(prove thorbis-server program chaos '^[0-9]* faults') || { echo "$faults"; exit 1; }
work=$(prove thorbis-server program worked '^[0-9]* tasks') || { echo "$work"; exit 1; }
echo "$faults; $work"
