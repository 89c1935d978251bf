#!/usr/bin/env python3
"""Rows that come as lines through sockets: from several who send at once, whole and in pieces, from
some that break off, with lines that are no rows, faster than they are wanted.

    receive.py        SEED in the environment repeats the choices
"""
import os
import random
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

PROGRAM = os.environ["WEIR_SINKS_PROGRAM"]
WEIR = os.path.join(os.environ["WEIR_BUILD"], "weir")
WAYS = ([1, 1], [1, 2], [1, 4], [2, 2])  # processes, and workers of each
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))
SANITIZED = "sanitize" in os.environ.get("WEIR_CFLAGS", "")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def dialled(url):
    host, port = url.removeprefix("tcp://").split(":")
    for _ in range(2000):
        try:
            return socket.create_connection((host, int(port)), timeout=20)
        except ConnectionRefusedError:
            time.sleep(0.01)
    raise TimeoutError(url)


def send_in_pieces(connection, text, chance):
    at = 0
    while at < len(text):
        piece = chance.choice([1, 10, 1000, 100000])
        connection.sendall(text[at:at + piece])
        at += piece
        if chance.random() < 0.1:
            time.sleep(0.001)


class Receive(unittest.TestCase):
    def start(self, *words, way=(1, 1), what="receive"):
        options = [str(word) for word in words if not str(word).startswith("tcp:")]
        urls = [word for word in words if str(word).startswith("tcp:")]
        line = [PROGRAM, "-w", str(way[1]), *options, what, *urls]
        if way[0] > 1:
            line = [WEIR, "launch", "-n", str(way[0]), "--no-prefix", "--", *line]
        running = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(running.stdout.close)
        self.addCleanup(running.stderr.close)
        return running

    def ended(self, running, code=0):
        printed, said = running.communicate(timeout=60)
        self.assertEqual(running.returncode, code, said)
        return printed.decode(), said.decode()

    def test_several_who_send_at_once(self):
        chance = random.Random(SEED)
        for way in WAYS:
            url = free_port()
            running = self.start("--listens", "--in-all", 5, url, way=way)
            texts = ["".join(f"{i}\tword{who} {'x' * chance.randrange(30)}\n"
                             for i in range(chance.randrange(1, 3000))) for who in range(5)]
            threads = []
            for text in texts:
                connection = dialled(url)

                def send(connection=connection, text=text, seed=chance.random()):
                    with connection:
                        send_in_pieces(connection, text.encode(), random.Random(seed))
                threads.append(threading.Thread(target=send))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            printed, said = self.ended(running)
            self.assertEqual(said, "")
            got = [line.split("\t", 1) for line in printed.splitlines()]
            for who, text in enumerate(texts): # in the order in which they dialled
                lines = sorted(line for part, line in got if part == str(who))
                self.assertEqual(lines, sorted(text.splitlines()), (way, who))
            self.assertEqual({part for part, _ in got}, set("01234"))

    def test_several_that_are_dialled(self):
        for way in WAYS:
            servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
            urls = [f"tcp://127.0.0.1:{server.getsockname()[1]}" for server in servers]
            running = self.start(*urls, way=way)
            for who, server in enumerate(servers):
                with server:
                    server.settimeout(20)
                    connection, _ = server.accept()
                    with connection:
                        connection.sendall(b"".join(b"%d\tof %d\n" % (i, who) for i in range(99)))
            printed, _ = self.ended(running)
            self.assertEqual(sorted(printed.splitlines()),
                             sorted(f"{who}\t{i}\tof {who}" for who in range(3) for i in range(99)))

    def send_all(self, text, *options):
        url = free_port()
        running = self.start("--listens", *options, url)
        with dialled(url) as connection:
            peer = f"127.0.0.1:{connection.getsockname()[1]}"
            connection.sendall(text)
        return peer, running

    def test_lines_that_are_no_rows(self):
        peer, running = self.send_all(b"1\tgood\nx\tbad\n\n3\tgood\n4\n5\ttoo\tmany\n6\t" +
                                      b"l" * 5000 + b"\n7\tgood\n", "--row-bytes", 1000)
        printed, said = self.ended(running)
        self.assertEqual(printed, "0\t1\tgood\n0\t3\tgood\n0\t7\tgood\n")
        reasons = [line.split("\t")[-1] for line in said.splitlines()]
        self.assertEqual(sorted(reason[:len(peer) + 2] for reason in reasons),
                         [f"{peer}:{line}" for line in (2, 3, 5, 6, 7)])

    def test_other_formats(self):
        _, running = self.send_all(b'word,number\n"a, b",1\n"c\nd",2\n', "--format", "csv",
                                   "--header")
        self.assertEqual(self.ended(running)[0], "0\t1\ta, b\n0\t2\tc\\nd\n")
        _, running = self.send_all(b'{"number":1,"word":"a"}\n{"number":"x"}\n', "--format",
                                   "json")
        printed, said = self.ended(running)
        self.assertEqual(printed, "0\t1\ta\n")
        self.assertEqual(said.count("\n"), 1)

    def test_a_header_that_does_not_fit(self):
        _, running = self.send_all(b"word,count\na,1\n", "--format", "csv", "--header")
        self.assertIn("count", self.ended(running, 1)[1])

    def test_others_wait_until_there_is_a_place(self):
        url = free_port()
        running = self.start("--listens", "--in-all", 3, "--at-once", 1, url)
        with dialled(url) as first, dialled(url) as second, dialled(url) as third:
            third.sendall(b"3\tthird\n")
            second.sendall(b"2\tsecond\n")
            third.shutdown(socket.SHUT_WR)
            second.shutdown(socket.SHUT_WR)
            time.sleep(0.05)
            self.assertIsNone(running.poll())
            first.sendall(b"1\tfirst\n")
            first.shutdown(socket.SHUT_WR)
            printed, _ = self.ended(running)
        self.assertEqual(printed, "0\t1\tfirst\n0\t2\tsecond\n0\t3\tthird\n")

    def test_a_connection_that_breaks(self):
        url = free_port()
        running = self.start("--listens", "--in-all", 2, "--epoch-ms", 10, url)
        with dialled(url) as broken:
            peer = f"127.0.0.1:{broken.getsockname()[1]}"
            broken.sendall(b"1\twhole\n2\tha")
            time.sleep(0.3) # it is read, or lost
            broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with dialled(url) as other:
            other.sendall(b"3\tother\n")
        printed, said = self.ended(running)
        self.assertEqual(printed, "0\t1\twhole\n1\t3\tother\n")
        self.assertIn(f"{peer}:2: the connection broke here", said)

    def test_half_a_row_of_who_was_killed_was_a_row(self):
        url = free_port()
        running = self.start("--listens", "--in-all", 2, url)
        for half in b"2\t1000", b"\n3\t": # the system closes what was open
            with dialled(url) as killed:
                killed.sendall(b"1\twhole\n" + half)
        printed, said = self.ended(running)
        self.assertEqual(printed.count("1\twhole"), 2, printed)
        self.assertEqual(printed.count("\n"), 2, printed)
        self.assertEqual(said.count("the connection ended within this line: it has no newline"), 2)

    def test_one_that_was_dialled_and_breaks(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
            running = self.start(url)
            connection, _ = server.accept()
            connection.sendall(b"1\twhole\n2\tha")
            time.sleep(0.1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            said = self.ended(running, 1)[1]
        self.assertIn(f"the connection with {url} broke: connection reset by peer", said)

    def test_epochs_pass_while_nothing_comes(self):
        url = free_port()
        with tempfile.TemporaryDirectory() as folder:
            running = self.start("--listens", "--epoch-ms", 20, "--to", folder, url)
            with dialled(url) as connection:
                connection.sendall(b"1\tfirst\n")
                while not any(name.startswith("got") for name in os.listdir(folder)):
                    self.assertIsNone(running.poll())
                    time.sleep(0.01)
                connection.sendall(b"2\tsecond\n")
            self.ended(running)
            names = sorted(os.listdir(folder))
            texts = []
            for name in names:
                with open(os.path.join(folder, name), encoding="ascii") as file:
                    texts.append(file.read())
            self.assertEqual(texts, ["0\t1\tfirst\n", "0\t2\tsecond\n"])

    def test_who_sends_waits_for_who_reads(self):
        """Through weir, from one who sends as fast as he can to one who does not read."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            out = f"tcp://127.0.0.1:{server.getsockname()[1]}"
            url = free_port()
            running = self.start("--listens", url, out, way=(1, 2), what="relay")
            lines = b"".join(b"%d\t%d\n" % (i, i) for i in range(100000))
            rounds = 50 if not SANITIZED else 10
            with dialled(url) as source:
                source.settimeout(0.7)
                sent = 0
                try:
                    while sent < rounds * len(lines):
                        sent += source.send(lines[sent % len(lines):][:1 << 16])
                except TimeoutError:
                    pass
                self.assertLess(sent, 40 << 20)
                self.assertLess(self.memory(running.pid), (64 << 20) if not SANITIZED else 1 << 40)
                target, _ = server.accept()
                got = []
                reader = threading.Thread(target=self.read_all, args=(target, got))
                reader.start()
                source.settimeout(20)
                rest = (lines * rounds)[sent:]
                source.sendall(rest)
                source.shutdown(socket.SHUT_WR)
                reader.join()
                target.close()
            self.ended(running)
            self.assertEqual(b"".join(got), lines * rounds)

    @staticmethod
    def read_all(connection, got):
        while piece := connection.recv(1 << 20):
            got.append(piece)

    @staticmethod
    def memory(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))

    def test_mistakes(self):
        self.assertIn("is beyond this machine", self.ended(self.start("tcp://192.0.2.1:80"), 1)[1])
        self.assertIn("there is no address", self.ended(self.start(), 1)[1])
        urls = [free_port(), free_port()]
        self.assertIn("it can listen at one address, not at 2",
                      self.ended(self.start("--listens", *urls), 1)[1])
        self.assertIn("nobody listens there",
                      self.ended(self.start("--patience", 20, urls[0]), 1)[1])


print(f"SEED={SEED}")
unittest.main()
