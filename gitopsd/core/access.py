"""Who may ask what over HTTP: every path has a permission, and a path that has none is refused.

Environments are asked for as if they were objects of the API server (``environments.gitopsd.dev``), so that ordinary
roles grant them, one by one if wanted; everything else by its path, as the API server's own pages are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

GROUP = "gitopsd.dev"
RESOURCE = "environments"
# A kubelet asks these without a token; they say nothing of any environment.
OPEN = frozenset({"/healthz", "/livez", "/readyz"})

_STATUS = "/status"


class Permission(StrEnum):
    """The answer."""

    ALLOWED = "allowed"
    UNKNOWN_CALLER = "unknown caller"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request wants: environments (all, or the one named), or else what lies at a path."""

    verb: str
    path: str = ""
    environment: str = ""


def asked_for(path: str) -> Asked | None:
    """Return what a request for this path wants; None = anybody may have it."""
    if path in OPEN:
        return None
    if path == _STATUS:
        return Asked(verb="list")
    if path.startswith(f"{_STATUS}/"):
        return Asked(verb="get", environment=path.removeprefix(f"{_STATUS}/"))
    return Asked(verb="get", path=path)
