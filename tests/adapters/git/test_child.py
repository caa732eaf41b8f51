"""What a git child sees, what it leaves, and how it ends: rules S4 to S8, and row G7 of the catalogue of bad inputs."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from gitopsd.adapters.git.command import Limits, TookTooLong, run
from gitopsd.adapters.git.surroundings import Surroundings, local_surroundings
from gitopsd.adapters.pipes import SaidTooMuch
from gitopsd.core.errors import ConfigError, SourceError
from tests.adapters.git.conftest import STAGING, Place, files_of
from tests.adapters.git.watching import children, environments, is_gone, needs_proc, open_files, programs
from tests.git_server import answer, git, hang_until

CANARY = "canary-7f3a9c"


def seen_while_fetching(place: Place, **settings: object) -> tuple[str, str, SourceError]:
    """Hang the server in mid-fetch; return the command lines and environments of all our children then."""
    released = threading.Event()
    reached = threading.Event()
    hang = hang_until(released)

    def take(request) -> None:
        reached.set()
        hang(request)

    place.server.faults["/git-upload-pack"] = take
    source = place.source(clone_timeout_s=20, **settings)
    errors: list[SourceError] = []

    def fetch() -> None:
        with pytest.raises(SourceError) as raised:
            source.fetch()
        errors.append(raised.value)

    fetching = threading.Thread(target=fetch)
    fetching.start()
    assert reached.wait(10)
    seen = " ".join(programs().values()), environments()
    released.set()
    fetching.join()
    return *seen, errors[0]


@needs_proc
def test_s07_a_token_stands_in_no_argument_no_environment_no_file_and_no_message(place, caplog):
    caplog.set_level(logging.DEBUG)
    place.commit(web="a")
    place.server.password = CANARY
    (place.folder / "token").write_text(CANARY)

    arguments, variables, error = seen_while_fetching(place, token_file=place.folder / "token")

    assert "fetch" in arguments
    assert "GITOPSD_GIT_TOKEN_FILE" in variables
    written = b"".join(file.read_bytes() for file in place.cache.rglob("*") if file.is_file())
    for text in (arguments, variables, repr(error), repr(error.problem), caplog.text, written.decode(errors="replace")):
        assert CANARY not in text


def test_s07_a_token_that_the_server_repeats_is_masked(place):
    (place.folder / "token").write_text(CANARY)
    place.server.faults["/info/refs"] = answer(403, f"no such token: {CANARY}\n".encode(), Content_Type="text/plain")
    source = place.source(token_file=place.folder / "token")

    with pytest.raises(SourceError) as raised:
        source.fetch()

    assert CANARY not in repr(raised.value.problem)
    assert "no such token: ***" in raised.value.problem.cause


def test_s07_the_script_that_answers_git_is_ours_alone_and_written_anew_when_changed(place):
    place.commit(web="a")
    (place.folder / "token").write_text("x")
    script = place.cache / "askpass"
    place.cache.mkdir()
    script.write_text("#!/bin/sh\nexit 1\n")
    source = place.source(token_file=place.folder / "token")

    source.fetch()

    assert "GITOPSD_GIT_TOKEN_FILE" in script.read_text()
    assert script.stat().st_mode & 0o777 == 0o700


@needs_proc
def test_s04_nothing_of_the_hosts_configuration_or_our_environment_reaches_git(place, monkeypatch):
    place.commit(web="a")
    home = place.folder / "home"
    home.mkdir()
    (home / ".gitconfig").write_text('[url "file:///"]\n insteadOf = http://\n[core]\n askPass = /bin/false\n')
    for name, value in {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "GIT_DIR": "/nowhere",
        "GIT_CONFIG_PARAMETERS": "'http.proxy=http://127.0.0.1:1'",
        "GIT_TRACE_CURL": str(place.folder / "trace"),
        "GIT_SSL_NO_VERIFY": "1",
        "GITOPSD_WEBHOOK_SECRET": CANARY,
        "LD_LIBRARY_PATH": "/nowhere",
    }.items():
        monkeypatch.setenv(name, value)

    _, variables, _ = seen_while_fetching(place)
    place.server.faults.clear()
    source = place.source()
    source.fetch()

    assert [file.content for file in files_of(source)] == [b"a"]
    for word in (CANARY, "/nowhere", "NO_VERIFY", "GIT_TRACE", str(home)):
        assert word not in variables
    assert not (place.folder / "trace").exists()


def test_s04_hooks_and_filters_of_a_mirror_never_run(place):
    place.commit(web="a")
    source = place.source()
    source.fetch()
    ran = place.folder / "ran"
    hooks = place.mirror / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("reference-transaction", "post-update", "pre-auto-gc"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch '{ran}'\n")
        (hooks / name).chmod(0o755)
    place.commit(web="b")

    source.fetch()

    assert not ran.exists()


STARTED: list[str] = []
sys.addaudithook(lambda event, given: STARTED.append(str(given[1])) if event == "subprocess.Popen" else None)


@pytest.mark.parametrize(
    "url",
    [
        *[
            "ext::sh -c id",
            "fd::17",
            "file:///etc",
            "/etc",
            "--upload-pack=id",
            "ssh://-oProxyCommand=id/x",
            "git@h:-x",
        ],
        *["http://git.example.com/x", "https://a:b@git.example.com/x", "https://git.example.com/x?private_token=b"],
    ],
)
def test_g07_a_refused_address_starts_no_program_and_writes_nothing(place, url):
    STARTED.clear()

    with pytest.raises(ConfigError) as raised:
        place.source(url=url)

    assert raised.value.problem.code == "GIT_URL"
    assert STARTED == []
    assert not place.cache.exists()


def test_every_program_we_start_is_git_and_gets_no_address_but_the_sources(place):
    place.commit(web="a")
    source = place.source()
    STARTED.clear()

    source.fetch()
    files_of(source)

    ours = [given for given in STARTED if "http-backend" not in given]
    assert ours
    assert all("'git', '--git-dir'" in given for given in ours)
    assert sum(place.server.url("environments.git") in given for given in ours) == 1


@needs_proc
def test_s06_three_hundred_polls_leave_no_child_and_no_open_file(place):
    place.commit(web="a")
    source = place.source()
    source.fetch()
    files_of(source)
    before = children(), open_files()

    for number in range(300):
        if number % 50 == 0:
            place.commit(web=f"{number}")
        if number % 60 == 0:
            place.server.faults["/info/refs"] = hang_until(_over())
        _fetch_or_fail(source)
        place.server.faults.clear()
        files_of(source)

    assert (children(), open_files()) == before


def _over() -> threading.Event:
    over = threading.Event()
    over.set()
    return over


def _fetch_or_fail(source) -> None:
    try:
        source.fetch()
    except SourceError as error:
        assert error.problem.code == "GIT_UNREACHABLE"  # noqa: PT017 - the scripted fault


@needs_proc
def test_g34_all_that_a_hanging_fetch_started_is_gone_after_the_deadline(place):
    released = threading.Event()
    place.server.faults["/info/refs"] = hang_until(released)
    source = place.source(clone_timeout_s=0.5)

    with pytest.raises(SourceError) as raised:
        source.fetch()

    assert raised.value.problem.code == "GIT_TIMEOUT"
    assert is_gone(place.server.url("environments.git"))
    released.set()


@needs_proc
def test_a_child_that_ignores_the_polite_signal_is_killed_with_its_own_children(tmp_path):
    program = tmp_path / "git"
    sleeper = tmp_path / "sleeper"
    sleeper.symlink_to(shutil.which("sleep"))
    program.write_text(f"#!/bin/sh\ntrap '' TERM\n{sleeper} 60 &\nwhile :; do {sleeper} 60; done\n")
    program.chmod(0o755)
    surroundings = Surroundings({"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    began = time.monotonic()

    with pytest.raises(TookTooLong):
        run(["x"], surroundings, Limits(deadline_s=1.0))

    assert time.monotonic() - began < 10
    assert is_gone(str(sleeper))


KILLED: list[tuple[int, bool]] = []


def _note_kill(event: str, given: tuple[object, ...]) -> None:
    if event == "os.killpg":
        group, number = given
        KILLED.append((int(str(number)), Path(f"/proc/{group}").exists()))


sys.addaudithook(_note_kill)


@needs_proc
def test_a_group_is_killed_before_its_number_can_be_anothers_although_its_leader_ended_politely(tmp_path):
    sleeper = tmp_path / "sleeper"
    sleeper.symlink_to(shutil.which("sleep"))
    surroundings = _with_program(tmp_path, f"(trap '' TERM; exec {sleeper} 60) & wait")
    KILLED.clear()

    with pytest.raises(TookTooLong):
        run(["x"], surroundings, Limits(deadline_s=1.0))

    assert KILLED == [(signal.SIGTERM, True), (signal.SIGKILL, True)]
    assert is_gone(str(sleeper))


def test_endless_output_is_cut_at_the_bound(tmp_path):
    surroundings = _with_program(tmp_path, "exec yes")

    with pytest.raises(SaidTooMuch):
        run(["x"], surroundings, Limits(deadline_s=30, output_max=100_000))


def test_endless_words_of_the_server_are_not_kept(tmp_path):
    surroundings = _with_program(tmp_path, "head -c 5000000 /dev/zero | tr '\\0' x >&2; echo last words >&2; exit 3")

    output = run(["x"], surroundings, Limits(deadline_s=30))

    assert output.status == 3
    assert len(output.stderr) == 65_536
    assert output.stderr.endswith("last words\n")


def test_much_input_to_a_child_that_does_not_read_it_is_no_error(tmp_path):
    output = run(["x"], _with_program(tmp_path, "echo done"), Limits(deadline_s=30), b"x" * 5_000_000)

    assert (output.status, output.stdout) == (0, b"done\n")


def test_much_input_and_much_output_do_not_wait_for_each_other(tmp_path):
    output = run(["x"], _with_program(tmp_path, "exec cat"), Limits(deadline_s=30), b"x" * 5_000_000)

    assert len(output.stdout) == 5_000_000


def test_a_missing_git_is_said_as_such(place, monkeypatch):
    empty = place.folder / "empty"
    empty.mkdir()
    source = place.source()
    (empty / "env").symlink_to("/usr/bin/env")
    monkeypatch.setenv("PATH", str(empty))

    with pytest.raises(SourceError) as raised:
        source.fetch()

    assert raised.value.problem.code == "GIT_PROGRAM"


def _with_program(folder: Path, script: str) -> Surroundings:
    program = folder / "git"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Surroundings({"PATH": f"{folder}:{os.environ['PATH']}"})


def test_s04_a_child_that_only_reads_has_no_transport(place):
    place.commit(web="a")
    limits = Limits(deadline_s=10)

    output = run(["ls-remote", place.server.url("environments.git")], local_surroundings(place.folder), limits)

    assert "not allowed" in output.stderr
    assert place.server.requests == []


def test_s05_replaced_objects_are_not_used(place):
    place.commit(web="good")
    source = place.source()
    source.fetch()
    (file,) = files_of(source)
    evil = git(place.mirror, "hash-object", "-w", "--stdin", stdin=b"evil").decode().strip()
    git(place.mirror, "update-ref", f"refs/replace/{file.oid}", evil)

    assert [again.content for again in source.read(STAGING, source.resolve(STAGING))] == [b"good"]
