"""Builds the adapters from the operator's file and joins them to the story's ports. No decision is made here."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from gitopsd.adapters.authority import KubernetesAuthority
from gitopsd.adapters.cluster import KubernetesCluster, Limits, Transport, credentials
from gitopsd.adapters.git import GitSource, GitSourceSettings
from gitopsd.adapters.leader import Candidate, Elector, Trouble
from gitopsd.adapters.probes import Checked, Prober, PrometheusServer
from gitopsd.adapters.render import DirectoryRenderer, Larder, Shelf, Storage, Workshop
from gitopsd.adapters.secrets import SopsDecryptor
from gitopsd.adapters.store import ClusterStore
from gitopsd.config import Config, SourceConfig, expand, literal
from gitopsd.core.errors import SourceError
from gitopsd.core.model import Environment, File, Wanted
from gitopsd.core.status.view import SourceView
from gitopsd.daemon.claims import LocalClaims
from gitopsd.daemon.meter import StageTimes, timed
from gitopsd.daemon.telling import Telling
from gitopsd.ports import Clock, Ports, Reverts

# A renewal that takes longer than the deadline is as good as none.
LEASE_CALL = Limits(connect_s=2.0, total_s=4.0, answer_bytes_max=1024 * 1024)
# A probe that cannot ask the API server soon asks it again an interval later.
PROBE_CALL = Limits(connect_s=2.0, total_s=10.0, answer_bytes_max=16 * 1024 * 1024)


class Sources:
    """``ports.Source`` over all repositories: each environment is asked of its own."""

    def __init__(self, sources: Mapping[str, GitSource]) -> None:
        self._sources = sources

    def resolve(self, environment: Environment) -> Wanted:
        """See ``ports.Source``."""
        return self._sources[environment.source].resolve(environment)

    def tree(self, environment: Environment, wanted: Wanted, directory: str) -> str | None:
        """See ``ports.Source``."""
        return self._sources[environment.source].tree(environment, wanted, directory)

    def read(self, environment: Environment, wanted: Wanted, directory: str | None = None) -> tuple[File, ...]:
        """See ``ports.Source``."""
        return self._sources[environment.source].read(environment, wanted, directory)


@dataclass(eq=False)
class Fence:
    """Stands before every write. ``elector`` None = this process was never meant to share with others."""

    elector: Elector | None = None

    def __call__(self) -> None:
        """Raise ``Superseded`` unless we may write."""
        if self.elector:
            self.elector.fence()

    @property
    def is_open(self) -> bool:
        """Whether we may write."""
        return self.elector is None or self.elector.is_leading

    @property
    def holder(self) -> str:
        """Who leads."""
        return self.elector.holder if self.elector else ""

    @property
    def trouble(self) -> Trouble | None:
        """Why nobody here may write, or know who may; None when we may, or somebody else is known to."""
        return None if self.elector is None or self.elector.is_leading else self.elector.trouble


@dataclass(eq=False, kw_only=True)
class House:
    """Everything that lives as long as the daemon."""

    config: Config
    clock: Clock
    sources: Mapping[str, GitSource]
    cluster: KubernetesCluster
    store: ClusterStore
    lease_api: Transport
    probe_api: Transport
    prober: Prober
    workshop: Workshop
    fence: Fence
    claims: LocalClaims
    times: StageTimes
    telling: Telling
    ports: Ports
    instance: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")

    def elector(self, on_change: Callable[[bool], None], on_other: Callable[[str], None]) -> Elector | None:
        """Return who strives for the Lease on our behalf, if it is shared."""
        if not self.config.leaderElection.enabled:
            return None
        candidate = Candidate(
            namespace=self.config.namespace, name=self.config.leaderElection.name, identity=self.instance
        )
        return Elector(self.lease_api, candidate, self.clock, on_change, on_other)

    def authority(self) -> KubernetesAuthority | None:
        """Return who says what a caller may read; None = every caller may."""
        server = self.config.server
        if server.auth == "none":
            return None
        # A standby answers as well: reviews are asked on the road that no fence stands on.
        return KubernetesAuthority(self.lease_api, self.clock, self.config.namespace, server.audiences)

    def stop_probes(self) -> None:
        """Ask nobody any more."""
        self.prober.stop()
        self.probe_api.close()

    def environments_of(self, source: str) -> tuple[Environment, ...]:
        """Return the environments of one source, patterns expanded.

        Raises:
            SourceError: which directories there are is not known.
        """
        return expand(self.config, source, self.sources[source].directories)

    def environments_known(self) -> Mapping[str, Environment]:
        """Return every environment there is; Git is asked only where a pattern needs it, and may be silent."""
        found: dict[str, Environment] = {}
        for source in self.sources:
            try:
                environments = self.environments_of(source)
            except SourceError:
                environments = self._after_fetch(source)
            found |= {environment.name: environment for environment in environments}
        return found

    def _after_fetch(self, source: str) -> tuple[Environment, ...]:
        # A fetch that fails still finds what an earlier one left on disk.
        with contextlib.suppress(SourceError):
            self.sources[source].fetch()
        try:
            return self.environments_of(source)
        except SourceError:
            return literal(self.config, source)

    def source_view(self, name: str, poll_s: float) -> SourceView:
        """Return how a source is."""
        state = self.sources[name].state()
        return SourceView(
            name=name,
            url=state.url,
            ref=state.branch,
            revision=state.revision,
            fetched_at=state.fetched_at,
            next_fetch_at=state.tried_at + timedelta(seconds=poll_s) if state.tried_at else None,
            error=state.error.problem if state.error else None,
            error_at=state.tried_at if state.error else None,
            error_count=1 if state.error else 0,
        )


def wire(config: Config, clock: Clock, road: Callable[..., Transport] = Transport) -> House:
    """Build it all; nothing is started, and nobody is asked anything. ``road`` makes the transport to the cluster."""
    fence, times, claims = Fence(), StageTimes(), LocalClaims()
    login = credentials(str(config.kubeconfig or ""), config.context)
    transport = road(login, fence=fence)
    sources = {one.name: _source(one, config, clock) for one in config.sources}
    source = Sources(sources)
    cluster, store = KubernetesCluster(transport, clock), ClusterStore(transport, config.namespace)
    probe_api = Transport(login, fence=fence, limits=PROBE_CALL)
    prober = Prober(probe_api, clock, _prometheus(config))
    workshop = Workshop(config.cacheDir / "jail", config.render.programs)
    ports = Ports(
        source=timed(source, times),
        renderer=timed(Checked(_renderer(source, workshop, config)), times),
        cluster=timed(cluster, times),
        store=timed(store, times),
        claims=claims,
        probes=prober,
        clock=clock,
    )
    return House(
        config=config,
        clock=clock,
        sources=sources,
        cluster=cluster,
        store=store,
        lease_api=Transport(login, limits=LEASE_CALL),
        probe_api=probe_api,
        prober=prober,
        workshop=workshop,
        fence=fence,
        claims=claims,
        times=times,
        telling=Telling(ports, _reverts(config, sources)),
        ports=ports,
    )


def _reverts(config: Config, sources: Mapping[str, GitSource]) -> Mapping[str, Reverts]:
    wished = {one.name: one.revertCommits for one in config.sources}
    return {name: sources[name].reverts(wish.branch) for name, wish in wished.items() if wish.branch}


def _renderer(source: Sources, workshop: Workshop, config: Config) -> DirectoryRenderer:
    decryptor = SopsDecryptor(workshop.sops)
    storage = Storage(Shelf(config.cacheDir / "rendered"), decryptor.seal)
    return DirectoryRenderer(Larder(source, decryptor, workshop), storage=storage)


def _prometheus(config: Config) -> PrometheusServer | None:
    named = config.prometheus
    return PrometheusServer(url=named.url, token_file=named.tokenFile, ca_file=named.caFile) if named.url else None


def _source(one: SourceConfig, config: Config, clock: Clock) -> GitSource:
    return GitSource(
        GitSourceSettings(
            name=one.name,
            url=one.url,
            branch=one.branch,
            insecure=one.insecure,
            username=one.auth.username,
            token_file=one.auth.tokenFile,
            ssh_key_file=one.auth.sshKeyFile,
            known_hosts_file=one.auth.knownHostsFile,
            ca_file=one.auth.caFile,
        ),
        config.cacheDir / "git",
        clock,
    )
