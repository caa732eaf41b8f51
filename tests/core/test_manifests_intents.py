"""What annotations ask for, in our words and in those of other tools."""

from __future__ import annotations

import pytest

from gitopsd.core.errors import RenderError
from gitopsd.core.manifests.directory import desired_from, read_directory
from gitopsd.core.manifests.intents import HOOK_WAVES, NEVER_RECREATED, Intents, foreign_annotations, intents_of
from gitopsd.core.manifests.validate import findings_of, rendered_json
from gitopsd.core.model import File, Manifest, ObjectRef, Revision


def a_file(annotations: str, kind: str, version: str, labels: str) -> File:
    metadata = f"name: a, namespace: shop, annotations: {{{annotations}}}, labels: {{{labels}}}"
    return File("env/a.yaml", "1", f"apiVersion: {version}\nkind: {kind}\nmetadata: {{{metadata}}}\n".encode())


def manifest(annotations: str, kind: str = "ConfigMap", version: str = "v1", labels: str = "") -> Manifest:
    file = a_file(annotations, kind, version, labels)
    return desired_from(Revision(ref="main", commit="c"), "env", [file]).manifests[0]


def asked(annotations: str, **more: str) -> Intents:
    return intents_of(manifest(annotations, **more))


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ("", Intents()),
        ("example.com/a: b", Intents()),
        ("gitopsd.dev/prune: never", Intents(prune_never=True)),
        ("gitopsd.dev/prune: disabled", Intents(prune_never=True)),
        ("gitopsd.dev/prune: allow", Intents()),
        ("gitopsd.dev/reconcile: disabled", Intents(unmanaged=True)),
        ("gitopsd.dev/recreate: on-immutable", Intents(recreate=True)),
        ("gitopsd.dev/health: ignore", Intents(health_ignore=True)),
        ("gitopsd.dev/adopt: 'true'", Intents(adopt=True)),
        ("gitopsd.dev/adopt: 'false'", Intents()),
        ("gitopsd.dev/wave: '-1'", Intents(wave=-1)),
        (
            "gitopsd.dev/ignore-paths: '/spec/replicas, /spec/a'",
            Intents(ignore_paths=("/spec/replicas", "/spec/a")),
        ),
    ],
)
def test_our_own_words(annotations, expected):
    assert asked(annotations) == expected


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ("kustomize.toolkit.fluxcd.io/prune: Disabled", Intents(prune_never=True)),
        ("kustomize.toolkit.fluxcd.io/prune: enabled", Intents()),
        ("kustomize.toolkit.fluxcd.io/reconcile: disabled", Intents(unmanaged=True)),
        ("kustomize.toolkit.fluxcd.io/ssa: Ignore", Intents(unmanaged=True)),
        ("kustomize.toolkit.fluxcd.io/ssa: IfNotPresent", Intents(create_only=True)),
        ("kustomize.toolkit.fluxcd.io/ssa: Merge", Intents()),
        ("kustomize.toolkit.fluxcd.io/force: Enabled", Intents(recreate=True)),
        ("argocd.argoproj.io/sync-options: Prune=false", Intents(prune_never=True)),
        ("argocd.argoproj.io/sync-options: 'Validate=false,Delete=confirm'", Intents(prune_never=True)),
        ("argocd.argoproj.io/sync-options: 'Force=true, Replace=true'", Intents(recreate=True)),
        ("argocd.argoproj.io/sync-options: ServerSideApply=true", Intents()),
        ("argocd.argoproj.io/sync-wave: '5'", Intents(wave=5)),
        ("argocd.argoproj.io/sync-wave: five", Intents()),
        ("argocd.argoproj.io/hook: Skip", Intents(unmanaged=True)),
        ("argocd.argoproj.io/hook: SyncFail", Intents(unmanaged=True)),
        ("argocd.argoproj.io/hook: PreSync", Intents(wave=-HOOK_WAVES)),
        ("argocd.argoproj.io/hook: PostSync, argocd.argoproj.io/sync-wave: '2'", Intents(wave=HOOK_WAVES + 2)),
        ("argocd.argoproj.io/ignore-healthcheck: 'true'", Intents(health_ignore=True)),
        ("helm.sh/resource-policy: keep", Intents(prune_never=True)),
        ("helm.sh/hook: test", Intents(unmanaged=True)),
        ("helm.sh/hook: 'pre-delete, post-rollback'", Intents(unmanaged=True)),
        ("helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-weight: '-5'", Intents(wave=-HOOK_WAVES - 5)),
        ("helm.sh/hook: 'post-install, post-upgrade, test'", Intents(wave=HOOK_WAVES)),
        ("helm.sh/hook: 'pre-upgrade, pre-delete'", Intents(wave=-HOOK_WAVES)),
        ("helm.sh/hook: pre-install", Intents(wave=-HOOK_WAVES, create_only=True)),
        ("helm.sh/hook: 'Post-Install, pre-delete'", Intents(wave=HOOK_WAVES, create_only=True)),
        ("client.lifecycle.config.k8s.io/deletion: detach", Intents(prune_never=True)),
        ("cli-utils.sigs.k8s.io/on-remove: keep", Intents(prune_never=True)),
        ("kapp.k14s.io/delete-strategy: orphan", Intents(prune_never=True)),
    ],
)
def test_the_words_of_other_tools(annotations, expected):
    assert asked(annotations) == expected


