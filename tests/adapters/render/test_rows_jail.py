"""Rows R7, R8, R9 of the catalogue of bad inputs, and the jail's part of R13, R14 and S23: an error in bounds."""

from __future__ import annotations

import io
import os
import resource
import socket
import subprocess
import tarfile
import threading
import time
from pathlib import Path

import pytest

from gitopsd.adapters.render.jail import Bounds, Jail
from gitopsd.core.errors import RenderError
from rig.binaries import build
from tests.adapters.git.watching import children, is_gone
from tests.adapters.render.jailed import make_jail, needs_linux, python

pytestmark = needs_linux

MIB = 1024 * 1024
GRACE_S = 5
# The three that it is born with count.
OPEN_MANY = """
import os, sys
last = max(os.open("/dev/null", os.O_RDONLY) for _ in range(int(sys.argv[1]) - 3))
print(last + 1)
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("base")


@pytest.fixture(scope="module")
def helm() -> str:
    return str(build(("helm",))["helm"])


@pytest.mark.parametrize(
    ("script", "named"),
    [
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os; os.abort()", "SIGABRT"),
        ("while True: pass", "SIGXCPU"),
        ("import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass", "SIGKILL"),
    ],
    ids=["crash", "abort", "too much cpu", "too much cpu, unnoticed"],
)
def test_r07_the_signal_that_ended_it_is_named_and_the_next_run_is_well(base, script, named):
    jail = make_jail(base, cpu_s=1)

    with pytest.raises(RenderError, match="RENDER_KILLED") as raised:
        jail.run(python(script), [])

    assert named in raised.value.problem.message
    assert raised.value.problem.hint
    assert jail.run(python("print('well')"), []).stdout == b"well\n"


def test_r07_more_memory_than_it_may_have_is_not_given(base):
    ran = make_jail(base, memory_bytes=128 * MIB).run(python(f"bytearray({200 * MIB})"), [])

    assert ran.code == 1
    assert "MemoryError" in ran.stderr
    assert make_jail(base, memory_bytes=256 * MIB).run(python(f"bytearray({200 * MIB})"), []).code == 0


def test_s23_files_up_to_the_cap_may_be_open_and_one_more_may_not(base):
    jail = make_jail(base, open_files=32)

    assert jail.run(python(OPEN_MANY, "32"), []).stdout == b"32\n"
    over = jail.run(python(OPEN_MANY, "33"), [])

    assert over.code == 1
    assert "Too many open files" in over.stderr


@pytest.mark.parametrize(
    ("script", "grace_s"),
    [
        ("import sys, time; time.sleep(60)", 0),
        ("import os, time; os.close(1); os.close(2); time.sleep(60)", 0),
        ("import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)", GRACE_S),
        ("import os, signal; signal.pthread_sigmask(0, range(1, 64)); signal.pause()", GRACE_S),
    ],
    ids=["hangs", "hangs without a word", "ignores TERM", "blocks every signal"],
)
def test_r08_a_tool_that_hangs_is_gone_in_the_timeout_and_the_grace(base, script, grace_s):
    marker = f"marker-{os.urandom(8).hex()}"
    jail = make_jail(base, seconds=1)
    began = time.monotonic()

    with pytest.raises(RenderError, match="RENDER_TIMEOUT"):
        jail.run(python(script, marker), [])

    assert 1 + grace_s <= time.monotonic() - began < 1 + grace_s + GRACE_S
    assert is_gone(marker, within_s=1)


def test_r08_others_go_on_while_one_hangs(base):
    def hang() -> None:
        with pytest.raises(RenderError, match="RENDER_TIMEOUT"):
            make_jail(base, seconds=5).run(python("import time; time.sleep(60)"), [])

    hanging = threading.Thread(target=hang)
    hanging.start()

    assert make_jail(base).run(python("print(1)"), []).stdout == b"1\n"
    assert hanging.is_alive()
    hanging.join()


@pytest.mark.parametrize(
    "script",
    [
        "while True: print('x' * 10_000)",
        "import sys\nfor _ in range(1024): sys.stdout.write('x' * 1_048_576)",
        "import signal; signal.signal(15, signal.SIG_IGN)\nwhile True: print('x' * 10_000)",
    ],
    ids=["endless", "1 GB", "endless, ignores TERM"],
)
def test_r09_too_much_output_is_cut_and_our_memory_stays_flat(base, script):
    jail = make_jail(base, output_bytes=4 * MIB)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(RenderError, match="RENDER_OUTPUT_TOO_LARGE"):
        jail.run(python(script), [])

    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 4 * jail._bounds.output_bytes
    assert children() == set()


def test_r09_output_up_to_the_cap_passes_and_one_byte_more_does_not(base):
    jail = make_jail(base, output_bytes=MIB)
    script = "import sys; sys.stdout.write('x' * int(sys.argv[1]))"

    assert len(jail.run(python(script, str(MIB)), []).stdout) == MIB
    with pytest.raises(RenderError, match="RENDER_OUTPUT_TOO_LARGE"):
        jail.run(python(script, str(MIB + 1)), [])


def test_r09_endless_words_end_at_the_deadline_and_our_memory_stays_flat(base):
    jail = make_jail(base, seconds=2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(RenderError, match="RENDER_TIMEOUT"):
        jail.run(python("import sys\nwhile True: sys.stderr.write('x' * 10_000)"), [])

    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 16 * MIB


def chart(template: str, **more: bytes) -> list[tuple[str, bytes]]:
    """A chart with one template."""
    written = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: {{ " + template + " | quote }}}\n"
    return [
        ("Chart.yaml", b"apiVersion: v2\nname: web\nversion: 1.0.0\n"),
        ("templates/a.yaml", written.encode()),
        *more.items(),
    ]


def test_r13_a_chart_that_grows_without_bound_is_killed_not_the_machine(base, helm):
    bomb = chart('(repeat 30000 "x" | repeat 30000)')
    jail = Jail(base, Bounds(memory_bytes=512 * MIB))

    with pytest.raises(RenderError, match="RENDER_KILLED") as raised:
        jail.run([helm, "template", "."], bomb)

    assert "SIGABRT" in raised.value.problem.message
    assert "out of memory" in raised.value.problem.cause
    assert jail.run([helm, "template", "."], chart('"x"')).code == 0


def test_r13_a_packed_chart_that_unpacks_to_too_much_is_an_error_in_bounds(base, helm):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        zeros = tarfile.TarInfo("bomb/values.yaml")
        zeros.size = 256 * MIB
        archive.addfile(zeros, _Zeros(zeros.size))

    ran = Jail(base, Bounds(memory_bytes=512 * MIB)).run(
        [helm, "template", "."], [*chart('"x"'), ("charts/bomb-1.0.0.tgz", packed.getvalue())]
    )

    assert ran.code == 1
    assert "maximum" in ran.stderr


class _Zeros(io.RawIOBase):
    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        given = min(self._left, size)
        self._left -= given
        return bytes(given)


def test_r13_a_lock_that_was_a_link_is_a_file_with_its_target_in_it(base, helm):
    outside = base / "outside"
    outside.write_text("as it was")
    linked = [*chart('"x"'), ("Chart.lock", str(outside).encode())]

    ran = Jail(base).run([helm, "template", "."], linked)

    assert ran.code == 1
    assert outside.read_text() == "as it was"


def test_r13_a_chart_named_up_is_refused_by_helm_and_writes_nothing(base, helm):
    files = [("Chart.yaml", b"apiVersion: v2\nname: ..\nversion: 1.0.0\n")]
    before = sorted(base.iterdir())

    ran = Jail(base).run([helm, "template", "."], files)

    assert ran.code == 1
    assert sorted(base.iterdir()) == before


def test_r14_a_chart_that_looks_into_a_cluster_reaches_none_even_when_told_to(base, helm, tmp_path):
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0)
    config = _kubeconfig(server.getsockname()[1])
    files = [*chart('(lookup "v1" "Secret" "kube-system" "x" | toString)'), ("kubeconfig", config)]
    (tmp_path / "config").write_bytes(config)
    argv = [helm, "template", ".", "--dry-run=server"]

    ran = Jail(base).run(argv, files, environment={"KUBECONFIG": "kubeconfig"})

    assert ran.code == 1
    with pytest.raises(BlockingIOError):
        server.accept()
    _assert_reached_from_outside(argv, files, server, tmp_path)


def _kubeconfig(port: int) -> bytes:
    return (
        f"{{apiVersion: v1, kind: Config, current-context: a, users: [],"
        f" clusters: [{{name: a, cluster: {{server: 'http://127.0.0.1:{port}'}}}}],"
        f" contexts: [{{name: a, context: {{cluster: a}}}}]}}"
    ).encode()


def _assert_reached_from_outside(
    argv: list[str], files: list[tuple[str, bytes]], server: socket.socket, place: Path
) -> None:
    for path, content in files:
        (place / path).parent.mkdir(exist_ok=True)
        (place / path).write_bytes(content)
    server.settimeout(20)
    free = subprocess.Popen(
        argv, cwd=place, env={"KUBECONFIG": "kubeconfig", "HOME": str(place)}, stderr=subprocess.PIPE
    )
    try:
        server.accept()[0].close()
    finally:
        free.kill()
        free.communicate()


def test_r14_a_chart_that_asks_the_name_service_is_not_answered(base, helm):
    ran = Jail(base).run([helm, "template", ".", "--enable-dns"], chart('(getHostByName "localhost")'))

    assert 'x: ""' in ran.stdout.decode() or ran.code == 1
    assert "127.0.0.1" not in ran.stdout.decode()
