"""Running `weir launch` in tests: with a time limit, and with a look for what it leaves behind.

Programs are shell or Python scripts, given as words. Wants WEIR_BUILD, as the tests set it.
"""
import glob
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest

WEIR = os.path.join(os.environ["WEIR_BUILD"], "weir")
FAKE_SSH = f"{sys.executable} {os.path.join(os.path.dirname(__file__), 'fake_ssh.py')}"
TIMEOUT_S = 60

# Says where it listens as weir's programs do, and prints what the launcher answers.
MEET = """
import os, socket
launcher = socket.socket(fileno=int(os.environ["WEIR_RENDEZVOUS"]))
def meet(url):
    launcher.sendall(f"listening {url}\\n".encode())
    heard = b""
    while not heard.endswith(b"\\n"):
        more = launcher.recv(4096)
        if not more:
            return "gone"
        heard += more
    return heard.decode().strip()
"""


def environment(**more):
    """Without what a scheduler or another launch may have set around the tests."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("WEIR_", "SLURM_", "OMPI_", "PMI_"))}
    return {**kept, **{name: str(value) for name, value in more.items()}}


def start(*words, **options):
    options.setdefault("env", environment())
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen([WEIR, "launch", *map(str, words)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **options)


def finish(launch, data=None):
    """Its exit status, output and messages."""
    try:
        out, err = launch.communicate(data, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        launch.send_signal(signal.SIGTERM)
        raise
    return launch.returncode, out, err.decode(errors="replace")


def run(*words, data=None, **options):
    if data is not None:
        options["stdin"] = subprocess.PIPE
    return finish(start(*words, **options), data)


def shell(script, *arguments):
    return ["--", "sh", "-c", script, "sh", *map(str, arguments)]


def python(script, *arguments):
    return ["--", sys.executable, "-c", script, *map(str, arguments)]


def wait_until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what} has not come to pass within {seconds} s")
        time.sleep(0.02)


class LaunchTest(unittest.TestCase):
    def setUp(self):
        # Processes of a test have this in their command lines.
        self.mark = f"weir-test-{random.getrandbits(64):016x}"
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.addCleanup(self.kill_marked)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def marked(self):
        """The processes that this test has started and that still run."""
        found = []
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as file:
                    line = file.read()
            except OSError:
                continue
            if self.mark.encode() in line:
                found.append(int(path.split("/")[2]))
        return found

    def kill_marked(self):
        for pid in self.marked():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def wait_for_files(self, *names):
        wait_until(lambda: all(os.path.exists(self.path(name)) for name in names), f"{names}")

    def wait_for_nobody(self, seconds=20):
        wait_until(lambda: not self.marked(), "the end of all processes", seconds)

    def summary(self, out):
        """What --json printed as the last line."""
        return json.loads(out.decode().splitlines()[-1])


def main():
    unittest.main(verbosity=0)
