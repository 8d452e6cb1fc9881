# SPDX-License-Identifier: MIT
"""test_setup.py - tools/setup.sh installs what is missing and only that, seen through a PATH of stand-ins.

apt-get is a script that notes its arguments and then provides ninja, the one command that these tests take away.
"""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
INSTALL = "apt-get install --yes --no-install-recommends"


class Setup(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.bin = self.root / "bin"
        for name in ("bin", "tools"):
            (self.root / name).mkdir()
        shutil.copy(TOOLS / "setup.sh", self.root / "tools")
        for name in ("bash", "cat", "chmod", "dirname", "env", "sed", "sort"):
            (self.bin / name).symlink_to(shutil.which(name))
        for name in ("gcc", "g++", "clang", "ninja", "objcopy", "pkg-config", "python3"):
            self.stand_in(name, "exit 0")
        self.stand_in("cmake", "echo cmake version 3.25.1")
        self.stand_in("id", "echo 0")
        self.stand_in("apt-get", f'echo "apt-get $*" >>{self.root}/log\necho "#!/bin/sh" >{self.bin}/ninja\n'
                                 f"chmod +x {self.bin}/ninja")

    def stand_in(self, name, body):
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def run_setup(self, *arguments):
        """The exit status, what was said, and how apt-get was called."""
        done = subprocess.run([str(self.root / "tools/setup.sh"), *arguments], env={"PATH": str(self.bin)}, capture_output=True,
                              text=True, check=False, stdin=subprocess.DEVNULL)
        log = self.root / "log"
        return done.returncode, done.stdout + done.stderr, log.read_text().splitlines() if log.exists() else []

    def test_nothing_missing(self):
        self.assertEqual(self.run_setup(), (0, "", []))

    def test_as_root(self):
        (self.bin / "ninja").unlink()
        self.assertEqual(self.run_setup(), (0, "", ["apt-get update", f"{INSTALL} ninja-build"]))

    def test_with_sudo(self):
        (self.bin / "ninja").unlink()
        self.stand_in("id", "echo 1000")
        self.stand_in("sudo", 'shift\n"$@"')
        self.stand_in("true", "exit 0")
        self.assertEqual(self.run_setup(), (0, "", ["apt-get update", f"{INSTALL} ninja-build"]))

    def test_without_root(self):
        (self.bin / "ninja").unlink()
        (self.bin / "objcopy").unlink()
        self.stand_in("id", "echo 1000")
        status, said, calls = self.run_setup()
        self.assertEqual((status, calls), (1, []))
        self.assertIn(f"sudo {INSTALL} ninja-build binutils\n", said)

    def test_still_too_old(self):
        self.stand_in("cmake", "echo cmake version 3.22.1")
        status, said, calls = self.run_setup()
        self.assertEqual((status, calls[-1]), (1, f"{INSTALL} cmake"))
        self.assertIn("cmake must be 3.24 or newer", said)

    def test_check_installs_nothing(self):
        self.assertEqual(self.run_setup("--check"), (0, "", []))
        for name in ("ninja", "objcopy"):
            (self.bin / name).unlink()
        for option in "--check", "--python":
            status, said, calls = self.run_setup(option)
            self.assertEqual((status, calls), (1, []))
            self.assertIn("missing, or too old (cmake must be 3.24 or newer): ninja-build binutils\n", said)
            self.assertIn(f"'make setup' installs them, by: sudo {INSTALL} ninja-build binutils\n", said)

    def test_second_compiler(self):
        self.assertEqual(self.run_setup("--clang"), (0, "", []))
        (self.bin / "clang").unlink()
        self.assertEqual(self.run_setup("--check"), (0, "", []))
        status, said, calls = self.run_setup("--clang")
        self.assertEqual((status, calls), (1, []))
        self.assertIn(f"sudo {INSTALL} clang\n", said)
        self.assertEqual(self.run_setup()[2][-1], f"{INSTALL} clang")

    def test_peers_are_installed_by_name_only(self):
        self.stand_in("pkg-config", 'test "$2" != openblas')
        for name in ("mpirun", "test"):
            self.stand_in(name, "exit 0")
        (self.root / "build/venv/bin").mkdir(parents=True)
        (self.root / "build/venv/bin/python").symlink_to(self.bin / "python3")
        status, said, calls = self.run_setup("--bench")
        self.assertEqual((status, calls), (0, []))
        self.assertRegex(said, "not compared: libopenblas-pthread-dev.*; 'make setup-peers' installs them")
        status, said, calls = self.run_setup("--peers")
        self.assertEqual(status, 0, said)
        self.assertRegex(calls[-1], f"{INSTALL} libopenblas-pthread-dev")

    def test_unknown_option(self):
        status, said, calls = self.run_setup("--pyhton")
        self.assertEqual((status, calls), (2, []))
        self.assertIn("unknown option --pyhton", said)


if __name__ == "__main__":
    unittest.main()
