#!/usr/bin/env python3
"""Processes that do not belong together: each is told so at once, with both values named, and all
of the cluster end. And strangers at the port, who change nothing."""
import os
import random
import socket
import struct
import subprocess
import threading
import time
import unittest

from support.clustering import (PROGRAM, SLOW, Cluster, ClusterTest, addresses, dial, environment,
                                main)

KEY = "0123456789abcdef0123456789abcdef\n"
OTHER_KEY = "fedcba9876543210fedcba9876543210\n"


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def hello(**more):
    """What a process says first, as net/handshake.c writes it (proto/handshake.proto)."""
    says = {"protocol": 1, "byte_order": b"\x04\x03\x02\x01", "version": b"0.1.0",
            "cluster": b"weir", "generation": 0, "process": 1, "processes": 2, "workers": 1,
            "lane": 0, "keyed": 0, "aes": 0, "instance": 7, "nonce": bytes(32), **more}
    body = b""
    for field, value in enumerate(says.values(), 1):
        if field == 12:
            body += varint(field << 3 | 1) + struct.pack("<Q", value)
        elif isinstance(value, bytes):
            body += varint(field << 3 | 2) + varint(len(value)) + value
        elif value:
            body += varint(field << 3) + varint(value)
    return b"weir" + bytes([1, 1]) + struct.pack("<H", len(body)) + body


def hear(link, seconds=3):
    """All that comes until the other side closes."""
    link.settimeout(seconds)
    heard = b""
    try:
        while more := link.recv(4096):
            heard += more
    except (socket.timeout, ConnectionError):
        pass
    return heard


