"""SSH: what the client is told, and what its last words mean. A stand-in for ``ssh`` on the path plays the client."""

from __future__ import annotations

import json
import os

import pytest

from gitopsd.adapters.git import GitSource
from gitopsd.core.errors import SourceError
from tests.adapters.git.conftest import files_of

CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
Host key for git.example.com has changed and you have requested strict checking.
Host key verification failed."""


@pytest.fixture
def client(place, monkeypatch):
    """Put a stand-in for ssh on the path; it writes down what it was given, then does as told."""
    folder = place.folder / "bin"
    folder.mkdir()

    def become(script: str) -> None:
        program = folder / "ssh"
        given = f'printf "%s\\n" "$@" > "{place.folder}/given"; env > "{place.folder}/environment"'
        program.write_text(f"#!/bin/sh\n{given}\n{script}\n")
        program.chmod(0o755)

    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/nowhere/agent")
    return become


def source_of(place, **settings: object) -> GitSource:
    key = place.folder / "my key"
    key.write_text("PRIVATE KEY")
    known = place.folder / "known hosts"
    known.write_text("")
    said = {"url": "ssh://git@git.example.com:2222/acme/environments.git", "ssh_key_file": key}
    return place.source(**(said | {"known_hosts_file": known} | settings))


def test_a_repository_is_followed_over_ssh(place, client):
    place.commit(web="a")
    client(f'exec git upload-pack "{place.repository.folder}"')
    source = source_of(place)

    source.fetch()

    assert [file.content for file in files_of(source)] == [b"a"]


@pytest.mark.parametrize("url", ["ssh://git@git.example.com/acme/e.git", "git@git.example.com:acme/e.git"])
def test_the_client_asks_nobody_and_trusts_only_the_known_hosts(place, client, url):
    client("exit 255")
    with pytest.raises(SourceError):
        source_of(place, url=url).fetch()

    given = (place.folder / "given").read_text().splitlines()

    assert given[:2] == ["-F", "none"]
    for option in (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        f'UserKnownHostsFile="{place.folder}/known hosts"',
        "GlobalKnownHostsFile=/dev/null",
        "PasswordAuthentication=no",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "ControlPath=none",
    ):
        assert given[given.index(option) - 1] == "-o"
    assert given[given.index("-i") + 1] == f"{place.folder}/my key"
    assert "git@git.example.com" in given
    assert "/nowhere/agent" not in (place.folder / "environment").read_text()


def test_without_known_hosts_no_host_is_trusted(place, client):
    client("exit 255")
    with pytest.raises(SourceError):
        source_of(place, known_hosts_file=None).fetch()

    assert 'UserKnownHostsFile="/dev/null"' in (place.folder / "given").read_text().splitlines()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (
            "No ED25519 host key is known for git.example.com and strict checking.\nHost key verification failed.",
            "GIT_HOST_KEY",
        ),
        (CHANGED, "GIT_HOST_KEY"),
        ("git@git.example.com: Permission denied (publickey).", "GIT_AUTH"),
        ('Load key "/x": error in libcrypto\ngit@git.example.com: Permission denied (publickey).', "GIT_AUTH"),
        ("Received disconnect from 10.0.0.1: Too many authentication failures", "GIT_AUTH"),
        ("ERROR: Repository not found.", "GIT_REPO_NOT_FOUND"),
        ("fatal: '/acme/environments.git' does not appear to be a git repository", "GIT_REPO_NOT_FOUND"),
        ("ssh: Could not resolve hostname git.example.com: Name or service not known", "GIT_UNREACHABLE"),
        ("ssh: connect to host git.example.com port 22: Connection refused", "GIT_UNREACHABLE"),
        ("ssh: connect to host git.example.com port 22: Connection timed out", "GIT_UNREACHABLE"),
        ("kex_exchange_identification: Connection closed by remote host", "GIT_UNREACHABLE"),
        ("", "GIT_UNREACHABLE"),
    ],
)
def test_g06_the_clients_last_words_become_a_code(place, client, said, code):
    (place.folder / "said").write_text(said + "\n")
    client(f'cat "{place.folder}/said" >&2; exit 255')

    with pytest.raises(SourceError) as raised:
        source_of(place).fetch()

    assert raised.value.problem.code == code


def test_a_key_file_that_is_missing_is_said_before_the_client_starts(place, client):
    client("exit 0")

    with pytest.raises(SourceError) as raised:
        source_of(place, ssh_key_file=place.folder / "none").fetch()

    assert raised.value.problem.code == "GIT_CREDENTIALS"
    assert not (place.folder / "given").exists()


@pytest.mark.skipif(not os.path.exists("/usr/bin/ssh"), reason="needs the real OpenSSH client")  # noqa: PTH110
def test_the_real_client_takes_the_options(place):
    source = source_of(place, url="ssh://git@127.0.0.1:1/x.git")

    with pytest.raises(SourceError) as raised:
        source.fetch()

    assert raised.value.problem.code == "GIT_UNREACHABLE"
    assert "port 1: Connection refused" in raised.value.problem.cause


def test_a_sources_settings_print_no_key(place):
    assert "PRIVATE" not in json.dumps(repr(source_of(place).state()))
