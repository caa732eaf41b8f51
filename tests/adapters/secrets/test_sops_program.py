"""What age keys do not open, the sops program opens: to the same bytes, in the jail, and only where it may.

The files are encrypted by the real sops, to PGP keys that the real gpg has made.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gitopsd.adapters.render import Workshop
from gitopsd.adapters.render.jail import Ran
from gitopsd.adapters.render.jail.problems import timed_out
from gitopsd.adapters.secrets import SopsDecryptor
from gitopsd.adapters.secrets.keyring import read_keyring
from gitopsd.adapters.secrets.refusals import PAUSE_S, SERVICE_PAUSE_S
from gitopsd.adapters.secrets.sops_program import REFUSALS_MAX, RUNS_MAX, SECONDS_MAX
from gitopsd.core.decryption import KeyServices
from gitopsd.core.errors import RenderError
from gitopsd.core.model import Environment, File
from rig.binaries import build
from tests.adapters.render.jailed import needs_linux
from tests.adapters.secrets.conftest import AGE_KEYS, PASSWORD, PGP, PGP_KEYS, VECTORS, ByProgram, keyed
from tests.fakes.decryptor import no_sops

pytestmark = needs_linux

PASSWORD_BY_HAND = "horse-by-hand"
VAULT = "{vault_address: 'https://vault.example', engine_path: transit, key_name: shop, enc: x, created_at: x}"
# Each of these is for an age key and a PGP key.
BOTH = sorted(
    path.name
    for path in PGP.iterdir()
    if b"AGE ENCRYPTED" in path.read_bytes() and path.stem not in ("groups", "bytes")
)


def test_there_is_a_vector_for_every_form_and_every_rule():
    assert {name.removesuffix(".plain") for name in (path.name for path in VECTORS.glob("*.plain"))} < set(BOTH)


@pytest.mark.parametrize("name", BOTH)
def test_a_file_is_opened_by_sops_to_the_very_bytes_that_age_opens_it_to(by_program: ByProgram, name: str):
    natively = SopsDecryptor(no_sops).decrypt(keyed(AGE_KEYS), [File(name, "oid", (PGP / name).read_bytes())])
    by_sops = by_program(keyed(pgp=PGP_KEYS), name)

    assert by_sops.files[0].content == natively.files[0].content
    assert (by_sops.values, by_sops.opened) == (natively.values, natively.opened)
    assert natively.values


@pytest.mark.parametrize(("name", "key"), [("only.yaml", "shop.asc"), ("old.yaml", "old.gpg")])
def test_a_file_for_pgp_alone_is_opened_with_keys_as_gpg_writes_them(by_program: ByProgram, name: str, key: str):
    opened = by_program(keyed(pgp=(PGP / "stranger.asc", PGP / key)), name)

    assert {"postgres", PASSWORD, "0042"} < opened.values
    assert f'password: "{PASSWORD}"' in opened.files[0].content.decode()
    assert opened.files[0].oid == f"oid+{opened.keys}"


def test_every_line_keeps_its_number(by_program: ByProgram):
    before = (PGP / "two.yaml").read_text().split("\n")
    after = by_program(keyed(pgp=PGP_KEYS), "two.yaml").files[0].content.decode().split("\n")

    assert len(before) == len(after)


def test_parts_of_a_key_are_put_together_where_there_are_enough(by_program: ByProgram):
    assert PASSWORD in by_program(keyed(AGE_KEYS, PGP_KEYS), "groups.yaml").values
    assert PASSWORD in by_program(keyed(pgp=(*PGP_KEYS, PGP / "stranger.asc")), "groups.yaml").values


def test_parts_of_a_key_for_age_alone_are_put_together_too(by_program: ByProgram):
    parts = (VECTORS / "groups.yaml").read_bytes()
    second = VECTORS / "second.key"

    assert PASSWORD in by_program(keyed((*AGE_KEYS, second)), "db.yaml", content=parts).values
    assert by_program.refusal(keyed(AGE_KEYS), "db.yaml", content=parts).code == "DECRYPT_FAILED"


def test_r18_too_few_parts_of_a_key(by_program: ByProgram):
    problem = by_program.refusal(keyed(AGE_KEYS), "groups.yaml")

    assert (problem.code, problem.file) == ("DECRYPT_KEY_TYPE", "groups.yaml")
    assert "age, pgp in 3 groups" in problem.message
    assert "decryption.pgpKeyFiles" in problem.hint


def test_r18_a_type_of_key_that_the_environment_does_not_have():
    with pytest.raises(RenderError) as refused:
        SopsDecryptor(no_sops).decrypt(keyed(AGE_KEYS), [File("only.yaml", "", (PGP / "only.yaml").read_bytes())])

    assert refused.value.problem.code == "DECRYPT_KEY_TYPE"
    assert "pgp" in refused.value.problem.message
    assert "decryption.pgpKeyFiles" in refused.value.problem.hint


@pytest.mark.parametrize("age", [(), AGE_KEYS], ids=["alone", "beside age keys that do not fit either"])
def test_r18_a_pgp_key_that_does_not_fit_is_told_with_those_that_would(by_program: ByProgram, age: tuple[Path, ...]):
    problem = by_program.refusal(keyed(age, PGP_KEYS), "strangers.yaml")

    assert problem.code == "DECRYPT_FAILED"
    assert f"pgp {fingerprint('strangers.yaml')}" in problem.message
    assert "incorrect key" in problem.cause
    assert "\n" not in problem.cause


@pytest.mark.parametrize("others", [(), PGP_KEYS], ids=["alone", "beside another"])
def test_r18_a_pgp_key_with_a_passphrase_is_told_as_such(by_program: ByProgram, others: tuple[Path, ...]):
    problem = by_program.refusal(keyed(pgp=(*others, PGP / "locked.asc")), "locked.yaml")

    assert problem.code == "DECRYPT_FAILED"
    assert "passphrase" in problem.message
    assert "decryption.pgpKeyFiles" in problem.hint


def test_a_key_that_is_gigabytes_when_unpacked_ends_sops_and_nothing_else(by_program: ByProgram):
    """``bomb.asc`` is 1.5 GB of nothing, encrypted to the environment's own key."""
    (indent,) = re.findall(r"( +)-----BEGIN PGP", ONLY)
    bomb = "\n".join(f"{indent}{line}".rstrip() for line in (PGP / "bomb.asc").read_text().splitlines())
    content = re.sub(r" +-----BEGIN PGP.*?END PGP MESSAGE-----", bomb, ONLY, flags=re.DOTALL).encode()

    assert by_program.refusal(keyed(pgp=PGP_KEYS), "only.yaml", content=content).code == "RENDER_KILLED"


