"""No secret shows in anything that gitopsd says, writes or starts: each canary of each source, in each sink.

A whole run against a real API server, Git with a password, kustomize and helm: secrets are applied, changed by hand,
rotated, and refused by the server and by both tools in messages that quote them; and a commit is put back because its
smoke test failed, which logs its password. ``OPEN``, which everybody may see, must be found in the sinks, or they were
not looked into.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import os
import pty
import subprocess
import sys
import tarfile
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pyrage
import pytest

from gitopsd.adapters.secrets import SopsDecryptor
from gitopsd.adapters.secrets.pgp import read_ring
from gitopsd.config import load_config
from gitopsd.daemon import Daemon
from gitopsd.daemon.wiring import wire
from rig.binaries import build
from rig.ports import free_ports
from rig.waiting import wait_for
from tests.cluster.played_kubelet import PlayedNode, played_kubelet
from tests.cluster.stage import HastyClock, Stage, configmap
from tests.git_server import Entry, GitServer, git
from tests.sops_file import encrypted_binary, encrypted_dotenv, encrypted_for_pgp, encrypted_object

pytestmark = [pytest.mark.cluster, pytest.mark.rig_power, pytest.mark.timeout(600)]

SOURCES = (
    "git-token",
    "age-key",
    "pgp-key",
    "sops-in-secret",
    "sops-for-pgp",
    "sops-in-configmap",
    "sops-in-service",
    "sops-in-values-file",
    "sops-in-generator-file",
    "sops-in-tools-error",
    "sops-in-job",
    "sops-in-refused-job",
    "secret-data",
    "secret-stringdata",
    "last-applied",
    "changed-by-hand",
    "service-account-token",
)
SINKS = (
    "json log",
    "text log",
    "traceback",
    "/status",
    "/metrics",
    "plan and diff",
    "events",
    "record",
    "hold",
    "revert commit",
    "status command",
    "history command",
    "validate command",
    "render command",
    "argv and environment",
    "temporary files and cache",
    "repr",
)
# What everybody may see: it is the name of an environment and of a ConfigMap, a value of another, a word of each commit
# and what the smoke test says beside its password.
OPEN = "canary-open-0d1e2f"
PLAIN = OPEN
PGP_KEY = Path(__file__).parents[1] / "adapters" / "secrets" / "vectors" / "pgp" / "shop.asc"
PGP_FINGERPRINT = "65E58F149621115B62A874DA4324752E9AC0A5CF"
TESTED = "tested"
ENVIRONMENTS = (PLAIN, "kustomized", "charted", TESTED)
REVERTS = "gitopsd/reverts"
SETTINGS = "apiVersion: gitopsd.dev/v1\nkind: Environment\nhealth: {soak: 0s}\n"
CHART = {"Chart.yaml": "apiVersion: v2\nname: charted\nversion: 1.0.0\n"}
CHART_MAP = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: charted}\ndata: {password: {{ .Values.password | quote }}}\n"
)


@dataclass
class Canaries:
    """A text for each source, and for each rotation of it."""

    fixed: dict[str, str] = field(default_factory=dict)

    def of(self, source: str, rotation: int = 0) -> str:
        return self.fixed.get(source) or f"canary-{source}-{rotation}-0d1e2f"

    def all_of(self, source: str) -> list[str]:
        return [self.of(source, rotation) for rotation in range(3)]


@dataclass
class Act:
    """The play: what is committed, and what gitopsd is told to do."""

    stage: Stage
    canaries: Canaries
    recipient: str
    config: Path
    temporary: Path
    node: PlayedNode

    def commit(self, rotation: int, message: str, **more: Mapping[str, Entry]) -> None:
        files = {
            PLAIN: self._plain(rotation),
            "kustomized": self._kustomized(rotation),
            "charted": self._charted(rotation),
            TESTED: {"gitopsd.yaml": SETTINGS, "shown.yaml": configmap(OPEN, rotation=str(rotation))},
        }
        self.stage.repository.commit(
            {
                f"environments/{environment}/{path}": body
                for environment in ENVIRONMENTS
                for path, body in {**files[environment], **more.get(environment, {})}.items()
            },
            message,
        )

    def run(self, *arguments: str) -> bytes:
        return self._run(*arguments, "--config", str(self.config))

    def run_offline(self, *arguments: str) -> bytes:
        programs = {f"GITOPSD_RENDER__{name.upper()}": str(path) for name, path in build(("kustomize", "helm")).items()}
        return self._run(*arguments, **programs)

    def _run(self, *arguments: str, **surroundings: str) -> bytes:
        done = subprocess.run(
            [sys.executable, "-m", "gitopsd", *arguments],
            env={**self.surroundings(), **surroundings},
            capture_output=True,
            check=False,
            timeout=120,
        )
        return done.stdout + done.stderr

    def surroundings(self) -> dict[str, str]:
        return {**os.environ, "TMPDIR": str(self.temporary), "HOME": str(self.temporary)}

    def _plain(self, rotation: int) -> dict[str, Entry]:
        name = self.canaries.of
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "opened"}}
        shown = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "opened"}}
        url = f"postgres://shop:{name('sops-in-configmap', rotation)}@db/shop"
        by_hand = base64.b64encode(name("secret-data", rotation).encode()).decode()
        return {
            "gitopsd.yaml": SETTINGS,
            "secret.yaml": encrypted_object(
                self.recipient, {**secret, "stringData": {"password": name("sops-in-secret", rotation)}}
            ),
            "pgp.yaml": self._for_pgp({**secret, "metadata": {"name": "for-pgp"}}, name("sops-for-pgp", rotation)),
            "map.yaml": encrypted_object(self.recipient, {**shown, "data": {"url": url}}),
            "written.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: written}\n"
            f"data: {{a: {by_hand}}}\nstringData: {{b: {name('secret-stringdata', rotation)}}}\n",
            "open.yaml": configmap("open", a=f"{OPEN} {rotation}"),
        }

    def _for_pgp(self, secret: Mapping[str, object], password: str) -> bytes:
        sops, ring = build(("sops",))["sops"], read_ring([PGP_KEY])
        return encrypted_for_pgp(sops, ring, PGP_FINGERPRINT, {**secret, "stringData": {"password": password}})

    def _kustomized(self, rotation: int) -> dict[str, Entry]:
        generators = "configMapGenerator:\n- {name: generated, envs: [settings.env]}\n"
        return {
            "gitopsd.yaml": SETTINGS,
            "kustomization.yaml": f"{generators}generatorOptions: {{disableNameSuffixHash: true}}\n",
            "settings.env": encrypted_dotenv(
                self.recipient, {"TOKEN": self.canaries.of("sops-in-generator-file", rotation)}
            ),
        }

    def _charted(self, rotation: int) -> dict[str, Entry]:
        return {
            **CHART,
            "gitopsd.yaml": SETTINGS,
            "templates/map.yaml": CHART_MAP,
            "values.yaml": encrypted_object(
                self.recipient, {"password": self.canaries.of("sops-in-values-file", rotation)}
            ),
        }


class Watch:
    """Looks, again and again, into every process's arguments and surroundings and into every file below some places."""

    def __init__(self, *places: Path) -> None:
        self._places = places
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._known: set[tuple[str, int, float]] = set()
        self.processes: set[bytes] = set()
        self.files: list[bytes] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.005):
            self._processes()
            self._files()

    def _processes(self) -> None:
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and entry.name != str(os.getpid()):
                self.processes |= {self._content(entry / "cmdline"), self._content(entry / "environ")}

    def _files(self) -> None:
        for place in self._places:
            for folder, _, names in os.walk(place):
                for name in names:
                    self._file(Path(folder) / name)

    def _file(self, path: Path) -> None:
        try:
            found = path.lstat()
        except OSError:
            return
        known = (str(path), found.st_size, found.st_mtime)
        if known not in self._known:
            self._known.add(known)
            self.files.append(self._content(path))

    def _content(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError:
            return b""


@pytest.fixture(scope="module")
def place(api_cluster) -> Iterator[str]:
    api, name = api_cluster.api(), f"gitopsd-test-{uuid.uuid4().hex[:8]}"
    api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    api_cluster.namespaces.append(name)
    wait_for("the namespace to be furnished", lambda: api.find(f"/api/v1/namespaces/{name}/serviceaccounts/default"))
    yield name
    api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="module")
