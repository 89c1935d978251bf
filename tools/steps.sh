# Sourced by the scripts here: a step is a command whose output goes to $log, and to the
# terminal if there is one; in a pipe it is shown only if the step fails.

say() { if [ -t 1 ]; then printf '\033[1m== %s\033[0m\n' "$*"; fi; }

step() {
    local name=$1 output status=0
    shift
    say "$name"
    if [ -t 1 ]; then
        "$@" </dev/null 2>&1 | tee -a "$log" || status=$?
        return "$status"
    fi
    output=$(mktemp)
    "$@" </dev/null >"$output" 2>&1 || status=$?
    cat "$output" >>"$log"
    if [ "$status" -ne 0 ]; then
        echo "== $name: failed ($*)"
        cat "$output"
    fi
    rm -f "$output"
    return "$status"
}
