"""What was rendered is not rendered again: not after another commit, not after a restart, not because another did."""

from __future__ import annotations

import os
import threading
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from gitopsd.adapters.render import DirectoryRenderer, Larder, Shelf, Storage, Turns
from gitopsd.adapters.render.tool import Product, Read, Task
from gitopsd.core.errors import Problem, RenderError, Stage
from gitopsd.core.manifests.objects import read_file
from gitopsd.core.model import Decrypted, Environment, File
from rig.waiting import wait_for
from tests.adapters.render.jailed import needs_linux
from tests.adapters.render.repository import PRODUCTION, STAGING, Repository, a_map
from tests.fakes.decryptor import Unopened

pytestmark = needs_linux

BASE = {"base/kustomization.yaml": "resources: [a.yaml]", "base/a.yaml": a_map("a")}
OVERLAY = "resources: [../../base]\nnamePrefix: {}-\n"
BOTH = {
    **BASE,
    "env/staging/kustomization.yaml": OVERLAY.format("s"),
    "env/production/kustomization.yaml": "resources: [b.yaml]",
    "env/production/b.yaml": a_map("b"),
}


@pytest.fixture
def repository(tmp_path) -> Repository:
    found = Repository(tmp_path)
    found.commit(BOTH)
    return found


def no_seal(_: Environment) -> None:
    return None


def storage(tmp_path: Path) -> Storage:
    return Storage(Shelf(tmp_path / "rendered"), no_seal)


def test_an_unrelated_commit_renders_nothing_and_reads_no_file(repository):
    first = repository.render()
    repository.commit({"env/production/b.yaml": a_map("other"), "README": "x"})
    repository.source.reads.clear()

    second = repository.render()

    assert repository.workshop.made == ["staging"]
    assert repository.source.reads == []
    assert (second.digest, second.revision) == (first.digest, repository.source.resolve(STAGING).revision)


def test_a_commit_to_a_base_renders_who_uses_it_and_no_other(repository):
    repository.render()
    repository.render(PRODUCTION)
    repository.commit({"base/a.yaml": a_map("a", "new")})

    changed, same = repository.render(), repository.render(PRODUCTION)

    assert repository.workshop.made == ["staging", "production", "staging"]
    assert changed.manifests[0].body["data"] == {"value": "new"}
    assert [one.ref.name for one in same.manifests] == ["b"]


def test_going_back_renders_nothing(repository):
    repository.render()
    repository.commit(
        {
            "base/kustomization.yaml": "resources: [a.yaml, ../more]",
            "more/kustomization.yaml": "resources: [m.yaml]",
            "more/m.yaml": a_map("m"),
        }
    )
    assert len(repository.render().manifests) == 2
    repository.commit({"base/kustomization.yaml": "resources: [a.yaml]"})

    assert len(repository.render().manifests) == 1
    assert repository.workshop.made == ["staging", "staging"]


def test_a_base_that_is_gone_is_an_error_although_the_environment_did_not_change(repository):
    repository.render()
    repository.commit({"base/kustomization.yaml": None, "base/a.yaml": None})

    problem = repository.refusal()

    assert (problem.code, problem.where) == ("KUSTOMIZE_MISSING", "env/staging/kustomization.yaml:1")


def test_a_restart_renders_nothing_and_reads_no_file(repository, tmp_path):
    first = repository.render(renderer=repository.started(storage=storage(tmp_path)))
    repository.source.reads.clear()

    second = repository.render(renderer=repository.started(storage=storage(tmp_path)))

    assert repository.workshop.made == ["staging"]
    assert repository.source.reads == []
    assert second == first


SMOKE = """\
apiVersion: batch/v1
kind: Job
metadata: {name: smoke}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: smoke, image: a}]}
"""


