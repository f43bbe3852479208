#!/bin/sh
# Erases PEOPLE customers (100 unless told otherwise) who have rows, messages and files, and looks for them in tables, files and the log.
set -eu
cd "$(dirname "$0")/../.."
. dev.d/proof.sh
export PEOPLE="${PEOPLE:-100}"
prove thorbis-server program privacy '^[0-9]* people:'
