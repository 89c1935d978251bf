#!/bin/bash
# Compiles each public header on its own: it must need nothing before it, and warn of
# nothing in a program that asks for -Wall -Wextra -Werror.
set -euo pipefail
cd "$WEIR_SOURCE/include"
status=0
for header in weir/*.h; do
    # shellcheck disable=SC2086 # the flags are words
    printf '#include <%s>\n' "$header" |
        "$CC" $WEIR_CFLAGS -Wall -Wextra -Werror -fsyntax-only -x c - || { echo "$header"; status=1; }
done
# Nor does a program have to have extensions of the language.
# shellcheck disable=SC2086
"$CC" ${WEIR_CFLAGS/gnu11/c11} -Wall -Wextra -Werror -fsyntax-only ../examples/hello.c || status=1
exit $status
