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
        for name in ("gcc", "g++", "ninja", "objcopy", "pkg-config", "python3"):
            self.stand_in(name, "exit 0")
        self.stand_in("cmake", "echo cmake version 3.25.1")
        self.stand_in("id", "echo 0")
        self.stand_in("apt-get", f'echo "apt-get $*" >>{self.root}/log\necho "#!/bin/sh" >{self.bin}/ninja\n'
                                 f"chmod +x {self.bin}/ninja")

    def stand_in(self, name, body):
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def run_setup(self):
        """The exit status, what was said, and how apt-get was called."""
        done = subprocess.run([str(self.root / "tools/setup.sh")], env={"PATH": str(self.bin)}, capture_output=True,
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


if __name__ == "__main__":
    unittest.main()
