# A development server of a script's own: on a free port, with a data folder that goes with it. Sourced by scripts that drive one.

# start_server PROGRAM: starts it and waits until it answers. Sets $folder, $url and $server; it ends with the script.
start_server() {
    # A script may have begun one before.
    peer=${peer:-}
    folder=$(mktemp -d "${TMPDIR:-/tmp}/thorbis-XXXXXX")
    # A script that prepared the data folder says where it is, and $place is what goes with it.
    data=${data:-$folder/data}
    # A server that root starts runs PostgreSQL as another user, who has to get into the folder.
    chmod 711 "$folder"
    trap stop_server EXIT
    trap 'exit 1' INT TERM
    # The one in the background may come to it later than the first look.
    : >"$folder/out"
    # No database of whoever runs this reaches the server.
    env -u DATABASE_URL -u MIGRATOR_URL "$1" serve --env development --data "$data" --listen 127.0.0.1:0 \
        >"$folder/out" 2>"$folder/log" &
    server=$!
    waited=0
    until grep -q '^demo password' "$folder/out"; do
        if ! kill -0 "$server" 2>/dev/null || [ "$waited" -ge 300 ]; then
            tail -n 20 "$folder/log" >&2
            echo "the server did not start" >&2
            exit 1
        fi
        sleep 0.2
        waited=$((waited + 1))
    done
    url=$(sed -n 's/.* answers at \([^ ]*\).*/\1/p' "$folder/out")
}

# Ends it, and $peer, other programs that the script runs beside it.
stop_server() {
    status=$?
    # shellcheck disable=SC2086 # it may be several
    [ -z "${peer:-}" ] || kill $peer 2>/dev/null || true
    if [ -n "${server:-}" ]; then
        kill -TERM "$server" 2>/dev/null || true
        wait "$server" || true
    fi
    rm -rf "$folder" ${place:+"$place"}
    exit "$status"
}

# said NAME: what the server said at its start: `anon key`, `demo login`.
said() {
    sed -n "s/^$1 *//p" "$folder/out"
}
