"""Reading a commit that somebody wrote by accident or in malice: rows G21 to G31 and G36 of the catalogue."""

from __future__ import annotations

import threading

import pytest

from gitopsd.core.errors import RenderError, SourceError
from gitopsd.core.model import Environment
from tests.adapters.git.conftest import STAGING, Place, files_of
from tests.git_server import Object, Submodule, Symlink, git

COMMIT = "1" * 40
AS_ADA = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")


def fetched(place: Place, **settings: object):
    source = place.source(**settings)
    source.fetch()
    return source


def refused(source) -> RenderError:
    with pytest.raises(RenderError) as raised:
        files_of(source)
    assert all(problem.hint and problem.file for problem in raised.value.problems)
    return raised.value


def test_g21_a_directory_that_went_away_is_missing_and_named(place):
    place.commit(web="a")
    place.repository.commit({"environments/staging/web.yaml": None, "environments/other/web.yaml": "a"})

    with pytest.raises(SourceError) as raised:
        fetched(place).resolve(STAGING)

    assert raised.value.problem.code == "GIT_PATH_MISSING"
    assert raised.value.problem.file == "environments/staging"
    assert "Nothing is deleted" in raised.value.problem.hint


@pytest.mark.parametrize(
    ("entry", "word"), [("text", "file"), (Symlink("other"), "symlink"), (Submodule(COMMIT), "submodule")]
)
def test_g22_a_path_that_is_no_directory_is_an_error(place, entry, word):
    place.repository.commit({"environments/staging": entry, "environments/other/web.yaml": "a"})

    with pytest.raises(SourceError) as raised:
        fetched(place).resolve(STAGING)

    assert raised.value.problem.code == "GIT_PATH_NOT_DIRECTORY"
    assert word in raised.value.problem.cause


def test_g22_a_symlink_on_the_way_is_never_followed(place):
    place.repository.commit({"environments": Symlink("real"), "real/staging/web.yaml": "a"})

    with pytest.raises(SourceError) as raised:
        fetched(place).resolve(STAGING)

    assert raised.value.problem.code == "GIT_PATH_MISSING"


def test_g23_a_submodule_inside_is_refused_and_never_fetched(place):
    place.repository.commit(
        {
            "environments/staging/web.yaml": "a",
            "environments/staging/lib": Submodule(COMMIT),
            ".gitmodules": f'[submodule "l"]\n path = environments/staging/lib\n url = {place.server.url("lib.git")}\n',
        }
    )

    error = refused(fetched(place))

    assert (error.problem.code, error.problem.file) == ("GIT_SUBMODULE", "environments/staging/lib")
    assert not [request for request in place.server.requests if "lib.git" in request.path]


def test_g24_a_large_file_pointer_in_a_manifests_place_is_refused(place):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12\n"
    place.repository.commit({"environments/staging/web.yaml": pointer, "environments/staging/logo.png": pointer})

    error = refused(fetched(place))

    assert [problem.file for problem in error.problems] == ["environments/staging/web.yaml"]
    assert error.problem.code == "GIT_LFS_POINTER"


@pytest.mark.parametrize(
    "target",
    [
        *[
            "/etc/passwd",
            "../../../etc/passwd",
            "self",
            ".",
            "..",
            "../../.git/config",
            "web.yaml",
            "/proc/self/environ",
        ],
        *["web.yaml", "/var/run/secrets/kubernetes.io/serviceaccount/token", "", "x" * 4000, "a\nb"],
    ],
)
def test_g25_a_symlink_is_refused_whatever_it_points_to(place, target):
    place.repository.commit({"environments/staging/web.yaml": "a", "environments/staging/self": Symlink(target)})

    error = refused(fetched(place))

    assert (error.problem.code, error.problem.file) == ("GIT_SYMLINK", "environments/staging/self")


def test_g25_all_that_is_wrong_is_said_at_once_up_to_a_bound(place):
    place.repository.commit({f"environments/staging/{n:02}": Symlink("x") for n in range(30)})

    assert len(refused(fetched(place)).problems) == 20


@pytest.mark.parametrize("path", ["../env2", "environments/../environments/staging", "/environments/staging", ".git"])
def test_g26_a_path_that_leads_elsewhere_is_refused(place, path):
    place.commit(web="a")
    source = fetched(place)

    with pytest.raises(SourceError) as raised:
        source.resolve(Environment(name="x", source="environments", path=path))

    assert raised.value.problem.code == "GIT_DIRECTORY"


def test_g26_an_environment_never_sees_its_siblings(place):
    files = {"environments/staging/a.yaml": "a", "environments/staging-2/b.yaml": "b", "environments/stag/c.yaml": "c"}
    place.repository.commit(files)

    assert [file.path for file in files_of(fetched(place))] == ["environments/staging/a.yaml"]


