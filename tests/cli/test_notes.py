# SPDX-License-Identifier: MIT
"""What is no failure but told, once, on standard error: ranks bound to one processor, and a MMARN_CPU that is none."""

import json
import os
import sys
import unittest

from mmarn_command import Case, main, run

SMALL = ["run", "-n", "2", "-t", "1", "--shape", "1x4x64x64", "--repeat", "1", "--json"]
ALLOWED = sorted(os.sched_getaffinity(0))
SHOW = "import os; os.write(1, f'{sorted(os.sched_getaffinity(0))}\\n'.encode())"
for name in "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY":
    os.environ.pop(name, None)


class Notes(Case):
    def assert_note(self, process, *parts):
        self.assert_exit(process, 0)
        self.assertRegex(process.stderr, r"\Ammarn: [^\n]*\n\Z")
        for part in parts:
            self.assertIn(part, process.stderr)

    @unittest.skipIf(len(ALLOWED) < 2, "there is one processor only")
    def test_bound_by_openmp(self):
        """Threads beside a rank's first are bound by the variables, the first one is not."""
        first, threads = ALLOWED[0], [*SMALL[:3], "-t", "2", *SMALL[5:]]
        for variables in ({"GOMP_CPU_AFFINITY": str(first)}, {"OMP_PLACES": f"{{{first}}}"},
                          {"OMP_PROC_BIND": "primary"}, {"OMP_PROC_BIND": "spread", "OMP_PLACES": "threads(1)"}):
            with self.subTest(variables=variables):
                process = run(*threads, environment=variables)
                self.assert_note(process, f"all 2 ranks are bound to processor {first}, though there are ",
                                 "OMP_PROC_BIND")
                self.assertTrue(json.loads(process.stdout)["ok"])
                self.assertEqual(run(*SMALL, environment=variables).stderr, "")
                process = run("launch", "-n", "2", sys.executable, "-c", SHOW, environment=variables)
                self.assertEqual((process.stdout, process.stderr), (f"{ALLOWED}\n" * 2, ""))

    @unittest.skipIf(len(ALLOWED) < 2, "there is one processor only")
    def test_bound_by_a_mask(self):
        os.sched_setaffinity(0, ALLOWED[-1:])
        try:
            for arguments in SMALL, ["launch", "-n", "2", "true"]:
                self.assert_note(run(*arguments), f"all 2 ranks are bound to processor {ALLOWED[-1]}, though there are ",
                                 "taskset")
            self.assertEqual(run("launch", "-n", "1", "true").stderr, "")
        finally:
            os.sched_setaffinity(0, ALLOWED)

    def test_nothing_to_tell(self):
        for arguments in SMALL, ["launch", "-n", "8", "true"], ["run", "-n", "5", *SMALL[3:]]:
            for variables in {}, {"OMP_PROC_BIND": "false"}:
                self.assertEqual(run(*arguments, environment=variables).stderr, "")

    def test_levels(self):
        for text in "avx-512", "avx2 ", "sse", "x" * 100:
            with self.subTest(text=text):
                note = f'MMARN_CPU is "{text[:32]}", which is not ref, avx2, avx512, avx512vnni or avx512bf16, so it forbids nothing'
                for arguments in SMALL, ["launch", "-n", "2", "true"]:
                    self.assert_note(run(*arguments, environment={"MMARN_CPU": text}), f"mmarn: {note}\n")
                facts = self.json_of(run("info", "--json", environment={"MMARN_CPU": text}))
                self.assertEqual(facts["library"]["note"], note)
        for text, level in ("REF", "ref"), ("Ref", "ref"), ("", None), ("ref", "ref"):
            facts = self.json_of(run("info", "--json", environment={"MMARN_CPU": text}))["library"]
            self.assertNotIn("note", facts)
            self.assertEqual(facts["cpu level"] == "ref", level == "ref")


if __name__ == "__main__":
    main()
