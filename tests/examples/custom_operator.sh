# custom_operator answers for every number, and says why not for 0.
. "$(dirname "$0")/expect.bash"

printf '%d\t%d\n' 1 0 27 111 97 118 871 178 6171 261 | expect /dev/null custom_operator
"$examples/custom_operator" -w 2 2>"$tmp/errors" >/dev/null
printf 'collatz\t0\tit never comes to 1\n' | diff - "$tmp/errors"
