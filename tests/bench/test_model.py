"""bench/model.py: the library's own constants, terms against formulas written out anew, and what must hold for any case
and machine; bench/scaling.py prints its tables for every machine and for a run.
"""

import dataclasses
import json
import math
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import model
from cases import TYPES, Case
from machines import FABRICS, MACHINES

CEILINGS = {"workers": 2, "f32_gflops": 200.0, "bf16_gflops": 400.0, "int8_gops": 800.0, "memory_gbs": 40.0,
            "cache_gbs": 80.0, "cache_bytes": 32 << 20, "private_bytes": 1 << 20, "line_ns": 50.0, "futex_ns": 5000.0}
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


class Constants(unittest.TestCase):
    """The model follows the library."""

    def value(self, name, *paths):
        text = "".join((ROOT / path).read_text() for path in paths)
        found = re.search(rf"\b{name} = (\d+)(?: \* (\d+)| << (\d+))?", text)
        self.assertTrue(found, f"{name} is gone; does bench/model.py still say how the library cuts its work?")
        value, factor, shift = (int(group or default) for group, default in zip(found.groups(), (0, 1, 0)))
        return value * factor << shift

    def test_plan(self):
        for name, wanted in model.PLAN.items():
            self.assertEqual(self.value(name, "src/op/plan.c"), wanted, name)

    def test_others(self):
        self.assertEqual(self.value("COLL_TILE_ELEMENTS", "src/coll/coll.h"), model.TILE_ELEMENTS)
        self.assertEqual(self.value("FEW_ROWS", "src/gemm/gemm_tile.c"), model.FEW_ROWS)
        self.assertEqual((self.value("PARTS_SPARE", "src/coll/shm_segment.c") + 1) // 2, model.HALF_RING)


class Terms(NearTestCase):
    """Against formulas for single cases."""

    def test_prefill(self):
        case = Case("test", "f16", 512, 1024, 8192)
        terms = model.predict(case, HERE)
        self.assertEqual(model.plan(case, HERE), model.Plan(90, 6, 192, False))
        self.assert_near(terms.multiply, 2 * 512 * 1024 * 8192 * 2 / 0.97 / 200e9)
        self.assert_near(terms.weights, 6 * 2 * 1024 * 8192 * 2 / 40e9)
        self.assert_near(terms.outputs, 2 * 5 * 2 * 512 * 8192 / 40e9)
        self.assert_near(terms.exchange, 2 * (8 + 4 + 2 + 2) * 512 * 8192 / 80e9)
        self.assert_near(terms.hops, 3 * 4 * 50e-9)
        self.assertEqual(terms.lock, 0.0)

    def test_decode(self):
        case = Case("test", "f16-int4", 1, 2048, 4096, rotate=True)
        terms = model.predict(case, HERE)
        self.assertTrue(model.plan(case, HERE).one_shot)
        self.assert_near(terms.weights, 2 * 2048 * 4096 / 2 / 40e9)
        self.assert_near(terms.multiply, 2 * 2048 * 4096 * (2 + 5.2) / 200e9)
        # By hand: to publish 2 + 1.25, half a bell, a stamp and a counter of the other's, half a scan of 6.
        self.assert_near(terms.lines, 4 * (2 + 1.25 + 0.5 + 2 + 3) * 50e-9)

    def test_one_rank_has_no_peers(self):
        terms = model.predict(Case("test", "f32", 16, 512, 1024, ranks=1, threads=2), HERE)
        self.assertEqual((terms.lines, terms.hops), (0.0, 0.0))
        # 8 tiles of 128 columns, made and taken in; as many claims in vain; 4 lines each.
        self.assert_near(terms.lock, 2 * 8 * 2 * 4 * 50e-9)

    def test_a_rank_within_one_cache_has_a_cheap_lock(self):
        cases = [Case("test", "f16", 1, 1024, 8192, ranks=2, threads=threads) for threads in (8, 64)]
        near, wide = (model.line_time_of_rank(case, MACHINES["epyc-2x64"]) for case in cases)
        self.assert_near(near, 23e-9)
        self.assert_near(wide, (7 * 23e-9 + 56 * 107e-9) / 63)

    def test_reduce(self):
        terms = model.predict(Case("test", count=4 << 20), HERE)
        self.assertEqual((terms.multiply, terms.weights), (0.0, 0.0))
        self.assert_near(terms.outputs, 2 * 3 * 4 * (4 << 20) / 40e9)

    def test_outputs_grow_with_ranks(self):
        cases = [Case("test", "f16", 512, 1024, 8192, ranks=ranks) for ranks in (2, 8)]
        few, many = (model.predict(case, HERE).outputs for case in cases)
        self.assert_near(many, 4 * few)

    def test_one_shot_reads_what_everybody_made(self):
        one = [model.exchange(Case("test", "f16", 1, 64, 1024, ranks=ranks), HERE) for ranks in (2, 4)]
        self.assert_near(one[1] / one[0], 4 * (8 + 16) / (2 * (8 + 8)))


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
            self.assertGreater(model.predict(more, machine).serial, terms.serial, (case, machine.name))
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
        command = [sys.executable, str(ROOT / "bench/scaling.py"), *arguments]
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
