# windowed_word_count agrees with awk, which counts the words of each ten lines.
. "$(dirname "$0")/expect.bash"

text=$WEIR_SOURCE/LICENSE
awk '{
    gsub(/[^A-Za-z0-9_]+/, " ")
    for (i = 1; i <= NF; i++)
        count[sprintf("%d\t%s", NR - 1 - (NR - 1) % 10, $i)]++
} END {
    for (word in count)
        print word "\t" count[word]
}' "$text" | LC_ALL=C sort -t "$(printf '\t')" -k 1,1n -k 2,2 >"$tmp/words"
expect "$text" windowed_word_count <"$tmp/words"
expect /dev/null windowed_word_count </dev/null

# A run that is stopped frees the windows that were never complete (seen by the sanitizers).
status=0
"$examples/windowed_word_count" -w 2 <"$text" >/dev/full 2>"$tmp/errors" || status=$?
[ $status -eq 1 ] || fail "writing to a full device: exit code $status"
grep -q 'cannot print' "$tmp/errors" || fail "$(cat "$tmp/errors")"
