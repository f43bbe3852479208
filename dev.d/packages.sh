# What has to be on the machine: found, or installed from the distribution's packages. Sourced by ./dev and by
# proofs, which define `run` and `fail`.

# as_root COMMAND...: runs it as root, by sudo where that has to be.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        run "$@"
    elif command -v sudo >/dev/null; then
        run sudo "$@"
    else
        fail "this needs root and there is no sudo: $*"
    fi
}

# need_packages PART...: sees that each part is there; installs what is missing, saying so before.
need_packages() {
    missing=
    for part in "$@"; do
        case $part in
            postgresql) has_postgresql || missing="$missing postgresql" ;;
            compiler) has_compiler || missing="$missing gcc libc6-dev" ;;
            pgbouncer) [ -x /usr/sbin/pgbouncer ] || command -v pgbouncer >/dev/null || missing="$missing pgbouncer" ;;
            redis) command -v redis-server >/dev/null || missing="$missing redis-server" ;;
            clamd) [ -x /usr/sbin/clamd ] || command -v clamd >/dev/null || missing="$missing clamav-daemon clamav-freshclam" ;;
            nginx) [ -x /usr/sbin/nginx ] || command -v nginx >/dev/null || missing="$missing nginx-light" ;;
            rclone) command -v rclone >/dev/null || missing="$missing rclone" ;;
            venv) python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv" ;;
            pip) python3 -m pip --version >/dev/null 2>&1 || missing="$missing python3-pip" ;;
            *) missing="$missing $part" ;;
        esac
    done
    [ -z "$missing" ] && return
    command -v apt-get >/dev/null || fail "this machine lacks (names of Debian's packages):$missing. Install them and come again"
    echo "dev: going to install from the distribution's packages:$missing"
    # Debian's postgresql package would make and start a cluster for the whole machine; ours is private and needs none. A machine that
    # has clusters already keeps them as they are.
    own_cluster=/etc/postgresql-common/createcluster.d/00-thorbis-none.conf
    case $missing in *postgresql*) dpkg -s postgresql-common >/dev/null 2>&1 || no_machine_cluster "$own_cluster" ;; esac
    # Tests and measurements start a pooler, a Redis and an nginx of their own; the machine's stay off.
    policy=/usr/sbin/policy-rc.d
    case $missing in *pgbouncer* | *redis-server* | *clamav-daemon* | *nginx*) [ -e "$policy" ] || start_nothing "$policy" ;; *) policy= ;; esac
    for package in $missing; do
        if ! apt-cache policy "$package" 2>/dev/null | grep -q 'Candidate: [0-9]'; then
            as_root apt-get update -q
            break
        fi
    done
    # shellcheck disable=SC2086 # one word a package
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing || {
        rest=$?
        [ ! -e "$own_cluster" ] || as_root rm -f "$own_cluster"
        start_again "$policy"
        fail "the packages could not be installed (apt-get: $rest)"
    }
    [ ! -e "$own_cluster" ] || as_root rm -f "$own_cluster"
    start_again "$policy"
    case $missing in *postgresql*) has_postgresql || fail "the distribution's PostgreSQL is older than 15 or lacks its contrib modules" ;; esac
}

# start_nothing FILE: Debian's way to install a service without starting it.
start_nothing() {
    printf '#!/bin/sh\n# thorbis: only while packages are installed\nexit 101\n' | as_root tee "$1" >/dev/null
    as_root chmod +x "$1"
}

# start_again FILE: takes that back, if it was ours, and leaves the services off.
start_again() {
    [ -n "$1" ] && grep -q '^# thorbis:' "$1" 2>/dev/null || return 0
    as_root rm -f "$1"
    command -v systemctl >/dev/null || return 0
    for unit in pgbouncer redis-server clamav-daemon clamav-freshclam nginx; do
        case " $missing " in *" $unit"[\ -]*) as_root systemctl disable --quiet "$unit" 2>/dev/null || true ;; esac
    done
}

no_machine_cluster() {
    as_root mkdir -p "$(dirname "$1")"
    echo "create_main_cluster = false" | as_root tee "$1" >/dev/null
}

# PostgreSQL 15 or newer, with the contrib modules, where the server looks for it.
has_postgresql() {
    for bin in $(command -v postgres 2>/dev/null) /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres; do
        [ -x "$bin" ] || continue
        major=$("$bin" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
        [ "${major:-0}" -ge 15 ] || continue
        bin=$(dirname "$(readlink -f "$bin")")
        for lib in "$bin/../lib" "$bin/../lib/postgresql" "$bin/../lib64/pgsql"; do
            [ -e "$lib/pg_stat_statements.so" ] && [ -x "$bin/initdb" ] && return 0
        done
    done
    return 1
}

# A compiler that can link: the headers of the C library are a package of their own.
has_compiler() {
    command -v cc >/dev/null && echo '#include <stdlib.h>' | cc -E - >/dev/null 2>&1
}

# Rust by rustup may be the minimal profile, without these two.
need_rust() {
    command -v cargo >/dev/null || fail "cargo is not on the search path; install Rust by rustup"
    for part in "$@"; do
        cargo "$part" --version >/dev/null 2>&1 && continue
        [ "$part" = fmt ] && part=rustfmt
        run rustup component add "$part"
    done
}