def played(api_cluster, place, tmp_path_factory) -> tuple[Canaries, dict[str, bytes]]:
    """Every sink, after the whole play."""
    folder = tmp_path_factory.mktemp("canary")
    identity = pyrage.x25519.Identity.generate()
    own = {"age-key": str(identity), "pgp-key": PGP_KEY.read_text().splitlines()[3]}
    canaries = Canaries({**own, "git-token": "canary-git-token-0d1e2f"})
    with GitServer(folder / "git", password=canaries.of("git-token")) as server:
        stage = Stage(api_cluster, place, folder, server, server.create("environments"))
        canaries.fixed["service-account-token"] = _token(stage)
        git(stage.repository.folder, "config", "http.receivepack", "true")
        config = _configured(stage, canaries)
        with played_kubelet(api_cluster.powers(), _logged(canaries.of("sops-in-job", 2))) as node:
            act = Act(stage, canaries, str(identity.to_public()), config, folder / "tmp", node)
            act.temporary.mkdir()
            return canaries, _play(act, folder)


def _logged(password: str) -> bytes:
    header = base64.b64encode(f"shop:{password}".encode()).decode()
    return f"{OPEN}: login with {password} refused\nAuthorization: Basic {header}\n".encode()


def _token(stage: Stage) -> str:
    stage.kubectl("create", "serviceaccount", "operator")
    stage.kubectl(
        "create",
        "clusterrolebinding",
        stage.namespace,
        "--clusterrole=cluster-admin",
        f"--serviceaccount={stage.namespace}:operator",
    )
    return stage.kubectl("create", "token", "operator", "--duration=1h").strip()


