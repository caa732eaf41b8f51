"""A door to a server elsewhere: forwards connections, later if told, into another network if told.

Run as a program of a cluster: `python -m rig.relay --listen PORT --to HOST:PORT [--delay S]`, and `--help`.
"""

import argparse
import asyncio
import contextlib
import ctypes
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

_CHUNK = 65536
_CLONE_NEWNET = 0x40000000


def main(arguments: Sequence[str] | None = None) -> None:
    """Listen here first, then, if told, move to the other network: later connections start there."""
    parser = argparse.ArgumentParser(prog="rig.relay")
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("--to", required=True)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--network", type=Path, help="where connections start")
    parser.add_argument("--listen-in", type=Path, help="where to listen")
    asked = parser.parse_args(arguments)
    home = Path("/proc/self/ns/net").open()  # noqa: SIM115 - kept to come back to
    if asked.listen_in:
        _enter(asked.listen_in.open())
    door = socket.create_server((asked.address, asked.listen), backlog=128)
    if asked.network or asked.listen_in:
        _enter(asked.network.open() if asked.network else home)
    host, _, port = asked.to.rpartition(":")
    asyncio.run(_serve(door, host, int(port), asked.delay))


async def _serve(door: socket.socket, host: str, port: int, delay_s: float) -> None:
    async def connect(near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        try:
            far, far_out = await asyncio.open_connection(host, port)
        except OSError:
            near_out.transport.abort()
            return
        await asyncio.gather(_forward(near, far_out, delay_s), _forward(far, near_out, 0))

    server = await asyncio.start_server(connect, sock=door)
    async with server:
        await server.serve_forever()


async def _forward(source: asyncio.StreamReader, target: asyncio.StreamWriter, delay_s: float) -> None:
    """Each piece leaves `delay_s` after it came; a later piece does not wait for the earlier one's delay too."""
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=256)
    clock = asyncio.get_running_loop().time

    async def take() -> None:
        with contextlib.suppress(OSError):
            while piece := await source.read(_CHUNK):
                await pieces.put((clock() + delay_s, piece))
        await pieces.put((clock() + delay_s, b""))

    async def hand_on() -> None:
        with contextlib.suppress(OSError):
            while (item := await pieces.get())[1]:
                await asyncio.sleep(item[0] - clock())
                target.write(item[1])
                await target.drain()
        target.close()

    await asyncio.gather(take(), hand_on())


def _enter(network: TextIO) -> None:
    with network:
        if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), network.name)


if __name__ == "__main__":
    main()
