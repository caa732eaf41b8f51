"""What the operator may say, key by key, with its bounds. Whoever is not named here is refused."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from gitopsd.core.decryption import KeyServices
from gitopsd.core.git_url import check_branch, check_directory, check_url
from gitopsd.core.manifests import durations
from gitopsd.core.manifests.naming import name_fault, namespace_fault
from gitopsd.core.sops.recipients import SERVICES

IN_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
DEFAULT_NAMESPACE = "gitopsd"
PREFIX = "GITOPSD_"
SEPARATOR = "__"
POLL_S_MIN, POLL_S_MAX = 1.0, 86_400.0
KEY_FILES_MAX = 20
VARIABLES_MAX = 20
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


_PART = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(_PART, re.ASCII)
_ENVIRONMENT = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._]*(/[A-Za-z0-9][-A-Za-z0-9._]*)*", re.ASCII)
_GLOB = re.compile(r"[-a-z0-9*?]+", re.ASCII)
_KIND = re.compile(r"[A-Z][A-Za-z0-9]*(\.[-a-z0-9.]+)?", re.ASCII)
_SERVICE_KEY = re.compile(r"[-A-Za-z0-9._:/+=,@\[\]]+([/:]\*)?", re.ASCII)
_SERVER = re.compile(r"https://[-A-Za-z0-9.:\[\]]+/.+|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?/.+", re.ASCII)
_VARIABLE = re.compile("[A-Z][A-Z0-9_]*", re.ASCII)
_HOST_NAME = re.compile(rf"{_PART}(\.{_PART})*", re.ASCII)
_NAME_LENGTH_MAX = 63
_ENVIRONMENT_LENGTH_MAX = 200


def _poll(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a duration like 30s, 5m or 1h30m")  # noqa: TRY004 — pydantic wants ValueError
    seconds = durations.seconds(value)
    if not POLL_S_MIN <= seconds <= POLL_S_MAX:
        raise ValueError("must be between 1s and 24h")
    return seconds


def _name(value: str) -> str:
    if not _NAME.fullmatch(value) or len(value) > _NAME_LENGTH_MAX:
        raise ValueError(f"must be of a-z, 0-9 and -, and at most {_NAME_LENGTH_MAX} characters long")
    return value


def _environment(value: str) -> str:
    if not _ENVIRONMENT.fullmatch(value) or len(value) > _ENVIRONMENT_LENGTH_MAX:
        raise ValueError("must be like production/web: letters, digits, -, _ and . between slashes")
    return value


def _glob(value: str) -> str:
    if not _GLOB.fullmatch(value):
        raise ValueError("must be a namespace, in which * and ? may stand for anything")
    return value


def _kind(value: str) -> str:
    if not _KIND.fullmatch(value):
        raise ValueError("must be a kind: ClusterRole, or Ingress.networking.k8s.io")
    return value


def _account(value: str) -> str:
    if fault := name_fault("", "ServiceAccount", value):
        raise ValueError(fault)
    return value


def _home(value: object) -> object:
    return os.path.expanduser(value) if isinstance(value, str) else value  # noqa: PTH111 — without a home it stays


def _namespace(value: str) -> str:
    if fault := namespace_fault(value):
        raise ValueError(fault)
    return value


def _directory(value: str) -> str:
    path = value.strip("/")
    *above, last = path.split("/")
    if problem := check_directory("/".join(above) if last == "*" else path):
        raise ValueError(problem.message)
    if "*" in path.removesuffix("*") or (last != "*" and "*" in last):
        raise ValueError("may have one *, as its last part: environments/production/*")
    return path


def _prometheus_url(value: str) -> str:
    where = urlsplit(value)
    if value and (where.scheme not in ("http", "https") or not where.hostname):
        raise ValueError("must be like https://prometheus.example:9090")
    if where.username or where.password or where.query or where.fragment:
        raise ValueError("must have no password and no query in it; a token goes into tokenFile")
    return value


def _host_name(value: str) -> str:
    if not _HOST_NAME.fullmatch(value):
        raise ValueError("must be a host name in small letters, without a port: gitopsd.example.com")
    return value


def _service_key(value: str) -> str:
    if not _SERVICE_KEY.fullmatch(value):
        raise ValueError("must be a key as sops names it; * may stand at its end, after / or :")
    return value


def _server_key(value: str) -> str:
    if not _SERVER.fullmatch(value):
        raise ValueError("must be like https://vault.example:8200/v1/transit/keys/shop, with * for many")
    return _service_key(value)


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value) or value.startswith("SOPS_"):
        raise ValueError("must be a variable that shows credentials to a service: AWS_ROLE_ARN")
    return value


def _branch(value: str) -> str:
    if problem := check_branch(value):
        raise ValueError(problem.message)
    return value


def _default_namespace() -> str:
    return IN_POD_NAMESPACE.read_text().strip() if IN_POD_NAMESPACE.is_file() else DEFAULT_NAMESPACE


def _default_cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 — no user: stays as it is
    return Path(home) / "gitopsd" / "daemon"


Poll = Annotated[float, BeforeValidator(_poll)]
Name = Annotated[str, AfterValidator(_name)]
Namespace = Annotated[str, AfterValidator(_namespace)]
File = Annotated[Path, BeforeValidator(_home)]
ServiceKey = Annotated[str, AfterValidator(_service_key)]
ServerKey = Annotated[str, AfterValidator(_server_key)]
Variable = Annotated[str, AfterValidator(_variable)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Auth(_Strict):
    """Credentials, by the names of the files that hold them; read anew at each fetch."""

    username: str = "git"
    tokenFile: File | None = None  # noqa: N815 — the key in the file
    sshKeyFile: File | None = None  # noqa: N815
    knownHostsFile: File | None = None  # noqa: N815
    caFile: File | None = None  # noqa: N815

    @model_validator(mode="after")
    def _known_hosts(self) -> Self:
        if self.sshKeyFile and not self.knownHostsFile:
            raise ValueError("sshKeyFile: needs knownHostsFile, or anyone could answer for the host")
        return self


class Verify(_Strict):
    """Whether commits must be signed; this build can only do without."""

    mode: Literal["none"] = "none"


class RevertCommits(_Strict):
    """Where Git is told of reverts: a branch for them alone, or the followed one; empty = it is not told."""

    branch: Annotated[str, AfterValidator(lambda value: value and _branch(value))] = ""


class SourceConfig(_Strict):
    """One repository and branch."""

    name: Name
    url: str
    branch: Annotated[str, AfterValidator(_branch)] = "main"
    poll: Poll = 30.0
    insecure: bool = False
    auth: Auth = Auth()
    verify: Verify = Verify()
    revertCommits: RevertCommits = RevertCommits()  # noqa: N815

    @model_validator(mode="after")
    def _address(self) -> Self:
        if problem := check_url(self.url, insecure=self.insecure):
            raise ValueError(f"url: {problem.message} {problem.hint}")
        return self


class KeyServicesConfig(_Strict):
    """Which keys sops may ask services for, by the types' names in SOPS; and what it shows them.

    ``files`` are copied for sops, and it finds each copy by the variable. All files are read anew each time.
    """

    kms: tuple[ServiceKey, ...] = ()
    gcp_kms: tuple[ServiceKey, ...] = ()
    azure_kv: tuple[ServerKey, ...] = ()
    hc_vault: tuple[ServerKey, ...] = ()
    hckms: tuple[ServiceKey, ...] = ()
    vaultTokenFile: File | None = None  # noqa: N815
    variables: Annotated[Mapping[Variable, str], Field(max_length=VARIABLES_MAX)] = {}
    files: Annotated[Mapping[Variable, File], Field(max_length=VARIABLES_MAX)] = {}

    @property
    def allowed(self) -> KeyServices:
        """The same, for the core."""
        return KeyServices(
            allowed=tuple((kind, key) for kind in SERVICES for key in getattr(self, kind)),
            variables=tuple(self.variables.items()),
            files=tuple((variable, str(file)) for variable, file in self.files.items()),
            vault_token_file=str(self.vaultTokenFile or ""),
        )


class DecryptionConfig(_Strict):
    """What opens an environment's encrypted files: files with keys, read anew each time, and services."""

    ageKeyFiles: Annotated[tuple[File, ...], Field(max_length=KEY_FILES_MAX)] = ()  # noqa: N815
    pgpKeyFiles: Annotated[tuple[File, ...], Field(max_length=KEY_FILES_MAX)] = ()  # noqa: N815
    keyServices: KeyServicesConfig = KeyServicesConfig()  # noqa: N815


