#!/usr/bin/env python3
"""Rows of random nasty files, beside what Python's csv and json modules and its own numbers say of
them: TSV, CSV and JSON lines, all kinds of fields, read in pieces of random sizes by several workers,
files in parts. Which lines are no rows is compared, too, with their numbers.

    WEIR_SEED=N repeats a run.
"""
import csv
import json
import os
import random
import re
import struct
import subprocess
import tempfile

PROGRAM = os.environ["WEIR_SOURCES_PROGRAM"]
SEED = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
CASES = int(os.environ.get("WEIR_CASES", 120))
RANGES = {f"{sign}{8 * b}": ((-(1 << 8 * b - 1), (1 << 8 * b - 1) - 1) if sign == "i"
                             else (0, (1 << 8 * b) - 1)) for sign in "iu" for b in (1, 2, 4, 8)}
RANGES["time_ms"] = RANGES["time_us"] = RANGES["i64"]
KINDS = list(RANGES) + ["f32", "f64", "bool", "text", "text", "text", "bytes"]


class Bad(Exception):
    """It is no row."""


# -- values: what a text means, as the bytes of the value ---------------------------------------

def integer(kind, text):
    low, high = RANGES[kind]
    if not re.fullmatch(rb"-?[0-9]+" if low < 0 else rb"[0-9]+", text):
        raise Bad(kind)
    if not low <= int(text) <= high:
        raise Bad(kind)
    return int(text)


