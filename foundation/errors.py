"""The base of all errors that this project raises on purpose: five facts, and how they read as a sentence or two."""

from __future__ import annotations


class DiagnosedError(Exception):
    """An error whose cause is known, so that a command prints a sentence and never a stack trace.

    Each package derives one class for each party that has to act.

    Args:
        what: What went wrong, as a clause without a full stop.
        got: The value that was found, if one value is to blame.
        allowed: What would have been accepted.
        consequence: What this means for the data or the command.
        next_step: What the reader can do now.

    Never pass a password or a token in any of the parts: they are printed and logged.
    """

    def __init__(
        self,
        what: str,
        *,
        got: object = None,
        allowed: object = None,
        consequence: str | None = None,
        next_step: str | None = None,
    ) -> None:
        self.what = what
        self.got = None if got is None else str(got)
        self.allowed = None if allowed is None else str(allowed)
        self.consequence = consequence
        self.next_step = next_step
        super().__init__(self._text())

    def _text(self) -> str:
        facts = []
        if self.got is not None:
            facts.append(f"got {self.got}")
        if self.allowed is not None:
            facts.append(f"allowed: {self.allowed}")
        head = self.what.rstrip(".") + (f" ({'; '.join(facts)})" if facts else "") + "."
        tail = [_sentence(part) for part in (self.consequence, self.next_step) if part]
        return " ".join([head, *tail])

    def to_dict(self) -> dict[str, str | None]:
        """Return the class name and the parts, for a state file or a report in JSON."""
        return {
            "class": type(self).__name__,
            "what": self.what,
            "got": self.got,
            "allowed": self.allowed,
            "consequence": self.consequence,
            "next_step": self.next_step,
        }


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
