"""Follow one kind: list, then watch from there; again from where it ended; a new list when that is too long ago.

Events only wake and mark; decisions come from reads. A watch counts as live from the moment the server agreed to send
until the line is lost; who needs to know meanwhile reads.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from gitopsd.adapters.cluster.ledgers import Item, Ledger
from gitopsd.adapters.cluster.transport import Stream, Transport
from gitopsd.adapters.cluster.wire import StreamRefused, WireBroken
from gitopsd.core.errors import GitopsdError
from gitopsd.core.fields import text
from gitopsd.core.model import Body
from gitopsd.ports import Call

METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
JSON = "application/json"

PAGE_COUNT = 500
PAGES_MAX = 2_000
SERVER_S = (240, 300)
IDLE_S = 90.0
LIST_AGE_S_MAX = 3_600.0
FIRST_BACKOFF_S = 0.5
BACKOFF_S_MAX = 30.0
DENIED_BACKOFF_S = 300.0

_UNAUTHORIZED = 401
_DENIED = frozenset({403, 404, 405})
_GONE = 410
_DICE = random.SystemRandom()


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: Item


_EVENTS = msgspec.json.Decoder(_Event)


class Lost(Exception):
    """The watch ended other than in order. ``wait_s``: not worth trying earlier; ``relist``: not from where it was."""

    def __init__(self, cause: str, *, wait_s: float = 0.0, relist: bool = False) -> None:
        super().__init__(cause)
        self.wait_s = wait_s
        self.relist = relist


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is watched: a collection's path, a label selector, and whether whole objects are needed."""

    path: str
    selector: str = ""
    whole: bool = False


class Watch:
    """One thread. ``is_live`` is read by others."""

    def __init__(self, transport: Transport, scope: Scope, ledger: Ledger) -> None:
        self.ledger = ledger
        self.is_live = False
        self._transport = transport
        self._scope = scope
        self._stopping = threading.Event()
        self._stream: Stream | None = None
        self._version = ""
        self._listed_at = 0.0
        self._thread = threading.Thread(target=self._run, name=f"watch {scope.path}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def begin_again(self) -> None:
        """Follow anew from where it was: the line may be dead, and nobody would know for long."""
        self.is_live = False
        if self._stream:
            self._stream.hang_up()

    def stop(self) -> None:
        """Hang up; the thread ends by itself very soon."""
        self._stopping.set()
        if self._stream:
            self._stream.hang_up()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; return whether it came."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        while not self._stopping.is_set():
            began_at = time.monotonic()
            try:
                self._follow()
                continue
            except Lost as lost:
                self.is_live = False
                wait_s = lost.wait_s
                self._version = "" if lost.relist else self._version
            backoff_s = FIRST_BACKOFF_S if time.monotonic() - began_at > BACKOFF_S_MAX else backoff_s
            self._stopping.wait(max(wait_s, backoff_s) * _DICE.uniform(0.5, 1.0))
            backoff_s = min(backoff_s * 2, BACKOFF_S_MAX)
        self.is_live = False

    def _follow(self) -> None:
        """Follow the stream to its end.

        Raises:
            Lost: it was cut, refused, or never began.
        """
        if not self._version or time.monotonic() - self._listed_at > LIST_AGE_S_MAX:
            self._list()
        try:
            for line in self._lines():
                if self._stopping.is_set():
                    return
                self._transport.contact.alive()
                self.is_live = True
                if line:
                    self._take(line)
        except WireBroken as broken:
            self._transport.contact.lost(time.monotonic())
            raise Lost(broken.cause) from broken
        except StreamRefused as refused:
            raise self._lost(refused.status) from refused

    def _list(self) -> None:
        try:
            items: list[Item] = []
            for page, version in self._pages():
                items += page
                self._version = version
        except GitopsdError as error:
            raise Lost(str(error)) from error
        self._listed_at = time.monotonic()
        self.ledger.begin(items, self._version)

    def _pages(self) -> Iterator[tuple[list[Item], str]]:
        query = {"limit": str(PAGE_COUNT), **self._selected()}
        for _ in range(PAGES_MAX):
            call = Call(method="GET", path=self._scope.path, query=query)
            answer = self._transport.send(call, accept=JSON if self._scope.whole else f"{METADATA_LIST},{JSON}")
            if answer.status != 200:  # noqa: PLR2004 - OK
                raise self._lost(answer.status)
            body: Body = answer.body if isinstance(answer.body, Mapping) else {}
            if not text(body, "metadata.resourceVersion"):
                raise Lost("a list without a version")
            yield msgspec.convert(body.get("items") or [], list[Item]), text(body, "metadata.resourceVersion")
            token = text(body, "metadata.continue")
            if not token:
                return
            query = {**query, "continue": token}
        raise Lost("a list without an end")

    def _lines(self) -> Iterator[bytes]:
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(_DICE.randint(*SERVER_S)),
            **self._selected(),
        }
        accept = JSON if self._scope.whole else f"{METADATA_ONLY},{JSON}"
        self._stream = self._transport.watch(self._scope.path, query, accept=accept, idle_s=IDLE_S)
        return self._stream.lines

    def _take(self, line: bytes) -> None:
        try:
            event = _EVENTS.decode(line)
        except msgspec.DecodeError as broken:
            raise Lost("a line that is not an event") from broken
        version = event.object.metadata.resourceVersion
        match event.type:
            case "ERROR":
                raise self._lost(event.object.code)
            case "BOOKMARK":
                self.ledger.reach(version)
            case _:
                self.ledger.note(event.type, event.object)
        self._version = version or self._version

    def _lost(self, status: int) -> Lost:
        if status == _UNAUTHORIZED:
            self._transport.renew()
        wait_s = DENIED_BACKOFF_S if status in _DENIED else 0.0
        return Lost(f"refused with {status}", wait_s=wait_s, relist=True)

    def _selected(self) -> dict[str, str]:
        return {"labelSelector": self._scope.selector} if self._scope.selector else {}
