"""A revert, written into Git: what the commit is, that it is made once, and that nothing is ever forced."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gitopsd.core.errors import SourceError
from gitopsd.core.model import Revision
from gitopsd.core.record import Hold
from gitopsd.core.reversal import Reversal
from gitopsd.ports import Draft
from tests.adapters.git.conftest import STAGING, files_of
from tests.git_server import git

REVERTS = "gitopsd/reverts"
SINCE = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GOOD, BAD, WORSE = "image: app:1\n", "image: app:2\n", "image: app:3\n"


@pytest.fixture
def failed(place):
    """A place with a good commit and a bad one, at a server that lets us push with a token."""
    git(place.repository.folder, "config", "http.receivepack", "true")
    place.server.password = "sesame"
    place.token = place.folder / "token"
    place.token.write_text("sesame\n")
    place.kept = place.repository.commit({**_staging(GOOD), "environments/other/web.yaml": "other: 1\n"}, "Good")
    place.bad = place.repository.commit(_staging(BAD), "Bad")
    return place


def test_the_commit_puts_the_directory_back_and_nothing_else(failed):
    failed.repository.commit({"environments/other/web.yaml": "other: 2\n"}, "Elsewhere")
    source, commit = _published(failed, "main")

    assert failed.repository.head() == commit
    assert _file(failed, "main", "environments/staging/web.yaml") == GOOD
    assert _file(failed, "main", "environments/other/web.yaml") == "other: 2\n"
    assert _changed(failed, commit) == ["environments/staging/web.yaml"]
    source.fetch()
    assert [file.content for file in files_of(source)] == [GOOD.encode()]


def test_its_message_says_what_why_and_which(failed):
    _, commit = _published(failed, "main")

    said = git(failed.repository.folder, "log", "-1", "--format=%an <%ae>%n%at%n%B", commit).decode()
    assert said.splitlines()[:3] == [
        "gitopsd <gitopsd@gitopsd.dev>",
        str(int(SINCE.timestamp())),
        f"Revert environments/staging to {failed.kept[:7]}",
    ]
    for part in ("staging", "2026-03-01T12:00:00Z", "image not found", failed.bad, failed.kept, "digest-of-bad"):
        assert part in said
    assert "two\nlines" not in said, "what failed cannot write lines of its own"


def test_a_branch_of_reverts_is_made_and_can_be_merged(failed):
    _, commit = _published(failed, REVERTS)

    assert failed.repository.head() == failed.bad
    assert failed.repository.head(REVERTS) == commit
    assert _parents(failed, commit) == [failed.bad]


def test_the_commit_is_found_again_after_a_restart_and_not_made_twice(failed):
    _, commit = _published(failed, REVERTS)
    failed.repository.commit({"README.md": "more\n"}, "Unrelated")
    source = _source(failed)
    source.fetch()

    draft = _first(source.reverts(REVERTS), _reversal(failed, source))

    assert (draft.is_published, draft.wanted.revision.commit) == (True, commit)


def test_the_same_hold_on_the_same_head_is_the_same_commit(failed):
    source = _source(failed)
    source.fetch()
    reversal = _reversal(failed, source)

    drafts = [_first(source.reverts("main"), reversal) for _ in range(2)]

    assert drafts[0] == drafts[1]


def test_a_branch_of_reverts_that_was_not_merged_grows_by_a_merge(failed):
    _, first = _published(failed, REVERTS)
    failed.repository.commit({**_staging(WORSE), "README.md": "more\n"}, "Bad again")
    source = _source(failed)
    source.fetch()
    again = _reversal(failed, source, digest="digest-of-worse")

    _publish(source, REVERTS, again)

    second = failed.repository.head(REVERTS)
    assert _parents(failed, second) == [first, failed.repository.head()]
    assert _file(failed, REVERTS, "environments/staging/web.yaml") == GOOD
    assert _file(failed, REVERTS, "README.md") == "more\n"


def test_two_environments_may_share_the_branch_of_reverts(failed):
    _published(failed, REVERTS)
    failed.repository.commit({"environments/other/web.yaml": "other: bad\n"}, "Bad elsewhere")
    source = _source(failed)
    source.fetch()
    other = replace(STAGING, name="other", path="environments/other")

    _publish(source, REVERTS, replace(_reversal(failed, source, digest="other"), environment=other))

    assert _file(failed, REVERTS, "environments/staging/web.yaml") == GOOD
    assert _file(failed, REVERTS, "environments/other/web.yaml") == "other: 1\n"


def test_a_branch_of_reverts_that_contradicts_is_left_alone(failed):
    _published(failed, REVERTS)
    failed.repository.commit({"README.md": "theirs\n"}, "On the branch", branch=REVERTS)
    failed.repository.commit({"README.md": "ours\n"}, "On main")
    source = _source(failed)
    source.fetch()

    with pytest.raises(SourceError) as refused:
        _first(source.reverts(REVERTS), _reversal(failed, source, digest="another"))

    assert refused.value.problem.code == "GIT_REVERT_CONFLICT"


def test_whoever_pushed_first_stays_first(failed):
    source = _source(failed)
    source.fetch()
    reverts = source.reverts("main")
    draft = _first(reverts, _reversal(failed, source))
    theirs = failed.repository.commit({"README.md": "first\n"}, "Pushed first")

    with pytest.raises(SourceError) as raced:
        reverts.publish(draft)

    assert raced.value.problem.code == "GIT_PUSH_RACED"
    assert failed.repository.head() == theirs
    source.fetch()
    _publish(source, "main", _reversal(failed, source))
    assert _parents(failed, failed.repository.head()) == [theirs]


def test_a_hook_that_says_no_is_told_and_obeyed(failed):
    hook = failed.repository.folder / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'reviews only, see sesame' >&2\nexit 1\n")
    hook.chmod(0o755)

    with pytest.raises(SourceError) as refused:
        _published(failed, "main")

    assert refused.value.problem.code == "GIT_PUSH_REFUSED"
    assert failed.repository.head() == failed.bad
    assert "sesame" not in str(refused.value.problem)


def test_a_server_that_takes_no_pushes_is_told(failed):
    git(failed.repository.folder, "config", "http.receivepack", "false")

    with pytest.raises(SourceError) as refused:
        _published(failed, "main")

    assert refused.value.problem.code == "GIT_PUSH_REFUSED"


def test_what_was_kept_and_is_gone_from_the_repository_cannot_be_written_back(failed):
    source = _source(failed)
    source.fetch()
    gone = replace(_reversal(failed, source), kept=Revision(ref="main", commit="1" * 40))

    with pytest.raises(SourceError) as refused:
        list(source.reverts("main").drafts(gone))

    assert refused.value.problem.code == "GIT_REVERT_IMPOSSIBLE"
    source.fetch()


def test_what_changed_no_object_before_the_failed_commit_is_not_undone(failed):
    """What was kept is named by the first commit with that content; a note written since then is no part of it."""
    failed.repository.commit(_staging(GOOD) | {"environments/staging/README.md": "a note\n"}, "A note")
    failed.bad = failed.repository.commit(_staging(BAD), "Bad again")

    _, commit = _published(failed, "main")

    assert _file(failed, "main", "environments/staging/README.md") == "a note\n"
    assert _changed(failed, commit) == ["environments/staging/web.yaml"]


def test_after_it_comes_what_was_kept_as_it_was(failed):
    failed.repository.commit(_staging(WORSE), "Worse")
    failed.bad = failed.repository.commit(_staging(BAD), "Bad again")
    source = _source(failed)
    source.fetch()

    *_, last = source.reverts("main").drafts(_reversal(failed, source))

    assert [file.content for file in source.read(STAGING, last.wanted)] == [GOOD.encode()]


def _staging(content: str) -> dict[str, str]:
    return {"environments/staging/web.yaml": content}


def _first(reverts, reversal: Reversal) -> Draft:
    return next(iter(reverts.drafts(reversal)))


def _source(place):
    return place.source(token_file=place.token)


def _published(place, branch: str):
    source = _source(place)
    source.fetch()
    return source, _publish(source, branch, _reversal(place, source))


def _publish(source, branch: str, reversal: Reversal) -> str:
    reverts = source.reverts(branch)
    draft = _first(reverts, reversal)
    assert not draft.is_published
    reverts.publish(draft)
    return draft.wanted.revision.commit


def _reversal(place, source, digest: str = "digest-of-bad") -> Reversal:
    bad = Revision(ref="main", commit=place.bad)
    hold = Hold(digest=digest, revision=bad, why="web: image not found;\ntwo\nlines", since=SINCE, back_to="kept")
    head = source.resolve(STAGING).revision
    return Reversal(environment=STAGING, hold=hold, kept=Revision(ref="main", commit=place.kept), head=head)


def _file(place, branch: str, path: str) -> str:
    return git(place.repository.folder, "cat-file", "blob", f"refs/heads/{branch}:{path}").decode()


def _changed(place, commit: str) -> list[str]:
    return git(place.repository.folder, "diff-tree", "-r", "--name-only", f"{commit}^", commit).decode().split()


def _parents(place, commit: str) -> list[str]:
    return git(place.repository.folder, "log", "-1", "--format=%P", commit).decode().split()
