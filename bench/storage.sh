#!/bin/sh
# How many files somebody downloads and uploads in a second, beside nginx that serves the same file and beside writing the same bytes with fsync.
# Small files have SMALL_BYTES (65,536) and large ones LARGE_BYTES (100,000,000); CONNECTIONS (4) at once, ROUNDS (3) rounds in which both sides
# take turns, of SMALL_DOWNLOADS (2,000), SMALL_UPLOADS (300), LARGE_DOWNLOADS (16) and LARGE_UPLOADS (4). PROFILE=dev measures a program that
# was built faster. Whoever downloads is asked who he is each time, which nginx asks nobody.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
run() { echo "\$ $*" >&2; "$@"; }
fail() { echo "storage: $*" >&2; exit 1; }
. "$root/dev.d/packages.sh"
need_packages nginx
profile=${PROFILE:-release}
cargo build --locked --quiet --profile "$profile" -p thorbis-server -p thorbis-load
[ "$profile" = dev ] && profile=debug
target=${CARGO_TARGET_DIR:-$root/target}/$profile
. "$root/dev.d/server.sh"
export THORBIS_LOG__FILTER=warn THORBIS_BLOBS__FREE_BYTES_MIN=0 THORBIS_RATES__MODE=shadow
start_server "$target/thorbis"
company=01900000-0000-7000-8000-000000000001
token=$(curl -s "$url/auth/v1/token?grant_type=password" -H "apikey: $(said 'anon key')" -H 'content-type: application/json' \
    -d "{\"email\":\"$(said 'demo login')\",\"password\":\"$(said 'demo password')\"}" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')

# nginx as Debian ships it: sendfile, one process a core, nothing written down.
mkdir "$folder/served" "$folder/written" "$folder/nginx"
chmod 755 "$folder/served"
cat >"$folder/nginx/nginx.conf" <<CONF
daemon off;
worker_processes auto;
pid $folder/nginx/pid;
error_log $folder/nginx/error.log;
events { worker_connections 768; }
http {
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    access_log off;
    client_body_temp_path $folder/nginx/body;
    proxy_temp_path $folder/nginx/proxy;
    fastcgi_temp_path $folder/nginx/fastcgi;
    uwsgi_temp_path $folder/nginx/uwsgi;
    scgi_temp_path $folder/nginx/scgi;
    server { listen 127.0.0.1:PORT; root $folder/served; }
}
CONF
nginx=$(command -v nginx || echo /usr/sbin/nginx)
# A port that is free now; another one if somebody was faster.
echo x >"$folder/served/there"
for port in 18081 18381 18681 18981; do
    sed "s/PORT/$port/" "$folder/nginx/nginx.conf" >"$folder/nginx/$port.conf"
    "$nginx" -p "$folder/nginx" -e "$folder/nginx/error.log" -c "$folder/nginx/$port.conf" 2>/dev/null &
    theirs=$!
    waited=0
    until curl -sf "http://127.0.0.1:$port/there" 2>/dev/null | grep -q x; do
        kill -0 "$theirs" 2>/dev/null && [ "$waited" -lt 50 ] || break
        sleep 0.1
        waited=$((waited + 1))
    done
    kill -0 "$theirs" 2>/dev/null && break
done
peer="$peer $theirs"
kill -0 "$theirs" 2>/dev/null || { cat "$folder/nginx/error.log" >&2; fail 'nginx did not start'; }

measure() {
    "$target/storage-load" --address "${url#http://}" --token "$token" --place "attachments/$company" --peer "127.0.0.1:$port" \
        --served "$folder/served" --written "$folder/written" --connections "${CONNECTIONS:-4}" --rounds "${ROUNDS:-3}" \
        --bytes "$1" --downloads "$2" --uploads "$3" >"$folder/measured.$4"
}
number() { sed -n "s/.*\"$2\":\([0-9.]*\).*/\1/p" "$folder/measured.$1"; }
measure "${SMALL_BYTES:-65536}" "${SMALL_DOWNLOADS:-2000}" "${SMALL_UPLOADS:-300}" small
measure "${LARGE_BYTES:-100000000}" "${LARGE_DOWNLOADS:-16}" "${LARGE_UPLOADS:-4}" large
say() { echo "$*"; [ -z "${OUTCOME:-}" ] || echo "$*" >>"$OUTCOME"; }
kib=$((${SMALL_BYTES:-65536} / 1024)) mb=$((${LARGE_BYTES:-100000000} / 1000000))
say "storage: download: nginx ratio $(number large download_ratio)x at $mb MB ($(number large downloads_per_second)/s, nginx" \
    "$(number large served_per_second)/s), $(number small download_ratio)x at $kib KiB ($(number small downloads_per_second)/s, nginx $(number small served_per_second)/s)"
say "storage: upload: fsync ratio $(number large upload_ratio)x at $mb MB ($(number large uploads_per_second)/s, written" \
    "$(number large written_per_second)/s), $(number small upload_ratio)x at $kib KiB ($(number small uploads_per_second)/s, written $(number small written_per_second)/s)"
