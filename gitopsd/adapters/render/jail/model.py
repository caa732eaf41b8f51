"""What goes into the jail and what comes out, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one run of a tool may use.

    ``seconds`` is wall time, ``cpu_s`` CPU time of the tool, ``memory_bytes`` what it may write to in memory,
    ``file_bytes`` the largest file it may write, ``output_bytes`` its standard output.
    """

    seconds: float = 90
    cpu_s: int = 60
    memory_bytes: int = 1024 * _MIB
    file_bytes: int = 64 * _MIB
    open_files: int = 256
    output_bytes: int = 64 * _MIB


@dataclass(frozen=True, slots=True)
class Ran:
    """How a tool ended by itself: its exit code, its output, and the first 2 KB of its words, printable."""

    code: int
    stdout: bytes = field(repr=False)
    stderr: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Measure:
    """One wall of the jail: whether this kernel and these rights allow it, and if not, why."""

    name: str
    works: bool
    why: str = ""


class Surroundings(TypedDict, total=False):
    """What a run may be given besides its files.

    ``directory`` below the files is where the tool stands; ``stdin`` what it reads; ``environment`` is added to the
    little it has. ``secret`` = files, output or words may hold plaintext: files lie in memory, no error repeats a word.
    ``network`` = it may talk TCP and UDP, and read what is needed to find and to know other machines.
    """

    directory: str
    stdin: bytes
    environment: Mapping[str, str]
    secret: bool
    network: bool
