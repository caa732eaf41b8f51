"""Which addresses, branches and directories Git may be given: rows G7, G8, G11, G17 and G26."""

from __future__ import annotations

import pytest

from gitopsd.core.git_url import check_branch, check_directory, check_url, mask_url, printable, scheme_of

ALLOWED = [
    ("https://git.example.com/acme/environments.git", "https"),
    ("https://git.example.com:8443/acme/environments", "https"),
    ("https://[2001:db8::1]/acme/environments.git", "https"),
    ("ssh://git@git.example.com/acme/environments.git", "ssh"),
    ("ssh://git@git.example.com:2222/~acme/environments.git", "ssh"),
    ("ssh://git.example.com/acme/environments.git", "ssh"),
    ("git@git.example.com:acme/environments.git", "ssh"),
    ("http://localhost:3000/environments.git", "http"),
    ("http://127.0.0.1:3000/environments.git", "http"),
    ("http://[::1]:3000/environments.git", "http"),
]

HOSTILE = [
    "",
    "environments.git",
    "/srv/git/environments.git",
    "../environments.git",
    "./environments.git",
    "file:///srv/git/environments.git",
    "ext::sh -c id% >/dev/null",
    "ext::ssh git@host %S repo",
    "fd::17/foo",
    "git://git.example.com/environments.git",
    "ftp://git.example.com/environments.git",
    "http://git.example.com/environments.git",
    "http://127.0.0.1.example.com/environments.git",
    "http://localhost.example.com/environments.git",
    "HTTPS://git.example.com/environments.git",
    "--upload-pack=touch /x",
    "-u./payload",
    "ssh://-oProxyCommand=id/x",
    "ssh://git@-oProxyCommand=id/x",
    "ssh://-oProxyCommand@host/x",
    "ssh://%2doProxyCommand=id/x",
    "git@host:-oProxyCommand=id",
    "-git@host:x",
    "git@-host:x",
    "git@host::x",
    "C:\\repository",
    "https://git.example.com",
    "https://git.example.com/",
    "https:///x",
    "https://git.example.com:port/x",
    "https://git.example.com/../x",
    "https://git.example.com/x\n[core]",
    "https://git.example.com/x\0y",
    "https://git example.com/x",
    "https://git.example.com/" + "x" * 3000,
]

SECRET = [
    "https://ada:hunter2@git.example.com/environments.git",
    "https://hunter2@git.example.com/environments.git",
    "https://ada:hun/ter2@git.example.com/environments.git",
    "https://git.example.com/environments.git?private_token=hunter2",
    "https://git.example.com/environments.git#hunter2",
    "ssh://git:hunter2@git.example.com/environments.git",
    "git:hunter2@git.example.com:environments.git",
]


@pytest.mark.parametrize(("url", "scheme"), ALLOWED)
def test_an_address_people_use_is_allowed(url, scheme):
    assert check_url(url) is None
    assert scheme_of(url) == scheme


@pytest.mark.parametrize("url", HOSTILE)
def test_g07_anything_else_is_refused_with_a_hint(url):
    problem = check_url(url)

    assert problem is not None
    assert problem.code == "GIT_URL"
    assert problem.hint
    assert "\n" not in str(problem)
    assert "\n" not in problem.cause


@pytest.mark.parametrize("url", SECRET)
def test_g08_a_secret_in_an_address_is_refused_and_never_repeated(url):
    problem = check_url(url, insecure=True)

    assert problem is not None
    assert "tokenFile" in problem.hint
    for word in ("hunter2", "ter2", "ada"):
        assert word not in repr(problem)
    assert "***" in mask_url(url)


def test_plain_http_to_another_machine_needs_the_operators_word():
    assert check_url("http://git.example.com/x.git") is not None
    assert check_url("http://git.example.com/x.git", insecure=True) is None
    assert check_url("file:///x.git", insecure=True) is not None


def test_a_clean_address_is_shown_as_it_is():
    assert mask_url("https://git.example.com/acme/environments.git") == "https://git.example.com/acme/environments.git"
    assert mask_url("git@git.example.com:x.git") == "git@git.example.com:x.git"


@pytest.mark.parametrize("branch", ["main", "release/1.2", "feature/über", "a-b_c", "v1", "1234567", "it's"])
def test_a_branch_people_use_is_allowed(branch):
    assert check_branch(branch) is None


@pytest.mark.parametrize(
    "branch",
    [
        *[
            "",
            "-x",
            "--upload-pack=x",
            "a..b",
            "a@{1}",
            "@",
            "HEAD",
            "a\nb",
            "a b",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[b",
        ],
        *["a\\b", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a.lock/b", "a.", "refs/heads/main", "x" * 5000, "\x7f"],
    ],
)
def test_g11_a_branch_that_git_or_an_option_parser_would_misread_is_refused(branch):
    problem = check_branch(branch)

    assert problem is not None
    assert problem.code == "GIT_BRANCH"
    assert len(str(problem)) < 300
    assert "\n" not in str(problem)


@pytest.mark.parametrize("commit", ["a" * 40, "0123456789abcdef" * 4])
def test_g17_a_commit_is_not_a_branch(commit):
    problem = check_branch(commit)

    assert problem is not None
    assert "commit" in problem.message


@pytest.mark.parametrize("path", ["", "environments", "environments/staging", "a b/ü", "...", "a.git"])
def test_a_directory_inside_the_repository_is_allowed(path):
    assert check_directory(path) is None


@pytest.mark.parametrize(
    "path",
    ["..", "../env2", "a/../b", "/etc", "a/", "a//b", ".", "./a", ".git", "a/.GIT/b", "a\nb", "\\", "x" * 2000],
)
def test_g26_a_directory_that_leads_elsewhere_is_refused(path):
    problem = check_directory(path)

    assert problem is not None
    assert problem.code == "GIT_DIRECTORY"
    assert "\n" not in str(problem)


def test_text_for_messages_is_one_bounded_line():
    assert printable("a\nb\x1b[31m\udc80ü") == "a\\nb\\x1b[31m\\udc80ü"
    assert len(printable("x" * 5000)) == 201
