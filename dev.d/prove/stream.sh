#!/bin/sh
# Reads a table of STREAM_MB (1024 unless told otherwise) as JSON and as CSV and looks at the server's memory, and whether each row came.
set -eu
cd "$(dirname "$0")/../.."
. dev.d/proof.sh
export STREAM_MB="${STREAM_MB:-1024}"
prove thorbis-server program streams '^[0-9]* rows:'
