#!/bin/sh
# Loses a machine with RESTORE_ROWS (1,000,000) rows beside the demo company, restores it on another from the store and the recovery key, and tells
# how long that took (RTO) and how long a commit had been on one machine alone (RPO).
set -eu
cd "$(dirname "$0")/../.."
. dev.d/proof.sh
export RESTORE_ROWS="${RESTORE_ROWS:-1000000}"
prove thorbis-server program backups '^restore:'
