#!/bin/sh
# Kills PostgreSQL (50 times unless KILLS says otherwise) and the server (200 times unless SERVER_KILLS does) under writers, and counts
# what was lost.
set -eu
cd "$(dirname "$0")/../.."
. dev.d/proof.sh
export KILLS="${KILLS:-50}" SERVER_KILLS="${SERVER_KILLS:-200}" SEED="${SEED:-1}"
postgresql=$(prove thorbis-postgres cluster kill '^[0-9]* kills') || { echo "$postgresql"; exit 1; }
server=$(prove thorbis-server program killed '^[0-9]* kills') || { echo "$server"; exit 1; }
echo "$postgresql; $server"