class Refusals(ClusterTest):
    def refused(self, cluster, *patterns, seconds=3.0):
        """All end with status 1, soon, and somebody says each of the patterns."""
        cluster.wait(20)
        self.assertEqual(set(cluster.codes()), {1}, cluster.said())
        took = max(one.ended - one.began for one in cluster.all())
        for pattern in patterns:
            for index, said in cluster.said().items():
                self.assertRegex(said, pattern, f"process {index}")
        print(f"    {took:.2f} s: {cluster.all()[0].err!r}", flush=True)
        self.assertLess(took, seconds * SLOW)
        return cluster

    def test_cluster_names(self):
        for transport in self.each():
            cluster = Cluster(self, 2, transport, "--connect-timeout", 1,
                              own={0: ("--cluster", "blue"), 1: ("--cluster", "red")})
            self.refused(cluster, r"`blue`.*`red`|`red`.*`blue`", r"all processes need the same")

    def test_worker_counts(self):
        for transport in self.each():
            cluster = Cluster(self, 3, transport, "--connect-timeout", 2, own={2: ("-w", 3)})
            cluster.wait(20)
            self.assertEqual(cluster.codes(), [1, 1, 1])
            self.assertRegex("\n".join(cluster.said().values()),
                             r"process \d has (1 worker|3 workers), process \d has (1 worker|3 workers); all "
                             r"processes need the same")

    def test_process_counts(self):
        for transport in self.each():
            cluster = Cluster(self, 2, transport, skip=[1])
            cluster.count = 3
            cluster.processes[1] = cluster.start(1, "--hosts", ",".join(cluster.urls + ["ipc://x"]))
            self.refused(cluster, r"was told of [23] processes.*was told of [23] processes")

    def test_the_same_index_twice(self):
        for transport in self.each():
            cluster = Cluster(self, 3, transport, "--connect-timeout", 3, skip=[0, 2])
            places = [cluster.urls[2], addresses(transport, 1, self.folder.name)[0]]
            for extra, place in zip("ab", places):
                hosts = ",".join(cluster.urls[:2] + [place])
                cluster.processes[extra] = cluster.start(2, "--hosts", hosts)
            time.sleep(0.3)
            cluster.processes[0] = cluster.start(0)
            cluster.wait(20)
            self.assertEqual(set(cluster.codes()), {1}, cluster.said())
            self.assertRegex("\n".join(cluster.said().values()),
                             r"two processes were started as process 2 of 3.*; each needs an index "
                             r"of its own")
            took = max(one.ended - one.began for one in cluster.all())
            print(f"    {took:.2f} s: {cluster[0].err!r}", flush=True)
            self.assertLess(took, 5 * SLOW)

    def test_the_same_place_twice(self):
        for transport in self.each():
            cluster = Cluster(self, 2, transport, skip=[1], own={0: ("--connect-timeout", 3)})
            time.sleep(0.3)
            again = cluster.start(0, "--connect-timeout", 3)
            self.assertTrue(again.finish(time.monotonic() + 10))
            self.assertEqual(again.code, 1)
            self.assertRegex(again.err, r"another process (uses the address|listens there); "
                                         r"choose another")
            print(f"    {again.ended - again.began:.2f} s: {again.err!r}", flush=True)
            cluster.processes[1] = cluster.start(1)
            cluster.wait(20)
            self.assertEqual(cluster.codes(), [0, 0], cluster.said())

    def test_a_missing_process_is_named(self):
        for transport in self.each():
            cluster = Cluster(self, 4, transport, "--connect-timeout", 1, skip=[1, 3])
            cluster.wait(10)
            self.assertEqual(cluster.codes(), [1, 1])
            for index in (0, 2):
                said = cluster[index].err
                self.assertRegex(said, r"process 1 \(.*\)(.*), process 3 \(.*\)(.*) have not come "
                                       r"within 1 s: are they started, and can they be reached from "
                                       r"here\?")
                took = cluster[index].ended - cluster[index].began
                print(f"    {took:.2f} s: {said!r}", flush=True)
                self.assertTrue(0.9 <= took < 3, took)

    def test_a_missing_key(self):
        key = self.write("key", KEY)
        for transport in self.each():
            cluster = Cluster(self, 2, transport, "--connect-timeout", 1,
                              own={0: ("--key-file", key)})
            cluster.wait(20)
            self.assertEqual(cluster.codes(), [1, 1])
            self.assertIn("process 0 has a shared key, process 1 has none; give all of them the "
                          "same key", "\n".join(cluster.said().values()))
            print(f"    {cluster.said()}", flush=True)

    def test_a_wrong_key(self):
        key, other = self.write("key", KEY), self.write("other", OTHER_KEY)
        for transport in self.each():
            cluster = Cluster(self, 2, transport, "--connect-timeout", 1,
                              own={0: ("--key-file", key), 1: ("--key-file", other)})
            cluster.wait(20)
            self.assertEqual(cluster.codes(), [1, 1])
            for said in cluster.said().values():
                self.assertIn("have different keys; give all of them the same key", said)
            print(f"    {cluster.said()}", flush=True)

    def test_key_files(self):
        bad = [(self.write("open", KEY, 0o644), "0644"), (self.write("short", "short\n"), "16"),
               (self.folder.name + "/none", "No such file")]
        for path, why in bad:
            began = time.monotonic()
            found = subprocess.run([PROGRAM, "--processes", "2", "--process", "0", "--key-file",
                                    path], env=environment(), stderr=subprocess.PIPE, timeout=20)
            said = found.stderr.decode()
            print(f"    {time.monotonic() - began:.2f} s: {said!r}", flush=True)
            self.assertIn(found.returncode, (1, 2))
            self.assertIn(why, said)
            self.assertIn(path, said)
            self.assertNotIn(KEY.strip(), said)
        found = subprocess.run([PROGRAM, "--processes", "2", "--process", "0"], timeout=20,
                               env=environment(WEIR_KEY="short"), stderr=subprocess.PIPE)
        self.assertIn(b": the shared key has 5 bytes, at least 16", found.stderr)
        key = self.write("key", KEY)
        for transport in self.each():
            cluster = Cluster(self, 2, transport, "--key-file", key).wait(20)
            self.assertEqual((cluster.codes(), cluster[0].out), ([0, 0], self.alone()))

    def test_another_version(self):
        # Said by hand. With the cluster's name it is one of ours that can never fit.
        for transport in self.each():
            for says, why in (({"version": b"9.9.9"},
                               r"process 0 runs weir 0\.1\.0, process 1 runs weir 9\.9\.9"),
                              ({"protocol": 2},
                               r"process 0 speaks protocol 1, process 1 speaks protocol 2"),
                              ({"byte_order": b"\x01\x02\x03\x04"},
                               r"process 0 stores 01020304 as .*, process 1")):
                cluster = Cluster(self, 2, transport, "--connect-timeout", 5, skip=[1])
                link = dial(cluster.urls[0])
                link.sendall(hello(**says))
                heard = hear(link)
                link.close()
                self.refused(cluster, why)
                self.assertRegex(heard.decode(errors="replace"), why)

    def test_a_hello_of_hand_is_answered(self):
        # Otherwise the refusals above would prove nothing.
        cluster = Cluster(self, 2, "ipc", "--connect-timeout", 2, skip=[1])
        link = dial(cluster.urls[0])
        link.sendall(hello())
        self.assertRegex(hear(link, 0.5), rb"(?s)^weir\x01\x01.*0\.1\.0.*weir\x02\x01")
        link.close()
        cluster.kill()

    def test_strangers_while_it_opens(self):
        # They neither end it nor keep it from opening; they get no memory to speak of.
        draw = random.Random(4)
        whats = [b"GET / HTTP/1.1\r\n\r\n", b"weir" + bytes([1, 1, 255, 255]) + bytes(70000),
                 bytes(1 << 20), draw.randbytes(300), b"", b"weir", hello(cluster=b"other"),
                 hello()[:40], b"weir\x02\x01\x00\x00", hello(processes=1000, process=999)[:8],
                 b"\xff" * 8 + struct.pack("<Q", 1 << 62)]
        expected = self.alone()
        for transport in self.each():
            cluster = Cluster(self, 2, transport, skip=[1])
            dial(cluster.urls[0]).close()
            before = cluster[0].resident()
            links = []
            for i in range(200):
                link = dial(cluster.urls[0])
                link.settimeout(0.2)
                try:
                    link.sendall(whats[i % len(whats)])
                except OSError:
                    pass
                links.append(link)
            grown = cluster[0].resident() - before
            cluster.processes[1] = cluster.start(1)
            cluster.wait(20)
            for link in links:
                link.close()
            self.assertEqual(cluster.codes(), [0, 0], cluster.said())
            self.assertEqual(cluster[0].out, expected)
            self.assertLessEqual(cluster[0].err.count("turned away"), 3)
            print(f"    200 strangers: {grown >> 10} KB; {cluster[0].err!r}", flush=True)
            self.assert_memory(grown, 8 << 20, "process 0")

    def test_a_flood_while_it_opens(self):
        # More than there is room for at once, and without a pause.
        for transport in self.each(("tcp", "ipc")):
            cluster = Cluster(self, 3, transport, skip=[1, 2])
            dial(cluster.urls[0]).close()
            flooding, count = True, [0]

            def flood():
                links = []
                while flooding:
                    try:
                        links.append(dial(cluster.urls[0], 0))
                    except OSError:
                        time.sleep(0.001)
                    count[0] += 1
                    if len(links) > 100:
                        links.pop(0).close()
                for link in links:
                    link.close()

            threads = [threading.Thread(target=flood) for _ in range(2)]
            for thread in threads:
                thread.start()
            time.sleep(0.2)
            for i in (1, 2):
                cluster.processes[i] = cluster.start(i)
            for one in cluster.all():
                one.finish(time.monotonic() + 10)
            flooding = False
            for thread in threads:
                thread.join()
            cluster.wait(30)
            took = max(one.ended for one in cluster.all()) - cluster[2].began
            print(f"    {took:.2f} s, {count[0]} strangers: {cluster[0].err!r}", flush=True)
            self.assertEqual(cluster.codes(), [0, 0, 0], cluster.said())

    @unittest.skipIf(os.geteuid() != 0, "needs to be another user, too")
    def test_another_user(self):
        # Files of sockets are for one user; names that are no files are as well, though all users
        # can dial them, and take one first.
        for transport, more in (("abstract", []), ("abstract", ["--nng"]), ("ipc", [])):
            cluster = Cluster(self, 2, transport, *more, skip=[1])
            dial(cluster.urls[0]).close()
            child = os.fork()
            if child == 0:
                os.setuid(65534)
                try:
                    link = dial(cluster.urls[0], 0)
                    link.sendall(hello(workers=9))
                    os._exit(1 if hear(link) else 0)
                except OSError:
                    os._exit(0)
            self.assertEqual(os.waitpid(child, 0)[1], 0, "it was answered")
            cluster.processes[1] = cluster.start(1)
            cluster.wait(20)
            self.assertEqual(cluster.codes(), [0, 0], cluster.said())
        cluster = Cluster(self, 2, "abstract", "--connect-timeout", 1, skip=[0, 1])
        taken = socket.socket(socket.AF_UNIX)
        self.addCleanup(taken.close)
        child = os.fork()
        if child == 0:
            os.setuid(65534)
            taken.bind("\0" + cluster.urls[0].split("://")[1])
            taken.listen(64)
            os._exit(0)
        os.waitpid(child, 0)
        for more in ([], ["--nng"]):
            cluster.processes[1] = cluster.start(1, *more)
            self.assertTrue(cluster[1].finish(time.monotonic() + 20))
            self.assertIn("not permitted: the socket belongs to another user", cluster[1].err)

    def test_strangers_afterwards(self):
        # Once all have come nobody listens.
        for transport in self.each():
            cluster = Cluster(self, 2, transport, "--rate", 2000, "--rows", 4000, "--report")
            cluster.wait_for_rows()
            with self.assertRaises(OSError):
                dial(cluster.urls[0], 0.2)
            cluster.wait(20)
            self.assertEqual(cluster.codes(), [0, 0], cluster.said())


main()
