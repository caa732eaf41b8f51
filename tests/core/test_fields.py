import pytest

from gitopsd.core.fields import annotation, flag, label, part, parts, read, text, whole, whole_or_none

BODY = {
    "spec": {"replicas": 3, "paused": True, "name": "web", "containers": [{"name": "app"}, "stray", {"name": "log"}]},
    "metadata": {"labels": {"app.kubernetes.io/name": "web"}, "annotations": {"a.b/c": "d", "n": 1}},
    "null": None,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param("spec.replicas", 3, id="a number is found"),
        pytest.param("spec.nothing", None, id="an absent key reads as nothing"),
        pytest.param("spec.name.deeper", None, id="a path through text reads as nothing"),
        pytest.param("spec.containers.name", None, id="a path through a list reads as nothing"),
        pytest.param("null.deeper", None, id="a path through null reads as nothing"),
    ],
)
def test_a_path_leads_to_what_is_there(path, found):
    assert read(BODY, path) == found


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        pytest.param(lambda: text(BODY, "spec.name"), "web", id="text is read"),
        pytest.param(lambda: text(BODY, "spec.replicas", "-"), "-", id="a number is no text"),
        pytest.param(lambda: whole(BODY, "spec.replicas", 1), 3, id="a number is read"),
        pytest.param(lambda: whole(BODY, "spec.paused", 7), 7, id="true is no number"),
        pytest.param(lambda: whole_or_none(BODY, "spec.name"), None, id="text is no number"),
        pytest.param(lambda: flag(BODY, "spec.paused"), True, id="true is a flag"),
        pytest.param(lambda: flag(BODY, "spec.replicas"), False, id="a number is no flag"),
        pytest.param(lambda: dict(part(BODY, "spec.name")), {}, id="text is no object"),
        pytest.param(
            lambda: [p["name"] for p in parts(BODY, "spec.containers")], ["app", "log"], id="strays are left out"
        ),
        pytest.param(lambda: parts(BODY, "spec.name"), (), id="text is no list"),
        pytest.param(lambda: label(BODY, "app.kubernetes.io/name"), "web", id="a label's name may have dots"),
        pytest.param(lambda: annotation(BODY, "a.b/c"), "d", id="an annotation's name may have dots"),
        pytest.param(lambda: annotation(BODY, "n"), "", id="an annotation that is no text is left out"),
    ],
)
def test_what_has_another_type_reads_as_the_default(reading, expected):
    assert reading() == expected
