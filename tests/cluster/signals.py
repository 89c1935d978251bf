#!/usr/bin/env python3
"""Signals to processes of a cluster, by hand and under `weir launch`: all end, soon, and nothing is
left."""
import os
import signal
import subprocess
import time

from support.clustering import PROGRAM, Cluster, ClusterTest, environment, main

DEATH_S = 0.1
WEIR = os.path.join(os.environ["WEIR_BUILD"], "weir")
FOREVER = ("--rows", 10**12, "--report")


class Signals(ClusterTest):
    def launch(self, transport, *words):
        launch = subprocess.Popen([WEIR, "launch", "-n", "3", "-w", "2", "--transport", transport,
                                   "--", PROGRAM, *map(str, words)], env=environment(),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, start_new_session=True)
        self.addCleanup(launch.kill)
        return launch

    def left(self, launch):
        """Processes of the launcher's session."""
        found = subprocess.run(["ps", "-s", str(launch.pid), "-o", "pid,args", "--no-headers"],
                               stdout=subprocess.PIPE, check=False).stdout
        return found.decode().strip()

    def test_signals_end_processes_by_hand(self):
        for transport in self.each():
            for number in (signal.SIGINT, signal.SIGTERM):
                cluster = Cluster(self, 3, transport, *FOREVER)
                cluster.wait_for_rows(0, 100000)
                since = cluster[1].signal(number)
                cluster.wait(20)
                print(f"    {cluster.codes()}: {cluster.said()}", flush=True)
                self.assertEqual(cluster[1].code, -number)
                self.assertEqual((cluster[0].code, cluster[2].code), (1, 1))
                self.assert_within(max(one.ended for one in cluster.all()) - since, 3 * DEATH_S,
                                   "all have ended")

    def test_launched(self):
        expected = self.alone("--rows", 200000)
        for transport in self.each():
            launch = self.launch(transport, "--rows", 200000)
            out, err = launch.communicate(timeout=60)
            self.assertEqual((launch.returncode, out, err), (0, expected, b""))
            launch = self.launch(transport, *FOREVER)
            time.sleep(0.5)
            since = time.monotonic()
            launch.send_signal(signal.SIGINT)
            _, err = launch.communicate(timeout=30)
            self.assertEqual(launch.returncode, 128 + signal.SIGINT)
            self.assert_within(time.monotonic() - since, 1.0, "^C has ended all")
            said = [line for line in err.decode().splitlines() if "worker" not in line]
            print(f"    {said}", flush=True)
            self.assertEqual(self.left(launch), "")

    def test_launched_and_killed(self):
        for transport in self.each():
            launch = self.launch(transport, *FOREVER)
            time.sleep(0.6)
            pids = subprocess.run(["pgrep", "-f", f"^{PROGRAM}.*{FOREVER[1]}"],
                                  stdout=subprocess.PIPE, check=False).stdout.split()
            mine = [int(pid) for pid in pids if self.environment_of(int(pid), "WEIR_PROCESS=1") and
                    self.is_below(int(pid), launch.pid)]
            self.assertEqual(len(mine), 1)
            since = time.monotonic()
            os.kill(mine[0], signal.SIGKILL)
            _, err = launch.communicate(timeout=30)
            self.assertEqual(launch.returncode, 128 + signal.SIGKILL)
            self.assertRegex(err.decode(), rf"weir launch: process 1 \(pid {mine[0]}\) was killed by "
                                           r"signal 9 \(KILL\) after \d\.\d s")
            self.assert_within(time.monotonic() - since, 1.0, "all have ended")
            said = [line for line in err.decode().splitlines() if "worker" not in line]
            print(f"    {said}", flush=True)
            self.assertEqual(self.left(launch), "")

    @staticmethod
    def environment_of(pid, what):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                return what.encode() in file.read().split(b"\0")
        except OSError:
            return False

    @staticmethod
    def is_below(pid, ancestor):
        while pid > 1 and pid != ancestor:
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                    pid = int(file.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                return False
        return pid == ancestor


main()
