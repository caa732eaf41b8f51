"""The routes. Each reads the latest snapshot and answers from it: no locks, no waiting, no effects."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

from gitopsd import __version__
from gitopsd.core.model import Json
from gitopsd.core.status.overview import Fields, View, environment_status, status
from gitopsd.ports import Authority
from gitopsd.web.door import Door
from gitopsd.web.headers import SafeHeaders
from gitopsd.web.hosts import Hosts
from gitopsd.web.metrics import exposition
from gitopsd.web.schema import EnvironmentStatus, Refusal, Status, Version

Snapshot: TypeAlias = Callable[[], View | None]
Asked: TypeAlias = Annotated[
    Literal["summary", "full"] | None,
    Query(description="less: the summary; more: with every object. Without it /status leaves out the objects"),
]

_OF_THE_MOMENT = ("generatedAt", "snapshot")
_NO_ENVIRONMENT = Refusal(
    code="ENVIRONMENT_UNKNOWN",
    message="there is no environment of this name here",
    hint="GET /status lists all of them; a name is the directory's path without the first directory",
)
_STARTING = Refusal(
    code="STARTING", message="gitopsd has only just started and knows nothing yet", hint="ask again in a few seconds"
)
_REFUSED: dict[int | str, dict[str, Any]] = {404: {"model": Refusal}, 503: {"model": Refusal}}


def create_app(
    view: Snapshot,
    *,
    not_alive: Callable[[], str] = lambda: "",
    authority: Authority | None = None,
    allowed_hosts: Collection[str] = (),
) -> FastAPI:
    """Return the application. ``not_alive`` says in words why the daemon is stuck; empty = it is not.

    ``authority`` None = whoever can connect, by an address, ``localhost`` or an allowed name, may read everything.
    """
    app = FastAPI(
        title="gitopsd",
        version=__version__,
        description="Read-only: why the cluster is, or is not, what was committed.",
        docs_url=None,
        redoc_url=None,
    )
    if authority:
        app.add_middleware(Door, authority=authority)
    else:
        app.add_middleware(Hosts, allowed=allowed_hosts)
    app.add_middleware(SafeHeaders)
    app.add_exception_handler(HTTPException, _no_such_page)
    app.add_exception_handler(RequestValidationError, _bad_question)
    _add_status(app, view)
    _add_probes(app, view, not_alive)
    _add_facts(app, view)
    return app


def _add_status(app: FastAPI, view: Snapshot) -> None:
    @app.get("/status", response_model=Status, responses={503: {"model": Refusal}})
    def all_environments(request: Request, fields: Asked = None) -> Response:
        """Say how every environment is."""
        seen = view()
        if seen is None:
            return _refuse(503, _STARTING)
        return _answer(request, status(seen, Fields(fields) if fields else Fields.USUAL))

    @app.get("/status/{environment:path}", response_model=EnvironmentStatus, responses=_REFUSED)
    def one_environment(request: Request, environment: str, fields: Asked = None) -> Response:
        """Say how one environment is, and each of its objects."""
        seen = view()
        if seen is None:
            return _refuse(503, _STARTING)
        found = environment_status(seen, environment, full=fields != "summary")
        return _answer(request, found) if found else _refuse(404, _NO_ENVIRONMENT)


def _add_probes(app: FastAPI, view: Snapshot, not_alive: Callable[[], str]) -> None:
    """Answer on the loop itself: however many others wait for a thread, a kubelet does not."""

    @app.get("/healthz", response_class=PlainTextResponse)
    @app.get("/livez", response_class=PlainTextResponse)
    async def alive() -> Response:
        """Say whether the daemon's own threads go on."""
        stuck = not_alive()
        return PlainTextResponse(stuck or "ok", 503 if stuck else 200)

    @app.get("/readyz", response_class=PlainTextResponse)
    async def ready() -> Response:
        """Say whether the configuration is read and the cluster answers; a standby is ready as well."""
        seen = view()
        if seen and seen.daemon.ready:
            return PlainTextResponse("ok")
        return PlainTextResponse((seen.daemon.unready_because if seen else "") or "not ready yet", 503)


def _add_facts(app: FastAPI, view: Snapshot) -> None:
    @app.get("/metrics", response_class=PlainTextResponse)
    def metrics(request: Request) -> Response:
        """Return the metrics, as Prometheus reads them."""
        content, content_type = exposition(view, request.headers.get("accept", ""))
        return Response(content, media_type=content_type)

    @app.get("/version")
    def version() -> Version:
        """Say what runs here."""
        return Version(version=__version__)


def _answer(request: Request, body: Mapping[str, Json]) -> Response:
    """Send the body, or 304 when nothing but the moment is different from what the asker has."""
    tag = _tag(body)
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    known = {one.strip() for one in request.headers.get("if-none-match", "").split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return JSONResponse(body, headers=headers)


def _tag(body: Mapping[str, Json]) -> str:
    metadata = body["metadata"]
    about = metadata.items() if isinstance(metadata, Mapping) else ()
    lasting = {name: value for name, value in about if name not in _OF_THE_MOMENT}
    content = json.dumps({**body, "metadata": lasting}, sort_keys=True)
    return f'W/"{hashlib.sha256(content.encode()).hexdigest()[:32]}"'


def _refuse(code: int, why: Refusal) -> Response:
    return JSONResponse(why.model_dump(by_alias=True), code)


def _no_such_page(_: Request, error: Exception) -> Response:
    code = error.status_code if isinstance(error, HTTPException) else 500
    return _refuse(
        code,
        Refusal(
            code="HTTP_UNKNOWN_PAGE" if code == 404 else "HTTP_REFUSED",  # noqa: PLR2004
            message="there is nothing to read here",
            hint="GET /openapi.json lists what can be asked",
        ),
    )


def _bad_question(_: Request, __: Exception) -> Response:
    return _refuse(
        400,
        Refusal(
            code="HTTP_BAD_QUESTION",
            message="the question could not be understood",
            hint="fields is summary or full; GET /openapi.json describes every question",
        ),
    )
