#!/bin/sh
# Uploads a file of 2 GiB (STORAGE_MIB) and downloads it, and looks how much more memory the server has meanwhile.
set -eu
cd "$(dirname "$0")/../.."
. dev.d/proof.sh
export STORAGE_MIB="${STORAGE_MIB:-2048}"
prove thorbis-server program large '^[0-9]* MiB'
