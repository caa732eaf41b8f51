"""An object that holds what was encrypted is known, however it holds it; and texts lose it."""

from __future__ import annotations

from base64 import b64encode

import pytest

from gitopsd.core.errors import Problem, Stage
from gitopsd.core.model import Json
from gitopsd.core.secrecy import MASK, Secrecy

PASSWORD = "correct-horse-battery"
ENV_FILE = f"USER=postgres\nPASSWORD='{PASSWORD}'\n"


def spec(value: Json) -> dict[str, Json]:
    return {"kind": "Deployment", "spec": {"containers": [{"env": [{"name": "A", "value": value}]}]}}


HELD = {
    "whole": spec(PASSWORD),
    "inside a longer text": spec(f"postgres://shop:{PASSWORD}@db/shop"),
    "in base64": spec(b64encode(PASSWORD.encode()).decode()),
    "inside base64": spec(b64encode(f"shop:{PASSWORD}".encode()).decode()),
    "inside base64 inside a text": spec(f"Basic {b64encode(f'shop:{PASSWORD}'.encode()).decode()}"),
    "as a key": {"data": {PASSWORD: "x"}},
    "as an item": {"args": ["--password", PASSWORD]},
}


@pytest.mark.parametrize("body", HELD.values(), ids=HELD)
def test_an_object_that_holds_a_value_is_known(body):
    assert Secrecy.of([PASSWORD]).is_told_by(body)


@pytest.mark.parametrize("value", [PASSWORD.upper(), PASSWORD[:-1], "", "correct", 7])
def test_an_object_that_does_not_is_not(value):
    assert not Secrecy.of([PASSWORD]).is_told_by(spec(value))


def test_what_the_lines_of_a_file_assign_counts():
    secrecy = Secrecy.of([ENV_FILE])

    assert secrecy.is_told_by(spec(PASSWORD))
    assert secrecy.is_told_by(spec("postgres"))
    assert Secrecy.of([f"{PASSWORD} as a name=1\n"]).is_told_by({"data": {f"{PASSWORD} as a name": "1"}})
    assert not secrecy.is_told_by({"data": {"PASSWORD": "x"}})
    assert Secrecy.of([f"db:\n  password: {PASSWORD}\n"]).is_told_by(spec(PASSWORD))


def test_a_short_value_counts_as_a_whole_only():
    secrecy = Secrecy.of(["4711"])

    assert secrecy.is_told_by(spec("4711"))
    assert secrecy.is_told_by(spec(4711))
    assert secrecy.is_told_by(spec(b64encode(b"4711").decode()))
    assert not secrecy.is_told_by(spec("port 47110"))


def test_a_value_of_a_letter_or_two_is_no_secret():
    assert not Secrecy.of(["a", "no", ""]).is_told_by(spec("no"))


def test_nothing_encrypted_hides_nothing():
    assert not Secrecy.of([]).is_told_by(spec(PASSWORD))
    assert Secrecy.of([]).masked(PASSWORD) == PASSWORD


@pytest.mark.parametrize("form", [PASSWORD, b64encode(PASSWORD.encode()).decode()])
def test_a_text_loses_it(form):
    assert Secrecy.of([PASSWORD]).masked(f"cannot parse {form!r} here") == f"cannot parse '{MASK}' here"


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("after", ["", "z", "zy"])
def test_a_text_loses_it_inside_base64(before, after):
    told = b64encode(f"{before}{PASSWORD}{after}".encode()).decode()
    masked = Secrecy.of([PASSWORD]).masked(f"Authorization: Basic {told}")
    # At its ends a letter of base64 belongs to two bytes.
    left = masked.removeprefix("Authorization: Basic ").replace(MASK, "").rstrip("=")

    assert MASK in masked
    assert len(left) <= len(b64encode(before.encode())) + len(b64encode(after.encode())) + 2


def test_a_text_loses_it_as_json_writes_it():
    assert Secrecy.of(['pass"word\\x']).masked(r'{"said": "pass\"word\\x"}') == f'{{"said": "{MASK}"}}'


def test_the_longest_value_is_hidden_first():
    assert Secrecy.of(["battery", PASSWORD]).masked(f"x {PASSWORD} y") == f"x {MASK} y"


def test_a_problem_loses_it_everywhere_and_keeps_its_place():
    problem = Problem(
        code="A_B",
        stage=Stage.RENDER,
        message=f"m {PASSWORD}",
        cause=f"c {PASSWORD}",
        hint=f"h {PASSWORD}",
        ref=f"ConfigMap {PASSWORD}",
        file="a.yaml",
        line=3,
    )

    masked = Secrecy.of([PASSWORD]).masked_problem(problem)

    assert PASSWORD not in repr(masked)
    assert (masked.code, masked.file, masked.line) == ("A_B", "a.yaml", 3)


def test_one_among_thousands_is_found_and_hidden_like_one_alone():
    values = [f"value-number-{number:05}" for number in range(5_000)]
    told = f"before {values[4_321]} and {b64encode(values[17].encode()).decode()} after"
    many = Secrecy.of(values)

    assert many.is_told_by({"text": told})
    assert not many.is_told_by({"text": "before value-number-5000 after"})
    assert many.masked(told) == f"before {MASK} and {MASK} after"


def test_its_repr_tells_nothing():
    assert PASSWORD not in repr(Secrecy.of([PASSWORD]))
