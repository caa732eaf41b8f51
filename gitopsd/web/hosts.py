"""Where nobody is asked who asks, only those who name this server are answered.

A web page may let its own name lead to this machine (DNS rebinding), and read what a browser on it is told; the browser
then sends that name as Host. No page owns an IP address or ``localhost``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gitopsd.web.schema import Refusal

_LOCAL = "localhost"
_HOST = re.compile(r"(?P<name>[^:\[\]]+|\[[^\[\]]+\])(:[0-9]+)?")
_MISDIRECTED = 421
_UNKNOWN_HOST = Refusal(
    code="HTTP_UNKNOWN_HOST",
    message="gitopsd does not answer to the host name of this request",
    hint="ask by localhost or an IP address; server.allowedHosts lists other names",
)


class Hosts:
    """Answers only who asks for an IP address, for localhost, or for one of the names ``allowed``."""

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self._app = app
        self._names = {_LOCAL, *allowed}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer it."""
        if self._answers_to(Headers(scope=scope).get("host", "")):
            await self._app(scope, receive, send)
        else:
            await JSONResponse(_UNKNOWN_HOST.model_dump(by_alias=True), _MISDIRECTED)(scope, receive, send)

    def _answers_to(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        return found is not None and (found["name"].lower() in self._names or _is_address(found["name"]))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
