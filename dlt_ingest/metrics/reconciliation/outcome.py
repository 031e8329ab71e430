"""What a reconciliation finds: the figures of each layer, and the laws between neighbours with their first difference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

CENT = Decimal("0.01")
# Rows of a key (a file, a day), and the sum of their money.
Pair = tuple[int, Decimal]


@dataclass(frozen=True)
class Layer:
    """What one layer holds.

    Attributes:
        name: Layer and table, for example `silver.orders`.
        rows: Number of records, events, orders or days, as `unit` says.
        unit: What a row is.
        value: Sum that can be compared with the neighbour, in dollars.
        measure: What the sum is of: record value (price times items, whatever the status) or net revenue.
    """

    name: str
    rows: int
    unit: str
    value: Decimal
    measure: str


@dataclass(frozen=True)
class Comparison:
    """Two neighbouring layers compared.

    Attributes:
        law: What must hold, in words.
        left: Figure of the earlier layer.
        right: Figure of the later layer.
        first_difference: The first file, day, month or customer at which they differ; empty if they do not.
    """

    law: str
    left: str
    right: str
    first_difference: str = ""

    @property
    def holds(self) -> bool:
        """Whether both sides are equal, key by key."""
        return not self.first_difference


@dataclass(frozen=True)
class Reconciliation:
    """The outcome: every layer, every law, and what could not be compared."""

    layers: tuple[Layer, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether all laws hold."""
        return all(c.holds for c in self.comparisons)

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome for JSON; money as text with all its digits."""
        return {
            "equal": self.equal,
            "layers": [{**asdict(layer), "value": str(layer.value)} for layer in self.layers],
            "comparisons": [{**asdict(c), "holds": c.holds} for c in self.comparisons],
            "notes": list(self.notes),
        }


def layer_of(name: str, figures: Mapping[str, Pair], unit: str, measure: str) -> Layer:
    """Sum up the figures of one layer."""
    rows, amount = add_pairs(figures.values())
    return Layer(name, rows, unit, _in_cents(amount), measure)


def compare(law: str, left: Mapping[str, Pair], right: Mapping[str, Pair]) -> Comparison:
    """Compare two layers key by key and name the first key, in sorted order, that differs."""
    different = sorted(key for key in left.keys() | right.keys() if left.get(key) != right.get(key))
    difference = ""
    if different:
        key = different[0]
        difference = f"{key}: {_figure(left.get(key))} against {_figure(right.get(key))}"
        if len(different) > 1:
            difference += f" (and {len(different) - 1:,} more)"
    return Comparison(law, _figure(add_pairs(left.values())), _figure(add_pairs(right.values())), difference)


def add_pairs(pairs: Iterable[Pair]) -> Pair:
    """Add up rows and money."""
    rows, amount = 0, Decimal(0)
    for pair in pairs:
        rows, amount = rows + pair[0], amount + pair[1]
    return rows, amount.normalize()


def _figure(pair: Pair | None) -> str:
    return "nothing" if pair is None else f"{pair[0]:,}, {_in_cents(pair[1]):,f}"


def _in_cents(amount: Decimal) -> Decimal:
    """Return the amount with two decimals, or with more where it has them: nothing is rounded away here."""
    in_cents = amount.quantize(CENT)
    return in_cents if in_cents == amount else amount.normalize()
