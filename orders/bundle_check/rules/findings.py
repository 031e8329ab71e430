"""The finding of a check: the place, what is wrong, what is allowed, and what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from orders.bundle_check.document import KeyPath, Node, Position, key_text


@dataclass(frozen=True, order=True)
class Finding:
    """One mistake in the bundle.

    Attributes:
        file: The file to edit, relative to the project root.
        line: The line in it, counted from 1.
        key: The key path, in the Databricks CLI's notation.
        what: What is wrong.
        allowed: What is allowed.
        remedy: What to do.
    """

    file: str
    line: int
    key: str
    what: str
    allowed: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.key}: {self.what}. Allowed: {self.allowed}. {self.remedy}"

    def to_dict(self) -> dict[str, str | int]:
        """Return the parts, for a report in JSON."""
        return asdict(self)


def finding(place: Node | Position, path: KeyPath, what: str, *, allowed: str, remedy: str) -> Finding:
    """Return a finding at a node of the tree."""
    position = place.position if isinstance(place, Node) else place
    return Finding(position.file, position.line, key_text(path), what, allowed, remedy)
