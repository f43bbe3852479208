# Runs a proof or a measurement and writes down what came out. Sourced by ./dev.

# record VERB FOLDER FILE NAME [SEED]: runs FOLDER/NAME.sh with the seed in $SEED. What it writes to the file $OUTCOME is its outcome, or
# else its last line of output; a row with date, commit, machine, seed, duration and outcome is added to FILE, also when it failed.
record() {
    what=$1 folder=$2 file=$3 name=${4:-}
    script=$folder/$name.sh
    if [ -z "$name" ] || [ ! -e "$script" ]; then
        names "$what" "$folder"
        fail "there is no $what '$name'"
    fi
    SEED=${5:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
    export SEED
    need_packages postgresql compiler
    need_rust
    log=$cache/$what-$name.log
    mkdir -p "$cache"
    OUTCOME=$log.outcome
    export OUTCOME
    : >"$OUTCOME"
    echo "\$ SEED=$SEED $script"
    { sh "$script" 2>&1 && echo 0 >"$log.status" || echo $? >"$log.status"; } | tee "$log"
    status=$(cat "$log.status")
    outcome=$(grep -v '^[[:space:]]*$' "$log" | tail -n 1)
    [ "$status" != 0 ] || [ ! -s "$OUTCOME" ] || outcome=$(sed '$!s/$/;/' "$OUTCOME" | tr '\n' ' ' | sed 's/ $//')
    outcome=$(echo "$outcome" | tr '|' '/')
    [ "$status" = 0 ] || outcome="FAILED ($status): $outcome"
    commit=$(git rev-parse --short=10 HEAD)$([ -z "$(git status --porcelain --untracked-files=no -- . ':!docs/PROOF.md' ':!bench/RESULTS.md')" ] || echo '+changes')
    printf '| %s | %s | %s | %s | %s | %s s | %s |\n' "$(date -u +%Y-%m-%d)" "$name" "$commit" "$(machine)" "$SEED" \
        "$(($(date +%s) - started))" "$outcome" >>"$file"
    echo "dev: written to $file"
    return "$status"
}

machine() {
    model=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
    memory=$(awk '/^MemTotal/ { printf "%.0f GB", $2 / 1048576 }' /proc/meminfo)
    . /etc/os-release
    echo "$(nproc) x ${model:-$(uname -m)}, $memory, ${PRETTY_NAME:-Linux}" | tr '|' '/'
}