def _configured(stage: Stage, canaries: Canaries) -> Path:
    secrets = stage.folder / "secrets"
    secrets.mkdir()
    (secrets / "age").write_text(canaries.of("age-key"))
    (secrets / "git").write_text(canaries.of("git-token"))
    kubeconfig = json.loads(stage.kubectl("config", "view", "--raw", "-o", "json"))
    kubeconfig["users"][0]["user"] = {"token": canaries.of("service-account-token")}
    (secrets / "kubeconfig").write_text(json.dumps(kubeconfig))
    programs = build(("kustomize", "helm", "sops"))
    entries = "".join(
        f"- path: environments/{name}\n  namespaces: [{stage.namespace}]\n"
        f"  decryption: {{ageKeyFiles: [{secrets / 'age'}], pgpKeyFiles: [{PGP_KEY}]}}\n"
        for name in ENVIRONMENTS
    )
    config = stage.folder / "config.yaml"
    config.write_text(
        f"sources:\n- name: environments\n  url: {stage.server.url('environments')}\n  poll: 1s\n"
        f"  revertCommits: {{branch: {REVERTS}}}\n"
        f"  auth: {{tokenFile: {secrets / 'git'}}}\nenvironments:\n{entries}namespace: {stage.namespace}\n"
        f"kubeconfig: {secrets / 'kubeconfig'}\ncacheDir: {stage.folder / 'cache'}\nserver: {{port: 0}}\n"
        f"render: {{{', '.join(f'{name}: {path}' for name, path in programs.items())}}}\n"
        "leaderElection: {enabled: false}\n"
    )
    return config


