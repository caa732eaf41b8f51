"""What the pages say to type is typed, on a real API server, and answers as they show."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from rig.binaries import build
from rig.pytest_plugin import TestCluster
from rig.waiting import wait_for
from tests.docs.pages import ROOT, SHELLS, Command, Written, blocks, pages
from tests.docs.terminal import Terminal, is_shown
from tests.git_server import GitServer, git

BLOCKS = [block for page in pages() for block in blocks(page)]
RUN = [block for block in BLOCKS if block.is_run]
# Pages that go on where the one before them stopped, at the same terminal.
STORIES = (
    ("docs/environments.md", "docs/record.md"),
    ("docs/install.md", "docs/upgrade.md", "docs/uninstall.md"),
)

REPOSITORY = "https://git.example.com/acme/environments.git"
DAEMON = "http://127.0.0.1:8080"
CHART = "charts/gitopsd"
# Nobody waits here for the grace of an image: the deadline is over before.
DEADLINE, SHORTER = "timeout: 1m,", "timeout: 15s,"
NAMESPACES = ("gitopsd", "shop")


def _stories() -> list[tuple[str, ...]]:
    told = [page for story in STORIES for page in story]
    return [*STORIES, *((page,) for page in dict.fromkeys(block.page for block in RUN) if page not in told)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "here"
    made.mkdir()
    return made


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "git") as made:
        repository = made.create("acme/environments.git")
        git(repository.folder, "config", "http.receivepack", "true")
        yield made


@pytest.fixture
def tidied(cluster: TestCluster) -> Iterator[TestCluster]:
    """The cluster; the namespaces that the pages speak of are gone afterwards."""
    yield cluster
    api = cluster.api()
    paths = [f"/api/v1/namespaces/{name}" for name in NAMESPACES]
    for path in (path for path in paths if api.find(path)):
        api.delete(path)
    wait_for("the pages' namespaces to be gone", lambda: not [path for path in paths if api.find(path)], deadline_s=60)


@pytest.mark.cluster
@pytest.mark.rig_power
@pytest.mark.parametrize("story", _stories(), ids="-then-".join)
def test_what_the_pages_say_to_type_answers_as_they_show(tidied, server, folder, story):
    port = _free_port()
    here = {
        REPOSITORY: server.url("acme/environments.git"),
        DAEMON: f"http://127.0.0.1:{port}",
        CHART: str(ROOT / CHART),
        DEADLINE: SHORTER,
    }
    with Terminal(folder, _surroundings(tidied, folder, port)) as terminal:
        for block in (block for page in story for block in RUN if block.page == page):
            for step in block.steps():
                terminal.do(_as_it_is_here(step, here))


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language in SHELLS], ids=lambda one: one.where)
def test_a_command_that_is_not_run_says_why(block):
    assert block.is_run != bool(block.reason), f"{block.where}: make it a console block, or say `<!-- not run: … -->`"


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language == "console"], ids=lambda one: one.where)
def test_a_console_block_has_something_to_type(block):
    assert block.reason or list(block.steps())


def test_no_fence_is_overlooked():
    fences = sum(page.read_text(encoding="utf-8").count("\n```") for page in pages())
    assert len(BLOCKS) * 2 == fences


@pytest.mark.parametrize(
    ("shown", "said", "is_so"),
    [
        ("", "anything", True),
        ("a b", "a  b", True),
        ("a b", "a\nb", True),
        ("a b", "a b c", False),
        ("a … c", "a b b c", True),
        ("a@…, c", "a@b, c", True),
        ("a\n…", "b\na", False),
        ("a.c", "abc", False),
    ],
)
def test_what_is_shown_is_compared_word_by_word(shown, said, is_so):
    assert is_shown(shown, said) is is_so


def _surroundings(cluster: TestCluster, folder: Path, port: int) -> Mapping[str, str]:
    programs = build(("kubectl", "kustomize", "helm")).values()
    home = folder.parent / "home"
    home.mkdir()
    folders = [str(Path(sys.executable).parent), *(str(program.parent) for program in programs)]
    return {
        "PATH": os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": str(ROOT),
        "HOME": str(home),
        "KUBECONFIG": str(cluster.kubeconfig),
        "GITOPSD_SERVER__PORT": str(port),
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
        **{f"GIT_{who}_NAME": "Ada Lovelace" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "ada@example.com" for who in ("AUTHOR", "COMMITTER")},
        "GIT_CONFIG_NOSYSTEM": "1",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _as_it_is_here(step: Command | Written, here: Mapping[str, str]) -> Command | Written:
    match step:
        case Written(name, content):
            return Written(name, _replaced(content, here))
        case Command(typed, shown):
            return Command(_replaced(typed, here), _replaced(shown, here))


def _replaced(text: str, here: Mapping[str, str]) -> str:
    for said, meant in here.items():
        text = text.replace(said, meant)
    return text