def fingerprint(name: str) -> str:
    return re.findall(r"fp: (\w+)", (PGP / name).read_text())[0]


ONLY = (PGP / "only.yaml").read_text()
VALUE = re.findall(r"ENC\[AES256_GCM,[^\]]*type:str\]", ONLY)[0]
TAMPERED = {
    "a plain value changed": (ONLY.replace("name: db", "name: bd"), "DECRYPT_MAC"),
    "an encrypted value taken out": (re.sub(r"\n    pin: .*", "", ONLY), "DECRYPT_MAC"),
    "an encrypted value damaged": (ONLY.replace(VALUE, VALUE.replace("data:", "data:AAAA")), "DECRYPT_FAILED"),
    "half opened by hand": (ONLY.replace(VALUE, PASSWORD_BY_HAND), "DECRYPT_FAILED"),
    "the MAC made to cover less": (f"{ONLY}    mac_only_encrypted: true\n", "DECRYPT_MAC"),
    "metadata that is not known": (f"{ONLY}    HC_VAULT: []\n", "DECRYPT_METADATA"),
    "the same metadata twice": (f"{ONLY}    version: 3.13.3\n", "DECRYPT_FORMAT"),
}


@pytest.mark.parametrize(("content", "code"), TAMPERED.values(), ids=TAMPERED)
def test_r19_what_is_not_as_sops_wrote_it_is_refused_whole(by_program: ByProgram, content: str, code: str):
    problem = by_program.refusal(keyed(pgp=PGP_KEYS), "only.yaml", content=content.encode())

    assert (problem.code, problem.file) == (code, "only.yaml")
    assert not [said for said in (PASSWORD, PASSWORD_BY_HAND, "postgres", "ENC[") if said in repr(problem)]


