#!/usr/bin/env python3
"""`weir window` reproduces what is known of $WEIR_DATA, if that is set: every file of
git-events/expected and access-log/expected, rows that missed windows included, by one worker, by
two, and by two processes.

WEIR_DATA is a folder with git-events/ and access-log/, each with events.tsv.xz and expected/, where
KIND_SIZE[_SLIDE].B<bound>.tsv has the windows of one run (ksession: by key) and summary.tsv has, for
each, windows, rows that missed one, and pairs of a row and a window.
"""
import glob
import lzma
import os
import re
import subprocess
import sys

DATA = os.environ.get("WEIR_DATA", "")
WEIR = os.path.join(os.environ["WEIR_BUILD"], "weir")
SETS = {
    "git-events": {
        "columns": "seq:i64 commit_ts:i64 author_ts:i64 author:text nfiles:i64 top_dir:text "
                   "merge:i64",
        "time": "author_ts", "key": "author", "agg": "count,sum:nfiles"},
    "access-log": {
        "columns": "seq:i64 ts:i64 client:text method:text path:text status:i64 bytes:i64 ua:text",
        "time": "ts", "key": "client", "agg": "count,sum:bytes"},
}
WAYS = {"-w 1": [], "-w 2": [], "-w 4": [], "2 processes": ["launch", "-n", "2", "-w", "1", "--no-prefix", "--",
                                                 WEIR]}


def contents(path):
    opener = lzma.open if path.endswith(".xz") else open
    with opener(path, "rb") as file:
        return file.read()


def windows_of(name):
    """The options that say which windows a file of expected/ is about."""
    kind, *sizes = re.fullmatch(r"(\w+?)((?:_\d+)+)", name).group(1, 2)
    sizes = sizes[0].strip("_").split("_")
    return {"tumble": ["--tumble", sizes[0]], "hop": ["--hop", "/".join(sizes)],
            "session": ["--session", sizes[0]], "ksession": ["--session", sizes[0]]}[kind]


def run(way, arguments):
    command = [WEIR] + WAYS[way] + ["window"] + arguments
    if way.startswith("-w"):
        command += way.split()
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: status {done.returncode}: {done.stderr.decode()}")
    counts = dict(line.split("\t") for line in done.stderr.decode().splitlines() if "\t" in line)
    return done.stdout, counts


def cases(folder, known):
    """(what it is, options, what is expected, its line of the summary) of each file."""
    with open(os.path.join(folder, "expected", "summary.tsv"), encoding="utf-8") as file:
        lines = [line.split() for line in file]
    summary = {(line[0].replace(":", "_"), line[1]): line for line in lines}
    for path in sorted(glob.glob(os.path.join(folder, "expected", "*.tsv*"))):
        name = os.path.basename(path).split(".tsv")[0]
        common = [os.path.join(folder, "events.tsv.xz"), "--schema", known["columns"],
                  "--time", known["time"]]
        if name.startswith("distinct_"):
            # No row is late for these: the bound is beyond all of time.
            options = windows_of(name.split(".")[1]) + ["--bound", str(1 << 62), "--agg",
                                                         "count,distinct:" + known["key"]]
            yield name, common + options, contents(path), None
        elif name != "summary":
            shape, bound = name.split(".B")
            key = ["--key", known["key"]] if shape.startswith("ksession") else []
            options = windows_of(shape) + ["--bound", bound, "--agg", known["agg"]] + key
            yield name, common + options, contents(path), summary[shape, bound]


def main():
    if not os.path.isdir(os.path.join(DATA, "git-events")):
        print("WEIR_DATA names no folder with git-events: skipped")
        sys.exit(77)
    compared = failed = 0
    for name, known in SETS.items():
        for what, arguments, expected, counted in cases(os.path.join(DATA, name), known):
            for way in WAYS:
                printed, counts = run(way, arguments)
                wrong = printed != expected
                if counted:
                    wrong |= [counts["windows"], counts["missed"], counts["pairs"]] != counted[2:5]
                compared += 1
                failed += wrong
                if wrong:
                    print(f"{name} {what}, {way}: not what is expected ({counts}, {counted})")
    print(f"{compared} runs compared")
    sys.exit(1 if failed or not compared else 0)


main()
