#!/bin/sh
# How many people sign in, refresh and show a new token in a second, beside how many hashes and signatures the machine makes with nothing
# around them. CONNECTIONS (16) people each do one thing for SECONDS_EACH (5) seconds. PROFILE=dev measures a program that was built faster.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
profile=${PROFILE:-release}
cargo build --locked --quiet --profile "$profile" -p thorbis-server -p thorbis-load
[ "$profile" = dev ] && profile=debug
target=${CARGO_TARGET_DIR:-$root/target}/$profile
. "$root/dev.d/server.sh"
export THORBIS_LOG__FILTER=warn
# Each connection is one person who does in seconds what takes others a year.
export THORBIS_AUTH__LIMITS__SESSION_REFRESH_5MIN_MAX=1000000 THORBIS_AUTH__LIMITS__ACCOUNT_5MIN_MAX=1000000
start_server "$target/thorbis"
service=$(said 'service key' | sed 's/.* //')
"$target/auth-load" --address "${url#http://}" --service-key "$service" --connections "${CONNECTIONS:-16}" \
    --seconds "${SECONDS_EACH:-5}" >"$folder/measured"
number() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$folder/measured"; }
echo "auth: $(number login_per_second) logins/s ($(number login_percent_of_hash) % of $(number hash_per_second) hashes/s)," \
    "$(number refresh_per_second) refreshes/s ($(number refresh_percent_of_sign) % of $(number sign_per_second) signatures/s)," \
    "$(number verify_per_second) new tokens verified/s ($(number verify_percent_of_check) % of $(number check_per_second) checks/s)"
