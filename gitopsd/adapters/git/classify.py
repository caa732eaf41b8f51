"""git's last words → a stable code with a hint. One table, the most specific words first.

What nobody knows is GIT_FAILED: an error like any other, never a success.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitopsd.core.errors import Problem, SourceError, Stage
from gitopsd.core.git_url import printable

_CAUSE_MAX = 500


@dataclass(frozen=True, slots=True)
class _Meaning:
    message: str
    hint: str


_WORDS = (
    ("GIT_PUSH_RACED", (r"! \[rejected\]", r"! \[remote rejected\].*(cannot lock|failed to update) ref")),
    ("GIT_PUSH_REFUSED", (r"! \[remote rejected\]",)),
    ("GIT_DISK", (r"no space left", r"disk quota", r"read-only file system", r"input/output error")),
    ("GIT_DISK", (r"unable to (create|write) (temporary )?file", r"cannot mkdir", r"could not create (leading|work)")),
    ("GIT_HOST_KEY", (r"host key verification failed", r"host identification has changed", r"host key for .* changed")),
    ("GIT_OBJECT_FORMAT", (r"mismatched algorithms", r"unknown repository object format")),
    ("GIT_REF_MISSING", (r"couldn't find remote ref",)),
    ("GIT_REDIRECT", (r"requested url returned error: 30\d", r"unable to update url base from redirection")),
    ("GIT_AUTH", (r"authentication failed", r"could not read (username|password)", r"permission denied \(")),
    ("GIT_AUTH", (r"requested url returned error: 40[137]", r"too many authentication failures")),
    ("GIT_REPO_NOT_FOUND", (r"repository ('.*' )?not found", r"requested url returned error: 4(04|10)")),
    ("GIT_REPO_NOT_FOUND", (r"does not appear to be a git repository", r"is this a git repository")),
    ("GIT_REPO_NOT_FOUND", (r"bad line length character", r"invalid server response", r"expected service, got")),
    ("GIT_TLS", (r"certificate", r"ssl_", r"gnutls", r"tls handshake", r"ssl connect error", r"ssl routines")),
    ("GIT_UNREACHABLE", (r"could not resolve", r"couldn't resolve", r"failed to connect", r"couldn't connect")),
    ("GIT_UNREACHABLE", (r"connection (refused|reset|timed)", r"network is unreachable", r"no route to host")),
    ("GIT_UNREACHABLE", (r"requested url returned error: (429|5\d\d)", r"rpc failed", r"empty reply")),
    ("GIT_UNREACHABLE", (r"early eof", r"hung up unexpectedly", r"unexpected disconnect", r"operation too slow")),
    ("GIT_UNREACHABLE", (r"transfer closed", r"bytes of body are still expected", r"connection closed by")),
    ("GIT_UNREACHABLE", (r"ssh: connect to host",)),
    ("GIT_UNSAFE_OBJECTS", (r"fsck error", r"error in object: ", r"fsck failed")),
    ("GIT_CORRUPT", (r"not a git repository", r"loose object", r"object file .* is empty", r"bad (object|config|ref)")),
    (
        "GIT_CORRUPT",
        (r"packfile", r"pack .* (corrupt|invalid)", r"index file .* (corrupt|too)", r"inflate"),
    ),
    ("GIT_CORRUPT", (r"unable to read", r"missing (blob|tree|commit|object)", r"could not parse (commit|object)")),
    ("GIT_CORRUPT", (r"not a (tree|commit) object", r"object corrupt", r"(sha1|hash) mismatch", r"packed-refs")),
    ("GIT_CORRUPT", (r"unresolved delta", r"did not receive expected object", r"invalid head", r"reference broken")),
    ("GIT_CORRUPT", (r"cannot lock ref", r"unable to resolve reference", r"failed to (read|stat)", r"bad revision")),
    ("GIT_CORRUPT", (r"needed a single revision", r"not a valid object name", r"not send all necessary objects")),
    ("GIT_UNREACHABLE", (r"could not read from remote repository",)),
)
_RULES = tuple((re.compile("|".join(words), re.IGNORECASE), code) for code, words in _WORDS)
# An address or the far side's own chatter must not be taken for git's words.
_NOT_GITS_WORDS = re.compile(r"'[a-z]+://[^']*'|^remote: .*$", re.IGNORECASE | re.MULTILINE)

_MEANINGS = {
    "GIT_UNREACHABLE": _Meaning(
        "The Git server could not be reached, or broke off.",
        "Check the server, the network policy and the proxy; gitopsd tries again by itself.",
    ),
    "GIT_TLS": _Meaning(
        "The Git server's certificate was not accepted.",
        "Renew the certificate, or name the authority that signed it under caFile.",
    ),
    "GIT_AUTH": _Meaning(
        "The Git server refused the credentials.",
        "Check that the token or key is valid and may read this repository; a changed file is read at the next try.",
    ),
    "GIT_CREDENTIALS": _Meaning(
        "The file with the credentials could not be read, or is empty.",
        "Check the Secret and where it is mounted.",
    ),
    "GIT_REPO_NOT_FOUND": _Meaning(
        "There is no Git repository at this address, or the credentials may not see it.",
        "Check the address and the rights; servers say 'not found' for private repositories too.",
    ),
    "GIT_REF_MISSING": _Meaning(
        "The repository does not have the branch.",
        "Push the branch, or correct its name; until then everything stays as it is.",
    ),
    "GIT_REPO_EMPTY": _Meaning(
        "The repository has no branch at all.",
        "Was it created anew, or does something else answer in its place? Nothing is deleted; push the branch.",
    ),
    "GIT_HOST_KEY": _Meaning(
        "The SSH server's host key is unknown or has changed.",
        "Compare the key's fingerprint with the provider's, then put it into the knownHostsFile.",
    ),
    "GIT_REDIRECT": _Meaning(
        "The Git server sends us elsewhere, and credentials do not follow.",
        "Write the repository's new address into the configuration.",
    ),
    "GIT_TIMEOUT": _Meaning(
        "Git did not finish in time and was stopped.",
        "Is the server slow, or does a firewall swallow packets? gitopsd tries again by itself.",
    ),
    "GIT_TOO_LARGE": _Meaning(
        "The repository is larger than gitopsd keeps.",
        "Move large files out of the branch's history.",
    ),
    "GIT_CORRUPT": _Meaning(
        "The local mirror of the repository is damaged.",
        "It is cloned anew at the next fetch; if this stays, check the cache's disk and the server's repository.",
    ),
    "GIT_UNSAFE_OBJECTS": _Meaning(
        "The repository holds objects that Git refuses as malformed or malicious.",
        "Run `git fsck` on the repository and rewrite the commits that it names.",
    ),
    "GIT_OBJECT_FORMAT": _Meaning(
        "The repository uses SHA-256 object names, which gitopsd does not follow.",
        "Follow a repository with SHA-1 object names.",
    ),
    "GIT_DISK": _Meaning(
        "The cache's disk is full or cannot be written.",
        "Give the cache volume more room and make it writable; the last good revision stays in use.",
    ),
    "GIT_NOT_FETCHED": _Meaning(
        "The repository was not fetched yet.",
        "Wait for the first fetch.",
    ),
    "GIT_PROGRAM": _Meaning(
        "The git program could not be started.",
        "Install git 2.39 or newer where gitopsd runs.",
    ),
    "GIT_PATH_MISSING": _Meaning(
        "The environment's directory is not in this revision.",
        "Nothing is deleted. Put the directory back, or correct the environment's path in the configuration.",
    ),
    "GIT_PATH_NOT_DIRECTORY": _Meaning(
        "The environment's path is not a directory in this revision.",
        "Nothing is deleted. A file, a symlink or a submodule cannot be an environment.",
    ),
    "GIT_PUSH_RACED": _Meaning(
        "Somebody else pushed first, so the revert commit was not taken.",
        "Nothing is forced; it is made anew on what they pushed.",
    ),
    "GIT_PUSH_REFUSED": _Meaning(
        "The Git server does not let gitopsd push the revert commit.",
        "Give its credentials the right to push to the branch of revertCommits, or name one that is not protected.",
    ),
    "GIT_REVERT_IMPOSSIBLE": _Meaning(
        "No revert commit can be made: the repository no longer has what was kept.",
        "The environment stays put back; commit a fix.",
    ),
    "GIT_REVERT_CONFLICT": _Meaning(
        "No revert commit can be made: the branch of reverts and the followed one contradict each other.",
        "Merge or delete the branch of revertCommits.",
    ),
    "GIT_FAILED": _Meaning(
        "Git failed in a way gitopsd does not know.",
        "Read the cause; gitopsd tries again by itself.",
    ),
}


def classify(said: str) -> str:
    """Return the code for what git wrote to its standard error."""
    own = _NOT_GITS_WORDS.sub("''", said)
    return next((code for words, code in _RULES if words.search(own)), "GIT_FAILED")


def failed(code: str, source: str, cause: str = "", *, file: str = "") -> SourceError:
    """Return the error for a code, with its sentence and hint. ``cause`` must be masked already."""
    meaning = _MEANINGS[code]
    return SourceError(
        Problem(
            code=code,
            stage=Stage.FETCH,
            message=f"Source {source}: {meaning.message}",
            cause=printable("; ".join(line.strip() for line in cause.splitlines() if line.strip()), _CAUSE_MAX),
            hint=meaning.hint,
            file=file,
        )
    )


def codes() -> tuple[str, ...]:
    """Return every code that a source can have, for the documentation."""
    return tuple(_MEANINGS)


def mask(said: str, secrets: tuple[str, ...]) -> str:
    """Return git's words without any of the secrets and without credentials in addresses."""
    for secret in secrets:
        said = said.replace(secret, "***")
    said = re.sub(r"://[^/\s@]+@", "://***@", said)
    return re.sub(r"\?[^\s'\"]+", "?***", said)
