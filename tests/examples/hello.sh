# hello prints the squares in order.
. "$(dirname "$0")/expect.bash"

printf '%d\t%d\n' 1 1 2 4 3 9 4 16 5 25 | expect /dev/null hello
refuse 2 'unknown option --no-such' hello --no-such
refuse 2 '--workers takes a whole number' hello -w many
"$examples/hello" --help | grep -q -- --deterministic
