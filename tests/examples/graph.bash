# Sourced by the tests of the graph programs.
. "$(dirname "$0")/expect.bash"

oracle=$(dirname "$0")/graph_programs.py

# agree PROGRAM [-o ORACLE] RELATION... [-- OPTION...]: on small random inputs that change, it
# prints what plain evaluation gives (by the oracle of that name), after every transaction.
agree() {
    local program=$1 by=$1 seed relations=() at
    shift
    if [ "$1" = -o ]; then
        by=$2
        shift 2
    fi
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        relations+=("$1")
        shift
    done
    [ $# -eq 0 ] || shift
    for seed in ${WEIR_SEEDS:-1 2 3 4}; do
        rm -rf "$tmp/facts"
        mkdir "$tmp/facts"
        python3 "$oracle" make "$seed" "$tmp/facts" "${relations[@]}"
        python3 "$oracle" "$by" "$tmp/facts" >"$tmp/answers"
        at=$(seq -s, 0 "$(tail -n 1 "$tmp/facts/updates.tsv" | cut -f 1)")
        echo "$program: seed $seed"
        if [ "${relations[0]}" = edges ]; then
            set -- --edges "$tmp/facts/edges.tsv" "$@"
        else
            set -- --facts "$tmp/facts" "$@"
        fi
        expect /dev/null "$program" --updates "$tmp/facts/updates.tsv" --at "$at" "$@" \
            <"$tmp/answers"
        shift 2
    done
}
