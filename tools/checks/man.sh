#!/bin/bash
# Checks that weir.1 knows every option that the command's own help shows, and a program's, and
# weir-launch.1 those of weir launch.
# Wants WEIR_SOURCE and WEIR_BUILD, as the tests set them.
set -euo pipefail
status=0
for command in weir "weir bench runtime" "weir bench collections" "weir bench net" examples/hello \
    "weir launch"; do
    name=weir
    [ "$command" != "weir launch" ] || name=weir-launch
    page=$(sed 's/\\//g' "$WEIR_SOURCE/docs/$name.1")
    # shellcheck disable=SC2086 # the command is words
    for option in $("$WEIR_BUILD"/$command --help | grep -oE -e '--[a-z-]+' | sort -u); do
        if ! grep -qe "$option" <<<"$page"; then
            echo "docs/$name.1 lacks $option of $command"
            status=1
        fi
    done
done
exit $status
