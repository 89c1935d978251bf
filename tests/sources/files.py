#!/usr/bin/env python3
"""Files as sources: packed, empty, damaged, missing, without a last newline, with CR LF, marks, NULs
and long lines; patterns and folders, partitions, parts of large files, folders that grow; headers;
epochs, offsets, and going on where a run had come to. Each by several numbers of workers."""
import gzip
import lzma
import os
import random
import re
import resource
import subprocess
import tempfile
import threading
import time
import unittest

PROGRAM = os.environ["WEIR_SOURCES_PROGRAM"]
WEIR = os.path.join(os.environ["WEIR_BUILD"], "weir")
SEED = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
WAYS = (["-w", "1"], ["-w", "2"], ["-w", "4"], ["-w", "3", "--deterministic", "--seed", "1"])
SCHEMA = ["--schema", "ts:i64 user:text n:u64"]
ROWS = b"1\tann\t10\n2\tbob, the second of them\t20\n3\tann\t30\n"


def plain(output):
    """The lines as they were before they were printed as texts, each as often as there were."""
    lines = []
    for line in output.decode("latin-1").split("\n")[:-1]:
        times = re.match(r"\+(\d+)\t", line)
        text = line[times.end():] if times else line
        text = re.sub(r"\\(.)", lambda m: {"t": "\t", "n": "\n", "r": "\r"}.get(m[1], m[1]), text)
        lines += [text] * (int(times[1]) if times else 1)
    return sorted(lines)


