#!/usr/bin/env python3
"""Processes whose programs differ: the difference is named by operator, on all sides, and nothing
is printed that might be wrong."""
from support.clustering import SLOW, Cluster, ClusterTest, main


class Differences(ClusterTest):
    def differ(self, transport, graph, odd_graph, *patterns, count=2, odd=1, workers=1):
        cluster = Cluster(self, count, transport, "--graph", graph, "--odd", odd, "--odd-graph",
                          odd_graph, "--rows", 1000000, workers=workers)
        cluster.wait(20)
        self.assertEqual(set(cluster.codes()), {1}, cluster.said())
        for index, said in cluster.said().items():
            self.assertTrue(any(pattern in said for pattern in patterns), (index, said, patterns))
            self.assertEqual(said.count("\n"), 0, said)
            self.assertEqual(cluster[index].out, b"")
        took = max(one.ended - one.began for one in cluster.all())
        print(f"    {took:.2f} s: {cluster[0].err!r}", flush=True)
        self.assertLess(took, SLOW)

    def test_another_operator(self):
        for transport in self.each():
            self.differ(transport, "sum", "extra",
                        "process 0 built `slow` as operator 1, process 1 built `map same`",
                        "process 1 built `map same` as operator 1, process 0 built `slow`")

    def test_another_type(self):
        for transport in self.each():
            self.differ(transport, "brief", "long", "operator 1 `map shorten` as {", count=3, odd=2)

    def test_other_dimensions(self):
        self.differ("abstract", "sum", "dims", "dataflow `sum`: process 0 declared the dimensions "
                    "(epoch), process 1 (epoch, version)",
                    "dataflow `sum`: process 1 declared the dimensions (epoch, version), process 0 "
                    "(epoch)")

    def test_another_order(self):
        for transport in self.each():
            self.differ(transport, "sum,long", "long,sum",
                        "process 0 built dataflow `sum` where process 1 built `brief`",
                        "process 1 built dataflow `brief` where process 0 built `sum`", workers=2)

    def test_one_dataflow_more(self):
        for transport in self.each():
            self.differ(transport, "sum,long", "sum", "has returned without building dataflow")

    def test_nothing_is_built(self):
        for transport in self.each():
            for odd in (0, 1, 2):
                self.differ(transport, "sum", "none", "has returned without building dataflow",
                            count=3, odd=odd)

    def test_nobody_builds_anything(self):
        for transport in self.each():
            cluster = Cluster(self, 3, transport, "--graph", "none").wait(20)
            self.assertEqual((cluster.codes(), cluster[0].err), ([0, 0, 0], ""))


main()
