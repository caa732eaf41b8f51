"""R18, R19, R20 of the catalogue of bad input: what cannot be opened rightly is refused whole, and nobody is asked.

Every case is rendered beside a good file, with the keys of the environment: no object of either comes of it.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitopsd.adapters.render import DirectoryRenderer, Larder
from gitopsd.adapters.render.tool import Tool
from gitopsd.adapters.secrets import SopsDecryptor
from gitopsd.core.errors import Problem, RenderError
from gitopsd.core.model import Desired, Environment, File, Revision, Wanted
from gitopsd.core.recipes import Recipe
from tests.fakes.decryptor import no_sops

VECTORS = Path(__file__).parents[1] / "secrets" / "vectors"
WANTED = Wanted(revision=Revision(ref="main", commit="c"), tree="t")
GOOD = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n"
PLAINTEXT = "correct-horse-battery-staple"
REGEX = (VECTORS / "regex.yaml").read_text()
VALUE = re.compile(r"ENC\[AES256_GCM,[^\]]*\]")
VALUES = [found for found in VALUE.findall(REGEX) if "type:comment" not in found]
ENVELOPE = REGEX[REGEX.index("\nsops:") :]
MAC = re.compile(r"\n +mac: .*")


class Repository:
    """One environment's files."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def read(self, environment: Environment, wanted: Wanted, directory: str | None = None) -> tuple[File, ...]:
        return tuple(File(f"shop/{name}", name, content) for name, content in self._files.items())

    def tree(self, environment: Environment, wanted: Wanted, directory: str) -> str | None:
        raise AssertionError("a plain directory has no other")


class NoTools:
    def tool_for(self, recipe: type[Recipe]) -> Tool | None:
        raise AssertionError("a plain directory needs none")


def render(name: str, content: bytes, *keys: Path) -> Desired:
    shop = Environment(name="shop", source="s", path="shop", age_key_files=tuple(str(key) for key in keys))
    files = {"good.yaml": GOOD, name: content}
    return DirectoryRenderer(Larder(Repository(files), SopsDecryptor(no_sops), NoTools())).render(shop, WANTED)


def refusal(name: str, content: bytes, *keys: Path) -> Problem:
    with pytest.raises(RenderError) as refused:
        render(name, content, *keys)
    assert PLAINTEXT not in str(refused.value)
    assert "ENC[" not in str(refused.value)
    return refused.value.problem


OURS, STRANGER = VECTORS / "ours.key", VECTORS / "stranger.key"


def test_what_is_right_is_rendered():
    desired = render("db.yaml", REGEX.encode(), OURS)

    assert [manifest.ref.name for manifest in desired.manifests] == ["good", "db"]
    assert PLAINTEXT not in repr(desired)


def test_r18_no_key():
    problem = refusal("db.yaml", REGEX.encode())

    assert (problem.code, problem.file) == ("DECRYPT_NO_KEY", "shop/db.yaml")
    assert problem.line == REGEX[: REGEX.index("\nsops:")].count("\n") + 2


def test_r18_wrong_key():
    assert refusal("db.yaml", REGEX.encode(), STRANGER).code == "DECRYPT_FAILED"


def test_r18_a_key_file_that_is_gone(tmp_path):
    assert refusal("db.yaml", REGEX.encode(), tmp_path / "gone").code == "DECRYPT_KEY_FILE"


def test_r18_a_key_service_that_is_not_used_here():
    only_kms = re.sub(
        r"\n    age:.*?\n    (?=\w)", "\n    kms:\n        - {arn: a, enc: b}\n    ", REGEX, flags=re.DOTALL
    )

    problem = refusal("db.yaml", only_kms.encode(), OURS)

    assert problem.code == "DECRYPT_KEY_TYPE"
    assert "kms" in problem.message