def test_a_restart_keeps_settings_warnings_and_places(repository, tmp_path):
    settings = "apiVersion: gitopsd.dev/v1\nkind: Environment\nhealth: {timeout: 7m, probes: [{job: smoke.yaml}]}\n"
    deprecated = "resources: [../../base]\ncommonLabels: {app: a}\n"
    repository.commit(
        {
            "env/staging/gitopsd.yaml": settings,
            "env/staging/kustomization.yaml": deprecated,
            "env/staging/smoke.yaml": SMOKE,
        }
    )
    first = repository.render(renderer=repository.started(storage=storage(tmp_path)))

    second = repository.render(renderer=repository.started(storage=storage(tmp_path)))

    assert second == first
    assert second.settings.deadline_s == 420
    assert b"smoke" in second.settings.probes[0].job
    assert [one.code for one in second.warnings] == ["KUSTOMIZE_WARNING"]
    assert str(second.manifests[0].origin) == "base/a.yaml:1"


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-5]), id="cut"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-5] + b"xxxxx"), id="changed"),
        pytest.param(lambda path: path.write_bytes(b""), id="emptied"),
        pytest.param(lambda path: path.write_bytes(b"gitopsd rendered 1\n"), id="only its head"),
        pytest.param(lambda path: path.write_bytes(os.urandom(5000)), id="noise"),
        pytest.param(lambda path: path.chmod(0o644), id="readable for others"),
        pytest.param(lambda path: path.unlink(), id="gone"),
        pytest.param(
            lambda path: path.rename(path.with_suffix(".x")) and path.symlink_to(path.with_suffix(".x")), id="a link"
        ),
        pytest.param(lambda path: path.unlink() or path.mkdir(), id="a directory"),
    ],
)
def test_what_lies_on_disk_and_is_not_whole_or_not_ours_is_rendered_anew(repository, tmp_path, harm):
    first = repository.render(renderer=repository.started(storage=storage(tmp_path)))
    for path in list((tmp_path / "rendered").iterdir()):
        harm(path)

    second = repository.render(renderer=repository.started(storage=storage(tmp_path)))

    assert repository.workshop.made == ["staging", "staging"]
    assert second == first


def test_what_a_newer_gitopsd_left_is_looked_up_anew(repository, tmp_path):
    first = repository.render(renderer=repository.started(storage=storage(tmp_path)))
    head, checksum_bytes = b"gitopsd rendered 1\n", 32
    changed = 0
    for path in (tmp_path / "rendered").iterdir():
        content = path.read_bytes()[len(head) + checksum_bytes :]
        newer = content.replace(b'"recipe":"kustomize"', b'"recipe":"jsonnet"')
        path.write_bytes(head + sha256(newer).digest() + newer)
        changed += newer != content

    assert changed == 1
    assert repository.render(renderer=repository.started(storage=storage(tmp_path))) == first


def test_what_lies_on_disk_is_ours_alone(repository, tmp_path):
    repository.render(renderer=repository.started(storage=storage(tmp_path)))

    places = [tmp_path / "rendered", *(tmp_path / "rendered").iterdir()]

    assert len(places) == 3
    assert [oct(place.stat().st_mode & 0o077) for place in places] == ["0o0"] * 3


def test_a_disk_that_takes_nothing_costs_nothing_but_time(repository, tmp_path):
    (tmp_path / "rendered").write_text("a file")

    desired = repository.render(renderer=repository.started(storage=storage(tmp_path)))

    assert len(desired.manifests) == 1


def test_a_shelf_stays_below_its_bound_and_keeps_what_was_used_last(tmp_path):
    shelf = Shelf(tmp_path, bytes_max=3500)
    for number in range(3):
        shelf.put(f"{number}", b"x" * 1000)
        os.utime(next(path for path in tmp_path.iterdir() if path.stat().st_mtime > 1000), (number, number))
    assert shelf.get("0")

    shelf.put("3", b"x" * 1000)

    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 3500
    assert [shelf.get(f"{number}") is not None for number in range(4)] == [True, False, True, True]


def test_an_entry_larger_than_the_shelf_is_not_kept(tmp_path):
    shelf = Shelf(tmp_path, bytes_max=100)
    shelf.put("a", b"x" * 101)

    assert shelf.get("a") is None


SECRET = "a very secret value"
SEALED = b64encode(SECRET.encode())
HEAD_BYTES = len("gitopsd rendered 1\n") + 32


def on_disk(tmp_path: Path) -> bytes:
    """All that whoever reads the disk could read."""
    whole = b""
    for path in (tmp_path / "rendered").iterdir():
        content = path.read_bytes()
        whole += content
        with suppress(zlib.error):
            whole += zlib.decompress(content[HEAD_BYTES:])
    return whole


class OneKey:
    """Implements ``ports.Decryptor``: what begins with ``locked:`` is opened by whoever has the key."""

    def __init__(self, key: str, content: str = SECRET) -> None:
        self.key = key
        self.content = content
        self.opened = 0

    def keys(self, environment: Environment) -> str:
        return self.key

    def decrypt(self, environment: Environment, files) -> Decrypted:
        self.opened += 1
        locked = [file for file in files if file.content.startswith(b"locked:")]
        opened = tuple(replace(file, content=self.content.encode()) if file in locked else file for file in files)
        return Decrypted(
            files=opened,
            opened=frozenset(file.path for file in locked),
            values=frozenset({self.content} if locked else ()),
            keys=self.key if locked else "",
        )