class Files(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name, contents=None):
        path = os.path.join(self.folder.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if contents is not None:
            part = os.path.join(os.path.dirname(path), ".part-" + os.path.basename(path))
            with open(part, "wb") as file:
                file.write(contents)
            os.rename(part, path)
        return path

    def run_once(self, arguments, way=(), stdin=b""):
        return subprocess.run([PROGRAM, *arguments, *way], input=stdin, capture_output=True,
                              check=False, timeout=60)

    def read(self, *arguments, schema=SCHEMA, stdin=b"", ways=WAYS):
        """What it prints: the same in all ways."""
        first = None
        for way in ways:
            pieces = ["--read-bytes", str(random.choice([1, 9, 50, 65536]))]
            done = self.run_once([*schema, *arguments, *pieces], way, stdin)
            self.assertEqual(done.returncode, 0, (way, done.stderr))
            lines = plain(done.stdout)
            first = lines if first is None else first
            self.assertEqual(lines, first, (way, pieces))
        return first

    def refused(self, says, *arguments, schema=SCHEMA, stdin=b""):
        for way in WAYS[:2]:
            done = self.run_once([*schema, *arguments], way, stdin)
            self.assertEqual(done.returncode, 1, (done.stdout, done.stderr))
            self.assertIn(says, done.stderr.decode())

    ROWS = ["1\tann\t10", "2\tbob, the second of them\t20", "3\tann\t30"]

    def test_packed_files_and_ends_of_lines(self):
        in_two = gzip.compress(ROWS[:20]) + gzip.compress(ROWS[20:])
        for name, contents in (
                ("a.tsv", ROWS), ("b.tsv", ROWS[:-1]), ("c.tsv", ROWS.replace(b"\n", b"\r\n")),
                ("d.tsv", b"\xef\xbb\xbf" + ROWS), ("e.tsv.gz", gzip.compress(ROWS)),
                ("f.tsv.gz", in_two), ("g.tsv.xz", lzma.compress(ROWS)),
                ("h.csv", ROWS.replace(b"bob, the second of them", b'"bob, the second of them"')
                 .replace(b"\t", b",")),
                ("i.csv.gz", gzip.compress(b'1,ann,10\n2,"bob, the second of them","20"\n"3",ann,30'))):
            self.assertEqual(self.read(self.path(name, contents)), self.ROWS, name)
        zst = subprocess.run(["zstd", "-q"], input=ROWS, capture_output=True, check=False) \
            if os.path.exists("/usr/bin/zstd") else None
        if zst:
            self.assertEqual(self.read(self.path("z.tsv.zst", zst.stdout)), self.ROWS)

    def test_files_with_nothing(self):
        self.assertEqual(self.read(self.path("a.tsv", b"")), [])
        self.assertEqual(self.read(self.path("b.csv", b""), "--header"), [])
        self.assertEqual(self.read(self.path("c.csv", b"n,user,ts\n"), "--header"), [])
        self.assertEqual(self.read(self.path("d.csv", b"\xef\xbb\xbf"), "--header"), [])
        self.assertEqual(self.read(self.path("e.json", b"\n\n")), [])
        self.assertEqual(self.read("-", stdin=ROWS), self.ROWS)
        self.assertEqual(self.read("-"), [])

    def test_what_is_damaged_or_not_there(self):
        packed = lzma.compress(ROWS * 1000)
        self.refused("`" + self.path("a.tsv.xz", packed[:-20]) + "` is damaged or cut short",
                     self.path("a.tsv.xz"))
        self.refused("is damaged or cut short", self.path("b.tsv.gz", b"no gzip"))
        self.refused("is damaged or cut short", self.path("c.tsv.gz", b""))
        packed = bytearray(gzip.compress(ROWS * 1000))
        packed[-8] ^= 1 # in the checksum
        self.refused("is damaged or cut short", self.path("d.tsv.gz", bytes(packed)))
        self.refused("read_rows: cannot open `" + self.path("none.tsv") + "`: No such file",
                     self.path("none.tsv"))
        self.refused("no file is called so", self.path("none*.tsv"))
        os.mkdir(self.path("empty"))
        self.refused("there are no files in this folder", self.path("empty"))
        if os.getuid() != 0:
            os.chmod(self.path("secret.tsv", ROWS), 0)
            self.refused("Permission denied", self.path("secret.tsv"))

    def test_headers(self):
        names = self.path("a.csv", b'n,"user",ts\n10,ann,1\n')
        self.assertEqual(self.read(names, "--header"), ["1\tann\t10"])
        more = self.path("b.csv", b"\xef\xbb\xbfn,user,city,ts\r\n10,ann,x,1\r\n11,bob,2\r\n")
        self.refused("there is a column `city`, but `row` has no such field", more, "--header")
        self.assertEqual(self.read(more, "--header", "--extra"),
                         ["1\tann\t10", f"bad\t{more}:3: field 1 `ts` is missing: the line has 3, "
                          "`row` has 4"])
        self.refused("there is no column `user`", self.path("c.csv", b"ts,n\n"), "--header")
        self.refused("there are two columns `n`", self.path("d.csv", b"n,ts,n\n"), "--header")
        self.refused("has no end", self.path("e.csv", b'n,ts,"n'), "--header")
        self.assertEqual(self.read(names, self.path("f.csv", b"ts,n,user\n2,20,bob\n"), "--header"),
                         ["1\tann\t10", "2\tbob\t20"])
        json = self.path("g.json", b'{"n":10,"city":{"a":[1,{}]},"ts":1,"user":"ann"}\n')
        self.assertEqual(self.read(json, "--header", "--extra"), ["1\tann\t10"])
        self.assertEqual(self.read(json), [f"bad\t{json}:1: there is a member `city`, but `row` has "
                                           "no such field"])

    def test_lines_that_are_no_rows(self):
        bad = self.path("a.csv", b'1,ann,10\nx,ann,1\n1,ann\n1,a,1,1\n1,"a"b,1\n1,a,18446744073709551616'
                                 b'\n\n1,"a\nb",y\n2,"c\n1,d,1\n')
        self.assertEqual(self.read(bad, "--line-by-line"), sorted(
            ["1\tann\t10", "1\td\t1"] + [f"bad\t{bad}:{line}: {why}" for line, why in (
                (2, "field 1 `ts`: x does not read as i64"),
                (3, "field 3 `n` is missing: the line has 2, `row` has 3"),
                (4, "the line goes on after the last of the 3 fields of `row`"),
                (5, "field 2 `user`: it goes on after its closing quote"),
                (6, "field 3 `n`: 18446744073709551616 does not fit u64"),
                (7, "field 1 `ts`: (nothing) does not read as i64"),
                (8, "field 2 `user`: its quote is not closed"),
                (9, "field 1 `ts`: b\" does not read as i64"),
                (10, "field 2 `user`: its quote is not closed"))]))
        lines = self.read(bad)
        self.assertIn(f"bad\t{bad}:8: field 3 `n`: y does not read as u64", lines)
        self.assertIn(f"bad\t{bad}:10: field 2 `user`: its quote is not closed", lines)
        self.assertIn("1\td\t1", lines)
        self.refused("rejects a row: " + bad + ":2: field 1 `ts`: x does not read", bad, "--strict")
        done = self.run_once([*SCHEMA, bad, "--unheard"])
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr.decode().count(bad), 8)

    def test_long_lines_and_odd_bytes(self):
        long = b"x" * 3000
        path = self.path("a.tsv", b"1\tann\t10\n2\t" + long + b"\t20\n3\tb\0\xff\x80b\t30\n4\t\t40")
        self.assertEqual(self.read(path), ["1\tann\t10", "2\t" + "x" * 3000 + "\t20",
                                           "3\tb\0\xff\x80b\t30", "4\t\t40"])
        self.assertEqual(self.read(path, "--row-bytes", "2000"),
                         ["1\tann\t10", "3\tb\0\xff\x80b\t30", "4\t\t40",
                          f"bad\t{path}:2: the line has more than 2000 bytes"])
        quoted = self.path("b.csv", b'1,ann,10\n2,"' + long + b"\n" + long + b'",20\n3,b,30\n')
        self.assertEqual(self.read(quoted, "--row-bytes", "4000"), [
            "1\tann\t10", "3\tb\t30",
            f"bad\t{quoted}:2: the line begins a row of more than 4000 bytes",
            f"bad\t{quoted}:3: field 1 `ts`: " + "x" * 40 + "... does not read as i64"])
        self.assertEqual(self.read(quoted, "--row-bytes", "2000"), [
            "1\tann\t10", "3\tb\t30"] + [f"bad\t{quoted}:{line}: the line has more than 2000 bytes"
                                         for line in (2, 3)])
        nul = self.path("c.tsv", b"1\0\tann\t10\n")
        self.assertEqual(self.read(nul), [f"bad\t{nul}:1: field 1 `ts`: 1? does not read as i64"])

    def test_partitions_and_patterns(self):
        schema = ["--schema", "ts:i64 part:u8"]
        for name in "dbac":
            self.path(f"in/{name}.tsv", f"{ord(name)}\n".encode())
        self.path("in/.hidden.tsv", b"no\n")
        self.path("in/other.txt", b"9\n")
        expected = ["97\t0", "98\t1", "99\t2", "100\t3"]
        self.assertEqual(self.read(self.path("in/*.tsv"), "--partition", "part", schema=schema),
                         sorted(expected))
        self.assertEqual(self.read(self.path("in"), "--partition", "part", schema=schema),
                         sorted(expected + ["9\t4"]))
        self.assertEqual(self.read(self.path("in/d.tsv"), self.path("in/[ab].tsv"), "--partition",
                                   "part", schema=schema), sorted(["100\t0", "97\t1", "98\t2"]))
        self.refused("`row` has no field `par`", self.path("in"), "--partition", "par")
        self.refused("field `user` is to be an integer", self.path("in"), "--partition", "user")
        many = self.path("many")
        for i in range(300):
            self.path(f"many/{i:03}.tsv", b"%d\n" % i)
        self.refused("field `part` is u8, which is too small for 299", many, "--partition", "part",
                     schema=schema)
        self.assertEqual(self.read(many, "--partition", "part", schema=["--schema", "ts:i64 part:i32"]),
                         sorted(f"{i}\t{i}" for i in range(300)))

    def test_more_files_than_may_be_open(self):
        paths = [self.path(f"{i:03}.tsv", b"%d\tx\t1\n" % i) for i in range(300)]
        done = subprocess.run([PROGRAM, *SCHEMA, *paths, "-w", "4"], capture_output=True, check=False,
                              timeout=60, preexec_fn=lambda: resource.setrlimit(
                                  resource.RLIMIT_NOFILE, (100, 100)))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(set(plain(done.stdout))), 300)

    def test_parts_of_a_file(self):
        for header in (b"", b"n,ts\n", b"\xef\xbb\xbfn,ts\r\n"):
            rows = [(random.randrange(10 ** random.randrange(9)), i) for i in range(2000)]
            data = header + b"".join(b"%d,%d\n" % row for row in rows)
            path = self.path("a.csv", data if random.random() < 0.5 else data[:-1])
            small = self.path("b.csv", header + b"7,7")
            packed = self.path("c.csv.gz", gzip.compress(data))
            expected = sorted([f"{n}\t{i}" for n, i in rows] * 2 + ["7\t7"])
            got = self.read(path, small, packed, "--split", *["--header"] * bool(header),
                            schema=["--schema", "n:u64 ts:i64"])
            self.assertEqual(got, expected)
        self.refused("rows of files that are split have no order", path, "--split", "--offsets")
        with open(self.path("d.tsv", ROWS), "rb") as own: # one worker reads all of it
            done = subprocess.run([PROGRAM, *SCHEMA, "/dev/stdin", "--split", "-w", "2"], stdin=own,
                                  capture_output=True, check=False, timeout=60)
        self.assertEqual((plain(done.stdout), done.stderr), (self.ROWS, b""))

    def test_epochs_and_offsets(self):
        # The bad ones are "bad", or their file's base: records of file f are base + number.
        def record(base, i):
            return b"%d\tx%d\t%d\n" % (base + i, i, i) if i % 7 else b"bad\n"
        files = [b"".join(record(1000 * f, i) for i in range(100 - 50 * f)) for f in range(2)]
        paths = [self.path("a.tsv", files[0]), self.path("b.tsv.gz", gzip.compress(files[1]))]
        lines = self.read(*paths, "--epoch-records", "10", "--offsets", "--marked")
        offsets = [line.replace("offset\t", "").split("\t") for line in lines if "offset" in line]
        rows = [line for line in lines if "offset" not in line]

        def record_of(line):
            """Of which file, and which of its records."""
            bad = re.search(r"([ab])\.tsv(?:\.gz)?:(\d+): ", line)
            if bad:
                return "ab".index(bad[1]), int(bad[2]) - 1
            return divmod(int(line.split("\t")[1]), 1000)
        self.assertEqual(sorted(map(record_of, rows)),
                         [(0, i) for i in range(100)] + [(1, i) for i in range(50)])
        for line in rows:
            self.assertEqual(int(line.split("\t")[0]), record_of(line)[1] // 10)
        self.assertEqual(len([offset for offset in offsets if offset[1] == "0"]), 11)
        for epoch, part, file, size, records, count in offsets:
            data = files[int(part)]
            self.assertEqual((file, records), (paths[int(part)], count))
            self.assertEqual(data[:int(size)].count(b"\n"), int(count))
            self.assertIn(int(epoch), (int(records) // 10 - 1, int(records) // 10))
        for _, part, file, size, records, count in random.sample(offsets, 4):
            again = self.read(*paths, "--epoch-records", "10", "--marked", "--from",
                              f"{part},{size},{records},{count},{file}")
            self.assertEqual(again, [line for line in rows if record_of(line)[0] != int(part) or
                                     record_of(line)[1] >= int(records)])
        self.refused("is to go on in `x` as partition 0, which is", *paths, "--from", "0,1,1,1,x")
        self.refused("is to go on in partition 7; there are 2", *paths, "--from", "7,1,1,1,x")

    def test_going_on_said_offsets_at_epochs_that_had_been_complete(self):
        paths = [self.path(f"{i}.tsv", ROWS * i) for i in (1, 4)] # of 3 and 12 records
        options = [*paths, "--epoch-records", "2", "--offsets", "--marked"]
        sizes = [len(ROWS), 2 * len(ROWS)]
        lines = self.read(*options, "--from", ";".join(
            f"{part},{sizes[part]},{3 + 3 * part},{3 + 3 * part},{paths[part]}" for part in (0, 1)))
        self.assertEqual(min(int(line.split("\t")[0]) for line in lines), 3)
        self.assertIn(f"3\toffset\t0\t{paths[0]}\t{sizes[0]}\t3\t3", lines)

    def test_going_on_behind_a_header(self):
        data = b"n,user,ts\n" + b"".join(b'%d,"a\nb",%d\n' % (i, i) for i in range(50))
        path = self.path("a.csv", data)
        lines = self.read(path, "--header", "--epoch-records", "5", "--offsets", "--marked")
        offset = random.choice([line.split("\t") for line in lines if "\toffset\t" in line])
        again = self.read(path, "--header", "--epoch-records", "5", "--marked", "--from",
                          f"0,{offset[4]},{offset[5]},{offset[6]},{path}")
        rows = [line for line in lines if "\toffset\t" not in line]
        self.assertEqual(again, [line for line in rows
                                 if int(line.split("\t")[3]) >= int(offset[5])])

    def test_line_numbers_were_one_too_great_behind_a_header(self):
        data = b"n,user,ts\n1,a,1\n2,b,2\n3\n"
        path, packed = self.path("a.csv", data), self.path("b.csv.gz", gzip.compress(data))
        for file in path, packed:
            self.assertEqual(self.read(file, "--header", "--from", f"0,16,1,2,{file}"), [
                "2\tb\t2",
                f"bad\t{file}:4: field 2 `user` is missing: the line has 1, `row` has 3"])

    def test_going_on_behind_the_end_of_a_file_gave_nothing(self):
        path, packed = self.path("a.tsv", ROWS), self.path("b.tsv.gz", gzip.compress(ROWS))
        for file in path, packed:
            self.refused(f"`{file}` has {len(ROWS)} bytes now: it is to be read from byte 100 on",
                         file, "--from", f"0,100,9,9,{file}")
            self.assertEqual(self.read(file, "--from", f"0,{len(ROWS)},3,3,{file}"), [])

    def test_a_file_that_was_read_and_is_gone_took_rows_from_the_next(self):
        for i in (3, 4):
            self.path(f"g/{i}.tsv", b"%d\tx\t1\n%d\ty\t1\n" % (i, i))
        folder = os.path.dirname(self.path("g/end", b""))
        for gone in "2.tsv", "g/2.tsv", os.path.join(folder, "2.tsv"):
            self.assertEqual(self.read(folder, "--grows", "--until", "end", "--from",
                                       f"0,6,1,1,{gone}"), ["3\tx\t1", "3\ty\t1", "4\tx\t1",
                                                           "4\ty\t1"])
        self.assertEqual(self.read(folder, "--grows", "--until", "end", "--from",
                                   "0,6,1,1,elsewhere/3.tsv"),
                         ["3\ty\t1", "4\tx\t1", "4\ty\t1"])

    def test_offsets_lost_files_that_appeared_out_of_order(self):
        folder = self.path("g")
        for i in (3, 5):
            self.path(f"g/{i}.tsv", ROWS)
        with subprocess.Popen([PROGRAM, *SCHEMA, folder, "--grows", "--offsets", "--until", "end"],
                              stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as going:
            time.sleep(0.3)
            self.path("g/4.tsv", ROWS)
            time.sleep(0.3)
            self.path("g/end", b"") # it would end here
            said = going.communicate(timeout=60)[1].decode()
        # Both may have appeared at once, on a machine that is busy: then they are in order.
        if "stopped" in said or going.returncode:
            self.assertIn("`4.tsv` appeared in", said)

    def test_a_folder_that_is_not_there_was_waited_for(self):
        self.refused("there is no such folder, and it is no pattern", self.path("none"), "--grows")
        folder = self.path("g")
        os.mkdir(folder)
        with subprocess.Popen([PROGRAM, *SCHEMA, folder, "--grows"], stderr=subprocess.PIPE,
                              stdout=subprocess.DEVNULL) as going:
            time.sleep(0.2)
            os.rmdir(folder)
            self.assertIn("there is no such folder", going.communicate(timeout=60)[1].decode())
        self.assertEqual(going.returncode, 1)

    def test_the_standard_input_named_twice_was_read_in_pieces(self):
        self.refused("the standard input, `-`, is named 2 times", "-", self.path("a.tsv", ROWS), "-")

    def test_half_a_character_became_another_one(self):
        texts = [r"a\ud800b", r"\udc00", r"\ud83d\ud83d", r"\uD83D\u0041", r"\ud83d", r"\ud83d\ude00",
                 r"\\ud800", r"\u00e9\uD83D\uDE00", r"\\\ud800", r"\ud83d\\ude00"]
        path = self.path("a.json", "".join('{"t":"%s","n":1}\n' % text for text in texts).encode())
        lines = self.read(path, schema=["--schema", "t:text n:i8"])
        bad = [int(line.split(":")[1]) for line in lines if line.startswith("bad")]
        self.assertEqual(sorted(bad), [1, 2, 3, 4, 5, 9, 10])
        rows = [line.encode("latin-1").decode() for line in lines if not line.startswith("bad")]
        self.assertEqual(sorted(rows), sorted(["\U0001f600\t1", r"\\ud800" + "\t1", "\u00e9\U0001f600\t1"]))

    def test_a_link_that_leads_nowhere_was_left_out(self):
        os.makedirs(self.path("g"), exist_ok=True)
        os.symlink("nothing", self.path("g/a.tsv"))
        self.refused("cannot open `" + self.path("g/a.tsv"), self.path("g"))

    def test_an_open_quote_held_up_lines_that_are_rows_of_their_own(self):
        path = self.path("a.csv", b'1,"ann,10\n' + b"2,bob,20\n" * 100)
        self.assertEqual(self.read(path, "--line-by-line", "--row-bytes", "100"),
                         ["2\tbob\t20"] * 100 +
                         [f"bad\t{path}:1: field 2 `user`: its quote is not closed"])

    def test_plain_lines(self):
        texts = [b'GET "/a\tb" \\x16\\x03, 200', b"", b"{}", b"x" * 70, b"\xff\0", b'"open,', b"\r"]
        texts += [b"line %d" % i for i in range(600)]
        data, folder = b"\n".join(texts), self.path("in")
        self.path("in/a.log", data)
        self.path("in/b.csv.gz", gzip.compress(data + b"\r\n"))
        self.path("in/c.json", b"\xef\xbb\xbf" + data)

        def lines_of(*arguments, **more):
            return self.read(*arguments, "--format", "lines", "--partition", "part", **more,
                             schema=["--schema", "line:text part:u8"])

        def printed(text, part): # the CR is a part of its line's end
            text = text.decode("latin-1").replace("\\", "\\\\").replace("\t", "\\t")
            return text.replace("\r", "") + f"\t{part}"
        expected = [[printed(text, part) for text in texts] for part in range(3)]
        self.assertEqual(lines_of(self.path("in/*")), sorted(sum(expected, [])))
        self.assertEqual(lines_of(folder, "--split"), sorted(sum(expected, [])))
        self.assertEqual(lines_of("-", stdin=data), sorted(expected[0]))
        self.path("in/z", b"")
        grows = [folder, "--grows", "--until", "z", "--epoch-records", "150", "--marked"]
        lines = lines_of(*grows, "--offsets")
        at = random.choice([line.split("\t") for line in lines
                            if "\toffset\t" in line and int(line.split("\t")[5]) % 150 == 0])
        again = lines_of(*grows, "--from", f"0,{at[4]},{at[5]},{at[6]},{at[3]}")
        self.assertEqual(again, [line for line in lines if "\toffset\t" not in line and
                                 int(line.split("\t")[0]) >= int(at[5]) // 150])
        self.assertIn(f"bad\t{folder}/a.log:4: the line has more than 60 bytes",
                      lines_of(self.path("in/a.log"), "--row-bytes", "60"))
        self.refused("`row` is to have one text for a line, and no other columns", folder,
                     "--format", "lines")
        self.refused("lines have no columns that a header could name", folder, "--header",
                     "--format", "lines", schema=["--schema", "line:text"])

    def test_a_fifo_that_nobody_wrote_to_held_up_its_worker(self):
        fifo = self.path("a.tsv")
        os.mkfifo(fifo)
        self.refused("field 1 `ts`: x does not read", fifo, self.path("b.tsv", b"x\n"), "--strict")
        for way in WAYS[:2]:
            with subprocess.Popen([PROGRAM, *SCHEMA, fifo, *way], stdout=subprocess.PIPE) as reads:
                with open(fifo, "wb") as file:
                    for at in range(0, len(ROWS), 7):
                        file.write(ROWS[at:at + 7])
                        file.flush()
                self.assertEqual(plain(reads.communicate(timeout=60)[0]), self.ROWS)

    def test_a_folder_that_grows(self):
        for number, way in enumerate(WAYS[:3]):
            folder = self.path(f"grows{number}")
            os.mkdir(folder)
            self.path(f"grows{number}/00.tsv", ROWS)

            def write():
                for i in range(1, 6):
                    time.sleep(random.choice([0, 0.01]))
                    self.path(f"grows{number}/{i:02}.tsv", b"%d\tx\t%d\n" % (i, i))
                    self.path(f"grows{number}/.{i:02}.tmp", b"not this")
                self.path(f"grows{number}/99.end", b"nor this")
            writer = threading.Thread(target=write)
            writer.start()
            done = self.run_once([*SCHEMA, folder, "--grows", "--until", "99.end", "--partitions",
                                  "3", "--read-bytes", "10"], way)
            writer.join()
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(plain(done.stdout), sorted(self.ROWS + [f"{i}\tx\t{i}" for i in range(1, 6)]))

    def test_a_folder_that_grew_and_where_to_go_on(self):
        for i in range(6):
            self.path(f"g/{i}.tsv", b"".join(b"%d\tx\t1\n" % (10 * i + j) for j in range(4)))
        self.path("g/end", b"")
        options = [self.path("g/*"), "--grows", "--until", "end", "--epoch-records", "3"]
        lines = self.read(*options, "--offsets", "--marked")
        self.assertEqual([line for line in lines if "offset" not in line], sorted(
            f"{(4 * i + j) // 3}\t{10 * i + j}\tx\t1" for i in range(6) for j in range(4)))
        offsets = sorted((int(line.split("\t")[5]), line.split("\t")) for line in lines
                         if "offset" in line)
        records, (_, _, part, file, size, _, count) = random.choice(offsets)
        again = self.read(*options, "--marked", "--from", f"{part},{size},{records},{count},{file}")
        self.assertEqual(again, sorted(f"{(4 * i + j) // 3}\t{10 * i + j}\tx\t1" for i in range(6)
                                       for j in range(4) if 4 * i + j >= records))

    def test_processes(self):
        paths = [self.path(f"{name}.tsv", ROWS) for name in "abcde"]
        command = [WEIR, "launch", "-n", "2", "-w", "2", "--no-prefix", "--", PROGRAM, *SCHEMA, *paths]
        for more in [], ["--split"]:
            done = subprocess.run(command + more, capture_output=True, check=False, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(plain(done.stdout), sorted(self.ROWS * 5))


if __name__ == "__main__":
    print(f"WEIR_SEED={SEED}")
    random.seed(SEED)
    unittest.main()
