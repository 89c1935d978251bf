#!/usr/bin/env python3
"""Compiles and runs the code of the documentation.

    blocks.py [PAGE.md]...    these pages; otherwise README.md and docs/*.md

What a fenced block is follows from the words after its fence:

    c              A program. Its first line names it, "/* hello.c: ..."; without a name it
                   is ./program. Compiled with warnings as errors, in a directory of the
                   page. Something after it on the page must run it.
    c in CONTEXT   A piece of a program: stands for the line `BLOCK` of contexts/CONTEXT.c,
                   and is compiled there.
    text prints    What the program before it prints, standard error included.
    console        Lines that begin with "$ " are run by bash in the page's directory; what
                   follows each of them is what it prints, standard error included.

Other blocks are left alone. Wants WEIR_SOURCE, CC, WEIR_CFLAGS and WEIR_LIBS, as the tests
set them. Each complaint names the page and the line; the status is 1 if there was one.
"""
import concurrent.futures
import difflib
import glob
import os
import re
import subprocess
import sys
import tempfile

SOURCE = os.environ["WEIR_SOURCE"]
CC = os.environ["CC"].split()
CFLAGS = os.environ["WEIR_CFLAGS"].split() + ["-Wall", "-Wextra", "-Werror"]
LIBS = os.environ["WEIR_LIBS"].split()
CONTEXTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "contexts")
TIMEOUT_S = 60

FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})\s*([^`]*)$")
# What the address sanitizer says of every program that switches stacks.
NOISE = re.compile(r"^==\d+==WARNING: ASan doesn't fully support makecontext.*\n", re.M)
NAME = re.compile(r"\A/\* (\w+)\.c\b")


class Block:
    """A fenced block: the words after the fence, its lines, and where it is."""

    def __init__(self, page, line, info):
        self.page, self.line, self.info = page, line, info.split()
        self.lines = []

    def text(self):
        return "".join(line + "\n" for line in self.lines)

    def place(self, offset=0):
        return f"{os.path.relpath(self.page, SOURCE)}:{self.line + offset}"


def blocks_of(page):
    with open(page, encoding="utf-8") as file:
        lines = file.read().split("\n")
    block, fence = None, ""
    for number, line in enumerate(lines, 1):
        found = FENCE.match(line)
        if block is None and found:
            block, fence = Block(page, number, found[2]), found[1]
        elif block is not None and line.strip() == fence:
            yield block
            block = None
        elif block is not None:
            block.lines.append(line)
    if block is not None:
        sys.exit(f"{block.place()}: this block has no end")


# ---- compiling ------------------------------------------------------------------------


def source_of(block):
    """The block as a C file, in which the compiler sees the page's line numbers."""
    here = f'#line {block.line + 1} "{os.path.relpath(block.page, SOURCE)}"\n'
    if block.info[1:2] != ["in"]:
        return here + block.text()
    path = os.path.join(CONTEXTS, block.info[2] + ".c")
    with open(path, encoding="utf-8") as file:
        before, marker, after = file.read().partition("BLOCK\n")
    if not marker:
        sys.exit(f"{path}: has no line BLOCK")
    back = before.count("\n") + 2
    return f'{before}{here}{block.text()}#line {back} "{path}"\n{after}'


def program_of(block):
    """The name of the program that the block is, or None for a piece."""
    if block.info != ["c"]:
        return None
    named = NAME.match(block.text())
    return named[1] if named else "program"


def compile_block(block, folder):
    """Returns a complaint, or None."""
    program = program_of(block)
    if not program and (len(block.info) != 3 or block.info[1] != "in"):
        return f"{block.place()}: `{' '.join(block.info)}` is neither `c` nor `c in CONTEXT`"
    source = os.path.join(folder, f"{program or 'piece'}_{block.line}.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write(source_of(block))
    if program:
        how = [source, "-o", os.path.join(folder, program)] + LIBS
    else:
        how = ["-Wno-unused", "-Wno-unused-parameter", "-fsyntax-only", source]
    done = subprocess.run(CC + CFLAGS + how, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    return f"{block.place()}: does not compile\n{done.stderr}"


# ---- running --------------------------------------------------------------------------


def run(command, expected, place, folder):
    """Returns a complaint, or None."""
    try:
        done = subprocess.run(["bash", "-c", command], cwd=folder, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"{place}: `{command}` does not end within {TIMEOUT_S} s"
    printed = NOISE.sub("", done.stdout)
    if printed == expected:
        return None
    diff = difflib.unified_diff(expected.splitlines(), printed.splitlines(), "the page",
                                "the program", lineterm="")
    return f"{place}: `{command}` prints something else\n" + "\n".join(diff) + "\n"


def session_of(block):
    """The commands of a console block: (command, expected output, line in the block)."""
    commands = []
    for number, line in enumerate(block.lines, 1):
        if line.startswith("$ "):
            commands.append([line[2:], "", number])
        elif commands:
            commands[-1][1] += line + "\n"
        else:
            sys.exit(f"{block.place()}: a console block begins with `$ `")
    return commands


def check_page(page, pool):
    complaints = []
    blocks = list(blocks_of(page))
    code = [block for block in blocks if block.info[:1] == ["c"]]
    with tempfile.TemporaryDirectory() as folder:
        complaints += filter(None, pool.map(lambda block: compile_block(block, folder), code))
        if complaints:
            return len(code), complaints
        last, not_run = None, {}
        for block in blocks:
            program = program_of(block)
            if program:
                last = program
                not_run[program] = block
            elif block.info == ["text", "prints"]:
                not_run.pop(last, None)
                complaints.append(run(f"./{last}", block.text(), block.place(), folder))
            elif block.info == ["console"]:
                for command, expected, number in session_of(block):
                    for name in re.findall(r"\./(\w+)", command):
                        not_run.pop(name, None)
                    complaints.append(run(command, expected, block.place(number), folder))
        for program, block in not_run.items():
            complaints.append(f"{block.place()}: nothing on the page runs ./{program}")
    return len(code), list(filter(None, complaints))


def main():
    pages = [os.path.abspath(page) for page in sys.argv[1:]]
    if not pages:
        pages = [os.path.join(SOURCE, "README.md")]
        pages += sorted(glob.glob(os.path.join(SOURCE, "docs", "*.md")))
    failed = False
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for page in pages:
            count, complaints = check_page(page, pool)
            print(f"{os.path.relpath(page, SOURCE)}: {count} blocks of C")
            for complaint in complaints:
                print(complaint)
                failed = True
    sys.exit(1 if failed else 0)


main()
