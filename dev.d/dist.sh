# Makes what is shipped: a package for Debian and Ubuntu, in dist of the target folder. Sourced by ./dev and by the proof of it.

# dist: builds the program and packs it. Prints where the package is.
dist() {
    command -v dpkg-deb >/dev/null || fail "dpkg-deb is not on the search path: packages are made on Debian or Ubuntu"
    # Standard output has the path of the package and nothing else.
    need_packages compiler >&2
    need_rust >&2
    profile=${PROFILE:-release}
    run cargo build --locked --profile "$profile" --bin thorbis
    [ "$profile" = dev ] && profile=debug
    target=${CARGO_TARGET_DIR:-target}
    program=$target/$profile/thorbis
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    architecture=$(dpkg --print-architecture)
    package=$target/dist/thorbis_${version}_$architecture.deb
    tree=$(mktemp -d "${TMPDIR:-/tmp}/thorbis-dist-XXXXXX")
    mkdir -p "$target/dist"
    stage "$tree" "$program"
    control "$tree" "$version" "$architecture" >"$tree/DEBIAN/control"
    # The same sources make the same bytes: times are those of the commit.
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
    export SOURCE_DATE_EPOCH
    run dpkg-deb --root-owner-group --build -Zxz "$tree" "$package" >&2
    rm -rf "$tree"
    (cd "$target/dist" && sha256sum "$(basename "$package")" >"$(basename "$package").sha256")
    echo "$package"
}

# stage TREE PROGRAM: lays out the files as they are to be on the machine.
stage() {
    docs=$1/usr/share/doc/thorbis
    install -D -m 0755 "$2" "$1/usr/bin/thorbis"
    strip "$1/usr/bin/thorbis"
    install -D -m 0755 deploy/debian/thorbisctl "$1/usr/sbin/thorbisctl"
    install -D -m 0640 deploy/debian/thorbis.toml "$1/etc/thorbis/thorbis.toml"
    install -D -m 0644 deploy/systemd/thorbis.service "$1/usr/lib/systemd/system/thorbis.service"
    for folder in grafana nginx; do
        for file in deploy/$folder/*; do install -D -m 0644 "$file" "$1/usr/share/thorbis/$folder/$(basename "$file")"; done
    done
    for file in docs/*.md SECURITY.md CHANGELOG.md; do install -D -m 0644 "$file" "$docs/$(basename "$file")"; done
    install -D -m 0644 LICENSE "$docs/copyright"
    mkdir -p "$1/usr/share/bash-completion/completions" "$1/usr/share/zsh/vendor-completions" "$1/usr/share/fish/vendor_completions.d"
    "$2" completions bash >"$1/usr/share/bash-completion/completions/thorbis"
    "$2" completions zsh >"$1/usr/share/zsh/vendor-completions/_thorbis"
    "$2" completions fish >"$1/usr/share/fish/vendor_completions.d/thorbis.fish"
    chmod -R u=rwX,go=rX "$1/usr"
    for script in postinst prerm postrm; do install -D -m 0755 "deploy/debian/$script" "$1/DEBIAN/$script"; done
    echo /etc/thorbis/thorbis.toml >"$1/DEBIAN/conffiles"
    chmod 0755 "$1" "$1/DEBIAN" "$1/etc" "$1/etc/thorbis"
    chmod 0644 "$1/DEBIAN/conffiles"
}

# control TREE VERSION ARCHITECTURE: what dpkg has to know. The C library is that of the machine that built, or a newer one.
control() {
    libc=$(getconf GNU_LIBC_VERSION | sed 's/^glibc //')
    size=$(du -sk "$1" | cut -f 1)
    cat <<TEXT
Package: thorbis
Version: $2
Architecture: $3
Maintainer: The founders of Thorbis <thorbis@localhost>
Section: database
Priority: optional
Installed-Size: $size
Depends: adduser, ca-certificates, libc6 (>= $libc), libgcc-s1, util-linux
Recommends: postgresql-18 | postgresql-17 | postgresql-16 | postgresql-15
Suggests: nginx, redis-server, pgbouncer
Description: multi-tenant backend of a field-service business on PostgreSQL
 Sign-in, companies with roles, a data API in which the database itself decides
 what each member may see, files, realtime, background work and backups, in one
 program. It runs a private PostgreSQL of its own, or works with one that is there.
TEXT
}
