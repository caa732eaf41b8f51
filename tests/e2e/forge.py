"""A Git server in the cluster, as a forge is one: people push over HTTPS and over SSH, deploy credentials only read."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from rig.binaries import build
from rig.doors import close_door, open_door
from rig.images import git_image, load
from rig.pytest_plugin import TestCluster
from rig.waiting import wait_for
from tests.e2e.mounted import put_secret
from tests.git_server import BareRepository, Entry, git

MANIFESTS = Path(__file__).with_suffix(".yaml")
FORGE = "forge"
HOST = f"git.{FORGE}.svc"
HTTPS, SSH = 443, 22
PERSON, DEPLOY = "ada", "git"
REFUSED_S = 60.0


@dataclass(frozen=True, slots=True)
class SshKey:
    """A pair of keys as OpenSSH writes them."""

    private: str
    public: str


def new_ssh_key() -> SshKey:
    """Make one."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return SshKey(private.decode(), key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())


def pinned(host_key: SshKey) -> str:
    """Return what `known_hosts` holds: the forge, and no other, by this key."""
    return f"{HOST} {host_key.public}\n"


@dataclass(frozen=True, slots=True)
class Clone:
    """A developer's clone: what is committed there is pushed at once."""

    local: BareRepository

    def commit(self, files: Mapping[str, Entry], message: str = "Change") -> str:
        """Commit and push; return the commit."""
        commit = self.local.commit(files, message)
        git(self.local.folder, "push", "--quiet", "origin", "main")
        return commit

    def head(self) -> str:
        """Return the newest commit."""
        return self.local.head()


@dataclass(slots=True)
class Forge:
    """Who may come in: a person who pushes, over either road, and gitopsd, which has a token and a key to read with."""

    cluster: TestCluster
    folder: Path
    host_key: SshKey = field(default_factory=new_ssh_key)
    person_key: SshKey = field(default_factory=new_ssh_key)
    deploy_key: SshKey = field(default_factory=new_ssh_key)
    password: str = field(default_factory=secrets.token_urlsafe)
    token: str = field(default_factory=secrets.token_urlsafe)
    doors: dict[int, int] = field(default_factory=dict)

    @property
    def authority(self) -> str:
        """The certificate of who signed the forge's own."""
        return self.cluster.powers().authority.pair("ca").certificate.read_text()

    def start(self) -> None:
        """Run it, with empty repositories, when the one before is gone."""
        load(self.cluster.powers(), git_image())
        self._kubectl("wait", "--for=delete", f"namespace/{FORGE}", "--timeout=120s")
        self._kubectl("apply", "-f", MANIFESTS)
        self._learn()
        self._kubectl("-n", FORGE, "rollout", "status", "deployment/git", "--timeout=120s")
        address = self.cluster.api().get(f"/api/v1/namespaces/{FORGE}/services/git")["spec"]["clusterIP"]
        self.doors = {port: open_door(self.cluster.powers(), f"{address}:{port}") for port in (HTTPS, SSH)}

    def stop(self) -> None:
        """End it, with its repositories; nobody waits for that but the next one."""
        for door in self.doors.values():
            close_door(self.cluster.powers(), door)
        self._kubectl("delete", "namespace", FORGE, "--ignore-not-found", "--wait=false")

    def clone_over_https(self, repository: str) -> Clone:
        """Return the clone of a person with a password."""
        return self._reached(f"{repository}-https", self._over_https(repository, PERSON, self.password))

    def clone_over_ssh(self, repository: str) -> Clone:
        """Return the clone of a person with a key."""
        return self._reached(f"{repository}-ssh", self._over_ssh(repository, self.person_key))

    def change_token(self) -> str:
        """Let gitopsd's token end, and return the one in its place."""
        old, self.token = self.token, secrets.token_urlsafe()
        self._learn()
        self._await_refusal(self._over_https("environments", DEPLOY, old))
        return self.token

    def change_deploy_key(self) -> SshKey:
        """Let gitopsd's key end, and return the one in its place."""
        old, self.deploy_key = self.deploy_key, new_ssh_key()
        self._learn()
        self._await_refusal(self._over_ssh("wiki", old))
        return self.deploy_key

    def _learn(self) -> None:
        signed = self.cluster.powers().authority.sign_server("forge", (HOST, "127.0.0.1"))
        reads = "restrict,command=\"git-upload-pack 'wiki.git'\""
        known = {
            "tls.crt": signed.certificate.read_text(),
            "tls.key": signed.key.read_text(),
            "passwords": f"{PERSON}:{self.password}\n{DEPLOY}:{self.token}\n",
            "host_key": self.host_key.private,
            "authorized_keys": f"{self.person_key.public}\n{reads} {self.deploy_key.public}\n",
        }
        put_secret(self.cluster.api(), FORGE, "known", known)

    def _over_https(self, repository: str, user: str, password: str) -> dict[str, str]:
        return {
            "remote.origin.url": f"https://{user}:{password}@127.0.0.1:{self.doors[HTTPS]}/{repository}.git",
            "http.sslCAInfo": str(self._write("ca.crt", self.authority)),
        }

    def _over_ssh(self, repository: str, key: SshKey) -> dict[str, str]:
        hosts, identity = self._write("known_hosts", pinned(self.host_key)), self._write("id", key.private)
        known = f"-o HostKeyAlias={HOST} -o UserKnownHostsFile={hosts} -o StrictHostKeyChecking=yes"
        return {
            "remote.origin.url": f"ssh://git@127.0.0.1:{self.doors[SSH]}/~/{repository}.git",
            "core.sshCommand": f"ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -i {identity} {known}",
        }

    def _reached(self, name: str, settings: Mapping[str, str]) -> Clone:
        """The rules of a Service come a moment after its pods are ready."""
        clone = self._clone(name, settings)
        wait_for(f"{name} to be reached", lambda: _answers(clone.local.folder), every_s=0.5)
        return clone

    def _clone(self, name: str, settings: Mapping[str, str]) -> Clone:
        local = BareRepository.create(self.folder / f"{name}.git")
        for key, value in settings.items():
            git(local.folder, "config", key, value)
        return Clone(local)

    def _await_refusal(self, settings: Mapping[str, str]) -> None:
        former = self._clone(f"former-{secrets.token_hex(4)}", settings).local.folder
        wait_for("the old credentials to be refused", lambda: not _may_read(former), deadline_s=REFUSED_S, every_s=0.5)

    def _write(self, name: str, content: str) -> Path:
        folder = self.folder / secrets.token_hex(4)
        folder.mkdir()
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(content)
        return path

    def _kubectl(self, *arguments: str | Path) -> None:
        command = [build(["kubectl"])["kubectl"], "--kubeconfig", self.cluster.kubeconfig, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def forge(cluster: TestCluster, folder: Path) -> Iterator[Forge]:
    """Run a forge; at the end it is gone."""
    folder.mkdir()
    one = Forge(cluster, folder)
    try:
        one.start()
        yield one
    finally:
        one.stop()


def _answers(local: Path) -> bool:
    try:
        git(local, "ls-remote", "origin")
    except RuntimeError:
        return False
    return True


def _may_read(local: Path) -> bool:
    """Whether the forge lets in who has that clone; any other trouble than a refusal is an error."""
    try:
        git(local, "ls-remote", "origin")
    except RuntimeError as failure:
        if "Permission denied" in str(failure) or "Authentication failed" in str(failure):
            return False
        raise
    return True
