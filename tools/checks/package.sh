#!/bin/bash
# Installs weir under a temporary prefix and builds README's program against it through
# pkg-config (shared and static) and through find_package, as a user would.
# Wants WEIR_SOURCE, WEIR_BUILD and CC, as the tests set them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
cmake --install "$WEIR_BUILD" --prefix "$prefix" >"$work/install.log"
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name weir.pc)")
libdir=$(pkg-config --variable=libdir weir)

for file in include/weir/weir.h bin/weir share/man/man1/weir.1 share/doc/weir/LICENSE; do
    [ -s "$prefix/$file" ] || { echo "not installed: $file"; exit 1; }
done

mkdir "$work/program"
cd "$work/program"
awk '/^```c$/ { on = 1; next } /^```/ { on = 0 } on' "$WEIR_SOURCE/README.md" >program.c
cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.25)
project(program C)
find_package(weir 0.1 REQUIRED)
add_executable(shared program.c)
target_link_libraries(shared weir::weir)
add_executable(static program.c)
target_link_libraries(static weir::static)
END

# shellcheck disable=SC2046 # the flags are words
{
    "$CC" -Wall -Wextra -Werror program.c -o by_pkg_config $(pkg-config --cflags --libs weir)
    "$CC" -Wall -Wextra -Werror $(pkg-config --cflags weir) program.c -o by_pkg_config_static \
        "$libdir/libweir.a" $(pkg-config --static --libs weir | sed 's/-lweir//')
}
cmake -G Ninja -B build -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$CC" >configure.log
cmake --build build >build.log || { cat build.log; exit 1; }

export LD_LIBRARY_PATH=$libdir
printf 'to be or\nnot to be\n' >text
printf 'be\t2\nnot\t1\nor\t1\nto\t2\n' >expected
for program in ./by_pkg_config ./by_pkg_config_static build/shared build/static; do
    "$program" text -w 2 >output || { echo "$program fails"; cat output; exit 1; }
    diff expected output || { echo "$program: wrong counts"; exit 1; }
    [[ $(ldd "$program") == *libjemalloc.so* ]] || { echo "$program lacks jemalloc"; exit 1; }
done
"$prefix/bin/weir" --version
