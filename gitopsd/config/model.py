"""What the operator may say, key by key, with its bounds. Whoever is not named here is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gitopsd.core import durations
from gitopsd.core.git_url import check_branch, check_directory, check_url
from gitopsd.core.naming import namespace_fault

IN_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
DEFAULT_NAMESPACE = "gitopsd"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a duration like 30s, 5m or 1h30m")  # noqa: TRY004 — pydantic wants ValueError
    return durations.seconds(value)


def _namespace(value: str) -> str:
    if fault := namespace_fault(value):
        raise ValueError(fault)
    return value


def _directory(value: str) -> str:
    path = value.strip("/")
    if problem := check_directory(path.removesuffix("/*")):
        raise ValueError(problem.message)
    if "*" in path and not (path.endswith("/*") and path.count("*") == 1):
        raise ValueError("may have one *, as its last part: environments/production/*")
    return path


def _branch(value: str) -> str:
    if problem := check_branch(value):
        raise ValueError(problem.message)
    return value


def _default_namespace() -> str:
    return IN_POD_NAMESPACE.read_text().strip() if IN_POD_NAMESPACE.is_file() else DEFAULT_NAMESPACE


def _default_cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 — no user: stays as it is
    return Path(home) / "gitopsd" / "daemon"


Poll = Annotated[float, BeforeValidator(_seconds), Field(ge=1, le=86_400)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
Namespace = Annotated[str, AfterValidator(_namespace)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Auth(_Strict):
    """Credentials, by the names of the files that hold them; read anew at each fetch."""

    username: str = "git"
    tokenFile: Path | None = None  # noqa: N815 — the key in the file
    sshKeyFile: Path | None = None  # noqa: N815
    knownHostsFile: Path | None = None  # noqa: N815
    caFile: Path | None = None  # noqa: N815


class Verify(_Strict):
    """Whether commits must be signed; this build can only do without."""

    mode: Literal["none"] = "none"


class SourceConfig(_Strict):
    """One repository and branch."""

    name: Name
    url: str
    branch: Annotated[str, AfterValidator(_branch)] = "main"
    poll: Poll = 30.0
    insecure: bool = False
    auth: Auth = Auth()
    verify: Verify = Verify()

    @model_validator(mode="after")
    def _address(self) -> Self:
        if problem := check_url(self.url, insecure=self.insecure):
            raise ValueError(f"url: {problem.message} {problem.hint}")
        return self


class EnvironmentConfig(_Strict):
    """One directory, or with ``/*`` at its end one environment per directory; and the operator's bounds."""

    path: Annotated[str, AfterValidator(_directory)]
    name: str = ""
    source: str = ""
    namespaces: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    serviceAccount: str = ""  # noqa: N815


class ServerConfig(_Strict):
    """Where people ask. Only this machine may, until requests can be authenticated."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080

    @model_validator(mode="after")
    def _loopback(self) -> Self:
        if self.host not in LOOPBACK:
            raise ValueError("host: must be a loopback address; this build cannot authenticate who asks")
        return self


class LeaderConfig(_Strict):
    """Whether several replicas share one Lease."""

    enabled: bool = True
    name: Name = "gitopsd"


class Config(BaseSettings):
    """The whole file. ``GITOPSD_SERVER__PORT=9000`` in the surroundings overrides ``server.port``."""

    model_config = SettingsConfigDict(
        env_prefix="GITOPSD_", env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    sources: Annotated[tuple[SourceConfig, ...], Field(min_length=1)]
    environments: Annotated[tuple[EnvironmentConfig, ...], Field(min_length=1)]
    namespace: Namespace = Field(default_factory=_default_namespace)
    kubeconfig: Path | None = None
    context: str = ""
    cacheDir: Path = Field(default_factory=_default_cache)  # noqa: N815
    workers: Annotated[int, Field(ge=1, le=64)] = 4
    server: ServerConfig = ServerConfig()
    leaderElection: LeaderConfig = LeaderConfig()  # noqa: N815

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 — pydantic-settings names them
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The surroundings win over the file; nothing else is read."""
        return env_settings, init_settings

    def poll_s(self, source: str) -> float:
        """Return how often a source is fetched, in seconds."""
        return next(one.poll for one in self.sources if one.name == source)
