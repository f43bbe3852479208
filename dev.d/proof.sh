# Runs one test with larger counts and shows the line that it ends with. Sourced by the proofs.

# prove CRATE PROGRAM MODULE BEGINNING: runs the tests of a module of a test program; prints their lines that begin so, or everything if one fails.
prove() {
    log=$(mktemp "${TMPDIR:-/tmp}/thorbis-proof-XXXXXX")
    if ! cargo test --locked --quiet -p "$1" --test "$2" "$3::" -- --nocapture --test-threads 1 >"$log" 2>&1; then
        cat "$log"
        rm -f "$log"
        return 1
    fi
    grep "$4" "$log"
    rm -f "$log"
}
