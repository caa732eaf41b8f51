"""What is rendered from an encrypted file is marked as far as it holds a value of it, and no further."""

from __future__ import annotations

from gitopsd.adapters.secrets import SopsDecryptor
from gitopsd.core.manifests.concealment import concealed
from gitopsd.core.manifests.directory import read_directory
from gitopsd.core.model import File
from tests.adapters.secrets.conftest import VECTORS, with_keys
from tests.fakes.decryptor import no_sops
from tests.sops_file import encrypted_object

PASSWORD = "correct-horse-battery"
RECIPIENT = (VECTORS / "ours.key").read_text().split("public key: ")[1].split()[0]
SEALED = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "sealed"}, "data": {"url": f"x:{PASSWORD}@y"}}
COPIED = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: copied}}\ndata: {{url: 'x:{PASSWORD}@y'}}\n"
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


def test_a_problem_does_not_repeat_a_value():
    wrong = {**SEALED, "metadata": {"name": PASSWORD.upper()}, "data": {"url": PASSWORD.upper()}}
    files = [File("shop/wrong.yaml", "1", encrypted_object(RECIPIENT, wrong))]
    opened = SopsDecryptor(no_sops).decrypt(with_keys(VECTORS / "ours.key"), files)

    rendered = concealed(read_directory("shop", opened.files), opened.values)

    assert rendered.problems
    assert PASSWORD.upper() not in str(rendered.problems)
