#!/usr/bin/env python3
"""Consumers that are slower than those who feed them: memory stays within the budget, nothing is
lost, and afterwards all is as fast as before. And what happens when the disk has no room for what
waits. With --full, for a minute."""
import os
import resource
import subprocess
import sys
import threading
import time

from support.clustering import SLOW, TRANSPORTS, Cluster, ClusterTest, main

FULL = "--full" in sys.argv
MB = 1 << 20
# What a process has without rows: code, stacks, and the buffers of its links.
BASE_BYTES = 24 * MB


class Watch:
    """The most memory that each process has had, by looking every 10 ms."""

    def __init__(self, cluster):
        self.cluster, self.peak, self.going = cluster, {}, True
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while self.going:
            for index, one in list(self.cluster.processes.items()):
                self.peak[index] = max(self.peak.get(index, 0), one.resident())
            time.sleep(0.01)

    def end(self):
        self.going = False
        self.thread.join()
        return self.peak


def rate(reports, since_ms, until_ms):
    """Rows a second that workers took within a time."""
    total = 0.0
    for each in reports.values():
        inside = [one for one in each if since_ms <= one[0] <= until_ms]
        if len(inside) > 1 and inside[-1][0] > inside[0][0]:
            total += (inside[-1][1] - inside[0][1]) / (inside[-1][0] - inside[0][0]) * 1000
    return total


def gap(reports, least_ms):
    """When the first worker reported nothing for so long, and when all had done with that."""
    gaps = [(before, after) for each in reports.values()
            for (before, _), (after, _) in zip(each, each[1:]) if after - before > least_ms]
    return min(before for before, _ in gaps), max(after for _, after in gaps)


class Slow(ClusterTest):
    def sleep_under_load(self, transport, expected, words, sleep_ms, budget, workers=1):
        cluster = Cluster(self, 2, transport, *words, "--report", "--sleep-ms", sleep_ms,
                          "--sleep-in", 1, "--sleep-times", 1, "--sleep-after", 3000000,
                          workers=workers)
        watch = Watch(cluster)
        cluster.wait(120 + sleep_ms / 1000)
        peak = watch.end()
        self.assertEqual((cluster.codes(), cluster.said()), ([0, 0], {0: "", 1: ""}))
        self.assertEqual(cluster[0].out, expected)
        reports = cluster[1].taken()
        began, ended = gap(reports, 0.8 * sleep_ms)
        before, after = rate(reports, 0, began), rate(reports, ended, 1 << 62)
        shown = {index: f"{bytes_ / MB:.1f} MB" for index, bytes_ in peak.items()}
        print(f"    {workers} workers each, {sleep_ms} ms: memory {shown}; {before / 1e6:.2f} M "
              f"rows/s before, {after / 1e6:.2f} after", flush=True)
        for index, bytes_ in peak.items():
            self.assert_memory(bytes_, budget, f"process {index}")
        if SLOW == 1:
            self.assertGreater(after, before / 3)
        self.assertEqual(os.listdir(self.folder.name), [])

    def test_a_consumer_that_sleeps(self):
        rows = 60000000 if FULL else 16000000
        words = ("--rows", rows, "--epochs", 3)
        expected = self.alone(*words)
        for transport in self.each():
            for memory, budget in (("32M", 32 * MB), (None, BASE_BYTES + 24 * MB)):
                if memory is None and transport != "tcp":
                    continue
                limit = ("--memory", memory) if memory else ()
                self.sleep_under_load(transport, expected, words + limit + ("--spill", self.folder.name),
                                      60000 if FULL else 2500, budget)

    def test_a_consumer_that_is_always_slow(self):
        words = ("--rows", 400000, "--epochs", 3, "--memory", "24M")
        expected = self.alone(*words)
        cluster = Cluster(self, 3, "abstract", *words, "--sleep-ms", 20, "--sleep-in", 2)
        watch = Watch(cluster)
        cluster.wait(60)
        print(f"    memory {({i: f'{b / MB:.1f} MB' for i, b in watch.end().items()})}")
        self.assertEqual((cluster.codes(), cluster[0].out), ([0] * 3, expected), cluster.said())
        self.assert_memory(max(watch.peak.values()), 32 * MB, "all")


