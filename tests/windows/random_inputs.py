#!/usr/bin/env python3
"""`weir window` against a naive reading, as in random_files.py, of what its manual page says beside
windows of one tab-separated file: several files with a watermark each, CSV and JSON lines, names in
the first line with and without a schema, windows of a number of rows, all aggregates, several key
columns and texts of any kind, JSON as output, --late, lines that are no rows, clusters."""
import csv
import io
import json
import math
import os
import random
import statistics
import subprocess
import tempfile
import unittest

from random_files import LEAST, SEED, WEIR, Naive, draw_options, draw_rows, saturated, words_of

CASES = int(os.environ.get("WINDOWS_CASES", 100))
COLUMNS = (("at", "i64"), ("user", "text"), ("place", "text"), ("ms", "i64"), ("x", "f64"),
           ("ok", "bool"))
PLAIN = ("ann", "bob", "Zoé", "a user whose name is longer than what a text keeps in place")
TOUGH = PLAIN + ("", "tab\tbed", "two\nlines", "back\\slash", "\\n", "com,ma", 'quo"ted', '"', " ",
                 "carriage\rreturn", "\\", "x" * 3000, "日本")
AGGREGATES = ("count", "sum:ms", "sum:x", "min:ms", "max:x", "avg:ms", "avg:x", "distinct:user",
              "distinct:ms", "approx_distinct:place", "approx_distinct:ms", "first:user", "last:ms",
              "first:x", "last:place", "top3:ms", "top1:x", "median:x", "p90:ms", "p99.9:x",
              "p5:ms", "variance:x", "stddev:ms")
NUMBERS = ("avg", "sum", "min", "max", "median", "variance", "stddev")


class Row:
    def __init__(self, at, texts):
        self.at, self.user, self.place = at, random.choice(texts), random.choice(texts)
        self.ms, self.x = random.randint(-50, 50), random.randint(-400, 400) / 4
        self.ok = random.random() < 0.5
        self.stamp, self.where = LEAST, (0, 0)


def quantile(values, part):
    return sorted(values)[max(0, math.ceil(part * len(values) - 1e-9) - 1)]


def aggregate(name, rows):
    kind, _, column = name.partition(":")
    if kind == "count":
        return len(rows)
    values = [getattr(row, column) for row in rows]
    if kind.startswith("top"):
        return sorted(values, reverse=True)[:int(kind[3:])]
    if kind.startswith("p"):
        return quantile(values, float(kind[1:]) / 100)
    ordered = sorted(rows, key=lambda row: (row.at, row.where))
    return {"sum": sum, "min": min, "max": max, "avg": statistics.fmean,
            "distinct": lambda all_of: len(set(all_of)),
            "approx_distinct": lambda all_of: len(set(all_of)),
            "first": lambda _: getattr(ordered[0], column),
            "last": lambda _: getattr(ordered[-1], column),
            "median": lambda all_of: quantile(all_of, 0.5),
            "variance": statistics.pvariance, "stddev": statistics.pstdev}[kind](values)


def same(name, printed, expected):
    kind, _, column = name.partition(":")
    if kind.startswith("top"):
        return [float(part) for part in printed.split(",")] == expected
    if kind == "median" or kind[0] == "p":
        return abs(float(printed) - expected) <= 0.0100001 * abs(expected)
    if kind in NUMBERS or column == "x":
        return math.isclose(float(printed), expected, rel_tol=1e-9, abs_tol=1e-7)
    return str(printed) == str(expected)


