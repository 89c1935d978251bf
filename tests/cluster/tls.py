#!/usr/bin/env python3
"""Clusters over TLS: started by hand and by `weir launch`, with rows enough to fill every buffer,
a process that is killed, and certificates that do not belong together."""
import os
import re
import signal
import subprocess

from support.clustering import PROGRAM, SLOW, Cluster, ClusterTest, environment, main

WEIR = os.path.join(os.environ["WEIR_BUILD"], "weir")
DEATH_S = 0.1


class Tls(ClusterTest):
    def setUp(self):
        super().setUp()
        subprocess.run([os.environ["WEIR_CLUSTER_CERTIFICATES"], self.folder.name], check=True)

    def files(self, name="node", authority="ours"):
        at = self.folder.name
        return {"WEIR_TLS_CERTIFICATE": f"{at}/{name}.pem", "WEIR_TLS_KEY": f"{at}/{name}.key",
                "WEIR_TLS_AUTHORITY": f"{at}/{authority}.pem"}

    def launch(self, *words, **env):
        done = subprocess.run([WEIR, "launch", "-n", "3", *map(str, words)], timeout=60 * SLOW,
                              env=environment(**env), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return done.returncode, done.stdout, done.stderr.decode()

    def test_by_launch(self):
        words = ("--rows", 1000000)
        for workers in (1, 2):
            found = self.launch("-w", workers, "--transport", "tls", "--", PROGRAM, *words,
                                **self.files())
            self.assertEqual(found, (0, self.alone(*words), ""))

    def test_by_hand(self):
        words = ("--rows", 2000000)
        for more in ((), ("--sleep-ms", 20, "--sleep-times", 20, "--sleep-in", 1)):
            cluster = Cluster(self, 3, "tls", *words, *more, env=self.files(), workers=2).wait(60)
            self.assertEqual((cluster.codes(), cluster[0].out), ([0] * 3, self.alone(*words)),
                             cluster.said())

    def test_a_loop(self):
        words = ("--graph", "loop", "--rows", 2000)
        cluster = Cluster(self, 2, "tls", *words, env=self.files()).wait(60)
        self.assertEqual((cluster.codes(), cluster[0].out), ([0, 0], self.alone(*words)),
                         cluster.said())

    def test_a_killed_process(self):
        for gone, rate in ((0, 10**9), (1, 10**9), (1, 1)):
            cluster = Cluster(self, 3, "tls", "--rows", 10**12, "--report", "--rate", rate,
                              env=self.files())
            cluster.wait_for_rows((gone + 1) % 3, 1 if rate == 1 else 100000)
            cluster[gone].signal(signal.SIGKILL)
            cluster.wait(30)
            since = cluster[gone].ended
            for index in set(range(3)) - {gone}:
                self.assertEqual(cluster[index].code, 1, cluster.said())
                self.assertRegex(cluster[index].err, rf"process {gone} \(.*\)")
                self.assert_within(cluster[index].ended - since, 3 * DEATH_S,
                                   f"process {index} has said so and ended")

    def test_a_stranger(self):
        # It has a certificate, but of another authority; whose time ends first says so, and the
        # other at least what it is about.
        cluster = Cluster(self, 2, "tls", "--connect-timeout", 2, env=self.files(), skip=[1])
        cluster.env = self.files("stranger", "theirs")
        cluster.processes[1] = cluster.start(1)
        cluster.wait(20)
        self.assertEqual(cluster.codes(), [1, 1], cluster.said())
        for said in cluster.said().values():
            self.assertIn("during the TLS handshake", said)
        self.assertIn("the certificates were not accepted", "".join(cluster.said().values()))

    def test_addresses_and_certificates_go_together(self):
        code, _, said = self.launch("--transport", "tcp", "--", PROGRAM, **self.files())
        self.assertEqual(code, 2)
        self.assertIn("is without TLS: say tls+tcp://, or leave the scheme out (weir launch: "
                      "--transport tls)", said)
        code, _, said = self.launch("--transport", "tls", "--", PROGRAM)
        self.assertEqual(code, 2)
        self.assertTrue(re.search(r"tls\+tcp://127.0.0.1:0 needs TLS: say --tls-certificate", said),
                        said)


main()