def _play(act: Act, folder: Path) -> dict[str, bytes]:
    sinks: dict[str, bytes] = {}
    with Watch(act.temporary, folder / "cache") as watch:
        act.commit(0, f"Begin {OPEN}")
        first = act.run("once", "--timeout", "60s", "-o", "name")
        assert act.stage.get("configmaps", "charted"), first.decode()
        assert act.stage.get("configmaps", "generated"), first.decode()
        assert act.stage.get("secrets", "for-pgp"), first.decode()
        _change_by_hand(act)
        act.commit(1, f"Rotate {OPEN}")
        shown = [act.run(verb, *form) for verb in ("plan", "diff") for form in ((), ("-o", "json"))]
        sinks["plan and diff"] = b"".join(shown)
        sinks["repr"] = _reprs(act)
        act.commit(2, f"Break {OPEN}", **_quoted_in_refusals(act), **{TESTED: _smoke_tests(act)})
        sinks |= _served(act)
        sinks["text log"] = _on_a_terminal(act)
        sinks |= _commands(act)
        _leak_on_purpose(act, watch)
    sinks["argv and environment"] = b"\n".join(watch.processes)
    sinks["temporary files and cache"] = b"\n".join(watch.files)
    sinks["events"] = json.dumps(act.stage.api.get(act.stage.path("events"))).encode()
    sinks["record"] = _records(act)
    sinks["hold"] = _hold(act)
    sinks["revert commit"] = git(act.stage.repository.folder, "log", "--format=%an%n%ae%n%B", f"main..{REVERTS}")
    sinks["traceback"] = _traceback(act)
    return sinks


def _change_by_hand(act: Act) -> None:
    name = act.canaries.of
    remembered = {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"stringData": {"b": name("last-applied")}})
    }
    changes = {
        "secret/written": {"metadata": {"annotations": remembered}},
        "configmap/opened": {"data": {"url": name("changed-by-hand"), "more": name("changed-by-hand")}},
    }
    for one, change in changes.items():
        act.stage.kubectl("patch", one, "--type", "merge", "--patch-file", "/dev/stdin", stdin=json.dumps(change))


def _quoted_in_refusals(act: Act) -> dict[str, dict[str, Entry]]:
    """What the server, kustomize and helm refuse in words that quote the value."""
    name, recipient = act.canaries.of, act.recipient
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "opened"}}
    return {
        PLAIN: {
            "service.yaml": encrypted_object(
                recipient, {**service, "spec": {"type": name("sops-in-service", 2), "ports": [{"port": 80}]}}
            )
        },
        "kustomized": {
            "kustomization.yaml": "configMapGenerator:\n- {name: generated, envs: [bad.txt]}\n",
            "bad.txt": encrypted_binary(recipient, f"TOKEN={name('sops-in-tools-error', 2)}\nTOKEN=twice\n"),
        },
        "charted": {"templates/fail.yaml": "{{ fail .Values.password }}\n"},
    }


def _smoke_tests(act: Act) -> dict[str, Entry]:
    """One that fails and logs its password, and one that the server refuses in words that quote a value."""
    name, probes = act.canaries.of, "{soak: 0s, probes: [{job: smoke.yaml}, {job: refused.yaml}]}"
    smoke = {"name": "smoke", "image": "rig.test/web", "args": ["--password", name("sops-in-job", 2)]}
    refused = {"name": "refused", "image": "rig.test/web", "imagePullPolicy": name("sops-in-refused-job", 2)}
    return {
        "gitopsd.yaml": SETTINGS.replace("{soak: 0s}", probes),
        "smoke.yaml": encrypted_object(act.recipient, _job(smoke)),
        "refused.yaml": encrypted_object(act.recipient, _job(refused)),
    }


def _job(container: Mapping[str, object]) -> dict[str, object]:
    spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": container["name"]}, "spec": spec}


def _served(act: Act) -> dict[str, bytes]:
    """The JSON log of a daemon, and all that it serves, once it has met every refusal and put back what failed."""
    log = act.stage.folder / "log.json"
    with log.open("wb") as out:
        port, daemon = _daemon(act, out.fileno())
        try:
            refused = wait_for("the refused Job to be shown", lambda: _page_of_refused_job(port), deadline_s=60)
            act.node.fail(wait_for("the smoke test to be started", lambda: _smoke_test(act)))
            wait_for("every refusal to be shown", lambda: _shows_every_refusal(port), deadline_s=120)
            paths = ["status", "status?fields=full", "healthz", "readyz", "version", "openapi.json"]
            pages = [_page(port, path) for path in (*paths, *(f"status/{name}" for name in ENVIRONMENTS))]
            metrics = _page(port, "metrics")
        finally:
            _end(daemon)
    return {"json log": log.read_bytes(), "/status": b"".join([refused, *pages]), "/metrics": metrics}


