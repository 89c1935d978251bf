#!/usr/bin/env python3
"""Rows sent as lines to sockets: to who listens and to who dials, to slow readers, to readers that
go away and come again, to nobody."""
import os
import random
import socket
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.environ["WEIR_SINKS_PROGRAM"]
WEIR = os.path.join(os.environ["WEIR_BUILD"], "weir")
WAYS = ([1, 1], [1, 2], [1, 4], [2, 2])  # processes, and workers of each
SANITIZED = "sanitize" in os.environ.get("WEIR_CFLAGS", "")


def command(url, *options, way=(1, 1)):
    line = [PROGRAM, "-w", str(way[1]), *map(str, options), "send", url]
    return [WEIR, "launch", "-n", str(way[0]), "--", *line] if way[0] > 1 else line


def start(url, *options, way=(1, 1)):
    return subprocess.Popen(command(url, *options, way=way), stderr=subprocess.PIPE)


def listening():
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(20)
    return server, f"tcp://127.0.0.1:{server.getsockname()[1]}"


def dialled(url):
    host, port = url.removeprefix("tcp://").split(":")
    for _ in range(1000):
        try:
            return socket.create_connection((host, int(port)), timeout=20)
        except ConnectionRefusedError:
            time.sleep(0.01)
    raise TimeoutError(url)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def all_of(connection):
    connection.settimeout(20)
    pieces = []
    while piece := connection.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def ticks(epochs, rows):
    return [b"%d\t%d" % (epoch, row) for epoch in range(epochs) for row in range(rows)]


class Sockets(unittest.TestCase):
    def ended(self, running, code=0):
        _, said = running.communicate(timeout=60)
        self.assertEqual(running.returncode, code, said)
        return said.decode()

    def test_to_who_listens(self):
        for way in WAYS:
            for sort in ([], ["--unsorted"]):
                server, url = listening()
                with server:
                    running = start(url, "--epochs", 50, "--rows", 100, *sort, way=way)
                    connection, _ = server.accept()
                    with connection:
                        lines = all_of(connection).split(b"\n")
                    self.ended(running)
                self.assertEqual(lines.pop(), b"")
                if sort:
                    lines.sort(key=lambda line: tuple(map(int, line.split(b"\t"))))
                self.assertEqual(lines, ticks(50, 100), (way, sort))

    def test_to_who_dials(self):
        url = free_port()
        running = start(url, "--epochs", 5, "--rows", 10, "--listens", "--header", way=(1, 2))
        with dialled(url) as connection:
            self.assertEqual(all_of(connection).split(b"\n"),
                             [b"epoch\tnumber", *ticks(5, 10), b""])
        self.ended(running)

    def test_at_a_local_path(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "socket")
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(path)
                server.listen()
                running = start(f"ipc://{path}", "--epochs", 2, "--rows", 3, "--format", "json")
                connection, _ = server.accept()
                with connection:
                    lines = all_of(connection)
                self.ended(running)
        self.assertEqual(lines.split(b"\n")[0], b'{"epoch":0,"number":0}')
        self.assertEqual(lines.count(b"\n"), 6)

    def test_a_slow_reader_holds_the_stream_back(self):
        """Some 60 MB of lines, of which some MB are under way while nobody reads. (If times are
        sorted, and one worker is ahead of the other, its rows wait for that one's.)"""
        epochs, rows = (1500, 4000) if not SANITIZED else (200, 5000)
        for sort in ([], ["--unsorted"]):
            server, url = listening()
            with server:
                running = start(url, "--epochs", epochs, "--rows", rows, *sort,
                                way=(1, 2 if sort else 1))
                connection, _ = server.accept()
                with connection:
                    connection.recv(1000)
                    time.sleep(0.5)
                    before = self.memory(running.pid)
                    time.sleep(0.5)
                    after = self.memory(running.pid)
                    rest = 0
                    while piece := connection.recv(1 << 20):
                        rest += piece.count(b"\n")
                self.ended(running)
            self.assertLessEqual(epochs * rows - rest, 200, sort)
            if not SANITIZED:
                self.assertLess(after, 64 << 20, sort)
                self.assertLess(after - before, 8 << 20, sort)

    @staticmethod
    def memory(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))

    def test_readers_that_go_away(self):
        """Each gets whole lines from the first on, in order; what nobody got was under way."""
        chance = random.Random(1)
        epochs, rows = 2000, 1000
        url = free_port()
        running = start(url, "--epochs", epochs, "--rows", rows, "--listens", "--reconnect",
                        "--header")
        readers, got = 0, []
        while running.poll() is None:
            try:
                with dialled(url) as connection:
                    wanted = chance.randrange(1, 2 << 20) if readers < 4 else 1 << 40
                    text = bytearray()
                    while len(text) < wanted and (piece := connection.recv(1 << 16)):
                        text += piece
            except ConnectionError:
                continue
            if not text:
                break
            lines = text.split(b"\n")[:-1]
            self.assertEqual(lines[0], b"epoch\tnumber")
            numbers = [tuple(map(int, line.split(b"\t"))) for line in lines[1:]]
            places = [epoch * rows + number for epoch, number in numbers]
            self.assertEqual(places, list(range(places[0], places[0] + len(places))))
            got += places
            readers += 1
        self.ended(running)
        self.assertEqual(readers, 5)
        self.assertEqual(got[-1], epochs * rows - 1)
        self.assertEqual(got[0], 0)

    def test_a_reader_that_goes_away_for_good(self):
        server, url = listening()
        with server:
            running = start(url, "--rows", 1000)
            connection, _ = server.accept()
            connection.recv(1000)
            connection.close()
            said = self.ended(running, 1)
        self.assertIn("send_lines", said)
        self.assertIn(f"the connection with {url} broke", said)
        self.assertIn("may be lost", said)

    def test_nobody_answers(self):
        url = free_port()
        said = self.ended(start(url, "--patience", 50), 1)
        self.assertIn(f"cannot connect to {url}: connection refused: nobody listens there", said)

    def test_addresses(self):
        said = self.ended(start("tcp://192.0.2.1:80"), 1)
        self.assertIn("`tcp://192.0.2.1:80` is beyond this machine", said)
        said = self.ended(start("tcp://0.0.0.0:0", "--listens"), 1)
        self.assertIn("is beyond this machine", said)
        said = self.ended(start("file.txt"), 1)
        self.assertIn("'file.txt' is no address", said)
        said = self.ended(start("tls+tcp://127.0.0.1:80"), 1)
        self.assertIn("needs certificates", said)
        server, url = listening()
        with server:
            said = self.ended(start(url, "--listens"), 1)
        self.assertIn(f"cannot listen at {url}: another process uses the address", said)


unittest.main()
