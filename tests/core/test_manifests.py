"""Files become manifests: rows O of the catalogue of bad input, and what is left out, opened and turned around."""

# ruff: noqa: N802  a test carries its row's letter

from __future__ import annotations

import base64
import json

import pytest

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests.directory import OBJECTS_MAX, desired_from
from gitopsd.core.manifests.objects import read_file
from gitopsd.core.model import Desired, File, ObjectRef, Revision

REVISION = Revision(ref="main", commit="c" * 40)
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: NAME\n"


def a_map(name: str = "a", more: str = "") -> str:
    return MAP.replace("NAME", name) + more


def files(**contents: str) -> list[File]:
    return [
        File(f"env/{name.replace('__', '/').replace('_', '.')}", name, content.encode())
        for name, content in contents.items()
    ]


def desired(*listed: File) -> Desired:
    return desired_from(REVISION, "env", listed)


def one(content: str, name: str = "a.yaml"):
    (manifest,) = desired(File(f"env/{name}", "1", content.encode())).manifests
    return manifest


def refused(*listed: File):
    with pytest.raises(RenderError) as caught:
        desired(*listed)
    return caught.value.problems


def refused_text(content: str):
    return refused(File("env/a.yaml", "1", content.encode()))


def codes_and_lines(problems) -> list[tuple[str, int]]:
    return [(problem.code, problem.line) for problem in problems]


def test_a_manifest_says_who_it_is_and_where_it_is_written():
    manifest = one("# a comment\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n")

    assert manifest.ref == ObjectRef("apps", "Deployment", "shop", "web")
    assert manifest.api_version == "apps/v1"
    assert str(manifest.origin) == "env/a.yaml:3"


def test_O01_to_O03_all_that_is_missing_is_told_at_once_for_every_document():
    problems = refused_text("a: 1\n---\nkind: ConfigMap\nmetadata: {}\n---\napiVersion: v1\nkind: X\nmetadata: text\n")

    assert codes_and_lines(problems) == [("FIELDS_MISSING", 1), ("FIELDS_MISSING", 3), ("FIELDS_MISSING", 6)]
    assert problems[0].message == "apiVersion, kind, metadata.name are missing"
    assert problems[1].message == "apiVersion, metadata.name are missing"
    assert problems[2].message == "metadata.name is missing"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("apiVersion: 1\nkind: A\nmetadata: {name: a}\n", 1),
        ("apiVersion: v1\nkind: true\nmetadata: {name: a}\n", 2),
        ("apiVersion: v1\nkind: A\nmetadata:\n  name: 1\n", 4),
        ("apiVersion: v1\nkind: A\nmetadata:\n  name: a\n  namespace: 1e3\n", 5),
    ],
)
def test_O01_to_O03_an_identity_is_text(content, line):
    assert codes_and_lines(refused_text(content)) == [("FIELD_NOT_TEXT", line)]


@pytest.mark.parametrize("version", ["a/b/c", "/v1", "v1/"])
def test_O01_an_api_version_has_one_group(version):
    assert codes_and_lines(refused_text(f"apiVersion: {version}\nkind: A\nmetadata: {{name: a}}")) == [
        ("API_VERSION_INVALID", 1)
    ]


@pytest.mark.parametrize("name", ["Web", "a" * 254, "a/b", "-a", "a-", "a..b", "a_b", "ä", "a b"])
def test_O04_a_name_that_the_server_would_refuse_is_refused(name):
    assert codes_and_lines(refused_text(a_map(name))) == [("NAME_INVALID", 4)]


@pytest.mark.parametrize(
    ("version", "kind", "name", "fine"),
    [
        ("v1", "ConfigMap", "a.b-c.1", True),
        ("v1", "Service", "a.b", False),
        ("v1", "Namespace", "a" * 64, False),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", "system:aggregate-to-View", True),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", "a/b", False),
        ("user.example.com/v1", "Group", "Team:Blue", True),
        ("user.example.com/v1", "Group", "a%b", False),
        ("networking.k8s.io/v1", "IPAddress", "2001:db8::1", True),
    ],
)
def test_O04_names_by_kind(version, kind, name, fine):
    content = f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: '{name}'}}"

    if fine:
        assert one(content).ref.name == name
    else:
        assert codes_and_lines(refused_text(content)) == [("NAME_INVALID", 3)]


