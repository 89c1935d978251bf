#!/usr/bin/env python3
"""What processes print, and what they read: whole lines, no byte lost or changed, on a terminal
and in a pipe."""
import os
import pty
import select
import signal
import subprocess
import time

from support.launching import (WEIR, LaunchTest, environment, finish, main, python, run, shell,
                               start)

LINES = 100000
COUNT = f'awk -v p=$WEIR_PROCESS \'BEGIN {{ for (i = 0; i < {LINES}; i++) print p, i, "of many" }}\''


class Output(LaunchTest):
    def check_counts(self, lines, processes):
        """Each process's lines are whole, all there, and in order."""
        next_of = [0] * processes
        for line in lines:
            process, number, rest = line.split(b" ", 2)
            self.assertEqual(rest, b"of many")
            self.assertEqual(int(number), next_of[int(process)])
            next_of[int(process)] += 1
        self.assertEqual(next_of, [LINES] * processes)

    def test_lines_stay_whole(self):
        code, out, err = run("-n", 4, *shell(COUNT))
        self.assertEqual((code, err), (0, ""))
        self.check_counts(out.splitlines(), 4)

    def test_lines_stay_whole_behind_prefixes_and_in_one_file(self):
        script = f"if [ $((WEIR_PROCESS % 2)) = 1 ]; then exec >&2; fi; {COUNT}"
        with open(self.path("both"), "wb") as both:
            launch = subprocess.Popen([WEIR, "launch", "-n", "4", "--prefix", *shell(script)],
                                      stdout=both, stderr=both, env=environment())
            self.assertEqual(launch.wait(60), 0)
        with open(self.path("both"), "rb") as both:
            lines = both.read().splitlines()
        for line in lines:
            self.assertEqual(line[:4], b"[%c] " % line[4])
        self.check_counts([line[4:] for line in lines], 4)

    def test_a_slow_reader_gets_everything(self):
        launch = start("-n", 2, *shell(COUNT))
        time.sleep(1.5) # longer than the launcher waits for what has escaped
        code, out, _ = finish(launch)
        self.assertEqual(code, 0)
        self.check_counts(out.splitlines(), 2)

    def test_bytes_are_not_changed(self):
        script = ("import os, sys; data = bytes(range(256)) * 40000\n"
                  "if os.environ['WEIR_PROCESS'] == '0': os.write(1, b''); "
                  "sys.stdout.buffer.write(data + b'end')")
        for count in (1, 3):
            code, out, err = run("-n", count, *python(script))
            self.assertEqual((code, err), (0, ""))
            self.assertEqual(out, bytes(range(256)) * 40000 + b"end")

    def test_prefixes(self):
        code, out, err = run("-n", 2, "--prefix",
                             *shell("echo one; echo; printf two; echo three >&2"))
        for process in (b"[0] ", b"[1] "):
            lines = [line for line in out.splitlines() if line.startswith(process)]
            self.assertEqual(lines, [process + word for word in (b"one", b"", b"two")])
        self.assertEqual((code, sorted(err.splitlines())), (0, ["[0] three", "[1] three"]))
        self.assertEqual(run("-n", 1, "--prefix", *shell("echo one"))[1], b"[0] one\n")

    def test_very_long_lines(self):
        script = "import sys; sys.stdout.write('x' * 3000000 + '\\n')"
        self.assertEqual(run("-n", 1, "--no-prefix", *python(script))[1], b"x" * 3000000 + b"\n")
        out = run("-n", 1, "--prefix", *python(script))[1]
        lines = out.split(b"\n")
        self.assertEqual(lines.pop(), b"")
        self.assertTrue(all(line.startswith(b"[0] ") for line in lines))
        self.assertEqual(b"".join(line[4:] for line in lines), b"x" * 3000000)

    def test_standard_error_stays_apart(self):
        code, out, err = run("-n", 2, *shell("echo out; echo err >&2"))
        self.assertEqual((code, out, err), (0, b"out\nout\n", "err\nerr\n"))

    def test_input_goes_to_process_0(self):
        code, out, _ = run("-n", 3, *shell('echo "$WEIR_PROCESS: $(cat)"'), data=b"words\n")
        self.assertEqual((code, sorted(out.splitlines())), (0, [b"0: words", b"1: ", b"2: "]))
        with open(self.write("file", "first\nsecond\n"), "rb") as file:
            self.assertEqual(run("-n", 2, *shell("cat"), stdin=file)[1], b"first\nsecond\n")

    def test_nobody_reads(self):
        # `weir launch ... | head -1` ends as any program would.
        script = "while :; do echo line; done; : $0"
        launch = start("-n", 2, *shell(script, self.mark))
        os.read(launch.stdout.fileno(), 4096)
        launch.stdout.close()
        self.assertEqual(launch.wait(30), 128 + signal.SIGPIPE)
        self.assertEqual(launch.stderr.read(), b"")
        launch.stderr.close()
        self.assertEqual(self.marked(), [])


    def test_an_output_that_is_full(self):
        script = "while :; do echo line; done; : $0"
        with open("/dev/full", "wb") as full:
            launch = subprocess.Popen([WEIR, "launch", "-n", "2", *shell(script, self.mark)],
                                      stdout=full, stderr=subprocess.PIPE, env=environment())
            _, err = launch.communicate(timeout=60)
        self.assertEqual(launch.returncode, 1)
        self.assertIn(b"weir launch: standard output cannot be written: No space left", err)
        self.assertEqual(self.marked(), [])

    def test_outputs_that_are_closed(self):
        for count in (1, 2):
            script = f'exec "{WEIR}" launch -n {count} -- sh -c "cat; echo hi; echo $0 >&2" "$1" '
            for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
                done = subprocess.run(["sh", "-c", script + closed, "sh", self.mark], timeout=60,
                                      env=environment(), stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self.assertEqual(done.returncode, 0, closed)
                out = b"" if " >&-" in " " + closed else b"hi\n" * count
                self.assertEqual(done.stdout, out, closed)


class Terminal(LaunchTest):
    """`weir launch` with a terminal, as somebody sits there."""

    def begin(self, *words):
        pid, self.terminal = pty.fork()
        if pid == 0:
            os.execve(WEIR, [WEIR, "launch", *map(str, words)], environment(TERM="xterm"))
        self.addCleanup(os.close, self.terminal)
        self.seen = b""
        return pid

    def read_until(self, *texts):
        end = time.monotonic() + 20
        while not all(text in self.seen for text in texts):
            self.assertTrue(select.select([self.terminal], [], [], end - time.monotonic())[0],
                            self.seen)
            try:
                self.seen += os.read(self.terminal, 4096)
            except OSError: # the terminal's other side is closed
                break
        for text in texts:
            self.assertIn(text, self.seen)

    def test_prefixes_in_colours(self):
        pid = self.begin("-n", 2, *shell("echo one"))
        self.read_until(b"\x1b[31m[0]\x1b[0m one", b"\x1b[32m[1]\x1b[0m one")
        self.assertEqual(os.waitpid(pid, 0)[1], 0)

    def test_typing(self):
        for count in (1, 2):
            pid = self.begin("-n", count, *shell('echo ready; cat; echo done; : $1', self.mark))
            self.read_until(b"ready")
            os.write(self.terminal, b"typed words\n")
            self.read_until(b"typed words\r\n", b"words\r\n") # the echo and the program's
            os.write(self.terminal, b"\x04")
            self.read_until(b"done")
            self.assertEqual(os.waitpid(pid, 0)[1], 0)

    def test_interrupt(self):
        pid = self.begin("-n", 2, *shell('echo ready; while :; do sleep 1; done; : $1', self.mark))
        self.read_until(b"[0]\x1b[0m ready", b"[1]\x1b[0m ready")
        os.write(self.terminal, b"\x03")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 130)
        self.assertEqual(self.marked(), [])


main()
