"""Fetching from a server that fails in every way servers do: rows G1 to G20 of the catalogue of bad inputs."""

from __future__ import annotations

import random
import shutil
import socket
import threading

import pytest

from gitopsd.adapters.git import GitSource, GitSourceSettings
from gitopsd.core.errors import ConfigError, SourceError
from tests.adapters.git.conftest import STAGING, files_of
from tests.git_server import BareRepository, GitServer, answer, drip_until, hang_until


def failure(source: GitSource) -> SourceError:
    with pytest.raises(SourceError) as raised:
        source.fetch()
    return raised.value


def code_of(source: GitSource) -> str:
    problem = failure(source).problem
    assert problem.hint
    assert "\n" not in problem.cause
    return problem.code


def test_a_first_fetch_clones_and_says_what_it_brought(place):
    commit = place.commit(web="a: 1\n")
    source = place.source()

    head = source.fetch()

    assert (head.revision.commit, head.changed, head.rewritten) == (commit, True, False)
    assert [file.content for file in files_of(source)] == [b"a: 1\n"]


def test_a_fetch_that_brings_nothing_changes_nothing(place):
    place.commit(web="a")
    source = place.source()
    source.fetch()

    head = source.fetch()

    assert (head.changed, head.rewritten) == (False, False)


def test_g01_a_server_that_is_down_is_unreachable_and_the_last_answer_stays(place):
    commit = place.commit(web="a")
    source = place.source()
    source.fetch()
    place.server.stop()

    assert code_of(source) == "GIT_UNREACHABLE"
    wanted = source.resolve(STAGING)
    assert (wanted.revision.commit, wanted.stale.problem.code) == (commit, "GIT_UNREACHABLE")


def test_g01_a_name_that_does_not_resolve_is_unreachable(place):
    source = place.source(url="https://git.invalid/environments.git")

    assert code_of(source) == "GIT_UNREACHABLE"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_g01_a_server_that_answers_with_its_own_trouble_is_unreachable(place, status):
    place.commit(web="a")
    place.server.faults["/info/refs"] = answer(status)

    assert code_of(place.source()) == "GIT_UNREACHABLE"


@pytest.mark.parametrize("sent", [0, 30, 200, 600])
def test_g01_an_answer_cut_short_is_an_error_and_the_next_fetch_heals(place, sent):
    commit = place.repository.commit({f"environments/staging/{n}.yaml": f"{n * 7919}" * 50 for n in range(50)})
    source = place.source()
    place.server.cut_after = sent

    assert code_of(source) == "GIT_UNREACHABLE"
    place.server.cut_after = None
    assert source.fetch().revision.commit == commit
    assert len(files_of(source)) == 50


def test_g03_wrong_credentials_are_tried_once_per_fetch(place):
    place.commit(web="a")
    place.server.password = "right"
    token = place.folder / "token"
    token.write_text("wrong\n")
    source = place.source(token_file=token)

    assert code_of(source) == "GIT_AUTH"
    assert [request.authorized for request in place.server.requests].count(True) == 1


def test_g03_a_rotated_token_is_used_at_the_next_fetch(place):
    commit = place.commit(web="a")
    place.server.password = "second"
    token = place.folder / "token"
    token.write_text("first")
    source = place.source(token_file=token)
    failure(source)
    token.write_text("second\n")

    assert source.fetch().revision.commit == commit


def test_g03_a_user_name_of_the_operators_is_used(place):
    place.commit(web="a")
    place.server.user, place.server.password = "x-access-token", "secret"
    (place.folder / "token").write_text("secret")

    source = place.source(token_file=place.folder / "token", username="x-access-token")

    assert source.fetch().changed


@pytest.mark.parametrize("status", [401, 403])
def test_g03_no_credentials_or_no_right_is_said_as_such(place, status):
    place.server.faults["/info/refs"] = answer(status, WWW_Authenticate='Basic realm="git"')

    assert code_of(place.source()) == "GIT_AUTH"


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_g03_a_token_file_that_is_missing_or_empty_is_said_before_any_request(place, content):
    token = place.folder / "token"
    if content is not None:
        token.write_text(content)

    assert code_of(place.source(token_file=token)) == "GIT_CREDENTIALS"
    assert place.server.requests == []


