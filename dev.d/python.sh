# The Python client for the client tests: its packages in an environment of their own in .cache, from the Python package index, through
# pip and so from whatever index this machine is configured for. The machine's own packages are neither used nor touched. Sourced by ./dev.

need_python() {
    pins=$root/clients/python/requirements.txt
    environment=$cache/python
    # An environment goes with the Python that it was made by.
    if ! cmp -s "$pins" "$environment/made.from" || ! "$environment/bin/python" -c '' 2>/dev/null; then
        need_packages venv
        rm -rf "$environment"
        run python3 -m venv "$environment"
        # pip refuses a file whose checksum is not there.
        run "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes --requirement "$pins"
        cp "$pins" "$environment/made.from"
    fi
    CLIENT_PYTHON=$environment/bin/python
    export CLIENT_PYTHON
}
