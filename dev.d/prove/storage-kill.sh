#!/bin/sh
# Kills the server and PostgreSQL (60 times unless STORAGE_KILLS says otherwise) while files are uploaded and removed, and counts what was lost
# and what was left alone.
set -eu
cd "$(dirname "$0")/../.."
. dev.d/proof.sh
export STORAGE_KILLS="${STORAGE_KILLS:-60}" SEED="${SEED:-1}"
prove thorbis-server program stored '^[0-9]* kills'