def test_g04_a_repository_that_is_not_there_is_not_found(place):
    assert code_of(place.source(url=place.server.url("none.git"))) == "GIT_REPO_NOT_FOUND"


def test_g04_a_page_in_the_repositorys_place_is_an_error(place):
    page = answer(200, b"<html>Sign in</html>", Content_Type="application/x-git-upload-pack-advertisement")
    place.server.faults["/info/refs"] = page

    assert code_of(place.source()) == "GIT_REPO_NOT_FOUND"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_g05_a_redirect_is_refused_and_credentials_do_not_follow(place, status, tmp_path):
    place.commit(web="a")
    place.server.password = "secret"
    (place.folder / "token").write_text("secret")
    (tmp_path / "elsewhere").mkdir()
    with GitServer(tmp_path / "elsewhere") as elsewhere:
        place.server.faults["/info/refs"] = answer(status, Location=elsewhere.url("environments.git/info/refs"))
        code = code_of(place.source(token_file=place.folder / "token"))

    assert code == "GIT_REDIRECT"
    assert elsewhere.requests == []


def test_g09_a_deleted_branch_is_missing_and_the_last_answer_stays(place):
    commit = place.commit(web="a")
    place.repository.commit({"README": "a"}, branch="other")
    source = place.source()
    source.fetch()
    place.repository.delete_branch()

    assert code_of(source) == "GIT_REF_MISSING"
    assert source.resolve(STAGING).revision.commit == commit


def test_g10_a_tag_with_the_branchs_name_changes_nothing(place):
    old = place.commit(web="old")
    place.repository.tag("main", old)
    new = place.commit(web="new")

    assert place.source().fetch().revision.commit == new


@pytest.mark.parametrize("branch", ["-x", "a..b", "a@{1}", "a\nb", "x" * 5000])
def test_g11_a_bad_branch_is_refused_before_anything_is_written(place, branch):
    with pytest.raises(ConfigError) as raised:
        place.source(branch=branch)

    assert raised.value.problem.code == "GIT_BRANCH"
    assert not place.cache.exists()


def test_g12_rewritten_history_is_taken_and_said(place):
    place.commit(web="a")
    first = place.repository.head()
    place.commit(web="b")
    source = place.source()
    source.fetch()
    place.repository.reset(first)

    head = source.fetch()

    assert (head.revision.commit, head.changed, head.rewritten) == (first, True, True)
    assert [file.content for file in files_of(source)] == [b"a"]


def test_g12_a_new_commit_on_top_is_not_a_rewrite(place):
    place.commit(web="a")
    source = place.source()
    source.fetch()
    for text in "bcd":
        place.commit(web=text)

    head = source.fetch()

    assert (head.changed, head.rewritten) == (True, False)


def test_g13_unrelated_history_is_taken_and_said(place):
    place.commit(web="a")
    source = place.source()
    source.fetch()
    commit = place.repository.force_push({"environments/staging/web.yaml": "unrelated"})

    head = source.fetch()

    assert (head.revision.commit, head.rewritten) == (commit, True)


def test_g18_a_repository_with_sha256_names_is_a_clear_error(place):
    other = BareRepository.create(place.server.root / "sha256.git", object_format="sha256")
    other.commit({"environments/staging/web.yaml": "a"})

    assert code_of(place.source(url=place.server.url("sha256.git"))) == "GIT_OBJECT_FORMAT"


def test_g20_a_repository_created_anew_is_empty_and_nothing_is_taken_away(place):
    commit = place.commit(web="a")
    source = place.source()
    source.fetch()
    place.repository.empty()

    assert code_of(source) == "GIT_REPO_EMPTY"
    wanted = source.resolve(STAGING)
    assert (wanted.revision.commit, wanted.stale.problem.code) == (commit, "GIT_REPO_EMPTY")
    assert len(source.read(STAGING, wanted)) == 1


def test_g20_a_repository_that_was_always_empty_has_no_answer(place):
    source = place.source()

    assert code_of(source) == "GIT_REPO_EMPTY"
    with pytest.raises(SourceError):
        source.resolve(STAGING)


