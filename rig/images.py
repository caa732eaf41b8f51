"""Container images without a registry: from Dockerfiles by buildah, as archives, into the node's containerd."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from rig.cluster import Cluster
from rig.errors import RigError
from rig.network import enter
from rig.paths import cache_root
from rig.say import say

SOCKET = "/run/containerd.sock"
CTR = ("ctr", "--address", SOCKET, "--namespace", "k8s.io")
PAUSE = "rig.test/pause:1"
WEB = "rig.test/web:1"
GIT = "rig.test/git:1"
DEBIAN = "debian:trixie-slim"
_DOCKERFILES = Path(__file__).parent / "images"
_WIDTH = 100
_LAST_WORDS = 4
_UNUSED_S = 3600
_ISOLATED = ("--isolation", "chroot", "--network", "host")


def pause_image() -> Path:
    """What holds a pod's network open: `catatonit`, from this machine's package."""
    return _from_program(PAUSE, "pause", "catatonit")


def web_image() -> Path:
    """A web server of a megabyte: `busybox httpd` on port 8080."""
    return _from_program(WEB, "web", "busybox")


def git_image() -> Path:
    """A Git server: `lighttpd` over HTTPS on port 8443, `sshd` on port 2222; its Dockerfile says what to mount."""
    base_image()
    return build_image(_DOCKERFILES / "git", GIT)


def base_image() -> str:
    """`debian:trixie-slim`, made here because no registry is asked: as bare as the real one. Dockerfiles find it."""
    if not _known(DEBIAN):
        _make_base()
    return DEBIAN


def build_image(context: Path, tag: str, *, dockerfile: Path | None = None, options: Sequence[str] = ()) -> Path:
    """Build a Dockerfile and return the archive to load."""
    file = dockerfile or context / "Dockerfile"
    with tempfile.NamedTemporaryFile("r") as told:
        _bud(
            *_ISOLATED, "--format", "oci", "--layers", "--iidfile", told.name, *options, "-t", tag, "-f", file, context
        )
        return _export(tag, told.read().removeprefix("sha256:"))


def load(cluster: Cluster, archive: Path) -> None:
    """Make the image known to the cluster's node."""
    with archive.open("rb") as content:
        done = subprocess.run(
            [*enter(cluster), *CTR, "images", "import", "-"], stdin=content, capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise RigError(f"Loading {archive.name} failed: {done.stderr.strip()}", remedy="Is the node up? `rig status`.")


def _from_program(tag: str, name: str, program: str) -> Path:
    found = shutil.which(program)
    if found is None:
        raise RigError(f"There is no {program} here", remedy="Install it as root: sh rig/install-node.sh.")
    made_of = hashlib.sha256(Path(found).read_bytes() + (_DOCKERFILES / name / "Dockerfile").read_bytes()).hexdigest()
    archive = _archives() / f"{name}-{made_of[:12]}.tar"
    if not archive.exists():
        context = _archives() / f".{name}.context"
        shutil.rmtree(context, ignore_errors=True)
        shutil.copytree(_DOCKERFILES / name, context)
        shutil.copy(found, context / program)
        build_image(context, tag).rename(archive)
        shutil.rmtree(context)
    return archive


def _make_base() -> None:
    say(f"making {DEBIAN} with mmdebstrap, about 1 min the first time")
    tree = _archives() / "trixie.tar"
    slim = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "info", "locale", "man")]
    made = subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", *slim, "trixie", tree], stdout=sys.stderr, check=False
    )
    if made.returncode != 0:
        tree.unlink(missing_ok=True)
        raise RigError(f"mmdebstrap could not make {DEBIAN}", remedy="Check that this machine's Debian mirror answers.")
    container = _buildah("from", "scratch")
    _buildah("add", container, tree, "/")
    _buildah("config", "--cmd", "/bin/bash", "--created-by", f"mmdebstrap: {DEBIAN}", container)
    _buildah("commit", "--rm", container, DEBIAN)
    tree.unlink()


def _export(tag: str, image: str) -> Path:
    """What was exported before is not exported again; of a tag go those that nobody used for an hour.

    Builds from several trees share the tag, so the image is named by what it is.
    """
    name = tag.replace("/", "-").replace(":", "-")
    archive = _archives() / f"{name}-{image[:12]}.tar"
    if not archive.exists():
        half = _archives() / f"{archive.name}.{os.getpid()}.half"
        half.unlink(missing_ok=True)
        _buildah("push", image, f"docker-archive:{half}:{tag}")
        half.rename(archive)
    archive.touch()
    for older in _archives().glob(f"{name}-*.tar"):
        if older.stat().st_mtime < archive.stat().st_mtime - _UNUSED_S:
            older.unlink(missing_ok=True)
    return archive


def _known(tag: str) -> bool:
    asked = subprocess.run([*_storage(), "images", "-q", tag], capture_output=True, text=True, check=False)
    return bool(asked.stdout.strip())


def _bud(*arguments: str | Path) -> None:
    """Build, telling of each step that may take long."""
    said: list[str] = []
    command = [*_storage(), "bud", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as building:
        for line in building.stdout or ():
            said.append(line.strip())
            if "STEP " in line and ": RUN " in line:
                say(f"{line.strip():.{_WIDTH}}")
    if building.returncode != 0:
        last = " / ".join([line for line in said if line and not line.startswith("subprocess exited")][-_LAST_WORDS:])
        raise RigError(f"buildah failed: {last}", remedy="Its words say what the Dockerfile lacks.")


def _buildah(*arguments: str | Path) -> str:
    done = subprocess.run([*_storage(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise RigError(f"buildah {arguments[0]} failed: {last}", remedy="Its words say what the Dockerfile lacks.")
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


@cache
def _storage() -> tuple[str, ...]:
    """Layers that lie over each other where the kernel can do that here; else each layer is a copy of the one below."""
    overlay, copies = _stored("overlay"), _stored("vfs")
    asked = subprocess.run([*overlay, "info"], capture_output=True, check=False)
    return overlay if asked.returncode == 0 else copies


def _stored(driver: str) -> tuple[str, ...]:
    """All in the cache: what an interrupted build leaves, too."""
    home, scratch = cache_root() / "buildah" / driver, cache_root() / "buildah" / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    places = ("--root", str(home / "root"), "--runroot", str(home / "run"))
    return ("env", f"TMPDIR={scratch}", "buildah", "--storage-driver", driver, *places)


def _archives() -> Path:
    folder = cache_root() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
