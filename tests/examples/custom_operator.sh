# custom_operator answers for every number, and says why not for 0.
. "$(dirname "$0")/expect.bash"

printf '%d\t%d\t%d\n' 1 0 1 27 111 9232 97 118 9232 871 178 190996 6171 261 975400 |
    expect /dev/null custom_operator
[ "$(cat "$tmp/errors")" = '0: it never comes to 1' ] || fail "on stderr: $(cat "$tmp/errors")"
