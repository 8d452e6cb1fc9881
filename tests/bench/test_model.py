# SPDX-License-Identifier: MIT
"""bench/library.py: the plans that the library describes. bench/model.py: terms against formulas written out anew, and
what must hold for any case and machine. bench/scaling.py prints its tables for every machine and for a run.
"""

import dataclasses
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

COMMAND, PROGRAM = sys.argv.pop(1), sys.argv.pop(1)
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import library
import model
from cases import TYPES, Case
from machines import FABRICS, MACHINES

library.PROGRAM = pathlib.Path(PROGRAM)
CEILINGS = {"workers": 2, "f32_gflops": 200.0, "bf16_gflops": 400.0, "int8_gops": 800.0, "memory_gbs": 40.0,
            "cache_gbs": 80.0, "cache_bytes": 32 << 20, "private_bytes": 1 << 20, "line_ns": 50.0, "futex_ns": 5000.0,
            "yield_ns": 1000.0, "handover_ns": 2.0, "refill_ns": 8.0}
HERE = model.from_ceilings(CEILINGS)
SEED = random.SystemRandom().randrange(1 << 32)


def any_case(source):
    """One of the sizes that layers have."""
    return Case("test", source.choice(TYPES), source.choice((1, 4, 16, 97, 512, 4096)), 128 * source.randrange(1, 64),
                64 * source.randrange(1, 256), ranks=2 ** source.randrange(7), threads=2 ** source.randrange(5),
                rotate=source.random() < 0.5)


class NearTestCase(unittest.TestCase):
    """Seconds are small: only a relative difference means anything."""

    def assert_near(self, found, wanted):
        self.assertTrue(math.isclose(found, wanted, rel_tol=1e-9), f"{found} is not {wanted}")


