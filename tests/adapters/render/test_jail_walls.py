"""What a jailed tool cannot do. Each deed is done once outside of the jail as well: there it must succeed."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitopsd.adapters.render.jail import Jail
from gitopsd.adapters.render.jail.access import network_files
from tests.adapters.render.jailed import make_jail, needs_linux, python

pytestmark = needs_linux

CANARY = "canary-5e0d41"


@pytest.fixture(scope="module")
def jail(tmp_path_factory) -> Jail:
    return make_jail(tmp_path_factory.mktemp("base"))


DEEDS = {
    "read a file": "open(ARGUMENT + '/token').read()",
    "read the system's users": "open('/etc/passwd').read()",
    "read the environment of gitopsd": "open(f'/proc/{os.getppid()}/environ').read()",
    "read its own environment": "open('/proc/self/environ').read()",
    "list the root": "os.listdir('/')",
    "list a directory": "os.listdir(ARGUMENT)",
    "write a file": "open(ARGUMENT + '/written', 'w').write('x')",
    "append to a file": "open(ARGUMENT + '/token', 'a').write('')",
    "cut a file": "os.truncate(ARGUMENT + '/token', 100)",
    "change the rights of a file": "os.chmod(ARGUMENT + '/token', 0o600)",
    "change the owner of a file": "os.chown(ARGUMENT + '/token', os.getuid(), os.getgid())",
    "change the time of a file": "os.utime(ARGUMENT + '/token')",
    "link a file": "os.link(ARGUMENT + '/token', f'{ARGUMENT}/{os.getpid()}')",
    "make a link": "os.symlink('token', f'{ARGUMENT}/{os.getpid()}')",
    "make a directory": "os.mkdir(f'{ARGUMENT}/{os.getpid()}')",
    "write beside its own files": "open(os.getcwd() + '/written', 'w').write('x')",
    "write in its home": "open(os.environ['HOME'] + '/written', 'w').write('x')",
    "become a shell": "os.execv('/bin/sh', ['sh', '-c', 'echo done'])",
    "fork": "os._exit(0) if os.fork() == 0 else os.wait()",
    "start a program": "import subprocess; subprocess.run(['/bin/true'], check=True)",
    "run a program from memory": "os.memfd_create('x')",
    "signal gitopsd": "os.kill(os.getppid(), 0)",
    "signal its group": "os.kill(0, 0)",
    "look at the limits of gitopsd": "import resource; resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)",
    "give itself another processor": "os.sched_setaffinity(0, os.sched_getaffinity(0))",
    "leave its group": "os.setpgid(0, 0)",
    "be traced": "import ctypes; c = ctypes.CDLL(None, use_errno=True); c.ptrace(0, 0, 0, 0) == 0 or FAIL(c)",
    "have a pair of sockets": "import socket; socket.socketpair()",
    "have a socket": "import socket; socket.socket()",
    "talk tcp": "import socket; socket.create_connection(('127.0.0.1', int(PORT)), 2)",
    "talk udp": "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', int(PORT)))",
    "talk to an abstract socket": "import socket; socket.socket(socket.AF_UNIX).connect('\\0' + ARGUMENT)",
    "talk to a socket in a file": "import socket; socket.socket(socket.AF_UNIX).connect(ARGUMENT + '/socket')",
}

PRELUDE = """
import os, sys
ARGUMENT, PORT = sys.argv[1:]
os.environ.setdefault("HOME", "/tmp")
def FAIL(c):
    import ctypes
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
"""


class Outside:
    """A directory with a token, and sockets that count who comes."""

    def __init__(self, place) -> None:
        (place / "token").write_text(CANARY)
        self.place = place
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(type=socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.abstract, self.in_file = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        self.abstract.bind(f"\0{place}")
        self.in_file.bind(f"{place}/socket")
        for one in (self.abstract, self.in_file):
            one.listen()

    def came(self) -> int:
        """How many sockets were reached."""
        return sum(_reached(one) for one in (self.tcp, self.udp, self.abstract, self.in_file))


def _reached(one: socket.socket) -> bool:
    one.setblocking(False)
    try:
        one.recv(1) if one.type == socket.SOCK_DGRAM else one.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.fixture
def outside(tmp_path_factory) -> Iterator[Outside]:
    made = Outside(tmp_path_factory.mktemp("o"))
    yield made
    for one in (made.tcp, made.udp, made.abstract, made.in_file):
        one.close()


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_what_works_outside_is_refused_inside(deed, jail, outside, tmp_path):
    argv = python(f"{PRELUDE}\n{deed}\nprint('done')", str(outside.place), str(outside.port))

    free = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path, start_new_session=False, check=False)
    assert free.stdout == "done\n", free.stderr
    reached_from_outside = outside.came()
    ran = jail.run(argv, [])

    assert (ran.code, ran.stdout) == (1, b"")
    assert "PermissionError" in ran.stderr
    assert "talk" not in deed or reached_from_outside == 1
    assert outside.came() == 0
    assert CANARY not in ran.stderr


# What a network lets through, and nothing else.
OPENED = ("have a socket", "talk tcp", "talk udp")


@pytest.mark.parametrize("deed", DEEDS, ids=DEEDS)
def test_with_a_network_it_talks_to_other_machines_and_all_else_stays_refused(deed, jail, outside):
    argv = python(f"{PRELUDE}\n{DEEDS[deed]}\nprint('done')", str(outside.place), str(outside.port))

    ran = jail.run(argv, [], network=True)

    assert (ran.stdout == b"done\n") == (deed in OPENED), ran.stderr
    assert outside.came() == (1 if deed in OPENED and "talk" in deed else 0)
    assert CANARY not in ran.stderr


def test_with_a_network_it_reads_where_other_machines_are(jail):
    places = [place for place in ("/etc/hosts", "/etc/resolv.conf") if Path(place).exists()]

    ran = jail.run(python(f"print([len(open(one).read()) for one in {places}])"), [], network=True)

    assert places
    assert ran.code == 0, ran.stderr


def test_with_a_network_it_reads_certificates_and_not_the_keys_beside_them(jail):
    script = "import os, sys\nos.listdir(sys.argv[1])\nprint('done')"

    assert jail.run(python(script, "/etc/ssl/certs"), [], network=True).stdout == b"done\n"
    assert not [place for place in network_files() if Path("/etc/ssl/private").is_relative_to(place)]


def test_it_may_read_compute_and_have_threads(jail):
    script = """
