# SPDX-License-Identifier: MIT
"""mmarn launch: what ranks find in their environment, exit statuses, and how the others are ended."""

import json
import os
import signal
import sys
import tempfile
import time

from mmarn_command import Case, main, run, start

# A line is written in one call, because ranks share the pipe; print need not do that.
SHOW = (
    "import os\n"
    "names = 'MMARN_RANK', 'MMARN_WORLD_SIZE', 'MMARN_ID', 'OMP_NUM_THREADS'\n"
    "os.write(1, (' '.join(os.environ[name] for name in names) + '\\n').encode())\n"
)


class Launch(Case):
    def launch(self, ranks, program, **options):
        return run("launch", "-n", ranks, "--", sys.executable, "-c", program, **options)

    def test_environment(self):
        clean = {name: "" for name in ("MMARN_ID", "MMARN_RANK", "MMARN_WORLD_SIZE")}
        process = self.launch(3, SHOW, environment={**clean, "OMP_NUM_THREADS": "5"})
        self.assert_exit(process, 0)
        self.assertEqual(process.stderr, "")
        lines = sorted(line.split() for line in process.stdout.splitlines())
        self.assertEqual([line[0] for line in lines], ["0", "1", "2"])
        self.assertEqual({line[1] for line in lines}, {"3"})
        self.assertEqual({line[3] for line in lines}, {"5"})
        (group,) = {line[2] for line in lines}
        self.assertRegex(group, r"\A[0-9a-f]{128}\Z")
        again = self.launch(1, SHOW)
        self.assertNotEqual(again.stdout.split()[2], group)

    def test_threads_are_shared_out(self):
        os.environ.pop("OMP_NUM_THREADS", None)
        processors = json.loads(run("info", "--json").stdout)["processors"]
        for ranks in (1, 2, processors + 1):
            with self.subTest(ranks=ranks):
                threads = {line.split()[3] for line in self.launch(ranks, SHOW).stdout.splitlines()}
                self.assertEqual(threads, {str(max(1, processors // ranks))})

    def test_the_program_keeps_its_own_options(self):
        process = run("launch", "-n", 1, sys.executable, "-c", "import sys; print(sys.argv)", "-n", "--help")
        self.assert_exit(process, 0)
        self.assertIn("['-c', '-n', '--help']", process.stdout)

    def test_the_first_failure_ends_the_others(self):
        program = "import os, sys, time\nif os.environ['MMARN_RANK'] == '1': sys.exit(7)\ntime.sleep(300)"
        before = time.monotonic()
        process = self.launch(3, program)
        self.assert_exit(process, 7)
        self.assert_sentence(process, "rank 1 ended with exit status 7")
        self.assertLess(time.monotonic() - before, 60)

    def test_ranks_that_ignore_the_end_are_killed(self):
        # Rank 1 fails when rank 0 has turned SIGTERM off.
        program = (
            "import os, signal, sys, time\n"
            "if os.environ['MMARN_RANK'] == '0':\n"
            "    signal.signal(signal.SIGTERM, signal.SIG_IGN); open(sys.argv[1], 'w').close(); time.sleep(300)\n"
            "while not os.path.exists(sys.argv[1]): time.sleep(0.01)\n"
            "sys.exit(9)\n"
        )
        with tempfile.TemporaryDirectory() as folder:
            process = run("launch", "-n", 2, sys.executable, "-c", program, os.path.join(folder, "ready"))
        self.assert_exit(process, 9)
        self.assert_sentence(process, "rank 1 ended with exit status 9")

    def test_a_signal_is_a_failure(self):
        process = self.launch(2, "import os; os.kill(os.getpid(), 9)")
        self.assert_exit(process, 128 + 9)
        self.assert_sentence(process, "signal 9")

    def test_signals_are_passed_on(self):
        # Waited for, because a handler does not run if its signal comes just before a sleep begins.
        program = (
            "import os, signal\n"
            "signals = {signal.SIGTERM, signal.SIGINT}\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, signals)\n"
            "os.write(1, b'ready\\n')\n"
            "number = int(signal.sigwait(signals)); os.write(1, f'rank got {number}\\n'.encode())\n"
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number=number):
                process = start("launch", "-n", "2", sys.executable, "-c", program)
                self.assertEqual([process.stdout.readline() for _ in range(2)], ["ready\n"] * 2)
                process.send_signal(number)
                out, err = process.communicate(timeout=60)
                self.assertEqual(sorted(out.splitlines()), [f"rank got {int(number)}"] * 2)
                self.assertEqual((process.returncode, err), (0, ""))

    def test_programs_that_cannot_be_started(self):
        process = run("launch", "-n", 1, "/nonexistent/program")
        self.assert_exit(process, 127)
        self.assertIn('"/nonexistent/program" cannot be started', process.stderr)
        self.assert_exit(run("launch", "-n", 1, "/dev/null"), 126)

    def test_ranks_die_with_the_command(self):
        program = "import os, time; os.write(1, f'{os.getpid()}\\n'.encode()); time.sleep(300)"
        process = start("launch", "-n", "2", sys.executable, "-c", program)
        ranks = [int(process.stdout.readline()) for _ in range(2)]
        process.kill()
        process.communicate(timeout=60)
        deadline = time.monotonic() + 60
        while any(map(self.alive, ranks)) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertFalse(any(map(self.alive, ranks)))

    @staticmethod
    def alive(pid):
        """Not gone, and not a zombie that its new parent has yet to collect."""
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                return file.read().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False


if __name__ == "__main__":
    main()