class Library(unittest.TestCase):
    """What the program plan answers is what the library does."""

    def described(self, case):
        """How the library does the case here: mmarn run says what mmarn_op_describe does."""
        done = subprocess.run([COMMAND, "run", "--json", "--repeat", "1", "--ranks", str(case.ranks), "--threads",
                               str(case.threads), "--dtype", case.kind, "--shape", f"1x{case.rows}x{case.k}x{case.n}"],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def test_plans(self):
        here = model.from_ceilings(CEILINGS | {"workers": len(os.sched_getaffinity(0))})
        for rows, n in ((1, 64), (1, 4096), (5, 1024), (16, 8192), (24, 2048), (64, 256), (97, 512), (512, 1024)):
            for ranks, threads in ((1, 1), (2, 1), (1, 2), (8, 1)):
                case = Case("test", "f16", rows, 64, n, ranks=ranks, threads=threads)
                found = self.described(case)
                with self.subTest(case=case):
                    blocks = -(-rows // found["block_rows"])
                    one_shot = found["algorithm"] == "one-shot"
                    self.assertEqual(model.plan(case, here),
                                     library.Plan(found["block_rows"], blocks, found["tiles"], one_shot))

    def test_rings(self):
        """A buffer more for each thread, and room for many parts."""
        one, four = (library.ring_slots(threads) for threads in (1, 4))
        self.assertEqual([more - few for few, more in zip(one, four)], [3, 3])
        self.assertGreater(one[0], one[1])
        self.assertGreater(one[1], 1)

    def test_what_is_not_understood(self):
        for arguments in ((0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 0, 1), (1, 1, 1, 0)):
            with self.assertRaisesRegex(ValueError, "not understood"):
                library.plan(*arguments)

class Cuts(unittest.TestCase):
    """Plans of groups that there are not."""

    def test_plans(self):
        for case, wanted in (
                (Case("test", "f16", 512, 1024, 8192), (90, 6, 192, False)),
                (Case("test", "f16", 1, 64, 4096), (1, 1, 4, True)),  # of 1024 columns
                (Case("test", "f16", 1, 64, 4096, ranks=8), (1, 1, 1, True)),  # sharing processors: one
                (Case("test", "f16", 16, 64, 8192, ranks=8), (16, 1, 16, False)),  # of 512 columns
                (Case("test", "f16", 16, 64, 8192, ranks=1, threads=2), (16, 1, 8, True)),
                (Case("test", count=4096), (1, 1, 2, True)),
                (Case("test", count=4 << 20), (1, 1, 256, False))):
            self.assertEqual(model.plan(case, HERE), library.Plan(*wanted), case)


class Terms(NearTestCase):
    """Against formulas for single cases."""

    def test_prefill(self):
        case = Case("test", "f16", 512, 1024, 8192)
        terms = model.predict(case, HERE)
        self.assertEqual(model.plan(case, HERE), library.Plan(90, 6, 192, False))
        self.assert_near(terms.multiply, 2 * 512 * 1024 * 8192 * 2 / 0.97 / 200e9)
        self.assert_near(terms.weights, 6 * 2 * 1024 * 8192 * 2 / 40e9)
        self.assert_near(terms.outputs, 2 * 5 * 2 * 512 * 8192 / 40e9)
        # Partials and sums are written, and half of both are read from the other rank.
        self.assert_near(terms.exchange, 2 * (4 + 1 + 2 + 1) * 512 * 8192 / 80e9)
        # Publishing, marks once in 12 tiles; for half of them a stamp, marks once in 4 and one's own stamp; the sum's.
        self.assert_near(terms.lines, 192 * (1 + 1 / 12 + (1 + 1 / 4 + 1) / 2 + 1) * 50e-9)
        self.assert_near(terms.hops, (3 + 4) * 50e-9)
        self.assertEqual(terms.lock, 0.0)

    def test_decode(self):
        case = Case("test", "f16-int4", 1, 2048, 4096, rotate=True)
        terms = model.predict(case, HERE)
        self.assertTrue(model.plan(case, HERE).one_shot)
        self.assert_near(terms.weights, 2 * 2048 * 4096 / 2 / 40e9)
        self.assert_near(terms.multiply, 2 * 2048 * 4096 * (2 + 5.2) / 200e9)
        self.assert_near(terms.lines, 4 * (1 + 1 / 12) * 50e-9)
        self.assert_near(terms.exchange, 2 * (4 + 4) * 4096 / 80e9)

    def test_without_instructions_for_a_type(self):
        case, plain = Case("test", "int8", 512, 1024, 8192), model.from_ceilings(CEILINGS | {"int8_gops": 0.0})
        self.assert_near(model.multiply(case, plain), 4 * model.multiply(case, HERE))

    def test_one_rank_has_no_peers(self):
        terms = model.predict(Case("test", "f32", 16, 512, 1024, ranks=1, threads=2), HERE)
        self.assertEqual((terms.lines, terms.hops), (0.0, 0.0))
        # 8 tiles of 128 columns, made and taken in; as many claims in vain; 4 lines each, and half a line of what the
        # threads are at.
        self.assert_near(terms.lock, 2 * 8 * 2 * (4 * 50e-9 + 2e-9 / 2))

    def test_a_rank_within_one_cache_has_a_cheap_lock(self):
        cases = [Case("test", "f16", 1, 1024, 8192, ranks=2, threads=threads) for threads in (8, 64)]
        near, wide = (model.line_time_of_rank(case, MACHINES["epyc-2x64"]) for case in cases)
        self.assert_near(near, 23e-9)
        self.assert_near(wide, (7 * 23e-9 + 56 * 107e-9) / 63)

    def test_reduce(self):
        terms = model.predict(Case("test", count=4 << 20), HERE)
        self.assertEqual((terms.multiply, terms.weights), (0.0, 0.0))
        self.assert_near(terms.outputs, 2 * 2 * 4 * (4 << 20) / 40e9)

    def test_outputs_grow_with_ranks(self):
        cases = [Case("test", "f16", 512, 1024, 8192, ranks=ranks) for ranks in (2, 8)]
        few, many = (model.predict(case, HERE).outputs for case in cases)
        self.assert_near(many, 4 * few)

    def test_one_shot_reads_what_others_made(self):
        one = [model.exchange(Case("test", "f16", 1, 4096, 1024, ranks=ranks), HERE) for ranks in (2, 4)]
        self.assert_near(one[1] / one[0], 4 * (4 + 12) / (2 * (4 + 4)))

    def test_small_rings_go_to_and_fro(self):
        terms = model.predict(Case("test", "f16", 1, 64, 4096), HERE)
        self.assertEqual(terms.weights, 0.0)
        self.assert_near(terms.exchange, 4 * 4096 / 64 * (2e-9 + 8e-9))
        crowded = model.rings_stay(Case("test", "f16", 1, 128, 4096), HERE)
        self.assertFalse(crowded, "1 MiB of weights leaves no room beside it")

    def test_who_shares_a_processor_yields_and_sleeps(self):
        turn, sleep, agreement = 1e-6, 5e-6 + 1e-6, (3 * (50 + 6 * 2) + 4 * 50) * 1e-9
        small = model.hops(Case("test", "f16", 1, 64, 4096, ranks=8), HERE)
        self.assert_near(small, 4 * (agreement + turn))
        # 192 tiles: a turn for partials and one for sums, and 30 sleeps for half of 12 buffers.
        large = model.hops(Case("test", "f16", 512, 64, 8192, ranks=8), HERE)
        self.assert_near(large, 4 * (agreement + 2 * turn + 30 * sleep))

    def test_threads_are_told_by_a_bell(self):
        one, two = (model.hops(Case("test", "f16", 1, 64, 4096, threads=threads), MACHINES["epyc-2x64"])
                    for threads in (1, 2))
        self.assertGreater(two, one)


class Everywhere(NearTestCase):
    """What must hold of any case, on any machine."""

    def test_order(self):
        print(f"seed {SEED}")
        source = random.Random(SEED)
        for _ in range(2000):
            case, machine = any_case(source), source.choice([HERE, *MACHINES.values()])
            terms = model.predict(case, machine)
            self.assertTrue(all(value >= 0.0 for value in dataclasses.astuple(terms)), (case, machine.name, terms))
            self.assertLessEqual(terms.total, terms.serial)
            more = dataclasses.replace(case, k=2 * case.k)
            # The whole is different: weights evict the rings from the nearest caches, which makes handing over cheaper.
            twice = model.predict(more, machine)
            self.assertGreater(twice.multiply + twice.weights, terms.multiply + terms.weights, (case, machine.name))
            far, other_socket = model.far_shares(case, machine)
            self.assertTrue(0.0 <= other_socket <= far <= 1.0, (case, machine.name))

    def test_nodes(self):
        case, machine = Case("test", "f16", 512, 112, 8192, ranks=16, threads=8), MACHINES["epyc-2x64"]
        self.assertEqual(model.predict_nodes(case, machine, 1, FABRICS[0]), model.predict(case, machine).total)
        fast = dataclasses.replace(FABRICS[-1], message=0.0)
        self.assert_near(model.wire(case, machine, 16, fast), 6 * 512 * 8192 * 15 / 16 / fast.rate)
        self.assertGreaterEqual(model.predict_nodes(case, machine, 16, fast), model.predict(case, machine).total)


class Tables(unittest.TestCase):
    """The command."""

    def tables(self, *arguments):
        command = [sys.executable, str(ROOT / "bench/scaling.py"), "--workers", str(library.PROGRAM.parent), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_machines(self):
        for name in MACHINES:
            self.assertIn("| 128 |", self.tables("--machine", name))

    def test_check(self):
        case = Case("prefill", "f16", 512, 1024, 8192)
        seconds = model.predict(case, HERE).total
        one = dataclasses.asdict(case) | {"name": case.name, "peers": [{"peer": "mmarn", "median": 1.1 * seconds}]}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "result.json"
            path.write_text(json.dumps({"ceilings": CEILINGS, "cases": [one]}))
            self.assertIn("| prefill | 1 of 1 | 1.10 | 1.10 to 1.10 |", self.tables("--check", str(path)))


if __name__ == "__main__":
    unittest.main()