class Turned:
    """Turns bytes around: a seal for tests."""

    def seal(self, content: bytes, name: bytes = b"") -> bytes:
        return bytes(255 - byte for byte in name + content)

    def open(self, sealed: bytes, name: bytes = b"") -> bytes | None:
        opened = bytes(255 - byte for byte in sealed)
        return opened.removeprefix(name) if opened.startswith(name) else None


LOCKED = {
    "env/staging/kustomization.yaml": "secretGenerator: [{name: s, files: [token]}]\n",
    "env/staging/token": "locked: …",
}


def test_a_set_that_was_encrypted_lies_on_disk_sealed_and_opens_again(repository, tmp_path):
    repository.commit(LOCKED)
    sealed = Storage(Shelf(tmp_path / "rendered"), lambda _: Turned())
    first = repository.render(renderer=repository.started(OneKey("k"), sealed))
    second = repository.render(renderer=repository.started(OneKey("k"), sealed))

    assert second == first
    assert repository.workshop.made == ["staging"]
    assert SEALED not in on_disk(tmp_path)


@pytest.mark.parametrize("image", [SECRET, "other"])
def test_a_restart_keeps_in_mind_that_the_job_of_a_probe_holds_what_was_encrypted(repository, tmp_path, image):
    settings = "apiVersion: gitopsd.dev/v1\nkind: Environment\nhealth: {probes: [{job: smoke.yaml}]}\n"
    smoke = SMOKE.replace("image: a", f"image: {image}")
    repository.commit({**LOCKED, "env/staging/gitopsd.yaml": settings, "env/staging/smoke.yaml": smoke})
    sealed = Storage(Shelf(tmp_path / "rendered"), lambda _: Turned())
    first = repository.render(renderer=repository.started(OneKey("k"), sealed))
    second = repository.render(renderer=repository.started(OneKey("k"), sealed))

    assert repository.workshop.made == ["staging"]
    assert [probe.sensitive for probe in first.settings.probes] == [image == SECRET]
    assert second == first


def test_settings_are_shown_and_so_must_not_be_encrypted(repository):
    settings = "apiVersion: gitopsd.dev/v1\nkind: Environment\nnamespace: shop\n"
    files = {"kustomization.yaml": None, "a.yaml": a_map("a"), "gitopsd.yaml": "locked: …"}
    repository.commit({f"env/staging/{path}": body for path, body in files.items()})
    with pytest.raises(RenderError) as refused:
        repository.render(renderer=repository.started(OneKey("k", settings)))

    assert (refused.value.problem.code, refused.value.problem.file) == (
        "SETTINGS_ENCRYPTED",
        "env/staging/gitopsd.yaml",
    )


def test_the_job_of_a_probe_is_opened_beside_what_a_tool_renders(repository, tmp_path):
    settings = "apiVersion: gitopsd.dev/v1\nkind: Environment\nhealth: {probes: [{job: smoke.yaml}]}\n"
    repository.commit({"env/staging/gitopsd.yaml": settings, "env/staging/smoke.yaml": "locked: …"})
    sealed = Storage(Shelf(tmp_path / "rendered"), lambda _: Turned())
    first = repository.render(renderer=repository.started(OneKey("k", SMOKE), sealed))
    second = repository.render(renderer=repository.started(OneKey("k", SMOKE), sealed))

    assert b"smoke" in first.settings.probes[0].job
    assert first.settings.probes[0].sensitive
    assert second == first
    assert b"restartPolicy" not in on_disk(tmp_path)


def test_a_set_in_which_nothing_was_encrypted_lies_on_disk_as_it_is(repository, tmp_path):
    """So that the test above can find what it looks for."""
    repository.commit({**LOCKED, "env/staging/token": SECRET})
    repository.render(renderer=repository.started(OneKey("k"), storage(tmp_path)))

    assert SEALED in on_disk(tmp_path)


def test_without_a_seal_a_set_that_was_encrypted_never_touches_the_disk(repository, tmp_path):
    repository.commit(LOCKED)
    for _ in range(2):
        repository.render(renderer=repository.started(OneKey("k"), storage(tmp_path)))

    assert repository.workshop.made == ["staging", "staging"]
    assert SEALED not in on_disk(tmp_path)


