#!/bin/sh
# Runs both commands as an ordinary user on a new Debian 12 that has only git, curl, sudo and Rust, and lets nothing of this machine in
# but the sources as committed, the toolchain, and how this machine reaches its package registries. SUITE is another release of the
# distribution, SOURCES a line for apt where the release is another distribution's, STEPS=up leaves out ./dev test, PROFILE=dev builds faster.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
suite=${SUITE:-bookworm} steps=${STEPS:-up test}
machine=$(mktemp -d "${TMPDIR:-/var/tmp}/thorbis-machine-XXXXXX")
[ "$(id -u)" = 0 ] || exec sudo -E "$0" "$@"
command -v mmdebstrap >/dev/null || { apt-get update -q && apt-get install -q -y --no-install-recommends mmdebstrap; }

# The processes that run inside.
insiders() {
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/root")" != "$machine" ] || echo "${process#/proc/}"
    done
}

cleanup() {
    for signal in TERM KILL; do
        left=$(insiders)
        # shellcheck disable=SC2086 # one word a process
        [ -z "$left" ] || { kill -s $signal $left 2>/dev/null || true; sleep 2; }
    done
    for mount in dev proc; do
        if mountpoint -q "$machine/$mount"; then umount -R -l "$machine/$mount"; fi
    done
    rm -rf --one-file-system "$machine"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# Runs a command inside, as the user, with the environment that a login gives and the settings of the registries.
inside() {
    chroot "$machine" setpriv --reuid=1000 --regid=1000 --init-groups env -i HOME=/home/dev USER=dev LANG=C.UTF-8 \
        PATH=/home/dev/.cargo/bin:/usr/local/bin:/usr/bin:/bin sh -c "cd /home/dev/thorbis 2>/dev/null || cd; . /home/dev/.registries; $1"
}

echo "clean-machine: making Debian $suite"
mmdebstrap --quiet --variant=minbase --include=apt,git,curl,sudo,ca-certificates,util-linux,procps "$suite" "$machine" ${SOURCES:+"$SOURCES"}
mount -t proc proc "$machine/proc"
mount --rbind /dev "$machine/dev" && mount --make-rslave "$machine/dev"
cp /etc/resolv.conf /etc/hosts "$machine/etc/"
cp -r /etc/ssl/certs/. "$machine/etc/ssl/certs/"
[ ! -e /etc/apt/apt.conf.d ] || cp -n /etc/apt/apt.conf.d/*prox* "$machine/etc/apt/apt.conf.d/" 2>/dev/null || true
chroot "$machine" useradd --create-home --uid 1000 --shell /bin/sh dev
echo 'dev ALL=(ALL) NOPASSWD: ALL' >"$machine/etc/sudoers.d/dev"

env | sed -n "s/^\(\(https\?\|no\|all\)_proxy\|\(HTTPS\?\|NO\|ALL\)_PROXY\|PIP_[A-Z_]*\|npm_config_[a-z_]*\|CARGO_\(HTTP\|NET\|REGISTRIES\|SOURCE\)_[A-Z_]*\|SSL_CERT_FILE\|NODE_EXTRA_CA_CERTS\)=\(.*\)/export \1='\5'/p" \
    >"$machine/home/dev/.registries"
for file in .npmrc .config/pip/pip.conf .cargo/config.toml; do
    if [ -e "$HOME/$file" ]; then
        mkdir -p "$(dirname "$machine/home/dev/$file")" && cp "$HOME/$file" "$machine/home/dev/$file"
    fi
done
if [ -e /etc/pip.conf ]; then cp /etc/pip.conf "$machine/etc/pip.conf"; fi
mkdir -p "$machine/home/dev/.cargo/bin"
cp -r "${RUSTUP_HOME:-$HOME/.rustup}" "$machine/home/dev/.rustup"
for tool in cargo rustc rustdoc rustup rustfmt cargo-fmt cargo-clippy clippy-driver; do
    cp -P "${CARGO_HOME:-$HOME/.cargo}/bin/$tool" "$machine/home/dev/.cargo/bin/"
done
git -C "$root" archive --format=tar --prefix=thorbis/ HEAD | tar -x -C "$machine/home/dev"
chroot "$machine" chown -R dev:dev /home/dev
inside 'git init -q && git add -A && git -c user.name=dev -c user.email=dev@localhost commit -q -m start'

echo "clean-machine: ./dev up"
begun=$(date +%s)
# The network is this machine's, where the usual port may have another server behind it: its answer would prove nothing.
listen=
if inside 'curl -s -o /dev/null http://127.0.0.1:54321/ || [ $? != 7 ]'; then listen='--listen 127.0.0.1:0'; fi
inside "PROFILE=${PROFILE:-release} ./dev up $listen >up.log 2>&1 & echo \$! >up.pid; wait" &
watcher=$!
until inside 'url=$(sed -n "s/.* answers at \([^ ]*\).*/\1/p" up.log) && [ -n "$url" ] && curl -sf "$url/health/ready" >/dev/null'; do
    if ! kill -0 "$watcher" 2>/dev/null; then
        tail -n 40 "$machine/home/dev/thorbis/up.log"
        echo "./dev up ended before it was ready"
        exit 1
    fi
    sleep 1
done
up=$(($(date +%s) - begun))
inside 'kill -TERM "$(cat up.pid)"'
wait "$watcher" || true
tries=0
while left=$(insiders) && [ -n "$left" ]; do
    # The last processes of a shell may just be going.
    if [ "$tries" -ge 50 ]; then
        echo "something outlived the server: $(for process in $left; do tr '\0' ' ' <"/proc/$process/cmdline"; echo; done)"
        exit 1
    fi
    tries=$((tries + 1))
    sleep 0.1
done

if [ "$steps" = up ]; then
    echo "$suite: ./dev up was ready after $up s"
    exit
fi
echo "clean-machine: ./dev test"
begun=$(date +%s)
inside './dev test'
echo "$suite: ./dev up was ready after $up s, ./dev test passed in $(($(date +%s) - begun)) s"
