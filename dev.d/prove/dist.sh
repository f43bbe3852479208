#!/bin/sh
# Makes the package, looks at what is in it and with which rights, unpacks it elsewhere, starts the program from there as a user who is nobody,
# and visits it with `thorbis smoke`. PROFILE=dev packs a build that is made faster.
set -eu
cd "$(dirname "$0")/../.."
root=$(pwd)
. dev.d/packages.sh
. dev.d/dist.sh
run() { echo "\$ $*" >&2; "$@"; }
fail() { echo "dist: $*" >&2; exit 1; }

package=$(dist)
case $package in /*) ;; *) package=$root/$package ;; esac
place=$(mktemp -d /tmp/thorbis-dist-XXXXXX)
server=
cleanup() {
    [ -z "$server" ] || { kill -TERM "$server" 2>/dev/null && wait "$server" || true; }
    rm -rf "$place"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

(cd "$(dirname "$package")" && sha256sum --check --quiet "$(basename "$package").sha256") || fail "the checksum is another"
dpkg-deb -c "$package" >"$place/list"
# Rights and path of what has to be there; everything belongs to root.
while read -r rights path; do
    grep -q "^$rights root/root .* \./$path\$" "$place/list" || fail "$path is missing or is not $rights: $(grep " \./$path\$" "$place/list")"
done <<'LIST'
-rwxr-xr-x usr/bin/thorbis
-rwxr-xr-x usr/sbin/thorbisctl
-rw-r----- etc/thorbis/thorbis.toml
-rw-r--r-- usr/lib/systemd/system/thorbis.service
-rw-r--r-- usr/share/doc/thorbis/copyright
-rw-r--r-- usr/share/doc/thorbis/deployment.md
-rw-r--r-- usr/share/doc/thorbis/runbook.md
-rw-r--r-- usr/share/bash-completion/completions/thorbis
-rw-r--r-- usr/share/thorbis/nginx/thorbis.conf
LIST
! grep -v ' root/root ' "$place/list" || fail "these are not root's"
! grep -E '^.{8}w|^...s|^......s' "$place/list" || fail "these may be written by everybody, or run as somebody else"
[ "$(dpkg-deb -f "$package" Package)" = thorbis ] || fail "it is no package of thorbis"
dpkg-deb --ctrl-tarfile "$package" | tar -xO ./conffiles | grep -qx /etc/thorbis/thorbis.toml || fail "the settings would be overwritten by an upgrade"
for script in postinst prerm postrm; do
    dpkg-deb --ctrl-tarfile "$package" | tar -xO "./$script" | sh -n || fail "$script is no shell script"
done

dpkg-deb -x "$package" "$place/tree"
chmod 755 "$place" "$place/tree"
program=$place/tree/usr/bin/thorbis
[ "$("$program" --version | cut -d ' ' -f 2)" = "$(dpkg-deb -f "$package" Version)" ] || fail "program and package have different versions"
# The settings as they are shipped, but for a port and a folder of this proof.
grep -qx 'data_directory = "/var/lib/thorbis"' "$place/tree/etc/thorbis/thorbis.toml" || fail "the settings name no data folder"
sed -e 's/54321/0/' -e "s,/var/lib/thorbis,$place/data," "$place/tree/etc/thorbis/thorbis.toml" >"$place/thorbis.toml"
mkdir "$place/data"
as=
if [ "$(id -u)" = 0 ]; then
    chown nobody "$place/data"
    as="setpriv --reuid=nobody --regid=nogroup --clear-groups"
fi
cd "$place/data"
# shellcheck disable=SC2086 # words
$as env -i PATH="$PATH" HOME="$place" THORBIS_CONFIG="$place/thorbis.toml" "$program" serve \
    >"$place/out" 2>"$place/log" &
server=$!
tries=0
until grep -q ' answers at ' "$place/out"; do
    kill -0 "$server" 2>/dev/null && [ "$tries" -lt 1200 ] || { tail -n 20 "$place/log"; fail "it does not answer"; }
    tries=$((tries + 1))
    sleep 0.1
done
# shellcheck disable=SC2086 # words
$as env -i PATH="$PATH" HOME=/root THORBIS_CONFIG="$place/thorbis.toml" "$program" smoke || fail "the visit found something"
kill -TERM "$server"
wait "$server" || fail "it did not stop well"
server=
echo "package of $(du -h "$package" | cut -f 1) with $(grep -c '^-' "$place/list") files: started as nobody after $((tries / 10)) s, visited without a fault"
