#!/usr/bin/env python3
"""Fails if an #include runs up: who may include whom, as docs/architecture.md draws it.

    layering.py ROOT         checks the tree, one line per arrow that should not be
    layering.py --self-test  checks that it finds the arrows planted in a made-up tree
"""
import os
import re
import sys
import tempfile

BELOW_NET = ["include/weir", "base", "progress", "proto"]
LIBRARY = BELOW_NET + ["net", "runtime", "operators"]

# Folder -> the folders that it may include from, apart from itself.
MAY_INCLUDE = {
    "include/weir": [],
    "base": ["include/weir"],
    "progress": ["include/weir", "base"],
    "proto": ["include/weir", "base"],
    "net": BELOW_NET,
    "runtime": BELOW_NET + ["net"],
    "operators": BELOW_NET + ["net", "runtime"],
    "tools": LIBRARY,
    "tests": LIBRARY,
    "examples": ["include/weir"],
}

# What a user's program needs of the system: the C library, and nothing to install.
LIBC = re.compile(
    r"(assert|complex|ctype|errno|fcntl|fenv|float|getopt|inttypes|iso646|limits|locale|math|"
    r"poll|pthread|sched|setjmp|signal|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|"
    r"stdlib|stdnoreturn|string|strings|tgmath|threads|time|uchar|unistd|wchar|wctype|"
    r"sys/[a-z]+|immintrin)\.h")
ONLY_LIBC = {"include/weir", "examples"}

# progress is an algorithm: it starts no thread, does no I/O and reads no clock.
NOT_IN_PROGRESS = re.compile(r"(pthread|threads|time|sched|poll|unistd|fcntl|urcu.*|sys/.*)(\.h|/.*)?")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def blank(comment):
    return "\n" * comment.group().count("\n")


def folder_of(path):
    """The folder of MAY_INCLUDE that a path (relative to the root) lies in."""
    for folder in MAY_INCLUDE:
        if path.startswith(folder + "/"):
            return folder
    return None


def resolve(root, source, bracket, name):
    """The file that an #include means, relative to the root; None if it is the system's."""
    tries = [os.path.join("include", name), name]
    if bracket == '"':
        tries.insert(0, os.path.join(os.path.dirname(source), name))
    for path in tries:
        if os.path.isfile(os.path.join(root, path)):
            return os.path.normpath(path)
    return None


def complaint(root, source, bracket, name):
    """What is wrong with one #include, or None."""
    here = folder_of(source)
    target = resolve(root, source, bracket, name)
    if target:
        there = folder_of(target)
        if there is None:
            return f"includes {target}, which lies in no layer"
        if there != here and there not in MAY_INCLUDE[here]:
            return f"includes {target}, but {here} must not include {there}"
        return None
    if bracket == '"' or name.startswith("weir/"):
        return f"includes {name}, which does not exist"
    if here in ONLY_LIBC and not LIBC.fullmatch(name):
        return f"includes <{name}>, but {here} includes only <weir/...> and the C library"
    if here == "progress" and NOT_IN_PROGRESS.fullmatch(name):
        return f"includes <{name}>, but progress has no thread, no I/O and no clock"
    return None


def sources(root):
    for folder in MAY_INCLUDE:
        for at, folders, names in os.walk(os.path.join(root, folder)):
            folders.sort()
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(at, name), root)


def check(root):
    """All complaints about the tree, as lines."""
    found = []
    for source in sources(root):
        with open(os.path.join(root, source), encoding="utf-8") as file:
            text = COMMENT.sub(blank, file.read())
        for match in INCLUDE.finditer(text):
            problem = complaint(root, source, match[1], match[2])
            if problem:
                line = text.count("\n", 0, match.start(1)) + 1
                found.append(f"{source}:{line}: {problem}")
    return found


# File -> its text; a line that ends in BAD is one that must be found.
PLANTED = {
    "include/weir/weir.h": "#include <stdint.h>\n#include <urcu-qsbr.h> BAD\n"
                           "#include <weir/row.h>\n#include <weir/gone.h> BAD\n",
    "include/weir/row.h": '#include "base/vec.h" BAD\n',
    "base/vec.h": '#include <weir/weir.h>\n#include "../runtime/worker.h" BAD\n',
    "base/vec.c": '#include "vec.h"\n/* #include "runtime/worker.h" */\n#include "none.h" BAD\n',
    "progress/tracker.c": '#include "base/vec.h"\n#include "proto/frame.h" BAD\n'
                          "#include <time.h> BAD\n#include <sys/mman.h> BAD\n#include <stdio.h>\n",
    "proto/frame.h": '/* two\n lines */ #include "progress/tracker.h" BAD\n',
    "progress/tracker.h": "",
    "net/session.c": '#include "proto/frame.h"\n  # include "runtime/worker.h" BAD\n',
    "runtime/worker.h": '#include "net/session.h"\n#include "progress/tracker.h"\n'
                        '#include "operators/stream/map.h" BAD\n#include <urcu-qsbr.h>\n',
    "net/session.h": "",
    "operators/stream/map.h": '#include "runtime/worker.h"\n#include "tests/support/x.h" BAD\n',
    "tests/support/x.h": '#include "operators/stream/map.h"\n#include <check.h>\n'
                         '#include "tools/weir/main.h" BAD\n',
    "tools/weir/main.h": '#include "runtime/worker.h"\n',
    "examples/hello.c": '#include <weir/weir.h>\n#include <stdio.h>\n'
                        '#include <xxhash.h> BAD\n'
                        '#include "../base/vec.h" BAD\n',
}


def self_test():
    with tempfile.TemporaryDirectory() as root:
        expected = set()
        for path, text in PLANTED.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text.replace(" BAD", ""))
            for number, line in enumerate(text.splitlines(), 1):
                if line.endswith(" BAD"):
                    expected.add(f"{path}:{number}")
        found = {":".join(line.split(":")[:2]) for line in check(root)}
    for missed in sorted(expected - found):
        print(f"not found: {missed}")
    for wrong in sorted(found - expected):
        print(f"found without reason: {wrong}")
    return expected == found


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--self-test":
        sys.exit(0 if self_test() else 1)
    found = check(sys.argv[1])
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


main()
