"""Where the kernel refuses a measure, it is named and the others stand; and all stand for a user without rights."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.git.watching import is_gone
from tests.adapters.render import poor_kernel
from tests.adapters.render.jailed import needs_linux

pytestmark = needs_linux

ROOT = Path(__file__).parents[3]
NOBODY = 65534

PRELUDE = """
import json, os, pathlib, sys, time
from tests.adapters.render.jailed import *
jail = make_jail(pathlib.Path(sys.argv[1]), seconds=3)
def tried(script, *arguments):
    ran = jail.run(python(script, *arguments), [("a", b"x")])
    return ran.stdout.decode() or ran.stderr.splitlines()[-1]
"""

LOOK = """
print(json.dumps({
    "measures": {measure.name: measure.why for measure in jail.measures},
    "socket": tried("import socket; socket.socket(); print('done')"),
    "passwd": tried("open('/etc/passwd').read(); print('done')"),
    "own": tried("print(open('a').read())"),
    "uid": tried("import os; print(os.getuid())"),
    "limit": tried("import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"),
    "secret": jail.run(python("print(open('a').read())"), [("a", b"x")], secret=True).stdout.decode(),
}))
"""

ALL = {
    "measures": dict.fromkeys(
        ("dies with gitopsd", "no new privileges", "limits", "files", "system calls", "memory disk"), ""
    ),
    "socket": "PermissionError: [Errno 1] Operation not permitted",
    "passwd": "PermissionError: [Errno 13] Permission denied: '/etc/passwd'",
    "own": "x\n",
    "limit": "(0, 0)\n",
    "secret": "x\n",
}


def run_poorly(refused: str, script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script under a kernel without this."""
    return poor_kernel.run(refused, PRELUDE + script, *arguments)


def seen(ran: subprocess.CompletedProcess[str]) -> dict[str, object]:
    """What ``LOOK`` printed."""
    found: dict[str, object] = json.loads(ran.stdout)
    return found


def test_without_seccomp_it_is_named_and_the_others_stand(tmp_path):
    why = {"system calls": "[Errno 1] Operation not permitted"}

    assert seen(run_poorly("seccomp", LOOK, tmp_path)) == ALL | {
        "measures": ALL["measures"] | why,
        "socket": "done\n",
        "uid": f"{os.getuid()}\n",
    }


def test_without_landlock_it_is_named_and_the_others_stand(tmp_path):
    why = {"files": "[Errno 38] Function not implemented"}

    assert seen(run_poorly("landlock", LOOK, tmp_path)) == ALL | {
        "measures": ALL["measures"] | why,
        "passwd": "done\n",
        "uid": f"{os.getuid()}\n",
    }


def test_a_measure_that_is_gone_after_the_start_stops_the_run(tmp_path):
    script = """
from tests.adapters.render import poor_kernel
sys.argv = ["", "landlock", "", ""]
poor_kernel.main()
try:
    tried("print('ran')")
except Exception as error:
    print(error.problem.code, error.problem.cause)
"""
    argv = [sys.executable, "-c", PRELUDE + script, tmp_path]
    ran = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=ROOT)

    assert ran.stdout == "RENDER_NOT_STARTED files: [Errno 38] Function not implemented\n"


def test_s23_where_it_may_write_files_one_may_be_as_large_as_the_cap_and_not_a_byte_larger(tmp_path):
    """Where Landlock stands, a tool writes no file at all."""
    script = """
jail = make_jail(pathlib.Path(sys.argv[1]), file_bytes=1_000_000)
write = "import os\\nwith open('b', 'wb') as file: file.write(bytes(%d))\\nprint(os.path.getsize('b'))"
unaware = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\\n"
print(tried(write % 1_000_000), end="")
print(tried(write % 1_000_001))
try:
    tried(unaware + write % 1_000_001)
except Exception as error:
    print(error.problem.code, "SIGXFSZ" in error.problem.message)
"""
    assert run_poorly("landlock", script, tmp_path).stdout.splitlines() == [
        "1000000",
        "OSError: [Errno 27] File too large",
        "RENDER_KILLED True",
    ]


def test_a_child_of_the_tool_goes_with_it_where_children_cannot_be_forbidden(tmp_path):
    marker = f"marker-{os.urandom(8).hex()}"
    script = """
child = "import os, time; os.fork() == 0 and time.sleep(60); print('parent ended')"
print(tried(child, sys.argv[2]))
"""
    ran = run_poorly("seccomp", script, tmp_path, marker)

    assert ran.stdout == "parent ended\n\n"
    assert is_gone(marker, within_s=1)


def test_a_family_that_ignores_term_is_killed_after_the_grace(tmp_path):
    marker = f"marker-{os.urandom(8).hex()}"
    script = """
import time
child = "import os, signal, time; signal.signal(15, signal.SIG_IGN); os.fork(); time.sleep(60)"
began = time.monotonic()
try:
    tried(child, sys.argv[2])
except Exception as error:
    print(error.problem.code, 3 + 5 <= time.monotonic() - began < 3 + 5 + 3)
"""
    ran = run_poorly("seccomp", script, tmp_path, marker)

    assert ran.stdout == "RENDER_TIMEOUT True\n"
    assert is_gone(marker, within_s=1)


def test_a_directory_that_a_tool_closed_to_us_goes_all_the_same(tmp_path):
    script = """
with jail._home.room() as room:
    (room / "a" / "b").mkdir(parents=True)
    (room / "a" / "b").chmod(0)
    (room / "a").chmod(0)
print(list(jail._home.path.iterdir()))
"""
    assert as_nobody(tmp_path, script) == "[]\n"


def test_all_measures_stand_for_a_user_without_rights(tmp_path):
    found = json.loads(as_nobody(tmp_path, LOOK))

    assert found == ALL | {"uid": f"{NOBODY}\n"}


def as_nobody(place: Path, script: str) -> str:
    """Run a script as a user without any rights, where this machine lets us."""
    if os.geteuid() != 0:
        pytest.skip("only root may become another user; the other tests ran without rights already")
    base = Path("/var/tmp") / f"gitopsd-test-{os.getpid()}"
    python = next(filter(_open_to_nobody, (sys.executable, "/usr/bin/python3")), None)
    if python is None:
        pytest.skip("no Python that can run gitopsd is open to other users")
    base.mkdir(mode=0o777)
    base.chmod(0o777)
    try:
        return _spoken_by_nobody(python, PRELUDE + script, str(base))
    finally:
        shutil.rmtree(base)


def _open_to_nobody(python: str) -> bool:
    try:
        return _spoken_by_nobody(python, "import tests.adapters.render.jailed; print('can')") == "can\n"
    except (OSError, subprocess.CalledProcessError):
        return False


def _spoken_by_nobody(python: str, script: str, *arguments: str) -> str:
    libraries = [str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]
    ran = subprocess.run(
        [python, "-B", "-c", script, *arguments],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        env={"PYTHONPATH": os.pathsep.join(libraries)},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout
