#!/usr/bin/env python3
"""What the tests give to `weir launch --ssh`: runs the command here, in a session of its own, as
a server would, and passes input on to it. When this is killed, the input ends, and no more.

    fake_ssh.py HOST COMMAND      appends HOST and COMMAND to $FAKE_SSH_LOG; the host
                                  `unreachable` is
"""
import os
import subprocess
import sys
import threading

host, command = sys.argv[1:]
if "FAKE_SSH_LOG" in os.environ:
    with open(os.environ["FAKE_SSH_LOG"], "a", encoding="utf-8") as log:
        log.write(f"{host}\n{command}\n")
if host == "unreachable":
    print("ssh: connect to host unreachable port 22: No route to host", file=sys.stderr)
    sys.exit(255)
remote = subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, start_new_session=True)


def pass_input():
    while data := os.read(0, 4096):
        try:
            os.write(remote.stdin.fileno(), data)
        except OSError:
            return
    remote.stdin.close()


threading.Thread(target=pass_input, daemon=True).start()
status = remote.wait()
os._exit(status if status >= 0 else 255)
