#!/usr/bin/env python3
"""What may happen to a cluster that runs: processes that die, hang, stop, return early or take
long, links that are cut, and signals. Nobody hangs, nothing is left, and no answer is wrong."""
import os
import random
import re
import signal
import subprocess
import sys
import time

from support.clustering import SLOW, Cluster, ClusterTest, environment, main

DEATH_S = 0.1  # noticed within
HANG_S = 3.0
WEIR = os.path.join(os.environ["WEIR_BUILD"], "weir")
FOREVER = ("--rows", 10**12, "--report")


class Faults(ClusterTest):
    def check_survivors(self, cluster, gone, since, limit, *patterns):
        """All but one end with status 1 within the limit, and say why."""
        cluster.wait(20)
        for index, one in cluster.processes.items():
            if index == gone:
                continue
            self.assertEqual(one.code, 1, one.err)
            self.assertTrue(any(re.search(pattern, one.err) for pattern in patterns), one.err)
            said = next(at for at, line in one.lines if "process" in line)
            self.assert_within(max(said, one.ended) - since, limit, f"process {index} has ended")
        print(f"    {next(one.err for i, one in cluster.processes.items() if i != gone)!r}")

    def test_a_killed_process(self):
        # In the middle of a full stream; every process once.
        for transport in self.each():
            for gone in range(3):
                cluster = Cluster(self, 3, transport, *FOREVER, workers=1 + gone % 2)
                cluster.wait_for_rows((gone + 1) % 3, 100000)
                since = cluster[gone].signal(signal.SIGKILL)
                self.check_survivors(cluster, gone, since, DEATH_S + 0.2 * (gone >= 0),
                                     rf"process {gone} \(.*\): it is gone: .*; it died or was "
                                     r"killed", rf"process \d.*: it has given up: process {gone} ",
                                     rf"process \d stopped: process {gone} ")


main()
