"""The product's own image: the repository's Dockerfile, on the base and with the programs that the rig makes."""

import shutil
import ssl
from pathlib import Path

from rig.binaries import build
from rig.images import base_image, build_image
from rig.paths import cache_root

PRODUCT = "localhost/gitopsd:dev"
_REPOSITORY = Path(__file__).parent.parent
_TOOLS = ("helm", "kustomize")


def product_image(*, fresh: bool = False) -> Path:
    """The archive to load. What did not change since the last build is not made again, unless `fresh` wants all of it.

    Its name ends with the digest of its content: two builds with the same name are equal.
    """
    base_image()
    # Equal to what the Dockerfile's own stage builds from the same pins, but built once for everything here.
    options = ["--timestamp", "0", "--build-context", f"tools={_tools()}", *_authorities()]
    return build_image(_REPOSITORY, PRODUCT, options=[*options, *(["--no-cache"] if fresh else [])])


def _authorities() -> list[str]:
    """Whom this machine trusts: a proxy between it and the registries may have a certificate of its own."""
    trusted = ssl.get_default_verify_paths().cafile
    return ["--secret", f"id=ca,src={trusted}"] if trusted else []


def _tools() -> Path:
    folder = cache_root() / "images" / "tools"
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in build(_TOOLS).items():
        if not (folder / name).exists() or (folder / name).stat().st_mtime_ns != path.stat().st_mtime_ns:
            shutil.copy2(path, folder / name)
    return folder
