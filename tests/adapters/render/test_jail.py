"""What goes into the jail, what comes out, and what is left: nothing."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gitopsd.adapters.render.jail import Bounds, Jail
from gitopsd.adapters.render.jail.places import is_memory
from gitopsd.core.errors import RenderError
from rig.waiting import wait_for
from tests.adapters.git.watching import children, is_gone
from tests.adapters.render.jailed import PYTHON, make_jail, needs_linux, python

pytestmark = needs_linux

CANARY = "canary-93b1f0"
MIB = 1024 * 1024
WHERE_IT_STANDS = "import os; print(os.getcwd())"


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("base")


@pytest.fixture(scope="module")
def jail(base) -> Jail:
    return make_jail(base)


def test_every_measure_works_on_a_kernel_that_has_them(jail):
    assert [(measure.name, measure.works, measure.why) for measure in jail.measures] == [
        ("dies with gitopsd", True, ""),
        ("no new privileges", True, ""),
        ("limits", True, ""),
        ("files", True, ""),
        ("system calls", True, ""),
        ("memory disk", True, ""),
    ]


def test_an_exit_code_is_a_value_and_comes_with_output_and_words(jail):
    ran = jail.run(python("import sys; print('half'); sys.exit('no: \\x1b[31m\\u202ered\\x00')"), [])

    assert (ran.code, ran.stdout, ran.stderr) == (1, b"half\n", "no: ?[31m?red?")


def test_output_and_words_stand_in_no_repr(jail):
    ran = jail.run(python(f"import sys; print('{CANARY}'); sys.exit('{CANARY}')"), [])

    assert CANARY not in repr(ran)


def test_a_large_input_and_output_pass_through(jail):
    ran = jail.run(python("import sys; sys.stdout.write(sys.stdin.read()[::-1])"), [], stdin=b"ab" * 4 * MIB)

    assert ran.stdout == b"ba" * 4 * MIB


def test_a_tool_that_reads_nothing_of_its_input_ends_well(jail):
    assert jail.run(python("print('x')"), [], stdin=b"a" * 4 * MIB).stdout == b"x\n"


def test_it_stands_in_the_directory_asked_for_among_its_files(jail):
    files = [("base/a.yaml", b"a"), ("overlay/b.yaml", b"b")]

    ran = jail.run(python("import os; print(os.listdir(), open('../base/a.yaml').read())"), files, directory="overlay")

    assert ran.stdout == b"['b.yaml'] a\n"


def test_the_first_words_are_kept_without_the_place_they_were_said_in(jail):
    script = "import os, sys; sys.stderr.write(os.getcwd() + '/a.yaml: bad\\n' + 'x' * 10_000_000); sys.exit(3)"

    ran = jail.run(python(script), [("base/a.yaml", b"")], directory="base")

    assert ran.stderr.startswith("base/a.yaml: bad\nxxx")
    assert len(ran.stderr) == 2048


def test_nothing_is_left_of_a_run_whatever_its_end(base):
    jail = make_jail(base, seconds=1, output_bytes=100)

    jail.run(python("pass"), [("a/b", b"")])
    for script in ("while True: pass", "print('x' * 1000)", "import os; os.kill(os.getpid(), 11)"):
        with pytest.raises(RenderError):
            jail.run(python(script), [("a/b", b"")])
    with pytest.raises(RenderError):
        jail.run(python("pass"), [("../b", b"")])

    assert list(jail._home.path.iterdir()) == []
    assert children() == set()


def test_what_a_dead_gitopsd_left_goes_at_the_next_start_and_what_a_living_one_has_stays(tmp_path):
    script = """
import os, pathlib, sys
from tests.adapters.render.jailed import *
jail = make_jail(pathlib.Path(sys.argv[1]))
jail.run(python("import sys, time; sys.stdout.close(); sys.argv[1]; time.sleep(60)", sys.argv[2]), [("secret", b"x")])
"""
    marker = f"marker-{os.urandom(8).hex()}"
    dead = subprocess.Popen([sys.executable, "-c", script, tmp_path, marker])
    wait_for("the run", lambda: list(tmp_path.glob("gitopsd-jail-*/*/files/secret")) or None, deadline_s=20)
    living = make_jail(tmp_path)
    assert list(tmp_path.glob("gitopsd-jail-*/*/files/secret"))

    dead.kill()
    dead.wait()

    assert is_gone(marker)
    after = make_jail(tmp_path)
    assert set(tmp_path.iterdir()) == {living._home.path, after._home.path}


def test_what_is_not_ours_is_no_leftover(tmp_path):
    (tmp_path / "gitopsd-jail-file").write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / "gitopsd-jail-link").symlink_to(tmp_path / "other")

    make_jail(tmp_path)

    assert {"gitopsd-jail-file", "gitopsd-jail-link", "other"} <= {path.name for path in tmp_path.iterdir()}


def test_a_home_goes_with_its_jail(tmp_path):
    make_jail(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_secret_files_lie_in_memory_and_others_where_they_were_told_to(jail, base):
    open_place, secret_place = (
        Path(jail.run(python(WHERE_IT_STANDS), [], secret=secret).stdout.decode().strip()) for secret in (False, True)
    )

    assert open_place.is_relative_to(base.resolve())
    assert is_memory(secret_place.parents[1])
    assert not secret_place.parents[0].exists()


def test_a_base_in_memory_serves_for_secrets_too():
    base = Path("/dev/shm") / f"test-{os.getpid()}"
    jail = make_jail(base)
    try:
        where = jail.run(python(WHERE_IT_STANDS), [], secret=True).stdout.decode()
    finally:
        del jail
        base.rmdir()

    assert where.startswith(f"{base}/")


def test_without_a_disk_in_memory_nothing_secret_is_written_anywhere(tmp_path):
    own_mounts = ["unshare", "--mount", "sh", "-c", 'mount --bind "$1" /dev/shm && exec "$2" -c "$3" "$4"', "sh"]
    (tmp_path / "disk").mkdir()
    script = """
