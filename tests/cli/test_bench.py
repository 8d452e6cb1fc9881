# SPDX-License-Identifier: MIT
"""mmarn bench: every case is there, once per type, with figures that hang together."""

import json
import os
import pathlib
import tempfile

from mmarn_command import Case, main, run

CASES = [
    ("prefill", 1, 512, 1024, 8192),
    ("prefill", 2, 512, 1024, 8192),
    ("prefill", 8, 512, 256, 8192),
    ("decode", 2, 1, 2048, 4096),
    ("decode", 2, 4, 2048, 4096),
]
FORM = ("mm-all-reduce", 2, 512, 1024, 8192)
TYPES = ["f16", "f16-int8", "f16-int4", "int8-f16"]

SCALES = {"f16": ("none", 0), "f16-int4": ("per-group", 128)}


def stored_bytes(case):
    """Of all ranks' weights and scales."""
    elements, n = case["k"] * case["n"], case["n"]
    each = {
        "f16": 2 * elements,
        "f16-int8": elements + 2 * n,
        "f16-int4": elements // 2 + 2 * n * case["k"] // 128,
        "int8-f16": elements + 8 * n,
    }
    return case["ranks"] * each[case["dtype"]]


def old_report(dtype, scale, milliseconds):
    """A report with all cases but the last one, and one that this program does not have."""
    cases = [
        {"case": case, "ranks": ranks, "threads": max(1, len(os.sched_getaffinity(0)) // ranks), "rows": rows, "k": k, "n": n,
         "dtype": dtype, "scale": scale, "group_size": 0, "time_ms": milliseconds, "time_ms_least": milliseconds / 2,
         "time_ms_most": milliseconds * 4}
        for case, ranks, rows, k, n in [("other", 2, 512, 1024, 8192), *CASES]
    ]  # fmt: skip
    return json.dumps({"machine": "another, 3 processors", "cases": cases}, indent=1)


class Bench(Case):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.old = pathlib.Path(folder.name) / "old.json"

    def test_compared(self):
        self.old.write_text(old_report("bf16", "none", 10))
        process = run("bench", "--quick", "--json", "--dtype", "bf16", "--compare", self.old)
        self.assert_exit(process, 0)
        self.assertEqual(process.stderr, f'mmarn bench: "{self.old}" is from another machine\n')
        self.assertEqual(process.stdout.count("\n"), 1, process.stdout)
        report = json.loads(process.stdout)
        product = 1
        for case in report["cases"]:
            self.check_peak(case, {peak["kind"]: peak["gflops"] for peak in report["peaks"]})
            self.assertLessEqual(case["time_ms_least"], case["time_ms"])
            self.assertLessEqual(case["time_ms"], case["time_ms_most"])
            compared = case["compared"]
            if case["case"] == FORM[0]:
                self.assertEqual(set(compared.values()), {None})
                continue
            self.assertEqual(compared["time_ms"], 10)
            self.assertAlmostEqual(compared["ratio"] * case["time_ms"] / 10, 1, places=4)
            self.assertAlmostEqual(compared["ratio_least"] * case["time_ms_most"] / 5, 1, places=4)
            self.assertAlmostEqual(compared["ratio_most"] * case["time_ms_least"] / 40, 1, places=4)
            product *= compared["ratio"]
        self.assertEqual(report["compared_cases"], len(CASES))
        self.assertAlmostEqual(report["compared_mean"] / product ** (1 / len(CASES)), 1, places=4)

    def test_wrong_reports(self):
        missing = run("bench", "--compare", self.old)
        self.assert_exit(missing, 2)
        self.assert_sentence(missing, f'--compare: "{self.old}" cannot be read: No such file')
        for text in ("", "{}", "[]", '{"cases": []}', '{"cases": 1}', '{"cases": [1}', old_report("f16", "none", 1)[:-3]):
            self.old.write_text(text)
            process = run("bench", "--compare", self.old)
            self.assert_exit(process, 2)
            self.assert_sentence(process, f'--compare: "{self.old}" is not a report of mmarn bench --json')

    def check_peak(self, case, peaks):
        """The share is of the peak of its own kind; that is the one above when all processors work."""
        self.assertIn(case["peak_kind"], ("int8",) if case["dtype"].startswith("int8") else ("fp32", "bf16"))
        self.assertAlmostEqual(case["peak_share"] * case["peak_gflops"] / case["gflops"], 1, places=4)
        if case["ranks"] * case["threads"] >= len(os.sched_getaffinity(0)):
            self.assertEqual(case["peak_gflops"], peaks[case["peak_kind"]])

    def test_json(self):
        process = run("bench", "--quick", "--json", timeout=900)
        self.assert_exit(process, 0)
        report = self.json_of(process)
        self.assertIs(report["ok"], True)
        peaks = {peak["kind"]: peak["gflops"] for peak in report["peaks"]}
        self.assertLessEqual({"fp32", "int8"}, peaks.keys())
        self.assertEqual(report["peak_kind"], "fp32")
        self.assertEqual(report["peak_gflops"], peaks["fp32"])
        self.assertGreater(min(peaks.values()), 0)
        self.assertGreater(report["read_gbs"], 0)
        self.assertEqual(
            [tuple(case[key] for key in ("case", "ranks", "rows", "k", "n", "dtype")) for case in report["cases"]],
            [(*case, dtype) for case in CASES for dtype in TYPES] + [(*FORM, "f16")],
        )
        for number, case in enumerate(report["cases"]):
            self.check_peak(case, peaks)
            f16 = report["cases"][min(number - number % len(TYPES), len(CASES) * len(TYPES))]
            self.assertEqual((case["scale"], case["group_size"]), SCALES.get(case["dtype"], ("per-channel", 0)))
            self.assertIs(case["bits_equal"], True)
            self.assertGreaterEqual(case["repeat"], 3)
            seconds = case["time_ms"] * 1e-3
            operations = 2 * case["ranks"] * case["rows"] * case["k"] * case["n"]
            self.assertAlmostEqual(case["gflops"] * seconds * 1e9 / operations, 1, places=4)
            self.assertAlmostEqual(case["weight_bytes"] / stored_bytes(case), 1, places=4)
            self.assertAlmostEqual(case["weights_gbs"] * seconds * 1e9 / stored_bytes(case), 1, places=4)
            self.assertAlmostEqual(case["f16_ratio"] * case["time_ms"] / f16["time_ms"], 1, places=4)
            if case["case"] == "decode":
                self.assertGreaterEqual(case["operators"] * stored_bytes(case), 128 << 20)
            else:
                self.assertEqual(case["operators"], 1)

    def test_one_type(self):
        self.old.write_text(old_report("int8-bf16", "per-channel", 10))
        process = run("bench", "--quick", "--dtype", "int8-bf16", "--compare", self.old)
        self.assert_exit(process, 0)
        rows = [line.split() for line in process.stdout.splitlines() if line.startswith(("prefill ", "decode ", "mm-all-reduce "))]
        self.assertEqual(len(rows), len(CASES) + 1)
        self.assertEqual({row[4] for row in rows}, {"int8-bf16"})
        self.assertEqual({row[-3] for row in rows}, {"-"})
        self.assertEqual(rows[-1][-2:], ["-", "-"])
        for row in rows[:-1]:
            least, most = map(float, row[-1].split(".."))
            self.assertTrue(least <= float(row[-2]) <= most, row)
        self.assertIn(f"geometric mean of {len(CASES)} cases", process.stdout.splitlines()[-1])
        self.assertEqual({row[12] for row in rows}, {"int8"})


if __name__ == "__main__":
    main()
