# SPDX-License-Identifier: MIT
"""mmarn run: right results in every type, mode and small group; the shapes with nothing to do; failures."""

import os
import signal
import time

from mmarn_command import Case, main, may_multiply_bf16, run, start

KEYS = {
    "ok", "ranks", "threads", "dtype", "kernel", "time_ms", "matmul_ms", "gflops", "peak_kind", "peak_gflops",
    "peak_share", "fp32_peak_gflops", "bound_ratio_y", "bound_ratio_norm", "bits_equal", "seed", "shape", "numerics",
    "scale", "group_size", "offset", "per_token", "multiply", "layout", "algorithm", "why", "block_rows",
    "tile_columns", "tiles",
}  # fmt: skip

TYPES = (
    "f16", "bf16", "f32", "int8-f16", "int8-bf16", "int8-f32", "f16-int8", "bf16-int8", "f32-int8", "f16-int4",
    "bf16-int4",
)  # fmt: skip


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


class Run(Case):
    def check(self, *arguments, environment=None):
        process = run("run", "--repeat", 2, "--json", *arguments, environment=environment)
        self.assert_exit(process, 0)
        result = self.json_of(process)
        self.assertLessEqual(KEYS, result.keys())
        self.assertIs(result["ok"], True, result)
        self.assertIs(result["bits_equal"], True, result)
        self.assertEqual(result["repeat"], 2)
        return result

    @staticmethod
    def scales(dtype, ranks, numerics):
        """Options of a quantised type: its shapes of scales by turns, with and without what is optional."""
        x1, _, other = dtype.partition("-")
        shape = ("per-tensor", "per-channel", "per-group")[ranks - 1]
        if x1 == "int8":
            shape = "per-channel" if shape == "per-group" else shape
            return ["--scale", shape, *(["--per-token"] if numerics != "ascend" else [])]
        if other:
            group = ["--group-size", 32] if shape == "per-group" else []
            return ["--scale", shape, *group, *(["--offset"] if numerics != "fp32" else [])]
        return []

    def test_every_type_mode_and_group(self):
        for ranks in (1, 2, 3):
            for dtype in TYPES:
                for numerics in ("default", "ascend", "fp32"):
                    with self.subTest(ranks=ranks, dtype=dtype, numerics=numerics):
                        scales = self.scales(dtype, ranks, numerics)
                        result = self.check(
                            "-n", ranks, "--shape", "2x7x66x130", "--dtype", dtype, "--numerics", numerics, *scales,
                            *(["--bias"] if ranks != 2 else []), *(["--trans-x2"] if ranks != 1 else []),
                        )  # fmt: skip
                        self.assertEqual((result["ranks"], result["dtype"]), (ranks, dtype))
                        self.assertEqual((result["numerics"], result["shape"]), (numerics, "2x7x66x130"))
                        self.assertEqual(result["scale"], scales[1] if scales else "none")
                        self.assertEqual(result["group_size"], 32 if "--group-size" in scales else 0)
                        self.assertEqual(result["offset"], "--offset" in scales)
                        self.assertEqual(result["per_token"], "--per-token" in scales)
                        self.assertEqual(result["rows_checked"], 14)
                        self.assertGreater(result["bound_ratio_y"], 0)
                        self.assertLessEqual(result["bound_ratio_y"], 1)
                        self.assertLessEqual(result["bound_ratio_norm"], 1)
                        self.assertGreater(result["gflops"], 0)
                        self.assertGreater(result["peak_gflops"], 0)

    def test_peak_is_of_the_kind_that_multiplies(self):
        for cpu in (None, "avx512", "avx2", "ref"):
            environment = {"MMARN_CPU": cpu} if cpu else None
            pairs = may_multiply_bf16(environment)
            for dtype in TYPES:
                kinds = []
                for rows in (1, 2, 3, 6, 7, 16):
                    with self.subTest(cpu=cpu, dtype=dtype, rows=rows):
                        result = self.check("-n", 1, "--shape", f"1x{rows}x64x64", "--dtype", dtype,
                                            environment=environment)  # fmt: skip
                        self.assertEqual(result["peak_kind"], result["multiply"])
                        self.assertAlmostEqual(result["peak_share"] * result["peak_gflops"] / result["gflops"], 1, 4)
                        self.assertGreater(result["fp32_peak_gflops"], 0)
                        if result["peak_kind"] == "fp32":
                            self.assertEqual(result["peak_gflops"], result["fp32_peak_gflops"])
                        else:
                            self.assertNotEqual(result["peak_gflops"], result["fp32_peak_gflops"])
                        kinds.append(result["peak_kind"])
                many = "int8" if dtype.startswith("int8") else "bf16" if dtype.startswith("bf16") and pairs else "fp32"
                self.assertEqual(kinds, sorted(kinds, key=lambda kind, many=many: kind == many))
                self.assertEqual(kinds[-1], many)
                self.assertEqual(kinds[0], "int8" if many == "int8" else "fp32")

    def test_forms(self):
        for form in ("mm-all-reduce", "no-residual", "gamma-plus-one", "norm-first", "int8", "sharded"):
            for dtype, numerics in (("f16", "default"), ("bf16", "fp32"), ("f32", "ascend"), ("int8-bf16", "default"),
                                    ("f16-int4", "default")):
                with self.subTest(form=form, dtype=dtype):
                    result = self.check("-n", 3, "--shape", "2x7x66x130", "--form", form, "--dtype", dtype,
                                        "--numerics", numerics)  # fmt: skip
                    self.assertEqual((result["form"], result["rows_checked"]), (form, 14))
                    self.assertGreater(result["bound_ratio_y"], 0)
                    self.assertEqual(result["bound_ratio_norm"] > 0, form != "mm-all-reduce")
        self.assertEqual(self.check("-n", 1, "--shape", "1x2x66x130")["form"], "whole")

    def test_how_it_is_done(self):
        few = self.check("-n", 2, "--shape", "1x1x64x256", "--threads", 1)
        many = self.check("-n", 2, "--shape", "1x300x64x1024", "--threads", 1)
        self.assertEqual((few["algorithm"], many["algorithm"]), ("one-shot", "owner"))
        self.assertEqual((few["layout"], many["layout"]), ("packed", "packed"))
        self.assertEqual(few["block_rows"], 1)
        self.assertIn("256 elements", few["why"])
        for result, rows, n in ((few, 1, 256), (many, 300, 1024)):
            blocks = -(-rows // result["block_rows"])
            self.assertEqual(result["tiles"], blocks * -(-n // result["tile_columns"]))
        self.assertEqual(self.check("-n", 1, "--shape", "1x300x64x1024")["why"], "there is one rank")

    def test_default_scales(self):
        for dtype, arguments, scale, group_size in [
            ("int8-f16", [], "per-channel", 0),
            ("bf16-int4", [], "per-channel", 0),
            ("f16-int8", ["--scale", "per-group"], "per-group", 128),
        ]:
            with self.subTest(dtype=dtype):
                result = self.check("-n", 2, "--shape", "1x3x130x64", "--dtype", dtype, *arguments)
                self.assertEqual((result["scale"], result["group_size"]), (scale, group_size))
                self.assertEqual((result["offset"], result["per_token"]), (False, False))

    def test_more_ranks_than_processors(self):
        self.check("-n", 8, "--shape", "1x40x33x200", "--threads", 1)

    def test_a_seed_repeats_the_run(self):
        first, again, other = (self.check("-n", 2, "--shape", "1x9x50x70", "--seed", seed) for seed in (7, 7, 8))
        self.assertEqual(first["seed"], 7)
        for key in ("bound_ratio_y", "bound_ratio_norm"):
            self.assertEqual(first[key], again[key])
        self.assertNotEqual(first["bound_ratio_y"], other["bound_ratio_y"])

    def test_sampled_rows(self):
        result = self.check("-n", 2, "--shape", "1x200x32x64")
        self.assertEqual(result["rows_checked"], 200)
        for dtype in ("bf16", "f16-int4"):
            result = self.check("-n", 2, "--shape", "2x500x1120x1024", "--dtype", dtype)
            self.assertEqual(result["rows_checked"], 64)

    def test_nothing_to_do(self):
        for shape in ("0x5x8x16", "2x0x8x16", "2x3x8x0"):
            with self.subTest(shape=shape):
                for dtype in ("f16", "int8-f16", "f16-int4"):
                    result = self.check("-n", 2, "--shape", shape, "--dtype", dtype)
                    self.assertEqual(result["gflops"], 0)

    def test_text(self):
        process = run("run", "-n", 2, "--shape", "1x16x32x64", "--repeat", 1, "--seed", 5)
        self.assert_exit(process, 0)
        self.assertEqual(process.stderr, "")
        self.assertRegex(process.stdout, r"(?m)^seed +5$")
        self.assertRegex(process.stdout, r"(?m)^bits equal +yes")
        self.assertRegex(process.stdout, r"(?m)^result +ok$")
        self.assertNotIn("scales", process.stdout)
        self.assertRegex(process.stdout, r"(?m)^peak .* in fp32 \(.*; the operator reaches [0-9.]+ %$")
        self.assertNotIn("peak in fp32", process.stdout)
        process = run("run", "-n", 2, "--shape", "1x4x96x64", "--repeat", 1, "--dtype", "int8-f16")
        self.assertRegex(process.stdout, r"(?m)^peak .* in int8 \(.*; the operator reaches [0-9.]+ %$")
        self.assertRegex(process.stdout, r"(?m)^peak in fp32 +[0-9.]+ GFLOP/s \(.*\)$")
        process = run("run", "-n", 2, "--shape", "1x4x96x64", "--repeat", 1, "--dtype", "f16-int4", "--offset",
                      "--scale", "per-group", "--group-size", 32)  # fmt: skip
        self.assertRegex(process.stdout, r"(?m)^scales +per-group, of 32 rows, with offsets$")

    def test_no_k(self):
        process = run("run", "-n", 2, "--shape", "1x4x0x8")
        self.assert_exit(process, 3)
        self.assert_sentence(process, "mmarn run: rank ", "k")

    def test_too_large_for_the_machine(self):
        process = run("run", "-n", 2, "--shape", "1x1000000x1x1000000")
        self.assert_exit(process, 3)
        self.assert_sentence(process, "GiB")

    def start_long(self):
        """A run that would take minutes, with its three ranks started."""
        process = start("run", "-n", 3, "--shape", "4x1024x512x2048", "--repeat", 1000)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(0.2)
            # The processes that measure the peak come first; they are never more than the processors.
            ranks = children(process.pid)
            if len(ranks) == 3:
                time.sleep(1)
                if children(process.pid) == ranks:
                    return process, ranks
        process.kill()
        return self.fail("the ranks did not start")

    def assert_gone(self, ranks):
        for pid in ranks:
            self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_a_killed_rank_ends_the_run(self):
        process, ranks = self.start_long()
        os.kill(ranks[1], signal.SIGKILL)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 3, out + err)
        self.assertIn("rank 1 was ended by signal 9", err)
        self.assert_gone(ranks)

    def test_a_signal_ends_the_run(self):
        process, ranks = self.start_long()
        process.terminate()
        out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out, err), (128 + signal.SIGTERM, "", ""))
        self.assert_gone(ranks)


if __name__ == "__main__":
    main()
