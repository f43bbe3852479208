#!/bin/sh
# Lets things go wrong around a server that stays up (FAULTS of them, 100 unless told otherwise) and counts what was lost.
set -eu
cd "$(dirname "$0")/../.."
. dev.d/proof.sh
export FAULTS="${FAULTS:-100}" SEED="${SEED:-1}"
prove thorbis-server program chaos '^[0-9]* faults'
