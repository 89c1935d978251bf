#!/bin/bash
# Checks the Promela models exhaustively, and that each of their mutants is refuted.
#
#   run.sh [--long]     --long adds sizes that take minutes and a few GB of memory
#
# Exit status 77: spin is not installed.
set -euo pipefail

models=$(cd "$(dirname "$0")" && pwd)
command -v spin >/dev/null || { echo "spin is not installed: skipped"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failures=0

# check NAME -Dwhat...: the model's verdict in $verdict, what spin said in the file `said`.
check() {
    local model=$1
    shift
    spin -a "$@" "$models/$model.pml" >said || { cat said; exit 1; }
    "${CC:-cc}" -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=6000 -o pan pan.c
    ./pan -m1000000 >said 2>&1 || true
    if ! grep -q 'errors:' said || grep -qE 'max search depth too small|out of memory' said; then
        verdict=incomplete
    elif grep -q 'errors: 0$' said; then
        verdict=holds
    else
        verdict=refuted
    fi
}

expect() {
    local wanted=$1
    shift
    check "$@"
    # A property that is never looked at holds too: the monitor must have been reached.
    if [ "$verdict" = holds ] &&
        ! grep -A1 'unreached in proctype monitor' said | grep -q '(0 of'; then
        verdict='vacuous: the monitor never ran'
    fi
    printf '%-10s %-60s %s states\n' "$verdict" "$*" \
        "$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' said)"
    if [ "$verdict" != "$wanted" ]; then
        echo "EXPECTED: $wanted"
        cat said
        failures=$((failures + 1))
    fi
}

expect holds progress -DW=2 -DT=2 -DM=3
expect holds progress -DW=2 -DT=3 -DM=2
expect holds progress -DW=3 -DT=2 -DM=1
if [ "${1:-}" = --long ]; then
    expect holds progress -DW=2 -DT=3 -DM=3
    expect holds progress -DW=2 -DT=2 -DM=4
    expect holds progress -DW=3 -DT=2 -DM=2
fi
for mutant in SPLIT EARLY_DROP MERGED NO_LOOK LOOK_EARLY LOSSY; do
    expect refuted progress -DW=2 -DT=2 -DM=2 -DMUTANT_$mutant
done
expect holds ring -DN=4 -DC=1
expect holds ring -DN=5 -DC=2
for mutant in TOLD_LATE NO_LOOK LOOK_EARLY RING_EARLY ONE_WAKES; do
    expect refuted ring -DN=4 -DC=1 -DMUTANT_$mutant
done
[ "$failures" = 0 ] || { echo "$failures verdicts are not what they should be"; exit 1; }
