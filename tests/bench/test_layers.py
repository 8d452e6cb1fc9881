# SPDX-License-Identifier: MIT
"""build/bench/layers on a tiny selection: every case is there, with figures that hang together. Times are not judged.

The argument is the program; tests/cli, where mmarn_command.py is, is on PYTHONPATH.
"""

import json
import pathlib
import tempfile

from mmarn_command import Case, main, run

K = {"o_proj": 3584 // 4, "down_proj": 18944 // 4}
N = 3584
TYPES = ["f16", "f16-int4"]
SCALES = {"f16": ("none", 0), "f16-int4": ("per-group", 128)}
TINY = ["--quick", "--model", "Qwen2.5-7B", "--tp", "4", "--rows", "4", "--dtype", "f16-int4,f16"]
REPORT_KEYS = {
    "machine", "kernel", "peak_kind", "best_peak_gflops", "best_read_gbs", "peaks", "expected_seconds",
    "full_run_seconds", "cases", "ok",
}
KEYS = {
    "model", "tp", "call", "rows", "k", "n", "dtype", "scale", "group_size", "threads", "operators", "repeat",
    "time_ms", "matmul_ms", "operations", "weight_bytes", "moved_bytes", "gflops", "peak_kind", "peak_gflops",
    "peak_share", "moved_gbs", "read_gbs", "read_share", "bits_equal",
}


def weight_bytes(case):
    """Of all ranks' weights and scales."""
    each = {
        "f16": 2 * case["k"] * N,
        "f16-int4": case["k"] * N // 2 + 2 * N * -(-case["k"] // 128),
    }
    return case["tp"] * each[case["dtype"]]


class Layers(Case):
    def check_case(self, case):
        self.assertEqual(set(case), KEYS)
        self.assertEqual((case["model"], case["tp"], case["rows"], case["n"]), ("Qwen2.5-7B", 4, 4, N))
        self.assertEqual((case["scale"], case["group_size"]), SCALES[case["dtype"]])
        self.assertIs(case["bits_equal"], True)
        self.assertGreaterEqual(case["repeat"], 3)
        self.assertGreaterEqual(case["operators"] * weight_bytes(case), 128 << 20)
        self.assertEqual(case["peak_kind"], "fp32")
        operations = 2 * 4 * case["tp"] * case["k"] * N
        moved = weight_bytes(case) + case["tp"] * 4 * 2 * (case["k"] + 3 * N)
        seconds = case["time_ms"] * 1e-3
        for key, expected in (
            ("operations", operations),
            ("weight_bytes", weight_bytes(case)),
            ("moved_bytes", moved),
            ("gflops", operations / seconds * 1e-9),
            ("moved_gbs", moved / seconds * 1e-9),
            ("peak_share", case["gflops"] / case["peak_gflops"]),
            ("read_share", case["moved_gbs"] / case["read_gbs"]),
        ):
            self.assertAlmostEqual(case[key] / expected, 1, places=4, msg=key)
        for share in (case["peak_share"], case["read_share"]):
            self.assertGreater(share, 0)
            self.assertLessEqual(share, 2)

    def test_tiny(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "layers.json")
            process = run(*TINY, "--json", path)
            self.assert_exit(process, 0)
            text = path.read_text()
        self.assertEqual(process.stderr, "")
        self.assertIn("a full run       1080 cases", process.stdout)
        self.assertIn("this run         4 cases", process.stdout)
        self.assertEqual(text.count("\n"), 1)
        report = json.loads(text)
        self.assertEqual(set(report), REPORT_KEYS)
        self.assertIs(report["ok"], True)
        self.assertGreater(report["full_run_seconds"], report["expected_seconds"])
        self.assertEqual(
            [(case["call"], case["k"], case["dtype"]) for case in report["cases"]],
            [(call, k, dtype) for call, k in K.items() for dtype in TYPES],
        )
        for case in report["cases"]:
            self.check_case(case)
        rows = [line.split() for line in process.stdout.splitlines() if line.startswith("    4 ")]
        self.assertEqual([row[1] for row in rows], TYPES * 2)

    def test_bad_options(self):
        for arguments, parts in (
            (["--tp", "3"], ["--tp", '"3"', "2 and 4 and 8"]),
            (["--rows", "1,,4"], ["--rows", '"1,,4"']),
            (["--rows", ""], ["--rows", '""']),
            (["--model", "Llama-3-8B,Llama"], ["--model", '"Llama-3-8B,Llama"', "Qwen3-32B"]),
            (["--dtype", "f16,int8-f32"], ["--dtype", '"f16,int8-f32"']),
            (["--dtype"], ["--dtype"]),
            (["--bogus"], ["--bogus"]),
            (["--quick", "more"], ['"more"']),
        ):
            with self.subTest(arguments=arguments):
                process = run(*arguments)
                self.assert_exit(process, 2)
                self.assert_sentence(process, *parts)

    def test_unwritable_file(self):
        process = run(*TINY, "--json", "/nonexistent/layers.json")
        self.assert_exit(process, 3)
        self.assert_sentence(process, "/nonexistent/layers.json")

    def test_help(self):
        process = run("--help")
        self.assert_exit(process, 0)
        for option in ("--model", "--tp", "--rows", "--dtype", "--quick", "--json"):
            self.assertIn(option, process.stdout)


if __name__ == "__main__":
    main()