def test_our_own_word_comes_before_that_of_others():
    assert asked("gitopsd.dev/wave: '1', argocd.argoproj.io/sync-wave: '2', argocd.argoproj.io/hook: PreSync").wave == 1


def test_flux_understands_labels_too():
    assert asked("", labels="kustomize.toolkit.fluxcd.io/prune: disabled").prune_never


def test_a_job_is_recreated_unless_asked_otherwise():
    assert asked("", kind="Job", version="batch/v1").recreate
    assert not asked("gitopsd.dev/recreate: never", kind="Job", version="batch/v1").recreate


@pytest.mark.parametrize("kind", sorted(NEVER_RECREATED))
def test_what_cannot_be_made_again_is_never_recreated(kind):
    assert not asked("gitopsd.dev/recreate: on-immutable", kind=kind).recreate


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("gitopsd.dev/depends-on: Job/migrate", ObjectRef("batch", "Job", "shop", "migrate")),
        ("gitopsd.dev/depends-on: Widget.example.com/w", ObjectRef("example.com", "Widget", "shop", "w")),
        ("gitopsd.dev/depends-on: Secret/other/s", ObjectRef("", "Secret", "other", "s")),
        (
            "gitopsd.dev/depends-on: ClusterRole/r",
            ObjectRef("rbac.authorization.k8s.io", "ClusterRole", "", "r"),
        ),
        (
            "config.kubernetes.io/depends-on: apps/namespaces/shop/Deployment/web",
            ObjectRef("apps", "Deployment", "shop", "web"),
        ),
        ("config.kubernetes.io/depends-on: /namespaces/shop/Secret/s", ObjectRef("", "Secret", "shop", "s")),
        ("config.kubernetes.io/depends-on: /Namespace/shop", ObjectRef("", "Namespace", "", "shop")),
    ],
)
def test_what_an_object_waits_for(annotation, expected):
    assert asked(annotation).depends_on == (expected,)


