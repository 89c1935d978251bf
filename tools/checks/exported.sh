#!/bin/bash
# Compares the names that libweir.so exports with tests/exported.txt.
#   exported.sh            checks; also that each is weir_..., apart from malloc_conf,
#                          by which jemalloc is configured
#   exported.sh --update   writes the list anew
# Wants WEIR_SOURCE and WEIR_BUILD, as the tests set them.
set -euo pipefail
export LC_ALL=C
list=$WEIR_SOURCE/tests/exported.txt

exported() { nm -D --defined-only "$WEIR_BUILD/libweir.so" | awk '{ print $3 }' | sort; }

if [ "${1:-}" = --update ]; then
    exported >"$list"
    exit
fi
if exported | grep -vE '^(weir_[a-z0-9_]+|malloc_conf)$'; then
    echo "The library exports the names above, which do not start with weir_."
    exit 1
fi
if ! diff -u --label tests/exported.txt --label libweir.so "$list" <(exported); then
    echo "The library exports other names (+) than the list (-). If that is meant:"
    echo "WEIR_SOURCE=. WEIR_BUILD=build/dev tools/checks/exported.sh --update"
    exit 1
fi