def real(kind, text):
    if text in (b"inf", b"-inf", b"nan"):
        return float(text)
    if not re.fullmatch(rb"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text) or \
            len(text) > 500:
        raise Bad(kind)
    value = float(text)
    if kind == "f32":
        value = to_f32(text)
    if value in (float("inf"), float("-inf")):
        raise Bad(kind)
    return value


def to_f32(text):
    """Correctly rounded: the nearest of the neighbours of the double's float, in exact arithmetic."""
    from fractions import Fraction
    exact = Fraction(text.decode())
    if abs(exact) >= Fraction(2) ** 128 - Fraction(2) ** 103:
        return float("inf") if exact > 0 else float("-inf")
    try:
        near = struct.unpack("I", struct.pack("f", float(exact)))[0]
    except OverflowError:
        near = struct.unpack("I", struct.pack("f", 3.4028234663852886e38))[0] | (exact < 0) << 31
    best = None
    for bits in (near - 1, near, near + 1):
        if not 0 <= bits < 1 << 32 or bits & 0x7f800000 == 0x7f800000:
            continue
        value = struct.unpack("f", struct.pack("I", bits))[0]
        key = (abs(Fraction(value) - exact), bits & 1)
        if best is None or key < best[0]:
            best = (key, value)
    if best[1] == 0 and text.startswith(b"-"):
        return -0.0
    return best[1]


def value_of(kind, text):
    if kind in RANGES:
        return integer(kind, text)
    if kind in ("f32", "f64"):
        return real(kind, text)
    if kind == "bool":
        if text not in (b"true", b"false", b"1", b"0"):
            raise Bad(kind)
        return text in (b"true", b"1")
    if kind == "bytes":
        if len(text) % 2 or not re.fullmatch(rb"[0-9a-fA-F]*", text):
            raise Bad(kind)
        return bytes.fromhex(text.decode())
    return text


def unescaped(text):
    if re.search(rb"\\(?![tnr\\])", re.sub(rb"\\[tnr\\]", b"", text)):
        raise Bad("escape")
    return re.sub(rb"\\(.)", lambda m: {b"t": b"\t", b"n": b"\n", b"r": b"\r"}.get(m[1], m[1]), text)


# -- what a file means: rows, and numbers of lines that are none --------------------------------

def lines_of(data):
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [line[:-1] if line.endswith(b"\r") else line for line in lines]


def row_of(kinds, fields):
    if len(fields) != len(kinds):
        raise Bad("count")
    return tuple(value_of(kind, field) for kind, field in zip(kinds, fields))


def read_tsv(kinds, data):
    rows, bad = [], []
    for number, line in enumerate(lines_of(data), 1):
        try:
            fields = line.split(b"\t")
            rows.append(row_of(kinds, [unescaped(f) if kind == "text" else f
                                       for kind, f in zip(kinds, fields)] + fields[len(kinds):]))
        except Bad:
            bad.append(number)
    return rows, bad


def read_csv(kinds, data):
    """By the csv module, whose texts are latin-1 here; for files whose quotes are right."""
    rows, bad, number = [], [], 1
    text = data.decode("latin-1")
    reader = csv.reader(iter(re.findall(r"[^\n]*\n|[^\n]+$", text)), strict=True)
    for fields in reader:
        try:
            rows.append(row_of(kinds, [f.encode("latin-1") for f in fields or [""]]))
        except Bad:
            bad.append(number)
        number = reader.line_num + 1
    return rows, bad


def no_twice(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise Bad("twice")
    return dict(pairs)


class Number(str):
    """As it is written."""


def json_value(kind, value):
    if kind in RANGES:
        if not isinstance(value, Number):
            raise Bad(kind)
        return integer(kind, value.encode())
    if kind in ("f32", "f64"):
        if isinstance(value, Number):
            return real(kind, value.encode())
        if value in ("inf", "-inf", "nan"):
            return float(value)
        raise Bad(kind)
    if kind == "bool":
        if not isinstance(value, bool):
            raise Bad(kind)
        return value
    if not isinstance(value, str) or isinstance(value, Number):
        raise Bad(kind)
    text = value.encode("utf-8")
    return value_of(kind, text) if kind == "bytes" else text


def read_json(kinds, data):
    rows, bad = [], []
    for number, line in enumerate(lines_of(data), 1):
        try:
            if not line.strip(b" \t\r"):
                continue
            found = json.loads(line.decode("utf-8"), parse_int=Number, parse_float=Number,
                               parse_constant=lambda _: no_twice([(1, 1), (1, 1)]),
                               object_pairs_hook=no_twice)
            if not isinstance(found, dict) or set(found) != {f"c{i}" for i in range(len(kinds))}:
                raise Bad("members")
            rows.append(tuple(json_value(kind, found[f"c{i}"]) for i, kind in enumerate(kinds)))
        except (Bad, ValueError):
            bad.append(number)
    return rows, bad


# -- random files -------------------------------------------------------------------------------

def random_integer():
    edge = random.choice([0, 1, 9, 10, 99, 127, 128, 255, 256, 32767, 65536, 1 << 31, 1 << 32,
                          10 ** random.randrange(22), 1 << 63, 1 << 64, random.getrandbits(64)])
    text = str(random.choice([1, 1, -1]) * (edge + random.choice([-1, 0, 0, 1])))
    if random.random() < 0.1:
        text = random.choice(["+" + text, "0" * random.randrange(12) + text, text + " ", text + "x",
                              "", "-", text[:1] + "\0" + text[1:], "--1", "1-", ":"])
    return text.encode()


def random_real():
    kind = random.randrange(8)
    if kind == 0:
        return random_integer()
    if kind == 1:
        return repr(struct.unpack("d", random.randbytes(8))[0]).encode()
    if kind == 2:
        return repr(struct.unpack("f", random.randbytes(4))[0]).encode()
    if kind == 3:
        return random.choice([b"inf", b"-inf", b"nan", b"1e400", b"-1e400", b"1e-400", b".5", b"5.",
                              b".", b"e1", b"1e", b"1e+", b"+1", b"0x1p3", b"1_0", b"-0", b"-0.0",
                              b"9007199254740993", b"16777217", b"1e22", b"1e23", b"3.4028236e38"])
    return f"{random.choice(['', '-'])}{random.getrandbits(random.choice([4, 20, 60, 70]))}." \
           f"{random.getrandbits(random.choice([1, 20, 60]))}" \
           f"{random.choice(['', 'e' + str(random.randrange(-40, 40))])}".encode()


def random_text():
    length = random.choice([0, 1, 3, 4, 5, 8, 11, 12, 13, 14, 16, 17, 30, 63, 64, 65, 200])
    if random.random() < 0.3:
        return bytes(random.choice(b'ab,"\\\t\n\r\0\xe9{}:\'') for _ in range(length))
    return bytes(random.choice(b"abcdefgh XYZ_0189-") for _ in range(length))


def random_value(kind):
    if kind in RANGES:
        return random_integer() if random.random() < 0.5 else \
            str(random.randrange(min(128, RANGES[kind][1]))).encode()
    if kind in ("f32", "f64"):
        return random_real()
    if kind == "bool":
        return random.choice([b"true", b"false", b"1", b"0", b"0", b"True", b""])
    if kind == "bytes":
        return random.choice([b"", b"00", b"c0ffee", random.randbytes(random.randrange(20)).hex().encode(),
                              b"0", b"0g"])
    return random_text()


def csv_field(value):
    if re.search(rb'[,"\n\r]', value) or random.random() < 0.1:
        return b'"' + value.replace(b'"', b'""') + b'"'
    return value


def tsv_field(value):
    value = value.replace(b"\\", b"\\\\").replace(b"\t", b"\\t").replace(b"\n", b"\\n")
    value = value.replace(b"\r", b"\\r")
    return value + (b"\\x" if random.random() < 0.01 else b"")


def json_text(value):
    return json.dumps(value.decode("latin-1"), ensure_ascii=random.random() < 0.5).encode()


def json_field(kind, value):
    if random.random() < 0.02:
        return random.choice([b"null", b"[1]", b"{}", b'"1"', b"1.0", b"1e2", b"tru", b"", b"[[{}]]"])
    if kind in ("text", "bytes"):
        return json_text(value)
    if kind in ("f32", "f64") and re.search(rb"[a-df-z]", value):
        return json_text(value)
    if kind == "bool":
        return {b"1": b"true", b"0": b"false"}.get(value, value)
    return value


json_order = []  # of members, which some lines have, and those behind them


def random_line(form, kinds):
    values = [random_value(kind) for kind in kinds]
    if form == "json":
        names = json_order[:len(kinds)] if len(json_order) == len(kinds) else list(range(len(kinds)))
        if random.random() < 0.2:
            random.shuffle(names)
            json_order[:] = names
        if random.random() < 0.03:
            names = random.choice([names[1:], names + names[:1], names + [99], names[1:] + names[-1:],
                                   names[:1] + names[:-1]])
        pairs = [b'"c%d"%s:%s' % (i, random.choice([b"", b" "]),
                                  json_field(kinds[i], values[i]) if i < len(kinds) else b"1")
                 for i in names]
        line = b"{" + random.choice([b",", b", "]).join(pairs) + b"}"
        if random.random() < 0.03:
            line = random.choice([b"", b" ", b"5", b"[]", line + line, line[:-1], line + b"x", b'"'])
        return line
    if random.random() < 0.03:
        values = random.choice([values[1:], values + [b"1"], []])
    if form == "csv":
        return b",".join(map(csv_field, values))
    return b"\t".join(map(tsv_field, values))


def random_file(form, kinds):
    ends = random.choice([[b"\n"], [b"\r\n"], [b"\n", b"\r\n"]])
    data = b"".join(random_line(form, kinds) + random.choice(ends)
                    for _ in range(random.choice([0, 1, 3, 30, 200])))
    if random.random() < 0.3:
        data = data[:-1].removesuffix(b"\r")
    return data


# -- what the program says ----------------------------------------------------------------------

def once(text):
    return re.sub(rb"\\(.)", lambda m: {b"t": b"\t", b"n": b"\n", b"r": b"\r"}.get(m[1], m[1]), text)


def printed(path, kinds, arguments):
    schema = " ".join(f"c{i}:{kind}" for i, kind in enumerate(kinds))
    done = subprocess.run([PROGRAM, "--schema", schema, path, *arguments], capture_output=True,
                          check=False, timeout=100)
    if done.returncode != 0:
        raise SystemExit(f"{arguments}: {done.stderr.decode()}")
    rows, bad = [], []
    for line in done.stdout.split(b"\n")[:-1]:
        times = re.match(rb"\+([0-9]+)\t", line)
        text = once(line[times.end():] if times else line)
        fields = text.split(b"\t")
        for _ in range(int(times[1]) if times else 1):
            if fields[0] == b"bad":
                bad.append(int(re.search(rb"file\.txt:([0-9]+): ", text)[1]) if b"line " not in
                           text.split(b": ")[0] else None)
            else:
                rows.append(tuple(value_of(kind, once(f) if kind == "text" else f)
                                  for kind, f in zip(kinds, fields)))
    return rows, bad


def canonical(rows):
    """With floats as their bits, and NaNs alike."""
    return sorted(repr(tuple(struct.pack("d", v).hex() if isinstance(v, float) else v for v in row))
                  for row in rows)


def main():
    print(f"WEIR_SEED={SEED}")
    random.seed(SEED)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file.txt")
        for case in range(CASES):
            form = random.choice(["tsv", "csv", "json"])
            kinds = [random.choice(KINDS) for _ in range(random.randrange(1, 7))]
            data = random_file(form, kinds)
            if form == "csv":
                # To the csv module a lone carriage return is an end of line, a NUL an error.
                data = re.sub(rb"\r(?!\n)", b".", data).replace(b"\0", b"0")
            with open(path, "wb") as file:
                file.write(data)
            rows, bad = {"tsv": read_tsv, "csv": read_csv, "json": read_json}[form](kinds, data)
            ways = ["--read-bytes", str(random.choice([1, 2, 7, 64, 100, 1000, 65536])),
                    "-w", str(random.choice([1, 2, 4])), "--format", form,
                    "--batch-rows", str(random.choice([1, 2, 5, 1000]))]
            split = form != "csv" and random.random() < 0.4
            got_rows, got_bad = printed(path, kinds, ways + ["--split"] * split)
            if canonical(got_rows) != canonical(rows) or \
                    (len(got_bad) != len(bad) if split else sorted(got_bad) != bad):
                with open("sources-input", "wb") as file:
                    file.write(data)
                raise SystemExit(
                    f"case {case}: {form} {kinds} {ways} split {split}: not what is expected:\n"
                    f"missing {sorted(set(canonical(rows)) - set(canonical(got_rows)))[:3]}\n"
                    f"too many {sorted(set(canonical(got_rows)) - set(canonical(rows)))[:3]}\n"
                    f"bad {sorted(b for b in got_bad if b)[:20]} for {bad[:20]}; the file is in "
                    "sources-input")
    print(f"{CASES} files compared")


main()