def test_r19_a_text_that_sops_prints_as_null_is_refused_and_not_lost(by_program: ByProgram):
    problem = by_program.refusal(keyed(pgp=PGP_KEYS), "tab.yaml")

    assert problem.code == "DECRYPT_FORMAT"
    assert "split the file" in problem.hint


@pytest.mark.parametrize("environment", [keyed(AGE_KEYS), keyed(pgp=PGP_KEYS)], ids=["natively", "by sops"])
def test_r19_bytes_that_are_no_text_are_refused_and_not_changed(by_program: ByProgram, environment: Environment):
    assert by_program.refusal(environment, "bytes.yaml").code == "DECRYPT_FORMAT"


@pytest.mark.parametrize(
    ("file", "printed"), [(b"", b""), (b'"Secret"', b'"ConfigMap"'), (b'"Secret"', b"12")], ids=str
)
def test_r19_a_plain_value_must_be_what_sops_has_read(file: bytes, printed: bytes):
    plain = (VECTORS / "regex.json.plain").read_bytes()
    decryptor = SopsDecryptor(lambda: Printing(plain.replace(file, printed)))
    files = [File("regex.json", "", (PGP / "regex.json").read_bytes())]

    if file == printed:
        assert decryptor.decrypt(keyed(pgp=PGP_KEYS), files).opened
        return
    assert file in plain
    with pytest.raises(RenderError) as refused:
        decryptor.decrypt(keyed(pgp=PGP_KEYS), files)
    assert refused.value.problem.code == "DECRYPT_FORMAT"


def test_r19_what_a_binary_files_own_rule_leaves_plain_is_not_lost(by_program: ByProgram):
    recipient = re.findall(r"age1\w+", AGE_KEYS[0].read_text())[0]
    form = ["--input-type", "json", "--output-type", "json", "--filename-override", "a"]
    command = [build(["sops"])["sops"], "encrypt", "--age", recipient, "--unencrypted-suffix", "ata", *form]
    content = subprocess.run(command, input=b'{"data": "plain"}', env={}, capture_output=True, check=True).stdout

    opened = by_program(keyed(AGE_KEYS), "a.txt", content=content)

    assert opened.files[0].content == b"plain"
    assert opened.values == set()


def test_a_missing_sops_stops_only_who_needs_it(tmp_path):
    by_program = ByProgram(Workshop(tmp_path, {"sops": tmp_path / "absent"}))
    both = keyed(AGE_KEYS, PGP_KEYS)

    assert by_program(both, "regex.yaml").opened
    assert by_program.decryptor.keys(both) == by_program(both, "regex.yaml").keys
    assert by_program.refusal(both, "only.yaml").code == "TOOL_MISSING"
    assert "render.sops" in by_program.refusal(both, "only.yaml").hint


def test_no_more_is_tried_than_there_is_a_point_in(by_program: ByProgram):
    content = (PGP / "strangers.yaml").read_bytes()
    with pytest.raises(RenderError) as refused:
        by_program(keyed(pgp=PGP_KEYS), *(f"{number}.yaml" for number in range(REFUSALS_MAX + 2)), content=content)

    assert [problem.code for problem in refused.value.problems] == ["DECRYPT_FAILED"] * REFUSALS_MAX