def test_O04_a_namespace_is_a_label():
    assert codes_and_lines(refused_text(a_map(more="  namespace: a.b\n"))) == [("NAME_INVALID", 5)]


def test_O07_the_same_object_in_two_files_is_refused_with_both_places():
    (problem,) = refused(*files(a_yaml=a_map(), b__c_yaml="---\n" + a_map("b") + "---\n" + a_map()))

    assert (problem.code, problem.where) == ("DUPLICATE_OBJECT", "env/b/c.yaml:7")
    assert "env/a.yaml:1" in problem.message


def test_O08_the_same_object_by_another_version_is_the_same_object():
    scaler = "apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\n"
    problems = refused_text(scaler + "---\n" + scaler.replace("v1", "v2"))

    assert codes_and_lines(problems) == [("DUPLICATE_OBJECT", 5)]


def test_O07_the_same_name_in_another_namespace_is_another_object():
    assert len(desired(*files(a_yaml=a_map(), b_yaml=a_map(more="  namespace: shop\n"))).manifests) == 2


def test_O11_generate_name_is_refused():
    only = refused_text("apiVersion: v1\nkind: Pod\nmetadata:\n  generateName: a-\n")
    beside = refused_text(a_map(more="  generateName: a-\n"))

    assert codes_and_lines([*only, *beside]) == [("GENERATE_NAME", 4), ("GENERATE_NAME", 5)]


CONTAINER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
        - name: web
          env:
            - {name: A, value: "1"}
            - {name: B, value: "1"}
            - name: A
              value: "2"
          ports:
            - containerPort: 80
            - {containerPort: 80, protocol: UDP}
            - containerPort: 80
              protocol: TCP
          volumeMounts:
            - {name: v, mountPath: /a}
            - {name: w, mountPath: /a}
      initContainers:
        - {name: x}
        - {name: x}
      volumes:
        - name: v
        - name: v
