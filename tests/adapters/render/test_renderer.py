"""The renderer remembers by Git's object ids, forgets by size, and never turns a failure into an answer."""

from __future__ import annotations

import threading

import pytest

from gitopsd.adapters.render import DirectoryRenderer, Larder, Room
from gitopsd.adapters.render.tool import Tool
from gitopsd.core.errors import Problem, RenderError, SourceError, Stage
from gitopsd.core.model import Environment, File, Revision, Wanted
from gitopsd.core.recipes import Recipe
from gitopsd.ports import Renderer
from tests.fakes.decryptor import Unopened

STAGING = Environment(name="staging", source="s", path="env/staging")
PRODUCTION = Environment(name="production", source="s", path="env/production")
SILENCE = SourceError(Problem(code="SOURCE_UNAVAILABLE", stage=Stage.FETCH, message="no answer"))


def a_map(name: str) -> bytes:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n".encode()


class FakeFiles:
    """Trees of files, and how often each was read."""

    def __init__(self, **trees: tuple[File, ...] | Exception) -> None:
        self.trees = trees
        self.reads: list[str] = []

    def read(self, environment: Environment, wanted: Wanted, directory: str | None = None) -> tuple[File, ...]:
        self.reads.append(wanted.tree)
        found = self.trees[f"{environment.name} {wanted.tree}" if environment is PRODUCTION else wanted.tree]
        if isinstance(found, Exception):
            raise found
        return found

    def tree(self, environment: Environment, wanted: Wanted, directory: str) -> str | None:
        raise AssertionError("a plain directory has no other")


class NoTools:
    def tool_for(self, recipe: type[Recipe]) -> Tool:
        raise AssertionError("a plain directory needs none")


def plain(files: FakeFiles, **room: int) -> DirectoryRenderer:
    return DirectoryRenderer(Larder(files, Unopened(), NoTools()), room=Room(**room))


def wanted(tree: str, commit: str = "c") -> Wanted:
    return Wanted(revision=Revision(ref="main", commit=commit), tree=tree)


def a_file(name: str, oid: str, content: bytes) -> File:
    return File(f"env/staging/{name}", oid, content)


A, B = a_file("a.yaml", "oid-a", a_map("a")), a_file("b.yaml", "oid-b", a_map("b"))


def names(desired) -> list[str]:
    return [manifest.ref.name for manifest in desired.manifests]


def test_it_renders_the_files_it_is_given():
    renderer: Renderer = plain(FakeFiles(one=(A, B)))

    desired = renderer.render(STAGING, wanted("one"))

    assert names(desired) == ["a", "b"]
    assert desired.revision.commit == "c"


def test_a_tree_that_is_known_is_not_read_again_whatever_the_commit():
    files = FakeFiles(one=(A, B))
    renderer = plain(files)

    first, second = (renderer.render(STAGING, wanted("one", commit)) for commit in ("c", "d"))

    assert files.reads == ["one"]
    assert first.digest == second.digest
    assert second.revision.commit == "d"


def test_a_blob_that_is_known_is_not_parsed_again():
    same_oid_other_bytes = a_file("a.yaml", "oid-a", b"a: [")
    renderer = plain(FakeFiles(one=(A,), two=(same_oid_other_bytes, B)))
    renderer.render(STAGING, wanted("one"))

    assert names(renderer.render(STAGING, wanted("two"))) == ["a", "b"]


def test_one_blob_at_two_paths_is_told_at_both():
    copies = (a_file("a.yaml", "oid", b"a: 1"), a_file("b.yaml", "oid", b"a: 1"))

    with pytest.raises(RenderError) as caught:
        plain(FakeFiles(one=copies)).render(STAGING, wanted("one"))

    assert [problem.file for problem in caught.value.problems] == ["env/staging/a.yaml", "env/staging/b.yaml"]


def test_the_same_tree_in_another_environment_has_its_own_paths():
    elsewhere = File("env/production/a.yaml", "oid-a", a_map("a"))
    renderer = plain(FakeFiles(**{"one": (A,), "production one": (elsewhere,)}))
    renderer.render(STAGING, wanted("one"))

    (manifest,) = renderer.render(PRODUCTION, wanted("one")).manifests

    assert manifest.origin.file == "env/production/a.yaml"


@pytest.mark.parametrize("failure", [SILENCE, RenderError(SILENCE.problem)])
def test_a_failure_to_read_is_passed_on_and_not_remembered(failure):
    files = FakeFiles(one=failure)
    renderer = plain(files)

    with pytest.raises(type(failure)):
        renderer.render(STAGING, wanted("one"))
    files.trees["one"] = (A,)

    assert names(renderer.render(STAGING, wanted("one"))) == ["a"]


def test_a_bad_tree_is_refused_every_time():
    renderer = plain(FakeFiles(one=(a_file("a.yaml", "x", b"a: ["),)))

    for _ in range(2):
        with pytest.raises(RenderError):
            renderer.render(STAGING, wanted("one"))


def test_what_was_not_used_for_longest_is_forgotten():
    files = FakeFiles(one=(A,), two=(B,), three=(A,))
    renderer = plain(files, sets_objects_max=2)

    for tree in ("one", "two", "one", "three", "one", "two"):
        renderer.render(STAGING, wanted(tree))

    assert files.reads == ["one", "two", "three", "two"]


def test_a_set_too_large_to_remember_is_still_rendered():
    renderer = plain(FakeFiles(one=(A, B)), sets_objects_max=1, files_bytes_max=1)

    assert names(renderer.render(STAGING, wanted("one"))) == ["a", "b"]


def test_many_threads_get_the_same_answer():
    files = {f"t{index}": (a_file("a.yaml", f"o{index}", a_map(f"a{index}")),) for index in range(20)}
    renderer = plain(FakeFiles(**files), sets_objects_max=5, files_bytes_max=300)
    wrong: list[str] = []

    def render_all() -> None:
        for index in list(range(20)) * 20:
            found = names(renderer.render(STAGING, wanted(f"t{index}")))
            wrong.extend(found if found != [f"a{index}"] else ())

    threads = [threading.Thread(target=render_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert wrong == []