def escaped(text):
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def field(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


class Case:
    """What is drawn, and the command made of it."""

    def __init__(self, folder, number):
        self.folder, self.number = folder, number
        self.format = random.choice(("tsv", "csv", "json"))
        self.header = random.choice(("none", "all", "no schema")) if self.format != "json" else ""
        self.counted = random.random() < 0.3
        self.options = draw_options()
        self.rows_each, self.rows_slide = random.randint(1, 8), 0
        self.rows_slide = random.choice((self.rows_each, random.randint(1, self.rows_each)))
        self.bound = self.options[3]
        self.keys = random.choice(([], ["user"], ["place", "user"], ["ms"], ["ok", "ms"], ["x"]))
        self.aggs = random.sample(AGGREGATES, random.randint(1, 6))
        self.json = random.random() < 0.3
        self.end = random.choice(("\n", "\n", "\r\n"))
        texts = PLAIN if self.header == "no schema" else TOUGH
        self.columns = list(COLUMNS)
        if self.header == "all":
            random.shuffle(self.columns)
        self.files = [[Row(at, texts) for at, _, _ in draw_rows()]
                      for _ in range(random.choice((1, 1, 1, 2, 3)))]
        if self.header == "no schema":
            self.files = [rows or [Row(0, texts)] for rows in self.files]
            self.keys = [key for key in self.keys if key != "ok"]
        self.malformed = 0
        self.stamps()

    def stamps(self):
        for index, rows in enumerate(self.files):
            stamp = LEAST
            for line, row in enumerate(rows):
                row.stamp, row.where = stamp, (index, line)
                stamp = max(stamp, saturated(row.at - self.bound))

    def line(self, row):
        values = [getattr(row, name) for name, _ in self.columns]
        if self.format == "json":
            members = list(zip((name for name, _ in self.columns), values))
            random.shuffle(members)
            if random.random() < 0.2:
                members.insert(0, ("other", {"user": [1, {"at": "}\""}]}))
            return json.dumps(dict(members), ensure_ascii=random.random() < 0.5)
        if self.format == "csv":
            out = io.StringIO()
            quoting = random.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
            csv.writer(out, quoting=quoting, lineterminator="\r\n").writerow(
                map(field, values))
            return out.getvalue()[:-2]
        return "\t".join(escaped(field(value)) for value in values)

    def bad_line(self):
        self.malformed += 1
        if self.format == "json":
            return random.choice(('{"at": 1', "[]", '{"at": "no"}', "nonsense"))
        between = "\t" if self.format == "tsv" else ","
        return random.choice(("nonsense", between.join(["no number"] * 6),
                              between.join(["1" * 40 if name == "at" else "1"
                                            for name, _ in self.columns])))

    def write(self):
        paths = []
        for index, rows in enumerate(self.files):
            name = {"tsv": "tsv", "csv": "csv", "json": "jsonl"}[self.format]
            paths.append(os.path.join(self.folder, f"{self.number}-{index}.{name}"))
            lines = [self.line(row) for row in rows]
            for _ in range(random.choice((0, 0, 0, 1, 3))):
                lines.insert(random.randint(min(1, len(lines)), len(lines)), self.bad_line())
            if self.header in ("all", "no schema"):
                between = "\t" if self.format == "tsv" else ","
                lines.insert(0, between.join(name for name, _ in self.columns))
            text = self.end.join(lines) + (self.end if lines and random.random() < 0.7 else "")
            with open(paths[-1], "w", encoding="utf-8", newline="") as file:
                file.write(text)
        return paths

    def words(self, paths):
        kind = words_of(self.options)
        if self.counted:
            slide = "" if self.rows_slide == self.rows_each else f"/{self.rows_slide}"
            kind = ["--count", f"{self.rows_each}{slide}", "--bound", str(self.bound)]
        schema = " ".join(f"{name}:{kind}" for name, kind in COLUMNS)
        return [*paths, "--time", "at", *kind, "--agg", ",".join(self.aggs),
                *([] if self.header == "no schema" else ["--schema", schema]),
                *(["--key", ",".join(self.keys)] if self.keys else []),
                *(["--json"] if self.json else [])]

    def expected(self):
        rows = sorted((row for rows in self.files for row in rows),
                      key=lambda row: (row.stamp, row.where))
        naive = Naive(self.options)
        naive.rows_late = []
        by_key = {}
        for row in rows:
            by = tuple(getattr(row, key) for key in self.keys)
            if self.counted:
                by_key.setdefault(by, []).append(row)
                continue
            naive.stamp, late = row.stamp, naive.late
            naive.add(row.at, None, row, by)
            naive.rows_late += [row] if naive.late > late else []
        windows = [(window.start, saturated(window.last + 1), by,
                    [row for row, _ in window.values])
                   for by, all_of in naive.windows.items() for window in all_of]
        for by, mine in by_key.items():
            windows += [(start, start + self.rows_each, by, mine[start:start + self.rows_each])
                        for start in range(0, len(mine) - self.rows_each + 1, self.rows_slide)]
        windows.sort(key=lambda window: (*window[:2], tuple(
            part.encode() if isinstance(part, str) else part for part in window[2])))
        counts = {"rows": len(rows), "malformed": self.malformed, "late": naive.late,
                  "missed": naive.missed, "pairs": naive.pairs, "windows": len(windows)}
        return windows, counts, naive.rows_late

    def late_line(self, row):
        values = [escaped(field(getattr(row, name))) for name, _ in self.schema_order()]
        return "\t".join(values + ([str(row.where[0])] if len(self.files) > 1 else []))

    def schema_order(self):
        return self.columns if self.header == "no schema" else COLUMNS


def read_json(case, text):
    lines = []
    for line in text.splitlines():
        members = json.loads(line)
        assert list(members) == ["start", "end", *case.keys,
                                 *(agg.replace(":", "_") for agg in case.aggs)], members
        lines.append(list(members.values()))
    return lines


class RandomInputs(unittest.TestCase):
    maxDiff = None

    def check_lines(self, case, text, windows, told):
        lines = read_json(case, text) if case.json else \
            [line.split("\t") for line in text.split("\n")[:-1]]
        self.assertEqual(len(lines), len(windows), told)
        for line, (start, end, by, rows) in zip(lines, windows):
            head = [str(part) for part in line[:2]] + line[2:2 + len(by)]
            key = list(by) if case.json else [escaped(field(part)) for part in by]
            if not case.json:
                key = [float(part) if isinstance(of, float) else part
                       for part, of in zip(key, by)]
                head[2:] = [float(part) if isinstance(of, float) else part
                            for part, of in zip(head[2:], by)]
            self.assertEqual(head, [str(start), str(end), *key], told)
            for name, value in zip(case.aggs, line[2 + len(by):], strict=True):
                wanted = aggregate(name, rows)
                if isinstance(wanted, str) and not case.json:
                    wanted = escaped(wanted)
                self.assertTrue(same(name, value, wanted),
                                f"{told}\n{line}: {name} is {value!r}, not {wanted!r}")

    def run_one(self, folder, number):
        case = Case(folder, number)
        paths = case.write()
        late = os.path.join(folder, f"{number}.late")
        launch = [WEIR, "launch", "-n", "2", "--"] if number % 25 == 24 else []
        command = [*launch, WEIR, "window", *case.words(paths), "--late", late, "-w",
                   str(random.choice((1, 1, 2, 4))), "--batch-rows", str(random.randint(1, 64))]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        errors = done.stderr.decode()
        told = f"case {number}: {command}\n{errors}"
        self.assertEqual(done.returncode, 0, told)
        windows, counts, rows_late = case.expected()
        self.check_lines(case, done.stdout.decode(), windows, told)
        if not launch:
            last = errors.splitlines()
            said = json.loads(last[-1]) if case.json else \
                dict(line.split("\t") for line in last[-6:])
            self.assertEqual({name: int(count) for name, count in said.items()}, counts, told)
        with open(late, encoding="utf-8", newline="") as file:
            lines = file.read().split("\n")[:-1]
        wanted = [case.late_line(row) for row in rows_late]
        self.assertEqual(len(lines), len(wanted), told)
        if rows_late and "x" not in case.keys:
            self.assertEqual(sorted(map(plain, lines)), sorted(map(plain, wanted)), told)

    def test_all_inputs_are_read_as_the_manual_says(self):
        with tempfile.TemporaryDirectory() as folder:
            for number in range(CASES):
                random.seed(SEED + number)
                self.run_one(folder, number)


def plain(line):
    """Numbers without what may be left out of them."""
    return "\t".join(part[:-2] if part.endswith(".0") else part for part in line.split("\t"))


if __name__ == "__main__":
    print(f"WEIR_SEED={SEED}")
    unittest.main()
