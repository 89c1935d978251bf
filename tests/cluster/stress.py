#!/usr/bin/env python3
"""Programs of examples/ as clusters of random size, with random sizes of batches, on random input
with updates: what they print is what one thread prints. In some runs a process is killed or
stopped at a random moment, also while they meet: then all end soon, and what was printed is the
beginning of what one thread prints.

    stress.py [SECONDS [SEED]]"""
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

from support.clustering import SLOW, addresses, environment

BIN = os.path.join(os.environ["WEIR_BUILD"], "examples")
MAKE = os.path.join(os.environ["WEIR_SOURCE"], "tests/examples/graph_programs.py")
RELATIONS = {"points_to": ["addressOf", "assign", "load", "store"],
             "cspa": ["Assign", "Dereference"], "same_generation": ["arc"]}
PROGRAMS = ["reach", "bfs", "wcc", "scc", "degrees", "kcore", "triangles", "pagerank",
            "shortest_paths", "closure", "same_generation", "points_to", "cspa"]


def command(name, folder):
    with open(f"{folder}/updates.tsv", encoding="ascii") as file:
        last = int(file.read().splitlines()[-1].split("\t")[0])
    facts = ["--facts", folder] if name in RELATIONS else \
        ["--edges", f"{folder}/edges.tsv"]
    return [os.path.join(BIN, name), "--updates", f"{folder}/updates.tsv", "--at",
            ",".join(map(str, range(last + 1))), *facts]


def run_cluster(words, processes, workers, transport, folder, more, fault):
    """Status, output and messages of each. `fault`: (seconds, process, signal), or None."""
    urls = ",".join(addresses(transport, processes, folder))
    running = []
    for i in range(processes):
        place = ["-w", str(workers), "--processes", str(processes), "--process", str(i), "--hosts",
                 urls]
        running.append(subprocess.Popen(words + place + more, env=environment(),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE))
    found = []
    if fault:
        after, which, number = fault
        time.sleep(after)
        running[which].send_signal(number)
        if number == signal.SIGSTOP:
            threading.Timer(4 * SLOW, running[which].send_signal, [signal.SIGCONT]).start()
    for one in running:
        try:
            out, err = one.communicate(timeout=(20 if fault else 120) * SLOW)
        except subprocess.TimeoutExpired:
            alive = [other.pid for other in running if other.poll() is None]
            if "WEIR_TEST_KEEP" in os.environ: # for a debugger
                sys.exit(f"{alive} hang, after {fault}: {' '.join(words + place + more)}")
            for other in running:
                other.kill()
            said = [other.communicate() for other in running if other.pid in alive]
            sys.exit(f"{alive} hang, after {fault}: {said}: {' '.join(words + place + more)}")
        found.append((one.returncode, out, err))
    return found


def is_right(found, expected, fault):
    outs = [out for _, out, _ in found]
    if any(outs[1:]):
        return False
    if not fault or all(code == 0 for code, _, _ in found):
        return outs[0] == expected and not any(code for code, _, _ in found)
    if found[0][0] == 0 and outs[0] != expected:
        return False
    # Nobody fails in another way than by the signal, or by finding out about it.
    return expected.startswith(outs[0]) and \
        all(code in (0, 1, -signal.SIGKILL) for code, _, _ in found)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 12
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.getrandbits(32)
    print(f"seed {seed}", flush=True)
    draw, runs, faults, end = random.Random(seed), 0, 0, time.monotonic() + seconds
    while time.monotonic() < end:
        name, data_seed = draw.choice(PROGRAMS), draw.getrandbits(30)
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, MAKE, "make", str(data_seed), folder,
                            *RELATIONS.get(name, ["edges"])], check=True)
            words = command(name, folder)
            key = os.path.join(folder, "key")
            with open(os.open(key, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
                file.write(f"{draw.getrandbits(256):064x}\n")
            alone = subprocess.run(words, env=environment(), stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, check=True)
            for _ in range(3):
                size = draw.randint(1, 3), draw.randint(1, 3)
                transport = draw.choice(["tcp", "ipc", "abstract"])
                more = ["--batch-rows", str(draw.choice([1, 2, 3, 7, 50, 1000]))]
                if draw.random() < 0.3:
                    more += ["--memory", draw.choice(["1M", "8M"]), "--spill", folder]
                if draw.random() < 0.2:
                    more += ["--key-file", key]
                fault = None
                if draw.random() < 0.25:
                    fault = (draw.uniform(0, 0.1), draw.randrange(size[0]),
                             draw.choice([signal.SIGKILL] * 9 + [signal.SIGSTOP]))
                    more += ["--connect-timeout", "3"]
                found = run_cluster(words, *size, transport, folder, more, fault)
                runs, faults = runs + 1, faults + (fault is not None)
                if not is_right(found, alone.stdout, fault):
                    sys.exit(f"run {runs} of seed {seed}: {name}, data of seed {data_seed}, "
                             f"{size[0]} x {size[1]}, {transport}, {more}, {fault}: {found}; one thread: "
                             f"{alone.stdout}")
    print(f"{runs} runs are the same as one thread's, or in {faults} with faults its beginning")


main()
