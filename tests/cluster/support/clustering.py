"""Processes of cluster/program.c, started by hand, each with a watch on what it says and when it
ends. Wants WEIR_CLUSTER_PROGRAM, as the tests set it.

    cluster = Cluster(self, 3, "ipc", "--rows", 1000)
    cluster.wait(20)
    self.assertEqual(cluster.codes(), [0, 0, 0])
"""
import glob
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

PROGRAM = os.environ["WEIR_CLUSTER_PROGRAM"]
# Those of one machine share memory, but for "abstract", and "sockets": tcp; "nng": tcp by nng.
TRANSPORTS = ("tcp", "ipc", "abstract")
OPTIONS = {"nng": ["--nng"], "sockets": ["--no-shared-memory"], "abstract": ["--no-shared-memory"]}
# Sanitizers make everything slower, and need memory of their own; limits then are for what hangs.
SLOW = 4 if "-fsanitize" in os.environ.get("WEIR_CFLAGS", "") else 1


def environment(**more):
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("WEIR_", "SLURM_", "OMPI_", "PMI_"))}
    return {**kept, **more}


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def addresses(transport, count, folder):
    if transport in ("tcp", "sockets", "nng"):
        return [f"tcp://127.0.0.1:{port}" for port in free_ports(count)]
    if transport == "tls":
        return [f"tls+tcp://127.0.0.1:{port}" for port in free_ports(count)]
    mark = f"{random.getrandbits(48):012x}"
    where = f"ipc://{folder}/" if transport == "ipc" else "abstract://weir-test-"
    return [f"{where}{mark}-{i}" for i in range(count)]


def dial(url, seconds=5):
    """A socket connected to where a process listens, once it does."""
    scheme, rest = url.split("://")
    family = socket.AF_INET if scheme == "tcp" else socket.AF_UNIX
    if scheme == "tcp":
        address = (rest.split(":")[0], int(rest.split(":")[1]))
    else:
        address = ("\0" if scheme == "abstract" else "") + rest
    end = time.monotonic() + seconds
    while True:
        link = socket.socket(family)
        try:
            link.connect(address)
            return link
        except OSError:
            link.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.005)


class Process:
    """One process: its lines of standard error with the times at which they came."""

    def __init__(self, words, env, preexec=None):
        self.child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      stdin=subprocess.DEVNULL, env=env, preexec_fn=preexec)
        self.pid = self.child.pid
        self.began = time.monotonic()
        self.ended = None
        self.out = b""
        self.lines = []
        self.peak_kb = 0
        self.threads = [threading.Thread(target=work, daemon=True)
                        for work in (self._read_out, self._read_lines, self._wait)]
        for thread in self.threads:
            thread.start()

    def _read_out(self):
        with self.child.stdout as out:
            self.out = out.read()

    def _read_lines(self):
        with self.child.stderr as err:
            for line in err:
                self.lines.append((time.monotonic(), line.decode(errors="replace").rstrip("\n")))

    def _wait(self):
        self.child.wait()
        self.ended = time.monotonic()

    def finish(self, end):
        for thread in self.threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self.threads)

    def signal(self, number):
        """When it was sent."""
        self.child.send_signal(number)
        return time.monotonic()

    @property
    def code(self):
        return self.child.poll()

    @property
    def err(self):
        """Without reports, and without what is said again at the end, if the machine is slow."""
        return "\n".join(line for _, line in self.lines if not line.startswith("worker ") and
                         not line.endswith("when a call that still runs has returned"))

    def resident(self):
        """Bytes of memory that are its own: without pages of files, which the system may drop."""
        try:
            with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
                text = file.read()
        except OSError:
            return 0
        found = re.search(r"RssAnon:\s+(\d+) kB", text)
        self.peak_kb = max(self.peak_kb, int(found.group(1)) if found else 0)
        return 1024 * int(found.group(1)) if found else 0

    def taken(self):
        """(ms, rows) of each report of a worker, by worker."""
        found = {}
        for _, line in list(self.lines):
            words = re.fullmatch(r"worker (\d+) took (\d+) at (\d+)", line)
            if words:
                worker, rows, at = map(int, words.groups())
                found.setdefault(worker, []).append((at, rows))
        return found