class EnvironmentConfig(_Strict):
    """One directory, or with ``/*`` at its end one environment per directory; and the operator's bounds."""

    path: Annotated[str, AfterValidator(_directory)]
    name: Annotated[str, AfterValidator(_environment)] = ""
    source: str = ""
    namespaces: tuple[Annotated[str, AfterValidator(_glob)], ...] = ()
    deny: tuple[Annotated[str, AfterValidator(_kind)], ...] = ()
    serviceAccount: Annotated[str, AfterValidator(_account)] = ""  # noqa: N815
    decryption: DecryptionConfig = DecryptionConfig()

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if not self.path and not self.name:
            raise ValueError("name: is missing; the whole repository has no name of its own")
        if "namespaces" in self.model_fields_set and not self.namespaces:
            raise ValueError("namespaces: an empty list bounds nothing; take the key out if that is meant")
        return self


class RenderConfig(_Strict):
    """Where the programs that render and decrypt lie; empty = whatever is on PATH."""

    kustomize: File | None = None
    helm: File | None = None
    sops: File | None = None

    @property
    def programs(self) -> Mapping[str, Path]:
        """The ones that are named, by their names."""
        named = {"kustomize": self.kustomize, "helm": self.helm, "sops": self.sops}
        return {name: path for name, path in named.items() if path}


