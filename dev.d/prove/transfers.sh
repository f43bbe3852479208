#!/bin/sh
# Imports a file of TRANSFER_ROWS (a million unless told otherwise), exports them, and looks at the server's memory.
set -eu
cd "$(dirname "$0")/../.."
. dev.d/proof.sh
export TRANSFER_ROWS="${TRANSFER_ROWS:-1000000}"
prove thorbis-server program transfers '^[0-9]* rows:'
