"""What is needed of the jailed sops; whoever wires the house knows where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypedDict, Unpack


class Ran(Protocol):
    """How a program ended by itself."""

    @property
    def code(self) -> int:
        """Its exit code."""

    @property
    def stdout(self) -> bytes:
        """Its output."""

    @property
    def stderr(self) -> str:
        """Its first words, printable."""


class Given(TypedDict):
    """What sops is given besides its files."""

    stdin: bytes
    environment: Mapping[str, str]
    secret: bool
    network: bool


class Found(Protocol):
    """A program that can be used."""

    @property
    def version(self) -> str:
        """As it says it."""


class Program(Protocol):
    """What is needed of the jailed sops."""

    def found(self) -> Found:
        """Return the program.

        Raises:
            RenderError: it cannot be used.
        """

    def run(self, arguments: Sequence[str], files: Iterable[tuple[str, bytes]], **given: Unpack[Given]) -> Ran:
        """Run it among these files.

        Raises:
            RenderError: it did not end by itself.
        """
