"""The table of system calls holds the kernel's own numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gitopsd.adapters.render.jail.syscalls import _MACHINES, filter_program, refused_numbers

# Debian keeps the first in a directory of the machine, other systems do not.
HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"),
    "aarch64": ("/usr/include/asm-generic/unistd.h",),
}


@pytest.mark.parametrize("machine", HEADERS)
def test_every_number_is_the_one_in_the_kernels_header(machine):
    known = _numbers(machine)
    looked_into = {name: getattr(_MACHINES[machine], name) for name in ("clone", "kill", "tgkill", "prlimit64")}

    assert {
        name: number for name, number in (refused_numbers(machine) | looked_into).items() if known.get(name) != number
    } == {}


def test_no_call_has_two_rows():
    names = list(refused_numbers("x86_64"))

    assert len(set(refused_numbers("x86_64").values())) == len(names) > 100


def test_a_machine_without_a_table_has_no_filter():
    assert filter_program("riscv64") == b""
    assert len(filter_program("x86_64")) % 8 == len(filter_program("aarch64")) % 8 == 0


def _numbers(machine: str) -> dict[str, int]:
    header = next((Path(path) for path in HEADERS[machine] if Path(path).exists()), None)
    if header is None:
        pytest.skip(f"the kernel's headers are not installed: {HEADERS[machine]}")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text())
    return {name: int(number) for name, number in found}