class Cluster:
    """`own` has, by process, arguments that only that one gets; `skip` are not started."""

    def __init__(self, test, count, transport, *words, own=None, skip=(), env=None, preexec=None,
                 workers=1):
        self.test, self.count, self.transport = test, count, transport
        self.urls = addresses(transport, count, test.folder.name)
        self.words = ["-w", workers, *OPTIONS.get(transport, []), *words]
        self.env, self.preexec = env or {}, preexec
        self.processes = {}
        for i in range(count):
            if i not in skip:
                self.processes[i] = self.start(i, *(own or {}).get(i, ()))
        test.addCleanup(self.kill)

    def start(self, index, *own):
        words = [PROGRAM, "--processes", self.count, "--process", index,
                 "--hosts", ",".join(self.urls), *self.words, *own]
        return Process(list(map(str, words)), environment(**self.env), self.preexec)

    def __getitem__(self, index):
        return self.processes[index]

    def all(self):
        return list(self.processes.values())

    def kill(self):
        for one in self.all():
            if one.child.poll() is None:
                one.child.kill()
                one.finish(time.monotonic() + 5)

    def wait(self, seconds):
        """Until all have ended; fails with what they said if they do not."""
        end = time.monotonic() + seconds * SLOW
        for index, one in self.processes.items():
            if not one.finish(end):
                self.test.fail(f"{self.transport}: process {index} has not ended within {seconds} "
                               f"s; said: {self.said()}")
        self.check_nothing_is_left()
        return self

    def codes(self):
        return [one.code for one in self.all()]

    def said(self):
        return {index: one.err for index, one in self.processes.items()}

    def check_nothing_is_left(self):
        test = self.test
        for one in self.all():
            test.assertFalse(os.path.exists(f"/proc/{one.pid}"), "a process is left")
        if self.transport == "ipc":
            names = [url.split("/")[-1] for url in self.urls]
            left = [path for path in os.listdir(test.folder.name) if path in names]
            # Who was killed could not remove its own; everybody else did.
            killed = {url.split("/")[-1] for i, url in enumerate(self.urls)
                      if i in self.processes and (self[i].code or 0) < 0}
            test.assertLessEqual(set(left), killed, "a socket file is left")
        elif self.transport == "abstract":
            with open("/proc/net/unix", encoding="ascii", errors="replace") as file:
                text = file.read()
            for url in self.urls:
                test.assertNotIn(url.split("://")[1], text, "a socket is left")
        else:
            for url in self.urls:
                with self.test.assertRaises(OSError):
                    socket.create_connection(("127.0.0.1", int(url.split(":")[-1])), 1)

    def wait_for_rows(self, index=0, rows=1, seconds=20):
        """Until workers of a process have reported rows (--report)."""
        end = time.monotonic() + seconds * SLOW
        while True:
            reports = self[index].taken().values()
            if sum(each[-1][1] for each in reports) >= rows:
                return
            if time.monotonic() > end or self[index].ended:
                self.test.fail(f"process {index} has taken no {rows} rows: {self.said()}")
            time.sleep(0.01)

    def wait_until_open(self, seconds=20):
        """Until no process listens any more: all have met."""
        end = time.monotonic() + seconds * SLOW
        while time.monotonic() < end:
            if all(one.pid and self.links(one.pid) for one in self.all()):
                return
            time.sleep(0.01)
        self.test.fail(f"they have not met: {self.said()}")

    @staticmethod
    def links(pid):
        return len(glob.glob(f"/proc/{pid}/task/*")) > 1


class ClusterTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def alone(self, *words):
        """What one process of one thread prints."""
        return subprocess.run([PROGRAM, *map(str, words)], env=environment(), check=True,
                              stdout=subprocess.PIPE, timeout=300).stdout

    def each(self, transports=TRANSPORTS):
        for transport in transports:
            print(f"  {self._testMethodName[5:]}, {transport}", flush=True)
            yield transport

    def assert_memory(self, bytes_, limit, what):
        if SLOW == 1:
            self.assertLess(bytes_, limit, what)

    def assert_within(self, seconds, limit, what):
        """A time that has to be met; a longer one if the machine has other work."""
        if os.getloadavg()[0] > 0.7 * os.cpu_count():
            limit = max(limit, 3.0)
        print(f"    {what}: {1000 * seconds:.1f} ms (at most {1000 * limit:g})", flush=True)
        if SLOW == 1:
            self.assertLess(seconds, limit + 1, what)


def main():
    unittest.main(verbosity=0)