class PrometheusConfig(_Strict):
    """Whom prometheus probes ask; an empty ``url`` = nobody. The files are read anew for each question."""

    url: Annotated[str, AfterValidator(_prometheus_url)] = ""
    tokenFile: File | None = None  # noqa: N815
    caFile: File | None = None  # noqa: N815

    @model_validator(mode="after")
    def _token(self) -> Self:
        where = urlsplit(self.url)
        if self.tokenFile and where.scheme != "https" and where.hostname not in LOOPBACK:
            raise ValueError("tokenFile: needs an https url, or anyone on the way could read the token")
        return self


class ServerConfig(_Strict):
    """Where people ask. From other machines only who can show a token that the cluster knows.

    ``audiences`` are what such a token must be meant for; empty = the API server itself. ``allowedHosts`` are names
    other than localhost by which a server that asks for no token is asked, as by a proxy before it.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    auth: Literal["none", "kubernetes"] = "none"
    audiences: tuple[str, ...] = ()
    allowedHosts: tuple[Annotated[str, AfterValidator(_host_name)], ...] = ()  # noqa: N815

    @model_validator(mode="after")
    def _nobody_unknown(self) -> Self:
        if self.auth == "none" and self.host not in LOOPBACK:
            raise ValueError("auth: must be kubernetes where others than this machine can ask")
        if self.auth == "none" and self.audiences:
            raise ValueError("audiences: mean nothing without auth: kubernetes")
        if self.auth == "kubernetes" and self.allowedHosts:
            raise ValueError("allowedHosts: mean nothing with auth: kubernetes")
        return self


class LeaderConfig(_Strict):
    """Whether several replicas share one Lease."""

    enabled: bool = True
    name: Name = "gitopsd"


class _Surroundings(EnvSettingsSource):
    """Takes single values only. What the rest of gitopsd, or Kubernetes, calls alike (``GITOPSD_PORT``) is not ours."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        fields = self.settings_cls.model_fields
        ours = {name.lower() for name, field in fields.items() if not is_composed(field.annotation)}
        found = {name: value for name, value in super()._load_env_vars().items() if name.startswith(PREFIX.lower())}
        bare = {name: name.removeprefix(PREFIX.lower()) for name in found}
        return {name: found[name] for name in found if SEPARATOR in name or bare[name] in ours}


def is_composed(annotation: object) -> bool:
    """Return whether a field is a section or a list, and not one value."""
    arguments = getattr(annotation, "__args__", ())
    return any(isinstance(one, type) and issubclass(one, BaseModel) for one in (annotation, *arguments))


class Config(BaseSettings):
    """The whole file. ``GITOPSD_SERVER__PORT=9000`` in the surroundings overrides ``server.port``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=SEPARATOR, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    sources: Annotated[tuple[SourceConfig, ...], Field(min_length=1)]
    environments: Annotated[tuple[EnvironmentConfig, ...], Field(min_length=1)]
    namespace: Namespace = Field(default_factory=_default_namespace)
    scope: Literal["cluster", "namespaces"] = "cluster"
    kubeconfig: File | None = None
    context: str = ""
    cacheDir: File = Field(default_factory=_default_cache)  # noqa: N815
    workers: Annotated[int, Field(ge=1, le=64)] = 4
    render: RenderConfig = RenderConfig()
    prometheus: PrometheusConfig = PrometheusConfig()
    server: ServerConfig = ServerConfig()
    leaderElection: LeaderConfig = LeaderConfig()  # noqa: N815

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 — pydantic-settings names them
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The surroundings win over the file; nothing else is read."""
        return _Surroundings(settings_cls), init_settings

    @property
    def is_namespaced(self) -> bool:
        """Whether there are rights in the environments' namespaces alone, and none in the whole cluster."""
        return self.scope == "namespaces"

    @property
    def needs_sops(self) -> bool:
        """Whether an environment has keys, or services, that only sops can use."""
        found = (one.decryption for one in self.environments)
        return any(one.pgpKeyFiles or one.keyServices.allowed.allowed for one in found)

    def poll_s(self, source: str) -> float:
        """Return how often a source is fetched, in seconds."""
        return next(one.poll for one in self.sources if one.name == source)
