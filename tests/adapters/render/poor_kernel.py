"""Runs a script where the kernel refuses what it is told to refuse: ``python -m … seccomp|landlock SCRIPT ARGUMENTS``.

``run`` does so in a process of its own.

The refusal is real: a filter in front of the kernel, as container runtimes put one there.
"""

from __future__ import annotations

import errno
import platform
import struct
import subprocess
import sys
from pathlib import Path

from gitopsd.adapters.render.jail import launcher, syscalls

_PRCTL = {"x86_64": 157, "aarch64": 167}
_ROOT = Path(__file__).parents[3]


def run(refused: str, script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script to its good end under a kernel without this; return what it said."""
    argv = [sys.executable, "-m", __spec__.name, refused, script, *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, check=True, cwd=_ROOT)


def main() -> None:
    refused, script, *arguments = sys.argv[1:]
    steps = {"seccomp": _refuse_seccomp, "landlock": _refuse_landlock}[refused]()
    program = [(0x20, 0, 0, 0), *steps, (0x06, 0, 0, syscalls._ALLOW)]
    launcher._gain_no_privileges({})
    packed = b"".join(struct.pack("=HBBI", *step) for step in program)
    buffer = launcher.ctypes.create_string_buffer(packed)
    launcher._prctl(22, 2, struct.pack("@HP", len(program), launcher.ctypes.addressof(buffer)))
    sys.argv = [script, *arguments]
    exec(compile(script, "script", "exec"), {"__name__": "__main__"})  # noqa: S102 - the test's own script


def _refuse_seccomp() -> list[tuple[int, int, int, int]]:
    no = (0x06, 0, 0, syscalls._NOT_PERMITTED)
    return [(0x15, 0, 3, _PRCTL[platform.machine()]), (0x20, 0, 0, 16), (0x15, 0, 1, 22), no]


def _refuse_landlock() -> list[tuple[int, int, int, int]]:
    return syscalls._where_equal(444, 0x0005_0000 | errno.ENOSYS)


if __name__ == "__main__":
    main()
