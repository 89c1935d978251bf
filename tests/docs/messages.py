#!/usr/bin/env python3
"""Checks that the messages explained in docs are messages of the library and of its command.

Each line of a block "text message", without the words in front that say where, or who, must be
what one of the format strings in the library's sources can print. So a message that is reworded
there, but not on the page, is found. Wants WEIR_SOURCE.
"""
import os
import re
import sys

SOURCE = os.environ["WEIR_SOURCE"]
PAGES = ["docs/errors.md", "docs/operations.md"]
FOLDERS = ["base", "progress", "net", "runtime", "operators", "tools/weir"]
MIN_FIXED = 12  # characters of a format that are not arguments
WHERE = re.compile(r"(weir launch: |worker \d+: |process \d+ \(\S+\): )?"
                   r"(dataflow `\w+`(, operator \d+ `\w+`)?: )?"
                   r"(read_rows: )?(`[\w.]+\.\w+`: |[\w.]+:\d+: )?")

# Or a string, which may look like one: "tcp://".
COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*")|/\*.*?\*/|//[^\n]*', re.S)
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
# Literals next to each other are one string; a macro between them (PRIu64) is an argument.
STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"(?:(?:\s|\\\n|PRI\w+)*"(?:[^"\\\n]|\\.)*")*')
ARGUMENT = re.compile(r"%[-+ #0]*\d*(?:\.(?:\d+|\*))?(?:hh|h|ll|l|z|j|t)?[a-zA-Z]|%(?=\0|\Z)")


def formats(text):
    """Every string in a C file, with \\0 where a macro stood between its parts."""
    for found in STRING.finditer(COMMENT.sub(lambda found: found[1] or " ", text)):
        parts = LITERAL.findall(found[0])
        joined = "" if not parts else parts[0]
        gaps = re.split(r'"(?:[^"\\\n]|\\.)*"', found[0])[1:-1]
        for gap, part in zip(gaps, parts[1:]):
            joined += ("\0" if "PRI" in gap else "") + part
        yield joined.replace('\\"', '"').replace("\\\\", "\\").replace("\\n", "")


def pattern_of(text):
    """A pattern for what the format prints, or None if it says only where, or too little."""
    if WHERE.fullmatch(text.removesuffix("%s").replace("%s", "x").replace("%u", "0")):
        return None
    fixed = [part.strip("\0") for part in ARGUMENT.split(text)]
    if sum(len(part) for part in fixed) < MIN_FIXED:
        return None
    return re.compile(".*".join(re.escape(part) for part in fixed))


def is_known(message, patterns):
    """Whether a format prints the message, or what is left of it without where it was."""
    where = WHERE.match(message)
    rests = [message, message[where.end(1):] if where[1] else message, message[where.end():]]
    return any(pattern.fullmatch(rest) for pattern in patterns for rest in rests)


def messages_on(page):
    inside = False
    for number, line in enumerate(page.split("\n"), 1):
        if line.startswith("```"):
            inside = line == "```text message"
        elif inside:
            yield number, line


def main():
    patterns = []
    for folder in FOLDERS:
        for at, _, names in os.walk(os.path.join(SOURCE, folder)):
            for name in names:
                if name.endswith(".c"):
                    with open(os.path.join(at, name), encoding="utf-8") as file:
                        patterns += filter(None, map(pattern_of, formats(file.read())))
    failed = False
    for page in PAGES:
        with open(os.path.join(SOURCE, page), encoding="utf-8") as file:
            messages = list(messages_on(file.read()))
        unknown = [at for at in messages if not is_known(at[1], patterns)]
        for number, message in unknown:
            print(f"{page}:{number}: nobody says this: {message}")
        print(f"{page}: {len(messages)} messages")
        failed |= bool(unknown) or not messages
    sys.exit(1 if failed else 0)


main()