def test_an_object_may_wait_for_several():
    found = asked("gitopsd.dev/depends-on: 'Job/a, Job/b', config.kubernetes.io/depends-on: /Namespace/c")

    assert [ref.name for ref in found.depends_on] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "annotation",
    [
        "gitopsd.dev/wave: one",
        "gitopsd.dev/wave: '10001'",
        "gitopsd.dev/prune: no",
        "gitopsd.dev/prune: 'false'",
        "gitopsd.dev/health: ignored",
        "gitopsd.dev/depends-on: migrate",
        "gitopsd.dev/depends-on: Job/",
        "gitopsd.dev/depends-on: a/b/c/d",
        "gitopsd.dev/depends-on: ''",
        "gitopsd.dev/ignore-paths: spec.replicas",
        "gitopsd.dev/ignore-paths: /metadata/name",
        "gitopsd.dev/wafe: '1'",
    ],
)
def test_a_word_of_ours_that_means_nothing_is_refused(annotation):
    with pytest.raises(RenderError) as caught:
        manifest(annotation)

    assert (caught.value.problem.code, caught.value.problem.line) == ("ANNOTATION_INVALID", 3)


def test_a_misspelt_annotation_of_ours_is_told_the_likely_one():
    with pytest.raises(RenderError, match=r"did you mean gitopsd\.dev/wave\?"):
        manifest("gitopsd.dev/wafe: '1'")


def test_each_word_of_another_tool_is_said_to_act_or_not():
    found = foreign_annotations(
        manifest(
            "argocd.argoproj.io/sync-options: 'Prune=false,Validate=false', argocd.argoproj.io/sync-wave: '3',"
            "kapp.k14s.io/change-group: db, helm.sh/hook: pre-install, gitopsd.dev/adopt: 'true', a: b"
        )
    )

    assert [(annotation.key.split("/")[1], annotation.word, annotation.meaning) for annotation in found] == [
        ("sync-options", "prune=false", "never pruned"),
        ("sync-options", "validate=false", ""),
        ("sync-wave", "3", f"goes in wave {3 - HOOK_WAVES}"),
        ("hook", "pre-install", "goes before everything else"),
        ("change-group", "db", ""),
    ]


def test_of_several_hooks_the_ones_that_only_helm_runs_do_not_act():
    found = foreign_annotations(manifest("helm.sh/hook: 'post-upgrade, test'"))
    (alone,) = foreign_annotations(manifest("helm.sh/hook: test"))

    assert [(one.word, one.meaning) for one in found] == [("post-upgrade", "goes after everything else"), ("test", "")]
    assert alone.meaning == "left alone"


def test_a_foreign_word_that_our_own_overrules_does_not_act():
    (wave,) = foreign_annotations(manifest("gitopsd.dev/wave: '1', argocd.argoproj.io/sync-wave: '2'"))
    (force,) = foreign_annotations(manifest("kustomize.toolkit.fluxcd.io/force: enabled", kind="StatefulSet"))

    assert (wave.meaning, force.meaning) == ("", "")


def test_validate_tells_problems_and_foreign_annotations():
    files = (a_file("helm.sh/resource-policy: keep", "ConfigMap", "v1", ""), File("env/b.yaml", "2", b"a: ["))
    found = findings_of(read_directory("env", files))

    assert (found.objects, [problem.code for problem in found.problems]) == (1, ["YAML_SYNTAX"])
    assert [(warning.code, str(warning.where)) for warning in found.warnings] == [
        ("FOREIGN_ANNOTATION_ACTS", "env/a.yaml:1")
    ]
    assert "never pruned" in found.warnings[0].message


def test_render_prints_one_canonical_array_in_ref_order():
    second = File("env/b.json", "2", b'{"kind":"A","apiVersion":"v1","metadata":{"name":"x"}}')
    first = File("env/a.yaml", "1", "kind: B\nmetadata: {name: é}\napiVersion: b.io/v1\n".encode())

    assert rendered_json(read_directory("env", (first, second))).decode() == (
        '[{"apiVersion":"v1","kind":"A","metadata":{"name":"x"}},'
        '{"apiVersion":"b.io/v1","kind":"B","metadata":{"name":"é"}}]'
    )


def test_render_refuses_what_cannot_be_rendered():
    with pytest.raises(RenderError):
        rendered_json(read_directory("env", (File("env/b.yaml", "2", b"a: ["),)))
