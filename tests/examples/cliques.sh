# cliques counts those that plain enumeration finds, in graphs that change.
. "$(dirname "$0")/expect.bash"

for seed in ${WEIR_SEEDS:-1 2 3 4}; do
    size=$((3 + seed % 4))
    echo "seed $seed, size $size"
    python3 "$(dirname "$0")/cliques.py" "$seed" "$tmp" "$size"
    expect /dev/null cliques --edges "$tmp/edges.tsv" --updates "$tmp/updates.tsv" \
        --at "$(seq -s, 0 25)" --size "$size" <"$tmp/answers"
done
refuse 1 'size is a number from 3' cliques --edges "$tmp/edges.tsv" --size 2
refuse 1 'size is a number from 3' cliques --edges "$tmp/edges.tsv" --size 7
