#!/usr/bin/env python3
"""`weir window` on small files, each run by several numbers of workers and processes: kinds of
files, options, aggregates, late rows, counts, and what it says of words that it does not take."""
import gzip
import itertools
import json
import lzma
import os
import random
import subprocess
import tempfile
import threading
import unittest

WEIR = os.path.join(os.environ["WEIR_BUILD"], "weir")
SEED = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
WAYS = ([], ["-w", "2"], ["-w", "4"], ["--deterministic", "-w", "3", "--seed", "1"], 2)

CLICKS = ("at\tuser\tms\n"
          "3\tann\t10\n"
          "14\tbob\t20\n"
          "1\tann\t30\n"   # in [0, 10), which has closed: 14 came
          "12\tann\t40\n"
          "25\tbob\t0\n")


class Windows(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name, contents=None):
        path = os.path.join(self.folder.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if contents is not None:
            with open(path, "wb") as file:
                file.write(contents)
        return path

    def run_once(self, way, arguments, stdin=b""):
        rows = ["--batch-rows", str(random.randrange(1, 9))]
        command = [WEIR, "window", *arguments, *rows, *(way if isinstance(way, list) else [])]
        if not isinstance(way, list):
            command = [WEIR, "launch", "-n", str(way), "--no-prefix", "--", *command]
        return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60)

    def windows(self, *arguments, stdin=b""):
        """What it prints, and its counts: the same in all ways."""
        first = None
        for way in WAYS:
            done = self.run_once(way, arguments, stdin)
            self.assertEqual(done.returncode, 0, (way, done.stderr))
            counts = dict(line.split("\t") for line in done.stderr.decode().splitlines()
                          if line.count("\t") == 1)
            got = (done.stdout.decode(), {name: int(count) for name, count in counts.items()})
            first = first or got
            self.assertEqual(got, first, way)
        return first

    def refused(self, code, says, *arguments):
        done = self.run_once([], arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(says, done.stderr.decode())

    def test_a_file_with_names_in_its_first_line(self):
        clicks = self.path("clicks.tsv", CLICKS.encode())
        printed, counts = self.windows(clicks, "--time", "at", "--tumble", "10")
        self.assertEqual(printed, "0\t10\t1\n10\t20\t2\n20\t30\t1\n")
        self.assertEqual(counts, {"rows": 5, "malformed": 0, "late": 1, "missed": 1, "pairs": 1,
                                  "windows": 3})

    def test_at_the_pace_of_event_times(self):
        clicks = self.path("clicks.tsv", CLICKS.encode())
        words = [clicks, clicks, "--time", "at", "--tumble", "10"]
        self.assertEqual(self.windows(*words, "--speed", "1000x"), self.windows(*words))
        self.assertEqual(self.windows(*words, "--unit", "ns", "--speed", "0.5"),
                         self.windows(*words))
        for wrong in "fast", "x", "0x", "-1", "60xx", "nan", "inf", "":
            self.refused(2, "--speed takes how many times as fast", *words, "--speed", wrong)

    def test_keys_and_aggregates(self):
        clicks = self.path("clicks.tsv", CLICKS.encode())
        printed, counts = self.windows(clicks, "--time", "at", "--tumble", "10", "--key", "user",
                                       "--bound", "13", "--agg",
                                       "count,sum:ms,min:ms,max:ms,avg:ms,distinct:ms")
        self.assertEqual(printed, "0\t10\tann\t2\t40\t10\t30\t20\t2\n"
                                  "10\t20\tann\t1\t40\t40\t40\t40\t1\n"
                                  "10\t20\tbob\t1\t20\t20\t20\t20\t1\n"
                                  "20\t30\tbob\t1\t0\t0\t0\t0\t1\n")
        self.assertEqual(counts["late"], 0)

    def test_sums_of_fractions_do_not_depend_on_the_order(self):
        rows = [(random.randrange(300), random.uniform(-1, 1) * 10 ** random.randrange(-9, 9))
                for _ in range(2000)]
        file = self.path("rows.tsv", "at\tx\n".encode() + "".join(
            f"{at}\t{x!r}\n" for at, x in rows).encode())
        for window in (["--hop", "60/20"], ["--global"], ["--hop", "50/20", "--lateness", "10"]):
            printed = self.windows(file, file, "--time", "at", *window, "--bound", "300", "--agg",
                                   "sum:x,avg:x,variance:x,stddev:x")[0]
            self.assertGreater(len(printed), 0)

    def test_all_aggregates_beside_plain_python(self):
        users = ["ann", "bob", "somebody with a long name", "another of the long names"]
        rows = [(random.randrange(300), random.choice(users), random.randrange(-500, 1500),
                 random.choice([0.25, 1e-3, 7e8, -3.5])) for _ in range(400)]
        file = self.path("rows.tsv", "at\tuser\tms\tx\n".encode() + "".join(
            f"{at}\t{user}\t{ms}\t{x!r}\n" for at, user, ms, x in rows).encode())
        aggregates = ("count,sum:ms,min:ms,max:x,avg:ms,distinct:user,approx_distinct:ms,"
                      "first:user,last:user,first:ms,last:x,top3:ms,top2:user,median:ms,p99:x,"
                      "p0:ms,variance:ms,stddev:ms")
        for window in (["--tumble", "50"], ["--hop", "60/20"], ["--session", "300"], ["--global"],
                       ["--hop", "50/20", "--lateness", "10"]):
            printed = self.windows(file, "--time", "at", *window, "--bound", "300", "--key", "user",
                                   "--agg", aggregates, "--schema",
                                   "at:i64 user:text ms:i64 x:f64")[0]
            for line in printed.splitlines():
                start, end, user, *values = line.split("\t")
                if window[0] == "--session":
                    self.assertEqual(len(printed.splitlines()), len(users))
                self.check_aggregates([row for row in rows if row[1] == user and
                                       int(start) <= row[0] < int(end)], values)

    def check_aggregates(self, rows, values):
        ms, x = [row[2] for row in rows], sorted(row[3] for row in rows)
        mean = sum(ms) / len(ms)
        variance = sum((value - mean) ** 2 for value in ms) / len(ms)
        first = min(rows, key=lambda row: row[0])
        last = max(reversed(rows), key=lambda row: row[0])
        exact = {0: len(rows), 1: sum(ms), 2: min(ms), 5: 1, 7: rows[0][1], 8: rows[0][1],
                 9: first[2], 11: ",".join(map(str, sorted(ms, reverse=True)[:3])),
                 12: ",".join([rows[0][1]] * min(len(rows), 2))}
        for at, value in exact.items():
            self.assertEqual(values[at], str(value), at)
        ranked = sorted(ms)
        near = {3: (x[-1], 0), 4: (mean, 1e-9), 6: (len(set(ms)), 0.01), 10: (last[3], 0),
                13: (ranked[(len(ms) + 1) // 2 - 1], 0.0101),
                14: (x[-(-99 * len(x) // 100) - 1], 0.0101), 15: (ranked[0], 0.0101),
                16: (variance, 1e-9), 17: (variance ** 0.5, 1e-9)}
        for at, (value, error) in near.items():
            self.assertLessEqual(abs(float(values[at]) - value), abs(value) * error + 1e-6, at)

    def test_json(self):
        clicks = self.path("clicks.tsv", CLICKS.encode().replace(b"bob", b'b"\xff\\t'))
        options = [clicks, "--time", "at", "--tumble", "10", "--key", "user", "--json",
                   "--agg", "count,avg:ms,last:user,count"]
        for way in WAYS:
            done = self.run_once(way, options)
            results = [json.loads(line) for line in done.stdout.decode().splitlines()]
            self.assertEqual([result["user"] for result in results],
                             ["ann", "ann", 'b"\ufffd\t', 'b"\ufffd\t'])
            self.assertEqual(results[0], {"start": 0, "end": 10, "user": "ann", "count": 1,
                                          "avg_ms": 10.0, "last_user": "ann", "count_2": 1})
            self.assertEqual(json.loads(done.stderr.decode().splitlines()[-1]),
                             {"rows": 5, "malformed": 0, "late": 1, "missed": 1, "pairs": 1,
                              "windows": 4})

    def test_windows_are_printed_as_they_close(self):
        reader = subprocess.Popen([WEIR, "window", "-", "--schema", "at:i64", "--time", "at",
                                   "--tumble", "10"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        body = b"".join(b"%d\n" % (at // 100) for at in range(1000000))
        feeder = threading.Thread(target=reader.stdin.write, args=(body,))
        feeder.start()
        self.assertEqual(reader.stdout.readline(), b"0\t10\t1000\n") # while it still waits
        feeder.join()
        reader.stdin.close()
        self.assertEqual(reader.stdout.read().count(b"\n"), 999)
        reader.stdout.close()
        self.assertEqual(reader.wait(60), 0)

    def test_lateness_prints_what_is_right_in_the_end(self):
        clicks = self.path("clicks.tsv", CLICKS.encode())
        printed, counts = self.windows(clicks, "--time", "at", "--hop", "20/10", "--lateness", "5")
        self.assertEqual(printed, "-10\t10\t2\n0\t20\t4\n10\t30\t3\n20\t40\t1\n")
        self.assertEqual(counts["windows"], 4)

    def test_a_row_can_miss_some_of_its_windows(self):
        clicks = self.path("clicks.tsv", CLICKS.encode())
        printed, counts = self.windows(clicks, "--time", "at", "--hop", "20/10")
        self.assertEqual(printed, "-10\t10\t1\n0\t20\t4\n10\t30\t3\n20\t40\t1\n")
        self.assertEqual((counts["late"], counts["missed"], counts["pairs"]), (0, 1, 1))

    def test_sessions_and_the_global_window(self):
        clicks = self.path("clicks.tsv", CLICKS.encode())
        sessions = self.windows(clicks, "--time", "at", "--session", "3", "--bound", "100",
                                "--agg", "count,distinct:user,max:ms")[0]
        self.assertEqual(sessions, "1\t6\t2\t1\t30\n12\t17\t2\t2\t40\n25\t28\t1\t1\t0\n")
        all_of_it = self.windows(clicks, "--time", "at", "--global", "--agg", "sum:ms")[0]
        self.assertEqual(all_of_it, f"{-1 << 63}\t{(1 << 63) - 1}\t100\n")

    def test_windows_of_a_number_of_rows(self):
        clicks = self.path("clicks.tsv", CLICKS.encode())
        by_user = self.windows(clicks, "--time", "at", "--count", "2", "--key", "user",
                               "--agg", "count,sum:ms,first:ms,distinct:ms")[0]
        self.assertEqual(by_user, "0\t2\tann\t2\t40\t30\t2\n0\t2\tbob\t2\t20\t20\t2\n")
        slides = self.windows(clicks, "--time", "at", "--count", "3/1", "--agg", "max:ms")[0]
        self.assertEqual(slides, "0\t3\t30\n1\t4\t40\n2\t5\t40\n")

    def test_late_rows_go_to_a_file(self):
        clicks = self.path("clicks.tsv", CLICKS.encode())
        late = self.path("late.tsv")
        self.windows(clicks, "--time", "at", "--tumble", "10", "--late", late)
        with open(late, encoding="utf-8") as file:
            self.assertEqual(file.read(), "1\tann\t30\n")

    def test_packed_files_and_csv(self):
        quoted = CLICKS.replace("\t", ",").replace("ann", '"ann, ""the\tfirst"""').encode()
        options = ["--time", "at", "--tumble", "10s", "--key", "user", "--bound", "20"]
        expected = ('0\t10\tann, "the\\tfirst"\t2\n10\t20\tann, "the\\tfirst"\t1\n'
                    "10\t20\tbob\t1\n20\t30\tbob\t1\n")
        for name, contents in (("c.csv", quoted), ("c.csv.gz", gzip.compress(quoted)),
                               ("c.csv.xz", lzma.compress(quoted[:30]) + lzma.compress(quoted[30:]))):
            self.assertEqual(self.windows(self.path(name, contents), *options)[0], expected, name)
        text = self.path("c.txt.gz", gzip.compress(quoted)[:-9])
        self.refused(1, "is damaged or cut short", text, "--csv", "--schema",
                     "at:i64 user:text ms:i64", *options)
        self.windows(self.path("c.txt", quoted.replace(b"\n", b"\r\n")), "--csv", *options)

    def test_a_schema_and_the_standard_input(self):
        body = CLICKS.split("\n", 1)[1].encode()
        options = ["--schema", "at:i64 user:text ms:f64", "--time", "at", "--tumble", "10",
                   "--agg", "sum:ms"]
        expected = "0\t10\t10\n10\t20\t60\n20\t30\t0\n"
        self.assertEqual(self.windows("-", *options, stdin=body)[0], expected)
        self.assertEqual(self.windows(self.path("a.tsv", CLICKS.encode()), *options)[0], expected)
        self.assertEqual(self.windows(self.path("empty.tsv", b""), *options)[0], "")

    def test_several_files_have_watermarks_of_their_own(self):
        lines = CLICKS.split("\n", 1)[1].splitlines(True)
        first = self.path("in/1.tsv", (CLICKS + "40\tann\t0\n").encode())
        self.path("in/2.tsv", "at\tuser\tms\n{3}{0}{4}".format(*lines).encode())
        options = ["--time", "at", "--tumble", "10"]
        expected = "0\t10\t1\n10\t20\t3\n20\t30\t2\n40\t50\t1\n"
        for files in ([first, self.path("in/2.tsv")], [self.path("in/*.tsv")], [self.path("in")]):
            printed, counts = self.windows(*files, *options)
            self.assertEqual(printed, expected)
            self.assertEqual((counts["rows"], counts["late"]), (9, 2))
        late = self.path("late.tsv")
        self.windows(first, self.path("in/2.tsv"), *options, "--late", late)
        with open(late, encoding="utf-8") as file:
            self.assertEqual(sorted(file), ["1\tann\t30\t0\n", "3\tann\t10\t1\n"])
        alone = self.windows(first, *options)[1]["late"]
        self.assertEqual(alone, 1)

    def test_first_and_last_of_several_files(self):
        one = self.path("one.tsv", b"at\tname\n5\ta\n5\tb\n7\tc\n")
        two = self.path("two.tsv", b"at\tname\n5\td\n7\te\n7\tf\n")
        options = ["--time", "at", "--tumble", "10", "--agg", "first:name,last:name"]
        self.assertEqual(self.windows(one, two, *options)[0], "0\t10\ta\tf\n")
        self.assertEqual(self.windows(two, one, *options)[0], "0\t10\td\tc\n")

    def test_many_files(self):
        expected, files = {}, []
        for number in range(80):
            times = sorted(random.randrange(1000) for _ in range(random.randrange(20)))
            for at in times:
                expected[at // 100] = expected.get(at // 100, 0) + 1
            body = "at\n" + "".join(f"{at}\n" for at in times)
            files.append(self.path(f"many/{number}.csv.gz", gzip.compress(body.encode())))
        printed, counts = self.windows(self.path("many"), "--time", "at", "--tumble", "100",
                                       "--schema", "at:i64")
        self.assertEqual(printed, "".join(f"{100 * w}\t{100 * w + 100}\t{n}\n"
                                          for w, n in sorted(expected.items())))
        self.assertEqual((counts["rows"], counts["late"], counts["malformed"]),
                         (sum(expected.values()), 0, 0))

    def test_json_lines(self):
        rows = ["at", "user", "ms"]
        lines = [dict(zip(rows, line.split("\t"))) for line in CLICKS.splitlines()[1:]]
        body = "".join(json.dumps({"more": [1, {}], "user": line["user"], "at": int(line["at"]),
                                   "ms": float(line["ms"])}) + "\n" for line in lines) + "{\n"
        options = ["--schema", "at:i64 user:text ms:f64", "--time", "at", "--tumble", "10",
                   "--key", "user", "--agg", "sum:ms"]
        expected = "0\t10\tann\t10\n10\t20\tann\t40\n10\t20\tbob\t20\n20\t30\tbob\t0\n"
        path = self.path("a.jsonl.xz", lzma.compress(body.encode()))
        printed, counts = self.windows(path, *options)
        self.assertEqual((printed, counts["malformed"]), (expected, 1))
        self.assertEqual(self.windows("-", "--json-lines", *options, stdin=body.encode())[0],
                         expected)
        self.refused(2, "say by --schema what the members of the objects are", path, *options[2:])

    def test_a_schema_of_some_columns(self):
        clicks = self.path("clicks.tsv", CLICKS.encode())
        printed = self.windows(clicks, "--schema", "ms:u8 at:i64", "--time", "at", "--tumble", "10",
                               "--agg", "sum:ms")[0]
        self.assertEqual(printed, "0\t10\t10\n10\t20\t60\n20\t30\t0\n")
        quoted = self.path("q.csv", b'\xef\xbb\xbf"at","a ""name"", with\tall"\r\n1,"x\ny"\r\n2,"x\ny"\r\n')
        self.assertEqual(self.windows(quoted, "--time", "at", "--tumble", "10")[0], "0\t10\t2\n")

    def test_units(self):
        rows = self.path("ms.tsv", b"at\n0\n3599999\n3600000\n")
        printed = self.windows(rows, "--time", "at", "--unit", "ms", "--tumble", "1h")[0]
        self.assertEqual(printed, "0\t3600000\t2\n3600000\t7200000\t1\n")
        self.refused(2, "no whole number", rows, "--time", "at", "--tumble", "1ms")

    def test_what_is_no_row_is_said_and_counted(self):
        rows = self.path("bad.tsv", b"at\tms\n1\t2\nx\t3\n4\n5\t6\n")
        printed, counts = self.windows(rows, "--time", "at", "--tumble", "10")
        self.assertEqual((printed, counts["rows"], counts["malformed"]), ("0\t10\t2\n", 2, 2))
        done = self.run_once([], [rows, "--time", "at", "--tumble", "10"])
        self.assertIn(f"{rows}:3: field 1 `at`: x does not read as i64", done.stderr.decode())

    def test_words_that_it_does_not_take(self):
        clicks = self.path("clicks.tsv", CLICKS.encode())
        time = [clicks, "--time", "at"]
        self.refused(2, "takes one FILE")
        self.refused(2, "which column has the event time", clicks)
        self.refused(2, "say one of --tumble", *time)
        self.refused(2, "say one of --tumble", *time, "--tumble", "1", "--session", "2")
        self.refused(2, "--tumble takes a duration", *time, "--tumble", "1x")
        self.refused(2, "--hop takes SIZE/SLIDE", *time, "--hop", "10")
        self.refused(2, "there is no column `when`", clicks, "--time", "when", "--tumble", "1")
        self.refused(2, "is to be i64", clicks, "--time", "user", "--tumble", "1")
        self.refused(2, "which is no number", *time, "--tumble", "1", "--agg", "sum:user")
        self.refused(2, "--agg takes", *time, "--tumble", "1", "--agg", "mode:ms")
        self.refused(2, "--agg takes", *time, "--tumble", "1", "--agg", "count:ms")
        self.refused(2, "--agg takes", *time, "--tumble", "1", "--agg", "p9x:ms")
        self.refused(2, "top takes a number", *time, "--tumble", "1", "--agg", "top0:ms")
        self.refused(2, "top takes a number", *time, "--tumble", "1", "--agg", "top1.5:ms")
        self.refused(2, "0 to 100 per cent", *time, "--tumble", "1", "--agg", "p101:ms")
        self.refused(2, "which is no number", *time, "--tumble", "1", "--agg", "p50:user")
        self.refused(2, "--count takes a number of rows", *time, "--count", "0")
        self.refused(2, "--count takes a number of rows", *time, "--count", "10/x")
        self.refused(2, "has no kind", *time, "--tumble", "1", "--schema", "at")
        self.refused(2, "there is no kind `int`", *time, "--tumble", "1", "--schema", "at:int")
        self.refused(2, "cannot open", self.path("none.tsv"), "--time", "at", "--tumble", "1")
        self.refused(2, "what the columns of the standard input", "-", "--time", "at")
        self.refused(2, "--hop: the slide", *time, "--hop", "10/20")
        self.refused(2, "--hop: the slide", *time, "--hop", "10/0")
        self.refused(2, "--count: the slide", *time, "--count", "5/7")
        self.refused(2, "size above 0", *time, "--tumble", "0")
        self.refused(2, "gap above 0", *time, "--session", "0s")
        self.refused(2, "--lateness is not for", *time, "--count", "5", "--lateness", "1")

    def test_late_rows_do_not_overwrite_a_file_that_is_read(self):
        clicks = self.path("clicks.tsv", CLICKS.encode())
        os.link(clicks, self.path("link.tsv"))
        self.refused(2, "is one of the files that are read", clicks, "--time", "at", "--tumble",
                     "10", "--late", self.path("link.tsv"))
        with open(clicks, encoding="utf-8") as file:
            self.assertEqual(file.read(), CLICKS)

    def test_nanoseconds_of_nineteen_digits_are_whole_numbers(self):
        for at in (1700000000123456789, -(1 << 63), (1 << 63) - 1):
            clicks = self.path("clicks.tsv", f"at\tuser\n{at}\tann\n".encode())
            printed, _ = self.windows(clicks, "--time", "at", "--unit", "ns", "--count", "1",
                                      "--agg", "max:at")
            self.assertEqual(printed, f"0\t1\t{at}\n")

    def test_a_nan_is_the_greatest_number_wherever_it_comes(self):
        """The least and the greatest were NaN, or not, as the first row had it or another one."""
        for values in itertools.permutations(("nan", "5", "7")):
            rows = "".join(f"1\t{value}\n" for value in values)
            printed, _ = self.windows(self.path("rows.tsv", rows.encode()), "--schema",
                                      "at:i64 x:f64", "--time", "at", "--tumble", "1", "--agg",
                                      "min:x,max:x,sum:x,variance:x,top2:x")
            self.assertEqual(printed, "1\t2\t5\tnan\tnan\tnan\tnan,7\n")

    def test_rows_of_several_files_do_not_depend_on_who_is_quicker(self):
        """Rows of one stamp were taken as they came: first those of the quicker worker."""
        paths = []
        for number in range(3):
            now, lines = 0, []
            for row in range(60):
                now += random.choice((0, 1, 1, 3))
                lines.append(f"{now - random.choice((0, 0, 5))}\t{number * 1000 + row}\n")
            paths.append(self.path(f"{number}.tsv", "".join(lines).encode()))
        told = ("--schema", "at:i64 n:i64", "--time", "at", "--agg", "sum:n,first:n")
        self.windows(*paths, *told, "--bound", "5", "--count", "2")
        self.windows(*paths, *told, "--bound", "1", "--session", "2")


if __name__ == "__main__":
    print(f"WEIR_SEED={SEED}")
    random.seed(SEED)
    unittest.main()
