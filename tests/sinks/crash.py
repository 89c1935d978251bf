#!/usr/bin/env python3
"""Processes that write segments are killed: what can be seen is whole, and what comes after goes
on from there.

    crash.py        SEED in the environment repeats the choices, not the moments
"""
import gzip
import os
import random
import re
import signal
import subprocess
import tempfile
import time

PROGRAM = os.environ["WEIR_SINKS_PROGRAM"]
WEIR = os.path.join(os.environ["WEIR_BUILD"], "weir")
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))
NAME = re.compile(r"ticks-(\d{20})(?:-w(\d{4}))?\.(tsv|csv)(\.gz)?$")


class Job:
    def __init__(self, folder, chance):
        self.folder = folder
        self.rows = chance.choice([1, 7, 100, 30000])
        self.every = chance.choice([1, 3, 10])
        self.workers = chance.choice([1, 2, 4])
        self.processes = chance.choice([1, 1, 2])
        self.per_worker = chance.random() < 0.4
        self.options = ["--rows", self.rows, "--every", self.every, "-w", self.workers,
                        "--extension", chance.choice(["tsv", "csv", "tsv.gz"])]
        self.options += ["--per-worker"] * self.per_worker + ["--unsorted"] * chance.randrange(2)
        self.words = f"{self.processes} processes, {self.options}"

    def start(self, *options):
        command = [PROGRAM, *map(str, self.options), *map(str, options), "files", self.folder]
        if self.processes > 1:
            command = [WEIR, "launch", "-n", str(self.processes), "--", *command]
        return subprocess.Popen(command, start_new_session=True)

    def visible(self):
        return sorted(name for name in os.listdir(self.folder) if not name.startswith("."))

    def expected(self, first, worker, epochs):
        """The numbers of a segment's rows."""
        workers = self.workers * self.processes
        return sorted((epoch, number) for epoch in range(first, min(first + self.every, epochs))
                      for number in range(self.rows)
                      if worker is None or number % workers == worker)

    def check(self, epochs=1 << 62):
        """Every file that can be seen is whole. Gives how many there are."""
        names = self.visible()
        for name in names:
            matched = NAME.match(name)
            assert matched, name
            path = os.path.join(self.folder, name)
            with (gzip.open if name.endswith(".gz") else open)(path, "rt") as file:
                rows = [tuple(map(int, re.split("[\t,]", line))) for line in file]
            worker = int(matched[2]) if matched[2] else None
            assert (worker is not None) == self.per_worker, name
            first = int(matched[1])
            assert first % self.every == 0, name
            if "--unsorted" in self.options:
                rows.sort()
            assert rows == self.expected(first, worker, epochs), (self.words, name, len(rows))
        return len(names)


def killed_at_some_moment(job, chance):
    running = job.start()
    wanted = chance.randrange(1, 12)
    while len(job.visible()) < wanted:
        assert running.poll() is None, running.returncode
        time.sleep(0.001)
    time.sleep(chance.random() * 0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def one(chance):
    with tempfile.TemporaryDirectory() as folder:
        job = Job(folder, chance)
        print(job.words, flush=True)
        foreign = os.path.join(folder, ".ticks-1.tsv.part")
        with open(foreign, "w", encoding="ascii"):
            pass
        for _ in range(2):
            killed_at_some_moment(job, chance)
            seen = job.check()
        # The last run has an end.
        for name in job.visible():
            os.unlink(os.path.join(folder, name)) # of epochs that it does not come to
        epochs = chance.randrange(1, 25)
        assert job.start("--epochs", epochs).wait() == 0
        files = -(-epochs // job.every)
        if job.per_worker:
            files *= min(job.workers * job.processes, job.rows)
        assert job.check(epochs) == files, (job.words, seen, files)
        left = [name for name in os.listdir(folder) if name.startswith(".")]
        assert left == [".ticks-1.tsv.part"], left


def main():
    print(f"SEED={SEED}")
    chance = random.Random(SEED)
    for _ in range(int(os.environ.get("ROUNDS", "3"))):
        one(chance)


main()
