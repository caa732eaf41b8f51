"""Which addresses, branches and directories may be given to Git at all. An allow-list.

A refusal never repeats what may be a secret: the address is shown with its password or query masked.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import NamedTuple

from gitopsd.core.errors import Problem, Stage

_URL_MAX = 2048
_BRANCH_MAX = 255
_DIRECTORY_MAX = 1024
_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]"
_WITH_SCHEME = re.compile(
    rf"(?P<scheme>[a-z]+)://(?:(?P<user>{_NAME})@)?(?P<host>{_HOST})(?::[0-9]{{1,5}})?/(?P<path>.+)"
)
_SCP_LIKE = re.compile(rf"(?P<user>{_NAME})@(?P<host>{_HOST}):(?P<path>[^-:].*)")
_USER_INFO = re.compile(r"://.*@")
_SCP_PASSWORD = re.compile(r"^[^/@:]+:[^@]*@")
_FULL_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NEVER_IN_A_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_NEVER_IN_A_DIRECTORY = re.compile(r"[\x00-\x1f\x7f\\]")


class _Address(NamedTuple):
    scheme: str
    user: str
    host: str
    path: str


def check_url(url: str, *, insecure: bool = False) -> Problem | None:
    """Return what is wrong with a repository's address, or None.

    Allowed are ``https://host/path``, ``ssh://user@host/path``, ``user@host:path``, and ``http://`` for this machine
    itself or where the operator says ``insecure``.
    """
    complaint = _complain(url, insecure=insecure)
    if complaint is None:
        return None
    message, hint = complaint
    return Problem(code="GIT_URL", stage=Stage.CONFIG, message=message, cause=mask_url(url), hint=hint)


def check_branch(branch: str) -> Problem | None:
    """Return what is wrong with a branch's name, or None. Git's own rules, and nothing that looks like an option."""
    if _FULL_COMMIT.fullmatch(branch):
        return _branch_problem(branch, "is a commit's id, and gitopsd follows branches")
    if branch.startswith("refs/"):
        return _branch_problem(branch, "is a full ref; write the branch's short name")
    if not branch or len(branch) > _BRANCH_MAX:
        return _branch_problem(branch, f"has {len(branch)} characters; a branch has 1 to {_BRANCH_MAX}")
    if _NEVER_IN_A_BRANCH.search(branch) or branch.startswith("-") or branch in {"@", "HEAD"}:
        return _branch_problem(branch, "is not the name of a branch")
    if any(_is_odd(part) for part in branch.split("/")) or branch.endswith("."):
        return _branch_problem(branch, "is not the name of a branch")
    return None


def check_directory(path: str) -> Problem | None:
    """Return what is wrong with an environment's directory, or None. Compared by its parts, never as text."""
    parts = path.split("/")
    if path and (
        len(path) > _DIRECTORY_MAX
        or _NEVER_IN_A_DIRECTORY.search(path)
        or any(part in {"", ".", ".."} or part.lower() == ".git" for part in parts)
    ):
        return Problem(
            code="GIT_DIRECTORY",
            stage=Stage.CONFIG,
            message=f"{printable(path)!r} is not a directory inside the repository.",
            hint="Write the path from the repository's root, without a slash at its ends: environments/staging.",
        )
    return None


def scheme_of(url: str) -> str:
    """Return the transport of an address that passed ``check_url``."""
    address = _parse(url)
    return address.scheme if address else ""


def mask_url(url: str) -> str:
    """Return an address that can be shown: the user's part and the query give way to ``***``."""
    bare, *rest = re.split(r"[?#]", printable(url), maxsplit=1)
    shown = _SCP_PASSWORD.sub("***@", _USER_INFO.sub("://***@", bare)) if "@" in bare else bare
    return shown + ("?***" if rest else "")


def printable(text: str, length_max: int = 200) -> str:
    """Return text that can stand in a message: one line, control characters shown as escapes, bounded."""
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[: length_max + 1])
    return shown if len(shown) <= length_max else shown[:length_max] + "…"


def _complain(url: str, *, insecure: bool) -> tuple[str, str] | None:
    if _holds_secret(url):
        hint = "Put the token into a file and name it under auth.tokenFile."
        return "The repository's address holds a password, a token or a query.", hint
    address = None if len(url) > _URL_MAX else _parse(url)
    if address is None or (address.user and address.scheme != "ssh"):
        hint = "Write https://host/path.git, ssh://git@host/path.git or git@host:path.git."
        return "The repository's address has a form that gitopsd does not follow.", hint
    if address.scheme == "http" and not (insecure or _is_loopback(address.host)):
        hint = "Use https://, or say insecure: true for this source if you must."
        return "The repository's address would send everything in plain text.", hint
    return None


def _parse(url: str) -> _Address | None:
    if re.search(r"[\s\x00-\x1f\x7f\\]", url) or ".." in url.split("/"):
        return None
    if found := _WITH_SCHEME.fullmatch(url):
        known = found["scheme"] in {"https", "ssh", "http"}
        return _Address(found["scheme"], found["user"] or "", found["host"], found["path"]) if known else None
    if found := _SCP_LIKE.fullmatch(url):
        return _Address("ssh", found["user"], found["host"], found["path"])
    return None


def _holds_secret(url: str) -> bool:
    if "?" in url or "#" in url:
        return True
    scheme, separator, rest = url.partition("://")
    if not separator:
        return bool(_SCP_PASSWORD.match(url))
    address = _parse(url)
    if address is None:
        # A password may hold a slash; whatever stands before the last @ could be one.
        return ":" in rest.rpartition("@")[0]
    return bool(address.user) and scheme != "ssh"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_odd(part: str) -> bool:
    return not part or part.startswith(".") or part.endswith(".lock")


def _branch_problem(branch: str, why: str) -> Problem:
    return Problem(
        code="GIT_BRANCH",
        stage=Stage.CONFIG,
        message=f"{printable(branch, 80)!r} {why}.",
        hint="Name a branch as `git branch` prints it: main, release/1.2.",
    )
