"""The parent of an environment's objects, as KEP-3659 wants it: its name, its id, its labels and annotations.

Two environments never share a parent, whatever their names. The keys are the ones that kubectl ships
(``applyset.kubernetes.io/…``), not the ones of the KEP's text.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256

from gitopsd.core.model import ObjectRef

ID = "applyset.kubernetes.io/id"
TOOLING = "applyset.kubernetes.io/tooling"
GROUP_KINDS = "applyset.kubernetes.io/contains-group-kinds"
NAMESPACES = "applyset.kubernetes.io/additional-namespaces"

TOOL = "gitopsd"
PARENT_KIND = "ConfigMap"

# The longest value of a label.
SLUG_LENGTH_MAX = 63

_HASH_LENGTH = 16
_PLAIN_PART = r"[a-z0-9]+(?:-[a-z0-9]+)*"
_PLAIN = re.compile(rf"{_PLAIN_PART}(?:/{_PLAIN_PART})*", re.ASCII)
_OTHERS = re.compile(r"[^a-z0-9]+", re.ASCII)


def apply_set(environment: str, namespace: str) -> str:
    """Return the id of an environment's apply set, when its record is in the namespace."""
    return apply_set_id(parent_name(environment), namespace)


def apply_set_id(name: str, namespace: str, kind: str = PARENT_KIND, group: str = "") -> str:
    """Return the id of the apply set that this object is the parent of."""
    digest = sha256(f"{name}.{namespace}.{kind}.{group}".encode()).digest()
    return f"applyset-{urlsafe_b64encode(digest).decode().rstrip('=')}-v1"


def parent_name(environment: str) -> str:
    """Return the name of the object that holds an environment's record."""
    return f"{TOOL}-{slug(environment)}"


def slug(environment: str) -> str:
    """Return an environment's name as it may stand in an object's name and in a label, different for every one.

    ``production/web`` is ``production--web``. A name that cannot be said like this, or is too long, gets a hash after
    ``---``, which no plain name has in it.
    """
    plain = environment.replace("/", "--")
    if _PLAIN.fullmatch(environment) and len(plain) <= SLUG_LENGTH_MAX:
        return plain
    digest = sha256(environment.encode()).hexdigest()[:_HASH_LENGTH]
    room = SLUG_LENGTH_MAX - _HASH_LENGTH - len("---")
    told = _OTHERS.sub("-", environment.lower()).strip("-")[:room].rstrip("-")
    return f"{told or 'x'}---{digest}"


def parent_labels(environment: str, namespace: str) -> dict[str, str]:
    """Return the labels that make an object the parent of the environment's apply set."""
    return {ID: apply_set(environment, namespace)}


def parent_annotations(version: str, refs: Iterable[ObjectRef], namespace: str) -> dict[str, str]:
    """Return the annotations of a parent in ``namespace`` whose members are ``refs``: all keys, even empty ones."""
    members = frozenset(refs)
    kinds = sorted({ref.group_kind for ref in members})
    elsewhere = sorted({ref.namespace for ref in members} - {"", namespace})
    return {TOOLING: f"{TOOL}/v{version}", GROUP_KINDS: ",".join(kinds), NAMESPACES: ",".join(elsewhere)}


def foreign_to(environment: str, namespace: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """Say why an object with these labels and annotations is not our parent of the environment; empty = it is ours."""
    tooling, wanted = annotations.get(TOOLING, ""), apply_set(environment, namespace)
    if not tooling:
        return f"it has no annotation {TOOLING}"
    if tooling.rpartition("/")[0] != TOOL:
        return f"its annotation {TOOLING} says {tooling[:80]}"
    if labels.get(ID) != wanted:
        return f"its label {ID} is not {wanted}"
    return ""
