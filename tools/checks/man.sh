#!/bin/bash
# Checks that weir.1 knows every option that the command's own help shows, and a program's, and
# weir-launch.1 and weir-window.1 those of weir launch and weir window.
# Wants WEIR_SOURCE and WEIR_BUILD, as the tests set them.
set -euo pipefail
status=0
for command in weir "weir bench runtime" "weir bench collections" "weir bench net" examples/hello \
    "weir launch" "weir window"; do
    pages=("$WEIR_SOURCE/docs/weir.1")
    case $command in
    "weir launch") pages=("$WEIR_SOURCE/docs/weir-launch.1") ;;
    "weir window") pages+=("$WEIR_SOURCE/docs/weir-window.1") ;; # a program: weir.1 has the others
    esac
    page=$(sed 's/\\//g' "${pages[@]}")
    # shellcheck disable=SC2086 # the command is words
    for option in $("$WEIR_BUILD"/$command --help | grep -oE -e '--[a-z-]+' | sort -u); do
        if ! grep -qe "$option" <<<"$page"; then
            echo "${pages[*]##*/} lacks $option of $command"
            status=1
        fi
    done
done
exit $status