def test_g34_a_server_that_says_nothing_is_given_up_at_the_deadline(place):
    released = threading.Event()
    place.server.faults["/info/refs"] = hang_until(released)

    code = code_of(place.source(clone_timeout_s=0.5))

    released.set()
    assert code == "GIT_TIMEOUT"


def test_g34_a_server_that_drips_is_given_up_at_the_deadline(place):
    released = threading.Event()
    place.server.faults["/info/refs"] = drip_until(released)

    code = code_of(place.source(clone_timeout_s=0.5))

    released.set()
    assert code == "GIT_TIMEOUT"


def test_g34_a_port_that_accepts_and_never_speaks_is_given_up(place):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/environments.git"

        assert code_of(place.source(url=url, clone_timeout_s=0.5)) == "GIT_TIMEOUT"


def test_a_repository_larger_than_the_bound_is_refused_and_the_last_answer_stays(place):
    commit = place.commit(web="a")
    source = place.source(repository_bytes_max=200_000)
    source.fetch()
    place.repository.commit({"noise": random.Random(1).randbytes(1_000_000)})  # noqa: S311 - noise

    assert code_of(source) == "GIT_TOO_LARGE"
    assert code_of(source) == "GIT_TOO_LARGE"
    assert source.resolve(STAGING).revision.commit == commit
    assert len(files_of(source)) == 1
    place.repository.reset(commit)
    assert source.fetch().revision.commit == commit


def test_after_a_restart_the_mirror_still_answers_while_the_server_is_down(place):
    commit = place.commit(web="a")
    place.source().fetch()
    place.server.stop()
    restarted = place.source()
    failure(restarted)

    wanted = restarted.resolve(STAGING)

    assert (wanted.revision.commit, wanted.stale.problem.code) == (commit, "GIT_UNREACHABLE")
    assert [file.content for file in restarted.read(STAGING, wanted)] == [b"a"]


def test_another_branch_or_address_never_answers_from_the_same_mirror(place):
    place.commit(web="a")
    place.source().fetch()
    other = place.source(branch="other")
    failure(other)

    with pytest.raises(SourceError) as raised:
        other.resolve(STAGING)
    assert raised.value.problem.code == "GIT_REF_MISSING"


def test_a_cache_that_was_wiped_is_filled_again(place):
    place.commit(web="a")
    source = place.source()
    source.fetch()
    shutil.rmtree(place.cache)

    source.fetch()

    assert [file.content for file in files_of(source)] == [b"a"]


def test_many_fetches_do_not_pile_up_packs(place):
    source = place.source()
    for number in range(60):
        place.commit(web=f"{number}")
        source.fetch()

    assert len(list(place.mirror.glob("objects/pack/*.pack"))) <= 50
    assert [file.content for file in files_of(source)] == [b"59"]


def test_the_state_tells_when_and_what_was_fetched_and_why_not(place):
    source = place.source()
    assert (source.state().revision, source.state().tried_at, source.state().error) == (None, None, None)
    commit = place.commit(web="a")
    source.fetch()
    fetched = source.state()
    place.server.stop()
    error = failure(source)
    broken = source.state()

    assert (fetched.revision.commit, fetched.error) == (commit, None)
    assert fetched.fetched_at == fetched.tried_at
    assert (broken.revision, broken.fetched_at, broken.error) == (fetched.revision, fetched.fetched_at, error)
    assert broken.tried_at > broken.fetched_at


def test_a_commits_odd_words_are_one_bounded_line(place):
    place.repository.commit({"environments/staging/web.yaml": "a"}, "\x1b[31mred" + "x" * 5000)

    revision = place.source().fetch().revision

    assert revision.subject.startswith("\\x1b[31mred")
    assert len(revision.subject) <= 201
    assert revision.author == "Ada Lovelace"


def test_settings_never_hold_a_secret_only_the_names_of_files(place):
    (place.folder / "token").write_text("hunter2")
    settings = GitSourceSettings(
        name="a", url="https://git.example.com/a.git", branch="main", token_file=place.folder / "token"
    )

    assert "hunter2" not in repr(settings)
