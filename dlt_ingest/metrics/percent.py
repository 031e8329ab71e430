"""How a share is printed as a percentage: the same share is the same text wherever the project prints one."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

_STEP = Decimal("0.0001")


def percent(share: Decimal | int) -> str:
    """Print a share from 0 to 1 as a percentage with two decimals, rounded down.

    Rounded down, because these are shares that are compared with a least one: 94.999 % must not look like a limit of 95 %,
    nor 99.999 % like no fault at all. Example: 294 of 300 is 98.00%; 0.308299 is 30.82%.
    """
    return f"{Decimal(share).quantize(_STEP, ROUND_FLOOR):.2%}"
