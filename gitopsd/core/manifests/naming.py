"""What the API server takes as a name, a label and an annotation; each rule answers with what is wrong, or nothing.

Only rules that hold for every version of the server stand here. A kind of a group we do not know gets the loosest rule:
refusing what the server would take is worse than being refused by it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gitopsd.core.model import Json

NAME_LENGTH_MAX = 253
LABEL_LENGTH_MAX = 63
ANNOTATIONS_BYTES_MAX = 256 * 1024

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?", re.ASCII)
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(?:\.{_LABEL.pattern})*", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?", re.ASCII)

_RBAC = "rbac.authorization.k8s.io"
_SUBDOMAIN_GROUPS = frozenset({"", "apps", "batch", "autoscaling", "policy", "networking.k8s.io", "storage.k8s.io"})
_LABEL_KINDS = frozenset({("", "Namespace"), ("", "Service")})
_ODD_KINDS = frozenset({("networking.k8s.io", "IPAddress")})


def name_fault(group: str, kind: str, name: str) -> str:
    """Say what is wrong with an object's name."""
    if (group, kind) in _LABEL_KINDS:
        return _length_fault(name, LABEL_LENGTH_MAX) or _pattern_fault(name, _LABEL, "a-z, 0-9 and -")
    if group in _SUBDOMAIN_GROUPS and (group, kind) not in _ODD_KINDS:
        return _length_fault(name, NAME_LENGTH_MAX) or _pattern_fault(name, _SUBDOMAIN, "a-z, 0-9, - and .")
    if name in {".", ".."} or set(name) & set("/%"):
        return "may not be . or .., nor have / or % in it"
    return "" if group == _RBAC else _length_fault(name, NAME_LENGTH_MAX)


def namespace_fault(name: str) -> str:
    """Say what is wrong with a namespace's name."""
    return name_fault("", "Namespace", name)


def label_fault(key: str, value: str) -> str:
    """Say what is wrong with a label, without its value."""
    fault = key_fault(key)
    if fault or not value:
        return fault
    value_fault = _length_fault(value, LABEL_LENGTH_MAX) or _pattern_fault(value, _WORD, "letters, digits, -, _ and .")
    return f"its value {value_fault}" if value_fault else ""


def key_fault(key: str) -> str:
    """Say what is wrong with the key of a label or (in lower case) of an annotation."""
    prefix, slash, word = key.rpartition("/")
    if slash and (_length_fault(prefix, NAME_LENGTH_MAX) or not _SUBDOMAIN.fullmatch(prefix)):
        return "its key has something else than a DNS name before the /"
    fault = _length_fault(word, LABEL_LENGTH_MAX) or _pattern_fault(word, _WORD, "letters, digits, -, _ and .")
    return f"its key {fault}" if fault else ""


def annotations_fault(annotations: Mapping[str, Json]) -> str:
    """Say whether they are too large together."""
    size = sum(len(key.encode()) + len(str(value).encode()) for key, value in annotations.items())
    return f"have {size} bytes together; {ANNOTATIONS_BYTES_MAX} are the most" if size > ANNOTATIONS_BYTES_MAX else ""


def _length_fault(text: str, length_max: int) -> str:
    return f"has {len(text)} characters; {length_max} are the most" if len(text) > length_max else ""


def _pattern_fault(text: str, pattern: re.Pattern[str], allowed: str) -> str:
    if pattern.fullmatch(text):
        return ""
    return f"must be of {allowed}, and begin and end with a letter or digit"
