# dependencies gives the counts that are known, agrees with plain searches at some
# transactions, and says what is wrong with its input.
. "$(dirname "$0")/expect.bash"

data=$WEIR_SOURCE/examples/data
oracle=$(dirname "$0")/dependencies.py

answer() {
    "$examples/dependencies" --data "$data" "$@" >"$tmp/known" 2>"$tmp/errors" ||
        fail "dependencies $*: exit code $?: $(cat "$tmp/errors")"
}
# count TRANSACTION PACKAGE: what the output in $tmp/known says.
count() { awk -v last="$1" -v of="$2" '$1 <= last && $2 == of { n = $3 } END { print n }' "$tmp/known"; }
known() {
    [ "$(count "$1" "$2")" = "$3" ] || fail "$2 at transaction $1: $(count "$1" "$2"), not $3"
}

answer --list
for txn in 0 100 196 700 1255; do known $txn apt 48; done
for txn in 0 100 196; do known $txn gnome 1215; done
known 700 gnome 1214
known 1255 gnome 1231
grep -q '^after 1255 transactions: apt 48, gnome 1231$' "$tmp/known"
expect /dev/null dependencies --data "$data" --list <"$tmp/known"
python3 "$oracle" "$data" "$tmp/known" 20

answer -w 2 --list --reverse apt gnome
for txn in 0 100 196 700; do known $txn apt 610; done
known 1255 apt 611
known 1255 gnome 1
python3 "$oracle" "$data" "$tmp/known" 100 --reverse

# What is wrong is said with its place.
xz() { python3 -c 'import lzma, sys; sys.stdout.buffer.write(lzma.compress(sys.stdin.buffer.read()))'; }
refuse 1 'no package `gnom`; like it: .*gnome' dependencies --data "$data" gnom
refuse 1 'too many packages' dependencies --data "$data" $(yes apt | head -n 65)
refuse 1 'cannot open .*names.txt.xz' dependencies --data "$tmp"
bad() { # FILE PATTERN: with the input as that file
    local file=$1 pattern=$2
    mkdir -p "$tmp/data"
    cp "$data"/*.xz "$tmp/data"
    cat >"$tmp/data/$file"
    refuse 1 "$pattern" dependencies -w 2 --data "$tmp/data"
}
printf '1\t2\n3 x\n' | xz | bad base.tsv.xz 'base.tsv.xz:2: expected `src dst`'
printf '1\t69126\n' | xz | bad base.tsv.xz 'base.tsv.xz:1: there is no package 69126'
printf '1\t2\n1\t2\n' | xz | bad base.tsv.xz 'transaction 0: package 1 depends already on 2'
printf '1\t2\t3\t-1\n' | xz | bad updates.tsv.xz 'transaction 1: package 2 does not depend on 3'
printf '1\t2\t3\t1\n1\t2\t4\t2\n' | xz | bad updates.tsv.xz 'updates.tsv.xz:2: a diff is'
printf '2\t2\t3\t1\n1\t2\t4\t1\n' | xz | bad updates.tsv.xz 'updates.tsv.xz:2: transaction 1 comes after 2'
printf 'b\na\n' | xz | bad names.txt.xz 'names.txt.xz:2: `a` is out of order'
head -c 1000 "$data/base.tsv.xz" | bad base.tsv.xz 'base.tsv.xz` is damaged or cut short'
seq 100 | bad base.tsv.xz 'base.tsv.xz` is damaged'
