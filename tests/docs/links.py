#!/usr/bin/env python3
"""Checks the links between the pages: README.md and docs/*.md.

A link names a file that exists, and after a # a heading on its page. Wants WEIR_SOURCE.
"""
import glob
import os
import re
import sys

SOURCE = os.environ["WEIR_SOURCE"]
FENCED = re.compile(r"^```.*?^```$", re.S | re.M)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.M)


def anchor_of(heading):
    """As the usual Markdown viewers make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def without_code(path):
    with open(path, encoding="utf-8") as file:
        return FENCED.sub("", file.read())


def complaint(page, link):
    name, _, anchor = link.partition("#")
    target = os.path.normpath(os.path.join(os.path.dirname(page), name)) if name else page
    if not os.path.exists(target):
        return "no such file"
    if anchor and anchor not in map(anchor_of, HEADING.findall(without_code(target))):
        return "no such heading"
    return None


def main():
    failed = False
    for page in [os.path.join(SOURCE, "README.md")] + glob.glob(os.path.join(SOURCE, "docs/*.md")):
        for link in LINK.findall(without_code(page)):
            wrong = None if "://" in link else complaint(page, link)
            if wrong:
                print(f"{os.path.relpath(page, SOURCE)}: {link}: {wrong}")
                failed = True
    sys.exit(1 if failed else 0)


main()
