"""What is rendered from an encrypted file is marked as far as it holds a value of it, and no further."""

from __future__ import annotations

import json

from gitopsd.adapters.secrets import SopsDecryptor
from gitopsd.core.manifests.concealment import concealed
from gitopsd.core.manifests.directory import read_directory
from gitopsd.core.model import File
from gitopsd.core.probes import JobProbe
from tests.adapters.secrets.conftest import VECTORS, with_keys
from tests.fakes.decryptor import no_sops
from tests.sops_file import encrypted_object

PASSWORD = "correct-horse-battery"
RECIPIENT = (VECTORS / "ours.key").read_text().split("public key: ")[1].split()[0]
SEALED = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "sealed"}, "data": {"url": f"x:{PASSWORD}@y"}}
COPIED = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: copied}}\ndata: {{url: 'x:{PASSWORD}@y'}}\n"
SMOKE = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "smoke"},
    "spec": {"template": {"spec": {"containers": [{"name": "a", "env": [{"name": "URL", "value": PASSWORD}]}]}}},
}
OTHER = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\ndata: {a: b}\n"


def test_an_object_is_marked_wherever_it_came_from():
    files = [
        File("shop/sealed.yaml", "1", encrypted_object(RECIPIENT, SEALED)),
        File("shop/copied.yaml", "2", COPIED.encode()),
        File("shop/other.yaml", "3", OTHER.encode()),
    ]
    opened = SopsDecryptor(no_sops).decrypt(with_keys(VECTORS / "ours.key"), files)

    rendered = concealed(read_directory("shop", opened.files), opened.values)

    marked = {one.manifest.ref.name: one.manifest.sensitive for one in rendered.objects}
    assert marked == {"copied": True, "other": False, "sealed": True}


def test_the_job_of_a_probe_is_marked_as_an_object_is():
    jobs = ("sealed", "copied", "other")
    probes = ", ".join(f"{{job: {{file: {name}-job.yaml, name: {name}}}}}" for name in jobs)
    settings = f"apiVersion: gitopsd.dev/v1\nkind: Environment\nhealth: {{probes: [{probes}]}}\n"
    files = [
        File("shop/gitopsd.yaml", "1", settings.encode()),
        File("shop/sealed-job.yaml", "2", encrypted_object(RECIPIENT, SMOKE)),
        File("shop/copied-job.yaml", "3", json.dumps(SMOKE).encode()),
        File("shop/other-job.yaml", "4", json.dumps({**SMOKE, "spec": {"template": {}}}).encode()),
        File("shop/other.yaml", "5", OTHER.encode()),
    ]
    opened = SopsDecryptor(no_sops).decrypt(with_keys(VECTORS / "ours.key"), files)

    rendered = concealed(read_directory("shop", opened.files), opened.values)

    assert not rendered.problems
    marked = {probe.name: probe.sensitive for probe in rendered.settings.probes if isinstance(probe, JobProbe)}
    assert marked == {"sealed": True, "copied": True, "other": False}


def test_a_problem_does_not_repeat_a_value():
    wrong = {**SEALED, "metadata": {"name": PASSWORD.upper()}, "data": {"url": PASSWORD.upper()}}
    files = [File("shop/wrong.yaml", "1", encrypted_object(RECIPIENT, wrong))]
    opened = SopsDecryptor(no_sops).decrypt(with_keys(VECTORS / "ours.key"), files)

    rendered = concealed(read_directory("shop", opened.files), opened.values)

    assert rendered.problems
    assert PASSWORD.upper() not in str(rendered.problems)