import pathlib, sys
from tests.adapters.render.jailed import *
jail = make_jail(pathlib.Path(sys.argv[1]))
print(jail.measures[-1], jail.run(python("print('ran')"), []).stdout)
try:
    jail.run(python("pass"), [("a", b"")], secret=True)
except Exception as error:
    print(error, error.problem.cause)
"""
    if subprocess.run([*own_mounts[:2], "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root may have mounts of its own")

    arguments = [*own_mounts, tmp_path / "disk", sys.executable, script, tmp_path / "base"]
    ran = subprocess.run(arguments, capture_output=True, text=True, check=True)

    measure, error = ran.stdout.splitlines()
    assert measure == "Measure(name='memory disk', works=False, why='/dev/shm is no tmpfs') b'ran\\n'"
    assert error.startswith("RENDER_NO_MEMORY_DISK: ")
    assert error.endswith(" /dev/shm is no tmpfs")
    assert list((tmp_path / "disk").iterdir()) == []


def test_an_error_of_a_secret_run_repeats_no_word(jail):
    script = f"import os, sys; sys.stderr.write('{CANARY}'); sys.stderr.flush(); os.abort()"

    with pytest.raises(RenderError, match="RENDER_KILLED") as secret:
        jail.run(python(script), [], secret=True)
    with pytest.raises(RenderError) as plain:
        jail.run(python(script), [])

    assert CANARY in plain.value.problem.cause
    assert CANARY not in repr(secret.value.problem)


@pytest.mark.parametrize(
    ("argv", "cause"),
    [
        (["/nowhere/tool"], "No such file"),
        (["tool"], "not an absolute path"),
        (["/etc/passwd"], "Permission denied"),
        (["/dev"], "Is a directory"),
    ],
    ids=str,
)
def test_what_is_no_program_is_not_started(jail, argv, cause):
    with pytest.raises(RenderError, match="RENDER_NOT_STARTED") as raised:
        jail.run(argv, [])

    assert cause in raised.value.problem.cause


def test_a_script_is_not_started_because_its_interpreter_may_not_run(jail, tmp_path):
    script = tmp_path / "tool"
    script.write_text("#!/bin/sh\necho ran\n")
    script.chmod(0o755)

    with pytest.raises(RenderError, match="RENDER_NOT_STARTED"):
        jail.run([str(script)], [])


def test_any_number_of_threads_run_at_once_and_see_only_their_own(jail):
    def run(number: int) -> bytes:
        return jail.run(python("import os; print(os.listdir(), open('a').read())"), [("a", b"%d" % number)]).stdout

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(run, range(24))) == [b"['a'] %d\n" % number for number in range(24)]
    assert children() == set()


def test_it_lives_as_long_as_its_run_even_where_the_thread_that_made_the_jail_is_gone(base):
    made: list[Jail] = []
    thread = threading.Thread(target=lambda: made.append(make_jail(base)))
    thread.start()
    thread.join()

    assert made[0].run(python("print('ran')"), []).stdout == b"ran\n"


def test_no_file_stays_open_after_many_runs(jail):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        jail.run([PYTHON, "-V"], [("a", b"")])

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_full_disk_is_said(tmp_path):
    jail = make_jail(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(RenderError, match="RENDER_DISK"):
            jail.run(python("pass"), [("a", b"x" * 2000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert jail.run(python("print('ran')"), [("a", b"x" * 2000)]).stdout == b"ran\n"


def test_the_same_jail_may_have_narrower_bounds(tmp_path):
    jail = make_jail(tmp_path)
    hungry = python("print(len(bytearray(200 * 1024 * 1024)))")
    narrow = jail.within(Bounds(memory_bytes=100 * 1024 * 1024))

    assert jail.run(hungry, []).code == 0
    assert narrow.run(hungry, []).code != 0
    assert narrow.measures == jail.measures
    assert len(list(tmp_path.iterdir())) == 1
