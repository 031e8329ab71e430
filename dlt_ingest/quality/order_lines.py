"""What tells the lines of an order apart.

`int_orders__events_valued` says the same to dbt; a test compares the two.
"""

from __future__ import annotations


def line_key_sql() -> str:
    """Return the SQL expression for the line that an event of silver.orders is about: unique within its order.

    It is the number that the shop gives the line, or otherwise the item. The word in front keeps a line named `Mug` and
    an item named `Mug` apart.
    """
    return (
        "CASE WHEN order_line IS NULL THEN CONCAT('item:', order_item) ELSE CONCAT('line:', order_line) END"
    )
