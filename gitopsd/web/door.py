"""Nobody gets past here without a permission: one place for every route there is and will be.

What is forbidden and what does not exist look alike, so names cannot be guessed.
"""

from __future__ import annotations

import json

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from gitopsd.core.access import Asked, Permission, asked_for
from gitopsd.core.errors import ClusterError
from gitopsd.ports import Authority
from gitopsd.web.schema import Refusal

# Fewer than there are threads for requests, so that some are left for those who are known.
DECIDING_MAX = 32

_BEARER = "bearer "
_UNKNOWN_CALLER = Refusal(
    code="HTTP_UNKNOWN_CALLER",
    message="this needs a token that the cluster knows",
    hint="send Authorization: Bearer TOKEN; kubectl create token ACCOUNT makes one",
)
_FORBIDDEN = Refusal(
    code="HTTP_FORBIDDEN",
    message="there is nothing here that you may read",
    hint="a role must grant get or list on environments.gitopsd.dev, or get on this path",
)
_UNDECIDED = Refusal(
    code="HTTP_UNDECIDED",
    message="the API server cannot say now who you are and what you may read",
    hint="ask again in a few seconds",
)


class Door:
    """Asks the authority of each request before anything else sees it."""

    def __init__(self, app: ASGIApp, authority: Authority) -> None:
        self._app = app
        self._authority = authority
        self._deciding = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer it."""
        refused = WebSocketClose() if scope["type"] == "websocket" else await self._refused(scope)
        await (refused or self._app)(scope, receive, send)

    async def _refused(self, scope: Scope) -> Response | None:
        asked = asked_for(scope["path"])
        if asked is None:
            return None
        if self._deciding >= DECIDING_MAX:
            return _answer(503, _UNDECIDED)
        try:
            permission = await self._decide(_token(scope), asked)
        except ClusterError:
            return _answer(503, _UNDECIDED)
        match permission:
            case Permission.ALLOWED:
                return None
            case Permission.FORBIDDEN:
                return _answer(403, _FORBIDDEN)
            case Permission.UNKNOWN_CALLER:
                return _answer(401, _UNKNOWN_CALLER, {"WWW-Authenticate": "Bearer"})

    async def _decide(self, token: str, asked: Asked) -> Permission:
        self._deciding += 1
        try:
            return await run_in_threadpool(self._authority.decide, token, asked)
        finally:
            self._deciding -= 1


def _token(scope: Scope) -> str:
    """Return the one bearer token; two are none."""
    given = Headers(scope=scope).getlist("authorization")
    if len(given) != 1 or not given[0].lower().startswith(_BEARER):
        return ""
    return given[0][len(_BEARER) :].strip()


def _answer(code: int, why: Refusal, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(why.model_dump(by_alias=True)).encode()
    return Response(body, code, headers=headers, media_type="application/json")
