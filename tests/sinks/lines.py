#!/usr/bin/env python3
"""Rows that weir prints as CSV and JSON lines, read by Python's own modules, which say what
the formats are.

    lines.py        SEED in the environment repeats a run
"""
import csv
import io
import json
import math
import os
import random
import struct
import subprocess
import tempfile

PROGRAM = os.environ["WEIR_SINKS_PROGRAM"]
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))
NAMES = list("abcdefghijk")


def text(chance):
    pool = [b",", b'"', b"\n", b"\r", b"\t", b"\\", b"\0", b"\x1f", b"\x7f", b" ", b"a", b"bc",
            "\u00e9".encode(), "\u20ac".encode(), "\U0001f600".encode(), b"\x80", b"\xff",
            b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x82", b"\xf0\x9f\x98", b"\xf4\x90\x80\x80"]
    length = chance.choice([0, 1, 3, 12, 13, 40, 5000])
    if chance.random() < 0.3:
        return bytes(chance.choice(b"abcdefgh") for _ in range(length))
    return b"".join(chance.choice(pool) for _ in range(length))


def number(chance):
    return chance.choice([0.0, -0.0, 1.0, 0.1, 1e300, 5e-324, math.inf, -math.inf, math.nan,
                          chance.random(), chance.randrange(1 << 60) / 1000.0,
                          struct.unpack("d", struct.pack("Q", chance.randrange(0x7FF << 52)))[0]])


def narrow(value):
    try:
        return struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.inf


def a_row(chance):
    whole = chance.choice([0, -1, 2**53 + 1, -2**63, 2**63 - 1, chance.randrange(-10**6, 10**6)])
    return {"a": whole, "b": chance.randrange(256), "c": number(chance),
            "d": narrow(number(chance)), "e": chance.random() < 0.5, "f": text(chance),
            "g": text(chance), "h": bytes(chance.randrange(256) for _ in range(3)),
            "i": [chance.randrange(-32768, 32768) for _ in range(2)],
            "j": [[narrow(number(chance)) for _ in range(2)] for _ in range(2)],
            "k": chance.randrange(-2**63, 2**63)}


def word(value):
    """A value as TSV has it."""
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, float):
        return b"nan" if math.isnan(value) else repr(value).encode()
    if isinstance(value, list):
        return b"[" + b",".join(word(v) for v in value) + b"]"
    return str(value).encode()


def tsv(row):
    escaped = row["f"].replace(b"\\", b"\\\\").replace(b"\t", b"\\t")
    escaped = escaped.replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return b"\t".join(escaped if n == "f" else row[n].hex().encode() if n in "gh"
                      else word(row[n]) for n in NAMES)


def run(path, *args):
    done = subprocess.run([PROGRAM, "--unsorted", *args, "lines", path], stdout=subprocess.PIPE,
                          check=True)
    return done.stdout


def same(given, expected):
    """Numbers may be words (of infinities and NaNs) or be in decimal."""
    if isinstance(expected, list):
        return len(given) == len(expected) and all(map(same, given, expected))
    if isinstance(expected, float):
        value = float(given)
        return (math.isnan(value) and math.isnan(expected)) or \
            struct.pack("d", value) == struct.pack("d", expected)
    return type(given) is type(expected) and given == expected


def floats(values):
    """Of f32: the decimal is the shortest that reads back as f32."""
    return [floats(v) for v in values] if isinstance(values, list) else narrow(float(values))


def check_json(output, rows, diffs):
    lines = output.decode("utf-8").split("\n")  # all of it is UTF-8
    assert lines.pop() == "" and len(lines) == len(rows), (len(lines), len(rows))
    for line, row in zip(lines, rows):
        got = json.loads(line, parse_constant=lambda c: (_ for _ in ()).throw(ValueError(c)))
        assert list(got) == (["diff"] if diffs else []) + NAMES, line
        assert not diffs or got.pop("diff") == 1
        for name in "abek":
            assert same(got[name], row[name]), (name, got[name], row[name])
        assert same(got["c"], row["c"]) and same(got["i"], row["i"]), line
        assert same(floats(got["d"]), row["d"]) and same(floats(got["j"]), row["j"]), line
        assert got["f"] == row["f"].decode("utf-8", errors="replace"), (got["f"], row["f"])
        assert got["g"] == row["g"].hex() and got["h"] == row["h"].hex(), line


def check_csv(output, rows, header, diffs):
    # Bytes as Latin-1, so that any of them is a character. Python's csv does not like NUL.
    given = io.StringIO(output.decode("latin-1").replace("\0", "\u1234"), newline="")
    lines = list(csv.reader(given, strict=True))
    names = (["diff"] if diffs else []) + NAMES
    if header:
        assert lines.pop(0) == names
    assert len(lines) == len(rows), (len(lines), len(rows))
    for line, row in zip(lines, rows):
        got = dict(zip(names, line))
        assert len(line) == len(names) and got.get("diff", "1") == "1", line
        assert got["f"].replace("\u1234", "\0").encode("latin-1") == row["f"], (got, row)
        assert int(got["a"]) == row["a"] and int(got["b"]) == row["b"], line
        assert int(got["k"]) == row["k"] and got["e"] == str(row["e"]).lower(), line
        assert same(got["c"], row["c"]) and same(floats(got["d"]), row["d"]), line
        assert got["g"] == row["g"].hex() and got["h"] == row["h"].hex(), line
        assert json.loads(got["i"]) == row["i"], line


def main():
    print(f"SEED={SEED}")
    chance = random.Random(SEED)
    rows = [a_row(chance) for _ in range(400)]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rows.tsv")
        with open(path, "wb") as file:
            file.write(b"".join(tsv(row) + b"\n" for row in rows))
        check_json(run(path, "--format", "json"), rows, False)
        check_json(run(path, "--format", "json", "--diffs", "--header"), rows, True)
        check_csv(run(path, "--format", "csv"), rows, False, False)
        check_csv(run(path, "--format", "csv", "--header", "--diffs"), rows, True, True)
        back = os.path.join(folder, "back.tsv")
        with open(back, "wb") as file:
            file.write(run(path, "--format", "tsv"))
        assert run(back, "--format", "tsv") == run(path, "--format", "tsv")
        sorted_once = subprocess.run([PROGRAM, "lines", path], stdout=subprocess.PIPE, check=True)
        sorted_by_4 = subprocess.run([PROGRAM, "-w", "4", "lines", path],
                                     stdout=subprocess.PIPE, check=True)
        assert sorted_once.stdout == sorted_by_4.stdout and len(sorted_once.stdout) > 0


main()
