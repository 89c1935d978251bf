# Sourced by the scripts here. An example must print the same whatever the number of workers
# and the order in which they run.
set -euo pipefail

examples=$WEIR_BUILD/examples
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Options of the runs that must agree.
ways=("-w 1" "-w 2" "-w 4" "--deterministic -w 3 --seed 1" "--deterministic -w 3 --seed 2")

fail() {
    echo "$*"
    exit 1
}

# expect INPUT PROGRAM [ARGUMENT...] <EXPECTED: each way prints what is expected.
expect() {
    local input=$1 program=$2 way
    shift 2
    cat >"$tmp/expected"
    for way in "${ways[@]}"; do
        # shellcheck disable=SC2086 # a way is several words
        "$examples/$program" $way "$@" <"$input" >"$tmp/printed" 2>"$tmp/errors" ||
            fail "$program $way $*: exit code $?: $(cat "$tmp/errors")"
        diff -u "$tmp/expected" "$tmp/printed" || fail "$program $way $*: not what is expected"
    done
}

# refuse CODE PATTERN PROGRAM [ARGUMENT...]: it fails, and says why on stderr.
refuse() {
    local code=$1 pattern=$2 program=$3 status=0
    shift 3
    "$examples/$program" "$@" </dev/null >"$tmp/printed" 2>"$tmp/errors" || status=$?
    [ "$status" -eq "$code" ] || fail "$program $*: exit code $status, not $code"
    grep -q -- "$pattern" "$tmp/errors" || fail "$program $*: $(cat "$tmp/errors")"
}
