# nexmark gives what the queries' definitions say; what it sends on the way adds up to that.
. "$(dirname "$0")/expect.bash"

script=$(dirname "$0")/nexmark.py
for seed in ${WEIR_SEEDS:-$RANDOM}; do
    echo "seed $seed"
    python3 "$script" "$seed" "$tmp"
    for query in q3:4 q4:4 q5:4 q7:5 q8:3 q9:11 q11:4 q12:4 q18:5 q19:5 q20:7; do
        name=${query%:*}
        ways=("-w $((1 << RANDOM % 3))" "--deterministic -w 3 --seed $RANDOM")
        [ $((RANDOM % 5)) -ne 0 ] || ways+=(2x2)
        expect /dev/null nexmark --final "$name" "$tmp/events.tsv" <"$tmp/$name"
        run_way "-w 2" nexmark "$name" "$tmp/events.tsv" | python3 "$script" --sum "${query#*:}" |
            diff -u "$tmp/$name" - || fail "$name: the changes add up to something else"
    done
done
refuse 1 'q1 is no query' nexmark q1 "$tmp/events.tsv"
refuse 1 'No such file' nexmark q3 "$tmp/nothing"
printf '0\tP\t3\n' >"$tmp/short"
refuse 1 'line 1: ' nexmark q3 "$tmp/short"
