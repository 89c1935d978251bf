#!/usr/bin/env python3
"""Checks what a machine can about how files read; .clang-format has the layout.

    style.py ROOT    one line for each complaint

A C file starts with a comment that says what it is, has at most 600 lines (a test 800),
lines of at most 100 columns, no tabs and no space at the end of a line. Nothing is left for
later.
"""
import os
import re
import sys

LINES_MAX = 600
TEST_LINES_MAX = 800
COLUMNS_MAX = 100
FOLDERS = ["include", "base", "progress", "proto", "net", "runtime", "operators", "examples",
           "tests", "tools", "docs", "cmake"]
TEXT = (".c", ".h", ".md", ".py", ".sh", ".cmake", "CMakeLists.txt", ".rs", ".pml", ".1")
LATER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")


def complaints(path, text):
    lines = text.split("\n")
    is_c = path.endswith((".c", ".h"))
    if is_c and not text.startswith(("//", "/*")):
        yield 1, "does not start with a comment that says what the file is"
    lines_max = TEST_LINES_MAX if path.split(os.sep)[0] == "tests" else LINES_MAX
    if is_c and len(lines) > lines_max + 1:
        yield len(lines), f"is longer than {lines_max} lines"
    if not text.endswith("\n"):
        yield len(lines), "does not end with a newline"
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, "space at the end of the line"
        if is_c and "\t" in line:
            yield number, "a tab"
        if is_c and len(line) > COLUMNS_MAX:
            yield number, f"more than {COLUMNS_MAX} columns"
        if LATER.search(line):
            yield number, "something is left for later"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root = sys.argv[1]
    failed = False
    for folder in FOLDERS:
        for at, folders, names in os.walk(os.path.join(root, folder)):
            folders[:] = sorted(set(folders) - {"data", "target"})
            for name in sorted(names):
                if not name.endswith(TEXT):
                    continue
                path = os.path.join(at, name)
                with open(path, encoding="utf-8") as file:
                    for line, complaint in complaints(os.path.relpath(path, root), file.read()):
                        print(f"{os.path.relpath(path, root)}:{line}: {complaint}")
                        failed = True
    sys.exit(1 if failed else 0)


main()
