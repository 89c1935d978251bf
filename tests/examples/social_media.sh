# social_media gives what the definitions say, in networks where everything comes and goes.
. "$(dirname "$0")/expect.bash"

for seed in ${WEIR_SEEDS:-1 2 3 4}; do
    echo "seed $seed"
    python3 "$(dirname "$0")/social_media.py" "$seed" "$tmp"
    expect /dev/null social_media --stream "$tmp/stream.tsv" <"$tmp/answers"
done
printf '0\tP\t1\t5\n' >"$tmp/short"
refuse 1 'short:1: expected' social_media --stream "$tmp/short"
printf '2\tU\t1\n1\tU\t2\n' >"$tmp/backwards"
refuse 1 'backwards:2: transaction 1 comes after 2' social_media --stream "$tmp/backwards"
refuse 1 'which network' social_media
