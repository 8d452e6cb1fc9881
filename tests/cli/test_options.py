# SPDX-License-Identifier: MIT
"""Options: wrong ones are refused with exit status 2 and one sentence that names the option and the value."""

import os
import pty
import re

from mmarn_command import COMMAND, Case, main, run

WRONG = [
    ("run", "--ranks", "0"),
    ("run", "--ranks", "65"),
    ("run", "--ranks", "-1"),
    ("run", "--ranks", "2x"),
    ("run", "--ranks", ""),
    ("run", "--ranks", " 2"),
    ("run", "--ranks", "99999999999999999999"),
    ("run", "--shape", "1x2x3"),
    ("run", "--shape", "1x2x3x4x5"),
    ("run", "--shape", "1x2x3x-4"),
    ("run", "--shape", "1x2x3x4 "),
    ("run", "--shape", "1,2,3,4"),
    ("run", "--shape", "99999999999999999999x1x1x1"),
    ("run", "--shape", "4294967296x4294967296x1x1"),
    ("run", "--dtype", "f64"),
    ("run", "--dtype", "int4-f16"),
    ("run", "--scale", "per-row"),
    ("run", "--group-size", "0"),
    ("run", "--numerics", "exact"),
    ("run", "--threads", "0"),
    ("run", "--threads", "1025"),
    ("run", "--repeat", "0"),
    ("run", "--seed", "-1"),
    ("run", "--seed", "18446744073709551616"),
    ("bench", "--dtype", "f8"),
    ("launch", "--ranks", "65"),
]


class Options(Case):
    def test_wrong_values(self):
        for command, option, value in WRONG:
            with self.subTest(option=option, value=value):
                process = run(command, option, value)
                self.assert_exit(process, 2)
                self.assert_sentence(process, f"mmarn {command}: {option} ", f'"{value}"')

    def test_wrong_options(self):
        for arguments, part in [
            (("run", "--nonsense"), '"--nonsense"'),
            (("run", "-z"), '"-z"'),
            (("run", "--json=1"), '"--json=1"'),
            (("run", "--seed"), "--seed needs a value"),
            (("run", "extra"), '"extra"'),
            (("info", "extra"), '"extra"'),
            (("nonsense",), '"nonsense"'),
            (("launch", "-n", "2"), "program"),
            (("launch", "true"), "--ranks"),
        ]:
            with self.subTest(arguments=arguments):
                process = run(*arguments)
                self.assert_exit(process, 2)
                self.assert_sentence(process, part)

    def test_options_that_do_not_go_together(self):
        for arguments, parts in [
            ("--dtype f16 --scale per-tensor", ("--scale", "f16")),
            ("--dtype f32 --offset", ("--offset", "f32")),
            ("--dtype bf16 --per-token", ("--per-token", "bf16")),
            ("--dtype int8-f16 --scale per-group", ("per-group", "int8-f16")),
            ("--dtype int8-bf16 --offset", ("--offset", "int8-bf16")),
            ("--dtype f16-int8 --per-token", ("--per-token", "f16-int8")),
            ("--group-size 64", ("--group-size", "--scale per-group")),
            ("--dtype f16-int8 --group-size 64", ("--group-size", "--scale per-group")),
            ("--dtype f16-int8 --scale per-group --group-size 48", ("--group-size is 48", "32")),
            ("--dtype f16-int4 --scale per-group --shape 1x1x128x8", ("--group-size is 128", "k is 128")),
            ("--dtype f16-int4 --shape 1x1x8x7", ("even n", "not 7")),
            ("--dtype bf16-int4 --shape 1x1x9x8 --trans-x2", ("even k", "not 9")),
        ]:
            with self.subTest(arguments=arguments):
                process = run("run", *arguments.split())
                self.assert_exit(process, 2)
                self.assert_sentence(process, "mmarn run: ", *parts)

    def test_nothing_at_all(self):
        process = run()
        self.assert_exit(process, 2)
        self.assertIn("Usage: mmarn", process.stderr)

    def test_help_and_version(self):
        self.assertIn("Usage: mmarn COMMAND", run("--help").stdout)
        self.assertRegex(run("--version").stdout, r"\Ammarn \d+\.\d+\.\d+\n\Z")
        for command in ("run", "launch", "info", "bench"):
            process = run(command, "--help")
            self.assert_exit(process, 0)
            self.assertIn(f"Usage: mmarn {command} ", process.stdout)
            self.assertEqual(process.stderr, "")

    def test_info(self):
        text = run("info")
        self.assert_exit(text, 0)
        facts = self.json_of(run("info", "--json"))
        self.assertGreater(facts["processors"], 0)
        self.assertIn("gemm kernel", facts["library"])
        for key, value in facts["library"].items():
            self.assertRegex(text.stdout, rf"(?m)^{re.escape(key)}: +{re.escape(value)}$")

    def test_progress_is_for_terminals_only(self):
        arguments = ["run", "-n", "1", "--shape", "1x4x16x16", "--repeat", "1"]
        self.assertEqual(run(*arguments).stderr, "")
        child, terminal = pty.fork()
        if child == 0:
            os.execv(COMMAND, [COMMAND, *arguments])
        shown = b""
        while True:
            try:
                piece = os.read(terminal, 4096)
            except OSError:  # how Linux says that the other side is closed
                break
            shown += piece
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        self.assertIn(b"\r\x1b[Ktiming", shown)


if __name__ == "__main__":
    main()
