"""A real Git server for tests and the demo: ``git http-backend`` behind HTTP on loopback, with scripted faults.

Repositories are bare and written by plumbing alone, one process per commit; there is no work tree to get wrong.
"""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self, TypeAlias

_QUIET = {
    "PATH": os.environ.get("PATH", os.defpath),
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_AUTHOR = "Ada Lovelace <ada@example.com>"


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link, as a value of ``BareRepository.commit``."""

    target: str


@dataclass(frozen=True, slots=True)
class Submodule:
    """A link to a commit of another repository."""

    commit: str


@dataclass(frozen=True, slots=True)
class Object:
    """Something that is already in the repository, by its id: a subtree, or a blob."""

    oid: str
    mode: str = "040000"


Entry: TypeAlias = "str | bytes | Symlink | Submodule | Object | None"


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run git in a bare repository and return what it printed; a failure raises with git's own words."""
    done = subprocess.run(
        ["git", "--git-dir", str(folder), *arguments], input=stdin, capture_output=True, env=_QUIET, check=False
    )
    if done.returncode:
        raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
    return done.stdout


@dataclass(slots=True)
class BareRepository:
    """A repository that people push to. Each change is one call."""

    folder: Path
    _second: int = field(default=1_750_000_000)

    @classmethod
    def create(cls, folder: Path, *, object_format: str = "sha1") -> BareRepository:
        """Make an empty one whose first branch will be ``main``."""
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--bare", f"--object-format={object_format}", "--initial-branch=main")
        git(folder, "config", "http.receivepack", "false")
        return cls(folder)

    def commit(self, files: Mapping[str, Entry], message: str = "Change", *, branch: str = "main") -> str:
        """Change the given files (None = delete) on a branch's tip; return the commit."""
        parent = f"from refs/heads/{branch}^0\n" if self.has_branch(branch) else ""
        return self._import(branch, message, parent, files)

    def force_push(self, files: Mapping[str, Entry], message: str = "Rewrite", *, branch: str = "main") -> str:
        """Put one new commit without a parent in a branch's place; return it."""
        return self._import(branch, message, "deleteall\n", files, fresh=True)

    def reset(self, commit: str, *, branch: str = "main") -> None:
        """Move a branch to a commit that is already there, back in time or sideways."""
        git(self.folder, "update-ref", f"refs/heads/{branch}", commit)

    def delete_branch(self, branch: str = "main") -> None:
        """Delete a branch; its objects stay."""
        git(self.folder, "update-ref", "-d", f"refs/heads/{branch}")

    def empty(self) -> None:
        """Delete every ref: what a repository that was created anew looks like."""
        for ref in git(self.folder, "for-each-ref", "--format=%(refname)").decode().split():
            git(self.folder, "update-ref", "-d", ref)

    def tag(self, name: str, target: str) -> None:
        """Point a lightweight tag at an object."""
        git(self.folder, "update-ref", f"refs/tags/{name}", target)

    def head(self, branch: str = "main") -> str:
        """Return a branch's commit."""
        return git(self.folder, "rev-parse", f"refs/heads/{branch}").decode().strip()

    def has_branch(self, branch: str) -> bool:
        """Whether the branch is there."""
        return bool(git(self.folder, "for-each-ref", f"refs/heads/{branch}"))

    def write_tree(self, entries: bytes) -> str:
        """Write a tree object of any bytes, as a hostile client could; return its id."""
        return (
            git(self.folder, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=entries)
            .decode()
            .strip()
        )

    def _import(
        self, branch: str, message: str, parent: str, files: Mapping[str, Entry], *, fresh: bool = False
    ) -> str:
        self._second += 60
        target = "refs/import/new" if fresh else f"refs/heads/{branch}"
        said = message.encode()
        stream = [b"commit %s\n" % target.encode(), b"committer %s %d +0000\n" % (_AUTHOR.encode(), self._second)]
        stream += [b"data %d\n%s\n" % (len(said), said), parent.encode()]
        stream += [_change(name, entry) for name, entry in files.items()]
        git(self.folder, "fast-import", "--quiet", "--force", stdin=b"".join(stream))
        if fresh:
            self.reset(git(self.folder, "rev-parse", target).decode().strip(), branch=branch)
            git(self.folder, "update-ref", "-d", target)
        return self.head(branch)


def _change(name: str, entry: Entry) -> bytes:
    path = b'"%s"' % b"".join(b"\\%03o" % byte for byte in os.fsencode(name))
    match entry:
        case None:
            return b"D %s\n" % path
        case Submodule(commit):
            return b"M 160000 %s %s\n" % (commit.encode(), path)
        case Object(oid, mode):
            return b"M %s %s %s\n" % (mode.encode(), oid.encode(), path)
        case Symlink(target):
            return _inline(b"120000", path, os.fsencode(target))
        case str() | bytes():
            return _inline(b"100644", path, entry.encode() if isinstance(entry, str) else entry)


def _inline(mode: bytes, path: bytes, content: bytes) -> bytes:
    return b"M %s inline %s\ndata %d\n%s\n" % (mode, path, len(content), content)


@dataclass(frozen=True, slots=True)
class Request:
    """One request that reached the server. ``authorized`` = it carried an Authorization header."""

    method: str
    path: str
    authorized: bool


Fault: TypeAlias = "Callable[[BaseHTTPRequestHandler], None]"


def answer(status: int, body: bytes = b"", **headers: str) -> Fault:
    """A fault that answers with this status instead of Git's answer."""

    def send(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return send


def hang_until(released: threading.Event) -> Fault:
    """A fault that takes the request and says nothing."""

    def wait(request: BaseHTTPRequestHandler) -> None:
        released.wait(60)
        request.close_connection = True

    return wait


def drip_until(released: threading.Event, *, every_s: float = 0.05) -> Fault:
    """A fault that sends a body one byte at a time, without an end."""

    def send(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
        request.end_headers()
        request.close_connection = True
        while not released.wait(every_s):
            request.wfile.write(b"0")

    return send


@dataclass(slots=True)
class GitServer:
    """Serves every repository below ``root``. ``password`` None = open; ``faults`` match by part of the path."""

    root: Path
    user: str = "git"
    password: str | None = None
    tls: ssl.SSLContext | None = None
    cut_after: int | None = None
    faults: dict[str, Fault] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    _http: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; after a stop, on the same port as before."""
        http = _Listener(("127.0.0.1", self.port), _serve_for(self))
        if self.tls:
            http.socket = self.tls.wrap_socket(http.socket, server_side=True)
        self.port = http.server_address[1]
        self._http = http
        threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening: connections are refused from now on."""
        if self._http:
            self._http.shutdown()
            self._http.server_close()
            self._http = None

    def url(self, repository: str) -> str:
        """Return the address of a repository."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/{repository}"

    def create(self, repository: str) -> BareRepository:
        """Make an empty repository and serve it."""
        return BareRepository.create(self.root / repository)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away are what many tests are about."""


def _serve_for(server: GitServer) -> type[BaseHTTPRequestHandler]:
    class Serve(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Keep quiet."""

        def _answer(self) -> None:
            server.requests.append(Request(self.command, self.path, "Authorization" in self.headers))
            body = _read_body(self)
            fault = next((fault for part, fault in server.faults.items() if part in self.path), None)
            if fault:
                fault(self)
            elif not _may_enter(server, self.headers.get("Authorization", "")):
                answer(401, WWW_Authenticate='Basic realm="git"')(self)
            else:
                _serve_git(server, self, body)

    return Serve


def _may_enter(server: GitServer, given: str) -> bool:
    if server.password is None:
        return True
    return given == "Basic " + base64.b64encode(f"{server.user}:{server.password}".encode()).decode()


def _read_body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length", 0)))
    chunks = []
    while size := int(request.rfile.readline(), 16):
        chunks.append(request.rfile.read(size))
        request.rfile.readline()
    request.rfile.readline()
    return b"".join(chunks)


def _serve_git(server: GitServer, request: BaseHTTPRequestHandler, body: bytes) -> None:
    path, _, query = request.path.partition("?")
    environment = _QUIET | {
        "GIT_PROJECT_ROOT": str(server.root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_METHOD": request.command,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "REMOTE_ADDR": request.client_address[0],
    }
    done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=environment, check=False)
    _relay(request, done.stdout, server.cut_after if request.command == "POST" else None)


def _relay(request: BaseHTTPRequestHandler, said: bytes, cut_after: int | None) -> None:
    head, _, body = said.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    request.send_response(int(headers.pop("Status", "200").split()[0]))
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body[:cut_after])
    request.close_connection = cut_after is not None
