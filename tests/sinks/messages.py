#!/usr/bin/env python3
"""Rows as messages of nng, from one weir to another: pushed and pulled, published and subscribed."""
import os
import socket
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.environ["WEIR_SINKS_PROGRAM"]
WEIR = os.path.join(os.environ["WEIR_BUILD"], "weir")
SANITIZED = "sanitize" in os.environ.get("WEIR_CFLAGS", "")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def ticks(epochs, rows):
    return sorted((epoch, row) for epoch in range(epochs) for row in range(rows))


def rows_of(printed):
    return [tuple(map(int, line.split("\t"))) for line in printed.splitlines()]


class Messages(unittest.TestCase):
    def start(self, what, *words, way=(1, 1)):
        options = [str(word) for word in words if "://" not in str(word)]
        urls = [word for word in words if "://" in str(word)]
        line = [PROGRAM, "-w", str(way[1]), "--messages", *options, what, *urls]
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

    def test_pushed_and_pulled(self):
        for way in ([1, 1], [1, 4], [2, 2]):
            for pull_listens in (True, False):
                url = free_port()
                pull = self.start("receive", url, *["--listens"] * pull_listens, way=way)
                push = self.start("send", url, *["--listens"] * (not pull_listens), "--epochs", 30,
                                  "--rows", 50, "--end-mark", "--rows-each", 7, way=way)
                self.ended(push)
                printed, said = self.ended(pull)
                self.assertEqual(rows_of(printed), ticks(30, 50), (way, pull_listens))
                self.assertEqual(said, "")

    def test_a_message_for_each_row_and_json(self):
        with tempfile.TemporaryDirectory() as folder:
            url = f"ipc://{folder}/socket"
            pull = self.start("receive", url, "--listens", "--format", "json")
            push = self.start("send", url, "--epochs", 3, "--rows", 500, "--end-mark", "--format",
                              "json")
            self.ended(push)
            self.assertEqual(rows_of(self.ended(pull)[0]), ticks(3, 500))

    def test_several_push_to_one(self):
        url = free_port()
        pull = self.start("receive", url, "--listens", "--in-all", 3)
        pushing = [self.start("send", url, "--epochs", 20, "--rows", 20, "--end-mark")
                   for _ in range(3)]
        for push in pushing:
            self.ended(push)
        self.assertEqual(rows_of(self.ended(pull)[0]), # each three times
                         [(3, epoch, row) for epoch, row in ticks(20, 20)])

    def test_nobody_pulls_for_a_while(self):
        """Then the rows wait where they are made."""
        url = free_port()
        epochs = 100 if not SANITIZED else 40
        push = self.start("send", url, "--listens", "--epochs", epochs, "--rows", 4000, "--end-mark",
                          "--rows-each", 1000)
        time.sleep(0.5)
        self.assertIsNone(push.poll())
        with open(f"/proc/{push.pid}/status", encoding="ascii") as status:
            memory = next(int(line.split()[1]) << 10 for line in status
                          if line.startswith("VmRSS"))
        if not SANITIZED:
            self.assertLess(memory, 48 << 20)
        pull = self.start("receive", url)
        self.ended(push)
        self.assertEqual(len(rows_of(self.ended(pull)[0])), epochs * 4000)

    def test_published(self):
        """Subscribers get what is published while they are there, in order."""
        url = free_port()
        listener = self.start("receive", url, "--publish", "--listens")
        publisher = self.start("send", url, "--publish", "--epochs", 300, "--rows", 500,
                               "--rows-each", 2, "--end-mark")
        self.ended(publisher)
        try:
            printed, said = listener.communicate(timeout=5)
            self.assertEqual(listener.returncode, 0, said)
            got = rows_of(printed.decode())
            self.assertEqual(got, sorted(set(got)))
            self.assertTrue(set(got) <= set(ticks(300, 500)))
        except subprocess.TimeoutExpired: # the mark was lost, which may be
            listener.kill()
            listener.communicate()

    def test_mistakes(self):
        self.assertIn("is beyond this machine",
                      self.ended(self.start("send", "tcp://192.0.2.1:80"), 1)[1])
        self.assertIn("is beyond this machine",
                      self.ended(self.start("receive", "tcp://0.0.0.0:80", "--listens"), 1)[1])
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
            self.assertIn(f"cannot listen at {url}: Address in use",
                          self.ended(self.start("send", url, "--listens"), 1)[1])
        self.assertIn("neither a header nor partitions",
                      self.ended(self.start("receive", free_port(), "--header"), 1)[1])


unittest.main()
