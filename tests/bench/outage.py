"""A Service and somebody who asks it all the time: when it did not answer, and how often."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

EVERY_S = 0.25
PATIENCE_S = 1.0


@dataclass
class Client:
    """Asks a port of this machine over and over; ``failed`` are the moments of requests without a 200 in time."""

    port: int
    path: str = "/"
    asked: int = 0
    failed: list[float] = field(default_factory=list)

    def ask(self) -> None:
        """Ask once."""
        began = time.time()
        self.asked += 1
        if not self._answers():
            self.failed.append(began)

    def restored_after(self, begin: float) -> float | None:
        """How long after ``begin`` the last request failed; None = none did."""
        later = [at for at in self.failed if at >= begin]
        return later[-1] - begin if later else None

    def failed_since(self, begin: float) -> int:
        """How many requests have failed since then."""
        return sum(at >= begin for at in self.failed)

    def _answers(self) -> bool:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            line.request("GET", self.path)
            return line.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            line.close()


@contextmanager
def asking(port: int, path: str = "/") -> Iterator[Client]:
    """A client that asks until the end."""
    client, over = Client(port, path), threading.Event()

    def ask() -> None:
        while not over.wait(EVERY_S):
            client.ask()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield client
    finally:
        over.set()
        thread.join(30)