def _on_a_terminal(act: Act) -> bytes:
    """The log of a daemon whose standard error is a terminal."""
    ours, theirs = pty.openpty()
    said = bytearray()
    port, daemon = _daemon(act, theirs)
    os.close(theirs)
    reader = threading.Thread(target=_read_to_end, args=(ours, said), daemon=True)
    reader.start()
    try:
        wait_for("every refusal to be shown", lambda: _shows_every_refusal(port), deadline_s=60)
    finally:
        _end(daemon)
        reader.join(10)
        os.close(ours)
    return bytes(said)


def _daemon(act: Act, errors: int) -> tuple[int, subprocess.Popen[bytes]]:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "gitopsd", "run", "--config", str(act.config)]
    surroundings = {**act.surroundings(), "GITOPSD_SERVER__PORT": str(port)}
    return port, subprocess.Popen(command, env=surroundings, stdout=errors, stderr=errors)


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    daemon.wait(30)


def _read_to_end(terminal: int, said: bytearray) -> None:
    with contextlib.suppress(OSError):
        while chunk := os.read(terminal, 65_536):
            said.extend(chunk)


def _shows_every_refusal(port: int) -> bool:
    pages = {name: _page(port, f"status/{name}") for name in ENVIRONMENTS}
    words = {PLAIN: b"FIELD_INVALID", "kustomized": b"KUSTOMIZE_", "charted": b"HELM_", TESTED: b"revertCommit"}
    return all(words[name] in pages[name] for name in ENVIRONMENTS)


def _page_of_refused_job(port: int) -> bytes | None:
    page = _page(port, f"status/{TESTED}")
    return page if b"has a value that is not allowed" in page else None


def _smoke_test(act: Act) -> Mapping[str, Any] | None:
    return next(iter(act.stage.api.get(act.stage.path("jobs"))["items"]), None)


def _page(port: int, path: str) -> bytes:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as refused:
        return bytes(refused.read())
    except OSError:
        return b""


def _commands(act: Act) -> dict[str, bytes]:
    """What the commands print of all that was played; but of ``render`` with a key no bodies, which it is there for."""
    good, bad = (_clone(act, revision) / "environments" for revision in ("main~2", "main"))
    key = ("--age-key-file", str(act.stage.folder / "secrets" / "age"))
    as_json = ("-o", "json")
    told = [("status",), ("status", *as_json), ("status", TESTED), ("status", TESTED, *as_json)]
    told += [("history", TESTED), ("history", TESTED, *as_json), ("history", PLAIN)]
    offline = [("validate", str(bad / name), *key, *form) for name in ENVIRONMENTS for form in ((), as_json)]
    offline += [
        ("render", str(bad / name), *form) for name in ENVIRONMENTS for form in ((*key, "-o", "name"), ("-o", "yaml"))
    ]
    offline += [("render", str(good / name), *key, "-o", "wide") for name in ENVIRONMENTS]
    printed = [(arguments[0], act.run(*arguments)) for arguments in told]
    printed += [(arguments[0], act.run_offline(*arguments)) for arguments in offline]
    commands = ("status", "history", "validate", "render")
    return {f"{one} command": b"".join(out for command, out in printed if command == one) for one in commands}


def _clone(act: Act, revision: str) -> Path:
    """The files of a commit: ``main~2`` is good, ``main`` is not."""
    clone = act.stage.folder / revision
    with tarfile.open(fileobj=io.BytesIO(git(act.stage.repository.folder, "archive", revision))) as archive:
        archive.extractall(clone, filter="data")
    return clone


def _hold(act: Act) -> bytes:
    """Why the commit whose smoke test failed is held."""
    house = wire(load_config(act.config), HastyClock(1.0))
    try:
        record = house.store.load(house.environments_known()[TESTED])
        return "\n".join(hold.why for hold in record.held.values()).encode()
    finally:
        house.cluster.stop()