import hashlib, os, sys, threading
found = []
def look():
    found.append(hashlib.sha256(open("a/b", "rb").read()).hexdigest()[:4])
threads = [threading.Thread(target=look) for _ in range(4)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
open("/dev/null", "w").write("x")
os.kill(os.getpid(), 0)
print(found, sorted(os.listdir(".")), sys.stdin.read())
"""
    ran = jail.run(python(script), [("a/b", b"x"), ("c", b"")], stdin=b"said")

    assert (ran.stderr, ran.stdout.decode()) == ("", "['2d71', '2d71', '2d71', '2d71'] ['a', 'c'] said\n")


def test_it_sees_no_variable_of_ours_and_finds_no_program(jail, monkeypatch):
    monkeypatch.setenv("GITOPSD_CANARY", CANARY)

    ran = jail.run(python("import os; print(dict(os.environ))"), [], environment={"HELM_PLUGINS": ""})

    seen = eval(ran.stdout)  # noqa: S307 - what our own script printed
    home = seen["HOME"]
    assert CANARY not in ran.stdout.decode()
    assert seen["PATH"] == seen["HELM_PLUGINS"] == ""
    assert {name for name, value in seen.items() if value == home} == {
        "HOME",
        "TMPDIR",
        *(f"XDG_{kind}_HOME" for kind in ("CACHE", "CONFIG", "DATA", "STATE")),
    }


def test_it_has_no_file_of_ours_open(jail, tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(descriptor, True)

    script = "import os\nfor n in range(256):\n  try: os.fstat(n); print(n)\n  except OSError: pass"
    ran = jail.run(python(script), [])

    os.close(descriptor)
    assert ran.stdout.split() == [b"0", b"1", b"2"]
