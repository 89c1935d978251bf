#!/usr/bin/env python3
"""`weir window` against a naive reading of what it promises, on small random files: kinds of windows,
keys, bounds, lateness, aggregates, disorder, times at the ends of the integers. The naive reading
keeps all rows and goes through them one at a time, as the manual page has it."""
import os
import random
import subprocess
import tempfile
import unittest

WEIR = os.path.join(os.environ["WEIR_BUILD"], "weir")
SEED = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
CASES = int(os.environ.get("WINDOWS_CASES", 120))
LEAST, GREATEST = -(1 << 63), (1 << 63) - 1
USERS = ("ann", "bob", "a user with a long name", "zoé")


def saturated(time):
    return max(LEAST, min(GREATEST, time))


class Rows:
    """Those of a window: what its aggregates are made of."""

    def __init__(self, start, last):
        self.start, self.last, self.values = start, last, []

    def line(self, user):
        ms = [value for value, _ in self.values]
        users = {name for _, name in self.values}
        total = sum(ms)
        mean = total / len(ms)
        return (self.start, saturated(self.last + 1), user, len(ms), total, min(ms), max(ms), mean,
                len(users))


class Naive:
    def __init__(self, options):
        self.kind, self.size, self.slide, self.bound, self.lateness = options
        self.windows = {}  # by user, a list
        self.late = self.missed = self.pairs = 0
        self.stamp = LEAST

    def over(self, last):
        return last != GREATEST and last + self.lateness < self.stamp and \
            last + self.lateness <= GREATEST

    def limits(self, at):
        if self.kind == "global":
            return [(LEAST, GREATEST)]
        start = at - at % self.slide
        found = []
        while start + self.size > at:
            found.append((saturated(start), saturated(start + self.size - 1)))
            start -= self.slide
        return found

    def add(self, at, user, ms, by):
        windows = self.windows.setdefault(by, [])
        if self.kind == "session":
            self.add_to_session(windows, at, (ms, user))
        else:
            limits = self.limits(at)
            over = sum(self.over(last) for _, last in limits)
            self.pairs += over
            self.missed += over > 0
            self.late += over == len(limits)
            for start, last in limits:
                if not self.over(last):
                    self.window(windows, start, last).values.append((ms, user))
        self.stamp = max(self.stamp, saturated(at - self.bound))

    @staticmethod
    def window(windows, start, last):
        for window in windows:
            if (window.start, window.last) == (start, last):
                return window
        windows.append(Rows(start, last))
        return windows[-1]

    def add_to_session(self, windows, at, value):
        mine = Rows(at, saturated(at + self.size - 1))
        mine.values = [value]
        joined = [other for other in windows if not self.over(other.last)
                  and other.start <= mine.last + 1 and mine.start <= other.last + 1]
        if not joined and self.over(mine.last):
            self.late += 1
            self.missed += 1
            self.pairs += 1
            return
        for other in joined:
            mine.start, mine.last = min(mine.start, other.start), max(mine.last, other.last)
            mine.values += other.values
            windows.remove(other)
        windows.append(mine)

    def lines(self):
        return sorted(window.line(user) for user, windows in self.windows.items()
                      for window in windows)


def draw_options():
    kind = random.choice(("tumble", "hop", "session", "global"))
    size = random.choice((1, 2, 5, 10, 60))
    slide = size
    if kind == "hop":
        slide = random.randint(1, size)
    return (kind, size, slide, random.choice((0, 0, 3, 20, 1000)),
            random.choice((0, 0, 1, 7, 100, GREATEST)))


def words_of(options):
    kind, size, slide, bound, lateness = options
    words = {"tumble": ["--tumble", str(size)], "hop": ["--hop", f"{size}/{slide}"],
             "session": ["--session", str(size)], "global": ["--global"]}[kind]
    return words + ["--bound", str(bound), "--lateness", str(lateness)]


def draw_rows():
    """Mostly in order; here and there a row is far behind, a pause is long, or time ends."""
    rows, now = [], random.choice((0, -50, LEAST, GREATEST - 60))
    for _ in range(random.choice((0, 1, 5, 40, 200))):
        now = saturated(now + random.choice((0, 0, 1, 1, 2, 9, 40)))
        at = saturated(now - random.choice((0, 0, 0, 1, 4, 15, 100)))
        rows.append((at, random.choice(USERS), random.randint(-50, 50)))
    return rows


def shown(line, keyed):
    start, end, user, *values = line
    values[4] = f"{values[4]:.17g}"
    return "\t".join(str(field) for field in (start, end, *([user] if keyed else []), *values))


class RandomFiles(unittest.TestCase):
    maxDiff = None

    def run_one(self, folder, number):
        options, rows, keyed = draw_options(), draw_rows(), random.random() < 0.6
        naive = Naive(options)
        for at, user, ms in rows:
            naive.add(at, user, ms, user if keyed else "")
        path = os.path.join(folder, f"{number}.tsv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(f"{at}\t{user}\t{ms}\n" for at, user, ms in rows))
        command = [WEIR, "window", path, "--schema", "at:i64 user:text ms:i64", "--time", "at",
                   *words_of(options), *(["--key", "user"] if keyed else []), "--agg",
                   "count,sum:ms,min:ms,max:ms,avg:ms,distinct:user", "-w",
                   str(random.choice((1, 1, 2, 4))), "--batch-rows", str(random.randint(1, 64))]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        told = f"case {number}: {' '.join(command)}\n{done.stderr.decode()}"
        self.assertEqual(done.returncode, 0, told)
        counts = dict(line.split("\t") for line in done.stderr.decode().splitlines())
        printed = [line.split("\t") for line in done.stdout.decode().splitlines()]
        expected = [shown(line, keyed).split("\t") for line in naive.lines()]
        mean = 7 if keyed else 6
        for line in printed + expected:
            line[mean] = f"{float(line[mean]):.12g}"
        self.assertEqual(printed, expected, told)
        self.assertEqual({name: int(count) for name, count in counts.items()},
                         {"rows": len(rows), "malformed": 0, "late": naive.late,
                          "missed": naive.missed, "pairs": naive.pairs,
                          "windows": len(expected)}, told)

    def test_all_windows_are_those_of_the_naive_reading(self):
        with tempfile.TemporaryDirectory() as folder:
            for number in range(CASES):
                random.seed(SEED + number)
                self.run_one(folder, number)


if __name__ == "__main__":
    print(f"WEIR_SEED={SEED}")
    unittest.main()
