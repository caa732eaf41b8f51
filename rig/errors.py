"""What the rig refuses, always as one sentence and its remedy; a traceback means a bug in the rig."""


class RigError(Exception):
    """Something the person at the keyboard can put right."""

    def __init__(self, sentence: str, *, remedy: str) -> None:
        super().__init__(f"{sentence.rstrip('.')}. {remedy}")
        self.sentence = sentence
        self.remedy = remedy


class WaitedTooLongError(RigError):
    """A condition did not come true before its deadline."""
