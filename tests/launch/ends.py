#!/usr/bin/env python3
"""How launches end: exit codes, signals, and that nothing is left behind, whatever ended them."""
import glob
import os
import random
import re
import signal
import tempfile
import time

from support.launching import LaunchTest, finish, main, run, shell, start, wait_until

# Waits for ever; says that it does by a file in the folder $1 (its mark is $2).
WAIT = 'touch "$1/$WEIR_PROCESS"; while :; do sleep 1; done'


class Ends(LaunchTest):
    def waiting(self, *options, script=WAIT, count=3, **more):
        for name in os.listdir(self.folder.name):
            os.remove(self.path(name))
        launch = start("-n", count, *options, *shell(script, self.folder.name, self.mark), **more)
        self.addCleanup(launch.kill)
        self.wait_for_files(*map(str, range(count)))
        return launch

    def test_all_end_well(self):
        self.assertEqual(run("-n", 3, *shell("exit 0")), (0, b"", ""))
        self.assertEqual(run(*shell("exit 0")), (0, b"", ""))

    def test_some_may_end_before_others(self):
        code, out, err = run("-n", 3, *shell("sleep 0.$((4 * WEIR_PROCESS)); echo $WEIR_PROCESS"))
        self.assertEqual((code, sorted(out.split()), err), (0, [b"0", b"1", b"2"], ""))

    def test_the_first_failure_counts(self):
        code, _, err = run("-n", 4, *shell('[ $WEIR_PROCESS = 2 ] || exec sleep 60; exit 3'))
        self.assertEqual(code, 3)
        self.assertRegex(err, r"^weir launch: process 2 \(pid \d+\) exited with status 3 after "
                              r"\d+\.\d s; stopping the other 3\n$")
        code, _, err = run("-n", 1, *shell("exit 7"))
        self.assertEqual(code, 7)
        self.assertRegex(err, r"process 0 \(pid \d+\) exited with status 7 after \d+\.\d s\n$")

    def test_a_signal_is_named(self):
        script = '[ $WEIR_PROCESS = 1 ] || exec sleep 60; sleep 0.3; kill -9 $$'
        code, _, err = run("-n", 3, *shell(script))
        self.assertEqual(code, 128 + 9)
        self.assertRegex(err, r"process 1 \(pid \d+\) was killed by signal 9 \(KILL\) after 0\.\d "
                              r"s; stopping the other 2\n$")

    def test_a_core_dump_is_named(self):
        code, _, err = run("-n", 1, *shell("ulimit -c 0; kill -ABRT $$"))
        self.assertEqual(code, 128 + 6)
        self.assertRegex(err, r"was killed by signal 6 \(ABRT\)(, core dumped,)? after")

    def test_the_killed_is_first_among_those_who_report_it(self):
        # The others see the end of process 3 at once, and may be found dead before it.
        script = 'if [ $WEIR_PROCESS = 3 ]; then kill -9 $$; fi; sleep 0.01; exit 1'
        for _ in range(5):
            launch = start("-n", 4, *shell(script))
            os.kill(launch.pid, signal.SIGSTOP)
            time.sleep(0.1)
            os.kill(launch.pid, signal.SIGCONT)
            code, _, err = finish(launch)
            if "process 3" in err:
                self.assertEqual(code, 128 + 9, err)

    def test_those_who_do_not_stop_are_killed(self):
        script = ('if [ $WEIR_PROCESS = 1 ]; then until [ -e "$1/0" ]; do sleep 0.01; done; exit 5; '
                  'fi; trap "" TERM; ' + WAIT)
        began = time.monotonic()
        code, _, err = run("-n", 2, *shell(script, self.folder.name, self.mark))
        self.assertEqual(code, 5)
        self.assertTrue(2 <= time.monotonic() - began < 8)
        self.assertRegex(err, r"process 0 \(pid \d+\) has not ended within 2.0 s and is killed")
        self.assertEqual(self.marked(), [])

    def test_signals_are_passed_on(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            launch = self.waiting()
            launch.send_signal(number)
            self.assertEqual(finish(launch), (128 + number, b"", ""))
            self.assertEqual(self.marked(), [])

    def test_programs_may_take_signals(self):
        script = ('trap "exit 0" TERM; trap "echo usr1" USR1; trap "echo usr2" USR2; '
                  'touch "$1/$WEIR_PROCESS"; while :; do sleep 0.05; done')
        launch = self.waiting(script=script, count=2)
        launch.send_signal(signal.SIGUSR1)
        time.sleep(0.3)
        launch.send_signal(signal.SIGUSR2)
        time.sleep(0.3)
        launch.terminate()
        code, out, err = finish(launch) # the shell says that its `sleep` was terminated
        self.assertEqual((code, err.replace("Terminated\n", "")), (0, ""))
        self.assertEqual(sorted(out.split()), [b"usr1", b"usr1", b"usr2", b"usr2"])

    def test_grace_and_the_second_signal(self):
        script = 'trap "" INT TERM; ' + WAIT
        launch = self.waiting("--grace", 0.3, script=script, count=2)
        launch.terminate()
        code, _, err = finish(launch)
        self.assertEqual(code, 128 + 9)
        self.assertEqual(len(re.findall("has not ended within 0.3 s and is killed", err)), 2)

        launch = self.waiting(script=script, count=2)
        began = time.monotonic()
        launch.send_signal(signal.SIGINT)
        time.sleep(0.2)
        launch.send_signal(signal.SIGINT)
        code, _, err = finish(launch)
        self.assertEqual((code, err), (128 + 9, ""))
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(self.marked(), [])

    def test_nohup_stays(self):
        script = 'touch "$1/$WEIR_PROCESS"; sleep 1; exit 4'
        launch = self.waiting(script=script, count=1,
                              preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        launch.send_signal(signal.SIGHUP)
        self.assertEqual(finish(launch)[0], 4)

    def test_nothing_outlives_a_killed_launcher(self):
        # What the programs start themselves does not either.
        script = f'sh -c "while :; do sleep 1; done; : $2" & {WAIT}'
        before = set(glob.glob(self.socket_folders()))
        for options in ([], ["--transport", "ipc"], ["--prefix"]):
            launch = self.waiting(*options, script=script)
            wait_until(lambda: len(self.marked()) >= 7, "six processes and the launcher")
            # As by pkill -9 -f "weir launch", with what else has these words.
            for pid in [launch.pid, *self.children(launch.pid)]:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if b"weir launch" in file.read().replace(b"\0", b" "):
                        os.kill(pid, signal.SIGKILL)
            self.wait_for_nobody(5)
            finish(launch)
        wait_until(lambda: set(glob.glob(self.socket_folders())) <= before, "no folder")

    def test_nothing_outlives_a_launcher_that_is_killed_while_it_starts(self):
        script = f'sh -c "while :; do sleep 1; done; : $2" & {WAIT}'
        for i in range(25):
            launch = start("-n", 4, *shell(script, self.folder.name, self.mark))
            time.sleep(0.001 * random.uniform(0, 25))
            launch.kill()
            self.wait_for_nobody(5)
            finish(launch)

    def children(self, pid):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]

    def socket_folders(self):
        folder = os.environ.get("XDG_RUNTIME_DIR", "")
        usable = folder and len(folder) < 32 and os.access(folder, os.W_OK)
        return os.path.join(folder if usable else "/tmp", "weir-??????")

    def test_nothing_outlives_a_launch(self):
        # A process that ends leaves one behind in its group.
        script = 'sh -c "while :; do sleep 1; done; : $2" & exit 0'
        self.assertEqual(run("-n", 2, *shell(script, self.folder.name, self.mark))[0], 0)
        self.assertEqual(self.marked(), [])

    def test_a_killed_keeper_is_missed_by_nobody(self):
        launch = self.waiting()
        for child in self.children(launch.pid):
            with open(f"/proc/{child}/cmdline", "rb") as file:
                if b"launch-keeper" in file.read():
                    os.kill(child, signal.SIGKILL)
        launch.kill() # the processes themselves are told by the system
        self.wait_for_nobody(5)
        finish(launch)

    def test_a_program_that_cannot_run(self):
        for word, code, why in (("./none", 127, "No such file"), ("/etc/passwd", 126, "denied"),
                                ("weir-no-such-program", 127, "no such program in PATH")):
            found, out, err = run("-n", 2, "--", word)
            self.assertEqual((found, out), (code, b""))
            self.assertRegex(err, f"^weir launch: cannot run `{word}`: .*{why}.*\n$")
        script = self.write("script", "#!/nonexistent/shell\n", 0o755)
        code, _, err = run("-n", 2, "--", script)
        self.assertEqual(code, 127)
        self.assertIn(f"weir launch: cannot run `{script}`: No such file", err)

    def test_a_summary_for_scripts(self):
        code, out, _ = run("-n", 3, "--json", "--cluster", "c",
                           *shell('[ $WEIR_PROCESS = 1 ] || exec sleep 60; exit 3'))
        summary = self.summary(out)
        self.assertEqual(code, 3)
        self.assertEqual([summary[name] for name in ("exit", "failed", "generation", "restarts",
                                                     "cluster")], [3, 1, 0, 0, "c"])
        ends = [(p["process"], p["host"], p["exit"], p["signal"]) for p in summary["processes"]]
        self.assertEqual(ends, [(0, "localhost", None, 15), (1, "localhost", 3, None),
                                (2, "localhost", None, 15)])
        self.assertTrue(all(p["pid"] > 1 and 0 <= p["seconds"] < 60 for p in summary["processes"]))
        with tempfile.NamedTemporaryFile() as file:
            self.assertEqual(run("-n", 2, f"--json={file.name}", *shell("echo hi"))[1], b"hi\nhi\n")
            self.assertEqual(self.summary(file.read())["failed"], None)


main()
