# reach counts what plain searches do; and what all graph programs share: how they read files
# and say what is wrong.
. "$(dirname "$0")/graph.bash"

agree reach edges
agree reach -o reach_reverse edges -- --reverse --root 1,2

printf '0 1\n1\t2\n2  3\n' >"$tmp/edges.tsv"
printf '1\t1\t2\t-1\n3\t1\t2\t1\n3\t3\t4\t1\n7\t0\t1\t-1\n' >"$tmp/updates"
reach() { "$examples/reach" -w 2 --edges "$tmp/edges.tsv" "$@" 2>"$tmp/errors"; }
[ "$(reach)" = $'0\treached\t4' ] || fail "without updates"
grep -q '^loaded 3 rows in ' "$tmp/errors" || fail "no load time: $(cat "$tmp/errors")"
[ "$(reach --updates "$tmp/updates")" = $'7\treached\t1' ] || fail "without --at"
[ "$(reach --updates "$tmp/updates" --at 3)" = $'3\treached\t5' ] || fail "at the middle"
[ "$(reach --updates "$tmp/updates" --at 1,2,90 | tr '\n' ' ')" = \
    $'1\treached\t2 2\treached\t2 90\treached\t1 ' ] || fail "between and after transactions"
grep -q '^3 transactions: p50 .* us, p99 .* us, max .* us$' "$tmp/errors" || fail "no latencies"

# Packed files, by their names; packed twice over into one file.
pack() { python3 -c "import $1, sys; sys.stdout.buffer.write($1.compress(sys.stdin.buffer.read()))"; }
seq 0 70000 | awk '{ print $1, $1 + 1 }' >"$tmp/long"
for kind in gz:gzip xz:lzma; do
    for part in "1,30000p" '30001,$p'; do
        sed -n "$part" "$tmp/long" | pack "${kind#*:}"
    done >"$tmp/long.${kind%:*}"
    printed=$("$examples/bfs" --edges "$tmp/long.${kind%:*}" --root 69998 2>&1 | grep -c level)
    [ "$printed" -eq 4 ] || fail "$kind: $printed levels"
    head -c 3000 "$tmp/long.${kind%:*}" >"$tmp/cut.${kind%:*}"
    refuse 1 'damaged or cut short' reach --edges "$tmp/cut.${kind%:*}"
done
zst='\x28\xb5\x2f\xfd\x20\x04\x21\x00\x00' # a header; then 4 bytes as they are
printf "${zst}0 1\\n${zst}1 2\\n" >"$tmp/tiny.zst"
printed=$("$examples/bfs" --edges "$tmp/tiny.zst" 2>&1 | grep -c level)
[ "$printed" -eq 3 ] || fail "zst: $printed levels"
printf "${zst}0 1" >"$tmp/cut.zst"
refuse 1 'damaged or cut short' reach --edges "$tmp/cut.zst"
echo 'not packed' >"$tmp/plain.gz"
refuse 1 'plain.gz` is damaged' reach --edges "$tmp/plain.gz"

# What is wrong is said with its place.
edges() { cat >"$tmp/bad"; refuse 1 "$1" reach --edges "$tmp/bad"; }
updates() { cat >"$tmp/bad"; refuse 1 "$1" reach --edges "$tmp/edges.tsv" --updates "$tmp/bad"; }
printf '1 2\n3 x\n' | edges 'bad:2: expected `src dst`.*not `3 x`'
printf '1 2\n3\n' | edges 'bad:2: expected `src dst`'
printf '1 2 3\n' | edges 'bad:1: expected `src dst`'
printf '1 2\0003\n' | edges 'bad:1: expected `src dst`.*not `1 2?3`'
printf '1 -2\n' | edges 'bad:1: expected `src dst`'
printf '1 2\n\n' | edges 'bad:2: expected `src dst`'
printf '18446744073709551616 2\n' | edges 'bad:1: expected `src dst`'
printf '1 2 3\n' | updates 'bad:1: expected `txn src dst diff`'
printf '0 2 3 1\n' | updates 'bad:1: transactions begin with 1'
printf '2 2 3 1\n1 2 3 1\n' | updates 'bad:2: transaction 1 comes after 2'
printf '2 2 3 0\n' | updates 'bad:1: a diff is 1'
refuse 1 'cannot open `/nowhere`' reach --edges /nowhere
refuse 1 'which graph?' reach
refuse 1 'not both' reach --edges "$tmp/edges.tsv" --facts "$tmp"
refuse 2 'unknown option --edges' points_to --edges "$tmp/edges.tsv"
"$examples/points_to" --help | grep -q 'txn relation src dst diff' || fail "help of relations"
"$examples/shortest_paths" --help | grep -q 'src dst .weight. diff' || fail "help of weights"
refuse 1 '`1,x` is not a list of numbers' reach --edges "$tmp/edges.tsv" --root 1,x
refuse 1 'not `1,,2`' reach --edges "$tmp/edges.tsv" --at 1,,2
"$examples/reach" --edges "$tmp/edges.tsv" >/dev/full 2>"$tmp/errors" && fail "a full disk is success"
grep -q 'standard output does not take' "$tmp/errors" || fail "a full disk: $(cat "$tmp/errors")"
refuse 2 'what is `more`' reach --edges "$tmp/edges.tsv" more
refuse 1 'there is no file of `addressOf`' points_to --facts "$tmp"
