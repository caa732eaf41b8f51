"""What developers commit: a kustomization for the shop, encrypted files for the payments, a chart for the wiki."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rig.images import WEB
from tests.e2e.followed import STAGING, Followed, Json
from tests.git_server import Entry
from tests.sops_file import encrypted_dotenv, encrypted_object

PAYMENTS = Followed("payments", "payments", keys="age")
WIKI = Followed("wiki", "wiki", source="wiki")
# More than gitopsd reads one by one.
LEDGERS = 11


def settings(of: Followed = STAGING, *, probes: Sequence[Json] = (), **more: Any) -> dict[str, str]:
    """An environment's own file."""
    body = {
        "apiVersion": "gitopsd.dev/v1",
        "kind": "Environment",
        "namespace": of.namespace,
        "health": {"timeout": "2m", "soak": "2s", "probes": list(probes)},
        **more,
    }
    return {f"{of.directory}/gitopsd.yaml": json.dumps(body)}


def web(version: str, *, image: str = WEB) -> dict[str, str]:
    """A web server, its Service and a Secret, as a kustomization."""
    return {
        f"{STAGING.directory}/kustomization.yaml": json.dumps({"resources": ["web.yaml"]}),
        f"{STAGING.directory}/web.yaml": "\n---\n".join(
            json.dumps(one)
            for one in (
                _deployment(version, image),
                _object(
                    "v1", "Service", "web", spec={"selector": _LABELS, "ports": [{"port": 80, "targetPort": 8080}]}
                ),
                _object("v1", "Secret", "web", stringData={"key": "s3cret"}),
            )
        ),
    }


def chart(version: str, *, smoke_test: str = "") -> dict[str, str]:
    """The same web server as a chart beside the environment, which has values of its own, and may have a smoke test."""
    helm = {"chart": "../../charts/web", "valuesFiles": ["values.yaml"]}
    return {
        "charts/web/Chart.yaml": json.dumps({"apiVersion": "v2", "name": "web", "version": "1.0.0"}),
        "charts/web/templates/web.yaml": json.dumps(_deployment("{{ .Values.version }}", "{{ .Values.image }}")),
        f"{WIKI.directory}/values.yaml": json.dumps({"version": version, "image": WEB}),
        f"{WIKI.directory}/smoke/job.yaml": json.dumps(_job("smoke", smoke_test)),
        **settings(WIKI, probes=[{"job": "smoke/job.yaml"}] if smoke_test else [], render={"helm": helm}),
    }


def encrypted(recipient: str, number: str) -> dict[str, Entry]:
    """A Secret, and a file from which kustomize makes many, all encrypted to that key."""
    whole = {"envs": ["ledger.env"], "options": {"disableNameSuffixHash": True}}
    ledgers = [{"name": f"ledger-{each}", **whole} for each in range(LEDGERS)]
    card = _object("v1", "Secret", "card", stringData={"number": number})
    return {
        f"{PAYMENTS.directory}/kustomization.yaml": json.dumps(
            {"resources": ["card.yaml"], "secretGenerator": ledgers}
        ),
        f"{PAYMENTS.directory}/card.yaml": encrypted_object(recipient, card),
        f"{PAYMENTS.directory}/ledger.env": encrypted_dotenv(recipient, {"number": number}),
        **settings(PAYMENTS),
    }


_LABELS = {"app": "web"}


def _deployment(version: str, image: str) -> Json:
    container = {"name": "web", "image": image, "env": [{"name": "VERSION", "value": version}]}
    pod = {"metadata": {"labels": _LABELS}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]}}
    return _object(
        "apps/v1", "Deployment", "web", spec={"replicas": 1, "selector": {"matchLabels": _LABELS}, "template": pod}
    )


def _job(name: str, script: str) -> Json:
    container = {"name": name, "image": WEB, "command": ["/bin/busybox", "sh", "-c", script]}
    pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return _object("batch/v1", "Job", name, spec={"backoffLimit": 0, "template": pod})


def _object(api_version: str, kind: str, name: str, **rest: Any) -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **rest}
