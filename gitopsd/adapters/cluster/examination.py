"""One object of the desired set, compared with what we would send: settled, or previewed by the server."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gitopsd.adapters.cluster.below import Below, is_moving
from gitopsd.adapters.cluster.discovery import Resource
from gitopsd.adapters.cluster.memory import Memory, Remembered
from gitopsd.adapters.cluster.previews import Previewer, is_stale_look
from gitopsd.adapters.cluster.reading import Reader
from gitopsd.adapters.cluster.seeing import live_object
from gitopsd.core import diff, ownership
from gitopsd.core.errors import ClusterError
from gitopsd.core.fields import text
from gitopsd.core.model import (
    Accepted,
    Body,
    Environment,
    HealthStatus,
    Item,
    LiveObject,
    Manifest,
    ObjectRef,
    Preview,
    Sight,
)

LOOKS_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is looked at. ``omit`` is left out of what we send."""

    manifest: Manifest
    resource: Resource
    item: Item
    omit: tuple[str, ...]

    @property
    def ref(self) -> ObjectRef:
        """The object."""
        return self.manifest.ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Examiner:
    """Makes a sight of a body; what it found settled is remembered."""

    environment: Environment
    reader: Reader
    previewer: Previewer
    memory: Memory
    below: Below

    def unseen(self, look: Look) -> Sight:
        """Look at an object that our labelled list did not show: the server says whether it would be new.

        Raises:
            ClusterError: it could not be known.
        """
        sent = diff.payload(look.manifest, self.environment, look.omit)
        asked = self.previewer.ask(look.manifest, look.resource, sent, None)
        if asked.creates:
            return Sight(ref=look.ref, live=None, preview=asked.preview, omit=look.omit)
        return self.known(look, self.reader.get(look.resource, look.ref))

    def known(self, look: Look, body: Body | None) -> Sight:
        """Look at an object that was read, or that surely is not there.

        Raises:
            ClusterError: it could not be known.
        """
        for _ in range(LOOKS_MAX):
            try:
                return self._present(look, body) if body is not None else self._absent(look)
            except ClusterError as error:
                if not is_stale_look(error):
                    raise
                stale = error
            body = self.reader.get(look.resource, look.ref)
        raise stale

    def _absent(self, look: Look) -> Sight:
        sent = diff.payload(look.manifest, self.environment, look.omit)
        asked = self.previewer.ask(look.manifest, look.resource, sent, None)
        return Sight(ref=look.ref, live=None, preview=asked.preview, omit=look.omit)

    def _present(self, look: Look, body: Body) -> Sight:
        seen = live_object(self.environment, look.ref, body, self.below.health(body))
        live = replace(seen, stuck=self.below.stuck(body), down_since=self.below.down_since(body))
        if live.health.status is HealthStatus.TERMINATING:
            return Sight(ref=look.ref, live=live, omit=look.omit)
        sent = diff.payload(look.manifest, self.environment, look.omit)
        sight = Sight(
            ref=look.ref,
            live=live,
            omit=look.omit,
            release=ownership.still_owned(body, look.omit) if look.omit else (),
            take_over=ownership.foreign_fields(body, sent, look.omit),
        )
        if not self._is_settled(look, sight, live, sent):
            sight = replace(sight, preview=self._preview(look, sight, sent, body))
        if sight.preview is None and not sight.release and not sight.take_over:
            self._remember(look, live, body)
        return sight

    def _preview(self, look: Look, sight: Sight, sent: Body, body: Body) -> Preview | None:
        """Ask the server; None when it says that nothing would change.

        What has to change hands before it can be written is asked for as it is now.
        """
        stubborn = ownership.stubborn_defaults(body, sent)
        borrowed = diff.borrow(sent, body, (*sight.release, *stubborn))
        asked = self.previewer.ask(look.manifest, look.resource, _with_uid(borrowed, body), body)
        if not isinstance(asked.preview, Accepted):
            return asked.preview
        after = diff.borrow(asked.preview.body, sent, stubborn)
        if not (sight.live and sight.live.owner) and not diff.explain(body, after):
            return None
        return replace(asked.preview, body=after)

    def _is_settled(self, look: Look, sight: Sight, live: LiveObject, sent: Body) -> bool:
        """Whether nothing changed since the server's own answer, or all that we send is there as we sent it last."""
        if live.owner or sight.release or sight.take_over:
            return False
        seen = self.memory.recall(self.environment.name, look.ref)
        if seen and seen.agrees(look.manifest.digest, look.omit) and seen.live.uid == live.uid:
            return seen.live.fingerprint == live.fingerprint or diff.covers(live.body, sent)
        is_ours = (live.uid, look.manifest.digest) == (look.item.uid, look.item.digest)
        return is_ours and diff.covers(live.body, sent)

    def _remember(self, look: Look, live: LiveObject, body: Body) -> None:
        remembered = Remembered(
            live=replace(live, body=None),
            digest=look.manifest.digest,
            omit=look.omit,
            is_moving=is_moving(body, live.health),
        )
        self.memory.keep(self.environment.name, remembered)


def _with_uid(sent: Body, body: Body) -> Body:
    metadata = sent.get("metadata")
    uid = text(body, "metadata.uid")
    return {**sent, "metadata": {**metadata, "uid": uid}} if isinstance(metadata, dict) else sent
