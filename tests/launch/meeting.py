#!/usr/bin/env python3
"""How processes on one host learn where the others listen, with programs that speak only that:
every transport, launches side by side, again and again, and what is told when one is missing."""
import os
import re

from support.launching import (MEET, LaunchTest, environment, finish, main, python, run, shell,
                               start)

ONCE = MEET + """
print(os.environ["WEIR_PROCESS"], meet(os.environ["WEIR_LISTEN"]))
"""

# Listens in earnest, and dials all others once it knows them.
DIAL = MEET + r"""
import re, threading
me, count = int(os.environ["WEIR_PROCESS"]), int(os.environ["WEIR_PROCESSES"])
def place(url):
    scheme, rest = url.split("://")
    if scheme == "tcp":
        host, port = rest.split(":")
        return socket.AF_INET, (host, int(port))
    return socket.AF_UNIX, ("\0" if scheme == "abstract" else "") + rest
family, address = place(os.environ["WEIR_LISTEN"])
server = socket.socket(family)
server.bind(address)
server.listen()
url = os.environ["WEIR_LISTEN"]
if family == socket.AF_INET:
    url = "tcp://127.0.0.1:%d" % server.getsockname()[1]
urls = meet(url).split()[1:]
for other in urls:
    link = socket.socket(family)
    link.connect(place(other)[1])
    link.sendall(b"%d" % me)
    link.close()
heard = sorted(int(server.accept()[0].recv(9)) for _ in range(count))
assert heard == list(range(count)), heard
print("all here")
"""


class Meeting(LaunchTest):
    def test_all_are_told_the_same(self):
        code, out, err = run("-n", 4, *python(ONCE))
        self.assertEqual((code, err), (0, ""))
        lines = sorted(out.decode().splitlines())
        self.assertEqual([line[0] for line in lines], list("0123"))
        self.assertEqual(len({line[2:] for line in lines}), 1)
        self.assertRegex(lines[0], r"^0 addresses( abstract://weir-[0-9a-f]{32}-0-\d){4}$")

    def test_every_transport(self):
        for transport in ("abstract", "tcp", "ipc"):
            code, out, err = run("-n", 3, "--transport", transport, *python(DIAL))
            self.assertEqual((code, out, err), (0, b"all here\n" * 3, ""))

    def test_side_by_side(self):
        for transport in ("abstract", "tcp", "ipc"):
            both = [start("-n", 3, "--transport", transport, *python(DIAL)) for _ in range(2)]
            for launch in both:
                self.assertEqual(finish(launch), (0, b"all here\n" * 3, ""))

    def test_again_and_again(self):
        script = MEET + ("for i in range(20):\n"
                         "    me = os.environ['WEIR_PROCESS']\n"
                         "    heard = meet(f'abstract://{me}-{i}')\n"
                         "    assert heard == f'addresses abstract://0-{i} abstract://1-{i}', heard")
        self.assertEqual(run("-n", 2, *python(script)), (0, b"", ""))

    def test_a_missing_process_is_named(self):
        script = MEET + ("import sys, time\n"
                         "if os.environ['WEIR_PROCESS'] in '13': time.sleep(60)\n"
                         "if os.environ['WEIR_PROCESS'] == '2': meet('abstract://x')\n"
                         "launcher.sendall(b'listening abstract://y\\n'); time.sleep(0.5)\n"
                         "launcher.sendall(b'who\\n'); sys.exit(launcher.recv(100).decode())")
        _, _, err = run("-n", 4, *python(script))
        self.assertRegex(err, r"^missing (1,(2,)?3)\n")

    def test_an_end_before_the_meeting(self):
        # Whoever waits is stopped with the others, and does not wait for ever.
        script = ONCE.replace("print(", "os._exit(9) if os.environ['WEIR_PROCESS'] == '1' else "
                                        "print(")
        self.assertEqual(run("-n", 3, *python(script))[0], 9)

    def test_other_words_are_reported(self):
        script = MEET + "launcher.sendall(b'hello\\n'); launcher.close()"
        code, _, err = run("-n", 2, *python(script))
        self.assertEqual(code, 0)
        self.assertIn("process 1 says `hello` where only weir's words are understood", err)
        script = MEET + "launcher.sendall(b'x' * 100000)"
        run("-n", 2, *python(script)) # neither hangs nor breaks

    def test_the_environment(self):
        names = r"WEIR_(PROCESS|PROCESSES|CLUSTER|GENERATION|WORKERS|KEY_FILE|HOSTS|KEY)="
        before = environment(WEIR_PROCESS=9, WEIR_HOSTS="a,b", WEIR_KEY="old", WEIR_WORKERS=8)
        _, out, _ = run("-n", 2, "-w", 3, "--cluster", "mine", "--key-file", "k",
                        *shell(f"env | grep -E '^{names}' | sort"), env=before)
        expected = ["WEIR_CLUSTER=mine", "WEIR_GENERATION=0", "WEIR_KEY_FILE=k", "WEIR_PROCESSES=2",
                    "WEIR_WORKERS=3"]
        lines = out.decode().splitlines()
        self.assertEqual(sorted(lines), sorted(2 * expected + ["WEIR_PROCESS=0", "WEIR_PROCESS=1"]))
        _, out, _ = run("-n", 1, *shell("env | grep ^WEIR_ | sort"), env=environment(WEIR_KEY="old"))
        self.assertTrue(re.fullmatch(r"WEIR_CLUSTER=sh-[0-9a-f]{8}\nWEIR_GENERATION=0\nWEIR_KEY=old\n"
                                     r"WEIR_PROCESS=0\nWEIR_PROCESSES=1\n", out.decode()), out)

    def test_descriptors(self):
        # Only the three usual ones and the launcher's; those that were open stay.
        reader, writer = os.pipe()
        script = "ls /proc/self/fd | tr '\\n' ' '"
        _, out, _ = run("-n", 2, *shell(f"{script}; echo $WEIR_RENDEZVOUS"), pass_fds=[writer])
        os.close(reader)
        os.close(writer)
        for line in out.decode().splitlines():
            *open_ones, meeting = line.split()
            # `ls` has one of its own while it looks.
            self.assertLessEqual({"0", "1", "2", str(writer), meeting}, set(open_ones))
            self.assertEqual(len(open_ones), 6, line)


main()
