# SPDX-License-Identifier: MIT
"""bench/run.py on one tiny case: the library and every peer that is there have times, the others have a reason; and
with the library alone.

Times are not judged. The argument is the folder of the worker programs.
"""

import json
import math
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77


def interpreter():
    """The one that has what peers and plots need, if it is there."""
    own = ROOT / "build/venv/bin/python"
    return str(own) if own.exists() else sys.executable


def check_peer(peer):
    """A peer's entry hangs together."""
    name = peer["peer"]
    if not peer["samples"]:
        assert peer["why"], f"{name}: neither times nor a reason"
        return False
    assert all(0 < seconds < 60 for seconds in peer["samples"]), f"{name}: {peer['samples']}"
    assert math.isclose(sorted(peer["samples"])[len(peer["samples"]) // 2], peer["median"], rel_tol=1.0), name
    assert peer["times_ours"] > 0, name
    return True


def run(folder, *arguments):
    """What was printed, and result.json."""
    with tempfile.TemporaryDirectory() as output:
        command = [interpreter(), str(ROOT / "bench/run.py"), "--quick", "--only", "smoke", "--workers", str(folder),
                   "--output", output, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        print(done.stdout + done.stderr)
        assert done.returncode == 0, f"exit status {done.returncode}"
        return done, json.loads((pathlib.Path(output) / "result.json").read_text())


def main():
    folder = pathlib.Path(sys.argv[1])
    others = [path.name for path in folder.glob("*_mpi")] + [path.name for path in folder.glob("*_shm")]
    if not others:
        print("no peer was there when the bench was built")
        return SKIPPED
    done, result = run(folder)
    (case,) = result["cases"]
    assert result["ceilings"]["f32_gflops"] > 0 and result["ceilings"]["memory_gbs"] > 0
    assert case["name"] in done.stdout
    assert "\r" not in done.stderr, "progress in a pipe"
    timed = [peer["peer"] for peer in case["peers"] if check_peer(peer)]
    wrong = [peer for peer in case["peers"] if "wrong results" in peer["why"]]
    assert not wrong, wrong
    assert timed[0] == "mmarn" and len(timed) > 1, timed
    assert 0 < case["predicted"]["total"] <= case["predicted"]["serial"], case["predicted"]
    _, alone = run(folder, "--peers", "mmarn")
    assert [peer["peer"] for peer in alone["cases"][0]["peers"]] == ["mmarn", "mmarn (split)"], alone["cases"]
    return 0


if __name__ == "__main__":
    sys.exit(main())