def _leak_on_purpose(act: Act, watch: Watch) -> None:
    """Show what is open: to the watch in a program's arguments, and in a file that is there for a moment; in an event.

    gitopsd itself writes no events; a controller may write one of what it is given.
    """
    about = {"kind": "ConfigMap", "namespace": act.stage.namespace, "name": "open"}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "leak"},
        "involvedObject": about,
        "message": OPEN,
    }
    act.stage.api.create(act.stage.path("events"), event)
    (act.temporary / "leak").write_text(OPEN)
    waiting = [sys.executable, "-c", "import sys; sys.stdin.read()", OPEN]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE) as child:
        wait_for("the watch to see the leak", lambda: _holds(b"".join(watch.processes), OPEN))
        wait_for("the watch to see the file", lambda: _holds(b"".join(watch.files), OPEN))
        child.kill()


def _records(act: Act) -> bytes:
    """Everything that gitopsd itself keeps in the cluster for people to read: not the application's own objects."""
    own = {"opened", "open", "generated", "charted", OPEN}
    maps = [
        one for one in act.stage.api.get(act.stage.path("configmaps"))["items"] if one["metadata"]["name"] not in own
    ]
    leases = act.stage.api.get(f"/apis/coordination.k8s.io/v1/namespaces/{act.stage.namespace}/leases")
    packed = [base64.b64decode(value) for one in maps for value in one.get("binaryData", {}).values()]
    opened = [gzip.decompress(one) if one.startswith(b"\x1f\x8b") else one for one in packed]
    return b"\n".join([json.dumps([maps, leases]).encode(), *opened])


def _traceback(act: Act) -> bytes:
    """What the log says of an exception that passes through frames which hold every secret."""
    secrets = act.stage.folder / "all"
    secrets.write_text("\n".join(text for source in SOURCES for text in act.canaries.all_of(source)))
    done = subprocess.run([sys.executable, "-c", _RAISES, str(secrets), OPEN], capture_output=True, check=True)
    return done.stderr


_RAISES = """
import sys
from loguru import logger
from gitopsd.daemon.log import configure_logging

def fail(password, people):
    raise RuntimeError(people)

configure_logging()
try:
    fail(open(sys.argv[1]).read(), sys.argv[2])
except RuntimeError:
    logger.exception("a pass failed")
"""


def _reprs(act: Act) -> bytes:
    """How everything that holds a secret is written when somebody prints it."""
    house = wire(load_config(act.config), HastyClock(1.0))
    try:
        house.sources["environments"].fetch()
        said = [house, house.config, house.ports, *Daemon(house).look(None).values()]
        for environment in house.environments_of("environments"):
            wanted = house.ports.source.resolve(environment)
            files = house.ports.source.read(environment, wanted)
            desired = house.ports.renderer.render(environment, wanted)
            record = house.store.load(environment)
            said += [wanted, files, SopsDecryptor(house.workshop.sops).decrypt(environment, files), desired, record]
            assert desired.manifests
        return "\n".join(repr(one) for one in said).encode()
    finally:
        house.cluster.stop()
        house.stop_probes()


def _holds(sink: bytes, text: str) -> bool:
    """Whether the text is there: as it is, or in base64 at any place of a longer text."""
    forms = {text.encode()}
    for shift in range(3):
        encoded = base64.b64encode(b"x" * shift + text.encode())
        forms.add(encoded[4:-4])
    return any(form in sink for form in forms)


@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("source", SOURCES)
def test_no_secret_is_in_any_sink(played, source, sink):
    canaries, sinks = played

    assert not [text for text in canaries.all_of(source) if _holds(sinks[sink], text)]


@pytest.mark.parametrize("sink", SINKS)
def test_every_sink_was_looked_into(played, sink):
    _, sinks = played

    assert _holds(sinks[sink], OPEN), sinks[sink][:2000]


@pytest.mark.parametrize("form", ["{}", "postgres://{}@db", "{}="])
def test_the_search_finds_a_text_in_base64_too(form):
    text = "canary-0d1e2f-0d1e2f"

    assert _holds(base64.b64encode(form.format(text).encode()), text)
    assert not _holds(base64.b64encode(b"canary-of-another-kind"), text)