"""


def test_O20_entries_of_keyed_lists_with_one_key_are_refused_with_their_lines():
    problems = refused_text(CONTAINER)

    assert {problem.code for problem in problems} == {"LIST_DUPLICATE_ENTRY"}
    assert sorted(problem.line for problem in problems) == [12, 17, 21, 24, 27]
    assert all(problem.ref == "Deployment web" for problem in problems)


@pytest.mark.parametrize(
    ("version", "kind", "spec", "line"),
    [
        ("v1", "Service", "spec:\n  ports:\n  - port: 80\n  - {port: 80, protocol: UDP}\n  - port: 80", 8),
        ("v1", "ServiceAccount", "secrets:\n- name: a\n- name: a", 6),
        ("v1", "Pod", "spec:\n  imagePullSecrets:\n  - name: a\n  - name: a", 7),
        (
            "batch/v1",
            "CronJob",
            "spec: {jobTemplate: {spec: {template: {spec:\n {volumes: [{name: a},\n {name: a}]}}}}}",
            6,
        ),
        ("apps/v1", "StatefulSet", "spec: {template: {spec:\n {hostAliases: [{ip: 1.1.1.1},\n {ip: 1.1.1.1}]}}}", 6),
        (
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            "webhooks: [{name: a.b.c},\n{name: a.b.c}]",
            5,
        ),
    ],
)
def test_O20_keyed_lists_of_other_kinds(version, kind, spec, line):
    problems = refused_text(f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\n{spec}\n")

    assert codes_and_lines(problems) == [("LIST_DUPLICATE_ENTRY", line)]


def test_O20_a_custom_kind_is_not_judged_by_the_tables_of_others():
    content = CONTAINER.replace("apps/v1", "example.com/v1")

    assert one(content).ref.group == "example.com"


@pytest.mark.parametrize("secret", ["hunter2!", "aGk", "aGk=x", "ü", "a GVsbG8="])
def test_O21_a_secret_that_is_not_base64_is_refused_without_its_value(secret):
    content = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\ndata:\n  password: '{secret}'\n"
    (problem,) = refused_text(content)

    assert (problem.code, problem.line) == ("NOT_BASE64", 5)
    assert secret not in repr(problem) + str(problem)


def test_O21_binary_data_of_a_config_map_is_judged_too():
    assert codes_and_lines(refused_text(a_map(more="binaryData:\n  a: '?'\n"))) == [("NOT_BASE64", 6)]


def secret_data(content: str) -> object:
    body = one(f"apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\n{content}").body
    assert "stringData" not in body
    return body.get("data")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_O22_string_data_becomes_data_and_wins_a_clash():
    found = secret_data("data: {a: aGk=, b: aGk=}\nstringData: {b: höher, c: ''}\n")

    assert found == {"a": "aGk=", "b": encoded("höher"), "c": ""}


def test_O22_base64_over_several_lines_is_written_as_one():
    long = encoded("x" * 100)

    assert secret_data(f"data:\n  a: |\n    {long[:60]}\n    {long[60:]}\n") == {"a": long}


def test_O22_a_secret_without_any_stays_without_any():
    assert secret_data("type: Opaque\n") is None


def test_O22_string_data_that_is_not_text_is_refused():
    content = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  pin: 1234\n"
    (problem,) = refused_text(content)

    assert (problem.code, problem.line) == ("FIELD_NOT_TEXT", 5)
    assert "1234" not in repr(problem)


def test_O23_an_object_that_no_server_takes_is_refused():
    assert codes_and_lines(refused_text(a_map(more=f"data: {{a: {'x' * 1_600_000}}}\n"))) == [("OBJECT_TOO_LARGE", 1)]


def test_O37_status_is_dropped():
    assert "status" not in one(a_map(more="status: {a: 1}\n")).body


def test_O37_with_or_without_status_the_digest_is_one():
    assert one(a_map(more="status: {a: 1}\n")).digest == one(a_map()).digest


@pytest.mark.parametrize(
    "field",
    [
        "managedFields: []",
        "uid: a-b",
        "resourceVersion: '1'",
        "creationTimestamp: 2026-01-01T00:00:00Z",
        "selfLink: /a",
        "generation: 1",
        "deletionTimestamp: 2026-01-01T00:00:00Z",
        "ownerReferences: [{uid: a}]",
    ],
)
def test_O38_O40_O41_fields_of_the_server_are_refused_with_their_line(field):
    assert codes_and_lines(refused_text(a_map(more=f"  {field}\n"))) == [("SERVER_FIELD", 5)]


def test_O40_the_line_is_that_of_the_key_even_if_its_value_stands_below():
    more = "  ownerReferences:\n    # the ReplicaSet\n    - uid: a\n"

    assert codes_and_lines(refused_text(a_map(more=more))) == [("SERVER_FIELD", 5)]


def test_O38_empty_fields_of_the_server_are_dropped():
    manifest = one(a_map(more="  creationTimestamp: null\n  labels: null\n  namespace: ''\n"))

    assert manifest.body["metadata"] == {"name": "a"}


def test_O39_the_last_applied_annotation_is_dropped():
    more = "  annotations: {kubectl.kubernetes.io/last-applied-configuration: '{}', b: c}\n"

    assert one(a_map(more=more)).annotations == {"b": "c"}


@pytest.mark.parametrize(
    "label", ["applyset.kubernetes.io/part-of", "applyset.kubernetes.io/id", "gitopsd.dev/environment"]
)
def test_O42_labels_that_only_gitopsd_writes_are_refused(label):
    assert codes_and_lines(refused_text(a_map(more=f"  labels:\n    {label}: x\n"))) == [("APPLY_SET_LABEL", 6)]


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("labels: {a: 'x y'}", "LABEL_INVALID"),
        (f"labels: {{a: {'x' * 64}}}", "LABEL_INVALID"),
        (f"labels: {{{'x' * 64}: a}}", "LABEL_INVALID"),
        ("labels: {a/b/c: x}", "LABEL_INVALID"),
        ("labels: {Example.com/b: x}", "LABEL_INVALID"),
        ("labels: {a: 1}", "LABEL_INVALID"),
        ("labels: {a: true}", "LABEL_INVALID"),
        ("annotations: {a: 1234e56}", "ANNOTATION_INVALID"),
        ("annotations: {a/b/c: x}", "ANNOTATION_INVALID"),
        (f"annotations: {{a: {'x' * 262_144}}}", "ANNOTATION_INVALID"),
    ],
)
def test_O45_labels_and_annotations_that_the_server_would_refuse(field, code):
    assert codes_and_lines(refused_text(a_map(more=f"  {field}\n"))) == [(code, 5)]


def test_O45_labels_and_annotations_at_their_limits_are_fine():
    prefix = ".".join(["a" * 63] * 3)
    more = f"  labels: {{{prefix}/{'X' * 63}: {'x' * 63}, b: ''}}\n  annotations: {{Example.com/b: {'x' * 262_131}}}\n"

    assert one(a_map(more=more)).labels["b"] == ""


def test_Y14_lists_are_opened_and_their_items_have_lines():
    inner = "- apiVersion: v1\n  kind: List\n  items:\n  - {apiVersion: v1, kind: Secret, metadata: {name: s}}\n"
    typed = "---\napiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: b}\n- metadata:\n    name: c\n"
    empty = "---\napiVersion: v1\nkind: List\nitems: []\n"
    content = (
        f"apiVersion: v1\nkind: List\nitems:\n{inner}- apiVersion: v1\n  kind: ConfigMap\n  metadata: {{name: a}}\n"
    )
    manifests = desired(*files(a_yaml=content + typed + empty)).manifests

    assert [(str(manifest.ref), manifest.origin.line) for manifest in manifests] == [
        ("ConfigMap a", 8),
        ("ConfigMap b", 15),
        ("ConfigMap c", 16),
        ("Secret s", 7),
    ]


@pytest.mark.parametrize("items", ["[null]", "null", "[1]", "text", "[[]]"])
def test_Y14_items_that_are_no_objects_are_refused(items):
    assert codes_and_lines(refused_text(f"apiVersion: v1\nkind: List\nitems: {items}\n")) == [("NOT_AN_OBJECT", 3)]


def test_Y14_a_named_object_whose_kind_ends_in_list_is_no_list():
    assert one("apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: a}\nitems: [1]\n").ref.kind == "AllowList"


def test_Y33_the_filter_is_as_documented():
    kept = ["a.yaml", "b.yml", "c.json", "D.YAML", "e.Yml", "sub/f.yaml", "sub/sub/g.yaml", "sub/gitops.yaml"]
    left_out = [
        *("h.yaml~", "i.yaml.bak", ".j.yaml", ".k/l.yaml", "sub/.m/n.yaml", "#o.yaml#", "~p.yaml", "q.txt", "r"),
        *("README.md", "README.yaml", "s.yaml.swp", "kustomization.txt", "t.yaml.orig"),
    ]
    listed = [
        File(
            f"env/{path}",
            path,
            json.dumps({"apiVersion": "v1", "kind": "A", "metadata": {"name": f"n{index}"}}).encode(),
        )
        for index, path in enumerate([*kept, *left_out])
    ]

    assert sorted(manifest.origin.file for manifest in desired(*listed).manifests) == sorted(
        f"env/{path}" for path in kept
    )


def test_Y33_problems_of_all_files_are_told_together():
    problems = refused(*files(a_yaml="a: [", b_yaml=a_map("B"), c_json="{,}", d_yaml=a_map()))

    assert [(problem.file, problem.code) for problem in problems] == [
        ("env/a.yaml", "YAML_SYNTAX"),
        ("env/b.yaml", "NAME_INVALID"),
        ("env/c.json", "JSON_SYNTAX"),
    ]


def test_G24_a_pointer_to_large_file_storage_is_refused():
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"

    assert codes_and_lines(refused_text(pointer)) == [("LFS_POINTER", 1)]


@pytest.mark.parametrize("listed", [{}, {"a_txt": a_map()}, {"a_yaml": "# nothing\n"}, {"a_yaml": "---\n---\n"}])
def test_C1_C2_a_directory_without_objects_is_refused(listed):
    (problem,) = refused(*files(**listed))

    assert problem.code == "EMPTY_ENVIRONMENT"
    assert problem.file == "env"


def test_R19_what_sops_encrypted_is_never_applied():
    sealed = a_map(more="data: {a: 'ENC[AES256_GCM,data:x]'}\nsops: {mac: x, lastmodified: x}\n")

    assert codes_and_lines(refused_text(sealed)) == [("ENCRYPTED", 1)]


def test_more_objects_than_fit_are_refused():
    one_too_many = "---\n".join(a_map(f"a{index}") for index in range(OBJECTS_MAX + 1))

    assert [problem.code for problem in refused_text(one_too_many)] == ["ENVIRONMENT_TOO_LARGE"]


def test_more_files_than_fit_are_refused():
    listed = [File(f"env/{index}.yaml", "1", b"") for index in range(5_001)]

    assert [problem.code for problem in refused(*listed)] == ["ENVIRONMENT_TOO_LARGE"]


def test_more_bytes_than_fit_are_refused():
    listed = [File(f"env/{index}.yaml", "1", b"#" * 2_000_000) for index in range(9)]

    assert [problem.code for problem in refused(*listed)] == ["ENVIRONMENT_TOO_LARGE"]


def test_very_many_problems_are_counted_not_told():
    listed = [File(f"env/{index}.yaml", "1", b"a: 1") for index in range(500)]
    problems = refused(*listed)

    assert len(problems) == 101
    assert problems[-1].message == "and 400 more problems"


def test_the_digest_does_not_depend_on_files_order_or_spelling():
    as_yaml = desired(*files(a_yaml=a_map("a", "data: {x: '1'}\n"), b_yaml=a_map("b")))
    as_one = desired(*files(z_yaml=a_map("b") + "---\n" + a_map("a", 'data:\n  # why\n  x: "1"\nstatus: {}\n')))
    as_json = {"metadata": {"name": "a"}, "data": {"x": "1"}, "kind": "ConfigMap", "apiVersion": "v1"}
    mixed = desired(*files(a_json=json.dumps(as_json), b_yaml=a_map("b")))

    assert as_yaml.digest == as_one.digest == mixed.digest
    assert [one.digest for one in as_yaml.manifests] == [one.digest for one in mixed.manifests]


@pytest.mark.parametrize(
    "other",
    [
        {"a_yaml": a_map("a", "data: {x: '2'}\n"), "b_yaml": a_map("b")},
        {"a_yaml": a_map("a", "data: {x: '1'}\n")},
        {
            "a_yaml": a_map("a", "data: {x: '1'}\n"),
            "b_yaml": a_map("b"),
            "gitopsd_yaml": "apiVersion: gitopsd.dev/v1\nkind: Environment\nnamespace: shop\n",
        },
    ],
    ids=["a value", "an object less", "the namespace of all"],
)
def test_the_digest_changes_with_the_content(other):
    assert (
        desired(*files(a_yaml=a_map("a", "data: {x: '1'}\n"), b_yaml=a_map("b"))).digest
        != desired(*files(**other)).digest
    )


def test_the_digest_does_not_change_with_settings_that_change_no_object():
    settings = "apiVersion: gitopsd.dev/v1\nkind: Environment\nhealth: {timeout: 1m}\n"

    assert desired(*files(a_yaml=a_map())).digest == desired(*files(a_yaml=a_map(), gitopsd_yaml=settings)).digest


def test_a_file_with_a_problem_still_gives_its_good_objects():
    content = read_file(File("a.yaml", "1", (a_map("A") + "---\n" + a_map("b")).encode()))

    assert [str(written.manifest.ref) for written in content.objects] == ["ConfigMap b"]
    assert len(content.problems) == 1


def test_a_body_never_appears_in_a_repr():
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a: hunter2}\n"
    (file,) = files(a_yaml=secret)

    assert "hunter2" not in repr(read_file(file)) + repr(desired(file)) + repr(file)
    assert encoded("hunter2") not in repr(read_file(file)) + repr(desired(file))
