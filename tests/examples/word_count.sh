# word_count agrees with sort and uniq, on a file and on a pipe.
. "$(dirname "$0")/expect.bash"

text=$WEIR_SOURCE/LICENSE
tr -cs 'A-Za-z0-9_' '\n' <"$text" | sed '/^$/d' | LC_ALL=C sort | uniq -c |
    awk '{ print $2 "\t" $1 }' >"$tmp/words"
expect /dev/null word_count "$text" <"$tmp/words"
expect "$text" word_count <"$tmp/words"
expect /dev/null word_count </dev/null
refuse 1 'cannot open .*no/such/file' word_count no/such/file
expect /dev/null word_count -- "$text" <"$tmp/words"
