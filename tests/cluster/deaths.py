#!/usr/bin/env python3
"""Processes that die, hang, or are stopped for a while, and links that are cut. It is noticed, in
time, and named; nobody hangs, and nothing is left."""
import re
import signal
import subprocess
import time

from support.clustering import TRANSPORTS, Cluster, ClusterTest, main

DEATH_S = 0.1  # noticed within
HANG_S = 3.0
FOREVER = ("--rows", 10**12, "--report")


class Deaths(ClusterTest):
    def check_survivors(self, cluster, gone, since, limit, *patterns):
        """All but those that are gone end with status 1 within the limit, and say why. A killed
        process is gone when the system has ended it, which may take a second on a busy machine."""
        cluster.wait(30)
        since = max([since] + [cluster[index].ended for index in gone])
        for index, one in cluster.processes.items():
            if index in gone:
                continue
            self.assertEqual(one.code, 1, one.err)
            self.assertTrue(any(re.search(pattern, one.err) for pattern in patterns), one.err)
            self.assert_within(one.ended - since, limit, f"process {index} has said so and ended")
        print(f"    {next(one.err for i, one in cluster.processes.items() if i not in gone)!r}")

    def test_a_killed_process(self):
        # In the middle of a full stream; every process once.
        for transport in self.each((*TRANSPORTS, "sockets", "nng")):
            for gone in range(3):
                cluster = Cluster(self, 3, transport, *FOREVER, workers=1 + gone % 2)
                cluster.wait_for_rows((gone + 1) % 3, 100000)
                since = cluster[gone].signal(signal.SIGKILL)
                self.check_survivors(cluster, [gone], since, 3 * DEATH_S,
                                     rf"process {gone} \(.*\): it is gone: .*; it died or was "
                                     r"killed", rf"process \d.*: it has given up: process {gone} ",
                                     rf"process \d stopped: process {gone} ")

    def test_a_killed_process_of_an_idle_cluster(self):
        # Workers sleep; the death itself has to wake them.
        for transport in self.each():
            cluster = Cluster(self, 2, transport, *FOREVER, "--rate", 1, "--sleep-ms", 0)
            cluster.wait_for_rows()
            time.sleep(0.7)
            since = cluster[1].signal(signal.SIGKILL)
            self.check_survivors(cluster, [1], since, 3 * DEATH_S, r"process 1 .* died or was kill")

    def test_two_killed_at_once(self):
        for transport in self.each():
            cluster = Cluster(self, 3, transport, *FOREVER)
            cluster.wait_for_rows(0, 100000)
            cluster[1].signal(signal.SIGKILL)
            since = cluster[2].signal(signal.SIGKILL)
            self.check_survivors(cluster, [1, 2], since, 3 * DEATH_S, r"process [12] .* died or")

    def test_a_stopped_process(self):
        # It is given up by the others, and says so itself when it goes on. All at once.
        clusters = [Cluster(self, 3, transport, *FOREVER) for transport in TRANSPORTS]
        for cluster in clusters:
            cluster.wait_for_rows(0, 100000)
        began = [cluster[2].signal(signal.SIGSTOP) for cluster in clusters]
        for cluster, since in zip(clusters, began):
            for index in (0, 1):
                self.assertTrue(cluster[index].finish(since + 20), cluster.said())
                self.assertEqual(cluster[index].code, 1)
                self.assertRegex(cluster[index].err, r"process 2 \(.*\) has been silent for \d\.\d s: "
                                 r"it hangs, is stopped or its network is cut")
                self.assert_within(cluster[index].ended - since, HANG_S, f"process {index} ended")
            print(f"    {cluster[0].err!r}")
            self.assertIsNone(cluster[2].code)
            since = cluster[2].signal(signal.SIGCONT)
            cluster.wait(20)
            self.assertEqual(cluster[2].code, 1, cluster.said())
            self.assertRegex(cluster[2].err, r"process [01] \(.*\)")
            self.assert_within(cluster[2].ended - since, 1.0, "the stopped one has ended")
            print(f"    {cluster[2].err!r}")

    def test_a_short_stop_is_no_death(self):
        words = ("--rows", 300000, "--rate", 100000)
        expected = self.alone(*words[:2])
        clusters = [Cluster(self, 2, transport, *words, "--report") for transport in TRANSPORTS]
        for number, pause in ((signal.SIGSTOP, 1.5), (signal.SIGCONT, 0)):
            for cluster in clusters:
                cluster.wait_for_rows(0, 1000)
                cluster[1].signal(number)
            time.sleep(pause)
        for cluster in clusters:
            cluster.wait(30)
            self.assertEqual((cluster.codes(), cluster[0].out), ([0, 0], expected), cluster.said())

    def test_all_stopped_and_continued(self):
        # ^Z and fg, after longer than a silence may be: nobody is to blame.
        words = ("--rows", 300000, "--rate", 100000)
        expected = self.alone(*words[:2])
        cluster = Cluster(self, 3, "abstract", *words, "--report")
        cluster.wait_for_rows(0, 1000)
        for number, pause in ((signal.SIGSTOP, 4.0), (signal.SIGCONT, 0)):
            for one in cluster.all():
                one.signal(number)
            time.sleep(pause)
        cluster.wait(30)
        self.assertEqual((cluster.codes(), cluster[0].out), ([0] * 3, expected), cluster.said())

    def test_a_cut_link(self):
        # ss -K resets a connection on both sides, if the kernel can.
        cluster = Cluster(self, 2, "tcp", *FOREVER)
        cluster.wait_for_rows(0, 100000)
        port = cluster.urls[0].split(":")[-1]
        since = time.monotonic()
        cut = subprocess.run(["ss", "-K", "-tn", "sport", "=", port], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        found = cluster[0].finish(since + 3)
        if not found:
            cluster.kill()
            self.skipTest(f"this kernel does not cut links (ss -K: {cut.returncode})")
        self.check_survivors(cluster, [], since, 3 * DEATH_S + 0.2,
                             r"process \d \(.*\): it is gone|it has given up|stopped: process")


main()
