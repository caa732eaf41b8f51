"""How played pods behave: the image's name chooses, this table says what one sees."""

from dataclasses import dataclass

REGISTRY = "rig.test"
ORDINARY = "ordinary"
STARTS_S = 5
FADES_S = 5
BACK_OFF_S = 10


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One way to behave: the word that ends the image's name, and what the pod then shows."""

    word: str
    shows: str

    @property
    def image(self) -> str:
        """An image that behaves so."""
        return f"{REGISTRY}/web:{self.word}"

    @property
    def pattern(self) -> str:
        """Which images behave so: `rig.test/web:crash`, `rig.test/shop/web:v2-crash`."""
        return f"^{REGISTRY.replace('.', '[.]')}/.+[:-]{self.word}$"


BEHAVIOURS = (
    Behaviour("missing", "Pending: the container waits with ErrImagePull, 2 s later with ImagePullBackOff, for ever"),
    Behaviour("misconfigured", "Pending: the container waits with CreateContainerConfigError, for ever"),
    Behaviour(
        "crash",
        "Running for 1 s (ready, unless it has a readinessProbe), exit code 1, restart, 1 s later CrashLoopBackOff; "
        f"a restart every {BACK_OFF_S} s with a growing restartCount; with restartPolicy Never the pod is Failed",
    ),
    Behaviour("oom", "as `crash`, but OOMKilled with exit code 137"),
    Behaviour("never-ready", "Running, never Ready"),
    Behaviour("ready-then-not", f"Running and Ready, {FADES_S} s later no longer Ready, for ever"),
    Behaviour("slow", f"Running, Ready only after {STARTS_S} s"),
    Behaviour("never-stops", "Ready; when deleted it stays until its grace period has passed"),
)
AFTER_ANNOTATION = f"{REGISTRY}/after"
ORDINARY_SHOWS = "Running and Ready within a second; in a Job, Succeeded 1 s after that; deleted at once"


def table() -> str:
    """The table as the documentation shows it."""
    rows = [("any other image", ORDINARY_SHOWS), *((f"`{b.image}`", b.shows) for b in BEHAVIOURS)]
    return "\n".join(["| image | the pod shows |", "|---|---|", *(f"| {image} | {shows} |" for image, shows in rows)])
