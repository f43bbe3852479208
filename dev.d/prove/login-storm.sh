#!/bin/sh
# A thousand people sign in at once, over and over, while the data API is read RATE (1,000) times a second over CONNECTIONS (16), each read
# at its time: the p95 of the reads may be at most a fifth longer than without the storm. Readers without a pause would take the whole processor
# by themselves, and whatever else is done would cost them time. Who cannot sign in at once is told to come back; those who try have what the
# processor has left, since their work is none of the server's. PROFILE=dev measures a program that was built faster.
# All of it runs in a control group of its own, as a service and a container do. Outside of one the kernel may share the processor out by
# terminal session (sched_autogroup): every backend of PostgreSQL is a session by itself, and hashes step back behind their own session alone.
set -eu
if [ -z "${OWN_GROUP:-}" ]; then
    for top in /sys/fs/cgroup/cpu /sys/fs/cgroup; do
        group=$top/thorbis-storm-$$
        if [ -e "$top/cpu.shares" ] || grep -qsw cpu "$top/cgroup.subtree_control"; then
            mkdir "$group" 2>/dev/null && break
        fi
        group=
    done
    [ -n "$group" ] || echo 'login-storm: no control group may be made here, so that hashes do not step back behind PostgreSQL'
    status=0
    # shellcheck disable=SC2016 # the shell inside is to take the number
    OWN_GROUP=${group:-none} sh -c '[ "$OWN_GROUP" = none ] || echo $$ >"$OWN_GROUP/cgroup.procs"; exec sh "$1"' sh "$0" || status=$?
    [ -z "$group" ] || rmdir "$group"
    exit "$status"
fi
root=$(cd "$(dirname "$0")/../.." && pwd)
profile=${PROFILE:-release} seconds=${SECONDS_EACH:-15} connections=${CONNECTIONS:-16} rate=${RATE:-1000} storm=${STORM:-1000}
cargo build --locked --quiet --profile "$profile" -p thorbis-server -p thorbis-load
[ "$profile" = dev ] && profile=debug
target=${CARGO_TARGET_DIR:-$root/target}/$profile
. "$root/dev.d/server.sh"
export THORBIS_LOG__FILTER=warn
start_server "$target/thorbis"
anon=$(said 'anon key')
mail=$(said 'demo login') password=$(said 'demo password')
printf '{"email":"%s","password":"%s"}' "$mail" "$password" >"$folder/body"
token=$(curl -sf "$url/auth/v1/token?grant_type=password" -H "apikey: $anon" -H 'content-type: application/json' -d @"$folder/body" |
    sed 's/.*"access_token":"\([^"]*\)".*/\1/')
reads() {
    "$target/load" --address "${url#http://}" --path '/rest/v1/jobs?select=id,title&limit=20' --header "apikey: $anon" \
        --header "authorization: Bearer $token" --connections "$connections" --seconds "$seconds" --rate "$rate"
}
p95() { sed -n 's/.*"p95_us":\([0-9]*\).*/\1/p'; }
quiet=$(reads | p95)
# Those who are told to come back are counted as wrong answers there, which is what is meant to happen.
nice -n 19 "$target/load" --address "${url#http://}" --path '/auth/v1/token?grant_type=password' --method POST --body "$folder/body" \
    --header 'content-type: application/json' --connections "$storm" --seconds "$((seconds + 4))" >"$folder/storm" 2>"$folder/refused" &
peer=$!
sleep 2
stormy=$(reads | p95)
wait "$peer" || true
peer=
signed=$(sed -n 's/.*"answers":\([0-9]*\).*/\1/p' "$folder/storm")
refused=$(sed -n 's/.*"errors":\([0-9]*\).*/\1/p' "$folder/storm")
echo "login-storm: p95 of reads $quiet us, $stormy us while $storm signed in at once ($signed did, $refused were told to come back), allowed $((quiet * 12 / 10)) us"
[ "${signed:-0}" -gt 0 ] && [ "${refused:-0}" -gt 0 ]
! grep 'such as' "$folder/refused" | grep -qv '429'
[ "$stormy" -le "$((quiet * 12 / 10))" ]