class Epochs(ClusterTest):
    def test_millions_of_epochs_while_one_is_busy(self):
        # What is merged meanwhile does not grow with their number, here and there.
        for transport in self.each(("tcp", "abstract")):
            cluster = Cluster(self, 2, transport, "--graph", "ticks", "--odd", 1, "--late-ms",
                              30000 if FULL else 2500)
            watch = Watch(cluster)
            cluster.wait(60)
            peak = watch.end()
            print(f"    {cluster[0].lines[0][1]}, {({i: f'{b / MB:.1f} MB' for i, b in peak.items()})}",
                  flush=True)
            self.assertEqual(cluster.codes(), [0, 0], cluster.said())
            self.assert_memory(max(peak.values()), 24 * MB, "all")


class Loops(ClusterTest):
    def test_feedback_across_processes(self):
        # Each row becomes 2^hops that go round between processes; memory has room for few.
        words = ("--graph", "loop", "--rows", 20000, "--epochs", 2, "--hops", 6)
        expected = self.alone(*words)
        for transport in self.each():
            for count, workers in ((2, 2), (3, 1)):
                cluster = Cluster(self, count, transport, *words, "--memory", "1M", "--spill",
                                  self.folder.name, workers=workers)
                watch = Watch(cluster)
                cluster.wait(60)
                took = max(one.ended - one.began for one in cluster.all())
                peak = max(watch.end().values())
                print(f"    {count} x {workers}: {took:.1f} s, {peak / MB:.1f} MB", flush=True)
                self.assertEqual((cluster.codes(), cluster[0].out), ([0] * count, expected),
                                 cluster.said())
                self.assert_memory(peak, BASE_BYTES + 8 * MB, "all")


class Disk(ClusterTest):
    # A loop multiplies what waits, so that it has to go to files.
    WORDS = ("--graph", "loop", "--rows", 100000, "--epochs", 1, "--hops", 6, "--memory", "2M")

    def stopped(self, cluster, why):
        cluster.wait(60)
        self.assertEqual(set(cluster.codes()), {1}, cluster.said())
        for index, one in cluster.processes.items():
            print(f"    {one.ended - one.began:.2f} s: {one.err!r}", flush=True)
            self.assertRegex(one.err, r"batches that wait exceed their part of --memory, and the "
                             r"rest cannot be written to a file in .*: " + why + r"; give --spill a "
                             r"directory with more room, or a larger --memory", f"process {index}")
            self.assertEqual(one.out, b"", "no answer is better than a wrong one")

    def test_a_limit_of_file_sizes(self):
        def limit():
            import signal
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (MB, MB))
        for transport in self.each():
            self.stopped(Cluster(self, 2, transport, *self.WORDS, "--spill", self.folder.name,
                                 preexec=limit), "File too large")

    def test_a_full_disk(self):
        disk = os.path.join(self.folder.name, "disk")
        os.mkdir(disk)
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none",
                                                disk], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("no small file system can be mounted here")
        self.addCleanup(subprocess.run, ["umount", disk], check=False)
        for transport in self.each():
            self.stopped(Cluster(self, 2, transport, *self.WORDS, "--spill", disk),
                         "No space left on device")

    def test_no_such_directory(self):
        cluster = Cluster(self, 2, "ipc", *self.WORDS, "--spill", "/nonexistent",
                          "--connect-timeout", 1)
        cluster.wait(20)
        self.assertEqual(cluster.codes(), [1, 1])
        self.assertIn("no file can be made in /nonexistent", cluster[0].err)


if FULL:
    sys.argv.remove("--full")
    del Loops, Disk
main()
