# SPDX-License-Identifier: MIT
"""What the command inherits: signals that are ignored or blocked, closed streams, limits, and full disks."""

import contextlib
import functools
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time
import unittest

from mmarn_command import COMMAND, Case, main, run

SMALL = ["run", "-n", "2", "-t", "1", "--shape", "1x4x64x64", "--repeat", "1", "--json"]
# What each rank sees of the settings that it was given.
SHOW = (
    "import os, signal\n"
    "given = [signal.getsignal(n) == signal.SIG_IGN for n in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP)]\n"
    "given.append(sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))))\n"
    "os.write(1, (repr(given) + '\\n').encode())\n"
)
# Prints its number, and stays.
STAY = "import os, time; os.write(1, f'{os.getpid()}\\n'.encode()); time.sleep(300)"
BLOCKED = [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD]


def ignoring(*numbers):
    return lambda: [signal.signal(number, signal.SIG_IGN) for number in numbers]


def blocking():
    signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)


def without(*descriptors):
    def close():
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    return close


def command(*arguments, before=None, **options):
    """The finished process that began with what before() did."""
    return subprocess.run([COMMAND, *arguments], preexec_fn=before, timeout=60, text=True, check=False,
                          **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options})


@contextlib.contextmanager
def control_group(processors):
    """What puts a process into a control group that may use so many processors; skips where there can be none."""
    period = 100000
    for mount, limits in [("/sys/fs/cgroup", {"cpu.max": f"{processors * period:.0f} {period}"}),
                          ("/sys/fs/cgroup/cpu", {"cpu.cfs_period_us": str(period),
                                                  "cpu.cfs_quota_us": f"{processors * period:.0f}"})]:
        folder = pathlib.Path(mount, f"mmarn-test-{os.getpid()}")
        try:
            if not all((folder.parent / name).exists() for name in ("cgroup.procs", *limits) if name != "cpu.max"):
                continue
            folder.mkdir()
        except OSError:
            continue
        try:
            for name, text in limits.items():
                (folder / name).write_text(text, encoding="ascii")
            enter = functools.partial((folder / "cgroup.procs").write_text, "0", encoding="ascii")
            subprocess.run(["true"], preexec_fn=enter, check=True, timeout=60)
        except (OSError, subprocess.SubprocessError):
            folder.rmdir()
            continue
        try:
            yield enter
        finally:
            folder.rmdir()
        return
    raise unittest.SkipTest("no control group can be made here")


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


class Inherited(Case):
    def test_signals_reach_ranks_as_they_were(self):
        for before, expected in [
            (None, [False, False, False, []]),
            (ignoring(signal.SIGCHLD), [True, False, False, []]),
            (ignoring(signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP), [True, True, True, []]),
            (blocking, [False, False, False, sorted(map(int, BLOCKED))]),
        ]:
            with self.subTest(expected=expected):
                process = command("launch", "-n", "3", sys.executable, "-c", SHOW, before=before)
                self.assert_exit(process, 0)
                self.assertEqual(process.stdout, f"{expected}\n" * 3)
                self.assertEqual(process.stderr, "")

    def test_failures_are_noticed_without_child_signals(self):
        for before in ignoring(signal.SIGCHLD), blocking:
            process = command("launch", "-n", "2", sys.executable, "-c", "import os; os.kill(os.getpid(), 9)",
                              before=before)
            self.assert_exit(process, 128 + 9)
            self.assert_sentence(process, "signal 9")

    def test_run(self):
        for before in ignoring(signal.SIGCHLD), blocking, ignoring(signal.SIGPIPE, signal.SIGINT, signal.SIGTERM):
            process = command(*SMALL, before=before)
            self.assert_exit(process, 0)
            self.assertTrue(self.json_of(process)["ok"])

    def test_ranks_die_with_a_command_that_they_cannot_hear(self):
        for before in ignoring(signal.SIGTERM), blocking:
            process = subprocess.Popen([COMMAND, "launch", "-n", "2", sys.executable, "-c", STAY], preexec_fn=before,
                                       stdout=subprocess.PIPE, text=True)
            ranks = [int(process.stdout.readline()) for _ in range(2)]
            process.kill()
            process.communicate(timeout=60)
            deadline = time.monotonic() + 60
            while not all(map(gone, ranks)) and time.monotonic() < deadline:
                time.sleep(0.02)
            self.assertTrue(all(map(gone, ranks)))

    def test_closed_streams(self):
        """Nothing that the command opens takes their places."""
        for closed in (0,), (2,), (0, 2):
            process = command(*SMALL, before=without(*closed))
            self.assert_exit(process, 0)
            self.assertTrue(self.json_of(process)["ok"])
        self.assertEqual(command(*SMALL, before=without(0, 1, 2)).returncode, 0)
        show = "import os; os.write(1, ' '.join(os.readlink(f'/proc/self/fd/{i}') for i in (0, 2)).encode() + b'\\n')"
        process = command("launch", "-n", "2", sys.executable, "-c", show, before=without(0, 2))
        self.assertEqual(process.stdout, "/dev/null /dev/null\n" * 2)

    def test_a_report_that_cannot_be_written(self):
        for arguments in SMALL, ["info"], ["--help"], ["--version"], ["run", "--help"]:
            with open("/dev/full", "w", encoding="ascii") as full:
                process = command(*arguments, stdout=full)
            self.assertEqual(process.returncode, 3, process.stderr)
            self.assertEqual(process.stderr, "mmarn: standard output cannot be written\n")

    def test_a_limit_on_files(self):
        process = command(*SMALL, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)))
        self.assert_exit(process, 3)
        self.assert_sentence(process, "'s segment has ", "65536 (RLIMIT_FSIZE, ulimit -f)")

    def test_a_quota_of_processors(self):
        with control_group(0.5) as enter:
            self.assertIn(" 1 that this process may use, by a quota of 0.50 (of ",
                          command("info", before=enter).stdout)
            facts = json.loads(command("info", "--json", before=enter).stdout)
            self.assertEqual((facts["processors"], facts["processor_quota"]), (1, 0.5))
            threads = command("launch", "-n", "1", sys.executable, "-c",
                              "import os; print(os.environ['OMP_NUM_THREADS'])", before=enter)
            self.assertEqual(threads.stdout, "1\n")
            process = command("run", "-n", "1", "--shape", "1x4x64x64", "--repeat", "1", "--json", before=enter)
            self.assertEqual(self.json_of(process)["threads"], 1)

    def test_threads_that_are_not_granted(self):
        """All the work is done by those that are."""
        for variable in "OMP_THREAD_LIMIT=1", "OMP_THREAD_LIMIT=3":
            name, value = variable.split("=")
            process = run("run", "-n", "2", "-t", "8", "--shape", "2x40x64x200", "--repeat", "2", "--json",
                          environment={name: value})
            self.assert_exit(process, 0)
            self.assertTrue(json.loads(process.stdout)["ok"])


if __name__ == "__main__":
    main()
