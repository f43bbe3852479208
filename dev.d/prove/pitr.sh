#!/bin/sh
# Restores to PITR_MOMENTS (20) moments in the middle of four writers' work, and counts rows that should not be there, or should.
set -eu
cd "$(dirname "$0")/../.."
. dev.d/proof.sh
export PITR_MOMENTS="${PITR_MOMENTS:-20}"
prove thorbis-operations it pitr '^[0-9]* moments'