def test_r18_every_file_that_stays_shut_is_told():
    with pytest.raises(RenderError) as refused:
        SopsDecryptor(no_sops).decrypt(
            Environment(name="shop", source="s", path="shop"),
            [File("a.yaml", "", REGEX.encode()), File("b.yaml", "", REGEX.encode())],
        )
    assert [problem.file for problem in refused.value.problems] == ["a.yaml", "b.yaml"]


TAMPERED: dict[str, tuple[str, str]] = {
    "a plain value changed": (REGEX.replace("name: db", "name: bd"), "DECRYPT_MAC"),
    "a plain value added": (REGEX.replace("    name: db", "    name: db\n    extra: x"), "DECRYPT_MAC"),
    "a plain value taken out": (REGEX.replace("    namespace: shop\n", ""), "DECRYPT_MAC"),
    "an encrypted value taken out": (re.sub(r"\n    pin: .*", "", REGEX), "DECRYPT_MAC"),
    "two encrypted values exchanged": (
        REGEX.replace(VALUES[0], "@").replace(VALUES[1], VALUES[0]).replace("@", VALUES[1]),
        "DECRYPT_FAILED",
    ),
    "an encrypted value damaged": (REGEX.replace(VALUES[1], VALUES[1].replace("data:", "data:AAAA")), "DECRYPT_FAILED"),
    "an encrypted value of another type": (REGEX.replace("type:str]", "type:int]", 1), "DECRYPT_FORMAT"),
    "the MAC of another file": (
        MAC.sub(MAC.search((VECTORS / "maconly.yaml").read_text())[0], REGEX),  # type: ignore[index]
        "DECRYPT_MAC",
    ),
    "no MAC": (MAC.sub("", REGEX), "DECRYPT_METADATA"),
    "an empty MAC": (MAC.sub('\n    mac: ""', REGEX), "DECRYPT_METADATA"),
    "a MAC in plain text": (MAC.sub("\n    mac: 00AA", REGEX), "DECRYPT_METADATA"),
    "another time of the last change": (re.sub(r'lastmodified: "2', 'lastmodified: "1', REGEX), "DECRYPT_MAC"),
    "the MAC made to cover less": (f"{REGEX}    mac_only_encrypted: true\n", "DECRYPT_MAC"),
    "half opened, with the right value": (REGEX.replace(VALUES[1], PLAINTEXT), "DECRYPT_INCOMPLETE"),
    "half opened, with a number": (REGEX.replace(VALUES[2], "42"), "DECRYPT_INCOMPLETE"),
    "encrypted where its rule says plain": (REGEX.replace("name: db", f"name: {VALUES[0]}"), "DECRYPT_MAC"),
    "encrypted where its rule says plain, and no MAC covers it": (
        (VECTORS / "maconly.yaml").read_text().replace("name: db", f"name: {VALUES[0]}"),
        "DECRYPT_INCOMPLETE",
    ),
    "the rule exchanged": (REGEX.replace("encrypted_regex: ^", "unencrypted_regex: ^"), "DECRYPT_INCOMPLETE"),
    "two rules": (f"{REGEX}    encrypted_suffix: x\n", "DECRYPT_METADATA"),
    "a rule that is none": (re.sub("encrypted_regex: .*", "encrypted_regex: '(?=a)'", REGEX), "DECRYPT_METADATA"),
    "metadata of nobody": (re.sub(r"\n    age:.*?\n    (?=\w)", "\n    ", REGEX, flags=re.DOTALL), "DECRYPT_METADATA"),
    "metadata twice": (REGEX + ENVELOPE[1:], "DECRYPT_FORMAT"),
    "metadata that is a list": (f"{REGEX[: REGEX.index('sops:')]}sops: [mac]\n", "ENCRYPTED"),
    "metadata taken out": (REGEX[: REGEX.index("sops:")], "ENCRYPTED"),
    "metadata of another tool": (f"{GOOD.decode()}sops: {{mac: x}}\n", "ENCRYPTED"),
    "an alias": (REGEX.replace("    name: db", "    name: &a db\n    other: *a"), "DECRYPT_FORMAT"),
    "a key that is no text": (REGEX.replace("    name: db", "    name: db\n    8080: x"), "DECRYPT_FORMAT"),
}


