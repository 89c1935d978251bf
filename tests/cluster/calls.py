#!/usr/bin/env python3
"""Callbacks and functions that take long, return early, or stop the execution."""
import signal
import time

from support.clustering import SLOW, TRANSPORTS, Cluster, ClusterTest, main

DEATH_S = 0.1
FOREVER = ("--rows", 10**12, "--report")


class Calls(ClusterTest):
    def test_long_callbacks(self):
        # All workers of a process for 5 s in calls, twice: nobody takes it for dead.
        words = ("--rows", 400000, "--rate", 100000)
        expected = self.alone(*words[:2])
        running = []
        for transport in self.each(("tcp", "abstract", "nng")):
            running.append(Cluster(self, 3, transport, *words, "--sleep-ms", 5000, "--sleep-in", 1,
                                   "--sleep-times", 1, workers=2))
        for cluster in running:
            cluster.wait(40)
            self.assertEqual((cluster.codes(), cluster[0].out), ([0] * 3, expected), cluster.said())

    def test_a_death_during_long_callbacks(self):
        # It is noticed by the others, and by the busy one when its callback has returned.
        clusters = [Cluster(self, 3, transport, *FOREVER, "--sleep-ms", 3000, "--sleep-in", 1,
                            "--sleep-after", 1000) for transport in ("tcp", "abstract")]
        for cluster in clusters:
            cluster.wait_for_rows(0, 1)
        time.sleep(0.5)
        began = [cluster[2].signal(signal.SIGKILL) for cluster in clusters]
        for cluster, since in zip(clusters, began):
            cluster.wait(20)
            for index in (0, 1):
                self.assertEqual(cluster[index].code, 1)
                self.assertRegex(cluster[index].err, "process 2 ")
                said = min(at for at, line in cluster[index].lines if "process 2 " in line)
                self.assertLess(said - since, 0.4 * SLOW)  # also by the one that cannot end yet
                print(f"    process {index}: {cluster[index].ended - since:.3f} s: "
                      f"{cluster[index].err!r}", flush=True)
            self.assertLess(cluster[0].ended - since, 2 * SLOW)
            self.assertLess(cluster[1].ended - since, 4.5 * SLOW)

    def test_a_late_builder(self):
        # Nothing is lost of what came before it had built, and there is not much of it.
        words = ("--rows", 8000000)
        expected = self.alone(*words)
        clusters = [Cluster(self, 3, transport, *words, "--odd", 1, "--build-ms", 4000)
                    for transport in TRANSPORTS]
        time.sleep(3)
        for cluster in clusters:
            had = [one.resident() >> 20 for one in cluster.all()]
            print(f"    {had} MB while one has not built", flush=True)
            self.assert_memory(max(had), 24, "all")
        for cluster in clusters:
            cluster.wait(40)
            self.assertEqual((cluster.codes(), cluster[0].out), ([0] * 3, expected), cluster.said())

    def test_a_late_builder_of_many_epochs(self):
        # What the others do meanwhile is added up, also what one of them does with rows of another.
        for graph in ("ticks", "marks"):
            cluster = Cluster(self, 3, "abstract", "--graph", graph, "--odd", 1, "--build-ms",
                              2500, "--late-ms", 2500)
            had = []
            for pause in (0.7, 1.6):
                time.sleep(pause)
                had.append(cluster[1].resident())
            grown = had[1] - had[0]
            print(f"    {graph}: {grown >> 10} KB more while it has not built", flush=True)
            self.assert_memory(grown, 3 << 20, graph)
            cluster.wait(20)
            self.assertEqual(cluster.codes(), [0, 0, 0], cluster.said())

    def test_a_late_builder_of_few_rows(self):
        # A row that waits does not keep what came in front of it, and behind it.
        cluster = Cluster(self, 2, "abstract", "--graph", "rare", "--odd", 1, "--build-ms", 2500,
                          "--late-ms", 2000, "--rate", 10**7, "--rows", 5 * 10**7)
        time.sleep(2.2)
        had = [one.resident() >> 20 for one in cluster.all()]
        print(f"    {had} MB while one has not built", flush=True)
        self.assert_memory(max(had), 24, "all")
        cluster.wait(20)
        sums = b"".join(b"%d\t20\t%d\n" % (key, 20 * key + 1900) for key in range(10))
        self.assertEqual((cluster.codes(), cluster[0].out), ([0, 0], sums), cluster.said())

    def test_more_changes_than_a_frame_takes(self):
        # A worker has capabilities at many times at once, and gives them up at once.
        for count in (65535, 140000):
            cluster = Cluster(self, 2, "abstract", "--graph", "hoard", "--rows", count,
                              "--late-ms", 200).wait(20)
            self.assertEqual(cluster.codes(), [0, 0], cluster.said())

    def test_a_stop_during_long_callbacks(self):
        # Who is in none ends at once, with the reason; the other one when it has returned.
        clusters = [Cluster(self, 3, transport, *FOREVER, "--sleep-ms", 4000, "--sleep-in", 1,
                            "--stop-after", 100000, "--stop-in", 0)
                    for transport in ("tcp", "abstract")]
        for cluster in clusters:
            cluster.wait(20)
            self.assertEqual(cluster.codes(), [1, 1, 1])
            for one in cluster.all():
                self.assertIn("the program was told to stop after 100000 rows", one.err)
            print(f"    {[round(one.ended - one.began, 2) for one in cluster.all()]} s", flush=True)
            self.assert_within(abs(cluster[2].ended - cluster[0].ended), 0.6, "two have ended")
            self.assertLess(cluster[1].ended - cluster[0].ended, 5 * SLOW)

    def test_weir_stop(self):
        for transport in self.each():
            for who in range(3):
                cluster = Cluster(self, 3, transport, *FOREVER, "--stop-after", 100000,
                                  "--stop-in", who, workers=2)
                cluster.wait(20)
                self.assertEqual(cluster.codes(), [1, 1, 1])
                for index, said in cluster.said().items():
                    before = "" if index == who else f"process {who} stopped: "
                    self.assertRegex(said, rf"^\w+: {before}worker \d: the program was told to stop "
                                           r"after 100000 rows$", cluster.said())
                ends = [one.ended for one in cluster.all()]
                self.assert_within(max(ends) - min(ends), 3 * DEATH_S, f"stopped by {who}")

    def test_everybody_stops_at_once(self):
        for transport in self.each():
            cluster = Cluster(self, 3, transport, *FOREVER, "--stop-after", 100000, workers=2)
            cluster.wait(20)
            self.assertEqual(cluster.codes(), [1, 1, 1])
            for said in cluster.said().values():
                self.assertRegex(said, r"^\w+: (process \d stopped: )?worker \d: the program was told "
                                       r"to stop after 100000 rows$")

    def test_an_early_return(self):
        # Its function returns at once; the others push for seconds. Nothing is lost.
        for transport in self.each():
            for odd in (0, 1):
                cluster = Cluster(self, 2, transport, "--graph", "late", "--odd", odd, "--late-ms",
                                  3300 if odd else 700, workers=2)
                cluster.wait(20)
                self.assertEqual(cluster.codes(), [0, 0], cluster.said())
                self.assertEqual(cluster.said(), {0: "", 1: ""})
                counts = [line.split(b"\t")[1:] for line in cluster[0].out.splitlines()]
                self.assertGreater(len(counts), 5)


main()
