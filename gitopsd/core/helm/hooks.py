"""What becomes of helm's hooks here, said of every object that has one: a hook that acts otherwise must not surprise.

Hooks are members of the set like all others: put in order by their moment and weight, kept, and pruned when they go.
What only helm runs is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from gitopsd.core.errors import Problem, Stage
from gitopsd.core.manifests.intents import (
    helm_hooks,
    intents_of,
    is_for_install_only,
    is_for_upgrade_only,
    is_only_helms,
)
from gitopsd.core.model import Manifest

_DELETE_POLICY = "helm.sh/hook-delete-policy"
_LEFT_OUT = re.compile(r'skipping unknown hooks" hookTypes=(?P<hooks>"[^"\n]*"|\S+)')


def hook_warnings(manifests: Iterable[Manifest]) -> Iterator[Problem]:
    """Yield a warning for each object with a hook."""
    for manifest in manifests:
        hooks = helm_hooks(manifest)
        if hooks:
            yield Problem(
                code="HELM_HOOK",
                stage=Stage.RENDER,
                message=f"helm's hook {', '.join(sorted(hooks))}: {'; '.join(_effects(manifest, hooks))}",
                ref=str(manifest.ref),
                file=manifest.origin.file,
                line=manifest.origin.line,
            )


def unknown_hook_warnings(said: str, file: str) -> Iterator[Problem]:
    """Yield a warning for each object that helm left out, by its own words, for a hook that it does not know."""
    for found in _LEFT_OUT.finditer(said):
        hooks = found["hooks"].strip('"')
        yield Problem(
            code="HELM_HOOK_UNKNOWN",
            stage=Stage.RENDER,
            message=f"helm leaves out an object for its hook {hooks}",
            hint="move a CustomResourceDefinition to crds/; correct any other",
            file=file,
        )


def _effects(manifest: Manifest, hooks: frozenset[str]) -> Iterator[str]:
    wishes = intents_of(manifest)
    if wishes.unmanaged:
        yield "never applied, only helm runs it" if is_only_helms(hooks) else "left alone"
        return
    if wishes.wave:
        yield "it goes before everything else" if wishes.wave < 0 else "it goes after everything else"
    if is_for_install_only(hooks):
        yield "it is made once, and never changed"
    elif is_for_upgrade_only(hooks):
        yield "it goes with the first sync too, and runs again only when it changes"
    else:
        yield "it runs again only when it changes, not at each sync"
    if _DELETE_POLICY in manifest.annotations:
        yield "it stays when it is done, whatever its delete policy says"
