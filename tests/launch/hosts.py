#!/usr/bin/env python3
"""Processes on other hosts, by a stand-in for ssh that runs them here, as a server would."""
import os
import signal
import stat
import time

from support.launching import (FAKE_SSH, LaunchTest, environment, finish, main, run, shell, start,
                               wait_until)

SSH = ["--ssh", FAKE_SSH]
WAIT = 'touch "$1/$WEIR_PROCESS"; while :; do sleep 1; done; : $2'


class Hosts(LaunchTest):
    def hosts(self, text):
        return ["--hosts", self.write("hosts", text), *SSH]

    def waiting(self, *options, script=WAIT, count=3):
        launch = start(*self.hosts("127.0.0.1 slots=2\n127.0.0.2\n"), *options,
                       *shell(script, self.folder.name, self.mark))
        self.addCleanup(launch.kill)
        self.wait_for_files(*map(str, range(count)))
        return launch

    def test_places(self):
        log = self.path("log")
        code, out, err = run(*self.hosts("# ours\n127.0.0.1 slots=2\nme@127.0.0.2:5000 # far\n"),
                             "--port", 9000, "-w", 2, *shell(
                                 'echo $WEIR_PROCESS $WEIR_PROCESSES $WEIR_HOSTS $WEIR_WORKERS'),
                             env=environment(FAKE_SSH_LOG=log))
        self.assertEqual((code, err), (0, ""))
        where = "tcp://127.0.0.1:9000,tcp://127.0.0.1:9001,tcp://127.0.0.2:5000"
        self.assertEqual(sorted(out.decode().splitlines()), [f"{i} 3 {where} 2" for i in range(3)])
        with open(log, encoding="utf-8") as file:
            hosts = file.read().splitlines()[::2]
        self.assertEqual(sorted(hosts), ["127.0.0.1", "127.0.0.1", "me@127.0.0.2"])

    def test_fewer_processes_than_slots(self):
        _, out, _ = run("-n", 2, *self.hosts("a slots=1\nb slots=9\n"), *shell("echo $WEIR_HOSTS"))
        self.assertEqual(out, b"tcp://a:4710,tcp://b:4710\n" * 2)
        # However many there are: the file may be for all that one has.
        _, out, _ = run("-n", 2, *self.hosts("a slots=1\nb slots=256\nlocalhost\n"),
                        *shell("echo $WEIR_HOSTS"))
        self.assertEqual(out, b"tcp://a:4710,tcp://b:4710\n" * 2)

    def test_words_arrive_as_they_are(self):
        odd = ["a b", "it's", "$HOME `x` \\ \"q\"", "", "*", "two\nlines", "ünïcode"]
        _, out, _ = run(*self.hosts("h"), "--", "printf", "<%s>", *odd)
        self.assertEqual(out.decode(), "".join(f"<{word}>" for word in odd))

    def test_the_working_directory_is_kept(self):
        folder = self.path("odd 'name'")
        os.mkdir(folder)
        _, out, _ = run(*self.hosts("h"), "--", "pwd", cwd=folder)
        self.assertEqual(out.decode().strip(), os.path.realpath(folder))

    def test_variables_go_along(self):
        variables = environment(WEIR_SPECIAL="a 'b'", WEIR_HOSTS="old", WEIR_PROCESS=7)
        _, out, _ = run(*self.hosts("h"), *shell("echo $WEIR_SPECIAL $WEIR_PROCESS"), env=variables)
        self.assertEqual(out, b"a 'b' 0\n")

    def test_standard_input_is_empty(self):
        self.assertEqual(run(*self.hosts("h\ni"), *shell("cat"), data=b"words")[:2], (0, b""))

    def test_keys_are_on_no_command_line(self):
        log = self.path("log")
        show = 'echo $WEIR_KEY; tr "\\0" "\\n" <"/proc/$PPID/cmdline" >&2'
        key_file = self.write("key", "a-key-from-a-file\n", 0o600)
        cases = (([], environment(WEIR_KEY="a-key-from-outside"), b"a-key-from-outside\n"),
                 (["--key-file", key_file], environment(), b"a-key-from-a-file\n"),
                 ([], environment(WEIR_KEY_FILE=key_file), b"a-key-from-a-file\n"))
        for options, variables, expected in cases:
            variables["FAKE_SSH_LOG"] = log
            _, out, err = run(*self.hosts("a\nb"), *options, *shell(show), env=variables)
            self.assertEqual(out, 2 * expected)
            with open(log, encoding="utf-8") as file:
                self.assertNotIn(expected.decode().strip(), file.read() + err)
        # Otherwise there is a new one for each launch.
        keys = [run(*self.hosts("a\nb"), *shell("echo $WEIR_KEY"))[1] for _ in range(2)]
        for key in keys:
            first, second = key.split()
            self.assertEqual(first, second)
            self.assertRegex(first, rb"^[0-9a-f]{64}$")
        self.assertNotEqual(*keys)

    def test_no_certificate_is_none(self):
        # An empty variable is as good as none: a key is drawn.
        _, out, _ = run(*self.hosts("h"), *shell("echo ${#WEIR_KEY} $WEIR_HOSTS"),
                        env=environment(WEIR_TLS_CERTIFICATE=""))
        self.assertEqual(out, b"64 tcp://h:4710\n")

    def test_key_files_are_private(self):
        for mode, text, why in ((0o644, "k" * 40, "can be read by others"), (0o600, "", "one line"),
                                (0o600, "too-short", "one line of 16"),
                                (0o600, "k" * 300, "one line")):
            path = self.write("key", text, mode)
            code, _, err = run(*self.hosts("a"), "--key-file", path, *shell("exit 0"))
            self.assertEqual(code, 2)
            self.assertIn(why, err)
        code, _, err = run(*self.hosts("a"), "--key-file", "/nonexistent", *shell("exit 0"))
        self.assertEqual(code, 2)
        self.assertIn("`/nonexistent` cannot be read: No such file", err)

    def test_failures_name_the_host(self):
        code, _, err = run(*self.hosts("127.0.0.1\n127.0.0.2"),
                           *shell("[ $WEIR_PROCESS = 1 ] && exit 3; exec sleep 60"))
        self.assertEqual(code, 3)
        self.assertRegex(err, r"process 1 \(on 127.0.0.2, pid \d+\) exited with status 3 after \S+ "
                              r"s; stopping the other 1\n")
        code, _, err = run(*self.hosts("127.0.0.1\nunreachable"), *shell("exec sleep 60"))
        self.assertEqual(code, 255)
        self.assertTrue(err.startswith("ssh: connect to host unreachable"), err)
        self.assertRegex(err, r"process 1 \(on unreachable, pid \d+\) could not be reached, or was "
                              r"lost: `.*fake_ssh.py` exited with status 255 after")
        code, _, err = run(*self.hosts("127.0.0.1"), *shell("kill -9 $$"))
        self.assertEqual(code, 128 + 9)
        self.assertIn("exited with status 137 (as after signal 9, KILL)", err)

    def test_signals_are_passed_on(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            for name in "012":
                if os.path.exists(self.path(name)):
                    os.remove(self.path(name))
            script = 'trap "exit 17" INT TERM; ' + WAIT
            launch = self.waiting(script=script)
            launch.send_signal(number)
            self.assertEqual(finish(launch)[0], 17)
            self.wait_for_nobody(5)

    def test_those_who_do_not_stop_are_killed(self):
        launch = self.waiting("--grace", 0.3, script='trap "" INT TERM; ' + WAIT)
        launch.terminate()
        code, _, err = finish(launch)
        self.assertEqual(code, 128 + 9)
        self.assertIn("has not ended within 0.3 s and is killed", err)
        self.wait_for_nobody(1)

    def test_nothing_outlives_a_killed_launcher(self):
        # Not even what the programs started, nor what does not listen to TERM.
        script = 'trap "" TERM; sh -c "while :; do sleep 1; done; : $2" & ' + WAIT
        launch = self.waiting(script=script)
        launch.kill()
        self.wait_for_nobody(8)
        finish(launch)

    def test_nothing_outlives_its_connection(self):
        launch = self.waiting()
        with open(f"/proc/{launch.pid}/task/{launch.pid}/children", encoding="ascii") as file:
            children = file.read().split()
        for child in children:
            with open(f"/proc/{child}/cmdline", "rb") as file:
                if b"127.0.0.2" in file.read().split(b"\0"):
                    os.kill(int(child), signal.SIGKILL)
        code, _, err = finish(launch)
        self.assertEqual(code, 128 + 9)
        self.assertRegex(err, r"process 2 \(on 127.0.0.2, pid \d+\) was killed by signal 9")
        self.wait_for_nobody(8)

    def test_localhost_needs_no_ssh(self):
        _, out, _ = run("--hosts", self.write("hosts", "localhost slots=2"),
                        *shell("echo $WEIR_HOSTS"))
        self.assertEqual(out, b"tcp://localhost:4710,tcp://localhost:4711\n" * 2)
        code, _, err = run(*self.hosts("localhost\nother"), *shell("exit 0"))
        self.assertEqual(code, 2)
        self.assertIn("localhost beside others", err)

    def test_dry_run(self):
        before = os.stat(self.folder.name)
        code, out, err = run(*self.hosts("a\nme@b"), "--dry-run", "--", "./program", "it's",
                             env=environment(WEIR_KEY="a-key-and-a-secret"))
        self.assertEqual((code, err), (0, ""))
        lines = out.decode().splitlines()
        self.assertTrue(lines[0].startswith("[0] ") and " a 'exec sh -c " in lines[0], lines)
        self.assertTrue(lines[1].startswith("[1] ") and " me@b 'exec sh -c " in lines[1], lines)
        self.assertNotIn("secret", out.decode())
        self.assertTrue(stat.S_ISDIR(before.st_mode))

    def test_files_that_make_no_sense(self):
        for text, why in (("", "names no host"), ("a slots=x", ":1: `slots=x`"),
                          ("a\nb:99999", ":2: `b:99999`"), ("a:5\na:5", "both listen at tcp://a:5"),
                          ("tcp://a:5", "name the host"), ("a slots=200\nb slots=200", "at most 256"),
                          ("-oProxyCommand=x", "`-oProxyCommand=x`"),
                          ("-oProxyCommand=x@a", "`-oProxyCommand=x@a`")):
            code, _, err = run(*self.hosts(text), *shell("exit 0"))
            self.assertEqual(code, 2, text)
            self.assertIn(why, err)
        code, _, err = run("-n", 3, *self.hosts("a\nb"), *shell("exit 0"))
        self.assertEqual(code, 2)
        self.assertIn("3 processes do not fit the 2 slots", err)


main()
