#!/bin/sh
# Drives a server with the official clients, the one for JavaScript and the one for Python: starts one with a data folder of its own on a
# free port, with the project in project/ brought to it, runs the programs in tests/ and python/ against it, and stops it. Words are
# options of `node --test`. `./dev test` calls it with the pinned Node on the search path and the pinned packages of Python in CLIENT_PYTHON.
set -eu
cd "$(dirname "$0")"
thorbis=${CARGO_TARGET_DIR:-$(pwd)/../target}/debug/thorbis
[ -x "$thorbis" ] || { echo "clients: there is no $thorbis; build it first: cargo build --bin thorbis" >&2; exit 1; }
python=${CLIENT_PYTHON:-$(pwd)/../.cache/python/bin/python}
[ -x "$python" ] || { echo "clients: there is no $python; ./dev test makes it" >&2; exit 1; }
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    echo '$ npm ci' >&2
    npm ci --silent
    touch node_modules/.package-lock.json
fi

# The project is there before the server starts, so that its other schema can be named.
place=$(mktemp -d "${TMPDIR:-/tmp}/thorbis-clients-XXXXXX")
peer=
trap '[ -z "$peer" ] || kill "$peer"; rm -rf "$place"' EXIT
chmod 711 "$place"
data=$place/data
echo '$ thorbis migrate up --dir project --seed' >&2
env -u DATABASE_URL -u MIGRATOR_URL "$thorbis" migrate up --dir project --seed --env development --data "$data" >"$place/brought" 2>&1 || {
    cat "$place/brought" >&2
    exit 1
}
THORBIS_DATA_API__SCHEMAS=public,shared,home_services,archive,cron
# Programs from elsewhere sign with a secret that both sides know; the tests of tokens are one.
THORBIS_AUTH__JWT_SECRET=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
# Programs of others may act for people.
THORBIS_AUTH__OAUTH_SERVER__ENABLED=true
THORBIS_AUTH__OAUTH_SERVER__DYNAMIC_REGISTRATION=true
export THORBIS_AUTH__JWT_SECRET THORBIS_DATA_API__SCHEMAS THORBIS_AUTH__OAUTH_SERVER__ENABLED THORBIS_AUTH__OAUTH_SERVER__DYNAMIC_REGISTRATION
# A provider of accounts beside it, at which people sign in.
export PROVIDER_CLIENT=stand-in PROVIDER_SECRET=known-to-both
node stand-ins/provider.mjs >"$place/provider" &
peer=$!
while [ ! -s "$place/provider" ]; do kill -0 "$peer" && sleep 0.1; done
PROVIDER_URL=$(cat "$place/provider")
export PROVIDER_URL THORBIS_AUTH__EXTERNAL__OIDC__ISSUER="$PROVIDER_URL" THORBIS_AUTH__EXTERNAL__OIDC__ENABLED=true
export THORBIS_AUTH__EXTERNAL__OIDC__CLIENT_ID="$PROVIDER_CLIENT" THORBIS_AUTH__EXTERNAL__OIDC__CLIENT_SECRET="$PROVIDER_SECRET"
export THORBIS_AUTH__EXTERNAL__MANUAL_LINKING_ENABLED=true THORBIS_AUTH__EXTERNAL__PRIVATE_ADDRESSES_ALLOWED=true
export THORBIS_AUTH__ANONYMOUS__ENABLED=true
# Receivers of webhooks are programs beside it.
export THORBIS_MESSAGING__WEBHOOKS__PRIVATE_ADDRESSES_ALLOWED=true
. ../dev.d/server.sh
start_server "$thorbis"
THORBIS_URL=$url
ANON_KEY=$(said 'anon key')
SERVICE_KEY=$(said 'service key (secret)')
DEMO_EMAIL=$(said 'demo login')
DEMO_PASSWORD=$(said 'demo password')
# What the tests of generated types call.
PROGRAM=$thorbis
DATA_FOLDER=$data
export PROGRAM DATA_FOLDER THORBIS_URL ANON_KEY SERVICE_KEY DEMO_EMAIL DEMO_PASSWORD

failed() {
    status=$?
    kill "$other" 2>/dev/null || true
    grep -E '"level":"(ERROR|WARN)"' "$folder/log" | tail -n 20 >&2
    exit "$status"
}
# Both at once: no program touches what another one wrote.
echo '$ python -m unittest discover -s python' >&2
PYTHONDONTWRITEBYTECODE=1 "$python" -m unittest discover -s python >"$place/python" 2>&1 &
other=$!
echo '$ node --test tests/' >&2
node --test --test-reporter=dot "$@" tests/*.test.mjs || failed
wait "$other" || {
    cat "$place/python" >&2
    (exit 1) || failed
}
tail -n 3 "$place/python" | head -n 1
