"""git's words and their codes, for what no server of these tests says by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitopsd.adapters.git.classify import classify, codes, failed, mask

DOCS = Path(__file__).parents[3] / "docs" / "git.md"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("fatal: unable to access 'https://h/x/': SSL certificate problem: self-signed certificate", "GIT_TLS"),
        ("fatal: unable to access 'https://h/x/': server certificate verification failed. CAfile: none", "GIT_TLS"),
        ("fatal: unable to access 'https://h/x/': OpenSSL SSL_connect: SSL_ERROR_SYSCALL", "GIT_TLS"),
        ("fatal: unable to access 'https://h/certificate/': Failed to connect to h port 443", "GIT_UNREACHABLE"),
        (
            "fatal: unable to access 'https://h/packfile/': Operation too slow. Less than 1000 b/s",
            "GIT_UNREACHABLE",
        ),
        ("remote: fatal: bad object HEAD\nfatal: early EOF", "GIT_UNREACHABLE"),
        ("remote: No space left on device\nfatal: the remote end hung up unexpectedly", "GIT_UNREACHABLE"),
        ("remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://h/x/'", "GIT_AUTH"),
        ("fatal: unable to access 'https://h/x/': The requested URL returned error: 407", "GIT_AUTH"),
        ("remote: The project was not found\nfatal: repository 'https://h/x/' not found", "GIT_REPO_NOT_FOUND"),
        ("fatal: https://h/x/info/refs not valid: is this a git repository?", "GIT_REPO_NOT_FOUND"),
        ("error: object file ./objects/ab/cd is empty\nfatal: loose object abcd is corrupt", "GIT_CORRUPT"),
        ("error: packfile ./objects/pack/pack-1.pack does not match index", "GIT_CORRUPT"),
        ("fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output", "GIT_DISK"),
        (
            "error: object 12: treeNotSorted: not sorted\nfatal: fsck error in packed object",
            "GIT_UNSAFE_OBJECTS",
        ),
        ("fatal: something nobody has ever seen", "GIT_FAILED"),
        ("", "GIT_FAILED"),
    ],
)
def test_words_become_a_code(said, code):
    assert classify(said) == code


def test_the_cause_is_one_bounded_line():
    problem = failed("GIT_FAILED", "environments", "a\n\n  b\x1b[31m\n" + "x" * 5000).problem

    assert problem.cause.startswith("a; b\\x1b[31m; xxx")
    assert len(problem.cause) <= 501


@pytest.mark.parametrize(
    "said",
    [
        "fatal: https://ada:hunter2@h/x failed",
        "fatal: https://h/x?private_token=hunter2 failed",
        "bad token hunter2",
    ],
)
def test_secrets_are_masked_wherever_they_stand(said):
    assert "hunter2" not in mask(said, ("hunter2",))
    assert "***" in mask(said, ("hunter2",))


@pytest.mark.parametrize("code", codes())
def test_every_code_has_its_line_in_the_documentation(code):
    assert f"`{code}`" in DOCS.read_text(encoding="utf-8")
    assert failed(code, "environments").problem.hint
