#!/usr/bin/env python3
"""The command line of `weir launch`: what is understood, and what is refused with which words."""
from support.launching import LaunchTest, main, run, shell

REFUSED = [
    ([], "which program?"),
    (["-n", "2"], "which program?"),
    (["-n", "0", "true"], "--processes takes a whole number from 1 to 256, not `0`"),
    (["-n", "257", "true"], "--processes takes"),
    (["-n", "two", "true"], "not `two`"),
    (["-w", "65", "true"], "--workers takes a whole number from 1 to 64, not `65`"),
    (["--transport", "udp", "true"], "--transport is one of abstract, tcp, tls, ipc, not `udp`"),
    (["--restart", "always", "true"], "--restart is one of never, on-failure, not `always`"),
    (["--restart-budget", "2", "true"], "--restart-budget/-window has no effect without --restart"),
    (["--grace", "long", "true"], "--grace takes seconds from 0 to 1000000, not `long`"),
    (["--ssh", "rsh", "true"], "--ssh has no effect without --hosts"),
    (["--port", "4000", "true"], "--port has no effect without --hosts"),
    (["--cluster", "Mine", "true"], "--cluster takes a name"),
    (["--hosts", "/nonexistent", "true"], "`/nonexistent` cannot be read: No such file"),
    (["--bogus", "true"], "weir launch: unrecognized option '--bogus'"),
    (["--ssh", " ", "--hosts", "/dev/null", "true"], "--ssh takes a command, not ` `"),
]


class Words(LaunchTest):
    def test_what_is_refused(self):
        for words, why in REFUSED:
            code, out, err = run(*words)
            self.assertEqual((code, out), (2, b""), words)
            self.assertIn(why, err)
        hosts = self.write("hosts", "a\n")
        code, _, err = run("--hosts", hosts, "--transport", "tcp", "true")
        self.assertEqual(code, 2)
        self.assertIn("--transport has no effect with --hosts", err)

    def test_help(self):
        code, out, err = run("--help")
        self.assertEqual((code, err), (0, ""))
        self.assertTrue(out.startswith(b"usage: weir launch -n N"))

    def test_options_of_the_program_are_its_own(self):
        self.assertEqual(run("-n", 1, "echo", "-n", "2", "--help")[1], b"2 --help")
        self.assertEqual(run("-n", 1, "--", "echo", "-w", "--")[1], b"-w --\n")

    def test_one_process_unless_said(self):
        self.assertEqual(run(*shell("echo $WEIR_PROCESSES"))[1], b"1\n")

    def test_dry_run(self):
        code, out, err = run("-n", 2, "-w", 3, "--cluster", "c", "--dry-run", "cat", "a b",
                             "it's")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out.decode().splitlines(), [
            f"[{i}] env WEIR_PROCESSES=2 WEIR_PROCESS={i} WEIR_CLUSTER=c WEIR_GENERATION=0 "
            f"WEIR_WORKERS=3 WEIR_RENDEZVOUS=... WEIR_LISTEN=abstract://weir-...-0-{i} cat 'a b' "
            "'it'\\''s'" for i in range(2)])


main()
