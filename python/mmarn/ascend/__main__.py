# SPDX-License-Identifier: MIT
"""python -m mmarn.ascend: runs a script or module as `python` would, with torch_npu and mindspeed provided.

It rests on mmarn.ascend, whose import has already made the names available, and on runpy. With torchrun:
`torchrun --nproc-per-node 8 -m mmarn.ascend script.py`.
"""

import os
import pathlib
import runpy
import sys

from mmarn.ascend import install, rewrite

USAGE = "usage: python -m mmarn.ascend [--rewrite-devices] (script.py | -m module) [argument ...]"
HELP = f"""{USAGE}

Runs a script that was written for Ascend NPUs on the CPUs of this machine, unmodified: it may import
torch_npu and mindspeed, use the process-group backend hccl and call npu_mm_all_reduce_add_rms_norm.

  -m module          run a module instead of a script
  --rewrite-devices  let device='npu:0' and .to('npu') mean the CPU, here and in spawned processes
                     (the same as {install.REWRITE_VARIABLE}=1)
  -h, --help         show this text

MMARN_ASCEND_DEVICES is the number of devices that torch_npu.npu reports (8)."""


def refuse(reason: str) -> None:
    print(f"mmarn.ascend: {reason}\n{USAGE}", file=sys.stderr)
    raise SystemExit(2)


def run_script(script: str, arguments: list[str]) -> None:
    """Runs a file as __main__, with sys.argv and sys.path as `python script.py` sets them."""
    if not os.path.exists(script):
        refuse(f"cannot open {script}")
    sys.argv = [script, *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = str(pathlib.Path(script).resolve().parent)
    # Spawned processes get this sys.path and must find mmarn, which may have come from the entry just replaced.
    home = str(pathlib.Path(install.__file__).parents[2])
    if home not in sys.path:
        sys.path.append(home)
    try:
        install.refuse_real_packages()  # the script's folder may hold one
    except ImportError as refusal:
        raise SystemExit(str(refusal)) from None
    runpy.run_path(script, run_name="__main__")


def main(arguments: list[str]) -> None:
    """Takes this command's own options, up to the script or -m; the rest is the program's."""
    while arguments and arguments[0].startswith("-") and arguments[0] != "-m":
        option = arguments.pop(0)
        if option in ("-h", "--help"):
            print(HELP)
            return
        if option != "--rewrite-devices":
            refuse(f"unknown option {option}")
        os.environ[install.REWRITE_VARIABLE] = "1"
        rewrite.start()
    if not arguments:
        refuse("no script was given")
    if arguments[0] != "-m":
        run_script(arguments[0], arguments[1:])
    elif len(arguments) > 1:
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        refuse("-m is given but no module")


if __name__ == "__main__":
    main(sys.argv[1:])
