# nexmark gives the answers that are known for $WEIR_DATA/nexmark-20k, if that is set: 20,000 events in
# events.tsv.xz, and for each query how many rows there are and the sha256 of all, in
# expected/summary.tsv.
. "$(dirname "$0")/expect.bash"

data=${WEIR_DATA:-}/nexmark-20k
if [ -z "${WEIR_DATA:-}" ] || [ ! -d "$data" ]; then
    echo "WEIR_DATA names no folder with nexmark-20k: skipped"
    exit 77
fi
xz -dc "$data/events.tsv.xz" >"$tmp/events.tsv"
for query in q3 q4 q5 q7 q8 q9 q11 q12 q18 q19 q20; do
    known=$(awk -F '\t' -v q="$query" '$1 == q || $1 == q "event" { print $2, $3 }' \
        "$data/expected/summary.tsv")
    for way in "${ways[@]}"; do
        run_way "$way" nexmark --final "$query" "$tmp/events.tsv" | LC_ALL=C sort >"$tmp/sorted"
        has="$(wc -l <"$tmp/sorted") $(sha256sum "$tmp/sorted" | cut -c 1-16)"
        [ "$has" = "$known" ] || fail "$query $way: $has, not $known"
    done
    echo "$query: $known"
done
