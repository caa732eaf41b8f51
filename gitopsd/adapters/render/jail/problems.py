"""What can go wrong around a tool, as errors of the render."""

from __future__ import annotations

import signal

from gitopsd.core.errors import Problem, RenderError, Stage

_KILLED_HINTS = {
    signal.SIGKILL: "It used more CPU than a render may, or the machine ran out of memory. Make the render smaller.",
    signal.SIGXCPU: "It used more CPU than a render may. Make the render smaller.",
    signal.SIGXFSZ: "It wrote a larger file than a render may. Make the render smaller.",
    signal.SIGABRT: "It crashed, or wanted more memory than a render may have. The cause has its first words.",
    signal.SIGSYS: "It made a system call that no program of this machine should make.",
}


def timed_out(tool: str, seconds: float) -> RenderError:
    """The deadline came first."""
    return _error(
        "RENDER_TIMEOUT",
        f"{tool} did not finish in {seconds:g} s and was stopped",
        hint="Make the render smaller, or look for a base that includes itself.",
    )


def output_too_large(tool: str, output_bytes: int) -> RenderError:
    """It wrote more than it may."""
    return _error(
        "RENDER_OUTPUT_TOO_LARGE",
        f"{tool} wrote more than {output_bytes} bytes and was stopped",
        hint="Split the environment.",
    )


def killed(tool: str, number: int, words: str) -> RenderError:
    """A signal ended it: a crash, or a bound that the kernel keeps."""
    ended_by = signal.Signals(number) if number in set(signal.Signals) else None
    return _error(
        "RENDER_KILLED",
        f"{tool} was ended by {ended_by.name if ended_by else f'signal {number}'}",
        cause=words,
        hint=_KILLED_HINTS.get(ended_by, "It crashed. Try the same render by hand.") if ended_by else "",
    )


def not_started(tool: str, cause: str) -> RenderError:
    """The tool is not there, is no program, or could not be jailed."""
    return _error(
        "RENDER_NOT_STARTED",
        f"{tool} could not be started in its jail",
        cause=cause,
        hint="It must be a program for this machine, no script; and the kernel must allow what it allowed at start.",
    )


def unsafe_path(path: str, why: str) -> RenderError:
    """A file name that could lead elsewhere, or that means two files."""
    return _error("RENDER_UNSAFE_PATH", f"{path!r} {why}", hint="Rename it.")


def no_memory_disk(cause: str) -> RenderError:
    """There is no place for plaintext."""
    return _error(
        "RENDER_NO_MEMORY_DISK",
        "decrypted files must lie in memory, and there is no tmpfs to write to",
        cause=cause,
        hint="Mount an emptyDir with medium Memory at /dev/shm.",
    )


def no_disk(cause: str) -> RenderError:
    """The files could not be written."""
    return _error("RENDER_DISK", "the files to render could not be written", cause=cause, hint="Is the disk full?")


def _error(code: str, message: str, *, cause: str = "", hint: str = "") -> RenderError:
    return RenderError(Problem(code=code, stage=Stage.RENDER, message=message, cause=cause, hint=hint))