def test_other_keys_render_what_was_encrypted_anew_and_nothing_else(repository):
    repository.commit(LOCKED)
    decryptor = OneKey("k")
    renderer = repository.started(decryptor)
    for key in ("k", "k", "other"):
        decryptor.key = key
        repository.render(renderer=renderer)
        repository.render(PRODUCTION, renderer)

    assert sorted(repository.workshop.made) == ["production", "staging", "staging"]


def test_another_version_of_the_tool_renders_anew(repository):
    tool = Numbered("1")
    renderer = DirectoryRenderer(Larder(repository.source, Unopened(), tool))
    for number in ("1", "1", "2"):
        tool.number = number
        repository.render(renderer=renderer)

    assert tool.made == 2


def test_a_tool_that_is_replaced_while_it_renders_leaves_nothing_to_remember(repository):
    tool = Numbered("1")
    tool.becomes = "2"
    renderer = DirectoryRenderer(Larder(repository.source, Unopened(), tool))
    repository.render(renderer=renderer)
    tool.number, tool.becomes = "1", ""

    repository.render(renderer=renderer)

    assert tool.made == 2


def test_a_bad_commit_is_not_tried_twice_but_is_told_each_time(repository):
    repository.commit({"env/staging/kustomization.yaml": "resorces: []"})

    problems = [repository.refusal() for _ in range(3)]

    assert repository.workshop.made == ["staging"]
    assert len(set(problems)) == 1


@pytest.mark.parametrize(
    "bad", ["secretGenerator: [{name: s, files: [token]}]\nresorces: []\n", None], ids=["by a tool", "plain"]
)
def test_what_is_encrypted_in_a_bad_commit_is_opened_once(repository, bad: str | None):
    repository.commit(LOCKED | {"env/staging/kustomization.yaml": bad, "env/staging/a.yaml": "kind: Bad"})
    decryptor = OneKey("k")
    renderer = repository.started(decryptor)
    for key in ("k", "k", "other"):
        decryptor.key = key
        with pytest.raises(RenderError):
            repository.render(renderer=renderer)

    assert decryptor.opened == 2


def test_what_may_pass_is_tried_again(repository):
    tool = Numbered("1")
    renderer = DirectoryRenderer(Larder(repository.source, Unopened(), tool))
    tool.failure = RenderError(Problem(code="RENDER_DISK", stage=Stage.RENDER, message="full"))
    with pytest.raises(RenderError):
        repository.render(renderer=renderer)
    tool.failure = None

    repository.render(renderer=renderer)

    assert tool.made == 2


class Numbered:
    """A workshop and its only tool, of any version."""

    def __init__(self, number: str) -> None:
        self.number = number
        self.made = 0
        self.becomes = ""
        self.failure: RenderError | None = None
        self.gate = threading.Semaphore(1_000)
        self.at_once = 0
        self.most = 0
        self.lock = threading.Lock()

    def tool_for(self, recipe: type) -> Numbered:
        return self

    def version(self) -> str:
        return self.number

    def directories(self, task: Task, read: Read) -> tuple[str, ...]:
        return (task.environment.path,)

    def make(self, task: Task, opened: Decrypted) -> Product:
        self.made += 1
        self.number = self.becomes or self.number
        if self.failure:
            raise self.failure
        with self.counted(), self.gate:
            return Product(content=read_file(File("a.yaml", "", a_map("a").encode())))

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self.lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        yield
        with self.lock:
            self.at_once -= 1


def test_no_more_renders_run_at_once_than_there_are_turns(repository):
    tool = Numbered("1")
    tool.gate = threading.Semaphore(0)
    renderer = DirectoryRenderer(Larder(repository.source, Unopened(), tool), Turns(2))
    threads = [
        threading.Thread(target=repository.render, args=(replace(STAGING, name=f"e{n}"), renderer)) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    wait_for("two renders at once", lambda: tool.at_once == 2)
    for _ in threads:
        tool.gate.release()
    for thread in threads:
        thread.join(30)

    assert (tool.made, tool.most) == (8, 2)


def test_who_waits_too_long_for_a_turn_is_told_so(repository):
    turns = Turns(1, wait_s=0.01)
    renderer = DirectoryRenderer(Larder(repository.source, Unopened(), Numbered("1")), turns)

    with turns.taken(), pytest.raises(RenderError, match="RENDER_QUEUE"):
        repository.render(renderer=renderer)

    assert len(repository.render(renderer=renderer).manifests) == 1