def test_g26_a_tree_with_a_name_that_climbs_out_is_never_taken_in(place):
    place.commit(web="a")
    blob = git(place.repository.folder, "hash-object", "-w", "--stdin", stdin=b"evil").decode().strip()
    for name in (b"..", b".", b".git", b".GIT"):
        tree = place.repository.write_tree(b"100644 %s\0%s" % (name, bytes.fromhex(blob)))
        commit = git(
            place.repository.folder, *["-c", "user.name=a", "-c", "user.email=a", "commit-tree", "-m", "x"], tree
        )
        place.repository.reset(commit.decode().strip())

        with pytest.raises(SourceError) as raised:
            place.source().fetch()

        assert raised.value.problem.code == "GIT_UNSAFE_OBJECTS"


def test_g27_names_that_differ_only_in_case_are_two_files(place):
    place.repository.commit({"environments/staging/A.yaml": "A", "environments/staging/a.yaml": "a"})

    assert [file.content for file in files_of(fetched(place))] == [b"A", b"a"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("new\nline.yaml", "new\\x0aline.yaml"),
        ("tab\t.yaml", "tab\\x09.yaml"),
        ("raw\udcff.yaml", "raw\\xff.yaml"),
        ("back\\slash.yaml", "back\\x5cslash.yaml"),
        ("trailing ", "trailing "),
        (" leading.yaml", " leading.yaml"),
        ("-option.yaml", "-option.yaml"),
        ('quote"$(id).yaml', 'quote"$(id).yaml'),
        (":(glob)*.yaml", ":(glob)*.yaml"),
        ("ünï.yaml", "ünï.yaml"),
        ("x" * 4000, "x" * 4000),
    ],
)
def test_g28_an_odd_name_is_read_and_shown_escaped(place, name, shown):
    place.repository.commit({f"environments/staging/{name}": "content"})

    (file,) = files_of(fetched(place))

    assert (file.path, file.content) == (f"environments/staging/{shown}", b"content")


def test_g28_two_odd_names_never_become_one(place):
    place.repository.commit({"environments/staging/a\n": "1", "environments/staging/a\\x0a": "2"})

    assert len({file.path for file in files_of(fetched(place))}) == 2


@pytest.mark.parametrize("path", ["environments/*[a]", ":(top)staging", ":!staging", "-r"])
def test_g28_a_directory_with_an_odd_name_can_be_an_environment(place, path):
    odd = Environment(name="odd", source="environments", path=path)
    place.repository.commit({f"{path}/web.yaml": "a", "environments/xa/web.yaml": "b", "staging/web.yaml": "c"})

    assert [file.content for file in files_of(fetched(place), odd)] == [b"a"]


def test_g29_a_file_over_the_bound_is_refused_by_its_size_alone(place):
    place.repository.commit({"environments/staging/big.bin": b"\0" * 2001, "environments/staging/web.yaml": "a"})

    error = refused(fetched(place, file_bytes_max=2000))

    assert (error.problem.code, error.problem.file) == ("GIT_FILE_TOO_LARGE", "environments/staging/big.bin")
    assert "2001" in error.problem.message


def test_g29_a_file_of_just_the_bound_is_read(place):
    place.repository.commit({"environments/staging/big.bin": b"\0" * 2000})

    assert len(files_of(fetched(place, file_bytes_max=2000))[0].content) == 2000


def test_g29_a_directory_over_the_bound_is_refused(place):
    place.repository.commit({f"environments/staging/{n}": f"{n}" * 500 for n in range(5)})

    assert len(files_of(fetched(place, directory_bytes_max=2500))) == 5
    assert refused(fetched(place, directory_bytes_max=2499)).problem.code == "GIT_DIRECTORY_TOO_LARGE"


def test_g30_more_files_than_the_bound_are_refused(place):
    place.repository.commit({f"environments/staging/{n}": "" for n in range(11)})

    assert len(files_of(fetched(place, files_max=11))) == 11
    assert refused(fetched(place, files_max=10)).problem.code == "GIT_TOO_MANY_FILES"


def test_g30_a_tree_that_names_billions_of_files_is_given_up_at_once(place):
    blob = git(place.repository.folder, "hash-object", "-w", "--stdin", stdin=b"x").decode().strip()
    tree = place.repository.write_tree(b"".join(b"100644 %02d\0%s" % (n, bytes.fromhex(blob)) for n in range(64)))
    for _ in range(6):
        tree = place.repository.write_tree(b"".join(b"40000 %02d\0%s" % (n, bytes.fromhex(tree)) for n in range(64)))
    place.repository.commit({"environments/staging": Object(tree), "environments/other/web.yaml": "fine"})
    source = fetched(place, local_timeout_s=10)

    assert refused(source).problem.code == "GIT_TOO_MANY_FILES"
    other = Environment(name="other", source="environments", path="environments/other")
    assert [file.content for file in files_of(source, other)] == [b"fine"]


