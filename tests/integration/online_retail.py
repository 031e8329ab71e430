"""Real invoices with many lines: a slice of Online Retail (D. Chen, UCI Machine Learning Repository, CC BY 4.0).

`online_retail_slice.csv` has 27 invoices of 1 December 2010 and six credit notes, those lines that have a customer and a
price. Some invoices have an item twice, and some lines are equal word for word: only their numbers keep these apart.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

SLICE = Path(__file__).with_name("online_retail_slice.csv")
SOLD = Decimal("9558.94")
"""Dollars of the invoices, added up over the lines of the file: no statement of the publisher."""


@dataclass(frozen=True)
class InvoiceLine:
    """One line of the file, as a shop would send it; the lines of an invoice are numbered in their order."""

    invoice: str
    number: int
    item: str
    quantity: int
    price: Decimal
    customer: str
    moment: datetime

    @property
    def is_credit(self) -> bool:
        """Whether it takes something back: the number of a credit note begins with C."""
        return self.invoice.startswith("C")

    @property
    def value(self) -> Decimal:
        return self.price * self.quantity


def invoice_lines() -> list[InvoiceLine]:
    """Read the slice; quantities are positive, those of credit notes too."""
    numbers: Counter[str] = Counter()
    lines = []
    with SLICE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            numbers[row["InvoiceNo"]] += 1
            lines.append(
                InvoiceLine(
                    invoice=row["InvoiceNo"],
                    number=numbers[row["InvoiceNo"]],
                    item=row["Description"].strip(),
                    quantity=abs(int(row["Quantity"])),
                    price=Decimal(row["UnitPrice"]),
                    customer=row["CustomerID"],
                    moment=datetime.fromisoformat(row["InvoiceDate"]),
                )
            )
    return lines
