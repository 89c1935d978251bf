# dependencies agrees with plain searches at every transaction, for packages small and large.
. "$(dirname "$0")/expect.bash"

data=$WEIR_SOURCE/examples/data
oracle=$(dirname "$0")/dependencies.py

check() { # EVERY [OPTION...] PACKAGE...
    local every=$1 way
    shift
    for way in "${ways[@]}"; do
        run_way "$way" dependencies --data "$data" --list "$@" >"$tmp/printed" 2>"$tmp/errors" ||
            fail "dependencies $way $*: exit code $?: $(cat "$tmp/errors")"
        [ ! -e "$tmp/first" ] || cmp "$tmp/first" "$tmp/printed" || fail "$way differs"
        cp "$tmp/printed" "$tmp/first"
    done
    python3 "$oracle" "$data" "$tmp/first" "$every" "$@"
    rm "$tmp/first"
}

check 1 apt gnome linux-image-amd64 mini-buildd libreoffice mesa-vulkan-drivers 0ad
check 10 kde-full task-desktop texlive-full gcc firefox-esr
check 1 --reverse apt mini-buildd libndr6
check 50 --reverse libllvm15 python3
