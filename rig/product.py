"""The product's own image: the repository's Dockerfile, on the base and with the programs that the rig makes."""

import shutil
import ssl
from pathlib import Path

from rig.archives import differing, digest, files
from rig.binaries import IN_IMAGE, build
from rig.errors import RigError
from rig.images import base_image, build_image
from rig.paths import cache_root
from rig.say import say

PRODUCT = "localhost/gitopsd:dev"
_REPOSITORY = Path(__file__).parent.parent
_FEW = 10


def product_image() -> Path:
    """The archive to load, named by its digest. What did not change since the last build is not made again."""
    # Equal to what the Dockerfile's own stage builds, but built once for everything here.
    return _built("--build-context", f"tools={_tools()}")


def product_image_twice() -> Path:
    """Build it two times from nothing, the second time with the Dockerfile's own kustomize and helm.

    A difference is refused, and named.
    """
    say("the first of two builds from nothing: with the rig's kustomize and helm")
    made = _built("--no-cache", "--build-context", f"tools={_tools()}")
    first, held = digest(made), files(made)
    say("the second: with those that the Dockerfile builds")
    again = _built("--no-cache")
    if digest(again) != first:
        few = ", ".join(differing(held, files(again))[:_FEW]) or "only their configuration"
        raise RigError(f"Two builds differ: {few}", remedy="See what in the Dockerfile depends on when it runs.")
    return again


def _built(*options: str) -> Path:
    base_image()
    return build_image(_REPOSITORY, PRODUCT, options=["--timestamp", "0", *_authorities(), *options])


def _authorities() -> list[str]:
    """Whom this machine trusts: a proxy between it and the registries may have a certificate of its own."""
    trusted = ssl.get_default_verify_paths().cafile
    return ["--secret", f"id=ca,src={trusted}"] if trusted else []


def _tools() -> Path:
    folder = cache_root() / "images" / "tools"
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in build(IN_IMAGE).items():
        if not (folder / name).exists() or (folder / name).stat().st_mtime_ns != path.stat().st_mtime_ns:
            shutil.copy2(path, folder / name)
    return folder
