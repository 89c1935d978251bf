#!/usr/bin/env python3
"""Checks blocks.py itself: it accepts a good page, and complains of each way to be wrong.

Wants what blocks.py wants.
"""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

GOOD = """/* good.c: prints a line. */
#include <stdio.h>
#include <weir/weir.h>

int main(int argc, char **argv)
{
    (void)argv;
    printf("%s and %d\\n", weir_version() ? "fine" : "?", argc - 1);
    return 0;
}
"""


def block(info, text):
    return f"Some words.\n\n```{info}\n{text}```\n"


# Page -> what blocks.py must say of it; None: nothing, status 0.
PAGES = {
    "good_prints": (block("c", GOOD) + block("text prints", "fine and 0\n"), None),
    "good_console": (block("c", GOOD) + block("console", "$ ./good a b\nfine and 2\n"), None),
    "good_piece": (block("c in build", "weir_print(words, stdout);\n"), None),
    "other_blocks": (block("text", "int main(\n") + block("sh", "false\n"), None),
    "wrong_output": (block("c", GOOD) + block("text prints", "fine and 1\n"), "something else"),
    "wrong_console": (block("c", GOOD) + block("console", "$ ./good a\nfine and 2\n"),
                      "something else"),
    "more_output": (block("c", GOOD) + block("console", "$ ./good; ./good\nfine and 0\n"),
                    "something else"),
    "not_run": (block("c", GOOD), "nothing on the page runs ./good"),
    "no_such_function": (block("c", GOOD.replace("weir_version()", "weir_no_such()")) +
                         block("text prints", "fine and 0\n"), "does not compile"),
    "warning": (block("c", GOOD.replace("(void)argv;", "int unused;")) +
                block("text prints", "fine and 0\n"), "does not compile"),
    "wrong_piece": (block("c in build", "weir_print(words);\n"), "does not compile"),
    "no_such_context": (block("c in nowhere", ";\n"), "nowhere"),
    "unmarked_piece": (block("c build", ";\n"), "neither"),
    "crash": (block("c", GOOD.replace("return 0", "__builtin_trap()")) +
              block("console", "$ ./good; echo $?\nfine and 0\n0\n"), "something else"),
}


def main():
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for name, (text, expected) in PAGES.items():
            page = os.path.join(folder, name + ".md")
            with open(page, "w", encoding="utf-8") as file:
                file.write(text)
            done = subprocess.run([sys.executable, os.path.join(HERE, "blocks.py"), page],
                                  capture_output=True, text=True, check=False)
            output = done.stdout + done.stderr
            right = (done.returncode != 0 and expected in output) if expected \
                else done.returncode == 0
            if not right:
                print(f"{name}: status {done.returncode}, expected "
                      f"{repr(expected) if expected else 'no complaint'}:\n{output}")
                failed = True
    sys.exit(1 if failed else 0)


main()
