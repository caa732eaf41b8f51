"""What a person sees printed: reviewed like code, at a terminal of 80 columns and through a pipe."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

from gitopsd.cli.app import run_command
from gitopsd.cli.changes import plan_json, show_diff, show_plan
from gitopsd.cli.output import Output
from gitopsd.cli.passes import once_json
from gitopsd.cli.tables import seconds_said, show_status
from gitopsd.core.errors import Problem, RenderError, Stage
from gitopsd.core.passes import Git, Look, Prospect
from gitopsd.core.plan import Action, Cause, Change, Plan, Prune
from gitopsd.core.status.overview import View, environment_status, status
from gitopsd.web import Server, create_app
from tests.cli.terminal import on_a_terminal
from tests.core.views import (
    ENVIRONMENT,
    GOOD,
    GOOD_SET,
    HOLD,
    READY,
    REVERTED,
    ROLLED_OUT,
    TAB,
    WEB,
    failing,
    unseen,
    whole,
)
from tests.make import found, manifest, ref, sight


def named(view, name):
    return replace(view, environment=replace(ENVIRONMENT, name=name))


FLEET = whole(
    named(READY, "staging"),
    named(REVERTED, "production/web"),
    named(ROLLED_OUT, "production/api"),
    named(failing(READY, TAB, "RenderError"), "production/jobs"),
    named(unseen(), "production/new"),
)


@pytest.mark.parametrize("output", [Output.TABLE, Output.WIDE, Output.NAME])
def test_status_through_a_pipe(output, capsys, snapshot):
    show_status(status(FLEET), output)

    assert capsys.readouterr().out == snapshot


@pytest.mark.parametrize(("output", "read"), [(Output.JSON, json.loads), (Output.YAML, yaml.safe_load)])
def test_status_for_a_machine_is_the_whole_status(output, read, capsys):
    show_status(status(FLEET), output)

    assert read(capsys.readouterr().out) == status(FLEET)


def test_status_through_a_pipe_is_one_line_an_environment(capsys):
    show_status(status(FLEET), Output.TABLE)

    assert len(capsys.readouterr().out.splitlines()) == 1 + len(FLEET.environments)


def test_status_at_a_terminal_fits_80_columns(server, snapshot):
    printed = on_a_terminal("status", "--server", server.url, columns=80, TERM="dumb")

    assert max(len(line) for line in printed.splitlines()) < 81
    assert printed == snapshot


def test_status_of_one_environment(capsys):
    show_status(environment_status(FLEET, "production/web"), Output.TABLE)

    assert capsys.readouterr().out.splitlines()[1].startswith("production/web  main@aaaaaaa")


def test_history_at_a_terminal(server, snapshot):
    printed = on_a_terminal("history", "production/web", "--server", server.url, columns=80, TERM="dumb")

    assert printed == snapshot


def test_once_tells_a_machine_everything_it_must(snapshot):
    ended = once_json(whole(replace(REVERTED, writes={"create": 1, "patch": 2}, requests=30, stages={"fetch": 0.4})))

    assert json.loads(json.dumps(ended)) == snapshot


SECRET = manifest("Secret", "password")


def changed(one, action, cause, *patch, body=None) -> Change:
    seen = sight(one.ref) if action is not Action.CREATE else sight(one.ref, None)
    if body:
        seen = replace(seen, live=replace(found(one.ref), body=body))
    return Change(action=action, cause=cause, manifest=one, sight=seen, patch=patch)


LIVE = {"spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "web", "image": "shop/web:1"}]}}}}
PLAN = Plan(
    digest=GOOD_SET.digest,
    revision=GOOD,
    changes=(
        changed(manifest("ConfigMap", "settings"), Action.CREATE, Cause.NEW),
        changed(
            WEB,
            Action.UPDATE,
            Cause.COMMIT,
            {"op": "replace", "path": "/spec/replicas", "value": 5},
            {"op": "replace", "path": "/spec/template/spec/containers/web/image", "value": "shop/web:2"},
            {"op": "remove", "path": "/metadata/annotations/team"},
            body=LIVE,
        ),
        changed(
            SECRET,
            Action.UPDATE,
            Cause.DRIFT,
            {"op": "replace", "path": "/data/password", "value": "***"},
            body={"data": {"password": "aHVudGVyMg=="}},
        ),
    ),
    pending={ref("Widget", "w"): "for CustomResourceDefinition widgets.example.com"},
    conflicts=(
        Problem(
            code="ADOPTION_REFUSED",
            stage=Stage.PLAN,
            message="exists already and belongs to Helm release shop/web",
            hint="remove it there",
            ref="Service shop/web",
            file="service.yaml",
            line=1,
        ),
    ),
    prunes=(Prune(manifest("ConfigMap", "old").ref, "uid-old"),),
    unchanged_count=12,
)


@pytest.fixture
def look() -> Look:
    return replace(READY.latest.look, plan=PLAN)


def test_a_plan_in_words(look, capsys, snapshot):
    show_plan("staging", look)

    assert capsys.readouterr().out == snapshot


def test_a_diff_in_words(look, capsys, snapshot):
    show_diff("staging", look)

    assert capsys.readouterr().out == snapshot


@pytest.mark.parametrize("show", [show_diff, show_plan])
def test_no_value_of_a_secret_is_printed(look, capsys, show):
    show("staging", look)

    assert "aHVudGVyMg" not in capsys.readouterr().out


def test_a_plan_for_a_machine_has_every_patch(look):
    changes = plan_json(Prospect(git=Git(), look=look))["changes"]

    assert [len(change["patch"]) for change in changes] == [0, 3, 1]
    assert "aHVudGVyMg" not in json.dumps(plan_json(Prospect(git=Git(), look=look)))


def test_a_plan_says_what_is_held_and_what_git_cannot_give(look, capsys):
    held = replace(look, target=replace(look.target, hold=HOLD))
    prospect = Prospect(git=Git(rejected=RenderError(TAB)), look=held)

    show_plan("staging", held)
    shown = plan_json(prospect)

    assert f"{HOLD.revision} is held; lift that with: gitopsd release staging" in capsys.readouterr().out
    assert (shown["held"], shown["problems"][0]["code"]) == (str(HOLD.revision), "YAML_TAB")


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0s"), (59.9, "59s"), (90, "1m30s"), (3600, "1h"), (90_061, "1d1h"), (-5, "0s")]
)
def test_a_duration_is_said_in_its_two_largest_units(seconds, said):
    assert seconds_said(seconds) == said


@pytest.fixture
def server():
    running = Server(create_app(_fleet))
    running.start()
    yield running
    running.stop()


def _fleet() -> View:
    return FLEET


def test_a_running_daemon_is_asked_over_http(server, capsys):
    code = run_command(["status", "--server", server.url, "-o", "json"])

    assert (code, json.loads(capsys.readouterr().out)) == (0, status(FLEET))


def test_the_history_of_a_running_daemon_is_asked_over_http(server, capsys):
    code = run_command(["history", "production/web", "--server", server.url, "-o", "json"])

    assert (code, len(json.loads(capsys.readouterr().out))) == (0, 3)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("status", "nowhere"), 2, "ENVIRONMENT_UNKNOWN"),
        (("status", "--server", "ftp://x"), 2, "SERVER_ADDRESS"),
        (("status", "--server", "http://127.0.0.1:1"), 3, "DAEMON_UNREACHABLE"),
    ],
    ids=["an environment that is not there", "no address", "nobody there"],
)
def test_what_cannot_be_asked_ends_with(server, arguments, code, said, capsys):
    assert run_command(["status", "--server", server.url, *arguments[1:]]) == code
    assert said in capsys.readouterr().err


def test_an_error_is_told_for_someone_paged_at_night(capsys, snapshot):
    run_command(["status", "--server", "ftp://x"])

    assert capsys.readouterr().err == snapshot
