"""Goes into the jail, proves that it is in, and becomes the tool. Run by its path, ``python -I -S``: no other module.

The order comes first on standard input, behind its length; what follows is the tool's. On the descriptor named by the
first argument it says what a measure was refused for (``name: why``), then ``ready``.
The tool starts with every measure that was ordered, or not at all.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import resource
import struct
import sys

# Importing typing would take a third of the way to the tool.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_LENGTH = struct.Struct(">Q")
_LIBC = ctypes.CDLL(None, use_errno=True)

_SET_PARENT_DEATH_SIGNAL = 1
_SET_SECCOMP, _FILTER = 22, 2
_SET_NO_NEW_PRIVILEGES, _GET_NO_NEW_PRIVILEGES = 38, 39
_SIGKILL = 9

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_BENEATH_A_PATH = 1
# Rights over files by version of Landlock: 1, 2 and so on; the last one stands for all later ones.
_FILE_RIGHTS = [(1 << bits) - 1 for bits in (13, 14, 15, 15, 16)]
_TCP_SINCE, _SCOPES_SINCE = 4, 6
_TCP_RIGHTS = _SCOPES = 0b11

Order = dict[str, "Any"]


def main() -> None:
    """Obey the order on standard input; one without a tool only asks what this kernel allows."""
    report = int(sys.argv[1])
    os.set_inheritable(report, False)
    order: Order = marshal.loads(_read(_LENGTH.unpack(_read(_LENGTH.size))[0]))  # noqa: S302 - written by our parent
    os.chdir(order["directory"])
    refused = _go_in(order)
    os.write(report, "".join(f"{line}\n" for line in refused).encode())
    if refused and order["argv"]:
        return
    os.write(report, b"ready\n")
    if order["argv"]:
        _become(order, report)


def _read(length: int) -> bytes:
    # Unbuffered: what comes after the order is not ours to read.
    taken = bytearray()
    while len(taken) < length and (chunk := os.read(0, length - len(taken))):
        taken += chunk
    return bytes(taken)


def _go_in(order: Order) -> list[str]:
    refused = []
    for name, measure in MEASURES.items():
        try:
            if name in order["measures"]:
                measure(order)
        except OSError as error:
            refused.append(f"{name}: {error}")
    return refused


def _become(order: Order, report: int) -> None:
    try:
        os.execve(order["argv"][0], order["argv"], order["environment"])  # noqa: S606 - this is the task
    except OSError as error:
        os.write(report, f"{order['argv'][0]}: {error}\n".encode())
        raise SystemExit(1) from None


def _die_with_parent(order: Order) -> None:
    _prctl(_SET_PARENT_DEATH_SIGNAL, _SIGKILL)
    _must(os.getppid() == order["parent"], "the parent is gone")


def _gain_no_privileges(_: Order) -> None:
    _prctl(_SET_NO_NEW_PRIVILEGES, 1)
    _must(_prctl(_GET_NO_NEW_PRIVILEGES, 0) == 1, "it did not hold")


def _keep_limits(order: Order) -> None:
    for number, soft, hard in order["limits"]:
        allowed = resource.getrlimit(number)[1]
        ceiling = hard if allowed == resource.RLIM_INFINITY else min(hard, allowed)
        try:
            resource.setrlimit(number, (min(soft, ceiling), ceiling))
        except ValueError as error:
            raise OSError(f"limit {number}: {error}") from None
        _must(resource.getrlimit(number)[0] <= soft, f"limit {number} did not hold")


def _see_few_files(order: Order) -> None:
    version = _syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    rights = _FILE_RIGHTS[min(version, len(_FILE_RIGHTS)) - 1]
    tcp = _TCP_RIGHTS if version >= _TCP_SINCE and not order["network"] else 0
    scopes = _SCOPES if version >= _SCOPES_SINCE else 0
    attributes = struct.pack("=QQQ", rights, tcp, scopes)[: 8 * (1 + bool(tcp) + bool(scopes))]
    ruleset = _syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    for path, access in order["rules"]:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        _syscall(_ADD_RULE, ruleset, _BENEATH_A_PATH, struct.pack("=Qi", access & rights, place), 0)
        os.close(place)
    _syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
    _must(_is_refused(lambda: os.open("/", os.O_RDONLY)), "it did not hold")


def _make_few_calls(order: Order) -> None:
    if not order["filter"]:
        raise OSError("there is no table of system calls for this machine")
    own_pid = struct.pack("=I", os.getpid())
    program = ctypes.create_string_buffer(order["filter"].replace(struct.pack("=I", order["own_pid"]), own_pid))
    steps = struct.pack("@HP", len(order["filter"]) // 8, ctypes.addressof(program))
    _prctl(_SET_SECCOMP, _FILTER, steps)
    _must(_is_refused(lambda: _checked(_LIBC.socket(1, 1, 0))), "it did not hold")


# In this order: each needs what the ones before it leave possible.
MEASURES: dict[str, Callable[[Order], None]] = {
    "dies with gitopsd": _die_with_parent,
    "no new privileges": _gain_no_privileges,
    "limits": _keep_limits,
    "files": _see_few_files,
    "system calls": _make_few_calls,
}


def _prctl(option: int, *arguments: int | bytes) -> int:
    return _checked(_LIBC.prctl(option, *_words(arguments), *[ctypes.c_ulong(0)] * (4 - len(arguments))))


def _syscall(number: int, *arguments: int | bytes | None) -> int:
    return _checked(_LIBC.syscall(ctypes.c_long(number), *_words(arguments)))


def _words(arguments: tuple[int | bytes | None, ...]) -> list[Any]:
    return [ctypes.c_ulong(one) if isinstance(one, int) else one for one in arguments]


def _checked(answer: int) -> int:
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


def _is_refused(deed: Callable[[], object]) -> bool:
    try:
        deed()
    except PermissionError:
        return True
    return False


def _must(holds: bool, why: str) -> None:  # noqa: FBT001 - the condition is the subject
    if not holds:
        raise OSError(why)


if __name__ == "__main__":
    main()
