"""Free ports: below the kernel's own range, so that no outgoing connection takes one while a server restarts."""

import random
import socket
from collections.abc import Collection

from rig.errors import RigError

_CANDIDATES = range(20000, 32000)
_USABLE = range(1024, 65536)


def free_ports(count: int, taken: Collection[int] = ()) -> list[int]:
    """That many different ports of loopback on which nobody listens."""
    chosen: list[int] = []
    for port in random.sample(_CANDIDATES, len(_CANDIDATES)):
        if port not in taken and is_free(port):
            chosen.append(port)
        if len(chosen) == count:
            return chosen
    raise RigError(
        f"No {count} ports are free between {_CANDIDATES.start} and {_CANDIDATES.stop}",
        remedy="Bring down clusters you no longer need: `python -m rig status` names them.",
    )


def require_free(port: int) -> int:
    """The port that was asked for, or the refusal."""
    if port not in _USABLE:
        remedy = f"Leave --port out and a free one is chosen, or name one from {_USABLE.start} to {_USABLE.stop - 1}."
        raise RigError(f"Port {port} cannot be used", remedy=remedy)
    if not is_free(port):
        raise RigError(f"Port {port} is taken", remedy="Leave --port out and a free one is chosen, or end who has it.")
    return port


def is_free(port: int) -> bool:
    """Whether one may listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