def test_one_environment_does_not_keep_sops_for_itself():
    printing = Printing((VECTORS / "text.txt.plain").read_bytes())
    files = [File(f"{number}.txt", "", (PGP / "text.txt").read_bytes()) for number in range(RUNS_MAX + 2)]

    with pytest.raises(RenderError) as refused:
        SopsDecryptor(lambda: printing).decrypt(keyed(pgp=PGP_KEYS), files)

    assert [(one.code, one.file) for one in refused.value.problems] == [("DECRYPT_TOO_MANY", f"{RUNS_MAX}.txt")]
    assert printing.runs == RUNS_MAX


def test_a_service_that_does_not_answer_in_time_is_told_as_such():
    late = Late()
    services = KeyServices(allowed=(("hc_vault", "https://vault.example/*"),))
    beside = (PGP / "only.yaml").read_text().replace("\nsops:", f"\nsops:\n    hc_vault: [{VAULT}]")
    files = [File("a.yaml", "", beside.encode()), File("b.yaml", "", beside.encode())]

    with pytest.raises(RenderError) as refused:
        SopsDecryptor(lambda: late).decrypt(replace(keyed(pgp=PGP_KEYS), key_services=services), files)

    assert [(one.code, one.file) for one in refused.value.problems] == [("DECRYPT_SERVICE_FAILED", "a.yaml")]


def test_one_environment_does_not_keep_a_worker_for_itself():
    now = Now()
    slow = Slow((VECTORS / "text.txt.plain").read_bytes(), now)
    files = [File(f"{number}.txt", "", (PGP / "text.txt").read_bytes()) for number in range(9)]

    with pytest.raises(RenderError) as refused:
        SopsDecryptor(lambda: slow, now).decrypt(keyed(pgp=PGP_KEYS), files)

    assert [(one.code, one.file) for one in refused.value.problems] == [("DECRYPT_TOO_MANY", "3.txt")]
    assert slow.runs == 3


def test_what_was_refused_is_not_tried_again_at_each_pass():
    now, wrong = Now(), Printing(b"x")
    decryptor = SopsDecryptor(lambda: wrong, now)

    def runs(name: str, *more: Path) -> int:
        before = wrong.runs
        with pytest.raises(RenderError) as refused:
            decryptor.decrypt(keyed(pgp=(*PGP_KEYS, *more)), [File(name, "", (PGP / name).read_bytes())])
        assert refused.value.problem.code == "DECRYPT_FORMAT"
        return wrong.runs - before

    assert [runs("only.yaml"), runs("only.yaml")] == [1, 0]
    assert runs("whole.yaml") == 1
    assert runs("only.yaml", PGP / "stranger.asc") == 1
    now.seconds += PAUSE_S
    assert runs("only.yaml") == 1


def test_a_service_that_failed_is_asked_again_soon_and_with_other_credentials_at_once(tmp_path):
    token = tmp_path / "token"
    token.write_text("old")
    now, late = Now(), Late()
    decryptor = SopsDecryptor(lambda: late, now)
    services = KeyServices(allowed=(("hc_vault", "https://vault.example/*"),), vault_token_file=str(token))
    shop = replace(keyed(pgp=PGP_KEYS), key_services=services)
    beside = (PGP / "only.yaml").read_text().replace("\nsops:", f"\nsops:\n    hc_vault: [{VAULT}]")

    def is_asked() -> bool:
        before = late.runs
        with pytest.raises(RenderError) as refused:
            decryptor.decrypt(shop, [File("a.yaml", "", beside.encode())])
        assert refused.value.problem.code == "DECRYPT_SERVICE_FAILED"
        return late.runs > before

    assert [is_asked(), is_asked()] == [True, False]
    token.write_text("new")
    assert [is_asked(), is_asked()] == [True, False]
    now.seconds += SERVICE_PAUSE_S
    assert is_asked()


def test_what_may_pass_is_tried_at_each_pass(by_program: ByProgram, tmp_path):
    key = tmp_path / "shop.asc"
    shop = keyed(pgp=(key,))

    assert by_program.refusal(shop, "only.yaml").code == "DECRYPT_KEY_FILE"
    key.write_bytes((PGP / "stranger.asc").read_bytes())
    assert by_program.refusal(shop, "only.yaml").code == "DECRYPT_FAILED"
    key.write_bytes(PGP_KEYS[0].read_bytes())
    assert by_program(shop, "only.yaml").opened


