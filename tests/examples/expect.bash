# Sourced by the scripts here. An example must print the same whatever the number of workers
# and processes, the order in which they run, and where batches end: the rows of a batch are
# drawn from WEIR_SEED (default: the time), which is printed.
set -euo pipefail

examples=$WEIR_BUILD/examples
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Options of the runs that must agree; NxW is a cluster of N processes of W workers.
ways=("-w 1" "-w 2" "-w 4" "--deterministic -w 3 --seed 1" "--deterministic -w 3 --seed 2"
    2x1 2x2)
RANDOM=${WEIR_SEED:=$(date +%s)}
echo "WEIR_SEED=$WEIR_SEED"

# batch_rows: a number of rows, small ones more often.
batch_rows() { echo $((RANDOM % (1 << (1 + RANDOM % 12)) + 1)); }

# run_way WAY PROGRAM [ARGUMENT...]: runs the example in this way, with batches of some size.
run_way() {
    local way=$1 program=$2 start=()
    shift 2
    if [[ $way == *x* ]]; then
        start=("$WEIR_BUILD/weir" launch -n "${way%x*}" -w "${way#*x}" --)
        way=
    fi
    rows=$(batch_rows)
    # shellcheck disable=SC2086 # a way is several words
    "${start[@]}" "$examples/$program" $way --batch-rows "$rows" "$@"
}

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
        run_way "$way" "$program" "$@" <"$input" >"$tmp/printed" 2>"$tmp/errors" ||
            fail "$program $way $*: exit code $?: $(cat "$tmp/errors")"
        diff -u "$tmp/expected" "$tmp/printed" ||
            fail "$program $way $* (batches of $rows rows): not what is expected"
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