def test_g31_attributes_change_no_byte(place):
    text = "a: $Id$\r\nb: ü\r\n".encode("utf-16")
    place.repository.commit(
        {
            ".gitattributes": "*.yaml working-tree-encoding=UTF-16 ident text eol=crlf filter=evil export-subst\n",
            "environments/staging/.gitattributes": "*.yaml export-ignore\n",
            "environments/staging/web.yaml": text,
        }
    )

    contents = {file.path: file.content for file in files_of(fetched(place))}

    assert contents["environments/staging/web.yaml"] == text


def test_content_with_gits_own_separators_is_read_whole(place):
    texts = [b"", b"\n", b"\0", b"\n\n" + COMMIT.encode() + b" blob 3\nabc\n", b"x" * 70_000, b"missing\n"]
    place.repository.commit({f"environments/staging/{n}": text for n, text in enumerate(texts)})

    assert [file.content for file in files_of(fetched(place))] == texts


def test_equal_files_are_read_once_and_both_returned(place):
    place.repository.commit({"environments/staging/a.yaml": "same", "environments/staging/b.yaml": "same"})

    assert [file.content for file in files_of(fetched(place))] == [b"same", b"same"]


def test_five_thousand_files_are_read(place):
    place.repository.commit({f"environments/staging/{n % 50}/{n}.yaml": f"n: {n}\n" for n in range(5000)})

    files = files_of(fetched(place))

    assert len(files) == 5000
    assert all(file.content == f"n: {file.path.split('/')[-1][:-5]}\n".encode() for file in files)


def test_g36_a_commit_that_arrives_while_an_older_one_is_read_disturbs_nobody(place):
    place.commit(web="old")
    source = fetched(place)
    old = source.resolve(STAGING)
    place.repository.force_push({"environments/staging/web.yaml": "new"})
    source.fetch()

    assert [file.content for file in source.read(STAGING, old)] == [b"old"]
    assert [file.content for file in files_of(source)] == [b"new"]


def test_g36_the_newest_of_many_commits_wins(place):
    place.commit(web="0")
    source = fetched(place)
    for number in range(50):
        newest = place.commit(web=f"{number}")

    assert source.fetch().revision.commit == newest


def test_many_readers_and_a_fetcher_get_the_right_bytes(place):
    place.repository.commit({f"environments/{n}/web.yaml": f"{n}" * 5000 for n in range(4)})
    source = fetched(place)
    wrong: list[object] = []

    def read(number: int) -> None:
        environment = Environment(name=f"{number}", source="environments", path=f"environments/{number}")
        for _ in range(10):
            wrong.extend(file for file in files_of(source, environment) if file.content != f"{number}".encode() * 5000)

    readers = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for reader in readers:
        reader.start()
    for number in range(5):
        place.repository.commit({"README": f"{number}"})
        source.fetch()
    for reader in readers:
        reader.join()

    assert wrong == []


DIRECTORIES = {
    f"{path}/web.yaml": "a"
    for path in ("environments/staging", "environments/production/web", "environments/production/api", "other/web")
} | {"environments/README": "x", "environments/production/.hidden/a.yaml": "x"}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("environments/staging", ["environments/staging"]),
        ("environments/*", ["environments/production", "environments/staging"]),
        ("environments/production/*", ["environments/production/api", "environments/production/web"]),
        ("environments/production/[aw]*", ["environments/production/api", "environments/production/web"]),
        ("*/web", ["other/web"]),
        ("*/*/web", ["environments/production/web"]),
        ("*", ["environments", "other"]),
        ("environments/none*", []),
        ("environments/READ*", []),
    ],
)
def test_a_pattern_finds_directories_and_no_wildcard_crosses_a_slash(place, pattern, found):
    place.repository.commit(DIRECTORIES)

    assert list(fetched(place).directories(pattern)) == found


@pytest.mark.parametrize("pattern", ["nowhere/*", "environments/nothing", "environments/README/*"])
def test_a_pattern_whose_beginning_is_not_there_is_an_error_and_not_an_empty_answer(place, pattern):
    place.repository.commit(DIRECTORIES)

    with pytest.raises(SourceError):
        fetched(place).directories(pattern)


def test_a_pattern_before_the_first_fetch_is_an_error(place):
    with pytest.raises(SourceError) as raised:
        place.source().directories("*")

    assert raised.value.problem.code == "GIT_NOT_FETCHED"
