"""Which of a shop's names probably means which field of an order record: a proposal for the user to correct."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from dlt_ingest.quality.order_record import ORDER_FIELD_NAMES, ORDER_LINE, REQUIRED_FIELDS

# Names that shops use, in lower case and without separators; most likely first.
USUAL_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        field: tuple(names.split())
        for field, names in {
            "order_id": "orderid orderno ordernumber invoiceno invoice invoiceid bestellnummer name order id",
            "order_item": "description lineitemname product productname item itemname title article artikel sku stockcode",
            "price": "unitprice itemprice lineitemprice price preis amount einzelpreis",
            "items_ordered": "quantity qty lineitemquantity menge anzahl items count",
            "status": "orderstatus financialstatus fulfillmentstatus state status",
            "date_ordered": "orderdate dateordered purchasedate createdat invoicedate orderedon bestelldatum datum date",
            "customer_id": "customerid customer clientid userid buyerid kundennummer kunde email",
            "order_timestamp": "timestamp eventtime updatedat lastupdated invoicedate orderdate orderedon createdat",
            "order_line": "orderline linenumber lineno lineid position",
        }.items()
    }
)


def suggested_names(names: Iterable[str], fields: Iterable[str] = ORDER_FIELD_NAMES) -> dict[str, str]:
    """Return the name that probably means each field; a field without a likely name is omitted."""
    by_key: dict[str, str] = {}
    for name in names:
        by_key.setdefault(_key(name), name)
    found = {}
    for field in fields:
        for usual in (_key(field), *USUAL_NAMES[field]):
            if usual in by_key:
                found[field] = by_key[usual]
                break
    return found


def map_to_begin_with(header: Sequence[str]) -> str:
    """Return the text of a map file for columns of these names; the user fills in what is unknown."""
    found = suggested_names(header)
    lines = ["fields:"]
    for field in REQUIRED_FIELDS:
        column = found.get(field.name)
        if column is not None:
            lines.append(f"  {field.name}: {json.dumps(column, ensure_ascii=False)}")
        elif field.name == "status":
            lines.append("  status: {constant: fulfilled}  # no column looks like it: every row is a sale?")
        else:
            lines.append(f"  {field.name}:   # which column? {field.meaning}")
    line, order = found.get(ORDER_LINE.name), found.get("order_id")
    if line is not None:
        lines.append(f"  {ORDER_LINE.name}: {json.dumps(line, ensure_ascii=False)}")
    elif order is not None:
        lines.append(
            f"  {ORDER_LINE.name}: {{number_within: {json.dumps(order, ensure_ascii=False)}}}  # a row is a line?"
        )
    return "\n".join(lines)


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
