"""CEL over one object: true, false, not to be told yet, or no expression at all."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time

import pytest

from gitopsd.adapters.probes.expressions import Checked, Invalid, Truth, Untold, truths
from gitopsd.core.errors import RenderError
from gitopsd.core.model import Desired, Environment, Revision, Wanted
from gitopsd.core.probes import CelProbe
from gitopsd.core.settings import Settings

BODY = {
    "metadata": {"name": "web", "generation": 3},
    "spec": {"n": 3, "ratio": 0.75, "many": list(range(200))},
    "status": {"ready": True, "conditions": [{"type": "Ready", "status": "True"}]},
}
REVISION = Revision(ref="main", commit="c" * 40)


def truth(expression: str) -> Truth:
    (answer,) = truths(expression, [BODY], timeout_s=20)
    return answer


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("object.status.ready", True),
        ("object.spec.n == 3", True),
        ("object.spec.n > 3", False),
        ("object.spec.ratio > 0.5", True),
        ("object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')", True),
        ("has(object.status.nope) && object.status.nope", False),
        ("object.metadata.name.startsWith('we')", True),
    ],
)
def test_what_it_says(expression, answer):
    assert truth(expression) is answer


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        pytest.param("object.status.nope == 1", "nope", id="a field that is not there yet"),
        pytest.param("object.spec.many.all(a, object.spec.many.all(b, a + b >= 0))", "budget", id="it takes too long"),
        pytest.param("object.spec.n / 0 == 1", "divide by zero", id="it has no value"),
    ],
)
def test_what_cannot_be_told(expression, said):
    answer = truth(expression)

    assert isinstance(answer, Untold)
    assert said in answer.why


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        pytest.param("object.(", "Syntax error", id="no expression"),
        pytest.param("status.ready", "undeclared reference", id="another variable"),
        pytest.param("1 + 2", "gives a INT", id="no yes or no, seen at once"),
        pytest.param("object.metadata.name", "gives a STRING", id="no yes or no, seen late"),
    ],
)
def test_what_never_can_be(expression, said):
    with pytest.raises(Invalid, match=said):
        truth(expression)


NINETY = f"[{', '.join('1' * 90)}]"


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param(f"{NINETY}.all(a, {NINETY}.all(b, !object.text.matches('(a|b|c)*d')))", id="minutes"),
        pytest.param(f"{NINETY}.map(a, {NINETY}.map(b, object.text + object.text)).size() > 0", id="gigabytes"),
    ],
)
def test_what_takes_too_much_takes_nothing_of_gitopsds(expression):
    beats = [time.monotonic()]
    is_over = threading.Event()

    def beat() -> None:
        while not is_over.wait(0.05):
            beats.append(time.monotonic())

    heart = threading.Thread(target=beat)
    heart.start()
    with pytest.raises(Invalid, match="takes more than 3 s or 256 MiB"):
        truths(expression, [{"text": "a" * 900_000}], timeout_s=3)
    is_over.set()
    heart.join()

    assert max(later - before for before, later in itertools.pairwise(beats)) < 2


def _desired(*written: str) -> Desired:
    probes = tuple(CelProbe(name=one[:9], kind="Web", expression=one) for one in written)
    return Desired(revision=REVISION, digest="d", manifests=(), settings=Settings(probes=probes))


def test_a_commit_whose_expression_is_none_is_refused_with_all_of_them():
    class Renderer:
        def render(self, environment, wanted):
            return _desired("object.a == 1", "object.(", "1 + 2")

    environment = Environment(name="staging", source="git", path="environments/staging")
    with pytest.raises(RenderError) as refused:
        Checked(Renderer()).render(environment, Wanted(revision=REVISION, tree="t"))

    assert [(one.code, one.file) for one in refused.value.problems] == [
        ("CEL_INVALID", "environments/staging/gitopsd.yaml")
    ] * 2


WITHOUT_CEL = """
import sys
sys.modules["cel_expr_python"] = None
from gitopsd.adapters.probes.expressions import expression_problems
from gitopsd.core.probes import CelProbe
from gitopsd.core.settings import Settings
probe = CelProbe(name="ready", kind="Web", expression="object.status.ready")
for problem in expression_problems(Settings(probes=(probe,)), ""):
    print(problem.code, problem.file, problem.hint)
"""


def test_without_the_library_the_extra_is_named():
    done = subprocess.run([sys.executable, "-c", WITHOUT_CEL], capture_output=True, text=True, check=False)

    assert done.stdout.startswith("EXTRA_MISSING gitopsd.yaml"), done.stderr
    assert "gitopsd[cel]" in done.stdout