@pytest.mark.parametrize(("content", "code"), TAMPERED.values(), ids=TAMPERED)
def test_r19_what_is_not_as_sops_wrote_it_is_refused_whole(content, code):
    assert content != REGEX
    problem = refusal("db.yaml", content.encode(), OURS)

    assert problem.code == code
    assert problem.file == "shop/db.yaml"


@pytest.mark.parametrize("name", ["db.env", "whole.json", "text.txt", "whole.yaml"])
def test_r19_no_damaged_byte_of_any_value_goes_unseen(name):
    content = (VECTORS / name).read_text()
    shop = Environment(name="shop", source="s", path="shop", age_key_files=(str(OURS),))

    for found in (one for one in VALUE.finditer(content) if "type:comment" not in one[0]):
        at = found.start() + len("ENC[AES256_GCM,data:")
        damaged = f"{content[:at]}{'A' if content[at] != 'A' else 'B'}{content[at + 1 :]}"
        with pytest.raises(RenderError) as refused:
            SopsDecryptor(no_sops).decrypt(shop, [File(name, "", damaged.encode())])
        assert refused.value.problem.code in ("DECRYPT_FAILED", "DECRYPT_MAC")


def test_r19_a_generated_secret_with_ciphertext_in_it_is_refused():
    whole = (VECTORS / "text.txt").read_bytes()
    secret = b"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  a: |\n    " + whole.replace(
        b"\n", b"\n    "
    )

    assert refusal("s.yaml", secret, OURS).code == "ENCRYPTED"


class Doings:
    """Connections and programs that this process asked for while it was watched."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.is_watched = False
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.is_watched and event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.posix_spawn"):
            self.seen.append(f"{event} {arguments}")


DOINGS = Doings()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


ATTACKS: dict[str, Callable[[int], str]] = {
    "hc_vault": lambda port: f"{{vault_address: 'http://127.0.0.1:{port}', engine_path: sops, key_name: k, enc: x}}",
    "azure_kv": lambda port: f"{{vault_url: 'http://127.0.0.1:{port}', name: k, version: v, enc: x}}",
    "kms": lambda port: f"{{arn: 'arn:aws:kms:127.0.0.1:{port}:key/k', enc: x, aws_profile: ''}}",
    "gcp_kms": lambda port: f"{{resource_id: 'http://127.0.0.1:{port}/projects/p', enc: x}}",
    "hckms": lambda port: f"{{key_id: '127.0.0.1:{port}:k', enc: x}}",
    "pgp": lambda port: f"{{fp: 'hkp://127.0.0.1:{port}', enc: x}}",
}


@pytest.mark.parametrize("kind", ATTACKS)
@pytest.mark.parametrize("beside", ["alone", "beside age"])
def test_r20_a_file_that_names_somebody_elses_server_connects_to_nobody(listener, kind, beside):
    entry = f"\n    {kind}:\n        - {ATTACKS[kind](listener.getsockname()[1])}\n    "
    age = re.search(r"\n    age:.*?\n    (?=\w)", REGEX, flags=re.DOTALL)
    assert age
    content = REGEX.replace(age[0], entry if beside == "alone" else age[0].rstrip() + entry)

    DOINGS.is_watched = True
    try:
        if beside == "alone":
            assert refusal("db.yaml", content.encode(), OURS).code == "DECRYPT_KEY_TYPE"
        else:
            assert len(render("db.yaml", content.encode(), OURS).manifests) == 2
    finally:
        DOINGS.is_watched = False

    assert DOINGS.seen == []
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_r20_the_watch_sees_a_connection(listener):
    DOINGS.is_watched = True
    try:
        socket.create_connection(listener.getsockname()).close()
    finally:
        DOINGS.is_watched = False
    assert any("socket.connect" in seen for seen in DOINGS.seen)
    DOINGS.seen.clear()
