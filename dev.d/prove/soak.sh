#!/bin/sh
# Keeps a server under all sorts of requests for SOAK_SECONDS (600 unless told otherwise) and looks whether anything piles up.
set -eu
cd "$(dirname "$0")/../.."
. dev.d/proof.sh
export SOAK_SECONDS="${SOAK_SECONDS:-600}" SEED="${SEED:-1}"
prove thorbis-server program soak '^[0-9]* s of soak'
