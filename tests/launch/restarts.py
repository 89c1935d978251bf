#!/usr/bin/env python3
"""Starting all processes again when one has failed: the budget, generations, what is no reason."""
import os
import re
import signal
import time

from support.launching import MEET, LaunchTest, finish, main, python, run, shell, start

FAIL_UNTIL = 'echo "$WEIR_PROCESS/$WEIR_GENERATION"; [ $WEIR_GENERATION -ge $1 ] || exit 9'


class Restarts(LaunchTest):
    def test_never_unless_asked_for(self):
        code, out, err = run("-n", 2, *shell(FAIL_UNTIL, 1))
        self.assertEqual(code, 9)
        self.assertNotIn("again", err)

    def test_until_it_works(self):
        began = time.monotonic()
        code, out, err = run("-n", 2, "--restart", "on-failure", "--json", *shell(FAIL_UNTIL, 2))
        self.assertEqual(code, 0)
        lines = out.decode().splitlines()
        self.assertEqual(sorted(lines[-3:-1]), ["0/2", "1/2"])
        self.assertRegex(err, r"starting all 2 again in 0\.[3-7] s, as generation 1\n")
        self.assertRegex(err, r"starting all 2 again in (0\.[7-9]|1\.[0-3]) s, as generation 2\n")
        self.assertGreater(time.monotonic() - began, 1)
        summary = self.summary(out)
        self.assertEqual((summary["generation"], summary["restarts"], summary["exit"]), (2, 2, 0))

    def test_the_budget(self):
        for budget in (0, 2):
            code, out, err = run("-n", 1, "--restart", "on-failure", "--restart-budget", budget,
                                 *shell(FAIL_UNTIL, 99))
            self.assertEqual((code, len(out.splitlines())), (9, budget + 1))
            self.assertIn(f"giving up: there were {budget} restarts within 600 s", err)

    def test_the_budget_is_for_a_window(self):
        code, out, _ = run("-n", 1, "--restart", "on-failure", "--restart-budget", 1,
                           "--restart-window", 0.2, *shell(FAIL_UNTIL, 2))
        self.assertEqual((code, len(out.splitlines())), (0, 3))

    def test_who_went_well_for_a_window_begins_anew(self):
        code, _, err = run("-n", 1, "--restart", "on-failure", "--restart-window", 0.2,
                           *shell("sleep 0.3; [ $WEIR_GENERATION = 3 ]"))
        self.assertEqual(code, 0)
        self.assertEqual([float(s) < 0.7 for s in re.findall(r"again in (\S+) s", err)], [True] * 3)

    def test_what_will_not_get_better(self):
        for status in (2, 126, 127):
            code, _, err = run("-n", 2, "--restart", "on-failure", *shell(f"exit {status}"))
            self.assertEqual(code, status)
            self.assertIn(f"not restarted: status {status}", err)

    def test_a_request_to_end_is_no_failure(self):
        launch = start("-n", 2, "--restart", "on-failure",
                       *shell('touch "$1/$WEIR_PROCESS"; exec sleep 60', self.folder.name))
        self.wait_for_files("0", "1")
        launch.terminate()
        self.assertEqual(finish(launch), (128 + signal.SIGTERM, b"", ""))

    def test_a_request_to_end_between_attempts(self):
        launch = start("-n", 1, "--restart", "on-failure",
                       *shell('touch "$1/$WEIR_GENERATION"; exit 3', self.folder.name))
        self.wait_for_files("2")
        time.sleep(0.7) # of at least 1.5 s
        launch.terminate()
        code, _, _ = finish(launch)
        self.assertEqual(code, 3)
        self.assertFalse(os.path.exists(self.path("3")))

    def test_each_generation_meets_anew(self):
        script = MEET + ("print(meet(os.environ['WEIR_LISTEN']))\n"
                         "if os.environ['WEIR_GENERATION'] == '0': os.abort()\n")
        for transport in ("abstract", "ipc", "tcp"):
            code, out, _ = run("-n", 2, "--restart", "on-failure", "--transport", transport,
                               *python(script))
            self.assertEqual(code, 0)
            self.assertEqual(out.decode().splitlines()[-1].count("://"), 2)

    def test_all_are_stopped_before_all_are_started(self):
        script = ('echo "$WEIR_GENERATION begins"; trap "echo $WEIR_GENERATION ends; exit 0" TERM; '
                  'touch "$1/$WEIR_PROCESS"; '
                  'if [ $WEIR_PROCESS/$WEIR_GENERATION = 1/0 ]; then '
                  'until [ -e "$1/0" ] && [ -e "$1/2" ]; do sleep 0.01; done; exit 5; fi; '
                  '[ $WEIR_GENERATION = 1 ] || while :; do sleep 0.1; done')
        code, out, _ = run("-n", 3, "--restart", "on-failure", *shell(script, self.folder.name))
        self.assertEqual(code, 0)
        lines = out.decode().splitlines()
        self.assertEqual(lines, 3 * ["0 begins"] + 2 * ["0 ends"] + 3 * ["1 begins"])


main()