def test_an_older_sops_is_not_used(tmp_path):
    by_program = ByProgram(Workshop(tmp_path, {"sops": build(["helm"])["helm"]}))

    assert by_program.refusal(keyed(pgp=PGP_KEYS), "only.yaml").code in ("TOOL_BROKEN", "TOOL_TOO_OLD")


def test_other_keys_services_or_another_sops_are_another_keyring():
    def keys(version: str, environment: Environment) -> str:
        return SopsDecryptor(lambda: OfVersion(version)).keys(environment)

    services = KeyServices(allowed=(("hc_vault", "https://vault.example/v1/transit/keys/shop"),))
    some = [
        keys("3.13.3", keyed(AGE_KEYS)),
        keys("3.13.3", keyed(pgp=PGP_KEYS)),
        keys("3.13.3", keyed(AGE_KEYS, PGP_KEYS)),
        keys("3.13.4", keyed(AGE_KEYS, PGP_KEYS)),
        keys("3.13.3", replace(keyed(AGE_KEYS), key_services=services)),
    ]

    assert len(set(some)) == len(some)
    assert keys("3.13.4", keyed(AGE_KEYS)) == some[0]
    assert keys("3.13.3", keyed()) == ""


@dataclass
class OfVersion:
    """A program that says its version, and opens nothing."""

    version: str = "3.13.3"

    def found(self) -> OfVersion:
        return self

    def run(self, arguments: Sequence[str], files: Iterable[tuple[str, bytes]], **given: object) -> Ran:
        raise AssertionError("nothing is to be opened")


class Late(OfVersion):
    """One that never ends by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0

    def run(self, arguments: Sequence[str], files: Iterable[tuple[str, bytes]], **given: object) -> Ran:
        self.runs += 1
        raise timed_out("sops", 90)


class Printing(OfVersion):
    """One that prints the same each time."""

    def __init__(self, printed: bytes) -> None:
        super().__init__()
        self.printed = printed
        self.runs = 0

    def run(self, arguments: Sequence[str], files: Iterable[tuple[str, bytes]], **given: object) -> Ran:
        self.runs += 1
        return Ran(0, self.printed, "")


class Now:
    """A clock that stands still."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Slow(Printing):
    """One that takes a third of all the time there is."""

    def __init__(self, printed: bytes, now: Now) -> None:
        super().__init__(printed)
        self.now = now

    def run(self, arguments: Sequence[str], files: Iterable[tuple[str, bytes]], **given: object) -> Ran:
        self.now.seconds += SECONDS_MAX / 3
        return super().run(arguments, files, **given)


WRONG = {
    "nothing": (b"", "no private PGP key"),
    "a public key": (
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n",
        "no private",
    ),
    "an age key": (AGE_KEYS[0].read_bytes(), "no private PGP key"),
    "a damaged key": (PGP_KEYS[0].read_bytes().replace(b"\n\nl", b"\n\n-"), "a damaged PGP key"),
}


@pytest.mark.parametrize(("content", "said"), WRONG.values(), ids=WRONG)
def test_a_file_that_holds_no_pgp_key_is_refused_by_its_name(tmp_path, content: bytes, said: str):
    file = tmp_path / "key.asc"
    file.write_bytes(content)

    with pytest.raises(RenderError) as refused:
        SopsDecryptor(no_sops).keys(keyed(pgp=(file,)))
    assert refused.value.problem.code == "DECRYPT_KEY_FILE"
    assert said in refused.value.problem.message
    assert "key.asc" in refused.value.problem.message
    assert "pgpKeyFiles" in refused.value.problem.hint


def test_no_key_is_in_a_repr():
    assert "pgp=" not in repr(read_keyring(keyed(AGE_KEYS, PGP_KEYS)))
